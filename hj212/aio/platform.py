"""A server that accepts any station, answers as the flows ask, and may keep everything it acknowledges."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

from ..connection import Connection, Role
from ..editions import HJ_212_2017, RULES, Rules
from ..encryption import Key
from ..errors import LocalProtocolError
from ..events import Event, FrameRejected, MessageReceived, NoiseReceived
from ..messages import Message
from .database import StoreError, StoreFault
from .keeping import Keeper
from .link import Link
from .listening import Listener, listen
from .store import Arrival, Fate, MessageStore

__all__ = [
    "CloseReason",
    "LinkClosed",
    "LinkOpened",
    "LinkRefused",
    "LinkSlowed",
    "MessageKept",
    "Platform",
    "PlatformEvent",
    "PlatformLimits",
    "StoreFailed",
    "StoreWorks",
]

#: Reasons to hold a link.
_RATE: Final = "rate"
_STORE: Final = "store"


class CloseReason(StrEnum):
    """Why a platform's link ended, or never began; the value is what logs show."""

    PEER = "peer-closed"  #: the station closed it
    IDLE = "idle"  #: nothing was received for :attr:`PlatformLimits.idle_s`
    GAVE_WAY = "gave-way"  #: it had sent no intact frame yet, and its place was needed
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
class LinkSlowed:
    """A station sends more than :attr:`PlatformLimits.frames_per_s`; it is read no faster than that."""


@dataclass(frozen=True, slots=True)
class LinkClosed:
    """A link ended."""

    reason: CloseReason


@dataclass(frozen=True, slots=True)
class MessageKept:
    """A message is in the store; if it wants an answer, that is sent now."""

    message: Message
    fate: Fate


@dataclass(frozen=True, slots=True)
class StoreFailed:
    """Nothing can be kept, so nothing is acknowledged; it is tried again until it works."""

    reason: str  #: what the system says
    fault: StoreFault | None = None  #: where the file itself is the reason


@dataclass(frozen=True, slots=True)
class StoreWorks:
    """Messages are kept again, those of the meantime included."""


PlatformEvent = LinkOpened | LinkRefused | LinkSlowed | LinkClosed | MessageKept | StoreFailed | StoreWorks | Event


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformLimits:
    """What a platform grants its peers."""

    #: Links at once: the stations of a province. Each needs a descriptor; the system may grant fewer.
    connections: int = 10_000
    #: Links at once from one address: behind that of a mobile network there may be very many stations, and yet a
    #: gateway with a faulty reconnect must not shut everyone else out.
    per_address: int = 2_000
    #: Silence after which a link is closed: the longest legal report interval, 3,600 s, and five minutes of grace.
    idle_s: float = 3900.0
    #: Age at which a link that sent no intact frame yet gives way to a newcomer, where either number is reached: an
    #: open connection that says nothing is no station.
    give_way_s: float = 5.0
    #: Bytes outside frames, counted anew after each usable frame: heartbeat lines are welcome, other protocols not.
    noise_bytes: int = 64 * 1024
    #: Frames a link may send per second in the long run, and at once: a part of what the platform can take in, so
    #: that one that sends without end leaves room for the others.
    frames_per_s: float = 5_000.0
    frames_at_once: int = 20_000


