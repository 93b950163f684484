"""Chance without a state: every draw is a function of the seed, who asks, for what, and the how-manieth time.

So nothing depends on the order in which stations are asked, on shards, or on a restart.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Final

__all__ = ["LANES", "draw", "draw_bytes"]

#: How many small draws one call of :func:`draw_bytes` serves, two bytes each.
LANES: Final = 32


def draw(seed: int, identity: str, signal: str, tick: int) -> float:
    """Return a number from 0 up to, not including, 1."""
    key = f"{seed}/{identity}/{signal}/{tick}".encode()
    return int.from_bytes(blake2b(key, digest_size=7).digest()) / (1 << 56)


def draw_bytes(seed: int, identity: str, signal: str, tick: int) -> bytes:
    """Return 64 bytes of chance at the price of one draw, for signals that are read together."""
    return blake2b(f"{seed}/{identity}/{signal}/{tick}".encode()).digest()
