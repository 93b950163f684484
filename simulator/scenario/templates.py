"""Commented scenarios to start from. The files hold values; what each key means comes from the table of keys.

In a file, a line ``#zh`` or ``#en`` is a remark for one language, and a key behind ``#`` is shown but left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import resources
from typing import Final

from stationgate.language import current

from .keys import keys

__all__ = ["template", "template_kinds"]

_FOLDER: Final = "scenarios"
_HEADER: Final = re.compile(r"(?:# )?\[\[?([a-z]+)\]")
_ASSIGNED: Final = re.compile(r"(?:# )?([a-z_]+) = ")
#: Where comments begin, in columns, unless the value is longer.
_COLUMN: Final = 32


def template_kinds() -> list[str]:
    """Return the kinds of station that :func:`template` has a scenario for, and ``site``, which has them all."""
    folder = resources.files("simulator").joinpath(_FOLDER)
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def template(kind: str) -> str:
    """Return the commented scenario of one kind of station, in the active language."""
    text = resources.files("simulator").joinpath(f"{_FOLDER}/{kind}.toml").read_text("utf-8")
    return "".join(f"{line}\n" for line in _commented(text))


def _commented(text: str) -> Iterator[str]:
    table, told = "", set[tuple[str, str]]()
    for line in text.splitlines():
        if line.startswith(("#zh ", "#en ")):
            if line[1:3] == current():
                yield f"# {line[4:]}"
            continue
        if header := _HEADER.match(line):
            table = header[1]
        elif (found := _ASSIGNED.match(line)) and (table, found[1]) not in told:
            told.add((table, found[1]))  # what a key means is said once
            yield f"{line:<{_COLUMN - 1}} # {keys(table)[found[1]].text}"
            continue
        yield line
