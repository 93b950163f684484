"""Cameras on the network: a connection each, or UDP sockets that many share; no task and no timer of their own.

What a camera emits cannot be the same twice, for nonces of the platform and ports of the system are in it. The digest
of a camera is therefore SHA-256 of its identity and the *bodies* of what it told unasked, keepalives and alarms, in
the order in which they went out.

A run that ends leaves its cameras as a power cut does: they do not end their registrations.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections import deque
from contextlib import suppress
from typing import Any, Final, cast

from gb28181.errors import SipError
from gb28181.sip.message import Request, Response, parse_message
from gb28181.sip.transactions import Flow

from ..draws import draw
from ..faults import quirks_with
from ..personalities.camera import Camera
from ..personalities.kinds import GB28181
from ..scenario import Scenario
from .line import WRITE_HIGH_WATER, Dialling, Line
from .timers import NEVER

__all__ = ["PIECE_S", "SipLine", "SipSocket", "SipSockets", "descriptors"]

#: Receive buffer of a shared socket: all its cameras may be asked at once.
RECEIVE_BUFFER: Final = 1 << 20
#: Pause between the pieces of a message, where messages are written so (``tcp_partial_write``).
PIECE_S: Final = 0.005
#: Bytes in pieces that may wait; then the rest is written at once.
MAX_PIECES_BYTES: Final = 1 << 20
_FILLING: Final = b"\r\n\x00 "


class SipLine(Line):
    """A camera that is switched on, and its way to the platform.

    Args:
        core: The camera.
        dialling: Who connects it, or seats it at a socket.
        source: Address to send from; empty: whichever the system takes.
    """

    __slots__ = ("_pieces", "socket")

    core: Camera

    def __init__(self, core: Camera, dialling: Dialling, source: str = "") -> None:
        super().__init__(core, dialling, source)
        self.socket: SipSocket | None = None
        self._pieces: _Pieces | None = None
        if core.quirks.nat_port_drift:
            core.device.registration.before_keepalive = self._drift

    @property
    def linked(self) -> bool:
        """Whether the platform has it, as far as it knows."""
        return self.core.registered and not self.waits

    @property
    def tried(self) -> bool:
        """Whether it asked to be registered and is not, or not yet: over UDP silence is all that there is."""
        return self.failures > 0 or (not self.connects and not self.waits)

    @property
    def waits(self) -> bool:
        """Whether it has neither a connection nor a socket."""
        return self.transport is None and self.socket is None

    # A connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(WRITE_HIGH_WATER)
        if self.off or self.out_of_reach or not self._dialling.gate():
            self.transport.abort()
            return
        peer, local = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self._reached(Flow("TCP", (peer[0], peer[1]), (local[0], local[1]), self.connects + self.failures + 1))

    def connection_lost(self, exc: Exception | None) -> None:
        self._pieces = None
        super().connection_lost(exc)

    # A socket

    def seated(self, at: SipSocket, platform: tuple[str, int]) -> None:
        """Take note of the socket by which it reaches the platform."""
        self.socket = at
        self._reached(Flow("UDP", platform, at.local))

    def message_received(self, message: Request | Response, data: bytes, peer: tuple[str, int]) -> None:
        """Take in a datagram that is for this camera."""
        at, flow = self.socket, self.core.flow
        if at is None or flow is None or not self._dialling.gate():
            return
        if peer != flow.peer:
            flow = Flow("UDP", peer, at.local)
        self.core.receive_message(message, data, flow, self._dialling.timers.now())
        self.flush()

    def _drift(self, number: int) -> None:
        """Let it leave by another port from every n-th keepalive on (``nat_port_drift``)."""
        if self.socket is not None and number % self.core.quirks.nat_port_drift == 0:
            self.socket.drift()

    # Either

    def _reached(self, flow: Flow) -> None:
        self.core.flow = flow
        self.core.connected(self._dialling.timers.now())
        self.flush()

    def flush(self) -> None:
        """Write what the camera has to say, take note of what became of it, and set its alarm."""
        core = self.core
        if not self._dialling.gate():
            return  # nothing is woken any more either
        for body in core.told():
            self._hash.update(body)
        for flow, data in core.datagrams_to_send():
            self._write(flow, data)
        accepted, refused = core.outcomes()
        self.connects += accepted
        self.failures += refused
        if self.transport is not None and core.cannot_go_on():
            self.transport.close()
        self._rearm()

    def _write(self, flow: Flow, data: bytes) -> None:
        if self.waits:
            return  # the network is away, and what is written goes nowhere
        if self.socket is not None:
            self.socket.send(data, flow.peer)
        elif self.transport is not None and flow == self.core.flow:
            if self.core.quirks.tcp_partial_write:
                self._pieces = self._pieces or _Pieces(self.transport, self._dialling, self.core.identity)
                self._pieces.add(data)
            else:
                self.transport.write(data)

    def abort(self) -> None:
        """Break the connection off, or leave the socket at once."""
        if self.socket is not None:
            self.socket.leave(self)
            self.socket = None
            self.core.disconnected(self._dialling.timers.now())
        super().abort()

    def _booted(self, at: float) -> None:
        super()._booted(at)
        if self.core.quirks.nat_port_drift:
            self.core.device.registration.before_keepalive = self._drift

    def close(self) -> None:
        """End the connection, or leave the socket; what was written still goes out."""
        super().close()
        if self.socket is not None:
            self.socket.leave(self)
            self.socket = None


class _Pieces:
    """Messages that are written to a connection in two pieces each, cut by chance."""

    __slots__ = ("_count", "_dialling", "_identity", "_transport", "_waiting", "_waiting_bytes", "armed")

    def __init__(self, transport: asyncio.Transport, dialling: Dialling, identity: str) -> None:
        self._transport = transport
        self._dialling = dialling
        self._identity = identity
        self._count = 0
        self._waiting: deque[bytes] = deque()
        self._waiting_bytes = 0
        self.armed = NEVER

    def add(self, data: bytes) -> None:
        """Write a message, behind what waits."""
        self._count += 1
        at = round(draw(self._dialling.seed, self._identity, "piece", self._count) * len(data))
        self._waiting += (data[:at], data[at:])
        self._waiting_bytes += len(data)
        if len(self._waiting) == 2 or self._waiting_bytes > MAX_PIECES_BYTES:
            self._write()

    def alarm(self, now: float) -> None:
        self._write()

    def _write(self) -> None:
        while self._waiting:
            piece = self._waiting.popleft()
            self._waiting_bytes -= len(piece)
            self._transport.write(piece)
            if self._waiting and self._waiting_bytes <= MAX_PIECES_BYTES:
                timers = self._dialling.timers
                timers.arm(self, timers.now() + PIECE_S)
                return


class SipSocket(asyncio.DatagramProtocol):
    """A UDP socket and the cameras at it.

    Args:
        owner: Told when a seat becomes free.
        source: The address it was opened for; empty: whichever the system took.
        seats: How many cameras it has room for.

    Attributes:
        local: Address and port that the cameras name; after a drift not the real ones any more.
        lost: Datagrams that were not SIP, or for nobody here.
    """

    def __init__(self, owner: SipSockets, source: str, seats: int) -> None:
        self.source = source
        self.seats = seats
        self.local = ("", 0)
        self.taken = 0
        self.lost = 0
        self.roomy = False  #: whether the owner knows it as one with room
        self._owner = owner
        self._lines: dict[str, SipLine] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._drifting: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        old, self._transport = self._transport, cast(asyncio.DatagramTransport, transport)
        if old is None:
            name = transport.get_extra_info("sockname")
            self.local = (name[0], name[1])
        else:
            old.close()
        inner = transport.get_extra_info("socket")
        if inner is not None:
            with suppress(OSError):
                inner.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)

    # Seats

    def fits(self, line: SipLine) -> bool:
        """Whether a camera has room, and no code that somebody here has."""
        return self.taken < self.seats and not any(code in self._lines for code in line.core.codes)

    def take(self, line: SipLine) -> None:
        """Give a camera a seat."""
        self.taken += 1
        self._lines.update(dict.fromkeys(line.core.codes, line))

    def leave(self, line: SipLine) -> None:
        """Take a camera's seat back: what comes for it is lost."""
        self.taken -= 1
        for code in [code for code, who in self._lines.items() if who is line] if self.taken else list(self._lines):
            del self._lines[code]
        self._owner.freed(self)

    # Datagrams

    def send(self, data: bytes, peer: tuple[str, int]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, peer)

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        if not data.strip(_FILLING):
            return  # what keeps a NAT open means nothing
        try:
            message = parse_message(data)
            line = self._whose(message)
        except SipError:
            line = None
        if line is None:
            self.lost += 1
        else:
            line.message_received(message, data, (addr[0], addr[1]))

    def error_received(self, exc: Exception) -> None:
        """A port that nobody listens at: whoever asked there waits in vain."""

    def _whose(self, message: Request | Response) -> SipLine | None:
        if isinstance(message, Response):
            return self._lines.get(message.from_.uri.user)
        return self._lines.get(message.uri.user) or self._lines.get(message.to.uri.user)

    # Ports

    def drift(self) -> None:
        """Move to another port, as a NAT does that forgot: what is written goes on to name the old one."""
        if self._drifting is None or self._drifting.done():
            self._drifting = asyncio.get_running_loop().create_task(self._drift())

    async def _drift(self) -> None:
        with suppress(OSError):
            await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, local_addr=(self.local[0], 0))

    def close(self) -> None:
        if self._drifting is not None:
            self._drifting.cancel()
        if self._transport is not None:
            self._transport.close()


