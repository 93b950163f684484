"""The platform's registrar: devices of ours against it, and what it refuses."""

from __future__ import annotations

import random
from itertools import count

import pytest

from gb28181 import GBT_28181_2016, GBT_28181_2022, Rules
from gb28181.device import Account, Registered, Registration, RegistrationFailed
from gb28181.manscdp import queries, write
from gb28181.platform import (
    Credential,
    DeviceMoved,
    DeviceOffline,
    DeviceRegistered,
    DeviceUnregistered,
    Follow,
    KeepaliveReceived,
    OfflineReason,
    PlatformEvent,
    Policy,
    Refusal,
    Registrar,
    SenderRefused,
)
from gb28181.sip import (
    Challenge,
    Credentials,
    Endpoint,
    Flow,
    Request,
    RequestReceived,
    Response,
    answer,
    parse_message,
)

from .examples import AUTHORIZED, DEVICE, DOMAIN, KEEPALIVE, PASSWORD, PLATFORM, REGISTER
from .wire import CALM, STORM, Weather, Wire

WALL_MS = 1767294245678


class Platform:
    """A registrar, at the end of a wire or asked directly."""

    def __init__(self, wire: Wire | None = None, policy: Policy | None = None) -> None:
        self.endpoint = Endpoint(random.Random("platform"))
        numbers = count()
        self.registrar = Registrar(
            self.endpoint,
            PLATFORM,
            {DEVICE: Credential(PASSWORD), "named": Credential(PASSWORD, "camera")}.get,
            nonce=lambda: f"nonce{next(numbers)}",
            wall_ms=lambda: WALL_MS,
            policy=policy,
        )
        self.now = wire.now if wire else 1000.0
        self.wire = wire
        self.told: list[PlatformEvent] = []
        self.left: list[RequestReceived] = []
        if wire:
            wire.join("platform", self.endpoint, self.step)

    def step(self) -> None:
        now = self.wire.now if self.wire else self.now
        for event in self.endpoint.events():
            if not self.registrar.handle(event, now) and isinstance(event, RequestReceived):
                self.left.append(event)
        self.told += self.registrar.events()

    def of(self, kind: type) -> list:
        return [event for event in self.told if isinstance(event, kind)]

    def ask(self, data: bytes, flow: Flow | None = None) -> Response:
        """Hand in a datagram and return the answer."""
        self.endpoint.receive_datagram(data, flow or Flow("UDP", ("192.0.2.50", 5060), ("192.0.2.10", 5060)), self.now)
        self.step()
        ((_, out),) = self.endpoint.data_to_send()
        response = parse_message(out)
        assert isinstance(response, Response)
        return response

    def register(self, password: str = PASSWORD, flow: Flow | None = None, **changes: str) -> Response:
        """Do what a device does: ask, and answer the challenge."""
        self.numbers = getattr(self, "numbers", count(1))
        challenge = self.ask(branched(REGISTER, next(self.numbers)), flow)
        header = challenge.headers.get("WWW-Authenticate")
        if header is None:
            return challenge
        proof = answer(
            Challenge.parse(header), username=DEVICE, password=password, method="REGISTER", uri="sip:x@y", cnonce="c"
        )
        parts = {name: getattr(proof, name) for name in Credentials.__dataclass_fields__} | changes
        request = parse_message(branched(REGISTER, next(self.numbers)))
        request.headers.add("Authorization", str(Credentials(**parts)))
        return self.ask(bytes(request), flow)


def branched(data: bytes, number: int) -> bytes:
    return data.replace(b"z9hG4bKr1", b"z9hG4bKr1x%d" % number).replace(b"z9hG4bKk1", b"z9hG4bKk1x%d" % number)


class Camera:
    def __init__(self, wire: Wire, rules: Rules = GBT_28181_2022, **account: object) -> None:
        self.endpoint = Endpoint(random.Random("device"))
        given = {"device_id": DEVICE, "server_id": PLATFORM, "password": PASSWORD, **account}
        self.registration = Registration(self.endpoint, Account(**given), rules, random.Random(1))  # type: ignore[arg-type]
        self.wire = wire
        self.told: list[object] = []
        wire.join("device", self.endpoint, self.step)
        self.registration.start(wire.there, wire.now)

    def step(self) -> None:
        for event in self.endpoint.events():
            assert self.registration.handle(event, self.wire.now)
        self.told += self.registration.events()


def meet(
    transport: str = "UDP", weather: Weather = CALM, seed: int = 0, policy: Policy | None = None, **account: object
) -> tuple[Wire, Camera, Platform]:
    wire = Wire(transport, weather, seed)
    platform = Platform(wire, policy)
    return wire, Camera(wire, **account), platform


