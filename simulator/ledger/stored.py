"""What ``hj212 listen --store`` kept, read while it may still be written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from hj212.aio.store import APPLICATION, SCHEMA
from stationgate.exits import UsageFault
from stationgate.language import _

from .rows import Row, area_of, header_of
from .ruined import StoredQn

__all__ = ["SQLITE_MARK", "StoreRows"]

#: What every SQLite file begins with.
SQLITE_MARK = b"SQLite format 3\0"

_SELECT = "SELECT id, received, mn, cn, qn, pno, data_time, segment FROM messages ORDER BY id"


class StoreRows:
    """The messages of a store in the order of keeping, as they were when the iteration began."""

    def __init__(self, path: Path) -> None:
        self.path = path

    tells_content = True
    tells_time = True

    def __iter__(self) -> Iterator[Row]:
        """Yield its rows.

        Raises:
            UsageFault: If it is another SQLite file, of another version, or cannot be read.
        """
        try:
            with closing(self._open()) as db:
                for row_id, received, mn, cn, qn, pno, data_time, segment in db.execute(_SELECT):
                    header = header_of(segment)
                    yield Row(
                        row_id,
                        mn,
                        StoredQn(qn),
                        cn,
                        pno,
                        _number(header.get("PNUM")),
                        header.get("ST", ""),
                        data_time,
                        area_of(segment),
                        received,
                        row_id,
                    )
        except sqlite3.Error as error:
            raise UsageFault(
                _("cannot read '{file}': {reason}.").format(file=self.path, reason=error),
                _("Copy the file together with its -wal and -shm, or audit it where the listener writes it."),
            ) from error

    def _open(self) -> sqlite3.Connection:
        db = sqlite3.connect(f"file:{quote(str(self.path.absolute()))}?mode=ro", uri=True, isolation_level=None)
        try:
            (application,) = db.execute("PRAGMA application_id").fetchone()
            (version,) = db.execute("PRAGMA user_version").fetchone()
        except BaseException:
            db.close()
            raise
        if application == APPLICATION and version == SCHEMA:
            return db
        db.close()
        if application != APPLICATION:
            raise UsageFault(
                _("'{file}' is a SQLite file that hj212 listen did not write").format(file=self.path),
                _("Export the platform's table as CSV and name its columns with --map."),
            )
        raise UsageFault(_("'{file}': another version of this software wrote it").format(file=self.path))


def _number(text: str | None) -> int:
    """Return a packet number, 0 where there is none."""
    return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 4 else 0
