"""A data logger (数采仪): real-time values of an outlet and their true minute, hour and day statistics.

Whatever it tells is a function of the seed, its identity and the instant at which it was due.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from hj212 import HJ_212_2017, ExeRtn, Message, MessageError, Rules
from hj212.times import format_time

from ..behaviour import Behaviour
from ..draws import draw_bytes
from ..reporter import Items, Timeline, Witness
from ..world import Level, Outlet, Plant, Site, Summary
from . import noise
from .factors import NOISE, Adjust, Factors, factors
from .sampling import Plan, PlannedSettings, Sampler, States
from .sums import DAY, HOUR, MINUTE, Sums
from .ticks import Span

__all__ = ["DataLogger", "LoggerPlan", "LoggerSettings", "logger_plan"]

_COMMAND: Final = {MINUTE: "2051", HOUR: "2061", DAY: "2031"}
_KIND: Final = {MINUTE: "minute", HOUR: "hour", DAY: "day"}
#: Outlets behind treatment units, whose state their loggers tell.
_TREATED: Final = frozenset({"water", "flue-gas", "voc"})


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LoggerPlan(Plan):
    """What the data loggers of a group have in common.

    Attributes:
        factors: What they report.
        adjust: Changes measured values, as a scenario's hook does.
    """

    factors: Factors
    adjust: Adjust | None = None


def logger_plan(
    outlet: str,
    rules: Rules = HJ_212_2017,
    wanted: tuple[str, ...] = (),
    *,
    stated: tuple[tuple[str, Level], ...] = (),
    minute_interval: int = 10,
    hour: bool = True,
    day: bool = True,
    **values: object,
) -> LoggerPlan:
    """Return the plan of data loggers at an outlet.

    Args:
        outlet: One of :data:`~simulator.world.OUTLETS`.
        rules: Their edition.
        wanted: Codes of the factors, or names of signals; empty: those that such an outlet usually has.
        stated: What some of them read, instead of following the plant.
        minute_interval: Minutes of a minute report; 0: none.
        hour: Whether hours are reported.
        day: Whether days are.
        values: Further fields of the plan.

    Raises:
        UnknownFactorError: If one of the factors is not known.
    """
    known = factors(outlet, rules.edition, wanted, stated)
    hours = hour and (outlet != NOISE or known.habits.noise_hours)
    told = {MINUTE: minute_interval > 0, HOUR: hours, DAY: day}
    treated = outlet in _TREATED
    return LoggerPlan(
        factors=known,
        rules=rules,
        minute_interval=minute_interval,
        levels=tuple(level for level, wanted in told.items() if wanted),
        states=States.CHANGES if treated else States.NEVER,
        hours=treated,
        **values,  # type: ignore[arg-type]
    )


@dataclass(frozen=True, slots=True, repr=False)
class LoggerSettings(PlannedSettings):
    """One data logger: who it is, and the plan that it shares."""

    plan: LoggerPlan


class DataLogger(Sampler):
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

    __slots__ = ("_outlet",)

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
        self._outlet: Outlet = site.outlet(settings.mn, plan.factors.signals)
        super().__init__(
            settings,
            self._new_sums(plan, len(plan.levels), roomy=plan.adjust is not None),
            behaviour,
            now,
            epoch,
            witness=witness,
            timeline=timeline,
            resume_at=resume_at,
            outages=outages,
            clock_error_s=clock_error_s,
        )

    @staticmethod
    def _new_sums(plan: LoggerPlan, levels: int, *, roomy: bool) -> Sums:
        """Return empty sums; of a sound level none are kept, its statistics want every value."""
        known = plan.factors
        return Sums(levels, 0, 0) if known.outlet == NOISE else Sums(levels, known.width, len(known.cou), roomy=roomy)

    @property
    def plant(self) -> Plant:
        return self._outlet.plant

    # What it reads

    def _read(self, due: float) -> list[int]:
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

    def _moment_area(self, moment: str, columns: list[int]) -> str:
        return self.settings.plan.factors.realtime(moment, columns)

    def _tell_now(self, due: float, moment: str, columns: list[int]) -> None:
        self.put("periodic", due, self.settings.plan.factors.realtime(moment, columns), "2011")

    def _tell_period(self, due: float, level: int, window: int) -> None:
        sums, plan = self._sums, self.settings.plan
        begin, end = sums.begin(level), sums.end(level)
        if self.behaviour.omits(_KIND[window], begin // 1000):
            self.withheld(due)
            return
        sound: list[tuple[int, int]] = []
        if plan.factors.outlet == NOISE:
            sound = [(self._shown_ms(*one), self._read(one[0])[0]) for one in self._run(begin, end, due)]
        self.put(_KIND[window], due, self._area(window, begin, end, sums, level, sound), _COMMAND[window])

    def _period_area(self, window: int, begin: int, length: int, group: list[tuple[float, Span]]) -> str:
        again = self._new_sums(self.settings.plan, 1, roomy=True)
        sound = []
        for due, span in group:
            columns = self._read(due)
            sound.append((self._shown_ms(due, span), columns[0]))
            self._add(again, 0, columns, round(span.interval_s * 1000))
        return self._area(window, begin, begin + length, again, 0, sound)

    def _area(self, window: int, begin: int, end: int, sums: Sums, level: int, sound: Sequence[tuple[int, int]]) -> str:
        """Return the data area of a period's statistics."""
        plan = self.settings.plan
        known = plan.factors
        moment = format_time((end if plan.marks_end else begin) // 1000)
        if known.outlet == NOISE:
            return noise.area(moment, known, sound, begin if window == DAY else None)
        count = sums.count(level)
        found = [(least, Summary(least, most, total, count).mean, most) for least, total, most in sums.columns(level)]
        return known.period(moment, found, sums.products(level), count, sums.over(level))

    # What the platform asks

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
        **Sampler.handlers,
        "3019": _get_serial,
        "3020": _get_information,
    }
