"""One shard from its beginning to its end: on the real clock, or on a virtual one against a platform in memory."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from hj212.encryption import Key
from stationgate.exits import EnvironmentFault
from stationgate.language import _
from stationgate.loops import loop_factory

from ..clock import EPOCH, run_virtual
from ..ledger import LedgerHeader, LedgerWriter
from ..personalities.building import builder
from ..personalities.camera import Camera
from ..personalities.kinds import GB28181, HJ212
from ..scenario import Scenario
from ..transport import MemoryNetwork
from . import health
from .health import Health, check_descriptors, check_ports
from .result import Counts, FleetResult
from .shard import Shard
from .sink import Sink
from .sip_line import descriptors
from .sip_sink import SipSink

__all__ = ["HEARTBEAT_S", "NO_PLATFORM_S", "Options", "Progress", "open_files", "run_fleet", "run_fleet_virtual"]

#: A fleet of which no station connects within this long has no platform.
NO_PLATFORM_S: Final = 15.0
#: How long after its last instant a run ends: what happens then is still answered. On a virtual clock an answer takes
#: no time, and everything happens at whole milliseconds.
SETTLE_S: Final = 0.0005
#: How long answers to the last messages are waited for on the real clock.
GRACE_S: Final = 2.0
#: Stations that are left out of the search for garbage together, as soon as so many more have come.
FREEZE_EACH: Final = 400
#: How often the loop's lag is looked at and progress is told: on the real clock, and on a virtual one.
HEARTBEAT_S: Final = 0.5
VIRTUAL_HEARTBEAT_S: Final = 3600.0

#: Told where a run stands; what it returns does not matter.
Progress = Callable[[Counts], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a shard is played.

    Attributes:
        part: Index of the shard, from 0, and number of shards.
        progress: Called every half second.
        ledger: File for the ledger.
        anchor: POSIX seconds on this machine's clock at which the scenario starts; ``None``: now.
        epoch: POSIX seconds that the scenario's clock shows then; ``None``: what the scenario says, else the anchor.
        resume_at: Run time from which the stations are taken over from another process.
        closed_loop: Whether a station reports again as soon as everything it sent is answered: shows what a platform
            can take, not what it will be given.
        stop: Asked twice a second whether the run is to end early.
        gate: Asked before anything is written and before a link is opened whether that may be; see
            :mod:`simulator.engine.lease`.
        interim: Told twice a second what the run amounts to so far, without the digest; what that counts is in the
            ledger's file by then.
        drain_s: How long after the end what was due by then may still be told and answered, where it was held up.
    """

    part: tuple[int, int] = (0, 1)
    progress: Progress | None = None
    ledger: Path | None = None
    anchor: float | None = None
    epoch: float | None = None
    resume_at: float | None = None
    closed_loop: bool = False
    stop: Callable[[], bool] | None = None
    gate: Callable[[], bool] = lambda: True
    interim: Callable[[FleetResult], object] | None = None
    drain_s: float = 0.0


