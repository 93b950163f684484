"""Opening a bundle: whether every bit of it is as it was sealed, and what it holds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from stationgate.exits import DataFault, ExitCode, UsageFault, reason
from stationgate.language import _

from ..plan import Mode
from ..profile import Profile
from ..transcript import MAX_ENTRIES, Transcript, TranscriptError
from ..verdicts import Said, listed, say
from . import archive, canonical
from .keys import fingerprint
from .manifest import MANIFEST, SIGNATURE, Manifest, ManifestError, Signature, digest
from .redacted import RedactedCopy, read_lines

__all__ = ["Bundle", "Verification", "open_bundle", "read_bundle", "verify"]

#: What stands beside a bundle that a run did not live to seal.
_JOURNAL_SUFFIX: Final = ".journal"
#: Entries that carry no bytes still fit a full transcript; nobody writes as many of them again.
_MAX_LINES: Final = 2 * MAX_ENTRIES

_FULL: Final = frozenset(archive.ORDER) - {MANIFEST, SIGNATURE}
_REDACTED: Final = _FULL - {"capture.pcapng"}

#: What decoding data of a stranger may raise; a damaged file is told as one, never as a fault of ours.
MALFORMED: Final = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError, UsageFault)

_BROKEN_LINE: Final[dict[str, Callable[..., Said]]] = {
    "json": lambda line: say("transcript.jsonl, line {line}: it is no JSON", line=line),
    "shape": lambda line: say("transcript.jsonl, line {line}: it is no entry as they are written", line=line),
    "order": lambda line: say("transcript.jsonl, line {line}: an entry is missing, added or out of order", line=line),
    "hash": lambda line: say("transcript.jsonl, line {line}: the hash chain breaks here", line=line),
}


class _Broken(Exception):
    """Evidence is broken; there may be several sentences about it."""

    def __init__(self, *faults: Said) -> None:
        super().__init__(*faults)
        self.faults = faults


@dataclass(frozen=True, slots=True)
class Bundle:
    """What an intact bundle holds.

    Attributes:
        manifest: What was signed.
        fingerprint: Of the key that signed it.
        sha256: Of the whole file.
        seal: The signature, which only who has the bundle knows.
        transcript: The record.
        profile: What was declared.
        select: Words that chose the cases.
        exclude: Words that left some out.
        mode: How far the run might go.
        verdicts: ``verdicts.json``.
        members: Every member, by name.
    """

    manifest: Manifest
    fingerprint: str
    sha256: str
    seal: bytes = field(repr=False)
    transcript: Transcript = field(repr=False)
    profile: Profile = field(repr=False)
    select: tuple[str, ...]
    exclude: tuple[str, ...]
    mode: Mode
    verdicts: dict[str, Any] = field(repr=False)
    members: Mapping[str, bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Verification:
    """What came of checking a bundle.

    Attributes:
        faults: What is wrong with it, and where; empty when it is intact.
        fingerprint: Of the key that signed it; empty where no signature fits.
        signer_trusted: Whether that is the key the user trusts; ``None`` where none was named.
        bundle: What it holds, where it is an intact full bundle.
        copy: The same of a redacted copy.
    """

    faults: tuple[Said, ...]
    fingerprint: str = ""
    signer_trusted: bool | None = None
    bundle: Bundle | None = None
    copy: RedactedCopy | None = None

    @property
    def intact(self) -> bool:
        """Whether every bit is as it was sealed."""
        return not self.faults

    @property
    def manifest(self) -> Manifest | None:
        """The manifest of an intact bundle."""
        held = self.bundle or self.copy
        return held.manifest if held else None

    @property
    def exit_code(self) -> ExitCode:
        """What a command that only verifies ends with."""
        return ExitCode.OK if self.intact and self.signer_trusted is not False else ExitCode.FAIL


def read_bundle(path: Path) -> bytes:
    """Return the bytes of a bundle; of a file that is larger than any, enough to see that.

    Raises:
        UsageFault: If there is no such file, or it cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(archive.MAX_ARCHIVE_BYTES + 1)
    except OSError as error:
        hint = _("check the path")
        if path.with_name(path.name + _JOURNAL_SUFFIX).exists():
            hint = _("its run was not sealed: go on with it by: conformance resume {file}").format(file=path)
        raise UsageFault(_("cannot read {file}: {why}").format(file=path, why=reason(error)), hint) from error


