"""The XML of a body: read safely and repaired where peers are known to break it, and written.

MANSCDP has no DTD, no entities, no namespaces and hardly an attribute, so all of these are refused or set aside; what a
body may cost is bounded before libxml2 sees it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from lxml import etree

from ..deviations import Deviation, note
from ..errors import LocalProtocolError, XmlError
from .charset import Decoded, decode

__all__ = ["LIMITS", "Limits", "Node", "Tree", "escape", "node_of", "parse", "written_node"]

#: An element of lxml. Its published types are not complete, and this module alone deals with it.
Tree: TypeAlias = Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one body may cost. Above it the body is refused with an :class:`~gb28181.errors.XmlError`."""

    body_bytes: int = 1 << 20  #: a catalogue of some 2,000 channels in one message; UDP carries 64 KiB at most
    depth: int = 16  #: the deepest body of the standard has 6 levels (a record plan's time segment)
    elements: int = 100_000  #: 2,000 channels of 50 elements each
    text_characters: int = 65_536  #: of one element or tag; the longest of the standard is an extension of 1,024


LIMITS: Final = Limits()


@dataclass(frozen=True, slots=True)
class Node:
    """An element as it was sent, where no record has a place for it.

    Attributes:
        name: Its tag.
        text: Its text without blanks at either end.
        attributes: Name and value, in order.
        children: The elements in it, in order.
        inside: Whether this is no element of its own, but what the list of this name has beside its items.
    """

    name: str
    text: str = field(default="", repr=False)
    attributes: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    children: tuple[Node, ...] = ()
    inside: bool = False

    def child(self, name: str) -> Node | None:
        """Return the first child of that tag, ``None`` when there is none."""
        return next((child for child in self.children if child.name == name), None)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.children)


# Entities stay what they are and are refused later; comments and processing instructions say nothing here.
_PARSER: Final = etree.XMLParser(
    encoding="utf-8",
    resolve_entities=False,
    load_dtd=False,
    dtd_validation=False,
    no_network=True,
    huge_tree=False,
    remove_blank_text=True,
    remove_comments=True,
    remove_pis=True,
    collect_ids=False,
)

_DOCTYPE = re.compile(r"<!(?:DOCTYPE|ENTITY|ELEMENT|ATTLIST)", re.IGNORECASE)
# What XML 1.0 does not allow at all; a lone surrogate cannot come from a decoder but from a caller's string.
_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ROOT = re.compile(r"<([A-Za-z_:][^\s<>/]{0,127})[^<>]{0,1024}>")
_LOOSE_AMPERSAND = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9A-Fa-f]{1,6});)")
_BAD_REFERENCE = re.compile(r"&(?=#(?:x[0-9A-Fa-f]{1,6}|[0-9]{1,7});)")
# A "<" that opens neither a tag, nor a closing tag, nor a comment or CDATA section.
_LOOSE_LESS = re.compile(r"<(?!/?[A-Za-z_][\w.:-]{0,127}(?:\s[^<>]*)?/?>|!--|!\[CDATA\[|\?)")
_NAME = re.compile(r"[A-Za-z_][\w.-]{0,127}")


def parse(
    raw: bytes, deviations: list[Deviation], charset: str | None = None, limits: Limits = LIMITS
) -> tuple[Tree, Decoded]:
    """Return the root element of a body and its text; add what had to be tolerated to ``deviations``.

    Raises:
        XmlError: If it is no XML even when repaired, has a DTD, or exceeds a limit.
    """
    if len(raw) > limits.body_bytes:
        raise XmlError(f"XML body: expected at most {limits.body_bytes} bytes, found {len(raw)}")
    decoded = decode(raw, deviations, charset)
    text = decoded.text
    _refuse(text, limits)
    try:
        root = _tree(text)
    except etree.XMLSyntaxError as error:
        if "depth" in (error.msg or ""):
            raise XmlError(f"XML body: expected at most {limits.depth} levels of elements, found many more") from None
        root = _repaired(text, deviations)
    return root, decoded


def _refuse(text: str, limits: Limits) -> None:
    """Raise for what must not reach the parser."""
    if not text or text.isspace():
        raise XmlError("XML body: expected a root element, found nothing")
    declared = _DOCTYPE.search(text)
    if declared:
        raise XmlError(f"XML body: expected no document type, found {declared[0]} at character {declared.start()}")
    if len(text) <= limits.text_characters and len(text) <= limits.elements:
        return  # too short to exceed any other limit
    elements = text.count("<") - text.count("</")
    if elements > limits.elements:
        raise XmlError(f"XML body: expected at most {limits.elements} elements, found {elements}")
    longest = max(map(len, text.split("<")))
    if longest > limits.text_characters:
        raise XmlError(f"XML body: expected at most {limits.text_characters} characters in a row, found {longest}")


def _tree(text: str) -> Tree:
    return etree.fromstring(text.encode("utf-8", "surrogatepass"), _PARSER)


