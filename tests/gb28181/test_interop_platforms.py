"""Our device in front of platforms as the field has them: SRS, libgb28181, VAG.Node, WVP, gowvp, srs-sip, Monibuca.

Each is a script that says what that platform says and demands what it demands, written out as text; nothing of it is
built or read by our own code.
"""

from __future__ import annotations

import random
from typing import Any

import pytest

from gb28181 import GBT_28181_2016, GBT_28181_2022, Rules
from gb28181.device import (
    Account,
    CallControlled,
    CallEnded,
    CallStarted,
    ClockTold,
    Device,
    PlatformLost,
    Registered,
    RegistrationFailed,
    RegistrationState,
    Subscribed,
    Unregistered,
)
from gb28181.manscdp.items import CatalogItem
from gb28181.sip import Endpoint

from .examples import CHANNEL, DEVICE, DOMAIN, PASSWORD, PLATFORM
from .peers import Heard, Peer, hashed, user_of
from .test_device import WALL_MS, equipment
from .wire import Wire

BOTH = pytest.mark.parametrize("rules", [GBT_28181_2016, GBT_28181_2022], ids=lambda rules: rules.edition.value)
OUT_OF_DIALOG = ("REGISTER", "MESSAGE", "INVITE")


class Platform(Peer):
    """A platform: challenges as it is told to, answers every message, and asks what its script says."""

    challenge = ""  #: what stands in WWW-Authenticate but the nonce; empty: nobody is challenged
    registered: tuple[str, ...] = ()  #: further lines of the 200
    wrong = "401 Unauthorized"  #: to a wrong proof
    qop = False

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire, "platform")
        self.known = False
        self.nonces = 0
        self.numbers = 0

    def judge(self, heard: Heard) -> None:
        transport = heard.flow.transport
        assert heard["Via"].startswith(f"SIP/2.0/{transport} ")
        assert ";branch=z9hG4bK" in heard["Via"]
        assert ";tag=" in heard["From"]
        assert heard["CSeq"].split(" ")[1] == heard.method
        assert int(heard["CSeq"].split(" ")[0]) < 2**31
        assert heard["Call-ID"]
        assert int(heard["Max-Forwards"]) > 0
        assert int(heard["Content-Length"]) == len(heard.body)
        if heard.method == "REGISTER":
            assert heard.user == PLATFORM
            assert user_of(heard["From"]) == user_of(heard["To"]) == user_of(heard["Contact"]) == DEVICE
            assert heard["Expires"].isdigit()
        elif heard.method in OUT_OF_DIALOG:
            assert heard.user == user_of(heard["To"])

    def asked(self, heard: Heard) -> None:
        if heard.method == "REGISTER":
            self.register(heard)
        elif heard.method == "MESSAGE" and heard.xml("CmdType") == "Keepalive":
            self.keepalive(heard)
        elif heard.method != "ACK":
            self.reply(heard, "200 OK")
            if heard.method == "MESSAGE":
                self.told(heard)

    def keepalive(self, heard: Heard) -> None:
        self.reply(heard, "200 OK")

    def told(self, heard: Heard) -> None:
        """Take what the device answers."""

    def online(self) -> None:
        """Do what is done when a device is there."""

    def nonce(self) -> str:
        self.nonces += 1
        return f"44010b73{self.nonces:08x}"

    def register(self, heard: Heard) -> None:
        if self.challenge and not heard["Authorization"]:
            self.reply(heard, "401 Unauthorized", f'WWW-Authenticate: {self.challenge},nonce="{self.nonce()}"')
        elif self.challenge and not self.proved(heard):
            self.refuse(heard)
        else:
            self.admit(heard)

    def refuse(self, heard: Heard) -> None:
        more = [f'WWW-Authenticate: {self.challenge},nonce="{self.nonce()}"'] if self.wrong[:3] == "401" else []
        self.reply(heard, self.wrong, *more)

    def admit(self, heard: Heard) -> None:
        self.reply(heard, "200 OK", f"Contact: {heard['Contact']}", f"Expires: {heard['Expires']}", *self.registered)
        gone, self.known = heard["Expires"] == "0", heard["Expires"] != "0"
        if not gone and not hasattr(self, "began"):
            self.began = heard.at
            self.online()

    def proved(self, heard: Heard) -> bool:
        proof = heard.proof
        assert (proof["username"], proof["realm"]) == (DEVICE, DOMAIN)
        assert ("qop" in proof, "cnonce" in proof, "nc" in proof) == (self.qop,) * 3
        between = [proof["nc"], proof["cnonce"], "auth"] if self.qop else []
        ha1, ha2 = hashed(DEVICE, DOMAIN, PASSWORD), hashed("REGISTER", proof["uri"])
        return proof["response"] == hashed(ha1, proof["nonce"], *between, ha2)

    # What it sends

    def query(self, head: str, body: str, **values: Any) -> None:
        self.numbers += 1
        values = {"n": self.numbers, "device": DEVICE, "platform": PLATFORM, "channel": CHANNEL, **values}
        self.say(head.format(**values), body.format(**values).strip("\n").replace("\n", "\r\n").encode("gb2312"))


