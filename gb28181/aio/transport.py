"""Sockets under an endpoint: UDP and TCP on one port, and the alarms of its timers (GB/T 28181-2022 4.3.2, 5.1)."""

from __future__ import annotations

import asyncio
import random
import socket
from collections import deque
from collections.abc import Callable
from itertools import count
from typing import Final, cast

from ..sip.endpoint import Endpoint
from ..sip.transactions import Flow
from .datagrams import UDP_BUFFER, Datagrams, Place, open_socket

__all__ = ["MAX_CONNECTIONS", "Transport"]

#: TCP connections at a time: each is a device, or a gateway of many.
MAX_CONNECTIONS: Final = 20_000
#: Bytes that may wait for a peer that does not read; then its connection is closed.
MAX_WAITING_BYTES: Final = 4 * 1024 * 1024
#: Seconds that a connection may take to be made.
DIAL_S: Final = 10.0
#: Seconds in which who connects must have sent a whole message: others hold a place that a device needs.
FIRST_MESSAGE_S: Final = 32.0
#: Longest sleep in seconds.
SLEEP_S: Final = 86_400.0
#: Free ports that are tried until one is free for UDP and for TCP.
BIND_TRIES: Final = 8
#: Ways that are remembered, so that all that comes from one address is told by the same object.
MAX_FLOWS: Final = 50_000
#: Pause between the pieces of a message, where messages are written so: longer than a peer takes to read one.
PIECE_S: Final = 0.005


