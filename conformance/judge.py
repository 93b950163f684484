"""Verdicts from a transcript: a pure function of what was recorded and what is declared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .case import CASES, Case
from .catalogue import case_text
from .evidence import Evidence
from .plan import Plan
from .profile import Profile
from .transcript import Transcript
from .verdicts import Bilingual, CaseResult, Outcome, Said, Verdict, say

__all__ = ["judge"]

_UNMET = frozenset({Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PENDING, Verdict.ERROR})


#: Why a step did not take place, by what the transcript says of it.
_WHY = {
    "aborted": say("the run ended before it"),
    "": say("the run was interrupted"),
    "declined": say("the operator could not do it"),
    "passive": say("the run was passive"),
    "forward": say("the run relayed to a platform and steered nothing"),
    "no device": say("no device reported"),
    "transcript full": say("the record is full"),
    "garbage": say("nothing but unreadable bytes came"),
}


def judge(transcript: Transcript, profile: Profile, plan: Plan) -> list[CaseResult]:
    """Judge every case of the plan; nothing but the arguments enters into it."""
    evidence = Evidence(transcript, profile)
    mode = "virtual" if transcript.clock == "virtual" else "real"
    shortened = "device-configured" if evidence.shortened else mode
    outcomes: dict[str, Outcome] = {}

    def settle(id: str) -> Outcome:
        if id not in outcomes:
            outcomes[id] = _outcome(CASES[id], plan, evidence, {need: settle(need) for need in CASES[id].needs})
        return outcomes[id]

    results = []
    for case in plan.cases:
        text = case_text(case.id)
        time_mode = shortened if "observe" in case.uses else mode
        results.append(CaseResult(case.id, text.requirement_label, text.clause, text.level, settle(case.id), time_mode))
    return results


def _outcome(case: Case, plan: Plan, evidence: Evidence, needs: dict[str, Outcome]) -> Outcome:
    text = case_text(case.id)
    expected = Bilingual(text.zh, text.en)
    if case.id in plan.left_out:
        return Outcome(Verdict.NOT_APPLICABLE, expected, plan.left_out[case.id])
    undone = _undone_step(case, evidence)
    if undone and undone.verdict is Verdict.PENDING:
        return replace(undone, expected=expected)
    for id, outcome in needs.items():
        if outcome.verdict in _UNMET:
            why = say("depends on {case}, which is {verdict}", case=id, verdict=say(outcome.verdict.value))
            return Outcome(Verdict.INCONCLUSIVE, expected, why, hint=say("settle that one first"))
    if undone:
        return replace(undone, expected=expected)
    try:
        found: object = case.judge(evidence)
    except Exception as error:
        return Outcome(
            Verdict.ERROR,
            expected,
            say("the judgement itself failed: {error}", error=f"{type(error).__name__}: {error}"),
        )
    if not isinstance(found, Outcome):
        return Outcome(Verdict.ERROR, expected, say("the judgement gave no verdict"))
    if found.verdict in (Verdict.FAIL, Verdict.WARN):
        found = replace(found, suite_default=evidence.limits.from_suite(*case.limits))
    return found


def _awaited(step: str, detail: dict[str, Any]) -> Said:
    if detail.get("reason") == "rig failed":
        return say("waits for the operator: {step}; the rig failed: {why}", step=step, why=detail.get("why", ""))
    return say("waits for the operator: {step}", step=step)


def _undone_step(case: Case, evidence: Evidence) -> Outcome | None:
    """Return what a step that did not happen makes of a case that rests on it."""
    nothing = say("-")
    for step in case.uses[1:]:  # the first, connect, is what link/speaks judges
        record = evidence.steps.get(step)
        result = record.result if record else "aborted"
        if result == "pending":
            return Outcome(Verdict.PENDING, nothing, _awaited(step, record.detail if record else {}))
        if result in ("aborted", "declined", "skipped", ""):
            why = _WHY.get(record.detail.get("reason", result) if record else result, _WHY["aborted"])
            return Outcome(
                Verdict.INCONCLUSIVE, nothing, say("step {step} did not take place: {why}", step=step, why=why)
            )
    return None
