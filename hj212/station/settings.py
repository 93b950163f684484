"""What a platform can change in a station, and what is burnt into it."""

from __future__ import annotations

from dataclasses import dataclass, field

from ..editions import Rules
from ..encryption import Key

__all__ = ["Identity", "Settings"]


@dataclass(frozen=True, slots=True)
class Identity:
    """What a station is, whatever its platform says.

    Attributes:
        st: 系统编码 of its uploads.
        logger_id: i23005, identity of the data logger (HJ 212-2025 6.8).
        cpu: i23006.
        macs: i23007 and i23008.
        other_sts: Further ones it uploads under, and is asked under.
    """

    st: str
    logger_id: str = ""
    cpu: str = ""
    macs: tuple[str, ...] = ()
    other_sts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What to keep over a restart; :class:`hj212.station.SettingsChanged` brings each new version.

    Attributes:
        mn: 设备唯一标识; empty before the platform assigned one (HJ 212-2025 6.8).
        pw: 访问密码; empty: any password of the platform is taken.
        overtime_s: OverTime, ``None`` for the edition's.
        recount: ReCount, ``None`` for the edition's.
        rtd_interval_s: RtdInterval, of 2011 and 2021.
        min_interval: MinInterval, of 2051, in minutes.
        realtime: Whether the platform wants 2011.
        state: Whether the platform wants 2021.
        clock_offset_s: What 1012 added to the clock of the machine.
        key: SM4 key to write with; ``None``: data areas travel in clear.
        previous_key: The key before it, still read.
        key_created: SKCreateTime of the key, 17 digits; empty where unknown, and then its age is too.
    """

    mn: str
    pw: str = field(repr=False)
    overtime_s: float | None = None
    recount: int | None = None
    rtd_interval_s: int = 30
    min_interval: int = 10
    realtime: bool = True
    state: bool = True
    clock_offset_s: float = 0.0
    key: Key | None = None
    previous_key: Key | None = None
    key_created: str = ""

    @property
    def keys(self) -> tuple[Key, ...]:
        """Keys to read with; the first is the one to write with."""
        return tuple(key for key in (self.key, self.previous_key) if key is not None)

    def timers(self, rules: Rules) -> tuple[float, int]:
        """Return OverTime and ReCount in force."""
        overtime = rules.response_timeout_s if self.overtime_s is None else self.overtime_s
        return overtime, rules.resend_count if self.recount is None else self.recount
