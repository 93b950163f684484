"""What a platform reports of its devices."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from ..manscdp.notifies import Keepalive
from ..sip.transactions import Flow

__all__ = [
    "DeviceMoved",
    "DeviceOffline",
    "DeviceRegistered",
    "DeviceUnregistered",
    "KeepaliveReceived",
    "OfflineReason",
    "PlatformEvent",
    "Refusal",
    "SenderRefused",
]


class OfflineReason(StrEnum):
    """Why a device counts as offline; the value is what logs show."""

    EXPIRED = "expired"  #: it did not refresh its registration
    KEEPALIVES = "keepalives"  #: it was silent for too long
    TRANSPORT = "transport"  #: its connection ended


class Refusal(StrEnum):
    """Why a message was refused; the value is what logs show."""

    CODE = "code"  #: the sender's code has not twenty digits
    UNKNOWN = "unknown-device"  #: nobody told the platform of it
    PASSWORD = "wrong-password"
    USERNAME = "wrong-username"
    REALM = "wrong-realm"
    REPLAYED = "replayed"  #: the proof was used before
    LOCKED = "locked"  #: too many wrong proofs
    NO_EXPIRES = "no-expires"
    NO_CONTACT = "no-contact"
    FULL = "full"  #: as many devices as there may be
    UNREGISTERED = "unregistered"  #: it sends without being registered
    ELSEWHERE = "elsewhere"  #: it is registered, but from another address
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True)
class DeviceRegistered:
    """A device is online."""

    device_id: str
    flow: Flow
    expires_s: int
    refresh: bool
    version: str | None  #: its X-GB-Ver
    user_agent: str


@dataclass(frozen=True, slots=True)
class DeviceUnregistered:
    """A device ended its registration."""

    device_id: str


@dataclass(frozen=True, slots=True)
class DeviceOffline:
    """A device is gone without a word."""

    device_id: str
    reason: OfflineReason


@dataclass(frozen=True, slots=True)
class DeviceMoved:
    """A device sends from elsewhere; what is for it goes there now."""

    device_id: str
    flow: Flow


@dataclass(frozen=True, slots=True)
class KeepaliveReceived:
    """A device is alive."""

    device_id: str
    body: Keepalive


@dataclass(frozen=True, slots=True)
class SenderRefused:
    """A message was refused."""

    device_id: str  #: as it names itself
    flow: Flow
    method: str
    status: int
    reason: Refusal


PlatformEvent = DeviceRegistered | DeviceUnregistered | DeviceOffline | DeviceMoved | KeepaliveReceived | SenderRefused
