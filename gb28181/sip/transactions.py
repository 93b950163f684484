"""Transactions: one request, its answers, and what is sent again meanwhile (RFC 3261 17; RFC 6026 for 2xx).

=========  ======================================  =================================================
timer      client                                  server
=========  ======================================  =================================================
A, E       request again: T1, doubled (E: to T2)
B, F       no final answer for 64 T1
D          refusals that come again are acknowledged
G                                                  final answer to INVITE again: T1, doubled to T2
H                                                  no ACK for 64 T1
I, J                                               what comes again is answered again, or taken in
=========  ======================================  =================================================

Over a reliable transport nothing is sent again and nothing can come again, so A, E, G, D, I, J and K fall away. K does
everywhere: an answer to no known request means nothing to an endpoint, so there is nothing to take it in. J is not
kept here but by the endpoint, which needs a key and the bytes of an answer for it and no transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from .message import Headers, Request, Response
from .timers import Timer, Timers
from .values import MAGIC_COOKIE, Via

if TYPE_CHECKING:
    from .dialogs import Dialog

__all__ = [
    "ClientTransaction",
    "Failure",
    "Flow",
    "ServerTransaction",
    "State",
    "Timings",
    "acknowledgement",
    "new_via",
    "transaction_key",
]


class Flow(NamedTuple):
    """A way to a peer: a UDP source and destination, or a TCP connection.

    Attributes:
        transport: ``"UDP"`` or ``"TCP"``.
        peer: Address and port of the other side.
        local: Address and port of ours.
        id: Tells connections between the same ends from each other.
    """

    transport: str
    peer: tuple[str, int]
    local: tuple[str, int]
    id: int = 0

    @property
    def reliable(self) -> bool:
        """Whether nothing that was written is lost while it is open."""
        return self.transport != "UDP"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Base times of RFC 3261 17.1.1.1, in seconds."""

    t1: float = 0.5  #: a round trip
    t2: float = 4.0  #: longest pause between repetitions
    t4: float = 5.0  #: longest life of a datagram in the network
    invite_s: float = 180.0  #: timer C: how long a call that is in progress may go without a final answer

    @property
    def give_up_s(self) -> float:
        """Timers B, F, H, J: 64 T1."""
        return 64 * self.t1


class State(Enum):
    """Where a transaction stands."""

    CALLING = "calling"  #: sent, nothing heard; of a server: received, nothing answered
    PROCEEDING = "proceeding"  #: 1xx heard or sent
    COMPLETED = "completed"  #: final answer
    CONFIRMED = "confirmed"  #: the ACK of a refusal has come
    TERMINATED = "terminated"


class Failure(Enum):
    """Why a request has no final answer."""

    TIMEOUT = "timeout"
    TRANSPORT = "transport"  #: the connection ended
    UNUSABLE = "unusable"  #: there is one, but it does not say who answers


#: Answered final statuses begin here.
_FINAL: Final = 200

Send = Callable[[Flow, bytes], None]


