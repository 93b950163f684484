"""Keeping messages without holding up the loop: what arrives while one commit runs goes into the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from .store import Arrival, Fate, MessageStore

__all__ = ["Keeper"]

#: Bytes of segments that may wait for a commit. Above it the links are not read, so that the stations wait.
MAX_WAITING_BYTES: Final = 16 << 20
#: Messages of one transaction: a reader of the file sees them a second later at most.
MAX_BATCH: Final = 5_000
#: After a commit that failed: the disk may have room again.
RETRY_S: Final = 1.0


class Keeper:
    """Writes a store from a loop.

    Args:
        store: The file; this object alone writes it.
        on_kept: Called with messages and what became of each, after they are on the disk.
        on_trouble: Called with the error when a commit fails for the first time, with ``None`` when one works again.
            What was not kept is tried again every :data:`RETRY_S`.
    """

    def __init__(
        self,
        store: MessageStore,
        on_kept: Callable[[Sequence[Arrival], Sequence[Fate]], None],
        on_trouble: Callable[[BaseException | None], None],
    ) -> None:
        self._store = store
        self._on_kept = on_kept
        self._on_trouble = on_trouble
        self._waiting: list[Arrival] = []
        self._bytes = 0
        self._batch: list[Arrival] = []
        self._batch_bytes = 0
        self._failing = False
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._thread = ThreadPoolExecutor(1, "keeper")
        self._handle: asyncio.Handle | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def full(self) -> bool:
        """Whether as much waits as may wait: read no more before :attr:`relaxed`."""
        return self._bytes > MAX_WAITING_BYTES

    @property
    def relaxed(self) -> bool:
        """Whether what waits is below half of what may."""
        return self._bytes <= MAX_WAITING_BYTES // 2

    def put(self, arrival: Arrival) -> None:
        """Have a message kept with the next commit."""
        self._waiting.append(arrival)
        self._bytes += len(bytes(arrival.message))
        self._idle.clear()
        if self._handle is None and not self._batch:
            # At the end of this turn of the loop: every link that has something to read brings it in first.
            self._handle = self._loop.call_soon(self._begin)

    async def close(self, grace_s: float) -> int:
        """Keep what waits, for ``grace_s`` at most, and end; return how many messages could not be kept."""
        with suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._idle.wait()
        self._closed = True
        if self._handle:
            self._handle.cancel()
        lost = len(self._waiting) + len(self._batch)
        await self._loop.run_in_executor(None, self._thread.shutdown)
        return lost

    def _begin(self) -> None:
        self._handle = None
        if not self._batch:
            self._batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        if not self._batch:
            self._idle.set()
            return
        work = self._loop.run_in_executor(self._thread, self._store.add, self._batch)
        work.add_done_callback(self._done)

    def _done(self, work: asyncio.Future[list[Fate]]) -> None:
        if self._closed or work.cancelled():
            return
        error = work.exception()
        if error:
            if not self._failing:
                self._failing = True
                self._on_trouble(error)
            self._handle = self._loop.call_later(RETRY_S, self._begin)
            return
        if self._failing:
            self._failing = False
            self._on_trouble(None)
        batch, self._batch = self._batch, []
        self._bytes -= sum(len(bytes(arrival.message)) for arrival in batch)
        self._on_kept(batch, work.result())
        self._begin()
