"""Ledgers and stored rows in a temporary database: sorted in any order, whatever their number, in bounded memory."""

from __future__ import annotations

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from stationgate.language import _

from .findings import Expected, Received
from .lines import LedgerHeader
from .reading import LedgerError, LedgerFile, Line
from .rows import ReceivedSource, clean_text, data_time_of
from .ruined import suspicion

__all__ = ["CACHE_BYTES", "Gathering"]

#: Pages of the database that are kept in memory.
CACHE_BYTES: Final = 48 * 1024 * 1024
#: Messages held back until their later lines came, so that few are written twice.
_HELD: Final = 20_000
_BATCH: Final = 2_000

_TABLES: Final = """
CREATE TABLE expected (
    id INTEGER PRIMARY KEY, mn TEXT, qn TEXT, cn TEXT, pno INTEGER, pnum INTEGER, st TEXT, data_time TEXT, digest BLOB,
    due INTEGER, kind TEXT, faults TEXT, sent INTEGER, sent_line INTEGER, times INTEGER, intact INTEGER,
    acknowledged INTEGER, dropped TEXT, area BLOB
);
CREATE TABLE received (
    id INTEGER PRIMARY KEY, mn TEXT, qn TEXT, cn TEXT, pno INTEGER, pnum INTEGER, st TEXT, data_time TEXT, digest BLOB,
    line INTEGER, received INTEGER, place INTEGER, qn_value INTEGER, qn_unit INTEGER, area BLOB
);
CREATE TABLE placed (mn TEXT, place INTEGER, expected INTEGER, received INTEGER, sent INTEGER, sent_line INTEGER);
CREATE TABLE found (
    id INTEGER PRIMARY KEY, kind TEXT, expected INTEGER, received INTEGER, overtaker INTEGER, late INTEGER
);
"""
_EXPECTED: Final = (
    "id, mn, qn, cn, pno, pnum, st, data_time, digest, due, kind, faults, sent, sent_line, times, intact, acknowledged,"
    " dropped"
)
_RECEIVED: Final = "id, mn, qn, cn, pno, pnum, st, data_time, digest, line, received, place, qn_value, qn_unit"
_INSERT_EXPECTED: Final = f"INSERT INTO expected ({_EXPECTED}, area) VALUES ({', '.join('?' * 19)})"
_INSERT_RECEIVED: Final = f"INSERT INTO received ({_RECEIVED}, area) VALUES ({', '.join('?' * 15)})"
_UPDATE: Final = """
UPDATE expected SET sent = coalesce(sent, ?), sent_line = CASE WHEN times = 0 THEN ? ELSE sent_line END,
    times = times + ?, intact = intact + ?, acknowledged = coalesce(acknowledged, ?), dropped = coalesce(dropped, ?)
WHERE id = ?
"""
#: A shard and its successor tell of the same messages; so does a station that says something twice.
_SAME: Final = """
CREATE TABLE same AS
SELECT min(id) AS keep, mn, qn, cn, pno, pnum, st, data_time, digest, min(sent) AS sent,
    max(sent_line) AS sent_line, sum(times) AS times,
    sum(intact) AS intact, min(acknowledged) AS acknowledged, max(dropped) AS dropped
FROM expected GROUP BY mn, qn, cn, pno, pnum, st, data_time, digest HAVING count(*) > 1;
CREATE INDEX same_by_key ON same (mn, qn, cn, digest);
CREATE TABLE others AS
SELECT expected.id FROM expected JOIN same USING (mn, qn, cn, digest, pno, pnum, st, data_time) WHERE id != keep;
CREATE UNIQUE INDEX same_by_id ON same (keep);
UPDATE expected SET (sent, sent_line, times, intact, acknowledged, dropped) = (
    SELECT sent, sent_line, times, intact, acknowledged, dropped FROM same WHERE keep = expected.id
) WHERE id IN (SELECT keep FROM same);
DELETE FROM expected WHERE id IN (SELECT id FROM others);
DROP TABLE same;
DROP TABLE others;
"""
#: A QN as it should be.
_WHOLE: Final = "length(qn) = 17 AND qn NOT GLOB '*[^0-9]*'"

# Places in a row of ``expected`` that later lines fill in.
_SENT, _SENT_LINE, _TIMES, _INTACT, _ACKNOWLEDGED, _DROPPED = range(12, 18)


def digest_of(area: bytes) -> bytes:
    """Return what is equal where two areas are equal."""
    return blake2b(area, digest_size=16).digest()


