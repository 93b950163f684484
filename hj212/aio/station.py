"""A station on sockets: dials its platform, or is dialled by it, and loses nothing in between."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

from ..station import Area, Gateway, LinkUnusable, Record, Station, StationEvent
from .dialling import DialFailed, Dialled, Dialler, Dropped, Pauses
from .link import Link
from .listening import Listener, listen

__all__ = ["StationClient", "StationClientEvent"]

StationClientEvent = StationEvent | Dialled | DialFailed | Dropped


class StationClient:
    """Drives one station, or several that share a link.

    Args:
        station: The core, or a gateway of some. It outlives the links.
        on_event: Called with the station and what it reports, before what answers it is written: settings that a
            platform changed are kept first. What concerns the link alone comes with ``None`` in the station's place.
        pauses: How long to wait before dialling again.
        chance: Returns a number of 0 to 1, for the random part of the pauses.
        listener: What listens, called as :func:`listen`; a loop with a network of its own gives its ``create_server``.

    One of :meth:`dial` and :meth:`wait_for_platform` runs as a task for as long as the station lives.
    """

    def __init__(
        self,
        station: Station | Gateway,
        on_event: Callable[[Station | None, StationClientEvent], None],
        *,
        pauses: Pauses | None = None,
        chance: Callable[[], float] = random.random,
        listener: Callable[..., Awaitable[Listener | asyncio.Server]] = listen,
    ) -> None:
        self._core = station
        self._on_event = on_event
        self._pauses = pauses
        self._chance = chance
        self._listener = listener
        self._link: Link | None = None  # the current one

    @property
    def linked(self) -> bool:
        """Whether there is a link."""
        return self._link is not None

    def report(
        self, cn: str, items: Area, *, station: Station | None = None, st: str = "", anyway: bool = False
    ) -> list[Record]:
        """Upload data, now or when there is a link; see :meth:`hj212.station.Station.report`.

        Args:
            cn: 命令编码.
            items: The data area.
            station: Which one of a gateway; the only one otherwise.
            st: 系统编码, empty for the station's own.
            anyway: Whether to send what the edition does not have.

        Raises:
            LocalProtocolError: If the edition has no such upload, or it is too long.
        """
        chosen = station or (self._core if isinstance(self._core, Station) else self._core.stations[0])
        records = chosen.report(cn, items, asyncio.get_running_loop().time(), st=st, anyway=anyway)
        self.flush()
        return records

    def flush(self) -> None:
        """Report what happened and write what waits: call it after doing something to the station itself."""
        if self._link:
            self._link.flush()
        else:
            self._tell()

    async def dial(self, host: str, port: int) -> None:
        """Connect to the platform and stay connected, until cancelled."""
        dialler = Dialler(
            lambda: _Turn(self._core),
            host,
            port,
            on_change=self._changed,
            on_open=self._opened,
            report=lambda event: self._on_event(None, event),
            pauses=self._pauses,
            chance=self._chance,
        )
        await dialler.run()

    async def wait_for_platform(self, host: str, port: int, *, ready: Callable[[int], None] = lambda _: None) -> None:
        """Let the platform connect to the station, until cancelled.

        A platform that connects anew has lost the link before: that one is closed.

        Args:
            host: Address to listen on.
            port: TCP port; 0 takes a free one.
            ready: Called with the port that is listened on.

        Raises:
            OSError: If the address cannot be bound.
        """
        server = await self._listener(self._accept, host, port)
        try:
            ready(int(server.sockets[0].getsockname()[1]))
            await asyncio.get_running_loop().create_future()
        finally:
            server.close()
            if self._link:
                self._link.close()

    def _accept(self) -> Link:
        return Link(_Turn(self._core), on_change=self._changed, on_open=self._accepted, on_close=self._lost)

    def _accepted(self, link: Link) -> None:
        self._on_event(None, Dialled())
        self._opened(link)

    def _lost(self, _: Link) -> None:
        self._on_event(None, Dropped(0.0))

    def _opened(self, link: Link) -> None:
        before, self._link = self._link, link
        if before:
            assert isinstance(before.core, _Turn)
            before.core.receive_eof(link.now)
            if before.transport:
                before.transport.abort()
        self._core.connected(link.now)

    def _changed(self, link: Link) -> None:
        unusable = self._tell()
        if self._link is link and link.transport is None:
            self._link = None
        if unusable and self._link is link and link.transport:
            # Nobody answers: what was written would wait in buffers for ever.
            link.transport.abort()

    def _tell(self) -> bool:
        """Report what happened; say whether the link turned out to be unusable."""
        unusable = False
        for station, event in self._events():
            unusable |= isinstance(event, LinkUnusable)
            self._on_event(station, event)
        return unusable

    def _events(self) -> list[tuple[Station, StationEvent]]:
        core = self._core
        return [(core, event) for event in core.events()] if isinstance(core, Station) else core.events()


class _Turn:
    """The core for the time of one link: what a link that was replaced still has to say does not reach it."""

    __slots__ = ("_core", "_over")

    def __init__(self, core: Station | Gateway) -> None:
        self._core = core
        self._over = False

    def receive_data(self, data: bytes, now: float) -> None:
        if not self._over:
            self._core.receive_data(data, now)

    def receive_eof(self, now: float) -> None:
        if not self._over:
            self._over = True
            self._core.receive_eof(now)

    def data_to_send(self) -> bytes:
        return b"" if self._over else self._core.data_to_send()

    def next_timeout(self) -> float | None:
        return None if self._over else self._core.next_timeout()

    def handle_timeout(self, now: float) -> None:
        if not self._over:
            self._core.handle_timeout(now)
