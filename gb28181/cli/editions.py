"""``gb28181 editions``: what the two editions prescribe, side by side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from stationgate.language import _, current, pick
from stationgate.options import Group, json_option
from stationgate.streams import json_line

from ..differences import (
    CODE_TABLES,
    Difference,
    code_differences,
    command_differences,
    differences,
    element_differences,
    value_differences,
)
from ..editions import RULES, Edition

__all__ = ["add_editions"]


def add_editions(cli: Group) -> None:
    """Add the command to the command line."""

    @cli.command(
        "editions",
        short_help=_("Compare the editions of the standard."),
        help=_("Print in what the editions of GB/T 28181 differ: rules, commands, elements and codes.")
        + "\n\n"
        + _("'?' marks what no second source confirmed. Exit code: 0, 2 usage."),
        examples=[
            ("gb28181 editions", _("in what they differ")),
            ("gb28181 editions --all", _("also in what they agree")),
            ("gb28181 editions --json", _("one JSON object per difference")),
        ],
    )
    @click.option("--all", "everything", is_flag=True, help=_("Also rules that are the same in both of them."))
    @json_option()
    def editions(everything: bool, as_json: bool) -> int:
        rows = [row for row in differences() if everything or row.differs]
        if as_json:
            for shape in (*map(_fact_json, rows), *_others_json()):
                click.echo(json_line(shape))
        else:
            for line in (*(line for row in rows for line in _fact_lines(row)), *_others()):
                click.echo(line)
        return 0


def _fact_lines(row: Difference) -> Iterator[str]:
    yield pick(row.zh, row.en)
    for edition, value in row.values.items():
        doubt = " ?" if edition in row.unconfirmed else ""
        clause = f"  ({row.clauses[edition]})" if edition in row.clauses and value is not None else ""
        yield f"    {RULES[edition].title}  {_shown(value)}{doubt}{clause}"


def _shown(value: str | int | bool | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    return str(value)


def _only(editions: tuple[Edition, ...]) -> str:
    return " ".join(RULES[edition].title for edition in editions)


def _others() -> Iterator[str]:
    yield _("Commands of one edition")
    for row in command_differences():
        name = " ".join(filter(None, (row.root, row.cmd_type, row.sub_command)))
        yield f"    {_only(row.editions)}  {name}  {pick(row.zh, row.en)}"
    yield _("Elements that the editions treat differently (M mandatory, C conditional, O optional, - absent)")
    for each in element_differences():
        needs = "/".join(need.value for need in each.needs.values())
        term = f"  {each.element.zh}" if current() == "zh" else ""
        yield f"    {needs}  {each.where}: {each.element.tag}{term}"
    for table, (zh, en) in CODE_TABLES.items():
        yield _("Codes of one edition: {table}").format(table=pick(zh, en))
        for code in code_differences(table):
            span = f"{code.first}" if code.first == code.last else f"{code.first}-{code.last}"
            yield f"    {_only(code.editions)}  {span}  {pick(code.zh, code.en)}"
    for values, rows in value_differences():
        yield _("Codes of one edition: {table}").format(table=pick(values.zh, values.en))
        for value in rows:
            yield f"    {_only(value.editions)}  {value.code}  {pick(value.zh, value.en)}"


def _fact_json(row: Difference) -> dict[str, Any]:
    return {
        "kind": "rule",
        "fact": row.fact,
        "name": pick(row.zh, row.en),
        "differs": row.differs,
        "values": {edition.value: value for edition, value in row.values.items()},
        "clauses": {edition.value: clause for edition, clause in row.clauses.items()},
        "unconfirmed": sorted(edition.value for edition in row.unconfirmed),
    }


def _others_json() -> Iterator[dict[str, Any]]:
    for row in command_differences():
        yield {
            "kind": "command",
            "root": row.root,
            "cmd_type": row.cmd_type,
            "sub_command": row.sub_command,
            "name": pick(row.zh, row.en),
            "editions": list(row.editions),
        }
    for each in element_differences():
        yield {
            "kind": "element",
            "where": each.where,
            "tag": each.element.tag,
            "zh": each.element.zh,
            "needs": {edition.value: need.value for edition, need in each.needs.items()},
        }
    for table in CODE_TABLES:
        for code in code_differences(table):
            yield {
                "kind": "code",
                "table": table.removesuffix(".csv"),
                "first": code.first,
                "last": code.last,
                "name": pick(code.zh, code.en),
                "editions": list(code.editions),
            }
    for values, rows in value_differences():
        for value in rows:
            yield {
                "kind": "value",
                "table": values.name,
                "code": value.code,
                "name": pick(value.zh, value.en),
                "editions": list(value.editions),
            }
