"""The command line, in both languages."""

from __future__ import annotations

import gettext
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from accessctl import load, names, schema
from accessctl.__main__ import main
from hj212 import build_frame
from stationgate import language

FRAMES = {example.id: example.frame for example in load("nx").examples}
GOOD = b"".join(FRAMES[name] for name in ("periodic", "opening-face", "opening-fingerprint", "opening-password", "log"))
BAD = FRAMES["unknown-method-formatted-date"]


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


Decode = Callable[..., tuple[int, str, str]]


@pytest.fixture
def decode(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Decode:
    """Return a function that decodes bytes from a file and returns exit code, stdout and stderr."""

    def run(data: bytes, *options: str) -> tuple[int, str, str]:
        file = tmp_path / "door.bin"
        file.write_bytes(data)
        code = main(["decode", str(file), *options])
        return code, *capsys.readouterr()

    return run


class TestText:
    def test_records_in_english(self, decode: Decode) -> None:
        code, out, err = decode(FRAMES["opening-face"], "--lang", "en")
        assert (code, err) == (0, "")
        assert out.splitlines() == [
            "2025-09-15 10:15:31  64010000ACCE550000000001  Door state",
            "    i32001 door position: open",
            "2025-09-15 10:15:31  64010000ACCE550000000001  Opening",
            "    i32004 opening method: face",
            "    i32005 person code: person-1",
            "    i32006 opening time: 2025-09-15 10:15:30",
            "1 frame, 2 records, 0 deviations, 0 damaged frames",
        ]

    def test_records_in_chinese(self, decode: Decode) -> None:
        code, out, _ = decode(FRAMES["opening-face"], "--lang", "zh")
        assert code == 0
        for text in ("运行状态", "开", "开门方式", "人脸", "开门编码", "person-1", "2025-09-15 10:15:30"):
            assert text in out

    @pytest.mark.parametrize(
        ("lang", "text"),
        [
            ("en", "  ! value outside the set: i32004-Info, found 5, expected 1, 2, 3, 4\n"),
            ("zh", "  ! 取值不在规定范围内：i32004-Info，实际为 5，应为 1, 2, 3, 4\n"),
        ],
    )
    def test_deviations_are_printed_and_fail(self, decode: Decode, lang: str, text: str) -> None:
        code, out, _ = decode(BAD, "--lang", lang)
        assert code == 1
        assert text in out

    def test_a_flag_other_than_n_is_shown(self, decode: Decode) -> None:
        segment = b"ST=81;CN=2011;MN=1;CP=&&DataTime=20250915101531;i32001-Rtd=1,i32001-Flag=D&&"
        assert "    i32001 door position: open [D]\n" in decode(build_frame(segment))[1]

    def test_alarm_and_its_end_are_told_apart(self, decode: Decode) -> None:
        frames = (
            FRAMES["dismantled"] + FRAMES["dismantled-cleared"] + FRAMES["dismantled"].replace(b"Info=1", b"Info=2")
        )
        out = decode(frames)[1]
        assert "Alarm\n" in out
        assert "Alarm cleared\n" in out
        assert "Alarm?\n" in out

    def test_frame_without_door_data_is_mentioned(self, decode: Decode) -> None:
        code, out, _ = decode(FRAMES["read-request"])
        assert code == 0
        assert "Frame 1 at byte 0: CN=3020, no door data.\n" in out

    def test_what_a_terminal_would_obey_is_escaped(self, decode: Decode) -> None:
        segment = b"ST=81;CN=3020;MN=\x1b[2J;CP=&&DataTime=20250915101531;i32001-Info=1&&"
        out = decode(build_frame(segment))[1]
        assert "\x1b" not in out
        assert "\\x1b[2J" in out


class TestJson:
    def test_one_object_per_record_and_text_on_stderr(self, decode: Decode) -> None:
        code, out, err = decode(GOOD + FRAMES["read-request"], "--json")
        assert code == 0
        objects = [json.loads(line) for line in out.splitlines()]
        assert [made["type"] for made in objects] == ["state"] + ["state", "opening"] * 3 + ["log"]
        for made in objects:
            Draft202012Validator(schema()).validate(made)
        assert [made["code"] for made in objects if made["type"] == "opening"] == ["person-1", "person-2", "person-2"]
        assert err.splitlines() == [
            "Frame 6 at byte 909: CN=3020, no door data.",
            "6 frames, 8 records, 0 deviations, 0 damaged frames",
        ]

    def test_findings_are_data(self, decode: Decode) -> None:
        code, out, _ = decode(BAD, "--json")
        assert code == 1
        opening = json.loads(out.splitlines()[1])
        assert opening["findings"][0] == {
            "code": "value-outside-set",
            "field": "i32004-Info",
            "found": "5",
            "expected": "1, 2, 3, 4",
        }
        assert opening["method"] is None

    def test_chinese_stays_chinese(self, decode: Decode) -> None:
        assert "人脸开门NX000012" in decode(FRAMES["log"], "--json", "--show-secrets")[1]

    def test_bytes_that_are_no_utf8_stay_json(self, decode: Decode) -> None:
        text = "开门".encode("gbk")
        frame = build_frame(b"ST=81;CN=3020;MN=1;CP=&&DataTime=20250915101531;i31001-Info=//%s//&&" % text)
        made = json.loads(decode(frame, "--json", "--show-secrets")[1])
        assert made["message"].encode("utf-8", "surrogateescape") == text


class TestSecrets:
    SECRETS = ("NX000012", "1007", "人脸", "3A7F21C0", "张三", "HB000012", "123456")

    @pytest.mark.parametrize("options", [(), ("--json",), ("--strict",), ("--lang", "zh")])
    @pytest.mark.parametrize("dictionary", names())
    @pytest.mark.parametrize("source", names())
    def test_no_person_and_no_password_is_shown(
        self, decode: Decode, source: str, dictionary: str, options: tuple[str, ...]
    ) -> None:
        frames = b"".join(example.frame for example in load(source).examples)
        _, out, err = decode(frames, "--dictionary", dictionary, *options)
        shown = out + err
        secrets = [secret for secret in self.SECRETS if secret != "人脸" or "zh" not in options]
        assert not [secret for secret in secrets if secret in shown]

    def test_they_are_shown_on_demand(self, decode: Decode) -> None:
        _, out, _ = decode(GOOD, "--show-secrets")
        assert "person code: NX000012\n" in out
        assert "人脸开门NX000012" in out
        assert "123456" not in out


class TestBadData:
    def test_damaged_frame_is_read_and_fails(self, decode: Decode) -> None:
        damaged = FRAMES["periodic"].replace(b"8581\r", b"8582\r")
        code, out, _ = decode(FRAMES["door-opened"] + damaged)
        assert code == 1
        assert "Frame 2 at byte 136 is damaged: the check value is wrong.\n" in out
        assert "2 frames, 2 records, 0 deviations, 1 damaged frame\n" in out

    def test_wrong_length_is_named(self, decode: Decode) -> None:
        code, out, _ = decode(FRAMES["periodic"].replace(b"##0152", b"##0153"))
        assert code == 1
        assert "damaged: the length field is wrong" in out

    def test_strict_leaves_out_what_deviates(self, decode: Decode) -> None:
        damaged = FRAMES["periodic"].replace(b"8581\r", b"8582\r")
        code, out, err = decode(FRAMES["door-opened"] + BAD + damaged, "--json", "--strict")
        assert code == 1
        assert len(out.splitlines()) == 1
        assert "Frame 2 at byte 136 refused: value outside the set: i32004-Info, found 5, expected 1, 2, 3, 4." in err
        assert "3 frames, 1 record, 1 deviation, 1 damaged frame" in err

    def test_bytes_between_frames_are_mentioned(self, decode: Decode) -> None:
        code, out, _ = decode(b"hello\r\n\r\n" + FRAMES["periodic"])
        assert code == 0
        assert out.startswith("At byte 0: 7 bytes that belong to no frame.\n2025")

    @pytest.mark.parametrize("data", [b"", b"hello"])
    def test_no_frame_at_all_fails(self, decode: Decode, data: bytes) -> None:
        assert decode(data)[0] == 1


class TestUsage:
    @pytest.mark.parametrize("lang", language.LANGUAGES)
    @pytest.mark.parametrize("words", [["--help"], ["decode", "--help"]])
    def test_help_begins_with_examples_and_fits_a_screen(
        self, capsys: pytest.CaptureFixture[str], words: list[str], lang: str
    ) -> None:
        assert main([*words, "--lang", lang]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert "accessctl decode" in lines[1]
        assert len(lines) <= 45

    def test_help_says_which_dictionary_is_assumed(self, capsys: pytest.CaptureFixture[str]) -> None:
        main(["decode", "--help", "--lang", "en"])
        assert "Default: nx." in " ".join(capsys.readouterr().out.split())

    @pytest.mark.parametrize("words", [["decode", "--dictionary", "mars"], ["decode", "no/such/file"], ["encode"]])
    def test_usage_errors_exit_2(self, capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
        assert main(words) == 2
        assert capsys.readouterr().err.startswith("Error: ")

    def test_dictionary_decides_what_a_frame_means(self, decode: Decode) -> None:
        frame = next(example.frame for example in load("hj212-2017").examples if example.id == "fault")
        assert "state of the door controller: fault" in decode(frame, "--dictionary", "hj212-2017")[1]
        assert decode(frame)[0] == 1

    def test_standard_input(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD)))
        assert main(["decode", "-", "--json"]) == 0
        assert len(capsys.readouterr().out.splitlines()) == 8

    def test_python_dash_m(self) -> None:
        root = Path(__file__).resolve().parents[2]
        done = subprocess.run(
            [sys.executable, "-m", "accessctl", "decode", "--lang", "zh"],
            input=GOOD,
            capture_output=True,
            cwd=root,
            env=os.environ | {"PYTHONIOENCODING": "utf-8"},
            timeout=60,
        )
        assert done.returncode == 0
        assert "开门方式" in done.stdout.decode()
        assert done.stderr == b""
