"""TOML to records, strictly: what is not understood is refused, with the nearest thing that is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from hj212.editions import RULES as HJ212_RULES
from hj212.editions import Edition as HJ212Edition
from stationgate.exits import UsageFault, reason
from stationgate.language import _
from stationgate.textfile import parse_toml, read_text

from ..faults import UnknownFaultError, find
from ..personalities.kinds import EDITIONS, HJ212, Kind, kinds
from . import hook, shapes
from .checking import checked, did_you_mean
from .keys import TABLES, event_rows, keys
from .listing import read_listing
from .places import Place
from .records import Event, FaultPlan, Load, Scenario, SipTarget, SiteGroup, StationGroup, Target
from .selection import selection
from .values import READERS, Given, Unfit

__all__ = ["load", "parse"]

#: What a station has from its site, where it has one.
_OF_THE_SITE: Final = ("openings_per_hour", "people")


def load(source: str) -> Scenario:
    """Read a scenario file, with the files of identities and the hook that it names beside itself.

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
    return parse(text, source, Path(source).parent)


def parse(text: str, name: str = "scenario", folder: Path | None = None) -> Scenario:
    """Read the text of a scenario.

    Args:
        text: The text.
        name: What to call it in an error.
        folder: Where the files are that it names; by default the working directory.

    Raises:
        UsageFault: If it is no TOML, or holds something a scenario cannot.
    """
    return _Reader(text, parse_toml(text, name), folder or Path()).scenario()


