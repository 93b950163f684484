"""What happens to stations at an instant of the scenario: power cuts, outages of the carrier, clocks that jump."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from ..draws import draw
from ..scenario import Event, Member, Scenario
from ..scenario.selection import selection
from .line import BOOT_S, Line
from .timers import NEVER

if TYPE_CHECKING:
    from .shard import Shard

__all__ = ["Happening", "happenings"]

#: What is done to the line of a station, as of a run time.
_Act = Callable[[Line, float], None]


class Happening:
    """One thing that is done to stations, to each at its own instant.

    Args:
        shard: Whose stations.
        act: What is done.
        todo: Instants (run time) and identities.
    """

    __slots__ = ("_act", "_shard", "_todo", "armed")

    def __init__(self, shard: Shard, act: _Act, todo: list[tuple[float, str]]) -> None:
        self._shard = shard
        self._act = act
        self._todo = sorted(todo, reverse=True)
        self.armed = NEVER

    @property
    def at(self) -> float | None:
        """Run time of the next one, ``None`` when all are done."""
        return self._todo[-1][0] if self._todo else None

    def alarm(self, now: float) -> None:
        while self._todo and self._todo[-1][0] <= now:
            at, identity = self._todo.pop()
            line = self._shard.line_of(identity)
            if line is not None:
                self._act(line, at)
        self._shard.timers.arm(self, self.at)


def happenings(scenario: Scenario, members: Sequence[Member], shard: Shard) -> Iterator[Happening]:
    """Yield what the events of a scenario do to the stations of a shard.

    Events that happen to sites are no business of links: the world of the site knows them.
    """
    for number, event in enumerate(scenario.event):
        acts = _ACTS.get(event.what)
        if acts is None:
            continue
        chosen = selection(scenario, event)
        who = [member.identity for member in members if chosen(member)]
        for act, begins in acts(event):
            todo = []
            for identity in who:
                at = event.begin_s if begins else event.begin_s + event.for_s
                if not begins and event.spread_s:
                    at += event.spread_s * draw(scenario.seed, identity, f"event/{number}", 0)
                todo.append((round(at, 3), identity))
            yield Happening(shard, act, todo)


def _power_cut(event: Event) -> list[tuple[_Act, bool]]:
    return [(lambda line, at: line.lose_power(), True), (lambda line, at: line.boot(at, BOOT_S), False)]


def _outage(event: Event) -> list[tuple[_Act, bool]]:
    return [(lambda line, at: line.lose_network(), True), (lambda line, at: line.regain_network(), False)]


def _storm(event: Event) -> list[tuple[_Act, bool]]:
    def again(line: Line, at: float) -> None:
        line.lose_network()
        line.regain_network()

    return [(again, True)]


def _restart(event: Event) -> list[tuple[_Act, bool]]:
    def restart(line: Line, at: float) -> None:
        line.lose_power()
        line.boot(at, BOOT_S)

    return [(restart, True)]


def _on_core(
    name: str, *values: object, back: tuple[object, ...] | None = None
) -> Callable[[Event], list[tuple[_Act, bool]]]:
    """Return what calls a method of the station, where its kind has it; and calls it again at the end."""

    def acts(event: Event) -> list[tuple[_Act, bool]]:
        def call(given: tuple[object, ...]) -> _Act:
            def act(line: Line, at: float) -> None:
                method = getattr(line.core, name, None)
                if method is not None:
                    line.act(lambda now: method(*given, now), at)

            return act

        found = [(call(values), True)]
        return found if back is None else [*found, (call(back), False)]

    return acts


def _clock_step(event: Event) -> list[tuple[_Act, bool]]:
    def step(line: Line, at: float) -> None:
        method = getattr(line.core, "step_clock", None)
        if method is not None:
            line.act(lambda now: method(event.step_s), at)

    return [(step, True)]


_ACTS: Final[dict[str, Callable[[Event], list[tuple[_Act, bool]]]]] = {
    "power-cut": _power_cut,
    "carrier-outage": _outage,
    "reconnect-storm": _storm,
    "restart": _restart,
    "clock-step": _clock_step,
    "dismantle": _on_core("dismantle", True, back=(False,)),
    "reader-fault": _on_core("break_down", True, back=(False,)),
}
