"""SIP as GB/T 28181 uses it (clause 4.3.2 and RFC 3261): messages, digest, transactions, dialogs; no I/O."""

from .digest import Challenge, Credentials, Nonces, NonceState, answer, verify
from .framing import Broken, StreamFramer
from .message import Deviation, Headers, Message, Request, Response, parse_message, respond
from .values import Address, CSeq, Uri, Via

__all__ = [
    "Address",
    "Broken",
    "CSeq",
    "Challenge",
    "Credentials",
    "Deviation",
    "Headers",
    "Message",
    "NonceState",
    "Nonces",
    "Request",
    "Response",
    "StreamFramer",
    "Uri",
    "Via",
    "answer",
    "parse_message",
    "respond",
    "verify",
]
