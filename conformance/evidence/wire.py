"""Bytes of the transcript as frames and strays, each with its arrival and its place.

Bytes are the truth: the same :class:`LinkReader` serves the live bench and every later judgement.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Final

from hj212 import Frame, Framer, Message, Noise
from hj212.codes import Reply
from hj212.framing import MAX_FRAME_BYTES
from hj212.times import parse_time

from ..transcript import Transcript
from ..verdicts import Ref

__all__ = ["OPENING_PARTS", "STATES", "Heard", "LinkReader", "Stray", "parse_open_time", "posix", "read_wire"]

#: The three states of table 2-1.
STATES: Final = ("i32001", "i32002", "i32003")
#: The three parts of an opening.
OPENING_PARTS: Final = ("i32004", "i32005", "i32006")

#: What stands around a data segment: ``##`` and four digits before it, the check value after it.
HEAD_BYTES: Final = 6
CRC_BYTES: Final = 4

#: Heartbeats: 9021 of common practice, 9015 of HJ 212-2025. They keep a link open and are not under test.
HEARTBEATS: Final = frozenset({"9015", "9021"})

_REPLIES = frozenset(str(int(reply)) for reply in Reply)
_CODE = re.compile(r"(i[0-9A-Za-z]{5})-(info|rtd)\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Stray:
    """Bytes of a link that belong to no frame; how the line split them decides how many there are."""

    link: int
    t: float
    raw: bytes = field(repr=False)
    refs: tuple[Ref, ...]


class Heard:
    """One frame that arrived.

    Attributes:
        link: Number of the connection.
        t: Arrival of its last byte, on the suite's monotonic clock.
        frame: The frame as read, intact or damaged.
        message: Its data segment, as far as it can be read.
        refs: Where its bytes stand in the transcript.
        truncated: The link ended or fell silent inside it: what is missing may be the line's fault.
    """

    __slots__ = ("_codes", "_data_time", "frame", "link", "message", "refs", "t", "truncated")

    def __init__(self, link: int, t: float, frame: Frame, refs: tuple[Ref, ...], truncated: bool) -> None:
        self.link = link
        self.t = t
        self.frame = frame
        self.message = Message.from_bytes(frame.segment)
        self.refs = refs
        self.truncated = truncated
        self._codes: dict[str, str] | None = None
        self._data_time: tuple[float | None] | None = None  # in a tuple once it was read

    def __repr__(self) -> str:
        return f"<Heard CN={self.message.cn} at {self.t:.3f}>"

    @property
    def seq(self) -> int:
        """Number of the transcript entry that completed it: what came first, where the clock cannot tell."""
        return self.refs[-1].seq

    @property
    def understood(self) -> bool:
        """Whether it says who speaks and what: enough to answer it, whatever else is wrong."""
        return bool(self.message.mn and self.message.cn and self.message.qn)

    @property
    def is_reply(self) -> bool:
        """Whether it answers something of ours (9011 to 9014)."""
        return self.message.cn in _REPLIES

    @property
    def is_heartbeat(self) -> bool:
        """Whether it only keeps the link open."""
        return self.message.cn in HEARTBEATS

    @property
    def codes(self) -> dict[str, str]:
        """The i-codes it carries, in either wire form: ``{"i32001": "1"}``; the first value of each."""
        if self._codes is None:
            self._codes = {}
            for key, value in self.message.parameters():
                match = _CODE.match(key)
                if match:
                    self._codes.setdefault(match.group(1), value)
        return self._codes

    def told(self, code: str) -> list[tuple[str, str]]:
        """Return every key and value it carries for a code, in wire order: a key may stand twice."""
        return [(key, value) for key, value in self.message.parameters() if _code_of(key) == code]

    @property
    def data_time_text(self) -> str:
        """DataTime as sent, in whatever letter case its name is; empty when absent."""
        return next((value for key, value in self.message.parameters() if key.lower() == "datatime"), "")

    @property
    def data_time(self) -> float | None:
        """DataTime in POSIX seconds, read tolerantly; ``None`` where it is no time."""
        if self._data_time is None:
            self._data_time = (posix(self.data_time_text[:14]),)
        return self._data_time[0]

    def where(self, text: bytes | str = b"") -> tuple[Ref, ...]:
        """Return the entries of this frame, narrowed to the first place where ``text`` stands."""
        wanted = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        at = self.frame.raw.find(wanted) if wanted else -1
        return self.span(at, at + len(wanted)) if at >= 0 else self.refs

    def span(self, start: int, end: int) -> tuple[Ref, ...]:
        """Return where the frame's bytes ``start`` to ``end`` stand in the transcript."""
        found = []
        at = 0
        for ref in self.refs:
            assert ref.end is not None
            size = ref.end - ref.start
            low, high = max(start, at), min(end, at + size)
            if low < high:
                found.append(Ref(ref.seq, ref.start + low - at, ref.start + high - at))
            at += size
        return tuple(found)


