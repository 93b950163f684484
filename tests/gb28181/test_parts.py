"""Answers in parts: whatever comes twice, late or never, the result says what it is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gb28181 import GBT_28181_2022, LimitError
from gb28181.identifiers import ids
from gb28181.manscdp import write
from gb28181.manscdp.items import CatalogItem, RecordItem
from gb28181.manscdp.parts import MAX_COLLECTING, Collector, batches, by_device, by_file
from gb28181.manscdp.responses import CatalogAnswer

from .examples import CHANNEL, DEVICE

KEY = ("Catalog", 17)
ITEMS = [CatalogItem(device_id=code, name="北门枪机", status="ON") for code in ids(CHANNEL, 60)]


def begun() -> Collector:
    collector = Collector()
    collector.begin(KEY, by_device, 0.0)
    return collector


@given(st.permutations(range(0, 60, 4)), st.lists(st.sampled_from(range(0, 60, 4)), max_size=10))
def test_order_and_repetition_do_not_matter(order: list[int], again: list[int]) -> None:
    collector = begun()
    *first, last = order
    for at in [*first, *(at for at in again if at in first)]:
        assert collector.add(KEY, ITEMS[at : at + 4], 60, 1.0) is None
    done = collector.add(KEY, ITEMS[last : last + 4], 60, 2.0)
    assert done is not None
    assert (done.complete, len(done.items), done.total) == (True, 60, 60)
    assert done.repeated == 4 * len([at for at in again if at in first])
    assert len(collector) == 0


def test_silence_ends_a_partial_answer() -> None:
    collector = begun()
    collector.add(KEY, ITEMS[:10], 60, 1.0)
    assert collector.next_timeout() == 6.0
    assert collector.expire(5.9) == []
    (done,) = collector.expire(6.0)
    assert (done.complete, len(done.items), done.total, done.parts) == (False, 10, 60, 1)


def test_no_part_at_all() -> None:
    collector = begun()
    (done,) = collector.expire(30.0)
    assert (done.complete, done.items, done.total, done.parts) == (False, (), None, 0)


def test_without_a_total_only_silence_tells() -> None:
    collector = begun()
    assert collector.add(KEY, ITEMS[:10], None, 1.0) is None
    (done,) = collector.expire(6.0)
    assert (done.complete, len(done.items)) == (False, 10)


def test_an_empty_answer_is_complete() -> None:
    done = begun().add(KEY, (), 0, 1.0)
    assert done is not None
    assert (done.complete, done.items) == (True, ())


def test_a_part_that_nobody_waits_for_changes_nothing() -> None:
    collector = begun()
    assert collector.add(("Catalog", 99), ITEMS, 1, 1.0) is None
    assert len(collector) == 1
    (done,) = collector.close()
    assert done.items == ()


def test_recordings_are_told_by_period_and_path() -> None:
    collector = Collector()
    collector.begin(KEY, by_file, 0.0)
    one = RecordItem(device_id=CHANNEL, start_time="a", end_time="b")
    done = collector.add(KEY, [one, one, replace(one, start_time="b", end_time="c")], 2, 1.0)
    assert done is not None
    assert (len(done.items), done.repeated) == (2, 1)


def test_bounded() -> None:
    collector = Collector()
    for number in range(MAX_COLLECTING):
        collector.begin(number, by_device, 0.0)
    with pytest.raises(LimitError, match="MAX_COLLECTING"):
        collector.begin("more", by_device, 0.0)


@given(st.integers(0, 60), st.integers(200, 3000))
def test_parts_fit_and_hold_everything(count: int, limit: int) -> None:
    def compose(items: tuple[CatalogItem, ...]) -> CatalogAnswer:
        return CatalogAnswer(sn=17, device_id=DEVICE, total=count, items=items or None)

    def encoded(body: object) -> bytes:
        assert isinstance(body, CatalogAnswer)
        return write(body, GBT_28181_2022)

    made = list(batches(ITEMS[:count], compose, encoded, limit))
    found = [item for body in made for item in (body.items or ())]  # type: ignore[attr-defined]
    assert found == ITEMS[:count]
    assert all(len(encoded(body)) <= limit or len(body.items) == 1 for body in made if body.items)  # type: ignore[attr-defined]
    assert len(made) == 1 if not count else made
    if not count:
        assert b"DeviceList" not in encoded(made[0])


def test_a_peer_that_never_ends_is_ended() -> None:
    collector, now = begun(), 0.0
    for number in range(10_000):
        now += 4.0
        collector.add(KEY, [CatalogItem(device_id=str(number))], 1 << 40, now)
        if collector.expire(now):
            break
    assert now == 3600.0
    assert len(collector) == 0
