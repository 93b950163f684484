"""Subscriptions of a platform: catalogue, alarms, positions; refreshed in time (GB/T 28181-2022 9.11, annex N)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from ..errors import LimitError
from ..manscdp import write
from ..manscdp.body import Body
from ..manscdp.queries import CatalogQuery
from ..messaging import CONTENT_TYPE, Route
from ..sip.dialogs import Dialog
from ..sip.endpoint import Endpoint
from ..sip.events import RequestFailed, ResponseReceived
from ..sip.timers import Timer
from ..sip.values import Address
from .registrar import Device

__all__ = ["MAX_SUBSCRIPTIONS", "Subscription", "Subscriptions"]

#: Subscriptions of a platform: three of each of its devices.
MAX_SUBSCRIPTIONS: Final = 20_000
#: Part of the granted time after which it is refreshed.
REFRESH_AT: Final = 0.8


@dataclass(slots=True, eq=False)
class Subscription:
    """A subscription.

    Attributes:
        device: Whose.
        body: What was subscribed.
        expires_s: As asked for.
        dialog: ``None`` before the device granted it.
        granted: Whether it goes on.
        why: Why it ended: a SIP status, or the value of :class:`gb28181.sip.DialogEnd`.
        ending: Whether it was given up here.
    """

    device: Device
    body: Body
    expires_s: int
    dialog: Dialog | None = None
    granted: bool = False
    why: str = ""
    ending: bool = False
    alarm: Timer | None = None


class Subscriptions:
    """What a platform has subscribed.

    Args:
        endpoint: Its user agent.
        route: Returns the way to a device for a code.
        contact: Returns its Contact by the way to a device.
        next_sn: SN of the next body.
        changed: Called when one was granted or ended.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        route: Callable[[Device, str], Route],
        contact: Callable[[Device], Address],
        next_sn: Callable[[], int],
        changed: Callable[[Subscription], None],
    ) -> None:
        self._endpoint = endpoint
        self._route = route
        self._contact = contact
        self._next_sn = next_sn
        self._changed = changed
        self._all: dict[Subscription, None] = {}

    def __len__(self) -> int:
        return len(self._all)

    def subscribe(self, device: Device, body: Body, expires_s: int, now: float) -> Subscription:
        """Subscribe; it is refreshed until :meth:`end`.

        Raises:
            LimitError: If there are as many as may be.
            LocalProtocolError: If the device's edition does not have the body.
        """
        if len(self._all) >= MAX_SUBSCRIPTIONS:
            raise LimitError(f"{MAX_SUBSCRIPTIONS} subscriptions (MAX_SUBSCRIPTIONS)")
        subscription = Subscription(device, dataclasses.replace(body, sn=self._next_sn()), expires_s)
        # Between platforms the catalogue has an event of its own (annex N); devices go by the body's CmdType.
        event = f"Catalog;id={subscription.body.sn}" if isinstance(body, CatalogQuery) else "presence"
        content = write(subscription.body, device.rules)
        route = self._route(device, getattr(body, "device_id", None) or device.id)
        headers = [
            ("Contact", str(self._contact(device))),
            ("Event", event),
            ("Expires", str(expires_s)),
            ("Content-Type", CONTENT_TYPE),
        ]
        request = self._endpoint.compose(
            "SUBSCRIBE", route.uri, from_=route.from_, to=route.to, flow=route.flow, headers=headers, body=content
        )
        self._all[subscription] = None
        self._endpoint.request(request, route.flow, now, subscription)
        return subscription

    def end(self, subscription: Subscription, now: float) -> None:
        """Give a subscription up: Expires 0."""
        subscription.ending = True
        self._endpoint.timers.cancel(subscription.alarm)
        if subscription.dialog is not None and not subscription.dialog.over:
            self._again(subscription, 0, now)

    def _again(self, subscription: Subscription, expires_s: int, now: float) -> None:
        dialog = subscription.dialog
        if dialog is None or dialog.over:
            return
        headers = [("Event", dialog.event), ("Expires", str(expires_s)), ("Content-Type", CONTENT_TYPE)]
        body = write(subscription.body, subscription.device.rules)
        self._endpoint.request_within(dialog, "SUBSCRIBE", now, headers=headers, body=body, context=subscription)

    def sip_answered(self, event: ResponseReceived | RequestFailed, now: float) -> bool:
        """Take the answer to a SUBSCRIBE; say whether it was one."""
        subscription = event.transaction.context
        if not isinstance(subscription, Subscription):
            return False
        if isinstance(event, RequestFailed):
            self._close(subscription, event.reason.value)
        elif event.response.status >= 300:
            self._close(subscription, str(event.response.status))
        elif event.response.status >= 200:
            self._granted(subscription, event, now)
        return True

    def _granted(self, subscription: Subscription, event: ResponseReceived, now: float) -> None:
        if event.dialog is None or subscription.ending:
            return
        subscription.dialog = event.dialog
        event.dialog.context = subscription
        granted = event.dialog.expires_at - now if event.dialog.expires_at else subscription.expires_s
        self._endpoint.timers.cancel(subscription.alarm)
        subscription.alarm = self._endpoint.timers.set(
            now + granted * REFRESH_AT, lambda then: self._again(subscription, subscription.expires_s, then)
        )
        if not subscription.granted:
            subscription.granted = True
            self._changed(subscription)

    def of(self, dialog: Dialog) -> Subscription | None:
        """Return the subscription of a dialog."""
        return dialog.context if isinstance(dialog.context, Subscription) else None

    def over(self, dialog: Dialog, why: str) -> bool:
        """Take note that a dialog ended; say whether it was a subscription."""
        subscription = self.of(dialog)
        if subscription is None:
            return False
        self._close(subscription, why)
        return True

    def gone(self, device_id: str) -> None:
        """Forget the subscriptions of a device that is offline: it has forgotten them too."""
        for subscription in list(self._all):
            if subscription.device.id == device_id:
                if subscription.dialog is not None:
                    self._endpoint.end_subscription(subscription.dialog)
                self._close(subscription, "gone")

    def _close(self, subscription: Subscription, why: str) -> None:
        self._endpoint.timers.cancel(subscription.alarm)
        if subscription in self._all:
            del self._all[subscription]
            subscription.granted, subscription.why = False, why
            self._changed(subscription)
