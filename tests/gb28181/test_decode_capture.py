"""``gb28181 decode`` of captures: every message of every flow, who said it to whom, and what is missing."""

from __future__ import annotations

import gzip
import io
import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("scapy", reason="scapy is not installed (pip install 'stationgate[pcap]')")

from scapy.layers.inet import IP, TCP, UDP
from scapy.utils import PcapWriter

from gb28181 import GBT_28181_2016, GBT_28181_2022, Rules
from gb28181.__main__ import main
from gb28181.cli.captured import CapturedSip, Heard
from gb28181.manscdp import write
from gb28181.manscdp.items import CatalogInfo, CatalogItem
from gb28181.manscdp.notifies import AlarmInfo, AlarmNotice
from gb28181.manscdp.responses import CatalogAnswer
from stationgate.capture import CaptureEvent, Flow, Piece, Place, Transport, read_capture

from .examples import ALL, AUTHORIZED, CHANNEL, DEVICE, KEEPALIVE, KEEPALIVE_BODY
from .test_tshark import capture, every_flow

ROOT = Path(__file__).resolve().parents[2]
CAMERA, PLATFORM = Place("192.0.2.50", 40000), Place("192.0.2.10", 15060)
SIP_PORT = Place(PLATFORM.host, 5060)


def packet(layer: Any, data: bytes, target: Place = PLATFORM, **fields: Any) -> Any:
    source = CAMERA
    return IP(src=source.host, dst=target.host) / layer(sport=source.port, dport=target.port, **fields) / data


def write_pcap(path: Path, packets: list[Any]) -> Path:
    with PcapWriter(str(path), linktype=101) as writer:
        for number, each in enumerate(packets):
            each.time = 1767294245.25 + number
            writer.write(each)
    return path


def stream(data: bytes, cuts: tuple[int, ...] = (), target: Place = PLATFORM) -> list[Any]:
    ends = [0, *cuts, len(data)]
    return [
        packet(TCP, data[start:end], target, seq=100 + start, flags="PA", ack=1)
        for start, end in pairwise(ends)
        if end > start
    ]


def decoded(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, list[Any], str]:
    code = main(["--lang", "en", "decode", str(path), "--json", *options])
    out, err = capsys.readouterr()
    return code, [json.loads(line) for line in out.splitlines()], err


