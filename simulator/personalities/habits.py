"""What stations of an edition do where the records and tables of the library do not say it: a row of ``habits.csv``."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType

from hj212 import Edition

__all__ = ["Habit", "habits"]


@dataclass(frozen=True, slots=True)
class Habit:
    """The row of an edition.

    Attributes:
        cou_decimals: Digits of a total (Cou) behind the point.
        noise_hours: Whether noise is reported hourly.
        states: When power meters tell the state of treatment units (2021): ``always`` or ``never``.
        running_hours: Whether power meters tell the hours of treatment units daily (2041).
        site_information: Whether power meters upload site information with each report (3020).
    """

    cou_decimals: int
    noise_hours: bool
    states: str
    running_hours: bool
    site_information: bool


@cache
def habits() -> Mapping[Edition, Habit]:
    """Return the habits of every edition."""
    text = resources.files(__package__).joinpath("habits.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return MappingProxyType(
        {
            Edition(row["edition"]): Habit(
                cou_decimals=int(row["cou_decimals"]),
                noise_hours=row["noise_hours"] == "yes",
                states=row["states"],
                running_hours=row["running_hours"] == "yes",
                site_information=row["site_information"] == "yes",
            )
            for row in rows
        }
    )
