"""What can be wrong with a frame, as data: a code, a place, what stood there and what would have matched.

``tables/deviations.csv`` is the one source of the codes and of their wording in both languages. Most are departures
from what an edition prescribes. A remark is none: tables that are open do not have a code, a value has more digits
than their default.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from .editions import Rules
from .tables import read_table

__all__ = ["Deviation", "DeviationRow", "deviation_rows"]


@dataclass(frozen=True, slots=True)
class DeviationRow:
    """One kind of deviation.

    Attributes:
        code: Its name, stable: reports, JSON and profiles refer to it.
        subject: Key of :attr:`hj212.editions.Rules.clauses`: which part of the standard it is about.
        level: ``"deviation"`` or ``"remark"``.
        zh: Its wording in Chinese, with ``{found}``, ``{expected}`` and ``{length}``.
        en: The same in English.
    """

    code: str
    subject: str
    level: str
    zh: str
    en: str


@cache
def deviation_rows() -> dict[str, DeviationRow]:
    """Return every row of ``tables/deviations.csv`` by its code."""
    return {row["code"]: DeviationRow(**row) for row in read_table("deviations.csv")}


@dataclass(frozen=True, slots=True)
class Deviation:
    """One departure of a frame from the standard. It never holds a password.

    Attributes:
        code: What is wrong, a code of :func:`deviation_rows`.
        offset: Where, in bytes from the first ``#`` of the frame.
        length: How many bytes are concerned; 0 where something is missing.
        found: What stands there, as text; undecodable bytes are backslash-escaped.
        expected: What would have matched, empty where there is nothing to name.
    """

    code: str
    offset: int
    length: int
    found: str = ""
    expected: str = ""

    def text(self, lang: Literal["zh", "en"]) -> str:
        """Say it in one language, without a full stop.

        >>> Deviation("crc-modbus", 107, 4, "0759", "1C80").text("en")
        'the CRC 0759 is CRC-16/MODBUS, high byte first; by Annex A it is 1C80'
        """
        row = deviation_rows()[self.code]
        template = row.zh if lang == "zh" else row.en
        return template.format(found=self.found, expected=self.expected, length=self.length)

    def clause(self, rules: Rules) -> str:
        """Return where the rule stands in the edition, e.g. ``"HJ 212-2017 6.3.1"``."""
        return rules.clauses[deviation_rows()[self.code].subject]
