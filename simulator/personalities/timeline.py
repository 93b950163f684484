"""Which faults a station has when: the plans of a scenario, as pure functions of its identity and the instant."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from ..behaviour import Behaviour
from ..draws import draw
from ..faults import behaviour_with
from ..faults.on_link import WAYS
from ..scenario import FaultPlan

__all__ = ["Behaviours", "FaultTimeline"]

#: What a station does: a :class:`~simulator.behaviour.Behaviour`, of a camera its quirks.
T = TypeVar("T")


class Behaviours:
    """Behaviours by the names of their faults, each built once and shared by all stations that have them."""

    __slots__ = ("_acts", "_known")

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], Behaviour] = {}
        self._acts: list[str] = []  # of whichever station is at work; it empties it at once

    def __call__(self, names: tuple[str, ...]) -> Behaviour:
        found = self._known.get(names)
        if found is None:
            found = self._known[names] = behaviour_with(names, self._acts)
        return found


class FaultTimeline(Generic[T]):
    """The faults of the stations that have the same ones in the same stretches of time.

    Args:
        behaviours: Returns the behaviour with some faults, always the same one.
        always: Faults that they have from first to last.
        plans: What comes and goes.
        seed: Of the scenario.
    """

    __slots__ = ("_always", "_behaviours", "_done", "_plans", "_seed")

    def __init__(
        self,
        behaviours: Callable[[tuple[str, ...]], T],
        always: tuple[str, ...],
        plans: tuple[FaultPlan, ...],
        seed: int,
    ) -> None:
        self._behaviours = behaviours
        self._always = always
        self._plans = plans
        self._seed = seed
        self._done: dict[tuple[int, str], float] = {}  # when a fault that acts once did

    @property
    def has_faulty_link(self) -> bool:
        """Whether one of them is a fault of the link."""
        return any(name in WAYS for name in (*self._always, *(plan.name for plan in self._plans)))

    def behaviour(self, identity: str, due: float) -> T:
        """Return how a station behaves in what is due at run time ``due``."""
        names = self._always
        for number, plan in enumerate(self._plans):
            if due >= plan.begin_s and self._acts(number, plan, identity, due):
                names = (*names, plan.name)
        return self._behaviours(names)

    def _acts(self, number: int, plan: FaultPlan, identity: str, due: float) -> bool:
        if plan.for_s is not None and due >= plan.begin_s + plan.for_s:
            return False
        if plan.once:
            return self._done.setdefault((number, identity), due) == due
        if plan.probability >= 1:
            return True
        return draw(self._seed, identity, f"fault/{plan.name}", round(due * 1000)) < plan.probability

    def passed(self, identity: str, due: float) -> None:
        """Take note that something was due before this process took the station over."""
        for number, plan in enumerate(self._plans):
            if plan.once and due >= plan.begin_s:
                self._done.setdefault((number, identity), due)