class Transport:
    """Drives an endpoint on asyncio.

    Args:
        endpoint: The user agent.
        step: Called with the time after anything went in: takes what the endpoint reports.
        closed: Called with a connection that ended, and the time.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        step: Callable[[float], None],
        closed: Callable[[Flow, float], None] = lambda flow, now: None,
    ) -> None:
        self.endpoint = endpoint
        self.port = 0
        self._step = step
        self._closed = closed
        self._loop = asyncio.get_running_loop()
        self._udp: dict[Place, Datagrams] = {}  # by the address that our messages name
        self._flows: dict[tuple[Place, Place], Flow] = {}
        self._server: asyncio.Server | None = None
        self._connections: dict[Flow, _Stream] = {}
        self._ids = count(1)
        self._alarm: asyncio.TimerHandle | None = None
        self._due: float | None = None
        self._scheduled = False
        self._local = ("", 0)
        self._dropped = 0
        self._opening: set[asyncio.Task[None]] = set()
        self.failure: BaseException | None = None
        self.failed: Callable[[BaseException], None] = lambda error: None

    @property
    def now(self) -> float:
        """The loop's clock, in seconds."""
        return self._loop.time()

    @property
    def datagrams_dropped(self) -> int:
        """Datagrams that were written and that the system did not take."""
        return self._dropped + sum(each.dropped for each in self._udp.values())

    # Ways

    async def bind(self, host: str, port: int, *, tcp: bool = True) -> None:
        """Listen on an address; port 0 takes a free one, the same for UDP and TCP.

        Raises:
            OSError: If the port cannot be had.
        """
        for attempt in range(1, BIND_TRIES + 1):
            try:
                await self._bind_both(host, port, tcp)
                return
            except OSError:
                await self.close()
                if port or attempt == BIND_TRIES:
                    raise

    async def _bind_both(self, host: str, port: int, tcp: bool) -> None:
        if tcp:
            # The free port is one of TCP: there connections that ended a minute ago still have theirs, on a busy
            # computer most of all, while hardly any of UDP is ever taken.
            at = host if port else await self._first(host, port)
            self._server = await self._loop.create_server(lambda: _Stream(self, accepted=True), at, port)
            port = self._server.sockets[0].getsockname()[1]
        self._local = await self.add(host, port)
        self.port = self._local[1]

    async def add(self, host: str, port: int = 0, *, buffer: int = UDP_BUFFER) -> Place:
        """Open a UDP socket, one more where there are some; return its address and port.

        Raises:
            OSError: If the port cannot be had.
        """
        sock = open_socket(await self._first(host, port), port, buffer=buffer)
        local: Place = sock.getsockname()[:2]
        way = self._watched(sock, local)
        if not way.watch():
            await way.hand_over()
        self._udp[local] = way
        return local

    async def _first(self, host: str, port: int) -> str:
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
        return str(found[0][4][0])

    def _watched(self, sock: socket.socket, local: Place) -> Datagrams:
        return Datagrams(self._loop, sock, lambda data, peer: self._receive(data, peer, local), self._settle)

    def drift(self, local: Place) -> Place:
        """Move a UDP socket to another port, as a NAT does that forgot: what we write goes on to name the old one.

        What was on its way to the old port is lost. Returns the new address and port; where none can be had, the old.
        """
        try:
            sock = open_socket(local[0], 0)
        except OSError:
            return self._udp[local].local
        way = self._watched(sock, local)
        old, self._udp[local] = self._udp[local], way
        self._dropped += old.dropped
        old.close()
        if not way.watch():
            task = self._loop.create_task(way.hand_over())
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        return way.local

    def udp_flow(self, peer: Place, local: Place | None = None) -> Flow:
        """Return the way to an address by a bound port, by default the first."""
        own = local or self._local
        flow = self._flows.get((peer, own))
        if flow is None:
            if len(self._flows) >= MAX_FLOWS:
                self._flows.clear()
            flow = self._flows[peer, own] = Flow("UDP", peer, own)
        return flow

    async def resolve(self, host: str, port: int) -> Place:
        """Return the address of a host.

        Raises:
            OSError: If it has none.
        """
        family = socket.AF_INET6 if ":" in self._local[0] else socket.AF_INET
        found = await self._loop.getaddrinfo(host, port, family=family, type=socket.SOCK_DGRAM)
        return (str(found[0][4][0]), port)

    async def connect(self, host: str, port: int, local: str = "") -> Flow:
        """Open a connection; return the way.

        Args:
            host: Address of the peer.
            port: Its port.
            local: Address to connect from; empty: as the system chooses.

        Raises:
            OSError: If it cannot be opened in time.
        """
        try:
            async with asyncio.timeout(DIAL_S):
                _, protocol = await self._loop.create_connection(
                    lambda: _Stream(self), host, port, local_addr=(local, 0) if local else None
                )
        except TimeoutError as error:
            raise OSError(f"{host}:{port} did not answer in {DIAL_S:g} s") from error
        if protocol.flow is None:
            raise OSError(f"{MAX_CONNECTIONS} connections are open (MAX_CONNECTIONS)")
        return protocol.flow

    def write_in_pieces(self, flow: Flow, chance: random.Random) -> None:
        """Write each message of a connection in two pieces, cut anywhere (``tcp_partial_write``)."""
        connection = self._connections.get(flow)
        if connection is not None:
            connection.chance = chance

    async def close(self) -> None:
        """Close every socket; what was written before is still sent."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        for connection in list(self._connections.values()):
            connection.close()
        if self._server is not None:
            self._server.close()
            self._server = None
        for local in list(self._udp):
            way = self._udp.pop(local)
            self._dropped += way.dropped
            way.close()
        await asyncio.sleep(0)

    # What comes in

    def opened(self, stream: _Stream, transport: asyncio.Transport) -> Flow | None:
        """Take a connection; ``None`` where there are as many as there may be."""
        if len(self._connections) >= MAX_CONNECTIONS:
            transport.abort()
            return None
        peer, local = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        flow = Flow("TCP", tuple(peer[:2]), tuple(local[:2]), next(self._ids))
        transport.set_write_buffer_limits(high=MAX_WAITING_BYTES)
        sock = transport.get_extra_info("socket")
        if sock is not None:  # a peer that lost its power says no goodbye: the system asks for it
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._connections[flow] = stream
        return flow

    def lost(self, flow: Flow) -> None:
        """Take note that a connection ended."""
        if self._connections.pop(flow, None) is not None:
            now = self.now
            self.endpoint.flow_closed(flow, now)
            self._closed(flow, now)
            self.wake()

    def _receive(self, data: bytes, peer: Place, local: Place) -> None:
        # A step for each: what a message leads to is gone before the next is read, and its answer on the way.
        now = self.now
        self.endpoint.receive_datagram(data, self.udp_flow(peer, local), now)
        if self._stepped(now):
            self._write()

    def wake(self) -> None:
        """Take a step soon: once for all that comes in one turn of the loop."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        self._settle()

    def _settle(self) -> None:
        """Do what is due, and set the alarm for what is not."""
        now = self.now
        if not self._stepped(now, ring=True):
            return
        self._write()
        when = self.endpoint.next_timeout()
        if when == self._due and self._alarm is not None:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._due = when
        # One that is set for far too late, by what a peer told, is looked at again: no loop sleeps for ever.
        self._alarm = None if when is None else self._loop.call_at(min(when, now + SLEEP_S), self._ring)

    def _stepped(self, now: float, *, ring: bool = False) -> bool:
        try:
            if ring:
                self.endpoint.handle_timeout(now)
            self._step(now)
        except Exception as error:
            # A fault of ours; inside a callback of the loop it would only be logged.
            self.failure = error
            self.failed(error)
            return False
        return True

    def _ring(self) -> None:
        self._alarm = None
        self._settle()

    def _write(self) -> None:
        for flow, data in self.endpoint.data_to_send():
            if flow.transport == "UDP":
                way = self._udp.get(flow.local)
                if way is not None:
                    way.send(data, flow.peer)
                continue
            connection = self._connections.get(flow)
            if connection is not None:
                connection.send(data)
        for flow in self.endpoint.flows_to_close():
            connection = self._connections.get(flow)
            if connection is not None:
                connection.close()


