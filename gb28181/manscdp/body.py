"""How bodies are described, read and written: one mechanism for every command.

A record is a frozen dataclass whose fields are made by :func:`element`; each field carries its row: tag, Chinese term,
what it holds, and what each edition demands. From the rows the one reader and the one writer work. What a record has no
place for, an unknown element or a value of another kind, is kept in ``rest`` and written again behind the rest.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, ClassVar, Final, TypeVar, dataclass_transform

from ..deviations import Deviation, note
from ..editions import GBT_28181_2022, Edition, Rules
from ..errors import LocalProtocolError, XmlError
from .charset import encode
from .xml import LIMITS, Node, Tree, attributes_of, check_characters, enclose, escape, name_of, node_of, opening, parse
from .xml import written_node as written

__all__ = [
    "BODIES",
    "Body",
    "Element",
    "Kind",
    "Need",
    "Other",
    "Reading",
    "Record",
    "body",
    "element",
    "elements_of",
    "read",
    "record",
    "write",
]


class Need(Enum):
    """What an edition demands of an element."""

    MANDATORY = "M"
    CONDITIONAL = "C"
    OPTIONAL = "O"
    ABSENT = "-"  #: the edition does not have it


class Kind(Enum):
    """What an element holds; in Python text, unless said otherwise."""

    TEXT = "text"
    ID = "id"  #: 2, 4, 6, 8, 10 or 20 digits
    INTEGER = "integer"  #: ``int``
    DECIMAL = "decimal"  #: ``Decimal`` with its printed digits
    DATETIME = "dateTime"  #: ``2026-01-02T03:04:05``; :mod:`gb28181.times` converts
    SWITCH = "ON/OFF"
    RESULT = "OK/ERROR"


_FORMS: Final = {
    Kind.ID: re.compile(r"(?:[0-9]{2}){1,5}\Z|[0-9]{20}\Z", re.ASCII),
    Kind.DATETIME: re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\Z", re.ASCII),
    Kind.SWITCH: re.compile(r"(?:ON|OFF)\Z"),
    Kind.RESULT: re.compile(r"(?:OK|ERROR)\Z"),
}
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}\Z", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})\Z", re.ASCII)
#: Elements that may stand more than once: no list of the standard is longer.
MANY: Final = 10_000


class PrintedInt(int):
    """A whole number that was printed otherwise than Python prints it: ``0017``."""

    text: str

    def __new__(cls, text: str) -> PrintedInt:
        number = super().__new__(cls, text)
        number.text = text
        return number

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """The row of one element.

    Attributes:
        tag: Its name on the wire.
        python: Name of the field.
        zh: 含义.
        kind: What it holds, or the record class.
        needs: What each edition demands, in the order of :class:`~gb28181.editions.Edition`.
        item: Tag of the items where ``tag`` is a list; empty where it is none.
        count: Attribute with the number of items; empty for none.
        most: How many there may be; above 1 the field is a tuple.
        spelling: Field of :class:`~gb28181.editions.Rules` with the edition's tag, where the editions spell it apart.
        aliases: Other spellings that are met.
    """

    tag: str
    python: str
    zh: str
    kind: Kind | type[Record]
    needs: tuple[Need, ...]
    item: str = ""
    count: str = ""
    most: int = 1
    spelling: str = ""
    aliases: tuple[str, ...] = ()

    def need(self, edition: Edition) -> Need:
        """What an edition demands."""
        return self.needs[_PLACE[edition]]

    def wire_tag(self, rules: Rules) -> str:
        """The tag as an edition spells it."""
        return str(getattr(rules, self.spelling)) if self.spelling else self.tag


_PLACE: Final = {edition: number for number, edition in enumerate(Edition)}


def element(
    tag: str,
    zh: str,
    kind: Kind | type[Record] = Kind.TEXT,
    need: str = "O",
    *,
    count: str = "",
    most: int = 1,
    spelling: str = "",
    aliases: str = "",
) -> Any:
    """Return the field of a record with its row.

    Args:
        tag: The tag; ``"DeviceList/Item"`` for a list of items.
        zh: 含义.
        kind: What it holds, or each of its items.
        need: M, C, O or - (absent) for each edition: ``"M/C"``; one letter for both.
        count: Attribute with the number of items.
        most: How many there may be.
        spelling: Field of the rules with the edition's tag.
        aliases: Other spellings, apart by blanks.
    """
    name, _, item = tag.partition("/")
    letters = need.split("/")
    needs = tuple(Need(letters[min(place, len(letters) - 1)]) for place in range(len(Edition)))
    row = {
        "tag": name,
        "zh": zh,
        "kind": kind,
        "needs": needs,
        "item": item,
        "count": count,
        "most": most if not item or most > 1 else MANY,
        "spelling": spelling,
        "aliases": tuple(aliases.split()),
    }
    default = () if most > 1 and not item else None
    return dataclasses.field(default=default, metadata={"row": row})


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What an element with children holds.

    Attributes:
        rest: Elements that have no field, or hold what their field cannot.
    """

    rest: tuple[Node, ...] = dataclasses.field(default=(), repr=False)


