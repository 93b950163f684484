"""What the door tests share: segments from their data area, and reading them for Ningxia."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from accessctl import Record, load, read
from hj212 import Segment, parse_segment

MN = "64010000ACCE550000000001"


@pytest.fixture(scope="session")
def segment() -> Callable[..., Segment]:
    """Return a function that makes a segment of its data area."""

    def make(area: str | bytes, *, st: str = "81", cn: str = "3020") -> Segment:
        data = area if isinstance(area, bytes) else area.encode()
        head = f"QN=20250915101531002;ST={st};CN={cn};PW=123456;MN={MN};Flag=5;CP=&&"
        return parse_segment(head.encode() + data + b"&&")

    return make


@pytest.fixture(scope="session")
def read_nx(segment: Callable[..., Segment]) -> Callable[..., list[Record]]:
    """Return a function that reads a data area with the Ningxia dictionary."""

    def read_area(area: str | bytes, *, st: str = "81", cn: str = "3020", strict: bool = False) -> list[Record]:
        return read(segment(area, st=st, cn=cn), load("nx"), strict=strict)

    return read_area
