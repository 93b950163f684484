"""Named faults of a station: one named defect each, on one of three layers.

A fault is a function that replaces one piece of a correct :class:`~simulator.behaviour.Behaviour`; its decorator says
what it is called, on which layer it acts, what a conformance suite should say of it and, in both languages, what it
does. The same faults make mutants for the suite and bad citizens in a fleet. A layer is a module; importing the package
registers them all. Faults of cameras are apart: they are quirks of :mod:`gb28181.device`.
"""

from __future__ import annotations

# Importing a layer registers its faults, in this order.
from . import of_cameras, on_bytes, on_link, on_measurements, on_protocol, on_world  # noqa: F401
from .registry import (
    CAMERA_FAULTS,
    FAULTS,
    NOT_JUDGED,
    Fault,
    UnknownFaultError,
    behaviour_with,
    faults_of,
    find,
    mutants_of,
    quirks_with,
)

__all__ = [
    "CAMERA_FAULTS",
    "FAULTS",
    "NOT_JUDGED",
    "Fault",
    "UnknownFaultError",
    "behaviour_with",
    "faults_of",
    "find",
    "mutants_of",
    "quirks_with",
]
