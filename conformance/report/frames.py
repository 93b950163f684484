"""What crossed the wire, frame by frame, as rows that renderers place, list and quote."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from stationgate.language import N_, gettext

from ..evidence import OPENING_PARTS, STATES, Evidence, Heard, LinkReader, Stray
from ..verdicts import Ref

__all__ = ["FrameKind", "FrameLog", "FrameRow", "Quote"]

_CN: Final = re.compile(rb"[0-9;]CN=([0-9]{4});")


class FrameKind(StrEnum):
    """What a frame is for; also its lane in the timeline."""

    PERIODIC = N_("periodic report")
    CHANGE = N_("change of state")
    RECORD = N_("opening record")
    LOG = N_("log")
    REPLY = N_("reply")
    OTHER = N_("other message")
    UNREADABLE = N_("unreadable")
    OURS = N_("sent by the suite")
    PLATFORM = N_("sent by the official platform")

    @property
    def word(self) -> str:
        """Its name in the active language."""
        return gettext(self.value)

    @property
    def slug(self) -> str:
        """Its name in code and style sheets."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class FrameRow:
    """One frame, or bytes that belong to none.

    Attributes:
        kind: What it is for.
        link: Number of the connection.
        t: When it was complete, on the suite's monotonic clock.
        refs: Where its bytes stand in the transcript, in order.
        cn: Its command, where it is one.
    """

    kind: FrameKind
    link: int
    t: float
    refs: tuple[Ref, ...]
    cn: str = ""

    @property
    def seq(self) -> int:
        """Number of the entry that completed it."""
        return self.refs[-1].seq

    @property
    def incoming(self) -> bool:
        """Whether a device sent it."""
        return self.kind not in (FrameKind.OURS, FrameKind.PLATFORM)

    @property
    def size(self) -> int:
        """Its length in bytes."""
        return sum((ref.end or 0) - ref.start for ref in self.refs)


@dataclass(frozen=True, slots=True)
class Quote:
    """A frame that a verdict rests on.

    Attributes:
        row: The frame.
        index: Its index in the log.
        refs: The places meant, cut to this frame.
        marks: The same as ranges inside the frame; empty when the whole frame is meant.
    """

    row: FrameRow
    index: int
    refs: tuple[Ref, ...]
    marks: tuple[tuple[int, int], ...]


class FrameLog:
    """Every frame of a transcript by arrival, both directions, with a way from bytes back to frames."""

    def __init__(self, evidence: Evidence) -> None:
        rows = [*_incoming(evidence), *_outgoing(evidence)]
        self._rows = sorted(rows, key=lambda row: (row.seq, row.refs[-1].start))
        self._by_seq: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for index, row in enumerate(self._rows):
            for ref in row.refs:
                self._by_seq[ref.seq].append((ref.start, ref.end or 0, index))

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[FrameRow]:
        return iter(self._rows)

    def __getitem__(self, index: int) -> FrameRow:
        return self._rows[index]

    def quotes(self, refs: Iterable[Ref]) -> list[Quote]:
        """Return the frames that ``refs`` stand in, in the order of their first mention, each once."""
        places: dict[int, list[Ref]] = {}
        for ref in refs:
            for start, end, index in self._by_seq.get(ref.seq, ()):
                low, high = max(start, ref.start), end if ref.end is None else min(end, ref.end)
                if low < high:
                    places.setdefault(index, []).append(Ref(ref.seq, low, high))
        return [self._quote(index, found) for index, found in places.items()]

    def _quote(self, index: int, refs: list[Ref]) -> Quote:
        row = self._rows[index]
        marks = []
        at = 0
        for piece in row.refs:
            size = (piece.end or 0) - piece.start
            for ref in refs:
                if ref.seq == piece.seq and piece.start <= ref.start < (piece.end or 0):
                    low = at + ref.start - piece.start
                    marks.append((low, low + (ref.end or 0) - ref.start))
            at += size
        covered = sum(high - low for low, high in set(marks))
        return Quote(row, index, tuple(dict.fromkeys(refs)), () if covered >= at else tuple(dict.fromkeys(marks)))


def _incoming(evidence: Evidence) -> Iterable[FrameRow]:
    for heard in evidence.heard:
        yield FrameRow(_kind(heard, evidence), heard.link, heard.t, heard.refs, _command(heard.message.cn))
    for stray in evidence.strays:
        yield FrameRow(FrameKind.UNREADABLE, stray.link, stray.t, stray.refs)


def _outgoing(evidence: Evidence) -> Iterable[FrameRow]:
    relays: dict[int, LinkReader] = {}
    now = 0.0
    for entry in evidence.transcript:
        now = entry.t_mono
        if entry.kind == "bytes" and entry.direction == "out" and entry.data:
            if entry.attachment.get("by") == "platform":
                # Relayed as it came: a frame may stand in several entries, and an entry hold several frames.
                reader = relays.setdefault(entry.link, LinkReader(entry.link, evidence.limits.frame_stall_s))
                yield from map(_relayed, reader.feed(entry.seq, entry.data, now))
            else:
                refs = (Ref(entry.seq, 0, len(entry.data)),)
                yield FrameRow(FrameKind.OURS, entry.link, now, refs, _command(_told(entry.data)))
        elif entry.kind == "close" and entry.link in relays:
            yield from map(_relayed, relays.pop(entry.link).end(now))
    for reader in relays.values():
        yield from map(_relayed, reader.end(now))


def _relayed(item: Heard | Stray) -> FrameRow:
    cn = _command(item.message.cn) if isinstance(item, Heard) else ""
    return FrameRow(FrameKind.PLATFORM, item.link, item.t, item.refs, cn)


def _told(data: bytes) -> str:
    """Return the command of a frame of ours, which is well-formed."""
    match = _CN.search(data)
    return match[1].decode() if match else ""


def _command(cn: object) -> str:
    return cn if isinstance(cn, str) and len(cn) == 4 and cn.isascii() and cn.isdigit() else ""


def _kind(heard: Heard, evidence: Evidence) -> FrameKind:
    if not heard.understood:
        return FrameKind.UNREADABLE
    request = evidence.asked.get(heard.message.qn)
    if heard.is_reply or (request is not None and request.seq < heard.seq):
        return FrameKind.REPLY
    if heard.message.mn != evidence.mn:
        return FrameKind.OTHER
    codes = heard.codes
    if any(code in codes for code in OPENING_PARTS):
        return FrameKind.RECORD
    states = sum(code in codes for code in STATES)
    if states:
        return FrameKind.PERIODIC if states > 1 else FrameKind.CHANGE
    return FrameKind.LOG if "i31001" in codes else FrameKind.OTHER
