"""Control of a playback: the composed bodies, what peers write, and where a playback stands."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gb28181 import LocalProtocolError, RtspError
from gb28181.mansrtsp import Answer, Method, Playback, Range, Request, parse_answer, parse_request

EXAMPLES = [
    (Request(Method.PLAY, 3, range=Range()), b"PLAY RTSP/1.0\r\nCSeq: 3\r\nRange: npt=now-\r\n\r\n"),
    (Request(Method.PAUSE, 2), b"PAUSE RTSP/1.0\r\nCSeq: 2\r\nPauseTime: now\r\n\r\n"),
    (Request(Method.PLAY, 4, scale=Decimal("2.0")), b"PLAY RTSP/1.0\r\nCSeq: 4\r\nScale: 2.0\r\n\r\n"),
    (Request(Method.PLAY, 5, range=Range(Decimal(100))), b"PLAY RTSP/1.0\r\nCSeq: 5\r\nRange: npt=100-\r\n\r\n"),
    (
        Request(Method.PLAY, 6, scale=Decimal("-1.0"), range=Range(Decimal(600), Decimal(120))),
        b"PLAY RTSP/1.0\r\nCSeq: 6\r\nScale: -1.0\r\nRange: npt=600-120\r\n\r\n",
    ),
    (Request(Method.TEARDOWN, 6), b"TEARDOWN RTSP/1.0\r\nCSeq: 6\r\n\r\n"),
]


@pytest.mark.parametrize(("request_", "body"), EXAMPLES)
def test_written_and_read(request_: Request, body: bytes) -> None:
    assert bytes(request_) == body
    assert parse_request(body) == request_


def test_the_composed_body_has_its_length() -> None:
    assert len(bytes(Request(Method.PLAY, 1, scale=Decimal("2.0")))) == 38
    assert bytes(Request(Method.PLAY, 1, scale=Decimal(2))) == bytes(Request(Method.PLAY, 1, scale=Decimal("2.0")))


@pytest.mark.parametrize(
    ("body", "request_"),
    [
        (b"PLAY MANSRTSP/1.0\nCSeq:1\nRange: ntp=now-", Request(Method.PLAY, 1, range=Range())),
        (
            b"play rtsp://192.0.2.1/x RTSP/1.0\r\ncseq: 7 Info\r\nscale: .5",
            Request(Method.PLAY, 7, scale=Decimal("0.5")),
        ),
        (
            b"PLAY RTSP/1.0\r\nCSeq: 2\r\nRange: smpte=0:10:00-0:11:30\r\nX: y\r\n\r\n",
            Request(Method.PLAY, 2, range=Range(Decimal(600), Decimal(690)), others=(("X", "y"),)),
        ),
        (b"PLAY RTSP/1.0\r\nRange: npt=12.5-", Request(Method.PLAY, 0, range=Range(Decimal("12.5")))),
    ],
)
def test_what_peers_write(body: bytes, request_: Request) -> None:
    assert parse_request(body) == request_


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "expected PLAY"),
        (b"OPTIONS RTSP/1.0\r\n", "expected PLAY"),
        (b"PLAY HTTP/1.1\r\n", "expected PLAY"),
        (b"PLAY RTSP/1.0\r\nScale: 0\r\n", "Scale"),
        (b"PLAY RTSP/1.0\r\nScale: fast\r\n", "Scale"),
        (b"PLAY RTSP/1.0\r\nRange: npt=a-b\r\n", "Range"),
        (b"PLAY RTSP/1.0\r\nRange: npt=.-\r\n", "Range"),
        (b"PLAY RTSP/1.0\r\nCSeq: x\r\n", "CSeq"),
        (b"x" * 5000, "MAX_RTSP_BYTES"),
    ],
)
def test_what_is_no_request(body: bytes, words: str) -> None:
    with pytest.raises(RtspError, match=words):
        parse_request(body)


def test_answers() -> None:
    body = b"RTSP/1.0 200 OK\r\nCSeq: 6\r\nScale: -1.0\r\nRange: npt=100-\r\nRTP-Info: seq=17;rtptime=9000\r\n\r\n"
    answer = parse_answer(body)
    assert answer == Answer(200, 6, Decimal("-1.0"), Range(Decimal(100)), 17, 9000)
    assert bytes(answer) == body
    assert parse_answer(b"MANSRTSP/1.0 457 Invalid Range").status == 457
    assert parse_answer(b"RTSP/1.0 200 OK\r\nRTP-Info: url=x;seq=1;rtptime=2,url=y\r\nY: 1").others == (("Y", "1"),)
    with pytest.raises(RtspError, match="a status"):
        parse_answer(b"PLAY RTSP/1.0")
    with pytest.raises(RtspError, match="RTP-Info"):
        parse_answer(b"RTSP/1.0 200 OK\r\nRTP-Info: seq=x")


def test_no_value_ends_its_line() -> None:
    with pytest.raises(LocalProtocolError):
        bytes(Request(Method.PLAY, 1, others=(("X", "a\r\nScale: 9"),)))


class TestPlayback:
    def ask(self, text: str) -> Request:
        return parse_request(b"PLAY RTSP/1.0\r\n" + text.encode())

    def test_speed_pause_and_seek(self) -> None:
        playback = Playback(3600.0)
        assert playback.position(10.0) == 10.0
        playback = playback.follow(self.ask("Scale: 4"), 10.0)
        assert playback.position(20.0) == 50.0
        playback = playback.follow(Request(Method.PAUSE, 1), 20.0)
        assert (playback.position(500.0), playback.ends_at()) == (50.0, None)
        playback = playback.follow(self.ask("Range: npt=now-"), 500.0)
        assert playback.position(510.0) == 90.0  # the speed stayed
        playback = playback.follow(self.ask("Range: npt=1000-"), 510.0)
        assert (playback.position(510.0), playback.ends_at()) == (1000.0, 510.0 + 2600 / 4)

    def test_backwards_to_a_place_or_to_the_begin(self) -> None:
        playback = Playback(3600.0).follow(self.ask("Scale: -1\r\nRange: npt=600-120"), 0.0)
        assert (playback.position(100.0), playback.position(9999.0), playback.ends_at()) == (500.0, 120.0, 480.0)
        playback = playback.follow(self.ask("Range: npt=600-"), 0.0)
        assert (playback.position(9999.0), playback.ends_at()) == (0.0, 600.0)

    def test_behind_the_end(self) -> None:
        playback = Playback(100.0)
        assert (playback.position(1000.0), playback.ends_at()) == (100.0, 100.0)
        with pytest.raises(RtspError, match="ends at 100 s") as caught:
            playback.follow(self.ask("Range: npt=101-"), 0.0)
        assert caught.value.status == 457

    @given(st.floats(0, 100), st.sampled_from(["0.25", "0.5", "1", "2", "4", "-1", "-2"]), st.floats(0, 1000))
    def test_it_stays_within_the_recording_and_arrives_when_it_says(
        self, start: float, scale: str, later: float
    ) -> None:
        playback = Playback(100.0, start).follow(self.ask(f"Scale: {scale}"), 0.0)
        assert 0.0 <= playback.position(later) <= 100.0
        end = playback.ends_at()
        assert end is not None
        assert playback.position(end) == pytest.approx(0.0 if scale.startswith("-") else 100.0)
