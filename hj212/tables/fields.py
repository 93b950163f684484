"""Names that a segment may use: header fields, parameters, suffixes of factor codes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ..editions import Edition
from . import read_table

__all__ = ["FieldRow", "fields"]


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One name that a segment may use.

    Attributes:
        name: As written: ``"QN"``, ``"DataTime"``, or a suffix with its hyphen, ``"-Rtd"``.
        place: ``"header"``, ``"parameter"`` or ``"suffix"``.
        format: What a value must be: ``"time"``, ``"data-flag"``, or empty where the table does not say.
        editions: The editions that have it.
        zh: 名称.
        en: Its name in English.
    """

    name: str
    place: str
    format: str
    editions: tuple[Edition, ...]
    zh: str
    en: str


@cache
def fields() -> dict[str, FieldRow]:
    """Return every row of ``tables/fields.csv`` by its name."""
    return {
        row["name"]: FieldRow(
            row["name"],
            row["place"],
            row["format"],
            tuple(map(Edition, row["editions"].split(";"))),
            row["zh"],
            row["en"],
        )
        for row in read_table("fields.csv")
    }
