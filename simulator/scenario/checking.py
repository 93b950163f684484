"""What must hold for a scenario as a whole: how many stations, each with an identity of its own, sites that exist."""

from __future__ import annotations

from dataclasses import replace
from difflib import get_close_matches

from stationgate.exits import UsageFault
from stationgate.language import _

from ..personalities.kinds import GB28181
from .identities import Range, Taken, room
from .records import MAX_STATIONS, Scenario, StationGroup

__all__ = ["checked", "checked_count", "did_you_mean"]


def did_you_mean(word: str, known: list[str]) -> str:
    """Return a hint with the nearest of the known words, or with all of them where none is near."""
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    if near:
        return _("did you mean {name}?").format(name=near[0])
    return _("known are: {names}").format(names=", ".join(known)) if known else ""


def checked(scenario: Scenario) -> Scenario:
    """Return the scenario if it can be played.

    Raises:
        UsageFault: If it has too many stations, two with one identity, or a site that is not there.
    """
    if scenario.count > MAX_STATIONS:
        raise UsageFault(
            _("{count} stations, at most {limit} in one scenario").format(count=scenario.count, limit=MAX_STATIONS)
        )
    _check_sites(scenario)
    _check_identities(scenario)
    return scenario


def checked_count(group: StationGroup, count: int) -> StationGroup:
    """Return a group with another number of stations.

    Raises:
        UsageFault: If its file of identities has fewer.
    """
    if group.listed and count > len(group.listed):
        raise UsageFault(
            _("[[station]] count: expected {limit} at most, as many as {file} has, found {count}").format(
                limit=len(group.listed), file=group.identities, count=count
            )
        )
    return replace(group, count=count)


def _check_sites(scenario: Scenario) -> None:
    names = [sites.name for sites in scenario.site]
    for name in {name for name in names if names.count(name) > 1}:
        raise UsageFault(_("[[site]] name: two are called {name}").format(name=name))
    for group in scenario.station:
        if not group.site:
            continue
        sites = scenario.site_group(group.site)
        if sites is None:
            raise UsageFault(
                _("[[station]] site: no [[site]] is called {name!r}").format(name=group.site),
                did_you_mean(group.site, names),
            )
        if not group.listed and group.count > sites.count * group.per_site:
            raise UsageFault(
                _("[[station]] count: {count} do not fit: {sites} sites with {per_site} each").format(
                    count=group.count, sites=sites.count, per_site=group.per_site
                )
            )


def _check_identities(scenario: Scenario) -> None:
    ranges = []
    for group in scenario.station:
        if group.listed or not group.count:
            continue
        if group.count > room(group.first, group.protocol):
            raise UsageFault(
                _("[[station]] {key}: {identity} leaves no room to count up").format(
                    key=_key(group), identity=group.first
                )
            )
        ranges.append(Range(group.first, group.count, group.protocol))
    taken = Taken(ranges)
    if taken.twice:
        raise _twice(taken.twice, "id" if taken.twice_protocol == GB28181 else "mn")
    seen: set[tuple[str, str]] = set()
    for group in scenario.station:
        for row in group.listed[: group.count]:
            key = group.protocol, row.identity
            if key in seen or taken.has(row.identity, group.protocol):
                raise _twice(row.identity, _key(group))
            seen.add(key)


def _key(group: StationGroup) -> str:
    return "id" if group.protocol == GB28181 else "mn"


def _twice(identity: str, key: str) -> UsageFault:
    return UsageFault(_("[[station]] {key}: two stations would be {identity}").format(key=key, identity=identity))
