"""Who plays what on a cluster, as it is seen from the process that wants it played."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from .collecting import Part
from .lease import Succession
from .result import FleetResult
from .stint import Answer, Assignment, Order

__all__ = ["Posting", "ShardState", "Worker", "is_loopback"]


@dataclass(slots=True, eq=False)
class Worker:
    """A worker of the cluster as it is seen from here."""

    address: str
    threads: int
    packed: asyncio.Task[Any] | None = None  #: brings the scenario into its memory
    asked: asyncio.Task[Any] | None = None  #: the beat that is under way
    asked_at: float = 0.0
    beat_at: float = 0.0  #: when the next one is due
    gone: bool = False
    stints: list[Posting] = field(default_factory=list)

    @property
    def host(self) -> str:
        """Its host, without transport and port."""
        return self.address.rpartition("://")[2].rpartition(":")[0].strip("[]")

    def silent(self, now: float, beat_s: float) -> bool:
        """Tell whether it has not answered for two beats."""
        return self.asked is not None and now - self.asked_at > 2 * beat_s


@dataclass(slots=True, eq=False)
class Posting:
    """A stint as it is seen from here."""

    assignment: Assignment
    worker: Worker
    began_at: float
    part: Part | None
    task: asyncio.Task[None] | None = None  #: hands it out
    future: Any = None
    known: bool = False  #: whether it ever answered
    ended: bool = False
    whole: bool = False
    result: FleetResult | None = None
    forgotten: bool = False

    @property
    def place(self) -> str:
        """Its shard, as ``I/N``."""
        return f"{self.assignment.shard}/{self.assignment.of}"

    def release(self) -> None:
        """Let the scheduler forget the task: it may run nowhere else."""
        if self.future is not None:
            self.future.release()
            self.future = None

    @property
    def collected(self) -> bool:
        """Whether nothing of it is wanted any more."""
        return self.ended and (self.part is None or self.part.complete)


@dataclass(slots=True, eq=False)
class ShardState:
    """A shard and its stints."""

    index: int
    succession: Succession
    stints: dict[int, Posting] = field(default_factory=dict)
    settled_s: float = 0.0  #: run time before which everything is acknowledged, and in the ledger that is here
    wanted_at: float | None = None  #: since when a worker is looked for
    takeovers: int = 0
    why: str = ""  #: why its holder is to be succeeded
    done: bool = False

    @property
    def latest(self) -> Posting | None:
        """The stint that was begun last."""
        return self.stints.get(self.succession.latest)

    @property
    def holder(self) -> Posting | None:
        """The stint that plays or played last."""
        return self.stints.get(self.succession.holder)

    def hear(self, stint: Posting, answer: Answer, order: Order, now: float) -> None:
        """Take in what a stint answered to an order."""
        number = stint.assignment.number
        stint.known = True
        self.succession.heard(number, answer.stamp, now)
        settled_s = 0.0
        if answer.result is not None:
            stint.result = answer.result
            settled_s = answer.result.counts.settled_s
        if stint.part is not None:
            settled_s = stint.part.take(order.received, answer.piece, answer.size, settled_s)
        self.settled_s = max(self.settled_s, settled_s)
        stint.forgotten = stint.forgotten or order.forget
        if answer.ended:
            stint.ended, stint.whole = True, answer.whole
            self.succession.ended(number)
            self.done = self.done or (answer.whole and stint is self.holder)

    def is_urgent(self, stint: Posting) -> bool:
        """Tell whether a stint is to be beaten soon: there is a grant to give, or something to fetch."""
        waits = stint.assignment.number == self.succession.latest != self.succession.holder
        return waits or stint.ended or (stint.part is not None and stint.part.behind)

    def results(self) -> Iterator[FleetResult]:
        """Yield what each stint amounts to; the stations are those of the stint that played last."""
        for stint in self.stints.values():
            if stint.result is None:
                continue
            if stint is self.holder:
                yield stint.result
            else:
                counts = stint.result.counts
                counts = replace(counts, stations=0, switched_on=0, connected=0, linked=0, settled_s=self.settled_s)
                yield replace(stint.result, counts=counts, digest="0")


def is_loopback(host: str) -> bool:
    """Tell whether a host is the machine itself. A name other than ``localhost`` is not."""
    if host in ("localhost", ""):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
