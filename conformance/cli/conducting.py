"""A run on the real clock, as the commands conduct it: journal, progress, verdicts, evidence."""

from __future__ import annotations

import base64
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from uuid import uuid4

import click

from stationgate.exits import DataFault, EnvironmentFault, ExitCode, UsageFault
from stationgate.language import _

from ..evidence import Evidence
from ..history import Ledger, Sample, ledger
from ..live.journal import JOURNAL_SUFFIX, Journal, journal_of
from ..live.operator import Operator, make_operator
from ..live.progress import shown_progress
from ..live.resuming import remains
from ..live.run import LiveRun, run_live
from ..live.settings import outstanding
from ..live.waiting import instructions, render_instructions
from ..plan import Mode, Plan, make_plan
from ..profile import Profile
from ..transcript import Transcript
from .ending import Ended, finish
from .options import Outputs

__all__ = ["Ended", "conduct", "let_go", "operator_of", "reopened"]


def operator_of(non_interactive: bool, command: str | None) -> Operator:
    """Return who acts: a program, a person at this terminal, or nobody.

    Raises:
        UsageFault: If the program cannot be started.
    """
    if command and non_interactive:
        raise UsageFault(_("--operator acts, --non-interactive does not"), _("leave one of them out"))
    return make_operator(command, interactive=not non_interactive)


@dataclass(frozen=True, slots=True)
class _Entered:
    """A run in the ledger of this installation, where earlier ones of the same sample are found."""

    ledger: Ledger
    run_id: str

    @classmethod
    def enter(cls, profile: Profile, journal: Journal) -> _Entered:
        """Enter a run before it does anything."""
        known = journal.transcript.run if journal.transcript is not None else {}
        entered = cls(ledger(), str(known.get("id") or uuid4().hex))
        sample = Sample.of(profile.sample, profile.device.get("mn", ""))
        entered.ledger.begin(entered.run_id, started=time.time(), profile=profile.name, sample=sample)
        return entered

    def look_back(self, profile: Profile, transcript: Transcript) -> None:
        """Put on record which runs of the same sample there were before."""
        mn = Evidence(transcript, profile).mn
        try:
            if mn:
                self.ledger.learn(self.run_id, mn)
            told = self.ledger.history(Sample.of(profile.sample, mn), before=self.run_id)
        except EnvironmentFault as fault:  # the report then says that no list was consulted; the verdicts stand
            click.echo(str(fault), err=True)
        else:
            transcript.add("history", transcript[-1].t_mono, **told)

    def leave(self, transcript: Transcript, profile: Profile, ended: Ended, *, finished: bool) -> None:
        """Enter how it ended."""
        counts = Counter(result.verdict.value for result in ended.results)
        self.ledger.end(
            self.run_id, ended=time.time(), state="finished" if finished else "aborted", exit_code=ended.exit_code,
            digest=transcript.digest, counts=counts, number=profile.test.get("report_number", ""),
        )  # fmt: skip


def conduct(plan: Plan, profile: Profile, operator: Operator, journal: Journal, outputs: Outputs) -> Ended:
    """Run the plan, or what is left of it, and end it as a run ends; the journal goes once the evidence is sealed."""
    try:
        with _sigterm_as_ctrl_c():
            entered = _Entered.enter(profile, journal)
            with operator:
                live = _lived(plan, profile, operator, journal, entered.run_id)
            entered.look_back(profile, live.transcript)
            code = ExitCode.INTERRUPTED if live.interrupted else ExitCode.ERROR if live.failure else None
            ended = finish(plan, profile, live.transcript, outputs, code=code)
            entered.leave(live.transcript, profile, ended, finished=code is None)
    except BaseException:
        let_go(journal)
        raise
    journal.close(remove=True)
    if live.interrupted:
        _say_how_to_go_on(Path(outputs.bundle or journal.bundle))
    for name, value in outstanding(live.transcript).items():
        click.echo(_("NOT PUT BACK on the device: {name}, which was {value}").format(name=name, value=value), err=True)
    if live.failure:
        raise live.failure
    return ended


