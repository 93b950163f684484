"""What can be measured at an outlet: a table of signals, and the codes under which editions know them.

``tables/signals.csv`` says how a signal behaves, ``tables/codes.csv`` how it is called on a wire; the world itself
reads only the first.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pkgutil import get_data
from typing import Final

__all__ = ["OUTLETS", "Signal", "code_of", "signal_of", "signals"]

#: Outlets, as scenarios and tables name them, each with its HJ 212 system type (ST).
OUTLETS: Final = {"water": "32", "flue-gas": "31", "air": "22", "noise": "23", "voc": "27"}


@dataclass(frozen=True, slots=True)
class Signal:
    """One measured quantity of an outlet and how it follows the plant. Shares are of ``level``, 0.1 for 10 %.

    Attributes:
        outlet: One of :data:`OUTLETS`.
        name: Unique in its outlet, ``"cod"``.
        zh: 名称.
        en: Its name in English.
        unit: In ASCII, ``"mg/L"``; ``"1"`` for none.
        decimals: Digits behind the point. Values are integers in units of the last of them.
        level: What is measured at full production with treatment on, in ``unit``.
        floor: No value is below it.
        ceiling: Nor above it.
        scatter: How much places differ from each other.
        idle: Share of the level that remains without production; above 1 for what rises then, as oxygen does.
        untreated: Share of the level at full production without treatment.
        swing: Share that comes and goes with the time of day.
        peak_h: Local hour at which the swing is highest; lowest twelve hours later.
        drift: Share of slow wandering, over half hours.
        noise: Share of what differs from second to second.
        lane: Which draw of a second is its noise. Two signals of one lane and group are always in proportion.
        group: Whose wandering and scatter it shares; so that PM2.5 stays below PM10, and L50 below L10.
        cou: Exponent of ten from the product of a flow (or of the value and the flow) with seconds to ``cou_unit``;
            ``None`` where nothing accumulates.
        cou_unit: ``"m3"`` for a flow, ``"kg"`` for what flows with it, or empty.
        reference_oxygen: Per cent of oxygen to which a value is converted (折算), ``None`` where none is usual.
    """

    outlet: str
    name: str
    zh: str
    en: str
    unit: str
    decimals: int
    level: float
    floor: float
    ceiling: float
    scatter: float
    idle: float
    untreated: float
    swing: float
    peak_h: float
    drift: float
    noise: float
    lane: int
    group: int
    cou: int | None
    cou_unit: str
    reference_oxygen: float | None

    @property
    def is_flow(self) -> bool:
        """Whether it is the flow with which others of its outlet leave."""
        return self.cou_unit == "m3"


def _rows(name: str) -> Iterator[dict[str, str]]:
    data = get_data(__package__, f"tables/{name}")
    assert data is not None
    yield from csv.DictReader(data.decode("utf-8").splitlines())


def _signal(row: dict[str, str]) -> Signal:
    numbers = ("level", "floor", "ceiling", "scatter", "idle", "untreated", "swing", "peak_h", "drift", "noise")
    return Signal(
        outlet=row["outlet"],
        name=row["name"],
        zh=row["zh"],
        en=row["en"],
        unit=row["unit"],
        decimals=int(row["decimals"]),
        lane=int(row["lane"]),
        group=int(row["group"]),
        cou=int(row["cou"]) if row["cou"] else None,
        cou_unit=row["cou_unit"],
        reference_oxygen=float(row["reference_oxygen"]) if row["reference_oxygen"] else None,
        **{number: float(row[number]) for number in numbers},
    )


@cache
def signals(outlet: str) -> tuple[Signal, ...]:
    """Return every signal of an outlet, in the order of the table.

    Raises:
        KeyError: If it is none of :data:`OUTLETS`.
    """
    if outlet not in OUTLETS:
        raise KeyError(f"no outlet {outlet!r}; there are: {', '.join(OUTLETS)}")
    return tuple(_signal(row) for row in _rows("signals.csv") if row["outlet"] == outlet)


@cache
def _codes() -> dict[tuple[str, str], dict[str, str]]:
    return {(row["outlet"], row["name"]): row for row in _rows("codes.csv")}


def code_of(signal: Signal, edition: str) -> str | None:
    """Return the code under which an edition (``"2005"``, ``"2017"``, ``"2025"``) knows a signal; ``None`` for none."""
    return _codes()[signal.outlet, signal.name][f"code_{edition}"] or None


def signal_of(outlet: str, code: str) -> Signal | None:
    """Return the signal of an outlet by its name or by its code in any edition."""
    for signal in signals(outlet):
        row = _codes()[outlet, signal.name]
        if code in (signal.name, row["code_2005"], row["code_2017"], row["code_2025"]) and code:
            return signal
    return None
