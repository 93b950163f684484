"""What the values of a scenario may look like: one reader for each word in the column ``accepts`` of ``keys.csv``.

A reader returns the value as the record holds it, or raises :class:`Unfit` with what was expected.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime, time, timedelta, timezone
from difflib import get_close_matches
from math import isfinite
from types import MappingProxyType
from typing import Any, Final

from stationgate.language import _

from ..world.levels import MAX_DIGITS, Level
from .identities import is_gb_id, is_mn, is_pw
from .keys import Key
from .records import shift_span

__all__ = ["BEIJING", "MAX_SOURCES", "READERS", "Given", "Unfit", "one_of"]

#: Local addresses of one target. With 28,000 connections from each they serve the largest scenario a hundred times.
MAX_SOURCES: Final = 4096
BEIJING: Final = timezone(timedelta(hours=8))
#: Instants of a run lie within this of its start: ten years.
_MAX_SECONDS: Final = 315_360_000.0
_HOUR_S: Final = 3600
_DAY_S: Final = 24 * _HOUR_S
_OFFSET: Final = re.compile(r"\+([0-9]{1,5}):([0-5][0-9]):([0-5][0-9](?:\.[0-9]{1,3})?)\Z", re.ASCII)
_SHIFT: Final = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]-(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)\Z", re.ASCII)
_CODE: Final = re.compile(r"[0-9A-Za-z]{1,20}\Z", re.ASCII)
_SM4_KEY: Final = re.compile(r"[0-9A-Fa-f]{32}\Z", re.ASCII)
_ST: Final = re.compile(r"[0-9A-Z]{2}\Z", re.ASCII)


class Unfit(Exception):
    """A value that is not what its key takes; the text says what that is."""

    def __init__(self, wanted: str, hint: str = "") -> None:
        super().__init__(wanted)
        self.wanted = wanted
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Given:
    """A value with what is needed to read it."""

    value: Any
    key: Key
    start: datetime | None = None  #: the scenario's, for instants that are date-times
    choices: Sequence[str] = ()  #: those of the key, where the table cannot list them


def one_of(choices: Sequence[str]) -> str:
    """Return the words for one of several values."""
    *most, last = (f'"{choice}"' for choice in choices)
    return _("{some} or {last}").format(some=", ".join(most), last=last) if most else last


def _text(given: Given) -> str:
    if not isinstance(given.value, str) or not given.value or "\0" in given.value:
        raise Unfit(_("text in quotes"))
    return given.value


def _texts(given: Given) -> tuple[str, ...]:
    value = given.value
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise Unfit(_("a list of names"))
    return tuple(value)


def _select(given: Given) -> tuple[str, ...]:
    value = [given.value] if isinstance(given.value, str) else given.value
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and one for one in value):
        raise Unfit(_("a term in quotes, or a list of them"))
    return tuple(value)


def _boolean(given: Given) -> bool:
    if not isinstance(given.value, bool):
        raise Unfit(_("true or false"))
    return given.value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _within(given: Given, span: str, least_only: str) -> None:
    """Check a number against the limits of its key: ``span`` words both of them, ``least_only`` the lower."""
    key, value = given.key, given.value
    if (key.least is not None and value < key.least) or (key.most is not None and value > key.most):
        words = span if key.most is not None else least_only
        raise Unfit(words.format(least=_figure(key.least or 0), most=_figure(key.most or 0)))


def _figure(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


def _whole(given: Given) -> int:
    value = given.value
    if not isinstance(value, int) or isinstance(value, bool) or (value < 0 and given.key.most is None):
        raise Unfit(_("a whole number"))
    _within(given, _("{least} to {most}"), _("{least} or more"))
    return value


def _number(given: Given) -> float:
    if not _is_number(given.value):
        raise Unfit(_("a number"))
    _within(given, _("{least} to {most}"), _("{least} or more"))
    return float(given.value)


def _seconds(given: Given) -> float:
    if not _is_number(given.value) or given.value < 0:
        raise Unfit(_("a number of seconds"))
    _within(given, _("{least} to {most} s"), _("{least} s or more"))
    if given.value > _MAX_SECONDS:
        raise Unfit(_("{most} s at most").format(most=_figure(_MAX_SECONDS)))
    return float(given.value)


def _signed(given: Given) -> float:
    if not _is_number(given.value):
        raise Unfit(_("a number of seconds"))
    _within(given, _("{least} to {most} s"), _("{least} s or more"))
    return float(given.value)


def _choice(given: Given) -> str:
    choices = given.choices or given.key.choices
    if not isinstance(given.value, str) or given.value not in choices:
        # Of few words all can be seen at a glance.
        near = get_close_matches(str(given.value), choices, n=1, cutoff=0.6) if len(choices) > 3 else []
        raise Unfit(one_of(choices), _("did you mean {name}?").format(name=near[0]) if near else "")
    return str(given.value)


def _choice_whole(given: Given) -> int:
    value = given.value
    if not isinstance(value, int) or isinstance(value, bool) or str(value) not in given.key.choices:
        raise Unfit(one_of(given.key.choices).replace('"', ""))
    return value


def _matching(test: Callable[[str], object], wanted: Callable[[], str]) -> Callable[[Given], str]:
    def read(given: Given) -> str:
        if not isinstance(given.value, str) or not given.value:
            raise Unfit(_("text in quotes"))
        if not test(given.value):
            raise Unfit(wanted())
        return given.value

    return read


def _shifts(given: Given) -> tuple[str, ...]:
    value = given.value
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and _SHIFT.match(one) for one in value):
        raise Unfit(_('a list of shifts such as "08:00-20:00"'))
    spans = [shift_span(text) for text in value]
    following = [*(begin for begin, _end in spans[1:]), spans[0][0] + _DAY_S]
    for (begin, end), later in zip(spans, following, strict=True):
        if end - begin < _HOUR_S or 0 != later - end < _HOUR_S:
            raise Unfit(_("shifts in order, each an hour or longer, with an hour or nothing between them"))
    return tuple(value)


def _codes(given: Given) -> tuple[tuple[str, str], ...]:
    value = given.value
    if not isinstance(value, dict) or not all(isinstance(code, str) and _CODE.match(code) for code in value.values()):
        raise Unfit(_('a table of codes such as {{ voltage_a = "d20105" }}').format())
    return tuple(value.items())


def _levels(given: Given) -> tuple[tuple[str, Level], ...]:
    wanted = _("a table of levels such as {{ w01018 = {{ mean = 42.0, spread = 3.5 }} }}").format()
    value = given.value
    if not isinstance(value, dict) or not all(
        _CODE.match(code) and isinstance(one, dict) for code, one in value.items()
    ):
        raise Unfit(wanted)
    return tuple((code, _level(code, one)) for code, one in value.items())


def _level(code: str, given: dict[str, Any]) -> Level:
    known = [field.name for field in fields(Level)]
    for name, value in given.items():
        if name not in known:
            near = get_close_matches(name, known, n=1, cutoff=0.5)
            raise Unfit(one_of(known), _("did you mean {name}?").format(name=near[0]) if near else "")
        if not _is_number(value) or (name in ("spread", "swing") and value < 0):
            raise Unfit(_("a number as {name} of {code}").format(name=name, code=code))
    digits, peak_h = given.get("digits", 0), given.get("peak_h", 0)
    if not isinstance(digits, int) or not 0 <= digits <= MAX_DIGITS:
        raise Unfit(_("{most} digits of {code} at most").format(most=MAX_DIGITS, code=code))
    if not 0 <= peak_h <= 24:
        raise Unfit(_("an hour from 0 to 24 as peak_h of {code}").format(code=code))
    if "mean" not in given or not given.get("least", given["mean"]) <= given["mean"] <= given.get(
        "most", given["mean"]
    ):
        raise Unfit(_("a mean of {code}, between least and most").format(code=code))
    numbers = {name: float(value) for name, value in given.items() if name != "digits"}
    return Level(**numbers, digits=given.get("digits"))


def _start(given: Given) -> datetime:
    value = given.value
    if not isinstance(value, datetime):
        raise Unfit(_("a date and time such as 2026-01-01T08:00:00"))
    return value if value.tzinfo else value.replace(tzinfo=BEIJING)


def _instant(given: Given) -> float:
    value = given.value
    if _is_number(value) and 0 <= value <= _MAX_SECONDS:
        return float(value)
    if isinstance(value, str) and (found := _OFFSET.match(value)):
        return float(int(found[1]) * 3600 + int(found[2]) * 60) + float(found[3])
    if isinstance(value, datetime):
        if given.start is None:
            raise Unfit(_("seconds from the start"), _("a date and time needs start at the top of the file"))
        offset = (_start(given) - given.start).total_seconds()
        if offset < 0:
            raise Unfit(_("an instant after the start, {start}").format(start=given.start.isoformat()))
        return round(offset, 3)
    hint = _('write a time after the start as "+00:10:00"') if isinstance(value, time | date | str) else ""
    raise Unfit(_('seconds from the start, "+HH:MM:SS" or a date and time'), hint)


def _addresses(given: Given) -> tuple[str, ...]:
    value = [given.value] if isinstance(given.value, str) else given.value
    wanted = _('addresses such as "127.0.1.1", "127.0.1.1-127.0.1.40" or "127.0.1.0/28"')
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Unfit(wanted)
    found: dict[str, None] = {}
    for text in value:
        try:
            first, last = _ends(text)
        except ValueError:
            raise Unfit(wanted) from None
        if int(last) < int(first):
            raise Unfit(_("a range that begins with its lowest address"))
        if len(found) + int(last) - int(first) + 1 > MAX_SOURCES:
            raise Unfit(_("{limit} addresses at most").format(limit=MAX_SOURCES))
        for number in range(int(first), int(last) + 1):
            address = str(type(first)(number))
            if address in found:
                raise Unfit(_("each address once, {address} comes again").format(address=address))
            found[address] = None
    return tuple(found)


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def _ends(text: str) -> tuple[_Address, _Address]:
    """Return the first and last address of a text; of a network only those that a host may have."""
    if "/" in text:
        network = ipaddress.ip_network(text)
        if network.num_addresses <= 2:
            return network[0], network[-1]
        return network[1], network[-2]
    begin, _dash, end = text.partition("-")
    first = ipaddress.ip_address(begin.strip())
    last = ipaddress.ip_address(end.strip()) if end else first
    if first.version != last.version:
        raise ValueError(text)
    return first, last


#: What reads a value, by the word in the column ``accepts``.
READERS: Final[Mapping[str, Callable[[Given], Any]]] = MappingProxyType(
    {
        "text": _text,
        "secret": _text,
        "texts": _texts,
        "select": _select,
        "boolean": _boolean,
        "whole": _whole,
        "number": _number,
        "share": _number,
        "seconds": _seconds,
        "signed": _signed,
        "choice": _choice,
        "choice-whole": _choice_whole,
        "mn": _matching(is_mn, lambda: _("hexadecimal digits")),
        "pw": _matching(is_pw, lambda: _("1 to 64 printable ASCII characters other than ; and &")),
        "gb-id": _matching(is_gb_id, lambda: _("20 digits")),
        "digits": _matching(re.compile("[0-9]{1,20}", re.ASCII).fullmatch, lambda: _("digits")),
        "key": _matching(_SM4_KEY.match, lambda: _("32 hexadecimal digits")),
        "st": _matching(_ST.match, lambda: _("two digits or capital letters")),
        "shifts": _shifts,
        "levels": _levels,
        "codes": _codes,
        "start": _start,
        "instant": _instant,
        "addresses": _addresses,
    }
)
