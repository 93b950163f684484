"""Statistics of a sound level: equivalent level, exceeded levels, extremes; of a day also by day and by night.

Energies are whole numbers and logarithms decimal, so that every machine gives the same digits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from ..world import Signal, code_of, signals
from .factors import NOISE, Factors
from .sums import LOCAL_MS

__all__ = ["DAYTIME_H", "area", "equivalent", "exceeded"]

#: Hours of the day (昼间); the others are the night (夜间). 22:00 and 06:00 are what GB 3096 says where no authority
#: says otherwise.
DAYTIME_H: Final = (6, 22)
#: Share of the time, in per cent, for which a level is exceeded.
_EXCEEDED: Final[Mapping[str, int]] = MappingProxyType({"l5": 5, "l10": 10, "l50": 50, "l90": 90, "l95": 95})
_CONTEXT: Final = Context(prec=28, rounding=ROUND_HALF_EVEN)
_ENERGY_DIGITS: Final = 12


@lru_cache(maxsize=4096)
def _energy(above: int) -> int:
    """Return the energy of a level so many tenths of a decibel above another one, as a share of it with 12 digits."""
    return int(_CONTEXT.power(10, Decimal(above) / 100).scaleb(_ENERGY_DIGITS).to_integral_value())


def equivalent(levels: Sequence[int]) -> int:
    """Return the equivalent continuous level (Leq) of levels; tenths of a decibel all of them."""
    most = max(levels)  # energies are shares of the greatest: a scenario's hook may name any level
    share = Decimal(sum(_energy(level - most) for level in levels)) / len(levels)
    return most + int((100 * _CONTEXT.log10(share.scaleb(-_ENERGY_DIGITS))).to_integral_value(ROUND_HALF_EVEN))


def exceeded(levels: Sequence[int], per_cent: int) -> int:
    """Return the level that is exceeded for a share of the time (L5, L10, ...)."""
    ordered = sorted(levels, reverse=True)
    return ordered[min(len(ordered) * per_cent // 100, len(ordered) - 1)]


def area(moment: str, known: Factors, sound: Sequence[tuple[int, int]], day_begin_ms: int | None) -> str:
    """Return the data area of a minute, hour or day report.

    Args:
        moment: DataTime.
        known: The factors of the outlet.
        sound: Every level that was reported, with the instant on the station's clock.
        day_begin_ms: Where the report is that of a day: when it began.
    """
    levels = [level for _at, level in sound]
    items = [f"DataTime={moment}"]
    for signal, code in _reported(known):
        pairs = [f"{code}-Data={_text(_value(signal, levels))}"]
        if signal.name == "leq" and day_begin_ms is not None:
            parts: dict[bool, list[int]] = {True: [], False: []}
            for at_ms, level in sound:
                parts[_is_daytime(at_ms)].append(level)
            pairs += [
                f"{code}-{name}={_text(equivalent(part))}"
                for name, part in (("DayData", parts[True]), ("NightData", parts[False]))
                if part
            ]
        if known.flagged:
            pairs.append(f"{code}-Flag=N")
        items.append(",".join(pairs))
    return ";".join(items)


def _reported(known: Factors) -> Iterable[tuple[Signal, str]]:
    for signal in signals(NOISE):
        code = code_of(signal, known.edition.value)
        if code and signal.name != "la":
            yield signal, code


def _value(signal: Signal, levels: Sequence[int]) -> int:
    if signal.name in _EXCEEDED:
        return exceeded(levels, _EXCEEDED[signal.name])
    return {"lmx": max, "lmn": min}.get(signal.name, equivalent)(levels)


def _is_daytime(at_ms: int) -> bool:
    first, end = DAYTIME_H
    return first <= (at_ms + LOCAL_MS) // 3_600_000 % 24 < end


def _text(level: int) -> str:
    return f"{level / 10:.1f}"
