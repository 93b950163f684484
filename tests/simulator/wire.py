"""What goes over the wire, read without any of our own code: frames, check values, segments, ends of connections.

A recording platform answers on loopback what it can read. What stations sent is read from a capture of the loopback
interface where this machine can make one, and from the bytes of the platform's sockets where it cannot.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

HOST = "127.0.0.1"
PATIENCE_S = 20.0
#: A frame, whatever its length and check value say: two hashes, up to the next two.
_BEGIN = re.compile(rb"##")
_FRAME = re.compile(rb"##([0-9]{4})(.*?&&)([0-9A-F]{4})\r\n", re.DOTALL)


def crc(segment: bytes) -> int:
    """The check value of HJ 212, bit by bit as its annex tells it."""
    register = 0xFFFF
    for byte in segment:
        register = (register >> 8) ^ byte
        for _ in range(8):
            carry = register & 1
            register >>= 1
            if carry:
                register ^= 0xA001
    return register


def modbus(segment: bytes) -> int:
    """CRC-16/MODBUS, bit by bit."""
    register = 0xFFFF
    for byte in segment:
        register ^= byte
        for _ in range(8):
            register = (register >> 1) ^ (0xA001 if register & 1 else 0)
    return register


def frame_of(segment: bytes) -> bytes:
    return b"##%04d%s%04X\r\n" % (len(segment), segment, crc(segment))


def value(frame: bytes, name: str) -> str:
    """The first value of a name in a frame, empty where it has none."""
    found = re.search(rb"(?<![A-Za-z])%s=([^;,&]*)" % name.encode(), frame)
    return found[1].decode("utf-8", "replace") if found else ""


def whole_frames(data: bytes) -> list[tuple[int, bytes]]:
    """The frames in a stream that are right in every way, with their places."""
    found = []
    for match in _FRAME.finditer(data):
        if int(match[1]) == len(match[2]) and int(match[3], 16) == crc(match[2]):
            found.append((match.start(), match[0]))
    return found


def rough_frames(data: bytes) -> list[bytes]:
    """A stream cut before every two hashes; what is no HJ 212 at all is cut into lines."""
    places = [match.start() for match in _BEGIN.finditer(data)]
    if not places:
        return data.splitlines(keepends=True)
    ends = [*places[1:], len(data)]
    return [data[begin:end] for begin, end in zip(places, ends, strict=True)]


# A platform


@dataclass
class Stream:
    """One connection as the platform saw it."""

    source: str
    port: int
    data: list[tuple[float, bytes]] = field(default_factory=list)

    @property
    def bytes(self) -> bytes:
        return b"".join(piece for _, piece in self.data)


@dataclass
class Record:
    """What a recording platform saw, and how it behaves."""

    streams: list[Stream] = field(default_factory=list)
    acknowledges: Callable[[str, bytes, float], bool] = lambda source, frame, now: True
    transports: set[asyncio.Transport] = field(default_factory=set)
    greets: Callable[[str, bytes], list[bytes]] = lambda source, frame: []
    port: int = 0

    def of(self, source: str) -> list[Stream]:
        return [stream for stream in self.streams if stream.source == source]


class Recorder(asyncio.Protocol):
    """The platform's side of a link: answers every frame of which it can make out a QN."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._pending = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._record.transports.add(transport)
        peer = transport.get_extra_info("peername")
        self.stream = Stream(peer[0], peer[1])
        self._record.streams.append(self.stream)

    def connection_lost(self, exc: Exception | None) -> None:
        self._record.transports.discard(self.transport)

    def data_received(self, data: bytes) -> None:
        now = asyncio.get_running_loop().time()
        self.stream.data.append((now, data))
        self._pending += data
        while found := re.search(rb"##.*?CP=&&.*?&&[0-9A-Fa-f]{1,4}(\r\n|\n|\Z)", self._pending, re.DOTALL):
            frame = found[0]
            self._pending = self._pending[found.end() :]
            self._answer(frame, now)

    def _answer(self, frame: bytes, now: float) -> None:
        flag = value(frame, "Flag")
        wanted = flag.isdecimal() and int(flag) & 1
        if wanted and self._record.acknowledges(self.stream.source, frame, now):
            head = "QN={};ST=91;CN=9014;PW={};MN={};Flag=4;CP=&&&&"
            text = head.format(value(frame, "QN"), value(frame, "PW"), value(frame, "MN"))
            self.transport.write(frame_of(text.encode()))
        for segment in self._record.greets(self.stream.source, frame):
            self.transport.write(frame_of(segment))

    def eof_received(self) -> bool:
        # Whoever still listens takes this in; whose socket is closed answers with RST.
        self.transport.write(frame_of(b"QN=20250101000000000;ST=91;CN=9013;PW=;MN=;Flag=4;CP=&&&&"))
        asyncio.get_running_loop().call_later(0.2, self.transport.close)
        return True


