"""Doors that do nothing wrong and yet differ from the reference device, each in one way met in the field."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count, cycle
from typing import Any

from conformance import literal
from conformance.demo import MN, OBSERVE_S, PW, SimulatedOperator
from conformance.live.bench import Bench
from conformance.live.operator import Act
from conformance.live.stimuli import STIMULI
from conformance.plan import Plan, make_plan
from conformance.profile import Limits, Profile, shipped
from conformance.transcript import Transcript
from conformance.verdicts import Verdict
from hj212.times import format_qn, format_time
from simulator.behaviour import Behaviour, Device
from simulator.clock import EPOCH, run_virtual
from simulator.personalities.door import DoorController, DoorSettings
from simulator.station import Station
from simulator.transport import MemoryNetwork
from simulator.world import Method, Opening

PORT = 40_777
#: Long enough for four intervals after every act of the operator.
SHORT_S = 9_000.0


class Inert:
    """Something beside the device under test, or nothing."""

    async def run(self, station: Station, bench: Bench) -> None:
        """Live until cancelled."""


# What the device does otherwise


class AllStatesDoor(DoorController):
    """Sends all three states with every change."""

    def _change(self, signal: str, now: float) -> None:
        items = [f"DataTime={format_time(self.device_time(now))}"]
        items += [self._state(name, "change", "3020") for name in ("door", "dismantled", "fault")]
        self.put("change", now, ";".join(items), "3020")


class RecordFirstDoor(AllStatesDoor):
    """Sends the record of an opening ahead of the change that belongs to it."""

    def open(self, method: Method, person: str, now: float) -> None:
        self.world.door = 1
        self._record(Opening(method, person, now), now) if method.identifies else None
        self.schedule(now + 0.4, lambda t: self._change("door", t))


class RecordOnlyDoor(DoorController):
    """Tells of an opening with identification by its record alone, which carries i32001=1."""

    def open(self, method: Method, person: str, now: float) -> None:
        self.world.door = 1
        if method.identifies:
            self.schedule(now + 0.5, lambda t: self._record(Opening(method, person, now), t))
        else:
            self._change("door", now)


class SlowToAnswerDoor(DoorController):
    """Takes 15 s for every answer."""

    def _on_request(self, event: Any, connection: Any, now: float) -> None:
        parent = super()._on_request
        self.schedule(now + 15.0, lambda t: parent(event, connection, t))


class SelfClosingDoor(DoorController):
    """Falls shut by itself five seconds after it was opened."""

    def open(self, method: Method, person: str, now: float) -> None:
        super().open(method, person, now)
        self.schedule(now + 5.0, lambda t: DoorController.close(self, t))

    def close(self, now: float) -> None:
        if self.world.door:
            super().close(now)


class VisitingStation(Station):
    """Connects when there is something to tell, stays for two seconds and hangs up."""

    hangs_up = True

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            while not self.door.queue or self._off.is_set():
                due = self.door.next_timeout()
                await self._wait_offline(loop, loop.time() + 5.0 if due is None else min(due, loop.time() + 5.0))
            if await self._connect(loop):
                with suppress(TimeoutError):
                    async with asyncio.timeout(2.0):
                        await self._closed.wait()
                if not self._closed.is_set():
                    await self._leave(loop)
            if self.door.queue:
                await asyncio.sleep(10.0)

    async def _leave(self, loop: asyncio.AbstractEventLoop) -> None:
        link = self._link
        assert link is not None
        if self.hangs_up:
            link.close()
            await self._closed.wait()
        else:
            self._link, link.core = None, _Deaf()
        self.door.disconnected(loop.time())


class VanishingStation(VisitingStation):
    """The same, but the other side never learns that the link is gone."""

    hangs_up = False


class _Deaf:
    def receive_data(self, data: bytes, now: float) -> None: ...
    def receive_eof(self, now: float) -> None: ...
    def data_to_send(self) -> bytes:
        return b""

    def next_timeout(self) -> float | None:
        return None

    def handle_timeout(self, now: float) -> None: ...


class SlowOperator(SimulatedOperator):
    """Reads the prompt, walks to the door, acts, walks back to the keyboard."""

    async def perform(self, act: Act) -> str:
        await asyncio.sleep(7.0)
        answer = await super().perform(act)
        await asyncio.sleep(9.0)
        return answer


class NoExitButtonOperator(SimulatedOperator):
    """Finds no exit button at this door."""

    async def perform(self, act: Act) -> str:
        return "not-fitted" if act.method == "exit-button" else await super().perform(act)


# What goes on beside it


class Passers(Inert):
    """People who use the door while the timed reports are observed, and while back-fill is awaited."""

    async def run(self, station: Station, bench: Bench) -> None:
        begun: set[str] = set()
        door = station.door
        while True:
            await asyncio.sleep(7.0)
            running = [e.attachment["step"] for e in bench.transcript if e.kind == "step"][-1:]
            if running not in (["observe"], ["outage"]) or not station._link:
                continue
            if running == ["outage"] and "outage" in begun:
                continue
            begun.update(running)
            await asyncio.sleep(200.0)
            station.act(lambda now: door.open(Method.IC_CARD, "NX000099", now))
            await asyncio.sleep(4.0)
            station.act(lambda now: door.close(now))
            await asyncio.sleep(880.0)


class Visitor(Inert):
    """Somebody else who opens the door by card, once for each act of opening that the operator is asked for."""

    method = Method.IC_CARD
    after = "begin"  #: counted from the prompt (``begin``) or from the answer (``end``)
    wait_s = 2.0
    acts = ("open",)

    async def run(self, station: Station, bench: Bench) -> None:
        seen = 0
        while True:
            await asyncio.sleep(0.5)
            news = [entry for entry in bench.transcript.entries[seen:] if entry.kind == "act"]
            seen = len(bench.transcript)
            for entry in news:
                if entry.attachment["phase"] == "begin":
                    act = entry.attachment["act"]
                if entry.attachment["phase"] == self.after and act in self.acts:
                    await self.visit(station)

    async def visit(self, station: Station) -> None:
        door = station.door
        await asyncio.sleep(self.wait_s)
        station.act(lambda now: door.open(self.method, "NX000099" if self.method.identifies else "", now))
        await asyncio.sleep(4.0)
        station.act(lambda now: door.close(now))


class VisitorBetween(Visitor):
    """Comes when the operator has just closed the door."""

    after = "end"
    wait_s = 4.0
    acts = ("close",)


class VisitorLeaves(VisitorBetween):
    """Opens from inside, without identification, when the operator has just closed the door."""

    method = Method.EXIT_BUTTON


class DoorHeldOpen(Inert):
    """The door stands open for twenty minutes of every hour while the timed reports are observed."""

    async def run(self, station: Station, bench: Bench) -> None:
        door = station.door
        while not any(e.attachment.get("step") == "observe" for e in bench.transcript):
            await asyncio.sleep(50.0)
        for _ in range(2):
            station.act(lambda now: door.open(Method.FACE, "NX000099", now))
            await asyncio.sleep(1_207.0)
            station.act(lambda now: door.close(now))
            await asyncio.sleep(2_393.0)


class OpenedBeforeReports(Inert):
    """Somebody opens the door ten seconds before every other report and closes it twenty seconds later."""

    async def run(self, station: Station, bench: Bench) -> None:
        door = station.door
        await asyncio.sleep(3_590.0)
        while True:
            station.act(lambda now: door.open(Method.FACE, "NX000099", now))
            await asyncio.sleep(20.0)
            station.act(lambda now: door.close(now))
            await asyncio.sleep(1_780.0)


class ShortLivedLinks(Inert):
    """Something on the way drops the link every 21 minutes."""

    async def run(self, station: Station, bench: Bench) -> None:
        while True:
            await asyncio.sleep(1_257.0)
            if station._link and station._link.transport:
                station._link.transport.abort()


class Heartbeats(Inert):
    """The device's own heartbeats, as text and as frames."""

    async def run(self, station: Station, bench: Bench) -> None:
        number = 0
        while True:
            await asyncio.sleep(61.7)
            number += 1
            if station._link and station._link.transport:
                frame = literal.frame(b"ST=81;CN=9021;PW=%s;MN=%s;Flag=0;CP=&&&&" % (PW.encode(), MN.encode()))
                station._link.transport.write(b"HEARTBEAT\r\n" if number % 2 else frame)
                if number % 3 == 0:
                    qn = format_qn(round((EPOCH + bench.now) * 1000))
                    beat = f"QN={qn};ST=81;CN=9021;PW={PW};MN={MN};Flag=1;CP=&&&&"
                    station._link.transport.write(literal.frame(beat.encode()))


