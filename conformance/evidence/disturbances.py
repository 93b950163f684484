"""What kept the bench from seeing and timing rightly: what a verdict on silence or on time must not rest on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ..transcript import Entry
from ..verdicts import Said, say

__all__ = ["ClockProof", "Disturbance", "read_clock_proof", "read_disturbances"]

#: Steps that belong to getting going again after an interruption.
_GETTING_GOING: Final = frozenset({"connect", "settings", "tidy"})
_WORDS: Final = {
    "stall": say("the bench stood still"),
    "suspend": say("the computer slept"),
    "gap": say("the run was interrupted"),
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


def read_disturbances(entries: Iterable[Entry]) -> list[Disturbance]:
    """Return the disturbances of a run, in order."""
    found: list[Disturbance] = []
    last: float | None = None
    gap: tuple[float, float] | None = None  # its begin and seconds, until the run is going again
    for entry in entries:
        known = entry.attachment
        if entry.kind == "clock" and known.get("event") in ("stall", "suspend"):
            found.append(Disturbance(float(known["since"]), entry.t_mono, known["event"], float(known["seconds"])))
        elif entry.kind == "resumed":
            begin = entry.t_mono if last is None else last
            gap = gap or (begin, entry.t_mono - begin)
        elif gap and entry.kind == "step" and known["phase"] == "begin" and known["step"] not in _GETTING_GOING:
            found.append(Disturbance(gap[0], entry.t_mono, "gap", gap[1]))
            gap = None
        last = entry.t_mono
    if gap:
        found.append(Disturbance(gap[0], float("inf"), "gap", gap[1]))
    return found


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