_R = TypeVar("_R", bound=type)


@dataclass_transform(frozen_default=True, kw_only_default=True)
def record(cls: _R) -> _R:
    """Make a class a record: frozen, with slots, keyword arguments only."""
    return dataclass(frozen=True, slots=True, kw_only=True)(cls)  # type: ignore[return-value]


#: Made once for each class, when it is first asked for.
_ROWS: dict[Any, tuple[Element, ...]] = {}
_TAGS: dict[Any, dict[str, tuple[Element, bool]]] = {}


def elements_of(cls: type[Record]) -> tuple[Element, ...]:
    """Return the rows of a record class in the standard's order."""
    rows = _ROWS.get(cls)
    if rows is None:
        rows = _ROWS[cls] = tuple(
            Element(python=each.name, **each.metadata["row"])
            for each in dataclasses.fields(cls)
            if "row" in each.metadata
        )
    return rows


def _tags(cls: type[Record]) -> dict[str, tuple[Element, bool]]:
    """Return each spelling with its row, and whether it is one of the right ones."""
    tags = _TAGS.get(cls)
    if tags is None:
        tags = _TAGS[cls] = {}
        for row in elements_of(cls):
            for name in (row.tag, *row.aliases):
                tags.setdefault(name.lower(), (row, False))
                tags.setdefault(name, (row, False))
        for row in elements_of(cls):
            tags[row.tag] = (row, True)
    return tags


@record
class Body(Record):
    """A whole body: envelope and content."""

    ROOT: ClassVar[str] = ""
    CMD_TYPE: ClassVar[str] = ""
    SUB_COMMAND: ClassVar[str] = ""

    sn: int | None = element("SN", "命令序列号", Kind.INTEGER, "M")

    def missing(self, rules: Rules) -> tuple[str, ...]:
        """Return the tags of what the edition demands and the body lacks."""
        return tuple(_missing(self, rules))


@record
class Other(Body):
    """A body that no edition describes; kept whole.

    Attributes:
        root: Tag of its root element.
        cmd_type: Its CmdType, empty where it has none.
    """

    root: str = ""
    cmd_type: str = ""
    device_id: str | None = element("DeviceID", "设备编码", Kind.ID, "O")


#: (root, CmdType, sub-command) -> class.
BODIES: dict[tuple[str, str, str], type[Body]] = {}
#: (root, CmdType) -> tags that tell the sub-command, in lower case.
_SUB_COMMANDS: dict[tuple[str, str], dict[str, str]] = {}


