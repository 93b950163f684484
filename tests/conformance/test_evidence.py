"""From bytes to frames heard: whatever the split, whatever the damage, each reference names exactly its bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any

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


# Records and acts

EPOCH = 1757901600.0  # 2025-09-15 10:00:00, UTC+8
PARTS = "DataTime={};i32001-Info=1;i32004-Info={};i32005-Info={};i32006-Info={}"
CODES = {"face": "1", "ic-card": "2", "fingerprint": "3", "password": "4"}


class Story:
    """A transcript written by hand: one link, acts of the operator, records of a device whose clock is right."""

    def __init__(self, *, clock_read: bool = True) -> None:
        self.transcript = Transcript(epoch=EPOCH, clock="virtual")
        self.transcript.add("connect", 0.0, link=1)
        if clock_read:
            qn = b"20250915100000500"
            request = literal.request(qn, b"81", b"1011", b"", MN)
            self.add("bytes", 0.5, data=request, link=1, direction="out", request=qn.decode(), cn="1011")
            told = b"QN=" + qn + b";ST=81;CN=1011;PW=;MN=" + MN + b";Flag=4;CP=&&SystemTime=20250915100000&&"
            self.add("bytes", 0.5, data=literal.frame(told), link=1, direction="in")
        self.step("openings", 1.0)

    def add(self, kind: str, t: float, **more: Any) -> None:
        self.transcript.add(kind, t, **more)

    def step(self, step: str, t: float) -> None:
        self.add("step", t, step=step, phase="begin")

    def act(self, begin: float, end: float, method: str, answer: str = "done", attempt: int = 1) -> None:
        self.add("act", begin, step="openings", phase="begin", act="open", method=method, person="A", attempt=attempt)
        self.add("act", end, step="openings", phase="end", answer=answer)

    def record(self, t: float, opened: float | None, method: str, person: str = "NX1", *, text: str = "") -> bytes:
        """Have a record come at ``t`` that names the opening's time, or ``text`` in its place."""
        when = text if opened is None else format_time(EPOCH + opened)
        area = PARTS.format(format_time(EPOCH + t), CODES[method], person, when).encode()
        qn = b"%017d" % (20250915100000000 + round(t * 1000))
        frame = literal.frame(b"QN=" + qn + b";ST=81;CN=3020;PW=;MN=" + MN + b";Flag=5;CP=&&" + area + b"&&")
        self.add("bytes", t, data=frame, link=1, direction="in")
        return frame

    def read(self) -> tuple[list[list[bytes]], list[bytes]]:
        """Return the records of each opening that counts, and those outside."""
        evidence = Evidence(self.transcript, shipped("nx-door"))
        own = [[h.frame.raw for h in opening.records] for opening in evidence.openings]
        return own, [h.frame.raw for h in evidence.outside_openings]


def test_record_belongs_to_the_act_of_its_time_however_late_it_comes() -> None:
    story = Story()
    story.act(100.0, 110.0, "face")
    story.act(130.0, 140.0, "ic-card")
    second = story.record(141.0, 135.0, "ic-card")
    first = story.record(160.0, 105.0, "face")
    assert story.read() == ([[first], [second]], [])


@pytest.mark.parametrize("off", [-1.4, 0.0, 5.0, 10.0, 11.4])
def test_window_is_from_prompt_to_answer_give_or_take_the_clock(off: float) -> None:
    story = Story()
    story.act(100.0, 110.0, "face")
    told = story.record(150.0, 100.0 + off, "face")
    stranger = story.record(151.0, 120.0, "face", "NX9")
    assert story.read() == ([[told]], [stranger])


@pytest.mark.parametrize("opened", [103.0 - 8 * 3600, 103.0 + 3600, -1e9])
def test_wrong_opening_time_makes_a_record_nobodys_no_more_than_none(opened: float) -> None:
    story = Story()
    story.act(100.0, 110.0, "face")
    first = story.record(105.0, opened, "face")
    story.act(130.0, 140.0, "ic-card")
    second = story.record(137.0, opened + 30, "fingerprint")
    assert story.read() == ([[first], [second]], [])


