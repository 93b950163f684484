"""A door, what one opening of it is, and what can happen to the reader on its wall."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["DoorWorld", "Method", "Opening"]


class Method(StrEnum):
    """How somebody got in. The first four carry an identity; a room switch or a key does not."""

    FACE = "face"  #: 人脸
    IC_CARD = "ic-card"  #: IC卡
    FINGERPRINT = "fingerprint"  #: 指纹
    PASSWORD = "password"  #: 密码
    EXIT_BUTTON = "exit-button"  #: 出门按钮

    @property
    def identifies(self) -> bool:
        """Whether the opening names a person."""
        return self is not Method.EXIT_BUTTON


@dataclass(frozen=True, slots=True)
class Opening:
    """One opening of the door."""

    method: Method
    person: str  #: the number under which the person is enrolled; empty where nobody is identified
    at: float  #: instant, on the clock of whoever asks: POSIX seconds from a world, ``now`` at a controller

    def __repr__(self) -> str:
        return f"Opening(method={self.method.value}, person=***, at={self.at})"


@dataclass(slots=True)
class DoorWorld:
    """State of the door and of the reader: 0 is the quiet value of each."""

    door: int = 0  #: 1 open
    dismantled: int = 0  #: 1 off its base
    fault: int = 0  #: 1 defect
    last_person: str = ""  #: who was identified last

    def __repr__(self) -> str:
        return f"DoorWorld(door={self.door}, dismantled={self.dismantled}, fault={self.fault})"
