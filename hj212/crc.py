"""The check value of an HJ 212 data segment (HJ 212-2017, Annex A).

Annex A moves the register's high byte down *before* it mixes in the next byte and drops the old low byte.
The register therefore holds eight bits of history, the step is linear in them, and eight steps give the
identity: the whole check is one XOR fold of the segment to 64 bits and eight table look-ups. Doing the fold on
Python's big integers costs a fraction of a byte loop; ``tests/hj212/test_crc.py`` holds it equal to the
algorithm as printed and to an independent CRC library.
"""

from __future__ import annotations

__all__ = ["EMPTY_SEGMENT_CRC", "POSSIBLE_VALUES", "crc16", "modbus_crc16", "swap_bytes"]

#: The register's start value, hence the check value of an empty segment.
EMPTY_SEGMENT_CRC = 0xFFFF

_POLYNOMIAL = 0xA001


def _shift_eight(register: int) -> int:
    for _ in range(8):
        register = (register >> 1) ^ _POLYNOMIAL if register & 1 else register >> 1
    return register


_TABLE = tuple(_shift_eight(i) for i in range(256))

# What one step with a zero byte does to the eight bits that survive: the high byte of the table entry.
_STEP = tuple(value >> 8 for value in _TABLE)


def _position_tables() -> tuple[tuple[int, ...], ...]:
    """Table j gives the check value that a byte j places before the last one contributes, j = 0..7."""
    tables = []
    state = tuple(range(256))
    for _ in range(8):
        tables.append(tuple(_TABLE[s] for s in state))
        state = tuple(_STEP[s] for s in state)
    return tuple(tables)


_POSITIONS = _position_tables()
_F0, _F1, _F2, _F3, _F4, _F5, _F6, _F7 = _POSITIONS
# The start value 0xFFFF acts like a byte 0xFF one place before the first: its table depends on the length only.
_START = tuple(_POSITIONS[(n - 1) % 8][0xFF] for n in range(8))

_M64, _M128, _M256, _M512, _M1024, _M2048, _M4096 = ((1 << bits) - 1 for bits in (64, 128, 256, 512, 1024, 2048, 4096))
_FAST_PATH_BYTES = 1024

#: Every value the algorithm can give for a non-empty segment: 256 of the 65,536. Any other CRC field was made by
#: another algorithm or damaged on the way.
POSSIBLE_VALUES = frozenset(_TABLE)


def crc16(segment: bytes) -> int:
    """Return the check value of one data segment.

    Args:
        segment: The bytes between the four length digits and the four CRC digits, both excluded. Any length.

    Returns:
        An unsigned 16-bit integer; on the wire four hexadecimal digits, high byte first.

    Source: HJ 212-2017, Annex A. It is *not* CRC-16/MODBUS, see :func:`modbus_crc16`.

    >>> f"{crc16(b'123456789'):04X}"
    '2F80'
    """
    n = len(segment)
    if n == 0:
        return EMPTY_SEGMENT_CRC
    x = int.from_bytes(segment, "big")
    if n > 512:
        if n > _FAST_PATH_BYTES:
            x = _fold_long(x, n)
        x = (x >> 4096) ^ (x & _M4096)
    if n > 256:
        x = (x >> 2048) ^ (x & _M2048)
    if n > 128:
        x = (x >> 1024) ^ (x & _M1024)
    if n > 64:
        x = (x >> 512) ^ (x & _M512)
    if n > 32:
        x = (x >> 256) ^ (x & _M256)
    if n > 16:
        x = (x >> 128) ^ (x & _M128)
    b0, b1, b2, b3, b4, b5, b6, b7 = ((x >> 64) ^ (x & _M64)).to_bytes(8, "little")
    return _F0[b0] ^ _F1[b1] ^ _F2[b2] ^ _F3[b3] ^ _F4[b4] ^ _F5[b5] ^ _F6[b6] ^ _F7[b7] ^ _START[n & 7]


def _fold_long(x: int, size_bytes: int) -> int:
    """Fold an integer of more than 1024 bytes down to 1024; such frames are illegal but occur."""
    bits = 1 << (size_bytes * 8 - 1).bit_length() - 1
    while bits >= 8192:
        x = (x >> bits) ^ (x & ((1 << bits) - 1))
        bits >>= 1
    return x


def modbus_crc16(segment: bytes) -> int:
    """Return CRC-16/MODBUS of ``segment``: the mistake most often made in place of Annex A.

    >>> f"{modbus_crc16(b'123456789'):04X}"
    '4B37'
    """
    register = 0xFFFF
    for byte in segment:
        register = (register >> 8) ^ _TABLE[(register ^ byte) & 0xFF]
    return register


def swap_bytes(value: int) -> int:
    """Return a 16-bit check value with its two bytes exchanged, as a little-endian sender writes it."""
    return ((value & 0xFF) << 8) | (value >> 8)
