"""A scenario on this machine: in this process, or in one process per core whose results add up to that of the whole.

Station n belongs to process p of P where ``n // N % P == p`` in shard I of N; each process plays its part as a shard
of its own, from the same anchor, so that no byte depends on how many there are.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, Final

from stationgate.exits import EnvironmentFault, Fault, reason
from stationgate.language import Language, _, activate, current

from ..clock import EPOCH
from ..scenario import Scenario
from .fleet import Options, Progress, run_fleet, run_fleet_virtual
from .health import check_descriptors, check_ports
from .result import Counts, FleetResult, merged, summed

__all__ = ["FEW", "GATHER_S", "Plan", "play"]

#: Stations that are not worth a process of their own: on the real clock, and on a virtual one, where nothing waits.
FEW: Final = 500
FEW_VIRTUAL: Final = 25
#: How long processes are waited for until all are ready to begin, and after they were told to end.
GATHER_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is played, and how.

    Attributes:
        scenario: The scenario.
        part: Index of the shard, from 0, and number of shards.
        virtual: On a virtual clock, in memory.
        processes: How many; ``None``: one per core, fewer for few stations.
        ledger: File for the ledger.
        closed_loop: Whether a station reports again as soon as it is answered.
        anchor: POSIX seconds of this machine's clock at which the scenario starts; ``None``: now.
        resume_at: Run time from which another run is taken over.
    """

    scenario: Scenario
    part: tuple[int, int] = (0, 1)
    virtual: bool = False
    processes: int | None = None
    ledger: Path | None = None
    closed_loop: bool = False
    anchor: float | None = None
    resume_at: float | None = None

    @property
    def stations(self) -> int:
        """Stations of this shard."""
        index, of = self.part
        return len(range(index, self.scenario.count, of))

    def process_count(self) -> int:
        """Return in how many processes it is played."""
        if self.processes is not None:
            return self.processes
        return max(1, min(os.cpu_count() or 1, self.stations // (FEW_VIRTUAL if self.virtual else FEW)))

    def share(self, number: int, of: int) -> Plan:
        """Return the part of one process."""
        index, shards = self.part
        ledger = self.ledger
        if ledger is not None and of > 1:
            ledger = ledger.with_name(f"{ledger.name}.{number}")
        return replace(self, part=(index + shards * number, shards * of), processes=1, ledger=ledger)


def play(plan: Plan, show: Progress = lambda counts: None) -> FleetResult:
    """Play a scenario on this machine.

    Args:
        show: Told where the run stands, about twice a second.

    Raises:
        EnvironmentFault: If it cannot be played here, or a process of it died.
    """
    count = plan.process_count()
    if count == 1:
        return _play_alone(plan, show)
    if not plan.virtual:
        # Here, so that no process has begun when another one finds that it may not.
        check_ports(plan.stations, len(plan.scenario.target.sources))
        check_descriptors(max(plan.share(number, count).stations for number in range(count)))
    return _Processes(plan, count, show).play()


def _play_alone(plan: Plan, show: Progress, stop: Callable[[], bool] | None = None) -> FleetResult:
    options = Options(
        part=plan.part,
        progress=show,
        ledger=plan.ledger,
        anchor=plan.anchor,
        epoch=_epoch(plan),
        resume_at=plan.resume_at,
        closed_loop=plan.closed_loop,
        stop=stop,
    )
    return (run_fleet_virtual if plan.virtual else run_fleet)(plan.scenario, options)


def _epoch(plan: Plan) -> float | None:
    """Return what the clock of the scenario shows at its start, where that does not depend on when it is played."""
    if plan.scenario.epoch is not None:
        return plan.scenario.epoch
    if plan.virtual:
        return EPOCH
    return None if plan.anchor is None else round(plan.anchor, 3)


class _Processes:
    """The processes of a run, from the one that started them."""

    def __init__(self, plan: Plan, count: int, show: Progress) -> None:
        self._plan = plan
        self._show = show
        self._context = multiprocessing.get_context("spawn")
        self._plans = [plan.share(number, count) for number in range(count)]
        self._pipes: list[Connection] = []
        self._children: list[Any] = []
        self._counts = [Counts() for _ in range(count)]
        self._results: dict[int, FleetResult] = {}
        self._faults: list[BaseException] = []

    def play(self) -> FleetResult:
        try:
            self._start()
            self._gather()
        except BaseException:
            self._tell("stop")
            with suppress(KeyboardInterrupt):
                self._gather(GATHER_S)
            raise
        finally:
            self._end()
            failure = self._join_ledgers()
        if self._faults:
            raise self._faults[0]
        result = merged(self._results[number] for number in sorted(self._results))
        return replace(result, degraded=True, reasons=(*result.reasons, failure)) if failure else result

    def _start(self) -> None:
        with _no_interrupt():
            for plan in self._plans:
                ours, theirs = self._context.Pipe()
                child = self._context.Process(target=_child, args=(theirs, plan, current()), daemon=True)
                child.start()
                theirs.close()
                self._pipes.append(ours)
                self._children.append(child)
        deadline = time.monotonic() + GATHER_S
        for pipe in self._pipes:
            if not pipe.poll(max(0.0, deadline - time.monotonic())):
                raise EnvironmentFault(_("a process of the run did not begin within {s} s").format(s=f"{GATHER_S:g}"))
            pipe.recv()  # it is ready
        anchor = self._plan.anchor if self._plan.anchor is not None else time.time()
        self._tell(anchor)

    def _tell(self, what: object) -> None:
        for pipe in self._pipes:
            with suppress(OSError):  # it is gone; that is told elsewhere
                pipe.send(what)

    def _gather(self, limit_s: float | None = None) -> None:
        """Take what the processes tell until all are done."""
        deadline = None if limit_s is None else time.monotonic() + limit_s
        open_pipes = {pipe: n for n, pipe in enumerate(self._pipes) if n not in self._results and not pipe.closed}
        while open_pipes:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return
            for pipe in wait(list(open_pipes), left):
                assert isinstance(pipe, Connection)
                self._take(pipe, open_pipes)

    def _take(self, pipe: Connection, open_pipes: dict[Connection, int]) -> None:
        number = open_pipes[pipe]
        try:
            told = pipe.recv()
        except (EOFError, OSError):
            del open_pipes[pipe]
            if number not in self._results:
                self._faults.append(
                    EnvironmentFault(_("process {number} of the run died; the others were ended").format(number=number))
                )
                self._tell("stop")
            return
        if isinstance(told, Counts):
            self._counts[number] = told
            self._show(summed(self._counts))
        elif isinstance(told, FleetResult):
            self._results[number] = told
            del open_pipes[pipe]
        else:
            self._faults.append(told)
            del open_pipes[pipe]
            self._tell("stop")

    def _end(self) -> None:
        for pipe in self._pipes:
            pipe.close()
        for child in self._children:
            child.join(GATHER_S)
            if child.is_alive():
                child.terminate()
                child.join()

    def _join_ledgers(self) -> str:
        """Put the ledgers of the processes behind each other: they are sections of one. Tell what went wrong."""
        whole = self._plan.ledger
        if whole is None or len(self._plans) == 1:
            return ""
        parts = [plan.ledger for plan in self._plans if plan.ledger is not None and plan.ledger.exists()]
        if not parts:
            return ""  # no process has begun
        try:
            with whole.open("ab") as target:
                for part in parts:
                    before = target.tell()
                    try:
                        with part.open("rb") as source:
                            shutil.copyfileobj(source, target)
                        target.flush()
                    except OSError:
                        os.ftruncate(target.fileno(), before)  # the part stays, so that none of it is there twice
                        raise
                    part.unlink()
        except OSError as error:
            return _("the ledger {file} is not complete: {why}; its parts are {file}.0 and so on").format(
                file=whole, why=reason(error)
            )
        return ""


@contextmanager
def _no_interrupt() -> Iterator[None]:
    """Hold Ctrl-C back, also in processes that begin meanwhile: each lets it in again when it is ready for it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Started by the first process that is spawned, it would let Ctrl-C in again in the middle of this.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _child(pipe: Connection, plan: Plan, language: Language) -> None:
    """Play one part: the main function of a process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of a terminal; the first process tells the others
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    activate(language)
    pipe.send("ready")
    try:
        anchor = pipe.recv()
        if anchor == "stop":
            return
        over = False

        def stop() -> bool:
            nonlocal over
            try:
                over = over or bool(pipe.poll() and pipe.recv() == "stop")
            except (EOFError, OSError):
                over = True  # whoever started this process is gone
            return over

        def tell(counts: Counts) -> None:
            with suppress(OSError):
                pipe.send(counts)

        pipe.send(_play_alone(replace(plan, anchor=anchor), tell, stop))
    except Fault as fault:
        pipe.send(fault)
    except (EOFError, OSError, KeyboardInterrupt):
        return
