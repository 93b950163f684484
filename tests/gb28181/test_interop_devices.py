"""Our platform in front of devices as the field has them: srs_bench, 445990772, and what Hikvision, Dahua, Uniview and
others write otherwise than the standard (reference: deviations of the field).

What a device says is written out as text, and its proof computed here; nothing of it is built or read by our own code.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from gb28181 import mansrtsp
from gb28181.manscdp import notifies, queries
from gb28181.platform import (
    CallChanged,
    CallControlled,
    CallState,
    CatalogChanged,
    Credential,
    DeviceOffline,
    DeviceRegistered,
    DeviceUnregistered,
    KeepaliveReceived,
    NoticeReceived,
    Platform,
    Policy,
    Question,
    Refusal,
    SenderRefused,
    Why,
)
from gb28181.sdp import Session
from gb28181.sip import Endpoint, Flow

from .examples import CHANNEL, DEVICE, DOMAIN, PASSWORD, PLATFORM
from .peers import Heard, Peer, hashed, user_of
from .wire import Wire

WALL_MS = 1767294245678
PERIOD = (1767294000, 1767294100)
VOICE = "34020000001370000001"


class Camera(Peer):
    """A device: registers with a digest, answers what it is asked, takes calls. Subclasses have their own texts."""

    REGISTER = f"""
REGISTER sip:{PLATFORM}@{DOMAIN} SIP/2.0
Via: SIP/2.0/{{transport}} 192.0.2.50:5060;rport;branch=z9hG4bKr{{n}}
From: <sip:{DEVICE}@{DOMAIN}>;tag=1463978591
To: <sip:{DEVICE}@{DOMAIN}>
Call-ID: 1175838473
CSeq: {{n}} REGISTER
Contact: <sip:{DEVICE}@192.0.2.50:5060>
Max-Forwards: 70
User-Agent: IP Camera
Expires: {{expires}}"""
    MESSAGE = f"""
MESSAGE sip:{PLATFORM}@{DOMAIN} SIP/2.0
Via: SIP/2.0/{{transport}} 192.0.2.50:5060;rport;branch=z9hG4bKm{{n}}
From: <sip:{DEVICE}@{DOMAIN}>;tag=8{{n}}
To: <sip:{PLATFORM}@{DOMAIN}>
Call-ID: 99{{n}}
CSeq: 20 MESSAGE
Max-Forwards: 70
Content-Type: Application/MANSCDP+xml"""
    KEEPALIVE = f"""
<?xml version="1.0" encoding="GB2312"?>
<Notify>
<CmdType>Keepalive</CmdType>
<SN>43</SN>
<DeviceID>{DEVICE}</DeviceID>
<Status>OK</Status>
</Notify>
"""
    CATALOG = f"""
<?xml version="1.0" encoding="GB2312"?>
<Response>
<CmdType>Catalog</CmdType>
<SN>{{sn}}</SN>
<DeviceID>{DEVICE}</DeviceID>
<SumNum>1</SumNum>
<DeviceList Num="1">
<Item>
<DeviceID>{CHANNEL}</DeviceID>
<Name>大门</Name>
<Manufacturer>x</Manufacturer>
<Parental>0</Parental>
<ParentID>{DEVICE}</ParentID>
<Status>ON</Status>
</Item>
</DeviceList>
</Response>
"""
    CONTACT = f"Contact: <sip:{CHANNEL}@192.0.2.50:5060>"
    ANSWER = f"""
