"""A shard on a worker of a cluster: one stint of it, from the grant of its lease to its end.

The task (:func:`play`) runs in a thread of the worker. Beats (:func:`beat`) come through the scheduler and run on the
worker's event loop; they bring orders and renew the lease, and take back where the stint stands and a piece of its
ledger. Nothing else goes to and fro.
"""

from __future__ import annotations

import importlib
import pickle
import threading
import time
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stationgate import __version__
from stationgate.exits import ExitCode, Fault
from stationgate.language import Language, activate

from ..scenario import Scenario
from .fleet import HEARTBEAT_S, Options, open_files, run_fleet
from .health import check_descriptors
from .lease import Lease
from .result import FleetResult

__all__ = [
    "ALONE_S",
    "DRAIN_S",
    "PIECE_BYTES",
    "Answer",
    "Assignment",
    "Order",
    "Stint",
    "beat",
    "pack",
    "play",
    "steady",
    "version",
]

#: A piece of a ledger in an answer. A shard of 18,000 stations with half-minute reports writes 200 KB a second.
PIECE_BYTES: Final = 512 * 1024
#: How long a stint that is not granted anything, or has ended, waits for a beat before it thinks that nobody is there.
ALONE_S: Final = 60.0
#: How long after the end of the scenario what was held up by a takeover may still be told.
DRAIN_S: Final = 10.0
#: A worker in another state than these is on its way out: it has lost its scheduler, or was told to end.
_AT_WORK: Final = ("running", "paused")


#: The clock that goes on while the machine is suspended, where the system has one.
_BOOTTIME: Final = getattr(time, "CLOCK_BOOTTIME", None)


def steady() -> float:
    """Return seconds of a clock that only goes forward, and goes on while the machine is suspended if there is one."""
    return time.monotonic() if _BOOTTIME is None else time.clock_gettime(_BOOTTIME)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """What a stint is to play.

    Attributes:
        run: Name of the run, unique.
        shard: Index of the shard, from 0.
        of: Number of shards.
        number: Number of the stint, from 1.
        anchor: POSIX seconds on the machines' clocks at which the scenario starts.
        epoch: POSIX seconds that the scenario's clock shows then.
        lease_s: Length of a lease.
        with_ledger: Whether a ledger is kept.
        closed_loop: Whether a station reports again as soon as it is answered.
        language: Language of what it says.
    """

    run: str
    shard: int
    of: int
    number: int
    anchor: float
    epoch: float
    lease_s: float
    with_ledger: bool
    closed_loop: bool
    language: Language

    @property
    def name(self) -> str:
        """Name of the stint, unique."""
        return f"{self.run}-{self.shard}-{self.number}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a beat tells a stint.

    Attributes:
        confirmed: The stamp that is echoed: grants or renews the lease.
        resume_at: Run time from which the shard is taken over; counts with the first grant.
        stop: Whether to end.
        received: Bytes of the ledger that have arrived.
        forget: Whether everything has arrived, so that the stint can be forgotten.
    """

    confirmed: float | None = None
    resume_at: float | None = None
    stop: bool = False
    received: int = 0
    forget: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a stint answers to a beat.

    Attributes:
        stamp: Instant of the worker's clock, to be echoed.
        result: What it amounts to so far, or at the end.
        size: Bytes of the ledger that go with the result.
        piece: Bytes of the ledger from ``Order.received`` on.
        ended: Whether it sends nothing any more, and its ledger does not grow.
        whole: Whether it played to the end of the scenario.
        fault: Why it could not be played: sentence, hint, exit code.
    """

    stamp: float
    result: FleetResult | None = None
    size: int = 0
    piece: bytes = b""
    ended: bool = False
    whole: bool = False
    fault: tuple[str, str, int] | None = None


