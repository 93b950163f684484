"""Calls of a device: live, playback, download, talk, and the call for a broadcast.

GB/T 28181-2022 9.2, 9.8, 9.9, 9.12, annexes B, G and K; 2016 the same clauses, annexes B, F and L.

Media are not sent here: who sends them is asked for a place when a call comes, told when it starts, moves and ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from ..editions import Rules
from ..errors import LimitError, RemoteProtocolError, RtspError, SdpError
from ..manscdp.notifies import Broadcast
from ..mansrtsp import Answer, Method, Playback, Request, parse_request
from ..messaging import Route
from ..sdp import (
    AudioFormat,
    Description,
    Format,
    Media,
    Session,
    Subject,
    answer,
    check_content,
    offer,
    parse_sdp,
)
from ..sip.dialogs import Dialog
from ..sip.endpoint import Endpoint
from ..sip.events import RequestReceived
from ..sip.message import Response
from ..sip.timers import Timer
from ..sip.transactions import ClientTransaction
from ..sip.values import Address, Uri
from ..times import format_datetime
from .equipment import Equipment
from .quirks import Quirks

__all__ = ["MAX_CALLS", "Call", "Calls", "Place"]

#: Calls of one device: four viewers of each channel of a recorder of sixteen.
MAX_CALLS: Final = 64
PCMA: Final = 8
#: How long after the end of a file the platform may take to end the call.
BYE_PATIENCE_S: Final = 32.0
_CONTENT: Final = "APPLICATION/SDP"
_RTSP: Final = "Application/MANSRTSP"
#: Scales that a device plays at (annex B): forwards, and once backwards in 2022.
SCALES: Final = (0.25, 0.5, 1.0, 2.0, 4.0, -1.0)

Place = tuple[str, int]


@dataclass(slots=True, eq=False)
class Call:
    """A call.

    Attributes:
        channel_id: What is shown; of a broadcast the voice output.
        session: What for.
        offered: Description of the platform; of a broadcast its answer, once it has come.
        local: Our address and port.
        subject: Pair that names the stream, ``None`` where the INVITE told none.
        dialog: ``None`` until a broadcast is accepted.
        ssrc: Of the answer, as a number; ``None`` where neither side told one.
        rtp_ssrc: What RTP is to carry: the same, unless a quirk has it otherwise.
        playback: Where a playback stands.
        outgoing: Whether the device called: a broadcast.
        started: Whether media go.
    """

    channel_id: str
    session: Session
    offered: Description | None
    local: Place
    subject: Subject | None = None
    dialog: Dialog | None = None
    ssrc: int | None = None
    rtp_ssrc: int | None = None
    playback: Playback | None = None
    outgoing: bool = False
    started: bool = False
    finished: bool = False  #: the file was sent to its end
    alarm: Timer | None = None

    @property
    def remote(self) -> Place | None:
        """Address and port where media go to, or come from."""
        if self.offered is None:
            return None
        media: Media = self.offered.media
        return self.offered.address, media.port


class Calls:
    """The calls of a device.

    Args:
        endpoint: Its user agent.
        equipment: Its channels.
        rules: Its edition.
        quirks: What it does otherwise.
        place: Returns the address and port from which media of a call are sent, or at which they are received;
            ``None`` where no more can be had (486).
        file_ended: Called when a playback has come to its end.
    """

    __slots__ = ("_calls", "_endpoint", "_equipment", "_file_ended", "_number", "_place", "_rules", "quirks")

    def __init__(
        self,
        endpoint: Endpoint,
        equipment: Equipment,
        rules: Rules,
        quirks: Quirks,
        place: Callable[[Call], Place | None],
        file_ended: Callable[[Call, float], None],
    ) -> None:
        self._endpoint = endpoint
        self._equipment = equipment
        self._rules = rules
        self.quirks = quirks
        self._place = place
        self._file_ended = file_ended
        self._calls: dict[Call, None] = {}
        self._number = 0

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._calls))

    def __len__(self) -> int:
        return len(self._calls)

    # The platform calls

    def invited(self, event: RequestReceived, contact: Address, now: float) -> tuple[Call, Call | None]:
        """Accept an INVITE; return the call, and the old one whose stream it replaces.

        Raises:
            RemoteProtocolError: With the status to refuse it by.
        """
        request = event.request
        check_content(request.content_type, request.body)
        if not request.body.strip():
            raise SdpError("expected a session description, found none")
        offered = parse_sdp(request.body)
        session, channel_id = offered.session, self._channel(event, offered)
        if session is None or (session is Session.TALK and not self._rules.talk_session):
            raise SdpError(f"s=: {self._rules.title} has no session {offered.get('s')!r}", field="s=")
        subject = self._subject(request.subject)
        old = next((call for call in self._calls if subject and call.subject == subject and not call.outgoing), None)
        if len(self._calls) - (old is not None) >= MAX_CALLS:
            raise RemoteProtocolError(f"{MAX_CALLS} calls are open (MAX_CALLS)", status=486)
        call = Call(channel_id, session, offered, ("", 0), subject)
        if session.history:
            call.playback = self._recorded(call, offered, now)
        body = self._answered(call, offered)
        try:
            call.dialog = self._endpoint.accept(
                event.transaction, contact, now, headers=[("Content-Type", _CONTENT)], body=body
            )
        except LimitError as error:
            raise RemoteProtocolError(str(error), status=486) from error
        call.dialog.context = call
        self._calls[call] = None
        return call, old

    def _channel(self, event: RequestReceived, offered: Description) -> str:
        """Return whom the call is for: by the Request-URI, else by To."""
        request = event.request
        for code in (request.uri.user, request.to.uri.user):
            channel = self._equipment.camera(code) or self._equipment.channels.get(code)
            if channel is not None:
                if not channel.online:
                    raise RemoteProtocolError(f"{channel.id} is offline", status=480)
                return channel.id
        raise RemoteProtocolError(f"there is no channel {request.uri.user}", status=404)

    @staticmethod
    def _subject(text: str) -> Subject | None:
        try:
            return Subject.parse(text) if text else None
        except SdpError:
            return None  # devices mostly ignore it

    def _recorded(self, call: Call, offered: Description, now: float) -> Playback:
        start, end = offered.period
        if end <= start:
            raise SdpError(f"t=: expected a period, found {offered.get('t')!r}", field="t=", status=400)
        speed = (offered.download_speed or 1.0) if call.session is Session.DOWNLOAD else 1.0
        return Playback(float(end - start), at=now, scale=speed, paused=True)

    def _size(self, call: Call, offered: Description) -> int | None:
        """Return the bytes of a download, where its period holds whole recordings whose sizes are known."""
        channel = self._equipment.channels.get(call.channel_id)
        if call.session is not Session.DOWNLOAD or channel is None:
            return None
        start, end = map(format_datetime, offered.period)
        records = channel.stored(start, end)
        whole = all(start <= (one.start_time or "") and (one.end_time or "~") <= end for one in records)
        sizes = [one.file_size or "" for one in records]
        if not sizes or not whole or not all(size.isascii() and size.isdigit() and len(size) < 19 for size in sizes):
            return None
        return sum(map(int, sizes))

    def _answered(self, call: Call, offered: Description) -> bytes:
        media = offered.media
        can = (PCMA, 0) if media.kind == "audio" else (96,)
        draft = answer(
            offered, owner=call.channel_id, address="0.0.0.0", port=0, can=can
        )  # 488 before a place is taken
        place = self._place(call)
        if place is None:
            raise RemoteProtocolError("no place for media is left", status=486)
        call.local = place
        ssrc = draft.get("y")
        if ssrc is not None:
            call.ssrc = call.rtp_ssrc = draft.ssrc
        quirks = self.quirks
        if call.rtp_ssrc is not None:
            call.rtp_ssrc = 0 if quirks.ssrc_zero else (call.rtp_ssrc + quirks.ssrc_other) % (1 << 32)
        told = "" if quirks.y_missing else (ssrc or "").lstrip("0") if quirks.y_stripped_zero else ssrc
        made = answer(
            offered,
            owner=call.channel_id,
            address=place[0],
            port=place[1],
            can=can,
            ssrc=told,
            file_size=self._size(call, offered),
        )
        body = bytes(made)
        return body.replace(b"a=setup:passive", b"a=setup:active") if quirks.setup_ignored else body

    def confirmed(self, dialog: Dialog, now: float) -> Call | None:
        """Take the ACK: media may be sent."""
        call = dialog.context
        if not isinstance(call, Call):
            return None
        call.started = True
        if call.playback is not None:
            call.playback = call.playback.follow(Request(Method.PLAY, 1), now)
            self._watch(call, now)
        return call

    def told(self, event: RequestReceived, now: float) -> tuple[Call, Request] | None:
        """Do what an INFO says and answer it; return the call and the request, ``None`` where it was refused."""
        call = event.dialog.context if event.dialog else None
        if not isinstance(call, Call) or call.playback is None:
            self._endpoint.respond(event.transaction, 400, now, reason="No Playback")
            return None
        cseq = None
        try:
            request = parse_request(event.request.body)
            cseq = request.cseq
            call.playback = call.playback.follow(self._possible(request), now)
        except RtspError as error:
            if cseq is None:
                self._endpoint.respond(event.transaction, error.status, now)
            else:
                self._reply(event, Answer(error.status, cseq), now)
            return None
        self._watch(call, now)
        self._reply(event, Answer(200, cseq), now)
        return call, request

    def _possible(self, request: Request) -> Request:
        if request.scale is not None and float(request.scale) not in SCALES:
            raise RtspError(f"Scale: expected one of {SCALES}, found {request.scale}", field="Scale", status=400)
        return request

    def _reply(self, event: RequestReceived, reply: Answer, now: float) -> None:
        self._endpoint.respond(event.transaction, 200, now, headers=[("Content-Type", _RTSP)], body=bytes(reply))

    def _watch(self, call: Call, now: float) -> None:
        timers = self._endpoint.timers
        timers.cancel(call.alarm)
        end = call.playback.ends_at() if call.playback else None
        call.alarm = None if end is None else timers.set(max(end, now), lambda then: self._ended(call, then))

    def _ended(self, call: Call, now: float) -> None:
        """Tell that the file is at its end; if the platform does not end the call then, the device does."""
        call.finished = True
        self._file_ended(call, now)
        patience = 0.0 if self.quirks.bye_then_481 else BYE_PATIENCE_S
        call.alarm = self._endpoint.timers.set(now + patience, lambda then: self.hang_up(call, then))

    def hang_up(self, call: Call, now: float) -> None:
        """End a call, as when its media channel fails (annex K)."""
        self._endpoint.timers.cancel(call.alarm)
        if call.dialog is not None and not call.dialog.over:
            self._endpoint.bye(call.dialog, now)

    def over(self, dialog: Dialog) -> Call | None:
        """Take note that a dialog ended; return its call."""
        call = dialog.context
        return call if isinstance(call, Call) and self._forget(call) else None

    def _forget(self, call: Call) -> bool:
        self._endpoint.timers.cancel(call.alarm)
        call.alarm = None
        if call not in self._calls:
            return False
        del self._calls[call]
        return True

    # The device calls

    def call_for_broadcast(self, order: Broadcast, output: str, route: Route, contact: Address, now: float) -> Call:
        """Send the INVITE for a broadcast to its source (9.12), by the way to the platform.

        Raises:
            RemoteProtocolError: If there is no place for its media.
        """
        if len(self._calls) >= MAX_CALLS:
            raise RemoteProtocolError(f"{MAX_CALLS} calls are open (MAX_CALLS)", status=486)
        source = order.source_id or ""
        call = Call(output, Session.PLAY, None, ("", 0), outgoing=True)
        place = self._place(call)
        if place is None:
            raise RemoteProtocolError("no place for media is left", status=486)
        call.local = place
        self._number = self._number % 9999 + 1
        ssrc = f"0{source[3:8]:0>5}{self._number:04d}"
        call.subject = Subject(source, ssrc, output, str(self._number))
        call.ssrc = call.rtp_ssrc = int(ssrc)
        wanted = offer(
            self._rules,
            Session.PLAY,
            owner=output,
            address=place[0],
            port=place[1],
            ssrc=ssrc,
            payloads=(PCMA,),
            kind="audio",
            wish=Format(audio=AudioFormat("1", "8", "1")),
        )
        self._calls[call] = None
        headers = [("Contact", str(contact)), ("Subject", str(call.subject)), ("Content-Type", _CONTENT)]
        target = Uri(source, route.uri.host, route.uri.port)
        request = self._endpoint.compose(
            "INVITE",
            target,
            from_=route.from_,
            to=Address(target),
            flow=route.flow,
            headers=headers,
            body=bytes(wanted),
        )
        self._endpoint.request(request, route.flow, now, call)
        return call

    def answered(self, transaction: ClientTransaction, response: Response, dialog: Dialog | None) -> Call | None:
        """Take the platform's answer to our INVITE; return the call where it was accepted or refused."""
        call = transaction.context
        if not isinstance(call, Call) or transaction.request.method != "INVITE" or response.status < 200:
            return None
        if response.status >= 300 or dialog is None:
            self._forget(call)
            return call
        call.dialog = dialog
        dialog.context = call
        try:
            call.offered = parse_sdp(response.body)
        except SdpError:
            call.offered = None
        call.started = True
        return call

    def failed(self, transaction: ClientTransaction) -> Call | None:
        """Take note that our INVITE got no answer."""
        call = transaction.context
        return call if isinstance(call, Call) and self._forget(call) else None
