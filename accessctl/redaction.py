"""Records without what identifies a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .findings import MASK, shown_if_short
from .model import LogEntry, Opening, OtherValues, RawValue, Record

__all__ = ["redacted"]


def redacted(record: Record, person: Callable[[str], str] | None = None) -> Record:
    """Return a copy in which nothing identifies a person, neither facts nor texts as sent.

    Args:
        record: Any record.
        person: Gives the stand-in of a person's code, ``person-1``; without it codes become ``***`` as well.
    """
    name = person or (lambda _: MASK)
    changes: dict[str, object] = {"raw": tuple(_raw(value, name) for value in record.raw)}
    public = {value.role for value in record.raw if not value.personal}
    if isinstance(record, Opening):
        changes["code"] = name(record.code) if record.code else record.code
        changes["details"] = tuple((role, text if role in public else _hide(text)) for role, text in record.details)
    elif isinstance(record, LogEntry):
        changes["message"] = _hide(record.message)
    elif isinstance(record, OtherValues):
        known = {value.key.partition("-")[0].lower() for value in record.raw if not value.personal}
        changes["values"] = tuple(
            (code, text if code.lower() in known else _hide(text)) for code, text in record.values
        )
    return replace(record, **changes)  # type: ignore[arg-type]


def _raw(value: RawValue, name: Callable[[str], str]) -> RawValue:
    flag = None if value.flag is None else shown_if_short(value.flag)
    if not value.personal:
        return replace(value, flag=flag)
    code = value.text.strip() if value.role == "person" else ""
    return replace(value, text=name(code) if code else _hide(value.text), flag=flag)


def _hide(text: str) -> str:
    return MASK if text else ""
