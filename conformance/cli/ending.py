"""How a command that judged ends: reports written, evidence sealed, verdicts printed, one exit code."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import click

from hj212.times import CHINA
from stationgate import __version__
from stationgate.exits import EnvironmentFault, ExitCode, reason
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
    from ..report import facts, jsonlines, text

    results = judge(transcript, profile, plan)
    report = facts.build(results, transcript, profile, plan, version=__version__, strict=outputs.strict)
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
    unwritten = list(_written(_files(plan, profile, transcript, outputs, results, report, compared)))
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


def _written(files: Sequence[tuple[str, str, Callable[[Path], None]]]) -> Iterator[str]:
    """Write the files; yield what went wrong, a sentence each."""
    for line, path, write in files:
        try:
            write(Path(path))
        except OSError as error:
            yield _("cannot write {path}: {why}").format(path=path, why=reason(error))
        else:
            click.echo(line.format(path=Path(path).absolute()), err=True)


def _files(
    plan: Plan,
    profile: Profile,
    transcript: Transcript,
    outputs: Outputs,
    results: Sequence[CaseResult],
    report: Report,
    compared: Comparison | None,
) -> list[tuple[str, str, Callable[[Path], None]]]:
    from ..report import html, junit

    def text_file(render: Callable[[Report], str]) -> Callable[[Path], None]:
        return lambda path: _write_text(path, render(report))

    def seal_to(path: Path) -> None:
        from ..bundle import installation_key, load_key, seal

        key = load_key(Path(outputs.sign_key)) if outputs.sign_key else installation_key()
        seal(
            path, transcript=transcript, profile=profile, plan=plan, results=results, report=report, key=key,
            attachments=[Path(name) for name in outputs.attach], created=time.time(),
        )  # fmt: skip

    wanted = [
        (_("evidence: {path}"), outputs.bundle, seal_to),
        (_("report: {path}"), outputs.html, text_file(html.render)),
        (_("report: {path}"), outputs.junit, text_file(lambda shown: junit.render(shown, compared))),
    ]
    return [(line, path, write) for line, path, write in wanted if path]


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