class TestOurDevice:
    @pytest.mark.parametrize("transport", ["UDP", "TCP"])
    @pytest.mark.parametrize(
        "policy", [Policy(), Policy(qop=True), Policy(algorithm="SHA-256", qop=True), Policy(challenge=False)]
    )
    def test_registers_keeps_alive_and_leaves(self, transport: str, policy: Policy) -> None:
        wire, camera, platform = meet(transport, policy=policy)
        wire.run(130)
        (registered,) = platform.of(DeviceRegistered)
        assert (registered.device_id, registered.expires_s, registered.refresh) == (DEVICE, 86400, False)
        assert (registered.version, registered.flow) == ("3.0", wire.back)
        assert len(platform.of(KeepaliveReceived)) == 3
        device = platform.registrar.devices[DEVICE]
        assert (device.rules, device.flow) == (GBT_28181_2022, wire.back)
        camera.registration.stop(wire.now)
        wire.run(60)
        assert [event.device_id for event in platform.of(DeviceUnregistered)] == [DEVICE]
        assert not platform.registrar.devices
        assert not platform.of(SenderRefused)
        assert (platform.endpoint.transactions, len(platform.endpoint.timers)) == (0, 0)

    def test_an_edition_without_the_header_is_taken_for_2016(self) -> None:
        wire = Wire()
        platform = Platform(wire)
        Camera(wire, GBT_28181_2016)
        wire.run(2)
        assert platform.registrar.devices[DEVICE].rules is GBT_28181_2016
        assert all(b"X-GB-Ver" not in data for end, data in wire.sent if end == "platform")

    def test_silence_makes_it_offline_and_it_comes_back(self) -> None:
        wire, _, platform = meet()
        wire.run(70)
        wire.deaf = {"platform"}
        wire.run(400)
        assert [event.reason for event in platform.of(DeviceOffline)] == [OfflineReason.KEEPALIVES]
        wire.deaf = set()
        wire.run(120)
        assert len(platform.of(DeviceRegistered)) == 2
        assert DEVICE in platform.registrar.devices

    def test_a_registration_that_is_not_refreshed_ends(self) -> None:
        wire, camera, platform = meet(policy=Policy(max_expires_s=100), refresh_before_s=-500.0)
        wire.run(105)
        assert [event.reason for event in platform.of(DeviceOffline)] == [OfflineReason.EXPIRED]
        wire.run(40)
        assert {event.reason for event in platform.of(SenderRefused)} == {Refusal.UNREGISTERED}
        assert any(isinstance(event, Registered) for event in camera.told)

    def test_a_connection_that_ends_makes_it_offline(self) -> None:
        wire, _, platform = meet("TCP")
        wire.run(5)
        platform.registrar.flow_closed(wire.back)
        platform.step()
        assert [event.reason for event in platform.of(DeviceOffline)] == [OfflineReason.TRANSPORT]
        assert not platform.registrar.devices

    def test_a_wrong_password_is_refused_by_name(self) -> None:
        wire, camera, platform = meet(password="12345679")
        wire.run(30)
        assert {event.reason for event in platform.of(SenderRefused)} == {Refusal.PASSWORD}
        assert [event.status for event in camera.told if isinstance(event, RegistrationFailed)] == [401]

    @pytest.mark.parametrize("seed", range(20))
    def test_in_a_storm_both_agree_in_the_end(self, seed: int) -> None:
        wire, camera, platform = meet(weather=STORM, seed=seed, policy=Policy(max_expires_s=300))
        wire.run(1500)
        assert any(isinstance(event, Registered) for event in camera.told)
        wire.weather = CALM
        wire.run(400)
        assert DEVICE in platform.registrar.devices
        assert {event.reason for event in platform.of(SenderRefused)} <= {Refusal.REPLAYED, Refusal.UNREGISTERED}


class TestAnswers:
    def test_the_date_is_beijing_time(self) -> None:
        response = Platform().register()
        assert (response.status, response.headers.get("Date")) == (200, "2026-01-02T03:04:05.678")
        assert (response.expires, response.gb_version) == (3600, "3.0")
        assert response.headers.get("Contact") == f"<sip:{DEVICE}@192.0.2.50:5060>"
        assert Platform(policy=Policy(tell_time=False)).register().headers.get("Date") is None

    def test_the_challenge_names_its_algorithm(self) -> None:
        response = Platform().ask(REGISTER)
        assert response.status == 401
        assert response.headers.get("WWW-Authenticate") == f'Digest realm="{DOMAIN}",nonce="nonce0",algorithm=MD5'
        assert response.gb_version == "3.0"

    def test_time_is_granted_within_limits(self) -> None:
        assert Platform(policy=Policy(max_expires_s=600)).register().expires == 600
        assert Platform(policy=Policy(min_expires_s=7200)).register().expires == 7200

    def test_expires_may_stand_at_the_contact(self) -> None:
        platform = Platform(policy=Policy(challenge=False))
        data = REGISTER.replace(b"Expires: 3600\r\n", b"").replace(b":5060>", b":5060>;expires=900")
        assert platform.ask(data).expires == 900


