"""Calls of a platform: live, playback, download, talk, broadcast (GB/T 28181-2022 9.2, 9.8, 9.9, 9.12; 2016 the same).

Media are received elsewhere: who asks for a call says where, and is told what the device answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ..errors import LimitError, LocalProtocolError, RemoteProtocolError, SdpError
from ..manscdp.notifies import MediaStatus
from ..mansrtsp import Answer, Request, parse_answer
from ..messaging import Route
from ..sdp import PS, Description, Format, Session, Setup, Subject, answer, check_content, offer, parse_sdp
from ..sip.dialogs import Dialog
from ..sip.endpoint import Endpoint
from ..sip.events import RequestFailed, RequestReceived, ResponseReceived
from ..sip.timers import Timer
from ..sip.transactions import ClientTransaction, Flow
from ..sip.values import Address
from ..ssrc import Ssrcs
from .registrar import Device

__all__ = ["MAX_CALLS", "Call", "CallState", "Calls"]

#: Calls of a platform at a time.
MAX_CALLS: Final = 5_000
#: How long the answer to an INVITE is waited for before it is taken back (2.13: 10 to 15 s in the field).
ANSWER_S: Final = 15.0
PCMA: Final = 8
_CONTENT: Final = "APPLICATION/SDP"
_RTSP: Final = "Application/MANSRTSP"

Place = tuple[str, int]


class CallState(StrEnum):
    """Where a call stands; the value is what logs show."""

    INVITING = "inviting"
    OPEN = "open"
    ENDED = "ended"


@dataclass(slots=True, eq=False)
class Call:
    """A call.

    Attributes:
        device: Whom.
        channel_id: What is shown; of a broadcast the source of the voice.
        session: What for.
        local: Where media are received, or sent from.
        subject: Pair that names the stream.
        ssrc: Ten digits that were offered.
        answered: The device's description.
        dialog: ``None`` before the device answered.
        state: Where it stands.
        why: Why it ended: a SIP status, or the value of :class:`gb28181.sip.DialogEnd`.
        incoming: Whether the device called: a broadcast.
        file_ended: Whether MediaStatus said that the file is at its end.
    """

    device: Device
    channel_id: str
    session: Session
    local: Place
    subject: Subject
    ssrc: str
    answered: Description | None = None
    dialog: Dialog | None = None
    state: CallState = CallState.INVITING
    why: str = ""
    incoming: bool = False
    file_ended: bool = False
    cseq: int = 0
    transaction: ClientTransaction | None = None
    alarm: Timer | None = None

    @property
    def remote_ssrc(self) -> int | None:
        """SSRC that RTP is to carry: that of the answer, where it told one, else the one offered (7.3)."""
        told = None
        if self.answered is not None:
            try:
                told = self.answered.ssrc
            except SdpError:
                told = None
        return told if told is not None else int(self.ssrc) if self.ssrc else None


class Calls:
    """The calls of a platform.

    Args:
        endpoint: Its user agent.
        domain: Code of its domain, for ``y=``.
        server_id: Its code.
        route: Returns the way to a device for a code.
        contact: Returns its Contact by the way to a device.
        changed: Called when a call opened or ended.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        domain: str,
        server_id: str,
        route: Callable[[Device, str], Route],
        contact: Callable[[Device], Address],
        changed: Callable[[Call], None],
    ) -> None:
        self.ssrcs = Ssrcs(domain)
        self._endpoint = endpoint
        self._server_id = server_id
        self._route = route
        self._contact = contact
        self._changed = changed
        self._calls: dict[Call, None] = {}
        #: Broadcasts that were announced: (device, source) -> where the voice is sent from.
        self._announced: dict[tuple[str, str], Place] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._calls))

    def invite(
        self,
        device: Device,
        channel_id: str,
        session: Session,
        local: Place,
        now: float,
        *,
        setup: Setup | None = None,
        period: tuple[int, int] = (0, 0),
        speed: int | None = None,
        stream: int | None = None,
        wish: Format | None = None,
        payloads: tuple[int, ...] = (PS, 98, 97),
    ) -> Call:
        """Call for a stream; what comes of it is told by :class:`CallChanged`.

        Args:
            device: Who has the channel.
            channel_id: What to show; a device's own code for one without channels.
            session: Live, playback, download or talk.
            local: Address and port where media are received; it must be open already.
            now: The time.
            setup: Over TCP who opens the connection, seen from here; ``None`` for UDP.
            period: Begin and end in seconds since 1970, of a recording.
            speed: Multiple of real time, of a download.
            stream: Number of the stream (2022).
            wish: The ``f=`` line.
            payloads: Payload types, the preferred first.

        Raises:
            LocalProtocolError: If the edition has no such session, or a period is missing.
            LimitError: If as many calls are open as may be.
        """
        if len(self._calls) >= MAX_CALLS:
            raise LimitError(f"{MAX_CALLS} calls are open (MAX_CALLS)")
        audio = session is Session.TALK
        ssrc = self.ssrcs.take(history=session.history)
        try:
            wanted = offer(
                device.rules,
                session,
                owner=self._server_id,
                address=local[0],
                port=local[1],
                ssrc=ssrc,
                source=channel_id if session.history else "",
                period=period,
                setup=setup,
                payloads=(PCMA,) if audio else payloads,
                kind="audio" if audio else "video",
                stream=stream,
                speed=speed,
                wish=wish,
            )
        except LocalProtocolError:
            self.ssrcs.release(ssrc)
            raise
        call = Call(device, channel_id, session, local, Subject(channel_id, ssrc, self._server_id, "0"), ssrc)
        route = self._route(device, channel_id)
        headers = [
            ("Contact", str(self._contact(device))),
            ("Subject", str(call.subject)),
            ("Content-Type", _CONTENT),
        ]
        request = self._endpoint.compose(
            "INVITE", route.uri, from_=route.from_, to=route.to, flow=route.flow, headers=headers, body=bytes(wanted)
        )
        self._calls[call] = None
        call.transaction = self._endpoint.request(request, route.flow, now, call)
        call.alarm = self._endpoint.timers.set(now + ANSWER_S, lambda then: self._too_late(call, then))
        return call

    def _too_late(self, call: Call, now: float) -> None:
        if call.state is CallState.INVITING and call.transaction is not None:
            self._endpoint.cancel(call.transaction, now)

    # What the device answers

    def sip_answered(self, event: ResponseReceived | RequestFailed, now: float) -> bool:
        """Take the answer to an INVITE; say whether it was one."""
        call = event.transaction.context
        if not isinstance(call, Call) or event.transaction.request.method != "INVITE":
            return False
        if isinstance(event, RequestFailed):
            self._end(call, event.reason.value)
            return True
        status = event.response.status
        if status < 200:
            return True
        self._endpoint.timers.cancel(call.alarm)
        if status >= 300 or event.dialog is None:
            self._end(call, str(status))
            return True
        call.dialog = event.dialog
        event.dialog.context = call
        if event.dialog.over:  # it crossed our CANCEL and is being ended
            self._end(call, "cancelled")
            return True
        try:
            call.answered = parse_sdp(event.response.body)
        except SdpError:
            self.hang_up(call, now)  # nothing can be received from who does not say what
            return True
        call.state = CallState.OPEN
        self._changed(call)
        return True

    def hang_up(self, call: Call, now: float) -> None:
        """End a call; one that was not answered yet is taken back."""
        if call.dialog is not None and not call.dialog.over:
            self._endpoint.bye(call.dialog, now)
        elif call.state is CallState.INVITING and call.transaction is not None:
            self._endpoint.cancel(call.transaction, now)

    def control(self, call: Call, request: Request, now: float) -> None:
        """Tell a playback where to go on, by INFO.

        Raises:
            LocalProtocolError: If the call is not open.
        """
        if call.dialog is None or call.state is not CallState.OPEN:
            raise LocalProtocolError("the call is not open", field="INFO")
        self._endpoint.request_within(
            call.dialog, "INFO", now, headers=[("Content-Type", _RTSP)], body=bytes(request), context=(call, request)
        )

    @staticmethod
    def controlled(event: ResponseReceived) -> tuple[Call, Request, int, Answer | None] | None:
        """Return call, request, status and answer where an INFO of ours was answered."""
        match event.transaction.context:
            case (Call() as call, Request() as request) if event.response.status >= 200:
                try:
                    told = parse_answer(event.response.body) if event.response.body.strip() else None
                except RemoteProtocolError:
                    told = None
                return call, request, event.response.status, told
        return None

    def media_status(self, device: Device, dialog: Dialog | None, notice: MediaStatus, now: float) -> Call | None:
        """Take MediaStatus: the file is at its end, so the call ends; return it.

        One that comes outside the dialog is matched by its channel, or by the device's only playback.
        """
        call = dialog.context if dialog is not None and isinstance(dialog.context, Call) else None
        if call is None:
            running = [one for one in self._calls if one.device is device and one.session.history]
            mine = [one for one in running if one.channel_id == notice.device_id]
            call = next(iter(mine), running[0] if len(running) == 1 else None)
        if call is not None and (notice.type or "").strip() == "121":
            call.file_ended = True
            self.hang_up(call, now)
        return call

    def speaker(self, code: str, flow: Flow) -> Device | None:
        """Return the device that speaks in the name of a channel: some send MediaStatus so. Only where it is called."""
        for call in self._calls:
            if call.channel_id == code and call.device.flow == flow and not call.incoming:
                return call.device
        return None

    # Broadcast

    def announce(self, device: Device, source_id: str, local: Place) -> None:
        """Expect the device to call for a broadcast that it was told of."""
        self._announced[device.id, source_id] = local

    def invited(self, event: RequestReceived, device: Device, now: float) -> Call:
        """Take the call for a broadcast.

        Raises:
            RemoteProtocolError: With the status to refuse it by.
        """
        request = event.request
        # Some name the platform, others the source: what counts is the device and what it was told.
        key = next((key for key in self._announced if key[0] == device.id), None)
        if key is None:
            raise RemoteProtocolError("no broadcast was announced to this device", status=403)
        check_content(request.content_type, request.body)
        offered = parse_sdp(request.body)
        local = self._announced.pop(key)
        back = answer(offered, owner=key[1], address=local[0], port=local[1], can=(PCMA, PS))
        subject = Subject.parse(request.subject) if request.subject else Subject(key[1], "0", device.id, "0")
        call = Call(
            device, key[1], Session.PLAY, local, subject, offered.get("y") or "", answered=offered, incoming=True
        )
        headers = [("Content-Type", _CONTENT)]
        try:
            call.dialog = self._endpoint.accept(
                event.transaction, self._contact(device), now, headers=headers, body=bytes(back)
            )
        except LimitError as error:
            raise RemoteProtocolError(str(error), status=486) from error
        call.dialog.context = call
        self._calls[call] = None
        return call

    def confirmed(self, dialog: Dialog) -> None:
        """Take the ACK of a broadcast: voice may be sent."""
        call = dialog.context
        if isinstance(call, Call):
            call.state = CallState.OPEN
            self._changed(call)

    def over(self, dialog: Dialog, why: str) -> bool:
        """Take note that a dialog ended; say whether it was a call."""
        call = dialog.context
        if not isinstance(call, Call):
            return False
        self._end(call, why)
        return True

    def gone(self, device_id: str, now: float) -> None:
        """End the calls of a device that is offline (annex K)."""
        for key in [key for key in self._announced if key[0] == device_id]:
            del self._announced[key]
        for call in self:
            if call.device.id == device_id:
                self.hang_up(call, now)

    def _end(self, call: Call, why: str) -> None:
        if call.state is CallState.ENDED:
            return
        self._endpoint.timers.cancel(call.alarm)
        self._calls.pop(call, None)
        if not call.incoming:
            self.ssrcs.release(call.ssrc)
        call.state, call.why = CallState.ENDED, why
        self._changed(call)
