"""Verdicts: what was judged, what was expected, what was found, and what that rests on (all of it data)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from stationgate.exits import ExitCode, worst
from stationgate.language import N_, gettext, pick

__all__ = [
    "Bilingual",
    "CaseResult",
    "Outcome",
    "Ref",
    "Said",
    "Verdict",
    "exit_code",
    "failed",
    "inconclusive",
    "listed",
    "passed",
    "say",
]


class Verdict(StrEnum):
    """The seven verdicts; the value is what JSON shows, :attr:`word` what a person reads."""

    PASS = N_("PASS")
    WARN = N_("WARN")
    FAIL = N_("FAIL")
    INCONCLUSIVE = N_("INCONCLUSIVE")
    NOT_APPLICABLE = N_("NOT_APPLICABLE")
    PENDING = N_("PENDING")
    ERROR = N_("ERROR")

    @property
    def word(self) -> str:
        """The verdict in the active language."""
        return gettext(self.value)

    @property
    def conclusive(self) -> bool:
        """Whether the requirement was judged, one way or the other."""
        return self in (Verdict.PASS, Verdict.WARN, Verdict.FAIL, Verdict.NOT_APPLICABLE)


class Said:
    """A sentence in both languages: an English message id and its parameters, put together when somebody reads it."""

    __slots__ = ("msgid", "params")

    def __init__(self, msgid: str, params: dict[str, Any]) -> None:
        self.msgid = msgid
        self.params = params

    def __str__(self) -> str:
        shown = {key: str(value) for key, value in self.params.items()}
        return gettext(self.msgid).format(**shown)

    def __repr__(self) -> str:
        return f"Said({self.msgid!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Said) and self.msgid == other.msgid and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(self.msgid)


class Bilingual(Said):
    """A sentence of the catalogue, which holds both languages itself."""

    __slots__ = ("zh",)

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en, {})
        self.zh = zh

    def __str__(self) -> str:
        return pick(self.zh, self.msgid)


def say(msgid: str, **params: Any) -> Said:
    """Return a sentence; ``msgid`` is collected into the message catalogue."""
    return Said(msgid, params)


class _Listed(Said):
    """Several sentences or words in a row."""

    __slots__ = ("parts",)

    def __init__(self, parts: tuple[Said, ...]) -> None:
        super().__init__("", {})
        self.parts = parts

    def __str__(self) -> str:
        return pick("、", ", ").join(map(str, self.parts))


def listed(parts: Iterable[Said]) -> Said:
    """Return several words as one, separated as the language does."""
    return _Listed(tuple(parts))


@dataclass(frozen=True, slots=True)
class Ref:
    """Bytes of one transcript entry that a verdict rests on."""

    seq: int  #: number of the entry
    start: int = 0  #: first byte inside the entry's bytes
    end: int | None = None  #: byte after the last, ``None``: to the end


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one judgement found.

    Attributes:
        verdict: The verdict.
        expected: What the requirement asks for.
        actual: What was found.
        evidence: The entries and bytes it rests on.
        hint: What usually causes this, or what would make it conclusive.
        suite_default: Names of limits without a clause or profile behind them that decided this.
    """

    verdict: Verdict
    expected: Said
    actual: Said
    evidence: tuple[Ref, ...] = ()
    hint: Said | None = None
    suite_default: tuple[str, ...] = ()


def passed(expected: Said, actual: Said, evidence: Iterable[Ref] = ()) -> Outcome:
    """Return a PASS."""
    return Outcome(Verdict.PASS, expected, actual, tuple(evidence))


def failed(expected: Said, actual: Said, evidence: Iterable[Ref] = (), hint: Said | None = None) -> Outcome:
    """Return a FAIL."""
    return Outcome(Verdict.FAIL, expected, actual, tuple(evidence), hint)


def inconclusive(expected: Said, reason: Said, hint: Said | None = None) -> Outcome:
    """Return an INCONCLUSIVE; ``hint`` says what would make it conclusive."""
    return Outcome(Verdict.INCONCLUSIVE, expected, reason, (), hint)


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The verdict of one case, with everything a report shows of it."""

    case: str  #: case id, a slug
    requirement: str  #: requirement id
    clause: str
    level: str  #: ``shall`` or ``should``
    outcome: Outcome
    time_mode: str  #: ``real``, ``device-configured`` or ``virtual``

    @property
    def verdict(self) -> Verdict:
        return self.outcome.verdict


def exit_code(results: Iterable[CaseResult], *, strict: bool = False) -> ExitCode:
    """Return the exit code of a run (0 passed, 1 failed, 3 not conclusive, 4 ours); WARN fails only ``strict``."""
    by_verdict = {
        Verdict.FAIL: ExitCode.FAIL,
        Verdict.WARN: ExitCode.FAIL if strict else ExitCode.OK,
        Verdict.INCONCLUSIVE: ExitCode.INCONCLUSIVE,
        Verdict.PENDING: ExitCode.INCONCLUSIVE,
        Verdict.ERROR: ExitCode.ERROR,
    }
    return worst(by_verdict.get(result.verdict, ExitCode.OK) for result in results)
