"""What a hostile or broken peer sends to a whole device and a whole platform: it is answered, and they go on."""

from __future__ import annotations

import random
from contextlib import suppress
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from gb28181 import GBT_28181_2016, GBT_28181_2022, Gb28181Error, Rules
from gb28181.device import Account, ControlDone, Device
from gb28181.manscdp import BODIES, Kind, elements_of, write
from gb28181.manscdp.items import CatalogItem
from gb28181.manscdp.queries import CatalogQuery
from gb28181.manscdp.responses import CatalogAnswer
from gb28181.platform import Credential, DeviceRegistered, Platform, Policy, Refusal, SenderRefused
from gb28181.platform.catalog import Catalog
from gb28181.platform.platform import PlatformReport
from gb28181.sdp import Session
from gb28181.sip import (
    Challenge,
    Credentials,
    Endpoint,
    Flow,
    Request,
    Response,
    StreamFramer,
    answer,
    parse_message,
    respond,
)

from .examples import CHANNEL, DEVICE, DOMAIN, PASSWORD, PLATFORM
from .test_device import equipment, play
from .test_fuzz import PIECES, mutated
from .wire import DEVICE_AT, PLATFORM_AT

AT_PLATFORM = Flow("UDP", DEVICE_AT, PLATFORM_AT)
AT_DEVICE = Flow("UDP", PLATFORM_AT, DEVICE_AT)
XML = "Content-Type: Application/MANSCDP+xml"
CONTACT = "Contact: <sip:x@192.0.2.50:5060>"


class Asking:
    """Requests as text, each with a branch, a Call-ID and a number of its own."""

    def __init__(self) -> None:
        self.numbers = count(1)

    def __call__(
        self, method: str, *more: str, body: bytes = b"", to: str = f"<sip:{DEVICE}@{DOMAIN}>", **changed: str
    ) -> bytes:
        n = next(self.numbers)
        lines = [
            f"{method} sip:{changed.get('code', PLATFORM)}@{DOMAIN} SIP/2.0",
            f"Via: SIP/2.0/UDP 192.0.2.50:5060;rport;branch=z9hG4bKh{n}",
            f"From: {changed.get('from_', f'<sip:{DEVICE}@{DOMAIN}>;tag=h{n}')}",
            f"To: {to}",
            f"Call-ID: {changed.get('call_id', f'h{n}')}",
            f"CSeq: {n} {method}",
            *more,
            f"Content-Length: {len(body)}",
        ]
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


class AtPlatform:
    """A platform that is asked directly."""

    def __init__(self, password: str | None = None, policy: Policy | None = None) -> None:
        numbers = count()
        self.endpoint = Endpoint(random.Random("platform"))
        self.core = Platform(
            self.endpoint,
            PLATFORM,
            lambda code: Credential(password),
            nonce=lambda: f"nonce{next(numbers)}",
            wall_ms=lambda: 0,
            policy=policy or Policy(challenge=password is not None),
        )
        self.ask = Asking()
        self.told: list[PlatformReport] = []

    def take(self, data: bytes, now: float = 1000.0) -> list[bytes]:
        self.endpoint.receive_datagram(data, AT_PLATFORM, now)
        self.core.step(now)
        self.endpoint.handle_timeout(now)
        self.core.step(now)
        self.told += self.core.events()
        return [out for _, out in self.endpoint.data_to_send()]

    def register(self, *more: str) -> list[bytes]:
        return self.take(self.ask("REGISTER", "Expires: 3600", *(more or (CONTACT,))))


