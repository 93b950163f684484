"""The wizard: answers from a person or a file, each tested on a real device, and a profile that can be read."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from conformance.demo import MN, PW
from conformance.profile import limit_table, load, shipped
from conformance.wizard.keys import KEYS, SECTIONS
from conformance.wizard.questions import partial_of
from conformance.wizard.writing import render
from stationgate.language import LANGUAGES, Language, speaking

from .stations import free_port, read_until, station_at

pytestmark = pytest.mark.loopback

ROOT = Path(__file__).resolve().parents[2]
NAMES = ["Bureau", "Maker", "D-1", "SN-0001", "1.2.3", "Site 7", "Tester T", "Reviewer R", "HJ 212-2017"]
#: Card and port as offered, wait for the device, then its identity and what it has.
REST = ["", "", "", "", PW, "", "1 3", "n", ""]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


def command(output: Path, port: int, *more: str) -> list[str]:
    listen = f"127.0.0.1:{port}"
    return [sys.executable, "-m", "conformance", "init", "-o", str(output), "--listen", listen, "--wait", "20", *more]


def answered(
    output: Path, port: int, answers: list[str], *more: str, timeout_s: float = 60.0
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(output, port, *more), input="".join(f"{answer}\n" for answer in answers), capture_output=True,
        text=True, timeout=timeout_s, env=environment(), cwd=output.parent, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module", params=LANGUAGES)
def session(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Language, Path, subprocess.CompletedProcess[str]]:
    """One whole session with a door that reports, its clock 200 s behind, in either language."""
    output = tmp_path_factory.mktemp("init") / "门禁.toml"
    port = free_port()
    with station_at(port, interval_s=60, clock_error_s=-200.0):
        done = answered(output, port, [*NAMES, *REST], "--lang", request.param)
    return request.param, output, done


Session = tuple[Language, Path, subprocess.CompletedProcess[str]]


class TestSession:
    def test_writes_a_profile_of_what_was_answered(self, session: Session) -> None:
        language, output, done = session
        assert done.returncode == 0, done.stderr
        profile = load(str(output))
        assert profile.missing == []
        assert profile.device == {**shipped("nx-door").device, "mn": MN, "pw": PW}
        assert profile.declare["methods"] == ["face", "fingerprint"]
        assert profile.declare["exit_button"] is False
        assert profile.declare["log"] is True
        assert profile.test["lang"] == language
        assert profile.sample["serial_number"] == "SN-0001"

    def test_says_what_to_type_into_the_device(self, session: Session) -> None:
        _language, _output, done = session
        assert "127.0.0.1" in done.stderr
        assert "HJ 212-2017" in done.stderr

    def test_never_shows_the_password(self, session: Session) -> None:
        _language, _output, done = session
        assert PW not in done.stderr
        assert PW not in done.stdout

    def test_reads_interval_and_clock_of_the_device(self, session: Session) -> None:
        language, _output, done = session
        with speaking(language):
            assert re.search(r"\b60 s\b|60 秒", done.stderr)
            assert re.search(r"\b(?:199|200|201)\b", done.stderr)

    def test_leaves_no_partial_file(self, session: Session) -> None:
        _language, output, _done = session
        assert not partial_of(output).exists()


def test_a_session_changes_nothing_on_the_device(tmp_path: Path) -> None:
    port = free_port()
    with station_at(port, interval_s=60) as door:
        before = door.settings
        done = answered(tmp_path / "door.toml", port, [*NAMES, *REST])
        assert done.returncode == 0, done.stderr
        assert door.settings == before
        assert door.interval_s == 60
        assert f"MN={MN} reports" in done.stderr
        assert "agrees with what the device sends" in done.stderr


def test_a_wrong_password_is_named_and_may_be_typed_again(tmp_path: Path) -> None:
    port = free_port()
    output = tmp_path / "door.toml"
    answers = [*NAMES, "", "", "", "", "777777", PW, "", "", "", ""]
    with station_at(port):
        done = answered(output, port, answers)
    assert done.returncode == 0, done.stderr
    assert "with another PW than the profile's" in done.stderr
    assert "777777" not in done.stderr
    assert load(str(output)).device["pw"] == PW


def test_another_mn_than_the_one_seen_is_named(tmp_path: Path) -> None:
    port = free_port()
    output = tmp_path / "door.toml"
    other = MN[:-1] + "2"
    answers = [*NAMES, "", "", "", other, "", "", "", "", ""]
    with station_at(port):
        done = answered(output, port, answers)
    assert f"a different MN reports: MN={MN}, expected is MN={other}" in done.stderr
    assert load(str(output)).device["mn"] == other


class TestWithoutDevice:
    def test_the_end_of_the_answers_takes_defaults_and_leaves_the_rest_as_comments(self, tmp_path: Path) -> None:
        output, port = tmp_path / "door.toml", free_port()
        done = answered(output, port, ["Bureau"], timeout_s=30.0)
        assert done.returncode == 0, done.stderr
        data = tomllib.loads(output.read_text("utf-8"))
        assert data == {
            "extends": "nx-door",
            "sample": {"client": "Bureau"},
            "test": {"lang": "en"},
            "listen": {"host": "127.0.0.1", "port": port},
            "device": {},
            "declare": {},
            "limits": {},
        }

    def test_a_question_mark_explains_and_a_wrong_answer_is_asked_for_again(self, tmp_path: Path) -> None:
        output = tmp_path / "door.toml"
        answers = [
            "?",
            *NAMES,
            "9.9.9.9",
            "127.0.0.1",
            "70000",
            "",
            "s",
            "64 01",
            MN,
            "",
            "1",
            "32",
            "9",
            "2",
            "x",
            "y",
        ]
        done = answered(output, free_port(), answers)
        assert done.returncode == 0, done.stderr
        for words in ("Who ordered the test", "no card has this", "0 to 65535", "holds no blanks", "two characters",
                      "known are: face", "answer y or n"):  # fmt: skip
            assert words in done.stderr
        profile = load(str(output))
        assert profile.sample["client"] == "Bureau"
        assert (profile.device["mn"], profile.device["st"]) == (MN, "32")
        assert profile.declare["methods"] == ["ic-card"]

    def test_a_port_in_use_is_named_and_another_asked_for(self, tmp_path: Path) -> None:
        output, port = tmp_path / "door.toml", free_port()
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen(1)
            taken = holder.getsockname()[1]
            done = answered(output, taken, [*NAMES, "", "", "", str(port), "s"])
        assert done.returncode == 0, done.stderr
        assert f"127.0.0.1 port {taken}" in done.stderr or f"127.0.0.1:{taken}" in done.stderr
        assert load(str(output)).listen["port"] == port

    def test_an_existing_file_stays_unless_told_otherwise(self, tmp_path: Path) -> None:
        output = tmp_path / "door.toml"
        output.write_text("# mine\n", encoding="utf-8")
        done = answered(output, free_port(), [])
        assert done.returncode == 2
        assert "-o FILE" in done.stderr
        assert output.read_text("utf-8") == "# mine\n"
        done = answered(output, free_port(), ["y", "Bureau"])
        assert done.returncode == 0
        assert load(str(output)).sample["client"] == "Bureau"

    def test_a_folder_that_is_not_there_is_told_before_the_first_question(self, tmp_path: Path) -> None:
        done = subprocess.run(
            command(tmp_path / "no" / "door.toml", free_port()), input="", capture_output=True, text=True, timeout=30,
            env=environment(), check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert "client" not in done.stderr


posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals and terminals of POSIX")


@posix_only
def test_an_interrupted_session_keeps_what_was_typed(tmp_path: Path) -> None:
    output, port = tmp_path / "door.toml", free_port()
    with subprocess.Popen(
        command(output, port), stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        process.stdin.write("".join(f"{answer}\n" for answer in [*NAMES, "", "", ""]).encode())
        shown = read_until(process.stderr.fileno(), "waiting for the device")
        process.send_signal(signal.SIGINT)
        shown += process.stderr.read().decode()
        assert process.wait(20) == 130
    kept = partial_of(output)
    assert str(kept) in shown
    assert not output.exists()
    assert load(str(kept)).sample["model"] == "D-1"
    done = answered(output, port, [""] * len(NAMES) + ["", "", "s"])
    assert "are offered again" in done.stderr
    assert load(str(output)).sample["model"] == "D-1"
    assert not kept.exists()


@posix_only
def test_on_a_terminal_the_password_is_not_echoed(tmp_path: Path) -> None:
    import fcntl
    import pty
    import termios

    output = tmp_path / "door.toml"
    main, other = pty.openpty()

    def own_terminal() -> None:
        os.setsid()
        fcntl.ioctl(other, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        command(output, free_port()), stdin=other, stdout=other, stderr=other, env=environment(),
        preexec_fn=own_terminal, close_fds=True,
    )  # fmt: skip
    os.close(other)
    try:
        shown = read_until(main, "client")
        for answer, following in (
            *((name, ":") for name in NAMES), ("", "port"), ("", "Enter waits"), ("s", "MN"), (MN, "PW"),
            ("secret-1", "ST"), ("", "methods"), ("", "exit button"), ("", "log"), ("", "next: conformance run"),
        ):  # fmt: skip
            os.write(main, f"{answer}\n".encode())
            shown += read_until(main, following)
        assert process.wait(20) == 0
    finally:
        process.kill()
        process.wait()
        os.close(main)
    assert "SN-0001" in shown
    assert "secret-1" not in shown
    assert load(str(output)).device["pw"] == "secret-1"


class TestFile:
    def test_has_words_for_every_key(self) -> None:
        from conformance.profile import _SECTIONS

        assert set(KEYS) == {(section, key) for section, keys in _SECTIONS.items() for key in keys}
        assert set(SECTIONS) == set(_SECTIONS)

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_every_comment_that_is_a_key_can_be_declared(self, language: Language, tmp_path: Path) -> None:
        with speaking(language):
            text = render("door", {"sample": {"client": 'a "quoted" \\ name'}})
        path = tmp_path / "door.toml"
        declared = []
        for line in text.splitlines():
            match = re.match(r'# ((?:\w+ = .*|    ".*|\])\Z)', line)
            declared.append(match.group(1) if match else line)
        path.write_text("\n".join(declared), encoding="utf-8")
        profile = load(str(path))
        assert profile.sample["client"] == 'a "quoted" \\ name'
        assert {name: limit.value for name, limit in profile.limits.items()} == {
            name: limit.value for name, limit in shipped("nx-door").limits.items()
        }

    def test_names_unit_origin_and_meaning_of_every_limit(self) -> None:
        for language in LANGUAGES:
            with speaking(language):
                text = render("door", {})
            plain = text.replace("\n# ", "").replace(" ", "")
            for limit in limit_table().values():
                assert f"# {limit.name} = " in text
                about = limit.zh if language == "zh" else limit.en
                assert about.replace(" ", "") in plain
                assert limit.basis.replace(" ", "") in plain
