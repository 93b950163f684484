"""Split messages of stations, joined: by MN, CN, PNUM and DataTime, for each packet may have a QN of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..codes import FlagBits
from ..messages import Message
from ..segment import Pair, Segment
from .events import HostEvent, PacketsJoined, PacketsLost, Ticket
from .policy import Policy

__all__ = ["Packets"]

#: Split messages of one link that may be incomplete at a time; the oldest is given up for the next.
MAX_JOINING: Final = 64
#: Packets held for them, all together.
MAX_HELD: Final = 10_000

_Key = tuple[str, str, int, str]
Collect = Callable[[Message], Ticket | None]


class _Parts:
    __slots__ = ("due", "parts", "pnum")

    def __init__(self, pnum: int) -> None:
        self.pnum = pnum
        self.due = 0.0
        self.parts: dict[int, Message] = {}


class Packets:
    """The split messages of one link."""

    def __init__(self, policy: Policy, report: Callable[[HostEvent], None]) -> None:
        self._policy = policy
        self._report = report
        self._joining: dict[_Key, _Parts] = {}
        self._held = 0

    def add(self, mn: str, message: Message, now: float, collect: Collect) -> bool:
        """Take a packet; say whether it was one.

        Args:
            mn: Its station.
            message: What arrived.
            now: Seconds.
            collect: Keeps the whole, or what there is of it, for the request it answers.
        """
        pnum, pno = message.pnum, message.pno
        if pnum is None or pno is None or pnum < 2 or not 1 <= pno <= pnum:
            return False
        key = (mn, message.cn, pnum, message.parameter("DataTime") or message.qn)
        group = self._joining.get(key)
        if group is None:
            if len(self._joining) >= MAX_JOINING:
                self._lose(next(iter(self._joining)), collect)
            group = self._joining[key] = _Parts(pnum)
        if pno not in group.parts:
            last = len(group.parts) + 1 == pnum  # it is not held
            while not last and self._held >= MAX_HELD and len(self._joining) > 1:
                self._lose(next(each for each in self._joining if each != key), collect)
            group.parts[pno] = message
            self._held += 1
        group.due = now + self._policy.join_s
        if len(group.parts) == pnum:
            del self._joining[key]
            self._held -= pnum
            whole = _joined([group.parts[number] for number in range(1, pnum + 1)])
            self._report(PacketsJoined(mn, whole, collect(whole)))
        return True

    def next_timeout(self) -> float | None:
        """Return when the first split message is given up."""
        return min((group.due for group in self._joining.values()), default=None)

    def expire(self, now: float, collect: Collect) -> None:
        """Give up what has waited for too long."""
        for key in [key for key, group in self._joining.items() if now >= group.due]:
            self._lose(key, collect)

    def close(self, collect: Collect) -> None:
        """Give up everything: the link is gone."""
        for key in list(self._joining):
            self._lose(key, collect)

    def _lose(self, key: _Key, collect: Collect) -> None:
        group = self._joining.pop(key)
        self._held -= len(group.parts)
        missing = tuple(number for number in range(1, group.pnum + 1) if number not in group.parts)
        ticket = None
        for _number, part in sorted(group.parts.items()):
            ticket = collect(part) or ticket
        self._report(PacketsLost(key[0], key[1], missing, ticket))


def _joined(parts: list[Message]) -> Message:
    """Return the header of the first packet and the items of all; what each repeats of the time stands once."""
    first = parts[0].segment
    items: list[list[Pair]] = list(first.items)
    for part in parts[1:]:
        items += [item for item in part.items if not (item in items and item[0][0].strip() == "DataTime")]
    header = []
    for pair in first.header:
        if pair[0].strip() == "Flag" and parts[0].flag is not None:
            header.append([pair[0], str(parts[0].flag & ~int(FlagBits.NUMBERED))])
        elif pair[0].strip() not in ("PNUM", "PNO"):
            header.append(pair)
    return Message(Segment(header, items, first.opening, first.closing, first.trailer))
