"""Frames -> records.

Reading gets the most out of what devices send and names every deviation; see :mod:`accessctl.findings`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Any, Final

from hj212 import Segment

from .dictionaries import Code, Dictionary, defined_in
from .findings import Finding, as_error, shown_if_short
from .model import (
    Alarm,
    AlarmKind,
    DoorState,
    LogEntry,
    Opening,
    OtherValues,
    RawValue,
    Record,
    WireForm,
)
from .values import DATA_TIME, Parsed, parse_value

__all__ = ["OPENING_AFTER_DATA_TIME_S", "read"]

#: How far an opening may lie after the DataTime of its frame: the clocks of reader and controller round (REQ-A-15).
OPENING_AFTER_DATA_TIME_S: Final = 1

_KEY: Final = re.compile(r"(i[0-9][0-9a-z]{4})(?:-(.*))?", re.ASCII | re.DOTALL | re.IGNORECASE)
_SUFFIXES: Final = {"info": WireForm.INFO, "rtd": WireForm.RTD}
_OPENING_ROLES: Final = ("method", "person", "opened_at")
#: The values that make a report one about the door's state; the alarm values alone do not.
_STATE_ROLES: Final = frozenset({"running", "door"})


def read(segment: Segment, dictionary: Dictionary, strict: bool = False) -> list[Record]:
    """Return what one data segment says about doors, in wire order; nothing where it says nothing.

    One frame may hold several records. How the door stands (``DoorState``) takes the dismantled and fault values of
    its frame with it; without it each of them is an ``Alarm``. A repeated value begins a further record.

    Args:
        segment: The data segment, see :func:`hj212.parse_segment`.
        dictionary: What the codes mean where the frame comes from.
        strict: Whether to refuse the first deviation instead of naming all in the records' ``findings``.

    Raises:
        RecordError: If ``strict`` and anything deviates.
    """
    reader = _Reader(segment, dictionary)
    records = reader.records()
    if strict and reader.findings:
        raise as_error(reader.findings[0])
    return records


@dataclass(slots=True, eq=False)
class _Entry:
    """One value on its way into a record."""

    code: str
    row: Code | None
    role: str
    key: str
    sent: str
    form: WireForm | None
    parsed: Parsed
    flag: str | None = None
    findings: list[Finding] = field(default_factory=list)

    def raw(self) -> RawValue:
        understood = self.parsed.meaning is not None
        return RawValue(self.role, self.key, self.sent, self.flag, self.parsed.personal, understood)


@dataclass(slots=True, eq=False)
class _Group:
    """The values of one record to be."""

    kind: str
    entries: list[_Entry] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def meaning(self, role: str) -> Any:
        return next((entry.parsed.meaning for entry in self.entries if entry.role == role), None)


class _Reader:
    """Reads one segment; ``findings`` holds all deviations, in the order met."""

    def __init__(self, segment: Segment, dictionary: Dictionary) -> None:
        self.dictionary = dictionary
        self.findings: list[Finding] = []
        self._segment = segment
        self._entries: list[_Entry] = []
        self._context: list[_Entry] = []
        self._of_frame: list[Finding] = []
        command = segment.field("CN") or ""
        self._form = WireForm(command) if command in tuple(WireForm) else None

    def records(self) -> list[Record]:
        for item in self._segment.items:
            for position, pair in enumerate(item):
                self._pair(item, position, pair)
        if not any(entry.role != DATA_TIME.role for entry in (*self._entries, *self._context)):
            self.findings.clear()  # no door data: nothing to judge
            return []
        self._header()
        self._forms()
        groups = self._groups()
        for group in groups:
            if group.kind == "opening":
                self._opening(group)
        groups[0].findings[:0] = self._of_frame
        return [self._record(group) for group in groups]

    def _note(self, into: list[Finding], code: str, field: str, found: str, expected: str = "") -> None:
        finding = Finding(code, field, found, expected)
        into.append(finding)
        self.findings.append(finding)

    # What stands in the frame

    def _pair(self, item: list[list[str]], position: int, pair: list[str]) -> None:
        name, sent = pair[0], pair[1] if len(pair) == 2 else ""
        key = name.strip()
        lowered = key.lower()
        if lowered == DATA_TIME.code.lower():
            entry = _Entry(DATA_TIME.code, DATA_TIME, DATA_TIME.role, key, sent, None, parse_value(DATA_TIME, sent))
            self._into_context(entry)
            self._spelling(entry, name, canonical=DATA_TIME.code)
        elif lowered == "polid":
            self._note(self._of_frame, "polid-present", key, sent.strip())
        elif match := _KEY.fullmatch(key):
            self._coded(item, position, pair, key, match)

    def _coded(self, item: list[list[str]], position: int, pair: list[str], key: str, match: re.Match[str]) -> None:
        row = self.dictionary.find(match[1])
        code = row.code if row else f"i{match[1][1:]}"
        suffix = (match[2] or "").strip()
        if suffix.lower() == "flag":
            self._flag(code, key, pair[1].strip() if len(pair) == 2 else "", first=position == 0)
            return
        form = _SUFFIXES.get(suffix.lower())
        sent = pair[1] if len(pair) == 2 else ""
        readable = row if form or not suffix else None
        # A text that no row vouches for may be anything, a badge code of another region included.
        parsed = parse_value(readable, sent) if readable else Parsed(sent.strip(), personal=True)
        entry = _Entry(code, readable, readable.role if readable else "other", key, sent, form, parsed)
        canonical = f"{code}-{form.suffix if form else suffix}".removesuffix("-")
        if entry.role == "door_id":
            self._into_context(entry)
        else:
            self._entries.append(entry)
        if row is None:
            self._unknown(entry)
        if len(pair) == 1:
            parsed.problems.clear()
            self._note(entry.findings, "sign-missing", key, key, f"{canonical}=")
        self._spelling(entry, pair[0], canonical)
        if form is None:
            self._suffix(entry, suffix)
        if position and not item[0][0].strip().lower().startswith(code.lower()):
            self._note(entry.findings, "separator", key, ",", ";")

    def _into_context(self, entry: _Entry) -> None:
        entry.findings = self._of_frame  # it goes into every record, its deviations into the first alone
        if any(known.role == entry.role for known in self._context):
            self._note(entry.findings, "repeated", entry.key, "")
        self._context.append(entry)

    def _spelling(self, entry: _Entry, name: str, canonical: str) -> None:
        if entry.key != canonical:
            self._note(entry.findings, "key-case", entry.key, entry.key, canonical)
        if name != entry.key or entry.sent != entry.sent.strip():
            self._note(entry.findings, "blank", entry.key, '" "')
        for code, found, expected in entry.parsed.problems:
            self._note(entry.findings, code, entry.key, found, expected)

    def _unknown(self, entry: _Entry) -> None:
        elsewhere = ", ".join(defined_in(entry.code))
        found = f"{entry.code} ({elsewhere})" if elsewhere else entry.code
        self._note(entry.findings, "code-unknown", entry.key, found)

    def _suffix(self, entry: _Entry, suffix: str) -> None:
        wanted = f"-{self._form.suffix}" if self._form else "-Info, -Rtd"
        code = "suffix-unknown" if suffix else "suffix-missing"
        self._note(entry.findings, code, entry.key, f"-{suffix}" if suffix else "", wanted)

    def _flag(self, code: str, key: str, text: str, first: bool) -> None:
        owner = next((entry for entry in (*self._entries, *self._context)[::-1] if entry.code == code), None)
        if owner is None or owner.flag is not None:
            self._note(owner.findings if owner else self._of_frame, "flag-misplaced", key, shown_if_short(text))
            return
        owner.flag = text
        canonical = f"{code}-Flag"
        if key != canonical:
            self._note(owner.findings, "key-case", key, key, canonical)
        if first:
            self._note(owner.findings, "separator", key, ";", ",")
        if owner.form is WireForm.INFO:
            self._note(owner.findings, "flag-misplaced", key, shown_if_short(text))

    # The frame as a whole

    def _header(self) -> None:
        before, self.findings = self.findings, []
        of_frame: list[Finding] = []
        system, allowed = self._segment.field("ST") or "", self.dictionary.system_types
        if allowed and system not in allowed:
            self._note(of_frame, "system-type", "ST", system, ", ".join(allowed))
        if self._form is None:
            self._note(of_frame, "command", "CN", self._segment.field("CN") or "", ", ".join(WireForm))
        elif self._form not in self.dictionary.forms:
            self._note(of_frame, "form-not-foreseen", "CN", self._form, ", ".join(self.dictionary.forms))
        if not any(entry.role == DATA_TIME.role for entry in self._context):
            self._note(of_frame, "data-time-missing", DATA_TIME.code, "", "YYYYMMDDhhmmss")
        self._of_frame[:0] = of_frame
        self.findings += before

    def _forms(self) -> None:
        entries = [*self._entries, *(entry for entry in self._context if entry.role != DATA_TIME.role)]
        seen = [entry.form for entry in entries if entry.form]
        wanted = self._form or (seen[0] if seen else None)
        for entry in entries:
            if entry.form and wanted and entry.form is not wanted:
                code = "form-mixed" if wanted in seen else "form-of-other-command"
                self._note(entry.findings, code, entry.key, f"-{entry.form.suffix}", f"-{wanted.suffix}")

    # Records

    def _groups(self) -> list[_Group]:
        """Sort the values into records; the n-th value of a role goes into the n-th record of its kind."""
        groups: dict[tuple[str, object], _Group] = {}
        count: dict[str, int] = {}
        for entry in self._entries:
            kind = entry.row.record if entry.row else "other"
            which: object = 0
            if kind == "log":
                which = entry
            elif kind != "other":
                which = count.get(entry.role, 0)
                count[entry.role] = which + 1
                if which:
                    self._note(entry.findings, "repeated", entry.key, "")
            groups.setdefault((kind, which), _Group(kind)).entries.append(entry)
        found = [part for group in groups.values() for part in _alarms_apart(group)]
        if not found:  # a door number alone
            found.append(_Group("other", [entry for entry in self._context if entry.role == "door_id"]))
        # In wire order again: alarms apart from one another may have something between them.
        order = {entry: place for place, entry in enumerate(self._entries)}
        return sorted(found, key=lambda group: order.get(group.entries[0], 0))

    def _opening(self, group: _Group) -> None:
        suffix = (self._form or WireForm.INFO).suffix
        present = {entry.role: entry for entry in group.entries}
        for role in _OPENING_ROLES:
            row = self.dictionary.for_role(role)
            if row and role not in present:
                key = f"{row.code}-{suffix}"
                self._note(group.findings, "opening-incomplete", key, "", key)
        opened, composed = group.meaning("opened_at"), self._data_time()
        if opened and composed and opened - composed > timedelta(seconds=OPENING_AFTER_DATA_TIME_S):
            expected = f"<= {composed:%Y%m%d%H%M%S} + {OPENING_AFTER_DATA_TIME_S} s"
            self._note(
                group.findings,
                "opening-after-data-time",
                present["opened_at"].key,
                f"{opened:%Y%m%d%H%M%S}",
                expected,
            )

    def _data_time(self) -> datetime | None:
        meaning = next((entry.parsed.meaning for entry in self._context if entry.role == DATA_TIME.role), None)
        return meaning if isinstance(meaning, datetime) else None

    def _record(self, group: _Group) -> Record:
        door = next((entry for entry in self._context if entry.role == "door_id"), None)
        in_context = [entry for entry in self._context if entry not in group.entries]
        form = self._form or next((entry.form for entry in group.entries if entry.form), None)
        own = (entry.findings for entry in group.entries if entry.findings is not self._of_frame)
        findings = [*group.findings, *chain.from_iterable(own)]
        common: dict[str, Any] = {
            "mn": self._segment.field("MN") or "",
            "data_time": self._data_time(),
            "door_id": door.parsed.meaning if door else None,
            "form": form,
            "dictionary": self.dictionary.name,
            "raw": tuple(entry.raw() for entry in (*in_context, *group.entries)),
            "findings": tuple(findings),
        }
        match group.kind:
            case "state":
                return DoorState(
                    **common,
                    running=group.meaning("running"),
                    door=group.meaning("door"),
                    dismantled=group.meaning(AlarmKind.DISMANTLED),
                    fault=group.meaning(AlarmKind.FAULT),
                )
            case "opening":
                return Opening(
                    **common,
                    method=group.meaning("method"),
                    code=group.meaning("person"),
                    opened_at=group.meaning("opened_at"),
                    details=tuple(self._details(group)),
                )
            case "alarm":
                (entry,) = group.entries
                return Alarm(**common, kind=AlarmKind(entry.role), active=group.meaning(entry.role))
            case "log":
                (entry,) = group.entries
                return LogEntry(**common, item=entry.code, message=str(entry.parsed.meaning))
            case _:
                values = tuple((entry.code, str(entry.parsed.meaning)) for entry in group.entries)
                return OtherValues(**common, values=values)

    def _details(self, group: _Group) -> Iterator[tuple[str, str]]:
        roles = [row.role for row in self.dictionary.codes]
        for entry in sorted(group.entries, key=lambda entry: roles.index(entry.role)):
            if entry.role not in _OPENING_ROLES:
                yield entry.role, str(entry.parsed.meaning)


def _alarms_apart(group: _Group) -> Iterator[_Group]:
    if group.kind != "state" or any(entry.role in _STATE_ROLES for entry in group.entries):
        yield group
    else:
        yield from (_Group("alarm", [entry]) for entry in group.entries)