class _Session:
    """One link of a platform: its connection, and what the limits need to know."""

    __slots__ = (
        "_allowance",
        "_allowed_at",
        "_idle_check",
        "_limits",
        "address",
        "connection",
        "heard",
        "link",
        "noise",
        "opened",
        "peer",
        "reason",
        "slowed",
    )

    def __init__(self, connection: Connection, limits: PlatformLimits, now: float) -> None:
        self.connection = connection
        self.link: Link | None = None
        self.address = ""
        self.peer = ""
        self.opened = self.heard = now
        self.noise = 0
        self.slowed = False  # whether it was reported to send too much
        self.reason: CloseReason | None = None
        self._limits = limits
        self._idle_check = now + limits.idle_s  # not moved by every message, so that no timer is set anew for each
        self._allowance = float(limits.frames_at_once)
        self._allowed_at = now

    def receive_data(self, data: bytes, now: float) -> None:
        self.heard = now
        self.connection.receive_data(data, now)

    def receive_eof(self, now: float) -> None:
        self.connection.receive_eof(now)

    def data_to_send(self) -> bytes:
        return self.connection.data_to_send()

    def next_timeout(self) -> float:
        when = self.connection.next_timeout()
        return self._idle_check if when is None else min(when, self._idle_check)

    def handle_timeout(self, now: float) -> None:
        self.connection.handle_timeout(now)
        self._idle_check = max(self.heard + self._limits.idle_s, now)

    def overdrawn_s(self, frames: int, now: float) -> float:
        """Count frames that came; return for how long no more may come, 0 where the link keeps its rate."""
        limits = self._limits
        gained = (now - self._allowed_at) * limits.frames_per_s
        self._allowed_at = now
        self._allowance = min(self._allowance + gained, float(limits.frames_at_once))
        if self._allowance > limits.frames_at_once / 2:
            self.slowed = False
        self._allowance -= frames
        return max(0.0, -self._allowance / limits.frames_per_s)


@dataclass(slots=True)
class _Upload(Arrival):
    """A message on its way into the store, and where its answer goes."""

    session: _Session


#: Heartbeats of any edition: answered at once and not kept.
_HEARTBEATS: Final = frozenset(rules.heartbeat for rules in RULES.values() if rules.heartbeat)


