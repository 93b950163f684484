"""Chance that is a function: the same whoever asks, in whatever order, through whatever window."""

from __future__ import annotations

import random
from itertools import pairwise
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import Method, Opening
from simulator.draws import draw, openings

DAY_S = 86_400.0

keys = st.tuples(st.integers(), st.text(), st.text(), st.integers())
seeds = st.integers(0, 1 << 32)
instants = st.floats(0, 40 * DAY_S)


def day(seed: int = 1, per_hour: int = 2, begin: float = 0.0, end: float = DAY_S) -> list[tuple[Opening, float]]:
    return list(openings(seed, "MN1", per_hour, 4, begin, end))


class TestDraw:
    @settings(deadline=None)
    @given(key=keys)
    def test_lies_in_the_unit_interval(self, key: tuple[int, str, str, int]) -> None:
        assert 0 <= draw(*key) < 1

    def test_values_never_change(self) -> None:
        """They are in every digest that somebody wrote down. Oracle: ``printf 1/6401.../opening/0 | b2sum -l 56``."""
        assert draw(1, "64010000ACCE550000000001", "opening", 0) == 0x4C7EA829F6E9AB / 2**56
        assert draw(2, "64010000ACCE550000000001", "held", 7) == 0x32ECF80B7D8EF1 / 2**56

    @settings(deadline=None)
    @given(drawn=st.lists(keys, unique=True, max_size=20), seed=st.integers())
    def test_order_does_not_matter(self, drawn: list[tuple[int, str, str, int]], seed: int) -> None:
        first = {key: draw(*key) for key in drawn}
        random.Random(seed).shuffle(drawn)
        assert {key: draw(*key) for key in drawn} == first

    @settings(deadline=None)
    @given(key=keys, other=keys)
    def test_every_part_of_the_key_counts(
        self, key: tuple[int, str, str, int], other: tuple[int, str, str, int]
    ) -> None:
        for at in range(4):
            changed = (*key[:at], other[at], *key[at + 1 :])
            assert (draw(*changed) == draw(*key)) == (changed == key)  # type: ignore[arg-type]

    @settings(deadline=None)
    @given(seed=seeds, identity=st.text(max_size=24), signal=st.sampled_from(["opening", "held", "x"]))
    def test_is_spread_evenly(self, seed: int, identity: str, signal: str) -> None:
        drawn = [draw(seed, identity, signal, tick) for tick in range(400)]
        assert 0.4 < fmean(drawn) < 0.6
        assert all(20 < sum(low <= value * 5 < low + 1 for value in drawn) < 150 for low in range(5))
        # No tick tells anything of the next.
        steps = fmean((a - 0.5) * (b - 0.5) for a, b in pairwise(drawn))
        assert abs(steps) < 0.03


class TestOpenings:
    @settings(deadline=None)
    @given(seed=seeds, per_hour=st.integers(1, 3600), begin=instants, length=st.floats(0, 3 * 3600))
    def test_come_in_order_and_never_overlap(self, seed: int, per_hour: int, begin: float, length: float) -> None:
        shut_before = begin
        for opening, shut in openings(seed, "MN1", per_hour, 4, begin, begin + min(length, 1e6 / per_hour)):
            assert shut_before <= opening.at < shut < begin + length
            shut_before = shut

    @settings(max_examples=40, deadline=None)
    @given(seed=seeds, per_hour=st.integers(1, 20), begin=st.floats(0, DAY_S), length=st.floats(0, DAY_S))
    def test_window_shows_what_lies_in_it(self, seed: int, per_hour: int, begin: float, length: float) -> None:
        end = min(begin + length, DAY_S)
        whole = [(o, shut) for o, shut in day(seed, per_hour) if begin <= o.at and shut < end]
        assert day(seed, per_hour, begin, end) == whole

    @settings(max_examples=40, deadline=None)
    @given(seed=seeds, cuts=st.lists(st.floats(0, DAY_S), max_size=4))
    def test_windows_side_by_side_lose_only_those_cut_in_two(self, seed: int, cuts: list[float]) -> None:
        edges = [0.0, *sorted(cuts), DAY_S]
        pieces = [found for a, b in pairwise(edges) for found in day(seed, 6, a, b)]
        lost = [(o, shut) for o, shut in day(seed, 6) if (o, shut) not in pieces]
        assert all(any(o.at < cut <= shut for cut in cuts) for o, shut in lost)

    @settings(max_examples=40, deadline=None)
    @given(seed=seeds, per_hour=st.integers(1, 20))
    def test_one_for_each_slot_and_at_a_millisecond(self, seed: int, per_hour: int) -> None:
        found = day(seed, per_hour)
        assert len(found) == 24 * per_hour
        assert all(round(o.at, 3) == o.at and abs(round(shut, 3) - shut) < 1e-9 for o, shut in found)
        assert all(0.1 <= shut - o.at <= 30.001 for o, shut in found)

    def test_people_and_methods_are_mixed(self) -> None:
        found = [opening for opening, _ in day(per_hour=20)]
        assert {opening.method for opening in found} == set(Method)
        assert {o.person for o in found if o.method.identifies} == {"1001", "1002", "1003", "1004"}
        assert {o.person for o in found if not o.method.identifies} == {""}

    def test_stations_and_seeds_differ(self) -> None:
        first = [opening.at for opening, _ in day()]
        assert first != [opening.at for opening, _ in day(seed=2)]
        assert first != [opening.at for opening, _ in openings(1, "MN2", 2, 4, 0.0, DAY_S)]

    def test_nobody_enrolled_is_one_person(self) -> None:
        assert {o.person for o, _ in openings(1, "MN1", 60, 0, 0.0, DAY_S)} == {"1001", ""}

    @pytest.mark.parametrize("per_hour", [0, -1])
    def test_none_where_nobody_comes(self, per_hour: int) -> None:
        assert day(per_hour=per_hour) == []
