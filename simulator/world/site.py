"""A site: its plant, its people, its outlets, all from one seed and one name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from . import people
from .door import Opening
from .emissions import Outlet
from .plant import Plant
from .schedule import Intervention, Line, Unit
from .signals import OUTLETS, Signal, signals

__all__ = ["Site", "SiteTemplate"]


@dataclass(frozen=True, slots=True)
class SiteTemplate:
    """What sites of one kind have in common.

    Attributes:
        lines: Production lines; a site without any emits steadily.
        units: Treatment units.
        people: Who is enrolled at the door.
        openings_per_hour: How often the door is opened.
        outlet: What is measured: one of :data:`~simulator.world.signals.OUTLETS`.
    """

    lines: tuple[Line, ...] = (Line("line1"),)
    units: tuple[Unit, ...] = (Unit("unit1"),)
    people: int = 4
    openings_per_hour: int = 2
    outlet: str = "water"

    def __post_init__(self) -> None:
        if self.outlet not in OUTLETS:
            raise ValueError(f"no outlet {self.outlet!r}; there are: {', '.join(OUTLETS)}")


class Site:
    """One place, as functions of (seed, name, instant). Cheap to build, at will and again.

    Args:
        template: What it shares with others of its kind.
        seed: Of the scenario.
        name: Unique in the scenario; sites differ by it.
        epoch: POSIX seconds of the scenario's start.
        interventions: What is done on purpose at this place.
    """

    __slots__ = ("_plant", "epoch", "interventions", "name", "seed", "template")

    def __init__(
        self,
        template: SiteTemplate,
        seed: int,
        name: str,
        epoch: float,
        interventions: tuple[Intervention, ...] = (),
    ) -> None:
        self.template = template
        self.seed = seed
        self.name = name
        self.epoch = epoch
        self.interventions = interventions
        self._plant: Plant | None = None

    @property
    def plant(self) -> Plant:
        """Lines and treatment units at work.

        Raises:
            ValueError: If names are there twice or an intervention is at none of them.
        """
        if self._plant is None:
            template = self.template
            self._plant = Plant(template.lines, template.units, self.seed, self.name, self.epoch, self.interventions)
        return self._plant

    def openings(self, begin_at: float, end_at: float) -> Iterator[tuple[Opening, float]]:
        """Yield the openings of the door from ``begin_at`` up to, not including, ``end_at`` and when it is shut again.

        POSIX seconds, in order. The controller at the door and the cameras above it ask for the same.
        """
        template = self.template
        return people.openings(self.seed, self.name, template.openings_per_hour, template.people, begin_at, end_at)

    def outlet(self, identity: str, measured: tuple[Signal, ...] | None = None) -> Outlet:
        """Return the measuring point of a station, by default with all signals of the template's outlet."""
        return Outlet(signals(self.template.outlet) if measured is None else measured, self.seed, identity, self.plant)

    def value(self, signal: Signal, identity: str, at: float) -> int:
        """Return one measured value in units of ``10**-signal.decimals``; who reads often keeps an :meth:`outlet`."""
        return self.outlet(identity, (signal,)).value(signal, at)
