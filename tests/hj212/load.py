"""Stations that only send and count what is acknowledged: load for the platform, in this process or one of its own.

python load.py PORT --stations 1000 --frames 200 --window 8        prints one line of JSON at the end
python load.py PORT --silent 5000 --slow 5000                      says nothing, or a byte now and then
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import time
from contextlib import suppress

from hj212.framing import build_frame

HOST = "127.0.0.1"
#: Links dialled at once: more than the listener's backlog holds would only be refused.
DIALLING = 100
#: Between two bytes of a slow station.
SLOW_S = 0.5

_QN = re.compile(rb"QN=([0-9]{17})")
_BODY = (
    ";ST=32;CN=2011;PW=123456;MN=%024d;Flag=5;CP=&&DataTime=20240102030400;w01001-Rtd=7.1,w01001-Flag=N;"
    "w01018-SampleTime=20240102020000,w01018-Rtd=2.2,w01018-Flag=N,w01018-EFlag=A01&&"
)


def qn_of(number: int) -> str:
    """Return the QN of a station's frame, rising with its number."""
    minutes, millis = divmod(number, 60_000)
    return f"20240102{minutes // 60:02d}{minutes % 60:02d}{millis // 1000:02d}{millis % 1000:03d}"


def frame_of(station: int, number: int) -> bytes:
    return build_frame((f"QN={qn_of(number)}" + _BODY % station).encode())


class Station(asyncio.Protocol):
    """One station: so many frames on the way at a time; what was on the way when the link broke is sent again."""

    def __init__(self, number: int, frames: int, window: int) -> None:
        self.acknowledged: list[bytes] = []  # QNs, in order
        self._window = window
        self._left = [(qn_of(each).encode(), frame_of(number, each)) for each in range(frames - 1, -1, -1)]
        self._on_the_way: dict[bytes, bytes] = {}
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self.done = asyncio.Event()
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._received = b""
        self.lost.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self.lost.set()

    def begin(self) -> None:
        if self._transport:
            self._transport.write(b"".join(self._on_the_way.values()))
        self._fill()

    def close(self) -> None:
        if self._transport:
            self._transport.abort()

    def _fill(self) -> None:
        room = self._window - len(self._on_the_way)
        if not self._transport or room <= 0:
            return
        taken = [self._left.pop() for _ in range(min(room, len(self._left)))]
        self._on_the_way.update(taken)
        self._transport.write(b"".join(frame for _, frame in taken))
        if not self._on_the_way:
            self.done.set()

    def data_received(self, data: bytes) -> None:
        whole, tail, rest = (self._received + data).rpartition(b"\r\n")
        self._received = rest
        for qn in _QN.findall(whole + tail):
            if self._on_the_way.pop(qn, None):
                self.acknowledged.append(qn)
        self._fill()


class Quiet(asyncio.Protocol):
    """A link that never sends a whole frame."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]


async def dial(protocol: asyncio.Protocol, port: int) -> None:
    await asyncio.get_running_loop().create_connection(lambda: protocol, HOST, port)


async def dial_all(protocols: list[asyncio.Protocol], port: int) -> None:
    for at in range(0, len(protocols), DIALLING):
        await asyncio.gather(*(dial(each, port) for each in protocols[at : at + DIALLING]))


async def report(port: int, count: int, frames: int, window: int, limit_s: float) -> dict[str, float]:
    """Send everything and count."""
    stations = [Station(number, frames, window) for number in range(count)]
    await dial_all([*stations], port)
    began = time.perf_counter()
    for station in stations:
        station.begin()
    with suppress(TimeoutError):
        async with asyncio.timeout(limit_s):
            for station in stations:
                await station.done.wait()
    took = time.perf_counter() - began
    acknowledged = sum(len(station.acknowledged) for station in stations)
    for station in stations:
        station.close()
    return {"acknowledged": acknowledged, "seconds": took, "cpu_seconds": time.process_time()}


async def linger(port: int, silent: int, slow: int, limit_s: float) -> None:
    """Hold links open until standard input ends; the slow ones send a frame byte by byte and never finish it."""
    quiet = [Quiet() for _ in range(silent + slow)]
    await dial_all([*quiet], port)
    print(json.dumps({"open": len(quiet)}), flush=True)
    loop = asyncio.get_running_loop()
    ended = loop.run_in_executor(None, sys.stdin.read)
    content = frame_of(0, 0)[:-20]
    for byte in content * 1000:
        for each in quiet[silent:]:
            each.transport.write(bytes([byte]))
        done, _ = await asyncio.wait([ended], timeout=SLOW_S)
        if done or loop.time() > limit_s:
            break


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    for name in ("stations", "frames", "silent", "slow"):
        parser.add_argument(f"--{name}", type=int, default=0)
    parser.add_argument("--window", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    with suppress(ImportError):
        import uvloop

        uvloop.install()
    if options.stations:
        result = asyncio.run(report(options.port, options.stations, options.frames, options.window, options.seconds))
        print(json.dumps(result))
    else:
        asyncio.run(linger(options.port, options.silent, options.slow, time.monotonic() + options.seconds))


if __name__ == "__main__":
    main()
