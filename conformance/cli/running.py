"""Commands that run the suite: ``demo`` and ``run``."""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import click

from stationgate.exits import ExitCode
from stationgate.language import _
from stationgate.options import Group

from ..live.operator import AbsentOperator, ConsoleOperator, Operator
from ..live.progress import shown_progress
from ..plan import make_plan
from ..profile import load
from .ending import finish
from .options import address, planned, report_options, writable

__all__ = ["add"]

DEMO_REPORT = "conformance-demo.html"


def add(cli: Group) -> None:
    """Add the commands."""
    _add_demo(cli)
    _add_run(cli)


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
    @report_options
    def demo(faults: tuple[str, ...], html: str | None, junit: str | None, as_json: bool, strict: bool) -> int:
        from ..demo import check_faults, demo_profile, rehearse

        check_faults(faults)
        profile = demo_profile()
        plan = make_plan(profile)
        html = writable(html or DEMO_REPORT)
        writable(junit)
        started = time.time()
        with shown_progress(quiet=False, virtual=True) as progress:
            transcript = rehearse(plan, profile, faults, sockets=True, on_progress=progress)
        return finish(plan, profile, transcript, html, junit, as_json, strict, started=started)


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
    @report_options
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
        from ..live.run import run_live

        declared = load(profile)
        if listen:
            host, port = address(listen)
            declared = replace(declared, listen={**declared.listen, "host": host, "port": port})
        plan = planned(declared, select, exclude)
        writable(html)
        writable(junit)
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
        ended = finish(plan, declared, live.transcript, html, junit, as_json, strict, started=started, code=code)
        if live.failure:
            raise live.failure
        return ended
