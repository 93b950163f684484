"""Session descriptions: the composed ones exactly, offers and answers of each kind, and what peers write."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gb28181 import GBT_28181_2016, GBT_28181_2022, LocalProtocolError, SdpError
from gb28181.sdp import (
    AudioFormat,
    Description,
    Direction,
    Format,
    Session,
    Setup,
    Subject,
    VideoFormat,
    answer,
    offer,
    parse_sdp,
)

from .examples import CHANNEL, PLATFORM


def lines(text: str) -> bytes:
    return text.strip().replace("\n", "\r\n").encode() + b"\r\n"


OFFER = lines(f"""
v=0
o={PLATFORM} 0 0 IN IP4 192.0.2.10
s=Play
c=IN IP4 192.0.2.10
t=0 0
m=video 30000 TCP/RTP/AVP 96 98 99
a=recvonly
a=rtpmap:96 PS/90000
a=rtpmap:98 H264/90000
a=rtpmap:99 H265/90000
a=setup:passive
a=connection:new
a=streamnumber:0
y=0200000001
f=v/2/6/25/1/4000a/1/8/1
""")
ANSWER = lines(f"""
v=0
o={CHANNEL} 0 0 IN IP4 192.0.2.50
s=Play
c=IN IP4 192.0.2.50
t=0 0
m=video 15060 TCP/RTP/AVP 96
a=sendonly
a=rtpmap:96 PS/90000
a=setup:active
a=connection:new
y=0200000001
f=v/2/6/25/1/4000a/1/8/1
""")
PLAYBACK = lines(f"""
v=0
o={PLATFORM} 0 0 IN IP4 192.0.2.10
s=Playback
u={CHANNEL}:0
c=IN IP4 192.0.2.10
t=1767294000 1767297600
m=video 30002 RTP/AVP 96 98
a=recvonly
a=rtpmap:96 PS/90000
a=rtpmap:98 H264/90000
y=1200000002
""")
ACTUAL = Format(VideoFormat("2", "6", "25", "1", "4000"), AudioFormat("1", "8", "1"))


def test_the_composed_live_offer_and_answer() -> None:
    offered = offer(
        GBT_28181_2022,
        Session.PLAY,
        owner=PLATFORM,
        address="192.0.2.10",
        port=30000,
        ssrc="0200000001",
        setup=Setup.PASSIVE,
        payloads=(96, 98, 99),
        names={99: "H265/90000"},
        stream=0,
        wish=ACTUAL,
    )
    assert bytes(offered) == OFFER
    assert len(OFFER) == 298
    answered = answer(parse_sdp(OFFER), owner=CHANNEL, address="192.0.2.50", port=15060, format=ACTUAL)
    assert bytes(answered) == ANSWER
    assert len(ANSWER) == 225


def test_the_composed_playback_offer() -> None:
    made = offer(
        GBT_28181_2016,
        Session.PLAYBACK,
        owner=PLATFORM,
        address="192.0.2.10",
        port=30002,
        ssrc="1200000002",
        source=CHANNEL,
        period=(1767294000, 1767297600),
        payloads=(96, 98),
    )
    assert bytes(made) == PLAYBACK


def test_views() -> None:
    description = parse_sdp(OFFER)
    assert (description.owner, description.session, description.address) == (PLATFORM, Session.PLAY, "192.0.2.10")
    assert (description.period, description.ssrc, description.stream_number) == ((0, 0), 200000001, 0)
    assert (description.direction, description.setup) == (Direction.RECEIVE, Setup.PASSIVE)
    media = description.media
    assert (media.kind, media.port, media.tcp, media.payloads) == ("video", 30000, True, (96, 98, 99))
    assert (media.name(99), media.name(8), media.name(77)) == ("H265/90000", "PCMA/8000", "")
    assert description.format == ACTUAL
    playback = parse_sdp(PLAYBACK)
    assert (playback.source, playback.period) == ((CHANNEL, "0"), (1767294000, 1767297600))
    assert playback.session is Session.PLAYBACK


def test_download() -> None:
    offered = offer(
        GBT_28181_2022,
        Session.DOWNLOAD,
        owner=PLATFORM,
        address="192.0.2.10",
        port=30004,
        ssrc="1200000003",
        source=CHANNEL,
        period=(1, 2),
        speed=4,
    )
    assert offered.download_speed == 4
    answered = answer(offered, owner=CHANNEL, address="192.0.2.50", port=15062, file_size=12345)
    assert (answered.file_size, answered.period, answered.session) == (12345, (1, 2), Session.DOWNLOAD)
    assert answered.direction is Direction.SEND


@pytest.mark.parametrize("text", ["-1", "0", "", "x", "1e9"])
def test_a_size_that_says_nothing(text: str) -> None:
    assert parse_sdp(f"v=0\r\na=filesize:{text}\r\n".encode()).file_size is None


@pytest.mark.parametrize(
    ("line", "number"),
    [("streamnumber:1", 1), ("streamprofile:0", 0), ("stream:sub", 1), ("streamMode:MAIN", 0), ("stream:x", None)],
)
def test_how_vendors_name_a_stream(line: str, number: int | None) -> None:
    assert parse_sdp(f"v=0\r\na={line}\r\n".encode()).stream_number == number


class TestAnswer:
    def answered(self, *changes: tuple[str, str], **how: object) -> Description:
        text = OFFER.decode()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        return answer(parse_sdp(text.encode()), owner=CHANNEL, address="192.0.2.50", port=1, **how)  # type: ignore[arg-type]

    def test_roles_over_tcp(self) -> None:
        assert self.answered().setup is Setup.ACTIVE
        assert self.answered(("setup:passive", "setup:active")).setup is Setup.PASSIVE
        assert self.answered(("a=setup:passive\r\n", "")).setup is Setup.ACTIVE

    def test_over_udp_there_are_none(self) -> None:
        assert self.answered(("TCP/RTP/AVP", "RTP/AVP")).setup is None

    def test_a_value_of_its_own(self) -> None:
        assert self.answered(ssrc="0100000009").ssrc == 100000009
        assert self.answered(("y=0200000001\r\n", "")).ssrc is None

    def test_a_payload_type_that_both_know(self) -> None:
        assert self.answered(can=(98, 96)).media.payloads == (98,)
        with pytest.raises(SdpError, match="payload types 126") as caught:
            self.answered(can=(126,))
        assert caught.value.status == 488

    def test_what_cannot_be_satisfied(self) -> None:
        for changes, how in (((("s=Play", "s=Karaoke"),), {}), ((), {"tcp": False})):
            with pytest.raises(SdpError) as caught:
                self.answered(*changes, **how)
            assert caught.value.status == 488

    def test_what_cannot_be_read(self) -> None:
        for old, new in (("m=video 30000", "m=video x"), ("m=video 30000", "m=video 99999")):
            with pytest.raises(SdpError, match="m=") as caught:
                self.answered((old, new))
            assert caught.value.status == 400

    def test_audio_for_a_broadcast(self) -> None:
        offered = offer(
            GBT_28181_2022,
            Session.PLAY,
            owner=CHANNEL,
            address="192.0.2.50",
            port=8000,
            ssrc="0100000001",
            payloads=(8,),
            kind="audio",
        )
        answered = answer(offered, owner=PLATFORM, address="192.0.2.10", port=8002, can=(8,))
        assert (answered.media.kind, answered.media.name(8), answered.direction) == (
            "audio",
            "PCMA/8000",
            Direction.SEND,
        )


def test_talk_is_of_2016() -> None:
    how = {
        "owner": PLATFORM,
        "address": "192.0.2.10",
        "port": 1,
        "ssrc": "0100000001",
        "payloads": (8,),
        "kind": "audio",
    }
    made = offer(GBT_28181_2016, Session.TALK, **how)  # type: ignore[arg-type]
    assert made.direction is Direction.BOTH
    with pytest.raises(LocalProtocolError, match="no session Talk"):
        offer(GBT_28181_2022, Session.TALK, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("missing", [{"source": ""}, {"period": (5, 5)}])
def test_playback_needs_source_and_period(missing: dict[str, object]) -> None:
    how = {"owner": "a", "address": "b", "port": 1, "ssrc": "1", "source": "c", "period": (1, 2), **missing}
    with pytest.raises(LocalProtocolError, match="source and a period"):
        offer(GBT_28181_2016, Session.PLAYBACK, **how)  # type: ignore[arg-type]
    with pytest.raises(LocalProtocolError, match="line end"):
        offer(GBT_28181_2016, Session.PLAY, owner="a\r\nm=x", address="b", port=1, ssrc="1")


class TestTolerance:
    def test_odd_lines_are_kept_or_told(self) -> None:
        description = parse_sdp(b"v=0\ns = Play \nz-nonsense\ny=100000001\na=x\nk=1\n\x00")
        assert description.session is Session.PLAY
        assert description.ssrc == 100000001
        assert [each.code for each in description.deviations] == ["line", "order", "ssrc-digits"]
        assert description.lines[-2:] == (("a", "x"), ("k", "1"))
        assert b"\r\nz-nonsense\r\n" in bytes(description)

    def test_a_number_too_long_for_python(self) -> None:
        assert parse_sdp(b"v=0\r\na=streamnumber:" + b"1" * 5000).stream_number is None

    def test_an_empty_address(self) -> None:
        assert parse_sdp(b"v=0\r\nc=IN IP4 \r\n").address == ""
        assert parse_sdp(b"v=0\r\nc=IN IP6 2001:db8::1\r\n").address == "2001:db8::1"

    @pytest.mark.parametrize("body", [b"", b"\r\n\r\n", b"hello", b"v=0\r\n" * 200, b"a=" + b"x" * 9000])
    def test_what_is_no_description(self, body: bytes) -> None:
        with pytest.raises(SdpError) as caught:
            parse_sdp(body)
        assert caught.value.status == 400


class TestFormat:
    @pytest.mark.parametrize(
        "text", ["v/2/6/25/1/4000a///", "v/////a/1/8/1", "v/5/3840x2160/25/2/8000a/6/19/11", "v/////a///"]
    )
    def test_written_as_read(self, text: str) -> None:
        assert str(Format.parse(text)) == text

    @pytest.mark.parametrize("text", ["", "v", "2/6", "v/1/2/3/4/5/6a///", "v/2/6/25/1/4000", "a/1/8/1"])
    def test_other_shapes(self, text: str) -> None:
        with pytest.raises(SdpError, match="f="):
            Format.parse(text)

    def test_shortened(self) -> None:
        assert Format.parse("v/2/4a").video.resolution == "4"


class TestSubject:
    @pytest.mark.parametrize(
        ("text", "parts"),
        [
            (f"{CHANNEL}:0200000001,{PLATFORM}:0", (CHANNEL, "0200000001", PLATFORM, "0")),
            (f"{CHANNEL}:1, {PLATFORM} : 2", (CHANNEL, "1", PLATFORM, "2")),
            (f"{CHANNEL},{PLATFORM}", (CHANNEL, "", PLATFORM, "")),
            (f"{CHANNEL}:1", (CHANNEL, "1", "", "")),
        ],
    )
    def test_read(self, text: str, parts: tuple[str, ...]) -> None:
        subject = Subject.parse(text)
        assert (subject.sender, subject.sender_sequence, subject.receiver, subject.receiver_sequence) == parts

    def test_written(self) -> None:
        assert str(Subject("a", "1", "b", "0").of(sender_sequence="2")) == "a:2,b:0"

    @pytest.mark.parametrize("text", ["", ":", "a:b:c", "a:1,b:2,c:3"])
    def test_what_names_no_source(self, text: str) -> None:
        with pytest.raises(SdpError, match="Subject"):
            Subject.parse(text)


@given(st.sampled_from([OFFER, ANSWER, PLAYBACK]), st.integers(0, 2**32))
def test_damage_raises_the_documented_error_only(body: bytes, seed: int) -> None:
    chance = random.Random(seed)
    damaged = bytearray(body)
    for _ in range(chance.randrange(1, 10)):
        at = chance.randrange(len(damaged))
        damaged[at : at + chance.randrange(3)] = chance.choice([b"\r\n", b"=", b"/", b":", b"", bytes([at % 256])])
    try:
        description = parse_sdp(bytes(damaged))
    except SdpError:
        return
    assert parse_sdp(bytes(description)).lines == description.lines
    for name in ("session", "source", "address", "period", "media", "direction", "setup", "ssrc", "format"):
        try:
            getattr(description, name)
        except SdpError:
            continue
    try:
        answer(description, owner=CHANNEL, address="192.0.2.50", port=1)
    except SdpError:
        return
