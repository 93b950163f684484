"""GB/T 28181 signalling without I/O: device and platform, editions 2016 and 2022."""

from .editions import GBT_28181_2016, GBT_28181_2022, RULES, Edition, Rules, rules_of
from .errors import (
    Gb28181Error,
    LimitError,
    LocalProtocolError,
    PtzError,
    RemoteProtocolError,
    RtspError,
    SdpError,
    SipError,
    XmlError,
)

__all__ = [
    "GBT_28181_2016",
    "GBT_28181_2022",
    "RULES",
    "Edition",
    "Gb28181Error",
    "LimitError",
    "LocalProtocolError",
    "PtzError",
    "RemoteProtocolError",
    "RtspError",
    "Rules",
    "SdpError",
    "SipError",
    "XmlError",
    "rules_of",
]
