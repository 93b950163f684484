"""Builds the station of a member: the personality of its kind, at its site, with its faults.

What stations have in common is built once and shared: the plan of a group, behaviours, the site of several stations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final, Protocol

from hj212 import RULES, Edition
from hj212.encryption import Key
from stationgate.exits import UsageFault
from stationgate.language import _

from ..codes import Codes
from ..draws import draw
from ..faults import find, quirks_with
from ..faults.registry import CAMERAS
from ..reporter import Reporter, Witness
from ..scenario import Event, FaultPlan, Member, Scenario, SiteGroup, StationGroup, selection
from ..world import Intervention, Line, Shift, Site, SiteTemplate, Unit, What
from .camera import Camera, Tally, account_of, rules_of
from .door import DoorSettings, LivingDoor
from .equipment import equipment_of
from .factors import UnknownFactorError
from .logger import DataLogger, LoggerPlan, LoggerSettings, logger_plan
from .meter import MeterPlan, MeterSettings, PowerMeter, meter_plan
from .power import UnknownQuantityError
from .timeline import Behaviours, FaultTimeline

__all__ = ["BOOT_S", "MAX_SITES", "Building", "builder"]

#: Sites that are kept to be shared; a station keeps the one it stands at.
MAX_SITES: Final = 20_000
#: How long a station takes to boot after a power cut, as the engine has it.
BOOT_S: Final = 20.0
_WHATS: Final = {what.value: what for what in What}


class Books(Witness, Tally, Protocol):
    """Who is told beside what stations and cameras do."""


class Building:
    """Builds the stations of a scenario.

    Args:
        scenario: What is played.
        epoch: POSIX seconds of its start.
        witness: Who is told beside what stations do.

    Raises:
        UsageFault: If a station cannot be as the scenario wants it: a fault that its kind cannot have, a factor that
            its edition has no code for.
    """

    def __init__(self, scenario: Scenario, epoch: float, witness: Books | None) -> None:
        self.scenario = scenario
        self.seed = scenario.seed
        self.epoch = round(epoch, 3)
        self.witness = witness
        self.behaviours = Behaviours()
        self._plans = [(plan, selection(scenario, plan)) for plan in scenario.fault]
        self._timelines: dict[tuple[tuple[str, ...], tuple[FaultPlan, ...]], FaultTimeline[Any]] = {}
        self._shared: dict[int, Any] = {}
        self._site = lru_cache(maxsize=MAX_SITES)(self._new_site)
        self._site_events = [event for event in scenario.event if event.what in _WHATS]
        self._cuts = [
            (number, event, selection(scenario, event))
            for number, event in enumerate(scenario.event)
            if event.what in ("power-cut", "restart", "clock-step")
        ]
        for group in scenario.station:
            if group.count and group.personality.family in _SHARED:
                self._shared_by(group)
        self._check_faults()

    def build(self, member: Member, at: float, resume_at: float | None) -> Any:
        """Return the station of a member.

        Args:
            member: Which.
            at: Run time at which it is switched on.
            resume_at: Run time from which it is taken over from another process.
        """
        core = _MAKERS[member.group.personality.family](self, member, at, resume_at)
        taken_over = resume_at is not None and isinstance(core, Reporter)
        if taken_over and core.timeline is not None and core.last_due is not None:
            core.timeline.passed(member.identity, core.last_due)
        return core

    # What is shared

    def _shared_by(self, group: StationGroup) -> Any:
        """Return what the stations of a group have in common: a door's settings but for the MN, a logger's plan."""
        found = self._shared.get(id(group))
        if found is None:
            found = self._shared[id(group)] = _SHARED[group.personality.family](self, group)
        return found

    def site_of(self, member: Member) -> Site:
        """Return the site that a station stands at."""
        group = member.site_group
        if group is not None:
            return self._site(group, member.site_index)
        own = member.group.own_site
        return Site(site_template(own), self.seed, member.identity, self.epoch, self._done_to(own, 0))

    def _new_site(self, group: SiteGroup, index: int) -> Site:
        return Site(site_template(group), self.seed, group.name_of(index), self.epoch, self._done_to(group, index))

    def _done_to(self, group: SiteGroup, index: int) -> tuple[Intervention, ...]:
        """Return what the scenario's events do to a site."""
        names = {"*", *group.line_names, *group.unit_names}
        return tuple(
            _intervention(event, self.epoch)
            for event in self._site_events
            if event.site in ("", group.name, group.name_of(index)) and event.where in names
        )

    # Faults

    def timeline_of(self, member: Member) -> FaultTimeline[Any] | None:
        """Return the faults of a station that come and go, ``None`` where there are none."""
        family = member.group.personality.family
        plans = tuple(plan for plan, chosen in self._plans if find(plan.name).fits(family) and chosen(member))
        if not plans:
            return None
        key = member.group.faults, plans
        found = self._timelines.get(key)
        if found is None:
            does: Callable[[tuple[str, ...]], Any] = _quirks if family in CAMERAS else self.behaviours
            found = self._timelines[key] = FaultTimeline(does, member.group.faults, plans, self.seed)
        return found

    def _check_faults(self) -> None:
        for group in self.scenario.station:
            for name in group.faults:
                if not find(name).fits(group.personality.family):
                    raise _unfit(name, group)
        for plan, chosen in self._plans:
            groups = {id(group): group for group in self.scenario.station if group.count}.values()
            unfit = [group for group in groups if not find(plan.name).fits(group.personality.family)]
            if not unfit:
                continue
            # Where nobody in particular was chosen, it is for whoever can have it.
            if not plan.select and len(unfit) < len(groups):
                continue
            refused = {id(group) for group in unfit}
            for member in self.scenario.members():
                if id(member.group) in refused and chosen(member):
                    raise _unfit(plan.name, member.group)

    # The past, for stations that are taken over

    def outages(self, member: Member, resume_at: float) -> list[tuple[float, float]]:
        """Return when a station had no power before it was taken over: run times, in order."""
        found = []
        for number, event, chosen in self._cuts:
            if event.what == "clock-step" or event.begin_s >= resume_at or not chosen(member):
                continue
            back_s = event.begin_s
            if event.what == "power-cut":
                back_s += event.for_s
                if event.spread_s:
                    back_s += event.spread_s * draw(self.seed, member.identity, f"event/{number}", 0)
            found.append((round(event.begin_s, 3), round(round(back_s, 3) + BOOT_S, 3)))
        return sorted(found)

    def clock_error_s(self, member: Member, resume_at: float) -> float:
        """Return by how much events have set a station's clock wrong before it was taken over."""
        steps = [
            e.step_s
            for _n, e, chosen in self._cuts
            if e.what == "clock-step" and e.begin_s < resume_at and chosen(member)
        ]
        return sum(steps)


