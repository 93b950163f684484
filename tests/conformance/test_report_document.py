"""What a report says of itself and of the run: number, network path, basis, clock, acts, settings, earlier runs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from conformance.case import CASES
from conformance.demo import demo_profile
from conformance.judge import judge
from conformance.plan import make_plan
from conformance.profile import Profile
from conformance.report import Report, build, html, jsonlines, junit, text
from conformance.report.document import MAX_PEERS, MAX_PORTS, Peer, profile_digest
from conformance.report.frames import FrameKind
from conformance.report.statements import MAX_DISTURBANCES, MAX_OUTSIDE
from conformance.transcript import Transcript
from conformance.verdicts import CaseResult, Outcome, Verdict, say
from hj212.framing import build_frame
from stationgate import language
from stationgate.redaction import MASK

from .conftest import demo_run, recording

EPOCH = 1_757_901_600.0  #: 2025-09-15 10:00:00 in China
MN = "64010000ACCE550000000001"
REPORT = build_frame(
    f"QN=20250915100001000;ST=81;CN=3020;PW=123456;MN={MN};Flag=5;CP=&&i32001-Info=0;i32002-Info=0;i32003-Info=0&&".encode()
)
DATA_ANSWER = build_frame(f"QN=20250915100001000;ST=91;CN=9014;PW=123456;MN={MN};Flag=4;CP=&&&&".encode())
RENDERERS = (text.render, html.render, junit.render, jsonlines.render)


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    before = language.current()
    language.activate("en")
    yield
    language.activate(before)


def transcript() -> Transcript:
    return Transcript(epoch=EPOCH, clock="real")


def of(
    record: Transcript, profile: Profile | None = None, results: tuple[CaseResult, ...] = (), **options: Any
) -> Report:
    used = Profile("hand-made") if profile is None else profile
    return build(results, record, used, make_plan(used), version="1.2.3", **options)


def result(verdict: Verdict, case: str, clause: str) -> CaseResult:
    return CaseResult(case, "REQ-X", clause, "shall", Outcome(verdict, say("expected"), say("actual")), "real")


def events(report: Report) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what JSON says at the start and at the end."""
    lines = [json.loads(line) for line in jsonlines.render(report).splitlines()]
    return lines[0], lines[-1]


def section(report: Report, name: str) -> str:
    """Return a section of the HTML report as text."""
    found = re.search(rf'<section class="{name}".*?</section>', html.render(report), re.DOTALL)
    assert found
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", found[0])).split())


class TestNumber:
    def test_the_profiles_number_is_taken(self) -> None:
        report = of(transcript(), Profile("p", test={"report_number": "NX-7"}))
        assert (report.document.number, report.document.number_given) == ("NX-7", True)
        assert all("NX-7" in render(report) for render in RENDERERS)

    def test_one_is_made_of_time_and_digest(self) -> None:
        record = transcript()
        record.add("listen", 0.0, host="127.0.0.1", port=1)
        report = of(record, started=EPOCH + 500)
        assert report.document.number == f"20250915-100000-{record.digest[:8]}"
        assert not report.document.number_given
        assert "(generated: the profile gives none)" in html.render(report)
        start, _end = events(report)
        assert (start["report_number"], start["report_number_given"]) == (report.document.number, False)

    def test_it_stands_in_the_margin_and_cannot_leave_it(self) -> None:
        report = of(transcript(), Profile("p", test={"report_number": 'A"; } </style><script>x</script>'}))
        page = html.render(report)
        assert page.count("<script>") == 1
        margin = re.search(r"@top-right \{ content: (.*?); \}", page)
        assert margin
        assert re.fullmatch(r'"(?:[^"\\<>{};]|\\[0-9a-f]{6})*"', margin[1])


