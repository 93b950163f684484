"""Stations of a fleet and what they cost, for benchmarks.

``python stations.py KIND COUNT PORT MORE`` plays them in a process of its own, whose memory nothing else has used
before, and prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from simulator.engine import Counts, Options, run_fleet
from simulator.scenario import Scenario, parse

INTERVAL_S = 30
#: How long after the last link what is measured begins: processes begin one after the other, and tidy up once.
SETTLE_S = 1.0
#: How long the stations are switched on one after the other, and how long all of them are played.
RAMP_S = 20
SECONDS = 55.0


def city(port: int, kind: str, count: int, duration_s: float, more: str = "") -> Scenario:
    return parse(
        f"""
        duration_s = {duration_s}
        [target]
        port = {port}
        [[station]]
        kind = "{kind}"
        count = {count}
        interval_s = {INTERVAL_S}
        {more}
        """
    )


def resident_bytes() -> int:
    pages = Path("/proc/self/statm").read_text("ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


class Steady:
    """What a fleet costs as soon as all stations are linked and every process has told so."""

    def __init__(self, stations: int) -> None:
        self._stations = stations
        self._linked_at: float | None = None
        self._first: tuple[float, float, int] | None = None
        self._last = (0.0, 0.0, 0)
        self.resident = 0

    def __call__(self, counts: Counts) -> None:
        if counts.linked == self._stations:
            if self._linked_at is None:
                self._linked_at = time.monotonic()
            # Of all processes, in seconds; each tells the cores it used since the beginning.
            self._last = (time.monotonic(), counts.cpu * counts.at_s, counts.acknowledged)
            self.resident = resident_bytes()
            if self._first is None and self._last[0] >= self._linked_at + SETTLE_S:
                self._first = self._last

    @property
    def seconds(self) -> float:
        assert self._first is not None, "the stations were never all linked"
        return self._last[0] - self._first[0]

    @property
    def cpu(self) -> float:
        """Cores used."""
        assert self._first is not None
        return (self._last[1] - self._first[1]) / self.seconds

    @property
    def answered_per_s(self) -> float:
        assert self._first is not None
        return (self._last[2] - self._first[2]) / self.seconds


def main() -> None:
    kind, count, port, more = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    # Before the stations: one of them, so that what all share is not counted.
    run_fleet(city(port, kind, 1, 0.5, more))
    before = resident_bytes()
    steady = Steady(count)
    result = run_fleet(city(port, kind, count, SECONDS, f"{more}\nstart_spread_s = {RAMP_S}"), Options(progress=steady))
    shown = {
        "bytes_each": (steady.resident - before) / count,
        "cpu": steady.cpu,
        "late_s": result.counts.late_s,
        "p99_ms": result.percentiles().get("p99_ms", 0),
        "connected": result.counts.connected,
        "messages": result.counts.messages,
        "acknowledged": result.counts.acknowledged,
    }
    print(json.dumps(shown))


if __name__ == "__main__":
    main()
