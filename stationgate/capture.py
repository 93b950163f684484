"""Network captures, as what their ends said to each other: datagrams whole, TCP streams in order.

Reads pcap and pcapng as scapy does and knows no protocol above TCP and UDP. What a capture lacks is told where it is
missing, as a :class:`Gap`; a file that is cut off or damaged gives everything before that place and then one error::

    with open("site.pcapng", "rb") as file:
        for event in read_capture(file):
            if isinstance(event, Piece):
                print(event.time, event.flow.source, event.data)
"""

from __future__ import annotations

import logging
import struct
from collections import OrderedDict
from collections.abc import Iterator
from enum import StrEnum
from functools import cache, lru_cache
from importlib import import_module
from typing import Any, Final, NamedTuple, Protocol

from stationgate.exits import DataFault, UsageFault
from stationgate.language import _
from stationgate.reassembly import (
    ACK,
    LIMITS,
    SYN,
    CaptureEvent,
    CaptureLimits,
    Ended,
    Flow,
    Fragments,
    Gap,
    Held,
    Part,
    Piece,
    Place,
    Stream,
    Transport,
    Why,
)

__all__ = [
    "LIMITS",
    "CaptureEvent",
    "CaptureFault",
    "CaptureLimits",
    "Ended",
    "Flow",
    "Gap",
    "Kind",
    "Piece",
    "Place",
    "Readable",
    "Transport",
    "Why",
    "kind_of",
    "read_capture",
]


class Kind(StrEnum):
    """What the first bytes of a file make it."""

    PCAP = "pcap"
    PCAPNG = "pcapng"
    GZIP = "gzip"  #: compressed, and refused by that name
    OTHER = ""


_PCAP: Final = tuple(bytes.fromhex(each) for each in ("A1B2C3D4", "D4C3B2A1", "A1B23C4D", "4D3CB2A1"))
_PCAPNG: Final = bytes.fromhex("0A0D0D0A")
_GZIP: Final = bytes.fromhex("1F8B")


def kind_of(head: bytes) -> Kind:
    """Tell a capture by the first four bytes of a file."""
    if head[:4] in _PCAP:
        return Kind.PCAP
    if head[:4] == _PCAPNG:
        return Kind.PCAPNG
    return Kind.GZIP if head[:2] == _GZIP else Kind.OTHER


class CaptureFault(DataFault):
    """The capture cannot be read, or not any further."""


class Readable(Protocol):
    """A file, or whatever else gives bytes in order."""

    def read(self, size: int, /) -> bytes: ...


def read_capture(file: Readable, *, head: bytes = b"", limits: CaptureLimits = LIMITS) -> Iterator[CaptureEvent]:
    """Yield what a capture holds of UDP and TCP, IPv4 and IPv6, over Ethernet, Linux cooked, raw IP or loopback.

    Args:
        file: Where to read; not closed.
        head: Bytes that were read of it already.
        limits: What it may cost.

    Raises:
        UsageFault: If scapy is not installed.
        CaptureFault: If it is no capture, compressed, damaged, or exceeds a limit; after what came before that place.
    """
    source = _Source(file, head)
    reading = _Reading(limits)
    kind = kind_of(source.peek(4))
    if kind is Kind.GZIP:
        raise CaptureFault(
            _("the capture is compressed with gzip"), _("unpack it first: gunzip FILE.gz, or 7-Zip on Windows")
        )
    if kind is Kind.OTHER:
        raise CaptureFault(_("this is no capture: neither pcap nor pcapng"))
    fault: CaptureFault | None = None
    try:
        for time, link, data, size in _records(source, limits):
            yield from reading.packet(time, link, data, size - len(data))
    except CaptureFault as error:
        fault = error
    yield from reading.rest()
    if fault is not None:
        raise fault


# The file


