"""统一编码, the codes that name everything (GB/T 28181-2022 annex E, 2016 annex D).

======  ==========  ========================================================================
digits  part        content
======  ==========  ========================================================================
1-8     中心编码    administrative division: province, city, county, 基层接入单位 (00: none)
9-10    行业编码    industry
11-13   类型编码    type of the thing
14      网络标识    network
15-20   序号        serial
======  ==========  ========================================================================

Only the twenty digits are a rule that a device can break; types outside the tables are met in the field.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from .editions import Edition, Rules
from .errors import LocalProtocolError, RemoteProtocolError
from .tables import read_table

__all__ = ["CodeRow", "DeviceId", "code_rows", "compose_id", "domain_of", "ids", "is_division", "type_row"]

_TWENTY: Final = re.compile(r"[0-9]{20}\Z", re.ASCII)
_DIVISION: Final = re.compile(r"(?:[0-9]{2}){1,4}\Z", re.ASCII)
#: Serials of one centre, industry, type and network.
MAX_SERIAL: Final = 999_999


@dataclass(frozen=True, slots=True)
class CodeRow:
    """A row of a code table.

    Attributes:
        first: The code, or the first of a range.
        last: The last of the range.
        editions: Those that have the row.
        zh: 名称.
        en: Its name in English.
        group: Group of a type: ``"front-end"``, ``"peripheral"``, ``"platform"``, ...
    """

    first: int
    last: int
    editions: tuple[Edition, ...]
    zh: str
    en: str
    group: str = ""


@cache
def code_rows(table: str) -> tuple[CodeRow, ...]:
    """Return every row of ``types.csv``, ``industries.csv`` or ``networks.csv``."""
    return tuple(
        CodeRow(
            int(row["first"]),
            int(row["last"]),
            tuple(map(Edition, row["editions"].split(";"))),
            row["zh"],
            row["en"],
            row.get("group", ""),
        )
        for row in read_table(table)
    )


def _row(table: str, code: int, rules: Rules) -> CodeRow | None:
    rows = (row for row in code_rows(table) if row.first <= code <= row.last)
    return next((row for row in rows if rules.edition in row.editions), None)


def type_row(code: int, rules: Rules) -> CodeRow | None:
    """Return what a type code means in an edition, ``None`` where it means nothing."""
    return _row("types.csv", code, rules)


@dataclass(frozen=True, slots=True)
class DeviceId:
    """A code of twenty digits, taken apart."""

    text: str

    @classmethod
    def parse(cls, text: str, field: str = "DeviceID") -> DeviceId:
        """Read a code.

        Raises:
            RemoteProtocolError: If it is not twenty digits.
        """
        if not _TWENTY.match(text):
            raise RemoteProtocolError(
                f"{field}: expected 20 digits, found {text[:40]!r}", field=field, clause="annex E", status=403
            )
        return cls(text)

    def __str__(self) -> str:
        return self.text

    @property
    def centre(self) -> str:
        """中心编码, eight digits."""
        return self.text[:8]

    @property
    def domain(self) -> str:
        """SIP 域, the first ten digits."""
        return self.text[:10]

    @property
    def industry(self) -> int:
        """行业编码."""
        return int(self.text[8:10])

    @property
    def type(self) -> int:
        """类型编码."""
        return int(self.text[10:13])

    @property
    def network(self) -> int:
        """网络标识."""
        return int(self.text[13])

    @property
    def serial(self) -> int:
        """序号."""
        return int(self.text[14:])

    def type_row(self, rules: Rules) -> CodeRow | None:
        """What its type means in an edition, ``None`` where it means nothing."""
        return type_row(self.type, rules)

    def industry_row(self, rules: Rules) -> CodeRow | None:
        """What its industry means; from 43 on the editions differ."""
        return _row("industries.csv", self.industry, rules)

    def network_row(self, rules: Rules) -> CodeRow | None:
        """What its network means."""
        return _row("networks.csv", self.network, rules)

    def moved(self, by: int) -> DeviceId:
        """Return the code whose serial is that much higher.

        Raises:
            LocalProtocolError: If there is none.
        """
        serial = self.serial + by
        if not 0 <= serial <= MAX_SERIAL:
            raise LocalProtocolError(f"a serial has six digits, this one would be {serial}", field="DeviceID")
        return DeviceId(f"{self.text[:14]}{serial:06d}")


def compose_id(centre: str, industry: int, type_code: int, serial: int, network: int = 0) -> DeviceId:
    """Compose a code.

    Raises:
        LocalProtocolError: If a part does not fit its digits.

    >>> str(compose_id("34020000", 0, 132, 1))
    '34020000001320000001'
    """
    if not re.fullmatch("[0-9]{8}", centre, re.ASCII):
        raise LocalProtocolError(f"centre: expected 8 digits, found {centre[:20]!r}", field="DeviceID")
    for name, value, most in (
        ("industry", industry, 99),
        ("type", type_code, 999),
        ("network", network, 9),
        ("serial", serial, MAX_SERIAL),
    ):
        if not 0 <= value <= most:
            raise LocalProtocolError(f"{name}: expected 0 to {most}, found {value}", field="DeviceID")
    return DeviceId(f"{centre}{industry:02d}{type_code:03d}{network}{serial:06d}")


def ids(first: str, count: int) -> Iterator[str]:
    """Yield codes with rising serials.

    Raises:
        LocalProtocolError: If there are not so many behind the first.
    """
    start = DeviceId.parse(first)
    start.moved(max(count - 1, 0))
    for number in range(count):
        yield start.moved(number).text


def is_division(text: str) -> bool:
    """Whether a code names an administrative division: 2, 4, 6 or 8 digits."""
    return _DIVISION.match(text) is not None


def domain_of(code: str) -> str:
    """Return the SIP domain of a code: its first ten digits."""
    return code[:10]
