"""Values of a scenario: instants, addresses, what belongs to which kind; and the place that an error names."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.clock import EPOCH
from simulator.personalities.kinds import EDITIONS, kinds
from simulator.scenario import Event, FaultPlan, SipTarget, SiteGroup, StationGroup, parse
from simulator.scenario.shapes import FIXED_START
from simulator.scenario.values import MAX_SOURCES
from stationgate.exits import UsageFault

BEIJING = timezone(timedelta(hours=8))


def refusal(text: str) -> tuple[str, str]:
    with pytest.raises(UsageFault) as refused:
        parse(text)
    return refused.value.message, refused.value.hint


class TestStart:
    @pytest.mark.parametrize(
        "text",
        ["2026-01-01T08:00:00", "2026-01-01T08:00:00+08:00", "2026-01-01T00:00:00Z", "2025-12-31 19:00:00-05:00"],
    )
    def test_without_an_offset_it_is_beijing_time(self, text: str) -> None:
        scenario = parse(f"start = {text}")
        assert scenario.start == datetime(2026, 1, 1, tzinfo=UTC)
        assert scenario.epoch == datetime(2026, 1, 1, tzinfo=UTC).timestamp()

    def test_absent_it_is_left_to_the_clock(self) -> None:
        assert parse("").start is parse("").epoch is None

    @pytest.mark.parametrize("text", ["2026-01-01", "08:00:00", "'2026-01-01T08:00:00'", "0"])
    def test_anything_else_is_refused(self, text: str) -> None:
        assert refusal(f"start = {text}")[0].startswith("start: expected a date and time such as 2026-01-01T08:00:00")

    def test_presets_without_a_start_know_when_virtual_time_begins(self) -> None:
        assert FIXED_START.timestamp() == EPOCH


class TestInstants:
    HEAD = "start = 2026-01-01T08:00:00\n[[event]]\nwhat = 'restart'\n"

    @pytest.mark.parametrize(
        ("text", "seconds"),
        [
            ("90", 90.0),
            ("0.25", 0.25),
            ("'+00:10:00'", 600.0),
            ("'+36:00:01.5'", 129601.5),
            ("2026-01-01T08:30:00", 1800.0),
            ("2026-01-01T01:00:00.250Z", 3600.25),
        ],
    )
    def test_forms(self, text: str, seconds: float) -> None:
        assert parse(f"{self.HEAD}at = {text}").event[0].begin_s == seconds

    @pytest.mark.parametrize("text", ["-1", "nan", "true", "'00:10:00'", "'+00:60:00'", "'soon'", "00:10:00", "[]"])
    def test_anything_else_is_refused(self, text: str) -> None:
        message, hint = refusal(f"{self.HEAD}at = {text}")
        assert message.startswith(
            '[[event]] at: expected seconds from the start, "+HH:MM:SS" or a date and time, found '
        )
        assert message.endswith(" (line 4)")
        assert hint in ("", 'write a time after the start as "+00:10:00"')

    def test_date_needs_a_start(self) -> None:
        message, hint = refusal("[[event]]\nwhat = 'restart'\nat = 2026-01-01T08:30:00")
        assert message.startswith("[[event]] at: expected seconds from the start, found ")
        assert hint == "a date and time needs start at the top of the file"

    def test_date_before_the_start(self) -> None:
        assert "expected an instant after the start, 2026-01-01T08:00:00+08:00" in refusal(
            f"{self.HEAD}at = 2026-01-01T07:59:59"
        )[0]  # fmt: skip

    def test_at_is_once_and_from_goes_on(self) -> None:
        faults = parse(
            "[[fault]]\nname = 'blanks'\nat = 5\n[[fault]]\nname = 'blanks'\nfrom = 5\n"
            "[[fault]]\nname = 'blanks'\nat = 5\nfor_s = 9\n"
            "[[fault]]\nname = 'blanks'\nprobability = 0.5\nselect = 'door'"
        ).fault
        assert faults == (
            FaultPlan("blanks", begin_s=5.0, once=True),
            FaultPlan("blanks", begin_s=5.0),
            FaultPlan("blanks", begin_s=5.0, for_s=9.0),
            FaultPlan("blanks", ("door",), probability=0.5),
        )

    def test_not_both(self) -> None:
        message, _ = refusal("[[fault]]\nname = 'blanks'\nat = 5\nfrom = 6")
        assert message == "[[fault]] from: says again what another key of this table says (line 4)"


class TestSources:
    @pytest.mark.parametrize(
        ("text", "addresses"),
        [
            ("'127.0.1.1'", ("127.0.1.1",)),
            ("['127.0.1.1-127.0.1.3', '127.0.2.9']", ("127.0.1.1", "127.0.1.2", "127.0.1.3", "127.0.2.9")),
            ("'127.0.1.254-127.0.2.1'", ("127.0.1.254", "127.0.1.255", "127.0.2.0", "127.0.2.1")),
            ("'127.0.1.0/30'", ("127.0.1.1", "127.0.1.2")),
            ("'127.0.1.4/31'", ("127.0.1.4", "127.0.1.5")),
            ("'127.0.1.4/32'", ("127.0.1.4",)),
            ("'fd00::1-fd00::2'", ("fd00::1", "fd00::2")),
            ("[]", ()),
        ],
    )
    def test_forms(self, text: str, addresses: tuple[str, ...]) -> None:
        assert parse(f"[target]\nsources = {text}").target.sources == addresses
        assert parse(f"[sip]\nsources = {text}").sip.sources == addresses

    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("1", 'addresses such as "127.0.1.1"'),
            ("'localhost'", 'addresses such as "127.0.1.1"'),
            ("'127.0.1.1/24'", 'addresses such as "127.0.1.1"'),
            ("'127.0.1.1-::1'", 'addresses such as "127.0.1.1"'),
            ("'127.0.1.9-127.0.1.1'", "a range that begins with its lowest address"),
            ("['127.0.1.1', '127.0.1.0/30']", "each address once, 127.0.1.1 comes again"),
            ("'127.0.0.0/8'", f"{MAX_SOURCES} addresses at most"),
            ("'2001:db8::/32'", f"{MAX_SOURCES} addresses at most"),
        ],
    )
    def test_refused(self, text: str, wanted: str) -> None:
        assert refusal(f"[target]\nsources = {text}")[0].startswith(f"[target] sources: expected {wanted}")


class TestKinds:
    @pytest.mark.parametrize("kind", kinds().values(), ids=list(kinds()))
    def test_defaults_of_a_kind(self, kind: object) -> None:
        assert kind in kinds().values()
        (group,) = parse(f"[[station]]\nkind = '{kind.name}'").station  # type: ignore[attr-defined]
        assert group == StationGroup(kind=group.kind)
        assert group.name == group.kind
        assert group.edition in EDITIONS[group.protocol]
        assert (group.mn == "") is (group.id != "") is (group.protocol == "gb28181")

    def test_system_codes(self) -> None:
        codes = {name: StationGroup(kind=name).st for name in kinds()}
        assert codes == {
            "door": "81", "water": "32", "flue-gas": "31", "air": "22", "noise": "23", "voc": "27", "power": "52",
            "dome": "", "bullet": "", "nvr": "",
        }  # fmt: skip
        assert StationGroup(kind="power", edition="2025").st == "44"
        assert StationGroup(kind="water", edition="2025").st == "32"

    def test_type_codes(self) -> None:
        assert [StationGroup(kind=name).id[10:13] for name in ("dome", "bullet", "nvr")] == ["132", "132", "118"]

    @pytest.mark.parametrize(
        ("kind", "key", "users"),
        [
            ("water", "form = '3020'", "door"),
            ("dome", "mn = '0A'", "door, water, flue-gas, air, noise, voc, power"),
            ("door", "id = '64010000001320000001'", "dome, bullet, nvr"),
            ("door", "minute_interval = 10", "water, flue-gas, air, noise, voc, power"),
            ("water", "codes = {}", "power"),
            ("power", "signals = ['w01018']", "water, flue-gas, air, noise, voc"),
            ("dome", "channels = 3", "nvr"),
        ],
    )
    def test_key_of_another_kind(self, kind: str, key: str, users: str) -> None:
        name = key.partition(" ")[0]
        message, hint = refusal(f"[[station]]\nkind = '{kind}'\n{key}")
        assert (message, hint) == (f"[[station]] {name}: is not for {kind} (line 3)", f"it is for: {users}")

    def test_edition_of_another_protocol(self) -> None:
        assert '[[station]] edition: expected "2016" or "2022", found \'2017\'' in refusal(
            "[[station]]\nkind = 'nvr'\nedition = '2017'"
        )[0]  # fmt: skip

    def test_key_of_another_edition(self) -> None:
        key = "key = '30303030303030303030303030303030'"
        assert parse(f"[[station]]\nkind = 'water'\nedition = '2025'\n{key}").station[0].key == "30" * 16
        message, _ = refusal(f"[[station]]\nkind = 'water'\n{key}")
        assert message == "[[station]] key: is not for edition 2017 (line 3)"

    @pytest.mark.parametrize(
        ("line", "wanted"),
        [
            ("minute_interval = 7", "0, 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30, found 7"),
            ("minute_interval = true", "0, 1, 2, 3, 4, 5, 6, 10, 12, 15, 20 or 30, found True"),
            ("in_flight = 0", "1 to 1000, found 0"),
            ("interval_s = 86401", "1 to 86400 s, found 86401"),
            ("phase = 'clok'", '"start", "clock" or "spread", found \'clok\''),
            ("st = '3'", "two digits or capital letters, found '3'"),
            ("signals = [1]", "a list of names, found [1]"),
            ("key = 'secret'", "32 hexadecimal digits, found '***'"),
        ],
    )
    def test_value_out_of_place(self, line: str, wanted: str) -> None:
        name = line.partition(" ")[0]
        message, _ = refusal(f"[[station]]\nkind = 'water'\n{line}")
        assert message == f"[[station]] {name}: expected {wanted} (line 3)"

    def test_codes_of_a_meter(self) -> None:
        (group,) = parse("[[station]]\nkind = 'power'\ncodes = { voltage_a = 'd20105', energy = 'd20905' }").station
        assert group.codes == (("voltage_a", "d20105"), ("energy", "d20905"))

    def test_target_of_cameras(self) -> None:
        assert parse("").sip == SipTarget()
        given = parse("[sip]\nid = '64010000002000000009'\nport = 5061\ntransport = 'tcp'").sip
        assert given == SipTarget(port=5061, transport="tcp", id="64010000002000000009", domain="6401000000")


class TestSites:
    PLANT = "[[site]]\nname = 'plant'\ncount = 3\n"

    def test_defaults(self) -> None:
        assert parse("[[site]]").site == (SiteGroup(),)

    def test_stations_at_sites(self) -> None:
        scenario = parse(
            self.PLANT + "[[station]]\nmn = '01'\nsite = 'plant'\n"
            "[[station]]\nkind = 'water'\nsite = 'plant'\nper_site = 2\nmn = '11'"
        )
        assert [(one.identity, one.site_name) for one in scenario.members()] == [
            ("01", "plant-1"), ("02", "plant-2"), ("03", "plant-3"),
            ("11", "plant-1"), ("12", "plant-1"), ("13", "plant-2"), ("14", "plant-2"), ("15", "plant-3"),
            ("16", "plant-3"),
        ]  # fmt: skip
        assert {one.site for one in scenario.members()} == {scenario.site[0]}

    def test_station_without_a_site_is_one_of_its_own(self) -> None:
        (one,) = parse("[[station]]\nmn = 'AB'\npeople = 7\nopenings_per_hour = 9").members()
        assert (one.site_name, one.site_group) == ("AB", None)
        assert (one.site.people, one.site.openings_per_hour) == (7, 9)

    def test_only_site_keeps_its_name(self) -> None:
        assert SiteGroup("plant").name_of(0) == "plant"

    @pytest.mark.parametrize("sites", [SiteGroup("a"), SiteGroup("a-b", 12), SiteGroup("a-1", 2)])
    def test_names_lead_back(self, sites: SiteGroup) -> None:
        assert [sites.index_of(sites.name_of(index)) for index in range(sites.count)] == [*range(sites.count)]
        assert {sites.index_of(name) for name in ("a-b-0", "a-b-01", "a-b-13", "b", "", "a-b-x", "a-b-", "-1")} == {
            None
        }

    @pytest.mark.parametrize(
        ("lines", "units", "links"),
        [
            (3, 2, [("line1", "line3"), ("line2",)]),
            (2, 3, [("line1",), ("line2",), ("line1",)]),
            (0, 1, [()]),
            (2, 1, [("line1", "line2")]),
        ],
    )
    def test_units_are_linked_in_turn(self, lines: int, units: int, links: list[tuple[str, ...]]) -> None:
        sites = SiteGroup(lines=lines, units=units)
        assert [sites.lines_of(unit) for unit in range(units)] == links

    def test_shifts(self) -> None:
        (site,) = parse("[[site]]\nshifts = ['06:00-14:00', '14:00-22:00', '23:00-05:00']").site
        assert site.shift_seconds == ((21600, 50400), (50400, 79200), (82800, 104400))
        assert SiteGroup(shifts=("00:00-24:00",)).shift_seconds == ((0, 86400),)

    @pytest.mark.parametrize(
        "shifts",
        ["[]", "'08:00-20:00'", "['8-20']", "['08:00-25:00']", "['24:00-08:00']", "['08:00-08:30']", "[1]",
         "['08:00-12:00', '12:30-18:00']", "['13:00-18:00', '08:00-12:00']", "['08:00-20:00', '19:00-07:00']"],
    )  # fmt: skip
    def test_shifts_that_are_none(self, shifts: str) -> None:
        assert "[[site]] shifts: expected " in refusal(f"[[site]]\nshifts = {shifts}")[0]

    @pytest.mark.parametrize(
        ("text", "message", "hint"),
        [
            ("[[station]]\nsite = 'plnt'", "[[station]] site: no [[site]] is called 'plnt'", "did you mean plant?"),
            ("[[station]]\nper_site = 2", "[[station]] per_site: needs site (line 5)", ""),
            (
                "[[station]]\nsite = 'plant'\npeople = 2",
                "[[station]] people: is said by the [[site]] that the stations stand at (line 6)",
                "",
            ),
            ("[[station]]\nsite = 'plant'\ncount = 4", "[[station]] count: 4 do not fit: 3 sites with 1 each", ""),
            ("[[site]]\nname = 'plant'", "[[site]] name: two are called plant", ""),
        ],
    )
    def test_refused(self, text: str, message: str, hint: str) -> None:
        assert refusal(self.PLANT + text) == (message, hint)

    def test_more_stations_get_more_sites(self) -> None:
        scenario = parse(self.PLANT + "[[station]]\nsite = 'plant'\nper_site = 2").with_stations(9)
        assert (scenario.count, scenario.site[0].count) == (9, 5)
        assert [one.site_index for one in scenario.members()] == [0, 0, 1, 1, 2, 2, 3, 3, 4]


class TestEvents:
    def test_every_key(self) -> None:
        scenario = parse(
            "[[site]]\n[[event]]\nwhat = 'unit-idle'\nat = 60\nfor_s = 5\nsite = 'site'\nwhere = 'unit1'\nshare = 0.2\n"
            "[[event]]\nwhat = 'clock-step'\nat = 1\nselect = ['door', '1 in 1']\nstep_s = -3600\n"
            "[[event]]\nwhat = 'unit-late'\nat = 1\ndelay_s = 600\n"
        )
        assert scenario.event == (
            Event("unit-idle", 60.0, 5.0, site="site", where="unit1", share=0.2),
            Event("clock-step", 1.0, select=("door", "1 in 1"), step_s=-3600.0),
            Event("unit-late", 1.0, delay_s=600.0),
        )

    @pytest.mark.parametrize(
        ("text", "message", "hint"),
        [
            ("what = 'restart'", "[[event]]: at is missing (line 1)", ""),
            ("at = 1", "[[event]]: what is missing (line 1)", ""),
            (
                "what = 'restart'\nat = 1\nfor_s = 5",
                "[[event]] for_s: is not for restart (line 4)",
                "known are: what, at, select",
            ),
            (
                "what = 'unit-off'\nat = 1\nwhere = 'line1'",
                "[[event]] where: expected a line or unit that a site has, found 'line1' (line 4)",
                "known are: unit1",
            ),
            ("what = 'unit-off'\nat = 1\nsite = 'x'", "[[event]] site: no [[site]] is called 'x' (line 4)", ""),
        ],
    )
    def test_refused(self, text: str, message: str, hint: str) -> None:
        assert refusal(f"[[event]]\n{text}") == (message, hint)

    def test_unknown_event_is_suggested(self) -> None:
        message, hint = refusal("[[event]]\nwhat = 'powercut'\nat = 1")
        assert message.startswith('[[event]] what: expected "power-cut", ')
        assert hint == "did you mean power-cut?"

    def test_fault_needs_a_name(self) -> None:
        assert refusal("[[fault]]\nat = 1")[0] == "[[fault]]: name is missing (line 1)"

    @pytest.mark.parametrize("value", ["1.1", "-0.1", "nan", "true", "'1'"])
    def test_probability(self, value: str) -> None:
        assert "[[fault]] probability: expected " in refusal(f"[[fault]]\nname = 'blanks'\nprobability = {value}")[0]


class TestPlaces:
    """An error names the line where it can be seen, and no line where it cannot."""

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ("seed = 1\nsed = 2", 2),
            ("# sed = 1\n\n'sed' = 2", 3),
            ("[target]\nprot = 1\n", 2),
            ("[[station]]\ncount = 1\n[[station]]  # two\nmn = 'AA'\ncunt = 1", 5),
            ("[[station]]\nname = '''\ncunt = 5\n'''\ncunt = 1", 5),
            ("[[station]]\r\ncunt = 1\r\n", 2),
            ("target = { prot = 1 }", None),
            ("target.prot = 1", None),
            ("station = [{ cunt = 1 }]", None),
        ],
    )
    def test_line(self, text: str, line: int | None) -> None:
        message, _ = refusal(text)
        assert message.endswith(f"no such key (line {line})" if line else "no such key")

    def test_long_values_are_cut(self) -> None:
        message, _ = refusal(f"seed = '{'9' * 500}'")
        assert len(message) < 150

    @pytest.mark.parametrize("table", ["target", "sip", "station"])
    def test_passwords_inside_a_value_are_masked(self, table: str) -> None:
        name = {"target": "host", "sip": "host", "station": "kind"}[table]
        head = f"[[{table}]]" if table == "station" else f"[{table}]"
        message, _ = refusal(f"{head}\n{name} = {{ pw = 'S3cr3t', password = 'S3cr3t', key = 'S3cr3t' }}")
        assert "S3cr3t" not in message
        assert "***" in message


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes() | st.dates() | st.times(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
), st.data())  # fmt: skip
def test_no_value_is_too_strange_to_be_refused_in_one_sentence(value: object, data: st.DataObject) -> None:
    """Whatever TOML can hold for whatever key: a value of the record, or one error."""
    from simulator.scenario.keys import tables
    from simulator.scenario.values import READERS, Given, Unfit

    every = [key for keys in tables().values() for key in keys.values()]
    key = data.draw(st.sampled_from(every))
    with suppress(Unfit):
        READERS[key.accepts](Given(value, key, choices=key.choices or ("a", "b")))
