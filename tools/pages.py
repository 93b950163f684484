"""Lines of Markdown for the pages that are written from the code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from stationgate.language import pick

Lines = Iterator[str]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Lines:
    yield row(head)
    yield row(["---"] * len(head))
    yield from map(row, rows)
    yield ""


def row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def code(text: str) -> str:
    return f"`{text}`"


def codes(texts: Iterable[str]) -> str:
    return pick("、", ", ").join(map(code, texts))


def fence(language: str, lines: Iterable[str]) -> Lines:
    yield f"```{language}"
    yield from lines
    yield "```"
    yield ""


def prose(text: str) -> str:
    """Return a text of the code as Markdown: what could start markup or HTML is escaped."""
    return re.sub(r"([\\`*_<>|\[\]])", r"\\\1", " ".join(text.split()))
