"""Virtual time: it jumps when nothing happens, stands still while something is under way, and says when it is stuck."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator import clock
from simulator.clock import EPOCH, ClockStalledError, VirtualLoop, run_virtual, wall_epoch
from simulator.transport import LoopbackNetwork, MemoryNetwork

HOST = "127.0.0.1"
NETWORKS = [
    pytest.param(MemoryNetwork, id="memory"),
    pytest.param(LoopbackNetwork, id="loopback", marks=pytest.mark.loopback),
]
both_networks = pytest.mark.parametrize("network", NETWORKS)

pytestmark = pytest.mark.usefixtures("nothing_left_open")


class End(asyncio.Protocol):
    """One end of a connection: writes down what it sees, and when."""

    def __init__(self) -> None:
        self.transport: asyncio.Transport
        self.received = b""
        self.written = b""
        self.arrivals: dict[float, bytes] = {}
        self.facts: list[tuple[float, str]] = []
        self.gone = asyncio.Event()

    def _note(self, fact: str) -> None:
        self.facts.append((asyncio.get_running_loop().time(), fact))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._note("made")

    def data_received(self, data: bytes) -> None:
        now = asyncio.get_running_loop().time()
        self.received += data
        self.arrivals[now] = self.arrivals.get(now, b"") + data

    def eof_received(self) -> None:
        self._note("eof")

    def connection_lost(self, exc: Exception | None) -> None:
        self._note("lost")
        self.gone.set()

    def write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self.written += data
            self.transport.write(data)


async def connect() -> tuple[End, End, Any]:
    """Return two connected ends, the one that connected first, and the server between them."""
    loop = asyncio.get_running_loop()
    accepted: list[End] = []

    def accept() -> End:
        accepted.append(End())
        return accepted[-1]

    server = await loop.create_server(accept, HOST, 0)
    _, client = await loop.create_connection(End, HOST, server.sockets[0].getsockname()[1])
    await asyncio.sleep(0.001)
    assert [fact for _, fact in accepted[0].facts] == ["made"]
    return client, accepted[0], server


@contextmanager
def on_advance(check: Callable[[], None]) -> Iterator[None]:
    """Call ``check`` each time before the clock moves."""
    move = VirtualLoop.advance

    def advance(loop: VirtualLoop, seconds: float) -> None:
        check()
        move(loop, seconds)

    with mock.patch.object(VirtualLoop, "advance", advance):
        yield


class TestJumps:
    @both_networks
    def test_a_year_of_sleep_takes_no_time(self, network: type) -> None:
        async def sleep() -> float:
            for _ in range(365):
                await asyncio.sleep(86_400)
            return asyncio.get_running_loop().time()

        begin = perf_counter()
        assert run_virtual(sleep, network()) == 365 * 86_400
        assert perf_counter() - begin < 5

    @settings(deadline=None)
    @given(delays=st.lists(st.integers(0, 10_000), max_size=30))
    def test_timers_fire_in_their_order_at_their_instant(self, delays: list[int]) -> None:
        fired: list[tuple[float, int]] = []

        async def one(delay: int) -> None:
            await asyncio.sleep(delay / 8)
            fired.append((asyncio.get_running_loop().time(), delay))

        async def main() -> None:
            await asyncio.gather(*map(one, delays))

        run_virtual(main, MemoryNetwork())
        assert fired == [(delay / 8, delay) for delay in sorted(delays)]

    def test_work_takes_no_virtual_time(self) -> None:
        async def work() -> float:
            for _ in range(1000):
                await asyncio.sleep(0)
            return asyncio.get_running_loop().time()

        assert run_virtual(work, MemoryNetwork()) == 0

    def test_timeouts_are_virtual(self) -> None:
        async def main() -> float:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(3600):
                    await asyncio.Event().wait()
            return asyncio.get_running_loop().time()

        assert run_virtual(main, MemoryNetwork()) == 3600

    def test_epoch(self) -> None:
        async def epoch() -> float:
            return wall_epoch(asyncio.get_running_loop())

        assert run_virtual(epoch, MemoryNetwork()) == EPOCH
        assert asyncio.run(epoch()) > EPOCH

    def test_error_of_the_program_comes_out(self) -> None:
        async def fail() -> None:
            await asyncio.sleep(5)
            raise LookupError("mine")

        with pytest.raises(LookupError, match="mine"):
            run_virtual(fail, MemoryNetwork())


STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["client", "server"]), st.integers(1, 300_000) | st.integers(1, 200)),
        st.tuples(st.just("sleep"), st.sampled_from([0.0, 0.001, 1.0, 900.0])),
    ),
    max_size=12,
)
ENDING = st.sampled_from([None, ("client", "close"), ("server", "close"), ("client", "abort"), ("server", "abort")])


async def converse(steps: list[tuple[str, Any]], ending: tuple[str, str] | None, ends: dict[str, End]) -> None:
    """Let both ends write and wait, then end the connection one way or another."""
    client, accepted, server = await connect()
    ends |= {"client": client, "server": accepted}
    for number, (who, what) in enumerate(steps):
        if who == "sleep":
            await asyncio.sleep(what)
        else:
            ends[who].write(bytes([number]) * what)
    if ending:
        await asyncio.sleep(1)
        getattr(ends[ending[0]].transport, ending[1])()
        await client.gone.wait()
        await accepted.gone.wait()
    else:
        await asyncio.sleep(1)
        client.transport.close()
        await accepted.gone.wait()
    server.close()
    await asyncio.sleep(1)


@pytest.mark.loopback
class TestStandsStill:
    @settings(max_examples=100, deadline=None)
    @given(steps=STEPS, ending=ENDING)
    def test_every_byte_has_arrived_when_time_moves(
        self, steps: list[tuple[str, Any]], ending: tuple[str, str] | None
    ) -> None:
        ends: dict[str, End] = {}

        def check() -> None:
            if ends:
                assert ends["server"].received == ends["client"].written
                assert ends["client"].received == ends["server"].written

        with on_advance(check):
            run_virtual(lambda: converse(steps, ending, ends), LoopbackNetwork())
        check()

    @settings(max_examples=50, deadline=None)
    @given(count=st.integers(1, 30), closes=st.sampled_from(["close", "abort"]), at_once=st.booleans())
    def test_every_connection_is_accepted_and_every_close_seen_when_time_moves(
        self, count: int, closes: str, at_once: bool
    ) -> None:
        accepted: list[End] = []
        clients: list[End] = []
        closed = 0

        def check() -> None:
            assert len(accepted) == len(clients)
            assert sum(end.gone.is_set() for end in accepted) == closed

        def accept() -> End:
            accepted.append(End())
            return accepted[-1]

        async def one(port: int) -> None:
            nonlocal closed
            _, client = await asyncio.get_running_loop().create_connection(End, HOST, port)
            clients.append(client)
            if not at_once:
                await asyncio.sleep(1)
            getattr(client.transport, closes)()
            closed += 1

        async def main() -> None:
            server = await asyncio.get_running_loop().create_server(accept, HOST, 0)
            await asyncio.gather(*(one(server.sockets[0].getsockname()[1]) for _ in range(count)))
            await asyncio.sleep(1)
            server.close()

        with on_advance(check):
            run_virtual(main, LoopbackNetwork())
        assert closed == count

    def test_network_says_what_is_under_way(self) -> None:
        async def main() -> None:
            loop = asyncio.get_running_loop()
            assert isinstance(loop, VirtualLoop)
            client, accepted, server = await connect()
            assert loop.network.quiet
            client.write(b"x" * 77)
            assert not loop.network.quiet
            assert loop.network.describe() == "77 bytes unread on 1 connections, 0 connecting"
            await asyncio.sleep(1)
            assert loop.network.quiet
            client.transport.close()
            assert not loop.network.quiet
            await asyncio.sleep(1)
            assert loop.network.quiet
            assert accepted.gone.is_set()
            assert loop.network.describe() == "0 bytes unread on 0 connections, 0 connecting"
            server.close()

        run_virtual(main, LoopbackNetwork())

    def test_what_is_written_after_the_end_is_not_waited_for(self) -> None:
        async def main() -> float:
            client, accepted, server = await connect()
            client.transport.close()
            client.transport.write(b"too late")
            accepted.transport.write(b"nobody reads this")
            await asyncio.sleep(5)
            server.close()
            assert accepted.received == b""
            return asyncio.get_running_loop().time()

        assert run_virtual(main, LoopbackNetwork()) == pytest.approx(5.001)

    def test_half_closed_connection_does_not_stop_the_clock(self) -> None:
        class Open(End):
            def eof_received(self) -> bool:  # type: ignore[override]
                super().eof_received()
                return True

        async def main() -> None:
            loop = asyncio.get_running_loop()
            accepted: list[Open] = []

            def accept() -> Open:
                accepted.append(Open())
                return accepted[-1]

            server = await loop.create_server(accept, HOST, 0)
            _, client = await loop.create_connection(End, HOST, server.sockets[0].getsockname()[1])
            await asyncio.sleep(1)
            assert client.transport.can_write_eof()
            client.transport.write_eof()
            await asyncio.sleep(1)
            assert accepted[0].facts[-1] == (1, "eof")
            accepted[0].write(b"still here")
            await asyncio.sleep(1)
            assert client.received == b"still here"
            accepted[0].transport.close()
            await asyncio.sleep(1)
            assert client.gone.is_set()
            server.close()

        run_virtual(main, LoopbackNetwork())


class TestStalls:
    @pytest.fixture(autouse=True)
    def impatient(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(clock, "STALL_REAL_S", 0.05)

    @pytest.mark.loopback
    def test_bytes_that_nobody_reads(self) -> None:
        async def main() -> None:
            client, accepted, server = await connect()
            try:
                accepted.transport.pause_reading()
                assert not accepted.transport.is_reading()
                client.write(b"x" * 10)
                await asyncio.sleep(1)
            finally:
                client.transport.abort()
                accepted.transport.abort()
                server.close()

        text = r"nothing moved for 0\.05 s of real time; under way: 10 bytes unread on 1 connections, 0 connecting"
        with pytest.raises(ClockStalledError, match=f"^{text}$"):
            run_virtual(main, LoopbackNetwork())

    @pytest.mark.loopback
    def test_a_close_that_nobody_sees(self) -> None:
        async def main() -> None:
            client, accepted, server = await connect()
            try:
                accepted.transport.pause_reading()
                client.transport.close()
                await asyncio.sleep(1)
            finally:
                accepted.transport.abort()
                server.close()

        with pytest.raises(ClockStalledError, match="1 connections"):
            run_virtual(main, LoopbackNetwork())

    @both_networks
    def test_nothing_left_that_could_happen(self, network: type) -> None:
        async def main() -> None:
            await asyncio.sleep(5)
            await asyncio.Event().wait()

        with pytest.raises(ClockStalledError, match=r"nothing moved for 0\.05 s"):
            run_virtual(main, network())

    @pytest.mark.loopback
    def test_reading_again_lets_time_go_on(self) -> None:
        async def main() -> float:
            client, accepted, server = await connect()
            accepted.transport.pause_reading()
            client.write(b"x" * 10)
            asyncio.get_running_loop().call_soon(accepted.transport.resume_reading)
            await asyncio.sleep(1)
            client.transport.close()
            await accepted.gone.wait()
            server.close()
            return asyncio.get_running_loop().time()

        assert run_virtual(main, LoopbackNetwork()) == pytest.approx(1.001)


@both_networks
class TestBothNetworks:
    def test_close_lets_out_what_was_written(self, network: type) -> None:
        async def main() -> None:
            client, accepted, server = await connect()
            client.write(b"last words" * 1000)
            client.transport.close()
            await accepted.gone.wait()
            await client.gone.wait()
            assert accepted.received == b"last words" * 1000
            assert accepted.facts[1:] == [(0.001, "eof"), (0.001, "lost")]
            assert client.facts[1:] == [(0.001, "lost")]
            server.close()

        run_virtual(main, network())

    def test_one_that_closed_hears_no_more(self, network: type) -> None:
        async def main() -> None:
            client, accepted, server = await connect()
            accepted.write(b"too late")
            client.transport.close()
            client.transport.close()
            await accepted.gone.wait()
            await asyncio.sleep(1)
            assert client.received == b""
            assert client.transport.is_closing()
            assert [fact for _, fact in client.facts] == ["made", "lost"]
            server.close()

        run_virtual(main, network())

    def test_both_close_at_once(self, network: type) -> None:
        async def main() -> None:
            client, accepted, server = await connect()
            client.transport.close()
            accepted.transport.close()
            await asyncio.sleep(1)
            for end in (client, accepted):
                assert [fact for _, fact in end.facts] == ["made", "lost"]
            server.close()

        run_virtual(main, network())

    def test_nobody_listens(self, network: type) -> None:
        async def main() -> None:
            loop = asyncio.get_running_loop()
            server = await loop.create_server(End, HOST, 0)
            port = server.sockets[0].getsockname()[1]
            server.close()
            await server.wait_closed()
            with pytest.raises(ConnectionRefusedError):
                await loop.create_connection(End, HOST, port)
            await asyncio.sleep(1)
            assert loop.time() == 1

        run_virtual(main, network())

    def test_port_in_use(self, network: type) -> None:
        async def main() -> None:
            loop = asyncio.get_running_loop()
            server = await loop.create_server(End, HOST, 0)
            with pytest.raises(OSError, match="in use"):
                await loop.create_server(End, HOST, server.sockets[0].getsockname()[1])
            server.close()

        run_virtual(main, network())

    def test_addresses_mirror_each_other(self, network: type) -> None:
        async def main() -> None:
            client, accepted, server = await connect()
            for a, b in ((client, accepted), (accepted, client)):
                assert a.transport.get_extra_info("sockname") == b.transport.get_extra_info("peername")
            assert client.transport.get_extra_info("peername") == server.sockets[0].getsockname()
            assert client.transport.get_extra_info("nothing", 7) == 7
            client.transport.abort()
            await accepted.gone.wait()
            server.close()

        run_virtual(main, network())


@pytest.mark.loopback
@settings(max_examples=60, deadline=None)
@given(steps=STEPS, ending=ENDING)
def test_both_networks_show_the_same(steps: list[tuple[str, Any]], ending: tuple[str, str] | None) -> None:
    """What arrives at either end, at which instant, and how the connection ends."""
    seen = []
    for network in (MemoryNetwork(), LoopbackNetwork()):
        ends: dict[str, End] = {}
        run_virtual(lambda ends=ends: converse(steps, ending, ends), network)
        seen.append({name: (end.arrivals, end.facts) for name, end in ends.items()})
    assert seen[0] == seen[1]


@pytest.mark.loopback
def test_socket_buffers_may_be_watched_and_set() -> None:
    async def main() -> None:
        client, accepted, server = await connect()
        client.transport.set_write_buffer_limits(100)
        assert client.transport.get_write_buffer_size() == 0
        client.transport.writelines([b"a", b"b"])
        await asyncio.sleep(1)
        assert accepted.received == b"ab"
        client.transport.close()
        await accepted.gone.wait()
        server.close()

    run_virtual(main, LoopbackNetwork())


@pytest.mark.loopback
def test_back_pressure_is_passed_on() -> None:
    paused: list[str] = []

    class Slow(End):
        def pause_writing(self) -> None:
            paused.append("pause")

        def resume_writing(self) -> None:
            paused.append("resume")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(End, HOST, 0)
        _, client = await loop.create_connection(Slow, HOST, server.sockets[0].getsockname()[1])
        client.write(b"x" * 20_000_000)
        await asyncio.sleep(1)
        client.transport.close()
        await asyncio.sleep(1)
        server.close()

    run_virtual(main, LoopbackNetwork())
    assert paused == ["pause", "resume"]
