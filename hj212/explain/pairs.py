"""One ``key=value`` of the data area: is its name known, has its value the right shape (HJ 212-2017 6.3.3, Annex B)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ..deviations import Deviation
from ..tables.fields import FieldRow
from ..tables.flags import data_flags
from ..times import parse_time
from .names import likely_row
from .note import note, note_key, note_part, note_value
from .part import Part, wire_size
from .signs import examine_blanks, full_width_sign, note_full_width

__all__ = ["MAX_LOG_BYTES", "examine_pair", "factor_code"]

#: A log (操作日志) is shorter than this (HJ 212-2017 table B.10).
MAX_LOG_BYTES: Final = 890

# Tables B.1 to B.10: water, air, noise, process data of waste water and gas, site information, equipment.
_CODE = re.compile(r"(?:[wa][0-9]{5}|L[0-9A-Za-z]{1,3}|[eg][0-9A-Za-z]{5}|[iI][0-9][0-9A-Za-z]{4}|SB[0-9]{1,3})\Z")
_LOGS = re.compile(r"i[123]1001-Info\Z")


def factor_code(part: Part) -> str | None:
    """Return what stands before the hyphen of a key, e.g. ``"w01018"``; ``None`` for a parameter like ``DataTime``."""
    code, hyphen, _ = part.key.partition("-")
    return code if hyphen and "=" in part.text else None


def examine_pair(part: Part, *, new_code: bool) -> Iterator[Deviation]:
    """Yield what is wrong with one pair.

    Args:
        part: The pair.
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
        row = likely_row(part.key, "parameter")
        yield from _examine_parameter(part, row)
    else:
        suffix = "-" + part.key.rpartition("-")[2]
        row = likely_row(suffix, "suffix")
        if part.key.count("-") > 1:
            yield note_key("key-two-hyphens", part, part.key)
        if new_code and not _CODE.match(code):
            yield note("factor-shape", part.key_offset, wire_size(code), code)
        yield from _examine_suffix(part, suffix, row)
    if not sign:
        yield from _examine_value(part, row)


def _examine_suffix(part: Part, suffix: str, row: FieldRow | None) -> Iterator[Deviation]:
    if row is None or row.name != suffix:
        at = part.key_offset + part.key_size - wire_size(suffix)
        code, expected = ("suffix-case", row.name) if row else ("suffix-unknown", "")
        yield note(code, at, wire_size(suffix), suffix, expected)


def _examine_parameter(part: Part, row: FieldRow | None) -> Iterator[Deviation]:
    if row is None:
        yield note_key("key-unknown", part, part.key)
    elif row.name != part.key:
        yield note_key("key-case", part, part.key, row.name)


def _examine_value(part: Part, row: FieldRow | None) -> Iterator[Deviation]:
    if row is not None and row.format == "time":
        yield from _examine_time(part)
    elif row is not None and row.format == "data-flag" and part.value not in data_flags():
        yield note_value("data-flag-unknown", part, part.value, " ".join(data_flags()))
    if _LOGS.match(part.key):
        yield from _examine_log(part)


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
