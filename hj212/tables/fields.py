"""Names that a segment may use: header fields, parameters, suffixes of factor codes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from . import read_table

__all__ = ["FieldRow", "fields"]


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One name that a segment may use.

    Attributes:
        name: As written: ``"QN"``, ``"DataTime"``, or a suffix with its hyphen, ``"-Rtd"``.
        place: ``"header"``, ``"parameter"`` or ``"suffix"``.
        format: What a value must be: ``"time"``, ``"data-flag"``, or empty where the table does not say.
        zh: 名称.
        en: Its name in English.
    """

    name: str
    place: str
    format: str
    zh: str
    en: str


@cache
def fields() -> dict[str, FieldRow]:
    """Return every row of ``tables/fields.csv`` by its name."""
    return {row["name"]: FieldRow(**row) for row in read_table("fields.csv")}
