"""Deviations as data: what was found, where, and what would have been right.

A finding carries no weight; whoever judges decides what it is worth. The texts of all finding codes stand in one
table, ``tables/findings.csv``.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, Literal

from .errors import RecordError

__all__ = ["MASK", "Finding", "FindingText", "catalogue", "describe", "shown_if_short"]

#: Stands for every text that may identify a person.
MASK: Final = "***"
#: A text this short cannot identify anybody; the widest closed set of values has two digits.
_HARMLESS_CHARS: Final = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """One deviation of one frame. Never shows a text that may identify a person: that is ``***``."""

    code: str  #: which rule, a key of :func:`catalogue`
    field: str  #: the key as sent (``"i32004-Info"``), or the header field (``"ST"``)
    found: str  #: what stands there; empty for something that is missing
    expected: str  #: what would have been right; empty for something that should not be there


@dataclass(frozen=True, slots=True)
class FindingText:
    """The row of one finding code."""

    code: str
    zh: str
    en: str
    basis: str  #: clause or requirement the rule rests on


@cache
def catalogue() -> dict[str, FindingText]:
    """Return every finding code with its texts, in the order of the table."""
    text = (files("accessctl") / "tables" / "findings.csv").read_text("utf-8")
    return {row["code"]: FindingText(**row) for row in csv.DictReader(text.splitlines())}


def describe(finding: Finding, lang: Literal["zh", "en"]) -> str:
    """Return one line for people: the rule, the field, what was found and what was expected.

    >>> describe(Finding("value-outside-set", "i32004-Info", "5", "1, 2, 3, 4"), "en")
    'value outside the set: i32004-Info, found 5, expected 1, 2, 3, 4'
    """
    row = catalogue()[finding.code]
    rule, colon, comma = (row.zh, "：", "，") if lang == "zh" else (row.en, ": ", ", ")
    parts = [finding.field]
    if finding.found:
        parts.append(("实际为 " if lang == "zh" else "found ") + finding.found)
    if finding.expected:
        parts.append(("应为 " if lang == "zh" else "expected ") + finding.expected)
    return rule + colon + comma.join(parts)


def shown_if_short(text: str) -> str:
    """Return a text that stands where a value of one or two characters belongs, masked when it is longer.

    Devices put values into the wrong place, so a long one may be a badge code.
    """
    return text if len(text) <= _HARMLESS_CHARS else MASK


def as_error(finding: Finding) -> RecordError:
    """Return the error that strict reading raises for a finding."""
    return RecordError(
        describe(finding, "en"),
        code=finding.code,
        field=finding.field,
        excerpt=f"{finding.field}={finding.found}" if finding.found else finding.field,
        expected=finding.expected,
        found=finding.found,
    )
