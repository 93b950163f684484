"""The platform's side of one link, with any number of stations on it, as a state machine without I/O.

::

    host.receive_data(data, now)        bytes in; receive_eof(now) at the end
    for event in host.events(): ...     facts, in order
    transport.write(host.data_to_send())
    when = host.next_timeout()          on the clock of ``now``
    host.handle_timeout(now)

It makes no difference who dialled: a platform that connects to its station calls :meth:`Host.expect`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from ..codes import CommandKind
from ..connection import Connection, Role
from ..editions import RULES, Edition, Rules, rules_of
from ..encryption import Key
from ..errors import LocalProtocolError
from ..events import FrameRejected, MessageReceived, NoiseReceived
from ..messages import Message, acknowledgement, notice_answer
from ..times import CHINA, QnSource, format_qn, format_time, parse_qn
from .commands import STOPS, check_command, password_field, range_items, row_of, wire_time
from .enrolment import KEY, REGISTER, Enrolment
from .events import (
    HostEvent,
    KeyExpired,
    MessageRefused,
    NoticeReceived,
    Outcome,
    PasswordChanged,
    PasswordWrong,
    Purpose,
    RefusalReason,
    RequestFinished,
    Ticket,
    UploadReceived,
)
from .packets import Packets
from .policy import Acknowledge, Credential, Logger, Policy
from .requests import Requests
from .setup import Setup
from .stations import Station, Stations

__all__ = ["Host"]

_SET_TIME = "1012"
_TIME_WANTED = "1013"
_SET_PASSWORD = "1072"

Parameters = Mapping[str, str] | Iterable[tuple[str, str]]


class Host:
    """One link of a platform.

    Args:
        rules: The edition of a station that declares none.
        credentials: Returns what is known of an MN, ``None`` for an unknown one.
        wall: Returns POSIX seconds, for QN and SystemTime; ``now`` is another clock.
        policy: Whom to admit, when to acknowledge, what to set up, limits.
        assign_mn: Gives a registering logger its MN, ``None`` to refuse it.
        new_key: Gives a station that asks for a key 16 letters and digits, and their time of creation in POSIX
            seconds; ``None`` to refuse.
        known: The rules of each edition, for whoever replaced some.
        qns: Gives requests their QN, for several links of one platform that share a source.

    Attributes:
        connection: The link below: its OverTime and ReCount may be set there.
        setups: MN -> its set-up sequence.
    """

    def __init__(
        self,
        rules: Rules,
        *,
        credentials: Callable[[str], Credential | None],
        wall: Callable[[], float],
        policy: Policy | None = None,
        assign_mn: Callable[[Logger], str | None] | None = None,
        new_key: Callable[[str], tuple[bytes, float] | None] | None = None,
        known: Mapping[Edition, Rules] = RULES,
        qns: Callable[[], str] | None = None,
    ) -> None:
        self.policy = policy or Policy()
        self.connection = Connection(Role.PLATFORM, rules, automatic=False, keys=self._keys_of)
        self.setups: dict[str, Setup] = {}
        self._rules = rules
        self._known = known
        self._wall = wall
        self._events: list[HostEvent] = []
        report = self._events_append
        self._stations = Stations(rules, self.policy, credentials, report)
        self._requests = Requests(self.connection, self._stations, self.policy, qns or QnSource(wall), report)
        self._packets = Packets(self.policy, report, self._requests.collect)
        self._enrolment = Enrolment(
            self._stations,
            self._requests,
            self.policy,
            report,
            assign_mn=assign_mn,
            new_key=new_key,
            created_text=lambda created: format_qn(round(created * 1000)),
            ready=self._begin_setup,
        )

    def _keys_of(self, mn: str) -> tuple[Key, ...]:
        return self._stations.keys_of(mn)

    def _events_append(self, event: HostEvent) -> None:
        self._events.append(event)

    # The contract of a core

    def receive_data(self, data: bytes, now: float) -> None:
        """Take in bytes from the link."""
        self.connection.receive_data(data, now)
        self._digest(now)

    def receive_eof(self, now: float) -> None:
        """Take note that the link is at its end: every request is over."""
        self.connection.receive_eof(now)
        self._digest(now)
        self._packets.close()
        self._requests.close()

    def data_to_send(self) -> bytes:
        """Return, once, the bytes to write."""
        return self.connection.data_to_send()

    def events(self) -> list[HostEvent]:
        """Return, once, what happened since the last call."""
        events = self._events.copy()
        self._events.clear()
        return events

    def next_timeout(self) -> float | None:
        """Return when to call :meth:`handle_timeout`."""
        times = (self.connection.next_timeout(), self._stations.next_timeout(), self._packets.next_timeout())
        return min((when for when in times if when is not None), default=None)

    def handle_timeout(self, now: float) -> None:
        """Do what is due: resend, give up, report who is silent and which packets are missing."""
        self.connection.handle_timeout(now)
        self._digest(now)
        self._packets.expire(now)
        self._stations.handle_timeout(now)

    # Who is there

    @property
    def stations(self) -> tuple[Station, ...]:
        """Every station that spoke or is expected."""
        return tuple(self._stations)

    def station(self, mn: str) -> Station:
        """Return what is known of a station.

        Raises:
            LocalProtocolError: If no such MN spoke on this link or is expected.
        """
        station = self._stations.get(mn)
        if station is None:
            raise LocalProtocolError(f"no station {mn!r} on this link", field="MN")
        return station

    @property
    def loggers(self) -> Mapping[str, str]:
        """Logger id -> MN, of those that registered on this link."""
        return self._enrolment.mns

    def expect(self, mn: str, now: float, *, rules: Rules | None = None) -> Station:
        """Take in a station before it speaks, and set it up: the platform dialled it.

        Raises:
            LocalProtocolError: If the policy does not admit it.
        """
        found = self._stations.get(mn) or self._stations.add(mn, rules)
        if isinstance(found, RefusalReason):
            raise LocalProtocolError(f"station {mn!r} is not admitted: {found.value}", field="MN")
        self._begin_setup(found)
        self._requests.pump(now)
        return found

    def forget(self, mn: str) -> None:
        """Drop a station, so that it is new when it speaks again and its credential is asked for anew."""
        self._stations.forget(mn)
        self.setups.pop(mn, None)

    # Requests

    def ask(
        self,
        mn: str,
        cn: str,
        now: float,
        parameters: Parameters = (),
        *,
        begin: str = "",
        end: str = "",
        anyway: bool = False,
    ) -> Ticket:
        """Send a request whose answer, if the command has any, comes with :class:`RequestFinished`.

        Args:
            mn: The station.
            cn: The command: 1011, 1061, 3017, but also settings and controls.
            now: Seconds on the caller's clock.
            parameters: Names and values, in order.
            begin: First DataTime of the records wanted, 14 digits.
            end: Last DataTime.
            anyway: Whether to send what is not in the station's edition.

        Raises:
            LocalProtocolError: If the station is not there, or its edition has no such command, or a parameter
                that the command requires is missing.
            LimitError: If too many requests wait for the station already.
        """
        station = self.station(mn)
        pairs = list(parameters.items() if isinstance(parameters, Mapping) else parameters)
        items: list[list[tuple[str, str]]] = [[pair] for pair in pairs]
        if begin:
            items = range_items(begin, end, station.rules) + items
        check_command(cn, station.rules, [pair[0] for item in items for pair in item], anyway=anyway)
        ticket = Ticket(self._requests.number(), mn, cn, begin=begin, end=end)
        self._requests.add(ticket, items, when_done=self._note_for(cn, pairs, station), qn=self._stop_qn(cn, station))
        self._requests.pump(now)
        return ticket

    #: Settings (10xx, 3016, 3021) and controls (3011 and on) are asked like everything else.
    tell = ask

    def history(
        self,
        mn: str,
        cn: str,
        begin: datetime | str,
        end: datetime | str,
        now: float,
        parameters: Parameters = (),
        *,
        anyway: bool = False,
    ) -> Ticket:
        """Ask for the records of a time range: 2031, 2041, 2051, 2061, logs by 3020, in 2025 also 2011.

        :class:`RequestFinished` brings them. Both ends are inclusive and select on DataTime.

        Raises:
            LocalProtocolError: As :meth:`ask`, and if a time is none or ``end`` lies before ``begin``.
            LimitError: As :meth:`ask`.
        """
        first, last = wire_time(begin), wire_time(end)
        if last < first:
            raise LocalProtocolError(f"EndTime {last} lies before BeginTime {first}", field="EndTime")
        return self.ask(mn, cn, now, parameters, begin=first, end=last, anyway=anyway)

    def set_time(self, mn: str, now: float, *, pol_id: str = "") -> Ticket:
        """Set the clock of the station, or of the instrument of one factor (1012)."""
        return self.ask(mn, _SET_TIME, now, self._time_parameters(pol_id))

    def set_password(self, mn: str, pw: str, now: float) -> Ticket:
        """Replace the station's password (1072); :class:`PasswordChanged` tells that it is in force.

        Raises:
            LocalProtocolError: As :meth:`ask`, and if the password is longer than the edition allows.
        """
        rules = self.station(mn).rules
        if not pw.isascii() or not pw.isalnum() or len(pw) > rules.max_password_chars:
            raise LocalProtocolError(f"expected 1 to {rules.max_password_chars} letters and digits", field="PW")
        return self.ask(mn, _SET_PASSWORD, now, [(password_field(_SET_PASSWORD, rules), pw)])

    def send_key(self, mn: str, key: bytes, created: float, now: float) -> None:
        """Give a station another key unasked (1014).

        Args:
            mn: The station.
            key: 16 letters and digits.
            created: When it was made, POSIX seconds.
            now: Seconds on the caller's clock.
        """
        self._enrolment.send_key(self.station(mn), key, created)
        self._requests.pump(now)

    def start(self, mn: str, cn: str, now: float) -> Ticket:
        """Have the station upload real-time data (2011) or equipment state (2021) from now on."""
        return self.ask(mn, cn, now)

    def stop(self, mn: str, cn: str, now: float) -> Ticket:
        """Stop what :meth:`start` with the same command started."""
        return self.ask(mn, STOPS[cn], now)

    def cancel(self, ticket: Ticket) -> bool:
        """Take back a request that still waits in the queue; say whether it did."""
        return self._requests.cancel(ticket)

    def _note_for(
        self, cn: str, pairs: list[tuple[str, str]], station: Station
    ) -> Callable[[RequestFinished], None] | None:
        if cn != _SET_PASSWORD or not pairs:
            return None
        new = pairs[0][1]

        def changed(finished: RequestFinished) -> None:
            if finished.outcome is Outcome.DONE:
                station.replace_password(new)
                self._events.append(PasswordChanged(station.mn, new))

        return changed

    def _stop_qn(self, cn: str, station: Station) -> str:
        start = next((start for start, stop in STOPS.items() if stop == cn), "")
        return station.started.get(start, "") if station.rules.stop_repeats_qn else ""

    def _time_parameters(self, pol_id: str) -> list[tuple[str, str]]:
        time = [("SystemTime", format_time(self._wall()))]
        return [("PolId", pol_id), *time] if pol_id else time

    # What comes in

    def _digest(self, now: float) -> None:
        for event in self.connection.events():
            if isinstance(event, MessageReceived):
                self._message(event, now)
            elif isinstance(event, (FrameRejected, NoiseReceived)):
                self._events.append(event)
            else:
                self._requests.receive(event)
        self._requests.pump(now)

    def _message(self, event: MessageReceived, now: float) -> None:
        message = event.message
        known = self._stations.get(message.mn)
        rules = rules_of(message.flag, known.rules if known else self._rules, known=self._known)
        row = row_of(message.cn, True, rules)
        kind = row.kind if row else None
        if message.cn == REGISTER and rules.registration:
            self._register(message, event.repeated, rules)
            return
        station = self._stations.admit(message)
        if isinstance(station, RefusalReason):
            self._events.append(MessageRefused(message, station))
            return
        if not self._stations.password_right(station, message.pw):
            self._events.append(PasswordWrong(message))
        first = self._stations.heard(station, message, rules, now)
        if kind is CommandKind.NOTICE or (rules.heartbeat and message.cn == rules.heartbeat):
            self._notice(station, message, event.repeated)
        else:
            self._upload(station, message, kind, event.repeated, now)
        self._check_key(station)
        if first:
            self._begin_setup(station)

    def _register(self, message: Message, repeated: bool, rules: Rules) -> None:
        self._answer(notice_answer, message, rules)
        if not repeated:
            self._enrolment.register(message, lambda mn: self._registered(mn, message, rules))

    def _registered(self, mn: str, message: Message, rules: Rules) -> Station | None:
        found = self._stations.get(mn) or self._stations.add(mn, rules)
        if isinstance(found, RefusalReason):
            self._events.append(MessageRefused(message, found))
            return None
        found.rules = rules
        if not found.pw:
            found.pw = message.pw
        return found

    def _notice(self, station: Station, message: Message, repeated: bool) -> None:
        self._answer(notice_answer, message, station.rules)
        self._events.append(NoticeReceived(station.mn, message, repeated))
        if repeated:
            return
        if message.cn == _TIME_WANTED:
            ticket = Ticket(self._requests.number(), station.mn, _SET_TIME, Purpose.CLOCK)
            parameters = self._time_parameters(message.parameter("PolId") or "")
            self._requests.submit(ticket, parameters, station.rules, urgent=True)
        elif message.cn == KEY and station.rules.encryption is not None:
            self._enrolment.key_wanted(station, message)

    def _upload(self, station: Station, message: Message, kind: CommandKind | None, repeated: bool, now: float) -> None:
        at_once = message.wants_answer and self.policy.acknowledge is Acknowledge.AT_ONCE
        acknowledged = at_once and self._answer(acknowledgement, message, station.rules)
        pending = self._requests.answered_by(message)
        if pending:
            self._requests.prolong(pending, now)
        ticket = pending.ticket if pending else None
        back_fill = message.segment.field("RF") == "1"
        self._events.append(UploadReceived(station.mn, message, kind, repeated, back_fill, ticket, acknowledged))
        if self._packets.add(message, now):
            return
        if not repeated:
            self._requests.collect(message)

    def acknowledge(self, message: Message) -> bool:
        """Send the 9014 of an upload that wants one, after it was stored; say whether there is one to send."""
        station = self._stations.get(message.mn)
        rules = rules_of(message.flag, station.rules if station else self._rules, known=self._known)
        return message.wants_answer and self._answer(acknowledgement, message, rules)

    def _answer(self, compose_answer: Callable[[Message, Rules], Message], message: Message, rules: Rules) -> bool:
        # The answer repeats the station's fields. Where these leave no legal one, none is given: the link survives.
        with suppress(LocalProtocolError):
            self.connection.send_bytes(compose_answer(message, rules).encode(rules))
            return True
        return False

    # What follows from it

    def _begin_setup(self, station: Station) -> None:
        plan = self.policy.setup
        if plan is None or station.mn in self.setups or not station.rules.setup_commands:
            return
        setup = Setup(station, plan, self._requests, self._events_append, lambda: format_time(self._wall()))
        self.setups[station.mn] = setup
        setup.proceed()

    def _check_key(self, station: Station) -> None:
        encryption = station.rules.encryption
        if encryption is None or not station.key_created or station.key_reported:
            return
        with suppress(ValueError):
            age = datetime.fromtimestamp(self._wall(), CHINA) - parse_qn(station.key_created)
            if age > timedelta(days=encryption.key_max_age_days):
                station.key_reported = True
                self._events.append(KeyExpired(station.mn, station.key_created))
