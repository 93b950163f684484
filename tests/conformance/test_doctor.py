"""The doctor: each fault that is put into the computer is found, named and told what to do about."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.doctor import checks as doctor
from conformance.doctor import firewall
from conformance.doctor.checks import CHECKS, Finding, State, examine
from conformance.doctor.firewall import gate
from conformance.live.clock import Discipline
from conformance.live.network import Card
from stationgate.home import HOME_VARIABLE
from stationgate.language import LANGUAGES, Language, speaking

from .stations import free_port

ROOT = Path(__file__).resolve().parents[2]

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="programs are shell scripts")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def check(name: str, host: str = "0.0.0.0", port: int = 0) -> Finding:
    return examine(host, port or free_port(), checks=[name])[0]


class Tools:
    """A folder of programs that stands first in PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, name: str, script: str) -> None:
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tools:
    """Programs of the test's own; those that would tell of the real firewall say nothing."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    found = Tools(folder)
    for name in ("firewall-cmd", "ufw", "nft", "iptables", "netsh", "socketfilterfw"):
        found.add(name, "exit 1")
    return found


class TestPort:
    def test_that_is_free(self) -> None:
        assert check("port", "127.0.0.1").state is State.OK

    def test_that_another_program_holds(self) -> None:
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen(1)
            finding = check("port", "127.0.0.1", holder.getsockname()[1])
        assert finding.state is State.PROBLEM
        assert "already in use" in finding.found
        assert finding.todo

    @linux_only
    def test_names_the_program_that_holds_it(self) -> None:
        script = (
            "import socket,time; s=socket.socket(); s.bind(('127.0.0.1',0)); s.listen(); "
            "print(s.getsockname()[1], flush=True); time.sleep(60)"
        )
        with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            finding = check("port", "127.0.0.1", int(process.stdout.readline()))
            process.kill()
        assert f"({process.pid})" in finding.found

    def test_on_an_address_of_another_computer(self) -> None:
        finding = check("port", "203.0.113.9")
        assert finding.state is State.PROBLEM
        assert "0.0.0.0" in finding.todo

    def test_that_needs_rights(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(self: socket.socket, address: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(socket.socket, "bind", refuse)
        finding = examine("0.0.0.0", 102, checks=["port"])[0]
        assert finding.state is State.PROBLEM
        assert "1024" in finding.todo


class TestFirewall:
    def test_is_of_no_matter_on_loopback(self, tools: Tools) -> None:
        assert check("firewall", "127.0.0.1").state is State.OK

    @posix_only
    @pytest.mark.parametrize(
        ("tool", "script", "open_"),
        [
            ("firewall-cmd", 'case "$1" in --state) echo running;; *) echo yes;; esac', True),
            ("firewall-cmd", 'case "$1" in --state) echo running;; *) echo no; exit 1;; esac', False),
            ("ufw", "echo 'Status: active'; echo; echo '8212/tcp    ALLOW    Anywhere'", True),
            ("ufw", "echo 'Status: active'; echo; echo '8000:9000/tcp    ALLOW    10.0.0.0/8'", True),
            ("ufw", "echo 'Status: active'; echo; echo '22/tcp    ALLOW    Anywhere'", False),
            ("ufw", "echo 'Status: active'; echo; echo '82123/tcp    ALLOW    Anywhere'", False),
            ("nft", "echo 'table inet f { chain output { type filter hook output priority 0; } }'", True),
            (
                "nft",
                "echo 'chain input { type filter hook input priority 0; policy drop;'\n"
                "echo 'tcp dport { 22, 8200-8300 } accept'",
                True,
            ),
            ("nft", "echo 'chain input { type filter hook input; policy drop;'; echo tcp dport 22 accept", False),
            ("iptables", "echo '-P INPUT ACCEPT'", True),
            ("iptables", "echo '-P INPUT DROP'; echo '-A INPUT -p tcp -m tcp --dport 8212 -j ACCEPT'", True),
            ("iptables", "echo '-P INPUT DROP'; echo '-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT'", False),
            ("nft", "echo 'Operation not permitted' >&2; exit 1", None),
        ],
    )  # fmt: skip
    def test_on_linux(self, tools: Tools, tool: str, script: str, open_: bool | None) -> None:
        tools.add(tool, script)
        found = gate(8212, "linux")
        assert found.open is open_
        assert bool(found.todo) is (open_ is not True)
        if open_ is False:
            assert "8212" in found.todo

    @posix_only
    @pytest.mark.parametrize(
        ("state", "rule", "open_"),
        [
            ("State                                 OFF", 1, True),
            ("状态                                  关闭", 1, True),
            ("State                                 ON", 0, True),
            ("状态                                  启用", 1, None),
            ("", 1, None),
        ],
    )
    def test_on_windows(self, tools: Tools, state: str, rule: int, open_: bool | None) -> None:
        tools.add("netsh", f'case "$2" in show) echo "{state}";; firewall) exit {rule};; esac')
        found = gate(8212, "win32")
        assert found.open is open_
        if open_ is None:
            assert "netsh" in found.todo

    @posix_only
    def test_on_windows_the_console_speaks_gbk(self, tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("locale.getpreferredencoding", lambda do_setlocale=True: "gbk")
        octal = "".join(rf"\{byte:03o}" for byte in "状态 关闭".encode("gbk"))
        tools.add("netsh", f"printf '{octal}'")
        assert gate(8212, "win32").open is True

    @posix_only
    def test_on_macos(self, tools: Tools) -> None:
        tools.add("socketfilterfw", "echo 'Firewall is disabled. (State = 0)'")
        assert gate(8212, "darwin").open is True
        tools.add("socketfilterfw", "echo 'Firewall is enabled. (State = 1)'")
        assert gate(8212, "darwin").open is None

    def test_that_cannot_be_told_is_a_warning_with_what_to_look_at(self, tools: Tools) -> None:
        finding = check("firewall")
        assert finding.state is State.WARNING
        assert finding.todo

    def test_the_windows_rule_has_a_name_of_its_own(self) -> None:
        assert firewall.rule_name(8212) == "stationgate 8212"


class TestClock:
    @pytest.mark.parametrize(
        ("found", "state"),
        [
            (Discipline(True, "chrony", 0.02), State.OK),
            (Discipline(True, "adjtimex"), State.OK),
            (Discipline(True, "chrony", 30.0), State.WARNING),
            (Discipline(False, "adjtimex"), State.WARNING),
            (Discipline(None, "unknown"), State.WARNING),
        ],
    )
    def test_is_worth_what_keeps_it_right(
        self, found: Discipline, state: State, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(doctor, "discipline", lambda: found)
        finding = check("clock")
        assert finding.state is state
        assert bool(finding.todo) is (state is not State.OK)


class TestRights:
    @linux_only
    def test_a_folder_that_takes_no_files(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
        monkeypatch.chdir("/proc")
        finding = check("rights")
        assert finding.state is State.PROBLEM
        assert "/proc" in finding.found

    def test_a_home_that_cannot_be_made(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "file" / "home"))
        monkeypatch.chdir(tmp_path)
        finding = check("rights")
        assert finding.state is State.PROBLEM
        assert HOME_VARIABLE in finding.todo

    @linux_only
    def test_a_folder_that_was_removed(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
        gone = tmp_path / "gone"
        gone.mkdir()
        monkeypatch.chdir(gone)
        gone.rmdir()
        assert check("rights").state is State.PROBLEM
        monkeypatch.chdir(tmp_path)

    def test_all_in_order(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
        monkeypatch.chdir(tmp_path)
        assert check("rights").state is State.OK
        assert [path.name for path in tmp_path.iterdir()] == ["home"]


class TestFonts:
    @posix_only
    def test_that_are_there(self, tools: Tools) -> None:
        tools.add("fc-list", "echo 'Noto Sans CJK SC,思源黑体'")
        finding = check("fonts")
        assert finding.state is State.OK
        assert "Noto Sans CJK SC" in finding.found

    @posix_only
    def test_that_are_missing(self, tools: Tools) -> None:
        tools.add("fc-list", "exit 0")
        finding = check("fonts")
        assert finding.state is State.WARNING
        assert "Noto" in finding.todo

    @posix_only
    def test_are_looked_for_as_files_where_nobody_lists_them(
        self, tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        tools.add("fc-list", "exit 127")
        monkeypatch.setattr(doctor, "_font_folders", lambda: [tmp_path / "fonts"])
        assert check("fonts").state is State.WARNING
        (tmp_path / "fonts" / "truetype").mkdir(parents=True)
        (tmp_path / "fonts" / "truetype" / "wqy-microhei.ttc").write_bytes(b"")
        assert check("fonts").state is State.OK


class TestRest:
    @pytest.mark.parametrize(
        ("encoding", "state"),
        [("utf-8", State.OK), ("cp936", State.OK), ("ascii", State.WARNING), ("cp437", State.WARNING)],
    )
    def test_terminal(self, encoding: str, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
        assert check("terminal").state is state

    @pytest.mark.parametrize(
        ("free", "state"), [(50 << 20, State.PROBLEM), (500 << 20, State.WARNING), (5 << 30, State.OK)]
    )
    def test_disk(self, free: int, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: type("Usage", (), {"free": free}))
        assert check("disk").state is state

    @posix_only
    def test_descriptors(self) -> None:
        script = (
            "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100));"
            "from conformance.doctor.checks import examine;"
            "print(examine('127.0.0.1', 0, checks=['descriptors'])[0].state.name)"
        )
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=30, env=environment, check=True
        )
        assert done.stdout.strip() == "PROBLEM"

    @pytest.mark.parametrize(
        ("found", "state"),
        [
            ([], State.WARNING),
            ([Card("lo", "127.0.0.1", 8)], State.WARNING),
            ([Card("eth0", "169.254.3.4", 16), Card("lo", "127.0.0.1", 8)], State.WARNING),
            ([Card("以太网", "192.168.1.10", 24), Card("lo", "127.0.0.1", 8)], State.OK),
        ],
    )
    def test_addresses(self, found: list[Card], state: State, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(doctor, "cards", lambda: found)
        finding = check("addresses")
        assert finding.state is state
        assert all(card.address in finding.found for card in found if not card.loopback)

    def test_an_address_of_loopback_says_how_to_reach_the_network(self) -> None:
        assert "--listen 0.0.0.0" in check("addresses", "127.0.0.1").todo


class TestLimits:
    def test_a_check_that_hangs_is_given_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(CHECKS, "disk", lambda host, port: time.sleep(5.0))
        began = time.monotonic()
        finding = examine("127.0.0.1", 0, checks=["disk"], limit_s=0.1)[0]
        assert finding.state is State.WARNING
        assert time.monotonic() - began < 2.0

    def test_a_check_that_breaks_hides_no_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(host: str, port: int) -> None:
            raise RuntimeError("no such thing")

        monkeypatch.setitem(CHECKS, "disk", broken)
        findings = examine("127.0.0.1", 0, checks=["disk", "versions"])
        assert [finding.state for finding in findings] == [State.WARNING, State.OK]
        assert "no such thing" in findings[0].found

    @posix_only
    def test_a_program_that_hangs_is_given_up(self, tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
        tools.add("nft", "exec sleep 5")
        monkeypatch.setattr("conformance.doctor.tools.TOOL_S", 0.1)
        from conformance.doctor.tools import ask_tool

        began = time.monotonic()
        assert ask_tool("nft", "list", "ruleset", timeout_s=0.1) is None
        assert time.monotonic() - began < 2.0


@pytest.fixture(params=LANGUAGES)
def lang(request: pytest.FixtureRequest) -> Iterator[Language]:
    with speaking(request.param):
        yield request.param


class TestCommand:
    def run(self, tmp_path: Path, port: int, *more: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", HOME_VARIABLE: str(tmp_path / "home")}
        return subprocess.run(
            [sys.executable, "-m", "conformance", "doctor", "--listen", f"127.0.0.1:{port}", *more],
            capture_output=True, text=True, timeout=60, env=environment, cwd=tmp_path, check=False,
        )  # fmt: skip

    def test_says_ok_line_by_line(self, tmp_path: Path, lang: Language) -> None:
        done = self.run(tmp_path, free_port(), "--lang", lang)
        assert done.returncode == 0, done.stderr
        lines = done.stdout.splitlines()
        assert len(lines) > len(CHECKS)
        assert any(State.OK.word in line for line in lines)

    def test_as_json_ends_with_the_counts(self, tmp_path: Path) -> None:
        with socket.socket() as holder:
            holder.bind(("127.0.0.1", 0))
            holder.listen(1)
            done = self.run(tmp_path, holder.getsockname()[1], "--json")
        assert done.returncode == 4
        *rows, end = map(json.loads, done.stdout.splitlines())
        assert [row["check"] for row in rows] == list(CHECKS)
        assert {row["state"] for row in rows} <= {"ok", "warning", "problem"}
        assert next(row["state"] for row in rows if row["check"] == "port") == "problem"
        assert (end["event"], end["problems"], end["exit_code"]) == ("doctor-end", 1, 4)
        assert "1 problem prevents a run" in done.stderr
