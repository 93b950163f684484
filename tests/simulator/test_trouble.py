"""Whatever happens to a run, it ends with a code and a sentence, and its ledger holds what was sent.

Real processes over real loopback: Ctrl-C, a full disk, a platform that is not there, goes away, comes back; a clock
that somebody sets, a generator that is held up, too few open files, a target that is somebody else's.
"""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from simulator.engine import Counts, line, run_fleet
from simulator.engine.fleet import Options
from simulator.scenario import Scenario, StationGroup, Target

from .test_fleet import free_port
from .wire import HOST, Record, recording, whole_frames

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.usefixtures("nothing_left_open"),
    pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX"),
]

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 60.0


@pytest.fixture
def city(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes a scenario: doors that report every second."""

    def write(port: int, *, count: int = 20, duration_s: float = 60.0, host: str = HOST, more: str = "") -> Path:
        file = tmp_path / "city.toml"
        file.write_text(
            f'duration_s = {duration_s}\n[target]\nhost = "{host}"\nport = {port}\n'
            f"[[station]]\ncount = {count}\ninterval_s = 1\nopenings_per_hour = 0\n{more}",
            "utf-8",
        )
        return file

    return write


@contextmanager
def running(*arguments: object, limit: int | None = None) -> Iterator[subprocess.Popen[str]]:
    """``simulator run`` as a process of its own, with everything it starts in a session of its own."""
    command = [sys.executable, "-m", "simulator", "run", *map(str, arguments), "--lang", "en"]
    if limit is not None:
        command = ["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh", *command]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=PATIENCE_S)
    return process.returncode, out, err


def session_of(leader: int) -> list[int]:
    """The processes of a session that are still there, those nobody has buried included."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[3]) == leader:
                found.append(int(folder.name))
    return found


def until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def received(record: Record) -> set[tuple[str, str]]:
    """MN and QN of every frame that reached the platform whole."""
    found = set()
    for stream in record.streams:
        for _, frame in whole_frames(stream.bytes):
            fields = dict(re.findall(r"(QN|MN)=([^;]*);", frame.decode("utf-8", "replace")))
            found.add((fields["MN"], fields["QN"]))
    return found


def in_ledger(file: Path) -> tuple[set[tuple[str, str]], int, int]:
    """MN and QN of what was sent by a ledger; how many sections it has, and how many of them were closed."""
    sent: set[tuple[str, str]] = set()
    names: dict[int, tuple[str, str]] = {}
    sections = closed = 0
    for text in file.read_text("ascii").splitlines():
        entry = json.loads(text)
        if isinstance(entry, dict):
            sections, names = sections + 1, {}
        elif entry[0] == "c":
            names[entry[1]] = entry[2], entry[3]
        elif entry[0] == "s":
            sent.add(names[entry[1]])
        elif entry[0] == "e":
            closed += 1
    return sent, sections, closed


class TestInterrupt:
    @pytest.mark.parametrize("processes", [1, 2])
    @pytest.mark.parametrize("moment", [0, pytest.param(1, marks=pytest.mark.soak)])
    def test_what_was_sent_is_in_the_ledger(
        self, city: Callable[..., Path], tmp_path: Path, processes: int, moment: int
    ) -> None:
        wait_s = random.Random(f"{processes}/{moment}").uniform(0.0, 1.5)
        ledger = tmp_path / "city.ledger"
        record = Record()
        with (
            recording(record),
            running(city(record.port), "--processes", processes, "--ledger", ledger) as process,
        ):
            until(lambda: bool(record.streams))
            time.sleep(wait_s)
            os.killpg(process.pid, signal.SIGINT)
            code, _out, err = ended(process)
            until(lambda: session_of(process.pid) == [])  # Python's own tracker of resources ends a little later
        assert (code, "Traceback" in err) == (130, False), err
        sent, sections, closed = in_ledger(ledger)
        assert (sections, closed) == (processes, processes)
        assert received(record) <= sent
        assert received(record)
        assert sorted(tmp_path.glob("city.ledger*")) == [ledger]

    def test_while_processes_begin(self, city: Callable[..., Path], tmp_path: Path) -> None:
        """Whoever is not ready yet neither dies with a traceback nor plays on."""
        record = Record()
        with recording(record), running(city(record.port), "--processes", 2) as process:
            until(lambda: len(session_of(process.pid)) >= 3)
            os.killpg(process.pid, signal.SIGINT)
            code, _out, err = ended(process)
            until(lambda: session_of(process.pid) == [])  # Python's own tracker of resources ends a little later
        assert (code, "Traceback" in err) == (130, False), err

    def test_the_first_process_does_not_let_it_in(self) -> None:
        """Python's tracker of resources, which starts with the first process, unblocks signals where it is started."""
        program = (
            "import signal\nfrom multiprocessing import get_context\n"
            "from simulator.engine.processes import _no_interrupt\n"
            "with _no_interrupt():\n"
            "    child = get_context('spawn').Process(target=int)\n    child.start()\n"
            "    held = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])\n"
            "child.join()\nprint(held, signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))\n"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=PATIENCE_S)
        assert (done.stdout, done.stderr) == ("True False\n", "")

    def test_before_a_process_has_begun_there_is_no_ledger(self, city: Callable[..., Path], tmp_path: Path) -> None:
        """An empty file would be no ledger to an audit."""
        record, ledger = Record(), tmp_path / "ledger"
        with (
            recording(record),
            running(city(record.port), "--processes", 2, "--ledger", ledger) as process,
        ):
            until(lambda: len(session_of(process.pid)) >= 3)
            os.killpg(process.pid, signal.SIGINT)
            code, _out, err = ended(process)
        assert code == 130, err
        assert not ledger.exists() or ledger.read_text("utf-8").startswith('{"ledger": 1')


class TestFullDisk:
    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
    def test_full_from_the_beginning(self, city: Callable[..., Path]) -> None:
        record = Record()
        with recording(record), running(city(record.port, duration_s=2), "--ledger", "/dev/full") as process:
            code, out, err = ended(process)
        assert code == 3, err
        assert "degraded: the ledger /dev/full is not complete: no space left on the device" in err
        assert out.startswith("20 stations, ")
        assert len(received(record)) >= 40

    @pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="only root may mount a small disk")
    @pytest.mark.parametrize("processes", [pytest.param(1, marks=pytest.mark.soak), 2])
    def test_full_on_the_way(self, city: Callable[..., Path], tmp_path: Path, processes: int) -> None:
        disk = tmp_path / "disk"
        disk.mkdir()
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "tmpfs", str(disk)], check=False)
        if mounted.returncode:
            pytest.skip("this machine mounts nothing")
        try:
            record = Record()
            with (
                recording(record),
                running(
                    city(record.port, duration_s=3), "--processes", processes, "--ledger", disk / "city.ledger"
                ) as process,
            ):
                code, _out, err = ended(process)
            assert code == 3, err
            assert f"degraded: the ledger {disk}/city.ledger" in err
            assert "is not complete: no space left on the device" in err
            assert len(received(record)) >= 60
        finally:
            subprocess.run(["umount", str(disk)], check=True)


