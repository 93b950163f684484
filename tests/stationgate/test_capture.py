"""Captures by other programs, by ours and by hand come out as what was said; what is missing is told."""

from __future__ import annotations

import io
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.bundle import capture as ours
from conformance.transcript import Transcript
from stationgate import capture
from stationgate.capture import (
    LIMITS,
    CaptureEvent,
    CaptureFault,
    CaptureLimits,
    Ended,
    Flow,
    Gap,
    Kind,
    Piece,
    Place,
    Transport,
    Why,
    kind_of,
    read_capture,
)
from stationgate.exits import UsageFault

pytest.importorskip("scapy", reason="scapy is not installed (pip install 'stationgate[pcap]')")

from scapy.layers.inet import IP, TCP, UDP, IPOption
from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.l2 import CookedLinux, CookedLinuxV2, Dot1Q, Ether, Loopback
from scapy.utils import PcapNgWriter, PcapWriter

CAMERA, PLATFORM = Place("192.0.2.50", 40000), Place("192.0.2.10", 5060)
UP, DOWN = Flow(CAMERA, PLATFORM, Transport.TCP), Flow(PLATFORM, CAMERA, Transport.TCP)
CARDS = {"src": "02:00:00:00:00:01", "dst": "02:00:00:00:00:02"}


def ip(of: Flow = UP, **fields: Any) -> IP:
    return IP(src=of.source.host, dst=of.target.host, **fields)


def tcp(seq: int, data: bytes = b"", flags: str = "PA", of: Flow = UP, ack: int = 1) -> IP:
    ports = {"sport": of.source.port, "dport": of.target.port}
    return ip(of) / TCP(seq=seq % (1 << 32), ack=ack, flags=flags, **ports) / data


def udp(data: bytes, of: Flow = UP) -> IP:
    return ip(of) / UDP(sport=of.source.port, dport=of.target.port) / data


