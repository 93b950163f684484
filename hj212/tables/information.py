"""Site information codes (现场端信息编码): ``i``, device class, information class, three characters (table B.10).

Beyond the table every jurisdiction, platform and vendor gives codes a meaning of its own, and they collide: ``i32001``
is the state of the door system in the standard and the door's position in Ningxia. So a code means nothing without
its jurisdiction, and what no jurisdiction is named for has the meaning of the standard. What the values of a door
code mean is for a dictionary of doors to say; here it has its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from ..editions import Edition
from . import read_table

__all__ = ["NATIONAL", "InformationRow", "information", "information_rows", "information_uses", "jurisdictions"]

#: The jurisdiction of the standard itself.
NATIONAL: Final = "national"
#: Furnace temperatures number the device by one digit, for which rows write ``x``.
_NUMBERED: Final = re.compile(r"(i333[1-4])[0-9]\Z")


@dataclass(frozen=True, slots=True)
class InformationRow:
    """One code as one jurisdiction uses it.

    Attributes:
        code: As printed: ``"i12001"``, ``"I33400"``, ``"i3331x"`` for devices 0 to 9.
        jurisdiction: Who gives it this meaning: ``"national"`` for the standard, ``"Hebei"``, ``"Ningxia"``, or a kind
            of platform or device.
        zh: 名称.
        en: Its name in English.
        unit: Unit as the table prints it, in ASCII; ``"1"`` for none, empty where there is no word of one.
        value_format: Format of the value, e.g. ``"N3.1"``, ``"C890"``, ``"YYYYMMDDHHMMSS"``; empty where it is the
            device's own. Read it with :class:`hj212.values.ValueFormat`.
        editions: The editions that have it so; none for a code that is in use and in no edition.
        source: Where it is known from.
        certain: Whether more than one source, or the standard's text, says so.
        doubt: What of it the table prints wrongly: ``"code"``, ``"unit"`` or nothing.
        note: What else to know.
    """

    code: str
    jurisdiction: str
    zh: str
    en: str
    unit: str
    value_format: str
    editions: tuple[Edition, ...]
    source: str
    certain: bool
    doubt: str
    note: str


@cache
def information_rows() -> tuple[InformationRow, ...]:
    """Return every row of ``tables/information.csv``, in its order: the standard first."""
    return tuple(
        InformationRow(
            row["code"],
            row["jurisdiction"],
            row["zh"],
            row["en"],
            row["unit"],
            row["value_format"],
            tuple(map(Edition, filter(None, row["editions"].split(";")))),
            row["source"],
            row["certain"] == "yes",
            row["doubt"],
            row["note"],
        )
        for row in read_table("information.csv")
    )


def jurisdictions() -> tuple[str, ...]:
    """Return everyone who gives codes a meaning, the standard first."""
    return tuple(dict.fromkeys(row.jurisdiction for row in information_rows()))


def information_uses(code: str) -> tuple[InformationRow, ...]:
    """Return every meaning of a code as it travels, whatever its letter case, that of the standard first."""
    wanted = code.lower()
    return _by_code().get(wanted) or _by_code().get(_NUMBERED.sub(r"\1x", wanted), ())


def information(code: str, jurisdiction: str | None = None) -> InformationRow | None:
    """Return what a code means in a jurisdiction: its own meaning, else that of the standard.

    ``None`` where it has neither. Without a jurisdiction only the standard is asked.

    >>> information("i32002"), information("i32002", "Ningxia").zh, information("i33103", "Ningxia").unit
    (None, '拆除状态', 'V')
    """
    uses = {row.jurisdiction: row for row in reversed(information_uses(code))}
    return (uses.get(jurisdiction) if jurisdiction else None) or uses.get(NATIONAL)


@cache
def _by_code() -> dict[str, tuple[InformationRow, ...]]:
    found: dict[str, list[InformationRow]] = {}
    for row in information_rows():
        found.setdefault(row.code.lower(), []).append(row)
    return {code: tuple(rows) for code, rows in found.items()}
