"""Questions and controls of a platform, and what is answered (GB/T 28181-2022 9.3, 9.5, 9.7, annex M; 2016 the same).

The 200 to a question is not its answer: that is a message of its own, known by CmdType and SN. Lists come in parts.
One question of a kind waits at a device at a time, for there are recorders that answer only one; the others stand in
line behind it. "Not supported" has no words in the standard: a device may refuse, answer ERROR or stay silent.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from ..errors import LimitError
from ..manscdp import write
from ..manscdp.body import Body
from ..manscdp.controls import (
    AlarmReset,
    Configure,
    GuardControl,
    HomePositionControl,
    RecordControl,
    Upgrade,
)
from ..manscdp.notifies import Broadcast
from ..manscdp.parts import Collected, Collector, by_device, by_file
from ..manscdp.queries import CatalogQuery, Query, RecordQuery
from ..manscdp.responses import CatalogAnswer, RecordAnswer
from ..messaging import Messenger, Route
from ..sip.endpoint import Endpoint
from ..sip.events import RequestFailed, ResponseReceived
from ..sip.timers import Timer
from .registrar import Device

__all__ = ["ANSWER_S", "MAX_WAITING", "Question", "Questions", "Why"]

#: How long an answer may take that is one message.
ANSWER_S: Final = 10.0
#: Questions that wait at one device; more say that it does not answer.
MAX_WAITING: Final = 256
#: What is answered by a message of its own (A.2.3.1, A.2.4, A.2.5.5).
_ANSWERED: Final = (
    Query,
    RecordControl,
    GuardControl,
    AlarmReset,
    HomePositionControl,
    Upgrade,
    Configure,
    Broadcast,
)
_LISTS: Final[dict[type[Body], Callable[[Any], Hashable]]] = {CatalogQuery: by_device, RecordQuery: by_file}


class Why(StrEnum):
    """Why a question has no answer; the value is what logs show."""

    REFUSED = "refused"  #: by a SIP status
    SILENT = "silent"  #: 200, and then nothing
    UNREACHABLE = "unreachable"  #: not even a 200
    GONE = "gone"  #: the device went offline


@dataclass(slots=True, eq=False)
class Question:
    """A question or control on its way.

    Attributes:
        device: Whom.
        body: What, its SN filled.
        answer: The answering body; of a list the last part.
        collected: Of a list, all that came.
        why: Why there is none.
        status: SIP status of a refusal.
    """

    device: Device
    body: Body
    answer: Body | None = None
    collected: Collected | None = None
    why: Why | None = None
    status: int | None = None
    alarm: Timer | None = None

    @property
    def key(self) -> tuple[str, int]:
        """What its answer repeats."""
        return self.body.CMD_TYPE, self.body.sn or 0

    @property
    def wants_answer(self) -> bool:
        """Whether a message answers it."""
        return isinstance(self.body, _ANSWERED)


class _Line:
    """What waits at one device."""

    __slots__ = ("behind", "collector", "open")

    def __init__(self) -> None:
        self.open: dict[tuple[str, int], Question] = {}
        self.behind: deque[Question] = deque()
        self.collector = Collector()

    def busy(self, cmd_type: str) -> bool:
        return any(key[0] == cmd_type for key in self.open)


class Questions:
    """What a platform asks its devices.

    Args:
        endpoint: Its user agent.
        route: Returns the way to a device for a code: its own or a channel's.
        done: Called with each question that is over.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        route: Callable[[Device, str], Route],
        done: Callable[[Question], None],
    ) -> None:
        self._endpoint = endpoint
        self._route = route
        self._done = done
        self._messenger = Messenger(endpoint)
        self._lines: dict[str, _Line] = {}
        self._sn = 0

    def __len__(self) -> int:
        return sum(len(line.open) + len(line.behind) for line in self._lines.values())

    def next_sn(self) -> int:
        """Return the next SN."""
        self._sn = self._sn % 0x7FFFFFFF + 1
        return self._sn

    def ask(self, device: Device, body: Body, now: float) -> Question:
        """Ask; the SN is filled in.

        Raises:
            LimitError: If as many questions wait at the device as may.
            LocalProtocolError: If the device's edition does not have the body.
        """
        line = self._lines.setdefault(device.id, _Line())
        if len(line.open) + len(line.behind) >= MAX_WAITING:
            raise LimitError(f"{MAX_WAITING} questions wait at {device.id} (MAX_WAITING)")
        question = Question(device, dataclasses.replace(body, sn=self.next_sn()))
        write(question.body, device.rules)  # what the edition does not have is told to the caller, not to a timer
        if line.busy(body.CMD_TYPE) and question.wants_answer:
            line.behind.append(question)
        else:
            self._send(line, question, now)
        return question

    def _send(self, line: _Line, question: Question, now: float) -> None:
        device, body = question.device, question.body
        code = getattr(body, "device_id", None) or getattr(body, "target_id", None) or device.id
        line.open[question.key] = question
        identify = _LISTS.get(type(body))
        if identify is not None:
            line.collector.begin(question.key, identify, now)
        self._watch(line, question, now)
        self._messenger.send(self._route(device, code), write(body, device.rules), now, question)

    def _watch(self, line: _Line, question: Question, now: float) -> None:
        self._endpoint.timers.cancel(question.alarm)
        due = line.collector.next_timeout() if type(question.body) in _LISTS else now + ANSWER_S
        question.alarm = self._endpoint.timers.set(
            now + ANSWER_S if due is None else due, lambda then: self._waited(question, then)
        )

    def _waited(self, question: Question, now: float) -> None:
        line = self._lines.get(question.device.id)
        if line is None or question.key not in line.open:
            return
        if type(question.body) not in _LISTS:
            self._close(line, question, now, Why.SILENT)
            return
        for collected in line.collector.expire(now):
            late = line.open.get(collected.key)  # type: ignore[call-overload]  # keys are those of questions
            if late is not None:
                late.collected = collected if collected.parts else None
                self._close(line, late, now, None if collected.parts else Why.SILENT)
        if question.key in line.open:
            self._watch(line, question, now)

    # What comes back

    def sip_answered(self, event: ResponseReceived | RequestFailed, now: float) -> bool:
        """Take the SIP answer to a question; say whether it was one."""
        question = event.transaction.context
        if not isinstance(question, Question):
            return False
        line = self._lines.get(question.device.id)
        if line is None or question.key not in line.open:
            return True
        if isinstance(event, RequestFailed):
            self._close(line, question, now, Why.UNREACHABLE)
        elif event.response.status >= 300:
            question.status = event.response.status
            self._close(line, question, now, Why.REFUSED)
        elif event.response.status >= 200 and not question.wants_answer:
            self._close(line, question, now, None)
        return True

    def answered(self, device: Device, body: Body, now: float) -> bool:
        """Take a message; say whether it answers a question."""
        line = self._lines.get(device.id)
        question = line.open.get((body.CMD_TYPE, body.sn or 0)) if line else None
        if line is None or question is None:
            return False
        question.answer = body
        if not isinstance(body, CatalogAnswer | RecordAnswer):
            self._close(line, question, now, None)
            return True
        collected = line.collector.add(question.key, body.items or (), body.total, now)
        if collected is not None:
            question.collected = collected
            self._close(line, question, now, None)
        else:
            self._watch(line, question, now)
        return True

    def gone(self, device_id: str, now: float) -> None:
        """Take note that a device is offline: nothing more is answered."""
        line = self._lines.pop(device_id, None)
        if line is None:
            return
        for question in [*line.open.values(), *line.behind]:
            self._endpoint.timers.cancel(question.alarm)
            question.why = Why.GONE
            self._done(question)

    def _close(self, line: _Line, question: Question, now: float, why: Why | None) -> None:
        del line.open[question.key]
        self._endpoint.timers.cancel(question.alarm)
        question.why = why
        self._done(question)
        for waiting in list(line.behind):
            if not line.busy(waiting.body.CMD_TYPE):
                line.behind.remove(waiting)
                self._send(line, waiting, now)
        if not line.open and not line.behind:
            self._lines.pop(question.device.id, None)
