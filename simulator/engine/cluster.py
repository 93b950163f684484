"""A scenario on a Dask cluster: shards as tasks, leases renewed through the scheduler, whatever is lost taken over.

Dask is asked for what it is good at: it carries a task to the worker that is named, and messages to workers wherever
they are. What becomes of a shard when its worker is lost is decided here and nowhere else, because Dask would begin it
anew at once, and the old one may still be alive: each stint of a shard is a task of its own (``pure=False``, no
retries), bound to one worker. A task whose worker is lost finds no other that it may run on, so ``allowed-failures``
of the scheduler never decides anything, whatever it is set to.
"""

from __future__ import annotations

import asyncio
import importlib
import math
import time
import uuid
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from stationgate import __version__
from stationgate.exits import EnvironmentFault, ExitCode, Fault, UsageFault
from stationgate.language import _, current

from .collecting import Part, join
from .fleet import Progress
from .lease import LEASE_S, RENEWALS, Succession
from .processes import Plan
from .result import Counts, FleetResult, merged, summed
from .roster import Posting, ShardState, Worker, is_loopback
from .stint import Answer, Assignment, Order, beat, pack, play, steady, version

__all__ = ["MAX_SHARDS", "Cluster", "play_on_cluster"]

#: Shards of a run: each costs the scheduler and this process a message every fifth of a lease.
MAX_SHARDS: Final = 512
#: How long the scheduler and a first worker are waited for.
CONNECT_S: Final = 20.0
#: How long a task may take to begin on a worker that answers: all its threads may be taken by something else.
BEGIN_S: Final = 60.0
#: How long a worker is waited for that can take over a shard.
WORKERS_S: Final = 60.0
#: How often a shard may be taken over, and be begun at all: one that kills its workers is not to kill them all.
MAX_TAKEOVERS: Final = 10
MAX_STINTS: Final = 100
#: How long before the scenario begins everything is handed out.
LEAD_S: Final = 2.0
#: How often it is looked who is to be beaten, and how soon again where something is about to begin or to end.
TURN_S: Final = 0.05
SOON_S: Final = 0.1
#: How often the list of workers is asked for, and progress is told.
LOOK_S: Final = 2.0
TELL_S: Final = 0.5
#: How the scheduler calls it that the connection of a worker was closed, and not for instance that it was not heard of.
_CLOSED: Final = "handle-worker-cleanup"
#: Errors of a task that say no more than that its worker is gone, or that it is not wanted any more.
_LOST: Final = ("KilledWorker", "CancelledError", "FutureCancelledError")
#: How long the shards are waited for after they were told to end, and for the rest of a ledger.
STOP_S: Final = 15.0
COLLECT_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where and how a scenario is played.

    Attributes:
        scheduler: Address of the scheduler.
        shards: How many; ``None``: as many as the workers have threads.
        lease_s: Length of a lease.
    """

    scheduler: str
    shards: int | None = None
    lease_s: float = LEASE_S


def play_on_cluster(plan: Plan, cluster: Cluster, show: Progress = lambda counts: None) -> FleetResult:
    """Play a scenario on a cluster.

    Ctrl-C ends all shards and collects their ledgers, at most for :data:`STOP_S`; then it is raised. Where this process
    is killed, the shards end with their leases.

    Args:
        plan: What is played; its ``part``, ``processes`` and ``resume_at`` mean nothing here.
        cluster: Where.
        show: Told where the run stands, about twice a second.

    Raises:
        UsageFault: If Dask is not installed here.
        EnvironmentFault: If there is no such scheduler, no worker, or a shard cannot be played.
    """
    try:
        distributed = importlib.import_module("distributed")
    except ImportError as error:
        raise UsageFault(
            _("the engine dask needs the library dask[distributed]"), "pip install 'stationgate[cluster]'"
        ) from error
    with asyncio.Runner() as runner:
        return runner.run(_Run(plan, cluster, show).play(distributed))


class _Run:
    """A run on a cluster, from the process that wants it: the only one that grants leases."""

    def __init__(self, plan: Plan, cluster: Cluster, show: Progress) -> None:
        self.plan = plan
        self.cluster = cluster
        self.name = f"simulator-{uuid.uuid4().hex[:12]}"
        self.beat_s = cluster.lease_s / RENEWALS
        self.anchor = 0.0
        self.epoch = 0.0
        self.shards: list[ShardState] = []
        self.workers: dict[str, Worker] = {}
        self.stopping = False
        self.fault: Fault | None = None
        self.reasons: list[str] = []
        self.notes: list[str] = []
        self._show = show
        self._client: Any = None
        self._packed = pack(plan.scenario)
        self._told_at = self._looked_at = float("-inf")
        self._tasks: set[asyncio.Task[Any]] = set()

    def _start(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Do something beside the turns, which nothing may hold up: leases depend on them."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # From beginning to end

    async def play(self, distributed: Any) -> FleetResult:
        try:
            self._client = await distributed.Client(
                self.cluster.scheduler, asynchronous=True, set_as_default=False, timeout=CONNECT_S, name="simulator"
            )
        except (OSError, ValueError) as error:
            raise EnvironmentFault(
                _("there is no Dask scheduler at {address}").format(address=self.cluster.scheduler),
                _("start one with: dask scheduler"),
            ) from error
        try:
            await self._begin()
            await self._run()
        except BaseException:
            await self._stop()
            raise
        finally:
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            with suppress(Exception):
                await self._client.close(timeout=5)
            self._join_ledgers()
        if self.fault is not None:
            raise self.fault
        return self._result()

    async def _begin(self) -> None:
        deadline = steady() + CONNECT_S
        await self._look()
        while not self.workers:
            if self.fault is not None:
                raise self.fault
            if steady() > deadline:
                raise EnvironmentFault(
                    _("the scheduler {address} has no workers").format(address=self.cluster.scheduler),
                    _("start some with: dask worker {address}").format(address=self.cluster.scheduler),
                )
            await asyncio.sleep(SOON_S)
            await self._look()
        await self._check_versions()
        self._client.subscribe_topic("all", self._on_event)
        threads = sum(worker.threads for worker in self.workers.values())
        wanted = self.cluster.shards or max(1, min(threads, self.plan.scenario.count))
        if wanted > MAX_SHARDS:
            raise EnvironmentFault(
                _("{count} shards are too many; {limit} at most").format(count=wanted, limit=MAX_SHARDS)
            )
        self.anchor = time.time() + LEAD_S if self.plan.anchor is None else self.plan.anchor
        epoch = self.plan.scenario.epoch
        self.epoch = round(self.anchor, 3) if epoch is None else epoch
        self.shards = [ShardState(index, Succession(self.cluster.lease_s)) for index in range(wanted)]
        for shard in self.shards:
            self._hand_out(shard)
        self._note_loopback()

    async def _check_versions(self) -> None:
        answers = await self._client.run(version, workers=list(self.workers), on_error="return")
        for address, answer in answers.items():
            if answer != __version__:
                why = _("it has version {version}").format(version=answer) if isinstance(answer, str) else str(answer)
                raise EnvironmentFault(
                    _("the worker {worker} cannot play a scenario: {why}").format(worker=address, why=why),
                    _("install this version everywhere: pip install 'stationgate[cluster]=={version}'").format(
                        version=__version__
                    ),
                )

    def _note_loopback(self) -> None:
        """Say it where the workers are elsewhere, and the platform is asked for on loopback."""
        elsewhere = not all(is_loopback(worker.host) for worker in self.workers.values())
        if elsewhere and is_loopback(self.plan.scenario.target.host):
            self.notes.append(
                _("the target is a loopback address: each worker looked for the platform on its own machine")
            )

    async def _run(self) -> None:
        """Take turns until all shards are done and what they wrote is here."""
        over_at: float | None = None
        while True:
            self._turn()
            if self.fault is not None:
                await self._stop()
                return
            if all(shard.done for shard in self.shards):
                over_at = over_at or steady()
                if self._all_fetched() or steady() - over_at > COLLECT_S:
                    return
            await asyncio.sleep(TURN_S)

    async def _stop(self) -> None:
        """Tell all shards to end, and fetch what they wrote, as long as they answer."""
        self.stopping = True
        deadline = steady() + STOP_S
        for worker in self.workers.values():
            worker.beat_at = 0.0
        while steady() < deadline and not self._all_fetched():
            self._turn()
            await asyncio.sleep(TURN_S)

    def _all_fetched(self) -> bool:
        """Tell whether no worker that answers has anything left."""
        now = steady()
        return not any(
            not stint.forgotten
            for worker in self.workers.values()
            if not worker.gone and not worker.silent(now, self.beat_s)
            for stint in worker.stints
        )

    def _turn(self) -> None:
        now = steady()
        if now - self._looked_at > LOOK_S and not self.stopping:
            self._looked_at = math.inf  # until it is over
            self._start(self._look())
        for worker in list(self.workers.values()):
            self._beat(worker, now)
        if not self.stopping:
            for shard in self.shards:
                self._look_after(shard, now)
        if now - self._told_at > TELL_S and self.shards:
            self._told_at = now
            self._show(self._counts())

    # Workers

    async def _look(self) -> None:
        """Ask who is there."""
        try:
            there: dict[str, int] = await asyncio.wait_for(self._client.nthreads(), CONNECT_S)
        except (OSError, TimeoutError, ValueError):
            self.fault = self.fault or EnvironmentFault(
                _("the scheduler {address} is gone").format(address=self.cluster.scheduler),
                _("the shards end by themselves, with their leases"),
            )
            return
        self._looked_at = steady()
        for address, threads in there.items():
            if address not in self.workers or self.workers[address].gone:
                self.workers[address] = Worker(address, max(1, threads))
        for address, worker in self.workers.items():
            worker.gone = worker.gone or address not in there

    def _on_event(self, event: tuple[float, Any]) -> None:
        """Take note of what the scheduler tells of its workers."""
        message = event[1]
        if not isinstance(message, dict) or message.get("action") != "remove-worker":
            return
        worker = self.workers.get(message.get("worker", ""))
        if worker is None:
            return
        worker.gone = True
        if not str(message.get("stimulus_id", "")).startswith(_CLOSED):
            return  # it was removed for another reason, and may be alive: its leases have to expire
        now = steady()
        for stint in worker.stints:
            if not stint.ended:
                self._shard_of(stint).succession.closed(stint.assignment.number, now)

    def _shard_of(self, stint: Posting) -> ShardState:
        return self.shards[stint.assignment.shard]

    def _free_worker(self, now: float) -> Worker | None:
        """Return the worker with the fewest shards for its threads that answers; ``None`` if none does."""
        there = [w for w in self.workers.values() if not w.gone and not w.silent(now, self.beat_s)]
        return min(there, key=lambda w: (sum(not s.ended for s in w.stints) / w.threads, w.address), default=None)

    # Stints

    def _hand_out(self, shard: ShardState) -> bool:
        """Begin a stint of a shard on a worker; it waits there for its grant. Return whether there is a worker."""
        now = steady()
        worker = self._free_worker(now)
        if worker is None:
            return False
        number = shard.succession.propose()
        assignment = Assignment(
            run=self.name,
            shard=shard.index,
            of=len(self.shards),
            number=number,
            anchor=self.anchor,
            epoch=self.epoch,
            lease_s=self.cluster.lease_s,
            with_ledger=self.plan.ledger is not None,
            closed_loop=self.plan.closed_loop,
            language=current(),
        )
        ledger = self.plan.ledger
        part = None if ledger is None else Part(ledger.with_name(f"{ledger.name}.{shard.index}-{number}"))
        stint = Posting(assignment, worker, now, part)
        shard.stints[number] = stint
        worker.stints.append(stint)
        stint.task = self._start(self._bring(stint))
        return True

    async def _bring(self, stint: Posting) -> None:
        """Bring a stint to its worker: the scenario once, then the task."""
        worker = stint.worker
        if worker.packed is None:
            data = self._client.scatter(self._packed, workers=[worker.address], hash=False)
            worker.packed = self._start(data)
        try:
            packed = await asyncio.shield(worker.packed)
        except Exception:  # the worker or the scheduler is gone, which shows elsewhere
            worker.gone = True
            return
        stint.future = self._client.submit(
            play,
            stint.assignment,
            packed,
            key=stint.assignment.name,
            pure=False,
            retries=0,
            workers=[worker.address],
            allow_other_workers=False,
        )
        worker.beat_at = 0.0
        error = await stint.future.exception()
        if error is not None and not worker.gone and type(error).__name__ not in _LOST:
            what = f"{type(error).__name__}: {error}"
            where = _("shard {shard} on {worker}: {what}")
            self.fault = EnvironmentFault(where.format(shard=stint.place, worker=worker.address, what=what))

    def _look_after(self, shard: ShardState, now: float) -> None:
        """Have a successor ready where the holder is not heard of, and see that the one that waits can be."""
        if shard.done:
            return
        latest, holder = shard.latest, shard.holder
        if latest is not None and latest is not holder:
            if not self._is_lost(latest, now):
                if not latest.known and now - latest.began_at > BEGIN_S:
                    self.fault = self._not_begun(latest)
                return
        elif holder is not None and not shard.succession.lapsed(now) and not self._is_lost(holder, now):
            return
        if holder is not None:
            shard.why = shard.why or self._why(holder)
        if shard.takeovers >= MAX_TAKEOVERS or len(shard.stints) >= MAX_STINTS:
            self.fault = EnvironmentFault(
                _("shard {shard} lost its worker too often: {why}").format(
                    shard=f"{shard.index}/{len(self.shards)}", why=shard.why or "?"
                ),
                _("look into the logs of the workers: memory, time limits"),
            )
            return
        if self._hand_out(shard):
            shard.wanted_at = None
            return
        shard.wanted_at = shard.wanted_at or now
        if now - shard.wanted_at > WORKERS_S:
            self.fault = EnvironmentFault(
                _("no worker is left for shard {shard}").format(shard=f"{shard.index}/{len(self.shards)}"),
                _("start more workers"),
            )

    def _is_lost(self, stint: Posting, now: float) -> bool:
        return stint.ended or stint.worker.gone or stint.worker.silent(now, self.beat_s)

    def _not_begun(self, stint: Posting) -> Fault:
        return EnvironmentFault(
            _("shard {shard} did not begin on {worker} within {s} s").format(
                shard=stint.place, worker=stint.worker.address, s=f"{BEGIN_S:g}"
            ),
            _("something else takes all threads of the worker"),
        )

    def _why(self, stint: Posting) -> str:
        if stint.ended:
            return _("its worker was told to end, or its lease had expired")
        if stint.worker.gone:
            return _("its worker left the cluster")
        return _("its worker did not answer any more")

    # Beats

    def _beat(self, worker: Worker, now: float) -> None:
        """Beat the stints of a worker, one beat at a time."""
        if worker.gone:
            for stint in worker.stints:
                stint.release()
            return
        if worker.asked is not None or now < worker.beat_at:
            return
        orders = {stint.assignment.name: self._order(stint, now) for stint in worker.stints if not stint.forgotten}
        if not orders:
            return
        worker.asked_at = now
        worker.beat_at = now + self.beat_s
        worker.asked = self._start(self._ask(worker, orders))

    def _order(self, stint: Posting, now: float) -> Order:
        shard, number = self._shard_of(stint), stint.assignment.number
        held_before = shard.succession.holder
        confirmed = None if self.stopping or stint.ended else shard.succession.confirm(number, now)
        resume_at: float | None = None
        if confirmed is not None and held_before not in (0, number):
            self._taken_over(shard, held_before)
        if held_before != 0 and number > 1:
            resume_at = shard.settled_s
        return Order(
            confirmed=confirmed,
            resume_at=resume_at,
            stop=self.stopping or shard.done or number not in (shard.succession.holder, shard.succession.latest),
            received=stint.part.size if stint.part is not None else 0,
            forget=stint.collected,
        )

    def _taken_over(self, shard: ShardState, before: int) -> None:
        """Write down that a shard goes on with another stint."""
        shard.takeovers += 1
        stint = shard.stints[before]
        self.reasons.append(
            _("shard {shard} was taken over from {worker} at {at} s, all of it from {resume} s on: {why}").format(
                shard=stint.place,
                worker=stint.worker.address,
                at=f"{time.time() - self.anchor:.1f}",
                resume=f"{shard.settled_s:.1f}",
                why=shard.why or self._why(stint),
            )
        )
        shard.why = ""

    async def _ask(self, worker: Worker, orders: dict[str, Order]) -> None:
        """Carry a beat to a worker through the scheduler, and take in what it answers."""
        try:
            answers = await self._client.run(beat, orders, workers=[worker.address], on_error="return")
            answer = answers.get(worker.address)
        except Exception:  # whatever it is: it was not heard
            answer = None
        now = steady()
        worker.asked = None
        if not isinstance(answer, dict):
            return
        for stint in worker.stints:
            name = stint.assignment.name
            if name in orders:
                self._hear(stint, answer.get(name), orders[name], now)
        worker.stints = [stint for stint in worker.stints if not stint.forgotten]
        if any(self.stopping or self._shard_of(stint).is_urgent(stint) for stint in worker.stints):
            worker.beat_at = min(worker.beat_at, now + SOON_S)

    def _hear(self, stint: Posting, answer: Answer | None, order: Order, now: float) -> None:
        """Take in what a stint answered; ``None``: its worker does not know it, yet or any more."""
        shard = self._shard_of(stint)
        if answer is None:
            stint.forgotten = stint.known or self.stopping
            return
        shard.hear(stint, answer, order, now)
        if answer.fault is not None and self.fault is None and not self.stopping and stint is shard.latest:
            sentence, hint, code = answer.fault
            kind = UsageFault if code == ExitCode.USAGE else EnvironmentFault
            where = _("shard {shard} on {worker}: {what}")
            self.fault = kind(where.format(shard=stint.place, worker=stint.worker.address, what=sentence), hint)

    # Sums

    def _parts(self) -> Iterator[FleetResult]:
        for shard in self.shards:
            yield from shard.results()

    def _counts(self) -> Counts:
        counts = summed(part.counts for part in self._parts())
        counts.stations = self.plan.scenario.count
        counts.at_s = max(0.0, time.time() - self.anchor)
        return counts

    def _result(self) -> FleetResult:
        whole = merged(self._parts())
        for shard in self.shards:
            for stint in shard.stints.values():
                part = stint.part
                if part is not None and stint.known and not part.complete:
                    self.reasons.append(
                        _("the ledger of shard {shard} on {worker} could not be fetched to its end{why}").format(
                            shard=stint.place, worker=stint.worker.address, why=f": {part.why}" if part.why else ""
                        )
                    )
        return replace(
            whole,
            degraded=whole.degraded or bool(self.reasons),
            reasons=tuple(dict.fromkeys((*self.reasons, *whole.reasons))),
            notes=tuple(dict.fromkeys((*self.notes, *whole.notes))),
        )

    def _join_ledgers(self) -> None:
        if self.plan.ledger is None:
            return
        parts = [stint.part for shard in self.shards for stint in shard.stints.values() if stint.part is not None]
        why = join(parts, self.plan.ledger)
        if why:
            self.reasons.append(_("the ledger {file} is not complete: {why}").format(file=self.plan.ledger, why=why))