def let_go(journal: Journal) -> None:
    """End a run of which nothing was sealed: what happened in it is still there to be gone on with."""
    kept = journal.holds_a_run
    journal.close(remove=not kept)
    if kept:
        _say_how_to_go_on(journal.bundle)


def _say_how_to_go_on(bundle: Path) -> None:
    click.echo(_("go on with: conformance resume {bundle}").format(bundle=bundle), err=True)


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Have SIGTERM, by which a service manager ends a program, end a run as Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        handler = signal.getsignal(signal.SIGINT)  # asyncio has its own while a loop runs
        if not callable(handler):
            raise KeyboardInterrupt
        handler(number, frame)

    if threading.current_thread() is not threading.main_thread():
        yield  # which no signal reaches
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


def _lived(plan: Plan, profile: Profile, operator: Operator, journal: Journal, run_id: str) -> LiveRun:
    host, port = profile.listen.get("host", "127.0.0.1"), profile.listen.get("port", 0)
    earlier = journal.transcript
    if earlier is not None:
        earlier.sink = journal.write
        if journal.torn:
            torn = base64.b64encode(journal.torn).decode()
            earlier.add("note", earlier[-1].t_mono, torn=torn)
        if not _is_left(earlier, profile, plan):
            return LiveRun(earlier)  # it ended; only its evidence was not sealed

    def told(host: str, port: int) -> None:
        rows = instructions(profile, host, port)
        advertised = bool(profile.listen.get("advertised_host"))
        click.echo(render_instructions(rows, host, advertised=advertised), err=True)

    with shown_progress(quiet=False, virtual=False) as progress:
        return run_live(
            plan, profile, operator, host, port, wall_clock=time.time, on_progress=progress, sink=journal.write,
            earlier=earlier, run_id=run_id, on_listening=told,
        )  # fmt: skip


def reopened(bundle: Path) -> tuple[Journal, Profile, Plan, Path]:
    """Return the journal of a run to go on with, its profile, its plan, and the bundle it is to become.

    Raises:
        UsageFault: If there is nothing to go on with.
        DataFault: If the record was changed.
    """
    if bundle.name.endswith(JOURNAL_SUFFIX):
        bundle = bundle.with_name(bundle.name.removesuffix(JOURNAL_SUFFIX))
    path = journal_of(bundle)
    if path.exists() and path.stat().st_size:
        journal = Journal.reopen(path)
    elif bundle.exists():
        from ..bundle import open_bundle

        journal = Journal.rewrite(path, open_bundle(bundle).transcript.to_lines())
    elif path.exists():
        journal = Journal.reopen(path)
    else:
        raise UsageFault(
            _("there is neither {bundle} nor {journal}").format(bundle=bundle, journal=path.name),
            _("name the bundle that the interrupted run was to become"),
        )
    try:
        profile, plan = _declared(journal, path)
        if journal.sealed and not _is_left(journal.transcript, profile, plan):
            raise UsageFault(
                _("{file}: nothing is left to do, every step took place").format(file=bundle),
                _("judge it again with: conformance rejudge {bundle}; or begin anew with: conformance run").format(
                    bundle=bundle
                ),
            )
    except BaseException:
        journal.close(remove=not journal.holds_a_run)
        raise
    return journal, profile, plan, bundle


def _is_left(transcript: Transcript | None, profile: Profile, plan: Plan) -> bool:
    """Whether a run has steps to take or settings to put back."""
    if transcript is None:
        return True
    return remains(transcript, profile, plan).steps != ("connect",) or bool(outstanding(transcript))


def _declared(journal: Journal, path: Path) -> tuple[Profile, Plan]:
    transcript = journal.transcript
    known = transcript.run if transcript is not None else {}
    if not known:
        raise UsageFault(
            _("{file}: the run ended before it began").format(file=path), _("run it again from its beginning")
        )
    if known["simulated"]:
        raise UsageFault(_("{file}: a simulated run does not go on").format(file=path), _("run the demo again"))
    try:
        profile = Profile.from_toml(known["profile"])
        return profile, make_plan(profile, known["select"], known["exclude"], Mode(**known["mode"]))
    except (ValueError, KeyError, TypeError) as error:
        raise DataFault(_("{file}: the record does not say what was run").format(file=path)) from error
