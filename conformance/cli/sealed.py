"""Commands on sealed evidence: ``verify``, ``rejudge``, ``show`` and ``export``."""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stationgate import __version__
from stationgate.exits import DataFault, EnvironmentFault, ExitCode, UsageFault, reason
from stationgate.language import _, ngettext
from stationgate.layout import pad
from stationgate.options import Group, json_option

from ..verdicts import Verdict
from .options import writable

if TYPE_CHECKING:
    from ..bundle import Bundle, RedactedCopy, Rejudged, Verification
    from ..report.facts import Report
    from ..transcript import Transcript

__all__ = ["add"]

_FILE = click.Path(dir_okay=False, path_type=Path)


def add(cli: Group) -> None:
    """Add the commands."""
    _add_verify(cli)
    _add_rejudge(cli)
    _add_show(cli)
    _add_export(cli)


# verify


def _add_verify(cli: Group) -> None:
    @cli.command(
        "verify",
        help=_("Tell whether a bundle is as it was sealed, to the last bit, and who signed it."),
        examples=[
            ("conformance verify door.zip", _("intact or not; prints the fingerprint of the signer")),
            ("conformance verify door.zip --trusted-key lab.pem", _("and signed by this key")),
            ("conformance verify copy.zip --original door.zip", _("a redacted copy, and what it was made from")),
        ],
    )
    @click.argument("bundle", type=_FILE)
    @click.option("--trusted-key", help=_("Fingerprint, or public key in PEM, of who must have signed it."))
    @click.option("--original", type=_FILE, help=_("The bundle that a redacted copy was made from."))
    @json_option()
    def verify(bundle: Path, trusted_key: str | None, original: Path | None, as_json: bool) -> int:
        from .. import bundle as evidence

        trusted = evidence.trusted_fingerprint(trusted_key) if trusted_key else None
        found = evidence.verify(evidence.read_bundle(bundle), trusted)
        faults = [str(fault) for fault in found.faults]
        if original:
            whole = evidence.open_bundle(original)
            if found.intact and found.copy is None:
                raise UsageFault(_("{file} is no redacted copy").format(file=bundle), _("verify it without --original"))
            faults += map(str, evidence.verify_link(found.copy, whole) if found.copy else ())
        for line in _verification(bundle, found, faults, linked=original is not None):
            click.echo(line, err=as_json)
        if as_json:
            click.echo(json.dumps(_verification_json(bundle, found, faults), ensure_ascii=False))
        return int(ExitCode.FAIL if faults else found.exit_code)


def _verification(path: Path, found: Verification, faults: list[str], *, linked: bool) -> Iterator[str]:
    from ..report.words import moment

    if faults:
        yield _("{file}: NOT INTACT").format(file=path)
        yield from (f"  - {fault}" for fault in faults)
    elif found.signer_trusted is None:
        yield _("{file}: intact, signer not checked").format(file=path)
    elif found.signer_trusted:
        yield _("{file}: intact, signed by the key you trust").format(file=path)
    else:
        yield _("{file}: intact, but NOT signed by the key you trust").format(file=path)
    if found.fingerprint:
        yield _("signed by: {fingerprint}").format(fingerprint=found.fingerprint)
    manifest = found.manifest
    if manifest is None:
        return
    yield _("sealed: {when} (UTC+8), by version {version}").format(
        when=_when(moment, manifest.created), version=manifest.suite
    )
    if manifest.redacted_from is None:
        yield _("transcript: {count} entries, SHA-256 {digest}").format(
            count=manifest.entries, digest=manifest.transcript
        )
        yield _("confidential: holds passwords and badge codes")
        return
    origin = manifest.redacted_from
    yield _("a redacted copy, without passwords, badge codes, names and original bytes")
    yield _("made from: bundle with SHA-256 {sha256}").format(sha256=origin.sha256)
    yield _("its transcript: {count} entries, SHA-256 {digest}").format(
        count=manifest.entries, digest=origin.transcript
    )
    if linked and not faults:
        yield _("every line belongs to its entry of the original")


def _when(moment: Any, posix: float) -> str:
    try:
        return str(moment(posix))
    except (ValueError, OverflowError, OSError):  # a clock may have shown anything
        return str(posix)


def _verification_json(path: Path, found: Verification, faults: list[str]) -> dict[str, Any]:
    manifest = found.manifest
    origin = manifest.redacted_from if manifest else None
    return {
        "event": "verify",
        "schema": 1,
        "file": str(path),
        "intact": not faults,
        "faults": faults,
        "fingerprint": found.fingerprint or None,
        "signer_trusted": found.signer_trusted,
        "suite_version": manifest.suite if manifest else None,
        "created": manifest.created if manifest else None,
        "contains_secrets": manifest.contains_secrets if manifest else None,
        "redacted_from": origin.sha256 if origin else None,
        "transcript_sha256": (origin.transcript if origin else manifest.transcript) if manifest else None,
        "entries": manifest.entries if manifest else None,
        "run_exit_code": manifest.exit_code if manifest else None,
        "counts": dict(manifest.counts) if manifest else None,
    }