class Site:
    """Our device at a platform, in virtual time."""

    def __init__(
        self,
        platform: type[Platform],
        transport: str = "UDP",
        rules: Rules = GBT_28181_2022,
        channels: int = 2,
        **account: Any,
    ) -> None:
        self.wire = Wire(transport)
        self.platform = platform(self.wire)
        given = {"device_id": DEVICE, "server_id": PLATFORM, "password": PASSWORD, **account}
        self.endpoint = Endpoint(random.Random("device"))
        self.device = Device(
            self.endpoint,
            Account(**given),
            rules,
            equipment(channels),
            chance=random.Random(1),
            wall_ms=lambda: WALL_MS,
            place=lambda call: ("192.0.2.50", 20000),
        )
        self.told: list[Any] = []
        self.wire.join("device", self.endpoint, self.step)
        self.device.start(self.wire.there, self.wire.now)
        self.wire.run(3)

    def step(self) -> None:
        self.device.step(self.wire.now)
        self.told += self.device.events()

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.told if isinstance(event, kind)]

    def leave(self) -> None:
        """Unregister, and see that nothing is left."""
        self.device.stop(self.wire.now)
        self.wire.run(100)
        assert self.device.registration.state is RegistrationState.IDLE
        assert (self.endpoint.transactions, self.endpoint.calls, self.endpoint.subscriptions) == (0, 0, 0)
        assert len(self.endpoint.timers) == 0


# SRS 7


class Srs(Platform):
    """TCP only, never challenges, takes any MESSAGE for a heartbeat, and calls the device itself at once."""

    INVITE = """
INVITE sip:{device}@3402000000 SIP/2.0
Via: SIP/2.0/TCP 192.0.2.10:5060;rport;branch=z9hG4bK6ab{n}
From: <sip:{platform}@3402000000>;tag=SRS61{n}
To: <sip:{device}@3402000000>
CSeq: {cseq} INVITE
Call-ID: 854k7337p07{n}
Content-Type: Application/SDP
Contact: <sip:{platform}@3402000000>
Max-Forwards: 70
Subject: {device}:0200002094,{platform}:0
Server: SRS/7.0.0(Kai)"""
    OFFER = """
v=0
o={device} 0 0 IN IP4 192.0.2.10
s=Play
c=IN IP4 192.0.2.10
t=0 0
m=video 9000 TCP/RTP/AVP 96
a=recvonly
a=rtpmap:96 PS/90000
y=0200002094
"""
    ACK = """
ACK sip:{device}@3402000000 SIP/2.0
Via: SIP/2.0/TCP 192.0.2.10:5060;rport;branch=z9hG4bK7ac{n}
From: {from_}
To: {to}
CSeq: {cseq} ACK
Call-ID: {call_id}
Max-Forwards: 70
Server: SRS/7.0.0(Kai)"""

    def judge(self, heard: Heard) -> None:
        super().judge(heard)
        assert heard.method in ("REGISTER", "MESSAGE", "INVITE", "ACK", "BYE"), "SRS knows no other method"
        assert self.known or heard.method == "REGISTER", "without a session a message is dropped"

    def online(self) -> None:
        self.invite()

    def invite(self) -> None:
        self.query(self.INVITE, self.OFFER, cseq=850 + self.numbers)

    def answered(self, heard: Heard) -> None:
        number, method = heard["CSeq"].split(" ")
        if method == "INVITE" and heard.status == 200:
            values = {"n": number, "from_": heard["From"], "to": heard["To"], "call_id": heard["Call-ID"]}
            self.say(self.ACK.format(device=DEVICE, cseq=number, **values))


class TestSrs:
    def test_it_calls_the_device_itself_right_after_the_registration(self) -> None:
        site = Site(Srs, "TCP")
        assert len(site.platform.requests("REGISTER")) == 1
        assert site.platform.responses("850 INVITE") == [100, 200]
        answer = site.platform.response("850 INVITE", 200)
        assert answer.sdp("y") == ["0200002094"]
        assert answer.sdp("m") == ["video 20000 TCP/RTP/AVP 96"]
        # Who offers no a=setup listens: the device opens the connection.
        assert "setup:active" in answer.sdp("a")
        (started,) = site.of(CallStarted)
        assert started.call.remote == ("192.0.2.10", 9000)
        assert (started.call.channel_id, started.call.rtp_ssrc) == (CHANNEL, 200002094)
        site.leave()

    def test_when_media_stop_it_calls_again_with_the_same_ssrc_and_the_new_call_stands(self) -> None:
        site = Site(Srs, "TCP")
        assert isinstance(site.platform, Srs)
        site.wire.run(5)
        site.platform.invite()
        site.wire.run(2)
        assert site.platform.responses("851 INVITE") == [100, 200]
        first, second = (event.call for event in site.of(CallStarted))
        assert [event.call for event in site.of(CallEnded)] == [first]
        assert list(site.device.calls) == [second]
        site.leave()

    def test_a_whole_life_of_the_device_needs_no_method_that_it_does_not_know(self) -> None:
        site = Site(Srs, "TCP", keepalive_s=20.0, expires_s=60)
        site.wire.run(150)
        assert len(site.platform.requests("MESSAGE")) >= 7
        assert not site.of(PlatformLost)
        assert [event.refresh for event in site.of(Registered)][:2] == [False, True]
        site.leave()
        assert site.platform.requests("REGISTER")[-1]["Expires"] == "0"
        assert site.of(Unregistered) == [Unregistered(True)]


# libgb28181


