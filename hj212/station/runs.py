"""Requests that take time: the records of a time range, and what the site does or reads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain

from ..codes import ExeRtn
from ..errors import LimitError, LocalProtocolError
from ..messages import Message
from ..times import parse_time
from .commands import Task
from .events import SiteFailed
from .link import Link

__all__ = ["Area", "History", "Operate", "Run", "Runs"]

#: A data area as callers write it: items of pairs.
Area = Sequence[Sequence[Sequence[str]]]

#: Brings the records of a time range, both ends 14 digits and inclusive: command, begin, end, the other parameters.
History = Callable[[str, str, str, dict[str, str]], Iterable[Area]]

#: Does, or finds out, what a request asks for: how it ended, or the data area to answer with, or ``None``: later, by
#: :meth:`hj212.station.Station.finish`.
Operate = Callable[[Message], ExeRtn | Area | None]


class Run:
    """One request that is queued or under way.

    Attributes:
        request: What was asked.
        sent: How many packets were sent in answer.
        value: What an operation answered with.
    """

    def __init__(
        self,
        request: Message,
        task: Task,
        begin: Callable[[], None],
        end: Callable[[ExeRtn, int], None],
    ) -> None:
        self.request = request
        self.task = task
        self.sent = 0
        self.begin = begin  #: sends 9011
        self.end = end  #: sends 9012
        self.packets: deque[Message] = deque()
        self.records: Iterator[Area] = iter(())
        self.awaiting = False
        self.value: Area | None = None


class Runs:
    """Those of one station: one of each task at a time.

    Args:
        link: Sends the data.
        history: Where the records are; ``None``: there are none.
        operate: What the site does; ``None``: nothing.
    """

    def __init__(self, link: Link, history: History | None, operate: Operate | None) -> None:
        self._link = link
        self._history = history
        self._operate = operate
        self._current: dict[Task, Run] = {}
        self._queues: dict[Task, deque[Run]] = {}
        self._next_record_at = 0.0

    @property
    def under_way(self) -> int:
        """How many are queued or under way."""
        return len(self._current) + sum(map(len, self._queues.values()))

    def possible(self, task: Task) -> bool:
        """Say whether there is room for another run, and anything that does it."""
        if (self._operate if task is Task.OPERATION else self._history) is None:
            return False
        return task not in self._current or len(self._queues.get(task, ())) < self._link.policy.max_queued

    def add(self, run: Run, now: float) -> None:
        """Begin a run, or queue it behind the one before."""
        if run.task in self._current:
            self._queues.setdefault(run.task, deque()).append(run)
        else:
            self._begin(run, now)

    def _begin(self, run: Run, now: float) -> None:
        self._current[run.task] = run
        run.begin()
        if run.task is Task.OPERATION:
            assert self._operate is not None
            try:
                found = self._operate(run.request)
            except Exception as error:  # whatever the site does wrong, the link and the other requests go on
                self._failed(run, error)
            else:
                if found is not None:
                    self._answered(run, found, now)
        else:
            self._find_records(run)
            self.pump(now)

    def _failed(self, run: Run, error: Exception) -> None:
        self._link.report(SiteFailed(run.request, error))
        self._end(run, ExeRtn.SYSTEM_FAULT)

    def _end(self, run: Run, code: ExeRtn) -> None:
        del self._current[run.task]
        run.end(code, run.sent)

    def pump(self, now: float) -> None:
        """Go on with whatever can go on."""
        for task, queue in self._queues.items():
            while queue and task not in self._current:
                self._begin(queue.popleft(), now)
        run = self._current.get(Task.RECORDS)
        while run is not None and not run.awaiting and now >= self._next_record_at:
            if not self._go_on(run, now):
                return

    # The site's answers

    def finish(self, request: Message, found: ExeRtn | Area, now: float) -> bool:
        """Take the outcome of an operation that took time; say whether it was still under way."""
        run = self._current.get(Task.OPERATION)
        if run is None or run.request is not request:
            return False
        self._answered(run, found, now)
        return True

    def _answered(self, run: Run, found: ExeRtn | Area, now: float) -> None:
        if isinstance(found, ExeRtn):
            self._end(run, found)
            return
        try:
            run.sent += self.send_value(run.request, found, now)
        except LocalProtocolError as error:  # a value that no packet can hold
            self._failed(run, error)
            return
        run.value = found
        self._end(run, ExeRtn.SUCCESS)

    def send_value(self, request: Message, items: Area, now: float) -> int:
        """Send the data area that answers a request, with the request's QN; return in how many packets."""
        link = self._link
        qn = request.qn
        if link.rules.reply_qn_in_parameters:
            qn, items = "", [[("QN", request.qn)], *items]
        packets = link.packets(request.cn, items, qn=qn)
        for packet in packets:
            link.send(self._composed(packet, answer=False, back_fill=False), now)
        return len(packets)

    # Records

    def _find_records(self, run: Run) -> None:
        request = run.request
        others = dict(request.parameters())
        begin, end = others.pop("BeginTime", ""), others.pop("EndTime", "")
        try:
            legal = parse_time(begin) <= parse_time(end)
        except ValueError:
            legal = False
        if not legal:
            self._end(run, ExeRtn.BAD_CONDITION)
            return
        assert self._history is not None
        try:
            records = iter(self._history(request.cn, begin, end, others))
            first = next(records, None)
        except Exception as error:
            self._failed(run, error)
            return
        if first is None:
            self._end(run, ExeRtn.NO_DATA)
        else:
            run.records = chain((first,), records)

    def _go_on(self, run: Run, now: float) -> bool:
        """Send the next packet of a run, or end it; say whether more may follow at once."""
        if not run.packets and not self._fetch(run):
            return False
        link, policy = self._link, self._link.policy
        message = self._composed(run.packets[0], answer=policy.acknowledged, back_fill=policy.records_as_back_fill)
        try:
            link.send(message, now, partial(self._settled, run) if policy.acknowledged else None)
        except LimitError:
            self._next_record_at = now + 1 / policy.records_per_s
            return False
        run.packets.popleft()
        run.sent += 1
        run.awaiting = policy.acknowledged
        if run.awaiting:
            return False
        self._next_record_at = now + 1 / policy.records_per_s
        return bool(run.packets) or self._fetch(run)  # after the last one 9012 follows at once

    def _fetch(self, run: Run) -> bool:
        """Get the packets of the next record; end the run where there is none."""
        link = self._link
        try:
            record = next(run.records, None)
        except Exception as error:
            self._failed(run, error)
            return False
        if record is None:
            self._end(run, ExeRtn.SUCCESS)
            return False
        own = link.policy.records_repeat_qn
        repeat = link.rules.packets_share_qn if own is None else own
        try:
            run.packets.extend(link.packets(run.request.cn, record, qn=run.request.qn if repeat else link.qn()))
        except LocalProtocolError as error:  # a record that no packet can hold
            self._failed(run, error)
            return False
        return True

    def _settled(self, run: Run, answered: bool, _sent: int, _now: float) -> None:
        run.awaiting = False
        if not answered and self._current.get(run.task) is run:
            self._end(run, ExeRtn.TIMEOUT)

    def _composed(self, packet: Message, *, answer: bool, back_fill: bool) -> Message:
        """Compose a packet as it goes out: with the PW of now."""
        pno, pnum = packet.pno, packet.pnum
        return self._link.compose(
            packet.cn,
            packet.items,
            qn=packet.qn,
            answer=answer,
            packet=(pno, pnum) if pno and pnum else None,
            back_fill=back_fill,
        )

    # The link and time

    def closed(self) -> list[Run]:
        """Take note that the link is gone; return what was not over."""
        pending = [*self._current.values(), *(run for queue in self._queues.values() for run in queue)]
        self._current.clear()
        self._queues.clear()
        return pending

    def next_timeout(self) -> float | None:
        """Return when :meth:`pump` has something to do."""
        run = self._current.get(Task.RECORDS)
        return None if run is None or run.awaiting else self._next_record_at
