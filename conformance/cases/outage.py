"""A cut link: REQ-A-16, and what back-fill shows of REQ-A-15."""

from __future__ import annotations

from ..case import Findings, case
from ..evidence import ActRecord, Evidence, Heard, parse_open_time
from ..verdicts import Outcome, inconclusive, say


def _acts(e: Evidence) -> list[ActRecord]:
    return [a for a in e.acts if a.step == "outage" and a.act == "open" and a.done]


@case(
    "access/outage/records-kept",
    uses=("outage",),
    needs=("access/opening/one-record-each",),
    killed_by=("loses-records-offline",),
    limits=("outage_s", "outage_openings", "backfill_s", "outage_severity"),
)
def records_survive_the_outage(e: Evidence) -> Outcome:
    limits = e.limits
    acts = _acts(e)
    findings = Findings(e)
    for _act in acts:
        findings.looked()
    records = [h for h in e.backfilled if "i32004" in h.codes or "i32005" in h.codes]
    refs = tuple(ref for h in records for ref in h.refs)
    if len(records) < len(acts):
        said = say("{count} of {wanted} records", count=len(records), wanted=len(acts))
        step = e.steps["outage"]
        findings.add(limits.outage_severity, said, refs, span=(step.begin, step.end or step.begin))
    return findings.outcome(
        say(
            "{count} openings during an outage of {outage} s arrive within {limit} s of its end",
            count=len(acts),
            outage=limits.outage_s,
            limit=limits.backfill_s,
        ),
        say("{count} records", count=len(records)),
        refs,
    )


@case(
    "access/outage/open-time-kept",
    uses=("clock", "outage"),
    needs=("access/clock/offset", "access/values/i32006", "access/outage/records-kept"),
    killed_by=("send-time-as-open-time", "open-time-utc"),
    limits=("open_time_warn_s",),
)
def open_time_survives_the_outage(e: Evidence) -> Outcome:
    limit = e.limits.open_time_warn_s
    expected = say("i32006 of a late record is the time of the act, not of the sending")
    waiting = _acts(e)
    unfit: list[tuple[Heard, float]] = []
    findings = Findings()
    for heard in e.backfilled:
        when = parse_open_time(heard.codes.get("i32006", ""))
        if when is None:
            continue
        findings.looked()
        told = e.suite_time(when.timestamp())
        fit = next((a for a in waiting if e.wall(a.begin) - limit <= told <= e.wall(a.end) + limit), None)
        if fit is None:
            unfit.append((heard, told))
        else:
            waiting.remove(fit)
    # The door may be used while back-fill is awaited: a time that fits no act counts where an act has no record.
    for heard, told in unfit if waiting else ():
        sent = abs(told - e.wall(heard.t)) <= limit
        hint = say("it is the time of sending: report time sent as open time") if sent else None
        findings.fail(say("i32006 fits no act"), heard.where(heard.codes["i32006"]), hint)
    if not findings.looked_at:
        return inconclusive(expected, say("no late record with an opening time"))
    return findings.outcome(expected, say("{count} records", count=findings.looked_at))
