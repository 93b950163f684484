"""One clock and one alarm for all stations of a shard: a station is an entry in a heap, not a timer of the loop."""

from __future__ import annotations

import asyncio
import heapq
from typing import Final, Protocol

__all__ = ["AT_ONCE", "NEVER", "Alarmed", "Timers"]

NEVER: Final = float("inf")
#: Alarms in one turn of the loop; then the sockets have their turn.
AT_ONCE: Final = 128


class Alarmed(Protocol):
    """What can be woken."""

    armed: float  #: run time of the entry that counts; :data:`NEVER` for none

    def alarm(self, now: float) -> None:
        """Do what is due; called with run time, when nothing is armed."""
        ...


class Timers:
    """Wakes what is due, in the order of its instants.

    Args:
        loop: The loop.
        base: Its time at the start of the run: run time is ``loop.time() - base``.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, base: float) -> None:
        self._loop = loop
        self.base = base
        self._heap: list[tuple[float, int, Alarmed]] = []
        self._number = 0
        self._handle: asyncio.TimerHandle | asyncio.Handle | None = None
        self._handle_at = NEVER
        self._closed = False

    def now(self) -> float:
        """Return run time: seconds since the start of the scenario."""
        return self._loop.time() - self.base

    def loop_time(self) -> float:
        """Return the loop's own time."""
        return self._loop.time()

    def arm(self, who: Alarmed, when: float | None) -> None:
        """Wake somebody at run time ``when``, or a little earlier to be asked again; ``None``: not at all."""
        if when is None:
            who.armed = NEVER
            return
        if when >= who.armed:
            return  # the entry that stands wakes it in time to be armed again
        who.armed = when
        self._number += 1
        heapq.heappush(self._heap, (when, self._number, who))
        if when < self._handle_at:
            self._set(when)

    def close(self) -> None:
        """Wake nobody any more."""
        self._closed = True
        if self._handle:
            self._handle.cancel()
        self._heap.clear()

    def _set(self, when: float) -> None:
        if self._handle:
            self._handle.cancel()
        self._handle_at = when
        if not self._closed:
            self._handle = self._loop.call_at(self.base + when, self._fire)

    def _fire(self) -> None:
        self._handle = None
        self._handle_at = NEVER
        heap, now = self._heap, self.now()
        for _ in range(AT_ONCE):
            if not heap or heap[0][0] > now:
                break
            when, _number, who = heapq.heappop(heap)
            if when == who.armed:
                who.armed = NEVER
                who.alarm(now)
        if heap and not self._closed:
            self._set(heap[0][0])
