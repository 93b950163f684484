"""The transcript as judgements see it: frames with their arrival and bytes, acts with their windows.

Bytes are the truth: everything here is decoded again from the transcript's entries, by the same
:class:`LinkReader` that the live bench listens with, so that a verdict can be recomputed from the record alone.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import groupby, pairwise, product
from statistics import median
from typing import Any, Final

from hj212 import Frame, Framer, Message, Noise
from hj212.codes import Reply
from hj212.framing import MAX_FRAME_BYTES
from hj212.times import parse_time

from .profile import Profile
from .transcript import Entry, Transcript
from .verdicts import Ref

__all__ = ["STATES", "ActRecord", "Evidence", "Heard", "LinkReader", "Opening", "StepRecord", "Stray"]

#: The three states of table 2-1.
STATES: Final = ("i32001", "i32002", "i32003")
#: The three parts of an opening.
OPENING_PARTS: Final = ("i32004", "i32005", "i32006")

#: DataTime has whole seconds and the offset is known to half of one: what was composed on connecting is no backlog.
BACKLOG_SLACK_S: Final = 2.0

#: What stands around a data segment: ``##`` and four digits before it, the check value after it.
HEAD_BYTES: Final = 6
CRC_BYTES: Final = 4

#: Heartbeats: 9021 of common practice, 9015 of HJ 212-2025. They keep a link open and are not under test.
HEARTBEATS: Final = frozenset({"9015", "9021"})

#: Two frames this close together were sent for one reason.
SAME_TIME_S: Final = 2.0

_REPLIES = frozenset(str(int(reply)) for reply in Reply)
_CODE = re.compile(r"(i[0-9A-Za-z]{5})-(info|rtd)\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Stray:
    """Bytes of a link that belong to no frame; how the line split them decides how many there are."""

    link: int
    t: float
    raw: bytes = field(repr=False)
    refs: tuple[Ref, ...]


class Heard:
    """One frame that arrived.

    Attributes:
        link: Number of the connection.
        t: Arrival of its last byte, on the suite's monotonic clock.
        frame: The frame as read, intact or damaged.
        message: Its data segment, as far as it can be read.
        refs: Where its bytes stand in the transcript.
        truncated: The link ended or fell silent inside it: what is missing may be the line's fault.
    """

    __slots__ = ("_codes", "_data_time", "frame", "link", "message", "refs", "t", "truncated")

    def __init__(self, link: int, t: float, frame: Frame, refs: tuple[Ref, ...], truncated: bool) -> None:
        self.link = link
        self.t = t
        self.frame = frame
        self.message = Message.from_bytes(frame.segment)
        self.refs = refs
        self.truncated = truncated
        self._codes: dict[str, str] | None = None
        self._data_time: tuple[float | None] | None = None  # in a tuple once it was read

    def __repr__(self) -> str:
        return f"<Heard CN={self.message.cn} at {self.t:.3f}>"

    @property
    def seq(self) -> int:
        """Number of the transcript entry that completed it: what came first, where the clock cannot tell."""
        return self.refs[-1].seq

    @property
    def understood(self) -> bool:
        """Whether it says who speaks and what: enough to answer it, whatever else is wrong."""
        return bool(self.message.mn and self.message.cn and self.message.qn)

    @property
    def is_reply(self) -> bool:
        """Whether it answers something of ours (9011 to 9014)."""
        return self.message.cn in _REPLIES

    @property
    def is_heartbeat(self) -> bool:
        """Whether it only keeps the link open."""
        return self.message.cn in HEARTBEATS

    @property
    def codes(self) -> dict[str, str]:
        """The i-codes it carries, in either wire form: ``{"i32001": "1"}``; the first value of each."""
        if self._codes is None:
            self._codes = {}
            for key, value in self.message.parameters():
                match = _CODE.match(key)
                if match:
                    self._codes.setdefault(match.group(1), value)
        return self._codes

    def told(self, code: str) -> list[tuple[str, str]]:
        """Return every key and value it carries for a code, in wire order: a key may stand twice."""
        return [(key, value) for key, value in self.message.parameters() if _code_of(key) == code]

    @property
    def data_time_text(self) -> str:
        """DataTime as sent, in whatever letter case its name is; empty when absent."""
        return next((value for key, value in self.message.parameters() if key.lower() == "datatime"), "")

    @property
    def data_time(self) -> float | None:
        """DataTime in POSIX seconds, read tolerantly; ``None`` where it is no time."""
        if self._data_time is None:
            self._data_time = (_posix(self.data_time_text[:14]),)
        return self._data_time[0]

    def where(self, text: bytes | str = b"") -> tuple[Ref, ...]:
        """Return the entries of this frame, narrowed to the first place where ``text`` stands."""
        wanted = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
        at = self.frame.raw.find(wanted) if wanted else -1
        return self.span(at, at + len(wanted)) if at >= 0 else self.refs

    def span(self, start: int, end: int) -> tuple[Ref, ...]:
        """Return where the frame's bytes ``start`` to ``end`` stand in the transcript."""
        found = []
        at = 0
        for ref in self.refs:
            assert ref.end is not None
            size = ref.end - ref.start
            low, high = max(start, at), min(end, at + size)
            if low < high:
                found.append(Ref(ref.seq, ref.start + low - at, ref.start + high - at))
            at += size
        return tuple(found)


