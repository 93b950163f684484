"""A device as a whole: registered, and answering all that a platform asks (GB/T 28181-2022 clause 9, 2016 clause 9).

Bytes and time go in by its endpoint, bytes come out there; what happened is told by :meth:`Device.events`::

    device = Device(endpoint, account, GBT_28181_2022, equipment, chance=random.Random(), wall_ms=wall_ms)
    device.start(flow, now)
    endpoint.receive_datagram(data, flow, now); device.step(now)
    for flow, data in endpoint.data_to_send(): ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from ..chance import Chance
from ..editions import Rules
from ..errors import LocalProtocolError, RemoteProtocolError
from ..manscdp import read, write
from ..manscdp.body import Body
from ..manscdp.configs import BasicParam, VideoParam
from ..manscdp.controls import Configure, KeyFrame, Restart, Upgrade
from ..manscdp.items import CatalogItem
from ..manscdp.notifies import (
    AlarmInfo,
    AlarmNotice,
    AlarmParam,
    Broadcast,
    MediaStatus,
    SnapshotFinished,
    UpgradeResult,
    UploadNotice,
)
from ..manscdp.queries import Query
from ..manscdp.responses import Answer, BroadcastAnswer
from ..messaging import CONTENT_TYPE, Messenger, check_content
from ..sip.dialogs import DialogKind
from ..sip.endpoint import Endpoint
from ..sip.events import DialogConfirmed, DialogEnded, Event, RequestFailed, RequestReceived, ResponseReceived
from ..sip.transactions import Flow
from ..times import format_datetime
from .account import Account
from .answers import HEADERS_BYTES, Asked, answers
from .calls import Call, Calls, Place
from .controls import CONTROLS, control
from .equipment import ALARM_INPUTS, VOICE_OUTPUTS, Equipment
from .events import (
    AnswerReceived,
    CallControlled,
    CallEnded,
    CallStarted,
    ConfigurationSet,
    ControlDone,
    DeviceEvent,
    KeyFrameWanted,
    QueryAnswered,
    RequestRefused,
    RestartOrdered,
    SnapshotOrdered,
    Subscribed,
    Unsubscribed,
    UpgradeOrdered,
)
from .quirks import Quirks
from .registration import Registration
from .subscriptions import Subscriptions

__all__ = ["Device"]

#: How long a device is gone after TeleBoot.
RESTART_S: Final = 30.0
#: NotifyType of MediaStatus: the file was sent to its end.
FILE_END: Final = "121"
_AS_THE_STANDARD_HAS_IT: Final = Quirks()
_PRIVATE: Final = ("192.168.1.64", 5060)


def _event(kind: int | None) -> AlarmParam | None:
    return None if kind is None else AlarmParam(event_type=kind)


def _no_media(call: Call) -> Place | None:
    return ("127.0.0.1", 9)


class Device:
    """A camera, recorder or gateway.

    Args:
        endpoint: Its user agent.
        account: Who it is, and at which platform.
        rules: Its edition.
        equipment: What it is made of.
        chance: Spreads its pauses.
        wall_ms: Returns POSIX milliseconds; what the platform tells at a registration goes before it (9.10).
        quirks: What it does otherwise.
        place: Returns the address and port of a call's media, ``None`` where none is left; by default the discard
            port, for a device without media.
        charset: Name in the XML declaration; empty: the edition's.
        anyone: Whether others than the platform's address may ask.
    """

    __slots__ = (
        "_anyone",
        "_charset",
        "_events",
        "_limit_bytes",
        "_messenger",
        "_quirks",
        "_upgraded",
        "_wall_ms",
        "calls",
        "clock_ahead_ms",
        "endpoint",
        "equipment",
        "registration",
        "rules",
        "subscriptions",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        account: Account,
        rules: Rules,
        equipment: Equipment,
        *,
        chance: Chance,
        wall_ms: Callable[[], int],
        quirks: Quirks | None = None,
        place: Callable[[Call], Place | None] | None = None,
        charset: str = "",
        anyone: bool = False,
    ) -> None:
        self.endpoint = endpoint
        self.rules = rules
        self.equipment = equipment
        self._quirks = quirks or _AS_THE_STANDARD_HAS_IT
        self.registration = Registration(endpoint, account, rules, chance)
        self.clock_ahead_ms = 0  #: how far the platform's time is ahead of ``wall_ms``
        self._wall_ms = wall_ms
        self.registration.clock_told = self._set_clock
        self._messenger = Messenger(endpoint)
        self._limit_bytes = rules.large_message_bytes - HEADERS_BYTES
        self.calls = Calls(endpoint, equipment, rules, self.quirks, place or _no_media, self._file_ended)
        self.subscriptions = Subscriptions(
            endpoint,
            self._messenger,
            equipment,
            rules,
            self._encoded,
            self.wall_ms,
            self.registration.next_sn,
            self._limit_bytes,
        )
        self.quirks = self._quirks
        self._charset = charset
        self._anyone = anyone
        self._events: list[DeviceEvent] = []
        self._upgraded: UpgradeResult | None = None

    @property
    def quirks(self) -> Quirks:
        """What it does otherwise; it may change while it runs."""
        return self._quirks

    @quirks.setter
    def quirks(self, quirks: Quirks) -> None:
        self._quirks = self.calls.quirks = quirks
        registration = self.registration
        registration.tells_faulty = not quirks.no_keepalive_info
        registration.heeds_expires = not quirks.expires_ignored
        registration.told_contact = _PRIVATE if quirks.contact_private else None

    # What the owner asks for

    def start(self, flow: Flow, now: float) -> None:
        """Register over a way to the platform."""
        self.registration.start(flow, now)

    def stop(self, now: float) -> None:
        """End calls, subscriptions and the registration."""
        for call in self.calls:
            self.calls.hang_up(call, now)
        self.subscriptions.drop()
        self.registration.stop(now)

    def step(self, now: float) -> None:
        """Take what the endpoint reports; call it after bytes or time went in."""
        for event in self.endpoint.events():
            self.handle(event, now)

    def events(self) -> list[DeviceEvent]:
        """Return, once, what happened since the last call."""
        events = self.registration.events()
        if self._events:
            events, self._events = [*events, *self._events], []
        return events

    def raise_alarm(
        self,
        device_id: str,
        now: float,
        *,
        method: str = "2",
        priority: str = "1",
        type: int | None = None,
        event_type: int | None = None,
        description: str | None = None,
        sn: int | None = None,
    ) -> bool:
        """Report an alarm (9.4); return whether it was.

        It is not while the device is not registered, where it is disarmed or switched off, or waits for a reset.

        Args:
            device_id: The channel, or the device itself.
            now: The time.
            method: 报警方式, 1 to 7; 2 is an input, 5 the picture.
            priority: 报警级别, 1 to 4; 1 is the highest.
            type: 报警类型, by the method.
            event_type: 事件类型 of an intrusion: 1 enter, 2 leave.
            description: 报警内容描述.
            sn: Its SN; by default the next of the device.

        Raises:
            LocalProtocolError: If there is no such channel.
        """
        channel = self.equipment.channels.get(device_id)
        if channel is None and device_id != self.equipment.id:
            raise LocalProtocolError(f"there is no channel {device_id}", field="DeviceID")
        guarded = self.equipment.guarded and (channel is None or channel.guarded)
        if not (guarded and self.registration.registered and self.equipment.reports(method, type)):
            return False
        if channel is not None and channel.type in ALARM_INPUTS and method == "2":
            if channel.alarmed:  # silent until the platform resets it (A.2.5.3)
                return False
            channel.alarmed = True
        notice = AlarmNotice(
            sn=self.registration.next_sn() if sn is None else sn,
            device_id=device_id,
            priority=priority,
            method=method,
            time=self._stamp(),
            description=description,
            info=None if type is None else AlarmInfo(type=type, param=_event(event_type)),
        )
        if not self.subscriptions.alarm_raised(notice, now):
            self._send(notice, now)
        return True

    def catalog_changed(self, items: Iterable[CatalogItem], now: float) -> int:
        """Take changed items, each with its Event, into the catalogue and tell them to who subscribed."""
        changes = list(items)
        for item in changes:
            channel = self.equipment.channels.get(item.device_id or "")
            if channel is not None and item.event in ("ON", "OFF"):
                channel.item = replace(channel.item, status=item.event)
            elif item.event == "DEL":
                self.equipment.channels.pop(item.device_id or "", None)
        return self.subscriptions.catalog_changed(changes, now)

    def snapshot_finished(self, device_id: str, session_id: str, files: Iterable[str], now: float) -> None:
        """Tell that pictures were uploaded; fewer than ordered says that some failed (2022 9.14)."""
        self._send(
            SnapshotFinished(
                sn=self.registration.next_sn(), device_id=device_id, session_id=session_id, files=tuple(files)
            ),
            now,
        )

    def upgraded(self, session_id: str, now: float, *, firmware: str, reason: str | None = None) -> None:
        """Tell how an upgrade went, after registering anew (2022 9.13); ``reason`` (01, 02, 03, 99) why it failed."""
        if reason is None:
            self.equipment.firmware = firmware
        self._upgraded = UpgradeResult(
            sn=self.registration.next_sn(),
            device_id=self.equipment.id,
            session_id=session_id,
            result="OK" if reason is None else "ERROR",
            firmware=self.equipment.firmware,
            reason=reason,
        )
        self._vanish(now)
        self.registration.go_silent(now, 0.0)

    def ask_to_be_invited(self, device_id: str, now: float) -> None:
        """Tell that live pictures are to be fetched, as a body-worn camera does (2022 A.2.5.9)."""
        self._send(UploadNotice(sn=self.registration.next_sn(), device_id=device_id, time=self._stamp()), now)

    # What comes in

    def handle(self, event: Event, now: float) -> None:
        """Take an event of the endpoint."""
        if self.registration.handle(event, now) or self._messenger.handle(event, now):
            self._tell_result(now)
            return
        match event:
            case RequestReceived():
                self._requested(event, now)
                if self.quirks.duplicate_200 and event.transaction.status == 200:
                    event.transaction.repeat()
            case DialogConfirmed():
                call = self.calls.confirmed(event.dialog, now)
                if call is not None:
                    self._events.append(CallStarted(call))
            case DialogEnded():
                self._dialog_ended(event)
            case ResponseReceived():
                self._answered(event)
            case RequestFailed():
                call = self.calls.failed(event.transaction) if event.dialog is None else None
                if call is not None:
                    self._events.append(CallEnded(call, event.reason.value))

    def _requested(self, event: RequestReceived, now: float) -> None:
        route = self.registration.route
        try:
            if not self._anyone and (route is None or event.flow.peer[0] != route.flow.peer[0]):
                raise RemoteProtocolError(f"{event.flow.peer[0]} is not the platform", status=403)
            match event.request.method:
                case "MESSAGE":
                    self._message(event, now)
                case "INVITE":
                    self._invited(event, now)
                case "SUBSCRIBE":
                    self._subscribed(event, now)
                case "INFO":
                    told = self.calls.told(event, now)
                    if told is not None:
                        self._events.append(CallControlled(*told))
                case "OPTIONS":
                    self.endpoint.respond(event.transaction, 200, now)
                case _:
                    raise RemoteProtocolError(f"{event.request.method} is not for a device", status=405)
        except RemoteProtocolError as error:
            if error.status:
                self.endpoint.respond(event.transaction, error.status, now)
                self._events.append(RequestRefused(event.request.method, error.status, str(error)))

    # Messages

    def _message(self, event: RequestReceived, now: float) -> None:
        check_content(event.request)
        body = read(event.request.body, rules=self.rules).body
        code = getattr(body, "device_id", None)
        asks = isinstance(body, Query) or type(body) in CONTROLS
        if asks and not self.equipment.knows(code or ""):
            raise RemoteProtocolError(f"there is no {code}", status=404)
        # At once, before anything is done; what comes again with the same branch never gets here (9.3).
        self.endpoint.respond(event.transaction, 200, now)
        if isinstance(body, Query):
            self._query(body, now)
        elif type(body) in CONTROLS:
            self._control(body, now)
        elif isinstance(body, Broadcast):
            self._broadcast(body, now)
        elif isinstance(body, Answer):
            self._events.append(AnswerReceived(body))

    def _query(self, query: Query, now: float) -> None:
        bodies = answers(
            Asked(
                query,
                self.equipment,
                self.rules,
                self.quirks,
                now,
                self.wall_ms(),
                self._encoded,
                self._limit_bytes,
                self._defaults,
            )
        )
        self._events.append(QueryAnswered(query))
        route = self.registration.route
        if bodies is None or route is None or self.quirks.answer_200_no_response:
            return
        if self.quirks.parallel_parts:
            for body in bodies:
                self._messenger.send(route, self._encoded(body), now)
        else:
            self._messenger.send_in_turn(route, self._written(bodies), now)

    def _written(self, bodies: Iterator[Body]) -> Iterator[bytes]:
        return map(self._encoded, bodies)

    @property
    def _defaults(self) -> dict[str, Any]:
        account = self.registration.account
        return {
            "basic": BasicParam(
                name=self.equipment.name,
                expiration_s=account.expires_s,
                heartbeat_s=int(account.keepalive_s),
                heartbeat_count=account.keepalives_missed,
            ),
            "video": VideoParam(download_speed="1/2/4", resolution="5/6"),
        }

    def _control(self, body: Body, now: float) -> None:
        if isinstance(body, KeyFrame) and self.quirks.iframecmd_old_spelling and self.rules.version_header:
            self._events.append(ControlDone(body, None, "IFrameCmd is not known"))
            return
        outcome, reply = control(body, self.equipment, now)
        self._events.append(ControlDone(body, outcome.result, outcome.why))
        if reply is not None and not self.quirks.answer_200_no_response:
            self._send(reply, now)
        if outcome.result == "ERROR":
            return
        code = getattr(body, "device_id", None) or self.equipment.id
        match body:
            case KeyFrame():
                self._events.append(KeyFrameWanted(code))
            case Restart():
                self._events.append(RestartOrdered(RESTART_S))
                self._vanish(now)
                self.registration.go_silent(now, RESTART_S)
            case Upgrade():
                assert body.order is not None
                self._events.append(UpgradeOrdered(code, body.order))
            case Configure():
                self._configured(body, outcome.changed, code)

    def _configured(self, body: Configure, changed: tuple[str, ...], code: str) -> None:
        if body.snapshot is not None:
            self._events.append(SnapshotOrdered(code, body.snapshot))
        basic = self.equipment.basic
        if "basic" in changed and basic is not None:
            account = self.registration.account
            self.registration.account = replace(
                account,
                expires_s=basic.expiration_s or account.expires_s,
                keepalive_s=float(basic.heartbeat_s or account.keepalive_s),
                keepalives_missed=basic.heartbeat_count or account.keepalives_missed,
            )
        self._events.append(ConfigurationSet(changed))

    def _broadcast(self, order: Broadcast, now: float) -> None:
        outputs = self.equipment.of_types(VOICE_OUTPUTS)
        output = next((one for one in outputs if order.target_id in (one.id, self.equipment.id)), None)
        route = self.registration.route
        result = "OK" if output is not None and order.source_id else "ERROR"
        code = output.id if output else order.target_id
        self._send(BroadcastAnswer(sn=order.sn, device_id=code, result=result), now)
        if output is None or route is None or result == "ERROR":
            return
        try:
            self.calls.call_for_broadcast(order, output.id, route, self.registration.contact, now)
        except RemoteProtocolError as error:
            self._events.append(RequestRefused("MESSAGE", error.status, str(error)))

    # Calls and subscriptions

    def _invited(self, event: RequestReceived, now: float) -> None:
        if event.dialog is not None:
            raise RemoteProtocolError("a call is not changed while it goes", status=488)
        _call, old = self.calls.invited(event, self.registration.contact, now)
        if old is not None:
            self.calls.hang_up(old, now)

    def _subscribed(self, event: RequestReceived, now: float) -> None:
        if event.dialog is not None and event.dialog.kind is not DialogKind.SUBSCRIPTION:
            raise RemoteProtocolError("this dialog is a call", status=489)
        body = read(event.request.body, rules=self.rules).body if event.request.body.strip() else None
        if body is None and event.dialog is not None:
            body = getattr(event.dialog.context, "query", None)
        if body is None:
            raise RemoteProtocolError("expected a query, found no body", status=400)
        refresh = event.dialog is not None
        subscription, expires = self.subscriptions.subscribed(event, body, self.registration.contact, now)
        if expires:
            code = subscription.query.device_id or ""
            self._events.append(Subscribed(subscription.subject, code, expires, refresh))

    def _dialog_ended(self, event: DialogEnded) -> None:
        call = self.calls.over(event.dialog)
        if call is not None:
            self._events.append(CallEnded(call, event.reason.value))
            return
        subscription = self.subscriptions.over(event.dialog)
        if subscription is not None:
            self._events.append(Unsubscribed(subscription.subject, event.reason.value))

    def _answered(self, event: ResponseReceived) -> None:
        call = self.calls.answered(event.transaction, event.response, event.dialog)
        if call is None:
            return
        if event.response.status < 300:
            self._events.append(CallStarted(call))
        else:
            self._events.append(CallEnded(call, str(event.response.status)))

    def _file_ended(self, call: Call, now: float) -> None:
        notice = MediaStatus(sn=self.registration.next_sn(), device_id=call.channel_id, type=FILE_END)
        if self.quirks.mediastatus_out_of_dialog or call.dialog is None:
            self._send(notice, now)
        elif not call.dialog.over:
            headers = [("Content-Type", CONTENT_TYPE)]
            self.endpoint.request_within(call.dialog, "MESSAGE", now, headers=headers, body=self._encoded(notice))

    # Helpers

    def wall_ms(self) -> int:
        """The device's clock in POSIX milliseconds: that of the platform, once it has told its time."""
        return self._wall_ms() + self.clock_ahead_ms

    def _set_clock(self, told: datetime) -> None:
        self.clock_ahead_ms = round(told.timestamp() * 1000) - self._wall_ms()

    def _tell_result(self, now: float) -> None:
        """Tell how an upgrade went, once the device is registered again."""
        if self._upgraded is not None and self.registration.registered:
            notice, self._upgraded = self._upgraded, None
            self._send(notice, now)

    def _vanish(self, now: float) -> None:
        self._messenger.drop()
        self.subscriptions.drop()
        for call in self.calls:
            self.calls.hang_up(call, now)

    def _send(self, body: Body, now: float) -> None:
        route = self.registration.route
        if route is not None and self.registration.registered:  # who is not would only be refused
            self._messenger.send_in_turn(route, [self._encoded(body)], now)

    def _encoded(self, body: Body) -> bytes:
        if self.quirks.gb2312_as_utf8:
            text = write(body, self.rules, charset="UTF-8", anyway=True)
            return text.replace(b'encoding="UTF-8"', b'encoding="GB2312"', 1)
        return write(body, self.rules, charset=self._charset, anyway=True)

    def _stamp(self) -> str:
        return format_datetime(self.wall_ms() / 1000)
