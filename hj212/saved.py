"""What a serial or network assistant (串口/网络调试助手) saves, turned back into the bytes that were on the line.

Three forms: the bytes themselves; text, each line behind a time and a direction, the line end perhaps written out as
``\\r\\n``; and pairs of hexadecimal digits, those of a dump too: behind an offset, before the characters they stand
for. Bytes that are frames already are never touched.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from .framing import Frame, Framer

__all__ = ["Form", "Saved", "read_saved"]


class Form(StrEnum):
    """How bytes of the line are written in a file."""

    RAW = "raw"
    TEXT = "text"
    HEX = "hex"


def _words(*words: str) -> bytes:
    return b"|".join(re.escape(word.encode(code)) for word in words for code in ("utf-8", "gbk"))


_TIME: Final = rb"[\[(]?(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}[ T])?\d{1,2}:\d{2}:\d{2}(?:[.,:]\d{1,6})?[\])]?"
_DIRECTION: Final = rb"(?i:RECEIVED|RECV|SENT|SEND|RX|TX)|" + _words("接收", "发送", "收", "发", "←", "→", "◆", "◇")
_PREFIX: Final = re.compile(rb"[ \t]*(?:" + _TIME + rb")?(?:[ \t]|[<>:-]|" + _words("：") + rb"|" + _DIRECTION + rb")*")
_LINE: Final = re.compile(rb"[^\r\n]+")
_WRITTEN_END: Final = re.compile(rb"\\r\\n|\\r|\\n|<CR>|<LF>")
_WRITTEN: Final = {rb"\r\n": b"\r\n", rb"\r": b"\r", rb"\n": b"\n", b"<CR>": b"\r", b"<LF>": b"\n"}
_HEX_NOISE: Final = re.compile(rb"0[xX]|[\s,;]+")
_HEX: Final = re.compile(rb"(?:[0-9A-Fa-f]{2})+\Z")
#: A line of a dump. The characters stand further off than the gap in the middle, so they are never read as bytes.
_EIGHT: Final = rb"(?:[0-9A-Fa-f]{2}[ -]?){1,8}"
_DUMP: Final = re.compile(rb"([0-9A-Fa-f]{4,8}):?[ \t]+(" + _EIGHT + rb"(?: ?" + _EIGHT + rb")?)(?![0-9A-Fa-f])")
_UTF16_MARKS: Final = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Saved:
    """The bytes of the line that a file holds.

    Attributes:
        form: How the file writes them.
        data: The bytes.
        places: (offset in ``data``, offset in the file) of each line, ascending; empty where both are the same.
    """

    form: Form
    data: bytes
    places: tuple[tuple[int, int], ...] = ()

    def offset(self, at: int) -> int:
        """Return where in the file a byte of ``data`` stands, for text and hex the start of its line."""
        if not self.places:
            return at
        return self.places[max(bisect_right(self.places, at, key=lambda place: place[0]) - 1, 0)][1]


def read_saved(source: bytes, form: Form | None = None) -> Saved:
    """Return the bytes of the line that a file holds.

    Args:
        source: The file.
        form: How it writes them; ``None`` to find out: the form that yields the most intact frames, then the most
            frames, in doubt the bytes themselves.

    Raises:
        ValueError: If a form is given and some line does not have it.
    """
    raw = Saved(Form.RAW, source)
    if form is Form.RAW:
        return raw
    if form is not None:
        read = _READERS[form](source)
        if read is None:
            raise ValueError(form.value)
        return read
    best, most = raw, _frames(raw.data)
    if 0 < most[0] == most[2]:
        return raw
    for reader in _READERS.values():
        candidate = reader(source)
        if candidate is not None and (count := _frames(candidate.data)) > most:
            best, most = candidate, count
    return best


def _frames(data: bytes) -> tuple[int, int, int]:
    """Return how many frames are intact with their tail, how many intact, how many there are."""
    framer = Framer()
    frames = [item for item in (*framer.feed(data), *framer.finish()) if isinstance(item, Frame)]
    intact = [frame for frame in frames if frame.intact]
    return sum(frame.tail == b"\r\n" for frame in intact), len(intact), len(frames)


def _lines(source: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Yield the place of every line in the file, what an assistant put before it, and the rest."""
    data, wide, at = source, False, 0
    if source.startswith(_UTF16_MARKS):
        order = "utf-16-le" if source.startswith(_UTF16_MARKS[0]) else "utf-16-be"
        data, wide, at = source[2:].decode(order, "replace").encode("utf-8", "replace"), True, 2
    elif source.startswith(_UTF8_MARK):
        data, at = source[3:], 3
    seen = 0
    for line in _LINE.finditer(data):
        before = data[seen : line.start()]
        at += len(before.decode("utf-8").encode("utf-16-le")) if wide else len(before)
        seen = line.start()
        prefix = _PREFIX.match(line[0])
        size = prefix.end() if prefix else 0
        yield at, line[0][:size], line[0][size:]


def _read_text(source: bytes) -> Saved | None:
    """Return the frames of text lines; ``None`` where no line has anything to take away or to put back."""
    pieces: list[bytes] = []
    places: list[tuple[int, int]] = []
    size, changed = 0, source.startswith((*_UTF16_MARKS, _UTF8_MARK))
    for at, prefix, rest in _lines(source):
        text = _WRITTEN_END.sub(lambda match: _WRITTEN[match[0]], rest)
        changed = changed or bool(prefix.strip()) or text != rest
        if not text.endswith((b"\r", b"\n")):
            text += b"\r\n"
        places.append((size, at))
        pieces.append(text)
        size += len(text)
    return Saved(Form.TEXT, b"".join(pieces), tuple(places)) if changed else None


def _read_hex(source: bytes) -> Saved | None:
    """Return the bytes that pairs of digits name, ``None`` where any line holds something else."""
    pieces: list[bytes] = []
    places: list[tuple[int, int]] = []
    size = dumped = 0
    for at, _prefix, rest in _lines(source):
        digits = _HEX_NOISE.sub(b"", rest)
        line = _DUMP.match(rest)
        if line and int(line[1], 16) in (0, dumped):  # the offset makes it a dump; it begins anew with each packet
            digits = re.sub(rb"[ -]", b"", line[2])
            dumped = int(line[1], 16) + len(digits) // 2
        elif dumped and _HEX.match(digits) and int(digits, 16) == dumped:
            continue  # hexdump ends with the size
        if not digits:
            continue
        if not _HEX.match(digits):
            return None
        places.append((size, at))
        pieces.append(bytes.fromhex(digits.decode("ascii")))
        size += len(pieces[-1])
    return Saved(Form.HEX, b"".join(pieces), tuple(places)) if pieces else None


_READERS: Final = {Form.TEXT: _read_text, Form.HEX: _read_hex}
