"""Ledgers of shards that ran elsewhere: fetched piece by piece, put behind each other at the end."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from stationgate.exits import reason

__all__ = ["Part", "join"]


class Part:
    """The ledger of one stint as far as it has arrived.

    Args:
        path: The file that takes it in, made with the first piece.

    Attributes:
        size: Bytes that have arrived and are in the file.
        total: Bytes that are known to be there.
        why: Why the file takes nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = 0
        self.total = 0
        self.why = ""
        self._settled_s = 0.0
        self._marks: deque[tuple[int, float]] = deque()

    @property
    def behind(self) -> bool:
        """Whether there is more to fetch."""
        return self.size < self.total

    @property
    def complete(self) -> bool:
        """Whether all that is known to be there has arrived."""
        return not self.behind and not self.why

    def take(self, begin: int, piece: bytes, total: int, settled_s: float) -> float:
        """Take in a piece.

        Args:
            begin: The byte from which on it was asked for.
            piece: The bytes.
            total: How many bytes the ledger had when its shard stood where ``settled_s`` says.
            settled_s: Run time before which nothing of the shard is open.

        Returns:
            Such a run time for which the ledger is here, too: a successor may go on from there.
        """
        if begin == self.size and piece:
            try:
                with self.path.open("ab") as file:
                    file.write(piece)
                self.size += len(piece)
                self.why = ""
            except OSError as error:
                self.why = reason(error)
                self._trim()
        if total >= self.total:
            self.total = total
            self._marks.append((total, settled_s))
        while self._marks and self._marks[0][0] <= self.size:
            self._settled_s = max(self._settled_s, self._marks.popleft()[1])
        return self._settled_s

    def _trim(self) -> None:
        """Take back the half of a piece that a full disk took."""
        try:
            with self.path.open("r+b") as file:
                file.truncate(self.size)
        except OSError as error:
            self.why = reason(error)


def join(parts: Iterable[Part], whole: Path) -> str:
    """Append the parts to a ledger, as sections of it; return why that was not possible, if it was not.

    Parts that could not be appended stay where they are.
    """
    why = ""
    for part in parts:
        if not part.size:
            continue
        try:
            with whole.open("ab") as target:
                begin = target.tell()
                try:
                    with part.path.open("rb") as source:
                        shutil.copyfileobj(source, target)
                    target.flush()
                except OSError:
                    target.truncate(begin)
                    raise
            part.path.unlink()
        except OSError as error:
            why = reason(error)
    return why
