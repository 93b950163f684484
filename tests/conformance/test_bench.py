"""The bench against devices that are not ours: real time, real loopback TCP, limits of fractions of a second.

Whatever dials in, the run ends by itself, with the right verdict and exit code, and keeps no more than it may.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from conformance.case import CASES, SPEAKS
from conformance.judge import judge
from conformance.live import bench as bench_module
from conformance.live.bench import MAX_GARBAGE_LINKS, MAX_LINK_NOTES, MAX_LINKS
from conformance.live.operator import AbsentOperator, Act, Operator
from conformance.live.run import run_live
from conformance.plan import make_plan, tags
from conformance.profile import Profile, load
from conformance.transcript import Transcript
from conformance.verdicts import CaseResult, Verdict, exit_code
from stationgate.exits import EnvironmentFault, ExitCode

pytestmark = pytest.mark.loopback

ROOT = Path(__file__).resolve().parents[2]
DOOR = Path(__file__).with_name("literal_door.py")
MN = "64010000ACCE550000000001"
#: Written out, check value and all: HJ 212-2017, three states.
REPORT = (
    b"##0152QN=20250915100000123;ST=81;CN=3020;PW=123456;MN=64010000ACCE550000000001;Flag=5;"
    b"CP=&&DataTime=20250915100000;i32001-Info=0;i32002-Info=0;i32003-Info=0&&8581\r\n"
)
OTHER = (
    b"##0124QN=20250915101530456;ST=81;CN=3020;PW=123456;MN=64010000ACCE550000000001;Flag=5;"
    b"CP=&&DataTime=20250915101530;i32001-Info=1&&BDC1\r\n"
)
#: A run takes at most its deadlines and this.
SLACK_S = 3.0

PROFILE = """
extends = "nx-door"
[test]
clock_reference = "the device under test reads the same clock"
[device]
mn = "{mn}"
pw = "123456"
[limits]
connect_s = {connect_s}
observe_s = {observe_s}
response_s = 0.6
resend_spacing_s = 0.5
report_interval_s = 1
step_pass_s = 1
step_warn_s = 2
arrival_pass_s = 0.9
arrival_warn_s = 2
min_intervals = 2
frame_stall_s = 0.3
garbage_bytes = 4096
settle_s = 0.1
event_s = 1
"""


def profile_file(folder: Path, connect_s: float = 1.0, observe_s: float = 3.6, mn: str = MN) -> Path:
    path = folder / "door.toml"
    path.write_text(PROFILE.format(connect_s=connect_s, observe_s=observe_s, mn=mn), encoding="utf-8")
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Run:
    transcript: Transcript
    results: dict[str, CaseResult]
    code: int
    seconds: float

    @property
    def received(self) -> int:
        return sum(len(entry.data) for entry in self.transcript if entry.direction == "in")

    @property
    def counts(self) -> dict[str, int]:
        return next(entry for entry in reversed(self.transcript.entries) if "counts" in entry.attachment).attachment[
            "counts"
        ]

    def said(self, case: str) -> str:
        return f"{self.results[case].verdict}: {self.results[case].outcome.actual}"


def run(profile: Profile, port: int, select: tuple[str, ...] = ("@auto",), max_bytes: int | None = None) -> Run:
    plan = make_plan(profile, select)
    began = time.monotonic()
    live = run_live(plan, profile, AbsentOperator(), "127.0.0.1", port, wall_clock=time.time, max_bytes=max_bytes)
    seconds = time.monotonic() - began
    results = judge(live.transcript, profile, plan)
    assert not live.interrupted
    return Run(live.transcript, {r.case: r for r in results}, exit_code(results), seconds)


@contextmanager
def peer(behave: Callable[[int, threading.Event], None], port: int) -> Iterator[None]:
    """Let a peer misbehave on a thread of its own until the block ends."""
    over = threading.Event()

    def live() -> None:
        while not over.is_set():
            with suppress(OSError):
                behave(port, over)
            over.wait(0.01)

    thread = threading.Thread(target=live, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(10.0)
        assert not thread.is_alive()


def dial(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=2.0)


@contextmanager
def literal_door(port: int, *options: str) -> Iterator[None]:
    command = [sys.executable, "-I", str(DOOR), "--port", str(port), "--interval", "1", "--overtime", "0.6", *options]
    process = subprocess.Popen(command)
    try:
        yield
        assert process.poll() is None, "the door ended before the run"
    finally:
        process.kill()
        process.wait(10.0)


def test_a_link_that_was_on_its_way_when_the_bench_stopped_is_cut_too(tmp_path: Path) -> None:
    async def left_after(turns: int) -> bytes:
        loop = asyncio.get_running_loop()
        transcript = Transcript(epoch=time.time() - loop.time(), clock="real")
        bench = bench_module.Bench(load(str(profile_file(tmp_path))), transcript, AbsentOperator())
        await bench.listen("127.0.0.1", 0)
        with socket.socket() as peer:
            peer.setblocking(False)
            await loop.sock_connect(peer, ("127.0.0.1", bench.port))
            for _ in range(turns):
                await asyncio.sleep(0)
            bench.stop_listening()
            async with asyncio.timeout(10):
                try:
                    return await loop.sock_recv(peer, 1)
                except ConnectionError:
                    return b""

    assert [asyncio.run(left_after(turns)) for turns in range(8)] == [b""] * 8


# A correct device


def test_literal_door_imports_the_standard_library_alone() -> None:
    source = DOOR.read_text("utf-8")
    imported = {line.split()[1] for line in source.splitlines() if line.startswith(("import ", "from "))}
    assert imported <= {*sys.stdlib_module_names, "__future__"}


def test_correct_device_passes_what_needs_nobody(tmp_path: Path) -> None:
    port = free_port()
    profile = load(str(profile_file(tmp_path, connect_s=10)))
    with literal_door(port):
        done = run(profile, port, select=())
    manual = {case.id for case in CASES.values() if "manual" in tags(case)}
    others = {id: done.said(id) for id, r in done.results.items() if r.verdict is not Verdict.PASS and id not in manual}
    assert others.pop("access/report/drift") == "NOT_APPLICABLE: [limits] observe_s is less than 86400 s"
    # A timer at one second shows how it works, and not that it fires every 900 s.
    shortened = {others.pop("access/report/data-time-step"), others.pop("access/report/arrival-step")}
    assert all("900 s were not waited for" in said for said in shortened)
    assert others == {}
    assert {done.results[id].verdict for id in manual} == {Verdict.PENDING}
    assert done.code == ExitCode.INCONCLUSIVE
    assert {r.time_mode for r in done.results.values()} == {"real"}
    assert done.counts["garbage_links"] == 0


def test_command_runs_against_a_device_and_reports_line_by_line(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "conformance", "run", str(profile_file(tmp_path, connect_s=10)), "access/framing"]
    command += ["access/header", "access/opening", "--listen", f"127.0.0.1:{port}"]
    with literal_door(port):
        done = subprocess.run(
            [*command, "--non-interactive", "--json", "--lang", "en", "--junit", "out.xml"],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            encoding="utf-8",
            timeout=30,
            check=False,
        )
    assert done.returncode == ExitCode.INCONCLUSIVE, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [lines[0]["event"], lines[-1]["event"]] == ["run-start", "run-end"]
    verdicts = {line["id"]: line["verdict"] for line in lines if line["event"] == "case"}
    assert verdicts["access/framing/crc"] == verdicts[SPEAKS] == "PASS"
    assert verdicts["access/opening/one-record-each"] == "PENDING"
    assert lines[-1]["exit_code"] == 3
    assert sum(lines[-1]["counts"].values()) == len(verdicts)
    said = [line for line in done.stderr.splitlines() if not line.startswith("report: ")]
    assert said[-1].startswith("Not judged: ")
    assert "Traceback" not in done.stderr
    assert (tmp_path / "out.xml").stat().st_size > 0


# Nobody, silence, somebody else


def test_nothing_connects(tmp_path: Path) -> None:
    done = run(load(str(profile_file(tmp_path))), free_port())
    assert done.said(SPEAKS) == "INCONCLUSIVE: nothing connected"
    assert {r.verdict for r in done.results.values()} <= {Verdict.INCONCLUSIVE, Verdict.NOT_APPLICABLE}
    assert done.code == ExitCode.INCONCLUSIVE
    assert 1.0 <= done.seconds < 1.0 + SLACK_S


def test_connects_and_says_nothing(tmp_path: Path) -> None:
    def silent(port: int, over: threading.Event) -> None:
        with dial(port):
            over.wait(20.0)

    port = free_port()
    with peer(silent, port):
        done = run(load(str(profile_file(tmp_path))), port)
    assert done.said(SPEAKS) == "INCONCLUSIVE: the device connected 1 times and sent no whole frame"
    assert (done.code, done.received) == (ExitCode.INCONCLUSIVE, 0)
    assert done.seconds < 1.0 + SLACK_S


def test_another_mn_than_declared(tmp_path: Path) -> None:
    port = free_port()
    profile = load(str(profile_file(tmp_path, connect_s=2, mn="64010000ACCE550000000009")))
    with literal_door(port):
        done = run(profile, port)
    assert done.said(SPEAKS).startswith(
        "INCONCLUSIVE: other devices reported, not MN 64010000ACCE550000000009: 64010000ACCE550000000001"
    )
    assert "correct the MN" in str(done.results[SPEAKS].outcome.hint)
    assert done.code == ExitCode.INCONCLUSIVE
    assert done.seconds < 2.0 + SLACK_S
    acknowledged = [entry for entry in done.transcript if entry.direction == "out"]
    assert acknowledged, "what is not under test is acknowledged all the same"
    assert all(b";CN=9014;" in entry.data for entry in acknowledged)


def test_heartbeat_lines_alone_are_no_failure(tmp_path: Path) -> None:
    def beat(port: int, over: threading.Event) -> None:
        with dial(port) as link:
            while not over.wait(0.3):
                link.sendall(b"HELLO\r\n")

    port = free_port()
    with peer(beat, port):
        done = run(load(str(profile_file(tmp_path))), port)
    assert done.said(SPEAKS) == "INCONCLUSIVE: the device connected 1 times and sent no whole frame"


# Garbage


def test_garbage_for_ever_fails_and_is_cut_off(tmp_path: Path) -> None:
    noise = random.Random(7).randbytes(1 << 16)

    def garbage(port: int, over: threading.Event) -> None:
        with dial(port) as link:
            while not over.is_set():
                link.sendall(noise)

    port = free_port()
    with peer(garbage, port):
        done = run(load(str(profile_file(tmp_path, connect_s=30))), port)
    assert done.said(SPEAKS).startswith("FAIL: ")
    assert "no frame among them" in done.said(SPEAKS)
    assert done.code == ExitCode.FAIL
    assert done.counts["garbage_links"] == MAX_GARBAGE_LINKS
    assert done.received <= MAX_GARBAGE_LINKS * (4096 + (1 << 18))
    assert done.seconds < 10.0, "it ends long before the time to connect is over"


def test_garbage_on_one_link_ends_with_the_time_to_connect(tmp_path: Path) -> None:
    def once(port: int, over: threading.Event) -> None:
        with dial(port) as link, suppress(OSError):
            while not over.is_set():
                link.sendall(b"{}" * 500)
        over.wait(20.0)

    port = free_port()
    with peer(once, port):
        done = run(load(str(profile_file(tmp_path))), port)
    assert done.said(SPEAKS).startswith("FAIL: ")
    assert (done.code, done.counts["garbage_links"]) == (ExitCode.FAIL, 1)
    assert done.seconds < 1.0 + SLACK_S


def test_garbage_beside_a_device_is_cut_and_not_held_against_it(tmp_path: Path) -> None:
    def garbage(port: int, over: threading.Event) -> None:
        with dial(port) as link:
            while not over.wait(0.001):
                link.sendall(b"GET / HTTP/1.1\r\n" * 100)

    port = free_port()
    profile = load(str(profile_file(tmp_path, connect_s=10, observe_s=1)))
    with literal_door(port), peer(garbage, port):
        done = run(profile, port, select=("access/framing", "access/header", "access/clock"))
    assert {id for id, r in done.results.items() if r.verdict is Verdict.FAIL} == set()
    assert done.results["access/framing/crc"].verdict is Verdict.PASS
    assert done.results["access/clock/offset"].verdict is Verdict.PASS


@pytest.mark.parametrize("data", [b"\n", b"#", b"##0152QN=", b"\x00", b"##9999"])
def test_one_byte_at_a_time_for_ever_ends_with_the_time_to_connect(tmp_path: Path, data: bytes) -> None:
    def trickle(port: int, over: threading.Event) -> None:
        with dial(port) as link:
            while True:
                for byte in data:
                    link.sendall(bytes([byte]))
                    if over.wait(0.02):
                        return

    port = free_port()
    with peer(trickle, port):
        done = run(load(str(profile_file(tmp_path, connect_s=0.8))), port)
    assert done.results[SPEAKS].verdict in (Verdict.INCONCLUSIVE, Verdict.FAIL)
    assert done.code in (ExitCode.INCONCLUSIVE, ExitCode.FAIL)
    assert done.seconds < 0.8 + SLACK_S


def test_frame_that_comes_byte_by_byte_is_whole(tmp_path: Path) -> None:
    def trickle(port: int, over: threading.Event) -> None:
        with dial(port) as link:
            for byte in REPORT:
                link.sendall(bytes([byte]))
                over.wait(0.005)
            over.wait(20.0)

    port = free_port()
    with peer(trickle, port):
        done = run(
            load(str(profile_file(tmp_path, connect_s=5))), port, select=("access/framing", "access/header/flag")
        )
    assert {done.results[id].verdict for id in done.results} == {Verdict.PASS}
    assert done.received == len(REPORT)


# Links


def test_a_thousand_links_are_refused_beyond_the_limit(tmp_path: Path) -> None:
    made = 0

    def storm(port: int, over: threading.Event) -> None:
        nonlocal made
        with ExitStack() as held:
            while made < 1000 and not over.is_set():
                link = dial(port)
                made += 1
                if made <= 2 * MAX_LINKS:
                    held.enter_context(link)
                else:
                    link.close()
        with dial(port) as link:  # and then somebody with something to say
            link.sendall(REPORT)
            over.wait(0.3)

    port = free_port()
    with peer(storm, port):
        done = run(load(str(profile_file(tmp_path, connect_s=60))), port, select=("access/framing",))
    assert made == 1000
    assert done.counts["links"] > 1000
    assert done.counts["refused"] > 500
    assert MAX_LINKS // 2 < most_open(done.transcript) <= MAX_LINKS
    assert len(done.transcript) < 2 * MAX_LINK_NOTES + 100
    assert {r.verdict for r in done.results.values()} == {Verdict.PASS}
    assert done.code == ExitCode.OK


def test_links_that_say_nothing_do_not_keep_the_run_alive(tmp_path: Path) -> None:
    def hold(port: int, over: threading.Event) -> None:
        with ExitStack() as held:
            for _ in range(2 * MAX_LINKS):
                held.enter_context(dial(port))
            over.wait(20.0)

    port = free_port()
    with peer(hold, port):
        done = run(load(str(profile_file(tmp_path))), port)
    assert most_open(done.transcript) <= MAX_LINKS
    assert done.results[SPEAKS].verdict is Verdict.INCONCLUSIVE
    assert done.code == ExitCode.INCONCLUSIVE
    assert done.seconds < 1.0 + SLACK_S


def most_open(transcript: Transcript) -> int:
    most = 0
    links: set[int] = set()
    for entry in transcript:
        if entry.kind == "connect":
            links.add(entry.link)
        elif entry.kind == "close":
            links.discard(entry.link)
        most = max(most, len(links))
    return most


def test_connecting_and_leaving_for_ever_is_counted_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_module, "MAX_LINK_NOTES", 20)

    def knock(port: int, over: threading.Event) -> None:
        dial(port).close()

    port = free_port()
    with peer(knock, port):
        done = run(load(str(profile_file(tmp_path, connect_s=1.5))), port)
    assert done.counts["links"] > 20
    assert len([entry for entry in done.transcript if entry.kind in ("connect", "close")]) <= 40
    assert done.code == ExitCode.INCONCLUSIVE


@pytest.mark.parametrize("size", [3, 30, 100, len(REPORT) - 1])
def test_link_dropped_in_the_middle_of_a_frame(tmp_path: Path, size: int) -> None:
    def drop(port: int, over: threading.Event) -> None:
        with dial(port) as link:
            link.sendall(REPORT[:size])
            over.wait(0.1)

    port = free_port()
    with peer(drop, port):
        done = run(load(str(profile_file(tmp_path, connect_s=0.8))), port)
    assert done.results[SPEAKS].verdict is Verdict.INCONCLUSIVE, done.said(SPEAKS)
    assert done.code == ExitCode.INCONCLUSIVE
    assert done.counts["links"] > 1
    assert done.seconds < 0.8 + SLACK_S


def test_device_that_drops_now_and_then_passes(tmp_path: Path) -> None:
    def drop(port: int, over: threading.Event) -> None:
        with dial(port) as link:
            link.sendall(REPORT + OTHER[:50])
            over.wait(0.15)
        with dial(port) as link:
            link.sendall(OTHER)
            over.wait(0.15)

    port = free_port()
    with peer(drop, port):
        done = run(
            load(str(profile_file(tmp_path, connect_s=5))), port, select=("access/framing", "access/clock/offset")
        )
    assert {id: done.said(id) for id, r in done.results.items() if r.verdict is not Verdict.PASS} == {
        "access/clock/offset": "INCONCLUSIVE: the device does not tell its time (1011)"
    }


def test_half_a_frame_is_acknowledged_when_the_whole_came(tmp_path: Path) -> None:
    def halt(port: int, over: threading.Event) -> None:
        with dial(port) as link:
            link.sendall(REPORT[:140])
            over.wait(0.6)  # longer than frame_stall_s
            link.sendall(REPORT[140:])
            link.sendall(REPORT)
            over.wait(20.0)

    port = free_port()
    with peer(halt, port):
        done = run(load(str(profile_file(tmp_path, connect_s=5))), port, select=("access/framing",))
    assert {r.verdict for r in done.results.values()} == {Verdict.PASS}
    assert [entry.data for entry in done.transcript if entry.direction == "out"] == [
        b"##0087QN=20250915100000123;ST=91;CN=9014;PW=123456;MN=64010000ACCE550000000001;Flag=4;CP=&&&&4040\r\n"
    ]


# Floods


def _flood(port: int, over: threading.Event) -> None:
    """Send reports as fast as they are taken, each with a QN of its own, and read no answer."""
    bits = 0
    with dial(port) as link:
        while not over.is_set():
            batch = b""
            for _ in range(100):
                bits += 1
                segment = REPORT[6:-6].replace(b"20250915100000123", b"20250915%09d" % (100_000_000 + bits))
                batch += b"##%04d%s%04X\r\n" % (len(segment), segment, _crc(segment))
            link.sendall(batch)


def _crc(segment: bytes) -> int:
    register = 0xFFFF
    for byte in segment:
        register = (register >> 8) ^ byte
        for _ in range(8):
            register = (register >> 1) ^ (0xA001 if register & 1 else 0)
    return register


def test_flood_ends_when_the_transcript_is_full(tmp_path: Path) -> None:
    port = free_port()
    profile = load(str(profile_file(tmp_path, connect_s=10, observe_s=60)))
    with peer(_flood, port):
        done = run(profile, port, max_bytes=200_000)
    assert sum(len(entry.data) for entry in done.transcript) <= 200_000
    assert done.results[SPEAKS].verdict is Verdict.PASS
    assert done.results["access/framing/crc"].verdict is Verdict.PASS
    assert done.results["access/report/data-time-step"].verdict is Verdict.INCONCLUSIVE
    assert "observe did not take place" in done.said("access/report/arrival-step")
    assert done.code in (ExitCode.INCONCLUSIVE, ExitCode.FAIL)
    assert done.seconds < 15.0


def test_flood_ends_when_too_many_frames_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_module, "MAX_FRAMES", 500)
    port = free_port()
    with peer(_flood, port):
        done = run(load(str(profile_file(tmp_path, connect_s=10, observe_s=60))), port, select=("access/report",))
    assert 500 <= done.counts["frames"] < 3000
    assert done.code == ExitCode.INCONCLUSIVE
    assert done.seconds < 15.0


# The suite's own troubles


def test_port_in_use_is_one_sentence(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(EnvironmentFault) as raised:
            run(load(str(profile_file(tmp_path))), taken.getsockname()[1])
    assert raised.value.exit_code == ExitCode.ERROR
    assert "the address is already in use" in raised.value.message
    assert "another port" in raised.value.hint


class Stalling(Operator):
    """An operator who was asked and never comes back."""

    async def perform(self, act: Act) -> str:
        import asyncio

        await asyncio.sleep(3600)
        return "done"


def test_operator_who_never_answers_leaves_the_step_pending(tmp_path: Path) -> None:
    port = free_port()
    path = profile_file(tmp_path, connect_s=10)
    path.write_text(path.read_text("utf-8") + "operator_s = 0.3\npause_s = 0.3\n", encoding="utf-8")
    profile = load(str(path))
    plan = make_plan(profile, ["access/opening/one-record-each", "access/alarm/fault"])
    with literal_door(port):
        live = run_live(plan, profile, Stalling(), "127.0.0.1", port, wall_clock=time.time)
    verdicts = {r.case: r.verdict for r in judge(live.transcript, profile, plan)}
    assert verdicts == {
        SPEAKS: Verdict.PASS,
        "access/opening/one-record-each": Verdict.PENDING,
        "access/alarm/fault": Verdict.PENDING,
    }


# The same at length: pytest -m soak


@pytest.mark.soak
def test_soak_one_byte_a_second(tmp_path: Path) -> None:
    def trickle(port: int, over: threading.Event) -> None:
        with dial(port) as link:
            while not over.wait(1.0):
                link.sendall(b"x")

    port = free_port()
    with peer(trickle, port):
        done = run(load(str(profile_file(tmp_path, connect_s=100))), port)
    assert done.said(SPEAKS) == "FAIL: 64 bytes and no frame among them" or done.received >= 64
    assert done.seconds < 100 + SLACK_S


@pytest.mark.soak
def test_soak_flood_until_the_usual_limits(tmp_path: Path) -> None:
    import resource

    port = free_port()
    with peer(_flood, port):
        done = run(
            load(str(profile_file(tmp_path, connect_s=10, observe_s=600))),
            port,
            select=("access/framing", "access/report/data-time-step"),
        )
    assert bench_module.MAX_FRAMES <= done.counts["frames"] <= bench_module.MAX_FRAMES + 5000
    assert done.seconds < 300
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 1_500_000


@pytest.mark.soak
def test_soak_correct_device_for_two_minutes(tmp_path: Path) -> None:
    port = free_port()
    with literal_door(port, "--seconds", "300"):
        done = run(load(str(profile_file(tmp_path, connect_s=10, observe_s=120))), port)
    # A timer at one second shows how it works, and not that it fires every 900 s.
    timed = {"access/report/data-time-step", "access/report/arrival-step"}
    assert {id for id in done.results if "900 s were not waited for" in done.said(id)} == timed
    assert {done.results[id].verdict for id in timed} == {Verdict.INCONCLUSIVE}
    others = {r.verdict for id, r in done.results.items() if id not in timed}
    assert others == {Verdict.PASS, Verdict.NOT_APPLICABLE}
    assert done.code == ExitCode.INCONCLUSIVE
