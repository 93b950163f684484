"""Messages longer than a frame, in packets and back in one piece (拆分包, HJ 212-2017 6.3.2 PNUM and PNO, Annex C).

Every packet is a message of its own with the same CN and DataTime, and as a rule with a QN of its own; what belongs
together is told by MN, CN, PNUM and DataTime. No item of the data area is ever cut in two.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from .codes import FlagBits
from .editions import Rules
from .errors import LocalProtocolError
from .messages import Message
from .segment import Pair, Segment

__all__ = ["JOIN_S", "MAX_HELD", "MAX_JOINING", "Incomplete", "Joined", "Joiner", "split"]

#: How long to wait for the next packet of a message; no edition says.
JOIN_S: Final = 60.0
#: Messages that may be incomplete at a time; the oldest is given up for the next.
MAX_JOINING: Final = 64
#: Packets held for them, all together.
MAX_HELD: Final = 10_000
#: Messages joined last whose packets are recognised when they are sent again.
REMEMBERED: Final = 64

#: What each packet says again (Annex C of HJ 212-2017).
REPEATED: Final = ("DataTime",)


def split(
    message: Message, rules: Rules, next_qn: Callable[[], str], *, repeated: Collection[str] = REPEATED
) -> list[Message]:
    """Return a message as packets that the edition's limits allow; the message alone where it fits.

    Args:
        message: What to send; its Flag keeps its answer bit.
        rules: Limits, order of the fields, and whether the packets share one QN.
        next_qn: Gives each packet after the first its QN, where they do not share it.
        repeated: Parameters that stand alone in an item and are written in every packet.

    Raises:
        LocalProtocolError: If one item alone is too long, or more packets are needed than PNUM can say.
    """
    segment = message.segment
    if _fits(bytes(message), rules):
        return [message]
    common = [item for item in segment.items if len(item) == 1 and item[0][0].strip() in repeated]
    rest = [item for item in segment.items if item not in common]
    groups = _groups(message, common, rest, rules)
    packets = []
    for number, items in enumerate(groups, start=1):
        qn = message.qn if number == 1 or rules.packets_share_qn else next_qn()
        header = _numbered(segment.header, rules, qn, number, len(groups))
        packets.append(Message(Segment(header, common + items, segment.opening, segment.closing, segment.trailer)))
    return packets


def _fits(data: bytes, rules: Rules) -> bool:
    return len(data) <= rules.max_segment_bytes and len(data) - data.find(b"CP=&&") <= rules.max_parameters_bytes


def _groups(message: Message, common: list[list[Pair]], rest: list[list[Pair]], rules: Rules) -> list[list[list[Pair]]]:
    """Return the items of each packet."""
    # The width of PNUM and PNO depends on how many packets there are: room is left for the most there may be.
    most = rules.max_packets
    segment = message.segment
    header = _numbered(segment.header, rules, message.qn, most, most)
    empty = bytes(Message(Segment(header, common, segment.opening, segment.closing, segment.trailer)))
    room = min(
        rules.max_segment_bytes - len(empty),
        rules.max_parameters_bytes - (len(empty) - empty.find(b"CP=&&")),
    )
    groups: list[list[list[Pair]]] = []
    left = 0
    for item in rest:
        size = len(",".join("=".join(pair) for pair in item).encode("utf-8", "surrogateescape"))
        first = not common
        if size + (not first) > room:
            raise LocalProtocolError(
                f"{item[0][0].strip()}: one item of {size} bytes, at most {room - (not first)} fit into a packet",
                field=item[0][0].strip(),
                clause=rules.clauses["segment"],
            )
        if not groups or size + 1 > left:
            groups.append([])
            left = room + first  # the first item of an area has no `;` before it
        groups[-1].append(item)
        left -= size + 1
    if len(groups) > most:
        raise LocalProtocolError(
            f"{len(groups)} packets, PNUM of {rules.title} says at most {most}",
            field="PNUM",
            clause=rules.clauses["segment"],
        )
    return groups


def _numbered(header: Sequence[Pair], rules: Rules, qn: str, pno: int, pnum: int) -> list[Pair]:
    """Return a header with packet numbers, in the edition's order; what the edition does not know keeps its place."""
    numbered: list[Pair] = []
    for pair in header:
        name = pair[0].strip()
        if name == "QN":
            numbered.append(["QN", qn])
        elif name == "Flag" and pair[1:] and pair[1].strip().isdigit():
            numbered.append(["Flag", str(int(pair[1]) | FlagBits.NUMBERED)])
        elif name not in ("PNUM", "PNO"):
            numbered.append(list(pair))
    order = rules.header_fields
    before = set(order[: min(order.index("PNUM"), order.index("PNO"))])
    at = max((index for index, pair in enumerate(numbered, start=1) if pair[0].strip() in before), default=0)
    fields = {"PNUM": str(pnum), "PNO": str(pno)}
    numbered[at:at] = [[name, fields[name]] for name in order if name in fields]
    return numbered


