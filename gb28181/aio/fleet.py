"""Many devices in one process: one endpoint and one heap of alarms for all, and as many sockets as are wanted.

::

    fleet = DeviceFleet(told)
    shared = await fleet.bind("127.0.0.1")                  # one UDP socket can carry thousands of devices
    for account, equipment in cameras:
        fleet.start(fleet.add(account, GBT_28181_2022, equipment), ("127.0.0.1", 5060), shared)

Platforms also know devices by address and port: for those each device gets a socket of its own, ``bind`` once for each
on one address or on several, or a connection, :meth:`DeviceFleet.connect`.

Where several devices share a way, a request belongs to the one that has the code in its Request-URI or To: codes of
devices and of channels are distinct among them then, and channels are there before the device starts.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import partial
from typing import Final

from ..device import Account, DeviceEvent, Equipment, Quirks, RegistrationState, Unregistered
from ..device.calls import Call
from ..device.device import Device
from ..editions import Rules
from ..errors import LocalProtocolError, SipError
from ..sip.endpoint import Endpoint, EndpointLimits
from ..sip.events import CallCancelled, Event, MessageRejected, PeerLimited, RequestFailed, RequestReceived
from ..sip.events import ResponseReceived as Answer
from ..sip.transactions import Flow
from .datagrams import Place
from .transport import Transport

__all__ = ["DeviceFleet"]

#: Devices of one fleet: each has some kilobytes.
MAX_DEVICES: Final = 100_000
#: How long the end of all registrations is waited for, at least, and for each device.
STOP_S: Final = 5.0
STOP_EACH_S: Final = 0.002
#: Devices that are leaving at a time: more only overflow the platform's receive buffer.
LEAVING: Final = 100
#: Receive buffer of a socket that one device has for itself.
OWN_BUFFER: Final = 0
#: All devices on one socket are one peer to the endpoint: its limits are those of a whole fleet.
LIMITS: Final = EndpointLimits(dialogs=200_000, unanswered=20_000, requests_per_s=50_000.0, requests_at_once=200_000)


class _Way:
    """A socket or connection, and who sits at it."""

    __slots__ = ("codes", "devices")

    def __init__(self) -> None:
        self.devices: dict[Device, None] = {}
        self.codes: dict[str, Device] | None = None  # not needed for one

    def check(self, device: Device, *, drifts: bool) -> None:
        """Raise LocalProtocolError if a device cannot sit here beside those that do."""
        others = [each for each in self.devices if each is not device] if len(self.devices) < 2 else self.devices
        if not others:
            return
        if drifts or next(iter(others)).quirks.nat_port_drift:
            raise LocalProtocolError("nat_port_drift: expected a socket of its own", field="nat_port_drift")
        codes = self.codes or dict(self._coded())
        for code in _codes(device):
            other = codes.get(code, device)
            if other is not device:
                raise LocalProtocolError(
                    f"{code}: expected codes of its own on a shared way, {other.equipment.id} has it", field="DeviceID"
                )

    def add(self, device: Device) -> None:
        self.devices[device] = None
        if self.codes is not None:
            self.codes.update(dict.fromkeys(_codes(device), device))
        elif len(self.devices) > 1:
            self.codes = dict(self._coded())

    def _coded(self) -> Iterator[tuple[str, Device]]:
        for device in self.devices:
            for code in _codes(device):
                yield code, device

    def discard(self, device: Device) -> None:
        self.devices.pop(device, None)
        if self.codes is not None:
            for code in _codes(device):
                if self.codes.get(code) is device:
                    del self.codes[code]

    def find(self, code: str) -> Device | None:
        if self.codes is None:
            return next(iter(self.devices), None)
        return self.codes.get(code)


def _codes(device: Device) -> Iterator[str]:
    yield device.equipment.id
    yield from device.equipment.channels


class DeviceFleet:
    """Devices that are driven together.

    Args:
        told: Called with each device and what happens to it.
        chance: Source of tags, pauses and pieces; by default the system's.
        user_agent: Told by all of them; fleets of several makes are several fleets.
        limits: Of the endpoint that they share.
    """

    def __init__(
        self,
        told: Callable[[Device, DeviceEvent], None] = lambda device, event: None,
        *,
        chance: random.Random | None = None,
        user_agent: str = "",
        limits: EndpointLimits = LIMITS,
    ) -> None:
        self._told = told
        self._chance = chance or random.SystemRandom()
        self._endpoint = Endpoint(self._chance, user_agent=user_agent, limits=limits)
        self._devices: dict[Device, Place | Flow | None] = {}  # at which way each is
        self._ways: dict[Place | Flow, _Way] = {}
        self._leaving: set[Device] = set()
        self._left: asyncio.Event | None = None
        self.transport: Transport | None = None

    def __len__(self) -> int:
        return len(self._devices)

    def __iter__(self) -> Iterator[Device]:
        return iter(list(self._devices))

    # Devices and ways

    def add(
        self,
        account: Account,
        rules: Rules,
        equipment: Equipment,
        *,
        quirks: Quirks | None = None,
        place: Callable[[Call], Place | None] | None = None,
    ) -> Device:
        """Return a new device; it does nothing before :meth:`start`.

        Raises:
            LocalProtocolError: If there are as many as there may be, or its account tells another User-Agent.
        """
        if len(self._devices) >= MAX_DEVICES:
            raise LocalProtocolError(f"{MAX_DEVICES} devices at most (MAX_DEVICES)", field="devices")
        if account.user_agent not in ("", self._endpoint.user_agent):
            raise LocalProtocolError(
                f"user_agent: expected {self._endpoint.user_agent!r}, that of the fleet, found {account.user_agent!r}",
                field="user_agent",
            )
        device = Device(
            self._endpoint, account, rules, equipment, chance=self._chance, wall_ms=_wall_ms, quirks=quirks, place=place
        )
        self._devices[device] = None
        return device

    async def bind(self, host: str, port: int = 0, *, own: bool = False) -> Place:
        """Open a UDP socket; return its address and port.

        Args:
            host: Address, or a name of this computer's.
            port: 0 takes a free one.
            own: Whether one device has it for itself: a buffer of the usual size does then.

        Raises:
            OSError: If the port cannot be had.
        """
        transport = self._opened()
        return await (transport.add(host, port, buffer=OWN_BUFFER) if own else transport.add(host, port))

    def start(self, device: Device, platform: Place, local: Place, *, after_s: float = 0.0) -> None:
        """Register over UDP; a site whose power returns spreads its devices by ``after_s``.

        Args:
            device: Of this fleet.
            platform: Address and port of the platform; an address, no name.
            local: Of a socket that :meth:`bind` opened.
            after_s: Seconds from now.

        Raises:
            LocalProtocolError: If a code of the device is taken at this socket, or it shares the socket and would let
                its port drift.
        """
        transport = self._opened()
        self._sit(device, local)
        self._begin(device, transport.udp_flow(platform, local), after_s)

    async def connect(self, device: Device, host: str, port: int, local: str = "") -> None:
        """Register over a connection of its own; after it ended, over a new one.

        Args:
            device: Of this fleet.
            host: Address of the platform.
            port: Its port.
            local: Address to connect from; empty: as the system chooses.

        Raises:
            OSError: If the platform takes no connection.
        """
        flow = await self._opened().connect(host, port, local)
        self._sit(device, flow)
        self._begin(device, flow, 0.0)

    def _opened(self) -> Transport:
        if self.transport is None:
            self.transport = Transport(self._endpoint, self._step, self._closed)
        return self.transport

    def _sit(self, device: Device, at: Place | Flow) -> None:
        drifts = bool(device.quirks.nat_port_drift) and not isinstance(at, Flow)
        if at in self._ways:
            self._ways[at].check(device, drifts=drifts)
        known = self._devices[device]
        if known is not None:
            self._leave(device, known)
        self._ways.setdefault(at, _Way()).add(device)
        self._devices[device] = at
        device.registration.before_keepalive = partial(self._drift, device) if drifts else None
        if isinstance(at, Flow) and device.quirks.tcp_partial_write:
            self._opened().write_in_pieces(at, self._chance)

    def _leave(self, device: Device, at: Place | Flow) -> None:
        way = self._ways.get(at)
        if way is not None:
            way.discard(device)
            if not way.devices:
                del self._ways[at]
        self._devices[device] = None

    def _begin(self, device: Device, flow: Flow, after_s: float) -> None:
        transport = self._opened()
        if after_s > 0:
            self._endpoint.timers.set(transport.now + after_s, partial(device.start, flow))
        else:
            device.start(flow, transport.now)
        transport.wake()

    async def stop(self) -> None:
        """End all registrations and close the sockets; the answers are waited for, but not long."""
        transport = self.transport
        if transport is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S + STOP_EACH_S * len(self._devices)):
                await self._all_leave(transport)
        await transport.close()
        self.transport = None

    async def _all_leave(self, transport: Transport) -> None:
        for device in self:
            if device.registration.state is RegistrationState.IDLE:
                continue
            self._leaving.add(device)
            device.stop(transport.now)
            self._tell(device)  # who waits for its next try has no registration to end
            transport.wake()
            await self._fewer_than(LEAVING)
        await self._fewer_than(1)

    async def _fewer_than(self, leaving: int) -> None:
        while len(self._leaving) >= leaving:
            self._left = asyncio.Event()
            await self._left.wait()

    # What happens

    def wake(self) -> None:
        """Send what devices were told to do, and report what became of it; call it after telling a device anything."""
        self._opened().wake()

    def _step(self, now: float) -> None:
        for event in self._endpoint.events():
            device = self._whose(event)
            if device is not None:
                device.handle(event, now)
                self._tell(device)
            elif isinstance(event, RequestReceived):
                self._endpoint.respond(event.transaction, 404, now)

    def _whose(self, event: Event) -> Device | None:
        """Return the device that an event is for."""
        match event:
            case RequestReceived():
                if event.dialog is not None:
                    return self._find(event.flow, (event.dialog.local.uri.user,))
                return self._find(event.flow, (event.request.uri.user, _to(event)))
            case Answer() | RequestFailed():
                # As our own endpoint wrote it: <sip:CODE@DOMAIN>;tag=...
                own = event.transaction.request.headers.get("From") or ""
                return self._find(event.transaction.flow, (own.partition("sip:")[2].partition("@")[0],))
            case CallCancelled():
                request = event.transaction.request
                return self._find(event.transaction.flow, (request.uri.user,))
            case MessageRejected() | PeerLimited():
                return None
            case _:
                return self._find(event.dialog.flow, (event.dialog.local.uri.user,))

    def _find(self, flow: Flow, codes: Iterable[str]) -> Device | None:
        way = self._ways.get(flow.local if flow.transport == "UDP" else flow)
        if way is None:
            return None
        for code in codes:
            device = way.find(code)
            if device is not None:
                return device
        return None

    def _tell(self, device: Device) -> None:
        for event in device.events():
            if isinstance(event, Unregistered) and device in self._leaving:
                self._leaving.discard(device)
                if self._left is not None:
                    self._left.set()
            self._told(device, event)

    def _drift(self, device: Device, number: int) -> None:
        """Let it leave by another port from every n-th keepalive on (``nat_port_drift``)."""
        at = self._devices[device]
        if isinstance(at, Flow) or at is None or self.transport is None:
            return
        if number % device.quirks.nat_port_drift == 0:
            self.transport.drift(at)

    def _closed(self, flow: Flow, now: float) -> None:
        self._step(now)  # what the end of the connection ended is still reported to who sat there
        way = self._ways.get(flow)
        for device in list(way.devices) if way else ():
            device.registration.flow_closed(flow, now)
            self._leave(device, flow)
            self._tell(device)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def _to(event: RequestReceived) -> str:
    try:
        return event.request.to.uri.user
    except SipError:
        return ""
