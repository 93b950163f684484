"""Real and virtual time for the same code.

Everything above this module asks the running loop for the time and for connections. On :class:`VirtualLoop` time
stands still while anything is under way and jumps to the next timer when nothing is, so that a day of fifteen-minute
reports passes in a second, over real loopback sockets or over memory, and always in the same order.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

from .transport import LoopbackNetwork, MemoryNetwork

__all__ = ["EPOCH", "STALL_REAL_S", "ClockStalledError", "VirtualLoop", "run_virtual", "wall_epoch"]

T = TypeVar("T")

#: Where virtual time begins, POSIX seconds: 2025-09-15 09:59:30, UTC+8.
EPOCH: Final = 1757901570.0
#: How long bytes may stay under way, in real seconds, before the run is given up: loopback takes microseconds.
STALL_REAL_S: Final = 20.0


class ClockStalledError(RuntimeError):
    """Virtual time cannot go on: bytes were written that nobody reads, or nothing is left that could happen."""


class _JumpingSelector(selectors.BaseSelector):
    """The platform's selector, except that waiting for a timer moves the clock instead of the hands."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = self._real.select(0)
        if events or (timeout is not None and timeout <= 0):
            return events
        if timeout is not None and self._loop.network.quiet:
            self._loop.advance(timeout)
            return []
        events = self._real.select(STALL_REAL_S)
        if not events:
            raise ClockStalledError(
                f"nothing moved for {STALL_REAL_S:g} s of real time; under way: {self._loop.network.describe()}"
            )
        return events

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Any:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps.

    Args:
        network: What ``create_server``, ``create_connection`` and, in memory, ``create_datagram_endpoint`` stand on.
            Time does not move while it is not quiet.
    """

    def __init__(self, network: LoopbackNetwork | MemoryNetwork) -> None:
        self._virtual_now = 0.0
        self.network = network
        super().__init__(_JumpingSelector(self))
        self.advance(0.0)

    def time(self) -> float:
        return self._virtual_now

    def advance(self, seconds: float) -> None:
        """Move the clock; only the selector does, when nothing is under way."""
        self._virtual_now += seconds
        # A timer is due at its very instant: asyncio compares with "now plus the clock's resolution", and after some
        # months the resolution of the system's clock is less than one step of a float.
        self._clock_resolution = math.ulp(self._virtual_now)

    async def create_server(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        if isinstance(self.network, MemoryNetwork):
            return self.network.create_server(protocol_factory, host, port)
        return await super().create_server(self.network.accepting(protocol_factory), host, port, **kwargs)

    async def create_connection(self, protocol_factory: Any, host: Any = None, port: Any = None, **kwargs: Any) -> Any:
        if isinstance(self.network, MemoryNetwork):
            return self.network.create_connection(protocol_factory, host, port)
        with self.network.connecting():
            _transport, protocol = await super().create_connection(
                self.network.metered(protocol_factory), host, port, **kwargs
            )
        return protocol.transport, protocol.inner

    async def create_datagram_endpoint(
        self, protocol_factory: Any, local_addr: Any = None, remote_addr: Any = None, **kwargs: Any
    ) -> Any:
        if isinstance(self.network, MemoryNetwork) and remote_addr is None:
            return self.network.create_datagram_endpoint(protocol_factory, local_addr or ("127.0.0.1", 0))
        # The system may drop a datagram and tell nobody: time that waits for it would stand still for ever.
        raise NotImplementedError("virtual time has datagrams in a memory network only, from a port to any other")


def wall_epoch(loop: asyncio.AbstractEventLoop) -> float:
    """Return what to add to ``loop.time()`` to get POSIX seconds on that loop's clock."""
    return EPOCH if isinstance(loop, VirtualLoop) else time.time() - loop.time()


def run_virtual(main: Callable[[], Coroutine[Any, Any, T]], network: LoopbackNetwork | MemoryNetwork) -> T:
    """Run ``main()`` to its end on a virtual clock that starts at :data:`EPOCH`."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(network)) as runner:
        return runner.run(main())
