"""How commands end: the code, what stands on which stream, and in which language."""

from __future__ import annotations

import errno
import io
import itertools
import os
import socket
import subprocess
import sys
from collections.abc import Callable

import click
import pytest

from stationgate.exits import DataFault, EnvironmentFault, ExitCode, UsageFault, run, worst
from stationgate.options import Command


def ending(body: Callable[[], object]) -> Callable[[], click.Command]:
    """Return what builds a command that does nothing but ``body``."""
    return lambda: Command("probe", callback=body)


def raising(error: BaseException) -> Callable[[], click.Command]:
    def body() -> None:
        raise error

    return ending(body)


class TestWorst:
    def test_precedence(self) -> None:
        ranked = [130, 2, 1, 4, 3, 0]
        for better, worse in itertools.combinations(reversed(ranked), 2):
            assert worst([better, worse]) == worst([worse, better]) == worse

    def test_nothing_judged_is_no_failure(self) -> None:
        assert worst([]) is ExitCode.OK

    def test_unknown_code_is_refused(self) -> None:
        with pytest.raises(ValueError, match="5"):
            worst([0, 5])


class TestResult:
    @pytest.mark.parametrize(
        ("result", "code"), [(None, 0), (0, 0), (3, 3), (ExitCode.FAIL, 1), ("text", 0), (ExitCode.ERROR, 4)]
    )
    def test_what_a_callback_returns(self, result: object, code: int) -> None:
        assert run(ending(lambda: result), []) == code

    def test_context_exit(self) -> None:
        assert run(ending(lambda: click.get_current_context().exit(3)), []) == 3

    def test_arguments_of_the_process_are_the_default(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.argv", ["probe", "--nope"])
        assert run(ending(lambda: None)) == 2

    def test_system_exit_passes(self) -> None:
        with pytest.raises(SystemExit):
            run(raising(SystemExit(7)), [])


class TestFaults:
    @pytest.mark.parametrize(("fault", "code"), [(UsageFault, 2), (DataFault, 1), (EnvironmentFault, 4)])
    def test_sentence_and_hint_on_stderr(
        self, capsys: pytest.CaptureFixture[str], fault: type[UsageFault | DataFault | EnvironmentFault], code: int
    ) -> None:
        assert run(raising(fault("port 9000 is in use.", "Choose another with --port.")), []) == code
        assert capsys.readouterr() == ("", "Error: port 9000 is in use.\nChoose another with --port.\n")

    def test_without_hint(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(raising(DataFault("no frame found.")), ["--lang", "zh"]) == 1
        assert capsys.readouterr().err == "错误：no frame found.\n"

    def test_fault_while_the_command_is_built(self, capsys: pytest.CaptureFixture[str]) -> None:
        def build() -> click.Command:
            raise UsageFault("broken table.")

        assert run(build, []) == 2
        assert capsys.readouterr().err == "Error: broken table.\n"

    def test_only_failure_of_a_task_group_is_told_as_itself(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(raising(ExceptionGroup("g", [ExceptionGroup("h", [DataFault("bad frame.")])])), []) == 1
        assert capsys.readouterr().err == "Error: bad frame.\n"

    def test_password_in_a_message_is_masked(self, capsys: pytest.CaptureFixture[str]) -> None:
        run(raising(DataFault("field PW=123456;MN=1 is wrong.", "PW=123456")), [])
        assert capsys.readouterr().err == "Error: field PW=***;MN=1 is wrong.\nPW=***\n"

    def test_str_is_the_sentence(self) -> None:
        assert str(UsageFault("this.", "that.")) == "this."


class TestFiles:
    @pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.EISDIR, errno.ENOTDIR])
    def test_file_that_cannot_be_opened_is_usage(self, capsys: pytest.CaptureFixture[str], number: int) -> None:
        assert run(raising(OSError(number, os.strerror(number), "profile.toml")), []) == 2
        assert "cannot open 'profile.toml': " in capsys.readouterr().err

    def test_reason_in_chinese(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(raising(FileNotFoundError(errno.ENOENT, "No such file", b"a.toml")), ["--lang=zh"]) == 2
        assert capsys.readouterr().err == "错误：无法打开 'a.toml'：没有这个文件或目录。\n请检查路径和权限。\n"

    def test_permission_without_a_file_is_a_crash(self) -> None:
        assert run(raising(PermissionError(errno.EACCES, "privileged port")), []) == 4


class TestCrash:
    def test_one_line_names_the_exception_and_the_way_to_more(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(raising(RuntimeError("lost\n  count")), []) == 4
        out, err = capsys.readouterr()
        assert out == ""
        assert err.startswith("Error: unexpected RuntimeError: lost count. ")
        assert "--debug" in err
        assert err.count("\n") == 1

    def test_exception_without_text(self, capsys: pytest.CaptureFixture[str]) -> None:
        run(raising(RuntimeError()), [])
        assert "unexpected RuntimeError. " in capsys.readouterr().err

    def test_password_and_hint_stand_in_one_line(self, capsys: pytest.CaptureFixture[str]) -> None:
        run(raising(RuntimeError("PW=123456")), [])
        err = capsys.readouterr().err
        assert "123456" not in err
        assert "--debug" in err

    def test_chinese(self, capsys: pytest.CaptureFixture[str]) -> None:
        run(raising(RuntimeError("boom")), ["--lang", "zh"])
        assert capsys.readouterr().err.startswith("错误：意外的 RuntimeError: boom。加上 --debug")

    def test_tools_choose_their_code(self) -> None:
        assert run(raising(RuntimeError("boom")), [], crash_code=1) == 1

    def test_several_failures_at_once_are_a_crash(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(raising(ExceptionGroup("two", [DataFault("a"), DataFault("b")])), []) == 4
        assert "ExceptionGroup: two" in capsys.readouterr().err

    @pytest.mark.parametrize("way", ["option", "variable"])
    def test_traceback_on_request(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, way: str
    ) -> None:
        if way == "variable":
            monkeypatch.setenv("STATIONGATE_DEBUG", "1")
        assert run(raising(RuntimeError("PW=123456")), ["--debug"] if way == "option" else []) == 4
        err = capsys.readouterr().err
        assert "Traceback (most recent call last)" in err
        assert "123456" not in err

    def test_variable_set_to_zero_asks_for_nothing(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("STATIONGATE_DEBUG", "0")
        run(raising(RuntimeError("boom")), [])
        assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort(), BaseExceptionGroup("g", [KeyboardInterrupt()])])
def test_interruption(capsys: pytest.CaptureFixture[str], error: BaseException) -> None:
    assert run(raising(error), []) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


class TestClick:
    def test_usage_error(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(ending(lambda: None), ["surplus"]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.splitlines() == [
            "Error: Got unexpected extra argument (surplus)",
            "Try 'probe --help' for examples.",
        ]

    def test_other_click_errors_are_usage_too(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(raising(click.FileError("x.toml", "locked")), ["--lang", "zh"]) == 2
        assert capsys.readouterr().err == "错误：无法打开文件 'x.toml'：locked\n"


class TestLanguage:
    def test_profile_is_asked_when_there_is_no_option(self) -> None:
        seen: list[str] = []

        def build() -> click.Command:
            from stationgate import language

            seen.append(language.current())
            return Command("probe", callback=lambda: None)

        run(build, ["--lang", "en"], profile_language=lambda argv: "zh")
        run(build, [], profile_language=lambda argv: "zh")
        run(build, [], profile_language=lambda argv: None)
        assert seen == ["en", "zh", "en"]

    @pytest.mark.parametrize("error", [UsageFault("bad key."), FileNotFoundError("x"), ValueError("not TOML")])
    def test_profile_that_cannot_be_read_is_left_to_the_command(self, error: Exception) -> None:
        def profile_language(argv: object) -> str | None:
            raise error

        assert run(ending(lambda: None), [], profile_language=profile_language) == 0


class TestStreams:
    def test_console_without_chinese_shows_escapes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        raw = io.BytesIO()
        monkeypatch.setattr("sys.stdout", io.TextIOWrapper(raw, encoding="ascii", newline=""))
        assert run(ending(lambda: print("门 open")), []) == 0
        assert raw.getvalue().split() == [rb"\u95e8", b"open"]

    @pytest.mark.parametrize(
        "body", ["print('late')", "[print(i) for i in range(100000)]", "[click.echo(i) for i in range(100000)]"]
    )
    @pytest.mark.skipif(sys.platform == "win32", reason="the reader is closed through POSIX descriptors")
    def test_reader_that_left_is_not_complained_about(self, body: str) -> None:
        script = (
            "import sys, click\n"
            "from stationgate.exits import run\n"
            f"sys.exit(run(lambda: click.Command('probe', callback=lambda: {body})))"
        )
        reading, writing = os.pipe()
        os.close(reading)
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        try:
            done = subprocess.run(
                [sys.executable, "-c", script], stdout=writing, stderr=subprocess.PIPE, env=environ, timeout=60
            )
        finally:
            os.close(writing)
        assert (done.returncode, done.stderr) == (4, b"")

    @pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="needs a local socket pair")
    def test_broken_pipe_of_a_socket_is_an_error(self, capfd: pytest.CaptureFixture[str]) -> None:
        def body() -> None:
            ours, theirs = socket.socketpair()
            theirs.close()
            with ours:
                ours.send(b"x")

        assert run(ending(body), []) == 4
        assert "BrokenPipeError" in capfd.readouterr().err


def test_shell_completion(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_PROBE_COMPLETE", "zsh_source")
    assert run(ending(lambda: None), []) == 0
    assert "compdef" in capsys.readouterr().out
