"""What the tables say of a frame that follows every rule: is its system in them, are its factors, do values fit.

These are remarks: the tables are open, their formats are defaults (HJ 212-2017 6.3.3, 6.6, Annex B), and many a frame
that every platform takes has some.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ..deviations import Deviation
from ..editions import RULES, Rules
from ..tables.factors import factor_rows
from ..tables.systems import system
from ..values import default_format
from .header import Header
from .note import note, note_value
from .outline import Outline
from .pairs import factor_code
from .part import Part, in_a_row, wire_size

__all__ = ["examine_listed"]

_SYSTEM = re.compile(r"[0-9]{2}\Z")  # those that begin with a letter are the standard's own room for extension
_FACTOR = re.compile(r"[waeg][0-9A-Za-z]{5}|L[0-9A-Za-z]{1,3}|[0-9]{2,3}|[SB][0-9]{2}")
#: Misfit of a number -> remark.
_DIGITS: Final = {"whole-digits": "value-digits", "decimals": "value-decimals"}


def examine_listed(outline: Outline, header: Header, rules: Rules) -> Iterator[Deviation]:
    """Yield what the tables of the edition do not have, or have otherwise."""
    part = header.fields.get("ST")
    if part and _SYSTEM.match(part.value) and not system(part.value, rules.edition):
        yield from _remark_system(part)
    told: set[str] = set()
    for part in _parts(outline):
        code = factor_code(part)
        if code is None:
            continue
        if code not in told:
            yield from _remark_factor(part, code, rules)
        told.add(code)
        yield from _remark_digits(part, code, rules)


def _parts(outline: Outline) -> list[Part]:
    items = outline.parsed.items
    start = outline.header_end + len(outline.parsed.opening)
    parts = list(in_a_row((pair for item in items for pair in item), start))
    return parts[:-1] if outline.cut else parts


def _remark_system(part: Part) -> Iterator[Deviation]:
    others = [rules.title for rules in RULES.values() if system(part.value, rules.edition)]
    if others:
        yield note_value("st-other-edition", part, part.value, ", ".join(others))
    else:
        yield note_value("st-unlisted", part, part.value)


def _remark_factor(part: Part, code: str, rules: Rules) -> Iterator[Deviation]:
    """Yield whether a code of the edition's form is in none of its tables; codes in use without one are let pass."""
    if not (re.fullmatch(rules.factor_pattern, code) and _FACTOR.fullmatch(code)):
        return
    rows = factor_rows(code)
    if not any(rules.edition in row.editions or not row.editions for row in rows):
        yield note("factor-unlisted", part.key_offset, wire_size(code), code)


def _remark_digits(part: Part, code: str, rules: Rules) -> Iterator[Deviation]:
    suffix = "-" + part.key.rpartition("-")[2]
    if suffix == "-Info":
        return  # what such a code means is for its jurisdiction to say
    declared = default_format(code, suffix, rules.edition)
    for misfit in declared.misfits(part.value) if declared else ():
        if misfit in _DIGITS:
            yield note_value(_DIGITS[misfit], part, f"{part.key}={part.value}", str(declared))
