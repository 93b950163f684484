"""云台: where a camera looks, as a function of what it was told and of time (GB/T 28181-2022 A.3, A.2.3.1).

Angles are degrees. Pan goes round from 0 to 360; tilt has its limits, and upwards it becomes smaller, as with a dome
that stands; zoom is a factor. A movement goes on until a stop or a limit, unless ``watchdog_s`` ends it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from .. import ptz
from ..manscdp.controls import HomePosition

__all__ = ["CruiseStop", "Mount", "Place", "Spot"]

#: Degrees and factors per second at full speed, and at which presets are gone to.
PAN_DEG_S: Final = 90.0
TILT_DEG_S: Final = 45.0
ZOOM_S: Final = 4.0
#: Points of one cruise: as many as there are presets.
MAX_POINTS: Final = 255
_DEFAULT_STAY_S: Final = 10
_DEFAULT_SPEED: Final = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Where a camera looks."""

    pan: float = 0.0
    tilt: float = 0.0
    zoom: float = 1.0


@dataclass(frozen=True, slots=True)
class Spot:
    """预置位: a place with a name."""

    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class CruiseStop:
    """巡航点."""

    preset: int
    stay_s: int = _DEFAULT_STAY_S
    speed: int = _DEFAULT_SPEED


@dataclass(slots=True)
class _Track:
    name: str = ""
    stops: list[CruiseStop] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Steady:
    """Moves at a speed from a place."""

    start: Place
    at: float
    pan: float = 0.0
    tilt: float = 0.0
    zoom: float = 0.0
    until: float | None = None


