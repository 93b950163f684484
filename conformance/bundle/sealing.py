"""Sealing: a run's record, its verdicts and its report become one signed file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stationgate import __version__
from stationgate.exits import UsageFault, reason
from stationgate.filename import safe_name
from stationgate.language import _

from ..plan import Plan
from ..profile import Profile
from ..report import html, jsonlines
from ..report.facts import Report
from ..transcript import Transcript
from ..verdicts import CaseResult
from . import archive, canonical, capture
from .keys import Key
from .manifest import Manifest, digest, sign

__all__ = [
    "MAX_ATTACHMENTS",
    "MAX_ATTACHMENTS_BYTES",
    "SCHEMA",
    "Sealed",
    "check_attachments",
    "plan_json",
    "seal",
    "sealed",
    "verdicts_json",
    "write_file",
]

#: Number of the shape of plan.json and verdicts.json.
SCHEMA: Final = 1
#: Files a user may add: a capture of a switch, photographs, the maker's log.
MAX_ATTACHMENTS: Final = 64
#: Bytes of all of them together.
MAX_ATTACHMENTS_BYTES: Final = 100 << 20


@dataclass(frozen=True, slots=True)
class Sealed:
    """A bundle that was written.

    Attributes:
        path: Where it stands.
        sha256: Of the whole file.
        fingerprint: Of the key that signed it.
    """

    path: Path
    sha256: str
    fingerprint: str


def check_attachments(paths: Sequence[Path]) -> dict[str, Path]:
    """Return each file that is to be attached, by the name it gets in the bundle.

    Raises:
        UsageFault: If one cannot be read, two get the same name, or they are too many or too large.
    """
    if len(paths) > MAX_ATTACHMENTS:
        raise UsageFault(_("--attach: {count} files, at most {limit} fit").format(
            count=len(paths), limit=MAX_ATTACHMENTS))  # fmt: skip
    found: dict[str, Path] = {}
    size = 0
    for path in paths:
        name = safe_name(path.name)
        # Some file systems take two names that differ in case for one.
        if name.casefold() in map(str.casefold, found):
            raise UsageFault(_("--attach: two files are called {name}").format(name=name), _("rename one of them"))
        try:
            with path.open("rb") as file:
                size += os.fstat(file.fileno()).st_size
        except OSError as error:
            raise UsageFault(_("--attach {file}: {why}").format(file=path, why=reason(error))) from error
        found[name] = path
    if size > MAX_ATTACHMENTS_BYTES:
        raise UsageFault(
            _("--attach: the files have {size} bytes, at most {limit} fit").format(
                size=size, limit=MAX_ATTACHMENTS_BYTES
            ),
            _("keep large recordings beside the bundle, and a file with their SHA-256 in it"),
        )
    return found


def seal(
    target: Path,
    *,
    transcript: Transcript,
    profile: Profile,
    plan: Plan,
    results: Sequence[CaseResult],
    report: Report,
    key: Key,
    attachments: Sequence[Path] = (),
    created: float,
) -> Sealed:
    """Write a run as a bundle, complete or not at all.

    Args:
        target: The file; one that is there is replaced.
        transcript: Its record.
        profile: What was declared.
        plan: What was to be judged.
        results: The verdicts.
        report: The report of these verdicts.
        key: Signs it.
        attachments: Files to add.
        created: POSIX seconds, as the bench's clock says.

    Raises:
        OSError: If it cannot be written.
        UsageFault: If a file cannot be attached.
    """
    if {(r.case, r.verdict) for r in results} != {(case.id, case.verdict) for case in report.cases}:
        raise ValueError("the report is not of these verdicts")
    contents = {
        "profile.toml": profile.to_toml().encode(),
        "plan.json": canonical.dump(plan_json(plan)),
        "transcript.jsonl": transcript.to_lines(),
        "verdicts.json": canonical.dump(verdicts_json(report)),
        "capture.pcapng": capture.render(transcript, version=__version__),
        "report.html": html.render(report).encode(),
    }
    for name, path in check_attachments(attachments).items():
        contents[archive.ATTACHMENTS + name] = path.read_bytes()
    data = sealed(contents, report, key, created)
    write_file(target, data)
    return Sealed(target, digest(data), key.fingerprint)


def sealed(contents: Mapping[str, bytes], report: Report, key: Key, created: float) -> bytes:
    """Return the archive of a full bundle with these contents."""
    manifest = Manifest(
        suite=report.version,
        created=float(created),
        members=listed(contents),
        profile=digest(contents["profile.toml"]),
        transcript=report.digest,
        entries=report.entry_count,
        contains_secrets=True,  # the bytes are in it; nobody can tell which of them matter
        exit_code=int(report.exit_code),
        counts={verdict.value: count for verdict, count in report.counts.items()},
    )
    return archive.pack(sign(manifest, contents, key))


def listed(contents: Mapping[str, bytes]) -> dict[str, tuple[str, int]]:
    """Return what a manifest says of its members."""
    return {name: (digest(data), len(data)) for name, data in contents.items()}


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return a plan as JSON values: the words that made it, and what they came to."""
    return {
        "schema": SCHEMA,
        "select": list(plan.select),
        "exclude": list(plan.exclude),
        "mode": plan.mode.to_json(),
        "cases": [case.id for case in plan.cases],
        "steps": list(plan.steps),
        "left_out": {id: str(why) for id, why in plan.left_out.items()},
    }


def verdicts_json(report: Report) -> dict[str, Any]:
    """Return the verdicts as JSON values: the events of ``--json``, and what the same report needs to be made again."""
    first, *cases, last = jsonlines.events(report)
    return {
        "schema": SCHEMA,
        "suite": report.version,
        "language": report.lang,
        "started": float(report.started),
        "ended": float(report.ended),
        "run": first,
        "cases": cases,
        "end": last,
    }


def write_file(target: Path, data: bytes) -> None:
    """Write a file so that its name always stands for all of it, also after a power cut.

    Raises:
        OSError: If it cannot be written; what was there stays.
    """
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:32]}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    """Make a new name in a folder last; Windows does so by itself and cannot open one."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