@dataclass_transform(frozen_default=True, kw_only_default=True)
def body(root: str, cmd_type: str, sub_command: str = "", *spellings: str) -> Any:
    """Register a class as the record of a body.

    Args:
        root: Control, Query, Notify or Response.
        cmd_type: Value of CmdType.
        sub_command: Element that tells it from others of the same CmdType.
        spellings: Other tags of that element.
    """

    def register(cls: type[Body]) -> type[Body]:
        made: type[Body] = record(cls)
        made.ROOT, made.CMD_TYPE, made.SUB_COMMAND = root, cmd_type, sub_command
        BODIES[root, cmd_type, sub_command] = made
        for tag in (sub_command, *spellings) if sub_command else ():
            _SUB_COMMANDS.setdefault((root, cmd_type), {})[tag.lower()] = sub_command
        return made

    return register


# Reading


@dataclass(frozen=True, slots=True)
class Reading:
    """A body that was read.

    Attributes:
        body: What it says.
        deviations: What was tolerated.
        declared: Charset that the XML declaration names, empty where it names none.
        codec: Python codec that read it: ``"ascii"``, ``"gb18030"`` or ``"utf-8"``.
    """

    body: Body
    deviations: tuple[Deviation, ...]
    declared: str
    codec: str


def read(raw: bytes, *, rules: Rules = GBT_28181_2022, charset: str | None = None) -> Reading:
    """Read a body.

    Args:
        raw: The body of a MESSAGE, SUBSCRIBE or NOTIFY.
        rules: The edition by which deviations are told; every element of any edition is read.
        charset: What is known of the peer's encoding; ``None`` to believe the declaration, ``"auto"`` to prefer UTF-8.

    Raises:
        XmlError: If it is no XML, not even when mended, or exceeds a limit.
    """
    deviations: list[Deviation] = []
    root, decoded = parse(raw, deviations, charset)
    reader = _Reader(rules, deviations)
    return Reading(reader.body(root), tuple(deviations), decoded.declared, decoded.codec)


