"""Everything a judgement may look at, read from the transcript and kept once it was read."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import Final

from ..profile import Limits, Profile
from ..steps import TIDY
from ..transcript import Transcript
from .acts import ACT_STATES, ActRecord, Opening, StepRecord, last_attempts, read_attempts, read_steps
from .clock import read_offset
from .disturbances import ClockProof, Disturbance, read_clock_proof, read_disturbances
from .reports import eventful_frames, periodic_reports
from .requests import Request, read_requests
from .shortened import Shortened, read_shortened
from .windows import MIN_SLACK_S, Belonging, Clocks, records_by_act, unasked_changes
from .wire import OPENING_PARTS, STATES, Heard, Stray, posix, read_wire

__all__ = ["Evidence"]

#: DataTime has whole seconds and the offset is known to half of one: what was composed on connecting is no backlog.
BACKLOG_SLACK_S: Final = 2.0
#: Steps in which the suite keeps the device from reporting as usual.
_DISTURBING: Final = frozenset({"withhold", "outage", "reboot"})


class Evidence:
    """Everything a judgement may look at."""

    def __init__(self, transcript: Transcript, profile: Profile) -> None:
        self.transcript = transcript
        self.profile = profile
        self.limits = profile.limits
        if self.shortened:
            self.limits = _with_interval(profile.limits, self.shortened.value)

    @cached_property
    def shortened(self) -> Shortened | None:
        """When the device reported by a shorter interval that the suite had set; ``None``: it never did."""
        return read_shortened(self.transcript)

    # The bench itself

    @cached_property
    def disturbances(self) -> list[Disturbance]:
        """When the bench did not listen, or did not know when it heard something."""
        return read_disturbances(self.transcript.entries)

    def disturbed(self, begin: float, end: float) -> Disturbance | None:
        """Return a disturbance that touches the time between two instants, ``None`` when all was well."""
        return next((found for found in self.disturbances if found.touches(begin, end)), None)

    @cached_property
    def clock_proof(self) -> ClockProof:
        """What is known of the bench's own clock."""
        return read_clock_proof(self.transcript)

    # The wire

    @cached_property
    def _read(self) -> list[Heard | Stray]:
        return read_wire(self.transcript, self.limits.frame_stall_s)

    @cached_property
    def strays(self) -> list[Stray]:
        """Bytes outside any frame."""
        return [item for item in self._read if isinstance(item, Stray)]

    @cached_property
    def heard(self) -> list[Heard]:
        """Every frame of every device, by arrival."""
        return [item for item in self._read if isinstance(item, Heard)]

    @cached_property
    def mn(self) -> str:
        """The MN under test: the profile's, else the first that was seen; empty when none was."""
        declared: str = self.profile.device.get("mn", "")
        return declared or next((h.message.mn for h in self.heard if h.understood), "")

    @cached_property
    def frames(self) -> list[Heard]:
        """The frames of the device under test, replies and damaged ones included, by arrival.

        From its first with the right MN and PW, where there was one: what it sent while it was still being set up, with
        somebody watching the run name each mistake, says nothing of how it does when it is.
        """
        ours = (h for h in self.heard if h.message.mn == self.mn and h.understood and not h.truncated)
        return [h for h in ours if h.seq >= self._first_right]

    @cached_property
    def _first_right(self) -> int:
        begun = (entry.attachment for entry in self.transcript if entry.kind == "step")
        return next((int(known["first"]) for known in begun if known["step"] == "connect" and "first" in known), 0)

    @cached_property
    def asked(self) -> dict[str, Request]:
        """The requests to the device, by QN: ours, and those of a platform that the run relayed to."""
        return read_requests(self.transcript)

    @cached_property
    def spontaneous(self) -> list[Heard]:
        """What the device sent by itself: no replies, no data we asked for, no heartbeats; repeats included."""
        return [h for h in self.frames if not (h.is_reply or h.is_heartbeat or self._solicited(h))]

    def _solicited(self, heard: Heard) -> bool:
        """Whether it has the QN of a request made before it came: both sides may name a millisecond alike."""
        request = self.asked.get(heard.message.qn)
        if request is None or request.seq > heard.seq:
            return False
        return heard.message.cn == request.cn

    @cached_property
    def uploads(self) -> list[Heard]:
        """What the device sent by itself, each message once: a resend repeats the whole segment."""
        seen: set[bytes] = set()
        found = []
        for heard in self.spontaneous:
            if heard.frame.segment not in seen:
                seen.add(heard.frame.segment)
                found.append(heard)
        return found

    @cached_property
    def door_data(self) -> list[Heard]:
        """Uploads that carry a state or a part of an opening."""
        return [h for h in self.uploads if any(code in h.codes for code in (*STATES, *OPENING_PARTS))]

    @cached_property
    def records(self) -> list[Heard]:
        """Uploads that carry a part of an opening."""
        return [h for h in self.door_data if any(code in h.codes for code in OPENING_PARTS)]

    @cached_property
    def states(self) -> list[Heard]:
        """Uploads that carry states only."""
        return [h for h in self.door_data if not any(code in h.codes for code in OPENING_PARTS)]

    # What was done

    @cached_property
    def steps(self) -> dict[str, StepRecord]:
        """The steps as they went, by id."""
        return read_steps(self.transcript)

    @cached_property
    def attempts(self) -> list[ActRecord]:
        """Every attempt of the operator at an act, in order."""
        return read_attempts(self.transcript)

    @cached_property
    def acts(self) -> list[ActRecord]:
        """What the operator did as far as it counts, in order: of each act the last attempt."""
        return [a for a in last_attempts(self.attempts, self.transcript) if a.step != TIDY]

    @cached_property
    def openings(self) -> list[Opening]:
        """Each act of opening with what the device said of it.

        Records of an outage come later, all together, and are found by :meth:`backfilled`.
        """
        own = self._belonging.own
        return [Opening(act, own[act.seq]) for act in self._done_openings if act.step != "outage"]

    @cached_property
    def outside_openings(self) -> list[Heard]:
        """Openings that nobody was asked for, by arrival: by exit button or key, by somebody else, by mistake.

        Records that belong to no act, and changes to an open door that neither an act nor a record explains.
        """
        changes = [h for h in self.states if self._eventful.get(id(h)) and h.codes.get("i32001") == "1"]
        near = self.limits.event_target_s
        lone = [h for h in changes if not any(abs(record.t - h.t) <= near for record in self.records)]
        opened = [a for a in self.attempts if a.act == "open"]
        return sorted([*self._belonging.outside, *unasked_changes(lone, opened, self._clocks)], key=lambda h: h.seq)

    @cached_property
    def _done_openings(self) -> list[ActRecord]:
        return [a for a in self.acts if a.act == "open" and a.done]

    @cached_property
    def _belonging(self) -> Belonging:
        attempts = [a for a in self.attempts if a.act == "open"]
        records = [h for h in self.records if not self.is_backlog(h)]
        return records_by_act(records, attempts, self._done_openings, self._clocks)

    @cached_property
    def _clocks(self) -> Clocks:
        slack = MIN_SLACK_S + self.clock_uncertainty
        return Clocks(self._told, self.wall, slack, self.limits.event_s, self._step_end)

    def _told(self, heard: Heard) -> float | None:
        """Return when an event was by the device, on the suite's wall clock, if the device's clock is known."""
        if self.clock_offset is None:
            return None
        told = posix(heard.codes.get("i32006", ""))
        if told is None:
            told = heard.data_time
        return None if told is None else self.suite_time(told)

    def _step_end(self, step: str) -> float:
        record = self.steps.get(step)
        return record.end if record and record.end is not None else float("inf")

    @cached_property
    def backfilled(self) -> list[Heard]:
        """Records that came after the link was restored, until the outage step ended."""
        outage = self.steps.get("outage")
        restored = outage.detail.get("restored") if outage else None
        if outage is None or restored is None:
            return []
        return [h for h in self.records if restored <= h.t <= (outage.end or float("inf"))]

    @cached_property
    def disturbed_from(self) -> float:
        """When the suite itself began to disturb the reports: withheld answers, outage, power cut."""
        # The first time of each: an interrupted run may have begun a step more than once.
        begins = (e.t_mono for e in self.transcript if e.kind == "step" and e.attachment["step"] in _DISTURBING)
        return min(begins, default=float("inf"))

    @cached_property
    def event_frames(self) -> dict[int, ActRecord]:
        """State frames that tell of an act, by ``id(heard)``: for each act the first that shows its new value."""
        found: dict[int, ActRecord] = {}
        taken = [a for a in self.acts if a.done and a.act in ACT_STATES and a.step != "outage"]
        for act in taken:
            code, value = ACT_STATES[act.act]
            following = min((a.seq for a in taken if a.seq > act.seq), default=len(self.transcript))
            for heard in self.states:
                inside = act.seq < heard.seq < following and heard.t <= act.end + self.limits.event_target_s
                if inside and heard.codes.get(code) == value and id(heard) not in found:
                    found[id(heard)] = act
                    break
        return found

    @cached_property
    def periodic(self) -> list[Heard]:
        """The timed reports before the suite disturbed anything; see :func:`periodic_reports`."""
        begin, end = (self.shortened.begin, self.shortened.end) if self.shortened else (float("-inf"), float("inf"))
        until = min(self.disturbed_from, end)
        free = [h for h in self.states if begin <= h.t < until and not self.is_backlog(h)]
        return periodic_reports(free, self._eventful, self.limits)

    @cached_property
    def _eventful(self) -> dict[int, bool]:
        return eventful_frames(self.door_data, self.attempts, self.limits, self.is_backlog)

    # The clock

    @cached_property
    def _first_connect(self) -> float:
        return next((self.wall(entry.t_mono) for entry in self.transcript if entry.kind == "connect"), float("inf"))

    @cached_property
    def _backlog(self) -> set[int]:
        if self.clock_offset is None:
            return set()  # a slow clock would make old what happens now
        times = {id(h): h.data_time for h in self.door_data}
        old = {key for key, told in times.items() if told is not None and self._nobody_listened(self.suite_time(told))}
        # Where nothing is of today, the device's times are wrong, and that is another matter.
        return old if any(told is not None and key not in old for key, told in times.items()) else set()

    def _nobody_listened(self, when: float) -> bool:
        """Whether an instant, POSIX seconds, lies before the first connection or in an interruption of the run."""
        if when < self._first_connect - BACKLOG_SLACK_S:
            return True
        gaps = ((self.wall(d.begin), self.wall(d.end)) for d in self.disturbances if d.kind == "gap")
        return any(begin < when < end - BACKLOG_SLACK_S for begin, end in gaps)

    def is_backlog(self, heard: Heard) -> bool:
        """Whether a frame tells of a time when nobody listened: it had to wait for us."""
        return id(heard) in self._backlog

    @cached_property
    def clock_offset(self) -> tuple[float, float] | None:
        """Device clock minus suite clock in seconds, and its uncertainty; ``None`` when the device did not tell."""
        return read_offset(self.asked, self.frames, self.wall)

    @property
    def clock_uncertainty(self) -> float:
        """How far :meth:`suite_time` may be off, in seconds."""
        return self.clock_offset[1] if self.clock_offset else 0.0

    def suite_time(self, device_posix: float) -> float:
        """Return a time of the device on the suite's wall clock, as far as the offset is known."""
        return device_posix - (self.clock_offset[0] if self.clock_offset else 0.0)

    def wall(self, t: float) -> float:
        """Return POSIX seconds of an instant on the suite's monotonic clock."""
        # The monotonic clock of some systems stands still while the computer sleeps.
        slept = sum(d.seconds for d in self.disturbances if d.kind == "suspend" and d.begin < t)
        return self.transcript.epoch + t + slept


def _with_interval(limits: Limits, value: float) -> Limits:
    return Limits({**limits, "report_interval_s": replace(limits["report_interval_s"], value=value, origin="profile")})
