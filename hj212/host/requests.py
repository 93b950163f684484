"""Requests of a platform: a bounded queue for each station, what answers a request, and how it ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from typing import Final

from ..codes import CommandKind, ExeRtn
from ..connection import MAX_OUTSTANDING, Connection
from ..editions import Rules
from ..errors import Hj212Error, LimitError
from ..events import (
    AnswerUnexpected,
    Event,
    ExecutionTimedOut,
    NoticeAnswered,
    RequestAccepted,
    RequestCompleted,
    RequestRefused,
    SendTimedOut,
)
from ..messages import Message, compose
from ..tables.commands import command_row
from .commands import STOPS, check_command, composed_frame, ends_with_answer
from .events import HostEvent, Outcome, RequestFinished, RequestSent, ResultLate, Ticket
from .policy import Policy
from .stations import Station, Stations

__all__ = ["Pending", "Requests"]

#: Requests given up of which a late 9012 is still recognised.
REMEMBERED: Final = 16

Items = Sequence[Sequence[Sequence[str]]]


class Pending:
    """A request that is queued or under way."""

    __slots__ = ("accepted", "items", "kind", "message", "messages", "qn", "seen", "ticket", "truncated", "when_done")

    def __init__(
        self,
        ticket: Ticket,
        items: Items,
        kind: CommandKind | None,
        when_done: Callable[[RequestFinished], None] | None,
    ) -> None:
        self.ticket = ticket
        self.items = items
        self.kind = kind
        self.when_done = when_done
        self.qn = ""  #: of an earlier request, where the edition wants it repeated
        self.message: Message | None = None
        self.accepted = False
        self.messages: list[Message] = []
        self.seen: set[bytes] = set()
        self.truncated = False

    def answered_by(self, upload: Message, policy: Policy) -> bool:
        """Say whether an upload answers this request.

        Values repeat the request's QN, in the header or, in the 2005 edition, as a parameter. Records have a QN of
        their own and are told by their time; an upload in between that is not of that time is a live one.
        """
        if self.message is None or upload.cn != self.ticket.cn:
            return False
        qn = upload.parameter("QN") or upload.qn
        if qn == self.message.qn:
            return True
        if self.ticket.begin:
            return self.ticket.begin <= (upload.parameter("DataTime") or "")[:14] <= self.ticket.end
        return not qn or not policy.values_by_qn

    def keep(self, upload: Message, limit: int) -> None:
        """Keep an answer, once."""
        content = bytes(upload)
        if content in self.seen:
            return
        if len(self.messages) >= limit:
            self.truncated = True
            return
        self.seen.add(content)
        self.messages.append(upload)


class Requests:
    """The requests of one link.

    Args:
        connection: Sends them and waits for the replies.
        qns: Gives each its QN.
        report: Takes the events.
    """

    def __init__(
        self,
        connection: Connection,
        stations: Stations,
        policy: Policy,
        qns: Callable[[], str],
        report: Callable[[HostEvent], None],
    ) -> None:
        self._connection = connection
        self._stations = stations
        self._policy = policy
        self._qns = qns
        self._report = report
        self._numbers = count(1)
        self._queues: dict[str, deque[Pending]] = {}
        self._under_way: dict[tuple[str, str], Pending] = {}
        self._late: deque[tuple[str, str, Ticket]] = deque(maxlen=REMEMBERED)

    def __len__(self) -> int:
        """How many are queued or under way."""
        return len(self._under_way) + sum(map(len, self._queues.values()))

    def add(
        self,
        ticket: Ticket,
        items: Items,
        *,
        urgent: bool = False,
        qn: str = "",
        when_done: Callable[[RequestFinished], None] | None = None,
    ) -> Ticket:
        """Queue a request.

        Raises:
            LimitError: If ``Policy.max_queued`` requests wait for this station already.
        """
        queue = self._queues.setdefault(ticket.mn, deque())
        if len(queue) >= self._policy.max_queued:
            raise LimitError(f"{len(queue)} requests wait for {ticket.mn} already (Policy.max_queued)")
        row = command_row(ticket.cn, upward=False)
        pending = Pending(ticket, items, row.kind if row else None, when_done)
        pending.qn = qn
        (queue.appendleft if urgent else queue.append)(pending)
        return ticket

    def submit(
        self,
        ticket: Ticket,
        parameters: Sequence[tuple[str, str]],
        rules: Rules,
        when_done: Callable[[RequestFinished], None] | None = None,
        *,
        urgent: bool = False,
    ) -> None:
        """Queue a request of the platform's own; what forbids it is its outcome, not an error."""
        try:
            check_command(ticket.cn, rules, [name for name, _value in parameters])
            self.add(ticket, [[pair] for pair in parameters], urgent=urgent, when_done=when_done)
        except Hj212Error as error:
            self.refuse(ticket, str(error), when_done)

    def refuse(self, ticket: Ticket, detail: str, when_done: Callable[[RequestFinished], None] | None = None) -> None:
        """End a request before it is queued."""
        self._over(Pending(ticket, (), None, when_done), Outcome.NOT_SENT, detail=detail)

    def number(self) -> int:
        """Return the number of the next ticket."""
        return next(self._numbers)

    def cancel(self, ticket: Ticket) -> bool:
        """Take back a request that was not sent yet; say whether it was."""
        for pending in self._queues.get(ticket.mn, ()):
            if pending.ticket == ticket:
                self._queues[ticket.mn].remove(pending)
                self._over(pending, Outcome.CANCELLED)
                return True
        return False

    def pump(self, now: float) -> None:
        """Send what may be sent."""
        for mn in list(self._queues):
            while self._queues[mn] and self._may_send(mn):
                self._send(self._queues[mn].popleft(), now)
            if not self._queues[mn]:
                del self._queues[mn]

    def _may_send(self, mn: str) -> bool:
        under_way = sum(1 for key in self._under_way if key[0] == mn)
        return under_way < self._policy.in_flight and self._connection.outstanding < MAX_OUTSTANDING

    def _send(self, pending: Pending, now: float) -> None:
        ticket = pending.ticket
        station = self._stations.get(ticket.mn)
        if station is None:
            self._over(pending, Outcome.NOT_SENT, detail=f"{ticket.mn} is no longer on this link")
            return
        try:
            message = self._composed(pending, station)
            self._connection.send(message, now, frame=composed_frame(message, station.rules, station.keys))
        except Hj212Error as error:
            self._over(pending, Outcome.NOT_SENT, detail=str(error))
            return
        pending.message = message
        if ticket.cn in STOPS:
            station.started[ticket.cn] = message.qn
        self._report(RequestSent(ticket))
        if pending.kind in (CommandKind.REQUEST, CommandKind.NOTICE):
            self._under_way[message.mn, message.qn] = pending
        else:
            self._over(pending, Outcome.SENT)

    def _composed(self, pending: Pending, station: Station) -> Message:
        return compose(
            station.rules,
            qn=pending.qn or self._qns(),
            st=station.st or self._policy.default_st,
            cn=pending.ticket.cn,
            pw=station.pw,
            mn=station.mn,
            items=pending.items,
            answer=True,
        )

    # What comes back

    def prolong(self, pending: Pending, now: float) -> None:
        """Wait on for the result: an answer came, and more may follow (HJ 212-2017 Annex C, execution timeout)."""
        if pending.message is not None:
            self._connection.prolong(pending.message, now)

    def collect(self, upload: Message) -> Ticket | None:
        """Keep an upload for the request it answers; return that one's ticket."""
        pending = self.answered_by(upload)
        if pending is None:
            return None
        pending.keep(upload, self._policy.max_collected)
        return pending.ticket

    def answered_by(self, upload: Message) -> Pending | None:
        """Return the request that an upload answers."""
        return next((p for p in self._of(upload.mn) if p.answered_by(upload, self._policy)), None)

    def _of(self, mn: str) -> Iterator[Pending]:
        return (pending for key, pending in self._under_way.items() if key[0] == mn)

    def receive(self, event: Event) -> None:
        """Take what the connection says of a request of ours."""
        match event:
            case RequestAccepted(request):
                self._accepted(request)
            case RequestRefused(request, code):
                self._finish(request, Outcome.REFUSED, code)
            case RequestCompleted(request, code):
                self._finish(request, _outcome(code), code)
            case NoticeAnswered(notice):
                self._finish(notice, Outcome.DONE)
            case SendTimedOut(message):
                self._finish(message, Outcome.NO_ANSWER)
            case ExecutionTimedOut(request):
                self._finish(request, Outcome.NO_RESULT)
            case AnswerUnexpected(message):
                self._late_or_unexpected(event, message)
            case _:
                raise AssertionError(event)

    def _accepted(self, request: Message) -> None:
        pending = self._under_way.get((request.mn, request.qn))
        if pending is None:
            return
        pending.accepted = True
        station = self._stations.get(request.mn)
        if station is not None and ends_with_answer(request.cn, station.rules):
            self._finish(request, Outcome.DONE)

    def _late_or_unexpected(self, event: AnswerUnexpected, message: Message) -> None:
        qn = message.parameter("QN") or message.qn
        code = message.parameter("ExeRtn")
        for mn, late, ticket in self._late:
            if code is not None and qn == late and message.mn in (mn, ""):
                self._report(ResultLate(ticket, int(code) if code.isascii() and code.isdigit() else None))
                self._late.remove((mn, late, ticket))
                return
        self._report(event)

    def _finish(self, request: Message, outcome: Outcome, code: int | None = None) -> None:
        pending = self._under_way.pop((request.mn, request.qn), None)
        if pending is None:
            return
        if outcome in (Outcome.NO_ANSWER, Outcome.NO_RESULT):
            self._late.append((request.mn, request.qn, pending.ticket))
        self._over(pending, outcome, code)

    def _over(self, pending: Pending, outcome: Outcome, code: int | None = None, detail: str = "") -> None:
        finished = RequestFinished(
            pending.ticket, outcome, code, tuple(pending.messages), pending.truncated, detail=detail
        )
        self._report(finished)
        if pending.when_done:
            pending.when_done(finished)

    def close(self) -> None:
        """End everything: the link is gone."""
        waiting = [*self._under_way.values(), *(p for queue in self._queues.values() for p in queue)]
        self._under_way.clear()
        self._queues.clear()
        for pending in waiting:
            self._over(pending, Outcome.CLOSED)


def _outcome(code: int | None) -> Outcome:
    with suppress(ValueError):
        match ExeRtn(code if code is not None else -1):
            case ExeRtn.SUCCESS:
                return Outcome.DONE
            case ExeRtn.NO_DATA:
                return Outcome.NO_DATA
    return Outcome.FAILED
