"""The report as one HTML file: nothing to load beside it, no script needed to read it, made to be printed on A4."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from itertools import groupby
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from stationgate.language import N_, _, gettext, ngettext, speaking

from ..verdicts import Verdict
from .facts import DISCLAIMER, TITLE, TRIAL_RUN, CaseFacts, Report, clock_time, level_word, moment, time_mode_word
from .frames import FrameRow
from .shown import Look, Span, window
from .text import last_line
from .timeline import draw

__all__ = ["MAX_TABLE_FRAMES", "render"]

#: Frames listed one by one; those that a verdict rests on come first, the rest by time.
MAX_TABLE_FRAMES: Final = 400
#: Bytes of a frame shown, and how many around a mark where it is longer.
_MAX_FRAME_BYTES: Final = 1200
_MAX_LISTED_BYTES: Final = 400
_CONTEXT_BYTES: Final = 80

_LOOK: Final = Look(pictures=True)
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


def render(report: Report) -> str:
    """Return the report as a complete HTML document."""
    with speaking(report.lang):
        listed = _listed(report)
        script = _asset("report.js")
        return _template().render(
            report=report,
            html_lang=_HTML_LANG[report.lang],
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
            last_line=last_line(report),
            timeline=draw(report),
            listed=listed,
            omitted=len(report.frames) - len(listed),
            level_word=level_word,
            source_word=lambda source: gettext(_SOURCES.get(source, source)),
            time_modes=", ".join(map(time_mode_word, report.time_modes)),
            moment=moment,
            detailed=frozenset(_DETAILED),
        )


@cache
def _template() -> Environment:
    raise NotImplementedError
