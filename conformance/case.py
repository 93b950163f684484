"""A case: one requirement, one judgement, the steps it needs and the mutants that must kill it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .evidence import Disturbance, Evidence
from .profile import Profile
from .verdicts import Outcome, Ref, Said, Verdict, say

__all__ = ["CASES", "Case", "Findings", "case"]

Judgement = Callable[[Evidence], Outcome]
#: From when to when, on the transcript's clock.
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Case:
    """One case; its words, clause and level stand in the catalogue under the same id.

    Attributes:
        id: A slug that never changes its meaning.
        judge: Pure function of the evidence.
        uses: Steps that must have been done.
        needs: Cases that must hold before this one says anything.
        killed_by: Faults of the reference device that must turn it away from PASS.
        limits: Limits the verdict compares with.
        applies: Says why the declared profile leaves the case out, or ``None``.
    """

    id: str
    judge: Judgement
    uses: tuple[str, ...]
    needs: tuple[str, ...]
    killed_by: tuple[str, ...]
    limits: tuple[str, ...]
    applies: Callable[[Profile], Said | None]


#: Every case by its id, in the order of the report.
CASES: Final[dict[str, Case]] = {}

#: What every other case rests on: the device says something that can be read.
SPEAKS: Final = "access/link/speaks"


def case(
    id: str,
    *,
    uses: tuple[str, ...] = (),
    needs: tuple[str, ...] = (SPEAKS,),
    killed_by: tuple[str, ...],
    limits: tuple[str, ...] = (),
    applies: Callable[[Profile], Said | None] = lambda profile: None,
) -> Callable[[Judgement], Judgement]:
    """Register a judgement as the case ``id``."""

    def register(judgement: Judgement) -> Judgement:
        assert id not in CASES, id
        CASES[id] = Case(id, judgement, ("connect", *uses), needs, killed_by, limits, applies)
        return judgement

    return register


class Findings:
    """Collects what is wrong with the things a judgement looks at, and sums it up.

    Args:
        evidence: Where a finding rests on silence or on when something came, what tells whether the bench was in a
            state to say so.
    """

    _ORDER = (Verdict.PASS, Verdict.WARN, Verdict.FAIL)

    def __init__(self, evidence: Evidence | None = None) -> None:
        self.looked_at = 0
        self._evidence = evidence
        self._unsure: list[Disturbance] = []
        self._found: list[tuple[Verdict, Said, tuple[Ref, ...], Said | None]] = []

    def looked(self) -> None:
        """Count one more thing that was looked at."""
        self.looked_at += 1

    def fail(self, said: Said, refs: tuple[Ref, ...] = (), hint: Said | None = None, span: Span | None = None) -> None:
        """Note something that breaks the requirement; ``span``: the time in which the bench must have been well."""
        self.add(Verdict.FAIL, said, refs, hint, span)

    def warn(self, said: Said, refs: tuple[Ref, ...] = (), hint: Said | None = None, span: Span | None = None) -> None:
        """Note something doubtful; ``span`` as for :meth:`fail`."""
        self.add(Verdict.WARN, said, refs, hint, span)

    def add(
        self,
        verdict: str,
        said: Said,
        refs: tuple[Ref, ...] = (),
        hint: Said | None = None,
        span: Span | None = None,
    ) -> None:
        """Note something whose weight the profile decides; ``span`` as for :meth:`fail`."""
        if span is None or not self.unsure(*span):
            self._found.append((Verdict(verdict), said, refs, hint))

    def unsure(self, begin: float, end: float) -> bool:
        """Note that a disturbance of the bench touches a time that matters; ``False`` when none does."""
        found = self._evidence.disturbed(begin, end) if self._evidence else None
        if found:
            self._unsure.append(found)
        return found is not None

    @property
    def any(self) -> bool:
        """Whether anything is wrong."""
        return bool(self._found)

    def outcome(self, expected: Said, good: Said, evidence: tuple[Ref, ...] = ()) -> Outcome:
        """Return the outcome: the worst finding first, how often, and where; ``good`` when there is none.

        Nothing looked at is not a pass: it is inconclusive.
        """
        if not self._found:
            if self._unsure:
                what = say("not to be told from here: {what}", what=self._unsure[0].said)
                return Outcome(Verdict.INCONCLUSIVE, expected, what, (), say("repeat it on an undisturbed computer"))
            if not self.looked_at:
                return Outcome(Verdict.INCONCLUSIVE, expected, say("nothing of the kind was received"))
            return Outcome(Verdict.PASS, expected, good, evidence)
        worst = max((v for v, *_ in self._found), key=self._ORDER.index)
        chosen = [entry for entry in self._found if entry[0] is worst]
        _verdict, said, _refs, hint = chosen[0]
        if len(chosen) > 1:
            said = say("{what} ({count} times in {total})", what=said, count=len(chosen), total=self.looked_at)
        refs = tuple(ref for _v, _s, rs, _h in chosen[:MAX_EVIDENCE] for ref in rs)
        return Outcome(worst, expected, said, refs, hint)


#: Findings whose bytes a verdict lists; the count says how many there were.
MAX_EVIDENCE: Final = 8
