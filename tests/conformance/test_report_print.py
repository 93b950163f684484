"""The report on paper: printed by headless Chromium, read back from the PDF; nothing is cut and nothing is lost."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import unicodedata
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest

from conformance.case import CASES
from conformance.demo import demo_profile
from conformance.judge import judge
from conformance.plan import make_plan
from conformance.report import Report, build, html
from conformance.report.words import DISCLAIMER, TITLE, TRIAL_RUN
from conformance.transcript import Transcript
from conformance.verdicts import CaseResult, Outcome, Ref, Verdict, say
from hj212.framing import build_frame
from stationgate import language
from stationgate.language import Language

from .conftest import demo_run, recording

pypdf = pytest.importorskip("pypdf", reason="reads the printed report; it comes with the extra [test]")

PRINT_S = 120.0
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--no-pdf-header-footer",
)  # fmt: skip
A4 = (595.3, 841.9)  #: points
MARGIN = 14 / 25.4 * 72  #: left and right, as the style sheet says
#: Points for a CSS pixel. Chromium shrinks pages whose content is too wide, and the PDF then shows less.
PIXEL = 0.75
#: Glyphs that stand for a character and for its radical are read back as the radical, where NFKC leaves it alone.
RADICALS = str.maketrans("⻅⻆⻉⻋⻓⻔⻘⻙⻚⻛⻜⻝⻢⻤⻥⻦⻩⻬⻮⻰⻄", "见角贝车长门青韦页风飞食马鬼鱼鸟黄齐齿龙西")
#: The same for dashes, and for the middle dot that the style sheet puts between the parts of a reference.
DASHES = str.maketrans({"–": "-", "‒": "-", "—": "-", "〜": "~", "～": "~", "·": None})
LONG = "生态环境非现场执法门禁监控设备一致性测试所用样品的完整名称以及出厂时登记的全部说明" * 3
UNBROKEN = "0123456789ABCDEF" * 9


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    before = language.current()
    language.activate("en")
    yield
    language.activate(before)


def demo(lang: Language) -> Report:
    return of_run((), lang)


def failing(lang: Language) -> Report:
    return of_run(("modbus-crc", "record-missing"), lang)


def of_run(faults: tuple[str, ...], lang: Language) -> Report:
    profile, plan = demo_run()
    record = recording(*faults)
    return build(judge(record, profile, plan), record, profile, plan, version="1.2.3", lang=lang)


def long_values(lang: Language) -> Report:
    """A report in which whatever a user or a device chose is long, in Chinese or without a place to break."""
    keys = ("client", "manufacturer", "model", "serial_number", "hardware_version", "firmware_version", "photo")
    profile = replace(
        demo_profile(),
        name=LONG,
        sample={key: UNBROKEN if "version" in key else LONG for key in keys},
        test={"place": LONG, "tester": LONG[:20], "reviewer": UNBROKEN, "basis": LONG, "report_number": LONG[:40]},
    )
    record = Transcript(epoch=1_757_901_600.0, clock="real")
    record.add("run", 0.0, mode={"forward": "[2001:db8::1]:8212"}, host={"system": LONG, "release": UNBROKEN})
    runs = [{"started": 1_757_000_000, "state": "aborted", "digest": "ab" * 32, "counts": {"PASS": 53}, "number": LONG}]
    record.add("history", 0.0, runs=runs)
    record.add("clock", 0.0, event="check", when="begin", synchronised=False, source=LONG, detail=UNBROKEN)
    record.add("setting", 0.0, name="RtdInterval", phase="read", value="900")
    record.add("setting", 0.0, name="RtdInterval", phase="set", value="60", why=LONG)
    frame = build_frame(f"QN=1;ST=81;CN=3020;PW=1;MN=1;Flag=5;CP=&&i31001-Info=//{LONG}{UNBROKEN}//&&".encode())
    record.add("bytes", 1.0, data=frame, link=1, direction="in")
    results = []
    for verdict, id in zip([*Verdict] * 2, CASES, strict=False):
        told = say("{text} {word}", text=LONG, word=UNBROKEN)
        outcome = Outcome(verdict, say("{text}", text=LONG), told, (Ref(1 + 4, 30, 60),), told)
        results.append(CaseResult(id, "REQ-A-07d", "HJ 212-2017 A", "shall", outcome, "real"))
    return build(results, record, profile, make_plan(profile), version="1.2.3", lang=lang)


REPORTS: dict[str, Callable[[Language], Report]] = {"demo": demo, "failing": failing, "long": long_values}
PRINTED: list[tuple[str, Language]] = [("demo", "en"), ("failing", "zh"), ("long", "en"), ("long", "zh")]


@dataclass(frozen=True)
class Piece:
    """A run of text as the PDF places it: its origin in points from the lower left, and the scale of its page."""

    text: str
    x: float
    y: float
    scale: float


@dataclass(frozen=True)
class Printed:
    """A report with the PDF that came of it."""

    report: Report
    source: str
    path: Path
    pages: tuple[str, ...]
    pieces: tuple[tuple[Piece, ...], ...]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("print")


def chromium() -> str:
    found = shutil.which("chromium")
    if found is None:
        told = "printing the report needs Chromium (on Debian: apt-get install chromium)"
        if os.environ.get("CI"):
            pytest.fail(told)
        pytest.skip(told)
    return found


@cache
def printed(name: str, lang: Language, folder: Path) -> Printed:
    program = chromium()
    report = REPORTS[name](lang)
    source, page, target = html.render(report), folder / f"{name}-{lang}.html", folder / f"{name}-{lang}.pdf"
    page.write_text(source, encoding="utf-8", newline="\n")
    data = folder / f"data-{name}-{lang}"
    command = [program, *FLAGS, f"--user-data-dir={data}", f"--print-to-pdf={target}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=PRINT_S, env={**os.environ, "HOME": str(folder)})
    assert target.exists(), done.stderr.decode(errors="replace")[-2000:]
    pages, pieces = [], []
    for sheet in pypdf.PdfReader(target).pages:
        found: list[Piece] = []

        def visit(
            text: str, cm: list[float], tm: list[float], font: object, size: float, found: list[Piece] = found
        ) -> None:
            if text.strip():
                x, y = cm[0] * tm[4] + cm[4], cm[3] * tm[5] + cm[5]
                found.append(Piece(text, x, y, abs(cm[0])))

        pages.append(plain(sheet.extract_text(visitor_text=visit)))
        pieces.append(tuple(found))
    return Printed(report, source, target, tuple(pages), tuple(pieces))


#: What is printed in the default tier: each report, and each language; the soak tier has long Chinese values, too.
PARAMS = [
    pytest.param(each, id="-".join(each), marks=pytest.mark.soak if each == ("long", "zh") else ()) for each in PRINTED
]


@pytest.fixture(params=PARAMS)
def paper(request: pytest.FixtureRequest, folder: Path) -> Printed:
    name, lang = request.param
    return printed(name, lang, folder)


def plain(text: str) -> str:
    """Return text as it compares: no blanks, no capitals, one code for each character."""
    return "".join(unicodedata.normalize("NFKC", text.translate(RADICALS).translate(DASHES)).split()).lower()


class Cells(HTMLParser):
    """The text of each table cell, each frame and each paragraph that is printed."""

    WANTED = frozenset({"td", "th", "pre", "p", "li", "dd", "h1", "h2", "h3", "figcaption", "caption"})
    #: What is not printed: the bar of buttons, the header line of the screen, the table of all frames.
    HIDDEN = re.compile(r'<section class="frames">.*?</section>|<p class="running">.*?</p>', re.DOTALL)

    def __init__(self, source: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._open: list[list[str]] = []
        self._links = 0
        self.feed(self.HIDDEN.sub("", source))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.WANTED:
            self._open.append([])

    def handle_endtag(self, tag: str) -> None:
        if tag in self.WANTED and self._open:
            self.texts.append("".join(self._open.pop()))

    def handle_data(self, data: str) -> None:
        if self._open:
            self._open[-1].append(data)


def page_line(report: Report, number: int, count: int) -> str:
    return plain(f"第{number}页/共{count}页" if report.lang == "zh" else f"Page {number} of {count}")


def body(paper: Printed) -> str:
    """Return the text of all pages in a row, without what stands in the margins."""
    count = len(paper.pages)
    shown = []
    for number, page in enumerate(paper.pages, 1):
        # The margins come first: title and number, the digest, the page's number.
        _head, line, rest = page.partition(page_line(paper.report, number, count))
        assert line
        shown.append(rest)
    return "".join(shown)


class TestPages:
    def test_each_page_has_its_number_title_report_number_and_digest(self, paper: Printed) -> None:
        report, count = paper.report, len(paper.pages)
        title = TITLE[0 if report.lang == "zh" else 1]
        for number, page in enumerate(paper.pages, 1):
            margins, line, _rest = page.partition(page_line(report, number, count))
            assert line, f"page {number} of {count}"
            assert plain(title) in margins
            assert plain(report.document.number) in margins
            assert f"sha-256{report.digest[:16]}" in margins
            assert (plain(TRIAL_RUN[0 if report.lang == "zh" else 1]) in margins) is report.trial_run

    def test_page_one_says_what_was_tested_and_has_room_to_sign(self, paper: Printed) -> None:
        report, first = paper.report, paper.pages[0]
        for line in (*TITLE, report.document.number, report.device.mn):
            assert plain(line) in first
        for label, value in [*report.sample.values(), *report.test.values()]:
            assert plain(label) in "".join(paper.pages[:2])
            assert plain(value) in body(paper)
        roles = [place.role for place in report.document.signatures]
        assert len(set(roles)) == 3
        assert roles == (
            ["主检", "审核", "批准"] if report.lang == "zh" else ["Chief tester", "Reviewer", "Approved by"]
        )
        sheet = next(page for page in paper.pages if plain("".join(roles)) in page)
        assert all(plain(line) in sheet for line in DISCLAIMER), "the block to sign stands apart from the limit lines"

    def test_usual_reports_keep_the_block_to_sign_on_page_one(self, folder: Path) -> None:
        for name, lang in PRINTED[:2]:
            paper = printed(name, lang, folder)
            assert all(plain(place.role) in paper.pages[0] for place in paper.report.document.signatures)
            assert all(plain(line) in paper.pages[0] for line in DISCLAIMER)


class TestNothingIsCut:
    def test_every_case_has_its_row(self, paper: Printed) -> None:
        text = body(paper)
        for number, case in enumerate(paper.report.cases, 1):
            assert plain(f"{number} {case.title} {case.id} {case.expected}") in text, case.id
            assert plain(f"{case.clause} {case.actual}") in text, case.id
        assert (
            plain("检测项目技术要求实测结果单项判定") in text
            or plain("Test item Technical requirement Measured result Item verdict") in text
        )

    def test_every_cell_and_line_appears_whole(self, paper: Printed) -> None:
        text = body(paper)
        texts = {plain(cell) for cell in Cells(paper.source).texts}
        assert len(texts) > 100
        # What is only for the screen: links from the cover.
        lost = {cell for cell in texts if cell not in text and cell.removesuffix(plain(details(paper))) not in text}
        assert not lost

    def test_nothing_lies_outside_the_margins(self, paper: Printed) -> None:
        for number, pieces in enumerate(paper.pieces, 1):
            assert pieces, f"page {number} is empty"
            for piece in pieces:
                assert MARGIN - 1 <= piece.x <= A4[0] - MARGIN, (number, piece)
                assert 0 < piece.y < A4[1], (number, piece)
                assert abs(piece.scale - PIXEL) < 0.001, f"page {number} is shrunk: something is too wide"

    def test_words_end_before_the_right_margin(self, paper: Printed) -> None:
        program = shutil.which("pdftotext")
        if program is None:
            pytest.skip("needs pdftotext (on Debian: apt-get install poppler-utils)")
        shown = subprocess.run([program, "-bbox", paper.path, "-"], capture_output=True, timeout=60, check=True).stdout
        space = "{http://www.w3.org/1999/xhtml}"
        # A word may hold what XML cannot: control characters of a device.
        tree = ET.fromstring(re.sub(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]", b"", shown))
        words = list(tree.iter(f"{space}word"))
        assert len(words) > 500
        for word in words:
            assert float(word.attrib["xMin"]) >= MARGIN - 1, (word.text, word.attrib)
            assert float(word.attrib["xMax"]) <= A4[0] - MARGIN + 1, (word.text, word.attrib)

    def test_table_heads_are_repeated(self, folder: Path) -> None:
        paper = printed("failing", "zh", folder)
        head = plain("序号检测项目技术要求实测结果单项判定")
        rows = {case.id for case in paper.report.cases}
        pages = [page for page in paper.pages if head in page]
        assert len(pages) >= 3
        assert all(any(plain(id) in page for page in pages) for id in rows)


def details(paper: Printed) -> str:
    return "详情" if paper.report.lang == "zh" else "details"
