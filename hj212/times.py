"""Times on the wire: QN (17 digits) and the 14-digit times (HJ 212-2017 6.3.2, 6.3.3).

The standard names no zone; everybody writes China standard time, UTC+8, whatever the zone of the machine.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from functools import lru_cache

__all__ = ["CHINA", "QnSource", "format_qn", "format_time", "parse_qn", "parse_time"]

CHINA = timezone(timedelta(hours=8), "UTC+8")

_FOURTEEN = re.compile(r"[0-9]{14}\Z", re.ASCII)
_SEVENTEEN = re.compile(r"[0-9]{17}\Z", re.ASCII)


def parse_time(text: str) -> datetime:
    """Read ``YYYYMMDDhhmmss``.

    Raises:
        ValueError: If the text is not 14 digits or no time of the calendar.

    >>> parse_time("20250915100000").isoformat()
    '2025-09-15T10:00:00+08:00'
    """
    if not _FOURTEEN.match(text):
        raise ValueError(f"expected 14 digits YYYYMMDDhhmmss, found {text!r}")
    return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=CHINA)


def format_time(wall: float) -> str:
    """Write POSIX seconds as ``YYYYMMDDhhmmss``; the part below a second is cut off."""
    return _written(int(wall))


@lru_cache(maxsize=1024)
def _written(second: int) -> str:
    # Whoever reports on the clock writes the same second again and again.
    return datetime.fromtimestamp(second, CHINA).strftime("%Y%m%d%H%M%S")


def parse_qn(text: str) -> datetime:
    """Read ``YYYYMMDDhhmmsszzz``.

    Raises:
        ValueError: If the text is not 17 digits or no time of the calendar.
    """
    if not _SEVENTEEN.match(text):
        raise ValueError(f"expected 17 digits YYYYMMDDhhmmsszzz, found {text!r}")
    return parse_time(text[:14]).replace(microsecond=int(text[14:]) * 1000)


def format_qn(wall_ms: int) -> str:
    """Write POSIX milliseconds as a QN.

    >>> format_qn(1757901600123)
    '20250915100000123'
    """
    seconds, millis = divmod(wall_ms, 1000)
    return f"{_written(seconds)}{millis:03d}"


class QnSource:
    """Makes QNs from a clock; two calls never give the same one, for a millisecond taken is left to its owner.

    Args:
        wall: Returns POSIX seconds as the sender's own clock shows them.
    """

    __slots__ = ("_last_ms", "_wall")

    def __init__(self, wall: Callable[[], float]) -> None:
        self._wall = wall
        self._last_ms = -1

    def __call__(self) -> str:
        """Return the next QN. After the clock was set back, it continues from the new time."""
        now_ms = round(self._wall() * 1000)
        if now_ms <= self._last_ms < now_ms + 1000:
            now_ms = self._last_ms + 1
        self._last_ms = now_ms
        return format_qn(now_ms)
