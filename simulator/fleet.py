"""Many stations in one process: switched on, lived, switched off; on the real clock or on a virtual one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from hj212 import HJ_212_2017, Connection, Role
from hj212.aio import Link
from stationgate.exits import EnvironmentFault, ExitCode, UsageFault
from stationgate.language import _
from stationgate.loops import loop_factory

from .clock import EPOCH, run_virtual, wall_epoch
from .door import DoorController
from .draws import openings
from .faults import behaviour_with
from .scenario import Member, Scenario
from .station import Station
from .transport import MemoryNetwork

__all__ = ["MAX_LAG_S", "Counts", "FleetResult", "run_fleet", "run_fleet_virtual"]

#: Stations in one process: each needs a descriptor and, towards one address, an ephemeral port.
MAX_STATIONS: Final = 20_000
#: A generator whose loop is later than this measures itself and not the platform: the run is degraded.
MAX_LAG_S: Final = 1.0
#: A fleet of which no station connects within this long has no platform.
NO_PLATFORM_S: Final = 15.0
#: How long after its last instant a run ends: what happens then is still answered. On a virtual clock an answer takes
#: no time, and everything happens at whole milliseconds.
SETTLE_S: Final = 0.0005
#: How often the loop's lag is looked at and progress is told: on the real clock, and on a virtual one.
HEARTBEAT_S: Final = 0.5
VIRTUAL_HEARTBEAT_S: Final = 3600.0


@dataclass(slots=True)
class Counts:
    """Where a running fleet stands."""

    stations: int = 0
    connected: int = 0
    messages: int = 0
    acknowledged: int = 0
    lag_s: float = 0.0


@dataclass(frozen=True, slots=True)
class FleetResult:
    """What a run amounts to.

    Attributes:
        counts: Stations, messages, acknowledgements, the worst lag.
        degraded: The generator itself was not well: figures say nothing of the platform.
        digest: XOR over all stations of SHA-256(identity + every byte emitted), hexadecimal.
    """

    counts: Counts
    degraded: bool
    digest: str

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.INCONCLUSIVE if self.degraded else ExitCode.OK


Progress = Callable[[Counts], None]


class _Fleet:
    def __init__(
        self, scenario: Scenario, shard: tuple[int, int], progress: Progress | None, heartbeat_s: float
    ) -> None:
        self._heartbeat_s = heartbeat_s
        self.scenario = scenario
        self.progress = progress
        self.counts = Counts()
        self.stations: list[Station] = []
        self._first_start: float | None = None
        self._mine = list(scenario.members(*shard))
        _check_playable(scenario, self._mine)

    async def live(self, host: str, port: int, epoch: float) -> None:
        """Run every station of this shard for the scenario's duration."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        end = begin + self.scenario.duration_s
        self.counts.stations = len(self._mine)
        tasks = [asyncio.create_task(self._one(member, host, port, begin, end, epoch)) for member in self._mine]
        watch = asyncio.create_task(self._watch())
        try:
            # Whatever ends before its time failed.
            duration_s = self.scenario.duration_s + SETTLE_S
            await asyncio.wait([watch, *tasks], timeout=duration_s, return_when=asyncio.FIRST_EXCEPTION)
            if any(station.failed_connects for station in self.stations) and not self.sum_up().connected:
                raise self._no_platform()
        finally:
            for task in (watch, *tasks):
                task.cancel()
            for outcome in await asyncio.gather(watch, *tasks, return_exceptions=True):
                if isinstance(outcome, Exception):
                    raise outcome

    async def _one(self, member: Member, host: str, port: int, begin: float, end: float, epoch: float) -> None:
        loop = asyncio.get_running_loop()
        group = member.group
        settings = group.settings(member.index)
        seed = self.scenario.seed
        start = begin + self.scenario.switch_on_s(member)
        door = DoorController(settings, behaviour_with(group.faults), start, epoch)
        station = Station(door, host, port)
        self.stations.append(station)
        await asyncio.sleep(start - begin)
        if self._first_start is None:
            self._first_start = loop.time()
        life = asyncio.create_task(station.run())
        try:
            # Slots of the day count from the epoch of the clock, not from the start of the run.
            for opening, shut in openings(seed, settings.mn, group.openings_per_hour, group.people, start, end):
                await asyncio.sleep(opening.at - loop.time())
                station.act(lambda now, o=opening: door.open(o.method, o.person, now))  # type: ignore[misc]
                await asyncio.sleep(shut - loop.time())
                station.act(door.close)
            await life
        finally:
            life.cancel()
            with suppress(asyncio.CancelledError):
                await life

    def _no_platform(self) -> EnvironmentFault:
        target = self.scenario.target
        return EnvironmentFault(
            _("no station could connect to {host}:{port}").format(host=target.host, port=target.port),
            _("start the platform first, for example: hj212 listen --port {port}").format(port=target.port),
        )

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            first = self._first_start
            if first is not None and loop.time() - first > NO_PLATFORM_S and not self.sum_up().connected:
                raise self._no_platform()
            before = loop.time()
            await asyncio.sleep(self._heartbeat_s)
            self.counts.lag_s = max(self.counts.lag_s, loop.time() - before - self._heartbeat_s)
            self.sum_up()
            if self.progress:
                self.progress(self.counts)

    def sum_up(self) -> Counts:
        """Bring the counts up to date."""
        counts = self.counts
        counts.messages = sum(s.door.messages for s in self.stations)
        counts.acknowledged = sum(s.door.acknowledged for s in self.stations)
        counts.connected = sum(1 for s in self.stations if s.connects)
        return counts

    def result(self) -> FleetResult:
        total = 0
        for station in self.stations:
            total ^= int.from_bytes(station.digest)
        counts = self.sum_up()
        return FleetResult(counts, counts.lag_s > MAX_LAG_S, f"{total:064x}")


