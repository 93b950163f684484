"""Records -> the data area of a frame."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, TypeAlias

from hj212 import Segment

from .dictionaries import Code, Dictionary
from .errors import RecordError
from .findings import MASK
from .model import Alarm, DoorState, LogEntry, Opening, OtherValues, Record, WireForm
from .reading import read
from .values import DATA_TIME, Meaning, format_value

__all__ = ["Item", "write"]

#: One item of the data area: ``[[key, value], ...]``, as :class:`hj212.Segment` holds it.
Item: TypeAlias = list[list[str]]

_NORMAL: Final = "N"  # data flag: the value is good
_BREAKS_PLAIN: Final = re.compile(r"[;,\r\n]|&&|^//")
_BREAKS_DELIMITED: Final = re.compile(r"//|&&|[\r\n]")


def write(
    records: Record | Iterable[Record], dictionary: Dictionary, form: WireForm, *, strict: bool = True
) -> list[Item]:
    """Return the data area that states the records, ``DataTime`` first; reading it gives the records back.

    Values go out as the dictionary spells their meanings, whatever they were read from, so that a record read from
    one region or form can be written for another. A value that had no meaning goes out as it came, which only
    ``strict=False`` allows.

    Args:
        records: One record, or several that one frame can hold: of the same device and DataTime.
        dictionary: How the receiving side codes the facts.
        form: The command that will carry them: 3020 or 2011.
        strict: Whether to write only what strict reading takes for the same records.

    Raises:
        RecordError: If the dictionary has no code or no value for a fact; if records do not fit into one frame; if a
            text would break the frame apart; and, when ``strict``, at anything that deviates.
        ValueError: If there are no records.
    """
    batch = [records] if isinstance(records, Record) else list(records)
    if not batch:
        raise ValueError("no records to write")
    head = batch[0]
    for record in batch[1:]:
        for field in ("mn", "data_time", "door_id"):
            if getattr(record, field) != getattr(head, field):
                raise _error("repeated", field, "the records of one frame share MN, DataTime and door number")
    items = [[[DATA_TIME.code, text]] for text in _data_time(head)]
    if head.door_id is not None:
        row = _row(dictionary, "door_id", "door_id")
        items.append(_item(row.code, _spell(row, head.door_id, "door_id"), form, head, row.role))
    for record in batch:
        items += (_item(code, text, form, record, role) for code, text, role in _coded(record, dictionary))
    if strict:
        _check(batch, items, dictionary, form)
    return items


def _data_time(record: Record) -> Iterator[str]:
    if record.data_time is not None:
        yield _spell(DATA_TIME, record.data_time, "data_time")
    elif (text := record.text(DATA_TIME.role)) is not None:
        yield _safe(text.strip(), "data_time", False)


def _coded(record: Record, dictionary: Dictionary) -> Iterator[tuple[str, str, str]]:
    """Yield code, text and role of every value, in the order of the dictionary."""
    if isinstance(record, LogEntry):
        row = dictionary.find(record.item)
        if row is None or row.role != "log":
            raise _error("code-unknown", "item", f"dictionary {dictionary.name} has no log {record.item}")
        yield row.code, _spell(row, record.message, "message"), row.role
        return
    if isinstance(record, OtherValues):
        for code, text in record.values:
            row = dictionary.find(code)
            delimited = row is not None and row.delimited
            yield code, _safe(f"//{text}//" if delimited else text, code, delimited or _is_delimited(text)), "other"
        return
    found = list(_facts(record, dictionary))
    for value in record.raw:
        if not value.understood and value.role != DATA_TIME.role:
            row = _row(dictionary, value.role, value.role)
            found.append((row, _safe(value.text.strip(), value.role, False)))
    for row, text in sorted(found, key=lambda pair: dictionary.codes.index(pair[0])):
        yield row.code, text, row.role


def _facts(record: DoorState | Opening | Alarm, dictionary: Dictionary) -> Iterator[tuple[Code, str]]:
    stated: list[tuple[str, str, Meaning | None]]  # role, the record's field, fact
    if isinstance(record, DoorState):
        stated = [(name, name, getattr(record, name)) for name in ("running", "door", "dismantled", "fault")]
    elif isinstance(record, Alarm):
        stated = [(record.kind, "active", record.active)]
    else:
        stated = [
            ("method", "method", record.method),
            ("person", "code", record.code),
            ("opened_at", "opened_at", record.opened_at),
            *((role, role, text) for role, text in record.details),
        ]
    for role, field, fact in stated:
        if fact is not None:
            row = _row(dictionary, role, field)
            yield row, _spell(row, fact, field)


def _row(dictionary: Dictionary, role: str, field: str) -> Code:
    row = dictionary.for_role(role)
    if row is None:
        raise _error("code-unknown", field, f"dictionary {dictionary.name} has no code for it")
    return row


def _spell(row: Code, meaning: Meaning, field: str) -> str:
    try:
        text = format_value(row, meaning)
    except ValueError as error:
        raise _error("value-outside-set" if row.values else "time-format", field, f"{row.code}: {error}") from error
    return _safe(text, field, row.delimited)


def _safe(text: str, field: str, delimited: bool) -> str:
    """Refuse what would end the value early: there is no escaping (HJ 212-2017 6.3.3)."""
    broken = _BREAKS_DELIMITED.search(text[2:-2]) if delimited else _BREAKS_PLAIN.search(text)
    if broken:
        raise _error("value-format", field, "a separator inside the value would break the frame", found=MASK)
    return text


def _is_delimited(text: str) -> bool:
    return len(text) >= 4 and text.startswith("//") and text.endswith("//")


def _item(code: str, text: str, form: WireForm, record: Record, role: str) -> Item:
    pairs = [[f"{code}-{form.suffix}", text]]
    if form is WireForm.RTD:
        sent = (v.flag for v in record.raw if v.role == role and v.flag and (role != "other" or v.key.startswith(code)))
        pairs.append([f"{code}-Flag", next(sent, _NORMAL)])
    return pairs


def _check(batch: list[Record], items: list[Item], dictionary: Dictionary, form: WireForm) -> None:
    header = [["ST", next(iter(dictionary.system_types), "")], ["CN", form.value], ["MN", batch[0].mn]]
    if read(Segment(header, items), dictionary, strict=True) != batch:
        raise _error("repeated", "records", "the records cannot be told apart in one frame: write one frame each")


def _error(code: str, field: str, text: str, found: str = "") -> RecordError:
    return RecordError(f"{field}: {text}", code=code, field=field, found=found)
