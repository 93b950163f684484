"""HJ 212 on asyncio: the only part of the package that knows sockets, loops, clocks and files.

:class:`Link` drives one core, whichever its role; :class:`Platform` is a server that accepts any station and answers as
the flows ask, with :class:`MessageStore` after it stored; :class:`StationClient` keeps a station connected, with
:class:`SqliteOutbox` over restarts; :class:`Dialler` keeps a link of any core.
"""

from .database import StoreError, StoreFault
from .dialling import DialFailed, Dialled, Dialler, Dropped, Pauses
from .link import WRITE_HIGH_WATER, Core, Link
from .listening import Listener, listen
from .outbox import SqliteOutbox
from .platform import (
    CloseReason,
    LinkClosed,
    LinkOpened,
    LinkRefused,
    LinkSlowed,
    MessageKept,
    Platform,
    PlatformEvent,
    PlatformLimits,
    StoreFailed,
    StoreWorks,
)
from .station import StationClient, StationClientEvent
from .store import Arrival, Fate, Kept, MessageStore

__all__ = [
    "WRITE_HIGH_WATER",
    "Arrival",
    "CloseReason",
    "Core",
    "DialFailed",
    "Dialled",
    "Dialler",
    "Dropped",
    "Fate",
    "Kept",
    "Link",
    "LinkClosed",
    "LinkOpened",
    "LinkRefused",
    "LinkSlowed",
    "Listener",
    "MessageKept",
    "MessageStore",
    "Pauses",
    "Platform",
    "PlatformEvent",
    "PlatformLimits",
    "SqliteOutbox",
    "StationClient",
    "StationClientEvent",
    "StoreError",
    "StoreFailed",
    "StoreFault",
    "StoreWorks",
    "listen",
]
