"""Editions of the standard, as records of what they prescribe.

Code asks ``rules.max_segment_bytes``; nothing outside this module compares editions. A further edition is one more
record (``dataclasses.replace`` of its neighbour, with the clause beside each change) and its table rows.

What no source could confirm is marked so; it has a default here and is meant to be replaced where a peer differs::

    rules = dataclasses.replace(HJ_212_2025, max_packets=9)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from .codes import CipherForm

__all__ = [
    "HJ_212_2017",
    "HJ_212_2025",
    "HJ_T_212_2005",
    "RULES",
    "Edition",
    "EncryptionRules",
    "Resend",
    "Rules",
    "declared_edition",
    "rules_of",
]


class Edition(StrEnum):
    """The editions by their number; the value is what command lines and JSON show."""

    HJ_T_212_2005 = "2005"
    HJ_212_2017 = "2017"
    HJ_212_2025 = "2025"


#: Version number in bits 7..2 of Flag -> edition (HJ 212-2017 6.3.2, Flag; HJ 212-2025 table 3).
_BY_FLAG_VERSION = {0: Edition.HJ_T_212_2005, 1: Edition.HJ_212_2017, 2: Edition.HJ_212_2025}


@dataclass(frozen=True, slots=True)
class Resend:
    """How long to wait for an answer, in seconds, and how often to send again."""

    overtime_s: float
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EncryptionRules:
    """Which data areas travel as SM4 ciphertext (HJ 212-2025 6.4)."""

    upward: tuple[tuple[int, int], ...]  #: command codes of the station, from-to inclusive
    downward: tuple[tuple[int, int], ...]  #: command codes of the platform
    key_max_age_days: int  #: age at which a key is no longer valid
    form: CipherForm = CipherForm.RAW  #: how ciphertext is written (unconfirmed); read are both


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What one edition prescribes. Clauses stand in the table below."""

    edition: Edition
    title: str
    flag_version: int  #: version number in bits 7..2 of Flag
    header_fields: tuple[str, ...]  #: order in which the header fields are written
    header_order_fixed: bool = True  #: whether another order is a deviation
    required_fields: tuple[str, ...]  #: header fields that every frame carries
    omitted_in_uploads: frozenset[str] = frozenset()  #: of the required fields those that an upload may omit
    omitted_in_acknowledgements: frozenset[str] = frozenset()  #: header fields that 9014 is written without
    range_separator: str = ";"  #: between BeginTime and EndTime
    stop_repeats_qn: bool = False  #: whether 2012 and 2022 carry the QN of the request they stop
    reply_qn_in_parameters: bool = False  #: answers carry the request's QN as the first parameter, not as a field
    acknowledgement_names_packet: bool = False  #: 9014 repeats CN, PNO and PNUM of the upload as parameters
    numbered_needs_packet_numbers: bool = True  #: bit D of Flag means that PNUM and PNO are there
    max_segment_bytes: int  #: longest data segment
    max_parameters_bytes: int  #: longest CP field, its name and ``=`` included
    max_packets: int  #: largest PNUM
    packets_share_qn: bool  #: whether the packets of a split message carry one QN
    max_password_chars: int
    mn_pattern: str  #: regular expression of a well-formed MN
    factor_pattern: str = r"[wa][0-9]{5}|L[0-9A-Za-z]{1,3}|[eg][0-9A-Za-z]{5}|[iI][0-9][0-9A-Za-z]{4}|SB[0-9]{1,3}"
    """Regular expression of a well-formed code before the hyphen of a key (tables B.1 to B.10)."""
    mn_empty_for: frozenset[str] = frozenset()  #: commands whose MN may be empty
    reply_system: str  #: ST of 9011..9014
    back_fill_field: bool = False  #: whether ``RF=1`` marks a packet from the back-fill store
    max_data_flag_chars: int = 1  #: longest data flag
    heartbeat: str = ""  #: command of the heartbeat, empty where the edition has none
    registration: bool = False  #: whether a station registers (1001, 1002) before its first data
    encryption: EncryptionRules | None = None
    response_timeout_s: float  #: default OverTime
    resend_count: int  #: default ReCount: how often a message is sent again
    resend_by_medium: Mapping[str, Resend] = field(hash=False)  #: medium -> defaults of the edition's table 1
    overtime_range_s: tuple[int, int]  #: legal OverTime of CN=1000
    recount_range: tuple[int, int]  #: legal ReCount of CN=1000
    realtime_interval_range_s: tuple[int, int]  #: legal RtdInterval
    minute_intervals: tuple[int, ...]  #: legal MinInterval, in minutes; empty where the edition has none
    #: The set-up sequence after the first connection, in order. 2011 and 2021 stand for their notices 2012 and 2022
    #: where the data are not wanted.
    setup_commands: tuple[str, ...] = ()
    clauses: Mapping[str, str] = field(hash=False)  #: subject -> clause, quoted by deviations and errors


_QUICK: Final = Resend(10.0, 3)

