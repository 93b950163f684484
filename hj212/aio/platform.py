"""A server that accepts any station and answers as the flows ask."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from ..connection import Connection, Role
from ..editions import HJ_212_2017, RULES, Rules
from ..events import Event, FrameRejected, NoiseReceived
from .link import Link
from .listening import Listener, listen

__all__ = ["CloseReason", "LinkClosed", "LinkOpened", "LinkRefused", "Platform", "PlatformEvent", "PlatformLimits"]


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
