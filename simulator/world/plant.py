"""Lines and treatment units at work: who runs, at which load, with which electricity, and how much of it so far.

Power wanders around the level of the day in waves whose integral over each wave is nothing, so that energy is a sum
over running stretches and never over ticks. Only the four basic operations are used, which give the same bits on
every machine; exponentials and sines do not.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from ..draws import draw, draw_bytes
from .schedule import Intervention, Line, Piece, Schedule, Unit, day_of

__all__ = ["Electricity", "Plant"]

#: Length of a wave of the load; no multiple of the usual sampling intervals, or every sample would meet the same phase.
_WAVE_S: Final = 1740
#: Height of a wave, as a share of the level, and what makes x(1-x)(1-2x) as high as 1.
_WAVE_SHARE: Final = 0.06
_WAVE_NORM: Final = 10.392304845413264
#: What flickers from second to second, as a share: small, so that power and energy agree within 1 %.
_FLICKER: Final = 0.004
#: What a supplied item takes when it is off: controls, lamps.
_STANDBY: Final = 0.01
_VOLTS: Final = 220.0
_VOLTS_SHARE: Final = 0.02
_BASE_KWH: Final = (10_000, 900_000)


class Electricity(NamedTuple):
    """What a three-phase meter shows at one instant; ``kw`` is the sum of volts x amps x power factor of the phases."""

    volts: tuple[float, float, float]  #: phase to neutral, A B C, about 220; 0 without supply
    amps: tuple[float, float, float]
    kw: float
    power_factor: float  #: 0 where nothing flows


class State(NamedTuple):
    """A stretch in which nothing starts, stops or is bent anywhere in the plant."""

    begin: float
    end: float
    production: float  #: share of the rated production that goes on
    untreated: float  #: share of the rated production that goes on without treatment


class Plant:
    """Everything electric of a site, as functions of the instant.

    What it remembers (the stretch last asked for, the energy up to the last midnight) can be computed anew and changes
    no answer.

    Args:
        lines: Production lines.
        units: Treatment units.
        seed: Of the scenario.
        name: Of the site.
        epoch: POSIX seconds of the start of the scenario: on that local day meters show their base reading.
        interventions: What is done on purpose.

    Raises:
        ValueError: If a name is there twice, or a unit or an intervention names what is not there.
    """

    __slots__ = ("_days", "_earlier", "_epoch", "_lines", "_name", "_now", "_schedule", "_seed", "_state", "_units")

    def __init__(
        self,
        lines: tuple[Line, ...],
        units: tuple[Unit, ...],
        seed: int,
        name: str,
        epoch: float,
        interventions: tuple[Intervention, ...] = (),
    ) -> None:
        self._lines = lines
        self._units = units
        self._seed = seed
        self._name = name
        self._epoch = epoch
        self._schedule = Schedule(lines, units, seed, name, interventions)
        self._now: dict[str, Piece] | None = None
        self._days: dict[str, tuple[int, float]] | None = None
        self._state: State | None = None
        self._earlier: State | None = None
        if units or interventions or len(lines) > 1:
            _check_names(lines, units, interventions)

    @property
    def schedule(self) -> Schedule:
        """When lines and units run."""
        return self._schedule

    @property
    def lines(self) -> tuple[Line, ...]:
        return self._lines

    @property
    def units(self) -> tuple[Unit, ...]:
        return self._units

    def running(self, name: str, at: float) -> bool:
        """Return whether a line or unit runs."""
        return self._piece(self._item(name), at).grade > 0

    def supplied(self, name: str, at: float) -> bool:
        """Return whether a line or unit has voltage."""
        return self._piece(self._item(name), at).supplied

    def load(self, name: str, at: float) -> float:
        """Return the share of the rated power that a line or unit takes, from 0 to 1 and a little above."""
        item = self._item(name)
        level = self._piece(item, at).level
        return level * self._wave(item, at) if level else 0.0

    def electricity(self, name: str, at: float) -> Electricity:
        """Return what the meter of a line or unit shows; it shows nothing new within a second."""
        at = float(at // 1)
        item = self._item(name)
        piece = self._piece(item, at)
        if not piece.supplied:
            return Electricity((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0.0, 0.0)
        load = piece.level * self._wave(item, at) if piece.level else _STANDBY
        supply = draw_bytes(self._seed, self._name, "supply", int(at))
        drawn = draw_bytes(self._seed, self._name, item.name, int(at))
        kw = item.rated_kw * load * (1 + _FLICKER * _unit(drawn, 0))
        factor = 0.62 + 0.28 * min(load / item.load, 1.0) + 0.01 * _unit(drawn, 2)
        shares = [1 + 0.01 * _unit(drawn, lane) for lane in (4, 6, 8)]
        whole = sum(shares)
        volts = tuple(_VOLTS * (1 + _VOLTS_SHARE * _unit(supply, lane)) for lane in (0, 2, 4))
        amps = tuple(1000 * kw * share / whole / (u * factor) for share, u in zip(shares, volts, strict=True))
        return Electricity(volts, amps, kw, factor)  # type: ignore[arg-type]

    def energy_kwh(self, name: str, at: float) -> float:
        """Return the reading of the energy meter of a line or unit: never falls, for it is the integral of its power.

        It costs the days since the epoch where it is asked first, and one day where it is asked day by day.
        """
        item = self._item(name)
        day = day_of(at)
        reading = self._reading(item, day)
        today = 0.0  # summed apart, as for whole days: so no rounding lets the reading fall at midnight
        for piece in self._schedule.pieces(item, day):
            if piece.begin >= at:
                break
            today += self._kwh(item, piece, min(at, piece.end))
        return reading + today

    def state(self, at: float) -> State:
        """Return how much is produced, and how much of it without treatment, and for how long that stays so."""
        state = self._state
        if state is None or not state.begin <= at < state.end:
            state = self._state = self._state_at(at)
        return state

    def activity(self, at: float, over_s: float) -> tuple[float, float]:
        """Return the means of production and of untreated production over the ``over_s`` seconds before an instant."""
        since = at - over_s
        state = self.state(at)
        if state.begin <= since:
            self._earlier = None
            return state.production, state.untreated
        production = untreated = 0.0
        end = at
        while True:
            seconds = end - max(state.begin, since)
            production += seconds * state.production
            untreated += seconds * state.untreated
            if state.begin <= since:
                return production / over_s, untreated / over_s
            end = state.begin
            state = self._state_before(end)

    @property
    def _items(self) -> tuple[Line | Unit, ...]:
        return (*self._lines, *self._units)

    def _item(self, name: str) -> Line | Unit:
        for item in self._items:
            if item.name == name:
                return item
        raise KeyError(f"{self._name} has no line or unit {name!r}")

    def _piece(self, item: Line | Unit, at: float) -> Piece:
        if self._now is None:
            self._now = {}
        piece = self._now.get(item.name)
        if piece is None or not piece.begin <= at < piece.end:
            piece = self._now[item.name] = self._piece_at(item, at)
        return piece

    def _piece_at(self, item: Line | Unit, at: float) -> Piece:
        return next(piece for piece in self._schedule.pieces(item, day_of(at)) if at < piece.end)

    def _amplitude(self, item: Line | Unit, wave: int) -> float:
        return _WAVE_SHARE * (2 * draw(self._seed, self._name, f"{item.name}/wave", wave) - 1)

    def _wave(self, item: Line | Unit, at: float) -> float:
        wave = int(at // _WAVE_S)
        x = (at - wave * _WAVE_S) / _WAVE_S
        return 1 + self._amplitude(item, wave) * _WAVE_NORM * x * (1 - x) * (1 - 2 * x)

    def _risen(self, item: Line | Unit, at: float) -> float:
        """Return the seconds by which the wave that an instant lies in has lengthened the stretch so far."""
        wave = int(at // _WAVE_S)
        x = (at - wave * _WAVE_S) / _WAVE_S
        return self._amplitude(item, wave) * _WAVE_NORM * _WAVE_S * (x * (1 - x)) ** 2 / 2

    def _kwh(self, item: Line | Unit, piece: Piece, end: float) -> float:
        if not piece.supplied:
            return 0.0
        seconds = end - piece.begin
        if not piece.level:
            return item.rated_kw * _STANDBY * seconds / 3600
        seconds += self._risen(item, end) - self._risen(item, piece.begin)
        return item.rated_kw * piece.level * seconds / 3600

    def _day_kwh(self, item: Line | Unit, day: int) -> float:
        return sum(self._kwh(item, piece, piece.end) for piece in self._schedule.pieces(item, day))

    def _reading(self, item: Line | Unit, day: int) -> float:
        """Return the reading at the midnight that begins a local day: always the same sum in the same order."""
        origin = day_of(self._epoch)
        if self._days is None:
            self._days = {}
        known, reading = self._days.get(item.name, (origin, -1.0))
        if reading < 0 or not origin <= known <= day:
            low, high = _BASE_KWH
            known, reading = origin, float(low + int((high - low) * draw(self._seed, self._name, item.name, 0)))
        while known < day:
            reading += self._day_kwh(item, known)
            known += 1
        while known > day:
            known -= 1
            reading -= self._day_kwh(item, known)
        self._days[item.name] = known, reading
        return reading

    def _state_at(self, at: float) -> State:
        if not self._lines:
            return State(float("-inf"), float("inf"), 1.0, 0.0)
        # Not from memory: most stations ask for nothing else, and keep one state instead of a piece for each item.
        pieces = {item.name: self._piece_at(item, at) for item in self._items}
        rated = production = untreated = 0.0
        for line in self._lines:
            made = line.rated_kw * pieces[line.name].grade
            rated += line.rated_kw
            production += made
            untreated += made * (1 - self._treated(line, pieces))
        begin = max(piece.begin for piece in pieces.values())
        end = min(piece.end for piece in pieces.values())
        return State(begin, end, production / rated, untreated / rated)

    def _treated(self, line: Line, pieces: dict[str, Piece]) -> float:
        """Return how much of a line's emissions are treated; where no unit is linked, all that ever is."""
        linked = [unit for unit in self._units if not unit.lines or line.name in unit.lines]
        if not linked:
            return 1.0
        return sum(u.rated_kw * pieces[u.name].grade for u in linked) / sum(u.rated_kw for u in linked)

    def _state_before(self, at: float) -> State:
        """Return the state that ends at an instant."""
        earlier = self._earlier
        if earlier is None or earlier.end != at:
            # Instants are at whole milliseconds or coarser, and a state is longer than one.
            earlier = self._earlier = self._state_at(at - 0.0005)
        return earlier


def _unit(drawn: bytes, at: int) -> float:
    """Return a number from -1 to 1 out of two bytes; those around 0 are likelier."""
    return (drawn[at] + drawn[at + 1] - 255) / 255


def _check_names(lines: tuple[Line, ...], units: tuple[Unit, ...], interventions: tuple[Intervention, ...]) -> None:
    names = [line.name for line in lines] + [unit.name for unit in units]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"two lines or units are named {twice!r}")
    made = {line.name for line in lines}
    for unit in units:
        unknown = next((name for name in unit.lines if name not in made), None)
        if unknown is not None:
            raise ValueError(f"unit {unit.name!r} treats {unknown!r}, which is no line; lines: {sorted(made)}")
    for intervention in interventions:
        if intervention.where not in ("*", *names):
            raise ValueError(
                f"{intervention.what.value} at {intervention.where!r}, which is no line or unit; there are: {names}"
            )
