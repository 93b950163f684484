"""Listening on a port that belongs to nobody else."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

__all__ = ["Listener", "listen"]

#: Connections that may wait to be accepted: a site whose power returns dials in all at once.
BACKLOG: Final = 512
#: Tries to find a port that is free at every address of a host.
_PORT_ATTEMPTS: Final = 16


class Listener:
    """Listening sockets of one host and port, as much of :class:`asyncio.Server` as its users need."""

    def __init__(self, servers: Sequence[asyncio.Server]) -> None:
        self._servers = tuple(servers)

    @property
    def sockets(self) -> tuple[Any, ...]:
        """The sockets, one for each address of the host; empty once closed."""
        return tuple(sock for server in self._servers for sock in server.sockets)

    @property
    def port(self) -> int:
        """The port, the one the system chose where 0 was asked for."""
        return int(self.sockets[0].getsockname()[1])

    def close(self) -> None:
        """Accept no more connections; those that are open stay."""
        for server in self._servers:
            server.close()


async def listen(
    protocol_factory: Callable[[], asyncio.BaseProtocol], host: str, port: int, *, backlog: int = BACKLOG
) -> Listener:
    """Listen on a port that no other program can take part in.

    A second program bound to the same port would be handed a part of the connections, in silence. Windows allows
    that to whoever sets ``SO_REUSEADDR``, unless the port is held exclusively; elsewhere it takes ``SO_REUSEPORT`` on
    both sides, which is never set here, while ``SO_REUSEADDR`` only frees a port whose last connections fade away.

    Args:
        protocol_factory: Makes the protocol of each connection.
        host: An address, or a name, of which every address is listened on. Empty: every address of this computer,
            IPv4 and IPv6.
        port: TCP port; 0 takes a free one, the same for every address.
        backlog: Connections that may wait to be accepted.

    Raises:
        OSError: If the host has no address or one of them cannot be bound; nothing is left listening.
        OverflowError: If ``port`` is none.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets = _bound([(info[0], info[4]) for info in dict.fromkeys(found)])
    servers: list[asyncio.Server] = []
    try:
        for sock in sockets:
            servers.append(await loop.create_server(protocol_factory, sock=sock, backlog=backlog))
    except BaseException:
        for server in servers:
            server.close()
        for sock in sockets[len(servers) :]:
            sock.close()
        raise
    return Listener(servers)


def _bound(addresses: Sequence[tuple[int, tuple[Any, ...]]]) -> list[socket.socket]:
    """Return a socket bound to each address, all to one port."""
    for _attempt in range(_PORT_ATTEMPTS - 1):
        try:
            return _bound_once(addresses)
        except OSError as error:
            # The free port of one address may be taken at another; a port that was asked for stays what it is.
            if len(addresses) == 1 or addresses[0][1][1] != 0 or error.errno != errno.EADDRINUSE:
                raise
    return _bound_once(addresses)


def _bound_once(addresses: Sequence[tuple[int, tuple[Any, ...]]]) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    unavailable: OSError | None = None
    try:
        for family, (host, port, *rest) in addresses:
            chosen = sockets[0].getsockname()[1] if sockets else port
            try:
                sockets.append(_exclusive(family, (host, chosen, *rest)))
            except OSError as error:
                if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    raise
                unavailable = error  # a name may have an address of a family that is switched off
        if unavailable and not sockets:
            raise unavailable
    except BaseException:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _exclusive(family: int, address: tuple[Any, ...]) -> socket.socket:
    """Return a socket bound to an address that nobody else can be bound to."""
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if sys.platform == "win32":
            # Not SO_REUSEADDR: there it means that others may take the port over.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        elif os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # Said in so many words: the default differs by system, and IPv4 has a socket of its own.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock
