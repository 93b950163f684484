"""SIP messages out of the flows of a capture: datagrams and streams that look like SIP, or use its port."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from stationgate.capture import CaptureEvent, Ended, Flow, Gap, Piece, Transport, Why
from stationgate.language import _, ngettext

from ..sip.framing import Broken, StreamFramer

__all__ = ["START", "CapturedSip", "Heard"]

#: A message begins where a line is the first of a request or of an answer.
START: Final = re.compile(
    rb"^(?:[A-Za-z]{3,12}[ \t]+sips?:[^\r\n]*SIP/2\.0|SIP/2\.0[ \t]+[1-6][0-9]{2}[^\r\n]*)[ \t]*\r?$", re.MULTILINE
)
_PORT: Final = 5060
#: What may become such a line.
_MAYBE: Final = re.compile(rb"[\r\n\x00]*(?:[A-Za-z]{0,12}|[A-Za-z]{3,12}[ \t][^\r\n]*|SIP/[^\r\n]*)\r?\Z")
#: A first line is not longer.
_MAX_LINE_BYTES: Final = 4096
#: Empty lines and zeros that keep a way through NAT open.
_FILLING: Final = b"\r\n\x00 \t"


@dataclass(frozen=True, slots=True)
class Heard:
    """A message of a capture, or what is left of one.

    Attributes:
        time: When it was complete, seconds since 1970.
        flow: Who sent it to whom.
        data: Its bytes.
        wrong: Why it is not whole; empty where it is.
        rest: Whether it is the end of a message whose beginning is not there, which is nobody's fault.
    """

    time: float
    flow: Flow
    data: bytes
    wrong: str = ""
    rest: bool = False


class CapturedSip:
    """Finds the messages; what else there was is counted.

    Attributes:
        others: Directions of flows without any SIP.
    """

    def __init__(self) -> None:
        self._streams: dict[Flow, _Stream] = {}
        self._others: set[Flow] = set()
        self._found: set[Flow] = set()
        self._undecided: dict[Flow, bytes] = {}  # beginnings of a first line
        self._last: Piece | None = None

    @property
    def others(self) -> int:
        """How many flows carried something else."""
        return len((self._others | self._undecided.keys()) - self._found)

    def messages(self, events: Iterable[CaptureEvent]) -> Iterator[Heard]:
        """Yield the messages in the order in which they were complete; what has no end yet is told by :meth:`rest`."""
        for event in events:
            if self._last is not None:  # the event behind a datagram may say that its end is missing
                datagram, self._last = self._last, None
                yield self._datagram(datagram, event)
            if event.flow.transport is Transport.TCP:
                yield from self._stream(event)
            elif isinstance(event, Piece) and self._is_sip(event):
                self._last = event

    def rest(self) -> Iterator[Heard]:
        """Yield what has no end when the capture is over, whole or not."""
        if self._last is not None:
            datagram, self._last = self._last, None
            yield self._datagram(datagram, None)
        for stream in self._streams.values():
            yield from stream.over(stream.time, _("the capture ends before the message does"))
        self._streams.clear()

    def _is_sip(self, piece: Piece) -> bool:
        text = piece.data.strip(_FILLING)
        if START.match(text) or (text and _uses_port(piece.flow)):
            self._found.add(piece.flow)
            return True
        if text:
            self._others.add(piece.flow)
        return False

    def _datagram(self, piece: Piece, behind: CaptureEvent | None) -> Heard:
        cut = isinstance(behind, Gap) and behind.flow == piece.flow
        wrong = _missing(behind.size) if cut and isinstance(behind, Gap) else ""
        return Heard(piece.time, piece.flow, piece.data, wrong)

    def _stream(self, event: CaptureEvent) -> Iterator[Heard]:
        stream = self._streams.get(event.flow)
        if isinstance(event, Piece):
            data = self._undecided.pop(event.flow, b"") + event.data
            if stream is None and not _uses_port(event.flow) and not START.search(data.lstrip(_FILLING)):
                if _MAYBE.match(data) and len(data) < _MAX_LINE_BYTES:
                    self._undecided[event.flow] = data
                else:
                    self._others.add(event.flow)
                return
            self._found.add(event.flow)
            if stream is None:
                stream = self._streams[event.flow] = _Stream(event.flow)
            yield from stream.feed(event.time, data)
        elif stream is None:
            if self._undecided.pop(event.flow, b""):
                self._others.add(event.flow)
        elif isinstance(event, Ended):
            del self._streams[event.flow]
            yield from stream.over(event.time, _("the connection ends before the message does"))
        elif event.why is not Why.EARLY:
            yield from stream.over(event.time, _missing(event.size))
            stream.lost = True


def _uses_port(flow: Flow) -> bool:
    return _PORT in (flow.source.port, flow.target.port)


def _missing(size: int) -> str:
    return ngettext("{n} byte is missing in the capture", "{n} bytes are missing in the capture", size).format(n=size)


class _Stream:
    """One direction of a connection that carries SIP."""

    def __init__(self, flow: Flow) -> None:
        self.time = 0.0
        self.lost = True  # no message is known to begin here
        self._flow = flow
        self._framer = StreamFramer()
        self._held = b""  # what the framer has not given back

    def feed(self, time: float, data: bytes) -> Iterator[Heard]:
        self.time = time
        waiting = data
        while waiting:
            if self.lost:
                self._held = (self._held + waiting).lstrip(_FILLING)
                found = START.search(self._held)
                if found is None:
                    kept = len(self._held) - self._held.rfind(b"\n") - 1
                    yield from self._dropped(time, len(self._held) - (kept if kept < _MAX_LINE_BYTES else 0))
                    return
                yield from self._dropped(time, found.start())
                waiting, self._held, self.lost = self._held, b"", False
                self._framer = StreamFramer()
            whole, broken = self._framed(waiting)
            for message in whole:
                yield Heard(time, self._flow, message)
            waiting = b""
            if broken is not None:
                # Behind the first line of what cannot be delimited another message may begin.
                at = self._held.find(b"\n") + 1 or len(self._held)
                yield Heard(time, self._flow, self._held[:at], broken.reason)
                waiting, self._held, self.lost = self._held[at:], b"", True

    def _framed(self, data: bytes) -> tuple[list[bytes], Broken | None]:
        """Return the messages that are complete, and what ended the stream; the rest is held."""
        before = self._framer.filling
        given = self._framer.feed(data)
        whole = [each for each in given if isinstance(each, bytes)]
        done = sum(map(len, whole)) + self._framer.filling - before
        self._held = (self._held + data)[done:]
        return whole, next((each for each in given if isinstance(each, Broken)), None)

    def _dropped(self, time: float, size: int) -> Iterator[Heard]:
        part, self._held = self._held[:size], self._held[size:]
        if part.strip(_FILLING):
            yield Heard(time, self._flow, part, rest=True)

    def over(self, time: float, why: str) -> Iterator[Heard]:
        """Nothing follows what has come so far."""
        if self._held.strip(_FILLING):
            yield Heard(time, self._flow, self._held, "" if self.lost else why, rest=self.lost)
        self._held = b""
        self._framer = StreamFramer()
