"""A run against a real device on the real clock."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from ..plan import Plan
from ..profile import Profile
from ..transcript import Transcript
from .bench import Bench, Progress
from .operator import Operator
from .stimuli import stimuli_for

__all__ = ["LiveRun", "run_live"]


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


def run_live(
    plan: Plan,
    profile: Profile,
    operator: Operator,
    host: str,
    port: int,
    *,
    wall_clock: float,
    max_bytes: int | None = None,
    on_progress: Progress | None = None,
) -> LiveRun:
    """Listen, go through the plan's steps and return what happened.

    Args:
        wall_clock: POSIX seconds now.
        max_bytes: Limit of the transcript, where not the usual one.

    Raises:
        EnvironmentFault: If the address cannot be had at all. What breaks later ends the run and loses nothing.
    """
    holder: list[Transcript] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        transcript = Transcript(epoch=wall_clock - loop.time(), clock="real")
        if max_bytes is not None:
            transcript.max_bytes = max_bytes
        holder.append(transcript)
        bench = Bench(profile, transcript, operator, on_progress=on_progress)
        await bench.listen(host, port)
        await bench.run(stimuli_for(plan.steps, attended=operator.attended))

    try:
        with asyncio.Runner() as runner:
            runner.run(main())
    except KeyboardInterrupt:
        return LiveRun(holder[0], interrupted=True)
    except Exception as error:
        if not holder or not any(entry.kind == "step" for entry in holder[0]):
            raise
        return LiveRun(holder[0], failure=error)
    return LiveRun(holder[0])