def builder(scenario: Scenario, epoch: float, witness: Books | None) -> Callable[[Member, float, float | None], Any]:
    """Return what builds the stations of a scenario: (member, run time it is switched on, taken over or ``None``)."""
    return Building(scenario, epoch, witness).build


# Sites


@lru_cache(maxsize=256)
def site_template(group: SiteGroup) -> SiteTemplate:
    """Return what the sites of a group have in common.

    Raises:
        UsageFault: If its shifts or powers make no plant.
    """
    try:
        shifts = tuple(Shift(begin, end) for begin, end in group.shift_seconds)
        lines = tuple(Line(name, group.line_kw, shifts, weekends=group.weekends) for name in group.line_names)
        units = tuple(Unit(name, group.lines_of(n), group.unit_kw) for n, name in enumerate(group.unit_names))
        return SiteTemplate(lines, units, group.people, group.openings_per_hour, group.outlet)
    except ValueError as error:
        raise UsageFault(_("[[site]] {name}: {error}").format(name=group.name, error=error)) from error


def _intervention(event: Event, epoch: float) -> Intervention:
    begin = round(epoch + event.begin_s, 3)
    return Intervention(_WHATS[event.what], event.where, begin, begin + event.for_s, event.share, event.delay_s)


def _unfit(name: str, group: StationGroup) -> UsageFault:
    return UsageFault(
        _("a {kind} ({title}) cannot have the fault {name}: it is one of {families}").format(
            kind=group.kind,
            title=group.personality.title,
            name=name,
            families=", ".join(find(name).families),
        ),
        _("list them with: simulator faults"),
    )


# Kinds


@lru_cache(maxsize=256)
def _key(text: str) -> Key | None:
    return Key.parse(text) if text else None


_Maker = Callable[[Building, Member, float, "float | None"], Any]


def _door_shared(building: Building, group: StationGroup) -> dict[str, Any]:
    return {"codes": Codes.of(group.dictionary), "rules": RULES[Edition(group.edition)]}


