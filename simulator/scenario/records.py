"""A scenario as frozen records: what the file says, checked, with every default filled in.

The fields of a record are the keys of its table (``keys.csv`` has their words); units stand in their names.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from ..draws import draw
from ..personalities.kinds import GB28181, Kind, kinds
from ..world.levels import Level
from .identities import nth

if TYPE_CHECKING:
    from ..personalities.door import DoorSettings
    from .hook import Hook

__all__ = [
    "MAX_STATIONS",
    "Event",
    "FaultPlan",
    "Listed",
    "Load",
    "Member",
    "Scenario",
    "SipTarget",
    "SiteGroup",
    "StationGroup",
    "Target",
    "is_private",
    "shift_span",
]

#: Stations of one scenario. What fits into one process, and into one address, is the engine's business.
MAX_STATIONS: Final = 1_000_000


def is_private(host: str) -> bool:
    """Tell whether a host is this machine or of a private network, so that nobody else is hit by mistake.

    A name other than ``localhost`` is not: where it leads is decided elsewhere.
    """
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    address = getattr(address, "ipv4_mapped", None) or address
    return address.is_loopback or address.is_private


@dataclass(frozen=True, slots=True)
class Target:
    """The platform that HJ 212 stations report to."""

    host: str = "127.0.0.1"
    port: int = 0  #: 0 where none was given
    sources: tuple[str, ...] = ()  #: local addresses to connect from, one each; empty: the system chooses

    @property
    def is_private(self) -> bool:
        """Whether the address is loopback or private, so that nobody else is hit by mistake."""
        return is_private(self.host)


@dataclass(frozen=True, slots=True)
class SipTarget:
    """The platform that GB/T 28181 devices register with."""

    host: str = "127.0.0.1"
    port: int = 0  #: 0 where none was given
    transport: str = "udp"  #: ``udp`` or ``tcp``
    id: str = "34020000002000000001"
    domain: str = ""  #: filled in: the first ten digits of ``id``
    sources: tuple[str, ...] = ()  #: local addresses, one each; empty: the system chooses
    devices_per_socket: int = 100  #: cameras that share a UDP socket of one address

    def __post_init__(self) -> None:
        if not self.domain:
            object.__setattr__(self, "domain", self.id[:10])

    @property
    def is_private(self) -> bool:
        """Whether the address is loopback or private, so that nobody else is hit by mistake."""
        return is_private(self.host)


@dataclass(frozen=True, slots=True)
class SiteGroup:
    """Sites that differ in their name only. Their lines are ``line1``, ``line2``, ..., their units ``unit1``, ..."""

    name: str = "site"
    count: int = 1
    lines: int = 1  #: production lines
    line_kw: float = 200.0  #: rated power of each
    shifts: tuple[str, ...] = ("08:00-20:00",)  #: ``HH:MM-HH:MM``, Beijing time; may pass midnight
    weekends: bool = True  #: whether production runs on Saturdays and Sundays
    units: int = 1  #: treatment units
    unit_kw: float = 45.0  #: rated power of each
    people: int = 4
    openings_per_hour: int = 2
    outlet: str = "water"  #: ``water``, ``flue-gas``, ``air``, ``noise`` or ``voc``

    @property
    def line_names(self) -> tuple[str, ...]:
        """Names of the lines."""
        return tuple(f"line{number}" for number in range(1, self.lines + 1))

    @property
    def unit_names(self) -> tuple[str, ...]:
        """Names of the treatment units."""
        return tuple(f"unit{number}" for number in range(1, self.units + 1))

    def lines_of(self, unit: int) -> tuple[str, ...]:
        """Return the lines whose emissions a unit treats, units counted from 0: lines and units are linked in turn."""
        if self.units > self.lines:
            return self.line_names[unit % self.lines :][:1] if self.lines else ()
        return self.line_names[unit :: self.units]

    def name_of(self, index: int) -> str:
        """Return the name of one site, from 0: the group's own where it is the only one."""
        return self.name if self.count == 1 else f"{self.name}-{index + 1}"

    def index_of(self, name: str) -> int | None:
        """Return which site of the group has a name, from 0; ``None`` where none has."""
        if self.count == 1:
            return 0 if name == self.name else None
        head, dash, number = name.rpartition("-")
        if head != self.name or not dash or not number.isdecimal() or number.startswith("0"):
            return None
        return int(number) - 1 if 0 < int(number) <= self.count else None

    @property
    def shift_seconds(self) -> tuple[tuple[int, int], ...]:
        """The shifts as seconds after midnight, Beijing time; one that passes midnight ends above 86,400."""
        return tuple(shift_span(text) for text in self.shifts)


def shift_span(text: str) -> tuple[int, int]:
    """Return where a shift begins and ends, in seconds after midnight; one that passes midnight ends above 86,400."""
    begin, end = ((int(part[:2]) * 60 + int(part[3:])) * 60 for part in text.split("-"))
    return begin, end if end > begin else end + 86_400


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of a file of identities. What is empty there is the group's."""

    identity: str
    pw: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    st: str = ""
    site: int | None = None  #: index of its site in the group's :class:`SiteGroup`
    name: str = ""


