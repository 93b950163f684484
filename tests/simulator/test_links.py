"""Links of stations that have addresses of their own."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from simulator.engine.links import open_link
from stationgate.loops import loop_factory

SOURCE = "127.0.9.1"

pytestmark = pytest.mark.loopback


@pytest.fixture(params=["asyncio", "of the fleet"])
def factory(request: pytest.FixtureRequest) -> Callable[[], asyncio.AbstractEventLoop] | None:
    if request.param == "asyncio":
        return asyncio.new_event_loop
    if loop_factory() is None:
        pytest.skip("uvloop is not installed: pip install 'stationgate[fleet]'")
    return loop_factory()


class Seen(asyncio.Protocol):
    transport: asyncio.BaseTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport


def test_link_comes_from_its_address_and_delays_no_write(
    factory: Callable[[], asyncio.AbstractEventLoop] | None,
) -> None:
    async def connect() -> None:
        accepted: list[Seen] = []

        def accept() -> Seen:
            accepted.append(Seen())
            return accepted[-1]

        loop = asyncio.get_running_loop()
        server = await loop.create_server(accept, "127.0.0.1", 0)
        ours = Seen()
        port = server.sockets[0].getsockname()[1]
        await open_link(lambda: ours, "127.0.0.1", port, SOURCE)
        link = ours.transport.get_extra_info("socket")
        assert link.getsockname()[0] == SOURCE
        assert link.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        while not accepted:
            await asyncio.sleep(0)
        assert accepted[0].transport.get_extra_info("peername") == link.getsockname()
        ours.transport.close()
        server.close()
        await server.wait_closed()

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(asyncio.wait_for(connect(), 5.0))


def test_link_that_is_refused_leaves_nothing_open(factory: Callable[[], asyncio.AbstractEventLoop] | None) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        port = nobody.getsockname()[1]
        with asyncio.Runner(loop_factory=factory) as runner, pytest.raises(ConnectionRefusedError):
            runner.run(asyncio.wait_for(open_link(Seen, "127.0.0.1", port, SOURCE), 5.0))


def test_each_address_of_a_name_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name may have addresses at which nobody listens."""

    async def connect() -> str:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Seen, "127.0.9.3", 0)
        port = server.sockets[0].getsockname()[1]

        async def resolve(*_args: object, **_more: object) -> list[tuple[object, ...]]:
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.9.2", "127.0.9.3")]

        monkeypatch.setattr(loop, "getaddrinfo", resolve)
        ours = Seen()
        await open_link(lambda: ours, "platform.test", port, SOURCE)
        peer: str = ours.transport.get_extra_info("peername")[0]
        ours.transport.close()
        server.close()
        await server.wait_closed()
        return peer

    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        assert runner.run(asyncio.wait_for(connect(), 5.0)) == "127.0.9.3"
