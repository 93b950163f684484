"""``hj212 editions``: what the three editions prescribe, side by side."""

from __future__ import annotations

from typing import Any

import click

from stationgate.language import _, pick
from stationgate.options import Group, json_option
from stationgate.streams import json_line

from ..differences import Difference, differences
from ..editions import RULES

__all__ = ["add_editions"]


def add_editions(cli: Group) -> None:
    """Add the command to the command line."""

    @cli.command(
        "editions",
        short_help=_("Compare the editions of the standard."),
        help=_("Print in what the editions of HJ 212 differ, with the clauses.")
        + "\n\n"
        + _("'?' marks what no second source confirmed. Exit code: 0, 2 usage."),
        examples=[
            ("hj212 editions", _("in what they differ")),
            ("hj212 editions --all", _("also in what they agree")),
            ("hj212 editions --json", _("one JSON object per fact")),
        ],
    )
    @click.option("--all", "everything", is_flag=True, help=_("Also what is the same in all of them."))
    @json_option()
    def editions(everything: bool, as_json: bool) -> int:
        for row in differences():
            if everything or row.differs:
                click.echo(json_line(_as_json(row)) if as_json else "\n".join(_lines(row)))
        return 0


def _lines(row: Difference) -> list[str]:
    lines = [pick(row.zh, row.en)]
    for edition, value in row.values.items():
        doubt = " ?" if edition in row.unconfirmed else ""
        clause = f"  ({row.clauses[edition]})" if edition in row.clauses and value is not None else ""
        lines.append(f"    {RULES[edition].title:<14}  {_shown(value)}{doubt}{clause}")
    return lines


def _shown(value: str | int | bool | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return str(value)


def _as_json(row: Difference) -> dict[str, Any]:
    return {
        "fact": row.fact,
        "name": pick(row.zh, row.en),
        "differs": row.differs,
        "values": {edition.value: value for edition, value in row.values.items()},
        "clauses": {edition.value: clause for edition, clause in row.clauses.items()},
        "unconfirmed": sorted(edition.value for edition in row.unconfirmed),
    }
