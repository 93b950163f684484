"""A copy of a bundle that can be shown to anybody: the record in redacted words, each line tied to its original.

An entry's hash covers a password of six digits and otherwise things that the copy shows, so whoever has the hash
could find the password by trying them all. A line therefore carries the hash under a key that only the original
holds, its signature, and times are given to the millisecond, which leaves too much unknown to try the chain itself.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from stationgate.redaction import MASK

from ..profile import Profile
from ..report.shown import Redactor
from ..transcript import Entry, Transcript
from ..verdicts import Ref
from . import canonical
from .manifest import Manifest, Origin

__all__ = ["RedactedCopy", "link", "nameless", "read_lines", "write_lines"]

#: People who are named in a profile.
_PEOPLE: Final = ("tester", "reviewer")
#: Shortest name that is looked for in other texts; a name of one character stands in too many words.
_MIN_NAME_CHARS: Final = 2
_SECRET_KEY = re.compile(r"pw|password|newpw", re.IGNORECASE)
_LINK = re.compile(r"[0-9a-f]{64}")
_PURPOSE: Final = b"stationgate: lines of a redacted copy\n"


@dataclass(frozen=True, slots=True)
class RedactedCopy:
    """What an intact redacted copy holds.

    Attributes:
        manifest: What was signed.
        fingerprint: Of the key that signed it.
        origin: What it was made from.
        lines: The record, entry by entry: ``text`` and ``size`` in place of bytes.
        verdicts: ``verdicts.json``.
    """

    manifest: Manifest
    fingerprint: str
    origin: Origin
    lines: tuple[dict[str, Any], ...] = field(repr=False)
    verdicts: dict[str, Any] = field(repr=False)


def nameless(profile: Profile) -> Profile:
    """Return a profile without its password and the names of people; what was missing is still missing."""
    test = {key: MASK if key in _PEOPLE and value else value for key, value in profile.test.items()}
    device = {key: MASK if _SECRET_KEY.fullmatch(key) and value else value for key, value in profile.device.items()}
    return replace(profile, test=test, device=device)


def link(entry: Entry, seal: bytes) -> str:
    """Return what ties a line to its entry; only who has the original can make or check it.

    Args:
        seal: The signature of the original.
    """
    key = hashlib.sha256(_PURPOSE + seal).digest()
    return hmac.new(key, entry.hash.encode("ascii"), hashlib.sha256).hexdigest()


def write_lines(transcript: Transcript, profile: Profile, seal: bytes) -> bytes:
    """Return the record of a redacted copy.

    Args:
        transcript: The original.
        profile: The original.
        seal: The signature of the original.
    """
    shown = _Shown(transcript, profile)
    return b"".join(canonical.dump({**shown.entry(entry), "original": link(entry, seal)}) + b"\n"
                    for entry in transcript)  # fmt: skip


def read_lines(data: bytes) -> tuple[dict[str, Any], ...]:
    """Return the lines that :func:`write_lines` wrote.

    Raises:
        ValueError, LookupError, TypeError: If it did not.
    """
    lines = tuple(_read(data))
    if [line["seq"] for line in lines] != list(range(len(lines))):
        raise ValueError("out of order")
    return lines


def _read(data: bytes) -> Iterator[dict[str, Any]]:
    if data and not data.endswith(b"\n"):
        raise ValueError("torn")
    for raw in data.split(b"\n")[:-1]:
        line = canonical.load(raw)
        if not _LINK.fullmatch(line["original"]) or type(line["seq"]) is not int:
            raise ValueError("no line of a copy")
        for name in ("kind", "direction", "text"):
            if not isinstance(line.get(name, ""), str):
                raise ValueError(f"{name} is no text")
        if type(line["t_wall"]) is not float or "bytes" in line:
            raise ValueError("no line of a copy")
        yield line


class _Shown:
    """Shows entries of one transcript without what is secret in them."""

    def __init__(self, transcript: Transcript, profile: Profile) -> None:
        self._redactor = Redactor(transcript, profile, outward=True)
        self._names = [name for key in _PEOPLE if len(name := profile.test.get(key, "")) >= _MIN_NAME_CHARS]

    def entry(self, entry: Entry) -> dict[str, Any]:
        shown = {key: value for key, value in entry.to_json().items() if key not in ("bytes", "attachment", "hash")}
        shown |= {
            "t_mono": round(entry.t_mono, 3),
            "t_wall": round(entry.t_wall, 3),
            "device": self._text(entry.device),
        }
        if entry.data:
            spans = self._redactor.spans((Ref(entry.seq),))
            shown |= {"size": len(entry.data), "text": "".join(span.text for span in spans)}
        if entry.attachment:
            shown["attachment"] = self._attachment(entry)
        return shown

    def _attachment(self, entry: Entry) -> dict[str, Any]:
        shown: dict[str, Any] = self._value(entry.attachment)
        if entry.kind == "run" and isinstance(text := entry.attachment.get("profile"), str):
            shown["profile"] = nameless(Profile.from_toml(text)).to_toml()
            shown["epoch"] = round(float(entry.attachment.get("epoch", 0.0)), 3)
        if entry.kind == "setting" and "pw" in str(entry.attachment.get("name", "")).lower():
            shown["value"] = MASK
        return shown

    def _value(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: MASK if _SECRET_KEY.fullmatch(key) else self._value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._value(item) for item in value]
        return self._text(value) if isinstance(value, str) else value

    def _text(self, text: str) -> str:
        for name in self._names:
            text = text.replace(name, MASK)
        return self._redactor.text(text)
