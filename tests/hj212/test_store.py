"""The store of the platform: what is a repeat, what is not, and that it says what it cannot do."""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hj212 import HJ_212_2017, HJ_T_212_2005, Message, Rules, compose
from hj212.aio import Arrival, Fate, MessageStore, StoreError

MN = "010000A8900016F000169DC0"


def message(
    qn: str = "20240102030405006",
    value: str = "7.1",
    *,
    mn: str = MN,
    cn: str = "2011",
    packet: tuple[int, int] | None = None,
    time: str = "20240102030400",
    rules: Rules = HJ_212_2017,
) -> Message:
    items = [[("DataTime", time)], [("w01001-Rtd", value)]]
    return compose(rules, qn=qn, st="32", cn=cn, pw="123456", mn=mn, items=items, answer=True, packet=packet)


def arrivals(*messages: Message) -> list[Arrival]:
    return [Arrival(1_704_135_845_000 + number, "127.0.0.1:4000", each) for number, each in enumerate(messages)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[MessageStore]:
    store = MessageStore(tmp_path / "day.db")
    yield store
    store.close()


def segments(store: MessageStore) -> list[bytes]:
    return [bytes(kept.message) for kept in store.read()]


class TestFate:
    @pytest.mark.parametrize("batches", [1, 2], ids=["in one commit", "in two"])
    @pytest.mark.parametrize(
        ("second", "fate"),
        [
            (message(), Fate.REPEATED),
            (message(value="7.2"), Fate.DIFFERS),
            (message("20240102030405007"), Fate.NEW),
            (message("20240102030405005"), Fate.NEW),
            (message(mn="88888880000001"), Fate.NEW),
            (message(cn="2051"), Fate.NEW),
            (message(packet=(1, 2)), Fate.NEW),
        ],
    )  # fmt: skip
    def test_of_the_second(self, store: MessageStore, second: Message, fate: Fate, batches: int) -> None:
        both = arrivals(message(), second)
        fates = store.add(both) if batches == 1 else store.add(both[:1]) + store.add(both[1:])
        assert fates == [Fate.NEW, fate]
        assert segments(store) == [bytes(message()), *([] if fate is Fate.REPEATED else [bytes(second)])]

    def test_another_packet_number(self, store: MessageStore) -> None:
        packets = [message(packet=(number, 3)) for number in (1, 2, 3, 2)]
        assert store.add(arrivals(*packets)) == [Fate.NEW, Fate.NEW, Fate.NEW, Fate.REPEATED]

    def test_a_difference_points_at_the_first_and_is_kept_once(self, store: MessageStore) -> None:
        store.add(arrivals(message(), message(value="7.2"), message(value="7.3")))
        again = store.add(arrivals(message(value="7.2"), message(), message(value="7.3")))
        assert again == [Fate.REPEATED] * 3
        assert [kept.differs_from for kept in store.read()] == [None, 1, 1]

    def test_without_qn_content_and_data_time_tell(self, store: MessageStore) -> None:
        def upload(value: str, time: str) -> Message:
            return message("", value, time=time, rules=HJ_T_212_2005)

        first, later, other = (
            upload("1", "20240102030000"),
            upload("1", "20240102040000"),
            upload("2", "20240102030000"),
        )
        assert store.add(arrivals(first, later, other)) == [Fate.NEW] * 3
        assert store.add(arrivals(other, later, first)) == [Fate.REPEATED] * 3

    def test_qn_of_a_2005_answer_stands_in_the_data_area(self, store: MessageStore) -> None:
        answers = [
            Message.from_bytes(b"ST=32;CN=1061;PW=1;MN=2;CP=&&QN=20040516010101001;RtdInterval=%d&&" % seconds)
            for seconds in (30, 60)
        ]
        assert store.add(arrivals(*answers)) == [Fate.NEW, Fate.DIFFERS]

    def test_known_again_after_the_file_was_closed(self, tmp_path: Path) -> None:
        path = tmp_path / "day.db"
        for expected in ([Fate.NEW, Fate.NEW], [Fate.REPEATED, Fate.REPEATED]):
            store = MessageStore(path)
            assert store.add(arrivals(message(), message("20240102030405009"))) == expected
            assert store.count() == 2
            store.close()

    @settings(max_examples=50)
    @given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.booleans()), max_size=60), st.integers(1, 20))
    def test_each_content_once_whatever_the_order(
        self, tmp_path_factory: pytest.TempPathFactory, sent: list[tuple[int, int, bool]], batch: int
    ) -> None:
        store = MessageStore(tmp_path_factory.mktemp("store") / "day.db")
        messages = [message(f"2024010203040500{qn}" if named else "", f"{value}.0") for qn, value, named in sent]
        for at in range(0, len(messages), batch):
            store.add(arrivals(*messages[at : at + batch]))
        kept = segments(store)
        assert len(kept) == len(set(kept))
        assert set(kept) == {bytes(each) for each in messages}
        assert kept == list(dict.fromkeys(bytes(each) for each in messages))
        store.close()

    def test_bytes_that_are_no_text_in_any_field(self, store: MessageStore) -> None:
        odd = [
            Message.from_bytes(b"QN=\xff1;ST=32;CN=\xfe;PW=1;MN=%s;Flag=5;CP=&&DataTime=\xff&&" % mn)
            for mn in (b"\xff", b"\xfe", "清".encode())
        ]
        assert store.add(arrivals(*odd)) == [Fate.NEW] * 3
        assert store.add(arrivals(*odd)) == [Fate.REPEATED] * 3
        assert segments(store) == [bytes(each) for each in odd]

    def test_two_programs_on_one_file(self, store: MessageStore) -> None:
        other = MessageStore(store.path)
        later = message("20240102030405009")
        assert store.add(arrivals(message())) == [Fate.NEW]
        assert other.add(arrivals(message(), later)) == [Fate.REPEATED, Fate.NEW]
        assert store.add(arrivals(later, message("20240102030405009", "9.9"))) == [Fate.REPEATED, Fate.DIFFERS]
        other.close()

    def test_more_than_one_statement_takes(self, store: MessageStore) -> None:
        messages = [message(f"202401020304{number:05d}") for number in range(1_283)]
        assert store.add(arrivals(*messages)) == [Fate.NEW] * 1_283
        assert segments(store) == [bytes(each) for each in messages]


