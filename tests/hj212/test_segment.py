"""A segment comes back byte for byte, whatever it holds, and its parts are where the standard puts them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hj212.framing import Framer
from hj212.segment import Segment, format_segment, header_values, parse_flat, parse_header, parse_segment

from .conftest import Vector

HEADER = b"QN=20160801085000001;ST=32;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=5;"

signs = st.sampled_from([b"CP=&&", b"CP=", b"&&", b"&", b";", b",", b"=", b"//", b"/", b" ", b"\xff"])
words = st.sampled_from([b"QN=1", b"ST=32", b"PW=123456", b"Flag=5", b"DataTime=20160801084957", b"w01018-Rtd=2.2"])
texts = st.sampled_from([b"i11001-Info=//", "清洗".encode(), "清洗".encode("gbk")])
tokens = st.one_of(signs, words, texts)


class TestRoundTrip:
    @given(st.binary(max_size=500))
    def test_arbitrary_bytes(self, data: bytes) -> None:
        assert format_segment(parse_segment(data)) == data

    @given(st.lists(tokens, max_size=30).map(b"".join))
    def test_pieces_of_segments_in_any_order(self, data: bytes) -> None:
        assert format_segment(parse_segment(data)) == data

    def test_vector(self, vector: Vector) -> None:
        framer = Framer()
        (frame,) = [*framer.feed(vector.raw), *framer.finish()]
        assert format_segment(parse_segment(frame.segment)) == frame.segment  # type: ignore[union-attr]


def three_doors_agree(data: bytes) -> None:
    segment, flat, header = parse_segment(data), parse_flat(data), parse_header(data)
    assert segment.header == flat.header == header.header
    assert segment.opening == flat.opening == header.opening
    assert (segment.closing, segment.trailer) == (flat.closing, flat.trailer)
    assert [pair for item in segment.items for pair in item] == flat.pairs
    assert segment.items == flat.items()
    assert header.segment == segment
    for name in ("QN", "ST", "Flag"):
        assert segment.field(name) == flat.field(name) == header.field(name) == header_values(data).get(name)


class TestThreeDoorsAgree:
    @given(st.binary(max_size=500))
    def test_on_arbitrary_bytes(self, data: bytes) -> None:
        three_doors_agree(data)

    @given(st.lists(tokens, max_size=30).map(b"".join))
    def test_on_pieces_of_segments_in_any_order(self, data: bytes) -> None:
        three_doors_agree(data)

    def test_on_a_vector(self, vector: Vector) -> None:
        three_doors_agree(vector.raw)
        three_doors_agree(vector.raw[6:-6])

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b";",
            b";CP=&&",
            b"CP=&&",
            b";CP=",
            b"CP=",
            b";;CP=&&&&",
            b"\xe6CP=&&",
            b"QN=1; QN=2;ST;ST = 3\xc2\xa0;CP=&&",
            b"Flag= 1;Flag=2;CP=&&",
        ],
    )
    def test_on_next_to_nothing(self, data: bytes) -> None:
        three_doors_agree(data)

    def test_flat_pairs_lose_only_where_an_item_ends(self) -> None:
        one = parse_flat(HEADER + b"CP=&&a=1,b=2;c=3&&")
        other = parse_flat(HEADER + b"CP=&&a=1;b=2,c=3&&")
        assert one.pairs == other.pairs == [["a", "1"], ["b", "2"], ["c", "3"]]
        assert (one.area, other.area) == ("a=1,b=2;c=3", "a=1;b=2,c=3")
        assert one.items() != other.items()

    def test_the_area_is_parsed_once_and_when_asked_for(self) -> None:
        header = parse_header(HEADER + b"CP=&&a=1&&")
        assert header.segment is header.segment
        assert header.segment.items == [[["a", "1"]]]


class TestParts:
    def test_legal_segment(self) -> None:
        segment = parse_segment(HEADER + b"CP=&&DataTime=20160801084957;w01018-Rtd=2.2,w01018-Flag=N&&")
        assert [pair[0] for pair in segment.header] == ["QN", "ST", "CN", "PW", "MN", "Flag"]
        assert segment.items == [[["DataTime", "20160801084957"]], [["w01018-Rtd", "2.2"], ["w01018-Flag", "N"]]]
        assert (segment.opening, segment.closing, segment.trailer) == (";CP=&&", "&&", "")

    @pytest.mark.parametrize(
        ("area", "items"),
        [
            (b"", []),
            (b"QnRtn=1", [[["QnRtn", "1"]]]),
            (b"QnRtn=1;", [[["QnRtn", "1"]], [[""]]]),
            (b" QnRtn = 1 ", [[[" QnRtn ", " 1 "]]]),
            (b"PolId=101;PolId=102", [[["PolId", "101"]], [["PolId", "102"]]]),
            (b"CTime=04,CTime=10", [[["CTime", "04"], ["CTime", "10"]]]),
            (b"a=1=2", [[["a", "1=2"]]]),
            (b"a00001-7.45-N", [[["a00001-7.45-N"]]]),
            (b"w01018-Rtd=1.230", [[["w01018-Rtd", "1.230"]]]),
            (b"i11001-Info=//a;b,c=d//;x=1", [[["i11001-Info", "//a;b,c=d//"]], [["x", "1"]]]),
            (b"i11001-Info=//a&&b//", [[["i11001-Info", "//a&&b//"]]]),
            (b"i11001-Info=//open;x=1", [[["i11001-Info", "//open"]], [["x", "1"]]]),
            (b"i11001-Info=////;x=1", [[["i11001-Info", "////"]], [["x", "1"]]]),
        ],
    )
    def test_area(self, area: bytes, items: list[list[list[str]]]) -> None:
        segment = parse_segment(HEADER + b"CP=&&" + area + b"&&")
        assert segment.items == items
        assert segment.closing == "&&"

    @pytest.mark.parametrize(
        ("data", "opening", "closing", "trailer"),
        [
            (b"ST=32;CP=&&a=1&&;Flag=0", ";CP=&&", "&&", ";Flag=0"),
            (b"ST=32;CP=&&a=1", ";CP=&&", "", ""),
            (b"ST=32;CP=a=1&&", ";CP=", "&&", ""),
            (b"ST=32;CP=a=1", ";CP=", "", ""),
            (b"ST=32CP=&&a=1&&", "CP=&&", "&&", ""),
            (b"CP=&&a=1&&", "CP=&&", "&&", ""),
            (b"ST=32;CN=2011", "", "", ""),
        ],
    )
    def test_missing_signs_are_told(self, data: bytes, opening: str, closing: str, trailer: str) -> None:
        segment = parse_segment(data)
        assert (segment.opening, segment.closing, segment.trailer) == (opening, closing, trailer)

    def test_field_is_the_first_of_its_name_without_blanks(self) -> None:
        segment = parse_segment(b" ST = 32 ;CN=1;CN=2;MN;PW=;CP=&&&&")
        assert [segment.field(name) for name in ("ST", "CN", "MN", "PW", "QN")] == ["32", "1", None, "", None]

    def test_utf8_text_and_other_bytes(self) -> None:
        segment = parse_segment(b"ST=1;CP=&&a=" + "清洗".encode() + b"\xc7\xe5&&")
        assert segment.items == [[["a", "清洗\udcc7\udce5"]]]


def test_repr_hides_the_password() -> None:
    for header in (b"ST=32;PW=secret;CN=1;", b"ST=32; PW =secret;CN=1;"):
        for door in (parse_segment, parse_flat, parse_header):
            assert "secret" not in repr(door(header + b"CP=&&NewPW=secret&&"))


def test_segments_compare_by_content() -> None:
    assert parse_segment(HEADER + b"CP=&&&&") == parse_segment(HEADER + b"CP=&&&&")
    assert parse_segment(HEADER + b"CP=&&&&") != parse_segment(HEADER + b"CP=&&a&&")
    assert Segment([], []) != "CP=&&&&"
