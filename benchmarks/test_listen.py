"""The platform that stores first: acknowledged frames a second, over loopback, load from a second process.

Beside it the usual way, one commit for each frame, without a network.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from hj212 import Message
from hj212.aio import Arrival, MessageStore

STATIONS = 1_000
FRAMES = 200_000
#: Frames of one station that wait for their 9014 at a time.
WINDOWS = (32, 8, 1)
ASKED_PER_S = 25_000
LIMIT_S = 60.0
USUAL_FRAMES = 2_000

LOAD = Path(__file__).parents[1] / "tests" / "hj212" / "load.py"
_spec = importlib.util.spec_from_file_location("load", LOAD)
assert _spec
assert _spec.loader
_load = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_load)
ENVIRON = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(LOAD.parents[2]), *sys.path]))}


def listen_and_load(store: Path, window: int) -> dict[str, float]:
    """Run ``hj212 listen --store`` and the load, each in a process of its own; return what the load counted."""
    command = [sys.executable, "-m", "hj212", "listen", "--port", "0", "--json", "--quiet", "--store", str(store)]
    options = ["--max-connections", str(STATIONS + 10), "--max-per-address", str(STATIONS + 10)]
    log = store.with_suffix(".log")
    with log.open("wb") as output:
        listener = subprocess.Popen([*command, *options], stdout=output, stderr=subprocess.DEVNULL, env=ENVIRON)
    try:
        port = _port(log)
        frames = str(FRAMES // STATIONS)
        load = [str(LOAD), str(port), "--stations", str(STATIONS), "--frames", frames, "--window", str(window)]
        done = subprocess.run(
            [sys.executable, *load, "--seconds", str(LIMIT_S)], stdout=subprocess.PIPE, env=ENVIRON, check=True
        )
    finally:
        listener.kill()
        listener.wait()
    counted: dict[str, float] = json.loads(done.stdout)
    return counted


def _port(log: Path) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        line = log.read_bytes().partition(b"\n")[0]
        if line:
            return int(json.loads(line)["port"])
        time.sleep(0.05)
    raise AssertionError("the listener did not begin")


@pytest.fixture(scope="module")
def usual_per_s(tmp_path_factory: pytest.TempPathFactory) -> float:
    """Frames a second where each has a commit of its own."""
    arrivals = [Arrival(0, "", Message.from_bytes(_load.frame_of(1, number)[6:-6])) for number in range(USUAL_FRAMES)]
    with closing(MessageStore(tmp_path_factory.mktemp("usual") / "day.db")) as store:
        began = time.perf_counter()
        for arrival in arrivals:
            store.add([arrival])
        return USUAL_FRAMES / (time.perf_counter() - began)


@pytest.mark.parametrize("window", WINDOWS)
def test_acknowledged_after_the_commit(
    window: int, usual_per_s: float, tmp_path: Path, measured: Callable[[str], None]
) -> None:
    store = tmp_path / "day.db"
    counted = listen_and_load(store, window)
    per_s = counted["acknowledged"] / counted["seconds"]
    measured(
        f"listen --store, {STATIONS} stations, window {window:>2}: {per_s:>7.0f} frames/s"
        f" (asked {ASKED_PER_S}), {per_s / usual_per_s:.1f}x a commit for each"
    )
    assert counted["acknowledged"] == FRAMES
    with closing(MessageStore(store)) as kept:
        assert kept.count() == FRAMES
    assert per_s > usual_per_s
