"""The set-up sequence after the first contact, each step after the one before is over (HJ 212-2017 6.7)."""

from __future__ import annotations

from collections.abc import Callable

from ..editions import Rules
from ..errors import LocalProtocolError
from .commands import STOPS
from .events import HostEvent, Outcome, Purpose, RequestFinished, SetupFinished, Ticket
from .policy import SetupPlan
from .requests import Requests
from .stations import Station

__all__ = ["Setup", "setup_steps"]


def setup_steps(plan: SetupPlan, rules: Rules) -> list[str]:
    """Return the commands that a plan asks for, in the edition's order."""
    wanted = {
        "1012": plan.clock,
        "1000": plan.overtime_s is not None or plan.recount is not None,
        "1062": plan.rtd_interval_s is not None,
        "1064": plan.min_interval is not None,
    }
    steps = []
    for cn in rules.setup_commands:
        if cn in STOPS:
            on = plan.realtime if cn == "2011" else plan.state
            if on is not None:
                steps.append(cn if on else STOPS[cn])
        elif wanted.get(cn, True):
            steps.append(cn)
    return steps


def _parameters(cn: str, plan: SetupPlan, rules: Rules, system_time: str) -> list[tuple[str, str]]:
    """Return what a step carries.

    Raises:
        LocalProtocolError: If the edition does not allow a value of the plan, or the plan lacks one.
    """
    if cn == "1012":
        return [("SystemTime", system_time)]
    if cn == "1000":
        return [
            _number("OverTime", plan.overtime_s, rules.overtime_range_s, rules),
            _number("ReCount", plan.recount, rules.recount_range, rules),
        ]
    if cn == "1062":
        return [_number("RtdInterval", plan.rtd_interval_s, rules.realtime_interval_range_s, rules)]
    if cn == "1064":
        if plan.min_interval not in rules.minute_intervals:
            legal = ", ".join(map(str, rules.minute_intervals))
            raise LocalProtocolError(
                f"MinInterval: expected one of {legal}, found {plan.min_interval}", field="MinInterval"
            )
        return [("MinInterval", str(plan.min_interval))]
    return []


def _number(name: str, value: int | None, legal: tuple[int, int], rules: Rules) -> tuple[str, str]:
    if value is None or not legal[0] <= value <= legal[1]:
        raise LocalProtocolError(
            f"{name}: expected {legal[0]} to {legal[1]} in {rules.title}, found {value}", field=name
        )
    return name, str(value)


class Setup:
    """The set-up of one station, under way. A step that fails is reported and does not stop the rest.

    Attributes:
        steps: The commands, in order.
        results: How those so far ended.
    """

    __slots__ = ("_next", "_plan", "_report", "_requests", "_station", "_system_time", "results", "steps")

    def __init__(
        self,
        station: Station,
        plan: SetupPlan,
        requests: Requests,
        report: Callable[[HostEvent], None],
        system_time: Callable[[], str],
    ) -> None:
        self.steps = tuple(setup_steps(plan, station.rules))
        self.results: list[RequestFinished] = []
        self._station = station
        self._plan = plan
        self._requests = requests
        self._report = report
        self._system_time = system_time
        self._next = 0

    @property
    def finished(self) -> bool:
        """Whether every step was tried, or the link ended."""
        return self._next > len(self.steps)

    def proceed(self) -> None:
        """Queue the next step, or report the end."""
        if self._next >= len(self.steps):
            self._end()
            return
        cn = self.steps[self._next]
        self._next += 1
        ticket = Ticket(self._requests.number(), self._station.mn, cn, Purpose.SETUP)
        try:
            parameters = _parameters(cn, self._plan, self._station.rules, self._system_time())
        except LocalProtocolError as error:
            self._requests.refuse(ticket, str(error), self._done)
        else:
            self._requests.submit(ticket, parameters, self._station.rules, self._done)

    def _done(self, finished: RequestFinished) -> None:
        self.results.append(finished)
        if finished.outcome is Outcome.CLOSED:
            self._end()
        else:
            self.proceed()

    def _end(self) -> None:
        self._next = len(self.steps) + 1
        self._report(SetupFinished(self._station.mn, tuple(self.results)))
