"""HJ 212 beside the usual way: check value bit by bit, text taken apart by ``str.split``.

Every figure is per frame of ``tests/vectors/bench-mix.bin``. Nothing made is kept, so the collector has nothing to do.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from hj212 import (
    HJ_212_2017,
    Connection,
    Frame,
    Framer,
    Role,
    build_frame,
    crc16,
    format_segment,
    parse_segment,
)
from hj212.segment import Segment, parse_flat, parse_header

from .conftest import best

#: What a socket usually hands over at once.
CHUNK = 4096
ROUNDS = 100
SLOW_ROUNDS = 3


# The usual way


def usual_crc(data: str) -> str:
    register = 0xFFFF
    for char in data.encode():
        register = (register >> 8) ^ char
        for _ in range(8):
            if register & 1:
                register = (register >> 1) ^ 0xA001
            else:
                register >>= 1
    return f"{register:04X}"


def usual_framing(stream: str) -> list[str]:
    return [line for line in stream.split("\r\n") if line.startswith("##") and int(line[2:6]) == len(line) - 10]


def usual_parse(line: str) -> dict[str, Any]:
    data = line[6:-4]
    if usual_crc(data) != line[-4:]:
        raise ValueError(line)
    head, _, area = data.partition("CP=&&")
    fields: dict[str, Any] = dict(pair.split("=", 1) for pair in head.split(";") if pair)
    fields["CP"] = [dict(pair.split("=", 1) for pair in item.split(",")) for item in area[:-2].split(";") if item]
    return fields


def usual_flat(line: str) -> dict[str, str]:
    data = line[6:-4]
    if usual_crc(data) != line[-4:]:
        raise ValueError(line)
    head, _, area = data.partition("CP=&&")
    return dict(pair.split("=", 1) for pair in (head + area[:-2]).replace(",", ";").split(";") if pair)


def usual_header(line: str) -> dict[str, str]:
    data = line[6:-4]
    if usual_crc(data) != line[-4:]:
        raise ValueError(line)
    return dict(pair.split("=", 1) for pair in data.partition("CP=&&")[0].split(";") if pair)


def usual_build(fields: dict[str, Any]) -> str:
    head = ";".join(f"{key}={value}" for key, value in fields.items() if key != "CP")
    area = ";".join(",".join(f"{key}={value}" for key, value in item.items()) for item in fields["CP"])
    data = f"{head};CP=&&{area}&&"
    return f"##{len(data):04d}{data}{usual_crc(data)}\r\n"


# Ours


def framing(stream: bytes) -> None:
    framer = Framer()
    for at in range(0, len(stream), CHUNK):
        framer.feed(stream[at : at + CHUNK])


def parsing(stream: bytes) -> None:
    framer = Framer()
    for at in range(0, len(stream), CHUNK):
        for frame in framer.feed(stream[at : at + CHUNK]):
            if isinstance(frame, Frame) and frame.usable:
                parse_segment(frame.segment)


def building(segments: list[Segment]) -> None:
    for segment in segments:
        build_frame(format_segment(segment))


def each(work: Callable[[Any], object], values: Iterable[Any]) -> None:
    for value in values:
        work(value)


Pair = tuple[Callable[[], None], Callable[[], None]]


@pytest.fixture(scope="module")
def frames(bench_mix: bytes) -> list[Frame]:
    return [item for item in Framer().feed(bench_mix) if isinstance(item, Frame)]


@pytest.fixture(scope="module")
def work(bench_mix: bytes, frames: list[Frame]) -> dict[str, Pair]:
    """Name -> ours and the usual way, each on all frames."""
    segments = [frame.segment for frame in frames]
    parsed = [parse_segment(segment) for segment in segments]
    lines = [frame.raw[:-2].decode() for frame in frames]
    stream = bench_mix.decode()
    dicts = [usual_parse(line) for line in lines]

    def checked(parse: Callable[[bytes], object]) -> Callable[[], None]:
        def read() -> None:
            for frame in frames:
                if frame.crc_ok:
                    parse(frame.segment)

        return read

    def usual_receive() -> None:
        each(usual_parse, usual_framing(stream))

    return {
        "crc": (partial(each, crc16, segments), partial(each, usual_crc, [s.decode() for s in segments])),
        "framing": (partial(framing, bench_mix), partial(each, usual_framing, [stream])),
        "nested parse, crc": (checked(parse_segment), partial(each, usual_parse, lines)),
        "flat parse, crc": (checked(parse_flat), partial(each, usual_flat, lines)),
        "header, crc": (checked(parse_header), partial(each, usual_header, lines)),
        "framing, nested parse, crc": (partial(parsing, bench_mix), usual_receive),
        "build": (
            partial(building, parsed),
            partial(each, usual_build, dicts),
        ),
    }


#: What is asked for, in microseconds a frame.
ASKED = {"nested parse, crc": 9.5, "flat parse, crc": 7.0, "header, crc": 3.5, "build": 7.0}
NAMES = ["crc", "framing", "nested parse, crc", "flat parse, crc", "header, crc", "framing, nested parse, crc", "build"]


@pytest.mark.parametrize("name", NAMES)
def test_ours(name: str, work: dict[str, Pair], benchmark: BenchmarkFixture) -> None:
    benchmark.group = name
    benchmark.pedantic(work[name][0], rounds=ROUNDS, warmup_rounds=1)


@pytest.mark.parametrize("name", NAMES)
def test_usual_way(name: str, work: dict[str, Pair], benchmark: BenchmarkFixture) -> None:
    benchmark.group = name
    benchmark.pedantic(work[name][1], rounds=SLOW_ROUNDS, warmup_rounds=0)


def test_both_ways_agree(frames: list[Frame]) -> None:
    for frame in frames[::20]:
        line = frame.raw[:-2].decode()
        fields = usual_parse(line)
        segment = parse_segment(frame.segment)
        assert [list(pair) for pair in fields.items() if pair[0] != "CP"] == segment.header
        assert [[list(pair) for pair in item.items()] for item in fields["CP"]] == segment.items
        flat = parse_flat(frame.segment)
        assert usual_flat(line) == {pair[0]: pair[1] for pair in flat.header + flat.pairs}
        assert usual_header(line) == {pair[0]: pair[1] for pair in parse_header(frame.segment).header}
        assert usual_build(fields).encode() == frame.raw == build_frame(format_segment(segment))


def test_ten_times_faster_where_a_check_value_is_needed(
    work: dict[str, Pair], frames: list[Frame], measured: Callable[[str], None]
) -> None:
    measured(f"{'per frame':<28}{'ours':>10}{'asked':>10}{'usual':>12}{'ratio':>8}")
    ratios = {}
    for name in NAMES:
        ours, usual = (
            best(way, n) / len(frames) * 1e6 for way, n in zip(work[name], (ROUNDS, SLOW_ROUNDS), strict=True)
        )
        ratios[name] = usual / ours
        asked = f"{ASKED[name]:.1f} us" if name in ASKED else ""
        measured(f"{name:<28}{ours:>7.2f} us{asked:>10}{usual:>9.1f} us{ratios[name]:>7.1f}x")
    del ratios["framing"]  # splitting at line ends is quick, and loses whatever is damaged
    assert min(ratios.values()) >= 10, ratios


def test_idle_connection(measured: Callable[[str], None]) -> None:
    Connection(Role.PLATFORM, HJ_212_2017)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        idle = [Connection(Role.PLATFORM, HJ_212_2017) for _ in range(10_000)]
        size = (tracemalloc.get_traced_memory()[0] - before) / len(idle)
    finally:
        tracemalloc.stop()
    measured(f"{'idle Connection':<28}{size:>7.0f} bytes")
    assert size <= 1024
