"""Every named fault of a station is on the wire, as often as the books and the ledger say.

A fleet in which each fault has a station of its own reports over real loopback TCP, hours of it on the virtual clock;
then the same stations without faults do the same. Nothing of ours reads what came: frames are cut at their two hashes,
and the difference between the two runs is what a fault did. Where this machine can capture loopback, the bytes that
dumpcap saw are those that are read.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest

from simulator.clock import EPOCH, run_virtual
from simulator.engine.shard import Shard
from simulator.faults import FAULTS, NOT_JUDGED
from simulator.ledger import LedgerHeader, LedgerWriter
from simulator.personalities.building import builder
from simulator.personalities.kinds import kinds
from simulator.scenario import Event, FaultPlan, Scenario, SiteGroup, StationGroup, Target
from simulator.transport import LoopbackNetwork
from simulator.world import code_of, signals

from .test_fleet import free_port
from .wire import HOST, Record, Recorder, acted, can_capture, captured, crc, modbus, packets, rough_frames, value

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.usefixtures("nothing_left_open"),
    pytest.mark.skipif(os.name != "posix", reason="stations connect from addresses of their own"),
]

SEED = 5
DURATION_S = 11_300.0
#: How long the platform is silent to stations of which it is seen how they repeat.
SILENT_S = 70.0
PROBABILITY = 0.3

#: The faults that the suite knows as mutants; those of the link are in test_faults_on_the_link.
NAMES = [name for name, fault in FAULTS.items() if fault.expected != NOT_JUDGED]
#: Faults that make stations go on differently from then on: a station that has one has it from first to last.
LASTING = frozenset(
    {
        "reused-qn", "no-resend", "endless-resend", "hasty-resend", "single-resend", "slow-resend",
        "resend-with-new-qn", "half-hour-report", "slow-timer", "drifting-timer", "event-restarts-timer",
        "late-upload", "slow-upload", "clock-90s-fast", "clock-30s-fast", "lockout-unreported", "qn-14-digits",
        "answers-acknowledgement", "no-answer-wanted",
    }
)  # fmt: skip
#: Faults that only show in a few messages of these hours.
RARE = frozenset(name for name, fault in FAULTS.items() if fault.layer == "world") | {
    "no-state-query", "query-without-result", "clock-not-readable", "replies-with-st-81", "unpadded-crc",
    "length-in-characters", "gbk-log", "log-without-slashes", "oversized-segment", "pno-from-zero", "mixed-forms",
    "foreign-code",
}  # fmt: skip


#: All that a gas analyser can measure.
MANY = tuple(code for signal in signals("flue-gas") if (code := code_of(signal, "2017")))


def kind_of(name: str) -> str:
    """A kind of station that can have a fault, and at which it shows."""
    if name == "flag-always-n":  # shows where a value is not normal: at a meter without voltage
        return "power"
    return {"door": "door", "logger": "flue-gas", "meter": "power"}[FAULTS[name].families[0]]


def fleet(port: int, *, faulty: bool) -> Scenario:
    groups, plans = [], []
    for number, name in enumerate(NAMES):
        always = faulty and (name in LASTING or name in RARE)
        groups.append(
            StationGroup(
                kind=kind_of(name),
                name=name,
                mn=f"{number + 1:014X}0000000001",
                site="plant",
                edition="2017",
                faults=(name,) if always else (),
                interval_s=900.0 if kind_of(name) == "door" else 300.0,
                # Shows in messages that are too long for one packet.
                signals=MANY if name == "pno-from-zero" else (),
            )
        )
        if faulty and not always:
            once = name == "not-hj212"
            plans.append(FaultPlan(name, (name,), 1000.0, None if once else 9000.0, once=once, probability=PROBABILITY))
    events = (
        Event("dismantle", 2000.0, 800.0),
        Event("supply-cut", 3000.0, 700.0),
        Event("reader-fault", 4000.0, 1000.0),
        Event("restart", 5400.0),
        Event("carrier-outage", 7000.0, 1300.0),
    )
    sources = tuple(f"127.0.8.{number + 1}" for number in range(len(NAMES)))
    site = SiteGroup(name="plant", openings_per_hour=6, shifts=("00:00-24:00",))
    return Scenario(
        SEED, DURATION_S, Target(HOST, port, sources), tuple(groups), site=(site,), fault=tuple(plans), event=events
    )


@dataclass
class Sent:
    """One frame of a station, and when it came: more than once where it was repeated."""

    frame: bytes
    at: list[float] = field(default_factory=list)

    @property
    def text(self) -> str:
        return self.frame.decode("utf-8", "replace")

    @property
    def segment(self) -> bytes:
        return self.frame[6 : self.frame.rfind(b"&&") + 2]

    @property
    def end(self) -> bytes:
        """What stands behind the segment."""
        return self.frame[self.frame.rfind(b"&&") + 2 :]

    @property
    def is_upload(self) -> bool:
        return value(self.frame, "CN") in ("2011", "2051", "2061", "2031", "2081", "2021", "3020") and (
            not value(self.frame, "QN").startswith("20250101")  # those are the platform's
        )

    @property
    def is_change(self) -> bool:
        """Whether it tells the new state of one thing."""
        return self.is_upload and len(re.findall(r"-Info=", self.text)) == 1 and "//" not in self.text

    @property
    def is_periodic(self) -> bool:
        return all(f"i3200{number}-Info=" in self.text for number in (1, 2, 3))


@dataclass
class Played:
    """What a run left behind."""

    sent: dict[str, list[Sent]]  #: by name of the fault
    faults: dict[str, int]
    ledger: Path


def play(folder: Path, *, faulty: bool) -> Played:
    record, ledger = Record(port=free_port()), folder / f"{faulty}.ledger"
    scenario = fleet(record.port, faulty=faulty)
    names = dict(zip(scenario.target.sources, NAMES, strict=True))
    first: dict[tuple[str, str], float] = {}

    def acknowledges(source: str, frame: bytes, now: float) -> bool:
        if not names[source].endswith("-resend") and names[source] != "resend-with-new-qn":
            return True
        area = frame[frame.find(b"CP=&&") :]
        return now - first.setdefault((source, area.decode("utf-8", "replace")), now) >= SILENT_S

    asked: Counter[str] = Counter()

    def greets(source: str, frame: bytes) -> list[bytes]:
        if value(frame, "CN") != "2081":
            return []
        asked[source] += 1
        head = f"PW=123456;MN={value(frame, 'MN')};Flag=5;CP=&&"
        st = kinds()[kind_of(names[source])].st
        found = [f"QN=2025010100000000{asked[source]};ST={st};CN=1011;{head}&&"]
        if st == "81":
            found.append(f"QN=2025010100000001{asked[source]};ST=81;CN=3020;{head}InfoId=i32001&&")
        return [text.encode() for text in found]

    record.acknowledges, record.greets = acknowledges, greets
    file = folder / f"{faulty}.pcapng"
    capturing = can_capture()
    faults: dict[str, int] = {}

    async def main() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Recorder(record), HOST, record.port)
        header = LedgerHeader(scenario="0", seed=SEED, start_ms=round(EPOCH * 1000))
        book = LedgerWriter(ledger, header)
        shard = Shard(scenario, builder, base=loop.time(), epoch=EPOCH, target=(HOST, record.port), ledger=book)
        shard.start()
        await asyncio.sleep(DURATION_S + 0.0005)
        await shard.stop()
        faults.update(shard.counts().faults)
        book.close(round((EPOCH + DURATION_S) * 1000))
        server.close()
        for transport in [*record.transports]:
            transport.abort()
        await asyncio.sleep(1)

    with captured(record.port, file) if capturing else nullcontext():
        run_virtual(main, LoopbackNetwork())
    if capturing:
        _check_capture(file, record)
    sent = {}
    for source, name in names.items():
        known: dict[bytes, Sent] = {}
        for stream in record.of(source):
            for frame, at in _frames(stream.data):
                known.setdefault(frame, Sent(frame)).at.append(at)
        sent[name] = list(known.values())
    return Played(sent, faults, ledger)


def _check_capture(file: Path, record: Record) -> None:
    """The platform's sockets gave exactly what was on the wire."""
    captured_bytes: dict[tuple[str, int], dict[int, bytes]] = defaultdict(dict)
    for packet in packets(file):
        if packet.target_port == record.port and packet.payload:
            captured_bytes[packet.source, packet.source_port].setdefault(packet.sequence, packet.payload)
    for stream in record.streams:
        assert b"".join(captured_bytes[stream.source, stream.port].values()) == stream.bytes


