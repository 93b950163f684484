"""What every typed command is: a header, named parameters, the values of factors, and what it does not know.

Reading never fails and loses nothing: a parameter that is unknown, occurs once too often or has no meaning stays in
``rest``, and the message as it came stays in ``source``. Writing is exact: the edition's order, separators, names and
limits. Which parameters an edition wants and what answers a command, the row of ``tables/commands.csv`` says.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from functools import cache
from typing import Any, ClassVar, Final, NamedTuple, Self, TypeVar, dataclass_transform

from ..editions import Edition, Rules
from ..errors import LocalProtocolError
from ..messages import Message
from ..segment import Segment, hide_passwords, parse_segment
from ..tables import fields as field_table
from ..tables.commands import CommandRow, command_rows
from .header import Header, Pairs
from .measurements import Measurement
from .parameters import Kind, Parameter

__all__ = ["Command", "Name", "Unknown", "all_commands", "command", "command_class", "read"]

Items = tuple[Pairs, ...]
_Class = TypeVar("_Class", bound="type[Command]")

#: Before the hyphen of a parameter in the command table: any factor, any piece of equipment.
_ANY: Final = re.compile(r"(?:SB)?x{3,6}-")
_SPECIAL: Final = re.compile(r"[;,&\r\n]")


class Name(NamedTuple):
    """One line of a command's name table."""

    wire: str  #: as it travels; ``"-Rtd"`` behind the code of any factor
    python: str  #: name of the field that has it
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Command:
    """A message of one command; the base of all of them.

    Attributes:
        header: The fields before CP.
        rest: What the data area has besides: items (``;``) of pairs (``,``), in wire order. Written behind the others.
        source: The message it was read from, unchanged; ``bytes(command.source)`` is what came. ``replace`` keeps it.
    """

    CN: ClassVar[str]  #: 命令编码
    UPWARD: ClassVar[bool | None]  #: whether the station sends it, ``None`` for either side
    PARAMETERS: ClassVar[tuple[Parameter, ...]]  #: in the order in which they are written
    _BY_WIRE: ClassVar[dict[str, Parameter]]
    _MEASURED: ClassVar[str]  #: field with the values of factors, empty where it has none

    header: Header
    rest: Items = ()
    source: Message | None = field(default=None, compare=False)

    @classmethod
    def rows(cls) -> tuple[CommandRow, ...]:
        """Return its rows of the command table, one for each direction and for each shape that editions give it."""
        return _rows().get(cls, ())

    @classmethod
    def row(cls, rules: Rules) -> CommandRow | None:
        """Return what the edition says of the command; ``None`` where it has no such command."""
        return next((row for row in cls.rows() if rules.edition in row.editions), None)

    @classmethod
    def editions(cls) -> tuple[Edition, ...]:
        """Return the editions that have the command, in their order."""
        return tuple(edition for edition in Edition if any(edition in row.editions for row in cls.rows()))

    @classmethod
    def names(cls) -> tuple[Name, ...]:
        """Return the name table: wire name, Python name, Chinese and English term."""
        table = [Name(wire, each.python, *each.terms_of(wire)) for each in cls.PARAMETERS for wire in each.wire]
        suffixes = dict.fromkeys(_suffix(name) for row in cls.rows() for name in _all(row) if _ANY.match(name))
        known = field_table.fields()
        table += [Name(s, cls._MEASURED, known[s].zh, known[s].en) for s in suffixes]
        return tuple(table)

    @classmethod
    def read(cls, message: Message) -> Self:
        """Read a message as this command, whatever its CN; see :func:`hj212.commands.read` for the usual door."""
        header = Header.read(message)
        area = _Area(cls, header.qn)
        for item in message.items:
            area.read(item)
        if not header.qn and area.qn:
            header = replace(header, qn=area.qn)
        if area.measurements:
            area.values[cls._MEASURED] = tuple(area.measurements)
        return cls(header=header, rest=tuple(area.rest), source=message, **area.values)

    def missing(self, rules: Rules) -> tuple[str, ...]:
        """Return the wire names of required parameters that are not there.

        Where the edition lacks the command, those of an edition that has it.
        """
        row = self.row(rules) or self.rows()[0]
        return tuple(name for name in row.required if not self._has(name))

    def build(self, rules: Rules) -> Message:
        """Write the message exactly as the edition wants it.

        Raises:
            LocalProtocolError: If the edition has no such command, a required field or parameter is missing, or one
                is there that the edition does not have or that is out of its limits. How long the whole may be,
                :meth:`hj212.Message.encode` checks, for it may be split.
        """
        row = self.row(rules)
        if row is None:
            raise _forbidden(f"CN {self.CN} is no command of {rules.title}", "CN", rules)
        if missing := self.missing(rules):
            raise _forbidden(f"CN {self.CN}: {missing[0]} is missing", missing[0], rules)
        allowed = frozenset(_all(row))
        qn_in_area = "QN" in allowed and rules.reply_qn_in_parameters
        items: list[list[list[str]]] = [[["QN", self.header.qn]]] if qn_in_area else []
        for parameter in self.PARAMETERS:
            for item in self._written(parameter, allowed, rules):
                if items and items[-1][-1][0] == parameter.behind and parameter.separator(rules) == ",":
                    items[-1] += item
                else:
                    items.append(item)
        return _message(self.header.pairs(rules, self.CN, row.kind, qn_in_area), items, self.rest, rules)

    def __repr__(self) -> str:
        shown = [f"header={self.header!r}"]
        for each in self.PARAMETERS:
            if _given(value := getattr(self, each.python)):
                shown.append(f"{each.python}={'***' if each.secret else value!r}")
        if self.rest:
            shown.append(f"rest={_shown(self.rest)}")
        return f"{type(self).__name__}({', '.join(shown)})"

    def _has(self, name: str) -> bool:
        if _ANY.match(name):
            suffix = _suffix(name)
            measurements: tuple[Measurement, ...] = getattr(self, self._MEASURED)
            return any(("-" + found).endswith(suffix) for each in measurements for found, _ in each.pairs)
        if name == "QN":
            return bool(self.header.qn)
        return _given(getattr(self, self._BY_WIRE[name].python))

    def _written(self, parameter: Parameter, allowed: frozenset[str], rules: Rules) -> Iterator[list[list[str]]]:
        """Yield the items of one field of the command."""
        value = getattr(self, parameter.python)
        if not _given(value):
            return
        if parameter.kind is Kind.MEASURED:
            for measurement in value:
                if not measurement.pairs:
                    raise _forbidden(f"{measurement.code}: no value", measurement.code, rules)
                yield [_checked(key, text, False, rules) for key, text in measurement.keyed()]
            return
        name = parameter.name_in(allowed)
        if not name:
            raise _forbidden(f"CN {self.CN} of {rules.title} has no {parameter.wire[0]}", parameter.wire[0], rules)
        for each in value if parameter.kind is Kind.TEXTS else (value,):
            pair = _checked(name, str(each), parameter.secret, rules)
            if fault := parameter.fault(pair[1], rules):
                raise _forbidden(f"{name}: expected {fault}", name, rules)
            yield [pair]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Unknown:
    """A message whose command no edition has in this direction; written as it was read.

    Attributes:
        cn: 命令编码, empty when absent.
        header: The other fields before CP.
        rest: The data area.
        source: As in :class:`Command`.
    """

    cn: str
    header: Header
    rest: Items = ()
    source: Message | None = field(default=None, compare=False)

    @classmethod
    def read(cls, message: Message) -> Unknown:
        """Read any message."""
        rest = tuple(tuple(map(tuple, item)) for item in message.items)
        return cls(cn=message.cn, header=Header.read(message), rest=rest, source=message)

    def missing(self, rules: Rules) -> tuple[str, ...]:
        """Return nothing: what it must carry is not known."""
        return ()

    def build(self, rules: Rules) -> Message:
        """Write the message with the edition's header.

        Raises:
            LocalProtocolError: If a header field is missing or not allowed.
        """
        return _message(self.header.pairs(rules, self.cn, None), [], self.rest, rules)

    def __repr__(self) -> str:
        return f"Unknown(cn={self.cn!r}, header={self.header!r}, rest={_shown(self.rest)})"


