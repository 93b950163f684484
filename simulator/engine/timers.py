"""One clock and one alarm for all stations of a shard: a station is an entry in a heap, not a timer of the loop."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from typing import Final, Protocol

from ..clock import VirtualLoop

__all__ = ["AT_ONCE", "NEVER", "Alarmed", "Timers"]

NEVER: Final = float("inf")
#: More than a sum of floats is wrong by, and less than a real loop waits for: it would turn until its clock goes on.
SAME_S: Final = 1e-6
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
        base: Its time at the start of the run: run time is ``loop.time() - base``. At a whole millisecond: some loops
            count in these, and what is due between two of them would have such a loop turn without rest until the next.
        limit: Run time of the end: what is due then is still done, however late the loop is, and nothing after it.
        gate: Asked before anybody is woken whether that may be; once it is shut, it stays so.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        base: float,
        limit: float = NEVER,
        gate: Callable[[], bool] = lambda: True,
    ) -> None:
        self._loop = loop
        self._gate = gate
        self.base = base
        self._heap: list[tuple[float, int, Alarmed]] = []
        self._number = 0
        self._handle: asyncio.TimerHandle | asyncio.Handle | None = None
        self._handle_at = NEVER
        self._closed = False
        self._limit = limit
        self._served = -NEVER  # the latest instant somebody was woken for: nobody is shown an earlier one
        # A virtual clock goes to the very instant: a tolerance would let neighbours show in what a station says.
        self._same_s = 0.0 if isinstance(loop, VirtualLoop) else SAME_S

    @property
    def next_at(self) -> float:
        """Run time before which there is nothing left to do; :data:`NEVER` where there is nothing at all."""
        return self._heap[0][0] if self._heap else NEVER

    @property
    def over(self) -> bool:
        """Whether everything is done that is due before the end."""
        return self.next_at > self._limit

    def now(self) -> float:
        """Return run time: seconds since the start of the scenario."""
        now = self._loop.time() - self.base
        return now if now > self._served else self._served

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
        if not self._closed and when <= self._limit:
            self._handle = self._loop.call_at(self.base + when, self._fire)

    def _fire(self) -> None:
        self._handle = None
        self._handle_at = NEVER
        if not self._gate():
            return
        heap, now = self._heap, min(self.now(), self._limit)
        due = min(now + self._same_s, self._limit)
        for _ in range(AT_ONCE):
            if not heap or heap[0][0] > due:
                break
            when, _number, who = heapq.heappop(heap)
            if when == who.armed:
                who.armed = NEVER
                now = self._served = max(now, when)
                who.alarm(now)
        if heap:
            self._set(heap[0][0])
