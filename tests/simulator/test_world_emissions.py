"""Outlets: values that are functions of the second, follow the plant within minutes and keep physics."""

from __future__ import annotations

import random
from itertools import groupby
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.world import (
    OUTLETS,
    Intervention,
    Line,
    Outlet,
    Shift,
    Site,
    SiteTemplate,
    What,
    signals,
)
from simulator.world.emissions import RESPONSE_S

EPOCH = 1757865600.0  # 2025-09-15 00:00:00 Beijing time
HOUR_S = 3600.0
NOON = EPOCH + 12 * HOUR_S
ALWAYS = (Line("line1", shifts=(Shift(0, 86400),)),)

WATER_AT_NOON = [1786, 749, 376, 392, 34, 934, 16, 184, 12316, 47]
FLUE_GAS_AT_NOON = [317, 793, 70, 1773, 418, 72, 574, 89, 110, 21751, 8379]

seeds = st.integers(0, 1 << 32)
outlets = st.sampled_from(sorted(OUTLETS))
instants = st.integers(-86400_000, 5 * 86400_000).map(lambda ms: EPOCH + ms / 1000)


def outlet(kind: str, *done: Intervention, seed: int = 1, identity: str = "MN1") -> Outlet:
    return Site(SiteTemplate(outlet=kind), seed, "site1", EPOCH, done).outlet(identity)


def means(known: Outlet, begin: float, end: float) -> dict[str, float]:
    rows = [known.values(begin + n) for n in range(0, int(end - begin), 20)]
    return {s.name: fmean(column) for s, column in zip(known.signals, zip(*rows, strict=True), strict=True)}


class TestPurity:
    @settings(max_examples=40, deadline=None)
    @given(
        seed=seeds,
        kind=outlets,
        asked=st.lists(instants, min_size=1, max_size=20),
        done=st.lists(st.tuples(st.sampled_from(What), instants, st.integers(1, 40_000)), max_size=3),
        chance=st.randoms(use_true_random=False),
    )
    def test_order_of_questions_does_not_matter(
        self,
        seed: int,
        kind: str,
        asked: list[float],
        done: list[tuple[What, float, int]],
        chance: random.Random,
    ) -> None:
        interventions = tuple(Intervention(what, "*", at, at + length) for what, at, length in done)
        first = {at: outlet(kind, *interventions, seed=seed).values(at) for at in asked}
        chance.shuffle(asked)
        known = outlet(kind, *interventions, seed=seed)
        assert {at: known.values(at) for at in asked} == first

    @settings(max_examples=40, deadline=None)
    @given(seed=seeds, kind=outlets, at=instants, data=st.data())
    def test_what_else_is_measured_does_not_matter(self, seed: int, kind: str, at: float, data: st.DataObject) -> None:
        site = Site(SiteTemplate(outlet=kind), seed, "site1", EPOCH)
        every = dict(zip(signals(kind), site.outlet("MN1").values(at), strict=True))
        some = tuple(data.draw(st.lists(st.sampled_from(signals(kind)), min_size=1, unique=True)))
        chosen = site.outlet("MN1", some)
        assert chosen.values(at) == [every[signal] for signal in some]
        assert chosen.value(some[-1], at) == site.value(some[-1], "MN1", at) == every[some[-1]]

    @settings(max_examples=40, deadline=None)
    @given(kind=outlets, second=st.integers(0, 10**6), past=st.floats(0, 0.999))
    def test_value_belongs_to_its_second(self, kind: str, second: int, past: float) -> None:
        assert outlet(kind).values(EPOCH + second + past) == outlet(kind).values(EPOCH + second)

    def test_stations_and_seeds_differ(self) -> None:
        shown = outlet("water").values(NOON)
        assert shown != outlet("water", identity="MN2").values(NOON)
        assert shown != outlet("water", seed=2).values(NOON)

    def test_values_never_change(self) -> None:
        """They are in every digest that somebody wrote down."""
        assert outlet("water").values(NOON) == WATER_AT_NOON
        assert outlet("flue-gas").values(NOON) == FLUE_GAS_AT_NOON


