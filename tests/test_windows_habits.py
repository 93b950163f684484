"""What a Chinese Windows does to a program, forced here: GBK consoles, CR LF, Chinese paths, ports that can be shared.

A console of another encoding is a stream of that encoding; one that is strict shows that no text of ours lacks there.
"""

from __future__ import annotations

import asyncio
import gettext
import io
import json
import os
import re
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

import accessctl.__main__
import accessctl.cli
import conformance.__main__
import conformance.cli
import hj212.__main__
import hj212.cli
import simulator.__main__
import simulator.cli
from conformance.catalogue import cases, requirements
from hj212 import build_frame
from hj212.aio import listening
from stationgate import language
from stationgate.filename import safe_name

ROOT = Path(__file__).resolve().parents[1]
HOST = "127.0.0.1"
#: A path as an office makes it.
FOLDER = Path("测试 报告") / "门禁机"

MAINS: dict[str, Callable[[list[str]], int]] = {
    "accessctl": accessctl.__main__.main,
    "conformance": conformance.__main__.main,
    "hj212": hj212.__main__.main,
    "simulator": simulator.__main__.main,
}
ROOTS: dict[str, Callable[[], click.Command]] = {
    "accessctl": accessctl.cli.build_command,
    "conformance": conformance.cli.build,
    "hj212": hj212.cli.build_command,
    "simulator": simulator.cli.build,
}

GOOD = build_frame(
    b"QN=20250915101531002;ST=81;CN=3020;PW=123456;MN=64010000ACCE550000000001;Flag=5;CP=&&DataTime=20250915101531;"
    b"i32001-Info=1;i32004-Info=1;i32005-Info=NX000012;i32006-Info=20250915101530&&"
)
BAD = GOOD[:-6] + b"0000\r\n"
#: Frames as devices send them: good, with a wrong CRC, with garbage between, with Chinese in GBK where none belongs.
CAPTURE = GOOD + b"\x00\xffheartbeat\r\n" + BAD + build_frame("QN=1;ST=81;CN=3020;备注=门".encode("gbk")) + b"##00"


class StrictConsole(io.TextIOWrapper):
    """A stream that stays strict whatever the program asks for."""

    def reconfigure(self, **wanted: Any) -> None:
        wanted.pop("errors", None)
        super().reconfigure(**wanted)


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty folder with a Chinese name, a home of its own, and the language as it was afterwards."""
    for variable in ("LC_ALL", "LC_MESSAGES", "STATIONGATE_DEBUG"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("LANGUAGE", "en")
    monkeypatch.setenv("STATIONGATE_HOME", str(tmp_path / "家"))
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    domain, before = gettext.textdomain(), language.current()
    yield
    language.activate(before)
    gettext.textdomain(domain)


Run = Callable[..., tuple[int, bytes, bytes]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command line on a console: exit code and the bytes it was sent."""

    def call(
        *words: str, encoding: str = "utf-8", stdin: bytes = b"", kind: type[io.TextIOWrapper] = StrictConsole
    ) -> tuple[int, bytes, bytes]:
        out, err = io.BytesIO(), io.BytesIO()
        streams = [kind(raw, encoding=encoding, newline="\r\n") for raw in (out, err)]
        with monkeypatch.context() as patched:
            patched.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding=encoding))
            patched.setattr(sys, "stdout", streams[0])
            patched.setattr(sys, "stderr", streams[1])
            code = MAINS[words[0]](list(words[1:]))
            for stream in streams:
                stream.flush()
        return code, out.getvalue(), err.getvalue()

    return call


def helps() -> list[tuple[str, ...]]:
    """Return a command line for the help of every program and command."""
    found: list[tuple[str, ...]] = []
    for program, build in ROOTS.items():
        root = build()
        assert isinstance(root, click.Group)
        found += [(program, "--help"), *((program, name, "--help") for name in root.list_commands(click.Context(root)))]
    return found


