"""Cameras in fleets: one digest whoever plays which part, one world with the doors, and every way to the platform."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gb28181.aio import PlatformServer
from gb28181.manscdp.notifies import AlarmNotice
from gb28181.manscdp.queries import CatalogQuery
from gb28181.platform import (
    CatalogChanged,
    Credential,
    DeviceMoved,
    DeviceOffline,
    DeviceRegistered,
    KeepaliveReceived,
    NoticeReceived,
)
from simulator.clock import EPOCH
from simulator.engine import Options, fleet, run_fleet, run_fleet_virtual
from simulator.engine.sip_line import SipSocket, descriptors
from simulator.engine.sip_sink import SipSink
from simulator.ledger import LedgerFile
from simulator.personalities.camera import SEEN_MAX_S, SEEN_MIN_S
from simulator.scenario import Scenario, parse
from stationgate.exits import EnvironmentFault

pytestmark = pytest.mark.usefixtures("nothing_left_open")

HOST = "127.0.0.1"
PATIENCE_S = 20.0
CITY = """
duration_s = {duration}
[sip]
transport = "{transport}"
[[site]]
name = "plant"
count = 4
openings_per_hour = 6
[[station]]
kind = "door"
site = "plant"
[[station]]
kind = "bullet"
site = "plant"
start_spread_s = 30
[[station]]
kind = "dome"
site = "plant"
id = "64010000001320001001"
edition = "2022"
[[station]]
kind = "nvr"
site = "plant"
keepalive_s = 30
"""


def city(duration: float = 3600.0, transport: str = "udp", more: str = "") -> Scenario:
    return parse(CITY.format(duration=duration, transport=transport) + more)


def cameras(count: int, more: str = "", *, sip: str = "", duration: float = 600.0, keepalive: float = 60.0) -> Scenario:
    return parse(
        f"duration_s = {duration}\n[sip]\n{sip}\n"
        f'[[station]]\nkind = "bullet"\ncount = {count}\nkeepalive_s = {keepalive}\n{more}'
    )


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, Any]]:
    """What the platform in memory reports, each with its run time."""
    reports: list[tuple[float, Any]] = []

    def note(report: Any) -> None:
        reports.append((round(asyncio.get_running_loop().time(), 3), report))

    monkeypatch.setattr(fleet, "SipSink", partial(SipSink, told=note))
    return reports


def of(reports: list[tuple[float, Any]], kind: type) -> list[tuple[float, Any]]:
    return [(at, event) for at, event in reports if isinstance(event, kind)]


class TestVirtual:
    @pytest.mark.parametrize("transport", ["udp", "tcp"])
    def test_all_register_keep_alive_and_are_asked(self, heard: list[tuple[float, Any]], transport: str) -> None:
        result = run_fleet_virtual(city(600.0, transport))
        counts = result.counts
        assert (counts.stations, counts.connected, counts.registered, counts.failures) == (16, 16, 12, 0)
        assert counts.messages == counts.acknowledged > 12 * 10
        assert not result.degraded
        assert {event.device_id for _at, event in of(heard, DeviceRegistered)} == {
            event.device_id for _at, event in of(heard, CatalogChanged)
        }
        channels = Counter(len(event.codes) for _at, event in of(heard, CatalogChanged))
        assert channels == {1: 8, 4: 4}

    @pytest.mark.parametrize("transport", ["udp", "tcp"])
    def test_digests_of_shards_xor_to_that_of_the_whole(self, transport: str) -> None:
        plan = city(1800.0, transport)
        whole = run_fleet_virtual(plan)
        for shards in (3, 8):
            total = 0
            parts = [run_fleet_virtual(plan, shard=(index, shards)) for index in range(shards)]
            for part in parts:
                total ^= int(part.digest, 16)
            assert f"{total:064x}" == whole.digest
            assert sum(part.counts.acknowledged for part in parts) == whole.counts.acknowledged

    def test_digest_does_not_depend_on_transport_or_sockets(self) -> None:
        plan = city(1800.0)
        alone = replace(plan, sip=replace(plan.sip, devices_per_socket=1))
        digests = {run_fleet_virtual(each).digest for each in (plan, alone, city(1800.0, "tcp"))}
        assert len(digests) == 1

    @pytest.mark.parametrize(
        "more",
        [
            "[[fault]]\nname = 'no_keepalive_info'\nselect = 'nvr'",
            "[[event]]\nwhat = 'restart'\nselect = 'dome'\nat = 60",
        ],
    )
    def test_digest_is_of_what_is_told(self, more: str) -> None:
        same = run_fleet_virtual(city(1800.0, more=more)).digest == run_fleet_virtual(city(1800.0)).digest
        assert same is ("fault" in more)  # nothing is faulty, so Info is never there; a restart counts keepalives anew

    def test_door_and_cameras_see_the_same_people(self, heard: list[tuple[float, Any]], tmp_path: Path) -> None:
        """One run, two protocols, shards or none: each alarm belongs to a door record of its site."""
        plan = city(3600.0)
        ledger = tmp_path / "city.ledger"
        run_fleet_virtual(plan, Options(ledger=ledger))
        site_of = {member.identity: member.site_name for member in plan.members()}
        opened: dict[str, list[float]] = {}
        for line in LedgerFile(ledger):
            if isinstance(line, list) and line[0] == "c" and line[9] == "change" and "i32001-Info=1" in line[10]:
                opened.setdefault(site_of[line[2]], []).append(round(line[8] / 1000 - EPOCH, 3))
        alarms: dict[str, list[float]] = {}
        for at, event in of(heard, NoticeReceived):
            assert isinstance(event.body, AlarmNotice)
            alarms.setdefault(event.device_id, []).append(at)
        assert len(alarms) == 12
        for device, seen in alarms.items():
            doors = opened[site_of[device]]
            assert len(seen) >= 5
            assert len(doors) - len(seen) in (-1, 0, 1)  # the camera may be switched on late, or the run be over
            for at in seen:
                assert sum(SEEN_MIN_S <= round(at - door, 3) <= SEEN_MAX_S for door in doors) == 1

    def test_alarms_are_the_same_when_another_process_takes_over(self, heard: list[tuple[float, Any]]) -> None:
        plan = city(3600.0)
        run_fleet_virtual(plan)
        whole = {event.body for _at, event in of(heard, NoticeReceived)}
        late = {each for each in whole if each.sn - 1_000_000 >= 18_000}
        heard.clear()
        run_fleet_virtual(plan, Options(resume_at=1800.0))
        assert late <= {event.body for _at, event in of(heard, NoticeReceived)} <= whole


class TestHappenings:
    EVENT = '[[event]]\nwhat = "{what}"\nat = 100\n{keys}'

    def run(self, heard: list[tuple[float, Any]], what: str, keys: str, sip: str) -> dict[str, list[float]]:
        result = run_fleet_virtual(cameras(3, self.EVENT.format(what=what, keys=keys), sip=sip, duration=900.0))
        assert (result.counts.connected, result.counts.failures) == (3, 0)
        times: dict[str, list[float]] = {}
        for at, event in heard:
            times.setdefault(type(event).__name__, []).append(at)
        return times

    @pytest.mark.parametrize("transport", ["udp", "tcp"])
    def test_power_cut(self, heard: list[tuple[float, Any]], transport: str) -> None:
        times = self.run(heard, "power-cut", "for_s = 400\nspread_s = 50", f'transport = "{transport}"')
        assert [at for at in times["KeepaliveReceived"] if 100.0 < at < 520.0] == []
        again = times["DeviceRegistered"][3:]
        assert len(again) == 3
        assert all(520.0 <= at <= 570.0 for at in again)
        assert len(set(again)) == 3
        # By silence, or by the connection that ended; those of the run's end are not meant.
        assert len([at for at in times["DeviceOffline"] if at < 900.0]) == 3

    @pytest.mark.parametrize("transport", ["udp", "tcp"])
    def test_outage_of_the_carrier(self, heard: list[tuple[float, Any]], transport: str) -> None:
        times = self.run(heard, "carrier-outage", "for_s = 100", f'transport = "{transport}"')
        assert [at for at in times["KeepaliveReceived"] if 100.0 < at < 200.0] == []
        assert [at for at in times["DeviceRegistered"] if at >= 100.0] == [200.0] * 3

    @pytest.mark.parametrize("transport", ["udp", "tcp"])
    def test_restart_and_storm(self, heard: list[tuple[float, Any]], transport: str) -> None:
        sip = f'transport = "{transport}"'
        assert self.run(heard, "restart", "", sip)["DeviceRegistered"] == [0.0] * 3 + [120.0] * 3
        heard.clear()
        storm = self.run(heard, "reconnect-storm", "", sip)["DeviceRegistered"]
        assert len(storm) == 6
        assert all(100.0 <= at <= 106.0 for at in storm[3:])  # a connection may first have to be found broken


class TestSockets:
    def counted(self, monkeypatch: pytest.MonkeyPatch, plan: Scenario) -> list[SipSocket]:
        made: list[SipSocket] = []
        init = SipSocket.__init__

        def noted(self: SipSocket, *args: Any) -> None:
            init(self, *args)
            made.append(self)

        monkeypatch.setattr(SipSocket, "__init__", noted)
        result = run_fleet_virtual(plan)
        assert result.counts.registered == plan.count
        assert sum(each.lost for each in made) == 0
        return made

    @pytest.mark.parametrize(
        ("sip", "sockets"),
        [
            ("", 3),
            ("devices_per_socket = 1", 250),
            ("devices_per_socket = 1000", 1),
            ('sources = "127.0.1.1-127.0.1.5"', 5),
            ('sources = "127.0.1.1-127.0.1.5"\ndevices_per_socket = 20', 15),
        ],
    )
    def test_are_shared_as_the_scenario_says(self, monkeypatch: pytest.MonkeyPatch, sip: str, sockets: int) -> None:
        plan = cameras(250, sip=sip, duration=1.0)
        assert len(self.counted(monkeypatch, plan)) == sockets
        assert descriptors(plan, (0, 1))[1] >= sockets

    def test_are_used_again_after_a_power_cut(self, monkeypatch: pytest.MonkeyPatch) -> None:
        plan = cameras(250, "[[event]]\nwhat = 'power-cut'\nat = 10\nfor_s = 5", duration=60.0)
        assert len(self.counted(monkeypatch, plan)) == 3

    def test_camera_whose_port_drifts_has_its_own(
        self, monkeypatch: pytest.MonkeyPatch, heard: list[tuple[float, Any]]
    ) -> None:
        plan = cameras(3, 'faults = ["nat_port_drift=2"]', duration=400.0)
        assert len(self.counted(monkeypatch, plan)) == 3
        assert len(of(heard, DeviceMoved)) >= 3
        assert of(heard, DeviceOffline) == []

    def test_descriptors_of_a_shard(self) -> None:
        plan = city()
        assert descriptors(plan, (0, 1)) == (4, 1)
        parts = [descriptors(plan, (index, 3)) for index in range(3)]
        assert sum(links for links, _cameras in parts) == 4
        assert descriptors(city(transport="tcp"), (0, 1)) == (4, 12)
        assert descriptors(cameras(250), (0, 1)) == (0, 3)

    def test_noise_is_lost_and_hurts_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        made: list[SipSocket] = []
        init = SipSocket.__init__

        def noted(self: SipSocket, *args: Any) -> None:
            init(self, *args)
            made.append(self)

            def noise() -> None:
                for data in (b"", b"\r\n\r\n", b"\x00", b"hello", b"SIP/2.0 200 OK\r\n\r\n", bytes(range(256))):
                    self.datagram_received(data, (HOST, 9))

            asyncio.get_running_loop().call_later(30.0, noise)

        monkeypatch.setattr(SipSocket, "__init__", noted)
        result = run_fleet_virtual(cameras(2, duration=130.0))
        assert (result.counts.registered, result.counts.acknowledged) == (2, 6)
        assert [each.lost for each in made] == [3]


class Ground:
    """A platform on the real clock, in a thread of its own; it asks each camera for its catalogue."""

    def __init__(self) -> None:
        self.seen: list[Any] = []
        self.catalogues: dict[str, Any] = {}
        self.port = 0

    async def _serve(self, ready: threading.Event, done: asyncio.Event) -> None:
        tasks: set[asyncio.Task[None]] = set()

        def told(report: Any) -> None:
            self.seen.append(report)
            if isinstance(report, DeviceRegistered) and not report.refresh:
                tasks.add(asyncio.get_running_loop().create_task(self._ask(report.device_id)))

        self.server = PlatformServer("34020000002000000001", lambda code: Credential("12345678"), told)
        await self.server.start(HOST, 0)
        self.port = self.server.port
        ready.set()
        await done.wait()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.server.stop()

    async def _ask(self, device_id: str) -> None:
        question = await self.server.ask(device_id, CatalogQuery(device_id=device_id))
        self.catalogues[device_id] = question.collected

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.seen if isinstance(event, kind)]


@contextmanager
def platform() -> Iterator[Ground]:
    ground, ready, done = Ground(), threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    def serve() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(ground._serve(ready, done))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        assert ready.wait(PATIENCE_S)
        yield ground
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(PATIENCE_S)


def at(ground: Ground, plan: Scenario, **changes: Any) -> Scenario:
    return replace(plan, sip=replace(plan.sip, port=ground.port, **changes))


@pytest.mark.loopback
class TestReal:
    @pytest.mark.parametrize("transport", ["udp", "tcp"])
    def test_fleet_and_platform_agree(self, transport: str) -> None:
        plan = cameras(30, duration=1.5, keepalive=1.0)
        with platform() as ground:
            result = run_fleet(at(ground, plan, transport=transport))
        assert (result.counts.registered, result.counts.connected) == (30, 30)
        assert result.counts.messages == result.counts.acknowledged == len(ground.of(KeepaliveReceived)) == 60
        assert len(ground.catalogues) == 30
        assert all(found.complete and len(found.items) == 1 for found in ground.catalogues.values())
        flows = {event.flow.peer for event in ground.of(DeviceRegistered)}
        assert len(flows) == (1 if transport == "udp" else 30)
        # Real and virtual clock tell the same over the same span.
        assert result.digest == run_fleet_virtual(replace(plan, sip=replace(plan.sip, transport=transport))).digest

    def test_addresses_of_their_own(self) -> None:
        with platform() as ground:
            plan = at(ground, cameras(4, duration=0.5), sources=("127.0.1.1", "127.0.1.2"), devices_per_socket=1)
            assert run_fleet(plan).counts.registered == 4
        peers = {event.flow.peer for event in ground.of(DeviceRegistered)}
        assert Counter(peer[0] for peer in peers) == {"127.0.1.1": 2, "127.0.1.2": 2}

    def test_faults_show(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fleet, "GRACE_S", 0.2)  # a camera whose port drifts is not answered any more
        with platform() as ground:
            plan = at(ground, cameras(2, 'faults = ["sumnum_wrong"]', duration=0.8))
            assert run_fleet(plan).counts.registered == 2
            port_drift = at(ground, cameras(1, 'faults = ["nat_port_drift=1"]', duration=0.9, keepalive=1.0))
            run_fleet(replace(port_drift, duration_s=2.2))
        assert len(ground.of(DeviceMoved)) >= 1

    def test_messages_in_pieces(self) -> None:
        with platform() as ground:
            plan = at(ground, cameras(3, 'faults = ["tcp_partial_write"]', duration=1.0), transport="tcp")
            result = run_fleet(plan)
        assert (result.counts.registered, result.counts.acknowledged) == (3, 3)
        assert len(ground.catalogues) == 3

    def test_wrong_password_is_told_apart_from_nobody(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(fleet, "HEARTBEAT_S", 0.05)
        with platform() as ground:
            plan = at(ground, cameras(2, 'password = "not-this-one"', duration=1.0))
            with pytest.raises(EnvironmentFault) as refused:
                run_fleet(plan)
        assert refused.value.message == (
            f"no camera could register at {HOST}:{ground.port}: the platform answers {refused.value.message[-3:]}"
        )
        assert refused.value.message[-3:] in ("401", "403")
        assert "not-this-one" not in refused.value.message + refused.value.hint

    @pytest.mark.parametrize("transport", ["udp", "tcp"])
    def test_nobody_there(self, monkeypatch: pytest.MonkeyPatch, transport: str) -> None:
        monkeypatch.setattr(fleet, "HEARTBEAT_S", 0.05)
        with platform() as ground:
            port = ground.port
        plan = cameras(2, duration=0.3)
        with pytest.raises(EnvironmentFault) as missing:
            run_fleet(replace(plan, sip=replace(plan.sip, port=port, transport=transport)))
        assert missing.value.message == f"no camera could register at {HOST}:{port}"
        assert missing.value.hint == f"start the platform first, for example: gb28181 listen --port {port}"
