"""A run against a real device on the real clock, from its beginning or from where an interrupted one left off."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from hj212.aio import listen
from stationgate import __version__

from ..plan import Plan
from ..profile import Profile
from ..steps import SETTLE, TIDY
from ..transcript import Transcript
from .bench import Bench, Progress, StepEnd
from .clock import discipline, real_clocks
from .operator import Act, Operator
from .resuming import Remains, remains
from .stimuli import stimuli_for

__all__ = ["SCHEMA", "LiveRun", "begin_record", "run_live", "stimuli_left", "take_up"]

#: Number of the shape of a record; what was recorded by another one is not judged as if it were this.
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class LiveRun:
    """What a run on the real clock left behind.

    Attributes:
        transcript: Everything it saw and did; complete up to where it ended.
        interrupted: Whether the user ended it.
        failure: What broke on our side and ended it early: an address that is gone, a defect of the suite.
    """

    transcript: Transcript
    interrupted: bool = False
    failure: Exception | None = None


def begin_record(
    transcript: Transcript, plan: Plan, profile: Profile, now: float, *, run_id: str = "", simulated: bool = False
) -> None:
    """Write what a run is about as the first entry of its record, so that the record stands by itself."""
    host = {"system": platform.system(), "release": platform.release(), "python": platform.python_version()}
    transcript.add(
        "run", now, schema=SCHEMA, suite=__version__, epoch=transcript.epoch, profile=profile.to_toml(),
        select=plan.select, exclude=plan.exclude, mode=plan.mode.to_json(), host=host, simulated=simulated, id=run_id,
    )  # fmt: skip


def run_live(
    plan: Plan,
    profile: Profile,
    operator: Operator,
    host: str,
    port: int,
    *,
    wall_clock: Callable[[], float],
    max_bytes: int | None = None,
    on_progress: Progress | None = None,
    sink: Callable[[bytes], None] | None = None,
    earlier: Transcript | None = None,
    run_id: str = "",
    on_listening: Callable[[str, int], None] | None = None,
) -> LiveRun:
    """Listen, go through the plan's steps and return what happened.

    Args:
        wall_clock: Reads POSIX seconds.
        max_bytes: Limit of the transcript, where not the usual one.
        on_progress: Called with what is awaited.
        sink: Is handed each line of the record as it comes to be.
        earlier: The record of the interrupted run that this one goes on with.
        run_id: Name of the run in the ledger of this installation.
        on_listening: Called with host and port once devices may connect.

    Raises:
        EnvironmentFault: If the address cannot be had at all. What breaks later ends the run and loses nothing.
        KeyboardInterrupt: If the user does not wait for an orderly end, or interrupts before anything happened.
    """
    holder: list[Transcript] = []
    over: list[bool] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        clocks = real_clocks()
        if earlier is None:
            transcript, left, shift = Transcript(epoch=wall_clock() - loop.time(), clock="real"), None, 0.0
        else:
            transcript, left = earlier, remains(earlier, profile, plan)
            shift = _continued(earlier, wall_clock()) - loop.time()
        transcript.wall, transcript.sink = wall_clock, sink
        if max_bytes is not None:
            transcript.max_bytes = max_bytes
        holder.append(transcript)
        bench = Bench(
            profile, transcript, operator, on_progress=on_progress, mode=plan.mode, clocks=clocks,
            discipline=lambda: asyncio.to_thread(discipline), shift=shift, listener=listen,
        )  # fmt: skip
        if left is None:
            begin_record(transcript, plan, profile, bench.now, run_id=run_id)
        else:
            take_up(bench, left)
        await bench.listen(host, port)
        if on_listening:
            on_listening(host, bench.port)
        try:
            await bench.run(stimuli_left(plan, operator, left))
        finally:
            over.append(True)

    try:
        with asyncio.Runner() as runner:
            try:
                runner.run(main())
            except KeyboardInterrupt:
                if holder and not over:
                    # The second Ctrl-C: it may have come between an entry and its line, so no line follows.
                    holder.pop().sink = None
                raise
    except KeyboardInterrupt:
        if not holder:
            raise
        return LiveRun(holder[0], interrupted=True)
    except Exception as error:
        if not holder or not any(entry.kind == "step" for entry in holder[0]):
            raise
        return LiveRun(holder[0], failure=error)
    return LiveRun(holder[0])


def take_up(bench: Bench, left: Remains) -> None:
    """Have a bench go on where an interrupted run left off; its transcript holds that run."""
    bench.recall(links=left.links, mn=left.mn, pw=left.pw, shown=left.shown)
    bench.event_wanted = left.event and bench.operator.attended
    transcript = bench.transcript
    transcript.add("resumed", bench.now, after=_ending(transcript), gap_s=bench.now - transcript[-1].t_mono)


def _continued(earlier: Transcript, wall: float) -> float:
    """Return where the record's clock stands now: it went on while nobody wrote."""
    last = earlier[-1]
    # After the last entry, even where the computer's clock was set back meanwhile.
    return last.t_mono + max(wall - last.t_wall, 0.001)


def _ending(earlier: Transcript) -> str:
    """Return how the run that goes on had ended: ``killed``, ``interrupted`` or ``pending``."""
    begun = max(entry.seq for entry in earlier if entry.seq == 0 or entry.kind == "resumed")
    if not any(entry.kind == "note" and "counts" in entry.attachment for entry in earlier.entries[begun:]):
        return "killed"
    steps = [entry for entry in earlier if entry.kind == "step"]
    return "interrupted" if steps and steps[-1].attachment["phase"] == "begin" else "pending"


Stimulus = Callable[[Bench], Awaitable[StepEnd]]


def stimuli_left(plan: Plan, operator: Operator, left: Remains | None) -> list[tuple[str, Stimulus]]:
    """Return the steps to take, all of the plan's or what is left of them, each with how it is done."""
    if left is None:
        return stimuli_for(plan.steps, attended=operator.attended, mode=plan.mode)
    steps = stimuli_for(left.steps, attended=operator.attended, mode=plan.mode)
    if left.tidy and operator.attended:
        steps.insert(1, (TIDY, _tidying(left.tidy)))
    steps.insert(1, (SETTLE, _settle))
    return steps


async def _settle(bench: Bench) -> StepEnd:
    """Put back what the interrupted run had changed, and let the device tell what it kept meanwhile."""
    await bench.leave_as_found()
    # What it kept is late already: left unanswered, it would come again with the next report and not by itself.
    await bench.sleep(bench.limits.settle_s)
    return StepEnd()


def _tidying(acts: tuple[str, ...]) -> Stimulus:
    """Have the door brought to rest before interrupted acts are done again."""

    async def tidy(bench: Bench) -> StepEnd:
        for act in acts:
            await bench.act(TIDY, Act(act))
        await bench.sleep(bench.limits.settle_s)
        return StepEnd()

    return tidy
