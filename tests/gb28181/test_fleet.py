"""Fleets of devices on sockets of this machine, and what networks do to those sockets."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from gb28181 import GBT_28181_2022, LocalProtocolError
from gb28181.aio import DeviceClient, DeviceFleet, PlatformServer
from gb28181.aio.datagrams import Datagrams, open_socket
from gb28181.aio.transport import Transport
from gb28181.device import Account, PlatformLost, Quirks, Registered, Unregistered
from gb28181.manscdp import controls, queries
from gb28181.platform import (
    Credential,
    DeviceMoved,
    DeviceOffline,
    DeviceRegistered,
    DeviceUnregistered,
    KeepaliveReceived,
    QuestionDone,
)
from gb28181.sip import Address, Endpoint, Response, Uri, parse_message
from gb28181.sip.framing import StreamFramer

from .examples import DEVICE, PASSWORD, PLATFORM
from .test_device import equipment

PATIENCE_S = 20.0


def code_of(number: int) -> str:
    return f"3402000000132{number:07d}"


def channel_of(number: int) -> str:
    return f"3402000000131{number:07d}"


class Town:
    """A platform, and a fleet of cameras with a channel each."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.told: list[tuple[str, Any]] = []
        self.server = PlatformServer(PLATFORM, lambda code: Credential(PASSWORD), self.seen.append)
        self.fleet = DeviceFleet(lambda device, event: self.told.append((device.equipment.id, event)))

    async def open(self) -> tuple[str, int]:
        await self.server.start("127.0.0.1", 0)
        return ("127.0.0.1", self.server.port)

    def add(self, number: int, quirks: Quirks | None = None, keepalive_s: float = 60.0) -> Any:
        built = equipment(1)
        (channel,) = (one for one in built.channels.values() if one.type == "131")
        channel.item = type(channel.item)(device_id=channel_of(number), name=f"camera {number}", status="ON")
        built.id, built.channels = code_of(number), {channel.id: channel}
        account = Account(device_id=built.id, server_id=PLATFORM, password=PASSWORD, keepalive_s=keepalive_s)
        return self.fleet.add(account, GBT_28181_2022, built, quirks=quirks)

    async def until(self, true: Callable[[], Any]) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            while not (found := true()):
                await asyncio.sleep(0.005)
        return found

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.seen if isinstance(event, kind)]

    def told_of(self, kind: type) -> list[str]:
        return [code for code, event in self.told if isinstance(event, kind)]

    async def ask(self, device: str, body: Any) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            return await self.server.ask(device, body)

    async def close(self) -> None:
        await self.fleet.stop()
        await self.server.stop()


def play(scene: Callable[[Town], Coroutine[Any, Any, None]], loop: Callable[[], Any] | None = None) -> None:
    async def run() -> None:
        town = Town()
        try:
            await scene(town)
        finally:
            await town.close()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(run())


class Unwatched(asyncio.SelectorEventLoop):
    """A loop that cannot watch sockets, as that of Windows."""

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        raise NotImplementedError


LOOPS = pytest.mark.parametrize("loop", [None, Unwatched], ids=["watched", "unwatched"])


@LOOPS
def test_many_devices_share_a_socket_and_each_answers_for_itself(loop: Any) -> None:
    async def scene(town: Town) -> None:
        platform = await town.open()
        shared = await town.fleet.bind("127.0.0.1")
        for number in range(40):
            town.fleet.start(town.add(number), platform, shared, after_s=number % 4 * 0.02)
        await town.until(lambda: len(town.of(KeepaliveReceived)) == 40)
        assert {event.flow.peer for event in town.of(DeviceRegistered)} == {shared}
        asked = await asyncio.gather(
            *(town.ask(code_of(number), queries.CatalogQuery(device_id=code_of(number))) for number in range(40))
        )
        assert [[item.device_id for item in each.collected.items] for each in asked] == [
            [channel_of(number)] for number in range(40)
        ]
        # By the code of a channel too, which stands in Request-URI and To.
        status = await town.ask(code_of(7), queries.PresetQuery(device_id=channel_of(7)))
        assert (status.why, status.answer.device_id) == (None, channel_of(7))
        await town.fleet.stop()
        assert sorted(town.told_of(Unregistered)) == [code_of(number) for number in range(40)]
        await town.until(lambda: len(town.of(DeviceUnregistered)) == 40)

    play(scene, loop)


