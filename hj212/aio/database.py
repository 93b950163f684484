"""SQLite files of ours: opened so that nothing is lost, and told from files of others."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Final

__all__ = ["StoreError", "StoreFault", "open_database", "transaction"]

#: How long to wait for another program that holds the file.
BUSY_S: Final = 5.0


class StoreFault(Enum):
    """Why a file cannot be used."""

    UNREADABLE = "unreadable"  #: it cannot be opened, or is no SQLite file
    FOREIGN = "foreign"  #: a SQLite file that keeps something else
    VERSION = "version"  #: of another version of this software
    GONE = "gone"  #: deleted, moved away or replaced while it was open: what is written reaches nobody


class StoreError(Exception):
    """A file cannot be used.

    Attributes:
        fault: Why.
        detail: What the system says, empty where nothing.
    """

    def __init__(self, fault: StoreFault, text: str, detail: str = "") -> None:
        super().__init__(text)
        self.fault = fault
        self.detail = detail


def open_database(path: Path, what: str, application: int, version: int, tables: str) -> sqlite3.Connection:
    """Open a file, or make it, readable by its owner only: what it keeps holds passwords.

    A commit is on the disk before it returns (unless ``PRAGMA synchronous`` is changed), and a killed process leaves
    whole transactions only. The connection begins transactions by :func:`transaction` alone, and any thread may use
    it, one at a time.

    Args:
        path: The file.
        what: What it keeps, for errors: ``"messages"``.
        application: Its ``application_id``, which tells it from any other SQLite file.
        version: Version of the tables, its ``user_version``.
        tables: Statements that make the tables.

    Raises:
        StoreError: If it cannot be opened, is something else, or has another version.
    """
    try:
        # Not sqlite3's own creation: that leaves the mode to the umask.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(StoreFault.UNREADABLE, f"cannot be opened: {error}", str(error)) from error
    try:
        _prepare(db, what, application, version, tables)
    except sqlite3.Error as error:
        db.close()
        raise StoreError(StoreFault.UNREADABLE, f"cannot be used: {error}", str(error)) from error
    except StoreError:
        db.close()
        raise
    return db


def _prepare(db: sqlite3.Connection, what: str, application: int, version: int, tables: str) -> None:
    (found,) = db.execute("PRAGMA application_id").fetchone()
    (has,) = db.execute("PRAGMA user_version").fetchone()
    empty = db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    if not empty and found != application:
        raise StoreError(StoreFault.FOREIGN, f"is a SQLite file, but none of {what}")
    if not empty and has != version:
        raise StoreError(StoreFault.VERSION, f"has version {has} of the tables, expected {version}")
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    if empty:
        db.executescript(
            f"BEGIN IMMEDIATE; {tables} PRAGMA application_id = {application}; PRAGMA user_version = {version}; COMMIT;"
        )


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Do all of the block, or nothing of it."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
