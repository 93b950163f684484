"""From what stations did to what a scenario says of them: a profile each, and those with the same one together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from statistics import fmean, median
from typing import Final

from hj212 import HJ_212_2017, Edition

from ..faults import UnknownFaultError, find
from ..personalities.kinds import HJ212, kinds
from .messages import newness, style_of
from .quirks import Shown
from .readings import Readings
from .stations import Station
from .steps import BEIJING_S, Steps, is_steady, steps

__all__ = ["Group", "Profile", "group_up", "playable", "profile_of"]

#: Longest time between two reports that a scenario can say.
_MAX_INTERVAL_S: Final = 86_400.0
#: A clock that is off by less is right: reports wait that long in queues.
CLOCK_S: Final = 5.0
#: Turns of the hour or day without a report behind them that make it one that is not sent.
_SILENT_TURNS: Final = 2
#: What a drifting timer loses with every report: nobody sets an interval of whole minutes and three seconds.
_DRIFT_S: Final = 3.0
_BY_CLOCK_FAULT: Final = {"clock-90s-fast": 90.0, "clock-30s-fast": 30.0}
_BY_DELAY_FAULT: Final = {"late-upload": 400.0, "slow-upload": 90.0}


@dataclass(frozen=True)
class Profile:
    """What is the same for every station of a group. ``None``: the capture does not tell.

    Attributes:
        kind: Kind of station. ``certain``: whether its ST says so; else it was told by its factors.
        st: Its system code. ``mn_length``: characters of its MN.
        edition: ``2005``, ``2017`` or ``2025``.
        interval_s, phase, minute_interval, hour, day, form, log: As the keys of a scenario.
        signals: Codes of its factors, in their order.
        encrypted: Whether data areas are ciphertext.
        faults: Faults that are always there.
    """

    kind: str
    certain: bool
    st: str
    mn_length: int
    edition: str
    interval_s: float | None = None
    phase: str | None = None
    minute_interval: int | None = None
    hour: bool | None = None
    day: bool | None = None
    form: str | None = None
    log: bool | None = None
    signals: tuple[str, ...] | None = None
    encrypted: bool = False
    faults: tuple[str, ...] = ()

    def suits(self, other: Profile) -> bool:
        """Tell whether another says nothing else, where both say something."""
        return all(a is None or b is None or a == b for a, b in zip(self._said, other._said, strict=True))

    def filled(self, other: Profile) -> Profile:
        """Return it with what only the other knows."""
        missing = {name: getattr(other, name) for name in self.__dataclass_fields__ if getattr(self, name) is None}
        return replace(self, **missing)

    @property
    def unknown(self) -> int:
        """How much of it the capture does not tell."""
        return sum(each is None for each in self._said)

    @cached_property
    def _said(self) -> tuple[object, ...]:
        """All of it: each profile is compared with many."""
        return tuple(getattr(self, name) for name in self.__dataclass_fields__)


@dataclass
class Group:
    """Stations with one profile.

    Attributes:
        profile: What they have in common.
        stations: The stations.
    """

    profile: Profile
    stations: list[Station] = field(default_factory=list)

    def readings(self) -> dict[str, Readings]:
        """Return what each factor read, of all stations together."""
        found: dict[str, Readings] = {}
        for code in self.profile.signals or ():
            found[code] = Readings()
            for station in self.stations:
                one = station.readings.get(code) or station.readings.get(f"minute/{code}")
                if one is not None:
                    found[code].merge(one)
        return {code: readings for code, readings in found.items() if readings.count}

    def sometimes(self) -> dict[str, Shown]:
        """Return the faults that are there now and then."""
        found: dict[str, Shown] = {}
        for station in self.stations:
            for name, shown in _faults(station, kinds()[self.profile.kind].family).items():
                if name not in self.profile.faults:
                    total = found.setdefault(name, Shown())
                    total.times += shown.times
                    total.chances += shown.chances
        return {name: shown for name, shown in found.items() if shown.times > 1}

    def unknown(self) -> Counter[str]:
        """Return how many frames are wrong in a way that no fault is."""
        total: Counter[str] = Counter()
        for station in self.stations:
            total += station.quirks.unknown
        return total

    def openings_per_hour(self) -> float | None:
        """Return how often a door is opened in an hour; ``None`` where it was not seen for long enough."""
        hours = sum(station.seconds for station in self.stations) / 3600
        openings = sum(max(station.openings, station.records) for station in self.stations)
        return openings / hours if hours >= 0.5 else None

    def people(self) -> int:
        """Return how many people were seen at a door, on the average."""
        return round(fmean(station.people for station in self.stations))

    def clock_offset_s(self) -> float | None:
        """Return how far clocks are off, the median station's."""
        found = [offset for station in self.stations if (offset := _offset(station)) is not None]
        return median(found) if found else None

    def spacing_s(self) -> float | None:
        """Return the time between repeats of what nobody answers."""
        found = [each for station in self.stations for each in station.resends.spacing_s]
        return median(found) if found else None

    def rhythm(self, kind: str = "periodic") -> Steps | None:
        """Return the rhythm of the station that was seen most."""
        found = [steps(station.times.get(kind, ())) for station in self.stations]
        return max((each for each in found if each), key=lambda each: each.count, default=None)


