"""sipp, a SIP tester by others: as a device against our platform, and as a platform against our device.

As a device it registers, keeps alive, is asked and called; as a platform it challenges, asks and calls.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shutil
import socket
from asyncio.subprocess import Process
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gb28181 import GBT_28181_2022
from gb28181.aio import DeviceClient, PlatformServer
from gb28181.device import Account, CallEnded, CallStarted, QueryAnswered, Registered, Unregistered
from gb28181.manscdp.queries import CatalogQuery
from gb28181.platform import (
    CallChanged,
    CallState,
    Credential,
    DeviceOffline,
    DeviceRegistered,
    DeviceUnregistered,
    KeepaliveReceived,
    OfflineReason,
    QuestionDone,
)
from gb28181.sdp import Session

from .examples import CHANNEL, DEVICE, DOMAIN, PASSWORD, PLATFORM
from .test_device import equipment

SCENARIOS = Path(__file__).with_name("sipp")
PATIENCE_S = 20.0

pytestmark = pytest.mark.skipif(
    not os.environ.get("CI") and shutil.which("sipp") is None, reason="sipp is not installed (Debian: sip-tester)"
)


def free_port() -> int:
    """Return a port that is free for both UDP and TCP."""
    for _ in range(20):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
        ):
            udp.bind(("127.0.0.1", 0))
            port = int(udp.getsockname()[1])
            with suppress(OSError):
                tcp.bind(("127.0.0.1", port))
                return port
    raise AssertionError("no port is free")


class Sipp:
    """Runs of sipp on one port, each with its log of messages.

    Args:
        folder: Where it writes.
        peer: Returns the address of the other side; empty where sipp only listens.
    """

    def __init__(self, folder: Path, peer: Callable[[], str] = lambda: "") -> None:
        self.folder = folder
        self.port = free_port()
        self.seen: list[Any] = []  #: what our side told
        self._peer = peer

    async def run(self, scenario: str, transport: str = "u1", *, calls: int = 1, **more: str) -> Process:
        program = shutil.which("sipp")
        assert program, "sipp is not installed (Debian: sip-tester)"
        peer = self._peer()
        return await asyncio.create_subprocess_exec(
            program,
            *([peer] if peer else []),
            *("-sf", str(SCENARIOS / f"{scenario}.xml"), "-t", transport, "-m", str(calls)),
            *("-i", "127.0.0.1", "-p", str(self.port), "-nostdin", "-timeout", "15", "-timeout_error"),
            *("-key", "device", DEVICE, "-key", "server", PLATFORM, "-key", "qop", more.get("qop", "")),
            *(("-oocsf", str(SCENARIOS / f"{more['besides']}.xml")) if "besides" in more else ()),
            *("-trace_err", "-error_file", str(self.folder / f"{scenario}.err")),
            *("-trace_msg", "-message_file", str(self.folder / f"{scenario}.messages")),
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )

    async def ends_well(self, process: Process, scenario: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                code = await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
            code = -1
        assert code == 0, f"sipp ended with {code}\n{self.log(scenario, 'err')}\n{self.log(scenario, 'messages')}"

    def log(self, scenario: str, kind: str) -> str:
        path = self.folder / f"{scenario}.{kind}"
        return path.read_text("gb18030", "replace") if path.exists() else ""

    async def until(self, kind: type, fits: Callable[[Any], bool] = lambda event: True) -> Any:
        """Wait for one of our own events."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    for event in self.seen:
                        if isinstance(event, kind) and fits(event):
                            return event
                    await asyncio.sleep(0.01)
        except TimeoutError:
            logs = [self.log(path.stem, path.suffix[1:]) for path in sorted(self.folder.iterdir()) if path.is_file()]
            raise AssertionError("\n".join([f"no {kind.__name__} came, but {self.seen}", *logs])) from None


