"""Openings of a door: the same whoever asks, through whatever window."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.world import MAX_HELD_S, Method, Opening, Site, SiteTemplate, openings

DAY_S = 86_400.0

seeds = st.integers(0, 1 << 32)
instants = st.floats(0, 40 * DAY_S)


def day(seed: int = 1, per_hour: int = 2, begin: float = 0.0, end: float = DAY_S) -> list[tuple[Opening, float]]:
    return list(openings(seed, "site1", per_hour, 4, begin, end))


@settings(deadline=None)
@given(seed=seeds, per_hour=st.integers(1, 3600), begin=instants, length=st.floats(0, 3 * 3600))
def test_openings_come_in_order_and_never_overlap(seed: int, per_hour: int, begin: float, length: float) -> None:
    shut_before = begin
    end = begin + min(length, 1e6 / per_hour)
    for opening, shut in openings(seed, "site1", per_hour, 4, begin, end):
        assert shut_before <= opening.at < end
        assert opening.at < shut <= opening.at + MAX_HELD_S + 0.001
        shut_before = shut


@settings(max_examples=40, deadline=None)
@given(seed=seeds, per_hour=st.integers(1, 20), cuts=st.lists(st.floats(0, DAY_S), max_size=4))
def test_windows_side_by_side_show_every_opening_once(seed: int, per_hour: int, cuts: list[float]) -> None:
    edges = [0.0, *sorted(cuts), DAY_S]
    assert [found for a, b in pairwise(edges) for found in day(seed, per_hour, a, b)] == day(seed, per_hour)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, per_hour=st.integers(1, 20))
def test_there_is_one_for_each_slot_and_at_a_millisecond(seed: int, per_hour: int) -> None:
    found = day(seed, per_hour)
    assert len(found) == 24 * per_hour
    assert all(round(o.at, 3) == o.at and round(shut, 3) == shut for o, shut in found)


def test_people_and_methods_are_mixed() -> None:
    found = [opening for opening, _ in day(per_hour=20)]
    assert {opening.method for opening in found} == set(Method)
    assert {o.person for o in found if o.method.identifies} == {"1001", "1002", "1003", "1004"}
    assert {o.person for o in found if not o.method.identifies} == {""}


def test_places_and_seeds_differ() -> None:
    first = [opening.at for opening, _ in day()]
    assert first != [opening.at for opening, _ in day(seed=2)]
    assert first != [opening.at for opening, _ in openings(1, "site2", 2, 4, 0.0, DAY_S)]


def test_nobody_enrolled_is_one_person() -> None:
    assert {o.person for o, _ in openings(1, "site1", 60, 0, 0.0, DAY_S)} == {"1001", ""}


@pytest.mark.parametrize("per_hour", [0, -1])
def test_nobody_opens_where_nobody_comes(per_hour: int) -> None:
    assert day(per_hour=per_hour) == []


def test_all_stations_of_a_site_see_the_same_openings() -> None:
    template = SiteTemplate(people=4, openings_per_hour=6)
    door = Site(template, 1, "site1", 0.0)
    camera = Site(template, 1, "site1", 0.0)
    seen = list(camera.openings(6 * 3600.0, 7 * 3600.0))
    assert len(seen) == 6
    assert [found for found in door.openings(0.0, DAY_S) if found[0].at in {o.at for o, _ in seen}] == seen