class SipSockets:
    """The UDP sockets of a shard's cameras: each address has as many as its cameras need.

    Args:
        platform: Host and port of the platform.
        per_socket: How many cameras share one. A camera whose port drifts has one for itself.
    """

    def __init__(self, platform: tuple[str, int], per_socket: int) -> None:
        self._platform = platform
        self._per_socket = per_socket
        self._resolved: tuple[str, int] | None = None
        self._all: list[SipSocket] = []
        self._roomy: dict[str, list[SipSocket]] = {}
        self._lock = asyncio.Lock()

    async def seat(self, line: SipLine) -> None:
        """Give a camera a seat at a socket of its address.

        Raises:
            OSError: If no socket can be had, or the platform's host has no address.
        """
        async with self._lock:
            platform = self._resolved or await self._resolve()
            at = self._with_room(line) or await self._open(line, platform)
            if line.waits and not (line.off or line.out_of_reach):
                at.take(line)
                line.seated(at, platform)

    def freed(self, at: SipSocket) -> None:
        """Take note that a socket has room again."""
        if not at.roomy and at.seats > 1:
            at.roomy = True
            self._roomy.setdefault(at.source, []).append(at)

    def close(self) -> None:
        """Close every socket."""
        for each in self._all:
            each.close()

    def _with_room(self, line: SipLine) -> SipSocket | None:
        if line.core.quirks.nat_port_drift:
            return None
        known = self._roomy.get(line.source)
        while known and known[-1].taken >= known[-1].seats:
            known.pop().roomy = False
        return known[-1] if known and known[-1].fits(line) else None

    async def _open(self, line: SipLine, platform: tuple[str, int]) -> SipSocket:
        seats = 1 if line.core.quirks.nat_port_drift else self._per_socket
        at = SipSocket(self, line.source, seats)
        host = line.source or _way_out(platform)
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: at, local_addr=(host, 0))
        self._all.append(at)
        self.freed(at)
        return at

    async def _resolve(self) -> tuple[str, int]:
        host, port = self._platform
        try:
            ipaddress.ip_address(host)
        except ValueError:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_DGRAM)
            host = str(found[0][4][0])
        self._resolved = host, port
        return self._resolved


def _way_out(platform: tuple[str, int]) -> str:
    """Return the address by which this machine reaches the platform; nothing is sent for it."""
    family = socket.AF_INET6 if ":" in platform[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect(platform)
        return str(probe.getsockname()[0])


def descriptors(scenario: Scenario, part: tuple[int, int]) -> tuple[int, int]:
    """Return how many descriptors the stations of a shard need, and how many its cameras."""
    index, of = part
    number = links = shared = own = 0
    for group in scenario.station:
        here = len(range((index - number) % of, group.count, of))
        number += group.count
        if group.protocol != GB28181:
            links += here
        elif scenario.sip.transport == "tcp" or quirks_with(group.faults).nat_port_drift:
            own += here
        else:
            shared += here
    # The last socket of an address may have room.
    full = shared // scenario.sip.devices_per_socket + max(1, len(scenario.sip.sources))
    return links, own + min(shared, full)