class _Reader:
    def __init__(self, rules: Rules, deviations: list[Deviation]) -> None:
        self._edition = rules.edition
        self._title = rules.title
        self._deviations = deviations

    def _note(self, code: str, where: str, *, found: str = "", expected: str = "") -> None:
        note(self._deviations, Deviation(code, 0, where, found, expected))

    def body(self, root: Tree) -> Body:
        name = name_of(root)
        kind = next(
            (known for known in ("Control", "Query", "Notify", "Response") if known.lower() == name.lower()), name
        )
        if kind != name:
            self._note("tag-spelling", name, found=name, expected=kind)
        attributes = dict(attributes_of(root))
        for lost in ("CmdType", "SN", "DeviceID"):
            if lost in attributes:
                self._note("attribute", name, found=lost)
        cmd_type = self._cmd_type(root, attributes)
        cls = self._class(root, kind, cmd_type)
        values = self._fields(cls, root, name, skip="cmdtype", levels=LIMITS.depth)
        for lost, python in (("SN", "sn"), ("DeviceID", "device_id")):
            if lost in attributes and values.get(python) is None and any(r.python == python for r in elements_of(cls)):
                value = self._value(
                    Kind.INTEGER if lost == "SN" else Kind.ID, attributes[lost].strip(), f"{name}/{lost}"
                )
                values[python] = value
        if cls is Other:
            values |= {"root": name, "cmd_type": cmd_type}
        return cls(**values)

    def _cmd_type(self, root: Tree, attributes: dict[str, str]) -> str:
        for child in root:
            if name_of(child).lower() == "cmdtype":
                return (child.text or "").strip()
        return attributes.get("CmdType", "").strip()

    def _class(self, root: Tree, kind: str, cmd_type: str) -> type[Body]:
        subs = _SUB_COMMANDS.get((kind, cmd_type))
        if subs:
            for child in root:
                sub = subs.get(name_of(child).lower())
                if sub:
                    return BODIES[kind, cmd_type, sub]
        cls = BODIES.get((kind, cmd_type, ""))
        if cls is None and kind in ("Response", "Notify"):
            # The 2016 example of a catalogue notice has the root of an answer, and the reverse is met too.
            cls = BODIES.get(("Notify" if kind == "Response" else "Response", cmd_type, ""))
            if cls is not None:
                self._note("root", kind, found=kind, expected=f"{cls.ROOT} {cmd_type}")
        return cls or Other

    def _fields(self, cls: type[Record], parent: Tree, path: str, skip: str, levels: int) -> dict[str, Any]:
        if levels <= 0:
            raise XmlError(f"XML body: expected at most {LIMITS.depth} levels of elements, found more in {path}")
        tags = _tags(cls)
        values: dict[str, Any] = {}
        rest: list[Node] = []
        many: dict[str, list[Any]] = {}
        for child in parent:
            name = name_of(child)
            if skip and name.lower() == skip:
                continue
            found = tags.get(name) or tags.get(name.lower())
            if found is None:
                rest.append(node_of(child, levels - 1))
                continue
            row, exact = found
            where = f"{path}/{name}"
            if not exact and name not in row.aliases:
                self._note("tag-spelling", where, found=name, expected=row.tag)
            value = self._element(row, child, where, levels, rest)
            if value is None:
                continue
            if row.most > 1 and not row.item:
                many.setdefault(row.python, []).append(value)
            elif row.python in values:
                self._note("repeated", where, found=row.tag)
                rest.append(node_of(child, levels - 1))
            else:
                values[row.python] = value
                if row.need(self._edition) is Need.ABSENT:
                    self._note("not-in-edition", where, found=row.tag, expected=self._title)
        for python, found_values in many.items():
            values[python] = tuple(found_values)
        if rest:
            values["rest"] = tuple(rest)
        return values

    def _element(self, row: Element, child: Tree, where: str, levels: int, rest: list[Node]) -> Any:
        if row.item:
            return self._list(row, child, where, levels, rest)
        if not isinstance(row.kind, Kind):
            return row.kind(**self._fields(row.kind, child, where, "", levels - 1))
        if len(child) or child.attrib:
            self._note("structure", where, expected=row.tag)
            rest.append(node_of(child, levels - 1))
            return None
        value = self._value(row.kind, (child.text or "").strip(), where)
        if value is None:
            rest.append(node_of(child, levels - 1))
        return value

    def _list(self, row: Element, child: Tree, where: str, levels: int, rest: list[Node]) -> tuple[Any, ...]:
        items, strangers = [], []
        for each in child:
            if name_of(each).lower() != row.item.lower():
                strangers.append(node_of(each, levels - 2))
            elif isinstance(row.kind, Kind):
                items.append(self._value(row.kind, (each.text or "").strip(), f"{where}/{row.item}"))
            else:
                items.append(row.kind(**self._fields(row.kind, each, f"{where}/{row.item}", "", levels - 2)))
        if strangers:
            self._note("list-item", where, found=strangers[0].name, expected=row.item)
            rest.append(Node(row.tag, children=tuple(strangers), inside=True))
        if row.count:
            self._check_count(row, child, where, len(items))
        return tuple(items)

    def _check_count(self, row: Element, child: Tree, where: str, found: int) -> None:
        stated = next((value for name, value in attributes_of(child) if name.lower() == row.count.lower()), None)
        if stated is None:
            self._note("count-missing", where, expected=row.count)
        elif stated.strip() != str(found):
            self._note("count", where, found=stated[:20], expected=str(found))

    def _value(self, kind: Kind, text: str, where: str) -> Any:
        """Return the value of a text; ``None`` where it is none of its kind, which is told."""
        if kind is Kind.INTEGER:
            if _INTEGER.match(text):
                number = int(text)
                return number if str(number) == text else PrintedInt(text)
            self._note("value", where, found=text[:40], expected=kind.value)
            return None
        if kind is Kind.DECIMAL:
            if _DECIMAL.match(text):
                return Decimal(text)
            self._note("value", where, found=text[:40], expected=kind.value)
            return None
        form = _FORMS.get(kind)
        if form and not form.match(text):
            self._note("value", where, found=text[:40], expected=kind.value)
        return text


