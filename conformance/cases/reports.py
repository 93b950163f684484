"""The timed report: REQ-A-08 and REQ-A-09."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise, zip_longest
from statistics import median

from ..case import Findings, case
from ..evidence import ACT_STATES, Evidence, Heard
from ..profile import Profile, limit_table
from ..verdicts import Outcome, Said, Verdict, inconclusive, say

STEP = "access/report/data-time-step"


def _intervals(e: Evidence) -> list[tuple[Heard, Heard]]:
    """Return consecutive timed reports whose times can be read.

    Frames of one DataTime are one report. What a device reports on connecting, out of its turn, is not of the series.
    """
    reports: list[Heard] = []
    for heard in e.periodic:
        if heard.data_time is not None and (not reports or heard.data_time != reports[-1].data_time):
            reports.append(heard)
    kept: list[Heard] = []
    for heard, after in zip_longest(reports, reports[1:]):
        if after is None or not _greets(e, heard, kept[-1] if kept else None, after):
            kept.append(heard)
    # What spans a disturbance of the bench says nothing of the device: it may have reported to nobody.
    return [(a, b) for a, b in pairwise(kept) if not e.disturbed(a.t, b.t)]


def _greets(e: Evidence, heard: Heard, before: Heard | None, after: Heard) -> bool:
    """Whether a report was sent because the link was new: the next is on time without it."""
    limits = e.limits
    short: bool = after.t - heard.t < limits.report_interval_s - limits.step_pass_s
    if before is None:
        return short
    new_link = before.link != heard.link == after.link
    on_time: bool = abs(after.t - before.t - limits.report_interval_s) <= limits.step_pass_s
    return short and new_link and on_time


def _split(e: Evidence) -> tuple[list[tuple[Heard, Heard]], list[tuple[Heard, Heard]]]:
    """Split the intervals: those the timer made, and those that an event between two reports started over.

    In the latter the second report comes one interval after the event, and not as long after the first as it does
    where nothing happens.
    """
    limits = e.limits
    intervals = _intervals(e)
    if not intervals:
        return [], []
    events = _events(e)
    between = {id(a): events[bisect_right(events, a.t) : bisect_left(events, b.t)] for a, b in intervals}
    free = [b.t - a.t for a, b in intervals if not between[id(a)]]
    known = {limits.report_interval_s, median(free) if free else limits.report_interval_s}
    timed: list[tuple[Heard, Heard]] = []
    restarted: list[tuple[Heard, Heard]] = []
    for before, after in intervals:
        span = after.t - before.t
        plain = any(abs(span - interval) <= limits.step_pass_s for interval in known)
        from_act = (after.t - end - limits.report_interval_s for end in between[id(before)])
        fits = not plain and any(abs(off) <= limits.step_pass_s for off in from_act)
        (restarted if fits else timed).append((before, after))
    return timed, restarted


def _events(e: Evidence) -> list[float]:
    """Return when something happened at the door, in order: what the operator did, and what the device told of."""
    reports = {id(heard) for heard in e.periodic}
    acts = [a.end for a in e.acts if a.done and a.act in ACT_STATES]
    return sorted(acts + [heard.t for heard in e.door_data if id(heard) not in reports])


def _of_the_value(e: Evidence, outcome: Outcome) -> Outcome:
    """Return the outcome as far as it is one on the interval that the requirement names.

    What was seen at another interval shows how the timer works. That a device reports every 900 s is only seen by
    waiting 900 s; on a virtual clock they pass as well.
    """
    limit = e.limits["report_interval_s"]
    if limit.origin == "clause" or (e.transcript.clock == "virtual" and not e.shortened):
        return outcome
    required = limit_table()["report_interval_s"].value
    if outcome.verdict is Verdict.INCONCLUSIVE:
        return outcome
    return inconclusive(
        outcome.expected,
        say(
            "shown with the timer at {interval} s: {what}; {required} s were not waited for",
            interval=f"{limit.value:g}",
            what=outcome.actual,
            required=required,
        ),
        say("run without a shortened timer to judge the value itself"),
    )


def _too_few(e: Evidence, expected: Said, count: int) -> Outcome | None:
    wanted = e.limits.min_intervals
    if count >= wanted:
        return None
    return inconclusive(
        expected,
        say("{count} intervals seen, {wanted} are needed", count=count, wanted=wanted),
        say("observe for longer: [limits] observe_s"),
    )


@case(
    STEP,
    uses=("observe",),
    killed_by=("half-hour-report", "slow-timer", "skipped-report"),
    limits=("report_interval_s", "step_pass_s", "step_warn_s", "min_intervals"),
)
def data_time_steps_by_the_interval(e: Evidence) -> Outcome:
    limits = e.limits
    expected = say(
        "DataTime steps of {interval} s ± {limit} s", interval=limits.report_interval_s, limit=limits.step_pass_s
    )
    intervals, _restarted = _split(e)
    findings = Findings()
    for before, after in intervals:
        findings.looked()
        assert before.data_time is not None
        assert after.data_time is not None
        step = after.data_time - before.data_time
        off = abs(step - limits.report_interval_s)
        said = say("step of {step} s", step=f"{step:.0f}")
        if off > limits.step_warn_s:
            findings.fail(said, before.where("DataTime") + after.where("DataTime"))
        elif off > limits.step_pass_s:
            findings.warn(said, before.where("DataTime") + after.where("DataTime"))
    few = None if findings.any else _too_few(e, expected, len(intervals))
    return _of_the_value(e, few or findings.outcome(expected, say("{count} intervals", count=findings.looked_at)))


@case(
    "access/report/arrival-step",
    uses=("observe",),
    killed_by=("half-hour-report", "skipped-report"),
    limits=("report_interval_s", "arrival_pass_s", "arrival_warn_s", "min_intervals"),
)
def reports_arrive_by_the_interval(e: Evidence) -> Outcome:
    limits = e.limits
    expected = say(
        "reports arrive every {interval} s ± {limit} s", interval=limits.report_interval_s, limit=limits.arrival_pass_s
    )
    intervals, restarted = _split(e)
    findings = Findings()
    for before, after in intervals:
        findings.looked()
        step = after.t - before.t
        off = step - limits.report_interval_s
        said = say("{step} s between two reports", step=f"{step:.0f}")
        if off > limits.arrival_warn_s:
            findings.fail(said, before.refs + after.refs, say("a report was late or missed"))
        elif abs(off) > limits.arrival_pass_s:
            findings.warn(said, before.refs + after.refs)
    observed_to = min(e.disturbed_from, e.steps["observe"].end or 0.0)
    since = [e.periodic[-1].t if e.periodic else e.steps["observe"].begin]
    since += [event for event in _events(e) if restarted and event <= observed_to]
    silent = observed_to - max(since)
    if silent > limits.report_interval_s + limits.arrival_warn_s and not e.disturbed(max(since), observed_to):
        findings.looked()
        findings.fail(say("no report for {silent} s", silent=f"{silent:.0f}"))
    few = None if findings.any else _too_few(e, expected, len(intervals))
    return _of_the_value(e, few or findings.outcome(expected, say("{count} intervals", count=findings.looked_at)))


@case(
    "access/report/undisturbed-by-events",
    uses=("observe", "openings"),
    killed_by=("event-restarts-timer",),
    limits=("report_interval_s",),
)
def events_leave_the_timer_alone(e: Evidence) -> Outcome:
    findings = Findings()
    acts = [a.end for a in e.acts if a.done and a.act in ACT_STATES]
    timed, restarted = _split(e)
    for before, after in timed:
        if any(before.t < end < after.t for end in acts):
            findings.looked()
    for before, after in restarted:
        findings.looked()
        findings.warn(
            say("the interval began anew with a change of state"),
            before.refs + after.refs,
            say("whether an event may restart the timer is not fixed: ask the authority"),
        )
    return findings.outcome(
        say("events neither reset nor replace the timed report"),
        say("{count} intervals with events", count=findings.looked_at),
    )


def _observed_too_short(profile: Profile) -> Said | None:
    limits = profile.limits
    if limits.observe_s >= limits.drift_window_s:
        return None
    return say("[limits] observe_s is less than {window} s", window=limits.drift_window_s)


def _undisturbed_run(intervals: list[tuple[Heard, Heard]]) -> list[tuple[Heard, Heard]]:
    """Return the last intervals that follow on one another without a gap."""
    start = len(intervals) - 1
    while start > 0 and intervals[start - 1][1] is intervals[start][0]:
        start -= 1
    return intervals[max(start, 0) :]


@case(
    "access/report/drift",
    uses=("observe",),
    needs=(STEP,),
    killed_by=("drifting-timer", "slow-timer"),
    limits=("drift_s", "drift_window_s"),
    applies=_observed_too_short,
)
def timer_does_not_drift(e: Evidence) -> Outcome:
    limits = e.limits
    expected = say("at most {limit} s in {window} s", limit=limits.drift_s, window=limits.drift_window_s)
    timed = _undisturbed_run(_split(e)[0])
    first, last = (timed[0][0], timed[-1][1]) if timed else (None, None)
    if first is None or last is None or last.t - first.t < limits.drift_window_s - limits.report_interval_s:
        return inconclusive(expected, say("the reports do not span the window"))
    steps = [(after.data_time or 0.0) - (before.data_time or 0.0) for before, after in timed]
    error = sum(steps) - len(steps) * limits.report_interval_s
    said = say("{error} s in {count} intervals", error=f"{error:+.0f}", count=len(steps))
    findings = Findings()
    findings.looked()
    if abs(error) > limits.drift_s:
        findings.warn(said, first.where("DataTime") + last.where("DataTime"))
    return findings.outcome(expected, said)


@case(
    "access/report/latency",
    uses=("clock",),
    needs=("access/clock/offset", "access/header/data-time"),
    killed_by=("late-upload", "slow-upload"),
    limits=("latency_fail_s", "latency_warn_s", "future_s"),
)
def data_arrives_in_time(e: Evidence) -> Outcome:
    limits = e.limits
    findings = Findings()
    worst = 0.0
    for heard in e.door_data:
        if heard.data_time is None or heard.t >= e.disturbed_from or e.is_backlog(heard):
            continue
        findings.looked()
        latency = e.wall(heard.t) - e.suite_time(heard.data_time)
        if e.disturbed(heard.t - max(latency, 0.0), heard.t):
            continue  # it may have waited for the bench
        worst = max(worst, latency)
        said = say("{latency} s after DataTime", latency=f"{latency:.0f}")
        if latency - e.clock_uncertainty > limits.latency_fail_s:
            findings.fail(said, heard.where("DataTime"))
        elif latency + e.clock_uncertainty < -limits.future_s:
            findings.fail(say("DataTime {ahead} s in the future", ahead=f"{-latency:.0f}"), heard.where("DataTime"))
        elif latency - e.clock_uncertainty > limits.latency_warn_s:
            findings.warn(said, heard.where("DataTime"))
    good = say("{count} frames, the slowest after {worst} s", count=findings.looked_at, worst=f"{worst:.1f}")
    return findings.outcome(say("at the platform within {limit} s", limit=limits.latency_fail_s), good)