def _frames(data: Iterable[tuple[float, bytes]]) -> Iterable[tuple[bytes, float]]:
    for at, piece in data:
        for frame in rough_frames(piece):
            yield frame, at


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Played, Played]:
    """The run with faults and the one without."""
    folder = tmp_path_factory.mktemp("wire")
    return play(folder, faulty=True), play(folder, faulty=False)


@dataclass
class Difference:
    """What a fault did to a station."""

    sent: list[Sent]  #: all that it sent
    extra: list[Sent]  #: what it would not have sent without the fault
    missing: list[Sent]  #: what it would have sent

    @property
    def most(self) -> int:
        return max(len(self.extra), len(self.missing))


def difference(runs: tuple[Played, Played], name: str) -> Difference:
    faulty, right = (played.sent[name] for played in runs)
    known = {one.frame for one in right}
    there = {one.frame for one in faulty}
    return Difference(
        faulty, [one for one in faulty if one.frame not in known], [one for one in right if one.frame not in there]
    )


def _uploads(found: Difference) -> int:
    return sum(one.is_upload for one in found.extra)


def _clusters(found: Difference) -> int:
    """Times that something was sent; what the link repeats within a minute and a half belongs to one."""
    return sum(1 + sum(later - at > 90 for at, later in pairwise(one.at)) for one in found.extra)