class Bench(Sipp):
    """Our platform, and sipp as a device."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, lambda: f"127.0.0.1:{self.server.port}")
        self.server = PlatformServer(PLATFORM, {DEVICE: Credential(PASSWORD)}.get, self.seen.append)


def test_sipp_registers_keeps_alive_answers_and_is_called(tmp_path: Path) -> None:
    async def run() -> None:
        bench = Bench(tmp_path)
        await bench.server.start("127.0.0.1", 0)
        transport = bench.server.transport
        assert transport is not None
        try:
            await bench.ends_well(await bench.run("register"), "register")
            registered = await bench.until(DeviceRegistered)
            assert (registered.device_id, registered.expires_s) == (DEVICE, 3600)
            await bench.until(KeepaliveReceived)

            # What comes before sipp has its port is sent again, as over any network.
            process = await bench.run("catalog")
            question = bench.server.platform.ask(DEVICE, CatalogQuery(device_id=DEVICE), transport.now)
            transport.wake()
            await bench.ends_well(process, "catalog")
            await bench.until(QuestionDone)
            assert question.collected is not None
            assert [item.device_id for item in question.collected.items] == [CHANNEL]

            process = await bench.run("invite")
            device = bench.server.platform.device(DEVICE)
            call = bench.server.platform.calls.invite(
                device, CHANNEL, Session.PLAY, ("127.0.0.1", 30000), transport.now
            )
            transport.wake()
            await bench.until(CallChanged, lambda event: event.call.state is CallState.OPEN)
            assert call.answered is not None
            assert call.answered.media.port == 20000
            bench.server.platform.calls.hang_up(call, transport.now)
            transport.wake()
            await bench.ends_well(process, "invite")
            assert call.state is CallState.ENDED
        finally:
            await bench.server.stop()

    asyncio.run(run())


def test_sipp_registers_over_tcp_and_is_gone_with_its_connection(tmp_path: Path) -> None:
    async def run() -> None:
        bench = Bench(tmp_path)
        await bench.server.start("127.0.0.1", 0)
        try:
            await bench.ends_well(await bench.run("register", "t1"), "register")
            registered = await bench.until(DeviceRegistered)
            assert (registered.device_id, registered.flow.transport) == (DEVICE, "TCP")
            await bench.until(KeepaliveReceived)
            offline = await bench.until(DeviceOffline)
            assert offline.reason is OfflineReason.TRANSPORT
        finally:
            await bench.server.stop()

    asyncio.run(run())


def test_sipp_over_tcp_keeps_alive_answers_is_called_and_leaves_all_on_its_connection(tmp_path: Path) -> None:
    async def run() -> None:
        bench = Bench(tmp_path)
        await bench.server.start("127.0.0.1", 0)
        transport = bench.server.transport
        assert transport is not None
        try:
            process = await bench.run("connected", "t1", besides="connected_called")
            await bench.until(KeepaliveReceived)
            async with asyncio.timeout(PATIENCE_S):
                question = await bench.server.ask(DEVICE, CatalogQuery(device_id=DEVICE))
            assert question.collected is not None, question.why
            assert [item.device_id for item in question.collected.items] == [CHANNEL]
            device = bench.server.platform.device(DEVICE)
            assert device.flow.transport == "TCP"
            calls = bench.server.platform.calls
            call = calls.invite(device, CHANNEL, Session.PLAY, ("127.0.0.1", 30000), transport.now)
            transport.wake()
            await bench.until(CallChanged, lambda event: event.call.state is CallState.OPEN)
            assert call.remote_ssrc == int(call.ssrc)
            calls.hang_up(call, transport.now)
            transport.wake()
            await bench.ends_well(process, "connected")
            assert call.state is CallState.ENDED
            await bench.until(DeviceUnregistered)
            assert len([event for event in bench.seen if isinstance(event, DeviceRegistered)]) == 1
        finally:
            await bench.server.stop()

    asyncio.run(run())


# sipp as a platform


def hashed(*parts: str) -> str:
    return hashlib.md5(":".join(parts).encode(), usedforsecurity=False).hexdigest()


def check_proofs(log: str, qop: bool) -> None:
    """Compute each proof that sipp received anew: RFC 2617 3.2.2, without and with qop."""
    proofs = [
        dict(re.findall(r'(\w+)="?([^",\s]+)', line)) for line in re.findall(r"^Authorization: Digest (.*)$", log, re.M)
    ]
    assert {proof["nonce"] for proof in proofs} == {"6fe9ba44a76be22a", "a8e14c0b5d2f4471"}
    for proof in proofs:
        assert (proof["username"], proof["realm"]) == (DEVICE, DOMAIN)
        between = [proof["nc"], proof["cnonce"], proof["qop"]] if qop else []
        secret, asked = hashed(DEVICE, DOMAIN, PASSWORD), hashed("REGISTER", proof["uri"])
        assert proof["response"] == hashed(secret, proof["nonce"], *between, asked)
        assert qop or not {"nc", "cnonce", "qop"} & set(proof)


@pytest.mark.parametrize(
    ("transport", "qop"), [("UDP", ""), ("TCP", ""), ("UDP", ', qop="auth"'), ("TCP", ', qop="auth"')]
)
def test_sipp_as_a_platform_challenges_asks_calls_and_lets_go(tmp_path: Path, transport: str, qop: str) -> None:
    async def run() -> None:
        sipp = Sipp(tmp_path)
        account = Account(device_id=DEVICE, server_id=PLATFORM, password=PASSWORD)
        client = DeviceClient(account, GBT_28181_2022, equipment(2), sipp.seen.append)
        # Its registration, its keepalive, and the two parts of its catalogue.
        process = await sipp.run("platform", f"{transport[0].lower()}1", calls=4, qop=qop)
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    try:
                        await client.start("127.0.0.1", sipp.port, tcp=transport == "TCP", local="127.0.0.1")
                        break
                    except ConnectionRefusedError:  # it is not up yet; what goes by UDP meanwhile is sent again
                        await asyncio.sleep(0.02)
            assert (await sipp.until(Registered)).expires_s == 3600
            await sipp.until(QueryAnswered)
            call = (await sipp.until(CallStarted)).call
            assert (call.channel_id, call.ssrc) == (CHANNEL, 200004711)
            assert call.remote == ("127.0.0.1", 30000)
            assert (await sipp.until(CallEnded)).reason == "peer"
            assert client.transport is not None
            # Not closed before sipp is done: it takes calls on a connection that ends for failed.
            client.device.stop(client.transport.now)
            client.transport.wake()
            assert (await sipp.until(Unregistered)).confirmed
            await sipp.ends_well(process, "platform")
            log = sipp.log("platform", "messages")
            check_proofs(log, bool(qop))
            names = re.findall(r"<Name>(.*?)</Name>", log)
            assert names == [channel.item.name for channel in client.device.equipment.channels.values()]
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            if client.transport is not None:
                await client.transport.close()

    asyncio.run(run())
