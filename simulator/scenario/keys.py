"""What a scenario file may hold: one row of ``keys.csv`` for each key, with its words in both languages.

Reading, templates and the reference page all ask this table.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Final

from stationgate.language import pick

__all__ = ["LISTS", "TABLES", "EventRow", "Key", "event_rows", "keys", "tables"]

#: The tables of a scenario, in the order in which people read them; the empty name is the top of the file.
TABLES: Final = ("", "target", "sip", "site", "station", "fault", "event", "load")
#: Those of which there may be several.
LISTS: Final = frozenset({"site", "station", "fault", "event"})


@dataclass(frozen=True, slots=True)
class Key:
    """A key.

    Attributes:
        table: The table it stands in; empty for the top of the file.
        name: The key.
        field: The field of the record that it sets.
        accepts: What kind of value: a name of :mod:`~simulator.scenario.values`.
        least: The smallest number, or ``None``.
        most: The largest number, or ``None``.
        choices: The values it may have, where they are few.
        kinds: The kinds, families or protocols of station that have it; empty: all.
        default_zh: What is true where it is absent, in Chinese, where that is no plain value.
        default_en: The same in English.
        zh: What it is, in Chinese.
        en: The same in English.
    """

    table: str
    name: str
    field: str
    accepts: str
    least: float | None
    most: float | None
    choices: tuple[str, ...]
    kinds: frozenset[str]
    default_zh: str
    default_en: str
    zh: str
    en: str

    @property
    def is_secret(self) -> bool:
        return self.accepts in ("secret", "pw", "key")

    @property
    def text(self) -> str:
        """What it is, in the active language."""
        return pick(self.zh, self.en)

    @property
    def default(self) -> str:
        """What is true where it is absent, in words of the active language; empty where the record says it."""
        return pick(self.default_zh, self.default_en)


@dataclass(frozen=True, slots=True)
class EventRow:
    """Something that can happen.

    Attributes:
        what: Its name.
        scope: What it happens to: ``station``, or ``line``, ``unit`` or both of a site.
        keys: The keys it has besides ``what`` and ``at``.
        zh: What it is, in Chinese.
        en: The same in English.
    """

    what: str
    scope: frozenset[str]
    keys: tuple[str, ...]
    zh: str
    en: str

    @property
    def of_stations(self) -> bool:
        """Whether it happens to stations, and not to the plant of a site."""
        return "station" in self.scope


@cache
def tables() -> Mapping[str, Mapping[str, Key]]:
    """Return every key by table and name, in the order of the table."""
    found: dict[str, dict[str, Key]] = {name: {} for name in TABLES}
    for row in _rows("keys.csv"):
        found[row["table"]][row["key"]] = _key(row)
    return MappingProxyType({name: MappingProxyType(keys) for name, keys in found.items()})


def keys(table: str) -> Mapping[str, Key]:
    """Return the keys of one table by their names."""
    return tables()[table]


@cache
def event_rows() -> Mapping[str, EventRow]:
    """Return everything that can happen, by its name."""
    return MappingProxyType(
        {
            row["what"]: EventRow(
                row["what"], frozenset(row["scope"].split(";")), tuple(row["keys"].split(";")), row["zh"], row["en"]
            )
            for row in _rows("events.csv")
        }
    )


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = resources.files(__package__).joinpath(name).read_text("utf-8")
    yield from csv.DictReader(text.splitlines())


def _key(row: dict[str, str]) -> Key:
    return Key(
        table=row["table"],
        name=row["key"],
        field=row["field"] or row["key"],
        accepts=row["accepts"],
        least=float(row["least"]) if row["least"] else None,
        most=float(row["most"]) if row["most"] else None,
        choices=tuple(filter(None, row["choices"].split(";"))),
        kinds=frozenset(filter(None, row["kinds"].split(";"))),
        default_zh=row["default_zh"],
        default_en=row["default_en"],
        zh=row["zh"],
        en=row["en"],
    )
