"""HJ 212 on asyncio: the only part of the package that knows sockets, loops, clocks and files.

:class:`Link` drives one connection, whichever its role; :class:`Platform` is a server that accepts any station and
answers as the flows ask.
"""

from .database import StoreError
from .link import WRITE_HIGH_WATER, Core, Link
from .listening import Listener, listen
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
from .store import Arrival, Fate, Kept, MessageStore

__all__ = [
    "WRITE_HIGH_WATER",
    "Arrival",
    "CloseReason",
    "Core",
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
    "Platform",
    "PlatformEvent",
    "PlatformLimits",
    "StoreError",
    "StoreFailed",
    "StoreWorks",
    "listen",
]
