"""What a power meter reports of a plant: quantities of lines and treatment units, their codes, one consistent reading.

Power is worked out from the voltages, currents and power factor as they are printed, so that whoever computes with what
arrives finds P = sum of U x I x cos phi to the last digit.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Final

from hj212 import Edition
from stationgate.language import _

from ..world import Plant

__all__ = ["QUANTITIES", "Channel", "PowerCodes", "UnknownQuantityError", "power_codes", "readings", "valid"]

#: Every quantity with the digits it is printed with.
QUANTITIES: Final[Mapping[str, int]] = {
    "voltage_a": 2,
    "voltage_b": 2,
    "voltage_c": 2,
    "current_a": 2,
    "current_b": 2,
    "current_c": 2,
    "current": 2,  #: mean of the phases
    "power_factor": 3,
    "power": 2,
    "energy": 2,
}
#: What stands in a code of the tables for the number of the line or unit.
_NUMBER: Final = "xx"
#: What a quantity of a treatment unit begins with where a scenario gives its code; others are of lines.
_OF_UNIT: Final = "unit_"
#: Phase voltage, and how far it may be from it for a value to count as valid.
_VOLTS: Final = 220.0
_VOLTS_SHARE: Final = 0.15


class UnknownQuantityError(ValueError):
    """A meter measures no such quantity."""


@dataclass(frozen=True, slots=True)
class Channel:
    """One quantity of one line or unit."""

    item: str  #: name of the line or unit
    quantity: str
    code: str
    decimals: int


@dataclass(frozen=True, slots=True)
class PowerCodes:
    """Codes by item kind (``line``, ``unit``) and quantity: each ends with the number of the first, ``xx`` for 01."""

    rows: tuple[tuple[str, str, str], ...]

    def channels(self, plant: Plant) -> tuple[Channel, ...]:
        """Return every quantity of a plant, in the order of its lines and units."""
        return _channels(self.rows, tuple(line.name for line in plant.lines), tuple(unit.name for unit in plant.units))


@lru_cache(maxsize=256)
def _channels(
    rows: tuple[tuple[str, str, str], ...], lines: tuple[str, ...], units: tuple[str, ...]
) -> tuple[Channel, ...]:
    items = [("line", n, name) for n, name in enumerate(lines)] + [("unit", n, name) for n, name in enumerate(units)]
    return tuple(
        Channel(name, quantity, _numbered(code, number), QUANTITIES[quantity])
        for kind, number, name in items
        for row_kind, quantity, code in rows
        if row_kind == kind
    )


def _numbered(code: str, number: int) -> str:
    """Return the code of a line or unit, the first being number 0."""
    first = 1 if code.endswith(_NUMBER) else int(code[-2:])
    return f"{code[:-2]}{first + number:02d}"


@cache
def _table() -> tuple[Mapping[str, str], ...]:
    text = resources.files(__package__).joinpath("power.csv").read_text("utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@lru_cache(maxsize=256)
def power_codes(edition: Edition, outlet: str, wanted: tuple[tuple[str, str], ...] = ()) -> PowerCodes:
    """Return the codes of an edition.

    Args:
        edition: Whose table.
        outlet: What kind of site it is: process data have codes by medium.
        wanted: What is reported instead, where there is any: quantities of production lines, and with ``unit_`` before
            them of treatment units, each with the code of the first; the others count up in its last two digits.

    Raises:
        UnknownQuantityError: If there is no such quantity, or a code has no number at its end.
    """
    if not wanted:
        rows = (row for row in _table() if row["edition"] == edition.value and row["outlet"] in ("", outlet))
        return PowerCodes(tuple((row["item"], row["quantity"], row["code"]) for row in rows))
    found = []
    for name, code in wanted:
        quantity = name.removeprefix(_OF_UNIT)
        if quantity not in QUANTITIES:
            raise UnknownQuantityError(
                _("{name!r} is no electrical quantity: {known}, also with {prefix} before").format(
                    name=name, known=", ".join(QUANTITIES), prefix=_OF_UNIT
                )
            )
        if not (code.endswith(_NUMBER) or code[-2:].isdecimal()):
            raise UnknownQuantityError(
                _("{name}: expected a code that ends with two digits, found {code!r}").format(name=name, code=code)
            )
        found.append(("unit" if name.startswith(_OF_UNIT) else "line", quantity, code))
    return PowerCodes(tuple(found))


def readings(plant: Plant, item: str, at: float) -> dict[str, int]:
    """Return every quantity of a line or unit at an instant, in units of its last printed digit."""
    now = plant.electricity(item, at)
    volts = [round(volt * 100) for volt in now.volts]
    amps = [round(ampere * 100) for ampere in now.amps]
    factor = round(now.power_factor * 1000)
    product = sum(u * i for u, i in zip(volts, amps, strict=True)) * factor
    return {
        **dict(zip(("voltage_a", "voltage_b", "voltage_c"), volts, strict=True)),
        **dict(zip(("current_a", "current_b", "current_c"), amps, strict=True)),
        "current": round(sum(amps) / 3),
        "power_factor": factor,
        # 0.01 V x 0.01 A x 0.001 = 1e-7 W, and power is printed to 10 W.
        "power": (product + 50_000_000) // 100_000_000,
        "energy": int(plant.energy_kwh(item, at) * 100),
    }


def valid(volts: int) -> bool:
    """Tell whether a phase voltage, in hundredths of a volt, is one at which the other values mean anything."""
    return abs(volts / 100 - _VOLTS) <= _VOLTS_SHARE * _VOLTS
