"""Shapes of load, selections and what happens when: pure functions of the scenario."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.scenario import Event, Load, Member, Scenario, StationGroup, on_at, parse, selection
from simulator.scenario.keys import event_rows
from simulator.scenario.shapes import presets
from simulator.scenario.values import BEIJING
from stationgate.exits import UsageFault


class TestRamp:
    @given(count=st.integers(1, 300), ramp_s=st.sampled_from([0.0, 1.0, 59.9, 3600.0]))
    def test_its_integral_is_the_stations(self, count: int, ramp_s: float) -> None:
        scenario = Scenario(station=(StationGroup(count=count, mn="0001"),), load=Load(ramp_s=ramp_s))
        starts = [scenario.switch_on_s(member) for member in scenario.members()]
        assert starts == sorted(starts)
        assert on_at(scenario.load, count, ramp_s) == count == sum(start <= ramp_s for start in starts)
        assert on_at(scenario.load, count, -1.0) == 0
        for tenth in range(11):
            at_s = ramp_s * tenth / 10 + 0.0005
            assert abs(on_at(scenario.load, count, at_s) - sum(start <= at_s for start in starts)) <= 1

    def test_it_is_even(self) -> None:
        scenario = parse("[load]\nramp_s = 60\n[[station]]\ncount = 6\nmn = '01'")
        assert [scenario.switch_on_s(one) for one in scenario.members()] == [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]

    def test_every_shard_has_its_share_at_any_time(self) -> None:
        scenario = parse("[load]\nramp_s = 60\n[[station]]\ncount = 600\nmn = '0001'")
        for shard in range(4):
            on = [scenario.switch_on_s(one) for one in scenario.members(shard, 4)]
            assert sum(start < 30 for start in on) == 75

    def test_spread_comes_on_top(self) -> None:
        plain = parse("[[station]]\ncount = 50\nmn = '01'\nstart_spread_s = 9")
        starts = [plain.switch_on_s(one) for one in plain.members()]
        assert len({*starts}) == 50
        assert all(0 <= start < 9 for start in starts)
        ramped = parse("[load]\nramp_s = 50\n[[station]]\ncount = 50\nmn = '01'\nstart_spread_s = 9")
        assert [ramped.switch_on_s(one) for one in ramped.members()] == pytest.approx(
            [n + start for n, start in enumerate(starts)]
        )


class TestPresets:
    @pytest.mark.parametrize(
        ("preset", "given_start", "start"),
        [
            ("hourly-peak", "2026-03-04T08:00:00", (2026, 3, 4, 8, 58)),
            ("hourly-peak", "2026-03-04T08:59:59", (2026, 3, 4, 8, 58)),
            ("hourly-peak", "2026-03-04T23:30:00+08:00", (2026, 3, 4, 23, 58)),
            ("midnight", "2026-03-04T17:00:00Z", (2026, 3, 5, 23, 58)),
            ("midnight", "2026-03-04T00:00:00", (2026, 3, 4, 23, 58)),
            ("new-year", "2026-03-04T08:00:00", (2026, 12, 31, 23, 58)),
            ("new-year", "2025-12-31T16:30:00Z", (2026, 12, 31, 23, 58)),
            ("hourly-peak", "", (2025, 9, 15, 9, 58)),
            ("midnight", "", (2025, 9, 15, 23, 58)),
            ("new-year", "", (2025, 12, 31, 23, 58)),
        ],
    )
    def test_run_begins_before_the_peak(
        self, preset: str, given_start: str, start: tuple[int, int, int, int, int]
    ) -> None:
        head = f"start = {given_start}\n" if given_start else ""
        scenario = parse(f"{head}[load]\npreset = '{preset}'")
        assert scenario.start == datetime(*start, tzinfo=BEIJING)

    @pytest.mark.parametrize("preset", ["hourly-peak", "midnight", "new-year"])
    def test_everybody_is_on_and_reports_on_the_clock(self, preset: str) -> None:
        scenario = parse(
            f"[load]\npreset = '{preset}'\nlead_s = 60\nramp_s = 20\n"
            "[[station]]\ncount = 40\nmn = '01'\n[[station]]\nmn = 'A1'\nstart_spread_s = 500\ncount = 40\n"
            "[[station]]\nkind = 'dome'\n"
        )
        assert all(scenario.switch_on_s(one) < 60 for one in scenario.members())
        assert [group.phase for group in scenario.station] == ["clock", "clock", ""]

    def test_power_cut_is_an_event_behind_those_of_the_file(self) -> None:
        text = "[load]\npreset = 'power-cut'\nfor_s = 60\nspread_s = 5\n{}[[event]]\nwhat = 'restart'\nat = 1"
        assert parse(text.format("")).event == (
            Event("restart", 1.0),
            Event("power-cut", 120.0, 60.0, spread_s=5.0),
        )
        assert parse(text.format("at = '+00:01:30'\n")).event[1].begin_s == 90.0
        assert parse(text.format("")).start is None

    def test_ramp_that_is_longer_than_the_lead(self) -> None:
        with pytest.raises(UsageFault) as refused:
            parse("[load]\npreset = 'midnight'\nramp_s = 121")
        assert refused.value.message == (
            "[load] ramp_s: the stations must be on before the peak: expected lead_s or less (line 3)"
        )

    def test_instants_of_events_count_from_the_new_start(self) -> None:
        scenario = parse(
            "[load]\npreset = 'midnight'\nlead_s = 600\n[[event]]\nwhat = 'restart'\nat = 2025-09-16T00:00:00"
        )
        assert scenario.event[0].begin_s == 600.0

    def test_all_of_the_table_are_choices(self) -> None:
        for preset in presets():
            assert parse(f"[load]\npreset = '{preset}'").load.preset == preset


CITY = parse(
    "seed = 3\n[[site]]\nname = 'plant'\ncount = 3\n[[site]]\nname = 'quarry'\n"
    "[[station]]\nname = 'front'\nsite = 'plant'\nmn = 'AA01'\n"
    "[[station]]\nkind = 'water'\nsite = 'quarry'\nmn = 'BB01'\n"
    "[[station]]\nkind = 'dome'\nsite = 'plant'\n"
    "[[station]]\nkind = 'air'\ncount = 1000\nmn = 'C000'\n"
)


def chosen(*select: str, what: str = "restart") -> list[str]:
    test = selection(CITY, Event(what, select=select))
    return [member.identity for member in CITY.members() if test(member)]


class TestSelecting:
    @pytest.mark.parametrize(
        ("select", "identities"),
        [
            (("front",), ["AA01", "AA02", "AA03"]),
            (("door",), ["AA01", "AA02", "AA03"]),
            (("dome",), ["64010000001320000001", "64010000001320000002", "64010000001320000003"]),
            (("quarry",), ["BB01"]),
            (("plant-2",), ["AA02", "64010000001320000002"]),
            (("plant", "door"), ["AA01", "AA02", "AA03"]),
            (("plant-2", "door"), ["AA02"]),
            (("water", "door"), []),
            (("AA0[23]",), ["AA02", "AA03"]),
            (("aa*", "*1"), ["AA01"]),
            (("[AB]?01",), ["AA01", "BB01"]),
            (("BB01",), ["BB01"]),
        ],
    )
    def test_terms(self, select: tuple[str, ...], identities: list[str]) -> None:
        assert chosen(*select) == identities

    def test_no_term_is_everybody(self) -> None:
        assert len(chosen()) == CITY.count

    def test_share_is_drawn_of_the_identities(self) -> None:
        tenth = chosen("air", "1 in 10")
        assert 70 < len(tenth) < 130
        assert tenth == chosen("1 in 10", "air")
        assert {*chosen("air", "1 in 20")} < {*tenth}
        assert {*tenth} != {*chosen("air", "1 in 10", what="clock-step")}
        assert len(chosen("1 in 1")) == CITY.count

    def test_sites_of_an_event(self) -> None:
        def at(site: str) -> list[str]:
            test = selection(CITY, Event("supply-cut", site=site))
            return [member.identity for member in CITY.members() if test(member)]

        assert at("plant-3") == ["AA03", "64010000001320000003"]
        assert at("quarry") == ["BB01"]
        assert len(at("")) == CITY.count

    @pytest.mark.parametrize(
        ("select", "message", "hint"),
        [
            ("'wter'", "[[event]] select: 'wter' fits no station (line 12)", "did you mean water?"),
            ("'plant-4'", "[[event]] select: 'plant-4' fits no station (line 12)", "did you mean plant?"),
            ("['door', 'FF*']", "[[event]] select: 'FF*' fits no station (line 12)", None),
            ("'1 in 0'", "[[event]] select: '1 in 0' fits no station (line 12)", "did you mean 1 in 100?"),
            ("[]", "[[event]] select: expected a term in quotes, or a list of them, found [] (line 12)", ""),
            ("5", "[[event]] select: expected a term in quotes, or a list of them, found 5 (line 12)", ""),
        ],
    )
    def test_terms_that_fit_nobody(self, select: str, message: str, hint: str | None) -> None:
        text = (
            "[[site]]\nname = 'plant'\ncount = 3\n[[station]]\nsite = 'plant'\nmn = '01'\n[[station]]\n"
            "kind = 'water'\n[[event]]\nwhat = 'restart'\nat = 1\n"
        )
        with pytest.raises(UsageFault) as refused:
            parse(f"{text}select = {select}")
        assert refused.value.message == message
        assert hint in (refused.value.hint, None)

    def test_selection_of_a_fault(self) -> None:
        with pytest.raises(UsageFault, match=r"^\[\[fault\]\] select: 'watr' fits no station \(line 3\)$"):
            parse("[[fault]]\nname = 'blanks'\nselect = 'watr'")

    def test_member_keeps_apart_what_two_groups_call_alike(self) -> None:
        test = selection(CITY, Event("restart", select=("door",)))
        stranger = Member(0, StationGroup(kind="voc"), 0, "AA01", None, 0)
        assert not test(stranger)


def test_every_event_of_the_table_can_be_written() -> None:
    for row in event_rows().values():
        values = {"select": "'door'", "site": "'site'", "where": "'*'"}
        keys = "".join(f"{key} = {values.get(key, '1')}\n" for key in row.keys)
        (event,) = parse(f"[[site]]\n[[event]]\nwhat = '{row.what}'\nat = 1\n{keys}").event
        assert event.what == row.what
        assert row.scope <= {"station", "line", "unit"}