class _Source:
    """The file as scapy's readers see it: it notes where a record ends early, which they do not tell."""

    name = "capture"

    def __init__(self, file: Readable, head: bytes) -> None:
        self._file = file
        self._head = head
        self.at = 0
        self.short = False  #: a read gave less than it asked for
        self.ended = False  #: the file was at its end where a record may begin
        self._reads = 0  # since the record began

    def peek(self, size: int) -> bytes:
        while len(self._head) < size and (more := self._file.read(size - len(self._head))):
            self._head += more
        return self._head[:size]

    def begin(self) -> None:
        """A record begins: nothing there at all is the end of the file."""
        self._reads = 0

    def read(self, size: int) -> bytes:
        parts = [self._head[:size]]
        self._head = self._head[size:]
        left = size - len(parts[0])
        while left > 0 and (more := self._file.read(left)):  # a pipe may give less than it will have
            parts.append(more)
            left -= len(more)
        self.at += size - left
        if left > 0 and (self._reads or left < size):
            self.short = True
        self.ended = left == size > 0 and not self._reads
        self._reads += 1
        return b"".join(parts)

    def close(self) -> None:
        """The caller closes it."""


class _Scapy(NamedTuple):
    """The parts of scapy that are used."""

    ip: Any
    ip6: Any
    fragment: Any
    link_types: Any
    error: Any
    pcap: Any
    pcapng: Any


@cache
def _scapy() -> _Scapy:
    """Import the parts of scapy that are needed; the rest of the process does without."""
    # It warns of everything that it finds odd; what matters here is told as an error of ours.
    logging.getLogger("scapy").setLevel(logging.CRITICAL)
    try:
        inet, inet6, utils, config, error = (
            import_module(f"scapy.{name}") for name in ("layers.inet", "layers.inet6", "utils", "config", "error")
        )
    except ImportError as missing:
        raise UsageFault(
            _("captures are read by scapy, which is not installed"), "pip install 'stationgate[pcap]'"
        ) from missing

    class Pcap(utils.RawPcapReader):  # type: ignore[misc,name-defined]
        def _read_packet(self, size: int) -> Any:
            self.f.begin()
            return super()._read_packet(size)

    class PcapNg(utils.RawPcapNgReader):  # type: ignore[misc,name-defined]
        def _read_block(self, size: int) -> Any:
            self.f.begin()
            return super()._read_block(size)

        def _read_block_shb(self) -> None:
            self.interfaces: list[Any] = []  # they are numbered anew in each section
            super()._read_block_shb()

    return _Scapy(
        inet.IP, inet6.IPv6, inet6.IPv6ExtHdrFragment, config.conf.l2types, error.Scapy_Exception, Pcap, PcapNg
    )


#: LINKTYPE values: BSD loopback, Ethernet, raw IP as three systems number it, OpenBSD loopback, Linux cooked 1 and 2.
_LINK_TYPES: Final = frozenset((0, 1, 12, 14, 101, 108, 113, 228, 229, 276))
_RAW_IP: Final = 101
#: The longest packet that is read: what a segmenting card hands over is one of 64 KB behind the header of its link.
_MAX_PACKET_BYTES: Final = 1 << 18


def _records(source: _Source, limits: CaptureLimits) -> Iterator[tuple[float, int, bytes, int]]:
    """Yield time, link type, captured bytes and size on the wire of each packet."""
    scapy = _scapy()
    kind = kind_of(source.peek(4))
    strange: dict[int, int] = {}
    count = known = 0
    time = 0.0
    try:
        reader = (scapy.pcapng if kind is Kind.PCAPNG else scapy.pcap)(source)
        while True:
            try:
                data, about = reader._read_packet(size=_MAX_PACKET_BYTES)  # as scapy's own error message says
            except EOFError:
                break
            count += 1
            if count > limits.packets:
                raise CaptureFault(
                    _("the capture has more than {n} packets; what comes behind them is not read").format(
                        n=limits.packets
                    ),
                    _("cut it into parts: editcap -c 1000000 FILE PART"),
                )
            time = _time_of(about, reader, time)
            link = about.linktype if kind is Kind.PCAPNG else reader.linktype & 0xFFFF
            if link not in _LINK_TYPES:
                strange[link] = strange.get(link, 0) + 1
                continue
            known += 1
            yield time, link, data, about.wirelen
            if source.short:
                break
    except (scapy.error, struct.error, ValueError, KeyError, IndexError) as error:
        raise _damaged(source) from error
    if source.short or not source.ended:
        raise _damaged(source)
    if strange and not known:
        raise CaptureFault(
            _("packets of link type {types} are not read; expected Ethernet, Linux cooked, raw IP or loopback").format(
                types=", ".join(map(str, sorted(strange)))
            )
        )


