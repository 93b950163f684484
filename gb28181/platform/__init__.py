"""The platform's side: who is registered, by which way, and for how long (GB/T 28181-2022 9.1, 9.6), without I/O.

:class:`Platform` asks them and hears what they tell. Subscriptions and calls are still to come.
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
from .platform import NoticeReceived, Platform, QuestionDone, Unusable
from .policy import Credential, Follow, Policy
from .queries import Question, Questions, Why
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
    "NoticeReceived",
    "OfflineReason",
    "Platform",
    "PlatformEvent",
    "Policy",
    "Question",
    "QuestionDone",
    "Questions",
    "Refusal",
    "Registrar",
    "SenderRefused",
    "Unusable",
    "Why",
]
