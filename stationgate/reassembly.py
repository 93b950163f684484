"""What packets carry, put together: fragments to datagrams, segments of TCP to streams in order.

Knows nothing of files and of how packets are read; times are those of the packets.
"""

from __future__ import annotations

from bisect import insort
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

__all__ = [
    "LIMITS",
    "CaptureEvent",
    "CaptureLimits",
    "Ended",
    "Flow",
    "Fragments",
    "Gap",
    "Held",
    "Part",
    "Piece",
    "Place",
    "Stream",
    "Transport",
    "Why",
]


class Transport(StrEnum):
    """What carried the bytes."""

    UDP = "UDP"
    TCP = "TCP"


class Place(NamedTuple):
    """Address and port; as text ``192.0.2.1:5060`` or ``[2001:db8::1]:5060``."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Flow:
    """One direction between two places."""

    source: Place
    target: Place
    transport: Transport

    @property
    def back(self) -> Flow:
        """The other direction."""
        return Flow(self.target, self.source, self.transport)


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes of a flow: a datagram, or the next bytes of a stream.

    Attributes:
        time: When they were captured, seconds since 1970; a stream's order is that of its bytes, not of time.
        flow: Who said them to whom.
        data: The bytes, never empty.
    """

    time: float
    flow: Flow
    data: bytes


class Why(StrEnum):
    """Why bytes are missing."""

    NOT_CAPTURED = "not-captured"  #: the capture lacks the packets
    CUT = "cut"  #: only the beginning of each packet was captured (snap length)
    EARLY = "early"  #: bytes from before the place where a stream begins, come after it
    FRAGMENTS = "fragments"  #: fragments of a datagram are missing


@dataclass(frozen=True, slots=True)
class Gap:
    """Bytes of a flow that are missing here.

    Attributes:
        time: Of the packet that showed it.
        flow: Where; the ports are 0 where the fragment that tells them is missing.
        size: How many bytes; 0 where that is not known.
        why: Why they are missing.
    """

    time: float
    flow: Flow
    size: int
    why: Why


@dataclass(frozen=True, slots=True)
class Ended:
    """A stream is over: closed, reset, or another one begins between the same places."""

    time: float
    flow: Flow


CaptureEvent = Piece | Gap | Ended


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureLimits:
    """What reading a capture may cost. Times are those of the capture, not of the clock."""

    packets: int = 10_000_000  #: of a file; more end with an error
    held_bytes: int = 64 << 20  #: that wait for others before them, in all streams and fragments together
    stream_bytes: int = 4 << 20  #: that wait in one stream; then what is missing is given up
    ahead_bytes: int = 16 << 20  #: a jump further than this begins another stream; no window in use is wider
    streams: int = 20_000  #: directions that are followed at a time; the one that is silent longest is given up
    fragmented: int = 1_000  #: datagrams of which fragments are missing, 128 KB each at the most
    #: Bytes that the receiver acknowledged may still come this much later: captures are not always in order.
    gap_s: float = 1.0
    fragment_s: float = 60.0  #: fragments that come later than this belong to another datagram (RFC 8200 4.5)


LIMITS: Final = CaptureLimits()


class Part(NamedTuple):
    """What one packet carries of a datagram of IP."""

    source: str
    target: str
    protocol: int
    data: bytes
    missing: int  # bytes behind them that were not captured
    fragment: tuple[int, int, bool] | None  # identification, offset, whether more follow


#: Flags of a segment.
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10


# Fragments


class _Fragmented:
    __slots__ = ("first", "parts", "size", "total")

    def __init__(self, first: float) -> None:
        self.first = first
        self.parts: list[tuple[int, bytes]] = []
        self.size = 0
        self.total: int | None = None

    def assembled(self) -> bytes:
        """The bytes from the beginning to the first that is missing; what came first stands where parts overlap."""
        data = bytearray()
        for offset, part in sorted(self.parts, key=lambda each: each[0]):
            if offset > len(data):
                break
            data += part[len(data) - offset :]
        return bytes(data if self.total is None else data[: self.total])


class Fragments:
    """Datagrams of which fragments have come."""

    def __init__(self, limits: CaptureLimits) -> None:
        self._limits = limits
        self._open: OrderedDict[tuple[Any, ...], tuple[Part, _Fragmented]] = OrderedDict()

    def add(self, time: float, part: Part) -> Iterator[Part]:
        """Yield what is whole, and what has waited too long as far as it is there, with its fragment told."""
        if part.fragment is None:
            yield part
            return
        while self._open and (
            len(self._open) > self._limits.fragmented
            or time - next(iter(self._open.values()))[1].first > self._limits.fragment_s
        ):
            yield self._given_up(*self._open.popitem(last=False)[1])
        ident, offset, more = part.fragment
        key = (part.source, part.target, part.protocol, ident)
        known, whole = self._open.setdefault(key, (part, _Fragmented(time)))
        if part.missing:
            more = True  # where it ends is not known
        whole.parts.append((offset, part.data))
        whole.size += len(part.data)
        if not more:
            whole.total = offset + len(part.data)
        if whole.size > 2 * 0xFFFF:  # the same fragments again and again
            del self._open[key]
            yield self._given_up(known, whole)
        elif whole.total is not None and len(data := whole.assembled()) == whole.total:
            del self._open[key]
            yield known._replace(data=data, missing=0, fragment=None)

    def rest(self) -> Iterator[Part]:
        """Give up what is missing."""
        while self._open:
            yield self._given_up(*self._open.popitem(last=False)[1])

    def _given_up(self, part: Part, whole: _Fragmented) -> Part:
        return part._replace(data=whole.assembled())