class Libgb28181(Platform):
    """A strict platform of 2022: challenges without algorithm, qop and opaque; From is an address and a port."""

    challenge = 'Digest realm="3402000000"'
    registered = ("X-GB-Ver: 3.0", "Date: 2026-01-02T03:04:05.678")

    MESSAGE = """
MESSAGE sip:{device}@192.0.2.50:5060 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:25070;rport;branch=z9hG4bKPj{n}
From: <sip:{platform}@127.0.0.1:25070>;tag=0f2e{n}
To: <sip:{device}@192.0.2.50:5060>
Call-ID: 5f3c1e{n}
CSeq: {cseq} MESSAGE
X-GB-Ver: 3.0
Max-Forwards: 70
Content-Type: Application/MANSCDP+xml"""
    QUERY = """
<?xml version="1.0" encoding="GB2312"?>
<Query>
<CmdType>{cmd_type}</CmdType>
<SN>{sn}</SN>
<DeviceID>{code}</DeviceID>
{more}</Query>
"""
    INVITE = """
INVITE sip:{channel}@192.0.2.50:5060 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:25070;rport;branch=z9hG4bKPk{n}
From: <sip:{platform}@127.0.0.1:25070>;tag=0f2f{n}
To: <sip:{channel}@192.0.2.50:5060>
Call-ID: 6f3c1e{n}
CSeq: 2147483640 INVITE
Contact: <sip:{platform}@127.0.0.1:25070>
X-GB-Ver: 3.0
Max-Forwards: 70
Subject: {channel}:0200000017,{platform}:1
Content-Type: APPLICATION/SDP"""
    OFFER = """
v=0
o={platform} 0 0 IN IP4 192.0.2.10
s=Play
c=IN IP4 192.0.2.10
t=0 0
m=video 30112 TCP/RTP/AVP 96 98
a=rtpmap:96 PS/90000
a=rtpmap:98 H264/90000
a=recvonly
a=setup:passive
a=connection:new
a=streamnumber:0
a=streamprofile:0
a=stream:0
a=streamMode:Main
y=0200000017
"""

    def register(self, heard: Heard) -> None:
        if heard["Expires"] == "0" and self.known:  # who is known may leave without a proof
            self.admit(heard)
        else:
            super().register(heard)

    def told(self, heard: Heard) -> None:
        text = heard.body.decode("gb18030")
        assert text.startswith("<?xml")
        assert any(f"<{root}>" in text for root in ("Query", "Control", "Notify", "Response"))

    def ask(self, cmd_type: str, code: str, more: str = "") -> int:
        self.query(
            self.MESSAGE, self.QUERY, cmd_type=cmd_type, code=code, more=more, sn=70 + self.numbers, cseq=2147483000
        )
        return 69 + self.numbers


class Forgetful(Libgb28181):
    def keepalive(self, heard: Heard) -> None:
        """A device that is not known gets no answer at all."""


