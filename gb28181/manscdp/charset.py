"""Bytes and text of a body (6.10: GB2312 in 2016, GB18030 in 2022).

GB2312, GBK and GB18030 are one encoding here: each is contained in the next, devices declare any of them for any, and
the codec of GB18030 reads and writes them all. What else is met is UTF-8, declared or not.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Final

from ..deviations import Deviation, note
from ..errors import LocalProtocolError

__all__ = ["AUTO", "CHARSETS", "Decoded", "codec_of", "decode", "encode", "narrow"]

#: Charset of a peer whose declaration says nothing: UTF-8 where the bytes are that, GB18030 otherwise.
AUTO: Final = "auto"

#: The names that a declaration is written with.
CHARSETS: Final = ("GB2312", "GBK", "GB18030", "UTF-8")

_GB: Final = "gb18030"
_UTF8: Final = "utf-8"
_CODECS: Final = {
    **dict.fromkeys(("gb2312", "gb-2312", "gb_2312-80", "gb2312-80", "euc-cn", "gbk", "cp936", "gb18030"), _GB),
    **dict.fromkeys(("utf-8", "utf8"), _UTF8),
}

# A declaration is the first thing in a document; some peers put blanks before it. Its length is bounded so that the
# search ends in a document that never closes it.
_DECLARATION = re.compile(rb"\s*<\?xml\s([^>]{0,256}?)\?>")
_ENCODING = re.compile(rb"""encoding\s*=\s*["']\s*([A-Za-z0-9._-]{1,40})\s*["']""")


@dataclass(frozen=True, slots=True)
class Decoded:
    """The text of a body.

    Attributes:
        text: Without byte order mark and XML declaration.
        codec: The Python codec that read it: ``"ascii"``, ``"gb18030"`` or ``"utf-8"``.
        declared: The encoding that the declaration names, as written; empty where it names none.
    """

    text: str
    codec: str
    declared: str


def codec_of(charset: str) -> str | None:
    """Return the Python codec for a charset's name (``"gb18030"`` or ``"utf-8"``); ``None`` for any other name.

    >>> codec_of("GB2312"), codec_of("utf8"), codec_of("latin-1")
    ('gb18030', 'utf-8', None)
    """
    return _CODECS.get(charset.strip().lower())


def decode(raw: bytes, deviations: list[Deviation], charset: str | None = None) -> Decoded:
    """Return the text of a body's bytes; add what was wrong with them to ``deviations``.

    The declaration decides between UTF-8 and the GB encodings; what is declared GB and cannot be that, but is UTF-8, is
    read as UTF-8. Bytes that are neither become U+FFFD, one for each broken character, and a deviation tells the first.

    Args:
        charset: What is known of the peer: a charset, whatever its declarations say; ``"auto"`` to prefer UTF-8
            wherever the bytes are that; ``None`` to believe the declaration.

    Raises:
        LocalProtocolError: If ``charset`` is no charset of ``CHARSETS``.
    """
    marked = raw.startswith(codecs.BOM_UTF8)
    if marked:
        raw = raw[len(codecs.BOM_UTF8) :]
        note(deviations, Deviation("byte-order-mark"))
    declaration = _DECLARATION.match(raw)
    declared = ""
    start = 0
    if declaration:
        start = declaration.end()
        if not raw.startswith(b"<?xml"):
            note(deviations, Deviation("leading-blanks"))
        named = _ENCODING.search(declaration[1])
        declared = named[1].decode("ascii") if named else ""
    if raw.isascii():
        return Decoded(raw[start:].decode("ascii"), "ascii", declared)
    body = raw[start:]
    codec = _known(charset) if charset not in (None, AUTO) else None
    if codec is None:
        codec = _UTF8 if marked else _chosen(body, declared, charset == AUTO, deviations)
    return Decoded(_text(body, codec, start, deviations), codec, declared)


def encode(text: str, charset: str, *, narrowed: bool = False) -> bytes:
    """Return the bytes of ``text`` as written under a declaration of ``charset``.

    Under a GB name characters beyond it are written as GB18030 has them, which its readers in the field mostly are.

    Args:
        narrowed: Write ``?`` for each character that GB2312 does not have, for peers that know nothing beyond.

    Raises:
        LocalProtocolError: If ``charset`` is no charset of ``CHARSETS``, or the text has a lone surrogate.
    """
    codec = _known(charset)
    if narrowed:
        text = narrow(text)
    try:
        return text.encode(codec)
    except UnicodeEncodeError as error:
        raise LocalProtocolError(f"text cannot be written in {charset}: {error.reason} at {error.start}") from None


def narrow(text: str) -> str:
    """Return ``text`` with ``?`` for each character outside GB2312.

    >>> narrow("萳·北—")
    '?·北—'
    """
    return text if text.isascii() else "".join(map(_narrowed, text))


def _narrowed(character: str) -> str:
    # Python's gb2312 codec has other characters for A1A4 and A1AA (· and —) than that of GB18030: ask for the place.
    if character.isascii():
        return character
    coded = character.encode(_GB, "replace")
    if len(coded) != 2 or coded[1] < 0xA1:
        return "?"
    try:
        coded.decode("gb2312")
    except UnicodeDecodeError:
        return "?"
    return character


def _known(charset: str | None) -> str:
    codec = codec_of(charset or "")
    if codec is None:
        raise LocalProtocolError(f"charset: expected one of {', '.join(CHARSETS)}, found {charset!r}")
    return codec


def _chosen(body: bytes, declared: str, auto: bool, deviations: list[Deviation]) -> str:
    """Choose between UTF-8 and GB18030 for a body with bytes beyond ASCII."""
    codec = codec_of(declared) if declared else _GB
    if codec is None:
        note(deviations, Deviation("charset-unknown", found=declared, expected=", ".join(CHARSETS)))
    is_utf8 = _decodes(body, _UTF8)
    if codec == _UTF8:
        if is_utf8:
            return _UTF8
        # A character cut in two spoils UTF-8 as it spoils GB18030; only what is clean as the other is taken for it.
        if _decodes(body, _GB):
            note(deviations, Deviation("charset-wrong", found="GB18030", expected=declared))
            return _GB
        return _UTF8 if _mostly_utf8(body) else _GB
    if is_utf8:
        is_gb = _decodes(body, _GB)
        if auto or not is_gb:
            note(deviations, Deviation("charset-wrong", found="UTF-8", expected=declared or "GB2312"))
            return _UTF8
        note(deviations, Deviation("charset-doubtful"))
    return _GB


def _decodes(body: bytes, codec: str) -> bool:
    try:
        body.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


def _mostly_utf8(body: bytes) -> bool:
    """Whether fewer characters are broken when ``body`` is read as UTF-8 than as GB18030."""
    return body.decode(_UTF8, "replace").count("\ufffd") <= body.decode(_GB, "replace").count("\ufffd")


def _text(body: bytes, codec: str, start: int, deviations: list[Deviation]) -> str:
    try:
        return body.decode(codec)
    except UnicodeDecodeError as error:
        broken = body[error.start : error.end].hex(" ").upper()
        note(deviations, Deviation("bytes-broken", start + error.start, found=broken, expected=codec))
        return body.decode(codec, "replace")
