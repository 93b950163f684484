"""The bytes of a transcript as a capture that any network tool opens.

What crossed the socket is real, and so are its times. The packets around it are made up: the suite reads sockets and
needs no rights to look at the wire, so handshake, acknowledgements, sequence numbers and division into segments are
what they could have been. The file says so, and each packet names the transcript entry it stands for.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from ..transcript import Entry, Transcript
from . import pcapng

__all__ = ["COMMENTS", "MAX_SEGMENT_BYTES", "render"]

#: What the file says of itself.
COMMENTS: Final = (
    "以太网、IP 与 TCP 首部由软件按套接字收发的字节合成，并非抓包所得；负载与时间为实测。"
    "本文件含密码与开门编码，属保密材料。",
    "The IP and TCP headers are synthetic, made from the bytes of the sockets and not captured; payload and times are "
    "real. This file holds passwords and badge codes: confidential.",
)

#: What fits an Ethernet frame below IPv6 and TCP.
MAX_SEGMENT_BYTES: Final = 1440
#: Bytes under way after which the receiver acknowledges, so that no reader takes the window for full.
_MAX_IN_FLIGHT: Final = 32 << 10
_WINDOW: Final = 0xFFFF
_TTL: Final = 64
_DO_NOT_FRAGMENT: Final = 0x4000
_TCP: Final = 6

_FIN, _SYN, _PSH, _ACK = 0x01, 0x02, 0x08, 0x10

Address = IPv4Address | IPv6Address
Place = tuple[Address, int]

#: Ours and the device's where the record names none, by version: what RFC 5737 and RFC 3849 keep for examples.
_STAND_IN: Final[dict[int, tuple[Address, Address]]] = {
    4: (IPv4Address("192.0.2.1"), IPv4Address("192.0.2.2")),
    6: (IPv6Address("2001:db8::1"), IPv6Address("2001:db8::2")),
}
_STAND_IN_PORT: Final = 8212
_EPHEMERAL_PORTS: Final = range(49152, 65536)

_IPV4: Final = struct.Struct(">BBHHHBBH4s4s")
_IPV6: Final = struct.Struct(">IHBB16s16s")
_TCP_HEADER: Final = struct.Struct(">HHIIBBHHH")


def render(transcript: Transcript, *, version: str) -> bytes:
    """Return a transcript as a pcapng file.

    Args:
        version: Of the suite, for the file to say.
    """
    blocks = [pcapng.section(COMMENTS, f"stationgate {version}"), pcapng.interface("sockets of the suite")]
    for entry, packet in _packets(transcript):
        microseconds = max(round(entry.t_wall * 1_000_000), 0)
        blocks.append(pcapng.packet(packet, microseconds, f"transcript entry {entry.seq}"))
    return b"".join(blocks)


@dataclass(slots=True)
class _End:
    """One end of a conversation."""

    place: Place
    next: int  #: sequence number of its next byte
    acknowledged: int  #: the number up to which the other end has acknowledged it


@dataclass(slots=True)
class _Conversation:
    """One connection as TCP would have carried it."""

    device: _End
    suite: _End

    def opened(self) -> Iterator[bytes]:
        yield self._packet(self.device, self.suite, _SYN)
        yield self._packet(self.suite, self.device, _SYN | _ACK)
        yield self._packet(self.device, self.suite, _ACK)

    def said(self, from_device: bool, data: bytes) -> Iterator[bytes]:
        sender, receiver = (self.device, self.suite) if from_device else (self.suite, self.device)
        for at in range(0, len(data), MAX_SEGMENT_BYTES):
            piece = data[at : at + MAX_SEGMENT_BYTES]
            if (sender.next - sender.acknowledged) % (1 << 32) + len(piece) > _MAX_IN_FLIGHT:
                yield self._packet(receiver, sender, _ACK)
            last = at + len(piece) == len(data)
            yield self._packet(sender, receiver, _ACK | _PSH if last else _ACK, piece)

    def closed(self, by_device: bool) -> Iterator[bytes]:
        first, second = (self.device, self.suite) if by_device else (self.suite, self.device)
        yield self._packet(first, second, _FIN | _ACK)
        yield self._packet(second, first, _FIN | _ACK)
        yield self._packet(first, second, _ACK)

    def _packet(self, sender: _End, receiver: _End, flags: int, data: bytes = b"") -> bytes:
        built = _built(sender, receiver, flags, data)
        sender.next = (sender.next + len(data) + bool(flags & (_SYN | _FIN))) % (1 << 32)
        if flags & _ACK:
            receiver.acknowledged = receiver.next
        return built


def _packets(transcript: Transcript) -> Iterator[tuple[Entry, bytes]]:
    listening: tuple[str, int] = ("", 0)
    open_links: dict[int, _Conversation] = {}
    for entry in transcript:
        if entry.kind == "listen":
            listening = str(entry.attachment.get("host", "")), _port(entry.attachment.get("port"))
        elif entry.kind in ("connect", "bytes"):
            if entry.link not in open_links:  # or its beginning was not noted one by one
                peer = str(entry.attachment.get("peer", ""))
                open_links[entry.link] = conversation = _conversation(entry.link, peer, listening)
                yield from ((entry, packet) for packet in conversation.opened())
            if entry.data:
                packets = open_links[entry.link].said(entry.direction == "in", entry.data)
                yield from ((entry, packet) for packet in packets)
        elif entry.kind == "close" and entry.link in open_links:
            by_device = entry.attachment.get("why") == "closed by the device"
            yield from ((entry, packet) for packet in open_links.pop(entry.link).closed(by_device))


def _conversation(link: int, peer: str, listening: tuple[str, int]) -> _Conversation:
    host, _colon, port = peer.rpartition(":")
    device = _address(host)
    ours = _address(listening[0])
    if device is None:
        device = _STAND_IN[ours.version if ours else 4][1]
    if ours is None or ours.is_unspecified or ours.version != device.version:
        ours = _STAND_IN[device.version][0]
    device_port = _port(port) or _EPHEMERAL_PORTS[link % len(_EPHEMERAL_PORTS)]
    # Far enough apart that connections from one port are not taken for one.
    first = link * 0x9E3779B1 % (1 << 32)
    second = (first + (1 << 31)) % (1 << 32)
    return _Conversation(
        _End((device, device_port), first, first), _End((ours, listening[1] or _STAND_IN_PORT), second, second)
    )


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text.strip("[]").partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address


def _port(value: object) -> int:
    text = str(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 0xFFFF else 0


def _built(sender: _End, receiver: _End, flags: int, data: bytes) -> bytes:
    (source, source_port), (target, target_port) = sender.place, receiver.place
    acknowledged = receiver.next if flags & _ACK else 0
    size = _TCP_HEADER.size + len(data)

    def tcp(check: int) -> bytes:
        return _TCP_HEADER.pack(
            source_port, target_port, sender.next, acknowledged, _TCP_HEADER.size // 4 << 4, flags, _WINDOW, check, 0
        )

    pseudo = source.packed + target.packed + struct.pack(">II", size, _TCP)
    segment = tcp(_checksum(pseudo + tcp(0) + data)) + data
    if source.version == 6:
        return _IPV6.pack(6 << 28, size, _TCP, _TTL, source.packed, target.packed) + segment

    def ip(check: int) -> bytes:
        return _IPV4.pack(
            0x45, 0, _IPV4.size + size, 0, _DO_NOT_FRAGMENT, _TTL, _TCP, check, source.packed, target.packed
        )

    return ip(_checksum(ip(0))) + segment


def _checksum(data: bytes) -> int:
    """Return the Internet checksum of RFC 1071: adding with end-around carry is arithmetic modulo 0xFFFF."""
    return -int.from_bytes(data + b"\0" * (len(data) % 2)) % 0xFFFF
