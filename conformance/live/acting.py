"""Acts as they go: attempts and pauses of the operator, and the wait for what the device tells of them.

Every attempt is on record with its window, from the prompt to the answer. What counts is the last one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from ..evidence import ACT_STATES, OPENING_PARTS, Heard
from ..verdicts import Said, say
from .operator import Act, OperatorFailedError

if TYPE_CHECKING:
    from .bench import Bench, Watch

__all__ = ["MAX_ATTEMPTS", "perform", "perform_and_hear", "why_pending"]

#: Attempts at one act, errors and pauses together; after that the step is left for another day.
MAX_ATTEMPTS: Final = 10
#: Among the signs that a bench has given up on: the operator, who left during a pause.
_OPERATOR: Final = "operator"


async def perform(bench: Bench, step: str, act: Act, *, signs: Signs | None = None, pauses: bool = True) -> str:
    """Have the operator act, again after an error or a pause; return what the last attempt came to.

    That is ``done``, ``cannot``, ``not-fitted``, or ``pending`` where the act is left for another day.

    Args:
        step: Id of the step that the act belongs to.
        signs: What to look out for, anew with each attempt.
        pauses: Whether to wait for an operator who does not answer in time. The links are served meanwhile.
    """
    limits = bench.limits
    for attempt in range(1, MAX_ATTEMPTS + 1):
        if why_pending(bench) or bench.stopped:
            return "pending"
        asked = replace(act, step=step, attempt=attempt, deadline_s=float(limits.operator_s))
        if signs:
            signs.look_out(asked)
        bench.tell(asked.prompt, limits.operator_s)
        _record_begin(bench, asked)
        asking = asyncio.ensure_future(bench.operator.perform(asked))
        try:
            patient = bench.operator.patient
            answer = await _answer(bench, asking, limits.operator_s if patient else None)
            paused = answer is None and patient and pauses and not bench.stopped
            _record_end(bench, asked, "paused" if paused else answer or "pending")
            if paused:
                answer = await _pause(bench, asking)
        except OperatorFailedError as error:
            _record_end(bench, asked, "pending", why=_plain(error.said))
            bench.tell(say("the operator's rig failed: {why}; its acts stay pending", why=error.said))
            return "pending"
        finally:
            asking.cancel()
            with suppress(asyncio.CancelledError, OperatorFailedError):
                await asking
        if answer != "erred":
            return answer or "pending"
    return "pending"


async def _answer(bench: Bench, asking: asyncio.Future[str], limit_s: float | None) -> str | None:
    """Return the answer; ``None`` when the run stops before it, or when it does not come in time."""
    over = bench.watch(lambda heard: False)
    try:
        both: tuple[asyncio.Future[Any], ...] = asking, over
        await asyncio.wait(both, timeout=limit_s, return_when=asyncio.FIRST_COMPLETED)
        return asking.result() if asking.done() else None
    finally:
        bench.unwatch(over)


async def _pause(bench: Bench, asking: asyncio.Future[str]) -> str | None:
    """Wait for a sign of the operator; return ``erred``, which has the act asked for anew, in a window of its own."""
    limit = bench.limits.pause_s
    bench.tell(say("no answer: the run is paused; press Enter and the act is asked for again"), limit)
    answer = await _answer(bench, asking, limit)
    if answer is None and not bench.stopped:
        bench.given_up.add(_OPERATOR)
    return "erred" if answer not in (None, "pending") else answer


def why_pending(bench: Bench) -> dict[str, Any]:
    """Return why no act can be done any more, for the record of a step; empty while one can."""
    failure = bench.operator.failure
    if failure:
        return {"reason": "rig failed", "why": _plain(failure)}
    return {"reason": "operator away"} if _OPERATOR in bench.given_up else {}


def _plain(said: Said) -> str:
    """Return a sentence for the record, which is in English whatever the console speaks."""
    return said.msgid.format(**said.params)


def _record_begin(bench: Bench, act: Act) -> None:
    known = {"act": act.act, "method": act.method, "person": act.person}
    shown: dict[str, Any] = {key: value for key, value in known.items() if value}
    bench.transcript.add("act", bench.now, step=act.step, phase="begin", attempt=act.attempt, **shown)


def _record_end(bench: Bench, act: Act, answer: str, **more: Any) -> None:
    if bench.operator.note:
        more["note"] = bench.operator.note
    bench.transcript.add("act", bench.now, step=act.step, phase="end", attempt=act.attempt, answer=answer, **more)


async def perform_and_hear(bench: Bench, step: str, act: Act) -> str:
    """Have the operator act, wait until the device has told of it, and a moment for what belongs to it.

    The device may tell of it before the operator says that it is done. What once did not come in the full time is not
    waited for that long again: the operator stands there.
    """
    signs = Signs(bench)
    try:
        answer = await perform(bench, step, act, signs=signs)
        if answer == "done":
            await signs.heard()
        return answer
    finally:
        signs.end()


class Signs:
    """What a device should say of an act, looked out for from the prompt on."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._watches: dict[str, Watch] = {}

    def look_out(self, act: Act) -> None:
        """Look out for what tells of ``act``, and no longer for anything before."""
        self.end()
        code, value = ACT_STATES[act.act]
        if act.act == "close" and self._bench.shown.get(code) == value:
            return  # it fell shut by itself
        signs = {f"{code}={value}": _shows(code, value)}
        if act.act == "open" and act.method != "exit-button":
            signs["record"] = _is_record
        self._watches = {sign: self._bench.watch(predicate) for sign, predicate in signs.items()}

    async def heard(self) -> None:
        """Wait until all of it came, or did not in time."""
        bench, limits = self._bench, self._bench.limits
        begin = bench.now
        for sign, watch in self._watches.items():
            limit = limits.settle_s if sign in bench.given_up else limits.event_s
            if await bench.until(watch, begin + limit - bench.now) is None:
                bench.given_up.add(sign)
        await bench.sleep(limits.settle_s - (bench.now - begin))

    def end(self) -> None:
        """Look out no longer."""
        for watch in self._watches.values():
            self._bench.unwatch(watch)
        self._watches = {}


def _shows(code: str, value: str) -> Callable[[Heard], bool]:
    return lambda heard: not heard.is_reply and heard.codes.get(code) == value


def _is_record(heard: Heard) -> bool:
    return not heard.is_reply and any(code in heard.codes for code in OPENING_PARTS)
