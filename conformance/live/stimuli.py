"""What the bench does to a device in each step, by legal means only, so that there is something to judge.

A stimulus acts and records; it judges nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from ..evidence import STATES, Heard
from ..plan import Mode
from ..steps import STEPS
from ..verdicts import say
from .acting import perform, perform_and_hear, why_pending
from .bench import Bench, StepEnd
from .operator import Act
from .settings import change, restore
from .waiting import await_device

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


def stimuli_for(steps: Iterable[str], *, attended: bool, mode: Mode | None = None) -> list[tuple[str, Stimulus]]:
    """Return how each step is done.

    Unattended, what needs a person is left pending and the link left alone. What would send the device more than
    acknowledgements is skipped where the mode forbids that.
    """
    return [(step, _stimulus_of(step, attended, mode or Mode())) for step in steps]


def _stimulus_of(step: str, attended: bool, mode: Mode) -> Stimulus:
    if STEPS[step].steers and not mode.steers:
        return _skipped
    return _left_pending if STEPS[step].manual and not attended else STIMULI[step]


async def _skipped(bench: Bench) -> StepEnd:
    return StepEnd("skipped", {"reason": "forward" if bench.mode.forward else "passive"})


async def _left_pending(bench: Bench) -> StepEnd:
    return StepEnd("pending")


@_stimulus("connect")
async def _connect(bench: Bench) -> StepEnd:
    found, first = await await_device(bench, bench.limits.connect_s)
    bench.connected_at = bench.now
    detail = {"links": bench.counts["links"], "bytes": bench.counts["bytes"]}
    if first is not None:
        detail["first"] = first.refs[0].seq
    return StepEnd("done" if found else "timeout", detail)


@_stimulus("clock")
async def _clock(bench: Bench) -> StepEnd:
    bench.tell(say("reading the device's clock (1011)"), 2 * bench.limits.response_s)
    return await bench.ask("1011")


@_stimulus("query")
async def _query(bench: Bench) -> StepEnd:
    bench.tell(say("querying the door state (3020)"), 2 * bench.limits.response_s)
    return await bench.ask("3020", b"InfoId=i32001")


def _is_report(heard: Heard) -> bool:
    return not heard.is_reply and sum(code in heard.codes for code in STATES) > 1


def _methods(bench: Bench) -> list[str]:
    """Return the ways to open that the device has; where none is declared, one to ask for."""
    return list(bench.profile.declare.get("methods", ())) or ["face"]


async def _open_and_close(bench: Bench, step: str, method: str, person: str) -> str:
    answer = await perform_and_hear(bench, step, Act("open", method, person))
    return await perform_and_hear(bench, step, Act("close")) if answer == "done" else answer


def _end(bench: Bench, answers: list[str]) -> StepEnd:
    """Sum up the answers of a step's acts: what was not fitted is the case's business, not the step's."""
    if "pending" in answers:
        return StepEnd("pending", why_pending(bench))
    return StepEnd("declined" if "cannot" in answers else "done")


@_stimulus("openings")
async def _openings(bench: Bench) -> StepEnd:
    methods = list(bench.profile.declare.get("methods", ()))
    answers = []
    for method, person in [*((m, "A") for m in methods), *((m, "B") for m in methods[:1])]:
        answers.append(await _open_and_close(bench, "openings", method, person))
        if answers[-1] == "pending":
            break
    return _end(bench, answers)


@_stimulus("exit-button")
async def _exit_button(bench: Bench) -> StepEnd:
    return _end(bench, [await _open_and_close(bench, "exit-button", "exit-button", "")])


@_stimulus("dismantle")
async def _dismantle(bench: Bench) -> StepEnd:
    answer = await perform_and_hear(bench, "dismantle", Act("lift"))
    if answer != "done":
        return _end(bench, [answer])
    limits = bench.limits
    limit = limits.report_interval_s + limits.arrival_warn_s
    bench.tell(say("waiting for the next timed report with the reader still off"), limit)
    await bench.wait(_is_report, limit)
    return _end(bench, [await perform_and_hear(bench, "dismantle", Act("put-back"))])


