"""A run that was killed goes on: the same verdicts, the interruption on record, the device as it was found."""

from __future__ import annotations

import random
from functools import cache

import pytest

from conformance.evidence import Evidence
from conformance.live.settings import outstanding
from conformance.plan import Mode, Plan, make_plan
from conformance.verdicts import Verdict

from .benches import BenchClock, Fate, profile_with, run

PROFILE = profile_with(observe_s=4600.0)
PLAN = make_plan(PROFILE)
SHORTENED = make_plan(PROFILE, mode=Mode(shorten_s=60))
#: An undisturbed run takes about this long.
LENGTH_S = 7000.0


@cache
def whole(faults: tuple[str, ...] = ()) -> dict[str, Verdict]:
    return run(PLAN, PROFILE, faults=faults, clock=BenchClock()).verdicts(PROFILE, PLAN)


@pytest.mark.parametrize("seed", range(24))
def test_run_that_was_killed_ends_with_the_same_verdicts(seed: int) -> None:
    chance = random.Random(seed)
    until = LENGTH_S if seed % 2 else 400.0  # half of them among the operator's acts
    times = tuple(sorted(chance.uniform(0.0, until) for _ in range(1 + seed % 3)))
    ended = run(PLAN, PROFILE, clock=BenchClock(), fate=Fate(killed_at=times))
    assert ended.verdicts(PROFILE, PLAN) == whole()
    resumed = [e.attachment for e in ended.transcript if e.kind == "resumed"]
    assert len(resumed) == len(times)
    assert {r["after"] for r in resumed} == {"killed"}


@pytest.mark.parametrize(
    "fault", ["modbus-crc", "method-collapsed", "no-dismantle-alarm", "slow-timer", "endless-resend"]
)
@pytest.mark.parametrize("when", [45.0, 2500.0])
def test_defect_is_found_across_a_kill(fault: str, when: float) -> None:
    ended = run(PLAN, PROFILE, faults=(fault,), clock=BenchClock(), fate=Fate(killed_at=(when,)))
    assert ended.verdicts(PROFILE, PLAN) == whole((fault,))


def test_gap_is_a_disturbance_until_the_run_is_going_again() -> None:
    ended = run(PLAN, PROFILE, clock=BenchClock(), fate=Fate(killed_at=(2000.0,)))
    evidence = Evidence(ended.transcript, PROFILE)
    gaps = [d for d in evidence.disturbances if d.kind == "gap"]
    assert len(gaps) == 1
    assert gaps[0].begin <= 2000.0 <= gaps[0].end
    assert evidence.disturbed(1999.0, 2001.0)
    assert not evidence.disturbed(100.0, 200.0)


class TestDeviceIsLeftAsFound:
    def settings(self, fate: Fate | None = None) -> tuple[float, dict[str, str], list[str]]:
        ended = run(SHORTENED, PROFILE, clock=BenchClock(), fate=fate)
        phases = [e.attachment["phase"] for e in ended.transcript if e.kind == "setting"]
        return ended.door.interval_s, outstanding(ended.transcript), phases

    def test_after_a_run(self) -> None:
        assert self.settings() == (900.0, {}, ["read", "set", "restored"])

    @pytest.mark.parametrize("when", [1200.0, 1300.0, 1400.0])
    def test_after_ctrl_c(self, when: float) -> None:
        interval, left, phases = self.settings(Fate(interrupted_at=when))
        assert (interval, left) == (900.0, {})
        assert phases == ["read", "set", "restored"]

    @pytest.mark.parametrize("when", [1200.0, 1300.0, 1400.0, 1500.0])
    def test_after_a_kill_and_resume(self, when: float) -> None:
        interval, left, phases = self.settings(Fate(killed_at=(when,)))
        assert (interval, left) == (900.0, {})
        assert phases[-1] == "restored"

    def test_what_cannot_be_put_back_is_named(self) -> None:
        from simulator.behaviour import Behaviour

        deaf = Behaviour()
        late = Fate(at=[(1300.0, lambda: setattr(deaf, "ignored_requests", frozenset({"1062", "1061"})))])
        ended = run(SHORTENED, PROFILE, clock=BenchClock(), fate=late, behaviour=deaf)
        assert outstanding(ended.transcript) == {"RtdInterval": "900"}
        assert [e.attachment["phase"] for e in ended.transcript if e.kind == "setting"] == ["read", "set", "lost"]


def test_shortened_timer_shows_the_mechanism_and_not_the_value() -> None:
    ended = run(SHORTENED, PROFILE, clock=BenchClock())
    from conformance.judge import judge

    results = {r.case: r for r in judge(ended.transcript, PROFILE, SHORTENED)}
    step = results["access/report/data-time-step"]
    assert (step.verdict, step.time_mode) == (Verdict.INCONCLUSIVE, "device-configured")
    assert "60 s" in str(step.outcome.actual)
    assert "900 s were not waited for" in str(step.outcome.actual)
    assert not any(r.verdict in (Verdict.FAIL, Verdict.WARN) for r in results.values())


def test_device_that_does_not_take_the_short_interval_is_observed_at_its_own() -> None:
    from simulator.behaviour import Behaviour

    stubborn = Behaviour(ignored_requests=frozenset({"1061"}))
    ended = run(SHORTENED, PROFILE, clock=BenchClock(), behaviour=stubborn)
    assert ended.verdicts(PROFILE, SHORTENED)["access/report/data-time-step"] is Verdict.PASS


def test_profile_with_another_interval_is_not_the_rule_on_a_real_clock() -> None:
    profile = profile_with(report_interval_s=300.0, observe_s=2000.0)
    plan = make_plan(profile, ("access/report/data-time-step",))
    from simulator.behaviour import Behaviour

    quick = Behaviour(interval_s=lambda interval, index: 300.0)
    ended = run(plan, profile, clock=BenchClock(), behaviour=quick)
    assert ended.verdicts(profile, plan)["access/report/data-time-step"] is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("fault", ["report-inverts-door", "report-stuck-fault", "hj212-2017-door-state"])
@pytest.mark.parametrize("killed_at", [(), (60.0,)])
@pytest.mark.parametrize("plan", [PLAN, SHORTENED], ids=["plain", "shortened"])
def test_report_that_contradicts_the_changes_is_never_the_truth(
    fault: str, killed_at: tuple[float, ...], plan: Plan
) -> None:
    ended = run(plan, PROFILE, faults=(fault,), clock=BenchClock(), fate=Fate(killed_at=killed_at))
    assert ended.verdicts(PROFILE, plan)["access/report/true-state"] is not Verdict.PASS


def test_shortened_observation_leaves_a_late_report_the_time_to_come() -> None:
    ended = run(SHORTENED, PROFILE, faults=("late-upload",), clock=BenchClock())
    assert ended.verdicts(PROFILE, SHORTENED)["access/report/latency"] is Verdict.FAIL