v=0
o={CHANNEL} 0 0 IN IP4 192.0.2.50
s={{session}}
c=IN IP4 192.0.2.50
t=0 0
m=video 62000 {{protocol}} 96
a=sendonly
a=rtpmap:96 PS/90000
y={{y}}
"""
    USERNAME = DEVICE
    charset = "gb18030"
    ends = "\r\n"
    digests = True

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire, "device")
        self.transport = wire.there.transport
        self.numbers = count(1)
        self.expires = 3600
        self.parts = [self.CATALOG]
        self.bye = "200 OK"
        self.invites: list[Heard] = []
        #: What else is done with a request; true where that was all.
        self.instead: Callable[[Heard], bool] = lambda heard: False

    def say(self, text: str, body: bytes = b"", *, ends: str = "") -> None:
        super().say(text, body, ends=ends or self.ends)

    def written(self, text: str, **values: Any) -> bytes:
        return text.format(**values).strip("\n").replace("\n", self.ends).encode(self.charset)

    def register(self, expires: int = 3600, proof: str = "") -> None:
        self.expires = expires
        head = self.REGISTER.format(transport=self.transport, n=next(self.numbers), expires=expires)
        self.say(head + (f"\nAuthorization: {proof}" if proof else ""))

    def proof(self, realm: str, nonce: str) -> str:
        """Authorization as most write it."""
        uri = f"sip:{PLATFORM}@{DOMAIN}"
        response = hashed(hashed(self.USERNAME, realm, PASSWORD), nonce, hashed("REGISTER", uri))
        return (
            f'Digest username="{self.USERNAME}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
            f'response="{response}", algorithm=MD5'
        )

    def tell(self, body: str, head: str = "", **values: Any) -> None:
        self.say(
            (head or self.MESSAGE).format(transport=self.transport, n=next(self.numbers)), self.written(body, **values)
        )

    def answered(self, heard: Heard) -> None:
        if heard.status == 401 and self.digests:
            challenge = heard["WWW-Authenticate"]
            assert challenge.startswith("Digest ")
            parts = dict(pair.strip().split("=", 1) for pair in challenge[7:].split(","))
            # Some recorders pass over a challenge that names no algorithm.
            assert parts["algorithm"] == "MD5"
            self.register(self.expires, self.proof(parts["realm"].strip('"'), parts["nonce"].strip('"')))

    def asked(self, heard: Heard) -> None:
        if self.instead(heard) or heard.method == "ACK":
            return
        if heard.method == "INVITE":
            self.invites.append(heard)
            self.called(heard)
        elif heard.method == "BYE":
            self.reply(heard, self.bye)
        else:
            self.reply(heard, "200 OK")
            if heard.xml("CmdType") == "Catalog":
                for part in self.parts:
                    self.tell(part, sn=heard.xml("SN"))

    def called(self, heard: Heard, **changes: str) -> None:
        self.reply(heard, "100 Trying")
        values = {
            "session": heard.sdp("s")[0],
            "protocol": heard.sdp("m")[0].split(" ")[2],
            "y": heard.sdp("y")[0],
            **changes,
        }
        text = self.ANSWER.format(**values).strip("\n") + "\n"
        self.reply(
            heard, "200 OK", self.CONTACT, "Content-Type: application/sdp", body=text.replace("\n", "\r\n").encode()
        )


class Site:
    """A device of others at our platform, in virtual time."""

    def __init__(
        self,
        camera: type[Camera] = Camera,
        transport: str = "UDP",
        *,
        policy: Policy | None = None,
        known: Credential | None = None,
        device: str = DEVICE,
    ) -> None:
        self.wire = Wire(transport)
        self.camera = camera(self.wire)
        self.device = device
        self.endpoint = Endpoint(random.Random("platform"))
        numbers = count()
        self.platform = Platform(
            self.endpoint,
            PLATFORM,
            {device: known or Credential(PASSWORD)}.get,
            nonce=lambda: f"nonce{next(numbers)}",
            wall_ms=lambda: WALL_MS,
            policy=policy,
        )
        self.seen: list[Any] = []
        self.wire.join("platform", self.endpoint, self.step)

    def step(self) -> None:
        self.platform.step(self.wire.now)
        self.seen += self.platform.events()

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.seen if isinstance(event, kind)]

    def registered(self) -> Site:
        self.camera.register()
        self.wire.run(1)
        assert self.device in self.platform.devices, self.seen
        return self

    def ask(self, body: Any = None, seconds: float = 3.0) -> Question:
        question = self.platform.ask(
            self.device, queries.CatalogQuery(device_id=self.device) if body is None else body, self.wire.now
        )
        self.wire.run(seconds)
        return question

    def names(self) -> list[str | None]:
        question = self.ask()
        assert question.collected is not None, question.why
        assert question.collected.complete
        return [item.name for item in question.collected.items]

    def invite(self, code: str = CHANNEL, session: Session = Session.PLAY, seconds: float = 2.0, **options: Any) -> Any:
        if session.history:
            options.setdefault("period", PERIOD)
        device = self.platform.device(self.device)
        call = self.platform.calls.invite(device, code, session, ("192.0.2.10", 30000), self.wire.now, **options)
        self.wire.run(seconds)
        return call

    def rest(self) -> None:
        """Let the device go, and see that nothing is left."""
        for call in self.platform.calls:
            self.platform.calls.hang_up(call, self.wire.now)
        self.wire.run(1)
        self.camera.register(0)
        self.wire.run(100)
        assert self.of(DeviceUnregistered)
        assert (self.endpoint.transactions, self.endpoint.calls, self.endpoint.subscriptions) == (0, 0, 0)
        assert (len(self.platform.questions), len(self.platform.calls.ssrcs)) == (0, 0)


def test_a_camera_without_any_deviation() -> None:
    site = Site().registered()
    assert site.names() == ["大门"]
    call = site.invite()
    assert call.state is CallState.OPEN
    site.rest()


# srs_bench


class SrsBench(Camera):
    """TCP; a private address in Contact and Via that nobody reaches; no digest; keepalives without Content-Type."""

    REGISTER = Camera.REGISTER.replace("192.0.2.50:5060", "192.168.3.99:5060")
    MESSAGE = Camera.MESSAGE.replace("192.0.2.50:5060", "192.168.3.99:5060").replace(
        "\nContent-Type: Application/MANSCDP+xml", ""
    )
    CONTACT = f"Contact: <sip:{DEVICE}@192.168.3.99:5060>"
    digests = False


OPEN: dict[str, Any] = {"policy": Policy(challenge=False)}


class TestSrsBench:
    @pytest.mark.parametrize(
        "how", [OPEN, {"known": Credential(None)}], ids=["nobody-is-challenged", "this-one-is-not"]
    )
    def test_who_needs_no_password_registers_without_a_proof(self, how: dict[str, Any]) -> None:
        site = Site(SrsBench, "TCP", **how).registered()
        assert [heard.status for heard in site.camera.heard] == [200]
        assert site.camera.heard[0]["Via"].startswith("SIP/2.0/TCP 192.168.3.99:5060;")
        site.rest()

    def test_where_a_password_is_needed_it_stays_outside(self) -> None:
        site = Site(SrsBench, "TCP")
        site.camera.register()
        site.camera.tell(SrsBench.KEEPALIVE)
        site.wire.run(1)
        assert [heard.status for heard in site.camera.heard] == [401, 403]
        assert not site.platform.devices
        assert [event.reason for event in site.of(SenderRefused)] == [Refusal.UNREGISTERED]

    def test_everything_for_it_goes_down_its_connection_whatever_contact_says(self) -> None:
        site = Site(SrsBench, "TCP", **OPEN).registered()
        device = site.platform.device(DEVICE)
        assert device.flow == site.wire.back
        assert device.contact is not None
        assert device.contact.uri.host == "192.168.3.99"
        call = site.invite(DEVICE)
        (invite,) = site.camera.invites
        assert (invite.user, user_of(invite["To"])) == (DEVICE, DEVICE)
        assert "192.168.3.99" not in invite.first
        assert invite.sdp("y") == [call.ssrc]
        assert call.state is CallState.OPEN
        site.platform.calls.hang_up(call, site.wire.now)
        site.wire.run(1)
        assert [heard.method for heard in site.camera.heard if heard.method] == ["INVITE", "ACK", "BYE"]
        assert call.state is CallState.ENDED
        site.rest()

    def test_a_keepalive_without_content_type_is_one(self) -> None:
        site = Site(SrsBench, "TCP", **OPEN).registered()
        site.camera.tell(SrsBench.KEEPALIVE)
        site.wire.run(1)
        assert site.camera.responses("20 MESSAGE") == [200]
        assert [event.body.status for event in site.of(KeepaliveReceived)] == ["OK"]
        site.rest()


# 445990772


class Simple(Camera):
    """UDP; lines end in LF; UTF-8 under a declaration of GB2312; two tags in the 200 to a BYE."""

    ends = "\n"
    charset = "utf-8"

    def reply(self, heard: Heard, status: str, *lines: str, body: bytes = b"", tag: str = "") -> None:
        if heard.method == "BYE":
            head = [f"SIP/2.0 {status}", f"Via: {heard['Via']}", f"From: {heard['From']}"]
            head += [f"To: {heard['To']};tag=second", f"Call-ID: {heard['Call-ID']}", f"CSeq: {heard['CSeq']}"]
            self.say("\n".join(head))
        else:
            super().reply(heard, status, *lines, body=body, tag=tag)


class Test445990772:
    def test_lines_that_end_in_lf_are_read(self) -> None:
        site = Site(Simple).registered()
        site.camera.tell(Simple.KEEPALIVE)
        site.wire.run(1)
        assert site.of(KeepaliveReceived)
        assert site.ask().why is None
        site.rest()

    @pytest.mark.parametrize(
        "how",
        [{"known": Credential(PASSWORD, charset="auto")}, {"policy": Policy(charset="auto")}],
        ids=["this-one", "all"],
    )
    def test_utf8_declared_as_gb2312_is_read_where_the_platform_was_told(self, how: dict[str, Any]) -> None:
        site = Site(Simple, **how).registered()
        assert site.names() == ["大门"]  # six bytes that are three characters of GBK just as well
        site.rest()

    @pytest.mark.parametrize("charset", ["", "auto", "GB18030"])
    def test_a_device_that_is_right_is_read_right_all_the_same(self, charset: str) -> None:
        site = Site(Camera, known=Credential(PASSWORD, charset=charset)).registered()
        assert site.names() == ["大门"]
        site.rest()

    def test_two_tags_in_the_answer_to_a_bye_end_the_call(self) -> None:
        site = Site(Simple).registered()
        call = site.invite()
        assert call.state is CallState.OPEN
        site.platform.calls.hang_up(call, site.wire.now)
        site.wire.run(1)
        assert (call.state, len(site.platform.calls)) == (CallState.ENDED, 0)
        site.rest()


# Registration, keepalives, NAT (14.1)


class Dahua(Camera):
    """Answers by RFC 2617 with a counter, though no qop was offered."""

    def proof(self, realm: str, nonce: str) -> str:
        uri = "sip:192.0.2.10:5060"
        ha1, ha2 = hashed(self.USERNAME, realm, PASSWORD), hashed("REGISTER", uri)
        response = hashed(ha1, nonce, "00000001", "0a4f113b", "auth", ha2)
        return (
            f'Digest username="{self.USERNAME}",realm="{realm}",nonce="{nonce}",uri="{uri}",response="{response}",'
            'cnonce="0a4f113b",qop="auth",nc=00000001'
        )


class TestRegistrations:
    def test_a_counter_that_nobody_asked_for_is_a_proof_too(self) -> None:
        Site(Dahua).registered().rest()

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            (f"REGISTER sip:{PLATFORM}@{DOMAIN}", f"REGISTER sip:{PLATFORM}@203.0.113.7:15060"),
            (f"REGISTER sip:{PLATFORM}@{DOMAIN}", "REGISTER sip:203.0.113.7:15060"),
            (f"REGISTER sip:{PLATFORM}@{DOMAIN}", f"REGISTER sip:{PLATFORM}@3402000000.spvmn.cn"),
            ("Max-Forwards: 70", f"Max-Forwards: 70\nRoute: <sip:{DEVICE}@{DOMAIN};lr>"),
            ("Max-Forwards: 70\n", ""),
            ("CSeq: {n} REGISTER", "CSeq: {n} Register"),
            (f"Contact: <sip:{DEVICE}@192.0.2.50:5060>", f'Contact: "IPC" <sip:{DEVICE}@10.0.0.9>;q=1.0'),
            (f"From: <sip:{DEVICE}@{DOMAIN}>;tag", f"From: sip:{DEVICE}@{DOMAIN};tag"),
            ("branch=z9hG4bKr{n}", "branch=branch-{n}"),
            ("Expires: {expires}", "expires:{expires}"),
        ],
        ids=[
            "public-ip",
            "no-user",
            "spvmn",
            "route",
            "no-max-forwards",
            "cseq-case",
            "contact",
            "bare",
            "branch",
            "case",
        ],
    )
    def test_odd_headers_are_read(self, old: str, new: str) -> None:
        class Odd(Camera):
            REGISTER = Camera.REGISTER.replace(old, new)

        assert Odd.REGISTER != Camera.REGISTER
        Site(Odd).registered().rest()

    def test_a_username_of_its_own_is_that_of_the_credential(self) -> None:
        class Named(Camera):
            USERNAME = "admin"

        Site(Named, known=Credential(PASSWORD, "admin")).registered().rest()

    def test_a_device_with_the_code_of_a_server_is_one(self) -> None:
        code = "34020000002000000777"

        class Hikvision(Camera):
            REGISTER = Camera.REGISTER.replace(DEVICE, code)
            MESSAGE = Camera.MESSAGE.replace(DEVICE, code)
            USERNAME = code

        site = Site(Hikvision, device=code).registered()
        site.camera.tell(Hikvision.KEEPALIVE)
        site.wire.run(1)
        assert [event.device_id for event in site.of(KeepaliveReceived)] == [code]
        site.rest()

    def test_a_refresh_that_begins_with_the_old_nonce_is_told_the_new_one_and_never_locked_out(self) -> None:
        site = Site(policy=Policy(max_failures=3)).registered()
        for _ in range(8):
            last = next(heard for heard in reversed(site.camera.heard) if heard.status == 401)
            nonce = last["WWW-Authenticate"].split('nonce="')[1].split('"')[0]
            site.camera.register(3600, site.camera.proof(DOMAIN, nonce))
            site.wire.run(10)
            stale = next(heard for heard in reversed(site.camera.heard) if heard.status == 401)
            assert "stale=true" in stale["WWW-Authenticate"]
        assert [event.refresh for event in site.of(DeviceRegistered)] == [False] + [True] * 8
        site.rest()

    def test_a_star_in_contact_ends_the_registration(self) -> None:
        site = Site().registered()
        site.camera.REGISTER = Camera.REGISTER.replace(f"Contact: <sip:{DEVICE}@192.0.2.50:5060>", "Contact: *")
        site.rest()

    def test_after_another_port_was_heard_from_requests_go_there(self) -> None:
        site = Site().registered()
        moved = Flow("UDP", ("192.0.2.50", 40001), site.wire.back.local)
        head = Camera.MESSAGE.format(transport="UDP", n=900).strip("\n")
        body = site.camera.written(Camera.KEEPALIVE)
        data = f"{head}\nContent-Length: {len(body)}\n\n".replace("\n", "\r\n").encode() + body
        site.endpoint.receive_datagram(data, moved, site.wire.now)
        site.step()
        site.endpoint.data_to_send()
        site.platform.ask(DEVICE, queries.CatalogQuery(device_id=DEVICE), site.wire.now)
        ((flow, data),) = site.endpoint.data_to_send()
        assert flow.peer == ("192.0.2.50", 40001)
        assert data.startswith(b"MESSAGE ")


# Bodies (14.2)


class TestBodies:
    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("<Name>大门</Name>", "<Name> 大门 </Name>"),
            ("<Status>ON</Status>", "<Status></Status>"),
            ("<Status>ON</Status>", "<Status>ONLINE</Status>"),
            ("<Parental>0</Parental>", "<Parental>65535</Parental>"),
            ("<Parental>0</Parental>", "<Parental></Parental><Longitude></Longitude><Latitude></Latitude>"),
            ("<Manufacturer>x</Manufacturer>", "<Manufacturer>R&D < 1</Manufacturer>"),
            ("<Manufacturer>x</Manufacturer>", "<Address>A & B<C</Address>"),
            (f"<ParentID>{DEVICE}</ParentID>", f"<ParentID>{DOMAIN}</ParentID>"),
            (f"<ParentID>{DEVICE}</ParentID>", f"<ParentID>{CHANNEL}</ParentID>"),
            ('<?xml version="1.0" encoding="GB2312"?>\n', ""),
            ('<?xml version="1.0" encoding="GB2312"?>', "<?xml version='1.0' encoding='gbk' standalone='yes' ?>"),
            (f"<SN>{{sn}}</SN>\n<DeviceID>{DEVICE}</DeviceID>", "<SN>{sn}</SN>\n<DeviceID></DeviceID>"),
            (
                "<Response>\n<CmdType>Catalog</CmdType>\n<SN>{sn}</SN>",
                '<Response CmdType="Catalog" SN="{sn}">',
            ),
            ("<CmdType>Catalog</CmdType>\n<SN>{sn}</SN>", "<cmdType>Catalog</cmdType>\n<sn> {sn} </sn>"),
            ("</Response>", "</Response>\n\x00"),
            ("<DeviceList Num=\"1\">", "<DeviceList>"),
        ],
    )  # fmt: skip
    def test_a_catalogue_as_vendors_write_it_is_read(self, old: str, new: str) -> None:
        assert old in Camera.CATALOG
        site = Site().registered()
        site.camera.parts = [Camera.CATALOG.replace(old, new)]
        assert site.names() == ["大门"]
        assert [item.device_id for item in site.platform.catalogs[DEVICE].children(DEVICE)] == [CHANNEL]
        site.rest()

    def test_a_byte_order_mark_says_utf8(self) -> None:
        class Marked(Camera):
            charset = "utf-8-sig"

        site = Site(Marked).registered()
        assert site.names() == ["大门"]
        site.rest()

    def test_over_udp_a_body_is_there_though_content_length_says_0(self) -> None:
        class Evs(Camera):
            MESSAGE = Camera.MESSAGE + "\nContent-Length: 0"

        site = Site(Evs).registered()
        assert site.names() == ["大门"]
        site.rest()

    def test_bytes_that_keep_a_nat_open_are_nothing(self) -> None:
        for transport in ("UDP", "TCP"):
            site = Site(Camera, transport).registered()
            for data in (b"\r\n\r\n", b"\x00\x00\x00\x00"):
                site.camera._out.append((site.wire.there, data))
            assert site.names() == ["大门"]
            site.rest()


# Lists (14.3)


def part(total: str, code: str = CHANNEL) -> str:
    text = Camera.CATALOG.replace(CHANNEL, code)
    return text.replace("<SumNum>1</SumNum>", total)


class TestLists:
    CODES = tuple(f"3402000000131000000{n}" for n in range(1, 6))

    def test_one_item_for_each_message_all_in_flight_some_twice_and_in_any_order(self) -> None:
        site = Site().registered()
        site.camera.parts = [part("<SumNum>5</SumNum>", code) for code in (*reversed(self.CODES), self.CODES[2])]
        question = site.ask()
        assert question.collected is not None
        assert question.collected.complete
        assert {item.device_id for item in question.collected.items} == set(self.CODES)
        site.rest()

    @pytest.mark.parametrize("total", ["", "<SumNum>null</SumNum>", "<SumNum></SumNum>", "<SumNum>9</SumNum>"])
    def test_without_a_total_that_can_be_true_what_came_is_told_after_a_silence(self, total: str) -> None:
        site = Site().registered()
        site.camera.parts = [part(total, code) for code in self.CODES]
        question = site.ask(seconds=3)
        assert question.collected is None
        site.wire.run(5)
        assert question.why is None
        assert question.collected is not None
        assert (len(question.collected.items), question.collected.complete) == (5, False)
        site.rest()

    def test_a_catalogue_that_nobody_asked_for_changes_nothing(self) -> None:
        site = Site().registered()
        site.camera.parts = [part("<SumNum>5</SumNum>", code) for code in self.CODES]
        site.ask()
        assert len(list(site.platform.catalogs[DEVICE])) == 5
        site.camera.tell(part("<SumNum>1</SumNum>"), sn=77777)
        site.wire.run(5)
        assert len(list(site.platform.catalogs[DEVICE])) == 5
        assert len(site.of(CatalogChanged)) == 1
        site.rest()

    def test_a_recorder_that_answers_one_question_at_a_time_is_asked_so(self) -> None:
        site = Site().registered()
        site.camera.parts = []
        asked = [queries.CatalogQuery(device_id=DEVICE) for _ in range(2)]
        for body in asked:
            site.platform.ask(DEVICE, body, site.wire.now)
        site.wire.run(1)
        assert len(site.camera.requests("MESSAGE", "Catalog")) == 1
        site.wire.run(70)
        assert len(site.camera.requests("MESSAGE", "Catalog")) == 2
        site.rest()

    def test_a_subscription_has_a_contact_and_notices_need_no_event(self) -> None:
        site = Site().registered()
        site.ask()
        told: list[Heard] = []

        def subscribed(heard: Heard) -> bool:
            if heard.method != "SUBSCRIBE":
                return False
            if not told:
                assert heard["Contact"]
                assert heard["Expires"] == "600"
                told.append(heard)
            site.camera.reply(heard, "200 OK", f"Expires: {heard['Expires']}", site.camera.CONTACT, tag="sub")
            return True

        site.camera.instead = subscribed
        device = site.platform.device(DEVICE)
        query = queries.CatalogQuery(device_id=DEVICE)
        subscription = site.platform.subscriptions.subscribe(device, query, 600, site.wire.now)
        site.wire.run(1)
        assert subscription.granted
        (asked,) = told
        notice = f"""
