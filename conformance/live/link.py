"""One connection of some device: bytes to the record and to whoever reads them, frames back.

Where a run relays to the official platform, a link passes everything on, both ways and unchanged.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..evidence import Heard, LinkReader, Stray
from .relay import Relay

if TYPE_CHECKING:
    from .bench import Bench

__all__ = ["Link"]


class Link(asyncio.Protocol):
    """One connection of some device."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.number = bench.counts["links"] + 1
        self.mn = ""
        self.peer = ""
        self.bytes_in = 0
        self.last_heard = bench.now
        self._reader = LinkReader(self.number, bench.limits.frame_stall_s)
        self._transport: asyncio.Transport | None = None
        self._relay: Relay | None = None
        self._stall: asyncio.TimerHandle | None = None
        self._unreadable = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self.number = self.bench.counts["links"] + 1
        self._reader.link = self.number
        peer = transport.get_extra_info("peername")
        self.peer = f"{peer[0]}:{peer[1]}" if peer else ""
        if not self.bench.opened(self):
            transport.abort()
            self._transport = None
        elif self.bench.mode.forward:
            self._relay = Relay(self, transport)
            self._relay.open(self.bench.mode.forward)

    def data_received(self, data: bytes) -> None:
        if self._relay:
            self._relay.pass_on(data)  # whatever becomes of the run: it is not ours
        if self._transport is None or self.bench.stopped:
            return
        self.bytes_in += len(data)
        self.last_heard = self.bench.now
        self.bench.counts["bytes"] += len(data)
        seq = self.bench.record(self, "in", data)
        if seq is None:
            if not self._relay:
                self.cut("transcript full")
            return
        # The entry's own time, so that the record alone gives the same arrival as the live run saw.
        self._take(self._reader.feed(seq, data, self.bench.transcript[seq].t_mono))
        self._watch()

    def _take(self, items: list[Heard | Stray]) -> None:
        for item in items:
            if isinstance(item, Stray):
                self._unreadable += len(item.raw)
            elif item.truncated:  # nobody acknowledges half a frame
                self._unreadable += len(item.frame.raw)
            else:
                self._unreadable = 0 if item.understood else self._unreadable + len(item.frame.raw)
                self.bench.heard(item, self)
        if self._unreadable > self.bench.limits.garbage_bytes and not self._relay:
            self.bench.garbage(self)

    def _watch(self) -> None:
        if self._stall:
            self._stall.cancel()
            self._stall = None
        due = self._reader.stall_due()
        if due is not None and self._transport is not None:
            self._stall = asyncio.get_running_loop().call_later(due - self.bench.now, self._stalled, due)

    def _stalled(self, due: float) -> None:
        self._stall = None
        self._take(self._reader.stalled(max(due, self.bench.now)))  # a timer may ring a little early

    def send(self, frame: bytes, **attachment: Any) -> None:
        """Write a frame and put it on record."""
        if self._transport is None or self._transport.is_closing():
            return
        if self.bench.record(self, "out", frame, **attachment) is not None:
            self._transport.write(frame)

    def cut(self, why: str) -> None:
        """End the link from our side."""
        if self._transport is not None:
            transport, self._transport = self._transport, None
            self.bench.closed(self, why)
            transport.abort()
            self._drop_relay()

    def end(self, why: str) -> None:
        """End the link after what was written has gone out."""
        if self._transport is not None:
            transport, self._transport = self._transport, None
            self.bench.closed(self, why)
            transport.close()

    def _drop_relay(self) -> None:
        if self._relay:
            relay, self._relay = self._relay, None
            relay.close()

    def pause_writing(self) -> None:
        if self._relay:
            self._relay.pause()

    def resume_writing(self) -> None:
        if self._relay:
            self._relay.resume()

    def eof_received(self) -> bool:
        if self._relay is None:
            return False
        self._relay.device_ended()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if self._stall:
            self._stall.cancel()
            self._stall = None
        self._transport = None
        self._drop_relay()
        self.bench.closed(self, "closed by the device" if exc is None else "broken")