class _Area:
    """A data area being read: what its command knows of it, and the rest."""

    def __init__(self, cls: type[Command], qn: str) -> None:
        self._parameters = cls._BY_WIRE
        self._measured = cls._MEASURED
        self.qn = qn
        self._qn_read = False
        self.values: dict[str, Any] = {}
        self.measurements: list[Measurement] = []
        self.rest: list[Pairs] = []

    def read(self, item: list[list[str]]) -> None:
        """Read what stands between two ``;``."""
        left: list[tuple[str, ...]] = []
        groups: list[tuple[str, list[tuple[str, str]]]] = []
        for pair in item:
            key, value = pair[0].strip(), pair[1].strip() if len(pair) == 2 else ""
            if len(pair) == 2 and self._known(key, value):
                continue
            code, _, name = key.partition("-")
            if len(pair) != 2 or not (self._measured and code and name) or key in self._parameters:
                left.append(tuple(pair))
            elif groups and groups[-1][0] == code:
                groups[-1][1].append((name, value))
            else:
                groups.append((code, [(name, value)]))
        self.measurements += [Measurement(code, tuple(pairs)) for code, pairs in groups]
        if left:
            self.rest.append(tuple(left))

    def _known(self, key: str, value: str) -> bool:
        """Take a parameter that the command knows; a second one of the same name only where it may be repeated."""
        parameter = self._parameters.get(key)
        if parameter is None:
            if key != "QN" or self._qn_read or not value or self.qn not in ("", value):
                return False
            self.qn, self._qn_read = value, True
            return True
        read = parameter.read(value)
        if read is None:
            return False
        if parameter.kind is Kind.TEXTS:
            self.values[parameter.python] = (*self.values.get(parameter.python, ()), read)
            return True
        if parameter.python in self.values:
            return False
        self.values[parameter.python] = read
        return True


