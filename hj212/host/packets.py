"""What becomes of the packets of split messages: the whole, or what there is of it, goes to the request it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..messages import Message
from ..splitting import Incomplete, Joined, Joiner
from .events import HostEvent, PacketsJoined, PacketsLost, Ticket
from .policy import Policy

__all__ = ["Packets"]


class Packets:
    """The split messages of one link.

    Args:
        policy: How long to wait for a packet.
        report: Takes the events.
        collect: Keeps a message for the request it answers and says which that is.
    """

    def __init__(
        self, policy: Policy, report: Callable[[HostEvent], None], collect: Callable[[Message], Ticket | None]
    ) -> None:
        self._joiner = Joiner(policy.join_s)
        self._report = report
        self._collect = collect

    def add(self, message: Message, now: float) -> bool:
        """Take a message; say whether it was a packet of several."""
        found = self._joiner.add(message, now)
        if found is None:
            return False
        self._tell(found)
        return True

    def next_timeout(self) -> float | None:
        """Return when the first split message is given up."""
        return self._joiner.next_timeout()

    def expire(self, now: float) -> None:
        """Give up what has waited for too long."""
        self._tell(self._joiner.expire(now))

    def close(self) -> None:
        """Give up everything: the link is gone."""
        self._tell(self._joiner.close())

    def _tell(self, found: Sequence[Joined | Incomplete]) -> None:
        for each in found:
            if isinstance(each, Joined):
                self._report(PacketsJoined(each.message.mn, each.message, self._collect(each.message)))
                continue
            ticket = None
            for packet in each.packets:
                ticket = self._collect(packet) or ticket
            self._report(PacketsLost(each.mn, each.cn, each.missing, ticket))
