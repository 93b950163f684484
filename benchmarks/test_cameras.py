"""A city's cameras in the simulator: registered, kept alive and asked for their catalogues, alone and among stations.

The platforms are a second process: our GB/T 28181 platform, and a sink that acknowledges HJ 212. Figures are printed;
what is asserted is that nothing is missing, and that a camera among stations costs no more memory than one alone.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

CAMERAS, FEW, STATIONS = 5_000, 500, 18_000
RAMP_S, SECONDS = 40.0, 60.0
#: What one of many may cost at most, beside one of few.
FLAT = 2.0
CITY = Path(__file__).with_name("camera_city.py")
ENVIRON = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(CITY.parents[1]), *sys.path]))}

Counts = dict[str, float]


def _files() -> None:
    """Let a child have as many descriptors as it may."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class End:
    """One of the two processes."""

    def __init__(self, *arguments: object) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(CITY), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRON,
            preexec_fn=_files,
        )

    def read(self) -> Counts:
        """Return the next line of counts."""
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the process ended before its time; its error stands above"
        counts: Counts = json.loads(line)
        return counts

    def ask(self) -> Counts:
        """Ask for counts."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self.read()

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def running(*arguments: object) -> Iterator[End]:
    end = End(*arguments)
    try:
        yield end
    finally:
        end.end()


def play(cameras: int, stations: int, ramp_s: float, seconds: float) -> tuple[Counts, Counts, Counts]:
    """Play a city; return what it had used when all was on, what at the end, and what the platform knows."""
    with running("platforms") as platforms:
        ports = platforms.read()
        with running("city", ports["sip"], ports["hj212"], cameras, stations, ramp_s, seconds) as city:
            steady, end = city.read(), city.read()
        known = platforms.ask()
    assert (end["connected"], end["registered"]) == (cameras + stations, cameras)
    assert known["registered"] >= cameras
    assert known["catalogues"] >= cameras
    assert known["keepalives"] >= cameras * int(seconds // 60.0)
    return steady, end, known


@pytest.mark.benchmark
@pytest.mark.soak  # minutes
def test_cameras_alone(measured: Callable[[str], None]) -> None:
    few, few_end, _ = play(FEW, 0, 2.0, 5.0)
    many, end, known = play(CAMERAS, 0, 20.0, SECONDS)
    each, each_few = end["resident"] / CAMERAS, few_end["resident"] / FEW
    measured(f"{CAMERAS} cameras, memory each {each / 1024:.1f} KB (with registration and first keepalive)")
    measured(
        f"registered over 20 s: CPU {many['cpu_s'] / CAMERAS * 1e6:.0f} us each, with challenge, catalogue and first"
        f" keepalive; {few['cpu_s'] / FEW * 1e6:.0f} us of {FEW}"
    )
    measured(
        f"kept alive every 60 s: {end['cpu_s'] / end['seconds'] * 100:.1f} % of a core,"
        f" {end['messages'] / end['seconds']:.0f} keepalives/s, {end['cpu_s'] / end['messages'] * 1e6:.0f} us each;"
        f" catalogues whole: {known['catalogues']:.0f}"
    )
    assert many["cpu_s"] / CAMERAS < FLAT * few["cpu_s"] / FEW
    assert each < FLAT * each_few


@pytest.mark.benchmark
@pytest.mark.soak  # minutes
def test_cameras_among_stations(measured: Callable[[str], None]) -> None:
    _steady, end, known = play(CAMERAS, STATIONS, RAMP_S, SECONDS)
    measured(
        f"{CAMERAS} cameras and {STATIONS} stations in one process: {end['registered']:.0f} registered,"
        f" {known['catalogues']:.0f} catalogues whole, {known['keepalives']:.0f} keepalives heard"
    )
    measured(
        f"together: {end['cpu_s'] / end['seconds'] * 100:.0f} % of a core at {end['messages'] / end['seconds']:.0f}"
        f" messages/s; lag {end['lag_s']:.2f} s, latest message {end['late_s']:.2f} s after it was due,"
        f" {end['unanswered']:.0f} unanswered, {end['failures']:.0f} failed attempts;"
        f" memory {end['resident'] / 2**20:.0f} MB"
    )
