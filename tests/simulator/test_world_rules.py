"""A healthy plant breaks none of the rules T1 to T6, and each intervention breaks exactly its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from simulator.world import Intervention, Line, Shift, Site, SiteTemplate, Unit, What

from .rules import Curb, Finding, Meter, analyse

EPOCH = 1757865600.0  # 2025-09-15 00:00:00 Beijing time, a Monday
MINUTE_S = 60.0
DAY_MIN = 1440

ONE = SiteTemplate()
#: Two lines, one into the night and one by day on weekdays; two units treat the first, one the second.
TWO = SiteTemplate(
    lines=(
        Line("press", 320.0, (Shift(6 * 3600, 14 * 3600), Shift(16 * 3600, 26 * 3600))),
        Line("paint", 90.0, (Shift(9 * 3600, 18 * 3600),), weekends=False, jitter_s=900),
    ),
    units=(Unit("scrubber", ("press",), 55.0), Unit("fan", ("press",), 30.0), Unit("carbon", ("paint",), 18.0, 0.6)),
)
#: Never stops.
ALWAYS = SiteTemplate(lines=(Line("kiln", 800.0, (Shift(0, 12 * 3600), Shift(12 * 3600, 24 * 3600))),))

TEMPLATES = {"one": ONE, "two": TWO, "always": ALWAYS}


def sampled(site: Site, name: str, rated_kw: float, minutes: int) -> Meter:
    shown = [site.plant.electricity(name, site.epoch + MINUTE_S * n) for n in range(minutes)]
    return Meter(rated_kw, [e.kw for e in shown], [min(e.volts) for e in shown])


def findings(
    template: SiteTemplate,
    seed: int,
    days: int,
    interventions: tuple[Intervention, ...] = (),
    curbs: tuple[Curb, ...] = (),
) -> list[Finding]:
    site = Site(template, seed, "site1", EPOCH, interventions)
    lines = {line.name: sampled(site, line.name, line.rated_kw, days * DAY_MIN) for line in template.lines}
    units = {unit.name: sampled(site, unit.name, unit.rated_kw, days * DAY_MIN) for unit in template.units}
    links = {unit.name: unit.lines or tuple(lines) for unit in template.units}
    return analyse(lines, units, links, curbs)


def production(template: SiteTemplate, seed: int, line: str, day: int) -> tuple[float, float]:
    """Return the first start and the first stop of a line on a day of the scenario, to a second."""
    plant = Site(template, seed, "site1", EPOCH).plant
    at = EPOCH + day * 86400
    while plant.running(line, at):
        at += 1
    while not plant.running(line, at):
        at += 1
    start = at
    while plant.running(line, at):
        at += 1
    return start, at


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.soak)])
def test_healthy_plant_breaks_no_rule_in_thirty_days(template: str, seed: int) -> None:
    assert findings(TEMPLATES[template], seed, 30) == []


@pytest.mark.soak
@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("seed", range(10, 40))
def test_healthy_plants_break_no_rule(template: str, seed: int) -> None:
    assert findings(TEMPLATES[template], seed, 30) == []


Story = Callable[[float, float], Intervention]

#: Rule, and what is done around a run of production from start to stop.
STORIES: dict[str, tuple[str, Story]] = {
    "never-started": ("T1", lambda start, stop: Intervention(What.UNIT_OFF, "*", start - 3600, stop + 3600)),
    "started-after-an-hour": ("T1", lambda start, stop: Intervention(What.UNIT_OFF, "*", start - 3600, start + 3600)),
    "switched-off": ("T2", lambda start, stop: Intervention(What.UNIT_OFF, "*", start + 7200, stop + 3600)),
    "switched-off-for-a-while": ("T2", lambda start, stop: Intervention(What.UNIT_OFF, "*", start + 7200, stop - 3600)),
    "idling": ("T3", lambda start, stop: Intervention(What.UNIT_IDLE, "*", start + 3600, start + 3 * 3600)),
    "late": ("T4", lambda start, stop: Intervention(What.UNIT_LATE, "*", start - 60, start + 60)),
    "early": ("T4", lambda start, stop: Intervention(What.UNIT_EARLY, "*", stop - 60, stop + 60)),
    "supply-cut": ("T6", lambda start, stop: Intervention(What.SUPPLY_CUT, "*", start + 3600, start + 2 * 3600)),
    "supply-cut-at-night": ("T6", lambda start, stop: Intervention(What.SUPPLY_CUT, "*", start - 7200, start + 1800)),
}


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.soak) for seed in (2, 3))])
@pytest.mark.parametrize("story", STORIES)
def test_intervention_breaks_exactly_its_rule(story: str, seed: int) -> None:
    rule, around = STORIES[story]
    start, stop = production(ONE, seed, "line1", 1)
    done = around(start, stop)
    found = findings(ONE, seed, 3, (done,))
    assert {finding.rule for finding in found} == {rule}
    low, high = (done.begin_at - EPOCH) / MINUTE_S, (done.end_at - EPOCH) / MINUTE_S
    assert all(low - 10 <= finding.minute <= high for finding in found)


@pytest.mark.parametrize("item", ["scrubber", "fan"])
def test_one_of_two_units_switched_off_is_found_alone(item: str) -> None:
    start, stop = production(TWO, 5, "press", 1)
    found = findings(TWO, 5, 3, (Intervention(What.UNIT_OFF, item, start + 7200, stop + 3600),))
    assert {(finding.rule, finding.item) for finding in found} == {("T2", item)}


def test_units_of_other_lines_are_left_alone() -> None:
    start, stop = production(TWO, 5, "paint", 1)
    found = findings(TWO, 5, 3, (Intervention(What.UNIT_OFF, "carbon", start - 60, stop + 60),))
    assert [finding.rule for finding in found] == ["T1"]
    assert found[0].minute == pytest.approx((start - EPOCH) / MINUTE_S, abs=1)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_curb_is_kept_unless_it_is_breached(seed: int) -> None:
    start, stop = production(ONE, seed, "line1", 1)
    curb = Curb(int((start - EPOCH) // 60) + 60, int((stop - EPOCH) // 60) - 60, 0.5)
    announced = Intervention(What.CURB, "*", EPOCH + 60 * curb.begin, EPOCH + 60 * curb.end)
    breach = Intervention(What.CURB_BREACH, "*", announced.begin_at, announced.end_at)
    assert findings(ONE, seed, 3, (announced,), (curb,)) == []
    assert {finding.rule for finding in findings(ONE, seed, 3, (announced, breach), (curb,))} == {"T5"}


def test_production_at_night_of_a_closed_plant_is_a_breach_and_no_more() -> None:
    curb = Curb(DAY_MIN, 2 * DAY_MIN, 0.05)  # what stands still takes a little
    closed = Intervention(What.CURB, "*", EPOCH + 86400, EPOCH + 2 * 86400, share=0.0)
    at_night = Intervention(What.CURB_BREACH, "*", EPOCH + 86400 + 3600, EPOCH + 86400 + 4 * 3600)
    working = Intervention(What.LINE_ON, "line1", at_night.begin_at, at_night.end_at)
    assert findings(ONE, 1, 3, (closed,), (curb,)) == []
    found = findings(ONE, 1, 3, (closed, at_night, working), (curb,))
    assert [(finding.rule, finding.minute) for finding in found] == [("T5", DAY_MIN + 60)]


def test_stopping_the_line_breaks_no_rule() -> None:
    start, stop = production(ONE, 1, "line1", 1)
    assert findings(ONE, 1, 3, (Intervention(What.LINE_OFF, "*", start + 3600, stop),)) == []