def group_up(stations: Iterable[Station]) -> list[Group]:
    """Return groups of stations with the same profile, in the order in which their first station comes."""
    groups: list[Group] = []
    exact: dict[Profile, Group] = {}
    waiting: list[tuple[Profile, Station]] = []
    order: dict[int, int] = {}
    for station in stations:
        order[id(station)] = len(order)
        profile = profile_of(station)
        if profile.unknown:
            waiting.append((profile, station))
        elif profile in exact:
            exact[profile].stations.append(station)
        else:
            exact[profile] = Group(profile, [station])
            groups.append(exact[profile])
    for profile, station in sorted(waiting, key=lambda each: each[0].unknown):
        fitting = next((group for group in groups if group.profile.suits(profile)), None)
        if fitting is None:
            groups.append(Group(profile, [station]))
        else:
            fitting.profile = fitting.profile.filled(profile)
            fitting.stations.append(station)
    return sorted(groups, key=lambda group: min(order[id(station)] for station in group.stations))


def playable(name: str, family: str) -> bool:
    """Tell whether stations of a family can have a fault."""
    try:
        return find(name).fits(family)
    except UnknownFaultError:
        return False


def profile_of(station: Station) -> Profile:
    """Return what a station is like."""
    kind, certain = _kind(station)
    family = kinds()[kind].family
    edition = _edition(station)
    faults = [name for name, shown in _faults(station, family).items() if shown.always and playable(name, family)]
    faults += [name for name in _timing_faults(station) if playable(name, family)]
    told = _rhythm(station)
    interval = told.interval_s if told else None
    if interval and interval > _DRIFT_S and (interval - _DRIFT_S) % 60 == 0 and playable("drifting-timer", family):
        interval -= _DRIFT_S
        faults.append("drifting-timer")
    st = station.st.most_common(1)[0][0] if station.st else ""
    if "st-32" in faults:
        st = "81"
    profile = Profile(
        kind=kind,
        certain=certain,
        st=st if len(st) == 2 and st.isascii() and st.isalnum() and st == st.upper() else "",
        mn_length=station.mn_length if station.mn_hex else 24,
        edition=edition.value,
        interval_s=interval,
        encrypted=station.encrypted > sum(station.commands.values()) / 2,
        faults=tuple(sorted(faults)),
    )
    if family == "door":
        form = station.forms.most_common(1)[0][0] if station.forms else None
        people = station.openings or station.records
        return replace(
            profile, phase="", minute_interval=0, hour=False, day=False, form=form,
            log=station.logs > 0 if people else None, signals=(),
        )  # fmt: skip
    return replace(
        profile,
        form="",
        log=False,
        phase=None if told is None else "clock" if told.on_the_clock else "spread",
        minute_interval=_minutes(station),
        hour=_sent_at_turns(station, "hour", 3600),
        day=_sent_at_turns(station, "day", 86_400),
        signals=_signals(station, kind) if not profile.encrypted else (),
    )


def _faults(station: Station, family: str) -> dict[str, Shown]:
    """Return the faults that a station showed, under the names that its family has for them."""
    found = station.quirks.found()
    # Who sends every frame twice, and who sends every upload twice, does the same.
    if "frame-twice" in found and playable("duplicate-packet", family):
        found["duplicate-packet"] = found.pop("frame-twice")
    return found


@cache
def _kinds_by_st() -> dict[str, str]:
    found: dict[str, str] = {}
    for name, kind in kinds().items():
        if kind.protocol == HJ212:
            for st in (kind.st, *kind.st_by_edition.values()):
                found.setdefault(st, name)
    return found