def _repaired(text: str, deviations: list[Deviation]) -> Tree:
    """Parse after the repairs of what peers are known to break, the least one that helps; note what was done."""
    noted: list[tuple[str, str]] = []
    for repair in (_cut_ends, _drop_illegal, _escape_ampersands, _escape_less, _escape_references):
        mended, code, found = repair(text)
        if mended == text:
            continue
        text = mended
        if code:
            noted.append((code, found))
        try:
            root = _tree(text)
        except etree.XMLSyntaxError:
            continue
        for code, found in noted:
            note(deviations, Deviation(code, found=found))
        return root
    try:
        return _tree(text)
    except etree.XMLSyntaxError as error:
        raise XmlError(f"XML body: expected well-formed XML, found {_reason(error)}") from None


def _reason(error: etree.XMLSyntaxError) -> str:
    # libxml2 quotes names from the document: short ones are harmless, long ones are cut.
    line, column = error.position
    return f"line {line} column {column}: {(error.msg or 'no XML')[:200]}"


def _cut_ends(text: str) -> tuple[str, str, str]:
    """Cut what stands before the first tag or declaration and behind the root's end."""
    start = text.find("<")
    root = _ROOT.search(text)
    if root is None:
        return text, "", ""
    end = text.rfind(f"</{root[1]}>")
    end = len(text) if end < 0 else end + len(root[1]) + 3
    before, behind = text[:start].strip(), text[end:].strip()
    return text[start:end], "garbage" if before or behind else "", f"{len(before)}, {len(behind)}"


def _drop_illegal(text: str) -> tuple[str, str, str]:
    mended, count = _ILLEGAL.subn("", text)
    return mended, "illegal-character", str(count)


def _escape_ampersands(text: str) -> tuple[str, str, str]:
    mended, count = _LOOSE_AMPERSAND.subn("&amp;", text)
    return mended, "unescaped", f"{count} &"


def _escape_less(text: str) -> tuple[str, str, str]:
    mended, count = _LOOSE_LESS.subn("&lt;", text)
    return mended, "unescaped", f"{count} <"


def _escape_references(text: str) -> tuple[str, str, str]:
    mended, count = _BAD_REFERENCE.subn("&amp;", text)
    return mended, "unescaped", f"{count} &#"


def name_of(element: Tree) -> str:
    """Return an element's tag without a namespace."""
    tag: str = element.tag
    return tag.rpartition("}")[2] if tag[0] == "{" else tag


def attributes_of(element: Tree) -> tuple[tuple[str, str], ...]:
    """Return an element's attributes, a namespace of its tag as ``xmlns``."""
    found = [(name.rpartition("}")[2], value) for name, value in element.items()]
    tag: str = element.tag
    if tag[0] == "{":
        found.insert(0, ("xmlns", tag[1:].partition("}")[0]))
    return tuple(found)


def node_of(element: Tree, levels: int = LIMITS.depth) -> Node:
    """Return an element and all below as it was sent.

    Raises:
        XmlError: If there are more than ``levels`` levels of elements.
    """
    if levels <= 0:
        raise XmlError(f"XML body: expected fewer levels of elements, found more in {name_of(element)}")
    children = tuple([node_of(child, levels - 1) for child in element]) if len(element) else ()
    return Node(name_of(element), (element.text or "").strip(), attributes_of(element), children)


_SPECIAL = re.compile(r"[&<>\r]")
_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}
_IN_ATTRIBUTE: Final = str.maketrans({**_ESCAPES, '"': "&quot;", "\n": "&#10;", "\t": "&#9;"})


def escape(text: str) -> str:
    """Return ``text`` as it stands in an element."""
    return _SPECIAL.sub(lambda found: _ESCAPES[found[0]], text) if _SPECIAL.search(text) else text


def opening(name: str, attributes: tuple[tuple[str, str], ...]) -> str:
    """Return an element's start tag without ``<`` and ``>``.

    Raises:
        LocalProtocolError: If a name is none of XML.
    """
    for known in (name, *(pair[0] for pair in attributes)):
        if not _NAME.fullmatch(known):
            raise LocalProtocolError(f"expected a name of XML, found {known!r}", field=known)
    return name + "".join(f' {key}="{value.translate(_IN_ATTRIBUTE)}"' for key, value in attributes)


def enclose(start: str, name: str, lines: list[str]) -> str:
    """Return a container: its only child beside it in one line, several in a line each."""
    if len(lines) > 1 or (lines and len(start) > len(name)):
        return "\r\n".join((f"<{start}>", *lines, f"</{name}>"))
    return f"<{start}>{''.join(lines)}</{name}>"


def written_node(node: Node) -> str:
    """Return an element that no record describes, as text."""
    start = opening(node.name, node.attributes)
    if not node.children:
        return f"<{start}>{escape(node.text)}</{node.name}>"
    lines = [written_node(child) for child in node.children]
    return enclose(start, node.name, [escape(node.text), *lines] if node.text else lines)


def check_characters(text: str) -> None:
    """Raise LocalProtocolError if a body to write has characters that XML does not allow."""
    found = _ILLEGAL.search(text)
    if found:
        raise LocalProtocolError(f"expected characters of XML, found U+{ord(found[0]):04X} at {found.start()}")
