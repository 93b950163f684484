"""Around the segment: length field, check value, tail (HJ 212-2017 6.3.1, Annex A)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..crc import POSSIBLE_VALUES, crc16, modbus_crc16, swap_bytes
from ..deviations import Deviation
from .note import note
from .outline import Outline

__all__ = ["examine_frame"]

_HEX = re.compile(rb"[0-9A-Fa-f]+\Z")


def examine_frame(outline: Outline) -> Iterator[Deviation]:
    """Yield what is wrong with the length field, the check value and the tail."""
    yield from _examine_length(outline)
    if not outline.cut:
        yield from _examine_crc(outline)
    yield from _examine_tail(outline)


def _examine_length(outline: Outline) -> Iterator[Deviation]:
    digits = outline.length_field
    size = len(outline.segment)
    if len(digits) != 4 or not digits.isdigit():
        code = "length-digits" if not digits.strip(b"0123456789") else "length-not-digits"
        yield note(code, 2, len(digits), outline.quote(2, 2 + len(digits)), f"{size:04d}")
    elif outline.cut:
        present = str(outline.tail_at - outline.start)
        yield note("frame-cut", outline.tail_at, len(outline.frame.tail), present, str(int(digits)))
    elif int(digits) != size:
        code = _length_mistake(digits, outline.segment)
        shown = digits.decode()
        if code == "length-mismatch":
            shown += f" ({int(digits) - size:+d})"
        yield note(code, 2, 4, shown, f"{size:04d}")


def _length_mistake(digits: bytes, segment: bytes) -> str:
    """Return by which other convention a length would be right, or that by none."""
    declared, size = int(digits), len(segment)
    parameters = size - segment.find(b"CP=") if b"CP=" in segment else size
    area = parameters - len(b"CP=&&&&")
    conventions = {
        len(_characters(segment)): "length-characters",
        size + 4: "length-includes-crc",
        size + 6: "length-includes-crc-and-tail",
        size + 10: "length-whole-frame",
        size + 12: "length-whole-frame",
        parameters: "length-parameters-only",
        parameters - len(b"CP="): "length-parameters-only",
        area: "length-parameters-only",
    }
    if declared not in conventions and int(digits, 16) == size:
        return "length-hexadecimal"
    return conventions.get(declared, "length-mismatch")


def _characters(data: bytes) -> str:
    for encoding in ("utf-8", "gbk"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _examine_crc(outline: Outline) -> Iterator[Deviation]:
    text = outline.frame.crc_text
    right = crc16(outline.segment)
    at, size = outline.end, len(text)
    shown, expected = outline.quote(at, at + size), f"{right:04X}"
    if not text:
        yield note("crc-missing", at, 0, "", expected)
        return
    if not _HEX.match(text):
        yield note("crc-not-hexadecimal", at, size, shown, expected)
        return
    if len(text) < 4:
        code = "crc-unpadded" if int(text, 16) == right else "crc-short"
        yield note(code, at, size, shown, expected)
    elif int(text, 16) != right:
        yield note(_crc_mistake(int(text, 16), outline), at, size, shown, expected)
    if text != text.upper():
        yield note("crc-lower-case", at, size, shown, shown.upper())


def _crc_mistake(found: int, outline: Outline) -> str:
    """Return by which other computation a check value would be right, or that by none."""
    right = crc16(outline.segment)
    modbus = modbus_crc16(outline.segment)
    mistakes = {
        swap_bytes(right): "crc-swapped",
        modbus: "crc-modbus",
        swap_bytes(modbus): "crc-modbus-swapped",
        crc16(outline.frame.raw[: outline.end]): "crc-includes-header",
        crc16(outline.frame.raw[2 : outline.end]): "crc-includes-header",
    }
    return mistakes.get(found, "crc-mismatch" if found in POSSIBLE_VALUES else "crc-impossible")


def _examine_tail(outline: Outline) -> Iterator[Deviation]:
    tail = outline.frame.tail
    if tail == b"\r\n" or (outline.cut and not tail):
        return
    code = {b"\n": "tail-lf", b"\r": "tail-cr"}.get(tail, "tail-missing")
    yield note(code, outline.tail_at, len(tail))
