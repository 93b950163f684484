"""Faults of the link: the station says the right thing, and the bytes reach the platform in another way than usual.

Such a fault acts on a message when it is written for the first time. What it does is a list of :data:`Step` that
whoever has the transport carries out, one after the other; frames that come meanwhile wait behind them.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from ..behaviour import Behaviour
from .registry import ALL, NOT_JUDGED, fault

__all__ = [
    "DEAF_S",
    "DRIP_S",
    "HALF_OPEN_S",
    "HOLD_S",
    "PER_REPORT_S",
    "SPLIT_S",
    "WAYS",
    "Do",
    "Step",
    "steps",
]

#: Between the two parts of a frame that is written in two.
SPLIT_S: Final = 0.05
#: Between two bytes of a frame that drips: a message of 200 bytes takes one second, less than any OverTime.
DRIP_S: Final = 0.005
#: How long a frame is held back for the next one; where none comes, it goes out as it should have.
HOLD_S: Final = 2.0
#: How long a station whose sending half is closed still listens.
HALF_OPEN_S: Final = 5.0
#: How long a station that leaves its link behind a report waits for the answer.
PER_REPORT_S: Final = 1.0
#: How much longer than OverTime a station does not read.
DEAF_S: Final = 1.0
#: Bytes at the end of a frame that a platform might do without: CRC and CR LF.
_END: Final = 6


class Do(Enum):
    """What is done to a link."""

    WRITE = auto()  #: bytes
    WAIT = auto()  #: seconds, before anything else is done
    ACTED = auto()  #: the fault can be seen from here on
    EOF = auto()  #: close the sending half
    CLOSE = auto()  #: close as it should be
    RESET = auto()  #: break off with RST
    REBIND = auto()  #: go on from another port; the platform is not told
    BE_DEAF = auto()  #: do not read for so many seconds after OverTime; the fault acts where it is not deaf already
    GLUE = auto()  #: hold the frame back and write it together with the next one
    SWAP = auto()  #: hold the frame back and write it after the next one


#: What to do, and with what.
Step = tuple[Do, bytes | float]
#: Draws a number, 0 included and 1 not; the same for the same argument.
Chance = Callable[[int], float]
_Way = Callable[[bytes, Chance], list[Step]]

#: What each fault of the link does to a frame.
WAYS: Final[dict[str, _Way]] = {}


def steps(name: str, frame: bytes, chance: Chance) -> list[Step]:
    """Return what the fault ``name`` makes of a frame.

    Args:
        name: One of :data:`WAYS`.
        frame: The frame.
        chance: Where the fault draws from.
    """
    return WAYS[name](frame, chance)


def _way(name: str, en: str, zh: str) -> Callable[[_Way], _Way]:
    """Register the function below as what the fault ``name`` makes of a frame."""

    def register(way: _Way) -> _Way:
        def on(b: Behaviour) -> None:
            b.link = name

        WAYS[name] = way
        fault(name, "bytes", NOT_JUDGED, en, zh, ALL)(on)
        return way

    return register


def _within(frame: bytes, chance: Chance) -> int:
    """Draw a place in a frame: something stands before it, and more than its end behind it."""
    return 1 + int(chance(0) * max(1, len(frame) - _END - 1))


@_way("split-writes", "writes a frame in two parts, cut at a random byte", "一帧分两次写出，断点随机")
def _split(frame: bytes, chance: Chance) -> list[Step]:
    at = _within(frame, chance)
    return [(Do.WRITE, frame[:at]), (Do.WAIT, SPLIT_S), (Do.WRITE, frame[at:]), (Do.ACTED, 0.0)]


@_way("glued-frames", "writes a frame together with the next one", "粘包：与下一帧一次写出")
def _glue(frame: bytes, chance: Chance) -> list[Step]:
    return [(Do.GLUE, frame)]


@_way("slow-drip", "writes a frame byte by byte, with pauses", "逐字节缓慢发送，字节间有停顿")
def _drip(frame: bytes, chance: Chance) -> list[Step]:
    found: list[Step] = []
    for at in range(len(frame)):
        found += [(Do.WRITE, frame[at : at + 1]), (Do.WAIT, DRIP_S)]
    return [*found, (Do.ACTED, 0.0)]


@_way("half-close", "closes its sending half behind a frame and listens on", "发出一帧后半关闭连接，只收不发")
def _half_close(frame: bytes, chance: Chance) -> list[Step]:
    return [(Do.WRITE, frame), (Do.ACTED, 0.0), (Do.EOF, 0.0), (Do.WAIT, HALF_OPEN_S), (Do.CLOSE, 0.0)]


@_way("cut-frame", "loses the link in the middle of a frame", "一帧发到一半连接断开")
def _cut(frame: bytes, chance: Chance) -> list[Step]:
    return [(Do.WRITE, frame[: _within(frame, chance)]), (Do.ACTED, 0.0), (Do.CLOSE, 0.0)]


@_way("connection-per-report", "closes the link behind each report", "每次上报单独建立连接，报完即断开")
def _per_report(frame: bytes, chance: Chance) -> list[Step]:
    return [(Do.WRITE, frame), (Do.WAIT, PER_REPORT_S), (Do.ACTED, 0.0), (Do.CLOSE, 0.0)]


@_way("frame-twice", "sends a frame twice", "同一帧连发两次")
def _twice(frame: bytes, chance: Chance) -> list[Step]:
    return [(Do.WRITE, frame), (Do.WRITE, frame), (Do.ACTED, 0.0)]


@_way("swapped-frames", "sends a frame after the one that follows it", "次序颠倒：先发后一帧，再发本帧")
def _swap(frame: bytes, chance: Chance) -> list[Step]:
    return [(Do.SWAP, frame)]


@_way("garbage-between-frames", "sends a few bytes of garbage before a frame", "帧与帧之间夹杂乱码")
def _garbage(frame: bytes, chance: Chance) -> list[Step]:
    size = 1 + int(chance(0) * 32)
    # No '#', which would begin a frame.
    noise = bytes(0x80 + int(chance(1 + at) * 0x80) for at in range(size))
    return [(Do.WRITE, noise + frame), (Do.ACTED, 0.0)]


@_way("reset-link", "breaks the link off with RST behind a frame", "发出一帧后以 RST 强行断开连接")
def _reset(frame: bytes, chance: Chance) -> list[Step]:
    return [(Do.WRITE, frame), (Do.ACTED, 0.0), (Do.RESET, 0.0)]


@_way(
    "nat-rebinding",
    "goes on from another port behind a frame, without a word on the old link",
    "NAT 重新映射：换源端口重连，旧连接不关闭",
)
def _rebind(frame: bytes, chance: Chance) -> list[Step]:
    return [(Do.WRITE, frame), (Do.WAIT, PER_REPORT_S), (Do.ACTED, 0.0), (Do.REBIND, 0.0)]


@_way(
    "late-acknowledgement",
    "reads the acknowledgement after OverTime, having repeated the message",
    "应答处理过迟：超时重发之后才读取应答",
)
def _late(frame: bytes, chance: Chance) -> list[Step]:
    return [(Do.BE_DEAF, DEAF_S), (Do.WRITE, frame)]