def open_bundle(path: Path) -> Bundle:
    """Return what a full bundle holds, once it is known to be intact; who signed it is not judged.

    Raises:
        UsageFault: If there is no such file, or it is a redacted copy.
        DataFault: If it is not intact.
    """
    found = verify(read_bundle(path))
    if found.copy:
        raise UsageFault(
            _("{file} is a redacted copy: the bytes that verdicts rest on are not in it").format(file=path),
            _("take its original, SHA-256 {sha256}").format(sha256=found.copy.origin.sha256),
        )
    if found.bundle is None:
        raise DataFault(
            _("{file} is not intact: {why}").format(file=path, why=listed(found.faults)),
            _("ask for another copy of the file"),
        )
    return found.bundle


def verify(data: bytes, trusted: str | None = None) -> Verification:
    """Check every bit of a bundle.

    Args:
        data: The file.
        trusted: Fingerprint of the key that should have signed it.
    """
    signer = ""
    try:
        members = archive.unpack(data)
        manifest, signature = _manifest(members)
        signer = fingerprint(signature.public)
        _check_members(members, manifest)
        if manifest.redacted_from:
            held = None
            copy = _redacted_copy(members, manifest, signer)
        else:
            copy = None
            held = _bundle(members, manifest, signer, digest(data), signature.signature)
    except archive.ArchiveError as error:
        return Verification((error.said,))
    except _Broken as error:
        return Verification(error.faults, signer, _is(signer, trusted))
    return Verification((), signer, _is(signer, trusted), held, copy)


def _is(signer: str, trusted: str | None) -> bool | None:
    return None if trusted is None else bool(signer) and signer == trusted


def _manifest(members: Mapping[str, bytes]) -> tuple[Manifest, Signature]:
    for name in (MANIFEST, SIGNATURE):
        if name not in members:
            raise _Broken(say("{name} is missing", name=name))
    try:
        signature = Signature.from_bytes(members[SIGNATURE])
    except ManifestError as error:
        raise _Broken(say("{name} is not written as a bundle's is: it was changed", name=SIGNATURE)) from error
    if not signature.fits(members[MANIFEST]):
        raise _Broken(say("the signature does not fit the manifest: one of them was changed"))
    try:
        return Manifest.from_bytes(members[MANIFEST]), signature
    except ManifestError as error:
        if error.newer:
            raise _Broken(say("a later version of the suite sealed this: verify it with that one")) from error
        raise _Broken(say("{name} is not written as a bundle's is: it was changed", name=MANIFEST)) from error


def _check_members(members: Mapping[str, bytes], manifest: Manifest) -> None:
    present = members.keys() - {MANIFEST, SIGNATURE}
    required = _REDACTED if manifest.redacted_from else _FULL
    attached = {name for name in present if name.startswith(archive.ATTACHMENTS) and not manifest.redacted_from}
    faults = [say("{name} is missing", name=name) for name in sorted((manifest.members.keys() | required) - present)]
    extra = (present - manifest.members.keys()) | (present - required - attached)
    faults += [say("{name} does not belong to the bundle", name=name) for name in sorted(extra)]
    for name in sorted(present & manifest.members.keys()):
        if (digest(members[name]), len(members[name])) != manifest.members[name]:
            faults.append(say("{name} was changed: its SHA-256 is not what the manifest says", name=name))
    if manifest.contains_secrets is bool(manifest.redacted_from):
        faults.append(say("the manifest contradicts itself about secrets"))
    if faults:
        raise _Broken(*faults)


def _bundle(members: Mapping[str, bytes], manifest: Manifest, signer: str, sha256: str, seal: bytes) -> Bundle:
    transcript = _transcript(members["transcript.jsonl"])
    if (transcript.digest, len(transcript)) != (manifest.transcript, manifest.entries):
        raise _Broken(say("transcript.jsonl is not the transcript that the manifest names"))
    profile = _profile(members["profile.toml"], manifest)
    plan = _plan(members["plan.json"])
    faults = list(_contradictions(transcript, members["profile.toml"], plan))
    verdicts = _verdicts(members["verdicts.json"], manifest)
    if faults:
        raise _Broken(*faults)
    select, exclude, mode = plan
    return Bundle(manifest, signer, sha256, seal, transcript, profile, select, exclude, mode, verdicts, members)


