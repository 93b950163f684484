"""The command line: what it prints, what it hides, how it ends; in both languages where the wording is ours."""

from __future__ import annotations

import gettext
import io
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import IO, Any

import pytest

from hj212 import build_frame
from hj212.__main__ import main
from hj212.encryption import Key, encrypt_frame
from stationgate import language

from .conftest import Vector

ACK = b"##0087QN=20160801085000001;ST=91;CN=9014;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&C241\r\n"
SEGMENT = (
    b"QN=20160801085857223;ST=32;CN=2011;PW=s3cr3t;MN=010000A8900016F000169DC0;Flag=5;"
    b"CP=&&DataTime=20160801085857;w01018-Rtd=2.20,w01018-Flag=D&&"
)
GOOD = build_frame(SEGMENT)
BAD = GOOD[:-6] + b"0759\r\n"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for variable in ("LC_ALL", "LC_MESSAGES", "STATIONGATE_DEBUG"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("LANGUAGE", "en")
    domain = gettext.textdomain()
    yield
    language.activate("en")
    gettext.textdomain(domain)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Run:
    """Return a function that runs a command line on some standard input: exit code, stdout, stderr."""

    def call(*argv: str, stdin: bytes = b"") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = main(list(argv))
        out, err = capsysbinary.readouterr()
        return code, out.decode("utf-8", "surrogateescape"), err.decode()

    return call


def objects(out: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in out.splitlines()]


def secret(raw: bytes) -> bytes:
    """Give a frame a password that stands nowhere else in it."""
    return raw.replace(b"PW=123456", b"PW=s3cr3t")


class TestDecode:
    def test_text(self, run: Run) -> None:
        code, out, err = run("decode", "-", stdin=GOOD)
        assert (code, err) == (0, "1 frame, 0 bad, 0 with deviations\n")
        assert out.splitlines() == [
            "Frame 1 at byte 0, 152 bytes: good",
            "    QN        request id               20160801085857223  2016-08-01 08:58:57.223",
            "    ST        system code              32",
            "    CN        command code             2011  upload real-time data",
            "    PW        access password          ***",
            "    MN        station identity         010000A8900016F000169DC0",
            "    Flag      packet and answer flags  5  2017, wants an answer",
            "    DataTime  time of the data         20160801085857  2016-08-01 08:58:57",
            "    w01018-Rtd=2.20, w01018-Flag=D  (fault)",
        ]

    def test_text_in_chinese(self, run: Run) -> None:
        _, out, _ = run("decode", "-", "--lang", "zh", stdin=GOOD)
        for text in ("请求编码", "上传污染物实时数据", "设备唯一标识", "数据时间", "故障"):
            assert text in out

    @pytest.mark.parametrize(
        ("lang", "told"),
        [
            ("en", "  ! the CRC 0759 is not one of the 256 values that Annex A can give; 03C0 would match"),
            ("zh", "  ! CRC 0759 不在附录 A 算法可能得出的 256 个值之内，应为 03C0"),
        ],
    )
    def test_bad_frame_is_explained_with_a_mark_below_the_place(self, run: Run, lang: str, told: str) -> None:
        code, out, _ = run("decode", "-", "--lang", lang, stdin=BAD)
        explained, quoted, mark = out.splitlines()[-3:]
        assert code == 1
        assert explained == f"{told}  (HJ 212-2017 {'附录' if lang == 'zh' else 'Annex'} A)"
        assert quoted.endswith("&&0759\\r\\n")
        assert mark.strip() == "^^^^"
        assert quoted[len(mark) - 4 : len(mark)] == "0759"

    def test_json(self, run: Run) -> None:
        code, out, err = run("decode", "-", "--json", stdin=GOOD + BAD)
        first, second = objects(out)
        assert code == 1
        assert err == "2 frames, 1 bad, 1 with deviations\n"
        assert (first["crc_ok"], second["crc_ok"]) == (True, False)
        assert [d["code"] for d in second["deviations"]] == ["crc-impossible"]
        assert first["items"] == [[["DataTime", "20160801085857"]], [["w01018-Rtd", "2.20"], ["w01018-Flag", "D"]]]

    def test_all_frames_met_in_public(self, run: Run, vectors: tuple[Vector, ...], tmp_path: Path) -> None:
        file = tmp_path / "capture.bin"
        file.write_bytes(b"".join(vector.raw for vector in vectors))
        code, out, err = run("decode", str(file), "--json")
        shown = objects(out)
        assert code == 1
        assert len(shown) == len(vectors) == 166
        assert [(s["crc_ok"], s["length_ok"], s["edition"], s["cn"]) for s in shown] == [
            (v.crc_ok, v.length_ok, v.version, v.cn) for v in vectors
        ]
        assert err.startswith("166 frames, ")
        code, out, _ = run("decode", str(file))
        assert code == 1
        assert out.count("\nFrame ") == 165
        assert "Traceback" not in out

    def test_bad_is_length_check_value_or_tail_and_nothing_else(self, run: Run) -> None:
        style = SEGMENT.replace(b"QN=20160801085857223", b" QN=1").replace(b"MN=0", b"MN=x")
        assert run("decode", stdin=build_frame(style))[0] == 0
        lower = ACK[:-6] + b"c241\r\n"
        assert run("decode", stdin=lower)[0] == 0
        for raw in (GOOD[:-2], GOOD[:-1], GOOD[:-2] + b"\n", b"##0001" + GOOD[6:], b"##144" + GOOD[6:], BAD):
            assert run("decode", stdin=raw)[0] == 1

    def test_what_belongs_to_no_frame_is_told(self, run: Run) -> None:
        data = b"heartbeat\r\nPW=s3cr3t\r\n" + GOOD + b"\r\n\r\n" + GOOD + b"\x1b[2Jbye"
        code, out, err = run("decode", "-", "--json", stdin=data)
        assert (code, len(objects(out))) == (0, 2)
        assert err.splitlines() == [
            "At byte 0: 22 bytes that belong to no frame: heartbeat\\r\\nPW=***",
            "At byte 330: 7 bytes that belong to no frame: \\x1b[2Jbye",
            "2 frames, 0 bad, 0 with deviations",
        ]

    @pytest.mark.parametrize("data", [b"", b"\r\n", b"nothing of the kind\n" * 100])
    def test_input_without_a_frame(self, run: Run, data: bytes) -> None:
        code, out, err = run("decode", "-", stdin=data)
        assert (code, out) == (1, "")
        assert "Error: the input holds no HJ 212 frame." in err

    def test_file_that_is_not_there(self, run: Run) -> None:
        code, out, err = run("decode", "no-such-file")
        assert (code, out) == (2, "")
        assert "cannot read 'no-such-file'" in err

    def test_edition(self, run: Run) -> None:
        assert run("decode", "-", "--edition", "2017", stdin=GOOD)[0] == 0
        assert run("decode", "-", "--edition", "1999", stdin=GOOD)[0] == 2

    def test_many_deviations_of_a_kind_are_summed_up(self, run: Run) -> None:
        area = ";".join(f"x{n}=1" for n in range(9))
        _, out, _ = run("decode", stdin=build_frame(SEGMENT.partition(b"Data")[0] + area.encode() + b"&&"))
        assert out.count("is no parameter of the standard") == 3
        assert "  ! 6 more of this kind: key-unknown" in out

    def test_control_characters_and_foreign_bytes_are_escaped(self, run: Run) -> None:
        raw = build_frame(SEGMENT.replace(b"2.20", b"\x1b[31m\xc7\xe5"))
        for options in ([], ["--show-secrets"], ["--json"]):
            _, out, _ = run("decode", *options, stdin=raw)
            assert "\x1b" not in out
            assert "xc7" in out
            out.encode()


class TestSecrets:
    @pytest.mark.parametrize("options", [[], ["--json"], ["--lang", "zh"], ["--json", "--lang", "zh"]])
    def test_are_shown_nowhere(self, run: Run, vectors: tuple[Vector, ...], options: list[str]) -> None:
        data = b"".join(secret(vector.raw) for vector in vectors)
        data += b"noise PW=s3cr3t\n" + GOOD[:60] + GOOD[:-2] + build_frame(SEGMENT.replace(b"PW=", b"PW"))
        data += build_frame(SEGMENT.replace(b"PW=", b"pw=")) + build_frame(SEGMENT.replace(b";PW", b"PW"))
        assert data.count(b"s3cr3t") > 160
        _, out, err = run("decode", "-", *options, stdin=data)
        assert "s3cr3t" not in out + err
        assert "s3cr" not in out + err

    def test_are_shown_when_asked_for(self, run: Run) -> None:
        _, out, _ = run("decode", "-", "--show-secrets", stdin=GOOD)
        assert "PW        access password          s3cr3t" in out
        _, out, _ = run("decode", "-", "--show-secrets", "--json", stdin=GOOD)
        assert objects(out)[0]["pw"] == "s3cr3t"


class TestEncode:
    def test_decode_then_encode_is_exact(self, run: Run, vectors: tuple[Vector, ...], bench_mix: bytes) -> None:
        for data in (b"".join(vector.raw for vector in vectors), bench_mix[:60_000].rpartition(b"##")[0]):
            _, shown, _ = run("decode", "-", "--json", "--show-secrets", stdin=data)
            code, out, err = run("encode", "-", stdin=shown.encode())
            assert (code, out.encode("utf-8", "surrogateescape"), err) == (0, data, "")

    def test_fields_alone(self, run: Run) -> None:
        fields = {"qn": "20160801085857223", "st": "32", "cn": "1062", "pw": "100000", "flag": 5}
        fields |= {"mn": "010000A8900016F000169DC0", "items": [[["RtdInterval", "30"]]]}
        code, out, err = run("encode", stdin=json.dumps([fields], indent=2).encode())
        assert (code, err) == (0, "")
        assert out.endswith("CP=&&RtdInterval=30&&1C80\r\n")

    def test_changed_field(self, run: Run) -> None:
        _, shown, _ = run("decode", "-", "--json", "--show-secrets", stdin=BAD)
        (data,) = objects(shown)
        data["items"] = []
        code, out, err = run("encode", stdin=json.dumps(data).encode())
        assert code == 0
        assert out.encode() == build_frame(SEGMENT.partition(b"DataTime")[0] + b"&&")
        assert err == "Frame 1: the fields no longer agree with 'raw'; built from the fields.\n"

    def test_password_that_is_hidden(self, run: Run) -> None:
        _, shown, _ = run("decode", "-", "--json", stdin=GOOD)
        code, out, err = run("encode", stdin=shown.encode())
        assert (code, out) == (1, "")
        assert err.splitlines() == [
            "Error: frame 1: the password is hidden (***) and there is no 'raw' to take it from.",
            "Decode with --show-secrets, or write the password into 'pw'.",
        ]

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("", "the input holds no JSON object."),
            ("[]", "the input holds no JSON object."),
            ("\n\n{", "line 3 of the input is not JSON."),
            ("[" * 100_000, "line 1 of the input is not JSON."),
            ("5", "frame 1: a JSON object was expected."),
            ('{"st": "32"} {"Qn": 1}', "frame 2: there is no member 'Qn'."),
            ('{"st": 1.5}', "frame 1: 'st' must be text or a whole number."),
            ('{"items": 1}', "frame 1: 'items' must be a list of items, each a list of [key, value] pairs."),
            ('{"edition": "x"}', "frame 1: 'edition' must be one of 2005, 2017, 2025."),
            ('{"mn": "a;b"}', "frame 1: 'mn' holds a sign that separates values; HJ 212 has no way to escape it."),
            ('{"raw": "x"}', "frame 1: 'raw' is not the base64 of one frame."),
            ('{"mn": "%s"}' % ("x" * 10_000), "frame 1: the data segment is longer than the 9999 bytes"),
            ('{"mn": "%s"}' % ("x" * 1015), "frame 1: the data segment has 1026 bytes, at most 1024 are allowed"),
        ],
    )
    def test_refusals(self, run: Run, text: str, told: str) -> None:
        code, out, err = run("encode", stdin=text.encode())
        assert (code, out) == (1, "")
        assert err.startswith(f"Error: {told}")

    def test_input_that_is_no_text(self, run: Run) -> None:
        code, _, err = run("encode", stdin=b"\xff{}")
        assert code == 1
        assert "not UTF-8" in err

    def test_what_is_unusual_is_written_but_told(self, run: Run) -> None:
        code, out, err = run("encode", stdin=b'{"st": "32", "cn": "2011"}')
        assert code == 0
        assert out.startswith("##0021ST=32;CN=2011;CP=&&&&")
        assert "Frame 1: the field MN is missing\n" in err


