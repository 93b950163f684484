"""Signs that have no place in a ``key=value``: blanks, and full-width punctuation where a separator should be."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..deviations import Deviation
from .note import note
from .part import Part, wire_size

__all__ = ["examine_blanks", "full_width_sign", "note_full_width"]

_FULL_WIDTH = {"；": ";", "，": ",", "＝": "=", "＆": "&"}
_FULL_WIDTH_SIGN = re.compile("[；，＝＆]")
_FULL_WIDTH_BEFORE_KEY = re.compile("[；，](?=[0-9A-Za-z]+(?:-[0-9A-Za-z]+)?[=＝])")


def examine_blanks(part: Part) -> Iterator[Deviation]:
    """Yield the first blanks around the key or the value."""
    key, equals, value = part.text.partition("=")
    at = part.offset
    for text in (key, value):
        if text != text.strip():
            tidy = key.strip() + equals + value.strip()
            leading = wire_size(text) - wire_size(text.lstrip())
            trailing = wire_size(text) - wire_size(text.rstrip())
            place = at if leading else at + wire_size(text) - trailing
            yield note("blank", place, leading or trailing, part.text, tidy)
            return
        at += wire_size(text) + 1


def full_width_sign(part: Part) -> Part | None:
    """Return the first full-width sign that stands for a separator."""
    key, equals, value = part.text.partition("=")
    if match := _FULL_WIDTH_SIGN.search(key):
        return Part(match[0], part.offset + wire_size(key[: match.start()]))
    # A value is free text, Chinese punctuation included; but what goes on like a key is another pair.
    if equals and "//" not in value and (match := _FULL_WIDTH_BEFORE_KEY.search(value)):
        return Part(match[0], part.offset + wire_size(key) + 1 + wire_size(value[: match.start()]))
    return None


def note_full_width(sign: Part) -> Deviation:
    """Return the deviation that a full-width sign is."""
    return note("separator-full-width", sign.offset, sign.size, sign.text, _FULL_WIDTH[sign.text])
