"""When a station reads its instruments: a grid on its own clock, and the stretches of time in which a grid was kept.

Run time is seconds since the start of the scenario, at whole milliseconds. A grid changes when the platform sets
another interval, when the clock is set, and when the power was away; each stretch between is a :class:`Span`. With the
spans every past reading can be found again, so that it need not be kept.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from ..draws import draw
from .sums import LOCAL_MS

__all__ = ["MAX_SPANS", "Span", "first_tick", "last_tick", "offset_ms", "ticks"]

#: Spans that a station remembers; the oldest is forgotten first.
MAX_SPANS: Final = 64
#: Less than any difference between two instants, as a share of an interval.
_SAME: Final = 1e-6


class Span(NamedTuple):
    """A stretch in which nothing changed."""

    first: float  #: run time of its first reading
    end: float  #: run time up to which it goes, not included
    interval_s: float
    clock_error_s: float  #: what the station's clock shows more than the true time


def offset_ms(phase: str, seed: int, identity: str, interval_ms: int, switched_on_ms: int) -> int:
    """Return where the grid lies, POSIX milliseconds on the station's clock.

    Args:
        phase: ``clock`` for multiples of the interval from Beijing's midnight on, ``spread`` for an instant of its
            own by draw, ``start`` for what the station was switched on at.
        seed: Of the scenario.
        identity: Of the station.
        interval_ms: From one reading to the next.
        switched_on_ms: When the station was switched on.
    """
    if phase == "start":
        return switched_on_ms
    share = draw(seed, identity, "phase", 0) if phase == "spread" else 0.0
    return int(share * interval_ms) - LOCAL_MS


def first_tick(from_ms: int, interval_ms: int, offset: int) -> int:
    """Return the first instant of a grid that is not before another."""
    return from_ms + (offset - from_ms) % interval_ms


def ticks(span: Span, begin: float, end: float) -> Iterator[float]:
    """Yield every reading of a span from run time ``begin`` up to, not including, ``end``."""
    number = max(0, math.ceil((begin - span.first) / span.interval_s - _SAME))
    end = min(end, span.end)
    due = round(span.first + number * span.interval_s, 3)
    while due < end:
        yield due
        number += 1
        due = round(span.first + number * span.interval_s, 3)


def last_tick(span: Span, before: float) -> float | None:
    """Return the last reading of a span before an instant, ``None`` where there is none."""
    end = min(before, span.end)
    if end <= span.first:
        return None
    number = math.ceil((end - span.first) / span.interval_s - _SAME) - 1
    return round(span.first + max(number, 0) * span.interval_s, 3)
