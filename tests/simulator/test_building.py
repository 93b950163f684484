"""Stations as a scenario wants them: kinds, shared things, sites, faults on a timeline, what is refused."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from hj212 import RULES, Edition, Framer
from hj212.encryption import Key, open_frame
from hj212.framing import Frame
from hj212.times import parse_qn
from simulator.clock import EPOCH
from simulator.engine.line import BOOT_S as ENGINES_BOOT_S
from simulator.faults import FAULTS, faults_of, mutants_of
from simulator.personalities.building import BOOT_S, Building, builder
from simulator.personalities.door import LivingDoor
from simulator.personalities.kinds import HJ212, kinds
from simulator.personalities.logger import DataLogger
from simulator.personalities.meter import PowerMeter
from simulator.reporter import Reporter
from simulator.scenario import Member, Scenario, SiteGroup, parse
from stationgate.exits import UsageFault

from .counter import Counter, Witness, commands

KEY = "000102030405060708090a0b0c0d0e0f"


def cores(scenario: Scenario, resume_at: float | None = None, witness: Witness | None = None) -> list[Reporter]:
    build = builder(scenario, EPOCH, witness)
    return [build(member, scenario.switch_on_s(member), resume_at) for member in scenario.members()]


def members(building: Building) -> list[Member]:
    return list(building.scenario.members())


class TestKinds:
    @pytest.mark.parametrize("kind", [kind.name for kind in kinds().values() if kind.protocol == HJ212])
    @pytest.mark.parametrize("edition", [edition.value for edition in Edition])
    def test_every_kind_lives_in_every_edition(self, kind: str, edition: str) -> None:
        scenario = parse(f"[[station]]\nkind = '{kind}'\nedition = '{edition}'\ninterval_s = 300\n")
        (core,) = cores(scenario)
        desk = Counter(core, 0.0)
        desk.pass_time(4000.0)
        expected = {"door": LivingDoor, "meter": PowerMeter}.get(kinds()[kind].family, DataLogger)
        assert type(core) is expected
        assert {row.header["ST"] for row in desk.rows} == {kinds()[kind].st_in(edition)}
        assert len(desk.rows) > 5
        assert not core.in_flight

    @pytest.mark.parametrize("edition", [edition.value for edition in Edition])
    def test_mn_that_nobody_gave_has_the_form_of_the_edition(self, edition: str) -> None:
        scenario = parse(f"[[station]]\nkind = 'water'\ncount = 20\nedition = '{edition}'")
        pattern = RULES[Edition(edition)].mn_pattern
        assert all(re.fullmatch(pattern, member.identity) for member in scenario.members())

    @pytest.mark.parametrize("kind", [kind.name for kind in kinds().values() if kind.protocol == HJ212])
    @pytest.mark.parametrize(("edition", "told"), [("2005", False), ("2017", True), ("2025", True)])
    def test_restart_is_told_where_the_edition_has_it(self, kind: str, edition: str, told: bool) -> None:
        (core,) = cores(parse(f"[[station]]\nkind = '{kind}'\nedition = '{edition}'"))
        desk = Counter(core, 0.0)
        desk.pass_time(10.0)
        assert ("2081" in commands(desk.rows)) is told

    @pytest.mark.parametrize(
        "fault",
        ["", "modbus-crc", "lower-case-crc", "length-plus-6", "length-whole-frame", "lf-only-tail", "not-hj212"],
    )
    def test_what_is_encrypted_goes_wrong_as_what_is_not(self, fault: str) -> None:
        text = f"[[station]]\nkind = 'water'\nedition = '2025'\nfaults = {[fault] if fault else []}\n"
        frames = []
        for key in ("", f"key = '{KEY}'"):
            (core,) = cores(parse(text + key))
            core.connected(0.0)
            core.handle_timeout(0.0)
            frames.append(core.data_to_send())
        clear, hidden = frames
        if not clear.startswith(b"##"):
            assert hidden == clear
            return
        assert (b"RestartTime" in clear, b"RestartTime" in hidden) == (True, False)
        beside = [(int(frame[2:6]) - (frame.rfind(b"&&") + 2 - 6), frame[frame.rfind(b"&&") + 2 :]) for frame in frames]
        assert beside[0] == beside[1]
        if not fault:
            (found,) = Framer().feed(hidden)
            assert isinstance(found, Frame)
            opened = open_frame(found, (Key.parse(KEY),))
            assert opened is not None
            assert b"##%04d%s" % (len(opened.segment), opened.segment) == clear[:-6]

    def test_settings_of_the_group(self) -> None:
        scenario = parse(
            "[[station]]\nkind = 'water'\ncount = 2\nmn = '00FE'\npw = 'abc'\nst = 'A1'\nedition = '2025'\n"
            "interval_s = 30\nminute_interval = 1\nhour = false\nsignals = ['w01018', 'w21011']\nphase = 'spread'\n"
            "in_flight = 2\nkey = '000102030405060708090a0b0c0d0e0f'\n"
        )
        first, second = cores(scenario)
        assert isinstance(first, DataLogger)
        plan = first.settings.plan
        assert (first.settings.mn, second.settings.mn) == ("00FE", "00FF")
        assert (first.settings.pw, first.settings.st, first.settings.in_flight) == ("abc", "A1", 2)
        assert (plan.interval_s, plan.minute_interval, plan.levels, plan.phase) == (30, 1, (0, 2), "spread")
        assert plan.factors.codes == ("w01018", "w21011")
        assert plan.key is not None
        assert second.settings.plan is plan  # type: ignore[attr-defined]

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("kind = 'water'\nsignals = ['a21026']", r"'a21026' is no factor of water in 2017"),
            ("kind = 'power'\ncodes = { volts = 'd20101' }", "'volts' is no electrical quantity"),
        ],
    )
    def test_what_a_kind_cannot_measure(self, text: str, why: str) -> None:
        with pytest.raises(UsageFault, match=why):
            builder(parse(f"[[station]]\n{text}\n"), EPOCH, None)

    def test_boots_as_long_as_the_engine_has_it(self) -> None:
        assert BOOT_S == ENGINES_BOOT_S


CITY = """
[[site]]
name = "plant"
count = 3
units = 2
[[station]]
kind = "water"
site = "plant"
[[station]]
kind = "door"
site = "plant"
mn = "64010000ACCE55000000A001"
[[station]]
kind = "power"
site = "plant"
mn = "64010000ACCE55000000B001"
interval_s = 300
"""


class TestSites:
    def test_stations_of_a_site_share_it(self) -> None:
        building = Building(parse(CITY), EPOCH, None)
        sites = [building.site_of(member) for member in members(building)]
        assert sites[0] is sites[3] is sites[6]
        assert len({id(site) for site in sites}) == 3
        assert [site.name for site in sites[:3]] == ["plant-1", "plant-2", "plant-3"]

    def test_station_without_a_site_is_one(self) -> None:
        building = Building(parse("[[station]]\nkind = 'water'\ncount = 2\n"), EPOCH, None)
        assert [building.site_of(member).name for member in members(building)] == [
            member.identity for member in members(building)
        ]

    def test_event_at_one_site_shows_at_all_its_stations(self) -> None:
        event = "[[event]]\nwhat = 'unit-off'\nsite = 'plant-2'\nwhere = 'unit2'\nat = 1800\nfor_s = 1200\n"
        desks = [Counter(core, 0.0) for core in cores(parse(CITY + event))]
        for desk in desks:
            desk.pass_time(3700.0)
        off = [[row["SB2-RS"] for row in desk.of("2021") if row.at > 100].count("0") for desk in desks[:3]]
        assert off == [0, 1, 0]
        low = [min(float(row["e30202-Rtd"]) for row in desk.of("2011")) for desk in desks[6:]]
        usual = [max(float(row["e30202-Rtd"]) for row in desk.of("2011")) for desk in desks[6:]]
        assert [a < b / 10 for a, b in zip(low, usual, strict=True)] == [False, True, False]

    def test_site_that_makes_no_plant(self) -> None:
        building = Building(replace(parse(CITY), site=(SiteGroup("plant", 3, line_kw=0.0),)), EPOCH, None)
        (member, *_) = members(building)
        with pytest.raises(UsageFault, match=r"\[\[site\]\] plant: .*rated_kw"):
            building.site_of(member)


class TestLivingDoor:
    def test_people_of_the_site(self) -> None:
        scenario = parse(CITY.replace("units = 2", "openings_per_hour = 6\npeople = 3"))
        building = Building(scenario, EPOCH, None)
        member = members(building)[3]
        desk = Counter(building.build(member, 0.0, None), 0.0)
        desk.pass_time(7200.0)
        expected = [
            (o.at, o.method.identifies, o.person) for o, _ in building.site_of(member).openings(EPOCH, EPOCH + 7200)
        ]
        assert len(expected) >= 11
        opened = [row for row in desk.rows if row.get("i32001-Info") == "1" and not row.get("i32004-Info")]
        changes = [row for row in opened if row.get("i32002-Info") is None]
        assert [parse_qn(row.qn).timestamp() for row in changes] == [at for at, *_ in expected]
        persons = [row["i32005-Info"] for row in desk.rows if row.get("i32005-Info")]
        assert persons == [person for _at, known, person in expected if known]

    @pytest.mark.parametrize("phase", range(0, 1200, 37))
    def test_taken_over(self, phase: int) -> None:
        scenario = parse("[[station]]\nopenings_per_hour = 60\npeople = 5\ninterval_s = 300\n")
        resume_at = 1200.0 + phase / 10

        def told(resume: float | None) -> list[tuple[float, bytes]]:
            witness = Witness()
            (core,) = cores(scenario, resume, witness)
            while (due := core.next_timeout()) is not None and due <= 2400.0:
                core.handle_timeout(due)
            return witness.composed_at

        assert told(resume_at) == [one for one in told(None) if one[0] >= resume_at]

    def test_power_cut(self) -> None:
        (core,) = cores(parse("[[station]]\nopenings_per_hour = 60\ninterval_s = 300\n"))
        desk = Counter(core, 0.0)
        desk.pass_time(600.0)
        desk.link_down()
        desk.now = 1000.0
        core.reboot(desk.now)
        desk.link_up()
        desk.pass_time(600.0)
        silent = [row for row in desk.rows if 600 < row.at < 1000]
        assert not silent
        assert len([row for row in desk.rows if row.at > 1000 and row.get("i32001-Info") == "1"]) >= 8


class TestTimeline:
    def test_fault_for_a_while(self) -> None:
        fault = "[[fault]]\nname = 'frozen-value'\nselect = 'water'\nfrom = 600\nfor_s = 600\n"
        (core,) = cores(parse(f"[[station]]\nkind = 'water'\n{fault}"))
        desk = Counter(core, 0.0)
        desk.pass_time(3000.0)
        frozen = [row for row in desk.of("2011") if 600 <= row.at < 1200]
        assert len(frozen) == 10
        assert len({row.area.partition(";")[2] for row in frozen}) == 1
        assert len({row.area.partition(";")[2] for row in desk.of("2011")}) == len(desk.of("2011")) - 9

    def test_once(self) -> None:
        fault = "[[fault]]\nname = 'lower-case-crc'\nselect = 'water'\nat = 605\n"
        scenario = parse(f"[[station]]\nkind = 'water'\ncount = 2\n{fault}")
        for core in cores(scenario):
            desk = Counter(core, 0.0)
            desk.pass_time(1500.0)
            wrong = [row for row in desk.rows if row.raw[-6:-2] != row.raw[-6:-2].upper()]
            assert {row.at for row in wrong} <= {630.0}
        (first, _) = cores(scenario, resume_at=700.0)
        assert first.timeline is not None
        assert first.timeline.behaviour(first.identity, 750.0).names == ()
        (fresh, _) = cores(scenario)
        assert fresh.timeline is not None
        assert fresh.timeline.behaviour(fresh.identity, 600.0).names == ()
        assert fresh.timeline.behaviour(fresh.identity, 630.0).names == ("lower-case-crc",)
        assert fresh.timeline.behaviour(fresh.identity, 690.0).names == ()

    def test_probability_is_by_draw(self) -> None:
        fault = "[[fault]]\nname = 'frozen-value'\nfrom = 0\nprobability = 0.25\n"
        scenario = parse(f"seed = 7\n[[station]]\nkind = 'water'\ncount = 2\n{fault}")
        core, other = cores(scenario)
        assert core.timeline is not None
        assert core.timeline is other.timeline
        acting = [core.timeline.behaviour(core.identity, 60.0 * n).names for n in range(2000)]
        assert 430 < acting.count(("frozen-value",)) < 570
        assert acting == [core.timeline.behaviour(core.identity, 60.0 * n).names for n in range(2000)]
        assert acting != [core.timeline.behaviour(other.identity, 60.0 * n).names for n in range(2000)]

    def test_behaviours_are_shared(self) -> None:
        faults = "[[fault]]\nname = 'frozen-value'\nfrom = 60\n[[fault]]\nname = 'modbus-crc'\nfrom = 120\n"
        first, second = cores(parse(f"[[station]]\nkind = 'water'\ncount = 2\nfaults = ['blanks']\n{faults}"))
        assert first.timeline is not None
        late = first.timeline.behaviour(first.identity, 180.0)
        assert late.names == ("blanks", "frozen-value", "modbus-crc")
        assert late is first.timeline.behaviour(second.identity, 240.0)
        assert first.behaviour is second.behaviour

    def test_only_those_that_are_selected(self) -> None:
        fault = "[[fault]]\nname = 'modbus-crc'\nselect = '64010000ACCE55000000A*'\nfrom = 0\n"
        stations = cores(parse(CITY + fault))
        assert [core.timeline is not None for core in stations] == [False] * 3 + [True] * 3 + [False] * 3


class TestFaultsOfKinds:
    def test_door_fault_on_a_logger(self) -> None:
        with pytest.raises(
            UsageFault, match=r"^a water \(data logger of waste water\) cannot have the fault inverted-door"
        ):
            builder(parse("[[station]]\nkind = 'water'\nfaults = ['inverted-door']\n"), EPOCH, None)

    def test_on_a_timeline(self) -> None:
        fault = "[[fault]]\nname = 'inverted-door'\nselect = '*'\nfrom = 0\n"
        with pytest.raises(UsageFault, match=r"a water .* cannot have the fault inverted-door: .* door"):
            builder(parse(CITY + fault), EPOCH, None)

    def test_where_nobody_is_selected_it_is_for_whoever_can_have_it(self) -> None:
        stations = cores(parse(CITY + "[[fault]]\nname = 'inverted-door'\nfrom = 0\n"))
        assert [core.timeline is not None for core in stations] == [False] * 3 + [True] * 3 + [False] * 3

    def test_where_nobody_can_have_it(self) -> None:
        with pytest.raises(UsageFault, match="energy-wraps"):
            builder(parse("[[station]]\n[[fault]]\nname = 'energy-wraps'\nfrom = 0\n"), EPOCH, None)

    def test_families(self) -> None:
        assert set(faults_of("logger")) > {"modbus-crc", "wrong-mean", "frozen-value"}
        assert set(faults_of("meter")) > {"modbus-crc", "energy-wraps", "frozen-value"}
        assert not set(faults_of("door")) & {"wrong-mean", "energy-wraps"}
        assert {name for family in ("door", "logger", "meter") for name in faults_of(family)} == set(FAULTS)

    @pytest.mark.parametrize("kind", ["water", "power"])
    @pytest.mark.parametrize("name", [name for name, fault in mutants_of("logger").items() if "door" in fault.families])
    def test_faults_of_bytes_and_protocol_show_in_what_measures(self, kind: str, name: str) -> None:
        stream, right = (lived(kind, faults) for faults in (name, ""))
        assert stream != right


def lived(kind: str, fault: str) -> bytes:
    """Return the bytes of a station to which everything happens that a fault may get wrong."""
    faults = f"faults = ['{fault}']\n" if fault else ""
    (core,) = cores(parse(f"[[station]]\nkind = '{kind}'\npw = 'S3cr3t'\ninterval_s = 60\n{faults}"))
    desk = Counter(core, 0.0)
    desk.pass_time(4000.0)
    for cn, asked in (("1011", {}), ("3020", {"InfoId": "i33201" if kind == "power" else "i22001"})):
        desk.ask(cn, **asked)
    desk.acknowledges = False
    desk.pass_time(15.0)
    desk.acknowledges = True
    desk.pass_time(120.0)
    desk.acknowledges = False
    desk.pass_time(300.0)
    desk.acknowledges = True
    desk.pass_time(1000.0)
    return bytes(desk.stream)


class TestPast:
    def test_power_cut_and_clock_step_before_a_takeover(self) -> None:
        """Who takes over knows from the scenario what has happened to the station."""
        events = (
            "[[event]]\nwhat = 'power-cut'\nat = 700\nfor_s = 400\nspread_s = 60\n"
            "[[event]]\nwhat = 'restart'\nat = 1500\n[[event]]\nwhat = 'clock-step'\nat = 900\nstep_s = 60\n"
        )
        building = Building(parse(f"[[station]]\nkind = 'water'\ncount = 2\n{events}"), EPOCH, None)
        first, second = members(building)
        (lost, back), (again_lost, again_back) = building.outages(first, 2000.0)
        assert (lost, again_lost, again_back) == (700.0, 1500.0, 1520.0)
        assert 1120.0 <= back <= 1180.0
        assert building.outages(second, 2000.0) != building.outages(first, 2000.0)
        assert building.outages(first, 1000.0) == [(lost, back)]
        assert building.outages(first, 600.0) == []
        assert building.clock_error_s(first, 2000.0) == 60.0
        assert building.clock_error_s(first, 900.0) == 0.0
        core = building.build(first, 0.0, 2000.0)
        desk = Counter(core, 2000.0)
        desk.pass_time(3000.0)
        assert commands(desk.rows)[0] == "2011"
