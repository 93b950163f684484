"""What every command line of ours looks like."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

import stationgate
from stationgate.exits import UsageFault, run
from stationgate.language import _
from stationgate.layout import display_width
from stationgate.options import Group, command, group, json_option, read_input, show_secrets_option


def build() -> Group:
    cli = group("probe", help=_("Show passwords and keys instead of ***."), examples=[("probe send a.bin", "send it")])

    @cli.command("send", help="Send a file.", examples=[("probe send - --json", "from standard input")])
    @click.argument("source", default="-")
    @click.option("--count", type=int, default=1, show_default=True, help="How often.")
    @json_option()
    @show_secrets_option()
    def send(source: str, count: int, as_json: bool, show_secrets: bool) -> None:
        click.echo(f"{source} {count} {as_json} {show_secrets}")

    @cli.group("ptz", help="Steer.")
    def ptz() -> None: ...

    @ptz.command("encode", help="Encode.")
    def encode() -> None: ...

    return cli


def lines(capsys: pytest.CaptureFixture[str], *argv: str, code: int = 0) -> list[str]:
    assert run(build, argv) == code
    out, err = capsys.readouterr()
    return (err if code else out).splitlines()


class TestHelp:
    def test_examples_come_first(self, capsys: pytest.CaptureFixture[str]) -> None:
        help_text = lines(capsys, "--help")
        assert help_text[:2] == ["Examples:", "  probe send a.bin  send it"]
        assert help_text[3] == "Usage: probe [OPTIONS] COMMAND [ARGS]..."

    def test_command_without_examples_starts_with_usage(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert lines(capsys, "ptz", "encode", "--help")[0] == "Usage: probe ptz encode [OPTIONS]"

    def test_everything_of_ours_and_of_click_is_chinese(self, capsys: pytest.CaptureFixture[str]) -> None:
        text = "\n".join(lines(capsys, "--lang", "zh", "--help"))
        for word in (
            "示例:",
            "用法: probe",
            "选项:",
            "命令:",
            "显示密码和密钥原文",
            "显示版本并退出。",
            "显示本帮助并退出。",
        ):
            assert word in text
        assert "[默认：1]" in "\n".join(lines(capsys, "send", "--help", "--lang=zh"))

    @pytest.mark.parametrize("language", ["zh", "en"])
    def test_help_fits_a_screen(self, capsys: pytest.CaptureFixture[str], language: str) -> None:
        text = lines(capsys, "send", "--lang", language, "--help")
        assert len(text) <= 24
        assert all(display_width(line) <= 80 for line in text)

    def test_group_without_arguments_shows_help_as_an_error(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert lines(capsys, code=2)[0] == "Examples:"


class TestOptions:
    @pytest.mark.parametrize(
        "argv",
        [["--lang", "zh", "ptz", "encode"], ["ptz", "--lang", "zh", "encode"], ["ptz", "encode", "--lang", "zh"]],
    )
    def test_language_and_debug_are_accepted_at_every_level(self, argv: list[str]) -> None:
        assert run(build, argv) == 0
        assert run(build, [word.replace("--lang", "--debug") for word in argv if word != "zh"]) == 0

    def test_wrong_language_is_usage(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "'fr'" in lines(capsys, "ptz", "encode", "--lang", "fr", code=2)[0]

    def test_flags_reach_the_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert lines(capsys, "send") == ["- 1 False False"]
        assert lines(capsys, "send", "x", "--json", "--show-secrets", "--count", "2") == ["x 2 True True"]

    def test_version(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert lines(capsys, "--version") == [f"probe {stationgate.__version__}"]

    def test_command_of_its_own(self, capsys: pytest.CaptureFixture[str]) -> None:
        @command("single", help="Do.", examples=[("single --lang zh", "in Chinese")])
        def single() -> int:
            return 3

        assert run(lambda: single, ["--lang", "zh"]) == 3


class TestMisspelling:
    @pytest.mark.parametrize(
        ("argv", "suggestion"),
        [(["sned"], "send"), (["send", "--jsn"], "--json"), (["send", "--cuont=1"], "--count")],
    )
    def test_suggestion(self, capsys: pytest.CaptureFixture[str], argv: list[str], suggestion: str) -> None:
        error, hint = lines(capsys, *argv, code=2)
        assert suggestion in error
        assert hint.startswith("Try 'probe")

    def test_suggestion_in_chinese(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert lines(capsys, "sned", "--lang", "zh", code=2) == [
            "错误：没有命令 'sned'。是否想用 'send'？",
            "用 'probe --help' 查看示例。",
        ]

    def test_nothing_similar(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert lines(capsys, "xyz", code=2)[0] == "Error: No such command 'xyz'."

    def test_option_before_the_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert "--versoin" in lines(capsys, "--versoin", code=2)[0]


class TestReadInput:
    def test_file(self, tmp_path: Path) -> None:
        (tmp_path / "a.bin").write_bytes(b"\x00\r\n\xff")
        assert read_input(str(tmp_path / "a.bin")) == b"\x00\r\n\xff"

    def test_standard_input_as_bytes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"\xff\r\n")))
        assert read_input("-") == b"\xff\r\n"

    def test_missing_file(self, tmp_path: Path) -> None:
        with pytest.raises(UsageFault, match="no such file or directory") as caught:
            read_input(str(tmp_path / "none.bin"))
        assert caught.value.hint
