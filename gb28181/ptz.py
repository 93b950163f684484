"""Front-end commands (前端设备控制, A.3): eight bytes, sent as sixteen hexadecimal digits in PTZCmd.

====  =====================================================================
byte  content
====  =====================================================================
1     A5
2     version 0 in the high half; its check in the low half: F
3     address, low 8 bits; nobody addresses by it, DeviceID does
4     command
5, 6  data 1 and 2
7     data 3 in the high half, address bits 11 to 8 in the low half
8     sum of bytes 1 to 7, modulo 256
====  =====================================================================

:data:`LAYOUT` declares this; :func:`encode` and :func:`decode` join the digits and typed commands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final

from construct import (  # type: ignore[import-untyped]  # it has no types of its own
    BitsInteger,
    BitStruct,
    Byte,
    Const,
    Nibble,
    Struct,
)

from .errors import LocalProtocolError, PtzError

__all__ = [
    "LAYOUT",
    "Auxiliary",
    "Command",
    "Cruise",
    "CruiseAct",
    "Frame",
    "Iris",
    "Move",
    "Preset",
    "PresetAct",
    "Scan",
    "ScanAct",
    "Unknown",
    "decode",
    "encode",
    "terms",
]

#: The bytes; the sum is checked by who reads.
LAYOUT: Final = Struct(
    "start" / Const(b"\xa5"),
    "combination" / BitStruct("version" / Nibble, "check" / Nibble),
    "address_low" / Byte,
    "command" / Byte,
    "data1" / Byte,
    "data2" / Byte,
    "combination2" / BitStruct("data3" / Nibble, "address_high" / BitsInteger(4)),
    "sum" / Byte,
)

_START: Final = 0xA5
_HEX: Final = re.compile(r"\s*([0-9A-Fa-f]{16})\s*\Z")
_STOP: Final = 0x00

Term = tuple[str, str]  # Chinese, English


@dataclass(frozen=True, slots=True)
class Frame:
    """The eight bytes taken apart.

    Attributes:
        command: Byte 4.
        data1: Byte 5.
        data2: Byte 6.
        data3: High half of byte 7.
        address: 0 to 4095.
        version: High half of byte 2, 0 for "1.0".
    """

    command: int
    data1: int = 0
    data2: int = 0
    data3: int = 0
    address: int = 1
    version: int = 0

    def __bytes__(self) -> bytes:
        first = _START >> 4, _START & 15
        combination = self.version << 4 | (sum(first) + self.version) % 16
        body = bytes(
            (
                _START,
                combination,
                self.address & 0xFF,
                self.command,
                self.data1,
                self.data2,
                self.data3 << 4 | self.address >> 8,
            )
        )
        return body + bytes((sum(body) % 256,))


def _in_range(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise LocalProtocolError(f"{name}: expected {low} to {high}, found {value}", field=name, clause="A.3")


class Command:
    """Base of every command: knows how it stands in a frame."""

    __slots__ = ()

    def frame(self, address: int = 1) -> Frame:
        """Return its bytes, taken apart.

        Raises:
            LocalProtocolError: If a value is out of its range.
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Move(Command):
    """PTZ 指令: pan, tilt and zoom at once; all 0 stops every movement, cruise and scan.

    Attributes:
        pan: Speed to the right, 1 to 255; negative to the left.
        tilt: Speed upwards, 1 to 255; negative downwards.
        zoom: Speed inwards (放大), 1 to 15; negative outwards.
        speeds: Speeds of directions that are not moved, as some senders fill them: pan, tilt, zoom.
    """

    pan: int | None = None
    tilt: int | None = None
    zoom: int | None = None
    left: bool = False
    down: bool = False
    out: bool = False
    speeds: tuple[int, int, int] = (0, 0, 0)

    @classmethod
    def of(cls, pan: int = 0, tilt: int = 0, zoom: int = 0) -> Move:
        """Return the movement with signed speeds: right, up and inwards are positive, 0 stands still."""
        return cls(
            abs(pan) if pan else None,
            abs(tilt) if tilt else None,
            abs(zoom) if zoom else None,
            pan < 0,
            tilt < 0,
            zoom < 0,
        )

    @property
    def stops(self) -> bool:
        """Whether it stops everything."""
        return self.pan is None and self.tilt is None and self.zoom is None

    def frame(self, address: int = 1) -> Frame:
        pan, tilt, zoom = self.speeds
        command = 0
        if self.pan is not None:
            command |= 2 if self.left else 1
            pan = self.pan
        if self.tilt is not None:
            command |= 4 if self.down else 8
            tilt = self.tilt
        if self.zoom is not None:
            command |= 32 if self.out else 16
            zoom = self.zoom
        _in_range("pan", pan, 0, 255)
        _in_range("tilt", tilt, 0, 255)
        _in_range("zoom", zoom, 0, 15)
        return Frame(command, pan, tilt, zoom, address)


