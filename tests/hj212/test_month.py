"""A month of traffic in virtual time with a cut of the link a day: nothing is lost, nothing is too much."""

from __future__ import annotations

from collections import Counter

import pytest

from hj212 import HJ_212_2017, HJ_212_2025, HJ_T_212_2005, Rules
from hj212.host import Credential, Host, UploadReceived
from hj212.station import Identity, MemoryOutbox, Policy, RecordDropped, Settings, Station
from hj212.times import format_time

from .back_to_back import MN, PW, T0

EDITIONS = pytest.mark.parametrize("rules", [HJ_T_212_2005, HJ_212_2017, HJ_212_2025], ids=lambda r: r.edition.value)

DAY = 86400


def made_at(second: int, realtime_s: int) -> list[str]:
    """The uploads that a station makes at a second of the month."""
    periods = {"2011": realtime_s, "2051": 600, "2061": 3600, "2031": DAY, "2041": DAY}
    return [cn for cn, period in periods.items() if second % period == 0]


class Month:
    """Station and platform, a link that is cut every day for an hour, and a clock."""

    def __init__(self, rules: Rules) -> None:
        self.rules, self.now = rules, 0.0
        self.station = Station(
            Identity("32"),
            rules,
            Settings(mn=MN, pw=PW),
            wall=self.wall,
            outbox=MemoryOutbox(),
            policy=Policy(back_fill_per_s=1.0, heartbeat_s=3600.0),
        )
        self.host = self.dial()
        self.made: list[tuple[str, str]] = []
        self.kept: Counter[tuple[str, str]] = Counter()
        self.dropped = 0

    def wall(self) -> float:
        return T0 + self.now

    def dial(self) -> Host:
        host = Host(self.rules, credentials=lambda mn: Credential(PW, "32"), wall=self.wall)
        self.station.connected(self.now)
        return host

    def move(self) -> None:
        """Carry bytes until nobody has any left."""
        while up := self.station.data_to_send():
            self.host.receive_data(up, self.now)
            self.station.receive_data(self.host.data_to_send(), self.now)
        for event in self.host.events():
            if isinstance(event, UploadReceived):
                self.kept[event.message.cn, event.message.parameter("DataTime") or ""] += 1
        self.dropped += sum(isinstance(event, RecordDropped) for event in self.station.events())

    def until(self, when: float) -> None:
        """Let every timer of the station have its turn."""
        while (due := self.station.next_timeout()) is not None and due <= when:
            self.now = max(self.now, due)
            self.station.handle_timeout(self.now)
            self.move()
        self.now = when

    def report(self, cn: str) -> None:
        time = format_time(self.wall())
        self.made.append((cn, time))
        self.station.report(cn, [[("DataTime", time)], [("w01018-Rtd", "2.20"), ("w01018-Flag", "N")]], self.now)

    def run(self, days: int, realtime_s: int) -> None:
        for second in range(0, days * DAY, realtime_s):
            self.until(second)
            if second % DAY == DAY // 2:
                self.station.receive_eof(self.now)
            elif second % DAY == DAY // 2 + 3600:
                self.host = self.dial()
            for cn in made_at(second, realtime_s):
                self.report(cn)
            if self.station.linked:
                self.move()
        self.until(days * DAY + 3600)


def check(month: Month) -> None:
    assert month.dropped == 0
    assert len(month.station.outbox) == 0
    assert month.station.outstanding == 0
    assert month.kept == Counter(month.made)


@EDITIONS
def test_month(rules: Rules) -> None:
    """2011 every 10 minutes."""
    month = Month(rules)
    month.run(days=30, realtime_s=600)
    assert len(month.made) == 30 * (144 + 144 + 24 + 2)
    check(month)


@pytest.mark.soak
@EDITIONS
def test_month_at_the_shortest_interval(rules: Rules) -> None:
    """2011 every 30 seconds, the shortest legal interval."""
    month = Month(rules)
    month.run(days=30, realtime_s=30)
    assert len(month.made) == 30 * (2880 + 144 + 24 + 2)
    check(month)
