"""Times as platforms export them, as POSIX milliseconds.

Read are POSIX seconds (10 digits, also with decimals) and milliseconds (13 digits), 14 and 17 digits as on the wire,
and dates with time in the order year, month, day: ``2025-11-28 12:34:56.789``, ``2025/11/28 12:34``,
``2025-11-28T12:34:56+08:00``, ``2025-11-28T04:34:56Z``. What names no zone is in the zone that the caller gives.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final

from stationgate.language import _

__all__ = ["parse_data_time", "parse_instant", "parse_zone"]

_POSIX: Final = re.compile(r"[0-9]{10}(?:\.[0-9]+)?\Z", re.ASCII)
_POSIX_MS: Final = re.compile(r"[0-9]{13}\Z", re.ASCII)
_DIGITS: Final = re.compile(r"([0-9]{14})([0-9]{3})?\Z", re.ASCII)
_DATE: Final = re.compile(
    r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})[T ]+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?"
    r"\s*(Z|[+-][0-9]{2}:?[0-9]{2})?\Z",
    re.ASCII | re.IGNORECASE,
)
_ZONE: Final = re.compile(r"([+-])([0-9]{2}):?([0-9]{2})\Z", re.ASCII)


def parse_zone(text: str) -> tzinfo:
    """Read ``+08:00`` or ``Z``.

    Raises:
        ValueError: If it is neither.
    """
    if text.upper() == "Z":
        return UTC
    found = _ZONE.match(text)
    if not found:
        raise ValueError(_("expected a zone like +08:00, found {text!r}").format(text=text))
    offset = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return timezone(-offset if found[1] == "-" else offset)


def parse_instant(text: str, zone: tzinfo) -> int:
    """Read a time as POSIX milliseconds.

    Raises:
        ValueError: If it has none of the forms above, or is no time of the calendar.
    """
    text = text.strip()
    try:
        return _instant(text, zone)
    except (ValueError, OverflowError):
        raise ValueError(_("expected a time like 2025-11-28 12:34:56, found {text!r}").format(text=text)) from None


def _instant(text: str, zone: tzinfo) -> int:
    if _POSIX_MS.match(text):
        return int(text)
    if _POSIX.match(text):
        return round(float(text) * 1000)
    if found := _DIGITS.match(text):
        moment = datetime.strptime(found[1], "%Y%m%d%H%M%S").replace(tzinfo=zone)
        return round(moment.timestamp()) * 1000 + int(found[2] or 0)
    found = _DATE.match(text)
    if not found:
        raise ValueError
    year, month, day, hour, minute = map(int, found.groups()[:5])
    named = parse_zone(found[8]) if found[8] else zone
    moment = datetime(year, month, day, hour, minute, int(found[6] or 0), tzinfo=named)
    return round(moment.timestamp()) * 1000 + int((found[7] or "").ljust(3, "0")[:3])


def parse_data_time(text: str) -> str:
    """Return a DataTime as its digits, from whatever form a platform shows; empty where it has none.

    >>> parse_data_time("2025/11/28 12:34:00")
    '20251128123400'
    """
    text = text.strip()
    if _DIGITS.match(text):
        return text
    found = _DATE.match(text)
    if not found:
        return ""
    parts = [int(part or 0) for part in found.groups()[:6]]
    return f"{parts[0]:04d}" + "".join(f"{part:02d}" for part in parts[1:])
