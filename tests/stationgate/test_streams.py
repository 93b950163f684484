"""Standard streams: no line end translated, no character that stops a command, JSON that is JSON everywhere."""

from __future__ import annotations

import io
import json
import sys

import pytest

from stationgate.streams import json_line, make_safe, write_bytes


def console(encoding: str, newline: str = "\r\n") -> io.TextIOWrapper:
    """Return a stream as Windows makes them: another encoding, line feeds written as CR LF, strict."""
    return io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline=newline)


def written(stream: io.TextIOWrapper) -> bytes:
    stream.flush()
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue()


class TestMakeSafe:
    @pytest.mark.parametrize("encoding", ["gbk", "cp437", "cp1252", "ascii"])
    def test_character_that_is_lacking_is_escaped(self, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
        out, err = console(encoding), console(encoding)
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stderr", err)
        make_safe()
        print("ok \N{SNOWMAN}")
        print("\N{SNOWMAN} ok", file=sys.stderr)
        assert (written(out), written(err)) == (b"ok \\u2603\n", b"\\u2603 ok\n")

    def test_input_that_does_not_decode_does_not_end_a_prompt(self, monkeypatch: pytest.MonkeyPatch) -> None:
        typed = io.TextIOWrapper(io.BytesIO("门禁机\n".encode("gbk")), encoding="utf-8")
        monkeypatch.setattr(sys, "stdin", typed)
        make_safe()
        assert "\N{REPLACEMENT CHARACTER}" in sys.stdin.readline()

    def test_streams_of_another_kind_are_left_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        out = io.StringIO()
        monkeypatch.setattr(sys, "stdout", out)
        monkeypatch.setattr(sys, "stdin", None)
        make_safe()
        print("ok")
        assert out.getvalue() == "ok\n"


DATA = {"title": "门禁机", "text": "\N{SNOWMAN} é"}


class TestJsonLine:
    @pytest.mark.parametrize("encoding", ["utf-8", "UTF8", "cp65001"])
    def test_utf8_shows_chinese(self, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
        monkeypatch.setattr(sys, "stdout", console(encoding))
        assert "门禁机" in json_line(DATA)

    @pytest.mark.parametrize("encoding", ["gbk", "cp437", "ascii", "utf-16"])
    def test_any_other_encoding_gets_ascii(self, monkeypatch: pytest.MonkeyPatch, encoding: str) -> None:
        monkeypatch.setattr(sys, "stdout", console(encoding))
        line = json_line(DATA)
        assert line.isascii()
        assert json.loads(line) == DATA

    def test_bytes_that_are_no_text_are_escaped(self) -> None:
        line = json_line({"raw": "\udc80"})
        assert json.loads(line.encode("utf-8")) == {"raw": "\udc80"}


def test_bytes_stand_behind_the_text_before_them(monkeypatch: pytest.MonkeyPatch) -> None:
    out = console("gbk")
    monkeypatch.setattr(sys, "stdout", out)
    print("head", end="")
    write_bytes(b"##0001\r\n\n\xff")
    assert written(out) == b"head##0001\r\n\n\xff"
