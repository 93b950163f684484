"""What the six codes of table 2-1 may say: REQ-A-10 to REQ-A-15, value by value."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..case import Findings, case
from ..evidence import Evidence, Heard, parse_open_time
from ..verdicts import Outcome, Ref, Said, say

_PERSON = re.compile(r"[0-9A-Za-z_-]+\Z", re.ASCII)
_RESIDENT_ID = re.compile(r"[1-9][0-9]{16}[0-9Xx]\Z", re.ASCII)


def _told(frames: list[Heard], code: str) -> Iterator[tuple[Heard, str, tuple[Ref, ...]]]:
    """Yield every value of a code with its frame and where it stands."""
    for heard in frames:
        for key, value in heard.told(code):
            yield heard, value, heard.where(f"{key}={value}")


def _binary(e: Evidence, code: str, hint: Said | None) -> Findings:
    findings = Findings()
    for _heard, value, where in _told(e.door_data, code):
        findings.looked()
        if value not in ("0", "1"):
            findings.fail(say("{code}={value}", code=code, value=value), where, hint)
    return findings


def _seen(findings: Findings) -> Said:
    return say("{count} values", count=findings.looked_at)


@case("access/values/i32001", killed_by=("hj212-2017-door-state",))
def door_is_0_or_1(e: Evidence) -> Outcome:
    hint = say("2 and 3 are the meaning of HJ 212-2017 table B.10 (stopped, fault, maintenance), not of this table")
    findings = _binary(e, "i32001", hint)
    return findings.outcome(say("i32001: 0 closed, 1 open"), _seen(findings))


@case("access/values/i32002", killed_by=("dismantle-value-2",))
def dismantled_is_0_or_1(e: Evidence) -> Outcome:
    findings = _binary(e, "i32002", None)
    return findings.outcome(say("i32002: 0 in place, 1 dismantled"), _seen(findings))


@case("access/values/i32003", killed_by=("fault-value-2",))
def fault_is_0_or_1(e: Evidence) -> Outcome:
    findings = _binary(e, "i32003", None)
    return findings.outcome(say("i32003: 0 normal, 1 fault"), _seen(findings))


@case("access/values/i32004", uses=("openings",), killed_by=("method-code-5", "method-leading-zero"))
def method_is_1_to_4(e: Evidence) -> Outcome:
    findings = Findings()
    for _heard, value, where in _told(e.records, "i32004"):
        findings.looked()
        if value in ("1", "2", "3", "4"):
            continue
        if value.lstrip("0") in ("1", "2", "3", "4"):
            findings.warn(say("i32004={value}, with a leading zero", value=value), where)
        else:
            findings.fail(say("i32004={value}", value=value), where)
    return findings.outcome(say("i32004: 1 face, 2 IC card, 3 fingerprint, 4 password"), _seen(findings))


@case(
    "access/values/i32005",
    uses=("openings",),
    killed_by=("empty-person-code", "chinese-person-code"),
    limits=("max_person_chars",),
)
def person_code_is_text(e: Evidence) -> Outcome:
    limit = e.limits.max_person_chars
    findings = Findings()
    for _heard, value, where in _told(e.records, "i32005"):
        findings.looked()
        if not value:
            findings.fail(say("i32005 is empty"), where)
        elif not _PERSON.match(value):
            findings.warn(say("i32005 has other characters than 0-9 A-Z a-z _ -"), where)
        elif len(value) > limit:
            findings.warn(say("i32005 has {count} characters", count=len(value)), where)
        elif _RESIDENT_ID.match(value):
            findings.warn(say("i32005 looks like a resident identity number: personal data"), where)
    expected = say("i32005: the number under which the person is enrolled, 1 to {limit} characters", limit=limit)
    return findings.outcome(expected, _seen(findings))


@case("access/values/i32006", uses=("openings",), killed_by=("formatted-open-time",))
def open_time_is_14_digits(e: Evidence) -> Outcome:
    findings = Findings()
    for _heard, value, where in _told(e.records, "i32006"):
        findings.looked()
        if parse_open_time(value) is None:
            findings.fail(say("i32006={value}", value=value), where)
    return findings.outcome(say("i32006: YYYYMMDDhhmmss, a time of the calendar"), _seen(findings))
