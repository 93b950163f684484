"""Outboxes against a plain list: what every one has to do, in memory and in a file."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hj212.aio import SqliteOutbox, StoreError
from hj212.encryption import Key
from hj212.station import MemoryOutbox, Outbox, Record, Settings

LIMIT = 6


def record(number: int) -> Record:
    time = f"202509151000{number % 60:02}"
    return Record("2051", f"{time}{number:03}", ((("DataTime", time),),), float(number), time)


class Model:
    """What an outbox holds, as a list in order of arrival."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def put(self, records: list[Record]) -> list[Record]:
        self.records += records
        dropped, self.records = self.records[:-LIMIT], self.records[-LIMIT:]
        return dropped

    def oldest(self, count: int, without: set[int]) -> list[int]:
        left = [each for each in self.records if each.id not in without]
        return [each.id for each in sorted(left, key=lambda each: each.attempts)][:count]

    def tried(self, ids: set[int]) -> None:
        self.records = [replace(r, attempts=r.attempts + 1) if r.id in ids else r for r in self.records]

    def remove(self, ids: set[int]) -> None:
        self.records = [each for each in self.records if each.id not in ids]


IDS = st.sets(st.integers(1, 12), max_size=4)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 3)),
        st.tuples(st.just("remove"), IDS),
        st.tuples(st.just("tried"), IDS),
        st.tuples(st.just("oldest"), IDS),
    ),
    max_size=30,
)


@given(STEPS)
def test_in_memory_against_a_model(steps: list[tuple[str, object]]) -> None:
    check(MemoryOutbox(limit=LIMIT), steps)


@settings(max_examples=40)
@given(STEPS)
def test_in_a_file_against_a_model(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, object]]) -> None:
    outbox = SqliteOutbox(tmp_path_factory.mktemp("outbox") / "outbox.db", limit=LIMIT)
    check(outbox, steps)
    outbox.close()


def check(outbox: Outbox, steps: list[tuple[str, object]]) -> None:
    model, made = Model(), 0
    for step, argument in steps:
        if step == "put":
            assert isinstance(argument, int)
            kept, dropped = outbox.put([record(made + n) for n in range(argument)])
            assert [each.id for each in kept] == list(range(made + 1, made + argument + 1))
            made += argument
            assert dropped == model.put(kept)
            continue
        assert isinstance(argument, set)
        if step == "oldest":
            assert [each.id for each in outbox.oldest(3, argument)] == model.oldest(3, argument)
        else:
            getattr(outbox, step)(argument)
            getattr(model, step)(argument)
        assert len(outbox) == len(model.records)
    assert [each.id for each in outbox.oldest(100)] == model.oldest(100, set())
    assert {each.id: each for each in outbox.oldest(100)} == {each.id: each for each in model.records}


def test_limit_must_leave_room() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        MemoryOutbox(limit=0)


def test_a_record_that_is_refused_goes_behind_the_others() -> None:
    """One that its platform never acknowledges does not keep the rest from being sent."""
    outbox = MemoryOutbox()
    kept, _ = outbox.put([record(0), record(1), record(2)])
    outbox.tried([kept[0].id])
    assert [each.id for each in outbox.oldest(3)] == [kept[1].id, kept[2].id, kept[0].id]


class TestFile:
    def test_what_was_put_is_there_after_the_process_is_gone(self, tmp_path: Path) -> None:
        """The process ends as by a kill: nothing is closed."""
        script = (
            "import os, sys; from hj212.aio import SqliteOutbox; from hj212.station import Record;"
            "box = SqliteOutbox(sys.argv[1]);"
            "kept, _ = box.put([Record('2051', str(n), ((('DataTime', '清 1'),),), 1.5, st='32', pno=1, pnum=2)"
            " for n in range(3)]); box.tried([kept[0].id]); box.remove([kept[1].id]); os._exit(9)"
        )
        path = str(tmp_path / "outbox.db")
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        assert subprocess.run([sys.executable, "-c", script, path], env=environ, timeout=60).returncode == 9
        outbox = SqliteOutbox(path)
        items = ((("DataTime", "清 1"),),)
        assert outbox.oldest(9) == [
            Record("2051", "2", items, 1.5, st="32", pno=1, pnum=2, id=3),
            Record("2051", "0", items, 1.5, st="32", pno=1, pnum=2, attempts=1, id=1),
        ]
        assert len(outbox) == 2
        outbox.close()

    def test_numbers_are_not_given_twice(self, tmp_path: Path) -> None:
        outbox = SqliteOutbox(tmp_path / "outbox.db")
        kept, _ = outbox.put([record(1)])
        outbox.remove([kept[0].id])
        assert outbox.put([record(2)])[0][0].id == 2
        outbox.close()

    def test_bytes_that_are_no_text(self, tmp_path: Path) -> None:
        outbox = SqliteOutbox(tmp_path / "outbox.db")
        odd = replace(record(1), items=((("i11001-Info", b"\xff\xfe".decode("utf-8", "surrogateescape")),),))
        (kept,), _ = outbox.put([odd])
        assert outbox.oldest(1) == [kept]
        assert kept.items == odd.items
        outbox.close()

    def test_a_full_disk_keeps_none_and_says_so(self, tmp_path: Path) -> None:
        outbox = SqliteOutbox(tmp_path / "outbox.db")
        (pages,) = outbox._db.execute("PRAGMA page_count").fetchone()
        outbox._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(sqlite3.OperationalError, match="full"):
            outbox.put([record(number) for number in range(500)])
        assert (len(outbox), outbox.oldest(1)) == (0, [])
        outbox.close()

    def test_settings(self, tmp_path: Path) -> None:
        path = tmp_path / "outbox.db"
        first = Settings(mn="1" * 24, pw="123456")
        outbox = SqliteOutbox(path)
        assert outbox.load_settings(first) == first
        changed = replace(first, pw="abcdef", rtd_interval_s=60, key=Key(b"0123456789abcdef"), key_created="2" * 17)
        outbox.save_settings(changed)
        outbox.close()
        outbox = SqliteOutbox(path)
        assert outbox.load_settings(first) == changed
        outbox.close()

    def test_something_else(self, tmp_path: Path) -> None:
        path = tmp_path / "other.db"
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE mine (text TEXT)")
        other.close()
        with pytest.raises(StoreError, match="none of an outbox"):
            SqliteOutbox(path)
