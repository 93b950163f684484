"""A station's bytes depend on the scenario alone: not on shards, processes, the clock, the order, or who plays on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hj212.framing import Frame, Framer
from hj212.times import CHINA
from simulator.engine import FleetResult, Options, Plan, play, run_fleet, run_fleet_virtual, shard
from simulator.engine.sink import Sink
from simulator.ledger import LedgerFile
from simulator.scenario import Scenario, Target, parse

pytestmark = pytest.mark.usefixtures("nothing_left_open")

CITY = """
seed = 7
start = 2026-03-01T23:30:00
duration_s = 3600
[[site]]
name = "plant"
count = 4
shifts = ["08:00-20:00", "23:45-01:00"]
openings_per_hour = 6
[[station]]
kind = "door"
site = "plant"
count = 4
[[station]]
kind = "water"
site = "plant"
count = 4
mn = "64010000A000000000000001"
interval_s = 60
[[station]]
kind = "flue-gas"
edition = "2005"
count = 2
mn = "64010000B00001"
interval_s = 60
[[station]]
kind = "voc"
edition = "2025"
count = 2
mn = "64010000C000000000000001"
interval_s = 60
phase = "spread"
[[station]]
kind = "power"
site = "plant"
count = 4
mn = "64010000D000000000000001"
interval_s = 300
[[fault]]
name = "modbus-crc"
probability = 0.1
[[event]]
what = "unit-off"
site = "plant"
at = "+00:20:00"
for_s = 1200
"""

#: Every second of one, for the real clock.
QUICK = """
seed = 3
start = 2026-03-01T12:00:00
duration_s = 3
[[station]]
kind = "door"
count = 3
interval_s = 1
openings_per_hour = 0
[[station]]
kind = "water"
mn = "64010000A000000000000001"
count = 3
interval_s = 1
phase = "clock"
"""


def xor(results: list[FleetResult]) -> str:
    total = 0
    for result in results:
        total ^= int(result.digest, 16)
    return f"{total:064x}"


@pytest.mark.parametrize("shards", [3, 8])
def test_shards_xor_to_the_whole(shards: int) -> None:
    whole = run_fleet_virtual(parse(CITY))
    assert whole.counts.messages > 800
    assert whole.counts.faults["modbus-crc"] > 50
    parts = [run_fleet_virtual(parse(CITY), shard=(index, shards)) for index in range(shards)]
    assert xor(parts) == whole.digest


@pytest.mark.parametrize("processes", [2, 3])
def test_processes_make_no_difference(processes: int) -> None:
    plan = Plan(scenario=replace(parse(CITY), duration_s=900.0), virtual=True, processes=1)
    alone = play(plan)
    together = play(replace(plan, processes=processes))
    assert together.digest == alone.digest
    assert replace(together.counts, cpu=0.0) == replace(alone.counts, cpu=0.0)
    assert together.percentiles() == alone.percentiles()


@pytest.mark.parametrize("kind", ["door", "water", "power"])
def test_whoever_encrypts_is_answered(kind: str) -> None:
    """In memory the platform knows the keys, so that a station says each thing once there, too."""
    text = f"duration_s = 1200\n[[station]]\nkind = '{kind}'\nedition = '2025'\ncount = 2\ninterval_s = 60\n"
    plain = run_fleet_virtual(parse(text))
    secret = run_fleet_virtual(parse(f"{text}key = '000102030405060708090a0b0c0d0e0f'"))
    assert secret.counts.acknowledged == secret.counts.messages == plain.counts.messages > 30
    assert secret.digest != plain.digest


def test_other_seed_other_bytes() -> None:
    city = replace(parse(CITY), duration_s=300.0)
    assert (
        run_fleet_virtual(replace(city, seed=8)).digest
        != run_fleet_virtual(city).digest
        == run_fleet_virtual(city).digest
    )


@contextmanager
def sink() -> Iterator[int]:
    """Run a platform that answers everything, on the real clock in a thread of its own; yield its port."""
    loop = asyncio.new_event_loop()
    ready = threading.Event()
    done = asyncio.Event()
    port = 0

    async def serve() -> None:
        nonlocal port
        server = await loop.create_server(Sink, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        ready.set()
        await done.wait()
        server.close()
        await asyncio.sleep(0.05)

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(20)
        yield port
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(20)


@pytest.mark.loopback
def test_real_and_virtual_clock_give_the_same_bytes() -> None:
    with sink() as port:
        city = replace(parse(QUICK), target=Target("127.0.0.1", port))
        real = run_fleet(city)
    virtual = run_fleet_virtual(city)
    assert real.counts.messages == virtual.counts.messages >= 3 * 4 + 3 * 4
    assert real.digest == virtual.digest


class Heard:
    """The frames that a run emitted."""

    def __init__(self) -> None:
        self.frames: set[bytes] = set()
        self.count = 0

    def play(self, scenario: Scenario, options: Options) -> FleetResult:
        framers: dict[str, Framer] = {}
        heard = self

        class Listening(shard.Line):
            def flush(self) -> None:
                if self.transport is not None:
                    data = self.core.data_to_send()
                    if data:
                        for found in framers.setdefault(self.core.identity, Framer()).feed(data):
                            assert isinstance(found, Frame)
                            heard.frames.add(found.raw)
                            heard.count += 1
                        self.transport.write(data)
                super().flush()

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shard, "Line", Listening)
            return run_fleet_virtual(scenario, options)


@settings(max_examples=5, deadline=None)
@given(killed_s=st.floats(60, 1400), behind_s=st.floats(0, 400))
def test_who_takes_over_tells_the_rest_and_nothing_else(killed_s: float, behind_s: float) -> None:
    """A shard dies; its successor begins at an instant before which everything is known to be acknowledged."""
    # Without faults: what is never acknowledged keeps its place on the link, and at the end others wait behind it.
    city = replace(parse(CITY), duration_s=1500.0, fault=())
    undisturbed, both = Heard(), Heard()
    undisturbed.play(city, Options(part=(1, 3)))
    both.play(replace(city, duration_s=killed_s), Options(part=(1, 3)))
    both.play(city, Options(part=(1, 3), resume_at=max(0.0, killed_s - behind_s)))
    assert both.frames == undisturbed.frames


def test_ledger_of_processes_is_one(tmp_path: Path) -> None:
    plan = Plan(scenario=replace(parse(CITY), duration_s=900.0), virtual=True, processes=2, ledger=tmp_path / "l")
    result = play(plan)
    ledger = LedgerFile(tmp_path / "l")
    sent = sum(1 for line in ledger if isinstance(line, list) and line[0] == "s")
    assert result.counts.messages == sent > 200
    assert sorted(path.name for path in tmp_path.iterdir()) == ["l"]


def test_start_is_beijing_time() -> None:
    start = parse(CITY).start
    assert start is not None
    assert start.astimezone(CHINA).isoformat() == "2026-03-01T23:30:00+08:00"
