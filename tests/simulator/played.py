"""Runs that were never played: ledgers and what a platform stored of them, with what is wrong planted on purpose."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from hj212 import Message
from hj212.aio import MessageStore
from hj212.aio.store import Arrival
from hj212.times import format_qn, format_time
from simulator.ledger import Audit, Finding, LedgerHeader, LedgerWriter, open_received, parse_mapping
from simulator.ledger.instants import parse_zone

START = 1764300000000  #: 2025-11-28 11:20:00, UTC+8
ZONE = parse_zone("+08:00")
COLUMNS = ("时间", "设备编号", "请求编码", "命令", "内容", "包号")
MAP = "received=时间,mn=设备编号,qn=请求编码,cn=命令,content=内容,pno=包号"


@dataclass(frozen=True)
class Told:
    """A message of a station, and what happened to it."""

    mn: str
    qn: str
    area: bytes
    due: int
    cn: str = "2011"
    st: str = "32"
    packet: tuple[int, int] = (0, 0)
    sent: tuple[int, ...] = ()  #: when, POSIX milliseconds
    damaged: bool = False  #: each time
    acknowledged: bool = True
    dropped: bool = False

    @property
    def segment(self) -> bytes:
        numbers = f"PNUM={self.packet[1]};PNO={self.packet[0]};" if self.packet[1] else ""
        qn = f"QN={self.qn};" if self.qn else ""
        head = f"{qn}ST={self.st};CN={self.cn};PW=123456;MN={self.mn};Flag=5;{numbers}CP=&&"
        return head.encode() + self.area + b"&&"


@dataclass(frozen=True)
class Stored:
    """A row of a platform."""

    told: Told
    at: int


def mn(number: int) -> str:
    return f"64010000ACCE55{number:010d}"


def told(station: int, minute: int, millis: int = 0, **values: object) -> Told:
    """Return the report of one minute."""
    due = START + minute * 60_000 + millis
    area = f"DataTime={format_time(due / 1000)};w01018-Rtd={minute}.{station},w01018-Flag=N;备注-Info=//门;开//"
    facts: dict[str, object] = {"area": area.encode(), "sent": (due + 10,)}
    return Told(mn(station), format_qn(due), due=due, **(facts | values))  # type: ignore[arg-type]


@dataclass
class Played:
    """What was sent, in the order in which it was, and what a platform stored, in the order in which it did."""

    sent: list[Told] = field(default_factory=list)
    stored: list[Stored] = field(default_factory=list)

    @classmethod
    def well(cls, messages: Iterable[Told]) -> Played:
        """A run in which a platform stored everything that was acknowledged."""
        sent = list(messages)
        return cls(sent, [Stored(one, one.sent[-1] + 5) for one in sent if one.acknowledged and not one.damaged])

    # On disk

    def ledger(self, path: Path, *, shard: tuple[int, int] = (0, 1), part: Sequence[Told] | None = None) -> Path:
        """Write a ledger as an engine does: lines of different messages mixed, each in the order of time."""
        writer = LedgerWriter(path, LedgerHeader(scenario="9f", seed=1, start_ms=START, shard=shard, wall_ms=START))
        later: list[tuple[int, int, Told]] = []
        for one in self.sent if part is None else part:
            faults = ("modbus-crc",) if one.damaged and len(one.sent) % 2 else ()
            pno, pnum = one.packet
            number = writer.composed(one.mn, one.qn, one.cn, one.st, pno, pnum, one.due, "periodic", one.area, faults)
            later.append((number, one.due, one))
            if len(later) > 7:
                self._follow(writer, later)
        while later:
            self._follow(writer, later)
        writer.close(START + 86_400_000)
        return path

    @staticmethod
    def _follow(writer: LedgerWriter, later: list[tuple[int, int, Told]]) -> None:
        number, _due, one = later.pop(0)
        for at in one.sent:
            writer.sent(number, at, ("modbus-crc",) if one.damaged else ())
        if one.acknowledged:
            writer.acknowledged(number, one.sent[-1] + 8)
        if one.dropped:
            writer.dropped(number, one.due + 9, "queue full")

    def store(self, path: Path) -> Path:
        """Let our own listener's store keep the rows."""
        store = MessageStore(path)
        store.add([Arrival(row.at, "127.0.0.1:9", Message.from_bytes(row.told.segment)) for row in self.stored])
        store.close()
        return path

    def rows(self, *, content: str = "area", qn: str = "{}") -> list[list[str]]:
        """Return the rows as text: times to the millisecond, the content as ``area``, ``segment`` or ``frame``."""
        rows = []
        for row in self.stored:
            one = row.told
            text = {"area": one.area, "segment": one.segment, "frame": b"##0123" + one.segment + b"1C80\r\n"}[content]
            time = format_time(row.at / 1000)
            shown = f"{time[:4]}-{time[4:6]}-{time[6:8]} {time[8:10]}:{time[10:12]}:{time[12:]}.{row.at % 1000:03d}"
            rows.append([shown, one.mn, qn.format(one.qn), one.cn, text.decode(), str(one.packet[0] or "")])
        return rows

    def csv(self, path: Path, *, encoding: str = "utf-8", delimiter: str = ",", **form: str) -> Path:
        with path.open("w", encoding=encoding, newline="") as file:
            csv.writer(file, delimiter=delimiter).writerows([COLUMNS, *self.rows(**form)])
        return path

    def jsonl(self, path: Path, *, encoding: str = "utf-8", **form: str) -> Path:
        lines = [json.dumps(dict(zip(COLUMNS, row, strict=True)), ensure_ascii=False) for row in self.rows(**form)]
        path.write_text("\n".join(lines) + "\n", encoding)
        return path


def audited(ledgers: Sequence[Path], received: Path, mapping: str | None = MAP, late_s: float = 300.0) -> Audited:
    """Run an audit."""
    with Audit(late_s=late_s) as audit:
        for path in ledgers:
            audit.add_ledger(path)
        audit.add_received(open_received(received, parse_mapping(mapping) if mapping else None, ZONE))
        audit.run()
        return Audited(audit, list(audit.findings()))


@dataclass
class Audited:
    """An audit that has ended, and what it found."""

    audit: Audit
    findings: list[Finding]

    def names(self) -> list[tuple[str, str, str, str, int]]:
        """Return each finding as kind, MN, QN or DataTime, CN and PNO, sorted."""
        found = []
        for finding in self.findings:
            one = finding.expected or finding.received
            assert one is not None
            found.append((finding.kind.value, one.mn, one.qn or one.data_time, one.cn, one.pno or 0))
        return sorted(found)


def changed(one: Told, value: bytes = b"w01018-Rtd=999") -> Told:
    """Return a message with another value of its first factor."""
    head, _, rest = one.area.partition(b"w01018-Rtd=")
    return replace(one, area=head + value + rest[rest.index(b",") :])
