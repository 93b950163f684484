"""Openings against what the operator did: REQ-A-01, -02, -14, -15 and -19."""

from __future__ import annotations

from ..case import Findings, case
from ..evidence import METHOD_CODES, OPENING_PARTS, Evidence, Opening, parse_open_time
from ..profile import Profile
from ..verdicts import Outcome, Ref, Said, inconclusive, listed, say

#: What the methods are called.
METHODS = {
    "face": say("face"),
    "ic-card": say("IC card"),
    "fingerprint": say("fingerprint"),
    "password": say("password"),
}

ONE_RECORD = "access/opening/one-record-each"


def _identified(e: Evidence) -> list[Opening]:
    return [o for o in e.openings if o.act.method in METHOD_CODES]


def _refs(opening: Opening) -> tuple[Ref, ...]:
    return tuple(ref for heard in opening.records for ref in heard.refs)


@case(
    ONE_RECORD,
    uses=("openings",),
    killed_by=("only-face-recorded", "record-missing", "duplicate-record"),
)
def one_record_for_each_opening(e: Evidence) -> Outcome:
    findings = Findings(e)
    for opening in _identified(e):
        findings.looked()
        count = max(len(opening.values(code)) for code in OPENING_PARTS)
        method = METHODS[opening.act.method]
        if count == 0:
            span = (opening.act.begin, opening.act.end + e.limits.event_s)
            findings.fail(say("no record of the opening by {method}", method=method), span=span)
        elif count > 1:
            findings.warn(say("{count} records of one opening by {method}", count=count, method=method), _refs(opening))
    return findings.outcome(
        say("one record for each opening, uploaded without being asked"),
        say("{count} openings, {count} records", count=findings.looked_at),
        tuple(ref for o in _identified(e) for ref in _refs(o)),
    )


@case(
    "access/opening/method-matches-act",
    uses=("openings",),
    killed_by=("method-collapsed", "method-code-5"),
)
def method_matches_the_act(e: Evidence) -> Outcome:
    expected = say("face 1, IC card 2, fingerprint 3, password 4, each for its own act")
    findings = Findings()
    for act in e.acts:
        if act.step == "openings" and act.answer == "not-fitted":
            findings.looked()
            findings.fail(
                say("{method} is not fitted", method=METHODS[act.method]), hint=say("[declare] methods says it is")
            )
    unseen = []
    for opening in _identified(e):
        told = [value.lstrip("0") for value in opening.values("i32004")]
        if not told:
            unseen.append(opening.act.method)
            continue
        findings.looked()
        if any(value != METHOD_CODES[opening.act.method] for value in told):
            hint = say("4 means remote opening in the Hebei dictionary") if "4" in told else None
            findings.fail(
                say("{method} reported as {code}", method=METHODS[opening.act.method], code=", ".join(told)),
                tuple(ref for heard in opening.records for ref in heard.where("i32004")),
                hint,
            )
    if unseen and not findings.any:
        names = listed(METHODS[method] for method in dict.fromkeys(unseen))
        return inconclusive(expected, say("no record to compare for {methods}", methods=names))
    return findings.outcome(expected, say("{count} openings", count=findings.looked_at))


@case(
    "access/opening/parts-together",
    uses=("openings",),
    killed_by=("opening-in-pieces",),
    limits=("together_s",),
)
def parts_come_together(e: Evidence) -> Outcome:
    limit = e.limits.together_s
    findings = Findings(e)
    for opening in _identified(e):
        if not opening.records:
            continue
        findings.looked()
        first: dict[str, float] = {}
        for heard in opening.records:
            for code in OPENING_PARTS:
                if code in heard.codes:
                    first.setdefault(code, heard.t)
        missing = [code for code in OPENING_PARTS if code not in first]
        spread = max(first.values()) - min(first.values())
        if missing:
            span = (opening.act.begin, opening.act.end + e.limits.event_s)
            findings.fail(say("{codes} missing", codes=", ".join(missing)), _refs(opening), span=span)
        elif spread > limit:
            span = (min(first.values()), max(first.values()))
            findings.fail(say("{spread} s apart", spread=f"{spread:.1f}"), _refs(opening), span=span)
    return findings.outcome(
        say("i32004, i32005 and i32006 of one opening together or within {limit} s", limit=limit),
        say("{count} openings", count=findings.looked_at),
    )


