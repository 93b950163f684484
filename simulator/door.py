"""The reference door controller: an ST=81 station over :class:`hj212.Connection`, without I/O.

What happens at the door becomes an :class:`~simulator.behaviour.Upload`; uploads wait in one queue, oldest first,
until a link takes them and the platform acknowledges them. The link may come and go: what was not acknowledged
returns to the head of the queue with the same bytes.

Drive it like a connection (``receive_data``, ``data_to_send``, ``next_timeout``, ``handle_timeout``), tell it when
the link comes and goes (``connected``, ``disconnected``) and what people do (``open``, ``close``, ...).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from hj212 import HJ_212_2017, Connection, ExeRtn, Message, MessageError, QnRtn, Role, Rules, compose
from hj212.codes import CommandKind
from hj212.events import Event, MessageReceived, SendTimedOut, UploadAcknowledged
from hj212.messages import request_answer, request_result
from hj212.times import format_qn, format_time, parse_time

from .behaviour import Behaviour, Upload, copy_message
from .codes import Codes
from .world import DoorWorld, Method, Opening

__all__ = ["MAX_QUEUED", "DoorController", "DoorSettings"]

#: Uploads kept while the platform is away: ten days of reports and a busy door. The oldest is dropped first.
MAX_QUEUED: Final = 10_000
#: Uploads on their way at once; the platform's acknowledgement frees a place.
WINDOW: Final = 4
#: Years that CN=1012 may set: what a 14-digit time on the wire begins with.
YEARS: Final = range(2000, 2100)
#: A record follows the state change it belongs to after this long, as a controller that asks its reader takes.
RECORD_DELAY_S: Final = 0.5

Items = list[list[list[str]]]


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
    rules: Rules = HJ_212_2017
    codes: Codes = field(default_factory=lambda: Codes.of("nx"))

    def __repr__(self) -> str:
        return f"DoorSettings(mn={self.mn!r}, pw=***, st={self.st!r}, interval_s={self.interval_s})"


class DoorController:
    """The station.

    Args:
        settings: Its configuration.
        behaviour: What it does right or wrong.
        now: The instant it is switched on, seconds on the caller's clock.
        epoch: POSIX seconds at ``now == 0``: the true time is ``epoch + now``.
    """

    def __init__(self, settings: DoorSettings, behaviour: Behaviour, now: float, epoch: float) -> None:
        self.settings = settings
        self.behaviour = behaviour
        self.codes = settings.codes
        self.world = DoorWorld()
        self.queue: deque[Upload] = deque()
        self.acknowledged = 0
        self.messages = 0
        self.reboots = 0
        self._epoch = epoch
        self._clock_error = behaviour.clock_error_s
        self._interval = settings.interval_s
        self._overtime_s = settings.rules.response_timeout_s
        self._recount = settings.rules.resend_count
        self._connection: Connection | None = None
        self._sent: dict[str, Upload] = {}
        self._later: list[tuple[float, Callable[[float], None]]] = []
        self._booted_at = now
        self._next_report: float | None = now
        self._report_index = 0
        self._last_qn_ms = self._latest_qn_ms = -1
        self._composed = 0
        self._locked_up = False
        self._tell_restart(now)

    def __repr__(self) -> str:
        return f"<DoorController MN={self.settings.mn} queued={len(self.queue)}>"

    @property
    def interval_s(self) -> float:
        """The reporting interval that is set, seconds."""
        return self._interval

    @property
    def mn(self) -> str:
        """The MN it goes by."""
        return self.behaviour.mn(self.settings.mn)

    # Time

    def device_time(self, now: float) -> float:
        """Return what the controller's own clock shows at ``now``, POSIX seconds."""
        return self._epoch + now + self._clock_error

    def next_qn(self, now: float) -> str:
        """Return a QN for an upload composed at ``now``.

        No two are equal. After the clock was set back the same milliseconds come again; then it differs at least from
        those of the uploads that still wait for their acknowledgement.
        """
        wall_ms = max(round(self.device_time(now) * 1000), self._last_qn_ms + 1)
        if wall_ms <= self._latest_qn_ms:
            taken = {upload.message.qn for upload in (*self.queue, *self._sent.values())}
            while format_qn(wall_ms) in taken:
                wall_ms += 1
        self._last_qn_ms = wall_ms
        self._latest_qn_ms = max(self._latest_qn_ms, wall_ms)
        return self.behaviour.qn(self, wall_ms)

    # The link

    def connected(self, now: float) -> None:
        """Take note that a link to the platform is there."""
        connection = Connection(Role.STATION, self.settings.rules)
        self._set_patience(connection)
        self._connection = connection
        for upload in self.queue:
            if upload.tries:
                upload.not_before = 0.0
        self._pump(now)

    def disconnected(self, now: float) -> None:
        """Take note that the link is gone: what was not acknowledged waits for the next one."""
        self._connection = None
        self._give_back(self._sent.values())
        self._sent.clear()

    def receive_data(self, data: bytes, now: float) -> None:
        """Take in bytes from the platform."""
        if self._connection:
            self._connection.receive_data(data, now)
            self._digest(now)

    def receive_eof(self, now: float) -> None:
        """Take note that the platform will send no more."""
        if self._connection:
            self._connection.receive_eof(now)
            self._digest(now)

    def data_to_send(self) -> bytes:
        """Return, once, the bytes to write."""
        return self._connection.data_to_send() if self._connection else b""

    def next_timeout(self) -> float | None:
        """Return when to call :meth:`handle_timeout`."""
        times = [when for when, _ in self._later]
        if self._next_report is not None:
            times.append(self._next_report)
        if self._connection:
            when = self._connection.next_timeout()
            if when is not None:
                times.append(when)
            if len(self._sent) < WINDOW:
                times.extend(upload.not_before for upload in self.queue if upload.not_before > 0)
        return min(times, default=None)

    def handle_timeout(self, now: float) -> None:
        """Do what is due: the periodic report, delayed acts, resends."""
        if self._next_report is not None and now >= self._next_report:
            self._report(self._next_report)
        due = [act for when, act in self._later if when <= now]
        self._later = [entry for entry in self._later if entry[0] > now]
        for act in due:
            act(now)
        if self._connection:
            self._connection.handle_timeout(now)
            self._digest(now)
        self._pump(now)

    # What people do

    def open(self, method: Method, person: str, now: float) -> None:
        """Somebody opens the door."""
        self.world.door = 1
        opening = Opening(method, person, now)
        self._change("door", now)
        if method.identifies:
            self.world.last_person = person
            self._schedule(now + RECORD_DELAY_S, lambda t: self._record(opening, t))
        elif self.behaviour.invents_remote_openings:
            invented = Opening(Method.PASSWORD, self.world.last_person, now)
            self._schedule(now + RECORD_DELAY_S, lambda t: self._record(invented, t))

    def close(self, now: float) -> None:
        """The door falls shut."""
        self.world.door = 0
        self._change("door", now)

    def dismantle(self, off_base: bool, now: float) -> None:
        """The reader is lifted off its base, or put back."""
        self.world.dismantled = int(off_base)
        self._change("dismantled", now)

    def break_down(self, defect: bool, now: float) -> None:
        """The lock or the reader is unplugged, or plugged in again."""
        self.world.fault = int(defect)
        self._locked_up = defect and self.behaviour.locks_up_on_fault
        self._change("fault", now)

    def reboot(self, now: float) -> None:
        """The power comes back after a cut; the caller has ended the link. The queue is in durable memory."""
        self.disconnected(now)
        self.reboots += 1
        self._later.clear()
        self._booted_at = now
        self._next_report = now
        self._tell_restart(now)

    # What the platform must learn

    def _tell_restart(self, now: float) -> None:
        restart = format_time(self.device_time(now))
        self._put("restart", now, [[["DataTime", restart]], [["RestartTime", restart]]], cn="2081")

    def _report(self, due: float) -> None:
        behaviour = self.behaviour
        index = self._report_index
        self._report_index += 1
        self._next_report = due + behaviour.interval_s(self._interval, index)
        if behaviour.skips_report(index) or self._locked_up:
            return
        form = behaviour.periodic_form or self.settings.form
        items: Items = [[["DataTime", format_time(self.device_time(due))]]]
        for signal in behaviour.report_signals:
            items.append(self._state_item(signal, "periodic", form))
        self._put("periodic", due, items, cn=form)

    def _state_item(self, signal: str, kind: str, form: str) -> list[list[str]]:
        code = self.codes.signal(signal)
        value = self.behaviour.state(signal, getattr(self.world, signal), kind)
        if form == "2011":
            return [[f"{code}-Rtd", value], [f"{code}-Flag", "N"]]
        return [[f"{code}-Info", value]]

    def _change(self, signal: str, now: float) -> None:
        if self._locked_up or not self.behaviour.tells_change(signal, getattr(self.world, signal)):
            return
        when = format_time(self.device_time(now))
        for _ in range(self.behaviour.change_reports):
            self._put("change", now, [[["DataTime", when]], self._state_item(signal, "change", "3020")])
        if self.behaviour.event_restarts_timer:
            self._next_report = now + self._interval

    def _record(self, opening: Opening, now: float) -> None:
        behaviour, codes = self.behaviour, self.codes
        for _ in range(0 if self._locked_up else behaviour.records(opening)):
            moment = [["DataTime", format_time(self.device_time(now))]]
            state = [[f"{codes.door}-Info", behaviour.state("door", 1, "record")]]
            method = [[f"{codes.method}-Info", behaviour.method_code(opening, self)]]
            person = [[f"{codes.person}-Info", behaviour.person_code(opening, self)]]
            opened_at = [[f"{codes.opened_at}-Info", behaviour.opened_at(opening, self)]]
            if behaviour.record_in_pieces:
                self._put("record", now, [moment, state, method])
                later = [moment, person, opened_at]
                self._schedule(now + 10.0, lambda t, rest=later: self._put("record", t, rest))  # type: ignore[misc]
            else:
                self._put("record", now, [moment, state, method, person, opened_at])
        if self.settings.writes_log and not self._locked_up and opening.method in _LOG_WORDS:
            text = behaviour.log_text(f"{_LOG_WORDS[opening.method]}开门{opening.person}")
            written = text.decode("utf-8", "surrogateescape")
            moment = [["DataTime", format_time(self.device_time(now))]]
            self._put("log", now, [moment, [[f"{codes.log}-Info", written]]])

    def _put(self, kind: str, now: float, items: Items, cn: str = "3020") -> None:
        """Queue an upload composed now."""
        if self._connection is None and not self.behaviour.keeps_while_offline(kind):
            return
        settings = self.settings
        message = compose(
            settings.rules,
            qn=self.next_qn(now),
            st=settings.st,
            cn=cn,
            pw=settings.pw,
            mn=self.mn,
            items=items,
            answer=self.behaviour.wants_answer,
        )
        delay = self.behaviour.upload_delay_s(kind)
        self._composed += 1
        self.queue.append(Upload(kind, message, now + delay if delay else 0.0, number=self._composed))
        if len(self.queue) > MAX_QUEUED:
            self.queue.popleft()
        self._pump(now)

    def _pump(self, now: float) -> None:
        """Give the link what it can take."""
        connection = self._connection
        if connection is None:
            return
        waiting: list[Upload] = []
        while self.queue and len(self._sent) < WINDOW:
            upload = self.queue.popleft()
            if upload.not_before > now:
                waiting.append(upload)
                continue
            upload.not_before = 0.0
            upload.tries += 1
            message = self._shape(self.behaviour.transmit(upload, self, now), upload.kind)
            connection.send(message, now, frame=self.behaviour.encode(bytes(message)))
            self.messages += 1
            if message.wants_answer:
                self._sent[message.qn] = upload
        self.queue.extendleft(reversed(waiting))

    def _give_back(self, uploads: Iterable[Upload]) -> None:
        """Queue uploads again, each at its place: the queue is in the order in which they were composed."""
        self.queue = deque(sorted((*self.queue, *uploads), key=lambda upload: upload.number))

    def _shape(self, message: Message, kind: str) -> Message:
        for edit in self.behaviour.shape:
            message = edit(message, kind)
        return message

    def _schedule(self, when: float, act: Callable[[float], None]) -> None:
        self._later.append((when, act))

    # What the platform says

    def _digest(self, now: float) -> None:
        connection = self._connection
        if connection is None:
            return
        for event in connection.events():
            self._on_event(event, connection, now)
        self._pump(now)

    def _on_event(self, event: Event, connection: Connection, now: float) -> None:
        if isinstance(event, UploadAcknowledged):
            self._sent.pop(event.upload.qn, None)
            self.acknowledged += 1
            if self.behaviour.answers_acknowledgements:
                self._reply(connection, request_answer(event.upload, self.settings.rules))
        elif isinstance(event, SendTimedOut):
            upload = self._sent.pop(event.message.qn, None)
            if upload and self.behaviour.new_qn_on_resend and upload.tries <= self._recount:
                renamed = copy_message(upload.message, QN=self.next_qn(now))
                self._give_back([replace(upload, message=renamed)])
            elif upload and self.behaviour.keeps_unacknowledged and self._next_report is not None:
                upload.not_before = max(self._next_report, now)
                self._give_back([upload])
        elif isinstance(event, MessageReceived) and (
            event.kind is CommandKind.REQUEST or (event.kind is None and event.message.wants_answer)
        ):
            self._on_request(event, connection, now)

    def _on_request(self, event: MessageReceived, connection: Connection, now: float) -> None:
        request = event.message
        rules = self.settings.rules
        if request.cn in self.behaviour.ignored_requests:
            return
        refusal = self._refusal(request)
        self._reply(connection, request_answer(request, rules, refusal or QnRtn.READY))
        if refusal or event.repeated:
            return
        handler = _HANDLERS[request.cn]
        try:
            data = handler(self, request, now)
            result = ExeRtn.SUCCESS
        except (MessageError, ValueError):
            data, result = None, ExeRtn.BAD_CONDITION
        if data is not None:
            answer = compose(
                rules,
                qn=request.qn,
                st=self.settings.st,
                cn=request.cn,
                pw=self.settings.pw,
                mn=self.mn,
                items=data,
            )
            self._reply(connection, answer)
        if request.cn not in self.behaviour.silent_results:
            self._reply(connection, request_result(request, rules, result))

    def _refusal(self, request: Message) -> QnRtn | None:
        if request.mn != self.mn:
            return QnRtn.MN_WRONG
        if request.pw != self.settings.pw:
            return QnRtn.PW_WRONG
        if request.st != self.settings.st:
            return QnRtn.ST_WRONG
        return None if request.cn in _HANDLERS else QnRtn.CN_WRONG

    def _reply(self, connection: Connection, message: Message) -> None:
        connection.send_bytes(self.behaviour.encode(bytes(self._shape(message, "reply"))))

    def _get_clock(self, request: Message, now: float) -> Items:
        return [[["SystemTime", format_time(self.device_time(now))]]]

    def _set_clock(self, request: Message, now: float) -> None:
        wanted = parse_time(request.parameter("SystemTime") or "")
        if wanted.year not in YEARS:
            raise MessageError(f"SystemTime: year {wanted.year} is not credible", field="SystemTime")
        self._clock_error = wanted.timestamp() - (self._epoch + now)
        self._last_qn_ms = -1

    def _get_interval(self, request: Message, now: float) -> Items:
        return [[["RtdInterval", f"{self._interval:.0f}"]]]

    def _set_interval(self, request: Message, now: float) -> None:
        wanted = request.number("RtdInterval")
        low, high = self.settings.rules.realtime_interval_range_s
        if not low <= wanted <= high:
            raise MessageError(f"RtdInterval: expected {low} to {high} s, found {wanted}", field="RtdInterval")
        self._interval = float(wanted)
        self._next_report = now + self._interval

    def _set_timeouts(self, request: Message, now: float) -> None:
        rules = self.settings.rules
        overtime, recount = request.number("OverTime"), request.number("ReCount")
        for value, (low, high) in ((overtime, rules.overtime_range_s), (recount, rules.recount_range)):
            if not low <= value <= high:
                raise MessageError(f"expected {low} to {high}, found {value}", field="OverTime")
        self._overtime_s, self._recount = float(overtime), recount
        if self._connection:
            self._set_patience(self._connection)

    def _set_patience(self, connection: Connection) -> None:
        behaviour = self.behaviour
        connection.overtime_s = self._overtime_s if behaviour.overtime_s is None else behaviour.overtime_s
        connection.recount = self._recount if behaviour.recount is None else behaviour.recount

    def _get_information(self, request: Message, now: float) -> Items:
        wanted = request.parameter("InfoId")
        signal = next((s for s in ("door", "dismantled", "fault") if self.codes.signal(s) == wanted), None)
        if signal is None:
            raise MessageError(f"InfoId: {wanted!r} is none of this door's codes", field="InfoId")
        moment = [["DataTime", format_time(self.device_time(now))]]
        return [moment, self._state_item(signal, "query", "3020")]


_HANDLERS: dict[str, Callable[[DoorController, Message, float], Items | None]] = {
    "1000": DoorController._set_timeouts,
    "1011": DoorController._get_clock,
    "1012": DoorController._set_clock,
    "1061": DoorController._get_interval,
    "1062": DoorController._set_interval,
    "3020": DoorController._get_information,
}
