"""Measured values: text <-> :class:`~decimal.Decimal` with the digits printed, and formats (``N5.1``, ``C24``).

A value on the wire is text and stays so; it is a number only where somebody asks. ``1.230`` is not ``1.23``: the
digits say how finely the instrument reads.

A format of the factor tables is a default. HJ 212-2017 leaves the width of measured values to range and accuracy, so
that more digits than the default are worth a remark and no more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from .editions import Edition
from .tables.factors import factor_rows
from .tables.information import information
from .times import parse_time

__all__ = ["NUMERIC_SUFFIXES", "Kind", "Misfit", "ValueFormat", "check_value", "decimal", "default_format", "printed"]

Kind = Literal["N", "C", "T"]
Misfit = Literal[
    "blank",  # blanks around or inside
    "exponent",  # a number as computers write it, 1e-5
    "not-a-number",
    "whole-digits",  # more digits before the point than the format has
    "decimals",  # more digits behind the point
    "too-long",  # more characters
    "not-a-time",  # not 14 digits, or no time of the calendar
]

_NUMBER: Final = re.compile(r"[+-]?(?:(?P<whole>[0-9]+)(?:\.(?P<places>[0-9]*))?|\.(?P<fraction>[0-9]+))\Z")
_EXPONENT: Final = re.compile(r"[+-]?[0-9.]+[eE][+-]?[0-9]+\Z")
_FORMAT: Final = re.compile(r"N(?P<whole>[0-9]{1,4})(?:\.(?P<places>[0-9]{1,4}))?|C(?P<size>[0-9]{1,4})?")
_TIME: Final = "YYYYMMDDHHMMSS"

#: Suffixes whose value is in the factor's unit and format.
_MEASURED: Final = frozenset("-" + zs + name for zs in ("", "Zs") for name in ("Rtd", "Avg", "Min", "Max")) | {
    "-Data",
    "-DayData",
    "-NightData",
    "-Ala",
}
#: Suffixes whose value is a number, of whatever width.
NUMERIC_SUFFIXES: Final = _MEASURED | {"-Cou", "-RT", "-UpValue", "-LowValue"}


@dataclass(frozen=True, slots=True)
class ValueFormat:
    """What a value may look like.

    Attributes:
        kind: ``"N"`` number, ``"C"`` characters, ``"T"`` a time of 14 digits.
        size: Digits before the point, or characters; ``None`` for characters of no stated number.
        places: Digits behind the point.
    """

    kind: Kind
    size: int | None
    places: int = 0

    @classmethod
    def parse(cls, text: str) -> ValueFormat:
        """Read a format as the tables print it: ``N4``, ``N5.1``, ``C24``, ``C``, ``YYYYMMDDHHMMSS``.

        Raises:
            ValueError: If it is none.

        >>> ValueFormat.parse("N5.1")
        ValueFormat(kind='N', size=5, places=1)
        """
        if text == _TIME:
            return cls("T", len(_TIME))
        match = _FORMAT.fullmatch(text)
        if not match:
            raise ValueError(f"expected Nn, Nx.y, Cn or {_TIME}, found {text!r}")
        if text.startswith("N"):
            return cls("N", int(match["whole"]), int(match["places"] or 0))
        return cls("C", int(match["size"]) if match["size"] else None)

    def __str__(self) -> str:
        if self.kind == "T":
            return _TIME
        size = "" if self.size is None else str(self.size)
        return f"{self.kind}{size}.{self.places}" if self.places else f"{self.kind}{size}"

    def fits(self, text: str) -> Misfit | None:
        """Return the first reason why a value is not of this format, ``None`` where it is.

        Signs and the point are not counted, nor zeros before the first digit: values are not padded.

        >>> ValueFormat.parse("N3.1").fits("1425"), ValueFormat.parse("N3.1").fits("-12.5")
        ('whole-digits', None)
        """
        return next(iter(self.misfits(text)), None)

    def misfits(self, text: str) -> list[Misfit]:
        """Return every reason why a value is not of this format."""
        if self.kind == "C":
            return ["too-long"] if self.size is not None and len(text) > self.size else []
        if self.kind == "T":
            return [] if _is_time(text) else ["not-a-time"]
        match = _NUMBER.match(text)
        if not match:
            return [_why_no_number(text)]
        assert self.size is not None
        found: list[Misfit] = []
        if len((match["whole"] or "").lstrip("0")) > self.size:
            found.append("whole-digits")
        if len(match["places"] or match["fraction"] or "") > self.places:
            found.append("decimals")
        return found


def decimal(text: str) -> Decimal:
    """Return a value as a number that keeps the digits printed: ``1.230`` has three behind the point.

    Raises:
        ValueError: If it is no plain decimal number: digits, at most one point, at most one sign before them. No
            blanks, no exponent, no NaN, no other digits than 0-9. The text says which.

    >>> decimal("1.230")
    Decimal('1.230')
    """
    if not _NUMBER.match(text):
        raise ValueError(f"expected a decimal number, found {text!r} ({_why_no_number(text)})")
    return Decimal(text)


def printed(value: Decimal) -> str:
    """Write a number with all its digits and never with an exponent, as ``str`` would write ``0.0000001``.

    Raises:
        ValueError: If it is infinite or no number.

    >>> printed(decimal("0.00000010"))
    '0.00000010'
    """
    if not value.is_finite():
        raise ValueError(f"expected a finite number, found {value}")
    return f"{value:f}"


def default_format(
    code: str, suffix: str, edition: Edition | None = None, *, jurisdiction: str | None = None
) -> ValueFormat | None:
    """Return the format that the tables give the values of one key, ``None`` where they give none.

    Args:
        code: Factor or site information code as it travels.
        suffix: What stands behind it, with its hyphen: ``"-Rtd"``, ``"-Info"``.
        edition: The edition whose factors to take; ``None`` for any.
        jurisdiction: Whose site information codes to take; ``None`` for those of the standard.
    """
    if suffix == "-Info":
        row = information(code, jurisdiction)
        return ValueFormat.parse(row.value_format) if row and row.value_format else None
    formats = {row.value_format for row in factor_rows(code, edition)} if suffix in _MEASURED else set()
    # Of a code whose rows differ it cannot be told which is meant.
    only = formats.pop() if len(formats) == 1 else ""
    return ValueFormat.parse(only) if only else None


def check_value(
    code: str, suffix: str, text: str, edition: Edition | None = None, *, jurisdiction: str | None = None
) -> list[Misfit]:
    """Return everything that is wrong with a value by the tables; an empty list where nothing is, or none is known.

    The arguments are those of :func:`default_format`, and the value as sent.

    >>> check_value("w01014", "-Rtd", "1425.55"), check_value("w01018", "-Cou", "1e3"), check_value("x", "-Rtd", "1")
    (['whole-digits', 'decimals'], ['exponent'], [])
    """
    declared = default_format(code, suffix, edition, jurisdiction=jurisdiction)
    if declared:
        return declared.misfits(text)
    if suffix in NUMERIC_SUFFIXES and not _NUMBER.match(text):
        return [_why_no_number(text)]
    return []


def _is_time(text: str) -> bool:
    try:
        parse_time(text)
    except ValueError:
        return False
    return True


def _why_no_number(text: str) -> Misfit:
    if any(char.isspace() for char in text):
        return "blank"
    return "exponent" if _EXPONENT.match(text) else "not-a-number"
