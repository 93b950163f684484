"""Sockets under an endpoint: UDP and TCP on one port, and the alarms of its timers (GB/T 28181-2022 4.3.2, 5.1)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any, Final, cast

from ..sip.endpoint import Endpoint
from ..sip.transactions import Flow

__all__ = ["MAX_CONNECTIONS", "Transport"]

#: TCP connections at a time: each is a device, or a gateway of many.
MAX_CONNECTIONS: Final = 20_000
#: Receive buffer of the UDP socket: a thousand devices that answer at once.
UDP_BUFFER: Final = 4 * 1024 * 1024
#: Bytes that may wait for a peer that does not read; then its connection is closed.
MAX_WAITING_BYTES: Final = 4 * 1024 * 1024
#: Seconds that a connection may take to be made.
DIAL_S: Final = 10.0


class Transport:
    """Drives an endpoint on asyncio.

    Args:
        endpoint: The user agent.
        step: Called with the time after anything went in: takes what the endpoint reports.
        closed: Called with a connection that ended, and the time.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        step: Callable[[float], None],
        closed: Callable[[Flow, float], None] = lambda flow, now: None,
    ) -> None:
        self.endpoint = endpoint
        self.port = 0
        self.datagrams_dropped = 0  #: written while the system took none
        self._step = step
        self._closed = closed
        self._loop = asyncio.get_running_loop()
        self._udp: asyncio.DatagramTransport | None = None
        self._server: asyncio.Server | None = None
        self._connections: dict[Flow, asyncio.Transport] = {}
        self._ids = count(1)
        self._alarm: asyncio.TimerHandle | None = None
        self._due: float | None = None
        self._scheduled = False
        self._local = ("", 0)
        self.failure: BaseException | None = None
        self.failed: Callable[[BaseException], None] = lambda error: None

    @property
    def now(self) -> float:
        """The loop's clock, in seconds."""
        return self._loop.time()

    # Ways

    async def bind(self, host: str, port: int, *, tcp: bool = True) -> None:
        """Listen on an address; port 0 takes a free one, the same for UDP and TCP.

        Raises:
            OSError: If the port cannot be had.
        """
        for last in (False, False, False, True):
            try:
                await self._bind_both(host, port, tcp)
                return
            except OSError:
                await self.close()
                if port or last:
                    raise

    async def _bind_both(self, host: str, port: int, tcp: bool) -> None:
        # Bound here and not by the loop: uvloop leaves a socket open whose port is taken.
        family, kind, protocol, _name, address = (
            await self._loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
        )[0]
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UDP_BUFFER)
            sock.bind(address)
            udp, _ = await self._loop.create_datagram_endpoint(lambda: _Datagrams(self), sock=sock)
        except BaseException:
            sock.close()
            raise
        self._udp = udp
        self._local = tuple(udp.get_extra_info("sockname")[:2])
        self.port = self._local[1]
        if tcp:
            self._server = await self._loop.create_server(lambda: _Stream(self), host, self.port)

    def udp_flow(self, peer: tuple[str, int]) -> Flow:
        """Return the way to an address by the bound port."""
        return Flow("UDP", peer, self._local)

    async def connect(self, host: str, port: int, local: str = "") -> Flow:
        """Open a connection; return the way.

        Args:
            host: Address of the peer.
            port: Its port.
            local: Address to connect from; empty: as the system chooses.

        Raises:
            OSError: If it cannot be opened in time.
        """
        try:
            async with asyncio.timeout(DIAL_S):
                _, protocol = await self._loop.create_connection(
                    lambda: _Stream(self), host, port, local_addr=(local, 0) if local else None
                )
        except TimeoutError as error:
            raise OSError(f"{host}:{port} did not answer in {DIAL_S:g} s") from error
        assert protocol.flow is not None
        return protocol.flow

    async def close(self) -> None:
        """Close every socket; what was written before is still sent."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        for connection in list(self._connections.values()):
            connection.close()
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._udp is not None:
            self._udp.close()
            self._udp = None
        await asyncio.sleep(0)

    # What comes in

    def opened(self, transport: asyncio.Transport) -> Flow | None:
        """Take a connection; ``None`` where there are as many as there may be."""
        if len(self._connections) >= MAX_CONNECTIONS:
            transport.abort()
            return None
        peer, local = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        flow = Flow("TCP", tuple(peer[:2]), tuple(local[:2]), next(self._ids))
        transport.set_write_buffer_limits(high=MAX_WAITING_BYTES)
        self._connections[flow] = transport
        return flow

    def lost(self, flow: Flow) -> None:
        """Take note that a connection ended."""
        if self._connections.pop(flow, None) is not None:
            now = self.now
            self.endpoint.flow_closed(flow, now)
            self._closed(flow, now)
            self.wake()

    def wake(self) -> None:
        """Take a step soon: once for all that comes in one turn of the loop."""
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        self._scheduled = False
        now = self.now
        try:
            self.endpoint.handle_timeout(now)
            self._step(now)
        except Exception as error:
            # A fault of ours; inside a callback of the loop it would only be logged.
            self.failure = error
            self.failed(error)
            return
        self._write()
        when = self.endpoint.next_timeout()
        if when == self._due and self._alarm is not None:
            return
        if self._alarm is not None:
            self._alarm.cancel()
        self._due = when
        self._alarm = None if when is None else self._loop.call_at(when, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        self.wake()

    def _write(self) -> None:
        for flow, data in self.endpoint.data_to_send():
            if flow.transport == "UDP":
                if self._udp is not None and not self._udp.is_closing():
                    self._udp.sendto(data, flow.peer)
                else:
                    self.datagrams_dropped += 1
                continue
            connection = self._connections.get(flow)
            if connection is None:
                continue
            connection.write(data)
            if connection.get_write_buffer_size() > MAX_WAITING_BYTES:
                connection.abort()
        for flow in self.endpoint.flows_to_close():
            connection = self._connections.get(flow)
            if connection is not None:
                connection.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, owner: Transport) -> None:
        self._owner = owner
        self._flows: dict[tuple[str, int], Flow] = {}

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        owner = self._owner
        owner.endpoint.receive_datagram(data, owner.udp_flow((addr[0], addr[1])), owner.now)
        owner.wake()

    def error_received(self, exc: Exception) -> None:
        """A port that nobody listens at: the transaction times out."""


class _Stream(asyncio.Protocol):
    def __init__(self, owner: Transport) -> None:
        self._owner = owner
        self.flow: Flow | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.flow = self._owner.opened(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        if self.flow is not None:
            owner = self._owner
            owner.endpoint.receive_stream(data, self.flow, owner.now)
            owner.wake()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.flow is not None:
            self._owner.lost(self.flow)
