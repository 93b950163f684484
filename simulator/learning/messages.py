"""One message as learning sees it: who sent it, what it is, which instant it is about, what it reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Final

from hj212 import RULES, Edition, Message
from hj212.editions import declared_edition
from hj212.framing import Frame
from hj212.tables.commands import command_row
from hj212.tables.factors import factor
from hj212.times import parse_qn, parse_time

from ..codes import Codes

__all__ = ["DOOR", "Heard", "is_code", "newness", "style_of"]

#: The codes of a door.
DOOR: Final = Codes.of("nx")
_STATES: Final = (DOOR.door, DOOR.dismantled, DOOR.fault)
#: Commands whose data area is statistics of a window.
_WINDOWS: Final = {"2051": "minute", "2061": "hour", "2031": "day"}
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,12}(?:\.[0-9]{1,9})?\Z", re.ASCII)
_MAX_KEYS: Final = 1000
#: What the standard is printed with, and some devices write.
_WIDE_COMMA: Final = "，"


@dataclass
class Heard:
    """A message, with what can be said of it alone.

    Attributes:
        message: The message.
        time: When it was captured, POSIX seconds, where that is known.
        frame: As it was on the wire, where that is known.
    """

    message: Message
    time: float | None
    frame: Frame | None

    @cached_property
    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Keys and values of the data area; none where it is ciphertext."""
        if self.encrypted:
            return ()
        found = []
        for pair in self.message.parameters():
            found.append(pair)
            if len(found) >= _MAX_KEYS:
                break
        return tuple(found)

    @cached_property
    def edition(self) -> Edition | None:
        """The edition that Flag declares; ``None`` without Flag."""
        flag = self.message.flag
        return None if flag is None else declared_edition(flag)

    @cached_property
    def encrypted(self) -> bool:
        """Whether the data area is ciphertext."""
        if self.frame is None or self.frame.crc_ok or not self.edition or not RULES[self.edition].encryption:
            return False
        segment = self.frame.segment
        area = segment[segment.find(b"CP=&&") + 5 :]
        if area.startswith(b"{0x"):
            return True
        try:
            return not area.decode("utf-8").isprintable()
        except UnicodeDecodeError:
            return True

    def value(self, *names: str) -> str | None:
        """Return the first value of a key."""
        return next((value for key, value in self.pairs if key in names), None)

    @cached_property
    def upward(self) -> bool:
        """Whether the station said it."""
        cn = self.message.cn
        if cn in ("9011", "9012", "9015"):
            return True
        if cn in ("9013", "9014"):
            return False
        up, down = command_row(cn, True), command_row(cn, False)
        if (up is None) != (down is None):
            return down is None
        if self.encrypted:
            return True
        told = self.value("DataTime", "datatime") is not None or any("-" in key for key, _value in self.pairs)
        return told or not self.message.wants_answer

    @cached_property
    def kind(self) -> str:
        """What it tells: ``periodic``, ``minute``, ``hour``, ``day``; a door also ``change``, ``record``, ``log``."""
        cn = self.message.cn
        if cn in _WINDOWS:
            return _WINDOWS[cn]
        if not self.of_door:
            return {"2011": "periodic", "2021": "state", "2041": "hours", "2081": "restart"}.get(cn, "")
        codes = {key.partition("-")[0].strip() for key, _value in self.pairs}
        if DOOR.log in codes:
            return "log"
        if DOOR.method in codes or DOOR.person in codes:
            return "record"
        return "periodic" if len(codes & set(_STATES)) > 1 else "change"

    @cached_property
    def of_door(self) -> bool:
        """Whether it tells of a door."""
        if self.message.cn not in ("2011", "3020"):
            return False
        codes = {key.partition("-")[0].strip() for key, _value in self.pairs}
        return bool(codes & {*_STATES, DOOR.log, DOOR.method, DOOR.person})

    @cached_property
    def qn_at(self) -> float | None:
        """When the station's clock says it was composed, POSIX seconds."""
        qn = self.message.answers_qn
        try:
            return parse_qn(qn).timestamp() if len(qn) == 17 else parse_time(qn).timestamp()
        except ValueError:
            return None

    @cached_property
    def about(self) -> float | None:
        """The instant it is about, POSIX seconds: DataTime, else that of its composing."""
        text = self.value("DataTime", "datatime") or ""
        try:
            return parse_time(text[:14]).timestamp()
        except ValueError:
            return self.qn_at

    def readings(self) -> Iterator[tuple[str, float, int, str]]:
        """Yield code, value, digits behind the point and data flag of each factor that it tells."""
        suffix = "-Rtd" if self.message.cn == "2011" else "-Avg"
        flags = {key[:-5]: value for key, value in self.pairs if key.endswith("-Flag")}
        for key, value in self.pairs:
            code = key.removesuffix(suffix)
            text = value.partition(_WIDE_COMMA)[0]
            if code != key and is_code(code) and _NUMBER.match(text):
                yield code, float(text), len(text.partition(".")[2]), flags.get(code, "")

    def statistics(self, names: tuple[str, ...]) -> list[tuple[float, ...]]:
        """Return the values of some names, ``("Min", "Avg", "Max")``, for each factor that has them all."""
        values = {key: value for key, value in self.pairs if _NUMBER.match(value)}
        codes = [key.removesuffix(f"-{names[0]}") for key in values if key.endswith(f"-{names[0]}")]
        wanted = ([f"{code}-{name}" for name in names] for code in codes)
        return [tuple(float(values[key]) for key in keys) for keys in wanted if all(key in values for key in keys)]


@cache
def is_code(text: str) -> bool:
    """Tell whether a text is the code of a factor, as tables and editions have them; nothing else may get through."""
    if len(text) > 6 or not text.isascii() or not text.isalnum():
        return False
    return factor(text) is not None or any(re.fullmatch(rules.factor_pattern, text) for rules in RULES.values())


def newness(edition: Edition) -> int:
    """Return the place of an edition among all of them, 0 for the oldest."""
    return list(Edition).index(edition)


@cache
def style_of(code: str) -> Edition | None:
    """Return the oldest edition whose table has a code; ``None`` where none has."""
    return next((edition for edition in Edition if factor(code, edition)), None)