@dataclass(frozen=True, slots=True)
class Iris(Command):
    """FI 指令: iris and focus at once; neither stops both.

    Attributes:
        focus: Speed of the focus, 0 to 255; ``None`` stands still.
        iris: Speed of the iris, 0 to 255; ``None`` stands still.
        near: Whether the focus goes near (聚焦近).
        close: Whether the iris closes (光圈缩小).
        speeds: Speeds of what is not moved: focus, iris.
    """

    focus: int | None = None
    iris: int | None = None
    near: bool = False
    close: bool = False
    speeds: tuple[int, int] = (0, 0)

    def frame(self, address: int = 1) -> Frame:
        focus, iris = self.speeds
        command = 0x40
        if self.focus is not None:
            command |= 2 if self.near else 1
            focus = self.focus
        if self.iris is not None:
            command |= 8 if self.close else 4
            iris = self.iris
        _in_range("focus", focus, 0, 255)
        _in_range("iris", iris, 0, 255)
        return Frame(command, focus, iris, 0, address)


class PresetAct(IntEnum):
    """What is done to a preset (预置位); the value is byte 4."""

    SET = 0x81
    CALL = 0x82
    DELETE = 0x83


@dataclass(frozen=True, slots=True)
class Preset(Command):
    """预置位指令; number 1 to 255, 0 is reserved."""

    act: PresetAct
    number: int

    def frame(self, address: int = 1) -> Frame:
        _in_range("preset", self.number, 1, 255)
        return Frame(self.act, 0, self.number, 0, address)


class CruiseAct(IntEnum):
    """What is done to a cruise (巡航); the value is byte 4."""

    ADD = 0x84
    DELETE = 0x85
    SPEED = 0x86
    STAY = 0x87
    START = 0x88


@dataclass(frozen=True, slots=True)
class Cruise(Command):
    """巡航指令.

    Attributes:
        act: What is done.
        group: 巡航组, 0 to 255.
        value: The preset to add or delete (deleting 0 deletes the cruise), the speed, or the seconds to stay (both 12
            bits); 0 with START.
    """

    act: CruiseAct
    group: int
    value: int = 0

    def frame(self, address: int = 1) -> Frame:
        _in_range("group", self.group, 0, 255)
        low, high = _CRUISE_VALUES[self.act]
        _in_range(self.act.name.lower(), self.value, low, high)
        return Frame(self.act, self.group, self.value & 0xFF, self.value >> 8, address)


_CRUISE_VALUES: Final = {
    CruiseAct.ADD: (1, 255),
    CruiseAct.DELETE: (0, 255),
    CruiseAct.SPEED: (0, 0xFFF),
    CruiseAct.STAY: (0, 0xFFF),
    CruiseAct.START: (0, 0),
}


class ScanAct(Enum):
    """What is done to an automatic scan (自动扫描): byte 4, and byte 6 where it is fixed."""

    START = (0x89, 0)
    LEFT_BORDER = (0x89, 1)
    RIGHT_BORDER = (0x89, 2)
    SPEED = (0x8A, -1)


@dataclass(frozen=True, slots=True)
class Scan(Command):
    """扫描指令.

    Attributes:
        act: What is done.
        group: 扫描组, 0 to 255.
        speed: 12 bits, with SPEED alone.
    """

    act: ScanAct
    group: int
    speed: int = 0

    def frame(self, address: int = 1) -> Frame:
        _in_range("group", self.group, 0, 255)
        command, fixed = self.act.value
        _in_range("speed", self.speed, 0, 0xFFF if fixed < 0 else 0)
        value = self.speed if fixed < 0 else fixed
        return Frame(command, self.group, value & 0xFF, value >> 8, address)


@dataclass(frozen=True, slots=True)
class Auxiliary(Command):
    """辅助开关指令: a switch by its number, 1 the wiper (雨刷)."""

    on: bool
    number: int

    def frame(self, address: int = 1) -> Frame:
        _in_range("switch", self.number, 0, 255)
        return Frame(0x8C if self.on else 0x8D, self.number, 0, 0, address)


