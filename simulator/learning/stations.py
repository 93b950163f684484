"""What a capture tells of one station: gathered message by message, without anything that names it kept beyond that."""

from __future__ import annotations

from array import array
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from hashlib import blake2b
from statistics import median
from typing import Final

from .messages import DOOR, Heard
from .quirks import Quirks, Shown
from .readings import Readings
from .steps import every_third_is_missing, steps

__all__ = ["MAX_TIMES", "Resends", "Station"]

#: Instants of one kind of report that are kept; those behind them are counted.
MAX_TIMES: Final = 50_000
#: Factors of a station, and people of a door, that are looked at.
MAX_FACTORS: Final = 200
MAX_PEOPLE: Final = 10_000
#: Uploads and requests whose answers are waited for at a time.
MAX_WAITING: Final = 1000
#: A repeat within this is one of the link; later ones are offered again with another report.
_RESEND_S: Final = 60.0
#: Whoever says a thing again within this did not wait for an answer.
_AT_ONCE_S: Final = 0.5
_QN_DIGITS: Final = 17
#: Nobody is configured to repeat more often than this.
_ENDLESS: Final = 10
#: So many of a thing, and none of its counterpart, are no chance.
_ENOUGH: Final = 3
#: A pause that is longer than the one before by this factor is another kind of pause.
_STEADY: Final = 1.5
#: Who was silent for this long at the end of the capture did not mean to say it again.
_PATIENCE_S: Final = 30.0


@dataclass
class _Upload:
    what: tuple[str, int]  # command and packet number
    content: bytes
    first: float
    last: float
    repeats: int = 0
    spacing_s: float = 0.0
    acknowledged: float | None = None
    new_qn: bool = False
    doubled: bool = False


@dataclass
class _Request:
    cn: str
    at: float
    answered: bool = False
    closed: bool = False


@dataclass
class Resends:
    """What a station does with uploads that nobody answers.

    Attributes:
        spacing_s: Seconds between repeats, where there were any.
        counts: Unanswered uploads by how often each was repeated.
        given_up: How often repeating came to an end for a while.
        new_qn: How many repeats had another QN.
    """

    spacing_s: list[float] = field(default_factory=list)
    counts: Counter[int] = field(default_factory=Counter)
    given_up: int = 0
    new_qn: int = 0


