"""``y=``: SSRC of a stream as ten decimal digits (GB/T 28181-2022 annex G, 2016 annex F).

Digit 1 tells live (0) from history (1), digits 2 to 6 are digits 4 to 8 of the domain's code, digits 7 to 10 a number
of its own. RTP carries the same value in 32 bits, so it is compared as a number: peers lose the leading zero.
"""

from __future__ import annotations

import re
from typing import Final

from .errors import LimitError, LocalProtocolError, SdpError

__all__ = ["Ssrcs", "format_ssrc", "parse_ssrc"]

#: Numbers of one domain and kind.
MAX_STREAMS: Final = 10_000
_DIGITS: Final = re.compile(r"\s*([0-9]{1,10})\s*\Z", re.ASCII)


def parse_ssrc(text: str) -> int:
    """Return the 32-bit value of a ``y=`` line; fewer than ten digits have lost their zeros.

    Raises:
        SdpError: If it is no number of 32 bits.

    >>> hex(parse_ssrc("0200003863"))
    '0xbebd117'
    """
    found = _DIGITS.match(text)
    value = int(found[1]) if found else -1
    if not 0 <= value < 1 << 32:
        raise SdpError(f"y=: expected ten digits, found {text[:20]!r}", field="y=", clause="annex G", status=400)
    return value


def format_ssrc(value: int) -> str:
    """Return the ten digits of a value.

    Raises:
        LocalProtocolError: If it does not fit 32 bits.
    """
    if not 0 <= value < 1 << 32:
        raise LocalProtocolError(f"an SSRC has 32 bits, this one is {value}", field="y=")
    return f"{value:010d}"


class Ssrcs:
    """The values that a domain has not given away.

    Args:
        domain: Code of the domain: ten digits or the twenty of its server.

    Raises:
        LocalProtocolError: If it has fewer than eight digits.
    """

    __slots__ = ("_domain", "_next", "_taken")

    def __init__(self, domain: str) -> None:
        if not re.match("[0-9]{8}", domain, re.ASCII):
            raise LocalProtocolError(f"domain: expected its code, found {domain[:20]!r}", field="y=")
        self._domain = domain[3:8]
        self._taken: dict[bool, set[int]] = {False: set(), True: set()}
        self._next = {False: 0, True: 0}

    def __len__(self) -> int:
        return sum(map(len, self._taken.values()))

    def take(self, *, history: bool = False) -> str:
        """Return ten digits that no running stream has; a number comes again as late as possible.

        Raises:
            LimitError: If all are taken.
        """
        taken = self._taken[history]
        if len(taken) >= MAX_STREAMS:
            raise LimitError(f"{MAX_STREAMS} streams of this domain run already (MAX_STREAMS)")
        number = self._next[history]
        while number in taken:
            number = (number + 1) % MAX_STREAMS
        taken.add(number)
        self._next[history] = (number + 1) % MAX_STREAMS
        return f"{int(history)}{self._domain}{number:04d}"

    def release(self, ssrc: str) -> None:
        """Give digits back; those of others are left alone."""
        if len(ssrc) == 10 and ssrc.isascii() and ssrc.isdigit() and ssrc[1:6] == self._domain:
            self._taken[ssrc[0] == "1"].discard(int(ssrc[6:]))
