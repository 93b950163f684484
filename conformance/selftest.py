"""The suite against its own mutants: every assertion must be able to fail, and only where it is declared to.

A mutant is the reference device with one named fault. A case is *killed* by a mutant that turns it to FAIL or WARN,
or, where the fault is declared to leave the matter open, to INCONCLUSIVE. A case whose precondition is unmet says
INCONCLUSIVE and is not counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from simulator.faults import Fault, mutants_of
from stationgate.language import _

from .case import CASES
from .demo import demo_profile, rehearse
from .judge import judge
from .plan import Plan, make_plan
from .profile import Profile
from .verdicts import CaseResult, Verdict

__all__ = ["MUTANTS", "Matrix", "MutantRow", "kills", "selftest"]

#: The faults that the device under test can have, by name.
MUTANTS: dict[str, Fault] = mutants_of("door")

_SEVERITY = (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.WARN, Verdict.FAIL)
_UNMET = frozenset({Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PENDING, Verdict.ERROR})


@dataclass(frozen=True, slots=True)
class MutantRow:
    """What one mutant did to the cases.

    Attributes:
        fault: Its fault.
        verdicts: The verdict of every case, by id.
        killed: Cases it killed as declared.
        problems: What is not as declared, a sentence each.
    """

    fault: Fault
    verdicts: dict[str, Verdict]
    killed: frozenset[str]
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Matrix:
    """The whole self-test.

    Attributes:
        assertions: Ids of the cases that can fail, in report order.
        reference: Verdicts of the reference device, by case id.
        rows: One for each mutant.
    """

    assertions: tuple[str, ...]
    reference: dict[str, Verdict]
    rows: tuple[MutantRow, ...]

    @property
    def killed(self) -> frozenset[str]:
        """Cases that at least one declared mutant killed."""
        return frozenset().union(*(row.killed for row in self.rows))

    @property
    def survivors(self) -> list[str]:
        """Cases that no mutant killed: they may be unable to fail."""
        return [case for case in self.assertions if case not in self.killed]

    @property
    def unexpected(self) -> list[str]:
        """What is not as declared, a sentence each."""
        return [f"{row.fault.name}: {problem}" for row in self.rows for problem in row.problems]

    @property
    def reference_clean(self) -> bool:
        """Whether the reference device passes everything."""
        return all(verdict is Verdict.PASS for verdict in self.reference.values())

    @property
    def sound(self) -> bool:
        """Whether the suite's verdicts can be trusted."""
        return self.reference_clean and not self.survivors and not self.unexpected


def selftest(on_mutant: Callable[[str, int, int], None] | None = None) -> Matrix:
    """Run the reference device and every mutant on virtual time.

    Args:
        on_mutant: Called before each run with the fault's name, its number and how many there are.
    """
    profile = demo_profile()
    plan = make_plan(profile)
    reference = _verdicts(_run(plan, profile, ()))
    rows = []
    for number, fault in enumerate(MUTANTS.values(), 1):
        if on_mutant:
            on_mutant(fault.name, number, len(MUTANTS))
        rows.append(_row(fault, _verdicts(_run(plan, profile, (fault.name,)))))
    return Matrix(tuple(case.id for case in plan.cases), reference, tuple(rows))


def _run(plan: Plan, profile: Profile, faults: tuple[str, ...]) -> list[CaseResult]:
    return judge(rehearse(plan, profile, faults, sockets=False), profile, plan)


def _verdicts(results: list[CaseResult]) -> dict[str, Verdict]:
    return {result.case: result.verdict for result in results}


def _row(fault: Fault, verdicts: dict[str, Verdict]) -> MutantRow:
    declared = {case.id for case in CASES.values() if fault.name in case.killed_by}
    hit = {case for case in verdicts if kills(fault, case, verdicts)}
    undeclared, survived = _("{case} is {verdict}, which is not declared"), _("{case} is {verdict}, but must be killed")
    blind = _("{case} is {verdict} although its precondition is not met")
    problems = [undeclared.format(case=case, verdict=verdicts[case]) for case in sorted(hit - declared)]
    problems += [survived.format(case=case, verdict=verdicts[case]) for case in sorted(declared - hit)]
    problems += [
        blind.format(case=case, verdict=verdict)
        for case, verdict in verdicts.items()
        if _excused(case, verdicts) and verdict is not Verdict.INCONCLUSIVE
    ]
    if not declared:
        problems.append(_("kills nothing"))
    elif hit & declared:
        worst = max(
            (verdicts[case] for case in hit & declared if verdicts[case] in _SEVERITY),
            key=_SEVERITY.index,
            default=None,
        )
        if worst != fault.expected:
            problems.append(_("should give {expected}, gives {found}").format(expected=fault.expected, found=worst))
    return MutantRow(fault, verdicts, frozenset(hit & declared), tuple(problems))


def kills(fault: Fault, case: str, verdicts: Mapping[str, Verdict]) -> bool:
    """Whether a mutant turned a case away from PASS; INCONCLUSIVE counts where its fault is declared to do that."""
    if verdicts[case] is Verdict.INCONCLUSIVE:
        return fault.expected == Verdict.INCONCLUSIVE and not _excused(case, verdicts)
    return verdicts[case] in (Verdict.FAIL, Verdict.WARN, Verdict.ERROR)


def _excused(case: str, verdicts: Mapping[str, Verdict]) -> bool:
    """Whether a precondition of the case is unmet."""
    return any(verdicts[need] in _UNMET for need in CASES[case].needs)
