"""The catalogue: complete, the same in both languages, and with examples that its own cases judge as it says."""

from __future__ import annotations

import re
import tomllib
from importlib import resources

import pytest

import conformance.plan
from conformance.case import CASES
from conformance.catalogue import CaseText, Requirement, cases, requirements
from conformance.evidence import Evidence
from conformance.profile import Profile, limit_table
from conformance.transcript import Transcript
from conformance.verdicts import Verdict
from hj212 import Frame, Framer, Message
from hj212.times import parse_time

ROWS = tomllib.loads(resources.files(conformance).joinpath("requirements/access.toml").read_text("utf-8"))
TEXTS = sorted(cases().values(), key=lambda text: text.id)
WITH_GOOD = [text for text in TEXTS if text.good]
WITH_BAD = [text for text in TEXTS if text.bad]

MN = "64010000ACCE550000000001"
PW = "123456"

CHINESE = re.compile("[\u4e00-\u9fff]")
CLAUSE = re.compile(
    r"(HJ 212-2017 (6(\.\d)+(-6(\.\d)+)?|[A-C](\.\d+(-[A-C]\.\d+)?)?)|宁夏方案 REQ-A-\d\d)( [0-9A-Za-z]+)?|REQ-A-\d\d"
)

by_id = pytest.mark.parametrize("text", TEXTS, ids=lambda text: text.id)


def frames_of(example: str) -> list[Frame]:
    """Read an example as a stream; it is written without CR LF, unless its tail is what it shows."""
    data = example.encode()
    framer = Framer()
    items = framer.feed(data if data.endswith((b"\r", b"\n")) else data + b"\r\n") + framer.finish()
    return [item for item in items if isinstance(item, Frame)]


class TestRows:
    def test_every_case_has_one_row_and_every_row_a_case(self) -> None:
        ids = [row["id"] for row in ROWS["case"]]
        assert sorted(ids) == sorted(CASES)

    def test_requirements_are_numbered_without_gap(self) -> None:
        assert [row["id"] for row in ROWS["requirement"]] == [f"REQ-A-{number:02d}" for number in range(1, 21)]

    def test_every_requirement_is_judged_by_a_case(self) -> None:
        assert {text.requirement for text in TEXTS} == set(requirements())

    @pytest.mark.parametrize("row", requirements().values(), ids=lambda row: row.id)
    def test_requirement_says_where_it_comes_from(self, row: Requirement) -> None:
        assert row.source in ("seed", "text", "guess")
        assert row.mode in ("AUTO", "AUTO+M", "DOC")
        assert CLAUSE.fullmatch(row.clause)

    @by_id
    def test_clause_is_a_place_in_a_document(self, text: CaseText) -> None:
        assert CLAUSE.fullmatch(text.clause)
        if "REQ-" in text.clause:
            assert text.requirement in text.clause
        assert text.level in ("shall", "should")
        assert re.fullmatch("[a-m]?", text.sub)

    def test_a_guess_fails_no_device_by_default(self) -> None:
        guesses = {row.id for row in requirements().values() if row.source == "guess"}
        names = {name for text in TEXTS if text.requirement in guesses for name in CASES[text.id].limits}
        severities = {name: limit_table()[name].value for name in names if name.endswith("_severity")}
        assert severities == {"outage_severity": "WARN"}


class TestWords:
    @by_id
    def test_case_speaks_both_languages(self, text: CaseText) -> None:
        assert CHINESE.search(text.zh)
        assert CHINESE.search(text.why_zh)
        assert text.en.isascii()
        assert len(CHINESE.findall(text.why_en)) <= 1  # one character is quoted to show its bytes
        assert text.why_en

    @pytest.mark.parametrize("row", requirements().values(), ids=lambda row: row.id)
    def test_requirement_speaks_both_languages(self, row: Requirement) -> None:
        assert CHINESE.search(row.zh)
        assert row.en
        assert row.en.isascii()

    @pytest.mark.parametrize("language", ["zh", "en"])
    def test_titles_differ(self, language: str) -> None:
        titles = [getattr(text, language) for text in TEXTS]
        assert len(set(titles)) == len(titles)

    @by_id
    def test_title_is_one_plain_line(self, text: CaseText) -> None:
        for title in (text.zh, text.en):
            assert title == title.strip(" .。\n")
            assert not set("{}\n") & set(title)  # a title is also a message id with placeholders

    @by_id
    def test_explanation_is_two_to_five_sentences(self, text: CaseText) -> None:
        assert 2 <= text.why_zh.count("。") <= 5
        assert 2 <= len(re.findall(r"\.( |\Z)", text.why_en)) <= 5

    @by_id
    def test_both_languages_name_the_same_codes_and_numbers(self, text: CaseText) -> None:
        token = re.compile(r"\b(?:i\d{5}|[a-z]+_[a-z_]*[a-z]|QnRtn=\d|ExeRtn=\d|Flag=\d|\d{3,})\b")
        zh, en = (set(token.findall(re.sub(CHINESE, " ", why))) for why in (text.why_zh, text.why_en))
        assert zh == en


