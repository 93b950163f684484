"""Editions of the standard, as records of what they prescribe.

Code asks ``rules.max_segment_bytes``; nothing outside this module compares editions. A further edition is one more
record (``dataclasses.replace`` of its neighbour, with the clause beside each change) and its table rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["HJ_212_2017", "RULES", "Edition", "Rules", "declared_edition"]


class Edition(StrEnum):
    """The editions by their number; the value is what command lines and JSON show."""

    HJ_T_212_2005 = "2005"
    HJ_212_2017 = "2017"
    HJ_212_2025 = "2025"


#: Version number in bits 7..2 of Flag -> edition (HJ 212-2017 6.3.2, Flag; 2 is the successor's number).
_BY_FLAG_VERSION = {0: Edition.HJ_T_212_2005, 1: Edition.HJ_212_2017, 2: Edition.HJ_212_2025}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What one edition prescribes. Clauses stand in the table below."""

    edition: Edition
    title: str
    flag_version: int  #: version number in bits 7..2 of Flag
    header_fields: tuple[str, ...]  #: order in which the header fields are written
    required_fields: tuple[str, ...]  #: header fields that every frame carries
    max_segment_bytes: int  #: longest data segment
    max_parameters_bytes: int  #: longest CP field, its name and ``=`` included
    max_password_chars: int
    mn_pattern: str  #: regular expression of a well-formed MN
    reply_system: str  #: ST of 9011..9014
    response_timeout_s: float  #: default OverTime
    resend_count: int  #: default ReCount: how often a message is sent again
    overtime_range_s: tuple[int, int]  #: legal OverTime of CN=1000
    recount_range: tuple[int, int]  #: legal ReCount of CN=1000
    realtime_interval_range_s: tuple[int, int]  #: legal RtdInterval
    clauses: dict[str, str]  #: subject -> clause, quoted by deviations and errors


HJ_212_2017 = Rules(
    edition=Edition.HJ_212_2017,
    title="HJ 212-2017",
    flag_version=1,
    header_fields=("QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO", "CP"),
    required_fields=("QN", "ST", "CN", "PW", "MN", "Flag"),
    max_segment_bytes=1024,
    max_parameters_bytes=950,
    max_password_chars=6,
    mn_pattern=r"[0-9A-F]{24}",
    reply_system="91",
    response_timeout_s=10.0,
    resend_count=3,
    overtime_range_s=(1, 99),
    recount_range=(1, 99),
    realtime_interval_range_s=(30, 3600),
    clauses={
        "frame": "HJ 212-2017 6.3.1",
        "segment": "HJ 212-2017 6.3.2",
        "parameters": "HJ 212-2017 6.3.3",
        "crc": "HJ 212-2017 Annex A",
    },
)

#: The editions whose rules this library knows.
RULES: dict[Edition, Rules] = {HJ_212_2017.edition: HJ_212_2017}


def declared_edition(flag: int | None) -> Edition | None:
    """Return the edition that a frame's Flag declares, ``None`` for a version number no edition uses.

    Args:
        flag: The value of Flag, or ``None`` when the frame has none; only the 2005 edition lets it be absent.
    """
    return _BY_FLAG_VERSION.get(0 if flag is None else flag >> 2)