class Platform:
    """A server for any number of stations: answers automatically, reports everything, keeps its limits.

    Args:
        on_event: Called with the peer as ``address:port`` and what happened there; for what concerns the store, with
            an empty peer.
        rules: The edition of a station that declares none.
        limits: What to grant the peers.
        store: Where to keep what stations send. With it, an upload or a notice is answered after it is on the disk;
            heartbeats are answered and not kept. The caller opens and closes it.
        keys: Returns the SM4 keys of an MN; without it encrypted data areas are damaged frames.
        listener: What listens, called as :func:`listen`; a loop with a network of its own gives its ``create_server``.

    Use it as an asynchronous context manager, or call :meth:`start` and :meth:`stop`.
    """

    def __init__(
        self,
        on_event: Callable[[str, PlatformEvent], None],
        *,
        rules: Rules = HJ_212_2017,
        limits: PlatformLimits | None = None,
        store: MessageStore | None = None,
        keys: Callable[[str], Sequence[Key]] | None = None,
        listener: Callable[..., Awaitable[Listener | asyncio.Server]] = listen,
    ) -> None:
        self.limits = limits or PlatformLimits()
        self._listener = listener
        self._on_event = on_event
        self._rules = rules
        self._keys = keys
        self._server: Listener | asyncio.Server | None = None
        self._sessions: set[_Session] = set()
        self._by_address: Counter[str] = Counter()
        self._unproven: dict[_Session, None] = {}  # the oldest first
        self._keeper = Keeper(store, self._kept, self._store_trouble) if store is not None else None
        self._held_for_store: set[Link] = set()
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
        """Stop listening, keep and answer what came, for ``grace_s`` at most each, close every link."""
        if self._server:
            self._server.close()
        if self._keeper:
            for session in self._sessions:
                if session.link:
                    session.link.hold(_STORE)
            await self._keeper.close(grace_s)
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

    # Links come and go

    def _accept(self) -> Link:
        now = asyncio.get_running_loop().time()
        connection = Connection(
            Role.PLATFORM, self._rules, automatic=self._keeper is None, keys=self._keys, editions=RULES
        )
        session = _Session(connection, self.limits, now)
        return Link(
            session,
            on_change=partial(self._changed, session),
            on_open=partial(self._opened, session),
            on_close=lambda _: self._closed(session),
        )

    def _opened(self, session: _Session, link: Link) -> None:
        assert link.transport is not None
        session.link = link
        session.address, port = link.transport.get_extra_info("peername")[:2]
        session.peer = f"[{session.address}]:{port}" if ":" in session.address else f"{session.address}:{port}"
        refusal = self._refusal(session.address, link.now)
        if refusal:
            self._on_event(session.peer, LinkRefused(refusal))
            link.transport.abort()
            return
        self._sessions.add(session)
        self._unproven[session] = None
        self._by_address[session.address] += 1
        self._empty.clear()
        self._on_event(session.peer, LinkOpened())

    def _refusal(self, address: str, now: float) -> CloseReason | None:
        if self._by_address[address] >= self.limits.per_address:
            return None if self._make_room(now, address) else CloseReason.ADDRESS
        if len(self._sessions) >= self.limits.connections:
            return None if self._make_room(now) else CloseReason.CONNECTIONS
        return None

    def _make_room(self, now: float, address: str = "") -> bool:
        """Let the oldest link that proved to be no station give way; say whether there was one."""
        for session in self._unproven:
            if now < session.opened + self.limits.give_way_s:
                return False
            if not address or session.address == address:
                self._close(session, CloseReason.GAVE_WAY)
                self._closed(session)
                return True
        return False

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
        self._unproven.pop(session, None)
        if session.link:
            self._held_for_store.discard(session.link)
        self._by_address[session.address] -= 1
        if not self._by_address[session.address]:
            del self._by_address[session.address]
        if not self._sessions:
            self._empty.set()
        self._on_event(session.peer, LinkClosed(session.reason or CloseReason.PEER))

    # What comes in

    def _changed(self, session: _Session, link: Link) -> None:
        if session not in self._sessions:
            return
        frames = 0
        for event in session.connection.events():
            if isinstance(event, NoiseReceived):
                session.noise += len(event.raw)
            else:
                frames += 1
                if not isinstance(event, FrameRejected):
                    session.noise = 0
                    self._unproven.pop(session, None)
            self._on_event(session.peer, event)
            if self._keeper and isinstance(event, MessageReceived):
                self._keep(session, event)
        if session.noise > self.limits.noise_bytes:
            self._close(session, CloseReason.NOISE)
        elif link.now >= session.heard + self.limits.idle_s:
            self._close(session, CloseReason.IDLE)
        elif frames:
            self._count(session, link, frames)

    def _count(self, session: _Session, link: Link, frames: int) -> None:
        """Hold a link that sends more than it may, until it may send again."""
        wait_s = session.overdrawn_s(frames, link.now)
        if not wait_s:
            return
        link.hold(_RATE)
        asyncio.get_running_loop().call_later(wait_s, link.release, _RATE)
        if not session.slowed:
            session.slowed = True
            self._on_event(session.peer, LinkSlowed())

    # The store

    def _keep(self, session: _Session, event: MessageReceived) -> None:
        assert self._keeper is not None
        message = event.message
        if message.cn in _HEARTBEATS:
            self._acknowledge(session, message)
            return
        self._keeper.put(_Upload(time.time_ns() // 1_000_000, session.peer, message, session))
        if self._keeper.full and session.link:
            session.link.hold(_STORE)
            self._held_for_store.add(session.link)

    def _kept(self, arrivals: Sequence[Arrival], fates: Sequence[Fate]) -> None:
        answered: set[_Session] = set()
        for arrival, fate in zip(arrivals, fates, strict=True):
            assert isinstance(arrival, _Upload)
            session = arrival.session
            if session in self._sessions:
                self._acknowledge(session, arrival.message)
                answered.add(session)
            self._on_event(arrival.peer, MessageKept(arrival.message, fate))
        for session in answered:
            if session.link:
                session.link.write_out()
        if self._held_for_store and self._keeper and self._keeper.relaxed:
            for link in self._held_for_store:
                link.release(_STORE)
            self._held_for_store.clear()

    def _acknowledge(self, session: _Session, message: Message) -> None:
        # The answer repeats the station's fields. Where these leave no legal one, none is given: the link survives.
        with suppress(LocalProtocolError):
            session.connection.acknowledge(message)

    def _store_trouble(self, error: BaseException | None) -> None:
        if error is None:
            self._on_event("", StoreWorks())
            return
        self._on_event("", StoreFailed(str(error), error.fault if isinstance(error, StoreError) else None))
