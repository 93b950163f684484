"""A bench against the simulated door on virtual time, with a clock and a fate that a test decides."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

from conformance.demo import MN, PW, SimulatedOperator
from conformance.judge import judge
from conformance.live.bench import Bench
from conformance.live.clock import Clocks, Discipline
from conformance.live.operator import Act
from conformance.live.resuming import remains
from conformance.live.run import begin_record, stimuli_left, take_up
from conformance.plan import Mode, Plan
from conformance.profile import Limits, Profile, shipped
from conformance.transcript import Transcript
from conformance.verdicts import Verdict
from simulator.behaviour import Behaviour
from simulator.clock import EPOCH, VirtualLoop, run_virtual
from simulator.faults import behaviour_with
from simulator.personalities.door import DoorController, DoorSettings
from simulator.station import Station
from simulator.transport import MemoryNetwork

#: How long the computer is without a suite after it was killed.
AWAY_S = 40.0
RIGHT = Discipline(True, "test", 0.001)


def profile_with(origin: str = "profile", **limits: float) -> Profile:
    """Return the shipped profile of a door with other limits."""
    profile = shipped("nx-door")
    rows = {name: replace(profile.limits[name], value=value, origin=origin) for name, value in limits.items()}
    return replace(profile, device={**profile.device, "pw": PW}, limits=Limits({**profile.limits, **rows}))


class Standing(SimulatedOperator):
    """An operator who finishes what they do, whatever becomes of the suite."""

    async def perform(self, act: Act) -> str:
        return await asyncio.shield(asyncio.ensure_future(super().perform(act)))


@dataclass
class BenchClock:
    """The computer's clocks: the loop's, and what a test does to them."""

    set_by: float = 0.0  #: seconds by which somebody set the clock
    benches: list[Bench] = field(default_factory=list)  #: whose clock stands still while the computer sleeps

    def clocks(self) -> Clocks:
        loop = asyncio.get_running_loop()
        return Clocks(lambda: EPOCH + loop.time() + self.set_by, loop.time)

    def sleep(self, seconds: float) -> None:
        """Let the computer sleep: its monotonic clock misses it, the world goes on."""
        stand_still(seconds)
        self.benches[-1]._shift -= seconds


@dataclass
class Fate:
    """What happens during a run.

    Attributes:
        at: What to do at which instant, seconds from the beginning.
        killed_at: When the process is killed; it goes on after :data:`AWAY_S`.
        interrupted_at: When the user presses Ctrl-C; nobody goes on.
    """

    at: list[tuple[float, Callable[[], None]]] = field(default_factory=list)
    killed_at: tuple[float, ...] = ()
    interrupted_at: float | None = None


@dataclass
class Run:
    """What is left after it."""

    transcript: Transcript
    door: DoorController

    def verdicts(self, profile: Profile, plan: Plan) -> dict[str, Verdict]:
        return {result.case: result.verdict for result in judge(self.transcript, profile, plan)}


def stand_still(seconds: float) -> None:
    """Let the process stop while time goes on."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.advance(seconds)


def run(
    plan: Plan,
    profile: Profile,
    *,
    faults: Sequence[str] = (),
    fate: Fate | None = None,
    clock: BenchClock | None = None,
    behaviour: Behaviour | None = None,
    discipline: Discipline = RIGHT,
    upstream: Callable[[], Any] | None = None,
) -> Run:
    """Run the plan against the simulated door and whatever fate has in store."""
    wrong = behaviour or behaviour_with(faults)
    return _Stage(plan, profile, wrong, fate or Fate(), clock, discipline, upstream).play()


class _Stage:
    def __init__(
        self,
        plan: Plan,
        profile: Profile,
        behaviour: Behaviour,
        fate: Fate,
        clock: BenchClock | None,
        discipline: Discipline,
        upstream: Callable[[], Any] | None,
    ) -> None:
        self.plan, self.profile, self.behaviour, self.fate = plan, profile, behaviour, fate
        self.clock, self.discipline, self.upstream = clock, discipline, upstream
        self.lines: list[bytes] = []
        self.bench: Bench | None = None

    def play(self) -> Run:
        return run_virtual(self._main, MemoryNetwork())

    async def _main(self) -> Run:
        loop = asyncio.get_running_loop()
        door = DoorController(DoorSettings(mn=MN, pw=PW), self.behaviour, loop.time(), EPOCH)
        station = Station(door, "127.0.0.1", PORT)
        if self.upstream:
            await self.upstream()
        for when, what in self.fate.at:
            loop.call_at(when, what)
        life = loop.create_task(station.run())
        try:
            for killed_at in self.fate.killed_at:
                await self._until_killed(station, killed_at)
                await asyncio.sleep(AWAY_S)
            transcript = await self._until_the_end(station)
        finally:
            life.cancel()
            with suppress(asyncio.CancelledError):
                await life
        return Run(transcript, door)

    def _begin(self, station: Station) -> asyncio.Task[None]:
        clocks = self.clock.clocks() if self.clock else None
        operator = Standing(station)
        earlier = Transcript.from_lines(self.lines) if self.lines else None
        transcript = earlier or Transcript(epoch=EPOCH, clock="real" if self.clock else "virtual")
        transcript.wall = clocks.wall if clocks else None
        transcript.sink = self.lines.append
        self.bench = Bench(
            self.profile, transcript, operator, transport="memory", mode=self.plan.mode, clocks=clocks,
            discipline=self._told,
        )  # fmt: skip
        if self.clock:
            self.clock.benches.append(self.bench)
        left = remains(earlier, self.profile, self.plan) if earlier else None
        if left:
            take_up(self.bench, left)
        else:
            begin_record(transcript, self.plan, self.profile, self.bench.now)
        steps = stimuli_left(self.plan, operator, left)

        async def go() -> None:
            assert self.bench
            await self.bench.listen("127.0.0.1", PORT)
            await self.bench.run(steps)

        return asyncio.get_running_loop().create_task(go())

    async def _told(self) -> Discipline:
        return self.discipline

    async def _until_killed(self, station: Station, when: float) -> None:
        task = self._begin(station)
        assert self.bench
        await asyncio.sleep(max(when - asyncio.get_running_loop().time(), 0.0))
        # What is written from here on never was: a killed process cleans up nothing.
        self.bench.transcript.sink = None
        self.bench.transcript = Transcript(epoch=EPOCH, clock="virtual")
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    async def _until_the_end(self, station: Station) -> Transcript:
        task = self._begin(station)
        assert self.bench
        transcript = self.bench.transcript
        if self.fate.interrupted_at is not None:
            asyncio.get_running_loop().call_at(self.fate.interrupted_at, task.cancel)
        with suppress(asyncio.CancelledError):
            await task
        return transcript


PORT = 8212

__all__ = ["AWAY_S", "MN", "PORT", "PW", "BenchClock", "Fate", "Mode", "Run", "profile_with", "run", "stand_still"]
