"""Does it speak, answer, repeat: flows of HJ 212-2017 Annex C as REQ-A-06, -07i, -17 and -18 use them."""

from __future__ import annotations

from itertools import pairwise

from ..case import SPEAKS, Findings, case
from ..evidence import Evidence
from ..verdicts import Outcome, failed, inconclusive, passed, say

#: A heartbeat line or two prove nothing; this much without a frame is another protocol.
LEAST_GARBAGE_BYTES = 64


@case(SPEAKS, needs=(), killed_by=("not-hj212",), limits=("connect_s", "garbage_bytes"))
def speaks(e: Evidence) -> Outcome:
    expected = say("frames of HJ 212 that can be read: ## length segment CRC")
    if e.frames:
        return passed(expected, say("{count} frames read", count=len(e.frames)), e.frames[0].refs)
    others = {h.message.mn for h in e.heard if h.understood}
    if others:
        return inconclusive(
            expected,
            say("other devices reported, not MN {mn}: {others}", mn=e.mn, others=", ".join(sorted(others)[:4])),
            say("correct the MN in the device or in the profile"),
        )
    damaged = [h for h in e.heard if not h.truncated]
    garbage = sum(len(s.raw) for s in e.strays)
    if damaged:
        return failed(expected, say("frames without QN, CN or MN"), damaged[0].refs)
    if garbage >= LEAST_GARBAGE_BYTES:
        return failed(expected, say("{size} bytes and no frame among them", size=garbage), e.strays[0].refs)
    connected = sum(entry.kind == "connect" for entry in e.transcript)
    if connected:
        return inconclusive(
            expected,
            say("the device connected {count} times and sent no whole frame", count=connected),
            say("check whether reporting is switched on in the device"),
        )
    return inconclusive(
        expected,
        say("nothing connected"),
        say("check platform address and port in the device, the network card and the firewall"),
    )


@case("access/link/replies-st-91", uses=("clock", "query"), killed_by=("replies-with-st-81",))
def replies_carry_91(e: Evidence) -> Outcome:
    findings = Findings()
    for heard in (h for h in e.frames if h.is_reply):
        findings.looked()
        if heard.message.st != "91":
            what = say("{cn} with ST={st}", cn=heard.message.cn, st=heard.message.st)
            findings.fail(what, heard.where(f"ST={heard.message.st}"))
    return findings.outcome(say("ST=91 in 9011 to 9014"), say("{count} replies with ST=91", count=findings.looked_at))


@case("access/link/no-answer-to-answers", killed_by=("answers-acknowledgement",))
def answers_are_not_answered(e: Evidence) -> Outcome:
    findings = Findings()
    for heard in e.frames:
        findings.looked()
        if heard.is_reply and heard.message.qn not in e.asked:
            findings.fail(
                say("{cn} for QN {qn}, which nobody asked", cn=heard.message.cn, qn=heard.message.qn),
                heard.refs,
                say("the device answers the platform's 9014: two such peers answer each other for ever"),
            )
    return findings.outcome(say("no answer to 9013 or 9014"), say("none in {count} frames", count=findings.looked_at))


@case(
    "access/link/repeats-unanswered",
    uses=("withhold",),
    killed_by=(
        "no-resend",
        "endless-resend",
        "hasty-resend",
        "resend-with-new-qn",
        "no-answer-wanted",
        "single-resend",
        "slow-resend",
    ),
    limits=("response_s", "resend_count", "resend_spacing_s", "resend_severity"),
)
def repeats_unanswered(e: Evidence) -> Outcome:
    limits = e.limits
    expected = say(
        "an unanswered upload is repeated, {count} times, {wait} s apart, with the same QN",
        count=limits.resend_count,
        wait=limits.response_s,
    )
    step = e.steps["withhold"]
    if not step.done:
        return inconclusive(
            expected,
            say("no upload asked for an answer (bit 0 of Flag)"),
            say("switch acknowledgements on in the device"),
        )
    first = next(h for h in e.frames if h.message.qn == step.detail["qn"])
    end = first.t + step.detail["window_s"]
    # On its own link: what a device offers again on a new one is back-fill.
    near = [h for h in e.spontaneous if first.t <= h.t <= end and h.link == first.link]
    copies = [h for h in near if h.message.items == first.message.items]
    refs = tuple(ref for copy in copies for ref in copy.refs)
    if disturbance := e.disturbed(first.t, end):
        return inconclusive(expected, disturbance.said, say("repeat it on an undisturbed computer"))
    findings = Findings()
    findings.looked()
    gaps = [b.t - a.t for a, b in pairwise(copies)]
    if len(copies) == 1:
        findings.add(limits.resend_severity, say("never repeated"), refs)
    elif len({copy.message.qn for copy in copies}) > 1:
        findings.add(limits.resend_severity, say("repeated under another QN"), refs)
    elif len(copies) != limits.resend_count + 1:
        findings.add(limits.resend_severity, say("repeated {count} times", count=len(copies) - 1), refs)
    elif max(abs(gap - limits.response_s) for gap in gaps) > limits.resend_spacing_s:
        odd = max(gaps, key=lambda gap: abs(gap - limits.response_s))
        findings.add(limits.resend_severity, say("repeated after {gap} s", gap=f"{odd:.1f}"), refs)
    good = say("repeated {count} times", count=len(copies) - 1)
    return findings.outcome(expected, good, refs)


