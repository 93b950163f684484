"""Scenarios out of real traffic: who reports what, how often, with which values and which mistakes, and nobody's name.

learnt = learn("site.pcapng")
print(scenario_text(learnt))
"""

from __future__ import annotations

from .learnt import Learnt, learn
from .writing import facts, scenario_text

__all__ = ["Learnt", "facts", "learn", "scenario_text"]
