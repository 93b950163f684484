"""sipp, a SIP tester by others, as a device against our platform: registers, keeps alive, is asked and called."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gb28181.aio import PlatformServer
from gb28181.manscdp.queries import CatalogQuery
from gb28181.platform import (
    CallChanged,
    CallState,
    Credential,
    DeviceOffline,
    DeviceRegistered,
    KeepaliveReceived,
    OfflineReason,
    QuestionDone,
)
from gb28181.sdp import Session

from .examples import CHANNEL, DEVICE, PASSWORD, PLATFORM

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


class Bench:
    """Our platform, and sipp on one port of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.seen: list[Any] = []
        self.server = PlatformServer(PLATFORM, {DEVICE: Credential(PASSWORD)}.get, self.seen.append)

    async def sipp(self, scenario: str, transport: str = "u1") -> asyncio.subprocess.Process:
        program = shutil.which("sipp")
        assert program, "sipp is not installed (Debian: sip-tester)"
        return await asyncio.create_subprocess_exec(
            program,
            f"127.0.0.1:{self.server.port}",
            *(
                "-sf",
                str(SCENARIOS / f"{scenario}.xml"),
                "-t",
                transport,
                "-m",
                "1",
                "-i",
                "127.0.0.1",
                "-p",
                str(self.port),
            ),
            *("-key", "device", DEVICE, "-key", "server", PLATFORM, "-nostdin", "-timeout", "15", "-timeout_error"),
            *("-trace_err", "-error_file", str(self.folder / f"{scenario}.err")),
            cwd=self.folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )

    async def ends_well(self, process: asyncio.subprocess.Process, scenario: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            code = await process.wait()
        error = self.folder / f"{scenario}.err"
        assert code == 0, error.read_text("utf-8", "replace") if error.exists() else f"sipp ended with {code}"

    async def until(self, kind: type, fits: Any = lambda event: True) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                for event in self.seen:
                    if isinstance(event, kind) and fits(event):
                        return event
                await asyncio.sleep(0.01)


def test_sipp_registers_keeps_alive_answers_and_is_called(tmp_path: Path) -> None:
    async def run() -> None:
        bench = Bench(tmp_path)
        await bench.server.start("127.0.0.1", 0)
        transport = bench.server.transport
        assert transport is not None
        try:
            await bench.ends_well(await bench.sipp("register"), "register")
            registered = await bench.until(DeviceRegistered)
            assert (registered.device_id, registered.expires_s) == (DEVICE, 3600)
            await bench.until(KeepaliveReceived)

            # What comes before sipp has its port is sent again, as over any network.
            process = await bench.sipp("catalog")
            question = bench.server.platform.ask(DEVICE, CatalogQuery(device_id=DEVICE), transport.now)
            transport.wake()
            await bench.ends_well(process, "catalog")
            await bench.until(QuestionDone)
            assert question.collected is not None
            assert [item.device_id for item in question.collected.items] == [CHANNEL]

            process = await bench.sipp("invite")
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
            await bench.ends_well(await bench.sipp("register", "t1"), "register")
            registered = await bench.until(DeviceRegistered)
            assert (registered.device_id, registered.flow.transport) == (DEVICE, "TCP")
            await bench.until(KeepaliveReceived)
            offline = await bench.until(DeviceOffline)
            assert offline.reason is OfflineReason.TRANSPORT
        finally:
            await bench.server.stop()

    asyncio.run(run())
