"""A station that reads instruments at the instants of a grid: real-time reports, periods that end, what is asked of it.

What it reads is a function of the instant, so nothing of the past is kept: it is read again where a platform asks for
it, or where another process has taken the station over. What is read, and how it is written, is the personality's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import ClassVar, Final

from hj212 import HJ_212_2017, ExeRtn, Message, MessageError, Rules
from hj212.encryption import Key
from hj212.times import format_time, parse_time

from ..behaviour import Behaviour
from ..reporter import COMMON_HANDLERS, WINDOW, Items, Reporter, Timeline, Witness
from ..reporter.answering import set_clock, set_interval
from ..world import Plant
from ..world.schedule import day_of
from .sums import DAY, HOUR, MINUTE, Sums, begin_of
from .ticks import MAX_SPANS, Span, first_tick, last_tick, offset_ms, ticks

__all__ = ["MAX_READ_AGAIN", "MAX_RECORDS", "Plan", "PlannedSettings", "Sampler", "States"]

#: Records that one request of a platform brings, and readings that are made again for it: a month of days.
MAX_RECORDS: Final = 400
MAX_READ_AGAIN: Final = 50_000

#: Bits of what the platform has asked for: no real-time data; states with each report.
_SILENT: Final = 1
_STATES: Final = 2
#: Instants are at whole milliseconds; this is between two of them.
_HALF_MS: Final = 0.0005
_MINUTE_MS: Final = 60_000
_LENGTH_MS: Final = {HOUR: 3_600_000, DAY: 86_400_000}
_LEVEL: Final = {"2051": MINUTE, "2061": HOUR, "2031": DAY}


class States(StrEnum):
    """When the state of treatment units is told (2021)."""

    NEVER = "never"
    CHANGES = "changes"  #: after switching on, and whenever one changes
    ALWAYS = "always"  #: with each report, as the cycles of HJ 212-2017 have it


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """What the stations of a group have in common.

    Attributes:
        rules: Their edition.
        seed: Of the scenario.
        interval_s: Seconds from one real-time report to the next.
        minute_interval: Minutes of a minute report; 0: none.
        levels: The periods that are told when they end, the shortest first: of ``MINUTE``, ``HOUR``, ``DAY``.
        phase: Where in the interval they report: ``clock``, ``spread`` or ``start``.
        marks_end: Whether DataTime of a period is its end; the 2005 edition does not say (unconfirmed).
        states: When the state of treatment units is told (2021).
        hours: Whether their hours are told at the end of a day (2041).
        heartbeat_s: Silence after which a heartbeat is sent, where the edition has one; no edition says how long.
        in_flight: Uploads that wait for their acknowledgement at once.
        key: SM4 key, where the edition encrypts.
    """

    rules: Rules = HJ_212_2017
    seed: int = 1
    interval_s: float = 60.0
    minute_interval: int = 10
    levels: tuple[int, ...] = (MINUTE, HOUR, DAY)
    phase: str = "clock"
    marks_end: bool = False
    states: States = States.CHANGES
    hours: bool = True
    heartbeat_s: float = 300.0
    in_flight: int = WINDOW
    key: Key | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, repr=False)
class PlannedSettings:
    """One station: who it is, and the plan that it shares."""

    mn: str
    pw: str
    st: str
    plan: Plan

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mn={self.mn!r}, pw=***, st={self.st!r})"

    @property
    def interval_s(self) -> float:
        return self.plan.interval_s

    @property
    def rules(self) -> Rules:
        return self.plan.rules

    @property
    def in_flight(self) -> int:
        return self.plan.in_flight

    @property
    def key(self) -> Key | None:
        return self.plan.key


class Sampler(Reporter):
    """The station.

    Args:
        settings: Its configuration.
        sums: Its running statistics.
        behaviour: What it does right or wrong.
        now: Run time at which it is switched on.
        epoch: POSIX seconds at run time 0.
        witness: Who is told beside.
        timeline: Faults that come and go.
        resume_at: Run time from which it is taken over from another process.
        outages: Stretches of run time in which it had no power, before it was taken over.
        clock_error_s: How much its clock was wrong then, where the scenario made it so.
    """

    __slots__ = ("_asked", "_first", "_gaps", "_minute", "_past", "_sums")

    settings: PlannedSettings

    def __init__(
        self,
        settings: PlannedSettings,
        sums: Sums,
        behaviour: Behaviour,
        now: float,
        epoch: float,
        *,
        witness: Witness | None = None,
        timeline: Timeline | None = None,
        resume_at: float | None = None,
        outages: Sequence[tuple[float, float]] = (),
        clock_error_s: float = 0.0,
    ) -> None:
        super().__init__(settings, behaviour, now, epoch, witness=witness, timeline=timeline)
        if clock_error_s:
            self._clock_error += clock_error_s
        self._minute = settings.plan.minute_interval
        self._asked = 0
        self._past: tuple[Span, ...] = ()
        self._gaps: list[float | None] | None = None
        self._sums = sums
        self._first = self._next_report = self._tick_from(now)
        if resume_at is not None and resume_at > now:
            self._take_over(resume_at, outages)
        else:
            self._told_on(now)

    # What a personality says

    @property
    def plant(self) -> Plant:
        """The plant that it stands at."""
        raise NotImplementedError

    def _read(self, due: float) -> list[int]:
        """Return everything that is read at run time ``due``."""
        raise NotImplementedError

    def _tell_now(self, due: float, moment: str, columns: list[int]) -> None:
        """Tell what was read just now."""
        raise NotImplementedError

    def _moment_area(self, moment: str, columns: list[int]) -> str:
        """Return what was read as the data area of a 2011; empty where it is none."""
        raise NotImplementedError

    def _add(self, sums: Sums, level: int, columns: list[int], interval_ms: int) -> None:
        """Add what was read to a period."""
        sums.add(level, (), ())

    def _tell_period(self, due: float, level: int, window: int) -> None:
        """Tell the statistics of a period that is over."""

    def _period_area(self, window: int, begin: int, length: int, group: list[tuple[float, Span]]) -> str:
        """Return the statistics of readings that are made again, as a data area; empty where there are none."""
        return ""

    # When

    @property
    def _interval_ms(self) -> int:
        return round(self._interval * 1000)

    def _device_ms(self, due: float) -> int:
        """Return what the station's clock shows, POSIX milliseconds."""
        return round((self._epoch + due + self._clock_error) * 1000)

    def _tick_from(self, due: float) -> float:
        """Return the first instant of the grid that is not before another."""
        plan, interval_ms = self.settings.plan, self._interval_ms
        offset = offset_ms(plan.phase, plan.seed, self.settings.mn, interval_ms, self._device_ms(self._booted_at))
        device_ms = first_tick(self._device_ms(due), interval_ms, offset)
        return round(device_ms / 1000 - self._epoch - self._clock_error, 3)

    @property
    def _spans(self) -> tuple[Span, ...]:
        return *self._past, Span(self._first, math.inf, self._interval, self._clock_error)

    def _new_span(self, end: float, begin: float) -> None:
        """Keep another grid from ``begin`` on; the one before was kept up to ``end``, not included."""
        if end > self._first:
            self._past = (*self._past, self._spans[-1]._replace(end=end))[-MAX_SPANS:]
        self._first = self._next_report = begin

    def _regrid(self, end: float, change: Callable[[], None]) -> None:
        """Change what the grid depends on."""
        before = self._next_report
        if before is None or before == self._first:
            change()
            self._first = self._next_report = self._tick_from(end)
            return
        span = self._spans[-1]._replace(end=before)
        change()
        self._past = (*self._past, span)[-MAX_SPANS:]
        self._first = self._next_report = self._tick_from(end)

    def _take_over(self, resume_at: float, outages: Sequence[tuple[float, float]]) -> None:
        """Be as if it had been there all the time."""
        for lost_at, back_at in outages:
            if back_at >= resume_at or back_at <= self._booted_at:
                continue
            self._new_span(lost_at, 0.0)
            self._booted_at = back_at
            self._first = self._next_report = self._tick_from(back_at)
        self._next_report = max(self._first, self._tick_from(resume_at))
        last = self._last_before(self._next_report)
        if last is None:
            return
        # What the other process has read of the open windows is read again when they end: of each what no shorter
        # window has.
        until: float | None = self._next_report
        self._gaps = []
        for level, window in enumerate(self.settings.plan.levels):
            begin, end = self._window(window, self._device_ms(last))
            self._sums.reset(level, begin, end)
            self._gaps.append(until)
            run = self._run(begin, end, until) if until is not None and window != DAY else []
            until = run[0][0] if run else until

    @property
    def last_due(self) -> float | None:
        return None if self._next_report is None else self._last_before(self._next_report)

    def _last_before(self, due: float) -> float | None:
        """Return the last reading before an instant, ``None`` where there is none."""
        found = (last_tick(span, due) for span in reversed(self._spans))
        return next((last for last in found if last is not None), None)

    def reboot(self, now: float) -> None:
        before = self._next_report
        super().reboot(now)
        self._new_span(now if before is None else min(before, now), 0.0)
        self._first = self._next_report = self._tick_from(now)
        self._told_on(now)

    def _told_on(self, now: float) -> None:
        self._behave(now)
        self.tell_restart(now)

    def step_clock(self, seconds: float) -> None:
        self._regrid(self._now, lambda: super(Sampler, self).step_clock(seconds))

    def _set_clock(self, request: Message, now: float) -> None:
        self._regrid(now, lambda: set_clock(self, request, now))

    def _set_interval(self, request: Message, now: float) -> None:
        self._regrid(now, lambda: set_interval(self, request, now))

    # What it tells

    def _report(self, due: float) -> None:
        behaviour, plan = self.behaviour, self.settings.plan
        device_ms = self._device_ms(due)
        index = device_ms // self._interval_ms
        wait = behaviour.interval_s(self._interval, index)
        if wait != self._interval or round((due - self._first) * 1000) % self._interval_ms == 0:
            self._next_report = round(due + wait, 3)
        else:
            self._next_report = self._tick_from(due + 0.001)  # a timer that was wrong for a while is right again
        columns = self._read(due)
        if not self._asked & _SILENT and not behaviour.skips_report(index):
            self._tell_now(due, format_time(device_ms // 1000), columns)
        elif behaviour.acts:
            self.withheld(due)
        if plan.levels:
            sums = self._sums
            if not sums.open(device_ms):
                self._close_windows(due, device_ms)
            self._add(sums, 0, columns, self._interval_ms)
        if plan.states is not States.NEVER:
            self._tell_states(due, device_ms)
        if plan.rules.heartbeat:
            self._beat_until(due)

    def _window(self, level: int, device_ms: int) -> tuple[int, int]:
        """Return the window of a level that an instant lies in, both ends on the station's clock."""
        length = self._minute * _MINUTE_MS if level == MINUTE else _LENGTH_MS[level]
        begin = begin_of(device_ms, length)
        return begin, begin + length

    def _close_windows(self, due: float, device_ms: int) -> None:
        """Tell the statistics of the windows that are over, the shortest first, and begin new ones."""
        sums = self._sums
        levels = self.settings.plan.levels
        for level, window in enumerate(levels):
            begin, end = self._window(window, device_ms)
            if level and sums.begin(level) == begin:
                break
            if begin < sums.end(level) <= device_ms:
                begin = sums.end(level)  # the platform has made minutes longer, and this one is begun already
            self._make_up(level)
            if sums.count(level):
                self._tell_period(due, level, window)
                if window == DAY and self.settings.plan.hours:
                    self._tell_hours(due, sums.begin(level), sums.end(level))
                if level + 1 < len(levels):
                    sums.fold(level, level + 1)
            sums.reset(level, begin, end)

    def _run(self, begin_ms: int, end_ms: int, until: float) -> list[tuple[float, Span]]:
        """Return the last readings before ``until`` that lie in a window without another window between them.

        Each is its run time and the span that it belongs to.
        """
        parts: list[list[tuple[float, Span]]] = []
        for span in reversed(self._spans):
            ahead = self._epoch + span.clock_error_s
            first, last = begin_ms / 1000 - ahead - _HALF_MS, end_ms / 1000 - ahead - _HALF_MS
            newest = last_tick(span, until)
            if newest is None:
                continue
            if not first <= newest < last:
                break
            parts.append([(due, span) for due in ticks(span, first, min(until, last))])
            if first > span.first:
                break
        return [one for part in reversed(parts) for one in part]

    def _make_up(self, level: int) -> None:
        """Add to a window what was read of it before this process took the station over."""
        if self._gaps is None:
            return
        until, self._gaps[level] = self._gaps[level], None
        sums = self._sums
        if until is not None:
            for due, span in self._run(sums.begin(level), sums.end(level), until):
                self._add(sums, level, self._read(due), round(span.interval_s * 1000))
        if not any(self._gaps):
            self._gaps = None

    # Treatment units

    def _states(self, at: float) -> list[int]:
        """Return which treatment units run (1)."""
        plant = self.plant
        day = day_of(at)
        found = []
        for unit in plant.units:
            piece = next(piece for piece in plant.schedule.pieces(unit, day) if at < piece.end)
            found.append(int(piece.grade > 0))
        return found

    def _tell_states(self, due: float, device_ms: int) -> None:
        """Tell the state of the treatment units, where it is new or wanted with each report (2021)."""
        plant = self.plant
        if not plant.units:
            return
        at = self._epoch + due
        if self.settings.plan.states is States.CHANGES and not self._asked & _STATES:
            if due != self._first and plant.state(at).begin <= at - self._interval:
                return
            last = self._last_before(due)
            if last is not None and self._states(self._epoch + last) == self._states(at):
                return
        area = ";".join([f"SB{n}-RS={state}" for n, state in enumerate(self._states(at), 1)])
        self.put("state", due, f"DataTime={format_time(device_ms // 1000)};{area}", "2021")

    def _tell_hours(self, due: float, begin_ms: int, end_ms: int) -> None:
        """Tell how long each treatment unit ran on a day, hours (2041)."""
        if not self.plant.units:
            return
        plan = self.settings.plan
        moment = format_time((end_ms if plan.marks_end else begin_ms) / 1000)
        area = ";".join([f"SB{n}-RT={hours:.2f}" for n, hours in enumerate(self._hours(begin_ms, end_ms), 1)])
        self.put("hours", due, f"DataTime={moment};{area}", "2041")

    def _hours(self, begin_ms: int, end_ms: int) -> Iterator[float]:
        """Yield the hours that each treatment unit ran within a stretch of the station's clock while it was on."""
        plant = self.plant
        on_at = self._epoch + (self._past[0].first if self._past else self._first)
        begin = max(begin_ms / 1000 - self._clock_error, on_at)
        end = end_ms / 1000 - self._clock_error
        for unit in plant.units:
            yield (
                sum(
                    max(0.0, min(piece.end, end) - max(piece.begin, begin))
                    for day in range(day_of(begin), day_of(end) + 1)
                    for piece in plant.schedule.pieces(unit, day)
                    if piece.grade > 0
                )
                / 3600
            )

    # The link

    def _beat_until(self, due: float) -> None:
        """See to it that no silence until the next report is too long."""
        wait = self.settings.plan.heartbeat_s
        if self._next_report is not None and due + wait < self._next_report:
            self.schedule(round(due + wait, 3), self._beat)

    def _beat(self, when: float) -> None:
        self.notify(when, self.settings.rules.heartbeat)
        self._beat_until(when)

    # What the platform asks

    def _get_minutes(self, request: Message, now: float) -> Items:
        return [[["MinInterval", str(self._minute)]]]

    def _set_minutes(self, request: Message, now: float) -> ExeRtn | None:
        wanted = request.number("MinInterval")
        known = self.settings.rules.minute_intervals
        if wanted not in known:
            raise MessageError(f"MinInterval: expected one of {known}, found {wanted}", field="MinInterval")
        if MINUTE not in self.settings.plan.levels:
            return ExeRtn.BAD_CONDITION
        self._minute = wanted
        return None

    def _start(self, request: Message, now: float) -> ExeRtn | None:
        """Start the upload of 2011 or 2021; or bring real-time data of the past."""
        if request.parameter("BeginTime") is not None:
            return self._history(request, now)
        self._asked = self._asked & ~_SILENT if request.cn == "2011" else self._asked | _STATES
        return None

    def _stop(self, request: Message, now: float) -> None:
        self._asked = self._asked | _SILENT if request.cn == "2012" else self._asked & ~_STATES

    def _history(self, request: Message, now: float) -> ExeRtn | None:
        """Bring the records of a time range, read again."""
        begin, end = (parse_time(request.parameter(name) or "") for name in ("BeginTime", "EndTime"))
        if begin > end:
            raise MessageError(f"BeginTime: {begin} is after EndTime {end}", field="BeginTime")
        window = _LEVEL.get(request.cn)
        levels = self.settings.plan.levels
        if window is not None and window not in levels:
            return ExeRtn.NO_DATA
        first_ms, last_ms = round(begin.timestamp() * 1000), round(end.timestamp() * 1000) + 999
        areas = self._moments(first_ms, last_ms) if window is None else self._periods(window, first_ms, last_ms)
        if not areas:
            return ExeRtn.NO_DATA
        self.bring(request, areas, now)
        return None

    def _readings(self, first_ms: int, end_ms: int) -> list[tuple[float, Span]]:
        """Return the readings made so far within a stretch of the station's clock.

        Raises:
            MessageError: If there are more than :data:`MAX_READ_AGAIN`.
        """
        found: list[tuple[float, Span]] = []
        assert self._next_report is not None
        for span in self._spans:
            ahead = self._epoch + span.clock_error_s
            begin, end = first_ms / 1000 - ahead - _HALF_MS, min(end_ms / 1000 - ahead - _HALF_MS, self._next_report)
            if (min(end, span.end) - max(begin, span.first)) / span.interval_s + len(found) > MAX_READ_AGAIN:
                raise MessageError(f"EndTime: more than {MAX_READ_AGAIN} readings (MAX_READ_AGAIN)", field="EndTime")
            found += [(due, span) for due in ticks(span, begin, end)]
        return found

    def _shown_ms(self, due: float, span: Span) -> int:
        return round((self._epoch + due + span.clock_error_s) * 1000)

    def _moments(self, first_ms: int, last_ms: int) -> list[str]:
        """Return the real-time data of a time range as data areas."""
        readings = self._readings(first_ms, last_ms)
        _check_records(len(readings))
        areas = (self._moment_area(format_time(self._shown_ms(*one) // 1000), self._read(one[0])) for one in readings)
        return [area for area in areas if area]

    def _periods(self, window: int, first_ms: int, last_ms: int) -> list[str]:
        """Return the statistics of the windows that began in a time range and are over, as data areas."""
        sums = self._sums
        level = self.settings.plan.levels.index(window)
        length = self._minute * _MINUTE_MS if window == MINUTE else _LENGTH_MS[window]
        mark = length if self.settings.plan.marks_end else 0
        low = first_ms - mark + (-(first_ms - mark - begin_of(first_ms - mark, length)) % length)
        readings = self._readings(low, begin_of(last_ms - mark, length) + length)
        areas = []
        for begin, run in groupby(readings, lambda one: begin_of(self._shown_ms(*one), length)):
            group = list(run)
            if begin == sums.begin(level) and group[-1][0] >= (self._last_before(self._next_report or 0.0) or 0.0):
                continue  # not over yet
            areas.append(self._period_area(window, begin, length, group))
        _check_records(len(areas))
        return areas

    handlers: ClassVar[Mapping[str, Callable[..., Items | ExeRtn | None]]] = {
        **COMMON_HANDLERS,
        "1012": _set_clock,
        "1062": _set_interval,
        "1063": _get_minutes,
        "1064": _set_minutes,
        "2011": _start,
        "2021": _start,
        "2031": _history,
        "2051": _history,
        "2061": _history,
    }
    notices: ClassVar[Mapping[str, Callable[..., None]]] = {"2012": _stop, "2022": _stop}


def _check_records(count: int) -> None:
    if count > MAX_RECORDS:
        raise MessageError(f"EndTime: {count} records, at most {MAX_RECORDS} (MAX_RECORDS)", field="EndTime")
