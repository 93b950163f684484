"""The ledger of runs: nothing leaves it unseen, aborted runs stay, two processes may write."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import filelock
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance import history
from conformance.history import Damage, History, Ledger, Sample, ledger, parse
from stationgate import language
from stationgate.exits import EnvironmentFault, ExitCode

ROOT = Path(__file__).resolve().parents[2]
MN = "64010000ACCE550000000001"
DOOR = Sample("甲公司", "D-1", "0001", MN)


@pytest.fixture
def book(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "银川 检测" / "runs.jsonl")


def begin(book: Ledger, run: str, sample: Sample = DOOR, started: float = 1000.0) -> None:
    book.begin(run, started=started, profile="nx-door", sample=sample)


def end(book: Ledger, run: str, state: str = "finished", **more: object) -> None:
    told = {"exit_code": ExitCode.FAIL, "digest": "ab" * 32, "counts": {"PASS": 50, "FAIL": 3}, "number": "2025-1"}
    book.end(run, ended=2000.0, state=state, **{**told, **more})  # type: ignore[arg-type]


def lines(book: Ledger) -> list[bytes]:
    return book.path.read_bytes().split(b"\n")[:-1]


class TestRuns:
    def test_run_from_begin_to_end(self, book: Ledger) -> None:
        begin(book, "a")
        end(book, "a")
        begin(book, "b", started=3000.0)
        assert book.read().earlier(DOOR, before="b") == [
            {
                "started": 1000.0,
                "ended": 2000.0,
                "state": "finished",
                "exit_code": 1,
                "digest": "ab" * 32,
                "counts": {"PASS": 50, "FAIL": 3},
                "number": "2025-1",
            }
        ]

    def test_run_that_never_ended_is_aborted(self, book: Ledger) -> None:
        begin(book, "a")
        (row,) = book.read().earlier(DOOR)
        assert (row["state"], row["ended"], row["exit_code"], row["counts"]) == ("aborted", None, None, {})

    def test_run_that_goes_on_keeps_its_beginning_and_its_last_end(self, book: Ledger) -> None:
        begin(book, "a")
        end(book, "a", "aborted", exit_code=None)
        begin(book, "a", started=5000.0)
        end(book, "a", counts={"PASS": 53})
        (row,) = book.read().earlier(DOOR)
        assert (row["started"], row["state"], row["counts"]) == (1000.0, "finished", {"PASS": 53})

    def test_runs_come_as_they_began_and_not_as_clocks_say(self, book: Ledger) -> None:
        for run, started in (("a", 9000.0), ("b", 1.0), ("c", 500.0)):
            begin(book, run, started=started)
        assert [row["started"] for row in book.read().earlier(DOOR, before="c")] == [9000.0, 1.0]

    def test_nothing_yet(self, book: Ledger) -> None:
        assert book.read() == History()
        assert book.history(DOOR) == {"runs": [], "damage": []}

    def test_state_that_does_not_exist(self, book: Ledger) -> None:
        with pytest.raises(ValueError, match="gone"):
            end(book, "a", "gone")

    def test_attachment_is_json(self, book: Ledger) -> None:
        begin(book, "a")
        end(book, "a")
        assert json.loads(json.dumps(book.history(DOOR))) == book.history(DOOR)

    def test_installation_has_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STATIONGATE_HOME", str(tmp_path / "家"))
        begin(ledger(), "a")
        assert (tmp_path / "家" / "runs.jsonl").is_file()


class TestSample:
    NUMBERED = Sample("A", "B", "C")

    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            (Sample("A", "B", "C", "1"), Sample("A", "B", "C", "2"), True),
            (Sample("A ", "b", "C"), Sample("a", "B", " c"), True),
            (Sample("A", "B", "C", "1"), Sample("A", "B", "D", "1"), False),
            (Sample("A", "B", "C", "1"), Sample(mn="1"), True),
            (Sample(mn="1"), Sample("A", "B", "C", "1"), True),
            (Sample("A", "B", "", "1"), Sample("A", "B", "", "2"), False),
            (Sample(mn="ab"), Sample(mn="AB"), True),
            (Sample(), Sample(), False),
            (Sample("A", "B", "C"), Sample(), False),
        ],
    )
    def test_serial_number_before_mn(self, one: Sample, other: Sample, same: bool) -> None:
        assert one.same(other) is same
        assert other.same(one) is same

    def test_of_a_profile(self) -> None:
        declared = {"manufacturer": "A", "model": "B", "serial_number": "C", "client": "X"}
        assert Sample.of(declared, "1") == Sample("A", "B", "C", "1")
        assert Sample.of({}) == Sample()

    def test_mn_that_a_run_learnt_counts(self, book: Ledger) -> None:
        begin(book, "a", Sample())
        assert book.read().earlier(DOOR) == []
        book.learn("a", MN)
        assert len(book.read().earlier(DOOR)) == 1

    def test_other_device_is_not_listed(self, book: Ledger) -> None:
        begin(book, "a", Sample("甲公司", "D-1", "0002", MN))
        assert book.read().earlier(DOOR) == []


class TestDamage:
    @pytest.fixture
    def whole(self, book: Ledger) -> Ledger:
        for run in "abc":
            begin(book, run)
            end(book, run)
        assert book.read().damage == ()
        return book

    def test_line_changed_in_the_middle(self, whole: Ledger) -> None:
        data = whole.path.read_bytes()
        at = data.index(b'"FAIL":3', data.index(b'"run":"b"'))
        whole.path.write_bytes(data[:at] + b'"FAIL":0' + data[at + 8 :])
        found = whole.read()
        assert found.damage == (Damage(4, "changed"),)
        assert [run.counts["FAIL"] for run in found.runs] == [3, 0, 3]

    def test_line_taken_out(self, whole: Ledger) -> None:
        kept = [line for number, line in enumerate(lines(whole)) if number not in (2, 3)]
        whole.path.write_bytes(b"\n".join(kept) + b"\n")
        assert whole.read().damage == (Damage(2, "changed"),)

    def test_first_line_taken_out(self, whole: Ledger) -> None:
        whole.path.write_bytes(b"\n".join(lines(whole)[2:]) + b"\n")
        assert Damage(1, "changed") in whole.read().damage

    def test_lines_swapped(self, whole: Ledger) -> None:
        found = lines(whole)
        found[2], found[4] = found[4], found[2]
        whole.path.write_bytes(b"\n".join(found) + b"\n")
        assert {damage.why for damage in whole.read().damage} == {"changed"}

    def test_any_bit_before_the_last_line_shows(self, whole: Ledger) -> None:
        data = whole.path.read_bytes()
        end_of_last_but_one = data.rindex(b"\n", 0, -1)
        for at in range(end_of_last_but_one + 1):
            changed = bytearray(data)
            changed[at] ^= 1 << at % 8
            assert parse(bytes(changed)).damage, at

    def test_torn_last_line_is_kept_and_the_next_run_goes_on(self, whole: Ledger) -> None:
        begin(whole, "d")
        data = whole.path.read_bytes()
        whole.path.write_bytes(data[:-20])
        assert whole.read().damage == (Damage(7, "torn"),)
        assert [run.id for run in whole.read().runs] == ["a", "b", "c"]
        begin(whole, "e")
        assert whole.path.read_bytes().startswith(data[:-20] + b"\n")
        found = whole.read()
        assert (found.damage, [run.id for run in found.runs]) == ((Damage(7, "torn"),), ["a", "b", "c", "e"])

    def test_torn_piece_changed_later_shows(self, whole: Ledger) -> None:
        whole.path.write_bytes(whole.path.read_bytes()[:-20])
        begin(whole, "e")
        found = lines(whole)
        found[5] = b"{}"
        whole.path.write_bytes(b"\n".join(found) + b"\n")
        assert Damage(6, "changed") in whole.read().damage

    def test_line_feed_alone_is_missing(self, whole: Ledger) -> None:
        whole.path.write_bytes(whole.path.read_bytes()[:-1])
        assert whole.read().damage == ()
        begin(whole, "e")
        assert ([run.id for run in whole.read().runs], whole.read().damage) == (list("abce"), ())

    @pytest.mark.parametrize(
        "told",
        [
            {"event": "end", "run": "nobody"},
            {"event": "dance", "run": "a"},
            {"event": "begin", "run": "d", "started": "now", "profile": "x", "sample": {}},
            {"event": "end", "run": "a", "ended": 1, "state": "gone", "exit_code": 0, "digest": "", "counts": {}},
            {"run": "a"},
        ],
    )
    def test_line_that_says_nothing(self, whole: Ledger, told: dict[str, object]) -> None:
        row = {**told, "before": history._hash(lines(whole)[-1])}
        with whole.path.open("ab") as file:
            file.write(json.dumps(row).encode() + b"\n")
        assert whole.read().damage == (Damage(7, "shape"),)

    @given(st.binary(max_size=300))
    def test_anything_can_be_read(self, data: bytes) -> None:
        found = parse(data)
        assert found.runs == ()
        assert bool(found.damage) == bool(data)

    @pytest.mark.parametrize("lang", language.LANGUAGES)
    @pytest.mark.parametrize("why", ["torn", "changed", "shape"])
    def test_told_in_both_languages(self, lang: language.Language, why: str) -> None:
        with language.speaking(lang):
            assert "7" in str(Damage(7, why).said)

    def test_history_says_it(self, whole: Ledger) -> None:
        whole.path.write_bytes(whole.path.read_bytes()[:-20])
        assert whole.history(DOOR)["damage"] == [{"line": 6, "why": "torn"}]


class TestFile:
    def test_processes_take_turns(self, book: Ledger) -> None:
        script = (
            "import sys; from pathlib import Path; from conformance.history import Ledger, Sample\n"
            "book = Ledger(Path(sys.argv[1]))\n"
            "for n in range(25):\n"
            "    book.begin(f'{sys.argv[2]}-{n}', started=1.0, profile='p', sample=Sample(mn='1'))\n"
        )
        command = [sys.executable, "-c", script, str(book.path)]
        started = [subprocess.Popen([*command, name], cwd=ROOT) for name in ("x", "y", "z")]
        assert [process.wait(timeout=60) for process in started] == [0, 0, 0]
        found = book.read()
        assert (len(found.runs), found.damage) == (75, ())

    def test_lock_that_is_held(self, book: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(history, "LOCK_S", 0.0)
        begin(book, "a")
        with filelock.FileLock(f"{book.path}.lock"), pytest.raises(EnvironmentFault, match="another run has held"):
            begin(book, "b")
        assert len(book.read().runs) == 1

    def test_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("", encoding="utf-8")
        with pytest.raises(EnvironmentFault, match="cannot keep the list of runs") as refused:
            begin(Ledger(tmp_path / "file" / "runs.jsonl"), "a")
        assert "STATIONGATE_HOME" in refused.value.hint

    def test_file_that_is_a_folder(self, tmp_path: Path) -> None:
        with pytest.raises(EnvironmentFault, match="cannot keep the list of runs"):
            Ledger(tmp_path).read()

    def test_full(self, book: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
        begin(book, "a")
        monkeypatch.setattr(history, "MAX_LEDGER_BYTES", book.path.stat().st_size + 10)
        with pytest.raises(EnvironmentFault, match="is full"):
            begin(book, "b")
        assert [run.id for run in book.read().runs] == ["a"]

    def test_lines_are_ascii_and_end_with_a_line_feed(self, book: Ledger) -> None:
        begin(book, "a")
        data = book.path.read_bytes()
        assert data.isascii()
        assert data.endswith(b"\n")
        assert b"\r" not in data
