"""One device on sockets of its own; for many see :mod:`gb28181.aio.fleet`."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from ..device import Account, DeviceEvent, Equipment, Quirks, Registered, Unregistered
from ..device.calls import Call, Place
from ..device.device import Device
from ..editions import Rules
from ..sip.endpoint import Endpoint
from ..sip.transactions import Flow
from .transport import Transport

__all__ = ["STOP_S", "DeviceClient"]

#: How long the answer to the last REGISTER is waited for.
STOP_S: Final = 2.0


class DeviceClient:
    """Keeps a device registered over UDP or TCP.

    Args:
        account: Who it is, and at which platform.
        rules: Its edition.
        equipment: What it is made of.
        told: Called with each thing that happens.
        quirks: What it does otherwise.
        place: Address and port of a call's media.
        chance: Source of tags and pauses, and of the places where ``tcp_partial_write`` cuts; by default the system's.
    """

    def __init__(
        self,
        account: Account,
        rules: Rules,
        equipment: Equipment,
        told: Callable[[DeviceEvent], None] = lambda event: None,
        *,
        quirks: Quirks | None = None,
        place: Callable[[Call], Place | None] | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self._told = told
        self.registered: Registered | None = None  #: the last acceptance, ``None`` before the first
        self._chance = chance or random.SystemRandom()
        self._endpoint = Endpoint(self._chance, user_agent=account.user_agent)
        self.device = Device(
            self._endpoint,
            account,
            rules,
            equipment,
            chance=self._chance,
            wall_ms=lambda: time.time_ns() // 1_000_000,
            quirks=quirks,
            place=place,
        )
        if self.device.quirks.nat_port_drift:
            self.device.registration.before_keepalive = self._drift
        self.transport: Transport | None = None
        self._over: asyncio.Future[None] | None = None

    async def start(self, host: str, port: int, *, tcp: bool = False, local: str = "0.0.0.0") -> None:
        """Register at a platform.

        Args:
            host: Address of the platform.
            port: Its port.
            tcp: Whether over a connection.
            local: Address to send from; platforms that tell devices by address want one for each.

        Raises:
            OSError: If no socket can be had, or the platform takes no connection.
        """
        self.transport = Transport(self._endpoint, self._step, self._closed)
        if tcp:
            flow = await self.transport.connect(host, port, "" if local == "0.0.0.0" else local)
            if self.device.quirks.tcp_partial_write:
                self.transport.write_in_pieces(flow, self._chance)
        else:
            await self.transport.bind(local, 0, tcp=False)
            flow = self.transport.udp_flow(await self.transport.resolve(host, port))
        self.device.start(flow, self.transport.now)
        self.transport.wake()

    async def stop(self) -> None:
        """End the registration and close the sockets; the platform's answer is waited for, but not long."""
        if self.transport is None:
            return
        self._over = asyncio.get_running_loop().create_future()
        self.device.stop(self.transport.now)
        self.transport.wake()
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await self._over
        await self.transport.close()

    def _step(self, now: float) -> None:
        self.device.step(now)
        for event in self.device.events():
            if isinstance(event, Registered):
                self.registered = event
            self._told(event)
            if isinstance(event, Unregistered) and self._over is not None and not self._over.done():
                self._over.set_result(None)

    def _drift(self, number: int) -> None:
        """Leave by another port from every n-th keepalive on (``nat_port_drift``); a connection has none to change."""
        route = self.device.registration.route
        if number % self.device.quirks.nat_port_drift or self.transport is None or route is None:
            return
        if not route.flow.reliable:
            self.transport.drift(route.flow.local)

    def _closed(self, flow: Flow, now: float) -> None:
        self.device.registration.flow_closed(flow, now)
