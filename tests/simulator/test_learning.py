"""``simulator learn``: what the simulator's own traffic is learnt to be, played again, is learnt to be the same."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hj212 import HJ_212_2017, HJ_212_2025, Message, build_frame, compose
from hj212.aio import MessageStore
from hj212.aio.store import Arrival
from hj212.encryption import Key, encrypt_frame
from hj212.times import CHINA, format_qn, format_time
from simulator.__main__ import main
from simulator.engine import Options, fleet
from simulator.engine.sink import Sink
from simulator.faults import FAULTS, find
from simulator.learning import Learnt, facts, learn, scenario_text
from simulator.learning.madeup import MadeUp
from simulator.learning.readings import Readings
from simulator.learning.steps import every_third_is_missing, steps
from simulator.scenario import Scenario, Target, parse
from stationgate.exits import DataFault, UsageFault

from .tapped import PLATFORM, STATION, AskingSink, DeafSink, Tap, captured

VECTORS = Path(__file__).resolve().parents[1] / "vectors"
#: A made-up station of the tests: no MN of it may come out.
MN = "64010000AAAA550000000001"
PW = "Zx81kq"
START = datetime(2025, 3, 4, 8, tzinfo=CHINA).timestamp()

HEAD = """
seed = 3
start = 2025-03-04T08:00:00
duration_s = {seconds}
[target]
port = 8212
[sip]
port = 5060
"""
CITY = (
    HEAD.format(seconds=9000)
    + """
[[station]]
kind = "water"
count = 4
mn = "64010000AAAA550000000001"
pw = "Zx81kq"
interval_s = 60
minute_interval = 5
signals = ["w01018", "w21003", "w00000", "w01001"]
[station.levels]
w01018 = { mean = 42.1, spread = 3.2, least = 20.0, most = 70.0, digits = 1 }
w21003 = { mean = 1.253, spread = 0.4, digits = 3 }

[[station]]
kind = "flue-gas"
count = 2
mn = "64010000DDDD550000000001"
pw = "Zx81kq"
interval_s = 30
minute_interval = 0
hour = false
faults = ["full-width-comma"]

[[station]]
kind = "door"
count = 5
mn = "64010000BBBB550000000001"
pw = "Zx81kq"
interval_s = 900
openings_per_hour = 6
start_spread_s = 600
faults = ["modbus-crc", "method-leading-zero"]

[[station]]
kind = "door"
count = 2
mn = "64010000CCCC550000000001"
pw = "Zx81kq"
interval_s = 300
form = "2011"
log = false
openings_per_hour = 4

[[station]]
kind = "dome"
count = 3
password = "Kw49Tb70"
keepalive_s = 30
expires_s = 7200

[[station]]
kind = "nvr"
count = 2
password = "Kw49Tb70"
channels = 6
edition = "2022"
faults = ["sumnum_wrong"]

