"""Keeping a link to an address: dial, drive the core, dial again after a pause that grows.

Whoever dials uses it: a station its platform, or a platform a station that is reached the other way round.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from .link import Core, Link

__all__ = ["DialFailed", "Dialled", "Dialler", "Dropped", "Pauses"]

#: How long to wait for a connection: a firewall that drops packets gives no answer at all.
DIAL_S: Final = 10.0
#: How long a link that is given up may take to write what waits.
CLOSE_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pauses:
    """How long to wait before dialling again.

    A platform that restarts is dialled by every station at once: each adds a random part, so that they spread.
    """

    first_s: float = 1.0
    factor: float = 2.0
    most_s: float = 60.0
    #: Random part added, as a share of the pause.
    spread: float = 0.5
    #: A link that lasted as long counts as good: the next pause is the first again.
    good_s: float = 60.0

    def after(self, failures: int, chance: float) -> float:
        """Return the pause after so many failures in a row, seconds; ``chance`` is a number of 0 to 1."""
        # No power of a number of failures that may be any: a platform can be gone for months.
        pause = self.first_s
        for _ in range(failures - 1):
            if pause >= self.most_s:
                break
            pause *= self.factor
        return min(pause, self.most_s) * (1.0 + self.spread * chance)


@dataclass(frozen=True, slots=True)
class Dialled:
    """The link is there."""


@dataclass(frozen=True, slots=True)
class DialFailed:
    """There is no link."""

    reason: str
    pause_s: float  #: until it is tried again


@dataclass(frozen=True, slots=True)
class Dropped:
    """The link ended."""

    pause_s: float  #: until it is dialled again


class Dialler:
    """Keeps one link.

    Args:
        make_core: Returns the core of the next link, which may be the one of the link before.
        host: Where to dial.
        port: TCP port.
        on_change: Called after each step with the link, as :class:`hj212.aio.Link` does.
        on_open: Called when a link is there, before its first byte.
        report: Called with :class:`Dialled`, :class:`DialFailed` and :class:`Dropped`.
        pauses: How long to wait between attempts.
        chance: Returns a number of 0 to 1, for the random part of the pauses.
    """

    def __init__(
        self,
        make_core: Callable[[], Core],
        host: str,
        port: int,
        *,
        on_change: Callable[[Link], None] | None = None,
        on_open: Callable[[Link], None] | None = None,
        report: Callable[[Dialled | DialFailed | Dropped], None] = lambda _: None,
        pauses: Pauses | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._make_core = make_core
        self._host = host
        self._port = port
        self._on_change = on_change
        self._on_open = on_open
        self._report = report
        self._pauses = pauses or Pauses()
        self._chance = chance
        self._link: Link | None = None

    @property
    def link(self) -> Link | None:
        """The link, ``None`` while there is none."""
        return self._link

    async def run(self) -> None:
        """Dial and dial again, until cancelled; the link is closed then."""
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            began = loop.time()
            try:
                await self._one_link()
            except (OSError, TimeoutError) as error:
                failures += 1
                pause = self._pauses.after(failures, self._chance())
                self._report(DialFailed(_why(error), pause))
            else:
                failures = 1 if loop.time() - began >= self._pauses.good_s else failures + 1
                pause = self._pauses.after(failures, self._chance())
                self._report(Dropped(pause))
            await asyncio.sleep(pause)

    async def _one_link(self) -> None:
        """Dial and wait for the end of the link."""
        ended = asyncio.Event()

        def closed(_: Link) -> None:
            self._link = None
            ended.set()

        link = Link(self._make_core(), on_change=self._on_change, on_open=self._opened, on_close=closed)
        async with asyncio.timeout(DIAL_S):
            await asyncio.get_running_loop().create_connection(partial(_same, link), self._host, self._port)
        try:
            await ended.wait()
        finally:
            if not ended.is_set():
                link.close()
                with suppress(TimeoutError):
                    async with asyncio.timeout(CLOSE_S):
                        await ended.wait()

    def _opened(self, link: Link) -> None:
        self._link = link
        self._report(Dialled())
        if self._on_open:
            self._on_open(link)


def _same(link: Link) -> Link:
    return link


def _why(error: OSError | TimeoutError) -> str:
    if isinstance(error, TimeoutError) and not error.args:
        return f"no answer within {DIAL_S:g} s"
    return str(error)
