"""The record on disk while a run lasts: whole lines, one writer, damage named, nothing thrown away."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from conformance.__main__ import main
from conformance.cli.conducting import reopened
from conformance.demo import demo_profile
from conformance.live.journal import Journal, journal_of
from conformance.live.run import begin_record
from conformance.plan import Plan, make_plan
from conformance.transcript import Transcript
from stationgate.exits import DataFault, EnvironmentFault, UsageFault


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATIONGATE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tmp_path / "door.zip"


def plan() -> Plan:
    return make_plan(demo_profile(), ("access/alarm",))


def begun(bundle: Path, *, simulated: bool = False) -> Transcript:
    """Leave the journal of a run that got as far as its first act."""
    journal = Journal.create(journal_of(bundle))
    transcript = Transcript(epoch=time.time(), clock="real", sink=journal.write)
    begin_record(transcript, plan(), demo_profile(), 0.0, simulated=simulated)
    transcript.add("step", 1.0, step="connect", phase="begin")
    transcript.add("step", 2.0, step="connect", phase="end", result="done")
    transcript.add("step", 3.0, step="dismantle", phase="begin")
    transcript.add("act", 3.5, step="dismantle", phase="begin", act="lift", attempt=1)
    journal.close()
    return transcript


def lines(bundle: Path) -> list[bytes]:
    return journal_of(bundle).read_bytes().splitlines(keepends=True)


class TestWhatIsRead:
    def test_is_what_was_written(self, bundle: Path) -> None:
        written = begun(bundle)
        journal, profile, left, path = reopened(bundle)
        assert journal.transcript is not None
        assert (journal.transcript.to_lines(), journal.torn) == (written.to_lines(), b"")
        assert (left.select, left.steps, path) == (plan().select, plan().steps, bundle)
        assert profile.to_toml() == demo_profile().to_toml()
        journal.close()

    def test_bundle_may_be_named_by_its_journal(self, bundle: Path) -> None:
        begun(bundle)
        journal, _profile, _plan, path = reopened(journal_of(bundle))
        assert path == bundle
        journal.close()

    @pytest.mark.parametrize("kept", [1, 40, -1])
    def test_torn_last_line_is_set_aside(self, bundle: Path, kept: int) -> None:
        begun(bundle)
        *whole, last = lines(bundle)
        torn = last[:kept]
        journal_of(bundle).write_bytes(b"".join(whole) + torn)
        journal = Journal.reopen(journal_of(bundle))
        assert journal.transcript is not None
        assert (journal.transcript.to_lines(), journal.torn) == (b"".join(whole), torn)
        journal.transcript.sink = journal.write
        journal.transcript.add("note", 4.0, torn="")
        journal.close()
        assert len(lines(bundle)) == len(whole) + 1
        Journal.reopen(journal_of(bundle)).close()  # the chain holds across it

    @pytest.mark.parametrize("number", [1, 2, 4])
    def test_changed_line_is_named(self, bundle: Path, number: int) -> None:
        begun(bundle)
        changed = lines(bundle)
        changed[number - 1] = changed[number - 1].replace(b'"t_mono":', b'"t_mono":1', 1)
        journal_of(bundle).write_bytes(b"".join(changed))
        with pytest.raises(DataFault, match=f"line {number}: the record was changed or is damaged"):
            Journal.reopen(journal_of(bundle))

    def test_missing_line_is_named(self, bundle: Path) -> None:
        begun(bundle)
        first, second, _third, *rest = lines(bundle)
        journal_of(bundle).write_bytes(b"".join([first, second, *rest]))
        with pytest.raises(DataFault, match="line 3: "):
            Journal.reopen(journal_of(bundle))

    def test_damaged_journal_stays_and_can_be_looked_at_again(self, bundle: Path) -> None:
        begun(bundle)
        damaged = journal_of(bundle).read_bytes().replace(b"lift", b"left")
        journal_of(bundle).write_bytes(damaged)
        for _again in range(2):
            with pytest.raises(DataFault):
                reopened(bundle)
        assert journal_of(bundle).read_bytes() == damaged


class TestOneWriter:
    def test_nobody_else_opens_it(self, bundle: Path) -> None:
        begun(bundle)
        journal = Journal.reopen(journal_of(bundle))
        for open_it in (Journal.reopen, Journal.create):
            with pytest.raises(EnvironmentFault, match="is being written by another process"):
                open_it(journal_of(bundle))
        journal.close()
        Journal.reopen(journal_of(bundle)).close()

    def test_unfinished_run_is_not_begun_anew(self, bundle: Path) -> None:
        before = begun(bundle).to_lines()
        with pytest.raises(UsageFault, match="holds a run that did not end") as refused:
            Journal.create(journal_of(bundle))
        assert f"conformance resume {bundle};" in refused.value.hint
        assert journal_of(bundle).read_bytes() == before

    def test_refusal_lets_go_of_it(self, bundle: Path) -> None:
        begun(bundle)
        with pytest.raises(UsageFault):
            Journal.create(journal_of(bundle))
        Journal.reopen(journal_of(bundle)).close()


class TestWhatIsKept:
    def test_nothing_stays_of_a_run_that_is_sealed(self, bundle: Path) -> None:
        begun(bundle)
        Journal.reopen(journal_of(bundle)).close(remove=True)
        assert list(bundle.parent.glob("door*")) == []

    def test_run_without_a_step_is_not_worth_keeping(self, bundle: Path) -> None:
        journal = Journal.create(journal_of(bundle))
        transcript = Transcript(epoch=time.time(), clock="real", sink=journal.write)
        begin_record(transcript, plan(), demo_profile(), 0.0)
        assert not journal.holds_a_run
        transcript.add("step", 1.0, step="connect", phase="begin")
        assert journal.holds_a_run
        journal.close()

    def test_change_of_the_device_is_on_disk_before_it_is_sent(
        self, bundle: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        synced: list[int] = []
        really = os.fsync
        monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(handle), really(handle)))
        journal = Journal.create(journal_of(bundle))
        transcript = Transcript(epoch=time.time(), clock="real", sink=journal.write)
        transcript.add("step", 0.0, step="observe", phase="begin")
        assert synced == []
        transcript.add("setting", 0.0, name="RtdInterval", phase="read", value="900")
        transcript.add("setting", 0.0, name="RtdInterval", phase="set", value="60")
        assert len(synced) == 2
        journal.close()

    def test_journal_of_a_sealed_run_is_written_whole_or_not_at_all(
        self, bundle: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written = begun(bundle).to_lines()
        journal_of(bundle).unlink()

        def full(handle: int) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as disk:
            disk.setattr(os, "fsync", full)
            with pytest.raises(EnvironmentFault, match=r"cannot write .*no space"):
                Journal.rewrite(journal_of(bundle), written)
        assert not journal_of(bundle).exists()
        journal = Journal.rewrite(journal_of(bundle), written)
        assert journal_of(bundle).read_bytes() == written
        assert not journal.holds_a_run  # the bundle has it all
        journal.write(b"{}\n")
        assert journal.holds_a_run
        journal.close()
        assert not list(bundle.parent.glob("*.part"))


class TestResumeRefuses:
    """Every refusal is one sentence, and leaves what it was about as it is."""

    def refused(self, bundle: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
        code = main(["resume", str(bundle), "--non-interactive"])
        told = capsys.readouterr().err
        assert "Traceback" not in told
        return code, told

    def test_what_is_not_there(self, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
        code, told = self.refused(bundle, capsys)
        assert code == 2
        assert "there is neither" in told
        assert "door.zip.journal" in told
        assert not list(bundle.parent.glob("door*"))

    def test_damaged_journal(self, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
        begun(bundle)
        journal_of(bundle).write_bytes(journal_of(bundle).read_bytes().replace(b"lift", b"left"))
        code, told = self.refused(bundle, capsys)
        assert code == 1
        assert "door.zip.journal, line 5: the record was changed or is damaged" in told

    def test_simulated_run(self, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["demo", "--bundle", str(bundle), "--html", "demo.html"]) == 0
        sealed = bundle.read_bytes()
        code, told = self.refused(bundle, capsys)
        assert code == 2
        assert "a simulated run does not go on" in told
        assert bundle.read_bytes() == sealed
        assert not journal_of(bundle).exists()

    @pytest.mark.parametrize("content", [b"", b'{"attachment":{"epo'])
    def test_run_that_was_killed_before_it_began(
        self, content: bytes, bundle: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        journal_of(bundle).write_bytes(content)
        code, told = self.refused(bundle, capsys)
        assert code == 2
        assert "the run ended before it began" in told
        Journal.create(journal_of(bundle)).close(remove=True)  # it can be begun anew

    def test_bundle_that_is_none(self, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
        bundle.write_bytes(b"PK")
        code, told = self.refused(bundle, capsys)
        assert code == 1
        assert "door.zip" in told
        assert not journal_of(bundle).exists()

    def test_old_bundle_does_not_cost_the_journal_beside_it(
        self, bundle: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """A journal that cannot be gone on with is evidence still, whatever else has the name of its bundle."""
        assert main(["demo", "--bundle", str(bundle), "--html", "demo.html"]) == 0
        begun(bundle, simulated=True)
        before = journal_of(bundle).read_bytes()
        assert self.refused(bundle, capsys)[0] == 2
        assert journal_of(bundle).read_bytes() == before

    def test_empty_journal_does_not_hide_the_bundle(self, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["demo", "--bundle", str(bundle), "--html", "demo.html"]) == 0
        journal_of(bundle).touch()
        assert "a simulated run does not go on" in self.refused(bundle, capsys)[1]

    def test_output_that_cannot_be_written(
        self, bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        begun(bundle)
        before = journal_of(bundle).read_bytes()
        code = main(["resume", str(bundle), "--html", str(tmp_path / "nowhere" / "report.html")])
        assert code == 2
        assert "go on with: conformance resume" in capsys.readouterr().err
        assert journal_of(bundle).read_bytes() == before
        Journal.reopen(journal_of(bundle)).close()


def test_run_does_not_begin_where_another_did_not_end(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = begun(bundle).to_lines()
    words = ["--lang", "en", "--listen", "127.0.0.1:0", "--non-interactive", "--bundle", str(bundle)]
    assert main(["run", "nx-door", *words]) == 2
    told = capsys.readouterr().err
    assert "holds a run that did not end" in told
    assert f"conformance resume {bundle};" in told
    assert journal_of(bundle).read_bytes() == before
    assert not bundle.exists()


def test_journal_may_be_moved_with_its_folder(bundle: Path, tmp_path: Path) -> None:
    written = begun(bundle)
    other = tmp_path / "另一台电脑"
    other.mkdir()
    shutil.move(journal_of(bundle), other)
    journal, _profile, _plan, path = reopened(other / "door.zip")
    assert journal.transcript is not None
    assert journal.transcript.digest == written.digest
    assert path == other / "door.zip"
    journal.close()
