"""What the benchmarks share: the frames they run on, how they measure, and a summary at the end."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from pathlib import Path

import pytest

VECTORS = Path(__file__).parents[1] / "tests" / "vectors"

_MEASURED = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def bench_mix() -> bytes:
    """2,000 composed frames, 416 bytes on average: real-time, minute, acknowledgement, door."""
    return (VECTORS / "bench-mix.bin").read_bytes()


@pytest.fixture(scope="session")
def measured(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Return a function that takes a line for the summary."""
    return request.config.stash.setdefault(_MEASURED, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash.get(_MEASURED, [])
    if lines:
        terminalreporter.section("measured")
        for line in lines:
            terminalreporter.line(line)


def best(work: Callable[[], object], rounds: int) -> float:
    """Return the shortest of many rounds, in seconds: what the code takes when nothing else disturbs it."""
    times = []
    gc.collect()
    gc.disable()
    try:
        for _ in range(rounds):
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
    finally:
        gc.enable()
    return min(times)
