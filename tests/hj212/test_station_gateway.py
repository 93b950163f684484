"""Several stations on one link against one platform."""

from __future__ import annotations

from typing import Any

import pytest

from hj212 import HJ_212_2017, HJ_212_2025, HJ_T_212_2005, Rules, compose
from hj212.events import FrameRejected, NoiseReceived
from hj212.framing import build_frame
from hj212.host import Credential, Host, RequestFinished, UploadReceived
from hj212.station import Gateway, Identity, LinkUnusable, RequestAnswered, Settings, Station

from .back_to_back import MN, PW, T0, live

EDITIONS = pytest.mark.parametrize("rules", [HJ_T_212_2005, HJ_212_2017, HJ_212_2025], ids=lambda r: r.edition.value)

OTHER_MN = "010000A8900016F000169DC1"
LOGGERS = ("LOGGER-A", "LOGGER-B")


class Site:
    """A gateway with two stations, and a platform."""

    def __init__(self, rules: Rules, mns: tuple[str, str] = (MN, OTHER_MN), **host: Any) -> None:
        self.now = 0.0
        self.stations = [
            Station(Identity("32", logger), rules, Settings(mn=mn, pw=PW), wall=self.wall)
            for mn, logger in zip(mns, LOGGERS, strict=True)
        ]
        self.gateway = Gateway(self.stations)
        self.host = Host(rules, credentials=lambda mn: Credential(PW, "32"), wall=self.wall, **host)
        self.heard: list[Any] = []
        self.found: list[Any] = []
        self.gateway.connected(self.now)
        self.run()

    def wall(self) -> float:
        return T0 + self.now

    def run(self, first: bytes = b"") -> None:
        down = first
        for _ in range(100):
            self.gateway.receive_data(down, self.now)
            up = self.gateway.data_to_send()
            self.host.receive_data(up, self.now)
            down = self.host.data_to_send()
            self.heard += self.host.events()
            self.found += self.gateway.events()
            if not up and not down:
                return
        raise AssertionError("they answer each other for ever")

    def wait(self, seconds: float) -> None:
        end = self.now + seconds
        while (due := self.gateway.next_timeout()) is not None and due <= end:
            self.now = max(self.now, due)
            self.gateway.handle_timeout(self.now)
            self.run()
        self.now = end


@EDITIONS
class TestGateway:
    def test_each_has_its_own_data_and_requests(self, rules: Rules) -> None:
        site = Site(rules)
        for station in site.stations:
            station.report("2011", live(), site.now)
        site.run()
        assert [event.message.mn for event in site.heard if isinstance(event, UploadReceived)] == [MN, OTHER_MN]
        assert [len(station.outbox) for station in site.stations] == [0, 0]
        site.host.ask(OTHER_MN, "1062", site.now, {"RtdInterval": "60"})
        site.run()
        assert [station.settings.rtd_interval_s for station in site.stations] == [30, 60]
        assert [event.code for event in site.heard if isinstance(event, RequestFinished)] == [1]

    def test_request_for_neither(self, rules: Rules) -> None:
        site = Site(rules)
        message = compose(rules, qn="20250915100000123", st="32", cn="1061", pw=PW, mn="1" * 24, answer=True)
        site.run(message.encode(rules))
        assert [event.code for _, event in site.found if isinstance(event, RequestAnswered)] == [4]

    def test_noise_and_damage(self, rules: Rules) -> None:
        site = Site(rules)
        frame = build_frame(b"QN=1;ST=32;CN=1061;PW=1;MN=1;Flag=5;CP=&&&&")
        site.run(b"hello\r\n" + frame[:20])
        site.wait(30)
        kinds = {type(event) for _, event in site.found}
        assert kinds == {NoiseReceived, FrameRejected}
        assert site.gateway.next_timeout() is None or site.gateway.next_timeout() > site.now  # type: ignore[operator]

    def test_cut(self, rules: Rules) -> None:
        site = Site(rules)
        site.gateway.receive_eof(site.now)
        for station in site.stations:
            station.report("2011", live(), site.now)
        assert site.gateway.data_to_send() == b""
        site.gateway.connected(site.now)
        site.run()
        assert [len(station.outbox) for station in site.stations] == [0, 0]


def test_loggers_register_side_by_side() -> None:
    mns = dict(zip(LOGGERS, (MN, OTHER_MN), strict=True))
    site = Site(HJ_212_2025, ("", ""), assign_mn=lambda logger: mns[logger.id])
    site.wait(10)
    assert [station.settings.mn for station in site.stations] == [MN, OTHER_MN]
    assert not any(isinstance(event, LinkUnusable) for _, event in site.found)


def test_one_mn_twice_is_refused() -> None:
    station = Station(Identity("32"), HJ_212_2017, Settings(mn=MN, pw=PW), wall=lambda: T0)
    for stations in ([], [station, station]):
        with pytest.raises(ValueError, match="a different MN for each"):
            Gateway(stations)
