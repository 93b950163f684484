"""Fleets: the same digest whoever runs which part, one sentence when there is no platform, a third code when late."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic, perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hj212 import Message
from hj212.aio import Platform, PlatformEvent
from hj212.events import MessageReceived
from simulator import Scenario
from simulator.engine import Counts, FleetResult, fleet, health, run_fleet, run_fleet_virtual, shard
from simulator.faults import faults_of
from simulator.scenario import Load, StationGroup, Target
from stationgate.exits import EnvironmentFault, ExitCode

from .desk import MN, PW

pytestmark = pytest.mark.usefixtures("nothing_left_open")

HOST = "127.0.0.1"
#: Far longer than anything here takes.
PATIENCE_S = 20.0


def city(*, duration_s: float = 3600.0, seed: int = 1, **values: object) -> Scenario:
    return Scenario(seed=seed, duration_s=duration_s, station=(StationGroup(**values),))  # type: ignore[arg-type]


class TestVirtual:
    def test_an_hour(self) -> None:
        result = run_fleet_virtual(city(count=3))
        assert result.counts.stations == result.counts.connected == 3
        assert result.counts.messages == result.counts.acknowledged
        # start, five reports, openings at two an hour with two changes each, most with a record and a log
        assert 3 * (1 + 5 + 4) <= result.counts.messages <= 3 * (1 + 5 + 2 * 4 + 4)
        assert not result.degraded
        assert result.exit_code is ExitCode.OK

    def test_digest_is_over_identity_and_bytes(self) -> None:
        emitted: dict[str, bytes] = {}

        class Listening(shard.Line):
            def flush(self) -> None:
                transport = self.transport
                if transport is not None:
                    write = transport.write
                    transport.write = lambda data: (note(self, data), write(data))[1]  # type: ignore[method-assign,func-returns-value]
                super().flush()
                if transport is not None:
                    transport.write = write  # type: ignore[method-assign]

        def note(line: shard.Line, data: bytes) -> None:
            emitted[line.core.identity] = emitted.get(line.core.identity, b"") + data

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shard, "Line", Listening)
            result = run_fleet_virtual(city(count=3))
        total = 0
        for mn, data in emitted.items():
            total ^= int.from_bytes(hashlib.sha256(mn.encode() + data).digest())
        assert result.digest == f"{total:064x}"

    def test_station_that_was_never_switched_on_counts_with_its_identity(self) -> None:
        result = run_fleet_virtual(city(duration_s=0.0, start_spread_s=1e6))
        assert replace(result.counts, at_s=0.0) == Counts(stations=1)
        assert result.digest == hashlib.sha256(MN.encode()).hexdigest()

    def test_no_station_at_all(self) -> None:
        result = run_fleet_virtual(city(count=0))
        assert (replace(result.counts, at_s=0.0), result.digest, result.exit_code) == (Counts(), "0" * 64, ExitCode.OK)

    def test_same_scenario_same_digest(self) -> None:
        plan = city(count=4, start_spread_s=500.0, openings_per_hour=6)
        digests = [run_fleet_virtual(plan).digest for _ in range(3)]
        assert len(set(digests)) == 1

    @pytest.mark.parametrize(
        "other",
        [
            replace(city(), seed=2),
            replace(city(), duration_s=1800.0),
            city(pw=PW),
            city(mn="0" * 24),
            city(form="2011"),
            city(interval_s=600.0),
            city(log=False),
            city(openings_per_hour=3),
            city(people=1),
            city(start_spread_s=300.0),
            city(faults=("lower-case-crc",)),
            city(count=2),
        ],
    )
    def test_everything_in_a_scenario_counts(self, other: Scenario) -> None:
        assert run_fleet_virtual(other).digest != run_fleet_virtual(city()).digest

    @settings(max_examples=15, deadline=None)
    @given(
        counts=st.lists(st.integers(0, 4), min_size=1, max_size=3),
        faults=st.lists(st.sampled_from(list(faults_of("door"))), max_size=2),
        shards=st.integers(1, 4),
        seed=st.integers(0, 99),
        duration=st.sampled_from([900.0, 1801.5, 4000.0]),
        spread=st.sampled_from([0.0, 700.0]),
    )
    def test_digests_of_shards_xor_to_that_of_the_whole(
        self, counts: list[int], faults: list[str], shards: int, seed: int, duration: float, spread: float
    ) -> None:
        groups = tuple(
            StationGroup(
                count=count,
                mn=f"{number:04X}00000001",
                openings_per_hour=12,
                start_spread_s=spread,
                faults=tuple(faults[:number]),
            )
            for number, count in enumerate(counts)
        )
        plan = Scenario(seed, duration, station=groups)
        whole = run_fleet_virtual(plan)
        parts = [run_fleet_virtual(plan, shard=(index, shards)) for index in range(shards)]
        total = 0
        for part in parts:
            total ^= int(part.digest, 16)
        assert f"{total:064x}" == whole.digest
        for what in ("stations", "connected", "messages", "acknowledged"):
            assert sum(getattr(part.counts, what) for part in parts) == getattr(whole.counts, what)

    def test_order_of_groups_and_starts_does_not_matter(self) -> None:
        groups = [StationGroup(count=2, mn=f"{n:024X}", start_spread_s=900.0 * n) for n in (16, 32, 48)]
        results = [
            run_fleet_virtual(Scenario(station=tuple(order)))
            for order in (groups, groups[::-1], groups[1:] + groups[:1])
        ]
        assert len({result.digest for result in results}) == 1

    def test_a_month_passes_in_seconds(self) -> None:
        begin = perf_counter()
        result = run_fleet_virtual(city(duration_s=30 * 86_400.0))
        assert result.counts.acknowledged == result.counts.messages > 30 * 96 + 30 * 48 * 2
        assert perf_counter() - begin < 20

    def test_progress_is_told(self) -> None:
        told: list[tuple[int, int]] = []
        run_fleet_virtual(
            city(count=2, duration_s=4 * 3600 + 1), progress=lambda c: told.append((c.connected, c.messages))
        )
        assert [connected for connected, _ in told] == [2] * 4
        assert [m for _, m in told] == sorted({m for _, m in told})


class Ground:
    """A platform on the real clock, in a thread of its own."""

    def __init__(self) -> None:
        self.received: list[Message] = []
        self.port = 0

    def _note(self, peer: str, event: PlatformEvent) -> None:
        if isinstance(event, MessageReceived):
            self.received.append(event.message)

    async def _serve(self, ready: threading.Event, done: asyncio.Event) -> None:
        async with Platform(self._note) as platform:
            await platform.start(HOST, 0)
            self.port = platform.port
            ready.set()
            await done.wait()


@contextmanager
def platform() -> Iterator[Ground]:
    ground = Ground()
    ready = threading.Event()
    loop = asyncio.new_event_loop()
    done = asyncio.Event()

    def serve() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(ground._serve(ready, done))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert ready.wait(PATIENCE_S)
        yield ground
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(PATIENCE_S)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@pytest.mark.loopback
class TestReal:
    def test_fleet_and_platform_agree(self) -> None:
        with platform() as ground:
            begin = monotonic()
            plan = replace(city(count=20, duration_s=1.0), target=Target(HOST, ground.port))
            result = run_fleet(plan)
            assert monotonic() - begin < PATIENCE_S / 2
        assert result.counts.stations == result.counts.connected == 20
        assert result.counts.messages == result.counts.acknowledged >= 40
        assert len({m.mn for m in ground.received}) == 20
        assert len(ground.received) == result.counts.messages

    def test_shard_plays_its_stations_only(self) -> None:
        with platform() as ground:
            plan = replace(city(count=5, duration_s=0.5, mn="00A0"), target=Target(HOST, ground.port))
            assert run_fleet(plan, shard=(1, 2)).counts.stations == 2
        assert {m.mn for m in ground.received} == {"00A1", "00A3"}

    def test_closed_loop_reports_as_soon_as_it_is_answered(self) -> None:
        with platform() as ground:
            plan = replace(city(count=3, duration_s=1.0), target=Target(HOST, ground.port))
            quiet = run_fleet(plan).counts.messages
            ground.received.clear()
            busy = run_fleet(plan, fleet.Options(closed_loop=True)).counts
        assert busy.messages == busy.acknowledged > 5 * quiet
        assert len({(m.mn, m.qn) for m in ground.received}) == busy.messages

    def test_run_that_ends_without_a_platform(self) -> None:
        port = free_port()
        with pytest.raises(EnvironmentFault) as missing:
            run_fleet(replace(city(count=3, duration_s=0.2), target=Target(HOST, port)))
        assert missing.value.message == f"no station could connect to {HOST}:{port}"
        assert missing.value.hint == f"start the platform first, for example: hj212 listen --port {port}"

    def test_long_run_without_a_platform_ends_early(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fleet, "NO_PLATFORM_S", 0.1)
        monkeypatch.setattr(fleet, "HEARTBEAT_S", 0.05)
        begin = monotonic()
        with pytest.raises(EnvironmentFault, match="no station could connect"):
            run_fleet(replace(city(duration_s=1000.0), target=Target(HOST, free_port())))
        assert monotonic() - begin < PATIENCE_S / 2

    def test_stations_that_start_late_are_given_their_time(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fleet, "NO_PLATFORM_S", 0.05)
        monkeypatch.setattr(fleet, "HEARTBEAT_S", 0.01)
        with platform() as ground:
            plan = replace(city(duration_s=1.0, start_spread_s=0.5, seed=3), target=Target(HOST, ground.port))
            assert run_fleet(plan).counts.connected == 1

    def test_late_generator_is_degraded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(health, "MAX_LAG_S", -1.0)
        monkeypatch.setattr(fleet, "HEARTBEAT_S", 0.01)
        with platform() as ground:
            result = run_fleet(replace(city(duration_s=0.2), target=Target(HOST, ground.port)))
        assert result.degraded
        assert result.exit_code is ExitCode.INCONCLUSIVE


def test_lag_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that takes longer than the limit makes the loop late, and the result says so."""
    monkeypatch.setattr(health, "MAX_LAG_S", 0.05)
    monkeypatch.setattr(fleet, "HEARTBEAT_S", 0.01)

    def work(counts: Counts) -> None:
        end = perf_counter() + 0.01
        while perf_counter() < end:
            pass

    class Heavy(shard.Line):
        def alarm(self, now: float) -> None:
            end = perf_counter() + 0.2
            while perf_counter() < end:
                pass
            super().alarm(now)

    monkeypatch.setattr(shard, "Line", Heavy)
    with platform() as ground:
        result = run_fleet(replace(city(duration_s=0.6), target=Target(HOST, ground.port)), progress=work)
    assert result.counts.lag_s > 0.05
    assert result.degraded


@pytest.mark.parametrize(("degraded", "code"), [(False, 0), (True, 3)])
def test_exit_code(degraded: bool, code: int) -> None:
    assert FleetResult(Counts(), degraded, "0").exit_code == code


def test_shard_of_many_fits() -> None:
    assert run_fleet_virtual(replace(city(count=40_000, duration_s=0.0)), shard=(0, 20_000)).counts.stations == 2


def test_ramp_switches_stations_on_one_after_the_other() -> None:
    told: list[int] = []
    plan = replace(city(count=4, mn="0001", duration_s=4 * 3600 + 1), load=Load(ramp_s=16_000))
    run_fleet_virtual(plan, progress=lambda counts: told.append(counts.connected))
    assert told == [1, 2, 3, 4]


def test_error_of_ours_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong inside a station is no quiet station: the run is over, and says what it was."""

    def broken(self: shard.Line, now: float) -> None:
        raise ZeroDivisionError("planted")

    monkeypatch.setattr(shard.Line, "alarm", broken)
    with pytest.raises(ZeroDivisionError, match="planted"):
        run_fleet_virtual(city())
