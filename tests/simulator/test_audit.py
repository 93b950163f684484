"""The audit: exactly what was planted is found, in whatever form a platform stores, and nothing with a good one."""

from __future__ import annotations

import asyncio
import json
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hj212 import Framer, Message
from hj212.aio import Fate, MessageStore, Platform
from hj212.aio.store import Arrival
from simulator import DoorController, DoorSettings, Method, Station, behaviour_with
from simulator.cli import build
from simulator.clock import wall_epoch
from simulator.ledger import Difference, Kind, LedgerHeader, LedgerWriter, open_received, parse_mapping
from stationgate.exits import ExitCode, UsageFault, run

from .played import MAP, START, ZONE, Played, Stored, Told, audited, changed, mn, told

pytestmark = pytest.mark.usefixtures("nothing_left_open")

HOST = "127.0.0.1"
PATIENCE_S = 60.0

with_files = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


def name(kind: Kind, one: Told) -> tuple[str, str, str, str, int]:
    """Return a finding as :meth:`played.Audited.names` does."""
    return kind.value, one.mn, one.qn, one.cn, one.packet[0]


# What is planted


@st.composite
def runs(draw: st.DrawFn) -> tuple[Played, list[tuple[str, str, str, str, int]]]:
    """Draw a run of a few stations with everything that may go wrong, and what an audit must say of it."""
    messages: list[Told] = []
    for minute in range(draw(st.integers(1, 12))):
        for station in range(draw(st.integers(1, 3))):
            one = told(station, minute, station * 100)
            fate = draw(st.sampled_from(["well"] * 6 + ["twice", "unanswered", "damaged", "dropped", "split", "again"]))
            if fate == "twice":
                one = replace(one, sent=(*one.sent, one.due + 5_000))
            elif fate == "unanswered":
                one = replace(one, acknowledged=False)
            elif fate == "damaged":
                one = replace(
                    one, damaged=True, acknowledged=draw(st.booleans()), sent=one.sent * draw(st.integers(1, 2))
                )
            elif fate == "dropped":
                one = replace(one, sent=(), acknowledged=False, dropped=draw(st.booleans()))
            messages.append(replace(one, packet=(1, 2)) if fate == "split" else one)
            if fate == "split":  # the packets of a message may share their QN
                messages.append(replace(changed(one), packet=(2, 2), sent=(one.due + 11,)))
            elif fate == "again":  # two commands with one QN
                messages.append(replace(one, cn="2051", sent=(one.due + 11,)))
    truth: list[tuple[str, str, str, str, int]] = []
    rows: list[Stored] = []
    for one in messages:
        if not one.sent:
            continue
        rows += draw(what_is_stored(one, truth))
    # The order of arrival is the order of the rows' times; each has its own.
    rows.sort(key=lambda row: row.at)
    rows = [Stored(row.told, row.at // 100 * 100 + place % 100) for place, row in enumerate(rows)]
    rows.sort(key=lambda row: row.at)
    return Played(messages, rows), sorted(truth + overtaken(messages, rows) + late(messages, rows))


@st.composite
def what_is_stored(draw: st.DrawFn, one: Told, truth: list[tuple[str, str, str, str, int]]) -> list[Stored]:
    at = one.sent[0] + draw(st.sampled_from([90] * 6 + [50_000, 70_000, 130_000, 299_000, 302_000, 400_000]))
    if one.damaged:
        if draw(st.booleans()):
            return []
        truth.append(name(Kind.DAMAGED, one))
        return [Stored(one, at)]
    fate = draw(st.sampled_from(["well"] * 6 + ["lost", "altered", "other-system", "doubled", "copied-badly", "alien"]))
    if fate == "lost":
        if one.acknowledged:
            truth.append(name(Kind.LOST, one))
        return []
    if fate == "altered":
        truth.append(name(Kind.ALTERED, one))
        return [Stored(changed(one, b"w01018-Rtd=-1"), at)]
    if fate == "other-system":
        truth.append(name(Kind.ALTERED, one))
        return [Stored(replace(one, st="31"), at)]
    if fate == "doubled":
        copies = draw(st.integers(1, 2))
        truth.extend([name(Kind.DUPLICATED, one)] * copies)
        return [Stored(one, at + copy) for copy in range(copies + 1)]
    if fate == "copied-badly":
        truth.append(name(Kind.ALTERED, one))
        return [Stored(one, at), Stored(changed(one, b"w01018-Rtd=-1"), at + 1)]
    if fate == "alien":
        alien = replace(one, qn=f"2026{one.qn[4:]}")
        truth.append(name(Kind.ALIEN, alien))
        return [Stored(one, at), Stored(alien, at + 1)]
    return [Stored(one, at)]


def key(one: Told) -> tuple[object, ...]:
    return one.mn, one.qn, one.cn, one.packet


def first_rows(messages: Sequence[Told], rows: Sequence[Stored]) -> dict[tuple[object, ...], Stored]:
    """Return the row of each message that counts: the first as it was sent, else the first."""
    sent = {key(one): one for one in messages if one.sent and not one.damaged}
    first: dict[tuple[object, ...], Stored] = {}
    for row in rows:
        number = key(row.told)
        if number in sent:
            known = first.setdefault(number, row)
            if known.told.segment != sent[number].segment and row.told.segment == sent[number].segment:
                first[number] = row
    return first


def overtaken(messages: Sequence[Told], rows: Sequence[Stored]) -> list[tuple[str, str, str, str, int]]:
    """Say by comparing each with each what is reordered."""
    first = first_rows(messages, rows)
    single = [one for one in messages if len(one.sent) == 1 and key(one) in first]
    # In the ledger, what is composed first is sent first where both are sent in the same millisecond.
    return [
        name(Kind.REORDERED, one)
        for place, one in enumerate(single)
        if any(
            other.mn == one.mn
            and (other.sent[0], at) > (one.sent[0], place)
            and first[key(other)].at < first[key(one)].at
            for at, other in enumerate(single)
        )
    ]


def late(messages: Sequence[Told], rows: Sequence[Stored]) -> list[tuple[str, str, str, str, int]]:
    first = first_rows(messages, rows)
    return [
        name(Kind.LATE, one) for one in messages if key(one) in first and first[key(one)].at - one.sent[0] > 300_000
    ]


class TestPlanted:
    @with_files
    @given(runs(), st.sampled_from(["area", "segment", "frame"]), st.sampled_from(["csv", "jsonl"]))
    def test_what_was_planted_is_found_and_nothing_else(
        self,
        tmp_path: Path,
        drawn: tuple[Played, list[tuple[str, str, str, str, int]]],
        content: str,
        form: str,
    ) -> None:
        played, truth = drawn
        for path in tmp_path.iterdir():
            path.unlink()
        if content == "area":  # ST is not in it
            truth = [
                found
                for found in truth
                if not any(found == name(Kind.ALTERED, r.told) for r in played.stored if r.told.st == "31")
            ]
        if not played.stored:
            form = "csv"  # JSON lines without a line are an empty file, which is an error
        received = getattr(played, form)(tmp_path / "received", content=content)
        done = audited([played.ledger(tmp_path / "l")], received)
        assert done.names() == truth
        counts = done.audit.counts
        assert counts.composed == len(played.sent)
        assert counts.received == len(played.stored)
        assert counts.expected == sum(one.acknowledged and not one.damaged for one in played.sent)
        assert counts.unsent + counts.dropped == sum(not one.sent for one in played.sent)
        assert counts.damaged == sum(one.damaged for one in played.sent)
        again = sum(found[0] == Kind.DUPLICATED for found in truth)
        assert counts.matched <= len(played.stored) - again
        failing = {"lost", "altered", "duplicated", "alien"}
        assert (done.audit.exit_code() is ExitCode.FAIL) == any(found[0] in failing for found in truth)
        assert (done.audit.exit_code(strict=True) is ExitCode.FAIL) == bool(truth)

    @with_files
    @given(runs(), st.randoms(use_true_random=False))
    def test_shards_and_successors_are_one_run(
        self, tmp_path: Path, drawn: tuple[Played, list[tuple[str, str, str, str, int]]], random: random.Random
    ) -> None:
        played, truth = drawn
        for path in tmp_path.iterdir():
            path.unlink()
        parts = {n: [one for one in played.sent if int(one.mn[-1]) % 3 == n] for n in range(3)}
        ledgers = [played.ledger(tmp_path / f"l{n}", shard=(n, 3), part=part) for n, part in parts.items()]
        # A shard died; what it had composed stands in its successor's ledger as well, some of it never sent there.
        known = [replace(one, sent=(), acknowledged=False, dropped=False) for one in parts[0]]
        ledgers.append(played.ledger(tmp_path / "successor", shard=(0, 3), part=known))
        random.shuffle(ledgers)
        done = audited(ledgers, played.csv(tmp_path / "received", content="segment"))
        assert done.names() == truth
        assert done.audit.counts.composed == len(played.sent)
        assert done.audit.complete

    def test_nothing_is_wrong_with_a_good_platform(self, tmp_path: Path) -> None:
        played = Played.well(told(station, minute) for minute in range(100) for station in range(10))
        done = audited([played.ledger(tmp_path / "l")], played.store(tmp_path / "s"), None)
        assert done.findings == []
        assert done.audit.exit_code(strict=True) is ExitCode.OK
        assert done.audit.counts.matched == done.audit.counts.expected == 1000

    def test_one_in_ten_thousand(self, tmp_path: Path) -> None:
        """A platform that drops, alters or keeps one message twice now and then, kept by a store of ours."""
        played = Played.well(told(station, minute) for minute in range(300) for station in range(100))
        truth = []
        rows = []
        for place, row in enumerate(played.stored):
            if place % 10_000 == 3_333:
                truth.append(name(Kind.LOST, row.told))
                continue
            if place % 10_000 == 6_666:
                truth.append(name(Kind.ALTERED, row.told))
                row = Stored(changed(row.told), row.at)
            rows.append(row)
            if place % 10_000 == 9_999:  # the same numbers with other content are kept beside the first
                truth.append(name(Kind.ALTERED, row.told))
                rows.append(Stored(changed(row.told), row.at))
        done = audited([played.ledger(tmp_path / "l")], replace(played, stored=rows).store(tmp_path / "s"), None)
        assert done.names() == sorted(truth)
        assert len(truth) == 9


class TestMatching:
    """Single cases, by name."""

    def one(self, tmp_path: Path, sent: list[Told], stored: list[Stored]) -> list[tuple[str, str, str, str, int]]:
        played = Played(sent, stored)
        for path in tmp_path.iterdir():
            path.unlink()
        return audited([played.ledger(tmp_path / "l")], played.csv(tmp_path / "r", content="segment")).names()

    def test_back_fill_mark_is_no_alteration(self, tmp_path: Path) -> None:
        one = told(1, 1)

        class BackFilled(Told):
            @property
            def segment(self) -> bytes:
                return super().segment.replace(b"Flag=5;", b"Flag=9;RF=1;")

        marked = BackFilled(one.mn, one.qn, one.area, one.due)
        assert self.one(tmp_path, [one], [Stored(marked, one.due + 20)]) == []

    def test_message_that_was_damaged_only_once_is_expected(self, tmp_path: Path) -> None:
        writer = LedgerWriter(tmp_path / "l", LedgerHeader(scenario="9f", seed=1, start_ms=START, wall_ms=START))
        one = told(1, 1)
        number = writer.composed(one.mn, one.qn, one.cn, one.st, 0, 0, one.due, "periodic", one.area)
        writer.sent(number, one.due, ("modbus-crc",))
        writer.sent(number, one.due + 5000)
        writer.acknowledged(number, one.due + 5001)
        writer.close(one.due)
        assert audited([tmp_path / "l"], Played().csv(tmp_path / "r")).names() == [name(Kind.LOST, one)]

    def test_without_qn_the_time_tells_messages_apart(self, tmp_path: Path) -> None:
        sent = [replace(told(1, minute), qn="") for minute in range(3)]
        stored = [Stored(one, one.due + 20) for one in (sent[0], changed(sent[2]))]
        found = self.one(tmp_path, sent, stored)
        assert [(kind, when) for kind, _, when, _, _ in found] == [
            ("altered", "20251128112200"),
            ("lost", "20251128112100"),
        ]

    def test_same_qn_again_after_the_clock_was_set_back(self, tmp_path: Path) -> None:
        one = told(1, 1)
        other = changed(one, b"w01018-Rtd=7")
        rows = [Stored(one, one.due + 20), Stored(other, one.due + 30)]
        assert self.one(tmp_path, [one, other], rows) == []
        assert self.one(tmp_path, [one, other], rows[1:]) == [name(Kind.LOST, one)]

    def test_changed_command_or_packet_number_is_an_alteration(self, tmp_path: Path) -> None:
        one = replace(told(1, 1), packet=(1, 2))
        assert self.one(tmp_path, [one], [Stored(replace(one, cn="2051"), one.due + 20)]) == [name(Kind.ALTERED, one)]
        assert self.one(tmp_path, [one], [Stored(replace(one, packet=(2, 2)), one.due + 20)]) == [
            name(Kind.ALTERED, one)
        ]

    @pytest.mark.parametrize(
        ("before", "after", "difference"),
        [
            (b"a-Rtd=1;b-Rtd=2", b"a-Rtd=1;b-Rtd=3", Difference("b-Rtd", "2", "3")),
            (b"a-Rtd=1;b-Rtd=2", b"a-Rtd=1", Difference("b-Rtd", "2", None)),
            (b"a-Rtd=1", b"a-Rtd=1;b-Rtd=2", Difference("b-Rtd", None, "2")),
            (b"a-Rtd=1.0", b"a-Rtd=1", Difference("a-Rtd", "1.0", "1")),
            (b"a-Rtd=1,b=2", b"a-Rtd=1;b=2", Difference("CP", "a-Rtd=1,b=2", "a-Rtd=1;b=2")),
            (b"PolId=a;v=1;PolId=b;v=2", b"PolId=a;v=1;PolId=b;v=9", Difference("v", "2", "9")),
        ],
    )
    def test_field_that_is_altered_is_named(
        self, tmp_path: Path, before: bytes, after: bytes, difference: Difference
    ) -> None:
        one = replace(told(1, 1), area=before)
        played = Played([one], [Stored(replace(one, area=after), one.due + 20)])
        done = audited([played.ledger(tmp_path / "l")], played.csv(tmp_path / "r"))
        (finding,) = done.findings
        assert (finding.kind, finding.differences) == (Kind.ALTERED, (difference,))

    def test_rows_of_the_same_instant_are_in_no_order(self, tmp_path: Path) -> None:
        one, two = told(1, 1), told(1, 2)
        assert self.one(tmp_path, [one, two], [Stored(two, two.due + 50), Stored(one, two.due + 50)]) == []
        found = self.one(tmp_path, [one, two], [Stored(two, two.due + 50), Stored(one, two.due + 51)])
        assert found == [name(Kind.REORDERED, one)]

    def test_messages_sent_in_the_same_millisecond_are_in_the_order_of_the_ledger(self, tmp_path: Path) -> None:
        one = told(1, 1)
        two = replace(told(1, 1, 1), sent=one.sent)
        sent = Played([one, two], [Stored(two, one.due + 50), Stored(one, one.due + 51)])
        known = [replace(each, sent=(), acknowledged=False) for each in (two, one)]  # by a shard that died then
        ledgers = [sent.ledger(tmp_path / "a", part=known), sent.ledger(tmp_path / "b")]
        assert audited(ledgers, sent.csv(tmp_path / "r")).names() == [name(Kind.REORDERED, one)]

    def test_message_without_a_line_of_its_sending_is_late_from_when_it_was_due(self, tmp_path: Path) -> None:
        day = 86_400_000
        writer = LedgerWriter(tmp_path / "l", LedgerHeader(scenario="9f", seed=1, start_ms=START, wall_ms=START + day))
        one = told(1, 1)
        number = writer.composed(one.mn, one.qn, one.cn, one.st, 0, 0, one.due, "periodic", one.area)
        writer.acknowledged(number, one.due + 400_000)
        writer.close(one.due + 500_000)
        played = Played([one], [Stored(one, one.due + day + 310_000)])
        (finding,) = audited([tmp_path / "l"], played.csv(tmp_path / "r")).findings
        assert (finding.kind, finding.late_ms) == (Kind.LATE, 310_000)

    def test_other_stations_and_earlier_runs_are_no_aliens(self, tmp_path: Path) -> None:
        one = told(1, 1)
        rows = [
            Stored(one, one.due + 20),
            Stored(told(9, 1), one.due),
            Stored(replace(told(1, 2), qn="20251128090000000"), START - 3_600_000),
        ]
        played = Played([one], rows)
        done = audited([played.ledger(tmp_path / "l")], played.csv(tmp_path / "r"))
        assert done.findings == []
        assert (done.audit.counts.other_stations, done.audit.counts.earlier) == (1, 1)

    def test_scenario_that_plays_another_day_is_compared_by_the_clock_of_the_run(self, tmp_path: Path) -> None:
        year = 365 * 86_400_000
        writer = LedgerWriter(tmp_path / "l", LedgerHeader(scenario="9f", seed=1, start_ms=START, wall_ms=START - year))
        one = told(1, 1)
        number = writer.composed(one.mn, one.qn, one.cn, one.st, 0, 0, one.due, "periodic", one.area)
        writer.sent(number, one.due + 10)
        writer.acknowledged(number, one.due + 20)
        writer.close(one.due + 30)
        played = Played([one], [Stored(one, one.due - year + 15)])
        done = audited([tmp_path / "l"], played.csv(tmp_path / "r"))
        assert done.findings == []
        assert done.audit.counts.early == 0

    def test_clock_of_the_platform_that_is_slow_is_told(self, tmp_path: Path) -> None:
        one = told(1, 1)
        played = Played([one], [Stored(one, one.due - 7_000)])
        done = audited([played.ledger(tmp_path / "l")], played.csv(tmp_path / "r"))
        assert (done.audit.counts.early, done.audit.counts.earliest_ms) == (1, 7_010)

    def test_ledger_that_is_not_complete_proves_no_alien(self, tmp_path: Path) -> None:
        played = Played.well(told(1, minute) for minute in range(5))
        ledger = played.ledger(tmp_path / "l")
        lines = ledger.read_bytes().splitlines(keepends=True)
        cut = next(at for at, line in enumerate(lines) if line.startswith(b'["c",4'))
        ledger.write_bytes(b"".join(lines[:cut]) + lines[cut][:-30])
        done = audited([ledger], played.csv(tmp_path / "r"))
        assert [found[0] for found in done.names()] == ["alien"]
        assert not done.audit.complete
        assert done.audit.exit_code() is ExitCode.INCONCLUSIVE

    def test_shard_whose_ledger_is_missing_is_named(self, tmp_path: Path) -> None:
        played = Played.well(told(1, minute) for minute in range(2))
        done = audited([played.ledger(tmp_path / "l", shard=(1, 3))], played.csv(tmp_path / "r"))
        assert done.audit.missing_shards == ["0/3", "2/3"]
        assert done.audit.exit_code() is ExitCode.INCONCLUSIVE

    def test_ledger_without_a_message_judges_nothing(self, tmp_path: Path) -> None:
        done = audited([Played().ledger(tmp_path / "l")], Played().csv(tmp_path / "r"))
        assert done.audit.exit_code() is ExitCode.INCONCLUSIVE

    def test_line_about_a_message_that_is_not_there_is_damage(self, tmp_path: Path) -> None:
        writer = LedgerWriter(tmp_path / "l", LedgerHeader(scenario="9f", seed=1, start_ms=START))
        writer.acknowledged(5, START)
        writer.close(START)
        code = run(build, ["audit", str(tmp_path / "l"), "--received", str(Played().csv(tmp_path / "r"))])
        assert code == ExitCode.USAGE


# Forms


class TestForms:
    @pytest.fixture
    def played(self) -> Played:
        played = Played.well(
            told(station, minute, station * 37 + minute) for minute in range(20) for station in range(3)
        )
        del played.stored[7]
        return played

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_csv(self, tmp_path: Path, played: Played, encoding: str, delimiter: str) -> None:
        received = played.csv(tmp_path / "r", encoding=encoding, delimiter=delimiter)
        assert audited([played.ledger(tmp_path / "l")], received).names() == [name(Kind.LOST, played.sent[7])]

    def test_gb18030_that_begins_with_a_megabyte_of_ascii(self, tmp_path: Path) -> None:
        played = Played.well(replace(told(1, m), area=b"x=" + b"y" * 900) for m in range(1500))
        played.sent.append(told(1, 2000))
        played.stored.append(Stored(played.sent[-1], played.sent[-1].due + 20))
        received = tmp_path / "r"
        rows = [["t", "mn", "qn", "cn", "content", "pno"], *played.rows()]
        received.write_bytes("\n".join(",".join(f'"{cell}"' for cell in row) for row in rows).encode("gb18030"))
        assert received.read_bytes()[: 1 << 20].isascii()
        assert audited([played.ledger(tmp_path / "l")], received, "received=t").names() == []

    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
    def test_json_lines(self, tmp_path: Path, played: Played, encoding: str) -> None:
        received = played.jsonl(tmp_path / "r", encoding=encoding)
        assert audited([played.ledger(tmp_path / "l")], received).names() == [name(Kind.LOST, played.sent[7])]

    def test_json_lines_with_a_path_and_numbers(self, tmp_path: Path) -> None:
        one = told(1, 1)
        row = {"id": 5, "data": {"mn": one.mn, "qn": int(one.qn), "cn": 2011}, "raw": one.area.decode(), "t": one.due}
        (tmp_path / "r").write_text(json.dumps(row) + "\n\n", "utf-8")
        mapping = "mn=data.mn,qn=data.qn,cn=data.cn,content=raw,received=t"
        assert audited([Played([one]).ledger(tmp_path / "l")], tmp_path / "r", mapping).names() == []

    def test_content_alone_is_enough_where_it_is_the_whole_segment(self, tmp_path: Path, played: Played) -> None:
        received = tmp_path / "r"
        rows = [json.dumps({"raw": row.told.segment.decode()}) for row in played.stored]
        received.write_text("\n".join(rows), "utf-8")
        done = audited([played.ledger(tmp_path / "l")], received, "content=raw")
        assert done.names() == [name(Kind.LOST, played.sent[7])]

    def test_without_content_losses_are_found_all_the_same(self, tmp_path: Path, played: Played) -> None:
        played.stored[3] = Stored(changed(played.stored[3].told), played.stored[3].at)  # nobody can see that
        received = played.csv(tmp_path / "r")
        mapping = "received=时间,mn=设备编号,qn=请求编码,cn=命令,pno=包号"
        assert audited([played.ledger(tmp_path / "l")], received, mapping).names() == [name(Kind.LOST, played.sent[7])]

    def test_store_is_read_while_it_is_written(self, tmp_path: Path, played: Played) -> None:
        store = MessageStore(tmp_path / "s")
        arrivals = [Arrival(r.at, "127.0.0.1:9", Message.from_bytes(r.told.segment)) for r in played.stored]
        store.add(arrivals[:30])
        source = open_received(tmp_path / "s", None, ZONE)
        rows = iter(source)
        first = next(rows)
        store.add(arrivals[30:])
        assert (first.row, first.mn, first.qn.text) == (1, arrivals[0].message.mn, arrivals[0].message.qn)
        assert len([first, *rows]) == 30
        assert len(list(source)) == len(arrivals)
        store.close()

    def test_mapping(self) -> None:
        assert parse_mapping("mn=设备编号, qn = a,,b ,cn=x=y") == {"mn": "设备编号", "qn": "a,b", "cn": "x=y"}

    @pytest.mark.parametrize("text", ["", "mn", "mn=", "mm=x", "mn=a,mn=b"])
    def test_mapping_that_is_none(self, text: str) -> None:
        with pytest.raises(UsageFault):
            parse_mapping(text)

    @pytest.mark.parametrize(
        ("content", "mapping", "words"),
        [
            ("MN_ID,QN,CN,CP\n", "mn=MNID", ["mn=MNID", "near: MN_ID", "MN_ID, QN, CN, CP"]),
            ("设备编号,请求编码\n", "mn=设备编码", ["near: 设备编号"]),
            ("a,b\n", "", ["no column is named for mn, qn, cn"]),
            ("mn,qn,cn,t\n1,2,3,yesterday\n", "received=t", ["line 2", "received", "'yesterday'"]),
            ("mn,qn,cn,pno\n1,2,3,x\n", "", ["line 2", "pno", "'x'"]),
            ('[{"mn": 1}]\n', "", ["line 1", "no JSON object", "list"]),
            ('{"mn": 1,"qn":2,"cn":3}\n{"mn"\n', "", ["line 2", "no JSON object"]),
            ("\n", "", ["is empty"]),
            ("", "", ["is empty"]),
        ],
    )
    def test_what_cannot_be_read_is_one_clear_error(
        self, tmp_path: Path, content: str, mapping: str, words: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "r").write_text(content, "utf-8")
        ledger = Played().ledger(tmp_path / "l")
        more = ["--map", mapping] if mapping else []
        assert run(build, ["audit", str(ledger), "--received", str(tmp_path / "r"), *more]) == ExitCode.USAGE
        out, err = capsys.readouterr()
        assert out == ""
        assert len(err.splitlines()) <= 2
        for word in words:
            assert word in err

    def test_utf16_and_what_is_no_text_are_named(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("mn,qn,cn\n", "utf-16")
        (tmp_path / "b").write_bytes(b"mn,qn,cn\n\xff\xff\xff")
        for file, words in (("a", "UTF-16"), ("b", "neither UTF-8 nor GB 18030")):
            with pytest.raises(UsageFault, match=words):
                open_received(tmp_path / file, None, ZONE)

    def test_another_sqlite_file_is_named(self, tmp_path: Path) -> None:
        import sqlite3

        db = sqlite3.connect(tmp_path / "s")
        db.execute("CREATE TABLE messages (id)")
        db.close()
        with pytest.raises(UsageFault, match="hj212 listen did not write"):
            list(open_received(tmp_path / "s", None, ZONE))
        with pytest.raises(UsageFault, match="--map"):
            open_received(tmp_path / "s", {"mn": "x"}, ZONE)


class TestRuinedQn:
    """What a spreadsheet leaves of 17 digits, in a run whose QNs end in all kinds of digits."""

    @pytest.fixture
    def played(self) -> Played:
        played = Played.well(
            told(station, minute, station * 37 + minute) for minute in range(20) for station in range(3)
        )
        del played.stored[7]
        return played

    @pytest.mark.parametrize(
        ("ruin", "kind"),
        [
            (lambda qn: f"{int(qn):.5E}", "scientific"),
            (lambda qn: f"{int(qn):.14E}", "scientific"),
            (lambda qn: f"{qn[:15]}00", "rounded"),
            (lambda qn: f"{round(int(qn), -2)}", "rounded"),
            (lambda qn: f"{int(float(qn))}", "double"),
            (lambda qn: f"'{qn}", "apostrophe"),
            (lambda qn: f"{qn}.0", "decimal"),
            (lambda qn: f"{int(qn):,}", "separators"),
            (lambda qn: f'="{qn}"', "formula"),
        ],
    )
    def test_is_named_and_messages_are_found_all_the_same(
        self, tmp_path: Path, played: Played, ruin: Callable[[str], str], kind: str
    ) -> None:
        rows = [Stored(replace(row.told, qn=ruin(row.told.qn)), row.at) for row in played.stored]
        received = Played(played.sent, rows).csv(tmp_path / "r")
        done = audited([played.ledger(tmp_path / "l")], received)
        assert done.names() == [name(Kind.LOST, played.sent[7])]
        assert done.audit.counts.ruined == {kind: len(rows)}

    def test_planted_is_found_all_the_same(self, tmp_path: Path, played: Played) -> None:
        rows = [Stored(replace(row.told, qn="2.02511E+16"), row.at) for row in played.stored]
        rows[3] = Stored(changed(rows[3].told), rows[3].at)
        rows.append(rows[5])
        alien = replace(rows[6].told, area=rows[6].told.area.replace(b"DataTime=2025", b"DataTime=2024"))
        rows.append(Stored(alien, rows[6].at))
        done = audited([played.ledger(tmp_path / "l")], Played(played.sent, rows).csv(tmp_path / "r"))
        found = [(kind, qn) for kind, _, qn, _, _ in done.names()]
        assert found == [
            ("alien", "2.02511E+16"),
            ("altered", played.stored[3].told.qn),
            ("duplicated", played.stored[5].told.qn),
            ("lost", played.sent[7].qn),
        ]

    def test_whole_segment_beside_a_ruined_column_tells_the_qn(self, tmp_path: Path, played: Played) -> None:
        received = played.csv(tmp_path / "r", content="segment", qn="2.02511E+16")
        done = audited([played.ledger(tmp_path / "l")], received)
        assert done.names() == [name(Kind.LOST, played.sent[7])]
        assert not done.audit.counts.ruined

    def test_several_that_fit_are_left_undecided(self, tmp_path: Path) -> None:
        one, two = told(1, 1, 100), told(1, 1, 200)  # the same second
        two = replace(two, area=one.area)
        played = Played([one, two], [Stored(replace(one, qn="2.02511E+16"), one.due + 20)])
        done = audited([played.ledger(tmp_path / "l")], played.csv(tmp_path / "r"))
        assert [kind for kind, *_ in done.names()] == ["undecided"]
        assert done.audit.exit_code() is ExitCode.INCONCLUSIVE
        three = replace(told(1, 1, 300), area=one.area)
        some = Played([one, two, three], played.stored * 2)
        kinds = [kind for kind, *_ in audited([some.ledger(tmp_path / "l3")], some.csv(tmp_path / "r")).names()]
        assert kinds == ["undecided", "undecided"]
        both = Played([one, two], played.stored * 2)
        assert audited([tmp_path / "l"], both.csv(tmp_path / "r")).names() == []

    def test_packets_are_told_apart_by_their_number(self, tmp_path: Path) -> None:
        packets = [replace(told(1, 1, number), packet=(number, 3)) for number in (1, 2, 3)]
        rows = [Stored(replace(one, qn="2.02511E+16"), one.due + 20) for one in packets]
        played = Played(packets, [rows[2], rows[0]])
        mapping = "received=时间,mn=设备编号,qn=请求编码,cn=命令,data_time=时间,pno=包号"  # no content
        done = audited([played.ledger(tmp_path / "l")], played.csv(tmp_path / "r"), mapping)
        assert done.names() == [name(Kind.LOST, packets[1])]

    def test_qns_that_end_in_zeros_by_themselves_are_not_suspected(self, tmp_path: Path) -> None:
        played = Played.well([told(1, 1), told(1, 2), told(1, 3, 123)])
        del played.stored[2]
        done = audited([played.ledger(tmp_path / "l")], played.csv(tmp_path / "r"))
        assert done.names() == [name(Kind.LOST, played.sent[2])]
        assert not done.audit.counts.ruined


# The command


class TestCommand:
    @pytest.fixture
    def files(self, tmp_path: Path) -> list[str]:
        sent = [told(1, minute) for minute in range(6)]
        sent[4] = replace(sent[4], damaged=True, acknowledged=False)
        sent.append(replace(told(1, 7), acknowledged=False))
        rows = [Stored(one, one.due + 20) for one in sent[1:]]
        rows[0] = Stored(changed(rows[0].told), rows[0].at)
        rows[1] = Stored(rows[1].told, rows[1].at + 400_000)
        rows += [rows[2], Stored(replace(told(1, 3), qn="20251128999"), START + 999_000)]
        played = Played(sent, rows)
        return [str(played.ledger(tmp_path / "l")), "--received", str(played.csv(tmp_path / "r.csv")), "--map", MAP]

    def test_text(self, files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert run(build, ["audit", *files]) == ExitCode.FAIL
        out, err = capsys.readouterr()
        assert err == ""
        found, _, sums = out.partition("\n\n")
        head = f"MN={mn(1)} QN=20251128"
        assert [line.split(None, 1) if "although" not in line else line for line in found.splitlines()] == [
            ["lost", f"{head}112000000 CN=2011; acknowledged 2025-11-28T11:20:00.018+08:00"],
            ["altered", f"{head}112100000 CN=2011; row 2; w01018-Rtd: expected 1.1, came 999"],
            ["duplicated", f"{head}112300000 CN=2011; row 8; sent 1 time"],
            ["alien", f"{head}999 CN=2011; row 9"],
            f"stored although damaged  {head}112400000 CN=2011; row 5; modbus-crc",
            ["late", f"{head}112200000 CN=2011; row 3; stored 400 s after it was sent"],
            ["reordered", f"{head}112200000 CN=2011; row 3; stored after QN=20251128112700000, which was sent later"],
        ]
        assert sums.splitlines() == [
            "7 messages in the ledgers, 5 of them must be there; 8 rows stored",
            "lost 1, altered 1, duplicated 1, alien 1, late 1, reordered 1",
            "not acknowledged, so that a platform may have them or not: 1 stored, 0 not",
            "damaged on purpose, so that a platform must refuse them: 1; stored all the same: 1",
        ]

    def test_json(self, files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert run(build, ["audit", *files, "--json"]) == ExitCode.FAIL
        out, err = capsys.readouterr()
        *findings, end = map(json.loads, out.splitlines())
        assert [finding["event"] for finding in findings] == [
            "lost", "altered", "duplicated", "alien", "damaged-stored", "late", "reordered",
        ]  # fmt: skip
        assert findings[1] == {
            "event": "altered",
            "mn": mn(1),
            "qn": "20251128112100000",
            "cn": "2011",
            "pno": 0,
            "data_time": "20251128112100",
            "kind": "periodic",
            "due": "2025-11-28T11:21:00.000+08:00",
            "sent": "2025-11-28T11:21:00.010+08:00",
            "times": 1,
            "acknowledged": "2025-11-28T11:21:00.018+08:00",
            "row": 2,
            "received": "2025-11-28T11:21:00.020+08:00",
            "differences": [{"field": "w01018-Rtd", "expected": "1.1", "came": "999"}],
        }
        assert end == {
            "event": "audit-end",
            "composed": 7, "acknowledged": 5, "expected": 5, "unacknowledged_stored": 1, "unacknowledged_absent": 0,
            "unsent": 0, "dropped": 0, "damaged": 1, "received": 8, "matched": 6, "other_stations": 0, "earlier": 0,
            "sent_late": 0, "early": 0,
            "lost": 1, "duplicated": 1, "altered": 1, "alien": 1, "late": 1, "reordered": 1, "damaged_stored": 1,
            "undecided": 0, "ruined_qn": {}, "complete": True, "exit_code": 1,
        }  # fmt: skip
        assert "7 messages in the ledgers" in err

    def test_what_is_shown_is_bounded(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        played = Played.well(told(1, minute) for minute in range(30))
        played.stored.clear()
        files = [str(played.ledger(tmp_path / "l")), "--received", str(played.csv(tmp_path / "r")), "--map", MAP]
        for words, shown in (([], 21), (["--show", "3"], 4), (["--show", "0"], 30)):
            assert run(build, ["audit", *files, *words]) == ExitCode.FAIL
            lines = capsys.readouterr().out.splitlines()
            assert sum(line.startswith("lost  ") for line in lines) == shown

    def test_late_and_reordered_fail_only_when_strict(self, tmp_path: Path) -> None:
        played = Played.well(told(1, minute) for minute in range(3))
        played.stored[0] = Stored(played.stored[0].told, played.stored[0].at + 90_000)
        files = [str(played.ledger(tmp_path / "l")), "--received", str(played.csv(tmp_path / "r")), "--map", MAP]
        assert run(build, ["audit", *files, "--late", "60"]) == ExitCode.OK
        assert run(build, ["audit", *files, "--late", "60", "--strict"]) == ExitCode.FAIL

    def test_password_in_a_difference_is_hidden(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        one = replace(told(1, 1), area=b"NewPW=s3cret1;a=1")
        played = Played([one], [Stored(replace(one, area=b"NewPW=s3cret2;a=1"), one.due)])
        files = [str(played.ledger(tmp_path / "l")), "--received", str(played.csv(tmp_path / "r")), "--map", MAP]
        for more in ([], ["--json"]):
            assert run(build, ["audit", *files, *more]) == ExitCode.FAIL
            printed = "".join(capsys.readouterr())
            assert "NewPW" in printed
            assert "s3cret" not in printed

    def test_chinese(self, files: list[str], capsys: pytest.CaptureFixture[str]) -> None:
        assert run(build, ["audit", *files, "--lang", "zh"]) == ExitCode.FAIL
        out = capsys.readouterr().out
        assert "丢失" in out
        assert "lost" not in out

    @pytest.mark.parametrize("file", ["none", "."])
    def test_file_that_is_not_there(self, tmp_path: Path, file: str) -> None:
        ledger = Played().ledger(tmp_path / "l")
        assert run(build, ["audit", str(tmp_path / file), "--received", str(ledger)]) == ExitCode.USAGE
        assert run(build, ["audit", str(ledger), "--received", str(tmp_path / file)]) == ExitCode.USAGE

    def test_file_that_is_no_ledger(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        received = Played().csv(tmp_path / "r")
        assert run(build, ["audit", str(received), "--received", str(received)]) == ExitCode.USAGE
        assert "is no intact ledger: line 1" in capsys.readouterr().err


# The real thing


@dataclass
class FaultyStore(MessageStore):
    """A store that acknowledges everything and now and then drops, doubles or alters a message."""

    every: int = 100
    truth: list[tuple[str, str, str, str, int]] = field(default_factory=list)

    def __init__(self, path: Path, every: int) -> None:
        super().__init__(path)
        self.every = every
        self.seen = 0
        self.truth = []

    def add(self, arrivals: Sequence[Arrival]) -> list[Fate]:
        kept: list[Arrival] = []
        again: list[Arrival] = []
        for arrival in arrivals:
            self.seen += 1
            place = self.seen % self.every
            message = arrival.message
            if place == self.every // 4:
                self._planted(Kind.LOST, message)
                continue
            if place == self.every // 2:
                self._planted(Kind.ALTERED, message)
                arrival = replace(arrival, message=self._altered(message))
            if place == self.every * 3 // 4:
                self._planted(Kind.DUPLICATED, message)
                again.append(arrival)
            kept.append(arrival)
        super().add(kept)
        for arrival in again:
            self._db.execute(
                "INSERT INTO messages (received, peer, mn, cn, qn, pno, data_time, segment)"
                " SELECT received, peer, mn, cn, qn, pno, data_time, segment FROM messages WHERE qn = ? AND mn = ?",
                (arrival.message.qn, arrival.message.mn),
            )
        return [Fate.NEW] * len(arrivals)

    def _planted(self, kind: Kind, message: Message) -> None:
        self.truth.append((kind.value, message.mn, message.qn, message.cn, 0))

    @staticmethod
    def _altered(message: Message) -> Message:
        data = bytes(message)
        last = data.rindex(b"=") + 1
        return Message.from_bytes(data[:last] + b"7" + data[last:])


class Witnessed(Station):
    """A station whose bytes are noted in a ledger before they leave, and its acknowledgements when they come."""

    def __init__(self, door: DoorController, port: int, ledger: LedgerWriter, epoch: float) -> None:
        super().__init__(door, HOST, port, on_bytes=self._emitted)
        self._ledger = ledger
        self._epoch = epoch
        self._numbers: dict[str, int] = {}
        self._out, self._in = Framer(), Framer()
        self.messages = self.answers = 0

    def _ms(self) -> int:
        return round((self._epoch + asyncio.get_running_loop().time()) * 1000)

    def _emitted(self, data: bytes) -> None:
        for frame in self._out.feed(data):
            message = Message.from_bytes(frame.segment)
            area = frame.segment[frame.segment.index(b"CP=&&") + 5 : -2]
            if message.qn not in self._numbers:
                self.messages += 1
                self._numbers[message.qn] = self._ledger.composed(
                    message.mn, message.qn, message.cn, message.st, 0, 0, self._ms(), "door", area
                )
            self._ledger.sent(self._numbers[message.qn], self._ms())
        self._ledger.flush()

    def receive_data(self, data: bytes, now: float) -> None:
        for frame in self._in.feed(data):
            answer = Message.from_bytes(frame.segment)
            if answer.cn == "9014":
                self.answers += 1
                self._ledger.acknowledged(self._numbers[answer.qn], self._ms())
        super().receive_data(data, now)


async def doors_report(store: MessageStore, ledger_path: Path, stations: int, acts: int) -> int:
    """Let doors be opened and closed as fast as the platform takes it; return how many messages it acknowledged."""
    loop = asyncio.get_running_loop()
    epoch = wall_epoch(loop)
    start = round((epoch + loop.time()) * 1000)
    header = LedgerHeader(scenario="9f", seed=1, start_ms=start, wall_ms=start)
    ledger = LedgerWriter(ledger_path, header)
    async with Platform(lambda peer, event: None, store=store) as platform:
        await platform.start(HOST, 0)
        doors = [
            DoorController(DoorSettings(mn=mn(n), pw="123456"), behaviour_with(()), loop.time(), epoch)
            for n in range(stations)
        ]
        fleet = [Witnessed(door, platform.port, ledger, epoch) for door in doors]
        lives = [asyncio.create_task(station.run()) for station in fleet]
        try:
            async with asyncio.timeout(PATIENCE_S):
                for _ in range(acts):
                    for station in fleet:
                        station.act(lambda now, d=station.door: d.open(Method.EXIT_BUTTON, "", now))  # type: ignore[misc]
                        station.act(station.door.close)
                    while any(station.door.queue for station in fleet):
                        await asyncio.sleep(0.001)
                while any(station.answers < station.messages for station in fleet):
                    await asyncio.sleep(0.001)
        finally:
            for life in lives:
                life.cancel()
                with suppress(asyncio.CancelledError):
                    await life
    assert ledger.close(round((epoch + loop.time()) * 1000)) is None
    return sum(station.answers for station in fleet)


@pytest.mark.loopback
class TestOnLoopback:
    def test_nothing_is_wrong_with_our_listener(self, tmp_path: Path) -> None:
        store = MessageStore(tmp_path / "s")
        messages = asyncio.run(doors_report(store, tmp_path / "l", stations=10, acts=30))
        store.close()
        done = audited([tmp_path / "l"], tmp_path / "s", None)
        assert messages == 10 * (2 + 2 * 30)
        assert done.findings == []
        counts = done.audit.counts
        assert counts.expected == counts.received == counts.matched == messages
        assert done.audit.exit_code(strict=True) is ExitCode.OK

    def test_what_a_faulty_listener_did_is_found(self, tmp_path: Path) -> None:
        store = FaultyStore(tmp_path / "s", every=100)
        asyncio.run(doors_report(store, tmp_path / "l", stations=10, acts=30))
        store.close()
        done = audited([tmp_path / "l"], tmp_path / "s", None)
        assert len(store.truth) > 15
        assert done.names() == sorted(store.truth)

    @pytest.mark.soak
    def test_one_in_ten_thousand_of_a_faulty_listener_is_found(self, tmp_path: Path) -> None:
        store = FaultyStore(tmp_path / "s", every=10_000)
        asyncio.run(doors_report(store, tmp_path / "l", stations=100, acts=200))
        store.close()
        done = audited([tmp_path / "l"], tmp_path / "s", None)
        assert len(store.truth) >= 11
        assert done.names() == sorted(store.truth)


@pytest.mark.soak
@pytest.mark.skipif(sys.platform == "win32", reason="memory is measured by resource.getrusage")
def test_a_million_messages_in_bounded_memory(tmp_path: Path) -> None:
    """The audit runs in a process of its own, whose largest size is asked from the system."""
    # Of Linux not by getrusage: what that tells begins with the size of the process that started this one.
    script = """
import resource, sys
from pathlib import Path
from simulator.__main__ import main
code = main(["audit", sys.argv[1], "--received", sys.argv[2], "--json"])
status = Path("/proc/self/status")
if status.exists():
    size = 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
else:
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
print(size, file=sys.stderr)
sys.exit(code)
"""
    truth = []
    ledger = LedgerWriter(tmp_path / "l", LedgerHeader(scenario="9f", seed=1, start_ms=START, wall_ms=START))
    store = MessageStore(tmp_path / "s")
    arrivals: list[Arrival] = []
    for place in range(1_000_000):
        one = told(place % 1000, place // 1000, place % 7)
        number = ledger.composed(one.mn, one.qn, one.cn, one.st, 0, 0, one.due, "periodic", one.area)
        ledger.sent(number, one.due + 10)
        ledger.acknowledged(number, one.due + 20)
        if place % 10_000 == 77:
            truth.append(name(Kind.LOST, one))
        else:
            if place % 10_000 == 78:
                truth.append(name(Kind.ALTERED, one))
                one = changed(one)
            arrivals.append(Arrival(one.due + 15, "127.0.0.1:9", Message.from_bytes(one.segment)))
        if len(arrivals) == 5000:
            store.add(arrivals)
            arrivals.clear()
    store.add(arrivals)
    store.close()
    ledger.close(START)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "l"), str(tmp_path / "s")], capture_output=True, text=True
    )
    assert done.returncode == ExitCode.FAIL
    *found, _end = map(json.loads, done.stdout.splitlines())
    assert sorted((f["event"], f["mn"], f["qn"], f["cn"], f["pno"]) for f in found) == sorted(truth)
    size = int(done.stderr.splitlines()[-1])
    print(f"{size / 1e6:.0f} MB")
    assert size < 300e6
