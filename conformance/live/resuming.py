"""What is left to do of a run that was interrupted, as its record says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ..evidence import Evidence
from ..plan import Plan
from ..profile import Profile
from ..transcript import Transcript

__all__ = ["Remains", "remains"]

#: What undoes an act.
_UNDONE_BY: Final = {"open": "close", "lift": "put-back", "unplug": "plug-in"}


@dataclass(frozen=True, slots=True)
class Remains:
    """What goes on.

    Attributes:
        steps: The steps to take, in order; ``connect`` is always the first.
        tidy: Acts that bring the door back to rest: closed, reader on its base, no fault.
        links: The highest number a link had.
        mn: MN under test, where one was seen.
        pw: PW that it sent.
        shown: What the device last said for each code.
        event: Whether an opening is needed among the timed reports: those observed with one may be lost.
    """

    steps: tuple[str, ...]
    tidy: tuple[str, ...]
    links: int
    mn: str
    pw: str
    shown: dict[str, str]
    event: bool


def remains(transcript: Transcript, profile: Profile, plan: Plan) -> Remains:
    """Return what is left of a plan; a step that did not come to its end is taken again from its beginning."""
    evidence = Evidence(transcript, profile)
    ended = {"done", "timeout"}  # what the operator could not do before may be possible now
    steps = [
        s for s in plan.steps if s == "connect" or s not in evidence.steps or evidence.steps[s].result not in ended
    ]
    shown: dict[str, str] = {}
    for heard in evidence.frames:
        if not heard.is_reply:
            shown.update(heard.codes)
    return Remains(
        steps=tuple(steps),
        tidy=_tidy(transcript),
        links=max((entry.link for entry in transcript), default=0),
        mn=evidence.mn,
        pw=next((h.message.pw for h in evidence.frames if h.message.pw), ""),
        shown=shown,
        event="observe" in steps and "openings" in plan.steps and "openings" not in steps,
    )


def _tidy(transcript: Transcript) -> tuple[str, ...]:
    """Return what undoes the acts that were begun and not undone; whether the last one happened nobody knows."""
    wanted: dict[str, None] = {}
    for entry in transcript:
        if entry.kind != "act" or entry.attachment["phase"] != "begin":
            continue
        act = entry.attachment["act"]
        if act in _UNDONE_BY:
            wanted[_UNDONE_BY[act]] = None
        elif act in wanted and _answered(transcript, entry.seq):
            del wanted[act]
    return tuple(wanted)


def _answered(transcript: Transcript, seq: int) -> bool:
    """Whether the act that began at an entry was done."""
    for entry in transcript.entries[seq + 1 :]:
        if entry.kind == "act":
            return bool(entry.attachment["phase"] == "end" and entry.attachment["answer"] == "done")
    return False
