"""Every fault of the link is in a capture of real TCP, as often as it was planned, and as often as the books say.

One fleet has them all, each fault some stations of its own at source addresses of their own; each acts on three of ten
messages for some seconds. tshark takes the capture apart; nothing of ours reads it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import pytest

from hj212 import HJ_212_2017, RULES, Edition
from simulator.draws import draw
from simulator.engine import FleetResult, line, run_fleet
from simulator.engine.fleet import Options
from simulator.faults import on_link
from simulator.faults.on_link import WAYS
from simulator.scenario import FaultPlan, Scenario, StationGroup, Target

from .wire import HOST, Packet, Record, acted, can_capture, captured, packets, recording, whole_frames

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.usefixtures("nothing_left_open"),
    pytest.mark.skipif(not can_capture(), reason="a capture of loopback needs dumpcap, tshark and root"),
]

#: Stations of each fault; their addresses are 127.0.7.1 and so on, in the order of the scenario.
EACH = 3
SEED = 11
PROBABILITY = 0.3
BEGIN_S, FOR_S = 1.0, 4.0
#: OverTime, half of that of HJ 212-2017, and how long a station listens whose sending half is closed.
OVERTIME_S, HALF_OPEN_S = 5.0, 2.0
#: OverTime and some seconds to spare.
DURATION_S = 8.5
LATE = "late-acknowledgement"
HOLDING = ("glued-frames", "swapped-frames")


def fleet(port: int) -> Scenario:
    groups, plans = [], []
    for number, name in enumerate(WAYS):
        interval_s = 100.0 if name == LATE else 0.5
        groups.append(
            StationGroup(
                name=name, count=EACH, mn=f"{number:014X}0000000001", interval_s=interval_s, openings_per_hour=0
            )
        )
        if name == LATE:
            plans.append(FaultPlan(name, (name,), 0.0, once=True))
        else:
            plans.append(FaultPlan(name, (name,), BEGIN_S, FOR_S, probability=PROBABILITY))
    sources = tuple(f"127.0.7.{number + 1}" for number in range(EACH * len(WAYS)))
    return Scenario(SEED, DURATION_S, Target(HOST, port, sources), tuple(groups), fault=tuple(plans))


@dataclass
class Link:
    """What a capture shows of one connection."""

    port: int
    began: float
    sent: list[tuple[float, bytes]] = field(default_factory=list)
    fin: float | None = None
    rst: float | None = None

    @property
    def data(self) -> bytes:
        return b"".join(piece for _, piece in self.sent)

    def segments_of(self, at: int, size: int) -> int:
        """Return in how many segments a stretch of the stream came."""
        count = place = 0
        for _, piece in self.sent:
            count += place < at + size and at < place + len(piece)
            place += len(piece)
        return count


def links(found: list[Packet], port: int) -> dict[str, list[Link]]:
    """Put the packets of stations together, by source; how the run itself ends its links is left out."""
    end = max(packet.at for packet in found if packet.source.startswith("127.0.7.")) - 0.8
    known: dict[tuple[str, int], Link] = {}
    by_source: dict[str, list[Link]] = defaultdict(list)
    seen: set[tuple[str, int, int]] = set()
    for packet in found:
        if packet.target_port != port:
            continue
        key = packet.source, packet.source_port
        if key not in known:
            known[key] = Link(packet.source_port, packet.at)
            by_source[packet.source].append(known[key])
        link = known[key]
        if packet.payload and (*key, packet.sequence) not in seen:
            seen.add((*key, packet.sequence))
            link.sent.append((packet.at, packet.payload))
        if packet.fin and link.fin is None and packet.at < end:
            link.fin = packet.at
        if packet.rst and link.rst is None and packet.at < end:
            link.rst = packet.at
    return by_source


@dataclass
class Run:
    result: FleetResult
    ledger: Path
    by_fault: dict[str, list[list[Link]]]  #: name -> the links of each of its stations
    composed: dict[str, list[list[tuple[int, str]]]]  #: name -> of each station, due and QN of what it composed
    record: Record


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("link")
    record, ledger, file = Record(), folder / "city.ledger", folder / "lo.pcapng"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(line, "RECONNECT_S", 0.2)
        patch.setattr(on_link, "HALF_OPEN_S", HALF_OPEN_S)
        patch.setitem(RULES, Edition("2017"), replace(HJ_212_2017, response_timeout_s=OVERTIME_S))
        with recording(record), captured(record.port, file):
            result = run_fleet(fleet(record.port), Options(ledger=ledger))
    scenario = fleet(record.port)
    found = links(packets(file), record.port)
    by_fault, composed = defaultdict(list), defaultdict(list)
    told: dict[str, list[tuple[int, str]]] = defaultdict(list)
    header, *lines = map(json.loads, ledger.read_text("ascii").splitlines())
    for entry in lines:
        if entry[0] == "c":
            told[entry[2]].append((entry[8] - header["start"], entry[3]))
    for number, member in enumerate(scenario.members()):
        by_fault[member.group.name].append(found[scenario.target.sources[number]])
        composed[member.group.name].append(told[member.identity])
    return Run(result, ledger, by_fault, composed, record)


def planned(run: Run, name: str) -> int:
    """How often the scenario wants it, by the draws alone."""
    count = 0
    for number, told in enumerate(run.composed[name]):
        mn = f"{list(WAYS).index(name):014X}{number + 1:010d}"
        chosen = [
            BEGIN_S * 1000 <= due < (BEGIN_S + FOR_S) * 1000 and draw(SEED, mn, f"fault/{name}", due) < PROBABILITY
            for due, _qn in told
        ]
        held = False
        for one in chosen:
            if name not in HOLDING:
                count += one
            elif held:  # whatever comes next goes with the one that was held back
                count, held = count + 1, False
            else:
                held = one
    return count


def all_links(run: Run, name: str) -> list[Link]:
    return [link for station in run.by_fault[name] for link in station]


def seen(run: Run, name: str) -> int:
    """How often the capture shows it."""
    return SEEN[name](run.by_fault[name])


Stations = list[list[Link]]


def _frames_in(stations: Stations) -> list[tuple[Link, int, bytes]]:
    return [(link, at, frame) for station in stations for link in station for at, frame in whole_frames(link.data)]


def _split(stations: Stations) -> int:
    return sum(link.segments_of(at, len(frame)) == 2 for link, at, frame in _frames_in(stations))


def _drip(stations: Stations) -> int:
    return sum(link.segments_of(at, len(frame)) == len(frame) for link, at, frame in _frames_in(stations))


def _glued(stations: Stations) -> int:
    return sum(piece.count(b"##") > 1 for station in stations for link in station for _, piece in link.sent)


def _half_closed(stations: Stations) -> int:
    return sum(link.fin is not None and link.rst is None for station in stations for link in station)


def _cut(stations: Stations) -> int:
    return sum(not link.data.endswith(b"\r\n") for station in stations for link in station)


def _left(stations: Stations) -> int:
    """Connections that were closed, and others followed them."""
    return sum(
        before.fin is not None and before.fin < after.began
        for station in stations
        for before, after in pairwise(station)
    )


def _twice(stations: Stations) -> int:
    frames = [[frame for _, frame in whole_frames(link.data)] for station in stations for link in station]
    return sum(one == other for each in frames for one, other in pairwise(each))


def _swapped(stations: Stations) -> int:
    qns = [[frame.split(b";", 1)[0] for _, frame in whole_frames(link.data)] for s in stations for link in s]
    return sum(one[6:] > other[6:] for each in qns for one, other in pairwise(each))


def _garbage(stations: Stations) -> int:
    count = 0
    for station in stations:
        for link in station:
            rest = link.data
            for _, frame in whole_frames(link.data):
                before, rest = rest.split(frame, 1)
                count += bool(before)
    return count


def _reset(stations: Stations) -> int:
    return sum(link.rst is not None and link.fin is None for station in stations for link in station)


def _rebound(stations: Stations) -> int:
    """Connections that were there still when the next one began."""
    return sum(
        (before.fin is None or before.fin > after.began) and (before.rst is None or before.rst > after.began)
        for station in stations
        for before, after in pairwise(station)
    )


def _repeated(stations: Stations) -> int:
    """Stretches of a second in which a station repeated what it had sent before."""
    count = 0
    for station in stations:
        last = float("-inf")
        known = set()
        for link in station:
            for at, piece in link.sent:
                again = [frame for _, frame in whole_frames(piece) if frame in known]
                known.update(frame for _, frame in whole_frames(piece))
                if again:
                    count += at > last + 1
                    last = at
    return count


SEEN = {
    "split-writes": _split,
    "glued-frames": _glued,
    "slow-drip": _drip,
    "half-close": _half_closed,
    "cut-frame": _cut,
    "connection-per-report": _left,
    "frame-twice": _twice,
    "swapped-frames": _swapped,
    "garbage-between-frames": _garbage,
    "reset-link": _reset,
    "nat-rebinding": _rebound,
    LATE: _repeated,
}


@pytest.mark.parametrize("name", WAYS)
def test_as_often_as_planned(run: Run, name: str) -> None:
    count = EACH if name == LATE else planned(run, name)
    assert count > 0
    assert (seen(run, name), run.result.counts.faults[name], acted(run.ledger)[name]) == (count, count, count)


@pytest.mark.parametrize("name", WAYS)
def test_nothing_else_is_seen(run: Run, name: str) -> None:
    """No station shows a fault of another group."""
    alike = {
        # Whoever closes a link, or has it broken, comes back: that alone is no connection for each report.
        "connection-per-report": {"half-close", "cut-frame", "connection-per-report"},
        # What is repeated after OverTime comes twice, and later than what was sent in between.
        "frame-twice": {"frame-twice", LATE},
        "swapped-frames": {"swapped-frames", LATE},
        LATE: {LATE, "frame-twice", "cut-frame", "half-close", "reset-link", "connection-per-report", "nat-rebinding"},
    }.get(name, {name})
    for other in WAYS:
        if other not in alike:
            assert SEEN[name](run.by_fault[other]) == 0, other


def test_everything_arrives_in_the_end(run: Run) -> None:
    """Whatever was done to a message, the platform has it: the station repeats what was lost with its link."""
    for name in WAYS:
        for station, told in zip(run.by_fault[name], run.composed[name], strict=True):
            arrived = {frame.split(b";")[0][9:].decode() for link in station for _, frame in whole_frames(link.data)}
            missing = [qn for due, qn in told if due < (DURATION_S - 3) * 1000 and qn not in arrived]
            assert missing == [], name


def test_run_is_well(run: Run) -> None:
    assert not run.result.degraded, run.result.reasons
    assert set(run.result.counts.faults) == set(WAYS)
