"""The time in which the device reported by a shorter interval, because the suite had set it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..transcript import Entry

__all__ = ["Shortened", "read_shortened"]


@dataclass(frozen=True, slots=True)
class Shortened:
    """From when to when, on the transcript's clock, and the interval in seconds."""

    begin: float
    end: float
    value: float


def read_shortened(entries: Iterable[Entry]) -> Shortened | None:
    """Return the last time that the reporting interval was shortened."""
    found: Shortened | None = None
    for entry in entries:
        known = entry.attachment
        if entry.kind != "setting" or known["name"] != "RtdInterval":
            continue
        if known["phase"] == "set":
            found = Shortened(entry.t_mono, float("inf"), float(known["value"]))
        elif known["phase"] == "restored" and found and found.end == float("inf"):
            found = Shortened(found.begin, entry.t_mono, found.value)
    return found