class TestLibgb28181:
    def test_a_bare_challenge_is_answered_without_counter(self) -> None:
        site = Site(Libgb28181)
        first, second = site.platform.requests("REGISTER")
        assert (first["Call-ID"], first["X-GB-Ver"]) == (second["Call-ID"], "3.0")
        assert set(second.proof) == {"username", "realm", "nonce", "uri", "response"}
        (registered,) = site.of(Registered)
        assert registered.version == "3.0"
        assert site.of(ClockTold)[0].time.isoformat() == "2026-01-02T03:04:05.678000+08:00"
        site.leave()
        assert len(site.platform.requests("REGISTER")) == 3  # the last without a challenge
        assert site.of(Unregistered) == [Unregistered(True)]

    def test_a_wrong_password_is_challenged_anew_and_the_device_waits(self) -> None:
        site = Site(Libgb28181, password="12345679")
        site.wire.run(56)
        assert len(site.platform.requests("REGISTER")) <= 3
        assert [event.status for event in site.of(RegistrationFailed)] == [401]
        site.leave()

    def test_a_keepalive_of_who_is_not_known_is_not_answered_and_it_registers_anew(self) -> None:
        site = Site(Forgetful)
        site.wire.run(200)
        assert [event.missed for event in site.of(PlatformLost)] == [3]
        assert len(site.of(Registered)) == 2
        site.leave()

    def test_its_sender_is_an_address_its_cseq_huge_and_both_come_back_as_they_were(self) -> None:
        site = Site(Libgb28181)
        assert isinstance(site.platform, Libgb28181)
        sn = site.platform.ask("DeviceInfo", DEVICE)
        site.wire.run(2)
        reply = site.platform.response("2147483000 MESSAGE", 200)
        assert reply["From"] == f"<sip:{PLATFORM}@127.0.0.1:25070>;tag=0f2e1"
        assert reply["Call-ID"] == "5f3c1e1"
        assert "127.0.0.1:25070" in reply["Via"]
        assert not reply.body
        (answer,) = site.platform.requests("MESSAGE", "DeviceInfo")
        assert (user_of(answer["To"]), user_of(answer["From"])) == (PLATFORM, DEVICE)
        assert (answer.xml("SN"), answer.xml("Result"), answer.xml("DeviceName")) == (str(sn), "OK", "一号排口")
        site.leave()

    @pytest.mark.parametrize("channels", [0, 2])
    def test_whatever_it_asks_is_answered_within_its_five_seconds(self, channels: int) -> None:
        site = Site(Libgb28181, channels=channels)
        assert isinstance(site.platform, Libgb28181)
        target = CHANNEL if channels else DEVICE
        period = "<StartTime>2026-01-02T00:00:00</StartTime>\n<EndTime>2026-01-02T05:30:00</EndTime>\n"
        asked = {
            "Catalog": "",
            "DeviceInfo": "",
            "DeviceStatus": "",
            "RecordInfo": period,
            "ConfigDownload": "<ConfigType>BasicParam</ConfigType>\n",
            "PresetQuery": "",
            "HomePositionQuery": "",
            "CruiseTrackListQuery": "",
            "CruiseTrackQuery": "<Number>0</Number>\n",
            "PTZPosition": "",
            "SDCardStatus": "",
        }
        for cmd_type, more in asked.items():
            sn = site.platform.ask(cmd_type, target, more)
            site.wire.run(5)
            answers = site.platform.requests("MESSAGE", cmd_type)
            assert answers, f"no answer to {cmd_type}"
            for answer in answers:
                assert b"<Response>" in answer.body
                assert (answer.xml("SN"), answer.xml("DeviceID")) == (str(sn), target)
        records = site.platform.requests("MESSAGE", "RecordInfo")
        if channels:
            assert sum(len(part.xmls("FilePath")) for part in records) == int(records[0].xml("SumNum")) == 6
        else:
            assert [part.xml("SumNum") for part in records] == ["0"]
            assert b"<RecordList" not in records[0].body
        site.leave()

    def test_attributes_that_the_standard_does_not_know_do_not_keep_a_call_from_opening(self) -> None:
        site = Site(Libgb28181)
        assert isinstance(site.platform, Libgb28181)
        site.platform.query(site.platform.INVITE, site.platform.OFFER)
        site.wire.run(0.1)
        answer = site.platform.response("2147483640 INVITE", 200)
        assert answer.sdp("m") == ["video 20000 TCP/RTP/AVP 96"]
        assert "setup:active" in answer.sdp("a")
        assert answer.sdp("y") == ["0200000017"]
        to = answer["To"]
        head = f"Via: SIP/2.0/UDP 127.0.0.1:25070;rport;branch=z9hG4bKPl\nFrom: {answer['From']}\nTo: {to}"
        uri = f"sip:{CHANNEL}@192.0.2.50:5060"
        site.platform.say(f"ACK {uri} SIP/2.0\n{head}\nCall-ID: 6f3c1e1\nCSeq: 2147483640 ACK")
        head = head.replace("bKPl", "bKPm")
        site.platform.say(f"BYE {uri} SIP/2.0\n{head}\nCall-ID: 6f3c1e1\nCSeq: 2147483641 BYE")
        site.wire.run(1)
        assert site.platform.responses("2147483641 BYE") == [200]
        assert [event.reason for event in site.of(CallEnded)] == ["peer"]
        site.leave()


# VAG.Node


class VagNode(Platform):
    """Challenges every REGISTER, knows a registration by its Call-ID, and asks one thing after the other from SN 0."""

    challenge = 'Digest realm="3402000000"'
    registered = ("Date: 2026-01-02T03:04:05.678",)
    wrong = "406 Not Acceptable"

    MESSAGE = """
MESSAGE sip:{device}@192.0.2.50:5060 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK99{n}
From: <sip:{platform}@3402000000>;tag=88{n}
To: <sip:{device}@3402000000>
Call-ID: 77{n}
CSeq: 1 MESSAGE
Content-Type: Application/MANSCDP+xml
Max-Forwards: 70"""
    QUERY = """
<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<Query>
  <CmdType>{cmd_type}</CmdType>
  <SN>{sn}</SN>
  <DeviceID>{device}</DeviceID>
</Query>
"""
    INVITE = """
INVITE sip:{channel}@192.0.2.50:5060 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK55{n}
From: <sip:{platform}@3402000000>;tag=44{n}
To: <sip:{channel}@3402000000>
Call-ID: 33{n}
CSeq: 20 INVITE
Contact: <sip:{platform}@192.0.2.10:5060>
Max-Forwards: 70
Subject: {channel}:0000102000,{platform}:0
Content-Type: application/sdp"""
    LIVE = """
v=0
o={platform} 0 0 IN IP4 192.0.2.10
s=Play
c=IN IP4 192.0.2.10
t=0 0
m=video 9200 {protocol} 96
a=rtpmap:96 PS/90000
a=recvonly
{role}y=0000102000
f=v/2/4///a///
"""
    PLAYBACK = """
v=0
o={platform} 0 0 IN IP4 192.0.2.10
s=Playback
u={channel}:0
c=IN IP4 192.0.2.10
t=1767294000 1767294060
m=video 9200 RTP/AVP 96
a=rtpmap:96 PS/90000
a=recvonly
y=1000102000
f=v/2/4///a///
"""
    WITHIN = """
{method} sip:{channel}@192.0.2.50:5060 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK22{n}
From: {from_}
To: {to}
Call-ID: {call_id}
CSeq: {cseq}
Max-Forwards: 70"""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self.call_id = ""
        self.sn = -1
        self.steps = ["DeviceInfo", "DeviceStatus", "Catalog"]
        self.items: list[str] = []

    def register(self, heard: Heard) -> None:
        if self.known:
            assert heard["Call-ID"] == self.call_id, "another Call-ID for a known device ends in 500"
        super().register(heard)
        self.call_id = heard["Call-ID"]

    def online(self) -> None:
        self.next_step()

    def next_step(self) -> None:
        if self.steps:
            self.sn += 1
            self.query(self.MESSAGE, self.QUERY, cmd_type=self.steps[0], sn=self.sn)

    def told(self, heard: Heard) -> None:
        """Go on only when the answer is as it is wanted."""
        if not self.steps or heard.xml("CmdType") != self.steps[0] or heard.xml("SN") != str(self.sn):
            return
        if self.steps[0] == "DeviceInfo":
            assert heard.xml("Result") == "OK"
        elif self.steps[0] == "DeviceStatus":
            assert heard.xml("Result") == "OK"
            assert heard.xml("Online") == "ONLINE"
            assert (heard.xml("Status"), heard.xml("Encode"), heard.xml("Record")) == ("OK", "ON", "OFF")
            assert heard.xml("DeviceTime") == "2026-01-02T03:04:05"
        else:
            assert not heard.xmls("Result"), "Result in a catalogue means that it failed"
            self.items += heard.xmls("Name")
            if len(self.items) < int(heard.xml("SumNum")):
                return
        self.steps.pop(0)
        self.next_step()

    def within(self, method: str, answer: Heard, cseq: str, body: bytes = b"") -> None:
        kind = "\nContent-Type: application/MANSRTSP" if body else ""
        self.numbers += 1
        values = {"from_": answer["From"], "to": answer["To"], "call_id": answer["Call-ID"], "n": self.numbers}
        self.say(self.WITHIN.format(method=method, channel=CHANNEL, cseq=cseq, **values) + kind, body)


