"""One set of facts, rendered in every format: complete, self-contained, and without a secret in it."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import string
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise

import jsonschema
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Properties, Skipped

from conformance.case import CASES
from conformance.catalogue import case_text
from conformance.demo import demo_profile, rehearse
from conformance.judge import judge
from conformance.plan import Plan, make_plan
from conformance.profile import Limits, Profile
from conformance.report import Report, build, html, jsonlines, junit, text
from conformance.report.facts import MAX_PLACES, MAX_QUOTES
from conformance.report.frames import FrameKind, FrameLog
from conformance.report.timeline import BIN, LEFT, MAX_OFFENDING, WIDTH, draw
from conformance.report.words import DISCLAIMER, TITLE, TRIAL_RUN
from conformance.transcript import Transcript
from conformance.verdicts import CaseResult, Outcome, Ref, Verdict, say
from hj212.framing import build_frame
from stationgate import language
from stationgate.exits import ExitCode
from stationgate.language import Language
from stationgate.layout import display_width
from stationgate.redaction import MASK

VERSION = "1.2.3"
CRC = "access/framing/crc"
SAMPLE = {
    "client": "委托方",
    "manufacturer": "制造方",
    "model": "AC-1 <b>&amp;",
    "serial_number": "42",
    "firmware_version": "3.4",
}
TEST = {"place": "银川", "tester": "王", "reviewer": "李", "basis": "HJ 212-2017", "report_number": "CT-1"}
RENDERERS: dict[str, Callable[[Report], str]] = {
    "text": text.render,
    "html": html.render,
    "junit": junit.render,
    "jsonlines": jsonlines.render,
}


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LANGUAGE", os.environ.get("LANGUAGE", "en"))
    language.activate("en")
    yield
    language.activate("en")


@cache
def run(*faults: str, select: tuple[str, ...] = ()) -> tuple[list[CaseResult], Transcript, Profile, Plan]:
    profile = demo_profile()
    plan = make_plan(profile, select)
    transcript = rehearse(plan, profile, faults, sockets=False)
    return judge(transcript, profile, plan), transcript, profile, plan


@cache
def report(*faults: str, lang: Language = "en") -> Report:
    results, transcript, profile, plan = run(*faults)
    return build(results, transcript, profile, plan, version=VERSION, lang=lang)


def result(verdict: Verdict, case: str = CRC, **changes: object) -> CaseResult:
    outcome = Outcome(verdict, say("expected"), say("actual of {verdict}", verdict=verdict.value))
    return CaseResult(case, "REQ-A-07d", "HJ 212-2017 A", "shall", replace(outcome, **changes), "real")  # type: ignore[arg-type]


def of(
    results: Sequence[CaseResult],
    transcript: Transcript | None = None,
    profile: Profile | None = None,
    **options: object,
) -> Report:
    """Return the report of results made by hand."""
    used = Profile("hand-made") if profile is None else profile
    record = Transcript(epoch=1_757_900_000.0, clock="real") if transcript is None else transcript
    return build(results, record, used, make_plan(used), version=VERSION, **options)  # type: ignore[arg-type]


def one_of_each() -> list[CaseResult]:
    """Return a case with each verdict."""
    return [result(verdict, id) for verdict, id in zip(Verdict, CASES, strict=False)]


def frames(*data: bytes) -> Transcript:
    transcript = Transcript(epoch=1_757_900_000.0, clock="real")
    for index, piece in enumerate(data):
        transcript.add("bytes", float(index), data=piece, link=1, direction="in")
    return transcript


class TestFacts:
    def test_counts_name_every_verdict(self) -> None:
        facts = of(one_of_each())
        assert facts.counts == dict.fromkeys(Verdict, 1)
        assert sum(report("modbus-crc").counts.values()) == len(CASES)

    @pytest.mark.parametrize(
        ("verdicts", "strict", "code"),
        [
            ((Verdict.PASS, Verdict.NOT_APPLICABLE, Verdict.WARN), False, ExitCode.OK),
            ((Verdict.PASS, Verdict.WARN), True, ExitCode.FAIL),
            ((Verdict.PENDING,), False, ExitCode.INCONCLUSIVE),
            ((Verdict.ERROR, Verdict.INCONCLUSIVE), False, ExitCode.ERROR),
            ((Verdict.ERROR, Verdict.FAIL), False, ExitCode.FAIL),
        ],
    )
    def test_exit_code(self, verdicts: tuple[Verdict, ...], strict: bool, code: ExitCode) -> None:
        assert of([result(verdict) for verdict in verdicts], strict=strict).exit_code is code

    def test_not_judged_is_grouped_by_verdict_and_reason(self) -> None:
        waits = say("waits")
        facts = of(
            [
                result(Verdict.PASS, "access/link/speaks"),
                result(Verdict.PENDING, "access/alarm/fault", actual=waits),
                result(Verdict.PENDING, "access/alarm/fault-end", actual=waits),
                result(Verdict.ERROR, "access/alarm/dismantle"),
            ]
        )
        error, pending, rest = facts.not_judged
        assert (error.verdict, error.cases) == (Verdict.ERROR, ("access/alarm/dismantle",))
        assert (pending.verdict, pending.reason) == (Verdict.PENDING, "waits")
        assert pending.cases == ("access/alarm/fault", "access/alarm/fault-end")
        assert (rest.verdict, rest.reason, len(rest.cases)) == (None, "not selected for this run", len(CASES) - 4)
        assert facts.not_judged_count == len(CASES) - 1
        assert facts.total == len(CASES)

    def test_requirements_follow_the_catalogue_and_sub_checks_their_letters(self) -> None:
        facts = report()
        ids = [requirement.id for requirement in facts.requirements]
        assert ids == sorted(ids)
        letters = [case.requirement for case in facts.requirements[ids.index("REQ-A-07")].cases]
        assert letters == sorted(letters)
        assert len(facts.cases) == len(CASES)

    def test_trial_run_names_what_is_missing(self) -> None:
        facts = report()
        assert facts.trial_run
        assert facts.missing_keys[0] == "sample.client"
        assert "firmware version" in facts.missing
        assert not of([], profile=Profile("full", sample=SAMPLE, test=TEST)).trial_run

    def test_identity_of_the_device(self) -> None:
        device = report().device
        assert (device.mn, device.st, device.edition) == ("64010000ACCE550000000001", "81", "HJ 212-2017")

    def test_period_is_the_transcripts_unless_told(self) -> None:
        _results, transcript, *_rest = run()
        facts = report()
        assert (facts.started, facts.ended) == (transcript[0].t_wall, transcript[-1].t_wall)
        told = of([], started=1.0, ended=2.0)
        assert (told.started, told.ended) == (1.0, 2.0)
        assert of([]).started == 1_757_900_000.0

    def test_quoted_frame_holds_the_marked_bytes(self) -> None:
        case = next(case for case in report("modbus-crc").cases if case.id == CRC)
        assert len(case.quotes) == MAX_QUOTES
        assert case.quote_count == case.place_count == 8
        quote = case.quotes[0]
        (low, high), place = quote.marks[0], quote.places[0]
        assert high - low == 4
        assert re.fullmatch("[0-9A-F]{4}", place.text)
        assert place.text in case.actual

    def test_frame_meant_as_a_whole_has_no_marks(self) -> None:
        data = build_frame(b"QN=1;ST=81;CN=3020;PW=1;MN=1;Flag=5;CP=&&&&")
        facts = of([result(Verdict.FAIL, evidence=(Ref(0, 0, len(data)),))], frames(data))
        quote = facts.cases[0].quotes[0]
        assert quote.marks == ()
        assert quote.row.size == len(data)

    def test_frame_split_over_entries_is_quoted_once(self) -> None:
        data = build_frame(b"QN=1;ST=81;CN=3020;PW=1;MN=1;Flag=5;CP=&&&&")
        evidence = (Ref(0, 2, 10), Ref(1, 0, 2))
        facts = of([result(Verdict.FAIL, evidence=evidence)], frames(data[:10], data[10:]))
        (quote,) = facts.cases[0].quotes
        assert quote.marks == ((2, 10), (10, 12))
        assert str(quote.places[0]) == "transcript 0; bytes 2-9"

    def test_evidence_that_points_nowhere_does_no_harm(self) -> None:
        facts = of([result(Verdict.FAIL, evidence=(Ref(99), Ref(0, 50, 60), Ref(0)))], frames(b"abc"))
        case = facts.cases[0]
        assert [place.text for place in case.places] == ["", "", "abc"]
        assert str(case.places[0]) == "transcript 99"

    def test_flood_of_evidence_is_limited_and_counted(self) -> None:
        facts = of([result(Verdict.PASS, evidence=tuple(Ref(0, i, i + 1) for i in range(1000)))], frames(b"x" * 1000))
        case = facts.cases[0]
        assert (len(case.places), case.place_count) == (MAX_PLACES, 1000)

    def test_case_that_is_not_judged_expects_its_title_in_the_reports_language(self) -> None:
        case = "access/framing/crc-upper-case"
        en, zh = (
            next(c for c in report("modbus-crc", lang=lang).cases if c.id == case).expected
            for lang in ("en", "zh")  # type: ignore[attr-defined]
        )
        assert (en, zh) == (case_text(case).en, case_text(case).zh)

    def test_limits_carry_their_origin_and_those_of_the_suite_are_named(self) -> None:
        case = next(case for case in report("drifting-timer").cases if case.id == "access/report/drift")
        assert case.verdict is Verdict.WARN
        assert "drift_s" in [limit.name for limit in case.suite_default]
        assert next(limit for limit in case.limits if limit.name == "drift_s").shown == "60 s"

    def test_case_of_another_suite_is_shown_as_it_is(self) -> None:
        facts = of([replace(result(Verdict.FAIL, "gone/case"), requirement="REQ-X-1")])
        assert (facts.requirements[0].id, facts.cases[0].title) == ("REQ-X-1", "gone/case")
        for render in RENDERERS.values():
            assert "gone/case" in render(facts)

    def test_report_says_nothing_secret_of_itself(self) -> None:
        assert not re.search(r"\b123456\b|NX0000", repr(report()))


class TestFrames:
    def test_every_frame_has_a_kind(self) -> None:
        kinds = [row.kind for row in report().frames]
        assert {kind: kinds.count(kind) for kind in FrameKind} == {
            FrameKind.PERIODIC: kinds.count(FrameKind.PERIODIC),
            FrameKind.CHANGE: 24,
            FrameKind.RECORD: 9,
            FrameKind.LOG: 9,
            FrameKind.REPLY: 6,
            FrameKind.OTHER: 2,
            FrameKind.UNREADABLE: 0,
            FrameKind.OURS: kinds.count(FrameKind.OURS),
            FrameKind.PLATFORM: 0,
        }
        assert kinds.count(FrameKind.PERIODIC) > 90

    def test_every_byte_of_the_transcript_belongs_to_one_row(self) -> None:
        _results, transcript, *_rest = run("not-hj212")
        log = FrameLog(report("not-hj212").evidence)
        assert sum(row.size for row in log) == sum(len(entry.data) for entry in transcript)
        assert {row.kind for row in log} <= {FrameKind.UNREADABLE, FrameKind.OURS}

    def test_frames_of_nobody_and_of_others(self) -> None:
        segments = (
            b"QN=1;ST=81;CN=3020;PW=1;MN=A;Flag=5;CP=&&i32001-Info=1&&",
            b"QN=2;ST=81;CN=3020;PW=1;MN=B;Flag=5;CP=&&i32001-Info=1&&",
            b"ST=81;CP=&&i32001-Info=1&&",
        )
        kinds = [row.kind for row in of([], frames(*map(build_frame, segments), b"noise\r\n")).frames]
        assert kinds == [FrameKind.CHANGE, FrameKind.OTHER, FrameKind.UNREADABLE, FrameKind.UNREADABLE]

    def test_command_that_is_none_is_not_shown(self) -> None:
        data = build_frame(b"QN=1;ST=81;CN=PW=123456;PW=123456;MN=1;Flag=5;CP=&&&&")
        assert [row.cn for row in of([], frames(data)).frames] == [""]


class TestText:
    def test_failure_shows_the_bytes_with_carets_below_them(self) -> None:
        shown = text.render(report("modbus-crc"))
        lines = shown.splitlines()
        head = next(i for i, line in enumerate(lines) if line.startswith("FAIL"))
        assert lines[head].split() == ["FAIL", CRC, "SHALL", "HJ", "212-2017", "A"]
        caret = next(i for i in range(head, len(lines)) if set(lines[i].strip()) == {"^"})
        at = lines[caret].index("^")
        marked = lines[caret - 1][at : at + lines[caret].count("^")]
        assert f"CRC {marked}, computed" in shown
        assert "(transcript 5; bytes 143-146)" in lines[caret + 1]
        assert f"conformance explain {CRC}" in shown

    def test_last_line_says_what_was_not_judged_and_why(self) -> None:
        assert text.render(report()).splitlines()[-1] == f"Not judged: 0 of {len(CASES)} cases."
        last = text.render(report("modbus-crc")).splitlines()[-1]
        assert last.startswith(f"Not judged: 1 of {len(CASES)} cases: 1 INCONCLUSIVE (depends on {CRC}")

    def test_many_reasons_are_summed_up(self) -> None:
        many = [result(Verdict.PENDING, id, actual=say("reason {n}", n=n)) for n, id in enumerate(CASES)]
        line = text.last_line(of(many))
        assert line.count("reason") == 7
        assert line.endswith(f"{len(CASES) - 6} for other reasons.")

    def test_passes_are_a_line_for_each_requirement(self) -> None:
        lines = [line for line in text.render(report()).splitlines() if line.startswith("PASS  REQ")]
        assert len(lines) == len(report().requirements)
        assert all(re.search(r" (\d+)/\1 ", line) for line in lines)

    def test_every_verdict_is_counted(self) -> None:
        shown = text.render(of(one_of_each()))
        assert all(f"{verdict.value} 1" in shown for verdict in Verdict)
        for verdict in (Verdict.FAIL, Verdict.WARN, Verdict.INCONCLUSIVE, Verdict.PENDING, Verdict.ERROR):
            assert f"\n{verdict.value}  access/" in shown

    def test_fixed_lines(self) -> None:
        for lang, index in (("zh", 0), ("en", 1)):
            shown = text.render(report(lang=lang))  # type: ignore[arg-type]
            assert shown.startswith(TITLE[index])
            assert TRIAL_RUN[index] in shown
            assert DISCLAIMER[index] in shown

    def test_limit_of_the_suite_is_said(self) -> None:
        assert "rests on limits that only the suite chose: drift_s = 60 s" in text.render(report("drifting-timer"))

    @pytest.mark.parametrize("width", [40, 72, 100, 160])
    def test_lines_keep_to_the_width_where_words_allow(self, width: int) -> None:
        for line in text.render(report("method-collapsed"), width=width).splitlines():
            if line.startswith("  "):
                assert display_width(line) <= max(width, 60) or " " not in line.strip(), line

    def test_no_symbol_outside_gbk_and_no_control_character(self) -> None:
        data = build_frame("QN=1;ST=81;CN=3020;PW=1;MN=1;Flag=5;CP=&&i31001-Info=//😀\u202e\x1b[2J é//&&".encode())
        facts = of([result(Verdict.FAIL, evidence=(Ref(0, 60, 64),), actual=say("{x}", x="😀\x1b"))], frames(data))
        shown = text.render(facts)
        shown.encode("gbk")
        assert r"\U0001F600" in shown
        assert r"\x1B[2J" in shown
        assert all(char == "\n" or char.isprintable() for char in shown)

    def test_long_frame_is_cut_around_the_mark(self) -> None:
        data = build_frame(b"QN=1;ST=81;CN=3020;PW=1;MN=1;Flag=5;CP=&&x=" + b"y" * 4000 + b"&&")
        facts = of([result(Verdict.FAIL, evidence=(Ref(0, 3000, 3004),))], frames(data))
        shown = text.render(facts)
        assert shown.count("y") < 400
        assert "^^^^" in shown
        assert re.search(r"\[\d+ bytes\]", shown)

    def test_wide_characters_have_wide_carets(self) -> None:
        data = build_frame("QN=1;ST=81;CN=3020;PW=1;MN=1;Flag=5;CP=&&i31001-Info=//门开//&&".encode())
        at = data.index("开".encode())
        facts = of([result(Verdict.FAIL, evidence=(Ref(0, at, at + 3),))], frames(data))
        lines = text.render(facts).splitlines()
        caret = next(i for i, line in enumerate(lines) if set(line.strip()) == {"^"})
        assert lines[caret].strip() == "^^"
        assert display_width(lines[caret - 1][: lines[caret - 1].index("开")]) == lines[caret].index("^")

    def test_colour_only_when_asked_for(self) -> None:
        plain, coloured = text.render(report("modbus-crc")), text.render(report("modbus-crc"), colour=True)
        assert "\x1b[" not in plain
        assert "\x1b[31m" in coloured
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain

    def test_colour_is_wanted_on_a_terminal_without_no_color(self) -> None:
        class Terminal(io.StringIO):
            def isatty(self) -> bool:
                return True

        assert text.colour_wanted(Terminal(), {"TERM": "xterm"})
        assert not text.colour_wanted(Terminal(), {"NO_COLOR": "1"})
        assert not text.colour_wanted(Terminal(), {"TERM": "dumb"})
        assert not text.colour_wanted(io.StringIO(), {})


VOID = {"meta", "br", "wbr", "link", "img", "input", "hr"}
#: SVG shapes that the template closes in place.
FETCHING = {"src", "srcset", "href", "data", "action", "poster", "background", "xlink:href", "formaction"}


class Page(HTMLParser):
    """Checks that tags close and collects what a page refers to."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.cells: list[str] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in FETCHING:
                self.references.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()


