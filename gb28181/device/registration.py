"""Registration of a device and its keepalives (GB/T 28181-2022 9.1, 9.6, 9.10; 2016 the same but redirection).

::

    REGISTER -> 401 -> REGISTER with Authorization -> 200 (Expires, Date)      then keepalives, and a refresh in time

A platform that challenges nobody is as good as one that does; one that answers with 302 sends the device elsewhere, and
if that fails it comes back. After a failure it waits; the same credentials are tried no more than once for a nonce.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Final

from ..chance import Chance
from ..editions import Rules
from ..errors import Gb28181Error
from ..manscdp import write
from ..manscdp.notifies import FaultyDevices, Keepalive
from ..messaging import CONTENT_TYPE, Route
from ..sip.digest import Challenge, answer
from ..sip.endpoint import Endpoint
from ..sip.events import Event, RequestFailed, ResponseReceived
from ..sip.message import Response
from ..sip.timers import Timer
from ..sip.transactions import ClientTransaction, Flow
from ..sip.values import Address, Uri
from ..times import parse_date
from .account import Account
from .events import (
    ClockTold,
    DeviceEvent,
    PlatformLost,
    Redirected,
    Registered,
    RegistrationFailed,
    Unregistered,
)

__all__ = ["Registration", "RegistrationState"]

#: Challenges answered for one registration: the first, and one that says that its nonce had become stale.
MAX_CHALLENGES: Final = 2
#: Redirections followed before the device stays where it is told no more.
MAX_REDIRECTS: Final = 3
#: Years in which a platform's clock may be; from the first to the last a device can write its own time.
CLOCK_YEARS: Final = range(1970, 2970)
#: SN of a device's own messages stays below 2**31: some peers hold it in 32 bits.
MAX_SN: Final = 0x7FFFFFFF


class RegistrationState(Enum):
    """Where a registration stands."""

    IDLE = "idle"  #: not asked for, or ended
    REGISTERING = "registering"
    REGISTERED = "registered"
    WAITING = "waiting"  #: for the next try
    UNREGISTERING = "unregistering"


@lru_cache(maxsize=256)
def _at(code: str, domain: str) -> Address:
    """Return the address of a platform: one for all of its devices."""
    return Address(Uri(code, domain))


class Registration:
    """Keeps a device registered.

    Args:
        endpoint: Its user agent; hand the endpoint's events to :meth:`handle`.
        account: Who it is, and where.
        rules: The edition it has.
        chance: Spreads its pauses.
    """

    __slots__ = (
        "_account",
        "_alarm",
        "_beat",
        "_beats",
        "_call_id",
        "_challenges",
        "_chance",
        "_cseq",
        "_endpoint",
        "_events",
        "_flow",
        "_from",
        "_home",
        "_missed",
        "_nonce_uses",
        "_pending",
        "_redirects",
        "_refreshing",
        "_run",
        "_sn",
        "address",
        "before_keepalive",
        "clock_told",
        "faulty",
        "heeds_expires",
        "rules",
        "server_id",
        "state",
        "tells_faulty",
        "told_contact",
    )

    def __init__(self, endpoint: Endpoint, account: Account, rules: Rules, chance: Chance) -> None:
        self.account = account
        self.rules = rules
        self.before_keepalive: Callable[[int], None] | None = None  #: called with the number of each, from 1
        self.state = RegistrationState.IDLE
        self.server_id = account.server_id
        self.faulty: tuple[str, ...] = ()  #: devices below that do not work, told in keepalives
        self.tells_faulty = True  #: whether keepalives have Info
        self.heeds_expires = True  #: whether the time that is granted counts, or that which was asked for
        self.clock_told: Callable[[datetime], None] = lambda time: None  #: called with the platform's time
        self.told_contact: tuple[str, int] | None = None  #: another address in Contact than that by which it is reached
        self._endpoint = endpoint
        self._chance = chance
        self._home: Flow | None = None
        self._flow: Flow | None = None
        self._events: list[DeviceEvent] = []
        self._call_id = ""
        self._from: Address | None = None
        self._cseq = 0
        self._sn = 0
        self._challenges = 0
        self._nonce_uses: tuple[str, int] = ("", 0)
        self._redirects = 0
        self._missed = 0
        self._refreshing = False
        self._alarm: Timer | None = None
        self._beat: Timer | None = None
        self._beats = 0
        self._run = 0  # counts registrations from the beginning: keepalives of an earlier one say nothing
        self._pending: ClientTransaction | None = None

    @property
    def account(self) -> Account:
        """Who it is, and where."""
        return self._account

    @account.setter
    def account(self, account: Account) -> None:
        self._account = account
        #: From and To of the device.
        self.address = Address(Uri(account.device_id, account.sip_domain))

    @property
    def contact(self) -> Address:
        """Contact of the device, by the way to its platform."""
        assert self._flow is not None
        host, port = self.told_contact or self._endpoint.advertised or self._flow.local
        return Address(Uri(self.account.device_id, host, port))

    @property
    def registered(self) -> bool:
        """Whether the platform has it; while it is being refreshed too."""
        if self.state is RegistrationState.REGISTERING:
            return self._refreshing
        return self.state is RegistrationState.REGISTERED

    def events(self) -> list[DeviceEvent]:
        """Return, once, what happened since the last call."""
        events = self._events
        if events:
            self._events = []
        return events

    # What the owner asks for

    def start(self, flow: Flow, now: float) -> None:
        """Register over a way to the platform; after a lost connection with the new way."""
        self._home = self._flow = flow
        self._redirects = 0
        self.server_id = self.account.server_id
        self._begin(now)

    def follow(self, flow: Flow, now: float) -> None:
        """Register with the server that :class:`Redirected` named, over the way to it."""
        self._flow = flow
        self._begin(now)

    def stop(self, now: float) -> None:
        """End the registration: Expires 0."""
        self._cancel_alarms()
        if self.state in (RegistrationState.IDLE, RegistrationState.WAITING) or self._flow is None:
            self.state = RegistrationState.IDLE
            self._events.append(Unregistered(False))
            return
        self.state = RegistrationState.UNREGISTERING
        self._challenges = 0
        self._register(now, 0)

    def go_silent(self, now: float, back_after_s: float) -> None:
        """Be gone without a word, as with the power cut, and register anew after a while."""
        self._cancel_alarms()
        self._pending = None
        self._run += 1
        self.state = RegistrationState.WAITING
        self._alarm = self._endpoint.timers.set(now + back_after_s, self._try_again)

    def flow_closed(self, flow: Flow, now: float) -> None:
        """Take note that the connection ended: the platform takes the device for offline. Then :meth:`start` anew."""
        if flow == self._flow and self.state is not RegistrationState.IDLE:
            self._cancel_alarms()
            self.state = RegistrationState.IDLE
            self._events.append(PlatformLost(0))

    # Registering

    def _begin(self, now: float) -> None:
        self._cancel_alarms()
        self.state = RegistrationState.REGISTERING
        self._challenges = 0
        self._missed = 0
        self._refreshing = False
        self._run += 1
        self._call_id = f"{self._endpoint.token()}@{self.contact.uri.host}"
        self._from = self.address.with_tag(self._endpoint.token())
        self._cseq = 0
        self._register(now, self.account.expires_s)

    def _register(self, now: float, expires_s: int, authorization: str = "") -> None:
        assert self._flow is not None
        assert self._from is not None
        self._cseq += 1
        headers = [("Contact", str(self.contact)), ("Expires", str(expires_s))]
        if self.rules.version_header:
            headers.append(("X-GB-Ver", self.rules.version))
        if authorization:
            headers.append(("Authorization", authorization))
        request = self._endpoint.compose(
            "REGISTER",
            self._server.uri,
            from_=self._from,
            to=self.address,
            flow=self._flow,
            headers=headers,
            call_id=self._call_id,
            cseq=self._cseq,
        )
        self._pending = self._endpoint.request(request, self._flow, now, (self, self._run))

    @property
    def route(self) -> Route | None:
        """The way of the device's own messages; ``None`` before it was told one."""
        if self._flow is None:
            return None
        return Route(self._server.uri, self.address, self._server, self._flow)

    @property
    def _server(self) -> Address:
        return _at(self.server_id, self._account.sip_domain)

    def handle(self, event: Event, now: float) -> bool:
        """Take an event of the endpoint; say whether it concerned the registration or a keepalive."""
        if not isinstance(event, ResponseReceived | RequestFailed):
            return False
        match event.transaction.context:
            case (Registration() as owner, int(run)) if owner is self:
                pass
            case _:
                return False
        method = event.transaction.request.method
        if method == "MESSAGE":
            if run == self._run:
                self._beat_answered(event, now)
        elif event.transaction is self._pending:
            if isinstance(event, RequestFailed):
                self._failed(None, event.reason.value, now)
            elif event.response.status >= 200:
                self._answered(event.response, now)
        return True

    def _answered(self, response: Response, now: float) -> None:
        status = response.status
        if status == 401 or status == 407:
            self._challenged(response, now)
        elif 200 <= status < 300:
            self._accepted(response, now)
        elif status == 302 and self.state is RegistrationState.REGISTERING:
            self._redirected(response, now)
        else:
            self._failed(status, response.reason, now)

    def _challenged(self, response: Response, now: float) -> None:
        header = response.headers.get("WWW-Authenticate") or response.headers.get("Proxy-Authenticate") or ""
        try:
            challenge = Challenge.parse(header)
            # The same nonce again says that the password is wrong; a new one may only have run out meanwhile.
            known = challenge.nonce == self._nonce_uses[0] and not challenge.stale
            if self._challenges >= MAX_CHALLENGES or (self._challenges and known):
                self._failed(response.status, response.reason, now)
                return
            uses = self._nonce_uses[1] + 1 if challenge.nonce == self._nonce_uses[0] else 1
            credentials = answer(
                challenge,
                username=self.account.digest_username,
                password=self.account.password,
                method="REGISTER",
                uri=str(self._server.uri),
                nc=uses,
                cnonce=self._endpoint.token()[:8],
            )
        except Gb28181Error as error:
            self._failed(response.status, str(error), now)
            return
        self._challenges += 1
        self._nonce_uses = (challenge.nonce, uses)
        expires_s = 0 if self.state is RegistrationState.UNREGISTERING else self.account.expires_s
        self._register(now, expires_s, str(credentials))

    def _accepted(self, response: Response, now: float) -> None:
        self._pending = None
        if self.state is RegistrationState.UNREGISTERING:
            self.state = RegistrationState.IDLE
            self._events.append(Unregistered(True))
            return
        granted = self._granted(response)
        self._cancel_alarms()
        self.state = RegistrationState.REGISTERED
        self._events.append(Registered(granted, self._refreshing, response.gb_version))
        self._tell_clock(response)
        lasts = granted if self.heeds_expires else self.account.expires_s
        before = min(self.account.refresh_before_s, lasts / 10)
        self._alarm = self._endpoint.timers.set(now + max(lasts - before, 1.0), self._refresh)
        self._keep_alive(now)

    def _granted(self, response: Response) -> int:
        try:
            contact = response.contact
            own = contact.param("expires") if contact else None
            granted = response.expires if response.expires is not None else int(own) if own else None
        except (Gb28181Error, ValueError):
            granted = None
        return granted or self.account.expires_s

    def _tell_clock(self, response: Response) -> None:
        date = response.headers.get("Date")
        if date is None:
            return
        try:
            time = parse_date(date)
        except ValueError:
            return  # a time that cannot be read tells none
        if time.year not in CLOCK_YEARS:
            return  # nor does one with which no device can go on
        self.clock_told(time)
        self._events.append(ClockTold(time))

    def _refresh(self, now: float) -> None:
        self._refreshing = True
        self._challenges = 0
        self.state = RegistrationState.REGISTERING
        self._register(now, self.account.expires_s)

    def _redirected(self, response: Response, now: float) -> None:
        try:
            contact = response.contact
        except Gb28181Error:
            contact = None
        if contact is None or not self.rules.redirect or self._redirects >= MAX_REDIRECTS:
            self._failed(response.status, response.reason, now)
            return
        self._pending = None
        self._redirects += 1
        self.server_id = contact.uri.user or self.server_id
        self._events.append(Redirected(self.server_id, contact.uri.host, contact.uri.port or 5060))

    def _failed(self, status: int | None, reason: str, now: float) -> None:
        self._pending = None
        if self.state is RegistrationState.UNREGISTERING:
            self.state = RegistrationState.IDLE
            self._events.append(Unregistered(False))
            return
        self._cancel_alarms()
        self.state = RegistrationState.WAITING
        pause = self.account.retry_s + self._chance.random() * self.account.retry_spread_s
        self._events.append(RegistrationFailed(status, reason, pause))
        self._alarm = self._endpoint.timers.set(now + pause, self._try_again)

    def _try_again(self, now: float) -> None:
        # Where a redirection led nowhere, the server that gave it decides anew (9.1.2.3).
        assert self._home is not None
        self.start(self._home, now)

    # Keepalives

    def next_sn(self) -> int:
        """Return the SN of the device's next own message."""
        self._sn = self._sn % MAX_SN + 1
        return self._sn

    def _keep_alive(self, now: float) -> None:
        body = Keepalive(
            sn=self.next_sn(),
            device_id=self.account.device_id,
            status="ERROR" if self.faulty else "OK",
            info=FaultyDevices(device_ids=self.faulty) if self.faulty and self.tells_faulty else None,
        )
        assert self._flow is not None
        self._beats += 1
        if self.before_keepalive is not None:
            self.before_keepalive(self._beats)
        request = self._endpoint.compose(
            "MESSAGE",
            self._server.uri,
            from_=self.address,
            to=self._server,
            flow=self._flow,
            headers=[("Content-Type", CONTENT_TYPE)],
            body=write(body, self.rules),
        )
        self._endpoint.request(request, self._flow, now, (self, self._run))
        self._beat = self._endpoint.timers.set(now + self.account.keepalive_s, self._keep_alive)

    def report_fault(self, device_ids: tuple[str, ...], now: float) -> None:
        """Tell at once which devices below do not work; an empty tuple that all do (9.6.1)."""
        self.faulty = device_ids
        if self._beat is not None:
            self._endpoint.timers.cancel(self._beat)
            self._keep_alive(now)

    def _beat_answered(self, event: ResponseReceived | RequestFailed, now: float) -> None:
        if isinstance(event, ResponseReceived) and event.response.status < 300:
            self._missed = 0
            return
        if self.state not in (RegistrationState.REGISTERED, RegistrationState.REGISTERING) or self._beat is None:
            return
        # A refusal is as good as silence: devices in the field register anew after the third of either.
        self._missed += 1
        if self._missed >= self.account.keepalives_missed:
            self._events.append(PlatformLost(self._missed))
            self._try_again(now)

    def _cancel_alarms(self) -> None:
        self._endpoint.timers.cancel(self._alarm)
        self._endpoint.timers.cancel(self._beat)
        self._alarm = self._beat = None