def _copies(one: Sent) -> list[float]:
    """Instants at which a frame came while the platform was silent."""
    return [at for at in one.at if at - one.at[0] < SILENT_S + 5]


def _gaps(found: Difference, low: float, high: float) -> int:
    return sum(low < later - at < high for one in found.sent for at, later in pairwise(_copies(one)))


def _answered(found: Difference) -> int:
    return sum("CN=9011" in one.text for one in found.missing)


def _not_resent(found: Difference) -> int:
    """Repeats that each sending lacks, where nobody answered it."""
    count = 0
    for one in found.sent:
        copies = 0
        for at, later in pairwise([*one.at, float("inf")]):
            copies += 1
            if later - at > 12:
                if one.is_upload and at - one.at[0] < SILENT_S:
                    count += 4 - copies
                copies = 0
    return count


def _renamed(found: Difference) -> int:
    areas = [one.segment.split(b"CP=")[1] for one in found.sent if one.is_upload]
    return len(areas) - len(set(areas))


def _but_for_qn(found: Difference) -> int:
    """Count frames that differ in more than the milliseconds of their QN, which follow those of others."""
    lists = [Counter(re.sub(r"QN=\d+", "QN", one.text)[6:-6] for one in each) for each in (found.extra, found.missing)]
    return max((lists[0] - lists[1]).total(), (lists[1] - lists[0]).total())


def _late(seconds: float) -> Callable[[Difference], int]:
    """Count timed reports that came so much later than their QN."""

    def count(found: Difference) -> int:
        return sum(one.is_periodic and one.at[0] - _of_qn(one) >= seconds for one in found.sent)

    return count


def _of_qn(one: Sent) -> float:
    qn = value(one.frame, "QN")
    hours, minutes, seconds = int(qn[8:10]), int(qn[10:12]), int(qn[12:14])
    begin = 9 * 3600 + 59 * 60 + 30  # what the virtual clock begins with
    return hours * 3600 + minutes * 60 + seconds - begin