# rejudge


def _add_rejudge(cli: Group) -> None:
    @cli.command(
        "rejudge",
        help=_("Judge the record in a bundle again, with this version, and print every verdict that differs."),
        examples=[
            ("conformance rejudge door.zip", _("what changed since it was sealed")),
            ("conformance rejudge door.zip --html report.html", _("with the report of today's verdicts")),
        ],
    )
    @click.argument("bundle", type=_FILE)
    @click.option("--html", type=_FILE, help=_("Write a report for a browser or a printer."))
    @click.option("--junit", type=_FILE, help=_("Write a JUnit report."))
    @json_option()
    @click.option("--strict", is_flag=True, help=_("A warning fails the run too."))
    def rejudge(bundle: Path, html: Path | None, junit: Path | None, as_json: bool, strict: bool) -> int:
        from .. import bundle as evidence
        from ..report import html as html_report
        from ..report import jsonlines
        from ..report import junit as junit_report

        for path in (html, junit):
            writable(str(path) if path else None)
        opened = evidence.open_bundle(bundle)
        judged = evidence.rejudge(opened)
        report = evidence.report_of(opened, judged, strict=strict)
        for line in _rejudged(opened, judged, report):
            click.echo(line, err=as_json)
        if as_json:
            click.echo(json.dumps(_changes_json(opened, judged), ensure_ascii=False))
            click.echo(jsonlines.render(report), nl=False)
        if html:
            _write(html, html_report.render(report))
        if junit:
            _write(junit, junit_report.render(report))
        return int(report.exit_code)


def _rejudged(bundle: Bundle, judged: Rejudged, report: Report) -> Iterator[str]:
    from ..report import text

    versions = {"own": __version__, "sealed": bundle.manifest.suite}
    if judged.changes:
        count = len(judged.changes)
        sentence = ngettext(
            "{count} verdict changed: sealed by version {sealed}, judged by {own}",
            "{count} verdicts changed: sealed by version {sealed}, judged by {own}",
            count,
        )
        yield sentence.format(count=count, **versions)
    else:
        yield _("No verdict changed: sealed by version {sealed}, judged by {own}").format(**versions)
    column = max((len(change.case) for change in judged.changes), default=0)
    for change in judged.changes:
        before, after = (Verdict(word).word if word else _("(no such case)") for word in (change.before, change.after))
        yield f"  {change.case:{column}}  {before} -> {after}"
    if judged.regrounded:
        yield _("the same verdict in other words or on other bytes: {cases}").format(cases=", ".join(judged.regrounded))
    counts = [f"{verdict.word} {count}" for verdict, count in report.counts.items() if count]
    yield "   ".join([*counts, _("exit code {code}").format(code=int(report.exit_code))])
    yield text.last_line(report)


def _changes_json(bundle: Bundle, judged: Rejudged) -> dict[str, Any]:
    return {
        "event": "rejudge",
        "schema": 1,
        "suite_version": __version__,
        "sealed_by": bundle.manifest.suite,
        "changes": [{"id": c.case, "before": c.before or None, "after": c.after or None} for c in judged.changes],
        "regrounded": list(judged.regrounded),
    }


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise EnvironmentFault(
            _("cannot write {path}: {why}").format(path=path, why=reason(error)),
            _("give another path: the verdicts above stand"),
        ) from error
    click.echo(_("report: {path}").format(path=path.absolute()), err=True)


# show


def _add_show(cli: Group) -> None:
    @cli.command(
        "show",
        help=_("Print the report of a bundle again, or of a run that was not sealed."),
        examples=[
            ("conformance show door.zip", _("the report as text")),
            ("conformance show door.zip --frames", _("every frame, without secrets")),
            ("conformance show door.zip.journal", _("a run that was interrupted, or still goes on")),
        ],
    )
    @click.argument("bundle", type=_FILE)
    @click.option("--frames", is_flag=True, help=_("List the frames instead."))
    def show(bundle: Path, frames: bool) -> int:
        from ..live.journal import JOURNAL_SUFFIX

        if bundle.name.endswith(JOURNAL_SUFFIX):
            _show_journal(bundle, frames)
        else:
            _show_bundle(bundle, frames)
        return int(ExitCode.OK)


