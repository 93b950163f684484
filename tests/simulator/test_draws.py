"""Chance that is a function: the same whoever asks, in whatever order."""

from __future__ import annotations

import random
from itertools import pairwise
from statistics import fmean

from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.draws import draw, draw_bytes

keys = st.tuples(st.integers(), st.text(), st.text(), st.integers())
seeds = st.integers(0, 1 << 32)


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


class TestDrawBytes:
    def test_values_never_change(self) -> None:
        """Oracle: ``printf 1/6401.../second/0 | b2sum``."""
        drawn = draw_bytes(1, "64010000ACCE550000000001", "second", 0)
        assert (drawn[:4].hex(), drawn[-4:].hex(), len(drawn)) == ("e1f7c5b0", "cc50653e", 64)

    @settings(deadline=None)
    @given(key=keys, other=keys)
    def test_every_part_of_the_key_counts(
        self, key: tuple[int, str, str, int], other: tuple[int, str, str, int]
    ) -> None:
        for at in range(4):
            changed = (*key[:at], other[at], *key[at + 1 :])
            assert (draw_bytes(*changed) == draw_bytes(*key)) == (changed == key)  # type: ignore[arg-type]
