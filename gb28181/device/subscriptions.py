"""Subscriptions that a device grants: catalogue, alarms, positions, PTZ (GB/T 28181-2022 9.11, annex N)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from ..editions import Rules
from ..errors import LimitError, RemoteProtocolError
from ..manscdp.body import Body, Other
from ..manscdp.items import CatalogItem, PositionItem
from ..manscdp.notifies import AlarmNotice, CatalogNotice, PositionNotice, PtzPositionNotice
from ..manscdp.parts import batches
from ..manscdp.queries import AlarmQuery, CatalogQuery, PositionQuery, PtzPositionQuery, Query
from ..manscdp.responses import AlarmAnswer, PositionAnswer, Result
from ..manscdp.xml import Node
from ..messaging import CONTENT_TYPE, Messenger
from ..sip.dialogs import Dialog
from ..sip.endpoint import Endpoint
from ..sip.events import RequestReceived
from ..sip.timers import Timer
from ..sip.values import Address
from ..times import format_datetime
from .answers import ptz_position
from .equipment import Equipment

__all__ = ["MAX_SUBSCRIPTIONS", "Subscription", "Subscriptions"]

#: Subscriptions of one device: each subject of each of four platforms, some channel by channel.
MAX_SUBSCRIPTIONS: Final = 64
#: Longest time that is granted.
MAX_EXPIRES_S: Final = 7 * 86400
#: Interval of positions where none is asked for (A.2.4.9), and the shortest.
INTERVAL_S: Final = 5
#: How often a moving mount is looked at.
PTZ_INTERVAL_S: Final = 1.0
#: Changes of one NOTIFY.
CHANGES_AT_ONCE: Final = 100
SUBJECTS: Final = (CatalogQuery, AlarmQuery, PositionQuery, PtzPositionQuery)


@dataclass(slots=True, eq=False)
class Subscription:
    """A subscription.

    Attributes:
        query: Its body.
        dialog: Within which is told.
        alarm: Of the next position.
        last: What was last told, where only changes are.
    """

    query: Query
    dialog: Dialog
    alarm: Timer | None = None
    last: dict[str, Any] | None = None

    @property
    def subject(self) -> str:
        """CmdType."""
        return self.query.CMD_TYPE

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Headers of its NOTIFY."""
        return (("Event", self.dialog.event or "presence"), ("Subscription-State", "active"))


