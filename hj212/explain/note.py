"""Deviations of a frame, their texts made fit to be shown: no password, nothing unprintable, nothing long."""

from __future__ import annotations

from typing import Final

from ..deviations import Deviation
from ..segment import hide_passwords
from .part import Part

__all__ = ["MAX_SHOWN_CHARS", "note", "note_key", "note_part", "note_value", "printable"]

#: What a deviation quotes of the frame; the place is given by offset and length anyway.
MAX_SHOWN_CHARS: Final = 40


def note(code: str, offset: int, length: int, found: str = "", expected: str = "") -> Deviation:
    """Return a deviation about any bytes of the frame."""
    return Deviation(code, offset, length, _shown(found), _shown(expected))


def note_part(code: str, part: Part, found: str = "", expected: str = "") -> Deviation:
    """Return a deviation about a whole part."""
    return note(code, part.offset, part.size, found, expected)


def note_key(code: str, part: Part, found: str, expected: str = "") -> Deviation:
    """Return a deviation about what stands before the ``=``."""
    return note(code, part.key_offset, part.key_size, found, expected)


def note_value(code: str, part: Part, found: str = "", expected: str = "") -> Deviation:
    """Return a deviation about what stands behind the ``=``."""
    return note(code, part.value_offset, part.value_size, found, expected)


def printable(text: str) -> str:
    """Escape what a terminal would not show: control characters, and bytes that are no UTF-8."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _shown(text: str) -> str:
    text = printable(hide_passwords(text))
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[: MAX_SHOWN_CHARS - 1]}…"