class TestNetwork:
    def test_addresses_of_both_sides(self) -> None:
        record = transcript()
        record.add("listen", 0.0, host="0.0.0.0", port=8212)
        for link, peer in enumerate(("10.0.0.7:50001", "10.0.0.7:50002", "10.0.0.8:4000"), 1):
            record.add("connect", 1.0, link=link, transport="tcp", peer=peer)
        for link in (1, 2):
            record.add("bytes", 2.0, data=REPORT, link=link, direction="in", transport="tcp")
        record.add("listen", 3.0, host="0.0.0.0", port=8212)
        record.add("refuse", 4.0, link=9, why="more than 64 links at once")
        listen = {"host": "0.0.0.0", "port": 8212, "advertised_host": "192.0.2.5", "advertised_port": 18212}
        network = of(record, Profile("p", listen=listen)).document.network
        assert network.listening == ("0.0.0.0:8212",)
        assert network.advertised == "192.0.2.5:18212"
        assert network.peers == (Peer("10.0.0.7", 2, ("50001", "50002")),)
        assert network.other_peers == (Peer("10.0.0.8", 1, ("4000",)),)
        assert (network.transport, network.refused) == ("TCP", 1)
        assert str(network.other_peers[0]) == "10.0.0.8:4000"

    def test_an_advertised_port_alone_is_on_the_address_listened_on(self) -> None:
        listen = {"host": "192.0.2.5", "port": 1, "advertised_port": 2}
        assert of(transcript(), Profile("p", listen=listen)).document.network.advertised == "192.0.2.5:2"

    def test_a_flood_of_addresses_is_counted(self) -> None:
        record = transcript()
        for number in range(40):
            record.add("connect", 1.0, link=number, transport="tcp", peer=f"10.0.0.{number // 4}:{number}")
        network = of(record).document.network
        assert len(network.other_peers) == MAX_PEERS
        assert network.unlisted == 10 - MAX_PEERS
        many = Peer("h", MAX_PORTS + 1, tuple(map(str, range(MAX_PORTS))))
        assert str(many) == "h (5 connections, ports 0, 1, 2, 3 ...)"

    def test_a_simulated_run_says_so_in_every_language(self) -> None:
        profile, plan = demo_run()
        report = build(judge(recording(), profile, plan), recording(), profile, plan, version="1")
        assert report.document.simulated
        assert "says nothing about any real device" in html.render(report)
        assert not of(transcript()).document.simulated

    def test_mode_and_selection_of_the_run(self) -> None:
        record = transcript()
        mode = {"passive": True, "forward": "203.0.113.9:8212", "shorten_s": 60}
        host = {"system": "Linux", "release": "6.1", "python": "3.11.7"}
        record.add("run", 0.0, select=["access/header"], exclude=["@long"], mode=mode, host=host, simulated=False)
        report = of(record, signer="ab:cd:ef")
        conditions = section(report, "conditions")
        for shown in (
            "203.0.113.9:8212", "only acknowledgements were sent", "set to 60 s for this run",
            "access/header, without @long", "Linux 6.1, Python 3.11.7", "ab:cd:ef",
        ):  # fmt: skip
            assert shown in conditions
        start, _end = events(report)
        assert start["mode"] == mode
        assert start["selection"] == {"select": ["access/header"], "exclude": ["@long"]}
        assert start["signer"] == "ab:cd:ef"


class TestBasis:
    def test_documents_that_judged_cases_cite(self) -> None:
        first, second, third, fourth, fifth = list(CASES)[:5]
        report = of(
            transcript(),
            Profile("p", test={"basis": "合同 7"}),
            (
                result(Verdict.PASS, first, "HJ 212-2017 6.3.1"),
                result(Verdict.FAIL, second, "HJ 212-2017 6.3.2 QN"),
                result(Verdict.PENDING, third, "HJ 212-2017 6.6.1"),
                result(Verdict.PASS, fourth, "宁夏方案 REQ-A-02"),
                result(Verdict.WARN, fifth, "ISO 1"),
            ),
        )
        cited = {document.name: document for document in report.document.documents}
        assert list(cited) == ["HJ 212-2017", "宁夏方案 (Ningxia plan)", "ISO 1"]
        assert cited["HJ 212-2017"].clauses == ("6.3.1", "6.3.2 QN")
        assert cited["HJ 212-2017"].cases == 2
        assert "draft for comment" in cited["宁夏方案 (Ningxia plan)"].title
        shown = section(report, "conditions")
        assert "合同 7" in shown
        assert "6.3.2 QN" in shown
        assert "6.6.1" not in shown

    def test_every_clause_of_the_catalogue_has_a_titled_document(self) -> None:
        profile, plan = demo_run()
        report = build(judge(recording(), profile, plan), recording(), profile, plan, version="1")
        assert all(document.title for document in report.document.documents)
        assert sum(document.cases for document in report.document.documents) == len(report.cases)

    def test_digest_of_the_profile_does_not_depend_on_the_password(self) -> None:
        profile = demo_profile()
        other = replace(profile, device={**profile.device, "pw": "999999"})
        masked = replace(profile, device={**profile.device, "pw": MASK})
        assert profile_digest(profile) == profile_digest(other)
        assert profile_digest(profile) == hashlib.sha256(masked.to_toml().encode()).hexdigest()
        assert profile_digest(profile) != profile_digest(replace(profile, name="else"))
        assert profile_digest(profile) in html.render(of(transcript(), profile))


