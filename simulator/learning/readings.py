"""Statistics of what a factor reads: sums by the hour of the day, which can be added, and the level they come to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Final

from ..world import Level
from ..world.emissions import curve
from ..world.levels import MAX_DIGITS
from .steps import BEIJING_S

__all__ = ["HOURS_FOR_A_DAY", "Readings"]

#: Hours of the day that must have been seen for a course of the day to be learnt.
HOURS_FOR_A_DAY: Final = 22
#: A course of the day that explains less of the variance than this is none.
_EXPLAINED: Final = 0.1


class Readings:
    """What one factor read, one value at a time; two of them can be added.

    Sums are taken from an origin, the first value, so that squares of large numbers do not drown their differences.
    """

    __slots__ = ("_hours", "digits", "flags", "least", "most", "origin")

    def __init__(self) -> None:
        self.origin = 0.0
        self.least = math.inf
        self.most = -math.inf
        self.digits: Counter[int] = Counter()
        self.flags: Counter[str] = Counter()  #: letters of data flags
        self._hours: dict[int, list[float]] = {}  # hour of the day -> count, sum, sum of squares

    @property
    def count(self) -> int:
        """Number of values."""
        return int(sum(row[0] for row in self._hours.values()))

    def add(self, value: float, digits: int, at: float | None) -> None:
        """Take in a value with so many digits behind the point, read at a POSIX instant."""
        if not self._hours:
            self.origin = value
        hour = -1 if at is None else int((at + BEIJING_S) // 3600 % 24)
        row = self._hours.setdefault(hour, [0.0, 0.0, 0.0])
        past = value - self.origin
        row[0] += 1
        row[1] += past
        row[2] += past * past
        self.digits[digits] += 1
        self.least, self.most = min(self.least, value), max(self.most, value)

    def merge(self, other: Readings) -> None:
        """Take in everything that another one has."""
        if not self._hours:
            self.origin = other.origin
        shift = other.origin - self.origin
        for hour, (count, total, squares) in other._hours.items():
            row = self._hours.setdefault(hour, [0.0, 0.0, 0.0])
            row[0] += count
            row[1] += total + count * shift
            row[2] += squares + 2 * shift * total + count * shift * shift
        self.digits += other.digits
        self.flags += other.flags
        self.least, self.most = min(self.least, other.least), max(self.most, other.most)

    def level(self) -> Level:
        """Return the level that reads like it."""
        count, total, squares = (sum(row[n] for row in self._hours.values()) for n in range(3))
        past = total / count
        variance = max(squares / count - past * past, 0.0)
        mean = self.origin + past
        digits = min(self.digits.most_common(1)[0][0], MAX_DIGITS)
        swing, peak_h = self._course(variance)
        if swing:
            # What the course of the day explains is no chance.
            shape = [curve(hour + 0.5 - peak_h) for hour in range(24)]
            variance = max(variance - swing * swing * sum(x * x for x in shape) / 24, 0.0)
        places = digits + 2
        return Level(
            mean=round(min(max(mean, self.least), self.most), places),
            spread=round(math.sqrt(variance), places),
            # Outwards, for some values may have more digits than most.
            least=_cut(self.least, digits, math.floor),
            most=_cut(self.most, digits, math.ceil),
            digits=digits,
            swing=round(swing, places),
            peak_h=peak_h,
        )

    def _course(self, variance: float) -> tuple[float, float]:
        """Return swing and peak of the course of the day; no swing where there is none, or not a day of values."""
        seen = {hour: row for hour, row in self._hours.items() if hour >= 0}
        if len(seen) < HOURS_FOR_A_DAY or not variance:
            return 0.0, 14.0
        means = {hour: row[1] / row[0] for hour, row in seen.items()}
        middle = sum(means.values()) / len(means)
        best, peak = 0.0, 14.0
        for half in range(48):
            shape = {hour: curve(hour + 0.5 - half / 2) for hour in means}
            fit = sum((means[hour] - middle) * x for hour, x in shape.items()) / sum(x * x for x in shape.values())
            if fit > best:
                best, peak = fit, half / 2
        explained = best * best * sum(curve(hour + 0.5 - peak) ** 2 for hour in range(24)) / 24
        return (best, peak) if explained > _EXPLAINED * variance else (0.0, 14.0)


def _cut(value: float, digits: int, way: Callable[[float], int]) -> float:
    """Return a value with so many digits, rounded down or up unless it has no more."""
    near = round(value, digits)
    if math.isclose(near, value, rel_tol=1e-12, abs_tol=1e-12):
        return near
    scale = 10.0**digits
    return round(way(value * scale) / scale, digits)
