"""Door data as records: what a frame states, apart from how it is written.

Records are built by hand from facts alone, ``Opening(mn=..., data_time=..., method=OpeningMethod.FACE, ...)``, or
read from a frame; then they also say where each fact stood. Two records are equal when they state the same facts;
the wire form, the keys, the spelling and the findings are provenance and do not count. A value that the dictionary
cannot interpret is a fact, too: its text counts.

``repr`` shows ``***`` for everything that may identify a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, TypeAlias

from .findings import MASK, Finding, shown_if_short

__all__ = [
    "Alarm",
    "AlarmKind",
    "DoorPosition",
    "DoorState",
    "LogEntry",
    "Opening",
    "OpeningMethod",
    "OtherValues",
    "RawValue",
    "Record",
    "RunningState",
    "WireForm",
    "alarms_in",
]


class WireForm(StrEnum):
    """How door data travel: the command that carries them."""

    INFO = "3020"  #: 上传现场端信息, values as ``<code>-Info``
    RTD = "2011"  #: 上传实时数据, values as ``<code>-Rtd`` with ``<code>-Flag``

    @property
    def suffix(self) -> Literal["Info", "Rtd"]:
        """What follows the code and its hyphen."""
        return "Info" if self is WireForm.INFO else "Rtd"


class OpeningMethod(StrEnum):
    """How a door was opened. Wire codes differ between regions and stand in the dictionaries."""

    FACE = "face"  #: 人脸
    IC_CARD = "ic-card"  #: IC 卡
    FINGERPRINT = "fingerprint"  #: 指纹
    PASSWORD = "password"  #: 密码
    REMOTE = "remote"  #: 远程
    ROOM_SWITCH = "room-switch"  #: 室内开关


class DoorPosition(StrEnum):
    """Where the door leaf is."""

    CLOSED = "closed"  #: 关
    OPEN = "open"  #: 开


class RunningState(StrEnum):
    """How the door controller works, by HJ 212-2017 table B.10."""

    RUNNING = "running"  #: 运行
    STOPPED = "stopped"  #: 停止
    FAULT = "fault"  #: 故障
    MAINTENANCE = "maintenance"  #: 维护


class AlarmKind(StrEnum):
    """What an alarm is about."""

    DISMANTLED = "dismantled"  #: 拆除
    FAULT = "fault"  #: 设备故障


@dataclass(frozen=True, slots=True, repr=False)
class RawValue:
    """One value as it stood on the wire."""

    role: str  #: what the dictionary takes it for, ``"method"``; ``"other"`` for a code it does not know
    key: str  #: the key as sent, ``"i32004-Info"``
    text: str  #: the value as sent, blanks and delimiters included
    flag: str | None = None  #: the value of its ``-Flag``, where one was sent
    personal: bool = False  #: may identify a person
    understood: bool = True  #: whether the record has its meaning; otherwise the text is all there is

    def __repr__(self) -> str:
        text = MASK if self.personal else self.text
        flag = "" if self.flag is None else f",Flag={shown_if_short(self.flag)}"
        return f"<{self.role}: {self.key}={text}{flag}>"


#: Fields that say where facts come from, not what they are.
_PROVENANCE: Final = frozenset({"form", "dictionary", "raw", "findings"})
_PERSONAL: Final = {"personal": True}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class _Base:
    """What all records share."""

    mn: str  #: identity of the device, header field MN; empty when the frame has none
    data_time: datetime | None  #: DataTime, UTC+8; None when missing or no time
    door_id: str | None = None  #: number of the door controller, where the dictionary has one
    form: WireForm | None = None  #: how it was sent; None for a record built by hand or another command
    dictionary: str = ""  #: name of the dictionary it was read with
    raw: tuple[RawValue, ...] = ()  #: the values as sent: DataTime and door number, then in wire order
    findings: tuple[Finding, ...] = ()  #: deviations; those of the frame as a whole stand in its first record

    def text(self, role: str) -> str | None:
        """Return the text sent for a role, ``"data_time"`` included; ``None`` when there was none."""
        return next((value.text for value in self.raw if value.role == role), None)

    def _facts(self) -> tuple[Any, ...]:
        stated = tuple(getattr(self, f.name) for f in fields(self) if f.name not in _PROVENANCE)
        # A flag other than N ("normal") qualifies the value; that N is unsaid in the form 3020.
        texts = ((v.role, None if v.understood else v.text.strip(), v.flag) for v in self.raw)
        return stated, frozenset((r, t, f) for r, t, f in texts if t is not None or f not in (None, "", "N"))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, _Base):
            return NotImplemented
        return type(self) is type(other) and self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash((type(self), self._facts()))

    def __repr__(self) -> str:
        shown = []
        for f in fields(self):
            value = getattr(self, f.name)
            if value is None or value in ("", ()):
                continue
            text = MASK if f.metadata.get("personal") else str(value) if isinstance(value, datetime) else repr(value)
            shown.append(f"{f.name}={text}")
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class DoorState(_Base):
    """Where the door and its controller stand: any subset of the values, but not the alarm values alone.

    A frame that says how the door stands and whether the controller is dismantled or faulty, as a periodic report
    does, is one state; ``None`` is a value that was not sent or has no meaning.
    """

    running: RunningState | None = None
    door: DoorPosition | None = None
    dismantled: bool | None = None
    fault: bool | None = None

    def alarms(self) -> tuple[Alarm, ...]:
        """Return what the state says about dismantling and fault, one :class:`Alarm` each."""
        return tuple(
            Alarm(
                mn=self.mn,
                data_time=self.data_time,
                door_id=self.door_id,
                form=self.form,
                dictionary=self.dictionary,
                kind=kind,
                active=active,
                raw=tuple(value for value in self.raw if value.role in ("data_time", "door_id", kind)),
            )
            for kind, active in ((AlarmKind.DISMANTLED, self.dismantled), (AlarmKind.FAULT, self.fault))
            if active is not None
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Opening(_Base):
    """One opening of the door, 开门记录: how, by whom, when."""

    method: OpeningMethod | None = None
    code: str | None = field(default=None, metadata=_PERSONAL)  #: 开门编码, identifies the person; never show it
    opened_at: datetime | None = None  #: UTC+8
    #: What else the region sends with it (card, name, picture), as ``(role, text)`` in the dictionary's order.
    details: tuple[tuple[str, str], ...] = field(default=(), metadata=_PERSONAL)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Alarm(_Base):
    """The controller was dismantled or is faulty, or is so no longer; reported without the state of the door."""

    kind: AlarmKind
    active: bool | None  #: None for a value without meaning

    @property
    def at(self) -> datetime | None:
        """When it happened: the frame's DataTime."""
        return self.data_time


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class LogEntry(_Base):
    """A line of a door log, 门禁日志: free text for people."""

    item: str  #: the log's code, ``"i31001"``
    message: str = field(metadata=_PERSONAL)  #: without the ``//`` around it; may name people


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class OtherValues(_Base):
    """Values that are no door state, opening or log: of codes the dictionary does not know or gives no such role."""

    values: tuple[tuple[str, str], ...] = field(metadata=_PERSONAL)  #: ``(code, text)`` in wire order


Record: TypeAlias = DoorState | Opening | Alarm | LogEntry | OtherValues


def alarms_in(records: Iterable[Record]) -> Iterator[Alarm]:
    """Yield what the records say about dismantling and fault, whether sent alone or as part of a state."""
    for record in records:
        if isinstance(record, DoorState):
            yield from record.alarms()
        elif isinstance(record, Alarm):
            yield record
