"""What is typed into a camera's page: who it is, and at which platform it registers."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from ..editions import Rules
from ..errors import LocalProtocolError
from ..identifiers import domain_of

__all__ = ["Account"]

#: One text for all devices of a platform.
_domain_of = lru_cache(maxsize=256)(domain_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Identity of a device and its platform; times in seconds.

    Raises:
        LocalProtocolError: If a time or a number is not positive.
    """

    device_id: str  #: 设备编码
    server_id: str  #: SIP 服务器编码
    password: str = field(default="", repr=False)  #: 注册密码
    domain: str = ""  #: SIP 域; empty: the first ten digits of the server's code
    username: str = ""  #: SIP 用户名; empty: the device's code
    expires_s: int = 86400  #: 注册有效期
    keepalive_s: float = 60.0  #: 心跳周期
    keepalives_missed: int = 3  #: 最大心跳超时次数
    retry_s: float = 60.0  #: pause after a failed registration
    #: Up to this much is added to each pause, so that a site whose power returns does not register all at once.
    retry_spread_s: float = 10.0
    #: The refresh comes this much before the end, or a tenth of the time where that is less.
    refresh_before_s: float = 60.0
    user_agent: str = ""

    def __post_init__(self) -> None:
        for name in ("expires_s", "keepalive_s", "keepalives_missed", "retry_s"):
            if getattr(self, name) <= 0:
                raise LocalProtocolError(f"{name}: expected more than 0, found {getattr(self, name)}", field=name)

    @classmethod
    def of(cls, rules: Rules, device_id: str, server_id: str, password: str) -> Account:
        """Return an account with the defaults of an edition."""
        return cls(
            device_id=device_id,
            server_id=server_id,
            password=password,
            expires_s=rules.register_expires_s,
            keepalive_s=rules.keepalive_s,
            keepalives_missed=rules.keepalives_missed,
            retry_s=rules.register_retry_s,
        )

    @property
    def sip_domain(self) -> str:
        """SIP 域."""
        return self.domain or _domain_of(self.server_id)

    @property
    def digest_username(self) -> str:
        """Username of the digest."""
        return self.username or self.device_id
