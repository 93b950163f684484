"""What a platform's operator decides: whom to admit, how to challenge, when a device is offline, and the limits."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from ..errors import LocalProtocolError
from ..manscdp.charset import AUTO, CHARSETS, codec_of

__all__ = ["Credential", "Follow", "Policy"]

#: Devices of one platform: the cameras of a province.
MAX_DEVICES: Final = 100_000


def _check_charset(charset: str) -> None:
    if charset and charset != AUTO and codec_of(charset) is None:
        raise LocalProtocolError(f"charset: expected {AUTO}, {', '.join(CHARSETS)}, found {charset!r}", field="charset")


@dataclass(frozen=True, slots=True)
class Credential:
    """What the platform knows of a device beforehand.

    Raises:
        LocalProtocolError: If its charset is none.
    """

    password: str | None = field(repr=False)  #: ``None``: it registers without a proof, for it can give none
    username: str = ""  #: of the digest; empty: the device's code
    charset: str = ""  #: of its bodies, as :attr:`Policy.charset`; empty: what the policy says

    def __post_init__(self) -> None:
        _check_charset(self.charset)


class Follow(Enum):
    """Where to a registered device may move without registering anew."""

    NO = "no"  #: nowhere
    PORT = "port"  #: another port of the same address: a NAT that forgot
    ADDRESS = "address"  #: anywhere, as mobile networks have it; whoever knows a code can then take it over


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a platform treats devices. Times are in seconds.

    Raises:
        LocalProtocolError: If its charset is none.
    """

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
    #: Charset of bodies, whatever they declare: a name as ``"UTF-8"``, or ``"auto"`` for UTF-8 wherever the bytes are
    #: that, since devices declare GB2312 and send UTF-8; empty: what they declare.
    charset: str = ""

    def __post_init__(self) -> None:
        _check_charset(self.charset)

    @property
    def patience_s(self) -> float:
        """Silence after which a device is offline."""
        return self.keepalive_s * self.keepalives_missed + self.grace_s
