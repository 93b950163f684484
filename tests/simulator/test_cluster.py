"""A scenario on a Dask cluster of this machine, with workers that are killed, stopped and woken, and clients that die.

The judge is the platform, which does not know who plays what. Its view of an identity is the bytes that arrive on its
connections. An identity is *connected twice* if bytes arrive on a connection after the first byte that arrived on a
later one: then two speak for it at the same time. That a connection is open in the platform's books is not enough,
because the connection of a stopped process stays open there, half of it dead, until somebody writes to it or the
process goes on. So the connections of an identity, in the order in which their bytes arrive, may be A A B B, never
A B A. Of a killed process, whose connections its system closes, more is asked: none is open any more when the
successor's first byte arrives.
"""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep
from typing import cast

import pytest

from hj212 import HJ_212_2017, Connection, Role
from hj212.editions import RULES
from hj212.events import MessageReceived
from simulator import Scenario
from simulator.engine import Counts, FleetResult, Options, Plan, cluster, run_fleet_virtual
from simulator.engine.cluster import Cluster, play_on_cluster
from simulator.engine.lease import DRIFT, MARGIN_S
from simulator.ledger.reading import LedgerFile
from simulator.scenario import StationGroup, Target
from stationgate.exits import EnvironmentFault

ROOT = Path(__file__).parents[2]
HOST = "127.0.0.1"
WORKERS = 3
SHARDS = 6
STATIONS = 36
INTERVAL_S = 2.0
LEASE_S = 3.0
#: Far longer than anything here takes.
PATIENCE_S = 60.0
START = datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=8)))

_THERE = importlib.util.find_spec("distributed") is not None
if os.environ.get("CI"):
    assert _THERE, "dask[distributed] is missing, and CI is to run these tests"
pytestmark = [
    pytest.mark.loopback,
    pytest.mark.skipif(not _THERE, reason="needs dask[distributed]: pip install 'stationgate[cluster]'"),
    pytest.mark.skipif(sys.platform == "win32", reason="processes cannot be stopped and continued there"),
]


# The platform


@dataclass
class Wire:
    """One connection, as the platform sees it."""

    number: int
    opened_at: float
    mn: str = ""
    arrivals: list[float] = field(default_factory=list)  #: when bytes arrived
    closed_at: float | None = None


@dataclass
class Ground:
    """A platform that acknowledges everything and writes down on which connection what arrived, and when."""

    port: int = 0
    wires: list[Wire] = field(default_factory=list)
    frames: dict[tuple[str, str], set[bytes]] = field(default_factory=dict)  #: by MN and QN

    def of(self, mn: str) -> list[Wire]:
        """The connections of an identity that said something, in the order of their first bytes."""
        return sorted((wire for wire in self.wires if wire.mn == mn), key=lambda wire: wire.arrivals[0])

    @property
    def identities(self) -> set[str]:
        return {wire.mn for wire in self.wires if wire.mn}

    @property
    def open(self) -> int:
        return sum(wire.closed_at is None for wire in self.wires)


class Listener(asyncio.Protocol):
    """The platform's side of one connection."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.connection = Connection(Role.PLATFORM, HJ_212_2017, editions=RULES)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.wire = Wire(len(self.ground.wires), monotonic())
        self.ground.wires.append(self.wire)

    def data_received(self, data: bytes) -> None:
        self.wire.arrivals.append(monotonic())
        self.connection.receive_data(data, 0.0)
        for event in self.connection.events():
            if isinstance(event, MessageReceived):
                message = event.message
                self.wire.mn = self.wire.mn or message.mn
                assert self.wire.mn == message.mn
                self.ground.frames.setdefault((message.mn, message.qn), set()).add(bytes(message))
        self.transport.write(self.connection.data_to_send())

    def connection_lost(self, error: Exception | None) -> None:
        self.wire.closed_at = monotonic()


@pytest.fixture
def ground() -> Iterator[Ground]:
    """The platform, in a thread of its own."""
    found = Ground()
    ready, done = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        server = await loop.create_server(lambda: Listener(found), HOST, 0)
        found.port = server.sockets[0].getsockname()[1]
        ready.set()
        await done.wait()
        server.close()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(PATIENCE_S)
        yield found
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(PATIENCE_S)


# The cluster


class Dask:
    """A scheduler and workers, processes of this test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.workers: list[subprocess.Popen[bytes]] = []
        self.started = 0
        self.scheduler = self.start("scheduler", "--port", "0", "--scheduler-file", str(self.file))
        wait_until(lambda: self.file.exists() and self.file.stat().st_size > 0)
        self.address = str(json.loads(self.file.read_text())["address"])

    def start(self, kind: str, *options: str) -> subprocess.Popen[bytes]:
        self.started += 1
        command = [sys.executable, "-m", "dask", kind, "--host", HOST, "--no-dashboard", *options]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        with (self.folder / f"{kind}-{self.started}.log").open("wb") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=self.folder)

    def complete(self) -> None:
        """See that all workers are there; start those that are missing."""
        from distributed import Client

        self.workers = [worker for worker in self.workers if worker.poll() is None]
        while len(self.workers) < WORKERS:
            options = ["--no-nanny", "--nthreads", "2", "--memory-limit", "0", "--local-directory", str(self.folder)]
            self.workers.append(self.start("worker", self.address, *options))
        with Client(self.address, set_as_default=False) as client:  # type: ignore[no-untyped-call]
            wait_until(lambda: len(client.nthreads()) == WORKERS)

    def end(self) -> None:
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    dask = Dask(tmp_path_factory.mktemp("dask"))
    try:
        yield dask
    finally:
        dask.end()


