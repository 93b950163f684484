"""The platform that stores first: acknowledged means on the disk, whatever happens to the platform."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from hj212 import HJ_212_2017, HJ_212_2025, HJ_T_212_2005, Framer, Message, Rules, build_frame, compose
from hj212.aio import (
    CloseReason,
    Fate,
    LinkClosed,
    LinkRefused,
    LinkSlowed,
    MessageKept,
    MessageStore,
    Platform,
    PlatformEvent,
    PlatformLimits,
    StoreFailed,
    StoreFault,
    StoreWorks,
    keeping,
)
from hj212.framing import Frame

from .load import Quiet, Station, dial, frame_of, qn_of

pytestmark = pytest.mark.loopback

HOST = "127.0.0.1"
PATIENCE_S = 30.0
MN = "010000A8900016F000169DC0"

Events = list[tuple[str, PlatformEvent]]
Scenario = Callable[["Bench"], Awaitable[None]]


class Bench:
    """A platform with a store, and one link to it."""

    def __init__(self, platform: Platform, store: MessageStore, events: Events) -> None:
        self.platform = platform
        self.store = store
        self.events = events
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(HOST, self.platform.port)

    async def answers(self, count: int) -> list[Message]:
        framer, found = Framer(), []
        while len(found) < count:
            data = await self.reader.read(65536)
            assert data, "the platform closed the link"
            found += [Message.from_bytes(each.segment) for each in framer.feed(data) if isinstance(each, Frame)]
        return found

    def of(self, *kinds: type) -> list[PlatformEvent]:
        return [event for _, event in self.events if isinstance(event, kinds)]

    async def until(self, *kinds: type) -> PlatformEvent:
        while not (found := self.of(*kinds)):
            await asyncio.sleep(0.005)
        return found[0]


def play(scenario: Scenario, folder: Path, **limits: float) -> list[Message]:
    """Run a scenario; return what is in the store at its end."""

    async def whole(store: MessageStore) -> None:
        events: Events = []
        platform = Platform(
            lambda peer, event: events.append((peer, event)), store=store, limits=PlatformLimits(**limits)  # type: ignore[arg-type]
        )  # fmt: skip
        async with asyncio.timeout(PATIENCE_S), platform:
            await platform.start(HOST, 0)
            bench = Bench(platform, store, events)
            bench.reader, bench.writer = await bench.connect()
            try:
                await scenario(bench)
            finally:
                bench.writer.close()

    with closing(MessageStore(folder / "day.db")) as store:
        asyncio.run(whole(store))
        return [kept.message for kept in store.read()]


def message(cn: str = "2011", rules: Rules = HJ_212_2017, value: str = "7.1", qn: str = qn_of(1)) -> Message:
    items = [[("DataTime", "20240102030400")], [("w01001-Rtd", value)]]
    return compose(rules, qn=qn, st="32", cn=cn, pw="123456", mn=MN, items=items, answer=True)


class TestAnswer:
    @pytest.mark.parametrize("rules", [HJ_T_212_2005, HJ_212_2017, HJ_212_2025], ids=lambda rules: rules.title)
    def test_comes_after_the_commit(self, rules: Rules, tmp_path: Path) -> None:
        async def scenario(bench: Bench) -> None:
            bench.writer.write(message(rules=rules).encode(rules))
            (answer,) = await bench.answers(1)
            assert (answer.cn, answer.answers_qn) == ("9014", qn_of(1))
            with closing(sqlite3.connect(bench.store.path)) as reader:  # another connection sees commits only
                assert reader.execute("SELECT count(*) FROM messages").fetchone() == (1,)

        assert [bytes(kept) for kept in play(scenario, tmp_path)] == [bytes(message(rules=rules))]

    def test_a_notice_is_kept_and_gets_9013_a_heartbeat_is_not_kept(self, tmp_path: Path) -> None:
        async def scenario(bench: Bench) -> None:
            bench.writer.write(message("1013").encode(HJ_212_2017) + message("9015", HJ_212_2025).encode(HJ_212_2025))
            assert sorted(answer.cn for answer in await bench.answers(2)) == ["9013", "9013"]

        assert [kept.cn for kept in play(scenario, tmp_path)] == ["1013"]

    def test_what_wants_no_answer_is_kept_as_well_answers_are_not(self, tmp_path: Path) -> None:
        async def scenario(bench: Bench) -> None:
            silent = compose(HJ_212_2017, qn=qn_of(1), st="32", cn="2051", pw="1", mn=MN)
            answer = compose(HJ_212_2017, qn=qn_of(2), st="91", cn="9013", pw="1", mn=MN, answer=True)
            odd = compose(HJ_212_2017, qn=qn_of(3), st="32", cn="2999", pw="1", mn=MN, answer=True)
            for each in (silent, answer, odd):
                bench.writer.write(each.encode(HJ_212_2017))
            assert [each.cn for each in await bench.answers(1)] == ["9014"]

        assert [kept.cn for kept in play(scenario, tmp_path)] == ["2051", "2999"]

    def test_a_repeat_is_answered_and_not_kept_twice_a_difference_is_kept_and_told(self, tmp_path: Path) -> None:
        async def scenario(bench: Bench) -> None:
            for value in ("7.1", "7.1", "7.2"):
                bench.writer.write(message(value=value).encode(HJ_212_2017))
            assert len(await bench.answers(3)) == 3
            kept = [event.fate for event in bench.of(MessageKept) if isinstance(event, MessageKept)]
            assert kept == [Fate.NEW, Fate.REPEATED, Fate.DIFFERS]

        assert len(play(scenario, tmp_path)) == 2

    def test_what_came_is_kept_when_the_platform_stops(self, tmp_path: Path) -> None:
        async def scenario(bench: Bench) -> None:
            bench.writer.write(b"".join(frame_of(1, number) for number in range(500)))
            await bench.until(MessageKept)
            await bench.platform.stop()
            assert len(await _rest(bench.reader)) == bench.store.count() > 0

        play(scenario, tmp_path)


async def _rest(reader: asyncio.StreamReader) -> list[Any]:
    data = b""
    with suppress(ConnectionError):
        while more := await reader.read(65536):
            data += more
    return [each for each in Framer().feed(data) if isinstance(each, Frame)]


class TestTrouble:
    def test_a_full_disk_delays_and_loses_nothing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(keeping, "RETRY_S", 0.05)

        async def scenario(bench: Bench) -> None:
            (pages,) = bench.store._db.execute("PRAGMA page_count").fetchone()
            bench.store._db.execute(f"PRAGMA max_page_count = {pages}")
            bench.writer.write(b"".join(frame_of(1, number) for number in range(300)))
            failed = await bench.until(StoreFailed)
            assert isinstance(failed, StoreFailed)
            assert "full" in failed.reason
            await asyncio.sleep(0.2)
            assert len(bench.of(StoreFailed)) == 1
            assert not bench.of(MessageKept)
            bench.store._db.execute("PRAGMA max_page_count = 1000000")
            assert len(await bench.answers(300)) == 300
            assert len(bench.of(StoreWorks)) == 1

        assert len(play(scenario, tmp_path)) == 300

    @pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be deleted there")
    def test_a_deleted_file_ends_acknowledging_until_it_is_back(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(keeping, "RETRY_S", 0.05)

        async def scenario(bench: Bench) -> None:
            away = bench.store.path.with_suffix(".away")
            bench.store.path.rename(away)
            bench.writer.write(frame_of(1, 1))
            failed = await bench.until(StoreFailed)
            assert isinstance(failed, StoreFailed)
            assert failed.fault is StoreFault.GONE
            assert not bench.of(MessageKept)
            away.rename(bench.store.path)
            assert len(await bench.answers(1)) == 1
            assert len(bench.of(StoreWorks)) == 1

        assert len(play(scenario, tmp_path)) == 1

    def test_links_wait_while_too_much_is_to_be_kept(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(keeping, "RETRY_S", 0.05)
        monkeypatch.setattr(keeping, "MAX_WAITING_BYTES", 20_000)

        async def scenario(bench: Bench) -> None:
            bench.store._db.execute(
                f"PRAGMA max_page_count = {bench.store._db.execute('PRAGMA page_count').fetchone()[0]}"
            )
            frames = [frame_of(1, number) for number in range(4000)]
            for frame in frames:
                bench.writer.write(frame)
            await bench.until(StoreFailed)
            await asyncio.sleep(0.3)
            keeper = bench.platform._keeper
            assert keeper is not None
            held = len(keeper._waiting) + len(keeper._batch)
            assert keeper.full
            assert held < 4000  # the rest waits in the buffers of the system and of the station
            bench.store._db.execute("PRAGMA max_page_count = 1000000")
            assert len(await bench.answers(4000)) == 4000

        assert len(play(scenario, tmp_path, frames_at_once=5000)) == 4000


class TestLimits:
    def test_a_link_that_sends_too_fast_is_slowed_and_loses_nothing(self, tmp_path: Path) -> None:
        async def scenario(bench: Bench) -> None:
            loop = asyncio.get_running_loop()
            for burst in range(3):
                bench.writer.write(b"".join(frame_of(1, burst * 20 + number) for number in range(20)))
                began = loop.time()
                await bench.answers(20)
            assert loop.time() - began > 0.05
            assert len(bench.of(LinkSlowed)) == 1

        assert len(play(scenario, tmp_path, frames_per_s=200.0, frames_at_once=10)) == 60

    def test_silent_links_give_way_to_a_station(self, tmp_path: Path) -> None:
        async def scenario(bench: Bench) -> None:
            bench.writer.write(frame_of(1, 0))  # a station, from now on
            await bench.answers(1)
            silent = [Quiet() for _ in range(4)]
            for each in silent:
                await dial(each, bench.platform.port)
            await asyncio.sleep(0.15)
            good = Station(2, 5, 1)
            await dial(good, bench.platform.port)
            good.begin()
            await good.done.wait()
            reasons = [event.reason for event in bench.of(LinkClosed) if isinstance(event, LinkClosed)]
            assert reasons == [CloseReason.GAVE_WAY]
            assert not bench.of(LinkRefused)
            bench.writer.write(frame_of(1, 1))  # the station of before is still there
            await bench.answers(1)
            good.close()
            for each in silent:
                each.transport.abort()

        assert len(play(scenario, tmp_path, connections=5, give_way_s=0.1)) == 7

    def test_stations_do_not_give_way(self, tmp_path: Path) -> None:
        async def scenario(bench: Bench) -> None:
            bench.writer.write(frame_of(1, 0))
            await bench.answers(1)
            reader, writer = await bench.connect()
            assert await reader.read(1) == b""
            writer.close()
            refused = await bench.until(LinkRefused)
            assert refused == LinkRefused(CloseReason.ADDRESS)

        play(scenario, tmp_path, per_address=1, give_way_s=0.0)


class Listener:
    """``hj212 listen --store`` in a process of its own."""

    def __init__(self, store: Path, *options: str) -> None:
        command = [sys.executable, "-m", "hj212", "listen", "--port", "0", "--json", "--quiet", "--store", str(store)]
        environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self.process = subprocess.Popen(
            [*command, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environ
        )
        assert self.process.stdout
        self.port = int(json.loads(self.process.stdout.readline())["port"])

    def __enter__(self) -> Listener:
        # Lines are not read: a pipe that is full must not stop the test, so they go nowhere after the first.
        self._drain = subprocess.Popen(
            [sys.executable, "-c", "import sys\nwhile sys.stdin.buffer.read(65536): pass"], stdin=self.process.stdout
        )
        return self

    def kill(self) -> None:
        """SIGKILL, or what the system has in its place: nothing can be finished."""
        self.process.kill()
        self.process.wait(timeout=PATIENCE_S)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        assert self.process.stdout
        self.process.stdout.close()
        self._drain.wait(timeout=PATIENCE_S)


async def _until_killed(port: int, stations: list[Station], listener: Listener, moment_s: float) -> None:
    for station in stations:
        await dial(station, port)
        station.begin()
    await asyncio.sleep(moment_s)
    listener.kill()
    async with asyncio.timeout(PATIENCE_S):
        for station in stations:
            await station.lost.wait()


async def _to_the_end(port: int, stations: list[Station]) -> None:
    for station in stations:
        await dial(station, port)
        station.begin()
    async with asyncio.timeout(PATIENCE_S * 4):
        for station in stations:
            await station.done.wait()
    for station in stations:
        station.close()


def check_kills(folder: Path, kills: int, seed: int) -> None:
    """Kill the listener in the middle of its work again and again; then look into the store."""
    moments = random.Random(seed)
    path = folder / "day.db"

    async def whole() -> list[Station]:
        stations = [Station(number, 20_000, 8) for number in range(20)]
        for _ in range(kills):
            with Listener(path) as listener:
                await _until_killed(listener.port, stations, listener, moments.uniform(0.02, 0.25))
            seen = {(number, qn) for number, station in enumerate(stations) for qn in station.acknowledged}
            assert seen <= set(stored(path)), "acknowledged and not in the store"
        return stations

    stations = asyncio.run(whole())
    counted = Counter(stored(path))
    assert set(counted.values()) == {1}
    assert sum(len(station.acknowledged) for station in stations) > 0


def stored(path: Path) -> list[tuple[int, bytes]]:
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [(int(mn), qn.encode()) for mn, qn in db.execute("SELECT mn, qn FROM messages")]


class TestKill:
    def test_acknowledged_frames_survive(self, tmp_path: Path) -> None:
        check_kills(tmp_path, 3, seed=1)

    def test_every_frame_is_there_once_after_all_was_sent_again(self, tmp_path: Path) -> None:
        async def whole() -> None:
            stations = [Station(number, 300, 4) for number in range(5)]
            with Listener(tmp_path / "day.db") as listener:
                await _until_killed(listener.port, stations, listener, 0.1)
            with Listener(tmp_path / "day.db") as listener:
                await _to_the_end(listener.port, stations)

        asyncio.run(whole())
        expected = Counter((number, qn_of(each).encode()) for number in range(5) for each in range(300))
        assert Counter(stored(tmp_path / "day.db")) == expected

    @pytest.mark.soak
    def test_fifty_times(self, tmp_path: Path) -> None:
        check_kills(tmp_path, 50, seed=2)


def check_slow_links(folder: Path, links: int) -> None:
    """A good station is served while as many others as said hold their links open, in a process of their own."""
    options = ["--max-connections", str(links + 10), "--max-per-address", str(links + 10)]
    script = str(Path(__file__).with_name("load.py"))
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with Listener(folder / "day.db", *options) as listener:
        command = [sys.executable, script, str(listener.port), "--silent", str(links // 2), "--slow", str(links // 2)]
        crowd = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ)
        try:
            assert crowd.stdout
            assert json.loads(crowd.stdout.readline()) == {"open": links // 2 * 2}
            good = Station(1, 200, 1)
            asyncio.run(_to_the_end_of(good, listener.port))
            assert crowd.poll() is None
        finally:
            crowd.communicate(b"", timeout=PATIENCE_S)
    assert len(stored(folder / "day.db")) == 200


async def _to_the_end_of(good: Station, port: int) -> None:
    good.done = asyncio.Event()
    await _to_the_end(port, [good])


class TestCrowd:
    def test_slow_and_silent_links_do_not_stop_a_good_one(self, tmp_path: Path) -> None:
        check_slow_links(tmp_path, 300)

    @pytest.mark.soak
    def test_ten_thousand_of_them(self, tmp_path: Path) -> None:
        resource = pytest.importorskip("resource", reason="the number of descriptors is known on POSIX only")
        if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < 10_100:
            pytest.skip("this system grants a process fewer than 10,100 descriptors (ulimit -n)")
        check_slow_links(tmp_path, 10_000)


def test_a_frame_of_the_load_is_right() -> None:
    (found,) = Framer().feed(frame_of(7, 61_001))
    assert isinstance(found, Frame)
    assert found.intact
    assert build_frame(found.segment) == found.raw
