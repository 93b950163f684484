"""The header fields: REQ-A-06 and REQ-A-07 e to m (HJ 212-2017 6.3.2, 6.3.3)."""

from __future__ import annotations

import re

from hj212.editions import HJ_212_2017
from hj212.times import parse_qn, parse_time

from ..case import Findings, case
from ..evidence import OPENING_PARTS, STATES, Evidence, Heard
from ..profile import Profile
from ..verdicts import Outcome, Said, inconclusive, say

_ORDER = ("QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO")
_EPC96 = re.compile(r"[0-9A-F]{24}\Z")


def _judged(e: Evidence) -> list[Heard]:
    return [heard for heard in e.frames if not heard.is_heartbeat]


def _frames_ok(findings: Findings) -> Said:
    return say("{count} frames", count=findings.looked_at)


@case("access/header/st-81", killed_by=("st-32",))
def uploads_carry_81(e: Evidence) -> Outcome:
    findings = Findings()
    for heard in e.door_data:
        findings.looked()
        if heard.message.st != "81":
            findings.fail(say("door data under ST={st}", st=heard.message.st), heard.where(f"ST={heard.message.st}"))
    return findings.outcome(say("ST=81 in frames with i32001 to i32006"), _frames_ok(findings))


@case("access/header/field-order", killed_by=("mn-before-pw",))
def fields_in_order(e: Evidence) -> Outcome:
    findings = Findings()
    for heard in _judged(e):
        findings.looked()
        names = [pair[0].strip() for pair in heard.message.segment.header]
        known = [name for name in names if name in _ORDER]
        if known != sorted(known, key=_ORDER.index):
            findings.warn(
                say("order {found}", found=" ".join(names)),
                heard.refs,
                say("some platforms read the header strictly in order"),
            )
    return findings.outcome(say("QN ST CN PW MN Flag [PNUM PNO] CP"), _frames_ok(findings))


@case("access/header/qn-shape", killed_by=("qn-14-digits",))
def qn_is_a_time(e: Evidence) -> Outcome:
    findings = Findings()
    for heard in e.spontaneous:
        findings.looked()
        try:
            parse_qn(heard.message.qn)
        except ValueError:
            findings.fail(say("QN={qn}", qn=heard.message.qn), heard.where(f"QN={heard.message.qn}"))
    return findings.outcome(say("QN of 17 digits YYYYMMDDhhmmsszzz, a time of the calendar"), _frames_ok(findings))


@case("access/header/qn-unique", killed_by=("reused-qn", "qn-14-digits"))
def qn_is_unique(e: Evidence) -> Outcome:
    findings = Findings()
    first: dict[str, bytes] = {}
    for heard in e.uploads:
        findings.looked()
        known = first.setdefault(heard.message.qn, heard.frame.segment)
        if known != heard.frame.segment:
            findings.fail(
                say("QN={qn} for two different messages", qn=heard.message.qn), heard.where(f"QN={heard.message.qn}")
            )
    return findings.outcome(say("each message has a QN of its own"), say("{count} QNs", count=len(first)))


@case("access/header/mn-shape", killed_by=("mn-14-chars",))
def mn_is_epc_96(e: Evidence) -> Outcome:
    expected = say("MN of 24 characters 0-9 A-F")
    findings = Findings()
    for heard in e.frames[:1]:
        findings.looked()
        if not _EPC96.match(e.mn):
            hint = say("14 characters are the habit of the 2005 edition") if len(e.mn) == 14 else None
            findings.fail(say("MN={mn}, {count} characters", mn=e.mn, count=len(e.mn)), heard.where(f"MN={e.mn}"), hint)
    return findings.outcome(expected, say("MN={mn}", mn=e.mn))


def _no_password_declared(profile: Profile) -> Said | None:
    return None if profile.device.get("pw") else say("[device] pw is not declared")


@case("access/header/password", killed_by=("wrong-password",), applies=_no_password_declared)
def password_as_configured(e: Evidence) -> Outcome:
    findings = Findings()
    for heard in e.spontaneous:
        findings.looked()
        if heard.message.pw != e.profile.device["pw"]:
            findings.fail(
                say("another PW"), heard.where(f"PW={heard.message.pw}"), say("enter the PW that the platform issued")
            )
    return findings.outcome(say("the PW of [device] pw"), _frames_ok(findings))


@case(
    "access/header/flag",
    killed_by=("flag-2005", "flag-2025", "flag-without-packet-numbers"),
)
def flag_says_2017(e: Evidence) -> Outcome:
    findings = Findings()
    for heard in _judged(e):
        findings.looked()
        flag = heard.message.flag
        text = heard.message.segment.field("Flag")
        where = heard.where(f"Flag={text}")
        if flag is None:
            findings.fail(say("Flag={flag}", flag=text), where)
        elif flag >> 2 < HJ_212_2017.flag_version:
            findings.fail(say("Flag={flag}: version 0 (2005)", flag=text), where, say("4, 5, 6 or 7 in this edition"))
        elif flag >> 2 > HJ_212_2017.flag_version:
            findings.warn(
                say("Flag={flag}: version {version}", flag=text, version=flag >> 2),
                where,
                say("the device speaks another edition: choose its profile"),
            )
        elif bool(flag & 2) != (heard.message.pnum is not None and heard.message.pno is not None):
            findings.fail(say("Flag={flag}: bit 1 and PNUM/PNO contradict each other", flag=text), where)
    return findings.outcome(say("Flag 4 to 7; PNUM and PNO exactly when bit 1 is set"), _frames_ok(findings))


