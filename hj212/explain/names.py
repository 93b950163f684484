"""The names that a segment may use, found also where only their letter case is wrong."""

from __future__ import annotations

from functools import cache

from ..tables.fields import FieldRow, fields
from .part import Part

__all__ = ["is_cp", "likely_name", "likely_row", "names"]


@cache
def names(place: str) -> tuple[str, ...]:
    """Return the names of the table that belong into one place: ``header``, ``parameter`` or ``suffix``."""
    return tuple(row.name for row in fields().values() if row.place == place)


def likely_name(text: str, known: tuple[str, ...]) -> str:
    """Return the known name that a text is meant to be, whatever its letter case; empty for none."""
    if text in known:
        return text
    return next((name for name in known if name.lower() == text.lower()), "")


def likely_row(text: str, place: str) -> FieldRow | None:
    """Return the row of the name that a text is meant to be, ``None`` for a name the table does not know there."""
    return fields().get(likely_name(text, names(place)))


def is_cp(part: Part) -> bool:
    """Tell whether a header field is meant to open the data area."""
    return part.key.upper() == "CP"
