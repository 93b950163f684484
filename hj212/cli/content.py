"""What a frame holds, in words: a line for each field and for each item of the data area."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from stationgate.language import _, pick
from stationgate.layout import display_width, pad

from ..codes import CommandKind
from ..explain import readable_segment
from ..framing import Frame
from ..messages import Message
from ..segment import hide_passwords, parse_segment
from ..tables.commands import command_row
from ..tables.fields import fields
from ..tables.flags import data_flags
from ..times import parse_qn, parse_time
from .shown import clean

__all__ = ["command_title", "field_lines"]


def field_lines(frame: Frame, show_secrets: bool) -> Iterator[str]:
    """Describe what a frame holds, a line for each field and for each item of the data area."""
    message = Message(parse_segment(readable_segment(frame)))
    rows = []
    for pair in message.segment.header:
        name = pair[0].strip()
        row = fields().get(name)
        known = row is not None and row.place == "header"
        value = message.segment.field(name) if known else None
        if row is None or value is None:
            # Another name, or none: it may be a damaged PW.
            shown = (name, "=".join(pair[1:])) if show_secrets else (hide_passwords(name), "***")
            rows.append((clean(shown[0]), _("unknown field"), clean(shown[1]), ""))
            continue
        if not show_secrets:
            value = "***" if name == "PW" else hide_passwords(value)
        rows.append((name, pick(row.zh, row.en), clean(value), _meaning(name, value, message)))
    for item in message.items:
        if any(map(str.strip, texts := ["=".join(pair) for pair in item])):
            rows.append(_item_row(texts, show_secrets))
    first = max((display_width(row[0]) for row in rows if row[1]), default=0)
    second = max((display_width(row[1]) for row in rows), default=0)
    for name, title, value, meaning in rows:
        text = f"{pad(name, first)}  {pad(title, second)}  {value}" if title else value
        yield f"    {text}  {meaning}".rstrip()


def command_title(message: Message) -> str:
    """Name the command; whether it is the station's or the platform's shows in the parameters it carries."""
    up, down = command_row(message.cn, upward=True), command_row(message.cn, upward=False)
    present = {key for key, _ in message.parameters()}
    row = up if up and (down is None or up.kind is CommandKind.INTERACTION or set(up.required) <= present) else down
    return pick(row.name_zh, row.name_en) if row else ""


def _item_row(texts: list[str], show_secrets: bool) -> tuple[str, str, str, str]:
    if not show_secrets:
        texts = [hide_passwords(text) for text in texts]
    key, equals, value = texts[0].partition("=")
    row = fields().get(key.strip())
    if len(texts) == 1 and equals and row and row.place == "parameter":
        meaning = _time_meaning(value.strip()) if row.format == "time" else ""
        return key.strip(), pick(row.zh, row.en), clean(value), meaning
    flags = {text.partition("=")[2].strip() for text in texts if text.partition("=")[0].strip().endswith("-Flag")}
    known = [data_flags()[flag] for flag in sorted(flags - {"N"}) if flag in data_flags()]
    meaning = ", ".join(pick(zh, en) for zh, en in known)
    return "", "", clean(", ".join(texts)), f"({meaning})" if meaning else ""


def _meaning(name: str, value: str, message: Message) -> str:
    if name == "QN":
        with suppress(ValueError):
            return f"{parse_qn(value):%Y-%m-%d %H:%M:%S}.{value[-3:]}"
    if name == "CN":
        return command_title(message)
    if name == "Flag" and message.flag is not None:
        edition = message.edition
        bits = [edition.value if edition else _("unknown edition")]
        bits += [_("wants an answer")] if message.flag & 1 else []
        bits += [_("numbered packet")] if message.flag & 2 else []
        return ", ".join(bits)
    return ""


def _time_meaning(value: str) -> str:
    with suppress(ValueError):
        return f"{parse_time(value):%Y-%m-%d %H:%M:%S}"
    return ""
