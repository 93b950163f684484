"""Data flags (数据标记) of measured values."""

from __future__ import annotations

from functools import cache

from ..editions import Edition
from . import read_table

__all__ = ["data_flags"]


@cache
def data_flags(edition: Edition | None = None) -> dict[str, tuple[str, str]]:
    """Return the data flags of an edition: letters -> Chinese and English meaning.

    Without an edition those of all of them, a letter that changed its meaning as the first row of the table has it.
    """
    found: dict[str, tuple[str, str]] = {}
    for row in read_table("dataflags.csv"):
        if edition is None or edition.value in row["editions"].split(";"):
            found.setdefault(row["flag"], (row["zh"], row["en"]))
    return found