class TestExamples:
    @pytest.mark.parametrize("text", WITH_GOOD, ids=lambda text: text.id)
    def test_good_is_one_intact_frame(self, text: CaseText) -> None:
        (frame,) = frames_of(text.good)
        assert frame.intact
        assert not text.good.endswith(("\r", "\n"))

    @pytest.mark.parametrize("text", WITH_BAD, ids=lambda text: text.id)
    def test_bad_differs_from_good(self, text: CaseText) -> None:
        assert text.good
        assert text.bad != text.good

    @pytest.mark.parametrize("text", WITH_BAD, ids=lambda text: text.id)
    def test_only_framing_defects_damage_the_frame(self, text: CaseText) -> None:
        damaged = ("access/link/speaks", "access/framing/tail", "access/framing/length", "access/framing/crc")
        intact = [frame.intact for frame in frames_of(text.bad)]
        assert intact == ([] if text.id == "access/link/speaks" else [text.id not in damaged])

    def test_nobody_real_is_in_the_examples(self) -> None:
        for text in TEXTS:
            for example in filter(None, (text.good, text.bad)):
                for frame in frames_of(example):
                    message = Message.from_bytes(frame.segment)
                    assert message.mn in ((MN, MN[:14]) if text.id == "access/header/mn-shape" else (MN,))
                    assert message.pw in ((PW, "000000") if text.id == "access/header/password" else (PW,))
                assert set(re.findall(r"i32005-Info=([^;&]+)", example)) <= {"NX000012", "NX900007"}
                assert not re.search(r"[1-9]\d{16}[\dXx](?!\d)", example.replace(MN, ""))


#: What a person did for an example: act, method, and seconds from it to the arrival of the frame.
ACTS = {
    "access/opening/one-record-each": ("open", "face", 1.0),
    "access/opening/method-matches-act": ("open", "fingerprint", 1.0),
    "access/opening/parts-together": ("open", "password", 1.0),
    "access/opening/open-time-true": ("open", "face", 1.0),
    "access/opening/nobody-invented": ("open", "exit-button", 1.0),
    "access/state/change-reported": ("close", "", 1.0),
    "access/alarm/dismantle": ("lift", "", 1.0),
    "access/alarm/dismantle-end": ("put-back", "", 1.0),
    "access/alarm/fault": ("unplug", "", 1.0),
    "access/alarm/fault-end": ("plug-in", "", 1.0),
}
#: The defect lies between the two frames.
PAIRS = ("access/header/qn-unique", "access/header/one-form", "access/link/no-answer-to-answers")
#: One frame cannot show what these judge: the rest of the exchange, the alarm before the report, other openings.
NOT_ALONE = (
    "access/query/state",
    "access/alarm/dismantle-in-report",
    "access/opening/person-code-stable",
    "access/outage/open-time-kept",
)

good_alone = pytest.mark.parametrize("text", [t for t in WITH_GOOD if t.id not in NOT_ALONE], ids=lambda text: text.id)
bad_alone = pytest.mark.parametrize("text", [t for t in WITH_BAD if t.id not in NOT_ALONE], ids=lambda text: text.id)


def evidence_of(text: CaseText, *examples: str) -> Evidence:
    """Return the record of a device that sent nothing but ``examples``, after what the case needs to have happened."""
    message = Message.from_bytes(frames_of(text.good)[0].segment)
    moment = message.parameter("i32006-Info") or message.qn[:14]
    transcript = Transcript(epoch=parse_time(moment).timestamp(), clock="virtual")
    transcript.add("clock", 0.0, event="check", when="begin", synchronised=True, source="virtual", uncertainty_s=0.0)
    transcript.add("connect", 0.0, link=1)
    if text.id == "access/clock/offset":
        transcript.add("bytes", 0.0, data=b"1011", link=1, direction="out", request=message.qn, cn="1011")
    act, method, arrival = ACTS.get(text.id, ("", "", 1.0))
    if act:
        add_act(transcript, act, method, 0.0)
    for example in examples:
        data = example.encode() if example.endswith("\n") else example.encode() + b"\r\n"
        transcript.add("bytes", arrival, data=data, link=1, direction="in")
    if act == "lift":
        add_act(transcript, "put-back", "", arrival + 1)
    transcript.add("note", arrival + 60)
    return Evidence(transcript, Profile("test", device={"pw": PW}))


def add_act(transcript: Transcript, act: str, method: str, now: float) -> None:
    transcript.add("act", now, phase="begin", step="openings", act=act, method=method, person="A")
    transcript.add("act", now, phase="end", step="openings", answer="done")


class TestCasesJudgeTheirExamples:
    @good_alone
    def test_good_passes(self, text: CaseText) -> None:
        assert CASES[text.id].judge(evidence_of(text, text.good)).verdict is Verdict.PASS

    @bad_alone
    def test_bad_does_not(self, text: CaseText) -> None:
        examples = (text.good, text.bad) if text.id in PAIRS else (text.bad,)
        assert CASES[text.id].judge(evidence_of(text, *examples)).verdict in (Verdict.WARN, Verdict.FAIL)

    @bad_alone
    def test_bad_has_no_other_defect_of_frame_or_header(self, text: CaseText) -> None:
        if text.id == "access/link/speaks":
            return  # no frame at all
        evidence = evidence_of(text, text.bad)
        others = [t.id for t in WITH_BAD if t.id.startswith(("access/framing/", "access/header/")) and t.id != text.id]
        for other in others:
            assert CASES[other].judge(evidence).verdict in (Verdict.PASS, Verdict.INCONCLUSIVE), other
