"""What a station answers: its platform's requests and notices, each once, however often they come."""

from __future__ import annotations

import re
from contextlib import suppress
from functools import partial
from typing import Final

from ..codes import CommandKind, ExeRtn, QnRtn
from ..errors import LocalProtocolError
from ..events import MessageReceived
from ..messages import Message
from ..tables.commands import CommandRow
from .commands import STARTS, STOPS, Task, has_result, missing, row_of, task_of
from .events import ClockSet, MessageIgnored, NoticeReceived, RequestAnswered, RequestEnded, RequestRepeated
from .link import Link
from .runs import Run, Runs
from .setters import reading, setting

__all__ = ["Requests"]

_SEVENTEEN: Final = re.compile(r"[0-9]{17}\Z", re.ASCII)
_ASSIGN_MN: Final = "1002"
_SET_KEY: Final = "1014"


class _Known:
    """A request that was answered."""

    __slots__ = ("at", "code", "over", "result", "run", "task")

    def __init__(self, at: float) -> None:
        self.at = at
        self.code: QnRtn | None = None  #: of the 9011, ``None`` while it is queued
        self.task: Task | None = None
        self.result: ExeRtn | None = None  #: of the 9012
        self.over = False
        self.run: Run | None = None


class Requests:
    """Answers one platform.

    Args:
        link: Where the answers go.
        runs: Takes what needs the site.
    """

    def __init__(self, link: Link, runs: Runs) -> None:
        self._link = link
        self._runs = runs
        self._known: dict[bytes, _Known] = {}

    def receive(self, event: MessageReceived, now: float) -> None:
        """Act on a message of the platform that is no answer."""
        message = event.message
        row = row_of(message.cn, self._link.rules)
        if (row.kind if row else event.kind) is CommandKind.NOTICE:
            self._notice(message, row, event.repeated)
        elif row is not None or event.kind is CommandKind.REQUEST or message.wants_answer:
            self._request(message, row, event, now)
        else:
            self._link.report(MessageIgnored(message, None))

    # Notices

    def _notice(self, notice: Message, row: CommandRow | None, repeated: bool) -> None:
        link = self._link
        wrong = self._wrong(notice, row)
        if wrong is not None:
            link.report(MessageIgnored(notice, wrong))  # 9013 has no code that could say so
            return
        self._acknowledge(notice)
        link.report(NoticeReceived(notice, repeated))
        if notice.cn in STOPS and not repeated:
            link.change(notice, **{STOPS[notice.cn]: False})

    def _acknowledge(self, notice: Message) -> None:
        # The answer repeats the platform's fields. Where these leave no legal one, none is given: the link survives.
        if self._link.connection is not None:
            with suppress(LocalProtocolError):
                self._link.connection.acknowledge(notice)

    # Requests

    def _request(self, request: Message, row: CommandRow | None, event: MessageReceived, now: float) -> None:
        content = bytes(request)
        known = self._known.get(content)
        if known is not None and now - known.at <= self._link.policy.repeat_s:
            self._again(request, row, known, now)
            return
        known = self._remember(content, now)
        wrong = self._wrong(request, row) or self._forbidden(request, event)
        if wrong is not None:
            self._answer(request, known, wrong)
            return
        known.task = task_of(request, row, own_clock=self._link.policy.own_clock)
        if known.task in (Task.RECORDS, Task.OPERATION):
            self._run(request, row, known, now)
        else:
            self._at_once(request, row, known, now)

    def _remember(self, content: bytes, now: float) -> _Known:
        self._known.pop(content, None)
        known = self._known[content] = _Known(now)
        if len(self._known) > self._link.policy.max_remembered:
            del self._known[next(iter(self._known))]
        return known

    def _again(self, request: Message, row: CommandRow | None, known: _Known, now: float) -> None:
        """Answer a request that came before: what was done is not done again, but what was said is said again."""
        link = self._link
        if known.code is None:
            return  # it waits in the queue; its turn comes
        link.report(RequestRepeated(request))
        unsure = known.task is Task.RECORDS and not link.policy.acknowledged
        if known.over and unsure and known.result is ExeRtn.SUCCESS:
            self._run(request, row, known, now)  # nobody knows whether the records arrived
            return
        self._reply(request, known.code)
        if not known.over:
            return
        if known.task is Task.READING:
            self._runs.send_value(request, [[reading(request, link)]], now)
        elif known.run is not None and known.run.value is not None:
            self._runs.send_value(request, known.run.value, now)
        if has_result(row) and known.result is not None:
            self._complete(request, known.result)

    def _at_once(self, request: Message, row: CommandRow | None, known: _Known, now: float) -> None:
        link = self._link
        self._answer(request, known, QnRtn.READY)
        end = partial(self._end, request, row, known)
        if missing(request, row):
            end(ExeRtn.BAD_CONDITION, 0)
        elif known.task is Task.START:
            end(ExeRtn.SUCCESS, 0)
            link.change(request, **{STARTS[request.cn]: True})
        elif known.task is Task.READING:
            end(ExeRtn.SUCCESS, self._runs.send_value(request, [[reading(request, link)]], now))
        else:
            found = setting(request, link)
            if isinstance(found, ExeRtn):
                end(found, 0)
                return
            end(ExeRtn.SUCCESS, 0)  # PW and key are valid only after success
            link.change(request, **found)
            if "clock_offset_s" in found:
                link.report(ClockSet(request.parameter("SystemTime") or "", link.settings.clock_offset_s))

    def _run(self, request: Message, row: CommandRow | None, known: _Known, now: float) -> None:
        assert known.task is not None
        known.code, known.over, known.run = None, False, None
        if not self._runs.possible(known.task):
            self._answer(request, known, QnRtn.REFUSED)
            return
        if missing(request, row):
            self._answer(request, known, QnRtn.READY)
            self._end(request, row, known, ExeRtn.BAD_CONDITION, 0)
            return
        begin = partial(self._answer, request, known, QnRtn.READY)
        known.run = Run(request, known.task, begin, partial(self._end, request, row, known))
        self._runs.add(known.run, now)

    # What is wrong with a message

    def _wrong(self, message: Message, row: CommandRow | None) -> QnRtn | None:
        link, policy = self._link, self._link.policy
        settings = link.settings
        assigning = message.cn == _ASSIGN_MN and link.rules.registration
        numbered = message.pnum is not None and message.pnum > 1
        if policy.check_mn and not assigning and message.mn != settings.mn:
            return QnRtn.MN_WRONG
        if policy.check_pw and settings.pw and message.pw != settings.pw:
            return QnRtn.PW_WRONG
        if policy.check_st and not assigning and not self._st_right(message):
            return QnRtn.ST_WRONG
        if numbered or not self._flag_right(message):
            return QnRtn.FLAG_WRONG
        if not _SEVENTEEN.match(message.qn):
            return QnRtn.QN_WRONG
        return QnRtn.CN_WRONG if row is None and policy.refuse_foreign else None

    def _st_right(self, message: Message) -> bool:
        identity = self._link.identity
        return message.st in (identity.st, *identity.other_sts, self._link.rules.reply_system)

    def _flag_right(self, message: Message) -> bool:
        """Say whether Flag is a number, or absent where the edition has frames without it."""
        text = message.segment.field("Flag")
        return message.flag is not None if text is not None else "Flag" not in self._link.rules.required_fields

    def _forbidden(self, request: Message, event: MessageReceived) -> QnRtn | None:
        """Say why a request that is well-formed is not for us, or comes in a way it must not."""
        link = self._link
        if request.cn == _ASSIGN_MN and link.rules.registration:
            named = request.parameter("i23005-Info")
            meant = link.settings.mn in ("", request.mn) if named is None else named == link.identity.logger_id
            return None if meant else QnRtn.MN_WRONG
        if request.cn == _SET_KEY and link.rules.encryption is not None:
            clear = link.policy.clear_key and link.settings.key is None
            return None if event.encrypted or clear else QnRtn.REFUSED
        return None

    # Answers

    def _answer(self, request: Message, known: _Known, code: QnRtn) -> None:
        known.code = code
        self._reply(request, code)
        self._link.report(RequestAnswered(request, code))

    def _reply(self, request: Message, code: QnRtn) -> None:
        link = self._link
        if link.connection is not None and (request.wants_answer or link.policy.answer_unasked):
            with suppress(LocalProtocolError):
                link.connection.answer(request, code)

    def _end(self, request: Message, row: CommandRow | None, known: _Known, code: ExeRtn, sent: int) -> None:
        known.over, known.result = True, code
        if has_result(row):
            self._complete(request, code)
        self._link.report(RequestEnded(request, code, sent))

    def _complete(self, request: Message, code: ExeRtn) -> None:
        if self._link.connection is not None:
            with suppress(LocalProtocolError):
                self._link.connection.complete(request, code)

    def closed(self) -> None:
        """Take note that the link is gone: nobody awaits an answer any more."""
        for run in self._runs.closed():
            self._link.report(RequestEnded(run.request, None, run.sent))
            self._known.pop(bytes(run.request), None)
