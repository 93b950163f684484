"""One ``key=value`` of the data area: is its name known, has its value the right shape (HJ 212-2017 6.3.3, Annex B)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ..deviations import Deviation
from ..editions import RULES, Rules
from ..tables.fields import FieldRow
from ..tables.flags import data_flags
from ..times import parse_time
from ..values import NUMERIC_SUFFIXES, check_value
from .names import likely_row
from .note import note, note_key, note_part, note_value
from .part import Part, wire_size
from .signs import examine_blanks, full_width_sign, note_full_width

__all__ = ["MAX_LOG_BYTES", "examine_pair", "factor_code"]

#: A log (操作日志) is shorter than this (HJ 212-2017 table B.10).
MAX_LOG_BYTES: Final = 890

_NO_NUMBER = frozenset({"blank", "exponent", "not-a-number"})
_LOGS = re.compile(r"i[123]1001-Info\Z")


def factor_code(part: Part) -> str | None:
    """Return what stands before the hyphen of a key, e.g. ``"w01018"``; ``None`` for a parameter like ``DataTime``."""
    code, hyphen, _ = part.key.partition("-")
    return code if hyphen and "=" in part.text else None


def examine_pair(part: Part, rules: Rules, *, new_code: bool) -> Iterator[Deviation]:
    """Yield what is wrong with one pair.

    Args:
        part: The pair.
        rules: The rules to examine it by.
        new_code: Whether its factor code is the first of its kind; the shape of a code is told once.
    """
    yield from examine_blanks(part)
    if sign := full_width_sign(part):
        yield note_full_width(sign)
    if "=" not in part.text:
        if not sign:
            yield note_part("pair-without-equals", part, part.text.strip())
        return
    code = factor_code(part)
    if code is None:
        row = likely_row(part.key, "parameter", rules.edition)
        yield from _examine_parameter(part, row, rules)
    else:
        suffix = "-" + part.key.rpartition("-")[2]
        row = likely_row(suffix, "suffix", rules.edition)
        if part.key.count("-") > 1:
            yield note_key("key-two-hyphens", part, part.key)
        if new_code and not re.fullmatch(rules.factor_pattern, code):
            mistake, expected = _code_mistake(code, suffix, rules)
            yield note(mistake, part.key_offset, wire_size(code), code, expected)
        yield from _examine_suffix(part, suffix, row)
    if not sign:
        yield from _examine_value(part, row, rules)


def _examine_suffix(part: Part, suffix: str, row: FieldRow | None) -> Iterator[Deviation]:
    if row is None or row.name != suffix:
        at = part.key_offset + part.key_size - wire_size(suffix)
        code, expected = ("suffix-case", row.name) if row else ("suffix-unknown", "")
        yield note(code, at, wire_size(suffix), suffix, expected)


def _code_mistake(code: str, suffix: str, rules: Rules) -> tuple[str, str]:
    """Return the known mistake that an ill-formed code is, and what was meant."""
    if code.endswith("z") and re.fullmatch(rules.factor_pattern, code[:-1]):
        return "factor-converted", f"{code[:-1]}-Zs{suffix.lstrip('-')}"
    if re.fullmatch("[0-9]{5}", code) and re.fullmatch(rules.factor_pattern, f"w{code}"):
        return "factor-prefix", f"w{code}, a{code}"
    for other in RULES.values():
        if re.fullmatch(other.factor_pattern, code):
            return "factor-other-edition", other.title
    return "factor-shape", ""


def _examine_parameter(part: Part, row: FieldRow | None, rules: Rules) -> Iterator[Deviation]:
    if rules.reply_qn_in_parameters and part.key in rules.header_fields:
        return  # QN of an answer, CN and packet numbers of 9014, PW of 1072
    if row is None:
        yield note_key("key-unknown", part, part.key)
    elif row.name != part.key:
        yield note_key("key-case", part, part.key, row.name)


def _examine_value(part: Part, row: FieldRow | None, rules: Rules) -> Iterator[Deviation]:
    if row is not None and row.format == "time":
        yield from _examine_time(part)
    elif row is not None and row.format == "data-flag" and part.value not in (known := data_flags(rules.edition)):
        yield note_value("data-flag-unknown", part, part.value, " ".join(known))
    elif row is not None and row.name in NUMERIC_SUFFIXES and _is_no_number(part, row.name, rules):
        yield note_value("value-format", part, f"{part.key}={part.value}")
    if _LOGS.match(part.key):
        yield from _examine_log(part)


def _is_no_number(part: Part, suffix: str, rules: Rules) -> bool:
    """Tell whether a value is no number though its factor is measured: marks of production are letters."""
    misfits = check_value(factor_code(part) or "", suffix, part.value, rules.edition)
    return not _NO_NUMBER.isdisjoint(misfits)


def _examine_time(part: Part) -> Iterator[Deviation]:
    value = part.value
    shown = f"{part.key}={value}"
    if re.fullmatch("[0-9]{17}", value):
        yield note_value("time-milliseconds", part, shown, value[:14])
    elif not re.fullmatch("[0-9]{14}", value):
        yield note_value("time-digits", part, shown)
    else:
        try:
            parse_time(value)
        except ValueError:
            yield note_value("time-calendar", part, shown)


def _examine_log(part: Part) -> Iterator[Deviation]:
    size = part.value_size - len("////")
    if size < 0 or not (part.value.startswith("//") and part.value.endswith("//")):
        yield note_value("log-slashes", part, part.value)
    elif size >= MAX_LOG_BYTES:
        yield note_value("log-too-long", part, str(size), str(MAX_LOG_BYTES))
