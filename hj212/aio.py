"""HJ 212 on asyncio: the only module of the package that knows sockets, loops and clocks.

:class:`Link` drives one connection, whichever its role; :class:`Platform` is a server that accepts any station and
answers as the flows ask.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

from .connection import Connection, Role
from .editions import HJ_212_2017, RULES, Rules
from .events import Event, FrameRejected, NoiseReceived

__all__ = [
    "CloseReason",
    "Core",
    "Link",
    "LinkClosed",
    "LinkOpened",
    "LinkRefused",
    "Listener",
    "Platform",
    "PlatformEvent",
    "PlatformLimits",
    "listen",
]

#: Bytes the operating system's buffers may lag behind before the link pauses reading: a peer that does not read
#: its answers gets no more of them.
WRITE_HIGH_WATER: Final = 64 * 1024
#: Connections that may wait to be accepted: a site whose power returns dials in all at once.
BACKLOG: Final = 512
#: Tries to find a port that is free at every address of a host.
_PORT_ATTEMPTS: Final = 16


class Core(Protocol):
    """What :class:`Link` drives: :class:`hj212.Connection`, or something built around one."""

    def receive_data(self, data: bytes, now: float) -> None: ...
    def receive_eof(self, now: float) -> None: ...
    def data_to_send(self) -> bytes: ...
    def next_timeout(self) -> float | None: ...
    def handle_timeout(self, now: float) -> None: ...


class Link(asyncio.Protocol):
    """Feeds a core from a transport: bytes, time and the end; writes what the core wants written.

    Args:
        core: The state machine. Its ``now`` is ``loop.time()``.
        on_change: Called after each step with the link; reads the core's events and may make it send.
        on_open: Called when the transport is there.
        on_close: Called once when the transport is gone.
    """

    def __init__(
        self,
        core: Core,
        *,
        on_change: Callable[[Link], None] | None = None,
        on_open: Callable[[Link], None] | None = None,
        on_close: Callable[[Link], None] | None = None,
    ) -> None:
        self.core = core
        self.transport: asyncio.Transport | None = None
        self._on_change = on_change
        self._on_open = on_open
        self._on_close = on_close
        self._timer: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()

    @property
    def now(self) -> float:
        """The clock the core is driven by."""
        return self._loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.set_write_buffer_limits(WRITE_HIGH_WATER)
        if self._on_open:
            self._on_open(self)
        self.flush()

    def data_received(self, data: bytes) -> None:
        self.core.receive_data(data, self.now)
        self.flush()

    def eof_received(self) -> bool:
        self.core.receive_eof(self.now)
        self.flush()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self.transport = None
        self.core.receive_eof(self.now)
        if self._on_change:
            self._on_change(self)
        if self._on_close:
            self._on_close(self)

    def pause_writing(self) -> None:
        if self.transport:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.transport:
            self.transport.resume_reading()

    def flush(self) -> None:
        """Let the events be read, write what waits, set the next alarm. Call it after making the core send."""
        if self._on_change:
            self._on_change(self)
        if self.transport is None or self.transport.is_closing():
            return
        data = self.core.data_to_send()
        if data:
            self.transport.write(data)
        self._rearm()

    def close(self) -> None:
        """Close the link; what was written still goes out."""
        if self.transport:
            self.transport.close()

    def _rearm(self) -> None:
        when = self.core.next_timeout()
        if self._timer:
            if when is not None and self._timer.when() == when:
                return
            self._timer.cancel()
            self._timer = None
        if when is not None:
            self._timer = self._loop.call_at(when, self._alarm)

    def _alarm(self) -> None:
        self._timer = None
        self.core.handle_timeout(self.now)
        self.flush()


class Listener:
    """Listening sockets of one host and port, as much of :class:`asyncio.Server` as its users need."""

    def __init__(self, servers: Sequence[asyncio.Server]) -> None:
        self._servers = tuple(servers)

    @property
    def sockets(self) -> tuple[Any, ...]:
        """The sockets, one for each address of the host; empty once closed."""
        return tuple(sock for server in self._servers for sock in server.sockets)

    @property
    def port(self) -> int:
        """The port, the one the system chose where 0 was asked for."""
        return int(self.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Accept no more connections; those that are open stay."""
        for server in self._servers:
            server.close()


