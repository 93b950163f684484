"""Commands that run the suite against a device: ``demo``, ``run``, ``resume`` and ``replay``."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import click

from hj212.times import format_time
from stationgate.exits import ExitCode, UsageFault
from stationgate.filename import safe_name
from stationgate.language import _
from stationgate.options import Group

from ..live.journal import Journal, journal_of
from ..live.operator import Operator
from ..live.progress import shown_progress
from ..plan import Mode, make_plan
from ..profile import Profile, load
from ..verdicts import CaseResult, Verdict
from .conducting import Ended, conduct, let_go, operator_of, reopened
from .ending import finish
from .options import Outputs, address, evidence_options, planned

__all__ = ["add"]

DEMO_REPORT = "conformance-demo.html"
#: What a device takes as its reporting interval (HJ 212-2017 CN 1062, RtdInterval).
SHORTEST_INTERVAL_S = 30
LONGEST_INTERVAL_S = 3600


def add(cli: Group) -> None:
    """Add the commands."""
    _add_demo(cli)
    _add_run(cli)
    _add_resume(cli)
    _add_replay(cli)


def _add_demo(cli: Group) -> None:
    @cli.command(
        "demo",
        help=_("Run a simulated door controller against the suite over loopback TCP, on one virtual clock."),
        examples=[
            ("conformance demo", _("the correct device: everything passes")),
            ("conformance demo --fault method-collapsed --html report.html", _("a defect, and the report")),
            ("conformance demo --bundle demo.zip", _("with sealed evidence")),
            ("simulator faults", _("the names of the defects")),
        ],
    )
    @click.option("--fault", "faults", multiple=True, help=_("A defect to build in; may be given again."))
    @evidence_options
    def demo(faults: tuple[str, ...], outputs: Outputs) -> int:
        from ..demo import check_faults, demo_profile, rehearse

        check_faults(faults)
        profile = demo_profile()
        plan = make_plan(profile)
        outputs = replace(outputs, html=outputs.html or DEMO_REPORT)
        outputs.check()
        with shown_progress(quiet=False, virtual=True) as progress:
            transcript = rehearse(plan, profile, faults, sockets=True, on_progress=progress)
        return finish(plan, profile, transcript, outputs).exit_code


def _add_run(cli: Group) -> None:
    @cli.command(
        "run",
        help=_("Judge a device that connects to this machine. PROFILE is a file or a shipped profile."),
        examples=[
            ("conformance run nx-door --listen 0.0.0.0:8212 --html report.html", _("everything, with an operator")),
            ("conformance run door.toml access/framing --non-interactive", _("a part, nobody at the door")),
            ("conformance run door.toml @quick -x access/query", _("what takes minutes only")),
            ("conformance run door.toml --forward 10.0.0.5:8212", _("listen in on the way to the official platform")),
        ],
    )
    @click.argument("profile")
    @click.argument("select", nargs=-1)
    @click.option("-x", "--exclude", multiple=True, help=_("Leave out a case, a prefix or a @tag."))
    @click.option("--listen", help=_("HOST:PORT to listen on, instead of the profile's."))
    @click.option("--non-interactive", is_flag=True, help=_("Nobody acts: steps of the operator stay pending."))
    @click.option("--operator", metavar="CMD", help=_("A program that acts, by JSON lines."))
    @click.option("--passive", is_flag=True, help=_("Send acknowledgements and nothing else."))
    @click.option(
        "--forward", metavar="HOST:PORT", help=_("Relay everything to the official platform, which alone answers.")
    )
    @click.option(
        "--shorten",
        type=click.IntRange(SHORTEST_INTERVAL_S, LONGEST_INTERVAL_S),
        metavar=_("SECONDS"),
        help=_("Set this reporting interval meanwhile: shows the timer, not its 900 s."),
    )
    @evidence_options
    def run(
        profile: str,
        select: tuple[str, ...],
        exclude: tuple[str, ...],
        listen: str | None,
        non_interactive: bool,
        operator: str | None,
        passive: bool,
        forward: str | None,
        shorten: int | None,
        outputs: Outputs,
    ) -> int:
        declared = _listening(load(profile), listen)
        plan = planned(declared, select, exclude, _mode(passive, forward, shorten))
        _not_to_itself(declared, forward)
        bundle = _new_bundle(outputs, declared.name)
        outputs = replace(outputs, bundle=str(bundle))
        outputs.check()
        journal = Journal.create(journal_of(bundle))
        return conduct(plan, declared, _acting(journal, non_interactive, operator), journal, outputs).exit_code


def _acting(journal: Journal, non_interactive: bool, command: str | None) -> Operator:
    """Return who acts in the run of a journal, once nothing else can be in its way: a rig starts to run here."""
    try:
        return operator_of(non_interactive, command)
    except BaseException:
        let_go(journal)
        raise


def _listening(profile: Profile, listen: str | None) -> Profile:
    if not listen:
        return profile
    host, port = address(listen)
    return replace(profile, listen={**profile.listen, "host": host, "port": port})


def _mode(passive: bool, forward: str | None, shorten: int | None) -> Mode:
    if forward:
        host, port = address(forward, "--forward")
        forward = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    if shorten and (passive or forward):
        raise UsageFault(
            _("--shorten sets something on the device, --passive and --forward set nothing"), _("leave one of them out")
        )
    return Mode(passive, forward or "", shorten or 0)


def _not_to_itself(profile: Profile, forward: str | None) -> None:
    """Refuse to relay to the suite's own port, which would never end."""
    if forward:
        host, port = address(forward, "--forward")
        own = {"0.0.0.0", "127.0.0.1", "::", "::1", "localhost", profile.listen.get("host", "127.0.0.1")}
        if port == profile.listen.get("port") and host in own:
            raise UsageFault(
                _("--forward {address} is where this run listens").format(address=forward),
                _("name the official platform"),
            )


