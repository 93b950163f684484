"""A run that is killed at any moment goes on to the same verdicts: the suite and the device in processes of their own.

The device goes on living, as a real one does: it reconnects, repeats what was not acknowledged, keeps what nobody took.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.__main__ import main
from conformance.bundle import open_bundle
from conformance.evidence import Evidence

from .processes import Suite, Workplace, until

pytestmark = pytest.mark.loopback

#: Runs at once; most of the time they wait.
AT_ONCE = 20
#: Moments of a kill, seconds from the first entry of a run that takes a little longer.
LENGTH_S = 20.0
#: Killed runs in the default tier; the soak tier has those up to 120.
DEFAULT = 4
#: What takes longer than this does not end.
WHOLE_S = 180.0
#: Starting Python is most of the work: more at once than there are processors would starve the runs that go on.
STARTING = threading.BoundedSemaphore(os.cpu_count() or 1)


@dataclass
class Ended:
    """A run at its end."""

    place: Workplace
    suite: Suite
    kills: int


@contextmanager
def started(place: Workplace, rig: str, number: int, *more: str) -> Iterator[Suite]:
    """Start a run, or go on with it for the ``number``-th time, up to its first entry."""
    with STARTING:
        suite = place.resume(*more, rig=rig) if number else place.run(*more, rig=rig)
        begun = "resumed" if number else "run"
        try:
            until(lambda: place.count(begun) >= max(number, 1) or not suite.running, "its first entry")
        except BaseException:
            suite.kill()
            raise
    with suite:
        yield suite


def whole(folder: Path) -> Ended:
    place = Workplace(folder)
    with place.door() as door, started(place, door.rig, 0) as suite:
        suite.wait(WHOLE_S)
    return Ended(place, suite, 0)


def killed(folder: Path, seed: int) -> Ended:
    """Kill a run one to three times, and go on with it until it ends."""
    chance = random.Random(seed)
    moments = sorted(chance.uniform(0.0, LENGTH_S) for _ in range(1 + seed % 3))
    place = Workplace(folder)
    with place.door() as door:
        for number, (before, moment) in enumerate(zip([0.0, *moments], moments, strict=False)):
            with started(place, door.rig, number) as suite:
                time.sleep(moment - before)
                assert suite.running, suite.stderr
        with started(place, door.rig, len(moments), "--html", str(folder / "report.html")) as suite:
            suite.wait(WHOLE_S)
    return Ended(place, suite, len(moments))


def check(ended: Ended, reference: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    place, suite = ended.place, ended.suite
    assert suite.process.returncode in (0, 3), suite.stderr
    assert suite.verdicts == reference, place.folder
    assert not place.journal.exists()
    assert main(["verify", str(place.bundle)]) == 0
    bundle = open_bundle(place.bundle)
    resumed = [entry.attachment["after"] for entry in bundle.transcript if entry.kind == "resumed"]
    assert resumed == ["killed"] * ended.kills
    disturbances = Evidence(bundle.transcript, bundle.profile).disturbances
    assert 1 <= sum(found.kind == "gap" for found in disturbances) <= ended.kills
    for report in (suite.stderr, (place.folder / "report.html").read_text("utf-8")):
        assert " ".join(report.split()).count("the program of the bench ended abruptly") == ended.kills
    # However many processes it took, it is one run: none of them is an earlier one.
    assert [e.attachment["runs"] for e in bundle.transcript if e.kind == "history"] == [[]]
    capsys.readouterr()


def judged(ended: Ended) -> dict[str, str]:
    assert ended.suite.process.returncode == 3, ended.suite.stderr
    found = ended.suite.verdicts
    # The interval of 900 s is not waited for; the rest of a door without defects passes.
    assert {case for case, verdict in found.items() if verdict != "PASS"} == {
        "access/report/arrival-step",
        "access/report/data-time-step",
        "access/report/drift",
    }
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Future[Ended]]]:
    """A run that nobody disturbs, then some that are killed, all on their way at once."""
    folder = tmp_path_factory.mktemp("killed")
    with ThreadPoolExecutor(1 + AT_ONCE) as pool:
        yield [pool.submit(whole, folder / "whole"), *(pool.submit(killed, folder / str(n), n) for n in range(DEFAULT))]


@pytest.mark.parametrize("seed", range(DEFAULT))
def test_run_that_was_killed_ends_with_the_same_verdicts(
    seed: int, runs: list[Future[Ended]], capsys: pytest.CaptureFixture[str]
) -> None:
    reference, *others = runs
    check(others[seed].result(), judged(reference.result()), capsys)


@pytest.mark.soak
def test_many_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        reference = pool.submit(whole, tmp_path / "whole")
        others = [pool.submit(killed, tmp_path / str(seed), seed) for seed in range(DEFAULT, 120)]
        for other in others:
            check(other.result(), judged(reference.result()), capsys)
