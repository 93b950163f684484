"""The header taken apart at its separators, also where they are lost, wrong or too many (HJ 212-2017 6.3.2)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..deviations import Deviation
from .names import is_cp
from .note import note
from .outline import Outline
from .part import Part, wire_size

__all__ = ["split_header"]

# A header field inside the value of another: its separator is lost or wrong.
_LOST_FIELD = re.compile(r"(?<![\s,])(?P<sign>[\s,]*)(?P<name>QN|ST|CN|PW|MN|Flag|PNUM|PNO|RF)\s*=")


def split_header(outline: Outline) -> Iterator[Part | Deviation]:
    """Yield the header fields, and what is wrong between them; not the half field at the end of a frame cut off."""
    opening = outline.parsed.opening
    parts = list(outline.header_parts())
    if outline.cut and not opening:
        parts = parts[:-1]
    for n, part in enumerate(parts):
        if part.text.strip():
            if not opening and is_cp(part):
                return  # what follows is the data area
            yield from _split_field(part)
        elif n < len(parts) - 1 or not part.text:
            yield note("separator-extra", max(part.offset - 1, outline.start), 1, ";")


def _split_field(part: Part) -> Iterator[Part | Deviation]:
    text, at = part.text, part.offset
    stray = len(text) - len(text.lstrip(", "))
    if "," in text[:stray]:
        yield note("separator-extra", at, stray, text[:stray].strip())
        text, at = text[stray:], at + stray
    while match := _LOST_FIELD.search(text, text.find("=") + 1 or len(text)):
        sign, name_at = match["sign"], at + wire_size(text[: match.start("name")])
        if sign.strip():
            yield note("separator-wrong", name_at - wire_size(sign), wire_size(sign), sign.strip(), ";")
        else:
            yield note("separator-missing", name_at, 0, match["name"], ";")
        yield Part(text[: match.start()], at)
        text, at = text[match.start("name") :], name_at
    yield Part(text, at)