class LinkReader:
    """Turns one connection's bytes into frames and strays, each with its place in the transcript.

    Args:
        link: Number of the connection.
        stall_s: Silence after which an unfinished frame is taken for what it is.
    """

    __slots__ = ("_framer", "_last", "_pieces", "_position", "link", "stall_s")

    def __init__(self, link: int, stall_s: float) -> None:
        self.link = link
        self.stall_s = stall_s
        self._framer = Framer()
        self._last = 0.0
        self._position = 0
        self._pieces: list[tuple[int, int, int]] = []  # stream position, entry, size

    def feed(self, seq: int, data: bytes, t: float) -> list[Heard | Stray]:
        """Take in the bytes of entry ``seq``."""
        found = self.stalled(t)
        self._pieces.append((self._position, seq, len(data)))
        self._position += len(data)
        self._last = t
        found.extend(self._place(self._framer.feed(data), t, truncated=False))
        return found

    def stall_due(self) -> float | None:
        """Return when the rest of an unfinished frame is no longer awaited."""
        return self._last + self.stall_s if self._framer.pending else None

    def stalled(self, now: float) -> list[Heard | Stray]:
        """Return what an unfinished frame amounts to, if it has been silent long enough."""
        due = self.stall_due()
        if due is None or now < due:
            return []
        return list(self._place(self._framer.finish(), due, truncated=False, silent=True))

    def end(self, t: float) -> list[Heard | Stray]:
        """Return what is left when the connection ends."""
        found = self.stalled(t)
        found.extend(self._place(self._framer.finish(), t, truncated=True))
        return found

    def _place(
        self, items: Iterable[Frame | Noise], t: float, truncated: bool, silent: bool = False
    ) -> Iterator[Heard | Stray]:
        for is_frame, group in groupby(items, key=lambda item: isinstance(item, Frame)):
            if not is_frame:  # a hostile peer may send nothing but line ends: one stray, not one for each
                noise = list(group)
                raw = b"".join(item.raw for item in noise)
                yield Stray(self.link, t, raw, self._refs(noise[0].offset, noise[0].offset + len(raw)))
                continue
            for item in group:
                assert isinstance(item, Frame)
                refs = self._refs(item.offset, item.offset + len(item.raw))
                yield Heard(self.link, t, item, refs, truncated or (silent and _cut_short(item)))
        oldest = self._position - MAX_FRAME_BYTES - 64
        while len(self._pieces) > 1 and self._pieces[1][0] <= oldest:
            del self._pieces[0]

    def _refs(self, start: int, end: int) -> tuple[Ref, ...]:
        refs = []
        for position, seq, size in self._pieces:
            low, high = max(start, position), min(end, position + size)
            if low < high:
                refs.append(Ref(seq, low - position, high - position))
        return tuple(refs)