def _door(building: Building, member: Member, at: float, resume_at: float | None) -> LivingDoor:
    group = member.group
    settings = DoorSettings(
        mn=member.identity,
        pw=member.pw,
        st=member.st,
        interval_s=group.interval_s,
        form=group.form,
        writes_log=group.log,
        in_flight=group.in_flight,
        key=_key(member.key),
        **building._shared_by(group),
    )
    return LivingDoor(
        settings,
        building.site_of(member),
        building.behaviours(group.faults),
        at,
        building.epoch,
        witness=building.witness,
        timeline=building.timeline_of(member),
        resume_at=resume_at,
    )


def _logger_plan(building: Building, group: StationGroup) -> LoggerPlan:
    program = building.scenario.program
    try:
        return logger_plan(
            group.personality.outlet,
            RULES[Edition(group.edition)],
            group.signals,
            stated=group.levels,
            minute_interval=group.minute_interval,
            hour=group.hour,
            day=group.day,
            seed=building.seed,
            interval_s=group.interval_s,
            phase=group.phase,
            in_flight=group.in_flight,
            key=_key(group.key),
            adjust=program.adjust if program is not None and program.adjusts else None,
        )
    except UnknownFactorError as error:
        raise UsageFault(_("[[station]] signals: {error}").format(error=error)) from error


def _meter_plan(building: Building, group: StationGroup) -> MeterPlan:
    sites = building.scenario.site_group(group.site) if group.site else None
    program = building.scenario.program
    try:
        return meter_plan(
            RULES[Edition(group.edition)],
            (sites or group.own_site).outlet,
            group.codes,
            day=group.day,
            seed=building.seed,
            interval_s=group.interval_s,
            phase=group.phase,
            in_flight=group.in_flight,
            key=_key(group.key),
            adjust=program.adjust if program is not None and program.adjusts else None,
        )
    except UnknownQuantityError as error:
        raise UsageFault(_("[[station]] codes: {error}").format(error=error)) from error


def _sampler(station: Callable[..., Any], settings: Callable[..., Any]) -> _Maker:
    """Return what builds stations on a grid."""

    def make(building: Building, member: Member, at: float, resume_at: float | None) -> Any:
        group = member.group
        past: dict[str, Any] = {}
        if resume_at is not None and resume_at > at:
            past = {
                "resume_at": resume_at,
                "outages": building.outages(member, resume_at),
                "clock_error_s": building.clock_error_s(member, resume_at),
            }
        plan = building._shared_by(group)
        if member.key != group.key:
            plan = replace(plan, key=_key(member.key))
        return station(
            settings(member.identity, member.pw, member.st, plan),
            building.site_of(member),
            building.behaviours(group.faults),
            at,
            building.epoch,
            witness=building.witness,
            timeline=building.timeline_of(member),
            **past,
        )

    return make


def _camera(building: Building, member: Member, at: float, resume_at: float | None) -> Camera:
    """A camera; at a site it sees who comes in at the door."""
    scenario, group = building.scenario, member.group
    equipment, watching = equipment_of(member)
    return Camera(
        account_of(
            member.identity,
            member.password,
            server_id=scenario.sip.id,
            domain=scenario.sip.domain,
            keepalive_s=group.keepalive_s,
            expires_s=group.expires_s,
        ),
        rules_of(group.edition),
        equipment,
        watching,
        _quirks(group.faults),
        seed=building.seed,
        now=max(at, resume_at or 0.0),
        epoch=building.epoch,
        until=scenario.duration_s,
        visits=building.site_of(member).openings if member.site_group is not None else None,
        tally=building.witness,
        timeline=building.timeline_of(member),
    )


#: Quirks by the names of their faults, each built once.
_quirks = lru_cache(maxsize=1024)(quirks_with)


#: Who builds the stations of a family.
_MAKERS: Final[Mapping[str, _Maker]] = {
    "door": _door,
    "logger": _sampler(DataLogger, LoggerSettings),
    "meter": _sampler(PowerMeter, MeterSettings),
    "camera": _camera,
    "recorder": _camera,
}
#: Who builds what a group of them has in common.
_SHARED: Final[Mapping[str, Callable[[Building, StationGroup], Any]]] = {
    "door": _door_shared,
    "logger": _logger_plan,
    "meter": _meter_plan,
}
