"""What ``hj212 encode`` does: JSON objects to frames, and what the user should know about those."""

from __future__ import annotations

import json
from collections.abc import Iterator

from stationgate.exits import DataFault
from stationgate.language import _, current
from stationgate.textfile import encoding_of

from ..editions import HJ_212_2017, Edition, rules_of
from ..explain import examine
from ..framing import Frame, Framer
from ..jsonform import FormError, from_json
from ..messages import Message
from .shown import clean

__all__ = ["encode_all"]


def encode_all(data: bytes) -> tuple[list[bytes], list[str]]:
    """Return the frames that JSON text describes, and notes about them for the user.

    Raises:
        DataFault: If it is no JSON, describes no frame, or one that cannot be.
    """
    notes: list[str] = []
    frames = [_frame_of(value, number, notes) for number, value in enumerate(_read_json(data), 1)]
    if not frames:
        raise DataFault(_("the input holds no JSON object."), _("Make it with: hj212 decode FILE --json"))
    return frames, notes


def _read_json(data: bytes) -> Iterator[object]:
    """Yield the JSON objects of an input: one, several one after the other, or lists of them."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataFault(_not_utf8(data), _("Make it with: hj212 decode FILE --json")) from None
    decoder = json.JSONDecoder()
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        try:
            value, at = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError) as error:
            line = text.count("\n", 0, getattr(error, "pos", at)) + 1
            raise DataFault(
                _("line {line} of the input is not JSON.").format(line=line),
                _("Make it with: hj212 decode FILE --json"),
            ) from None
        yield from value if isinstance(value, list) else [value]


def _not_utf8(data: bytes) -> str:
    """Say what the input is instead: PowerShell's ``>`` writes UTF-16, a Chinese console GBK."""
    encoding = encoding_of(data)
    if encoding:
        return _("the input looks like {encoding}, not UTF-8.").format(encoding=encoding)
    return _("the input is not UTF-8 text.")


def _frame_of(data: object, number: int, notes: list[str]) -> bytes:
    """Return the frame that JSON data describe; note what the user should know about it."""
    try:
        raw, set_aside = from_json(data)
    except FormError as error:
        raise DataFault(
            _("frame {number}: {problem}").format(number=number, problem=_problem(error)), _hint(error)
        ) from error
    if set_aside:
        text = _("Frame {number}: the fields no longer agree with 'raw'; built from the fields.")
        notes.append(text.format(number=number))
    if set_aside or not (isinstance(data, dict) and data.get("raw")):
        notes += _check(raw, number)
    return raw


def _check(raw: bytes, number: int) -> Iterator[str]:
    """Refuse a frame built here that is larger than the standard allows; say what else is unusual about it."""
    framer = Framer()
    (frame,) = (item for item in (*framer.feed(raw), *framer.finish()) if isinstance(item, Frame))
    rules = rules_of(Message.from_bytes(frame.segment).flag, HJ_212_2017)
    for deviation in examine(frame, rules):
        text = deviation.text(current())
        if deviation.code in ("segment-too-long", "parameters-too-long"):
            raise DataFault(_("frame {number}: {problem}").format(number=number, problem=f"{text}."))
        yield _("Frame {number}: {text}").format(number=number, text=text)


def _problem(error: FormError) -> str:
    texts = {
        "not-an-object": _("a JSON object was expected."),
        "unknown-key": _("there is no member '{field}'."),
        "not-text": _("'{field}' must be text or a whole number."),
        "items-shape": _("'items' must be a list of items, each a list of [key, value] pairs."),
        "edition": _("'edition' must be one of {editions}."),
        "masked": _("the password is hidden (***) and there is no 'raw' to take it from."),
        "separator": _("'{field}' holds a sign that separates values; HJ 212 has no way to escape it."),
        "raw": _("'raw' is not the base64 of one frame."),
        "too-long": _("the data segment is longer than the 9999 bytes that a length field can say."),
    }
    editions = ", ".join(edition.value for edition in Edition)
    return texts[error.problem].format(field=clean(error.field), editions=editions)


def _hint(error: FormError) -> str:
    if error.problem == "masked":
        return _("Decode with --show-secrets, or write the password into 'pw'.")
    return ""