class Stint:
    """One stint.

    Args:
        assignment: What it plays.
        scenario: The scenario.
        folder: Where its ledger is kept.
        at_work: Tells whether the worker is not on its way out.
        clock: The clock of its lease.
    """

    def __init__(
        self,
        assignment: Assignment,
        scenario: Scenario,
        folder: Path,
        at_work: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = steady,
    ) -> None:
        self.assignment = assignment
        self.scenario = scenario
        self.lease = Lease(assignment.lease_s)
        self._clock = clock
        self._path = folder / f"{assignment.name}.ledger" if assignment.with_ledger else None
        self._at_work = at_work
        self._beaten_at = clock()
        self._granted = threading.Event()
        self._forgotten = threading.Event()
        self._resume_at: float | None = None
        self._stop = False
        self._cut = False  # it ended before the scenario did
        self._stand: tuple[FleetResult | None, int] = (None, 0)
        self._ended = False
        self._fault: tuple[str, str, int] | None = None

    @property
    def open_files(self) -> int:
        """Descriptors that its stations need."""
        return open_files(self.scenario, (self.assignment.shard, self.assignment.of))

    # What the thread does

    def live(self) -> None:
        """Wait for the grant, play, and wait until everything was fetched."""
        try:
            if self._wait(self._granted):
                self._stand = self._play(), self._size()
        except Fault as fault:
            self._fault = fault.message, fault.hint, int(fault.exit_code)
        except Exception as error:
            self._fault = f"{type(error).__name__}: {error}", "", int(ExitCode.ERROR)
        self._stand = self._stand[0], self._size()
        self._ended = True
        self._wait(self._forgotten)
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def _wait(self, event: threading.Event) -> bool:
        """Wait for an event as long as anybody beats and the worker is at work."""
        while not event.wait(HEARTBEAT_S):
            alone = self._clock() - self._beaten_at > ALONE_S
            if alone or not self._at_work() or (self._stop and not self._ended):
                self._cut = True
                return False
        return True

    def _play(self) -> FleetResult:
        with _starting:  # the limit of open files is the process's, and several stints share it
            check_descriptors(sum(stint.open_files for stint in {self, *_STINTS.values()}))
        assignment, lease, clock = self.assignment, self.lease, self._clock
        options = Options(
            part=(assignment.shard, assignment.of),
            ledger=self._path,
            anchor=assignment.anchor,
            epoch=assignment.epoch,
            resume_at=self._resume_at,
            closed_loop=assignment.closed_loop,
            stop=self._over,
            gate=lambda: clock() < lease.until,
            interim=self._note,
            drain_s=DRAIN_S,
        )
        return run_fleet(self.scenario, options)

    def _over(self) -> bool:
        """Tell whether to end: half a second before the lease does, because that is how often this is asked."""
        if self._stop or not self._at_work() or self.lease.over(self._clock() + HEARTBEAT_S):
            self._cut = True
        return self._cut

    def _note(self, so_far: FleetResult) -> None:
        self._stand = so_far, self._size()

    def _size(self) -> int:
        with suppress(OSError):
            return self._path.stat().st_size if self._path is not None else 0
        return 0

    # What the beats do

    def take(self, order: Order) -> Answer:
        """Take in an order; return where the stint stands."""
        now = self._beaten_at = self._clock()
        self._stop = self._stop or order.stop
        if order.confirmed is not None and not self._stop:
            first = not self._granted.is_set()
            if first:
                self._resume_at = order.resume_at
            if self.lease.renewed(order.confirmed, now) and first:
                self._granted.set()
        if order.forget:
            self._forgotten.set()
        ended = self._ended  # before the rest is read: what is seen afterwards is at least as new
        result, size = self._stand
        return Answer(
            stamp=self.lease.stamp(now),
            result=result,
            size=size,
            piece=self._piece(order.received, size),
            ended=ended,
            whole=ended and not self._cut and self._fault is None,
            fault=self._fault if ended else None,
        )

    def _piece(self, begin: int, end: int) -> bytes:
        if self._path is None or begin >= end:
            return b""
        try:
            with self._path.open("rb") as file:
                file.seek(begin)
                return file.read(min(PIECE_BYTES, end - begin))
        except OSError:
            return b""


# The doors through which a cluster comes in: functions that it finds by their names.

#: The stints of this process.
_STINTS: dict[str, Stint] = {}
_starting = threading.Lock()


def pack(scenario: Scenario) -> bytes:
    """Return a scenario as bytes: its hook is a part of it, so nothing else needs to be on the worker."""
    return zlib.compress(pickle.dumps(scenario))


def play(assignment: Assignment, packed: bytes) -> None:
    """Play a stint: the task."""
    distributed: Any = importlib.import_module("distributed")
    worker = distributed.get_worker()
    distributed.secede()  # it runs for as long as the scenario does, and holds no place of the pool meanwhile
    activate(assignment.language)
    scenario: Scenario = pickle.loads(zlib.decompress(packed))
    folder = Path(worker.local_directory)
    stint = Stint(assignment, scenario, folder, lambda: worker.status.name in _AT_WORK)
    with _starting:
        _STINTS[assignment.name] = stint
    try:
        stint.live()
    finally:
        with _starting:
            del _STINTS[assignment.name]


def beat(orders: Mapping[str, Order]) -> dict[str, Answer | None]:
    """Hand orders to the stints of this worker; return their answers, ``None`` where a stint is not here (yet)."""
    answers: dict[str, Answer | None] = {}
    for name, order in orders.items():
        stint = _STINTS.get(name)
        answers[name] = None if stint is None else stint.take(order)
    return answers


def version() -> str:
    """Return the version of this package where it is called."""
    return __version__