class TestClock:
    def test_nothing_on_record(self) -> None:
        report = of(transcript())
        assert "Nothing is on record about how the bench's clock was disciplined." in section(report, "clock")
        assert re.search(r"^bench clock +nothing on record$", text.render(report), re.MULTILINE)
        assert "The device did not tell its time." in section(report, "clock")

    def test_checks_and_disturbances(self) -> None:
        record = transcript()
        check = {"event": "check", "detail": ""}
        record.add("clock", 0.0, **check, when="begin", synchronised=True, source="chrony", uncertainty_s=0.0123)
        record.add("clock", 100.0, event="step", seconds=-60.0, since=99.0)
        record.add("clock", 200.0, event="suspend", seconds=30.5, since=169.5)
        record.add("clock", 300.0, **check, when="end", synchronised=None, source="", uncertainty_s=None)
        report = of(record)
        shown = section(report, "clock")
        assert "before the run 2025-09-15 10:00:00 synchronised chrony ± 0.0123 s" in shown
        assert "after the run 2025-09-15 10:05:00 not known" in shown
        assert "the clock of the bench was set -60.0 2025-09-15 10:01:39 2025-09-15 10:01:40" in shown
        assert "the bench was suspended 30.5 2025-09-15 10:02:49 2025-09-15 10:03:20" in shown
        _start, end = events(report)
        assert [c["synchronised"] for c in end["clock"]["checks"]] == [True, None]
        assert [d["seconds"] for d in end["clock"]["disturbances"]] == [-60.0, 30.5]
        assert "the clock of the bench was set: -60.0 s" in text.render(report)

    def test_many_disturbances_are_counted(self) -> None:
        record = transcript()
        for number in range(MAX_DISTURBANCES + 3):
            record.add("clock", float(number), event="stall", seconds=1.0, since=number - 1.0)
        assert "and 3 more" in section(of(record), "clock")
        assert of(record).statements.clock.disturbance_count == MAX_DISTURBANCES + 3

    def test_offset_of_the_device(self) -> None:
        profile, plan = demo_run()
        report = build(judge(recording(), profile, plan), recording(), profile, plan, version="1")
        offset = report.statements.clock.device_offset_s
        assert offset is not None
        assert abs(offset) <= 1
        assert "Device clock minus bench clock: +" in section(report, "clock")

    def test_interruptions(self) -> None:
        record = transcript()
        record.add("resumed", 500.0, after="killed", gap_s=412.0)
        assert "2025-09-15 10:08:20 6:52 the program of the bench ended abruptly" in section(of(record), "clock")
        assert "No interruption is on record." in section(of(transcript()), "clock")


def attempt(record: Transcript, t: float, answer: str | None, number: int | None = None, **act: str) -> None:
    told = {"step": "openings", "act": "open", "method": "face", "person": "A", **act}
    record.add("act", t, phase="begin", **told, **({} if number is None else {"attempt": number}))
    if answer is not None:
        record.add("act", t + 6, step=told["step"], phase="end", answer=answer)


class TestOperator:
    def test_every_attempt_with_its_window_and_answer(self) -> None:
        record = transcript()
        attempt(record, 0.0, "erred", 1)
        attempt(record, 10.0, "paused", 2)
        attempt(record, 20.0, None, 3)
        attempt(record, 30.0, "done", 4)
        report = of(record)
        acts = report.statements.acts
        assert [(act.attempt, act.answer, act.done) for act in acts] == [
            (1, "erred", False), (2, "paused", False), (3, "", False), (4, "done", True),
        ]  # fmt: skip
        assert (acts[0].begin, acts[0].end, acts[2].end) == (EPOCH, EPOCH + 6, None)
        shown = section(report, "acts")
        assert "door opened, face, person A 1 2025-09-15 10:00:00 – 10:00:06 done wrong, to be repeated" in shown
        assert "3 2025-09-15 10:00:20 – ? interrupted" in shown
        assert "4 attempts, 3 of them not done" in text.render(report)
        _start, end = events(report)
        assert [act["answer"] for act in end["acts"]] == ["erred", "paused", None, "done"]

    def test_attempts_are_counted_where_the_record_does_not(self) -> None:
        record = transcript()
        attempt(record, 0.0, "erred")
        attempt(record, 10.0, "done")
        attempt(record, 20.0, "done")
        attempt(record, 30.0, "done", person="B")
        assert [act.attempt for act in of(record).statements.acts] == [1, 2, 1, 1]

    def test_openings_outside_the_windows_are_listed_without_the_person(self) -> None:
        record = transcript()
        for number in range(MAX_OUTSIDE + 2):
            opening = (
                f"QN=2025091510000{number:04d};ST=81;CN=3020;PW=123456;MN={MN};Flag=5;CP=&&"
                f"i32004-Info=2;i32005-Info=NX000099;i32006-Info=2025091510{number // 60:02d}{number % 60:02d}&&"
            )
            record.add("bytes", 10.0 + number, data=build_frame(opening.encode()), link=1, direction="in")
        report = of(record, replace(demo_profile(), device={"mn": MN}))
        assert report.statements.outside_count == MAX_OUTSIDE + 2
        first = report.statements.outside[0]
        assert (first.seq, first.at) == (0, EPOCH + 10)
        assert first.content == "i32004=2;i32005=person-1;i32006=20250915100000"
        assert "and 2 more" in section(report, "acts")
        assert not any("NX000099" in render(report) for render in RENDERERS)

    def test_none_is_said(self) -> None:
        shown = section(of(transcript()), "acts")
        assert "No act is on record." in shown
        assert "Openings outside the windows None." in shown


