"""What virtual time runs on: memory, or real loopback sockets that know how many bytes are under way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

__all__ = ["LoopbackNetwork", "MemoryNetwork"]

ProtocolFactory = Callable[[], asyncio.Protocol]
Address = tuple[str, int]

#: The first port a memory network gives to a server that asks for any.
FIRST_PORT: Final = 40000


class _Listener:
    """What ``create_server`` of a memory network returns: as much of :class:`asyncio.Server` as its users need."""

    def __init__(self, network: MemoryNetwork, address: tuple[str, int]) -> None:
        self._network = network
        self._address = address

    @property
    def sockets(self) -> tuple[_Listener, ...]:
        return (self,)

    def getsockname(self) -> tuple[str, int]:
        return self._address

    def close(self) -> None:
        self._network.listeners.pop(self._address[1], None)

    async def wait_closed(self) -> None:
        """Nothing to wait for."""


class MemoryNetwork:
    """Connections and datagrams without sockets: bytes arrive at the next turn of the loop, whole and in order.

    A port is one of the whole network, whatever the address. A datagram to a port that nobody has is lost.
    """

    #: Bytes under way are callbacks that are ready to run, so a loop about to wait has none.
    quiet = True

    def __init__(self) -> None:
        self.listeners: dict[int, ProtocolFactory] = {}
        self.bound: dict[int, _MemoryDatagrams] = {}
        self._next_port = FIRST_PORT

    def describe(self) -> str:
        return f"memory network, {len(self.listeners)} listeners, {len(self.bound)} bound for datagrams"

    def _take_port(self) -> int:
        self._next_port += 1
        return self._next_port

    def create_server(self, factory: ProtocolFactory, host: str, port: int | None) -> _Listener:
        port = port or self._take_port()
        if port in self.listeners:
            raise OSError(f"address already in use: {host}:{port}")
        self.listeners[port] = factory
        return _Listener(self, (host, port))

    def create_connection(
        self, factory: ProtocolFactory, host: str, port: int
    ) -> tuple[asyncio.Transport, asyncio.Protocol]:
        accept = self.listeners.get(port)
        if accept is None:
            raise ConnectionRefusedError(f"nobody listens on {host}:{port}")
        here, there = (host, self._take_port()), (host, port)
        client, server = _MemoryTransport(here, there), _MemoryTransport(there, here)
        client.peer, server.peer = server, client
        client.protocol, server.protocol = factory(), accept()
        loop = asyncio.get_running_loop()
        loop.call_soon(server.protocol.connection_made, server)  # ahead of the first bytes the client writes
        client.protocol.connection_made(client)
        return client, client.protocol

    def create_datagram_endpoint(
        self, factory: Callable[[], asyncio.DatagramProtocol], local: Address
    ) -> tuple[asyncio.DatagramTransport, asyncio.DatagramProtocol]:
        host, port = local[0], local[1] or self._take_port()
        if port in self.bound:
            raise OSError(f"address already in use: {host}:{port}")
        protocol = factory()
        transport = self.bound[port] = _MemoryDatagrams(self, protocol, (host, port))
        protocol.connection_made(transport)
        return transport, protocol


class _MemoryDatagrams(asyncio.DatagramTransport):
    """A bound port."""

    def __init__(self, network: MemoryNetwork, protocol: asyncio.DatagramProtocol, here: Address) -> None:
        super().__init__({"sockname": here})
        self._network = network
        self._protocol = protocol
        self._here = here
        self._loop = asyncio.get_running_loop()

    def sendto(self, data: bytes | bytearray | memoryview, addr: Any = None) -> None:
        if not self.is_closing():
            self._loop.call_soon(self._deliver, bytes(data), addr[1])

    def _deliver(self, data: bytes, port: int) -> None:
        there = self._network.bound.get(port)
        if there is not None:
            there._protocol.datagram_received(data, self._here)

    def is_closing(self) -> bool:
        return self._network.bound.get(self._here[1]) is not self

    def close(self) -> None:
        if not self.is_closing():
            del self._network.bound[self._here[1]]
            self._loop.call_soon(self._protocol.connection_lost, None)

    def abort(self) -> None:
        self.close()


class _MemoryTransport(asyncio.Transport):
    peer: _MemoryTransport
    protocol: asyncio.Protocol

    def __init__(self, here: tuple[str, int], there: tuple[str, int]) -> None:
        super().__init__({"sockname": here, "peername": there})
        self._loop = asyncio.get_running_loop()
        self._closing = False
        self._lost = False
        self._deaf: list[bytes] | None = None  # what came while nobody reads

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._closing:
            self._loop.call_soon(self.peer._receive, bytes(data))

    def _receive(self, data: bytes) -> None:
        if self._closing:
            return
        if self._deaf is not None:
            self._deaf.append(data)
        else:
            self.protocol.data_received(data)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = cast(asyncio.Protocol, protocol)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self._closing:
            self._loop.call_soon(self.peer._half_end)

    def _half_end(self) -> None:
        if not self._closing and not self.protocol.eof_received():
            self.close()

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self._lose)
            self._loop.call_soon(self.peer._end)

    def abort(self) -> None:
        self.close()

    def _end(self) -> None:
        if not self._closing:
            self.protocol.eof_received()
            self._closing = True
        self._lose()

    def _lose(self) -> None:
        if not self._lost:
            self._lost = True
            self.protocol.connection_lost(None)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Nothing is buffered."""

    def pause_reading(self) -> None:
        if self._deaf is None:
            self._deaf = []

    def resume_reading(self) -> None:
        waiting, self._deaf = self._deaf, None
        for data in waiting or ():
            self._loop.call_soon(self._receive, data)