HJ_T_212_2005 = Rules(
    edition=Edition.HJ_T_212_2005,
    title="HJ/T 212-2005",
    flag_version=0,
    header_fields=("QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO", "CP"),
    header_order_fixed=False,  # its examples have QN behind CN, and PNO before PNUM
    # The examples of uploads, 9012 and 9014 go without QN and Flag; those of 9014 also without PW and MN.
    required_fields=("ST", "CN", "PW", "MN"),
    omitted_in_uploads=frozenset({"QN", "Flag"}),
    omitted_in_acknowledgements=frozenset({"PW", "MN", "Flag"}),
    range_separator=",",
    stop_repeats_qn=True,
    reply_qn_in_parameters=True,
    acknowledgement_names_packet=True,
    # Every request example says Flag=3 and has no packet numbers.
    numbered_needs_packet_numbers=False,
    max_segment_bytes=1024,
    max_parameters_bytes=960,
    max_packets=9999,
    packets_share_qn=True,
    max_password_chars=6,
    mn_pattern=r"[0-9A-Za-z]{14}",
    factor_pattern=r"[0-9]{2,3}|[SB][0-9]{2}|L[0-9A-Za-z]{1,3}|SB[0-9]{1,3}",
    reply_system="91",
    response_timeout_s=10.0,
    resend_count=3,
    resend_by_medium=MappingProxyType(
        {"GPRS": _QUICK, "CDMA": _QUICK, "ADSL": Resend(5.0, 3), "PSTN": Resend(5.0, 3), "SMS": Resend(30.0, 3)}
    ),
    overtime_range_s=(1, 86400),
    recount_range=(0, 99),
    realtime_interval_range_s=(1, 9999),  # N4; the edition names no range
    minute_intervals=(),
    clauses=MappingProxyType(
        {
            # Its clause numbers are not known here.
            "frame": "HJ/T 212-2005",
            "segment": "HJ/T 212-2005",
            "parameters": "HJ/T 212-2005",
            "crc": "HJ/T 212-2005 Annex A",
        }
    ),
)

HJ_212_2017 = Rules(
    edition=Edition.HJ_212_2017,
    title="HJ 212-2017",
    flag_version=1,
    header_fields=("QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO", "CP"),
    required_fields=("QN", "ST", "CN", "PW", "MN", "Flag"),
    max_segment_bytes=1024,
    max_parameters_bytes=950,
    max_packets=9999,
    packets_share_qn=False,
    max_password_chars=6,
    mn_pattern=r"[0-9A-F]{24}",
    reply_system="91",
    response_timeout_s=10.0,
    resend_count=3,
    resend_by_medium=MappingProxyType(
        dict.fromkeys(["GPRS", "CDMA", "WCDMA", "TD-SCDMA", "CDMA2000", "PLC", "TD-LTE", "FDD-LTE", "WIMAX"], _QUICK)
        | {"ADSL": Resend(5.0, 3)}
    ),
    overtime_range_s=(1, 99),
    recount_range=(1, 99),
    realtime_interval_range_s=(30, 3600),
    minute_intervals=(1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30),
    setup_commands=("1012", "1000", "1062", "1064", "2011", "2021"),  # 6.7
    clauses=MappingProxyType(
        {
            "frame": "HJ 212-2017 6.3.1",
            "segment": "HJ 212-2017 6.3.2",
            "parameters": "HJ 212-2017 6.3.3",
            "crc": "HJ 212-2017 Annex A",
        }
    ),
)

HJ_212_2025 = replace(
    HJ_212_2017,
    edition=Edition.HJ_212_2025,
    title="HJ 212-2025",
    flag_version=2,  # table 3
    header_fields=("QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO", "RF", "CP"),  # table 3
    max_packets=9,  # table 3 gives PNUM and PNO one digit each; read literally (unconfirmed)
    # Power monitoring (d) and production conditions (p) are new in Annex B.
    factor_pattern=HJ_212_2017.factor_pattern + r"|[dp][0-9A-Za-z]{5}",
    mn_empty_for=frozenset({"1001", "9013"}),  # 6.8, before the platform has given a code
    back_fill_field=True,  # table 3
    max_data_flag_chars=4,  # table 10 has `Td`; longer ones are allowed for (unconfirmed)
    heartbeat="9015",  # table C.54
    registration=True,  # 6.8
    encryption=EncryptionRules(  # 6.4.4
        upward=((1014, 1014), (2000, 2999), (3020, 3020)),
        downward=((1014, 1014),),
        key_max_age_days=90,  # 6.4.3
    ),
    resend_by_medium=MappingProxyType({**HJ_212_2017.resend_by_medium, "NB-IoT": Resend(30.0, 5)}),  # table 1
    overtime_range_s=(0, 99),
    recount_range=(0, 99),
    clauses=MappingProxyType(
        {
            "frame": "HJ 212-2025 6.3.2",
            "segment": "HJ 212-2025 6.3.3",
            "parameters": "HJ 212-2025 6.3.4",
            "crc": "HJ 212-2025 A.1",
            "encryption": "HJ 212-2025 6.4",
        }
    ),
)

#: The editions whose rules this library knows.
RULES: dict[Edition, Rules] = {rules.edition: rules for rules in (HJ_T_212_2005, HJ_212_2017, HJ_212_2025)}


def declared_edition(flag: int | None) -> Edition | None:
    """Return the edition that a frame's Flag declares, ``None`` for a version number no edition uses.

    Args:
        flag: The value of Flag, or ``None`` when the frame has none; only the 2005 edition lets it be absent.
    """
    return _BY_FLAG_VERSION.get(0 if flag is None else flag >> 2)


def rules_of(flag: int | None, fallback: Rules, *, known: Mapping[Edition, Rules] = RULES) -> Rules:
    """Return the rules by which to read a frame.

    Args:
        flag: The value of its Flag, ``None`` when it has none or none that is a number.
        fallback: The rules where Flag is absent or its version number belongs to no edition. Platforms of the field
            receive 2017 codes without Flag, so absence alone proves little.
        known: The rules of each edition, for whoever replaced some.
    """
    edition = None if flag is None else _BY_FLAG_VERSION.get(flag >> 2)
    return fallback if edition is None else known.get(edition, fallback)
