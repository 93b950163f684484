"""Which row is which message: pure functions over sorted messages and rows, one group of equal keys at a time.

Rows are paired in three steps: by everything that they say; then, what is left, by the numbers alone (the row is
altered); then, where one of each is left under the same QN, these two (command or packet number are altered).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from itertools import groupby
from typing import Any, Final

from .findings import Expected, Received
from .ruined import may_have_been

__all__ = ["How", "Pair", "by_number", "by_time"]


class How(Enum):
    """What a row is."""

    SAME = auto()  #: the first row of a message, as it was sent
    ALTERED = auto()  #: the first row of a message, not as it was sent
    COPY = auto()  #: another row of a message, as it was sent
    ALTERED_COPY = auto()  #: another row of a message, not as it was sent
    UNKNOWN = auto()  #: no message of this station
    FOREIGN = auto()  #: of a station that sent nothing
    UNDECIDED = auto()  #: one of several messages, and nothing says which


@dataclass(slots=True)
class Pair:
    """A row and its message; UNDECIDED: each of the candidates once, with the row."""

    how: How
    received: Received
    expected: Expected | None = None


#: What ``taken`` holds of a message: a row was found for it; one of several may be its.
_TAKEN: Final = 1
_OPEN: Final = 2

Key = tuple[str, ...]
Fits = Callable[[Expected, Received], bool]


def by_number(expected: Iterable[Expected], received: Iterable[Received], taken: bytearray) -> Iterator[Pair]:
    """Pair by MN and QN, without QN by MN and DataTime; then by CN, PNO and content.

    Args:
        expected: Sorted by MN, QN and, without QN, DataTime.
        received: Likewise.
        taken: By the id of each message, whether a row was found for it; set here.
    """

    def key(one: Expected | Received) -> Key:
        return (one.mn, one.qn, "") if one.qn else (one.mn, "", one.data_time)

    for messages, rows, known in _groups(expected, received, key):
        yield from _pair(messages, rows, _numbers_fit, taken, known=known, guess=True)


def by_time(expected: Iterable[Expected], received: Iterable[Received], taken: bytearray) -> Iterator[Pair]:
    """Pair rows whose QN is ruined by MN, CN and DataTime; then by what is left of the QN, PNO and content.

    Args:
        expected: Sorted by MN, CN and DataTime.
        received: Likewise.
        taken: As in :func:`by_number`.
    """

    def key(one: Expected | Received) -> Key:
        return (one.mn, one.cn, one.data_time)

    for messages, rows, known in _groups(expected, received, key):
        yield from _pair(messages, rows, _ruin_fits, taken, known=known, guess=False)


def _numbers_fit(message: Expected, row: Received) -> bool:
    return message.cn == row.cn and (row.pno is None or message.pno == row.pno)


def _ruin_fits(message: Expected, row: Received) -> bool:
    return (row.pno is None or message.pno == row.pno) and may_have_been(row.qn_value, row.qn_unit, message.qn)


def _says_the_same(message: Expected, row: Received) -> bool:
    return (
        (row.digest is None or row.digest == message.digest)
        and (row.st is None or row.st == message.st)
        and (row.pnum is None or row.pnum == message.pnum)
    )


def _groups(
    expected: Iterable[Expected], received: Iterable[Received], key: Callable[[Any], Key]
) -> Iterator[tuple[list[Expected], list[Received], bool]]:
    """Yield what has the same key, where there are rows; and whether the station sent anything at all."""
    messages = groupby(expected, key)
    before = ""  # station of the last group of messages
    at, group = next(messages, (None, None))
    for wanted, rows in groupby(received, key):
        while at is not None and at < wanted:
            before = at[0]
            at, group = next(messages, (None, None))
        if at == wanted:
            assert group is not None
            yield list(group), list(rows), True
            before = wanted[0]
            at, group = next(messages, (None, None))
        else:
            yield [], list(rows), wanted[0] == before or (at is not None and at[0] == wanted[0])


def _pair(
    messages: list[Expected], rows: list[Received], fits: Fits, taken: bytearray, *, known: bool, guess: bool
) -> Iterator[Pair]:
    if not messages:
        how = How.UNKNOWN if known else How.FOREIGN
        yield from (Pair(how, row) for row in rows)
        return
    left: list[Received] = []
    for row in rows:
        alike = [message for message in messages if fits(message, row) and _says_the_same(message, row)]
        free = [message for message in alike if not taken[message.id]]
        if not alike:
            left.append(row)
        elif not free:
            yield Pair(How.UNDECIDED if taken[alike[0].id] == _OPEN else How.COPY, row, alike[0])
        elif len(free) == 1 or guess or len(free) <= _count_alike(free[0], rows, fits):
            # Of several that say the same each gets one: whichever it is, none is lost.
            taken[free[0].id] = _TAKEN
            yield Pair(How.SAME, row, free[0])
        else:
            yield from _undecided(row, free, taken)
    for row in left:
        yield from _pair_unlike(messages, row, left, fits, taken, guess)


def _pair_unlike(
    messages: list[Expected], row: Received, left: list[Received], fits: Fits, taken: bytearray, guess: bool
) -> Iterator[Pair]:
    """Find the message of a row that says something else than each of them."""
    close = [message for message in messages if fits(message, row)]
    free = [message for message in close if not taken[message.id]]
    if free and (guess or len(free) == 1):
        taken[free[0].id] = _TAKEN
        yield Pair(How.ALTERED, row, free[0])
    elif free:
        yield from _undecided(row, free, taken)
    elif close:
        yield Pair(How.UNDECIDED if taken[close[0].id] == _OPEN else How.ALTERED_COPY, row, close[0])
    else:
        others = [message for message in messages if not taken[message.id]]
        if guess and len(others) == len(left) == 1:
            taken[others[0].id] = _TAKEN
            yield Pair(How.ALTERED, row, others[0])
        else:
            yield Pair(How.UNKNOWN, row)


def _undecided(row: Received, free: list[Expected], taken: bytearray) -> Iterator[Pair]:
    for message in free:
        taken[message.id] = _OPEN
        yield Pair(How.UNDECIDED, row, message)


def _count_alike(message: Expected, rows: list[Received], fits: Fits) -> int:
    return sum(fits(message, row) and _says_the_same(message, row) for row in rows)
