"""Frames to JSON and back: exact with ``raw``, by the fields without, and no password on the way unless asked for."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hj212 import HJ_212_2017, Frame, Framer, build_frame
from hj212.jsonform import FormError, from_json, to_json

from .conftest import Vector

KEYS = "edition qn st cn pw mn flag pnum pno items crc_ok length_ok deviations"
HEADER = "QN=20160801085857223;ST=32;CN=2011;PW=s3cr3t;MN=010000A8900016F000169DC0;Flag=5;"


def frames(data: bytes) -> list[Frame]:
    framer = Framer()
    return [item for item in (*framer.feed(data), *framer.finish()) if isinstance(item, Frame)]


def shape(data: bytes, **options: Any) -> dict[str, Any]:
    (frame,) = frames(data)
    shown = to_json(frame, HJ_212_2017, "en", **options)
    again: dict[str, Any] = json.loads(json.dumps(shown))
    assert again == shown
    return shown


def of(area: str, header: str = HEADER) -> bytes:
    return build_frame(f"{header}CP=&&{area}&&".encode())


class TestShape:
    def test_members(self) -> None:
        assert list(shape(of("DataTime=20160801085857;a-Rtd=1.20,a-Flag=N"))) == KEYS.split()
        assert shape(of("DataTime=20160801085857;w01018-Rtd=1.20,w01018-Flag=N;x;;")) == {
            "edition": "2017",
            "qn": "20160801085857223",
            "st": "32",
            "cn": "2011",
            "pw": "***",
            "mn": "010000A8900016F000169DC0",
            "flag": 5,
            "pnum": None,
            "pno": None,
            "items": [
                [["DataTime", "20160801085857"]],
                [["w01018-Rtd", "1.20"], ["w01018-Flag", "N"]],
                [["x", None]],
                [["", None]],
                [["", None]],
            ],
            "crc_ok": True,
            "length_ok": True,
            "deviations": [
                {"code": "pair-without-equals", "offset": 145, "message": "'x' has no '='"},
                {"code": "pair-empty", "offset": 147, "message": "there is nothing between two separators"},
                {"code": "separator-trailing", "offset": 147, "message": "a ';' stands before the closing '&&'"},
            ],
        }

    @pytest.mark.parametrize(
        ("text", "value"), [("5", 5), ("05", "05"), ("x", "x"), ("", ""), ("99999", "99999"), ("٥", "٥"), (" 5 ", 5)]
    )
    def test_numbers_are_numbers_only_where_they_are_written_plainly(self, text: str, value: object) -> None:
        assert shape(of("", HEADER.replace("Flag=5", f"Flag={text}")))["flag"] == value

    def test_undecodable_bytes_are_escaped(self) -> None:
        data = build_frame(HEADER.encode() + b"CP=&&a=\xc7\xe5&&")
        assert shape(data)["items"] == [[["a", "\\xc7\\xe5"]]]

    def test_language_of_messages(self) -> None:
        (frame,) = frames(of(" "))
        messages = {lang: to_json(frame, HJ_212_2017, lang)["deviations"][0]["message"] for lang in ("zh", "en")}
        assert messages == {"zh": "“ ”中有多余的空格，应为“”", "en": "' ' has blanks; it is '' without"}

    def test_damaged_frame_shows_what_can_be_read(self) -> None:
        good = of("DataTime=20160801085857")
        assert shape(b"##114" + good[6:])["qn"] == "20160801085857223"
        assert shape(b"##00114" + good[6:])["qn"] == "20160801085857223"
        assert shape(good[:40])["st"] == "32"


class TestSecrets:
    @pytest.mark.parametrize(
        "segment",
        [
            HEADER + "CP=&&NewPW=s3cr3t&&",
            HEADER + "CP=&&PW=s3cr3t&&",
            HEADER + "CP=&& newpw = s3cr3t &&",
            HEADER.replace(";PW", "PW") + "CP=&&a=PW=s3cr3t&&",
            HEADER.replace("PW=", "PW"),
            HEADER.replace("PW=", "pw="),
            "MN=1PW=s3cr3t;Flag=PW=s3cr3t",
        ],
    )
    def test_are_hidden_unless_asked_for(self, segment: str) -> None:
        for data in (build_frame(segment.encode()), b"##0001" + segment.encode() + b"\r\n", b"##1" + segment.encode()):
            assert "s3cr3t" not in json.dumps(shape(data))
            assert "raw" not in shape(data)

    def test_are_shown_when_asked_for(self) -> None:
        shown = shape(of("NewPW=s3cr3t"), show_secrets=True)
        assert (shown["pw"], shown["items"]) == ("s3cr3t", [[["NewPW", "s3cr3t"]]])
        assert base64.b64decode(shown["raw"]) == of("NewPW=s3cr3t")

    def test_absent_password_is_not_made_up(self) -> None:
        assert shape(build_frame(b"QN=1;CP=&&&&"))["pw"] is None


class TestBack:
    def test_vector_is_exact(self, vector: Vector) -> None:
        assert from_json(shape(vector.raw, show_secrets=True)) == (vector.raw, False)

    @given(st.binary(max_size=200))
    def test_anything_that_is_a_frame_is_exact(self, junk: bytes) -> None:
        data = build_frame(junk) + b"##" + junk + b"QN=1\n"
        for frame in frames(data):
            shown = json.loads(json.dumps(to_json(frame, HJ_212_2017, "en", show_secrets=True)))
            assert from_json(shown) == (frame.raw, False)

    @given(
        st.lists(st.lists(st.tuples(st.text("aB-1 ", min_size=1), st.none() | st.text("xy1.清/")), min_size=1))
        .map(lambda items: [[list(pair) for pair in item] for item in items])
        .filter(lambda items: "//" not in str(items))
    )
    def test_fields_alone_rebuild_a_legal_header_and_any_area(self, items: list[list[list[str | None]]]) -> None:
        fields = {"qn": "20160801085857223", "st": "32", "cn": "2011", "pw": "1", "mn": "2", "flag": 4, "items": items}
        raw, set_aside = from_json(fields)
        assert not set_aside
        shown = shape(raw, show_secrets=True)
        assert {key: shown[key] for key in fields} == fields
        assert (shown["crc_ok"], shown["length_ok"]) == (True, True)

    def test_order_of_the_members_does_not_matter(self) -> None:
        raw, _ = from_json({"items": [], "pno": 1, "flag": 6, "pnum": 2, "mn": "M", "cn": "2011", "qn": "Q"})
        assert raw.startswith(b"##0045QN=Q;CN=2011;MN=M;Flag=6;PNUM=2;PNO=1;CP=&&&&")

    def test_changed_field_sets_raw_aside(self) -> None:
        shown = shape(of("DataTime=20160801085857")[:-6] + b"FFFF\r\n", show_secrets=True)
        shown["cn"] = "2051"
        built = of("DataTime=20160801085857", HEADER.replace("2011", "2051"))
        assert from_json(shown) == (built, True)

    @pytest.mark.parametrize(
        "change", [{"items": []}, {"pw": None}, {"flag": 4}, {"flag": "05"}, {"items": [[["DataTime", None]]]}]
    )
    def test_any_change_counts(self, change: dict[str, object]) -> None:
        shown = shape(of("DataTime=20160801085857"), show_secrets=True)
        assert from_json(shown | change)[1]

    def test_what_is_no_field_does_not_count(self) -> None:
        shown = shape(of("DataTime=20160801085857"), show_secrets=True)
        shown |= {"crc_ok": None, "length_ok": False, "deviations": [], "edition": "2005", "pw": "***"}
        assert from_json(shown) == (of("DataTime=20160801085857"), False)
        assert from_json({"raw": shown["raw"]}) == (of("DataTime=20160801085857"), False)

    def test_frame_of_another_edition_is_built_in_the_usual_order(self) -> None:
        raw, _ = from_json({"edition": "2005", "st": "32", "mn": "1", "items": [[["a", "1"]]]})
        assert raw[6:-6] == b"ST=32;MN=1;CP=&&a=1&&"


class TestRefusals:
    @pytest.mark.parametrize(
        ("data", "problem", "field"),
        [
            ([], "not-an-object", ""),
            ("x", "not-an-object", ""),
            (None, "not-an-object", ""),
            ({"Flag": 5}, "unknown-key", "Flag"),
            ({"qn": 1.5}, "not-text", "qn"),
            ({"qn": True}, "not-text", "qn"),
            ({"qn": ["1"]}, "not-text", "qn"),
            ({"qn": "\ud800"}, "not-text", "qn"),
            ({"items": {"a": 1}}, "items-shape", "items"),
            ({"items": ["a"]}, "items-shape", "items"),
            ({"items": [[]]}, "items-shape", "items"),
            ({"items": [[["a"]]]}, "items-shape", "items"),
            ({"items": [[["a", "b", "c"]]]}, "items-shape", "items"),
            ({"items": [[[1, "b"]]]}, "items-shape", "items"),
            ({"items": [[["a", True]]]}, "items-shape", "items"),
            ({"edition": "1999"}, "edition", "edition"),
            ({"pw": "***"}, "masked", "pw"),
            ({"items": [[["NewPW", "***"]]]}, "masked", "pw"),
            ({"cn": "2011PW=***"}, "masked", "pw"),
            ({"qn": "1;ST=3"}, "separator", "qn"),
            ({"qn": "1", "mn": "a;b"}, "separator", "mn"),
            ({"items": [[["a", "1,2"]]]}, "separator", "items"),
            ({"items": [[["a;b", "1"]]]}, "separator", "items"),
            ({"items": [[["a=b", "1"]]]}, "separator", "items"),
            ({"raw": "?"}, "raw", "raw"),
            ({"raw": 5}, "raw", "raw"),
            ({"raw": ""}, "raw", "raw"),
            ({"raw": base64.b64encode(of("") + of("")).decode()}, "raw", "raw"),
            ({"mn": "1" * 10_000}, "too-long", ""),
        ],
    )
    def test_says_what_and_where(self, data: object, problem: str, field: str) -> None:
        with pytest.raises(FormError) as caught:
            from_json(data)
        assert (caught.value.problem, caught.value.field) == (problem, field)


class TestBackFill:
    RAW = build_frame(HEADER.replace("Flag=5", "Flag=11;PNUM=2;PNO=1;RF=1").encode() + b"CP=&&&&")

    def test_member_is_there_only_with_the_field(self) -> None:
        assert list(shape(self.RAW)) == KEYS.replace("pno ", "pno rf ").split()
        assert shape(self.RAW)["rf"] == 1

    def test_way_back(self) -> None:
        data = shape(self.RAW) | {"pw": "s3cr3t"}
        assert from_json(data) == (self.RAW, False)
        assert from_json(shape(self.RAW, show_secrets=True)) == (self.RAW, False)

    def test_field_survives_an_edition_without_it(self) -> None:
        raw, _ = from_json(shape(self.RAW) | {"pw": "s3cr3t", "edition": "2017"})
        assert b";PNO=1;RF=1;CP=" in raw