class TestCrc:
    @pytest.mark.parametrize(("text", "value"), [("123456789", "2F80"), ("", "FFFF"), ("清洗", "F881")])
    def test_of_a_text(self, run: Run, text: str, value: str) -> None:
        assert run("crc", text)[:2] == (0, f"{value}\n")
        assert run("crc", stdin=text.encode())[:2] == (0, f"{value}\n")
        assert run("crc", "-", stdin=text.encode() + b"\r\n")[:2] == (0, f"{value}\n")

    def test_json(self, run: Run) -> None:
        assert run("crc", "123456789", "--json")[1] == '{"crc": "2F80", "length": 9}\n'

    @pytest.mark.parametrize("raw", [ACK, ACK[:-2], ACK[:-6] + b"0000", b"##87" + ACK[6:]])
    def test_of_a_whole_frame(self, run: Run, raw: bytes) -> None:
        code, out, err = run("crc", stdin=raw)
        assert (code, out) == (0, "C241\n")
        assert "87 bytes of its data segment" in err

    def test_of_what_only_looks_like_a_frame(self, run: Run) -> None:
        assert run("crc", "##")[:2] == (0, "B381\n")


class TestUsage:
    @pytest.mark.parametrize("command", [[], ["decode"], ["encode"], ["crc"], ["listen"]])
    @pytest.mark.parametrize("lang", ["en", "zh"])
    def test_help_begins_with_examples_and_fits_a_screen(self, run: Run, command: list[str], lang: str) -> None:
        code, out, _ = run(*command, "--lang", lang, "--help")
        assert code == 0
        assert "hj212" in out.splitlines()[1]
        assert len(out.splitlines()) <= 40

    @pytest.mark.parametrize(
        "argv", [[], ["no-such"], ["decode", "--no-such"], ["listen"], ["listen", "--port", "99999"], ["crc", "a", "b"]]
    )
    def test_wrong_usage(self, run: Run, argv: list[str]) -> None:
        assert run(*argv)[0] == 2

    def test_help_does_not_load_the_event_loop(self) -> None:
        script = "import sys; from hj212.__main__ import main; main(['--help']); sys.exit('asyncio' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=60).returncode == 0


