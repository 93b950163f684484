"""Lines and units at work: consistent whoever asks, in whatever order; energy is the integral of power."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from math import sqrt
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.world import Intervention, Line, Plant, Shift, Unit, What

EPOCH = 1757865600.0  # 2025-09-15 00:00:00 Beijing time, a Monday
HOUR_S = 3600.0
DAY_S = 86400.0

LINES = (
    Line("press", 320.0, (Shift(6 * 3600, 14 * 3600), Shift(16 * 3600, 26 * 3600))),
    Line("paint", 90.0, (Shift(9 * 3600, 18 * 3600),), weekends=False),
    Line("kiln", 800.0, (Shift(0, 86400),)),
)
UNITS = (Unit("scrubber", ("press", "paint"), 55.0), Unit("fan", ("kiln",), 30.0))
ITEMS = {item.name: item.rated_kw for item in (*LINES, *UNITS)}

seeds = st.integers(0, 1 << 32)
names = st.sampled_from(sorted(ITEMS))
#: Whole milliseconds of twelve days, some before the epoch.
instants = st.integers(-2 * 86400_000, 10 * 86400_000).map(lambda ms: EPOCH + ms / 1000)
spans = st.tuples(instants, st.floats(1.0, 2 * DAY_S)).map(lambda at: (at[0], round(at[0] + at[1], 3)))
interventions = st.lists(
    st.builds(
        lambda what, where, span: Intervention(what, where, *span),
        st.sampled_from(What),
        st.sampled_from(["*", *ITEMS]),
        spans,
    ),
    max_size=4,
).map(tuple)


def plant(seed: int = 1, done: tuple[Intervention, ...] = ()) -> Plant:
    return Plant(LINES, UNITS, seed, "site1", EPOCH, done)


ASKED: tuple[Callable[[Plant, str, float], object], ...] = (
    Plant.running,
    Plant.supplied,
    Plant.load,
    Plant.electricity,
    Plant.energy_kwh,
    lambda known, name, at: known.activity(at, 300.0),
)


class TestPurity:
    @settings(max_examples=30, deadline=None)
    @given(
        seed=seeds,
        done=interventions,
        asked=st.lists(st.tuples(st.sampled_from(ASKED), names, instants), max_size=12),
        chance=st.randoms(use_true_random=False),
    )
    def test_order_of_questions_does_not_matter(
        self,
        seed: int,
        done: tuple[Intervention, ...],
        asked: list[tuple[Callable[[Plant, str, float], object], str, float]],
        chance: random.Random,
    ) -> None:
        fresh = [ask(plant(seed, done), name, at) for ask, name, at in asked]
        order = list(range(len(asked)))
        chance.shuffle(order)
        known = plant(seed, done)
        for n in order:
            ask, name, at = asked[n]
            assert ask(known, name, at) == fresh[n]

    def test_sites_and_seeds_differ(self) -> None:
        at = EPOCH + 12 * HOUR_S
        shown = plant().electricity("press", at)
        assert shown != plant(seed=2).electricity("press", at)
        assert shown != Plant(LINES, UNITS, 1, "site2", EPOCH).electricity("press", at)

    @settings(max_examples=30, deadline=None)
    @given(seed=seeds, name=names, at=instants, span=spans, what=st.sampled_from(What))
    def test_what_is_done_elsewhere_in_time_changes_nothing(
        self, seed: int, name: str, at: float, span: tuple[float, float], what: What
    ) -> None:
        bent = plant(seed, (Intervention(what, "*", *span),))
        if not span[0] - HOUR_S <= at <= span[1] + HOUR_S:
            assert bent.electricity(name, at) == plant(seed).electricity(name, at)


class TestPower:
    @settings(max_examples=60, deadline=None)
    @given(seed=seeds, name=names, at=instants)
    def test_is_the_sum_of_three_phases(self, seed: int, name: str, at: float) -> None:
        shown = plant(seed).electricity(name, at)
        phases = sum(u * i for u, i in zip(shown.volts, shown.amps, strict=True)) * shown.power_factor / 1000
        assert shown.kw == pytest.approx(phases)
        line_volts = sqrt(3) * fmean(shown.volts)
        assert shown.kw == pytest.approx(sqrt(3) * line_volts * fmean(shown.amps) * shown.power_factor / 1000, rel=0.02)
        assert all(213 < volts < 227 for volts in shown.volts)
        assert 0.5 < shown.power_factor < 1

    @settings(max_examples=60, deadline=None)
    @given(seed=seeds, name=names, at=instants)
    def test_follows_who_runs(self, seed: int, name: str, at: float) -> None:
        known = plant(seed)
        kw, rated = known.electricity(name, at).kw, ITEMS[name]
        if known.running(name, at):
            assert 0.6 * rated < kw < rated
            assert kw == pytest.approx(known.load(name, at // 1) * rated, rel=0.005)
        else:
            assert 0 < kw < 0.02 * rated
            assert known.load(name, at) == 0

    @pytest.mark.parametrize("interval_s", [30, 60, 300, 900, 1800, 3600])
    def test_is_never_frozen(self, interval_s: int) -> None:
        shown = [round(plant().electricity("kiln", EPOCH + interval_s * n).kw, 2) for n in range(200)]
        assert max(shown.count(kw) for kw in shown) <= 4

    def test_of_an_idling_unit_is_low_and_so_is_its_factor(self) -> None:
        at = EPOCH + 10 * HOUR_S
        idling = plant(done=(Intervention(What.UNIT_IDLE, "fan", at - 60, at + 60, share=0.2),)).electricity("fan", at)
        usual = plant().electricity("fan", at)
        assert idling.kw == pytest.approx(0.2 * usual.kw)
        assert idling.power_factor < usual.power_factor - 0.1

    def test_is_nothing_without_supply(self) -> None:
        at = EPOCH + 10 * HOUR_S
        known = plant(done=(Intervention(What.SUPPLY_CUT, "*", at, at + 60),))
        assert known.electricity("press", at) == ((0, 0, 0), (0, 0, 0), 0, 0)
        assert not known.supplied("press", at)
        assert not known.running("press", at)
        assert known.supplied("press", at + 60)
        assert known.energy_kwh("press", at) == known.energy_kwh("press", at + 59.999)
        assert known.energy_kwh("press", at - 1) < known.energy_kwh("press", at) < known.energy_kwh("press", at + 61)


class TestEnergy:
    @settings(max_examples=120, deadline=None)
    @given(
        seed=seeds, done=interventions, name=names, begin=st.integers(-86400, 7 * 86400), length=st.integers(60, 21600)
    )
    def test_is_mean_power_times_hours(
        self, seed: int, done: tuple[Intervention, ...], name: str, begin: int, length: int
    ) -> None:
        known = plant(seed, done)
        step = 1 if length < 1800 else 12
        length -= length % step
        low, high = EPOCH + begin, EPOCH + begin + length
        mean_kw = fmean(known.electricity(name, at).kw for at in (low + n for n in range(0, length, step)))
        risen = known.energy_kwh(name, high) - known.energy_kwh(name, low)
        # A change between two samples is seen up to a step late: six changes at most, of the rated power each.
        assert risen == pytest.approx(mean_kw * length / 3600, rel=0.005, abs=6 * step * ITEMS[name] / 3600)

    @settings(max_examples=120, deadline=None)
    @given(
        seed=seeds, done=interventions, name=names, near=st.integers(-2, 9), steps=st.lists(st.integers(1, 5_000_000))
    )
    def test_never_falls(
        self, seed: int, done: tuple[Intervention, ...], name: str, near: int, steps: list[int]
    ) -> None:
        """From just before a midnight on, in steps of milliseconds up to more than an hour."""
        known = plant(seed, done)
        at = EPOCH + near * DAY_S - 0.005
        read = [known.energy_kwh(name, round(at, 3))]
        for step in [1] * 10 + steps:
            at += step / 1000
            read.append(known.energy_kwh(name, round(at, 3)))
        assert all(a <= b for a, b in pairwise(read))

    def test_base_reading_belongs_to_the_day_of_the_epoch(self) -> None:
        later = Plant(LINES, UNITS, 1, "site1", EPOCH + 15 * HOUR_S)
        at = EPOCH + 20 * HOUR_S
        assert later.energy_kwh("press", at) == plant().energy_kwh("press", at)
        assert 10_000 <= plant().energy_kwh("press", EPOCH) < 900_000
        assert plant().energy_kwh("press", EPOCH) != plant(seed=2).energy_kwh("press", EPOCH)


class TestShifts:
    @settings(max_examples=20, deadline=None)
    @given(seed=seeds, day=st.integers(0, 4))
    def test_line_runs_around_its_shifts(self, seed: int, day: int) -> None:
        known = plant(seed)
        for hour, running in ((8, False), (9.5, True), (17.5, True), (19, False)):
            assert known.running("paint", EPOCH + day * DAY_S + hour * HOUR_S) is running
        # A shift that lasts into the next day.
        for hour, running in ((1.5, True), (3, False), (13.5, True), (15, False), (23.99, True)):
            assert known.running("press", EPOCH + (day + 1) * DAY_S + hour * HOUR_S) is running

    def test_starts_and_stops_differ_from_day_to_day(self) -> None:
        known = plant()
        noons = [known.running("paint", EPOCH + day * DAY_S + 9 * HOUR_S) for day in range(5)]
        assert len(set(noons)) == 2

    def test_weekends_are_free_where_they_are(self) -> None:
        known = plant()
        at = [EPOCH + day * DAY_S + 12 * HOUR_S for day in range(7)]
        assert [known.running("paint", noon) for noon in at] == [True] * 5 + [False] * 2
        assert all(known.running("press", noon) for noon in at)

    @settings(max_examples=120, deadline=None)
    @given(seed=seeds, at=instants)
    def test_shifts_that_meet_never_stop(self, seed: int, at: float) -> None:
        assert plant(seed).running("kiln", at)
        assert plant(seed).running("fan", at)

    @settings(max_examples=60, deadline=None)
    @given(seed=seeds, at=instants)
    def test_treatment_runs_whenever_production_does_and_around_it(self, seed: int, at: float) -> None:
        known = plant(seed)
        if any(known.running(line, at + shift) for line in ("press", "paint") for shift in (-600, 0, 299)):
            assert known.running("scrubber", at)
        assert known.activity(at, 300.0)[1] == 0

    def test_treatment_stops_when_nothing_is_produced(self) -> None:
        known = plant()
        assert not known.running("scrubber", EPOCH + 4 * HOUR_S)
        assert known.running("scrubber", EPOCH + 8 * HOUR_S)


class TestActivity:
    @settings(max_examples=30, deadline=None)
    @given(seed=seeds, done=interventions, at=instants, over_s=st.sampled_from([60.0, 300.0, 7200.0]))
    def test_is_the_mean_of_what_went_before(
        self, seed: int, done: tuple[Intervention, ...], at: float, over_s: float
    ) -> None:
        known = plant(seed, done)
        step = over_s / 240
        past = [known.state(at - (n + 0.5) * step) for n in range(240)]
        production, untreated = known.activity(at, over_s)
        assert production == pytest.approx(fmean(state.production for state in past), abs=0.03)
        assert untreated == pytest.approx(fmean(state.untreated for state in past), abs=0.03)
        assert 0 <= untreated <= production + 1e-9 <= 1 + 2e-9

    def test_weighs_lines_by_their_power_and_treatment_by_what_it_is_linked_to(self) -> None:
        at = EPOCH + 10 * HOUR_S
        known = plant(done=(Intervention(What.UNIT_OFF, "scrubber", at - HOUR_S, at + HOUR_S),))
        assert known.activity(at, 300.0) == (1, pytest.approx((320 + 90) / 1210))
        assert plant().activity(EPOCH + 4 * HOUR_S, 300.0) == (pytest.approx(800 / 1210), 0)

    def test_is_steady_without_lines(self) -> None:
        assert Plant((), (), 1, "site1", EPOCH).activity(EPOCH, 300.0) == (1, 0)


class TestMisuse:
    @pytest.mark.parametrize(
        ("build", "told"),
        [
            (lambda: Shift(0, 3000), "length from 3600"),
            (lambda: Shift(86400, 90000), "start from 0"),
            (lambda: Line("a", 0.0), "rated_kw 0.0 is not positive"),
            (lambda: Line("*"), "no name"),
            (lambda: Line("a", load=1.5), "load 1.5"),
            (lambda: Line("a", jitter_s=1000), "jitter_s 1000"),
            (lambda: Line("a", shifts=(Shift(0, 7200), Shift(9000, 20000))), "1800 seconds from the end of shift 1"),
            (lambda: Line("a", shifts=(Shift(3600, 84000), Shift(0, 7200))), "shift 1"),
            (lambda: Line("a", shifts=(Shift(1800, 86400),)), "1800 seconds"),
            (lambda: Unit("", ()), "no name"),
            (lambda: Intervention(What.CURB, "*", 5.0, 5.0), "not after"),
            (lambda: Intervention(What.CURB, "*", 5.0, 6.0, share=2.0), "share 2.0"),
            (lambda: Intervention(What.UNIT_LATE, "*", 5.0, 6.0, delay_s=-1.0), "delay_s -1.0"),
            (lambda: Plant(LINES, (Unit("press"),), 1, "site1", EPOCH), "named 'press'"),
            (lambda: Plant(LINES, (Unit("u", ("pres",)),), 1, "site1", EPOCH), "'pres', which is no line"),
            (lambda: plant(done=(Intervention(What.UNIT_OFF, "fans", 0.0, 1.0),)), "'fans', which is no line or unit"),
        ],
    )
    def test_is_told_apart(self, build: Callable[[], object], told: str) -> None:
        with pytest.raises(ValueError, match=told.replace("*", r"\*")):
            build()

    def test_unknown_item_is_named(self) -> None:
        with pytest.raises(KeyError, match="no line or unit 'x'"):
            plant().running("x", EPOCH)