class Neighbours(Inert):
    """Other stations: on links of their own, damaged frames included, and on the link of the device under test."""

    async def run(self, station: Station, bench: Bench) -> None:
        loop = asyncio.get_running_loop()
        other, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", PORT)
        number = 0
        while True:
            await asyncio.sleep(37.0)
            number += 1
            if other.is_closing():
                with suppress(OSError):
                    other, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", PORT)
            qn = format_qn(round((EPOCH + bench.now) * 1000))
            text = f"QN={qn};ST=32;CN=2011;PW=x;MN=6401000000000000000000%02d;Flag=1;CP=&&i32001-Rtd=7&&"
            other.write(literal.frame((text % 1).encode())[:-6] + b"0000\r\n")
            other.write(b"##0099CN=2011;Flag=5;CP=&&DataTime=20250101000000&&0000\r\nPING\r\n")
            if station._link and station._link.transport:
                station._link.transport.write(literal.frame((text % 2).encode()))
            if number % 20 == 0:
                other.write(b"##0300QN=2025")
                other.abort()


@dataclass(frozen=True)
class Site:
    """One device with its surroundings, and the verdicts other than PASS that it may get.

    Attributes:
        may: By case id what the suite may say besides PASS.
        ahead_s: How long the device runs before the suite listens.
    """

    door: type[DoorController] = DoorController
    settings: dict[str, Any] = field(default_factory=dict)
    behaviour: dict[str, Any] = field(default_factory=dict)
    station: type[Station] = Station
    operator: type[SimulatedOperator] = SimulatedOperator
    beside: type[Inert] = Inert
    profile: Callable[[Profile], Profile] = lambda profile: profile
    ahead_s: float = 0.0
    observe_s: float = SHORT_S
    may: dict[str, Verdict] = field(default_factory=dict)