def test_each_device_may_have_a_port_or_an_address_of_its_own() -> None:
    async def scene(town: Town) -> None:
        platform = await town.open()
        places = []
        for number in range(6):
            places.append(await town.fleet.bind(f"127.0.0.{1 + number // 3}", own=True))
            town.fleet.start(town.add(number), platform, places[-1])
        await town.until(lambda: len(town.of(DeviceRegistered)) == 6)
        seen = {event.device_id: event.flow.peer for event in town.of(DeviceRegistered)}
        assert seen == {code_of(number): place for number, place in enumerate(places)}
        question = await town.ask(code_of(5), queries.InfoQuery(device_id=code_of(5)))
        assert question.answer.result == "OK"

    try:
        socket.create_server(("127.0.0.2", 0)).close()
    except OSError:
        pytest.skip("needs 127.0.0.2: this system has one loopback address only")
    play(scene)


def test_devices_have_connections_of_their_own_and_come_back_over_new_ones() -> None:
    async def scene(town: Town) -> None:
        platform = await town.open()
        devices = [town.add(number) for number in range(3)]
        for device in devices:
            await town.fleet.connect(device, *platform)
        await town.until(lambda: len(town.of(DeviceRegistered)) == 3)
        flows = {event.device_id: event.flow for event in town.of(DeviceRegistered)}
        assert {flow.transport for flow in flows.values()} == {"TCP"}
        await town.server.stop()
        await town.until(lambda: len(town.told_of(PlatformLost)) == 3)
        await town.server.start("127.0.0.1", 0)
        await town.fleet.connect(devices[1], "127.0.0.1", town.server.port)
        await town.until(lambda: len(town.of(DeviceRegistered)) == 4)
        assert town.of(DeviceRegistered)[-1].device_id == code_of(1)

    play(scene)


def test_what_cannot_share_a_way_is_told() -> None:
    async def scene(town: Town) -> None:
        platform = await town.open()
        shared = await town.fleet.bind("127.0.0.1")
        town.fleet.start(town.add(1), platform, shared)
        with pytest.raises(LocalProtocolError, match=f"{code_of(1)}: expected codes of its own"):
            town.fleet.start(town.add(1), platform, shared)
        with pytest.raises(LocalProtocolError, match="nat_port_drift: expected a socket of its own"):
            town.fleet.start(town.add(2, Quirks(nat_port_drift=1)), platform, shared)
        with pytest.raises(LocalProtocolError, match="that of the fleet"):
            town.fleet.add(
                Account(device_id=DEVICE, server_id=PLATFORM, user_agent="Other"), GBT_28181_2022, equipment(1)
            )

    play(scene)