def _cut_short(frame: Frame) -> bool:
    """Whether a frame that fell silent has less than it announced and no end of its own: the rest may be lost."""
    announced = HEAD_BYTES + (frame.declared or 0) + CRC_BYTES
    return not frame.tail and len(frame.raw) < announced


@dataclass(slots=True)
class StepRecord:
    """One step of the plan as it went."""

    step: str
    begin: float
    end: float | None = None
    result: str = ""  #: ``done``, ``timeout``, ``pending``, ``declined`` or ``aborted``; empty while it runs
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return self.result == "done"


@dataclass(slots=True)
class ActRecord:
    """One act of the operator: it happened between ``begin`` and ``end``."""

    act: str  #: ``open``, ``close``, ``lift``, ``put-back``, ``unplug``, ``plug-in``, ``power-cycle``
    step: str
    begin: float
    end: float
    answer: str  #: ``done``, ``not-fitted``, ``cannot`` or ``pending``
    method: str = ""
    person: str = ""  #: ``A`` or ``B``: who was asked to do it
    seq: int = 0  #: number of the transcript entry that began it

    @property
    def done(self) -> bool:
        return self.answer == "done"


@dataclass(slots=True)
class Opening:
    """What the device said of one act of opening."""

    act: ActRecord
    records: list[Heard]  #: frames that carry a part of an opening, in order of arrival

    def values(self, code: str) -> list[str]:
        """Return what the records say for ``code``, in order."""
        return [heard.codes[code] for heard in self.records if code in heard.codes]