class Subscriptions:
    """The subscriptions of a device.

    Args:
        endpoint: Its user agent.
        messenger: Sends what has several parts.
        equipment: What is told of.
        rules: Its edition.
        encoded: Writes a body.
        wall_ms: POSIX milliseconds.
        next_sn: SN of the next notice.
        limit_bytes: Longest body of a part.
    """

    __slots__ = (
        "_all",
        "_encoded",
        "_endpoint",
        "_equipment",
        "_limit_bytes",
        "_messenger",
        "_next_sn",
        "_rules",
        "_wall_ms",
    )

    def __init__(
        self,
        endpoint: Endpoint,
        messenger: Messenger,
        equipment: Equipment,
        rules: Rules,
        encoded: Callable[[Body], bytes],
        wall_ms: Callable[[], int],
        next_sn: Callable[[], int],
        limit_bytes: int,
    ) -> None:
        self._endpoint = endpoint
        self._messenger = messenger
        self._equipment = equipment
        self._rules = rules
        self._encoded = encoded
        self._wall_ms = wall_ms
        self._next_sn = next_sn
        self._limit_bytes = limit_bytes
        self._all: dict[Subscription, None] = {}

    def __len__(self) -> int:
        return len(self._all)

    def subscribed(self, event: RequestReceived, query: Body, contact: Address, now: float) -> tuple[Subscription, int]:
        """Grant a SUBSCRIBE, the first or a later one; return the subscription and its seconds.

        Raises:
            RemoteProtocolError: With the status to refuse it by.
        """
        if not isinstance(query, SUBJECTS):
            raise RemoteProtocolError(f"{query.CMD_TYPE or 'this body'} cannot be subscribed", status=489)
        if not self._equipment.knows(query.device_id or "") and len(query.device_id or "") != 10:
            raise RemoteProtocolError(f"there is no {query.device_id}", status=404)
        asked = event.request.expires
        expires = min(self._rules.catalog_subscription_s if asked is None else asked, MAX_EXPIRES_S)
        headers, body = [("Content-Type", CONTENT_TYPE)], self._encoded(self._granted(query))
        known = event.dialog.context if event.dialog else None
        if isinstance(known, Subscription):
            assert event.dialog is not None
            known.query = query
            self._endpoint.refresh(event.transaction, event.dialog, expires, now, headers=headers, body=body)
            return known, expires
        if len(self._all) >= MAX_SUBSCRIPTIONS:
            raise RemoteProtocolError(f"{MAX_SUBSCRIPTIONS} subscriptions (MAX_SUBSCRIPTIONS)", status=503)
        try:
            dialog = self._endpoint.accept_subscription(
                event.transaction, contact, expires, now, headers=headers, body=body
            )
        except LimitError as error:
            raise RemoteProtocolError(str(error), status=503) from error
        if dialog is None:
            raise RemoteProtocolError("a subscription of no time", status=0)
        subscription = Subscription(query, dialog)
        dialog.context = subscription
        self._all[subscription] = None
        self._begin(subscription, now)
        return subscription, expires

    def _granted(self, query: Query) -> Body:
        """Body of the 200, as the 2016 examples have it."""
        kinds: dict[type[Query], type[Result]] = {AlarmQuery: AlarmAnswer, PositionQuery: PositionAnswer}
        kind = kinds.get(type(query))
        if kind is not None:
            return kind(sn=query.sn, device_id=query.device_id, result="OK")
        return _agreed(query)

    def over(self, dialog: Dialog) -> Subscription | None:
        """Take note that a dialog ended; return its subscription."""
        subscription = dialog.context
        if not isinstance(subscription, Subscription) or subscription not in self._all:
            return None
        self._endpoint.timers.cancel(subscription.alarm)
        del self._all[subscription]
        return subscription

    def drop(self) -> None:
        """Forget all of them: the device leaves."""
        for subscription in list(self._all):
            self._endpoint.end_subscription(subscription.dialog)

    def _begin(self, subscription: Subscription, now: float) -> None:
        if isinstance(subscription.query, PositionQuery):
            self._tell_positions(subscription, now)
        elif isinstance(subscription.query, PtzPositionQuery):
            self._tell_mount(subscription, now)
        elif isinstance(subscription.query, CatalogQuery):
            # The subscriber takes all for online; what is not is told at once (N.4.3).
            code = subscription.query.device_id or ""
            off = [item for item in self._equipment.catalog(code) if (item.status or "ON") != "ON"]
            if off:
                self._tell_catalog(
                    subscription, [CatalogItem(device_id=one.device_id, event="OFF") for one in off], now
                )

    # What is told

    def catalog_changed(self, items: Sequence[CatalogItem], now: float) -> int:
        """Tell changes, each item with its Event; return how many subscriptions it was told."""
        told = 0
        for subscription in list(self._all):
            if isinstance(subscription.query, CatalogQuery):
                code = subscription.query.device_id or ""
                mine = (
                    list(items)
                    if code == self._equipment.id or len(code) < 20
                    else [one for one in items if one.device_id == code]
                )
                if mine:
                    told += 1
                    self._tell_catalog(subscription, mine, now)
        return told

    def _tell_catalog(self, subscription: Subscription, items: list[CatalogItem], now: float) -> None:
        base = CatalogNotice(sn=self._next_sn(), device_id=subscription.query.device_id)

        def compose(some: tuple[Any, ...]) -> Body:
            return replace(base, total=len(some), items=some)

        bodies: Iterator[bytes] = map(
            self._encoded, batches(items, compose, self._encoded, self._limit_bytes, CHANGES_AT_ONCE)
        )
        self._messenger.notify_in_turn(subscription.dialog, bodies, subscription.headers, now)

    def alarm_raised(self, notice: AlarmNotice, now: float) -> int:
        """Tell an alarm to who asked for alarms of its kind; return how many did."""
        told = 0
        for subscription in list(self._all):
            query = subscription.query
            if isinstance(query, AlarmQuery) and _wanted(query, notice, self._equipment.id):
                told += 1
                self._notify(subscription, notice, now)
        return told

    def _tell_positions(self, subscription: Subscription, now: float) -> None:
        query = subscription.query
        assert isinstance(query, PositionQuery)
        code = query.device_id or ""
        positions = [
            channel.position
            for channel in self._equipment.channels.values()
            if channel.position is not None and code in (channel.id, self._equipment.id)
        ]
        stamp = format_datetime(self._wall_ms() / 1000)
        if self._rules.position_list:
            notice = PositionNotice(
                sn=self._next_sn(), device_id=code, time=stamp, total=len(positions), positions=tuple(positions) or None
            )
            self._notify(subscription, notice, now)
        else:
            for position in positions:
                self._notify(subscription, self._flat(position, stamp), now)
        pause = max(1, query.interval_s or INTERVAL_S)
        subscription.alarm = self._endpoint.timers.set(
            now + pause, lambda then: self._tell_positions(subscription, then)
        )

    def _flat(self, position: PositionItem, stamp: str) -> PositionNotice:
        return PositionNotice(
            sn=self._next_sn(),
            device_id=position.device_id,
            time=stamp,
            longitude=position.longitude,
            latitude=position.latitude,
            speed=position.speed,
            direction=position.direction,
            altitude=position.altitude,
        )

    def _tell_mount(self, subscription: Subscription, now: float) -> None:
        code = subscription.query.device_id or ""
        values = ptz_position(self._equipment, code, now)
        if values != subscription.last:
            subscription.last = values
            self._notify(subscription, PtzPositionNotice(sn=self._next_sn(), device_id=code, **values), now)
        subscription.alarm = self._endpoint.timers.set(
            now + PTZ_INTERVAL_S, lambda then: self._tell_mount(subscription, then)
        )

    def _notify(self, subscription: Subscription, notice: Body, now: float) -> None:
        if not subscription.dialog.over:
            self._messenger.notify_in_turn(subscription.dialog, [self._encoded(notice)], subscription.headers, now)


def _agreed(query: Query) -> Body:
    """Return the answer in the 200 of a subscription whose CmdType has none of its own."""
    done = (Node("Result", text="OK"),)
    return Other(root="Response", cmd_type=query.CMD_TYPE, sn=query.sn, device_id=query.device_id, rest=done)


def _wanted(query: AlarmQuery, notice: AlarmNotice, own: str) -> bool:
    code = query.device_id or ""
    if code != own and len(code) == 20 and code != notice.device_id:
        return False
    low, high = query.start_priority or "0", query.end_priority or "0"
    priority = notice.priority or ""
    if (low != "0" and priority < low) or (high != "0" and priority > high):
        return False
    method = query.method or "0"
    return "0" in method or (notice.method or "") in method
