"""A data logger (数采仪): real-time values, their true minute, hour and day statistics, the state of treatment units.

Whatever it tells is a function of the seed, its identity and the instant at which it was due. Values of the past are
not kept: they are read again where a platform asks for them, or where another process has taken the station over.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import ClassVar, Final

from hj212 import HJ_212_2017, ExeRtn, Message, MessageError, Rules
from hj212.encryption import Key
from hj212.tables.commands import editions_of
from hj212.times import format_time, parse_time

from ..behaviour import Behaviour
from ..draws import draw_bytes
from ..reporter import COMMON_HANDLERS, WINDOW, Items, Reporter, Timeline, Witness
from ..world import Outlet, Site, Summary
from ..world.schedule import Schedule, day_of
from . import noise
from .factors import NOISE, Adjust, Factors, factors
from .sums import DAY, HOUR, MINUTE, Sums, begin_of
from .ticks import MAX_SPANS, Span, first_tick, last_tick, offset_ms, ticks

__all__ = ["MAX_READ_AGAIN", "MAX_RECORDS", "DataLogger", "LoggerPlan", "LoggerSettings"]

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
_COMMAND: Final = {MINUTE: "2051", HOUR: "2061", DAY: "2031"}
_LEVEL: Final = {cn: level for level, cn in _COMMAND.items()}
_KIND: Final = {MINUTE: "minute", HOUR: "hour", DAY: "day"}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoggerPlan:
    """What the data loggers of a group have in common.

    Attributes:
        factors: What they report.
        rules: Their edition.
        seed: Of the scenario.
        interval_s: Seconds from one real-time report to the next.
        minute_interval: Minutes of a minute report; 0: none.
        hour: Whether hours are reported.
        day: Whether days are.
        phase: Where in the interval they report: ``clock``, ``spread`` or ``start``.
        marks_end: Whether DataTime of statistics is the end of the period; the 2005 edition does not say (unconfirmed).
        states: Whether the state of treatment units is told when it changes (2021), and their hours daily (2041).
        heartbeat_s: Silence after which a heartbeat is sent, where the edition has one; no edition says how long.
        adjust: Changes measured values, as a scenario's hook does.
        in_flight: Uploads that wait for their acknowledgement at once.
        key: SM4 key, where the edition encrypts.
    """

    factors: Factors
    rules: Rules = HJ_212_2017
    seed: int = 1
    interval_s: float = 60.0
    minute_interval: int = 10
    hour: bool = True
    day: bool = True
    phase: str = "clock"
    marks_end: bool = False
    states: bool = True
    heartbeat_s: float = 300.0
    adjust: Adjust | None = None
    in_flight: int = WINDOW
    key: Key | None = field(default=None, repr=False)

    @property
    def levels(self) -> tuple[int, ...]:
        """The statistics that are reported, the shortest first."""
        hours = self.hour and (self.factors.outlet != NOISE or self.factors.habits.noise_hours)
        wanted = (self.minute_interval > 0, hours, self.day)
        return tuple(level for level in (MINUTE, HOUR, DAY) if wanted[level])


def plan(outlet: str, rules: Rules = HJ_212_2017, wanted: tuple[str, ...] = (), **values: object) -> LoggerPlan:
    """Return the plan of data loggers at an outlet, by default with the factors that it usually has."""
    return LoggerPlan(factors=factors(outlet, rules.edition, wanted), rules=rules, **values)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class LoggerSettings:
    """One data logger: who it is, and the plan that it shares."""

    mn: str
    pw: str
    st: str
    plan: LoggerPlan

    def __repr__(self) -> str:
        return f"LoggerSettings(mn={self.mn!r}, pw=***, st={self.st!r})"

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


class DataLogger(Reporter):
    """The station.

    Args:
        settings: Its configuration.
        site: Where it measures.
        behaviour: What it does right or wrong.
        now: Run time at which it is switched on.
        epoch: POSIX seconds at run time 0.
        witness: Who is told beside.
        timeline: Faults that come and go.
        resume_at: Run time from which it is taken over from another process.
        outages: Stretches of run time in which it had no power, before it was taken over.
        clock_error_s: How much its clock was wrong then, where the scenario made it so.
    """

    __slots__ = ("_first", "_gaps", "_minute", "_on_request", "_outlet", "_past", "_site", "_steady_until", "_sums")

    settings: LoggerSettings

    def __init__(
        self,
        settings: LoggerSettings,
        site: Site,
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
        plan = settings.plan
        super().__init__(settings, behaviour, now, epoch, witness=witness, timeline=timeline)
        if clock_error_s:
            self._clock_error += clock_error_s
        self._site = site
        self._outlet: Outlet = site.outlet(settings.mn, plan.factors.signals)
        self._minute = plan.minute_interval
        self._on_request = 0
        self._past: tuple[Span, ...] = ()
        self._steady_until = 0.0
        self._gaps: list[float | None] | None = None
        noisy = plan.factors.outlet == NOISE
        width, carried = (0, 0) if noisy else (plan.factors.width, len(plan.factors.cou))
        self._sums = Sums(len(plan.levels), width, carried, roomy=plan.adjust is not None)
        self._first = self._next_report = self._tick_from(now)
        if resume_at is not None and resume_at > now:
            self._take_over(resume_at, outages)
        else:
            self._told_on(now)

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
        if self.settings.rules.edition in editions_of("2081", upward=True):
            self.tell_restart(now)

    def step_clock(self, seconds: float) -> None:
        self._regrid(self._now, lambda: super(DataLogger, self).step_clock(seconds))

    def _set_clock(self, request: Message, now: float) -> None:
        self._regrid(now, lambda: super(DataLogger, self)._set_clock(request, now))

    def _set_interval(self, request: Message, now: float) -> None:
        self._regrid(now, lambda: super(DataLogger, self)._set_interval(request, now))

    # What it reads

    def _read(self, due: float) -> list[int]:
        """Return every column as of an instant."""
        plan = self.settings.plan
        at = round(self._epoch + due, 3)
        values = self._outlet.values(at)
        if plan.adjust is not None:
            values = plan.factors.adjusted(values, plan.adjust, self.settings.mn, at)
        return plan.factors.columns(values)

    def _add(self, sums: Sums, level: int, columns: list[int], interval_ms: int) -> None:
        known = self.settings.plan.factors
        if sums.width:
            sums.add(level, columns, known.carried(columns, interval_ms), known.over(columns))
        else:
            sums.add(level, (), ())

    # What it tells

    def _report(self, due: float) -> None:
        behaviour = self.behaviour
        device_ms = self._device_ms(due)
        index = device_ms // self._interval_ms
        wait = behaviour.interval_s(self._interval, index)
        self._next_report = round(due + wait, 3) if wait != self._interval else self._tick_from(due + 0.001)
        columns = self._read(due)
        known = self.settings.plan.factors
        if not self._on_request & _SILENT and not behaviour.skips_report(index):
            self.put("periodic", due, known.realtime(format_time(device_ms / 1000), columns), "2011")
        sums = self._sums
        if self.settings.plan.levels:
            if not sums.open(device_ms):
                self._close_windows(due, device_ms)
            self._add(sums, 0, columns, self._interval_ms)
        if self.settings.plan.states:
            self._tell_states(due, device_ms)
        if self.settings.rules.heartbeat:
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
                self._tell_window(due, level, window)
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

    def _tell_window(self, due: float, level: int, window: int) -> None:
        """Tell the statistics of one window."""
        sums, plan = self._sums, self.settings.plan
        begin, end = sums.begin(level), sums.end(level)
        sound: list[tuple[int, int]] = []
        if plan.factors.outlet == NOISE:
            sound = [(self._shown_ms(*one), self._read(one[0])[0]) for one in self._run(begin, end, due)]
        if not self.behaviour.omits(_KIND[window], begin // 1000):
            self.put(_KIND[window], due, self._area(window, begin, end, sums, level, sound), _COMMAND[window])
        if window == DAY and plan.states:
            self._tell_hours(due, begin, end)

    def _area(self, window: int, begin: int, end: int, sums: Sums, level: int, sound: Sequence[tuple[int, int]]) -> str:
        """Return the data area of a window's statistics."""
        plan = self.settings.plan
        known = plan.factors
        moment = format_time((end if plan.marks_end else begin) / 1000)
        if known.outlet == NOISE:
            return noise.area(moment, known, sound, begin if window == DAY else None)
        count = sums.count(level)
        found = [(least, Summary(least, most, total, count).mean, most) for least, total, most in sums.columns(level)]
        return known.period(moment, found, sums.products(level), count, sums.over(level))

    # Treatment units

    def _states(self, at: float) -> tuple[list[int], float]:
        """Return which treatment units run (1), and until when none changes; POSIX seconds."""
        site = self._site
        template = site.template
        schedule = Schedule(template.lines, template.units, site.seed, site.name, site.interventions)
        states, until = [], math.inf
        for unit in template.units:
            piece = next(piece for piece in schedule.pieces(unit, day_of(at)) if at < piece.end)
            states.append(int(piece.grade > 0))
            until = min(until, piece.end)
        return states, until

    def _tell_states(self, due: float, device_ms: int) -> None:
        """Tell the state of the treatment units, where it is new or wanted with each report (2021)."""
        at = self._epoch + due
        if (at < self._steady_until and not self._on_request & _STATES) or not self._site.template.units:
            return
        states, self._steady_until = self._states(at)
        if not self._on_request & _STATES:
            last = self._last_before(due)
            if last is not None and self._states(self._epoch + last)[0] == states:
                return
        area = ";".join([f"SB{n}-RS={state}" for n, state in enumerate(states, 1)])
        self.put("state", due, f"DataTime={format_time(device_ms / 1000)};{area}", "2021")

    def _tell_hours(self, due: float, begin_ms: int, end_ms: int) -> None:
        """Tell how long each treatment unit ran on a day, hours (2041)."""
        units = self._site.template.units
        if not units:
            return
        plan = self.settings.plan
        moment = format_time((end_ms if plan.marks_end else begin_ms) / 1000)
        area = ";".join([f"SB{n}-RT={hours:.2f}" for n, hours in enumerate(self._hours(begin_ms, end_ms), 1)])
        self.put("hours", due, f"DataTime={moment};{area}", "2041")

    def _hours(self, begin_ms: int, end_ms: int) -> Iterator[float]:
        """Yield the hours that each treatment unit ran within a stretch of the station's clock while it was on."""
        site = self._site
        template = site.template
        schedule = Schedule(template.lines, template.units, site.seed, site.name, site.interventions)
        on_at = self._epoch + (self._past[0].first if self._past else self._first)
        begin = max(begin_ms / 1000 - self._clock_error, on_at)
        end = end_ms / 1000 - self._clock_error
        for unit in template.units:
            yield (
                sum(
                    max(0.0, min(piece.end, end) - max(piece.begin, begin))
                    for day in range(day_of(begin), day_of(end) + 1)
                    for piece in schedule.pieces(unit, day)
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
        self._on_request = self._on_request & ~_SILENT if request.cn == "2011" else self._on_request | _STATES
        return None

    def _stop(self, request: Message, now: float) -> None:
        self._on_request = self._on_request | _SILENT if request.cn == "2012" else self._on_request & ~_STATES

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
        known = self.settings.plan.factors
        readings = self._readings(first_ms, last_ms)
        _check_records(len(readings))
        return [
            known.realtime(format_time(self._shown_ms(due, span) / 1000), self._read(due)) for due, span in readings
        ]

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
            areas.append(self._area_again(window, begin, length, group))
        _check_records(len(areas))
        return areas

    def _area_again(self, window: int, begin: int, length: int, group: list[tuple[float, Span]]) -> str:
        """Return the statistics of readings that are made again."""
        again = Sums(1, self._sums.width, self._sums.carried, roomy=True)
        sound = []
        for due, span in group:
            columns = self._read(due)
            sound.append((self._shown_ms(due, span), columns[0]))
            self._add(again, 0, columns, round(span.interval_s * 1000))
        return self._area(window, begin, begin + length, again, 0, sound)

    def _get_serial(self, request: Message, now: float) -> Items:
        """Tell the identity of an instrument."""
        code = self._instrument(request)
        plan = self.settings.plan
        serial = draw_bytes(plan.seed, self.settings.mn, f"serial/{code}", 0)[:12].hex().upper()
        return [[["PolId", code]], [[f"{code}-SN", serial]]]

    def _get_information(self, request: Message, now: float) -> Items:
        wanted = request.parameter("InfoId") or ""
        code = self._instrument(request) if request.parameter("PolId") else ""
        value = self._information(wanted, code)
        if value is None:
            raise MessageError(f"InfoId: {wanted!r} is not known here", field="InfoId")
        moment = [["DataTime", format_time(self.device_time(now))]]
        return [moment, *([[["PolId", code]]] if code else []), [[f"{wanted}-Info", value]]]

    def _information(self, wanted: str, code: str) -> str | None:
        """Return what an instrument (by its factor) or the logger (empty) says of itself; ``None``: nothing."""
        if not code:
            return {"i22001": "0", "i22002": "0", "i22003": "1"}.get(wanted)
        known = self.settings.plan.factors
        signal = known.signals[known.codes.index(code)]
        described = {
            "i12001": "0",
            "i12002": "0",
            "i13001": f"{signal.ceiling:.{signal.decimals}f}",
            "i13003": str(max(1, round(self._interval / 60))),
            "i13007": "0",
            "i13008": "1",
        }
        return described.get(wanted)

    def _instrument(self, request: Message) -> str:
        code = request.parameter("PolId") or request.parameter("PolID") or ""
        if code not in self.settings.plan.factors.codes:
            raise MessageError(f"PolId: {code!r} is not measured here", field="PolId")
        return code

    handlers: ClassVar[Mapping[str, Callable[..., Items | ExeRtn | None]]] = {
        **COMMON_HANDLERS,
        "1063": _get_minutes,
        "1064": _set_minutes,
        "2011": _start,
        "2021": _start,
        "2031": _history,
        "2051": _history,
        "2061": _history,
        "3019": _get_serial,
        "3020": _get_information,
    }
    notices: ClassVar[Mapping[str, Callable[..., None]]] = {"2012": _stop, "2022": _stop}


def _check_records(count: int) -> None:
    if count > MAX_RECORDS:
        raise MessageError(f"EndTime: {count} records, at most {MAX_RECORDS} (MAX_RECORDS)", field="EndTime")
