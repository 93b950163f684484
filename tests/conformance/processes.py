"""The suite and the device as processes of their own, over real sockets: started, watched, killed, ended."""

from __future__ import annotations

import json
import os
import queue
import random
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from .door_process import MN, PW

__all__ = ["LONG_S", "MN", "Door", "Suite", "Workplace", "until"]

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("door_process.py")
#: No wait of these tests is longer; a wait that takes so long has failed.
LONG_S = 60.0
LOOK_S = 0.02
#: Below the ports that systems give to outgoing connections: a device that tries again and again must not take the
#: port itself while nobody listens.
PORTS = range(20000, 30000)

PROFILE = f"""\
extends = "nx-door"

[test]
lang = "en"
clock_reference = "compared with the door, which has the same clock"

[device]
mn = "{MN}"
pw = "{PW}"

[declare]
methods = ["face", "ic-card"]

[limits]
connect_s = 20
observe_s = 14
report_interval_s = 3
response_s = 0.5
resend_count = 1
settle_s = 0.2
event_s = 2
event_target_s = 1.5
operator_s = 10
pause_s = 10
outage_s = 1.5
outage_openings = 2
backfill_s = 1.0
"""
#: The door that fits it.
DOOR = ("--interval", "3", "--overtime", "0.5", "--recount", "1")


def until(condition: Callable[[], Any], what: str, limit_s: float = LONG_S) -> Any:
    """Return what a condition comes to once that is true."""
    end = time.monotonic() + limit_s
    while not (found := condition()):
        assert time.monotonic() < end, f"{what}: not within {limit_s:g} s"
        time.sleep(LOOK_S)
    return found


#: Each is given once, so that two places made at the same time do not get the same one.
_LEFT = iter(random.sample(PORTS, len(PORTS)))
_ONE_AT_A_TIME = threading.Lock()


def free_port() -> int:
    with _ONE_AT_A_TIME:
        for port in _LEFT:
            with suppress(OSError), socket.create_server(("127.0.0.1", port)):
                return port
    raise AssertionError("no free port")


def quoted(words: Sequence[str]) -> str:
    return subprocess.list2cmdline(words) if sys.platform == "win32" else shlex.join(words)


class Process:
    """A program of ours; it ends with the block that uses it, whatever happens there."""

    def __init__(self, words: Sequence[str], **options: Any) -> None:
        self.words = words
        self.process = subprocess.Popen([sys.executable, *words], cwd=ROOT, **options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> int:
        """End it as nobody can prevent."""
        self.process.kill()
        code = self.process.wait(LONG_S)
        for stream in (self.process.stdin, self.process.stdout):
            if stream:
                with suppress(OSError):
                    stream.close()
        return code


class Door(Process):
    """The simulated door; it outlives every suite it is connected to."""

    def __init__(self, port: int, *options: str, env: dict[str, str]) -> None:
        words = [str(PROGRAM), "door", "--port", str(port), *options]
        super().__init__(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)
        try:
            self.control = int(json.loads(self._first_line())["control"])
        except BaseException:
            self.kill()
            raise

    def _first_line(self) -> bytes:
        assert self.process.stdout
        told: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        threading.Thread(target=lambda stream: told.put(stream.readline()), args=(self.process.stdout,)).start()
        return told.get(timeout=LONG_S)

    @property
    def rig(self) -> str:
        """The command line of the rig that is wired to it."""
        return quoted([sys.executable, str(PROGRAM), "rig", "--control", str(self.control)])

    def ask(self, line: str) -> str:
        """Have something done at the door, or known of it."""
        with socket.create_connection(("127.0.0.1", self.control), LONG_S) as link, link.makefile("rw") as lines:
            lines.write(f"{line}\n")
            lines.flush()
            return lines.readline().strip()

    def settings(self) -> dict[str, float]:
        return dict(json.loads(self.ask("settings")))


class Suite(Process):
    """A command of the suite, with what it printed."""

    def __init__(self, words: Sequence[str], folder: Path, env: dict[str, str], *, launcher: str = "") -> None:
        number = len(list(folder.glob("*.out")))
        self.out, self.err = folder / f"{number}.out", folder / f"{number}.err"
        start = ["-c", launcher] if launcher else ["-m", "conformance"]
        with self.out.open("wb") as out, self.err.open("wb") as err:
            super().__init__([*start, *words], stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env)

    def wait(self, limit_s: float = LONG_S) -> int:
        """Return its exit code."""
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.words} did not end within {limit_s:g} s:\n{self.stderr}") from None

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    @property
    def stdout(self) -> str:
        return self.out.read_text("utf-8")

    @property
    def stderr(self) -> str:
        return self.err.read_text("utf-8")

    @property
    def verdicts(self) -> dict[str, str]:
        """The verdicts of its JSON lines, by case."""
        events = [json.loads(line) for line in self.stdout.splitlines()]
        return {event["id"]: event["verdict"] for event in events if event["event"] == "case"}


class Workplace:
    """A folder with a profile, a port, and a bundle to be.

    Args:
        folder: Everything is written there.
        profile: Text of the profile.
    """

    def __init__(self, folder: Path, profile: str = PROFILE) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.port = free_port()
        self.profile = folder / "door.toml"
        self.profile.write_text(profile, encoding="utf-8")
        self.bundle = folder / "door.zip"
        self.journal = folder / "door.zip.journal"
        home = folder / "home"
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("COV_", "PYTEST_"))}
        self.env = kept | {"PYTHONPATH": str(ROOT), "STATIONGATE_HOME": str(home), "LC_ALL": "C.UTF-8"}

    def door(self, *options: str) -> Door:
        return Door(self.port, *(options or DOOR), env=self.env)

    def suite(self, *words: str, launcher: str = "") -> Suite:
        return Suite(words, self.folder, self.env, launcher=launcher)

    def run(self, *words: str, rig: str = "", launcher: str = "") -> Suite:
        """Start ``conformance run`` to become :attr:`bundle`; without a rig nobody acts."""
        given = [*words, "--listen", f"127.0.0.1:{self.port}", "--bundle", str(self.bundle), "--json"]
        return self.suite("run", str(self.profile), *given, *self._acting(rig), launcher=launcher)

    def resume(self, *words: str, rig: str = "") -> Suite:
        """Start ``conformance resume`` on :attr:`bundle`."""
        return self.suite("resume", str(self.bundle), *words, "--json", *self._acting(rig))

    @staticmethod
    def _acting(rig: str) -> tuple[str, ...]:
        return ("--operator", rig) if rig else ("--non-interactive",)

    def entries(self) -> list[dict[str, Any]]:
        """Return what the journal holds now, a torn last line left out."""
        try:
            lines = self.journal.read_bytes().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines if line.endswith(b"\n")]

    def count(self, kind: str, **attachment: Any) -> int:
        """Count the entries of a kind in the journal that say this."""
        return sum(
            entry["kind"] == kind and attachment.items() <= entry.get("attachment", {}).items()
            for entry in self.entries()
        )
