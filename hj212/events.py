"""Facts a :class:`hj212.connection.Connection` reports, in the order in which they happened."""

from __future__ import annotations

from dataclasses import dataclass, field

from .codes import CommandKind
from .framing import Frame
from .messages import Message

__all__ = [
    "AnswerUnexpected",
    "Event",
    "ExecutionTimedOut",
    "FrameRejected",
    "MessageReceived",
    "NoiseReceived",
    "NoticeAnswered",
    "RequestAccepted",
    "RequestCompleted",
    "RequestRefused",
    "SendTimedOut",
    "UploadAcknowledged",
]


@dataclass(frozen=True, slots=True)
class MessageReceived:
    """The peer began something: a request, an upload or a notice; or it sent the data that a request asked for."""

    message: Message
    frame: Frame
    kind: CommandKind | None  #: ``None`` when the command table does not know the command in this direction
    repeated: bool  #: the same message, byte for byte, was among the last received: answered again, act only once
    encrypted: bool = False  #: its data area travelled as ciphertext; ``message`` has the plaintext, ``frame`` the wire


@dataclass(frozen=True, slots=True)
class FrameRejected:
    """A frame arrived damaged and was not acted on; the link goes on."""

    frame: Frame


@dataclass(frozen=True, slots=True)
class NoiseReceived:
    """Bytes outside any frame were skipped, a heartbeat line for example."""

    raw: bytes = field(repr=False)  #: may be the rest of a frame, password included: not shown


@dataclass(frozen=True, slots=True)
class RequestAccepted:
    """9011 with QnRtn=1 arrived; the result is awaited."""

    request: Message


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """9011 with another QnRtn arrived; the exchange is over."""

    request: Message
    code: int | None  #: QnRtn, ``None`` when it is no number


@dataclass(frozen=True, slots=True)
class RequestCompleted:
    """9012 arrived; the exchange is over."""

    request: Message
    code: int | None  #: ExeRtn, ``None`` when it is no number


@dataclass(frozen=True, slots=True)
class UploadAcknowledged:
    """9014 arrived for an upload of ours."""

    upload: Message


@dataclass(frozen=True, slots=True)
class NoticeAnswered:
    """9013 arrived for a notice of ours."""

    notice: Message


@dataclass(frozen=True, slots=True)
class SendTimedOut:
    """No answer came, after every resend."""

    message: Message
    sent: int  #: how often it was sent


@dataclass(frozen=True, slots=True)
class ExecutionTimedOut:
    """9011 came but no 9012 in time; there is no resend (HJ 212-2017 Annex C)."""

    request: Message


@dataclass(frozen=True, slots=True)
class AnswerUnexpected:
    """An answer came that answers nothing of ours, or the same thing twice."""

    message: Message


Event = (
    MessageReceived
    | FrameRejected
    | NoiseReceived
    | RequestAccepted
    | RequestRefused
    | RequestCompleted
    | UploadAcknowledged
    | NoticeAnswered
    | SendTimedOut
    | ExecutionTimedOut
    | AnswerUnexpected
)