@case("access/header/separators", killed_by=("blanks", "trailing-semicolon"))
def separators_are_exact(e: Evidence) -> Outcome:
    findings = Findings()
    for heard in e.uploads:
        findings.looked()
        pairs = [pair for item in heard.message.items for pair in item]
        if any(text != text.strip() for pair in pairs for text in pair):
            findings.warn(say("blanks in the data area"), heard.where(b" "))
        elif pairs and pairs[-1] == [""]:
            findings.warn(say("a semicolon before the closing &&"), heard.where(b";&&"))
        elif any(len(pair) != 2 for pair in pairs):
            findings.warn(say("a part without ="), heard.refs)
    return findings.outcome(say("; between items, , inside one, = in each, no blanks"), _frames_ok(findings))


@case("access/header/field-case", killed_by=("lower-case-datatime", "lower-case-info"))
def field_names_are_exact(e: Evidence) -> Outcome:
    findings = Findings()
    right = {name.lower(): name for name in ("DataTime", "InfoId", "PolId", "RestartTime", "-Info", "-Rtd", "-Flag")}
    for heard in e.uploads:
        findings.looked()
        for key, _value in heard.message.parameters():
            name = key[key.rfind("-") :] if "-" in key else key
            if right.get(name.lower(), name) != name:
                findings.fail(say("{found} for {right}", found=name, right=right[name.lower()]), heard.where(key))
                break
    return findings.outcome(say("DataTime, -Info, -Rtd, -Flag in exactly these letters"), _frames_ok(findings))


@case("access/header/no-polid", killed_by=("polid-present",))
def no_pollutant_named(e: Evidence) -> Outcome:
    findings = Findings()
    for heard in e.door_data:
        findings.looked()
        if heard.message.parameter("PolId") is not None:
            findings.warn(say("PolId in a door frame"), heard.where("PolId"))
    return findings.outcome(say("no PolId where no pollutant is concerned"), _frames_ok(findings))


@case("access/header/data-time", killed_by=("seventeen-digit-datatime",))
def data_time_is_14_digits(e: Evidence) -> Outcome:
    findings = Findings()
    for heard in e.uploads:
        if not heard.codes:
            continue
        findings.looked()
        text = heard.data_time_text
        try:
            parse_time(text)
        except ValueError:
            what = say("DataTime={found}", found=text) if text else say("no DataTime")
            findings.fail(what, heard.where(text or b"CP="))
    return findings.outcome(say("DataTime of 14 digits YYYYMMDDhhmmss, a time of the calendar"), _frames_ok(findings))


def _no_log_declared(profile: Profile) -> Said | None:
    return None if profile.declare.get("log") else say("[declare] log is not declared")


@case(
    "access/header/chinese-text",
    uses=("openings",),
    killed_by=("gbk-log", "log-without-slashes", "oversized-segment"),
    limits=("max_log_bytes",),
    applies=_no_log_declared,
)
def log_text_is_utf8(e: Evidence) -> Outcome:
    expected = say(
        "log text i31001 in UTF-8 between // and //, shorter than {limit} bytes", limit=e.limits.max_log_bytes
    )
    logs = [h for h in e.uploads if "i31001" in h.codes]
    if not logs:
        return inconclusive(expected, say("no log was received"), say("declare log = false if the device writes none"))
    findings = Findings()
    for heard in logs:
        findings.looked()
        text = heard.codes["i31001"].encode("utf-8", "surrogateescape")
        where = heard.where(text)
        try:
            text.decode("utf-8")
        except UnicodeDecodeError:
            findings.fail(say("not UTF-8"), where, say("it can be read as GBK") if _is_gbk(text) else None)
            continue
        if not (text.startswith(b"//") and text.endswith(b"//") and len(text) >= 4):
            findings.fail(say("no // around the text"), where)
        elif len(text) >= e.limits.max_log_bytes:
            findings.fail(say("{size} bytes", size=len(text)), where)
    return findings.outcome(expected, say("{count} logs", count=findings.looked_at))


def _is_gbk(text: bytes) -> bool:
    try:
        text.decode("gbk")
    except UnicodeDecodeError:
        return False
    return True


@case("access/header/table-2-1", killed_by=("foreign-code",))
def codes_of_the_table(e: Evidence) -> Outcome:
    findings = Findings()
    # i31001 is the door log of HJ 212-2017 table B.10 itself: no state, no opening, and defined nationally.
    known = {*STATES, *OPENING_PARTS, "i31001"}
    for heard in e.uploads:
        if heard.message.st != "81" or not heard.codes:
            continue
        findings.looked()
        for key, _value in heard.message.parameters():
            code, dash, _suffix = key.partition("-")
            if dash and code not in known:
                findings.warn(say("{code} under ST=81", code=code), heard.where(key))
                break
    return findings.outcome(say("codes i32001 to i32006 (and the log i31001) only"), _frames_ok(findings))


@case("access/header/one-form", killed_by=("mixed-forms",))
def one_wire_form(e: Evidence) -> Outcome:
    findings = Findings()
    forms: dict[str, int] = {}
    for heard in e.periodic:
        findings.looked()
        forms[heard.message.cn] = forms.get(heard.message.cn, 0) + 1
    if len(forms) > 1:
        mixed = ", ".join(f"{cn}: {count}" for cn, count in sorted(forms.items()))
        rarer = min(forms, key=lambda cn: forms[cn])
        findings.warn(
            say("timed reports as {mixed}", mixed=mixed), next(h.refs for h in e.periodic if h.message.cn == rarer)
        )
    good = say("all as {cn}", cn=next(iter(forms), ""))
    return findings.outcome(say("timed reports in one wire form, 3020 -Info or 2011 -Rtd"), good)