@contextmanager
def recording(record: Record) -> Iterator[Record]:
    """A recording platform in a thread of its own."""
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    done = asyncio.Event()

    async def serve() -> None:
        server = await loop.create_server(lambda: Recorder(record), HOST, record.port)
        record.port = server.sockets[0].getsockname()[1]
        ready.set()
        await done.wait()
        server.close()
        for transport in [*record.transports]:
            transport.abort()
        await asyncio.sleep(0.3)

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(PATIENCE_S)
        yield record
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(PATIENCE_S)


# A capture


@dataclass(frozen=True)
class Packet:
    """One TCP segment."""

    at: float
    source: str
    source_port: int
    target_port: int
    fin: bool
    rst: bool
    payload: bytes
    sequence: int


def can_capture() -> bool:
    """Whether this machine has the tools and lets us use them; with CI set it must."""
    if os.environ.get("CI"):
        return True
    return bool(shutil.which("tshark") and shutil.which("dumpcap")) and os.name == "posix" and os.geteuid() == 0


@contextmanager
def captured(port: int, file: Path) -> Iterator[None]:
    """Capture what goes to and from a port of loopback."""
    program = shutil.which("dumpcap")
    assert program, "dumpcap is not installed (Debian: wireshark-common)"
    capture = subprocess.Popen(
        [program, "-q", "-i", "lo", "-f", f"tcp port {port}", "-w", str(file), "-B", "16"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _knock_until_seen(port, "127.0.9.1", file, capture)
        yield
        _knock_until_seen(port, "127.0.9.2", file, capture)
    finally:
        capture.terminate()
        _, said = capture.communicate(timeout=PATIENCE_S)
    dropped = re.search(r"received/dropped on interface.*?: \d+/(\d+)", said)
    assert dropped is None or int(dropped[1]) == 0, said


def _knock_until_seen(port: int, source: str, file: Path, capture: subprocess.Popen[str]) -> None:
    """Connect from an address until it is in the file: the capture has begun, or has come up to here."""
    deadline = time.monotonic() + PATIENCE_S
    while not (file.exists() and socket.inet_aton(source) in file.read_bytes()):
        assert capture.poll() is None, capture.communicate()[1]
        assert time.monotonic() < deadline, "dumpcap sees nothing"
        with socket.socket() as knocking:
            knocking.bind((source, 0))
            knocking.connect_ex((HOST, port))
        time.sleep(0.2)


def packets(file: Path) -> list[Packet]:
    """Read a capture with tshark."""
    program = shutil.which("tshark")
    assert program, "tshark is not installed (Debian: tshark)"
    names = ("frame.time_epoch", "ip.src", "tcp.srcport", "tcp.dstport", "tcp.flags.fin", "tcp.flags.reset")
    wanted = [part for name in (*names, "tcp.seq_raw", "tcp.payload") for part in ("-e", name)]
    done = subprocess.run(
        [program, "-n", "-r", str(file), "-Y", "tcp", "-T", "fields", *wanted],
        capture_output=True, text=True, timeout=120, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = []
    for line in done.stdout.splitlines():
        at, source, source_port, target_port, fin, rst, sequence, payload = line.split("\t")
        found.append(
            Packet(
                float(at), source, int(source_port), int(target_port), fin in ("1", "True"), rst in ("1", "True"),
                bytes.fromhex(payload.replace(":", "")), int(sequence),
            )
        )  # fmt: skip
    return found


# A ledger


def acted(ledger: Path) -> Counter[str]:
    """How often each fault acted, by the ledger: plain lines of JSON."""
    found: Counter[str] = Counter()
    for line in ledger.read_text("ascii").splitlines():
        entry = json.loads(line)
        if isinstance(entry, list) and entry[0] == "s" and len(entry) > 3:
            found.update(entry[3])
        elif isinstance(entry, list) and entry[0] == "f":
            found.update(entry[4])
    return found