@pytest.mark.parametrize("lang", ["zh", "en"])
@pytest.mark.parametrize("faults", [(), ("modbus-crc",), ("drifting-timer",), ("not-hj212",)])
class TestHtmlOfRuns:
    def test_page_is_well_formed_and_refers_to_nothing_outside(self, faults: tuple[str, ...], lang: Language) -> None:
        source = html.render(report(*faults, lang=lang))
        page = Page(source)
        assert page.open == []
        assert "link" not in page.tags
        assert "img" not in page.tags
        assert all(reference.startswith("#") for reference in page.references)
        assert {reference[1:] for reference in page.references} <= set(page.ids)
        assert len(page.ids) == len(set(page.ids))
        assert not re.search(r"url\(|@import|https?://|fetch\(|XMLHttp", source)

    def test_fixed_lines_and_no_claim(self, faults: tuple[str, ...], lang: Language) -> None:
        source = html.render(report(*faults, lang=lang))
        for pair in (TITLE, TRIAL_RUN, DISCLAIMER):
            assert all(line in source for line in pair)
        assert "certificate" not in source.lower()
        assert "证书" not in source
        assert report(*faults).digest in source


class TestHtml:
    def test_full_profile_is_no_trial_run_and_is_escaped(self) -> None:
        profile = replace(demo_profile(), sample=SAMPLE, test=TEST)
        source = html.render(of(one_of_each(), profile=profile))
        assert TRIAL_RUN[0] not in source
        assert "AC-1 &lt;b&gt;&amp;amp;" in source
        assert "CT-1" in source
        Page(source)

    def test_missing_entries_are_dashes(self) -> None:
        assert html.render(report()).count('<td class="missing">—</td>') == 11

    def test_device_cannot_write_markup(self) -> None:
        data = build_frame(b"QN=1;ST=81;CN=3020;PW=1;MN=1;Flag=5;CP=&&x=</pre><script>alert(1)</script>&&")
        actual = say("{x}", x="<script>alert(2)</script>")
        source = html.render(of([result(Verdict.FAIL, evidence=(Ref(0, 50, 60),), actual=actual)], frames(data)))
        assert source.count("<script>") == 1
        Page(source)

    def test_marked_bytes_have_a_marker_in_the_text_too(self) -> None:
        facts = report("modbus-crc")
        place = next(case for case in facts.cases if case.id == CRC).places[0]
        assert re.search(
            rf'<mark class="short"><i class="m">»</i>{place.text}<i class="m">«</i></mark>', html.render(facts)
        )

    def test_every_case_not_passed_has_a_block(self) -> None:
        ids = Page(html.render(of(one_of_each()))).ids
        for verdict, id in zip(Verdict, CASES, strict=False):
            assert (id in ids) == (verdict not in (Verdict.PASS, Verdict.NOT_APPLICABLE))

    @pytest.mark.parametrize(
        ("verdicts", "headline"),
        [
            ((Verdict.PASS,), "Everything that was judged passed."),
            ((Verdict.PASS, Verdict.WARN), "Everything that was judged passed, with warnings."),
            ((Verdict.INCONCLUSIVE, Verdict.WARN), "No case failed, but not every case could be judged."),
            ((Verdict.ERROR, Verdict.PENDING), "The test system itself failed; this says nothing about the device."),
            ((Verdict.ERROR, Verdict.FAIL), "1 case failed."),
            ((Verdict.FAIL, Verdict.FAIL), "2 cases failed."),
        ],
    )
    def test_headline(self, verdicts: tuple[Verdict, ...], headline: str) -> None:
        cases = [result(verdict, id) for verdict, id in zip(verdicts, CASES, strict=False)]
        assert f">{headline}<" in html.render(of(cases))

    def test_script_is_the_one_that_the_policy_allows(self) -> None:
        source = html.render(report())
        script = source[source.index("<script>") + 8 : source.rindex("</script>")]
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        assert f"script-src 'sha256-{digest}'" in source
        assert "default-src 'none'" in source

    def test_verdict_resting_on_the_suite_says_so(self) -> None:
        source = html.render(report("drifting-timer"))
        assert re.search(r"rests on limits that only the suite chose.*drift_s", source)

    def test_frame_table_is_limited_and_keeps_what_matters(self) -> None:
        frame = build_frame(b"QN=1;ST=81;CN=3020;PW=1;MN=1;Flag=5;CP=&&&&")
        transcript = frames(*[frame] * 1000)
        source = html.render(of([result(Verdict.FAIL, evidence=(Ref(999, 2, 6),))], transcript))
        rows = re.findall(r'<tr(?: class="offending")?><td class="number">(\d+)</td><td class="time">', source)
        assert len(rows) == html.MAX_TABLE_FRAMES
        assert rows[-1] == "999"
        assert f"{1000 - html.MAX_TABLE_FRAMES} more not listed" in source

    def test_empty_run(self) -> None:
        Page(html.render(of([])))

    def test_same_facts_same_file(self) -> None:
        results, transcript, profile, plan = run("modbus-crc")
        again = build(results, transcript, profile, plan, version=VERSION, lang="en")
        assert html.render(again) == html.render(report("modbus-crc"))


