"""Command codes (命令编码): what each is in the flows, and what it carries."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ..codes import CommandKind
from . import read_table

__all__ = ["CommandRow", "command_row", "commands"]


@dataclass(frozen=True, slots=True)
class CommandRow:
    """One command in one direction.

    Attributes:
        cn: Command code, e.g. ``"3020"``.
        upward: Whether the station sends it.
        kind: What it is in the flows.
        name_zh: 命令名称.
        name_en: Its name in English.
        required: Names of the parameters it must carry; ``xxxxxx-`` stands for any factor.
    """

    cn: str
    upward: bool
    kind: CommandKind
    name_zh: str
    name_en: str
    required: tuple[str, ...]


@cache
def commands() -> dict[tuple[str, bool], CommandRow]:
    """Return every command of ``tables/commands.csv``, by code and direction (``True``: sent by the station)."""
    rows = {}
    for row in read_table("commands.csv"):
        upward = row["direction"] == "up"
        required = tuple(row["required"].split(";")) if row["required"] else ()
        kind = CommandKind[row["kind"].upper()]
        rows[row["cn"], upward] = CommandRow(row["cn"], upward, kind, row["name_zh"], row["name_en"], required)
    return rows


def command_row(cn: str, upward: bool) -> CommandRow | None:
    """Return the row of a command in one direction, ``None`` for a command the table does not know."""
    return commands().get((cn, upward))