@pytest.mark.parametrize("rules", [GBT_28181_2016, GBT_28181_2022], ids=lambda rules: rules.edition.value)
def test_every_message_of_every_flow_is_read(rules: Rules, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sent = every_flow(rules)
    capture(tmp_path / "flows.pcap", sent)
    code, lines, err = decoded(tmp_path / "flows.pcap", capsys)
    assert code == 0, err
    assert len(lines) == len(sent)
    assert f"{len(sent)} messages, 0 that cannot be read" in err
    places = {"device": "192.0.2.50:5060", "platform": "192.0.2.10:5060"}
    for line, (end, data) in zip(lines, sent, strict=True):
        assert line["source"] == places[end]
        assert {line["source"], line["target"]} == set(places.values())
        assert line["transport"] == "UDP"
        assert (line.get("method") or f"SIP/2.0 {line['status']}").encode() in data.split(b"\r\n")[0]
    assert lines[0]["time"] == "2026-01-02T03:04:05.000000+08:00"
    assert {line["body"]["kind"] for line in lines if "body" in line} == {"MANSCDP", "SDP", "MANSRTSP"}


def test_text_says_who_spoke_to_whom_and_when(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_pcap(tmp_path / "x.pcap", [packet(UDP, KEEPALIVE)])
    assert main(["--lang", "en", "decode", str(path)]) == 0
    first, second, *_ = capsys.readouterr().out.splitlines()
    assert first == "#1 2026-01-02 03:04:05.250 192.0.2.50:40000 -> 192.0.2.10:15060 UDP"
    assert second.startswith("MESSAGE sip:")


def test_sip_on_any_port_and_whatever_stands_on_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rtp = packet(UDP, b"\x80\x60" + bytes(170), Place(PLATFORM.host, 30000))
    rubbish = packet(UDP, b"hello", SIP_PORT)
    keep = packet(UDP, b"\r\n\r\n", SIP_PORT)
    http = packet(TCP, b"GET / HTTP/1.1\r\n\r\n", Place(PLATFORM.host, 80), seq=1)
    path = write_pcap(tmp_path / "x.pcap", [rtp, packet(UDP, KEEPALIVE), rubbish, keep, http])
    code, lines, err = decoded(path, capsys)
    assert code == 1
    assert [line["kind"] for line in lines] == ["request", "unreadable"]
    assert "2 flows without SIP" in err


def test_streams_are_cut_into_messages_wherever_the_segments_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = b"\r\n\r\n".join(ALL)
    cuts = tuple(range(37, len(data), 37))
    packets = stream(data, cuts)
    packets[3:9] = reversed(packets[3:9])
    code, lines, err = decoded(write_pcap(tmp_path / "x.pcap", [*packets, *packets[5:7]]), capsys)
    assert code == 0, err
    assert [line.get("method") or line.get("status") for line in lines] == ["REGISTER", 401, "REGISTER", 200, "MESSAGE"]
    assert {line["transport"] for line in lines} == {"TCP"}


def test_a_stream_that_begins_in_the_middle_of_a_message(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_pcap(tmp_path / "x.pcap", stream(KEEPALIVE[60:] + KEEPALIVE + AUTHORIZED, (300, 500, 900), SIP_PORT))
    code, lines, err = decoded(path, capsys)
    assert code == 0, err
    kinds = [line["kind"] for line in lines]
    assert kinds[-2:] == ["request", "request"]
    assert set(kinds[:-2]) == {"rest"}
    assert sum(line["bytes"] for line in lines[:-2]) == len(KEEPALIVE) - 60
    path = write_pcap(tmp_path / "x.pcap", stream(KEEPALIVE[60:] + KEEPALIVE, (300,)))
    code, lines, err = decoded(path, capsys)
    assert code == 0, err
    assert lines[-1]["kind"] == "request"


def test_what_is_missing_is_told_and_the_next_message_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = KEEPALIVE * 4
    packets = stream(data, (100, len(KEEPALIVE) + 200, len(KEEPALIVE) + 300, 3 * len(KEEPALIVE)))
    del packets[2]
    code, lines, _ = decoded(write_pcap(tmp_path / "x.pcap", packets), capsys)
    assert code == 1
    assert [line["kind"] for line in lines] == ["request", "request", "rest", "request", "request"]
    assert lines[1]["error"] == "100 bytes are missing in the capture"


def test_a_datagram_of_which_the_end_was_not_captured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    whole = packet(UDP, KEEPALIVE).build()
    path = tmp_path / "x.pcap"
    head = bytes.fromhex("d4c3b2a1020004000000000000000000000400006500 0000".replace(" ", ""))
    with path.open("wb") as file:
        file.write(head)
        for size in (200, len(whole)):
            for number in (1767294245, 0, size, len(whole)):
                file.write(number.to_bytes(4, "little"))
            file.write(whole[:size])
    code, lines, _ = decoded(path, capsys)
    assert code == 1
    assert lines[0]["error"] == f"{len(whole) - 200} bytes are missing in the capture"
    assert "error" not in lines[1]


def test_a_catalogue_in_fragments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from scapy.layers.inet import fragment

    items = tuple(CatalogItem(device_id=CHANNEL, name=f"排口 {n}", info=CatalogInfo(ptz_type=1)) for n in range(25))
    body = write(CatalogAnswer(sn=1, device_id=DEVICE, total=25, items=items), GBT_28181_2016)
    head = KEEPALIVE[: -len(KEEPALIVE_BODY)]
    message = head.replace(b"Content-Length: 185", b"Content-Length: %d" % len(body)) + body
    assert len(message) > 3000
    parts = fragment(packet(UDP, message), 1480)
    code, (line,), err = decoded(write_pcap(tmp_path / "x.pcap", parts[::-1]), capsys)
    assert code == 0, err
    assert len(line["body"]["elements"]["DeviceList"]) == 25
    assert line["body"]["meanings"][0] == {
        "where": "Response/DeviceList/Item[0]/Info/PTZType",
        "value": "1",
        "zh": "球机",
        "en": "dome",
    }


def test_codes_are_explained_in_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notice = AlarmNotice(sn=1, device_id=DEVICE, priority="1", method="5", info=AlarmInfo(type=6))
    path = tmp_path / "body.xml"
    path.write_bytes(write(notice, GBT_28181_2022))
    assert main(["--lang", "zh", "decode", str(path)]) == 0
    out = capsys.readouterr().out
    assert "AlarmMethod （报警方式）: 5  = 视频报警" in out
    assert "AlarmType （报警类型）: 6  = 入侵检测报警" in out
    assert main(["--lang", "en", "decode", str(path)]) == 0
    assert "AlarmType: 6  = intrusion" in capsys.readouterr().out


def test_deviations_are_told_in_the_language_of_the_reader(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "message.txt"
    path.write_bytes(
        KEEPALIVE.replace(b"\r\n", b"\n", 1).replace(b"\r\n", b"\n").replace(b"MESSAGE sip", b"Message sip")
    )
    main(["--lang", "zh", "decode", str(path)])
    out = capsys.readouterr().out
    assert "! line-ends: 行以 LF 结束，应为 CR LF" in out
    assert "! method-case: 方法“Message”应为大写“MESSAGE”" in out


def test_a_capture_that_is_cut_off_is_read_up_to_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_pcap(tmp_path / "x.pcap", [packet(UDP, KEEPALIVE), packet(UDP, AUTHORIZED)])
    path.write_bytes(path.read_bytes()[:-300])
    code, lines, err = decoded(path, capsys)
    assert code == 1
    assert [line["method"] for line in lines] == ["MESSAGE", "REGISTER"]
    assert "missing in the capture" in lines[1]["error"]
    assert "cut off or damaged" in err


def test_a_compressed_capture_is_refused_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.pcap.gz"
    path.write_bytes(gzip.compress(b"x" * 100))
    code, lines, err = decoded(path, capsys)
    assert (code, lines) == (1, [])
    assert "gunzip" in err


def test_an_empty_capture_has_no_messages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "x.pcap"
    path.write_bytes(bytes.fromhex("d4c3b2a102000400000000000000000000000400650000 00".replace(" ", "")))
    code, lines, err = decoded(path, capsys)
    assert (code, lines) == (1, [])
    assert "0 messages" in err


def test_a_capture_comes_through_a_pipe(tmp_path: Path) -> None:
    path = write_pcap(tmp_path / "x.pcap", [packet(UDP, KEEPALIVE)])
    done = subprocess.run(
        [sys.executable, "-m", "gb28181", "decode", "-", "--json"],
        input=path.read_bytes(),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["source"] == "192.0.2.50:40000"


def test_proofs_are_hidden_in_captures_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_pcap(tmp_path / "x.pcap", [packet(UDP, AUTHORIZED)])
    _, lines, _ = decoded(path, capsys)
    assert "6a2143ae65b119e276a75f0a4a8992b7" not in json.dumps(lines)


FLOW = Flow(CAMERA, PLATFORM, Transport.TCP)


def heard(pieces: list[bytes]) -> list[Heard]:
    sip = CapturedSip()
    events: list[CaptureEvent] = [Piece(1.0, FLOW, piece) for piece in pieces if piece]
    return [*sip.messages(events), *sip.rest()]


@given(st.lists(st.sampled_from([*ALL, b"\r\n\r\n", b"\x00\x00"]), max_size=6), st.data())
def test_messages_of_a_stream_do_not_depend_on_its_pieces(parts: list[bytes], drawn: st.DataObject) -> None:
    data = b"".join(parts)
    first = len(parts[0]) if parts else 0
    cuts = sorted(drawn.draw(st.lists(st.integers(first, len(data)), max_size=12)))
    pieces = [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    found = heard(pieces)
    assert [each.data for each in found] == [each for each in parts if each in ALL]
    assert not any(each.wrong or each.rest for each in found)


@given(st.lists(st.one_of(st.binary(max_size=60), st.sampled_from(ALL)), max_size=8))
def test_no_stream_makes_it_crash_and_nothing_is_said_twice(pieces: list[bytes]) -> None:
    found = heard([b"SIP/2.0 200 OK\r\n", *pieces])
    assert sum(len(each.data) for each in found) <= sum(map(len, pieces)) + 16


def test_reading_is_lazy(tmp_path: Path) -> None:
    """A message is told before the rest of the file is read."""
    path = write_pcap(tmp_path / "x.pcap", [packet(UDP, KEEPALIVE) for _ in range(50)])
    file = io.BytesIO(path.read_bytes())
    messages = CapturedSip().messages(read_capture(file))
    assert next(messages).data == KEEPALIVE
    assert file.tell() < len(path.read_bytes()) / 5