async def listen(
    protocol_factory: Callable[[], asyncio.BaseProtocol], host: str, port: int, *, backlog: int = BACKLOG
) -> Listener:
    """Listen on a port that no other program can take part in.

    A second program bound to the same port would be handed a part of the connections, in silence. Windows allows
    that to whoever sets ``SO_REUSEADDR``, unless the port is held exclusively; elsewhere it takes ``SO_REUSEPORT`` on
    both sides, which is never set here, while ``SO_REUSEADDR`` only frees a port whose last connections fade away.

    Args:
        protocol_factory: Makes the protocol of each connection.
        host: An address, or a name, of which every address is listened on. Empty: every address of this computer,
            IPv4 and IPv6.
        port: TCP port; 0 takes a free one, the same for every address.
        backlog: Connections that may wait to be accepted.

    Raises:
        OSError: If the host has no address or one of them cannot be bound; nothing is left listening.
        OverflowError: If ``port`` is none.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets = _bound([(info[0], info[4]) for info in dict.fromkeys(found)])
    servers: list[asyncio.Server] = []
    try:
        for sock in sockets:
            servers.append(await loop.create_server(protocol_factory, sock=sock, backlog=backlog))
    except BaseException:
        for server in servers:
            server.close()
        for sock in sockets[len(servers) :]:
            sock.close()
        raise
    return Listener(servers)


def _bound(addresses: Sequence[tuple[int, tuple[Any, ...]]]) -> list[socket.socket]:
    """Return a socket bound to each address, all to one port."""
    for _attempt in range(_PORT_ATTEMPTS - 1):
        try:
            return _bound_once(addresses)
        except OSError as error:
            # The free port of one address may be taken at another; a port that was asked for stays what it is.
            if len(addresses) == 1 or addresses[0][1][1] != 0 or error.errno != errno.EADDRINUSE:
                raise
    return _bound_once(addresses)


def _bound_once(addresses: Sequence[tuple[int, tuple[Any, ...]]]) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    unavailable: OSError | None = None
    try:
        for family, (host, port, *rest) in addresses:
            chosen = sockets[0].getsockname()[1] if sockets else port
            try:
                sockets.append(_exclusive(family, (host, chosen, *rest)))
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                unavailable = error  # a name may have an address of a family that is switched off
        if unavailable and not sockets:
            raise unavailable
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _exclusive(family: int, address: tuple[Any, ...]) -> socket.socket:
    """Return a socket bound to an address that nobody else can be bound to."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if sys.platform == "win32":
            # Not SO_REUSEADDR: there it means that others may take the port over.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        elif os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Said in so many words: the default differs by system, and IPv4 has a socket of its own.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock


class CloseReason(StrEnum):
    """Why a platform's link ended, or never began; the value is what logs show."""

    PEER = "peer-closed"  #: the station closed it
    IDLE = "idle"  #: nothing was received for :attr:`PlatformLimits.idle_s`
    NOISE = "noise"  #: more than :attr:`PlatformLimits.noise_bytes` of it without a usable frame between
    CONNECTIONS = "too-many-connections"  #: :attr:`PlatformLimits.connections` are open already
    ADDRESS = "too-many-connections-from-address"  #: as many as :attr:`PlatformLimits.per_address` from this address
    SHUTDOWN = "shutdown"  #: the platform stopped


@dataclass(frozen=True, slots=True)
class LinkOpened:
    """A station connected."""


@dataclass(frozen=True, slots=True)
class LinkRefused:
    """A station connected and was turned away."""

    reason: CloseReason


@dataclass(frozen=True, slots=True)
class LinkClosed:
    """A link ended."""

    reason: CloseReason


PlatformEvent = LinkOpened | LinkRefused | LinkClosed | Event


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformLimits:
    """What a platform grants its peers."""

    #: Links at once: with some to spare below 1,024, the number of descriptors a process usually may have.
    connections: int = 1000
    #: Links at once from one address: a gateway with a faulty reconnect must not shut everyone else out.
    per_address: int = 250
    #: Silence after which a link is closed: the longest legal report interval, 3,600 s, and five minutes of grace.
    idle_s: float = 3900.0
    #: Bytes outside frames, counted anew after each usable frame: heartbeat lines are welcome, other protocols not.
    noise_bytes: int = 64 * 1024


class _Session:
    """One link of a platform: its connection, and what the limits need to know."""

    __slots__ = ("address", "connection", "heard", "idle_check", "idle_s", "link", "noise", "peer", "reason")

    def __init__(self, connection: Connection, idle_s: float, now: float) -> None:
        self.connection = connection
        self.link: Link | None = None
        self.address = ""
        self.peer = ""
        self.idle_s = idle_s
        self.heard = now
        self.idle_check = now + idle_s  # not moved by every message, so that no timer is set anew for each
        self.noise = 0
        self.reason: CloseReason | None = None

    def receive_data(self, data: bytes, now: float) -> None:
        self.heard = now
        self.connection.receive_data(data, now)

    def receive_eof(self, now: float) -> None:
        self.connection.receive_eof(now)

    def data_to_send(self) -> bytes:
        return self.connection.data_to_send()

    def next_timeout(self) -> float:
        when = self.connection.next_timeout()
        return self.idle_check if when is None else min(when, self.idle_check)

    def handle_timeout(self, now: float) -> None:
        self.connection.handle_timeout(now)
        self.idle_check = max(self.heard + self.idle_s, now)