class Gathering:
    """The database; use it as a context manager, its file is gone afterwards."""

    def __init__(self) -> None:
        # Windows cannot remove a file that is open: the folder goes after the connection.
        self._folder = tempfile.TemporaryDirectory(prefix="audit-", ignore_cleanup_errors=True)
        self.db = sqlite3.connect(Path(self._folder.name) / "audit.db", isolation_level=None)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "temp_store = FILE", "locking_mode = EXCLUSIVE"):
            self.db.execute(f"PRAGMA {pragma}")
        self.db.execute(f"PRAGMA cache_size = -{CACHE_BYTES // 1024}")
        self.db.executescript(_TABLES)
        self.messages = 0  #: ids of messages are 1 to this
        self.ruined: Counter[str] = Counter()
        self._lines = 0

    def __enter__(self) -> Gathering:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Remove everything."""
        self.db.close()
        self._folder.cleanup()

    # Ledgers

    def add_ledger(self, ledger: LedgerFile) -> list[LedgerHeader]:
        """Take a ledger in; return the headers of its sections.

        Raises:
            OSError: If it cannot be read.
            LedgerError: If it is no ledger, or damaged.
        """
        headers: list[LedgerHeader] = []
        section = _Section(self, 0)
        self.db.execute("BEGIN")
        for line in ledger:
            if isinstance(line, LedgerHeader):
                section.finish()
                headers.append(line)
                section = _Section(self, line.offset_ms or 0)
                continue
            self._lines += 1
            try:
                section.take(line, self._lines)
            except LookupError as error:
                if not ledger.lost:
                    raise LedgerError(
                        ledger.path,
                        ledger.line,
                        _("it says something of message {number}, which is not in it").format(number=line[1]),
                    ) from error
        section.finish()
        self.db.execute("COMMIT")
        return headers

    def merge(self) -> None:
        """Let each message be there once."""
        self.db.executescript(_SAME)

    # What a platform stored

    def add_received(self, source: ReceivedSource) -> int:
        """Take a platform's rows in; return their number."""
        self.db.execute("BEGIN")
        before = self._count("received")
        self.db.executemany(_INSERT_RECEIVED, self._rows(source, before))
        self.db.execute("COMMIT")
        return self._count("received") - before

    def _rows(self, source: ReceivedSource, at: int) -> Iterator[tuple[Any, ...]]:
        ruined = self.ruined
        for row in source:
            at += 1
            qn, area = row.qn, row.area
            if qn.ruin:
                ruined[qn.ruin.value] += 1
            digest = None if area is None else digest_of(area)
            head = (at, row.mn, qn.text, row.cn, row.pno, row.pnum, row.st, row.data_time, digest)
            yield *head, row.row, row.received_ms, row.order, qn.value, qn.unit, area

    def find_rounding(self) -> None:
        """Look whether the QNs as a whole were rounded, which no single one shows; they count as ruined then."""
        found = suspicion(self._ends("received"), self._ends("expected"))
        if not found:
            return
        ruin, unit = found
        if not self._explained(unit):
            return
        (count,) = self.db.execute(f"SELECT count(*) FROM received WHERE {_WHOLE}").fetchone()
        self.ruined[ruin.value] += count
        self.db.execute(f"UPDATE received SET qn_value = CAST(qn AS INTEGER), qn_unit = {unit} WHERE {_WHOLE}")

    def _explained(self, unit: int) -> bool:
        """Say whether there is a row that no message has the QN of, and one that has it but for its last digits."""
        self.db.execute("CREATE INDEX expected_by_qn ON expected (mn, qn)")
        found = self.db.execute(
            f"""
            SELECT 1 FROM received WHERE {_WHOLE}
            AND NOT EXISTS (SELECT 1 FROM expected AS sent WHERE sent.mn = received.mn AND sent.qn = received.qn)
            AND EXISTS (
                SELECT 1 FROM expected AS sent WHERE sent.mn = received.mn
                AND sent.qn BETWEEN CAST(CAST(received.qn AS INTEGER) - {unit // 2} AS TEXT)
                AND CAST(CAST(received.qn AS INTEGER) + {unit - 1} AS TEXT)
            ) LIMIT 1
            """
        ).fetchone()
        return found is not None

    def _ends(self, table: str) -> tuple[int, int, int]:
        number = "CAST(substr(qn, 16) AS INTEGER)"
        row = self.db.execute(
            f"SELECT count(*), sum({number} % 100 = 0), sum({number} % 4 = 0) FROM {table} WHERE {_WHOLE}"
        ).fetchone()
        return row[0], row[1] or 0, row[2] or 0

    def _count(self, table: str) -> int:
        (count,) = self.db.execute(f"SELECT coalesce(max(id), 0) FROM {table}").fetchone()
        return int(count)

    # Sorted

    def expected(self, order: str) -> Iterator[Expected]:
        """Yield the messages without their areas.

        Args:
            order: Columns to sort by, ``tie`` being DataTime where there is no QN.
        """
        rows = self.db.execute(
            f"SELECT {_EXPECTED}, CASE WHEN qn = '' THEN data_time ELSE '' END AS tie FROM expected ORDER BY {order}"
        )
        return (Expected(*row[:-1]) for row in rows)

    def received(self, order: str, *, ruined: bool) -> Iterator[Received]:
        """Yield the rows whose QN is ruined, or the others, without their areas."""
        sign = ">" if ruined else "="
        rows = self.db.execute(
            f"SELECT {_RECEIVED}, CASE WHEN qn = '' THEN data_time ELSE '' END AS tie FROM received"
            f" WHERE qn_unit {sign} 0 ORDER BY {order}"
        )
        return (Received(*row[:-1]) for row in rows)

    def message(self, number: int | None) -> Expected | None:
        """Return one message with its area."""
        row = self.db.execute(f"SELECT {_EXPECTED}, area FROM expected WHERE id = ?", (number,)).fetchone()
        return Expected(*row) if row else None

    def row(self, number: int | None) -> Received | None:
        """Return one row with its area."""
        row = self.db.execute(f"SELECT {_RECEIVED}, area FROM received WHERE id = ?", (number,)).fetchone()
        return Received(*row) if row else None

    def insert(self, table: str, rows: Iterable[tuple[Any, ...]], width: int) -> None:
        """Write rows of ``placed`` or ``found``."""
        self.db.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * width)})", rows)


