"""Command codes (命令编码): what each is in the flows, what it carries, and in which editions.

A command may mean something else in another edition (3013, 3014) or direction (1001), so it has a row for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

from ..codes import CommandKind
from ..editions import Edition
from . import read_table

__all__ = ["CommandRow", "command_row", "command_rows", "commands", "editions_of"]


@dataclass(frozen=True, slots=True)
class CommandRow:
    """One command in one direction, as some editions have it.

    Attributes:
        cn: Command code, e.g. ``"3020"``.
        upward: Whether the station sends it.
        kind: What it is in the flows.
        editions: The editions that have it so.
        name_zh: 命令名称.
        name_en: Its name in English.
        required: Names of the parameters it must carry; ``xxxxxx-`` stands for any factor.
        optional: Names of those it may carry.
        reply: Commands that answer it, in their order; 9014 only where Flag wants it.
        certain: Whether more than one source, or the standard's text, says so.
    """

    cn: str
    upward: bool
    kind: CommandKind
    editions: tuple[Edition, ...]
    name_zh: str
    name_en: str
    required: tuple[str, ...]
    optional: tuple[str, ...]
    reply: tuple[str, ...]
    certain: bool


@cache
def command_rows() -> tuple[CommandRow, ...]:
    """Return every row of ``tables/commands.csv``, in its order."""
    return tuple(
        CommandRow(
            row["cn"],
            row["direction"] == "up",
            CommandKind[row["kind"].upper()],
            tuple(map(Edition, row["editions"].split(";"))),
            row["name_zh"],
            row["name_en"],
            _names(row["required"]),
            _names(row["optional"]),
            _names(row["reply"]),
            row["certain"] == "yes",
        )
        for row in read_table("commands.csv")
    )


@cache
def commands() -> dict[tuple[str, bool], CommandRow]:
    """Return a row for every command by code and direction (``True``: sent by the station), whatever the edition.

    Of several the first of the table: the one to take for a message whose edition is not known.
    """
    rows: dict[tuple[str, bool], CommandRow] = {}
    for row in command_rows():
        rows.setdefault((row.cn, row.upward), row)
    return rows


@lru_cache(maxsize=1024)  # codes come from peers: not all that there are
def command_row(cn: str, upward: bool, edition: Edition | None = None) -> CommandRow | None:
    """Return the row of a command in one direction: the edition's, else that of an edition which has it.

    ``None`` for a command that no edition has in this direction.
    """
    return _by_edition().get((cn, upward, edition)) or commands().get((cn, upward))


def editions_of(cn: str, upward: bool | None = None) -> tuple[Edition, ...]:
    """Return the editions that have a command, in one direction or (``None``) in any."""
    found = {
        edition for row in command_rows() if row.cn == cn and upward in (None, row.upward) for edition in row.editions
    }
    return tuple(edition for edition in Edition if edition in found)


@cache
def _by_edition() -> dict[tuple[str, bool, Edition | None], CommandRow]:
    return {(row.cn, row.upward, edition): row for row in command_rows() for edition in row.editions}


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split(";")) if text else ()
