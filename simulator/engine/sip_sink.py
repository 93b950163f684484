"""A GB/T 28181 platform for runs in memory: it registers every camera, answers it, and asks for its catalogue."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any, Final, cast

from gb28181.errors import Gb28181Error
from gb28181.manscdp.queries import CatalogQuery
from gb28181.platform import Credential, DeviceRegistered, Platform
from gb28181.platform.platform import PlatformReport
from gb28181.sip.endpoint import Endpoint, EndpointLimits
from gb28181.sip.transactions import Flow

from ..personalities.kinds import GB28181
from ..scenario import Scenario

__all__ = ["SipSink"]

#: The cameras of a shared socket are one peer to it, and all register at once where the scenario says so.
_LIMITS: Final = EndpointLimits(
    transactions=2_000_000, unanswered=1_000_000, requests_per_s=1_000_000.0, requests_at_once=1_000_000
)


class SipSink(asyncio.DatagramProtocol):
    """The platform, on the running loop.

    Args:
        scenario: Whose cameras it expects, each with its password.
        epoch: POSIX seconds at loop time ``base``.
        base: Loop time at the start of the run.
        told: Called with each thing that happens.

    Attributes:
        platform: What it knows of its cameras, their catalogues among it.
    """

    def __init__(
        self,
        scenario: Scenario,
        epoch: float,
        base: float,
        *,
        told: Callable[[PlatformReport], None] = lambda report: None,
    ) -> None:
        chance = random.Random(scenario.seed)
        cameras = (member for member in scenario.members() if member.group.protocol == GB28181)
        passwords = {member.identity: Credential(member.password) for member in cameras}
        self._loop = asyncio.get_running_loop()
        self._endpoint = Endpoint(chance, limits=_LIMITS)
        self.platform = Platform(
            self._endpoint,
            scenario.sip.id,
            passwords.get,
            nonce=lambda: f"{chance.getrandbits(128):032x}",
            wall_ms=lambda: round((epoch + self._loop.time() - base) * 1000),
            domain=scenario.sip.domain,
        )
        self._told = told
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: dict[Flow, asyncio.Transport] = {}
        self._numbers = count(1)
        self._local = ("", 0)
        self._alarm: asyncio.TimerHandle | None = None
        self._server: Any = None

    async def start(self, host: str) -> int:
        """Listen for datagrams and connections; return the port."""
        self._udp, _ = await self._loop.create_datagram_endpoint(lambda: self, local_addr=(host, 0))
        name = self._udp.get_extra_info("sockname")
        self._local = (name[0], name[1])
        self._server = await self._loop.create_server(lambda: _Link(self), host, self._local[1])
        return self._local[1]

    def close(self) -> None:
        """Listen no more."""
        if self._alarm is not None:
            self._alarm.cancel()
        if self._server is not None:
            self._server.close()
        if self._udp is not None:
            self._udp.close()

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self._endpoint.receive_datagram(data, Flow("UDP", (addr[0], addr[1]), self._local), self._loop.time())
        self._turn()

    def linked(self, transport: asyncio.Transport) -> Flow:
        peer = transport.get_extra_info("peername")
        flow = Flow("TCP", (peer[0], peer[1]), self._local, next(self._numbers))
        self._tcp[flow] = transport
        return flow

    def stream_received(self, data: bytes, flow: Flow) -> None:
        self._endpoint.receive_stream(data, flow, self._loop.time())
        self._turn()

    def unlinked(self, flow: Flow) -> None:
        self._tcp.pop(flow, None)
        self._endpoint.flow_closed(flow, self._loop.time())
        self.platform.registrar.flow_closed(flow)
        self._turn()

    def _ring(self) -> None:
        self._alarm = None
        self._endpoint.handle_timeout(self._loop.time())
        self._turn()

    def _turn(self) -> None:
        now = self._loop.time()
        self.platform.step(now)
        for event in self.platform.events():
            self._told(event)
            if isinstance(event, DeviceRegistered) and not event.refresh:
                self._ask(event.device_id, now)
        for flow, data in self._endpoint.data_to_send():
            if flow.transport == "UDP" and self._udp is not None:
                self._udp.sendto(data, flow.peer)
            elif flow in self._tcp:
                self._tcp[flow].write(data)
        when = self._endpoint.next_timeout()
        if self._alarm is not None and (when is None or self._alarm.when() != when):
            self._alarm.cancel()
            self._alarm = None
        if when is not None and self._alarm is None:
            self._alarm = self._loop.call_at(when, self._ring)

    def _ask(self, device_id: str, now: float) -> None:
        with suppress(Gb28181Error):  # it is gone already, or has enough to answer
            self.platform.ask(device_id, CatalogQuery(device_id=device_id), now)


class _Link(asyncio.Protocol):
    """A camera's connection."""

    def __init__(self, owner: SipSink) -> None:
        self._owner = owner
        self._flow: Flow | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._flow = self._owner.linked(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        if self._flow is not None:
            self._owner.stream_received(data, self._flow)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._flow is not None:
            self._owner.unlinked(self._flow)
