"""A place as pure functions of seed, site and instant: no history, no input or output, no protocol."""

from __future__ import annotations

from .door import DoorWorld, Method, Opening
from .emissions import Outlet
from .levels import Level, stated, unlisted
from .people import MAX_HELD_S, openings
from .plant import Electricity, Plant
from .schedule import Intervention, Line, Shift, Unit, What
from .signals import OUTLETS, Signal, code_of, signal_of, signals
from .site import Site, SiteTemplate
from .statistics import Period, Summary, converted, measure, printed, summary, window

__all__ = [
    "MAX_HELD_S",
    "OUTLETS",
    "DoorWorld",
    "Electricity",
    "Intervention",
    "Level",
    "Line",
    "Method",
    "Opening",
    "Outlet",
    "Period",
    "Plant",
    "Shift",
    "Signal",
    "Site",
    "SiteTemplate",
    "Summary",
    "Unit",
    "What",
    "code_of",
    "converted",
    "measure",
    "openings",
    "printed",
    "signal_of",
    "signals",
    "stated",
    "summary",
    "unlisted",
    "window",
]
