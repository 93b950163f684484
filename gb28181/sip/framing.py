"""SIP messages out of a stream (RFC 3261 18.3): headers up to an empty line, then as many bytes as Content-Length says.

Empty lines and zero bytes between messages keep a connection open behind NAT and mean nothing. A stream has no marks
to find the next message by, so what cannot be delimited ends it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from .message import MAX_HEADER_BYTES

__all__ = ["MAX_STREAM_MESSAGE_BYTES", "Broken", "StreamFramer"]

#: A catalogue part over TCP may hold 10,000 records of some 1 KB (GB/T 28181-2022 annex M).
MAX_STREAM_MESSAGE_BYTES: Final = 16 << 20

_LENGTH: Final = re.compile(rb"\n(?:content-length|l)[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE)
_START: Final = re.compile(rb"SIP/2\.0 |[A-Za-z]{1,20} ", re.IGNORECASE)
_FILLING: Final = b"\r\n\x00"


@dataclass(frozen=True, slots=True)
class Broken:
    """The stream cannot be followed any further: close it.

    Attributes:
        reason: Why, in English.
        raw: The first bytes of what was not understood.
    """

    reason: str
    raw: bytes = field(repr=False)


class StreamFramer:
    """Cuts a stream into messages.

    Args:
        max_message_bytes: Longest message, headers included.
        max_header_bytes: Longest start line and headers.
    """

    __slots__ = ("_awaited", "_broken", "_buffer", "_max_header_bytes", "_max_message_bytes", "_searched", "filling")

    def __init__(
        self, max_message_bytes: int = MAX_STREAM_MESSAGE_BYTES, max_header_bytes: int = MAX_HEADER_BYTES
    ) -> None:
        self.filling = 0  #: bytes between messages that meant nothing
        self._max_message_bytes = max_message_bytes
        self._max_header_bytes = max_header_bytes
        self._buffer = bytearray()
        self._searched = 0  # before it there is no end of the headers
        self._awaited = 0  # bytes of the message whose headers have come, 0 before
        self._broken = False

    @property
    def pending(self) -> int:
        """Bytes of a message that is not complete."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[bytes | Broken]:
        """Take in bytes; return the messages that are complete. After :class:`Broken` everything is ignored."""
        if self._broken:
            return []
        self._buffer += data
        found: list[bytes | Broken] = []
        while self._buffer and not self._broken:
            message = self._next()
            if message is None:
                break
            found.append(message)
        return found

    def _next(self) -> bytes | Broken | None:
        if not self._awaited:
            broken = self._begin()
            if broken is not None or not self._awaited:
                return broken
        total, buffer = self._awaited, self._buffer
        if len(buffer) < total:
            return None
        message = bytes(buffer[:total])
        del buffer[:total]
        self._searched = self._awaited = 0
        return message

    def _begin(self) -> Broken | None:
        """Look for the end of the headers; set how long the message is, where it has come."""
        buffer = self._buffer
        if buffer[0] in _FILLING:
            rest = buffer.lstrip(_FILLING)
            self.filling += len(buffer) - len(rest)
            self._buffer = buffer = rest
            self._searched = 0
            if not buffer:
                return None
        if not _START.match(buffer) and (
            len(buffer) > 20 or not buffer.replace(b"/", b"").replace(b".", b"").isalnum()
        ):
            return self._break("no SIP message begins here")
        end, size = self._end_of_headers()
        if end < 0:
            if len(buffer) > self._max_header_bytes:
                return self._break(f"more than {self._max_header_bytes} bytes of headers (MAX_HEADER_BYTES)")
            return None
        length = self._length(end)
        if isinstance(length, Broken):
            return length
        total = end + size + length
        if total > self._max_message_bytes:
            return self._break(f"a message of {total} bytes, more than {self._max_message_bytes}")
        self._awaited = total
        return None

    def _end_of_headers(self) -> tuple[int, int]:
        """Return where the empty line begins and how long it is, -1 where it has not come."""
        buffer = self._buffer
        at = buffer.find(b"\n", self._searched)
        while at >= 0:
            if buffer.startswith(b"\n", at + 1):
                return at, 2
            if buffer.startswith(b"\r\n", at + 1):
                return at, 3
            if at + 2 >= len(buffer):
                break  # what follows has not come yet
            at = buffer.find(b"\n", at + 1)
        self._searched = len(buffer) if at < 0 else at
        return -1, 0

    def _length(self, end: int) -> int | Broken:
        head = bytes(self._buffer[:end])
        if len(head) > self._max_header_bytes:
            return self._break(f"more than {self._max_header_bytes} bytes of headers (MAX_HEADER_BYTES)")
        found = _LENGTH.search(head)
        if not found:
            return 0  # mandatory here, and without it there is no body (RFC 3261 18.3)
        text = found[1].strip()
        if not text.isdigit() or len(text) > 10:
            return self._break("Content-Length is no number")
        return int(text)

    def _break(self, reason: str) -> Broken:
        broken = Broken(reason, bytes(self._buffer[:200]))
        self._broken = True
        self._buffer = bytearray()
        return broken
