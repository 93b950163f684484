"""Exit codes: the first that applies of 1, 4, 3, 0, whatever the order of the verdicts."""

from __future__ import annotations

from itertools import permutations

import pytest

from conformance.verdicts import CaseResult, Outcome, Verdict, exit_code, say

PASS, WARN, FAIL = Verdict.PASS, Verdict.WARN, Verdict.FAIL
OPEN, PENDING, ERROR, OUT = Verdict.INCONCLUSIVE, Verdict.PENDING, Verdict.ERROR, Verdict.NOT_APPLICABLE


def results(*verdicts: Verdict) -> list[CaseResult]:
    outcomes = (Outcome(verdict, say("-"), say("-")) for verdict in verdicts)
    return [CaseResult(f"case/{i}", "REQ", "1", "shall", outcome, "real") for i, outcome in enumerate(outcomes)]


@pytest.mark.parametrize(
    ("verdicts", "code", "strict"),
    [
        ((), 0, 0),
        ((PASS,), 0, 0),
        ((OUT,), 0, 0),
        ((PASS, OUT), 0, 0),
        ((WARN,), 0, 1),
        ((PASS, WARN, OUT), 0, 1),
        ((OPEN,), 3, 3),
        ((PENDING,), 3, 3),
        ((PASS, OPEN, PENDING), 3, 3),
        ((WARN, OPEN), 3, 1),
        ((ERROR,), 4, 4),
        ((ERROR, OPEN, PENDING), 4, 4),
        ((ERROR, WARN), 4, 1),
        ((FAIL,), 1, 1),
        ((FAIL, ERROR, OPEN), 1, 1),
        ((FAIL, ERROR, OPEN, PENDING, WARN, OUT, PASS), 1, 1),
    ],
)
def test_exit_code_is_the_first_that_applies(verdicts: tuple[Verdict, ...], code: int, strict: int) -> None:
    for order in list(permutations(verdicts))[:24]:
        assert exit_code(results(*order)) == code
        assert exit_code(results(*order), strict=True) == strict


def test_conclusive_verdicts() -> None:
    assert {verdict for verdict in Verdict if verdict.conclusive} == {PASS, WARN, FAIL, OUT}
