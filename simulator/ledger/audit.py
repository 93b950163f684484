"""Compare what a platform must have with what it stored: every message by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from stationgate.exits import ExitCode

from .findings import Counts, Difference, Expected, Finding, Kind, Received, differences, exit_code
from .gathering import Gathering
from .lines import LedgerHeader
from .pairing import How, Pair, by_number, by_time
from .reading import LedgerFile
from .rows import ReceivedSource

__all__ = ["LATE_S", "Audit"]

#: How long after its first sending a message may be stored: what regional plans grant to a report of change.
LATE_S: Final = 300.0
#: Rows that no ledger knows are from another run where they are older than the ledgers by more than this: clocks
#: differ.
EARLIER_MS: Final = 60_000
#: Difference of the clocks of generator and platform below which a row is not early.
CLOCK_MS: Final = 1000
#: The same for times that show no seconds.
MINUTE_MS: Final = 60_000

_BATCH: Final = 2_000
_ORDER: Final = {Kind.LOST: 0, Kind.ALTERED: 1, Kind.DUPLICATED: 2, Kind.ALIEN: 3}


@dataclass(slots=True)
class _Pending:
    """Rows of one table, written many at a time."""

    gathering: Gathering
    table: str
    width: int
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, *row: Any) -> None:
        self.rows.append(row)
        if len(self.rows) >= _BATCH:
            self.write()

    def write(self) -> None:
        self.gathering.insert(self.table, self.rows, self.width)
        self.rows.clear()


class Audit:
    """One audit: add the ledgers and what the platform stored, then :meth:`run`, then read.

    Everything is kept in a temporary file, so that memory does not grow with the number of messages. Use it as a
    context manager.

    Args:
        late_s: How long after its first sending a message may be stored.

    Attributes:
        counts: What it amounts to; complete after :meth:`run`.
        headers: The sections of the ledgers.
        ledgers: The ledgers, which know what is wrong with themselves.
    """

    def __init__(self, *, late_s: float = LATE_S) -> None:
        self.counts = Counts()
        self.headers: list[LedgerHeader] = []
        self.ledgers: list[LedgerFile] = []
        self._late_ms = round(late_s * 1000)
        self._gathering = Gathering()
        self._found = _Pending(self._gathering, "found", 6)
        self._placed = _Pending(self._gathering, "placed", 6)
        self._begin_ms: int | None = None

    def __enter__(self) -> Audit:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gathering.close()

    # In

    def add_ledger(self, path: Path | str) -> LedgerFile:
        """Take in the ledger of a shard; the order does not matter.

        Raises:
            OSError: If it cannot be read.
            LedgerError: If it is no ledger, or damaged.
        """
        ledger = LedgerFile(Path(path))
        self.headers += self._gathering.add_ledger(ledger)
        self.ledgers.append(ledger)
        return ledger

    def add_received(self, source: ReceivedSource) -> None:
        """Take in what the platform stored.

        Raises:
            UsageFault: If it cannot be read.
        """
        self.counts.received += self._gathering.add_received(source)

    @property
    def complete(self) -> bool:
        """Whether the ledgers hold everything that was sent: none torn, none unclosed, no shard missing."""
        return all(ledger.complete for ledger in self.ledgers) and not self.missing_shards

    @property
    def missing_shards(self) -> list[str]:
        """Shards, as ``I/N``, of which no ledger was given."""
        missing = []
        for run in dict.fromkeys((h.scenario, h.seed, h.shard[1]) for h in self.headers):
            there = {h.shard[0] for h in self.headers if (h.scenario, h.seed, h.shard[1]) == run}
            missing += [f"{index}/{run[2]}" for index in range(run[2]) if index not in there]
        return missing

    def exit_code(self, *, strict: bool = False) -> ExitCode:
        """Return what the command ends with."""
        return exit_code(self.counts, complete=self.complete, strict=strict)

    # Through

    def run(self) -> Counts:
        """Compare; afterwards counts and findings are there."""
        gathering = self._gathering
        gathering.merge()
        gathering.find_rounding()
        self.counts.ruined = gathering.ruined
        walls = [header.wall_ms for header in self.headers if header.wall_ms is not None]
        self._begin_ms = min(walls, default=None)
        gathering.db.execute("BEGIN")
        taken = bytearray(gathering.messages + 1)
        self._pair(by_number(gathering.expected("mn, qn, tie, id"), self._rows("mn, qn, tie, place, id", False), taken))
        if any(gathering.received("id", ruined=True)):
            order = "mn, cn, data_time, place, id"
            messages = gathering.expected("mn, cn, data_time, id")
            self._pair(by_time(messages, self._rows(order, True), taken))
        self._count(taken)
        self._placed.write()
        self._find_reordered()
        self._found.write()
        gathering.db.execute("COMMIT")
        return self.counts

    def _rows(self, order: str, ruined: bool) -> Iterator[Received]:
        return self._gathering.received(order, ruined=ruined)

    def _tell(
        self,
        kind: Kind,
        expected: Expected | None,
        received: Received | None,
        after: int | None = None,
        late: int | None = None,
    ) -> None:
        self.counts.found[kind] += 1
        ids = (expected.id if expected else None, received.id if received else None)
        self._found.add(None, kind.value, *ids, after, late)

    def _pair(self, pairs: Iterable[Pair]) -> None:
        undecided = 0
        for pair in pairs:
            message, row = pair.expected, pair.received
            if pair.how in (How.SAME, How.ALTERED):
                assert message is not None
                self._first(message, row, altered=pair.how is How.ALTERED)
            elif pair.how is How.COPY:
                self._tell(Kind.DUPLICATED, message, row)
            elif pair.how is How.ALTERED_COPY:
                self._tell(Kind.ALTERED, message, row)
            elif pair.how is How.UNDECIDED:
                if row.id != undecided:
                    undecided = row.id
                    self._tell(Kind.UNDECIDED, None, row)
            elif (
                self._begin_ms is not None
                and row.received_ms is not None
                and row.received_ms < self._begin_ms - EARLIER_MS
            ):
                self.counts.earlier += 1
            elif pair.how is How.FOREIGN:
                self.counts.other_stations += 1
            else:
                self._tell(Kind.ALIEN, None, row)

    def _first(self, message: Expected, row: Received, *, altered: bool) -> None:
        """Judge the first row of a message."""
        counts = self.counts
        counts.matched += 1
        if message.damaged:
            self._tell(Kind.DAMAGED, message, row)
            return
        if altered:
            self._tell(Kind.ALTERED, message, row)
        if row.received_ms is not None and self._begin_ms is not None:
            since = message.due_ms if message.sent_ms is None else message.sent_ms
            late = row.received_ms - since
            if late > self._late_ms:
                self._tell(Kind.LATE, message, row, late=late)
            elif late < (-MINUTE_MS if row.received_ms % MINUTE_MS == 0 else -CLOCK_MS):
                counts.early += 1
                counts.earliest_ms = max(counts.earliest_ms, -late)
        # Sent more than once, it has no place of its own in the order.
        if row.order is not None and message.times == 1:
            self._placed.add(message.mn, row.order, message.id, row.id, message.sent_ms, message.sent_line)

    def _count(self, taken: bytearray) -> None:
        """Sort the messages by what became of them, and name the lost."""
        counts = self.counts
        for message in self._gathering.expected("id"):
            counts.composed += 1
            stored = taken[message.id]
            if message.sent_ms is not None and message.sent_ms - message.due_ms > self._late_ms:
                counts.sent_late += 1
            if message.acknowledged_ms is not None:
                counts.acknowledged += 1
            if message.damaged:
                counts.damaged += 1
            elif message.acknowledged_ms is not None:
                counts.expected += 1
                if not stored:
                    self._tell(Kind.LOST, message, None)
            elif stored:
                counts.unacknowledged_stored += 1
            elif message.times:
                counts.unacknowledged_absent += 1
            elif message.dropped is not None:
                counts.dropped += 1
            else:
                counts.unsent += 1

    def _find_reordered(self) -> None:
        """Name each message that one sent later by the same station overtook (RFC 4737, type-P-reordered)."""
        # Of what arrived at the same instant nothing overtook anything: it is gone through in the order of sending.
        rows = self._gathering.db.execute(
            "SELECT mn, expected, received, sent, sent_line FROM placed ORDER BY mn, place, sent, sent_line"
        )
        station = None
        newest: tuple[int, int, int] = (-1, -1, 0)  # the last sent of those that arrived before
        for mn, expected, received, sent, line in rows:
            if mn != station:
                station, newest = mn, (-1, -1, 0)
            if (sent, line) < newest[:2]:
                self.counts.found[Kind.REORDERED] += 1
                self._found.add(None, Kind.REORDERED.value, expected, received, newest[2], None)
            newest = max(newest, (sent, line, expected))

    # Out

    def findings(self) -> Iterator[Finding]:
        """Yield everything that is wrong: the lost first, then altered, duplicated, alien, then what is told only."""
        gathering = self._gathering
        rank = " ".join(f"WHEN '{kind}' THEN {rank}" for kind, rank in _ORDER.items())
        rows = gathering.db.execute(
            "SELECT kind, expected, received, overtaker, late FROM found"
            f" ORDER BY CASE kind {rank} ELSE 9 END, kind, id"
        )
        for kind, expected, received, after, late in rows:
            message, row = gathering.message(expected), gathering.row(received)
            altered: tuple[Difference, ...] = ()
            if kind == Kind.ALTERED and message and row:
                altered = differences(message, row)
            yield Finding(Kind(kind), message, row, gathering.message(after), altered, late)
