"""What an endpoint reports, one record for each fact."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..errors import Gb28181Error
from .dialogs import Dialog, DialogEnd
from .message import Request, Response
from .transactions import ClientTransaction, Failure, Flow, ServerTransaction

__all__ = [
    "CallCancelled",
    "DialogConfirmed",
    "DialogEnded",
    "Event",
    "MessageRejected",
    "PeerLimited",
    "RequestFailed",
    "RequestReceived",
    "ResponseReceived",
]


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """The peer asks for something: answer it by :meth:`Endpoint.respond` or what accepts a dialog."""

    transaction: ServerTransaction
    request: Request
    dialog: Dialog | None  #: within which it came
    flow: Flow


@dataclass(frozen=True, slots=True)
class ResponseReceived:
    """An answer to a request of ours; provisional ones too."""

    transaction: ClientTransaction
    response: Response
    dialog: Dialog | None  #: that it belongs to, or has just begun


@dataclass(frozen=True, slots=True)
class RequestFailed:
    """A request of ours got no final answer."""

    transaction: ClientTransaction
    reason: Failure
    dialog: Dialog | None


@dataclass(frozen=True, slots=True)
class DialogConfirmed:
    """The ACK of a call that we accepted has come: media may be sent."""

    dialog: Dialog
    request: Request  #: the ACK, which may carry a session description


@dataclass(frozen=True, slots=True)
class DialogEnded:
    """A call or a subscription is over."""

    dialog: Dialog
    reason: DialogEnd


@dataclass(frozen=True, slots=True)
class CallCancelled:
    """The peer took an INVITE back before it was answered; 487 was sent."""

    transaction: ServerTransaction


@dataclass(frozen=True, slots=True)
class MessageRejected:
    """Something arrived that is no usable message; it was answered where that was possible."""

    flow: Flow
    error: Gb28181Error
    raw: bytes = field(repr=False)  #: at most its first kilobyte; may hold credentials: not shown


@dataclass(frozen=True, slots=True)
class PeerLimited:
    """A peer sends more than it may; reported once until it is calm again."""

    flow: Flow
    limit: str  #: name of the limit


Event = (
    RequestReceived
    | ResponseReceived
    | RequestFailed
    | DialogConfirmed
    | DialogEnded
    | CallCancelled
    | MessageRejected
    | PeerLimited
)