def profile_of(site: Site) -> Profile:
    """Return what is declared of the device."""
    base = shipped("nx-door")
    limits = Limits({**base.limits, "observe_s": replace(base.limits["observe_s"], value=site.observe_s)})
    return site.profile(replace(base, device={**base.device, "pw": PW, "mn": MN}, limits=limits))


def visit(site: Site) -> tuple[Transcript, Profile, Plan]:
    """Run the whole plan against the device on virtual time."""
    profile = profile_of(site)
    plan = make_plan(profile)
    behaviour = Behaviour(**site.behaviour)
    transcript = Transcript(epoch=EPOCH, clock="virtual")

    async def run() -> None:
        loop = asyncio.get_running_loop()
        door = site.door(DoorSettings(mn=MN, pw=PW, **site.settings), behaviour, loop.time(), EPOCH)
        station = site.station(door, "127.0.0.1", PORT)
        tasks = []
        if site.ahead_s:
            tasks.append(asyncio.create_task(station.run()))
            await asyncio.sleep(site.ahead_s)
        bench = Bench(profile, transcript, site.operator(station), transport="memory")
        await bench.listen("127.0.0.1", PORT)
        if not tasks:
            tasks.append(asyncio.create_task(station.run()))
        tasks.append(asyncio.create_task(site.beside().run(station, bench)))
        try:
            await bench.run((step, STIMULI[step]) for step in plan.steps)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    run_virtual(run, MemoryNetwork())
    return transcript, profile, plan


@cache
def visited(name: str) -> tuple[Transcript, Profile, Plan]:
    """Return the run at one of :data:`SITES`, made once."""
    return visit(SITES[name])


def _jitter(interval: float, index: int) -> float:
    return interval + (0.0, 2.0, -2.0, 1.3, -1.3)[index % 5]


def _to_the_quarter(first: float) -> Callable[[float, int], float]:
    """The first report at once, the second at a quarter of an hour, then every quarter."""
    return lambda interval, index: first if index == 0 else interval


