"""An outbox that outlives the process: what a station reported and no platform acknowledged, in a SQLite file.

The file also keeps the settings that a platform changed, for they belong to the same life of the station.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Final

from ..encryption import Key
from ..station import OUTBOX_LIMIT, Items, Record, Settings
from .database import open_database, transaction

__all__ = ["SqliteOutbox"]

#: Version of the tables, in the file's ``user_version``.
SCHEMA: Final = 1
#: "sg1o": tells an outbox from any other SQLite file (``application_id``).
APPLICATION: Final = 0x7367316F

_TABLES = """
CREATE TABLE records (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    attempts INTEGER NOT NULL,
    cn TEXT NOT NULL,
    qn TEXT NOT NULL,
    items TEXT NOT NULL,
    created REAL NOT NULL,
    data_time TEXT NOT NULL,
    st TEXT NOT NULL,
    pno INTEGER NOT NULL,
    pnum INTEGER NOT NULL
);
CREATE INDEX records_by_turn ON records (attempts, id);
CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_COLUMNS = "attempts, cn, qn, items, created, data_time, st, pno, pnum"
_KEYS = ("key", "previous_key")


class SqliteOutbox:
    """The outbox of one station (:class:`hj212.station.Outbox`).

    A record is on the disk when :meth:`put` returns. A removal reaches the disk with the next record: one write for
    each report, not two; after a power cut the last ones may be sent once more, and platforms drop repeats.

    Args:
        path: Made where it is not there, readable by its owner only, for settings hold password and key.
        limit: Records kept at most; the oldest goes for the next.

    Raises:
        StoreError: If it cannot be opened, or is something else.
        ValueError: If the limit is below 1.
    """

    def __init__(self, path: Path | str, limit: int = OUTBOX_LIMIT) -> None:
        if limit < 1:
            raise ValueError(f"limit: expected at least 1, found {limit}")
        self.path = Path(path)
        self.limit = limit
        self._db = open_database(self.path, "an outbox", APPLICATION, SCHEMA, _TABLES)
        (self._count,) = self._db.execute("SELECT count(*) FROM records").fetchone()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def __len__(self) -> int:
        return int(self._count)

    def __bool__(self) -> bool:
        return True  # an empty outbox is one all the same

    def __repr__(self) -> str:
        return f"<SqliteOutbox {len(self)} of {self.limit}>"

    def put(self, records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
        """Keep records, all or none, on the disk; see :class:`hj212.station.Outbox`.

        Raises:
            sqlite3.Error: If they cannot be kept: the disk is full.
        """
        self._db.execute("PRAGMA synchronous = FULL")
        with transaction(self._db):
            kept = []
            for record in records:
                row = (
                    record.attempts, record.cn, record.qn, json.dumps(record.items), record.created,
                    record.data_time, record.st, record.pno, record.pnum,
                )  # fmt: skip
                cursor = self._db.execute(f"INSERT INTO records ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
                assert cursor.lastrowid is not None
                kept.append(replace(record, id=cursor.lastrowid))
            too_many = max(0, self._count + len(kept) - self.limit)
            dropped = self._select("ORDER BY id LIMIT ?", (too_many,)) if too_many else []
            self._delete([record.id for record in dropped])
        self._count += len(kept) - len(dropped)
        return kept, dropped

    def oldest(self, count: int, without: Collection[int] = ()) -> list[Record]:
        """Return those to send next; see :class:`hj212.station.Outbox`."""
        left_out = ", ".join(map(str, map(int, without)))
        return self._select(f"WHERE id NOT IN ({left_out}) ORDER BY attempts, id LIMIT ?", (count,))

    def remove(self, ids: Collection[int]) -> None:
        """Forget records; see :class:`hj212.station.Outbox`."""
        self._db.execute("PRAGMA synchronous = NORMAL")
        with transaction(self._db):
            removed = self._delete(ids)
        self._count -= removed

    def tried(self, ids: Collection[int]) -> None:
        """Count one more attempt; see :class:`hj212.station.Outbox`."""
        self._db.execute("PRAGMA synchronous = NORMAL")
        with transaction(self._db):
            self._db.executemany("UPDATE records SET attempts = attempts + 1 WHERE id = ?", [(each,) for each in ids])

    def load_settings(self, first: Settings) -> Settings:
        """Return the settings kept by :meth:`save_settings`; ``first`` where none were."""
        kept = {name: json.loads(value) for name, value in self._db.execute("SELECT name, value FROM settings")}
        for name in _KEYS:
            if kept.get(name) is not None:
                kept[name] = Key(bytes.fromhex(kept[name]))
        known = {name: value for name, value in kept.items() if hasattr(first, name)}
        return replace(first, **known)

    def save_settings(self, settings: Settings) -> None:
        """Keep settings, on the disk: call it for each :class:`hj212.station.SettingsChanged`.

        Raises:
            sqlite3.Error: If they cannot be kept.
        """
        values = {name: getattr(settings, name) for name in [each.name for each in fields(settings)]}
        for name in _KEYS:
            if values[name] is not None:
                values[name] = values[name].value.hex()
        rows = [(name, json.dumps(value)) for name, value in values.items()]
        self._db.execute("PRAGMA synchronous = FULL")
        with transaction(self._db):
            self._db.executemany("INSERT OR REPLACE INTO settings VALUES (?, ?)", rows)

    def _select(self, where: str, values: tuple[int, ...]) -> list[Record]:
        rows = self._db.execute(f"SELECT id, {_COLUMNS} FROM records {where}", values)
        return [
            Record(cn, qn, _items(items), created, data_time, st, pno, pnum, attempts, number)
            for number, attempts, cn, qn, items, created, data_time, st, pno, pnum in rows
        ]

    def _delete(self, ids: Collection[int]) -> int:
        before = self._db.total_changes
        self._db.executemany("DELETE FROM records WHERE id = ?", [(each,) for each in ids])
        return self._db.total_changes - before


def _items(text: str) -> Items:
    return tuple(tuple(tuple(pair) for pair in item) for item in json.loads(text))
