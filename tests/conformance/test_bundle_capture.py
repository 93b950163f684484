"""The capture: what another tool reads out of it is what the transcript holds."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from collections import defaultdict
from ipaddress import ip_address
from pathlib import Path

import pytest

from conformance.bundle.capture import COMMENTS, MAX_SEGMENT_BYTES, render
from conformance.transcript import Transcript

from .conftest import recording

EPOCH = 1_757_901_570.0


def transcript_of(*chunks: tuple[str, bytes], host: str = "0.0.0.0", peer: str = "192.0.2.7:40000") -> Transcript:
    transcript = Transcript(epoch=EPOCH, clock="real")
    transcript.add("listen", 0.0, host=host, port=8212)
    transcript.add("connect", 0.25, link=1, transport="tcp", peer=peer)
    for number, (direction, data) in enumerate(chunks):
        transcript.add("bytes", 1.0 + number, data=data, link=1, transport="tcp", direction=direction)
    transcript.add("close", 60.5, link=1, transport="tcp", why="closed by the device")
    return transcript


def large() -> Transcript:
    """More than a window of bytes one way, in chunks of many segments, and an answer in between."""
    device = bytes(range(256)) * 700
    return transcript_of(("in", device[:70_001]), ("out", b"ok"), ("in", device[70_001:]), ("out", device[:9999]))


def blocks(data: bytes) -> list[tuple[int, bytes]]:
    """The blocks of a pcapng file, read by hand."""
    found = []
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        assert size % 4 == 0
        assert struct.unpack_from("<I", data, at + size - 4)[0] == size
        found.append((kind, data[at + 8 : at + size - 4]))
        at += size
    return found


def sums_to_ones(data: bytes) -> bool:
    """The check of RFC 1071, added up word by word."""
    words = struct.unpack(f">{len(data + b'?') // 2}H", data + b"\0" * (len(data) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total == 0xFFFF


def payloads(transcript: Transcript) -> dict[tuple[int, str], bytes]:
    found: dict[tuple[int, str], bytes] = defaultdict(bytes)
    for entry in transcript:
        if entry.data:
            found[entry.link, entry.direction] += entry.data
    return found


class TestBytes:
    def test_head_says_that_headers_are_synthetic_in_both_languages(self) -> None:
        kinds = blocks(render(transcript_of(), version="1.2.3"))
        (section_kind, section), (interface_kind, interface) = kinds[:2]
        assert (section_kind, interface_kind) == (0x0A0D0D0A, 1)
        assert section[:16] == struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
        for comment in COMMENTS:
            assert struct.pack("<HH", 1, len(comment.encode())) + comment.encode() in section
        assert "合成" in COMMENTS[0]
        assert "synthetic" in COMMENTS[1]
        assert b"stationgate 1.2.3" in section
        assert interface[:8] == struct.pack("<HHI", 101, 0, 0)
        assert struct.pack("<HHB", 9, 1, 6) in interface

    @pytest.mark.parametrize(
        ("host", "peer", "ours", "theirs"),
        [
            ("0.0.0.0", "192.0.2.7:40000", "192.0.2.1", "192.0.2.7"),
            ("127.0.0.1", "127.0.0.1:1", "127.0.0.1", "127.0.0.1"),
            ("::", "::ffff:192.0.2.7:40000", "192.0.2.1", "192.0.2.7"),
            ("::", "2001:db8::7:40000", "2001:db8::1", "2001:db8::7"),
            ("fe80::1", "fe80::2%eth0:40000", "fe80::1", "fe80::2"),
            ("gate.example", "192.0.2.7:40000", "192.0.2.1", "192.0.2.7"),
            ("10.0.0.1", "", "10.0.0.1", "192.0.2.2"),
            ("", "memory", "192.0.2.1", "192.0.2.2"),
        ],
    )
    def test_addresses(self, host: str, peer: str, ours: str, theirs: str) -> None:
        data = blocks(render(transcript_of(("in", b"abc"), host=host, peer=peer), version="1"))
        for number, (kind, body) in enumerate(data[2:]):
            assert kind == 6
            packet = body[20 : 20 + struct.unpack_from("<I", body, 12)[0]]
            version, head = packet[0] >> 4, 20 if packet[0] >> 4 == 4 else 40
            addresses = packet[head - 2 * len(ip_address(ours).packed) : head]
            pair = (ip_address(theirs).packed, ip_address(ours).packed)
            from_device = number in (0, 2, 3, 4, 6)
            assert addresses == b"".join(pair if from_device else pair[::-1]), number
            if version == 4:
                assert sums_to_ones(packet[:20])
            assert sums_to_ones(addresses + struct.pack(">II", len(packet) - head, 6) + packet[head:])

    def test_times_and_entry_numbers(self) -> None:
        data = blocks(render(transcript_of(("in", b"abc")), version="1"))
        told = []
        for _kind, body in data[2:]:
            high, low = struct.unpack_from("<II", body, 4)
            comment = next(f"transcript entry {n}" for n in range(9) if f"transcript entry {n}".encode() in body)
            told.append(((high << 32 | low) / 1e6 - EPOCH, comment[-1]))
        assert told == [(0.25, "1")] * 3 + [(1.0, "2")] + [(60.5, "3")] * 3

    def test_nothing_happened(self) -> None:
        assert len(blocks(render(Transcript(epoch=EPOCH, clock="real"), version="1"))) == 2

    def test_no_segment_is_larger_than_the_wire(self) -> None:
        for _kind, body in blocks(render(large(), version="1"))[2:]:
            assert struct.unpack_from("<I", body, 12)[0] <= MAX_SEGMENT_BYTES + 40


def tshark(*arguments: str) -> str:
    """Run tshark, which has to be there where the tests of this project are judged."""
    program = shutil.which("tshark")
    if program is None:
        if os.environ.get("CI"):
            pytest.fail("tshark is not installed: it reads the captures in CI")
        pytest.skip("tshark is not installed: nothing independent can read the capture")
    checks = ["-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE"]
    done = subprocess.run(
        [program, *checks, *arguments], capture_output=True, encoding="utf-8", timeout=60, check=True,
        env={**os.environ, "HOME": "/nonexistent"},
    )  # fmt: skip
    return done.stdout


TRANSCRIPTS = {
    "demo": lambda: recording(),
    "fault": lambda: recording("endless-resend"),
    "large": large,
    "IPv6": lambda: transcript_of(("in", b"##"), ("out", b"x" * 5000), host="::", peer="2001:db8::7:40000"),
    "cut": lambda: Transcript.from_lines(recording().to_lines().splitlines(keepends=True)[:40]),
}


@pytest.mark.parametrize("name", TRANSCRIPTS)
class TestTshark:
    def test_finds_nothing_wrong(self, name: str, tmp_path: Path) -> None:
        file = tmp_path / "抓包.pcapng"
        file.write_bytes(render(TRANSCRIPTS[name](), version="1"))
        # 0x600000 is a warning, above it are errors; 0 is a bad sum.
        wrong = (
            "_ws.malformed or _ws.expert.severity >= 0x600000 or ip.checksum.status == 0 or tcp.checksum.status == 0"
        )
        assert tshark("-r", str(file), "-Y", wrong) == ""
        # Both checks were made: a good sum is told as such.
        good = tshark("-r", str(file), "-Y", "tcp.checksum.status == 1", "-T", "fields", "-e", "frame.number")
        assert len(good.split()) == len(blocks(file.read_bytes())) - 2

    def test_reads_the_bytes_of_the_transcript(self, name: str, tmp_path: Path) -> None:
        transcript = TRANSCRIPTS[name]()
        file = tmp_path / "a.pcapng"
        file.write_bytes(render(transcript, version="1"))
        links = list(dict.fromkeys(entry.link for entry in transcript if entry.kind in ("connect", "bytes")))
        streams = tshark("-r", str(file), "-T", "fields", "-e", "tcp.stream").split()
        assert len(set(streams)) == len(links)
        for number, link in enumerate(links):
            followed = tshark("-r", str(file), "-q", "-z", f"follow,tcp,raw,{number}").splitlines()
            lines = [line for line in followed if line.strip("\t") and set(line.strip("\t")) <= set("0123456789abcdef")]
            read = {
                "in": b"".join(bytes.fromhex(line) for line in lines if not line.startswith("\t")),
                "out": b"".join(bytes.fromhex(line) for line in lines if line.startswith("\t")),
            }
            expected = payloads(transcript)
            assert read == {direction: expected.get((link, direction), b"") for direction in read}

    def test_shows_comments(self, name: str, tmp_path: Path) -> None:
        transcript = TRANSCRIPTS[name]()
        file = tmp_path / "a.pcapng"
        file.write_bytes(render(transcript, version="1"))
        shown = tshark("-r", str(file), "-Y", "tcp.len > 0", "-T", "fields", "-e", "frame.comment").splitlines()
        assert list(dict.fromkeys(shown)) == [f"transcript entry {entry.seq}" for entry in transcript if entry.data]
