"""Messages and bodies made fit for a terminal and for JSON; what is secret is hidden."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from stationgate.language import current, pick

from .. import ptz
from ..deviations import Deviation
from ..errors import Gb28181Error
from ..manscdp.body import Body, Other, Reading, Record, elements_of
from ..manscdp.xml import Node
from ..sdp import Description, Format
from ..sip.message import Headers
from ..tables.commands import command_row
from ..tables.values import meaning, value_of, value_table

__all__ = ["body_json", "body_lines", "clean", "description", "deviation_json", "deviation_line", "header_pairs"]

_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
#: Parts of Authorization that let a password be guessed.
_PROOF: Final = re.compile(r'((?:response|cnonce)\s*=\s*)("[^"]*"|[^,\s]+)', re.IGNORECASE)
#: Tags that hold a password: that of a catalogue item, and those that older devices tell of their configuration.
_SECRET: Final = re.compile(r".*(?:password|passwd|pwd)\Z", re.IGNORECASE)
#: The password in an address, as of an upload.
_IN_URL: Final = re.compile(r"(?<=://)([^/@\s:]*):[^/@\s]*(?=@)")


def clean(text: str) -> str:
    """Return text without what moves a terminal."""
    return _UNPRINTABLE.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def header_pairs(headers: Headers, *, show_secrets: bool) -> list[list[str]]:
    """Return name and value of each header; proofs of passwords as ``***``."""
    pairs = []
    for name, value in headers:
        if not show_secrets and name.lower() in ("authorization", "proxy-authorization"):
            value = _PROOF.sub(r"\1***", value)
        elif not show_secrets and not value:  # a line without a colon stands where names do
            name = _PROOF.sub(r"\1***", name)
        pairs.append([clean(name), clean(value)])
    return pairs


def _value(tag: str, value: Any, show_secrets: bool) -> Any:
    if isinstance(value, Record):
        return _record_json(value, show_secrets)
    if isinstance(value, tuple):
        return [_value(tag, each, show_secrets) for each in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return f"{value:f}" if isinstance(value, Decimal) else _text(tag, str(value), show_secrets)


def _text(tag: str, value: str, show_secrets: bool) -> str:
    """Return the text of an element, known or not, without passwords."""
    if not show_secrets and value:
        value = "***" if _SECRET.match(tag) else _IN_URL.sub(r"\1:***", value)
    return clean(value)


def _record_json(of: Record, show_secrets: bool) -> dict[str, Any]:
    shape: dict[str, Any] = {}
    for row in elements_of(type(of)):
        value = getattr(of, row.python)
        if value is not None and value != ():
            shape[row.tag] = _value(row.tag, value, show_secrets)
    if of.rest:
        shape["rest"] = [_node_json(node, show_secrets) for node in of.rest]
    return shape


def _node_json(node: Node, show_secrets: bool) -> dict[str, Any]:
    shape: dict[str, Any] = {"tag": clean(node.name), "text": _text(node.name, node.text, show_secrets)}
    if node.attributes:
        shape["attributes"] = {clean(name): _text(name, value, show_secrets) for name, value in node.attributes}
    if node.children:
        shape["children"] = [_node_json(child, show_secrets) for child in node.children]
    return shape


def _node_lines(node: Node, indent: str, show_secrets: bool) -> Iterator[str]:
    told = [_text(node.name, node.text, show_secrets)] if node.text else []
    told += [f"{clean(name)}={_text(name, value, show_secrets)}" for name, value in node.attributes]
    yield f"{indent}{clean(node.name)}: {' '.join(told)}".rstrip()
    for child in node.children:
        yield from _node_lines(child, indent + "  ", show_secrets)


def _named(body: Body) -> tuple[str, str]:
    return (body.root, body.cmd_type) if isinstance(body, Other) else (body.ROOT, body.CMD_TYPE)


def body_json(reading: Reading, *, show_secrets: bool) -> dict[str, Any]:
    """Return a MANSCDP body as JSON: tags as on the wire."""
    root, cmd_type = _named(reading.body)
    return {
        "kind": "MANSCDP",
        "root": clean(root),
        "cmd_type": clean(cmd_type),
        "declared": reading.declared,
        "codec": reading.codec,
        "elements": _record_json(reading.body, show_secrets),
        "meanings": [
            {"where": where, "value": value, "zh": zh, "en": en}
            for where, value, (zh, en) in _meanings(reading.body, clean(root), "")
        ],
        "deviations": [deviation_json(each) for each in reading.deviations],
    }


def body_lines(reading: Reading, *, show_secrets: bool) -> Iterator[str]:
    """Yield a MANSCDP body as lines: tag, what it is called, value."""
    root, cmd_type = _named(reading.body)
    row = command_row(root, cmd_type, reading.body.SUB_COMMAND)
    yield f"{clean(root)} {clean(cmd_type)}  {pick(row.zh, row.en) if row else ''}".rstrip()
    yield from _record_lines(reading.body, "  ", show_secrets, "")
    for each in reading.deviations:
        yield f"  {deviation_line(each)}"


def _record_lines(of: Record, indent: str, show_secrets: bool, method: str) -> Iterator[str]:
    method = _alarm_method(of) or method
    for row in elements_of(type(of)):
        value = getattr(of, row.python)
        if value is None or value == ():
            continue
        # Tags are English words; the terms are what Chinese readers know them by.
        label = f"{indent}{row.tag}" + (f" （{row.zh}）" if current() == "zh" else "")
        if isinstance(value, Record):
            yield label
            yield from _record_lines(value, indent + "  ", show_secrets, method)
        elif isinstance(value, tuple):
            yield f"{label}: {len(value)}"
            for each in value:
                if isinstance(each, Record):
                    yield f"{indent}  -"
                    yield from _record_lines(each, indent + "    ", show_secrets, method)
                else:
                    yield f"{indent}  - {_text(row.tag, str(each), show_secrets)}"
        else:
            words = _ptz_words(row.tag, value) or _meaning_words(of, row.tag, value, method)
            yield f"{label}: {_value(row.tag, value, show_secrets)}{words}"
    for node in of.rest:
        yield from _node_lines(node, indent, show_secrets)


def _ptz_words(tag: str, value: Any) -> str:
    if tag != "PTZCmd":
        return ""
    try:
        return f"  = {pick(*ptz.terms(ptz.decode(str(value))[0]))}"
    except Gb28181Error as error:
        return f"  ! {error}"


def _alarm_method(of: Record) -> str:
    """AlarmMethod of a record, by which AlarmType below and beside it is read."""
    value = next((getattr(of, row.python) for row in elements_of(type(of)) if row.tag == "AlarmMethod"), None)
    return str(value or "")


def _meaning_words(of: Record, tag: str, value: Any, method: str) -> str:
    told = meaning(type(of).__name__, tag, str(value), method)
    return f"  = {pick(*told)}" if told else ""


def _meanings(of: Record, path: str, method: str) -> Iterator[tuple[str, str, tuple[str, str]]]:
    """Yield path, value and meaning of each element whose code a table tells."""
    method = _alarm_method(of) or method
    for row in elements_of(type(of)):
        value = getattr(of, row.python)
        where = f"{path}/{row.tag}"
        if isinstance(value, Record):
            yield from _meanings(value, where, method)
        elif isinstance(value, tuple):
            for number, each in enumerate(value):
                if isinstance(each, Record):
                    yield from _meanings(
                        each, f"{where}/{row.item}[{number}]" if row.item else f"{where}[{number}]", method
                    )
        elif value is not None and (told := meaning(type(of).__name__, row.tag, str(value), method)):
            yield where, clean(str(value)), told


def _told(deviation: Deviation) -> str:
    # A line without a colon may be what is left of an Authorization.
    return clean(_PROOF.sub(r"\1***", deviation.text(current())))


def deviation_line(deviation: Deviation) -> str:
    """Return a deviation as a line: code, where it shows, what it is."""
    place = f" {clean(deviation.where)}" if deviation.where else ""
    return f"! {deviation.code}{place}: {_told(deviation)}"


def deviation_json(deviation: Deviation) -> dict[str, Any]:
    """Return a deviation as JSON, its words in the active language."""
    where = {"where": clean(deviation.where)} if deviation.where else {}
    return {"code": deviation.code, "offset": deviation.offset} | where | {"message": _told(deviation)}


def description(described: Description) -> tuple[dict[str, Any], list[str]]:
    """Return a session description as JSON and as lines, what its codes mean beside them."""
    lines, meanings = [], []
    for letter, value in described.lines:
        told = _sdp_meaning(letter, value)
        lines.append(f"  {clean(letter)}={clean(value)}" + (f"  = {pick(*told)}" if told else ""))
        if told:
            meanings.append({"where": f"{letter}=", "value": clean(value), "zh": told[0], "en": told[1]})
    lines += [f"  {deviation_line(each)}" for each in described.deviations]
    shape = {
        "kind": "SDP",
        "lines": [[letter, clean(value)] for letter, value in described.lines],
        "meanings": meanings,
        "deviations": [deviation_json(each) for each in described.deviations],
    }
    return shape, lines


def _sdp_meaning(letter: str, value: str) -> tuple[str, str] | None:
    if letter == "f":
        try:
            told = Format.parse(value).terms()
        except Gb28181Error:
            return None
        return (clean(told[0]), clean(told[1])) if told[0] else None
    code, colon, kind = value.partition(":")
    row = value_of(value_table("SourceType"), kind) if letter == "u" and colon and "/" not in code else None
    return (row.zh, row.en) if row else None
