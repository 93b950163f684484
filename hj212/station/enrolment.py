"""How a station comes by its MN and its keys (HJ 212-2025 6.8, 6.4.3)."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

from ..errors import LimitError
from ..times import parse_qn, parse_time
from .link import Link

__all__ = ["Enrolment"]

_REGISTER = "1001"
_KEY_WANTED = "1014"


class Enrolment:
    """1001 until there is an MN, 1014 before the key is too old; the platform's 1002 and 1014 are requests."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._register_at: float | None = None
        self._key_at: float | None = None

    def opened(self, now: float) -> None:
        """Begin on a new link."""
        self._register_at = self._key_at = now
        self.pump(now)

    def closed(self) -> None:
        """Stop: there is no link."""
        self._register_at = self._key_at = None

    def pump(self, now: float) -> None:
        """Ask for what is due."""
        link = self._link
        if link.connection is None:
            return
        if not link.ready:
            if self._register_at is not None and now >= self._register_at:
                self._register(now)
            return
        self._register_at = None
        if self._key_at is not None and now >= self._key_at:
            self._key_at = now + link.policy.renew_key_s
            if self._key_due():
                self._want_key(now)

    def next_timeout(self) -> float | None:
        """Return when :meth:`pump` has something to do."""
        if self._link.ready:
            return self._key_at if self._link.settings.key_created else None
        return self._register_at

    def _register(self, now: float) -> None:
        link, identity = self._link, self._link.identity
        self._register_at = None  # until it is answered or given up
        named = [("i23005-Info", identity.logger_id), ("i23006-Info", identity.cpu)]
        named += zip(("i23007-Info", "i23008-Info"), identity.macs, strict=False)
        items = [[pair] for pair in named if pair[1]]
        message = link.compose(_REGISTER, items, qn=link.qn(), st=link.policy.registration_st, answer=True)
        try:
            link.send(message, now, self._registered)
        except LimitError:
            self._register_at = now + link.policy.registration_s

    def _registered(self, _answered: bool, _sent: int, now: float) -> None:
        """Wait for 1002 after 9013, or try again later."""
        if not self._link.ready:
            self._register_at = now + self._link.policy.registration_s

    def _key_due(self) -> bool:
        """Say whether the key comes to its end; a key of unknown age never does."""
        link = self._link
        if link.key_lost:
            return True
        encryption, created = link.rules.encryption, link.settings.key_created
        if encryption is None or link.settings.key is None or not created:
            return False
        with suppress(ValueError):
            born = parse_qn(created) if len(created) > 14 else parse_time(created)
            left = born + timedelta(days=encryption.key_max_age_days) - datetime.fromtimestamp(link.clock(), UTC)
            return left <= timedelta(days=link.policy.renew_key_days)
        return False

    def _want_key(self, now: float) -> None:
        link = self._link
        items = [[("SKCreateTime", link.settings.key_created)]]
        with suppress(LimitError):  # it is asked for again soon
            link.send(link.compose(_KEY_WANTED, items, qn=link.qn(), answer=True), now, _unheeded)


def _unheeded(_answered: bool, _sent: int, _now: float) -> None:
    """The key itself comes with a request; an answer that does not come is the link's affair."""