class TestSettings:
    @staticmethod
    def record(*rows: tuple[str, str, str], **told: str) -> Transcript:
        record = transcript()
        for name, phase, value in rows:
            record.add("setting", 1.0, name=name, phase=phase, value=value, **told)
        return record

    @pytest.mark.parametrize(
        ("phases", "state", "left"),
        [
            (("read",), "read", False),
            (("read", "set", "restored"), "restored", False),
            (("read", "set", "restored", "read"), "restored", False),
            (("read", "set"), "set", True),
            (("read", "set", "read"), "set", True),
            (("read", "set", "lost"), "lost", True),
            (("read", "set", "lost", "restored"), "restored", False),
        ],
    )
    def test_how_the_device_was_left(self, phases: tuple[str, ...], state: str, left: bool) -> None:
        values = {"read": "900", "set": "60", "restored": "900", "lost": "900"}
        report = of(self.record(*(("RtdInterval", phase, values[phase]) for phase in phases)))
        (setting,) = report.statements.settings
        assert (setting.state, setting.left_changed, setting.found) == (state, left, "900")
        assert setting.changed_to == ("60" if "set" in phases else "")
        assert ("The device was not left as it was found: RtdInterval" in html.render(report)) is left
        _start, end = events(report)
        assert end["not_restored"] == (["RtdInterval"] if left else [])

    def test_what_was_not_put_back_is_named_last(self) -> None:
        report = of(self.record(("RtdInterval", "read", "900"), ("RtdInterval", "set", "60"), why="no answer"))
        *_rest, told, last = text.render(report).splitlines()
        assert told.startswith("NOT AS FOUND: RtdInterval was 900, is 60: NOT put back")
        assert told.endswith("no answer")
        assert last.startswith("Not judged:")
        headings = re.findall(r"<section class=\"(\S+?)\"", html.render(report))
        assert headings[-2:] == ["settings", "frames"]

    def test_a_password_that_was_set_is_not_shown(self) -> None:
        report = of(self.record(("NewPW", "read", "135790"), ("NewPW", "set", "246801"), ("NewPW", "lost", "135790")))
        (setting,) = report.statements.settings
        assert (setting.found, setting.changed_to) == (MASK, MASK)
        assert not any(secret in render(report) for render in RENDERERS for secret in ("135790", "246801"))

    def test_nothing_changed(self) -> None:
        assert "Nothing is on record as changed." in section(of(transcript()), "settings")


class TestForwarding:
    def test_acknowledgements_are_labelled_by_whom(self) -> None:
        record = transcript()
        record.add("run", 0.0, mode={"passive": True, "forward": "203.0.113.9:8212", "shorten_s": 0})
        record.add("bytes", 1.0, data=REPORT, link=1, direction="in")
        relayed = DATA_ANSWER + build_frame(f"QN=1;ST=81;CN=1011;PW=123456;MN={MN};Flag=5;CP=&&&&".encode())
        record.add("bytes", 2.0, data=relayed[:30], link=1, direction="out", by="platform")
        record.add("bytes", 2.1, data=relayed[30:], link=1, direction="out", by="platform")
        record.add("bytes", 3.0, data=DATA_ANSWER, link=1, direction="out")
        report = of(record)
        forwarding = report.statements.forwarding
        assert forwarding is not None
        assert (forwarding.by_platform, forwarding.by_suite, forwarding.frames) == (1, 1, 2)
        assert [(row.kind, row.cn) for row in report.frames][1:] == [
            (FrameKind.PLATFORM, "9014"), (FrameKind.PLATFORM, "1011"), (FrameKind.OURS, "9014"),
        ]  # fmt: skip
        assert not any(row.incoming for row in list(report.frames)[1:])
        assert sum(row.size for row in report.frames) == sum(len(entry.data) for entry in record)
        assert "by the official platform 1 by the suite itself 1" in section(report, "forwarding")
        assert "1 by the official platform, 1 by the suite" in text.render(report)
        assert "123456" not in html.render(report)

    def test_nothing_is_said_where_nothing_was_forwarded(self) -> None:
        report = of(transcript())
        assert report.statements.forwarding is None
        assert 'class="forwarding"' not in html.render(report)


