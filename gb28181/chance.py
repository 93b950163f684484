"""Where chance comes from: any source with these two methods, the standard library's generators among them."""

from __future__ import annotations

from typing import Protocol

__all__ = ["Chance"]


class Chance(Protocol):
    """A source of chance. :class:`random.Random` is one; who simulates thousands of devices has a smaller one."""

    def getrandbits(self, k: int, /) -> int:
        """Return an integer of ``k`` bits."""
        ...

    def random(self) -> float:
        """Return a number from 0 up to, not including, 1."""
        ...
