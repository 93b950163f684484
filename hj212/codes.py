"""Code sets that the protocol branches on; everything else stays text.

Code spaces are open: a number that no member has is kept as the plain number, so it survives a round trip.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, IntFlag
from functools import cache

__all__ = [
    "CommandKind",
    "CommandRow",
    "ExeRtn",
    "FieldRow",
    "FlagBits",
    "QnRtn",
    "Reply",
    "command_row",
    "commands",
    "data_flags",
    "fields",
    "read_table",
]


class FlagBits(IntFlag):
    """Bits of Flag (HJ 212-2017 6.3.2); the version number stands above them."""

    ANSWER = 1  #: A: this message wants an answer
    NUMBERED = 2  #: D: PNUM and PNO are present


class QnRtn(IntEnum):
    """Request answer, field of 9011 (HJ 212-2017 6.6, 请求命令返回)."""

    READY = 1
    REFUSED = 2
    PW_WRONG = 3
    MN_WRONG = 4
    ST_WRONG = 5
    FLAG_WRONG = 6
    QN_WRONG = 7
    CN_WRONG = 8
    CRC_WRONG = 9
    UNKNOWN = 100


class ExeRtn(IntEnum):
    """Execution result, field of 9012 (HJ 212-2017 6.6, 执行结果)."""

    SUCCESS = 1
    FAILED = 2
    BAD_CONDITION = 3
    TIMEOUT = 4
    BUSY = 5
    SYSTEM_FAULT = 6
    NO_DATA = 100


class Reply(IntEnum):
    """The four interaction commands; they are answers and are never answered themselves."""

    REQUEST_ANSWER = 9011  #: 请求应答
    EXECUTION_RESULT = 9012  #: 执行结果
    NOTICE_ANSWER = 9013  #: 通知应答
    DATA_ANSWER = 9014  #: 数据应答


class CommandKind(IntEnum):
    """What a command is in the flows of HJ 212-2017 Annex C."""

    REQUEST = 1  #: 请求: answered by 9011, then 9012
    UPLOAD = 2  #: 上传: answered by 9014 where Flag wants it
    NOTICE = 3  #: 通知: answered by 9013
    INTERACTION = 4  #: 交互: an answer


@dataclass(frozen=True, slots=True)
class CommandRow:
    """One command in one direction.

    Attributes:
        cn: Command code, e.g. ``"3020"``.
        upward: Whether the station sends it.
        kind: What it is in the flows.
        name_zh: 命令名称.
        name_en: Its name in English.
        required: Names of the parameters it must carry; ``xxxxxx-`` stands for any factor.
    """

    cn: str
    upward: bool
    kind: CommandKind
    name_zh: str
    name_en: str
    required: tuple[str, ...]


def read_table(name: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a table of this package, a dictionary each."""
    # Imported here: they cost more than the rest of the package, and many users need no table.
    import csv
    from pkgutil import get_data

    data = get_data(__package__ or __name__, f"tables/{name}")
    assert data is not None
    yield from csv.DictReader(data.decode("utf-8").splitlines())


@cache
def commands() -> dict[tuple[str, bool], CommandRow]:
    """Return every command of ``tables/commands.csv``, by code and direction (``True``: sent by the station)."""
    rows = {}
    for row in read_table("commands.csv"):
        upward = row["direction"] == "up"
        required = tuple(row["required"].split(";")) if row["required"] else ()
        kind = CommandKind[row["kind"].upper()]
        rows[row["cn"], upward] = CommandRow(row["cn"], upward, kind, row["name_zh"], row["name_en"], required)
    return rows


def command_row(cn: str, upward: bool) -> CommandRow | None:
    """Return the row of a command in one direction, ``None`` for a command the table does not know."""
    return commands().get((cn, upward))


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One name that a segment may use.

    Attributes:
        name: As written: ``"QN"``, ``"DataTime"``, or a suffix with its hyphen, ``"-Rtd"``.
        place: ``"header"``, ``"parameter"`` or ``"suffix"``.
        format: What a value must be: ``"time"``, ``"data-flag"``, or empty where the table does not say.
        zh: 名称.
        en: Its name in English.
    """

    name: str
    place: str
    format: str
    zh: str
    en: str


@cache
def fields() -> dict[str, FieldRow]:
    """Return every row of ``tables/fields.csv`` by its name."""
    return {row["name"]: FieldRow(**row) for row in read_table("fields.csv")}


@cache
def data_flags() -> dict[str, tuple[str, str]]:
    """Return the data flags (数据标记) of measured values: letter -> Chinese and English meaning."""
    return {row["flag"]: (row["zh"], row["en"]) for row in read_table("dataflags.csv")}
