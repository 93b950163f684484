"""Parameters of a typed command: the wire name beside the Python name, how text becomes a value and what is allowed.

A field of a command is declared with the function of its kind; the class body is the command's name table::

    interval_s: int | None = whole("RtdInterval", limits=...)

Its Chinese and English terms stand in ``tables/fields.csv``.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final, TypeVar

from ..editions import Rules
from ..tables.fields import fields
from ..times import parse_time

__all__ = ["Kind", "Parameter", "Printed", "end_of_range", "measured", "text", "texts", "time", "whole"]

_Value = TypeVar("_Value")

#: Longest whole number that is read as one.
_MAX_DIGITS: Final = 18


class Printed(int):
    """A whole number that remembers how it was printed: ``Printed("0030") == 30``, ``str`` of it is ``"0030"``."""

    text: str

    def __new__(cls, text: str) -> Printed:
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text

    def __getnewargs__(self) -> tuple[str]:  # type: ignore[override]  # what __new__ takes
        return (self.text,)

    @classmethod
    def read(cls, text: str) -> Printed | None:
        """Read decimal digits, ``None`` for any other text."""
        return cls(text) if text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS else None


class Kind(Enum):
    """What a field of a command holds."""

    TEXT = "text"
    TIME = "time"  #: 14 digits, as text
    WHOLE = "whole number"
    TEXTS = "repeated text"
    MEASURED = "values of factors"


@dataclass(frozen=True, slots=True)
class Parameter:
    """How one field of a command travels.

    Attributes:
        wire: Its names in the data area. Read under any of them; written under the one that the command's row in
            ``tables/commands.csv`` has, else under the first. Empty for the values of factors.
        kind: What the field holds.
        python: Name of the field.
        max_chars: Longest text, 0 for any; where it differs, what gives the edition's.
        limits: Gives the numbers that an edition allows.
        secret: Whether its value is never shown.
        behind: Name of the parameter to which it is joined by ``separator``; others stand behind ``;``.
        separator: Gives what an edition writes between the two.
        terms: Its name in Chinese and in English, where ``tables/fields.csv`` has none.
    """

    wire: tuple[str, ...]
    kind: Kind
    python: str = ""
    max_chars: int | Callable[[Rules], int] = 0
    limits: Callable[[Rules], Container[int]] | None = None
    secret: bool = False
    behind: str = ""
    separator: Callable[[Rules], str] = lambda rules: ";"
    terms: tuple[str, str] = ("", "")

    def called(self, python: str) -> Parameter:
        """Return it with the name of its field."""
        return replace(self, python=python)

    def name_in(self, allowed: Container[str]) -> str:
        """Return the name of those allowed under which to write it; empty where none is."""
        return next((wire for wire in self.wire if wire in allowed), "")

    def read(self, value: str) -> Any:
        """Return the value of the field, ``None`` for text that is none."""
        if self.kind is Kind.WHOLE:
            return Printed.read(value)
        return value or None

    def terms_of(self, wire: str) -> tuple[str, str]:
        """Return what one of its names means, in Chinese and in English."""
        row = fields().get(wire) or fields().get(self.wire[0])
        return self.terms if row is None else (row.zh, row.en)

    def fault(self, value: str, rules: Rules) -> str:
        """Say what the edition wants instead of this text, nothing where it is right. A secret is not quoted."""
        if not value:
            return "a value, found none"
        longest = self.max_chars if isinstance(self.max_chars, int) else self.max_chars(rules)
        if longest and len(value) > longest:
            return f"at most {longest} characters, found {len(value)}"
        if self.kind is Kind.TIME:
            return _time_fault(value)
        if self.kind is Kind.WHOLE:
            number = Printed.read(value)
            limits = None if self.limits is None else self.limits(rules)
            if number is None or (limits is not None and number not in limits):
                return f"{_shown(limits)}, found {value!r}"
        return ""


def text(
    *wire: str, chars: int | Callable[[Rules], int] = 0, secret: bool = False, terms: tuple[str, str] = ("", "")
) -> str:
    """Declare text; absent it is empty."""
    return _field(Parameter(wire, Kind.TEXT, max_chars=chars, secret=secret, terms=terms), "")


def time(*wire: str) -> str:
    """Declare a time ``YYYYMMDDhhmmss``; the field is its text as printed, see :func:`hj212.times.parse_time`."""
    return _field(Parameter(wire, Kind.TIME), "")


def end_of_range(wire: str, begin: str) -> str:
    """Declare the time that ends the range which ``begin`` begins; editions differ in what stands between the two."""
    return _field(Parameter((wire,), Kind.TIME, behind=begin, separator=lambda rules: rules.range_separator), "")


def whole(*wire: str, chars: int = 0, limits: Callable[[Rules], Container[int]] | None = None) -> int | None:
    """Declare a whole number, ``None`` when absent; one that was read keeps its printed digits."""
    absent: int | None = None
    return _field(Parameter(wire, Kind.WHOLE, max_chars=chars, limits=limits), absent)


def texts(*wire: str, chars: int = 0, separator: str = ";") -> tuple[str, ...]:
    """Declare text that may occur several times, with ``separator`` between two."""
    behind = wire[0] if separator != ";" else ""
    absent: tuple[str, ...] = ()
    parameter = Parameter(wire, Kind.TEXTS, max_chars=chars, behind=behind, separator=lambda rules: separator)
    return _field(parameter, absent)


def measured() -> Any:
    """Declare what is known of factors, a tuple of :class:`hj212.commands.Measurement`."""
    absent: Any = ()
    return _field(Parameter((), Kind.MEASURED), absent)


def _field(parameter: Parameter, default: _Value) -> _Value:
    """Return the dataclass field; typed as the value it will hold."""
    return field(default=default, metadata={"parameter": parameter})


def _time_fault(value: str) -> str:
    try:
        parse_time(value)
    except ValueError:
        return f"a time YYYYMMDDhhmmss, found {value!r}"
    return ""


def _shown(limits: Container[int] | None) -> str:
    if limits is None:
        return "a whole number"
    if isinstance(limits, range):
        return f"a number from {limits.start} to {limits.stop - 1}"
    return f"a number of {limits}"