#: First letter of a code, where no ST says what a station is.
_BY_LETTER: Final = {"w": "water", "a": "flue-gas", "L": "noise", "e": "power", "g": "power", "d": "power"}


def _kind(station: Station) -> tuple[str, bool]:
    """Return the kind of station, and whether its ST says so."""
    if station.of_door:
        return "door", True
    st = station.st.most_common(1)[0][0] if station.st else ""
    if st in _kinds_by_st():
        return _kinds_by_st()[st], True
    codes = [code.removeprefix("minute/") for code in station.readings]
    letters = Counter(_BY_LETTER[code[0]] for code in codes if code[0] in _BY_LETTER)
    found = letters.most_common(1)[0][0] if letters else "water"
    return ("air" if found == "flue-gas" and st.startswith("2") else found), False


def _edition(station: Station) -> Edition:
    """Return the edition that Flag declares; without Flag, or where it contradicts the codes, that of the codes."""
    declared = station.editions.most_common(1)[0][0] if station.editions else None
    styles = Counter(style_of(code.removeprefix("minute/")) for code in station.readings)
    of_codes = styles.most_common(1)[0][0] if styles else None
    of_doors = Edition(kinds()["door"].edition) if station.of_door else None
    known = [Edition(str(found)) for found in (declared, of_codes, of_doors) if found is not None]
    return max(known, key=newness) if known else Edition(kinds()["water"].edition)


def _rhythm(station: Station) -> Steps | None:
    """Return the rhythm of the periodic report, ``None`` where none is to be seen."""
    found = steps(station.times.get("periodic", ()))
    composed = steps(station.composed.get("periodic", ()))
    if composed is not None and (found is None or composed.count >= 1.5 * found.count):
        found = composed  # DataTime is cut to the minute, and reports are closer together
    if found is None or not is_steady(found) or not 1 <= found.interval_s <= _MAX_INTERVAL_S:
        return None
    return found


def _minutes(station: Station) -> int | None:
    found = steps(station.times.get("minute", ()))
    if found is None:
        if "minute" in station.times:
            return None
        # Longer than any interval of minutes: there are none.
        return 0 if _turns(station, 3600) >= _SILENT_TURNS else None
    minutes = round(found.interval_s / 60)
    return minutes if minutes in HJ_212_2017.minute_intervals else None


def _sent_at_turns(station: Station, kind: str, length_s: int) -> bool | None:
    """Tell whether a statistic is reported when an hour or a day turns; ``None`` where too few turned."""
    if kind in station.times:
        return True
    return False if _turns(station, length_s) >= _SILENT_TURNS else None


def _turns(station: Station, length_s: int) -> int:
    """Return how often an hour or a day turned between reports that are there on both sides."""
    seen = {(instant + BEIJING_S) // length_s for instant in station.times.get("periodic", ())}
    return sum(turn + 1 in seen for turn in seen)


def _signals(station: Station, kind: str) -> tuple[str, ...] | None:
    codes = [code for code in station.readings if "/" not in code]
    codes = codes or [code.removeprefix("minute/") for code in station.readings]
    if kinds()[kind].family != "logger":
        return ()
    if kind == "noise":
        codes = sorted(codes, key=lambda code: code not in ("LA", "Leq"))[:1]
    return tuple(codes) or None


def _offset(station: Station) -> float | None:
    """Return how far a station's clock is ahead."""
    found = [each for offsets in station.offsets.values() for each in offsets]
    return _least_delayed(found)


def _least_delayed(offsets: Sequence[float]) -> float | None:
    """Return the offset of what waited least, ``None`` where too little was seen.

    Nothing is sent before it is composed, and much waits behind what nobody answers. The two largest are left out: a
    clock may be set.
    """
    return sorted(offsets)[-3] if len(offsets) > 2 else None


def _timing_faults(station: Station) -> list[str]:
    """Name a clock that is wrong as a fault has it, and timed reports that are late while the others are not."""
    offset = _offset(station)
    found = [] if offset is None else [n for n, s in _BY_CLOCK_FAULT.items() if abs(offset - s) <= CLOCK_S]
    timed = station.offsets.get("periodic", [])
    if offset is not None and len(timed) > 2:
        late = offset - max(timed)  # even the one that waited least
        found += [name for name, usual in _BY_DELAY_FAULT.items() if abs(late - usual) <= CLOCK_S]
    return found
