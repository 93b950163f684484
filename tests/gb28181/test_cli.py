"""The command line: decode, ptz, listen."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gb28181 import GBT_28181_2022
from gb28181.__main__ import main
from gb28181.aio import DeviceClient
from gb28181.device import Account

from .examples import ALL, AUTHORIZED, DEVICE, KEEPALIVE, KEEPALIVE_BODY, PASSWORD, PLATFORM
from .test_device import ALARM_INPUT, equipment, play

ROOT = Path(__file__).resolve().parents[2]


def decoded(tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes, *options: str) -> tuple[int, list[Any]]:
    file = tmp_path / "messages.txt"
    file.write_bytes(data)
    code = main(["decode", str(file), "--json", *options])
    return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_decode_reads_messages_one_after_the_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = decoded(tmp_path, capsys, b"\r\n".join(ALL))
    assert code == 0
    assert [line.get("method") or line.get("status") for line in lines] == ["REGISTER", 401, "REGISTER", 200, "MESSAGE"]
    assert all(line["deviations"] == [] for line in lines)
    assert lines[4]["from"] == DEVICE
    body = lines[4]["body"]
    assert (body["cmd_type"], body["elements"]["Status"]) == ("Keepalive", "OK")


def test_decode_hides_proofs_unless_told_not_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, (line,) = decoded(tmp_path, capsys, AUTHORIZED)
    proof = "6a2143ae65b119e276a75f0a4a8992b7"
    assert proof not in json.dumps(line)
    _, (line,) = decoded(tmp_path, capsys, AUTHORIZED, "--show-secrets")
    assert proof in json.dumps(line)


PASSWORDS = [
    "<Response><CmdType>ConfigDownload</CmdType><SN>1</SN><BasicParam><Password>hidden1</Password>"
    "<Account passwd='hidden2'><PWD>hidden3</PWD></Account></BasicParam></Response>",
    "<Response><CmdType>Catalog</CmdType><SN>1</SN><DeviceList Num='1'><Item><Password>hidden1</Password></Item>"
    "</DeviceList></Response>",
    "<Control><CmdType>DeviceConfig</CmdType><SN>1</SN><SnapShotConfig>"
    "<UploadURL>http://user:hidden1@192.0.2.1/x</UploadURL></SnapShotConfig></Control>",
]


@pytest.mark.parametrize("options", [("--json",), ()])
@pytest.mark.parametrize("body", PASSWORDS)
def test_decode_hides_passwords_in_bodies_unless_told_not_to(
    body: str, options: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """That of a catalogue item, those that devices of 2011 tell of their configuration, that of an address."""
    file = tmp_path / "body.xml"
    file.write_text(body, "ascii")
    assert main(["decode", str(file), *options]) == 0
    out = capsys.readouterr().out
    assert "hidden" not in out
    assert out.count("***") == body.count("hidden")
    assert ("http://user:***@192.0.2.1/x" in out) == ("http://" in body)
    assert main(["decode", str(file), *options, "--show-secrets"]) == 0
    assert capsys.readouterr().out.count("hidden") == body.count("hidden")


def test_decode_hides_a_proof_that_lost_its_header(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    proof = "6a2143ae65b119e276a75f0a4a8992b7"
    _, (line,) = decoded(
        tmp_path, capsys, AUTHORIZED.replace(b"Contact:", b'response="%s"\r\nContact:' % proof.encode())
    )
    assert [each["code"] for each in line["deviations"]] == ["header-line"]
    assert proof not in json.dumps(line)


def test_decode_explains_bodies_in_chinese(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "body.xml"
    file.write_bytes(KEEPALIVE_BODY)
    assert main(["--lang", "zh", "decode", str(file)]) == 0
    out = capsys.readouterr().out
    assert "Status （是否正常工作）: OK" in out
    assert "状态信息报送" in out


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "0 messages"),
        (b"hello world", "cannot be read"),
        (b"<Notify><CmdType>Keepalive</Notify", "!"),
        (KEEPALIVE.replace(b"CSeq: 20 MESSAGE", b"CSeq: x"), "CSeq"),
        (b"OPTIONS sip:a@b SIP/9.9\r\n\r\n", ""),
    ],
)
def test_decode_says_what_is_wrong_and_ends_with_1(
    data: bytes, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.txt"
    file.write_bytes(data)
    assert main(["--lang", "en", "decode", str(file)]) == 1
    done = capsys.readouterr()
    assert says in done.out + done.err


def test_decode_shows_session_descriptions_and_playback_requests(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = KEEPALIVE[: KEEPALIVE.index(b"Content-Type")].replace(b"MESSAGE", b"INFO")
    rtsp = b"PLAY RTSP/1.0\r\nCSeq: 4\r\nScale: 2.0\r\n\r\n"
    offered = play()
    data = b"".join(
        head + b"Content-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, len(body)) + body
        for kind, body in ((b"Application/SDP", offered), (b"Application/MANSRTSP", rtsp))
    )
    code, lines = decoded(tmp_path, capsys, data)
    assert code == 0
    assert [line["body"]["kind"] for line in lines] == ["SDP", "MANSRTSP"]
    assert ["y", "0200003863"] in lines[0]["body"]["lines"]


@pytest.mark.parametrize(
    ("arguments", "digits"),
    [
        (("move", "--pan", "128"), "A50F010180000036"),
        (("move", "--pan", "-64", "--tilt", "64"), "A50F010A4040003F"),
        (("stop",), "A50F0100000000B5"),
        (("preset-set", "--number", "5"), "A50F01810005003B"),
        (("cruise-add", "--group", "1", "--number", "3"), "A50F01840103003D"),
        (("cruise-stay", "--group", "1", "--number", "300"), "A50F0187012C1079"),
        (("scan-start", "--group", "1"), "A50F01890100003F"),
        (("on", "--number", "1"), "A50F018C01000042"),
    ],
)
def test_ptz_writes_and_reads(arguments: tuple[str, ...], digits: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ptz", "encode", *arguments]) == 0
    assert capsys.readouterr().out.strip() == digits
    assert main(["ptz", "decode", digits, "--json"]) == 0
    shape = json.loads(capsys.readouterr().out)
    assert (shape["ptzcmd"], shape["address"]) == (digits, 1)
    assert shape["zh"] != shape["en"]


def test_ptz_says_what_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ptz", "decode", "A50F0100000000B6"]) == 1
    assert "byte 8" in capsys.readouterr().err
    assert main(["ptz", "encode", "fly"]) == 2
    assert main(["ptz", "encode", "preset-call", "--number", "256"]) == 2


@pytest.fixture
def listening() -> Iterator[tuple[subprocess.Popen[str], int]]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "gb28181", "listen", "--port", str(port), "--password", PASSWORD, "--json"]
    process = subprocess.Popen(
        [*command, "--duration", "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"},
    )
    assert process.stderr is not None
    while "Ctrl-C" not in process.stderr.readline():
        assert process.poll() is None
    try:
        yield process, port
    finally:
        process.kill()
        process.communicate()


def test_listen_tells_what_happens_as_json_lines(listening: tuple[subprocess.Popen[str], int]) -> None:
    process, port = listening

    async def play_device() -> None:
        for password in ("wrong", PASSWORD):
            account = Account(device_id=DEVICE, server_id=PLATFORM, password=password)
            client = DeviceClient(account, GBT_28181_2022, equipment(2))
            await client.start("127.0.0.1", port, local="127.0.0.1")
            await asyncio.sleep(0.5)
            assert client.transport is not None
            client.device.raise_alarm(ALARM_INPUT, client.transport.now)
            client.transport.wake()
            await asyncio.sleep(0.3)
            await client.stop()

    asyncio.run(play_device())
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    events = [json.loads(line) for line in out.splitlines()]
    assert all(event["device"] == DEVICE for event in events)
    names = [event["event"] for event in events]
    for name in ("refused", "registered", "keepalive", "catalog", "alarm", "unregistered"):
        assert name in names
    catalog = next(event for event in events if event["event"] == "catalog")
    assert catalog["complete"]
    assert len(catalog["items"]) == 4
    assert PASSWORD not in out + err


def test_listen_prints_the_labels_of_a_cameras_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lang", "zh", "listen", "--port", "0", "--duration", "0.1", "--password", PASSWORD]) == 0
    out = capsys.readouterr().out
    for label in (
        "SIP服务器编码: " + PLATFORM,
        "SIP域: 3402000000",
        "设备编码",
        "视频通道编码",
        "注册有效期",
        "心跳周期",
    ):
        assert label in out
    assert PASSWORD not in out


def test_listen_tells_why_a_message_could_not_be_used(listening: tuple[subprocess.Popen[str], int]) -> None:
    process, port = listening
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        sock.connect(("127.0.0.1", port))
        for data in (KEEPALIVE.replace(b"CSeq: 20", b"CSeq: much"), b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01"):
            sock.send(data)
        assert sock.recv(65535).startswith(b"SIP/2.0 400 CSeq: expected a number")
        peer = "{}:{}".format(*sock.getsockname())
    assert process.stdout is not None
    events = [json.loads(process.stdout.readline()) for _ in range(3)]
    process.send_signal(signal.SIGTERM)
    assert "3 refused" in process.communicate(timeout=20)[1]
    assert {(one["event"], one["device"], one["peer"], one["reason"]) for one in events} == {
        ("refused", "", peer, "unusable")
    }
    assert "expected a request" in events[1]["why"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--domain", 'a"b'), '--domain: expected digits, a name or an address, found a"b.'),
        (("--advertise", "192.0.2.1\r\nX: y"), "--advertise: expected digits, a name or an address"),
        (("--password", ""), "--password is empty"),
        (("--keepalive", "nan"), "expected a number of seconds"),
        (("--duration", "inf"), "expected a number of seconds"),
    ],
)
def test_listen_says_what_is_wrong_with_an_option(
    options: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--lang", "en", "listen", "--port", "0", *options]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize("domain", ["3402000000.spvmn.cn", "sip.example.org", "192.0.2.1:5060", "[2001:db8::1]:5060"])
def test_listen_takes_the_domains_that_the_standard_has(domain: str, capsys: pytest.CaptureFixture[str]) -> None:
    """2022 6.1.2: ten digits, with a suffix, an address with a port, or a name."""
    options = ["--port", "0", "--duration", "0", "--domain", domain, "--advertise", "203.0.113.7", "--password", "x"]
    assert main(["--lang", "en", "listen", *options]) == 0
    out = capsys.readouterr().out
    assert f"SIP domain: {domain}\n" in out
    assert "SIP server address: 203.0.113.7\n" in out
    assert "Listening on 127.0.0.1 port" in out


def test_listen_refuses_a_code_that_is_none_and_a_port_in_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["listen", "--port", "0", "--id", "123"]) == 2
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        assert main(["listen", "--port", str(taken.getsockname()[1])]) == 2
