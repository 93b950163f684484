"""Judging is pure: the same record and profile give the same verdicts, whatever stands beside them."""

from __future__ import annotations

import base64
import builtins
import json
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conformance import literal
from conformance.case import CASES, SPEAKS
from conformance.judge import judge
from conformance.live.bench import Bench
from conformance.plan import make_plan
from conformance.transcript import Entry, Transcript, TranscriptError
from conformance.verdicts import CaseResult, Verdict
from stationgate import language

from .conftest import demo_run, recording
from .devices import visited

SOME = ("", "modbus-crc", "method-collapsed", "drifting-timer", "no-resend", "clock-not-readable", "gbk-log")
OTHER_MN = b"640100000000000000000099"


def judged(transcript: Transcript) -> list[CaseResult]:
    return judge(transcript, *demo_run())


def recorded(fault: str) -> Transcript:
    return recording(*filter(None, [fault]))


def empty_like(transcript: Transcript) -> Transcript:
    return Transcript(epoch=transcript.epoch, clock=transcript.clock)


def renumbered(transcript: Transcript, entries: list[Entry]) -> Transcript:
    """Return a transcript of these entries in this order."""
    made = empty_like(transcript)
    for entry in entries:
        made.add(
            entry.kind, entry.t_mono, data=entry.data, device=entry.device, link=entry.link,
            transport=entry.transport, direction=entry.direction, **entry.attachment,
        )  # fmt: skip
    return made


def from_json(transcript: Transcript) -> Transcript:
    """Return what is left of a transcript after it was written and read."""
    made = empty_like(transcript)
    for line in [json.dumps(entry.to_json()) for entry in transcript]:
        row: dict[str, Any] = json.loads(line)
        data = base64.b64decode(row.pop("bytes", ""))
        made.entries.append(Entry(data=data, attachment=row.pop("attachment", {}), **row))
    return made


@pytest.mark.parametrize("fault", SOME)
def test_judging_twice_gives_equal_results(fault: str) -> None:
    assert judged(recorded(fault)) == judged(recorded(fault))


@pytest.mark.parametrize("fault", SOME)
def test_record_read_back_from_json_gives_equal_results(fault: str) -> None:
    copy = from_json(recorded(fault))
    assert judged(copy) == judged(recorded(fault))
    assert copy.digest == recorded(fault).digest


def test_judging_leaves_the_record_as_it_was() -> None:
    before = recording().digest
    judged(recording())
    assert recording().digest == before


def test_digest_covers_every_byte() -> None:
    entries = list(recording())
    index = next(i for i, entry in enumerate(entries) if entry.data)
    old = entries[index]
    lines = [entry.to_line() for entry in entries]
    assert Transcript.from_lines(lines).digest == recording().digest
    data = bytes([old.data[0] ^ 1]) + old.data[1:]
    lines[index] = replace(old, data=data).to_line()
    with pytest.raises(TranscriptError) as caught:
        Transcript.from_lines(lines)
    assert (caught.value.line, caught.value.why) == (index + 1, "hash")


