"""MESSAGE requests with MANSCDP bodies, single or in turn (GB/T 28181-2022 9.3 to 9.7 and annex M; 2016 annex N).

What has several parts is sent one part after the other: the next when the peer has answered the one before. Parts are
made when their turn comes, so a list of ten thousand records does not lie encoded in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from .errors import RemoteProtocolError
from .sip.dialogs import Dialog
from .sip.endpoint import Endpoint
from .sip.events import Event, RequestFailed, ResponseReceived
from .sip.message import Request
from .sip.transactions import ClientTransaction, Flow
from .sip.values import Address, Uri

__all__ = ["CONTENT_TYPE", "MAX_TRAINS", "Messenger", "Route", "Train", "check_content"]

CONTENT_TYPE: Final = "Application/MANSCDP+xml"
#: Answers in parts that one side sends at a time; beyond it the eldest is given up.
MAX_TRAINS: Final = 64


#: Its names, and the one that the 2016 edition's own example cuts short.
_TYPES: Final = frozenset(("", "application/manscdp+xml", "application/"))


def check_content(request: Request) -> None:
    """See that a request has a body of MANSCDP: what begins like XML is one, whatever its header says.

    Raises:
        RemoteProtocolError: With 415, if it is something else.
    """
    if request.content_type in _TYPES or request.body.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        return
    raise RemoteProtocolError(f"expected {CONTENT_TYPE}, found {request.content_type}", status=415)


@dataclass(frozen=True, slots=True)
class Route:
    """Where a message goes.

    Attributes:
        uri: Request-URI.
        from_: The source of the message in the sense of MANSCDP.
        to: Its destination.
        flow: The way there.
    """

    uri: Uri
    from_: Address
    to: Address
    flow: Flow


class Train:
    """Messages that go one after the other.

    Attributes:
        sent: How many went out.
        over: Whether nothing more goes out.
        broken: Whether one was not answered, or refused: the rest was not sent.
    """

    __slots__ = ("_bodies", "_dialog", "_headers", "_route", "broken", "over", "sent")

    def __init__(
        self,
        bodies: Iterator[bytes],
        route: Route | None = None,
        dialog: Dialog | None = None,
        headers: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self._bodies = bodies
        self._route = route
        self._dialog = dialog
        self._headers = headers
        self.sent = 0
        self.over = False
        self.broken = False


class Messenger:
    """Sends bodies over an endpoint.

    Args:
        endpoint: The user agent; hand its events to :meth:`handle`.
    """

    __slots__ = ("_endpoint", "_trains")

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._trains: dict[Train, None] = {}  # in the order of their begin

    def __len__(self) -> int:
        return len(self._trains)

    def send(self, route: Route, body: bytes, now: float, context: object = None) -> ClientTransaction:
        """Send one body.

        Raises:
            LimitError: If the endpoint has as many transactions as it may have.
        """
        request = self._endpoint.compose(
            "MESSAGE",
            route.uri,
            from_=route.from_,
            to=route.to,
            flow=route.flow,
            headers=(("Content-Type", CONTENT_TYPE),),
            body=body,
        )
        return self._endpoint.request(request, route.flow, now, context)

    def send_in_turn(self, route: Route, bodies: Iterable[bytes], now: float) -> Train:
        """Send bodies as messages, one after the other."""
        return self._start(Train(iter(bodies), route), now)

    def notify_in_turn(
        self, dialog: Dialog, bodies: Iterable[bytes], headers: tuple[tuple[str, str], ...], now: float
    ) -> Train:
        """Send bodies as NOTIFY within a subscription, one after the other."""
        return self._start(Train(iter(bodies), dialog=dialog, headers=headers), now)

    def handle(self, event: Event, now: float) -> bool:
        """Take an event of the endpoint; say whether it was the answer to a message that goes in turn."""
        if not isinstance(event, ResponseReceived | RequestFailed):
            return False
        train = event.transaction.context
        if not isinstance(train, Train):
            return False
        if isinstance(event, ResponseReceived) and event.response.status < 200:
            return True
        if isinstance(event, ResponseReceived) and event.response.status < 300:
            self._go_on(train, now)
        else:
            self._end(train, broken=True)
        return True

    def drop(self) -> None:
        """Send nothing more of what goes in turn."""
        for train in list(self._trains):
            self._end(train, broken=True)

    def _start(self, train: Train, now: float) -> Train:
        while len(self._trains) >= MAX_TRAINS:
            self._end(next(iter(self._trains)), broken=True)
        self._trains[train] = None
        self._go_on(train, now)
        return train

    def _go_on(self, train: Train, now: float) -> None:
        if train.over:
            return
        body = next(train._bodies, None)
        if body is None or (train._dialog is not None and train._dialog.over):
            self._end(train, broken=body is not None)
            return
        train.sent += 1
        if train._dialog is not None:
            headers = (("Content-Type", CONTENT_TYPE), *train._headers)
            self._endpoint.request_within(train._dialog, "NOTIFY", now, headers=headers, body=body, context=train)
        elif train._route is not None:
            self.send(train._route, body, now, train)

    def _end(self, train: Train, *, broken: bool = False) -> None:
        train.over = True
        train.broken = broken
        self._trains.pop(train, None)
