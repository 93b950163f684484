"""Stations that report: personalities over the protocol cores, named faults, real and virtual time."""

from __future__ import annotations

from .behaviour import Behaviour
from .faults import FAULTS, Fault, behaviour_with
from .personalities.door import DoorController, DoorSettings
from .scenario import Scenario
from .station import Station
from .world import Method, Opening

__all__ = [
    "FAULTS",
    "Behaviour",
    "DoorController",
    "DoorSettings",
    "Fault",
    "Method",
    "Opening",
    "Scenario",
    "Station",
    "behaviour_with",
]