class TestPlatform:
    def test_refused(self, city: Callable[..., Path]) -> None:
        port = free_port()
        with running(city(port, duration_s=1)) as process:
            code, out, err = ended(process)
        assert (code, out) == (4, "")
        assert err.splitlines() == [
            f"Error: no station could connect to {HOST}:{port}",
            f"start the platform first, for example: hj212 listen --port {port}",
        ]

    def test_that_comes_back_gets_what_it_missed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(line, "RECONNECT_S", 0.3)
        first, second = Record(), Record()
        ledger = tmp_path / "city.ledger"
        with recording(first):
            scenario = Scenario(
                3, 4.5, Target(HOST, first.port), (StationGroup(count=10, interval_s=0.5, openings_per_hour=0),)
            )
            done: list[object] = []
            fleet = threading.Thread(target=lambda: done.append(run_fleet(scenario, Options(ledger=ledger))))
            fleet.start()
            time.sleep(1.2)
        gone_at = time.time()
        time.sleep(1.0)
        second.port = first.port
        with recording(second):
            fleet.join(PATIENCE_S)
        (result,) = done
        assert result.exit_code == 0, result.reasons  # type: ignore[attr-defined]
        assert result.notes == ()  # type: ignore[attr-defined]
        sent, *_ = in_ledger(ledger)
        assert received(first) | received(second) == sent
        assert len(sent) == 10 * (1 + 10)
        # What was due while nobody was there came later, with the QN of its own instant.
        missed = [qn for _mn, qn in received(second) if _posix(qn) < gone_at + 0.9]
        assert len(missed) >= 10

    def test_that_stays_away_is_told(self, city: Callable[..., Path]) -> None:
        record = Record()
        with ExitStack() as there:
            there.enter_context(recording(record))
            with running(city(record.port, duration_s=2)) as process:
                until(lambda: len(record.streams) == 20)
                there.close()
                code, _out, err = ended(process)
        assert code == 0, err
        assert "at the end no station had a link: the platform is gone" in err


