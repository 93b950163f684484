"""tshark, a dissector by others, reads every flow between our platform and our device without an error."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from decimal import Decimal
from pathlib import Path

import pytest

from gb28181 import GBT_28181_2016, GBT_28181_2022, Rules, mansrtsp, ptz, sdp
from gb28181.manscdp import controls, queries
from gb28181.manscdp.items import CatalogItem

from .examples import CHANNEL, DEVICE, PLATFORM
from .test_device import ALARM_INPUT, VOICE, play
from .test_platform_calls import LOCAL, Both

pytestmark = pytest.mark.skipif(
    not os.environ.get("CI") and shutil.which("tshark") is None, reason="tshark is not installed"
)

ADDRESSES = {"device": bytes((192, 0, 2, 50)), "platform": bytes((192, 0, 2, 10))}


def datagram(end: str, data: bytes) -> bytes:
    """An IPv4 packet with a datagram from one end to the other."""
    other = "platform" if end == "device" else "device"
    udp = struct.pack("!HHHH", 5060, 5060, 8 + len(data), 0) + data
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0) + ADDRESSES[end] + ADDRESSES[other]
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    return head[:10] + struct.pack("!H", ~(total + (total >> 16)) & 0xFFFF) + head[12:] + udp


def capture(path: Path, sent: list[tuple[str, bytes]]) -> None:
    """Write what was sent as a capture of raw IP packets."""
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 101))
        for number, (end, data) in enumerate(sent):
            packet = datagram(end, data)
            file.write(
                struct.pack("<IIII", 1767294245 + number // 1000, number % 1000 * 1000, len(packet), len(packet))
            )
            file.write(packet)


def tshark(path: Path, *arguments: str) -> list[str]:
    program = shutil.which("tshark")
    assert program, "tshark is not installed (Debian: tshark)"
    done = subprocess.run(
        [program, "-r", str(path), *arguments], capture_output=True, text=True, timeout=120, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def every_flow(rules: Rules) -> list[tuple[str, bytes]]:
    """Play all there is and return what both sides sent."""
    pair = Both(rules)
    device = pair.platform.device(DEVICE)
    for query in (queries.CatalogQuery, queries.InfoQuery, queries.StatusQuery, queries.PresetQuery):
        pair.ask(query(device_id=DEVICE))
    pair.ask(queries.RecordQuery(device_id=CHANNEL, start_time="2026-01-02T00:00:00", end_time="2026-01-03T00:00:00"))
    pair.ask(queries.ConfigQuery(device_id=DEVICE, types="BasicParam"))
    pair.ask(controls.PtzControl(device_id=CHANNEL, command=ptz.encode(ptz.Move.of(pan=10))))
    pair.ask(controls.GuardControl(device_id=DEVICE, command="SetGuard"))
    for body in (queries.AlarmQuery(device_id=DEVICE), queries.CatalogQuery(device_id=DEVICE)):
        pair.platform.subscriptions.subscribe(device, body, 60, pair.wire.now)
    pair.wire.run(60)
    pair.device.raise_alarm(ALARM_INPUT, pair.wire.now)
    pair.device.catalog_changed([CatalogItem(device_id=VOICE, event="OFF")], pair.wire.now)
    pair.wire.run(2)
    pair.device.catalog_changed([CatalogItem(device_id=VOICE, event="ON")], pair.wire.now)
    live = pair.invite(setup=sdp.Setup.PASSIVE)
    pair.platform.calls.hang_up(live, pair.wire.now)
    playback = pair.invite(sdp.Session.PLAYBACK)
    faster = mansrtsp.Request(mansrtsp.Method.PLAY, 2, scale=Decimal(4))
    pair.platform.calls.control(playback, faster, pair.wire.now)
    pair.wire.run(60)
    pair.platform.broadcast(DEVICE, VOICE, PLATFORM, LOCAL, pair.wire.now)
    pair.wire.run(2)
    for call in pair.platform.calls:
        pair.platform.calls.hang_up(call, pair.wire.now)
    pair.wire.run(2)
    pair.rest()
    return pair.wire.sent


@pytest.mark.parametrize("rules", [GBT_28181_2016, GBT_28181_2022], ids=lambda rules: rules.edition.value)
def test_tshark_reads_every_flow_without_an_error(rules: Rules, tmp_path: Path) -> None:
    sent = every_flow(rules)
    file = tmp_path / "flows.pcap"
    capture(file, sent)
    assert tshark(file, "-Y", "_ws.malformed || _ws.expert.severity == 0x00800000") == []
    methods = tshark(file, "-Y", "sip", "-T", "fields", "-e", "sip.CSeq.method")
    assert len(methods) == len(sent)
    for method in ("REGISTER", "MESSAGE", "SUBSCRIBE", "NOTIFY", "INVITE", "ACK", "BYE", "INFO"):
        assert method in methods


def test_what_is_malformed_would_be_found(tmp_path: Path) -> None:
    file = tmp_path / "bad.pcap"
    broken = play().replace(b"m=video 30000", b"m=video 99999")
    head = b"INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP x\r\nCSeq: 1 INVITE\r\nContent-Type: application/sdp\r\n"
    broken = head + b"Content-Length: %d\r\n\r\n" % len(broken) + broken
    capture(file, [("device", broken)])
    assert tshark(file, "-Y", "_ws.malformed || _ws.expert.severity == 0x00800000") != []
