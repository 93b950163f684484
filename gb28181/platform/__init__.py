"""The platform's side: who is registered, by which way, and for how long (GB/T 28181-2022 9.1, 9.6), without I/O.

Queries, controls, subscriptions and calls are still to come.
"""

from .events import (
    DeviceMoved,
    DeviceOffline,
    DeviceRegistered,
    DeviceUnregistered,
    KeepaliveReceived,
    OfflineReason,
    PlatformEvent,
    Refusal,
    SenderRefused,
)
from .policy import Credential, Follow, Policy
from .registrar import Device, Registrar

__all__ = [
    "Credential",
    "Device",
    "DeviceMoved",
    "DeviceOffline",
    "DeviceRegistered",
    "DeviceUnregistered",
    "Follow",
    "KeepaliveReceived",
    "OfflineReason",
    "PlatformEvent",
    "Policy",
    "Refusal",
    "Registrar",
    "SenderRefused",
]