def _show_bundle(path: Path, frames: bool) -> None:
    from .. import bundle as evidence

    found = evidence.verify(evidence.read_bundle(path))
    if found.copy:
        _show_copy(found.copy, frames)
        return
    opened = found.bundle or evidence.open_bundle(path)  # which says what is wrong with it
    judged = evidence.rejudge(opened)
    _show_report(evidence.report_of(opened, judged), frames)
    for line in _verification(path, found, [], linked=False):
        click.echo(line, err=True)
    if judged.changes:
        count = len(judged.changes)
        sentence = ngettext(
            "{count} verdict is another one than was sealed; see: conformance rejudge {file}",
            "{count} verdicts are others than were sealed; see: conformance rejudge {file}",
            count,
        )
        click.echo(sentence.format(count=count, file=path), err=True)


def _show_journal(path: Path, frames: bool) -> None:
    from ..live.journal import read

    transcript, torn = read(path)
    click.echo(_("UNSEALED: this run did not end, or goes on. Nobody signed it, and verdicts may change."))
    if torn:
        click.echo(_("its last line was cut short and is left out ({count} bytes)").format(count=len(torn)))
    if not transcript.run:
        raise DataFault(_("{file}: the run ended before it began").format(file=path))
    _show_report(_unsealed(path, transcript), frames)


def _unsealed(path: Path, transcript: Transcript) -> Report:
    from ..judge import judge
    from ..plan import Mode, UnknownSelectionError, make_plan
    from ..profile import Profile
    from ..report import facts

    run = transcript.run
    try:
        profile = Profile.from_toml(run["profile"])
        plan = make_plan(profile, run["select"], run["exclude"], Mode(**run["mode"]))
        return facts.build(judge(transcript, profile, plan), transcript, profile, plan, version=__version__)
    except (LookupError, TypeError, ValueError, UnknownSelectionError) as error:
        raise DataFault(_("{file}: the record does not say what was run").format(file=path)) from error


def _show_report(report: Report, frames: bool) -> None:
    from ..report import text
    from ..report.words import clock_time

    if not frames:
        width = min(shutil.get_terminal_size((100, 24)).columns, 120)
        click.echo(text.render(report, colour=text.colour_wanted(sys.stdout), width=width), nl=False)
        return
    for row in report.frames:
        shown = "".join(span.text for span in report.redactor.spans(row.refs))
        when = clock_time(report.evidence.wall(row.t))
        click.echo(_frame(row.seq, when, row.link, row.incoming, f"{row.kind.word}  {shown}"))


def _show_copy(copy: RedactedCopy, frames: bool) -> None:
    from ..report.words import clock_time

    if frames:
        for line in copy.lines:
            if "text" in line:
                when = _when(clock_time, line["t_wall"])
                click.echo(_frame(line["seq"], when, line["link"], line["direction"] == "in", line["text"]))
        return
    click.echo(_("a redacted copy: verdicts as sealed, not judged again"))
    column = max((len(case["id"]) for case in copy.verdicts["cases"]), default=0)
    words = max((len(verdict.word) for verdict in Verdict), default=0)
    for case in copy.verdicts["cases"]:
        click.echo(f"{pad(Verdict(case['verdict']).word, words)}  {case['id']:{column}}  {case['actual']}")


def _frame(seq: int, when: str, link: int, incoming: bool, text: str) -> str:
    return f"{seq:6}  {when}  {link:3} {'<-' if incoming else '->'}  {text}"


# export


def _add_export(cli: Group) -> None:
    @cli.command(
        "export",
        help=_("Make a copy of a bundle that may be shown: no passwords, badge codes, names, no original bytes."),
        examples=[
            ("conformance export --redacted door.zip -o copy.zip", _("signed, and linked to its original by hash")),
            ("conformance verify copy.zip --original door.zip", _("prove the link; needs the original")),
        ],
    )
    @click.argument("bundle", type=_FILE)
    @click.option("--redacted", is_flag=True, required=True, help=_("Without anything secret; there is no other copy."))
    @click.option("-o", "--output", type=_FILE, required=True, help=_("Where to write the copy."))
    @click.option("--sign-key", type=_FILE, help=_("Sign with this key instead of this computer's own."))
    def export(bundle: Path, redacted: bool, output: Path, sign_key: Path | None) -> int:
        from .. import bundle as evidence

        if output.exists() and bundle.exists() and output.samefile(bundle):
            raise UsageFault(_("{file} is the original itself").format(file=output), _("give another -o"))
        opened = evidence.open_bundle(bundle)
        key = evidence.load_key(sign_key) if sign_key else evidence.installation_key()
        data = evidence.export_redacted(opened, key=key, created=time.time())
        try:
            evidence.write_file(output, data)
        except OSError as error:
            raise EnvironmentFault(
                _("cannot write {path}: {why}").format(path=output, why=reason(error)), _("give another -o")
            ) from error
        click.echo(_("redacted copy: {path}").format(path=output.absolute()), err=True)
        return int(ExitCode.OK)