#: How often a fault acted, by what is on the wire; where it is not simply the number of frames that differ.
COUNT: dict[str, Callable[[Difference], int]] = {
    "not-hj212": _clusters,
    "no-resend": _not_resent,
    "single-resend": _not_resent,
    "endless-resend": lambda found: sum(max(0, len(_copies(one)) - 4) for one in found.sent),
    "hasty-resend": lambda found: _gaps(found, 0.5, 5),
    "slow-resend": lambda found: _gaps(found, 15, 25),
    "resend-with-new-qn": _renamed,
    "only-face-recorded": _but_for_qn,
    "record-missing": _but_for_qn,
    "missing-minute-reports": _but_for_qn,
    "duplicate-record": _but_for_qn,
    "loses-records-offline": _but_for_qn,
    "mn-14-chars": _uploads,
    "clock-90s-fast": _uploads,
    "clock-30s-fast": _uploads,
    "no-state-query": _answered,
    "clock-not-readable": _answered,
    "opening-in-pieces": lambda found: len(found.missing),
    "invented-remote-opening": lambda found: sum("//" not in one.text for one in found.extra),
    "lockout-unreported": lambda found: sum("//" not in one.text for one in found.missing),
    "event-restarts-timer": lambda found: sum(one.is_change for one in found.sent),
    "half-hour-report": lambda found: sum(one.is_periodic for one in found.sent),
    "slow-timer": lambda found: sum(one.is_periodic for one in found.sent),
    "drifting-timer": lambda found: sum(one.is_periodic for one in found.sent),
    "late-upload": _late(390),
    "slow-upload": _late(85),
    "duplicate-packet": lambda found: sum(later == at for one in found.sent for at, later in pairwise(one.at)),
}


def _swapped(check: int) -> bytes:
    return b"%02X%02X" % (check & 0xFF, check >> 8)


#: What is wrong with each frame that differs, where that can be told from the frame alone.
WRONG: dict[str, Callable[[Sent], bool]] = {
    "modbus-crc": lambda one: one.end == b"%04X\r\n" % modbus(one.segment),
    "modbus-crc-swapped": lambda one: one.end[:4] == _swapped(modbus(one.segment)),
    "swapped-crc": lambda one: one.end[:4] == _swapped(crc(one.segment)),
    "unpadded-crc": lambda one: len(one.end) < 6 and int(one.end, 16) == crc(one.segment),
    "lower-case-crc": lambda one: one.end == b"%04x\r\n" % crc(one.segment) != b"%04X\r\n" % crc(one.segment),
    "length-plus-6": lambda one: int(one.frame[2:6]) == len(one.segment) + 6,
    "length-whole-frame": lambda one: int(one.frame[2:6]) == len(one.segment) + 12,
    "length-in-characters": lambda one: int(one.frame[2:6]) == len(one.segment.decode()) < len(one.segment),
    "lf-only-tail": lambda one: one.end == b"%04X\n" % crc(one.segment),
    "missing-tail": lambda one: one.end == b"%04X" % crc(one.segment),
    "not-hj212": lambda one: one.frame.startswith(b"{"),
    "oversized-segment": lambda one: len(one.segment) > 1024,
    "gbk-log": lambda one: "开门" in one.frame.decode("gbk", "replace") and "开门" not in one.text,
    "log-without-slashes": lambda one: "开门" in one.text and "//" not in one.text,
    "mn-before-pw": lambda one: 0 < one.text.find("MN=") < one.text.find("PW="),
    "qn-14-digits": lambda one: not one.is_upload or len(value(one.frame, "QN")) == 14,
    "reused-qn": lambda one: value(one.frame, "QN").endswith("00000"),
    "mn-14-chars": lambda one: len(value(one.frame, "MN")) == 14,
    "wrong-password": lambda one: value(one.frame, "PW") == "000000",
    "flag-2005": lambda one: value(one.frame, "Flag") == "1",
    "flag-2025": lambda one: value(one.frame, "Flag") == "9",
    "flag-without-packet-numbers": lambda one: value(one.frame, "Flag") == "7" and "PNUM" not in one.text,
    "no-answer-wanted": lambda one: value(one.frame, "Flag") == "4",
    "answers-acknowledgement": lambda one: value(one.frame, "CN") == "9011",
    "replies-with-st-81": lambda one: value(one.frame, "ST") == "81" and value(one.frame, "CN") in ("9011", "9012"),
    "st-32": lambda one: value(one.frame, "ST") == "32",
    "lower-case-datatime": lambda one: "datatime=" in one.text,
    "lower-case-info": lambda one: "-info=" in one.text,
    "blanks": lambda one: " i32001-Info" in one.text or " DataTime" in one.text,
    "trailing-semicolon": lambda one: one.segment.endswith(b";&&"),
    "foreign-code": lambda one: "i32007-Info" in one.text,
    "polid-present": lambda one: "PolId=w01018" in one.text,
    "seventeen-digit-datatime": lambda one: len(value(one.frame, "DataTime")) == 17,
    "mixed-forms": lambda one: value(one.frame, "CN") == "2011" and "i32001-Rtd" in one.text,
    "dismantle-value-2": lambda one: "i32002-Info=2" in one.text,
    "fault-value-2": lambda one: "i32003-Info=2" in one.text,
    "method-code-5": lambda one: "i32004-Info=5" in one.text,
    "method-leading-zero": lambda one: "i32004-Info=0" in one.text,
    "empty-person-code": lambda one: "i32005-Info=;" in one.text,
    "formatted-open-time": lambda one: re.search(r"i32006-Info=\d{4}-\d\d-\d\d ", one.text) is not None,
    "incomplete-report": lambda one: "i32002-Info" in one.text and "i32003-Info" not in one.text,
    "full-width-comma": lambda one: "，" in one.text,
    "pno-from-zero": lambda one: int(value(one.frame, "PNO")) < int(value(one.frame, "PNUM")),
    "clock-90s-fast": lambda one: not one.is_upload or not 0.5 < _of_qn(one) - one.at[0] < 88.9,
    "report-stuck-fault": lambda one: one.is_periodic and "i32003-Info=1" in one.text,
    "energy-wraps": lambda one: all(float(v) < 100 for v in re.findall(r"d2309[0-9]{2}-Rtd=([0-9.]+)", one.text)),
}  # fmt: skip

