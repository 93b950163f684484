"""A platform as a whole: devices register, are asked, tell, and are called (GB/T 28181-2022 clause 9, 2016 clause 9).

Bytes and time go in by its endpoint, bytes come out there; what happened is told by :meth:`Platform.events`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..deviations import Deviation
from ..editions import GBT_28181_2016, Rules
from ..errors import LocalProtocolError, RemoteProtocolError
from ..manscdp import read, write
from ..manscdp.body import Body
from ..manscdp.notifies import AlarmNotice, Broadcast, CatalogNotice, MediaStatus, Notice
from ..manscdp.queries import CatalogQuery
from ..manscdp.responses import AlarmAnswer, CatalogAnswer
from ..mansrtsp import Answer as RtspAnswer
from ..mansrtsp import Request as RtspRequest
from ..messaging import Messenger, Route, check_content
from ..sip.endpoint import Endpoint
from ..sip.events import (
    DialogConfirmed,
    DialogEnded,
    Event,
    MessageRejected,
    PeerLimited,
    RequestFailed,
    RequestReceived,
    ResponseReceived,
)
from ..sip.transactions import Flow
from ..sip.values import Address, Uri
from .calls import Call, Calls, Place
from .catalog import Catalog
from .events import DeviceOffline, DeviceUnregistered, PlatformEvent
from .policy import Credential, Policy
from .queries import Question, Questions
from .registrar import Device, Registrar
from .subscriptions import Subscription, Subscriptions

__all__ = [
    "CallChanged",
    "CallControlled",
    "CatalogChanged",
    "NoticeReceived",
    "Platform",
    "QuestionDone",
    "SubscriptionChanged",
    "Unusable",
]


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
class CatalogChanged:
    """A catalogue was told whole, or changes of it were; the codes are those of what changed."""

    device_id: str
    codes: tuple[str, ...]
    whole: bool


@dataclass(frozen=True, slots=True)
class SubscriptionChanged:
    """A subscription was granted, or is over."""

    subscription: Subscription


@dataclass(frozen=True, slots=True)
class CallChanged:
    """A call opened, or ended; ``call.state`` says which."""

    call: Call


@dataclass(frozen=True, slots=True)
class CallControlled:
    """A device answered how a playback is to go on."""

    call: Call
    request: RtspRequest
    status: int
    answer: RtspAnswer | None


@dataclass(frozen=True, slots=True)
class Unusable:
    """A message could not be used, or was one too many; ``why`` says what was expected.

    Attributes:
        device_id: Who sent it, empty where that cannot be read.
        status: By which it was answered, where it could be.
        why: In English.
        flow: Where it came from.
        method: Of the request, empty where that cannot be read.
    """

    device_id: str
    status: int
    why: str
    flow: Flow
    method: str = ""


PlatformReport = (
    PlatformEvent
    | QuestionDone
    | NoticeReceived
    | CatalogChanged
    | SubscriptionChanged
    | CallChanged
    | CallControlled
    | Unusable
)


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
        self.subscriptions = Subscriptions(
            endpoint,
            self._route,
            self._contact,
            self.questions.next_sn,
            lambda subscription: self._events.append(SubscriptionChanged(subscription)),
        )
        self.calls = Calls(
            endpoint,
            self.registrar.domain
            if self.registrar.domain[:8].isdigit()
            else server_id,  # it may be a name (2022 6.1.2)
            server_id,
            self._route,
            self._contact,
            lambda call: self._events.append(CallChanged(call)),
        )
        self.registrar.speaks_for = self.calls.speaker
        self.catalogs: dict[str, Catalog] = {}
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
        return self.questions.ask(self.device(device_id), body, now)

    def device(self, device_id: str) -> Device:
        """Return a device that is online.

        Raises:
            LocalProtocolError: If it is not.
        """
        device = self.devices.get(device_id)
        if device is None:
            raise LocalProtocolError(f"{device_id} is not registered", field="DeviceID")
        return device

    def broadcast(self, device_id: str, output_id: str, source_id: str, local: Place, now: float) -> Question:
        """Tell a device that a voice is to be heard from its output; it calls for it then (9.12).

        Raises:
            LocalProtocolError: If the device is not online.
            LimitError: If too many questions wait at it.
        """
        question = self.ask(device_id, Broadcast(source_id=source_id, target_id=output_id), now)
        self.calls.announce(question.device, source_id, local)
        return question

    def step(self, now: float) -> None:
        """Take what the endpoint reports; call it after bytes or time went in."""
        for event in self.endpoint.events():
            self.handle(event, now)
        for told in self.registrar.events():
            if isinstance(told, DeviceOffline | DeviceUnregistered):
                self._gone(told.device_id, now)
            self._events.append(told)

    def _gone(self, device_id: str, now: float) -> None:
        self.questions.gone(device_id, now)
        self.subscriptions.gone(device_id)
        self.calls.gone(device_id, now)

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
                self._sip_answered(event, now)
            case DialogConfirmed():
                self.calls.confirmed(event.dialog)
            case DialogEnded():
                if not self.calls.over(event.dialog, event.reason.value):
                    self.subscriptions.over(event.dialog, event.reason.value)
            case MessageRejected(flow, error):
                status = error.status if isinstance(error, RemoteProtocolError) else 400
                self._events.append(Unusable("", status, str(error), flow))
            case PeerLimited(flow, limit):
                self._events.append(Unusable("", 503, f"more than may come from one peer ({limit})", flow))

    def _sip_answered(self, event: ResponseReceived | RequestFailed, now: float) -> None:
        if self.questions.sip_answered(event, now) or self.subscriptions.sip_answered(event, now):
            return
        if self.calls.sip_answered(event, now) or isinstance(event, RequestFailed):
            return
        controlled = self.calls.controlled(event)
        if controlled is not None:
            self._events.append(CallControlled(*controlled))

    def _requested(self, event: RequestReceived, now: float) -> None:
        request, code = event.request, event.request.from_.uri.user
        try:
            device = self._device_of(event, code)
            match request.method:
                case "OPTIONS":
                    self.endpoint.respond(event.transaction, 200, now)
                case "INVITE":
                    self.calls.invited(event, device, now)
                case "MESSAGE" | "NOTIFY":
                    self._message(event, device, now)
                case _:
                    raise RemoteProtocolError(f"{request.method} is not expected here", status=405)
        except RemoteProtocolError as error:
            self.endpoint.respond(event.transaction, error.status, now)
            self._events.append(Unusable(code, error.status, str(error), event.flow, request.method))

    def _device_of(self, event: RequestReceived, code: str) -> Device:
        """Return who sends: within a dialog whoever it is with, whatever From says."""
        if event.dialog is not None and isinstance(event.dialog.context, Call | Subscription):
            return event.dialog.context.device
        device = self.devices.get(code) or self.calls.speaker(code, event.flow)
        if device is None:
            raise RemoteProtocolError(f"{code} is not registered", status=403)
        return device

    def _message(self, event: RequestReceived, device: Device, now: float) -> None:
        if not event.request.body.strip():  # the last word of a subscription may be empty
            self.endpoint.respond(event.transaction, 200, now)
            return
        check_content(event.request)
        reading = read(event.request.body, rules=device.rules, charset=device.charset)
        self.endpoint.respond(event.transaction, 200, now)
        body = reading.body
        if isinstance(body, MediaStatus):
            self.calls.media_status(device, event.dialog, body, now)
        elif event.dialog is None and self.questions.answered(device, body, now):
            return
        elif isinstance(body, CatalogNotice | CatalogAnswer):
            if event.dialog is not None:  # only what was asked for may change a catalogue
                self._catalog_changed(device, body)
        elif isinstance(body, AlarmNotice) and event.dialog is None:
            self._acknowledge(device, body, now)
        if isinstance(body, Notice):
            self._events.append(NoticeReceived(device.id, body, reading.deviations))

    def _catalog_of(self, code: str) -> Catalog:
        """Return the catalogue of a device; the eldest of those who are gone makes room for it."""
        catalog = self.catalogs.get(code)
        if catalog is None:
            while len(self.catalogs) >= max(self.registrar.policy.max_devices, 1):
                gone = (known for known in self.catalogs if known not in self.devices)
                del self.catalogs[next(gone, next(iter(self.catalogs)))]
            catalog = self.catalogs[code] = Catalog(code)
        return catalog

    def _catalog_changed(self, device: Device, body: CatalogNotice | CatalogAnswer) -> None:
        codes = self._catalog_of(device.id).change(body.items or ())
        self._events.append(CatalogChanged(device.id, tuple(codes), False))

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

    def _contact(self, device: Device) -> Address:
        """The platform's Contact as a device reaches it: the advertised address, else the card it came by."""
        host, port = self.endpoint.advertised or device.flow.local
        return Address(Uri(self.registrar.server_id, host, port))

    def _question_done(self, question: Question) -> None:
        code = question.device.id
        self._events.append(QuestionDone(code, question))
        asked_whole = isinstance(question.body, CatalogQuery) and question.body.device_id == code
        if asked_whole and question.collected is not None and question.collected.complete:
            catalog = self._catalog_of(code)
            catalog.replace(question.collected.items)
            self._events.append(CatalogChanged(code, tuple(item.device_id or "" for item in catalog), True))