def test_a_request_for_nobody_on_the_socket_is_refused() -> None:
    async def scene(town: Town) -> None:
        platform = await town.open()
        shared = await town.fleet.bind("127.0.0.1")
        for number in (1, 2):
            town.fleet.start(town.add(number), platform, shared)
        await town.until(lambda: len(town.of(DeviceRegistered)) == 2)
        lost = (
            f"MESSAGE sip:{code_of(3)}@3402000000 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1;rport;branch=z9hG4bKlost\r\n"
            f"From: <sip:{PLATFORM}@3402000000>;tag=1\r\nTo: <sip:{code_of(3)}@3402000000>\r\n"
            "Call-ID: lost\r\nCSeq: 1 MESSAGE\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.setblocking(False)
            stranger.bind(("127.0.0.1", 0))
            stranger.sendto(lost.encode(), shared)
            async with asyncio.timeout(PATIENCE_S):
                answer = parse_message(await loop.sock_recv(stranger, 65_535))
        assert isinstance(answer, Response)
        assert answer.status == 404

    play(scene)


@LOOPS
def test_a_platform_follows_a_device_whose_port_drifts(loop: Any) -> None:
    async def scene(town: Town) -> None:
        platform = await town.open()
        device = town.add(1, Quirks.named(["nat_port_drift=2"]), keepalive_s=0.2)
        own = await town.fleet.bind("127.0.0.1", own=True)
        town.fleet.start(device, platform, own)
        await town.until(lambda: len(town.of(DeviceMoved)) >= 2)
        first, second = (event.flow.peer for event in town.of(DeviceMoved)[:2])
        assert len({own, first, second}) == 3
        assert device.registration.route.flow.local == own  # it knows nothing of it
        question = await town.ask(code_of(1), queries.InfoQuery(device_id=code_of(1)))
        assert (question.why, question.answer.result) == (None, "OK")
        assert not town.of(DeviceOffline)

    play(scene, loop)


def test_the_port_of_a_single_device_drifts_too() -> None:
    async def scene(town: Town) -> None:
        platform = await town.open()
        account = Account(device_id=DEVICE, server_id=PLATFORM, password=PASSWORD, keepalive_s=0.2)
        client = DeviceClient(account, GBT_28181_2022, equipment(1), quirks=Quirks(nat_port_drift=1))
        await client.start(*platform, local="127.0.0.1")
        await town.until(lambda: town.of(DeviceMoved))
        assert (await town.ask(DEVICE, queries.InfoQuery(device_id=DEVICE))).why is None
        await client.stop()
        await town.until(lambda: town.of(DeviceUnregistered))

    play(scene)


def test_a_message_in_pieces_arrives_in_two() -> None:
    async def run() -> None:
        pieces: list[bytes] = []
        listens, whole = asyncio.Event(), asyncio.Event()

        class Listening(asyncio.Protocol):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                listens.set()

            def data_received(self, data: bytes) -> None:
                pieces.append(data)
                if b"".join(pieces).endswith(b"the end"):
                    whole.set()

        listening = await asyncio.get_running_loop().create_server(Listening, "127.0.0.1", 0)
        endpoint = Endpoint(random.Random(1))
        transport = Transport(endpoint, lambda now: None)
        async with asyncio.timeout(PATIENCE_S):
            flow = await transport.connect(*listening.sockets[0].getsockname())
            await listens.wait()
            transport.write_in_pieces(flow, random.Random(5))
            ends = Address(Uri(DEVICE, "3402000000"))
            for body in (b"first", b"the end"):
                request = endpoint.compose("MESSAGE", ends.uri, from_=ends, to=ends, flow=flow, body=body)
                endpoint.request(request, flow, transport.now)
            transport.wake()
            await whole.wait()
        assert len(pieces) == 4
        framer = StreamFramer()
        found = [message for piece in pieces for message in framer.feed(piece)]
        assert [parse_message(each).body for each in found if isinstance(each, bytes)] == [b"first", b"the end"]
        await transport.close()
        listening.close()

    asyncio.run(run())


def test_messages_in_pieces_are_put_together() -> None:
    async def scene(town: Town) -> None:
        quirks = Quirks.named(["tcp_partial_write"])
        platform = await town.open()
        account = Account(device_id=DEVICE, server_id=PLATFORM, password=PASSWORD)
        client = DeviceClient(account, GBT_28181_2022, equipment(1), quirks=quirks, chance=random.Random(5))
        await client.start(*platform, tcp=True)
        await town.until(lambda: town.of(KeepaliveReceived))
        await client.stop()
        await town.until(lambda: town.of(DeviceUnregistered))
        town.seen.clear()
        for number in range(5):
            await town.fleet.connect(town.add(number, quirks), *platform)
        await town.until(lambda: len(town.of(KeepaliveReceived)) == 5)
        questions = [town.ask(code_of(number), queries.CatalogQuery(device_id=code_of(number))) for number in range(5)]
        assert [each.collected.complete for each in await asyncio.gather(*questions)] == [True] * 5
        guard = await town.ask(code_of(3), controls.GuardControl(device_id=code_of(3), command="SetGuard"))
        assert guard.answer.result == "OK"
        assert len(town.of(QuestionDone)) == 6
        assert len(town.told_of(Registered)) == 5

    play(scene)


class Full(socket.socket):
    """A socket whose system takes nothing for a while."""

    full = True

    def sendto(self, *arguments: Any) -> int:
        if self.full:
            raise BlockingIOError
        return super().sendto(*arguments)


def test_what_the_system_does_not_take_waits_or_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        heard: list[bytes] = []
        loop = asyncio.get_running_loop()
        there = Datagrams(loop, open_socket("127.0.0.1", 0), lambda data, peer: heard.append(data), lambda: None)
        assert there.watch()
        sock = Full(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind(("127.0.0.1", 0))
        here = Datagrams(loop, sock, lambda data, peer: None, lambda: None)
        monkeypatch.setattr("gb28181.aio.datagrams.MAX_WAITING", 3)
        for number in range(5):
            here.send(b"%d" % number, there.local)
        assert (heard, here.dropped) == ([], 2)
        sock.full = False
        async with asyncio.timeout(PATIENCE_S):
            while len(heard) < 3:
                await asyncio.sleep(0.005)
        here.send(b"5", there.local)
        here.send(bytes(70_000), there.local)  # longer than any datagram
        async with asyncio.timeout(PATIENCE_S):
            while len(heard) < 4:
                await asyncio.sleep(0.005)
        assert (heard, here.dropped) == ([b"0", b"1", b"2", b"5"], 3)
        for each in (here, there):
            each.close()
            each.close()

    asyncio.run(run())
