"""Pollutants, process quantities and equipment by their codes, in the numbering of each edition (Annex B).

The 2005 edition numbers in two or three characters (``"011"``), the later ones in six (``"w01018"``); codes are text,
for ``"01"`` and ``"001"`` are different things. A row belongs to the editions that print it so; the row of the same
thing in the other numbering is its counterpart. The tables of 2025 are not known as a whole: the rows of 2017 stand
for them, with the rows that are known to differ beside them.

Units and formats are those the tables print, errors included; ``doubt`` marks where a table contradicts itself or
sense. What a device sends is a matter of its configuration.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from ..editions import Edition
from . import read_table

__all__ = ["FactorRow", "code_in", "factor", "factor_rows", "factors"]

#: Codes whose last two digits number the device, from 01; rows write ``xx`` for them (tables B.5 to B.7).
_NUMBERED: Final = re.compile(r"([degp][0-9]{3})[0-9]{2}\Z")
#: Equipment of the plant: ``SB1``, ``SB2``, ...; the row writes ``n``.
_EQUIPMENT: Final = re.compile(r"SB[0-9]{1,3}\Z")


@dataclass(frozen=True, slots=True)
class FactorRow:
    """One code as some editions have it.

    Attributes:
        code: As printed: ``"w01018"``, ``"011"``, ``"Leq"``, ``"e101xx"`` for devices 01 to 99, ``"SBn"``.
        counterpart: The code of the same thing in the other numbering; empty where there is none.
        zh: 名称.
        en: Its name in English.
        unit: Unit of a value, in ASCII: ``"mg/L"``, ``"ug/L"``, ``"degC"``, ``"m3/s"``, ``"1"`` for none; empty where
            the table has no unit.
        cou_unit: Unit of ``-Cou``.
        value_format: Default format of a value, e.g. ``"N5.1"``; empty where the table has none. Read it with
            :class:`hj212.values.ValueFormat`.
        medium: ``"water"``, ``"air"``, ``"noise"``, ``"wastewater-process"``, ``"flue-gas-process"``, ``"power"``,
            ``"production"`` or ``"equipment"``.
        editions: The editions that have it so; none for a code that is in use and in no edition.
        source: Where it is known from.
        certain: Whether more than one source, or the standard's text, says so.
        doubt: What of it the table prints wrongly or twice: ``"code"``, ``"unit"``, ``"name"`` or nothing.
        note: What else to know.
    """

    code: str
    counterpart: str
    zh: str
    en: str
    unit: str
    cou_unit: str
    value_format: str
    medium: str
    editions: tuple[Edition, ...]
    source: str
    certain: bool
    doubt: str
    note: str


@cache
def factors() -> tuple[FactorRow, ...]:
    """Return every row of ``tables/factors.csv``, in its order: 2017 and 2025, codes in use, additions, 2005."""
    return tuple(
        FactorRow(
            row["code"],
            row["counterpart"],
            row["zh"],
            row["en"],
            row["unit"],
            row["cou_unit"],
            row["value_format"],
            row["medium"],
            tuple(map(Edition, filter(None, row["editions"].split(";")))),
            row["source"],
            row["certain"] == "yes",
            row["doubt"],
            row["note"],
        )
        for row in read_table("factors.csv")
    )


def factor_rows(code: str, edition: Edition | None = None) -> tuple[FactorRow, ...]:
    """Return the rows of a code as it travels, ``"w01018"`` or ``"e10101"``, in one edition or in any.

    Several where editions differ, and where a table gives a code twice (``e701xx``, ``g119xx``).
    """
    found = _by_code().get(code) or _by_code().get(_printed(code), ())
    return found if edition is None else tuple(row for row in found if edition in row.editions)


def factor(code: str, edition: Edition | None = None) -> FactorRow | None:
    """Return the first row of a code in one edition or, of any, the first of the table; ``None`` for one without.

    >>> factor("011").counterpart, factor("011").unit, factor("e30201").en
    ('w01018', 'mg/L', 'blower (current)')
    """
    return next(iter(factor_rows(code, edition)), None)


def code_in(edition: Edition, code: str) -> str | None:
    """Return the code by which an edition knows a factor, given the code of any; ``None`` where it has none.

    >>> code_in(Edition("2017"), "011"), code_in(Edition("2005"), "w01018"), code_in(Edition("2005"), "w01009")
    ('w01018', '011', None)
    """
    if factor(code, edition):
        return code
    others = (row.counterpart for row in factor_rows(code) if row.counterpart)
    return next((other for other in others if factor(other, edition)), None)


@cache
def _by_code() -> dict[str, tuple[FactorRow, ...]]:
    found: dict[str, list[FactorRow]] = {}
    for row in factors():
        found.setdefault(row.code, []).append(row)
    return {code: tuple(rows) for code, rows in found.items()}


def _printed(code: str) -> str:
    """Return how the tables print a code that numbers a device."""
    if _EQUIPMENT.match(code):
        return "SBn"
    return _NUMBERED.sub(r"\1xx", code)
