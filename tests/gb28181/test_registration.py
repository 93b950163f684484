"""Registration and keepalives against platforms of every kind, in virtual time."""

from __future__ import annotations

import random
from itertools import count

import pytest

from gb28181 import GBT_28181_2016, GBT_28181_2022, LocalProtocolError, Rules
from gb28181.device import (
    Account,
    ClockTold,
    DeviceEvent,
    PlatformLost,
    Redirected,
    Registered,
    Registration,
    RegistrationFailed,
    RegistrationState,
    Unregistered,
)
from gb28181.manscdp import read
from gb28181.manscdp.notifies import Keepalive
from gb28181.sip import Challenge, Credentials, Endpoint, Nonces, NonceState, Request, RequestReceived, verify

from .examples import DEVICE, DOMAIN, PASSWORD, PLATFORM
from .wire import CALM, STORM, Weather, Wire


class Registrar:
    """A platform that can be told to be of any kind."""

    def __init__(self, wire: Wire, **how: object) -> None:
        self.endpoint = Endpoint(random.Random("platform"))
        self.wire = wire
        self.qop: tuple[str, ...] = ()
        self.algorithm = "MD5"
        self.challenges = True
        self.password = PASSWORD
        self.expires: int | None = None
        self.date: str | None = "2026-01-02T03:04:05.678"
        self.refuse = 0  #: status instead of 200
        self.beat_status = 200
        self.__dict__.update(how)
        numbers = count()
        self.nonces = Nonces(lambda: f"nonce{next(numbers)}")
        self.registers: list[Request] = []
        self.beats: list[tuple[float, Keepalive]] = []
        wire.join("platform", self.endpoint, self.step)

    def step(self) -> None:
        for event in self.endpoint.events():
            if not isinstance(event, RequestReceived):
                continue
            if event.request.method == "REGISTER":
                self.registers.append(event.request)
                self.register(event)
            else:
                body = read(event.request.body).body
                assert isinstance(body, Keepalive)
                self.beats.append((self.wire.now, body))
                self.endpoint.respond(event.transaction, self.beat_status, self.wire.now)

    def register(self, event: RequestReceived) -> None:
        status, headers = self.judge(event.request)
        self.endpoint.respond(event.transaction, status, self.wire.now, headers=headers)

    def judge(self, request: Request) -> tuple[int, list[tuple[str, str]]]:
        now = self.wire.now
        if self.challenges:
            header = request.headers.get("Authorization")
            credentials = Credentials.parse(header) if header else None
            if credentials is None or not verify(credentials, password=self.password, method="REGISTER"):
                return self.challenge()
            state = self.nonces.check(credentials, now)
            if state is not NonceState.OK:
                return self.challenge(stale=True)
        if self.refuse:
            return self.refuse, []
        expires = self.expires if self.expires is not None and request.expires else request.expires
        headers = [("Contact", request.headers.get("Contact") or ""), ("Expires", str(expires))]
        return 200, [*headers, *([("Date", self.date)] if self.date else []), ("X-GB-Ver", "3.0")]

    def challenge(self, *, stale: bool = False) -> tuple[int, list[tuple[str, str]]]:
        challenge = Challenge(DOMAIN, self.nonces.issue(self.wire.now), self.algorithm, self.qop, stale=stale)
        return 401, [("WWW-Authenticate", str(challenge))]


class Camera:
    """A registration on the other end."""

    def __init__(self, wire: Wire, rules: Rules = GBT_28181_2022, **account: object) -> None:
        self.endpoint = Endpoint(random.Random("device"))
        given = {"device_id": DEVICE, "server_id": PLATFORM, "password": PASSWORD, **account}
        self.registration = Registration(self.endpoint, Account(**given), rules, random.Random(1))  # type: ignore[arg-type]
        self.wire = wire
        self.told: list[DeviceEvent] = []
        wire.join("device", self.endpoint, self.step)
        self.registration.start(wire.there, wire.now)

    def step(self) -> None:
        for event in self.endpoint.events():
            assert self.registration.handle(event, self.wire.now)
        self.told += self.registration.events()

    def of(self, kind: type) -> list:
        return [event for event in self.told if isinstance(event, kind)]


