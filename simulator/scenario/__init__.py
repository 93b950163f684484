"""Scenarios: which stations, how many, what they do, where they report; read from TOML, strictly.

>>> [member.identity for member in parse('[[station]]\\ncount = 2\\nmn = "00FF"').members()]
['00FF', '0100']
"""

from __future__ import annotations

from .hook import Hook
from .reading import load, parse
from .records import (
    MAX_STATIONS,
    Event,
    FaultPlan,
    Listed,
    Load,
    Member,
    Scenario,
    SipTarget,
    SiteGroup,
    StationGroup,
    Target,
    is_private,
)
from .selection import Selection, selection
from .shapes import on_at
from .templates import template, template_kinds

__all__ = [
    "MAX_STATIONS",
    "Event",
    "FaultPlan",
    "Hook",
    "Listed",
    "Load",
    "Member",
    "Scenario",
    "Selection",
    "SipTarget",
    "SiteGroup",
    "StationGroup",
    "Target",
    "is_private",
    "load",
    "on_at",
    "parse",
    "selection",
    "template",
    "template_kinds",
]
