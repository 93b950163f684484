"""Fleets over loopback: stations in one process, what they cost, and how fast they go when nothing holds them back.

The platform is a process of its own that answers and keeps nothing. Beside it stand a bare echo of the same size on
the same loop, which is as fast as this machine goes, and the same work by a Locust user class.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import pytest

from simulator.engine import Plan, play
from stationgate.loops import loop_factory

HERE = Path(__file__).parent


def _beside(name: str) -> ModuleType:
    """Import a file that stands beside this one."""
    spec = importlib.util.spec_from_file_location(name, HERE / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


ask = _beside("echo").ask
stations = _beside("stations")
city, Steady, INTERVAL_S = stations.city, stations.Steady, stations.INTERVAL_S
ENVIRON = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(HERE.parent), *sys.path]))}
STATIONS = 18_000
#: As long as a process of the platform lives at most.
LIMIT_S = 180.0
LOOP_STATIONS = 1_000
LOOP_S = 7.0


@contextmanager
def sink(descriptors: int) -> Iterator[int]:
    """Run the platform; yield its port."""
    command = [sys.executable, str(HERE / "sink.py"), str(LIMIT_S), str(descriptors)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=ENVIRON)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory of a process is read from /proc")
@pytest.mark.soak  # a minute each
@pytest.mark.parametrize("kind", ["door", "water"])
def test_stations_in_one_process(kind: str, measured: Callable[[str], None]) -> None:
    more = "openings_per_hour = 0" if kind == "door" else 'phase = "spread"'
    with sink(STATIONS) as port:
        command = [sys.executable, str(HERE / "stations.py"), kind, str(STATIONS), str(port), more]
        done = subprocess.run(command, capture_output=True, text=True, env=ENVIRON, timeout=LIMIT_S, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    measured(
        f"{STATIONS} {kind} stations, a report every {INTERVAL_S} s: {found['bytes_each']:.0f} bytes a station "
        f"(asked 4096), {100 * found['cpu']:.1f} % of a core (asked 20), latest {found['late_s']:.2f} s (asked 1), "
        f"answered in {found['p99_ms']} ms (99 %)"
    )
    assert found["connected"] == STATIONS
    assert found["acknowledged"] == found["messages"]


def closed_loop(stations: int, processes: int | None = None) -> tuple[float, float]:
    """Return pairs of report and answer a second, and the generator's CPU for each in us.

    Args:
        stations: How many.
        processes: Of the generator; ``None``: one per core, as ``simulator run`` has it.
    """
    with sink(stations) as port:
        steady = Steady(stations)
        scenario = city(port, "door", stations, LOOP_S + stations / 1500, "openings_per_hour = 0")
        play(Plan(scenario=scenario, closed_loop=True, processes=processes), steady)
    return steady.answered_per_s, 1e6 * steady.cpu / steady.answered_per_s


def bare_echo(stations: int) -> float:
    """Return pairs a second of 200 bytes to and fro without a protocol, on the same loop in two processes."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "echo.py"), str(LIMIT_S), str(stations)],
        stdout=subprocess.PIPE,
        text=True,
        env=ENVIRON,
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(ask(port, stations, LOOP_S))
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def test_closed_loop(measured: Callable[[str], None]) -> None:
    bare = bare_echo(LOOP_STATIONS)
    few, few_us = closed_loop(LOOP_STATIONS)
    many, many_us = closed_loop(STATIONS)
    measured(
        f"closed loop, {LOOP_STATIONS} stations: {few:.0f} reports answered a second (asked 40,000), "
        f"{few_us:.1f} us of the generator each; a bare echo {bare:.0f}, so {few / bare:.2f} of it (asked 0.21)"
    )
    measured(
        f"closed loop, {STATIONS} stations: {many:.0f} a second, {many_us:.1f} us each, "
        f"{many_us / few_us:.2f} of the cost at {LOOP_STATIONS} (asked at most 2)"
    )
    assert many_us / few_us < 4


def test_beside_locust(measured: Callable[[str], None]) -> None:
    if importlib.util.find_spec("locust") is None:
        message = "locust is not installed: pip install 'stationgate[bench]'"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    ours, ours_us = closed_loop(LOOP_STATIONS, processes=1)
    with sink(LOOP_STATIONS) as port:
        command = [sys.executable, str(HERE / "locust_station.py"), str(port), str(LOOP_STATIONS), str(LOOP_S)]
        done = subprocess.run(command, capture_output=True, env=ENVIRON, timeout=120)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    theirs = json.loads(done.stdout.splitlines()[-1])
    measured(
        f"the same work by {LOOP_STATIONS} Locust users in one process: {theirs['pairs_per_s']:.0f} a second, "
        f"{theirs['us_per_pair']:.0f} us each; ours in one process {ours:.0f} and {ours_us:.0f} us, "
        f"{ours / theirs['pairs_per_s']:.1f}x"
    )
    assert ours > theirs["pairs_per_s"]
