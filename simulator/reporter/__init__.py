"""The HJ 212 side of any simulated station, without I/O: :class:`Reporter`, and what it is made of."""

from .answering import COMMON_HANDLERS
from .contracts import Items, ReporterSettings, Timeline, Witness
from .core import MAX_QUEUED, WINDOW, Reporter

__all__ = ["COMMON_HANDLERS", "MAX_QUEUED", "WINDOW", "Items", "Reporter", "ReporterSettings", "Timeline", "Witness"]
