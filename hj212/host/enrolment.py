"""Registration of data loggers and exchange of keys, from the platform's side (HJ 212-2025 6.8, 6.4.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ..messages import Message
from .events import (
    HostEvent,
    KeyChanged,
    KeyNotSent,
    LoggerRegistered,
    MnAssigned,
    Outcome,
    Purpose,
    RequestFinished,
    Ticket,
)
from .policy import Logger, Policy
from .requests import Requests
from .stations import Station, Stations

__all__ = ["ASSIGN_MN", "KEY", "REGISTER", "Enrolment", "logger_of"]

REGISTER: Final = "1001"  #: upward: the logger says who it is
ASSIGN_MN: Final = "1002"
KEY: Final = "1014"  #: upward: a key is wanted; downward: here it is
#: Loggers of one link whose registration is remembered.
MAX_LOGGERS: Final = 256
#: Characters of a key on the wire: a key of SM4, 128 bits, one character a byte.
KEY_CHARS: Final = 16

_LOGGER_ID: Final = "i23005-Info"


def logger_of(message: Message) -> Logger:
    """Read what a 1001 says of the logger."""
    macs = tuple(mac for key in ("i23007-Info", "i23008-Info") if (mac := message.parameter(key)))
    return Logger(message.parameter(_LOGGER_ID) or "", message.parameter("i23006-Info") or "", macs, message.mn)


class Enrolment:
    """1001 and 1002, 1014 in both directions.

    Args:
        assign_mn: Gives a logger its MN, ``None`` to refuse it. A logger that registers again is asked for again.
        new_key: Gives a station its next key, 16 ASCII characters, and when it was created (POSIX seconds);
            ``None`` to refuse.
        created_text: Writes POSIX seconds as SKCreateTime.
        ready: Called when an MN was assigned and its set-up may begin.
    """

    def __init__(
        self,
        stations: Stations,
        requests: Requests,
        policy: Policy,
        report: Callable[[HostEvent], None],
        *,
        assign_mn: Callable[[Logger], str | None] | None,
        new_key: Callable[[str], tuple[bytes, float] | None] | None,
        created_text: Callable[[float], str],
        ready: Callable[[Station], None],
    ) -> None:
        self._stations = stations
        self._requests = requests
        self._policy = policy
        self._report = report
        self._assign_mn = assign_mn
        self._new_key = new_key
        self._created_text = created_text
        self._ready = ready
        self.mns: dict[str, str] = {}  #: logger id -> MN assigned on this link
        self._assigning: set[str] = set()
        self._keying: set[str] = set()

    def register(self, message: Message, station_of: Callable[[str], Station | None]) -> None:
        """Act on a 1001: have an MN given and send it."""
        logger = logger_of(message)
        mn = (self._assign_mn(logger) if self._assign_mn else None) or ""
        self._report(LoggerRegistered(logger, mn))
        if not mn or mn in self._assigning:
            return
        station = station_of(mn)
        if station is None:
            return
        ticket = Ticket(self._requests.number(), mn, ASSIGN_MN, Purpose.REGISTRATION)
        self._assigning.add(mn)
        self._requests.submit(
            ticket,
            [(_LOGGER_ID, logger.id)],
            station.rules,
            lambda finished: self._assigned(logger, mn, finished),
            urgent=True,
        )

    def _assigned(self, logger: Logger, mn: str, finished: RequestFinished) -> None:
        self._assigning.discard(mn)
        if finished.outcome is not Outcome.DONE:
            return
        if len(self.mns) >= MAX_LOGGERS and logger.id not in self.mns:
            del self.mns[next(iter(self.mns))]
        self.mns[logger.id] = mn
        self._report(MnAssigned(logger, mn))
        station = self._stations.get(mn)
        if station is not None:
            self._ready(station)

    def key_wanted(self, station: Station, message: Message) -> None:
        """Act on a 1014 of a station: send it another key."""
        station.key_created = message.parameter("SKCreateTime") or station.key_created
        given = self._new_key(station.mn) if self._new_key else None
        if given is None:
            self._report(KeyNotSent(station.mn, "the platform has no new key for it"))
        else:
            self.send_key(station, *given)

    def send_key(self, station: Station, key: bytes, created: float) -> None:
        """Send a key, encrypted with the one valid before."""
        if station.mn in self._keying:
            return
        if len(key) != KEY_CHARS or not key.isalnum():
            self._report(KeyNotSent(station.mn, f"NewSK: expected {KEY_CHARS} letters and digits"))
            return
        if not station.keys and not self._policy.clear_key:
            detail = "no key is known to encrypt it with, and Policy.clear_key does not allow it in clear"
            self._report(KeyNotSent(station.mn, detail))
            return
        text = self._created_text(created)
        ticket = Ticket(self._requests.number(), station.mn, KEY, Purpose.KEY)
        self._keying.add(station.mn)
        parameters = [("SKCreateTime", text), ("NewSK", key.decode("ascii"))]
        self._requests.submit(
            ticket,
            parameters,
            station.rules,
            lambda finished: self._keyed(station, key, text, finished),
            urgent=True,
        )

    def _keyed(self, station: Station, key: bytes, created: str, finished: RequestFinished) -> None:
        self._keying.discard(station.mn)
        if finished.outcome is Outcome.DONE:
            station.replace_key(key, created)
            self._report(KeyChanged(station.mn, created, key))
