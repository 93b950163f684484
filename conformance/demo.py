"""A simulated door against the suite, in one process on one virtual clock; the suite's own proving ground."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final

from simulator.clock import EPOCH, run_virtual
from simulator.faults import NOT_JUDGED, UnknownFaultError, behaviour_with, find
from simulator.personalities.door import DoorController, DoorSettings
from simulator.station import Station
from simulator.transport import LoopbackNetwork, MemoryNetwork
from simulator.world import Method
from stationgate.exits import UsageFault
from stationgate.language import _

from .live.bench import Bench, Progress
from .live.operator import Act, Operator
from .live.run import begin_record
from .live.stimuli import stimuli_for
from .plan import Plan
from .profile import Limits, Profile, shipped
from .transcript import Transcript

__all__ = ["check_faults", "demo_profile", "rehearse"]

#: Identity of the simulated door; made up.
MN: Final = "64010000ACCE550000000001"
PW: Final = "123456"
#: Who opens the door: enrolment numbers.
PEOPLE: Final = {"A": "NX000012", "B": "NX000034", "": ""}
#: How long the simulated operator takes from the prompt to the act, and from the act to saying so.
WALK_S: Final = 2.0
RETURN_S: Final = 4.0
#: What an act leaves changed in the world of the door, until it is undone.
_LEAVES: Final = {"open": "door", "lift": "dismantled", "unplug": "fault"}
#: Virtual time costs nothing, so a whole day of reports is observed.
OBSERVE_S: Final = 87_000.0


class SimulatedOperator(Operator):
    """Does at the simulated door what a person is asked to do, and takes the time a person takes."""

    def __init__(self, station: Station) -> None:
        self._station = station

    async def perform(self, act: Act) -> str:
        door = self._station.door
        await asyncio.sleep(WALK_S)
        if act.undo and act.act in _LEAVES and getattr(door.world, _LEAVES[act.act]):
            self._do({"open": "close", "lift": "put-back", "unplug": "plug-in"}[act.act])
            await asyncio.sleep(WALK_S)
        if act.act == "power-cycle":
            await self._station.power_cycle()
        elif act.act == "open":
            self._station.act(lambda now: door.open(Method(act.method), PEOPLE[act.person], now))
        else:
            self._do(act.act)
        await asyncio.sleep(RETURN_S)
        return "done"

    def _do(self, act: str) -> None:
        door = self._station.door
        acts = {
            "close": door.close,
            "lift": lambda now: door.dismantle(True, now),
            "put-back": lambda now: door.dismantle(False, now),
            "unplug": lambda now: door.break_down(True, now),
            "plug-in": lambda now: door.break_down(False, now),
        }
        self._station.act(acts[act])


def check_faults(names: Sequence[str]) -> None:
    """Refuse a name that no fault of a door has.

    Raises:
        UsageFault: If there is one; it offers the nearest names.
    """
    try:
        found = [find(name) for name in names]
    except UnknownFaultError as error:
        raise UsageFault(str(error), _("list them with: simulator faults")) from error
    for fault in found:
        if not fault.fits("door"):
            raise UsageFault(
                _("a door cannot have the fault {name}").format(name=fault.name),
                _("list them with: simulator faults"),
            )
        if fault.expected == NOT_JUDGED:
            raise UsageFault(
                _("the suite does not judge {name}, which is a fault of the link").format(name=fault.name),
                _("play it in a scenario, with: simulator run"),
            )


def demo_profile() -> Profile:
    """Return the profile of the simulated door: the shipped one, its PW declared, a day of observation."""
    profile = shipped("nx-door")
    limits = Limits(
        {**profile.limits, "observe_s": replace(profile.limits["observe_s"], value=OBSERVE_S, origin="profile")}
    )
    return replace(profile, device={**profile.device, "pw": PW}, limits=limits)


def rehearse(
    plan: Plan,
    profile: Profile,
    faults: Sequence[str] = (),
    *,
    sockets: bool,
    on_progress: Progress | None = None,
) -> Transcript:
    """Run the plan against the simulated door on virtual time and return the transcript.

    Args:
        faults: Names of the faults to build into the door.
        sockets: Over real loopback TCP; else over memory.
        on_progress: Called with what is awaited.
    """
    behaviour = behaviour_with(faults)
    transport = "tcp" if sockets else "memory"
    transcript = Transcript(epoch=EPOCH, clock="virtual")
    begin_record(transcript, plan, profile, 0.0, simulated=True)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        door = DoorController(DoorSettings(mn=MN, pw=PW), behaviour, loop.time(), EPOCH)
        station = Station(door, "127.0.0.1", 0)
        bench = Bench(
            profile,
            transcript,
            SimulatedOperator(station),
            transport=transport,
            on_progress=on_progress,
            mode=plan.mode,
        )
        await bench.listen("127.0.0.1", 0)
        station.port = bench.port
        life = asyncio.create_task(station.run())
        try:
            await bench.run(stimuli_for(plan.steps, attended=True, mode=plan.mode))
        finally:
            life.cancel()
            with suppress(asyncio.CancelledError):
                await life

    run_virtual(run, LoopbackNetwork() if sockets else MemoryNetwork())
    return transcript
