"""What a device reports: of its registration, and of what a platform asked of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from ..manscdp.body import Body
from ..manscdp.configs import SnapShot
from ..manscdp.controls import UpgradeOrder
from ..mansrtsp import Request as RtspRequest

if TYPE_CHECKING:
    from .calls import Call

__all__ = [
    "AnswerReceived",
    "CallControlled",
    "CallEnded",
    "CallStarted",
    "ClockTold",
    "ConfigurationSet",
    "ControlDone",
    "DeviceEvent",
    "KeyFrameWanted",
    "PlatformLost",
    "QueryAnswered",
    "Redirected",
    "Registered",
    "RegistrationFailed",
    "RequestRefused",
    "RestartOrdered",
    "SnapshotOrdered",
    "Subscribed",
    "Unregistered",
    "Unsubscribed",
    "UpgradeOrdered",
]


@dataclass(frozen=True, slots=True)
class Registered:
    """The platform has accepted the registration, or its refresh."""

    expires_s: int  #: as the platform granted it
    refresh: bool
    version: str | None  #: its X-GB-Ver


@dataclass(frozen=True, slots=True)
class ClockTold:
    """The platform told its time in Date (9.10): the device's clock is to follow it."""

    time: datetime


@dataclass(frozen=True, slots=True)
class RegistrationFailed:
    """A registration was not accepted; it is tried again."""

    status: int | None  #: of the answer, ``None`` where there was none
    reason: str  #: words beside it, or what is wrong with it
    retry_s: float


@dataclass(frozen=True, slots=True)
class Redirected:
    """The server sends the device to another one (302, 9.1.2.3): give the way there to ``Registration.follow``."""

    server_id: str
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Unregistered:
    """The registration was ended, as was asked for."""

    confirmed: bool  #: whether the platform answered


@dataclass(frozen=True, slots=True)
class PlatformLost:
    """The platform does not answer keepalives, or the connection ended: the device registers anew."""

    missed: int


@dataclass(frozen=True, slots=True)
class QueryAnswered:
    """A query came and is being answered."""

    query: Body


@dataclass(frozen=True, slots=True)
class ControlDone:
    """A control came; ``result`` was answered, ``None`` where none is; ``why`` tells what was not done."""

    body: Body
    result: str | None
    why: str


@dataclass(frozen=True, slots=True)
class ConfigurationSet:
    """The configuration was changed; the fields are those of :class:`gb28181.manscdp.configs.Configured`."""

    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SnapshotOrdered:
    """Pictures are to be taken and uploaded; then tell by :meth:`Device.snapshot_finished`."""

    device_id: str
    order: SnapShot


@dataclass(frozen=True, slots=True)
class UpgradeOrdered:
    """A firmware is to be fetched and installed; then tell by :meth:`Device.upgraded`."""

    device_id: str
    order: UpgradeOrder


@dataclass(frozen=True, slots=True)
class KeyFrameWanted:
    """The next picture of a channel is to be a key frame."""

    device_id: str


@dataclass(frozen=True, slots=True)
class RestartOrdered:
    """TeleBoot: the device is gone for a while and then registers anew."""

    after_s: float


@dataclass(frozen=True, slots=True)
class Subscribed:
    """A subscription began, or was given more time."""

    subject: str  #: CmdType of its body
    device_id: str
    expires_s: int
    refresh: bool


@dataclass(frozen=True, slots=True)
class Unsubscribed:
    """A subscription is over; ``reason`` is the value of :class:`gb28181.sip.DialogEnd`."""

    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class CallStarted:
    """Media are to be sent, or received: the ACK has come, or the platform has accepted the broadcast."""

    call: Call


@dataclass(frozen=True, slots=True)
class CallControlled:
    """A playback was told where to go on; ``call.playback`` has it already."""

    call: Call
    request: RtspRequest


@dataclass(frozen=True, slots=True)
class CallEnded:
    """A call is over; no more media. ``reason`` is the value of :class:`gb28181.sip.DialogEnd` or a SIP status."""

    call: Call
    reason: str


@dataclass(frozen=True, slots=True)
class AnswerReceived:
    """The platform answered a notice: an alarm."""

    body: Body


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """A request was refused; ``why`` says what was expected."""

    method: str
    status: int
    why: str


DeviceEvent = (
    Registered
    | ClockTold
    | RegistrationFailed
    | Redirected
    | Unregistered
    | PlatformLost
    | QueryAnswered
    | ControlDone
    | ConfigurationSet
    | SnapshotOrdered
    | UpgradeOrdered
    | KeyFrameWanted
    | RestartOrdered
    | Subscribed
    | Unsubscribed
    | CallStarted
    | CallControlled
    | CallEnded
    | AnswerReceived
    | RequestRefused
)
