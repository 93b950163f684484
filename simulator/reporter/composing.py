"""Messages as a station of a fleet composes them: quickly, and known without being taken apart."""

from __future__ import annotations

from functools import cache

from hj212 import RULES, Message, Segment, compose
from hj212.codes import CipherForm
from hj212.encryption import Key, area_span, encrypt_segment

__all__ = ["Own", "back_filled", "encrypted", "form"]


class Own(Message):
    """A message that a station composed: what is asked of it all the time is known without taking it apart.

    Whoever changes its segment makes a new message of it.
    """

    __slots__ = ("cn", "mn", "qn", "wants_answer")

    cn: str
    mn: str
    qn: str
    wants_answer: bool


@cache
def form(header_fields: tuple[str, ...], flag_version: int, answer: bool) -> str:
    """Return the text of a message of an edition, with names where its own things go."""
    rules = next(r for r in RULES.values() if (r.header_fields, r.flag_version) == (header_fields, flag_version))
    qn, st, cn, pw, mn, area = (f"%({name})s" for name in ("qn", "st", "cn", "pw", "mn", "area"))
    return bytes(compose(rules, qn=qn, st=st, cn=cn, pw=pw, mn=mn, items=[[[area]]], answer=answer)).decode()


def encrypted(frame: bytes, key: Key, form: CipherForm) -> bytes:
    """Return a frame with its data area encrypted: check value, tail and a wrong length stay as they are.

    What has no data area to encrypt, because of a fault, goes out as it is.
    """
    end = frame.rfind(b"&&") + 2
    segment = frame[6:end]
    if not frame.startswith(b"##") or area_span(segment) is None:
        return frame
    hidden = encrypt_segment(segment, key, form)
    return b"##%04d%s%s" % (int(frame[2:6]) + len(hidden) - len(segment), hidden, frame[end:])


def back_filled(message: Message) -> Message:
    """Return a copy with the mark of a packet from the back-fill store, the last field before CP."""
    segment = message.segment
    header = [pair for pair in segment.header if pair[0] != "RF"]
    return Message(Segment([*header, ["RF", "1"]], segment.items, segment.opening, segment.closing, segment.trailer))