def _counted_seconds() -> Callable[[Device, int], str]:
    """A clock of whole seconds; the last three digits of QN are a counter."""
    numbers = count()
    return lambda door, device_ms: format_qn(device_ms // 1000 * 1000 + next(numbers) % 1000)


def _delays() -> Callable[[str], float]:
    """A line that takes its time, another one for each upload."""
    times = cycle((0.0, 2.7, 0.4, 1.9, 3.3))
    return lambda kind: next(times)


def _no_log(profile: Profile) -> Profile:
    return replace(profile, declare={**profile.declare, "log": False})


REPEATS = "access/link/repeats-unanswered"
DRIFT = "access/report/drift"
ALARMS = ("dismantle", "dismantle-end", "fault", "fault-end")
SHORT = {DRIFT: Verdict.NOT_APPLICABLE}
UNREAD_CLOCK = dict.fromkeys(
    (
        "access/clock/offset",
        "access/report/latency",
        "access/opening/open-time-true",
        "access/outage/open-time-kept",
    ),
    Verdict.INCONCLUSIVE,
)

#: Whoever opens by card while the exit button is asked for cannot be told from an invented person.
BUTTON = {"access/opening/nobody-invented": Verdict.WARN}

#: Correct devices by what is special about them.
SITES: dict[str, Site] = {
    "reference": Site(observe_s=OBSERVE_S),
    "all-states-with-each-change": Site(door=AllStatesDoor),
    "record-before-change": Site(door=RecordFirstDoor),
    "record-instead-of-change": Site(door=RecordOnlyDoor),
    "timer-jitters-by-2-s": Site(behaviour={"interval_s": _jitter}),
    "aligned-to-the-quarter-hour": Site(behaviour={"interval_s": _to_the_quarter(30.0)}),
    "aligned-with-report-at-connection": Site(behaviour={"interval_s": _to_the_quarter(430.0)}),
    "aligned-without-report-at-connection": Site(
        behaviour={"interval_s": _to_the_quarter(430.0), "skips_report": lambda index: index == 0}
    ),
    "realtime-form": Site(settings={"form": "2011"}),
    "no-log": Site(
        settings={"writes_log": False}, profile=_no_log, may={"access/header/chinese-text": Verdict.NOT_APPLICABLE}
    ),
    "late-changes": Site(
        behaviour={"upload_delay_s": lambda kind: 40.0 if kind == "change" else 0.0},
        may=dict.fromkeys((f"access/alarm/{name}" for name in ALARMS), Verdict.WARN),
    ),
    "reports-overtake-changes": Site(
        behaviour={"upload_delay_s": lambda kind: 40.0 if kind == "change" else 0.0},
        beside=OpenedBeforeReports,
        may=dict.fromkeys((f"access/alarm/{name}" for name in ALARMS), Verdict.WARN),
    ),
    "late-records": Site(behaviour={"upload_delay_s": lambda kind: 50.0 if kind == "record" else 0.0}),
    "late-answers": Site(door=SlowToAnswerDoor),
    "answers-no-request": Site(
        behaviour={"ignored_requests": frozenset({"1011", "3020"})},
        may=UNREAD_CLOCK | {"access/query/state": Verdict.WARN, "access/link/replies-st-91": Verdict.INCONCLUSIVE},
    ),
    "slow-clock-nobody-can-read": Site(
        behaviour={"ignored_requests": frozenset({"1011"}), "clock_error_s": -120.0}, may=UNREAD_CLOCK
    ),
    "wants-no-answers": Site(behaviour={"wants_answer": False}, may={REPEATS: Verdict.INCONCLUSIVE}),
    # Both offer a record again until it is acknowledged, more often than ReCount.
    "connects-for-each-report": Site(station=VisitingStation, may={REPEATS: Verdict.WARN}),
    "leaves-half-open-links": Site(station=VanishingStation, observe_s=OBSERVE_S, may={REPEATS: Verdict.WARN}),
    "ran-for-hours-unheard": Site(ahead_s=7_500.0),
    "falls-shut-by-itself": Site(door=SelfClosingDoor),
    "slow-operator": Site(operator=SlowOperator),
    "slow-operator-all-states": Site(operator=SlowOperator, door=AllStatesDoor),
    "no-exit-button": Site(operator=NoExitButtonOperator, may={"access/opening/nobody-invented": Verdict.INCONCLUSIVE}),
    "used-by-others": Site(beside=Passers),
    "used-by-others-all-states": Site(beside=Passers, door=AllStatesDoor),
    "opened-by-another-inside-an-act": Site(operator=SlowOperator, beside=Visitor, may=BUTTON),
    "opened-by-another-inside-an-act-unread-clock": Site(
        operator=SlowOperator,
        beside=Visitor,
        behaviour={"ignored_requests": frozenset({"1011"})},
        may=UNREAD_CLOCK | BUTTON,
    ),
    "opened-by-another-inside-an-act-late-records": Site(
        operator=SlowOperator,
        beside=Visitor,
        behaviour={"upload_delay_s": lambda kind: 50.0 if kind == "record" else 0.0},
        may=BUTTON,
    ),
    "opened-by-another-between-acts": Site(beside=VisitorBetween),
    "opened-by-another-between-acts-unread-clock": Site(
        beside=VisitorBetween, behaviour={"ignored_requests": frozenset({"1011"})}, may=UNREAD_CLOCK | BUTTON
    ),
    "left-by-exit-button-between-acts": Site(beside=VisitorLeaves),
    "events-restart-the-timer": Site(
        beside=Passers,
        operator=SlowOperator,
        behaviour={"event_restarts_timer": True},
        may={
            "access/report/undisturbed-by-events": Verdict.WARN,
            "access/report/data-time-step": Verdict.INCONCLUSIVE,
            "access/report/arrival-step": Verdict.INCONCLUSIVE,
        },
    ),
    "door-held-open": Site(beside=DoorHeldOpen),
    "door-held-open-all-states": Site(beside=DoorHeldOpen, door=AllStatesDoor),
    "door-held-open-told-by-record": Site(beside=DoorHeldOpen, door=RecordOnlyDoor),
    "clock-of-whole-seconds": Site(behaviour={"qn": _counted_seconds()}),
    "line-that-takes-its-time": Site(behaviour={"upload_delay_s": _delays()}),
    "links-that-do-not-last": Site(beside=ShortLivedLinks),
    "realtime-form-all-states": Site(settings={"form": "2011"}, door=AllStatesDoor),
    "heartbeats": Site(beside=Heartbeats),
    "among-neighbours": Site(beside=Neighbours),
}
