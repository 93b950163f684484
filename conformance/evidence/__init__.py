"""The transcript as judgements see it: frames with their arrival and bytes, acts with their windows.

Bytes are the truth: everything here is decoded again from the transcript's entries, so that a verdict can be
recomputed from the record alone.
"""

from .acts import ACT_STATES, ActRecord, Opening, StepRecord
from .disturbances import Disturbance
from .evidence import Evidence
from .windows import METHOD_CODES
from .wire import OPENING_PARTS, STATES, Heard, LinkReader, Stray, parse_open_time

__all__ = [
    "ACT_STATES",
    "METHOD_CODES",
    "OPENING_PARTS",
    "STATES",
    "ActRecord",
    "Disturbance",
    "Evidence",
    "Heard",
    "LinkReader",
    "Opening",
    "StepRecord",
    "Stray",
    "parse_open_time",
]