def meet(
    transport: str = "UDP",
    weather: Weather = CALM,
    seed: int = 0,
    rules: Rules = GBT_28181_2022,
    platform: dict[str, object] | None = None,
    **account: object,
) -> tuple[Wire, Camera, Registrar]:
    wire = Wire(transport, weather, seed)
    registrar = Registrar(wire, **(platform or {}))
    return wire, Camera(wire, rules, **account), registrar


@pytest.mark.parametrize("transport", ["UDP", "TCP"])
@pytest.mark.parametrize(
    "platform",
    [
        {},
        {"algorithm": ""},
        {"qop": ("auth",)},
        {"qop": ("auth", "auth-int"), "algorithm": "SHA-256"},
        {"challenges": False},
    ],
)
def test_every_kind_of_challenge(transport: str, platform: dict[str, object]) -> None:
    wire, camera, registrar = meet(transport, platform=platform)
    wire.run(2)
    (registered,) = camera.of(Registered)
    assert (registered.expires_s, registered.refresh, registered.version) == (86400, False, "3.0")
    assert camera.registration.state is RegistrationState.REGISTERED
    first, *again = registrar.registers
    assert len(again) == (0 if platform.get("challenges") is False else 1)
    for second in again:
        assert (second.call_id, second.from_.tag) == (first.call_id, first.from_.tag)
        assert (first.cseq.number, second.cseq.number) == (1, 2)
        assert second.via.branch != first.via.branch
    assert str(first.uri) == f"sip:{PLATFORM}@{DOMAIN}"
    assert (first.from_.uri, first.to.uri) == (first.to.uri, first.from_.uri)
    assert (first.expires, first.gb_version) == (86400, "3.0")
    assert first.contact is not None
    assert (first.contact.uri.host, first.contact.uri.port) == wire.there.local


def test_the_version_header_is_of_2022() -> None:
    wire, _, registrar = meet(rules=GBT_28181_2016)
    wire.run(2)
    assert [request.gb_version for request in registrar.registers] == [None, None]


def test_the_clock_is_told() -> None:
    wire, camera, _ = meet()
    wire.run(2)
    (told,) = camera.of(ClockTold)
    assert told.time.isoformat() == "2026-01-02T03:04:05.678000+08:00"
    wire, camera, _registrar = meet(platform={"date": "yesterday"})
    wire.run(2)
    assert not camera.of(ClockTold)
    assert camera.of(Registered)


def test_it_is_refreshed_in_time_within_the_same_call_id() -> None:
    wire, camera, registrar = meet(platform={"expires": 600}, keepalive_s=1000.0)
    wire.run(1250)
    assert [event.refresh for event in camera.of(Registered)] == [False, True, True]
    assert {request.call_id for request in registrar.registers} == {registrar.registers[0].call_id}
    assert [request.cseq.number for request in registrar.registers] == list(range(1, len(registrar.registers) + 1))


def test_a_wrong_password_is_tried_once_and_then_waited_for() -> None:
    wire, camera, registrar = meet(platform={"password": "other"})
    wire.run(59)
    assert len(registrar.registers) <= 3
    (failed,) = camera.of(RegistrationFailed)
    assert failed.status == 401
    assert 60 <= failed.retry_s <= 70
    wire.run(3600)
    tries = len({request.call_id for request in registrar.registers})
    assert 50 <= tries <= 61
    assert len(registrar.registers) <= 3 * tries


@pytest.mark.parametrize("status", [403, 404, 500, 503])
def test_a_refusal_is_tried_again_later(status: int) -> None:
    wire, camera, registrar = meet(platform={"refuse": status}, retry_s=5.0, retry_spread_s=0.0)
    wire.run(2)
    assert [event.status for event in camera.of(RegistrationFailed)] == [status]
    registrar.refuse = 0
    wire.run(5)
    assert len(camera.of(Registered)) == 1


