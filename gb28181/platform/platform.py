"""A platform as a whole: devices register, are asked, and tell (GB/T 28181-2022 clause 9, 2016 clause 9), without I/O.

Calls and subscriptions are still to come.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..editions import GBT_28181_2016, Rules
from ..errors import LocalProtocolError, RemoteProtocolError
from ..manscdp import read, write
from ..manscdp.body import Body
from ..manscdp.deviations import Deviation
from ..manscdp.notifies import AlarmNotice, Notice
from ..manscdp.responses import AlarmAnswer
from ..messaging import Messenger, Route
from ..sip.endpoint import Endpoint
from ..sip.events import Event, MessageRejected, RequestFailed, RequestReceived, ResponseReceived
from ..sip.values import Address, Uri
from .events import DeviceOffline, DeviceUnregistered, PlatformEvent
from .policy import Credential, Policy
from .queries import Question, Questions
from .registrar import Device, Registrar

__all__ = ["NoticeReceived", "Platform", "QuestionDone", "Unusable"]


@dataclass(frozen=True, slots=True)
class QuestionDone:
    """A question was answered, or will not be."""

    device_id: str
    question: Question


@dataclass(frozen=True, slots=True)
class NoticeReceived:
    """A device tells something: an alarm, an upload that is finished, an upgrade's result."""

    device_id: str
    body: Body
    deviations: tuple[Deviation, ...]


@dataclass(frozen=True, slots=True)
class Unusable:
    """A message of a device could not be used; ``why`` says what was expected."""

    device_id: str
    status: int
    why: str


PlatformReport = PlatformEvent | QuestionDone | NoticeReceived | Unusable


class Platform:
    """A platform.

    Args:
        endpoint: Its user agent.
        server_id: Its code.
        credentials: Returns what is known of a code; ``None`` for one that nobody told of.
        nonce: Returns a text that nobody can guess.
        wall_ms: Returns POSIX milliseconds.
        domain: Its SIP domain; empty: the first ten digits of its code.
        policy: What its operator decided.
        fallback: The edition of a device that tells none.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        server_id: str,
        credentials: Callable[[str], Credential | None],
        *,
        nonce: Callable[[], str],
        wall_ms: Callable[[], int],
        domain: str = "",
        policy: Policy | None = None,
        fallback: Rules = GBT_28181_2016,
    ) -> None:
        self.endpoint = endpoint
        self.registrar = Registrar(
            endpoint,
            server_id,
            credentials,
            nonce=nonce,
            wall_ms=wall_ms,
            domain=domain,
            policy=policy,
            fallback=fallback,
        )
        self.questions = Questions(endpoint, self._route, self._question_done)
        self._messenger = Messenger(endpoint)
        self._events: list[PlatformReport] = []

    @property
    def devices(self) -> dict[str, Device]:
        """Devices that are online, by code."""
        return self.registrar.devices

    def ask(self, device_id: str, body: Body, now: float) -> Question:
        """Ask a device, or tell it to do something; :class:`QuestionDone` brings the answer.

        Raises:
            LocalProtocolError: If the device is not online, or its edition does not have the body.
            LimitError: If too many questions wait at it.
        """
        device = self.devices.get(device_id)
        if device is None:
            raise LocalProtocolError(f"{device_id} is not registered", field="DeviceID")
        return self.questions.ask(device, body, now)

    def step(self, now: float) -> None:
        """Take what the endpoint reports; call it after bytes or time went in."""
        for event in self.endpoint.events():
            self.handle(event, now)
        for told in self.registrar.events():
            if isinstance(told, DeviceOffline | DeviceUnregistered):
                self.questions.gone(told.device_id, now)
            self._events.append(told)

    def events(self) -> list[PlatformReport]:
        """Return, once, what happened since the last call."""
        events, self._events = self._events, []
        return events

    def handle(self, event: Event, now: float) -> None:
        """Take an event of the endpoint."""
        if self.registrar.handle(event, now) or self._messenger.handle(event, now):
            return
        match event:
            case RequestReceived():
                self._requested(event, now)
            case ResponseReceived() | RequestFailed():
                self.questions.sip_answered(event, now)
            case MessageRejected():
                self._events.append(Unusable("", 400, str(event.error)))

    def _requested(self, event: RequestReceived, now: float) -> None:
        request, code = event.request, event.request.from_.uri.user
        try:
            if request.method == "OPTIONS":
                self.endpoint.respond(event.transaction, 200, now)
                return
            if request.method != "MESSAGE":
                raise RemoteProtocolError(f"{request.method} is not expected here", status=405)
            device = self.devices[code]
            reading = read(request.body, rules=device.rules)
        except RemoteProtocolError as error:
            self.endpoint.respond(event.transaction, error.status, now)
            self._events.append(Unusable(code, error.status, str(error)))
            return
        self.endpoint.respond(event.transaction, 200, now)
        body = reading.body
        if self.questions.answered(device, body, now):
            return
        if isinstance(body, AlarmNotice):
            self._acknowledge(device, body, now)
        if isinstance(body, Notice):
            self._events.append(NoticeReceived(code, body, reading.deviations))

    def _acknowledge(self, device: Device, alarm: AlarmNotice, now: float) -> None:
        """Answer an alarm (9.4.2)."""
        answer = AlarmAnswer(sn=alarm.sn, device_id=alarm.device_id, result="OK")
        route = self._route(device, device.id)
        self._messenger.send_in_turn(route, [write(answer, device.rules)], now)

    def _route(self, device: Device, code: str) -> Route:
        """The way to a device is where it was last heard from, whatever its Contact says."""
        host, port = device.flow.peer
        return Route(
            Uri(code, host, port), self.registrar.address, Address(Uri(code, self.registrar.domain)), device.flow
        )

    def _question_done(self, question: Question) -> None:
        self._events.append(QuestionDone(question.device.id, question))
