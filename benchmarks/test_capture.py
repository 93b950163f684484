"""Captures beside scapy's own readers: packets put in order, per packet of one kilobyte."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import pytest

from stationgate.capture import Gap, read_capture

from .conftest import best

utils = pytest.importorskip("scapy.utils", reason="scapy is not installed (pip install 'stationgate[pcap]')")

PACKETS, ROUNDS = 3000, 5
_FILE = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101)


def packet(number: int, protocol: int) -> bytes:
    """A packet of IPv4 with a datagram, or with the segment of that number, two and two in the wrong order."""
    payload = bytes(1000)
    order = number ^ 1 if number > 1 else number
    if protocol == 17:
        above = struct.pack(">HHHH", 30000, 30002, 8 + len(payload), 0)
    else:
        above = struct.pack(">HHIIBBHHH", 30000, 30002, order * 1000 + 1, 1, 0x50, 0x10, 0xFFFF, 0, 0)
    places = bytes((192, 0, 2, 50, 192, 0, 2, 10))
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(above) + 1000, 0, 0, 64, protocol, 0) + places + above + payload


def capture(protocol: int) -> bytes:
    packets = (packet(number, protocol) for number in range(PACKETS))
    return _FILE + b"".join(struct.pack("<IIII", 1, 0, len(each), len(each)) + each for each in packets)


@pytest.mark.benchmark
@pytest.mark.parametrize(("name", "protocol"), [("UDP", 17), ("TCP, out of order", 6)])
def test_packets(name: str, protocol: int, measured: Callable[[str], None]) -> None:
    data = capture(protocol)

    def ours() -> None:
        assert not any(isinstance(event, Gap) for event in read_capture(io.BytesIO(data)))

    def usual() -> None:
        assert sum(1 for _ in utils.PcapReader(io.BytesIO(data))) == PACKETS

    mine, theirs = (best(work, ROUNDS) / PACKETS * 1e6 for work in (ours, usual))
    measured(
        f"{'capture, ' + name:26} {mine:8.1f} us {theirs:8.1f} us dissected by scapy, {theirs / mine:5.2f}x: "
        f"{1e6 / mine:,.0f} packets/s"
    )
    assert mine < theirs
