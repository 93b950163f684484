"""A UDP socket that is read until it is empty, and written at once (GB/T 28181-2022 4.3.2: SIP over UDP).

asyncio's own datagram transport gives one datagram for each turn of the loop, each behind a ``select``. Here a turn
takes as many as there are, up to :data:`READ_AT_ONCE`. Loops that cannot watch a socket (Windows) are served by their
own transport.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

__all__ = ["READ_AT_ONCE", "UDP_BUFFER", "Datagrams", "open_socket"]

#: Datagrams that one turn of the loop takes from a socket before others have theirs.
READ_AT_ONCE: Final = 128
#: Receive buffer of a socket that many peers share: a thousand devices that answer at once.
UDP_BUFFER: Final = 4 * 1024 * 1024
#: Datagrams that wait while the system takes none; more are dropped, as a network would.
MAX_WAITING: Final = 4_000
_LONGEST: Final = 65_535

Place = tuple[str, int]


def open_socket(host: str, port: int, *, buffer: int = UDP_BUFFER) -> socket.socket:
    """Return a bound UDP socket; ``host`` is an address, port 0 takes a free one.

    Raises:
        OSError: If the port cannot be had.
    """
    family, kind, protocol, _name, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICHOST
    )[0]
    # Bound here and not by the loop: uvloop leaves a socket open whose port is taken.
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setblocking(False)
        if buffer:
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        sock.bind(address)
    except BaseException:
        sock.close()
        raise
    return sock


class Datagrams:
    """One socket in a loop.

    Args:
        loop: Watches it.
        sock: Bound, not blocking; closed with this.
        received: Called with each datagram and where it came from.
        emptied: Called when a turn has taken what there was.

    Attributes:
        dropped: Datagrams that the system did not take, nor the queue before it.
    """

    __slots__ = ("_closed", "_emptied", "_loop", "_received", "_sock", "_transport", "_waiting", "dropped", "local")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        received: Callable[[bytes, Place], None],
        emptied: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._received = received
        self._emptied = emptied
        self._waiting: deque[tuple[bytes, Place]] | None = None  # while the system takes none
        self._transport: asyncio.DatagramTransport | None = None
        self._closed = False
        self.dropped = 0
        name = sock.getsockname()
        self.local: Place = (name[0], name[1])

    def watch(self) -> bool:
        """Begin to read; say whether the loop can watch sockets. Where it cannot, call :meth:`hand_over`."""
        try:
            self._loop.add_reader(self._sock, self._read)
        except NotImplementedError:
            return False
        return True

    async def hand_over(self) -> None:
        """Let the loop's own transport read and write."""
        self._transport, _ = await self._loop.create_datagram_endpoint(lambda: _Protocol(self), sock=self._sock)
        if self._closed:
            self._transport.close()

    def took(self, data: bytes, address: tuple[Any, ...]) -> None:
        """Take what the loop's own transport has read."""
        self._received(data, (address[0], address[1]))
        self._emptied()

    def _read(self) -> None:
        take, received = self._sock.recvfrom, self._received
        for _ in range(READ_AT_ONCE):
            try:
                data, address = take(_LONGEST)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                continue  # a port that nobody listens at told so: the transaction times out
            received(data, address if len(address) == 2 else address[:2])
            if self._closed:
                return
        self._emptied()

    def send(self, data: bytes, peer: Place) -> None:
        """Write a datagram; what the system does not take now waits, or is dropped."""
        if self._transport is not None:
            self._transport.sendto(data, peer)
        elif self._waiting is not None:
            if len(self._waiting) < MAX_WAITING:
                self._waiting.append((data, peer))
            else:
                self.dropped += 1
        elif not self._closed:
            try:
                self._sock.sendto(data, peer)
            except (BlockingIOError, InterruptedError):
                self._waiting = deque([(data, peer)])
                self._loop.add_writer(self._sock, self._go_on)
            except OSError:
                self.dropped += 1  # too long for a datagram, or no way there: the transaction times out

    def _go_on(self) -> None:
        waiting = self._waiting or deque()
        while waiting:
            try:
                self._sock.sendto(*waiting[0])
            except (BlockingIOError, InterruptedError):
                return
            except OSError:
                self.dropped += 1
            waiting.popleft()
        self._waiting = None
        self._loop.remove_writer(self._sock)

    def close(self) -> None:
        """Close the socket."""
        if self._closed:
            return
        self._closed = True
        if self._transport is not None:
            self._transport.close()
            return
        with suppress(NotImplementedError):
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)
        self._sock.close()


class _Protocol(asyncio.DatagramProtocol):
    def __init__(self, owner: Datagrams) -> None:
        self._owner = owner

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._owner.took(data, addr)

    def error_received(self, exc: Exception) -> None:
        """A port that nobody listens at: the transaction times out."""
