"""The one alarm of all stations on a loop whose clock shows whole milliseconds, as uvloop's does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from simulator.clock import run_virtual
from simulator.engine.timers import NEVER, Timers
from simulator.transport import MemoryNetwork


class Millis:
    """Such a loop, on a clock of its own: it rounds a wait to whole milliseconds, and of none it makes a turn."""

    def __init__(self, ms: int) -> None:
        self.ms = ms
        self.turns = 0
        self._next: list[tuple[int, Callable[[], None]]] = []

    def time(self) -> float:
        return self.ms / 1000

    def call_at(self, when: float, act: Callable[[], None]) -> Any:
        entry = self.ms + max(0, round((when - self.time()) * 1000)), act
        self._next.append(entry)
        return self

    def cancel(self) -> None:
        self._next.clear()

    def run(self) -> None:
        while self._next:
            (at, act), *self._next = sorted(self._next, key=lambda entry: entry[0])
            self.ms = max(self.ms, at)
            self.turns += 1
            assert self.turns < 10_000, "the loop turns without rest"
            act()


class Sleeper:
    armed = NEVER

    def __init__(self, due: float) -> None:
        self.due = due
        self.woken: list[float] = []

    def alarm(self, now: float) -> None:
        self.woken.append(now)


@pytest.mark.parametrize("start_ms", [1, 12_345_678, 987_654_321_987])
def test_each_is_woken_once_when_it_is_due_and_no_turn_is_for_nothing(start_ms: int) -> None:
    loop = Millis(start_ms)
    timers = Timers(cast(asyncio.AbstractEventLoop, loop), loop.time())
    sleepers = [Sleeper(round(7 * n / 1000 + n // 3 * 0.1, 3)) for n in range(300)]
    for sleeper in sleepers:
        timers.arm(sleeper, sleeper.due)
    loop.run()
    for sleeper in sleepers:
        assert len(sleeper.woken) == 1
        assert sleeper.due <= sleeper.woken[0] < sleeper.due + 0.001
    assert loop.turns == len({sleeper.due for sleeper in sleepers})


def test_nobody_is_shown_an_earlier_instant_than_whoever_was_woken_last() -> None:
    loop = Millis(0)
    timers = Timers(cast(asyncio.AbstractEventLoop, loop), 0.0)
    seen: list[float] = []
    first, second = Sleeper(0.7999995), Sleeper(0.8)
    second.alarm = lambda now: seen.extend((now, timers.now()))  # type: ignore[method-assign]
    for sleeper in (first, second):
        timers.arm(sleeper, sleeper.due)
    loop.ms = 799
    loop.run()
    assert seen == [0.8, 0.8]


def test_nothing_is_done_after_the_end_even_if_somebody_is_due_just_before_it() -> None:
    loop = Millis(0)
    timers = Timers(cast(asyncio.AbstractEventLoop, loop), 0.0, limit=3.3)
    last, after = Sleeper(3.3), Sleeper(3.3000000000000003)
    for sleeper in (last, after):
        timers.arm(sleeper, sleeper.due)
    loop.run()
    assert (len(last.woken), len(after.woken)) == (1, 0)


def test_virtual_clock_has_no_tolerance() -> None:
    """What a station is shown does not depend on who else is due in the same microsecond."""
    sleepers = [Sleeper(0.7999995), Sleeper(0.8)]
    shown: list[list[float]] = []

    async def wait(some: list[Sleeper]) -> None:
        timers = Timers(asyncio.get_running_loop(), asyncio.get_running_loop().time())
        for sleeper in some:
            sleeper.armed, sleeper.woken = NEVER, []
            timers.arm(sleeper, sleeper.due)
        await asyncio.sleep(1.0)
        shown.append(sleepers[1].woken)

    for some in (sleepers, sleepers[1:]):
        run_virtual(lambda some=some: wait(some), MemoryNetwork())  # type: ignore[misc]
    assert shown == [[0.8], [0.8]]