class _Stream(asyncio.Protocol):
    """One connection."""

    def __init__(self, owner: Transport, *, accepted: bool = False) -> None:
        self._owner = owner
        self._accepted = accepted
        self._first: asyncio.TimerHandle | None = None  # until a whole message has come
        self._transport: asyncio.Transport | None = None
        self._later: deque[bytes] | None = None  # pieces that are yet to be written
        self._later_bytes = 0
        self.flow: Flow | None = None
        self.chance: random.Random | None = None  # of where messages are cut

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self.flow = self._owner.opened(self, self._transport)
        if self._accepted:
            self._first = asyncio.get_running_loop().call_later(FIRST_MESSAGE_S, self._transport.abort)

    def data_received(self, data: bytes) -> None:
        if self.flow is not None:
            owner = self._owner
            if owner.endpoint.receive_stream(data, self.flow, owner.now):
                self._come()
            owner.wake()

    def _come(self) -> None:
        if self._first is not None:
            self._first.cancel()
            self._first = None

    def connection_lost(self, exc: Exception | None) -> None:
        self._come()
        self._transport = self._later = None
        if self.flow is not None:
            self._owner.lost(self.flow)

    def send(self, data: bytes) -> None:
        """Write a message, behind what waits; who does not read is hung up on."""
        transport = self._transport
        if transport is None:
            return
        if self.chance is None or len(data) < 2:
            transport.write(data)
        else:
            at = self.chance.randrange(1, len(data))
            begins, self._later = self._later is None, self._later or deque()
            self._later += (data[:at], data[at:])
            self._later_bytes += len(data)
            if begins:
                self._piece()
        if transport.get_write_buffer_size() + self._later_bytes > MAX_WAITING_BYTES:
            transport.abort()

    def _piece(self) -> None:
        later, transport = self._later, self._transport
        if later is None or transport is None:
            return
        piece = later.popleft()
        self._later_bytes -= len(piece)
        transport.write(piece)
        if later:
            asyncio.get_running_loop().call_later(PIECE_S, self._piece)
        else:
            self._later = None
            self._later_bytes = 0

    def close(self) -> None:
        """Close it; what waits is written first."""
        transport, later = self._transport, self._later
        self._later = None
        if transport is not None:
            for piece in later or ():
                transport.write(piece)
            transport.close()
