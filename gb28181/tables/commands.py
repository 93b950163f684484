"""The MANSCDP bodies (annex A): root, CmdType, sub-command; who sends each, what answers it, and its editions.

Whether an element stands in a body is told by the records of :mod:`gb28181.manscdp`, not here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ..editions import Edition
from . import read_table

__all__ = ["CommandRow", "command_row", "command_rows"]


@dataclass(frozen=True, slots=True)
class CommandRow:
    """One body.

    Attributes:
        root: Name of the root element: Control, Query, Notify or Response.
        cmd_type: 命令类型, value of CmdType.
        sub_command: Element that says which control it is; empty elsewhere.
        direction: ``"down"`` from platform to device, ``"up"``, or ``"both"``.
        editions: The editions that have it.
        clauses: Where each of them has it; "A.2.4" alone where the number below was not seen.
        answered: Whether a business answer follows in a message of its own.
        parts: Whether it may come in several parts (2022 annex M, 2016 annex N).
        zh: 名称.
        en: Its name in English.
    """

    root: str
    cmd_type: str
    sub_command: str
    direction: str
    editions: tuple[Edition, ...]
    clauses: dict[Edition, str]
    answered: bool
    parts: bool
    zh: str
    en: str


@cache
def command_rows() -> tuple[CommandRow, ...]:
    """Return every row of ``tables/commands.csv``, in its order."""
    return tuple(_row(row) for row in read_table("commands.csv"))


def command_row(root: str, cmd_type: str, sub_command: str = "") -> CommandRow | None:
    """Return the row of a body; ``None`` for one that no edition has.

    >>> command_row("Query", "SDCardStatus").zh
    '存储卡状态查询'
    """
    return _by_name().get((root, cmd_type, sub_command))


@cache
def _by_name() -> dict[tuple[str, str, str], CommandRow]:
    return {(row.root, row.cmd_type, row.sub_command): row for row in command_rows()}


def _row(row: dict[str, str]) -> CommandRow:
    editions = tuple(map(Edition, row["editions"].split(";")))
    return CommandRow(
        row["root"],
        row["cmd_type"],
        row["sub_command"],
        row["direction"],
        editions,
        {edition: row[f"clause_{edition}"] for edition in editions},
        row["answer"] == "yes",
        row["parts"] == "yes",
        row["zh"],
        row["en"],
    )