class _Run:
    """A shard while it is played."""

    def __init__(self, scenario: Scenario, options: Options, *, virtual: bool) -> None:
        self.scenario = scenario
        self.options = options
        self.virtual = virtual
        self.shard: Shard | None = None
        self.health: Health | None = None
        self.ledger: LedgerWriter | None = None
        self.early = False
        self._broken: BaseException | None = None

    def _note(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Take note of an error of ours that nobody is there to catch: the run is over with it."""
        error = context.get("exception")
        if self._broken is None and error is not None and not isinstance(error, OSError):
            self._broken = error

    async def live(self, epoch: float, base: float, target: tuple[str, int], sip_target: tuple[str, int]) -> None:
        """Play from loop time ``base`` on until the scenario is over."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._note)
        self.health = Health(loop.time(), wall=not self.virtual)
        options = self.options
        if options.ledger is not None:
            header = LedgerHeader(
                seed=self.scenario.seed,
                start_ms=round(epoch * 1000),
                shard=options.part,
                scenario=_fingerprint(self.scenario),
                wall_ms=None if self.virtual else round((time.time() - loop.time() + base) * 1000),
            )
            self.ledger = LedgerWriter(options.ledger, header)
        shard = Shard(
            self.scenario,
            builder,
            part=options.part,
            base=base,
            epoch=epoch,
            target=target,
            sip_target=sip_target,
            ledger=self.ledger,
            resume_at=options.resume_at,
            closed_loop=options.closed_loop,
            gate=options.gate,
            failed=self.health.failed,
        )
        self.shard = shard
        try:
            shard.start()
            await self._watch(shard, base + self.scenario.duration_s + SETTLE_S)
            if not self.virtual:
                drain_s = options.drain_s or GRACE_S
                await shard.drain(drain_s, all_of_it=bool(options.drain_s), early=partial(self._over, shard))
            if self._broken is not None:
                raise self._broken
            if self.early or not self._failures(shard) or self.counts().connected:
                return
            raise self._no_platform()
        finally:
            await shard.stop()
            if self.ledger is not None:
                self.ledger.close(round((epoch + shard.timers.now()) * 1000))

    async def _watch(self, shard: Shard, end: float) -> None:
        """Wait for the end, and look after the generator meanwhile."""
        frozen = 0  # stations that garbage is not looked for among any more
        loop = asyncio.get_running_loop()
        beat_s = VIRTUAL_HEARTBEAT_S if self.virtual else HEARTBEAT_S
        assert self.health is not None
        woken = loop.time()
        while woken < end:
            # From the last time on, so that what is done below counts if it takes long.
            wake = min(woken + beat_s, end)
            await asyncio.sleep(wake - loop.time())
            woken = loop.time()
            self.health.beat(woken, woken - wake)
            if self.ledger is not None:
                self.ledger.flush(loop.time())
            if self._broken is not None:
                raise self._broken
            there = len(shard.lines)
            if not self.virtual and (there >= frozen + FREEZE_EACH or (shard.complete and there > frozen)):
                # Stations stay: to look at all of them again for garbage would stop the loop for a second.
                frozen = there
                gc.collect()
                gc.freeze()
                woken = loop.time()
            if wake < end:
                if self.options.progress:
                    self.options.progress(self.counts())
                if self.options.interim:
                    self.options.interim(
                        FleetResult(self.counts(), False, f"{0:064x}", latency=shard.books.latency.encode())
                    )
                if self._nobody_there(shard):
                    raise self._no_platform()
                if self.options.stop and self.options.stop():
                    self.early = True
                    return

    def _over(self, shard: Shard) -> bool:
        """Say whether there is nothing to wait for any more."""
        self.early = self.early or bool(self.options.stop and self.options.stop())
        return self.early or (self._failures(shard) and not self.counts().connected)

    def _nobody_there(self, shard: Shard) -> bool:
        first = shard.first_on
        return (
            first is not None
            and shard.timers.now() - max(first, shard.joined_at) > NO_PLATFORM_S
            and not any(line.connects for line in shard.lines.values())
            and self._failures(shard)
        )

    def _failures(self, shard: Shard) -> bool:
        return any(line.tried for line in shard.lines.values())

    def _no_platform(self) -> EnvironmentFault:
        if HJ212 not in self.scenario.protocols:
            sip = self.scenario.sip
            status = self._refused_with()
            if status is not None:
                return EnvironmentFault(
                    _("no camera could register at {host}:{port}: the platform answers {status}").format(
                        host=sip.host, port=sip.port, status=status
                    ),
                    _("compare codes and passwords with the platform's: simulator identities SCENARIO --show-secrets"),
                )
            return EnvironmentFault(
                _("no camera could register at {host}:{port}").format(host=sip.host, port=sip.port),
                _("start the platform first, for example: gb28181 listen --port {port}").format(port=sip.port),
            )
        target = self.scenario.target
        return EnvironmentFault(
            _("no station could connect to {host}:{port}").format(host=target.host, port=target.port),
            _("start the platform first, for example: hj212 listen --port {port}").format(port=target.port),
        )

    def _refused_with(self) -> int | None:
        """Return what cameras were refused with, ``None`` where nobody answered."""
        assert self.shard is not None
        cameras = (line.core for line in self.shard.lines.values() if isinstance(line.core, Camera))
        return next((camera.refused_with for camera in cameras if camera.refused_with is not None), None)

    def counts(self) -> Counts:
        assert self.shard is not None
        assert self.health is not None
        counts = self.shard.counts()
        counts.lag_s = self.health.lag_s
        counts.cpu = 0.0 if self.virtual else self.health.cpu
        return counts

    def result(self) -> FleetResult:
        assert self.shard is not None
        assert self.health is not None
        counts = self.counts()
        reasons = list(self.health.reasons(health.MAX_LAG_S, 0.0 if self.virtual else counts.late_s))
        if self.ledger is not None and self.ledger.failure is not None:
            failure = self.ledger.failure
            reasons.append(
                _("the ledger {file} is not complete: {why}").format(file=failure.path, why=failure.reason or "?")
            )
        notes = []
        if counts.connected and not self.shard.linked_at_end and self.scenario.duration_s:
            notes.append(_("at the end no station had a link: the platform is gone"))
        return FleetResult(
            counts,
            bool(reasons),
            f"{self.shard.digest():064x}",
            tuple(reasons),
            self.shard.books.latency.encode(),
            tuple(notes),
        )


def _leaves_links(scenario: Scenario) -> bool:
    """Say whether a station may leave a link behind that stays open."""
    names = {plan.name for plan in scenario.fault}
    return "nat-rebinding" in names.union(*(group.faults for group in scenario.station))


def _sink(scenario: Scenario, part: tuple[int, int]) -> Callable[[], Sink]:
    """Return what makes the platform's side of a link: it has the keys that the stations of a shard have."""
    keys = {member.identity: (Key.parse(member.key),) for member in scenario.members(*part) if member.key}
    return partial(Sink, lambda mn: keys.get(mn, ())) if keys else Sink


def open_files(scenario: Scenario, part: tuple[int, int]) -> int:
    """Return how many descriptors the stations of a shard need."""
    links, cameras = descriptors(scenario, part)
    return links * (1 + _leaves_links(scenario)) + cameras


def _fingerprint(scenario: Scenario) -> str:
    """Return what tells a scenario from others, its hook included; nothing secret goes into it."""
    program = scenario.program.source if scenario.program is not None else ""
    return hashlib.sha256(f"{scenario!r}{program}".encode()).hexdigest()[:16]


def run_fleet(
    scenario: Scenario,
    options: Options | None = None,
    *,
    shard: tuple[int, int] = (0, 1),
    progress: Progress | None = None,
) -> FleetResult:
    """Play a shard on the real clock against the scenario's targets.

    Args:
        shard: Index from 0 and number of shards; a short way to say ``Options(part=...)``.
        progress: Likewise.

    Raises:
        EnvironmentFault: If not one station could connect, or this machine has too few descriptors or ports.
    """
    options = options or Options(part=shard, progress=progress)
    links, cameras = descriptors(scenario, options.part)
    check_descriptors(open_files(scenario, options.part))
    check_ports(links, len(scenario.target.sources))
    check_ports(cameras, len(scenario.sip.sources))
    run = _Run(scenario, options, virtual=False)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        wall = time.time()
        anchor = wall if options.anchor is None else options.anchor
        epoch = options.epoch if options.epoch is not None else scenario.epoch
        target = scenario.target.host, scenario.target.port
        sip = scenario.sip.host, scenario.sip.port
        base = round(loop.time() + anchor - wall, 3)
        await run.live(round(anchor, 3) if epoch is None else epoch, base, target, sip)

    gc.freeze()  # what was imported stays, too
    try:
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            runner.run(main())
    finally:
        gc.unfreeze()
    return run.result()


def run_fleet_virtual(
    scenario: Scenario,
    options: Options | None = None,
    *,
    shard: tuple[int, int] = (0, 1),
    progress: Progress | None = None,
) -> FleetResult:
    """Play a shard on a virtual clock, in memory, against platforms that acknowledge everything.

    That of the cameras also asks each for its catalogue.
    """
    options = options or Options(part=shard, progress=progress)
    run = _Run(scenario, options, virtual=True)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(_sink(scenario, options.part), "127.0.0.1", 0)
        target = "127.0.0.1", int(server.sockets[0].getsockname()[1])
        epoch = options.epoch if options.epoch is not None else scenario.epoch
        epoch = EPOCH if epoch is None else epoch
        sip = SipSink(scenario, epoch, loop.time()) if GB28181 in scenario.protocols else None
        sip_port = await sip.start("127.0.0.1") if sip else 0
        try:
            await run.live(epoch, loop.time(), target, ("127.0.0.1", sip_port))
        finally:
            server.close()
            if sip:
                sip.close()

    run_virtual(main, MemoryNetwork())
    return run.result()