@_stimulus("defect")
async def _defect(bench: Bench) -> StepEnd:
    answer = await perform_and_hear(bench, "defect", Act("unplug"))
    return _end(bench, [await perform_and_hear(bench, "defect", Act("plug-in")) if answer == "done" else answer])


@_stimulus("observe")
async def _observe(bench: Bench) -> StepEnd:
    limits = bench.limits
    if bench.mode.shorten_s and bench.mode.steers:
        bench.tell(say("setting a reporting interval of {interval} s (1062)", interval=bench.mode.shorten_s))
        if await change(bench, "RtdInterval", str(bench.mode.shorten_s)):
            # One interval until the timer has taken it, then as many as decide.
            rest = bench.mode.shorten_s * (limits.min_intervals + 2) + limits.arrival_warn_s
            rest += limits.latency_fail_s  # a report that is too late must have the time to come
            bench.tell(say("observing the timed reports at the shortened interval"), rest)
            await bench.sleep(rest)
            await restore(bench)
            return StepEnd("aborted" if bench.stopped else "done")
    end = bench.connected_at + limits.observe_s
    if bench.event_wanted:
        limit = limits.report_interval_s + limits.arrival_warn_s
        bench.tell(say("waiting for a timed report, to have the door opened after it"), limit)
        await bench.wait(_is_report, limit)
        await _open_and_close(bench, "observe", _methods(bench)[0], "A")
    bench.tell(say("observing the timed reports"), max(end - bench.now, 0.0))
    await bench.sleep(end - bench.now)
    return StepEnd("aborted" if bench.stopped else "done")


@_stimulus("withhold")
async def _withhold(bench: Bench) -> StepEnd:
    limits = bench.limits
    bench.withhold = True
    limit = limits.report_interval_s + limits.arrival_warn_s
    bench.tell(say("waiting for the next upload, to leave it unanswered"), limit)
    first = await bench.wait(lambda heard: bool(bench.withheld), limit)
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
    if why_pending(bench):
        return _end(bench, ["pending"])
    bench.stop_listening()
    bench.tell(say("the link is cut"), limits.outage_s)
    answers = []
    methods = _methods(bench)
    for index in range(count):
        await bench.sleep(begin + limits.outage_s * (index + 1) / (count + 2) - bench.now)
        # A link is not left cut for hours because somebody went away.
        act = Act("open", methods[index % len(methods)], "A")
        answers.append(await perform(bench, "outage", act, pauses=False))
        if answers[-1] != "done":
            break
        await bench.sleep(limits.settle_s)
        answers.append(await perform(bench, "outage", Act("close"), pauses=False))
    else:
        await bench.sleep(begin + limits.outage_s - bench.now)
    await bench.listen_again()
    restored = bench.now
    bench.tell(say("the link is restored: waiting for what the device kept"), limits.backfill_s)
    if set(answers) <= {"done"}:
        await bench.sleep(limits.backfill_s)
    end = _end(bench, answers)
    return StepEnd(end.result, {**end.detail, "restored": restored})


@_stimulus("reboot")
async def _reboot(bench: Bench) -> StepEnd:
    limits = bench.limits
    links = bench.counts["links"]
    back = bench.watch(lambda heard: heard.link > links)
    try:
        answer = await perform(bench, "reboot", Act("power-cycle"))
        if answer != "done":
            return _end(bench, [answer])
        bench.tell(say("waiting for the device to come back"), limits.operator_s)
        if await bench.until(back, limits.operator_s) is None:
            return StepEnd("timeout")
    finally:
        bench.unwatch(back)
    methods = _methods(bench)
    return _end(bench, [await _open_and_close(bench, "reboot", methods[0], "A")])