class TestTimeline:
    def test_everything_is_inside_and_offending_frames_stand_out(self) -> None:
        drawing = draw(report("modbus-crc"))
        for mark in drawing.marks:
            assert LEFT - 2 <= mark.x <= WIDTH
            assert drawing.top <= mark.y <= drawing.bottom
        red = [mark for mark in drawing.marks if mark.offending]
        assert len(red) == 8
        assert all(CRC in mark.title for mark in red)
        assert [band.label for band in drawing.steps] == [str(n + 1) for n in range(len(drawing.steps))]
        assert len(drawing.acts) == len(report("modbus-crc").evidence.acts)
        assert "person A" in drawing.acts[0].title

    def test_steps_fill_the_axis_without_gap(self) -> None:
        steps = draw(report()).steps
        ends = [round(band.x + band.width) for band in steps]
        assert [round(band.x) for band in steps] == [round(LEFT), *ends[:-1]] or all(
            abs(band.x - end) < 1 for band, end in zip(steps[1:], ends, strict=False)
        )
        assert abs(ends[-1] - WIDTH) <= 1

    def test_ticks_do_not_overlap(self) -> None:
        ticks = draw(report()).ticks
        assert len(ticks) > 4
        for before, after in pairwise(ticks):
            assert after.x - before.x >= 6 * len(before.label)

    @pytest.mark.parametrize("steps", [True, False])
    def test_flood_becomes_few_marks(self, steps: bool) -> None:
        transcript = Transcript(epoch=0.0, clock="real")
        frame = build_frame(b"QN=1;ST=81;CN=3020;PW=1;MN=1;Flag=5;CP=&&&&")
        if steps:
            transcript.add("step", 0.0, step="observe", phase="begin")
        for index in range(20_000):
            transcript.add("bytes", index / 7, data=frame, link=1, direction="in")
        evidence = tuple(Ref(seq, 0, 4) for seq in range(10, 10 + 2 * MAX_OFFENDING))
        facts = of([result(Verdict.FAIL, evidence=evidence)], transcript)
        drawing = draw(facts)
        assert len(drawing.marks) <= (WIDTH - LEFT) / BIN + 1 + MAX_OFFENDING
        assert any("neighbours share a mark" in note for note in drawing.notes)
        assert any(f"first {MAX_OFFENDING} frames" in note for note in drawing.notes)
        shared = [int(mark.title.split(" x ")[0]) for mark in drawing.marks if " x " in mark.title]
        assert sum(shared) + sum(" x " not in m.title and not m.offending for m in drawing.marks) == 20_000 - len(
            evidence
        )

    def test_interrupted_run(self) -> None:
        transcript = Transcript(epoch=0.0, clock="real")
        transcript.add("listen", 0.0)
        transcript.add("step", 1.0, step="connect", phase="begin")
        transcript.add("step", 2.0, step="a step of tomorrow", phase="begin")
        drawing = draw(of([], transcript))
        assert [(step.title, step.result) for step in drawing.step_table][1] == ("a step of tomorrow", "interrupted")


