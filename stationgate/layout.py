"""Text laid out by the columns it takes on a screen, where a Chinese character takes two."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Final

import click

__all__ = ["Formatter", "display_width", "pad", "wrap"]

_CLOSING: Final = "，。、；：？！）》」』】〕"
_OPENING: Final = "（《「『【〔"
_WIDE: Final = r"\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6"
# What a line may not be broken inside: a run of narrow text, or one wide character with its punctuation.
_PIECES: Final = re.compile(rf"\s+|[{_OPENING}]*[^\s{_WIDE}]+[{_CLOSING}]*|[{_OPENING}]*[{_WIDE}][{_CLOSING}]*")
#: Widest first column of a definition list; a longer term has its line for itself.
_FIRST_COLUMN_MAX: Final = 34


def display_width(text: str) -> int:
    """Return the columns ``text`` takes in a fixed-width font: 2 per wide character, 0 per combining mark."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def pad(text: str, width: int) -> str:
    """Return ``text`` followed by the blanks that fill ``width`` columns."""
    return text + " " * (width - display_width(text))


def wrap(text: str, width: int) -> list[str]:
    """Break one paragraph into lines of at most ``width`` columns.

    Chinese text breaks between characters but keeps closing punctuation off the start of a line; other text
    breaks at blanks. A word longer than ``width`` stays whole, so that it can be copied.
    """
    lines = [""]
    for piece in _PIECES.findall(" ".join(text.split())):
        if piece.isspace():
            lines[-1] += piece
        elif not lines[-1].strip() or display_width(lines[-1] + piece) <= width:
            lines[-1] = lines[-1].lstrip() + piece
        else:
            lines.append(piece)
    return [line.rstrip() for line in lines]


class Formatter(click.HelpFormatter):
    """click's help layout, measured in columns instead of characters."""

    def write_text(self, text: str) -> None:
        margin = " " * self.current_indent
        paragraphs = (wrap(paragraph, self.width - self.current_indent) for paragraph in re.split(r"\n\s*\n", text))
        self.write("\n\n".join("\n".join(margin + line for line in lines) for lines in paragraphs) + "\n")

    def write_dl(self, rows: Iterable[tuple[str, str]], col_max: int = _FIRST_COLUMN_MAX, col_spacing: int = 2) -> None:
        rows = list(rows)
        column = min(max(display_width(term) for term, _ in rows), col_max) + col_spacing
        for term, text in rows:
            self._write_definition(term, text, column)

    def _write_definition(self, term: str, text: str, column: int) -> None:
        lines = wrap(text, max(self.width - self.current_indent - column, 20))
        head = f"{'':{self.current_indent}}{term}"
        margin = self.current_indent + column
        if display_width(head) + 2 > margin and text:
            self.write(f"{head}\n")
            head = ""
        self.write(f"{pad(head, margin)}{lines[0]}".rstrip() + "\n")
        for line in lines[1:]:
            self.write(f"{'':{margin}}{line}\n")