def pcap(packets: Sequence[Any], *, link: int = 101, kind: type = PcapWriter, step: float = 0.001) -> bytes:
    """Have scapy write a capture."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "capture"
        with PcapNgWriter(str(path)) if kind is PcapNgWriter else PcapWriter(str(path), linktype=link) as writer:
            for number, packet in enumerate(packets):
                packet.time = 1767294245 + number * step
                writer.write(packet)
        return path.read_bytes()


def read(data: bytes, limits: CaptureLimits = LIMITS) -> list[CaptureEvent]:
    return list(read_capture(io.BytesIO(data), limits=limits))


def until_the_end(data: bytes, limits: CaptureLimits = LIMITS) -> tuple[list[CaptureEvent], str]:
    """Return what came, and the words of the error behind it; empty where there was none."""
    events: list[CaptureEvent] = []
    try:
        for event in read_capture(io.BytesIO(data), limits=limits):
            events.append(event)
    except CaptureFault as fault:
        return events, str(fault)
    return events, ""


def said(events: Sequence[CaptureEvent], flow: Flow = UP) -> bytes:
    return b"".join(each.data for each in events if isinstance(each, Piece) and each.flow == flow)


def gaps(events: Sequence[CaptureEvent]) -> list[tuple[int, Why]]:
    return [(each.size, each.why) for each in events if isinstance(each, Gap)]


# Files and links


def test_a_file_is_known_by_its_first_bytes() -> None:
    assert kind_of(pcap([udp(b"x")])) is Kind.PCAP
    assert kind_of(pcap([udp(b"x")], kind=PcapNgWriter)) is Kind.PCAPNG
    assert kind_of(b"\x1f\x8b\x08\x00") is Kind.GZIP
    assert kind_of(b"REGISTER sip:") is Kind.OTHER
    assert kind_of(b"") is Kind.OTHER


@pytest.mark.parametrize(
    ("link", "below"),
    [
        (1, Ether(**CARDS)),
        (1, Ether(**CARDS) / Dot1Q(vlan=7)),
        (113, CookedLinux(proto=0x0800)),
        (276, CookedLinuxV2(proto=0x0800)),
        (0, Loopback(type=2)),
        (101, None),
        (12, None),
        (14, None),
        (228, None),
    ],
    ids=["ethernet", "vlan", "sll", "sll2", "null", "raw", "raw-bsd", "raw-openbsd", "ipv4"],
)
@pytest.mark.parametrize("carrier", [udp, lambda data: tcp(1, data)], ids=["udp", "tcp"])
def test_every_link_type(link: int, below: Any, carrier: Any) -> None:
    packet = carrier(b"hello")
    (piece,) = read(pcap([below / packet if below is not None else packet], link=link))
    assert isinstance(piece, Piece)
    assert (piece.data, piece.flow.source, piece.flow.target) == (b"hello", CAMERA, PLATFORM)
    assert piece.time == 1767294245


@pytest.mark.parametrize("kind", [PcapWriter, PcapNgWriter])
def test_ethernet_padding_is_no_data(kind: type) -> None:
    frame = Ether(Ether(**CARDS, type=0x0800).build() + udp(b"x").build() + b"\x00" * 17)
    assert said(read(pcap([frame], link=1, kind=kind)), replace(UP, transport=Transport.UDP)) == b"x"


def test_places_are_written_as_people_write_them() -> None:
    assert str(CAMERA) == "192.0.2.50:40000"
    assert str(Place("2001:db8::1", 5060)) == "[2001:db8::1]:5060"


def test_ipv6_with_extension_headers() -> None:
    packet = IPv6(src="2001:db8::1", dst="2001:db8::2") / IPv6ExtHdrHopByHop() / UDP(sport=1, dport=2) / b"hello"
    (piece,) = read(pcap([packet]))
    assert isinstance(piece, Piece)
    assert piece.flow == Flow(Place("2001:db8::1", 1), Place("2001:db8::2", 2), Transport.UDP)
    assert piece.data == b"hello"


def test_what_is_not_udp_or_tcp_is_passed_over() -> None:
    from scapy.layers.inet import ICMP
    from scapy.layers.l2 import ARP

    arp = Ether(**CARDS) / ARP(op=1, psrc="192.0.2.1", pdst="192.0.2.2", hwsrc=CARDS["src"])
    assert read(pcap([arp, Ether(**CARDS) / ip() / ICMP() / b"ping"], link=1)) == []


def test_sections_and_interfaces_of_pcapng_one_behind_the_other() -> None:
    one = pcap([Ether(**CARDS) / udp(b"one")], kind=PcapNgWriter)
    two = pcap([udp(b"two")], kind=PcapNgWriter)
    assert said(read(one + two), replace(UP, transport=Transport.UDP)) == b"onetwo"


def test_a_capture_of_the_suite(tmp_path: Path) -> None:
    transcript = Transcript(epoch=1767294245.0, clock="real")
    transcript.add("listen", 0.0, host="192.0.2.10", port=8212)
    transcript.add("connect", 1.0, link=1, peer="192.0.2.50:40000")
    long = bytes(range(256)) * 300
    transcript.add("bytes", 2.0, link=1, direction="in", data=long)
    transcript.add("bytes", 2.5, link=1, direction="out", data=b"answer")
    transcript.add("close", 3.0, link=1, why="closed by the device")
    events = read(ours.render(transcript, version="0"))
    suite = Place("192.0.2.10", 8212)
    assert said(events, Flow(CAMERA, suite, Transport.TCP)) == long
    assert said(events, Flow(suite, CAMERA, Transport.TCP)) == b"answer"
    assert [type(each) for each in events[-2:]] == [Ended, Ended]
    assert gaps(events) == []


@pytest.mark.parametrize("kind", [PcapWriter, PcapNgWriter])
def test_a_file_that_is_cut_off_gives_what_came_before_and_one_error(kind: type) -> None:
    whole = pcap([udp(b"packet %d" % number) for number in range(3)], kind=kind)
    complete = []
    found = []
    for end in range(4, len(whole) + 1):
        events, fault = until_the_end(whole[:end])
        if fault:
            assert "cut off or damaged at byte" in fault
        else:
            complete.append(end)
        found.append(said(events, replace(UP, transport=Transport.UDP)))
    assert all(b"packet 0packet 1packet 2".startswith(each) for each in found)
    assert [len(each) for each in found] == sorted(len(each) for each in found)
    assert found[-1] == b"packet 0packet 1packet 2"
    # A file may end between two records, and nowhere else.
    assert complete[-1] == len(whole)
    assert len(complete) == (4 if kind is PcapWriter else 5)


def test_rubbish_in_the_middle_ends_with_an_error_not_a_crash() -> None:
    whole = bytearray(pcap([udp(b"packet %d" % number) for number in range(5)], kind=PcapNgWriter))
    at = whole.index(b"packet 2")
    whole[at - 40 : at + 40] = b"\xff" * 80
    events, fault = until_the_end(bytes(whole))
    assert "damaged" in fault
    assert said(events, replace(UP, transport=Transport.UDP)).startswith(b"packet 0packet 1")


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"\x1f\x8b\x08\x00" * 9, "gunzip"), (b"REGISTER sip:x SIP/2.0\r\n", "neither"), (b"", "neither")],
)
def test_what_is_no_capture_is_refused_by_name(data: bytes, says: str) -> None:
    with pytest.raises(CaptureFault) as raised:
        read(data)
    assert says in f"{raised.value} {raised.value.hint}"


def test_a_link_type_that_nobody_reads_is_named() -> None:
    with pytest.raises(CaptureFault, match="147"):
        read(pcap([udp(b"x")], link=147))


def test_without_scapy_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    capture._scapy.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "scapy"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "scapy", None)
    data = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101)
    with pytest.raises(UsageFault) as raised:
        read(data)
    assert "pip install 'stationgate[pcap]'" in raised.value.hint
    monkeypatch.undo()
    capture._scapy.cache_clear()


def test_more_packets_than_allowed_end_with_an_error_behind_those_that_are() -> None:
    data = pcap([udp(b"%d" % number) for number in range(5)])
    events, fault = until_the_end(data, replace(LIMITS, packets=3))
    assert "3 packets" in fault
    assert said(events, replace(UP, transport=Transport.UDP)) == b"012"


@given(st.data())
def test_the_short_way_reads_what_scapy_reads(drawn: st.DataObject) -> None:
    """Packets of IPv4 are looked at without scapy; it says the same, also of damaged ones."""
    link, below = drawn.draw(
        st.sampled_from(
            [
                (1, Ether(**CARDS, type=0x0800)),
                (113, CookedLinux(proto=0x0800)),
                (276, CookedLinuxV2(proto=0x0800)),
                (101, None),
            ]
        )
    )
    options = drawn.draw(st.sampled_from([[], [IPOption(b"\x01\x01\x01\x00")]]))
    flags = drawn.draw(st.sampled_from(["", "DF", "MF"]))
    top = ip(
        options=options, flags=flags, id=drawn.draw(st.integers(0, 65535)), frag=drawn.draw(st.sampled_from([0, 0, 3]))
    )
    top = (
        top
        / drawn.draw(st.sampled_from([UDP(sport=1, dport=2), TCP(sport=1, dport=2, seq=9)]))
        / drawn.draw(st.binary(max_size=40))
    )
    data = bytearray(
        (below / top if below is not None else top).build() + drawn.draw(st.sampled_from([b"", b"\0" * 6]))
    )
    for _ in range(drawn.draw(st.integers(0, 3))):
        data[drawn.draw(st.integers(0, len(data) - 1))] = drawn.draw(st.integers(0, 255))
    size = drawn.draw(st.integers(0, len(data)))
    record = struct.pack("<IHHiIIIIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link, 1, 0, size) + struct.pack("<I", len(data))
    file = record + bytes(data[:size])
    with pytest.MonkeyPatch.context() as patched:
        short = read(file)
        patched.setattr(capture, "_plain", lambda link, data, cut: None)
        assert read(file) == short


# Fragments


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2), (0, 0, 1, 1, 2, 3)])
def test_fragments_of_ipv4_in_any_order(order: tuple[int, ...]) -> None:
    from scapy.layers.inet import fragment

    data = os.urandom(3500)
    parts = fragment(ip(id=7) / UDP(sport=CAMERA.port, dport=PLATFORM.port) / data, 1000)
    assert len(parts) == 4
    (piece,) = read(pcap([parts[at].copy() for at in order]))
    assert isinstance(piece, Piece)
    assert piece.data == data
    assert piece.flow == replace(UP, transport=Transport.UDP)


def test_fragments_of_ipv6() -> None:
    data = bytes(range(256)) * 10
    datagram = struct.pack(">HHHH", 1, 2, 8 + len(data), 0) + data
    head = {"src": "2001:db8::1", "dst": "2001:db8::2"}
    parts = [
        IPv6(**head)
        / IPv6ExtHdrFragment(id=9, nh=17, offset=at // 8, m=int(at + 1200 < len(datagram)))
        / datagram[at : at + 1200]
        for at in (1200, 0, 2400)
    ]
    (piece,) = read(pcap(parts))
    assert isinstance(piece, Piece)
    assert piece.data == data


def test_a_fragment_that_is_missing_is_told_with_what_came_before_it() -> None:
    from scapy.layers.inet import fragment

    data = bytes(range(250)) * 14
    parts = fragment(ip(id=7) / UDP(sport=CAMERA.port, dport=PLATFORM.port) / data, 1000)
    events = read(pcap([parts[0], parts[1], parts[3]]))
    kept = said(events, replace(UP, transport=Transport.UDP))
    assert data.startswith(kept)
    assert gaps(events) == [(len(data) - len(kept), Why.FRAGMENTS)]
    (gap,) = read(pcap([parts[1], parts[2]]))
    assert isinstance(gap, Gap)
    assert (gap.flow.source, gap.size, gap.why) == (Place(CAMERA.host, 0), 0, Why.FRAGMENTS)


def test_fragments_that_wait_are_limited_in_number_and_time() -> None:
    def first(ident: int) -> Any:
        return ip(id=ident, flags="MF") / UDP(sport=1, dport=2, len=2000) / (b"x" * 64)

    limits = replace(LIMITS, fragmented=10)
    events = read(pcap([first(number) for number in range(100)]), limits)
    assert len(gaps(events)) == 100
    early = read(pcap([first(1), first(2), udp(b"later")], step=40.0))
    assert [type(each) for each in early].index(Piece) == 0
    assert len(gaps(early)) == 2


# Streams


def dialogue(pieces: Sequence[tuple[int, bytes]], isn: int = 1000) -> list[Any]:
    """SYN, then bytes at their places."""
    return [tcp(isn, flags="S"), *(tcp(isn + 1 + at, data) for at, data in pieces)]


def test_repeats_and_overlaps_are_said_once() -> None:
    events = read(pcap(dialogue([(0, b"abc"), (0, b"abc"), (2, b"cdef"), (1, b"bcdefgh"), (8, b"i")])))
    assert said(events) == b"abcdefghi"
    assert gaps(events) == []


def test_sequence_numbers_wrap() -> None:
    data = bytes(range(200))
    isn = (1 << 32) - 50
    events = read(
        pcap(dialogue([(at, data[at : at + 20]) for at in (0, 20, 60, 40, 80, 100, 120, 140, 160, 180)], isn))
    )
    assert said(events) == data
    assert gaps(events) == []


def test_a_stream_that_begins_in_the_middle() -> None:
    events = read(pcap([tcp(5000, b"middle"), tcp(5006, b" end"), tcp(4990, b"before")]))
    assert said(events) == b"middle end"
    assert gaps(events) == [(6, Why.EARLY)]


def test_bytes_that_were_not_captured_are_told_where_they_are_missing() -> None:
    events = read(pcap(dialogue([(0, b"abc"), (10, b"xyz")])))
    assert [type(each) for each in events] == [Piece, Gap, Piece]
    assert gaps(events) == [(7, Why.NOT_CAPTURED)]


def test_what_the_receiver_acknowledged_is_given_up_after_a_while_and_no_sooner() -> None:
    start = dialogue([(0, b"abc"), (10, b"xyz")])
    confirmed = tcp(1, flags="A", of=DOWN, ack=1014)
    late = tcp(1004, b"defghij")
    in_time = read(pcap([*start, confirmed, late, tcp(1014, b"!")], step=0.1))
    assert (said(in_time), gaps(in_time)) == (b"abcdefghijxyz!", [])
    too_late = read(pcap([*start, confirmed, tcp(1, flags="A", of=DOWN, ack=1014), late], step=1.1))
    assert (said(too_late), gaps(too_late)) == (b"abcxyz", [(7, Why.NOT_CAPTURED)])
    unconfirmed = read(pcap([*start, late], step=30.0))
    assert (said(unconfirmed), gaps(unconfirmed)) == (b"abcdefghijxyz", [])


def test_packets_of_which_only_the_beginning_was_captured() -> None:
    packets = dialogue([(0, b"a" * 100), (100, b"b" * 100)])
    file = io.BytesIO(pcap(packets))
    head = file.read(24)
    cut = bytearray(head)
    while record := file.read(16):
        sec, usec, size, wire = struct.unpack("<IIII", record)
        data = file.read(size)[:70]
        cut += struct.pack("<IIII", sec, usec, len(data), wire) + data
    events = read(bytes(cut))
    assert said(events) == b"a" * 30 + b"b" * 30
    assert gaps(events) == [(70, Why.CUT), (70, Why.CUT)]


def test_a_connection_ends_and_another_begins_between_the_same_ports() -> None:
    first = [*dialogue([(0, b"one")]), tcp(1004, flags="FA"), tcp(1001, b"one")]
    second = [tcp(90, flags="S"), tcp(91, b"two"), tcp(94, flags="R")]
    events = read(pcap([*first, *second]))
    assert [type(each) for each in events] == [Piece, Ended, Piece, Ended]
    assert said(events) == b"onetwo"


def test_a_connection_whose_beginning_was_not_captured_replaces_the_one_before() -> None:
    events = read(pcap([*dialogue([(0, b"one")]), tcp(1 << 30, b"two"), tcp((1 << 30) + 3, b"!")]))
    assert [type(each) for each in events] == [Piece, Ended, Piece, Piece]


def test_what_waits_is_limited() -> None:
    limits = replace(LIMITS, stream_bytes=5000)
    pieces = [(10 + number * 10, b"x" * 10) for number in range(100)]
    events = read(pcap(dialogue([(0, b"a"), *pieces])), limits)
    assert gaps(events) == [(9, Why.NOT_CAPTURED)]
    kinds = [type(each) for each in events]
    assert kinds[1] is Gap
    assert said(events) == b"a" + b"x" * 1000


def test_streams_at_a_time_are_limited() -> None:
    def one(port: int) -> Flow:
        return replace(UP, source=Place(CAMERA.host, port))

    packets = [tcp(1, b"%d." % number, of=one(1000 + number)) for number in range(50)]
    events = read(pcap(packets), replace(LIMITS, streams=10))
    assert sum(isinstance(each, Ended) for each in events) == 40
    assert b"".join(each.data for each in events if isinstance(each, Piece)) == b"".join(
        b"%d." % number for number in range(50)
    )


@st.composite
def segments(draw: st.DrawFn) -> tuple[bytes, int, list[tuple[int, int]]]:
    """A text, where its numbering begins, and places of segments that cover it in any order, some of them repeated."""
    data = draw(st.binary(min_size=1, max_size=80))
    cuts = sorted({0, len(data), *draw(st.lists(st.integers(0, len(data)), max_size=12))})
    parts = list(pairwise(cuts))
    extra = draw(st.lists(st.tuples(st.integers(0, len(data)), st.integers(0, len(data))), max_size=6))
    parts += [(min(pair), max(pair)) for pair in extra if pair[0] != pair[1]]
    isn = draw(st.one_of(st.integers(0, 2**32 - 1), st.integers(2**32 - 90, 2**32 - 1)))
    return data, isn, draw(st.permutations(parts))


@given(segments(), st.data())
def test_any_order_split_and_repeat_is_the_same_text(
    case: tuple[bytes, int, list[tuple[int, int]]], drawn: st.DataObject
) -> None:
    data, isn, parts = case
    packets = [tcp(isn, flags="S"), *(tcp(isn + 1 + start, data[start:end]) for start, end in parts)]
    events = read(pcap(packets))
    assert (said(events), gaps(events)) == (data, [])
    # The oracle of what is missing: bytes that no segment holds.
    kept = [part for part in parts if drawn.draw(st.booleans())]
    events = read(pcap([packets[0], *(tcp(isn + 1 + start, data[start:end]) for start, end in kept)]))
    held = {at for start, end in kept for at in range(start, end)}
    last = max(held, default=-1)
    assert said(events) == bytes(data[at] for at in sorted(held))
    assert sum(size for size, _ in gaps(events)) == sum(at not in held for at in range(last))


@given(st.binary(max_size=300), st.sampled_from([0, 1, 101, 113, 276]))
def test_no_packet_makes_it_crash(data: bytes, link: int) -> None:
    file = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link)
    read(file + struct.pack("<IIII", 1, 0, len(data), len(data)) + data)


@given(st.data())
def test_no_damage_makes_it_crash(drawn: st.DataObject) -> None:
    kind = drawn.draw(st.sampled_from([PcapWriter, PcapNgWriter]))
    data = bytearray(pcap([*dialogue([(0, b"abc"), (3, b"def")]), udp(b"x")], kind=kind))
    for _ in range(drawn.draw(st.integers(1, 8))):
        data[drawn.draw(st.integers(0, len(data) - 1))] = drawn.draw(st.integers(0, 255))
    with suppress(CaptureFault):
        read(bytes(data))


# Captures of others


@pytest.fixture
def dumped(tmp_path: Path) -> Iterator[Any]:
    """Return a function that captures with dumpcap what happens on the loopback interface meanwhile."""
    dumpcap = shutil.which("dumpcap")
    if dumpcap is None:
        assert not os.environ.get("CI"), "dumpcap is not installed (Debian: tshark)"
        pytest.skip("dumpcap is not installed")
    processes = []

    def run(act: Any, marker: bytes, *options: str) -> bytes:
        file = tmp_path / "captured"
        process = subprocess.Popen(
            [dumpcap, *options, "-w", str(file), "-a", "duration:20"], stderr=subprocess.PIPE, encoding="utf-8"
        )
        processes.append(process)
        assert process.stderr is not None
        told = []
        for line in process.stderr:
            told.append(line)
            if line.startswith("File:"):
                break
        else:
            pytest.skip(f"nothing can be captured here: {''.join(told)[:200]}")
        act()
        # What was sent last is written last.
        deadline = time.monotonic() + 15
        while marker not in file.read_bytes():
            assert time.monotonic() < deadline, "the capture does not come to its end"
            threading.Event().wait(0.02)
        process.terminate()
        process.communicate(timeout=20)
        return file.read_bytes()

    yield run
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.communicate(timeout=20)


@pytest.mark.loopback
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the interface is called lo on Linux")
@pytest.mark.parametrize("options", [("-i", "lo"), ("-i", "lo", "-P"), ("-i", "any")], ids=["pcapng", "pcap", "cooked"])
def test_dumpcap_captures_real_sockets(dumped: Any, options: tuple[str, ...]) -> None:
    sent = os.urandom(300_000)
    datagram = os.urandom(60_000)
    marker = os.urandom(32)
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(type=socket.SOCK_DGRAM) as receiver:
        port = server.getsockname()[1]
        receiver.bind(("127.0.0.1", 0))
        other = receiver.getsockname()[1]

        def receive() -> None:
            connection, _ = server.accept()
            with connection:
                while connection.recv(1 << 16):
                    pass

        def act() -> None:
            listening = threading.Thread(target=receive)
            listening.start()
            with socket.create_connection(("127.0.0.1", port)) as client:
                client.sendall(sent)
            listening.join(20)
            with socket.socket(type=socket.SOCK_DGRAM) as sender:
                sender.sendto(datagram, ("127.0.0.1", other))
                sender.sendto(marker, ("127.0.0.1", other))

        data = dumped(act, marker, *options, "-f", f"port {port} or port {other}")
    said = defaultdict(bytes)
    for event in read(data):
        assert not isinstance(event, Gap)
        if isinstance(event, Piece) and event.flow.target.port in (port, other):
            said[event.flow.transport] += event.data
    assert said == {Transport.TCP: sent, Transport.UDP: datagram + marker}


def test_editcap_rewrites_a_capture_in_other_formats(tmp_path: Path) -> None:
    editcap = shutil.which("editcap")
    if editcap is None:
        assert not os.environ.get("CI"), "editcap is not installed (Debian: tshark)"
        pytest.skip("editcap is not installed")
    source = tmp_path / "in.pcap"
    source.write_bytes(
        pcap([Ether(**CARDS) / each for each in (*dialogue([(0, b"abc"), (3, b"def")]), udp(b"x"))], link=1)
    )
    expected = read(source.read_bytes())
    for form in ("pcap", "nsecpcap", "pcapng"):
        target = tmp_path / form
        subprocess.run([editcap, "-F", form, str(source), str(target)], check=True, capture_output=True, timeout=60)
        assert read(target.read_bytes()) == expected, form
