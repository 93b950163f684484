"""Who comes and goes at the door of a member's site: the door and the cameras above it ask here and get the same."""

from __future__ import annotations

from collections.abc import Iterator

from ..scenario import Member, Scenario
from ..world import Opening, openings

__all__ = ["visits"]


def visits(scenario: Scenario, member: Member, begin_at: float, end_at: float) -> Iterator[tuple[Opening, float]]:
    """Yield the openings from ``begin_at`` up to, not including, ``end_at``, and when the door falls shut; POSIX seconds.

    The site says how often and how many people; a station that is a site of its own says so itself.
    """
    says = member.site_group or member.group
    return openings(scenario.seed, member.site_name, says.openings_per_hour, says.people, begin_at, end_at)
