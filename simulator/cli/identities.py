"""``simulator identities``: who the stations of a scenario are."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import click

from stationgate.exits import EnvironmentFault, reason
from stationgate.language import _
from stationgate.options import Group, json_option, show_secrets_option
from stationgate.streams import json_line

from ..scenario import Scenario, load
from ..scenario.listing import columns, rows

__all__ = ["add"]


def add(cli: Group) -> None:
    """Add the command."""

    @cli.command(
        "identities",
        help=_("Print who the stations of a scenario are, as CSV: for a platform, or for another scenario."),
        examples=[
            ("simulator identities city.toml", _("on the terminal")),
            ("simulator identities city.toml --csv stations.csv --show-secrets", _("with passwords, into a file")),
        ],
    )
    @click.argument("scenario")
    @click.option("--csv", "file", type=click.Path(dir_okay=False), help=_("Write this file instead."))
    @show_secrets_option()
    @json_option()
    def identities(scenario: str, file: str | None, show_secrets: bool, as_json: bool) -> None:
        plan = load(scenario)
        if as_json:
            for row in rows(plan, secrets=show_secrets):
                click.echo(json_line(row))
        if file is not None:
            _write(Path(file), _csv_lines(plan, show_secrets))
            click.echo(_("{count} stations written to {file}").format(count=plan.count, file=file), err=True)
        elif not as_json:
            for line in _csv_lines(plan, show_secrets):
                click.echo(line, nl=False)


def _csv_lines(plan: Scenario, secrets: bool) -> Iterator[str]:
    """Yield the lines of a file of identities, the first with the names of the columns."""
    line = io.StringIO()
    writer = csv.DictWriter(line, columns(secrets=secrets), lineterminator="\n")
    writer.writeheader()
    for row in rows(plan, secrets=secrets):
        writer.writerow(row)
        yield line.getvalue()
        line.seek(0)
        line.truncate()
    yield line.getvalue()


def _write(path: Path, lines: Iterator[str]) -> None:
    try:
        # With a mark: spreadsheets take anything else for the encoding of their own country.
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            file.writelines(lines)
    except OSError as error:
        raise EnvironmentFault(_("cannot write {file}: {why}").format(file=path, why=reason(error))) from error
