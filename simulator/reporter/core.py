"""The HJ 212 side of any simulated station, without I/O: clock, QN, queue, window, resend, back-fill, requests.

What a station has to tell becomes an :class:`~simulator.behaviour.Upload`, composed for the instant at which it was
due; uploads wait in one queue, oldest first, until a link takes them and the platform acknowledges them. The link may
come and go: what was not acknowledged returns to its place in the queue with the same bytes.

A personality says what to report (:meth:`Reporter._report`) and what it answers (:attr:`Reporter.handlers`). Drive it
like a connection (``receive_data``, ``data_to_send``, ``next_timeout``, ``handle_timeout``) and tell it when the link
comes and goes (``connected``, ``disconnected``).

The library's own station, :mod:`hj212.station`, keeps all of this right and cannot be made to go wrong; here each
piece can be replaced by a fault, and a station is small enough for tens of thousands in a process.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar, Final

from hj212 import Connection, ExeRtn, Message, Role
from hj212.codes import CommandKind
from hj212.encryption import Key, must_encrypt
from hj212.events import Event, MessageReceived, SendTimedOut, UploadAcknowledged
from hj212.messages import request_answer
from hj212.splitting import split
from hj212.tables.commands import editions_of
from hj212.times import format_time

from ..behaviour import Behaviour, Upload, copy_message
from .answering import answer_request
from .composing import Own, back_filled, encrypted, form
from .contracts import Items, ReporterSettings, Timeline, Witness
from .timekeeping import Timekeeper

__all__ = ["MAX_QUEUED", "WINDOW", "Reporter"]

#: Uploads kept while the platform is away: ten days of reports and a busy door. The oldest is dropped first.
MAX_QUEUED: Final = 10_000
#: Uploads on their way at once; the platform's acknowledgement frees a place.
WINDOW: Final = 4

#: Attributes of a behaviour that say when a message is sent again.
_PATIENCE: Final = frozenset({"overtime_s", "recount"})
#: Attributes of a behaviour that make every message another one.
_IN_EVERY_MESSAGE: Final = ("clock_error_s", "mn", "wants_answer")


class Reporter(Timekeeper):
    """A station that reports every interval, and whenever its personality has something to tell.

    Args:
        settings: Its configuration.
        behaviour: What it does right or wrong.
        now: The instant it is switched on, seconds on the caller's clock.
        epoch: POSIX seconds at ``now == 0``: the true time is ``epoch + now``.
        witness: Who is told beside.
        timeline: Faults that come and go; they take the place of ``behaviour``.
        first_report: When the first periodic report is due; ``None``: at once.
        resume_at: Not switched on at ``now`` but taken over then from whoever played it before: what was due earlier
            is not told again, what is due later is told as it would have been.
    """

    __slots__ = (
        "_booted_at",
        "_composed",
        "_connection",
        "_interval",
        "_later",
        "_linked_once",
        "_marked",
        "_next_report",
        "_now",
        "_overtime_s",
        "_recount",
        "_report_index",
        "_sent",
        "_waiting",
        "acknowledged",
        "behaviour",
        "reboots",
        "settings",
        "timeline",
        "witness",
    )

    #: Commands a platform may ask with, and what does them: returns the data area to answer with, how it ended, or
    #: ``None`` where it is simply done.
    handlers: ClassVar[Mapping[str, Callable[..., Items | ExeRtn | None]]] = {}
    #: Notices of a platform that change something, and what takes them.
    notices: ClassVar[Mapping[str, Callable[..., None]]] = {}

    def __init__(
        self,
        settings: ReporterSettings,
        behaviour: Behaviour,
        now: float,
        epoch: float,
        *,
        witness: Witness | None = None,
        timeline: Timeline | None = None,
        first_report: float | None = None,
        resume_at: float | None = None,
    ) -> None:
        super().__init__(epoch, behaviour.clock_error_s)
        self.settings = settings
        self.behaviour = behaviour
        self.witness = witness
        self.timeline = timeline
        self._waiting: list[Upload] | None = None
        self.acknowledged = 0
        self.reboots = 0
        self._interval = settings.interval_s
        self._overtime_s = settings.rules.response_timeout_s
        self._recount = settings.rules.resend_count
        self._connection: Connection | None = None
        self._linked_once = False
        self._sent: dict[str, Upload] | None = None
        self._marked: list[tuple[bytes, Upload]] | None = None  # frames to write that a fault of the link is for
        self._later: list[tuple[float, int, Callable[[float], None]]] | None = None
        self._booted_at = self._now = now
        self._next_report: float | None = now if first_report is None else first_report
        self._report_index = 0
        if resume_at is not None and resume_at > self._next_report:
            self._report_index = math.ceil((resume_at - self._next_report) / self._interval)
            self._next_report += self._report_index * self._interval
        self._composed = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} MN={self.settings.mn} queued={len(self.queue)}>"

    @property
    def identity(self) -> str:
        """The MN it was given, whatever it makes of it."""
        return self.settings.mn

    @property
    def interval_s(self) -> float:
        """The reporting interval that is set, seconds."""
        return self._interval

    @property
    def queue(self) -> Sequence[Upload]:
        """Uploads that wait for a link, or for their turn, in the order in which they were composed."""
        return self._waiting or ()

    @property
    def last_due(self) -> float | None:
        """When the last periodic report was due, of whoever told it; ``None`` where there was none."""
        if self._next_report is None or self._next_report - self._interval < self._booted_at:
            return None
        return self._next_report - self._interval

    @property
    def mn(self) -> str:
        """The MN it goes by."""
        return self.behaviour.mn(self.settings.mn)

    @property
    def has_faulty_link(self) -> bool:
        """Whether it may have a fault of the link."""
        return bool(self.behaviour.link) or (self.timeline is not None and self.timeline.has_faulty_link)

    @property
    def overtime_s(self) -> float:
        """How long it waits for an answer before it repeats a message."""
        return self._overtime_s if self.behaviour.overtime_s is None else self.behaviour.overtime_s

    @property
    def in_flight(self) -> Mapping[str, Upload]:
        """Uploads that wait for their acknowledgement, by QN."""
        return self._sent or {}

    def _awaited_qns(self) -> Iterable[str]:
        return (upload.message.qn for upload in (*self.queue, *self.in_flight.values()))

    def _written_qn(self, wall_ms: int) -> str:
        return self.behaviour.qn(self, wall_ms)

    # The link

    def connected(self, now: float) -> None:
        """Take note that a link to the platform is there."""
        self._now = now
        connection = Connection(Role.STATION, self.settings.rules, keys=self._keys_of if self._key else None)
        self._set_patience(connection)
        self._connection = connection
        self._linked_once = True
        for upload in self.queue:
            if upload.tries:
                upload.not_before = 0.0
        self._pump(now)

    def disconnected(self, now: float) -> None:
        """Take note that the link is gone: what was not acknowledged waits for the next one."""
        self._connection = None
        self._marked = None
        sent, self._sent = self._sent, None
        if sent:
            self._give_back(sent.values())

    def receive_data(self, data: bytes, now: float) -> None:
        """Take in bytes from the platform."""
        self._now = now
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

    def frames_to_send(self) -> list[tuple[bytes, Upload | None]]:
        """Like :meth:`data_to_send`, a frame each, with the message where a fault of the link is to act on it."""
        if self._connection is None:
            return []
        marked, self._marked = self._marked or [], None
        at = 0
        found: list[tuple[bytes, Upload | None]] = []
        for frame in self._connection.frames_to_send():
            if at < len(marked) and marked[at][0] is frame:
                found.append(marked[at])
                at += 1
            else:
                found.append((frame, None))
        return found

    def next_timeout(self) -> float | None:
        """Return when to call :meth:`handle_timeout`."""
        due = self._next_report
        if self._later and (due is None or self._later[0][0] < due):
            due = self._later[0][0]
        connection = self._connection
        if connection:
            when = connection.next_timeout()
            if when is not None and (due is None or when < due):
                due = when
            if self._waiting and len(self.in_flight) < self.settings.in_flight:
                for upload in self._waiting:
                    when = upload.not_before
                    if when > 0 and (due is None or when < due) and not self._waits_for_sister(upload):
                        due = when
        return due

    def handle_timeout(self, now: float) -> None:
        """Do what is due, each thing as of its own instant: periodic reports, delayed acts; then resends."""
        self._now = now
        report = self._next_report
        if report is not None and now >= report:
            # One report a call: what was missed while nobody called is composed in the calls that follow.
            self._report_as_of(report)
        if self._later:
            self._catch_up(now)
        if self._connection:
            self._wait_on(self._connection, now)
            self._digest(now)
        if self._waiting:
            self._pump(now)

    def report_now(self, now: float) -> None:
        """Report out of turn, as of the whole millisecond before ``now``; the next one is due an interval later."""
        self._now = now
        self._next_report = due = math.floor(now * 1000) / 1000
        self._report_as_of(due)

    def _report_as_of(self, due: float) -> None:
        if self._later:
            self._catch_up(due)
        if self.timeline is not None:
            self._behave(due)
        self._report(due)

    def _wait_on(self, connection: Connection, now: float) -> None:
        """Let the link repeat what was not answered; where that goes wrong on purpose, count how often it does."""
        behaviour = self.behaviour
        if behaviour.acts is None or not behaviour.blame.keys() & _PATIENCE:
            connection.handle_timeout(now)
            return
        before = connection.frames_to_send()
        connection.handle_timeout(now)
        again = connection.frames_to_send()
        for frame in (*before, *again):
            connection.send_bytes(frame)
        for frame in again:
            self._repeated(frame, now)

    def _repeated(self, frame: bytes, now: float) -> None:
        upload = next((u for qn, u in self.in_flight.items() if b"QN=%s;" % qn.encode() in frame), None)
        if upload is None:
            return
        upload.repeats += 1
        self.behaviour.acted("overtime_s")
        if upload.repeats > self._recount:
            self.behaviour.acted("recount")
        self._faulty(upload, "repeated", now, self._acted(each=True))

    def _catch_up(self, until: float) -> None:
        """Do the delayed acts that are due, in their order."""
        while self._later and self._later[0][0] <= until:
            when, _number, act = self._later.pop(0)
            self._behave(when)
            act(when)

    def schedule(self, when: float, act: Callable[[float], None]) -> None:
        """Call ``act(when)`` when it is time; a power cut forgets it."""
        if self._later is None:
            self._later = []
        insort(self._later, (when, self._composed, act), key=lambda entry: entry[0])

    def reboot(self, now: float) -> None:
        """The power comes back after a cut; the caller has ended the link. The queue is in durable memory."""
        self.reboots += 1
        self._now = now
        self._later = None
        self._booted_at = now
        self._next_report = now

    # What the platform must learn

    def _report(self, due: float) -> None:
        """Tell what is told every interval, and say when the next one is due."""
        raise NotImplementedError

    def _behave(self, due: float) -> Behaviour:
        """Take on the behaviour of an instant."""
        if self.timeline is not None:
            before, self.behaviour = self.behaviour, self.timeline.behaviour(self.settings.mn, due)
            if self.behaviour is not before:
                self._changed(before, self.behaviour)
        return self.behaviour

    def _changed(self, before: Behaviour, behaviour: Behaviour) -> None:
        """Let what does not ask for the behaviour each time know that it is another one."""
        if behaviour.clock_error_s != before.clock_error_s:
            self.step_clock(behaviour.clock_error_s - before.clock_error_s)
        if self._connection:
            self._set_patience(self._connection)

    # What goes wrong

    def _acted(self, *, each: bool = False) -> Sequence[str]:
        """Return, once, the faults that have acted; each once, or once for each time."""
        acts = self.behaviour.acts
        if not acts:
            return ()
        names = tuple(acts if each else dict.fromkeys(acts))
        acts.clear()
        return names

    def _faulty(self, upload: Upload | None, what: str, now: float, faults: Sequence[str]) -> None:
        if faults and self.witness:
            self.witness.faulty(self, upload, what, now, faults)

    def withheld(self, now: float) -> None:
        """Take note that something was not told; the faults that are to blame have acted just now."""
        self._faulty(None, "withheld", now, self._acted())

    def tell_restart(self, now: float) -> None:
        """Report the restart (2081), as of ``now``, where the edition has that."""
        if self.settings.rules.edition not in editions_of("2081", upward=True):
            return
        restart = format_time(self.device_time(now))
        self.put("restart", now, [[["DataTime", restart]], [["RestartTime", restart]]], cn="2081")

    def put(self, kind: str, due: float, items: Items | str, cn: str, *, st: str = "") -> None:
        """Queue an upload composed for the instant ``due``; in packets where it is too long for one.

        Args:
            kind: What it is to faults and to whoever counts.
            due: The instant it is about, on the clock of ``now``.
            items: The data area, DataTime first; as items of pairs, or as its text.
            cn: 命令编码.
            st: 系统编码, empty for the station's own.
        """
        behaviour = self.behaviour
        if self._connection is None and not behaviour.keeps_while_offline(kind):
            self.withheld(due)
            return
        message = self._composed_now(self.next_qn(due), cn, items, st, behaviour.wants_answer)
        delay = behaviour.upload_delay_s(kind)
        if behaviour.blame:
            for piece in _IN_EVERY_MESSAGE:
                behaviour.acted(piece)
        waiting = self._waiting
        if waiting is None:
            waiting = self._waiting = []
        before = len(waiting)
        for packet in self._packets(message, due):
            self._enqueue(waiting, kind, packet, due, delay)
        if behaviour.acts:
            self._faulty(waiting[before], "composed", due, self._acted())
        if len(waiting) > MAX_QUEUED:
            self._drop(waiting)
        if self._connection is not None:
            self._pump(max(due, self._now))
            for upload in self._waiting or ():
                upload.delayed = True  # behind what the platform has not answered

    def _enqueue(self, waiting: list[Upload], kind: str, packet: Message, due: float, delay: float) -> None:
        self._composed += 1
        offline = self._connection is None
        upload = Upload(kind, packet, due + delay if delay else 0.0, 0, self._composed, due, self.behaviour, offline)
        if offline:
            upload.back_fill = self._linked_once
        if delay > 0:
            upload.delayed = True
        waiting.append(upload)
        if self.witness is not None:
            self.witness.composed(self, upload)

    def _drop(self, waiting: list[Upload]) -> None:
        """Give up the oldest of too many uploads."""
        while len(waiting) > MAX_QUEUED:
            dropped = waiting.pop(0)
            if self.witness:
                self.witness.dropped(self, dropped, self._now)

    def _composed_now(self, qn: str, cn: str, items: Items | str, st: str, answer: bool) -> Message:
        settings = self.settings
        area = items if isinstance(items, str) else ";".join([",".join(["=".join(pair) for pair in i]) for i in items])
        rules = settings.rules
        written = form(rules.header_fields, rules.flag_version, answer)
        mn = self.mn
        text = written % {"qn": qn, "st": st or settings.st, "cn": cn, "pw": settings.pw, "mn": mn, "area": area}
        message = Own.from_bytes(text.encode("utf-8", "surrogateescape"))
        assert isinstance(message, Own)
        message.cn, message.mn, message.qn, message.wants_answer = cn, mn, qn, answer
        return message

    def _packets(self, message: Message, due: float) -> Iterable[Message]:
        rules = self.settings.rules
        if len(bytes(message)) <= rules.max_parameters_bytes:
            return (message,)
        if not self.behaviour.splits:
            self.behaviour.acted("splits")
            return (message,)
        return split(message, rules, lambda: self.next_qn(due))

    def notify(self, when: float, cn: str) -> None:
        """Send a notice that has nothing to say but that the station is there; without a link there is none."""
        connection = self._connection
        if connection is None:
            return
        message = self._composed_now(self.next_qn(when), cn, "", "", True)
        connection.send(message, max(when, self._now), frame=self._frame(self.behaviour, message))
        self._faulty(None, "composed", when, self._acted())

    def bring(self, request: Message, areas: Iterable[str], now: float) -> None:
        """Send the records that a request asked for; nobody acknowledges them, 9012 follows them."""
        connection, rules, behaviour = self._connection, self.settings.rules, self.behaviour
        if connection is None:
            return
        spare_qn = partial(self._spare_qn, now, self._next_report)
        for area in areas:
            qn = request.qn if rules.packets_share_qn else spare_qn()
            message = self._composed_now(qn, request.cn, area, "", False)
            for packet in split(message, rules, spare_qn) if behaviour.splits else (message,):
                connection.send_bytes(self._frame(behaviour, self._shape(behaviour, packet, "history")))
                self._faulty(None, "answered", now, self._acted())

    def _pump(self, now: float) -> None:
        """Give the link what it can take."""
        connection = self._connection
        waiting = self._waiting
        if connection is None or not waiting:
            return
        at, room = 0, self.settings.in_flight - len(self._sent or ())
        while room > 0 and at < len(waiting):
            upload = waiting[at]
            if upload.not_before > now or self._waits_for_sister(upload):
                at += 1
                continue
            del waiting[at]
            upload.not_before = 0.0
            room -= self._send(upload, connection, now)
        if not waiting:
            self._waiting = None  # a city of stations has nothing to say most of the time

    def _waits_for_sister(self, upload: Upload) -> bool:
        """Say whether a packet with the same QN is under way, where the packets of a message share it."""
        return self.settings.rules.packets_share_qn and upload.message.qn in self.in_flight

    def _send(self, upload: Upload, connection: Connection, now: float) -> bool:
        """Give a message to the link; say whether its answer is awaited."""
        behaviour = upload.behaviour or self.behaviour
        upload.tries += 1
        upload.repeats = 0
        message = behaviour.transmit(upload, self, now)
        if behaviour.shape:
            message = self._shape(behaviour, message, upload.kind)
        if (upload.back_fill or upload.tries > 1) and self.settings.rules.back_fill_field:
            if behaviour.marks_back_fill:
                message = back_filled(message)
            else:
                behaviour.acted("marks_back_fill")
        frame = self._frame(behaviour, message)
        damaging = self._acted() if behaviour.acts else ()
        connection.send(message, now, frame=frame)
        awaited = message.wants_answer
        if awaited:
            if self._sent is None:
                self._sent = {}
            self._sent[message.qn] = upload
        if behaviour.link and not upload.on_link:
            if self._marked is None:
                self._marked = []
            self._marked.append((frame, upload))
        if self.witness is not None:
            self.witness.sent(self, upload, now, damaging)
        if behaviour.sends_twice(upload.kind):
            connection.send_bytes(frame)
            self._faulty(upload, "repeated", now, self._acted())
        return awaited

    def _frame(self, behaviour: Behaviour, message: Message) -> bytes:
        frame = behaviour.encode(bytes(message))
        rules = self.settings.rules
        if rules.encryption is None:
            return frame
        key = self._key
        return encrypted(frame, key, rules.encryption.form) if key and must_encrypt(rules, message.cn, True) else frame

    @property
    def _key(self) -> Key | None:
        return getattr(self.settings, "key", None)

    def _keys_of(self, _mn: str) -> tuple[Key, ...]:
        return (self._key,) if self._key else ()

    def _give_back(self, uploads: Iterable[Upload]) -> None:
        """Queue uploads again, each at its place: the queue is in the order in which they were composed."""
        self._waiting = sorted((*self.queue, *uploads), key=lambda upload: upload.number)

    def _shape(self, behaviour: Behaviour, message: Message, kind: str) -> Message:
        for edit in behaviour.shape:
            message = edit(message, kind)
        return message

    # What the platform says

    def _digest(self, now: float) -> None:
        connection = self._connection
        if connection is None:
            return
        for event in connection.events():
            self._on_event(event, connection, now)
        if self._waiting:
            self._pump(now)

    def _taken(self, qn: str) -> Upload | None:
        """Return the upload that is over, and forget that it was awaited."""
        if not self._sent:
            return None
        upload = self._sent.pop(qn, None)
        if not self._sent:
            self._sent = None
        return upload

    def _on_event(self, event: Event, connection: Connection, now: float) -> None:
        if isinstance(event, UploadAcknowledged):
            upload = self._taken(event.upload.qn)
            self.acknowledged += 1
            if upload and self.witness:
                self.witness.acknowledged_by(self, upload, now)
            if self.behaviour.answers_acknowledgements:
                self.behaviour.acted("answers_acknowledgements")
                self.reply(connection, request_answer(event.upload, self.settings.rules))
        elif isinstance(event, SendTimedOut):
            self._unanswered(event, now)
        elif isinstance(event, MessageReceived):
            if event.kind is CommandKind.REQUEST or (event.kind is None and event.message.wants_answer):
                self._on_request(event, connection, now)
            elif event.kind is CommandKind.NOTICE and not event.repeated:
                self._on_notice(event.message, now)

    def _on_notice(self, notice: Message, now: float) -> None:
        take = self.notices.get(notice.cn)
        if take is not None and notice.mn == self.mn and notice.pw == self.settings.pw:
            take(self, notice, now)

    def _unanswered(self, event: SendTimedOut, now: float) -> None:
        upload = self._taken(event.message.qn)
        if upload is None:
            return
        if self.behaviour.new_qn_on_resend and upload.tries <= self._recount:
            renamed = copy_message(upload.message, QN=self.next_qn(now))
            self.behaviour.acted("new_qn_on_resend")
            self._faulty(upload, "repeated", now, self._acted())
            self._give_back([replace(upload, message=renamed)])
            return
        missing = self._recount + 1 - event.sent
        if missing > 0 and not self.behaviour.new_qn_on_resend:
            self.behaviour.acted("recount", missing)
            self._faulty(upload, "withheld", now, self._acted(each=True))
        if not self.behaviour.keeps_unacknowledged:
            self.behaviour.acted("keeps_unacknowledged")
            self.withheld(now)
        if self.behaviour.keeps_unacknowledged and self._next_report is not None:
            upload.not_before = max(self._next_report, now)
            upload.delayed = True
            self._give_back([upload])
        elif self.witness:
            self.witness.dropped(self, upload, now)

    def _on_request(self, event: MessageReceived, connection: Connection, now: float) -> None:
        answer_request(self, event, connection, now)

    def reply(self, connection: Connection, message: Message) -> None:
        connection.send_bytes(self._frame(self.behaviour, self._shape(self.behaviour, message, "reply")))
        self._faulty(None, "answered", self._now, self._acted())

    # What is set

    def _set_patience(self, connection: Connection) -> None:
        behaviour = self.behaviour
        connection.overtime_s = self._overtime_s if behaviour.overtime_s is None else behaviour.overtime_s
        connection.recount = self._recount if behaviour.recount is None else behaviour.recount
