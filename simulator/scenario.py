"""Scenarios: which stations, how many, what they do, where they report; read from TOML, strictly."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, replace
from difflib import get_close_matches
from importlib import resources
from pathlib import Path
from typing import Any, Final

from stationgate.exits import UsageFault, reason
from stationgate.language import _
from stationgate.textfile import parse_toml, read_text

from .door import DoorSettings
from .faults import UnknownFaultError, find

__all__ = ["MAX_STATIONS", "Scenario", "StationGroup", "Target", "load", "parse", "template", "template_kinds"]

#: Stations in one process: each needs a descriptor and, towards one address, an ephemeral port.
MAX_STATIONS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Target:
    """The platform."""

    host: str = "127.0.0.1"
    port: int = 0

    @property
    def is_private(self) -> bool:
        """Whether the address is loopback or private, so that nobody else is hit by mistake."""
        if self.host == "localhost":
            return True
        try:
            address = ipaddress.ip_address(self.host)
        except ValueError:
            return False
        address = getattr(address, "ipv4_mapped", None) or address
        return address.is_loopback or address.is_private


@dataclass(frozen=True, slots=True)
class StationGroup:
    """Stations of one kind that differ in their identity only."""

    kind: str = "door"
    count: int = 1
    mn: str = "64010000ACCE550000000001"
    pw: str = field(default="123456", repr=False)
    interval_s: float = 900.0
    form: str = "3020"
    log: bool = True
    openings_per_hour: int = 2
    people: int = 4
    start_spread_s: float = 0.0
    faults: tuple[str, ...] = ()

    def settings(self, index: int) -> DoorSettings:
        """Return the settings of the station ``index``, from 0."""
        mn = f"{int(self.mn, 16) + index:0{len(self.mn)}X}"
        return DoorSettings(mn=mn, pw=self.pw, interval_s=self.interval_s, form=self.form, writes_log=self.log)


@dataclass(frozen=True, slots=True)
class Scenario:
    """A whole scenario."""

    seed: int = 1
    duration_s: float = 3600.0
    target: Target = field(default_factory=Target)
    station: tuple[StationGroup, ...] = (StationGroup(),)

    def identities(self) -> Iterator[tuple[StationGroup, int]]:
        """Yield every station as its group and its index in it, always in the same order."""
        for group in self.station:
            for index in range(group.count):
                yield group, index

    def with_stations(self, count: int) -> Scenario:
        """Return the scenario with ``count`` stations in its first group."""
        return _checked(replace(self, station=(replace(self.station[0], count=count), *self.station[1:])))


def load(source: str) -> Scenario:
    """Read a scenario file.

    Raises:
        UsageFault: If it cannot be read, is no TOML, or holds something a scenario cannot.
    """
    try:
        text = read_text(Path(source))
    except OSError as error:
        raise UsageFault(
            _("cannot read the scenario {file}: {why}").format(file=source, why=reason(error)),
            _("print one with: simulator new > city.toml"),
        ) from error
    return parse(text, source)


def parse(text: str, name: str = "scenario") -> Scenario:
    """Read the text of a scenario.

    Raises:
        UsageFault: If it is no TOML, or holds something a scenario cannot.
    """
    data = parse_toml(text, name)
    target = _record(Target, data.pop("target", {}), "[target]")
    groups = data.pop("station", [{}])
    if not isinstance(groups, list) or not groups:
        raise UsageFault(_("[[station]]: expected one table or more"))
    stations = tuple(_group(_record(StationGroup, group, "[[station]]")) for group in groups)
    if target.port > 65535:
        raise UsageFault(_("[target] port: expected 1 to 65535, found {port}").format(port=target.port))
    return _checked(replace(_record(Scenario, data, ""), target=target, station=stations))


def _checked(scenario: Scenario) -> Scenario:
    """Return the scenario if its stations fit into one process and each has an MN of its own."""
    total = sum(group.count for group in scenario.station)
    if total > MAX_STATIONS:
        raise UsageFault(
            _("{count} stations, at most {limit} in one process").format(count=total, limit=MAX_STATIONS),
            _("divide them with --shard I/N"),
        )
    free: dict[int, int] = {}  # by the length of the MN: the first number behind those taken
    for group in sorted(scenario.station, key=lambda group: int(group.mn, 16)):
        first, size = int(group.mn, 16), len(group.mn)
        if group.count and first < free.get(size, 0):
            raise UsageFault(_("[[station]] mn: two stations would be {mn}").format(mn=group.mn))
        if first + group.count > 16**size:
            raise UsageFault(_("[[station]] mn: {mn} leaves no room to count up").format(mn=group.mn))
        free[size] = max(first + group.count, free.get(size, 0))
    return scenario


def _record(kind: type[Any], given: Any, place: str) -> Any:
    """Build a record from a table, each key known and each value of its type."""
    if not isinstance(given, dict):
        raise UsageFault(_("{place}: expected a table of keys").format(place=place))
    known = {f.name: f for f in fields(kind)}
    values = {}
    for key, value in given.items():
        if key not in known:
            near = get_close_matches(key, known, n=1, cutoff=0.5)
            hint = _("did you mean {name}?").format(name=near[0]) if near else _("known are: {names}").format(
                names=", ".join(known)
            )  # fmt: skip
            raise UsageFault(_("{place} {key}: no such key").format(place=place, key=key).strip(), hint)
        check, wanted = _TYPES[str(known[key].type)]
        if not check(value):
            raise UsageFault(
                _("{place} {key}: expected {wanted}, found {found!r}")
                .format(place=place, key=key, wanted=wanted(), found="***" if key == "pw" else value)
                .strip()
            )
        values[key] = tuple(value) if isinstance(value, list) else value
    return kind(**values)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


_TYPES: dict[str, tuple[Callable[[Any], bool], Callable[[], str]]] = {
    "str": (lambda v: isinstance(v, str) and v != "", lambda: _("text in quotes")),
    "int": (lambda v: isinstance(v, int) and not isinstance(v, bool) and v >= 0, lambda: _("a whole number")),
    "float": (_is_number, lambda: _("a number of seconds")),
    "bool": (lambda v: isinstance(v, bool), lambda: _("true or false")),
    "tuple[str, ...]": (
        lambda v: isinstance(v, list) and all(isinstance(name, str) for name in v),
        lambda: _("a list of names"),
    ),
}


def _group(group: StationGroup) -> StationGroup:
    for name in group.faults:
        try:
            find(name)
        except UnknownFaultError as error:
            raise UsageFault(str(error), _("list them with: simulator faults")) from error
    if group.kind != "door":
        raise UsageFault(_("[[station]] kind: {kind!r} is not known; known is: door").format(kind=group.kind))
    if group.form not in ("3020", "2011"):
        raise UsageFault(_('[[station]] form: expected "3020" or "2011", found {form!r}').format(form=group.form))
    if group.interval_s < 1:
        raise UsageFault(_("[[station]] interval_s: expected 1 s or more"))
    if not re.fullmatch("[0-9A-Fa-f]+", group.mn):
        raise UsageFault(_("[[station]] mn: expected hexadecimal digits, found {mn!r}").format(mn=group.mn))
    return group


def template_kinds() -> list[str]:
    """Return the kinds of station that :func:`template` has a scenario for."""
    folder = resources.files(__package__).joinpath("scenarios")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def template(kind: str) -> str:
    """Return the commented scenario of one kind of station."""
    return resources.files(__package__).joinpath(f"scenarios/{kind}.toml").read_text("utf-8")
