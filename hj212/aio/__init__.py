"""HJ 212 on asyncio: the only part of the package that knows sockets, loops, clocks and files.

:class:`Link` drives one connection, whichever its role; :class:`Platform` is a server that accepts any station and
answers as the flows ask.
"""

from .link import WRITE_HIGH_WATER, Core, Link
from .listening import Listener, listen
from .platform import CloseReason, LinkClosed, LinkOpened, LinkRefused, Platform, PlatformEvent, PlatformLimits

__all__ = [
    "WRITE_HIGH_WATER",
    "CloseReason",
    "Core",
    "Link",
    "LinkClosed",
    "LinkOpened",
    "LinkRefused",
    "Listener",
    "Platform",
    "PlatformEvent",
    "PlatformLimits",
    "listen",
]
