"""The matrix is sound, and it is the judgements that make it so: each one taken out turns it red."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from conformance.case import CASES, SPEAKS, Case
from conformance.evidence import Evidence
from conformance.judge import judge
from conformance.plan import make_plan
from conformance.selftest import MUTANTS, Matrix, kills, selftest
from conformance.verdicts import Verdict, failed, passed, say
from stationgate.exits import ExitCode

from .conftest import demo_run, recording

UNMET = {Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PENDING, Verdict.ERROR}
#: The judgement gone, or no longer looking.
BLIND: dict[str, Callable[[Evidence], Any]] = {
    "gone": lambda evidence: None,
    "always-passes": lambda evidence: passed(say("-"), say("-")),
    "always-fails": lambda evidence: failed(say("-"), say("-")),
}


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    began = time.monotonic()
    table = selftest()
    assert time.monotonic() - began < 60
    return table


def test_matrix_is_sound(matrix: Matrix) -> None:
    assert matrix.unexpected == []
    assert matrix.survivors == []
    assert {case: verdict for case, verdict in matrix.reference.items() if verdict is not Verdict.PASS} == {}
    assert matrix.sound
    assert set(matrix.assertions) == matrix.killed == set(CASES)
    assert len(matrix.assertions) >= 52


def test_every_fault_is_a_mutant_and_twenty_of_them_fail(matrix: Matrix) -> None:
    assert [row.fault.name for row in matrix.rows] == list(MUTANTS)
    assert sum(row.fault.expected == Verdict.FAIL for row in matrix.rows) >= 20
    assert {name for case in CASES.values() for name in case.killed_by} == set(MUTANTS)


def test_unmet_precondition_leaves_dependants_inconclusive(matrix: Matrix) -> None:
    seen = 0
    for row in matrix.rows:
        for case, verdict in row.verdicts.items():
            if any(row.verdicts[need] in UNMET for need in CASES[case].needs):
                seen += 1
                assert verdict is Verdict.INCONCLUSIVE, (row.fault.name, case)
    assert seen > len(CASES)


def test_device_that_cannot_be_read_leaves_all_else_inconclusive() -> None:
    profile, plan = demo_run()
    results = {r.case: r for r in judge(recording("not-hj212"), profile, plan)}
    assert results.pop(SPEAKS).verdict is Verdict.FAIL
    assert {r.verdict for r in results.values()} == {Verdict.INCONCLUSIVE}
    shown = results["access/framing/crc"].outcome
    assert str(shown.actual) == f"depends on {SPEAKS}, which is FAIL"
    assert str(shown.hint) == "settle that one first"


@cache
def _recorded(case: str) -> dict[str, dict[str, Verdict]]:
    """The verdicts of one case and its preconditions, for the reference device and each of its mutants."""
    return _judged(CASES[case])


def _judged(case: Case) -> dict[str, dict[str, Verdict]]:
    profile, _plan = demo_run()
    plan = make_plan(profile, [case.id])
    return {
        fault: {r.case: r.verdict for r in judge(recording(*filter(None, [fault])), profile, plan)}
        for fault in ("", *case.killed_by)
    }


def _sound(case: Case, verdicts: dict[str, dict[str, Verdict]]) -> bool:
    clean = verdicts[""][case.id] is Verdict.PASS
    return clean and all(kills(MUTANTS[name], case.id, verdicts[name]) for name in case.killed_by)


@pytest.mark.parametrize("case", CASES.values(), ids=lambda case: case.id)
def test_judgement_taken_out_turns_the_matrix_red(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    assert _sound(case, _recorded(case.id))
    for name, blind in BLIND.items():
        monkeypatch.setitem(CASES, case.id, replace(case, judge=blind))
        assert not _sound(case, _judged(case)), name


def test_judgement_taken_out_makes_the_command_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from conformance import selftest as module
    from conformance.__main__ import main

    case = CASES["access/framing/crc"]
    names = ("modbus-crc", "swapped-crc", "lower-case-crc")
    monkeypatch.setattr(module, "MUTANTS", {name: MUTANTS[name] for name in names})
    monkeypatch.setattr(module, "rehearse", lambda plan, profile, faults, *, sockets: recording(*faults))
    monkeypatch.setitem(CASES, case.id, replace(case, judge=BLIND["gone"]))
    monkeypatch.setattr("sys.argv", ["conformance", "selftest", "--json", "--lang", "en"])
    assert main() == ExitCode.FAIL
    out, err = capsys.readouterr()
    end = json.loads(out.splitlines()[-1])
    assert end["event"] == "matrix-end"
    assert end["reference_clean"] is False
    assert "the reference device gets ERROR for access/framing/crc" in err
