"""Times on the wire are UTC+8 whatever the zone of the machine; no two QNs are the same."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hj212.times import CHINA, QnSource, format_qn, format_time, parse_qn, parse_time

NOON = datetime(2025, 9, 15, 12, 0, 0, tzinfo=CHINA).timestamp()


def test_zone_is_eight_hours_east() -> None:
    assert format_time(0.0) == "19700101080000"
    assert parse_time("19700101080000").timestamp() == 0.0
    assert parse_time("20250915120000").utcoffset() == timedelta(hours=8)


@given(st.integers(0, 4_102_444_800_000))
def test_qn_is_read_back(wall_ms: int) -> None:
    assert round(parse_qn(format_qn(wall_ms)).timestamp() * 1000) == wall_ms


@pytest.mark.parametrize(
    "text",
    [
        *("", "2025091512000", "202509151200000", "20250915120000000", "20251315120000", "20250230120000"),
        *("20250915246000", "2025091512000x", " 0250915120000", "２０２５０９１５１２００００", "20250915120000\n"),
    ],
)
def test_no_time(text: str) -> None:
    with pytest.raises(ValueError, match=r"14 digits|does not match|out of range|unconverted|must be in"):
        parse_time(text)


@pytest.mark.parametrize("text", ["", "20250915120000", "1617949937462", "20251315120000000", "20250915120000000\n"])
def test_no_qn(text: str) -> None:
    with pytest.raises(ValueError, match=r"17 digits|does not match|unconverted|must be in"):
        parse_qn(text)


class TestQnSource:
    def test_never_the_same_twice_within_a_millisecond(self) -> None:
        source = QnSource(lambda: NOON)
        assert [source()[-3:] for _ in range(3)] == ["000", "001", "002"]

    def test_follows_the_clock(self) -> None:
        clock = iter([NOON, NOON + 0.25, NOON + 0.5])
        source = QnSource(lambda: next(clock))
        assert [source() for _ in range(3)] == ["20250915120000000", "20250915120000250", "20250915120000500"]

    def test_follows_a_clock_that_was_set_back(self) -> None:
        clock = iter([NOON, NOON - 3600])
        source = QnSource(lambda: next(clock))
        assert [source(), source()] == ["20250915120000000", "20250915110000000"]
