"""Links and the reference platform on the loopback interface, with limits small enough to be reached at once."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import pytest

from hj212 import HJ_212_2017, Connection, Frame, Framer, Message, Role, compose
from hj212.aio import (
    WRITE_HIGH_WATER,
    CloseReason,
    Link,
    LinkClosed,
    LinkOpened,
    LinkRefused,
    Platform,
    PlatformEvent,
    PlatformLimits,
)
from hj212.aio.platform import _Session
from hj212.connection import STALL_S
from hj212.events import FrameRejected, MessageReceived, NoiseReceived, UploadAcknowledged

pytestmark = pytest.mark.loopback

HOST = "127.0.0.1"
#: Far longer than anything here takes: a test that waits this long has failed.
PATIENCE_S = 20.0


def upload(number: int = 0, *, answer: bool = True) -> Message:
    return compose(
        HJ_212_2017, qn=f"2016080108585{number:04d}", st="32", cn="2011", pw="s3cr3t", mn="1" * 24, answer=answer,
        items=[[("DataTime", "20160801085857")]],
    )  # fmt: skip


def frame(number: int = 0) -> bytes:
    return upload(number).encode(HJ_212_2017)


class Log:
    """What a platform reported."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, PlatformEvent]] = []
        self._changed = asyncio.Event()

    def __call__(self, peer: str, event: PlatformEvent) -> None:
        self.entries.append((peer, event))
        self._changed.set()

    def of(self, kind: type[PlatformEvent]) -> list[PlatformEvent]:
        return [event for _, event in self.entries if isinstance(event, kind)]

    async def until(self, kind: type[PlatformEvent], count: int = 1) -> list[PlatformEvent]:
        while len(found := self.of(kind)) < count:
            self._changed.clear()
            await self._changed.wait()
        return found


class Client(asyncio.Protocol):
    """The other end of a link: keeps what it receives and notices that it was dropped."""

    def __init__(self) -> None:
        self.received = b""
        self.transport: asyncio.Transport
        self.gone = asyncio.Event()
        self._changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.received += data
        self._changed.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()

    async def frames(self, count: int) -> list[Frame]:
        """Wait until so many frames have come since the beginning."""
        while len(found := [item for item in Framer().feed(self.received) if isinstance(item, Frame)]) < count:
            self._changed.clear()
            await self._changed.wait()
        return found


Connect = Callable[[], Awaitable[Client]]
Scenario = Callable[[Platform, Log, Connect], Awaitable[None]]


def play(scenario: Scenario, **limits: float) -> None:
    """Run a scenario against a platform; every socket it opened is closed afterwards."""

    async def whole() -> None:
        log = Log()
        async with asyncio.timeout(PATIENCE_S), AsyncExitStack() as stack:
            platform = Platform(log, limits=PlatformLimits(**limits))  # type: ignore[arg-type]
            await platform.start(HOST, 0)

            async def connect() -> Client:
                transport, client = await asyncio.get_running_loop().create_connection(Client, HOST, platform.port)
                stack.callback(transport.abort)
                return client

            await scenario(platform, log, connect)
            await platform.stop()
            assert platform.connections == 0

    asyncio.run(whole())


class TestLink:
    def test_two_links_talk(self) -> None:
        async def talk() -> None:
            loop = asyncio.get_running_loop()
            acknowledged = loop.create_future()
            closed = loop.create_future()

            def on_change(link: Link) -> None:
                for event in station.events():
                    if isinstance(event, UploadAcknowledged):
                        acknowledged.set_result(event.upload)

            station = Connection(Role.STATION, HJ_212_2017)
            server = await loop.create_server(lambda: Link(Connection(Role.PLATFORM, HJ_212_2017)), HOST, 0)
            async with server:
                port = server.sockets[0].getsockname()[1]
                _, link = await loop.create_connection(
                    lambda: Link(station, on_change=on_change, on_close=closed.set_result), HOST, port
                )
                sent = upload()
                station.send(sent, link.now)
                link.flush()
                assert await asyncio.wait_for(acknowledged, PATIENCE_S) is sent
                link.close()
                assert await asyncio.wait_for(closed, PATIENCE_S) is link
                link.flush()

        asyncio.run(talk())

    def test_timeouts_are_served(self) -> None:
        async def wait() -> None:
            loop = asyncio.get_running_loop()
            received = loop.create_future()
            framer = Framer()
            count = 0

            class Silent(asyncio.Protocol):
                def data_received(self, data: bytes) -> None:
                    nonlocal count
                    count += len(framer.feed(data))
                    if count == 3 and not received.done():
                        received.set_result(None)

            async with await loop.create_server(Silent, HOST, 0) as server:
                station = Connection(Role.STATION, HJ_212_2017)
                station.overtime_s, station.recount = 0.01, 2
                _, link = await loop.create_connection(lambda: Link(station), HOST, server.sockets[0].getsockname()[1])
                station.send(upload(), link.now)
                link.flush()
                await asyncio.wait_for(received, PATIENCE_S)
                link.close()

        asyncio.run(wait())

    def test_peer_that_does_not_read_is_not_read_either(self) -> None:
        class Transport(asyncio.Transport):
            def __init__(self) -> None:
                super().__init__()
                self.calls: list[str] = []

            def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
                self.calls.append(f"limit {high}")

            def is_closing(self) -> bool:
                return False

            def pause_reading(self) -> None:
                self.calls.append("pause")

            def resume_reading(self) -> None:
                self.calls.append("resume")

        async def drive() -> None:
            link, transport = Link(Connection(Role.PLATFORM, HJ_212_2017)), Transport()
            link.pause_writing()
            link.connection_made(transport)
            link.pause_writing()
            link.resume_writing()
            link.connection_lost(None)
            link.resume_writing()
            assert transport.calls == [f"limit {WRITE_HIGH_WATER}", "pause", "resume"]

        asyncio.run(drive())