class Station:
    """One station, by its MN.

    Attributes:
        mn_length: Characters of its MN; ``mn_hex`` whether they count up.
        st: System codes of its uploads. ``editions``: by Flag; ``None`` without Flag.
        commands: What it said, by command. ``asked``: what it was asked.
        times: Kind of report -> the instants it is about. ``composed``: the instants of their QN.
        readings: Code -> what it read.
        offsets: What its clock shows more than the capture's, seconds, by kind of report.
        people: How many person codes were seen. ``openings``: how many openings.
        encrypted, damaged, packets: Frames that are so.
    """

    def __init__(self, mn: str) -> None:
        self.mn_length = len(mn)
        self.mn_hex = all(c in "0123456789ABCDEFabcdef" for c in mn)
        self.st: Counter[str] = Counter()
        self.editions: Counter[object] = Counter()
        self.commands: Counter[str] = Counter()
        self.asked: Counter[str] = Counter()
        self.forms: Counter[str] = Counter()
        self.times: dict[str, array[float]] = {}
        self.composed: dict[str, array[float]] = {}
        self.readings: dict[str, Readings] = {}
        self.offsets: dict[str, list[float]] = {}
        self.quirks = Quirks()
        self.resends = Resends()
        self.openings = self.logs = self.records = 0
        self.encrypted = self.damaged = self.packets = 0
        self.of_door = False
        self.both_ways = False
        self.restarts = 0
        self.first = self.last = 0.0
        self.closings = 0
        self._people: set[bytes] = set()
        self._said: dict[str, bytes] = {}
        self._waiting: OrderedDict[str, list[_Upload]] = OrderedDict()  # by QN
        self._requests: OrderedDict[str, _Request] = OrderedDict()  # by QN
        self._acknowledged: OrderedDict[str, None] = OrderedDict()
        self._last_time: float | None = None

    @property
    def people(self) -> int:
        """How many person codes were seen."""
        return len(self._people)

    @property
    def seconds(self) -> float:
        """How long it was seen."""
        return self.last - self.first

    # What it says

    def upward(self, heard: Heard) -> None:
        """Take in what the station said."""
        message = heard.message
        if heard.frame is not None and not heard.encrypted:
            self.quirks.frame(heard.frame)
        self.encrypted += heard.encrypted
        self._pass(heard.time)
        again = self._track(heard)
        self.quirks.message(heard)
        if message.cn in ("9011", "9012"):
            self._reply(heard)
            return
        if again:
            return
        self.commands[message.cn] += 1
        self.packets += message.pnum is not None and message.pnum > 1
        if not heard.kind:
            return
        self.st[message.st] += 1
        self.editions[heard.edition] += 1
        self.of_door |= heard.of_door
        if heard.kind == "restart":
            self.restarts += 1
            return
        self._instant(heard)
        if heard.of_door:
            self._door(heard)
        elif heard.kind in ("periodic", "minute"):
            self._read(heard)

    def downward(self, heard: Heard) -> None:
        """Take in what the platform said to it."""
        message = heard.message
        self.both_ways = True
        self._pass(heard.time)
        if message.cn == "9014":
            qn = message.answers_qn
            for upload in self._waiting.get(qn, ()):
                if upload.acknowledged is None:
                    upload.acknowledged = heard.time or 0.0
            self._acknowledged[qn] = None
            if len(self._acknowledged) > MAX_WAITING:
                self._acknowledged.popitem(last=False)
        elif message.wants_answer and message.cn not in ("9013",):
            self.asked[message.cn] += 1
            self._requests[message.qn] = _Request(message.cn, heard.time or 0.0)
            if len(self._requests) > MAX_WAITING:
                self._request_over(self._requests.popitem(last=False)[1])

    def _pass(self, time: float | None) -> None:
        if time is not None:
            self._last_time = time

    def _instant(self, heard: Heard) -> None:
        about = heard.about
        if about is None:
            return
        # What a window is about is when it began, a day ago perhaps.
        seen = heard.qn_at if heard.qn_at is not None else about if heard.kind in ("periodic", "change") else None
        if seen is not None:
            self.first = min(self.first or seen, seen)
            self.last = max(self.last, seen)
        for kept, instant in ((self.times, about), (self.composed, heard.qn_at)):
            found = kept.setdefault(heard.kind, array("d"))
            if instant is not None and len(found) < MAX_TIMES:
                found.append(instant)
        if heard.time is not None and heard.qn_at is not None:
            offsets = self.offsets.setdefault(heard.kind, [])
            if len(offsets) < MAX_TIMES:
                offsets.append(heard.qn_at - heard.time)

    def _read(self, heard: Heard) -> None:
        prefix = heard.kind
        for code, value, digits, flag in heard.readings():
            key = code if prefix == "periodic" else f"{prefix}/{code}"
            if key not in self.readings:
                if len(self.readings) >= MAX_FACTORS:
                    continue
                self.readings[key] = Readings()
            self.readings[key].add(value, digits, heard.about)
            if flag:
                self.readings[key].flags[flag[:4]] += 1

    def _door(self, heard: Heard) -> None:
        if heard.kind == "periodic":
            self.forms[heard.message.cn] += 1
        elif heard.kind == "change":
            position = heard.value(f"{DOOR.door}-Info", f"{DOOR.door}-info", f"{DOOR.door}-Rtd")
            twice = self._told_twice(heard, "duplicate-change")
            self.openings += position == "1" and not twice
            self.closings += position == "0" and not twice
        elif heard.kind == "log":
            self.logs += 1
        else:
            self.records += not self._told_twice(heard, "duplicate-record")
            person = heard.value(f"{DOOR.person}-Info")
            if person and len(self._people) < MAX_PEOPLE:
                self._people.add(_digest(person.encode("utf-8", "surrogateescape")))

    def _told_twice(self, heard: Heard, fault: str) -> bool:
        """Tell whether the door said the same just before; each second one is the end of a pair."""
        said = _digest(repr(heard.pairs).encode("utf-8", "surrogateescape"))
        twice = self._said.get(fault) == said
        if twice:
            self.quirks.shown[fault].times += 1
        else:
            self.quirks.count(fault, False)
        self._said[fault] = b"" if twice else said
        return twice

    # Answers

    def _reply(self, heard: Heard) -> None:
        qn = heard.message.answers_qn
        request = self._requests.get(qn)
        if request is not None:
            request.answered = True
            request.closed |= heard.message.cn == "9012"
        elif heard.message.cn == "9011" and qn in self._acknowledged:
            del self._acknowledged[qn]
            self.quirks.shown.setdefault("answers-acknowledgement", Shown()).times += 1

    def _track(self, heard: Heard) -> bool:
        """Take note of an upload; say whether it was sent before."""
        message = heard.message
        if not heard.kind or not message.qn or message.qn in self._requests:
            return False
        # Without a clock repeats are known by their content all the same.
        at = heard.time if heard.time is not None else heard.qn_at or 0.0
        what = message.cn, message.pno or 0
        content = _digest(b"".join(f"{k}={v};".encode("utf-8", "surrogateescape") for k, v in heard.pairs))
        known = next((each for each in self._waiting.get(message.qn, ()) if each.what == what), None)
        if known is not None and known.content == content:
            self._repeat(known, at, heard.time is not None)
            return True
        last = next(reversed(self._waiting), "")
        if not message.pnum and len(last) == len(message.qn) == _QN_DIGITS and last[:12] == message.qn[:12]:
            # The fault leaves the minute only; shorter ones come twice in a second, which is another fault.
            self.quirks.count("reused-qn", last == message.qn)
        upload = _Upload(what, content, at, at)
        if heard.time is not None and message.wants_answer:
            upload.new_qn = self._is_renamed(upload)
        self._waiting.setdefault(message.qn, []).append(upload)
        if len(self._waiting) > MAX_WAITING:
            for over in self._waiting.popitem(last=False)[1]:
                self._upload_over(over)
        return False

    def _repeat(self, known: _Upload, at: float, timed: bool) -> None:
        if timed:
            gap = at - known.last
            if gap < _AT_ONCE_S:
                known.doubled |= known.first == known.last
            elif known.acknowledged is None:
                # Offered again with another report is no resend: it begins a new round of them.
                if gap <= min(_RESEND_S, _STEADY * (known.spacing_s or gap)):
                    known.repeats += 1
                    known.spacing_s = known.spacing_s or gap
                    self.resends.spacing_s.append(gap)
                else:
                    self.resends.counts[known.repeats] += 1
                    self.resends.given_up += 1
                    known.repeats, known.spacing_s = 0, 0.0
        known.last = at

    def _is_renamed(self, upload: _Upload) -> bool:
        for others in reversed(self._waiting.values()):
            for other in others:
                if upload.first - other.last > _RESEND_S:
                    return False
                if upload.first - other.last < _AT_ONCE_S:
                    continue
                if (other.what, other.content) == (upload.what, upload.content) and other.acknowledged is None:
                    return True
        return False

    def _upload_over(self, upload: _Upload) -> None:
        if upload.new_qn:
            self.resends.new_qn += 1
        if upload.first != upload.last or self._last_time is not None:
            self.quirks.count("frame-twice", upload.doubled)
        patient = self._last_time is not None and self._last_time - upload.last >= _PATIENCE_S
        if upload.repeats or (upload.acknowledged is None and patient):
            self.resends.counts[upload.repeats] += 1

    def _request_over(self, request: _Request) -> None:
        if self._last_time is None or self._last_time - request.at < _PATIENCE_S:
            return
        name = {"3020": "no-state-query", "1011": "clock-not-readable"}.get(request.cn)
        if name:
            self.quirks.count(name, not request.answered)
        if request.cn == "3020" and request.answered:
            self.quirks.count("query-without-result", not request.closed)

    def finish(self) -> None:
        """The capture is over: what waited for an answer has had none."""
        for uploads in self._waiting.values():
            for upload in uploads:
                self._upload_over(upload)
        for request in self._requests.values():
            self._request_over(request)
        self._waiting.clear()
        self._requests.clear()
        found = self.quirks.shown.get("answers-acknowledgement")
        if found is not None:
            found.chances = max(found.times, len(self._acknowledged) + found.times)
        self._resend_faults()
        self._missing_faults()

    def _missing_faults(self) -> None:
        """Name what is never told although the rest is."""
        shown = self.quirks.shown
        if self.openings >= _ENOUGH and not self.closings:
            shown["never-closed"] = Shown(self.openings, self.openings)
        if self.records >= _ENOUGH and not self.openings and not self.closings:
            shown["no-change-report"] = Shown(self.records, self.records)
        forms = [count for count in self.forms.values() if count >= _ENOUGH]
        if len(forms) > 1:
            shown["mixed-forms"] = Shown(sum(forms), sum(forms))
        times = self.times.get("periodic", ())
        found = steps(times)
        if found and found.missing >= _ENOUGH and every_third_is_missing(times, found.interval_s):
            shown["skipped-report"] = Shown(found.missing, found.missing)
        self._missing_minutes()

    def _missing_minutes(self) -> None:
        """Look for hours of which the third quarter has no minute reports while the others have."""
        quarters: dict[float, set[float]] = {}
        for instant in self.times.get("minute", ()):
            hour, past = divmod(instant, 3600)
            quarters.setdefault(hour, set()).add(past // 900)
        whole = [found for found in quarters.values() if found >= {0.0, 1.0, 3.0}]
        for found in whole:
            self.quirks.count("missing-minute-reports", 2.0 not in found)

    def _resend_faults(self) -> None:
        """Name what is unusual about repeats; only where somebody would have answered is silence one."""
        resends = self.resends
        total = sum(resends.counts.values())
        if not self.both_ways or not total:
            return
        if resends.new_qn:
            self.quirks.shown["resend-with-new-qn"] = Shown(resends.new_qn, resends.new_qn)
            return
        most = max(resends.counts)
        if most == 0 and total > 1:
            self.quirks.shown["no-resend"] = Shown(total, total)
        elif most == 1 and resends.counts[1] > 1:
            self.quirks.shown["single-resend"] = Shown(total, total)
        elif most > _ENDLESS and not resends.given_up:
            self.quirks.shown["endless-resend"] = Shown(total, total)
        if resends.spacing_s:
            spacing = median(resends.spacing_s)
            for name, usual, tolerance in (("hasty-resend", 1.0, 0.5), ("slow-resend", 20.0, 3.0)):
                if abs(spacing - usual) <= tolerance:
                    self.quirks.shown[name] = Shown(len(resends.spacing_s), len(resends.spacing_s))


def _digest(data: bytes) -> bytes:
    return blake2b(data, digest_size=8).digest()
