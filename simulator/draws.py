"""Chance without a state: every draw is a function of the seed, who asks, for what, and the how-manieth time.

So nothing depends on the order in which stations are asked, on shards, or on a restart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from .world import Method, Opening

__all__ = ["draw", "openings"]

_METHODS = (Method.FACE, Method.IC_CARD, Method.FINGERPRINT, Method.PASSWORD, Method.EXIT_BUTTON)


def draw(seed: int, identity: str, signal: str, tick: int) -> float:
    """Return a number from 0 up to, not including, 1."""
    key = f"{seed}/{identity}/{signal}/{tick}".encode()
    return int.from_bytes(hashlib.blake2b(key, digest_size=7).digest()) / (1 << 56)


def openings(
    seed: int, identity: str, per_hour: int, people: int, begin: float, end: float
) -> Iterator[tuple[Opening, float]]:
    """Yield who opens a door between two instants, and when it falls shut again; in order.

    The day is cut into slots of equal length with one opening each, somewhere in its first half, so that no two
    overlap.
    """
    if per_hour <= 0:
        return
    slot = 3600.0 / per_hour
    tick = int(begin // slot)
    while tick * slot < end:
        at = round((tick + 0.5 * draw(seed, identity, "opening", tick)) * slot, 3)
        held = round(min(4 + 26 * draw(seed, identity, "held", tick), 0.4 * slot), 3)
        method = _METHODS[int(draw(seed, identity, "method", tick) * len(_METHODS))]
        person = f"{1001 + int(draw(seed, identity, 'person', tick) * max(people, 1))}" if method.identifies else ""
        if begin <= at and at + held < end:
            yield Opening(method, person, at), at + held
        tick += 1
