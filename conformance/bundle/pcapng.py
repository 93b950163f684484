"""The three blocks of a pcapng file that a capture of ours needs, little-endian; version 1.0 of the format.

Layouts follow draft-ietf-opsawg-pcapng, sections 3.5 (options), 4.1 (section header), 4.2 (interface) and 4.3 (packet).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from construct import Aligned, Bytes, Const, GreedyRange, Int16ul, Int32ul, Int64sl, Rebuild, Struct, len_, this  # type: ignore[import-untyped]

__all__ = ["LINKTYPE_RAW", "MAX_OPTION_BYTES", "interface", "packet", "section"]

#: Packets begin with the IPv4 or IPv6 header.
LINKTYPE_RAW: Final = 101
#: An option has 16 bits for its length.
MAX_OPTION_BYTES: Final = 0xFFFF

_SECTION: Final = 0x0A0D0D0A
_INTERFACE: Final = 1
_PACKET: Final = 6

_END_OF_OPTIONS: Final = {"code": 0, "value": b""}
_COMMENT: Final = 1
_APPLICATION: Final = 4  # of a section
_NAME: Final = 2  # of an interface
_RESOLUTION: Final = 9  # of an interface
_MICROSECONDS: Final = b"\x06"

_OPTION: Any = Struct(
    "code" / Int16ul,
    "length" / Rebuild(Int16ul, len_(this.value)),
    "value" / Aligned(4, Bytes(this.length)),
)
_BLOCK: Any = Struct(
    "type" / Int32ul,
    "length" / Rebuild(Int32ul, lambda block: len(block.body) + 12),
    "body" / Bytes(this.length - 12),
    "again" / Rebuild(Int32ul, this.length),
)
_SECTION_BODY: Any = Struct(
    "byte_order" / Const(0x1A2B3C4D, Int32ul),
    "major" / Const(1, Int16ul),
    "minor" / Const(0, Int16ul),
    "section_length" / Const(-1, Int64sl),  # not said
    "options" / GreedyRange(_OPTION),
)
_INTERFACE_BODY: Any = Struct(
    "link_type" / Int16ul,
    "reserved" / Const(0, Int16ul),
    "snap_length" / Const(0, Int32ul),  # no limit
    "options" / GreedyRange(_OPTION),
)
_PACKET_BODY: Any = Struct(
    "interface" / Const(0, Int32ul),
    "high" / Int32ul,
    "low" / Int32ul,
    "captured" / Rebuild(Int32ul, len_(this.data)),
    "original" / Rebuild(Int32ul, len_(this.data)),
    "data" / Aligned(4, Bytes(this.captured)),
    "options" / GreedyRange(_OPTION),
)


def section(comments: Sequence[str], application: str) -> bytes:
    """Return the block that begins a file."""
    options = [*((_COMMENT, text.encode()) for text in comments), (_APPLICATION, application.encode())]
    return _block(_SECTION, _SECTION_BODY, options)


def interface(name: str) -> bytes:
    """Return the block of the one interface; its packets are raw IP, their times microseconds."""
    options = [(_NAME, name.encode()), (_RESOLUTION, _MICROSECONDS)]
    return _block(_INTERFACE, _INTERFACE_BODY, options, link_type=LINKTYPE_RAW)


def packet(data: bytes, microseconds: int, comment: str) -> bytes:
    """Return the block of one packet.

    Args:
        data: IP header and what follows.
        microseconds: Since 1970-01-01, UTC.
        comment: What a reader shows beside it.
    """
    high, low = divmod(microseconds, 1 << 32)
    return _block(_PACKET, _PACKET_BODY, [(_COMMENT, comment.encode())], high=high, low=low, data=data)


def _block(type: int, layout: Any, options: Sequence[tuple[int, bytes]], **fields: Any) -> bytes:
    rows = [{"code": code, "value": value[:MAX_OPTION_BYTES]} for code, value in options]
    body = layout.build({**fields, "options": [*rows, _END_OF_OPTIONS]})
    built: bytes = _BLOCK.build({"type": type, "body": body})
    return built