#: Command lines that print what people read, with the exit code each ends with.
SPOKEN: list[tuple[int, tuple[str, ...]]] = [
    (0, ("conformance", "list")),
    (0, ("conformance", "plan", "nx-door")),
    (0, ("simulator", "faults")),
    (0, ("simulator", "new")),
    (2, ("conformance", "plan", "nix-door")),
    (2, ("conformance", "plan", "gbk.toml")),
    (2, ("conformance", "plan", "没有.toml")),
    (2, ("conformance", "demo", "--fault", "modbus")),
    (2, ("conformance", "demonstrate")),
    (2, ("simulator", "run", "gbk.toml")),
    (2, ("hj212", "decode", "没有.bin")),
    (1, ("hj212", "encode", "gbk.toml")),
    (2, ("accessctl", "decode", "--no-such")),
]


class TestConsole:
    @pytest.mark.parametrize("lang", language.LANGUAGES)
    def test_gbk_shows_every_help(self, run: Run, lang: str) -> None:
        for words in helps():
            code, out, err = run(*words, "--lang", lang, encoding="gbk")
            assert (code, err) == (0, b""), words
            assert out.decode("gbk").strip(), words

    @pytest.mark.parametrize("lang", language.LANGUAGES)
    @pytest.mark.parametrize(("code", "words"), SPOKEN, ids=[" ".join(words) for _, words in SPOKEN])
    def test_gbk_shows_what_is_said(self, run: Run, lang: str, code: int, words: tuple[str, ...]) -> None:
        Path("gbk.toml").write_bytes("# 门禁机\n".encode("gbk"))
        found, out, err = run(*words, "--lang", lang, encoding="gbk")
        assert found == code, err.decode("gbk")
        assert (out + err).decode("gbk")
        assert b"\r\n" not in out + err
        assert b"UnicodeEncodeError" not in err

    @pytest.mark.parametrize("lang", language.LANGUAGES)
    def test_gbk_shows_every_explanation(self, run: Run, lang: str) -> None:
        for id in (*requirements(), *cases()):
            code, out, err = run("conformance", "explain", id, "--lang", lang, encoding="gbk")
            assert (code, err) == (0, b""), id
            assert id in out.decode("gbk")

    @pytest.mark.loopback
    @pytest.mark.parametrize("lang", language.LANGUAGES)
    @pytest.mark.parametrize(("code", "fault"), [(0, ""), (1, "modbus-crc"), (1, "method-collapsed")])
    def test_gbk_shows_the_verdicts(self, run: Run, lang: str, code: int, fault: str) -> None:
        chosen = ("--fault", fault) if fault else ()
        found, out, err = run("conformance", "demo", *chosen, "--lang", lang, encoding="gbk")
        assert found == code, err.decode("gbk")
        text = out.decode("gbk")
        assert "HJ 212-2017" in text or not fault
        # Escapes are those of line ends inside quoted frames.
        assert set(re.findall(r"\\[a-zA-Z]", text)) <= {"\\r", "\\n"}

    @pytest.mark.parametrize("lang", language.LANGUAGES)
    @pytest.mark.parametrize("program", ["hj212", "accessctl"])
    def test_gbk_shows_what_devices_sent(self, run: Run, lang: str, program: str) -> None:
        words = (program, "decode", "-", "--lang", lang)
        code, out, err = run(*words, encoding="gbk", stdin=CAPTURE, kind=io.TextIOWrapper)
        assert code == 1, err.decode("gbk")
        assert (out + err).decode("gbk")
        assert run(*words, encoding="gbk", stdin=GOOD + BAD)[:1] == (1,)  # of these bytes none needs an escape
        assert b"UnicodeEncodeError" not in err

    @pytest.mark.parametrize("encoding", ["ascii", "cp437", "cp1252"])
    @pytest.mark.parametrize("lang", language.LANGUAGES)
    def test_poorer_consoles_show_escapes(self, run: Run, lang: str, encoding: str) -> None:
        Path("gbk.toml").write_bytes("# 门禁机\n".encode("gbk"))
        for code, words in [*SPOKEN, *((0, words) for words in helps())]:
            found, _, err = run(*words, "--lang", lang, encoding=encoding, kind=io.TextIOWrapper)
            assert found == code, (words, err)
        for program in ("hj212", "accessctl"):
            words = (program, "decode", "-", "--lang", lang)
            assert run(*words, encoding=encoding, stdin=CAPTURE, kind=io.TextIOWrapper)[0] == 1

    @pytest.mark.loopback
    @pytest.mark.parametrize("encoding", ["ascii", "cp437", "gbk"])
    def test_process_of_its_own(self, encoding: str) -> None:
        """Everything around the streams as well: the interpreter's start and end."""
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": f"{encoding}:strict", "PYTHONUTF8": "0"}
        command = [sys.executable, "-m", "conformance", "demo", "--fault", "modbus-crc", "--lang", "zh"]
        done = subprocess.run(command, env=environ, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
        assert done.returncode == 1, done.stderr
        assert b"access/framing/crc" in done.stdout
        assert b"Traceback" not in done.stderr

    @pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
    @pytest.mark.loopback
    @pytest.mark.parametrize("lang", language.LANGUAGES)
    def test_live_line_of_a_gbk_terminal(self, lang: str) -> None:
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "gbk", "TERM": "xterm", "COLUMNS": "80"}
        code, shown = on_terminal(["conformance", "demo", "--lang", lang], environ)
        assert code == 0, shown
        text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode("gbk"))
        assert "\\u" not in text
        # The spinner is one of four plain characters, before what the run waits for.
        assert re.search(r"[-\\|/] \S", text)


