"""A device against a platform that asks everything, in virtual time."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gb28181 import GBT_28181_2016, GBT_28181_2022, LocalProtocolError, Rules, mansrtsp, ptz, sdp
from gb28181.device import (
    Account,
    AnswerReceived,
    CallControlled,
    CallEnded,
    CallStarted,
    Card,
    Channel,
    ConfigurationSet,
    ControlDone,
    Device,
    Equipment,
    KeyFrameWanted,
    Mount,
    Quirks,
    Registered,
    RequestRefused,
    RestartOrdered,
    SnapshotOrdered,
    Subscribed,
    Unsubscribed,
    UpgradeOrdered,
    quirk_rows,
)
from gb28181.manscdp import BODIES, Body, controls, notifies, queries, read, responses, write
from gb28181.manscdp.configs import AlarmReport, BasicParam, SnapShot
from gb28181.manscdp.items import CatalogItem, PositionItem, RecordItem
from gb28181.sip import (
    Address,
    Dialog,
    DialogEnded,
    Endpoint,
    Flow,
    RequestFailed,
    RequestReceived,
    ResponseReceived,
    Uri,
)

from .examples import CHANNEL, DEVICE, DOMAIN, PASSWORD, PLATFORM
from .wire import CALM, STORM, Weather, Wire

WALL_MS = 1767294245678
ALARM_INPUT = "34020000001340000001"
VOICE = "34020000001370000001"
NEW_IN_2022 = ("HomePositionQuery", "CruiseTrackListQuery", "CruiseTrackQuery", "PTZPosition", "SDCardStatus")
SESSION = "0123456789abcdef0123456789abcdef"
BOTH = pytest.mark.parametrize("rules", [GBT_28181_2016, GBT_28181_2022], ids=lambda rules: rules.edition.value)


class Platform:
    """Lets everybody in, asks what it is told to, and notes all that comes."""

    def __init__(self, wire: Wire, rules: Rules) -> None:
        self.endpoint = Endpoint(random.Random("platform"))
        self.wire = wire
        self.rules = rules
        self.sn = 0
        self.bodies: list[Body] = []
        self.raw: list[bytes] = []
        self.statuses: list[tuple[str, int]] = []
        self.responses: list[ResponseReceived] = []
        self.notified: list[tuple[Body, Any]] = []
        self.invited: list[RequestReceived] = []
        self.ended: list[DialogEnded] = []
        self.failed: list[RequestFailed] = []
        self.registers = 0
        self.contact = Address(Uri(PLATFORM, "192.0.2.10", 5060))
        wire.join("platform", self.endpoint, self.step)

    def step(self) -> None:
        for event in self.endpoint.events():
            if isinstance(event, RequestReceived):
                self.requested(event)
            elif isinstance(event, ResponseReceived):
                self.responses.append(event)
                if event.response.status >= 200:
                    self.statuses.append((event.transaction.request.method, event.response.status))
            elif isinstance(event, DialogEnded):
                self.ended.append(event)
            elif isinstance(event, RequestFailed):
                self.failed.append(event)

    def requested(self, event: RequestReceived) -> None:
        request, now = event.request, self.wire.now
        if request.method == "INVITE":
            self.invited.append(event)
            return
        headers = []
        if request.method == "REGISTER":
            self.registers += 1
            headers = [("Expires", str(request.expires))]
        self.endpoint.respond(event.transaction, 200, now, headers=headers)
        if request.method in ("MESSAGE", "NOTIFY"):
            reading = read(request.body, rules=self.rules)
            if isinstance(reading.body, notifies.Keepalive):
                return
            assert not reading.body.missing(self.rules)
            self.raw.append(request.body)
            self.bodies.append(reading.body)
            if request.method == "NOTIFY":
                self.notified.append((reading.body, request))

    def send(self, method: str, body: bytes, code: str, kind: str, **headers: str) -> Any:
        flow = self.wire.back
        target = Uri(code, "192.0.2.50", 5060)
        all_headers = [("Content-Type", kind), *((name.replace("_", "-"), value) for name, value in headers.items())]
        if method != "MESSAGE":
            all_headers.append(("Contact", str(self.contact)))
        request = self.endpoint.compose(
            method, target, from_=self.contact, to=Address(target), flow=flow, headers=all_headers, body=body
        )
        return self.endpoint.request(request, flow, self.wire.now)

    def ask(self, body: Body, seconds: float = 3.0) -> list[Body]:
        """Send a body and return what came back meanwhile."""
        before = len(self.bodies)
        code = getattr(body, "device_id", None) or DEVICE
        self.send("MESSAGE", write(body, self.rules), code, "Application/MANSCDP+xml")
        self.wire.run(seconds)
        return self.bodies[before:]

    def subscribe(self, body: Body, expires: int = 600, seconds: float = 3.0, event: str = "presence") -> Dialog | None:
        transaction = self.send(
            "SUBSCRIBE",
            write(body, self.rules),
            DEVICE,
            "Application/MANSCDP+xml",
            Expires=str(expires),
            Event=event,
        )
        self.wire.run(seconds)
        return transaction.dialog

    def invite(self, offered: bytes, code: str = CHANNEL, seconds: float = 3.0, **headers: str) -> Any:
        transaction = self.send("INVITE", offered, code, "APPLICATION/SDP", **headers)
        self.wire.run(seconds)
        return transaction


class Site:
    """Device and platform on a wire."""

    def __init__(
        self,
        rules: Rules = GBT_28181_2022,
        *,
        transport: str = "UDP",
        weather: Weather = CALM,
        seed: int = 0,
        quirks: Quirks | None = None,
        channels: int = 2,
        **options: Any,
    ) -> None:
        self.wire = Wire(transport, weather, seed)
        self.platform = Platform(self.wire, rules)
        self.equipment = equipment(channels)
        self.endpoint = Endpoint(random.Random("device"))
        account = Account(device_id=DEVICE, server_id=PLATFORM, password=PASSWORD, keepalive_s=3600)
        self.device = Device(
            self.endpoint,
            account,
            rules,
            self.equipment,
            chance=random.Random(1),
            wall_ms=lambda: WALL_MS,
            quirks=quirks,
            **options,
        )
        self.told: list[object] = []
        self.wire.join("device", self.endpoint, self.step)
        self.device.start(self.wire.there, self.wire.now)
        self.wire.run(2)

    def step(self) -> None:
        self.device.step(self.wire.now)
        self.told += self.device.events()

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.told if isinstance(event, kind)]

    def rest(self) -> None:
        """Let everything end, and see that nothing is left."""
        self.device.stop(self.wire.now)
        self.wire.run(300)
        for endpoint in (self.endpoint, self.platform.endpoint):
            assert (endpoint.transactions, endpoint.calls, endpoint.subscriptions) == (0, 0, 0)
        assert (len(self.device.calls), len(self.device.subscriptions)) == (0, 0)


def item(code: str, name: str, **more: Any) -> CatalogItem:
    return CatalogItem(
        device_id=code, name=name, parent_id=DEVICE, register_way=1, secrecy=0, status="ON", civil_code="340200", **more
    )


def equipment(channels: int = 2) -> Equipment:
    made = Equipment(id=DEVICE, name="一号排口", civil_code="340200", cards=[Card(1, "SD1", 64000, 1000)])
    for number in range(channels):
        code = f"3402000000131{number + 1:07d}"
        channel = made.add(Channel(item=item(code, f"萳湖{number}"), mount=Mount()))
        channel.recordings = tuple(
            RecordItem(
                device_id=code,
                name="rec",
                start_time=f"2026-01-02T{hour:02d}:00:00",
                end_time=f"2026-01-02T{hour:02d}:59:59",
                secrecy=0,
                type="time" if hour % 2 else "alarm",
                file_path=f"/{hour}",
            )
            for hour in range(24)
        )
    made.add(Channel(item=item(ALARM_INPUT, "门磁")))
    made.add(Channel(item=item(VOICE, "喇叭")))
    return made


def play(
    session: sdp.Session = sdp.Session.PLAY,
    rules: Rules = GBT_28181_2022,
    setup: sdp.Setup | None = None,
    length: int = 60,
    **more: Any,
) -> bytes:
    history = {"source": CHANNEL, "period": (1767294000, 1767294000 + length)} if session.history else {}
    return bytes(
        sdp.offer(
            rules,
            session,
            owner=PLATFORM,
            address="192.0.2.10",
            port=30000,
            ssrc="1200003863" if session.history else "0200003863",
            setup=setup,
            **history,
            **more,
        )
    )


# Queries


def all_queries(rules: Rules) -> list[Body]:
    """A query of every kind that the edition has and that a message asks."""
    found: list[Body] = []
    for (root, cmd_type, _), cls in BODIES.items():
        if root != "Query" or cls in (queries.AlarmQuery, queries.PositionQuery):
            continue
        new = cmd_type in (
            "HomePositionQuery",
            "CruiseTrackListQuery",
            "CruiseTrackQuery",
            "PTZPosition",
            "SDCardStatus",
        )
        if new and not rules.position_list:
            continue
        more: dict[str, Any] = {}
        if cls is queries.RecordQuery:
            more = {"start_time": "2026-01-02T00:00:00", "end_time": "2026-01-02T05:30:00"}
        elif cls is queries.ConfigQuery:
            more = {"types": "BasicParam"}
        elif cls is queries.CruiseQuery:
            more = {"number": 0}
        found.append(cls(sn=77, device_id=CHANNEL, **more))  # type: ignore[call-arg]
    return found


@BOTH
@pytest.mark.parametrize("channels", [0, 2])
def test_every_query_is_answered_with_its_sn_also_by_an_empty_list(rules: Rules, channels: int) -> None:
    site = Site(rules, channels=channels)
    asked = all_queries(rules)
    assert len(asked) == (11 if rules is GBT_28181_2022 else 6)
    for query in asked:
        target = CHANNEL if channels else DEVICE
        back = site.platform.ask(replace(query, device_id=target))  # type: ignore[call-arg]
        assert back, f"no answer to {query.CMD_TYPE}"
        for body in back:
            assert (body.ROOT, body.CMD_TYPE, body.sn) == ("Response", query.CMD_TYPE, 77)
            assert body.device_id == target  # type: ignore[attr-defined]
    site.rest()


def test_the_catalog_comes_in_parts_that_fit_one_after_the_other() -> None:
    site = Site(channels=40)
    parts = site.platform.ask(queries.CatalogQuery(sn=5, device_id=DEVICE), seconds=10)
    assert len(parts) > 3
    codes = [one.device_id for part in parts for one in part.items]  # type: ignore[attr-defined]
    assert codes == list(site.equipment.channels)
    assert {part.total for part in parts} == {42}  # type: ignore[attr-defined]
    messages = [data for end, data in site.wire.sent if end == "device" and b"Catalog" in data]
    assert max(map(len, messages)) <= 1300
    site.rest()


def test_what_is_written_reads_back_with_names_beyond_gb2312() -> None:
    site = Site()
    (part,) = site.platform.ask(queries.CatalogQuery(sn=5, device_id=CHANNEL))
    assert part.items[0].name == "萳湖0"  # type: ignore[attr-defined]


def test_records_are_those_of_the_period_and_type() -> None:
    site = Site()
    query = queries.RecordQuery(
        sn=9, device_id=CHANNEL, start_time="2026-01-02T02:30:00", end_time="2026-01-02T06:30:00", type="time"
    )
    parts = site.platform.ask(query)
    assert [one.file_path for part in parts for one in part.items] == ["/3", "/5"]  # type: ignore[attr-defined]
    nothing = site.platform.ask(
        queries.RecordQuery(sn=10, device_id=CHANNEL, start_time="2020-01-01T00:00:00", end_time="2020-01-02T00:00:00")
    )
    assert [(part.total, part.items) for part in nothing] == [(0, None)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("code", ["34020000001310009999", "34020000009999999999"])
def test_a_query_for_a_channel_that_is_not_there_gets_404(code: str) -> None:
    site = Site()
    assert site.platform.ask(queries.StatusQuery(sn=1, device_id=code)) == []
    assert site.platform.statuses[-1] == ("MESSAGE", 404)


def test_unreadable_and_foreign_messages_are_refused_and_the_device_lives_on() -> None:
    site = Site()
    for body, kind, status in (
        (b"<Query><CmdType>DeviceInfo", "Application/MANSCDP+xml", 400),
        (b"hello", "text/plain", 415),
        (b"\x89PNG", "image/png", 415),
    ):
        site.platform.send("MESSAGE", body, DEVICE, kind)
        site.wire.run(1)
        assert site.platform.statuses[-1] == ("MESSAGE", status)
    assert [event.status for event in site.of(RequestRefused)] == [400, 415, 415]
    assert site.platform.ask(queries.InfoQuery(sn=2, device_id=DEVICE))


def test_a_body_without_content_type_is_read() -> None:
    site = Site()
    site.platform.send(
        "MESSAGE", write(queries.InfoQuery(sn=3, device_id=DEVICE), GBT_28181_2016), DEVICE, "Application/"
    )
    site.wire.run(2)
    assert isinstance(site.platform.bodies[-1], responses.InfoAnswer)


def test_only_the_platform_may_ask() -> None:
    site = Site()
    stranger = Flow("UDP", ("192.0.2.66", 5060), ("192.0.2.50", 5060))
    request = site.platform.endpoint.compose(
        "MESSAGE",
        Uri(DEVICE, DOMAIN),
        from_=site.platform.contact,
        to=Address(Uri(DEVICE, DOMAIN)),
        flow=site.wire.back,
        headers=[("Content-Type", "Application/MANSCDP+xml")],
        body=write(queries.InfoQuery(sn=4, device_id=DEVICE), GBT_28181_2022),
    )
    site.endpoint.receive_datagram(bytes(request), stranger, site.wire.now)
    site.step()
    ((_, out),) = site.endpoint.data_to_send()
    assert out.startswith(b"SIP/2.0 403")


# Controls


def test_ptz_moves_until_it_stops_and_presets_are_gone_to() -> None:
    site = Site()

    def control(command: ptz.Command, name: str | None = None, seconds: float = 1.0) -> None:
        params = controls.PtzParams(preset_name=name) if name else None
        body = controls.PtzControl(sn=1, device_id=CHANNEL, command=ptz.encode(command), params=params)
        assert site.platform.ask(body, seconds) == []  # no message answers it

    def where() -> tuple[float, float, float]:
        (body,) = site.platform.ask(queries.PtzPositionQuery(sn=2, device_id=CHANNEL), 0.5)
        return float(body.pan), float(body.tilt), float(body.zoom)  # type: ignore[attr-defined]

    control(ptz.Move.of(pan=255, tilt=-255, zoom=15), seconds=1.0)
    control(ptz.Move(), seconds=0.5)
    first = where()
    assert first == where()  # stands still
    assert 80 < first[0] < 100
    assert 35 < first[1] < 55  # downwards is larger
    assert 4 < first[2] < 6
    control(ptz.Preset(ptz.PresetAct.SET, 7), "大门")
    control(ptz.Move.of(pan=-100))
    control(ptz.Preset(ptz.PresetAct.CALL, 7))
    assert where() == first
    (answer,) = site.platform.ask(queries.PresetQuery(sn=3, device_id=CHANNEL))
    assert [(one.id, one.name) for one in answer.presets] == [("7", "大门")]  # type: ignore[attr-defined]
    control(ptz.Preset(ptz.PresetAct.DELETE, 7))
    (answer,) = site.platform.ask(queries.PresetQuery(sn=3, device_id=CHANNEL))
    assert answer.presets == ()  # type: ignore[attr-defined]


def test_a_repeated_control_is_done_once() -> None:
    site = Site()
    move = controls.PtzControl(sn=1, device_id=CHANNEL, command=ptz.encode(ptz.Preset(ptz.PresetAct.SET, 1)))
    transaction = site.platform.send("MESSAGE", write(move, GBT_28181_2022), CHANNEL, "Application/MANSCDP+xml")
    for _ in range(3):
        site.endpoint.receive_datagram(bytes(transaction.request), site.wire.there, site.wire.now)
        site.step()
    assert len(site.of(ControlDone)) == 1


def test_cruises_are_built_run_and_told() -> None:
    site = Site()
    mount = site.equipment.channels[CHANNEL].mount
    assert mount is not None
    now = site.wire.now
    for number, pan in ((1, 10.0), (2, 20.0)):
        mount.look_at(type(mount.place(now))(pan, 0.0, 1.0), now)
        mount.follow(ptz.Preset(ptz.PresetAct.SET, number), now)
        mount.follow(ptz.Cruise(ptz.CruiseAct.ADD, 3, number), now)
    mount.follow(ptz.Cruise(ptz.CruiseAct.STAY, 3, 30), now, track_name="巡河")
    (tracks,) = site.platform.ask(queries.CruiseListQuery(sn=4, device_id=CHANNEL))
    assert [(one.number, one.name) for one in tracks.tracks] == [(3, "巡河")]  # type: ignore[attr-defined]
    (track,) = site.platform.ask(queries.CruiseQuery(sn=4, device_id=CHANNEL, number=3))
    assert [(one.preset, one.stay_s) for one in track.points] == [(1, 30), (2, 30)]  # type: ignore[attr-defined]
    start = site.wire.now
    mount.follow(ptz.Cruise(ptz.CruiseAct.START, 3), start)
    assert [mount.place(start + after).pan for after in (1, 31, 61)] == [10.0, 20.0, 10.0]
    mount.follow(ptz.Cruise(ptz.CruiseAct.DELETE, 3, 0), start + 62)
    assert mount.tracks == {}
    assert not mount.moving(start + 63)


def test_the_home_position_is_set_told_and_gone_to() -> None:
    site = Site()
    mount = site.equipment.channels[CHANNEL].mount
    assert mount is not None
    mount.look_at(type(mount.place(0.0))(50.0, 5.0, 2.0), site.wire.now)
    mount.follow(ptz.Preset(ptz.PresetAct.SET, 4), site.wire.now)
    home = controls.HomePosition(on=1, reset_s=30, preset=4)
    (answer,) = site.platform.ask(controls.HomePositionControl(sn=6, device_id=CHANNEL, home=home))
    assert (answer.result, answer.sn) == ("OK", 6)  # type: ignore[attr-defined]
    (told,) = site.platform.ask(queries.HomePositionQuery(sn=7, device_id=CHANNEL))
    assert told.home == home  # type: ignore[attr-defined]
    site.platform.ask(controls.PrecisePtz(sn=8, device_id=CHANNEL, move=controls.PreciseMove(pan=Decimal("123.45"))))
    assert mount.place(site.wire.now).pan == 123.45
    assert mount.place(site.wire.now + 31).pan == 50.0


@BOTH
def test_controls_that_are_answered_are_and_the_others_are_not(rules: Rules) -> None:
    site = Site(rules)
    for body, result in (
        (controls.RecordControl(sn=1, device_id=CHANNEL, command="Record"), "OK"),
        (controls.RecordControl(sn=1, device_id=CHANNEL, command="Sing"), "ERROR"),
        (controls.GuardControl(sn=2, device_id=DEVICE, command="ResetGuard"), "OK"),
        (controls.AlarmReset(sn=3, device_id=ALARM_INPUT, command="ResetAlarm"), "OK"),
        (controls.HomePositionControl(sn=4, device_id=VOICE, home=controls.HomePosition(on=1)), "ERROR"),
        (controls.KeyFrame(sn=5, device_id=CHANNEL, command="Send"), None),
    ):
        assert [one.result for one in site.platform.ask(body)] == ([result] if result else [])  # type: ignore[attr-defined]
    assert [event.device_id for event in site.of(KeyFrameWanted)] == [CHANNEL]
    (status,) = site.platform.ask(queries.StatusQuery(sn=8, device_id=DEVICE))
    assert status.record == "ON"  # type: ignore[attr-defined]
    assert [one.duty for one in status.alarms] == ["OFFDUTY"]  # type: ignore[attr-defined]
    assert status.time == "2026-01-02T03:04:05"  # type: ignore[attr-defined]


def test_both_spellings_of_the_key_frame_are_read() -> None:
    site = Site(GBT_28181_2022)
    body = write(controls.KeyFrame(sn=5, device_id=CHANNEL, command="Send"), GBT_28181_2016)
    assert b"IFameCmd" in body
    site.platform.send("MESSAGE", body, CHANNEL, "Application/MANSCDP+xml")
    site.wire.run(1)
    assert site.of(KeyFrameWanted)


def test_cards_are_formatted_with_progress() -> None:
    site = Site()
    assert site.platform.ask(controls.FormatCard(sn=1, device_id=DEVICE, card=0), 15) == []
    (during,) = site.platform.ask(queries.StorageQuery(sn=2, device_id=DEVICE))
    assert during.cards[0].status == "formatting"  # type: ignore[attr-defined]
    assert 20 <= during.cards[0].progress <= 30  # type: ignore[attr-defined]
    site.wire.run(60)
    (after,) = site.platform.ask(queries.StorageQuery(sn=3, device_id=DEVICE))
    assert (after.cards[0].status, after.cards[0].free) == ("ok", 64000)  # type: ignore[attr-defined]


def test_configuration_is_kept_told_and_followed() -> None:
    site = Site()
    wanted = controls.Configure(
        sn=1,
        device_id=DEVICE,
        basic=BasicParam(name="二号排口", heartbeat_s=30),
        alarm_report=AlarmReport(motion=0, field=1),
    )
    (answer,) = site.platform.ask(wanted)
    assert (answer.CMD_TYPE, answer.result) == ("DeviceConfig", "OK")  # type: ignore[attr-defined]
    assert site.of(ConfigurationSet)[0].fields == ("basic", "alarm_report")
    assert site.device.registration.account.keepalive_s == 30
    (told,) = site.platform.ask(queries.ConfigQuery(sn=2, device_id=DEVICE, types="BasicParam/AlarmReport"))
    assert told.basic.name == "二号排口"  # type: ignore[attr-defined]
    assert told.alarm_report == AlarmReport(motion=0, field=1)  # type: ignore[attr-defined]
    (unknown,) = site.platform.ask(queries.ConfigQuery(sn=3, device_id=DEVICE, types="Nonsense"))
    assert unknown.result == "ERROR"  # type: ignore[attr-defined]
    assert not site.device.raise_alarm(CHANNEL, site.wire.now, method="5", type=2)  # motion is switched off
    assert site.device.raise_alarm(CHANNEL, site.wire.now, method="5", type=6)


def test_snapshots_are_ordered_and_told_finished() -> None:
    site = Site()
    order = SnapShot(count=2, interval_s=1, upload_url="http://192.0.2.10/up", session_id=SESSION)
    (answer,) = site.platform.ask(controls.Configure(sn=1, device_id=CHANNEL, snapshot=order))
    assert answer.result == "OK"  # type: ignore[attr-defined]
    assert site.of(SnapshotOrdered)[0].order == order
    site.device.snapshot_finished(CHANNEL, SESSION, ["a", "b"], site.wire.now)
    site.wire.run(1)
    assert site.platform.bodies[-1].files == ("a", "b")  # type: ignore[attr-defined]
    bad = SnapShot(count=11, upload_url="http://192.0.2.10/up", session_id=SESSION)
    (answer,) = site.platform.ask(controls.Configure(sn=2, device_id=CHANNEL, snapshot=bad))
    assert answer.result == "ERROR"  # type: ignore[attr-defined]


def test_after_an_upgrade_the_device_registers_anew_and_then_tells() -> None:
    site = Site()
    order = controls.UpgradeOrder(firmware="2.0", url="http://192.0.2.10/f", manufacturer="x", session_id=SESSION)
    (answer,) = site.platform.ask(controls.Upgrade(sn=1, device_id=DEVICE, order=order))
    assert answer.result == "OK"  # type: ignore[attr-defined]
    assert site.of(UpgradeOrdered)[0].order == order
    before = site.platform.registers
    site.device.upgraded(SESSION, site.wire.now, firmware="2.0")
    site.wire.run(5)
    assert site.platform.registers == before + 1
    told = site.platform.bodies[-1]
    assert (told.result, told.firmware, told.session_id) == ("OK", "2.0", SESSION)  # type: ignore[attr-defined]


def test_a_restart_leaves_and_comes_back() -> None:
    site = Site()
    assert site.platform.ask(controls.Restart(sn=1, device_id=DEVICE, boot="Boot")) == []
    assert site.of(RestartOrdered)
    site.wire.run(60)
    assert len(site.of(Registered)) == 2


# Alarms and subscriptions


def test_an_alarm_input_is_silent_until_it_is_reset() -> None:
    site = Site()
    now = site.wire.now
    assert site.device.raise_alarm(ALARM_INPUT, now, description="门开")
    site.wire.run(1)
    notice = site.platform.bodies[-1]
    assert (notice.method, notice.priority, notice.description) == ("2", "1", "门开")  # type: ignore[attr-defined]
    assert not site.device.raise_alarm(ALARM_INPUT, site.wire.now)
    (status,) = site.platform.ask(queries.StatusQuery(sn=1, device_id=DEVICE))
    assert status.alarms[0].duty == "ALARM"  # type: ignore[attr-defined]
    site.platform.ask(responses.AlarmAnswer(sn=notice.sn, device_id=ALARM_INPUT, result="OK"))
    assert site.of(AnswerReceived)
    site.platform.ask(controls.AlarmReset(sn=2, device_id=ALARM_INPUT, command="ResetAlarm"))
    assert site.device.raise_alarm(ALARM_INPUT, site.wire.now)
    with pytest.raises(LocalProtocolError):
        site.device.raise_alarm("34020000001340000077", site.wire.now)


def test_a_disarmed_input_reports_nothing() -> None:
    site = Site()
    site.platform.ask(controls.GuardControl(sn=2, device_id=ALARM_INPUT, command="ResetGuard"))
    assert not site.device.raise_alarm(ALARM_INPUT, site.wire.now)
    site.platform.ask(controls.GuardControl(sn=3, device_id=ALARM_INPUT, command="SetGuard"))
    assert site.device.raise_alarm(ALARM_INPUT, site.wire.now)


def test_alarms_go_to_who_subscribed_to_their_kind() -> None:
    site = Site()
    query = queries.AlarmQuery(sn=1, device_id=DEVICE, start_priority="1", end_priority="2", method="2/5")
    assert site.platform.subscribe(query) is not None
    assert site.of(Subscribed)[0].subject == "Alarm"
    site.device.raise_alarm(CHANNEL, site.wire.now, method="5", priority="2", type=6)
    site.wire.run(1)
    (body, request) = site.platform.notified[-1]
    assert (body.info.type, request.headers.get("Event")) == (6, "presence")
    site.device.raise_alarm(CHANNEL, site.wire.now, method="6", priority="2", type=1)
    site.wire.run(1)
    assert len(site.platform.notified) == 1  # as a message of its own instead
    assert isinstance(site.platform.bodies[-1], notifies.AlarmNotice)


@BOTH
def test_positions_are_told_at_their_interval(rules: Rules) -> None:
    site = Site(rules)
    site.equipment.channels[CHANNEL].position = PositionItem(
        device_id=CHANNEL, captured="2026-01-02T03:04:05", longitude=Decimal("117.1"), latitude=Decimal("31.8")
    )
    dialog = site.platform.subscribe(queries.PositionQuery(sn=1, device_id=DEVICE, interval_s=10), 65, seconds=61)
    assert dialog is not None
    assert len(site.platform.notified) == 7  # at once and six times more
    body = site.platform.notified[0][0]
    place = body.positions[0] if rules.position_list else body
    assert (place.longitude, place.latitude) == (Decimal("117.1"), Decimal("31.8"))
    site.wire.run(30)
    assert [event.reason for event in site.of(Unsubscribed)] == ["expired"]
    site.rest()


def test_ptz_positions_are_told_while_they_change() -> None:
    site = Site()
    site.platform.subscribe(queries.PtzPositionQuery(sn=1, device_id=CHANNEL))
    assert len(site.platform.notified) == 1
    site.platform.ask(controls.PtzControl(sn=2, device_id=CHANNEL, command=ptz.encode(ptz.Move.of(pan=10))), seconds=5)
    site.platform.ask(controls.PtzControl(sn=3, device_id=CHANNEL, command=ptz.encode(ptz.Move())), seconds=5)
    moved = len(site.platform.notified)
    assert moved > 4
    site.wire.run(20)
    assert len(site.platform.notified) == moved


def test_the_catalog_subscription_tells_what_is_off_then_changes_and_ends_when_asked_to() -> None:
    site = Site()
    site.device.catalog_changed([CatalogItem(device_id=VOICE, event="OFF")], site.wire.now)
    dialog = site.platform.subscribe(queries.CatalogQuery(sn=1, device_id=DEVICE), event="Catalog;id=1894")
    assert dialog is not None
    first, request = site.platform.notified[0]
    assert [(one.device_id, one.event) for one in first.items] == [(VOICE, "OFF")]
    assert request.headers.get("Event") == "Catalog;id=1894"
    changes = [CatalogItem(device_id=CHANNEL, event="OFF"), CatalogItem(device_id=VOICE, event="ON")]
    assert site.device.catalog_changed(changes, site.wire.now) == 1
    site.wire.run(1)
    assert site.platform.notified[-1][0].total == 2
    assert not site.equipment.channels[CHANNEL].online
    platform = site.platform
    platform.endpoint.request_within(dialog, "SUBSCRIBE", site.wire.now, headers=[("Expires", "0")])
    site.wire.run(1)
    assert [event.reason for event in site.of(Unsubscribed)] == ["peer"]
    assert site.device.catalog_changed(changes, site.wire.now) == 0
    site.rest()


def test_what_cannot_be_subscribed_gets_489() -> None:
    site = Site()
    assert site.platform.subscribe(queries.InfoQuery(sn=1, device_id=DEVICE)) is None
    assert site.platform.statuses[-1] == ("SUBSCRIBE", 489)


# Calls


@BOTH
@pytest.mark.parametrize("setup", [None, sdp.Setup.PASSIVE, sdp.Setup.ACTIVE])
def test_a_live_call_is_answered_started_and_ended(rules: Rules, setup: sdp.Setup | None) -> None:
    site = Site(rules, place=lambda call: ("192.0.2.50", 20000))
    call = site.platform.invite(play(rules=rules, setup=setup), Subject=f"{CHANNEL}:0200003863,{PLATFORM}:0")
    response = site.platform.responses[-1].response
    answer = sdp.parse_sdp(response.body)
    assert (response.status, answer.ssrc, answer.media.port) == (200, 200003863, 20000)
    assert answer.media.payloads == (96,)
    opposite = {sdp.Setup.PASSIVE: sdp.Setup.ACTIVE, sdp.Setup.ACTIVE: sdp.Setup.PASSIVE, None: None}
    assert answer.setup is opposite[setup]
    (started,) = site.of(CallStarted)
    assert started.call.remote == ("192.0.2.10", 30000)
    assert started.call.rtp_ssrc == 200003863
    site.platform.endpoint.bye(call.dialog, site.wire.now)
    site.wire.run(1)
    assert [event.reason for event in site.of(CallEnded)] == ["peer"]
    site.rest()


def test_a_platform_that_invites_the_device_itself_gets_its_first_camera() -> None:
    site = Site()
    site.platform.invite(play(), DEVICE)
    assert site.platform.statuses[-1] == ("INVITE", 200)
    assert site.of(CallStarted)[0].call.channel_id == CHANNEL


@pytest.mark.parametrize(
    ("offered", "code", "kind", "status"),
    [
        (play(), "34020000001310009999", "application/sdp", 404),
        (play(payloads=(98,)), CHANNEL, "Application/SDP", 488),
        (b"", CHANNEL, "application/sdp", 488),
        (b"v=0\r\ns=Nonsense\r\n", CHANNEL, "application/sdp", 488),
        (b"hello", CHANNEL, "text/plain", 415),
        (play(sdp.Session.PLAYBACK).replace(b"t=1767294000", b"t=9999999999"), CHANNEL, "application/sdp", 400),
    ],
)
def test_calls_that_cannot_be_are_refused(offered: bytes, code: str, kind: str, status: int) -> None:
    site = Site()
    site.platform.send("INVITE", offered, code, kind)
    site.wire.run(2)
    assert site.platform.statuses[-1] == ("INVITE", status)
    assert len(site.device.calls) == 0
    site.rest()


def test_talk_is_of_2016_only_and_an_offline_channel_of_neither() -> None:
    talk = play(sdp.Session.TALK, GBT_28181_2016, payloads=(8,), kind="audio")
    for rules, status in ((GBT_28181_2016, 200), (GBT_28181_2022, 488)):
        site = Site(rules)
        site.platform.invite(talk)
        assert site.platform.statuses[-1] == ("INVITE", status)
    site.device.catalog_changed([CatalogItem(device_id=CHANNEL, event="OFF")], site.wire.now)
    site.platform.invite(play())
    assert site.platform.statuses[-1] == ("INVITE", 480)


def test_when_no_place_for_media_is_left_the_call_gets_486() -> None:
    site = Site(place=lambda call: None)
    site.platform.invite(play())
    assert site.platform.statuses[-1] == ("INVITE", 486)


def test_the_same_subject_again_replaces_the_stream() -> None:
    site = Site()
    for _ in range(2):
        site.platform.invite(play(), Subject=f"{CHANNEL}:0200003863,{PLATFORM}:0")
    assert len(site.of(CallStarted)) == 2
    assert len(site.of(CallEnded)) == 1
    assert len(site.device.calls) == 1
    site.platform.invite(play(), Subject=f"{CHANNEL}:0200003864,{PLATFORM}:0")
    assert len(site.device.calls) == 2


@pytest.mark.parametrize("quirk", ["", "mediastatus_out_of_dialog", "bye_then_481"])
def test_a_playback_is_controlled_and_ends_with_media_status(quirk: str) -> None:
    site = Site(quirks=Quirks.named([quirk] if quirk else []))
    call = site.platform.invite(play(sdp.Session.PLAYBACK, length=100))
    dialog, platform = call.dialog, site.platform

    def tell(request: mansrtsp.Request) -> mansrtsp.Answer:
        headers = [("Content-Type", "Application/MANSRTSP")]
        platform.endpoint.request_within(dialog, "INFO", site.wire.now, headers=headers, body=bytes(request))
        site.wire.run(1)
        return mansrtsp.parse_answer(platform.responses[-1].response.body)

    assert tell(mansrtsp.Request(mansrtsp.Method.PLAY, 2, scale=Decimal(4))).status == 200
    assert tell(mansrtsp.Request(mansrtsp.Method.PLAY, 3, scale=Decimal(3))).status == 400
    seek = mansrtsp.Request(mansrtsp.Method.PLAY, 4, range=mansrtsp.Range(Decimal(500)))
    assert tell(seek).status == 457
    assert len(site.of(CallControlled)) == 1
    site.wire.run(30)
    notice = next(body for body in platform.bodies if isinstance(body, notifies.MediaStatus))
    assert notice.type == "121"
    if quirk == "bye_then_481":
        assert site.of(CallEnded)
    else:
        assert not site.of(CallEnded)
        platform.endpoint.bye(dialog, site.wire.now)
        site.wire.run(1)
    site.rest()


def test_a_playback_runs_backwards_in_2022() -> None:
    site = Site()
    call = site.platform.invite(play(sdp.Session.PLAYBACK, length=100))
    for number, scale in ((2, "4"), (3, "-1.0")):
        site.wire.run(10)
        request = mansrtsp.Request(mansrtsp.Method.PLAY, number, scale=Decimal(scale))
        site.platform.endpoint.request_within(
            call.dialog,
            "INFO",
            site.wire.now,
            headers=[("Content-Type", "Application/MANSRTSP")],
            body=bytes(request),
        )
        site.wire.run(0.1)
        assert mansrtsp.parse_answer(site.platform.responses[-1].response.body).status == 200
    (playback,) = [event.call.playback for event in site.of(CallControlled)][-1:]
    assert playback is not None
    now = site.wire.now
    assert playback.position(now + 5) == pytest.approx(playback.position(now) - 5)
    site.rest()


@pytest.mark.parametrize(
    ("start", "end", "told"),
    [
        ("02:00:00", "03:59:59", 3000),  # two whole recordings
        ("02:30:00", "03:59:59", None),  # a part of one: nobody knows how large
        ("23:59:59", "23:59:59", None),
    ],
)
def test_a_download_tells_its_speed_and_its_size_where_it_is_known(start: str, end: str, told: int | None) -> None:
    site = Site()
    channel = site.equipment.channels[CHANNEL]
    channel.recordings = [replace(one, file_size="1500") for one in channel.stored("", "")]
    seconds = [int(part[:2]) * 3600 + int(part[3:5]) * 60 + int(part[6:]) for part in (start, end)]
    midnight = 1767283200  # 2026-01-02 in Beijing
    offered = bytes(
        sdp.offer(
            GBT_28181_2022,
            sdp.Session.DOWNLOAD,
            owner=PLATFORM,
            address="192.0.2.10",
            port=30000,
            ssrc="1200003863",
            source=CHANNEL,
            period=(midnight + seconds[0], midnight + max(seconds[1], seconds[0] + 1)),
            speed=4,
        )
    )
    site.platform.invite(offered)
    answer = sdp.parse_sdp(site.platform.responses[-1].response.body)
    assert answer.file_size == told
    (started,) = site.of(CallStarted)
    assert started.call.offered.download_speed == 4
    site.rest()


def test_the_clock_of_the_device_follows_that_of_the_platform() -> None:
    wire = Wire()
    platform = Platform(wire, GBT_28181_2022)
    answered = platform.endpoint.respond

    def respond(transaction: Any, status: int, now: float, **more: Any) -> Any:
        if transaction.request.method == "REGISTER":
            more["headers"] = [*more["headers"], ("Date", "2026-03-04T05:06:07.000")]
        return answered(transaction, status, now, **more)

    platform.endpoint.respond = respond  # type: ignore[method-assign]
    endpoint = Endpoint(random.Random("device"))
    account = Account(device_id=DEVICE, server_id=PLATFORM, keepalive_s=3600)
    device = Device(
        endpoint,
        account,
        GBT_28181_2022,
        equipment(),
        chance=random.Random(1),
        wall_ms=lambda: WALL_MS + round((wire.now - 1000.0) * 1000),
    )
    wire.join("device", endpoint, lambda: device.step(wire.now))
    device.start(wire.there, wire.now)
    wire.run(60.5)
    (status,) = platform.ask(queries.StatusQuery(sn=1, device_id=DEVICE), seconds=0.1)
    assert status.time == "2026-03-04T05:07:07"  # type: ignore[attr-defined]
    assert device.raise_alarm(ALARM_INPUT, wire.now)
    wire.run(0.1)
    assert platform.bodies[-1].time == "2026-03-04T05:07:07"  # type: ignore[attr-defined]


def test_a_playback_whose_end_nobody_heeds_is_ended_by_the_device() -> None:
    site = Site()
    site.platform.invite(play(sdp.Session.DOWNLOAD, speed=4, length=100))
    site.wire.run(90)
    assert [event.reason for event in site.of(CallEnded)] == ["local"]
    site.rest()


def test_a_broadcast_is_answered_and_called_for() -> None:
    site = Site()
    (answer,) = site.platform.ask(notifies.Broadcast(sn=3, source_id=PLATFORM, target_id=DEVICE))
    assert (answer.CMD_TYPE, answer.device_id, answer.result) == ("Broadcast", VOICE, "OK")  # type: ignore[attr-defined]
    (invite,) = site.platform.invited
    offered = sdp.parse_sdp(invite.request.body)
    assert (offered.media.kind, offered.media.payloads, offered.direction) == ("audio", (8,), sdp.Direction.RECEIVE)
    assert invite.request.subject.startswith(f"{PLATFORM}:")
    back = bytes(sdp.answer(offered, owner=PLATFORM, address="192.0.2.10", port=8000, can=(8,)))
    dialog = site.platform.endpoint.accept(
        invite.transaction,
        site.platform.contact,
        site.wire.now,
        headers=[("Content-Type", "APPLICATION/SDP")],
        body=back,
    )
    site.wire.run(1)
    assert site.of(CallStarted)[0].call.remote == ("192.0.2.10", 8000)
    site.platform.endpoint.bye(dialog, site.wire.now)
    site.wire.run(1)
    assert site.of(CallEnded)
    (refused,) = site.platform.ask(notifies.Broadcast(sn=4, source_id=PLATFORM, target_id="34020000001370000099"))
    assert refused.result == "ERROR"  # type: ignore[attr-defined]
    assert len(site.platform.invited) == 1
    site.rest()


# Quirks


def test_every_quirk_has_its_row_and_its_name() -> None:
    names = [row.name for row in quirk_rows()]
    assert names == list(Quirks.__dataclass_fields__)
    assert all(row.zh and row.en for row in quirk_rows())
    assert Quirks.named(["items_per_message=2", "y_missing"]) == Quirks(items_per_message=2, y_missing=True)
    for wrong in ("nonsense", "y_missing=1", "items_per_message", "items_per_message=x"):
        with pytest.raises(LocalProtocolError):
            Quirks.named([wrong])


def _catalog_of(quirks: str) -> tuple[Site, list[Any]]:
    site = Site(quirks=Quirks.named([quirks]), channels=5)
    return site, list(site.platform.ask(queries.CatalogQuery(sn=5, device_id=DEVICE), seconds=5))


def test_quirks_of_lists() -> None:
    assert [len(part.items) for part in _catalog_of("items_per_message=2")[1]] == [2, 2, 2, 1]
    assert {part.total for part in _catalog_of("sumnum_wrong")[1]} == {8}
    site = Site(quirks=Quirks(gb2312_as_utf8=True))
    site.platform.ask(queries.CatalogQuery(sn=5, device_id=CHANNEL))
    raw = site.platform.raw[-1]
    assert b'encoding="GB2312"' in raw
    assert "萳湖".encode() in raw


def test_the_quirk_without_sumnum_leaves_it_out() -> None:
    site = Site(quirks=Quirks(sumnum_missing=True))
    with pytest.raises(AssertionError):  # the platform of these tests demands it
        site.platform.ask(queries.CatalogQuery(sn=5, device_id=CHANNEL))


def test_parallel_parts_do_not_wait() -> None:
    site = Site(quirks=Quirks(parallel_parts=True, items_per_message=1), channels=5)
    body = write(queries.CatalogQuery(sn=5, device_id=DEVICE), GBT_28181_2022)
    site.platform.send("MESSAGE", body, DEVICE, "Application/MANSCDP+xml")
    site.wire.run(0.015)
    assert len([data for end, data in site.wire.sent if end == "device" and b"SumNum" in data]) == 7


@pytest.mark.parametrize(
    ("quirk", "told", "carried"),
    [
        ("y_missing", None, 200003863),
        ("y_stripped_zero", "200003863", 200003863),
        ("ssrc_zero", "0200003863", 0),
        ("ssrc_other", "0200003863", 200003864),
    ],
)
def test_quirks_of_the_ssrc(quirk: str, told: str | None, carried: int) -> None:
    site = Site(quirks=Quirks.named([quirk]))
    site.platform.invite(play())
    assert sdp.parse_sdp(site.platform.responses[-1].response.body).get("y") == told
    assert site.of(CallStarted)[0].call.rtp_ssrc == carried


def test_other_quirks() -> None:
    site = Site(quirks=Quirks(answer_200_no_response=True, contact_private=True, setup_ignored=True))
    assert site.platform.ask(queries.InfoQuery(sn=1, device_id=DEVICE)) == []
    assert site.platform.statuses[-1] == ("MESSAGE", 200)
    site.platform.invite(play(setup=sdp.Setup.ACTIVE))
    response = site.platform.responses[-1].response
    assert response.contact is not None
    assert response.contact.uri.host == "192.168.1.64"
    assert sdp.parse_sdp(response.body).setup is sdp.Setup.ACTIVE
    old = Site(quirks=Quirks(iframecmd_old_spelling=True))
    old.platform.ask(controls.KeyFrame(sn=5, device_id=CHANNEL, command="Send"))
    assert not old.of(KeyFrameWanted)


# Losses


@pytest.mark.parametrize("seed", range(6))
def test_in_a_storm_every_flow_completes_or_fails_and_nothing_is_left(seed: int) -> None:
    site = Site(weather=STORM, seed=seed)
    site.wire.run(30)
    platform = site.platform
    platform.ask(queries.CatalogQuery(sn=5, device_id=DEVICE), seconds=40)
    platform.subscribe(queries.PositionQuery(sn=6, device_id=DEVICE, interval_s=5), 60, seconds=40)
    call = platform.invite(play(sdp.Session.PLAYBACK, length=20), seconds=60)
    platform.ask(notifies.Broadcast(sn=3, source_id=PLATFORM, target_id=DEVICE), seconds=10)
    for invite in platform.invited:
        platform.endpoint.respond(invite.transaction, 486, site.wire.now)
    if call.dialog is not None and not call.dialog.over:
        platform.endpoint.bye(call.dialog, site.wire.now)
    site.wire.run(200)
    assert platform.statuses or platform.failed
    site.rest()


def test_each_200_comes_twice_where_the_quirk_says_so() -> None:
    site = Site(quirks=Quirks(duplicate_200=True))
    site.platform.ask(queries.InfoQuery(sn=1, device_id=DEVICE))
    answers = [data for end, data in site.wire.sent if end == "device" and data.startswith(b"SIP/2.0 200")]
    assert len(answers) == 2
    assert answers[0] == answers[1]
