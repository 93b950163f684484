"""State changes and alarms: REQ-A-03, -04, -05."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import dropwhile, takewhile

from ..case import Findings, case
from ..evidence import ACT_STATES, STATES, ActRecord, Evidence, Heard
from ..verdicts import Outcome, Ref, Said, inconclusive, say


def _acts(e: Evidence, *names: str) -> list[ActRecord]:
    return [a for a in e.acts if a.act in names and a.done and a.step not in ("outage", "reboot")]


def _time_for(act: ActRecord, within_s: float) -> tuple[float, float]:
    """Return the time in which an act had to be reported."""
    return act.begin, act.end + within_s


def _shown(e: Evidence, act: ActRecord, within_s: float) -> Heard | None:
    """Return the first frame that shows the state an act made: in time, and before the state was changed again.

    A door may have fallen shut before anybody was asked to close it.
    """
    code, value = ACT_STATES[act.act]
    following = min((a.seq for a in e.acts if a.seq > act.seq and a.act in ACT_STATES), default=len(e.transcript))
    earlier = [a for a in e.acts if a.seq < act.seq and a.act == "open"][-1:] if act.act == "close" else []
    opened = _shown(e, earlier[0], within_s) if earlier else None
    begin = opened.seq if opened else act.seq
    told = [h for h in e.door_data if begin < h.seq < following and h.t <= act.end + within_s and code in h.codes]
    if act.attempt > 1:  # it was put back before it was done once more: what was told before that is of no account
        told = list(dropwhile(lambda heard: heard.codes[code] == value, told)) or told
    return next((heard for heard in told if heard.codes[code] == value), None)


@case(
    "access/state/change-reported",
    uses=("openings",),
    killed_by=("inverted-door", "constant-door", "never-closed", "no-change-report", "duplicate-change"),
    limits=("event_s",),
)
def both_changes_reported(e: Evidence) -> Outcome:
    findings = Findings(e)
    refs: list[Ref] = []
    for act in _acts(e, "open", "close"):
        findings.looked()
        heard = _shown(e, act, e.limits.event_s)
        if heard is None:
            what = say("opening not reported") if act.act == "open" else say("closing not reported")
            findings.fail(what, hint=_door_mistake(e), span=_time_for(act, e.limits.event_s))
            continue
        refs.extend(heard.where("i32001"))
        later = _until_next_change(e.door_data[e.door_data.index(heard) + 1 :], heard)
        again = [h for h in later if h.t <= heard.t + e.limits.event_target_s and h.codes == heard.codes]
        if again and id(again[0]) not in {id(h) for h in e.periodic}:
            findings.warn(say("the same change reported twice"), again[0].refs)
    expected = say("i32001=1 when the door opens and 0 when it closes, within {limit} s each", limit=e.limits.event_s)
    return findings.outcome(expected, say("{count} changes", count=findings.looked_at), tuple(refs[:8]))


def _until_next_change(following: list[Heard], change: Heard) -> Iterator[Heard]:
    """Return what follows a change of the door up to the next one: it may be opened once more at once."""
    value = change.codes["i32001"]
    return takewhile(lambda heard: heard.codes.get("i32001", value) == value, following)


def _door_mistake(e: Evidence) -> Said | None:
    values = {h.codes["i32001"] for h in e.door_data if "i32001" in h.codes}
    if len(values) == 1:
        return say("i32001 is {value} in every frame", value=next(iter(values)))
    before = [h for h in e.states if e.acts and h.seq < e.acts[0].seq and "i32001" in h.codes]
    if before and before[0].codes["i32001"] == "1":
        return say("1 before the door was opened: open and closed may be exchanged")
    return None


def _alarm(e: Evidence, act: str, title: Said) -> Outcome:
    limits = e.limits
    code, value = ACT_STATES[act]
    expected = say("{code}={value} within {limit} s", code=code, value=value, limit=limits.event_s)
    findings = Findings(e)
    refs: tuple[Ref, ...] = ()
    actual = title
    for done in _acts(e, act):
        findings.looked()
        heard = _shown(e, done, limits.event_s)
        if heard is None:
            findings.fail(say("not reported"), hint=_other_value(e, done, code), span=_time_for(done, limits.event_s))
            continue
        refs = heard.where(code)
        delay = max(0.0, heard.t - done.end)
        actual = say("after {delay} s", delay=f"{delay:.1f}")
        if delay > limits.event_target_s:
            findings.warn(actual, refs, span=(done.begin, heard.t))
    return findings.outcome(expected, actual, refs)


def _other_value(e: Evidence, act: ActRecord, code: str) -> Said | None:
    told = {h.codes[code] for h in e.door_data if code in h.codes and h.seq > act.seq}
    odd = sorted(told - {"0", "1"})
    return say("{code} was {value}", code=code, value=", ".join(odd)) if odd else None


@case(
    "access/alarm/dismantle",
    uses=("dismantle",),
    killed_by=("no-dismantle-alarm", "dismantle-value-2"),
    limits=("event_s", "event_target_s"),
)
def dismantling_is_reported(e: Evidence) -> Outcome:
    return _alarm(e, "lift", say("reported"))


@case(
    "access/alarm/dismantle-end",
    uses=("dismantle",),
    needs=("access/alarm/dismantle",),
    killed_by=("dismantle-not-restored",),
    limits=("event_target_s",),
)
def end_of_dismantling_is_reported(e: Evidence) -> Outcome:
    return _restored(e, "put-back")


def _restored(e: Evidence, act: str) -> Outcome:
    code, value = ACT_STATES[act]
    findings = Findings(e)
    refs: tuple[Ref, ...] = ()
    for done in _acts(e, act):
        findings.looked()
        heard = _shown(e, done, e.limits.event_target_s)
        if heard is None:
            span = _time_for(done, e.limits.event_target_s)
            findings.warn(say("the end was not reported when it came"), span=span)
        else:
            refs = heard.where(code)
    expected = say("{code}={value} when it is over", code=code, value=value)
    return findings.outcome(expected, say("reported"), refs)


@case(
    "access/alarm/dismantle-in-report",
    uses=("dismantle",),
    needs=("access/alarm/dismantle",),
    killed_by=("report-forgets-alarm",),
)
def report_repeats_the_alarm(e: Evidence) -> Outcome:
    expected = say("i32002=1 in the timed report while the reader is off")
    lifted = next((a for a in _acts(e, "lift")), None)
    back = next((a for a in _acts(e, "put-back")), None)
    if lifted is None or back is None:
        return inconclusive(expected, say("the reader was not lifted and put back"))
    findings = Findings()
    refs: tuple[Ref, ...] = ()
    told = _shown(e, lifted, e.limits.event_s)
    for heard in e.states:
        told_of = id(heard) in e.event_frames or len(heard.codes) == 1
        # Only once it told of the lifting: between the prompt and the act it was right to say 0.
        if told and told.seq < heard.seq < back.seq and not told_of and "i32002" in heard.codes:
            findings.looked()
            refs = heard.where("i32002")
            if heard.codes["i32002"] == "0":
                findings.fail(say("the timed report says i32002=0"), refs)
    return findings.outcome(expected, say("{count} reports", count=findings.looked_at), refs)


@case(
    "access/alarm/fault",
    uses=("defect",),
    killed_by=("no-fault-alarm", "fault-value-2", "lockout-unreported"),
    limits=("event_s", "event_target_s"),
)
def fault_is_reported(e: Evidence) -> Outcome:
    return _alarm(e, "unplug", say("reported"))


@case(
    "access/alarm/fault-end",
    uses=("defect",),
    needs=("access/alarm/fault",),
    killed_by=("fault-not-restored",),
    limits=("event_target_s",),
)
def end_of_fault_is_reported(e: Evidence) -> Outcome:
    return _restored(e, "plug-in")


@case(
    "access/report/true-state",
    killed_by=("report-inverts-door", "report-stuck-fault", "hj212-2017-door-state"),
)
def report_repeats_what_was_told(e: Evidence) -> Outcome:
    findings = Findings()
    reports = {id(heard) for heard in e.periodic}
    changes = {code: _changes(e, code, reports) for code in STATES}
    for heard in e.periodic:
        findings.looked()
        for code, value in heard.codes.items():
            told = _told_before(heard, changes.get(code, []))
            # A return to 0 that was not told when it came is what the cases on changes and alarms judge.
            if value != "0" and told == "0":
                said = say("{code}={value} in the report, {told} in the change before it", code=code, value=value,
                           told=told)  # fmt: skip
                findings.fail(said, heard.where(code))
    expected = say("the timed report says what the last report of a change said")
    return findings.outcome(expected, say("{count} reports", count=findings.looked_at))


def _changes(e: Evidence, code: str, reports: set[int]) -> list[tuple[float, int, str]]:
    """Return what the device told of a state besides its timed reports: time, order and value.

    Where it tells changes of this state by itself, a frame with several states is a report even if none was due, and
    cannot be the truth that others are held against; unless it is the first on its link, which tells what is.
    """
    told = [h for h in e.door_data if id(h) not in reports and code in h.codes]
    lone = {id(h) for h in told if sum(state in h.codes for state in STATES) == 1}
    if lone:
        greetings: dict[int, int] = {}
        for heard in e.frames:
            greetings.setdefault(heard.link, heard.seq)
        told = [h for h in told if id(h) in lone or h.seq == greetings[h.link]]
    return sorted((h.data_time, h.seq, h.codes[code]) for h in told if h.data_time is not None)


def _told_before(report: Heard, changes: list[tuple[float, int, str]]) -> str | None:
    """Return what the change or record before a report said, by the device's own times.

    A change may arrive after a report that was composed later; one of the same second may lie on either side of it.
    """
    if report.data_time is None:
        return None
    at = bisect_left(changes, (report.data_time - 1, 0, ""))
    if at < len(changes) and changes[at][0] <= report.data_time + 1:
        return None
    return changes[at - 1][2] if at else None


@case("access/report/complete", killed_by=("incomplete-report",))
def report_has_all_three(e: Evidence) -> Outcome:
    findings = Findings()
    for heard in e.periodic:
        findings.looked()
        missing = [code for code in STATES if code not in heard.codes]
        if missing:
            findings.fail(say("{codes} missing", codes=", ".join(missing)), heard.refs)
    return findings.outcome(
        say("i32001, i32002 and i32003 in each timed report"), say("{count} reports", count=findings.looked_at)
    )