@pytest.fixture
def dask(processes: Dask) -> Dask:
    processes.complete()
    return processes


def wait_until(holds: Callable[[], bool], limit_s: float = PATIENCE_S) -> None:
    deadline = monotonic() + limit_s
    while not holds():
        assert monotonic() < deadline, "it took too long"
        sleep(0.05)


# What is played


#: Kinds of station and the MN of the first of each.
KINDS = {
    "door": "64010000ACCE550000000001",
    "water": "6401000032AB000000000001",
    "power": "6401000044AB000000000001",
}


def city(duration_s: float, port: int = 1) -> Scenario:
    """Doors that nobody uses, loggers and meters: each reports every other second, all at the same instants."""
    groups = tuple(
        StationGroup(kind=kind, count=STATIONS // len(KINDS), mn=mn, interval_s=INTERVAL_S, openings_per_hour=0)
        for kind, mn in KINDS.items()
    )
    return Scenario(seed=7, duration_s=duration_s, start=START, target=Target(HOST, port), station=groups)


def toml(port: int) -> str:
    groups = [
        f'[[station]]\nkind = "{kind}"\ncount = {STATIONS // len(KINDS)}\nmn = "{mn}"\ninterval_s = {INTERVAL_S:g}\n'
        for kind, mn in KINDS.items()
    ]
    return f"seed = 7\nstart = {START.isoformat()}\n[target]\nport = {port}\n" + "".join(groups)


def composed(ledger: Path) -> set[tuple[str, str]]:
    """MN and QN of every message in a ledger."""
    return {(line[2], line[3]) for line in LedgerFile(ledger) if isinstance(line, list) and line[0] == "c"}


def sections(ledger: Path) -> tuple[int, int]:
    """How many sections a ledger has, and how many of them have no end."""
    file = LedgerFile(ledger)
    return sum(not isinstance(line, list) for line in file), file.unclosed


def undisturbed(duration_s: float, folder: Path) -> tuple[set[tuple[str, str]], FleetResult]:
    """What a whole run in virtual time tells."""
    ledger = folder / "virtual.ledger"
    result = run_fleet_virtual(city(duration_s), Options(ledger=ledger))
    return composed(ledger), result


@dataclass
class Played:
    result: FleetResult
    expected: set[tuple[str, str]]
    ledger: Path


def play(ground: Ground, dask: Dask, folder: Path, duration_s: float, show: Callable[[Counts], None]) -> Played:
    ledger = folder / "city.ledger"
    plan = Plan(scenario=city(duration_s, ground.port), ledger=ledger)
    result = play_on_cluster(plan, Cluster(scheduler=dask.address, lease_s=LEASE_S), show)
    return Played(result, undisturbed(duration_s, folder)[0], ledger)


def judged(ground: Ground, played: Played, hit_at: float) -> None:
    """What holds whenever a worker was lost at ``hit_at``."""
    result, expected = played.result, played.expected
    assert result.exit_code == 3
    taken = [reason for reason in result.reasons if "was taken over from tcp://" in reason]
    assert len(taken) == SHARDS // WORKERS, result.reasons
    assert set(ground.frames) == expected, "nothing is missing, and nothing has another QN than it ought to have"
    assert all(len(frames) == 1 for frames in ground.frames.values()), "what is repeated is repeated byte by byte"
    assert result.counts.stations == STATIONS
    assert composed(played.ledger) >= expected
    moved = 0
    for mn in ground.identities:
        wires = ground.of(mn)
        for before, after in pairwise(wires):
            moved += 1
            assert before.arrivals[-1] < after.arrivals[0], f"{mn} is connected twice"
            back_s = after.arrivals[0] - hit_at
            assert back_s < LEASE_S * (1 + DRIFT) + MARGIN_S + INTERVAL_S, f"{mn} is back only after {back_s:.1f} s"
    assert moved == STATIONS // WORKERS, "those that were on the lost worker, once each"


def test_undisturbed_run_is_that_of_a_single_process(ground: Ground, dask: Dask, tmp_path: Path) -> None:
    played = play(ground, dask, tmp_path, 3.0, lambda counts: None)
    virtual = undisturbed(3.0, tmp_path)[1]
    assert (played.result.reasons, played.result.exit_code) == ((), 0)
    assert played.result.digest == virtual.digest
    assert played.result.counts.messages == virtual.counts.messages
    assert played.result.counts.acknowledged == virtual.counts.acknowledged
    assert set(ground.frames) == played.expected == composed(played.ledger)
    assert sections(played.ledger) == (SHARDS, 0)
    assert sum(played.result.percentiles().values()) > 0
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("city")] == ["city.ledger"]