class TestRefusals:
    @pytest.mark.parametrize(
        ("old", "new", "reason", "status"),
        [
            (DEVICE.encode(), b"1320000001", Refusal.CODE, 403),
            (DEVICE.encode(), b"34020000001320000099", Refusal.UNKNOWN, 403),
            (b"Expires: 3600\r\n", b"", Refusal.NO_EXPIRES, 400),
            (b"Contact:", b"X-Contact:", Refusal.NO_CONTACT, 400),
            (b"Expires: 3600", b"Expires: soon", Refusal.MALFORMED, 400),
            (b"From: <sip:", b"From: <nobody ", Refusal.MALFORMED, 400),
        ],
    )
    def test_before_any_proof(self, old: bytes, new: bytes, reason: Refusal, status: int) -> None:
        platform = Platform()
        assert platform.ask(REGISTER.replace(old, new)).status == status
        assert [event.reason for event in platform.of(SenderRefused)] == [reason]
        assert not platform.registrar.devices

    @pytest.mark.parametrize(
        ("changes", "reason", "status"),
        [
            ({"username": "admin"}, Refusal.USERNAME, 403),
            ({"realm": "example.com"}, Refusal.REALM, 401),
            ({"response": "0" * 32}, Refusal.PASSWORD, 401),
            ({"algorithm": "MD6"}, Refusal.MALFORMED, 400),
        ],
    )
    def test_proofs(self, changes: dict[str, str], reason: Refusal, status: int) -> None:
        platform = Platform()
        assert platform.register(**changes).status == status
        assert [event.reason for event in platform.of(SenderRefused)] == [reason]

    def test_a_nonce_of_others_is_only_stale(self) -> None:
        platform = Platform()
        response = platform.ask(AUTHORIZED)
        assert response.status == 401
        header = response.headers.get("WWW-Authenticate")
        assert header is not None
        assert Challenge.parse(header).stale
        assert not platform.of(SenderRefused)

    def test_a_proof_counts_once(self) -> None:
        platform = Platform()
        assert platform.register().status == 200
        again = parse_message(branched(REGISTER, 99))
        proof = answer(
            Challenge(DOMAIN, "nonce0", "MD5"), username=DEVICE, password=PASSWORD, method="REGISTER", uri="sip:x@y"
        )
        again.headers.add("Authorization", str(proof))
        assert platform.ask(bytes(again)).status == 401
        assert platform.of(SenderRefused)[-1].reason is Refusal.REPLAYED

    def test_guessing_is_stopped_for_a_while(self) -> None:
        platform = Platform(policy=Policy(max_failures=3, locked_s=60.0))
        assert [platform.register(f"guess{n}").status for n in range(5)] == [401, 401, 401, 403, 403]
        assert platform.register().status == 403  # the right one too, from there
        elsewhere = Flow("UDP", ("192.0.2.77", 5060), ("192.0.2.10", 5060))
        assert platform.register(flow=elsewhere).status == 200
        platform.now += 61
        assert platform.register().status == 200

    def test_no_more_devices_than_allowed(self) -> None:
        platform = Platform(policy=Policy(challenge=False, max_devices=1))
        assert platform.ask(REGISTER).status == 200
        other = branched(REGISTER, 2).replace(DEVICE.encode(), b"34020000001320000002")
        assert platform.ask(other).status == 503
        assert platform.ask(branched(REGISTER, 3)).status == 200

    def test_nothing_secret_is_shown(self) -> None:
        platform = Platform()
        platform.register()
        assert PASSWORD not in repr(platform.told) + repr(Credential(PASSWORD)) + repr(platform.registrar.devices)


class TestSenders:
    def test_who_is_not_registered_is_refused(self) -> None:
        platform = Platform()
        assert platform.ask(KEEPALIVE).status == 403
        assert [event.reason for event in platform.of(SenderRefused)] == [Refusal.UNREGISTERED]

    @pytest.mark.parametrize(
        ("follow", "peer", "taken"),
        [
            (Follow.PORT, ("192.0.2.50", 40000), True),
            (Follow.PORT, ("192.0.2.51", 5060), False),
            (Follow.ADDRESS, ("192.0.2.51", 5060), True),
            (Follow.NO, ("192.0.2.50", 40000), False),
        ],
    )
    def test_who_moves(self, follow: Follow, peer: tuple[str, int], taken: bool) -> None:
        platform = Platform(policy=Policy(follow=follow))
        platform.register()
        flow = Flow("UDP", peer, ("192.0.2.10", 5060))
        assert platform.ask(KEEPALIVE, flow).status == (200 if taken else 403)
        assert [event.flow for event in platform.of(DeviceMoved)] == ([flow] if taken else [])
        assert (platform.registrar.devices[DEVICE].flow == flow) is taken
        if not taken:
            assert platform.of(SenderRefused)[-1].reason is Refusal.ELSEWHERE

    def test_everything_else_of_a_device_is_left_to_others(self) -> None:
        platform = Platform()
        platform.register()
        body = write(queries.CatalogQuery(sn=1, device_id=DEVICE), GBT_28181_2022)
        request = parse_message(KEEPALIVE)
        assert isinstance(request, Request)
        request.body = body
        platform.endpoint.receive_datagram(bytes(request), platform.registrar.devices[DEVICE].flow, platform.now)
        platform.step()
        assert [event.request.body for event in platform.left] == [body]
