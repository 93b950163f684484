"""What an operator is asked to do and may answer, in words of both languages; data, read once."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from stationgate.language import pick

__all__ = ["ActText", "AnswerText", "act_text", "acts", "answers"]


@dataclass(frozen=True, slots=True)
class ActText:
    """The words of one act.

    Attributes:
        id: The act, and after a slash the method of an opening, e.g. ``open/face`` or ``close``.
        answers: Ids of the answers that make sense.
        zh: The prompt; ``{person}`` stands for the letter of the person.
        en: The same in English.
        expect_zh: What is seen then, and what the device should report.
        expect_en: The same in English.
        undo_zh: What has to be put back before the act is done once more, or empty.
        undo_en: The same in English, as the end of a sentence.
        code: The state that it changes, e.g. ``i32001``, or empty.
        value: The state's new value.
    """

    id: str
    answers: tuple[str, ...]
    zh: str
    en: str
    expect_zh: str
    expect_en: str
    undo_zh: str = ""
    undo_en: str = ""
    code: str = ""
    value: str = ""

    @property
    def act(self) -> str:
        """The act without its method."""
        return self.id.partition("/")[0]


@dataclass(frozen=True, slots=True)
class AnswerText:
    """One answer, and how it is given at a console.

    Attributes:
        id: ``done``, ``erred``, ``cannot`` or ``not-fitted``.
        key: What is typed before Enter.
        label_zh: How the key is named.
        label_en: The same in English.
        zh: What it means.
        en: The same in English.
    """

    id: str
    key: str
    label_zh: str
    label_en: str
    zh: str
    en: str

    @property
    def shown(self) -> str:
        """Key and meaning, in the active language."""
        return pick(f"[{self.label_zh}] {self.zh}", f"[{self.label_en}] {self.en}")


@cache
def _tables() -> tuple[dict[str, ActText], dict[str, AnswerText]]:
    data = tomllib.loads(resources.files(__package__).joinpath("requirements/acts.toml").read_text("utf-8"))
    return (
        {row["id"]: ActText(**{**row, "answers": tuple(row["answers"])}) for row in data["act"]},
        {row["id"]: AnswerText(**row) for row in data["answer"]},
    )


def acts() -> dict[str, ActText]:
    """Return the words of every act by its id."""
    return _tables()[0]


def answers() -> dict[str, AnswerText]:
    """Return every answer by its id, in the order in which they are offered."""
    return _tables()[1]


def act_text(act: str, method: str = "") -> ActText:
    """Return the words of one act.

    Raises:
        KeyError: If there is no such act, or no such method of opening.
    """
    return acts()[f"{act}/{method}" if method else act]