NOTIFY sip:{PLATFORM}@{DOMAIN} SIP/2.0
Via: SIP/2.0/UDP 192.0.2.50:5060;rport;branch=z9hG4bKn1
From: {asked["To"]};tag=sub
To: {asked["From"]}
Call-ID: {asked["Call-ID"]}
CSeq: 30 NOTIFY
Subscription-State: active;expires=90;retry-after=0
Content-Type: Application/MANSCDP+xml"""
        off = Camera.CATALOG.replace("<Status>ON</Status>", "<Event>OFF </Event>")  # with the root of an answer
        site.camera.say(notice, site.camera.written(off, sn=1))
        site.wire.run(1)
        assert site.camera.responses("30 NOTIFY") == [200]
        item = site.platform.catalogs[DEVICE].get(CHANNEL)
        assert item is not None
        assert item.status == "OFF"
        site.platform.subscriptions.end(subscription, site.wire.now)
        site.wire.run(1)
        site.rest()

    def test_divisions_and_groups_among_the_channels_are_kept(self) -> None:
        site = Site().registered()
        group = "34020000002150000001"
        site.camera.parts = [part("<SumNum>3</SumNum>", code) for code in ("340200", group, CHANNEL)]
        site.ask()
        catalog = site.platform.catalogs[DEVICE]
        assert {item.device_id for item in catalog} == {"340200", group, CHANNEL}
        assert [item.device_id for item in catalog.children(DEVICE)] == ["340200", group, CHANNEL]
        site.rest()


# Calls (14.4)


class TestCalls:
    @pytest.mark.parametrize(
        ("changes", "carried"),
        [
            ({"y": "0200009999"}, 200009999),
            ({"y": "0"}, 0),
            ({"y": ""}, None),
            ({"y": "zzz"}, None),
        ],
    )
    def test_the_ssrc_of_the_answer_counts_where_it_is_one(self, changes: dict[str, str], carried: int | None) -> None:
        site = Site().registered()

        def called(heard: Heard) -> bool:
            if heard.method == "INVITE":
                site.camera.called(heard, **changes)
            return heard.method == "INVITE"

        site.camera.instead = called
        call = site.invite()
        assert call.state is CallState.OPEN
        assert call.remote_ssrc == (int(call.ssrc) if carried is None else carried)
        site.rest()

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("IN IP4 192.0.2.50", "IN IP4 "),
            (f"o={CHANNEL} ", "o=- "),
            ("s={session}\n", "s=\n"),
            ("a=sendonly\n", "a=sendonly\na=filesize:-1\na=username:x\n"),
            ("y={y}\n", "y={y}\nf=v/////a///\n"),
            ("a=rtpmap:96 PS/90000\n", ""),
        ],
    )
    def test_descriptions_as_vendors_write_them_open_a_call(self, old: str, new: str) -> None:
        class Odd(Camera):
            ANSWER = Camera.ANSWER.replace(old, new)

        assert Odd.ANSWER != Camera.ANSWER
        site = Site(Odd).registered()
        call = site.invite()
        assert call.state is CallState.OPEN
        site.rest()

    @pytest.mark.parametrize("progress", ["101 Dialog Establishment", "180 Ringing", "183 Session Progress"])
    def test_every_provisional_answer_is_progress(self, progress: str) -> None:
        site = Site().registered()

        def called(heard: Heard) -> bool:
            if heard.method == "INVITE":
                site.camera.reply(heard, progress, tag="early")
            return False

        site.camera.instead = called
        assert site.invite().state is CallState.OPEN
        site.rest()

    @pytest.mark.parametrize(
        "status", ["400 Bad Request", "404 Not Found", "480 Offline", "486 Busy Here", "488 No", "603 Decline"]
    )
    def test_a_refused_call_says_by_what(self, status: str) -> None:
        site = Site().registered()

        def called(heard: Heard) -> bool:
            if heard.method == "INVITE":
                site.camera.reply(heard, status)
            return heard.method == "INVITE"

        site.camera.instead = called
        call = site.invite()
        assert (call.state, call.why) == (CallState.ENDED, status[:3])
        assert site.camera.requests("ACK")
        site.rest()

    def test_the_answer_to_an_invite_may_lack_its_branch(self) -> None:
        site = Site().registered()

        def called(heard: Heard) -> bool:
            if heard.method == "INVITE":
                heard.lines = [
                    (name, "SIP/2.0/UDP 192.0.2.10:5060" if name == "via" else value) for name, value in heard.lines
                ]
                site.camera.called(heard)
            return heard.method == "INVITE"

        site.camera.instead = called
        assert site.invite().state is CallState.OPEN
        assert site.camera.requests("ACK")
        site.rest()

    def test_481_to_a_bye_ends_the_call(self) -> None:
        site = Site().registered()
        site.camera.bye = "481 Call/Transaction Does Not Exist"
        call = site.invite()
        site.platform.calls.hang_up(call, site.wire.now)
        site.wire.run(1)
        assert call.state is CallState.ENDED
        site.rest()

    def test_a_playback_that_cannot_be_sped_up_goes_on(self) -> None:
        site = Site().registered()
        call = site.invite(session=Session.PLAYBACK)

        def told(heard: Heard) -> bool:
            if heard.method == "INFO":
                site.camera.reply(heard, "400 Bad Request")
            return heard.method == "INFO"

        site.camera.instead = told
        site.platform.calls.control(call, mansrtsp.Request(mansrtsp.Method.PLAY, 2), site.wire.now)
        site.wire.run(1)
        assert [(event.status, event.answer) for event in site.of(CallControlled)] == [(400, None)]
        assert call.state is CallState.OPEN
        site.rest()

    @pytest.mark.parametrize("sender", [DEVICE, CHANNEL])
    def test_the_end_of_a_file_ends_its_playback_whoever_says_it(self, sender: str) -> None:
        site = Site().registered()
        call = site.invite(session=Session.PLAYBACK)
        head = Camera.MESSAGE.replace(f"From: <sip:{DEVICE}@", f"From: <sip:{sender}@")
        body = Camera.KEEPALIVE.replace("Keepalive", "MediaStatus").replace(DEVICE, CHANNEL)
        body = body.replace("<Status>OK</Status>", "<NotifyType>121</NotifyType>")
        site.camera.tell(body, head)
        site.wire.run(1)
        assert site.camera.responses("20 MESSAGE") == [200]
        assert (call.state, call.file_ended) == (CallState.ENDED, True)
        assert [type(event.body) for event in site.of(NoticeReceived)] == [notifies.MediaStatus]
        site.rest()

    def test_a_stranger_with_the_code_of_a_channel_is_refused(self) -> None:
        site = Site().registered()
        call = site.invite(session=Session.PLAYBACK)
        head = Camera.MESSAGE.replace(f"From: <sip:{DEVICE}@", f"From: <sip:{CHANNEL}@").format(transport="UDP", n=901)
        body = site.camera.written(Camera.KEEPALIVE.replace("Keepalive", "MediaStatus"))
        data = f"{head.strip()}\nContent-Length: {len(body)}\n\n".replace("\n", "\r\n").encode() + body
        site.endpoint.receive_datagram(data, Flow("UDP", ("192.0.2.66", 5060), site.wire.back.local), site.wire.now)
        site.step()
        ((_, answer),) = site.endpoint.data_to_send()
        assert answer.startswith(b"SIP/2.0 403 ")
        assert [event.reason for event in site.of(SenderRefused)] == [Refusal.UNREGISTERED]
        assert call.state is CallState.OPEN

    @pytest.mark.parametrize("called", [PLATFORM, "34020000003000000001"], ids=["the-platform", "the-source"])
    def test_a_device_calls_for_a_broadcast_by_either_name(self, called: str) -> None:
        site = Site().registered()
        source = "34020000003000000001"
        question = site.platform.broadcast(DEVICE, VOICE, source, ("192.0.2.10", 31000), site.wire.now)
        site.wire.run(1)
        sn = site.camera.requests("MESSAGE", "Broadcast")[0].xml("SN")
        site.camera.tell(
            '<?xml version="1.0"?>\n<Response>\n<CmdType>Broadcast</CmdType>\n<SN>{sn}</SN>\n'
            f"<DeviceID>{VOICE}</DeviceID>\n<Result>OK</Result>\n</Response>\n",
            sn=sn,
        )
        site.wire.run(1)
        assert question.answer is not None
        offer = (
            f"v=0\r\no={VOICE} 0 0 IN IP4 192.0.2.50\r\ns=Play\r\nc=IN IP4 192.0.2.50\r\nt=0 0\r\n"
            "m=audio 15062 RTP/AVP 8\r\na=recvonly\r\na=rtpmap:8 PCMA/8000\r\ny=0200000031\r\nf=v/////a/1/8/1\r\n"
        )
        dialog = (
            f"From: <sip:{DEVICE}@{DOMAIN}>;tag=bc1\nTo: <sip:{called}@{DOMAIN}>{{tag}}\nCall-ID: bc-1\n"
            "Via: SIP/2.0/UDP 192.0.2.50:5060;rport;branch=z9hG4bKbc{n}\nMax-Forwards: 70\n"
        )
        site.camera.say(
            f"INVITE sip:{called}@{DOMAIN} SIP/2.0\n{dialog.format(tag='', n=1)}CSeq: 5 INVITE\n"
            f"Contact: <sip:{DEVICE}@192.0.2.50:5060>\nSubject: {source}:1,{VOICE}:1\nContent-Type: application/sdp",
            offer.encode(),
        )
        site.wire.run(0.2)
        answer = site.camera.response("5 INVITE", 200)
        assert answer.sdp("m") == ["audio 31000 RTP/AVP 8"]
        assert "sendonly" in answer.sdp("a")
        tag = answer["To"].split(";tag=")[1]
        site.camera.say(f"ACK sip:{called}@{DOMAIN} SIP/2.0\n{dialog.format(tag=f';tag={tag}', n=2)}CSeq: 5 ACK")
        site.wire.run(1)
        (changed,) = site.of(CallChanged)
        assert (changed.call.state, changed.call.incoming) == (CallState.OPEN, True)
        site.platform.calls.hang_up(changed.call, site.wire.now)
        site.wire.run(1)
        assert changed.call.state is CallState.ENDED
        site.rest()


# Answers (14.5 and what is not supported)


class TestAnswers:
    @pytest.mark.parametrize(
        ("status", "answer", "why"),
        [
            ("200 OK", "", Why.SILENT),
            ("405 Method Not Allowed", "", Why.REFUSED),
            ("500 Server Internal Error", "", Why.REFUSED),
            ("200 OK", "<Result>ERROR</Result>\n<Reason>Cann't get ptz position</Reason>\n", None),
            ("200 OK", "<Result>error</Result>\n", None),
            ("200 OK", "", None),
        ],
    )
    def test_not_supported_has_many_forms_and_none_holds_up_the_next_question(
        self, status: str, answer: str, why: Why | None
    ) -> None:
        site = Site().registered()

        def asked(heard: Heard) -> bool:
            if heard.xml("CmdType") != "PresetQuery":
                return False
            site.camera.reply(heard, status)
            if why is None:
                body = (
                    f"<?xml version='1.0'?>\n<Response>\n<CmdType>PresetQuery</CmdType>\n<SN>{heard.xml('SN')}</SN>\n"
                    f"<DeviceID>{CHANNEL}</DeviceID>\n{answer}</Response>\n"
                )
                site.camera.tell(body)
            return True

        site.camera.instead = asked
        question = site.ask(queries.PresetQuery(device_id=CHANNEL), 11)
        assert question.why is why
        assert (question.answer is not None) is (why is None)
        assert site.names() == ["大门"]
        site.rest()

    def test_who_registers_late_is_told_that_it_is_not_known(self) -> None:
        site = Site().registered()
        site.wire.run(300)  # no keepalive came
        assert site.of(DeviceOffline)
        site.camera.tell(Camera.KEEPALIVE)
        site.wire.run(1)
        assert site.camera.responses("20 MESSAGE") == [403]
        site.registered().rest()
