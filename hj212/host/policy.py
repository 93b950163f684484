"""What a platform's operator decides: whom to admit, when to acknowledge, what to set up, and the limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

__all__ = ["Acknowledge", "Admission", "Credential", "Logger", "Policy", "SetupPlan"]

#: Stations on one link: a gateway of a large site has some dozens.
MAX_STATIONS: Final = 256
#: Requests that wait their turn for one station.
MAX_QUEUED: Final = 16
#: Uploads kept for one history request: a week of 1-minute data. All are reported as they arrive, kept or not.
MAX_COLLECTED: Final = 10_080
#: Silence after which a station without heartbeats is offline: the longest legal interval, 3,600 s, and five minutes.
SILENCE_S: Final = 3900.0


class Admission(Enum):
    """Whose messages are taken."""

    ANY = "any"  #: everybody's; a wrong password is only reported
    KNOWN = "known"  #: only of a station that ``credentials`` knows, with its password; the rest gets no answer


class Acknowledge(Enum):
    """When an upload that wants an answer gets its 9014."""

    AT_ONCE = "at-once"  #: as it arrives
    WHEN_TOLD = "when-told"  #: by :meth:`hj212.host.Host.acknowledge`, after it was stored


@dataclass(frozen=True, slots=True)
class Credential:
    """What the platform knows of a station beforehand."""

    pw: str = field(repr=False)  #: 访问密码
    st: str = ""  #: 系统编码 for requests; empty: as the station writes it
    keys: tuple[bytes, ...] = field(default=(), repr=False)  #: SM4 keys, the valid one first


@dataclass(frozen=True, slots=True)
class Logger:
    """What a data logger says of itself when it registers (HJ 212-2025 6.8)."""

    id: str  #: i23005, identity of the logger
    cpu: str  #: i23006
    macs: tuple[str, ...]  #: i23007 and i23008
    mn: str  #: MN it wrote, normally empty


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupPlan:
    """What to set at first contact; ``None`` leaves a step out. The edition gives the order (``setup_commands``)."""

    clock: bool = True  #: 1012
    overtime_s: int | None = None  #: 1000, together with ``recount``
    recount: int | None = None
    rtd_interval_s: int | None = None  #: 1062
    min_interval: int | None = None  #: 1064, minutes
    realtime: bool | None = True  #: 2011, or 2012 to stop
    state: bool | None = True  #: 2021, or 2022 to stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a platform treats the stations of a link."""

    admission: Admission = Admission.ANY
    acknowledge: Acknowledge = Acknowledge.AT_ONCE
    setup: SetupPlan | None = None  #: ``None``: nothing is set up
    #: Whether a password just replaced by 1072 is still taken: what waits in the station's store carries it.
    accept_previous_pw: bool = True
    #: Whether a single value must repeat the request's QN. A station that writes its own needs ``False``; then a
    #: spontaneous upload of the same command passes for the answer.
    values_by_qn: bool = True
    #: Whether a new key may be sent unencrypted, to a station of which no key is known.
    clear_key: bool = False
    heartbeat_s: float = 60.0  #: period of the heartbeat; no edition gives one
    heartbeats_missed: int = 3  #: missed periods after which a station that sends heartbeats is offline
    silence_s: float = SILENCE_S  #: the same for a station that sends none
    join_s: float = 60.0  #: how long to wait for the next packet of a split message
    in_flight: int = 1  #: requests of one station under way at a time
    max_queued: int = MAX_QUEUED
    max_stations: int = MAX_STATIONS
    max_collected: int = MAX_COLLECTED
    default_st: str = "32"  #: 系统编码 of requests to a station that was never heard