#: Every command class, in the order of declaration, and the editions that it is for; none where it is for all.
_CLASSES: Final[dict[type[Command], tuple[Edition, ...]]] = {}


@dataclass_transform(frozen_default=True, kw_only_default=True)
def command(cn: str, *, upward: bool | None, editions: tuple[Edition, ...] = ()) -> Callable[[_Class], _Class]:
    """Declare a command.

    Args:
        cn: 命令编码.
        upward: Whether the station sends it, ``None`` for either side.
        editions: The editions that have it so, where another class has the same code in the others.
    """

    def declare(cls: _Class) -> _Class:
        made: Any = dataclass(frozen=True, slots=True, kw_only=True, repr=False)(cls)
        found = [(each.name, each.metadata["parameter"]) for each in fields(made) if "parameter" in each.metadata]
        made.CN, made.UPWARD = cn, upward
        made.PARAMETERS = tuple(parameter.called(name) for name, parameter in found)
        made._BY_WIRE = {wire: parameter for parameter in made.PARAMETERS for wire in parameter.wire}
        made._MEASURED = next((each.python for each in made.PARAMETERS if each.kind is Kind.MEASURED), "")
        _CLASSES[made] = editions
        return made  # type: ignore[no-any-return]

    return declare


def read(message: Message, rules: Rules, *, upward: bool) -> Command | Unknown:
    """Read a message as the command that it is; never fails.

    Args:
        message: Any message.
        rules: The edition to read it by. A command that this edition lacks is read as one that has it does; then
            ``command.row(rules)`` is ``None``.
        upward: Whether the station sent it.
    """
    cls = command_class(message.cn, upward, rules.edition)
    return Unknown.read(message) if cls is None else cls.read(message)


def command_class(cn: str, upward: bool, edition: Edition | None = None) -> type[Command] | None:
    """Return the class of a command in one direction: the edition's, else that of an edition which has it.

    ``None`` for a command that no edition has in this direction.
    """
    classes = _by_row()
    return classes.get((cn, upward, edition)) or classes.get((cn, upward, None))


def all_commands() -> tuple[type[Command], ...]:
    """Return every command class, by code."""
    return tuple(sorted(_CLASSES, key=lambda cls: cls.CN))


@cache
def _by_row() -> dict[tuple[str, bool, Edition | None], type[Command]]:
    classes: dict[tuple[str, bool, Edition | None], type[Command]] = {}
    for cls in _CLASSES:
        for row in cls.rows():
            for edition in (*row.editions, None):
                classes.setdefault((row.cn, row.upward, edition), cls)
    return classes


@cache
def _rows() -> dict[type[Command], tuple[CommandRow, ...]]:
    return {cls: tuple(_own_rows(cls, editions or tuple(Edition))) for cls, editions in _CLASSES.items()}


def _own_rows(cls: type[Command], editions: tuple[Edition, ...]) -> Iterator[CommandRow]:
    for row in command_rows():
        if row.cn == cls.CN and cls.UPWARD in (None, row.upward) and not set(editions).isdisjoint(row.editions):
            yield row


def _all(row: CommandRow) -> tuple[str, ...]:
    return row.required + row.optional


def _suffix(name: str) -> str:
    """Return what a name of the command table has behind any factor, with its hyphen: ``"-Rtd"``."""
    return name[name.index("-") :]


def _given(value: object) -> bool:
    return value is not None and value not in ("", ())


def _checked(key: str, value: str, secret: bool, rules: Rules) -> list[str]:
    """Return a pair, if it is one when it is read again; only a log between ``//`` may hold separators."""
    text = f"{key}={value}"
    if _SPECIAL.search(text) is None:
        alone = key == key.strip() and value == value.strip() and "=" not in key
    else:
        alone = "&&" not in text and "\r" not in text and "\n" not in text and _is_one(text) and "=" not in key
    if not alone:
        shown = "" if secret else f": {value!r}"
        raise _forbidden(f"{key}: a separator or blank that would not be read back{shown}", key, rules)
    return [key, value]


def _is_one(text: str) -> bool:
    """Whether text of a data area is read as one pair."""
    items = parse_segment(f"CP=&&{text}&&".encode("utf-8", "surrogateescape")).items
    return len(items) == 1 and len(items[0]) == 1


def _message(header: list[list[str]], items: list[list[list[str]]], rest: Items, rules: Rules) -> Message:
    for pair in (pair for item in rest for pair in item):
        text = "=".join(pair)
        if _SPECIAL.search(text) and not _is_one(text):
            raise _forbidden(f"rest: a separator inside {hide_passwords(text)!r}", pair[0], rules)
    items += [[list(pair) for pair in item] for item in rest]
    return Message(Segment(header, items, ";CP=&&"))


def _shown(rest: Items) -> str:
    return repr(hide_passwords(";".join(",".join("=".join(pair) for pair in item) for item in rest)))


def _forbidden(text: str, field: str, rules: Rules) -> LocalProtocolError:
    return LocalProtocolError(text, field=field, clause=rules.clauses["parameters"])
