"""What stations sent, kept in a SQLite file: written before it is acknowledged, each message exactly once.

A message is known again by MN, CN, QN and PNO, without QN by MN, CN, PNO and DataTime. What comes again with the same
data segment is a repeat and is not kept twice; the same key with other content is kept beside the first, marked so.

The file is open to any reader while it is written (write-ahead log). Columns of table ``messages``:

=============  =========================================================================
id             rises in the order in which the messages were kept
received       when it arrived, POSIX milliseconds
peer           from where, ``address:port``
mn, cn, qn     as in the segment; empty where absent; ``qn`` of 2005 answers from the data area
pno            packet number, 0 where there is none
data_time      DataTime, empty where there is none
segment        the data segment, byte for byte, decrypted; it holds the password
differs_from   ``id`` of an earlier message with the same key and other content, else NULL
=============  =========================================================================
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import blake2b
from pathlib import Path
from typing import Final

from ..messages import Message
from .database import StoreError, StoreFault, open_database, transaction

__all__ = ["Arrival", "Fate", "Kept", "MessageStore"]

#: Version of the tables, in the file's ``user_version``.
SCHEMA: Final = 1
#: "sg12": tells a store from any other SQLite file (``application_id``).
APPLICATION: Final = 0x73673132
#: Stations whose highest QN is remembered; those of a province.
MAX_STATIONS: Final = 100_000

_TABLES = """
CREATE TABLE messages (
    id INTEGER PRIMARY KEY,
    received INTEGER NOT NULL,
    peer TEXT NOT NULL,
    mn TEXT NOT NULL,
    cn TEXT NOT NULL,
    qn TEXT NOT NULL,
    pno INTEGER NOT NULL,
    data_time TEXT NOT NULL,
    content INTEGER,
    segment BLOB NOT NULL,
    differs_from INTEGER
);
CREATE INDEX messages_by_key ON messages (qn, mn, cn, pno, content);
"""
# QN first: new rows go to the end of the index, whose tail alone then has to be in memory.
# The first message of a key has no hash of its content there, and NULL sorts first.
_FIRST = "SELECT id, segment FROM messages WHERE qn = ? AND mn = ? AND cn = ? AND pno = ? ORDER BY content LIMIT 1"
_ALIKE = "SELECT segment FROM messages WHERE qn = ? AND mn = ? AND cn = ? AND pno = ? AND content = ?"
_INSERT = "INSERT INTO messages (received, peer, qn, mn, cn, pno, data_time, content, segment, differs_from) VALUES "
_ROW = "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
#: Rows of one statement, largest first. SQLite works a statement off while Python does something else; row by row the
#: two would wait for each other at each.
_AT_ONCE: Final = (250, 25, 1)
_COLUMNS = "id, received, peer, segment, differs_from"

_DATA_TIME = re.compile(rb"DataTime\s*=\s*([0-9]{1,17})")


_Key = tuple[str, str, str, int]  # QN, MN, CN, PNO
_Row = tuple[object, ...]


class Fate(Enum):
    """What became of a message."""

    NEW = "new"  #: kept
    REPEATED = "repeated"  #: kept already, byte for byte
    DIFFERS = "differs"  #: kept, beside one with the same key and other content


@dataclass(slots=True)
class Arrival:
    """A message to keep."""

    received_ms: int  #: POSIX milliseconds
    peer: str
    message: Message


@dataclass(frozen=True, slots=True)
class Kept:
    """A row of the store."""

    id: int
    received_ms: int
    peer: str
    message: Message
    differs_from: int | None


class _Newest:
    """The highest QN of each station: a higher one needs no look into the file, it is new.

    Holds for stations whose clock goes forward, which is nearly all of the traffic; the rest is looked up.
    """

    __slots__ = ("_by_mn", "_start")

    def __init__(self, start: str) -> None:
        self._start = start  # the highest of all when the file was opened
        self._by_mn: dict[str, str] = {}

    def rises(self, mn: str, qn: str) -> bool:
        """Take note of a QN; say whether it is above all that this station ever had."""
        if qn <= self._by_mn.get(mn, self._start):
            return False
        if mn not in self._by_mn and len(self._by_mn) >= MAX_STATIONS:
            return False
        self._by_mn[mn] = qn
        return True


class MessageStore:
    """The file. One writer at a time; the methods block, so a loop calls them in a thread.

    Args:
        path: Made where it is not there, readable by its owner only, for the segments hold passwords.

    Raises:
        StoreError: If it cannot be opened, is something else, or another program writes it.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._db = open_database(self.path, "messages", APPLICATION, SCHEMA, _TABLES)
        self._db.execute("PRAGMA cache_size = -32768")
        self._newest = _Newest("")
        self._place = _place_of(self.path)
        self._written = -1  # version of the file's content, as SQLite counts it
        self._look_for_others()

    def close(self) -> None:
        """Close the file; what was added is in it already."""
        self._db.close()

    def add(self, arrivals: Sequence[Arrival]) -> list[Fate]:
        """Keep messages, in one transaction: when this returns, they are on the disk.

        Raises:
            sqlite3.Error: If they could not be kept, none of them then: the disk is full, or the file is locked.
            StoreError: If the file is not where it was opened any more.
        """
        self._check_place()
        with transaction(self._db):
            self._look_for_others()
            fates = self._add(arrivals)
        self._check_place()
        return fates

    def _check_place(self) -> None:
        # A file that was deleted takes everything that is written, and nobody will ever see it.
        if _place_of(self.path) != self._place:
            raise StoreError(StoreFault.GONE, "was deleted, moved or replaced while it was open")

    def _look_for_others(self) -> None:
        """Forget the highest QNs when another program has written the file in between."""
        (written,) = self._db.execute("PRAGMA data_version").fetchone()
        if written != self._written:
            self._written = written
            (highest,) = self._db.execute("SELECT max(qn) FROM messages").fetchone()
            self._newest = _Newest(highest or "")

    def _add(self, arrivals: Sequence[Arrival]) -> list[Fate]:
        fates: list[Fate] = []
        rows: list[_Row] = []
        pending: set[_Key] = set()  # keys of rows that the file does not hold yet
        for arrival in arrivals:
            message = arrival.message
            segment = bytes(message)
            key = (_text(message.qn or message.answers_qn), _text(message.mn), _text(message.cn), message.pno or 0)
            if key in pending:
                self._insert(rows)
                rows.clear()
                pending.clear()
            fate, differs_from, content = self._compare(key, segment)
            fates.append(fate)
            if fate is not Fate.REPEATED:
                found = _DATA_TIME.search(segment)
                data_time = found[1].decode() if found else ""
                rows.append((arrival.received_ms, arrival.peer, *key, data_time, content, segment, differs_from))
                pending.add(key)
        self._insert(rows)
        return fates

    def _compare(self, key: _Key, segment: bytes) -> tuple[Fate, int | None, int | None]:
        """Look for a message in the file; return its fate, the row it differs from and the hash to find it by."""
        first = None
        if key[0]:
            if self._newest.rises(key[1], key[0]):
                return Fate.NEW, None, None
            first = self._db.execute(_FIRST, key).fetchone()
            if first is None:
                return Fate.NEW, None, None
            if first[1] == segment:
                return Fate.REPEATED, None, None
        # Without QN every message of a command has the same key: there the content tells them apart, DataTime in it.
        content = int.from_bytes(blake2b(segment, digest_size=8).digest(), "little", signed=True)
        if any(known == segment for (known,) in self._db.execute(_ALIKE, (*key, content))):
            return Fate.REPEATED, None, None
        return (Fate.DIFFERS, first[0], content) if first else (Fate.NEW, None, content)

    def _insert(self, rows: Sequence[_Row]) -> None:
        at = 0
        for size in _AT_ONCE:
            statement = _INSERT + ", ".join([_ROW] * size)
            while len(rows) - at >= size:
                self._db.execute(statement, [value for row in rows[at : at + size] for value in row])
                at += size

    def count(self) -> int:
        """How many messages it holds."""
        (count,) = self._db.execute("SELECT count(*) FROM messages").fetchone()
        return int(count)

    def __iter__(self) -> Iterator[Kept]:
        """Yield every message in the order of keeping."""
        return self.read()

    def read(self, *, mn: str = "", cn: str = "", after: int = 0) -> Iterator[Kept]:
        """Yield messages in the order of keeping.

        Args:
            mn: Only of this station.
            cn: Only of this command.
            after: Only with a larger ``id``.
        """
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM messages WHERE id > ? AND (? = '' OR mn = ?) AND (? = '' OR cn = ?) ORDER BY id",
            (after, mn, mn, cn, cn),
        )
        for row_id, received, peer, segment, differs_from in rows:
            yield Kept(row_id, received, peer, Message.from_bytes(segment), differs_from)


def _place_of(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from any other, ``None`` where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _text(field: str) -> str:
    """Return a field as text that a column takes: bytes that are no UTF-8 as ``\\xff``."""
    return field if field.isascii() else field.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
