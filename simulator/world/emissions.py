"""What an outlet's instruments read: levels that follow the plant and the time of day, with drift and noise.

Between two states of the plant a reading moves within minutes, as the mean over the last :data:`RESPONSE_S` seconds
does: production up, flow up; treatment off, pollutants up. Only operations that give the same bits everywhere are used.
"""

from __future__ import annotations

from typing import Final

from ..draws import draw_bytes
from .plant import Plant
from .schedule import day_of, midnight
from .signals import Signal

__all__ = ["RESPONSE_S", "Outlet", "curve"]

#: How long an outlet takes to follow the plant.
RESPONSE_S: Final = 300.0
#: How far apart the points are between which a level wanders.
_DRIFT_S: Final = 1800


class Outlet:
    """The measuring point of one station. What it remembers can be computed anew and changes no value.

    Args:
        signals: What is measured, in the order in which values are returned.
        seed: Of the scenario.
        identity: Of the station; two stations at one place read different instruments.
        plant: What is measured behind.
    """

    __slots__ = (
        "_drawn",
        "_identity",
        "_knot",
        "_plant",
        "_production",
        "_seed",
        "_settled",
        "_until",
        "_untreated",
        "signals",
    )

    def __init__(self, signals: tuple[Signal, ...], seed: int, identity: str, plant: Plant) -> None:
        self.signals = signals
        self._seed = seed
        self._identity = identity
        self._plant = plant
        self._knot: int | None = None
        self._drawn = b""  # scatter, then drift at the knot before and at the one after: one object instead of three
        self._settled = self._until = 0.0
        self._production = self._untreated = 0.0

    @property
    def plant(self) -> Plant:
        """What is measured behind."""
        return self._plant

    def value(self, signal: Signal, at: float) -> int:
        """Return the value of one of the outlet's signals, the same as among :meth:`values`."""
        return self._read((signal,), at)[0]

    def values(self, at: float) -> list[int]:
        """Return the values of all signals within the second of an instant, in units of the last printed digits."""
        return self._read(self.signals, at)

    def _read(self, signals: tuple[Signal, ...], at: float) -> list[int]:
        second = int(at // 1)
        if self._settled <= second < self._until:
            production, untreated = self._production, self._untreated
        else:
            production, untreated = self._follow(second)
        knot, past = divmod(second, _DRIFT_S)
        if knot != self._knot:
            self._drawn = self._draw("scatter", 0) + self._draw("drift", knot) + self._draw("drift", knot + 1)
            self._knot = knot
        x = past / _DRIFT_S
        drawn = draw_bytes(self._seed, self._identity, "second", second)
        kept = self._drawn
        size = len(kept) // 3
        hour = (second - midnight(day_of(second))) / 3600
        found = []
        for s in signals:
            lane, group = 2 * s.lane, 2 * s.group
            before, after = group + size, group + 2 * size
            start = kept[before] + kept[before + 1]
            change = kept[after] + kept[after + 1] - start
            wander = s.scatter * (kept[group] + kept[group + 1] - 255) + s.drift * (start - 255 + change * x)
            flicker = s.noise * (drawn[lane] + drawn[lane + 1] - 255)
            share = s.idle + (1 - s.idle) * production + (s.untreated - 1) * untreated
            value = s.level * share * (1 + (wander + flicker) / 255 + s.swing * curve(hour - s.peak_h))
            found.append(round(min(max(value, s.floor), s.ceiling) * _SCALES[s.decimals]))
        return found

    def _draw(self, what: str, tick: int) -> bytes:
        # No more than the signals need.
        size = 2 + 2 * max((s.group for s in self.signals), default=0)
        return draw_bytes(self._seed, self._identity, what, tick)[:size]

    def _follow(self, second: int) -> tuple[float, float]:
        state = self._plant.state(second)
        if second - RESPONSE_S >= state.begin:
            self._settled, self._until = state.begin + RESPONSE_S, state.end
            self._production, self._untreated = state.production, state.untreated
            return state.production, state.untreated
        return self._plant.activity(second, RESPONSE_S)


_SCALES: Final = tuple(float(10**n) for n in range(8))


def curve(hours: float) -> float:
    """Return the time of day's share: 1 at the peak, -1 twelve hours from it, smooth between."""
    x = abs(hours) / 12
    if x > 1:
        x = 2 - x
    return 1 - 2 * x * x * (3 - 2 * x)
