"""Mutated messages through everything that reads: documented errors only, in bounded time."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from gb28181 import Gb28181Error
from gb28181.manscdp import read
from gb28181.mansrtsp import parse_answer, parse_request
from gb28181.ptz import decode
from gb28181.sdp import Subject, answer, parse_sdp
from gb28181.sip import Address, Broken, Challenge, Credentials, Endpoint, Flow, StreamFramer, Uri, Via, parse_message

from .examples import ALL, CHANNEL, KEEPALIVE_BODY
from .test_bodies import lines
from .test_sdp import ANSWER, OFFER, PLAYBACK

CATALOG = lines(
    f'<Response>\n<CmdType>Catalog</CmdType>\n<SN>17</SN>\n<SumNum>2</SumNum>\n<DeviceList Num="1">\n<Item>\n'
    f"<DeviceID>{CHANNEL}</DeviceID>\n<Name>北门枪机</Name>\n<Longitude>118.37</Longitude>\n</Item>\n</DeviceList>\n</Response>"
)
RTSP = b"PLAY RTSP/1.0\r\nCSeq: 5\r\nScale: -2.0\r\nRange: npt=600-120\r\n\r\n"
DIGEST = b'Digest username="u",realm="r",nonce="n",uri="sip:a@b",response="00",qop=auth,nc=00000001,cnonce="c"'
ADDRESS = b'"a \\" b" <sip:34020000001320000001@[2001:db8::1]:5060;transport=tcp?x=y>;tag=1;expires="3 6"'
PIECES = [
    b"\r\n",
    b"\n",
    b":",
    b";",
    b",",
    b"<",
    b">",
    b'"',
    b"=",
    b"/",
    b"&",
    b"@",
    b"%",
    b"\x00",
    b"\xff",
    b"\xb1",
    b" " * 50,
]


def header(parse: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: parse(data.decode("utf-8", "surrogateescape"))


def whole_message(data: bytes) -> None:
    message = parse_message(data)
    for name in ("via", "from_", "to", "call_id", "cseq", "contact", "expires", "max_forwards"):
        try:
            getattr(message, name)
        except Gb28181Error:
            continue
    parse_message(bytes(message))


def description(data: bytes) -> None:
    found = parse_sdp(data)
    for name in ("session", "source", "period", "media", "ssrc", "format", "stream_number", "file_size", "setup"):
        try:
            getattr(found, name)
        except Gb28181Error:
            continue
    answer(found, owner=CHANNEL, address="192.0.2.50", port=1)


def stream(data: bytes) -> None:
    framer = StreamFramer(max_message_bytes=5000)
    for found in (*framer.feed(data[: len(data) // 2]), *framer.feed(data[len(data) // 2 :])):
        assert isinstance(found, bytes | Broken)
    assert framer.pending <= 5000


def endpoint(data: bytes) -> None:
    one = Endpoint(random.Random(0))
    flow = Flow("UDP", ("192.0.2.1", 5060), ("192.0.2.2", 5060))
    one.receive_datagram(data, flow, 0.0)
    one.events()
    for _, out in one.data_to_send():
        parse_message(out)


READERS: list[tuple[Callable[[bytes], object], list[bytes]]] = [
    (whole_message, list(ALL)),
    (stream, list(ALL)),
    (endpoint, list(ALL)),
    (description, [OFFER, ANSWER, PLAYBACK]),
    (read, [KEEPALIVE_BODY, CATALOG]),
    (parse_request, [RTSP]),
    (parse_answer, [b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nRTP-Info: seq=1;rtptime=2\r\n\r\n"]),
    (header(decode), [b"A50F010180000036"]),
    (header(Challenge.parse), [b'Digest realm="3402000000",nonce="6fe9",algorithm=MD5,qop="auth,auth-int"']),
    (header(Credentials.parse), [DIGEST]),
    (header(Address.parse), [ADDRESS]),
    (header(Uri.parse), [b"sip:34020000001320000001@192.0.2.1:5060;transport=tcp"]),
    (header(Via.parse), [b"SIP/2.0/UDP 192.0.2.1:5060;rport=1;received=192.0.2.2;branch=z9hG4bK1"]),
    (header(Subject.parse), [b"34020000001310000001:0200000001,34020000002000000001:0"]),
]


def mutated(chance: random.Random, sample: bytes) -> bytes:
    data = bytearray(sample)
    for _ in range(chance.randrange(1, 9)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del data[at : at + chance.randrange(1, 30)]
            case 2:
                data[at:at] = chance.choice(PIECES)
            case 3:
                data[at:at] = data[at : at + chance.randrange(1, 60)]
            case 4:
                data[at:at] = str(chance.getrandbits(chance.choice([8, 32, 64, 200]))).encode()
            case _:
                data[at:] = data[at:][::-1] if chance.random() < 0.1 else data[at:]
    return bytes(data)


def fuzz(seed: int, times: int) -> int:
    chance, refused = random.Random(seed), 0
    for _ in range(times):
        reader, samples = chance.choice(READERS)
        try:
            reader(mutated(chance, chance.choice(samples)))
        except Gb28181Error:
            refused += 1
    return refused


@pytest.mark.parametrize("seed", range(4))
def test_only_documented_errors(seed: int) -> None:
    assert 0 < fuzz(seed, 5_000) < 5_000


@pytest.mark.soak
def test_only_documented_errors_a_million_times() -> None:
    assert 0 < sum(fuzz(seed, 50_000) for seed in range(100, 120)) < 1_000_000


@pytest.mark.parametrize("sign", [" ", ";", ",", "<", '"', "\\", "=", ":", "a", "/", ".", "-", "(", "&"])
def test_long_runs_of_one_sign_take_no_time_to_speak_of(sign: str) -> None:
    """Patterns that try every way to match a run would hang here, not merely be slow."""
    run = sign * 60_000
    for reader, samples in READERS:
        for at in (0, len(samples[0]) // 2, len(samples[0])):
            try:
                reader(samples[0][:at] + run.encode() + samples[0][at:])
            except Gb28181Error:
                continue
