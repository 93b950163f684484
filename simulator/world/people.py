"""Who opens a door, and when: the same openings for the controller at the door and for the camera above it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from ..draws import draw
from .door import Method, Opening

__all__ = ["MAX_HELD_S", "openings"]

_METHODS: Final = (Method.FACE, Method.IC_CARD, Method.FINGERPRINT, Method.PASSWORD, Method.EXIT_BUTTON)

#: A door is shut again at most this long after it was opened. Whoever starts in the middle looks that far back.
MAX_HELD_S: Final = 30.0
_MIN_HELD_S: Final = 4.0


def openings(
    seed: int, name: str, per_hour: int, people: int, begin_at: float, end_at: float
) -> Iterator[tuple[Opening, float]]:
    """Yield who opens a door at ``begin_at`` or later and before ``end_at``, and when it falls shut again; in order.

    Instants are POSIX seconds at whole milliseconds. The last door may fall shut after ``end_at``. Time is cut into
    slots of equal length with one opening each, somewhere in its first half, so that no two overlap.

    Args:
        name: The place whose door it is.
        per_hour: Openings an hour; none where it is not positive.
        people: How many are enrolled; at least one is.
    """
    if per_hour <= 0:
        return
    slot = 3600.0 / per_hour
    tick = int(begin_at // slot)
    while tick * slot - 0.001 < end_at:  # rounding may put an opening a little before its slot
        at = round((tick + 0.5 * draw(seed, name, "opening", tick)) * slot, 3)
        spread = MAX_HELD_S - _MIN_HELD_S
        shut = round(at + min(_MIN_HELD_S + spread * draw(seed, name, "held", tick), 0.4 * slot), 3)
        if begin_at <= at < end_at:
            method = _METHODS[int(draw(seed, name, "method", tick) * len(_METHODS))]
            person = f"{1001 + int(draw(seed, name, 'person', tick) * max(people, 1))}" if method.identifies else ""
            yield Opening(method, person, at), shut
        tick += 1
