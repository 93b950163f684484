"""One camera or recorder and a platform, on a clock turned by hand: what it registers as, answers, sees and tells."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from gb28181 import ptz
from gb28181.manscdp import controls, queries, responses
from gb28181.manscdp.notifies import AlarmNotice
from gb28181.platform import (
    CallState,
    Credential,
    DeviceRegistered,
    KeepaliveReceived,
    NoticeReceived,
    Platform,
    QuestionDone,
)
from gb28181.sdp import Session
from gb28181.sip.endpoint import Endpoint
from gb28181.sip.message import Request, parse_message, respond
from gb28181.sip.transactions import Flow
from gb28181.times import format_datetime
from simulator.clock import EPOCH
from simulator.engine.books import Books
from simulator.personalities.building import Building
from simulator.personalities.camera import SEEN_MAX_S, SEEN_MIN_S, Camera
from simulator.personalities.equipment import roles
from simulator.scenario import Scenario, parse
from simulator.world import Method

PLATFORM_AT, CAMERA_AT = ("192.0.2.10", 5060), ("192.0.2.50", 5060)
THERE, BACK = Flow("UDP", PLATFORM_AT, CAMERA_AT), Flow("UDP", CAMERA_AT, PLATFORM_AT)


def scene(kind: str = "dome", *, site: str = "", seed: int = 1, **keys: Any) -> Scenario:
    """Return a scenario of one camera; ``site`` has the keys of a [[site]], where it stands at one."""
    lines = [f"seed = {seed}", "duration_s = 86400"]
    if site:
        lines += ["[[site]]", 'name = "plant"', site]
    lines += ["[[station]]", f'kind = "{kind}"', 'password = "S3cr3t"', *(['site = "plant"'] if site else [])]
    lines += [f"{key} = {value!r}" for key, value in keys.items()]
    return parse("\n".join(lines))


class Yard:
    """A camera and its platform."""

    def __init__(self, scenario: Scenario, *, at: float = 0.0, refuse: int = 0) -> None:
        self.now = at
        self.books = Books(EPOCH)
        self.building = Building(scenario, EPOCH, self.books)
        (self.member,) = scenario.members()
        self.camera: Camera = self.building.build(self.member, at, None)
        chance = random.Random(7)
        self.endpoint = Endpoint(chance)
        self.platform = Platform(
            self.endpoint,
            scenario.sip.id,
            {self.camera.identity: Credential("S3cr3t")}.get,
            nonce=lambda: f"{chance.getrandbits(64):x}",
            wall_ms=lambda: round((EPOCH + self.now) * 1000),
        )
        self.sent: list[tuple[float, bytes]] = []  #: what the camera wrote, and when
        self.heard: list[tuple[float, Any]] = []  #: what the platform reports, and when

    def connect(self) -> Yard:
        self.camera.flow = THERE
        self.camera.connected(self.now)
        self._exchange()
        return self

    def _exchange(self) -> None:
        moved = True
        while moved:
            moved = False
            for _flow, data in self.camera.datagrams_to_send():
                moved = True
                self.sent.append((self.now, data))
                self.endpoint.receive_datagram(data, BACK, self.now)
            self.platform.step(self.now)
            self.heard += [(self.now, event) for event in self.platform.events()]
            for _flow, data in self.endpoint.data_to_send():
                moved = True
                self.camera.receive_message(parse_message(data), data, THERE, self.now)

    def run(self, until: float) -> Yard:
        """Let time pass."""
        while True:
            dues = [due for due in (self.camera.next_timeout(), self.endpoint.next_timeout()) if due is not None]
            due = min(dues, default=until)
            if due > until:
                break
            self.now = max(self.now, due)
            self.camera.handle_timeout(self.now)
            self.endpoint.handle_timeout(self.now)
            self._exchange()
        self.now = until
        return self

    def ask(self, body: Any) -> Any:
        """Ask the camera; return the question when it is over."""
        question = self.platform.ask(self.camera.identity, body, self.now)
        self._exchange()
        if question.why is None and not any(
            isinstance(event, QuestionDone) and event.question is question for _at, event in self.heard
        ):
            self.run(self.now + 40.0)
        return question

    def catalogue(self) -> list[Any]:
        question = self.ask(queries.CatalogQuery(device_id=self.camera.identity))
        assert question.collected is not None
        return list(question.collected.items)

    def of(self, kind: type) -> list[tuple[float, Any]]:
        return [(at, event) for at, event in self.heard if isinstance(event, kind)]

    def alarms(self) -> list[tuple[float, AlarmNotice]]:
        return [(at, e.body) for at, e in self.of(NoticeReceived) if isinstance(e.body, AlarmNotice)]

    def requests(self, method: str) -> Iterator[Request]:
        for _at, data in self.sent:
            message = parse_message(data)
            if isinstance(message, Request) and message.method == method:
                yield message


class TestRegistration:
    @pytest.mark.parametrize(("edition", "version"), [("2016", None), ("2022", "3.0")])
    def test_registers_and_keeps_alive(self, edition: str, version: str | None) -> None:
        yard = Yard(scene(edition=edition, keepalive_s=30.0, expires_s=600.0)).connect().run(300.0)
        ((at, registered),) = yard.of(DeviceRegistered)[:1]
        assert (at, registered.expires_s, registered.version) == (0.0, 600, version)
        assert [at for at, _event in yard.of(KeepaliveReceived)] == [30.0 * beat for beat in range(11)]
        assert yard.books.messages == yard.books.acknowledged == 11
        assert yard.camera.registered

    def test_refreshes_in_time(self) -> None:
        yard = Yard(scene(expires_s=600.0)).connect().run(700.0)
        assert [(at, event.refresh) for at, event in yard.of(DeviceRegistered)] == [(0.0, False), (540.0, True)]
        assert yard.camera.outcomes() == (1, 0)
        assert yard.camera.outcomes() == (0, 0)

    def test_wrong_password_is_an_outcome(self) -> None:
        plan = scene()
        group = replace(plan.station[0], password="other")
        yard = Yard(replace(plan, station=(group,))).connect()
        assert not yard.camera.registered
        assert yard.camera.outcomes() == (0, 1)
        assert "other" not in repr(yard.camera)

    def test_what_it_writes_is_a_function_of_seed_and_identity(self) -> None:
        first, again = (Yard(scene()).connect().run(200.0) for _ in range(2))
        assert first.sent == again.sent
        other = Yard(scene(seed=2)).connect().run(200.0)
        assert first.camera.told() == other.camera.told() != []
        assert next(first.requests("REGISTER")).call_id != next(other.requests("REGISTER")).call_id

    def test_power_cycle_is_a_new_registration_of_the_same_camera(self) -> None:
        yard = Yard(scene()).connect()
        yard.ask(
            controls.PtzControl(device_id=yard.camera.watching, command=ptz.encode(ptz.Preset(ptz.PresetAct.SET, 9)))
        )
        yard.now = 100.0
        yard.camera.disconnected(100.0)
        yard.camera.reboot(120.0)
        yard.now = 120.0
        yard.connect()
        assert [event.refresh for _at, event in yard.of(DeviceRegistered)] == [False, False]
        assert len({request.call_id for request in yard.requests("REGISTER")}) == 2
        mount = yard.camera.device.equipment.mount(yard.camera.identity)
        assert mount is not None
        assert 9 in mount.presets

    @pytest.mark.parametrize("host", ["192.0.2.10", "192.0.2.66"])
    def test_is_sent_elsewhere_only_at_the_address_that_was_named(self, host: str) -> None:
        yard = Yard(scene(edition="2022"))
        yard.camera.flow = THERE
        yard.camera.connected(0.0)
        ((_flow, data),) = yard.camera.datagrams_to_send()
        register = parse_message(data)
        assert isinstance(register, Request)
        answer = respond(register, 302, headers=[("Contact", f"<sip:34020000002000000009@{host}:5066>")])
        yard.camera.receive_message(answer, bytes(answer), THERE, 0.1)
        ways = {flow.peer for flow, _data in yard.camera.datagrams_to_send()}
        assert ways == ({("192.0.2.10", 5066)} if host == PLATFORM_AT[0] else set())
        yard.now = 0.1
        yard.run(200.0)
        assert all(flow.peer[0] == PLATFORM_AT[0] for flow, _data in yard.camera.datagrams_to_send())

    def test_answers_a_call_as_a_device_without_media(self) -> None:
        yard = Yard(scene()).connect()
        device = yard.platform.device(yard.camera.identity)
        call = yard.platform.calls.invite(device, yard.camera.watching, Session.PLAY, ("192.0.2.10", 30000), yard.now)
        yard._exchange()
        assert call.state is CallState.OPEN
        assert any(data.startswith(b"SIP/2.0 200") and b"m=video 9 " in data for _at, data in yard.sent)


class TestEquipment:
    def test_recorder_lists_a_site_by_what_its_channels_look_at(self) -> None:
        yard = Yard(scene("nvr", site="count = 1", channels=9)).connect()
        items = yard.catalogue()
        assert [item.name for item in items] == [
            *(f"plant{role.zh}" for role in roles()),
            "plant采样口2",
            "plant站房全景2",
        ]
        assert len({item.device_id for item in items}) == 9
        assert {item.parent_id for item in items} == {yard.camera.identity}
        assert {item.address for item in items} == {"plant"}
        assert [item.info.ptz_type for item in items[:2]] == [1, 4]
        assert all(item.status == "ON" and item.device_id[10:13] == "131" for item in items)

    def test_codes_of_a_city_are_distinct(self) -> None:
        plan = parse(
            '[[station]]\nkind = "nvr"\ncount = 40\nchannels = 16\n[[station]]\nkind = "dome"\ncount = 700\n'
            '[[station]]\nkind = "bullet"\nid = "64010000001320001001"\ncount = 300'
        )
        building = Building(plan, EPOCH, Books(EPOCH))
        codes = [code for member in plan.members() for code in building.build(member, 0.0, None).codes]
        assert len(codes) == len(set(codes)) == 40 * 17 + 1000 * 2

    def test_dome_turns_and_has_presets_and_a_cruise(self) -> None:
        yard = Yard(scene(edition="2022")).connect()
        code = yard.camera.watching
        (item,) = yard.catalogue()
        assert (item.device_id, item.info.ptz_type) == (code, 1)
        presets = yard.ask(queries.PresetQuery(device_id=code)).answer
        assert [(one.id, one.name) for one in presets.presets] == [
            ("1", "全景"),
            ("2", "采样口"),
            ("3", "站房门"),
            ("4", "仪器屏"),
        ]
        cruise = yard.ask(queries.CruiseQuery(device_id=code, number=1)).answer
        assert [point.preset for point in cruise.points] == [1, 2, 3, 4]
        yard.ask(controls.PtzControl(device_id=code, command=ptz.encode(ptz.Preset(ptz.PresetAct.CALL, 3))))
        place = yard.ask(queries.PtzPositionQuery(device_id=code)).answer
        assert (place.pan, place.zoom) == (180, 6)
        yard.run(yard.now + 400.0)  # nobody turns it any more: it goes home
        assert yard.ask(queries.PtzPositionQuery(device_id=code)).answer.pan == 0

    def test_bullet_stands_still(self) -> None:
        yard = Yard(scene("bullet")).connect()
        (item,) = yard.catalogue()
        assert (item.name, item.info.ptz_type) == ("站房全景", 4)
        assert yard.camera.device.equipment.mount(item.device_id) is None

    def test_cameras_of_one_site_look_at_different_things(self) -> None:
        plan = parse('[[site]]\nname = "plant"\ncount = 2\n[[station]]\nkind = "bullet"\nsite = "plant"\nper_site = 3')
        building = Building(plan, EPOCH, Books(EPOCH))
        names = [building.build(member, 0.0, None).device.equipment.name for member in plan.members()]
        assert names == [f"plant-{n}{what}" for n in (1, 2) for what in ("站房全景", "站房仪器", "治污设施")]


class TestAlarm:
    SITE = "openings_per_hour = 12"

    def test_is_raised_when_somebody_comes(self) -> None:
        yard = Yard(scene("bullet", site=self.SITE)).connect().run(3600.0)
        site = yard.building.site_of(yard.member)
        openings = [opening for opening, _shut in site.openings(EPOCH, EPOCH + 3600.0 - SEEN_MAX_S)]
        alarms = yard.alarms()
        assert len(alarms) in (len(openings), len(openings) + 1)
        assert len(openings) >= 11
        for opening, (at, alarm) in zip(openings, alarms, strict=False):
            delay = EPOCH + at - opening.at
            assert SEEN_MIN_S <= round(delay, 3) <= SEEN_MAX_S
            assert alarm.time == format_datetime(EPOCH + at)
            assert (alarm.method, alarm.device_id) == ("5", yard.camera.watching)
            assert alarm.info is not None
            assert alarm.info.type == 6
            assert alarm.info.param is not None
            assert alarm.info.param.event_type == (2 if opening.method is Method.EXIT_BUTTON else 1)
            assert not opening.person or opening.person not in (alarm.description or "")

    def test_of_a_recorder_comes_from_the_channel_in_the_room(self) -> None:
        yard = Yard(scene("nvr", site=self.SITE)).connect().run(1200.0)
        names = {item.device_id: item.name for item in yard.catalogue()}
        assert {names[alarm.device_id] for _at, alarm in yard.alarms()} == {"plant站房全景"}

    def test_none_where_there_is_no_site(self) -> None:
        assert Yard(scene("bullet")).connect().run(7200.0).alarms() == []

    def test_none_while_disarmed(self) -> None:
        yard = Yard(scene("bullet", site=self.SITE)).connect().run(1200.0)
        before = len(yard.alarms())
        assert before
        identity = yard.camera.identity
        assert yard.ask(controls.GuardControl(device_id=identity, command="ResetGuard")).answer.result == "OK"
        yard.run(3600.0)
        assert len(yard.alarms()) == before
        yard.ask(controls.GuardControl(device_id=identity, command="SetGuard"))
        assert len(yard.run(5000.0).alarms()) > before

    def test_none_of_what_happened_before_it_was_there(self) -> None:
        late = Yard(scene("bullet", site=self.SITE), at=1800.0).connect().run(3600.0)
        whole = Yard(scene("bullet", site=self.SITE)).connect().run(3600.0)
        assert late.alarms() == [(at, alarm) for at, alarm in whole.alarms() if at >= 1800.0] != []

    def test_clock_that_jumped_is_put_right_by_the_next_registration(self) -> None:
        yard = Yard(scene("bullet", site=self.SITE, expires_s=1000.0)).connect()
        yard.camera.step_clock(-3600.0)
        yard.run(3600.0)
        wrong = [(at, alarm) for at, alarm in yard.alarms() if alarm.time != format_datetime(EPOCH + at)]
        assert wrong == [(at, alarm) for at, alarm in yard.alarms() if at < 900.0] != []
        assert all(alarm.time == format_datetime(EPOCH + at - 3600.0) for at, alarm in wrong)


class TestFaults:
    def test_wrong_sum(self) -> None:
        yard = Yard(scene("nvr", channels=3, faults=["sumnum_wrong", "items_per_message=2"])).connect()
        question = yard.ask(queries.CatalogQuery(device_id=yard.camera.identity))
        assert len(question.collected.items) == 3
        assert not question.collected.complete
        bodies = [request.body for request in yard.requests("MESSAGE") if b"<Response>" in request.body]
        assert [body.count(b"<SumNum>4</SumNum>") for body in bodies] == [1, 1]

    def test_comes_and_goes(self) -> None:
        plan = parse(
            'duration_s = 900\n[[station]]\nkind = "dome"\npassword = "S3cr3t"\n'
            '[[fault]]\nname = "answer_200_no_response"\nfrom = 100\nfor_s = 200\nselect = "dome"'
        )
        yard = Yard(plan).connect()
        info = queries.InfoQuery(device_id=yard.camera.identity)
        assert isinstance(yard.ask(info).answer, responses.InfoAnswer)
        yard.run(150.0)
        assert yard.ask(info).answer is None
        yard.run(400.0)
        assert yard.ask(info).answer is not None