def on_terminal(words: list[str], environ: dict[str, str]) -> tuple[int, bytes]:
    """Run a module with its standard error on a terminal; return the exit code and what the terminal was sent."""
    import pty

    leader, follower = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", *words], env=environ, stdin=follower, stdout=subprocess.DEVNULL, stderr=follower
    ) as process:
        os.close(follower)
        shown = b""
        while select.select([leader], [], [], 60.0)[0]:
            try:
                shown += (piece := os.read(leader, 4096))
            except OSError:  # the other end is closed
                break
            if not piece:
                break
        os.close(leader)
        return process.wait(timeout=60), shown


class TestOwnTexts:
    """No text of ours holds a character that a Chinese console cannot show."""

    def test_every_text_fits_gbk(self) -> None:
        lacking = []
        packages = ("accessctl", "conformance", "gb28181", "hj212", "simulator", "stationgate")
        for file in sorted(found for package in packages for found in (ROOT / package).rglob("*.*")):
            if file.suffix in (".pyc", ".mo", ".j2", ".css"):  # the last two are of files in UTF-8
                continue
            for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
                if "«" not in line:  # the marks of a frame's bytes in HTML, explained by two texts of the catalogue
                    lacking += [f"{file.relative_to(ROOT)}:{number}: {char!a}" for char in line if not in_gbk(char)]
        assert not lacking


def in_gbk(char: str) -> bool:
    try:
        char.encode("gbk")
    except UnicodeEncodeError:
        return False
    return True


class TestStreams:
    def test_frames_pass_through_unchanged(self, run: Run) -> None:
        code, decoded, _ = run("hj212", "decode", "-", "--json", "--show-secrets", encoding="gbk", stdin=GOOD + BAD)
        assert code == 1
        code, encoded, err = run("hj212", "encode", "-", encoding="gbk", stdin=decoded)
        assert (code, encoded, err) == (0, GOOD + BAD, b"")

    def test_frames_go_into_a_file_where_a_shell_cannot_redirect_bytes(self, run: Run) -> None:
        _, decoded, _ = run("hj212", "decode", "-", "--json", "--show-secrets", stdin=GOOD)
        assert run("hj212", "encode", "-", "-o", "门.bin", stdin=decoded) == (0, b"", b"")
        assert Path("门.bin").read_bytes() == GOOD

    def test_json_that_powershell_redirected_is_named(self, run: Run) -> None:
        Path("frames.json").write_text('{"cn": "2011"}', encoding="utf-16")
        code, _, err = run("hj212", "encode", "frames.json")
        assert code == 1
        assert b"the input looks like UTF-16, not UTF-8." in err

    @pytest.mark.loopback
    @pytest.mark.parametrize("encoding", ["gbk", "cp437", "utf-8"])
    @pytest.mark.parametrize(
        "words",
        [
            ("hj212", "decode", "-", "--json"),
            ("accessctl", "decode", "-", "--json"),
            ("simulator", "faults", "--json"),
            ("conformance", "list", "--json"),
            ("conformance", "plan", "nx-door", "--json"),
            ("conformance", "demo", "--fault", "modbus-crc", "--json"),
        ],
    )
    def test_json_lines_are_utf8_with_line_feeds(self, run: Run, encoding: str, words: tuple[str, ...]) -> None:
        _, out, _ = run(*words, "--lang", "zh", encoding=encoding, stdin=CAPTURE, kind=io.TextIOWrapper)
        assert b"\r" not in out
        rows = [json.loads(line) for line in out.decode("utf-8").splitlines()]
        assert rows
        assert words[0] == "accessctl" or any(not json.dumps(row, ensure_ascii=False).isascii() for row in rows)

    @pytest.mark.skipif(sys.platform == "win32", reason="PYTHONIOENCODING alone makes no CR LF elsewhere")
    def test_input_keeps_its_bytes(self, run: Run) -> None:
        """A zero byte, CR LF and the Ctrl-Z that ends text on Windows."""
        frame = build_frame(b"QN=20250915101531002;ST=81;CN=9014;PW=1;MN=1;Flag=4;CP=&&\x1a\r\n&&")
        code, out, _ = run("hj212", "crc", "-", stdin=frame[6:-6])
        assert (code, out.strip()) == (0, frame[-6:-2])