class LinkReader:
    """Turns one connection's bytes into frames and strays, each with its place in the transcript.

    Args:
        link: Number of the connection.
        stall_s: Silence after which an unfinished frame is taken for what it is.
    """

    __slots__ = ("_framer", "_last", "_pieces", "_position", "link", "stall_s")

    def __init__(self, link: int, stall_s: float) -> None:
        self.link = link
        self.stall_s = stall_s
        self._framer = Framer()
        self._last = 0.0
        self._position = 0
        self._pieces: list[tuple[int, int, int]] = []  # stream position, entry, size

    def feed(self, seq: int, data: bytes, t: float) -> list[Heard | Stray]:
        """Take in the bytes of entry ``seq``."""
        found = self.stalled(t)
        self._pieces.append((self._position, seq, len(data)))
        self._position += len(data)
        self._last = t
        found.extend(self._place(self._framer.feed(data), t, truncated=False))
        return found

    def stall_due(self) -> float | None:
        """Return when the rest of an unfinished frame is no longer awaited."""
        return self._last + self.stall_s if self._framer.pending else None

    def stalled(self, now: float) -> list[Heard | Stray]:
        """Return what an unfinished frame amounts to, if it has been silent long enough."""
        due = self.stall_due()
        if due is None or now < due:
            return []
        return list(self._place(self._framer.finish(), due, truncated=False, silent=True))

    def end(self, t: float) -> list[Heard | Stray]:
        """Return what is left when the connection ends."""
        found = self.stalled(t)
        found.extend(self._place(self._framer.finish(), t, truncated=True))
        return found

    def _place(
        self, items: Iterable[Frame | Noise], t: float, truncated: bool, silent: bool = False
    ) -> Iterator[Heard | Stray]:
        for is_frame, group in groupby(items, key=lambda item: isinstance(item, Frame)):
            if not is_frame:  # a hostile peer may send nothing but line ends: one stray, not one for each
                noise = list(group)
                raw = b"".join(item.raw for item in noise)
                yield Stray(self.link, t, raw, self._refs(noise[0].offset, noise[0].offset + len(raw)))
                continue
            for item in group:
                assert isinstance(item, Frame)
                refs = self._refs(item.offset, item.offset + len(item.raw))
                yield Heard(self.link, t, item, refs, truncated or (silent and _cut_short(item)))
        oldest = self._position - MAX_FRAME_BYTES - 64
        while len(self._pieces) > 1 and self._pieces[1][0] <= oldest:
            del self._pieces[0]

    def _refs(self, start: int, end: int) -> tuple[Ref, ...]:
        refs = []
        for position, seq, size in self._pieces:
            low, high = max(start, position), min(end, position + size)
            if low < high:
                refs.append(Ref(seq, low - position, high - position))
        return tuple(refs)


def _cut_short(frame: Frame) -> bool:
    """Whether a frame that fell silent has less than it announced and no end of its own: the rest may be lost."""
    announced = HEAD_BYTES + (frame.declared or 0) + CRC_BYTES
    return not frame.tail and len(frame.raw) < announced


def read_wire(transcript: Transcript, stall_s: float) -> list[Heard | Stray]:
    """Return everything that came in over every link, by arrival; ``stall_s`` as for :class:`LinkReader`."""
    readers: dict[int, LinkReader] = {}
    found: list[Heard | Stray] = []
    now = 0.0
    for entry in transcript:
        if entry.kind == "resumed":  # the links of the process that is gone ended with it
            for link in list(readers):
                found.extend(readers.pop(link).end(now))
        now = entry.t_mono
        if entry.kind == "bytes" and entry.direction == "in":
            reader = readers.setdefault(entry.link, LinkReader(entry.link, stall_s))
            found.extend(reader.feed(entry.seq, entry.data, now))
        elif entry.kind == "close" and entry.link in readers:
            found.extend(readers.pop(entry.link).end(now))
    for reader in readers.values():
        found.extend(reader.end(now))
    return sorted(found, key=lambda item: item.t)


def _code_of(key: str) -> str:
    match = _CODE.match(key)
    return match.group(1) if match else ""


def posix(text: str) -> float | None:
    """Return a time of 14 digits (UTC+8) in POSIX seconds, ``None`` where it is none."""
    try:
        return parse_time(text).timestamp()
    except ValueError:
        return None


def parse_open_time(text: str) -> datetime | None:
    """Return i32006 as a time, ``None`` where it is none."""
    try:
        return parse_time(text)
    except ValueError:
        return None