class TestJUnit:
    @staticmethod
    def parsed(facts: Report) -> JUnitXml:
        return JUnitXml.fromstring(junit.render(facts).encode())

    def test_each_verdict_becomes_what_ci_understands(self) -> None:
        document = self.parsed(of(one_of_each()))
        (suite,) = document
        assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (7, 1, 1, 3)
        kinds = {
            Verdict.PASS: (),
            Verdict.WARN: (),
            Verdict.FAIL: (Failure,),
            Verdict.ERROR: (Error,),
            Verdict.INCONCLUSIVE: (Skipped,),
            Verdict.PENDING: (Skipped,),
            Verdict.NOT_APPLICABLE: (Skipped,),
        }
        by_name = {case.name: case for case in suite}
        for verdict, id in zip(Verdict, CASES, strict=False):
            found = by_name[id].result
            assert tuple(map(type, found)) == kinds[verdict]
            if found:
                assert found[0].message == f"{verdict.value}: actual of {verdict.value}"

    def test_properties_of_a_case(self) -> None:
        data = frames(b"x" * 20)
        facts = of([result(Verdict.WARN, evidence=(Ref(0, 3, 7),), suite_default=("drift_s",))], data)
        (case,) = next(iter(self.parsed(facts)))
        found = {p.name: p.value for p in case.child(Properties)}
        assert found == {
            "verdict": "WARN",
            "title": case_text(CRC).en,
            "requirement": "REQ-A-07d",
            "clause": "HJ 212-2017 A",
            "level": "shall",
            "time-mode": "real",
            "warning": "actual of WARN",
            "suite-default": "drift_s = 60 s",
            "evidence": "0:3-7",
        } | ({"suite-default": found["suite-default"]})

    def test_failure_shows_the_frame(self) -> None:
        (suite,) = self.parsed(report("modbus-crc"))
        case = next(case for case in suite if case.name == CRC)
        assert case.classname == "conformance.access.framing"
        assert "^^^^" in case.result[0].text
        assert "transcript 5; bytes 143-146" in case.result[0].text

    def test_suite_says_what_it_was(self) -> None:
        (suite,) = self.parsed(report("modbus-crc"))
        found = {p.name: p.value for p in suite.properties()}
        assert found["trial-run"] == "true"
        assert found["exit-code"] == "1"
        assert found["not-judged"].startswith("Not judged: 1 of")
        assert suite.timestamp == "2025-09-15T09:59:30+08:00"
        assert suite.time > 80_000