@case(
    "access/query/state",
    uses=("query",),
    killed_by=("no-state-query", "query-without-result", "query-inverted", "report-inverts-door"),
    limits=("query_severity", "response_s"),
)
def state_can_be_queried(e: Evidence) -> Outcome:
    expected = say("9011 with QnRtn=1, then 3020 with i32001, then 9012 with ExeRtn=1, all with the request's QN")
    qn = e.steps["query"].detail.get("qn", "")
    begin, end = e.steps["query"].begin, e.steps["query"].end or 0.0
    answers = [h for h in e.frames if h.message.qn == qn and begin <= h.t <= end]
    told = {h.message.cn: h for h in answers}
    refs = tuple(ref for h in answers for ref in h.refs)
    findings = Findings(e)
    findings.looked()
    if not answers:
        findings.add(e.limits.query_severity, say("no answer"), span=(begin, end))
    elif "9011" not in told or told["9011"].message.parameter("QnRtn") != "1":
        code = told["9011"].message.parameter("QnRtn") if "9011" in told else None
        findings.add(e.limits.query_severity, say("refused: QnRtn={code}", code=code), refs)
    elif "3020" not in told or "i32001" not in told["3020"].codes:
        findings.add(e.limits.query_severity, say("no 3020 with i32001"), refs, span=(begin, end))
    elif _last_told(e, "i32001", told["3020"].seq) not in ("", told["3020"].codes["i32001"]):
        found = told["3020"].codes["i32001"]
        findings.add(e.limits.query_severity, say("i32001={value}, last reported otherwise", value=found), refs)
    elif "9012" not in told or told["9012"].message.parameter("ExeRtn") != "1":
        findings.add(e.limits.query_severity, say("no 9012 with ExeRtn=1"), refs, span=(begin, end))
    return findings.outcome(expected, say("9011, 3020, 9012"), refs)


def _last_told(e: Evidence, code: str, before: int) -> str:
    """Return the state the device itself last reported before an entry of the transcript; empty when it had not."""
    told = [h.codes[code] for h in e.states if h.seq < before and h.codes.get(code) in ("0", "1")]
    return told[-1] if told else ""


@case(
    "access/clock/offset",
    uses=("clock",),
    killed_by=("clock-90s-fast", "clock-30s-fast", "clock-not-readable"),
    limits=("clock_pass_s", "clock_warn_s"),
)
def clock_is_right(e: Evidence) -> Outcome:
    limits = e.limits
    expected = say("device clock within {limit} s of the suite's", limit=limits.clock_pass_s)
    if e.clock_offset is None:
        return inconclusive(
            expected,
            say("the device does not tell its time (1011)"),
            say("without it neither delays nor opening times can be judged; make the device answer 1011"),
        )
    if e.clock_proof.doubt is not None:
        told = f"{e.clock_offset[0]:+.1f}"
        return inconclusive(
            expected,
            say("{offset} s against a clock in doubt: {why}", offset=told, why=e.clock_proof.doubt),
            say("let this computer follow a time server, or say in [test] clock_reference how its clock was checked"),
        )
    offset, uncertainty = e.clock_offset
    uncertainty += e.clock_proof.uncertainty_s
    actual = say("{offset} s, uncertainty {uncertainty} s", offset=f"{offset:+.1f}", uncertainty=f"{uncertainty:.1f}")
    refs = next(h.refs for h in e.frames if h.message.cn == "1011")
    findings = Findings()
    findings.looked()
    if abs(offset) - uncertainty > limits.clock_warn_s:
        findings.fail(actual, refs, say("set the clock (1012), check the zone: times are UTC+8"))
    elif abs(offset) - uncertainty > limits.clock_pass_s:
        findings.warn(actual, refs, say("set the clock (1012)"))
    return findings.outcome(expected, actual, refs)
