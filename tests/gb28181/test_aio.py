"""Devices and platform on real sockets of this machine, over UDP and TCP."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from gb28181 import GBT_28181_2016, GBT_28181_2022, RemoteProtocolError, Rules
from gb28181.aio import DeviceClient, PlatformServer, register, serve
from gb28181.device import Account, Registered, RegistrationFailed
from gb28181.manscdp import controls, queries
from gb28181.platform import (
    Credential,
    DeviceOffline,
    DeviceRegistered,
    DeviceUnregistered,
    KeepaliveReceived,
    NoticeReceived,
    OfflineReason,
    Policy,
    QuestionDone,
    SenderRefused,
    Why,
)

from .examples import DEVICE, PASSWORD, PLATFORM
from .test_device import ALARM_INPUT, equipment

PATIENCE_S = 10.0


class Both:
    """A platform and a device on loopback."""

    def __init__(self, rules: Rules = GBT_28181_2022, password: str = PASSWORD) -> None:
        self.seen: list[Any] = []
        self.told: list[Any] = []
        self.server = PlatformServer(PLATFORM, {DEVICE: Credential(PASSWORD)}.get, self.seen.append, policy=Policy())
        self.equipment = equipment(3)
        account = Account(device_id=DEVICE, server_id=PLATFORM, password=password)
        self.client = DeviceClient(account, rules, self.equipment, self.told.append)

    async def start(self, tcp: bool) -> None:
        await self.server.start("127.0.0.1", 0)
        await self.client.start("127.0.0.1", self.server.port, tcp=tcp, local="127.0.0.1")

    async def until(self, where: list[Any], fits: Callable[[Any], bool]) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for event in where:
                    if fits(event):
                        return event
                await asyncio.sleep(0.005)

    async def of(self, kind: type, where: list[Any] | None = None) -> Any:
        return await self.until(self.seen if where is None else where, lambda event: isinstance(event, kind))

    async def ask(self, body: Any) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            return await self.server.ask(DEVICE, body)

    async def stop(self) -> None:
        await self.client.stop()
        await self.server.stop()


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("rules", [GBT_28181_2016, GBT_28181_2022], ids=lambda rules: rules.edition.value)
def test_a_device_registers_is_asked_alarms_and_leaves(rules: Rules, tcp: bool) -> None:
    async def run() -> None:
        both = Both(rules)
        await both.start(tcp)
        registered = await both.of(DeviceRegistered)
        assert (registered.device_id, registered.flow.transport) == (DEVICE, "TCP" if tcp else "UDP")
        await both.of(KeepaliveReceived)
        catalog = await both.ask(queries.CatalogQuery(device_id=DEVICE))
        assert catalog.why is None
        assert catalog.collected.complete
        assert [item.device_id for item in catalog.collected.items] == list(both.equipment.channels)
        info = await both.ask(queries.InfoQuery(device_id=DEVICE))
        assert info.answer.name == "一号排口"
        guard = await both.ask(controls.GuardControl(device_id=DEVICE, command="SetGuard"))
        assert guard.answer.result == "OK"
        ptz = await both.ask(controls.PtzControl(device_id=DEVICE, command="A50F0100000000B5"))
        assert (ptz.why, ptz.answer) == (None, None)
        assert both.client.transport is not None
        both.client.device.raise_alarm(ALARM_INPUT, both.client.transport.now, description="门开")
        both.client.transport.wake()
        notice = await both.of(NoticeReceived)
        assert (notice.device_id, notice.body.description) == (DEVICE, "门开")
        await both.client.stop()
        await both.of(DeviceUnregistered)
        await both.server.stop()

    asyncio.run(run())


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have only 127.0.0.1 unless told")
@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_each_device_may_have_an_address_of_its_own(tcp: bool) -> None:
    async def run() -> None:
        both = Both()
        await both.server.start("127.0.0.1", 0)
        await both.client.start("127.0.0.1", both.server.port, tcp=tcp, local="127.0.0.2")
        registered = await both.of(DeviceRegistered)
        assert registered.flow.peer[0] == "127.0.0.2"
        contact = both.server.platform.device(DEVICE).contact
        assert contact is not None
        assert contact.uri.host == "127.0.0.2"
        await both.stop()

    asyncio.run(run())


def test_a_wrong_password_is_refused_on_both_sides() -> None:
    async def run() -> None:
        both = Both(password="wrong")
        await both.start(tcp=False)
        refused = await both.of(SenderRefused)
        assert (refused.device_id, refused.status) == (DEVICE, 401)
        await both.of(RegistrationFailed, both.told)
        await both.stop()

    asyncio.run(run())


def test_a_connection_that_ends_takes_the_device_offline_and_its_questions_with_it() -> None:
    async def run() -> None:
        both = Both()
        await both.start(tcp=True)
        await both.of(Registered, both.told)
        assert both.server.transport is not None
        both.client.device.quirks = type(both.client.device.quirks)(answer_200_no_response=True)
        question = both.server.platform.ask(DEVICE, queries.InfoQuery(device_id=DEVICE), both.server.transport.now)
        both.server.transport.wake()
        await asyncio.sleep(0.05)
        assert both.client.transport is not None
        await both.client.transport.close()
        offline = await both.of(DeviceOffline)
        assert offline.reason is OfflineReason.TRANSPORT
        await both.of(QuestionDone)
        assert question.why is Why.GONE
        await both.server.stop()

    asyncio.run(run())


def test_a_port_that_is_taken_is_told() -> None:
    async def run() -> None:
        both = Both()
        await both.server.start("127.0.0.1", 0)
        other = PlatformServer(PLATFORM, {}.get, both.seen.append)
        with pytest.raises(OSError, match="in use"):
            await other.start("127.0.0.1", both.server.port)
        await both.server.stop()

    asyncio.run(run())


def test_garbage_and_a_peer_that_hangs_up_leave_the_platform_serving() -> None:
    async def run() -> None:
        both = Both()
        await both.server.start("127.0.0.1", 0)
        for data in (b"GET / HTTP/1.1\r\n\r\n", b"\x00" * 5000, b"REGISTER sip:x SIP/2.0\r\n"):
            _, writer = await asyncio.open_connection("127.0.0.1", both.server.port)
            writer.write(data)
            await asyncio.sleep(0.02)
            writer.transport.abort()
        await both.client.start("127.0.0.1", both.server.port, local="127.0.0.1")
        await both.of(DeviceRegistered)
        await both.stop()

    asyncio.run(run())


@pytest.mark.parametrize("tcp", [False, True], ids=["udp", "tcp"])
def test_a_block_runs_a_platform_and_another_a_device(tcp: bool) -> None:
    seen: list[Any] = []

    async def run() -> None:
        async with (
            asyncio.timeout(PATIENCE_S),
            serve(PLATFORM, PASSWORD, told=seen.append) as platform,
            register(DEVICE, PLATFORM, PASSWORD, port=platform.port, tcp=tcp) as device,
        ):
            assert device.registered is not None
            assert (device.registered.expires_s, device.registered.refresh) == (86400, False)
            assert (await platform.ask(DEVICE, queries.StatusQuery(device_id=DEVICE))).why is None

    asyncio.run(run())
    assert [type(each) for each in seen if isinstance(each, DeviceRegistered | DeviceUnregistered)] == [
        DeviceRegistered,
        DeviceUnregistered,
    ]


def test_a_block_without_a_password() -> None:
    async def run() -> None:
        async with (
            asyncio.timeout(PATIENCE_S),
            serve(PLATFORM) as platform,
            register(DEVICE, PLATFORM, port=platform.port, rules=GBT_28181_2016) as device,
        ):
            assert device.device.registration.registered

    asyncio.run(run())


def test_a_block_of_a_device_that_is_refused_does_not_begin() -> None:
    async def run() -> None:
        async with asyncio.timeout(PATIENCE_S), serve(PLATFORM, PASSWORD) as platform:
            with pytest.raises(RemoteProtocolError, match=r"REGISTER: expected 200, found 40[13]") as raised:
                async with register(DEVICE, PLATFORM, "wrong", port=platform.port, local="127.0.0.1"):
                    pytest.fail("it is not registered")
            assert raised.value.status in (401, 403)

    asyncio.run(run())


def test_a_block_of_a_device_whose_platform_takes_no_connection() -> None:
    async def run() -> None:
        async with serve(PLATFORM, PASSWORD) as platform:
            port = platform.port
        with pytest.raises(ConnectionRefusedError):
            async with register(DEVICE, PLATFORM, PASSWORD, port=port, tcp=True):
                pytest.fail("nobody listens")

    asyncio.run(run())


@pytest.mark.parametrize("sent", [b"", b"REGISTER sip:a@b SIP/2.0\r\nX: "])
def test_who_connects_and_says_nothing_whole_is_hung_up_on(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gb28181.aio.transport.FIRST_MESSAGE_S", 0.05)

    async def run() -> None:
        both = Both()
        await both.start(True)  # over a connection that is used: it stays
        await both.of(DeviceRegistered)
        reader, writer = await asyncio.open_connection("127.0.0.1", both.server.port)
        writer.write(sent)
        async with asyncio.timeout(PATIENCE_S):
            with suppress(ConnectionError):
                assert await reader.read() == b""
        writer.close()
        await both.ask(queries.InfoQuery(device_id=DEVICE))
        assert not [event for event in both.seen if isinstance(event, DeviceOffline)]
        await both.stop()

    asyncio.run(run())