def _damaged(source: _Source) -> CaptureFault:
    return CaptureFault(
        _("the capture is cut off or damaged at byte {at}; everything before that was read").format(at=source.at)
    )


def _time_of(about: Any, reader: Any, before: float) -> float:
    if hasattr(about, "tshigh"):
        if about.tshigh is None:  # a block that has no time
            return before
        return float((about.tshigh << 32 | about.tslow) / about.tsresol)
    return float(about.sec + about.usec / (1_000_000_000 if reader.nano else 1_000_000))


# Packets


_UDP_NUMBER: Final = 17
_TCP_NUMBER: Final = 6
_UDP: Final = struct.Struct(">HHHH")
_TCP: Final = struct.Struct(">HHIIBBHHH")


_IPV4: Final = struct.Struct(">BBHHHBBH4s4s")
#: Link type -> bytes before IPv4, where the kind of what follows stands, and that of IPv4.
_BEFORE_IPV4: Final = {
    1: (14, slice(12, 14), b"\x08\x00"),
    113: (16, slice(14, 16), b"\x08\x00"),
    276: (20, slice(0, 2), b"\x08\x00"),
    101: (0, slice(0, 0), b""),
    228: (0, slice(0, 0), b""),
}


def _plain(link: int, data: bytes, cut: int) -> Part | None:
    """Return what a packet of IPv4 carries, as most are; ``None`` for whatever scapy has to look at.

    Captures of cameras are full of media: this is many times as fast, and the tests hold it against scapy.
    """
    before, kind, ipv4 = _BEFORE_IPV4.get(link, (0, slice(0, 0), b"?"))
    if data[kind] != ipv4 or len(data) < before + _IPV4.size:
        return None
    first, _service, total, ident, place, _hops, protocol, _check, source, target = _IPV4.unpack_from(data, before)
    header = (first & 15) * 4
    if first >> 4 != 4 or header < _IPV4.size or (total and total < header):
        return None
    end = total or len(data) - before + cut
    carried = data[before + header : before + end]
    more = bool(place & 0x2000)
    fragment = (ident, (place & 0x1FFF) * 8, more) if place & 0x3FFF else None
    return Part(_dotted(source), _dotted(target), protocol, carried, max(end - header - len(carried), 0), fragment)


@lru_cache(maxsize=4096)
def _dotted(address: bytes) -> str:
    return ".".join(map(str, address))


def _part_of(link: int, data: bytes, cut: int) -> Part | None:
    """Return what a packet carries; ``None`` for what is not IP."""
    plain = _plain(link, data, cut)
    if plain is not None:
        return plain
    scapy = _scapy()
    packet = scapy.link_types[link if link in scapy.link_types else _RAW_IP](data)
    ip = packet.getlayer(scapy.ip)
    ip6 = packet.getlayer(scapy.ip6)
    if ip is not None and (ip6 is None or ip.haslayer(scapy.ip6)):
        header = (ip.ihl or 5) * 4
        # Cards that cut segments themselves are handed packets without a length.
        end = ip.len or len(ip.original) + cut
        data = ip.original[header:end]
        more = bool(int(ip.flags) & 1)
        fragment = (ip.id, ip.frag * 8, more) if more or ip.frag else None
        return Part(ip.src, ip.dst, ip.proto, data, max(end - header - len(data), 0), fragment)
    if ip6 is None:
        return None
    return _part_of_six(scapy, ip6, cut)


