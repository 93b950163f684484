"""The reference door controller: an ST=81 station, without I/O; and a door whose people come and go by themselves.

Drive it like any :class:`~simulator.reporter.Reporter`, and tell it what people do (``open``, ``close``, ...).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Final

from hj212 import HJ_212_2017, ExeRtn, Message, MessageError, Rules
from hj212.encryption import Key
from hj212.times import format_time

from ..behaviour import Behaviour
from ..codes import Codes
from ..reporter import COMMON_HANDLERS, MAX_QUEUED, WINDOW, Items, Reporter, Timeline, Witness
from ..world import MAX_HELD_S, DoorWorld, Method, Opening, Site

__all__ = ["MAX_QUEUED", "RECORD_DELAY_S", "WINDOW", "DoorController", "DoorSettings", "LivingDoor"]

#: A record follows the state change it belongs to after this long, as a controller that asks its reader takes.
RECORD_DELAY_S: Final = 0.5

_LOG_WORDS = {Method.FACE: "人脸", Method.IC_CARD: "刷卡", Method.FINGERPRINT: "指纹", Method.PASSWORD: "密码"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DoorSettings:
    """One door controller as configured on its page."""

    mn: str
    pw: str
    st: str = "81"
    interval_s: float = 900.0
    form: str = "3020"  #: wire form of periodic reports: ``3020`` or ``2011``
    writes_log: bool = True  #: whether an opening also sends a Chinese log line
    in_flight: int = WINDOW  #: uploads that wait for their acknowledgement at once
    rules: Rules = HJ_212_2017
    codes: Codes = field(default_factory=lambda: Codes.of("nx"))
    key: Key | None = None  #: SM4 key of data areas, from the 2025 edition on

    def __repr__(self) -> str:
        return f"DoorSettings(mn={self.mn!r}, pw=***, st={self.st!r}, interval_s={self.interval_s})"


class DoorController(Reporter):
    """The station.

    Args:
        settings: Its configuration.
        behaviour: What it does right or wrong.
        now: The instant it is switched on, seconds on the caller's clock.
        epoch: POSIX seconds at ``now == 0``: the true time is ``epoch + now``.
        witness: Who is told beside.
        timeline: Faults that come and go.
        resume_at: Instant from which somebody else's station is taken over.
    """

    __slots__ = ("_locked_up", "codes", "world")

    settings: DoorSettings

    def __init__(
        self,
        settings: DoorSettings,
        behaviour: Behaviour,
        now: float,
        epoch: float,
        *,
        witness: Witness | None = None,
        timeline: Timeline | None = None,
        resume_at: float | None = None,
    ) -> None:
        super().__init__(settings, behaviour, now, epoch, witness=witness, timeline=timeline, resume_at=resume_at)
        self.codes = settings.codes
        self.world = DoorWorld()
        self._locked_up = False
        if resume_at is None or resume_at <= now:
            self.tell_restart(now)

    # What people do

    def open(self, method: Method, person: str, now: float) -> None:
        """Somebody opens the door."""
        self._behave(now)
        self.world.door = 1
        opening = Opening(method, person, now)
        self._change("door", now)
        if method.identifies:
            self.world.last_person = person
            self.schedule(now + RECORD_DELAY_S, partial(self._record, opening))
        elif self.behaviour.invents_remote_openings:
            self.behaviour.acted("invents_remote_openings")
            self._faulty(None, "composed", now, self._acted())
            invented = Opening(Method.PASSWORD, self.world.last_person, now)
            self.schedule(now + RECORD_DELAY_S, partial(self._record, invented))

    def close(self, now: float) -> None:
        """The door falls shut."""
        self._behave(now)
        self.world.door = 0
        self._change("door", now)

    def dismantle(self, off_base: bool, now: float) -> None:
        """The reader is lifted off its base, or put back."""
        self._behave(now)
        self.world.dismantled = int(off_base)
        self._change("dismantled", now)

    def break_down(self, defect: bool, now: float) -> None:
        """The lock or the reader is unplugged, or plugged in again."""
        self._behave(now)
        self.world.fault = int(defect)
        self._locked_up = defect and self.behaviour.locks_up_on_fault
        self._change("fault", now)

    def reboot(self, now: float) -> None:
        super().reboot(now)
        self._behave(now)
        self.tell_restart(now)

    # What the platform must learn

    def _report(self, due: float) -> None:
        behaviour = self.behaviour
        index = self._report_index
        self._report_index += 1
        self._next_report = due + behaviour.interval_s(self._interval, index)
        if self._is_locked_up() or behaviour.skips_report(index):
            self.withheld(due)
            return
        form = behaviour.periodic_form or self.settings.form
        if behaviour.blame:
            behaviour.acted("periodic_form")
            behaviour.acted("report_signals")
        area = f"DataTime={format_time(self.device_time(due))}"
        for signal in behaviour.report_signals:
            area += ";" + self._state(signal, "periodic", form)
        self.put("periodic", due, area, cn=form)

    def _is_locked_up(self) -> bool:
        if self._locked_up:
            self.behaviour.acted("locks_up_on_fault")
        return self._locked_up

    def _state(self, signal: str, kind: str, form: str) -> str:
        """Return the item of a data area that tells a state."""
        code = self.codes.signal(signal)
        value = self.behaviour.state(signal, getattr(self.world, signal), kind)
        return f"{code}-Rtd={value},{code}-Flag=N" if form == "2011" else f"{code}-Info={value}"

    def _change(self, signal: str, now: float) -> None:
        if self._is_locked_up() or not self.behaviour.tells_change(signal, getattr(self.world, signal)):
            self.withheld(now)
            return
        when = format_time(self.device_time(now))
        for again in range(self.behaviour.change_reports):
            if again:
                self.behaviour.acted("change_reports")
            self.put("change", now, f"DataTime={when};{self._state(signal, 'change', '3020')}", "3020")
        if self.behaviour.event_restarts_timer:
            self.behaviour.acted("event_restarts_timer")
            self._faulty(None, "timed", now, self._acted())
            self._next_report = now + self._interval

    def _record(self, opening: Opening, now: float) -> None:
        behaviour, codes = self.behaviour, self.codes
        count = 0 if self._is_locked_up() else behaviour.records(opening)
        if not count:
            self.withheld(now)
        for _ in range(count):
            moment = [["DataTime", format_time(self.device_time(now))]]
            state = [[f"{codes.door}-Info", behaviour.state("door", 1, "record")]]
            method = [[f"{codes.method}-Info", behaviour.method_code(opening, self)]]
            person = [[f"{codes.person}-Info", behaviour.person_code(opening, self)]]
            opened_at = [[f"{codes.opened_at}-Info", behaviour.opened_at(opening, self)]]
            if behaviour.record_in_pieces:
                behaviour.acted("record_in_pieces")
                self.put("record", now, [moment, state, method], "3020")
                later = [moment, person, opened_at]
                self.schedule(now + 10.0, lambda t, rest=later: self.put("record", t, rest, "3020"))  # type: ignore[misc]
            else:
                self.put("record", now, [moment, state, method, person, opened_at], "3020")
        if self.settings.writes_log and not self._locked_up and opening.method in _LOG_WORDS:
            text = behaviour.log_text(f"{_LOG_WORDS[opening.method]}开门{opening.person}")
            written = text.decode("utf-8", "surrogateescape")
            moment = [["DataTime", format_time(self.device_time(now))]]
            self.put("log", now, [moment, [[f"{codes.log}-Info", written]]], "3020")

    def _get_information(self, request: Message, now: float) -> Items:
        wanted = request.parameter("InfoId")
        signal = next((s for s in ("door", "dismantled", "fault") if self.codes.signal(s) == wanted), None)
        if signal is None:
            raise MessageError(f"InfoId: {wanted!r} is none of this door's codes", field="InfoId")
        moment = [["DataTime", format_time(self.device_time(now))]]
        return [moment, [self._state(signal, "query", "3020").split("=", 1)]]

    handlers: ClassVar[Mapping[str, Callable[..., Items | ExeRtn | None]]] = {
        **COMMON_HANDLERS,
        "3020": _get_information,
    }


class LivingDoor(DoorController):
    """A door controller with the people of its site: it is opened and falls shut at the instants that the site says.

    Args:
        settings: Its configuration.
        site: Whose door it is.
        behaviour: What it does right or wrong.
        now: Run time at which it is switched on.
        epoch: POSIX seconds at run time 0.
        witness: Who is told beside.
        timeline: Faults that come and go.
        resume_at: Run time from which it is taken over from another process.
    """

    __slots__ = ("_site", "_visit")

    def __init__(
        self,
        settings: DoorSettings,
        site: Site,
        behaviour: Behaviour,
        now: float,
        epoch: float,
        *,
        witness: Witness | None = None,
        timeline: Timeline | None = None,
        resume_at: float | None = None,
    ) -> None:
        super().__init__(settings, behaviour, now, epoch, witness=witness, timeline=timeline, resume_at=resume_at)
        self._site = site
        self._visit: tuple[Opening, float] | None = None
        if resume_at is not None and resume_at > now:
            self._join(now, resume_at)
        else:
            self._await_visit(now)

    def _run_time(self, at: float) -> float:
        return round(at - self._epoch, 3)

    def _await_visit(self, begin: float) -> None:
        """Wait for whoever comes next, at run time ``begin`` or later."""
        self._visit = next(self._site.openings(round(self._epoch + begin, 3), math.inf), None)
        if self._visit is not None:
            self.schedule(self._run_time(self._visit[0].at), self._come)

    def _come(self, now: float) -> None:
        assert self._visit is not None
        opening, shut = self._visit
        self.open(opening.method, opening.person, now)
        self.schedule(self._run_time(shut), self._leave)

    def _leave(self, now: float) -> None:
        self.close(now)
        self._await_visit(now)

    def _join(self, since: float, now: float, *, seen: bool = True) -> None:
        """Find the door as it was left: somebody may be passing it; where they were seen, their record may be due."""
        back = max(since, now - MAX_HELD_S - RECORD_DELAY_S)
        for opening, shut in self._site.openings(round(self._epoch + back, 3), round(self._epoch + now, 3)):
            at = self._run_time(opening.at)
            if opening.method.identifies:
                self.world.last_person = opening.person
                if seen and at + RECORD_DELAY_S >= now:
                    passed = Opening(opening.method, opening.person, at)
                    self.schedule(at + RECORD_DELAY_S, partial(self._record, passed))
            if self._run_time(shut) >= now:
                self.world.door = 1
                self._visit = opening, shut
                self.schedule(self._run_time(shut), self._leave)
                return
        self._await_visit(now)

    def reboot(self, now: float) -> None:
        # Nobody counted who came while the power was away; who stands in the door is seen.
        self.world.door = 0
        super().reboot(now)
        self._join(now - MAX_HELD_S, now, seen=False)
