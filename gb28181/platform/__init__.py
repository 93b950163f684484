"""The platform's side: who is registered, by which way, and for how long (GB/T 28181-2022 9.1, 9.6), without I/O.

:class:`Platform` asks them, hears what they tell, subscribes, and calls for their streams.
"""

from .calls import Call, CallState
from .catalog import Catalog
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
from .platform import (
    CallChanged,
    CallControlled,
    CatalogChanged,
    NoticeReceived,
    Platform,
    QuestionDone,
    SubscriptionChanged,
    Unusable,
)
from .policy import Credential, Follow, Policy
from .queries import Question, Questions, Why
from .registrar import Device, Registrar
from .subscriptions import Subscription

__all__ = [
    "Call",
    "CallChanged",
    "CallControlled",
    "CallState",
    "Catalog",
    "CatalogChanged",
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
    "Subscription",
    "SubscriptionChanged",
    "Unusable",
    "Why",
]