def test_a_platform_that_is_not_there() -> None:
    wire, camera, _ = meet(retry_s=60.0, retry_spread_s=0.0)
    wire.deaf = {"platform"}
    wire.run(100)
    assert [event.status for event in camera.of(RegistrationFailed)] == [None]
    wire.deaf = set()
    wire.run(10)
    assert len(camera.of(Registered)) == 1


@pytest.mark.parametrize("header", ["", "Basic realm=x", 'Digest realm="r",nonce="n",algorithm=MD6'])
def test_a_challenge_that_cannot_be_answered(header: str) -> None:
    wire, camera, registrar = meet()
    registrar.judge = lambda request: (401, [("WWW-Authenticate", header)] if header else [])  # type: ignore[method-assign]
    wire.run(2)
    (failed,) = camera.of(RegistrationFailed)
    assert failed.status == 401
    assert "Digest" in failed.reason or "algorithm" in failed.reason


class TestKeepalives:
    def test_the_first_comes_at_once_and_the_others_in_their_period(self) -> None:
        wire, _, registrar = meet()
        began = wire.now
        wire.run(190)
        assert [round(at - began) for at, _ in registrar.beats] == [0, 60, 120, 180]
        assert [body.sn for _, body in registrar.beats] == [1, 2, 3, 4]
        assert {(body.device_id, body.status) for _, body in registrar.beats} == {(DEVICE, "OK")}

    @pytest.mark.parametrize("silent", [True, False])
    def test_after_three_without_success_it_registers_anew(self, silent: bool) -> None:
        wire, camera, registrar = meet()
        wire.run(30)
        if silent:
            wire.mangle = lambda end, data: None if b"MESSAGE" in data else data
        else:
            registrar.beat_status = 403
        wire.run(230)
        assert [event.missed for event in camera.of(PlatformLost)] == [3]
        assert len(camera.of(Registered)) == 2

    def test_two_losses_and_a_success_are_forgiven(self) -> None:
        wire, camera, registrar = meet()
        wire.run(30)
        registrar.beat_status = 503
        wire.run(120)
        registrar.beat_status = 200
        wire.run(60)
        registrar.beat_status = 503
        wire.run(120)
        assert not camera.of(PlatformLost)

    def test_a_fault_is_told_at_once(self) -> None:
        wire, camera, registrar = meet()
        wire.run(10)
        camera.registration.report_fault(("34020000001310000001",), wire.now)
        wire.run(1)
        _, body = registrar.beats[-1]
        assert body.status == "ERROR"
        assert body.info is not None
        assert body.info.device_ids == ("34020000001310000001",)
        wire.run(60)
        assert len(registrar.beats) == 3


class TestEnd:
    def test_unregistering_is_challenged_too(self) -> None:
        wire, camera, registrar = meet()
        wire.run(10)
        camera.registration.stop(wire.now)
        wire.run(50)
        assert [event.confirmed for event in camera.of(Unregistered)] == [True]
        assert [request.expires for request in registrar.registers] == [86400, 86400, 0, 0]
        assert camera.registration.state is RegistrationState.IDLE
        assert (camera.endpoint.transactions, len(camera.endpoint.timers)) == (0, 0)

    def test_a_platform_that_does_not_answer_it(self) -> None:
        wire, camera, _ = meet()
        wire.run(10)
        wire.deaf = {"platform"}
        camera.registration.stop(wire.now)
        wire.run(50)
        assert [event.confirmed for event in camera.of(Unregistered)] == [False]

    def test_while_waiting_nothing_is_sent(self) -> None:
        wire, camera, registrar = meet(platform={"refuse": 403})
        wire.run(10)
        before = len(registrar.registers)
        camera.registration.stop(wire.now)
        wire.run(500)
        assert len(registrar.registers) == before
        assert [event.confirmed for event in camera.of(Unregistered)] == [False]

    def test_a_lost_connection(self) -> None:
        wire, camera, registrar = meet("TCP")
        wire.run(10)
        camera.endpoint.flow_closed(wire.there, wire.now)
        camera.registration.flow_closed(wire.there, wire.now)
        registrar.endpoint.flow_closed(wire.back, wire.now)
        wire.run(100)
        assert len(camera.of(PlatformLost)) == 1
        assert camera.registration.state is RegistrationState.IDLE
        camera.registration.start(wire.there, wire.now)
        wire.run(5)
        assert len(camera.of(Registered)) == 2


