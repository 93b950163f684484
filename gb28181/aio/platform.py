"""A platform on sockets: a port for UDP and TCP, the system's clock and chance."""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections.abc import Callable

from ..editions import GBT_28181_2016, Rules
from ..manscdp.body import Body
from ..platform import Platform, Policy, Question, QuestionDone
from ..platform.platform import PlatformReport
from ..platform.policy import Credential
from ..sip.endpoint import Endpoint
from ..sip.transactions import Flow
from .transport import Transport

__all__ = ["PlatformServer"]


class PlatformServer:
    """Serves devices.

    Args:
        server_id: Code of the platform.
        credentials: Returns what is known of a code; ``None`` for one that nobody told of.
        told: Called with each thing that happens.
        domain: SIP domain; empty: the first ten digits of the code.
        policy: What the operator decided.
        advertised: Address and port by which devices reach it, where that is not the bound one.
        user_agent: Told in requests and answers.
        fallback: The edition of a device that tells none.
    """

    def __init__(
        self,
        server_id: str,
        credentials: Callable[[str], Credential | None],
        told: Callable[[PlatformReport], None],
        *,
        domain: str = "",
        policy: Policy | None = None,
        advertised: tuple[str, int] | None = None,
        user_agent: str = "stationgate",
        fallback: Rules = GBT_28181_2016,
    ) -> None:
        self._told = told
        self.endpoint = Endpoint(random.SystemRandom(), advertised=advertised, user_agent=user_agent)
        self.platform = Platform(
            self.endpoint,
            server_id,
            credentials,
            nonce=lambda: secrets.token_hex(16),
            wall_ms=lambda: time.time_ns() // 1_000_000,
            domain=domain,
            policy=policy,
            fallback=fallback,
        )
        self.transport: Transport | None = None
        self._waiting: dict[Question, asyncio.Future[None]] = {}

    async def start(self, host: str, port: int) -> None:
        """Listen.

        Raises:
            OSError: If the port cannot be had.
        """
        self.transport = Transport(self.endpoint, self._step, self._closed)
        await self.transport.bind(host, port)

    @property
    def port(self) -> int:
        """The port that was bound."""
        return self.transport.port if self.transport else 0

    async def ask(self, device_id: str, body: Body) -> Question:
        """Ask a device and wait for what comes of it; it waits no longer than a question does.

        Raises:
            LocalProtocolError: If the device is not online, or its edition does not have the body.
            LimitError: If too many questions wait at it.
        """
        assert self.transport is not None
        question = self.platform.ask(device_id, body, self.transport.now)
        done = self._waiting[question] = asyncio.get_running_loop().create_future()
        self.transport.wake()
        try:
            await done
        finally:
            self._waiting.pop(question, None)
        return question

    async def stop(self) -> None:
        """Close every socket."""
        if self.transport is not None:
            await self.transport.close()

    def _step(self, now: float) -> None:
        self.platform.step(now)
        for event in self.platform.events():
            self._told(event)
            waiting = self._waiting.get(event.question) if isinstance(event, QuestionDone) else None
            if waiting is not None and not waiting.done():
                waiting.set_result(None)
        self.platform.step(now)

    def _closed(self, flow: Flow, now: float) -> None:
        self.platform.registrar.flow_closed(flow)
