"""What a station uploads of its own accord: new data first, stored data when nothing new waits, until acknowledged."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Final

from ..codes import CommandKind
from ..editions import RULES
from ..errors import LimitError, LocalProtocolError
from ..messages import Message
from ..tables.commands import command_row, editions_of
from .events import RecordDropped, UploadDelivered, UploadStored, WhyDropped
from .link import Link
from .outbox import Items, Outbox, Record

__all__ = ["Uploads", "frozen"]

#: Uploads given up for now of which a late 9014 is still recognised.
REMEMBERED: Final = 64


def frozen(items: Sequence[Sequence[Sequence[str]]]) -> Items:
    """Return a data area that nobody changes any more."""
    return tuple(tuple(tuple(pair) for pair in item) for item in items)


class Uploads:
    """The uploads of one station.

    Args:
        link: Sends them.
        outbox: Keeps them.
    """

    def __init__(self, link: Link, outbox: Outbox) -> None:
        self._link = link
        self._outbox = outbox
        self._waiting: deque[Record] = deque()  # new ones that no slot is free for
        self._new: dict[int, Record] = {}  # under way
        self._old: dict[int, Record] = {}
        self._unacknowledged: list[tuple[Record, bool]] = []  # handed to the connection, not yet to the transport
        self._delivered: list[int] = []
        self._late: dict[tuple[str, int], Record] = {}
        self._back_fill_at = 0.0
        self._due_now = False

    @property
    def under_way(self) -> int:
        """How many wait for their acknowledgement."""
        return len(self._new) + len(self._old)

    # What is to be uploaded

    def put(self, cn: str, items: Items, now: float, *, st: str = "", anyway: bool = False) -> list[Record]:
        """Keep an upload, and send it if there is a link.

        Raises:
            LocalProtocolError: If the edition has no such upload, or it is too long for the packets there may be.
        """
        link = self._link
        edition = link.rules.edition
        if not anyway and edition not in editions_of(cn, upward=True):
            known = ", ".join(RULES[each].title for each in editions_of(cn, upward=True)) or "none"
            raise LocalProtocolError(f"upload {cn} is not in {link.rules.title}; editions that have it: {known}")
        data_time = next((pair[1] for item in items for pair in item if pair[0] == "DataTime" and len(pair) == 2), "")
        records = [
            Record(
                cn,
                packet.qn,
                frozen(packet.items),
                link.clock(),
                data_time,
                st,
                packet.pno or 0,
                packet.pnum or 0,
            )
            for packet in link.packets(cn, items, qn=link.qn(), st=st)
        ]
        kept, dropped = self._outbox.put(records)
        self._forget(dropped)
        kept = [record for record in kept if record not in dropped]
        if link.ready:
            self._waiting.extend(kept)
            self._overflow()
            self.pump(now)
        else:
            self._store(kept)
        return kept

    def _forget(self, dropped: Sequence[Record]) -> None:
        for record in dropped:
            if record in self._waiting:
                self._waiting.remove(record)
            detail = f"the outbox keeps {self._outbox.limit} records (limit)"
            self._link.report(RecordDropped(record, WhyDropped.FULL, detail))

    def _overflow(self) -> None:
        while len(self._waiting) > self._link.policy.max_waiting:
            self._store([self._waiting.popleft()])

    def _store(self, records: Sequence[Record]) -> None:
        for record in records:
            self._link.report(UploadStored(record, 0))

    # What goes out

    def pump(self, now: float) -> None:
        """Send what may be sent."""
        self._due_now = False
        link, policy = self._link, self._link.policy
        if not link.ready:
            return
        while self._waiting and len(self._new) < policy.in_flight and self._free(self._waiting[0]):
            if not self._send(self._waiting[0], False, now):
                return
            self._waiting.popleft()
        while self._wants_back_fill() and now >= self._back_fill_at:
            self._back_fill_at = now + 1 / policy.back_fill_per_s
            found = self._outbox.oldest(1, {*self._new, *self._old, *self._delivered})
            if not found or not self._free(found[0]) or not self._send(found[0], True, now):
                return

    def _wants_back_fill(self) -> bool:
        """Say whether stored records may be sent and there are any."""
        room = len(self._old) < self._link.policy.back_fill_in_flight
        return room and not self._waiting and len(self._outbox) > self.under_way + len(self._delivered)

    def _free(self, record: Record) -> bool:
        """Say whether no packet of the same message, and nothing of the same QN, waits for its answer."""
        if self._link.awaits(record.qn):
            return False
        under_way = (*self._new.values(), *self._old.values())
        return not record.pnum or all(each.message_key != record.message_key for each in under_way)

    def _send(self, record: Record, back_fill: bool, now: float) -> bool:
        """Send a record; return whether the next may follow."""
        row = command_row(record.cn, True, self._link.rules.edition)
        acknowledged = self._link.policy.acknowledged or (row is not None and row.kind is CommandKind.NOTICE)
        message = self._link.compose(
            record.cn,
            record.items,
            qn=record.qn,
            st=record.st,
            answer=acknowledged,
            packet=(record.pno, record.pnum) if record.pnum else None,
            back_fill=back_fill,
        )
        settled = partial(self._settled, record, back_fill)
        try:
            self._link.send(message, now, settled if acknowledged else None)
        except LocalProtocolError as error:
            self._delivered.append(record.id)
            self._link.report(RecordDropped(record, WhyDropped.ILLEGAL, str(error)))
            return True
        except LimitError:
            return False
        (self._old if back_fill else self._new)[record.id] = record
        if not acknowledged:
            self._unacknowledged.append((record, back_fill))
        return True

    def written(self) -> None:
        """Take note that everything sent so far was handed to the transport."""
        if not self._unacknowledged:
            return
        for record, back_fill in self._unacknowledged:
            self._deliver(record, back_fill)
        self._unacknowledged.clear()
        self.flush()
        self._due_now = True

    # What comes back

    def _settled(self, record: Record, back_fill: bool, answered: bool, sent: int, now: float) -> None:
        if answered:
            self._back_fill_at = min(self._back_fill_at, now + 1 / self._link.policy.back_fill_per_s)
            self._deliver(record, back_fill)
            return
        self._land(record)
        self._outbox.tried([record.id])
        self._remember(record)
        self._link.report(UploadStored(record, sent))
        self._back_fill_at = max(self._back_fill_at, now + self._link.policy.back_fill_pause_s)

    def _deliver(self, record: Record, back_fill: bool) -> None:
        self._land(record)
        self._late.pop((record.qn, self._packet_named(record.pno)), None)
        self._delivered.append(record.id)
        self._link.report(UploadDelivered(record, back_fill))

    def _land(self, record: Record) -> None:
        self._new.pop(record.id, None)
        self._old.pop(record.id, None)

    def _remember(self, record: Record) -> None:
        self._late[record.qn, self._packet_named(record.pno)] = record
        if len(self._late) > REMEMBERED:
            del self._late[next(iter(self._late))]

    def _packet_named(self, pno: int) -> int:
        """Return what tells packets of one QN apart; nothing need where each has its own."""
        return pno if self._link.rules.packets_share_qn else 0

    def late(self, answer: Message) -> bool:
        """Take an acknowledgement that came when nobody waited any more; say whether it was one."""
        named = answer.parameter("PNO") or "0"
        pno = int(named) if named.isascii() and named.isdigit() else 0
        record = self._late.pop((answer.answers_qn, self._packet_named(pno)), None)
        if record is None or record.id in self._new or record.id in self._old:
            return False
        self._deliver(record, True)
        return True

    def flush(self) -> None:
        """Remove from the outbox what was delivered, all at once."""
        if self._delivered:
            self._outbox.remove(self._delivered)
            self._delivered = []

    # The link and time

    def opened(self, now: float) -> None:
        """Start on a new link: everything in the outbox is stored data now."""
        self._back_fill_at = now
        self._late.clear()

    def closed(self) -> None:
        """Take note that the link is gone: what was under way waits in the outbox."""
        pending = [*self._new.values(), *self._old.values(), *self._waiting]
        for each in (self._new, self._old, self._waiting, self._unacknowledged):
            each.clear()
        self._store(pending)

    def next_timeout(self) -> float | None:
        """Return when :meth:`pump` has something to do; ``-inf``: at once."""
        if not self._link.ready:
            return None
        if self._due_now and (self._waiting or self._wants_back_fill()):
            return float("-inf")
        return self._back_fill_at if self._wants_back_fill() else None