def _new_bundle(outputs: Outputs, name: str) -> Path:
    """Return where the evidence of a new run goes; that of an earlier one is not written over."""
    bundle = Path(outputs.bundle or _default_bundle(name))
    if bundle.is_file() and bundle.stat().st_size:
        raise UsageFault(_("{file} holds the evidence of another run").format(file=bundle), _("give another --bundle"))
    return bundle


def _default_bundle(name: str) -> str:
    when = format_time(time.time())
    return f"{safe_name(name)}-{when[:8]}-{when[8:]}.zip"


def _add_resume(cli: Group) -> None:
    @cli.command(
        "resume",
        help=_("Go on with a run that was interrupted, killed, or left steps of the operator pending."),
        examples=[
            ("conformance resume door.zip", _("the run that was to become this bundle")),
            ("conformance resume door.zip --html report.html", _("with a report")),
        ],
    )
    @click.argument("source", metavar="BUNDLE", type=click.Path(dir_okay=False))
    @click.option("--listen", help=_("HOST:PORT to listen on, instead of the profile's."))
    @click.option("--non-interactive", is_flag=True, help=_("Nobody acts: steps of the operator stay pending."))
    @click.option("--operator", metavar="CMD", help=_("A program that acts, by JSON lines."))
    @evidence_options
    def resume(source: str, listen: str | None, non_interactive: bool, operator: str | None, outputs: Outputs) -> int:
        journal, profile, plan, path = reopened(Path(source))
        outputs = replace(outputs, bundle=outputs.bundle or str(path))
        try:
            outputs.check()
            declared = _listening(profile, listen)
        except BaseException:
            let_go(journal)
            raise
        return conduct(plan, declared, _acting(journal, non_interactive, operator), journal, outputs).exit_code


def _add_replay(cli: Group) -> None:
    @cli.command(
        "replay",
        help=_("Repeat what a bundle holds on one case, against the device as it is now: FIXED or FAILED."),
        examples=[
            ("conformance replay door.zip access/framing/crc", _("after the firmware was mended")),
            ("conformance show door.zip", _("which cases failed")),
        ],
    )
    @click.argument("source", metavar="BUNDLE", type=click.Path(dir_okay=False))
    @click.argument("case")
    @click.option("--listen", help=_("HOST:PORT to listen on, instead of the profile's."))
    @click.option("--non-interactive", is_flag=True, help=_("Nobody acts: steps of the operator stay pending."))
    @click.option("--operator", metavar="CMD", help=_("A program that acts, by JSON lines."))
    @evidence_options
    def replay(
        source: str, case: str, listen: str | None, non_interactive: bool, operator: str | None, outputs: Outputs
    ) -> int:
        from ..bundle import open_bundle

        recorded = open_bundle(Path(source))
        plan = planned(recorded.profile, (case,), (), Mode(**recorded.transcript.run["mode"]))
        before = {row["id"]: Verdict(row["verdict"]) for row in recorded.verdicts["cases"]}
        if case not in before:
            raise UsageFault(
                _("{file} holds no verdict on {case}").format(file=source, case=case),
                _("list them with: conformance show {file}").format(file=source),
            )
        bundle = _new_bundle(outputs, f"replay-{recorded.profile.name}")
        outputs = replace(outputs, bundle=str(bundle))
        outputs.check()
        declared = _listening(recorded.profile, listen)
        journal = Journal.create(journal_of(bundle))
        ended = conduct(plan, declared, _acting(journal, non_interactive, operator), journal, outputs)
        return _compared(case, before[case], ended)


def _compared(case: str, before: Verdict, ended: Ended) -> int:
    """Say what became of a case, and return the exit code."""
    after = next((result for result in ended.results if result.case == case), None)
    if ended.exit_code == ExitCode.INTERRUPTED or after is None:
        return ended.exit_code
    code, word = _change(before, after)
    line = _("{word}: {case} was {before}, is {after}")
    click.echo(line.format(word=word, case=case, before=before.word, after=after.verdict.word), err=True)
    return code


def _change(before: Verdict, after: CaseResult) -> tuple[ExitCode, str]:
    bad = (Verdict.FAIL, Verdict.WARN)
    if after.verdict in bad:
        return ExitCode.FAIL, "FAILED"
    if after.verdict is not Verdict.PASS:
        return ExitCode.INCONCLUSIVE, _("not to be told")
    return ExitCode.OK, "FIXED" if before in bad else _("as before")