class Platform:
    """A server for any number of stations: answers automatically, reports everything, keeps its limits.

    Args:
        on_event: Called with the peer as ``address:port`` and what happened there.
        rules: The edition in which to answer.
        limits: What to grant the peers.
        listener: What listens, called as :func:`listen`; a loop with a network of its own gives its ``create_server``.

    Use it as an asynchronous context manager, or call :meth:`start` and :meth:`stop`.
    """

    def __init__(
        self,
        on_event: Callable[[str, PlatformEvent], None],
        *,
        rules: Rules = HJ_212_2017,
        limits: PlatformLimits | None = None,
        listener: Callable[..., Awaitable[Listener | asyncio.Server]] = listen,
    ) -> None:
        self.limits = limits or PlatformLimits()
        self._listener = listener
        self._on_event = on_event
        self._rules = rules
        self._server: Listener | asyncio.Server | None = None
        self._sessions: set[_Session] = set()
        self._by_address: Counter[str] = Counter()
        self._empty = asyncio.Event()
        self._empty.set()

    @property
    def connections(self) -> int:
        """How many links are open."""
        return len(self._sessions)

    @property
    def port(self) -> int:
        """The port listened on; the one the system chose where 0 was asked for."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self, host: str, port: int) -> None:
        """Begin to listen, on a port that no other program shares.

        Raises:
            OSError: If the address cannot be bound.
        """
        self._server = await self._listener(self._accept, host, port)

    async def stop(self, grace_s: float = 1.0) -> None:
        """Stop listening, let what is written go out for ``grace_s`` at most, close every link."""
        if self._server:
            self._server.close()
        for session in list(self._sessions):
            self._close(session, CloseReason.SHUTDOWN, abort=False)
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._empty.wait()
        for session in list(self._sessions):
            self._close(session, CloseReason.SHUTDOWN)
        await self._empty.wait()

    async def __aenter__(self) -> Platform:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    def _accept(self) -> Link:
        now = asyncio.get_running_loop().time()
        session = _Session(Connection(Role.PLATFORM, self._rules, editions=RULES), self.limits.idle_s, now)
        return Link(
            session,
            on_change=lambda link: self._changed(session, link),
            on_open=lambda link: self._opened(session, link),
            on_close=lambda _: self._closed(session),
        )

    def _opened(self, session: _Session, link: Link) -> None:
        assert link.transport is not None
        session.link = link
        session.address, port = link.transport.get_extra_info("peername")[:2]
        session.peer = f"[{session.address}]:{port}" if ":" in session.address else f"{session.address}:{port}"
        refusal = self._refusal(session.address)
        if refusal:
            self._on_event(session.peer, LinkRefused(refusal))
            link.transport.abort()
            return
        self._sessions.add(session)
        self._by_address[session.address] += 1
        self._empty.clear()
        self._on_event(session.peer, LinkOpened())

    def _refusal(self, address: str) -> CloseReason | None:
        if len(self._sessions) >= self.limits.connections:
            return CloseReason.CONNECTIONS
        if self._by_address[address] >= self.limits.per_address:
            return CloseReason.ADDRESS
        return None

    def _changed(self, session: _Session, link: Link) -> None:
        if session not in self._sessions:
            return
        for event in session.connection.events():
            if isinstance(event, NoiseReceived):
                session.noise += len(event.raw)
            elif not isinstance(event, FrameRejected):
                session.noise = 0
            self._on_event(session.peer, event)
        if session.noise > self.limits.noise_bytes:
            self._close(session, CloseReason.NOISE)
        elif link.now >= session.heard + session.idle_s:
            self._close(session, CloseReason.IDLE)

    def _close(self, session: _Session, reason: CloseReason, *, abort: bool = True) -> None:
        transport = session.link.transport if session.link else None
        if transport is None:
            return
        session.reason = session.reason or reason
        # A peer that is dropped may not be reading: waiting for it to take what was written could last for ever.
        if abort:
            transport.abort()
        else:
            transport.close()

    def _closed(self, session: _Session) -> None:
        if session not in self._sessions:
            return
        self._sessions.discard(session)
        self._by_address[session.address] -= 1
        if not self._by_address[session.address]:
            del self._by_address[session.address]
        if not self._sessions:
            self._empty.set()
        self._on_event(session.peer, LinkClosed(session.reason or CloseReason.PEER))
