"""A station on a network: keeps its door controller connected and its timers running, link or no link."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from hj212.aio import Link

from .personalities.door import DoorController

__all__ = ["Station"]

#: A connection that is not there after this long is not coming.
CONNECT_TIMEOUT_S: Final = 10.0
#: Pause before the first new attempt to connect; it doubles up to the second figure.
RECONNECT_S: Final = 5.0
RECONNECT_MAX_S: Final = 60.0
#: How long a power cycle takes.
BOOT_S: Final = 20.0


class Station:
    """One door controller and its link to the platform.

    Args:
        door: The controller.
        host: The platform's address.
        port: The platform's port.
        on_bytes: Called with every piece of bytes the station emits.
    """

    def __init__(
        self, door: DoorController, host: str, port: int, *, on_bytes: Callable[[bytes], None] | None = None
    ) -> None:
        self.door = door
        self.host = host
        self.port = port
        self.connects = 0
        self.failed_connects = 0
        self._on_bytes = on_bytes
        self._hash = hashlib.sha256(door.settings.mn.encode())
        self._link: Link | None = None
        self._poked = asyncio.Event()
        self._closed = asyncio.Event()
        self._off = asyncio.Event()  # set while the power is off
        self._retry_s = RECONNECT_S

    @property
    def digest(self) -> bytes:
        """SHA-256 of the identity and every byte emitted so far."""
        return self._hash.digest()

    # What a Link drives

    def receive_data(self, data: bytes, now: float) -> None:
        self._retry_s = RECONNECT_S
        self.door.receive_data(data, now)

    def receive_eof(self, now: float) -> None:
        self.door.receive_eof(now)

    def data_to_send(self) -> bytes:
        data = self.door.data_to_send()
        if data:
            self._hash.update(data)
            if self._on_bytes:
                self._on_bytes(data)
        return data

    def next_timeout(self) -> float | None:
        return self.door.next_timeout()

    def handle_timeout(self, now: float) -> None:
        self.door.handle_timeout(now)

    # Life

    async def run(self) -> None:
        """Stay connected until cancelled."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                if await self._connect(loop):
                    await self._closed.wait()
                    self.door.disconnected(loop.time())
                await self._wait_offline(loop, loop.time() + self._retry_s)
        finally:
            if self._link:
                self._link.close()

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> bool:
        self._closed.clear()
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await loop.create_connection(
                    lambda: Link(self, on_open=self._opened, on_close=self._lost), self.host, self.port
                )
        except (OSError, TimeoutError):
            self.failed_connects += 1
            self._retry_s = min(2 * self._retry_s, RECONNECT_MAX_S)
            return False
        self.connects += 1
        return True

    def _opened(self, link: Link) -> None:
        self._link = link
        self.door.connected(link.now)

    def _lost(self, link: Link) -> None:
        self._link = None
        self._closed.set()

    async def _wait_offline(self, loop: asyncio.AbstractEventLoop, until: float) -> None:
        """Let the timers run until it is time to connect again."""
        while loop.time() < until or self._off.is_set():
            due = self.door.next_timeout() if not self._off.is_set() else None
            when = until if due is None else min(until, due)
            self._poked.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(when if not self._off.is_set() else None):
                    await self._poked.wait()
            if not self._off.is_set() and due is not None and loop.time() >= due:
                self.door.handle_timeout(loop.time())

    # Acts

    def act(self, what: Callable[[float], None]) -> None:
        """Let something happen at the door, ``what(now)``; the station tells the platform if it can."""
        what(asyncio.get_running_loop().time())
        if self._link:
            self._link.flush()
        self._poked.set()

    async def power_cycle(self) -> None:
        """Cut the power, wait, switch it on again."""
        loop = asyncio.get_running_loop()
        self._off.set()
        if self._link and self._link.transport:
            self._link.transport.abort()
        self.door.disconnected(loop.time())
        await asyncio.sleep(BOOT_S)
        self.door.reboot(loop.time())
        self._off.clear()
        self._retry_s = RECONNECT_S
        self._poked.set()
