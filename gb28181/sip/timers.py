"""Alarms in one heap: what is idle costs nothing, however many wait."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heappop, heappush
from itertools import count
from typing import Final

__all__ = ["Timer", "Timers"]

#: Cancelled alarms that may lie in the heap before it is swept, besides as many as wait.
SWEEP_ABOVE: Final = 64


class Timer:
    """One alarm.

    Attributes:
        when: Seconds on the clock of the caller.
    """

    __slots__ = ("action", "when")

    def __init__(self, when: float, action: Callable[[float], None]) -> None:
        self.when = when
        self.action: Callable[[float], None] | None = action


class Timers:
    """The alarms of one endpoint, or of many that are driven together."""

    __slots__ = ("_cancelled", "_heap", "_numbers")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._numbers = count()  # alarms of one moment ring in the order in which they were set
        self._cancelled = 0

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def set(self, when: float, action: Callable[[float], None]) -> Timer:
        """Call ``action`` with the time at ``when``."""
        timer = Timer(when, action)
        heappush(self._heap, (when, next(self._numbers), timer))
        return timer

    def cancel(self, timer: Timer | None) -> None:
        """Take an alarm back; one that has rung, or none, is left alone."""
        if timer is None or timer.action is None:
            return
        timer.action = None
        self._cancelled += 1
        if self._cancelled > SWEEP_ABOVE + len(self._heap) // 2:
            self._heap = [entry for entry in self._heap if entry[2].action is not None]
            heapify(self._heap)
            self._cancelled = 0

    def next(self) -> float | None:
        """Return when the next one rings."""
        heap = self._heap
        while heap and heap[0][2].action is None:
            heappop(heap)
            self._cancelled -= 1
        return heap[0][0] if heap else None

    def ring(self, now: float) -> None:
        """Do what is due; alarms that are set meanwhile ring too if they are due."""
        while (when := self.next()) is not None and when <= now:
            timer = heappop(self._heap)[2]
            action, timer.action = timer.action, None
            assert action is not None
            action(now)