class AtDevice:
    """A registered device that is asked directly."""

    def __init__(self, rules: Rules = GBT_28181_2022, date: str = "2026-01-02T03:04:05.678") -> None:
        self.endpoint = Endpoint(random.Random("device"))
        account = Account.of(rules, DEVICE, PLATFORM, PASSWORD)
        self.core = Device(
            self.endpoint, account, rules, equipment(), chance=random.Random(1), wall_ms=lambda: 1767294245678
        )
        self.core.start(AT_DEVICE, 1000.0)
        self.ask = Asking()
        self.told: list[object] = []
        ((_, register),) = self.endpoint.data_to_send()
        told = (("Expires", "3600"), ("Date", date))
        self.take(bytes(respond(parse_message(register), 200, headers=told)))  # type: ignore[arg-type]

    def take(self, data: bytes, now: float = 1001.0) -> list[bytes]:
        self.endpoint.receive_datagram(data, AT_DEVICE, now)
        self.core.step(now)
        self.endpoint.handle_timeout(now)
        self.core.step(now)
        self.told += self.core.events()
        return [out for _, out in self.endpoint.data_to_send()]

    def query(self, root: str, cmd_type: str, inside: str = "", code: str = DEVICE) -> list[bytes]:
        body = f"<{root}><CmdType>{cmd_type}</CmdType><SN>1</SN><DeviceID>{code}</DeviceID>{inside}</{root}>"
        return self.take(self.ask("MESSAGE", XML, body=body.encode()))


def statuses(answers: list[bytes]) -> list[int]:
    return [int(one.split(b" ")[1]) for one in answers if one.startswith(b"SIP/2.0")]


# Values that no header holds


@pytest.mark.parametrize("sign", ["\r", "\x00", "\r\x00\r"])
@pytest.mark.parametrize("name", ["Contact", "Require", "User-Agent", "X-GB-Ver"])
def test_a_lone_cr_or_nul_in_a_header_ends_nothing(name: str, sign: str) -> None:
    site = AtPlatform()
    value = f"<sip:x@192.0.2.50>;y=a{sign}Evil: 1" if name == "Contact" else f"a{sign}Evil: 1"
    (answered, *_) = site.register(*({"Contact": CONTACT} | {name: f"{name}: {value}"}).values())
    assert statuses([answered]) == [420 if name == "Require" else 200]
    assert b"\r" not in answered.replace(b"\r\n", b"")
    assert b"\x00" not in answered
    assert b"\nEvil" not in answered
    assert statuses(site.register())[:1] == [200]


def test_what_was_read_as_blanks_is_told() -> None:
    message = parse_message(Asking()("OPTIONS", "X: a\rb\x00c"))
    assert message.headers.get("X") == "a b c"
    assert [(each.code, each.found) for each in message.deviations] == [("control-characters", "2")]


# Addresses that cannot be read


@pytest.mark.parametrize("to", ["nobody", "", ">", "x;tag=1", "\udcff", '"', f"sip:{DEVICE}"])
@pytest.mark.parametrize("method", ["MESSAGE", "REGISTER", "INVITE", "SUBSCRIBE", "BYE", "OPTIONS", "NOTIFY"])
def test_a_to_that_cannot_be_read_is_answered_and_nothing_stays(method: str, to: str) -> None:
    for site in (AtPlatform(), AtDevice()):
        data = site.ask(method, to="TO").replace(b"TO\r\n", to.encode("utf-8", "surrogateescape") + b"\r\n")
        assert [status for status in statuses(site.take(data)) if status >= 200]
        (peer,) = site.endpoint._peers.values()
        assert peer.unanswered == 0
        assert statuses(site.take(site.ask("OPTIONS"))) in ([200], [403])


def test_a_request_within_a_call_says_who_speaks() -> None:
    site = AtDevice()
    offer = play(rules=GBT_28181_2022)
    answers = site.take(site.ask("INVITE", CONTACT, "Content-Type: application/sdp", body=offer, code=CHANNEL))
    accepted = parse_message(answers[-1])
    assert isinstance(accepted, Response)
    for method in ("INFO", "BYE", "MESSAGE"):
        data = site.ask(method, to=str(accepted.to), call_id=accepted.call_id, from_="nobody")
        assert statuses(site.take(data)) == [400]
    assert site.endpoint.calls == 1
    data = site.ask("BYE", to=str(accepted.to), call_id=accepted.call_id, from_=str(accepted.from_))
    assert statuses(site.take(data)) == [200]
    assert site.endpoint.calls == 0


