"""The segment as a whole: is it UTF-8 text, is it short enough (HJ 212-2017 6.3.1, 6.3.2)."""

from __future__ import annotations

from collections.abc import Iterator

from ..deviations import Deviation
from ..editions import Rules
from .note import note
from .outline import Outline

__all__ = ["examine_sizes", "examine_text"]


def examine_text(outline: Outline) -> Iterator[Deviation]:
    """Yield where the segment stops being UTF-8, and whether it is GBK instead."""
    try:
        outline.segment.decode()
    except UnicodeDecodeError as error:
        start, end = _foreign_run(outline.segment, error.start)
    else:
        return
    at, size = outline.start + start, end - start
    try:
        outline.segment.decode("gbk")
    except UnicodeDecodeError:
        hidden = outline.quote(at, at + size) == "***"
        shown = "***" if hidden else outline.frame.raw[at : at + size].hex(" ").upper()
        yield note("text-not-utf8", at, size, shown)
    else:
        yield note("text-gbk", at, size, outline.quote(at, at + size, "gbk"))


def examine_sizes(outline: Outline, rules: Rules) -> Iterator[Deviation]:
    """Yield whether the segment or its CP field is longer than the edition allows."""
    size = len(outline.segment)
    if size > rules.max_segment_bytes:
        limit = rules.max_segment_bytes
        yield note("segment-too-long", outline.start + limit, size - limit, str(size), str(limit))
    at = outline.segment.find(b"CP=")
    limit = rules.max_parameters_bytes
    if at >= 0 and size - at > limit:
        yield note("parameters-too-long", outline.start + at + limit, size - at - limit, str(size - at), str(limit))


def _foreign_run(data: bytes, at: int) -> tuple[int, int]:
    """Return the stretch of text around a byte that is no UTF-8: between the ASCII signs that cannot be part of it."""
    start = at
    while start and data[start - 1] >= 0x80:
        start -= 1  # the first wrong byte may lie inside a character
    end = at
    while end < len(data) and data[end] not in b";,&=/\r\n":
        end += 1
    return start, max(end, at + 1)
