"""Data loggers: what they send is read back and computed anew, in three editions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache
from itertools import pairwise
from math import log10

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hj212 import RULES, Edition
from hj212.encryption import Key
from hj212.splitting import Joined, Joiner
from simulator.behaviour import Behaviour
from simulator.clock import EPOCH
from simulator.draws import draw
from simulator.faults import behaviour_with
from simulator.personalities import logger as module
from simulator.personalities import sampling
from simulator.personalities.factors import UnknownFactorError, factors
from simulator.personalities.logger import DataLogger, LoggerPlan, LoggerSettings, logger_plan
from simulator.personalities.noise import equivalent, exceeded
from simulator.personalities.sampling import MAX_RECORDS
from simulator.personalities.sums import Sums
from simulator.world import Intervention, Line, Shift, Site, SiteTemplate, Unit, What, signals

from .counter import Counter, Row, Witness, commands, message
from .desk import MN, PW, instant

EDITIONS = [edition.value for edition in Edition]
ALL_FLUE = tuple(signal.name for signal in signals("flue-gas"))


def plan_of(outlet: str = "water", edition: str = "2017", wanted: tuple[str, ...] = (), **values: object) -> LoggerPlan:
    return logger_plan(outlet, RULES[Edition(edition)], wanted, **values)  # type: ignore[arg-type]


def station(
    plan: LoggerPlan,
    now: float,
    *,
    template: SiteTemplate | None = None,
    interventions: tuple[Intervention, ...] = (),
    behaviour: Behaviour | None = None,
    **values: object,
) -> DataLogger:
    outlet = plan.factors.outlet
    site = Site(template or SiteTemplate(outlet=outlet), plan.seed, "site", EPOCH, interventions)
    return DataLogger(
        LoggerSettings(MN, PW, "32", plan), site, behaviour or Behaviour(), now, EPOCH, **values  # type: ignore[arg-type]
    )  # fmt: skip


def counter(
    outlet: str = "water",
    edition: str = "2017",
    wanted: tuple[str, ...] = (),
    *,
    on: str = "09:59:30",
    faults: Iterable[str] = (),
    interventions: tuple[Intervention, ...] = (),
    template: SiteTemplate | None = None,
    **values: object,
) -> Counter:
    plan = plan_of(outlet, edition, wanted, **values)
    core = station(plan, instant(on), behaviour=behaviour_with(faults), interventions=interventions, template=template)
    return Counter(core, instant(on), key=plan.key)


@cache
def a_day(outlet: str, edition: str, wanted: tuple[str, ...] = ()) -> Counter:
    """Return a station that has lived from ten in the morning to half past midnight."""
    return counter(outlet, edition, wanted).until("00:30:00", days=1)


@cache  # the same few hundred texts are read for each period
def shown(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d%H%M%S")


def in_period(rows: Iterable[Row], begin: str, length: timedelta) -> list[Row]:
    first = shown(begin)
    return [row for row in rows if first <= shown(row["DataTime"]) < first + length]


LENGTHS = {"2051": timedelta(minutes=10), "2061": timedelta(hours=1), "2031": timedelta(days=1)}


def mean(values: list[Decimal]) -> Decimal:
    return (sum(values, Decimal()) / len(values)).quantize(values[0], ROUND_HALF_EVEN)


def check_statistics(reports: list[Row], sent: list[Row], decimals: int, interval_s: int = 60) -> int:
    """Compare the values of periods with those computed from real-time frames; return how many were compared."""
    done = 0
    for report in reports:
        for item in report.items:
            code = next(iter(item)).partition("-")[0]
            if code == "DataTime":
                continue
            for zs in ("", "Zs"):
                values = [Decimal(row[f"{code}-{zs}Rtd"]) for row in sent if row.get(f"{code}-{zs}Rtd")]
                if zs and not values:
                    continue
                assert Decimal(item[f"{code}-{zs}Min"]) == min(values)
                assert Decimal(item[f"{code}-{zs}Max"]) == max(values)
                assert item[f"{code}-{zs}Avg"] == str(mean(values))
                done += 1
            if f"{code}-Cou" in item:
                assert item[f"{code}-Cou"] == str(total(code, sent, decimals, interval_s))
    return done


#: Code of the flow, and what turns value x flow x seconds into kilograms; flow x seconds into cubic metres.
FLOWS = {"w00000": ("1e-6", "1e-3"), "B01": ("1e-6", "1e-3"), "a00000": ("1e-6", "1"), "B02": ("1e-6", "1")}


def total(code: str, sent: list[Row], decimals: int, interval_s: int) -> Decimal:
    flow = next(name for name in FLOWS if sent[0].get(f"{name}-Rtd"))
    kilograms, cubic_metres = map(Decimal, FLOWS[flow])
    flows = [Decimal(row[f"{flow}-Rtd"]) * interval_s for row in sent]
    if code == flow:
        exact = sum(flows, Decimal()) * cubic_metres
    else:
        exact = sum((Decimal(r[f"{code}-Rtd"]) * f for r, f in zip(sent, flows, strict=True)), Decimal()) * kilograms
    return exact.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)


class TestRealTime:
    def test_codes_are_those_of_the_edition(self) -> None:
        seen = {edition: list(a_day("water", edition).of("2011")[0].items[3]) for edition in EDITIONS}
        assert seen == {
            "2005": ["011-Rtd", "011-Flag"],
            "2017": ["w01018-Rtd", "w01018-Flag"],
            "2025": ["w01018-Rtd", "w01018-Flag"],
        }

    @pytest.mark.parametrize("edition", EDITIONS)
    def test_every_minute_on_the_minute(self, edition: str) -> None:
        times = [shown(row["DataTime"]) for row in a_day("water", edition).of("2011")]
        assert times[0] == datetime(2025, 9, 15, 10)
        assert {b - a for a, b in pairwise(times)} == {timedelta(minutes=1)}

    def test_all_acknowledged(self) -> None:
        desk = a_day("flue-gas", "2025")
        assert not desk.core.queue
        assert not desk.core.in_flight
        assert len({row.qn for row in desk.rows}) == len(desk.rows)

    def test_converted_values_follow_the_oxygen_that_is_sent(self) -> None:
        for row in a_day("flue-gas", "2017").of("2011"):
            left = max(21 - Decimal(row["a19001-Rtd"]), Decimal("0.5"))  # nearly air: the divisor stays
            for code in ("a34013", "a21026", "a21002"):
                exact = Decimal(row[f"{code}-Rtd"]) * 15 / left
                assert abs(Decimal(row[f"{code}-ZsRtd"]) - exact) <= Decimal("0.5").scaleb(exact_places(row, code))

    def test_factors_by_code_and_by_name(self) -> None:
        desk = counter("water", "2017", ("w21011", "ph")).until("10:01:00")
        assert [next(iter(item)) for item in desk.of("2011")[0].items] == ["DataTime", "w21011-Rtd", "w01001-Rtd"]

    @pytest.mark.parametrize("wanted", ["w99999", "a21026", ""])
    def test_unknown_factor(self, wanted: str) -> None:
        with pytest.raises(UnknownFactorError, match="is no factor of water in 2017: w00000, "):
            factors("water", Edition.HJ_212_2017, (wanted,))

    @pytest.mark.parametrize("wanted", [("cod", "cod"), ("cod", "ph", "w01018"), ("011", "w01018")])
    def test_factor_named_twice(self, wanted: tuple[str, ...]) -> None:
        with pytest.raises(UnknownFactorError, match=f"'{wanted[-1]}' is named twice"):
            factors("water", Edition.HJ_212_2017, wanted)

    def test_factor_that_the_edition_has_no_code_for(self) -> None:
        with pytest.raises(UnknownFactorError, match="in 2005"):
            factors("water", Edition.HJ_T_212_2005, ("conductivity",))

    def test_above_the_range(self) -> None:
        desk = counter(adjust=lambda mn, code, at, value, decimals: 20000 if code == "w01018" else value)
        desk.until("10:10:00")
        assert desk.of("2011")[0]["w01018-Flag"] == "T"
        assert desk.of("2011")[0]["w01001-Flag"] == "N"
        assert desk.of("2051")[0]["w01018-Flag"] == "T"
        assert desk.of("2051")[0]["w01001-Flag"] == "N"


def exact_places(row: Row, code: str) -> int:
    return -len(row[f"{code}-Rtd"].partition(".")[2])


class TestPhase:
    def test_start(self) -> None:
        desk = counter(phase="start", on="09:59:37.250").until("10:05:00")
        assert [row.at for row in desk.of("2011")][:2] == [instant("09:59:37.250"), instant("10:00:37.250")]

    def test_spread_is_by_draw_and_within_the_interval(self) -> None:
        desk = counter(phase="spread").until("10:05:00")
        first, second, *_ = [row.at for row in desk.of("2011")]
        share = draw(1, MN, "phase", 0)
        assert round(second - first, 3) == 60
        assert round((EPOCH + first) % 60, 3) == int(share * 60_000) / 1000

    @pytest.mark.parametrize("interval_s", [30.0, 300.0, 3600.0, 7200.0, 86400.0])
    def test_clock_is_that_of_beijing(self, interval_s: float) -> None:
        desk = counter(interval_s=interval_s).until("09:00:00", days=2)
        assert all((round(EPOCH + row.at) + 8 * 3600) % interval_s == 0 for row in desk.of("2011"))


class TestStatistics:
    @pytest.mark.parametrize("edition", EDITIONS)
    @pytest.mark.parametrize(
        ("outlet", "wanted"), [("water", ()), ("flue-gas", ALL_FLUE[:9]), ("voc", ()), ("air", ())]
    )
    def test_are_those_of_what_was_sent(self, outlet: str, wanted: tuple[str, ...], edition: str) -> None:
        wanted = wanted if edition != "2005" else ()
        desk = a_day(outlet, edition, wanted)
        decimals = 2 if edition == "2005" else 3
        sent = desk.of("2011")
        for cn, length in LENGTHS.items():
            reports = desk.of(cn)
            assert {shown(report["DataTime"]) for report in reports} == windows(sent, length)
            for report in reports:
                assert check_statistics([report], in_period(sent, report["DataTime"], length), decimals)

    @pytest.mark.parametrize("edition", EDITIONS)
    def test_flags(self, edition: str) -> None:
        item = a_day("water", edition).of("2051")[0].items[1]
        assert [key.partition("-")[2] for key in item] == ["Cou", "Min", "Avg", "Max"] + ["Flag"] * (edition != "2005")

    def test_follow_the_report_that_ends_them(self) -> None:
        rows = [row for row in a_day("water", "2017").rows if row.at == instant("00:00:00") + 86400]
        assert commands(rows) == ["2011", "2051", "2061", "2031", "2041"]
        assert [row["DataTime"] for row in rows] == [
            "20250916000000", "20250915235000", "20250915230000", "20250915000000", "20250915000000",
        ]  # fmt: skip
        assert [row.qn[-3:] for row in rows] == ["000", "001", "002", "003", "004"]

    @pytest.mark.parametrize("phase", ["spread", "start"])
    def test_off_the_minute(self, phase: str) -> None:
        desk = counter(phase=phase, on="09:59:17.125").until("11:30:00")
        sent = desk.of("2011")
        for cn in ("2051", "2061"):
            assert desk.of(cn)
            for report in desk.of(cn):
                check_statistics([report], in_period(sent, report["DataTime"], LENGTHS[cn]), 3)

    def test_end_of_the_period_as_its_time(self) -> None:
        desk = counter("water", "2005", marks_end=True).until("10:10:00")
        assert desk.of("2051")[0]["DataTime"] == "20250915101000"

    @pytest.mark.parametrize(
        ("told", "seen"),
        [
            ({"minute_interval": 0}, {"2061", "2031"}),
            ({"hour": False}, {"2051", "2031"}),
            ({"day": False}, {"2051", "2061"}),
            ({"minute_interval": 0, "hour": False}, {"2031"}),
            ({"minute_interval": 0, "hour": False, "day": False}, set()),
        ],
    )
    def test_those_that_are_not_wanted(self, told: dict[str, object], seen: set[str]) -> None:
        desk = counter(**told, on="21:59:30").until("00:05:00", days=1)  # type: ignore[arg-type]
        assert set(commands(desk.rows)) & set(LENGTHS) == seen
        for cn in seen:
            report = desk.of(cn)[-1]
            check_statistics([report], in_period(desk.of("2011"), report["DataTime"], LENGTHS[cn]), 3)

    def test_empty_period_is_not_told(self) -> None:
        desk = counter(interval_s=1800.0).until("13:00:00")
        assert [row["DataTime"][8:] for row in desk.of("2051")] == [
            f"{hour}{minute}00" for hour in (10, 11, 12) for minute in ("00", "30")
        ]

    def test_values_of_a_hook_of_any_size(self) -> None:
        huge = 10**30
        desk = counter(adjust=lambda mn, code, at, value, decimals: huge if code == "w00000" else value)
        desk.until("10:10:00")
        assert desk.of("2051")[0]["w00000-Max"] == f"{huge / 100:.2f}"

    @settings(deadline=None)
    @given(st.lists(st.lists(st.integers(-999, 99999), min_size=2, max_size=2), min_size=1, max_size=40), st.data())
    def test_sums_fold(self, rows: list[list[int]], data: st.DataObject) -> None:
        sums = Sums(2, 2, 1, roomy=data.draw(st.booleans()))
        cuts = data.draw(st.sets(st.integers(0, len(rows))))
        for number, row in enumerate(rows):
            if number in cuts:
                if sums.count(0):
                    sums.fold(0, 1)
                sums.reset(0, 0, 1)
            sums.add(0, row, [row[0] * row[1]], [0] if row[0] > 500 else [])
        sums.fold(0, 1)
        columns = list(zip(*rows, strict=True))
        assert list(sums.columns(1)) == [(min(c), sum(c), max(c)) for c in columns]
        assert sums.products(1) == [sum(a * b for a, b in rows)]
        assert sums.count(1) == len(rows)
        assert sums.over(1).get(0, 0) == sum(row[0] > 500 for row in rows)


def windows(sent: list[Row], length: timedelta) -> set[datetime]:
    """Return the begins of the periods that are over, of those that real-time frames lie in."""
    midnight = datetime(2025, 9, 15)
    begins = {midnight + (shown(row["DataTime"]) - midnight) // length * length for row in sent}
    return {begin for begin in begins if begin + length <= shown(sent[-1]["DataTime"])}


class TestNoise:
    @pytest.mark.parametrize("edition", ["2017", "2025"])
    def test_statistics_of_the_level_that_was_sent(self, edition: str) -> None:
        desk = a_day("noise", edition)
        sent = desk.of("2011")
        assert {key for row in sent for item in row.items for key in item} == {"DataTime", "LA-Rtd", "LA-Flag"}
        assert bool(desk.of("2061")) == (edition == "2017")
        for report in desk.of("2051"):
            levels = [float(row["LA-Rtd"]) for row in in_period(sent, report["DataTime"], LENGTHS["2051"])]
            assert float(report["LMx-Data"]) == max(levels)
            assert float(report["LMn-Data"]) == min(levels)
            energy = sum(10 ** (level / 10) for level in levels) / len(levels)
            assert abs(float(report["Leq-Data"]) - 10 * log10(energy)) <= 0.0501
            assert float(report["L10-Data"]) >= float(report["L50-Data"]) >= float(report["L90-Data"])

    def test_day_and_night(self) -> None:
        desk = a_day("noise", "2017")
        (report,) = desk.of("2031")
        sent = in_period(desk.of("2011"), report["DataTime"], LENGTHS["2031"])
        parts = {True: [], False: []}  # type: dict[bool, list[int]]
        for row in sent:
            parts[6 <= shown(row["DataTime"]).hour < 22].append(round(float(row["LA-Rtd"]) * 10))
        assert report["Leq-DayData"] == f"{equivalent(parts[True]) / 10:.1f}"
        assert report["Leq-NightData"] == f"{equivalent(parts[False]) / 10:.1f}"

    def test_levels(self) -> None:
        assert equivalent([600]) == 600
        assert equivalent([-9000]) == equivalent([-9000, -(10**9)]) + 30 == -9000  # half of the time is 3 dB
        assert equivalent([10**9, 10**9 + 100]) == 10**9 + 74
        assert equivalent([600, 600 + 100]) == 674  # 10 lg ((1 + 10) / 2) = 7.4
        assert exceeded(list(range(1, 101)), 5) == 95
        assert exceeded(list(range(1, 101)), 90) == 10
        assert exceeded([500], 95) == 500


# Taken over


def composed(
    plan: LoggerPlan, begin: float, end: float, resume_at: float | None, **values: object
) -> list[tuple[float, bytes]]:
    witness = Witness()
    core = station(plan, begin, witness=witness, resume_at=resume_at, **values)
    while (due := core.next_timeout()) is not None and due <= end:
        core.handle_timeout(due)
    return witness.composed_at


BEGIN, END = instant("21:40:07.250"), instant("00:40:00") + 86400
PLANS = {
    "water": plan_of("water", "2017", interval_s=60.0),
    "flue gas, spread": plan_of("flue-gas", "2025", phase="spread", interval_s=45.0),
    "noise, from its start": plan_of("noise", "2005", phase="start", interval_s=120.0, minute_interval=5),
    "no minutes": plan_of("air", "2017", minute_interval=0, interval_s=90.0),
}


@cache
def whole(name: str) -> list[tuple[float, bytes]]:
    return composed(PLANS[name], BEGIN, END, None)


class TestTakenOver:
    @settings(deadline=None, max_examples=60)
    @given(name=st.sampled_from(list(PLANS)), at_ms=st.integers(0, round((END - BEGIN) * 1000)))
    @example("water", round((instant("22:00:00") - BEGIN) * 1000))
    @example("water", round((instant("00:00:00") + 86400 - BEGIN) * 1000))
    @example("water", round((instant("00:00:00") + 86400 - BEGIN) * 1000) - 1)
    @example("no minutes", 1)
    def test_what_is_due_later_has_the_same_bytes(self, name: str, at_ms: int) -> None:
        resume_at = round(BEGIN + at_ms / 1000, 3)
        expected = [one for one in whole(name) if one[0] >= resume_at]
        assert composed(PLANS[name], BEGIN, END, resume_at) == (expected if at_ms else whole(name))

    def test_twice(self) -> None:
        """Whoever takes over from who took over."""
        first, second = instant("22:15:30"), instant("23:03:00")
        taken = composed(PLANS["water"], BEGIN, END, first)
        again = composed(PLANS["water"], BEGIN, END, second)
        assert [one for one in taken if one[0] >= second] == again

    def test_outages_and_clock_steps_of_the_scenario(self) -> None:
        lost, back, resume_at = instant("22:03:10"), instant("22:21:40"), instant("22:48:00")
        plan = PLANS["water"]
        witness = Witness()
        core = station(plan, BEGIN, witness=witness)
        while (due := core.next_timeout()) is not None and due <= lost:
            core.handle_timeout(due)
        core.disconnected(lost)
        core.reboot(back)
        while (due := core.next_timeout()) is not None and due <= END:
            core.handle_timeout(due)
        expected = [one for one in witness.composed_at if one[0] >= resume_at]
        assert composed(plan, BEGIN, END, resume_at, outages=[(lost, back)]) == expected

    @pytest.mark.parametrize("step_s", [3600.0, -40.0])
    def test_wrong_clock(self, step_s: float) -> None:
        core = station(PLANS["water"], BEGIN, resume_at=instant("22:10:00"), clock_error_s=step_s)
        assert core.device_time(0.0) == EPOCH + step_s


class TestOutage:
    def test_periods_have_what_was_read(self) -> None:
        desk = counter().until("10:13:20")
        desk.link_down()
        desk.until("10:41:40")
        desk.core.reboot(desk.now)
        desk.link_up()
        desk.until("11:00:00")
        assert [row["DataTime"][8:12] for row in desk.of("2081")] == ["0959", "1041"]
        times = [row["DataTime"][8:12] for row in desk.of("2011")]
        assert "1030" not in times or desk.core.reboots == 1
        (report,) = desk.of("2061")
        check_statistics([report], in_period(desk.of("2011"), report["DataTime"], LENGTHS["2061"]), 3)

    def test_power_away_over_the_hour(self) -> None:
        core = station(plan_of(), instant("09:59:30"))
        desk = Counter(core, instant("09:59:30"))
        desk.until("10:49:30")
        desk.link_down()
        desk.now = instant("11:20:10")  # nobody calls a station without power
        core.reboot(desk.now)
        desk.link_up()
        desk.until("12:00:00")
        times = [row["DataTime"][8:12] for row in desk.of("2011")]
        assert times[times.index("1049") + 1] == "1121"
        for cn in ("2051", "2061"):
            for report in desk.of(cn):
                check_statistics([report], in_period(desk.of("2011"), report["DataTime"], LENGTHS[cn]), 3)
        assert [row["DataTime"][8:12] for row in desk.of("2061")] == ["1000", "1100"]

    def test_back_filled(self) -> None:
        desk = counter("water", "2025").until("10:05:30")
        desk.link_down()
        desk.until("10:08:30")
        desk.link_up()
        desk.until("10:10:00")
        marked = {row["DataTime"][8:12]: row.header.get("RF") for row in desk.of("2011")}
        assert {time for time, rf in marked.items() if rf == "1"} == {"1006", "1007", "1008"}
        assert marked["1009"] is None


class TestSplit:
    @pytest.mark.parametrize("edition", ["2017", "2025"])
    def test_long_statistics_go_in_packets(self, edition: str) -> None:
        desk = counter("flue-gas", edition, ALL_FLUE).until("11:00:00")
        packets = desk.of("2061")
        assert len(packets) >= 2
        assert [row.header["PNO"] for row in packets] == [str(n) for n in range(1, len(packets) + 1)]
        assert {row.header["PNUM"] for row in packets} == {str(len(packets))}
        assert len({row.qn for row in desk.rows}) == len(desk.rows)
        assert all(len(row.raw) <= 1036 and len(row.area) + 9 <= 950 for row in desk.rows)
        joiner = Joiner()
        joined = [found for row in packets for found in joiner.add(message(row), row.at)]
        (whole,) = [one for one in joined if isinstance(one, Joined)]
        sent = in_period(desk.of("2011"), "20250915100000", LENGTHS["2061"])
        items = [dict(pair for pair in item) for item in whole.message.items]  # type: ignore[misc]
        assert check_statistics([Row(0.0, b"", {}, items)], sent, 3) == len(ALL_FLUE) + 5

    def test_packets_of_2005_share_the_qn_and_follow_one_another(self) -> None:
        rules = replace(RULES[Edition.HJ_T_212_2005], max_parameters_bytes=400)
        plan = logger_plan("flue-gas", rules)
        desk = Counter(station(plan, instant("09:59:30")), instant("09:59:30")).until("11:00:00")
        packets = desk.of("2061")
        assert [row.header["PNO"] for row in packets] == ["1", "2"]
        assert len({row.qn for row in packets}) == 1
        assert not desk.core.queue
        assert not desk.core.in_flight


# What the platform asks


class TestHistory:
    @pytest.mark.parametrize("edition", EDITIONS)
    @pytest.mark.parametrize(
        ("cn", "begin", "end", "count"),
        [
            ("2051", "20250915101000", "20250915103000", 3),
            ("2051", "20250915101000", "20250915101000", 1),
            ("2061", "20250915100000", "20250915120000", 3),
            ("2031", "20250914000000", "20250916000000", 1),
        ],
    )
    def test_records_are_those_that_were_sent(self, edition: str, cn: str, begin: str, end: str, count: int) -> None:
        desk = counter("water", edition).until("00:05:00", days=1)
        told = {row["DataTime"]: row.area for row in desk.of(cn)}
        rows = desk.ask(cn, BeginTime=begin, EndTime=end)
        assert commands(rows) == ["9011", *[cn] * count, "9012"]
        assert rows[-1]["ExeRtn"] == "1"
        for row in rows[1:-1]:
            assert begin <= row["DataTime"] <= end
            assert row.area == told[row["DataTime"]]
        request_qn = rows[0].qn or rows[0]["QN"]
        assert {row.qn == request_qn for row in rows[1:-1]} == {edition == "2005"}

    def test_real_time_data_of_the_past(self) -> None:
        desk = counter().until("10:30:00")
        told = {row["DataTime"]: row.area for row in desk.of("2011")}
        rows = desk.ask("2011", BeginTime="20250915101000", EndTime="20250915101459")
        assert [row.area for row in rows[1:-1]] == [told[f"2025091510{minute}00"] for minute in range(10, 15)]

    def test_of_before_a_takeover(self) -> None:
        plan = plan_of()
        desk = counter().until("12:00:00")
        core = station(plan, instant("09:59:30"), resume_at=instant("11:30:00"))
        other = Counter(core, instant("11:30:00")).until("12:00:00")
        asked = {"BeginTime": "20250915100000", "EndTime": "20250915120000"}
        for cn in ("2051", "2061"):
            assert [row.area for row in other.ask(cn, **asked)] == [row.area for row in desk.ask(cn, **asked)]

    def test_uploads_keep_their_qn(self) -> None:
        desk, quiet = counter().until("10:59:59.950"), counter().until("10:59:59.950")
        desk.ask("2051", BeginTime="20250915100000", EndTime="20250915110000")
        desk.until("11:01:00")
        quiet.until("11:01:00")
        asked = {row.qn for row in desk.rows} - {row.qn for row in quiet.rows}
        assert {row.qn for row in quiet.rows} <= {row.qn for row in desk.rows}
        assert len(asked) == 1 + 5
        assert len({row.qn for row in desk.rows if row.cn in ("2051", "2011", "2061")}) == sum(
            row.cn in ("2051", "2011", "2061") for row in desk.rows
        )

    @pytest.mark.parametrize(
        ("cn", "begin", "end", "code"),
        [
            ("2051", "20250914100000", "20250914110000", "100"),
            ("2061", "20250915100000", "20250915100000", "100"),  # not over yet
            ("2051", "20250915110000", "20250915100000", "3"),
            ("2051", "2025091510", "20250915100000", "3"),
        ],
    )
    def test_nothing_to_bring(self, cn: str, begin: str, end: str, code: str) -> None:
        desk = counter().until("10:30:00")
        rows = desk.ask(cn, BeginTime=begin, EndTime=end)
        assert commands(rows) == ["9011", "9012"]
        assert rows[-1]["ExeRtn"] == code

    def test_limits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        desk = counter(interval_s=30.0).until("14:00:00")
        span = {"BeginTime": "20250915000000", "EndTime": "20250915235959"}
        assert len(desk.of("2011")) > MAX_RECORDS
        assert desk.ask("2011", **span)[-1]["ExeRtn"] == "3"
        assert desk.ask("2051", **span)[-1]["ExeRtn"] == "1"
        monkeypatch.setattr(sampling, "MAX_READ_AGAIN", 100)
        assert desk.ask("2051", **span)[-1]["ExeRtn"] == "3"


class TestRequests:
    def test_real_time_data_stopped_and_started(self) -> None:
        desk = counter().until("10:05:30")
        assert commands(desk.ask("2012")) == ["9013"]
        desk.until("10:20:00")
        assert [row["DataTime"][8:12] for row in desk.of("2011")][-1] == "1005"
        assert len(desk.of("2051")) == 2  # it measures on
        assert commands(desk.ask("2011")) == ["9011", "9012"]
        desk.until("10:21:00")
        assert desk.of("2011")[-1]["DataTime"] == "20250915102100"

    def test_2011_of_2005_ends_with_9011(self) -> None:
        assert commands(counter("water", "2005").ask("2011")) == ["9011"]

    def test_interval(self) -> None:
        desk = counter().until("10:04:10")
        assert desk.ask("1062", RtdInterval="300")[-1]["ExeRtn"] == "1"
        assert desk.ask("1061")[1]["RtdInterval"] == "300"
        desk.until("11:00:00")
        times = [row["DataTime"][10:12] for row in desk.of("2011")]
        assert times == ["00", "01", "02", "03", "04", *[f"{n:02d}" for n in range(5, 60, 5)], "00"]
        for cn in ("2051", "2061"):
            for report in desk.of(cn):
                sent = in_period(desk.of("2011"), report["DataTime"], LENGTHS[cn])
                codes = [c for c in ("w01001", "w01018", "w21003") if report.get(f"{c}-Min")]
                for code in codes:
                    values = [Decimal(row[f"{code}-Rtd"]) for row in sent]
                    assert report[f"{code}-Avg"] == str(mean(values))
        told = {row["DataTime"]: row.area for row in desk.of("2051")}
        rows = desk.ask("2051", BeginTime="20250915100000", EndTime="20250915105900")
        assert {row["DataTime"]: row.area for row in rows[1:-1]} == told

    @pytest.mark.parametrize("wanted", ["7", "0", "60", "-1", ""])
    def test_minutes_that_the_edition_has_not(self, wanted: str) -> None:
        assert counter().ask("1064", MinInterval=wanted)[-1]["ExeRtn"] == "3"

    @pytest.mark.parametrize(("before", "after"), [(10, 5), (5, 10), (10, 1), (1, 30)])
    def test_minutes(self, before: int, after: int) -> None:
        desk = counter(minute_interval=before).until("10:23:30")
        assert desk.ask("1064", MinInterval=str(after))[-1]["ExeRtn"] == "1"
        assert desk.ask("1063")[1]["MinInterval"] == str(after)
        desk.until("12:00:00")
        ends = [shown(row["DataTime"]) for row in desk.of("2051")]
        assert ends == sorted(set(ends))
        for begin, report in zip(ends, desk.of("2051"), strict=True):
            end = next((one for one in ends if one > begin), datetime(2025, 9, 15, 12))
            sent = in_period(desk.of("2011"), report["DataTime"], end - begin)
            check_statistics([report], sent, 3)
        (_, report) = desk.of("2061")
        check_statistics([report], in_period(desk.of("2011"), report["DataTime"], LENGTHS["2061"]), 3)

    def test_1063_is_not_of_2005(self) -> None:
        assert counter("water", "2005").ask("1063")[0]["QnRtn"] == "8"

    def test_clock(self) -> None:
        desk = counter().until("10:04:30")
        desk.ask("1012", SystemTime="20250915120000")
        desk.until("10:24:00")
        times = [row["DataTime"][8:] for row in desk.of("2011")]
        assert times[4:7] == ["100400", "120000", "120100"]
        assert [row["DataTime"][8:12] for row in desk.of("2051")] == ["1000", "1200"]

    def test_clock_set_back(self) -> None:
        desk = counter().until("11:04:30")
        desk.ask("1012", SystemTime="20250915100430")
        desk.until("12:04:00")
        assert [row["DataTime"][8:12] for row in desk.of("2061")] == ["1000", "1100", "1000"]
        assert not desk.core.queue

    def test_instruments(self) -> None:
        desk = counter()
        serial = desk.ask("3019", PolId="w01018")[1]
        assert len(serial["w01018-SN"]) == 24
        assert counter().ask("3019", PolId="w01018")[1].area == serial.area
        assert desk.ask("3020", PolId="w01018", InfoId="i13001")[1]["i13001-Info"] == "2000.0"
        assert desk.ask("3020", InfoId="i22001")[1]["i22001-Info"] == "0"
        assert desk.ask("3020", PolId="w01018", InfoId="i99999")[-1]["ExeRtn"] == "3"
        assert desk.ask("3019", PolId="a21026")[-1]["ExeRtn"] == "3"


class TestHeartbeat:
    def test_after_silence(self) -> None:
        desk = counter("water", "2025", interval_s=900.0, heartbeat_s=200.0).until("10:30:00")
        beats = [round(row.at - instant("10:00:00")) for row in desk.of("9015")]
        assert beats == [200, 400, 600, 800, 1100, 1300, 1500, 1700]
        assert not desk.core.in_flight

    def test_not_before_2025_and_not_where_reports_are_frequent(self) -> None:
        assert not counter("water", "2017", interval_s=900.0).until("10:30:00").of("9015")
        assert not counter("water", "2025").until("10:30:00").of("9015")

    def test_none_while_the_link_is_away(self) -> None:
        desk = counter("water", "2025", interval_s=900.0, heartbeat_s=200.0)
        desk.link_down()
        desk.until("10:14:00")
        desk.link_up()
        assert not desk.of("9015")


class TestEncryption:
    def test_data_areas_are_encrypted_where_the_edition_says_so(self) -> None:
        key = Key(bytes(range(16)))
        desk = counter("water", "2025", key=key).until("10:10:00")
        assert desk.of("2011")[0]["w01018-Flag"] == "N"
        assert b"w01018" not in desk.stream
        assert not desk.core.in_flight
        plain = counter("water", "2025").until("10:10:00")
        assert [row.area for row in desk.of("2051")] == [row.area for row in plain.of("2051")]

    def test_not_in_2017(self) -> None:
        assert b"w01018" in counter("water", "2017", key=Key(bytes(range(16)))).until("10:01:00").stream


DAY_SHIFT = Line("line1", shifts=(Shift(8 * 3600, 20 * 3600),), jitter_s=0)


class TestTreatmentUnits:
    TEMPLATE = SiteTemplate(lines=(DAY_SHIFT,), units=(Unit("unit1"), Unit("unit2")))

    def test_states_are_told_at_first_and_when_one_changes(self) -> None:
        off = Intervention(What.UNIT_OFF, "unit2", EPOCH + instant("12:00:30"), EPOCH + instant("12:30:30"))
        desk = counter(template=self.TEMPLATE, interventions=(off,)).until("13:00:00")
        assert [(row["DataTime"][8:12], row["SB1-RS"], row["SB2-RS"]) for row in desk.of("2021")] == [
            ("1000", "1", "1"), ("1201", "1", "0"), ("1231", "1", "1"),
        ]  # fmt: skip

    def test_with_each_report_where_the_platform_asks(self) -> None:
        desk = counter(template=self.TEMPLATE).until("10:10:30")
        assert commands(desk.ask("2021")) == ["9011", "9012"]
        desk.until("10:15:30")
        desk.ask("2022")
        desk.until("10:20:00")
        assert [row["DataTime"][8:12] for row in desk.of("2021")] == ["1000", "1011", "1012", "1013", "1014", "1015"]

    def test_hours_of_a_day(self) -> None:
        off = Intervention(What.UNIT_OFF, "unit2", EPOCH + instant("12:00:00"), EPOCH + instant("15:00:00"))
        desk = counter(on="00:00:00", template=self.TEMPLATE, interventions=(off,)).until("00:00:00", days=1)
        (report,) = desk.of("2041")
        whole, short = Decimal(report["SB1-RT"]), Decimal(report["SB2-RT"])
        assert Decimal("12.2") < whole < Decimal("12.8")  # a shift of twelve hours, lead and lag
        assert Decimal("9.2") < short < Decimal("9.8")

    @pytest.mark.parametrize("outlet", ["air", "noise"])
    def test_none_where_nothing_is_treated(self, outlet: str) -> None:
        desk = a_day(outlet, "2017")
        assert not desk.of("2021")
        assert not desk.of("2041")


class TestHook:
    def test_values_are_adjusted_before_they_are_sent_and_summed(self) -> None:
        def adjust(identity: str, code: str, at: float, value: int, decimals: int) -> int:
            assert identity == MN
            return 7000 + round(at) // 60 % 2 * 10**decimals if code == "w01018" else value

        desk = counter(adjust=adjust).until("10:10:00")
        values = {row["w01018-Rtd"] for row in desk.of("2011")}
        assert values == {"700.0", "701.0"}
        assert desk.of("2051")[0]["w01018-Avg"] == "700.5"


# Faults: each alone, in the bytes, read by separators


def faulty(
    name: str, outlet: str = "water", edition: str = "2017", wanted: tuple[str, ...] = (), **v: object
) -> Counter:
    return counter(outlet, edition, wanted, faults=[name], **v).until("11:10:00")  # type: ignore[arg-type]


def statistics_of(rows: Iterable[Row]) -> Iterator[dict[str, Decimal]]:
    for row in rows:
        for item in row.items[1:]:
            yield {key.partition("-")[2]: Decimal(value) for key, value in item.items() if not key.endswith("Flag")}


class TestFaults:
    def test_wrong_mean(self) -> None:
        found = list(statistics_of(faulty("wrong-mean").of("2051")))
        assert found
        assert all(one["Avg"] == one["Max"] for one in found)
        assert any(one["Avg"] > one["Min"] for one in found)

    def test_min_above_mean(self) -> None:
        assert any(one["Min"] > one["Avg"] for one in statistics_of(faulty("min-above-mean").of("2061")))

    def test_frozen_value(self) -> None:
        desk = faulty("frozen-value")
        assert len({row.area.partition(";")[2] for row in desk.of("2011")}) == 1
        assert any(one["Max"] > one["Min"] for one in statistics_of(desk.of("2051")))

    def test_flag_always_n(self) -> None:
        def adjust(identity: str, code: str, at: float, value: int, decimals: int) -> int:
            return 10**6

        right = counter(adjust=adjust).until("10:10:00")
        assert right.of("2011")[0]["w01018-Flag"] == "T"
        wrong = counter(adjust=adjust, faults=["flag-always-n"]).until("10:10:00")
        assert {row["w01018-Flag"] for row in wrong.rows if row.get("w01018-Flag")} == {"N"}

    @pytest.mark.parametrize("minutes", [1, 5, 10, 12, 15, 20, 30])
    def test_missing_minute_reports(self, minutes: int) -> None:
        desk = faulty("missing-minute-reports", minute_interval=minutes)
        begins = {int(row["DataTime"][10:12]) for row in desk.of("2051") if row["DataTime"][8:10] == "10"}
        expected = set(range(0, 60, minutes))
        assert begins == {minute for minute in expected if not 30 <= minute < 45} < expected

    def test_datatime_ahead(self) -> None:
        for row in faulty("datatime-ahead").of("2011"):
            assert shown(row["DataTime"]) - shown(row.qn[:14]) == timedelta(hours=1)

    def test_duplicate_packet(self) -> None:
        desk = faulty("duplicate-packet")
        uploads = [row.raw for row in desk.rows]
        assert uploads[::2] == uploads[1::2]
        assert len(set(uploads)) == len(uploads) / 2

    def test_pno_from_zero(self) -> None:
        packets = faulty("pno-from-zero", "flue-gas", "2017", ALL_FLUE).of("2061")
        assert [row.header["PNO"] for row in packets] == [str(n) for n in range(len(packets))]

    def test_full_width_comma(self) -> None:
        stream = bytes(faulty("full-width-comma").stream)
        assert "，w01018-Flag".encode() in stream
        assert b",w01018-Flag" not in stream

    def test_not_converted(self) -> None:
        right, wrong = faulty("no-resend", "flue-gas"), faulty("not-converted", "flue-gas")
        assert any(row["a21026-ZsRtd"] != row["a21026-Rtd"] for row in right.of("2011"))
        assert all(row["a21026-ZsRtd"] == row["a21026-Rtd"] for row in wrong.of("2011"))
        assert all(row["a21026-ZsAvg"] == row["a21026-Avg"] for row in wrong.of("2061"))

    @pytest.mark.parametrize("edition", EDITIONS)
    def test_total_in_grams(self, edition: str) -> None:
        right, wrong = counter("water", edition).until("11:10:00"), faulty("total-in-grams", edition=edition)
        pairs = list(zip(statistics_of(right.of("2061")), statistics_of(wrong.of("2061")), strict=True))
        assert [b["Cou"] for a, b in pairs if "Cou" in b] == [1000 * a["Cou"] for a, b in pairs if "Cou" in a]

    def test_what_is_kept_stays_right(self) -> None:
        """An edit happens when a message goes out; what is known of it is what ought to have been sent."""
        witness = Witness()
        core = station(plan_of(), instant("09:59:30"), behaviour=behaviour_with(["wrong-mean"]), witness=witness)
        Counter(core, instant("09:59:30")).until("10:30:00")
        plain = Witness()
        Counter(station(plan_of(), instant("09:59:30"), witness=plain), instant("09:59:30")).until("10:30:00")
        assert witness.composed_at == plain.composed_at


def test_repr_shows_no_password() -> None:
    assert PW not in repr(LoggerSettings(MN, PW, "32", plan_of()))
    assert "***" in repr(LoggerSettings(MN, PW, "32", plan_of()))
    assert module.DataLogger.handlers["1012"] is not None