# Proofs


def test_a_proof_is_not_good_again_with_a_counter_written_beside_it() -> None:
    site = AtPlatform(PASSWORD)
    (challenge,) = site.register()
    asked = Challenge.parse(parse_message(challenge).headers.get("WWW-Authenticate") or "")
    proof = answer(asked, username=DEVICE, password=PASSWORD, method="REGISTER", uri="sip:x@y")
    assert statuses(site.register(CONTACT, f"Authorization: {proof}"))[:1] == [200]
    for nc in ("", ",nc=00000002", ",nc=ffffffff,cnonce=x"):
        assert statuses(site.register(CONTACT, f"Authorization: {proof}{nc}")) == [401]
    refused = [event.reason for event in site.told if isinstance(event, SenderRefused)]
    assert refused == [Refusal.REPLAYED] * 3
    assert Credentials.parse(f"{proof},nc=00000002").nc == "00000002"


# Streams


def test_a_body_that_drips_is_not_searched_anew_for_each_byte() -> None:
    """Where each byte led to a look at all headers this took minutes."""
    head = b"MESSAGE sip:a@b SIP/2.0\r\n" + b"X: y\r\n" * 2500 + b"Content-Length: 60000\r\n\r\n"
    framer = StreamFramer()
    assert framer.feed(head) == []
    found = [message for _ in range(60_000) for message in framer.feed(b"x")]
    assert found == [head + b"x" * 60_000]
    assert framer.pending == 0


# What a platform keeps of its devices


def test_devices_that_come_and_go_leave_nothing_behind() -> None:
    site = AtPlatform(policy=Policy(challenge=False, max_devices=5))
    for number in range(40):
        code = f"340200000013200{number:05d}"
        site.take(site.ask("REGISTER", CONTACT, "Expires: 3600", from_=f"<sip:{code}@{DOMAIN}>;tag=a"))
        question = site.core.ask(code, CatalogQuery(device_id=code), 1000.0)
        site.take(site.ask("MESSAGE", XML, body=catalog(question.body.sn, code), from_=f"<sip:{code}@{DOMAIN}>;tag=a"))
        assert len(site.core.catalogs[code]) == 1
        site.take(site.ask("REGISTER", CONTACT, "Expires: 0", from_=f"<sip:{code}@{DOMAIN}>;tag=a"))
    assert len(site.core.devices) == 0
    assert len(site.core.catalogs) == 5


def catalog(sn: int | None, code: str) -> bytes:
    return write(CatalogAnswer(sn=sn, device_id=code, total=1, items=(CatalogItem(device_id=CHANNEL),)), GBT_28181_2016)


def test_a_catalogue_does_not_grow_beyond_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gb28181.platform.catalog.MAX_ITEMS", 3)
    known = Catalog(DEVICE)
    changed = known.change(CatalogItem(device_id=f"{number:020d}", event="ADD") for number in range(9))
    assert len(changed) == len(known) == 3
    assert known.change([CatalogItem(device_id=changed[0], event="UPDATE", name="x")]) == changed[:1]


def test_long_texts_of_a_device_are_cut_where_they_are_kept() -> None:
    site = AtPlatform()
    contact = f"Contact: <sip:x@192.0.2.50>;y={'z' * 9000}"
    (answered, *_) = site.register(contact, f"User-Agent: {'a' * 5000}", "X: y")
    assert contact.encode() in answered
    device = site.core.device(DEVICE)
    assert (len(device.user_agent), len(device.contact_text)) == (256, 256)
    first = device.user_agent
    site.register(CONTACT, f"User-Agent: {'a' * 5000}")
    assert device.user_agent is first
    for number in range(1200):
        site.register(CONTACT, f"User-Agent: {number}")
    assert len(site.core.registrar._makes) <= 1000


# A platform that tells a device what it cannot live with


