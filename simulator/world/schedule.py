"""When lines and treatment units run: shifts, what is linked to what, and what is done to them on purpose.

A line runs in its shifts, a little earlier or later every day; a treatment unit starts before the lines it is linked to
and stops after them. An :class:`Intervention` bends that for a while. The outcome for one item and one local day is a
list of :class:`Piece`: stretches in which nothing changes.

Instants are POSIX seconds, days are those of Beijing time (UTC+8).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Final, NamedTuple

from ..draws import draw

__all__ = ["DAY_S", "Intervention", "Line", "Piece", "Schedule", "Shift", "Unit", "What", "day_of", "midnight"]

DAY_S: Final = 86400
_UTC_OFFSET_S: Final = 8 * 3600
#: Bounds that keep a day's draws from turning two shifts into one or a shift into none.
MIN_SHIFT_S: Final = 3600
MIN_PAUSE_S: Final = 3600
MAX_JITTER_S: Final = 900
#: How long a treatment unit runs before its lines start and after they stop: from, to.
LEAD_S: Final = (300, 900)
LAG_S: Final = (600, 1800)
#: The level of a day's load: within this share of the item's own.
DAY_SPREAD: Final = 0.08


class What(StrEnum):
    """What is done to a line or a unit. The rules are T1 to T6 of production against treatment."""

    UNIT_OFF = "unit-off"  #: 治理设施停运: before production T1 not started, during production T2 stopped early
    UNIT_IDLE = "unit-idle"  #: 治理设施空转: runs at ``share`` of its load, T3 low load
    UNIT_LATE = "unit-late"  #: 治理设施晚开: starts ``delay_s`` after production, T4
    UNIT_EARLY = "unit-early"  #: 治理设施早停: stops ``delay_s`` before production, T4
    LINE_ON = "line-on"  #: 违规生产: runs outside its shifts; its units follow
    LINE_OFF = "line-off"  #: 停产: does not run; its units follow
    CURB = "curb"  #: 限产: the load of lines is lowered to ``share``; 0 stops them
    CURB_BREACH = "curb-breach"  #: 限产不执行: curbs are ignored, T5
    SUPPLY_CUT = "supply-cut"  #: 停电: no voltage, nothing runs, T6


_SHARE: Final = {What.UNIT_IDLE: 0.25, What.CURB: 0.5}
_DELAY_S: Final = {What.UNIT_LATE: 450.0, What.UNIT_EARLY: 180.0}


@dataclass(frozen=True, slots=True)
class Intervention:
    """Something done on purpose, from ``begin_at`` up to, not including, ``end_at``.

    Attributes:
        what: What is done.
        where: Name of a line or unit, or ``"*"`` for all to which it applies.
        begin_at: POSIX seconds. Late starts and early stops concern the starts and stops of production in the window.
        end_at: POSIX seconds.
        share: What remains of the load, 0 to 1; by default 0.25 for ``unit-idle`` and 0.5 for ``curb``.
        delay_s: How late or early, in seconds; by default 450 for ``unit-late`` and 180 for ``unit-early``.

    Raises:
        ValueError: If the window is empty, the share not within 0 to 1, or the delay not within 0 to 3600.
    """

    what: What
    where: str
    begin_at: float
    end_at: float
    share: float | None = None
    delay_s: float | None = None

    def __post_init__(self) -> None:
        if not self.begin_at < self.end_at:
            raise ValueError(f"{self.what.value}: ends at {self.end_at}, not after {self.begin_at}")
        if self.share is not None and not 0 <= self.share <= 1:
            raise ValueError(f"{self.what.value}: share {self.share} is not within 0 to 1")
        if self.delay_s is not None and not 0 <= self.delay_s <= 3600:
            raise ValueError(f"{self.what.value}: delay_s {self.delay_s} is not within 0 to 3600")

    @property
    def remaining(self) -> float:
        """Share of the load that remains."""
        return _SHARE.get(self.what, 1.0) if self.share is None else self.share

    @property
    def shift_s(self) -> float:
        """Seconds by which a start is late or a stop early."""
        return _DELAY_S.get(self.what, 0.0) if self.delay_s is None else self.delay_s

    def covers(self, at: float) -> bool:
        return self.begin_at <= at < self.end_at


@dataclass(frozen=True, slots=True)
class Shift:
    """Working hours, in seconds of the local day; a stop beyond 86400 is on the next day.

    A shift that begins where another ends goes on without a stop: ``Shift(0, 86400)`` every day never stops.
    """

    start_s: int
    stop_s: int

    def __post_init__(self) -> None:
        if not (0 <= self.start_s < DAY_S and MIN_SHIFT_S <= self.stop_s - self.start_s <= DAY_S):
            raise ValueError(
                f"shift {self.start_s} to {self.stop_s}: expected a start from 0 to 86399 and a length from "
                f"{MIN_SHIFT_S} to {DAY_S} seconds"
            )


#: Eight in the morning to eight at night.
DAY_SHIFT: Final = Shift(8 * 3600, 20 * 3600)


@dataclass(frozen=True, slots=True)
class Line:
    """A production line (生产线).

    Attributes:
        name: Unique in its site.
        rated_kw: Rated electrical power.
        shifts: In order of their starts, with at least an hour between two or none at all.
        weekends: Whether it works on Saturdays and Sundays.
        load: Share of the rated power that it takes on an average day.
        jitter_s: How far a day's start and stop lie from the shift's, at most.
    """

    name: str
    rated_kw: float = 200.0
    shifts: tuple[Shift, ...] = (DAY_SHIFT,)
    weekends: bool = True
    load: float = 0.75
    jitter_s: int = 600

    def __post_init__(self) -> None:
        _check_item(self.name, self.rated_kw, self.load)
        if not 0 <= self.jitter_s <= MAX_JITTER_S:
            raise ValueError(f"line {self.name}: jitter_s {self.jitter_s} is not within 0 to {MAX_JITTER_S}")
        for n, shift in enumerate(self.shifts, 1):
            following = self.shifts[n % len(self.shifts)]
            pause = following.start_s - shift.stop_s + (DAY_S if n == len(self.shifts) else 0)
            if 0 != pause < MIN_PAUSE_S:
                raise ValueError(
                    f"line {self.name}: {pause} seconds from the end of shift {n} to the start of the next; expected 0 "
                    f"or at least {MIN_PAUSE_S}"
                )


@dataclass(frozen=True, slots=True)
class Unit:
    """A treatment unit (治理设施) and the lines whose emissions it treats.

    Attributes:
        name: Unique in its site, lines included.
        lines: Names of the lines; none for all of the site.
        rated_kw: Rated electrical power.
        load: Share of the rated power that it takes when it treats.
    """

    name: str
    lines: tuple[str, ...] = ()
    rated_kw: float = 45.0
    load: float = 0.8

    def __post_init__(self) -> None:
        _check_item(self.name, self.rated_kw, self.load)


def _check_item(name: str, rated_kw: float, load: float) -> None:
    if not name or name == "*":
        raise ValueError(f"{name!r} is no name of a line or unit")
    if rated_kw <= 0:
        raise ValueError(f"{name}: rated_kw {rated_kw} is not positive")
    if not 0 < load <= 1:
        raise ValueError(f"{name}: load {load} is not above 0 and up to 1")


class Piece(NamedTuple):
    """A stretch in which nothing changes at one item, from ``begin`` up to, not including, ``end``."""

    begin: float
    end: float
    grade: float  #: 0 off, 1 as usual, between: the share that an intervention leaves
    level: float  #: share of the rated power, of the day and after the grade; 0 when off
    supplied: bool  #: whether there is voltage


Span = tuple[float, float]


def day_of(at: float) -> int:
    """Return the number of the local day, 0 being 1970-01-01."""
    return int((at + _UTC_OFFSET_S) // DAY_S)


def midnight(day: int) -> int:
    """Return the POSIX second at which a local day begins."""
    return day * DAY_S - _UTC_OFFSET_S


def _union(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for begin, end in sorted(spans):
        if begin >= end:
            continue
        if merged and begin <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(end, merged[-1][1])
        else:
            merged.append((begin, end))
    return merged


def _without(spans: list[Span], holes: Iterable[Span]) -> list[Span]:
    for low, high in holes:
        spans = [
            part
            for begin, end in spans
            for part in ((begin, min(end, low)), (max(begin, high), end))
            if part[0] < part[1]
        ]
    return spans


class Schedule:
    """The timeline of every line and unit of a site; holds nothing but what it was made of."""

    __slots__ = ("_interventions", "_lines", "_name", "_seed", "_units")

    def __init__(
        self,
        lines: tuple[Line, ...],
        units: tuple[Unit, ...],
        seed: int,
        name: str,
        interventions: tuple[Intervention, ...] = (),
    ) -> None:
        self._lines = lines
        self._units = units
        self._seed = seed
        self._name = name
        self._interventions = interventions

    def pieces(self, item: Line | Unit, day: int) -> Iterator[Piece]:
        """Yield the pieces of one item's local day, from midnight to midnight without a gap."""
        begin, end = float(midnight(day)), float(midnight(day + 1))
        running = self._line_on(item, begin, end) if isinstance(item, Line) else self._unit_on(item, begin, end)
        cuts = [(i.begin_at, i.end_at) for i in self._of(What.SUPPLY_CUT, item)]
        shares = tuple(self._of(What.CURB if isinstance(item, Line) else What.UNIT_IDLE, item))
        breaches = tuple(self._of(What.CURB_BREACH, item))
        edges = {begin, end}
        for span in (*running, *cuts, *((i.begin_at, i.end_at) for i in (*shares, *breaches))):
            edges.update(edge for edge in span if begin < edge < end)
        spread = 2 * draw(self._seed, self._name, f"{item.name}/level", day) - 1
        usual = item.load * (1 + DAY_SPREAD * spread)
        instants = sorted(edges)
        for low, high in pairwise(instants):
            grade = float(any(on <= low < off for on, off in running))
            if grade and not any(i.covers(low) for i in breaches):
                for intervention in shares:
                    if intervention.covers(low):
                        grade *= intervention.remaining
            yield Piece(low, high, grade, usual * grade, not any(on <= low < off for on, off in cuts))

    def _of(self, what: What, item: Line | Unit) -> Iterator[Intervention]:
        for intervention in self._interventions:
            if intervention.what is what and intervention.where in ("*", item.name):
                yield intervention

    def _spans(self, what: What, item: Line | Unit) -> list[Span]:
        return [(i.begin_at, i.end_at) for i in self._of(what, item)]

    def _line_on(self, line: Line, begin: float, end: float) -> list[Span]:
        """Return when a line runs; true for everything between ``begin`` and ``end``."""
        spans = self._shifts(line, begin, end)
        if not self._interventions:
            return spans
        spans = _union([*spans, *self._spans(What.LINE_ON, line)])
        stopped = [(i.begin_at, i.end_at) for i in self._of(What.CURB, line) if not i.remaining]
        stopped = _without(stopped, self._spans(What.CURB_BREACH, line))
        return _without(spans, [*stopped, *self._spans(What.LINE_OFF, line), *self._spans(What.SUPPLY_CUT, line)])

    def _shifts(self, line: Line, begin: float, end: float) -> list[Span]:
        # A day more on either side: a shift may last into the next day, and where two of them meet nothing stops.
        nominal = _union(
            (midnight(day) + shift.start_s, midnight(day) + shift.stop_s)
            for day in range(day_of(begin) - 2, day_of(end) + 2)
            if line.weekends or (day + 3) % 7 < 5  # day 0 was a Thursday
            for shift in line.shifts
        )
        return [(self._edge(line, "start", start), self._edge(line, "stop", stop)) for start, stop in nominal]

    def _edge(self, line: Line, which: str, nominal: float) -> float:
        chance = 2 * draw(self._seed, self._name, f"{line.name}/{which}", int(nominal)) - 1
        return nominal + round(line.jitter_s * chance)

    def _unit_on(self, unit: Unit, begin: float, end: float) -> list[Span]:
        linked = [line for line in self._lines if not unit.lines or line.name in unit.lines]
        # Starts and stops up to an hour away reach into the window; another day is cheap and simple.
        production = _union(span for line in linked for span in self._line_on(line, begin - DAY_S, end + DAY_S))
        spans = _union((self._starts(unit, on), self._stops(unit, off)) for on, off in production)
        return _without(spans, [*self._spans(What.UNIT_OFF, unit), *self._spans(What.SUPPLY_CUT, unit)])

    def _starts(self, unit: Unit, production: float) -> float:
        late = [i.shift_s for i in self._of(What.UNIT_LATE, unit) if i.covers(production)]
        return production + max(late) if late else production - self._between(LEAD_S, unit, "lead", production)

    def _stops(self, unit: Unit, production: float) -> float:
        early = [i.shift_s for i in self._of(What.UNIT_EARLY, unit) if i.covers(production)]
        return production - max(early) if early else production + self._between(LAG_S, unit, "lag", production)

    def _between(self, bounds: tuple[int, int], unit: Unit, which: str, edge: float) -> int:
        low, high = bounds
        return low + round((high - low) * draw(self._seed, self._name, f"{unit.name}/{which}", int(edge)))