def test_judging_opens_nothing_and_asks_no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [result.verdict for result in judged(recording("late-upload"))]

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a judgement looked at the world")

    for module, name in ((builtins, "open"), (time, "time"), (time, "monotonic"), (Bench, "__init__")):
        monkeypatch.setattr(module, name, refuse)
    assert [result.verdict for result in judged(recording("late-upload"))] == expected


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of the process cannot be changed here")
def test_zone_of_the_machine_does_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = judged(recording("open-time-utc"))
    for zone in ("UTC", "Asia/Shanghai", "America/St_Johns"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        assert judged(recording("open-time-utc")) == expected
    monkeypatch.undo()
    time.tzset()


def test_language_changes_the_words_alone() -> None:
    results = judged(recording("modbus-crc"))
    english = [(r.case, r.verdict, str(r.outcome.actual)) for r in results]
    language.activate("zh")
    assert [(r.case, r.verdict) for r in judged(recording("modbus-crc"))] == [row[:2] for row in english]
    assert any("计算" in str(r.outcome.actual) or "CRC" in str(r.outcome.actual) for r in results)
    language.activate("en")
    assert [(r.case, r.verdict, str(r.outcome.actual)) for r in results] == english


# What stands beside the device under test


def _bystanders(number: int, place: int, t: float) -> list[dict[str, Any]]:
    """Entries of a link that is none of the device's business."""
    link = 10_000 + place
    qn = b"2025091510%07d" % place
    other = literal.frame(b"QN=" + qn + b";ST=31;CN=2011;PW=x;MN=" + OTHER_MN + b";Flag=0;CP=&&i32001-Rtd=9&&")
    streams = [
        [other],
        [other[:-6] + b"FFFF\n", b"##01"],
        [b"HEARTBEAT\r\n", b"\x00" * 40],
        [other, b"##0300QN=20250915"],
        [other.replace(OTHER_MN, OTHER_MN[:14])],
    ]
    rows: list[dict[str, Any]] = [{"kind": "connect", "link": link, "peer": "127.0.0.1:1"}]
    rows += [{"kind": "bytes", "link": link, "direction": "in", "data": data} for data in streams[number]]
    return [row | {"now": t} for row in rows]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_other_links_do_not_change_a_verdict(data: st.DataObject) -> None:
    fault = data.draw(st.sampled_from(SOME))
    transcript = recorded(fault)
    start = next(i for i, entry in enumerate(transcript) if entry.kind == "bytes" and entry.direction == "in") + 1
    places = data.draw(st.lists(st.integers(start, len(transcript)), max_size=12))
    kinds = data.draw(st.lists(st.integers(0, 4), min_size=len(places), max_size=len(places)))
    beside: dict[int, list[dict[str, Any]]] = {}
    for number, place in zip(kinds, places, strict=True):
        beside[place] = _bystanders(number, place, transcript[place - 1].t_mono)
    made = empty_like(transcript)
    for index in range(len(transcript) + 1):
        for row in beside.get(index, []):
            made.add(row["kind"], **{key: value for key, value in row.items() if key != "kind"})
        if index < len(transcript):
            entry = transcript[index]
            made.add(
                entry.kind, entry.t_mono, data=entry.data, device=entry.device, link=entry.link,
                transport=entry.transport, direction=entry.direction, **entry.attachment,
            )  # fmt: skip
    assert [(r.case, r.verdict, str(r.outcome.actual)) for r in judged(made)] == [
        (r.case, r.verdict, str(r.outcome.actual)) for r in judged(transcript)
    ]


@pytest.mark.parametrize("name", ["among-neighbours", "heartbeats", "leaves-half-open-links"])
def test_surroundings_leave_the_verdicts_of_the_device_alone(name: str) -> None:
    repeats = "access/link/repeats-unanswered"  # whoever calls for each report offers it again on a new link
    found = {r.case: r.verdict for r in judge(*visited(name)) if r.case != repeats}
    plain = {r.case: r.verdict for r in judge(visited("reference")[0], *visited(name)[1:]) if r.case != repeats}
    assert found == plain


# What a judgement may not do, and what it is spared


def test_judgement_that_breaks_is_our_error_and_nobody_else_s(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    def broken(evidence: Any) -> Any:
        raise KeyError("MN")

    case = CASES["access/header/flag"]
    monkeypatch.setitem(CASES, case.id, replace(case, judge=broken))
    profile, _plan = demo_run()
    results = judge(recording(), profile, make_plan(profile))
    assert {r.case for r in results if r.verdict is not Verdict.PASS} == {case.id}
    (result,) = [r for r in results if r.case == case.id]
    assert result.verdict is Verdict.ERROR
    assert str(result.outcome.actual) == "the judgement itself failed: KeyError: 'MN'"


def test_empty_record_is_inconclusive_throughout() -> None:
    profile, plan = demo_run()
    results = judge(Transcript(epoch=0.0, clock="real"), profile, plan)
    assert {r.verdict for r in results} == {Verdict.INCONCLUSIVE}
    assert str(results[[r.case for r in results].index(SPEAKS)].outcome.actual) == "nothing connected"


def test_time_mode_is_that_of_the_record() -> None:
    profile, plan = demo_run()
    assert {r.time_mode for r in judged(recording())} == {"virtual"}
    assert {r.time_mode for r in judge(Transcript(epoch=0.0, clock="real"), profile, plan)} == {"real"}


@pytest.mark.parametrize("fault", SOME)
@pytest.mark.parametrize("part", [0.02, 0.1, 0.35, 0.7])
def test_record_that_breaks_off_is_judged_without_error(fault: str, part: float) -> None:
    whole = recorded(fault)
    cut = renumbered(whole, list(whole)[: int(len(whole) * part)])
    verdicts = {r.case: r.verdict for r in judged(cut)}
    assert Verdict.ERROR not in verdicts.values()
    if not fault:
        assert Verdict.FAIL not in verdicts.values()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.binary(max_size=300), max_size=6), st.binary(max_size=30))
def test_no_bytes_break_a_judgement(chunks: list[bytes], name: bytes) -> None:
    """Bytes that are no text in MN, PW and values, and anything else."""
    transcript = Transcript(epoch=1757901570.0, clock="real")
    transcript.add("step", 0.0, step="connect", phase="begin")
    hostile = b"QN=20250915100000123;ST=81;CN=3020;PW=\xff" + name + b";MN=\xfe" + name + b";Flag=5;CP=&&DataTime="
    for chunk in (*chunks, literal.frame(hostile + name + b";i32001-Info=" + name + b"&&")):
        transcript.add("bytes", 1.0, data=chunk, link=1, direction="in")
    transcript.add("step", 2.0, step="connect", phase="end", result="done")
    results = judged(transcript)
    assert Verdict.ERROR not in {r.verdict for r in results}
    assert all(str(r.outcome.actual) for r in results)
    assert len(transcript.digest) == 64