def _posix(qn: str) -> float:
    return datetime.strptime(qn[:14] + "+0800", "%Y%m%d%H%M%S%z").timestamp() + int(qn[14:]) / 1000


class TestMachine:
    def scenario(self, port: int) -> Scenario:
        return Scenario(3, 2.5, Target(HOST, port), (StationGroup(count=5, interval_s=0.5, openings_per_hour=0),))

    @pytest.mark.parametrize("step_s", [pytest.param(3600.0, marks=pytest.mark.soak), -90.0])
    def test_clock_that_is_set(self, monkeypatch: pytest.MonkeyPatch, step_s: float) -> None:
        real = time.time
        record = Record()

        def set_it(counts: Counts) -> None:
            if counts.at_s > 1:
                monkeypatch.setattr(time, "time", lambda: real() + step_s)

        with recording(record):
            result = run_fleet(self.scenario(record.port), Options(progress=set_it))
        assert (result.degraded, int(result.exit_code)) == (True, 3)
        assert result.reasons == (f"somebody set this machine's clock by {step_s:+.1f} s",)
        # The stations go on as if nothing had happened: their instants come from the clock that only goes forward.
        assert len(received(record)) == 5 * (1 + 6)

    @pytest.mark.soak
    def test_clock_that_nobody_sets(self) -> None:
        record = Record()
        with recording(record):
            result = run_fleet(self.scenario(record.port))
        assert not result.degraded, result.reasons

    def test_generator_that_is_held_up(self, city: Callable[..., Path]) -> None:
        record = Record()
        with recording(record), running(city(record.port, duration_s=4.5)) as process:
            until(lambda: bool(record.streams))
            time.sleep(0.3)  # so that it goes on well before the end
            os.kill(process.pid, signal.SIGSTOP)
            time.sleep(3.0)
            os.kill(process.pid, signal.SIGCONT)
            code, _out, err = ended(process)
        assert code == 3, err
        late = re.search(r"degraded: this machine was ([0-9.]+) s late", err)
        assert late is not None, err
        assert 2.0 < float(late[1]) < 10.0

    @pytest.mark.parametrize("processes", [1, 2])
    def test_too_few_open_files(self, city: Callable[..., Path], processes: int) -> None:
        record = Record()
        with (
            recording(record),
            running(city(record.port, count=100), "--processes", processes, limit=64) as process,
        ):
            code, out, err = ended(process)
        assert (code, out) == (4, "")
        each = 100 // processes
        assert f"{each} stations in one process need {each + 96} open files, and it may have 64" in err
        assert record.streams == []

    def test_somebody_elses_platform(self, city: Callable[..., Path]) -> None:
        with running(city(9, host="203.0.114.7")) as process:
            code, out, err = ended(process)
        assert (code, out) == (2, "")
        assert "203.0.114.7 is neither loopback nor private" in err
