"""Conformance of stations: transcript in, verdict out; each verdict tied to a clause, to bytes and to a mutant."""

from __future__ import annotations

from .judge import judge
from .plan import Plan, make_plan
from .profile import Profile, load
from .transcript import Entry, Transcript
from .verdicts import CaseResult, Outcome, Verdict, exit_code

__all__ = [
    "CaseResult",
    "Entry",
    "Outcome",
    "Plan",
    "Profile",
    "Transcript",
    "Verdict",
    "exit_code",
    "judge",
    "load",
    "make_plan",
]