#: What a fault keeps back, where that can be told from a frame that is missing.
KEPT_BACK: dict[str, Callable[[Sent], bool]] = {
    "never-closed": lambda one: one.is_change and "i32001-Info=0" in one.text,
    "no-change-report": lambda one: one.is_change and "i32001-Info=" in one.text,
    "dismantle-not-restored": lambda one: one.is_change and "i32002-Info=0" in one.text,
    "fault-not-restored": lambda one: one.is_change and "i32003-Info=0" in one.text,
    "skipped-report": lambda one: one.is_periodic,
    "query-without-result": lambda one: value(one.frame, "CN") == "9012",
}


@pytest.mark.parametrize("name", NAMES)
def test_as_often_as_the_books_say(runs: tuple[Played, Played], name: str) -> None:
    found = difference(runs, name)
    count = COUNT.get(name, lambda difference: difference.most)(found)
    faulty, _right = runs
    assert count > 0
    assert (faulty.faults.get(name), acted(faulty.ledger)[name]) == (count, count)


@pytest.mark.parametrize("name", WRONG)
def test_each_frame_that_differs_is_wrong_in_that_way(runs: tuple[Played, Played], name: str) -> None:
    found = difference(runs, name)
    assert found.extra
    assert [one.text for one in found.extra if not WRONG[name](one)] == []


@pytest.mark.parametrize("name", KEPT_BACK)
def test_each_frame_that_is_missing_is_one_of_those(runs: tuple[Played, Played], name: str) -> None:
    found = difference(runs, name)
    assert found.missing
    assert found.extra == []
    assert [one.text for one in found.missing if not KEPT_BACK[name](one)] == []


def test_nothing_else_acted(runs: tuple[Played, Played]) -> None:
    faulty, right = runs
    assert set(faulty.faults) == set(NAMES) == set(acted(faulty.ledger))
    assert right.faults == {} == acted(right.ledger)
