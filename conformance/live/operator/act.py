"""One act as it is asked for, and what every operator can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

from ...acts import ActText, act_text
from ...verdicts import Bilingual, Said

__all__ = ["ANSWERS", "AbsentOperator", "Act", "Operator", "OperatorFailedError"]

#: What an operator may answer; ``pending`` is left by one who is not there.
ANSWERS: Final = ("done", "erred", "cannot", "not-fitted")


@dataclass(frozen=True, slots=True)
class Act:
    """One act asked of the operator.

    Attributes:
        act: ``open``, ``close``, ``lift``, ``put-back``, ``unplug``, ``plug-in`` or ``power-cycle``.
        method: How to open: ``face``, ``ic-card``, ``fingerprint``, ``password`` or ``exit-button``.
        person: ``A`` or ``B``; the same letter is the same person throughout.
        step: Id of the step it belongs to.
        attempt: Counts from 1; more after an error or a pause.
        deadline_s: Seconds within which an answer is expected.
    """

    act: str
    method: str = ""
    person: str = ""
    step: str = ""
    attempt: int = 1
    deadline_s: float = 0.0

    @property
    def text(self) -> ActText:
        """Its words."""
        return act_text(self.act, self.method)

    @property
    def prompt(self) -> Said:
        """What to tell the operator."""
        return Bilingual(self.text.zh.format(person=self.person), self.text.en.format(person=self.person))

    @property
    def expect(self) -> Said:
        """What the operator should see then, and what the device should report."""
        return Bilingual(self.text.expect_zh, self.text.expect_en)

    @property
    def undo(self) -> Said | None:
        """What to put back before this attempt, if it is not the first and there is anything to put back."""
        if self.attempt == 1 or not self.text.undo_zh:
            return None
        return Bilingual(self.text.undo_zh, self.text.undo_en)


class OperatorFailedError(Exception):
    """The operator is broken and will not act again.

    Args:
        said: What is wrong with it, one sentence.
    """

    def __init__(self, said: Said) -> None:
        super().__init__(said)
        self.said = said

    def __str__(self) -> str:
        return str(self.said)


class Operator(ABC):
    """Whoever acts: a person at a keyboard, a relay rig, a simulated one, nobody.

    Attributes:
        attended: Whether anybody is there to act.
        patient: Whether silence only means a pause. An operator who is not limits the wait himself.
        note: What was said with the last answer, or empty.
        failure: Why it acts no more, once it failed.
    """

    attended: bool = True
    patient: bool = True
    note: str = ""
    failure: Said | None = None

    @abstractmethod
    async def perform(self, act: Act) -> str:
        """Have ``act`` done; return one of :data:`ANSWERS`, or ``pending`` where nobody is there.

        Raises:
            OperatorFailedError: If it is broken.
        """

    def close(self) -> None:
        """End it with the run; harmless when called twice."""
        return None

    def __enter__(self) -> Operator:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


class AbsentOperator(Operator):
    """Nobody is there: every act stays pending."""

    attended = False

    async def perform(self, act: Act) -> str:
        return "pending"
