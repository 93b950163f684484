"""The report as one HTML file: nothing to load beside it, no script needed to read it, made to be printed on A4."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import groupby
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stationgate.language import N_, _, gettext, ngettext, speaking

from ..verdicts import Verdict
from .document import Peer
from .facts import CaseFacts, Report
from .frames import FrameRow
from .shown import Look, Span, window
from .timeline import draw
from .words import (
    DISCLAIMER,
    LIMITS_OF_USE,
    TITLE,
    TRIAL_RUN,
    clock_time,
    duration,
    level_word,
    moment,
    time_mode_short,
    time_mode_word,
)

__all__ = ["MAX_TABLE_FRAMES", "render"]

#: Frames listed one by one; those that a verdict rests on come first, the rest by time.
MAX_TABLE_FRAMES: Final = 400
#: Bytes of a frame shown, and how many around a mark where it is longer.
_MAX_FRAME_BYTES: Final = 1200
_MAX_LISTED_BYTES: Final = 400
_CONTEXT_BYTES: Final = 80
_UNBROKEN_CHARS: Final = 32

#: Digits of the record's digest at the foot of each printed page, so that a page shows what it belongs to.
_FOOT_DIGITS: Final = 16

_HTML_LANG: Final = {"zh": "zh-CN", "en": "en"}
#: The verdicts as the summary shows them.
_TILES: Final = (
    Verdict.PASS,
    Verdict.WARN,
    Verdict.FAIL,
    Verdict.INCONCLUSIVE,
    Verdict.PENDING,
    Verdict.NOT_APPLICABLE,
    Verdict.ERROR,
)
#: Verdicts with a block of their own, the worst first.
_DETAILED: Final = (Verdict.FAIL, Verdict.ERROR, Verdict.WARN, Verdict.INCONCLUSIVE, Verdict.PENDING)
_SOURCES: Final = {"seed": N_("regional plan"), "text": N_("standard"), "guess": N_("suite's own choice")}


@dataclass(frozen=True, slots=True)
class _Run:
    """Consecutive spans of a frame, marked or not."""

    marked: bool
    spans: tuple[Span, ...]

    @property
    def short(self) -> bool:
        """Whether it fits on a line and should stay on one."""
        return sum(len(span.text) for span in self.spans) <= _UNBROKEN_CHARS


@dataclass(frozen=True, slots=True)
class _Excerpt:
    where: str
    when: str
    kind: str
    runs: tuple[_Run, ...]
    has_marks: bool


@dataclass(frozen=True, slots=True)
class _Listed:
    """A row of the frame table."""

    row: FrameRow
    when: str
    offending: bool
    runs: tuple[_Run, ...]


@dataclass(frozen=True, slots=True)
class _Running:
    """What stands in the margins of each printed page, as CSS."""

    title: Markup
    number: Markup
    page: Markup
    digest: Markup


def render(report: Report) -> str:
    """Return the report as a complete HTML document."""
    with speaking(report.lang):
        listed = _listed(report)
        script = _asset("report.js")
        return (
            _environment()
            .get_template("report.html.j2")
            .render(
                report=report,
                document=report.document,
                network=report.document.network,
                said=report.statements,
                clock=report.statements.clock,
                running=_running(report),
                test_rows=_test_rows(report),
                selection=_selection(report),
                limits_of_use=[gettext(line) for line in LIMITS_OF_USE],
                html_lang=_HTML_LANG[report.lang],
                other_lang=_HTML_LANG["en" if report.lang == "zh" else "zh"],
                style=_asset("report.css"),
                script=script,
                script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
                title=report.in_both(TITLE),
                trial_run=report.in_both(TRIAL_RUN),
                disclaimer=report.in_both(DISCLAIMER),
                headline=_headline(report),
                tiles=[(verdict, report.counts[verdict]) for verdict in _TILES],
                judged=sum(report.counts.values()),
                details=[(case, _excerpts(report, case)) for verdict in _DETAILED for case in _with(report, verdict)],
                timeline=draw(report),
                listed=listed,
                omitted=len(report.frames) - len(listed),
                level_word=level_word,
                source_word=_source_word,
                time_mode_short=time_mode_short,
                duration=duration,
                peers=_peers,
                time_modes=_(", ").join(map(time_mode_word, report.time_modes)),
                moment=moment,
                detailed=frozenset(_DETAILED),
            )
        )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("conformance.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["breakable"] = _breakable
    environment.globals |= {"_": gettext, "ngettext": ngettext}
    return environment


@cache
def _asset(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text("utf-8")


def _breakable(text: str) -> Markup:
    """Return text that a line may be broken in after each field."""
    return Markup(";<wbr>").join(text.split(";"))


def _running(report: Report) -> _Running:
    title, _other = report.in_both(TITLE)
    banner, _other = report.in_both(TRIAL_RUN)
    number = _("Report number {number}").format(number=report.document.number)
    page = _("Page {page} of {pages}")
    for name in ("page", "pages"):
        page = page.replace(f"{{{name}}}", f"\0{name}\0")
    pieces = [
        f"counter({piece})" if index % 2 else _css_text(piece) for index, piece in enumerate(page.split("\0")) if piece
    ]
    return _Running(
        title=Markup(_css_text(f"{title} · {banner}" if report.trial_run else title)),
        number=Markup(_css_text(number)),
        page=Markup(" ".join(pieces)),
        digest=Markup(_css_text(f"SHA-256 {report.digest[:_FOOT_DIGITS]}...")),
    )


def _css_text(text: str) -> str:
    """Return text as a CSS string; whatever is no letter or digit is written by number, so that nothing ends it."""
    return '"' + "".join(char if char.isalnum() else f"\\{ord(char):06x}" for char in text) + '"'


def _test_rows(report: Report) -> list[tuple[str, str]]:
    """Return what page one says of the test; the number stands above it."""
    rows = [row for key, row in report.test.items() if key != "report_number"]
    period = _("{begin} to {end} (UTC+8)").format(begin=moment(report.started), end=moment(report.ended))
    return [*rows, (_("period"), period), ("MN", report.device.mn)]


def _selection(report: Report) -> str:
    document = report.document
    chosen = _(", ").join(document.selected) or _("everything")
    left_out = _(", ").join(document.excluded)
    return _("{chosen}, without {excluded}").format(chosen=chosen, excluded=left_out) if left_out else chosen


def _peers(peers: Iterable[Peer]) -> str:
    return _(", ").join(map(str, peers))


def _source_word(source: str) -> str:
    return gettext(_SOURCES.get(source, source))


def _headline(report: Report) -> str:
    failed = report.counts[Verdict.FAIL]
    if failed:
        return ngettext("{count} case failed.", "{count} cases failed.", failed).format(count=failed)
    if report.counts[Verdict.ERROR]:
        return _("The test system itself failed; this says nothing about the device.")
    if report.counts[Verdict.INCONCLUSIVE] or report.counts[Verdict.PENDING]:
        return _("No case failed, but not every case could be judged.")
    if report.counts[Verdict.WARN]:
        return _("Everything that was judged passed, with warnings.")
    return _("Everything that was judged passed.")


def _with(report: Report, verdict: Verdict) -> Iterator[CaseFacts]:
    return (case for case in report.cases if case.verdict is verdict)


def _excerpts(report: Report, case: CaseFacts) -> list[_Excerpt]:
    return [
        _Excerpt(
            "; ".join(map(str, quote.places)),
            quote.when,
            quote.row.kind.word,
            _runs(window(report.spans(quote, Look()), _MAX_FRAME_BYTES, _CONTEXT_BYTES)),
            bool(quote.marks),
        )
        for quote in case.quotes
    ]


def _runs(spans: Iterable[Span]) -> tuple[_Run, ...]:
    return tuple(_Run(marked, tuple(group)) for marked, group in groupby(spans, key=lambda span: span.marked))


def _listed(report: Report) -> list[_Listed]:
    """Return the frames of the table: all, or those that matter and the first of the rest."""
    offending = {index for case in report.cases for index in case.offending}
    chosen = sorted(offending)[:MAX_TABLE_FRAMES]
    for index in range(len(report.frames)):
        if len(chosen) >= MAX_TABLE_FRAMES:
            break
        if index not in offending:
            chosen.append(index)
    return [_list(report, report.frames[index], index in offending) for index in sorted(chosen)]


def _list(report: Report, row: FrameRow, offending: bool) -> _Listed:
    spans = window(report.redactor.spans(row.refs), _MAX_LISTED_BYTES, _CONTEXT_BYTES)
    return _Listed(row, clock_time(report.evidence.wall(row.t)), offending, _runs(spans))