class ClientTransaction:
    """A request of ours.

    Attributes:
        request: As it was sent.
        flow: Where to.
        state: Where it stands.
        dialog: The dialog within which it was sent, or that it began.
        cancelled: Whether it was taken back, or will be at the first provisional answer.
        context: Whatever its maker wants to find again.
    """

    __slots__ = (
        "_alarm",
        "_bytes",
        "_deadline",
        "_ended",
        "_pause",
        "_send",
        "_timers",
        "_timings",
        "ack",
        "cancelled",
        "context",
        "dialog",
        "flow",
        "invite",
        "key",
        "request",
        "state",
    )

    def __init__(
        self,
        request: Request,
        flow: Flow,
        timers: Timers,
        timings: Timings,
        send: Send,
        ended: Callable[[ClientTransaction, Failure | None, float], None],
    ) -> None:
        self.request = request
        self.flow = flow
        self.state = State.CALLING
        self.invite = request.method == "INVITE"
        self.key = (request.via.branch, request.method)
        self.dialog: Dialog | None = None
        self.cancelled = False
        self.context: object = None
        self.ack: bytes | None = None  # of a refused INVITE
        self._alarm: Timer | None = None  # the next repetition, or the end of patience: whichever is first
        self._deadline = 0.0
        self._bytes = bytes(request)
        self._pause = timings.t1
        self._timers = timers
        self._timings = timings
        self._send = send
        self._ended = ended

    def start(self, now: float) -> None:
        """Send the request for the first time."""
        self._send(self.flow, self._bytes)
        self._deadline = now + self._timings.give_up_s
        if self.flow.reliable:
            self._alarm = self._timers.set(self._deadline, self._give_up)
        else:
            self._alarm = self._timers.set(now + self._pause, self._again)

    def _again(self, now: float) -> None:
        if now >= self._deadline:
            self._give_up(now)
            return
        self._send(self.flow, self._bytes)
        longest = self._timings.give_up_s if self.invite else self._timings.t2
        self._pause = min(self._pause * 2, longest)
        self._alarm = self._timers.set(min(now + self._pause, self._deadline), self._again)

    def _give_up(self, now: float) -> None:
        self._end(Failure.TIMEOUT, now)

    def fail(self, now: float) -> None:
        """Take note that the connection ended."""
        if self.state in (State.CALLING, State.PROCEEDING):
            self._end(Failure.TRANSPORT, now)
        elif self.state is State.COMPLETED:
            self._end(None, now)

    def receive(self, response: Response, now: float) -> bool:
        """Take a response; say whether it is news: the same final answer again is none."""
        if self.state in (State.COMPLETED, State.TERMINATED):
            if self.ack is not None and response.status >= 300:
                self._send(self.flow, self.ack)
            return False
        if response.status < _FINAL:
            self._proceed(now)
            return True
        self._stop()
        if self.invite and response.status >= 300:
            self.ack = bytes(acknowledgement(self.request, response))
            self._send(self.flow, self.ack)
        linger = 0.0 if self.flow.reliable else self._linger(response)
        if linger:
            self.state = State.COMPLETED
            self._alarm = self._timers.set(now + linger, lambda then: self._end(None, then))
        else:
            self._end(None, now)
        return True

    def _linger(self, response: Response) -> float:
        # Repetitions of a 2xx concern the dialog, not the transaction.
        return self._timings.give_up_s if self.invite and response.status >= 300 else 0.0

    def _proceed(self, now: float) -> None:
        if self.state is State.CALLING:
            self.state = State.PROCEEDING
        if self.invite:
            self._timers.cancel(self._alarm)
            self._alarm = self._timers.set(now + self._timings.invite_s, self._give_up)
        else:
            self._pause = self._timings.t2

    def _stop(self) -> None:
        self._timers.cancel(self._alarm)
        self._alarm = None

    def _end(self, failure: Failure | None, now: float) -> None:
        if self.state is not State.TERMINATED:
            self._stop()
            self.state = State.TERMINATED
            self._ended(self, failure, now)


