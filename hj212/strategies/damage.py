"""Damaged frames, each with the name of what was done to it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hypothesis import assume
from hypothesis import strategies as st

from ..crc import POSSIBLE_VALUES, crc16, modbus_crc16, swap_bytes
from ..editions import Rules
from ..framing import build_frame
from .content import segments

__all__ = ["DAMAGES", "Damaged", "damaged_frames"]


@dataclass(frozen=True, slots=True)
class Damaged:
    """A frame and what was done to it."""

    raw: bytes  #: the damaged frame
    whole: bytes  #: the frame before
    damage: str  #: a code of ``hj212/tables/deviations.csv``, or ``byte-changed``, ``byte-lost``, ``bytes-swapped``
    usable: bool  #: whether length and check value are still right: a reader takes it, and only says what is unusual


#: Makes the damaged frame of a data segment; ``None`` where it would change nothing or mean something else. The number
#: chooses among several places or values.
Damage = Callable[[bytes, int], bytes | None]


def _frame(length: bytes, segment: bytes, crc: bytes, tail: bytes = b"\r\n") -> bytes:
    return b"##" + length + segment + crc + tail


def _printed(segment: bytes) -> bytes:
    return b"%04X" % crc16(segment)


def _length(change: Callable[[bytes], int | None]) -> Damage:
    """Return a damage that writes another number into the length field."""

    def damage(segment: bytes, _number: int) -> bytes | None:
        length = change(segment)
        if length is None or length == len(segment) or not 0 <= length <= 9999:
            return None
        return _frame(b"%04d" % length, segment, _printed(segment))

    return damage


def _crc(change: Callable[[bytes, int, int], int | None]) -> Damage:
    """Return a damage that writes another number as check value."""

    def damage(segment: bytes, number: int) -> bytes | None:
        right = crc16(segment)
        value = change(segment, right, number)
        return None if value is None or value == right else _frame(b"%04d" % len(segment), segment, b"%04X" % value)

    return damage


def _crc_text(change: Callable[[bytes, int], bytes]) -> Damage:
    """Return a damage that writes the check value in another form."""

    def damage(segment: bytes, number: int) -> bytes | None:
        right = _printed(segment)
        text = change(right, number)
        return None if text == right else _frame(b"%04d" % len(segment), segment, text)

    return damage


def _tail(tail: bytes) -> Damage:
    return lambda segment, _number: _frame(b"%04d" % len(segment), segment, _printed(segment), tail)


def _segment(pattern: bytes, new: bytes) -> Damage:
    """Return a damage of the content: the sender computed length and check value over it."""
    expression = re.compile(pattern)

    def damage(segment: bytes, _number: int) -> bytes | None:
        changed = expression.sub(new, segment, count=1)
        return None if changed == segment else build_frame(changed)

    return damage


def _characters(segment: bytes) -> int | None:
    return len(segment.decode("utf-8", "replace"))


def _hexadecimal(segment: bytes) -> int | None:
    digits = f"{len(segment):04X}"
    return int(digits) if digits.isdigit() else None


def _short_length(segment: bytes, _number: int) -> bytes | None:
    return _frame(b"%d" % len(segment), segment, _printed(segment)) if len(segment) < 1000 else None


def _letter_in_length(segment: bytes, number: int) -> bytes:
    length = bytearray(b"%04d" % len(segment))
    length[number % 4] = ord("O")
    return _frame(bytes(length), segment, _printed(segment))


def _other_length(segment: bytes, number: int) -> bytes | None:
    lie = number % 10_000
    known = {len(segment) + more for more in (0, 4, 6, 10, 12)}
    return None if lie in known else _frame(b"%04d" % lie, segment, _printed(segment))


def _unpadded(right: bytes, _number: int) -> bytes:
    return right.lstrip(b"0") or right


def _not_hexadecimal(right: bytes, number: int) -> bytes:
    return right[: number % 4] + b"G" + right[number % 4 + 1 :]


def _impossible(_segment: bytes, _right: int, number: int) -> int | None:
    value = number % 0x10000
    return None if value in POSSIBLE_VALUES else value


def _other_possible(_segment: bytes, _right: int, number: int) -> int:
    return sorted(POSSIBLE_VALUES)[number % len(POSSIBLE_VALUES)]


def _cut(segment: bytes, number: int) -> bytes:
    frame = build_frame(segment)
    return frame[: 6 + number % len(segment)]


def _byte_changed(segment: bytes, number: int) -> bytes | None:
    at, change = number % len(segment), number // len(segment) % 256
    return _transmitted(segment, segment[:at] + bytes([segment[at] ^ change]) + segment[at + 1 :])


def _byte_lost(segment: bytes, number: int) -> bytes | None:
    at = number % len(segment)
    return _transmitted(segment, segment[:at] + segment[at + 1 :])


def _bytes_swapped(segment: bytes, number: int) -> bytes | None:
    at = number % (len(segment) - 1)
    return _transmitted(segment, segment[:at] + segment[at : at + 2][::-1] + segment[at + 2 :])


def _transmitted(sent: bytes, arrived: bytes) -> bytes | None:
    """Frame what arrived as the sender framed what he sent; ``None`` where the check value cannot see a difference."""
    if crc16(arrived) == crc16(sent) or b"##" in arrived or b"\r\n" in arrived:
        return None
    return _frame(b"%04d" % len(sent), arrived, _printed(sent))


def _swapped_modbus(segment: bytes, _right: int, _number: int) -> int:
    return swap_bytes(modbus_crc16(segment))


#: What happens on the line or in a sender's framing: no reader may take such a frame for a good one.
_BROKEN: Final[dict[str, Damage]] = {
    "crc-mismatch": _crc(_other_possible),
    "crc-impossible": _crc(_impossible),
    "crc-modbus": _crc(lambda segment, _right, _number: modbus_crc16(segment)),
    "crc-modbus-swapped": _crc(_swapped_modbus),
    "crc-swapped": _crc(lambda _segment, right, _number: swap_bytes(right)),
    "crc-includes-header": _crc(lambda segment, _right, _number: crc16(b"##%04d" % len(segment) + segment)),
    "crc-missing": _crc_text(lambda _right, _number: b""),
    "crc-unpadded": _crc_text(_unpadded),
    "crc-not-hexadecimal": _crc_text(_not_hexadecimal),
    "length-digits": _short_length,
    "length-not-digits": _letter_in_length,
    "length-characters": _length(_characters),
    "length-includes-crc": _length(lambda segment: len(segment) + 4),
    "length-includes-crc-and-tail": _length(lambda segment: len(segment) + 6),
    "length-whole-frame": _length(lambda segment: len(segment) + 12),
    "length-parameters-only": _length(lambda segment: len(segment) - segment.find(b"CP=")),
    "length-hexadecimal": _length(_hexadecimal),
    "length-mismatch": _other_length,
    "frame-cut": _cut,
    "byte-changed": _byte_changed,
    "byte-lost": _byte_lost,
    "bytes-swapped": _bytes_swapped,
}

#: What a careless sender writes: length and check value are right, the frame is readable, something in it is not.
_DEVIANT: Final[dict[str, Damage]] = {
    "crc-lower-case": _crc_text(lambda right, _number: right.lower()),
    "tail-lf": _tail(b"\n"),
    "tail-cr": _tail(b"\r"),
    "tail-missing": _tail(b""),
    "field-missing": _segment(rb"CN=[0-9]*;", b""),
    "field-duplicate": _segment(rb"(CN=[0-9]*;)", rb"\1\1"),
    "field-case": _segment(rb"MN=", b"Mn="),
    "field-order": _segment(rb"(ST=[^;]*;)(CN=[^;]*;)", rb"\2\1"),
    "separator-extra": _segment(rb";CN=", b";;CN="),
    "separator-full-width": _segment(rb";MN=", ";MN＝".encode()),
    "blank": _segment(rb";CN=", b"; CN="),
    "open-missing": _segment(rb"CP=&&(?!&&)", b"CP="),
    "close-missing": _segment(rb"&&\Z", b""),
    "separator-trailing": _segment(rb"(?<!&&)&&\Z", b";&&"),
    "time-milliseconds": _segment(rb"(DataTime=[0-9]{14})", rb"\g<1>000"),
    "time-calendar": _segment(rb"DataTime=([0-9]{4})[0-9]{2}", rb"DataTime=\g<1>13"),
    "key-two-hyphens": _segment(rb"([0-9A-Za-z]{2,6})-(\w+)=", rb"\1-1-\2="),
    "suffix-case": _segment(rb"-Flag=", b"-flag="),
    "pair-without-equals": _segment(rb"-Flag=", b"-Flag"),
}

DAMAGES: Final = {**_BROKEN, **_DEVIANT}


@st.composite
def damaged_frames(draw: st.DrawFn, rules: Rules, *, usable: bool | None = None, damage: str | None = None) -> Damaged:
    """Frames that are not as they should be, each with one named damage.

    A damage that the check value cannot show, such as bytes swapped eight places apart, is never drawn.

    Args:
        draw: Given by Hypothesis.
        rules: The edition of the frame before it was damaged.
        usable: Only damages after which length and check value are right (``True``) or are not (``False``).
        damage: Only this one, a name of :data:`DAMAGES`; nothing where it is none in this edition.

    >>> from hj212 import HJ_212_2017
    >>> damaged_frames(HJ_212_2017, usable=False).example().damage  # doctest: +SKIP
    'crc-mismatch'
    """
    segment = draw(segments(rules))
    among = {None: DAMAGES, True: _DEVIANT, False: _BROKEN}[usable]
    if damage is not None:
        among = {damage: among[damage]}
    if not rules.header_order_fixed:
        among = {name: change for name, change in among.items() if name != "field-order"}
    number = draw(st.integers(0, 2**31))
    made = {name: raw for name, change in among.items() if (raw := change(segment, number)) is not None}
    assume(made)
    name = draw(st.sampled_from(list(made)))
    return Damaged(made[name], build_frame(segment), name, name in _DEVIANT)