class TestVagNode:
    @BOTH
    @pytest.mark.parametrize("channels", [1, 2, 40])
    def test_it_stops_at_the_first_unanswered_question_and_does_not_have_to(self, rules: Rules, channels: int) -> None:
        site = Site(VagNode, rules=rules, channels=channels)
        site.wire.run(5)
        assert isinstance(site.platform, VagNode)
        assert site.platform.steps == []
        assert site.platform.sn == 2
        assert site.platform.items == [channel.item.name for channel in site.device.equipment.channels.values()]
        site.leave()

    def test_each_registration_is_challenged_within_one_call_id(self) -> None:
        site = Site(VagNode, expires_s=100)
        site.wire.run(290)
        site.leave()
        registers = site.platform.requests("REGISTER")
        assert [bool(one["Authorization"]) for one in registers] == [False, True] * (len(registers) // 2)
        assert len(registers) >= 8
        assert len({one["Call-ID"] for one in registers}) == 1
        assert len({one.proof["nonce"] for one in registers[1::2]}) == len(registers) // 2
        assert [one["Expires"] for one in registers[-2:]] == ["0", "0"]
        assert site.of(Unregistered) == [Unregistered(True)]

    def test_a_wrong_proof_gets_406_and_the_device_waits(self) -> None:
        site = Site(VagNode, password="12345679")
        site.wire.run(56)
        assert [event.status for event in site.of(RegistrationFailed)] == [406]
        assert len(site.platform.requests("REGISTER")) == 2

    @pytest.mark.parametrize(
        ("protocol", "role", "wanted"),
        [
            ("RTP/AVP", "", ""),
            ("TCP/RTP/AVP", "a=setup:passive\na=connection:new\n", "setup:active"),
            ("TCP/RTP/AVP", "a=setup:active\na=connection:new\n", "setup:passive"),
        ],
    )
    def test_a_call_is_ended_with_the_number_of_its_invite(self, protocol: str, role: str, wanted: str) -> None:
        site = Site(VagNode)
        assert isinstance(site.platform, VagNode)
        site.platform.query(site.platform.INVITE, site.platform.LIVE, protocol=protocol, role=role)
        site.wire.run(0.1)
        answer = site.platform.response("20 INVITE", 200)
        assert answer.sdp("m") == [f"video 20000 {protocol} 96"]
        assert answer.sdp("y") == ["0000102000"]
        assert [line for line in answer.sdp("a") if line.startswith("setup")] == ([wanted] if wanted else [])
        site.platform.within("ACK", answer, "20 ACK")
        site.wire.run(1)
        assert site.of(CallStarted)
        site.platform.within("BYE", answer, "20 BYE")
        site.wire.run(1)
        assert site.platform.responses("20 BYE") == [200]
        assert [event.reason for event in site.of(CallEnded)] == ["peer"]
        site.leave()

    def test_a_playback_is_controlled_by_info_in_mixed_case_and_ended_by_the_device(self) -> None:
        site = Site(VagNode)
        assert isinstance(site.platform, VagNode)
        site.platform.query(site.platform.INVITE, site.platform.PLAYBACK)
        site.wire.run(0.1)
        answer = site.platform.response("20 INVITE", 200)
        assert answer.sdp("s") == ["Playback"]
        site.platform.within("ACK", answer, "20 ACK")
        site.wire.run(1)
        site.platform.within("INFO", answer, "21 Info", b"PLAY RTSP/1.0\r\nCSeq: 2\r\nScale: 4.0\r\n\r\n")
        site.wire.run(1)
        done = [one for one in site.platform.heard if one.status and one["CSeq"].startswith("21 ")]
        assert [one.status for one in done] == [200]
        assert done[0]["CSeq"].upper() == "21 INFO"
        assert [event.request.scale for event in site.of(CallControlled)] == [4]
        site.wire.run(30)
        (status,) = site.platform.requests("MESSAGE", "MediaStatus")
        assert (status.xml("NotifyType"), status.xml("DeviceID")) == ("121", CHANNEL)
        # It compares a text with a number and never ends the call.
        site.wire.run(60)
        assert len(site.platform.requests("BYE")) == 1
        assert site.of(CallEnded)
        site.leave()


# WVP-pro


class Wvp(Platform):
    """Reads everything as GB2312, asks and subscribes when a device comes, calls over TCP."""

    challenge = 'Digest realm="3402000000",qop="auth",opaque="",stale=FALSE,algorithm=MD5'
    registered = ("Date: 2026-01-02T03:04:05.678",)
    wrong = "403 wrong password"
    qop = True

    MESSAGE = """
MESSAGE sip:{device}@192.0.2.50:5060 SIP/2.0
Call-ID: 2b1c5ff7{n}@0.0.0.0
CSeq: {n} MESSAGE
From: <sip:{platform}@3402000000>;tag=fromplat{n}
To: <sip:{device}@192.0.2.50:5060>
Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK12{n}
Max-Forwards: 70
Content-Type: Application/MANSCDP+xml
User-Agent: WVP PRO"""
    QUERY = """
<?xml version="1.0" encoding="GB2312"?>
<Query>
<CmdType>{cmd_type}</CmdType>
<SN>{sn}</SN>
<DeviceID>{device}</DeviceID>
{more}</Query>
"""
    SUBSCRIBE = """
SUBSCRIBE sip:{device}@192.0.2.50:5060 SIP/2.0
Call-ID: 9d3c5ff7{n}@0.0.0.0
CSeq: {n} SUBSCRIBE
From: <sip:{platform}@3402000000>;tag=fromsub{n}
To: <sip:{device}@192.0.2.50:5060>
Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK34{n}
Max-Forwards: 70
Contact: <sip:{platform}@192.0.2.10:5060>
Expires: 600
Event: {event}
Content-Type: Application/MANSCDP+xml
User-Agent: WVP PRO"""
    INVITE = """
INVITE sip:{channel}@192.0.2.50:5060 SIP/2.0
Call-ID: 7c3c5ff7{n}@0.0.0.0
CSeq: 1 INVITE
From: <sip:{platform}@3402000000>;tag=live{n}
To: <sip:{channel}@192.0.2.50:5060>
Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bK56{n}
Max-Forwards: 70
Contact: <sip:{platform}@192.0.2.10:5060>
Subject: {channel}:0200001234,{platform}:0
Content-Type: APPLICATION/SDP
User-Agent: WVP PRO"""
    OFFER = """
v=0
o={channel} 0 0 IN IP4 192.0.2.10
s=Play
c=IN IP4 192.0.2.10
t=0 0
m=video 30022 TCP/RTP/AVP 96 97 98 99
a=recvonly
a=rtpmap:96 PS/90000
a=rtpmap:97 MPEG4/90000
a=rtpmap:98 H264/90000
a=rtpmap:99 H265/90000
a=setup:{role}
a=connection:new
y=0200001234
"""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self.last_call_id = ""

    def register(self, heard: Heard) -> None:
        if self.known and heard["Call-ID"] == self.last_call_id and heard["Expires"] != "0":
            self.admit(heard)  # a renewal needs no proof
        else:
            super().register(heard)

    def admit(self, heard: Heard) -> None:
        self.last_call_id = heard["Call-ID"]
        super().admit(heard)

    def online(self) -> None:
        self.query(self.MESSAGE, self.QUERY, cmd_type="DeviceInfo", sn=248381, more="")
        more = "<ConfigType>BasicParam</ConfigType>\n"
        self.query(self.MESSAGE, self.QUERY, cmd_type="ConfigDownload", sn=248382, more=more)
        self.query(self.MESSAGE, self.QUERY, cmd_type="Catalog", sn=248383, more="")
        more = "<Interval>5</Interval>\n"
        self.query(self.SUBSCRIBE, self.QUERY, cmd_type="MobilePosition", sn=248384, more=more, event="presence")
        self.query(self.SUBSCRIBE, self.QUERY, cmd_type="Catalog", sn=248385, more="", event="Catalog;id=1894")


class TestWvp:
    def test_it_registers_renews_without_a_proof_and_leaves_with_one(self) -> None:
        site = Site(Wvp, expires_s=100)
        site.wire.run(190)
        site.leave()
        registers = site.platform.requests("REGISTER")
        assert [bool(one["Authorization"]) for one in registers] == [False, True, False, False, False, True]
        assert site.of(ClockTold)
        assert site.of(Unregistered) == [Unregistered(True)]

    def test_a_wrong_password_gets_403_and_the_device_waits(self) -> None:
        site = Site(Wvp, password="12345679")
        site.wire.run(56)
        assert [(event.status, event.reason) for event in site.of(RegistrationFailed)] == [(403, "wrong password")]
        assert len(site.platform.requests("REGISTER")) == 2

    @BOTH
    def test_what_it_asks_at_once_is_answered_and_subscribed_in_gb(self, rules: Rules) -> None:
        site = Site(Wvp, rules=rules)
        site.wire.run(5)
        platform = site.platform
        (info,) = platform.requests("MESSAGE", "DeviceInfo")
        assert (info.xml("SN"), info.xml("DeviceName"), info.xml("Result")) == ("248381", "一号排口", "OK")
        (config,) = platform.requests("MESSAGE", "ConfigDownload")
        assert (config.xml("SN"), config.xml("Result")) == ("248382", "OK")
        assert (config.xml("Expiration"), config.xml("HeartBeatInterval")) == ("86400", "60")
        assert config.xml("HeartBeatCount") == "3"
        catalog = platform.requests("MESSAGE", "Catalog")
        names = [name for part in catalog for name in part.xmls("Name")]
        assert names == [channel.item.name for channel in site.device.equipment.channels.values()]
        assert {part.xml("SumNum") for part in catalog} == {str(len(names))}
        assert platform.responses("4 SUBSCRIBE") == platform.responses("5 SUBSCRIBE") == [200]
        assert {event.subject for event in site.of(Subscribed)} == {"MobilePosition", "Catalog"}
        assert {platform.response(f"{n} SUBSCRIBE", 200)["Expires"] for n in (4, 5)} == {"600"}
        site.device.catalog_changed([CatalogItem(device_id=CHANNEL, event="OFF")], site.wire.now)
        site.wire.run(1)
        changes = [one for one in platform.requests("NOTIFY") if "<Event>OFF</Event>" in one.body.decode("gb18030")]
        assert [(one["Event"], one.xml("SumNum")) for one in changes] == [("Catalog;id=1894", "1")]
        site.leave()

    @pytest.mark.parametrize(("role", "wanted"), [("passive", "active"), ("active", "passive")])
    def test_it_calls_over_tcp_with_the_owner_of_the_channel(self, role: str, wanted: str) -> None:
        site = Site(Wvp)
        assert isinstance(site.platform, Wvp)
        site.platform.query(site.platform.INVITE, site.platform.OFFER, role=role)
        site.wire.run(0.1)
        answer = site.platform.response("1 INVITE", 200)
        assert answer.sdp("m") == ["video 20000 TCP/RTP/AVP 96"]
        assert f"setup:{wanted}" in answer.sdp("a")
        assert answer.sdp("y") == ["0200001234"]
        assert user_of(answer["Contact"])
        site.leave()


# gowvp


class Gowvp(Platform):
    """Challenges with qop, wants a status in keepalives, and names rows of its database in Subject."""

    challenge = 'Digest realm="3402000000",qop="auth"'
    wrong = "401 wrong password"
    qop = True

    INVITE = """
INVITE sip:{channel}@3402000000 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK.go{n}
From: <sip:{platform}@3402000000>;tag=go{n}
To: <sip:{channel}@3402000000>
Call-ID: go-{n}
CSeq: 1 INVITE
Contact: <sip:{platform}@192.0.2.10:5060>
Max-Forwards: 70
Subject: ch7f3a,0{n}
Content-Type: application/sdp"""
    OFFER = """
v=0
o={platform} 0 0 IN IP4 192.0.2.10
s=Play
c=IN IP4 192.0.2.10
t=0 0
m=video 20110 RTP/AVP 96 97 98
a=recvonly
a=rtpmap:96 PS/90000
a=rtpmap:97 MPEG4/90000
a=rtpmap:98 H264/90000
y=0200009876
"""

    def keepalive(self, heard: Heard) -> None:
        assert heard.xml("Status") in ("OK", "ON")
        super().keepalive(heard)


class TestGowvp:
    def test_a_challenge_with_qop_is_answered_with_a_counter(self) -> None:
        site = Site(Gowvp)
        _, second = site.platform.requests("REGISTER")
        assert (second.proof["nc"], second.proof["qop"]) == ("00000001", "auth")
        assert site.platform.requests("REGISTER")[0]["X-GB-Ver"] == "3.0"
        site.wire.run(130)
        assert len(site.platform.requests("MESSAGE", "Keepalive")) == 3
        site.leave()
        assert site.of(Unregistered) == [Unregistered(True)]

    def test_a_wrong_password_is_401_with_words(self) -> None:
        site = Site(Gowvp, password="12345679")
        site.wire.run(56)
        assert [event.status for event in site.of(RegistrationFailed)] == [401]
        assert len(site.platform.requests("REGISTER")) <= 3

    def test_a_subject_of_its_own_making_does_not_matter(self) -> None:
        site = Site(Gowvp)
        assert isinstance(site.platform, Gowvp)
        site.platform.query(site.platform.INVITE, site.platform.OFFER)
        site.wire.run(0.1)
        assert site.platform.response("1 INVITE", 200).sdp("y") == ["0200009876"]
        site.leave()


# srs-sip


class SrsSip(Platform):
    """Silent to a REGISTER without Expires and to the last one; refuses what it does not know with 400."""

    MESSAGE = VagNode.MESSAGE
    QUERY = Libgb28181.QUERY

    def asked(self, heard: Heard) -> None:
        if heard.method == "REGISTER":
            if len(user_of(heard["From"])) != 20 or not heard["Expires"]:
                return
            if heard["Expires"] == "0":
                self.known = False
                return
        if heard.method == "MESSAGE" and heard.xml("CmdType") not in ("Keepalive", "Catalog", "ConfigDownload"):
            self.reply(heard, "400 Bad Request")
            return
        super().asked(heard)

    def keepalive(self, heard: Heard) -> None:
        if self.known:
            super().keepalive(heard)
        else:
            self.reply(heard, "400 Bad Request")

    def ask(self, cmd_type: str) -> None:
        self.query(self.MESSAGE, self.QUERY, cmd_type=cmd_type, code=DEVICE, sn=500 + self.numbers, more="")


class TestSrsSip:
    def test_the_last_register_gets_no_answer_and_the_device_ends_all_the_same(self) -> None:
        site = Site(SrsSip)
        assert len(site.of(Registered)) == 1
        site.leave()
        assert site.of(Unregistered) == [Unregistered(False)]

    def test_a_platform_that_began_anew_refuses_keepalives_until_the_device_registers(self) -> None:
        site = Site(SrsSip)
        site.platform.known = False
        site.wire.run(180)
        assert [event.missed for event in site.of(PlatformLost)] == [3]
        assert site.platform.known
        assert len(site.of(Registered)) == 2

    def test_an_answer_that_it_refuses_does_not_keep_the_next_from_coming(self) -> None:
        site = Site(SrsSip)
        assert isinstance(site.platform, SrsSip)
        for cmd_type in ("DeviceStatus", "Catalog"):
            site.platform.ask(cmd_type)
            site.wire.run(5)
        assert site.platform.requests("MESSAGE", "DeviceStatus")
        parts = site.platform.requests("MESSAGE", "Catalog")
        assert sum(len(part.xmls("Name")) for part in parts) == 4
        site.leave()

    def test_a_code_that_another_address_has_already_is_400_and_tried_again(self) -> None:
        site = Site(SrsSip, retry_s=5.0, retry_spread_s=0.0)
        site.platform.script = lambda heard: site.platform.reply(heard, "400 Bad Request")
        site.device.registration.start(site.wire.there, site.wire.now)
        site.wire.run(1)
        assert [event.status for event in site.of(RegistrationFailed)] == [400]
        site.platform.script = site.platform.asked
        site.wire.run(6)
        assert len(site.of(Registered)) == 2


# Monibuca


class Monibuca(Platform):
    """Keeps one nonce until a proof is right; after three that are wrong it is 403."""

    challenge = 'Digest realm="3402000000",algorithm=MD5'
    failures = 0

    MESSAGE = VagNode.MESSAGE
    QUERY = """
<?xml version="1.0"?>
<Query>
<CmdType>{cmd_type}</CmdType>
<SN>{sn}</SN>
<DeviceID>{device}</DeviceID>
</Query>
"""

    def nonce(self) -> str:
        return "kept-until-it-is-right"

    def refuse(self, heard: Heard) -> None:
        self.failures += 1
        if self.failures > 3:
            self.reply(heard, "403 Forbidden")
        else:
            super().refuse(heard)

    def keepalive(self, heard: Heard) -> None:
        super().keepalive(heard)


class TestMonibuca:
    def test_the_same_nonce_at_the_end_is_answered_again(self) -> None:
        site = Site(Monibuca)
        site.wire.run(5)
        site.leave()
        proofs = [one.proof for one in site.platform.requests("REGISTER") if one["Authorization"]]
        assert [proof["nonce"] for proof in proofs] == ["kept-until-it-is-right"] * 2
        assert site.of(Unregistered) == [Unregistered(True)]

    def test_wrong_proofs_for_one_nonce_are_given_once_each_time_until_403(self) -> None:
        site = Site(Monibuca, password="12345679", retry_s=10.0, retry_spread_s=0.0)
        site.wire.run(45)
        assert [event.status for event in site.of(RegistrationFailed)] == [401, 401, 401, 403, 403]
        proofs = [one for one in site.platform.requests("REGISTER") if one["Authorization"]]
        assert len(proofs) == 5

    def test_a_query_without_a_charset_is_answered(self) -> None:
        site = Site(Monibuca)
        site.platform.query(Monibuca.MESSAGE, Monibuca.QUERY, cmd_type="DeviceInfo", sn=17)
        site.wire.run(2)
        (info,) = site.platform.requests("MESSAGE", "DeviceInfo")
        assert info.body.startswith(b'<?xml version="1.0" encoding="GB')
        assert info.xml("DeviceName") == "一号排口"
        site.leave()


# What is common to them


@pytest.mark.parametrize("cmd_type", ["Alarm", "MobilePosition", "SpeakIntoTheWind"])
def test_a_question_that_has_no_answer_gets_its_200_and_the_next_is_answered(cmd_type: str) -> None:
    site = Site(Libgb28181)
    assert isinstance(site.platform, Libgb28181)
    site.platform.ask(cmd_type, DEVICE)
    site.wire.run(1)
    assert site.platform.responses("2147483000 MESSAGE") == [200]
    site.platform.ask("DeviceInfo", DEVICE)
    site.wire.run(1)
    assert len(site.platform.requests("MESSAGE", "DeviceInfo")) == 1
    site.leave()


@pytest.mark.parametrize("charset", ["GB2312", "GBK", "GB18030", "UTF-8", "utf-8"])
def test_a_query_is_read_whatever_charset_it_declares(charset: str) -> None:
    site = Site(Libgb28181)
    site.platform.query(
        Libgb28181.MESSAGE,
        Libgb28181.QUERY.replace('"GB2312"', f'"{charset}"'),
        cmd_type="DeviceStatus",
        code=DEVICE,
        sn=9,
        cseq=5,
        more="",
    )
    site.wire.run(1)
    (status,) = site.platform.requests("MESSAGE", "DeviceStatus")
    assert (status.xml("SN"), status.xml("Result")) == ("9", "OK")
    site.leave()