class _Section:
    """One section of a ledger on its way into the database: a message waits a while for the lines about it."""

    def __init__(self, gathering: Gathering, offset_ms: int) -> None:
        self._gathering = gathering
        self._offset = offset_ms
        self._base = gathering.messages + 1
        self._held: dict[int, list[Any]] = {}
        self._updates: list[tuple[Any, ...]] = []

    def take(self, line: Line, at_line: int) -> None:
        """Take one line in.

        Raises:
            LookupError: If it is about a message that the section did not name.
        """
        kind = line[0]
        if kind == "c":
            self._composed(line)
        elif kind == "s":
            damaged = len(line) > 3 and bool(line[3])
            self._note(line[1], line[2] + self._offset, at_line, 1, 0 if damaged else 1, None, None)
        elif kind == "a":
            self._note(line[1], None, 0, 0, 0, line[2] + self._offset, None)
        elif kind == "d":
            self._note(line[1], None, 0, 0, 0, None, str(line[3]))

    def _composed(self, line: Line) -> None:
        _kind, number, mn, qn, cn, st, pno, pnum, due, kind, text, *rest = line
        area = text.encode("utf-8", "surrogateescape")
        identity = self._base + number
        self._gathering.messages = max(self._gathering.messages, identity)
        self._held[number] = [
            identity, clean_text(mn), clean_text(qn), clean_text(cn), pno, pnum, clean_text(st), data_time_of(area),
            digest_of(area), due + self._offset, kind, ",".join(rest[0]) if rest else "",
            None, 0, 0, 0, None, None, area,
        ]  # fmt: skip
        if len(self._held) >= _HELD:
            self._write(_HELD // 2)

    def _note(
        self,
        number: int,
        sent: int | None,
        line: int,
        times: int,
        intact: int,
        acknowledged: int | None,
        dropped: str | None,
    ) -> None:
        row = self._held.get(number)
        if row is None:
            if not self._base <= self._base + number <= self._gathering.messages:
                raise LookupError(number)
            self._updates.append((sent, line, times, intact, acknowledged, dropped, self._base + number))
            if len(self._updates) >= _BATCH:
                self._update()
            return
        if times:
            if row[_SENT] is None:
                row[_SENT], row[_SENT_LINE] = sent, line
            row[_TIMES] += times
            row[_INTACT] += intact
        if acknowledged is not None and row[_ACKNOWLEDGED] is None:
            row[_ACKNOWLEDGED] = acknowledged
        if dropped is not None:
            row[_DROPPED] = dropped

    def finish(self) -> None:
        """Write what still waits."""
        self._write(len(self._held))
        self._update()

    def _write(self, count: int) -> None:
        oldest = list(self._held)[:count]
        self._gathering.db.executemany(_INSERT_EXPECTED, [self._held.pop(number) for number in oldest])

    def _update(self) -> None:
        self._gathering.db.executemany(_UPDATE, self._updates)
        self._updates.clear()
