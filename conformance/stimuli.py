"""What the bench does to a device in each step, by legal means only, so that there is something to judge.

A stimulus acts and records; it judges nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from .bench import Bench, StepEnd
from .evidence import STATES, Heard
from .operator import Act
from .steps import STEPS
from .verdicts import say

__all__ = ["STIMULI", "stimuli_for"]

Stimulus = Callable[[Bench], Awaitable[StepEnd]]

#: How each step is done, by its id.
STIMULI: Final[dict[str, Stimulus]] = {}


def _stimulus(step: str) -> Callable[[Stimulus], Stimulus]:
    def register(stimulus: Stimulus) -> Stimulus:
        assert step in STEPS, step
        STIMULI[step] = stimulus
        return stimulus

    return register


def stimuli_for(steps: Iterable[str], *, attended: bool) -> list[tuple[str, Stimulus]]:
    """Return how each step is done; unattended, what needs a person is left pending and the link left alone."""
    return [(step, _left_pending if STEPS[step].manual and not attended else STIMULI[step]) for step in steps]


async def _left_pending(bench: Bench) -> StepEnd:
    return StepEnd("pending")


@_stimulus("connect")
async def _connect(bench: Bench) -> StepEnd:
    limit = bench.limits.connect_s
    bench.tell(say("waiting for the device to connect to port {port} and report", port=bench.port), limit)
    first = await bench.wait(lambda heard: True, limit)
    bench.connected_at = bench.now
    return StepEnd("done" if first else "timeout", {"links": bench.counts["links"], "bytes": bench.counts["bytes"]})


@_stimulus("clock")
async def _clock(bench: Bench) -> StepEnd:
    bench.tell(say("reading the device's clock (1011)"), 2 * bench.limits.response_s)
    return await bench.ask("1011")


@_stimulus("query")
async def _query(bench: Bench) -> StepEnd:
    bench.tell(say("querying the door state (3020)"), 2 * bench.limits.response_s)
    return await bench.ask("3020", b"InfoId=i32001")


def _shows(code: str, value: str) -> Callable[[Heard], bool]:
    return lambda heard: not heard.is_reply and heard.codes.get(code) == value


def _is_report(heard: Heard) -> bool:
    return not heard.is_reply and sum(code in heard.codes for code in STATES) > 1


async def _await_report(bench: Bench, code: str, value: str) -> None:
    """Wait until the device shows the new state, and then for what belongs to it.

    A device that once did not report in the full time is not waited for that long again: the operator stands there.
    """
    limits = bench.limits
    begin = bench.now
    seen = await bench.wait(_shows(code, value), limits.event_s if bench.patient else limits.settle_s)
    if seen is None:
        bench.patient = False
    await bench.sleep(limits.settle_s - (bench.now - begin))


async def _open_and_close(bench: Bench, step: str, method: str, person: str) -> str:
    answer = await bench.act(step, Act("open", method, person))
    if answer == "done":
        await _await_report(bench, "i32001", "1")
        answer = await bench.act(step, Act("close"))
        await _await_report(bench, "i32001", "0")
    return answer


def _end(answers: list[str]) -> StepEnd:
    """Sum up the answers of a step's acts: what was not fitted is the case's business, not the step's."""
    if "pending" in answers:
        return StepEnd("pending")
    return StepEnd("declined" if "cannot" in answers else "done")


@_stimulus("openings")
async def _openings(bench: Bench) -> StepEnd:
    methods = list(bench.profile.declare.get("methods", ()))
    answers = []
    for method, person in [*((m, "A") for m in methods), *((m, "B") for m in methods[:1])]:
        answers.append(await _open_and_close(bench, "openings", method, person))
        if answers[-1] == "pending":
            break
    return _end(answers)


@_stimulus("exit-button")
async def _exit_button(bench: Bench) -> StepEnd:
    return _end([await _open_and_close(bench, "exit-button", "exit-button", "")])


@_stimulus("dismantle")
async def _dismantle(bench: Bench) -> StepEnd:
    answer = await bench.act("dismantle", Act("lift"))
    if answer != "done":
        return _end([answer])
    limits = bench.limits
    await _await_report(bench, "i32002", "1")
    limit = limits.report_interval_s + limits.arrival_warn_s
    bench.tell(say("waiting for the next timed report with the reader still off"), limit)
    await bench.wait(_is_report, limit)
    answer = await bench.act("dismantle", Act("put-back"))
    await _await_report(bench, "i32002", "0")
    return _end([answer])


@_stimulus("defect")
async def _defect(bench: Bench) -> StepEnd:
    answer = await bench.act("defect", Act("unplug"))
    if answer != "done":
        return _end([answer])
    await _await_report(bench, "i32003", "1")
    answer = await bench.act("defect", Act("plug-in"))
    await _await_report(bench, "i32003", "0")
    return _end([answer])


@_stimulus("observe")
async def _observe(bench: Bench) -> StepEnd:
    rest = bench.connected_at + bench.limits.observe_s - bench.now
    bench.tell(say("observing the timed reports"), max(rest, 0.0))
    await bench.sleep(rest)
    return StepEnd("aborted" if bench.stopped else "done")


@_stimulus("withhold")
async def _withhold(bench: Bench) -> StepEnd:
    limits = bench.limits
    bench.withhold = True
    limit = limits.report_interval_s + limits.arrival_warn_s
    bench.tell(say("waiting for the next upload, to leave it unanswered"), limit)
    first = await bench.wait(lambda heard: heard.message.wants_answer and not heard.is_reply, limit)
    if first is None:
        bench.withhold = False
        return StepEnd("timeout")
    window = limits.response_s * (limits.resend_count + 4)
    bench.tell(say("counting the repeats of the unanswered upload"), window)
    await bench.sleep(window)
    bench.answer_withheld()
    return StepEnd("done", {"qn": first.message.qn, "window_s": window})


@_stimulus("outage")
async def _outage(bench: Bench) -> StepEnd:
    limits = bench.limits
    begin = bench.now
    count = limits.outage_openings
    bench.stop_listening()
    bench.tell(say("the link is cut"), limits.outage_s)
    answers = []
    methods = list(bench.profile.declare.get("methods", ())) or ["face"]
    for index in range(count):
        await bench.sleep(begin + limits.outage_s * (index + 1) / (count + 2) - bench.now)
        answers.append(await bench.act("outage", Act("open", methods[index % len(methods)], "A")))
        if answers[-1] != "done":
            break
        await bench.sleep(limits.settle_s)
        answers.append(await bench.act("outage", Act("close")))
    else:
        await bench.sleep(begin + limits.outage_s - bench.now)
    await bench.listen_again()
    restored = bench.now
    bench.tell(say("the link is restored: waiting for what the device kept"), limits.backfill_s)
    if answers[-1] == "done":
        await bench.sleep(limits.backfill_s)
    end = _end(answers)
    return StepEnd(end.result, {"restored": restored})


@_stimulus("reboot")
async def _reboot(bench: Bench) -> StepEnd:
    answer = await bench.act("reboot", Act("power-cycle"))
    if answer != "done":
        return _end([answer])
    limits = bench.limits
    bench.tell(say("waiting for the device to come back"), limits.operator_s)
    if await bench.wait(lambda heard: True, limits.operator_s) is None:
        return StepEnd("timeout")
    methods = list(bench.profile.declare.get("methods", ())) or ["face"]
    return _end([await _open_and_close(bench, "reboot", methods[0], "A")])
