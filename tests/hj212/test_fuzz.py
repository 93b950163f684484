"""Random and mutated bytes through framing and parsing: nothing raises, nothing grows, the work stays linear."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress

import pytest

from hj212 import HJ_212_2017, Framer, Message, MessageError, framing
from hj212.explain import examine, point_out
from hj212.framing import MAX_FRAME_BYTES, MAX_LINE_ENDS, Frame, Noise
from hj212.segment import format_segment, parse_flat, parse_header, parse_segment

from .conftest import Vector

#: Of the items found, one in so many is explained: that costs far more than reading.
EXAMINED = 25
MAX_CHUNK = 5000


def flip_bits(data: bytes, dice: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(dice.randint(1, 8)):
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    return bytes(changed)


def cut(data: bytes, dice: random.Random) -> bytes:
    start, end = sorted((dice.randrange(len(data)), dice.randrange(len(data))))
    return data[start : end + 1]


def duplicate(data: bytes, dice: random.Random) -> bytes:
    start, end = sorted((dice.randrange(len(data)), dice.randrange(len(data))))
    return data[:end] + data[start:end] * dice.randint(1, 3) + data[end:]


def lie(data: bytes, dice: random.Random) -> bytes:
    return b"##%04d" % dice.randrange(10_000) + data[6:]


def insert(data: bytes, dice: random.Random) -> bytes:
    signs = (
        b"\r\n",
        b"\r\n##",
        b"\r\n##0012",
        b"##0100",
        b"##",
        b"&&",
        b";CP=&&",
        b"//",
        b"=",
        b";",
        b",",
        b"-",
        b"\xff",
    )
    for _ in range(dice.randint(1, 6)):
        at = dice.randrange(len(data))
        data = data[:at] + dice.choice(signs) + data[at:]
    return data


def encipher(data: bytes, dice: random.Random) -> bytes:
    opening, closing = data.find(b"CP=&&") + 5, data.rfind(b"&&")
    if opening >= closing:
        return data
    return data[:opening] + dice.randbytes(closing - opening) + data[closing:]


def replace_all(data: bytes, dice: random.Random) -> bytes:
    return dice.randbytes(len(data))


MUTATIONS = (flip_bits, cut, duplicate, lie, insert, encipher, replace_all)


def mutated(frames: list[bytes], size: int, dice: random.Random) -> Iterator[bytes]:
    """Yield chunks of mutated and some whole frames, ``size`` bytes in all or a little more."""
    made = 0
    pending = b""
    while made < size:
        piece = dice.choice(frames)
        if dice.random() < 0.2:
            other = dice.choice(frames)
            piece = piece[: dice.randrange(len(piece))] + other[dice.randrange(len(other)) :]  # splice
        for _ in range(dice.randrange(3)):
            piece = dice.choice(MUTATIONS)(piece, dice) or piece
        pending += piece
        while len(pending) > MAX_CHUNK:
            chunk = pending[: dice.randint(1, MAX_CHUNK)]
            pending = pending[len(chunk) :]
            made += len(chunk)
            yield chunk


def view(segment: bytes) -> None:
    """Look at a segment through every door."""
    whole, flat, header = parse_segment(segment), parse_flat(segment), parse_header(segment)
    assert format_segment(whole) == segment
    assert whole.header == flat.header == header.header
    assert sum(map(len, whole.items)) == len(flat.pairs)
    message = Message(whole)
    assert bytes(message) == segment
    _ = (message.qn, message.st, message.cn, message.mn, message.flag, message.pnum, message.pno)
    _ = (message.wants_answer, message.edition, repr(message), dict(message.parameters()))
    with suppress(MessageError):
        message.number("QnRtn")


def fuzz(frames: list[bytes], size: int, seed: int, checked: list[int]) -> int:
    """Run ``size`` bytes through everything; return how many frames came out."""
    dice = random.Random(seed)
    framer = Framer()
    taken = given_out = frames_found = 0
    for chunk in mutated(frames, size, dice):
        taken += len(chunk)
        found = framer.feed(chunk)
        assert framer.pending < MAX_FRAME_BYTES + 8
        for number, item in enumerate(found):
            assert len(item.raw) <= MAX_FRAME_BYTES
            assert item.offset == given_out
            given_out += len(item.raw)
            if isinstance(item, Noise):
                continue
            frames_found += 1
            look_at(item, number % EXAMINED == 0)
    given_out += sum(len(item.raw) for item in framer.finish())
    assert given_out == taken
    # Each feed looks again at one unfinished frame, each frame is looked at once more.
    looks = (frames_found + size // 500) * (MAX_LINE_ENDS + 2)
    assert len(checked) <= looks
    assert sum(checked) <= 20 * taken
    return frames_found


def look_at(frame: Frame, closely: bool) -> None:
    _ = (frame.length_ok, frame.crc_ok, frame.intact, repr(frame))
    view(frame.segment)
    if closely:
        for deviation in examine(frame, HJ_212_2017):
            assert 0 <= deviation.offset <= len(frame.raw)
            assert deviation.text("zh") != deviation.text("en")
            point_out(frame, deviation)


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sizes of what the reader puts through the check value."""
    sizes: list[int] = []
    real = framing.crc16  # type: ignore[attr-defined]

    def counting(segment: bytes) -> int:
        sizes.append(len(segment))
        return int(real(segment))

    monkeypatch.setattr(framing, "crc16", counting)
    return sizes


@pytest.fixture
def frames(vectors: tuple[Vector, ...], bench_mix: bytes) -> list[bytes]:
    return [vector.raw for vector in vectors] + [item.raw for item in Framer().feed(bench_mix)[::100]]


@pytest.mark.parametrize("seed", range(4))
def test_fifty_thousand_bytes(frames: list[bytes], seed: int, checked: list[int]) -> None:
    assert fuzz(frames, 50_000, seed, checked) > 50


def test_pure_noise(checked: list[int]) -> None:
    dice = random.Random(1)
    framer = Framer()
    for _ in range(50):
        for item in framer.feed(dice.randbytes(1000)):
            view(item.raw)
        assert framer.pending < MAX_FRAME_BYTES + 8
    assert sum(checked) <= 50_000


@pytest.mark.soak
def test_ten_million_bytes(frames: list[bytes], checked: list[int]) -> None:
    for seed in range(100, 200):
        checked.clear()
        assert fuzz(frames, 100_000, seed, checked) > 100
