"""Request ids that a spreadsheet, or a program that takes them for numbers, has ruined: what is left of them.

A QN has 17 digits. A spreadsheet keeps 15 and shows fewer; a number of JavaScript or a ``float`` column keeps
multiples of 4 at that size. What is left is an interval in which the QN lay.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Final

__all__ = ["Ruin", "StoredQn", "may_have_been", "read_qn", "suspicion"]

_INTACT: Final = re.compile(r"[0-9]{17}\Z", re.ASCII)
_SCIENTIFIC: Final = re.compile(r"([0-9])(?:\.([0-9]+))?E\+?([0-9]{2})\Z", re.ASCII | re.IGNORECASE)
_DECIMAL: Final = re.compile(r"([0-9]{17})\.0+\Z", re.ASCII)
_FORMULA: Final = re.compile(r'="([0-9]{17})"\Z', re.ASCII)
_SEPARATED: Final = re.compile(r"[0-9]{1,3}(?:[,，' \u00a0\u202f][0-9]{3}){5}(?:\.0+)?\Z", re.ASCII)
_APOSTROPHES: Final = "'‘’`"

#: Unit of what is kept of 17 digits: by 15 significant digits, and by a double-precision number.
FIFTEEN: Final = 100
DOUBLE: Final = 4


class Ruin(StrEnum):
    """What happened to a QN; the value is what JSON shows."""

    SCIENTIFIC = "scientific"  #: ``2.02511E+16``
    ROUNDED = "rounded"  #: 15 digits and two zeros
    DOUBLE = "double"  #: rounded to a double-precision number
    APOSTROPHE = "apostrophe"  #: ``'20251128123456789``; repaired
    DECIMAL = "decimal"  #: ``20251128123456788.0``; repaired
    SEPARATORS = "separators"  #: ``20,251,128,123,456,789``; repaired
    FORMULA = "formula"  #: ``="20251128123456789"``; repaired


@dataclass(frozen=True, slots=True)
class StoredQn:
    """A QN as a platform shows it.

    Attributes:
        text: All that is known of it: 17 digits where nothing is lost, else what stood there.
        ruin: What happened to it.
        value: Where digits are lost, the number that is left.
        unit: Value of its last digit that is left; 0 where nothing is lost.
    """

    text: str
    ruin: Ruin | None = None
    value: int = 0
    unit: int = 0


def may_have_been(value: int, unit: int, qn: str) -> bool:
    """Say whether a QN, cut off or rounded to a multiple of ``unit``, can show as ``value``."""
    if not _INTACT.match(qn):
        return False
    difference = int(qn) - value
    # What was rounded to so many digits was a floating-point number before, and may have been off by half its unit.
    slack = DOUBLE // 2 if unit > DOUBLE else 0
    return -unit // 2 - slack <= difference < unit + slack


def read_qn(text: str) -> StoredQn:
    """Read a QN from a cell; what is no QN at all is left as it is."""
    text = text.strip()
    if not text or _INTACT.match(text):
        return StoredQn(text)
    if text[0] in _APOSTROPHES:
        inner = text.strip(_APOSTROPHES)
        return StoredQn(inner, Ruin.APOSTROPHE) if _INTACT.match(inner) else StoredQn(text)
    if found := _SCIENTIFIC.match(text):
        digits = len(found[2] or "")
        exponent = int(found[3])
        if exponent == 16 and digits < 16:
            return StoredQn(text, Ruin.SCIENTIFIC, int(Decimal(text)), int(10 ** (exponent - digits)))
        return StoredQn(str(int(Decimal(text))), Ruin.SCIENTIFIC) if exponent == 16 else StoredQn(text)
    if found := _DECIMAL.match(text):
        return StoredQn(found[1], Ruin.DECIMAL)
    if found := _FORMULA.match(text):
        return StoredQn(found[1], Ruin.FORMULA)
    if _SEPARATED.match(text):
        digits_only = re.sub(r"\.0+\Z|[^0-9.]", "", text)
        return StoredQn(digits_only, Ruin.SEPARATORS) if _INTACT.match(digits_only) else StoredQn(text)
    return StoredQn(text)


def suspicion(stored: tuple[int, int, int], sent: tuple[int, int, int]) -> tuple[Ruin, int] | None:
    """Say whether a whole column was rounded, which shows in no single QN: many end in zeros anyway.

    Args:
        stored: Of the 17-digit QNs that a platform shows: how many there are, how many of them are multiples of 100,
            and of 4.
        sent: The same of those that were sent.

    Returns:
        What happened, and the unit of what is left; ``None`` where nothing did.
    """
    count, hundreds, fours = stored
    sent_count, sent_hundreds, sent_fours = sent
    if not count:
        return None
    if hundreds == count and sent_hundreds < sent_count:
        return Ruin.ROUNDED, FIFTEEN
    if fours == count and sent_fours < sent_count:
        return Ruin.DOUBLE, DOUBLE
    return None
