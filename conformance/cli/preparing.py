"""Commands before the first run: ``init`` writes the profile, ``doctor`` looks at the computer."""

from __future__ import annotations

from pathlib import Path

import click

from stationgate.exits import ExitCode
from stationgate.language import _, gettext, ngettext
from stationgate.layout import display_width, pad, wrap
from stationgate.options import Group, json_option
from stationgate.streams import json_line

from .options import address, writable

__all__ = ["add"]

DEFAULT_LISTEN = "0.0.0.0:8212"
#: Columns of a line of text.
WIDTH = 100


def add(cli: Group) -> None:
    """Add the commands."""
    _add_init(cli)
    _add_doctor(cli)


def _add_init(cli: Group) -> None:
    @cli.command(
        "init",
        help=_("Ask for what a profile declares, test each answer on the device, and write the profile."),
        examples=[
            ("conformance init --kind door -o door.toml", _("answer what is known, Enter skips, ? explains")),
            ("conformance init --kind door --listen 0.0.0.0:9000", _("the device connects to port 9000")),
            ("conformance init --kind door < answers.txt", _("answers from a file, one a line")),
        ],
    )
    @click.option("--kind", type=click.Choice(["door"]), default="door", help=_("What the device is."))
    @click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help=_("The file to write."))
    @click.option("--listen", default=DEFAULT_LISTEN, help=_("HOST:PORT that is offered to listen on."))
    @click.option(
        "--wait", "wait_s", type=click.FloatRange(0, 3600), default=60.0, show_default=True,
        help=_("How long to wait for the device each time, in seconds."),
    )  # fmt: skip
    def init(kind: str, output: Path | None, listen: str, wait_s: float) -> None:
        from ..wizard import run_wizard

        host, port = address(listen)
        output = output or Path(f"{kind}.toml")
        writable(str(output))
        run_wizard(kind, output, host, port, wait_s=wait_s)


def _add_doctor(cli: Group) -> None:
    @cli.command(
        "doctor",
        help=_("Look at this computer before a run: clock, port, firewall, rights, fonts; no setting is changed."),
        examples=[
            ("conformance doctor", _("everything, for port 8212")),
            ("conformance doctor --listen 192.168.1.10:9000 --json", _("another address, for a program")),
        ],
    )
    @click.option("--listen", default=DEFAULT_LISTEN, help=_("HOST:PORT that the run will listen on."))
    @json_option()
    def doctor(listen: str, as_json: bool) -> int:
        from ..doctor.checks import CHECKS, State, examine

        host, port = address(listen)
        column = max(display_width(gettext(name)) for name in CHECKS) + 2
        state_column = max(display_width(state.word) for state in State) + 2
        counts = dict.fromkeys(State, 0)
        for name in CHECKS:
            finding = examine(host, port, checks=[name])[0]
            counts[finding.state] += 1
            if as_json:
                row = {"event": "check", "check": name, "state": finding.state.value.lower(), "found": finding.found}
                click.echo(json_line({**row, "todo": finding.todo}))
            head = pad(finding.state.word, state_column) + pad(gettext(name), column)
            for text in filter(None, (finding.found, finding.todo)):
                for line in wrap(text, WIDTH - state_column - column):
                    click.echo(f"{head}{line}", err=as_json)
                    head = " " * (state_column + column)
        problems, warnings = counts[State.PROBLEM], counts[State.WARNING]
        code = ExitCode.ERROR if problems else ExitCode.OK
        if as_json:
            end = {"event": "doctor-end", "problems": problems, "warnings": warnings, "exit_code": int(code)}
            click.echo(json_line(end))
        click.echo(_summary(problems, warnings), err=as_json)
        return int(code)


def _summary(problems: int, warnings: int) -> str:
    said = (
        ngettext("{count} problem prevents a run", "{count} problems prevent a run", problems).format(count=problems)
        if problems
        else _("nothing prevents a run")
    )
    noted = ngettext("{count} warning", "{count} warnings", warnings).format(count=warnings)
    return _("{problems}; {warnings}").format(problems=said, warnings=noted)