@pytest.mark.parametrize(
    "date", ["0001-01-01T00:00:00.000", "9999-12-31T23:59:59.999", "0001-01-01T00:00:00+14:00", "soon"]
)
def test_a_time_that_no_clock_has_is_not_taken_over(date: str) -> None:
    site = AtDevice(date=date)
    assert site.core.clock_ahead_ms == 0
    answers = site.query("Query", "DeviceStatus")
    assert b"<DeviceTime>2026-01-02T03:04:05</DeviceTime>" in answers[-1]


@pytest.mark.parametrize("name", ["Expiration", "HeartBeatInterval", "HeartBeatCount"])
@pytest.mark.parametrize("value", ["0", "-5", "999999999999999999"])
def test_a_period_that_is_none_is_refused(name: str, value: str) -> None:
    site = AtDevice()
    before = site.core.registration.account
    answers = site.query("Control", "DeviceConfig", f"<BasicParam><{name}>{value}</{name}></BasicParam>")
    assert b"<Result>ERROR</Result>" in answers[-1]
    assert site.core.registration.account == before
    (done,) = [event for event in site.told if isinstance(event, ControlDone)]
    assert done.why == f"{name}: expected 1 to 2147483647, found {value}"


@pytest.mark.parametrize("session", ["Playback", "Download"])
@pytest.mark.parametrize("period", ["1 9999999999999999999", "999999999999 9999999999999", "0 253402272000"])
def test_a_period_that_no_calendar_has_is_refused(session: str, period: str) -> None:
    site = AtDevice()
    offer = (
        f"v=0\r\no={PLATFORM} 0 0 IN IP4 192.0.2.10\r\ns={session}\r\nu={CHANNEL}:0\r\nc=IN IP4 192.0.2.10\r\n"
        f"t={period}\r\nm=video 30000 RTP/AVP 96\r\na=recvonly\r\ny=1200000001\r\n"
    )
    data = site.ask("INVITE", CONTACT, "Content-Type: application/sdp", body=offer.encode(), code=CHANNEL)
    assert statuses(site.take(data)) == [100, 400]


# Everything, damaged


def value_of(row: Any) -> Any:
    plain = {
        Kind.TEXT: "A50F01840103003D"
        if row.tag == "PTZCmd"
        else "BasicParam/OSDConfig"
        if "Config" in row.tag
        else "1",
        Kind.ID: CHANNEL,
        Kind.INTEGER: 1,
        Kind.DECIMAL: Decimal("1.5"),
        Kind.DATETIME: "2026-01-02T03:04:05",
        Kind.SWITCH: "ON",
        Kind.RESULT: "OK",
    }
    one = plain[row.kind] if isinstance(row.kind, Kind) else row.kind(**values_of(row.kind))
    return (one,) if row.item or row.most > 1 else one


def values_of(cls: Any) -> dict[str, Any]:
    return {row.python: value_of(row) for row in elements_of(cls)}


BODIES_OF_ALL = [write(cls(**values_of(cls)), GBT_28181_2022, anyway=True) for cls in BODIES.values()]
RTSP = [b"PLAY RTSP/1.0\r\nCSeq: 5\r\nScale: -1.0\r\nRange: npt=600-120\r\n\r\n", b"PAUSE RTSP/1.0\r\nCSeq: 2\r\n\r\n"]
EDGES = [b"\r", b"\x00", b"-1", b"1e999", b"NaN", b"9" * 30, b"9" * 5000, b"\r\n ", b"\xe2\x80\xa8", b"\x85"]


