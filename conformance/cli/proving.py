"""``selftest``: the suite against its own mutants."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from stationgate.exits import ExitCode
from stationgate.language import _, pick
from stationgate.options import Group, json_option
from stationgate.streams import json_line

from ..verdicts import Verdict
from .options import writable

__all__ = ["add"]


def add(cli: Group) -> None:
    """Add the command."""

    @cli.command(
        "selftest",
        help=_("Prove the verdicts: every assertion must fail on its mutants, and on nothing else."),
        examples=[("conformance selftest --matrix matrix.html", _("with the whole table"))],
    )
    @click.option("--matrix", type=click.Path(dir_okay=False), help=_("Write the table of mutants and cases."))
    @json_option()
    def selftest(matrix: str | None, as_json: bool) -> int:
        from ..selftest import selftest as prove

        writable(matrix)

        def tell(name: str, number: int, total: int) -> None:
            if sys.stderr.isatty():
                click.echo(f"\r{number}/{total} {name:40}", nl=False, err=True)

        table = prove(tell)
        if sys.stderr.isatty():
            click.echo(err=True)
        for problem in table.unexpected:
            click.echo(_("not as declared: {problem}").format(problem=problem), err=True)
        for case in table.survivors:
            click.echo(_("no mutant kills {case}").format(case=case), err=True)
        for case, verdict in table.reference.items():
            if verdict is not Verdict.PASS:
                click.echo(
                    _("the reference device gets {verdict} for {case}").format(verdict=verdict, case=case), err=True
                )
        if matrix:
            from ..report.matrix import render

            Path(matrix).write_text(render(table), encoding="utf-8", newline="\n")
        line = _("{killed} of {assertions} assertions killed by {mutants} mutants; {unexpected} not as declared")
        click.echo(
            line.format(
                killed=len(table.killed),
                assertions=len(table.assertions),
                mutants=len(table.rows),
                unexpected=len(table.unexpected),
            ),
            err=as_json,
        )
        if as_json:
            for row in table.rows:
                shown = {
                    "event": "mutant",
                    "name": row.fault.name,
                    "expected": row.fault.expected,
                    "killed": sorted(row.killed),
                    "problems": list(row.problems),
                    "summary": pick(row.fault.zh, row.fault.en),
                }
                click.echo(json_line(shown))
            end = {
                "event": "matrix-end",
                "assertions": len(table.assertions),
                "killed": len(table.killed),
                "mutants": len(table.rows),
                "unexpected": len(table.unexpected),
                "reference_clean": table.reference_clean,
            }
            click.echo(json_line(end))
        return int(ExitCode.OK if table.sound else ExitCode.FAIL)
