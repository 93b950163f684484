"""Which named faults a station has: what each would have looked like, held against what was there.

A fault on the bytes is applied to the segment and compared with the frame, so each that is registered is found without
being known here. Faults of the protocol and of the world are told by a small question each, in :data:`QUESTIONS`.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from typing import Final

from hj212 import HJ_212_2017, RULES, build_frame
from hj212.framing import Frame
from hj212.times import parse_time

from ..faults import FAULTS, behaviour_with
from .messages import DOOR, Heard, newness, style_of

__all__ = ["QUESTIONS", "Quirks", "Shown", "bytes_fault"]

#: Right frames of a station that are kept to tell how often a fault would have been visible in them.
_SAMPLES: Final = 64
#: Share of the chances that a fault must have taken to be there always.
_ALWAYS: Final = 0.95

#: Tells whether a message shows a fault: yes, no, or ``None`` where it would not be visible in it.
Question = Callable[[Heard], bool | None]


@cache
def _encoders() -> Mapping[str, Callable[[bytes], bytes]]:
    encoders = {name: behaviour_with([name]).encode for name, fault in FAULTS.items() if fault.layer == "bytes"}
    # Not those of the link, which leave frames as they are, nor what is no frame and names nobody.
    return {
        name: encode for name, encode in encoders.items() if encode is not build_frame and encode(b"").startswith(b"##")
    }


def bytes_fault(frame: Frame) -> str:
    """Return the fault that makes this frame of its segment; empty where none does."""
    for name, encode in _encoders().items():
        if len(frame.segment) <= 9999 and encode(frame.segment) == frame.raw:
            return name
    return ""


class Shown:
    """How often a fault was there, and how often it could have been."""

    __slots__ = ("chances", "times")

    def __init__(self, times: int = 0, chances: int = 0) -> None:
        self.times = times
        self.chances = chances

    @property
    def share(self) -> float:
        """Share of the chances that it took."""
        return self.times / max(self.chances, 1)

    @property
    def always(self) -> bool:
        """Whether it is there as good as always."""
        return self.times > 0 and self.share >= _ALWAYS

    def __repr__(self) -> str:
        return f"Shown({self.times}, {self.chances})"


class Quirks:
    """The faults of one station, message by message.

    Attributes:
        shown: What was seen of each.
        unknown: Frames that are wrong in a way that no fault is: ``crc``, ``length`` or ``tail``.
    """

    __slots__ = ("_right", "_samples", "_wrong", "shown", "unknown")

    def __init__(self) -> None:
        self.shown: dict[str, Shown] = {}
        self.unknown: Counter[str] = Counter()
        self._wrong: Counter[str] = Counter()
        self._right = 0
        self._samples: list[bytes] = []

    def frame(self, frame: Frame) -> None:
        """Look at the bytes around a segment."""
        if len(frame.segment) <= 9999 and frame.raw == build_frame(frame.segment):
            self._right += 1
            if len(self._samples) < _SAMPLES:
                self._samples.append(frame.segment)
        elif name := bytes_fault(frame):
            self._wrong[name] += 1
        elif not frame.length_ok:
            self.unknown["length"] += 1
        else:
            self.unknown["crc" if not frame.crc_ok else "tail"] += 1

    def message(self, heard: Heard) -> None:
        """Ask every question of a message of the station."""
        for name, question in QUESTIONS.items():
            answer = question(heard)
            if answer is not None:
                self.count(name, answer)

    def count(self, name: str, answer: bool) -> None:
        """Take note of one chance."""
        shown = self.shown.setdefault(name, Shown())
        shown.chances += 1
        shown.times += answer

    def found(self) -> dict[str, Shown]:
        """Return every fault that was there at all."""
        found = {name: shown for name, shown in self.shown.items() if shown.times}
        for name, times in self._wrong.items():
            encode = _encoders()[name]
            visible = sum(encode(segment) != build_frame(segment) for segment in self._samples)
            others = round(self._right * visible / len(self._samples)) if self._samples else 0
            found[name] = Shown(times, times + others)
        return found


# Questions


def _of(kinds: tuple[str, ...], ask: Question) -> Question:
    """Ask of some kinds of message only."""
    return lambda heard: ask(heard) if heard.kind in kinds else None


_DOOR_DATA: Final = ("periodic", "change", "record")
_WINDOWS: Final = ("minute", "hour", "day")
_MEASURED: Final = ("periodic", *_WINDOWS)
_STATISTICS: Final = ("Min", "Avg", "Max")
_MAX_SEGMENT_BYTES: Final = HJ_212_2017.max_segment_bytes
_HOUR_S: Final = 3600.0
_UTC_S: Final = 8 * _HOUR_S
#: Two times are the same if they differ by less.
_NEAR_S: Final = 120.0


def _header(heard: Heard) -> list[str]:
    return [pair[0].strip() for pair in heard.message.segment.header]


def _mn_before_pw(heard: Heard) -> bool | None:
    names = _header(heard)
    return names.index("MN") < names.index("PW") if "MN" in names and "PW" in names else None


def _qn_14_digits(heard: Heard) -> bool | None:
    qn = heard.message.qn
    return len(qn) == 14 and qn.isdigit() if qn and heard.kind else None


def _no_answer_wanted(heard: Heard) -> bool | None:
    return not heard.message.wants_answer if heard.kind and heard.edition is not None else None


def _without_packet_numbers(heard: Heard) -> bool | None:
    if not heard.kind or heard.edition is None or not RULES[heard.edition].numbered_needs_packet_numbers:
        return None
    return bool((heard.message.flag or 0) & 2) and heard.message.pnum is None


def _flag_2005(heard: Heard) -> bool | None:
    if not heard.kind or heard.edition is None:
        return None
    styles = (style_of(code) for code, *_rest in heard.readings())
    later = heard.of_door or any(style is not None and newness(style) > 0 for style in styles)
    return newness(heard.edition) == 0 if later else None


def _key_like(wrong: str, right: str) -> Question:
    def ask(heard: Heard) -> bool | None:
        keys = {key for key, _value in heard.pairs}
        shows = any(key == wrong or (wrong.startswith("-") and key.endswith(wrong)) for key in keys)
        could = any(key == right or (right.startswith("-") and key.endswith(right)) for key in keys)
        return shows if heard.kind and (shows or could) else None

    return ask


def _blanks(heard: Heard) -> bool | None:
    if heard.encrypted or not heard.kind:
        return None
    keys = [pair[0] for item in heard.message.items for pair in item if pair[0]]
    return all(key.startswith(" ") for key in keys) if keys else None


def _trailing_semicolon(heard: Heard) -> bool | None:
    if heard.encrypted or not heard.kind or not heard.message.items:
        return None
    return heard.message.items[-1] == [[""]]


def _long_datatime(heard: Heard) -> bool | None:
    text = heard.value("DataTime")
    return None if text is None or not heard.kind else len(text) == 17


def _log(ask: Callable[[str], bool]) -> Question:
    def of_log(heard: Heard) -> bool | None:
        text = heard.value(f"{DOOR.log}-Info") if heard.kind == "log" else None
        return None if text is None else ask(text)

    return of_log


def _is_gbk(text: str) -> bool:
    raw = text.encode("utf-8", "surrogateescape")
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return True
    return False


def _door_value(role: str, ask: Callable[[str], bool]) -> Question:
    code = {"method": DOOR.method, "person": DOOR.person, "opened_at": DOOR.opened_at}[role]

    def of_record(heard: Heard) -> bool | None:
        value = heard.value(f"{code}-Info") if heard.kind == "record" else None
        return None if value is None else ask(value)

    return of_record


def _open_time_utc(heard: Heard) -> bool | None:
    text = heard.value(f"{DOOR.opened_at}-Info") if heard.kind == "record" else None
    at = heard.qn_at
    if text is None or at is None:
        return None
    try:
        return abs(at - parse_time(text).timestamp() - _UTC_S) < _NEAR_S
    except ValueError:
        return None


def _in_pieces(heard: Heard) -> bool | None:
    if heard.kind != "record":
        return None
    method = heard.value(f"{DOOR.method}-Info")
    return None if method is None else heard.value(f"{DOOR.person}-Info") is None


def _state_of_2017(heard: Heard) -> bool | None:
    if heard.kind != "periodic" or not heard.of_door:
        return None
    return heard.value(f"{DOOR.door}-Info", f"{DOOR.door}-Rtd") == "2"


def _oversized(heard: Heard) -> bool | None:
    if not heard.kind or heard.frame is None or heard.message.pnum is not None:
        return None
    return True if len(heard.frame.segment) > _MAX_SEGMENT_BYTES else None


def _pno_from_zero(heard: Heard) -> bool | None:
    # Of two packets the first alone tells; a missing one is not to be mistaken for it.
    return heard.message.pno == 0 if heard.kind and heard.message.pno in (0, heard.message.pnum) else None


def _full_width_comma(heard: Heard) -> bool | None:
    if heard.of_door or heard.kind not in _MEASURED:
        return None
    wide = any("，" in value for _key, value in heard.pairs)
    return wide if wide or any("," in part for part in _area(heard).split(";")) else None


def _area(heard: Heard) -> str:
    return bytes(heard.message).decode("utf-8", "replace").partition("CP=&&")[2]


def _datatime_ahead(heard: Heard) -> bool | None:
    if heard.kind != "periodic" or heard.qn_at is None or heard.about is None:
        return None
    return abs(heard.about - heard.qn_at - _HOUR_S) < _NEAR_S


def _of_windows(ask: Callable[[float, float, float], bool]) -> Question:
    """Ask of the statistics of every factor, where they differ at all."""

    def of_windows(heard: Heard) -> bool | None:
        if heard.kind not in _WINDOWS or heard.of_door:
            return None
        found = [ask(*each) for each in heard.statistics(_STATISTICS) if len(set(each)) > 1]
        return all(found) if found else None

    return of_windows


def _not_converted(heard: Heard) -> bool | None:
    if heard.kind != "periodic" or heard.of_door:
        return None
    found = [measured == converted for measured, converted in heard.statistics(("Rtd", "ZsRtd"))]
    return all(found) if found else None


def _method_code_5(heard: Heard) -> bool | None:
    # Where the table has 4, a password.
    value = heard.value(f"{DOOR.method}-Info") if heard.kind == "record" else None
    return value == "5" if value in ("4", "5") else None


def _incomplete(heard: Heard) -> bool | None:
    if heard.kind != "periodic" or not heard.of_door:
        return None
    return not any(key.startswith(DOOR.fault) for key, _value in heard.pairs)


def _of_another_st(heard: Heard) -> bool | None:
    return heard.message.st == "32" if heard.of_door else None


def _own_st_in_replies(heard: Heard) -> bool | None:
    return heard.message.st == "81" if heard.message.cn in ("9011", "9012") else None


def _foreign(code: str, kinds: tuple[str, ...]) -> Question:
    return lambda heard: (
        any(key.partition("-")[0] == code for key, _value in heard.pairs)
        if heard.of_door and heard.kind in kinds
        else None
    )


#: The faults of protocol and world that one message alone tells.
QUESTIONS: Final[Mapping[str, Question]] = {
    "mn-before-pw": _mn_before_pw,
    "qn-14-digits": _qn_14_digits,
    "no-answer-wanted": _no_answer_wanted,
    "flag-without-packet-numbers": _without_packet_numbers,
    "flag-2005": _flag_2005,
    "lower-case-datatime": _key_like("datatime", "DataTime"),
    "lower-case-info": _key_like("-info", "-Info"),
    "blanks": _of((*_DOOR_DATA, *_WINDOWS), _blanks),
    "trailing-semicolon": _of((*_DOOR_DATA, *_WINDOWS), _trailing_semicolon),
    "seventeen-digit-datatime": _long_datatime,
    "log-without-slashes": _log(lambda text: not text.startswith("//")),
    "gbk-log": _log(_is_gbk),
    "st-32": _of_another_st,
    "replies-with-st-81": _own_st_in_replies,
    "foreign-code": _foreign("i32007", ("periodic",)),
    "polid-present": _foreign("PolId", _DOOR_DATA),
    "incomplete-report": _incomplete,
    "method-leading-zero": _door_value("method", lambda value: bool(re.fullmatch("0[0-9]", value))),
    "method-code-5": _method_code_5,
    "empty-person-code": _door_value("person", lambda value: not value),
    "formatted-open-time": _door_value("opened_at", lambda value: "-" in value),
    "chinese-person-code": _door_value("person", lambda value: not value.isascii()),
    "open-time-utc": _open_time_utc,
    "opening-in-pieces": _in_pieces,
    "hj212-2017-door-state": _state_of_2017,
    "oversized-segment": _oversized,
    "pno-from-zero": _pno_from_zero,
    "full-width-comma": _full_width_comma,
    "datatime-ahead": _datatime_ahead,
    "wrong-mean": _of_windows(lambda least, mean, most: least < mean == most),
    "min-above-mean": _of_windows(lambda least, mean, most: least == most > mean),
    "not-converted": _not_converted,
}