class TestRedirection:
    def redirecting(self, rules: Rules = GBT_28181_2022) -> tuple[Wire, Camera, Registrar]:
        wire, camera, registrar = meet(rules=rules, retry_s=5.0, retry_spread_s=0.0)
        judge = registrar.judge

        def elsewhere(request: Request) -> tuple[int, list[tuple[str, str]]]:
            if request.uri.user == PLATFORM:
                return 302, [("Contact", "<sip:34020000002000000009@192.0.2.9:5070>"), ("Expires", "3600")]
            return judge(request)

        registrar.judge = elsewhere  # type: ignore[method-assign]
        return wire, camera, registrar

    def test_it_follows(self) -> None:
        wire, camera, registrar = self.redirecting()
        wire.run(1)
        (redirected,) = camera.of(Redirected)
        assert (redirected.server_id, redirected.host, redirected.port) == ("34020000002000000009", "192.0.2.9", 5070)
        camera.registration.follow(wire.there, wire.now)
        wire.run(2)
        assert len(camera.of(Registered)) == 1
        assert registrar.registers[-1].uri.user == "34020000002000000009"
        assert registrar.registers[-1].call_id != registrar.registers[0].call_id

    def test_where_it_leads_nowhere_the_first_server_is_asked_again(self) -> None:
        wire, camera, registrar = self.redirecting()
        wire.run(1)
        registrar.refuse = 403
        camera.registration.follow(wire.there, wire.now)
        wire.run(6)
        assert [event.status for event in camera.of(RegistrationFailed)] == [403]
        assert registrar.registers[-1].uri.user == PLATFORM
        assert len(camera.of(Redirected)) == 2

    def test_2016_knows_none(self) -> None:
        wire, camera, _ = self.redirecting(GBT_28181_2016)
        wire.run(1)
        assert [event.status for event in camera.of(RegistrationFailed)] == [302]


@pytest.mark.parametrize("seed", range(30))
def test_in_a_storm_it_stays_registered_or_comes_back(seed: int) -> None:
    wire, camera, registrar = meet(weather=STORM, seed=seed, platform={"qop": ("auth",), "expires": 300})
    wire.run(2000)
    assert camera.of(Registered)
    assert camera.registration.state is not RegistrationState.IDLE
    camera.registration.stop(wire.now)
    wire.run(200)
    assert camera.registration.state is RegistrationState.IDLE
    assert (camera.endpoint.transactions, len(camera.endpoint.timers)) == (0, 0)
    assert registrar.endpoint.transactions == 0


@pytest.mark.parametrize(
    "change", [{"expires_s": 0}, {"keepalive_s": -1.0}, {"retry_s": 0.0}, {"keepalives_missed": 0}]
)
def test_times_are_positive(change: dict[str, object]) -> None:
    with pytest.raises(LocalProtocolError, match="more than 0"):
        Account(device_id=DEVICE, server_id=PLATFORM, **change)  # type: ignore[arg-type]


def test_defaults_are_those_of_the_edition_and_the_password_is_not_shown() -> None:
    account = Account.of(GBT_28181_2022, DEVICE, PLATFORM, "s3cr3t")
    assert (account.expires_s, account.keepalive_s, account.keepalives_missed, account.retry_s) == (86400, 60, 3, 60)
    assert (account.sip_domain, account.digest_username) == (DOMAIN, DEVICE)
    assert "s3cr3t" not in repr(account)