@dataclass(frozen=True, slots=True)
class Joined:
    """Every packet of a message arrived."""

    message: Message  #: the header of the first packet without packet numbers, the items of all
    packets: tuple[Message, ...]  #: in their order


@dataclass(frozen=True, slots=True)
class Incomplete:
    """Packets of a message did not come in time, or there was no room to wait for them."""

    mn: str
    cn: str
    missing: tuple[int, ...]  #: numbers of the packets that did not come
    packets: tuple[Message, ...]  #: those that did, in their order


_Key = tuple[str, str, int, str]


class _Parts:
    __slots__ = ("due", "parts", "pnum")

    def __init__(self, pnum: int) -> None:
        self.pnum = pnum
        self.due = 0.0
        self.parts: dict[int, Message] = {}

    def in_order(self) -> tuple[Message, ...]:
        return tuple(self.parts[number] for number in sorted(self.parts))


class Joiner:
    """Joins the packets of one link, in whatever order and however often they come.

    Args:
        wait_s: How long to wait for the next packet of a message.
    """

    __slots__ = ("_done", "_held", "_joining", "_wait_s")

    def __init__(self, wait_s: float = JOIN_S) -> None:
        self._wait_s = wait_s
        self._joining: dict[_Key, _Parts] = {}
        self._held = 0
        self._done: dict[_Key, frozenset[int]] = {}

    def add(self, message: Message, now: float) -> list[Joined | Incomplete] | None:
        """Take a message; ``None``: it is whole as it is, not a packet of several.

        Returns:
            What came of it: nothing yet, a joined message, and messages given up for it.
        """
        pnum, pno = message.pnum, message.pno
        if pnum is None or pno is None or pnum < 2 or not 1 <= pno <= pnum:
            return None
        key = (message.mn, message.cn, pnum, message.parameter("DataTime") or message.qn)
        if hash(bytes(message)) in self._done.get(key, ()):
            return []  # sent again: its 9014 was lost
        found: list[Joined | Incomplete] = []
        group = self._joining.get(key)
        if group is None:
            if len(self._joining) >= MAX_JOINING:
                found.append(self._give_up(next(iter(self._joining))))
            group = self._joining[key] = _Parts(pnum)
        if pno not in group.parts:
            found += self._hold(key, group, pno, message)
        group.due = now + self._wait_s
        if len(group.parts) == pnum:
            found.append(self._join(key))
        return found

    def next_timeout(self) -> float | None:
        """Return when the first message is given up."""
        return min((group.due for group in self._joining.values()), default=None)

    def expire(self, now: float) -> list[Incomplete]:
        """Give up what has waited for too long."""
        return [self._give_up(key) for key in [key for key, group in self._joining.items() if now >= group.due]]

    def close(self) -> list[Incomplete]:
        """Give up everything: the link is gone."""
        return [self._give_up(key) for key in list(self._joining)]

    def _hold(self, key: _Key, group: _Parts, pno: int, message: Message) -> list[Incomplete]:
        given_up = []
        last = len(group.parts) + 1 == group.pnum  # it is not held
        while not last and self._held >= MAX_HELD and len(self._joining) > 1:
            given_up.append(self._give_up(next(each for each in self._joining if each != key)))
        group.parts[pno] = message
        self._held += 1
        return given_up

    def _join(self, key: _Key) -> Joined:
        group = self._joining.pop(key)
        self._held -= group.pnum
        packets = group.in_order()
        self._done.pop(key, None)
        self._done[key] = frozenset(hash(bytes(packet)) for packet in packets)
        if len(self._done) > REMEMBERED:
            del self._done[next(iter(self._done))]
        return Joined(_whole(packets), packets)

    def _give_up(self, key: _Key) -> Incomplete:
        group = self._joining.pop(key)
        self._held -= len(group.parts)
        missing = tuple(number for number in range(1, group.pnum + 1) if number not in group.parts)
        return Incomplete(key[0], key[1], missing, group.in_order())


def _whole(packets: Sequence[Message]) -> Message:
    """Return the header of the first packet and the items of all; what each repeats of the time stands once."""
    first = packets[0].segment
    items: list[list[Pair]] = list(first.items)
    for packet in packets[1:]:
        items += [item for item in packet.items if not (item in items and item[0][0].strip() in REPEATED)]
    header = []
    for pair in first.header:
        name = pair[0].strip()
        if name == "Flag" and packets[0].flag is not None:
            header.append([pair[0], str(packets[0].flag & ~int(FlagBits.NUMBERED))])
        elif name not in ("PNUM", "PNO"):
            header.append(pair)
    return Message(Segment(header, items, first.opening, first.closing, first.trailer))
