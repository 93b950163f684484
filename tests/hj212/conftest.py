"""What the HJ 212 tests share: the frames met in public, as parameters and as a list."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings

# A busy machine is no error of the code under test.
settings.register_profile("without-deadline", deadline=None)
settings.load_profile("without-deadline")

VECTORS = Path(__file__).parents[1] / "vectors"


@dataclass(frozen=True)
class Vector:
    """One line of ``hj212-frames.jsonl``."""

    id: str
    raw: bytes
    crc_ok: bool | None
    length_ok: bool | None
    version: str
    cn: str
    note: str


@cache
def load_vectors() -> tuple[Vector, ...]:
    lines = (VECTORS / "hj212-frames.jsonl").read_text("utf-8").splitlines()
    return tuple(
        Vector(
            row["id"],
            row["frame"].encode(row["encoding"]),
            row["crc_ok"],
            row["length_ok"],
            row["version"],
            row["cn"],
            row["note"],
        )
        for row in map(json.loads, lines)
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "vector" in metafunc.fixturenames:
        metafunc.parametrize("vector", load_vectors(), ids=lambda vector: vector.id)


@pytest.fixture(scope="session")
def vectors() -> tuple[Vector, ...]:
    """All frames met in public."""
    return load_vectors()


@pytest.fixture(scope="session")
def bench_mix() -> bytes:
    """2,000 intact frames, one after the other."""
    return (VECTORS / "bench-mix.bin").read_bytes()
