"""The kinds of station that a scenario may ask for: one row of ``kinds.csv`` each."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Final

from hj212 import RULES, Edition
from stationgate.language import pick

__all__ = ["EDITIONS", "GB28181", "HJ212", "Kind", "kinds"]

HJ212: Final = "hj212"
GB28181: Final = "gb28181"
#: Editions by protocol, as scenarios name them.
EDITIONS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {HJ212: ("2005", "2017", "2025"), GB28181: ("2016", "2022")}
)
#: What every GB/T 28181 code of ours begins with until a scenario says otherwise: 中心编码, and 行业编码 00.
_CENTRE: Final = "6401000000"
#: The first MN until a scenario says otherwise, in each form that an edition prescribes.
_FIRST_MNS: Final = ("64010000ACCE550000000001", "ACCE5500000001")


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of station.

    Attributes:
        name: What scenarios call it.
        family: Kinds that are configured alike: ``door``, ``logger``, ``meter``, ``camera``, ``recorder``.
        protocol: ``hj212`` or ``gb28181``.
        st: System code (ST) of HJ 212; empty for GB/T 28181.
        st_by_edition: Other system codes, by the edition that prescribes them.
        type: Type code (类型编码, three digits) of GB/T 28181; empty for HJ 212.
        edition: The edition it speaks by default.
        interval_s: Default time between timed reports, in seconds; 0 where there are none.
        phase: Default of where in its interval it reports: ``start``, ``clock`` or ``spread``.
        outlet: The outlet whose signals it reports, as :mod:`simulator.world` calls it; empty where it has none.
        zh: Its name in Chinese.
        en: Its name in English.
    """

    name: str
    family: str
    protocol: str
    st: str
    st_by_edition: Mapping[str, str]
    type: str
    edition: str
    interval_s: float
    phase: str
    outlet: str
    zh: str
    en: str

    @property
    def title(self) -> str:
        """Its name in the active language."""
        return pick(self.zh, self.en)

    def first_in(self, edition: str) -> str:
        """Return the identity of the first station where a scenario names none: an MN, or a code of twenty digits."""
        if self.protocol != HJ212:
            return f"{_CENTRE}{self.type}0000001"
        pattern = RULES[Edition(edition)].mn_pattern
        return next(mn for mn in _FIRST_MNS if re.fullmatch(pattern, mn))

    def st_in(self, edition: str) -> str:
        """Return the system code in an edition of HJ 212; empty for GB/T 28181."""
        return self.st_by_edition.get(edition, self.st)

    def is_one_of(self, words: frozenset[str]) -> bool:
        """Tell whether a set names this kind: by its name, its family or its protocol. An empty set names all."""
        return not words or bool(words & {self.name, self.family, self.protocol})


@cache
def kinds() -> Mapping[str, Kind]:
    """Return every kind by its name, in the order of the table."""
    text = resources.files(__package__).joinpath("kinds.csv").read_text("utf-8")
    return MappingProxyType({row["kind"]: _kind(row) for row in csv.DictReader(text.splitlines())})


def _kind(row: dict[str, str]) -> Kind:
    return Kind(
        name=row["kind"],
        family=row["family"],
        protocol=row["protocol"],
        st=row["st"],
        st_by_edition=MappingProxyType(
            {name.removeprefix("st_"): code for name, code in row.items() if name.startswith("st_") and code}
        ),
        type=row["type"],
        edition=row["edition"],
        interval_s=float(row["interval_s"] or 0),
        phase=row["phase"],
        outlet=row["outlet"],
        zh=row["zh"],
        en=row["en"],
    )
