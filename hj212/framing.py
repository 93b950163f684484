"""Bytes -> frames, whatever the line brings (HJ 212-2017 6.3.1).

::

    ##  LLLL  data segment  CCCC  CR LF
    2   4     LLLL bytes    4     2

The length field drives. When it lies, the frame is damaged and reading starts over at the next header, so that one
lie costs one frame:

* CR LF followed by ``##`` and four digits before the declared end starts over at once; so does a CR LF whose four
  preceding characters are the right check value of what precedes them: the frame is then known to end there;
* ciphertext (HJ 212-2025 6.4) may hold any bytes, and the check value is that of the plaintext. Inside a data area
  CR LF and ``##`` with four digits therefore start over only where ``&&`` and a check value stand before or the name
  of a header field stands behind them, or where no ``&&``, check value and CR LF stand at the declared end;
* without CR LF at the declared end, a right check value at the declared place still proves the frame (its tail is
  lost); otherwise the frame ends at the next CR LF or before the next header, whichever comes first.

There is no byte stuffing, so ``##`` alone proves nothing: it may stand in log text. What is no frame at all, such as
heartbeat lines, comes out as :class:`Noise`. How the input is split never changes what comes out.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from .crc import EMPTY_SEGMENT_CRC, POSSIBLE_VALUES, crc16

__all__ = ["MAX_FRAME_BYTES", "MAX_LINE_ENDS", "MAX_NOISE_BYTES", "Frame", "Framer", "Noise", "build_frame"]

#: The longest frame four length digits can announce. The edition's limit (1036 bytes) is a judgement, not a limit of
#: reading: frames of 1025 and 1623 bytes occur in captures of real stations.
MAX_FRAME_BYTES: Final = 2 + 4 + 9999 + 4 + 2
#: Bytes outside any frame are handed on at each line end, and at the latest after this many.
MAX_NOISE_BYTES: Final = 1024
#: A legal frame holds no CR LF before its tail, ciphertext hardly any. No more than this many are looked at, and where
#: they prove nothing the frame is cut at the first, so that a hostile peer cannot have the check value of every line
#: computed again at every byte.
MAX_LINE_ENDS: Final = 16

_OVERHEAD = 12
_CRLF = b"\r\n"
_HEADER = re.compile(rb"##(?=[^#])", re.DOTALL)  # of `###0101` the last two are the header
_LAST_HEADER = re.compile(rb"##(?!#)")  # the same, where nothing more will come
_NEXT_START = re.compile(rb"##[0-9]{4}")
_DAMAGED_END = re.compile(rb"\r\n|##[0-9]{4}")
_HEX4 = re.compile(rb"[0-9A-Fa-f]{4}\Z")
# As printed -> value. Only these can be right, in either letter case; most others need no computing.
_VALUES = {b"%04X" % value: value for value in (*POSSIBLE_VALUES, EMPTY_SEGMENT_CRC)}
_AFTER_CLOSE = re.compile(rb"&&([0-9A-Fa-f]{0,4})\Z")
_CLOSED = re.compile(rb"&&[0-9A-Fa-f]{4}\Z")
_OPEN = b"CP=&&"
_FIRST_FIELDS = (b"QN=", b"ST=", b"CN=", b"PW=", b"MN=", b"CP=")  # no longer ones: MAX_FRAME_BYTES + 8 must hold
_LOOKS_LIKE_SEGMENT = re.compile(rb"(?:QN|ST|CN|MN|CP) ?=")
_TAILS = (_CRLF, b"\n", b"\r")


class Frame:
    """One frame, intact or damaged.

    Attributes:
        raw: Every byte from ``##`` to the tail.
        offset: Position of the first byte in the stream, from 0.
        declared: The length field's value in bytes, ``None`` when it is not four digits.
        segment: The data segment: the declared bytes, or, where the length lies, what stands between the header
            and the check value.
        crc_text: The check value as sent, 4 characters; fewer or none where it is damaged.
        tail: What ended the frame: CR LF, or ``LF``, ``CR`` or nothing.
    """

    __slots__ = ("crc_text", "declared", "offset", "raw", "segment", "tail")

    def __init__(
        self, raw: bytes, offset: int, declared: int | None, segment: bytes, crc_text: bytes, tail: bytes
    ) -> None:
        self.raw = raw
        self.offset = offset
        self.declared = declared
        self.segment = segment
        self.crc_text = crc_text
        self.tail = tail

    @property
    def length_ok(self) -> bool | None:
        """Whether the length field tells the truth; ``None`` when the field itself is damaged."""
        return None if self.declared is None else self.declared == len(self.segment)

    @property
    def crc_ok(self) -> bool | None:
        """Whether the check value is right, in either letter case; ``None`` when there is none to compare.

        A damaged length field leaves open where the segment ends, so nothing is said of the check value either.
        """
        if self.declared is None or not self.crc_text:
            return None
        return _crc_matches(self.segment, self.crc_text)

    @property
    def intact(self) -> bool:
        """Whether length, check value and tail are all right: such a frame may be acted on."""
        return bool(self.length_ok and self.crc_ok and self.tail == _CRLF)

    @property
    def usable(self) -> bool:
        """Whether length and check value are right, whatever the tail."""
        segment = self.segment
        return self.declared == len(segment) and _crc_matches(segment, self.crc_text)

    @property
    def segment_offset(self) -> int:
        """Where the segment starts inside :attr:`raw`: 6, less where length digits are missing."""
        return len(self.raw) - len(self.segment) - len(self.crc_text) - len(self.tail)

    def __repr__(self) -> str:
        return f"<Frame at {self.offset}, {len(self.raw)} bytes, length_ok={self.length_ok}, crc_ok={self.crc_ok}>"


class Noise:
    """Bytes that belong to no frame: heartbeat lines, other protocols, garbage.

    Attributes:
        raw: The bytes; at most :data:`MAX_NOISE_BYTES`, or one line.
        offset: Position of the first byte in the stream, from 0.
    """

    __slots__ = ("offset", "raw")

    def __init__(self, raw: bytes, offset: int) -> None:
        self.raw = raw
        self.offset = offset

    def __repr__(self) -> str:
        return f"<Noise at {self.offset}, {len(self.raw)} bytes>"


class Framer:
    """Collects bytes and hands out what they hold; keeps less than :data:`MAX_FRAME_BYTES` + 8 bytes between calls."""

    __slots__ = ("_offset", "_rest")

    def __init__(self) -> None:
        self._rest = b""
        self._offset = 0

    @property
    def pending(self) -> int:
        """Number of bytes kept back because they do not yet decide anything."""
        return len(self._rest)

    def feed(self, data: bytes) -> list[Frame | Noise]:
        """Take in ``data`` and return what is now complete, in stream order."""
        return self._scan(self._rest + data if self._rest else bytes(data), final=False)

    def finish(self) -> list[Frame | Noise]:
        """Return what the kept bytes amount to when no more follow: end of the stream, or a peer that fell silent."""
        return self._scan(self._rest, final=True) if self._rest else []

    def _scan(self, data: bytes, final: bool) -> list[Frame | Noise]:
        found: list[Frame | Noise] = []
        base = self._offset
        size = len(data)
        at = 0
        while at < size:
            digits = data[at + 2 : at + 6]
            if digits.isdigit() and len(digits) == 4 and data.startswith(b"##", at):
                length = int(digits)
                end = at + _OVERHEAD + length
                # The tail stands where the length says and no CR LF before it: nothing else needs a look.
                if end <= size and data.startswith(_CRLF, end - 2) and data.find(_CRLF, at + 6, end - 2) < 0:
                    found.append(
                        Frame(data[at:end], base + at, length, data[at + 6 : end - 6], data[end - 6 : end - 2], _CRLF)
                    )
                    at = end
                    continue
            step = _next_item(data, at, base, final)
            if step is None:
                break
            found.append(step)
            at += len(step.raw)
        self._rest = data[at:]
        self._offset = base + at
        return found


def build_frame(segment: bytes) -> bytes:
    """Put a data segment between header, length, check value and tail.

    Raises:
        ValueError: If the segment is longer than four digits can say.
    """
    if len(segment) > 9999:
        raise ValueError(f"a data segment holds at most 9999 bytes, this one {len(segment)}")
    return b"##%04d%s%04X\r\n" % (len(segment), segment, crc16(segment))


def _next_item(data: bytes, at: int, base: int, final: bool) -> Frame | Noise | None:
    """Return what starts at ``at``; ``None`` when more bytes are needed to tell (never when ``final``)."""
    header = (_LAST_HEADER if final else _HEADER).search(data, at, at + MAX_NOISE_BYTES + 3)
    start = header.start() if header else len(data)
    if start > at:
        return _noise(data, at, start, bool(header), base, final)
    if header is None or (len(data) - at < 6 and not final):
        return Noise(data[at:], base + at) if final and at < len(data) else None
    digits = data[at + 2 : at + 6]
    if len(digits) < 4 or not digits.isdigit():
        return _damaged(data, at, None, base, final)
    length = int(digits)
    end = at + _OVERHEAD + length
    early = _early_end(data, at, end, final)
    if early is not None:
        return _take_damaged(data, at, early, length, base) if early else None
    if end > len(data):
        lost_tail = final and _tail_lost(data, at, length, base)
        if lost_tail:
            return lost_tail
        return _damaged(data, at, length, base, final) if final else None
    if data.startswith(_CRLF, end - 2):
        return Frame(data[at:end], base + at, length, data[at + 6 : end - 6], data[end - 6 : end - 2], _CRLF)
    return _tail_lost(data, at, length, base) or _damaged(data, at, length, base, final)


def _noise(data: bytes, at: int, start: int, header_found: bool, base: int, final: bool) -> Noise | None:
    line_end = data.find(b"\n", at, start) + 1
    limit = at + MAX_NOISE_BYTES
    if line_end and line_end <= limit:
        return Noise(data[at:line_end], base + at)
    if header_found and start <= limit:
        return Noise(data[at:start], base + at)
    # Three bytes of foresight: a header may begin at the limit, and how the input is split must not matter.
    if len(data) >= limit + 3:
        return Noise(data[at:limit], base + at)
    return Noise(data[at : min(start, limit)], base + at) if final else None


def _early_end(data: bytes, at: int, end: int, final: bool) -> int | None:
    """Find a proof that the frame ends before the declared end; 0 when that cannot be told yet."""
    first = line_end = data.find(_CRLF, at + 6, end - 2)
    area = first >= 0 and data.startswith(_FIRST_FIELDS, at + 6) and data.find(_OPEN, at + 6, first) >= 0
    doubtful = 0  # where the frame ends unless the declared end turns out to be one
    for _ in range(MAX_LINE_ENDS):
        if line_end < 0:
            break
        if line_end - 4 >= at + 6 and _crc_matches(data[at + 6 : line_end - 4], data[line_end - 4 : line_end]):
            # In ciphertext four digits may fit by chance; behind `&&` that is too much of a chance.
            if not area or data.startswith(b"&&", line_end - 6):
                return doubtful or line_end + 2
            doubtful = doubtful or line_end + 2
        start = _starts_over(data, line_end, area, final)
        if start is None:
            return 0
        if start is _Start.CERTAIN:
            return doubtful or line_end + 2
        if start is _Start.DOUBTFUL and not doubtful:
            doubtful = line_end + 2
        line_end = data.find(_CRLF, line_end + 2, end - 2)
    if line_end >= 0:
        doubtful = doubtful or first + 2
        if not area:
            return doubtful
    if not doubtful:
        return None
    if end > len(data) and not final:
        return 0
    closed = end <= len(data) and data.startswith(_CRLF, end - 2) and _CLOSED.search(data, end - 8, end - 2)
    return None if closed else doubtful


class _Start(Enum):
    """Whether a frame starts behind a CR LF."""

    NONE = 0
    DOUBTFUL = 1  #: it may be ciphertext
    CERTAIN = 2


def _starts_over(data: bytes, line_end: int, area: bool, final: bool) -> _Start | None:
    """Tell whether a frame starts behind the CR LF at ``line_end``; ``None`` when that cannot be told yet."""
    following = data[line_end + 2 : line_end + 11]
    if not _NEXT_START.match(following):
        return None if len(following) < 6 and not final and _may_become_header(following) else _Start.NONE
    if not area or _CLOSED.search(data, line_end - 6, line_end) or following.startswith(_FIRST_FIELDS, 6):
        return _Start.CERTAIN
    if not final and any(name.startswith(following[6:]) for name in _FIRST_FIELDS):
        return None
    return _Start.DOUBTFUL


def _may_become_header(start: bytes) -> bool:
    return b"##".startswith(start[:2]) and (len(start) <= 2 or start[2:].isdigit())


def _crc_matches(segment: bytes, crc_text: bytes) -> bool:
    value = _VALUES.get(crc_text.upper())
    return value is not None and value == crc16(segment)


def _tail_lost(data: bytes, at: int, length: int, base: int) -> Frame | None:
    """Accept a frame by its check value although CR LF does not follow it."""
    crc_at = at + 6 + length
    segment, crc_text = data[at + 6 : crc_at], data[crc_at : crc_at + 4]
    if not _crc_matches(segment, crc_text):
        return None
    tail = next((t for t in _TAILS if data.startswith(t, crc_at + 4)), b"")
    return Frame(data[at : crc_at + 4 + len(tail)], base + at, length, segment, crc_text, tail)


def _damaged(data: bytes, at: int, declared: int | None, base: int, final: bool) -> Frame | Noise | None:
    """Cut off a frame whose length cannot be trusted: up to the next CR LF, the next header, or the size limit."""
    limit = at + MAX_FRAME_BYTES
    found = _DAMAGED_END.search(data, at + 2, limit + 6)
    if found:
        end = found.end() if found.group() == _CRLF else found.start()
    elif final:
        end = len(data)
    elif len(data) >= limit + 6:
        end = limit
    else:
        return None
    return _take_damaged(data, at, min(end, limit), declared, base)


def _take_damaged(data: bytes, at: int, end: int, declared: int | None, base: int) -> Frame | Noise:
    raw = data[at:end]
    if declared is None and not _LOOKS_LIKE_SEGMENT.search(raw):
        return Noise(raw, base + at)
    tail = next((t for t in _TAILS if raw.endswith(t)), b"")
    body = raw[: len(raw) - len(tail)]
    head = 2
    while head < 6 and body[head : head + 1].isdigit():
        head += 1
    body = body[head:]
    after_close = _AFTER_CLOSE.search(body)
    if declared is not None and len(body) == declared + 4:
        cut = declared
    elif after_close:
        cut = after_close.start(1)
    else:
        cut = len(body) - 4 if _HEX4.match(body[-4:]) else len(body)
    return Frame(raw, base + at, declared, body[:cut], body[cut:], tail)
