"""Editions of GB/T 28181, as records of what they prescribe.

Code asks ``rules.charset``; nothing outside this module compares editions. A further edition is one more record
(``dataclasses.replace`` of its neighbour, with the clause beside each change) and its table rows.

What no source could confirm is marked so; it has a default here and is meant to be replaced where a peer differs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

__all__ = ["GBT_28181_2016", "GBT_28181_2022", "RULES", "Edition", "Rules", "rules_of"]


class Edition(StrEnum):
    """The editions by their year; the value is what command lines and JSON show."""

    GBT_28181_2016 = "2016"
    GBT_28181_2022 = "2022"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What one edition prescribes."""

    edition: Edition
    title: str
    version: str  #: X-GB-Ver
    version_header: bool  #: whether REGISTER and its responses carry X-GB-Ver
    charset: str  #: encoding that the XML declaration names; the bytes are always those of GB18030's subset
    extension_element: str  #: free extension of bodies
    key_frame_element: str  #: the control that demands a key frame; both spellings are read
    position_list: bool  #: MobilePosition lists positions; otherwise it holds one
    alarm_methods_separator: str  #: between alarm methods in queries and resets
    redirect: bool  #: whether a registrar may answer 302
    talk_session: bool  #: whether ``s=Talk`` exists
    stream_number: bool  #: whether SDP has ``a=streamnumber``
    preset_total: bool  #: whether the answer to PresetQuery has SumNum
    register_expires_s: int = 86400  #: default of Expires
    register_min_expires_s: int = 3600  #: not shorter than this, for the platform's rule; shorter ones are granted
    register_retry_s: float = 60.0  #: pause after a failed registration
    keepalive_s: float = 60.0
    keepalives_missed: int = 3
    catalog_subscription_s: int = 600  #: default Expires of a catalogue subscription
    large_message_bytes: int = 1300  #: above it a request should go over TCP (RFC 3261 18.1.1)
    list_max: int = 10_000  #: records of one message
    clauses: Mapping[str, str] = field(hash=False)  #: subject -> clause


GBT_28181_2016: Final = Rules(
    edition=Edition.GBT_28181_2016,
    title="GB/T 28181-2016",
    version="2.0",
    version_header=False,
    charset="GB2312",
    extension_element="Info",
    key_frame_element="IFameCmd",
    position_list=False,
    alarm_methods_separator="",
    redirect=False,
    talk_session=True,
    stream_number=False,
    preset_total=False,
    clauses=MappingProxyType(
        {
            "charset": "6.10",
            "register": "9.1.1",
            "digest": "9.1.1",
            "keepalive": "9.6",
            "identifier": "annex D",
            "sdp": "annex F",
            "bodies": "annex A",
            "parts": "annex N",
            "subscription": "9.11",
            "playback": "annex B",
            "subject": "annex L",
        }
    ),
)

GBT_28181_2022: Final = replace(
    GBT_28181_2016,
    edition=Edition.GBT_28181_2022,
    title="GB/T 28181-2022",
    version="3.0",  # annex I
    version_header=True,  # annex I
    charset="GB18030",  # 6.10
    extension_element="ExtraInfo",  # annex A
    key_frame_element="IFrameCmd",  # A.2.3.1
    position_list=True,  # A.2.5.6
    alarm_methods_separator="/",  # A.2.4.6
    redirect=True,  # 9.1.2.3
    talk_session=False,
    stream_number=True,  # annex G
    preset_total=True,  # A.2.6.10
    clauses=MappingProxyType(
        {
            "charset": "6.10",
            "register": "9.1.1",
            "digest": "9.1.1",
            "keepalive": "9.6",
            "identifier": "annex E",
            "sdp": "annex G",
            "bodies": "annex A",
            "parts": "annex M",
            "subscription": "9.11",
            "playback": "annex B",
            "subject": "annex K",
        }
    ),
)

RULES: Final[Mapping[Edition, Rules]] = MappingProxyType(
    {rules.edition: rules for rules in (GBT_28181_2016, GBT_28181_2022)}
)


_BY_VERSION: Final[Mapping[str, Rules]] = MappingProxyType({rules.version: rules for rules in RULES.values()})


def rules_of(version: str | None, fallback: Rules = GBT_28181_2016) -> Rules:
    """Return the rules of a peer by its X-GB-Ver; of an absent or unknown value those of ``fallback``.

    The default is the edition before the header existed: its devices never send it (unconfirmed).
    """
    return _BY_VERSION.get((version or "").strip(), fallback)