def test_stopped_worker(ground: Ground, dask: Dask, tmp_path: Path) -> None:
    """Stopped at half time; it goes on after its lease is over, and then it finds that out before it sends a byte."""
    victim = dask.workers[1]
    hits: list[float] = []

    def show(counts: Counts) -> None:
        if not hits and counts.at_s >= 2.9:  # between two reports: nobody is in the middle of writing one
            victim.send_signal(signal.SIGSTOP)
            hits.append(monotonic())
        elif len(hits) == 1 and monotonic() > hits[0] + LEASE_S * (1 + DRIFT) + MARGIN_S + 1.0:
            victim.send_signal(signal.SIGCONT)
            hits.append(monotonic())

    try:
        played = play(ground, dask, tmp_path, 10.5, show)
    finally:
        victim.send_signal(signal.SIGCONT)
    assert len(hits) == 2
    judged(ground, played, hits[0])
    assert all("did not answer any more" in reason for reason in played.result.reasons if "taken over" in reason)
    old = [wires[0] for mn in ground.identities if len(wires := ground.of(mn)) == 2]
    assert all(wire.closed_at is not None and wire.closed_at > hits[1] for wire in old), "they stayed open until then"
    assert sections(played.ledger) == (SHARDS + SHARDS // WORKERS, 0), "what it had sent is there, too, to its end"


def test_killed_worker(ground: Ground, dask: Dask, tmp_path: Path) -> None:
    victim = dask.workers[0]
    hits: list[float] = []

    def show(counts: Counts) -> None:
        if not hits and counts.at_s >= 2.4:
            victim.kill()
            victim.wait()
            hits.append(monotonic())

    played = play(ground, dask, tmp_path, 7.5, show)
    judged(ground, played, hits[0])
    assert all("left the cluster" in reason for reason in played.result.reasons)
    assert sections(played.ledger) == (SHARDS + SHARDS // WORKERS, SHARDS // WORKERS), "theirs have no end"
    for mn in ground.identities:
        wires = ground.of(mn)
        for before, after in pairwise(wires):
            assert before.closed_at is not None
            assert before.closed_at < after.arrivals[0]


@contextmanager
def command(ground: Ground, dask: Dask, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """``simulator run`` in a process of its own, with links to the platform."""
    scenario = folder / "city.toml"
    scenario.write_text(toml(ground.port), "utf-8")
    options = ["--engine", "dask", "--scheduler", dask.address, "--lease", f"{LEASE_S:g}", "--duration", "60s"]
    options += ["--ledger", str(folder / "city.ledger"), "--json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "simulator", "run", str(scenario), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"},
        encoding="utf-8",
    )
    try:
        wait_until(lambda: len(ground.identities) == STATIONS)
        yield process
    finally:
        process.kill()
        process.communicate()


def test_client_that_dies_takes_its_shards_with_it(ground: Ground, dask: Dask, tmp_path: Path) -> None:
    with command(ground, dask, tmp_path) as process:
        process.kill()
        process.wait()
        died_at = monotonic()
        wait_until(lambda: not ground.open)
    closed = [wire.closed_at or 0.0 for wire in ground.wires]
    assert max(closed) - died_at < LEASE_S + MARGIN_S
    assert max(arrival for wire in ground.wires for arrival in wire.arrivals) - died_at < LEASE_S


def test_interrupted_client_ends_its_shards_and_keeps_their_ledgers(ground: Ground, dask: Dask, tmp_path: Path) -> None:
    with command(ground, dask, tmp_path) as process:
        process.send_signal(signal.SIGINT)
        interrupted_at = monotonic()
        out, _ = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 130, out
        wait_until(lambda: not ground.open)
    assert max(wire.closed_at or 0.0 for wire in ground.wires) - interrupted_at < LEASE_S
    assert composed(tmp_path / "city.ledger") == set(ground.frames), "what was sent is in the ledger"
    assert sections(tmp_path / "city.ledger") == (SHARDS, 0)


def test_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "CONNECT_S", 0.5)
    with pytest.raises(EnvironmentFault) as missing:
        play_on_cluster(Plan(scenario=city(1.0)), Cluster(scheduler="tcp://127.0.0.1:1"))
    assert missing.value.message == "there is no Dask scheduler at tcp://127.0.0.1:1"


def test_no_platform(dask: Dask, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fault of a worker is told as that of the run, with the place where it happened."""
    monkeypatch.setattr(cluster, "LEAD_S", 0.2)  # whether they begin in time is not asked here
    plan = Plan(scenario=replace(city(0.5), target=Target(HOST, 1)))
    with pytest.raises(EnvironmentFault, match=r"shard \d/6 on tcp://.*: no station could connect to 127.0.0.1:1"):
        play_on_cluster(plan, Cluster(scheduler=dask.address, lease_s=LEASE_S))
