"""Either end of a city with cameras, each a process of its own: platforms, or the simulator that plays it.

``python camera_city.py platforms`` prints its two ports, then a line of counts for each line that it is sent.
``python camera_city.py city SIP_PORT HJ212_PORT CAMERAS STATIONS RAMP_S SECONDS`` plays: all are switched on over the
ramp, then so many seconds follow in which everything is on. It prints what it used when all were on, and at the end.
Both end by themselves, the platforms after :data:`LIMIT_S`.
"""

from __future__ import annotations

import asyncio
import gc
import json
import resource
import sys
from collections import Counter
from pathlib import Path

from gb28181.aio import PlatformServer
from gb28181.errors import Gb28181Error
from gb28181.manscdp.queries import CatalogQuery
from gb28181.platform import Credential, DeviceRegistered, KeepaliveReceived, Policy, QuestionDone
from gb28181.platform.platform import PlatformReport
from simulator.engine import Counts, Options, run_fleet
from simulator.engine.sink import Sink
from simulator.scenario import Scenario, SipTarget, StationGroup, Target
from stationgate.loops import loop_factory

LIMIT_S = 240.0
HOST = "127.0.0.1"
SERVER = "34020000002000000001"
PASSWORD = "12345678"
KEEPALIVE_S = 60.0
REPORT_S = 30.0


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


async def platforms() -> None:
    counts: Counter[type] = Counter()
    whole = 0

    def told(report: PlatformReport) -> None:
        nonlocal whole
        counts[type(report)] += 1
        if isinstance(report, DeviceRegistered) and not report.refresh:
            asyncio.get_running_loop().call_soon(ask, report.device_id)
        elif isinstance(report, QuestionDone) and report.question.collected is not None:
            whole += report.question.collected.complete

    def ask(device_id: str) -> None:
        assert server.transport is not None
        try:
            server.platform.ask(device_id, CatalogQuery(device_id=device_id), server.transport.now)
        except Gb28181Error as error:
            print(error, file=sys.stderr)
        server.transport.wake()

    server = PlatformServer(SERVER, lambda code: Credential(PASSWORD), told, policy=Policy(tell_time=True))
    await server.start(HOST, 0)
    listener = await asyncio.get_running_loop().create_server(Sink, HOST, 0, backlog=4096)
    tell(sip=server.port, hj212=listener.sockets[0].getsockname()[1])
    while await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline):
        tell(
            **usage(),
            devices=len(server.platform.devices),
            registered=counts[DeviceRegistered],
            keepalives=counts[KeepaliveReceived],
            catalogues=whole,
        )


def city(sip: int, hj212: int, cameras: int, stations: int, ramp_s: float, seconds: float) -> None:
    groups = (
        StationGroup(
            kind="door",
            count=stations,
            interval_s=REPORT_S,
            openings_per_hour=0,
            log=False,
            phase="start",
            start_spread_s=ramp_s,
        ),
        StationGroup(kind="bullet", count=cameras, keepalive_s=KEEPALIVE_S, start_spread_s=ramp_s),
    )
    plan = Scenario(
        duration_s=ramp_s + seconds,
        target=Target(HOST, hj212),
        sip=SipTarget(HOST, sip, id=SERVER),
        station=tuple(group for group in groups if group.count),
    )
    gc.collect()
    before = usage()
    steady: dict[str, float] = {}

    def progress(counts: Counts) -> None:
        if not steady and counts.switched_on == cameras + stations:
            steady.update(usage(), messages=counts.messages, at_s=counts.at_s)
            tell(resident=steady["resident"] - before["resident"], cpu_s=steady["cpu_s"] - before["cpu_s"])

    result = run_fleet(plan, Options(progress=progress))
    counts = result.counts
    tell(
        resident=usage()["resident"] - before["resident"],
        cpu_s=usage()["cpu_s"] - steady["cpu_s"],
        seconds=counts.at_s - steady["at_s"],
        messages=counts.messages - steady["messages"],
        connected=counts.connected,
        registered=counts.registered,
        unanswered=counts.messages - counts.acknowledged,
        failures=counts.failures,
        lag_s=counts.lag_s,
        late_s=counts.late_s,
        degraded=float(result.degraded),
    )
    if result.degraded:
        print(result.reasons, file=sys.stderr)


async def bounded() -> None:
    async with asyncio.timeout(LIMIT_S):
        await platforms()


if __name__ == "__main__":
    if sys.argv[1] == "platforms":
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(bounded())
    else:
        numbers = [float(number) for number in sys.argv[2:]]
        city(int(numbers[0]), int(numbers[1]), int(numbers[2]), int(numbers[3]), *numbers[4:])
