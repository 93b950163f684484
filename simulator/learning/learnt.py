"""A source, read from its beginning to its end: every station and camera in it, and what could not be used."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from hj212 import Message

from .cameras import CameraGroup, Cameras
from .messages import DOOR, Heard
from .profiles import Group, group_up
from .quirks import bytes_fault
from .sources import Said, Signalling, Source, read_source
from .stations import Station

__all__ = ["MAX_SECONDS", "MAX_STATIONS", "Learnt", "learn"]

#: Stations that are looked at; a province has fewer.
MAX_STATIONS: Final = 100_000
#: No scenario is made longer than a month.
MAX_SECONDS: Final = 31 * 86_400.0
#: Stations whose first reports are further from the others' are not asked when it began.
_NEAR_S: Final = 86_400.0
#: Whatever names somebody is kept out of what is written; beyond this many names numbers above all of them are taken.
_MAX_TOKENS: Final = 1_000_000
_WORD: Final = re.compile(r"[0-9A-Za-z]+")


@dataclass
class Learnt:
    """What a source tells.

    Attributes:
        form: ``capture``, ``bytes`` or ``store``.
        fault: Why the source ended early, a sentence; empty where it did not.
        groups: Stations with the same profile.
        cameras: Cameras with the same profile.
        frames: Frames of HJ 212 that were used. ``sip``: messages of SIP.
        counts: What else there was: ``damaged``, ``encrypted``, ``noise``, ``missing``, ``nameless``, ``broken-sip``.
        begin: When the earliest report is about, POSIX seconds on the stations' clocks; 0 where there is none.
        seconds: How long the traffic goes on.
        tokens: Every word that names somebody; never shown.
    """

    form: str
    fault: str = ""
    groups: list[Group] = field(default_factory=list)
    cameras: list[CameraGroup] = field(default_factory=list)
    frames: int = 0
    sip: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    begin: float = 0.0
    seconds: float = 0.0
    tokens: set[str] = field(default_factory=set, repr=False)

    @property
    def stations(self) -> int:
        """Number of stations and cameras."""
        return sum(len(group.stations) for group in self.groups) + sum(len(group.cameras) for group in self.cameras)


def learn(path: str) -> Learnt:
    """Read a source, ``-`` for standard input.

    Raises:
        UsageFault: If it cannot be read, or what reads it is not installed.
        DataFault: If it is of a kind that is known and cannot be read.
    """
    return _Learning(read_source(path)).run()


class _Learning:
    def __init__(self, source: Source) -> None:
        self._source = source
        self._found = Learnt(source.form)
        self._stations: dict[str, Station] = {}
        self._cameras = Cameras()
        self._last_mn: dict[tuple[str, str], str] = {}  # what a 2005 acknowledgement leaves out
        self._first_captured = self._last_captured = 0.0

    def run(self) -> Learnt:
        found = self._found
        for said in self._source:
            if isinstance(said, Signalling):
                self._clock(said.time)
                self._cameras.heard(said)
            else:
                if said.time is not None:
                    self._clock(said.time)
                self._said(said)
        for station in self._stations.values():
            station.finish()
        told = [station for station in self._stations.values() if station.commands]
        found.fault = self._source.fault
        found.groups = group_up(told)
        found.cameras = self._cameras.groups()
        found.sip = self._cameras.messages
        found.tokens |= self._cameras.tokens | self._source.hosts
        counts = {
            "encrypted": sum(station.encrypted for station in told),
            "noise": self._source.noise,
            "missing": self._source.missing,
            "broken-sip": self._cameras.broken,
        }
        found.counts.update({name: count for name, count in counts.items() if count})
        found.begin, found.seconds = self._span([station for station in told if station.first])
        return found

    def _span(self, told: list[Station]) -> tuple[float, float]:
        """Return when the traffic begins, on the stations' clocks, and how long it goes on.

        One station whose clock is years off moves neither.
        """
        captured = self._last_captured - self._first_captured
        if not told:
            return self._first_captured, captured
        middle = median(station.first for station in told)
        near = [station for station in told if abs(station.first - middle) <= _NEAR_S]
        begin = min(station.first for station in near)
        seconds = max(station.last for station in near) - begin
        return begin, min(max(captured, seconds), MAX_SECONDS)

    def _clock(self, time: float) -> None:
        self._first_captured = self._first_captured or time
        self._last_captured = max(self._last_captured, time)

    def _said(self, said: Said) -> None:
        found, frame = self._found, said.frame
        message = Message.from_bytes(said.segment)
        heard = Heard(message, said.time, frame)
        if frame is not None and not (frame.usable or heard.encrypted or bytes_fault(frame)):
            # Where length and tail agree the fields can be believed, whatever check value somebody computes.
            if not (frame.length_ok and frame.tail == b"\r\n" and message.mn in self._stations):
                found.counts["damaged"] += 1
                return
            found.counts["wrong-check-value"] += 1
        upward = heard.upward
        mn = message.mn or ("" if upward else self._last_mn.get((said.link, "<" if said.way == ">" else ">"), ""))
        if not mn:
            found.counts["nameless"] += 1
            return
        station = self._stations.get(mn)
        if station is None:
            if len(self._stations) >= MAX_STATIONS:
                found.counts["too-many"] += 1
                return
            station = self._stations[mn] = Station(mn)
        found.frames += 1
        self._keep_out(message, heard)
        if upward:
            self._last_mn[said.link, said.way] = mn
            station.upward(heard)
        else:
            station.downward(heard)

    def _keep_out(self, message: Message, heard: Heard) -> None:
        """Note every word that names somebody, so that nothing made up is one of them."""
        tokens = self._found.tokens
        if len(tokens) >= _MAX_TOKENS:
            return
        tokens |= {message.mn, message.pw}
        if heard.of_door and heard.kind in ("record", "log"):
            for key, value in heard.pairs:
                if key.partition("-")[0] in (DOOR.person, DOOR.log):
                    tokens.update(_WORD.findall(value))
