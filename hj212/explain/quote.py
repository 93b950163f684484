"""The place of a deviation for people to see: a stretch of the frame and a line of ``^`` below it."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left, bisect_right

from ..deviations import Deviation
from ..framing import Frame
from .names import names
from .note import printable
from .outline import Outline
from .part import wire_size

__all__ = ["point_out"]


def point_out(frame: Frame, deviation: Deviation, columns: int = 100) -> tuple[str, str]:
    """Return the stretch of a frame that a deviation is about and a line of ``^`` to print below it.

    Passwords show as ``***``, control characters and undecodable bytes as escapes; wide characters take two columns.
    """
    cells = _cells(frame)
    starts = [offset for offset, _ in cells]
    widths = [_width(text) for _, text in cells]
    end = deviation.offset + max(deviation.length, 1)
    first = len(cells) if deviation.offset >= len(frame.raw) else bisect_right(starts, deviation.offset) - 1
    left = right = first
    while left > 0 and sum(widths[left - 1 : first]) <= columns // 3:
        left -= 1
    while right < len(cells) and sum(widths[left : right + 1]) <= columns:
        right += 1
    marked = sum(widths[first : min(bisect_left(starts, end), right)]) if deviation.length else 1
    line = "".join(text for _, text in cells[left:right])
    return line, " " * sum(widths[left:first]) + "^" * max(marked, 1)


def _cells(frame: Frame) -> list[tuple[int, str]]:
    """Return the frame as printable pieces with their offsets; each password is one piece."""
    raw = frame.raw
    hidden = {start: end for start, end in _unshown_spans(frame) if end > start}
    cells = []
    at = 0
    while at < len(raw):
        if at in hidden:
            cells.append((at, "***"))
            at = hidden[at]
            continue
        size = 1 if raw[at] < 0xC2 else 2 if raw[at] < 0xE0 else 3 if raw[at] < 0xF0 else 4
        text = raw[at : at + size].decode("utf-8", "surrogateescape")
        if len(text) != 1:
            size, text = 1, raw[at : at + 1].decode("utf-8", "surrogateescape")
        cells.append((at, printable(text)))
        at += size
    return cells


def _unshown_spans(frame: Frame) -> list[tuple[int, int]]:
    """Return what must not be shown: passwords, and values of header fields whose names are damaged."""
    outline = Outline.of(frame)
    spans = list(outline.secrets)
    known = {*names("header"), "CP"}
    for part in outline.header_parts():
        name, equals, _ = part.text.partition("=")
        if equals and name.strip() not in known:
            spans.append((part.offset + wire_size(name) + 1, part.offset + part.size))
    return sorted(spans)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)
