"""The station's side of a link as a state machine without I/O. It outlives its links: what is not acknowledged waits.

::

    station.connected(now)                a transport is there, whoever dialled
    station.receive_data(data, now)       bytes in; receive_eof(now) at the end
    for event in station.events(): ...    facts, in order
    transport.write(station.data_to_send())
    when = station.next_timeout()         on the clock of ``now``; ask again after each step
    station.handle_timeout(now)

The events come before the bytes: what :class:`SettingsChanged` brings is to be kept before the 9012 that promises it
is written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from ..codes import ExeRtn
from ..editions import Edition, Rules
from ..errors import LocalProtocolError
from ..events import (
    AnswerUnexpected,
    Event,
    FrameRejected,
    MessageReceived,
    NoiseReceived,
    NoticeAnswered,
    SendTimedOut,
    UploadAcknowledged,
)
from ..messages import Message
from ..tables.commands import editions_of
from ..times import format_time
from .commands import STARTS
from .enrolment import Enrolment
from .events import StationEvent
from .link import Link
from .outbox import MemoryOutbox, Outbox, Record
from .policy import Policy
from .requests import Requests
from .runs import Area, History, Operate, Runs
from .settings import Identity, Settings
from .upkeep import Upkeep
from .uploads import Uploads, frozen

__all__ = ["Station"]

_RESTARTED: Final = "2081"


class Station:
    """One station and its platform.

    Args:
        identity: What the station is.
        rules: Its edition: everything it writes is in it.
        settings: What the platform may change; the version of the last :class:`SettingsChanged`.
        wall: Returns POSIX seconds, for QN and DataTime; ``now`` is another clock.
        outbox: Keeps uploads until they are acknowledged; without it they are kept in memory.
        policy: How to upload and what to answer.
        history: Brings the records a platform asks for; ``None``: there are none, and such requests are refused.
        operate: Does and reads what is not the station's own: controls, instruments; ``None``: they are refused.
        restarted: When it was powered on, POSIX seconds: told once, by 2081, where the edition has it.
        known: The editions to answer in, by what a request's Flag declares; ``None``: always ``rules``.
    """

    def __init__(
        self,
        identity: Identity,
        rules: Rules,
        settings: Settings,
        *,
        wall: Callable[[], float],
        outbox: Outbox | None = None,
        policy: Policy | None = None,
        history: History | None = None,
        operate: Operate | None = None,
        restarted: float | None = None,
        known: Mapping[Edition, Rules] | None = None,
    ) -> None:
        self._events: list[StationEvent] = []
        self.outbox: Outbox = MemoryOutbox() if outbox is None else outbox
        self._link = Link(
            identity, rules, settings, policy or Policy(), wall=wall, report=self._events_append, known=known
        )
        self._uploads = Uploads(self._link, self.outbox)
        self._runs = Runs(self._link, history, operate)
        self._requests = Requests(self._link, self._runs)
        self._enrolment = Enrolment(self._link)
        self._upkeep = Upkeep(self._link)
        self._restarted = restarted
        self._now = 0.0

    def _events_append(self, event: StationEvent) -> None:
        self._events.append(event)

    def __repr__(self) -> str:
        state = "connected" if self.linked else "no link"
        return f"<Station {self.settings.mn or '(no MN)'}, {self._link.rules.title}, {state}>"

    # What is known

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self._link.settings

    @property
    def identity(self) -> Identity:
        """What it is."""
        return self._link.identity

    @property
    def rules(self) -> Rules:
        """The edition it writes."""
        return self._link.rules

    @property
    def linked(self) -> bool:
        """Whether there is a link."""
        return self._link.connection is not None

    @property
    def outstanding(self) -> int:
        """Messages that wait for an answer, and requests of the platform that are not over."""
        connection = self._link.connection
        return (connection.outstanding if connection else 0) + self._runs.under_way

    def awaits(self, qn: str) -> bool:
        """Say whether something it sent with this QN waits for its answer."""
        return self._link.awaits(qn)

    def clock(self) -> float:
        """Return the station's time in POSIX seconds, as 1012 set it."""
        return self._link.clock()

    def wants(self, cn: str) -> bool:
        """Say whether the platform wants the uploads of a command: 2012 and 2022 stop those of 2011 and 2021."""
        setting = STARTS.get(cn)
        return setting is None or not self._link.policy.stops or bool(getattr(self.settings, setting))

    # What the caller brings

    def report(self, cn: str, items: Area, now: float, *, st: str = "", anyway: bool = False) -> list[Record]:
        """Upload data, now if possible, and until it is acknowledged.

        Args:
            cn: 命令编码: 2011, 2051, also 2072, 3019, 3020.
            items: The data area in plain text, DataTime first.
            now: Seconds on the caller's clock.
            st: 系统编码, empty for the station's own.
            anyway: Whether to send what the edition does not have.

        Returns:
            What the outbox keeps of it: a record for each packet; none where the platform stopped such uploads.

        Raises:
            LocalProtocolError: If the edition has no such upload, or it is too long for the packets there may be.
        """
        if not self.wants(cn):
            return []
        records = self._uploads.put(cn, frozen(items), now, st=st, anyway=anyway)
        self._settle(now)
        return records

    def finish(self, request: Message, found: ExeRtn | Area, now: float) -> bool:
        """End an operation for which ``operate`` returned ``None``.

        Returns:
            Whether the platform was told: ``False`` after the link ended.
        """
        told = self._runs.finish(request, found, now)
        self._settle(now)
        return told

    def configure(self, now: float, **fields: Any) -> None:
        """Change settings at the station itself, by their names in :class:`Settings`."""
        self._link.change(None, **fields)
        self._settle(now)

    # The contract of a core

    def connected(self, now: float) -> None:
        """Begin on a new transport.

        Raises:
            LocalProtocolError: If the one before was not ended by :meth:`receive_eof`.
        """
        if self.linked:
            raise LocalProtocolError("there is a link already")
        self._link.open()
        self._uploads.opened(now)
        self._enrolment.opened(now)
        self._upkeep.opened(now)
        self._announce_restart(now)
        self._settle(now)

    def _announce_restart(self, now: float) -> None:
        restarted, self._restarted = self._restarted, None
        known = self.rules.edition in editions_of(_RESTARTED, upward=True)
        if restarted is None or not known or not self._link.policy.announce_restart:
            return
        times = [
            ("DataTime", format_time(self.clock())),
            ("RestartTime", format_time(restarted + self.settings.clock_offset_s)),
        ]
        self._uploads.put(_RESTARTED, frozen([[pair] for pair in times]), now)

    def receive_data(self, data: bytes, now: float) -> None:
        """Take in bytes from the link."""
        if self._link.connection is None or not data:
            return
        self._link.connection.receive_data(data, now)
        self._upkeep.heard(now)
        self._settle(now)

    def receive_eof(self, now: float) -> None:
        """Take note that the link is gone; without one it means nothing."""
        if self._link.connection is None:
            return
        self._link.connection.receive_eof(now)
        self._settle(now)
        self._link.close()
        self._requests.closed()
        self._uploads.closed()
        self._enrolment.closed()

    def data_to_send(self) -> bytes:
        """Return, once, the bytes to write."""
        if self._link.connection is None:
            return b""
        data = self._link.connection.data_to_send()
        self._uploads.written()
        return data

    def events(self) -> list[StationEvent]:
        """Return, once, what happened since the last call."""
        events = self._events.copy()
        self._events.clear()
        return events

    def next_timeout(self) -> float | None:
        """Return when to call :meth:`handle_timeout`; ``None`` when nothing is awaited. It may be past."""
        connection = self._link.connection
        if connection is None:
            return None
        parts = (connection, self._uploads, self._runs, self._enrolment, self._upkeep)
        when = min((due for part in parts if (due := part.next_timeout()) is not None), default=None)
        return None if when is None else max(when, self._now)

    def handle_timeout(self, now: float) -> None:
        """Do what is due: resend, give up, go on with stored data, ask for what is wanted."""
        if self._link.connection is None:
            return
        self._link.connection.handle_timeout(now)
        self._settle(now)

    # What follows

    def _settle(self, now: float) -> None:
        """Act on everything that the connection has to tell, and send what may be sent."""
        self._now = now
        connection = self._link.connection
        if connection is None:
            self._uploads.flush()
            return
        for event in connection.events():
            self._act(event, now)
        self._uploads.flush()
        self._uploads.pump(now)
        self._runs.pump(now)
        self._enrolment.pump(now)
        self._upkeep.pump(now)
        self._uploads.flush()

    def _act(self, event: Event, now: float) -> None:
        match event:
            case MessageReceived():
                self._requests.receive(event, now)
            case UploadAcknowledged(message) | NoticeAnswered(message):
                self._link.settle(message, now, answered=True)
            case SendTimedOut(message, sent):
                self._link.settle(message, now, answered=False, sent=sent)
            case AnswerUnexpected(message):
                if not self._uploads.late(message):
                    self._events.append(event)
            case FrameRejected() | NoiseReceived():
                self._events.append(event)
            case _:
                raise AssertionError(event)