# Streams


class Held:
    """How much is held back in all streams together."""

    __slots__ = ("limit", "size")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.size = 0


class _Waiting(NamedTuple):
    """Bytes whose predecessors have not come; of a hole that will not be filled only the size."""

    start: int
    end: int
    number: int  # of two that begin at one place the shorter comes first, then the earlier
    time: float
    data: bytes | None


class Stream:
    """One direction of a connection. Positions are sequence numbers that do not wrap."""

    def __init__(self, flow: Flow, limits: CaptureLimits, held: Held) -> None:
        self._flow = flow
        self._limits = limits
        self._held = held
        self._first = 0  # where it begins
        self._next: int | None = None
        self._whole = False  # its beginning was captured
        self._fin: int | None = None
        self._ended = False
        self._waiting: list[_Waiting] = []
        self._size = 0  # bytes that wait
        self._number = 0
        self._missed_since: float | None = None  # the receiver has had since then what is missing here

    def segment(self, time: float, seq: int, data: bytes, missing: int, flags: int) -> Iterator[CaptureEvent]:
        """Take in a segment; yield what is in order now.

        Args:
            time: When it was captured.
            seq: Its sequence number.
            data: Its bytes.
            missing: Bytes behind them that were not captured.
            flags: Of its header.
        """
        if flags & SYN:
            yield from self._synchronised(time, (seq + 1) & 0xFFFFFFFF)
            seq = (seq + 1) & 0xFFFFFFFF
        if data or missing:
            yield from self._bytes(time, seq, data, missing)
        if flags & FIN and self._next is not None:
            self._fin = self._position(seq) + len(data) + missing
        if flags & RST:
            yield from self.finish(time)
        elif self._fin is not None and self._next is not None and self._next >= self._fin:
            yield from self._end(time)
        elif self._missed_since is not None and time - self._missed_since >= self._limits.gap_s:
            yield from self.flush()

    def confirmed(self, time: float, ack: int) -> Iterator[CaptureEvent]:
        """The receiver says up to where it has everything."""
        if not self._waiting or self._next is None:
            return
        if self._missed_since is None:
            if self._position(ack) > self._next:
                self._missed_since = time
        elif time - self._missed_since >= self._limits.gap_s:
            yield from self.flush()

    def finish(self, time: float) -> Iterator[CaptureEvent]:
        """Give up what is missing; the stream is over."""
        yield from self.flush()
        yield from self._end(time)

    def flush(self) -> Iterator[CaptureEvent]:
        """Give up what is missing."""
        while self._waiting:
            assert self._next is not None
            first = self._waiting[0]
            if first.start > self._next:
                yield Gap(first.time, self._flow, first.start - self._next, Why.NOT_CAPTURED)
                self._next = first.start
            yield from self._drained()

    def _position(self, seq: int) -> int:
        """The place of a sequence number, the nearest to where the stream is."""
        assert self._next is not None
        ahead = (seq - self._next) & 0xFFFFFFFF
        return self._next + (ahead if ahead < 1 << 31 else ahead - (1 << 32))

    def _synchronised(self, time: float, start: int) -> Iterator[CaptureEvent]:
        if self._next is not None:
            if self._position(start) == self._first and not self._ended:
                self._whole = True  # repeated, or captured behind the first bytes
                return
            yield from self.finish(time)
        self._begin(start)
        self._whole = True

    def _begin(self, start: int) -> None:
        self._first = self._next = start
        self._whole = self._ended = False
        self._fin = None

    def _end(self, time: float) -> Iterator[CaptureEvent]:
        if self._next is not None and not self._ended:
            self._ended = True
            yield Ended(time, self._flow)

    def _bytes(self, time: float, seq: int, data: bytes, missing: int) -> Iterator[CaptureEvent]:
        if self._next is None:
            self._begin(seq)
        assert self._next is not None
        start = self._position(seq)
        beyond = start > self._next if self._ended else abs(start - self._next) > self._limits.ahead_bytes
        if beyond:  # another connection between the same ports, its beginning not captured
            yield from self.finish(time)
            self._begin(seq)
            start = seq
        end = start + len(data)
        if data and end <= self._next:
            if start < self._first and not self._whole:
                yield Gap(time, self._flow, min(end, self._first) - start, Why.EARLY)
        elif data:
            self._wait(_Waiting(start, end, self._number, time, data))
        if missing:
            self._wait(_Waiting(end, end + missing, self._number, time, None))
        yield from self._drained()
        if self._size > self._limits.stream_bytes or self._held.size > self._held.limit:
            yield from self.flush()

    def _wait(self, what: _Waiting) -> None:
        self._number += 1
        insort(self._waiting, what, key=lambda each: each[:3])
        cost = len(what.data or b"") + _COST
        self._size += cost
        self._held.size += cost

    def _drained(self) -> Iterator[CaptureEvent]:
        """Yield what nothing is missing before."""
        assert self._next is not None
        done = 0
        for what in self._waiting:
            if what.start > self._next:
                break
            done += 1
            cost = len(what.data or b"") + _COST
            self._size -= cost
            self._held.size -= cost
            if what.end <= self._next:
                continue
            if what.data is None:
                yield Gap(what.time, self._flow, what.end - self._next, Why.CUT)
            else:
                yield Piece(what.time, self._flow, what.data[self._next - what.start :])
            self._next = what.end
        if done:
            del self._waiting[:done]
            self._missed_since = None


#: What a piece that waits costs beside its bytes, so that many empty ones are many too.
_COST: Final = 200
