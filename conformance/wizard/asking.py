"""Questions to a person at a terminal, or to a file of answers, one a line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final, TypeVar

import click

from stationgate.language import _

__all__ = ["Asker", "Refused"]

T = TypeVar("T")

#: Longest answer. A name or a list of documents is shorter; a file that is no list of answers is not.
MAX_ANSWER_CHARS: Final = 500
#: How often a wrong answer is asked for again before the question is given up.
MAX_TRIES: Final = 10

_YES = frozenset({"y", "yes", "是", "有"})
_NO = frozenset({"n", "no", "否", "无"})


class Refused(ValueError):
    """An answer that will not do; the text says why, in the active language."""


class Asker:
    """Asks on standard error and reads standard input: Enter skips, ``?`` explains, ``-`` takes a default away.

    Attributes:
        ended: Whether the answers came from a file or pipe and are over: every later question has its default.
    """

    def __init__(self) -> None:
        self.ended = False
        self._terminal = sys.stdin.isatty()

    def tell(self, text: str) -> None:
        """Say something."""
        click.echo(text, err=True)

    def ask(
        self, question: str, about: str, read: Callable[[str], T], *, default: str = "", hidden: bool = False
    ) -> T | None:
        """Ask one question.

        Args:
            question: What is asked, without a colon.
            about: What ``?`` explains.
            read: Makes a value of the answer, or raises :class:`Refused`.
            default: What Enter takes; it is shown. Empty: Enter skips the question.
            hidden: Whether the answer is a secret: it is not echoed.

        Returns:
            The value; ``None`` where the question was skipped.
        """
        for _attempt in range(MAX_TRIES):
            answer = self._answer(question, default, hidden).strip()
            if answer == "?":
                self.tell(f"  {about}")
                continue
            if answer == "-" or (not answer and not default):
                return None
            try:
                return read(_checked(answer or default))
            except Refused as why:
                self.tell(f"  {why}")
        return None

    def yes(self, question: str, about: str, *, default: bool) -> bool:
        """Ask for yes or no."""
        shown = _("y") if default else _("n")
        answer = self.ask(f"{question} ({_('y/n')})", about, _read_yes, default=shown)
        return default if answer is None else answer

    def _answer(self, question: str, default: str, hidden: bool) -> str:
        if self._terminal:
            return str(click.prompt(
                question, default=default, show_default=bool(default) and not hidden, hide_input=hidden, err=True
            ))  # fmt: skip
        shown = f" [{default}]" if default and not hidden else ""
        click.echo(f"{question}{shown}: ", nl=False, err=True)
        line = "" if self.ended else sys.stdin.readline(MAX_ANSWER_CHARS + 2)
        if not line:
            self.ended = True
        click.echo(err=True)
        return line


def _checked(answer: str) -> str:
    if len(answer) > MAX_ANSWER_CHARS:
        raise Refused(_("at most {count} characters").format(count=MAX_ANSWER_CHARS))
    if not answer.isprintable() or "\ufffd" in answer:
        raise Refused(_("it holds signs that cannot be printed; is it typed in the terminal's encoding?"))
    return answer


def _read_yes(answer: str) -> bool:
    word = answer.lower()
    if word in _YES or word in _NO:
        return word in _YES
    raise Refused(_("answer y or n"))
