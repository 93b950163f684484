"""Encryption of data areas: SM4, ECB, no padding (HJ 212-2025 6.4, A.2), and the credentials of Annex H.

::

    QN=..;...;CP=&&DataTime=..;a01011-Rtd=1.35,a01011-Flag=N&&
                   `-- every whole block of 16 --'`-tail-'

Only what stands between ``CP=&&`` and the final ``&&`` is encrypted, and of that only whole blocks: what remains, less
than 16 bytes, stays clear. The length does not change. The check value is that of the plaintext segment, and nothing
announces encryption, so whoever reads finds out by the check value whether, and with which key, an area is encrypted.

A.2 prints ciphertext as ``{0xE4,0x3E,...}``. By the lengths it prints, the wire carries the bytes themselves
(:attr:`CipherForm.RAW`, unconfirmed); peers that took the print for the wire form are read, and written to with
:attr:`CipherForm.BRACES`: ``dataclasses.replace(rules, encryption=replace(rules.encryption, form=CipherForm.BRACES))``.

ECB without a check of its own hides neither repetition nor change, and PW stays in clear: this is the standard's
encryption, not a secure channel. The library ``cryptography`` is loaded when the first key is used.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from .codes import CipherForm
from .crc import crc16
from .editions import Rules
from .errors import LocalProtocolError
from .framing import Frame

__all__ = [
    "BLOCK_BYTES",
    "MAX_KEYS",
    "CipherForm",
    "Key",
    "Opened",
    "area_span",
    "encrypt_frame",
    "encrypt_segment",
    "multimedia_credentials",
    "must_encrypt",
    "open_frame",
    "plain_frame",
    "sm4_decrypt",
    "sm4_encrypt",
]

#: Size of a block and of a key.
BLOCK_BYTES: Final = 16
#: How many keys are tried on one frame: a station has one, and a former one for a while.
MAX_KEYS: Final = 8

_OPEN = b"CP=&&"
_CLOSE = b"&&"
_BRACES = re.compile(rb"\{(0x[0-9A-Fa-f]{2}(?:,0x[0-9A-Fa-f]{2})*)\}")


@dataclass(frozen=True, slots=True)
class Key:
    """One SM4 key.

    Attributes:
        value: Its 16 bytes; never shown.

    Raises:
        ValueError: If it has another length.
    """

    value: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.value) != BLOCK_BYTES:
            raise ValueError(f"an SM4 key has {BLOCK_BYTES} bytes, this one {len(self.value)}")

    @classmethod
    def parse(cls, text: str) -> Key:
        """Read a key as people write it: 32 hexadecimal digits, or the 16 characters of NewSK.

        Raises:
            ValueError: If it is neither.
        """
        text = text.strip()
        if re.fullmatch("[0-9A-Fa-f]{32}", text):
            return cls(bytes.fromhex(text))
        if len(text) == BLOCK_BYTES and text.isascii():
            return cls(text.encode("ascii"))
        raise ValueError(f"a key is 32 hexadecimal digits or 16 ASCII characters, not {len(text)} characters")

    @property
    def patterned(self) -> bool:
        """Whether it is a fixed or patterned value, which 6.4.3 forbids: one sign repeated, or all of them in a row."""
        steps = {(after - before) % 256 for before, after in zip(self.value, self.value[1:], strict=False)}
        period = next(size for size in (1, 2, 4, 8, 16) if self.value == self.value[:size] * (BLOCK_BYTES // size))
        return len(steps) == 1 or period < BLOCK_BYTES


@dataclass(frozen=True, slots=True)
class Opened:
    """What a frame turned out to hold.

    Attributes:
        segment: The data segment in plaintext.
        form: How its data area was encrypted; ``None`` for one that travelled in clear.
        key: The key that opened it; ``None`` for one that travelled in clear.
    """

    segment: bytes
    form: CipherForm | None = None
    key: Key | None = None


def must_encrypt(rules: Rules, cn: str, upward: bool) -> bool:
    """Return whether the edition wants the data area of a command encrypted (6.4.4).

    On a private network it is a recommendation, over the Internet a duty (6.4.1); which network it is nobody but the
    caller knows.

    Args:
        rules: The edition.
        cn: Command code.
        upward: Whether the station sends it.
    """
    encryption = rules.encryption
    if encryption is None or not (cn.isascii() and cn.isdigit()):
        return False
    ranges = encryption.upward if upward else encryption.downward
    return any(first <= int(cn) <= last for first, last in ranges)


def sm4_encrypt(key: Key, data: bytes) -> bytes:
    """Encrypt every whole block of ``data``; a remainder shorter than a block stays as it is."""
    return _blocks(_cipher(key).encryptor(), data)


def sm4_decrypt(key: Key, data: bytes) -> bytes:
    """Undo :func:`sm4_encrypt`."""
    return _blocks(_cipher(key).decryptor(), data)


def area_span(segment: bytes) -> tuple[int, int] | None:
    """Return where the data area of a segment starts and ends; ``None`` where ``CP=&&`` or the final ``&&`` lacks."""
    start = segment.find(_OPEN)
    end = len(segment) - len(_CLOSE)
    if start < 0 or start + len(_OPEN) > end or not segment.endswith(_CLOSE):
        return None
    return start + len(_OPEN), end


def encrypt_segment(segment: bytes, key: Key, form: CipherForm = CipherForm.RAW) -> bytes:
    """Encrypt the data area of a segment.

    Raises:
        LocalProtocolError: If the segment has no data area between ``CP=&&`` and a final ``&&``.
    """
    span = area_span(segment)
    if span is None:
        raise LocalProtocolError("no data area between CP=&& and a final && to encrypt", field="CP")
    start, end = span
    area = sm4_encrypt(key, segment[start:end])
    if form is CipherForm.BRACES:
        area = _in_braces(area)
    return segment[:start] + area + segment[end:]


def encrypt_frame(segment: bytes, key: Key, form: CipherForm = CipherForm.RAW) -> bytes:
    """Return the frame of a plaintext segment, its data area encrypted, its check value that of the plaintext.

    Raises:
        LocalProtocolError: If there is no data area, or the length no longer fits the length field.
    """
    data = encrypt_segment(segment, key, form)
    if len(data) > 9999:
        raise LocalProtocolError(f"a data segment holds at most 9999 bytes, this one {len(data)}", field="CP")
    return b"##%04d%s%04X\r\n" % (len(data), data, crc16(segment))


def open_frame(frame: Frame, keys: Sequence[Key]) -> Opened | None:
    """Find out what a frame holds: in clear, or encrypted with one of some keys, as bytes or in braces.

    The check value has only 256 possible values, so one wrong key in 256 would seem right. Where several readings have
    the right check value, the one whose data area is text wins; among those the first, in clear before encrypted.

    Args:
        frame: A frame whose length field is right.
        keys: The keys to try, the most likely first; at most :data:`MAX_KEYS` are.

    Returns:
        What it holds; ``None`` where no reading has the right check value.
    """
    if not frame.length_ok or not frame.crc_text:
        return None
    readings = [Opened(frame.segment)] if frame.crc_ok else []
    span = area_span(frame.segment)
    if span is not None and keys and not (readings and _is_text(frame.segment)):
        expected = int(frame.crc_text, 16) if re.fullmatch(rb"[0-9A-Fa-f]{4}", frame.crc_text) else None
        readings += [each for each in _readings(frame.segment, span, keys) if crc16(each.segment) == expected]
    return next((each for each in readings if _is_text(each.segment)), readings[0] if readings else None)


def plain_frame(frame: Frame, opened: Opened) -> Frame:
    """Return the frame that the plaintext would have made, for whoever explains or shows it.

    Offsets in it are those of the frame itself, except behind an area in braces.
    """
    if opened.form is None:
        return frame
    at = frame.segment_offset
    head = frame.raw[:at] if opened.form is CipherForm.RAW else b"##%04d" % len(opened.segment)
    raw = head + opened.segment + frame.crc_text + frame.tail
    return Frame(raw, frame.offset, len(opened.segment), opened.segment, frame.crc_text, frame.tail)


def multimedia_credentials(user: str, password: str, key: Key) -> str:
    """Return the credentials of a multimedia transfer: SM4-ECB with PKCS7 padding, Base64 (HJ 212-2025 H.1.2).

    Unlike the encryption of data areas this one pads.
    """
    from cryptography.hazmat.primitives.padding import PKCS7

    padder = PKCS7(BLOCK_BYTES * 8).padder()
    padded = padder.update(f"{user}:{password}".encode()) + padder.finalize()
    return b64encode(sm4_encrypt(key, padded)).decode("ascii")


def _readings(segment: bytes, span: tuple[int, int], keys: Sequence[Key]) -> list[Opened]:
    start, end = span
    area = segment[start:end]
    braces = _BRACES.match(area)
    forms = [(CipherForm.RAW, area)]
    if braces:
        listed = bytes(int(text, 16) for text in braces.group(1).split(b","))
        forms.append((CipherForm.BRACES, listed + area[braces.end() :]))
    return [
        Opened(segment[:start] + sm4_decrypt(key, data) + segment[end:], form, key)
        for key in keys[:MAX_KEYS]
        for form, data in forms
        if len(data) >= BLOCK_BYTES
    ]


def _is_text(segment: bytes) -> bool:
    """Return whether a segment reads as text without control characters."""
    try:
        text = segment.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return text.isprintable()


def _in_braces(area: bytes) -> bytes:
    whole = len(area) - len(area) % BLOCK_BYTES
    if not whole:
        return area
    return b"{" + b",".join(b"0x%02X" % byte for byte in area[:whole]) + b"}" + area[whole:]


def _cipher(key: Key) -> Any:
    # Imported here: it is a large library, and no other edition needs it.
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import SM4
    from cryptography.hazmat.primitives.ciphers.modes import ECB

    return Cipher(SM4(key.value), ECB())


def _blocks(worker: Any, data: bytes) -> bytes:
    whole = len(data) - len(data) % BLOCK_BYTES
    done: bytes = worker.update(data[:whole]) + worker.finalize()
    return done + data[whole:]