class TestPlatform:
    def test_answers_and_reports(self) -> None:
        async def scenario(platform: Platform, log: Log, connect: Connect) -> None:
            client = await connect()
            client.transport.write(b"hello\r\n" + frame() + frame(1)[:-6] + b"0000\r\n")
            (answer,) = await client.frames(1)
            assert Message.from_bytes(answer.segment).cn == "9014"
            await log.until(FrameRejected)
            client.transport.close()
            await log.until(LinkClosed)
            assert [type(event) for _, event in log.entries] == [
                *(LinkOpened, NoiseReceived, MessageReceived, FrameRejected, LinkClosed)
            ]
            assert {re.sub(r"\d+$", "", peer) for peer, _ in log.entries} == {"127.0.0.1:"}
            assert log.of(LinkClosed) == [LinkClosed(CloseReason.PEER)]

        play(scenario)

    def test_connections_beyond_the_limit_are_refused(self) -> None:
        async def scenario(platform: Platform, log: Log, connect: Connect) -> None:
            accepted = [await connect() for _ in range(5)]
            await log.until(LinkOpened, 5)
            for number in range(1, 1001):
                refused = await connect()
                await refused.gone.wait()
                await log.until(LinkRefused, number)
            assert set(log.of(LinkRefused)) == {LinkRefused(CloseReason.CONNECTIONS)}
            assert platform.connections == 5
            # Those accepted are still served, and a place given up is free again.
            accepted[0].transport.write(frame())
            await accepted[0].frames(1)
            accepted[1].transport.close()
            await log.until(LinkClosed)
            await connect()
            await log.until(LinkOpened, 6)

        play(scenario, connections=5)

    def test_connections_from_one_address_beyond_the_limit_are_refused(self) -> None:
        async def scenario(platform: Platform, log: Log, connect: Connect) -> None:
            for _ in range(3):
                await connect()
            assert await log.until(LinkRefused) == [LinkRefused(CloseReason.ADDRESS)]
            assert platform.connections == 2

        play(scenario, per_address=2)

    def test_silent_peer_is_dropped(self) -> None:
        async def scenario(platform: Platform, log: Log, connect: Connect) -> None:
            client = await connect()
            await client.gone.wait()
            assert await log.until(LinkClosed) == [LinkClosed(CloseReason.IDLE)]

        play(scenario, idle_s=0.05)

    def test_peer_that_does_not_finish_a_frame_is_dropped(self) -> None:
        async def scenario(platform: Platform, log: Log, connect: Connect) -> None:
            client = await connect()
            client.transport.write(frame()[:50])
            await client.gone.wait()
            assert await log.until(LinkClosed) == [LinkClosed(CloseReason.IDLE)]

        play(scenario, idle_s=0.05)

    def test_noise_without_end_is_not_listened_to(self) -> None:
        async def scenario(platform: Platform, log: Log, connect: Connect) -> None:
            client = await connect()
            for count in range(1, 21):  # the frames between keep it within the limit
                client.transport.write(b"x" * 900 + b"\n" + frame())
                await client.frames(count)
            assert platform.connections == 1
            client.transport.write(b"x" * 3000)
            await client.gone.wait()
            assert await log.until(LinkClosed) == [LinkClosed(CloseReason.NOISE)]

        play(scenario, noise_bytes=1500)

    def test_peer_that_does_not_read_is_dropped_at_the_end(self) -> None:
        async def scenario(platform: Platform, log: Log, connect: Connect) -> None:
            client = await connect()
            client.transport.pause_reading()
            client.transport.write(b"".join(map(frame, range(500))))
            await log.until(MessageReceived, 500)
            await platform.stop(grace_s=0.05)
            assert await log.until(LinkClosed) == [LinkClosed(CloseReason.SHUTDOWN)]

        play(scenario)

    def test_stop_lets_the_last_answer_out(self) -> None:
        async def scenario(platform: Platform, log: Log, connect: Connect) -> None:
            client = await connect()
            client.transport.write(frame())
            await log.until(MessageReceived)
            await platform.stop()
            await client.gone.wait()
            assert len(await client.frames(1)) == 1
            assert log.of(LinkClosed) == [LinkClosed(CloseReason.SHUTDOWN)]

        play(scenario)

    def test_port_in_use_is_an_error_of_the_system(self) -> None:
        async def scenario(platform: Platform, log: Log, connect: Connect) -> None:
            async with Platform(log) as second:
                with pytest.raises(OSError, match=r"[Aa]ddress|socket"):
                    await second.start(HOST, platform.port)

        play(scenario)


def test_silence_is_measured_from_the_last_byte() -> None:
    """In virtual time: each message begins the silence anew, and the alarm is not moved by every one of them."""
    session = _Session(Connection(Role.PLATFORM, HJ_212_2017), PlatformLimits(idle_s=100.0), now=0.0)
    assert session.next_timeout() == 100.0
    session.receive_data(frame(), 60.0)
    assert session.next_timeout() == 100.0
    session.handle_timeout(100.0)
    assert session.next_timeout() == 160.0
    session.receive_data(frame()[:50], 150.0)
    assert session.next_timeout() == 160.0
    session.handle_timeout(160.0)
    assert session.next_timeout() == 150.0 + STALL_S
