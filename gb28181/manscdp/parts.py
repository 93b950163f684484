"""Answers in several parts (GB/T 28181-2022 annex M, 2016 annex N): collected, and cut.

All parts repeat the SN of the query; SumNum is the number of items of the whole in each. Neither is to be relied on:
parts come twice, out of order and not at all, and SumNum is wrong or missing. What counts are distinct items, and
silence.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ..errors import LimitError
from .body import Body

__all__ = ["MAX_COLLECTING", "MAX_ITEMS", "Collected", "Collector", "batches"]

#: Silence after the last part, in seconds, after which an answer is taken for what it is.
SILENCE_S: Final = 5.0
#: Patience for the first part, in seconds.
FIRST_S: Final = 30.0
#: Longest time for a whole answer: of 200,000 items one by one, each sent when the one before was confirmed.
WHOLE_S: Final = 3_600.0
#: Answers of one peer collected at a time.
MAX_COLLECTING: Final = 64
#: Items of one answer: the channels of a province's platform.
MAX_ITEMS: Final = 200_000


@dataclass(frozen=True, slots=True)
class Collected:
    """An answer, or as much of it as came.

    Attributes:
        key: As it was begun with.
        items: Distinct items in the order in which they came first.
        total: The last SumNum, ``None`` where none was told.
        complete: Whether as many distinct items came as were announced.
        parts: How many messages came.
        repeated: Items that came again.
    """

    key: Hashable
    items: tuple[Any, ...]
    total: int | None
    complete: bool
    parts: int
    repeated: int


@dataclass(slots=True)
class _Open:
    identify: Callable[[Any], Hashable]
    deadline: float
    latest: float  # whatever comes
    items: dict[Hashable, Any] = field(default_factory=dict)
    total: int | None = None
    parts: int = 0
    repeated: int = 0


def by_device(item: Any) -> Hashable:
    """Identity of a catalogue item: its code."""
    return item.device_id or id(item)


def by_file(item: Any) -> Hashable:
    """Identity of a recording: its period and path."""
    return item.start_time, item.end_time, item.file_path


class Collector:
    """Joins the parts of the answers of one peer.

    Args:
        silence_s: After the last part.
        first_s: Before the first one.
    """

    __slots__ = ("_first_s", "_open", "_silence_s")

    def __init__(self, silence_s: float = SILENCE_S, first_s: float = FIRST_S) -> None:
        self._silence_s = silence_s
        self._first_s = first_s
        self._open: dict[Hashable, _Open] = {}

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, key: Hashable, identify: Callable[[Any], Hashable], now: float) -> None:
        """Expect the parts of an answer, known by ``key``: CmdType and SN.

        Raises:
            LimitError: If as many are collected as may be.
        """
        if key not in self._open and len(self._open) >= MAX_COLLECTING:
            raise LimitError(f"{MAX_COLLECTING} answers are collected already (MAX_COLLECTING)")
        self._open[key] = _Open(identify, now + self._first_s, now + WHOLE_S)

    def add(self, key: Hashable, items: Sequence[Any], total: int | None, now: float) -> Collected | None:
        """Take a part; return the answer if that completes it. A part that nobody waits for is left alone."""
        one = self._open.get(key)
        if one is None:
            return None
        one.parts += 1
        one.total = total if total is not None else one.total
        one.deadline = min(now + self._silence_s, one.latest)
        for item in items:
            identity = one.identify(item)
            if identity in one.items:
                one.repeated += 1
            elif len(one.items) < MAX_ITEMS:
                one.items[identity] = item
        if one.total is not None and len(one.items) >= one.total:
            return self._close(key, one)
        return None

    def next_timeout(self) -> float | None:
        """Return when the first one is given up."""
        return min((one.deadline for one in self._open.values()), default=None)

    def expire(self, now: float) -> list[Collected]:
        """Return what has been silent for too long."""
        return [self._close(key, one) for key, one in list(self._open.items()) if one.deadline <= now]

    def close(self) -> list[Collected]:
        """Return everything as it is: the peer is gone."""
        return [self._close(key, one) for key, one in list(self._open.items())]

    def _close(self, key: Hashable, one: _Open) -> Collected:
        del self._open[key]
        complete = one.total is not None and len(one.items) >= one.total
        return Collected(key, tuple(one.items.values()), one.total, complete, one.parts, one.repeated)


def batches(
    items: Sequence[Any],
    compose: Callable[[tuple[Any, ...]], Body],
    encoded: Callable[[Body], bytes],
    limit_bytes: int,
    most: int = 100,
) -> Iterator[Body]:
    """Cut an answer into parts that fit.

    Args:
        items: All of them; none makes one part without a list.
        compose: Makes the body of some items; SumNum is for it to fill, from ``len(items)``.
        encoded: Writes a body.
        limit_bytes: Longest part; a single item may be longer.
        most: Items of a part.
    """
    if not items:
        yield compose(())
        return
    start = 0
    size = min(most, len(items))
    while start < len(items):
        size = min(size, len(items) - start)
        made = compose(tuple(items[start : start + size]))
        length = len(encoded(made))
        while length > limit_bytes and size > 1:
            size = max(1, min(size - 1, size * limit_bytes // length))
            made = compose(tuple(items[start : start + size]))
            length = len(encoded(made))
        yield made
        start += size
        size = min(most, size + 1)
