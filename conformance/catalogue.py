"""The requirement catalogue: what is asked, by which clause, in both languages; data, read once."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from stationgate.language import pick

__all__ = ["CaseText", "Requirement", "case_text", "cases", "requirement", "requirements"]


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement.

    Attributes:
        id: Its number, e.g. ``REQ-A-08``.
        clause: Where it stands.
        mode: ``AUTO``, ``AUTO+M`` (a person acts) or ``DOC``.
        source: ``seed`` (the regional plan), ``text`` (a standard) or ``guess`` (never a FAIL by default).
        zh: What it asks.
        en: The same in English.
    """

    id: str
    clause: str
    mode: str
    source: str
    zh: str
    en: str

    @property
    def text(self) -> str:
        """What it asks, in the active language."""
        return pick(self.zh, self.en)


@dataclass(frozen=True, slots=True)
class CaseText:
    """The words of one case.

    Attributes:
        id: The case's id.
        requirement: Id of the requirement it serves.
        sub: Letter of the sub-check inside the requirement, or empty.
        clause: The clause its verdict rests on.
        level: ``shall`` or ``should``.
        zh: Its title.
        en: The same in English.
        why_zh: Why it matters and what usually causes a failure.
        why_en: The same in English.
        good: A frame, or the part of one, that passes; without CR LF.
        bad: The same with the defect.
    """

    id: str
    requirement: str
    sub: str
    clause: str
    level: str
    zh: str
    en: str
    why_zh: str = ""
    why_en: str = ""
    good: str = ""
    bad: str = ""

    @property
    def title(self) -> str:
        """The title in the active language."""
        return pick(self.zh, self.en)

    @property
    def why(self) -> str:
        """Why it matters, in the active language."""
        return pick(self.why_zh, self.why_en)

    @property
    def requirement_label(self) -> str:
        """The requirement with its sub-check, e.g. ``REQ-A-07d``."""
        return f"{self.requirement}{self.sub}"


@cache
def _tables() -> tuple[dict[str, Requirement], dict[str, CaseText]]:
    text = resources.files(__package__).joinpath("requirements/access.toml").read_text("utf-8")
    data = tomllib.loads(text)
    return (
        {row["id"]: Requirement(**row) for row in data["requirement"]},
        {row["id"]: CaseText(**row) for row in data["case"]},
    )


def requirements() -> dict[str, Requirement]:
    """Return every requirement by its id."""
    return _tables()[0]


def cases() -> dict[str, CaseText]:
    """Return the words of every case by its id."""
    return _tables()[1]


def requirement(id: str) -> Requirement:
    """Return one requirement.

    Raises:
        KeyError: If there is none of this id.
    """
    return requirements()[id]


def case_text(id: str) -> CaseText:
    """Return the words of one case.

    Raises:
        KeyError: If there is none of this id.
    """
    return cases()[id]
