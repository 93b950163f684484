"""How a command that judged ends: reports written, evidence sealed, verdicts printed, one exit code."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path

import click

from hj212.times import CHINA
from stationgate import __version__
from stationgate.exits import EnvironmentFault, ExitCode, Fault, reason
from stationgate.language import _
from stationgate.streams import json_line

from ..baseline import Comparison
from ..judge import judge
from ..plan import Plan
from ..profile import Profile
from ..report.facts import Report
from ..transcript import Transcript
from ..verdicts import CaseResult
from .options import Outputs

__all__ = ["Ended", "finish"]

#: A line for when it is written, the path, and what writes it.
_File = tuple[str, str, Callable[[Path], object]]


@dataclass(frozen=True, slots=True)
class Ended:
    """What a run came to."""

    results: tuple[CaseResult, ...]
    exit_code: ExitCode


def finish(
    plan: Plan, profile: Profile, transcript: Transcript, outputs: Outputs, *, code: ExitCode | None = None
) -> Ended:
    """Judge, seal and write everything that was asked for, print the verdicts.

    A file that cannot be written takes none of the others with it; the verdicts are always printed.

    Args:
        code: The exit code of a run that did not come to its end.
    """
    from ..bundle import seal
    from ..report import facts, jsonlines, text

    results = judge(transcript, profile, plan)
    key = outputs.key()
    report = facts.build(
        results, transcript, profile, plan, version=__version__, strict=outputs.strict,
        signer=key.fingerprint if key else "",
    )  # fmt: skip
    compared = _compared(outputs, results)
    if code is not None:
        report = replace(report, exit_code=code)
    elif compared:
        report = replace(report, exit_code=compared.exit_code(results, strict=outputs.strict))
    stream = sys.stderr if outputs.as_json else sys.stdout
    width = min(shutil.get_terminal_size((100, 24)).columns, 120)
    if outputs.as_json:
        for event in jsonlines.events(report):
            click.echo(json_line(event | (compared.told_in(event) if compared else {})))
    files = _files(outputs, report, compared)
    if outputs.bundle and key:
        sealing = partial(
            seal, transcript=transcript, profile=profile, plan=plan, results=results, report=report, key=key,
            attachments=[Path(name) for name in outputs.attach], created=time.time(),
        )  # fmt: skip
        files.insert(0, (_("evidence: {path}"), outputs.bundle, sealing))
    unwritten = list(_written(files))
    notes = tuple(compared.lines()) if compared else ()
    shown = text.render(report, colour=text.colour_wanted(stream), width=width, notes=notes)
    click.echo(shown, nl=False, err=outputs.as_json)
    if unwritten:
        raise EnvironmentFault("; ".join(unwritten), _("give another path: the verdicts above stand"))
    return Ended(tuple(results), ExitCode(report.exit_code))


def _compared(outputs: Outputs, results: Sequence[CaseResult]) -> Comparison | None:
    """Hold the results against the known deviations, if there are any."""
    if not outputs.baseline:
        return None
    from ..baseline import read

    return read(outputs.baseline).compare(results, datetime.now(CHINA).date())


def _written(files: Sequence[_File]) -> Iterator[str]:
    """Write the files; yield what went wrong, a sentence each."""
    for line, path, write in files:
        try:
            write(Path(path))
        except OSError as error:
            yield _("cannot write {path}: {why}").format(path=path, why=reason(error))
        except Fault as fault:
            yield _("cannot write {path}: {why}").format(path=path, why=fault)
        else:
            click.echo(line.format(path=Path(path).absolute()), err=True)


def _files(outputs: Outputs, report: Report, compared: Comparison | None) -> list[_File]:
    """Return the reports that were asked for."""
    from ..report import html, junit

    wanted = [
        (outputs.html, lambda: html.render(report)),
        (outputs.junit, lambda: junit.render(report, compared)),
    ]
    return [(_("report: {path}"), path, partial(_write_text, render=render)) for path, render in wanted if path]


def _write_text(path: Path, render: Callable[[], str]) -> None:
    path.write_text(render(), encoding="utf-8", newline="\n")