class _Reader:
    """One file on its way to records."""

    def __init__(self, text: str, data: dict[str, Any], folder: Path) -> None:
        self._text = text
        self._data = data
        self._folder = folder
        self._start: datetime | None = None

    def scenario(self) -> Scenario:
        top = {key: value for key, value in self._data.items() if key not in TABLES}
        values = self._values(Place(text=self._text), top)
        self._start = values.get("start")
        load = self._record("load", Load)
        self._start = values["start"] = shapes.begin(load, self._start, Place("load", 1, self._text))
        scenario = Scenario(
            **values,
            target=self._record("target", Target),
            sip=self._record("sip", SipTarget),
            load=load,
            site=tuple(self._records("site", self._site)),
        )
        if "station" in self._data:
            # Groups know of the sites that stand above them.
            scenario = replace(scenario, station=tuple(self._records("station", self._group_at(scenario))))
            if not scenario.station:
                raise UsageFault(_("[[station]]: expected one table or more"))
        scenario = replace(
            scenario,
            fault=tuple(self._records("fault", self._fault)),
            event=tuple(self._records("event", self._event)),
        )
        scenario = checked(shapes.expand(scenario))
        if scenario.hook:
            scenario = checked(hook.applied(scenario, self._folder))
        self._check_selections(scenario)
        return scenario

    # Tables

    def _record(self, table: str, kind: Callable[..., Any]) -> Any:
        place = Place(table, 1, self._text)
        return kind(**self._values(place, self._data.get(table, {})))

    def _records(self, table: str, read: Callable[[Place, Any], Any]) -> list[Any]:
        given = self._data.get(table, [])
        if not isinstance(given, list):
            raise Place(table, 1, self._text).fault("", _("expected one table or more"))
        return [read(Place(table, number, self._text), one) for number, one in enumerate(given, 1)]

    def _values(self, place: Place, given: Any, choices: Mapping[str, tuple[str, ...]] | None = None) -> dict[str, Any]:
        """Return the fields that a table sets, each key known and each value as it should be."""
        if not isinstance(given, dict):
            raise place.fault("", _("expected a table of keys"))
        known = keys(place.table)
        values: dict[str, Any] = {}
        for name, value in given.items():
            if name not in known:
                names = [*known, *filter(None, TABLES if not place.table else ())]
                raise place.fault(name, _("no such key"), did_you_mean(name, names))
            key = known[name]
            if key.field in values:
                raise place.fault(name, _("says again what another key of this table says"))
            try:
                values[key.field] = READERS[key.accepts](Given(value, key, self._start, (choices or {}).get(name, ())))
            except Unfit as unfit:
                raise place.unexpected(name, unfit.wanted, value, secret=key.is_secret, hint=unfit.hint) from None
        return values

    def _needs(self, place: Place, given: dict[str, Any], *names: str) -> None:
        for name in names:
            if name not in given:
                raise place.fault("", _("{key} is missing").format(key=name))

    # Sites and stations

    def _site(self, place: Place, given: Any) -> SiteGroup:
        return SiteGroup(**self._values(place, given))

    def _group_at(self, scenario: Scenario) -> Callable[[Place, Any], StationGroup]:
        return lambda place, given: self._group(place, given, scenario)

    def _group(self, place: Place, given: Any, scenario: Scenario) -> StationGroup:
        if not isinstance(given, dict):
            raise place.fault("", _("expected a table of keys"))
        kind = self._kind(place, given)
        values = self._values(place, given, {"kind": tuple(kinds()), "edition": EDITIONS[kind.protocol]})
        for name in given:
            if not kind.is_one_of(keys("station")[name].kinds):
                raise place.fault(name, _("is not for {kind}").format(kind=kind.name), _not_for(name))
            if name in _OF_THE_SITE and "site" in given:
                raise place.fault(name, _("is said by the [[site]] that the stations stand at"))
        rules = HJ212_RULES.get(HJ212Edition(values.get("edition", kind.edition))) if kind.protocol == HJ212 else None
        if rules and "key" in values and rules.encryption is None:
            raise place.fault("key", _("is not for edition {edition}").format(edition=rules.edition.value))
        if "per_site" in given and "site" not in given:
            raise place.fault("per_site", _("needs site"))
        for name in values.get("faults", ()):
            self._known_fault(name)
        sites = scenario.site_group(values.get("site", ""))
        if "identities" in values:
            self._list(place, values, kind, scenario)
            if rules and rules.encryption is None and any(row.key for row in values["listed"]):
                what = _("the column {name} is not for edition {edition}")
                raise place.fault("identities", what.format(name="key", edition=rules.edition.value))
        elif sites and "count" not in values:
            values["count"] = sites.count * values.get("per_site", 1)
        return StationGroup(**values)

    def _kind(self, place: Place, given: dict[str, Any]) -> Kind:
        name = given.get("kind", "door")
        if isinstance(name, str) and name in kinds():
            return kinds()[name]
        raise self._unknown_kind(place, name)

    def _unknown_kind(self, place: Place, name: Any) -> UsageFault:
        try:
            READERS["choice"](Given(name, keys("station")["kind"], choices=tuple(kinds())))
        except Unfit as unfit:
            return place.unexpected("kind", unfit.wanted, name, hint=unfit.hint)
        raise AssertionError(name)

    def _list(self, place: Place, values: dict[str, Any], kind: Kind, scenario: Scenario) -> None:
        """Read the group's file of identities."""
        for key in ("mn", "id"):
            if key in values:
                raise place.fault(key, _("is said by the file of identities"))
        sites = scenario.site_group(values.get("site", ""))
        listed = read_listing(self._folder / values["identities"], kind, values.get("name", ""), sites)
        wanted = values.setdefault("count", len(listed))
        if wanted > len(listed):
            raise place.unexpected(
                "count",
                _("{limit} at most, as many as {file} has").format(limit=len(listed), file=values["identities"]),
                wanted,
            )
        values["listed"] = listed

    # Faults and events

    def _known_fault(self, name: str) -> None:
        try:
            find(name)
        except UnknownFaultError as error:
            raise UsageFault(str(error), _("list them with: simulator faults")) from error

    def _fault(self, place: Place, given: Any) -> FaultPlan:
        values = self._values(place, given)
        self._needs(place, given, "name")
        self._known_fault(values["name"])
        return FaultPlan(**values, once="at" in given and "for_s" not in given)

    def _event(self, place: Place, given: Any) -> Event:
        values = self._values(place, given, {"what": tuple(event_rows())})
        self._needs(place, given, "what", "at")
        row = event_rows()[values["what"]]
        for name in given:
            if name not in ("what", "at") and name not in row.keys:
                raise place.fault(name, _("is not for {kind}").format(kind=row.what), _event_keys(row.keys))
        return Event(**values)

    def _check_selections(self, scenario: Scenario) -> None:
        """Let every selection find what it names."""
        plans: tuple[tuple[str, tuple[FaultPlan | Event, ...]], ...] = (
            ("fault", scenario.fault),
            ("event", scenario.event),
        )
        for table, some in plans:
            given = len(self._data.get(table, []))
            for number, plan in enumerate(some, 1):
                # What a preset or the hook added stands nowhere in the file.
                selection(scenario, plan, Place(table, number, self._text if number <= given else ""))


def _not_for(name: str) -> str:
    users = [kind.name for kind in kinds().values() if kind.is_one_of(keys("station")[name].kinds)]
    return _("it is for: {kinds}").format(kinds=", ".join(users))


def _event_keys(names: tuple[str, ...]) -> str:
    return _("known are: {names}").format(names=", ".join(("what", "at", *names)))
