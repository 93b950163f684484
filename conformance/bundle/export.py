"""Making a redacted copy of a bundle, and checking a copy against its original."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from stationgate import __version__
from stationgate.exits import DataFault, ExitCode
from stationgate.language import _

from ..report import html
from ..verdicts import Said, say
from . import archive, canonical
from .keys import Key
from .manifest import Manifest, Origin, digest, sign
from .opening import Bundle
from .redacted import RedactedCopy, nameless, read_lines, write_lines
from .rejudging import rejudge, report_of
from .sealing import listed, verdicts_json

__all__ = ["export_redacted", "verify_link"]

#: What a line of a copy says of its entry in every version.
_TIES: Final = ("seq", "kind", "t_mono", "t_wall", "link", "direction", "size", "original")


def export_redacted(bundle: Bundle, *, key: Key, created: float) -> bytes:
    """Return a signed copy without original bytes, passwords, badge codes, log texts, names and attachments.

    Args:
        bundle: The original.
        key: Signs the copy.
        created: POSIX seconds.

    Raises:
        DataFault: If this suite judges the original otherwise: the copy shows its report, made again.
    """
    judged = rejudge(bundle)
    if judged.changes:
        raise DataFault(
            _("version {own} judges this bundle otherwise than version {version}, which sealed it").format(
                own=__version__, version=bundle.manifest.suite
            ),
            _("export it with that version; conformance rejudge shows what differs"),
        )
    shown = nameless(bundle.profile)
    # Its password is still needed, to be hidden wherever it stands.
    people_hidden = replace(bundle.profile, test=shown.test)
    report = report_of(bundle, judged, profile=people_hidden, lang=bundle.verdicts["language"], outward=True)
    report = replace(report, exit_code=ExitCode(bundle.manifest.exit_code))
    contents = {
        "profile.toml": shown.to_toml().encode(),
        "plan.json": bundle.members["plan.json"],
        "transcript.jsonl": write_lines(bundle.transcript, bundle.profile, bundle.seal),
        "verdicts.json": canonical.dump(verdicts_json(report)),
        "report.html": html.render(report).encode(),
    }
    manifest = Manifest(
        suite=report.version,
        created=float(created),
        members=listed(contents),
        profile=digest(contents["profile.toml"]),
        transcript=digest(contents["transcript.jsonl"]),
        entries=len(bundle.transcript),
        contains_secrets=False,
        exit_code=bundle.manifest.exit_code,
        counts=bundle.manifest.counts,
        redacted_from=Origin(bundle.sha256, bundle.manifest.transcript),
    )
    return archive.pack(sign(manifest, contents, key))


def verify_link(copy: RedactedCopy, original: Bundle) -> tuple[Said, ...]:
    """Return what speaks against a redacted copy being made from a bundle; nothing where it is."""
    origin = Origin(original.sha256, original.manifest.transcript)
    if copy.origin != origin:
        return (say("the copy was not made from this bundle: it names SHA-256 {sha256}", sha256=copy.origin.sha256),)
    expected = read_lines(write_lines(original.transcript, original.profile, original.seal))
    # Another version may redact in other words; what ties a line to its entry is the same in all.
    same = copy.manifest.suite == __version__
    keys = None if same else _TIES
    if [_part(line, keys) for line in copy.lines] != [_part(line, keys) for line in expected]:
        return (say("the lines of the copy are not those of the original"),)
    if _verdicts(copy) != _verdicts(original):
        return (say("the verdicts of the copy are not those of the original"),)
    return ()


def _part(line: dict[str, Any], keys: tuple[str, ...] | None) -> dict[str, Any]:
    return line if keys is None else {key: line.get(key) for key in keys}


def _verdicts(held: RedactedCopy | Bundle) -> list[tuple[str, str]]:
    return [(case["id"], case["verdict"]) for case in held.verdicts["cases"]]
