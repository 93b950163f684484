"""One row of what a platform stored, whatever the form it is stored in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from .ruined import StoredQn

__all__ = ["ReceivedSource", "Row", "area_of", "clean_text", "data_time_of", "header_of"]

_DATA_TIME: Final = re.compile(rb"DataTime\s*=\s*([0-9]{1,17})")
_OPENING: Final = b"CP=&&"
_FRAME_HEAD: Final = re.compile(rb"\s*##[0-9]{4}")


@dataclass(slots=True)
class Row:
    """What a platform says of one message; ``None``, or empty: it does not say.

    Attributes:
        row: Where it stands: ``id`` of a store, line of a file.
        area: What stands between ``CP=&&`` and ``&&``.
        received_ms: POSIX milliseconds.
        order: Rises with the order of arrival; equal where that is not known.
    """

    row: int
    mn: str
    qn: StoredQn
    cn: str
    pno: int | None
    pnum: int | None
    st: str | None
    data_time: str
    area: bytes | None
    received_ms: int | None
    order: int | None


class ReceivedSource(Protocol):
    """A file with what a platform stored; each iteration reads it from its beginning."""

    path: Path

    @property
    def tells_content(self) -> bool:
        """Whether its rows hold the data area."""

    @property
    def tells_time(self) -> bool:
        """Whether its rows hold the time of arrival."""

    def __iter__(self) -> Iterator[Row]: ...


def area_of(content: bytes) -> bytes:
    """Return what stands between ``CP=&&`` and the last ``&&`` of a segment or frame; an area alone as it is."""
    begin = content.find(_OPENING)
    if begin < 0:
        return content
    begin += len(_OPENING)
    end = content.rfind(b"&&", begin)
    return content[begin:end] if end >= 0 else content[begin:]


def header_of(content: bytes) -> dict[str, str]:
    """Return the fields before ``CP`` of a segment or frame, none of an area alone; of several the first."""
    end = content.find(_OPENING)
    if end < 0:
        return {}
    head = content[:end]
    if framed := _FRAME_HEAD.match(head):
        head = head[framed.end() :]
    fields: dict[str, str] = {}
    for field in clean_text(head.decode("utf-8", "surrogateescape")).split(";"):
        name, sign, value = field.partition("=")
        if sign:
            fields.setdefault(name.strip(), value.strip())
    return fields


def data_time_of(area: bytes) -> str:
    """Return the first DataTime of an area, empty where there is none."""
    found = _DATA_TIME.search(area)
    return found[1].decode() if found else ""


def clean_text(text: str) -> str:
    """Return text that a database takes: bytes that are no UTF-8 as ``\\xff``."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