@pytest.mark.loopback
class TestPaths:
    def test_reports_in_a_chinese_folder(self, run: Run) -> None:
        code, _, err = run(
            *("conformance", "demo", "--lang", "zh", "--html", "一致性 报告.html", "--junit", "结果.xml"),
            encoding="gbk",
        )
        assert code == 0, err.decode("gbk")
        assert "一致性测试报告" in Path("一致性 报告.html").read_text("utf-8")
        for name in ("一致性 报告.html", "结果.xml"):
            assert str(FOLDER / name) in err.decode("gbk")
            assert b"\r" not in Path(name).read_bytes()

    def test_profile_and_scenario_with_chinese_names(self, run: Run) -> None:
        Path("门禁机.toml").write_text('extends = "nx-door"\n[sample]\nclient = "银川"\n', encoding="utf-8-sig")
        assert run("conformance", "plan", "门禁机.toml", encoding="gbk")[0] == 0
        _, text, _ = run("simulator", "new", "--lang", "zh")
        Path("城市.toml").write_bytes(text.replace(b"\n", b"\r\n"))
        assert run("simulator", "run", "城市.toml", "--virtual", "--duration", "60s", encoding="gbk")[0] == 0

    def test_no_file_that_is_made_needs_a_name_windows_refuses(self, run: Run) -> None:
        run("conformance", "demo")
        names = [file.name for file in Path().rglob("*")]
        assert "conformance-demo.html" in names
        assert [safe_name(name) for name in names] == names


def listened(host: str = HOST, port: int = 0) -> list[tuple[Any, ...]]:
    """Listen and close again; return the addresses."""

    async def scenario() -> list[tuple[Any, ...]]:
        listener = await listening.listen(asyncio.Protocol, host, port)
        try:
            assert {sock.getsockname()[1] for sock in listener.sockets} == {listener.port}
            return [sock.getsockname() for sock in listener.sockets]
        finally:
            listener.close()

    return asyncio.run(scenario())


class RecordedSocket(socket.socket):
    """A socket that knows the option Windows has and tells what was set."""

    told: list[tuple[int, int, int]] = []  # noqa: RUF012  # one list for all of them

    def setsockopt(self, *given: Any) -> None:
        self.told.append(given)
        if given[1] != EXCLUSIVE:
            super().setsockopt(*given)


#: SO_EXCLUSIVEADDRUSE as Windows defines it.
EXCLUSIVE = ~4


def options_set(monkeypatch: pytest.MonkeyPatch, platform: str, host: str) -> list[tuple[int, int, int]]:
    monkeypatch.setattr(RecordedSocket, "told", [])
    monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", EXCLUSIVE, raising=False)
    monkeypatch.setattr(listening, "socket", SimpleNamespace(**{**vars(socket), "socket": RecordedSocket}))
    monkeypatch.setattr(listening, "sys", SimpleNamespace(platform=platform))
    monkeypatch.setattr(listening, "os", SimpleNamespace(name="nt" if platform == "win32" else "posix"))
    listened(host)
    return RecordedSocket.told


