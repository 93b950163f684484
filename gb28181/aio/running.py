"""A platform or a device in a few lines: it runs as long as the block does."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ..device import Account, DeviceEvent, Equipment, Registered, RegistrationFailed
from ..editions import GBT_28181_2022, Rules
from ..errors import RemoteProtocolError
from ..platform.platform import PlatformReport
from ..platform.policy import Credential, Policy
from .device import DeviceClient
from .platform import PlatformServer

__all__ = ["register", "serve"]


@asynccontextmanager
async def serve(
    server_id: str,
    password: str = "",
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    told: Callable[[PlatformReport], None] = lambda event: None,
) -> AsyncIterator[PlatformServer]:
    """Run a platform that admits every device with one password.

    Args:
        server_id: Its code.
        password: Of every device; empty: none is asked for.
        host: Address to listen on, over UDP and TCP.
        port: Port to listen on; 0: a free one, which the server's ``port`` tells.
        told: Called with each thing that happens.

    Raises:
        OSError: If the port cannot be had.
    """
    server = PlatformServer(server_id, lambda code: Credential(password), told, policy=Policy(challenge=bool(password)))
    await server.start(host, port)
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def register(
    device_id: str,
    server_id: str,
    password: str = "",
    *,
    host: str = "127.0.0.1",
    port: int = 5060,
    tcp: bool = False,
    local: str = "",
    rules: Rules = GBT_28181_2022,
    equipment: Equipment | None = None,
    told: Callable[[DeviceEvent], None] = lambda event: None,
) -> AsyncIterator[DeviceClient]:
    """Run a device; the block begins when it is registered, and the registration ends with the block.

    Args:
        device_id: Its code.
        server_id: Code of the platform.
        password: Of the registration.
        host: Address of the platform.
        port: Port of the platform.
        tcp: Whether over a connection.
        local: Address to send from; empty: the one by which the platform is reached.
        rules: Its edition.
        equipment: What it is made of; by default a camera without channels.
        told: Called with each thing that happens.

    Raises:
        OSError: If no socket can be had, or the platform takes no connection.
        RemoteProtocolError: If the platform refuses the registration, or does not answer it in time.
    """
    begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def tell(event: DeviceEvent) -> None:
        told(event)
        if begun.done():
            return
        if isinstance(event, Registered):
            begun.set_result(None)
        elif isinstance(event, RegistrationFailed):
            begun.set_exception(_refused(event))

    account = Account.of(rules, device_id, server_id, password)
    client = DeviceClient(account, rules, equipment or Equipment(id=device_id), tell)
    await client.start(host, port, tcp=tcp, local=local or await _towards(host, port))
    try:
        await begun
        yield client
    finally:
        await client.stop()


async def _towards(host: str, port: int) -> str:
    """Return the address of this machine that the system would use; nothing is sent."""
    loop = asyncio.get_running_loop()
    family, kind, _number, _name, place = (await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM))[0]
    with socket.socket(family, kind) as probe:
        probe.connect(place)
        return str(probe.getsockname()[0])


def _refused(event: RegistrationFailed) -> RemoteProtocolError:
    found = event.reason if event.status is None else f"{event.status} {event.reason}"
    return RemoteProtocolError(f"REGISTER: expected 200, found {found}", status=event.status)
