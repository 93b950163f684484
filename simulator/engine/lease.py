"""Who may play a shard, and until when: leases as a state machine that reads no clock and sends nothing.

A shard is played in *stints*, numbered from 1; the number is the fence. Two sides keep account of a stint, each by a
clock of its own that only goes forward, and neither ever compares its clock with the other's:

- The holder (:class:`Lease`, on the worker) answers each beat of the granting side with a stamp, an instant of its own
  clock. A later beat that echoes the stamp says that the answer has arrived; from then on the holder may send until the
  stamp's instant plus the length of the lease. However late that beat arrives, it grants no more than that.
- The granting side (:class:`Succession`, the only one) notes when each answer came. The stamp in it was taken before,
  so no holder sends later than that instant plus the length, plus what two clocks may differ in that time. Once it
  stops echoing, or is not heard any more, that bound stands still, and behind it the next stint may begin.

Lost, late, doubled and overtaken messages shorten a lease and never lengthen it. Who was stopped, or whose machine was
paused, finds its lease expired when it goes on: there is no message that would have had to reach it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["CLOSED_S", "DRIFT", "LEASE_S", "MARGIN_S", "MAX_LEASE_S", "MIN_LEASE_S", "RENEWALS", "Lease", "Succession"]

#: How long a lease is by default.
LEASE_S: Final = 10.0
#: Shorter ones are lost to any pause of a machine.
MIN_LEASE_S: Final = 2.0
#: Shorter than the 30 s after which Dask itself calls a silent connection closed: a connection that closes within a
#: lease was closed by somebody.
MAX_LEASE_S: Final = 25.0
#: Beats in the length of a lease: two that are lost in a row cost nothing.
RENEWALS: Final = 5
#: What two clocks may differ in the length of a lease, as a share of it. Quartz is a hundred times better.
DRIFT: Final = 0.01
#: What a successor waits beyond the end of a lease: its holder looks every half second whether to close its links.
MARGIN_S: Final = 1.0
#: What a successor waits after the connection of a worker closed: one that is alive all the same has noticed it, too.
CLOSED_S: Final = 2.0

_NEVER: Final = float("-inf")


class Lease:
    """The holder's side of a stint.

    Args:
        length_s: How long a lease is.

    Attributes:
        until: The instant, on the holder's clock, from which nothing may be sent. In the past before the first grant.
    """

    __slots__ = ("_length_s", "_lost", "_stamped", "until")

    def __init__(self, length_s: float) -> None:
        self.until = _NEVER
        self._length_s = length_s
        self._stamped = _NEVER
        self._lost = False

    def stamp(self, now: float) -> float:
        """Return what to answer a beat with; ``now`` is not later than the moment the answer is sent."""
        self._stamped = max(self._stamped, now)
        return now

    def renewed(self, stamp: float, now: float) -> bool:
        """Take in a beat that echoes a stamp; return whether the lease is held.

        Raises:
            ValueError: If the stamp is none that was given out.
        """
        if stamp > self._stamped:
            raise ValueError(f"stamp {stamp} was not given out; the latest was {self._stamped}")
        if self.over(now):
            return False
        self.until = max(self.until, stamp + self._length_s)
        return now < self.until

    def over(self, now: float) -> bool:
        """Tell whether the lease was held and has expired: for good, no beat revives it."""
        if self.until != _NEVER and now >= self.until:
            self._lost = True
        return self._lost


@dataclass(slots=True)
class _Stint:
    stamp: float | None = None  #: the last one that was heard
    heard_at: float = _NEVER  #: and when
    bound: float = _NEVER  #: nothing is sent from this instant on; without the difference of clocks
    closed_at: float | None = None
    ended: bool = False


class Succession:
    """The granting side of one shard: at most one stint may send at any time.

    Args:
        length_s: How long a lease is.
        margin_s: What a successor waits beyond the end of a lease.
        closed_s: What a successor waits after the connection of a worker closed.

    Attributes:
        holder: Number of the stint that has the lease or had it last; 0: none yet.
        latest: Number of the stint that was proposed last.
    """

    def __init__(self, length_s: float, *, margin_s: float = MARGIN_S, closed_s: float = CLOSED_S) -> None:
        self.holder = 0
        self.latest = 0
        self._length_s = length_s
        self._margin_s = margin_s
        self._closed_s = closed_s
        self._stints: dict[int, _Stint] = {}

    def propose(self) -> int:
        """Return the number of a new stint. It waits; those that were proposed before and wait are passed over."""
        self.latest += 1
        self._stints[self.latest] = _Stint()
        return self.latest

    def heard(self, number: int, stamp: float, now: float) -> None:
        """Take in an answer of a stint that arrived at ``now``."""
        stint = self._stints[number]
        if stint.stamp is None or stamp > stint.stamp:
            stint.stamp, stint.heard_at = stamp, now

    def confirm(self, number: int, now: float) -> float | None:
        """Return the stamp to echo to a stint in a beat that is sent after ``now``; ``None``: none, it may not send."""
        stint = self._stints[number]
        if stint.stamp is None or stint.ended or stint.closed_at is not None:
            return None
        may = not self.lapsed(now) if number == self.holder else number == self.latest and self.free(now)
        bound = stint.heard_at + self._length_s
        if not may or bound <= now:  # a stamp that old grants nothing any more
            return None
        self.holder = number
        stint.bound = max(stint.bound, bound)
        return stint.stamp

    def ended(self, number: int) -> None:
        """Take note that a stint said that it sends nothing any more."""
        self._stints[number].ended = True

    def closed(self, number: int, now: float) -> None:
        """Take note that the connection of a stint's worker was closed by its end: its process is gone, or will be."""
        stint = self._stints[number]
        if stint.closed_at is None:
            stint.closed_at = now

    def lapsed(self, now: float) -> bool:
        """Tell whether the holder's lease is over, so that it is not renewed any more."""
        stint = self._stints.get(self.holder)
        return stint is None or stint.ended or stint.closed_at is not None or now >= stint.bound

    def free_at(self) -> float:
        """Return from when on nobody sends, as far as is known now."""
        stint = self._stints.get(self.holder)
        if stint is None or stint.ended or stint.bound == _NEVER:
            return _NEVER
        expiry = stint.bound + self._length_s * DRIFT + self._margin_s
        return expiry if stint.closed_at is None else min(expiry, stint.closed_at + self._closed_s)

    def free(self, now: float) -> bool:
        """Tell whether a successor may begin: nobody sends, and whoever did is not granted anything any more."""
        return now >= self.free_at()
