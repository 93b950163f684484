"""Where the parts of a frame really start and end, whatever its length field says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from ..framing import Frame
from ..segment import Segment, parse_segment, password_spans
from .part import Part, in_a_row, wire_size

__all__ = ["Outline"]

# Text between `##` and the first field: the length field, whatever became of it.
_LENGTH_FIELD = re.compile(rb"##([^=;]{0,8}?)(?=(?:QN|ST|CN|PW|MN|Flag|CP) ?=)")
_COMPLETE = re.compile(rb"(?<!CP=)&&[0-9A-Fa-f]{0,4}\Z")


@dataclass(frozen=True)
class Outline:
    """The parts of one frame.

    Attributes:
        frame: The frame.
        length_field: What stands between ``##`` and the segment.
        start: Where the segment starts, in bytes from the first ``#``.
        end: Where it ends and the check value starts.
        cut: Whether the frame breaks off before its segment is over.
    """

    frame: Frame
    length_field: bytes
    start: int
    end: int
    cut: bool

    @classmethod
    def of(cls, frame: Frame) -> Outline:
        """Make out the parts of any frame, intact or damaged."""
        length_field, start = _find_start(frame)
        tail_at = len(frame.raw) - len(frame.tail)
        end = tail_at - len(frame.crc_text)
        cut = (
            frame.declared is not None
            and len(length_field) == 4
            and frame.declared > end - start
            and not frame.crc_ok
            and not _COMPLETE.search(frame.raw, start, tail_at)
        )
        return cls(frame, length_field, start, tail_at if cut else end, cut)

    @property
    def tail_at(self) -> int:
        """Where the tail starts."""
        return len(self.frame.raw) - len(self.frame.tail)

    @cached_property
    def segment(self) -> bytes:
        """The data segment."""
        return self.frame.raw[self.start : self.end]

    @cached_property
    def parsed(self) -> Segment:
        """The data segment taken apart."""
        return parse_segment(self.segment)

    @cached_property
    def header_end(self) -> int:
        """Where the header fields end."""
        return self.start + wire_size(";".join("=".join(pair) for pair in self.parsed.header))

    @cached_property
    def secrets(self) -> list[tuple[int, int]]:
        """Where passwords stand."""
        return password_spans(self.frame.raw)

    def header_parts(self) -> Iterator[Part]:
        """Yield what ``;`` separates before the data area."""
        return in_a_row(self.parsed.header, self.start)

    def quote(self, start: int, end: int, encoding: str = "utf-8") -> str:
        """Return bytes of the frame as text, unless they belong to a password."""
        if any(start < secret_end and secret_start < end for secret_start, secret_end in self.secrets):
            return "***"
        return self.frame.raw[start:end].decode(encoding, "backslashreplace")


def _find_start(frame: Frame) -> tuple[bytes, int]:
    """Return the length field as sent and where the segment starts: at its first field, if one can be made out."""
    match = _LENGTH_FIELD.match(frame.raw)
    if match and match.end() <= len(frame.raw) - len(frame.tail) - len(frame.crc_text):
        length = match.group(1)
        if len(length) <= 4 or length[4:].strip():
            return length, match.end()
    start = frame.segment_offset
    return frame.raw[2:start], start
