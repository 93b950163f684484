"""Station-room access control over HJ 212: door states, openings and alarms as records.

:func:`load` a region's dictionary, :func:`read` a segment with it, :func:`write` records for a frame.
"""

from __future__ import annotations

from .dictionaries import Code, CodeValue, Dictionary, Example, defined_in, load, names, parse
from .errors import AccessError, DictionaryError, RecordError
from .findings import Finding, FindingText, catalogue, describe
from .jsonform import from_json, schema, to_json
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
    alarms_in,
)
from .reading import OPENING_AFTER_DATA_TIME_S, read
from .redaction import redacted
from .writing import Item, write

__all__ = [
    "OPENING_AFTER_DATA_TIME_S",
    "AccessError",
    "Alarm",
    "AlarmKind",
    "Code",
    "CodeValue",
    "Dictionary",
    "DictionaryError",
    "DoorPosition",
    "DoorState",
    "Example",
    "Finding",
    "FindingText",
    "Item",
    "LogEntry",
    "Opening",
    "OpeningMethod",
    "OtherValues",
    "RawValue",
    "Record",
    "RecordError",
    "RunningState",
    "WireForm",
    "alarms_in",
    "catalogue",
    "defined_in",
    "describe",
    "from_json",
    "load",
    "names",
    "parse",
    "read",
    "redacted",
    "schema",
    "to_json",
    "write",
]