def _check_playable(scenario: Scenario, members: Sequence[Member]) -> None:
    """Refuse what this engine does not play."""
    if len(members) > MAX_STATIONS:
        raise UsageFault(
            _("{count} stations, at most {limit} in one process").format(count=len(members), limit=MAX_STATIONS),
            _("divide them with --shard I/N"),
        )
    for group in scenario.station:
        if group.kind != "door":
            raise UsageFault(_("stations of kind {kind} cannot be played yet").format(kind=group.kind))
    parts = {
        "start": scenario.start,
        "hook": scenario.hook,
        "[target] sources": scenario.target.sources,
        "[[site]]": scenario.site,
        "[[fault]]": scenario.fault,
        "[[event]]": scenario.event,
    }
    for name in filter(parts.get, parts):
        raise UsageFault(_("{part} cannot be played yet").format(part=name))


def run_fleet(scenario: Scenario, *, shard: tuple[int, int] = (0, 1), progress: Progress | None = None) -> FleetResult:
    """Run a shard of a fleet on the real clock against the scenario's target.

    Args:
        shard: Index from 0 and number of shards.

    Raises:
        EnvironmentFault: If not one station could connect.
    """
    fleet = _Fleet(scenario, shard, progress, HEARTBEAT_S)

    async def main() -> None:
        await fleet.live(scenario.target.host, scenario.target.port, wall_epoch(asyncio.get_running_loop()))

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(main())
    return fleet.result()


def run_fleet_virtual(
    scenario: Scenario, *, shard: tuple[int, int] = (0, 1), progress: Progress | None = None
) -> FleetResult:
    """Run a shard on a virtual clock, in memory, against a platform that acknowledges everything."""
    fleet = _Fleet(scenario, shard, progress, VIRTUAL_HEARTBEAT_S)

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(
            lambda: Link(Connection(Role.PLATFORM, HJ_212_2017), on_change=_forget), "127.0.0.1", 0
        )
        port = server.sockets[0].getsockname()[1]
        try:
            await fleet.live("127.0.0.1", port, EPOCH)
        finally:
            server.close()

    run_virtual(main, MemoryNetwork())
    return fleet.result()


def _forget(link: Link) -> None:
    """Drop the events of a platform that only acknowledges."""
    assert isinstance(link.core, Connection)
    link.core.events()
