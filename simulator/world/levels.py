"""What an outlet's instruments read where a scenario says it: a mean and its spread instead of the plant.

A signal with a stated level follows the time of day and chance only, so that whoever knows a real station's statistics
can have stations with the same ones. What a failing treatment does to it stays as it is: more of it comes out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from ..draws import LANES
from .signals import Signal

__all__ = ["MAX_DIGITS", "Level", "stated", "unlisted"]

#: Digits behind the point that a value may have.
MAX_DIGITS: Final = 7
#: Noise is the sum of two bytes: what its standard deviation is of its largest deviation.
_DEVIATION: Final = (2 * (256**2 - 1) / 12) ** 0.5 / 255
_HALVINGS: Final = 60


@dataclass(frozen=True, slots=True)
class Level:
    """What a signal reads, in its own unit.

    Attributes:
        mean: On the average of a day.
        spread: Standard deviation from one reading to the next, the time of day apart.
        least: No reading is below it; ``None``: as the kind of signal has it.
        most: Nor above it.
        digits: Digits behind the point; ``None``: as the kind of signal has it.
        swing: How far the time of day lifts and lowers it.
        peak_h: Local hour at which it is highest; lowest twelve hours later.
    """

    mean: float
    spread: float = 0.0
    least: float | None = None
    most: float | None = None
    digits: int | None = None
    swing: float = 0.0
    peak_h: float = 14.0


@cache
def stated(signal: Signal, level: Level) -> Signal:
    """Return the signal with a stated level: steady over the plant's hours, the same at every place."""
    floor = signal.floor if level.least is None else level.least
    ceiling = signal.ceiling if level.most is None else level.most
    floor, ceiling = min(floor, level.mean), max(ceiling, level.mean)
    digits = signal.decimals if level.digits is None else level.digits
    centre = _centre(level, floor, ceiling)
    # Everything else is a share of the level; of nothing there is no share.
    base = centre or 10.0 ** -(MAX_DIGITS + 2)
    return replace(
        signal,
        decimals=digits,
        level=base,
        floor=floor,
        ceiling=ceiling,
        scatter=0.0,
        idle=1.0,
        swing=level.swing / base,
        peak_h=level.peak_h,
        drift=0.0,
        noise=level.spread / _DEVIATION / base,
    )


def _centre(level: Level, floor: float, ceiling: float) -> float:
    """Return where noise must be centred so that the mean is right although the range cuts some of it off."""
    reach = level.spread / _DEVIATION
    if floor + reach + level.swing <= level.mean <= ceiling - reach - level.swing:
        return level.mean
    low, high = floor - reach, ceiling + reach
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _mean(middle, reach, floor, ceiling) < level.mean:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _mean(centre: float, reach: float, floor: float, ceiling: float) -> float:
    """Return the mean of what is left between floor and ceiling."""
    total = 0.0
    for both in range(511):
        ways = 256 - abs(both - 255)
        total += ways * min(max(centre + reach * (both - 255) / 255, floor), ceiling)
    return total / 256**2


def unlisted(outlet: str, code: str, number: int) -> Signal:
    """Return a signal that no table has, for a stated level to be given to.

    Args:
        outlet: Where it is measured.
        code: How it is called, in the table's stead.
        number: Which of a station's signals it is: its noise is drawn apart from theirs.
    """
    return Signal(
        outlet=outlet,
        name=code,
        zh=code,
        en=code,
        unit="",
        decimals=2,
        level=1.0,
        floor=float("-inf"),
        ceiling=float("inf"),
        scatter=0.0,
        idle=1.0,
        untreated=1.0,
        swing=0.0,
        peak_h=14.0,
        drift=0.0,
        noise=0.0,
        lane=number % LANES,
        group=0,
        cou=None,
        cou_unit="",
        reference_oxygen=None,
    )
