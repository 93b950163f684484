"""Times are Beijing's, whatever the machine's."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gb28181.times import format_date, format_datetime, parse_date, parse_datetime

WALL = 1767294245


def test_written_forms() -> None:
    assert format_datetime(WALL + 0.9) == "2026-01-02T03:04:05"
    assert format_date(WALL * 1000 + 678) == "2026-01-02T03:04:05.678"


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T03:04:05",
        "2026-1-2 3:4:5",
        "2026-01-02T03:04:05.000",
        "2026-01-02T03:04:05+08:00",
        "2026-01-01T19:04:05Z",
        "2026/01/02 03:04:05",
        " 2026-01-02T03:04:05 ",
    ],
)
def test_forms_that_are_met(text: str) -> None:
    assert parse_datetime(text).timestamp() == WALL
    assert parse_date(text).timestamp() == WALL


def test_rfc_1123_date() -> None:
    assert parse_date("Thu, 01 Jan 2026 19:04:05 GMT").timestamp() == WALL


@pytest.mark.parametrize("text", ["", "2026-13-01T00:00:00", "now", "20260102030405", "2026-01-02T25:00:00", "1" * 500])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|must be|range"):
        parse_datetime(text)


def test_a_date_beyond_all_numbers() -> None:
    with pytest.raises(ValueError, match="expected"):
        parse_date("Thu, 01 Jan 2026 19:04:00999999999999999999999999999999 GMT")


@given(st.integers(0, 4_000_000_000_000))
def test_there_and_back(wall_ms: int) -> None:
    assert round(parse_date(format_date(wall_ms)).timestamp() * 1000) == wall_ms
    assert parse_datetime(format_datetime(wall_ms / 1000)).timestamp() == wall_ms // 1000