RUNS = [
    {
        "started": EPOCH - 3600, "ended": None, "state": "aborted", "exit_code": None, "digest": "cd" * 32,
        "counts": {}, "number": "",
    },
    {
        "started": EPOCH - 86400, "ended": EPOCH - 80000, "state": "finished", "exit_code": 1, "digest": "ab" * 32,
        "counts": {"FAIL": 3, "PASS": 40}, "number": "CT-6",
    },
]  # fmt: skip


class TestEarlierRuns:
    def test_they_are_listed_oldest_first(self) -> None:
        record = transcript()
        record.add("history", 0.0, runs=RUNS, damage=[{"line": 7, "why": "changed"}, {"line": 9, "why": "tomorrow's"}])
        report = of(record)
        shown = section(report, "earlier")
        finished = f"2025-09-14 10:00:00 2025-09-14 11:46:40 finished PASS 40, FAIL 3 CT-6 {'ab' * 32}"
        aborted = f"2025-09-15 09:00:00 — aborted — — {'cd' * 32}"
        assert finished in shown
        assert shown.index(finished) < shown.index(aborted)
        assert "the list of runs was changed at line 7" in shown
        assert "the list of runs was changed at line 7" in text.render(report)
        _start, end = events(report)
        assert [run["state"] for run in end["earlier_runs"]] == ["finished", "aborted"]
        assert end["earlier_runs"][0]["counts"] == {"PASS": 40, "FAIL": 3}

    def test_none_on_record_is_not_the_same_as_nobody_looked(self) -> None:
        looked = transcript()
        looked.add("history", 0.0, runs=[])
        assert section(of(looked), "earlier").endswith("None on record.")
        assert section(of(transcript()), "earlier").endswith("No register of runs was consulted.")
        assert [events(of(r))[1]["earlier_runs"] for r in (looked, transcript())] == [[], None]


class TestReport:
    def test_limits_that_a_fail_compares_with_are_marked(self) -> None:
        profile, plan = demo_run()
        results = judge(recording("late-upload"), profile, plan)
        report = build(results, recording("late-upload"), profile, plan, version="1")
        decisive = {limit.name for limit in report.limits if report.failing(limit)}
        assert "latency_fail_s" in decisive
        assert "max_log_bytes" not in decisive
        assert html.render(report).count('<tr class="decisive">') == len(decisive)
        assert "Used by what is FAIL: access/report/latency" in section(report, "all-limits")

    def test_what_was_not_judged_is_listed_with_its_reason(self) -> None:
        report = of(transcript(), None, (result(Verdict.PENDING, next(iter(CASES)), "HJ 212-2017 A"),))
        shown = section(report, "not-judged")
        assert "PENDING actual 1 :" in shown
        assert all(case in shown for case in CASES)
        assert "Every case of the suite was judged." not in shown

    def test_places_to_sign_name_who_is_declared(self) -> None:
        report = of(transcript(), Profile("p", test={"tester": "王", "reviewer": "李"}))
        assert [(place.role, place.name) for place in report.document.signatures] == [
            ("Chief tester", "王"), ("Reviewer", "李"), ("Approved by", ""),
        ]  # fmt: skip
        assert re.search(r'class="signatures".*Signature.*Date', html.render(report), re.DOTALL)

    def test_entries_of_another_shape_break_no_renderer(self) -> None:
        record = transcript()
        for kind in ("run", "history", "connect", "listen"):
            record.add(kind, 1.0)
        record.add("clock", 2.0, event="tomorrow's", seconds=1.0, since=1.0)
        record.add("act", 3.0, phase="begin", act="juggle", step="circus")
        record.add("history", 4.0, runs=[{"started": "?", "counts": 3}, 7])
        report = of(record)
        assert all(render(report) for render in RENDERERS)
        assert report.statements.acts[0].words == "juggle"
