"""Builds the station of a member."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..door import DoorController
from ..faults import behaviour_with
from ..reporter import Witness
from ..scenario import Member, Scenario
from ..world import openings


class LivingDoor(DoorController):
    """The door of a site, with the people who use it."""

    __slots__ = ("_visits",)

    def live(self, seed, name, group, begin_at, end_at):
        self._visits = openings(seed, name, group.openings_per_hour, group.people, begin_at, end_at)
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


def builder(scenario: Scenario, epoch: float, witness: Witness) -> Callable[[Member, float, float | None], Any]:
    behaviours = {}

    def build(member: Member, at: float, resume_at: float | None) -> Any:
        group = member.group
        behaviour = behaviours.setdefault(group.faults, None) or behaviour_with(group.faults)
        behaviours[group.faults] = behaviour
        door = LivingDoor(group.settings(member.index), behaviour, at, epoch, witness=witness, resume_at=resume_at)
        door.live(scenario.seed, member.identity, group, epoch + max(at, resume_at or 0.0), epoch + scenario.duration_s)
        return door

    return build