@pytest.mark.loopback
class TestPort:
    def test_no_second_program_takes_part(self) -> None:
        """Not even one that asks for sharing in every way a system knows."""

        async def scenario() -> None:
            listener = await listening.listen(asyncio.Protocol, HOST, 0)
            script = (
                "import socket, sys\n"
                "with socket.socket() as sock:\n"
                "    for name in ('SO_REUSEADDR', 'SO_REUSEPORT'):\n"
                "        if hasattr(socket, name):\n"
                "            sock.setsockopt(socket.SOL_SOCKET, getattr(socket, name), 1)\n"
                "    sock.bind((sys.argv[1], int(sys.argv[2])))\n"
                "    sock.listen()\n"
            )
            for host in (HOST, "0.0.0.0"):
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-c", script, host, str(listener.port)), stderr=asyncio.subprocess.PIPE
                )
                _, err = await asyncio.wait_for(process.communicate(), 60)
                assert process.returncode == 1
                assert b"Address already in use" in err or sys.platform != "linux"
            with pytest.raises(OSError, match="in use"):
                await listening.listen(asyncio.Protocol, HOST, listener.port)
            listener.close()

        asyncio.run(scenario())

    def test_port_is_free_at_once_after_the_end(self) -> None:
        """Connections that fade away (TIME_WAIT) do not hold it: a run listens again after it was cut."""

        async def scenario() -> None:
            listener = await listening.listen(asyncio.Protocol, HOST, 0)
            port = listener.port
            _, writer = await asyncio.open_connection(HOST, port)
            listener.close()
            writer.close()
            await writer.wait_closed()
            (await listening.listen(asyncio.Protocol, HOST, port)).close()

        asyncio.run(scenario())

    def test_windows_holds_it_exclusively(self, monkeypatch: pytest.MonkeyPatch) -> None:
        told = options_set(monkeypatch, "win32", HOST)
        assert told == [(socket.SOL_SOCKET, EXCLUSIVE, 1)]

    def test_elsewhere_it_is_never_shared(self, monkeypatch: pytest.MonkeyPatch) -> None:
        told = options_set(monkeypatch, "linux", HOST)
        assert told == [(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)]

    @pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
    def test_ipv6_is_ipv6_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        try:
            told = options_set(monkeypatch, "linux", "::1")
        except OSError:
            pytest.skip("this machine has no IPv6 address")
        assert (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1) in told

    def test_every_address_of_a_name_gets_the_same_port(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """As ``localhost`` is on many systems; 127.0.0.2 stands for its second address."""

        async def found(*_args: object, **_options: object) -> list[Any]:
            return [
                (socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, 0))
                for host in (HOST, HOST, "127.0.0.2", "203.0.113.1")
            ]

        monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", found)
        if sys.platform == "darwin":
            pytest.skip("127.0.0.2 is not configured there")
        assert [address[0] for address in listened("door")] == [HOST, "127.0.0.2"]

    def test_nothing_stays_open_where_one_address_is_taken(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.create_server(("127.0.0.2", 0)) as taken:
            port = taken.getsockname()[1]

            async def found(*_args: object, **_options: object) -> list[Any]:
                return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in (HOST, "127.0.0.2")]

            monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", found)
            with pytest.raises(OSError, match="in use"):
                listened("door", port)
        with socket.create_server((HOST, port)):
            pass

    @pytest.mark.parametrize("lang", language.LANGUAGES)
    def test_command_says_what_holds_it(self, run: Run, lang: str) -> None:
        with socket.create_server((HOST, 0)) as taken:
            port = str(taken.getsockname()[1])
            code, out, err = run("hj212", "listen", "--port", port, "--lang", lang, encoding="gbk")
        assert (code, out) == (2, b"")
        lines = err.decode("gbk").splitlines()
        assert len(lines) == 2
        assert port in lines[0]

    @pytest.mark.parametrize(
        ("error", "sentence", "hint"),
        [
            (OSError(13, "x"), "permission denied.", "netsh interface ipv4 show excludedportrange tcp"),
            (OSError(-2, "Name or service not known"), "the name has no address.", "0.0.0.0"),
            (OSError(11001, "getaddrinfo failed"), "the name has no address.", "0.0.0.0"),
            (OverflowError("port must be 0-65535."), "port must be 0-65535.", "another port"),
        ],
    )
    def test_other_causes(self, error: OSError | OverflowError, sentence: str, hint: str) -> None:
        from stationgate.exits import cannot_listen

        found = cannot_listen("door", 80, error)
        assert found[0].startswith("cannot listen on door port 80: ")
        assert sentence.rstrip(".") in found[0]
        assert hint in found[1]