def _transcript(data: bytes) -> Transcript:
    if data.count(b"\n") > _MAX_LINES:
        raise _Broken(say("transcript.jsonl has more than {count} lines", count=_MAX_LINES))
    try:
        transcript = Transcript.from_lines(data.splitlines(keepends=True))
        if transcript.to_lines() == data:
            return transcript
    except TranscriptError as error:
        raise _Broken(_BROKEN_LINE[error.why](error.line)) from error
    except MALFORMED as error:
        raise _Broken(say("transcript.jsonl holds what no run writes")) from error
    raise _Broken(say("transcript.jsonl does not end as a record does"))


def _profile(data: bytes, manifest: Manifest) -> Profile:
    if digest(data) != manifest.profile:
        raise _Broken(say("profile.toml is not the profile that the manifest names"))
    try:
        return Profile.from_toml(data.decode())
    except MALFORMED as error:
        raise _Broken(say("profile.toml is no profile that this suite knows")) from error


def _plan(data: bytes) -> tuple[tuple[str, ...], tuple[str, ...], Mode]:
    try:
        given = canonical.load(data)
        mode = Mode(**given["mode"])
        if [type(value) for value in (mode.passive, mode.forward, mode.shorten_s)] == [bool, str, int]:
            return _words(given["select"]), _words(given["exclude"]), mode
    except MALFORMED as error:
        raise _Broken(say("{name} is not written as a bundle's is", name="plan.json")) from error
    raise _Broken(say("{name} is not written as a bundle's is", name="plan.json"))


def _words(given: Any) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(word, str) for word in given):
        raise ValueError("no list of words")
    return tuple(given)


def _contradictions(
    transcript: Transcript, profile: bytes, plan: tuple[tuple[str, ...], tuple[str, ...], Mode]
) -> Iterator[Said]:
    """Compare with what the record itself says it was run with; one that says nothing contradicts nothing."""
    run = transcript.run
    if not run:
        return
    if run.get("profile") != profile.decode():
        yield say("profile.toml is not the profile that the run was made with")
    select, exclude, mode = plan
    if (run.get("select"), run.get("exclude"), run.get("mode")) != (list(select), list(exclude), mode.to_json()):
        yield say("plan.json is not the plan that the run was made with")


def _verdicts(data: bytes, manifest: Manifest) -> dict[str, Any]:
    try:
        given: dict[str, Any] = canonical.load(data)
        counts = dict.fromkeys(given["end"]["counts"], 0)
        for case in given["cases"]:
            counts[case["verdict"]] += 1
            if not isinstance(case["id"], str):
                raise ValueError("a case without a name")
        end = given["end"]
        transcript = manifest.redacted_from.transcript if manifest.redacted_from else manifest.transcript
        said = (counts, end["counts"], end["exit_code"], end["transcript_sha256"])
        if said != (manifest.counts, manifest.counts, manifest.exit_code, transcript):
            raise _Broken(say("verdicts.json does not agree with the manifest"))
        if given["language"] not in ("zh", "en") or {type(given["started"]), type(given["ended"])} != {float}:
            raise ValueError("no language or time")
    except MALFORMED as error:
        raise _Broken(say("{name} is not written as a bundle's is", name="verdicts.json")) from error
    return given


def _redacted_copy(members: Mapping[str, bytes], manifest: Manifest, signer: str) -> RedactedCopy:
    _profile(members["profile.toml"], manifest)
    _plan(members["plan.json"])
    verdicts = _verdicts(members["verdicts.json"], manifest)
    try:
        lines = read_lines(members["transcript.jsonl"])
        if len(lines) != manifest.entries:
            raise ValueError("lines are missing")
    except MALFORMED as error:
        raise _Broken(say("{name} is not written as a bundle's is", name="transcript.jsonl")) from error
    assert manifest.redacted_from
    return RedactedCopy(manifest, signer, manifest.redacted_from, lines, verdicts)
