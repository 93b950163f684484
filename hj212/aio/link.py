"""One transport driven by one core: bytes, time and the end go in, what the core wants written goes out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, Protocol, cast

__all__ = ["WRITE_HIGH_WATER", "Core", "Link"]

#: Bytes the operating system's buffers may lag behind before the link pauses reading: a peer that does not read
#: its answers gets no more of them.
WRITE_HIGH_WATER: Final = 64 * 1024


class Core(Protocol):
    """What :class:`Link` drives: :class:`hj212.Connection`, or something built around one."""

    def receive_data(self, data: bytes, now: float) -> None: ...
    def receive_eof(self, now: float) -> None: ...
    def data_to_send(self) -> bytes: ...
    def next_timeout(self) -> float | None: ...
    def handle_timeout(self, now: float) -> None: ...


class Link(asyncio.Protocol):
    """Feeds a core from a transport: bytes, time and the end; writes what the core wants written.

    Args:
        core: The state machine. Its ``now`` is ``loop.time()``.
        on_change: Called after each step with the link; reads the core's events and may make it send.
        on_open: Called when the transport is there.
        on_close: Called once when the transport is gone.
    """

    def __init__(
        self,
        core: Core,
        *,
        on_change: Callable[[Link], None] | None = None,
        on_open: Callable[[Link], None] | None = None,
        on_close: Callable[[Link], None] | None = None,
    ) -> None:
        self.core = core
        self.transport: asyncio.Transport | None = None
        self._on_change = on_change
        self._on_open = on_open
        self._on_close = on_close
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0  # uvloop gives a handle that does not tell where the instant has come already
        self._held: set[str] = set()
        self._loop = asyncio.get_running_loop()

    @property
    def now(self) -> float:
        """The clock the core is driven by."""
        return self._loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self.transport.set_write_buffer_limits(WRITE_HIGH_WATER)
        if self._held:
            self.transport.pause_reading()
        if self._on_open:
            self._on_open(self)
        self.flush()

    def data_received(self, data: bytes) -> None:
        self.core.receive_data(data, self.now)
        self.flush()

    def eof_received(self) -> bool:
        self.core.receive_eof(self.now)
        self.flush()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer:
            self._timer.cancel()
            self._timer = None
        self.transport = None
        self.core.receive_eof(self.now)
        if self._on_change:
            self._on_change(self)
        if self._on_close:
            self._on_close(self)

    def pause_writing(self) -> None:
        self.hold("peer does not read")

    def resume_writing(self) -> None:
        self.release("peer does not read")

    def hold(self, reason: str) -> None:
        """Read no more until every reason to hold is released: the peer then waits, and nothing is lost."""
        if not self._held and self.transport:
            self.transport.pause_reading()
        self._held.add(reason)

    def release(self, reason: str) -> None:
        """Take back :meth:`hold`."""
        if reason in self._held:
            self._held.discard(reason)
            if not self._held and self.transport and not self.transport.is_closing():
                self.transport.resume_reading()

    def flush(self) -> None:
        """Let the events be read, write what waits, set the next alarm. Call it after making the core send."""
        if self._on_change:
            self._on_change(self)
        if self.write_out():
            self._rearm()

    def write_out(self) -> bool:
        """Write what waits, for a caller that made the core answer and awaits nothing; say whether the link is open."""
        transport = self.transport
        if transport is None or transport.is_closing():
            return False
        data = self.core.data_to_send()
        if data:
            transport.write(data)
        return True

    def close(self) -> None:
        """Close the link; what was written still goes out."""
        if self.transport:
            self.transport.close()

    def _rearm(self) -> None:
        when = self.core.next_timeout()
        if self._timer:
            if when is not None and self._timer_at == when:
                return
            self._timer.cancel()
            self._timer = None
        if when is not None:
            self._timer = self._loop.call_at(when, self._alarm)
            self._timer_at = when

    def _alarm(self) -> None:
        self._timer = None
        self.core.handle_timeout(self.now)
        self.flush()