class Mount:
    """A pan-tilt-zoom mount.

    Args:
        tilts: Lowest and highest tilt.
        zooms: Smallest and largest zoom.
        watchdog_s: Seconds after which a movement ends without a stop; ``None`` for never, as the standard has it.

    Attributes:
        presets: 预置位 by number.
        tracks: 巡航 by group: name and stops.
        home: 看守位.
        switches: 辅助开关 that are on.
    """

    def __init__(
        self,
        *,
        tilts: tuple[float, float] = (-30.0, 90.0),
        zooms: tuple[float, float] = (1.0, 32.0),
        watchdog_s: float | None = None,
    ) -> None:
        self.presets: dict[int, Spot] = {}
        self.tracks: dict[int, _Track] = {}
        self.home = HomePosition(on=0)
        self.switches: set[int] = set()
        self._tilts = tilts
        self._zooms = zooms
        self._watchdog_s = watchdog_s
        self._motion = _Steady(Place(), 0.0)
        self._cruise: tuple[int, float] | None = None
        self._borders: dict[int, list[float]] = {}
        self._told_at = 0.0

    # Where it looks

    def place(self, now: float) -> Place:
        """Return where it looks at a time."""
        self._go_home(now)
        if self._cruise is not None:
            place = self._on_cruise(*self._cruise, now)
            if place is not None:
                return place
        return self._steady(now)

    def moving(self, now: float) -> bool:
        """Whether it moves."""
        motion = self._motion
        if self._cruise is not None:
            return True
        return (motion.until is None or now < motion.until) and bool(motion.pan or motion.tilt or motion.zoom)

    def _steady(self, now: float) -> Place:
        motion = self._motion
        passed = max(0.0, (now if motion.until is None else min(now, motion.until)) - motion.at)
        return Place(
            (motion.start.pan + motion.pan * passed) % 360.0,
            _within(motion.start.tilt + motion.tilt * passed, self._tilts),
            _within(motion.start.zoom + motion.zoom * passed, self._zooms),
        )

    def _on_cruise(self, group: int, since: float, now: float) -> Place | None:
        stops = [stop for stop in self.tracks[group].stops if stop.preset in self.presets]
        total = sum(max(1, stop.stay_s) for stop in stops)
        if not total:
            return None
        passed = (now - since) % total
        for stop in stops:
            passed -= max(1, stop.stay_s)
            if passed < 0:
                return self.presets[stop.preset].place
        return self.presets[stops[-1].preset].place

    def _go_home(self, now: float) -> None:
        """Go to the home position if nobody has told anything for its time."""
        home = self.home
        if not home.on or home.preset is None or self.moving(now):
            return
        spot = self.presets.get(home.preset)
        due = self._told_at + (home.reset_s or 0)
        if spot is not None and now >= due:
            self._motion = _Steady(spot.place, due)

    # What it is told

    def follow(self, command: ptz.Command, now: float, *, preset_name: str = "", track_name: str = "") -> None:
        """Do what a command says; what a mount cannot do is left."""
        match command:
            case ptz.Move():
                self._move(command, now)
            case ptz.Preset(act, number):
                self._preset(act, number, preset_name, now)
            case ptz.Cruise():
                self._change_cruise(command, track_name, now)
            case ptz.Scan():
                self._scan(command, now)
            case ptz.Auxiliary(on, number):
                (self.switches.add if on else self.switches.discard)(number)
            case _:
                return
        self._told_at = now

    def look_at(self, place: Place, now: float) -> None:
        """Go to a place; beyond a limit to the limit (A.2.3.1.11)."""
        here = Place(place.pan % 360.0, _within(place.tilt, self._tilts), _within(place.zoom, self._zooms))
        self._cruise = None
        self._motion = _Steady(here, now)
        self._told_at = now

    def zoom_on(self, share: float, now: float) -> None:
        """Show ``share`` of the picture in the whole window: below 1 nearer, above farther."""
        here = self.place(now)
        self.look_at(Place(here.pan, here.tilt, here.zoom / share), now)

    def _move(self, move: ptz.Move, now: float) -> None:
        start = self.place(now)
        self._cruise = None
        if move.stops:
            self._motion = _Steady(start, now)
            return
        until = None if self._watchdog_s is None else now + self._watchdog_s
        self._motion = _Steady(
            start,
            now,
            (move.pan or 0) / 255 * PAN_DEG_S * (-1 if move.left else 1),
            (move.tilt or 0) / 255 * TILT_DEG_S * (1 if move.down else -1),
            (move.zoom or 0) / 15 * ZOOM_S * (-1 if move.out else 1),
            until,
        )

    def _preset(self, act: ptz.PresetAct, number: int, name: str, now: float) -> None:
        if act is ptz.PresetAct.SET:
            known = self.presets.get(number)
            self.presets[number] = Spot(name or (known.name if known else f"预置位{number}"), self.place(now))
        elif act is ptz.PresetAct.DELETE:
            self.presets.pop(number, None)
        elif number in self.presets:
            self.look_at(self.presets[number].place, now)

    def _change_cruise(self, command: ptz.Cruise, name: str, now: float) -> None:
        group, value = command.group, command.value
        if command.act is ptz.CruiseAct.START:
            if self.tracks.get(group):
                self._cruise = (group, now)
            return
        if command.act is ptz.CruiseAct.DELETE:
            self._delete_stop(group, value)
            return
        track = self.tracks.setdefault(group, _Track())
        track.name = name or track.name
        if command.act is ptz.CruiseAct.ADD:
            if len(track.stops) < MAX_POINTS:
                last = track.stops[-1] if track.stops else CruiseStop(0)
                track.stops.append(CruiseStop(value, last.stay_s, last.speed))
        elif command.act is ptz.CruiseAct.STAY:
            track.stops = [CruiseStop(stop.preset, value, stop.speed) for stop in track.stops]
        else:
            # The command has 12 bits, the answer to CruiseTrackQuery 1 to 15.
            track.stops = [CruiseStop(stop.preset, stop.stay_s, min(max(value, 1), 15)) for stop in track.stops]

    def _delete_stop(self, group: int, preset: int) -> None:
        track = self.tracks.get(group)
        if track is not None and preset:
            track.stops = [stop for stop in track.stops if stop.preset != preset]
        if track is not None and (not preset or not track.stops):
            del self.tracks[group]
            if self._cruise is not None and self._cruise[0] == group:
                self._cruise = None

    def _scan(self, command: ptz.Scan, now: float) -> None:
        start = self.place(now)
        borders = self._borders.setdefault(command.group, [0.0, 360.0])
        if command.act is ptz.ScanAct.LEFT_BORDER:
            borders[0] = start.pan
        elif command.act is ptz.ScanAct.RIGHT_BORDER:
            borders[1] = start.pan
        elif command.act is ptz.ScanAct.START:
            # The picture moves from right to left first (A.3.7).
            self._cruise = None
            self._motion = _Steady(Place(borders[1] % 360.0, start.tilt, start.zoom), now, -PAN_DEG_S / 10)


def _within(value: float, limits: tuple[float, float]) -> float:
    return min(max(value, limits[0]), limits[1])