def _part_of_six(scapy: _Scapy, ip6: Any, cut: int) -> Part:
    number, layer = ip6.nh, ip6.payload
    data = ip6.original[40 : 40 + ip6.plen] if ip6.plen else ip6.original[40:]
    missing = max(ip6.plen - len(data), 0) if ip6.plen else cut
    fragment = None
    while type(layer).__name__.startswith("IPv6ExtHdr"):
        size = 8 if isinstance(layer, scapy.fragment) else len(layer.original) - len(layer.payload.original)
        if isinstance(layer, scapy.fragment):
            fragment = (layer.id, layer.offset * 8, bool(layer.m))
        number, data, layer = layer.nh, data[size:], layer.payload
        if fragment:
            break
    return Part(ip6.src, ip6.dst, number, data, missing, fragment)


class _Reading:
    """The packets of a capture, put together."""

    def __init__(self, limits: CaptureLimits) -> None:
        self._limits = limits
        self._fragments = Fragments(limits)
        self._streams: OrderedDict[Flow, Stream] = OrderedDict()
        self._held = Held(limits.held_bytes)
        self._now = 0.0

    def packet(self, time: float, link: int, data: bytes, cut: int) -> Iterator[CaptureEvent]:
        self._now = time
        try:
            part = _part_of(link, data, max(cut, 0))
        except Exception:  # whatever a dissector of others trips over: it is nothing that carries UDP or TCP
            return
        if part is None or part.protocol not in (_UDP_NUMBER, _TCP_NUMBER):
            return
        for whole in self._fragments.add(time, part):
            if whole.protocol == _UDP_NUMBER:
                yield from _datagram(time, whole)
            elif whole.fragment is None:
                yield from self._segment(time, whole)

    def _segment(self, time: float, part: Part) -> Iterator[CaptureEvent]:
        if len(part.data) < _TCP.size:
            return
        port, other, seq, ack, offset, flags, _window, _check, _urgent = _TCP.unpack_from(part.data)
        flow = Flow(Place(part.source, port), Place(part.target, other), Transport.TCP)
        data = part.data[(offset >> 4) * 4 :]
        back = self._streams.get(flow.back)
        if back is not None and flags & ACK:
            yield from back.confirmed(time, ack)
        stream = self._streams.get(flow)
        if stream is None:
            if not data and not flags & SYN:
                return  # nothing to put in order
            stream = self._streams[flow] = Stream(flow, self._limits, self._held)
            if len(self._streams) > self._limits.streams:
                yield from self._streams.popitem(last=False)[1].finish(time)
        self._streams.move_to_end(flow)
        yield from stream.segment(time, seq, data, part.missing, flags)

    def rest(self) -> Iterator[CaptureEvent]:
        """What is held back when the file is over."""
        for part in self._fragments.rest():
            if part.protocol == _UDP_NUMBER:
                yield from _datagram(self._now, part)
        for stream in self._streams.values():
            yield from stream.flush()


def _datagram(time: float, part: Part) -> Iterator[CaptureEvent]:
    """What a datagram says; one of which fragments are missing as far as it is there."""
    why = Why.CUT if part.fragment is None else Why.FRAGMENTS
    if len(part.data) < _UDP.size:
        flow = Flow(Place(part.source, 0), Place(part.target, 0), Transport.UDP)
        if part.missing or part.fragment:
            yield Gap(time, flow, 0, why)
        return
    port, other, length, _check = _UDP.unpack_from(part.data)
    flow = Flow(Place(part.source, port), Place(part.target, other), Transport.UDP)
    length = length or len(part.data) + part.missing  # jumbograms say 0
    data = part.data[_UDP.size : length]
    if data:
        yield Piece(time, flow, data)
    if length > len(part.data):
        yield Gap(time, flow, length - len(part.data), why)
