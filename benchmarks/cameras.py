"""Either end of a load of cameras, each a process of its own: a platform, or a fleet that registers and keeps alive.

``python cameras.py platform`` prints its port, then a line of counts for each line that it is sent.
``python cameras.py fleet PORT DEVICES KEEPALIVE_S`` prints a line of counts after each of its three phases (built,
registered, kept alive for one period) and waits for a line before the next. Both end with their input, and by
themselves after :data:`LIMIT_S`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import random
import resource
import sys
import time
from collections import Counter
from pathlib import Path

from gb28181 import GBT_28181_2022
from gb28181.aio import DeviceFleet, PlatformServer
from gb28181.device import Account, Channel, DeviceEvent, Equipment, Registered, RegistrationFailed
from gb28181.device.device import Device
from gb28181.manscdp.items import CatalogItem
from gb28181.platform import Credential, DeviceRegistered, KeepaliveReceived
from gb28181.platform.platform import PlatformReport
from stationgate.loops import loop_factory

LIMIT_S = 180.0
SERVER = "34020000002000000001"
PASSWORD = "12345678"
#: Devices that register at a time: what two receive buffers of an untuned system hold.
WINDOW = 48


def usage() -> dict[str, float]:
    """CPU in seconds and resident memory in bytes of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    try:
        resident = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
    except OSError:
        resident = 0
    return {"cpu_s": used.ru_utime + used.ru_stime, "resident": resident}


def tell(**values: float) -> None:
    print(json.dumps(values), flush=True)


async def line() -> str:
    """Return the next line of the input; empty at its end."""
    return await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def platform() -> None:
    counts: Counter[type] = Counter()
    server = PlatformServer(SERVER, lambda code: Credential(PASSWORD), lambda report: count(report))

    def count(report: PlatformReport) -> None:
        counts[type(report)] += 1

    await server.start("127.0.0.1", 0)
    tell(port=server.port)
    while await line():
        gc.collect()
        tell(
            **usage(),
            devices=len(server.platform.devices),
            registered=counts[DeviceRegistered],
            keepalives=counts[KeepaliveReceived],
        )
    await server.stop()


def camera(number: int) -> Equipment:
    """A camera with one channel, as most are."""
    equipment = Equipment(id=f"3402000000132{number:07d}", name="北门枪机")
    equipment.add(
        Channel(
            item=CatalogItem(
                device_id=f"3402000000131{number:07d}",
                name="北门枪机",
                manufacturer="Demo",
                model="IPC-1",
                civil_code="340200",
                parental=0,
                parent_id=equipment.id,
                register_way=1,
                secrecy=0,
                status="ON",
            )
        )
    )
    return equipment


async def fleet(port: int, devices: int, keepalive_s: float) -> None:
    registered = 0
    waiting: asyncio.Event = asyncio.Event()
    under_way: set[Device] = set()

    def told(device: Device, event: DeviceEvent) -> None:
        nonlocal registered
        if isinstance(event, Registered):
            registered += 1
            under_way.discard(device)
            waiting.set()
        elif isinstance(event, RegistrationFailed):
            raise AssertionError(event)

    all_of_them = DeviceFleet(told, chance=random.Random(devices))
    local = await all_of_them.bind("127.0.0.1")
    gc.collect()
    before = usage()
    cameras = []
    for number in range(devices):
        equipment = camera(number)
        account = Account(
            device_id=equipment.id, server_id=SERVER, password=PASSWORD, expires_s=3600, keepalive_s=keepalive_s
        )
        cameras.append(all_of_them.add(account, GBT_28181_2022, equipment))
    gc.collect()
    tell(**{name: value - before[name] for name, value in usage().items()})
    await line()

    began, cpu = time.perf_counter(), usage()["cpu_s"]
    for device in cameras:
        under_way.add(device)
        all_of_them.start(device, ("127.0.0.1", port), local)
        while len(under_way) >= WINDOW:
            waiting.clear()
            await waiting.wait()
    while registered < devices:
        waiting.clear()
        await waiting.wait()
    seconds, cpu = time.perf_counter() - began, usage()["cpu_s"] - cpu
    gc.collect()
    tell(registered=registered, seconds=seconds, cpu_s=cpu, resident=usage()["resident"] - before["resident"])
    await line()

    cpu = usage()["cpu_s"]
    await asyncio.sleep(keepalive_s)
    tell(cpu_s=usage()["cpu_s"] - cpu)
    await line()


async def bounded(name: str, *numbers: str) -> None:
    async with asyncio.timeout(LIMIT_S):
        await (platform() if name == "platform" else fleet(int(numbers[0]), int(numbers[1]), float(numbers[2])))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(bounded(*sys.argv[1:]))