@pytest.mark.parametrize("text", ["", "2025-09-15 10:01:43", "20251399000000"])
def test_unreadable_opening_time_leaves_the_data_time_and_the_arrival(text: str) -> None:
    story = Story()
    story.act(100.0, 110.0, "face")
    first = story.record(105.0, None, "face", text=text)
    story.act(130.0, 140.0, "ic-card")
    second = story.record(145.0, None, "ic-card", text=text)
    assert story.read() == ([[first], [second]], [])


def test_without_the_devices_clock_arrival_decides() -> None:
    story = Story(clock_read=False)
    before = story.record(90.0, 95.0, "face")
    story.act(100.0, 110.0, "face")
    first = story.record(115.0, 1.0, "face")
    assert story.read() == ([[first]], [before])


@pytest.mark.parametrize("answer", ["erred", "paused"])
@pytest.mark.parametrize("clock_read", [True, False])
def test_what_falls_into_an_attempt_that_does_not_count_belongs_to_nothing(answer: str, clock_read: bool) -> None:
    story = Story(clock_read=clock_read)
    story.act(100.0, 110.0, "face", answer)
    wrong = story.record(105.0, 104.0, "face", "NX9")
    story.act(120.0, 130.0, "face", attempt=2)
    right = story.record(125.0, 124.0, "face")
    assert story.read() == ([[right]], [wrong])


def test_of_several_openings_in_one_window_the_acts_method_tells() -> None:
    story = Story()
    story.act(100.0, 110.0, "fingerprint")
    stranger = story.record(102.0, 101.0, "ic-card", "NX9")
    own = story.record(107.0, 106.0, "fingerprint")
    assert story.read() == ([[own]], [stranger])


def test_same_method_twice_in_one_window_is_told_apart_by_the_person() -> None:
    story = Story()
    story.act(100.0, 110.0, "face")
    stranger = story.record(102.0, 101.0, "face", "NX9")
    own = story.record(107.0, 106.0, "face")
    story.act(130.0, 140.0, "ic-card")
    other = story.record(135.0, 134.0, "ic-card")
    assert story.read() == ([[own], [other]], [stranger])


def test_one_opening_told_twice_is_a_duplicate_of_its_act() -> None:
    story = Story()
    story.act(100.0, 110.0, "face")
    records = [story.record(104.0, 103.0, "face"), story.record(106.0, 103.0, "face")]
    assert story.read() == ([records], [])


def test_opening_between_two_acts_is_nobodys() -> None:
    story = Story()
    story.act(100.0, 110.0, "face")
    story.act(130.0, 140.0, "ic-card")
    stranger = story.record(121.0, 120.0, "password", "NX9")
    assert story.read() == ([[], []], [stranger])


def test_step_that_was_taken_again_counts_as_the_last_time() -> None:
    story = Story()
    story.act(100.0, 110.0, "face")
    first = story.record(105.0, 104.0, "face")
    story.step("openings", 500.0)
    story.act(600.0, 610.0, "face")
    second = story.record(605.0, 604.0, "face")
    assert story.read() == ([[second]], [first])


@given(
    st.lists(
        st.tuples(
            st.floats(0, 300), st.floats(-50, 350), st.sampled_from(sorted(CODES)), st.sampled_from(["NX1", "NX9"])
        ),
        max_size=8,
    ),
    st.lists(st.sampled_from(["done", "erred", "paused", "cannot"]), min_size=1, max_size=4),
    st.booleans(),
)
def test_every_record_is_somewhere_and_only_once(
    records: list[tuple[float, float, str, str]], answers: list[str], clock_read: bool
) -> None:
    story = Story(clock_read=clock_read)
    events: list[tuple[float, Any]] = [(t, (t, opened, method, who)) for t, opened, method, who in records]
    methods = sorted(CODES)
    for number, answer in enumerate(answers):
        events.append((60.0 * number + 20.0, (methods[number], answer)))
    came = []
    for t, event in sorted(events, key=lambda event: event[0]):
        if len(event) == 2:
            story.act(t, t + 15.0, *event)
        else:
            came.append(story.record(*event))
    own, outside = story.read()
    kept = [frame for group in own for frame in group]
    assert len(own) == answers.count("done")
    assert not set(kept) & set(outside)
    assert set(kept) | set(outside) == set(came)
