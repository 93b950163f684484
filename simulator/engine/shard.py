"""The stations of one shard on one event loop: switched on, alive, at the mercy of events, switched off, summed up."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Final, cast

from ..ledger import LedgerWriter
from ..personalities.camera import Camera
from ..personalities.kinds import GB28181
from ..scenario import Member, Scenario
from .books import Books
from .happenings import happenings
from .line import Core, Line
from .links import open_link
from .result import Counts
from .sip_line import SipLine, SipSockets
from .timers import NEVER, Timers
from .writing import Faulty, FaultyWriter

__all__ = ["CONNECTING", "CONNECT_TIMEOUT_S", "Builder", "Shard"]

#: Connections being opened at a time: more would only fill the platform's backlog.
CONNECTING: Final = 256
#: A connection that is not there after this long is not coming.
CONNECT_TIMEOUT_S: Final = 10.0

#: How long links may take to close; then they are cut.
CLOSE_S: Final = 2.0
#: How often it is looked whether everything is answered, or closed, at the end.
DRAIN_STEP_S: Final = 0.02

#: Builds the station of a member: (member, run time it is switched on, run time it is taken over or ``None``).
Builder = Callable[[Member, float, float | None], Core]


class _SwitchOn:
    """A station that is not there yet: all that is kept until its time has come."""

    __slots__ = ("armed", "at", "line", "member", "shard")

    def __init__(self, shard: Shard, member: Member, at: float) -> None:
        self.shard = shard
        self.member = member
        self.at = at
        self.armed = NEVER

    def alarm(self, now: float) -> None:
        self.shard.switch_on(self.member, self.at)


def _itself(line: Line) -> Line:
    return line


class Shard:
    """Drives a part of a scenario's stations.

    Args:
        scenario: What is played.
        builder: Returns what builds stations: called with the scenario, the epoch and the witness.
        part: Index of the shard, from 0, and how many there are.
        base: Time of the running loop at which run time is 0; in the past where the shard joins late.
        epoch: POSIX seconds of the scenario's start.
        target: Host and port of the HJ 212 platform.
        sip_target: Host and port of the GB/T 28181 platform.
        ledger: Where messages are written down.
        resume_at: Run time from which stations are taken over; what was due before is not told again.
        closed_loop: Whether a station reports again as soon as everything is answered, once all of them are linked.
        gate: Asked before anything is written and before a link is opened whether that may be.
        failed: Told why a connection could not be opened.
    """

    def __init__(
        self,
        scenario: Scenario,
        builder: Callable[[Scenario, float, Books], Builder],
        *,
        part: tuple[int, int] = (0, 1),
        base: float,
        epoch: float,
        target: tuple[str, int],
        sip_target: tuple[str, int] = ("", 0),
        ledger: LedgerWriter | None = None,
        resume_at: float | None = None,
        closed_loop: bool = False,
        gate: Callable[[], bool] = lambda: True,
        failed: Callable[[BaseException], None] = lambda error: None,
    ) -> None:
        self.scenario = scenario
        self.seed = scenario.seed
        self.epoch = epoch
        self.target = target
        self.sip_target = sip_target
        self.sockets = SipSockets(sip_target, scenario.sip.devices_per_socket)
        self.part = part
        self.timers = Timers(asyncio.get_running_loop(), base, scenario.duration_s, gate)
        self.joined_at = max(0.0, self.timers.now())
        self.books = Books(epoch, ledger, self.joined_at)
        self.lines: dict[str, Line] = {}
        self.resume_at = resume_at
        self.closed_loop = False  #: whether stations report as soon as they are answered, now that all are linked
        self.gate = gate
        self._loop_wanted = closed_loop
        self.stopped = False
        self._settled_s = NEVER  # where it stood when it was stopped
        self.linked_at_end = 0
        self.first_on: float | None = None  #: when the first station was switched on
        self._failed = failed
        self._build = builder(scenario, epoch, self.books)
        self._dialling: deque[Line] = deque()
        self._attempts: set[asyncio.Task[None]] = set()
        index, of = part
        self._count = len(range(index, scenario.count, of))

    # Life

    def start(self) -> None:
        """Set everything in motion that the scenario wants."""
        for member in self.scenario.members(*self.part):
            at = self.scenario.switch_on_s(member)
            if at < self.scenario.duration_s:
                self.timers.arm(_SwitchOn(self, member, at), at)
        if self.scenario.event:
            for happening in happenings(self.scenario, list(self.scenario.members(*self.part)), self):
                self.timers.arm(happening, happening.at)

    def switch_on(self, member: Member, at: float) -> None:
        """Switch a station on, as of run time ``at``."""
        if self.stopped:
            return
        if self.first_on is None:
            self.first_on = at
        core = self._build(member, at, self.resume_at)
        source = self._source(member)
        line = SipLine(core, self, source) if isinstance(core, Camera) else Line(core, self, source)
        if getattr(core, "has_faulty_link", False):
            line.writer = FaultyWriter(line, cast(Faulty, core), self.timers, self.seed, self.books)
        self.lines[member.identity] = line
        line.start()

    def _source(self, member: Member) -> str:
        scenario = self.scenario
        sources = scenario.sip.sources if member.group.protocol == GB28181 else scenario.target.sources
        return sources[member.number % len(sources)] if sources else ""

    @property
    def complete(self) -> bool:
        """Whether every station is switched on."""
        return len(self.lines) == self._count

    def line_of(self, identity: str) -> Line | None:
        """Return the line of a station, ``None`` as long as it was not switched on."""
        return self.lines.get(identity)

    async def drain(self, limit_s: float, *, all_of_it: bool, early: Callable[[], bool]) -> None:
        """Wait until all that was due before the end is done, and what is under way is answered, but not for long.

        Args:
            limit_s: How long at the most.
            all_of_it: Whether what waits for a link is waited for as well.
            early: Asked whether to wait no longer.
        """
        self.closed_loop = False
        end = self.timers.loop_time() + limit_s
        while self.timers.loop_time() < end and not early():
            if self.timers.over and not (self.books.open if all_of_it else self._awaiting):
                return
            await asyncio.sleep(DRAIN_STEP_S)

    @property
    def _awaiting(self) -> bool:
        """Whether an answer is awaited."""
        return any(line.linked and line.core.in_flight for line in self.lines.values())

    async def stop(self) -> None:
        """End every link and whatever is under way."""
        self._settled_s = self.settled_s()  # what is not told yet is forgotten with the timers
        self.stopped = True
        self.timers.close()
        self._dialling.clear()
        for task in self._attempts:
            task.cancel()
        await asyncio.gather(*self._attempts, return_exceptions=True)
        self.linked_at_end = self.linked
        for line in self.lines.values():
            line.close()
        end = self.timers.loop_time() + CLOSE_S
        while self.linked and self.timers.loop_time() < end:
            await asyncio.sleep(DRAIN_STEP_S)
        for line in self.lines.values():
            line.abort()
        self.sockets.close()
        await asyncio.sleep(0)  # the links are told

    @property
    def linked(self) -> int:
        """How many stations have a link."""
        return sum(line.linked for line in self.lines.values())

    # Links

    def dial(self, line: Line) -> None:
        """Connect a line soon."""
        if self.stopped:
            return
        self._dialling.append(line)
        if len(self._attempts) < CONNECTING:
            task = asyncio.get_running_loop().create_task(self._connect())
            self._attempts.add(task)
            task.add_done_callback(self._attempts.discard)

    async def _connect(self) -> None:
        """Open connections as long as any are wanted."""
        while self._dialling:
            line = self._dialling.popleft()
            if line.off or line.out_of_reach or not line.waits or not self.gate():
                continue
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    await self._open(line)
            except (OSError, TimeoutError) as error:
                self._failed(error)
                line.failed()
        if self._loop_wanted and not self.closed_loop and self.complete and self._reporters_linked:
            self._begin_loop()

    @property
    def _reporters_linked(self) -> bool:
        """Whether every station that can report in a closed loop has a link; cameras keep to their own interval."""
        return all(line.linked for line in self.lines.values() if not isinstance(line, SipLine))

    def _begin_loop(self) -> None:
        """Let every station report again as soon as it is answered, now that all are there."""
        self.closed_loop = True
        now = self.timers.now()
        for line in self.lines.values():
            line.core.report_now(now)
            line.flush()

    async def _open(self, line: Line) -> None:
        """Open a connection for a line, or find it a seat at a socket."""
        host, port = self.target
        if isinstance(line, SipLine):
            if self.scenario.sip.transport == "udp":
                await self.sockets.seat(line)
                return
            host, port = self.sip_target
        await open_link(partial(_itself, line), host, port, line.source)

    # Sums

    def settled_s(self) -> float:
        """Return the run time before which everything was told, and answered or given up by its station."""
        return max(0.0, min(self.books.settled_s(), self.timers.next_at, self.timers.now(), self._settled_s))

    def counts(self) -> Counts:
        """Return where the shard stands now."""
        books = self.books
        lines: Iterable[Line] = self.lines.values()
        found = Counts(
            at_s=self.timers.now(),
            stations=self._count,
            switched_on=len(self.lines),
            messages=books.messages,
            acknowledged=books.acknowledged,
            dropped=books.dropped_count,
            late_s=books.late_s,
            settled_s=self.settled_s(),
            faults=dict(books.faults),
        )
        for line in lines:
            found.connected += line.connects > 0
            found.linked += line.linked
            found.registered += isinstance(line, SipLine) and line.connects > 0
            found.failures += line.failures
        return found

    def digest(self) -> int:
        """Return the XOR over all stations of SHA-256(identity + every byte emitted)."""
        total = 0
        for member in self.scenario.members(*self.part):
            line = self.lines.get(member.identity)
            if line is not None:
                total ^= line.digest
            else:
                total ^= int.from_bytes(hashlib.sha256(member.identity.encode()).digest())
        return total
