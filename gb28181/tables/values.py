"""What coded values mean: of elements of bodies, of ``f=`` and of ``u=``.

``valuetables.csv`` tells the tables and which elements hold their codes, ``values.csv`` the codes. The words of the
major classes of CapturePositionType are ours; of its middle and minor classes no source was seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ..editions import Edition
from . import read_table

__all__ = ["ValueRow", "ValueTable", "meaning", "value_of", "value_table", "value_tables"]


@dataclass(frozen=True, slots=True)
class ValueRow:
    """One code: what stands on the wire, the editions that have it, what it means."""

    code: str
    editions: tuple[Edition, ...]
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class ValueTable:
    """The codes of one kind.

    Attributes:
        name: Its name here: that of the element where there is one.
        elements: ``Record.Tag`` of the elements that hold one, Record being a class of :mod:`gb28181.manscdp`.
        separator: What stands between several codes in one element; empty where there is only one.
        digits: How many characters of the value are the code; 0 for all.
        by: Value of AlarmMethod with which the element means this table; empty where that does not matter.
        clauses: Where each edition has it.
        zh: 名称.
        en: The same in English.
        rows: By their codes, in the standard's order.
    """

    name: str
    elements: tuple[str, ...]
    separator: str
    digits: int
    by: str
    clauses: dict[Edition, str]
    zh: str
    en: str
    rows: dict[str, ValueRow]


@cache
def value_tables() -> dict[str, ValueTable]:
    """Return every table by its name."""
    rows: dict[str, dict[str, ValueRow]] = {}
    for row in read_table("values.csv"):
        editions = tuple(map(Edition, row["editions"].split(";")))
        rows.setdefault(row["table"], {})[row["code"]] = ValueRow(row["code"], editions, row["zh"], row["en"])
    return {
        row["name"]: ValueTable(
            row["name"],
            tuple(filter(None, row["elements"].split(";"))),
            row["separator"],
            int(row["digits"] or 0),
            row["by"],
            {edition: clause for edition in Edition if (clause := row[f"clause_{edition}"])},
            row["zh"],
            row["en"],
            rows[row["name"]],
        )
        for row in read_table("valuetables.csv")
    }


def value_table(name: str) -> ValueTable:
    """Return a table.

    Raises:
        KeyError: If there is none of that name.
    """
    return value_tables()[name]


@cache
def _by_element() -> dict[str, list[ValueTable]]:
    tables: dict[str, list[ValueTable]] = {}
    for table in value_tables().values():
        for element in table.elements:
            tables.setdefault(element, []).append(table)
    return tables


def value_of(table: ValueTable, code: str) -> ValueRow | None:
    """Return the row of one code, also of one with zeros in front; ``None`` where the table does not have it."""
    text = code.strip()
    if table.digits:
        text = text[: table.digits]
    return table.rows.get(text) or table.rows.get(text.lstrip("0") or text[:1])


def meaning(record: str, tag: str, value: str, alarm_method: str = "") -> tuple[str, str] | None:
    """Say what the value of an element means, in Chinese and English; ``None`` where no table tells.

    Args:
        record: Name of the record class that has the element.
        tag: The element.
        value: What stands in it.
        alarm_method: AlarmMethod of the same body, on which the meaning of AlarmType depends.

    >>> meaning("CatalogInfo", "PhotoelectricImagingType", "1/2")
    ('可见光、热成像', 'visible light, thermal')
    """
    for table in _by_element().get(f"{record}.{tag}", ()):
        if table.by and table.by != alarm_method:
            continue
        parts = value.split(table.separator) if table.separator else [value]
        rows = [row for part in parts if (row := value_of(table, part))]
        if rows and len(rows) == len(parts):
            return "、".join(row.zh for row in rows), ", ".join(row.en for row in rows)
    return None
