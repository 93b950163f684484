"""The device's side without I/O: registered, and answering all that a platform asks (GB/T 28181-2022 clause 9)."""

from .account import Account
from .calls import Call
from .device import Device
from .equipment import Card, Channel, Configuration, Equipment
from .events import (
    AnswerReceived,
    CallControlled,
    CallEnded,
    CallStarted,
    ClockTold,
    ConfigurationSet,
    ControlDone,
    DeviceEvent,
    KeyFrameWanted,
    PlatformLost,
    QueryAnswered,
    Redirected,
    Registered,
    RegistrationFailed,
    RequestRefused,
    RestartOrdered,
    SnapshotOrdered,
    Subscribed,
    Unregistered,
    Unsubscribed,
    UpgradeOrdered,
)
from .mount import Mount
from .quirks import Quirks, quirk_rows
from .registration import Registration, RegistrationState

__all__ = [
    "Account",
    "AnswerReceived",
    "Call",
    "CallControlled",
    "CallEnded",
    "CallStarted",
    "Card",
    "Channel",
    "ClockTold",
    "Configuration",
    "ConfigurationSet",
    "ControlDone",
    "Device",
    "DeviceEvent",
    "Equipment",
    "KeyFrameWanted",
    "Mount",
    "PlatformLost",
    "QueryAnswered",
    "Quirks",
    "Redirected",
    "Registered",
    "Registration",
    "RegistrationFailed",
    "RegistrationState",
    "RequestRefused",
    "RestartOrdered",
    "SnapshotOrdered",
    "Subscribed",
    "Unregistered",
    "Unsubscribed",
    "UpgradeOrdered",
    "quirk_rows",
]