# Writing


def write(body: Body, rules: Rules, *, charset: str = "", anyway: bool = False, narrowed: bool = False) -> bytes:
    """Return the bytes of a body.

    Args:
        body: What to say.
        rules: The edition of the peer.
        charset: Name in the declaration; empty for the edition's.
        anyway: Whether to write what the edition does not have, for a peer that misbehaves on purpose.
        narrowed: Write ``?`` for each character that GB2312 does not have.

    Raises:
        LocalProtocolError: If the edition does not have the body or one of its elements, or a value cannot be written.
    """
    charset = charset or rules.charset
    root = body.root if isinstance(body, Other) else body.ROOT
    cmd_type = body.cmd_type if isinstance(body, Other) else body.CMD_TYPE
    lines = [f"<CmdType>{escape(cmd_type)}</CmdType>"] if cmd_type else []
    lines += _lines(body, rules, anyway)
    start = opening(root, ())
    text = "\r\n".join((f'<?xml version="1.0" encoding="{charset}"?>', f"<{start}>", *lines, f"</{root}>", ""))
    check_characters(text)
    return encode(text, charset, narrowed=narrowed)


def _lines(of: Record, rules: Rules, anyway: bool) -> Iterator[str]:
    for row in elements_of(type(of)):
        value = getattr(of, row.python)
        if value is None or (row.most > 1 and not row.item and not value):
            continue
        if row.need(rules.edition) is Need.ABSENT and not anyway:
            raise LocalProtocolError(
                f"{rules.title} has no {row.tag} in {type(of).__name__}", field=row.tag, clause=rules.clauses["bodies"]
            )
        tag = row.wire_tag(rules)
        if row.item:
            yield _written_list(row, tag, value, _strangers(of, row.tag), rules, anyway)
        elif row.most > 1:
            for each in value:
                yield _written_value(row, tag, each, rules, anyway)
        else:
            yield _written_value(row, tag, value, rules, anyway)
    for node in of.rest:
        if not node.inside:
            yield written(node)


def _strangers(of: Record, tag: str) -> Iterator[str]:
    """Yield what a list held beside its items."""
    for node in of.rest:
        if node.inside and node.name == tag:
            yield from map(written, node.children)


def _written_value(row: Element, tag: str, value: Any, rules: Rules, anyway: bool) -> str:
    if isinstance(value, Record):
        return enclose(tag, tag, list(_lines(value, rules, anyway)))
    text = f"{value:f}" if isinstance(value, Decimal) else str(value)
    return f"<{tag}>{escape(text)}</{tag}>"


def _written_list(
    row: Element, tag: str, value: tuple[Any, ...], strangers: Iterator[str], rules: Rules, anyway: bool
) -> str:
    start = opening(tag, ((row.count, str(len(value))),)) if row.count else tag
    lines = []
    for each in value:
        if isinstance(each, Record):
            inner = list(_lines(each, rules, anyway))
            lines.append("\r\n".join((f"<{row.item}>", *inner, f"</{row.item}>")))
        else:
            lines.append(f"<{row.item}>{escape(str(each))}</{row.item}>")
    lines += strangers
    return enclose(start, tag, lines)


def _missing(of: Record, rules: Rules) -> Iterator[str]:
    for row in elements_of(type(of)):
        value = getattr(of, row.python)
        if value is None:
            if row.need(rules.edition) is Need.MANDATORY:
                yield row.tag
        elif isinstance(value, Record):
            yield from _missing(value, rules)
        elif row.most > 1:
            for each in value:
                if isinstance(each, Record):
                    yield from _missing(each, rules)
