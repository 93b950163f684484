"""Timed reports told apart from what an event explains.

Some devices send all three states with a change too, so the count of states alone does not say what a frame is.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise, product
from statistics import median
from typing import Final

from ..profile import Limits
from .acts import ACT_STATES, ActRecord
from .wire import OPENING_PARTS, STATES, Heard

__all__ = ["eventful_frames", "periodic_reports"]

#: Two frames this close together were sent for one reason.
SAME_TIME_S: Final = 2.0


def periodic_reports(free: Sequence[Heard], eventful: dict[int, bool], limits: Limits) -> list[Heard]:
    """Return the timed reports among state frames that the suite did not disturb.

    Frames with two states or more where there are any: a lone state is a change. A frame that an event may explain is
    a report only if one was due and no other came.

    Args:
        free: State frames, by arrival.
        eventful: What :func:`eventful_frames` says.
        limits: ``report_interval_s`` and ``arrival_pass_s`` count.
    """
    several = [h for h in free if _state_count(h) > 1] or list(free)
    places = [place for place, h in enumerate(several) if id(h) not in eventful]
    certain = [several[place] for place in places]
    declared = limits.report_interval_s
    usual = median([b.t - a.t for a, b in pairwise(certain)] or [declared])
    due: dict[tuple[int, int], tuple[float, Heard]] = {}
    for place, heard in enumerate(several):
        if id(heard) not in eventful:
            continue
        at = bisect_left(places, place)
        before, after = certain[max(at - 1, 0) : at], certain[at : at + 1]
        # What says something new may also have started the interval of the next report.
        for anchor, interval in product(before + ([] if eventful[id(heard)] else after), {declared, usual}):
            apart = abs(heard.t - anchor.t)
            number = max(1, round(apart / max(interval, 1.0)))
            off, tolerance = abs(apart - number * interval), min(float(limits.arrival_pass_s), interval / 4)
            # The first of all may be there only because the device had just connected: the better one counts.
            alone = off + SAME_TIME_S
            near = [c for c in before + after if abs(c.t - heard.t) <= (alone if c is certain[0] else tolerance)]
            better = (id(anchor), number) not in due or off < due[id(anchor), number][0]
            if off <= tolerance and better and not near:
                due[id(anchor), number] = off, heard
    accepted = {id(heard) for _off, heard in due.values()} | {id(heard) for heard in certain}
    return [heard for heard in several if id(heard) in accepted]


def eventful_frames(
    door_data: Sequence[Heard], acts: Sequence[ActRecord], limits: Limits, is_backlog: Callable[[Heard], bool]
) -> dict[int, bool]:
    """Return the frames that an event may explain, by ``id``: right after one, fitting an act, or saying something new.

    The value is true for the last.
    """
    found: dict[int, bool] = {}
    known: dict[str, str] = {}
    last = float("-inf")
    for heard in door_data:
        if is_backlog(heard):
            continue
        told: dict[str, str] = {code: heard.codes[code] for code in STATES if code in heard.codes}
        lone = _state_count(heard) < 2
        new = any(known.get(code, "" if lone else value) != value for code, value in told.items())
        known |= told
        if new or heard.t <= last + limits.event_target_s or _tells_of_an_act(heard, acts, limits.event_s):
            found[id(heard)] = new
        if new or any(code in heard.codes for code in OPENING_PARTS):
            last = heard.t
    return found


def _tells_of_an_act(heard: Heard, acts: Sequence[ActRecord], event_s: float) -> bool:
    for act in acts:
        if act.happened and act.act in ACT_STATES and act.seq < heard.seq:
            code, value = ACT_STATES[act.act]
            if heard.codes.get(code) == value and heard.t <= act.end + event_s:
                return True
    return False


def _state_count(heard: Heard) -> int:
    return sum(code in heard.codes for code in STATES)