INTEGER = {"type": "integer"}
CASE_SCHEMA = {
    "type": "object",
    "required": [
        "id",
        "verdict",
        "requirement",
        "clause",
        "expected",
        "actual",
        "evidence",
        "level",
        "time_mode",
        "title",
    ],
    "properties": {
        "verdict": {"enum": [verdict.value for verdict in Verdict]},
        "level": {"enum": ["shall", "should"]},
        "time_mode": {"enum": ["real", "device-configured", "virtual"]},
        "hint": {"type": ["string", "null"]},
        "evidence": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["seq", "start", "end", "text"],
                "additionalProperties": False,
                "properties": {"seq": INTEGER, "start": INTEGER, "end": INTEGER, "text": {"type": "string"}},
            },
        },
    },
}
END_SCHEMA = {
    "type": "object",
    "required": ["counts", "exit_code", "not_judged"],
    "properties": {
        "counts": {
            "type": "object",
            "required": [v.value for v in Verdict],
            "additionalProperties": {"type": "integer"},
        },
        "exit_code": {"enum": [0, 1, 3, 4]},
        "not_judged": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["verdict", "reason", "count", "cases"],
                "properties": {"verdict": {"type": ["string", "null"]}, "count": {"type": "integer"}},
            },
        },
    },
}


class TestJsonLines:
    @pytest.mark.parametrize("lang", ["zh", "en"])
    @pytest.mark.parametrize("faults", [(), ("modbus-crc",), ("clock-not-readable",), ("gbk-log",)])
    def test_events_of_runs(self, faults: tuple[str, ...], lang: Language) -> None:
        facts = report(*faults, lang=lang)
        start, *cases, end = [json.loads(line) for line in jsonlines.render(facts).splitlines()]
        assert all((event["schema"], next(iter(event))) == (1, "event") for event in (start, *cases, end))
        assert start["event"] == "run-start"
        assert start["language"] == lang
        for case in cases:
            assert case["event"] == "case"
            jsonschema.validate(case, CASE_SCHEMA)
        assert end["event"] == "run-end"
        jsonschema.validate(end, END_SCHEMA)
        assert sum(end["counts"].values()) == len(cases) == start["cases"]
        assert end["exit_code"] == facts.exit_code
        assert end["transcript_sha256"] == facts.digest

    def test_every_verdict(self) -> None:
        *_start, end = jsonlines.events(of(one_of_each()))
        assert end["counts"] == {verdict.value: 1 for verdict in Verdict}
        assert [group["verdict"] for group in end["not_judged"]] == [
            "ERROR", "INCONCLUSIVE", "PENDING", "NOT_APPLICABLE", None,
        ]  # fmt: skip

    def test_evidence_is_counted_in_bytes_of_the_entry(self) -> None:
        events = list(jsonlines.events(report("modbus-crc")))
        case = next(event for event in events if event.get("id") == CRC)
        first = case["evidence"][0]
        assert (first["seq"], first["start"], first["end"]) == (5, 143, 147)
        assert first["text"] in case["actual"]

    def test_codes_stay_english(self) -> None:
        for line in jsonlines.render(report("modbus-crc", lang="zh")).splitlines():
            event = json.loads(line)
            assert all(key.isascii() for key in event)
            assert event.get("verdict", "PASS") in {verdict.value for verdict in Verdict}


