"""Facts a :class:`hj212.station.Station` reports, in the order in which they happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from ..codes import QnRtn
from ..events import AnswerUnexpected, FrameRejected, NoiseReceived
from ..messages import Message
from .outbox import Record
from .settings import Settings

__all__ = [
    "ClockSet",
    "LinkUnusable",
    "MessageIgnored",
    "NoticeReceived",
    "RecordDropped",
    "RequestAnswered",
    "RequestEnded",
    "RequestRepeated",
    "SettingsChanged",
    "SiteFailed",
    "StationEvent",
    "UploadDelivered",
    "UploadStored",
    "WhyDropped",
]


@dataclass(frozen=True, slots=True)
class UploadDelivered:
    """The platform has a packet, or, where none are acknowledged, it was written; the outbox has it no more."""

    record: Record
    back_filled: bool  #: whether it came from the store


@dataclass(frozen=True, slots=True)
class UploadStored:
    """A packet waits in the outbox for better times: there is no link, or no answer came."""

    record: Record
    sent: int  #: how often it was sent


class WhyDropped(Enum):
    """Why a packet was given up."""

    FULL = "outbox-full"  #: the oldest of a full outbox
    ILLEGAL = "illegal"  #: it no longer fits the limits of the edition


@dataclass(frozen=True, slots=True)
class RecordDropped:
    """A packet was given up; the platform does not have it."""

    record: Record
    why: WhyDropped
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RequestAnswered:
    """A request of the platform was answered by 9011, or begun without one."""

    request: Message
    code: QnRtn | int


@dataclass(frozen=True, slots=True)
class RequestEnded:
    """A request of the platform is over."""

    request: Message
    code: int | None  #: ExeRtn of its 9012, ``None`` when the link ended before
    records: int = 0  #: packets sent in answer


@dataclass(frozen=True, slots=True)
class RequestRepeated:
    """A request came again: it was answered again and not executed again."""

    request: Message


@dataclass(frozen=True, slots=True)
class NoticeReceived:
    """A notice of the platform was answered."""

    message: Message
    repeated: bool


@dataclass(frozen=True, slots=True)
class MessageIgnored:
    """A message of the platform got no answer: it wants none, or is not for this station."""

    message: Message
    reason: QnRtn | None  #: what is wrong with it; ``None``: it is no request and no notice


@dataclass(frozen=True, slots=True)
class SettingsChanged:
    """The settings have a new version; keep it."""

    settings: Settings
    changed: frozenset[str]  #: names of the fields
    request: Message | None  #: what changed them


@dataclass(frozen=True, slots=True)
class ClockSet:
    """1012 moved the station's reckoning; whoever can sets the clock of the machine, and the offset to 0."""

    time: str  #: SystemTime, 14 digits
    offset_s: float  #: what the reckoning adds to the clock of the machine


@dataclass(frozen=True, slots=True)
class LinkUnusable:
    """Messages stayed without an answer although they were sent again: close the link and connect anew."""

    message: Message  #: the last of them
    sent: int  #: how often it was sent


@dataclass(frozen=True, slots=True)
class SiteFailed:
    """A callable of the site raised; the request ended with ExeRtn 6."""

    request: Message
    error: Exception = field(repr=False)


StationEvent = (
    UploadDelivered
    | UploadStored
    | RecordDropped
    | RequestAnswered
    | RequestEnded
    | RequestRepeated
    | NoticeReceived
    | MessageIgnored
    | SettingsChanged
    | ClockSet
    | LinkUnusable
    | SiteFailed
    | FrameRejected
    | NoiseReceived
    | AnswerUnexpected
)
