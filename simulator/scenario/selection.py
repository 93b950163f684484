"""Which stations a fault or an event is for: terms of a scenario, as a test of a :class:`Member`.

A term is the name of a group, a kind of station, the name of a site or of a group of sites, a pattern of identities
(``*``, ``?``, ``[...]``), an identity, or ``1 in N``: one of N stations, which ones by a draw of their identities. All
terms of a list must fit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from fnmatch import translate
from typing import Final

from stationgate.language import _

from ..draws import draw
from ..personalities.kinds import kinds
from .checking import did_you_mean
from .keys import event_rows
from .places import Place
from .records import Event, FaultPlan, Member, Scenario

__all__ = ["Selection", "selection"]

#: A test of one station.
Selection = Callable[[Member], bool]
_SHARE: Final = re.compile(r"1 in ([1-9][0-9]{0,8})\Z", re.ASCII)
_PATTERN: Final = re.compile(r"[*?\[]")


def selection(scenario: Scenario, plan: FaultPlan | Event, place: Place | None = None) -> Selection:
    """Return the test for the stations of a fault or an event.

    For an event that happens to sites: the stations at those sites.

    Raises:
        UsageFault: If a term names nothing of the scenario.
    """
    if isinstance(plan, Event):
        place = place or Place("event")
        if not event_rows()[plan.what].of_stations:
            _check_where(scenario, plan, place)
            return _at_sites(scenario, plan.site, place)
        salt = plan.what
    else:
        place, salt = place or Place("fault"), plan.name
    return _all(tuple(_term(scenario, term, salt, place) for term in plan.select))


def _all(tests: tuple[Selection, ...]) -> Selection:
    if len(tests) == 1:
        return tests[0]
    return lambda member: all(test(member) for test in tests)


def _term(scenario: Scenario, term: str, salt: str, place: Place) -> Selection:
    """Return the test for one term."""
    if share := _SHARE.match(term):
        limit, seed, signal = 1 / int(share[1]), scenario.seed, f"select/{salt}"
        return lambda member: draw(seed, member.identity, signal, 0) < limit
    if any(group.name == term for group in scenario.station):
        return lambda member: member.group.name == term
    if term in kinds():
        return lambda member: member.group.kind == term
    if any(term == group.name or group.index_of(term) is not None for group in scenario.site):
        return _of_site(scenario, term)
    if _PATTERN.search(term) or any(character.isdecimal() for character in term):
        fits = re.compile(translate(term.upper())).match
        test: Selection = lambda member: fits(member.identity.upper()) is not None  # noqa: E731
        if any(map(test, scenario.members())):
            return test
    raise place.fault(
        "select", _("{term!r} fits no station").format(term=term), did_you_mean(term, list(_names(scenario)))
    )


def _names(scenario: Scenario) -> Iterator[str]:
    names = [group.name for group in scenario.station] + [group.kind for group in scenario.station]
    names += [group.name for group in scenario.site]
    yield from dict.fromkeys([*names, "1 in 100"])


def _of_site(scenario: Scenario, name: str) -> Selection:
    for group in scenario.site:
        if name == group.name:
            return lambda member: member.site_group is not None and member.site_group.name == name
    found = next((group.name, index) for group in scenario.site if (index := group.index_of(name)) is not None)
    return lambda member: member.site_group is not None and (member.site_group.name, member.site_index) == found


def _check_where(scenario: Scenario, event: Event, place: Place) -> None:
    """Refuse the name of a line or unit that no site has."""
    scope = event_rows()[event.what].scope
    if event.where == "*":
        return
    names = dict.fromkeys(
        name
        for group in (*scenario.site, *(group.own_site for group in scenario.station if not group.site))
        for name in (*("line" in scope) * group.line_names, *("unit" in scope) * group.unit_names)
    )
    if event.where not in names:
        wanted = _("a line or unit that a site has")
        raise place.unexpected("where", wanted, event.where, hint=did_you_mean(event.where, list(names)))


def _at_sites(scenario: Scenario, name: str, place: Place) -> Selection:
    if not name:
        return lambda member: True
    if any(name == group.name or group.index_of(name) is not None for group in scenario.site):
        return _of_site(scenario, name)
    names = [group.name for group in scenario.site]
    raise place.fault("site", _("no [[site]] is called {name!r}").format(name=name), did_you_mean(name, names))
