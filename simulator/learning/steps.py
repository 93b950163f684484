"""How far apart reports are, and where in the interval they stand: robust against those that are missing or late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from statistics import median
from typing import Final

__all__ = ["BEIJING_S", "Steps", "every_third_is_missing", "is_steady", "steps"]

#: Clocks of stations show Beijing time; what is on the clock is so there.
BEIJING_S: Final = 8 * 3600
#: Share of the steps that must be alike for an interval to be one.
_STEADY: Final = 0.4
#: Steps that are nearly as many as the most common ones are as common: where each third report is left out, as many
#: are twice as long.
_AS_OFTEN: Final = 0.8
#: Steps that differ by less than this share are one.
_ALIKE: Final = 0.02
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

    The interval is the shortest of the steps that are most common, so that reports that are missing do not matter; of
    those like it the median, so that no jitter does.
    """
    found = sorted(set(instants))
    gaps = [after - before for before, after in pairwise(found)]
    if not gaps:
        return None
    common = Counter(round(gap) for gap in gaps)
    often = max(common.values())
    usual = min(gap for gap, times in common.items() if times >= _AS_OFTEN * often)
    interval = float(round(median(gap for gap in gaps if abs(gap - usual) <= max(1.0, _ALIKE * usual)))) or 1.0
    alike = sum(abs(gap - interval) <= 1 for gap in gaps)
    missing = sum(round(gap / interval) - 1 for gap in gaps if gap > 1.5 * interval)
    whole = sum(_off_the_clock(instant, interval) <= 1 for instant in found)
    on_the_clock = _DAY_S % interval == 0 and whole >= _ON_THE_CLOCK * len(found)
    return Steps(interval, alike / len(gaps), missing, on_the_clock, len(found))


def every_third_is_missing(instants: Iterable[float], interval: float) -> bool:
    """Tell whether each third report is left out, and no other."""
    found = sorted(set(instants))
    places = {round((instant - found[0]) / interval) for instant in found}
    missing = set(range(max(places, default=0) + 1)) - places
    left_out = {place % 3 for place in missing}
    return len(missing) > 1 and len(left_out) == 1 and not {place % 3 for place in places} & left_out


def is_steady(found: Steps) -> bool:
    """Tell whether the steps are alike enough to be called an interval."""
    return found.steady >= _STEADY


def _off_the_clock(instant: float, interval: float) -> float:
    past = (instant + BEIJING_S) % interval
    return min(past, interval - past)
