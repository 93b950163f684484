"""Builds the station of a member."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from ..door import DoorController
from ..faults import behaviour_with
from ..faults.of_cameras import quirks_with
from ..reporter import Witness
from ..scenario import Member, Scenario
from .camera import Camera, Tally, account_of, rules_of
from .equipment import equipment_of
from .kinds import GB28181
from .visits import visits


class Books(Witness, Tally, Protocol):
    """Who is told beside, of stations and of cameras."""


class LivingDoor(DoorController):
    """The door of a site, with the people who use it."""

    __slots__ = ("_visits",)

    def live(self, scenario, member, begin_at, end_at):
        self._visits = visits(scenario, member, begin_at, end_at)
        self._next_visit()

    def _next_visit(self):
        found = next(self._visits, None)
        if found is None:
            return
        opening, shut = found
        at = round(opening.at - self._epoch, 3)
        back = round(shut - self._epoch, 3)

        def come(now):
            self.open(opening.method, opening.person, now)
            self.schedule(back, leave)

        def leave(now):
            self.close(now)
            self._next_visit()

        self.schedule(at, come)


def builder(scenario: Scenario, epoch: float, books: Books) -> Callable[[Member, float, float | None], Any]:
    behaviours = {}

    def build(member: Member, at: float, resume_at: float | None) -> Any:
        group = member.group
        if group.protocol == GB28181:
            return camera(scenario, epoch, books, member, max(at, resume_at or 0.0))
        behaviour = behaviours.setdefault(group.faults, None) or behaviour_with(group.faults)
        behaviours[group.faults] = behaviour
        door = LivingDoor(group.settings(member.index), behaviour, at, epoch, witness=books, resume_at=resume_at)
        door.live(scenario, member, epoch + max(at, resume_at or 0.0), epoch + scenario.duration_s)
        return door

    return build


def camera(scenario: Scenario, epoch: float, books: Books, member: Member, at: float) -> Camera:
    """Return the camera or recorder of a member, switched on at run time ``at``; at a site it sees who comes in."""
    group = member.group
    equipment, watching = equipment_of(member)
    account = account_of(
        member.identity,
        member.password,
        server_id=scenario.sip.id,
        domain=scenario.sip.domain,
        keepalive_s=group.keepalive_s,
        expires_s=group.expires_s,
    )
    return Camera(
        account,
        rules_of(group.edition),
        equipment,
        watching,
        quirks_with(group.faults),
        seed=scenario.seed,
        now=at,
        epoch=epoch,
        until=scenario.duration_s,
        visits=partial(visits, scenario, member) if member.site_group is not None else None,
        tally=books,
    )
