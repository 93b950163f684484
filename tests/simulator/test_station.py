"""A station on a network: it connects, comes back, keeps its timers, and sends the same whatever carries it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hj212 import Message
from hj212.aio import CloseReason, LinkClosed, LinkOpened, LinkRefused, Platform, PlatformEvent, PlatformLimits
from hj212.events import FrameRejected, MessageReceived
from simulator import DoorController, DoorSettings, Method, Station, behaviour_with
from simulator.clock import EPOCH, run_virtual
from simulator.station import BOOT_S, RECONNECT_MAX_S, RECONNECT_S
from simulator.transport import LoopbackNetwork, MemoryNetwork

from .desk import MN, PW

pytestmark = pytest.mark.usefixtures("nothing_left_open")

HOST = "127.0.0.1"


def now() -> float:
    return asyncio.get_running_loop().time()


@dataclass
class Town:
    """Stations and a platform that comes and goes, on one virtual clock."""

    stations: list[Station] = field(default_factory=list)
    emitted: dict[str, dict[float, bytes]] = field(default_factory=dict)  #: by MN and instant
    received: list[tuple[float, PlatformEvent]] = field(default_factory=list)
    port: int = 0

    async def open_platform(self, limits: PlatformLimits | None = None) -> Platform:
        platform = Platform(
            lambda peer, event: self.received.append((now(), event)),
            limits=limits,
            listener=asyncio.get_running_loop().create_server,  # which knows the virtual clock's network
        )
        await platform.start(HOST, self.port)
        self.port = platform.port
        for station in self.stations:
            station.port = self.port
        return platform

    def add(self, number: int = 1, *faults: str) -> Station:
        mn = f"{int(MN, 16) + number - 1:024X}"
        emitted = self.emitted.setdefault(mn, {})

        def note(data: bytes) -> None:
            emitted[now()] = emitted.get(now(), b"") + data

        door = DoorController(DoorSettings(mn=mn, pw=PW), behaviour_with(faults), now(), EPOCH)
        station = Station(door, HOST, self.port, on_bytes=note)
        self.stations.append(station)
        return station

    def instants(self, kind: type) -> list[float]:
        return [at for at, event in self.received if isinstance(event, kind)]

    def messages(self) -> list[Message]:
        return [event.message for _, event in self.received if isinstance(event, MessageReceived)]


@asynccontextmanager
async def living(*stations: Station) -> AsyncIterator[None]:
    lives = [asyncio.create_task(station.run()) for station in stations]
    try:
        yield
    finally:
        for life in lives:
            life.cancel()
        for life in lives:
            with suppress(asyncio.CancelledError):
                await life


def play(
    story: Callable[[Town], Coroutine[Any, Any, None]], network: MemoryNetwork | LoopbackNetwork | None = None
) -> Town:
    town = Town()
    run_virtual(lambda: story(town), network or MemoryNetwork())
    return town


class TestLink:
    def test_reports_while_connected(self) -> None:
        async def story(town: Town) -> None:
            platform = await town.open_platform()
            async with living(town.add()):
                await asyncio.sleep(2000)
            await platform.stop()

        town = play(story)
        assert [m.cn for m in town.messages()] == ["2081", "3020", "3020", "3020"]
        assert town.instants(MessageReceived) == [0, 0, 900, 1800]
        assert town.stations[0].door.acknowledged == 4

    def test_comes_back_after_the_link_was_closed_and_brings_what_happened(self) -> None:
        async def story(town: Town) -> None:
            platform = await town.open_platform()
            station = town.add()
            async with living(station):
                await asyncio.sleep(100)
                await platform.stop()
                await asyncio.sleep(0)
                station.act(lambda now: station.door.open(Method.FACE, "1001", now))
                await asyncio.sleep(1)
                platform = await town.open_platform()
                await asyncio.sleep(100)
            await platform.stop()
            assert (station.connects, station.failed_connects) == (2, 0)

        town = play(story)
        assert town.instants(LinkOpened) == [0, 100 + RECONNECT_S]
        (record,) = [m for m in town.messages() if m.parameter("i32004-Info")]
        assert (record.qn, record.parameter("i32006-Info")) == ("20250915100110500", "20250915100110")

    def test_waits_longer_each_time_nobody_listens(self) -> None:
        tried: list[float] = []

        class Closed(MemoryNetwork):
            def create_connection(self, *args: Any) -> Any:
                tried.append(now())
                return super().create_connection(*args)

        async def story(town: Town) -> None:
            town.port = 9
            station = town.add()
            async with living(station):
                await asyncio.sleep(400)
            assert station.connects == 0
            assert station.failed_connects == len(tried)
            assert len(station.door.queue) == 2

        play(story, Closed())
        pauses = [b - a for a, b in pairwise(tried)]
        assert pauses == sorted(pauses)
        assert pauses[0] <= 2 * RECONNECT_S
        assert pauses[-1] == RECONNECT_MAX_S

    def test_timers_run_without_a_link(self) -> None:
        async def story(town: Town) -> None:
            town.port = 9
            station = town.add()
            async with living(station):
                await asyncio.sleep(3601)
            whole = [u.message.parameter("DataTime") for u in station.door.queue if u.kind == "periodic"]
            assert whole == ["20250915095930", "20250915101430", "20250915102930", "20250915104430", "20250915105930"]

        play(story)

    def test_platform_that_turns_it_away(self) -> None:
        async def story(town: Town) -> None:
            platform = await town.open_platform(PlatformLimits(connections=0))
            async with living(town.add()):
                await asyncio.sleep(60)
            await platform.stop()

        town = play(story)
        assert LinkRefused(CloseReason.CONNECTIONS) in [event for _, event in town.received]
        assert not town.messages()

    def test_power_cycle(self) -> None:
        async def story(town: Town) -> None:
            platform = await town.open_platform()
            station = town.add()
            async with living(station):
                await asyncio.sleep(100)
                await station.power_cycle()
                assert now() == 100 + BOOT_S
                await asyncio.sleep(1)
            await platform.stop()

        town = play(story)
        assert town.instants(LinkClosed)[0] == 100
        assert town.instants(LinkOpened) == [0, 120]
        assert [(m.cn, m.parameter("RestartTime")) for m in town.messages()] == [
            *(("2081", "20250915095930"), ("3020", None), ("2081", "20250915100130"), ("3020", None))
        ]

    def test_digest_covers_identity_and_every_byte(self) -> None:
        async def story(town: Town) -> None:
            platform = await town.open_platform()
            stations = [town.add(number) for number in (1, 2)]
            unborn = {station.digest for station in stations}
            async with living(*stations):
                await asyncio.sleep(10)
            await platform.stop()
            assert len(unborn | {station.digest for station in stations}) == 4

        town = play(story)
        for station in town.stations:
            whole = b"".join(town.emitted[station.door.settings.mn].values())
            assert station.digest == hashlib.sha256(station.door.settings.mn.encode() + whole).digest()


SCRIPT = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.sampled_from([0.0, 0.5, 1.0, 20.0, 450.0, 900.0, 2000.0])),
        st.tuples(st.just("open"), st.sampled_from(Method)),
        st.tuples(st.sampled_from(["close", "lift", "platform", "power"]), st.none()),
    ),
    max_size=12,
)


async def follow(town: Town, script: list[tuple[str, Any]], faults: tuple[str, ...]) -> None:
    """Play one script at two stations; ``platform`` stops the platform or starts it again."""
    platform: Platform | None = await town.open_platform()
    one, other = town.add(1, *faults), town.add(2)
    async with living(one, other):
        for what, value in [("wait", 0.1), *script]:
            await asyncio.sleep(0.001)  # what happens at one instant has no order that both networks share
            match what:
                case "wait":
                    await asyncio.sleep(value)
                case "open":
                    one.act(lambda now, method=value: one.door.open(method, "1001", now))  # type: ignore[misc]
                case "close":
                    one.act(one.door.close)
                    other.act(other.door.close)
                case "lift":
                    other.act(lambda now: other.door.dismantle(True, now))
                case "power":
                    await asyncio.gather(one.power_cycle(), other.power_cycle())
                case "platform" if platform:
                    await platform.stop()
                    platform = None
                case "platform":
                    platform = await town.open_platform()
        await asyncio.sleep(100)
    await asyncio.sleep(1)
    if platform:
        await platform.stop()


FAULTY = st.sampled_from([(), ("modbus-crc",), ("not-hj212",), ("answers-acknowledgement",), ("endless-resend",)])


@pytest.mark.loopback
@settings(max_examples=60, deadline=None)
@given(script=SCRIPT, faults=FAULTY)
def test_same_bytes_at_the_same_instants_over_memory_and_over_sockets(
    script: list[tuple[str, Any]], faults: tuple[str, ...]
) -> None:
    memory = play(lambda town: follow(town, script, faults), MemoryNetwork())
    sockets = play(lambda town: follow(town, script, faults), LoopbackNetwork())
    assert memory.emitted == sockets.emitted
    assert [s.digest for s in memory.stations] == [s.digest for s in sockets.stations]
    for kind in (MessageReceived, FrameRejected, LinkOpened, LinkClosed):
        assert memory.instants(kind) == sockets.instants(kind)
    assert [s.door.acknowledged for s in memory.stations] == [s.door.acknowledged for s in sockets.stations]
