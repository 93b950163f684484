"""Who is refused and how: the statuses of both sides, to requests that are written out as text."""

from __future__ import annotations

from typing import Any

import pytest

from gb28181.platform import Policy, Unusable

from .examples import CHANNEL, DEVICE, DOMAIN, PLATFORM
from .test_interop_devices import Camera
from .test_interop_devices import Site as AtPlatform
from .test_interop_platforms import Libgb28181
from .test_interop_platforms import Site as AtDevice

QUERY = f"""
<?xml version="1.0" encoding="GB2312"?>
<Query>
<CmdType>DeviceInfo</CmdType>
<SN>3</SN>
<DeviceID>{DEVICE}</DeviceID>
</Query>
"""
OFFER = f"""v=0
o={PLATFORM} 0 0 IN IP4 192.0.2.10
s=Play
c=IN IP4 192.0.2.10
t=0 0
m=video 30000 RTP/AVP 96
a=recvonly
a=rtpmap:96 PS/90000
y=0200000009
"""
REQUEST = f"""
{{method}} sip:{{code}}@192.0.2.50:5060 SIP/2.0
Via: SIP/2.0/UDP 192.0.2.10:5060;rport;branch=z9hG4bKrf{{n}}
From: <sip:{PLATFORM}@{DOMAIN}>;tag=rf
To: <sip:{{code}}@{DOMAIN}>{{tag}}
Call-ID: rf-{{n}}
CSeq: {{n}} {{method}}
Contact: <sip:{PLATFORM}@192.0.2.10:5060>
Max-Forwards: 70"""
XML, SDP = "Content-Type: Application/MANSCDP+xml", "Content-Type: application/sdp"


class Asker:
    """Sends a device one request after the other, and says by what each was answered."""

    def __init__(self, **options: Any) -> None:
        self.site = AtDevice(Libgb28181, **options)
        self.n = 100

    def status(self, method: str, body: str = "", more: str = "", code: str = DEVICE, tag: str = "") -> int:
        self.n += 1
        head = REQUEST.format(method=method, code=code, n=self.n, tag=tag)
        self.site.platform.say(f"{head}\n{more}" if more else head, body.replace("\n", "\r\n").encode())
        self.site.wire.run(0.1)
        answers = [one for one in self.site.platform.heard if one["CSeq"] == f"{self.n} {method}" and one.status != 100]
        assert len({one.status for one in answers}) == 1
        assert answers[0].status < 300 or not answers[0].body
        assert method != "MESSAGE" or not answers[0].body
        return answers[0].status


class TestDevice:
    @pytest.mark.parametrize(
        ("status", "method", "body", "more", "code"),
        [
            (200, "MESSAGE", QUERY.strip(), XML, DEVICE),
            (400, "MESSAGE", "<Query><CmdType>DeviceInfo", XML, DEVICE),
            (400, "MESSAGE", "", XML, DEVICE),
            (404, "MESSAGE", QUERY.strip().replace(DEVICE, "34020000001310009999"), XML, DEVICE),
            (415, "MESSAGE", "hello", "Content-Type: text/plain", DEVICE),
            (200, "INVITE", OFFER, SDP, CHANNEL),
            (400, "INVITE", "hello", SDP, CHANNEL),
            (400, "INVITE", OFFER.replace("s=Play", "s=Playback").replace("t=0 0", "t=x"), SDP, CHANNEL),
            (404, "INVITE", OFFER, SDP, "34020000001310009999"),
            (415, "INVITE", "<a/>", "Content-Type: text/xml", CHANNEL),
            (488, "INVITE", OFFER.replace("RTP/AVP 96", "RTP/AVP 101"), SDP, CHANNEL),
            (488, "INVITE", OFFER.replace("s=Play", "s=Opera"), SDP, CHANNEL),
            (481, "BYE", "", "", CHANNEL),
            (481, "INFO", "PLAY RTSP/1.0\nCSeq: 1\n", "Content-Type: Application/MANSRTSP", CHANNEL),
            (481, "NOTIFY", QUERY.strip(), XML, DEVICE),
            (481, "CANCEL", "", "", CHANNEL),
            (489, "SUBSCRIBE", QUERY.strip(), f"{XML}\nExpires: 90\nEvent: presence", DEVICE),
            (400, "SUBSCRIBE", "", "Expires: 90\nEvent: presence", DEVICE),
            (420, "MESSAGE", QUERY.strip(), f"{XML}\nRequire: 100rel", DEVICE),
            (405, "REGISTER", "", "Expires: 60", DEVICE),
            (405, "REFER", "", "", DEVICE),
            (501, "SING", "", "", DEVICE),
            (200, "OPTIONS", "", "", DEVICE),
        ],
    )
    def test_each_status_has_its_occasion(self, status: int, method: str, body: str, more: str, code: str) -> None:
        asker = Asker()
        assert asker.status(method, body, more, code) == status
        assert asker.status("MESSAGE", QUERY.strip(), XML) == 200  # it goes on

    def test_a_call_without_a_place_gets_486_and_an_offline_channel_480(self) -> None:
        asker = Asker()
        asker.site.device.calls._place = lambda call: None
        assert asker.status("INVITE", OFFER, SDP, CHANNEL) == 486
        channel = asker.site.device.equipment.channels[CHANNEL]
        channel.item = type(channel.item)(device_id=CHANNEL, status="OFF")
        assert asker.status("INVITE", OFFER, SDP, CHANNEL) == 480

    def test_a_request_within_a_dialog_that_is_not_there_gets_481(self) -> None:
        asker = Asker()
        assert asker.status("INVITE", OFFER, SDP, CHANNEL, tag=";tag=nobody") == 481
        assert asker.status("SUBSCRIBE", QUERY.strip(), f"{XML}\nExpires: 0", tag=";tag=nobody") == 481


