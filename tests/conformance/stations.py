"""A simulated door on real loopback and the real clock, on a thread of its own."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from conformance.demo import MN, PW
from simulator.behaviour import Behaviour
from simulator.clock import wall_epoch
from simulator.personalities.door import DoorController, DoorSettings
from simulator.station import Station

__all__ = ["free_port", "read_until", "station_at"]

#: How long a program may take to say what it is expected to.
READ_S = 20.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def read_until(descriptor: int, words: str, limit_s: float = READ_S) -> str:
    """Read what a program shows until it has shown ``words``; POSIX only."""
    shown = b""
    end = time.monotonic() + limit_s
    while words.encode() not in shown:
        assert time.monotonic() < end, f"{words!r} is not in {shown.decode(errors='replace')}"
        if select.select([descriptor], [], [], 0.5)[0]:
            data = os.read(descriptor, 65536)
            assert data, f"{words!r} is not in {shown.decode(errors='replace')}, which is the end"
            shown += data
    return shown.decode(errors="replace")


@contextmanager
def station_at(
    port: int, *, mn: str = MN, pw: str = PW, interval_s: int = 900, clock_error_s: float = 0.0
) -> Iterator[DoorController]:
    """Let a door report to a port of this computer until the block ends; it tries again until somebody listens."""
    loop = asyncio.new_event_loop()
    behaviour = Behaviour(clock_error_s=clock_error_s)
    settings = DoorSettings(mn=mn, pw=pw, interval_s=interval_s)
    door = DoorController(settings, behaviour, loop.time(), wall_epoch(loop))

    async def live() -> None:
        while True:
            try:
                probe = await loop.create_connection(asyncio.Protocol, "127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            probe[0].abort()
            await Station(door, "127.0.0.1", port).run()

    async def until_stopped() -> None:
        life = loop.create_task(live())
        await stop.wait()
        life.cancel()
        await asyncio.gather(life, return_exceptions=True)

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(until_stopped(),), daemon=True)
    thread.start()
    try:
        yield door
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10.0)
        assert not thread.is_alive()
        loop.close()
