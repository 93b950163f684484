"""Power meters: what they send is consistent to the last digit, follows the plant, and goes wrong where told."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hj212 import RULES, Edition
from simulator.clock import EPOCH
from simulator.faults import behaviour_with
from simulator.personalities.meter import MeterPlan, MeterSettings, PowerMeter, meter_plan
from simulator.personalities.power import QUANTITIES, UnknownQuantityError, power_codes, readings
from simulator.world import Intervention, Line, Shift, Site, SiteTemplate, Unit, What

from .counter import Counter, Row, Witness, commands
from .desk import MN, PW, instant

TEMPLATE = SiteTemplate(
    lines=(Line("line1", shifts=(Shift(8 * 3600, 20 * 3600),)), Line("line2", rated_kw=90.0)),
    units=(Unit("unit1"), Unit("unit2", rated_kw=11.0)),
)


def meter(
    plan: MeterPlan,
    now: float,
    interventions: tuple[Intervention, ...] = (),
    faults: Iterable[str] = (),
    template: SiteTemplate = TEMPLATE,
    **values: object,
) -> PowerMeter:
    site = Site(template, plan.seed, "works", EPOCH, interventions)
    settings = MeterSettings(MN, PW, "52", plan)
    return PowerMeter(settings, site, behaviour_with(faults), now, EPOCH, **values)  # type: ignore[arg-type]


def counter(
    edition: str = "2017",
    codes: tuple[tuple[str, str], ...] = (),
    *,
    on: str = "09:59:30",
    interventions: tuple[Intervention, ...] = (),
    faults: Iterable[str] = (),
    **values: object,
) -> Counter:
    plan = meter_plan(RULES[Edition(edition)], "water", codes, **{"interval_s": 900.0, **values})  # type: ignore[arg-type]
    return Counter(meter(plan, instant(on), interventions, faults), instant(on), key=plan.key)


def joined(rows: Iterable[Row]) -> list[Row]:
    """Return what belongs together in one: a report of many quantities comes in packets."""
    found: dict[str, Row] = {}
    for row in rows:
        first = found.setdefault(row["DataTime"], replace(row, items=row.items[:1]))
        first.items.extend(row.items[1:])
    return list(found.values())


def values_of(row: Row) -> dict[str, Decimal]:
    return {key[:6]: Decimal(item[key]) for item in row.items for key in item if key.endswith("-Rtd")}


class TestProcessData:
    def test_currents_states_and_what_the_works_uses(self) -> None:
        desk = counter().until("11:00:00")
        rows = [row for row in desk.rows if row.at == instant("10:15:00")]
        assert commands(rows) == ["2011", "3020", "2021"]
        assert [next(iter(item)) for item in rows[0].items] == ["DataTime", "e30201-Rtd", "e30202-Rtd"]
        assert [next(iter(item)) for item in rows[1].items] == [
            "DataTime", "i33200-Info", "i33201-Info", "i33202-Info",
        ]  # fmt: skip
        assert (rows[2]["SB1-RS"], rows[2]["SB2-RS"]) == ("1", "1")
        assert {row.header["ST"] for row in rows} == {"52"}

    def test_current_is_that_of_the_plant(self) -> None:
        desk = counter().until("12:00:00")
        plant = Site(TEMPLATE, 1, "works", EPOCH).plant
        for row in desk.of("2011"):
            amps = plant.electricity("unit2", EPOCH + row.at).amps
            assert abs(float(row["e30202-Rtd"]) - sum(amps) / 3) < 0.01

    def test_energy_of_the_works(self) -> None:
        desk = counter(on="22:00:00").until("02:00:00", days=1)
        rows = desk.of("3020")
        totals = [int(row["i33201-Info"]) for row in rows]
        assert totals == sorted(totals)
        of_day = {row["DataTime"]: int(row["i33202-Info"]) for row in rows}
        assert of_day["20250916000000"] == 0
        assert of_day["20250915234500"] > of_day["20250916014500"] > 0

    def test_hours_of_units_at_midnight(self) -> None:
        desk = counter(on="00:00:00").until("00:15:00", days=1)
        (report,) = desk.of("2041")
        assert report["DataTime"] == "20250915000000"
        assert 12 < float(report["SB1-RT"]) < 13
        assert not desk.of("2051")
        assert not desk.of("2031")

    def test_2005_has_states_only(self) -> None:
        assert set(commands(counter("2005").until("12:00:00").rows)) == {"2021"}

    def test_fans_at_a_stack(self) -> None:
        assert power_codes(Edition.HJ_212_2017, "flue-gas").rows == (("unit", "current", "g102xx"),)

    def test_asked(self) -> None:
        desk = counter().until("10:20:00")
        rows = desk.ask("3020", InfoId="i33201")
        assert commands(rows) == ["9011", "3020", "9012"]
        last = desk.of("3020")[0]
        assert 0 <= int(rows[1]["i33201-Info"]) - int(last["i33201-Info"]) < 100
        assert desk.ask("3020", InfoId="i99999")[-1]["ExeRtn"] == "3"


class TestPowerData:
    def test_codes(self) -> None:
        row = joined(counter("2025").until("10:00:00").of("2011"))[0]
        codes = list(values_of(row))
        assert codes[:9] == [f"d20{n}01" for n in range(1, 10)]
        assert codes[9] == "d20102"
        assert codes[18:20] == ["d30101", "d30201"]
        assert len(codes) == 4 * 9

    def test_only_power_data(self) -> None:
        rows = counter("2025", heartbeat_s=3600.0).until("12:00:00").rows
        assert set(commands(rows)) == {"2081", "2011"}

    @pytest.mark.parametrize("edition", ["2025"])
    def test_power_is_what_its_parts_say(self, edition: str) -> None:
        for row in joined(counter(edition).until("23:00:00").of("2011")):
            found = values_of(row)
            for at in ("d2{}01", "d2{}02", "d3{}01", "d3{}02"):
                u = [found[at.format(f"0{n}")] for n in (1, 2, 3)]
                i = [found[at.format(f"0{n}")] for n in (4, 5, 6)]
                exact = sum((a * b for a, b in zip(u, i, strict=True)), Decimal()) * found[at.format("07")] / 1000
                assert abs(found[at.format("08")] - exact) <= Decimal("0.005")
                assert all(abs(volt - 220) <= 33 for volt in u)

    def test_energy_is_the_integral_of_power(self) -> None:
        rows = [values_of(row) for row in joined(counter("2025", interval_s=60.0).until("14:00:00").of("2011"))]
        used = rows[-1]["d20901"] - rows[0]["d20901"]
        mean = sum(row["d20801"] for row in rows[1:]) / (len(rows) - 1)
        assert abs(used / (mean * 4) - 1) < Decimal("0.01")
        assert all(b["d20901"] >= a["d20901"] for a, b in pairwise(rows))

    def test_unit_switched_off(self) -> None:
        off = Intervention(What.UNIT_OFF, "unit1", EPOCH + instant("10:20:00"), EPOCH + instant("11:20:00"))
        rows = joined(counter("2025", interventions=(off,)).until("12:00:00").of("2011"))
        power = {row["DataTime"][8:12]: values_of(row)["d30801"] for row in rows}
        assert max(power["1030"], power["1115"]) < power["1015"] / 10
        assert power["1130"] > power["1030"] * 10

    def test_supply_cut(self) -> None:
        cut = Intervention(What.SUPPLY_CUT, "*", EPOCH + instant("10:20:00"), EPOCH + instant("10:40:00"))
        rows = {
            row["DataTime"][8:12]: row
            for row in joined(counter("2025", interventions=(cut,)).until("11:00:00").of("2011"))
        }
        assert rows["1030"]["d20101-Rtd"] == "0.00"
        assert rows["1030"]["d20101-Flag"] == rows["1030"]["d30801-Flag"] == "D"
        assert rows["1045"]["d20101-Flag"] == "N"

    def test_codes_of_a_scenario(self) -> None:
        desk = counter("2025", (("voltage_a", "d20105"), ("unit_power", "d3xxxx"))).until("10:00:00")
        assert list(values_of(desk.of("2011")[0])) == ["d20105", "d20106", "d3xx01", "d3xx02"]

    @pytest.mark.parametrize(("name", "code"), [("voltage", "d20101"), ("power", "d208ab"), ("unit_", "d20101")])
    def test_what_it_does_not_measure(self, name: str, code: str) -> None:
        with pytest.raises(UnknownQuantityError, match=name):
            power_codes(Edition.HJ_212_2025, "water", ((name, code),))

    def test_history(self) -> None:
        desk = counter("2025").until("12:00:00")
        told = {row["DataTime"]: row.items for row in joined(desk.of("2011"))}
        rows = desk.ask("2011", BeginTime="20250915103000", EndTime="20250915110000")
        assert commands(rows) == ["9011", *["2011"] * 6, "9012"]
        brought = [row.items for row in joined(rows[1:-1])]
        assert brought == [told[f"20250915{clock}00"] for clock in ("1030", "1045", "1100")]

    def test_every_quantity_has_its_digits(self) -> None:
        plant = Site(TEMPLATE, 1, "works", EPOCH).plant
        assert set(readings(plant, "line1", EPOCH)) == set(QUANTITIES)


class TestTakenOver:
    BEGIN, END = instant("21:40:07.250"), instant("01:20:00") + 86400

    def composed(self, plan: MeterPlan, resume_at: float | None) -> list[tuple[float, bytes]]:
        witness = Witness()
        core = meter(plan, self.BEGIN, witness=witness, resume_at=resume_at)
        while (due := core.next_timeout()) is not None and due <= self.END:
            core.handle_timeout(due)
        return witness.composed_at

    @settings(deadline=None, max_examples=30)
    @given(edition=st.sampled_from(["2005", "2017", "2025"]), at_ms=st.integers(1, round((END - BEGIN) * 1000)))
    def test_what_is_due_later_has_the_same_bytes(self, edition: str, at_ms: int) -> None:
        plan = meter_plan(RULES[Edition(edition)], interval_s=300.0, phase="spread")
        resume_at = round(self.BEGIN + at_ms / 1000, 3)
        expected = [one for one in self.composed(plan, None) if one[0] >= resume_at]
        assert self.composed(plan, resume_at) == expected


class TestHook:
    def test_values_are_adjusted(self) -> None:
        plan_codes = (("power", "d20801"),)
        desk = counter("2025", plan_codes, adjust=lambda mn, code, at, value, decimals: 12345).until("10:15:00")
        assert {row["d20801-Rtd"] for row in desk.of("2011")} == {"123.45"}


def faulty(edition: str, name: str) -> Counter:
    return counter(edition, faults=[name])


class TestFaults:
    def test_energy_wraps(self) -> None:
        for edition, cn, key in (("2017", "3020", "i33201-Info"), ("2025", "2011", "d20901-Rtd")):
            right = [float(row[key]) for row in joined(counter(edition).until("16:00:00").of(cn))]
            wrong = [float(row[key]) for row in joined(faulty(edition, "energy-wraps").until("16:00:00").of(cn))]
            assert right == sorted(right)
            assert wrong != sorted(wrong)
            assert max(wrong) < 100

    def test_frozen_value(self) -> None:
        rows = joined(faulty("2025", "frozen-value").until("12:00:00").of("2011"))
        assert len(rows) == 9
        assert len({str(row.items[1:]) for row in rows}) == 1

    def test_flag_n_without_voltage(self) -> None:
        cut = Intervention(What.SUPPLY_CUT, "*", EPOCH + instant("10:20:00"), EPOCH + instant("10:40:00"))
        desk = counter("2025", interventions=(cut,), faults=["flag-always-n"]).until("10:30:00")
        last = joined(desk.of("2011"))[-1]
        assert (last["d20101-Rtd"], last["d20101-Flag"]) == ("0.00", "N")

    def test_datatime_ahead(self) -> None:
        row = counter(faults=["datatime-ahead"]).until("10:00:00").of("2011")[0]
        assert (row["DataTime"], row.qn[:14]) == ("20250915110000", "20250915100000")

    def test_duplicate_packet(self) -> None:
        uploads = [row.raw for row in counter(faults=["duplicate-packet"]).until("11:00:00").rows]
        assert uploads[::2] == uploads[1::2]

    def test_full_width_comma(self) -> None:
        assert "，e30201-Flag".encode() in counter(faults=["full-width-comma"]).until("10:00:00").stream
