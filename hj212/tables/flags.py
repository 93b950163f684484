"""Data flags (数据标记) of measured values."""

from __future__ import annotations

from functools import cache

from . import read_table

__all__ = ["data_flags"]


@cache
def data_flags() -> dict[str, tuple[str, str]]:
    """Return the data flags (数据标记) of measured values: letter -> Chinese and English meaning."""
    return {row["flag"]: (row["zh"], row["en"]) for row in read_table("dataflags.csv")}