class TestFile:
    def test_rows_as_documented(self, store: MessageStore) -> None:
        store.add(arrivals(message(packet=(2, 3))))
        reader = sqlite3.connect(f"file:{store.path}?mode=ro", uri=True)
        row = reader.execute("SELECT received, peer, mn, cn, qn, pno, data_time, segment, differs_from FROM messages")
        assert row.fetchall() == [
            (
                1_704_135_845_000, "127.0.0.1:4000", MN, "2011", "20240102030405006", 2, "20240102030400",
                bytes(message(packet=(2, 3))), None,
            )
        ]  # fmt: skip
        reader.close()

    def test_commits_survive_power_failure(self, store: MessageStore) -> None:
        settings = [store._db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        assert settings == ["wal", 2]  # 2 is FULL

    @pytest.mark.skipif(os.name != "posix", reason="file modes are those of POSIX")
    def test_readable_by_its_owner_only(self, store: MessageStore) -> None:
        assert stat.S_IMODE(store.path.stat().st_mode) == 0o600

    def test_selection(self, store: MessageStore) -> None:
        store.add(arrivals(message(), message(cn="2051"), message(mn="8")))
        assert [kept.id for kept in store.read(cn="2011")] == [1, 3]
        assert [kept.id for kept in store.read(mn="8")] == [3]
        assert [kept.id for kept in store.read(after=2)] == [3]

    def test_something_else_is_not_touched(self, tmp_path: Path) -> None:
        path = tmp_path / "other.db"
        other = sqlite3.connect(path)
        other.execute("CREATE TABLE mine (text TEXT)")
        other.close()
        before = path.read_bytes()
        with pytest.raises(StoreError, match="none of messages"):
            MessageStore(path)
        assert path.read_bytes() == before

    def test_no_sqlite_file(self, tmp_path: Path) -> None:
        path = tmp_path / "notes.txt"
        path.write_text("no database, but a longer text than its header has bytes" * 4)
        with pytest.raises(StoreError, match="not a database"):
            MessageStore(path)

    def test_another_version(self, tmp_path: Path) -> None:
        store = MessageStore(tmp_path / "day.db")
        store._db.execute("PRAGMA user_version = 7")
        store.close()
        with pytest.raises(StoreError, match="version 7 of the tables, expected 1"):
            MessageStore(tmp_path / "day.db")

    def test_a_folder_that_is_not_there(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="cannot be opened"):
            MessageStore(tmp_path / "no" / "day.db")

    def test_a_full_disk_keeps_nothing_of_the_batch(self, store: MessageStore) -> None:
        (pages,) = store._db.execute("PRAGMA page_count").fetchone()
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        batch = arrivals(*(message(f"202401020304{number:05d}") for number in range(500)))
        with pytest.raises(sqlite3.OperationalError, match="full"):
            store.add(batch)
        assert store.count() == 0
        store._db.execute("PRAGMA max_page_count = 1000000")
        assert store.add(batch) == [Fate.NEW] * 500