class TestPhysics:
    @settings(max_examples=200, deadline=None)
    @given(seed=seeds, kind=outlets, at=instants)
    def test_values_keep_their_bounds(self, seed: int, kind: str, at: float) -> None:
        known = outlet(kind, seed=seed)
        for signal, value in zip(known.signals, known.values(at), strict=True):
            assert signal.floor <= value / 10**signal.decimals <= signal.ceiling

    @settings(max_examples=100, deadline=None)
    @given(seed=seeds, at=instants)
    def test_what_contains_another_is_more(self, seed: int, at: float) -> None:
        air = dict(zip((s.name for s in signals("air")), outlet("air", seed=seed).values(at), strict=True))
        assert air["pm25"] < air["pm10"] < air["tsp"]
        noise = dict(zip((s.name for s in signals("noise")), outlet("noise", seed=seed).values(at), strict=True))
        order = ["lmn", "l95", "l90", "l50", "l10", "l5", "lmx"]
        assert [noise[name] for name in order] == sorted(noise[name] for name in order)
        assert noise["lmn"] < noise["la"] < noise["lmx"]
        assert noise["l50"] < noise["leq"] < noise["l10"]

    @pytest.mark.parametrize(("kind", "area_m2"), [("flue-gas", 4.0), ("voc", 0.8)])
    def test_flow_is_velocity_times_area(self, kind: str, area_m2: float) -> None:
        known = outlet(kind)
        for n in range(200):
            flow, velocity = known.values(EPOCH + 431 * n)[:2]
            assert flow / 10 == pytest.approx(velocity / 100 * area_m2, abs=0.051 + 0.005 * area_m2)

    @pytest.mark.parametrize("kind", OUTLETS)
    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_nothing_is_frozen_while_something_is_produced(self, kind: str, seed: int) -> None:
        known = outlet(kind, seed=seed)
        rows = [known.values(EPOCH + 10 * HOUR_S + 60 * n) for n in range(400)]
        for signal, column in zip(known.signals, zip(*rows, strict=True), strict=True):
            assert len(set(column)) >= 5, signal.name
            assert max(len(list(same)) for _, same in groupby(column)) <= 10, signal.name

    def test_day_and_night_differ_outdoors(self) -> None:
        site = Site(SiteTemplate(lines=ALWAYS, outlet="noise"), 1, "site1", EPOCH).outlet("MN1")
        day, night = means(site, NOON, NOON + HOUR_S), means(site, EPOCH + 2 * HOUR_S, EPOCH + 3 * HOUR_S)
        assert all(day[name] > night[name] + 40 for name in day)
        air = outlet("air")
        day, night = (
            means(air, EPOCH + 15 * HOUR_S, EPOCH + 16 * HOUR_S),
            means(air, EPOCH + 3 * HOUR_S, EPOCH + 4 * HOUR_S),
        )
        assert day["temperature"] > night["temperature"]
        assert day["o3"] > 1.5 * night["o3"]
        assert day["humidity"] < night["humidity"]


class TestResponse:
    @pytest.mark.parametrize("kind", ["water", "flue-gas", "voc"])
    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_pollutants_rise_when_treatment_is_off_and_flow_stays(self, kind: str, seed: int) -> None:
        off = Intervention(What.UNIT_OFF, "*", NOON, NOON + 2 * HOUR_S)
        known = outlet(kind, off, seed=seed)
        before = means(known, NOON - 1200, NOON)
        during = means(known, NOON + RESPONSE_S, NOON + 3600)
        after = means(known, NOON + 2 * HOUR_S + RESPONSE_S, NOON + 3 * HOUR_S)
        for signal in known.signals:
            rise = during[signal.name] / before[signal.name]
            assert rise == pytest.approx(signal.untreated, rel=0.25), signal.name
            assert after[signal.name] == pytest.approx(before[signal.name], rel=0.25), signal.name
            if signal.cou_unit == "kg" and signal.name != "co":
                assert rise > 2.5, signal.name
        assert before["flow"] == pytest.approx(during["flow"], rel=0.15)

    def test_rise_takes_minutes(self) -> None:
        off = Intervention(What.UNIT_OFF, "*", NOON, NOON + 2 * HOUR_S)
        known = outlet("water", off)
        cod = [means(known, NOON + s, NOON + s + 60)["cod"] for s in (-60, 60, 120, 180, 240, 400)]
        assert cod == sorted(cod)
        assert cod[1] < 0.5 * cod[-1]
        assert outlet("water").values(NOON - 1) == known.values(NOON - 1)

    def test_idling_treats_only_a_part(self) -> None:
        def cod(*done: Intervention) -> float:
            return means(outlet("water", *done), NOON + RESPONSE_S, NOON + 3600)["cod"]

        off = cod(Intervention(What.UNIT_OFF, "*", NOON, NOON + HOUR_S))
        idle = cod(Intervention(What.UNIT_IDLE, "*", NOON, NOON + HOUR_S))
        assert 1.5 * cod() < idle < off

    @pytest.mark.parametrize("kind", ["water", "flue-gas", "voc"])
    def test_everything_falls_when_production_stops_though_treatment_does_too(self, kind: str) -> None:
        stop = Intervention(What.LINE_OFF, "*", NOON, NOON + 4 * HOUR_S)
        known = outlet(kind, stop)
        before = means(known, NOON - 1200, NOON)
        during = means(known, NOON + HOUR_S, NOON + 2 * HOUR_S)
        assert during["flow"] < 0.12 * before["flow"]
        for signal in known.signals:
            if signal.cou_unit == "kg":
                assert during[signal.name] < 0.75 * before[signal.name], signal.name
        # Long after the treatment unit has stopped as well.
        assert not Site(SiteTemplate(), 1, "site1", EPOCH, (stop,)).plant.running("unit1", NOON + HOUR_S)

    def test_oxygen_is_that_of_air_when_nothing_burns(self) -> None:
        assert means(outlet("flue-gas"), EPOCH + HOUR_S, EPOCH + 2 * HOUR_S)["oxygen"] > 190
        assert means(outlet("flue-gas"), NOON, NOON + HOUR_S)["oxygen"] < 95

    def test_curb_lowers_the_flow(self) -> None:
        curb = Intervention(What.CURB, "*", NOON, NOON + HOUR_S, share=0.4)
        flow = means(outlet("water", curb), NOON + RESPONSE_S, NOON + HOUR_S)["flow"]
        assert 0.3 < flow / means(outlet("water"), NOON + RESPONSE_S, NOON + HOUR_S)["flow"] < 0.6

    def test_surroundings_notice_production_a_little(self) -> None:
        quiet = Intervention(What.LINE_OFF, "*", NOON - HOUR_S, NOON + HOUR_S)
        for kind, name in (("noise", "leq"), ("air", "pm25")):
            usual = means(outlet(kind), NOON, NOON + HOUR_S)[name]
            assert 0.85 < means(outlet(kind, quiet), NOON, NOON + HOUR_S)[name] / usual < 0.97
