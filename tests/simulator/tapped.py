"""Runs on a virtual clock of which every byte is written down as a network capture."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from conformance.bundle import pcapng
from hj212 import HJ_212_2017, Message, compose
from hj212.framing import Frame
from simulator import transport
from simulator.engine import Options, fleet, run_fleet_virtual
from simulator.engine.sink import Sink
from simulator.scenario import Scenario

__all__ = ["PLATFORM", "STATION", "AskingSink", "DeafSink", "Tap", "captured"]

#: Addresses of the two ends of every link, of documentation (TEST-NET-1 and 2): nobody's.
STATION, PLATFORM = "192.0.2.7", "198.51.100.9"
#: Longer writes are cut, as TCP does.
SEGMENT_BYTES = 1400
_TCP, _UDP = 6, 17
_PUSH_ACK = 0x18


class Tap:
    """Packets as they would be on a wire, with the time of the running loop."""

    def __init__(self, epoch: float) -> None:
        self.packets: list[tuple[float, bytes]] = []
        self._epoch = epoch
        self._sent: dict[tuple[int, int], int] = {}

    def _add(self, here: int, there: int, protocol: int, data: bytes) -> None:
        # Clients are given their ports after the servers.
        ends = (STATION, PLATFORM) if here > there else (PLATFORM, STATION)
        addresses = b"".join(bytes(map(int, end.split("."))) for end in ends)
        head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(data), 0, 0, 64, protocol, 0)
        self.packets.append((self._epoch + asyncio.get_running_loop().time(), head + addresses + data))

    def stream(self, here: int, there: int, data: bytes) -> None:
        for at in range(0, len(data), SEGMENT_BYTES):
            part = data[at : at + SEGMENT_BYTES]
            seq = self._sent.get((here, there), 1)
            self._sent[here, there] = seq + len(part)
            ack = self._sent.get((there, here), 1)
            self._add(
                here, there, _TCP, struct.pack(">HHIIBBHHH", here, there, seq, ack, 0x50, _PUSH_ACK, 0, 0, 0) + part
            )

    def datagram(self, here: int, there: int, data: bytes) -> None:
        self._add(here, there, _UDP, struct.pack(">HHHH", here, there, 8 + len(data), 0) + data)

    def write(self, path: Path) -> Path:
        """Write a capture: of the new kind where the name says so, else of the old one."""
        stamped = [(round(time * 1_000_000), data) for time, data in self.packets]
        if path.suffix == ".pcapng":
            blocks = [pcapng.section((), "tests"), pcapng.interface("tap")]
            path.write_bytes(b"".join((*blocks, *(pcapng.packet(data, us, "") for us, data in stamped))))
        else:
            parts = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262_144, pcapng.LINKTYPE_RAW)]
            for us, data in stamped:
                parts.append(struct.pack("<IIII", *divmod(us, 1_000_000), len(data), len(data)) + data)
            path.write_bytes(b"".join(parts))
        return path


@contextmanager
def tap(epoch: float) -> Iterator[Tap]:
    """Write down whatever memory networks carry meanwhile."""
    made = Tap(epoch)
    with pytest.MonkeyPatch.context() as patch:
        write, sendto = transport._MemoryTransport.write, transport._MemoryDatagrams.sendto

        def tapped_write(self: Any, data: bytes) -> None:
            made.stream(self.get_extra_info("sockname")[1], self.get_extra_info("peername")[1], bytes(data))
            write(self, data)

        def tapped_sendto(self: Any, data: bytes, addr: Any = None) -> None:
            made.datagram(self._here[1], addr[1], bytes(data))
            sendto(self, data, addr)

        patch.setattr(transport._MemoryTransport, "write", tapped_write)
        patch.setattr(transport._MemoryDatagrams, "sendto", tapped_sendto)
        yield made


def captured(scenario: Scenario, path: Path, sink: type[Sink] = Sink) -> Path:
    """Play a scenario on a virtual clock against a platform in memory, and write a capture of it."""
    assert scenario.epoch is not None
    with tap(scenario.epoch) as made, pytest.MonkeyPatch.context() as patch:
        patch.setattr(fleet, "Sink", sink)
        run_fleet_virtual(scenario, Options())
    return made.write(path)


class DeafSink(Sink):
    """A platform that takes everything in and acknowledges nothing for the first half hour."""

    __slots__ = ()
    DEAF_S = 1800.0

    def _answer(self, frame: Frame) -> bytes:
        return super()._answer(frame) if asyncio.get_running_loop().time() >= self.DEAF_S else b""


class AskingSink(Sink):
    """A platform that asks each door that it hears for the first time what its clock shows, and for its state."""

    __slots__ = ("_asked",)

    def __init__(self) -> None:
        super().__init__()
        self._asked = False

    def _answer(self, frame: Frame) -> bytes:
        answer = super()._answer(frame)
        if self._asked:
            return answer
        self._asked = True
        said = Message.from_bytes(frame.segment)
        for number, (cn, items) in enumerate((("1011", []), ("3020", [[["InfoId", "i32001"]]]))):
            qn = f"2025030408000500{number}"
            request = compose(HJ_212_2017, qn=qn, st=said.st, cn=cn, pw=said.pw, mn=said.mn, items=items, answer=True)
            answer += request.encode(HJ_212_2017)
        return answer
