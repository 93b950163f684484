"""The command line of the conformance suite."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import click

from stationgate import __version__
from stationgate.exits import EnvironmentFault, ExitCode, UsageFault, reason
from stationgate.language import _, pick
from stationgate.layout import pad
from stationgate.options import Group, group, json_option

from . import catalogue
from .judge import judge
from .operator import AbsentOperator, ConsoleOperator, Operator
from .plan import Plan, UnknownSelectionError, make_plan, tags
from .profile import Profile, load
from .progress import shown_progress
from .steps import STEPS
from .transcript import Transcript
from .verdicts import Verdict

__all__ = ["build", "profile_language"]

DEMO_REPORT = "conformance-demo.html"


#: Options whose value is the next word, which is then no profile.
_WITH_VALUE = frozenset({"-x", "--exclude", "--listen", "--html", "--junit", "--lang", "--explain"})


def profile_language(argv: Sequence[str]) -> str | None:
    """Return the language of the profile that ``run`` or ``plan`` is given; shipped ``nx-`` profiles speak Chinese."""
    if not argv or argv[0] not in ("run", "plan"):
        return None
    for before, word in pairwise(argv):
        if not word.startswith("-") and before not in _WITH_VALUE:
            profile = load(word)
            return profile.test.get("lang") or ("zh" if profile.name.startswith("nx-") else None)
    return None


def build() -> click.Command:
    """Build the command group in the active language."""
    cli = group(
        "conformance",
        help=_("Judge a device requirement by requirement, each verdict tied to a clause and to bytes."),
        examples=[
            ("conformance demo", _("a simulated door against the suite, on this machine")),
            ("conformance demo --fault modbus-crc", _("the same with a defect: see it found")),
            ("conformance run nx-door --listen 0.0.0.0:8212", _("a real door")),
            ("conformance explain REQ-A-08", _("what is asked, why, and how it is judged")),
        ],
    )
    _add_demo(cli)
    _add_run(cli)
    _add_plan(cli)
    _add_list(cli)
    _add_explain(cli)
    _add_selftest(cli)
    return cli


def _report_options(command: Callable[..., int]) -> Callable[..., int]:
    for option in (
        click.option("--strict", is_flag=True, help=_("A warning fails the run too.")),
        json_option(),
        click.option("--junit", type=click.Path(dir_okay=False), help=_("Write a JUnit report.")),
        click.option("--html", type=click.Path(dir_okay=False), help=_("Write a report for a browser or a printer.")),
    ):
        command = option(command)
    return command


def _add_demo(cli: Group) -> None:
    @cli.command(
        "demo",
        help=_("Run a simulated door controller against the suite over loopback TCP, on one virtual clock."),
        examples=[
            ("conformance demo", _("the correct device: everything passes")),
            ("conformance demo --fault method-collapsed --html report.html", _("a defect, and the report")),
            ("simulator faults", _("the names of the defects")),
        ],
    )
    @click.option("--fault", "faults", multiple=True, help=_("A defect to build in; may be given again."))
    @_report_options
    def demo(faults: tuple[str, ...], html: str | None, junit: str | None, as_json: bool, strict: bool) -> int:
        from .demo import check_faults, demo_profile, rehearse

        check_faults(faults)
        profile = demo_profile()
        plan = make_plan(profile)
        html = _writable(html or DEMO_REPORT)
        _writable(junit)
        started = time.time()
        with shown_progress(quiet=False, virtual=True) as progress:
            transcript = rehearse(plan, profile, faults, sockets=True, on_progress=progress)
        return _finish(plan, profile, transcript, html, junit, as_json, strict, started=started)


def _add_run(cli: Group) -> None:
    @cli.command(
        "run",
        help=_("Judge a device that connects to this machine. PROFILE is a file or a shipped profile."),
        examples=[
            ("conformance run nx-door --listen 0.0.0.0:8212 --html report.html", _("everything, with an operator")),
            ("conformance run door.toml access/framing --non-interactive", _("a part, nobody at the door")),
            ("conformance run door.toml @quick -x access/query", _("what takes minutes only")),
        ],
    )
    @click.argument("profile")
    @click.argument("select", nargs=-1)
    @click.option("-x", "--exclude", multiple=True, help=_("Leave out a case, a prefix or a @tag."))
    @click.option("--listen", help=_("HOST:PORT to listen on, instead of the profile's."))
    @click.option("--non-interactive", is_flag=True, help=_("Nobody acts: steps of the operator stay pending."))
    @_report_options
    def run(
        profile: str,
        select: tuple[str, ...],
        exclude: tuple[str, ...],
        listen: str | None,
        non_interactive: bool,
        html: str | None,
        junit: str | None,
        as_json: bool,
        strict: bool,
    ) -> int:
        from .run import run_live

        declared = load(profile)
        if listen:
            host, port = _address(listen)
            declared = replace(declared, listen={**declared.listen, "host": host, "port": port})
        plan = _plan(declared, select, exclude)
        _writable(html)
        _writable(junit)
        operator: Operator = AbsentOperator() if non_interactive or not sys.stdin.isatty() else ConsoleOperator()
        started = time.time()
        host, port = declared.listen.get("host", "127.0.0.1"), declared.listen.get("port", 0)
        with shown_progress(quiet=False, virtual=False) as progress:
            live = run_live(plan, declared, operator, host, port, wall_clock=started, on_progress=progress)
        code = None
        if live.interrupted:
            code = ExitCode.INTERRUPTED
        elif live.failure:
            code = ExitCode.ERROR
        ended = _finish(plan, declared, live.transcript, html, junit, as_json, strict, started=started, code=code)
        if live.failure:
            raise live.failure
        return ended


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if colon and port.isascii() and port.isdigit() and int(port) <= 65535:
        return host.strip("[]") or "0.0.0.0", int(port)  # what an empty host means to whoever writes it
    raise UsageFault(
        _("--listen {text!r}: expected HOST:PORT").format(text=text), _("for example: --listen 0.0.0.0:8212")
    )


def _plan(profile: Profile, select: tuple[str, ...], exclude: tuple[str, ...]) -> Plan:
    try:
        return make_plan(profile, select, exclude)
    except UnknownSelectionError as error:
        raise UsageFault(
            _("no case matches {word!r}").format(word=str(error)), _("list them with: conformance list")
        ) from error


def _writable(path: str | None) -> str | None:
    """Check before the run that a report can be written after it."""
    if path is not None:
        target = Path(path)
        existed = target.exists()
        with target.open("ab"):
            pass
        if not existed:
            target.unlink()
    return path


def _finish(
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
    from .report import facts, jsonlines, text
    from .report import html as html_report
    from .report import junit as junit_report

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


def _add_plan(cli: Group) -> None:
    @cli.command(
        "plan",
        help=_("Print what a run would do: its steps, its cases, and why others are left out."),
        examples=[("conformance plan nx-door --explain access/report/drift", _("why a case is in or out"))],
    )
    @click.argument("profile", default="nx-door")
    @click.argument("select", nargs=-1)
    @click.option("-x", "--exclude", multiple=True, help=_("Leave out a case, a prefix or a @tag."))
    @click.option("--explain", help=_("One case only."))
    @json_option()
    def plan(
        profile: str, select: tuple[str, ...], exclude: tuple[str, ...], explain: str | None, as_json: bool
    ) -> None:
        made = _plan(load(profile), select, exclude)
        if explain:
            _plan(load(profile), (explain,), ())
            made = replace(
                made, cases=tuple(c for c in made.cases if c.id == explain or c.id.startswith(f"{explain}/"))
            )
        if as_json:
            for case in made.cases:
                left_out = made.left_out.get(case.id)
                row = {"id": case.id, "judged": left_out is None, "why": str(left_out or ""), "steps": list(case.uses)}
                click.echo(json.dumps(row, ensure_ascii=False))
            return
        if not explain:
            for step in made.steps:
                who = _("operator") if STEPS[step].manual else _("suite")
                click.echo(f"{step:12} {pad(who, 10)} {STEPS[step].title}")
            click.echo()
        for case in made.cases:
            why = made.left_out.get(case.id)
            state = _("left out: {why}").format(why=why) if why else _("judged, after: {steps}").format(
                steps=", ".join(case.uses)
            )  # fmt: skip
            click.echo(f"{case.id:42} {state}")
        if explain and not made.cases:
            click.echo(_("{case} is not selected").format(case=explain))


def _add_list(cli: Group) -> None:
    @cli.command(
        "list",
        help=_("List the cases with the requirement each judges."),
        examples=[("conformance list --json", _("one object per line"))],
    )
    @json_option()
    def list_cases(as_json: bool) -> None:
        from .case import CASES

        for case in CASES.values():
            text = catalogue.case_text(case.id)
            if as_json:
                row = {
                    "id": case.id,
                    "requirement": text.requirement_label,
                    "clause": text.clause,
                    "level": text.level,
                    "title": text.title,
                    "tags": sorted(tags(case)),
                    "killed_by": list(case.killed_by),
                }
                click.echo(json.dumps(row, ensure_ascii=False))
            else:
                click.echo(f"{text.requirement_label:10} {case.id:42} {text.title}")


def _add_explain(cli: Group) -> None:
    @cli.command(
        "explain",
        help=_("Explain a case or a requirement: what is asked, by which clause, how it is judged."),
        examples=[
            ("conformance explain access/framing/crc", _("a case")),
            ("conformance explain REQ-A-08 --lang zh", _("a requirement, in Chinese")),
        ],
    )
    @click.argument("id")
    def explain(id: str) -> None:
        from .explain import explain as explained

        click.echo(explained(id))


def _add_selftest(cli: Group) -> None:
    @cli.command(
        "selftest",
        help=_("Prove the verdicts: every assertion must fail on its mutants, and on nothing else."),
        examples=[("conformance selftest --matrix matrix.html", _("with the whole table"))],
    )
    @click.option("--matrix", type=click.Path(dir_okay=False), help=_("Write the table of mutants and cases."))
    @json_option()
    def selftest(matrix: str | None, as_json: bool) -> int:
        from .selftest import selftest as prove

        _writable(matrix)

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
            from .report.matrix import render

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
                click.echo(json.dumps(shown, ensure_ascii=False))
            end = {
                "event": "matrix-end",
                "assertions": len(table.assertions),
                "killed": len(table.killed),
                "mutants": len(table.rows),
                "unexpected": len(table.unexpected),
                "reference_clean": table.reference_clean,
            }
            click.echo(json.dumps(end))
        return int(ExitCode.OK if table.sound else ExitCode.FAIL)
