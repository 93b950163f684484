"""The ledger: what is written is read, whatever the disk does; ruined QNs and times of any form are recognised."""

from __future__ import annotations

import errno
import os
import sys
from datetime import timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from simulator.ledger import LedgerError, LedgerFile, LedgerHeader, LedgerWriter, writing
from simulator.ledger.instants import parse_data_time, parse_instant, parse_zone
from simulator.ledger.ruined import Ruin, may_have_been, read_qn, suspicion
from simulator.ledger.writing import FLUSH_BYTES, FLUSH_S

START = 1764300000000
HEADER = LedgerHeader(scenario="9f2c", seed=7, start_ms=START, shard=(1, 3), wall_ms=START + 5)
MN = "64010000ACCE550000000001"
QN = "20251128112000000"

tmp_path_is_enough = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


def compose(ledger: LedgerWriter, qn: str = QN, area: bytes = b"DataTime=20251128112000", **values: object) -> int:
    facts: dict[str, object] = {"cn": "2011", "st": "32", "pno": 0, "pnum": 0, "due_ms": START, "kind": "periodic"}
    return ledger.composed(MN, qn, area=area, **(facts | values))  # type: ignore[arg-type]


def lines(path: Path) -> list[object]:
    return list(LedgerFile(path))


class TestWritingAndReading:
    def test_each_kind_of_line(self, tmp_path: Path) -> None:
        path = tmp_path / "l"
        ledger = LedgerWriter(path, HEADER)
        assert compose(ledger) == 0
        assert compose(ledger, pno=2, pnum=3, faults=("a", "b"), area="备注=//门;开//".encode()) == 1
        ledger.sent(0, START + 1)
        ledger.sent(1, START + 2, ("crc",))
        ledger.acknowledged(0, START + 3)
        ledger.dropped(1, START + 4, 'queue "full"')
        assert ledger.messages == 2
        assert ledger.close(START + 9) is None
        assert lines(path) == [
            HEADER,
            ["c", 0, MN, QN, "2011", "32", 0, 0, START, "periodic", "DataTime=20251128112000"],
            ["c", 1, MN, QN, "2011", "32", 2, 3, START, "periodic", "备注=//门;开//", ["a", "b"]],
            ["s", 0, START + 1],
            ["s", 1, START + 2, ["crc"]],
            ["a", 0, START + 3],
            ["d", 1, START + 4, 'queue "full"'],
            ["e", START + 9],
        ]
        assert path.read_bytes().isascii()

    @tmp_path_is_enough
    @given(st.lists(st.tuples(st.binary(max_size=40), st.text(max_size=8), st.text(max_size=8)), max_size=8))
    def test_any_text_and_any_bytes_come_back(self, tmp_path: Path, messages: list[tuple[bytes, str, str]]) -> None:
        path = tmp_path / "l"
        path.unlink(missing_ok=True)
        ledger = LedgerWriter(path, HEADER)
        for area, qn, kind in messages:
            compose(ledger, qn, area, kind=kind)
        ledger.close(0)
        read = [line for line in lines(path) if isinstance(line, list) and line[0] == "c"]
        assert [(line[10].encode("utf-8", "surrogateescape"), line[3], line[9]) for line in read] == messages

    def test_file_is_for_its_owner_only(self, tmp_path: Path) -> None:
        LedgerWriter(tmp_path / "l", HEADER).close(0)
        if sys.platform != "win32":
            assert (tmp_path / "l").stat().st_mode & 0o777 == 0o600

    def test_what_is_written_waits_for_its_time(self, tmp_path: Path) -> None:
        ledger = LedgerWriter(tmp_path / "l", HEADER)
        ledger.flush(100.0)
        compose(ledger)
        ledger.flush(100.0 + FLUSH_S / 2)
        assert len(lines(tmp_path / "l")) == 1
        ledger.flush(100.0 + FLUSH_S)
        assert len(lines(tmp_path / "l")) == 2
        compose(ledger)
        ledger.flush()
        assert len(lines(tmp_path / "l")) == 3
        ledger.close(0)

    def test_what_is_written_waits_for_no_more_than_its_size(self, tmp_path: Path) -> None:
        ledger = LedgerWriter(tmp_path / "l", HEADER)
        for _ in range(1000):
            compose(ledger, area=b"x" * 100)
        written = (tmp_path / "l").stat().st_size
        ledger.close(0)
        assert (tmp_path / "l").stat().st_size - written < FLUSH_BYTES

    def test_a_second_run_begins_a_second_section(self, tmp_path: Path) -> None:
        for _ in range(2):
            ledger = LedgerWriter(tmp_path / "l", HEADER)
            assert compose(ledger) == 0
            ledger.close(START)
        ledger_file = LedgerFile(tmp_path / "l")
        assert [line if isinstance(line, LedgerHeader) else line[0] for line in ledger_file] == [
            HEADER, "c", "e", HEADER, "c", "e",
        ]  # fmt: skip
        assert ledger_file.complete