@dataclass(frozen=True, slots=True)
class StationGroup:
    """Stations of one kind that differ in their identity only.

    What is left empty is filled in by the kind: name, ``mn`` or ``id``, ``st``, ``edition``, ``interval_s``, ``phase``.
    """

    kind: str = "door"
    count: int = 1
    name: str = ""
    site: str = ""  #: name of its :class:`SiteGroup`; empty: each station is a site of its own
    per_site: int = 1
    mn: str = ""
    id: str = ""
    pw: str = field(default="123456", repr=False)
    password: str = field(default="12345678", repr=False)
    key: str = field(default="", repr=False)  #: SM4 key, 32 hexadecimal digits; empty: nothing is encrypted
    st: str = ""
    edition: str = ""  #: ``2005``, ``2017``, ``2025`` of HJ 212; ``2016``, ``2022`` of GB/T 28181
    dictionary: str = "nx"
    interval_s: float = 0.0
    minute_interval: int = 10  #: minutes; 0: no minute data
    hour: bool = True
    day: bool = True
    signals: tuple[str, ...] = ()  #: factor codes; empty: those of the kind
    levels: tuple[tuple[str, Level], ...] = ()  #: code and what it reads; the others follow the plant
    codes: tuple[tuple[str, str], ...] = ()  #: quantity and its code; empty: those of the edition
    form: str = "3020"
    log: bool = True
    openings_per_hour: int = 2
    people: int = 4
    in_flight: int = 4
    phase: str = ""  #: ``start``, ``clock`` or ``spread``
    keepalive_s: float = 60.0
    expires_s: float = 3600.0
    channels: int = 4
    start_spread_s: float = 0.0
    faults: tuple[str, ...] = ()
    identities: str = ""  #: the file that ``listed`` was read from
    listed: tuple[Listed, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        kind = kinds()[self.kind]
        fill = {
            "name": self.kind,
            "id" if kind.protocol == GB28181 else "mn": kind.first_in(self.edition or kind.edition),
            "edition": kind.edition,
            "interval_s": kind.interval_s,
            "phase": kind.phase,
        }
        for key, value in fill.items():
            if not getattr(self, key):
                object.__setattr__(self, key, value)
        if not self.st:
            object.__setattr__(self, "st", kind.st_in(self.edition))

    @property
    def personality(self) -> Kind:
        """The kind as a record."""
        return kinds()[self.kind]

    @property
    def protocol(self) -> str:
        """``hj212`` or ``gb28181``."""
        return kinds()[self.kind].protocol

    @property
    def first(self) -> str:
        """The identity from which the others count up: an MN, or a code of twenty digits."""
        return self.id if self.protocol == GB28181 else self.mn

    @property
    def own_site(self) -> SiteGroup:
        """What the site of each station is like where ``site`` is empty."""
        outlet = self.personality.outlet or SiteGroup().outlet
        return SiteGroup(outlet=outlet, people=self.people, openings_per_hour=self.openings_per_hour)

    def identity(self, index: int) -> str:
        """Return the identity of the station ``index``, from 0."""
        return self.listed[index].identity if self.listed else nth(self.first, index, self.protocol)

    def settings(self, index: int) -> DoorSettings:
        """Return the settings of the door ``index``, from 0."""
        from ..codes import Codes
        from ..personalities.door import DoorSettings

        row = self.listed[index] if self.listed else None
        return DoorSettings(
            mn=self.identity(index),
            pw=(row and row.pw) or self.pw,
            st=(row and row.st) or self.st,
            interval_s=self.interval_s,
            form=self.form,
            writes_log=self.log,
            codes=Codes.of(self.dictionary),
        )


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """A defect that some stations have for some time."""

    name: str
    select: tuple[str, ...] = ()  #: terms that must all fit; empty: every station
    begin_s: float = 0.0  #: seconds from the start
    for_s: float | None = None  #: ``None``: to the end, or once where ``once``
    once: bool = False  #: acts the first time it can, from ``begin_s`` on
    probability: float = 1.0  #: each time it could act


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happens to stations or to sites at an instant."""

    what: str
    begin_s: float = 0.0  #: seconds from the start
    for_s: float = 300.0
    select: tuple[str, ...] = ()  #: terms that must all fit; empty: every station
    site: str = ""  #: name of a site or of a group of them; empty: every site
    where: str = "*"  #: name of a line or unit; ``*``: all that it can happen to
    share: float | None = None  #: of the load, that remains; ``None``: as usual for what happens
    delay_s: float | None = None  #: of a late start or an early stop; ``None``: as usual
    step_s: float = 60.0  #: of the clock; negative: back
    spread_s: float = 0.0  #: they come back over this many seconds


@dataclass(frozen=True, slots=True)
class Load:
    """The shape of the load. What a preset means is in :mod:`~simulator.scenario.shapes`."""

    preset: str = ""  #: ``hourly-peak``, ``midnight``, ``new-year``, ``power-cut`` or none
    ramp_s: float = 0.0  #: the stations are switched on evenly over this long
    lead_s: float = 120.0  #: the run begins this long before the preset's instant
    begin_s: float | None = None  #: power-cut: when, seconds from the start; ``None``: after ``lead_s``
    for_s: float = 300.0  #: power-cut: how long
    spread_s: float = 10.0  #: power-cut: all come back over this long


@dataclass(frozen=True, slots=True)
class Member:
    """One station of a scenario.

    Attributes:
        number: Which it is of all, from 0; shard I of N plays those with ``number % N == I``.
        group: Its group.
        index: Which it is of its group, from 0.
        identity: Its MN, or its code of twenty digits.
        site_group: The sites it belongs to; ``None`` where it is a site of its own.
        site_index: Which of those sites, from 0.
    """

    number: int
    group: StationGroup
    index: int
    identity: str
    site_group: SiteGroup | None
    site_index: int

    @property
    def listed(self) -> Listed | None:
        """Its row in the file of identities."""
        return self.group.listed[self.index] if self.group.listed else None

    @property
    def pw(self) -> str:
        """Access password of HJ 212."""
        row = self.listed
        return (row and row.pw) or self.group.pw

    @property
    def password(self) -> str:
        """SIP password of GB/T 28181."""
        row = self.listed
        return (row and row.password) or self.group.password

    @property
    def key(self) -> str:
        """SM4 key of HJ 212-2025, hexadecimal; empty where nothing is encrypted."""
        row = self.listed
        return (row and row.key) or self.group.key

    @property
    def st(self) -> str:
        """System code of HJ 212."""
        row = self.listed
        return (row and row.st) or self.group.st

    @property
    def name(self) -> str:
        """What people call it; empty where nobody gave it a name."""
        row = self.listed
        return row.name if row else ""

    @property
    def site(self) -> SiteGroup:
        """What its site is like."""
        return self.site_group or self.group.own_site

    @property
    def site_name(self) -> str:
        """Name of its site, by which the site's world is drawn; its identity where it is a site of its own."""
        return self.site_group.name_of(self.site_index) if self.site_group else self.identity


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario."""

    seed: int = 1
    duration_s: float = 3600.0
    target: Target = field(default_factory=Target)
    station: tuple[StationGroup, ...] = (StationGroup(),)
    sip: SipTarget = field(default_factory=SipTarget)
    site: tuple[SiteGroup, ...] = ()
    fault: tuple[FaultPlan, ...] = ()
    event: tuple[Event, ...] = ()
    load: Load = field(default_factory=Load)
    start: datetime | None = None  #: with its offset; ``None``: now, on the virtual clock a fixed instant
    hook: str = ""
    program: Hook | None = field(default=None, repr=False)  #: what ``hook`` names, read

    @property
    def epoch(self) -> float | None:
        """``start`` in POSIX seconds, to the millisecond; ``None`` where the scenario leaves it to the clock."""
        return None if self.start is None else round(self.start.timestamp(), 3)

    @property
    def count(self) -> int:
        """Number of stations."""
        return sum(group.count for group in self.station)

    @property
    def protocols(self) -> frozenset[str]:
        """The protocols that its stations speak."""
        return frozenset(group.protocol for group in self.station if group.count)

    def site_group(self, name: str) -> SiteGroup | None:
        """Return the sites of a name, ``None`` where there are none."""
        return next((sites for sites in self.site if sites.name == name), None)

    def members(self, index: int = 0, of: int = 1) -> Iterator[Member]:
        """Yield the stations of one shard, always in the same order; by default all of them.

        Args:
            index: The shard, from 0.
            of: How many shards there are.
        """
        number = 0
        for group in self.station:
            sites = self.site_group(group.site) if group.site else None
            for n in range((index - number) % of, group.count, of):
                yield Member(number + n, group, n, group.identity(n), sites, _site_index(group, n))
            number += group.count

    def identities(self) -> Iterator[tuple[StationGroup, int]]:
        """Yield every station as its group and its index in it, always in the same order."""
        for group in self.station:
            for index in range(group.count):
                yield group, index

    def switch_on_s(self, member: Member) -> float:
        """Return when a station is switched on, in seconds from the start: its place on the ramp and its own draw."""
        group = member.group
        ramp_s = self.load.ramp_s * member.number / self.count if self.load.ramp_s else 0.0
        spread_s = group.start_spread_s * draw(self.seed, member.identity, "start", 0) if group.start_spread_s else 0.0
        return round(ramp_s + spread_s, 3)

    def with_stations(self, count: int) -> Scenario:
        """Return the scenario with ``count`` stations in its first group, and as many sites as they need.

        Raises:
            UsageFault: If that is more than the scenario has identities for.
        """
        from .checking import checked, checked_count

        first = checked_count(self.station[0], count)
        sites = tuple(
            replace(one, count=max(one.count, -(-count // first.per_site))) if one.name == first.site else one
            for one in self.site
        )
        return checked(replace(self, station=(first, *self.station[1:]), site=sites))


def _site_index(group: StationGroup, index: int) -> int:
    if group.listed:
        listed = group.listed[index].site
        if listed is not None:
            return listed
    return index // group.per_site
