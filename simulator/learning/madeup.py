"""Identities and passwords that are nobody's: counted up from a start that was not in the source."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from ..personalities.kinds import GB28181, HJ212
from ..scenario.identities import Range, Taken, nth, room

__all__ = ["MadeUp"]

#: What made-up MNs begin with: no administrative division does.
_MN_STARTS: Final = ("FE", "FD", "FC", "EF", "DF", "CF", "9F", "9E", "9D", "9C")
#: Made-up codes of cameras: a centre that is no division, and industry 00.
_CENTRES: Final = ("99000000", "98000000", "97000000", "96000000", "95000000", "94000000")


class MadeUp:
    """Makes names up.

    Args:
        tokens: What somebody in the source is called; none of it is made up again.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self._tokens = set(tokens)
        self._next: dict[str, str] = {}  # start -> what comes behind the names given so far

    def mn(self, length: int, count: int) -> str:
        """Return the first of some MNs of a length."""
        length = max(length, len(f"{count:X}") + 3)
        starts = (f"{start}{'0' * (length - len(start) - 1)}1" for start in _MN_STARTS)
        return self._first(starts, count, HJ212)

    def code(self, device_type: str, count: int) -> str:
        """Return the first of some codes of cameras of a type."""
        starts = (f"{centre}00{device_type}0000001" for centre in _CENTRES)
        return self._first(starts, count, GB28181)

    def platform(self) -> str:
        """Return the code of a platform."""
        return self._first((f"{centre}002000000001" for centre in _CENTRES), 1, GB28181)

    def password(self, length: int) -> str:
        """Return a password of a length."""
        tried = (f"{number:0{length}d}"[-length:] for number in range(10**length - 1, 0, -1))
        return next(text for text in tried if text not in self._tokens)

    def _first(self, starts: Iterable[str], count: int, protocol: str) -> str:
        """Return the first name behind a start from which nobody's comes up; the next start where all are taken."""
        for start in starts:
            first = self._next.get(start, start)
            while room(first, protocol) >= count:
                behind = nth(first, count, protocol)
                if self._is_free(first, count, protocol):
                    self._next[start] = behind
                    return first
                first = behind
        raise AssertionError("every name is taken")

    def _is_free(self, first: str, count: int, protocol: str) -> bool:
        given = Taken([Range(first, count, protocol)])
        return not any(given.has(token.upper(), protocol) for token in self._tokens)