[[fault]]
name = "lower-case-crc"
select = "water"
from = 0
probability = 0.25
"""
)


def relearnt(learnt: Learnt, path: Path, sink: type[Sink] = Sink) -> Learnt:
    """Play what was learnt on a virtual clock, and learn from that."""
    return learn(str(captured(parse(scenario_text(learnt)), path, sink)))


def groups(learnt: Learnt) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = facts(learnt)["groups"]
    return found


def commands(learnt: Learnt) -> list[dict[str, int]]:
    """Return how many messages of each command every group sent, restarts apart: a capture may begin after them."""
    return [
        {cn: sum(s.commands[cn] for s in group.stations) for s in group.stations for cn in s.commands if cn != "2081"}
        for group in learnt.groups
    ]


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Learnt, Learnt]:
    """A capture of a known fleet, what is learnt from it, and what is learnt from that played again."""
    folder = tmp_path_factory.mktemp("city")
    path = captured(parse(CITY), folder / "city.pcapng")
    first = learn(str(path))
    return path, first, relearnt(first, folder / "again.pcap")


class TestAKnownFleet:
    def test_groups_are_those_of_the_scenario(self, city: tuple[Path, Learnt, Learnt]) -> None:
        said = parse(CITY)
        told = {(g["kind"], g["count"], g.get("interval_s")): g for g in groups(city[1])}
        wanted = {(g.kind, g.count, None if g.protocol == "gb28181" else g.interval_s) for g in said.station}
        assert set(told) == wanted
        water, doors, logless = told["water", 4, 60], told["door", 5, 900], told["door", 2, 300]
        assert (water["minute_interval"], water["hour"], water["phase"]) == (5, True, "clock")
        assert water["signals"] == ["w01018", "w21003", "w00000", "w01001"]
        assert told["flue-gas", 2, 30]["faults"] == ["full-width-comma"]
        assert told["flue-gas", 2, 30]["minute_interval"] == 0
        assert doors["faults"] == ["method-leading-zero", "modbus-crc"]
        assert (doors["form"], doors["log"], doors["openings_per_hour"], doors["people"]) == ("3020", True, 6, 4)
        assert (logless["form"], logless["log"], logless["openings_per_hour"]) == ("2011", False, 4)
        assert (told["dome", 3, None]["keepalive_s"], told["dome", 3, None]["expires_s"]) == (30, 7200)
        assert (told["nvr", 2, None]["channels"], told["nvr", 2, None]["edition"]) == (6, "2022")
        assert told["nvr", 2, None]["faults"] == ["sumnum_wrong"]

    def test_levels_are_those_of_the_scenario(self, city: tuple[Path, Learnt, Learnt]) -> None:
        levels = groups(city[1])[0]["levels"]
        for code, mean, spread, digits in (("w01018", 42.1, 3.2, 1), ("w21003", 1.253, 0.4, 3)):
            assert levels[code]["mean"] == pytest.approx(mean, rel=0.05)
            assert levels[code]["spread"] == pytest.approx(spread, rel=0.1)
            assert levels[code]["digits"] == digits
        assert 20.0 <= levels["w01018"]["least"] < levels["w01018"]["most"] <= 70.0

    def test_a_fault_now_and_then_is_a_share(self, city: tuple[Path, Learnt, Learnt]) -> None:
        (fault,) = groups(city[1])[0]["sometimes"]
        assert (fault["name"], fault["select"]) == ("lower-case-crc", "water-1")
        assert fault["probability"] == pytest.approx(0.25, abs=0.04)

    def test_played_again_it_is_the_same(self, city: tuple[Path, Learnt, Learnt]) -> None:
        """Intervals, counts and quirks exactly, means within 5 %."""
        before, after = groups(city[1]), groups(city[2])
        statistics = ("mn", "id", "levels", "sometimes", "start_spread_s", "people")
        assert [{k: v for k, v in g.items() if k not in statistics} for g in before] == [
            {k: v for k, v in g.items() if k not in statistics} for g in after
        ]
        for one, other in zip(before, after, strict=True):
            assert one.get("levels", {}).keys() == other.get("levels", {}).keys()
            for code, level in one.get("levels", {}).items():
                assert other["levels"][code]["mean"] == pytest.approx(level["mean"], rel=0.05)
                assert other["levels"][code]["digits"] == level["digits"]
                assert level["least"] <= other["levels"][code]["least"]
                assert other["levels"][code]["most"] <= level["most"]
            shares = [{f["name"]: f["probability"] for f in g["sometimes"]} for g in (one, other)]
            assert shares[1] == pytest.approx(shares[0], abs=0.04)

    def test_as_many_messages_of_each_command(self, city: tuple[Path, Learnt, Learnt]) -> None:
        before, after = commands(city[1]), commands(city[2])
        for group, one, other in zip(city[1].groups, before, after, strict=True):
            if group.profile.kind == "door":  # who passes, and when, is drawn anew
                assert other["3020"] == pytest.approx(one["3020"], rel=0.1)
            else:
                assert one == other

    def test_nothing_is_left_over(self, city: tuple[Path, Learnt, Learnt]) -> None:
        assert not city[1].counts
        assert not city[1].fault
        assert city[1].stations == parse(CITY).count

    def test_nobody_is_named(self, city: tuple[Path, Learnt, Learnt]) -> None:
        path, learnt, _again = city
        text = scenario_text(learnt) + json.dumps(facts(learnt))
        said = parse(CITY)
        tokens = {member.identity for member in said.members()} | {PW, "Kw49Tb70", STATION, PLATFORM}
        tokens |= {channel for group in learnt.cameras for camera in group.cameras for channel in camera.channels}
        people = set(re.findall(rb"i32005-Info=([0-9A-Za-z]+)", path.read_bytes()))
        assert len(people) == 4
        tokens |= {person.decode() for person in people} | {"人脸", "刷卡", "指纹"}
        assert not {t for t in tokens if re.search(rf"(?<![0-9A-Za-z]){t}(?![0-9A-Za-z])", text)}
        assert "2025" not in scenario_text(learnt)  # nor when it was

    def test_made_up_names_are_nobodys(self, city: tuple[Path, Learnt, Learnt]) -> None:
        theirs = {member.identity for member in parse(CITY).members()}
        ours = [member.identity for member in parse(scenario_text(city[1])).members()]
        assert len(set(ours)) == len(ours) == len(theirs)
        assert not theirs & set(ours)


# Faults


def fleet_of(kind: str, names: Sequence[str], seconds: int, keys: str) -> Scenario:
    """Return a scenario with one station for each fault, and one without any."""
    text = HEAD.format(seconds=seconds)
    for number, name in enumerate(("", *names)):
        faults = f'faults = ["{name}"]' if name else ""
        text += (
            f'[[station]]\nkind = "{kind}"\nname = "s{number}"\nmn = "64010000AAAA55{number:010X}"\n{keys}\n{faults}\n'
        )
    return parse(text)


#: What shows in traffic with a platform that acknowledges everything.
OF_DOORS = [
    "modbus-crc", "modbus-crc-swapped", "swapped-crc", "unpadded-crc", "lower-case-crc", "length-plus-6",
    "length-whole-frame", "length-in-characters", "lf-only-tail", "missing-tail", "frame-twice",
    "oversized-segment", "gbk-log", "log-without-slashes", "mn-before-pw", "qn-14-digits", "reused-qn",
    "flag-2005", "flag-without-packet-numbers", "no-answer-wanted", "answers-acknowledgement", "st-32",
    "lower-case-datatime", "lower-case-info", "blanks", "trailing-semicolon", "foreign-code", "polid-present",
    "seventeen-digit-datatime", "mixed-forms", "hj212-2017-door-state", "never-closed", "no-change-report",
    "method-code-5", "method-leading-zero", "duplicate-record", "opening-in-pieces", "empty-person-code",
    "chinese-person-code", "formatted-open-time", "open-time-utc", "drifting-timer", "skipped-report",
    "incomplete-report", "late-upload", "slow-upload", "clock-90s-fast", "clock-30s-fast", "duplicate-change",
]  # fmt: skip
OF_LOGGERS = [
    "modbus-crc", "modbus-crc-swapped", "swapped-crc", "unpadded-crc", "lower-case-crc", "length-plus-6",
    "length-whole-frame", "lf-only-tail", "missing-tail", "wrong-mean", "min-above-mean", "missing-minute-reports",
    "datatime-ahead", "duplicate-packet", "full-width-comma", "not-converted", "mn-before-pw", "qn-14-digits",
    "reused-qn", "flag-2005", "flag-without-packet-numbers", "no-answer-wanted", "answers-acknowledgement",
    "lower-case-datatime", "blanks", "trailing-semicolon", "seventeen-digit-datatime", "drifting-timer",
    "skipped-report", "late-upload", "slow-upload", "clock-90s-fast", "clock-30s-fast",
]  # fmt: skip


class TestFaults:
    @pytest.mark.soak
    @pytest.mark.parametrize(
        ("kind", "names", "seconds", "keys"),
        [
            ("door", OF_DOORS, 10_800, 'interval_s = 300\nopenings_per_hour = 12\nphase = "start"'),
            ("flue-gas", OF_LOGGERS, 7_200, "interval_s = 60"),
        ],
    )
    def test_each_is_named(self, tmp_path: Path, kind: str, names: list[str], seconds: int, keys: str) -> None:
        """Each station has its own fault, so each is a group of its own, in the order in which they speak first."""
        learnt = learn(str(captured(fleet_of(kind, names, seconds, keys), tmp_path / "faults.pcap")))
        found = groups(learnt)
        assert sorted(group.get("faults", []) for group in found) == sorted([[], *([name] for name in names)])
        assert {group["count"] for group in found} == {1}
        assert not [group for group in found if group["sometimes"] or group["events"]]

    @pytest.mark.parametrize(
        "name",
        ["no-resend", "endless-resend", "hasty-resend", "slow-resend", "single-resend", "resend-with-new-qn", ""],
    )
    def test_what_is_done_about_silence(self, tmp_path: Path, name: str) -> None:
        plan = fleet_of(
            "door", [name] if name else [], 3600, 'interval_s = 900\nopenings_per_hour = 0\nphase = "start"'
        )
        learnt = learn(str(captured(plan, tmp_path / "silence.pcap", DeafSink)))
        assert sorted(tuple(group.get("faults", [])) for group in groups(learnt)) == sorted(
            {(), (name,) if name else ()}
        )

    @pytest.mark.parametrize(
        "name", ["no-state-query", "query-without-result", "clock-not-readable", "replies-with-st-81"]
    )
    def test_what_is_answered(self, tmp_path: Path, name: str) -> None:
        plan = fleet_of("door", [name], 1800, "interval_s = 300\nopenings_per_hour = 12")
        learnt = learn(str(captured(plan, tmp_path / "asked.pcap", AskingSink)))
        assert sorted(group.get("faults", []) for group in groups(learnt)) == [[], [name]]

    def test_a_fault_that_a_kind_cannot_have_is_a_remark(self, tmp_path: Path) -> None:
        """So no scenario comes out that cannot be played."""
        frames = b"".join(framed("replies-with-st-81", cn="9011", st="81", at=60 * n, area="QnRtn=1") for n in range(3))
        path = tmp_path / "saved.bin"
        path.write_bytes(frames + b"".join(report(60 * n) for n in range(5)))
        learnt = learn(str(path))
        assert not find("replies-with-st-81").fits("logger")
        assert "replies-with-st-81" in scenario_text(learnt)
        assert parse(scenario_text(learnt)).station[0].faults == ()

    def test_names_in_this_test_are_faults(self) -> None:
        assert not {*OF_DOORS, *OF_LOGGERS} - set(FAULTS)


class TestCameras:
    @pytest.mark.parametrize("transport", ["udp", "tcp"])
    def test_quirks_and_transport(self, tmp_path: Path, transport: str) -> None:
        names = ["gb2312_as_utf8", "sumnum_missing", "sumnum_wrong", "duplicate_200", "contact_private"]
        text = HEAD.format(seconds=1800).replace("[sip]", f'[sip]\ntransport = "{transport}"')
        for number, name in enumerate(("", *names)):
            faults = f'faults = ["{name}"]' if name else ""
            text += f'[[station]]\nkind = "nvr"\nname = "s{number}"\nid = "6401000000118000{number:04}"\n{faults}\n'
        learnt = learn(str(captured(parse(text), tmp_path / "cameras.pcapng")))
        found = groups(learnt)
        assert sorted(group.get("faults", []) for group in found) == sorted([[], *([name] for name in names)])
        assert {(group["kind"], group["keepalive_s"], group["channels"]) for group in found} == {("nvr", 60, 4)}
        assert parse(scenario_text(learnt)).sip.transport == transport
        again = relearnt(learnt, tmp_path / "again.pcap")
        assert [group.get("faults") for group in groups(again)] == [group.get("faults") for group in found]


@pytest.mark.parametrize(
    ("kind", "edition", "interval"),
    [("power", "2017", 300), ("power", "2025", 300), ("water", "2005", 60), ("noise", "2017", 30)],
)
def test_kinds_and_editions(tmp_path: Path, kind: str, edition: str, interval: int) -> None:
    keys = f'kind = "{kind}"\ncount = 2\nedition = "{edition}"\ninterval_s = {interval}\nminute_interval = 15\n'
    text = HEAD.format(seconds=7200) + f"[[station]]\n{keys}"
    learnt = learn(str(captured(parse(text), tmp_path / "kind.pcap")))
    again = relearnt(learnt, tmp_path / "again.pcap")
    for one in (learnt, again):
        (group,) = groups(one)
        assert (group["kind"], group["edition"], group["count"]) == (kind, edition, 2)
        assert (group["interval_s"], group.get("faults"), group.get("st")) == (interval, None, None)
    assert commands(again)[0].get("2011") == commands(learnt)[0].get("2011")


# One station, frame by frame


def framed(_why: str = "", *, cn: str = "2011", st: str = "32", at: float = 0.0, area: str = "", mn: str = MN) -> bytes:
    message = compose(HJ_212_2017, qn=format_qn(round((START + at) * 1000)), st=st, cn=cn, pw=PW, mn=mn, answer=True)
    head = bytes(message).partition(b"CP=&&")[0]
    return build_frame(head + b"CP=&&" + area.encode() + b"&&")


def report(at: float, value: str = "12.5", **more: Any) -> bytes:
    moment = format_time(START + at)
    return framed(at=at, area=f"DataTime={moment};w01018-Rtd={value},w01018-Flag=N", **more)


def saved(tmp_path: Path, data: bytes) -> Learnt:
    path = tmp_path / "saved.bin"
    path.write_bytes(data)
    return learn(str(path))


class TestStations:
    def test_interval_is_robust(self, tmp_path: Path) -> None:
        """Reports that are missing, late, repeated or out of order change nothing."""
        minutes = [n for n in range(120) if n % 7 and n % 11]
        frames = [report(60 * n) for n in minutes] + [report(60 * minutes[3]), report(60 * minutes[-1] + 17)]
        (group,) = groups(saved(tmp_path, b"".join(reversed(frames))))
        assert (group["interval_s"], group["phase"]) == (60, "clock")

    def test_reports_off_the_clock(self, tmp_path: Path) -> None:
        (group,) = groups(saved(tmp_path, b"".join(report(60 * n + 23) for n in range(20))))
        assert (group["interval_s"], group["phase"]) == (60, "spread")

    def test_datatime_cut_to_the_minute(self, tmp_path: Path) -> None:
        """Half of the reports would seem to say the same."""
        frames = []
        for n in range(40):
            area = f"DataTime={format_time(START + 30 * n // 60 * 60)};w01018-Rtd=1.0,w01018-Flag=N"
            frames.append(framed(at=30 * n, area=area))
        (group,) = groups(saved(tmp_path, b"".join(frames)))
        assert group["interval_s"] == 30

    def test_a_single_report_has_no_interval(self, tmp_path: Path) -> None:
        learnt = saved(tmp_path, report(0))
        (group,) = groups(learnt)
        assert "interval_s" not in group
        assert "The interval could not be learnt" in scenario_text(learnt)
        assert parse(scenario_text(learnt)).count == 1

    def test_stations_that_say_less_join_those_that_say_more(self, tmp_path: Path) -> None:
        long = b"".join(report(60 * n) for n in range(20))
        short = report(0, mn=MN[:-1] + "2")
        (group,) = groups(saved(tmp_path, short + long))
        assert (group["count"], group["interval_s"]) == (2, 60)

    def test_an_unknown_factor_is_played_by_its_level(self, tmp_path: Path) -> None:
        frames = [
            framed(at=60 * n, area=f"DataTime={format_time(START + 60 * n)};w20999-Rtd={n}.250") for n in range(9)
        ]
        learnt = saved(tmp_path, b"".join(frames))
        (group,) = groups(learnt)
        assert group["levels"]["w20999"] == {
            "mean": 4.25, "spread": pytest.approx(2.582, abs=0.001), "least": 0.25, "most": 8.25, "digits": 3,
            "swing": 0.0, "peak_h": 14.0,
        }  # fmt: skip
        again = relearnt(learnt, tmp_path / "again.pcap")
        assert groups(again)[0]["signals"] == ["w20999"]

    def test_encrypted_areas_are_said_and_not_read(self, tmp_path: Path) -> None:
        key = Key.parse("00112233445566778899AABBCCDDEEFF")
        frames = []
        for n in range(10):
            area = [[["DataTime", format_time(START + 60 * n)]], [["w01018-Rtd", "12.5"], ["w01018-Flag", "N"]]]
            message = compose(
                HJ_212_2025, qn=format_qn(round((START + 60 * n) * 1000)), st="32", cn="2011", pw=PW, mn=MN, items=area,
                answer=True,
            )  # fmt: skip
            frames.append(encrypt_frame(bytes(message), key))
        learnt = saved(tmp_path, b"".join(frames))
        (group,) = groups(learnt)
        assert learnt.counts["encrypted"] == 10
        assert (group["edition"], group["interval_s"]) == ("2025", 60)
        assert "levels" not in group
        (played,) = parse(scenario_text(learnt)).station
        assert played.key
        assert played.key.upper() != "00112233445566778899AABBCCDDEEFF"
        assert "encrypted" in scenario_text(learnt)

    def test_clock_that_is_off_is_an_event(self, tmp_path: Path) -> None:
        """By an amount that no fault has."""
        tapped = Tap(0.0)
        tapped.packets = []
        seq = 1
        for n in range(20):
            data = report(60 * n + 137)
            head = bytes.fromhex("45000000000000004006 0000".replace(" ", "")) + bytes([192, 0, 2, 7, 198, 51, 100, 9])
            tcp = (
                (50_000).to_bytes(2) + (8212).to_bytes(2) + seq.to_bytes(4) + bytes(4) + bytes([0x50, 0x18]) + bytes(6)
            )
            size = len(head) + len(tcp) + len(data)
            tapped.packets.append((START + 60 * n, head[:2] + size.to_bytes(2) + head[4:] + tcp + data))
            seq += len(data)
        learnt = learn(str(tapped.write(tmp_path / "clock.pcap")))
        (group,) = groups(learnt)
        assert group["events"] == [{"what": "clock-step", "select": "water-1", "at": 0, "step_s": 137}]
        assert groups(relearnt(learnt, tmp_path / "again.pcap"))[0]["events"] == group["events"]

    def test_course_of_the_day(self, tmp_path: Path) -> None:
        text = HEAD.format(seconds=86_400) + (
            '[[station]]\nkind = "air"\ncount = 2\ninterval_s = 300\nsignals = ["a05024"]\n'
            "[station.levels]\na05024 = { mean = 80, spread = 4, swing = 30, peak_h = 15, digits = 1 }\n"
        )
        learnt = learn(str(captured(parse(text), tmp_path / "day.pcap")))
        for one in (learnt, relearnt(learnt, tmp_path / "again.pcap")):
            level = groups(one)[0]["levels"]["a05024"]
            assert level["mean"] == pytest.approx(80, rel=0.05)
            assert level["swing"] == pytest.approx(30, rel=0.1)
            assert level["peak_h"] == pytest.approx(15, abs=1)
            assert level["spread"] == pytest.approx(4, rel=0.25)


# Sources


class TestSources:
    def test_store_of_the_listener(self, tmp_path: Path) -> None:
        store = MessageStore(tmp_path / "store.db")
        segments = [report(60 * n, f"{10 + n % 3}.5")[6:-6] for n in range(30)]
        rows = [
            Arrival(round((START + 60 * n) * 1000), "192.0.2.7:5000", Message.from_bytes(segment))
            for n, segment in enumerate(segments)
        ]
        store.add(rows)
        store.close()
        learnt = learn(str(tmp_path / "store.db"))
        (group,) = groups(learnt)
        assert (group["interval_s"], group["levels"]["w01018"]["mean"]) == (60, 11.5)
        assert "a store keeps neither" in scenario_text(learnt)
        assert MN not in scenario_text(learnt)

    def test_text_of_an_assistant(self, tmp_path: Path) -> None:
        lines = [f"[2025-03-04 08:{n:02}:00.123] RX: {report(60 * n).decode().strip()}" for n in range(10)]
        (group,) = groups(saved(tmp_path, "\n".join(lines).encode()))
        assert group["interval_s"] == 60

    def test_bytes_of_the_benchmarks(self) -> None:
        learnt = learn(str(VECTORS / "bench-mix.bin"))
        assert learnt.frames == 2000
        assert parse(scenario_text(learnt)).count == learnt.stations

    def test_frames_of_real_stations(self, tmp_path: Path) -> None:
        """Whatever was met in the field is learnt into a scenario that can be played, without a name of it."""
        rows = [json.loads(line) for line in (VECTORS / "hj212-frames.jsonl").read_text("utf-8").splitlines()]
        learnt = saved(tmp_path, b"".join(row["frame"].encode(row["encoding"]) for row in rows))
        text = scenario_text(learnt)
        assert learnt.stations > 20
        assert learnt.frames + sum(learnt.counts[name] for name in ("damaged", "nameless")) <= len(rows)
        assert learnt.frames > 0.9 * len(rows)
        assert parse(text).count == learnt.stations
        relearnt(learnt, tmp_path / "again.pcap")
        for row in rows:
            for name in re.findall(r"(?:MN|PW)=([0-9A-Za-z]{4,})", row["frame"]):
                assert not re.search(rf"(?<![0-9A-Za-z]){name}(?![0-9A-Za-z])", text), row["id"]

    @pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
    def test_capture_that_is_cut_off(self, city: tuple[Path, Learnt, Learnt], tmp_path: Path, share: float) -> None:
        data = city[0].read_bytes()
        path = tmp_path / "cut.pcapng"
        path.write_bytes(data[: int(share * len(data))])
        learnt = learn(str(path))
        assert "cut off or damaged at byte" in learnt.fault
        assert learnt.stations == city[1].stations
        assert "ends early" in scenario_text(learnt)

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(data=st.data())
    def test_any_damage_is_survived(
        self, city: tuple[Path, Learnt, Learnt], tmp_path: Path, data: st.DataObject
    ) -> None:
        whole = bytearray(city[0].read_bytes()[:60_000])
        for _ in range(data.draw(st.integers(1, 20))):
            at = data.draw(st.integers(0, len(whole) - 1))
            whole[at] = data.draw(st.integers(0, 255))
        path = tmp_path / "damaged.pcapng"
        path.write_bytes(whole)
        try:
            learnt = learn(str(path))
        except (DataFault, UsageFault):
            return
        if learnt.stations:
            assert parse(scenario_text(learnt)).count == learnt.stations

    def test_a_database_of_others(self, tmp_path: Path) -> None:
        path = tmp_path / "other.db"
        with sqlite3.connect(path) as db:
            db.execute("CREATE TABLE t (x)")
        db.close()
        with pytest.raises(DataFault, match="none of hj212 listen"):
            learn(str(path))

    def test_a_database_that_is_damaged(self, tmp_path: Path) -> None:
        path = tmp_path / "broken.db"
        path.write_bytes(b"SQLite format 3\0" + bytes(200))
        with pytest.raises(DataFault, match="damaged database"):
            learn(str(path))


# Real sockets


@pytest.fixture
def dumped(tmp_path: Path) -> Iterator[Any]:
    """Return a function that captures with dumpcap what happens at an address of the loopback interface meanwhile."""
    dumpcap = shutil.which("dumpcap")
    if dumpcap is None:
        assert not os.environ.get("CI"), "dumpcap is not installed (Debian: tshark)"
        pytest.skip("dumpcap is not installed")
    processes = []

    def run(act: Any, host: str) -> Path:
        path = tmp_path / "dumped.pcapng"
        process = subprocess.Popen(
            [dumpcap, "-i", "lo", "-f", f"host {host}", "-w", str(path), "-a", "duration:60"],
            stderr=subprocess.PIPE, encoding="utf-8",
        )  # fmt: skip
        processes.append(process)
        assert process.stderr is not None
        told = []
        for line in process.stderr:
            told.append(line)
            if line.startswith("File:"):
                break
        else:
            pytest.skip(f"nothing can be captured here: {''.join(told)[:200]}")
        marker, deadline = os.urandom(32), time.monotonic() + 30
        with socket.socket(type=socket.SOCK_DGRAM) as knock:
            # It says so before it captures, and writes what it captured last when it likes.
            while marker not in path.read_bytes():
                assert time.monotonic() < deadline, "the capture does not begin"
                knock.sendto(marker, (host, 9))
                threading.Event().wait(0.02)
            act()
            marker = os.urandom(32)
            while marker not in path.read_bytes():
                assert time.monotonic() < deadline, "the capture does not come to its end"
                knock.sendto(marker, (host, 9))
                threading.Event().wait(0.02)
        process.terminate()
        process.communicate(timeout=20)
        return path

    yield run
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.communicate(timeout=20)


@pytest.mark.loopback
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the interface is called lo on Linux")
def test_dumpcap_captures_what_is_learnt(dumped: Any, tmp_path: Path) -> None:
    """Real sockets and the real clock, for some seconds; captured by a program that is not ours."""
    host = "127.0.83.17"
    text = """
