"""What happens to the bench itself never fails a device: its clock is set, it sleeps, it stands still, it is killed."""

from __future__ import annotations

import pytest

from conformance.evidence import Evidence
from conformance.live.clock import Discipline, parse_chrony, parse_w32tm
from conformance.plan import make_plan
from conformance.verdicts import Verdict

from .benches import BenchClock, Fate, profile_with, run, stand_still

#: A morning of reports.
PROFILE = profile_with(observe_s=6000.0)
PLAN = make_plan(PROFILE)
BAD = (Verdict.FAIL, Verdict.WARN, Verdict.ERROR)


def bad(verdicts: dict[str, Verdict]) -> dict[str, Verdict]:
    return {case: verdict for case, verdict in verdicts.items() if verdict in BAD}


def test_undisturbed_run_on_a_watched_clock_passes_everything() -> None:
    clock = BenchClock()
    verdicts = run(PLAN, PROFILE, clock=clock).verdicts(PROFILE, PLAN)
    assert set(verdicts.values()) <= {Verdict.PASS, Verdict.NOT_APPLICABLE}


def test_device_clock_200_s_off_fails_for_that_and_nothing_else() -> None:
    from simulator.behaviour import Behaviour

    verdicts = run(PLAN, PROFILE, clock=BenchClock(), behaviour=Behaviour(clock_error_s=200.0)).verdicts(PROFILE, PLAN)
    assert bad(verdicts) == {"access/clock/offset": Verdict.FAIL}
    assert verdicts["access/report/latency"] is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("seconds", [60.0, -60.0])
@pytest.mark.parametrize("when", [30.0, 400.0, 4000.0])
def test_bench_clock_that_is_set_leaves_absolute_time_open(seconds: float, when: float) -> None:
    clock = BenchClock()

    def step() -> None:
        clock.set_by = seconds

    ended = run(PLAN, PROFILE, clock=clock, fate=Fate(at=[(when, step)]))
    verdicts = ended.verdicts(PROFILE, PLAN)
    assert bad(verdicts) == {}
    assert verdicts["access/clock/offset"] is Verdict.INCONCLUSIVE
    assert verdicts["access/report/data-time-step"] is Verdict.PASS
    steps = [e.attachment for e in ended.transcript if e.kind == "clock" and e.attachment["event"] == "step"]
    assert [round(step["seconds"]) for step in steps] == [round(seconds)]


@pytest.mark.parametrize("known", [False, None])
def test_clock_that_nothing_keeps_right_proves_nothing(known: bool | None) -> None:
    doubtful = Discipline(known, "test")
    verdicts = run(PLAN, PROFILE, clock=BenchClock(), faults=("clock-90s-fast",), discipline=doubtful).verdicts(
        PROFILE, PLAN
    )
    assert verdicts["access/clock/offset"] is Verdict.INCONCLUSIVE
    assert bad(verdicts) == {}


def test_clock_that_the_tester_vouches_for_counts() -> None:
    from dataclasses import replace

    vouched = replace(PROFILE, test={"clock_reference": "GPS clock, compared 09:00"})
    ended = run(PLAN, vouched, clock=BenchClock(), faults=("clock-90s-fast",), discipline=Discipline(None, "unknown"))
    assert ended.verdicts(vouched, PLAN)["access/clock/offset"] is Verdict.FAIL


@pytest.mark.parametrize("when", [12.0, 61.5, 130.0, 230.0, 1500.0, 2950.0, 4700.0])
@pytest.mark.parametrize("seconds", [45.0, 1200.0])
def test_bench_that_stood_still_never_fails_the_device(when: float, seconds: float) -> None:
    fate = Fate(at=[(when, lambda: stand_still(seconds))])
    ended = run(PLAN, PROFILE, clock=BenchClock(), fate=fate)
    assert bad(ended.verdicts(PROFILE, PLAN)) == {}
    found = Evidence(ended.transcript, PROFILE).disturbances
    assert [d.kind for d in found] == ["stall"]
    assert abs(found[0].seconds - seconds) < 2.0


@pytest.mark.parametrize("when", [100.0, 2000.0, 5000.0])
def test_computer_that_slept_never_fails_the_device(when: float) -> None:
    clock = BenchClock()
    ended = run(PLAN, PROFILE, clock=clock, fate=Fate(at=[(when, lambda: clock.sleep(7200.0))]))
    assert bad(ended.verdicts(PROFILE, PLAN)) == {}
    evidence = Evidence(ended.transcript, PROFILE)
    assert [d.kind for d in evidence.disturbances] == ["suspend"]
    last = ended.transcript[-1]
    assert evidence.wall(last.t_mono) == pytest.approx(last.t_wall, abs=0.01)


def test_what_chrony_says() -> None:
    line = "C0A80101,ntp1,3,1763900000.1,0.000012,-0.00001,0.00002,1.2,0.0,0.1,0.040,0.010,64.2,Normal"
    found = parse_chrony(line)
    assert (found.synchronised, found.source) == (True, "chrony")
    assert found.uncertainty_s == pytest.approx(0.03)
    assert parse_chrony(line.replace("Normal", "Not synchronised")).synchronised is False
    assert parse_chrony("506 Cannot talk to daemon").synchronised is None


@pytest.mark.parametrize("words", [("Leap Indicator", "no warning"), ("Leap 指示符", "无警告")])
def test_what_windows_says_in_any_language(words: tuple[str, str]) -> None:
    lines = [
        f"{words[0]}: 0({words[1]})",
        "Stratum: 3",
        "Precision: -23",
        "Root Delay: 0.0312500s",
        "Dispersion: 0.25s",
    ]
    text = "\r\n".join(lines)
    found = parse_w32tm(text)
    assert (found.synchronised, found.uncertainty_s) == (True, pytest.approx(0.265625))
    assert parse_w32tm(text.replace("0(", "3(")).synchronised is False
    assert parse_w32tm("The service has not been started.").synchronised is None
