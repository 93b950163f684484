"""Cameras and recorders of GB/T 28181-2016 and -2022, without I/O: signalling, and alarms at the door of their site.

A camera is :class:`gb28181.device.Device` with an endpoint, an identity and chance of its own, so that what it says of
itself depends on (seed, identity) and instants only: not on shards, on neighbours, or on who started first.

Pictures and streams are not here yet, and have their place: an INVITE is answered as by a device without media (its
``place`` is the discard port), and what is to be sent, stopped or photographed is told by ``Device.events``, which
:meth:`Camera._tell` reads.

A camera keeps the scenario's clock, as the other stations of its site do: alarm and door record name the same second.
Date in the answer to a registration (9.10) therefore only puts right what a clock-step has put wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized
from datetime import datetime
from typing import Final, Protocol

from gb28181 import RULES, Edition, Rules
from gb28181.device import (
    Account,
    Equipment,
    Quirks,
    Redirected,
    Registered,
    RegistrationFailed,
)
from gb28181.device.device import Device
from gb28181.sip.endpoint import Endpoint, EndpointLimits
from gb28181.sip.events import RequestFailed, ResponseReceived
from gb28181.sip.message import Request, Response
from gb28181.sip.transactions import ClientTransaction, Flow

from ..draws import draw, draw_bytes
from ..world import Method, Opening

__all__ = ["SEEN_MAX_S", "SEEN_MIN_S", "Camera", "QuirkTimeline", "Tally", "Visits", "account_of", "rules_of"]

#: How long after the door opened somebody is seen in the guarded area.
SEEN_MIN_S: Final = 0.2
SEEN_MAX_S: Final = 1.5
#: 视频报警, 入侵检测 (2022 A.2.5.3), and its event types.
_BY_PICTURE: Final = "5"
_INTRUSION: Final = 6
_ENTERS, _LEAVES = 1, 2
#: SN of alarms begin here and go by their instant; keepalives count from 1.
_ALARM_SN: Final = 1_000_000
#: Words of the notice.
_ENTERED: Final = "有人进入"
_LEFT: Final = "有人离开"
#: What one device holds at most: a platform's questions, some calls, the subscriptions of four platforms.
_LIMITS: Final = EndpointLimits(transactions=2_000, unanswered=200, dialogs=200, requests_per_s=200.0, rates=16)
_USER_AGENT: Final = "stationgate simulator"

#: Openings of the door from one POSIX instant up to another, and when it falls shut.
Visits = Callable[[float, float], Iterator[tuple[Opening, float]]]


class Tally(Protocol):
    """Who counts what cameras tell: keepalives and alarms."""

    def told(self, due: float, now: float) -> None:
        """Take note that a message, due at an instant, is given to the network."""
        ...

    def answered(self, due: float, now: float) -> None:
        """Take note that it was answered 200."""
        ...


class QuirkTimeline(Protocol):
    """Which faults a camera has when."""

    def behaviour(self, identity: str, due: float) -> Quirks:
        """Return what it does otherwise in what is due, or asked, at an instant."""
        ...


class _Draws:
    """Chance of one device: the n-th draw of a seed, an identity and a life of the device."""

    __slots__ = ("_identity", "_seed", "_signal", "_tick")

    def __init__(self, seed: int, identity: str, life: int) -> None:
        self._seed = seed
        self._identity = identity
        self._signal = f"sip/{life}"
        self._tick = 0

    def getrandbits(self, k: int, /) -> int:
        self._tick += 1
        drawn = draw_bytes(self._seed, self._identity, self._signal, self._tick)
        return int.from_bytes(drawn) >> (8 * len(drawn) - k)

    def random(self) -> float:
        self._tick += 1
        return draw(self._seed, self._identity, self._signal, self._tick)


class _Endpoint(Endpoint):
    """The user agent of one camera; tells it what it asks."""

    def __init__(self, camera: Camera, chance: _Draws) -> None:
        super().__init__(chance, limits=_LIMITS, user_agent=_USER_AGENT)
        self._camera = camera

    def request(self, request: Request, flow: Flow, now: float, context: object = None) -> ClientTransaction:
        transaction = super().request(request, flow, now, context)
        self._camera.asked(transaction)
        return transaction


class Camera:
    """A camera or recorder that is switched on.

    Times are run time, seconds from the start of the scenario.

    Args:
        account: Who it is, and at which platform.
        rules: Its edition.
        equipment: What it is made of.
        watching: Its channel that sees the door.
        quirks: What it does otherwise.
        seed: Of the scenario.
        now: When it is switched on; what happened before it has not seen.
        epoch: POSIX seconds of the scenario's start.
        until: When the scenario is over.
        visits: Who comes to the door of its site; ``None`` where it has none.
        tally: Who counts.
        timeline: Faults that come and go; they take the place of ``quirks``.

    Attributes:
        flow: The way to the platform, set before :meth:`connected`.
    """

    __slots__ = (
        "_accepted",
        "_alarm_at",
        "_at",
        "_awaited",
        "_bodies",
        "_endpoint",
        "_epoch",
        "_lives",
        "_now",
        "_opening",
        "_refused",
        "_rules",
        "_seed",
        "_tally",
        "_timeline",
        "_until",
        "_visits",
        "_within_reach",
        "device",
        "flow",
        "refused_with",
        "watching",
    )

    def __init__(
        self,
        account: Account,
        rules: Rules,
        equipment: Equipment,
        watching: str,
        quirks: Quirks,
        *,
        seed: int,
        now: float,
        epoch: float,
        until: float,
        visits: Visits | None,
        tally: Tally | None = None,
        timeline: QuirkTimeline | None = None,
    ) -> None:
        self.flow: Flow | None = None
        self.watching = watching
        self._rules = rules
        self._seed = seed
        self._epoch = epoch
        self._until = until
        self._visits = visits
        self._tally = tally
        self._timeline = timeline
        self._lives = 0
        self._within_reach = False
        self._accepted = self._refused = 0
        self.refused_with: int | None = None  #: what the platform last refused a registration with
        self._bodies: list[bytes] | None = None
        self._awaited: dict[ClientTransaction, float] | None = None
        self._opening: Opening | None = None
        self._alarm_at: float | None = None
        self._at = self._now = now
        self._live(account, equipment, quirks)
        self._look_out(now)

    def _live(self, account: Account, equipment: Equipment, quirks: Quirks) -> None:
        """Begin anew: with the equipment, and without memory of any message."""
        chance = _Draws(self._seed, account.device_id, self._lives)
        self._lives += 1
        self._endpoint = _Endpoint(self, chance)
        self.device = Device(
            self._endpoint, account, self._rules, equipment, chance=chance, wall_ms=self._wall_ms, quirks=quirks
        )
        self.device.registration.clock_told = self._date_told
        self._awaited = None

    def __repr__(self) -> str:
        return f"<Camera {self.identity} {self.device.registration.state.value}>"

    @property
    def identity(self) -> str:
        """Its code of twenty digits."""
        return self.device.equipment.id

    @property
    def registered(self) -> bool:
        """Whether the platform has it, as far as it knows."""
        return self.device.registration.registered

    @property
    def quirks(self) -> Quirks:
        """What it does otherwise."""
        return self.device.quirks

    @property
    def codes(self) -> Iterator[str]:
        """Its code and those of its channels: whoever asks names one of them."""
        yield self.device.equipment.id
        yield from self.device.equipment.channels

    @property
    def in_flight(self) -> Sized:
        """What it told and waits to be answered."""
        return self._awaited or ()

    def report_now(self, now: float) -> None:
        """Nothing: a camera keeps alive by its own interval, also where stations report in a closed loop."""

    # The way to the platform

    def connected(self, now: float) -> None:
        """Take note that :attr:`flow` leads to the platform: register."""
        assert self.flow is not None
        self._within_reach = True
        self._at = self._now = now
        self.device.start(self.flow, now)
        self._step(now)

    def disconnected(self, now: float) -> None:
        """Take note that nothing gets through any more. Who has a connection sees it end; the others wait in vain."""
        self._within_reach = False
        self._at = self._now = now
        flow = self.flow
        if flow is not None and flow.reliable:
            self._endpoint.flow_closed(flow, now)
            self._step(now)
            self.device.registration.flow_closed(flow, now)
            self._tell(now)

    def receive_data(self, data: bytes, now: float) -> None:
        """Take in bytes of the connection."""
        assert self.flow is not None
        self._at = self._now = now
        self._behave(now)
        self._endpoint.receive_stream(data, self.flow, now)
        self._step(now)

    def receive_message(self, message: Request | Response, data: bytes, flow: Flow, now: float) -> None:
        """Take in a datagram that was read to see that it is for this camera."""
        self._at = self._now = now
        if isinstance(message, Request):
            self._behave(now)
        self._endpoint.receive_message(message, data, flow, now)
        self._step(now)

    def datagrams_to_send(self) -> list[tuple[Flow, bytes]]:
        """Return, once, the messages to send and where to."""
        return self._endpoint.data_to_send()

    def data_to_send(self) -> bytes:
        """Return, once, the bytes to write to the connection."""
        return b"".join(data for _flow, data in self._endpoint.data_to_send())

    def cannot_go_on(self) -> bool:
        """Whether the peer's stream cannot be read any further: the connection is to be closed."""
        return bool(self._endpoint.flows_to_close())

    # Time

    def next_timeout(self) -> float | None:
        """Return when to call :meth:`handle_timeout`."""
        when, alarm = self._endpoint.next_timeout(), self._alarm_at
        return when if alarm is None or (when is not None and when <= alarm) else alarm

    def handle_timeout(self, now: float) -> None:
        """Do what is due, each thing as of its own instant."""
        while (due := self.next_timeout()) is not None and due <= now:
            self._at, self._now = due, now
            self._behave(due)
            if due == self._alarm_at:
                self._saw(due)
            else:
                self._endpoint.handle_timeout(due)
            self._step(due)

    def _behave(self, due: float) -> None:
        """Take on the faults of an instant."""
        if self._timeline is not None:
            quirks = self._timeline.behaviour(self.identity, due)
            if quirks is not self.device.quirks:
                self.device.quirks = quirks

    def reboot(self, now: float) -> None:
        """The power comes back: presets and what was configured are still there, registration and calls are not."""
        self._at = self._now = now
        device = self.device
        self._live(device.registration.account, device.equipment, device.quirks)
        self._look_out(now)

    def step_clock(self, seconds: float) -> None:
        """Let its clock jump, until a platform tells it the time."""
        self.device.clock_ahead_ms += round(seconds * 1000)

    def _wall_ms(self) -> int:
        return round((self._epoch + self._at) * 1000)

    def _date_told(self, told: datetime) -> None:
        self.device.clock_ahead_ms = 0

    # What it sees

    def _look_out(self, since: float) -> None:
        """Await the first opening that is seen at ``since`` or later."""
        seen_at = self._await_opening(since - SEEN_MAX_S)
        while seen_at is not None and seen_at < since:
            seen_at = self._await_next()

    def _await_next(self) -> float | None:
        """Await the opening after the one that is awaited."""
        assert self._opening is not None
        return self._await_opening(self._opening.at - self._epoch + 0.001)

    def _await_opening(self, since: float) -> float | None:
        """Await the first opening at ``since`` or later; return when it is seen."""
        found = None
        if self._visits is not None:
            found = next(self._visits(self._epoch + since, self._epoch + self._until), None)
        if found is None:
            self._opening = self._alarm_at = None
            return None
        self._opening = opening = found[0]
        chance = draw(self._seed, self.identity, "seen", round(opening.at * 1000))
        seen = SEEN_MIN_S + (SEEN_MAX_S - SEEN_MIN_S) * chance
        self._alarm_at = round(opening.at - self._epoch + seen, 3)
        return self._alarm_at

    def _saw(self, due: float) -> None:
        """Raise the alarm for who came or left; none while nobody wants one (布防)."""
        opening = self._opening
        assert opening is not None
        leaves = opening.method is Method.EXIT_BUTTON
        self.device.raise_alarm(
            self.watching,
            due,
            method=_BY_PICTURE,
            type=_INTRUSION,
            event_type=_LEAVES if leaves else _ENTERS,
            description=_LEFT if leaves else _ENTERED,
            sn=_ALARM_SN + round(due * 10),
        )
        self._await_next()

    # What becomes of it

    def _step(self, now: float) -> None:
        while events := self._endpoint.events():
            for event in events:
                if isinstance(event, ResponseReceived | RequestFailed):
                    self._heard(event)
                self.device.handle(event, now)
        self._tell(now)

    def _tell(self, now: float) -> None:
        """Look at what the device reports. Media begin and end here, once there are some."""
        for told in self.device.events():
            match told:
                case Registered(refresh=False):
                    self._accepted += 1
                case RegistrationFailed():
                    self._refused += 1
                    self.refused_with = told.status or self.refused_with
                case Redirected():
                    self._redirected(told, now)

    def _redirected(self, told: Redirected, now: float) -> None:
        """Follow to another port of the platform's own address: no host is contacted that nobody has named."""
        flow, registration = self.flow, self.device.registration
        if flow is not None and not flow.reliable and told.host == flow.peer[0]:
            registration.follow(Flow(flow.transport, (told.host, told.port), flow.local), now)
        else:
            self._refused += 1
            registration.go_silent(now, registration.account.retry_s)

    def asked(self, transaction: ClientTransaction) -> None:
        """Take note of a request of its own: what it tells unasked is counted, and its body kept for the digest."""
        request = transaction.request
        if not self._within_reach or request.method not in ("MESSAGE", "NOTIFY") or b"<Notify>" not in request.body:
            return
        if self._bodies is None:
            self._bodies = []
        self._bodies.append(request.body)
        if self._tally is not None:
            self._tally.told(self._at, self._now)
            if self._awaited is None:
                self._awaited = {}
            self._awaited[transaction] = self._at

    def _heard(self, event: ResponseReceived | RequestFailed) -> None:
        if self._awaited is None or event.transaction not in self._awaited:
            return
        if isinstance(event, ResponseReceived) and event.response.status < 200:
            return
        due = self._awaited.pop(event.transaction)
        if not self._awaited:
            self._awaited = None
        if isinstance(event, ResponseReceived) and event.response.status < 300 and self._tally is not None:
            self._tally.answered(due, self._now)

    def outcomes(self) -> tuple[int, int]:
        """Return, once, how many registrations were accepted and how many were not; refreshes are none."""
        found = self._accepted, self._refused
        self._accepted = self._refused = 0
        return found

    def told(self) -> list[bytes]:
        """Return, once, the bodies of what it told unasked, in the order of sending."""
        bodies, self._bodies = self._bodies, None
        return bodies or []


def account_of(
    identity: str, password: str, *, server_id: str, domain: str, keepalive_s: float, expires_s: float
) -> Account:
    """Return what is typed into the camera's page."""
    return Account(
        device_id=identity,
        server_id=server_id,
        password=password,
        domain=domain,
        expires_s=int(expires_s),
        keepalive_s=keepalive_s,
        user_agent=_USER_AGENT,
    )


def rules_of(edition: str) -> Rules:
    """Return the rules of an edition as scenarios name it."""
    return RULES[Edition(edition)]