seed = 3
duration_s = 4
[[station]]
kind = "water"
count = 3
interval_s = 1
minute_interval = 0
hour = false
day = false
signals = ["w01018"]
[station.levels]
w01018 = { mean = 42.1, spread = 1.2, digits = 1 }
[[station]]
kind = "door"
mn = "64010000BBBB550000000001"
count = 2
interval_s = 2
openings_per_hour = 0
faults = ["lower-case-crc"]
"""

    async def play() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Sink, host, 0)
        scenario = replace(parse(text), target=Target(host, server.sockets[0].getsockname()[1]))
        run = fleet._Run(scenario, Options(), virtual=False)
        await run.live(round(time.time(), 3), loop.time(), (host, scenario.target.port), (host, 9))
        server.close()

    learnt = learn(str(dumped(lambda: asyncio.run(play()), host)))
    water, doors = groups(learnt)
    assert not learnt.fault
    assert (water["kind"], water["count"], water["interval_s"]) == ("water", 3, 1)
    assert water["levels"]["w01018"]["mean"] == pytest.approx(42.1, rel=0.05)
    assert (doors["kind"], doors["count"], doors["interval_s"]) == ("door", 2, 2)
    assert doors["faults"] == ["lower-case-crc"]
    assert not water["events"] + doors["events"] + water["sometimes"] + doors["sometimes"]
    assert host not in scenario_text(learnt)
    again = relearnt(learnt, tmp_path / "again.pcap")
    assert [(g["interval_s"], g["count"], g.get("faults")) for g in groups(again)] == [
        (g["interval_s"], g["count"], g.get("faults")) for g in (water, doors)
    ]
    # It began in the middle of a second, which is not kept.
    assert commands(again)[0]["2011"] == pytest.approx(commands(learnt)[0]["2011"], abs=3)


# Names


WORDS = st.text("0123456789ABCDEFGHJKLMNPQRSTUVWXYZ", min_size=4, max_size=6).filter(lambda w: not w.isdigit())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mns=st.lists(st.text("0123456789ABCDEF", min_size=14, max_size=24), min_size=1, max_size=5, unique=True),
    pw=WORDS,
    people=st.lists(WORDS, min_size=1, max_size=4, unique=True),
    name=st.text("王李张赵门开关", min_size=4, max_size=8),
    key=WORDS,
)
def test_no_name_of_the_source_comes_out(
    tmp_path: Path, mns: list[str], pw: str, people: list[str], name: str, key: str
) -> None:
    """MN, PW, person codes, text, and what somebody writes where a code should stand."""
    frames = b""
    for n, mn in enumerate(mns):
        for k in range(4):
            moment, person = format_time(START + 900 * k + n), people[k % len(people)]
            areas = [
                f"DataTime={moment};i32001-Info=0;i32002-Info=0;i32003-Info=0",
                f"DataTime={moment};i32001-Info=1;i32004-Info=1;i32005-Info={person};i32006-Info={moment}",
                f"DataTime={moment};i31001-Info=//{name}{people[0]}//",
                f"DataTime={moment};{key}-Rtd=3.5,{key}-Flag={key};w01018-Rtd=1.5,w01018-Flag={key}",
            ]
            for m, (cn, area) in enumerate(zip(("3020", "3020", "3020", "2011"), areas, strict=True)):
                qn = format_qn(round((START + 900 * k + n) * 1000) + m)
                segment = f"QN={qn};ST=81;CN={cn};PW={pw};MN={mn};Flag=5;CP=&&{area}&&"
                frames += build_frame(segment.encode())
    path = tmp_path / "saved.bin"
    path.write_bytes(frames)
    learnt = learn(str(path))
    text = scenario_text(learnt) + json.dumps(facts(learnt), ensure_ascii=False) + repr(learnt)
    assert learnt.stations == len(mns)
    for word in (*mns, pw, *people, key):
        assert not re.search(rf"(?<![0-9A-Za-z]){word}(?![0-9A-Za-z])", text)
    assert name not in text
    ours = {member.identity for member in parse(scenario_text(learnt)).members()}
    assert not ours & set(mns)


@given(taken=st.sets(st.integers(1, 60), max_size=40), counts=st.lists(st.integers(1, 9), min_size=1, max_size=8))
def test_made_up_names_keep_clear_of_those_that_are_taken(taken: set[int], counts: list[int]) -> None:
    made_up = MadeUp({f"FE{number:022X}" for number in taken} | {"999999"})
    given_out: list[int] = []
    for count in counts:
        first = int(made_up.mn(24, count)[2:], 16)
        given_out += range(first, first + count)
    assert len(set(given_out)) == len(given_out)
    assert not taken & set(given_out)
    assert made_up.password(6) != "999999"


# Parts


def test_steps_of_nothing() -> None:
    assert steps([]) is None
    assert steps([5.0]) is None


@given(
    interval=st.integers(5, 3600), count=st.integers(6, 200), start=st.integers(0, 10**9),
    missing=st.sets(st.integers(1, 199), max_size=200), data=st.data(),
)  # fmt: skip
def test_interval_whatever_is_missing(
    interval: int, count: int, start: int, missing: set[int], data: st.DataObject
) -> None:
    """As long as more neighbours are there than any other distance."""
    kept = [n for n in range(count) if n not in missing]
    gaps = [b - a for a, b in pairwise(kept)]
    if not gaps or gaps.count(1) <= max(gaps.count(gap) for gap in {*gaps, 0} - {1}):
        return
    instants = data.draw(st.permutations([float(start + interval * n) for n in kept]))
    found = steps(instants)
    assert found is not None
    assert found.interval_s == interval
    assert found.missing == sum(gap - 1 for gap in gaps)


def test_every_third() -> None:
    assert every_third_is_missing([60.0 * n for n in range(20) if n % 3 != 2], 60)
    assert not every_third_is_missing([60.0 * n for n in range(20) if n not in (2, 6, 11)], 60)
    assert not every_third_is_missing([60.0 * n for n in range(20)], 60)


@given(st.lists(st.floats(-1000, 1000).map(lambda x: round(x, 2)), min_size=1, max_size=60), st.integers(0, 60))
def test_sums_can_be_added(values: list[float], at: int) -> None:
    whole, one, other = Readings(), Readings(), Readings()
    for n, value in enumerate(values):
        for part in (whole, one if n < at else other):
            part.add(value, 2, START + 600 * n)
    one.merge(other)
    assert one.count == whole.count == len(values)
    a, b = one.level(), whole.level()
    assert a.mean == pytest.approx(b.mean, abs=1e-3)
    assert a.spread == pytest.approx(b.spread, abs=1e-3)
    assert (a.least, a.most) == (b.least, b.most) == (min(values), max(values))


# The command


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Learnt]:
    """A shorter capture of the same fleet, and what is learnt from it."""
    scenario = parse(CITY.replace("duration_s = 9000", "duration_s = 1800"))
    path = captured(scenario, tmp_path_factory.mktemp("brief") / "city.pcapng")
    return path, learn(str(path))


class TestCommand:
    def run(self, capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
        code = main(["learn", *args])
        out, err = capsys.readouterr()
        return code, out, err

    def test_scenario_to_a_file(
        self, brief: tuple[Path, Learnt], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        path = tmp_path / "learnt.toml"
        code, out, err = self.run(capsys, str(brief[0]), "-o", str(path))
        assert (code, err) == (0, "")
        assert out == "stations: 18, groups: 6\n"
        assert path.read_text("utf-8") == scenario_text(brief[1])

    def test_scenario_to_standard_output(self, brief: tuple[Path, Learnt], capsys: pytest.CaptureFixture[str]) -> None:
        code, out, err = self.run(capsys, str(brief[0]))
        assert (code, err) == (0, "stations: 18, groups: 6\n")
        assert out == scenario_text(brief[1])

    def test_json(self, brief: tuple[Path, Learnt], capsys: pytest.CaptureFixture[str]) -> None:
        code, out, _err = self.run(capsys, str(brief[0]), "--json")
        assert code == 0
        (line,) = out.splitlines()
        assert json.loads(line) == json.loads(json.dumps(facts(brief[1])))

    def test_in_chinese(self, brief: tuple[Path, Learnt], capsys: pytest.CaptureFixture[str]) -> None:
        code, out, err = self.run(capsys, str(brief[0]), "--lang", "zh")
        assert code == 0
        assert "# 由 simulator learn" in out
        assert parse(out).count == 18
        assert "18" in err

    def test_cut_off(self, brief: tuple[Path, Learnt], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The scenario is there all the same."""
        path, scenario = tmp_path / "cut.pcapng", tmp_path / "cut.toml"
        path.write_bytes(brief[0].read_bytes()[:100_001])
        code, _out, err = self.run(capsys, str(path), "-o", str(scenario))
        assert code == 1
        assert err.startswith("Error: the capture is cut off or damaged at byte 100001")
        assert parse(scenario.read_text("utf-8")).count

    @pytest.mark.parametrize(
        ("data", "said"),
        [
            (b"", "nothing to learn from: neither HJ 212 nor GB/T 28181 in it"),
            (b"hello\r\n" * 40, "nothing to learn from: neither HJ 212 nor GB/T 28181 in it"),
            (b"##0050QN=2025;ST=32;CN=2011;MN=1234;CP=&&&&FFFF\r\n", "nothing to learn from: 1 frame, damaged"),
            (b"\xd4\xc3\xb2\xa1", "nothing to learn from: the capture is cut off or damaged at byte 4"),
            (b"\x1f\x8b\x08\x00" + bytes(50), "nothing to learn from: "),
        ],
    )
    def test_nothing_to_learn(self, tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes, said: str) -> None:
        path = tmp_path / "nothing.bin"
        path.write_bytes(data)
        code, out, err = self.run(capsys, str(path))
        assert (code, out) == (1, "")
        assert said in err

    def test_file_that_is_not_there(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        code, _out, err = self.run(capsys, str(tmp_path / "none.pcap"))
        assert code == 2
        assert "no such file" in err

    def test_scenario_that_cannot_be_written(
        self, brief: tuple[Path, Learnt], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code, _out, err = self.run(capsys, str(brief[0]), "-o", str(tmp_path))
        assert code == 2
        assert "cannot write" in err
