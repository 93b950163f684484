"""A SIP user agent without I/O: requests and answers, calls and subscriptions, over any number of flows.

Datagrams and streams go in with the time, bytes for each flow come out::

    endpoint.receive_datagram(data, flow, now)
    for event in endpoint.events(): ...
    for flow, data in endpoint.data_to_send(): ...
    when = endpoint.next_timeout()                 # then endpoint.handle_timeout(now)

It knows nothing of devices and platforms: it delivers what is new, answers what SIP alone can answer, and repeats what
gets lost. Transactions, dialogs and what waits are bounded by :class:`EndpointLimits`.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ..chance import Chance
from ..errors import LimitError, LocalProtocolError, SipError
from .dialogs import Dialog, DialogEnd, DialogKind, Dialogs, DialogState, needed_contact, target_of
from .events import (
    CallCancelled,
    DialogConfirmed,
    DialogEnded,
    Event,
    MessageRejected,
    PeerLimited,
    RequestFailed,
    RequestReceived,
    ResponseReceived,
)
from .framing import Broken, StreamFramer
from .message import Headers, Request, Response, parse_message, respond
from .timers import Timer, Timers
from .transactions import (
    ClientTransaction,
    Failure,
    Flow,
    ServerTransaction,
    State,
    Timings,
    new_via,
    transaction_key,
)
from .values import MAGIC_COOKIE, Address, Uri

__all__ = ["ALLOW", "Endpoint", "EndpointLimits"]

#: Methods of GB/T 28181 (2022 9.2.3 b and 9.11).
ALLOW: Final = "INVITE, ACK, INFO, CANCEL, BYE, OPTIONS, MESSAGE, REGISTER, SUBSCRIBE, NOTIFY"
_ALLOWED: Final = frozenset(ALLOW.split(", "))
#: Methods that other profiles of SIP have: known, not allowed. All others are not known.
_FOREIGN: Final = frozenset(("PRACK", "UPDATE", "REFER", "PUBLISH"))
#: Bytes of what was rejected that an event carries.
_SHOWN_BYTES: Final = 1024
#: Longest that an answer is kept beyond its time.
_SWEEP_S: Final = 0.25
_FILLING: Final = b"\r\n\x00 "
#: Statuses after which the peer does not know the dialog any more (12.2.1.2).
_GONE: Final = frozenset((408, 481))


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointLimits:
    """What an endpoint holds at most."""

    #: Transactions, those included that only await repetitions: 2,000 requests a second for 64 T1.
    transactions: int = 200_000
    #: Unanswered requests of one flow: a cascade relays those of a district.
    unanswered: int = 2_000
    #: Calls and subscriptions: four of each of 5,000 channels.
    dialogs: int = 20_000
    #: Requests of one flow per second in the long run, and at once: a gateway with 10,000 devices registering anew.
    requests_per_s: float = 5_000.0
    requests_at_once: int = 20_000
    #: Flows whose rate is remembered; the one that was silent longest is forgotten, unless it awaits an answer.
    rates: int = 50_000


@dataclass(slots=True)
class _Peer:
    """What a flow may still ask, and what it has asked and not been answered."""

    left: float
    at: float
    limited: bool = False
    unanswered: int = 0


@dataclass(slots=True)
class _Answered:
    """The answer to a request that is done, for when it comes again (timer J)."""

    flow: Flow
    answer: bytes
    until: float


class Endpoint:
    """A user agent.

    Args:
        chance: Source of tags, branches and Call-IDs; for a platform in the open one that nobody can guess.
        timers: Where its alarms are; its own, unless many endpoints are driven together.
        timings: T1, T2 and T4.
        limits: What it holds at most.
        advertised: Address and port by which peers reach us, where that is not the bound one (NAT, several cards).
        user_agent: Told in requests and answers; empty: not.
    """

    def __init__(
        self,
        chance: Chance,
        *,
        timers: Timers | None = None,
        timings: Timings | None = None,
        limits: EndpointLimits | None = None,
        advertised: tuple[str, int] | None = None,
        user_agent: str = "",
    ) -> None:
        self.timers = Timers() if timers is None else timers
        self.timings = timings or Timings()
        self.limits = limits or EndpointLimits()
        self.advertised = advertised
        self.user_agent = user_agent
        self._chance = chance
        self._events: list[Event] = []
        self._out: list[tuple[Flow, bytes]] = []
        self._clients: dict[tuple[str, str], ClientTransaction] = {}
        self._servers: OrderedDict[object, ServerTransaction] = OrderedDict()
        self._answers: dict[object, _Answered] = {}
        self._answered_in_turn: deque[object] = deque()  # the keys of those: all live equally long
        self._sweep: Timer | None = None
        self._on_flow: dict[Flow, set[ClientTransaction | ServerTransaction]] = {}
        self._dialogs = Dialogs(self.timers, self.limits.dialogs, self._dialog_ended)
        self._framers: dict[Flow, StreamFramer] = {}
        self._peers: OrderedDict[Flow, _Peer] = OrderedDict()
        self._subscribing: dict[tuple[str, str], ClientTransaction] = {}
        self._inviting: dict[str, ClientTransaction] = {}  # by Call-ID, for answers that have lost their branch
        self._broken: list[Flow] = []

    # What comes in

    def receive_datagram(self, data: bytes, flow: Flow, now: float) -> None:
        """Take in one datagram."""
        if data.strip(_FILLING):  # what keeps a NAT open means nothing
            self._receive(data, flow, now)

    def receive_stream(self, data: bytes, flow: Flow, now: float) -> int:
        """Take in bytes of a connection; return how many messages they completed."""
        framer = self._framers.get(flow)
        if framer is None:
            framer = self._framers[flow] = StreamFramer()
        found_all = framer.feed(data)
        for found in found_all:
            if isinstance(found, Broken):
                self._events.append(MessageRejected(flow, SipError(found.reason), found.raw))
                self._broken.append(flow)
            else:
                self._receive(found, flow, now)
        return len(found_all)

    def flow_closed(self, flow: Flow, now: float) -> None:
        """Take note that a connection ended: what went over it is over."""
        self._framers.pop(flow, None)
        for transaction in list(self._on_flow.get(flow, ())):
            transaction.fail(now)
        self._on_flow.pop(flow, None)
        self._dialogs.flow_closed(flow)

    def _receive(self, data: bytes, flow: Flow, now: float) -> None:
        try:
            message = parse_message(data)
        except SipError as error:
            self._events.append(MessageRejected(flow, error, data[:_SHOWN_BYTES]))
            return
        self.receive_message(message, data, flow, now)

    def receive_message(self, message: Request | Response, data: bytes, flow: Flow, now: float) -> None:
        """Take in a message that somebody has read already, to see which of several endpoints it is for.

        Args:
            message: The message.
            data: Its bytes.
            flow: Where it came by.
            now: The time.
        """
        try:
            if isinstance(message, Response):
                self._receive_response(message, flow, now)
            else:
                self._receive_request(message, flow, now)
        except SipError as error:
            self._events.append(MessageRejected(flow, error, data[:_SHOWN_BYTES]))
            if isinstance(message, Request) and message.method != "ACK":
                self._answer_without_state(message, flow, error.status, str(error))

    def _answer_without_state(self, request: Request, flow: Flow, status: int, reason: str = "") -> None:
        """Answer what no transaction is kept for; where even Via cannot be read, nobody can be answered."""
        words = reason if reason.isascii() and "\n" not in reason and "\r" not in reason else ""
        try:
            answer = respond(request, status, words[:100], to_tag=self.token(), source=flow.peer)
        except (SipError, LocalProtocolError):
            return
        self._out.append((flow, bytes(answer)))

    # Requests of the peer

    def _receive_request(self, request: Request, flow: Flow, now: float) -> None:
        key = transaction_key(request)
        if key in self._answers:
            if request.method != "ACK":
                done = self._answers[key]
                self._out.append((done.flow, done.answer))
            return
        known = self._servers.get(key)
        if known is not None:
            if request.method != "ACK":
                known.repeat()
            elif known.status >= 300:
                known.acknowledge(now)
            else:
                self._acknowledged(request, now)
            return
        if request.method == "ACK":
            self._acknowledged(request, now)
            return
        if request.cseq.method != request.method:
            raise SipError(f"CSeq names {request.cseq.method}, the request is {request.method}", field="CSeq")
        self._needs(request)
        if request.method == "CANCEL":
            self._cancelled(request, key, flow, now)
            return
        status, headers = self._refusal(request, flow, now)
        transaction = self._begin(key, request, flow, now)
        if status:
            self.respond(transaction, status, now, headers=headers)
            return
        if request.method == "INVITE":
            self.respond(transaction, 100, now)
        try:
            self._deliver(transaction, request, flow, now)
        except SipError as error:  # answered all the same, else it would count as unanswered for ever
            self.respond(transaction, error.status, now)
            self._events.append(MessageRejected(flow, error, bytes(request)[:_SHOWN_BYTES]))

    def _needs(self, request: Request) -> None:
        headers = request.headers
        for name in ("From", "To", "Call-ID"):
            if headers.get(name) is None:
                raise SipError(f"{name} is missing", field=name, clause="RFC 3261 8.1.1")

    def _refusal(self, request: Request, flow: Flow, now: float) -> tuple[int, list[tuple[str, str]]]:
        """Return the status of what SIP alone refuses, 0 where it does not."""
        if request.method not in _ALLOWED:
            return (405 if request.method in _FOREIGN else 501), [("Allow", ALLOW)]
        if request.max_forwards == 0:
            return 483, []
        if request.headers.get("Require") is not None:
            required = request.headers.all("Require")
            return 420, [("Unsupported", ", ".join(required))]
        peer = self._peer(flow, now)
        if peer.unanswered >= self.limits.unanswered:
            self._limited(peer, flow, "unanswered")
            return 503, []
        return (0 if self._within_rate(peer, flow, now) else 503), []

    def _peer(self, flow: Flow, now: float) -> _Peer:
        peers = self._peers
        peer = peers.get(flow)
        if peer is None:
            for _ in range(len(peers) - self.limits.rates + 1):
                eldest, known = peers.popitem(last=False)
                if known.unanswered:
                    peers[eldest] = known
            peer = peers[flow] = _Peer(float(self.limits.requests_at_once), now)
        else:
            peers.move_to_end(flow)
        return peer

    def _within_rate(self, peer: _Peer, flow: Flow, now: float) -> bool:
        limits = self.limits
        peer.left = min(peer.left + (now - peer.at) * limits.requests_per_s, float(limits.requests_at_once))
        peer.at = now
        if peer.left >= 1.0:
            peer.left -= 1.0
            peer.limited = peer.limited and peer.left < limits.requests_at_once / 2
            return True
        self._limited(peer, flow, "requests_per_s")
        return False

    def _limited(self, peer: _Peer, flow: Flow, limit: str) -> None:
        if not peer.limited:
            peer.limited = True
            self._events.append(PeerLimited(flow, limit))

    def _begin(self, key: object, request: Request, flow: Flow, now: float) -> ServerTransaction:
        while len(self._servers) + len(self._answers) >= self.limits.transactions:
            if self._answers:  # the oldest: it waits for repetitions only
                del self._answers[self._answered_in_turn.popleft()]
            else:  # its answer will not come in time
                next(iter(self._servers.values())).fail(now)
        transaction = ServerTransaction(key, request, flow, self.timers, self.timings, self._send, self._server_ended)
        self._servers[key] = transaction
        self._peer(flow, now).unanswered += 1
        if flow.reliable:
            self._on_flow.setdefault(flow, set()).add(transaction)
        return transaction

    def _deliver(self, transaction: ServerTransaction, request: Request, flow: Flow, now: float) -> None:
        dialog = self._dialog_of(request, flow)
        if dialog is None:
            if self._belongs_to_unknown(request):
                self.respond(transaction, 481, now)
                return
        elif not dialog.in_order(request):
            self.respond(transaction, 500, now)
            return
        elif request.method == "BYE":
            self.respond(transaction, 200, now)
            self._stop_accepting(dialog, now)
            self._dialogs.end(dialog, DialogEnd.PEER)
            return
        self._events.append(RequestReceived(transaction, request, dialog, flow))
        if dialog is not None and request.method == "NOTIFY" and _terminated(request):
            self._dialogs.end(dialog, DialogEnd.PEER)

    def _belongs_to_unknown(self, request: Request) -> bool:
        """Whether a request makes sense within a dialog only, and there is none."""
        if request.method in ("BYE", "INFO", "NOTIFY"):
            return True
        return request.method in ("INVITE", "SUBSCRIBE") and bool(request.to.tag)

    def _dialog_of(self, request: Request, flow: Flow) -> Dialog | None:
        to = request.headers.get("To") or ""
        if "tag" not in to.lower():
            return None
        call_id, speaker = request.call_id, request.from_  # who speaks within a dialog says so readably
        dialog = self._dialogs.find(call_id, request.to.tag)
        if dialog is None and request.method == "MESSAGE":
            # The 2016 edition's own example has the tags the wrong way round.
            dialog = self._dialogs.find(call_id, speaker.tag)
        if dialog is None and request.method == "NOTIFY":
            dialog = self._notified_first(call_id, request)
        return dialog

    def _notified_first(self, call_id: str, request: Request) -> Dialog | None:
        """A NOTIFY may overtake the answer to its SUBSCRIBE (RFC 6665 4.1.2.4)."""
        transaction = self._subscribing.get((call_id, request.to.tag))
        if transaction is None:
            return None
        return self._subscribed(transaction, request.from_, _told_contact(request))

    def _acknowledged(self, request: Request, now: float) -> None:
        if request.headers.get("Call-ID") is None or request.headers.get("To") is None:
            return
        dialog = self._dialogs.find(request.call_id, request.to.tag)
        if dialog is None or dialog.invite is None:
            return
        invite, dialog.invite = dialog.invite, None
        if invite.acknowledge(now) and not dialog.over:
            self._events.append(DialogConfirmed(dialog, request))

    def _cancelled(self, request: Request, key: tuple[object, ...], flow: Flow, now: float) -> None:
        invite = self._servers.get((*key[:-1], "INVITE"))
        transaction = self._begin(key, request, flow, now)
        if invite is None:
            self.respond(transaction, 481, now)
            return
        self.respond(transaction, 200, now)
        if invite.state in (State.CALLING, State.PROCEEDING):
            self.respond(invite, 487, now)
            self._events.append(CallCancelled(invite))

    # Our answers

    def respond(
        self,
        transaction: ServerTransaction,
        status: int,
        now: float,
        *,
        reason: str = "",
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        tag: str = "",
    ) -> Response:
        """Answer a request; only the first final answer is sent."""
        request = transaction.request
        response = respond(
            request,
            status,
            reason,
            to_tag="" if status == 100 else tag or self.token(),
            source=transaction.flow.peer,
            headers=headers,
            body=body,
        )
        if self.user_agent and status >= 200:
            response.headers.add("Server", self.user_agent)
        open_before = transaction.state in (State.CALLING, State.PROCEEDING)
        transaction.respond(response, now)
        if open_before and transaction.state not in (State.CALLING, State.PROCEEDING):
            self._answered(transaction.flow)
        return response

    def _answered(self, flow: Flow) -> None:
        peer = self._peers.get(flow)
        if peer is not None and peer.unanswered:
            peer.unanswered -= 1

    def accept(
        self,
        transaction: ServerTransaction,
        contact: Address,
        now: float,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Dialog:
        """Accept a call: 200, repeated until its ACK comes; :class:`DialogConfirmed` tells when.

        Raises:
            LimitError: If there are as many dialogs as there may be.
            SipError: If the request names nobody to answer.
        """
        dialog = self._accepted(DialogKind.CALL, transaction, contact)
        dialog.invite = transaction
        transaction.dialog = dialog
        self.respond(
            transaction, 200, now, headers=[("Contact", str(contact)), *headers], body=body, tag=dialog.local.tag
        )
        return dialog

    def accept_subscription(
        self,
        transaction: ServerTransaction,
        contact: Address,
        expires_s: int,
        now: float,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> Dialog | None:
        """Accept a subscription for a time; ``None`` where 0 seconds were asked for and nothing begins.

        Raises:
            LimitError: If there are as many dialogs as there may be.
            SipError: If the request names nobody to answer.
        """
        extra = [("Contact", str(contact)), ("Expires", str(expires_s)), *headers]
        if not expires_s:
            self.respond(transaction, 200, now, headers=extra, body=body)
            return None
        dialog = self._accepted(DialogKind.SUBSCRIPTION, transaction, contact)
        dialog.event = transaction.request.event
        self.respond(transaction, 200, now, headers=extra, body=body, tag=dialog.local.tag)
        self._dialogs.expire_at(dialog, now + expires_s)
        return dialog

    def refresh(
        self,
        transaction: ServerTransaction,
        dialog: Dialog,
        expires_s: int,
        now: float,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        """Grant a SUBSCRIBE within a subscription more time, or with 0 end it."""
        extra = [("Contact", str(dialog.contact)), ("Expires", str(expires_s)), *headers]
        self.respond(transaction, 200, now, headers=extra, body=body)
        if expires_s:
            self._dialogs.expire_at(dialog, now + expires_s)
        else:
            self._dialogs.end(dialog, DialogEnd.PEER)

    def _accepted(self, kind: DialogKind, transaction: ServerTransaction, contact: Address) -> Dialog:
        if self._dialogs.full:
            raise LimitError(f"{self.limits.dialogs} dialogs are open (EndpointLimits.dialogs)")
        request = transaction.request
        remote = request.from_
        return self._dialogs.add(
            Dialog(
                kind,
                ours=False,
                call_id=request.call_id,
                local=request.to.with_tag(self.token()),
                remote=remote,
                target=target_of(request.contact, remote.uri),
                flow=transaction.flow,
                contact=contact,
                remote_cseq=request.cseq.number,
            )
        )

    def _stop_accepting(self, dialog: Dialog, now: float) -> None:
        if dialog.invite is not None:
            dialog.invite.acknowledge(now)
            dialog.invite = None

    # Our requests

    def token(self) -> str:
        """Return a text that nobody else has: a tag, a Call-ID, a branch."""
        return f"{self._chance.getrandbits(80):020x}"

    def compose(
        self,
        method: str,
        uri: Uri,
        *,
        from_: Address,
        to: Address,
        flow: Flow,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        call_id: str = "",
        cseq: int = 1,
    ) -> Request:
        """Compose a request outside any dialog, with a Via, a Call-ID and, where it has none, a tag of From."""
        host = (self.advertised or flow.local)[0]
        composed = Headers(
            [
                ("From", str(from_ if from_.tag else from_.with_tag(self.token()))),
                ("To", str(to)),
                ("Call-ID", call_id or f"{self.token()}@{host}"),
                ("CSeq", f"{cseq} {method}"),
                ("Max-Forwards", "70"),
            ]
        )
        if self.user_agent:
            composed.add("User-Agent", self.user_agent)
        for name, value in headers:
            composed.add(name, value)
        request = Request(method, uri, composed, body)
        request.put_via(new_via(flow, self.advertised, f"{MAGIC_COOKIE}{self.token()}"))
        return request

    def _via(self, flow: Flow) -> str:
        return str(new_via(flow, self.advertised, f"{MAGIC_COOKIE}{self.token()}"))

    def request(self, request: Request, flow: Flow, now: float, context: object = None) -> ClientTransaction:
        """Send a request; its answers, or that there was none, are reported.

        Raises:
            LimitError: If there are as many transactions as there may be.
        """
        if len(self._clients) >= self.limits.transactions:
            raise LimitError(f"{self.limits.transactions} requests are open (EndpointLimits.transactions)")
        transaction = ClientTransaction(request, flow, self.timers, self.timings, self._send, self._client_ended)
        transaction.context = context
        self._clients[transaction.key] = transaction
        if flow.reliable:
            self._on_flow.setdefault(flow, set()).add(transaction)
        if transaction.invite:
            self._inviting[request.call_id] = transaction
        elif request.method == "SUBSCRIBE" and not request.to.tag:
            self._subscribing[request.call_id, request.from_.tag] = transaction
        transaction.start(now)
        return transaction

    def request_within(
        self,
        dialog: Dialog,
        method: str,
        now: float,
        *,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        context: object = None,
    ) -> ClientTransaction:
        """Send a request within a dialog.

        Raises:
            LocalProtocolError: If the dialog is over.
        """
        if dialog.over:
            raise LocalProtocolError(f"the dialog is over: {method} cannot be sent", field=method)
        request = dialog.request(method, self._via(dialog.flow), Headers(headers), body)
        if self.user_agent:
            request.headers.add("User-Agent", self.user_agent)
        transaction = self.request(request, dialog.flow, now, context)
        transaction.dialog = dialog
        return transaction

    def bye(self, dialog: Dialog, now: float) -> ClientTransaction:
        """End a call.

        Raises:
            LocalProtocolError: If it is over.
        """
        transaction = self.request_within(dialog, "BYE", now)
        self._stop_accepting(dialog, now)
        dialog.state = DialogState.ENDING
        return transaction

    def end_subscription(self, dialog: Dialog) -> None:
        """Forget a subscription that was given, after its last NOTIFY."""
        self._dialogs.end(dialog, DialogEnd.LOCAL)

    def cancel(self, transaction: ClientTransaction, now: float) -> None:
        """Take an INVITE back; before the first provisional answer that waits for it (9.1)."""
        if not transaction.invite or transaction.cancelled:
            return
        transaction.cancelled = True
        if transaction.state is State.PROCEEDING:
            self._send_cancel(transaction, now)

    def _send_cancel(self, transaction: ClientTransaction, now: float) -> None:
        invite = transaction.request
        headers = Headers(
            [
                ("Via", str(invite.via)),
                ("From", invite.headers.get("From") or ""),
                ("To", invite.headers.get("To") or ""),
                ("Call-ID", invite.call_id),
                ("CSeq", f"{invite.cseq.number} CANCEL"),
                ("Max-Forwards", "70"),
            ]
        )
        self.request(Request("CANCEL", invite.uri, headers), transaction.flow, now)

    # Answers of the peer

    def _receive_response(self, response: Response, flow: Flow, now: float) -> None:
        method = response.cseq.method
        transaction = self._clients.get((response.via.branch, method))
        if transaction is None and method == "INVITE" and not response.via.branch:
            transaction = self._inviting.get(response.call_id)
        if transaction is None:
            self._repeated(response, method)
            return
        if not transaction.receive(response, now):
            return
        request = transaction.request
        if request.method == "CANCEL":
            return
        try:
            if transaction.invite:
                self._invited(transaction, response, now)
            elif request.method == "SUBSCRIBE" and 200 <= response.status < 300:
                self._granted(transaction, response, now)
        except SipError:  # who asked waits for an end
            self._events.append(RequestFailed(transaction, Failure.UNUSABLE, transaction.dialog))
            raise
        self._events.append(ResponseReceived(transaction, response, transaction.dialog))
        self._judge_dialog(transaction, response)

    def _repeated(self, response: Response, method: str) -> None:
        """Acknowledge a 200 to an INVITE that comes again: our ACK was lost."""
        if method != "INVITE" or not 200 <= response.status < 300:
            return
        dialog = self._dialogs.find(response.call_id, response.from_.tag)
        if dialog is not None and dialog.ack and response.to.tag == dialog.remote.tag:
            self._out.append((dialog.flow, dialog.ack))

    def _invited(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        if response.status < 200:
            if transaction.cancelled:
                self._send_cancel(transaction, now)
            return
        if response.status >= 300 or transaction.dialog is not None:
            return
        dialog = self._begun(DialogKind.CALL, transaction, response.to, _told_contact(response))
        ack = bytes(dialog.request("ACK", self._via(dialog.flow)))
        dialog.ack = ack
        self._out.append((dialog.flow, ack))
        if transaction.cancelled:  # it crossed our CANCEL
            self.bye(dialog, now)

    def _granted(self, transaction: ClientTransaction, response: Response, now: float) -> None:
        try:
            granted = response.expires
        except SipError:
            granted = None
        if granted is None:
            granted = transaction.request.expires or 0
        asked_to_end = transaction.request.expires == 0
        dialog = transaction.dialog
        if dialog is None:
            if asked_to_end:
                return
            dialog = self._subscribed(transaction, response.to, _told_contact(response))
        if asked_to_end or not granted:
            self._dialogs.end(dialog, DialogEnd.LOCAL if asked_to_end else DialogEnd.PEER)
        elif dialog.state is not DialogState.ENDED:
            self._dialogs.expire_at(dialog, now + granted)

    def _subscribed(self, transaction: ClientTransaction, remote: Address, contact: Address | None) -> Dialog:
        request = transaction.request
        self._subscribing.pop((request.call_id, request.from_.tag), None)
        dialog = self._begun(DialogKind.SUBSCRIPTION, transaction, remote, contact)
        dialog.event = request.event
        return dialog

    def _begun(
        self, kind: DialogKind, transaction: ClientTransaction, remote: Address, contact: Address | None
    ) -> Dialog:
        request = transaction.request
        dialog = Dialog(
            kind,
            ours=True,
            call_id=request.call_id,
            local=request.from_,
            remote=remote,
            target=target_of(contact, request.uri),
            flow=transaction.flow,
            contact=needed_contact(request),
            local_cseq=request.cseq.number,
        )
        dialog.context = transaction.context
        transaction.dialog = dialog
        return self._dialogs.add(dialog)

    def _judge_dialog(self, transaction: ClientTransaction, response: Response) -> None:
        """End the dialog where the answer to a request within it says so."""
        dialog = transaction.dialog
        if dialog is None or response.status < 200:
            return
        if transaction.request.method == "BYE":
            self._dialogs.end(dialog, DialogEnd.LOCAL)
        elif response.status in _GONE:
            self._dialogs.end(dialog, DialogEnd.UNKNOWN_THERE)

    # What ends

    def _client_ended(self, transaction: ClientTransaction, failure: Failure | None, now: float) -> None:
        self._clients.pop(transaction.key, None)
        request = transaction.request
        if transaction.invite:
            self._inviting.pop(request.call_id, None)
        elif request.method == "SUBSCRIBE":
            self._subscribing.pop((request.call_id, request.from_.tag), None)
        self._leave(transaction)
        if failure is None or request.method == "CANCEL":
            return
        dialog = transaction.dialog
        self._events.append(RequestFailed(transaction, failure, dialog))
        if dialog is None:
            return
        if request.method == "BYE":
            self._dialogs.end(dialog, DialogEnd.LOCAL)
        else:
            self._dialogs.end(dialog, DialogEnd.TIMEOUT if failure is Failure.TIMEOUT else DialogEnd.TRANSPORT)

    def _server_ended(self, transaction: ServerTransaction, failure: Failure | None, now: float) -> None:
        if self._servers.get(transaction.key) is transaction:
            del self._servers[transaction.key]
        self._leave(transaction)
        if failure is None and not transaction.invite and not transaction.flow.reliable:
            self._keep_answer(transaction, now)
        if not transaction.status or transaction.status < 200:
            self._answered(transaction.flow)
        if failure is Failure.TIMEOUT and transaction.invite and transaction.status < 300:
            self._never_acknowledged(transaction, now)

    def _keep_answer(self, transaction: ServerTransaction, now: float) -> None:
        until = now + self.timings.give_up_s
        self._answers[transaction.key] = _Answered(transaction.flow, transaction.answer, until)
        self._answered_in_turn.append(transaction.key)
        if self._sweep is None:
            self._sweep = self.timers.set(until, self._forget_answers)

    def _forget_answers(self, now: float) -> None:
        """Forget the answers whose time is over."""
        answers, keys = self._answers, self._answered_in_turn
        while keys and answers[keys[0]].until <= now:
            del answers[keys.popleft()]
        # Not one alarm for each: at the next, some more of them are due.
        later = max(answers[keys[0]].until, now + _SWEEP_S) if keys else None
        self._sweep = None if later is None else self.timers.set(later, self._forget_answers)

    def _never_acknowledged(self, transaction: ServerTransaction, now: float) -> None:
        dialog = transaction.dialog
        if dialog is not None:
            dialog.invite = None
            if not dialog.over:
                self.bye(dialog, now)
            self._dialogs.end(dialog, DialogEnd.NO_ACK)

    def _leave(self, transaction: ClientTransaction | ServerTransaction) -> None:
        here = self._on_flow.get(transaction.flow)
        if here:
            here.discard(transaction)
            if not here:
                del self._on_flow[transaction.flow]

    def _dialog_ended(self, dialog: Dialog, reason: DialogEnd) -> None:
        self._events.append(DialogEnded(dialog, reason))

    # What goes out, and time

    def _send(self, flow: Flow, data: bytes) -> None:
        self._out.append((flow, data))

    def data_to_send(self) -> list[tuple[Flow, bytes]]:
        """Return, once, what to write and where to."""
        out = self._out
        if out:
            self._out = []
        return out

    def flows_to_close(self) -> list[Flow]:
        """Return, once, the connections that cannot be followed any further."""
        broken, self._broken = self._broken, []
        return broken

    def events(self) -> list[Event]:
        """Return, once, what happened since the last call."""
        events = self._events
        if events:
            self._events = []
        return events

    def next_timeout(self) -> float | None:
        """Return when to call :meth:`handle_timeout`."""
        return self.timers.next()

    def handle_timeout(self, now: float) -> None:
        """Do what is due."""
        self.timers.ring(now)

    @property
    def transactions(self) -> int:
        """How many transactions there are, both ways, those included that await repetitions only."""
        return len(self._clients) + len(self._servers) + len(self._answers)

    @property
    def calls(self) -> int:
        """How many calls are open."""
        return self._dialogs.count(DialogKind.CALL)

    @property
    def subscriptions(self) -> int:
        """How many subscriptions there are, both ways."""
        return self._dialogs.count(DialogKind.SUBSCRIPTION)


def _told_contact(message: Request | Response) -> Address | None:
    """Contact of the other side; one that cannot be read tells none, as an absent one, for all goes by the flow."""
    try:
        return message.contact
    except SipError:
        return None


def _terminated(request: Request) -> bool:
    state = request.headers.get("Subscription-State") or ""
    return state.strip().lower().startswith("terminated")
