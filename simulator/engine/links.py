"""Opens the links of stations, from addresses of their own where the scenario names some."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import sys
from collections.abc import Callable
from typing import Any, Final

from ..clock import VirtualLoop

__all__ = ["open_link"]

#: ``IP_BIND_ADDRESS_NO_PORT`` of Linux: the port is chosen on connecting, when the peer is known. Without it the system
#: looks for one that no other link has to whichever peer, which takes milliseconds once some thousands are taken.
_PORT_LATER: Final = getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24)


async def open_link(protocol: Callable[[], asyncio.Protocol], host: str, port: int, source: str = "") -> None:
    """Connect to a platform.

    Args:
        protocol: Returns whoever is to be told of the link.
        host: Of the platform.
        port: Of the platform.
        source: Address to connect from; empty: whichever the system takes.

    Raises:
        OSError: If no link could be had.
    """
    loop = asyncio.get_running_loop()
    if not source or isinstance(loop, VirtualLoop):  # that one counts what is under way itself
        await loop.create_connection(protocol, host, port, local_addr=(source, 0) if source else None)
        return
    family = socket.AF_INET if ipaddress.ip_address(source).version == 4 else socket.AF_INET6
    refused: OSError | None = None
    for address in await _addresses(host, port, family):
        try:
            await _open(protocol, family, source, address)
            return
        except OSError as error:  # a name may have several addresses
            refused = error
    raise refused or OSError(f"{host} has no address of the kind of {source}")


async def _addresses(host: str, port: int, family: socket.AddressFamily) -> list[tuple[Any, ...]]:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
        return [address for *_kind, address in found]
    return [(host, port)]  # no need for a resolver, thousands of times


async def _open(
    protocol: Callable[[], asyncio.Protocol], family: socket.AddressFamily, source: str, address: tuple[Any, ...]
) -> None:
    loop = asyncio.get_running_loop()
    # Named as TCP: only then asyncio lets each write go out at once.
    link = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        link.setblocking(False)
        if sys.platform == "linux":
            link.setsockopt(socket.IPPROTO_IP, _PORT_LATER, 1)
        link.bind((source, 0))
        await loop.sock_connect(link, address)
        await loop.create_connection(protocol, sock=link)
    except BaseException:  # a wait that was ended, too
        link.close()
        raise