class LoopbackNetwork:
    """Real TCP between two ends in this process; counts what was written and not yet read.

    Each end is wrapped: what one writes is under way until the other has read it, a close until the other has seen
    it, a connection until it is accepted.
    """

    def __init__(self) -> None:
        self._wires: dict[frozenset[Any], _Wire] = {}
        self._connecting = 0

    @property
    def quiet(self) -> bool:
        """Whether nothing is under way."""
        return not self._connecting and not any(wire.busy for wire in self._wires.values())

    def describe(self) -> str:
        unread = sum(sum(wire.unread.values()) for wire in self._wires.values())
        return f"{unread} bytes unread on {len(self._wires)} connections, {self._connecting} connecting"

    @contextmanager
    def connecting(self) -> Iterator[None]:
        self._connecting += 1
        try:
            yield
        finally:
            self._connecting -= 1

    def metered(self, factory: ProtocolFactory) -> Callable[[], _MeteredProtocol]:
        return lambda: _MeteredProtocol(self, factory())

    accepting = metered

    def attach(self, end: _MeteredProtocol) -> _Wire:
        wire = self._wires.setdefault(frozenset((end.here, end.there)), _Wire())
        wire.attach(end)
        return wire

    def detach(self, end: _MeteredProtocol, wire: _Wire) -> None:
        wire.lose(end)
        if not wire.alive:
            self._wires.pop(frozenset((end.here, end.there)), None)


class _Wire:
    """One connection with both its ends."""

    def __init__(self) -> None:
        self.alive: list[_MeteredProtocol] = []
        self.unread: dict[Any, int] = {}  # by the reader's address: bytes written to it and not yet read
        self._complete = False
        self._closed_by: set[_MeteredProtocol] = set()
        self._saw_end: set[_MeteredProtocol] = set()

    @property
    def busy(self) -> bool:
        """Whether something is under way: an accept, bytes, or a close the other end has not seen."""
        if not self._complete:
            return True
        for end in self.alive:
            if self.unread.get(end.here, 0) > 0:
                return True
            if end not in self._saw_end and any(other is not end for other in self._closed_by):
                return True
        return False

    def attach(self, end: _MeteredProtocol) -> None:
        self.alive.append(end)
        self._complete = self._complete or len(self.alive) == 2

    def wrote(self, end: _MeteredProtocol, size: int) -> None:
        self.unread[end.there] = self.unread.get(end.there, 0) + size

    def read(self, end: _MeteredProtocol, size: int) -> None:
        self.unread[end.here] = self.unread.get(end.here, 0) - size

    def close(self, end: _MeteredProtocol) -> None:
        self._closed_by.add(end)

    def saw_end(self, end: _MeteredProtocol) -> None:
        self._saw_end.add(end)

    def lose(self, end: _MeteredProtocol) -> None:
        self.close(end)
        self.alive.remove(end)
        self._complete = True


class _MeteredProtocol(asyncio.Protocol):
    """Stands before a protocol and tells the network what it reads and when its transport is gone."""

    transport: _MeteredTransport

    def __init__(self, network: LoopbackNetwork, inner: asyncio.Protocol) -> None:
        self._network = network
        self.inner = inner

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.here, self.there = transport.get_extra_info("sockname"), transport.get_extra_info("peername")
        self._wire = self._network.attach(self)
        self.transport = _MeteredTransport(transport, self, self._wire)
        self.inner.connection_made(self.transport)

    def data_received(self, data: bytes) -> None:
        self._wire.read(self, len(data))
        self.inner.data_received(data)

    def eof_received(self) -> bool | None:
        self._wire.saw_end(self)
        return self.inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self._network.detach(self, self._wire)
        self.inner.connection_lost(exc)

    def pause_writing(self) -> None:
        self.inner.pause_writing()

    def resume_writing(self) -> None:
        self.inner.resume_writing()


class _MeteredTransport(asyncio.Transport):
    """Stands behind a protocol and tells the network what it writes and that it closes."""

    def __init__(self, real: asyncio.Transport, end: _MeteredProtocol, wire: _Wire) -> None:
        super().__init__()
        self._real = real
        self._end = end
        self._wire = wire

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._real.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._real.is_closing():
            self._wire.wrote(self._end, len(data))
            self._real.write(data)

    def is_closing(self) -> bool:
        return self._real.is_closing()

    def close(self) -> None:
        self._wire.close(self._end)
        self._real.close()

    def abort(self) -> None:
        self._wire.close(self._end)
        self._real.abort()

    def write_eof(self) -> None:
        self._real.write_eof()

    def can_write_eof(self) -> bool:
        return self._real.can_write_eof()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._real.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._real.get_write_buffer_size()

    def pause_reading(self) -> None:
        self._real.pause_reading()

    def resume_reading(self) -> None:
        self._real.resume_reading()

    def is_reading(self) -> bool:
        return self._real.is_reading()
