"""Several stations on one link, each with its MN: the MN is the identity, the transport is not.

The caller drives it like one :class:`Station`; data are reported to the stations themselves::

    gateway = Gateway([water, smoke])
    gateway.connected(now)
    water.report("2011", items, now)
    transport.write(gateway.data_to_send())
"""

from __future__ import annotations

from collections.abc import Sequence

from ..connection import STALL_S
from ..events import FrameRejected, NoiseReceived
from ..framing import Frame, Framer, Noise
from ..messages import Message
from .core import Station
from .events import StationEvent

__all__ = ["Gateway"]

_LOGGER_ID = "i23005-Info"


class Gateway:
    """One link of some stations.

    Args:
        stations: Those behind it; what is for none of them goes to the first, which says so.

    Raises:
        ValueError: If there is none, or two have the same MN.
    """

    def __init__(self, stations: Sequence[Station]) -> None:
        mns = [station.settings.mn for station in stations if station.settings.mn]
        if not stations or len(set(mns)) < len(mns):
            raise ValueError("stations: expected at least one, and a different MN for each")
        self.stations = tuple(stations)
        self._framer = Framer()
        self._last_byte = 0.0
        self._found: list[tuple[Station, StationEvent]] = []

    def connected(self, now: float) -> None:
        """Begin on a new transport."""
        self._framer = Framer()
        for station in self.stations:
            station.connected(now)

    def receive_data(self, data: bytes, now: float) -> None:
        """Take in bytes from the link; each frame goes to the station that it is for."""
        self._last_byte = now
        for found in self._framer.feed(data):
            self._receive(found, now)

    def receive_eof(self, now: float) -> None:
        """Take note that the link is gone."""
        for found in self._framer.finish():
            self._receive(found, now)
        for station in self.stations:
            station.receive_eof(now)

    def data_to_send(self) -> bytes:
        """Return, once, the bytes to write."""
        return b"".join(station.data_to_send() for station in self.stations)

    def events(self) -> list[tuple[Station, StationEvent]]:
        """Return, once, what happened since the last call, and to whom."""
        found, self._found = self._found, []
        return found + [(station, event) for station in self.stations for event in station.events()]

    def next_timeout(self) -> float | None:
        """Return when to call :meth:`handle_timeout`."""
        times = [when for station in self.stations if (when := station.next_timeout()) is not None]
        if self._framer.pending:
            times.append(self._last_byte + STALL_S)
        return min(times, default=None)

    def handle_timeout(self, now: float) -> None:
        """Do what is due at every station; let go of a frame that was never finished."""
        if self._framer.pending and now >= self._last_byte + STALL_S:
            for found in self._framer.finish():
                self._receive(found, now)
        for station in self.stations:
            station.handle_timeout(now)

    def _receive(self, found: Frame | Noise, now: float) -> None:
        if isinstance(found, Noise):
            self._found.append((self.stations[0], NoiseReceived(found.raw)))
        elif not found.length_ok:
            self._found.append((self.stations[0], FrameRejected(found)))
        else:
            self._station_of(Message.from_bytes(found.segment)).receive_data(found.raw, now)

    def _station_of(self, message: Message) -> Station:
        """Return whom a message is for: by its MN, else by what it answers or names (2005: 9014 has no MN)."""
        for station in self.stations:
            if station.settings.mn and station.settings.mn == message.mn:
                return station
        qn, logger = message.answers_qn, message.parameter(_LOGGER_ID)
        for station in self.stations:
            if station.awaits(qn) or (logger and station.identity.logger_id == logger):
                return station
        return self.stations[0]
