"""Bytes to frames: everything comes out again, lies stay local, hostile input costs no more than its size."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hj212 import framing
from hj212.crc import crc16
from hj212.framing import MAX_FRAME_BYTES, MAX_LINE_ENDS, MAX_NOISE_BYTES, Frame, Framer, Noise, build_frame

from .conftest import Vector

ACK = b"##0087QN=20160801085000001;ST=91;CN=9014;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&C241\r\n"
SET = (
    b"##0101QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;"
    b"CP=&&RtdInterval=30&&1C80\r\n"
)
LOG_SEGMENT = (
    "QN=20240102030405006;ST=32;CN=3020;PW=123456;MN=010000A8900016F000169DC0;Flag=5;"
    "CP=&&DataTime=20240102030400;i11001-Info=//##0012 清洗##//&&"
).encode()


def read(data: bytes, cuts: Iterable[int] = ()) -> list[Frame | Noise]:
    """Feed ``data`` cut at the given places, then end the stream."""
    framer = Framer()
    found = []
    for start, end in pairwise([0, *sorted(cuts), len(data)]):
        found += framer.feed(data[start:end])
        assert framer.pending < MAX_FRAME_BYTES + 8
    found += framer.finish()
    assert framer.pending == 0
    return found


def facts(found: Iterable[Frame | Noise]) -> list[tuple[object, ...]]:
    return [tuple(getattr(item, name) for name in item.__slots__) for item in found]


def frames(found: Iterable[Frame | Noise]) -> list[Frame]:
    return [item for item in found if isinstance(item, Frame)]


def intact(found: Iterable[Frame | Noise]) -> list[bytes]:
    return [frame.raw for frame in frames(found) if frame.intact]


def test_vector_is_one_frame_with_the_recorded_verdict(vector: Vector) -> None:
    found = read(vector.raw)
    assert [item.raw for item in found] == [vector.raw]
    (frame,) = frames(found)
    assert (frame.crc_ok, frame.length_ok) == (vector.crc_ok, vector.length_ok)
    assert frame.usable == (vector.crc_ok is True and vector.length_ok is True)


def test_vectors_in_one_stream_come_out_one_by_one(vectors: tuple[Vector, ...]) -> None:
    found = read(b"".join(vector.raw for vector in vectors))
    assert [item.raw for item in found] == [vector.raw for vector in vectors]


def test_bench_mix_is_intact(bench_mix: bytes) -> None:
    found = read(bench_mix)
    assert len(found) == len(intact(found)) == 2000
    assert b"".join(intact(found)) == bench_mix


@st.composite
def streams(draw: st.DrawFn) -> bytes:
    """Frames, damaged frames, noise and near misses in any order."""
    whole = st.sampled_from([ACK, SET, build_frame(LOG_SEGMENT), build_frame(b""), build_frame(b"ST=1")])
    damaged = st.builds(
        lambda raw, at, put, drop: raw[: at % len(raw)] + put + raw[at % len(raw) + drop :],
        whole,
        st.integers(0, 200),
        st.sampled_from([b"", b"\r\n", b"##", b"##0010", b"#", b"\xff", b"0"]),
        st.integers(0, 8),
    )
    pieces = st.one_of(
        whole,
        damaged,
        st.sampled_from([b"#", b"##", b"###", b"##0", b"##00", b"##000", b"##0000", b"##9999", b"\r\n", b"\r", b"\n"]),
        st.sampled_from([b"##0120QN=1;CP=&&", b"\r\n##0012", b"\r\n##0003Q", b"QN=1;CP=&&", b"&&0000\r\n"]),
        st.sampled_from([b"HJ 212-2017[3]\r\n", b"\x01\x03\x00\x00\x00\x02\xc4\x0b", b"&&", b"QN=", b"1C80"]),
        st.binary(max_size=20),
    )
    return b"".join(draw(st.lists(pieces, max_size=12)))


class TestAnyInput:
    @given(st.one_of(st.binary(max_size=400), streams()))
    def test_every_byte_comes_out_once_and_in_order(self, data: bytes) -> None:
        found = read(data)
        assert b"".join(item.raw for item in found) == data
        assert [item.offset for item in found] == [sum(len(i.raw) for i in found[:n]) for n in range(len(found))]
        assert all(item.raw for item in found)
        assert all(len(item.raw) <= MAX_NOISE_BYTES for item in found if isinstance(item, Noise))
        for frame in frames(found):
            assert re.fullmatch(rb"##[0-9]{0,4}", frame.raw[: frame.segment_offset])
            assert frame.declared is None or frame.segment_offset == 6
            assert frame.raw[frame.segment_offset :] == frame.segment + frame.crc_text + frame.tail

    @given(streams(), st.data())
    def test_splitting_changes_nothing(self, data: bytes, draw: st.DataObject) -> None:
        cuts = draw.draw(st.lists(st.integers(0, len(data)), max_size=10))
        assert facts(read(data, cuts)) == facts(read(data))

    @given(streams())
    def test_one_byte_at_a_time_changes_nothing(self, data: bytes) -> None:
        assert facts(read(data, range(len(data)))) == facts(read(data))

    @given(st.lists(st.binary(max_size=3000), max_size=12))
    def test_pending_stays_below_the_limit(self, chunks: list[bytes]) -> None:
        framer = Framer()
        for chunk in chunks:
            framer.feed(b"##9999QN=" + chunk)
            assert framer.pending < MAX_FRAME_BYTES + 8

    @given(st.binary(max_size=9999))
    def test_what_is_built_is_read_back_whole(self, segment: bytes) -> None:
        raw = build_frame(segment)
        framer = Framer()
        found = framer.feed(raw) + framer.finish()
        if b"\r\n" not in segment:  # nothing in the standard allows one there
            (frame,) = frames(found)
            assert (frame.raw, frame.segment, frame.intact) == (raw, segment, True)

    def test_segment_beyond_four_digits_cannot_be_built(self) -> None:
        with pytest.raises(ValueError, match="at most 9999 bytes"):
            build_frame(bytes(10_000))


class TestCutAndGlued:
    def test_frame_cut_at_every_byte(self) -> None:
        for cut in range(len(ACK) + 1):
            assert intact(read(ACK + SET, [cut])) == [ACK, SET]

    def test_frame_is_handed_out_with_its_last_byte(self) -> None:
        framer = Framer()
        assert framer.feed(ACK[:-1]) == []
        assert intact(framer.feed(ACK[-1:])) == [ACK]
        assert framer.pending == 0

    @pytest.mark.parametrize(
        "garbage",
        [b"#", b"###", b"##", b"0087", b"\r\n", b"HJ 212-2017[7]\r\n", b"\x00\xff" * 700, b"## ##", b"&&C241\r\n"],
    )
    def test_garbage_before_a_frame_costs_no_frame(self, garbage: bytes) -> None:
        found = read(garbage + ACK + garbage + SET)
        assert intact(found) == [ACK, SET]

    def test_heartbeat_lines_are_noise(self) -> None:
        found = read(b"HJ 212-2017[7]\r\n" + ACK + b"ping\n")
        assert [type(item) for item in found] == [Noise, Frame, Noise]

    def test_header_inside_log_text_does_not_end_the_frame(self) -> None:
        raw = build_frame(LOG_SEGMENT)
        assert intact(read(raw + ACK)) == [raw, ACK]

    def test_frame_that_stops_is_given_up_at_the_next_one(self) -> None:
        found = read(SET[:60] + ACK + SET)
        assert [item.raw for item in found] == [SET[:60], ACK, SET]
        assert [frame.usable for frame in frames(found)] == [False, True, True]

    def test_frame_that_stops_at_the_end_of_the_stream(self) -> None:
        (frame,) = frames(read(SET[:60]))
        assert (frame.declared, frame.tail, frame.usable) == (101, b"", False)


class TestTail:
    @pytest.mark.parametrize("tail", [b"\n", b"\r", b""])
    def test_right_check_value_proves_a_frame_without_crlf(self, tail: bytes) -> None:
        first, second, last = frames(read(ACK[:-2] + tail + SET[:-2] + tail + ACK[:-2] + tail))
        assert (first.usable, first.intact, first.tail) == (True, False, tail)
        assert second.raw == SET[:-2] + tail
        assert last.usable

    def test_unpadded_check_value(self) -> None:
        raw = build_frame(b"QN=20240101000000089;ST=32;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&")
        assert raw.endswith(b"0140\r\n")
        first, second = frames(read(raw.replace(b"0140", b"140") + ACK))
        assert (first.length_ok, first.crc_ok, first.crc_text, first.tail) == (True, False, b"140", b"\r\n")
        assert second.raw == ACK

    @pytest.mark.parametrize("crc_text", [b" 140", b"+140", b"1_40", b"0x40", b"014 "])
    def test_check_value_is_four_hexadecimal_digits(self, crc_text: bytes) -> None:
        raw = b"##0087QN=20240101000000089;ST=32;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&"
        (frame,) = frames(read(raw + crc_text + b"\r\n"))
        assert frame.crc_ok is False

    def test_lower_case_is_right(self) -> None:
        (frame,) = frames(read(SET.replace(b"1C80", b"1c80")))
        assert frame.intact


class TestLengthField:
    def test_any_lie_costs_one_frame_only(self) -> None:
        for lie in range(10_000):
            found = read(ACK + b"##%04d" % lie + SET[6:] + ACK + ACK)
            expected = [ACK, SET, ACK, ACK] if lie == 101 else [ACK, ACK, ACK]
            assert intact(found) == expected, lie
            assert len(found) == 4, lie

    @pytest.mark.parametrize(
        ("field", "declared"), [(b"101", None), (b"10A1", None), (b"0x65", None), (b"", None), (b"00101", 10)]
    )
    def test_damaged_field_costs_one_frame_only(self, field: bytes, declared: int | None) -> None:
        found = read(ACK + b"##" + field + SET[6:] + ACK)
        assert intact(found) == [ACK, ACK]
        damaged = found[1]
        assert isinstance(damaged, Frame)
        assert (damaged.declared, damaged.crc_text, damaged.usable) == (declared, b"1C80", False)

    def test_damaged_field_leaves_the_verdicts_open(self) -> None:
        (frame,) = frames(read(b"##101" + SET[6:]))
        assert (frame.length_ok, frame.crc_ok) == (None, None)
        assert frame.segment == SET[6:-6]

    @pytest.mark.parametrize("size", [0, 1024, 1025, 1623, 9999])
    def test_sizes_up_to_what_four_digits_say(self, size: int) -> None:
        raw = build_frame(b"x" * size)
        assert intact(read(raw + ACK)) == [raw, ACK]

    def test_segment_offset_of_a_segment_that_looks_like_its_length(self) -> None:
        (frame,) = frames(read(build_frame(b"1")))
        assert frame.segment_offset == 6


UPLOAD_HEAD = b"QN=20240520210700000;ST=31;CN=2051;PW=123456;MN=010000A8900016F000169DC0;Flag=9;CP=&&"

#: Ciphertext is random; what a reader could trip over is put in far more often than chance would.
ciphertexts = st.lists(
    st.one_of(
        st.binary(max_size=40),
        st.sampled_from(
            [b"\r\n", b"\r\n##", b"\r\n##0012", b"##0087", b"&&", b"&&\r\n", b"C241\r\n", b"\r", b"\n##9999"]
        ),
    ),
    max_size=60,
).map(b"".join)


def cipher_frame(ciphertext: bytes) -> bytes:
    """A frame as HJ 212-2025 A.2 has it: the check value is that of a plaintext which is not here."""
    segment = UPLOAD_HEAD + ciphertext + b"&&"
    return b"##%04d%s%04X\r\n" % (len(segment), segment, 0x2201)  # no value of the algorithm, so never right


def starts_a_frame(ciphertext: bytes) -> bool:
    """Whether it holds what the reader takes for the end of a frame or the start of another.

    By chance that happens once in 2^64 bytes and more.
    """
    for match in re.finditer(rb"&&([0-9A-Fa-f]{4})(?=\r\n)", ciphertext):
        segment = UPLOAD_HEAD + ciphertext[len(b"CP=&&") : match.start() + 2]
        if int(match[1], 16) == crc16(segment):
            return True
    return bool(re.search(rb"&&[0-9A-Fa-f]{4}\r\n##[0-9]{4}|\r\n##[0-9]{4}(QN|ST|CN|PW|MN|CP)=", ciphertext))


class TestCiphertext:
    @given(st.lists(ciphertexts, min_size=1, max_size=4), st.data())
    def test_frames_come_out_whole_between_others(self, ciphertexts: list[bytes], draw: st.DataObject) -> None:
        assume(not any(starts_a_frame(b"CP=&&" + ciphertext + b"&&") for ciphertext in ciphertexts))
        sent = [frame for ciphertext in ciphertexts for frame in (cipher_frame(ciphertext), ACK)]
        data = b"".join(sent)
        found = read(data, draw.draw(st.lists(st.integers(0, len(data)), max_size=10)))
        assert [item.raw for item in found] == sent
        assert all(frame.length_ok for frame in frames(found))
        assert [frame.segment for frame in frames(found)[::2]] == [UPLOAD_HEAD + c + b"&&" for c in ciphertexts]

    def test_more_line_ends_than_are_looked_at(self) -> None:
        raw = cipher_frame(b"\r\n" * (MAX_LINE_ENDS + 5))
        assert [item.raw for item in read(raw + ACK, range(len(raw)))] == [raw, ACK]

    def test_frame_is_handed_out_with_its_last_byte(self) -> None:
        raw = cipher_frame(b"\xe4\r\n##0012\x9a")
        framer = Framer()
        assert framer.feed(raw[:-1]) == []
        assert [item.raw for item in framer.feed(raw[-1:])] == [raw]

    def test_a_lie_in_the_length_costs_one_frame_only(self) -> None:
        raw = cipher_frame(b"\xe4\x3e\x15\x9a" * 8)
        for lie in range(10_000):
            found = read(ACK + b"##%04d" % lie + raw[6:] + SET + ACK)
            if lie != len(raw) - 12:
                assert intact(found) == [ACK, SET, ACK], lie
                assert len(found) == 4, lie

    @given(ciphertexts, st.integers(0, 9999))
    def test_a_lie_never_costs_the_frames_behind_the_next(self, ciphertext: bytes, lie: int) -> None:
        raw = cipher_frame(ciphertext)
        assert intact(read(b"##%04d" % lie + raw[6:] + ACK + SET + ACK))[-3:] == [ACK, SET, ACK]

    def test_a_frame_that_breaks_off_gives_up_at_the_next_header(self) -> None:
        found = read(UPLOAD_HEAD.join([b"##9999", b"\xe4\r\n"]) + b"##0003x=1" + ACK + ACK)
        assert intact(found) == [ACK, ACK]


class TestHostileInput:
    """The work is counted, in bytes put through the check value, not timed."""

    @pytest.fixture
    def checked(self, monkeypatch: pytest.MonkeyPatch) -> list[int]:
        sizes: list[int] = []
        real = framing.crc16

        def counting(segment: bytes) -> int:
            sizes.append(len(segment))
            return real(segment)

        monkeypatch.setattr(framing, "crc16", counting)
        return sizes

    @pytest.mark.parametrize(
        "pattern",
        [
            b"##9999",
            b"##9998ABCD",
            b"##9999QN=ABCD\r\n",
            b"##9999QN=" + b"x" * 600 + b"ABCD\r\n",
            b"##0000",
            b"#",
            b"\r\n",
            b"##\r\n",
            b"##99990000\r\n#",
            b"ABCD\r\n",
            b"##9999QN=1;CP=&&ABCD\r\n",
            b"##9999QN=1;CP=&&" + b"ABCD\r\n##0001z" * 40,
            b"\x00",
        ],
        ids=lambda pattern: repr(pattern[:16]),
    )
    def test_work_grows_no_faster_than_the_input(self, pattern: bytes, checked: list[int]) -> None:
        def work(size: int) -> int:
            checked.clear()
            data = (pattern * (size // len(pattern) + 1))[:size]
            read(data, range(0, size, 4096))
            return sum(checked)

        once, twice = work(100_000), work(200_000)
        # A frame checks at most MAX_LINE_ENDS + 1 stretches, each of at most one frame.
        assert once <= 100_000 / 6 * (MAX_LINE_ENDS + 1) * MAX_FRAME_BYTES
        assert twice <= 2.2 * once + (MAX_LINE_ENDS + 1) * MAX_FRAME_BYTES

    def test_slow_feeding_checks_no_more_than_the_limit_allows(self, checked: list[int]) -> None:
        framer = Framer()
        data = b"##9999QN=" + b"ABCD\r\nxx" * 40
        for at in range(len(data)):
            framer.feed(data[at : at + 1])
        assert len(checked) <= len(data) * (MAX_LINE_ENDS + 1)

    def test_noise_without_end_is_handed_on(self) -> None:
        framer = Framer()
        for _ in range(100):
            framer.feed(bytes(1000))
            assert framer.pending < MAX_NOISE_BYTES + 8

    def test_unfinished_frame_does_not_grow(self) -> None:
        framer = Framer()
        framer.feed(b"##9999QN=")
        for _ in range(100):
            framer.feed(b"x" * 1000)
            assert framer.pending < MAX_FRAME_BYTES + 8


def test_repr_shows_no_content() -> None:
    assert "123456" not in repr(read(ACK)[0])
    assert "secret" not in repr(read(b"secret\n")[0])
