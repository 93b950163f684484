"""Two endpoints, or what is built around them, on a network in virtual time that loses, doubles, delays and swaps."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Protocol

from gb28181.sip import Flow

DEVICE_AT = ("192.0.2.50", 5060)
PLATFORM_AT = ("192.0.2.10", 5060)


class Core(Protocol):
    """What stands at either end."""

    def receive_datagram(self, data: bytes, flow: Flow, now: float) -> None: ...
    def receive_stream(self, data: bytes, flow: Flow, now: float) -> object: ...
    def data_to_send(self) -> list[tuple[Flow, bytes]]: ...
    def next_timeout(self) -> float | None: ...
    def handle_timeout(self, now: float) -> None: ...


@dataclass(frozen=True)
class Weather:
    """What the network does to a datagram, as probabilities."""

    loss: float = 0.0
    double: float = 0.0
    delay_s: float = 0.01
    spread_s: float = 0.0  #: up to this much later, so that one overtakes the other


CALM = Weather()
STORM = Weather(loss=0.2, double=0.2, spread_s=0.3)


class Wire:
    """Joins two cores; ``step`` is called for an end after each thing that happened there."""

    def __init__(self, transport: str = "UDP", weather: Weather = CALM, seed: int = 0) -> None:
        self.now = 1000.0
        self.there = Flow(transport, PLATFORM_AT, DEVICE_AT)  # as the device sees it
        self.back = Flow(transport, DEVICE_AT, PLATFORM_AT)
        self.weather = weather
        self.sent: list[tuple[str, bytes]] = []  #: everything written, with who wrote it
        self.deaf: set[str] = set()  #: ends that hear nothing
        self.mangle: Callable[[str, bytes], bytes | None] = lambda end, data: data
        self._chance = random.Random(seed)
        self._air: list[tuple[float, int, str, bytes]] = []
        self._numbers = count()
        self._ends: dict[str, tuple[Core, Callable[[], None]]] = {}

    def join(self, end: str, core: Core, step: Callable[[], None] = lambda: None) -> None:
        """Put a core at an end, ``"device"`` or ``"platform"``."""
        self._ends[end] = (core, step)

    def _collect(self) -> None:
        for end, (core, step) in self._ends.items():
            step()
            for _flow, data in core.data_to_send():
                self.sent.append((end, data))
                mangled = self.mangle(end, data)
                if mangled is not None:
                    self._launch(end, mangled)

    def _launch(self, end: str, data: bytes) -> None:
        weather, chance = self.weather, self._chance
        to = "platform" if end == "device" else "device"
        copies = 1
        if self.there.transport == "UDP":
            copies = 0 if chance.random() < weather.loss else 2 if chance.random() < weather.double else 1
        for _ in range(copies):
            spread = chance.random() * weather.spread_s if self.there.transport == "UDP" else 0.0
            heappush(self._air, (self.now + weather.delay_s + spread, next(self._numbers), to, data))

    def run(self, seconds: float) -> None:
        """Let so much time pass."""
        end = self.now + seconds
        for _ in range(200_000):
            self._collect()
            due = [core.next_timeout() for core, _ in self._ends.values()]
            if self._air:
                due.append(self._air[0][0])
            when = min((each for each in due if each is not None), default=None)
            if when is None or when > end:
                self.now = end
                return
            self.now = max(self.now, when)
            self._happen()
        raise AssertionError("the network does not come to rest")

    def _happen(self) -> None:
        while self._air and self._air[0][0] <= self.now:
            _, _, to, data = heappop(self._air)
            if to in self.deaf:
                continue
            core = self._ends[to][0]
            flow = self.there if to == "device" else self.back
            if flow.transport == "UDP":
                core.receive_datagram(data, flow, self.now)
            else:
                core.receive_stream(data, flow, self.now)
        for core, _ in self._ends.values():
            when = core.next_timeout()
            if when is not None and when <= self.now:
                core.handle_timeout(self.now)
