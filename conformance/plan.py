"""Which cases a run judges, which steps that takes, and why the others are left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from . import cases as _registered  # noqa: F401  # importing it registers the cases
from .case import CASES, SPEAKS, Case
from .profile import Profile
from .steps import STEPS
from .verdicts import Said

__all__ = ["Mode", "Plan", "UnknownSelectionError", "make_plan"]


class UnknownSelectionError(ValueError):
    """A word of the selection matches no case."""


@dataclass(frozen=True, slots=True)
class Mode:
    """How far a run may go with the device.

    Attributes:
        passive: It sends acknowledgements and nothing else, and withholds none.
        forward: ``HOST:PORT`` of the platform that all bytes are relayed to and that answers alone; empty: none.
        shorten_s: Reporting interval that is set for the observation and put back, seconds; 0: none.
    """

    passive: bool = False
    forward: str = ""
    shorten_s: int = 0

    @property
    def steers(self) -> bool:
        """Whether the suite may send requests, cut links and withhold answers."""
        return not (self.passive or self.forward)

    def to_json(self) -> dict[str, object]:
        """Return the mode as it stands in a transcript."""
        return {"passive": self.passive, "forward": self.forward, "shorten_s": self.shorten_s}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run does.

    Attributes:
        cases: The cases to judge, in report order, those the profile leaves out included.
        steps: The steps to take, in order.
        left_out: Why a case is not applicable, by its id.
        select: The words that chose the cases; none: everything.
        exclude: The words that left some out.
        mode: How far the run may go with the device.
    """

    cases: tuple[Case, ...]
    steps: tuple[str, ...]
    left_out: dict[str, Said]
    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    mode: Mode = field(default_factory=Mode)


def tags(case: Case) -> set[str]:
    """Return the tags of a case: ``auto`` or ``manual``, ``quick`` or ``long``."""
    manual = any(STEPS[step].manual for step in case.uses)
    long = any(STEPS[step].long for step in case.uses)
    return {"manual" if manual else "auto", "long" if long else "quick"}


def make_plan(
    profile: Profile, select: Sequence[str] = (), exclude: Sequence[str] = (), mode: Mode | None = None
) -> Plan:
    """Return the plan for a profile and a selection.

    Args:
        select: Case ids, prefixes, globs or ``@tags``; none: everything.
        exclude: The same, to leave out.
        mode: How far the run may go with the device. Default: the usual one.

    Raises:
        UnknownSelectionError: If a word matches nothing.
    """
    chosen = [case for case in CASES.values() if not select or _matches(case, select)]
    chosen = [case for case in chosen if not _matches(case, exclude)]
    for word in (*select, *exclude):
        if not any(_matches(case, (word,)) for case in CASES.values()):
            raise UnknownSelectionError(word)
    wanted = {case.id for case in chosen}
    for case in chosen:
        wanted |= _preconditions(case)
    judged = tuple(case for case in CASES.values() if case.id in wanted)
    left_out = {case.id: why for case in judged if (why := case.applies(profile))}
    needed = {step for case in judged if case.id not in left_out for step in case.uses}
    steps = tuple(step for step in STEPS if step in needed)
    return Plan(judged, steps, left_out, tuple(select), tuple(exclude), mode or Mode())


def _preconditions(case: Case) -> set[str]:
    found: set[str] = {SPEAKS}
    for need in case.needs:
        found |= {need} | _preconditions(CASES[need])
    return found


def _matches(case: Case, words: Iterable[str]) -> bool:
    for word in words:
        if word.startswith("@"):
            if word[1:] in tags(case):
                return True
        elif case.id == word or case.id.startswith(word.rstrip("/") + "/") or fnmatchcase(case.id, word):
            return True
    return False
