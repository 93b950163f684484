"""The station's side of a link (现场机): uploads kept until acknowledged, requests answered, registration; no I/O.

:class:`Station` is the state machine, :class:`Gateway` several of them on one link, :class:`Policy` what the operator
decides, :class:`Settings` what the platform may change, :class:`Outbox` where uploads wait,
:mod:`hj212.station.events` what is reported.
"""

from .core import Station
from .events import (
    ClockSet,
    LinkUnusable,
    MessageIgnored,
    NoticeReceived,
    RecordDropped,
    RequestAnswered,
    RequestEnded,
    RequestRepeated,
    SettingsChanged,
    SiteFailed,
    StationEvent,
    UploadDelivered,
    UploadStored,
    WhyDropped,
)
from .gateway import Gateway
from .outbox import OUTBOX_LIMIT, Items, MemoryOutbox, Outbox, Record
from .policy import Policy
from .runs import Area, History, Operate
from .settings import Identity, Settings

__all__ = [
    "OUTBOX_LIMIT",
    "Area",
    "ClockSet",
    "Gateway",
    "History",
    "Identity",
    "Items",
    "LinkUnusable",
    "MemoryOutbox",
    "MessageIgnored",
    "NoticeReceived",
    "Operate",
    "Outbox",
    "Policy",
    "Record",
    "RecordDropped",
    "RequestAnswered",
    "RequestEnded",
    "RequestRepeated",
    "Settings",
    "SettingsChanged",
    "SiteFailed",
    "Station",
    "StationEvent",
    "UploadDelivered",
    "UploadStored",
    "WhyDropped",
]
