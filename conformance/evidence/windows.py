"""Which act of the operator a record of an opening belongs to, and which records belong to nobody's act.

An act has a window, from its prompt to the answer. A record belongs to it if the opening's own time lies inside, give
or take what the clocks leave open. Where that cannot be known, and for an act that got nothing so, arrival decides: a
wrong opening time must not make a record nobody's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final

from .acts import ActRecord
from .wire import OPENING_PARTS, Heard

__all__ = ["METHOD_CODES", "MIN_SLACK_S", "Belonging", "Clocks", "records_by_act", "unasked_changes"]

#: Code of each method in table 2-1.
METHOD_CODES: Final = {"face": "1", "ic-card": "2", "fingerprint": "3", "password": "4"}
#: Times of a device have whole seconds.
MIN_SLACK_S: Final = 1.0

_METHOD, _PERSON, _TIME = OPENING_PARTS


@dataclass(frozen=True, slots=True)
class Clocks:
    """The times that decide.

    Attributes:
        told: Time of an event by the device, POSIX seconds on the suite's clock; ``None`` where it cannot be known.
        wall: POSIX seconds of an instant on the suite's monotonic clock.
        slack_s: How far a time that was told may be off, in seconds.
        event_s: How long after its event a frame may come.
        step_end: When a step ended, on the suite's monotonic clock.
    """

    told: Callable[[Heard], float | None]
    wall: Callable[[float], float]
    slack_s: float
    event_s: float
    step_end: Callable[[str], float]

    def inside(self, told: float, act: ActRecord) -> bool:
        """Whether a time that was told lies in the window of an act."""
        return self.wall(act.begin) - self.slack_s <= told <= self.wall(act.end) + self.slack_s

    def believed(self, told: float, heard: Heard) -> bool:
        """Whether a time that was told is that of something just before the frame came."""
        return -self.slack_s <= self.wall(heard.t) - told <= self.event_s


@dataclass(slots=True)
class Belonging:
    """Records and acts.

    Attributes:
        own: Records of each judged act, by ``seq`` of the act, in order of arrival.
        outside: Records that belong to no judged act, in order of arrival.
    """

    own: dict[int, list[Heard]] = field(default_factory=dict)
    outside: list[Heard] = field(default_factory=list)


def records_by_act(
    records: Sequence[Heard], attempts: Sequence[ActRecord], judged: Sequence[ActRecord], clocks: Clocks
) -> Belonging:
    """Share out the records.

    Args:
        records: Frames with a part of an opening, by arrival.
        attempts: Every attempt at an opening. What falls into one that is not judged belongs to nothing.
        judged: Those of them that were done and count.
    """
    own: dict[int, list[Heard]] = {act.seq: [] for act in attempts}
    late = [h for h in records if not _placed_by_time(h, attempts, own, clocks)]
    _place_by_arrival(late, attempts, own, clocks)
    _give_up_strangers(judged, own)
    counted = {act.seq for act in judged}
    found = Belonging({seq: own[seq] for seq in counted})
    taken = {id(h) for seq in counted for h in own[seq]}
    found.outside = [h for h in records if id(h) not in taken]
    return found


def unasked_changes(changes: Iterable[Heard], attempts: Sequence[ActRecord], clocks: Clocks) -> list[Heard]:
    """Return those changes to an open door that no attempt at an opening explains."""
    return [heard for heard in changes if not any(_explains(act, heard, clocks) for act in attempts)]


def _explains(act: ActRecord, heard: Heard, clocks: Clocks) -> bool:
    told = clocks.told(heard)
    if act.seq > heard.seq or not act.happened:
        return False
    if told is not None and clocks.believed(told, heard):
        return clocks.inside(told, act)
    return heard.t <= act.end + clocks.event_s


def _placed_by_time(heard: Heard, attempts: Sequence[ActRecord], own: dict[int, list[Heard]], clocks: Clocks) -> bool:
    told = clocks.told(heard)
    if told is None:
        return False
    inside = [a for a in attempts if a.seq < heard.seq and clocks.inside(told, a)]
    if not inside:
        return False
    # Windows overlap by no more than the slack: then the method tells, and else the act that was asked for last.
    own[max(inside, key=lambda a: (_fits(a, [heard]), a.seq)).seq].append(heard)
    return True


def _place_by_arrival(
    late: Iterable[Heard], attempts: Sequence[ActRecord], own: dict[int, list[Heard]], clocks: Clocks
) -> None:
    """Give acts what they lack: the last opening asked for before a record came, as long as its step lasted.

    Records of an outage come later, all together, one for each act.
    """
    timed = {seq: _codes(records) for seq, records in own.items()}
    for heard in late:
        begun = [a for a in attempts if a.seq < heard.seq and heard.t <= clocks.step_end(a.step)]
        if not begun:
            continue
        act = begun[-1]
        if act.step == "outage":
            lacking = [a for a in begun if a.step == "outage" and a.done and not own[a.seq]]
            if not lacking:
                continue
            act = next((a for a in lacking if _fits(a, [heard])), lacking[0])
        if not (timed[act.seq] & _codes([heard])) and (timed[act.seq] or _may_take(act, heard, clocks)):
            own[act.seq].append(heard)
            own[act.seq].sort(key=lambda h: h.seq)


def _may_take(act: ActRecord, heard: Heard, clocks: Clocks) -> bool:
    """Whether a record outside every window may be that of an act: it fits the act, or its time is not to be believed.

    One that tells consistently of a moment when nobody was asked to open is somebody else's.
    """
    told = clocks.told(heard)
    stranger = told is not None and clocks.believed(told, heard)
    return not stranger or (act.method in METHOD_CODES and _fits(act, [heard]))


def _give_up_strangers(judged: Sequence[ActRecord], own: dict[int, list[Heard]]) -> None:
    """Leave each act one opening: of several in one window the one by its method, told twice or not."""
    choices = {act.seq: _openings(own[act.seq]) for act in judged}
    known: dict[str, set[str]] = {}
    unsettled = []
    for act in judged:
        fitting = [records for records in choices[act.seq] if _fits(act, records)]
        if len(fitting) > 1 or (not fitting and len(choices[act.seq]) > 1):
            unsettled.append((act, fitting or choices[act.seq]))
            continue
        own[act.seq] = (fitting or choices[act.seq] or [[]])[0]
        if act.step != "outage":
            known.setdefault(act.person, set()).update(_told(own[act.seq], _PERSON))
    for act, several in unsettled:  # whom the same letter stood for elsewhere
        person = known.get(act.person, set())
        own[act.seq] = next((records for records in several if _told(records, _PERSON) & person), several[0])


def _openings(records: Iterable[Heard]) -> list[list[Heard]]:
    """Group records by the opening they tell of: those that differ neither in the person nor in the time."""
    groups: list[list[Heard]] = []
    for heard in records:
        for group in groups:
            if all(_agree(_told(group, code), _told([heard], code)) for code in (_PERSON, _TIME)):
                group.append(heard)
                break
        else:
            groups.append([heard])
    return groups


def _agree(known: set[str], new: set[str]) -> bool:
    return not known or not new or known == new


def _fits(act: ActRecord, records: Iterable[Heard]) -> bool:
    """Whether records name the method of an act."""
    return METHOD_CODES.get(act.method, "") in {value.lstrip("0") for value in _told(records, _METHOD)}


def _told(records: Iterable[Heard], code: str) -> set[str]:
    return {heard.codes[code] for heard in records if code in heard.codes}


def _codes(records: Iterable[Heard]) -> set[str]:
    return {code for heard in records for code in OPENING_PARTS if code in heard.codes}
