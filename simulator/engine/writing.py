"""Writes the frames of a station whose link is faulty; every other station hands its bytes to the transport itself.

What a fault makes of a frame is said in :mod:`simulator.faults.on_link`; here it is done, step by step, with the
pauses that it needs. What counts as emitted by the station (the digest of a run) are its frames as it composed them:
how the link cuts, joins, loses or repeats them is not in it.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import deque
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

from ..behaviour import Upload
from ..draws import draw
from ..faults.on_link import HOLD_S, Do, Step, steps
from .timers import NEVER, Timers

if TYPE_CHECKING:
    from .line import Line

__all__ = ["GAP_S", "ORPHAN_S", "Faulty", "FaultyWriter", "Noticing"]

#: Between two frames, so that no loop and no kernel puts them into one segment unless a fault does.
GAP_S: Final = 0.002
#: How long a link that a station left without a word stays open.
ORPHAN_S: Final = 120.0

#: SO_LINGER: close at once, with RST.
_AT_ONCE: Final = struct.pack("ii", 1, 0)


class Faulty(Protocol):
    """A station whose link may be faulty."""

    @property
    def identity(self) -> str: ...
    @property
    def overtime_s(self) -> float:
        """How long it waits for an answer before it repeats a message."""
        ...

    def frames_to_send(self) -> list[tuple[bytes, Upload | None]]:
        """Return, once, the frames to write, each with what it tells where a fault of the link is to act on it."""
        ...


class Noticing(Protocol):
    """Who is told that a fault of the link has acted."""

    def on_link(self, identity: str, upload: Upload, name: str, now: float) -> None: ...


class _Orphan(asyncio.Protocol):
    """Whoever still sends to a link that its station left is not heard."""

    def eof_received(self) -> bool:
        return True  # nobody is there who would close it


class FaultyWriter:
    """Stands between a station and its transport.

    Args:
        line: Whose transport.
        core: The station.
        timers: Who wakes it.
        seed: Of the scenario.
        noticing: Who is told what has acted.
    """

    __slots__ = (
        "_core",
        "_free_at",
        "_hears_at",
        "_held",
        "_line",
        "_noticing",
        "_orphan",
        "_orphan_until",
        "_over",
        "_seed",
        "_steps",
        "_timers",
        "armed",
    )

    def __init__(self, line: Line, core: Faulty, timers: Timers, seed: int, noticing: Noticing) -> None:
        self.armed = NEVER
        self._line = line
        self._core = core
        self._timers = timers
        self._seed = seed
        self._noticing = noticing
        self._steps: deque[tuple[Step, Upload | None]] = deque()
        self._held: tuple[Do, bytes, Upload, float] | None = None  # how, what, until when
        self._free_at = 0.0
        self._hears_at: float | None = None
        self._over = False  # nothing is written to this link any more
        self._orphan: asyncio.Transport | None = None
        self._orphan_until = NEVER

    # What a line calls

    def take(self) -> bytes:
        """Take over what the station has to say, write what may be written now; return what it said."""
        frames = self._core.frames_to_send()
        for frame, upload in frames:
            self._put(frame, upload)
        if frames:
            self._go_on(self._timers.now())
        return b"".join([frame for frame, _ in frames])

    def lost(self) -> None:
        """Forget what was not written: the link is gone, and the station tells it again."""
        self._steps.clear()
        self._held = None
        self._hears_at = None
        self._over = False
        self._free_at = 0.0

    def finish(self) -> None:
        """Write the rest at once, without what a fault would still do to it, and let everything go."""
        transport = self._line.transport
        if transport is not None and not self._over and not transport.is_closing():
            if self._held is not None:
                self._steps.append(((Do.WRITE, self._held[1]), None))
            # Up to where a fault would have ended the link; what lies behind that counts as never sent on it.
            for (do, what), _ in self._steps:
                if do is Do.WRITE:
                    assert isinstance(what, bytes)
                    transport.write(what)
                elif do in _ENDS:
                    break
        self.lost()
        self._leave_orphan()
        self._timers.arm(self, None)

    # Frames

    def _put(self, frame: bytes, upload: Upload | None) -> None:
        if self._over:
            return
        if upload is None or upload.on_link or upload.behaviour is None or not upload.behaviour.link:
            found: list[Step] = [(Do.WRITE, frame)]
            upload = None
        else:
            name = upload.behaviour.link
            signal = f"fault/{name}/{upload.message.qn}"
            found = steps(name, frame, partial(draw, self._seed, self._core.identity, signal))
        do, _what = found[0]
        if do is Do.GLUE or do is Do.SWAP:
            assert upload is not None
            if self._held is None:
                self._held = do, frame, upload, self._timers.now() + HOLD_S
                return
            found, upload = [(Do.WRITE, frame)], None
        queue = [(step, upload) for step in found]
        if self._held is not None:
            queue = self._joined(queue)
        self._steps.extend(queue)

    def _joined(self, queue: list[tuple[Step, Upload | None]]) -> list[tuple[Step, Upload | None]]:
        """Return the steps for the frame behind one that was held back, together with that one."""
        assert self._held is not None
        how, frame, held, _until = self._held
        self._held = None
        acted: tuple[Step, Upload | None] = ((Do.ACTED, 0.0), held)
        (do, what), upload = queue[0]
        if how is Do.SWAP:
            return [*queue, ((Do.WRITE, frame), None), acted]
        if do is not Do.WRITE:  # something happens in between
            return [((Do.WRITE, frame), None), *queue]
        assert isinstance(what, bytes)
        return [((Do.WRITE, frame + what), upload), acted, *queue[1:]]

    # Steps

    def alarm(self, now: float) -> None:
        """Go on where a pause is over."""
        self._go_on(now)

    def _go_on(self, now: float) -> None:
        if self._held is not None and now >= self._held[3]:
            self._steps.append(((Do.WRITE, self._held[1]), None))
            self._held = None
        if self._hears_at is not None and now >= self._hears_at:
            self._hears_at = None
            self._hear()
        if self._orphan is not None and now >= self._orphan_until:
            self._leave_orphan()
        while self._steps and now >= self._free_at and not self._over:
            (do, what), upload = self._steps.popleft()
            self._do(do, what, upload, now)
        self._rearm()

    def _rearm(self) -> None:
        when = [self._orphan_until]
        if self._steps:
            when.append(self._free_at)
        if self._held is not None:
            when.append(self._held[3])
        if self._hears_at is not None:
            when.append(self._hears_at)
        first = min(when)
        self._timers.arm(self, None if first == NEVER else first)

    def _do(self, do: Do, what: bytes | float, upload: Upload | None, now: float) -> None:
        transport = self._line.transport
        if transport is None:
            return
        if do is Do.WRITE:
            assert isinstance(what, bytes)
            transport.write(what)
            self._free_at = now + GAP_S
        elif do is Do.WAIT:
            assert isinstance(what, float)
            self._free_at = now + what
        elif do is Do.ACTED:
            self._acted(upload, now)
        elif do is Do.EOF:
            if transport.can_write_eof():
                transport.write_eof()
        elif do is Do.BE_DEAF:
            if self._hears_at is None:
                transport.pause_reading()
                self._hears_at = now + self._core.overtime_s + float(what)
                self._acted(upload, now)
        else:
            self._end(do, transport)

    def _acted(self, upload: Upload | None, now: float) -> None:
        assert upload is not None
        assert upload.behaviour is not None
        upload.on_link = True
        self._noticing.on_link(self._core.identity, upload, upload.behaviour.link, now)

    def _end(self, do: Do, transport: asyncio.Transport) -> None:
        """Let the link go in one of the ways there are."""
        self._steps.clear()
        if do is Do.REBIND:
            self._leave_orphan()
            transport.set_protocol(_Orphan())
            self._orphan, self._orphan_until = transport, self._timers.now() + ORPHAN_S
            self._line.moved()
            return
        self._over = True
        self._hear()
        if do is Do.CLOSE:
            transport.close()
            return
        link = transport.get_extra_info("socket")
        if link is not None:
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        transport.abort()

    def _hear(self) -> None:
        transport = self._line.transport
        if transport is not None and not transport.is_closing():
            with suppress(RuntimeError):  # it was not paused
                transport.resume_reading()

    def _leave_orphan(self) -> None:
        if self._orphan is not None:
            self._orphan.abort()
        self._orphan, self._orphan_until = None, NEVER


#: What ends a link.
_ENDS: Final = frozenset({Do.EOF, Do.CLOSE, Do.RESET, Do.REBIND})
