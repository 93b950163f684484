"""A station on a network: dialling and being dialled, a platform that comes and goes; in virtual time unless named."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

import pytest

from hj212 import HJ_212_2017, HJ_212_2025, Rules
from hj212.aio import (
    DialFailed,
    Dialled,
    Dialler,
    Dropped,
    Link,
    MessageKept,
    MessageStore,
    Pauses,
    Platform,
    PlatformEvent,
    SqliteOutbox,
    StationClient,
    StationClientEvent,
)
from hj212.events import MessageReceived
from hj212.host import Credential, Host, HostEvent, Outcome, RequestFinished
from hj212.station import Gateway, Identity, LinkUnusable, Outbox, Settings, SettingsChanged, Station, UploadDelivered
from simulator.clock import EPOCH, run_virtual
from simulator.transport import MemoryNetwork

from .back_to_back import MN, PW, live, minute

PORT = 9000
HOST = "10.0.0.1"  # of the memory network; nothing leaves the process

T = TypeVar("T")


def wall() -> float:
    return EPOCH + asyncio.get_running_loop().time()


def make_station(
    rules: Rules = HJ_212_2017, *, mn: str = MN, outbox: Outbox | None = None, settings: Settings | None = None
) -> Station:
    return Station(Identity("32"), rules, settings or Settings(mn=mn, pw=PW), wall=wall, outbox=outbox)


class Log:
    def __init__(self) -> None:
        self.entries: list[tuple[Station | None, StationClientEvent]] = []

    def __call__(self, station: Station | None, event: StationClientEvent) -> None:
        self.entries.append((station, event))

    def of(self, kind: type[T]) -> list[T]:
        return [event for _, event in self.entries if isinstance(event, kind)]


class Received:
    """What a platform was sent."""

    def __init__(self) -> None:
        self.messages: list[Any] = []

    def __call__(self, peer: str, event: PlatformEvent) -> None:
        if isinstance(event, MessageReceived):
            self.messages.append(event.message)

    @property
    def times(self) -> list[str | None]:
        return [message.parameter("DataTime") for message in self.messages]


async def open_platform(received: Callable[[str, PlatformEvent], None]) -> Platform:
    platform = Platform(received, listener=asyncio.get_running_loop().create_server)
    await platform.start(HOST, PORT)
    return platform


async def end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


def virtual(main: Callable[[], Awaitable[None]]) -> None:
    async def whole() -> None:
        await main()

    run_virtual(whole, MemoryNetwork())


class TestDial:
    def test_reports_survive_a_platform_that_comes_and_goes(self) -> None:
        async def main() -> None:
            log, received = Log(), Received()
            client = StationClient(make_station(), log, pauses=Pauses(first_s=1.0, most_s=30.0), chance=lambda: 0.0)
            task = asyncio.create_task(client.dial(HOST, PORT))
            reported = []
            for number in range(60):
                if number in (10, 40):
                    platform = await open_platform(received)
                if number in (20, 50):
                    await platform.stop()
                reported.append(f"202509151{number // 60}{number % 60:02}00")
                client.report("2051", minute(reported[-1]))
                await asyncio.sleep(60)
            platform = await open_platform(received)
            await asyncio.sleep(120)
            assert sorted(set(received.times)) == reported
            assert len(log.of(UploadDelivered)) == len(reported)
            await end(task)
            await platform.stop()

        virtual(main)

    def test_pauses_grow_and_begin_anew_after_a_good_link(self) -> None:
        async def main() -> None:
            log, received = Log(), Received()
            pauses = Pauses(first_s=1.0, factor=2.0, most_s=8.0, spread=0.5, good_s=30.0)
            client = StationClient(make_station(), log, pauses=pauses, chance=lambda: 0.5)
            task = asyncio.create_task(client.dial(HOST, PORT))
            await asyncio.sleep(60)
            failed = [event.pause_s for event in log.of(DialFailed)]
            assert failed[:5] == [1.25, 2.5, 5.0, 10.0, 10.0]
            assert "nobody listens" in log.of(DialFailed)[0].reason
            platform = await open_platform(received)
            await asyncio.sleep(60)
            assert log.of(Dialled) == [Dialled()]
            await platform.stop()
            await asyncio.sleep(0.1)
            assert log.of(Dropped) == [Dropped(1.25)]
            await end(task)

        virtual(main)

    def test_a_link_on_which_nobody_answers_is_dialled_anew(self) -> None:
        class Deaf(asyncio.Protocol):
            """Reads and says nothing."""

        async def main() -> None:
            log = Log()
            server = await asyncio.get_running_loop().create_server(Deaf, HOST, PORT)
            client = StationClient(make_station(), log, chance=lambda: 0.0)
            task = asyncio.create_task(client.dial(HOST, PORT))
            await asyncio.sleep(1)
            client.report("2011", live())
            await asyncio.sleep(120)
            assert log.of(LinkUnusable)
            assert len(log.of(Dialled)) > 1
            server.close()
            received = Received()
            platform = await open_platform(received)
            await asyncio.sleep(300)
            assert received.times == ["20250915100000"]
            await end(task)
            await platform.stop()

        virtual(main)

    def test_two_stations_on_one_link(self) -> None:
        async def main() -> None:
            log, received = Log(), Received()
            water, smoke = make_station(), make_station(mn="010000A8900016F000169DC1")
            client = StationClient(Gateway([water, smoke]), log)
            task = asyncio.create_task(client.dial(HOST, PORT))
            platform = await open_platform(received)
            await asyncio.sleep(5)
            client.report("2011", live(), station=smoke)
            client.report("2011", live())
            await asyncio.sleep(1)
            assert [message.mn for message in received.messages] == [smoke.settings.mn, MN]
            assert [station for station, event in log.entries if isinstance(event, UploadDelivered)] == [smoke, water]
            assert platform.connections == 1
            await end(task)
            await platform.stop()

        virtual(main)

    def test_pauses_stay_in_their_limits_for_ever(self) -> None:
        pauses = Pauses(first_s=0.5, factor=3.0, most_s=60.0, spread=0.5)
        found = [pauses.after(failures, 1.0) for failures in (1, 2, 3, 50, 10**6)]
        assert found == [0.75, 2.25, 6.75, 90.0, 90.0]
        assert all(before <= after for before, after in pairwise(found))


class Dialling:
    """A platform that dials its station."""

    def __init__(self, rules: Rules = HJ_212_2017) -> None:
        self.hosts: list[Host] = []
        self.events: list[HostEvent] = []
        self._rules = rules
        self.dialler = Dialler(
            self._host, HOST, PORT, on_change=self._changed, on_open=self._opened, chance=lambda: 0.0
        )  # fmt: skip
        self.task = asyncio.create_task(self.dialler.run())

    def _host(self) -> Host:
        self.hosts.append(Host(self._rules, credentials=lambda mn: Credential(PW, "32"), wall=wall))
        return self.hosts[-1]

    def _opened(self, link: Link) -> None:
        self.hosts[-1].expect(MN, link.now)

    def _changed(self, link: Link) -> None:
        assert isinstance(link.core, Host)
        self.events += link.core.events()

    def ask(self, cn: str, *parameters: tuple[str, str]) -> None:
        assert self.dialler.link
        self.hosts[-1].ask(MN, cn, self.dialler.link.now, parameters)
        self.dialler.link.flush()

    def finished(self) -> list[RequestFinished]:
        return [event for event in self.events if isinstance(event, RequestFinished)]


class TestReverse:
    def test_the_platform_dials_and_asks(self) -> None:
        async def main() -> None:
            log = Log()
            client = StationClient(make_station(), log, listener=asyncio.get_running_loop().create_server)
            ports: list[int] = []
            task = asyncio.create_task(client.wait_for_platform(HOST, PORT, ready=ports.append))
            platform = Dialling()
            await asyncio.sleep(2)
            assert (ports, client.linked) == ([PORT], True)
            platform.ask("1062", ("RtdInterval", "60"))
            await asyncio.sleep(1)
            assert [each.outcome for each in platform.finished()] == [Outcome.DONE]
            (changed,) = log.of(SettingsChanged)
            assert changed.settings.rtd_interval_s == 60
            await end(platform.task)
            await asyncio.sleep(1)
            assert not client.linked
            await end(task)

        virtual(main)

    def test_two_links_at_once_the_later_counts(self) -> None:
        async def main() -> None:
            log = Log()
            client = StationClient(make_station(), log, listener=asyncio.get_running_loop().create_server)
            task = asyncio.create_task(client.wait_for_platform(HOST, PORT))
            await asyncio.sleep(0)
            loop = asyncio.get_running_loop()
            hosts = [Host(HJ_212_2017, credentials=lambda mn: Credential(PW, "32"), wall=wall) for _ in range(2)]
            links = []
            for host in hosts:
                _, link = await loop.create_connection(lambda host=host: Link(host), HOST, PORT)  # type: ignore[misc]
                links.append(link)
                await asyncio.sleep(1)
            assert links[0].transport is None
            client.report("2011", live())
            await asyncio.sleep(1)
            assert len(log.of(UploadDelivered)) == 1
            assert client.linked
            assert len(log.of(Dropped)) == 1
            links[1].close()
            await asyncio.sleep(1)
            assert not client.linked
            await end(task)

        virtual(main)


class TestRestart:
    def test_password_and_reports_outlive_the_process(self, tmp_path: Path) -> None:
        """The station stops between two lives; what its platform set and what it had to send is still there."""
        path = tmp_path / "outbox.db"

        async def first() -> None:
            with closing(SqliteOutbox(path)) as outbox:
                station = make_station(outbox=outbox)

                def keep(_: Station | None, event: StationClientEvent) -> None:
                    if isinstance(event, SettingsChanged):
                        outbox.save_settings(event.settings)

                client = StationClient(station, keep, listener=asyncio.get_running_loop().create_server)
                task = asyncio.create_task(client.wait_for_platform(HOST, PORT))
                platform = Dialling()
                await asyncio.sleep(2)
                platform.ask("1072", ("NewPW", "654321"))
                await asyncio.sleep(1)
                assert [each.outcome for each in platform.finished()] == [Outcome.DONE]
                await end(platform.task)
                await end(task)
                client.report("2051", minute("20250915100000"))

        async def second() -> None:
            with closing(SqliteOutbox(path)) as outbox:
                settings = outbox.load_settings(Settings(mn=MN, pw=PW))
                assert settings.pw == "654321"
                received = Received()
                platform = await open_platform(received)
                client = StationClient(make_station(outbox=outbox, settings=settings), Log())
                task = asyncio.create_task(client.dial(HOST, PORT))
                await asyncio.sleep(30)
                assert [(m.pw, m.parameter("DataTime")) for m in received.messages] == [("654321", "20250915100000")]
                assert len(outbox) == 0
                await end(task)
                await platform.stop()

        virtual(first)
        virtual(second)


@pytest.mark.loopback
def test_from_the_outbox_of_a_station_into_the_store_of_a_platform(tmp_path: Path) -> None:
    """Real sockets, real files, real time: what was reported before there was a platform ends up in its store."""

    async def main(store: MessageStore, outbox: SqliteOutbox) -> None:
        kept = asyncio.Semaphore(0)

        def on_event(peer: str, event: PlatformEvent) -> None:
            if isinstance(event, MessageKept):
                kept.release()

        async with asyncio.timeout(30), Platform(on_event, store=store) as platform:
            await platform.start("127.0.0.1", 0)
            loop = asyncio.get_running_loop()
            station = Station(
                Identity("32"), HJ_212_2025, Settings(mn=MN, pw=PW), outbox=outbox, wall=lambda: EPOCH + loop.time()
            )
            client = StationClient(station, Log())
            for number in range(5):
                client.report("2051", minute(f"2025091510{number:02}00"))
            task = asyncio.create_task(client.dial("127.0.0.1", platform.port))
            for _ in range(5):
                await kept.acquire()
            while len(outbox):
                await asyncio.sleep(0.01)
            await end(task)

    with closing(MessageStore(tmp_path / "day.db")) as store, closing(SqliteOutbox(tmp_path / "outbox.db")) as outbox:
        asyncio.run(main(store, outbox))
        found = [(kept.message.parameter("DataTime"), kept.message.back_filled) for kept in store.read()]
    assert found == [(f"2025091510{number:02}00", True) for number in range(5)]


def test_settings_have_no_secret_in_their_repr() -> None:
    assert PW not in repr(replace(Settings(mn=MN, pw=PW), rtd_interval_s=60))
