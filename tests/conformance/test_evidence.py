"""From bytes to frames heard: whatever the split, whatever the damage, each reference names exactly its bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance import literal
from conformance.evidence import Evidence, Heard, LinkReader, Stray
from conformance.profile import shipped
from conformance.transcript import Transcript
from conformance.verdicts import Ref
from hj212.times import format_time

STALL_S = 3.0
MN = b"64010000ACCE550000000001"
SEGMENT = (
    b"QN=20250915100000123;ST=81;CN=3020;PW=123456;MN=64010000ACCE550000000001;Flag=5;"
    b"CP=&&DataTime=20250915100000;i32001-Info=0;i32002-Info=0;i32003-Info=0&&"
)
REPORT = literal.frame(SEGMENT)
CHANGE = literal.frame(SEGMENT.replace(b"i32001-Info=0;i32002-Info=0;i32003-Info=0", b"i32001-Info=1"))
LOG = literal.frame(SEGMENT.replace(b"i32001-Info=0", "i31001-Info=//人脸 ##0012 开门//".encode()))
PIECES = [
    REPORT,
    CHANGE,
    LOG,
    b"HEARTBEAT\r\n",
    b"\x00\xff##",
    REPORT.replace(b"##0152", b"##0158"),
    REPORT.replace(b"##0152", b"##0140"),
    REPORT[:60],
    REPORT[:-2],
    REPORT[:-1],
    CHANGE[:-6] + b"0000\r\n",
    b"\r\n",
]


def read(data: bytes, cuts: Iterable[int] = ()) -> tuple[list[Heard | Stray], list[bytes]]:
    """Feed ``data`` cut at the given places, an entry a piece, and end the link."""
    reader = LinkReader(1, STALL_S)
    pieces = [data[start:end] for start, end in pairwise([0, *sorted(cuts), len(data)])]
    found: list[Heard | Stray] = []
    for seq, piece in enumerate(pieces):
        found += reader.feed(seq, piece, 0.0)
    return found + reader.end(0.0), pieces


def heard(found: Iterable[Heard | Stray]) -> list[Heard]:
    return [item for item in found if isinstance(item, Heard)]


def bytes_at(refs: Sequence[Ref], pieces: Sequence[bytes]) -> bytes:
    return b"".join(pieces[ref.seq][ref.start : ref.end] for ref in refs)


streams = st.lists(st.one_of(st.sampled_from(PIECES), st.binary(max_size=40)), max_size=8).map(b"".join)


@given(streams, st.data())
def test_split_of_the_input_changes_neither_frames_nor_their_places(data: bytes, draw: st.DataObject) -> None:
    cuts = draw.draw(st.lists(st.integers(0, len(data)), max_size=12))
    whole, _ = read(data)
    split, pieces = read(data, cuts)
    assert [(h.frame.raw, h.frame.offset, h.truncated) for h in heard(split)] == [
        (h.frame.raw, h.frame.offset, h.truncated) for h in heard(whole)
    ]
    for item in split:
        raw = item.frame.raw if isinstance(item, Heard) else item.raw
        assert bytes_at(item.refs, pieces) == raw
    assert b"".join(bytes_at(item.refs, pieces) for item in split) == data


@given(st.lists(st.integers(0, len(REPORT)), max_size=6), st.integers(0, len(REPORT)), st.integers(0, len(REPORT)))
def test_span_names_exactly_these_bytes_of_the_frame(cuts: list[int], start: int, end: int) -> None:
    found, pieces = read(REPORT, cuts)
    (item,) = heard(found)
    assert bytes_at(item.span(start, end), pieces) == REPORT[start:end]


@pytest.mark.parametrize("text", [b"i32002-Info=0", "i32002-Info=0", b"##", b"\r\n", "人脸"])
@given(cuts=st.lists(st.integers(0, len(LOG)), max_size=6))
def test_where_finds_the_first_place(text: bytes | str, cuts: list[int]) -> None:
    found, pieces = read(LOG, cuts)
    wanted = text.encode() if isinstance(text, str) else text
    assert bytes_at(heard(found)[0].where(text), pieces) == wanted


def test_where_falls_back_to_the_whole_frame() -> None:
    (item,) = heard(read(REPORT)[0])
    assert item.where("i32009") == item.where() == item.refs == (Ref(0, 0, len(REPORT)),)


def test_frame_over_two_entries_was_completed_by_the_second() -> None:
    (item,) = heard(read(REPORT, [10])[0])
    assert item.refs == (Ref(0, 0, 10), Ref(1, 0, len(REPORT) - 10))
    assert item.seq == 1


# Silence in the middle of a frame


def test_frame_without_its_tail_is_heard_when_the_line_falls_silent() -> None:
    reader = LinkReader(1, STALL_S)
    assert reader.feed(0, REPORT[:-2], 100.0) == []
    assert reader.stall_due() == 103.0
    assert reader.stalled(102.9) == []
    (item,) = heard(reader.stalled(104.0))
    assert (item.t, item.truncated, item.frame.tail) == (103.0, False, b"")
    assert reader.stall_due() is None
    assert reader.stalled(200.0) == []


def test_silence_is_noticed_by_the_next_bytes_too() -> None:
    reader = LinkReader(1, STALL_S)
    reader.feed(0, REPORT[:-2], 100.0)
    first, second = heard(reader.feed(1, REPORT, 500.0))
    assert (first.t, second.t) == (103.0, 500.0)
    assert (first.refs, second.refs) == ((Ref(0, 0, len(REPORT) - 2),), (Ref(1, 0, len(REPORT)),))


def test_lying_length_is_heard_after_the_silence_and_counts() -> None:
    reader = LinkReader(1, STALL_S)
    lying = REPORT.replace(b"##0152", b"##0158").replace(b"8581", b"0000")  # its CRC would prove where it ends
    assert reader.feed(0, lying, 0.0) == []
    (item,) = heard(reader.stalled(STALL_S))
    assert (item.truncated, item.frame.length_ok, item.frame.segment) == (False, False, SEGMENT)


@pytest.mark.parametrize("size", [6, 40, 100, len(REPORT) - 12, len(REPORT) - 3])
def test_frame_cut_short_by_the_line_is_not_held_against_the_device(size: int) -> None:
    reader = LinkReader(1, STALL_S)
    reader.feed(0, REPORT[:size], 0.0)
    for item in heard(reader.stalled(STALL_S)):
        assert item.truncated
    (rest,) = reader.feed(1, REPORT[size:], 10.0)
    assert isinstance(rest, Stray)
    assert [h.frame.raw for h in heard(reader.feed(2, CHANGE, 11.0))] == [CHANGE]


def test_end_of_the_link_inside_a_frame_truncates_it() -> None:
    reader = LinkReader(1, STALL_S)
    reader.feed(0, REPORT[:100], 0.0)
    (item,) = heard(reader.end(1.0))
    assert item.truncated
    assert reader.end(2.0) == []


def test_pauses_shorter_than_the_limit_change_nothing() -> None:
    reader = LinkReader(1, STALL_S)
    found: list[Heard | Stray] = []
    for number, byte in enumerate(REPORT):
        found += reader.feed(number, bytes([byte]), number * 2.9)
    (item,) = heard(found)
    assert item.frame.intact
    assert len(item.refs) == len(REPORT)


def test_reader_keeps_no_more_than_a_frame_whatever_comes() -> None:
    reader = LinkReader(1, STALL_S)
    for seq in range(3000):
        reader.feed(seq, b"##9999" + b"x" * 60, 0.0)
    assert len(reader._pieces) < 200
    noise = reader.feed(3000, b"\n" * 10_000, 0.0)
    assert len([item for item in noise if isinstance(item, Stray)]) <= 1


# The transcript read as a whole


def transcript(*entries: tuple[int, bytes, float]) -> Transcript:
    made = Transcript(epoch=1757901570.0, clock="virtual")
    for link, data, t in entries:
        if data:
            made.add("bytes", t, data=data, link=link, direction="in")
        else:
            made.add("close", t, link=link)
    return made


def test_links_are_read_apart() -> None:
    mixed = transcript((1, REPORT[:50], 0.0), (2, CHANGE[:50], 0.1), (1, REPORT[50:], 0.2), (2, CHANGE[50:], 0.3))
    found = Evidence(mixed, shipped("nx-door")).heard
    assert [(h.link, h.frame.raw) for h in found] == [(1, REPORT), (2, CHANGE)]


def test_device_is_the_first_that_names_itself_unless_the_profile_names_one() -> None:
    other = literal.frame(SEGMENT.replace(b"ACCE55", b"ACCE99"))
    both = transcript((1, b"HELLO\r\n", 0.0), (1, other, 0.1), (2, REPORT, 0.2))
    profile = shipped("nx-door")
    assert Evidence(both, profile).mn == "64010000ACCE990000000001"
    profile.device["mn"] = "64010000ACCE550000000001"
    assert [h.frame.raw for h in Evidence(both, profile).frames] == [REPORT]


def test_repeat_is_heard_twice_and_uploaded_once() -> None:
    evidence = Evidence(transcript((1, REPORT, 0.0), (1, REPORT, 10.0)), shipped("nx-door"))
    assert (len(evidence.spontaneous), len(evidence.uploads)) == (2, 1)


def test_frame_that_came_before_the_request_of_its_qn_is_no_answer_to_it() -> None:
    made = transcript((1, REPORT, 0.0))
    request = literal.request(b"20250915100000123", b"81", b"3020", b"", b"64010000ACCE550000000001")
    made.add("bytes", 0.1, data=request, link=1, direction="out", request="20250915100000123", cn="3020")
    made.add("bytes", 0.2, data=CHANGE, link=1, direction="in")
    evidence = Evidence(made, shipped("nx-door"))
    assert [h.frame.raw for h in evidence.uploads] == [REPORT]


def test_clock_that_cannot_be_read_makes_nothing_backlog() -> None:
    made = Transcript(epoch=1757901600.0 + 3600, clock="virtual")
    made.add("connect", 0.0, link=1)
    made.add("bytes", 1.0, data=REPORT, link=1, direction="in")
    evidence = Evidence(made, shipped("nx-door"))
    assert [evidence.is_backlog(h) for h in evidence.states] == [False]


@pytest.mark.parametrize(("first", "second", "old"), [(-3600, 0, [True, False]), (-3600, -3600, [False, False])])
def test_backlog_is_what_is_older_than_the_link_where_not_everything_is(
    first: int, second: int, old: list[bool]
) -> None:
    epoch = 1757901600.0  # 2025-09-15 10:00:00, UTC+8
    made = Transcript(epoch=epoch, clock="virtual")
    made.add("connect", 0.0, link=1)
    for number, ago in enumerate((first, second)):
        told = format_time(epoch + 60 + number + ago).encode()
        frame = literal.frame(SEGMENT.replace(b"DataTime=20250915100000", b"DataTime=" + told))
        made.add("bytes", 60.0 + number, data=frame, link=1, direction="in")
    request = literal.request(b"20250915100200000", b"81", b"1011", b"", MN)
    made.add("bytes", 120.0, data=request, link=1, direction="out", request="20250915100200000", cn="1011")
    header = b"QN=20250915100200000;ST=81;CN=1011;PW=;MN=" + MN + b";Flag=4;CP=&&SystemTime=20250915100200&&"
    made.add("bytes", 120.0, data=literal.frame(header), link=1, direction="in")
    evidence = Evidence(made, shipped("nx-door"))
    assert [evidence.is_backlog(h) for h in evidence.states] == old
