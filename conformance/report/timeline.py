"""The frames of a run over its time axis, as geometry that a template draws.

A run is minutes of acts around hours of waiting, so one scale for all of it would show nothing. Each step has its own
piece of the axis, as wide as its time and its traffic deserve; inside a piece time runs evenly.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hj212.times import CHINA
from stationgate.language import _

from ..evidence import ActRecord, Evidence
from ..steps import STEPS
from .facts import Report
from .frames import FrameKind, FrameLog, FrameRow
from .words import act_words, answer_word, clock_time, duration, moment

__all__ = ["BIN", "MAX_OFFENDING", "Band", "Lane", "Mark", "StepFacts", "Tick", "Timeline", "draw"]

#: Width of the drawing and of the lane names at its left, in user units.
WIDTH: Final = 1000.0
LEFT: Final = 132.0
#: Frames of one lane closer than this share a mark, so that 100,000 frames stay some thousand marks.
BIN: Final = 3.0
#: Offending frames drawn one by one. A verdict names at most a few; more than this would be a red wall.
MAX_OFFENDING: Final = 400
#: Steps and acts drawn. A plan has some ten steps and some thirty acts.
MAX_STEPS: Final = 40
MAX_ACTS: Final = 200

_LANE_HEIGHT: Final = 24.0
_TOP: Final = 26.0
_BOTTOM: Final = 24.0
_MARK_HEIGHT: Final = 12.0
#: Least share of the axis for a step, and what time and traffic weigh.
_LEAST_SHARE: Final = 0.024
_TICK_GAP: Final = 60.0
#: Widest character of a time as it is printed.
_TICK_CHAR: Final = 7.2
#: Lanes drawn only where there is something in them.
_RARE: Final = (FrameKind.OTHER, FrameKind.UNREADABLE, FrameKind.PLATFORM)
_TICK_STEPS: Final = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400)


@dataclass(frozen=True, slots=True)
class Lane:
    """A row of the drawing."""

    slug: str
    label: str
    y: float  #: its middle
    count: int


@dataclass(frozen=True, slots=True)
class Band:
    """A stretch of time: a step over all lanes, an act in its own."""

    x: float
    width: float
    label: str
    title: str
    alternate: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """A frame, or several that lie too close to tell apart."""

    x: float
    y: float
    width: float
    height: float
    slug: str
    title: str
    offending: bool = False


@dataclass(frozen=True, slots=True)
class Tick:
    """A time below the axis."""

    x: float
    label: str
    anchor: str


@dataclass(frozen=True, slots=True)
class StepFacts:
    """A step as it went, for the table beside the drawing."""

    number: int
    id: str
    title: str
    manual: bool
    begin: str
    duration: str
    result: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The drawing."""

    width: float
    height: float
    left: float
    top: float
    bottom: float
    lanes: tuple[Lane, ...]
    steps: tuple[Band, ...]
    acts: tuple[Band, ...]
    act_y: float
    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    step_table: tuple[StepFacts, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Piece:
    """A stretch of the axis: entries from ``seq`` on, times from ``t0`` to ``t1``."""

    seq: int
    end: int
    t0: float
    t1: float
    x0: float
    x1: float
    step: int | None  #: index of the step, ``None`` between steps

    def x(self, t: float, seq: int) -> float:
        # Where no time passes, as between simulated steps, order is all there is.
        share = (t - self.t0) / (self.t1 - self.t0) if self.t1 > self.t0 else (seq - self.seq) / (self.end - self.seq)
        return self.x0 + (self.x1 - self.x0) * min(max(share, 0.0), 1.0)


def draw(report: Report) -> Timeline:
    """Return the drawing of a report's frames; call it in the report's language."""
    evidence, frames = report.evidence, report.frames
    axis = _axis(evidence, frames)
    offending = _offending(report)
    present = {row.kind for row in frames}
    kinds = [kind for kind in FrameKind if kind in present or kind not in _RARE]
    act_y = _TOP + _LANE_HEIGHT / 2
    y_of = {kind: act_y + _LANE_HEIGHT * (1 + index) for index, kind in enumerate(kinds)}
    counts = {kind: sum(row.kind is kind for row in frames) for kind in kinds}
    plain, shared = _plain_marks(frames, axis, y_of, offending, evidence)
    red = [_offending_mark(frames[i], axis, y_of, ids, evidence) for i, ids in list(offending.items())[:MAX_OFFENDING]]
    bottom = _TOP + _LANE_HEIGHT * (len(kinds) + 1)
    acts = evidence.acts[:MAX_ACTS]
    return Timeline(
        width=WIDTH,
        height=bottom + _BOTTOM,
        left=LEFT,
        top=_TOP,
        bottom=bottom,
        lanes=tuple(Lane(kind.slug, kind.word, y_of[kind], counts[kind]) for kind in kinds),
        steps=tuple(_step_bands(axis, evidence)),
        acts=tuple(_act_band(act, axis, evidence) for act in acts),
        act_y=act_y,
        marks=(*plain, *red),
        ticks=tuple(_ticks(axis, evidence)),
        step_table=tuple(_step_table(evidence)),
        notes=tuple(_notes(shared, offending, len(evidence.acts) - len(acts))),
    )


# The axis


def _axis(evidence: Evidence, frames: FrameLog) -> list[_Piece]:
    transcript = evidence.transcript
    if not len(transcript):
        return [_Piece(0, 1, 0.0, 0.0, LEFT, WIDTH, None)]
    cuts = _cuts(evidence)
    ends = [*(cut[0] for cut in cuts[1:]), len(transcript)]
    spans = []
    for (seq, step), end in zip(cuts, ends, strict=True):
        last = transcript[min(end, len(transcript) - 1)].t_mono
        spans.append((seq, end, transcript[seq].t_mono, last, step))
    weights = _weights([t1 - t0 for _seq, _end, t0, t1, _step in spans], [end - seq for seq, end, *_rest in spans])
    pieces = []
    x = LEFT
    for (seq, end, t0, t1, step), weight in zip(spans, weights, strict=True):
        width = (WIDTH - LEFT) * weight
        pieces.append(_Piece(seq, end, t0, t1, x, x + width, step))
        x += width
    return pieces


def _cuts(evidence: Evidence) -> list[tuple[int, int | None]]:
    """Return where pieces begin: the entry, and the index of the step that begins there."""
    begins: dict[str, int] = {}
    for entry in evidence.transcript:
        if entry.kind == "step" and entry.attachment["phase"] == "begin":
            begins.setdefault(entry.attachment["step"], entry.seq)
    if len(begins) > MAX_STEPS or not begins:
        return [(0, None)]
    cuts: list[tuple[int, int | None]] = [(seq, index) for index, seq in enumerate(begins.values())]
    return [(0, 0), *cuts[1:]]


def _weights(durations: Sequence[float], entries: Sequence[int]) -> list[float]:
    """Return the share of each piece: half by its time, damped, half by what happened in it, and a least one."""
    damped = [max(duration, 0.0) ** (1 / 3) for duration in durations]
    all_time, all_entries = sum(damped) or 1.0, sum(entries) or 1
    shares = [0.5 * t / all_time + 0.5 * n / all_entries for t, n in zip(damped, entries, strict=True)]
    shares = [max(share, _LEAST_SHARE) for share in shares]
    return [share / sum(shares) for share in shares]


def _at(axis: Sequence[_Piece], t: float, seq: int) -> float:
    piece = axis[max(bisect_right(axis, seq, key=lambda p: p.seq) - 1, 0)]
    return piece.x(t, seq)


def _ticks(axis: Sequence[_Piece], evidence: Evidence) -> Iterator[Tick]:
    """Yield a time where each piece begins, and even ones inside wide pieces, as far as there is room."""
    free = LEFT
    day = ""
    for piece in axis:
        for t, precise in _tick_times(piece, evidence):
            x = piece.x(t, piece.seq)
            when = datetime.fromtimestamp(evidence.wall(t), CHINA)
            if x < free:
                continue
            label = when.strftime("%H:%M:%S" if precise else "%H:%M")
            if day and when.strftime("%m-%d") != day:
                label = f"{when:%m-%d} {label}"
            if x + len(label) * _TICK_CHAR > WIDTH:
                continue
            day = when.strftime("%m-%d")
            yield Tick(round(x, 1), label, "start")
            free = x + _TICK_GAP + (26 if " " in label else 0)


def _tick_times(piece: _Piece, evidence: Evidence) -> Iterator[tuple[float, bool]]:
    yield piece.t0, True
    duration, width = piece.t1 - piece.t0, piece.x1 - piece.x0
    if duration <= 0 or width < 2 * _TICK_GAP:
        return
    step = next((s for s in _TICK_STEPS if s * width / duration >= _TICK_GAP + 30), 0)
    if not step:
        return
    begin = evidence.wall(piece.t0)
    shift = 8 * 3600  # ticks stand at round hours of UTC+8
    first = (int(begin + shift) // step + 1) * step - shift
    while first < begin + duration:
        yield first - begin + piece.t0, step < 60
        first += step


# What is drawn


def _offending(report: Report) -> dict[int, list[str]]:
    """Return the frames that a FAIL or WARN rests on, with the cases that say so."""
    found: dict[int, list[str]] = defaultdict(list)
    for case in report.cases:
        for index in case.offending:
            found[index].append(case.id)
    return dict(sorted(found.items()))


def _plain_marks(
    frames: FrameLog, axis: Sequence[_Piece], y_of: dict[FrameKind, float], offending: Iterable[int], evidence: Evidence
) -> tuple[list[Mark], int]:
    """Return the marks of ordinary frames, and how many frames share one."""
    skipped = set(offending)
    bins: dict[tuple[FrameKind, int], list[FrameRow]] = defaultdict(list)
    for index, row in enumerate(frames):
        if index not in skipped:
            bins[row.kind, int((_at(axis, row.t, row.seq) - LEFT) / BIN)].append(row)
    marks = []
    shared = 0
    for (kind, place), rows in bins.items():
        many = len(rows) > 1
        shared += len(rows) if many else 0
        title = _many(rows, evidence) if many else _one(rows[0], evidence)
        height = min(_MARK_HEIGHT + 2.0 * (len(rows) - 1) ** 0.5, _LANE_HEIGHT - 4) if many else _MARK_HEIGHT
        y = y_of[kind] - height / 2
        marks.append(Mark(round(LEFT + place * BIN, 1), round(y, 1), BIN - 1, round(height, 1), kind.slug, title))
    return marks, shared


def _offending_mark(
    row: FrameRow, axis: Sequence[_Piece], y_of: dict[FrameKind, float], ids: Sequence[str], evidence: Evidence
) -> Mark:
    x = _at(axis, row.t, row.seq)
    height = _LANE_HEIGHT - 4
    title = f"{_one(row, evidence)}: {', '.join(ids)}"
    return Mark(round(x - 1, 1), round(y_of[row.kind] - height / 2, 1), 3.0, height, row.kind.slug, title, True)


def _one(row: FrameRow, evidence: Evidence) -> str:
    return _("{when} {kind} {cn}, {size} bytes, transcript {seq}").format(
        when=clock_time(evidence.wall(row.t)), kind=row.kind.word, cn=row.cn, size=row.size, seq=row.seq
    )


def _many(rows: Sequence[FrameRow], evidence: Evidence) -> str:
    return _("{count} x {kind}, {begin} to {end}").format(
        count=len(rows),
        kind=rows[0].kind.word,
        begin=clock_time(evidence.wall(rows[0].t)),
        end=clock_time(evidence.wall(rows[-1].t)),
    )


def _step_bands(axis: Sequence[_Piece], evidence: Evidence) -> Iterator[Band]:
    table = list(_step_table(evidence))
    for piece in axis:
        if piece.step is not None and piece.step < len(table):
            facts = table[piece.step]
            title = f"{facts.number} {facts.title}: {facts.begin}, {facts.duration}, {facts.result}"
            label = str(facts.number)
            width = round(piece.x1 - piece.x0, 1)
            yield Band(round(piece.x0, 1), width, label, title, alternate=bool(facts.number % 2))


def _act_band(act: ActRecord, axis: Sequence[_Piece], evidence: Evidence) -> Band:
    low, high = _at(axis, act.begin, act.seq), _at(axis, act.end, act.seq + 1)
    words = act_words(act.act, act.method, act.person)
    title = f"{clock_time(evidence.wall(act.begin))} {words}: {answer_word(act.answer)}"
    return Band(round(low, 1), round(max(high - low, 3.0), 1), "", title)


def _step_table(evidence: Evidence) -> Iterator[StepFacts]:
    for number, record in enumerate(list(evidence.steps.values())[:MAX_STEPS], 1):
        step = STEPS.get(record.step)
        yield StepFacts(
            number,
            record.step,
            str(step.title) if step else record.step,
            bool(step and step.manual),
            moment(evidence.wall(record.begin)),
            duration(record.end - record.begin) if record.end is not None else "-",
            answer_word(record.result),
        )


def _notes(shared: int, offending: dict[int, list[str]], acts_left: int) -> Iterator[str]:
    yield _("Each step has its own scale; inside a step time runs evenly.")
    if shared:
        yield _("{count} frames lie too close to be drawn one by one: neighbours share a mark.").format(count=shared)
    if len(offending) > MAX_OFFENDING:
        yield _("Only the first {count} frames that a verdict rests on are drawn.").format(count=MAX_OFFENDING)
    if acts_left > 0:
        yield _("{count} more acts are not drawn.").format(count=acts_left)
