"""What a station keeps until its platform has it: the outbox, and one that lives in memory.

An outbox holds packets, not messages: what one frame carries, with its QN. Each is acknowledged for itself, and what is
sent again later is the same but for RF. Nothing here knows of links or time.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from heapq import nsmallest
from itertools import count
from typing import Final, Protocol

__all__ = ["OUTBOX_LIMIT", "Items", "MemoryOutbox", "Outbox", "Record"]

#: Packets kept at most where the caller names no other number: a month of 1-minute data and some to spare.
OUTBOX_LIMIT: Final = 100_000

#: A data area: items (``;``) of pairs (``,``), each ``(key, value)``; plain text, never ciphertext.
Items = tuple[tuple[tuple[str, ...], ...], ...]


@dataclass(frozen=True, slots=True)
class Record:
    """One packet that waits for its acknowledgement.

    Attributes:
        cn: 命令编码.
        qn: 请求编码, given when it was put; every transmission repeats it.
        items: The data area.
        created: When it was put, POSIX seconds.
        data_time: DataTime, empty where it has none.
        st: 系统编码, empty for the station's own.
        pno: Number of the packet, 0 for a message in one piece.
        pnum: How many packets its message has, 0 for a message in one piece.
        attempts: How often every resend of it stayed without an answer.
        id: Its number in the outbox, ascending; 0 before it is put.
    """

    cn: str
    qn: str
    items: Items
    created: float
    data_time: str = ""
    st: str = ""
    pno: int = 0
    pnum: int = 0
    attempts: int = 0
    id: int = 0

    @property
    def message_key(self) -> tuple[str, str, int]:
        """What the packets of one message have in common."""
        return self.cn, self.data_time, self.pnum


class Outbox(Protocol):
    """Keeps records until they are removed. Every method has done its work when it returns.

    What is put must be durable before :meth:`put` returns: the station sends it then. A removal may be lost by a
    crash: the record is then sent once more, and platforms drop repeats.
    """

    @property
    def limit(self) -> int:
        """How many records it keeps at most."""
        ...

    def __len__(self) -> int:
        """How many it keeps."""
        ...

    def put(self, records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
        """Keep records, all or none.

        Returns:
            The records with their numbers, and the oldest ones that had to go because the outbox was full.
        """
        ...

    def oldest(self, count: int, without: Collection[int] = ()) -> list[Record]:
        """Return some records, those with the fewest attempts first, the oldest first among them.

        Args:
            count: How many at most.
            without: Numbers of records to leave out; a few.
        """
        ...

    def remove(self, ids: Collection[int]) -> None:
        """Forget records; numbers that are not there are none of its business."""
        ...

    def tried(self, ids: Collection[int]) -> None:
        """Count one more attempt for each."""
        ...


class MemoryOutbox:
    """An outbox that is lost with the process.

    Args:
        limit: Records kept at most; the oldest goes for the next.

    Raises:
        ValueError: If the limit is below 1.
    """

    def __init__(self, limit: int = OUTBOX_LIMIT) -> None:
        if limit < 1:
            raise ValueError(f"limit: expected at least 1, found {limit}")
        self.limit = limit
        self._records: dict[int, Record] = {}
        # attempts -> numbers: the next ones are found without sorting what may be a hundred thousand.
        self._levels: dict[int, dict[int, None]] = {}
        self._numbers = count(1)

    def __len__(self) -> int:
        return len(self._records)

    def __repr__(self) -> str:
        return f"<MemoryOutbox {len(self)} of {self.limit}>"

    def put(self, records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
        """Keep records; see :class:`Outbox`."""
        kept = [replace(record, id=next(self._numbers)) for record in records]
        for record in kept:
            self._records[record.id] = record
            self._levels.setdefault(record.attempts, {})[record.id] = None
        dropped = [self._records[number] for number in list(self._records)[: max(0, len(self) - self.limit)]]
        self.remove([record.id for record in dropped])
        return kept, dropped

    def oldest(self, count: int, without: Collection[int] = ()) -> list[Record]:
        """Return those to send next; see :class:`Outbox`."""
        found: list[Record] = []
        for attempts in sorted(self._levels):
            level: Iterable[int] = self._levels[attempts]
            if attempts:  # those never tried stand in the order in which they came
                level = nsmallest(count + len(without), level)
            for number in level:
                if len(found) >= count:
                    return found
                if number not in without:
                    found.append(self._records[number])
        return found

    def remove(self, ids: Iterable[int]) -> None:
        """Forget records; see :class:`Outbox`."""
        for number in ids:
            record = self._records.pop(number, None)
            if record is not None:
                self._leave(record)

    def tried(self, ids: Iterable[int]) -> None:
        """Count one more attempt; see :class:`Outbox`."""
        for number in ids:
            record = self._records.get(number)
            if record is not None:
                self._leave(record)
                self._records[number] = replace(record, attempts=record.attempts + 1)
                self._levels.setdefault(record.attempts + 1, {})[number] = None

    def _leave(self, record: Record) -> None:
        level = self._levels[record.attempts]
        del level[record.id]
        if not level:
            del self._levels[record.attempts]
