"""Facts a :class:`hj212.host.Host` reports; what concerns only the link comes as :mod:`hj212.events`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from ..codes import CommandKind
from ..editions import Edition
from ..events import AnswerUnexpected, FrameRejected, NoiseReceived
from ..messages import Message
from .policy import Logger

__all__ = [
    "EditionChanged",
    "HostEvent",
    "KeyChanged",
    "KeyExpired",
    "KeyNotSent",
    "LoggerRegistered",
    "MessageRefused",
    "MnAssigned",
    "NoticeReceived",
    "Outcome",
    "PacketsJoined",
    "PacketsLost",
    "PasswordChanged",
    "PasswordWrong",
    "Purpose",
    "RefusalReason",
    "RequestFinished",
    "RequestSent",
    "ResultLate",
    "SetupFinished",
    "StationHeard",
    "StationOffline",
    "StationOnline",
    "Ticket",
    "UploadReceived",
]


class Purpose(Enum):
    """Who wanted a request."""

    CALLER = "caller"
    SETUP = "setup"  #: a step of the set-up sequence
    CLOCK = "clock"  #: the station asked for the time (1013)
    REGISTRATION = "registration"  #: 1002 after 1001
    KEY = "key"  #: a new key (1014)


class Outcome(Enum):
    """How a request ended."""

    DONE = "done"  #: 9012 with ExeRtn=1, or 9013 to a notice
    NO_DATA = "no-data"  #: 9012 with ExeRtn=100
    FAILED = "failed"  #: 9012 with another ExeRtn
    REFUSED = "refused"  #: 9011 with a QnRtn other than 1
    NO_ANSWER = "no-answer"  #: no 9011 or 9013 after every resend
    NO_RESULT = "no-result"  #: 9011 but no 9012 in time
    NOT_SENT = "not-sent"  #: the edition does not allow it, see ``detail``
    SENT = "sent"  #: a command that no edition knows was sent; nothing is awaited
    CLOSED = "closed"  #: the link ended before
    CANCELLED = "cancelled"  #: taken back by the caller before it was sent


class RefusalReason(Enum):
    """Why a message was not taken."""

    UNKNOWN_MN = "unknown-mn"
    WRONG_PW = "wrong-pw"
    TOO_MANY_STATIONS = "too-many-stations"


@dataclass(frozen=True, slots=True)
class Ticket:
    """One request of ours, from the queue to its end. Holds no parameters: some are secret."""

    number: int
    mn: str
    cn: str
    purpose: Purpose = Purpose.CALLER
    begin: str = ""  #: BeginTime of a history request
    end: str = ""  #: EndTime


@dataclass(frozen=True, slots=True)
class StationHeard:
    """An MN spoke on this link for the first time."""

    mn: str
    edition: Edition


@dataclass(frozen=True, slots=True)
class EditionChanged:
    """A station declares another edition than before."""

    mn: str
    edition: Edition
    before: Edition


@dataclass(frozen=True, slots=True)
class MessageRefused:
    """A message was neither answered nor acted on."""

    message: Message
    reason: RefusalReason


@dataclass(frozen=True, slots=True)
class PasswordWrong:
    """A message carries another password than the one known, and was taken all the same."""

    message: Message


@dataclass(frozen=True, slots=True)
class UploadReceived:
    """A station sent data, or a command that is unknown here (``kind`` is ``None``)."""

    mn: str
    message: Message
    kind: CommandKind | None
    repeated: bool  #: the same message was among the last received
    back_fill: bool  #: RF=1: from the station's store, no live data
    request: Ticket | None  #: the request it answers
    acknowledged: bool  #: 9014 is on its way; if not and the message wants one, call ``acknowledge``


@dataclass(frozen=True, slots=True)
class NoticeReceived:
    """A station gave notice and got its 9013."""

    mn: str
    message: Message
    repeated: bool


@dataclass(frozen=True, slots=True)
class PacketsJoined:
    """The last packet of a split message arrived."""

    mn: str
    message: Message  #: the whole, without PNUM and PNO
    request: Ticket | None


@dataclass(frozen=True, slots=True)
class PacketsLost:
    """A split message will not be complete; each packet was reported as it came."""

    mn: str
    cn: str
    missing: tuple[int, ...]  #: the PNOs that did not come
    request: Ticket | None


@dataclass(frozen=True, slots=True)
class RequestSent:
    """A request left the queue."""

    ticket: Ticket


@dataclass(frozen=True, slots=True)
class RequestFinished:
    """A request is over."""

    ticket: Ticket
    outcome: Outcome
    code: int | None = None  #: QnRtn or ExeRtn, whichever ended it
    messages: tuple[Message, ...] = ()  #: what answered it, in order of arrival, packets joined
    truncated: bool = False  #: more answered it than ``Policy.max_collected``
    detail: str = ""  #: why it was not sent

    def value(self, key: str) -> str | None:
        """Return the first value called ``key`` in the answers, ``None`` when there is none."""
        return next((value for m in self.messages if (value := m.parameter(key)) is not None), None)


@dataclass(frozen=True, slots=True)
class ResultLate:
    """9012 arrived after the request was given up."""

    ticket: Ticket
    code: int | None


@dataclass(frozen=True, slots=True)
class SetupFinished:
    """Every step of the set-up sequence was tried."""

    mn: str
    steps: tuple[RequestFinished, ...]

    @property
    def failed(self) -> tuple[RequestFinished, ...]:
        """The steps that the station did not carry out."""
        return tuple(step for step in self.steps if step.outcome is not Outcome.DONE)


@dataclass(frozen=True, slots=True)
class PasswordChanged:
    """1072 succeeded: keep the new password."""

    mn: str
    pw: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class LoggerRegistered:
    """1001 arrived."""

    logger: Logger
    mn: str  #: MN to be assigned with 1002; empty: the platform gave none


@dataclass(frozen=True, slots=True)
class MnAssigned:
    """1002 succeeded: the logger goes by this MN from now on."""

    logger: Logger
    mn: str


@dataclass(frozen=True, slots=True)
class KeyChanged:
    """1014 succeeded: keep the new key."""

    mn: str
    created: str  #: SKCreateTime
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class KeyExpired:
    """The station's key is older than the edition allows, and the station did not ask for another."""

    mn: str
    created: str  #: SKCreateTime


@dataclass(frozen=True, slots=True)
class KeyNotSent:
    """A station asked for a new key and gets none."""

    mn: str
    detail: str


@dataclass(frozen=True, slots=True)
class StationOffline:
    """A station has been silent for longer than the policy allows."""

    mn: str
    silent_s: float


@dataclass(frozen=True, slots=True)
class StationOnline:
    """A station that was offline speaks again."""

    mn: str


HostEvent = (
    AnswerUnexpected
    | FrameRejected
    | NoiseReceived
    | StationHeard
    | EditionChanged
    | MessageRefused
    | PasswordWrong
    | UploadReceived
    | NoticeReceived
    | PacketsJoined
    | PacketsLost
    | RequestSent
    | RequestFinished
    | ResultLate
    | SetupFinished
    | PasswordChanged
    | LoggerRegistered
    | MnAssigned
    | KeyChanged
    | KeyExpired
    | KeyNotSent
    | StationOffline
    | StationOnline
)
