"""How far apart reports are, and where in the interval they stand: robust against those that are missing or late."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

__all__ = ["BEIJING_S", "Steps", "steps"]

#: Clocks of stations show Beijing time; what is on the clock is so there.
BEIJING_S: Final = 8 * 3600
#: Share of the steps that must be alike for an interval to be one.
_STEADY: Final = 0.5
#: Share of the reports that must stand at whole intervals.
_ON_THE_CLOCK: Final = 0.9
_DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class Steps:
    """The rhythm of one kind of report.

    Attributes:
        interval_s: Seconds from one to the next.
        steady: Share of the steps that are so long, to the second.
        missing: Reports that should stand between those that are there.
        on_the_clock: Whether they stand at whole intervals from Beijing's midnight on.
        count: Instants that were reported.
    """

    interval_s: float
    steady: float
    missing: int
    on_the_clock: bool
    count: int


def steps(instants: Iterable[float]) -> Steps | None:
    """Return the rhythm of some instants, POSIX seconds; ``None`` for fewer than two.

    The interval is the median of the steps, so that as long as most reports are there the others do not matter.
    """
    found = sorted(set(instants))
    gaps = [after - before for before, after in pairwise(found)]
    if not gaps:
        return None
    interval = float(round(median(gaps))) or 1.0
    alike = sum(abs(gap - interval) <= 1 for gap in gaps)
    missing = sum(round(gap / interval) - 1 for gap in gaps if gap > 1.5 * interval)
    whole = sum(_off_the_clock(instant, interval) <= 1 for instant in found)
    on_the_clock = _DAY_S % interval == 0 and whole >= _ON_THE_CLOCK * len(found)
    return Steps(interval, alike / len(gaps), missing, on_the_clock, len(found))


def is_steady(found: Steps) -> bool:
    """Tell whether the steps are alike enough to be called an interval."""
    return found.steady >= _STEADY


def _off_the_clock(instant: float, interval: float) -> float:
    past = (instant + BEIJING_S) % interval
    return min(past, interval - past)