class ServerTransaction:
    """A request of the peer.

    Attributes:
        request: As it came.
        dialog: The call that was accepted by it.
        flow: Where it came from; answers go back there (RFC 3581).
        state: Where it stands.
        status: Of the last answer, 0 before.
    """

    __slots__ = (
        "_alarm",
        "_answer",
        "_ended",
        "_pause",
        "_resend",
        "_send",
        "_timers",
        "_timings",
        "dialog",
        "flow",
        "invite",
        "key",
        "request",
        "state",
        "status",
    )

    def __init__(
        self,
        key: object,
        request: Request,
        flow: Flow,
        timers: Timers,
        timings: Timings,
        send: Send,
        ended: Callable[[ServerTransaction, Failure | None, float], None],
    ) -> None:
        self.key = key
        self.request = request
        self.flow = flow
        self.invite = request.method == "INVITE"
        self.state = State.CALLING
        self.status = 0
        self.dialog: Dialog | None = None
        self._answer = b""
        self._alarm: Timer | None = None
        self._resend: Timer | None = None
        self._pause = timings.t1
        self._timers = timers
        self._timings = timings
        self._send = send
        self._ended = ended

    @property
    def answer(self) -> bytes:
        """The last answer, empty before."""
        return self._answer

    def repeat(self) -> None:
        """Answer the same request again."""
        if self._answer:
            self._send(self.flow, self._answer)

    def respond(self, response: Response, now: float) -> bytes:
        """Send an answer; return its bytes. After a final one nothing more is sent."""
        data = bytes(response)
        if self.state not in (State.CALLING, State.PROCEEDING):
            return data
        self._answer = data
        self.status = response.status
        self._send(self.flow, data)
        if response.status < _FINAL:
            self.state = State.PROCEEDING
            return data
        self.state = State.COMPLETED
        if self.invite:
            self._await_acknowledgement(response, now)
        else:
            self._end(None, now)
        return data

    def _await_acknowledgement(self, response: Response, now: float) -> None:
        # Of a 2xx too: it is repeated until the ACK comes, over any transport (13.3.1.4).
        self._alarm = self._timers.set(now + self._timings.give_up_s, lambda then: self._end(Failure.TIMEOUT, then))
        if response.status < 300 or not self.flow.reliable:
            self._resend = self._timers.set(now + self._pause, self._again)

    def _again(self, now: float) -> None:
        self._send(self.flow, self._answer)
        self._pause = min(self._pause * 2, self._timings.t2)
        self._resend = self._timers.set(now + self._pause, self._again)

    def acknowledge(self, now: float) -> bool:
        """Take the ACK; say whether it is the first."""
        if self.state is not State.COMPLETED or not self.invite:
            return False
        self._timers.cancel(self._resend)
        self._timers.cancel(self._alarm)
        self._resend = self._alarm = None
        self.state = State.CONFIRMED
        if self.flow.reliable:
            self._end(None, now)
        else:
            # Repetitions of the INVITE that were on their way still belong here.
            linger = self._timings.t4 if self.status >= 300 else self._timings.give_up_s
            self._alarm = self._timers.set(now + linger, lambda then: self._end(None, then))
        return True

    def fail(self, now: float) -> None:
        """Take note that the connection ended."""
        self._end(Failure.TRANSPORT, now)

    def _end(self, failure: Failure | None, now: float) -> None:
        if self.state is not State.TERMINATED:
            self._timers.cancel(self._resend)
            self._timers.cancel(self._alarm)
            self._resend = self._alarm = None
            self.state = State.TERMINATED
            self._ended(self, failure, now)


def transaction_key(request: Request) -> tuple[object, ...]:
    """Return what tells a request from every other (17.2.3); an ACK has the key of its INVITE.

    Raises:
        SipError: If a header that is needed cannot be read.
    """
    via = request.via
    method = "INVITE" if request.method == "ACK" else request.method
    if via.branch.startswith(MAGIC_COOKIE):
        return via.branch, via.host, via.port, method
    # A branch of before RFC 3261, or none: what stays the same when a request is repeated.
    return request.call_id, request.cseq.number, request.from_.tag, via.host, via.port, method


def acknowledgement(request: Request, response: Response) -> Request:
    """Compose the ACK of a refusal: part of the INVITE's transaction (17.1.1.3)."""
    headers = Headers([("Via", str(request.via))])
    for name in ("From", "Call-ID"):
        headers.add(name, request.headers.get(name) or "")
    headers.add("To", response.headers.get("To") or request.headers.get("To") or "")
    headers.add("CSeq", f"{request.cseq.number} ACK")
    for route in request.headers.all("Route"):
        headers.add("Route", route)
    headers.add("Max-Forwards", "70")
    return Request("ACK", request.uri, headers)


def new_via(flow: Flow, advertised: tuple[str, int] | None, branch: str) -> Via:
    """Compose our Via: answers come back where we are seen, so the port is asked for (RFC 3581)."""
    host, port = advertised or flow.local
    return Via(flow.transport, host, port, (("rport", None), ("branch", branch)))
