"""Messages and bodies made fit for a terminal and for JSON; what is secret is hidden."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from stationgate.language import pick

from .. import ptz
from ..errors import Gb28181Error
from ..manscdp.body import Body, Other, Reading, Record, elements_of
from ..manscdp.xml import Node
from ..sip.message import Headers

__all__ = ["body_json", "body_lines", "clean", "header_pairs"]

_UNPRINTABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
#: Parts of Authorization that let a password be guessed.
_PROOF: Final = re.compile(r'((?:response|cnonce)\s*=\s*)("[^"]*"|[^,\s]+)', re.IGNORECASE)
_SECRET: Final = frozenset(("password",))


def clean(text: str) -> str:
    """Return text without what moves a terminal."""
    return _UNPRINTABLE.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def header_pairs(headers: Headers, *, show_secrets: bool) -> list[list[str]]:
    """Return name and value of each header; proofs of passwords as ``***``."""
    pairs = []
    for name, value in headers:
        if not show_secrets and name.lower() in ("authorization", "proxy-authorization"):
            value = _PROOF.sub(r"\1***", value)
        pairs.append([clean(name), clean(value)])
    return pairs


def _value(python: str, value: Any, show_secrets: bool) -> Any:
    if isinstance(value, Record):
        return _record_json(value, show_secrets)
    if isinstance(value, tuple):
        return [_value(python, each, show_secrets) for each in value]
    if python in _SECRET and not show_secrets and value:
        return "***"
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return f"{value:f}" if isinstance(value, Decimal) else clean(str(value))


def _record_json(of: Record, show_secrets: bool) -> dict[str, Any]:
    shape: dict[str, Any] = {}
    for row in elements_of(type(of)):
        value = getattr(of, row.python)
        if value is not None and value != ():
            shape[row.tag] = _value(row.python, value, show_secrets)
    if of.rest:
        shape["rest"] = [_node_json(node) for node in of.rest]
    return shape


def _node_json(node: Node) -> dict[str, Any]:
    shape: dict[str, Any] = {"tag": clean(node.name), "text": clean(node.text)}
    if node.children:
        shape["children"] = [_node_json(child) for child in node.children]
    return shape


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
        "deviations": [dataclasses.asdict(each) for each in reading.deviations],
    }


def body_lines(reading: Reading, *, show_secrets: bool) -> Iterator[str]:
    """Yield a MANSCDP body as lines: tag, what it is called, value."""
    root, cmd_type = _named(reading.body)
    title = (type(reading.body).__doc__ or "").strip().splitlines()[0]
    yield f"{clean(root)} {clean(cmd_type)}  {title if type(reading.body) is not Other else ''}".rstrip()
    yield from _record_lines(reading.body, "  ", show_secrets)
    for each in reading.deviations:
        yield f"  ! {each.code} {each.where}: {clean(each.message)}"


def _record_lines(of: Record, indent: str, show_secrets: bool) -> Iterator[str]:
    for row in elements_of(type(of)):
        value = getattr(of, row.python)
        if value is None or value == ():
            continue
        label = f"{indent}{row.tag} {pick(f'（{row.zh}）', '')}".rstrip()
        if isinstance(value, Record):
            yield label
            yield from _record_lines(value, indent + "  ", show_secrets)
        elif isinstance(value, tuple):
            yield f"{label}: {len(value)}"
            for each in value:
                if isinstance(each, Record):
                    yield f"{indent}  -"
                    yield from _record_lines(each, indent + "    ", show_secrets)
                else:
                    yield f"{indent}  - {clean(str(each))}"
        else:
            yield f"{label}: {_value(row.python, value, show_secrets)}{_ptz_words(row.tag, value)}"
    for node in of.rest:
        yield f"{indent}{clean(node.name)}: {clean(node.text)}"


def _ptz_words(tag: str, value: Any) -> str:
    if tag != "PTZCmd":
        return ""
    try:
        return f"  = {pick(*ptz.terms(ptz.decode(str(value))[0]))}"
    except Gb28181Error as error:
        return f"  ! {error}"