OPENING = ("access/opening", "access/values", "access/header/password", "access/header/chinese-text")
FAULTS: list[tuple[str, ...]] = [
    (),
    ("gbk-log",),
    ("chinese-person-code",),
    ("code-per-method",),
    ("shared-person-code",),
    ("wrong-password",),
    ("method-collapsed", "modbus-crc"),
]
#: Faults after which the log shows a number that i32005 does not: what can be told from a word is hidden.
IN_LOG_ONLY = [("chinese-person-code",), ("shared-person-code",), ("code-per-method",)]
DISTINCTIVE = st.text(string.ascii_letters + string.digits + "-_.*", min_size=4, max_size=24)
PASSWORDS = st.text(string.ascii_letters + string.digits + "!$%()*+-./:?@[]^_{|}~", min_size=4, max_size=12)


def disguised(
    faults: tuple[str, ...], pw: str, people: dict[bytes, bytes], cuts: random_cuts
) -> tuple[Transcript, Profile]:
    """Return a recorded run with other secrets, its frames whole again but for what the fault does to them."""
    _results, original, profile, _plan = run(*faults, select=OPENING)
    transcript = Transcript(epoch=original.epoch, clock=original.clock)
    for entry in original:
        data = entry.data
        for old, new in {b"123456": pw.encode(), **people}.items():
            data = data.replace(old, new)
        known = {"device": entry.device, "link": entry.link, "transport": entry.transport, "direction": entry.direction}
        at = cuts(len(data)) if entry.direction == "in" else 0
        if 0 < at < len(data):
            transcript.add(entry.kind, entry.t_mono, data=data[:at], **known)  # type: ignore[arg-type]
            data = data[at:]
        transcript.add(entry.kind, entry.t_mono, data=data, **known, **entry.attachment)  # type: ignore[arg-type]
    return transcript, replace(profile, device={**profile.device, "pw": pw})


