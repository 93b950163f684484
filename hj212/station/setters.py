"""The settings that a platform reads and changes, each checked against the edition."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from ..codes import ExeRtn
from ..encryption import Key
from ..messages import Message
from ..times import format_time, parse_time
from .commands import row_of
from .link import Link

__all__ = ["Changes", "reading", "setting"]

#: What a request changes: names of settings and their values. Empty: nothing, and that is a success.
Changes = dict[str, Any]


def reading(request: Message, link: Link) -> tuple[str, str]:
    """Return name and value of the setting that a request asks for."""
    settings = link.settings
    match request.cn:
        case "1011":
            return "SystemTime", format_time(link.clock())
        case "1061":
            return "RtdInterval", str(settings.rtd_interval_s)
        case "1063":
            return "MinInterval", str(settings.min_interval)
    raise AssertionError(request.cn)


def setting(request: Message, link: Link) -> Changes | ExeRtn:
    """Return what a request changes, or why it changes nothing."""
    return _SETTERS[request.cn](request, link)


def _number(request: Message, name: str) -> int | None:
    text = request.parameter(name) or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else None


def _within(value: int | None, legal: tuple[int, int]) -> bool:
    return value is not None and legal[0] <= value <= legal[1]


def _timers(request: Message, link: Link) -> Changes | ExeRtn:
    overtime, recount = _number(request, "OverTime"), _number(request, "ReCount")
    rules = link.rules
    if not _within(overtime, rules.overtime_range_s) or not _within(recount, rules.recount_range):
        return ExeRtn.BAD_CONDITION
    return {"overtime_s": overtime, "recount": recount}


def _mn(request: Message, _link: Link) -> Changes | ExeRtn:
    return {"mn": request.mn} if request.mn else ExeRtn.BAD_CONDITION


def _clock(request: Message, link: Link) -> Changes | ExeRtn:
    with suppress(ValueError):
        wanted = parse_time(request.parameter("SystemTime") or "").timestamp()
        return {"clock_offset_s": wanted - link.wall}
    return ExeRtn.BAD_CONDITION


def _key(request: Message, link: Link) -> Changes | ExeRtn:
    created = request.parameter("SKCreateTime") or ""
    with suppress(ValueError):
        key = Key((request.parameter("NewSK") or "").encode("ascii"))
        if key.patterned or not created.isascii() or not created.isdigit():
            return ExeRtn.BAD_CONDITION
        if key == link.settings.key:  # sent again: the key before it is still the former one
            return {"key_created": created}
        return {"key": key, "previous_key": link.keys[0] if link.keys else None, "key_created": created}
    return ExeRtn.BAD_CONDITION


def _realtime_interval(request: Message, link: Link) -> Changes | ExeRtn:
    interval = _number(request, "RtdInterval")
    legal = _within(interval, link.rules.realtime_interval_range_s)
    return {"rtd_interval_s": interval} if legal else ExeRtn.BAD_CONDITION


def _minute_interval(request: Message, link: Link) -> Changes | ExeRtn:
    interval = _number(request, "MinInterval")
    return {"min_interval": interval} if interval in link.rules.minute_intervals else ExeRtn.BAD_CONDITION


def _password(request: Message, link: Link) -> Changes | ExeRtn:
    row = row_of(request.cn, link.rules)
    assert row is not None
    new = request.parameter(row.required[0]) or ""
    legal = new.isascii() and new.isalnum() and len(new) <= link.rules.max_password_chars
    return {"pw": new} if legal else ExeRtn.BAD_CONDITION


_SETTERS: Final[dict[str, Callable[[Message, Link], Changes | ExeRtn]]] = {
    "1000": _timers,
    "1002": _mn,
    "1012": _clock,
    "1014": _key,
    "1062": _realtime_interval,
    "1064": _minute_interval,
    "1072": _password,
}