class Attacker:
    """Sends damaged messages of every kind to both roles, within calls that it began too."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.ask = Asking()
        self.renew()

    def renew(self) -> None:
        self.device = AtDevice(self.chance.choice([GBT_28181_2016, GBT_28181_2022]))
        self.platform = AtPlatform()
        self.platform.register()
        self.calls: list[tuple[str, str]] = []
        self.now = 1001.0

    def damaged(self, data: bytes) -> bytes:
        if self.chance.random() < 0.2:
            at = self.chance.randrange(len(data) + 1)
            data = data[:at] + self.chance.choice([*EDGES, *PIECES]) + data[at:]
        return mutated(self.chance, data) if self.chance.random() < 0.6 else data

    def message(self) -> bytes:
        chance, body = self.chance, self.damaged(self.chance.choice(BODIES_OF_ALL))
        match chance.randrange(7):
            case 0:
                kinds = [b"Play", b"Playback", b"Download", b"Talk"]
                offer = play().replace(b"s=Play", b"s=" + chance.choice(kinds)).replace(b"t=0 0", b"t=1 600")
                return self.ask(
                    "INVITE", CONTACT, "Content-Type: application/sdp", body=self.damaged(offer), code=CHANNEL
                )
            case 1:
                return self.ask("SUBSCRIBE", CONTACT, "Expires: 90", "Event: presence", XML, body=body)
            case 2:
                return self.ask("REGISTER", CONTACT, "Expires: 3600", "X-GB-Ver: 3.0")
            case 3 if self.calls:
                call_id, to = chance.choice(self.calls)
                method = chance.choice(["INFO", "INFO", "BYE", "ACK", "MESSAGE"])
                return self.ask(method, body=self.damaged(chance.choice(RTSP)), to=to, call_id=call_id)
            case _:
                return self.ask("MESSAGE", XML, body=body)

    def send(self) -> None:
        data = self.damaged(self.message()) if self.chance.random() < 0.3 else self.message()
        self.now += self.chance.random() * 3
        if self.chance.random() < 0.1:
            self.demand()
        for site in (self.platform, self.device):
            for out in site.take(data, self.now):
                with suppress(Gb28181Error):
                    self.react(site, parse_message(out))

    def demand(self) -> None:
        """Let the platform ask, subscribe and call, so that there is something to answer wrongly."""
        core, query = self.platform.core, CatalogQuery(device_id=DEVICE)
        with suppress(Gb28181Error):
            device = core.device(DEVICE)
            core.ask(DEVICE, query, self.now)
            core.subscriptions.subscribe(device, query, 60, self.now)
            core.calls.invite(device, CHANNEL, Session.PLAY, ("192.0.2.10", 30000), self.now)

    def react(self, site: AtPlatform | AtDevice, message: Request | Response) -> None:
        if not isinstance(message, Response):
            headers = [("Contact", "<sip:x@192.0.2.1>"), ("Expires", "60"), ("Date", "2026-01-02T03:04:05.678")]
            body = play() if message.method == "INVITE" else b""
            status = self.chance.choice([100, 180, 200, 200, 200, 302, 401, 404])
            site.take(self.damaged(bytes(respond(message, status, to_tag="z", headers=headers, body=body))), self.now)
        elif message.status == 200 and message.cseq.method == "INVITE":
            self.calls.append((message.call_id, str(message.to)))
            site.take(self.ask("ACK", to=str(message.to), call_id=message.call_id), self.now)


def attack(seed: int, times: int) -> Attacker:
    attacker = Attacker(seed)
    for number in range(times):
        if number % 300 == 299:
            attacker.renew()
        attacker.send()
    return attacker


@pytest.mark.parametrize("seed", range(3))
def test_both_roles_survive_whatever_comes(seed: int) -> None:
    attacker = attack(seed, 1_200)
    for _ in range(400):  # everything that began ends by its timers
        attacker.now += 10.0
        for site in (attacker.platform, attacker.device):
            site.endpoint.handle_timeout(attacker.now)
            site.core.step(attacker.now)
            site.endpoint.data_to_send()
    core, endpoint = attacker.platform.core, attacker.platform.endpoint
    assert (len(core.calls), len(core.calls.ssrcs), len(core.subscriptions), len(core.questions)) == (0, 0, 0, 0)
    assert (endpoint.transactions, endpoint.calls, endpoint.subscriptions) == (0, 0, 0)
    attacker.renew()
    assert any(isinstance(event, DeviceRegistered) for event in attacker.platform.told)


@pytest.mark.soak
def test_both_roles_survive_two_hundred_thousand_messages() -> None:
    for seed in range(100, 140):
        attack(seed, 5_000)
