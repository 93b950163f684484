"""Times on the wire (GB/T 28181-2022 A.2.1, 9.10): local Beijing time without a zone, whatever the host's zone.

=====================  =================================  ==============================
place                  written                            read besides
=====================  =================================  ==============================
dateTime of a body     ``2026-01-02T03:04:05``            blank for T, parts of one digit,
                                                          fractions, ``Z``, ``+08:00``
Date of a 200          ``2026-01-02T03:04:05.678``        RFC 1123
``t=`` of SDP          seconds since 1970 (UTC)
=====================  =================================  ==============================
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Final

__all__ = ["BEIJING", "LAST_SECOND", "format_date", "format_datetime", "parse_date", "parse_datetime"]

BEIJING: Final = timezone(timedelta(hours=8), "UTC+8")
#: Last POSIX second of the calendar in Beijing, 9999-12-31T23:59:59.
LAST_SECOND: Final = 253_402_271_999

_EXACT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\Z", re.ASCII)
_CLOCK: Final = r"([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:[.,]([0-9]{1,9}))?)?"
_MET: Final = re.compile(
    rf"\s*([0-9]{{4}})[-/]([0-9]{{1,2}})[-/]([0-9]{{1,2}})(?:[T ]+{_CLOCK})?"
    r"\s*(Z|[+-][0-9]{2}:?[0-9]{2})?\s*\Z",
    re.ASCII | re.IGNORECASE,
)


def format_datetime(wall: float) -> str:
    """Write POSIX seconds as a dateTime; the part below a second is cut off.

    >>> format_datetime(1767294245.9)
    '2026-01-02T03:04:05'
    """
    return _whole(int(wall // 1))


@lru_cache(maxsize=16)  # who serves thousands of devices writes the same second many times
def _whole(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, BEIJING).strftime("%Y-%m-%dT%H:%M:%S")


def format_date(wall_ms: int) -> str:
    """Write POSIX milliseconds as the Date header of a registration's 200 (9.10): not the form of RFC 1123.

    >>> format_date(1767294245678)
    '2026-01-02T03:04:05.678'
    """
    seconds, millis = divmod(wall_ms, 1000)
    return f"{format_datetime(seconds)}.{millis:03d}"


def is_exact(text: str) -> bool:
    """Whether a dateTime has the form of the standard."""
    return _EXACT.match(text) is not None


def parse_datetime(text: str) -> datetime:
    """Read a dateTime in any form that is met; without a zone it is Beijing time.

    Raises:
        ValueError: If it is none, or no time of the calendar.

    >>> parse_datetime("2026-1-2 3:04:05").isoformat()
    '2026-01-02T03:04:05+08:00'
    """
    found = _MET.match(text)
    if not found:
        raise ValueError(f"expected YYYY-MM-DDThh:mm:ss, found {text[:40]!r}")
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    micros = int((fraction or "0").ljust(6, "0")[:6])
    return datetime(
        int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), micros, _zone(zone)
    )


def parse_date(text: str) -> datetime:
    """Read a Date header: the standard's form or RFC 1123.

    Raises:
        ValueError: If it is neither.
    """
    try:
        return parse_datetime(text)
    except ValueError:
        pass
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError) as error:
        raise ValueError(f"expected YYYY-MM-DDThh:mm:ss.sss, found {text[:40]!r}") from error
    return found if found.tzinfo else found.replace(tzinfo=BEIJING)


def _zone(text: str | None) -> timezone:
    if not text:
        return BEIJING
    if text in "Zz":
        return UTC
    hours, minutes = int(text[1:3]), int(text[-2:])
    if hours > 14 or minutes > 59:
        raise ValueError(f"expected a zone as +08:00, found {text!r}")
    offset = timedelta(hours=hours, minutes=minutes)
    return timezone(-offset if text[0] == "-" else offset)
