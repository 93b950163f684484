"""One station's link to its platform, as small as it gets: no task, no timer, no closure of its own."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sized
from typing import Any, Final, Protocol, cast

from ..draws import draw
from .timers import NEVER, Timers
from .writing import FaultyWriter

__all__ = ["BOOT_S", "RECONNECT_MAX_S", "RECONNECT_S", "WRITE_HIGH_WATER", "Core", "Dialling", "Line"]

#: Pause before the first new attempt to connect; it doubles up to the second figure.
RECONNECT_S: Final = 5.0
RECONNECT_MAX_S: Final = 60.0
#: How long a power cycle takes after the power is back.
BOOT_S: Final = 20.0
#: Bytes that may wait in a socket whose platform does not read; then the link counts as lost.
WRITE_HIGH_WATER: Final = 256 * 1024


class Core(Protocol):
    """What a line drives: :class:`~simulator.reporter.Reporter`, or what is built like it."""

    @property
    def identity(self) -> str: ...
    @property
    def in_flight(self) -> Sized: ...
    def report_now(self, now: float) -> None: ...
    def connected(self, now: float) -> None: ...
    def disconnected(self, now: float) -> None: ...
    def receive_data(self, data: bytes, now: float) -> None: ...
    def data_to_send(self) -> bytes: ...
    def next_timeout(self) -> float | None: ...
    def handle_timeout(self, now: float) -> None: ...
    def reboot(self, now: float) -> None: ...


class Dialling(Protocol):
    """Who connects lines, a limited number at a time."""

    timers: Timers
    seed: int
    closed_loop: bool  #: whether a station reports again as soon as everything is answered
    gate: Callable[[], bool]  #: whether anything may be written now

    def dial(self, line: Line) -> None:
        """Connect a line soon; it is told by :meth:`Line.connection_made` or :meth:`Line.failed`."""
        ...


class Line(asyncio.Protocol):
    """A station that is switched on and its link.

    Args:
        core: The station.
        dialling: Who connects it.
        source: Address to connect from; empty: whichever the system takes.
    """

    __slots__ = (
        "_dialling",
        "_hash",
        "_retry_s",
        "armed",
        "boot_at",
        "connects",
        "core",
        "failures",
        "off",
        "out_of_reach",
        "redial_at",
        "source",
        "transport",
        "writer",
    )

    def __init__(self, core: Core, dialling: Dialling, source: str = "") -> None:
        self.core = core
        self.source = source
        self.transport: asyncio.Transport | None = None
        self.armed = NEVER
        self.connects = 0
        self.failures = 0
        self.off = False  #: no power
        self.boot_at: float | None = None
        self.out_of_reach = False  #: no network
        self.redial_at: float | None = None
        self.writer: FaultyWriter | None = None  #: stands before the transport where the link is faulty
        self._dialling = dialling
        self._retry_s = RECONNECT_S
        self._hash = hashlib.sha256(core.identity.encode())

    @property
    def digest(self) -> int:
        """SHA-256 of the identity and every byte that the station emitted so far, however its link then treats them."""
        return int.from_bytes(self._hash.digest())

    @property
    def linked(self) -> bool:
        """Whether there is a link."""
        return self.transport is not None

    @property
    def tried(self) -> bool:
        """Whether an attempt to reach the platform came to nothing."""
        return self.failures > 0

    @property
    def waits(self) -> bool:
        """Whether it has no way to the platform yet."""
        return self.transport is None

    def start(self) -> None:
        """Begin: connect, let the timers run."""
        self._dialling.dial(self)
        self._rearm()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(WRITE_HIGH_WATER)
        if self.off or self.out_of_reach or not self._dialling.gate():
            self.transport.abort()
            return
        self.connects += 1
        self.core.connected(self._dialling.timers.now())
        self.flush()

    def data_received(self, data: bytes) -> None:
        dialling, core = self._dialling, self.core
        if not dialling.gate():
            return
        self._retry_s = RECONNECT_S
        now = dialling.timers.now()
        core.receive_data(data, now)
        if dialling.closed_loop and not core.in_flight:
            core.report_now(now)
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        if self.writer is not None:
            self.writer.lost()
        now = self._dialling.timers.now()
        self.core.disconnected(now)
        if not (self.off or self.out_of_reach):
            self.redial_at = now + self._pause()
        self._rearm()

    def pause_writing(self) -> None:
        # A platform that does not read: whatever is written from here on would only fill memory.
        if self.transport:
            self.transport.abort()

    def resume_writing(self) -> None:
        """Too late: the link was given up."""

    def failed(self) -> None:
        """Take note that no link could be had."""
        self.failures += 1
        if not (self.off or self.out_of_reach):
            self._retry_s = min(2 * self._retry_s, RECONNECT_MAX_S)
            self.redial_at = self._dialling.timers.now() + self._pause()
        self._rearm()

    def _pause(self) -> float:
        """Return how long to wait before dialling: up to a fifth longer by chance, so that a city spreads."""
        chance = draw(self._dialling.seed, self.core.identity, "redial", self.connects + self.failures)
        return round(self._retry_s * (1 + 0.2 * chance), 3)

    # Time

    def alarm(self, now: float) -> None:
        """Do what is due."""
        if self.boot_at is not None and now >= self.boot_at:
            self._booted(self.boot_at)
        if self.off:
            self._rearm()
            return
        if self.redial_at is not None and now >= self.redial_at:
            self.redial_at = None
            self._dialling.dial(self)
        due = self.core.next_timeout()
        if due is not None and due <= now:
            self.core.handle_timeout(now)
        self.flush()

    def flush(self) -> None:
        """Write what the station has to say, and set its alarm."""
        transport = self.transport
        if transport is not None and self._dialling.gate():
            writer = self.writer
            if writer is None:
                data = self.core.data_to_send()
                if data:
                    self._hash.update(data)
                    transport.write(data)
            else:
                self._hash.update(writer.take())
        self._rearm()

    def _rearm(self) -> None:
        if self.off:
            self._dialling.timers.arm(self, self.boot_at)
            return
        when = self.core.next_timeout()
        redial = self.redial_at
        if redial is not None and (when is None or redial < when):
            when = redial
        self._dialling.timers.arm(self, when)

    # What happens to it

    def act(self, what: Any, at: float) -> None:
        """Let something happen at the station, ``what(at)``."""
        if not self.off:
            what(at)
            self.flush()

    def lose_power(self) -> None:
        """The power goes: the link breaks off, nothing is measured."""
        if not self.off or self.boot_at is not None:
            self.off = True
            self.boot_at = None
            self.armed = NEVER
            self.redial_at = None
            self.abort()

    def boot(self, at: float, takes_s: float) -> None:
        """The power is back as of run time ``at``; the station is there ``takes_s`` later."""
        if self.off and self.boot_at is None:
            self.boot_at = round(at + takes_s, 3)
            self._rearm()

    def _booted(self, at: float) -> None:
        self.boot_at = None
        self.off = False
        self.core.reboot(at)
        self._retry_s = RECONNECT_S
        if not self.out_of_reach:
            self._dialling.dial(self)

    def lose_network(self) -> None:
        """The carrier goes: the link breaks off, the station goes on measuring."""
        self.out_of_reach = True
        self.redial_at = None
        self.abort()
        self._rearm()

    def regain_network(self) -> None:
        """The carrier is back: it dials at once, as all its neighbours do."""
        if self.out_of_reach:
            self.out_of_reach = False
            self._retry_s = RECONNECT_S
            if not self.off:
                self._dialling.dial(self)
            self._rearm()

    def moved(self) -> None:
        """The link that stands is left as it is, and another one is opened at once."""
        self.transport = None
        if self.writer is not None:
            self.writer.lost()
        self.core.disconnected(self._dialling.timers.now())
        self._dialling.dial(self)
        self._rearm()

    def abort(self) -> None:
        """End the link at once."""
        if self.transport is not None:
            self.transport.abort()

    def close(self) -> None:
        """End the link; what was written still goes out, if anything may."""
        self.off = True
        self.boot_at = None
        self.armed = NEVER
        if self.writer is not None:
            self.writer.finish()
        if self.transport is None:
            return
        if self._dialling.gate():
            self.transport.close()
        else:
            self.transport.abort()
