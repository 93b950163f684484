"""Runs on a virtual clock whose every byte is written down as a network capture, by a writer that is not ours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.utils import PcapNgWriter, PcapWriter

from simulator import transport
from simulator.engine import Options, run_fleet_virtual
from simulator.scenario import Scenario

__all__ = ["captured", "tap"]

#: Addresses of the two ends of every link; TEST-NET-1 and 2, so that nobody is meant.
STATION, PLATFORM = "192.0.2.7", "198.51.100.9"
_SEGMENT_BYTES = 1400


class Tap:
    """Packets as they would be on a wire."""

    def __init__(self, epoch: float) -> None:
        self.packets: list[Any] = []
        self._epoch = epoch
        self._sent: dict[tuple[int, int], int] = {}

    def _add(self, packet: Any) -> None:
        packet.time = self._epoch + asyncio.get_running_loop().time()
        self.packets.append(packet)

    @staticmethod
    def _addresses(here: int, there: int) -> dict[str, str]:
        # Clients are given their ports after the servers.
        return {"src": STATION, "dst": PLATFORM} if here > there else {"src": PLATFORM, "dst": STATION}

    def stream(self, here: int, there: int, data: bytes) -> None:
        for at in range(0, len(data), _SEGMENT_BYTES):
            part = data[at : at + _SEGMENT_BYTES]
            seq = self._sent.get((here, there), 1)
            self._sent[here, there] = seq + len(part)
            ack = self._sent.get((there, here), 1)
            head = IP(**self._addresses(here, there)) / TCP(sport=here, dport=there, seq=seq, ack=ack, flags="PA")
            self._add(head / part)

    def datagram(self, here: int, there: int, data: bytes) -> None:
        self._add(IP(**self._addresses(here, there)) / UDP(sport=here, dport=there) / data)


@contextmanager
def tap(epoch: float) -> Iterator[Tap]:
    """Write down whatever a memory network carries meanwhile."""
    made = Tap(epoch)
    with pytest.MonkeyPatch.context() as patch:
        write = transport._MemoryTransport.write

        def tapped(self: Any, data: bytes) -> None:
            here, there = self.get_extra_info("sockname")[1], self.get_extra_info("peername")[1]
            made.stream(here, there, bytes(data))
            write(self, data)

        patch.setattr(transport._MemoryTransport, "write", tapped)
        sendto = transport._MemoryDatagrams.sendto

        def tapped_datagram(self: Any, data: bytes, addr: Any = None) -> None:
            made.datagram(self._here[1], addr[1], bytes(data))
            sendto(self, data, addr)

        patch.setattr(transport._MemoryDatagrams, "sendto", tapped_datagram)
        yield made


def captured(scenario: Scenario, path: Path) -> Path:
    """Play a scenario on a virtual clock and write what it said as a capture."""
    assert scenario.epoch is not None
    with tap(scenario.epoch) as made:
        run_fleet_virtual(scenario, Options())
    writer = PcapNgWriter if path.suffix == ".pcapng" else PcapWriter
    with writer(str(path)) as file:
        for packet in made.packets:
            file.write(packet)
    return path
