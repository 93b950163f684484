"""The names that a segment may use, found also where only their letter case is wrong."""

from __future__ import annotations

from functools import cache

from ..editions import Edition
from ..tables.fields import FieldRow, fields
from .part import Part

__all__ = ["is_cp", "likely_name", "likely_row", "names"]


@cache
def names(place: str, edition: Edition | None = None) -> tuple[str, ...]:
    """Return the names that an edition, or any, has in one place: ``header``, ``parameter`` or ``suffix``."""
    return tuple(
        row.name for row in fields().values() if row.place == place and (edition is None or edition in row.editions)
    )


def likely_name(text: str, known: tuple[str, ...]) -> str:
    """Return the known name that a text is meant to be, whatever its letter case; empty for none."""
    if text in known:
        return text
    return next((name for name in known if name.lower() == text.lower()), "")


def likely_row(text: str, place: str, edition: Edition) -> FieldRow | None:
    """Return the row of the name that a text is meant to be, ``None`` for a name the edition does not have there."""
    return fields().get(likely_name(text, names(place, edition)))


def is_cp(part: Part) -> bool:
    """Tell whether a header field is meant to open the data area."""
    return part.key.upper() == "CP"
