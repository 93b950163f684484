"""No false alarm: devices that are right in their own way pass, as far as they can be judged at all."""

from __future__ import annotations

import pytest

from conformance.judge import judge
from conformance.verdicts import Verdict, exit_code

from .devices import SHORT, SITES, visited


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
