"""What a platform asks of a station, by the table of commands and the station's edition."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from ..codes import CommandKind
from ..editions import Rules
from ..messages import Message
from ..tables.commands import CommandRow, command_row, editions_of

__all__ = ["STARTS", "STOPS", "Task", "has_result", "missing", "row_of", "task_of"]

#: Request that starts an upload -> the setting that it turns on.
STARTS: Final = {"2011": "realtime", "2021": "state"}
#: Notice that stops it -> the setting that it turns off.
STOPS: Final = {"2012": "realtime", "2022": "state"}

_SETTINGS: Final = frozenset({"1000", "1002", "1014", "1062", "1064", "1072"})
_READINGS: Final = frozenset({"1061", "1063"})
_CLOCK: Final = {"1011", "1012"}
_RESULT: Final = "9012"


class Task(Enum):
    """What a request comes to."""

    START = auto()  #: have data uploaded from now on
    RECORDS = auto()  #: send the records of a time range
    READING = auto()  #: tell a setting
    SETTING = auto()  #: change one
    OPERATION = auto()  #: whatever the site does or knows


def row_of(cn: str, rules: Rules) -> CommandRow | None:
    """Return the row of a command of the platform, ``None`` where the edition has none."""
    return command_row(cn, False, rules.edition) if rules.edition in editions_of(cn, upward=False) else None


def task_of(message: Message, row: CommandRow | None, *, own_clock: bool) -> Task:
    """Say what a request comes to.

    Args:
        message: The request.
        row: Its row; ``None`` for a command that the edition does not have.
        own_clock: Whether the station sets its own clock.
    """
    if row is None:
        return Task.OPERATION
    if message.parameter("BeginTime") is not None or "BeginTime" in row.required:
        return Task.RECORDS
    if row.cn in STARTS:
        return Task.START
    if row.cn in _CLOCK and not message.parameter("PolId") and own_clock:
        return Task.READING if row.cn == "1011" else Task.SETTING
    if row.cn in _SETTINGS:
        return Task.SETTING
    return Task.READING if row.cn in _READINGS else Task.OPERATION


def has_result(row: CommandRow | None) -> bool:
    """Say whether a request ends with 9012; in one edition 2011 and 2021 are over with 9011."""
    return row is None or _RESULT in row.reply


def missing(message: Message, row: CommandRow | None) -> str:
    """Return a parameter that a request lacks, empty where it has them all. ``PolID`` passes for ``PolId``."""
    if row is None or row.kind is not CommandKind.REQUEST:
        return ""
    names = {name.casefold() for name, _value in message.parameters()}
    return next((name for name in row.required if name.casefold() not in names), "")
