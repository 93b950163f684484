"""The commands of an edition."""

from __future__ import annotations

from functools import cache

from ..editions import Edition, Rules
from ..tables.commands import CommandRow, command_rows

__all__ = ["rows_of"]


def rows_of(rules: Rules) -> tuple[CommandRow, ...]:
    """Return the commands that the edition has, in the order of the table."""
    return _rows_of(rules.edition)


@cache
def _rows_of(edition: Edition) -> tuple[CommandRow, ...]:
    return tuple(row for row in command_rows() if edition in row.editions)
