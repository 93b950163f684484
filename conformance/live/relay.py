"""The way on to the official platform: every byte of a device unchanged there, every byte of the platform back.

The bench listens in and steers nothing. What the platform answers is on record as the platform's.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from stationgate.exits import reason

if TYPE_CHECKING:
    from .link import Link

__all__ = ["MAX_WAITING_BYTES", "Relay"]

#: How long the platform may take to accept a connection.
CONNECT_S: Final = 20.0
#: Bytes of a device that wait for the platform before its own link is paused.
MAX_WAITING_BYTES: Final = 1 << 20


class Relay(asyncio.Protocol):
    """The platform's side of one link.

    Args:
        link: The device's side.
        device: The device's transport, which is paused while the platform does not take more.
    """

    def __init__(self, link: Link, device: asyncio.Transport) -> None:
        self._link = link
        self._device = device
        self._upstream: asyncio.Transport | None = None
        self._task: asyncio.Task[None] | None = None
        self._waiting = bytearray()
        self._closed = False
        self._device_ended = False
        self._platform_ended = False

    def open(self, address: str) -> None:
        """Connect to ``HOST:PORT``; what the device sends meanwhile waits."""
        self._task = asyncio.get_running_loop().create_task(self._connect(address))

    async def _connect(self, address: str) -> None:
        host, _colon, port = address.rpartition(":")
        try:
            async with asyncio.timeout(CONNECT_S):
                await asyncio.get_running_loop().create_connection(lambda: self, host.strip("[]"), int(port))
        except TimeoutError:
            self._lost(f"no answer from {address}")
        except OSError as error:
            self._lost(f"{address}: {reason(error)}")

    def _lost(self, why: str) -> None:
        if not self._closed:
            self._closed = True
            self._link.bench.relay_lost(self._link, why)
            self._link.end("the platform is not there")

    # From the device

    def pass_on(self, data: bytes) -> None:
        """Hand bytes of the device to the platform."""
        if self._upstream is not None:
            self._upstream.write(data)
        elif not self._closed:
            self._waiting += data
            if len(self._waiting) > MAX_WAITING_BYTES:
                self._device.pause_reading()

    def pause(self) -> None:
        """Take no more from the platform: the device does not take it."""
        if self._upstream is not None:
            self._upstream.pause_reading()

    def resume(self) -> None:
        """Undo :meth:`pause`."""
        if self._upstream is not None:
            self._upstream.resume_reading()

    def device_ended(self) -> None:
        """Tell the platform that the device will say no more; it may still be answered."""
        self._device_ended = True
        if self._upstream is not None:
            self._end_half(self._upstream)

    def _end_half(self, transport: asyncio.Transport) -> None:
        """End one direction; both sides once both directions are over."""
        if self._device_ended and self._platform_ended:
            self.close()
            self._link.end("both sides have ended")
        elif _can_end_half(transport):
            transport.write_eof()

    def close(self) -> None:
        """End the platform's side, as the device ended its own; what it said is still delivered.

        A device that connects, reports and leaves may be gone before the platform has accepted: it gets all the same.
        """
        self._closed = True
        if self._upstream is not None:
            self._upstream.close()
        elif self._task is not None and not self._waiting:
            self._task.cancel()

    # From the platform

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._upstream = transport
        self._link.bench.relay_found(self._link)
        if self._waiting:
            transport.write(bytes(self._waiting))
            self._waiting.clear()
            if not self._device.is_closing():
                self._device.resume_reading()
        if self._closed:
            transport.close()
        elif self._device_ended:
            self._end_half(transport)

    def data_received(self, data: bytes) -> None:
        self._link.send(data, by="platform")

    def pause_writing(self) -> None:
        self._device.pause_reading()

    def resume_writing(self) -> None:
        self._device.resume_reading()

    def eof_received(self) -> bool:
        self._platform_ended = True
        self._end_half(self._device)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._closed:
            self._closed = True
            self._link.end("closed by the platform")


def _can_end_half(transport: asyncio.Transport) -> bool:
    try:
        return transport.can_write_eof()
    except NotImplementedError:
        return False