@dataclass(frozen=True, slots=True)
class Unknown(Command):
    """Bytes that no table of A.3 explains; kept as they are."""

    raw: Frame

    def frame(self, address: int = 1) -> Frame:
        raw = self.raw
        return Frame(raw.command, raw.data1, raw.data2, raw.data3, address, raw.version)


def encode(command: Command, address: int = 1) -> str:
    """Return the sixteen digits of a command.

    Args:
        command: Its values.
        address: 0 to 4095; receivers ignore it.

    Raises:
        LocalProtocolError: If a value is out of its range.

    >>> encode(Move.of(pan=0x80))
    'A50F010180000036'
    """
    _in_range("address", address, 0, 0xFFF)
    return bytes(command.frame(address)).hex().upper()


def decode(text: str) -> tuple[Command, int]:
    """Read sixteen digits; return the command and the address.

    Raises:
        PtzError: If they are not sixteen digits, byte 1 is not A5, a check is wrong, or opposite directions are moved.

    >>> decode("A50F0100000000B5")[0].stops
    True
    """
    found = _HEX.match(text)
    if not found:
        raise PtzError(f"PTZCmd: expected 16 hexadecimal digits, found {text[:40]!r}", field="PTZCmd", clause="A.3.1")
    frame = parse(bytes.fromhex(found[1]))
    return _command(frame), frame.address


def parse(data: bytes) -> Frame:
    """Take eight bytes apart.

    Raises:
        PtzError: If byte 1 is not A5 or a check is wrong; the byte is named.
    """
    if len(data) != 8:
        raise PtzError(f"PTZCmd: expected 8 bytes, found {len(data)}", field="PTZCmd", clause="A.3.1")
    if data[0] != _START:
        raise PtzError(f"byte 1: expected A5, found {data[0]:02X}", field="PTZCmd", clause="A.3.1")
    version = data[1] >> 4
    check = ((_START >> 4) + (_START & 15) + version) % 16
    if data[1] & 15 != check:
        raise PtzError(
            f"byte 2: expected {version << 4 | check:02X}, found {data[1]:02X}", field="PTZCmd", clause="A.3.1"
        )
    total = sum(data[:7]) % 256
    if data[7] != total:
        raise PtzError(f"byte 8: expected the sum {total:02X}, found {data[7]:02X}", field="PTZCmd", clause="A.3.1")
    return Frame(data[3], data[4], data[5], data[6] >> 4, (data[6] & 15) << 8 | data[2], version)


def _command(frame: Frame) -> Command:
    if frame.version:  # of which nothing is known
        return Unknown(frame)
    if frame.command & 0xC0 == 0:
        return _move(frame)
    if frame.command & 0xF0 == 0x40:
        return _iris(frame)
    reader = _READERS.get(frame.command)
    command = reader(frame) if reader else None
    # What a field is not made for does not fit its command: kept, not lost.
    if command is None or bytes(command.frame(frame.address)) != bytes(frame):
        return Unknown(frame)
    return command


def _opposite(frame: Frame, pair: int, words: str) -> None:
    if frame.command & pair == pair:
        raise PtzError(f"byte 4: {frame.command:02X} moves {words} at once", field="PTZCmd", clause="A.3.2")


def _move(frame: Frame) -> Command:
    command = frame.command
    for pair, words in ((0x03, "left and right"), (0x0C, "up and down"), (0x30, "in and out")):
        _opposite(frame, pair, words)
    pans, tilts, zooms = command & 3, command & 12, command & 48
    return Move(
        frame.data1 if pans else None,
        frame.data2 if tilts else None,
        frame.data3 if zooms else None,
        pans == 2,
        tilts == 4,
        zooms == 32,
        (0 if pans else frame.data1, 0 if tilts else frame.data2, 0 if zooms else frame.data3),
    )


def _iris(frame: Frame) -> Command:
    _opposite(frame, 0x03, "the focus near and far")
    _opposite(frame, 0x0C, "the iris open and closed")
    if frame.data3:
        return Unknown(frame)
    focus, iris = frame.command & 3, frame.command & 12
    return Iris(
        frame.data1 if focus else None,
        frame.data2 if iris else None,
        focus == 2,
        iris == 8,
        (0 if focus else frame.data1, 0 if iris else frame.data2),
    )


def _value(frame: Frame) -> int:
    return frame.data3 << 8 | frame.data2


def _preset(frame: Frame) -> Command | None:
    return Preset(PresetAct(frame.command), frame.data2) if frame.data2 else None


