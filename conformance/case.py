"""A case: one requirement, one judgement, the steps it needs and the mutants that must kill it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from .evidence import Evidence
from .profile import Profile
from .verdicts import Outcome, Ref, Said, Verdict, say

__all__ = ["CASES", "Case", "Findings", "case"]

Judgement = Callable[[Evidence], Outcome]


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
    """Collects what is wrong with the things a judgement looks at, and sums it up."""

    _ORDER = (Verdict.PASS, Verdict.WARN, Verdict.FAIL)

    def __init__(self) -> None:
        self.looked_at = 0
        self._found: list[tuple[Verdict, Said, tuple[Ref, ...], Said | None]] = []

    def looked(self) -> None:
        """Count one more thing that was looked at."""
        self.looked_at += 1

    def fail(self, said: Said, refs: tuple[Ref, ...] = (), hint: Said | None = None) -> None:
        """Note something that breaks the requirement."""
        self._found.append((Verdict.FAIL, said, refs, hint))

    def warn(self, said: Said, refs: tuple[Ref, ...] = (), hint: Said | None = None) -> None:
        """Note something doubtful."""
        self._found.append((Verdict.WARN, said, refs, hint))

    def add(self, verdict: str, said: Said, refs: tuple[Ref, ...] = (), hint: Said | None = None) -> None:
        """Note something whose weight the profile decides."""
        self._found.append((Verdict(verdict), said, refs, hint))

    @property
    def any(self) -> bool:
        """Whether anything is wrong."""
        return bool(self._found)

    def outcome(self, expected: Said, good: Said, evidence: tuple[Ref, ...] = ()) -> Outcome:
        """Return the outcome: the worst finding first, how often, and where; ``good`` when there is none.

        Nothing looked at is not a pass: it is inconclusive.
        """
        if not self._found:
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
