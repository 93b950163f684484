"""What starting costs: a fresh interpreter each time, the shortest of many, beside one that does nothing."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from .conftest import best

ROUNDS = 15
BARE = ["-c", "pass"]
COMMANDS = {
    "import hj212": ["-c", "import hj212"],
    "import accessctl": ["-c", "import accessctl"],
    "python -m hj212 --help": ["-m", "hj212", "--help"],
}


def start(arguments: list[str]) -> None:
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def bare_s() -> float:
    start(BARE)
    return best(lambda: start(BARE), ROUNDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_start(name: str, bare_s: float, measured: Callable[[str], None]) -> None:
    start(COMMANDS[name])
    took_s = best(lambda: start(COMMANDS[name]), ROUNDS)
    measured(f"{name:<28}{(took_s - bare_s) * 1e3:>7.1f} ms  over the {bare_s * 1e3:.1f} ms of a bare interpreter")
    assert took_s < 2.0