class TestDamage:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        ledger = LedgerWriter(tmp_path / "l", HEADER)
        compose(ledger)
        ledger.sent(0, START)
        ledger.close(START)
        return tmp_path / "l"

    def test_file_cut_anywhere_gives_the_lines_before_and_says_so(self, path: Path) -> None:
        whole = path.read_bytes()
        full = lines(path)
        head = whole.index(b"\n") + 1
        for size in range(head, len(whole)):
            path.write_bytes(whole[:size])
            ledger = LedgerFile(path)
            ends = whole[:size].count(b"\n")
            assert list(ledger) == full[:ends]
            assert ledger.torn == ([] if whole[:size].endswith(b"\n") else [ends + 1])
            assert ledger.unclosed == 1
            assert not ledger.complete

    def test_next_run_begins_a_line_of_its_own_behind_a_torn_one(self, path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-25])
        LedgerWriter(path, HEADER).close(START)
        ledger = LedgerFile(path)
        kinds = [line if isinstance(line, LedgerHeader) else line[0] for line in ledger]
        assert kinds == [HEADER, "c", HEADER, "e"]
        assert ledger.torn == [3]
        assert ledger.unclosed == 1

    @pytest.mark.parametrize(
        "damaged",
        [b"[]\n", b'["q",1,2]\n', b'["s",1]\n', b'["s","0",5]\n', b"5\n", b"\xff\n", b'{"ledger":2}\n', b"{}\n"],
    )
    def test_damage_in_the_middle_is_an_error_with_its_line(self, path: Path, damaged: bytes) -> None:
        first, *rest = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(first + damaged + b"".join(rest))
        with pytest.raises(LedgerError) as caught:
            lines(path)
        assert (caught.value.line, caught.value.path) == (2, path)

    @pytest.mark.parametrize("content", [b"", b"MN,QN\n1,2\n", b'["e",1]\n', b'{"ledger": 9}\n', b'{"event": "x"}\n'])
    def test_what_is_no_ledger_is_an_error_in_its_first_line(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        with pytest.raises(LedgerError) as caught:
            lines(path)
        assert caught.value.line == 1

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
    def test_full_disk_is_a_failure_and_no_exception(self) -> None:
        ledger = LedgerWriter("/dev/full", HEADER)
        compose(ledger)
        ledger.flush()
        assert ledger.failure is not None
        assert ledger.failure.reason == "no space left on the device"
        assert ledger.failure.lost == 0
        failure = ledger.close(START)
        assert failure is not None
        assert failure.lost == 3  # header, message, end
        assert ledger.close() == failure

    def test_file_that_cannot_be_made_is_a_failure_and_no_exception(self, tmp_path: Path) -> None:
        ledger = LedgerWriter(tmp_path / "none" / "l", HEADER)
        assert ledger.failure is not None
        assert ledger.failure.reason == "no such file or directory"
        for _ in range(1000):
            ledger.sent(compose(ledger, area=b"x" * 200), START)
        assert ledger.close(START) is not None

    def test_disk_that_is_full_for_a_while_costs_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        ledger = LedgerWriter(tmp_path / "l", HEADER)
        disk = Disk(monkeypatch, room=30)
        for _ in range(5):
            compose(ledger)
            ledger.flush()
        assert ledger.failure is not None
        disk.room = 1 << 30
        ledger.flush()
        assert ledger.failure is None
        ledger.close(START)
        read = LedgerFile(tmp_path / "l")
        assert [line[1] for line in read if isinstance(line, list) and line[0] == "c"] == [0, 1, 2, 3, 4]
        assert read.complete

    def test_disk_that_is_full_for_long_leaves_a_mark_where_lines_are_missing(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(writing, "MAX_PENDING_BYTES", 100_000)
        ledger = LedgerWriter(tmp_path / "l", HEADER)
        disk = Disk(monkeypatch, room=30)
        for _ in range(2000):
            compose(ledger)
        assert ledger.failure is not None
        lost = ledger.failure.lost
        assert 0 < lost < 2000
        disk.room = 1 << 30
        ledger.flush()
        compose(ledger)
        failure = ledger.close(START)
        assert failure is not None
        assert (failure.lost, failure.reason) == (lost, "")
        read = LedgerFile(tmp_path / "l")
        numbers = [line[1] for line in read if isinstance(line, list) and line[0] == "c"]
        assert numbers == [*range(2000 - lost), 2000]
        assert read.lost == lost
        assert not read.complete


class Disk:
    """A disk with room for so many bytes."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.room = room
        self._write = os.write
        monkeypatch.setattr(writing.os, "write", self.write)

    def write(self, descriptor: int, data: memoryview) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, "No space left on device")
        taken = self._write(descriptor, data[: self.room])
        self.room -= taken
        return taken


class TestRuinedQn:
    @pytest.mark.parametrize(
        ("cell", "text", "ruin", "unit"),
        [
            ("20251128123456789", "20251128123456789", None, 0),
            (" 20251128123456789\t", "20251128123456789", None, 0),
            ("2.02511E+16", "2.02511E+16", Ruin.SCIENTIFIC, 10**11),
            ("2.0251128123456E+16", "2.0251128123456E+16", Ruin.SCIENTIFIC, 1000),
            ("2.0251128123456789e16", "20251128123456789", Ruin.SCIENTIFIC, 0),
            ("'20251128123456789", "20251128123456789", Ruin.APOSTROPHE, 0),
            ("20251128123456788.0", "20251128123456788", Ruin.DECIMAL, 0),
            ("20,251,128,123,456,789", "20251128123456789", Ruin.SEPARATORS, 0),
            ("20,251,128,123,456,789.00", "20251128123456789", Ruin.SEPARATORS, 0),
            ('="20251128123456789"', "20251128123456789", Ruin.FORMULA, 0),
            ("", "", None, 0),
            ("n/a", "n/a", None, 0),
            ("'x", "'x", None, 0),
            ("2.5E+10", "2.5E+10", None, 0),
        ],
    )
    def test_cell(self, cell: str, text: str, ruin: Ruin | None, unit: int) -> None:
        read = read_qn(cell)
        assert (read.text, read.ruin, read.unit) == (text, ruin, unit)

    @example("20000101000000", 14, 15)
    @given(st.datetimes().map(lambda t: f"{t:%Y%m%d%H%M%S}"[-14:].zfill(14)), st.integers(0, 999), st.integers(1, 15))
    def test_scientific_form_may_be_the_qn_it_was_made_of(self, time: str, millis: int, digits: int) -> None:
        qn = f"2{time[1:]}{millis:03d}"
        read = read_qn(f"{int(qn):.{digits}E}")
        assert not read.unit or may_have_been(read.value, read.unit, qn)

    @given(st.integers(20000101000000000, 20991231235959999).map(str))
    def test_rounded_number_may_be_the_qn_it_was_made_of(self, qn: str) -> None:
        assert may_have_been(int(qn) // 100 * 100, 100, qn)
        assert may_have_been(round(int(qn), -2), 100, qn)
        assert may_have_been(int(float(qn)), 4, qn)
        assert not may_have_been(int(qn) + 200, 100, qn)
        assert not may_have_been(int(qn), 4, "not a QN")

    def test_column_is_suspicious_only_where_the_sent_one_is_not_like_it(self) -> None:
        assert suspicion((10, 10, 10), (10, 1, 3)) == (Ruin.ROUNDED, 100)
        assert suspicion((10, 4, 10), (10, 1, 3)) == (Ruin.DOUBLE, 4)
        assert suspicion((10, 10, 10), (10, 10, 10)) is None
        assert suspicion((10, 9, 9), (10, 1, 3)) is None
        assert suspicion((0, 0, 0), (10, 1, 3)) is None


class TestInstants:
    CHINA = timezone(timedelta(hours=8))

    @pytest.mark.parametrize(
        "text",
        [
            "1764304496789",
            "1764304496.789",
            "20251128123456789",
            "2025-11-28 12:34:56.789",
            "2025-11-28T12:34:56.789+08:00",
            "2025-11-28T04:34:56.789Z",
            "2025/11/28 12:34:56.789123",
            "2025-11-28 12:34:56,789 +0800",
        ],
    )
    def test_every_form_is_the_same_instant(self, text: str) -> None:
        assert parse_instant(text, self.CHINA) == 1764304496789

    @pytest.mark.parametrize("text", ["2025/11/28 12:34", "2025-11-28 12:34:00", "20251128123400", "1764304440"])
    def test_coarser_forms(self, text: str) -> None:
        assert parse_instant(text, self.CHINA) == 1764304440000

    @pytest.mark.parametrize(
        "text", ["", "yesterday", "2025-13-01 00:00", "28.11.2025 12:34", "20251328123456", "45989.5"]
    )
    def test_what_is_no_time(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"."):
            parse_instant(text, self.CHINA)

    def test_zone(self) -> None:
        assert parse_zone("+08:00") == self.CHINA
        assert parse_zone("-0330") == timezone(-timedelta(hours=3, minutes=30))
        with pytest.raises(ValueError, match="zone"):
            parse_zone("Asia/Shanghai")

    @pytest.mark.parametrize(
        ("text", "digits"),
        [("20251128123456", "20251128123456"), ("2025/1/2 3:04", "20250102030400"), ("2.02E+13", ""), ("", "")],
    )
    def test_data_time(self, text: str, digits: str) -> None:
        assert parse_data_time(text) == digits
