"""How a command that judged ends: reports written, verdicts printed, one exit code."""

from __future__ import annotations

import shutil
import sys
import time
from dataclasses import replace
from pathlib import Path

import click

from stationgate import __version__
from stationgate.exits import EnvironmentFault, ExitCode, reason
from stationgate.language import _

from ..judge import judge
from ..plan import Plan
from ..profile import Profile
from ..transcript import Transcript

__all__ = ["finish"]


def finish(
    plan: Plan,
    profile: Profile,
    transcript: Transcript,
    html: str | None,
    junit: str | None,
    as_json: bool,
    strict: bool,
    *,
    started: float,
    code: ExitCode | None = None,
) -> int:
    """Judge, write every report that was asked for, and return the exit code.

    A report that cannot be written takes none of the others with it; the verdicts are always printed.
    """
    from ..report import facts, jsonlines, text
    from ..report import html as html_report
    from ..report import junit as junit_report

    results = judge(transcript, profile, plan)
    report = facts.build(
        results, transcript, profile, plan, version=__version__, started=started, ended=time.time(), strict=strict
    )
    if code is not None:
        report = replace(report, exit_code=code)
    stream = sys.stderr if as_json else sys.stdout
    width = min(shutil.get_terminal_size((100, 24)).columns, 120)
    if as_json:
        click.echo(jsonlines.render(report), nl=False)
    unwritten = []
    for path, render in ((html, html_report.render), (junit, junit_report.render)):
        if path:
            try:
                Path(path).write_text(render(report), encoding="utf-8", newline="\n")
                click.echo(_("report: {path}").format(path=Path(path).absolute()), err=True)
            except OSError as error:
                unwritten.append(_("cannot write {path}: {why}").format(path=path, why=reason(error)))
    click.echo(text.render(report, colour=text.colour_wanted(stream), width=width), nl=False, err=as_json)
    if unwritten:
        raise EnvironmentFault("; ".join(unwritten), _("give another path: the verdicts above stand"))
    return int(report.exit_code)
