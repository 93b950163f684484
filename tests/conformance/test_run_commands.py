"""``conformance run``, ``resume`` and ``replay`` as they are typed: real processes, real sockets, real signals."""

from __future__ import annotations

import base64
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from conformance.__main__ import main
from conformance.bundle import open_bundle
from conformance.live.settings import outstanding
from conformance.transcript import Transcript

from .processes import PROFILE, Door, Process, Suite, Workplace, free_port, until

pytestmark = pytest.mark.loopback
signals = pytest.mark.skipif(sys.platform == "win32", reason="no signals between processes")

#: Decides nothing on the timed reports, and quickly.
QUICK = (
    PROFILE.replace("observe_s = 14", "observe_s = 3") + "min_intervals = 0\narrival_warn_s = 1\nlatency_fail_s = 1\n"
)
#: A door that reports every second: a run that connects to one that was there before waits for its next report.
PROMPT = ("--interval", "1", "--overtime", "0.5", "--recount", "1")
OBSERVE = "access/report/data-time-step"
FAULT = "access/alarm/fault"
SPEAKS = "access/link/speaks"
#: Takes intervals that no device takes, so that a test need not wait for them.
IMPATIENT = """\
import sys
from conformance.cli import running
running.SHORTEST_INTERVAL_S = 1
from conformance.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path / "bench", QUICK)


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Have Ctrl-C mean to our processes what it usually does, also where these tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def sealed(place: Workplace) -> Transcript:
    """Return what was sealed, which is intact and nothing beside it."""
    assert main(["verify", str(place.bundle)]) == 0
    assert not place.journal.exists()
    return open_bundle(place.bundle).transcript


def under_way(place: Workplace, suite: Suite, step: str) -> None:
    until(lambda: place.count("step", step=step, phase="begin") or not suite.running, step)
    assert suite.running, suite.stderr


def shortened(door: Door, suite: Suite, seconds: float) -> None:
    until(lambda: door.settings()["interval_s"] == seconds or not suite.running, "the shortened interval")
    assert suite.running, suite.stderr


class TestRunToItsEnd:
    def test_pending_steps_become_verdicts_when_somebody_comes(self, place: Workplace) -> None:
        with place.door(*PROMPT) as door:
            with place.run(FAULT) as suite:
                assert suite.wait() == 3, suite.stderr
            assert {v for case, v in suite.verdicts.items() if case.startswith(FAULT)} == {"PENDING"}
            before = sealed(place)
            with place.resume(rig=door.rig) as suite:
                assert suite.wait() == 0, suite.stderr
            assert set(suite.verdicts.values()) == {"PASS"}
            transcript = sealed(place)
            with place.resume(rig=door.rig) as again:
                assert again.wait() == 2
        assert [e.attachment["after"] for e in transcript if e.kind == "resumed"] == ["pending"]
        assert transcript.to_lines().startswith(before.to_lines())
        assert "nothing is left to do" in again.stderr
        assert sealed(place).digest == transcript.digest

    def test_port_in_use_leaves_nothing_behind(self, place: Workplace) -> None:
        with place.run(SPEAKS) as holder:
            until(lambda: place.count("listen"), "listening")
            with place.suite(
                "run", str(place.profile), SPEAKS, "--non-interactive", "--listen", f"127.0.0.1:{place.port}",
                "--bundle", str(place.folder / "other.zip"),
            ) as suite:  # fmt: skip
                assert suite.wait() == 4, suite.stderr
            assert holder.running
        assert f"cannot listen on 127.0.0.1 port {place.port}: the address is already in use" in suite.stderr
        assert "Traceback" not in suite.stderr
        assert not list(place.folder.glob("other.zip*"))


class TestOneAtATime:
    def test_nobody_goes_on_with_a_run_that_goes_on(self, place: Workplace) -> None:
        """A second ``resume``, or a second ``run`` for the same bundle, is told so and disturbs nothing."""
        with place.door(*PROMPT) as door:
            with place.run(FAULT, rig=door.rig) as suite:
                under_way(place, suite, "defect")
            with place.run(FAULT, rig=door.rig) as anew:
                assert anew.wait() == 2
            with place.resume(rig=door.rig) as suite:
                until(lambda: place.count("resumed"), "going on")
                with place.resume() as second, place.run(FAULT) as third:
                    assert (second.wait(), third.wait()) == (4, 4), second.stderr + third.stderr
                assert suite.wait() == 0, suite.stderr
        assert "holds a run that did not end" in anew.stderr
        for refused in (second, third):
            assert "door.zip.journal is being written by another process" in refused.stderr
        assert [e.attachment["after"] for e in sealed(place) if e.kind == "resumed"] == ["killed"]


@signals
class TestCtrlC:
    def interrupted(self, place: Workplace, door: Door, number: signal.Signals) -> Suite:
        with place.run(OBSERVE, "--shorten", "30", rig=door.rig) as suite:
            shortened(door, suite, 30.0)
            suite.send(number)
            assert suite.wait() == 130, suite.stderr
        return suite

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_once_seals_the_evidence_and_leaves_the_device_as_found(
        self, number: signal.Signals, place: Workplace
    ) -> None:
        with place.door() as door:
            before = door.settings()
            suite = self.interrupted(place, door, number)
            assert door.settings() == before
        assert f"go on with: conformance resume {place.bundle}" in suite.stderr
        assert suite.verdicts[OBSERVE] == "INCONCLUSIVE"
        transcript = sealed(place)
        assert [e.attachment["phase"] for e in transcript if e.kind == "setting"] == ["read", "set", "restored"]
        assert json.loads(suite.stdout.splitlines()[-1])["exit_code"] == 130

    def test_run_goes_on_afterwards(self, place: Workplace) -> None:
        with place.door(*PROMPT) as door:
            with place.run(FAULT, rig=door.rig) as suite:
                under_way(place, suite, "defect")
                suite.send(signal.SIGINT)
                assert suite.wait() == 130, suite.stderr
            assert sealed(place)
            with place.resume(rig=door.rig) as suite:
                assert suite.wait() == 0, suite.stderr
        assert [e.attachment["after"] for e in sealed(place) if e.kind == "resumed"] == ["interrupted"]

    def test_twice_ends_at_once_and_loses_nothing(self, place: Workplace) -> None:
        with place.door() as door:
            before = door.settings()
            with place.run(OBSERVE, "--shorten", "30", rig=door.rig) as suite:
                shortened(door, suite, 30.0)
                door.send(signal.SIGSTOP)  # so that putting back takes its time
                try:
                    suite.send(signal.SIGINT)
                    until(lambda: "putting RtdInterval back" in suite.stderr, "putting back")
                    at = time.monotonic()
                    suite.send(signal.SIGTERM)  # which counts as another Ctrl-C
                    assert suite.wait() == 130, suite.stderr
                    assert time.monotonic() - at < 2.0  # three tries to put it back would take longer
                finally:
                    door.send(signal.SIGCONT)
            assert f"go on with: conformance resume {place.bundle}" in suite.stderr
            assert "Traceback" not in suite.stderr
            assert not place.bundle.exists()
            assert outstanding(Transcript.from_lines(place.journal.read_bytes().splitlines())) == {"RtdInterval": "3"}
            with place.resume() as suite:
                until(lambda: door.settings() == before or not suite.running, "the setting put back")
                shortened(door, suite, 30.0)  # the step is taken again
                suite.send(signal.SIGINT)
                assert suite.wait() == 130, suite.stderr
            assert door.settings() == before
        assert not outstanding(sealed(place))

    def test_nobody_has_to_wait_for_a_device_that_does_not_come(self, place: Workplace) -> None:
        with place.run(SPEAKS) as suite:
            under_way(place, suite, "connect")
            suite.send(signal.SIGINT)
            assert suite.wait() == 130, suite.stderr
        assert suite.verdicts[SPEAKS] == "INCONCLUSIVE"
        assert sealed(place)


class TestSettings:
    """Everything of the door that a platform can set is as it was before."""

    def test_after_a_run(self, place: Workplace) -> None:
        with place.door() as door:
            before = door.settings()
            with place.run(OBSERVE, "--shorten", "1", rig=door.rig, launcher=IMPATIENT) as suite:
                shortened(door, suite, 1.0)
                assert suite.wait() == 3, suite.stderr
            assert door.settings() == before
        assert [e.attachment["phase"] for e in sealed(place) if e.kind == "setting"] == ["read", "set", "restored"]

    def test_after_a_kill_and_going_on(self, place: Workplace) -> None:
        with place.door() as door:
            before = door.settings()
            with place.run(OBSERVE, "--shorten", "1", rig=door.rig, launcher=IMPATIENT) as suite:
                shortened(door, suite, 1.0)
            assert door.settings() == before | {"interval_s": 1.0}
            with place.resume(rig=door.rig) as suite:
                assert suite.wait() == 3, suite.stderr
            assert door.settings() == before
        phases = [e.attachment["phase"] for e in sealed(place) if e.kind == "setting"]
        assert phases == ["read", "set", "restored", "read", "set", "restored"]

    @signals
    def test_what_cannot_be_put_back_is_named_last(self, place: Workplace) -> None:
        with place.door() as door, place.run(OBSERVE, "--shorten", "30") as suite:
            shortened(door, suite, 30.0)
            door.send(signal.SIGSTOP)
            suite.send(signal.SIGINT)
            assert suite.wait() == 130, suite.stderr
        assert suite.stderr.splitlines()[-1] == "NOT PUT BACK on the device: RtdInterval, which was 3"
        assert outstanding(sealed(place)) == {"RtdInterval": "3"}

    @pytest.mark.soak
    def test_after_a_run_with_an_interval_that_devices_take(self, place: Workplace) -> None:
        with place.door() as door:
            before = door.settings()
            with place.run(OBSERVE, "--shorten", "30", rig=door.rig) as suite:
                assert suite.wait(120.0) == 3, suite.stderr
            assert door.settings() == before


def begun_and_killed(place: Workplace, seconds: float) -> Suite:
    """Kill a run so long after its process was started; go on with it, or begin it anew where nothing was begun."""
    with place.door(*PROMPT) as door:
        with place.run(FAULT, rig=door.rig):
            time.sleep(seconds)
        with place.resume(rig=door.rig) as suite:
            code = suite.wait()
        if code == 2:
            assert "neither" in suite.stderr or "the run ended before it began" in suite.stderr
            with place.run(FAULT, rig=door.rig) as suite:
                code = suite.wait()
    assert code == 0, suite.stderr
    return suite


def killed_at_its_end(place: Workplace, seconds: float) -> Suite:
    """Kill a run so long after its last entry, and go on with it where it was not sealed."""
    with place.door(*PROMPT), place.run(SPEAKS) as suite:
        until(lambda: place.count("clock", event="check", when="end") or not suite.running, "its end")
        time.sleep(seconds)
    if place.journal.exists():
        with place.resume() as suite:  # the device is not needed for that
            assert suite.wait() == 0, suite.stderr
    return suite


class TestKilledAtItsEdges:
    def each(
        self, kill: Callable[[Workplace, float], Suite], moments: list[float], folder: Path
    ) -> Iterator[Transcript]:
        places = [Workplace(folder / str(number), QUICK) for number in range(len(moments))]
        with ThreadPoolExecutor(len(moments)) as pool:
            suites = list(pool.map(kill, places, moments))
        assert {verdict for suite in suites for verdict in suite.verdicts.values()} == {"PASS"}
        return map(sealed, places)

    def test_at_its_very_beginning(self, tmp_path: Path) -> None:
        chance = random.Random(1)
        assert all(self.each(begun_and_killed, [chance.uniform(0.1, 2.0) for _ in range(5)], tmp_path))

    def test_while_it_is_sealed(self, tmp_path: Path) -> None:
        for transcript in self.each(killed_at_its_end, [0.0, 0.1, 0.2, 0.4, 0.7], tmp_path):
            assert not [e for e in transcript if e.kind == "resumed"]

    def test_between_the_seal_and_the_end(self, place: Workplace) -> None:
        copy = place.folder / "copy"
        with place.door(*PROMPT), place.run(SPEAKS) as suite:
            until(lambda: place.count("clock", event="check", when="end"), "its end")
            shutil.copy(place.journal, copy)
            assert suite.wait() == 0, suite.stderr
        copy.rename(place.journal)  # as if it had not come to remove it
        with place.resume() as suite:
            assert suite.wait() == 0, suite.stderr
        assert suite.verdicts[SPEAKS] == "PASS"
        sealed(place)

    def test_with_its_last_line_torn(self, place: Workplace) -> None:
        with place.door(*PROMPT) as door:
            with place.run(FAULT, rig=door.rig) as suite:
                under_way(place, suite, "defect")
            with place.journal.open("ab") as file:
                file.write(b'{"attachment":{"ph')
            with place.resume(rig=door.rig) as suite:
                assert suite.wait() == 0, suite.stderr
        torn = [e.attachment["torn"] for e in sealed(place) if e.kind == "note" and "torn" in e.attachment]
        assert [base64.b64decode(data)[-18:] for data in torn] == [b'{"attachment":{"ph']


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """A place with the bundle of a device whose check values are wrong."""
    place = Workplace(tmp_path_factory.mktemp("replay"), QUICK.replace("connect_s = 20", "connect_s = 4"))
    with place.door("--fault", "modbus-crc", *PROMPT), place.run(TestReplay.CASE) as suite:
        assert suite.wait() == 1, suite.stderr
    return place


class TestReplay:
    CASE = "access/framing/crc"

    def replayed(self, place: Workplace, name: str) -> Suite:
        return place.suite(
            "replay", str(place.bundle), self.CASE, "--non-interactive", "--json",
            "--bundle", str(place.folder / f"{name}.zip"),
        )  # fmt: skip

    def test_mended(self, faulty: Workplace) -> None:
        with faulty.door(*PROMPT), self.replayed(faulty, "mended") as suite:
            assert suite.wait() == 0, suite.stderr
        assert f"FIXED: {self.CASE} was FAIL, is PASS" in suite.stderr
        assert main(["verify", str(faulty.folder / "mended.zip")]) == 0

    def test_not_mended(self, faulty: Workplace) -> None:
        with faulty.door("--fault", "modbus-crc", *PROMPT), self.replayed(faulty, "same") as suite:
            assert suite.wait() == 1, suite.stderr
        assert f"FAILED: {self.CASE} was FAIL, is FAIL" in suite.stderr

    def test_silent(self, faulty: Workplace) -> None:
        with self.replayed(faulty, "silent") as suite:
            assert suite.wait() == 3, suite.stderr
        assert f"not to be told: {self.CASE} was FAIL, is INCONCLUSIVE" in suite.stderr

    def test_case_that_was_not_judged(self, faulty: Workplace) -> None:
        with faulty.suite("replay", str(faulty.bundle), OBSERVE, "--non-interactive") as suite:
            assert suite.wait() == 2
        assert f"holds no verdict on {OBSERVE}" in suite.stderr


class Platform(Process):
    """``hj212 listen``: the official platform."""

    def __init__(self, place: Workplace) -> None:
        self.port = free_port()
        self.out = place.folder / "platform.out"
        words = ["-m", "hj212", "listen", "--port", str(self.port), "--json", "--show-secrets"]
        with self.out.open("wb") as out:
            super().__init__(words, stdin=subprocess.DEVNULL, stdout=out, env=place.env)
        until(self.events, "the platform")

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.read_text("utf-8").splitlines(keepends=True) if line[-1] == "\n"]

    def received(self) -> list[bytes]:
        """Return what came by each link, in the order of the links."""
        found: dict[str, bytes] = defaultdict(bytes)
        for event in self.events():
            if "raw" in event:
                found[event["peer"]] += base64.b64decode(event["raw"])
        return list(found.values())


def test_everything_reaches_the_official_platform_unchanged(place: Workplace) -> None:
    with place.door() as door, Platform(place) as platform:
        with place.run(OBSERVE, FAULT, "--forward", f"127.0.0.1:{platform.port}", rig=door.rig) as suite:
            assert suite.wait() == 3, suite.stderr
        transcript = sealed(place)
        sent: dict[int, bytes] = defaultdict(bytes)
        for entry in transcript:
            if entry.kind == "bytes" and entry.direction == "in":
                sent[entry.link] += entry.data
        until(lambda: platform.received() == list(sent.values()), "every byte at the platform", 5.0)
    assert sum(map(len, sent.values())) > 500
    answers = [entry for entry in transcript if entry.kind == "bytes" and entry.direction == "out"]
    assert answers
    assert {entry.attachment.get("by") for entry in answers} == {"platform"}
    assert {verdict for case, verdict in suite.verdicts.items() if case.startswith(FAULT)} == {"PASS"}


def test_run_says_that_the_official_platform_is_away(place: Workplace) -> None:
    away = f"127.0.0.1:{free_port()}"
    with place.door(), place.run(OBSERVE, "--forward", away) as suite:
        assert suite.wait() == 3, suite.stderr
    assert f"the platform cannot be reached: {away}" in suite.stderr
    assert {e.attachment["there"] for e in sealed(place) if e.kind == "relay"} == {False}
