"""The manifest of a bundle and its signature: what every member must be, and who says so."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ..verdicts import Verdict
from . import canonical
from .keys import Key, signed_by

__all__ = ["MANIFEST", "SCHEMA", "SIGNATURE", "Manifest", "ManifestError", "Origin", "Signature", "digest", "sign"]

#: Number of this shape; a bundle of a later one is refused with a word about a newer suite.
SCHEMA: Final = 1

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"

_SHA256 = re.compile(r"[0-9a-f]{64}")
_PUBLIC = re.compile(r"[0-9a-f]{64}")
_SIGNED = re.compile(r"[0-9a-f]{128}")
_ALGORITHM: Final = "ed25519"


class ManifestError(ValueError):
    """A manifest or signature that is none, or is not written as ours are.

    Attributes:
        newer: It is of a later schema than this suite knows.
    """

    newer = False


def digest(data: bytes) -> str:
    """Return the SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


@dataclass(frozen=True, slots=True)
class Origin:
    """What a redacted copy was made from.

    Attributes:
        sha256: SHA-256 of the original bundle, the file.
        transcript: Hash of the last entry of its transcript.
    """

    sha256: str
    transcript: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a bundle holds.

    Attributes:
        suite: Version of the suite that sealed it.
        created: POSIX seconds, as the bench's clock said.
        members: SHA-256 and size of every other member.
        profile: SHA-256 of the profile the run was made with.
        transcript: Hash of the last entry of the transcript.
        entries: How many entries it has.
        contains_secrets: Whether passwords and badge codes are in it.
        exit_code: What the run ended with.
        counts: How many cases have each verdict.
        redacted_from: Of a redacted copy, its original.
    """

    suite: str
    created: float
    members: Mapping[str, tuple[str, int]]
    profile: str
    transcript: str
    entries: int
    contains_secrets: bool
    exit_code: int
    counts: Mapping[str, int]
    redacted_from: Origin | None = None

    def to_bytes(self) -> bytes:
        """Return the manifest as it stands in the bundle and is signed."""
        origin = self.redacted_from
        return canonical.dump(
            {
                "schema": SCHEMA,
                "suite": self.suite,
                "created": self.created,
                "members": {name: {"sha256": sha256, "size": size} for name, (sha256, size) in self.members.items()},
                "profile_sha256": self.profile,
                "transcript": {"sha256": self.transcript, "entries": self.entries},
                "contains_secrets": self.contains_secrets,
                "exit_code": self.exit_code,
                "counts": dict(self.counts),
                "redacted_from": origin and {"sha256": origin.sha256, "transcript_sha256": origin.transcript},
            }
        )

    @classmethod
    def from_bytes(cls, raw: bytes) -> Manifest:
        """Return the manifest that :meth:`to_bytes` wrote.

        Raises:
            ManifestError: If it did not.
        """
        try:
            given = canonical.load(raw)
            if isinstance(given, dict) and type(given.get("schema")) is int and given["schema"] > SCHEMA:
                error = ManifestError("of a later schema")
                error.newer = True
                raise error
            found = cls._of(given)
            if found.to_bytes() == raw:  # so nothing of another type, and nothing besides
                return found
        except ManifestError:
            raise
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ManifestError("no manifest") from error
        raise ManifestError("no manifest")

    @classmethod
    def _of(cls, given: dict[str, Any]) -> Manifest:
        origin = given["redacted_from"]
        manifest = cls(
            suite=_typed(given["suite"], str),
            created=_typed(given["created"], float),
            members={
                name: (_matching(_SHA256, row["sha256"]), _typed(row["size"], int))
                for name, row in given["members"].items()
            },
            profile=_matching(_SHA256, given["profile_sha256"]),
            transcript=_matching(_SHA256, given["transcript"]["sha256"]),
            entries=_typed(given["transcript"]["entries"], int),
            contains_secrets=_typed(given["contains_secrets"], bool),
            exit_code=_typed(given["exit_code"], int),
            counts={str(Verdict(name)): _typed(count, int) for name, count in given["counts"].items()},
            redacted_from=origin
            and Origin(_matching(_SHA256, origin["sha256"]), _matching(_SHA256, origin["transcript_sha256"])),
        )
        return manifest


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signed a manifest.

    Attributes:
        public: The public key, 32 bytes.
        signature: 64 bytes.
    """

    public: bytes
    signature: bytes

    def to_bytes(self) -> bytes:
        """Return the signature as it stands in the bundle."""
        return canonical.dump(
            {"algorithm": _ALGORITHM, "public_key": self.public.hex(), "signature": self.signature.hex()}
        )

    @classmethod
    def from_bytes(cls, raw: bytes) -> Signature:
        """Return the signature that :meth:`to_bytes` wrote.

        Raises:
            ManifestError: If it did not.
        """
        try:
            given = canonical.load(raw)
            public = bytes.fromhex(_matching(_PUBLIC, given["public_key"]))
            found = cls(public, bytes.fromhex(_matching(_SIGNED, given["signature"])))
            if found.to_bytes() == raw:
                return found
        except (ValueError, LookupError, TypeError) as error:
            raise ManifestError("no signature") from error
        raise ManifestError("no signature")

    def fits(self, manifest: bytes) -> bool:
        """Whether the key signed these bytes."""
        return signed_by(self.public, self.signature, manifest)


def sign(manifest: Manifest, contents: Mapping[str, bytes], key: Key) -> dict[str, bytes]:
    """Return the members of a bundle: its contents, the manifest, the signature."""
    raw = manifest.to_bytes()
    return {MANIFEST: raw, SIGNATURE: Signature(key.public, key.sign(raw)).to_bytes(), **contents}


def _typed(value: Any, kind: type) -> Any:
    if type(value) is not kind:
        raise TypeError(kind.__name__)
    return value


def _matching(pattern: re.Pattern[str], value: Any) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(pattern.pattern)
    return value
