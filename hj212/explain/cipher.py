"""Data areas that look encrypted, and cannot be examined without the key (HJ 212-2025 6.4)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from ..deviations import Deviation
from ..editions import Rules
from .note import note
from .outline import Outline

__all__ = ["examine_encryption"]

#: SM4 works on blocks of this size; a shorter data area is never encrypted.
_BLOCK_BYTES: Final = 16
_CONTROL: Final = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
# How A.2 prints ciphertext; some peers send it so.
_BRACES: Final = re.compile(rb"\{0x[0-9A-Fa-f]{2},")


def examine_encryption(outline: Outline, rules: Rules) -> Iterator[Deviation]:
    """Yield whether the data area is ciphertext: no text, the frame whole, and the check value that of something else.

    The check value is that of the plaintext, so that only the key can tell whether it is right.
    """
    frame, segment = outline.frame, outline.segment
    start = segment.find(b"CP=&&") + len(b"CP=&&")
    area = segment[start:-2]
    if (
        rules.encryption is not None
        and start >= len(b"CP=&&")
        and segment.endswith(b"&&")
        and frame.length_ok
        and not frame.crc_ok
        and len(frame.crc_text) == 4
        and len(area) >= _BLOCK_BYTES
        and _is_ciphertext(area)
    ):
        yield note("area-encrypted", outline.start + start, len(area), str(len(area)))


def _is_ciphertext(area: bytes) -> bool:
    if _BRACES.match(area):
        return True
    for encoding in ("utf-8", "gbk"):
        try:
            area.decode(encoding)
        except UnicodeDecodeError:
            continue
        return _CONTROL.search(area) is not None
    return True
