"""A process that answers every upload and keeps nothing, to measure fleets with: prints its port, ends by itself.

``python sink.py SECONDS CONNECTIONS [PORT]``; several may share a port where the system divides connections.
"""

from __future__ import annotations

import asyncio
import sys

from simulator.engine.health import check_descriptors
from simulator.engine.sink import Sink
from stationgate.loops import loop_factory

#: Connections that may wait to be accepted.
BACKLOG = 4096


async def serve(seconds: float, port: int, shared: bool) -> None:
    server = await asyncio.get_running_loop().create_server(
        Sink, "127.0.0.1", port, backlog=BACKLOG, reuse_port=shared or None
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.sleep(seconds)


if __name__ == "__main__":
    check_descriptors(int(sys.argv[2]))
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        port = int(sys.argv[3]) if len(sys.argv) > 3 else 0
        runner.run(serve(float(sys.argv[1]), port, len(sys.argv) > 3))
