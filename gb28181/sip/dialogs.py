"""Dialogs: calls (INVITE) and subscriptions, and the requests within them (RFC 3261 12, RFC 6665)."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from ..errors import LocalProtocolError, SipError
from .message import Headers, Request
from .timers import Timer, Timers
from .transactions import Flow, ServerTransaction
from .values import Address, Uri

__all__ = ["Dialog", "DialogEnd", "DialogKind", "DialogState", "Dialogs"]


class DialogKind(Enum):
    """What a dialog is for."""

    CALL = "call"
    SUBSCRIPTION = "subscription"


class DialogState(Enum):
    """Where a dialog stands."""

    EARLY = "early"  #: provisional answer of a call
    CONFIRMED = "confirmed"
    ENDING = "ending"  #: our BYE, or our Expires 0, is on its way
    ENDED = "ended"


class DialogEnd(Enum):
    """Why a dialog ended."""

    LOCAL = "local"  #: we ended it
    PEER = "peer"  #: the peer did: BYE, Expires 0, Subscription-State terminated
    REFUSED = "refused"  #: it never began
    UNKNOWN_THERE = "unknown-there"  #: the peer does not know it (481)
    TIMEOUT = "timeout"  #: a request within it was not answered
    NO_ACK = "no-ack"  #: our 200 to an INVITE was never acknowledged
    EXPIRED = "expired"  #: a subscription that was not refreshed
    TRANSPORT = "transport"  #: the connection ended


class Dialog:
    """A call or a subscription.

    Attributes:
        kind: Which of them.
        ours: Whether we began it.
        call_id: Of all of its requests.
        local: Our address with our tag.
        remote: Theirs with their tag; without tag until they answer.
        target: Their Contact, the Request-URI of what we send.
        flow: The way to them; not the Contact, which is a private address often enough.
        contact: Our Contact.
        local_cseq: Number of our last request.
        remote_cseq: Number of theirs, ``None`` before the first.
        state: Where it stands.
        event: Event header of a subscription, ``id`` included.
        expires_at: When a subscription ends.
        context: Whatever its owner wants to find again.
    """

    __slots__ = (
        "ack",
        "alarm",
        "call_id",
        "contact",
        "context",
        "event",
        "expires_at",
        "flow",
        "invite",
        "kind",
        "local",
        "local_cseq",
        "ours",
        "remote",
        "remote_cseq",
        "state",
        "target",
    )

    def __init__(
        self,
        kind: DialogKind,
        *,
        ours: bool,
        call_id: str,
        local: Address,
        remote: Address,
        target: Uri,
        flow: Flow,
        contact: Address,
        local_cseq: int = 0,
        remote_cseq: int | None = None,
    ) -> None:
        self.kind = kind
        self.ours = ours
        self.call_id = call_id
        self.local = local
        self.remote = remote
        self.target = target
        self.flow = flow
        self.contact = contact
        self.local_cseq = local_cseq
        self.remote_cseq = remote_cseq
        self.state = DialogState.CONFIRMED
        self.event = ""
        self.expires_at: float | None = None
        self.context: object = None
        self.alarm: Timer | None = None
        self.invite: ServerTransaction | None = None  # whose 200 waits for its ACK
        self.ack: bytes | None = None  # sent again for each repetition of the 200

    def __repr__(self) -> str:
        return f"<Dialog {self.kind.value} {self.state.value} {self.call_id} {self.remote.uri.user}>"

    @property
    def key(self) -> tuple[str, str]:
        """Call-ID and our tag: what tells it from our other dialogs."""
        return self.call_id, self.local.tag

    @property
    def over(self) -> bool:
        """Whether nothing more is sent within it."""
        return self.state in (DialogState.ENDING, DialogState.ENDED)

    def request(self, method: str, via: str, headers: Headers | None = None, body: bytes = b"") -> Request:
        """Compose the next request within it; ACK has the number of its INVITE."""
        if method != "ACK":
            self.local_cseq += 1
        composed = Headers(
            [
                ("Via", via),
                ("From", str(self.local)),
                ("To", str(self.remote)),
                ("Call-ID", self.call_id),
                ("CSeq", f"{self.local_cseq} {method}"),
                ("Contact", str(self.contact)),
                ("Max-Forwards", "70"),
            ]
        )
        for name, value in headers or ():
            composed.add(name, value)
        return Request(method, self.target, composed, body)

    def in_order(self, request: Request) -> bool:
        """Take note of a request's number; say whether it is above the last (12.2.2).

        A BYE that repeats the number of its INVITE is let through: there are platforms that send it so.
        """
        number, method = request.cseq.number, request.method
        last = self.remote_cseq
        if last is not None and (number < last or (number == last and method not in ("ACK", "BYE"))):
            return False
        self.remote_cseq = number if last is None else max(number, last)
        return True


class Dialogs:
    """The dialogs of an endpoint.

    Args:
        timers: For subscriptions that expire.
        most: How many there may be.
        report: Called with each that ended, and why.
    """

    def __init__(self, timers: Timers, most: int, report: Callable[[Dialog, DialogEnd], None]) -> None:
        self._timers = timers
        self._most = most
        self._report = report
        self._known: dict[tuple[str, str], Dialog] = {}
        self._on_flow: dict[Flow, set[Dialog]] = {}  # connections only: a datagram's way does not end
        self._counts = dict.fromkeys(DialogKind, 0)

    def count(self, kind: DialogKind) -> int:
        """How many of a kind there are."""
        return self._counts[kind]

    @property
    def full(self) -> bool:
        """Whether no more are taken."""
        return len(self._known) >= self._most

    def add(self, dialog: Dialog) -> Dialog:
        """Keep a dialog."""
        self._known[dialog.key] = dialog
        self._counts[dialog.kind] += 1
        if dialog.flow.reliable:
            self._on_flow.setdefault(dialog.flow, set()).add(dialog)
        return dialog

    def find(self, call_id: str, tag: str) -> Dialog | None:
        """Return the dialog with a Call-ID and our tag."""
        return self._known.get((call_id, tag))

    def expire_at(self, dialog: Dialog, when: float) -> None:
        """Let a subscription end at a time, unless it is set anew before."""
        self._timers.cancel(dialog.alarm)
        dialog.expires_at = when
        dialog.alarm = self._timers.set(when, lambda now: self.end(dialog, DialogEnd.EXPIRED))

    def end(self, dialog: Dialog, reason: DialogEnd) -> None:
        """End a dialog, once."""
        if dialog.state is DialogState.ENDED:
            return
        dialog.state = DialogState.ENDED
        self._timers.cancel(dialog.alarm)
        dialog.alarm = dialog.invite = dialog.ack = None
        if self._known.get(dialog.key) is dialog:
            del self._known[dialog.key]
            self._counts[dialog.kind] -= 1
        here = self._on_flow.get(dialog.flow)
        if here:
            here.discard(dialog)
            if not here:
                del self._on_flow[dialog.flow]
        self._report(dialog, reason)

    def flow_closed(self, flow: Flow) -> None:
        """End what went over a connection."""
        for dialog in list(self._on_flow.get(flow, ())):
            self.end(dialog, DialogEnd.TRANSPORT)


def target_of(contact: Address | None, fallback: Uri) -> Uri:
    """Return where requests of a dialog go: the Contact, without it the address of the other side."""
    return contact.uri if contact else fallback


def needed_contact(request: Request) -> Address:
    """Return our Contact of a request that begins a dialog.

    Raises:
        LocalProtocolError: If it has none.
    """
    try:
        contact = request.contact
    except SipError as error:
        raise LocalProtocolError(str(error), field="Contact") from error
    if contact is None:
        raise LocalProtocolError(f"{request.method} needs a Contact", field="Contact", clause="RFC 3261 8.1.1.8")
    return contact
