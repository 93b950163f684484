"""What a platform's operator decides: whom to admit, how to challenge, when a device is offline, and the limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

__all__ = ["Credential", "Follow", "Policy"]

#: Devices of one platform: the cameras of a province.
MAX_DEVICES: Final = 100_000


@dataclass(frozen=True, slots=True)
class Credential:
    """What the platform knows of a device beforehand."""

    password: str = field(repr=False)
    username: str = ""  #: of the digest; empty: the device's code


class Follow(Enum):
    """Where to a registered device may move without registering anew."""

    NO = "no"  #: nowhere
    PORT = "port"  #: another port of the same address: a NAT that forgot
    ADDRESS = "address"  #: anywhere, as mobile networks have it; whoever knows a code can then take it over


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a platform treats devices. Times are in seconds."""

    challenge: bool = True  #: whether a registration must prove the password; each, refresh and end included
    algorithm: str = "MD5"  #: always told: some recorders ignore a challenge without it
    qop: bool = False  #: whether the challenge has ``qop="auth"``; older devices know only the bare form
    strict_ids: bool = True  #: whether a code must have twenty digits
    #: Longest and shortest time that is granted. Devices of the field ask for less than the standard's 3600.
    max_expires_s: int = 7 * 86400
    min_expires_s: int = 1
    tell_time: bool = True  #: Date in the 200 of a registration (9.10); some devices cannot read it
    keepalive_s: float = 60.0  #: 心跳周期
    keepalives_missed: int = 3  #: 最大心跳超时次数
    grace_s: float = 60.0  #: added to the patience: some devices send none in the first period
    follow: Follow = Follow.PORT
    #: Wrong proofs of a code from one address, after which it is refused for a while without being read.
    max_failures: int = 10
    locked_s: float = 60.0
    max_devices: int = MAX_DEVICES

    @property
    def patience_s(self) -> float:
        """Silence after which a device is offline."""
        return self.keepalive_s * self.keepalives_missed + self.grace_s
