"""Shapes of load: what a preset means, as a start, spreads and events of a scenario. Pure functions."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from importlib import resources
from math import floor
from types import MappingProxyType
from typing import Final

from stationgate.language import _

from ..personalities.kinds import HJ212
from .places import Place
from .records import Event, Load, Scenario
from .values import BEIJING

__all__ = ["FIXED_START", "Preset", "begin", "expand", "on_at", "presets"]

#: Before whose next full hour, midnight or new year a preset begins where the scenario has no ``start``: the instant
#: at which a virtual clock begins.
FIXED_START: Final = datetime(2025, 9, 15, 9, 59, 30, tzinfo=BEIJING)


@dataclass(frozen=True, slots=True)
class Preset:
    """A shape of load by name, and what it does in both languages."""

    name: str
    zh: str
    en: str


@cache
def presets() -> Mapping[str, Preset]:
    """Return every preset by its name."""
    text = resources.files(__package__).joinpath("presets.csv").read_text("utf-8")
    rows = csv.DictReader(text.splitlines())
    return MappingProxyType({row["preset"]: Preset(row["preset"], row["zh"], row["en"]) for row in rows})


def _next_hour(after: datetime) -> datetime:
    return after.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)


def _next_midnight(after: datetime) -> datetime:
    return after.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


def _new_year(after: datetime) -> datetime:
    return datetime(after.year + 1, 1, 1, tzinfo=after.tzinfo)


#: The instant of a preset, the first of its kind after another.
_PEAKS: Final[Mapping[str, Callable[[datetime], datetime]]] = MappingProxyType(
    {"hourly-peak": _next_hour, "midnight": _next_midnight, "new-year": _new_year}
)


def begin(load: Load, start: datetime | None, place: Place) -> datetime | None:
    """Return the instant at which the run begins: shortly before the peak that the preset is about.

    Args:
        load: The load.
        start: What the scenario says; the peak is the first one after it.
        place: Where the load stands, for errors.

    Raises:
        UsageFault: If not all stations are switched on when it comes.
    """
    if load.preset and load.ramp_s > load.lead_s:
        raise place.fault("ramp_s", _("the stations must be on before the peak: expected lead_s or less"))
    if load.preset in _PEAKS:
        peak = _PEAKS[load.preset]((start or FIXED_START).astimezone(BEIJING))
        start = peak - timedelta(seconds=load.lead_s)
    return start


def expand(scenario: Scenario) -> Scenario:
    """Return the scenario with what its preset means besides the start.

    Peaks: reports fall on the clock, all at once, and the stations are switched on over the first half of the time
    before. Power cut: one event.
    """
    load = scenario.load
    if load.preset in _PEAKS:
        return replace(
            scenario,
            station=tuple(
                replace(
                    group,
                    start_spread_s=min(group.start_spread_s or load.lead_s / 2, load.lead_s - load.ramp_s),
                    phase="clock" if group.protocol == HJ212 else group.phase,
                )
                for group in scenario.station
            ),
        )
    if load.preset == "power-cut":
        at_s = load.lead_s if load.begin_s is None else load.begin_s
        cut = Event("power-cut", at_s, load.for_s, spread_s=load.spread_s)
        return replace(scenario, event=(*scenario.event, cut))
    return scenario


def on_at(load: Load, count: int, at_s: float) -> int:
    """Return how many of ``count`` stations the ramp has switched on at an instant, in seconds from the start."""
    if at_s < 0:
        return 0
    if not load.ramp_s or at_s >= load.ramp_s:
        return count
    return min(count, floor(count * at_s / load.ramp_s) + 1)