@case(
    "access/opening/person-code-stable",
    uses=("openings",),
    killed_by=("code-per-method", "shared-person-code"),
)
def one_person_one_code(e: Evidence) -> Outcome:
    expected = say("the same code for the same person by every method, another one for another person")
    told: dict[str, set[str]] = {"A": set(), "B": set()}
    refs: list[Ref] = []
    for opening in (o for o in _identified(e) if o.act.step == "openings"):
        codes = {code for code in opening.values("i32005") if code}
        told[opening.act.person] |= codes
        refs.extend(ref for heard in opening.records for ref in heard.where("i32005"))
    if not told["A"] or not told["B"]:
        return inconclusive(expected, say("no person code for both persons"))
    findings = Findings()
    findings.looked()
    if len(told["A"]) > 1:
        findings.fail(say("{count} codes for one person", count=len(told["A"])), tuple(refs))
    elif told["A"] & told["B"]:
        findings.fail(say("one code for two persons"), tuple(refs))
    return findings.outcome(expected, say("two persons, two codes"), tuple(refs))


@case(
    "access/opening/person-code-after-reboot",
    uses=("openings", "reboot"),
    killed_by=("code-changes-on-reboot",),
)
def code_survives_reboot(e: Evidence) -> Outcome:
    expected = say("the same code for the same person after a reboot")
    method = next((o.act.method for o in e.openings if o.act.step == "reboot"), "")
    before: set[str] = set()
    after: set[str] = set()
    refs: list[Ref] = []
    for opening in _identified(e):
        if opening.act.method == method and opening.act.person == "A":
            (after if opening.act.step == "reboot" else before).update(opening.values("i32005"))
            refs.extend(ref for heard in opening.records for ref in heard.where("i32005"))
    if not before or not after:
        return inconclusive(expected, say("no record to compare, before or after"))
    findings = Findings()
    findings.looked()
    if before != after:
        findings.fail(say("another code after the reboot"), tuple(refs))
    return findings.outcome(expected, say("the same code"), tuple(refs))


@case(
    "access/opening/open-time-true",
    uses=("clock", "openings"),
    needs=("access/clock/offset", "access/values/i32006"),
    killed_by=("open-time-utc",),
    limits=("open_time_pass_s", "open_time_warn_s"),
)
def open_time_is_the_act(e: Evidence) -> Outcome:
    limits = e.limits
    findings = Findings()
    for opening in _identified(e):
        if opening.act.step != "openings":
            continue
        for heard in opening.records:
            when = parse_open_time(heard.codes.get("i32006", ""))
            if when is None:
                continue
            findings.looked()
            told, slack = e.suite_time(when.timestamp()), max(1.0, e.clock_uncertainty)
            off = _outside(told, e.wall(opening.act.begin), e.wall(opening.act.end), slack)
            where = heard.where(heard.codes["i32006"])
            said = say("{off} s from the act", off=f"{off:+.0f}")
            if abs(off) > limits.open_time_warn_s:
                hint = say("eight hours: the time is written in UTC") if abs(abs(off) - 28800) < 60 else None
                findings.fail(said, where, hint)
            elif abs(off) > limits.open_time_pass_s:
                findings.warn(said, where)
            elif heard.data_time is not None and when.timestamp() > heard.data_time + 1:
                findings.fail(say("i32006 lies after DataTime"), where)
    expected = say("i32006 within {limit} s of the act, not after DataTime", limit=limits.open_time_pass_s)
    return findings.outcome(expected, say("{count} openings", count=findings.looked_at))


def _outside(when: float, begin: float, end: float, slack: float) -> float:
    """Return how far a time lies outside the window of an act and what may be off, 0 inside."""
    if when < begin - slack:
        return when - begin
    return when - end if when > end + slack else 0.0


def _no_exit_button(profile: Profile) -> Said | None:
    return None if profile.declare.get("exit_button") else say("[declare] exit_button is not declared")


@case(
    "access/opening/nobody-invented",
    uses=("exit-button",),
    killed_by=("invented-remote-opening",),
    applies=_no_exit_button,
)
def nobody_is_invented(e: Evidence) -> Outcome:
    findings = Findings(e)
    for opening in (o for o in e.openings if o.act.method == "exit-button"):
        if not opening.records and findings.unsure(opening.act.begin, opening.act.end + e.limits.settle_s):
            continue  # that nothing came is only worth something where somebody listened
        findings.looked()
        if opening.records:
            told = ", ".join(opening.values("i32004")) or "-"
            findings.warn(
                say("an opening from inside reported as method {code} with a person", code=told),
                _refs(opening),
                say("which code an opening without identification has is not fixed: ask the authority"),
            )
    return findings.outcome(say("no person and no method for an opening without identification"), say("no record"))