class Evidence:
    """Everything a judgement may look at."""

    def __init__(self, transcript: Transcript, profile: Profile) -> None:
        self.transcript = transcript
        self.profile = profile
        self.limits = profile.limits

    # The wire

    @cached_property
    def _read(self) -> list[Heard | Stray]:
        readers: dict[int, LinkReader] = {}
        found: list[Heard | Stray] = []
        now = 0.0
        for entry in self.transcript:
            now = entry.t_mono
            if entry.kind == "bytes" and entry.direction == "in":
                reader = readers.setdefault(entry.link, LinkReader(entry.link, self.limits.frame_stall_s))
                found.extend(reader.feed(entry.seq, entry.data, now))
            elif entry.kind == "close" and entry.link in readers:
                found.extend(readers.pop(entry.link).end(now))
        for reader in readers.values():
            found.extend(reader.end(now))
        return sorted(found, key=lambda item: item.t)

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
        """The frames of the device under test, replies and damaged ones included, by arrival."""
        return [h for h in self.heard if h.message.mn == self.mn and h.understood and not h.truncated]

    @cached_property
    def asked(self) -> dict[str, Entry]:
        """Our requests, by QN."""
        found = {}
        for entry in self.transcript:
            if entry.kind == "bytes" and entry.direction == "out" and "request" in entry.attachment:
                found[str(entry.attachment["request"])] = entry
        return found

    @cached_property
    def spontaneous(self) -> list[Heard]:
        """What the device sent by itself: no replies, no data we asked for, no heartbeats; repeats included."""
        return [h for h in self.frames if not (h.is_reply or h.is_heartbeat or self._solicited(h))]

    def _solicited(self, heard: Heard) -> bool:
        """Whether it has the QN of a request made before it came: both sides may name a millisecond alike."""
        request = self.asked.get(heard.message.qn)
        if request is None or request.seq > heard.seq:
            return False
        return bool(heard.message.cn == request.attachment["cn"])

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
        found: dict[str, StepRecord] = {}
        for entry in self.transcript:
            if entry.kind != "step":
                continue
            detail = dict(entry.attachment)
            step, phase = detail.pop("step"), detail.pop("phase")
            if phase == "begin":
                found[step] = StepRecord(step, entry.t_mono, detail=detail)
            elif step in found:
                record = found[step]
                record.end, record.result = entry.t_mono, detail.pop("result", "done")
                record.detail.update(detail)
        return found

    @cached_property
    def acts(self) -> list[ActRecord]:
        """What the operator did, in order."""
        found = []
        open_act: Entry | None = None
        for entry in self.transcript:
            if entry.kind != "act":
                continue
            if entry.attachment["phase"] == "begin":
                open_act = entry
            elif open_act is not None:
                known = open_act.attachment
                found.append(
                    ActRecord(
                        known["act"], known["step"], open_act.t_mono, entry.t_mono, entry.attachment["answer"],
                        known.get("method", ""), known.get("person", ""), open_act.seq,
                    )
                )  # fmt: skip
                open_act = None
        return found

    @cached_property
    def openings(self) -> list[Opening]:
        """Each act of opening with what the device said of it.

        A record belongs to the last opening begun before it came, as long as the step lasts: what comes afterwards
        is somebody else's. Records of an outage come later, all together, and are found by :meth:`backfilled`.
        """
        acts = [a for a in self.acts if a.act == "open" and a.done and a.step != "outage"]
        by_act: dict[int, list[Heard]] = defaultdict(list)
        for heard in self.records:
            index = max((i for i, act in enumerate(acts) if act.seq < heard.seq), default=None)
            if index is not None and heard.t <= self._step_end(acts[index].step) and not self.is_backlog(heard):
                by_act[index].append(heard)
        return [Opening(act, by_act[i]) for i, act in enumerate(acts)]

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
        begins = [self.steps[s].begin for s in ("withhold", "outage", "reboot") if s in self.steps]
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
        """The timed reports before the suite disturbed anything.

        Frames with two states or more where there are any: a lone state is a change. Some devices send all three with
        a change too, so a frame that an event may explain is a report only if one was due and no other came.
        """
        free = [h for h in self.states if h.t < self.disturbed_from and not self.is_backlog(h)]
        several = [h for h in free if _state_count(h) > 1] or free
        places = [place for place, h in enumerate(several) if id(h) not in self._eventful]
        certain = [several[place] for place in places]
        declared = self.limits.report_interval_s
        usual = median([b.t - a.t for a, b in pairwise(certain)] or [declared])
        due: dict[tuple[int, int], tuple[float, Heard]] = {}
        for place, heard in enumerate(several):
            if id(heard) not in self._eventful:
                continue
            at = bisect_left(places, place)
            before, after = certain[max(at - 1, 0) : at], certain[at : at + 1]
            # What says something new may also have started the interval of the next report.
            for anchor, interval in product(before + ([] if self._eventful[id(heard)] else after), {declared, usual}):
                apart = abs(heard.t - anchor.t)
                number = max(1, round(apart / max(interval, 1.0)))
                off, tolerance = abs(apart - number * interval), min(float(self.limits.arrival_pass_s), interval / 4)
                # The first of all may be there only because the device had just connected: the better one counts.
                alone = off + SAME_TIME_S
                near = [c for c in before + after if abs(c.t - heard.t) <= (alone if c is certain[0] else tolerance)]
                better = (id(anchor), number) not in due or off < due[id(anchor), number][0]
                if off <= tolerance and better and not near:
                    due[id(anchor), number] = off, heard
        accepted = {id(heard) for _off, heard in due.values()} | {id(heard) for heard in certain}
        return [heard for heard in several if id(heard) in accepted]

    @cached_property
    def _eventful(self) -> dict[int, bool]:
        """Frames that an event may explain, by ``id``: they come right after one, fit an act, or say something new.

        The value is true for the last.
        """
        found: dict[int, bool] = {}
        known: dict[str, str] = {}
        last = float("-inf")
        for heard in self.door_data:
            if self.is_backlog(heard):
                continue
            told: dict[str, str] = {code: heard.codes[code] for code in STATES if code in heard.codes}
            lone = _state_count(heard) < 2
            new = any(known.get(code, "" if lone else value) != value for code, value in told.items())
            known |= told
            if new or heard.t <= last + self.limits.event_target_s or self._tells_of_an_act(heard):
                found[id(heard)] = new
            if new or any(code in heard.codes for code in OPENING_PARTS):
                last = heard.t
        return found

    def _tells_of_an_act(self, heard: Heard) -> bool:
        for act in self.acts:
            if act.done and act.act in ACT_STATES and act.seq < heard.seq:
                code, value = ACT_STATES[act.act]
                if heard.codes.get(code) == value and heard.t <= act.end + self.limits.event_s:
                    return True
        return False

    @cached_property
    def _first_connect(self) -> float:
        return next((entry.t_wall for entry in self.transcript if entry.kind == "connect"), float("inf"))

    @cached_property
    def _backlog(self) -> set[int]:
        if self.clock_offset is None:
            return set()  # a slow clock would make old what happens now
        times = {id(h): h.data_time for h in self.door_data}
        limit = self._first_connect - BACKLOG_SLACK_S
        old = {key for key, told in times.items() if told is not None and self.suite_time(told) < limit}
        # Where nothing is of today, the device's times are wrong, and that is another matter.
        return old if any(told is not None and key not in old for key, told in times.items()) else set()

    def is_backlog(self, heard: Heard) -> bool:
        """Whether a frame tells of a time before the device was first connected: it had to wait for us."""
        return id(heard) in self._backlog

    @cached_property
    def clock_offset(self) -> tuple[float, float] | None:
        """Device clock minus suite clock in seconds, and its uncertainty; ``None`` when the device did not tell."""
        for qn, entry in self.asked.items():
            if entry.attachment["cn"] != "1011":
                continue
            for heard in self.frames:
                if heard.message.qn == qn and heard.message.cn == "1011":
                    shown = _posix(heard.message.parameter("SystemTime") or "")
                    if shown is not None:
                        middle = (entry.t_mono + heard.t) / 2 + self.transcript.epoch
                        # Whole seconds are shown: the device's time lies half a second later on average.
                        return shown + 0.5 - middle, 0.5 + (heard.t - entry.t_mono) / 2
        return None

    @property
    def clock_uncertainty(self) -> float:
        """How far :meth:`suite_time` may be off, in seconds."""
        return self.clock_offset[1] if self.clock_offset else 0.0

    def suite_time(self, device_posix: float) -> float:
        """Return a time of the device on the suite's wall clock, as far as the offset is known."""
        return device_posix - (self.clock_offset[0] if self.clock_offset else 0.0)

    def wall(self, t: float) -> float:
        """Return POSIX seconds of an instant on the suite's monotonic clock."""
        return self.transcript.epoch + t


def _state_count(heard: Heard) -> int:
    return sum(code in heard.codes for code in STATES)


#: What an act does to the states: the code and its new value.
ACT_STATES: Final = {
    "open": ("i32001", "1"),
    "close": ("i32001", "0"),
    "lift": ("i32002", "1"),
    "put-back": ("i32002", "0"),
    "unplug": ("i32003", "1"),
    "plug-in": ("i32003", "0"),
}


def _code_of(key: str) -> str:
    match = _CODE.match(key)
    return match.group(1) if match else ""


def _posix(text: str) -> float | None:
    try:
        return parse_time(text).timestamp()
    except ValueError:
        return None


def parse_open_time(text: str) -> datetime | None:
    """Return i32006 as a time, ``None`` where it is none."""
    try:
        return parse_time(text)
    except ValueError:
        return None
