"""GB/T 28181 signalling on asyncio: the only part of the package that knows sockets, loops and clocks."""

from .device import DeviceClient
from .fleet import DeviceFleet
from .platform import PlatformServer
from .running import register, serve
from .transport import MAX_CONNECTIONS, Transport

__all__ = ["MAX_CONNECTIONS", "DeviceClient", "DeviceFleet", "PlatformServer", "Transport", "register", "serve"]
