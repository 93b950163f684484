"""Identities that count up: an MN as a hexadecimal number, a code of GB/T 28181 in its serial.

All of it is arithmetic on the first of a range, so that a range of a million costs what a range of one costs.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from ..personalities.kinds import GB28181

__all__ = ["Range", "Taken", "is_gb_id", "is_mn", "is_pw", "nth", "room"]

#: 序号: the digits of a code of GB/T 28181 that count; province to network, and so the type code, stay.
_SERIAL_DIGITS: Final = 6
_GB_ID: Final = re.compile(r"[0-9]{20}\Z", re.ASCII)
_PW: Final = re.compile(r"[!-%'-:<-~]{1,64}\Z", re.ASCII)
_MN: Final = re.compile(r"[0-9A-Fa-f]{1,64}\Z", re.ASCII)


def is_gb_id(text: str) -> bool:
    """Tell whether a text is a code of twenty digits."""
    return _GB_ID.match(text) is not None


def is_pw(text: str) -> bool:
    """Return whether a text can stand in a frame as PW: printable ASCII, none of what ends a field or the header."""
    return _PW.match(text) is not None


def is_mn(text: str) -> bool:
    """Tell whether a text is an MN that can count up: hexadecimal digits, 64 at most."""
    return _MN.match(text) is not None


def nth(first: str, index: int, protocol: str) -> str:
    """Return the identity ``index`` places after the first, from 0; as long as the first, letters upper case."""
    if protocol == GB28181:
        return f"{int(first) + index:020d}"
    return f"{int(first, 16) + index:0{len(first)}X}"


def room(first: str, protocol: str) -> int:
    """Return how many identities there are from the first on, itself counted."""
    if protocol == GB28181:
        return int(10**_SERIAL_DIGITS - int(first[-_SERIAL_DIGITS:]))
    return int(16 ** len(first) - int(first, 16))


@dataclass(frozen=True, slots=True)
class Range:
    """The identities of one group: ``count`` from ``first`` on."""

    first: str
    count: int
    protocol: str

    @property
    def _scale(self) -> tuple[str, int]:
        """What can be the same: identities of one protocol and one length."""
        return self.protocol, len(self.first)

    @property
    def _number(self) -> int:
        return int(self.first, 10 if self.protocol == GB28181 else 16)


class Taken:
    """The identities of ranges, to be asked for one; holds the ends of the ranges only."""

    def __init__(self, ranges: Iterable[Range]) -> None:
        self.twice = ""  #: the first identity that two ranges have, if any
        self.twice_protocol = ""
        self._begins: dict[tuple[str, int], list[int]] = {}
        self._ends: dict[tuple[str, int], list[int]] = {}
        for one in sorted(_with_stations(ranges), key=lambda one: one._number):
            begins, ends = self._begins.setdefault(one._scale, []), self._ends.setdefault(one._scale, [])
            if ends and one._number < ends[-1] and not self.twice:
                self.twice, self.twice_protocol = nth(one.first, 0, one.protocol), one.protocol
            begins.append(one._number)
            ends.append(max(one._number + one.count, ends[-1] if ends else 0))

    def has(self, identity: str, protocol: str) -> bool:
        """Tell whether an identity is in one of the ranges."""
        if not (is_gb_id(identity) if protocol == GB28181 else is_mn(identity) and identity == identity.upper()):
            return False
        scale = protocol, len(identity)
        number = int(identity, 10 if protocol == GB28181 else 16)
        place = bisect_right(self._begins.get(scale, []), number) - 1
        return place >= 0 and number < self._ends[scale][place]


def _with_stations(ranges: Iterable[Range]) -> Iterator[Range]:
    return (one for one in ranges if one.count)
