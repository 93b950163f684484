"""Frames <-> JSON objects, the form of ``hj212 decode --json`` and ``hj212 encode``.

One object per frame: ``edition, qn, st, cn, pw, mn, flag, pnum, pno, items, crc_ok, length_ok, deviations``. ``items``
is the data area in wire order, a list of items of ``[key, value]`` pairs, the value ``null`` where the ``=`` is
missing. ``rf`` stands behind ``pno`` where the frame has RF, ``remarks`` behind ``deviations`` where they were asked
for and there are any. Other absent fields are ``null``; numbers written plainly are numbers, anything else is the text
as sent. Undecodable bytes are backslash-escaped. Passwords are ``***`` unless asked for; then ``raw``, the frame in
base64, is added, so that the way back is exact.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from .deviations import Deviation
from .editions import HJ_212_2017, RULES, Edition, Rules
from .errors import LocalProtocolError
from .explain import examine, readable_segment, remarks
from .framing import Frame, Framer, build_frame
from .messages import Message
from .segment import Pair, Segment, format_segment, hide_passwords, parse_segment

__all__ = ["FormError", "FormProblem", "build", "from_json", "to_json"]

MASK: Final = "***"
#: JSON key -> header field.
FIELDS: Final = {
    "qn": "QN",
    "st": "ST",
    "cn": "CN",
    "pw": "PW",
    "mn": "MN",
    "flag": "Flag",
    "pnum": "PNUM",
    "pno": "PNO",
    "rf": "RF",
}
_NUMBERS = ("flag", "pnum", "pno", "rf")
_ONLY_WHEN_PRESENT = frozenset({"rf"})
_MASKED = re.compile(r"(?:PW|NewSK)\s*=?\s*\*\*\*", re.IGNORECASE)
_OTHER_KEYS = frozenset({"edition", "items", "crc_ok", "length_ok", "deviations", "remarks", "encrypted", "raw"})

FormProblem = Literal[
    "not-an-object",  # something else than a JSON object
    "unknown-key",
    "not-text",  # a header field is neither text nor a whole number
    "items-shape",  # `items` is no list of lists of [key, value]
    "edition",  # no edition of that name
    "masked",  # a password is hidden and there is no `raw`
    "separator",  # a value holds a sign that separates values; there is no escaping
    "raw",  # `raw` is not the base64 of one frame
    "too-long",  # more than four length digits can say
]


class FormError(LocalProtocolError):
    """A JSON object cannot become a frame.

    Attributes:
        problem: Why.
    """

    def __init__(self, problem: FormProblem, field: str = "") -> None:
        super().__init__(f"{field}: {problem}" if field else problem, field=field)
        self.problem: FormProblem = problem


def to_json(
    frame: Frame, rules: Rules, lang: Literal["zh", "en"], *, show_secrets: bool = False, with_remarks: bool = False
) -> dict[str, Any]:
    """Return a frame, intact or damaged, as JSON data.

    Args:
        rules: The edition by which deviations are told.
        lang: The language of their messages.
        show_secrets: Whether to show passwords and add ``raw``.
        with_remarks: Whether to add ``remarks``, in the shape of ``deviations``, where there are any.
    """
    message = Message(parse_segment(readable_segment(frame)))
    data: dict[str, Any] = {"edition": message.edition and message.edition.value}
    data |= _fields(message, show_secrets)
    data["crc_ok"] = frame.crc_ok
    data["length_ok"] = frame.length_ok
    data["deviations"] = [_told(deviation, lang) for deviation in examine(frame, rules)]
    if with_remarks and (found := remarks(frame, rules)):
        data["remarks"] = [_told(remark, lang) for remark in found]
    if show_secrets:
        data["raw"] = base64.b64encode(frame.raw).decode("ascii")
    return data


def _told(deviation: Deviation, lang: Literal["zh", "en"]) -> dict[str, Any]:
    return {"code": deviation.code, "offset": deviation.offset, "message": deviation.text(lang)}


def from_json(data: object) -> tuple[bytes, bool]:
    """Return the bytes of the frame that JSON data describe.

    ``raw`` is used only while every field given beside it still agrees with it; else, and without it, the frame is
    built from the fields as they are, length and check value computed anew.

    Returns:
        The frame, and whether a ``raw`` had to be set aside.

    Raises:
        FormError: If the data do not describe a frame.
    """
    if not isinstance(data, Mapping):
        raise FormError("not-an-object")
    for key in data:
        if key not in FIELDS and key not in _OTHER_KEYS:
            raise FormError("unknown-key", str(key))
    wanted = {key: _text(key, data[key]) for key in FIELDS if data.get(key) is not None}
    items = _items(data.get("items") or [])
    raw = data.get("raw")
    if raw is None:
        return build(wanted, items, _edition(data.get("edition"))), False
    frame = _raw_frame(raw)
    if _agrees(frame, data, wanted, items):
        return frame.raw, False
    return build(wanted, items, _edition(data.get("edition"))), True


def build(fields: Mapping[str, str], items: list[list[Pair]], edition: Edition | None = None) -> bytes:
    """Return a frame with these header fields, keys as in :data:`FIELDS`, in the order of the edition.

    Raises:
        FormError: If a password is masked, a value holds a separator, or it is too long for any frame.
    """
    texts = [f"{FIELDS[key]}={value}" for key, value in fields.items()]
    texts += ["=".join(pair) for item in items for pair in item]
    if any(map(_MASKED.search, texts)):
        raise FormError("masked", "pw")
    rules = RULES.get(edition, HJ_212_2017) if edition else HJ_212_2017
    names = {name: fields[key] for key, name in FIELDS.items() if key in fields}
    header = [[name, names[name]] for name in rules.header_fields if name in names]
    header += [[name, text] for name, text in names.items() if name not in rules.header_fields]
    segment = Segment(header, items, ";CP=&&" if header else "CP=&&")
    data = format_segment(segment)
    again = parse_segment(data)
    if again != segment:
        raise FormError("separator", _first_difference(segment, again))
    try:
        return build_frame(data)
    except ValueError as error:
        raise FormError("too-long") from error


def _fields(message: Message, show_secrets: bool) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for key, name in FIELDS.items():
        text = message.segment.field(name)
        if text is None and key in _ONLY_WHEN_PRESENT:
            continue
        if text is not None and not show_secrets:
            text = MASK if key == "pw" else hide_passwords(text)
        shown[key] = _plain_number(text) if key in _NUMBERS else None if text is None else _escaped(text)
    shown["items"] = [[_pair(pair, show_secrets) for pair in item] for item in message.items]
    return shown


def _pair(pair: Pair, show_secrets: bool) -> list[str | None]:
    text = "=".join(pair) if show_secrets else hide_passwords("=".join(pair))
    key, equals, value = _escaped(text).partition("=")
    return [key, value if equals else None]


def _plain_number(text: str | None) -> int | str | None:
    if text is None:
        return None
    return (
        int(text) if text.isascii() and text.isdigit() and len(text) < 5 and str(int(text)) == text else _escaped(text)
    )


def _escaped(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _text(key: str, value: object) -> str:
    if isinstance(value, str):
        return _encodable(key, value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise FormError("not-text", key)


def _encodable(key: str, text: str) -> str:
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:  # JSON can name half a character, UTF-8 cannot
        raise FormError("not-text", key) from None
    return text


def _items(value: object) -> list[list[Pair]]:
    if not isinstance(value, list) or not all(isinstance(item, list) and item for item in value):
        raise FormError("items-shape", "items")
    return [[_read_pair(pair) for pair in item] for item in value]


def _read_pair(pair: object) -> Pair:
    match pair:
        case [str(key), None]:
            return [_encodable("items", key)]
        case [str(key), str(value)]:
            return [_encodable("items", key), _encodable("items", value)]
        case [str(key), int(value)] if not isinstance(value, bool):
            return [_encodable("items", key), str(value)]
        case _:
            raise FormError("items-shape", "items")


def _edition(value: object) -> Edition | None:
    try:
        return Edition(str(value)) if value is not None else None
    except ValueError:
        raise FormError("edition", "edition") from None


def _raw_frame(raw: object) -> Frame:
    try:
        data = base64.b64decode(raw, validate=True) if isinstance(raw, str) else b""
    except (binascii.Error, ValueError):
        data = b""
    framer = Framer()
    found = [*framer.feed(data), *framer.finish()]
    if len(found) != 1 or not isinstance(found[0], Frame):
        raise FormError("raw", "raw")
    return found[0]


def _agrees(frame: Frame, data: Mapping[str, Any], wanted: Mapping[str, str], items: list[list[Pair]]) -> bool:
    there = _fields(Message(parse_segment(readable_segment(frame))), show_secrets=True)
    for key in FIELDS:
        if key in data and not (key == "pw" and wanted.get(key) == MASK):
            text = None if there.get(key) is None else str(there[key])
            if wanted.get(key) != text:
                return False
    return "items" not in data or [[[*pair, None][:2] for pair in item] for item in items] == there["items"]


def _first_difference(segment: Segment, again: Segment) -> str:
    names = {name: key for key, name in FIELDS.items()}
    for wanted, found in zip(segment.header, again.header, strict=False):
        if wanted != found:
            return names[wanted[0]]
    return "items"
