"""What the door codes of a region mean.

The same code means different things in different places (``i32001`` is the door in Ningxia and the controller in
HJ 212-2017), so a dictionary is always an argument. A region is one file ``tables/<name>.toml``; its examples are
complete frames with what they decode to.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, Final

from .errors import DictionaryError
from .model import AlarmKind, DoorPosition, OpeningMethod, RunningState, WireForm

__all__ = ["Code", "CodeValue", "Dictionary", "Example", "defined_in", "load", "names", "parse"]

#: The record a role belongs to, unless the row says otherwise. ``context`` goes into every record of the frame.
RECORD_OF_ROLE: Final = {
    "running": "state",
    "door": "state",
    AlarmKind.DISMANTLED.value: "state",
    AlarmKind.FAULT.value: "state",
    "method": "opening",
    "person": "opening",
    "opened_at": "opening",
    "log": "log",
    "door_id": "context",
    "other": "other",
}
#: Roles of which a dictionary may have several rows.
_MANY: Final = frozenset({"log", "other"})
#: What the values of a role mean; the alarm roles mean true or false.
_MEANINGS: Final[dict[str, type[StrEnum]]] = {
    "running": RunningState,
    "door": DoorPosition,
    "method": OpeningMethod,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeValue:
    """One value of a closed set."""

    wire: str
    meaning: StrEnum | bool
    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """One row: an i-code and how to read its value."""

    code: str
    role: str  #: what the value is: door, method, person, opened_at, ...
    record: str = ""  #: which record it goes into; by default the role decides
    name_zh: str
    name_en: str
    format: str = ""  #: regular expression of the whole value; empty where nothing is prescribed
    values: tuple[CodeValue, ...] = ()  #: the closed set; empty for texts and times
    max_chars: int | None = None
    max_bytes: int | None = None  #: in UTF-8, delimiters not counted
    delimited: bool = False  #: free UTF-8 text between ``//`` and ``//``
    personal: bool = False  #: may identify a person: shown as ``***``
    confirmed: bool = True  #: False where the authority has not stated the format or the values
    clause: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A complete frame and what it decodes to."""

    id: str
    title_zh: str
    title_en: str
    frame: bytes  #: CR LF included
    #: Members of the records' JSON form, those worth saying; ``findings`` as codes, none where it is left out.
    records: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dictionary:
    """The door codes of one region."""

    name: str
    title_zh: str
    title_en: str
    source: str
    system_types: tuple[str, ...]  #: values of ST that door frames carry; empty where none is prescribed
    forms: tuple[WireForm, ...]  #: wire forms in use
    codes: tuple[Code, ...] = field(repr=False)
    examples: tuple[Example, ...] = field(repr=False)

    def find(self, code: str) -> Code | None:
        """Return the row of a code, whatever its letter case; ``None`` when the region does not use it."""
        wanted = code.lower()
        return next((row for row in self.codes if row.code.lower() == wanted), None)

    def for_role(self, role: str) -> Code | None:
        """Return the row that plays a role, the first where there are several; ``None`` when there is none."""
        return next((row for row in self.codes if row.role == role), None)


def names() -> tuple[str, ...]:
    """Return the names of the dictionaries that come with this package."""
    tables = (files("accessctl") / "tables").iterdir()
    return tuple(sorted(table.name.removesuffix(".toml") for table in tables if table.name.endswith(".toml")))


@cache
def load(name: str) -> Dictionary:
    """Return a dictionary by its name.

    Raises:
        DictionaryError: If there is none of that name; the text and ``close`` say what comes near.

    >>> load("nx").find("i32004").role
    'method'
    """
    known = names()
    if name not in known:
        close = tuple(difflib.get_close_matches(name.lower(), known, cutoff=0.4))
        hint = f"did you mean {' or '.join(close)}?" if close else f"known are {', '.join(known)}"
        raise DictionaryError(f"no dictionary {name!r}: {hint}", name=name, close=close)
    return parse((files("accessctl") / "tables" / f"{name}.toml").read_text("utf-8"))


def parse(text: str) -> Dictionary:
    """Read the table of a dictionary, in the shape of the files under ``tables/``.

    Raises:
        DictionaryError: If the table cannot be used; the text says which entry is wrong and why.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DictionaryError(f"not a TOML table: {error}") from error
    name = str(table.get("name", ""))
    try:
        codes = tuple(_code(row) for row in table.pop("code", ()))
        examples = tuple(_example(row) for row in table.pop("example", ()))
        forms = tuple(WireForm(form) for form in table.pop("forms", ()))
        system_types = tuple(table.pop("system_types", ()))
        _check_members(Dictionary, table)
        dictionary = Dictionary(**table, codes=codes, examples=examples, forms=forms, system_types=system_types)
        _check_roles(codes)
    except (AttributeError, TypeError, ValueError) as error:
        raise DictionaryError(f"dictionary {name!r}: {error}", name=name) from error
    return dictionary


def defined_in(code: str) -> dict[str, Code]:
    """Return what a code means in each of the dictionaries that use it, by the dictionary's name.

    >>> {name: row.role for name, row in defined_in("i32001").items()}
    {'hj212-2017': 'running', 'nx': 'door'}
    """
    found = {name: load(name).find(code) for name in names()}
    return {name: row for name, row in found.items() if row}


def _code(row: dict[str, Any]) -> Code:
    _check_members(Code, row)
    label = row.get("code", "?")
    role = row.get("role", "")
    record = row.get("record") or RECORD_OF_ROLE.get(role, "")
    if record not in RECORD_OF_ROLE.values() or RECORD_OF_ROLE.get(role, "opening") != record:
        raise ValueError(f"{label}: role {role!r} does not go into record {record!r}")
    values = tuple(_value(role, value, label) for value in row.get("values", ()))
    if (role in _MEANINGS or role in (AlarmKind.DISMANTLED, AlarmKind.FAULT)) and not values:
        raise ValueError(f"{label}: role {role!r} needs its values")
    try:
        re.compile(row.get("format", ""))
    except re.error as error:
        raise ValueError(f"{label}: format: {error}") from error
    return Code(**{**row, "record": record, "values": values})


def _value(role: str, row: dict[str, Any], label: str) -> CodeValue:
    meaning = row.get("meaning")
    if role in _MEANINGS:
        meaning = _MEANINGS[role](str(meaning))
    elif role not in (AlarmKind.DISMANTLED, AlarmKind.FAULT):
        raise ValueError(f"{label}: role {role!r} has no closed set of values")
    elif not isinstance(meaning, bool):
        raise ValueError(f"{label}: the meaning of a value is true or false, not {meaning!r}")
    _check_members(CodeValue, row)
    return CodeValue(**{**row, "meaning": meaning})


def _example(row: dict[str, Any]) -> Example:
    records = tuple(row.pop("record", ()))
    frame = row.pop("frame", "").encode() + b"\r\n"
    return Example(**row, records=records, frame=frame)


def _check_members(kind: type, row: Mapping[str, Any]) -> None:
    known = {f.name for f in fields(kind)}
    for member in row:
        if member not in known:
            close = difflib.get_close_matches(member, known, n=1)
            raise ValueError(f"unknown entry {member!r}" + (f", did you mean {close[0]!r}?" if close else ""))


def _check_roles(codes: tuple[Code, ...]) -> None:
    single = [row.role for row in codes if row.role not in _MANY]
    for taken in ([row.code.lower() for row in codes], single):
        twice = next((key for key in taken if taken.count(key) > 1), None)
        if twice:
            raise ValueError(f"{twice!r} occurs twice")
