"""System codes (系统编码, ST): what each is, and the classes they are taken from (HJ 212-2017 table 5)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

from ..editions import Edition
from . import read_table

__all__ = ["SystemRow", "system", "system_class", "systems"]

_TWO: Final = re.compile(r"[0-9A-Z][0-9]\Z")


@dataclass(frozen=True, slots=True)
class SystemRow:
    """One system, or one class of them, as some editions have it.

    Attributes:
        code: Value of ST, e.g. ``"31"``; ``"30-49"`` for a class.
        zh: 名称.
        en: Its name in English.
        editions: The editions that have it so; none for a code that is in use and in no edition.
        source: Where it is known from.
        certain: Whether more than one source, or the standard's text, says so.
        note: What else to know.
    """

    code: str
    zh: str
    en: str
    editions: tuple[Edition, ...]
    source: str
    certain: bool
    note: str

    @property
    def is_class(self) -> bool:
        """Whether it is a range of codes."""
        return "-" in self.code

    def holds(self, code: str) -> bool:
        """Tell whether a code is this one, or lies in this class."""
        first, _, last = self.code.partition("-")
        if not last:
            return code == first
        return _TWO.match(code) is not None and first <= code <= last


@cache
def systems() -> tuple[SystemRow, ...]:
    """Return every row of ``tables/systems.csv``, in its order: codes of 2005 alone and of no edition last."""
    return tuple(
        SystemRow(
            row["code"],
            row["zh"],
            row["en"],
            tuple(map(Edition, filter(None, row["editions"].split(";")))),
            row["source"],
            row["certain"] == "yes",
            row["note"],
        )
        for row in read_table("systems.csv")
    )


def system(code: str, edition: Edition | None = None) -> SystemRow | None:
    """Return the row of a system in one edition, or the first in any; ``None`` for one without.

    Without an edition a code that is in use though no edition has it, ``"81"``, is found too.

    >>> system("32").en, system("44", Edition("2017")), system("81").editions
    ('surface water pollution source', None, ())
    """
    return _first(code, edition, is_class=False)


def system_class(code: str, edition: Edition | None = None) -> SystemRow | None:
    """Return the class that a system belongs to, e.g. that of 30-49; ``None`` for 70 to 90, which are in none."""
    return _first(code, edition, is_class=True)


def _first(code: str, edition: Edition | None, *, is_class: bool) -> SystemRow | None:
    fitting = (row for row in systems() if row.is_class == is_class and row.holds(code))
    return next((row for row in fitting if edition is None or edition in row.editions), None)
