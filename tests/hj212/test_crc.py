"""The check value against Annex A as printed, a CRC library, and the published frames."""

from __future__ import annotations

import crcmod
import crcmod.predefined
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hj212.crc import EMPTY_SEGMENT_CRC, POSSIBLE_VALUES, crc16, modbus_crc16, swap_bytes


def annex_a(data: bytes) -> int:
    """HJ 212-2017 Annex A, step by step."""
    register = 0xFFFF
    for byte in data:
        register = (register >> 8) ^ byte
        for _ in range(8):
            register = (register >> 1) ^ 0xA001 if register & 1 else register >> 1
    return register


# CRC-64 with the polynomial x^64 + 1: the remainder is the XOR of all 64-bit blocks, counted from the end.
fold_to_64_bits = crcmod.mkCrcFun(0x10000000000000001, initCrc=0, rev=False, xorOut=0)
modbus_by_library = crcmod.predefined.mkCrcFun("modbus")

# The frames of the standards (2017: A, 2005: B), their length field and tail left off.
PUBLISHED = {
    "A1": "QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&1C80",
    "A2": "QN=20160801085857223;ST=91;CN=9011;PW=100000;MN=010000A8900016F000169DC0;Flag=4;CP=&&QnRtn=1&&E101",
    "A3": "QN=20160801085857223;ST=91;CN=9012;PW=100000;MN=010000A8900016F000169DC0;Flag=4;CP=&&ExeRtn=1&&21C0",
    "A4": "QN=20160801085000001;ST=32;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=5;CP=&&DataTime=20160801084957"
    ";w01001-Rtd=7.1,w01001-Flag=N;w01018-SampleTime=20160801070000,w01018-Rtd=2.2,w01018-Flag=N,w01018-EFlag=A01"
    "&&EB01",
    "A5": "QN=20160801085000001;ST=91;CN=9014;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&C241",
    "A6": "QN=20240102030405006;ST=32;CN=3020;PW=123456;MN=010000A8900016F000169DC0;Flag=5;CP=&&DataTime=20240102030400"
    ";PolId=w01018;i11001-Info=//清洗管路//&&C741",
    "A7": "QN=20240102030405006;ST=32;CN=2061;PW=123456;MN=010000A8900016F000169DC0;Flag=7;PNUM=2;PNO=1;CP=&&DataTime="
    "20240102020000;w00000-Cou=63.0,w00000-Min=16.4,w00000-Avg=17.5,w00000-Max=20.1,w00000-Flag=N&&8D01",
    "A8": "QN=20240102030405007;ST=32;CN=2061;PW=123456;MN=010000A8900016F000169DC0;Flag=7;PNUM=2;PNO=2;CP=&&DataTime="
    "20240102020000;w01018-Cou=63.0,w01018-Min=40.1,w01018-Avg=40.1,w01018-Max=40.1,w01018-Flag=N&&7640",
    "A9": "QN=20240101000000089;ST=32;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&0140",
    "B1": "QN=20040516010101001;ST=32;CN=2051;PW=123456;MN=88888880000001;Flag=3;CP=&&BeginTime=20040506111000,EndTime="
    "20040506151000&&6B80",
    "B2": "ST=91;CN=9011;PW=123456;MN=88888880000001;Flag=0;CP=&&QN=20040516010101001;QnRtn=1&&7200",
    "B3": "ST=32;CN=2051;PW=123456;MN=88888880000001;CP=&&DataTime=20040516021000;B01-Cou=200;101-Cou=2.5,101-Min=1.1,"
    "101-Avg=1.1,101-Max=1.1&&17C0",
    "B4": "ST=32;CN=2051;QN=20040516010101001;PW=123456;MN=88888880000001;PNO=1;PNUM=1;CP=&&DataTime=20040516021000;"
    "B01-Cou=200;101-Cou=2.5,101-Min=1.1,101-Avg=1.1,101-Max=1.1&&B8C1",
    "B5": "ST=91;CN=9014;CP=&&QN=20040516010101001;CN=2051;PNO=1;PNUM=1;&&2700",
    "B6": "ST=91;CN=9012;PW=123456;MN=88888880000001;CP=&&QN=20040516010101001;ExeRtn=1&&C601",
    "B7": "ST=91;CN=9013;PW=123456;MN=88888880000001;Flag=0;CP=&&QN=20040516010101001&&30C0",
}


