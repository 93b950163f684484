"""Records <-> JSON, in the shape of ``schema/door.schema.json``.

Every member of a record is present, ``null`` where the fact is absent; times are ISO 8601 in UTC+8. The JSON holds
everything in clear: pass a record through :func:`accessctl.redacted` before showing it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import datetime
from enum import Enum
from functools import cache
from importlib.resources import files
from typing import Any, Final, TypeVar

from hj212 import CHINA

from .errors import RecordError
from .findings import Finding
from .model import (
    Alarm,
    AlarmKind,
    DoorPosition,
    DoorState,
    LogEntry,
    Opening,
    OpeningMethod,
    OtherValues,
    RawValue,
    Record,
    RunningState,
    WireForm,
)

__all__ = ["from_json", "schema", "to_json"]

_TYPES: Final[dict[str, type[Record]]] = {
    "state": DoorState,
    "opening": Opening,
    "alarm": Alarm,
    "log": LogEntry,
    "other": OtherValues,
}
_NAMES: Final = {kind: name for name, kind in _TYPES.items()}

_T = TypeVar("_T")
_Reader = Callable[[str, Any], Any]


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a record."""
    text = (files("accessctl") / "schema" / "door.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def to_json(record: Record) -> dict[str, Any]:
    """Return a record as JSON data, members in a fixed order."""
    members = ((f.name, getattr(record, f.name)) for f in fields(record))
    return {"type": _NAMES[type(record)]} | {name: _plain(name, value) for name, value in members}


def from_json(data: dict[str, Any]) -> Record:
    """Return the record that JSON data describe. Members that have a default may be left out.

    Raises:
        RecordError: If a member is unknown, lacking or of the wrong type; ``field`` names it.
    """
    members = dict(_object("record", data))
    name = members.pop("type", None)
    kind = _TYPES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise _error("type", " | ".join(_TYPES), name if isinstance(name, str) else type(name).__name__)
    return _build(kind, members, _MEMBERS)


def _plain(name: str, value: Any) -> Any:
    match value:
        case datetime():
            return value.astimezone(CHINA).isoformat()
        case Enum():
            return value.value
        case tuple() if name == "details":
            return dict(value)
        case tuple() if name == "values":
            return [{"code": code, "text": text} for code, text in value]
        case tuple():
            return [{f.name: getattr(entry, f.name) for f in fields(entry)} for entry in value]
        case _:
            return value


def _build(kind: type[_T], members: Mapping[str, Any], readers: Mapping[str, _Reader]) -> _T:
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for name in members:
        if name not in known:
            raise _error(name, "", "an unknown member")
    for name, f in known.items():
        if name not in members and f.default is MISSING:
            raise _error(name, "the member", "nothing")
    return kind(**{name: readers[name](name, value) for name, value in members.items()})


def _object(name: str, value: Any) -> Mapping[str, Any]:
    return _typed(name, value, dict, "an object")


def _typed(name: str, value: Any, kind: type[_T], expected: str) -> _T:
    if not isinstance(value, kind):
        raise _error(name, expected, type(value).__name__)
    return value


def _text(name: str, value: Any) -> str:
    return _typed(name, value, str, "a text")


def _boolean(name: str, value: Any) -> bool:
    return _typed(name, value, bool, "true or false")


def _time(name: str, value: Any) -> datetime:
    try:
        time = datetime.fromisoformat(_text(name, value))
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise _error(name, "a time with its zone, 2025-09-15T10:15:30+08:00", "another text")
    return time.astimezone(CHINA)


def _choice(kind: type[Enum]) -> _Reader:
    def read(name: str, value: Any) -> Enum:
        try:
            return kind(_text(name, value))
        except ValueError:
            raise _error(name, " | ".join(str(m.value) for m in kind), "another text") from None

    return read


def _optional(read: _Reader) -> _Reader:
    return lambda name, value: None if value is None else read(name, value)


def _listed(read: _Reader) -> _Reader:
    return lambda name, value: tuple(
        read(f"{name}[{i}]", entry) for i, entry in enumerate(_typed(name, value, list, "a list"))
    )


def _raw(name: str, value: Any) -> RawValue:
    return _build(RawValue, _object(name, value), _RAW_MEMBERS)


def _finding(name: str, value: Any) -> Finding:
    return _build(Finding, _object(name, value), dict.fromkeys(("code", "field", "found", "expected"), _text))


def _details(name: str, value: Any) -> tuple[tuple[str, str], ...]:
    return tuple((role, _text(f"{name}.{role}", text)) for role, text in _object(name, value).items())


def _coded(name: str, value: Any) -> tuple[str, str]:
    members = _object(name, value)
    if set(members) != {"code", "text"}:
        raise _error(name, "code and text", ", ".join(members))
    return _text(f"{name}.code", members["code"]), _text(f"{name}.text", members["text"])


_RAW_MEMBERS: Final[dict[str, _Reader]] = {
    "role": _text,
    "key": _text,
    "text": _text,
    "flag": _optional(_text),
    "personal": _boolean,
    "understood": _boolean,
}
_MEMBERS: Final[dict[str, _Reader]] = {
    "mn": _text,
    "data_time": _optional(_time),
    "door_id": _optional(_text),
    "form": _optional(_choice(WireForm)),
    "dictionary": _text,
    "raw": _listed(_raw),
    "findings": _listed(_finding),
    "running": _optional(_choice(RunningState)),
    "door": _optional(_choice(DoorPosition)),
    "dismantled": _optional(_boolean),
    "fault": _optional(_boolean),
    "method": _optional(_choice(OpeningMethod)),
    "code": _optional(_text),
    "opened_at": _optional(_time),
    "details": _details,
    "kind": _choice(AlarmKind),
    "active": _optional(_boolean),
    "item": _text,
    "message": _text,
    "values": _listed(_coded),
}


def _error(field: str, expected: str, found: str) -> RecordError:
    text = f"{field}: " + (f"expected {expected}, found {found}" if expected else found)
    return RecordError(text, code="json", field=field, expected=expected, found=found)