random_cuts = Callable[[int], int]


def everything(transcript: Transcript, profile: Profile) -> str:
    plan = make_plan(profile, OPENING)
    facts = build(judge(transcript, profile, plan), transcript, profile, plan, version=VERSION, lang="en")
    return "\n".join(render(facts) for render in RENDERERS.values())


@cache
def usual() -> str:
    return "\n".join(everything(*run(*faults, select=OPENING)[1:3]) for faults in FAULTS)


class TestSecrets:
    # Not shrunk: an example is a whole run, rendered four times.
    @settings(deadline=None, max_examples=60, phases=[Phase.reuse, Phase.generate])
    @given(st.sampled_from(FAULTS), PASSWORDS, DISTINCTIVE, DISTINCTIVE, st.data())
    def test_no_format_shows_a_password_or_a_person(
        self, faults: tuple[str, ...], pw: str, first: str, second: str, data: st.DataObject
    ) -> None:
        secrets = (pw, first, second)
        assume(len({s.lower() for s in secrets}) == 3)
        assume(not any(a != b and a in b for a in secrets for b in secrets))
        assume(not any(secret in usual() for secret in secrets))
        assume(all(any(c.isalnum() for c in s) for s in secrets))
        split = data.draw(st.booleans())
        people = {b"NX000012": first.encode(), b"NX000034": second.encode()}
        cuts = (lambda size: data.draw(st.integers(0, size))) if split else (lambda size: 0)
        shown = everything(*disguised(faults, pw, people, cuts))
        if faults in IN_LOG_ONLY:
            secrets = tuple(s for s in secrets if s == pw or (s.isalnum() and not s.isalpha()))
        for secret in secrets:
            assert secret not in shown

    @settings(deadline=None, max_examples=20, phases=[Phase.reuse, Phase.generate])
    @given(
        st.text(string.digits + "ABF", min_size=1, max_size=3), st.text(string.digits + "ABF", min_size=1, max_size=3)
    )
    def test_short_secrets_are_hidden_in_their_fields_and_in_the_log(self, pw: str, code: str) -> None:
        people = {b"NX000012": code.encode(), b"NX000034": b"QQQ"}
        transcript, profile = disguised((), pw, people, lambda size: 0)
        plan = make_plan(profile, OPENING)
        facts = build(judge(transcript, profile, plan), transcript, profile, plan, version=VERSION, lang="en")
        for row in facts.frames:
            seen = "".join(span.text for span in facts.redactor.spans(row.refs))
            assert set(re.findall(r"PW=([^;&]*)", seen)) <= {MASK}
            assert all(re.fullmatch(r"person-\d+", who) for who in re.findall(r"i32005-Info=([^;&]*)", seen))
            assert all(re.search(r"开门person-\d+//", log) for log in re.findall(r"i31001-Info=([^;&]*)", seen))

    def test_limits_with_the_value_of_a_code_stay_as_they_are(self) -> None:
        transcript, profile = disguised((), "1024", {b"NX000012": b"950", b"NX000034": b"1024"}, lambda size: 0)
        limits = Limits(dict(profile.limits))
        facts = build(
            [result(Verdict.FAIL, expected=say("up to {size} bytes", size=1024))],
            transcript,
            replace(profile, limits=limits),
            make_plan(profile),
            version=VERSION,
        )
        assert facts.cases[0].expected == "up to 1024 bytes"
