"""Cameras that register and keep alive, over loopback: a fleet in one process, the platform in another.

Each registration is whole: REGISTER, 401, REGISTER with its proof, 200; and each is followed by the first keepalive, as
always. Beside the figures stands what they are for a tenth of the cameras: what one costs is not to grow with how many
there are.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

FEW, MANY = 1_000, 10_000
ASKED_PER_S = 2_000
KEEPALIVE_S = 6.0
#: How often each number is registered; the best counts.
ROUNDS = {FEW: 2, MANY: 2}
#: What one of many may cost at most, beside one of few: pages, tables that double and a busy machine are in it.
FLAT = 2.0
CAMERAS = Path(__file__).with_name("cameras.py")
ENVIRON = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(CAMERAS.parents[1]), *sys.path]))}

Counts = dict[str, float]


class End:
    """One of the two processes."""

    def __init__(self, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(CAMERAS), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=ENVIRON,
        )
        self.first = self._read()

    def go_on(self) -> Counts:
        """Ask for the next counts."""
        assert self._process.stdin
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Counts:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the process ended before its time; its error stands above"
        counts: Counts = json.loads(line)
        return counts

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def running(*arguments: str) -> Iterator[End]:
    end = End(*arguments)
    try:
        yield end
    finally:
        end.end()


@dataclass(frozen=True)
class Costs:
    """What one device costs, in microseconds of CPU and bytes."""

    per_s: float
    device_us: float
    platform_us: float
    device_bytes: float
    platform_bytes: float
    device_keepalive_us: float
    platform_keepalive_us: float


def measure(devices: int) -> Costs:
    with running("platform") as platform:
        before = platform.go_on()
        with running("fleet", f"{platform.first['port']:.0f}", str(devices), str(KEEPALIVE_S)) as fleet:
            registered = fleet.go_on()
            after = platform.go_on()
            kept = fleet.go_on()
            last = platform.go_on()
    assert (registered["registered"], after["devices"], last["devices"]) == (devices, devices, devices)
    beats = last["keepalives"] - after["keepalives"]
    assert beats > devices / 2
    return Costs(
        devices / registered["seconds"],
        registered["cpu_s"] / devices * 1e6,
        (after["cpu_s"] - before["cpu_s"]) / devices * 1e6,
        registered["resident"] / devices,
        (after["resident"] - before["resident"]) / devices,
        kept["cpu_s"] / beats * 1e6,
        (last["cpu_s"] - after["cpu_s"]) / beats * 1e6,
    )


def best(devices: int) -> Costs:
    """Return the least of each cost: what it takes when nothing else disturbs it."""
    rounds = [measure(devices) for _ in range(ROUNDS[devices])]
    least = {name: min(getattr(each, name) for each in rounds) for name in Costs.__dataclass_fields__}
    return Costs(**{**least, "per_s": max(each.per_s for each in rounds)})


@pytest.mark.benchmark
def test_cameras_register_and_keep_alive(measured: Callable[[str], None]) -> None:
    few, many = best(FEW), best(MANY)
    both_us, both_few_us = many.device_us + many.platform_us, few.device_us + few.platform_us
    beat_us = many.device_keepalive_us + many.platform_keepalive_us
    beat_few_us = few.device_keepalive_us + few.platform_keepalive_us
    measured(
        f"registrations with 401, {MANY} cameras: {many.per_s:,.0f}/s (asked {ASKED_PER_S:,});"
        f" {FEW}: {few.per_s:,.0f}/s"
    )
    measured(
        f"CPU per registration: device {many.device_us:.0f} us, platform {many.platform_us:.0f} us;"
        f" {both_us / both_few_us:.2f}x those of {FEW}"
    )
    measured(
        f"CPU per keepalive: device {many.device_keepalive_us:.0f} us, platform {many.platform_keepalive_us:.0f} us;"
        f" {beat_us / beat_few_us:.2f}x those of {FEW}"
    )
    measured(
        f"memory per camera: device {many.device_bytes / 1024:.1f} KB, platform {many.platform_bytes / 1024:.1f} KB;"
        f" {many.device_bytes / few.device_bytes:.2f}x and {many.platform_bytes / few.platform_bytes:.2f}x"
        f" those of {FEW}"
    )
    assert both_us < FLAT * both_few_us
    assert beat_us < FLAT * beat_few_us
    assert many.device_bytes < FLAT * few.device_bytes
    assert many.platform_bytes < FLAT * few.platform_bytes
