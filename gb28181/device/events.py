"""What a device reports of its registration."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

__all__ = [
    "ClockTold",
    "DeviceEvent",
    "PlatformLost",
    "Redirected",
    "Registered",
    "RegistrationFailed",
    "Unregistered",
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


DeviceEvent = Registered | ClockTold | RegistrationFailed | Redirected | Unregistered | PlatformLost