def _cruise(frame: Frame) -> Command | None:
    act, value = CruiseAct(frame.command), _value(frame)
    low, high = _CRUISE_VALUES[act]
    return Cruise(act, frame.data1, value) if low <= value <= high else None


def _scan(frame: Frame) -> Command | None:
    acts = {0: ScanAct.START, 1: ScanAct.LEFT_BORDER, 2: ScanAct.RIGHT_BORDER}
    act = acts.get(frame.data2)
    return Scan(act, frame.data1) if act else None


_READERS: Final[Mapping[int, Callable[[Frame], Command | None]]] = {
    **dict.fromkeys(map(int, PresetAct), _preset),
    **dict.fromkeys(map(int, CruiseAct), _cruise),
    0x89: _scan,
    0x8A: lambda frame: Scan(ScanAct.SPEED, frame.data1, _value(frame)),
    0x8C: lambda frame: Auxiliary(True, frame.data1),
    0x8D: lambda frame: Auxiliary(False, frame.data1),
}


#: Command -> what people call it, with places for its values.
_TERMS: Final[Mapping[object, Term]] = {
    PresetAct.SET: ("设置预置位 {}", "set preset {}"),
    PresetAct.CALL: ("调用预置位 {}", "go to preset {}"),
    PresetAct.DELETE: ("删除预置位 {}", "delete preset {}"),
    CruiseAct.ADD: ("巡航组 {} 加入预置位 {}", "cruise {}: add preset {}"),
    CruiseAct.DELETE: ("巡航组 {} 删除预置位 {}", "cruise {}: delete preset {}"),
    CruiseAct.SPEED: ("巡航组 {} 速度 {}", "cruise {}: speed {}"),
    CruiseAct.STAY: ("巡航组 {} 停留 {} 秒", "cruise {}: stay {} s"),
    CruiseAct.START: ("开始巡航组 {}", "start cruise {}"),
    ScanAct.START: ("开始自动扫描 {}", "start scan {}"),
    ScanAct.LEFT_BORDER: ("自动扫描 {} 设左边界", "scan {}: set the left border"),
    ScanAct.RIGHT_BORDER: ("自动扫描 {} 设右边界", "scan {}: set the right border"),
    ScanAct.SPEED: ("自动扫描 {} 速度 {}", "scan {}: speed {}"),
}


def terms(command: Command) -> Term:
    """Return what people call a command, in Chinese and in English.

    >>> terms(Preset(PresetAct.CALL, 5))
    ('调用预置位 5', 'go to preset 5')
    """
    match command:
        case Move():
            return _move_terms(command)
        case Iris():
            return _iris_terms(command)
        case Preset(act, number):
            return _filled(act, number)
        case Cruise(act, group, value):
            if act is CruiseAct.DELETE and not value:
                return f"删除巡航组 {group}", f"delete cruise {group}"
            return _filled(act, group, value)
        case Scan(act, group, speed):
            return _filled(act, group, speed)
        case Auxiliary(on, number):
            wiper = number == 1
            zh, en = ("雨刷", "wiper") if wiper else (f"辅助开关 {number}", f"auxiliary switch {number}")
            return (f"{zh}开", f"{en} on") if on else (f"{zh}关", f"{en} off")
        case _:
            frame = command.frame()
            return f"未知指令 {frame.command:02X}", f"unknown command {frame.command:02X}"


def _filled(act: object, *values: int) -> Term:
    zh, en = _TERMS[act]
    return zh.format(*values), en.format(*values)


def _move_terms(move: Move) -> Term:
    if move.stops:
        return "停止", "stop"
    parts = [
        (move.pan, ("左", "left") if move.left else ("右", "right")),
        (move.tilt, ("下", "down") if move.down else ("上", "up")),
        (move.zoom, ("缩小", "zoom out") if move.out else ("放大", "zoom in")),
    ]
    return _joined(parts)


def _iris_terms(iris: Iris) -> Term:
    if iris.focus is None and iris.iris is None:
        return "聚焦、光圈停止", "focus and iris stop"
    parts = [
        (iris.focus, ("聚焦近", "focus near") if iris.near else ("聚焦远", "focus far")),
        (iris.iris, ("光圈缩小", "iris close") if iris.close else ("光圈放大", "iris open")),
    ]
    return _joined(parts)


def _joined(parts: list[tuple[int | None, Term]]) -> Term:
    moved = [(speed, words) for speed, words in parts if speed is not None]
    zh = "，".join(f"{words[0]}（速度 {speed}）" for speed, words in moved)
    return zh, ", ".join(f"{words[1]} (speed {speed})" for speed, words in moved)
