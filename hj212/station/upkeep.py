"""What a station sends so that link and clock stay right: 9015 and 1013."""

from __future__ import annotations

from contextlib import suppress

from ..errors import LimitError
from ..tables.commands import editions_of
from .link import Link

__all__ = ["Upkeep"]

_TIME_WANTED = "1013"


class Upkeep:
    """Asks a silent platform whether it is there, and for the time as often as the policy wants."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._heard_at = 0.0
        self._asked = False  #: whether a heartbeat waits for its answer
        self._calibrate_at: float | None = None

    def opened(self, now: float) -> None:
        """Begin on a new link."""
        self._heard_at = now
        self._asked = False
        known = self._link.rules.edition in editions_of(_TIME_WANTED, upward=True)
        self._calibrate_at = now if known and self._link.policy.calibrate_s is not None else None

    def heard(self, now: float) -> None:
        """Take note of a sign of life."""
        self._heard_at = now

    def pump(self, now: float) -> None:
        """Send what is due."""
        link, policy = self._link, self._link.policy
        if not link.ready:
            return
        if self._calibrate_at is not None and now >= self._calibrate_at:
            assert policy.calibrate_s is not None
            self._calibrate_at = now + policy.calibrate_s
            self._notify(_TIME_WANTED, now)
        due = self._heartbeat_at()
        if due is not None and now >= due:
            self._asked = self._notify(link.rules.heartbeat, now)
            self._heard_at = now

    def next_timeout(self) -> float | None:
        """Return when :meth:`pump` has something to do."""
        if not self._link.ready:
            return None
        times = [when for when in (self._calibrate_at, self._heartbeat_at()) if when is not None]
        return min(times, default=None)

    def _heartbeat_at(self) -> float | None:
        if not self._link.rules.heartbeat or self._asked:
            return None
        return self._heard_at + self._link.policy.heartbeat_s

    def _notify(self, cn: str, now: float) -> bool:
        link = self._link
        with suppress(LimitError):
            link.send(link.compose(cn, qn=link.qn(), answer=True), now, self._settled)
            return True
        return False

    def _settled(self, _answered: bool, _sent: int, now: float) -> None:
        self._asked = False
        self._heard_at = max(self._heard_at, now)
