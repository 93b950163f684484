"""A run that is killed at any moment goes on to the same verdicts: the suite and the device in processes of their own.

The device goes on living, as a real one does: it reconnects, repeats what was not acknowledged, keeps what nobody took.
"""

from __future__ import annotations

import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.__main__ import main
from conformance.bundle import open_bundle
from conformance.evidence import Evidence

from .processes import Suite, Workplace, until

pytestmark = pytest.mark.loopback

#: Runs at once. They wait most of the time.
AT_ONCE = 20
#: Moments of a kill, seconds from the beginning of a run that takes a little longer.
LENGTH_S = 20.0
#: Processes that one run may take to its end.
MAX_PROCESSES = 10


@dataclass
class Ended:
    """A run at its end."""

    place: Workplace
    suite: Suite
    kills: int


def undisturbed(folder: Path) -> Ended:
    place = Workplace(folder)
    with place.door() as door, place.run(rig=door.rig) as suite:
        suite.wait()
    return Ended(place, suite, 0)


def killed(folder: Path, seed: int) -> Ended:
    """Kill a run one to three times and go on until it ends."""
    chance = random.Random(seed)
    moments = sorted(chance.uniform(0.0, LENGTH_S) for _ in range(1 + seed % 3))
    place = Workplace(folder)
    with place.door() as door:
        before = 0.0
        for number, moment in enumerate(moments):
            with place.resume(rig=door.rig) if number else place.run(rig=door.rig) as suite:
                # From its first entry on: before that there is no run that could have been killed.
                until(lambda n=number: place.count("resumed" if n else "run") >= max(n, 1), "its first entry")
                time.sleep(moment - before)
                assert suite.running, suite.stderr
            before = moment
        with place.resume("--html", str(folder / "report.html"), rig=door.rig) as suite:
            suite.wait()
    return Ended(place, suite, len(moments))


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The verdicts of a run that nobody disturbs."""
    ended = undisturbed(tmp_path_factory.mktemp("killed") / "undisturbed")
    assert ended.suite.process.returncode in (0, 3), ended.suite.stderr
    return ended.suite.verdicts


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Ended]:
    return many(tmp_path_factory.mktemp("killed"), range(20))


def many(folder: Path, seeds: range) -> list[Ended]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(lambda seed: killed(folder / str(seed), seed), seeds))


def check(ended: Ended, reference: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert ended.suite.process.returncode in (0, 3), ended.suite.stderr
    assert ended.suite.verdicts == reference, ended.place.folder
    bundle = ended.place.bundle
    assert not ended.place.journal.exists()
    assert main(["verify", str(bundle)]) == 0
    transcript = open_bundle(bundle).transcript
    resumed = [e.attachment for e in transcript if e.kind == "resumed"]
    assert [r["after"] for r in resumed] == ["killed"] * ended.kills
    gaps = [d for d in Evidence(transcript, open_bundle(bundle).profile).disturbances if d.kind == "gap"]
    assert 1 <= len(gaps) <= ended.kills
    capsys.readouterr()
