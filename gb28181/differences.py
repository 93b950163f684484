"""What the editions prescribe, side by side: their records, commands, elements and codes as rows to be read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from .editions import RULES, Edition, Rules
from .identifiers import CodeRow, code_rows
from .manscdp.body import BODIES, Element, Need, Record, elements_of
from .tables import read_table
from .tables.commands import CommandRow, command_rows
from .tables.values import ValueRow, ValueTable, value_tables

__all__ = [
    "CODE_TABLES",
    "Difference",
    "ElementDifference",
    "code_differences",
    "command_differences",
    "differences",
    "element_differences",
    "value_differences",
]

#: The tables of the identifiers' parts, and what each is called.
CODE_TABLES: Final[Mapping[str, tuple[str, str]]] = {
    "types.csv": ("类型编码（第 11～13 位）", "type codes, digits 11 to 13"),
    "networks.csv": ("网络标识（第 14 位）", "networks, digit 14"),
    "industries.csv": ("行业编码（第 9～10 位）", "industries, digits 9 and 10"),
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact in every edition.

    Attributes:
        fact: Its name, an attribute of :class:`gb28181.editions.Rules`.
        zh: What it is, in Chinese.
        en: The same in English.
        values: Edition -> what it prescribes: text, number, truth value, or ``None`` where it prescribes nothing.
        clauses: Edition -> where that stands; editions without a clause are left out.
        unconfirmed: Editions whose value no second source confirmed.
    """

    fact: str
    zh: str
    en: str
    values: Mapping[Edition, str | int | bool | None]
    clauses: Mapping[Edition, str]
    unconfirmed: frozenset[Edition]

    @property
    def differs(self) -> bool:
        """Whether the editions disagree."""
        return len(set(self.values.values())) > 1


def differences(rules: Collection[Rules] = tuple(RULES.values())) -> list[Difference]:
    """Return every fact of ``tables/differences.csv``, in its order, for some editions."""
    return [
        Difference(
            row["fact"],
            row["zh"],
            row["en"],
            {each.edition: _plain(getattr(each, row["fact"])) for each in rules},
            {each.edition: clause for each in rules if (clause := row[f"clause_{each.edition.value}"])},
            frozenset(map(Edition, filter(None, row["unconfirmed_in"].split(";")))),
        )
        for row in read_table("differences.csv")
    ]


def _plain(value: object) -> str | int | bool | None:
    if isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return f"{value:g}"
    return str(value) or None


def command_differences() -> list[CommandRow]:
    """Return the bodies that not every edition has."""
    return [row for row in command_rows() if len(row.editions) < len(Edition)]


@dataclass(frozen=True, slots=True)
class ElementDifference:
    """An element of which the editions demand something else, in a body that all of them have.

    Attributes:
        where: Body and path of its parent, ``"Response Catalog DeviceList/Item"``.
        element: Its row.
        needs: Edition -> what it demands.
    """

    where: str
    element: Element
    needs: Mapping[Edition, Need]


def element_differences() -> list[ElementDifference]:
    """Return the elements that the editions treat differently; a record is told where it is met first."""
    found: list[ElementDifference] = []
    seen: set[type[Record]] = set()
    for row in command_rows():
        cls = BODIES.get((row.root, row.cmd_type, row.sub_command))
        if cls is not None and len(row.editions) == len(Edition):
            place = " ".join(filter(None, (row.root, row.cmd_type, row.sub_command)))
            found += _elements(cls, place, seen, " ")
    return found


def _elements(cls: type[Record], where: str, seen: set[type[Record]], joint: str) -> Iterator[ElementDifference]:
    if cls in seen:
        return
    seen.add(cls)
    for row in elements_of(cls):
        needs = {edition: row.need(edition) for edition in Edition}
        if len(set(needs.values())) > 1:
            yield ElementDifference(where, row, needs)
        if isinstance(row.kind, type) and Need.ABSENT not in needs.values():
            path = f"{where}{joint}{row.tag}" + (f"/{row.item}" if row.item else "")
            yield from _elements(row.kind, path, seen, "/")


def code_differences(table: str) -> list[CodeRow]:
    """Return the rows of a table of :data:`CODE_TABLES` that not every edition has."""
    return [row for row in code_rows(table) if len(row.editions) < len(Edition)]


def value_differences() -> list[tuple[ValueTable, list[ValueRow]]]:
    """Return the codes that one edition has and the other has not, of the tables that both have."""
    return [
        (table, rows)
        for table in value_tables().values()
        if len(table.clauses) == len(Edition)
        and (rows := [row for row in table.rows.values() if len(row.editions) < len(Edition)])
    ]
