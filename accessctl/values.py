"""One value <-> its text, by the row of the dictionary."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, TypeAlias

from hj212 import CHINA

from .dictionaries import Code, defined_in
from .findings import MASK, shown_if_short

__all__ = ["DATA_TIME", "Meaning", "Parsed", "Problem", "format_value", "parse_value", "shown"]

Meaning: TypeAlias = StrEnum | bool | datetime | str

#: ``(finding code, found, expected)``
Problem: TypeAlias = tuple[str, str, str]

#: DataTime is no code of any dictionary, but its value is a time like the others.
DATA_TIME: Final = Code(
    code="DataTime",
    role="data_time",
    name_zh="数据时间",
    name_en="data time",
    format=r"20\d{12}",
    clause="HJ 212-2017 6.3.3",
)
_TIMES: Final = frozenset({"opened_at", DATA_TIME.role})
_DELIMITER: Final = "//"

_FOURTEEN: Final = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)", re.ASCII)
_OTHER_TIMES: Final = (
    re.compile(r"(\d{4})[-/.](\d\d?)[-/.](\d\d?)[T ]+(\d\d?):(\d\d):(\d\d)(?:[.,]\d{1,6})?(?:\+08:?00)?", re.ASCII),
    re.compile(_FOURTEEN.pattern + r"\d{3}", re.ASCII),  # with milliseconds, like a QN
)
#: Region, date of birth, serial, check character of a resident identity number (GB 11643-1999).
_RESIDENT_ID: Final = re.compile(
    r"(?<![0-9A-Za-z])[1-9]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx](?![0-9A-Za-z])",
    re.ASCII,
)


@dataclass(slots=True)
class Parsed:
    """What a text means and what is wrong with it."""

    meaning: Meaning | None
    personal: bool = False
    problems: list[Problem] = field(default_factory=list)


def shown(text: str, personal: bool) -> str:
    """Return a text as findings and errors show it; an empty one is no secret."""
    return MASK if personal and text else text


def parse_value(row: Code, sent: str) -> Parsed:
    """Read one value; blanks around it are not its business."""
    text = sent.strip()
    if not text:
        free = not (row.values or row.role in _TIMES)
        return Parsed("" if free else None, row.personal, [("value-empty", "", _expected(row))])
    if row.values:
        return _choice(row, text)
    return _time(row, text) if row.role in _TIMES else _text(row, text)


def format_value(row: Code, meaning: Meaning) -> str:
    """Write one value.

    Raises:
        ValueError: If the row has no text for the meaning; the text says what it allows.
    """
    if row.values:
        for value in row.values:
            if value.meaning == meaning:
                return value.wire
        raise ValueError(f"allowed are {', '.join(str(v.meaning) for v in row.values)}")
    if isinstance(meaning, datetime):
        if meaning.tzinfo is None or meaning.microsecond:
            raise ValueError("a time has a zone and whole seconds")
        return meaning.astimezone(CHINA).strftime("%Y%m%d%H%M%S")
    return f"{_DELIMITER}{meaning}{_DELIMITER}" if row.delimited else str(meaning)


def _expected(row: Code) -> str:
    if row.values:
        return ", ".join(value.wire for value in row.values)
    if row.role in _TIMES:
        return "YYYYMMDDhhmmss"
    return f"{_DELIMITER}...{_DELIMITER}" if row.delimited else row.format


def _choice(row: Code, text: str) -> Parsed:
    by_wire = {value.wire: value.meaning for value in row.values}
    if text in by_wire:
        return Parsed(by_wire[text], row.personal)
    trimmed = text.lstrip("0") or "0"
    if trimmed in by_wire:
        # A format of one or two digits allows what a format of one digit does not.
        allowed = re.fullmatch(row.format, text, re.ASCII)
        problems: list[Problem] = [] if allowed else [("value-leading-zero", text, trimmed)]
        return Parsed(by_wire[trimmed], row.personal, problems)
    found = shown_if_short(text)
    personal = found == MASK
    elsewhere = [
        f"{name}: {value.meaning}"
        for name, other in defined_in(row.code).items()
        for value in other.values
        if value.wire == text
    ]
    if elsewhere:
        found += f" ({', '.join(elsewhere)})"
    return Parsed(None, personal, [("value-outside-set", found, _expected(row))])


def _time(row: Code, text: str) -> Parsed:
    plain = _FOURTEEN.fullmatch(text)
    match = plain or next(filter(None, (pattern.fullmatch(text) for pattern in _OTHER_TIMES)), None)
    if match is None:
        return Parsed(None, True, [("time-invalid", shown(text, True), _expected(row))])
    try:
        year, month, day, hour, minute, second = map(int, match.groups())
        meaning = datetime(year, month, day, hour, minute, second, tzinfo=CHINA)
    except ValueError:
        personal = not text.startswith("20")  # then it need not be meant as a time at all
        return Parsed(None, personal, [("time-invalid", shown(text, personal), _expected(row))])
    problems: list[Problem] = []
    if not plain:
        problems.append(("time-format", text, _expected(row)))
    elif not re.fullmatch(row.format, text, re.ASCII):
        problems.append(("value-format", text, row.format))
    return Parsed(meaning, False, problems)


def _text(row: Code, text: str) -> Parsed:
    problems: list[Problem] = []
    inner = text
    if row.delimited:
        if len(text) >= 2 * len(_DELIMITER) and text.startswith(_DELIMITER) and text.endswith(_DELIMITER):
            inner = text[len(_DELIMITER) : -len(_DELIMITER)]
        else:
            problems.append(("delimiters", shown(text, row.personal), _expected(row)))
        if not inner:
            problems.append(("value-empty", "", _expected(row)))
    # A text of the wrong shape may be anything, a badge code in the wrong place included.
    misshapen = bool(row.format) and not re.fullmatch(row.format, inner, re.ASCII)
    personal = row.personal or (misshapen and shown_if_short(inner) == MASK)
    found = shown(inner, personal)
    if any("\udc80" <= char <= "\udcff" for char in inner):
        problems.append(("not-utf-8", found, "UTF-8"))
    elif not row.delimited and not inner.isascii():
        problems.append(("non-ascii", found, "ASCII"))
    elif misshapen:
        problems.append(("value-format", found, row.format))
    if row.max_chars is not None and len(inner) > row.max_chars:
        problems.append(("value-too-long", str(len(inner)), f"<= {row.max_chars}"))
    if row.max_bytes is not None and (size := len(inner.encode("utf-8", "surrogateescape"))) > row.max_bytes:
        problems.append(("value-too-long", str(size), f"<= {row.max_bytes}"))
    if row.personal and _RESIDENT_ID.search(inner):
        problems.append(("personal-data", MASK, ""))
    return Parsed(inner, personal, problems)