class TestAnnexA:
    @pytest.mark.parametrize("text", PUBLISHED.values(), ids=PUBLISHED.keys())
    def test_published_frame_gives_its_value(self, text: str) -> None:
        assert f"{crc16(text[:-4].encode()):04X}" == text[-4:]

    @pytest.mark.parametrize(
        ("segment", "right", "modbus"),
        [(b"123456789", 0x2F80, 0x4B37), (PUBLISHED["A1"][:-4].encode(), 0x1C80, 0x0759)],
    )
    def test_anchor_values(self, segment: bytes, right: int, modbus: int) -> None:
        assert (crc16(segment), modbus_crc16(segment)) == (right, modbus)

    def test_gbk_text_has_another_value(self) -> None:
        segment = PUBLISHED["A6"][:-4]
        assert (len(segment), len(segment.encode()), len(segment.encode("gbk"))) == (144, 152, 148)
        assert crc16(segment.encode("gbk")) == 0xDBC1

    @given(st.binary(max_size=3000))
    def test_equals_the_printed_algorithm(self, data: bytes) -> None:
        assert crc16(data) == annex_a(data)

    @pytest.mark.parametrize("size", [*range(35), 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513, 1023, 1024])
    def test_equals_the_printed_algorithm_at_every_fold_boundary(self, size: int) -> None:
        data = bytes((7 * i + 3) % 256 for i in range(size))
        assert crc16(data) == annex_a(data)

    @pytest.mark.parametrize("size", [1025, 1036, 1623, 2047, 2048, 2049, 4096, 4097, 8191, 8192, 8193, 9999])
    def test_equals_the_printed_algorithm_beyond_the_legal_size(self, size: int) -> None:
        data = bytes((11 * i + 5) % 256 for i in range(size))
        assert crc16(data) == annex_a(data)

    def test_empty_segment(self) -> None:
        assert crc16(b"") == annex_a(b"") == EMPTY_SEGMENT_CRC == 0xFFFF

    def test_bytes_like_input(self) -> None:
        assert crc16(bytearray(b"123456789")) == 0x2F80


class TestIndependentOracle:
    @given(st.binary(min_size=1, max_size=1200))
    def test_equals_the_library_fold_taken_place_by_place(self, data: bytes) -> None:
        """The algorithm is linear, so the value is the XOR of what each byte of the 64-bit fold gives at its place."""
        blocks = fold_to_64_bits(data).to_bytes(8, "big")
        expected = annex_a(bytes(len(data)))  # what the start value alone gives at this length
        for place, byte in enumerate(reversed(blocks)):
            expected ^= annex_a(bytes([byte]) + bytes(place)) ^ annex_a(bytes(place + 1))
        assert crc16(data) == expected

    @given(st.binary(max_size=600))
    def test_modbus_equals_the_library(self, data: bytes) -> None:
        assert modbus_crc16(data) == modbus_by_library(data)


class TestWeaknesses:
    """What the standard's algorithm cannot do; judgements must know."""

    def test_256_values_are_possible(self) -> None:
        found = {crc16(bytes([a, b])) for a in range(256) for b in range(256)}
        assert found == POSSIBLE_VALUES
        assert len(POSSIBLE_VALUES) == 256
        assert {value & 0xFF for value in POSSIBLE_VALUES} == {0x00, 0x01, 0x40, 0x41, 0x80, 0x81, 0xC0, 0xC1}
        assert len({value >> 8 for value in POSSIBLE_VALUES}) == 256
        assert sum(value < 0x1000 for value in POSSIBLE_VALUES) == 16
        assert EMPTY_SEGMENT_CRC not in POSSIBLE_VALUES

    @given(st.binary(min_size=1, max_size=300), st.data())
    def test_one_wrong_byte_is_always_seen(self, data: bytes, draw: st.DataObject) -> None:
        at = draw.draw(st.integers(0, len(data) - 1))
        wrong = draw.draw(st.integers(1, 255))
        assert crc16(data) != crc16(data[:at] + bytes([data[at] ^ wrong]) + data[at + 1 :])

    @given(st.binary(min_size=17, max_size=300), st.data())
    def test_bytes_swapped_eight_places_apart_are_never_seen(self, data: bytes, draw: st.DataObject) -> None:
        at = draw.draw(st.integers(0, len(data) - 17))
        other = at + 8 * draw.draw(st.integers(1, 2))
        swapped = bytearray(data)
        swapped[at], swapped[other] = data[other], data[at]
        assert crc16(bytes(swapped)) == crc16(data)

    def test_two_real_requests_collide(self) -> None:
        rest = b";ST=21;CN=9014;PW=123456;MN=DXCBZ000000005;Flag=5;CP=&&&&"
        assert crc16(b"QN=20210412150404445" + rest) == crc16(b"QN=20210412150717017" + rest) == 0x53C0


@given(st.integers(0, 0xFFFF))
def test_swapping_twice_changes_nothing(value: int) -> None:
    assert swap_bytes(swap_bytes(value)) == value
    assert swap_bytes(0x1234) == 0x3412