class TestPlatform:
    def status(self, site: AtPlatform, head: str, body: str = "") -> int:
        before = len(site.camera.heard)
        site.camera.say(head, body.strip().encode())
        site.wire.run(1)
        cseq = head.split("CSeq: ")[1].split("\n")[0]
        answers = [one for one in site.camera.heard[before:] if one.status >= 200 and one["CSeq"] == cseq]
        assert not any(one.body for one in answers)
        (status,) = {one.status for one in answers}
        return status

    @pytest.mark.parametrize(
        ("status", "old", "new", "body"),
        [
            (200, "", "", Camera.KEEPALIVE),
            (400, "", "", "<Notify><CmdType>Alarm"),
            (415, "Application/MANSCDP+xml", "text/plain", "hello"),
            (400, "Application/MANSCDP+xml", "text/plain", "<hello"),
            (403, "INVITE", "INVITE", ""),
            (405, "SUBSCRIBE", "SUBSCRIBE", ""),
            (481, "BYE", "BYE", ""),
            (481, "NOTIFY", "NOTIFY", Camera.KEEPALIVE),
            (200, "OPTIONS", "OPTIONS", ""),
            (403, f"From: <sip:{DEVICE}", "From: <sip:34020000001320000099", Camera.KEEPALIVE),
            (400, "From: <sip:", "From: <nobody ", Camera.KEEPALIVE),
        ],
    )
    def test_each_status_has_its_occasion(self, status: int, old: str, new: str, body: str) -> None:
        site = AtPlatform().registered()
        head = Camera.MESSAGE.format(transport="UDP", n=500)
        head = head.replace("MESSAGE", new) if new.isupper() else head.replace(old, new)
        assert self.status(site, head, body) == status
        assert self.status(site, Camera.MESSAGE.format(transport="UDP", n=501), Camera.KEEPALIVE) == 200

    def test_a_broadcast_of_something_else_gets_415(self) -> None:
        site = AtPlatform().registered()
        site.platform.calls.announce(site.platform.device(DEVICE), PLATFORM, ("192.0.2.10", 31000))
        head = Camera.MESSAGE.format(transport="UDP", n=500).replace("MESSAGE", "INVITE")
        assert self.status(site, head, "<a/>") == 415
        assert [event.status for event in site.of(Unusable)] == [415]

    def test_registrations(self) -> None:
        site = AtPlatform(policy=Policy(max_devices=0))
        head = Camera.REGISTER.format(transport="UDP", n=1, expires=3600)
        assert self.status(site, head) == 503
        site = AtPlatform()
        assert self.status(site, head.replace("Expires: 3600", "X: y")) == 400
        assert self.status(site, head.replace("bKr1", "bKr2").replace(DEVICE, DEVICE[:10])) == 403
        assert not site.platform.devices

    def test_a_call_that_is_taken_back_ends_with_487(self) -> None:
        site = AtPlatform().registered()
        site.camera.instead = lambda heard: heard.method == "INVITE" and site.camera.reply(heard, "180 Ringing") is None
        call = site.invite()
        site.platform.calls.hang_up(call, site.wire.now)
        site.wire.run(1)
        (cancel,) = site.camera.requests("CANCEL")
        (invite,) = site.camera.requests("INVITE")
        assert cancel["Via"] == invite["Via"]
        site.camera.reply(invite, "487 Request Terminated")
        site.wire.run(1)
        assert call.why == "487"
        site.rest()