class Listener:
    """``hj212 listen`` in a process of its own."""

    def __init__(self, *options: str) -> None:
        command = [sys.executable, "-m", "hj212", "listen", "--port", "0", *options]
        environ = {**os.environ, "PYTHONUNBUFFERED": "", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)
        self.first = self.line()
        self.port = int(json.loads(self.first)["port"] if "--json" in options else self.first.split()[4].rstrip(";"))

    def line(self) -> str:
        stream: IO[str] | None = self.process.stdout
        assert stream
        return stream.readline()

    def __enter__(self) -> Listener:
        return self

    def __exit__(self, *exc_info: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def talk(self, data: bytes, answers: int) -> bytes:
        received = b""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as link:
            link.sendall(data)
            while received.count(b"\r\n") < answers:
                received += link.recv(4096)
        return received

    def finish(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


@pytest.mark.loopback
class TestListen:
    def test_json_lines(self) -> None:
        with Listener("--json", "--count", "2") as listener:
            answers = listener.talk(b"ping\r\n" + GOOD + ACK, 1)
            code, out, err = listener.finish()
        assert code == 0
        assert answers.count(b"CN=9014") == 1
        connected, noise, first, second, *_ = objects(out)
        assert [line["event"] for line in (connected, noise, first, second)] == [
            *("connected", "noise", "message", "message")
        ]
        assert noise["bytes"] == 6
        assert (first["cn"], first["pw"], first["repeated"], second["cn"]) == ("2011", "***", False, "9014")
        assert first["peer"].startswith("127.0.0.1:")
        assert first["time"].endswith("+08:00")
        assert "2 messages, 0 bad frames" in err
        assert "s3cr3t" not in out + err

    def test_text(self) -> None:
        with Listener("--count", "1") as listener:
            listener.talk(BAD + GOOD, 1)
            code, out, _ = listener.finish()
        assert code == 1
        assert "bad frame, not answered" in out
        assert "  ! the CRC 0759" in out
        assert "CN=2011 upload real-time data; MN=010000A8900016F000169DC0; QN=20160801085857223; DataTime=" in out
        assert "s3cr3t" not in out

    def test_refused_station(self) -> None:
        with (
            Listener("--json", "--max-connections", "1", "--count", "1") as listener,
            socket.create_connection(("127.0.0.1", listener.port), timeout=20) as first,
        ):
            assert json.loads(listener.line())["event"] == "connected"
            with socket.create_connection(("127.0.0.1", listener.port), timeout=20):
                refused = json.loads(listener.line())
            first.sendall(GOOD)
            assert listener.finish()[0] == 0
        assert (refused["event"], refused["reason"]) == ("refused", "too-many-connections")

    @pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C of one process cannot be sent there")
    def test_ctrl_c(self) -> None:
        with Listener() as listener, socket.create_connection(("127.0.0.1", listener.port), timeout=20):
            listener.line()
            listener.process.send_signal(signal.SIGINT)
            code, _, err = listener.finish()
        assert code == 130
        assert "Interrupted." in err
        assert "Traceback" not in err

    @pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM")
    def test_termination_keeps_and_sums_up(self, tmp_path: Path) -> None:
        with (
            Listener("--store", str(tmp_path / "day.db")) as listener,
            socket.create_connection(("127.0.0.1", listener.port), timeout=20) as station,
        ):
            station.sendall(GOOD)
            while "CN=2011" not in listener.line():
                pass
            listener.process.terminate()
            code, _, err = listener.finish()
        assert code == 0
        assert "1 message, 0 bad frames, 1 kept" in err

    def test_port_in_use(self, run: Run) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            code, out, err = run("listen", "--port", str(port))
        assert (code, out) == (2, "")
        assert f"Error: cannot listen on 127.0.0.1 port {port}: " in err
        assert "Choose another port" in err

    def test_address_that_is_not_ours(self, run: Run) -> None:
        code, _, err = run("listen", "--port", "0", "--host", "203.0.113.1")
        assert code == 2
        assert "cannot listen on 203.0.113.1" in err

    def test_duration(self, run: Run) -> None:
        assert run("listen", "--port", "0", "--duration", "0.01")[0] == 0

    def test_count_that_is_not_reached(self, run: Run) -> None:
        code, _, err = run("listen", "--port", "0", "--duration", "0.01", "--count", "3")
        assert code == 1
        assert "only 0 of 3 messages came in time." in err

    def test_output_that_is_gone_ends_it(self) -> None:
        with Listener("--json") as listener:
            assert listener.process.stdout
            listener.process.stdout.close()
            listener.talk(GOOD, 0)
            assert listener.process.wait(timeout=20) == 1
            assert listener.process.stderr
            assert "Traceback" not in listener.process.stderr.read()
            listener.process.stderr.close()
            listener.process = subprocess.Popen([sys.executable, "-c", ""])


class TestDecodeSaved:
    def test_hexadecimal_digits_of_an_assistant(self, run: Run) -> None:
        source = b"[2024-01-02 03:04:05.678] RX: " + GOOD.hex(" ").encode() + b"\n"
        code, out, err = run("decode", "--json", stdin=source * 2)
        assert code == 0
        assert [row["qn"] for row in objects(out)] == ["20160801085857223"] * 2
        assert "Read as 'hex'" in err

    def test_offsets_are_those_of_the_lines(self, run: Run) -> None:
        line = b"[03:04:05] RX: " + GOOD[:-2] + b"\n"
        code, out, err = run("decode", stdin=line * 2)
        assert code == 0
        assert f"Frame 2 at byte {len(line)}," in out
        assert "Read as 'text'" in err

    def test_form_given_must_fit(self, run: Run) -> None:
        code, _, err = run("decode", "--form", "hex", stdin=GOOD)
        assert code == 2
        assert "'hex'" in err

    @pytest.mark.parametrize("edition", ["2005", "2017", "2025"])
    def test_every_edition_is_offered(self, run: Run, edition: str) -> None:
        code, out, _ = run("decode", "--edition", edition, "--json", stdin=GOOD)
        assert code == 0
        assert [d["code"] for d in objects(out)[0]["deviations"]] == ([] if edition == "2017" else ["edition-other"])


@pytest.mark.loopback
class TestListenAndKeep:
    def test_store(self, tmp_path: Path) -> None:
        path = tmp_path / "day.db"
        with Listener("--store", str(path), "--count", "3") as listener:
            other = build_frame(SEGMENT.replace(b"2.20", b"2.21"))
            assert listener.talk(GOOD + GOOD + other, 3).count(b"CN=9014") == 3
            code, out, err = listener.finish()
        assert code == 0
        assert "MN=010000A8900016F000169DC0; QN=20160801085857223: kept beside an earlier message" in out
        assert err.strip() == "3 messages, 0 bad frames, 2 kept, 1 repeat, 1 with the numbers of another"
        assert "s3cr3t" not in out + err

    def test_store_as_json(self, tmp_path: Path) -> None:
        with Listener("--json", "--store", str(tmp_path / "day.db"), "--count", "2") as listener:
            listener.talk(GOOD + GOOD, 2)
            _, out, _ = listener.finish()
        events = [json.loads(line) for line in out.splitlines()]
        assert [event["event"] for event in events if event["event"] in ("message", "repeated")] == [
            "message", "message", "repeated",
        ]  # fmt: skip

    def test_store_that_is_none(self, run: Run, tmp_path: Path) -> None:
        path = tmp_path / "notes.txt"
        path.write_text("a text " * 100)
        code, _, err = run("listen", "--port", "0", "--store", str(path))
        assert code == 2
        assert f"Messages cannot be kept in {path}: file is not a database." in err

    def test_quiet(self) -> None:
        with Listener("--quiet", "--count", "1") as listener:
            listener.talk(GOOD, 1)
            _, out, err = listener.finish()
        assert "CN=2011" not in out
        assert "1 message, 0 bad frames" in err

    def test_no_more_messages_on_a_screen_than_can_be_read(self) -> None:
        with Listener("--count", "500") as listener:
            listener.talk(GOOD * 500, 500)
            _, out, _ = listener.finish()
        shown = sum("CN=2011" in line for line in out.splitlines())
        assert 100 <= shown < 500
        (omitted,) = [line for line in out.splitlines() if "not shown" in line][-1:]
        assert omitted.startswith("… ")

    def test_more_connections_than_descriptors(self, run: Run) -> None:
        pytest.importorskip("resource", reason="descriptors are limited on POSIX only")
        code, _, err = run("listen", "--port", "0", "--max-connections", "900000000")
        assert code == 2
        assert "900000000 connections need 900000032 open files; the system allows" in err

    @pytest.mark.parametrize("options", [[], ["--store"]], ids=["at once", "kept first"])
    def test_encrypted_data_are_read_with_their_key(self, tmp_path: Path, options: list[str]) -> None:
        pytest.importorskip("cryptography", reason="SM4 needs the package cryptography (extra sm4)")
        key = Key(b"0123456789abcdeF")
        path = tmp_path / "day.db"
        raw = encrypt_frame(SEGMENT.replace(b"Flag=5", b"Flag=9"), key)
        assert b"w01018-Rtd" not in raw
        store = [*options, str(path)] if options else []
        with Listener("--count", "1", "--key", key.value.hex(), *store) as listener:
            assert b"CN=9014" in listener.talk(raw, 1)
            code, out, _ = listener.finish()
        assert code == 0
        assert "(encrypted)" in out
        assert "w01018-Rtd=2.20" in out
        assert key.value.hex() not in out
        if options:
            with closing(sqlite3.connect(path)) as db:
                assert b"w01018-Rtd=2.20" in db.execute("SELECT segment FROM messages").fetchone()[0]
