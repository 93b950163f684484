"""What kept the bench from seeing and timing rightly: what a verdict on silence or on time must not rest on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ..transcript import Entry
from ..verdicts import Said, say

__all__ = ["ClockProof", "Disturbance", "read_clock_proof", "read_disturbances"]

#: What waited while the bench stood still is read within this time of its waking.
CATCHING_UP_S: Final = 1.0
_WORDS: Final = {
    "stall": say("the bench stood still"),
    "suspend": say("the computer slept"),
    "gap": say("the run was interrupted"),
    "relay": say("the platform relayed to was not there"),
}


@dataclass(frozen=True, slots=True)
class Disturbance:
    """A time in which the bench did not listen, or did not know when it heard something.

    Attributes:
        begin: Seconds on the transcript's clock: up to here all was well.
        end: From here it is again.
        kind: ``stall``, ``suspend`` or ``gap``.
        seconds: How long it lasted by a clock that goes on.
    """

    begin: float
    end: float
    kind: str
    seconds: float

    @property
    def said(self) -> Said:
        """What it was."""
        return say("{what} for {seconds} s", what=_WORDS[self.kind], seconds=f"{self.seconds:.0f}")

    def touches(self, begin: float, end: float) -> bool:
        """Whether it lies, in part, between two instants."""
        return self.begin < end and begin < self.end


@dataclass(frozen=True, slots=True)
class ClockProof:
    """What is known of the bench's own clock.

    Attributes:
        doubt: Why absolute time cannot be judged by it, ``None`` where it can.
        uncertainty_s: How far it may be off, 0 where that is not known.
    """

    doubt: Said | None
    uncertainty_s: float = 0.0


def read_disturbances(entries: Sequence[Entry]) -> list[Disturbance]:
    """Return the disturbances of a run, in order of their beginning."""
    found = [*_standstills(entries), *_gaps(entries), *_without_platform(entries)]
    return sorted(found, key=lambda disturbance: disturbance.begin)


def _standstills(entries: Iterable[Entry]) -> Iterator[Disturbance]:
    for entry in entries:
        known = entry.attachment
        if entry.kind == "clock" and known["event"] in ("stall", "suspend"):
            end = entry.t_mono + CATCHING_UP_S
            yield Disturbance(float(known["since"]), end, known["event"], float(known["seconds"]))


def _gaps(entries: Sequence[Entry]) -> Iterator[Disturbance]:
    """Yield the interruptions, each until the device was heard again."""
    gap: tuple[float, float] | None = None
    for before, entry in pairwise(entries):
        known = entry.attachment
        if entry.kind == "resumed" and gap is None:
            gap = before.t_mono, entry.t_mono - before.t_mono
        elif gap and entry.kind == "step" and known["step"] == "connect" and known["phase"] == "end":
            yield Disturbance(gap[0], entry.t_mono, "gap", gap[1])
            gap = None
    if gap:
        yield Disturbance(gap[0], float("inf"), "gap", gap[1])


def _without_platform(entries: Sequence[Entry]) -> Iterator[Disturbance]:
    """Yield the times in which the platform that is relayed to did not take connections."""
    since: float | None = None
    for entry in entries:
        if entry.kind != "relay":
            continue
        if not entry.attachment["there"]:
            since = entry.t_mono if since is None else since
        elif since is not None:
            yield Disturbance(since, entry.t_mono, "relay", entry.t_mono - since)
            since = None
    if since is not None:
        yield Disturbance(since, float("inf"), "relay", entries[-1].t_mono - since)


def read_clock_proof(entries: Iterable[Entry]) -> ClockProof:
    """Return whether the bench's clock was right all along, as far as the record shows."""
    checks = []
    for entry in entries:
        known = entry.attachment
        if entry.kind == "clock" and known.get("event") == "step":
            stepped = f"{float(known['seconds']):+.1f}"
            return ClockProof(say("the clock of this computer was set by {seconds} s during the run", seconds=stepped))
        if entry.kind == "clock" and known.get("event") == "check":
            checks.append(known)
    if not checks:
        return ClockProof(say("nothing is on record of the clock of this computer"))
    if not all(check["synchronised"] for check in checks):
        return ClockProof(say("nothing proves that the clock of this computer is right"))
    return ClockProof(None, max(float(check["uncertainty_s"] or 0.0) for check in checks))
