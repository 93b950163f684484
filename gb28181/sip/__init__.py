"""SIP as GB/T 28181 uses it (clause 4.3.2 and RFC 3261): messages, digest, transactions, dialogs; no I/O."""

from ..deviations import Deviation
from .dialogs import Dialog, DialogEnd, DialogKind, DialogState
from .digest import Challenge, Credentials, Nonces, NonceState, answer, verify
from .endpoint import Endpoint, EndpointLimits
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
from .message import Headers, Message, Request, Response, parse_message, respond
from .timers import Timer, Timers
from .transactions import ClientTransaction, Failure, Flow, ServerTransaction, State, Timings
from .values import Address, CSeq, Uri, Via

__all__ = [
    "Address",
    "Broken",
    "CSeq",
    "CallCancelled",
    "Challenge",
    "ClientTransaction",
    "Credentials",
    "Deviation",
    "Dialog",
    "DialogConfirmed",
    "DialogEnd",
    "DialogEnded",
    "DialogKind",
    "DialogState",
    "Endpoint",
    "EndpointLimits",
    "Event",
    "Failure",
    "Flow",
    "Headers",
    "Message",
    "MessageRejected",
    "NonceState",
    "Nonces",
    "PeerLimited",
    "Request",
    "RequestFailed",
    "RequestReceived",
    "Response",
    "ResponseReceived",
    "ServerTransaction",
    "State",
    "StreamFramer",
    "Timer",
    "Timers",
    "Timings",
    "Uri",
    "Via",
    "answer",
    "parse_message",
    "respond",
    "verify",
]
