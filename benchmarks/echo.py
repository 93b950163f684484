"""Bytes to and fro without a protocol: as fast as a machine and its loop go. As a process: the side that answers."""

from __future__ import annotations

import asyncio
import sys
from typing import cast

from simulator.engine.health import check_descriptors
from stationgate.loops import loop_factory

#: Connections that may wait to be accepted.
BACKLOG = 4096
SIZE = 200


class Echo(asyncio.Protocol):
    """Sends back what comes, and counts."""

    count = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        type(self).count += 1
        self.transport.write(data)


async def ask(port: int, connections: int, seconds: float) -> float:
    """Return how many times a second it goes to and fro, over all connections."""
    loop = asyncio.get_running_loop()
    transports = []
    for _ in range(connections):
        transport, _protocol = await loop.create_connection(Echo, "127.0.0.1", port)
        transports.append(transport)
        transport.write(b"x" * SIZE)
    begin, before = loop.time(), Echo.count
    await asyncio.sleep(seconds)
    per_s = (Echo.count - before) / (loop.time() - begin)
    for transport in transports:
        transport.abort()
    await asyncio.sleep(0.1)
    return per_s


async def serve(seconds: float) -> None:
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", 0, backlog=BACKLOG)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(seconds)


if __name__ == "__main__":
    check_descriptors(int(sys.argv[2]))
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(serve(float(sys.argv[1])))
