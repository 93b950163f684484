"""No false alarm: devices that are right in their own way pass, as far as they can be judged at all."""

from __future__ import annotations

import pytest

from conformance.evidence import Evidence
from conformance.judge import judge
from conformance.verdicts import Verdict, exit_code

from .devices import SHORT, SITES, Site, SlowOperator, Visitor, visit, visited


@pytest.mark.parametrize("name", SITES)
def test_correct_device_passes(name: str) -> None:
    transcript, profile, plan = visited(name)
    may = (SHORT if plan.left_out else {}) | SITES[name].may
    others = {
        result.case: (result.verdict, str(result.outcome.actual))
        for result in judge(transcript, profile, plan)
        if result.verdict not in (Verdict.PASS, may.get(result.case))
    }
    assert others == {}


@pytest.mark.parametrize("name", SITES)
def test_correct_device_never_fails_the_run(name: str) -> None:
    transcript, profile, plan = visited(name)
    assert exit_code(judge(transcript, profile, plan)) in (0, 3)


@pytest.mark.parametrize("name", [name for name in SITES if name.startswith("opened-by-another")])
def test_opening_by_somebody_else_is_listed_and_nobody_elses_is(name: str) -> None:
    transcript, profile, _plan = visited(name)
    evidence = Evidence(transcript, profile)
    begin, end = evidence.steps["openings"].begin, evidence.steps["openings"].end
    assert end is not None
    outside = [h for h in evidence.outside_openings if begin <= h.t <= end]
    assert len(outside) >= 5
    assert {heard.codes["i32005"] for heard in outside} == {"NX000099"}
    openings = [o for o in evidence.openings if o.act.method != "exit-button"]
    assert [len(o.records) for o in openings] == [1] * len(openings)
    assert "NX000099" not in {code for o in openings for code in o.values("i32005")}


def test_opening_without_a_record_is_listed_too() -> None:
    transcript, profile, _plan = visited("left-by-exit-button-between-acts")
    outside = Evidence(transcript, profile).outside_openings
    assert len(outside) >= 6
    assert {heard.codes.get("i32005") for heard in outside} == {None}
    assert {heard.codes["i32001"] for heard in outside} == {"1"}


@pytest.mark.parametrize("name", ["reference", "slow-operator", "late-records", "late-changes", "falls-shut-by-itself"])
def test_nothing_is_outside_where_only_the_operator_acts(name: str) -> None:
    transcript, profile, _plan = visited(name)
    assert Evidence(transcript, profile).outside_openings == []


@pytest.mark.parametrize(
    ("behaviour", "case"),
    [
        ({"method_code": lambda opening, device: "1"}, "access/opening/method-matches-act"),
        ({"person_code": lambda opening, device: "NX000012"}, "access/opening/person-code-stable"),
        # Nobody can tell that the only record in a window is not the act's: its method is wrong then.
        ({"records": lambda opening: int(opening.person == "NX000099")}, "access/opening/method-matches-act"),
        ({"records": lambda opening: 2}, "access/opening/one-record-each"),
    ],
)
def test_defect_is_found_among_openings_by_somebody_else(behaviour: dict[str, object], case: str) -> None:
    transcript, profile, plan = visit(Site(operator=SlowOperator, beside=Visitor, behaviour=behaviour))
    verdicts = {result.case: result.verdict for result in judge(transcript, profile, plan)}
    assert verdicts[case] in (Verdict.FAIL, Verdict.WARN)
