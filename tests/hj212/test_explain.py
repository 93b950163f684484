"""Every deviation the table names can be found, says what would have matched, and never tells a password."""

from __future__ import annotations

import json
import string
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hj212 import HJ_212_2017, Frame, Framer, build_frame, crc16
from hj212.crc import modbus_crc16, swap_bytes
from hj212.deviations import Deviation, deviation_rows
from hj212.explain import MAX_SHOWN_CHARS, examine, point_out, remarks

from .conftest import Vector

HEADER = "QN=20160801085857223;ST=32;CN=2011;PW=100000;MN=010000A8900016F000169DC0;Flag=4;"
AREA = "DataTime=20160801085857;w01018-Rtd=2.2,w01018-Flag=N"
GOOD = f"{HEADER}CP=&&{AREA}&&"


def one(raw: bytes) -> Frame:
    framer = Framer()
    found = [*framer.feed(raw), *framer.finish()]
    assert [item.raw for item in found] == [raw]
    assert isinstance(found[0], Frame)
    return found[0]


def codes(raw: bytes) -> list[str]:
    return [deviation.code for deviation in examine(one(raw), HJ_212_2017)]


def of(text: str, encoding: str = "utf-8") -> bytes:
    """Frame a segment rightly, whatever it holds."""
    return build_frame(text.encode(encoding))


def header(old: str, new: str) -> bytes:
    assert old in HEADER
    return of(GOOD.replace(old, new, 1))


def area(text: str, encoding: str = "utf-8") -> bytes:
    return of(f"{HEADER}CP=&&{text}&&", encoding)


def length(field: str, segment: str = GOOD, crc: str | None = None) -> bytes:
    data = segment.encode()
    return b"##%s%s%s\r\n" % (field.encode(), data, (crc or f"{crc16(data):04X}").encode())


def crc(text: str, segment: str = GOOD) -> bytes:
    return length(f"{len(segment.encode()):04d}", segment, text) if text else of(segment)[:-6] + b"\r\n"


def crc_of(function: Callable[[bytes], int], segment: str = GOOD) -> bytes:
    return crc(f"{function(segment.encode()):04X}", segment)


SIZE = len(GOOD)
RIGHT = f"{crc16(GOOD.encode()):04X}"
LOG = f"{HEADER}CP=&&DataTime=20160801085857;i11001-Info=//清洗管路//&&"
# A segment whose check value begins with 0, and one whose value has letters.
ZERO = "QN=20240101000000089;ST=32;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&"
REPLY = "QN=20160801085857223;ST=91;CN=9014;PW=100000;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&"
LONG = area("DataTime=20160801085857;" + ";".join(f"w0{n:04d}-Rtd=1.23456" for n in range(60)))
NO_TEXT = bytes(range(128, 160))
CIPHER = build_frame(HEADER.replace("Flag=4", "Flag=9").encode() + b"CP=&&" + NO_TEXT + b"&&")[:-6] + b"1234\r\n"

# code -> frame, the bytes it must point at, found, expected
EXAMPLES: list[tuple[str, bytes, bytes, str, str]] = [
    ("length-digits", length(f"{SIZE:03d}"), b"139", "139", "0139"),
    ("length-digits", length(f"{SIZE:05d}"), b"00139", "00139", "0139"),
    ("length-digits", length(""), b"", "", "0139"),
    ("length-not-digits", length("0x8B"), b"0x8B", "0x8B", "0139"),
    ("length-not-digits", length(" 139"), b" 139", " 139", "0139"),
    ("length-characters", length(f"{len(LOG):04d}", LOG), b"0131", "0131", "0139"),
    ("length-includes-crc", length(f"{SIZE + 4:04d}"), b"0143", "0143", "0139"),
    ("length-includes-crc-and-tail", length(f"{SIZE + 6:04d}"), b"0145", "0145", "0139"),
    ("length-whole-frame", length(f"{SIZE + 10:04d}"), b"0149", "0149", "0139"),
    ("length-whole-frame", length(f"{SIZE + 12:04d}"), b"0151", "0151", "0139"),
    ("length-parameters-only", length(f"{len(AREA) + 7:04d}"), b"0059", "0059", "0139"),
    ("length-parameters-only", length(f"{len(AREA) + 4:04d}"), b"0056", "0056", "0139"),
    ("length-parameters-only", length(f"{len(AREA):04d}"), b"0052", "0052", "0139"),
    ("length-hexadecimal", length("0057", REPLY), b"0057", "0057", "0087"),
    ("length-mismatch", length("0138"), b"0138", "0138 (-1)", "0139"),
    ("length-mismatch", length("9999"), b"9999", "9999 (+9860)", "0139"),
    ("frame-cut", of(GOOD)[:60], b"", "54", "139"),
    ("frame-cut", of(GOOD)[:120] + b"\r\n", b"\r\n", "114", "139"),
    ("tail-lf", of(GOOD)[:-2] + b"\n", b"\n", "", ""),
    ("tail-cr", of(GOOD)[:-2] + b"\r", b"\r", "", ""),
    ("tail-missing", of(GOOD)[:-2], b"", "", ""),
    ("crc-missing", crc(""), b"", "", RIGHT),
    ("crc-unpadded", crc("140", ZERO), b"140", "140", "0140"),
    ("crc-short", crc("14", ZERO), b"14", "14", "0140"),
    ("crc-not-hexadecimal", crc("12G4"), b"12G4", "12G4", RIGHT),
    ("crc-swapped", crc_of(lambda data: swap_bytes(crc16(data))), b"", "", RIGHT),
    ("crc-modbus", crc_of(modbus_crc16), b"", "", RIGHT),
    ("crc-modbus-swapped", crc_of(lambda data: swap_bytes(modbus_crc16(data))), b"", "", RIGHT),
    ("crc-includes-header", crc_of(lambda data: crc16(b"##%04d" % len(data) + data)), b"", "", RIGHT),
    ("crc-includes-header", crc_of(lambda data: crc16(b"%04d" % len(data) + data)), b"", "", RIGHT),
    ("crc-impossible", crc("A55A"), b"A55A", "A55A", RIGHT),
    ("crc-mismatch", crc("3C00"), b"3C00", "3C00", RIGHT),
    ("crc-lower-case", of(REPLY)[:-6] + of(REPLY)[-6:].lower(), b"71c0", "71c0", "71C0"),
    ("segment-too-long", LONG, b"", str(len(LONG) - 12), "1024"),
    ("parameters-too-long", LONG, b"", str(len(LONG) - 12 - len(HEADER)), "950"),
    ("text-gbk", of(LOG, "gbk"), "清洗管路".encode("gbk"), "清洗管路", ""),
    ("text-not-utf8", area("a-Info=//").replace(b"//&&", b"//\xff\xff//&&"), b"\xff\xff", "FF FF", ""),
    ("edition-other", header("Flag=4", "Flag=0"), b"0", "2005", "2017"),
    ("edition-other", header("Flag=4", "Flag=9"), b"9", "2025", "2017"),
    ("field-missing", header("Flag=4;", ""), b"", "", "Flag"),
    ("edition-other", of("ST=32;CN=2011;PW=1;MN=88888880000001;CP=&&101-Rtd=2.5&&"), b"", "2005", "2017"),
    ("area-encrypted", CIPHER, NO_TEXT, "32", ""),
    ("back-fill-value", header("Flag=4;", "Flag=8;RF=0;"), b"RF=0", "RF=0", "RF=1"),
    ("field-other-edition", header("Flag=4;", "Flag=4;RF=1;"), b"RF", "RF", ""),
    ("key-duplicate", area("e01001-Rtd=1;e01001-Rtd=2"), b"e01001-Rtd", "e01001-Rtd", ""),
    ("factor-prefix", area("01018-Rtd=1"), b"01018", "01018", "w01018, a01018"),
    ("factor-other-edition", area("101-Rtd=1"), b"101", "101", "HJ/T 212-2005"),
    ("value-format", area("w01018-Rtd=none"), b"none", "w01018-Rtd=none", ""),
    ("edition-unknown", header("Flag=4", "Flag=12"), b"12", "3", ""),
    ("field-missing", header("QN=20160801085857223;", ""), b"", "", "QN"),
    ("field-missing", header("PW=100000;", ""), b"", "", "PW"),
    ("field-order", header("ST=32;CN=2011", "CN=2011;ST=32"), b"ST=32", "ST", "CN"),
    ("field-order", header("Flag=4", "Flag=6;PNO=1;PNUM=1"), b"PNUM=1", "PNUM", "PNO"),
    ("field-duplicate", header("ST=32;", "ST=32;ST=32;"), b"ST=32", "ST", ""),
    ("field-unknown", header("ST=32;", "ST=32;Ver=1;"), b"Ver", "Ver", ""),
    ("field-case", header("Flag=4", "FLAG=4"), b"FLAG", "FLAG", "Flag"),
    ("field-case", header("PW=", "pw="), b"pw", "pw", "PW"),
    ("field-case", of(GOOD.replace("CP=", "Cp=")), b"Cp", "Cp", "CP"),
    ("field-after-cp", of(GOOD.replace("Flag=4;", "") + ";Flag=0"), b"Flag=0", "Flag", ""),
    ("field-without-equals", header("ST=32", "ST32"), b"ST32", "", ""),
    ("separator-wrong", header("223;ST", "223,ST"), b",", ",", ";"),
    ("separator-missing", header("2011;PW", "2011PW"), b"", "PW", ";"),
    ("separator-missing", of(GOOD.replace(";CP", "CP")), b"", "CP", ";"),
    ("separator-extra", header("00;MN", "00;,MN"), b",", ",", ""),
    ("separator-extra", header("00;MN", "00;;MN"), b";", ";", ""),
    ("separator-full-width", area("DataTime=20160801085857；w01018-Rtd=2.2"), "；".encode(), "；", ";"),
    ("separator-full-width", area("DataTime＝20160801085857"), "＝".encode(), "＝", "="),
    ("separator-trailing", area(AREA + ";"), b";", ";", ""),
    ("separator-trailing", area(AREA + ","), b",", ",", ""),
    ("blank", area(" " + AREA), b" ", " DataTime=20160801085857", "DataTime=20160801085857"),
    ("blank", area("DataTime =20160801085857"), b" ", "DataTime =20160801085857", "DataTime=20160801085857"),
    ("blank", area("DataTime=20160801085857 "), b" ", "DataTime=20160801085857 ", "DataTime=20160801085857"),
    ("blank", area(" "), b" ", " ", ""),
    ("blank", header(";Flag", "; Flag"), b" ", " Flag=4", "Flag=4"),
    ("blank", of(GOOD.replace(";CP", "; CP")), b" ", " CP=", "CP="),
    ("blank", of(GOOD.replace("CP=", "CP =")), b"CP =", "CP =", "CP="),
    ("qn-digits", header("QN=20160801085857223", "QN=1617949937462"), b"1617949937462", "1617949937462", ""),
    ("qn-calendar", header("QN=201608", "QN=201613"), b"20161301085857223", "20161301085857223", ""),
    ("st-shape", header("ST=32", "ST=101"), b"101", "101", ""),
    ("cn-digits", header("CN=2011", "CN=201"), b"201", "201", ""),
    ("cn-unknown", header("CN=2011", "CN=9021"), b"9021", "9021", ""),
    ("cn-other-edition", header("CN=2011", "CN=9015"), b"9015", "9015", "HJ 212-2025"),
    ("pw-too-long", header("PW=100000", "PW=" + "a1" * 12), b"a1" * 12, "24", "6"),
    ("pw-characters", header("PW=100000", "PW=10-000"), b"10-000", "", ""),
    ("mn-2005", header("MN=010000A8900016F000169DC0", "MN=88888880000001"), b"88888880000001", "88888880000001", ""),
    ("mn-shape", header("MN=010000A89", "MN=010000a89"), b"010000a8900016F000169DC0", "", "[0-9A-F]{24}"),
    ("flag-number", header("Flag=4", "Flag=x"), b"x", "x", ""),
    ("flag-number", header("Flag=4", "Flag=256"), b"256", "256", ""),
    ("packet-numbers-missing", header("Flag=4", "Flag=6"), b"6", "Flag=6", "PNUM, PNO"),
    ("packet-numbers-missing", header("Flag=4", "Flag=6;PNUM=2"), b"6", "Flag=6", "PNO"),
    ("packet-numbers-unasked", header("Flag=4", "Flag=4;PNUM=2;PNO=1"), b"PNUM=2", "PNUM", ""),
    ("packet-number-value", header("Flag=4", "Flag=6;PNUM=2;PNO=3"), b"PNO=3", "PNO=3", "1-2"),
    ("packet-number-value", header("Flag=4", "Flag=6;PNUM=0;PNO=1"), b"PNUM=0", "PNUM=0", "1-9999"),
    ("packet-number-value", header("Flag=4", "Flag=6;PNUM=x;PNO=1"), b"PNUM=x", "PNUM=x", "1-9999"),
    ("reply-system", of(REPLY.replace("ST=91", "ST=32")), b"32", "32", "91"),
    ("reply-wants-answer", of(REPLY.replace("Flag=4", "Flag=5")), b"5", "5", "4"),
    ("cp-missing", of(HEADER[:-1]), b"", "", ""),
    ("open-missing", of(GOOD.replace("CP=&&", "CP=")), b"", "", ""),
    ("open-missing", of("CP=a-Rtd=1&&"), b"", "", ""),
    ("close-missing", of(GOOD[:-2]), b"", "", ""),
    ("text-after-close", of(GOOD + "xyz"), b"xyz", "xyz", ""),
    ("pair-without-equals", area("DataTime=20160801085857;a01001-8.32-N"), b"a01001-8.32-N", "a01001-8.32-N", ""),
    ("pair-empty", area("DataTime=20160801085857;;w01018-Rtd=2.2"), b"", "", ""),
    ("key-case", area("Datatime=20160801085857"), b"Datatime", "Datatime", "DataTime"),
    ("key-case", area("PolID=w01018"), b"PolID", "PolID", "PolId"),
    ("key-unknown", area("FANSTATUS=1"), b"FANSTATUS", "FANSTATUS", ""),
    ("key-two-hyphens", area("a21026-i22004-Info=1"), b"a21026-i22004-Info", "a21026-i22004-Info", ""),
    ("suffix-case", area("w01018-rtd=1"), b"-rtd", "-rtd", "-Rtd"),
    ("suffix-unknown", area("LA-td=50.1"), b"-td", "-td", ""),
    ("suffix-unknown", area("a01006-ValidNum=10"), b"-ValidNum", "-ValidNum", ""),
    ("factor-shape", area("pms_rules-Rtd=7"), b"pms_rules", "pms_rules", ""),
    ("factor-converted", area("a21026z-Rtd=7"), b"a21026z", "a21026z", "a21026-ZsRtd"),
    ("data-flag-unknown", area("w01018-Flag=n"), b"n", "n", "N F M S D C T B"),
    ("data-flag-unknown", area("w01018-flag=["), b"[", "[", "N F M S D C T B"),
    ("time-milliseconds", area("DataTime=20160824003817000"), b"20160824003817000", "", "20160824003817"),
    ("time-digits", area("DataTime=2016-08-24 00:38"), b"2016-08-24 00:38", "DataTime=2016-08-24 00:38", ""),
    ("time-digits", area("w01018-SampleTime="), b"", "w01018-SampleTime=", ""),
    ("time-calendar", area("BeginTime=20160231000000"), b"20160231000000", "BeginTime=20160231000000", ""),
    ("log-slashes", area("i31001-Info=opened"), b"opened", "opened", ""),
    ("st-unlisted", header("ST=32", "ST=81"), b"81", "81", ""),
    ("st-unlisted", header("ST=32", "ST=46"), b"46", "46", ""),
    ("st-other-edition", header("ST=32", "ST=44"), b"44", "44", "HJ 212-2025"),
    ("factor-unlisted", area("w99999-Rtd=1"), b"w99999", "w99999", ""),
    ("value-digits", area("w01018-Rtd=123456.7"), b"123456.7", "w01018-Rtd=123456.7", "N5.1"),
    ("value-decimals", area("w01018-Rtd=2.25"), b"2.25", "w01018-Rtd=2.25", "N5.1"),
    ("log-too-long", area("i31001-Info=//" + "x" * 890 + "//"), b"", "890", "890"),
]  # fmt: skip


class TestEachDeviation:
    @pytest.mark.parametrize(
        ("code", "raw", "concerned", "found", "expected"),
        EXAMPLES,
        ids=[f"{n}-{example[0]}" for n, example in enumerate(EXAMPLES)],
    )
    def test_is_found_in_its_place(self, code: str, raw: bytes, concerned: bytes, found: str, expected: str) -> None:
        frame = one(raw)
        ways = {"deviation": examine, "remark": remarks}
        said = ways[deviation_rows()[code].level](frame, HJ_212_2017)
        deviations = [deviation for deviation in said if deviation.code == code]
        assert deviations, codes(raw)
        (deviation, *_) = deviations
        if concerned or deviation.length == 0:
            assert raw[deviation.offset : deviation.offset + deviation.length] == concerned
        if found or not concerned.isalnum():
            assert (deviation.found, deviation.expected) == (found or deviation.found, expected)

    def test_every_row_of_the_table_has_an_example(self) -> None:
        assert {example[0] for example in EXAMPLES} == set(deviation_rows())

    @pytest.mark.parametrize("segment", [GOOD, LOG, REPLY, ZERO, GOOD.replace("Flag=4", "Flag=7;PNUM=2;PNO=1")])
    def test_legal_frame_has_none(self, segment: str) -> None:
        assert codes(of(segment)) == []

    @pytest.mark.parametrize(
        ("code", "raw"),
        [(example[0], example[1]) for example in EXAMPLES if example[0].startswith(("length-", "crc-", "tail-"))],
    )
    def test_a_damaged_envelope_blames_nothing_else(self, code: str, raw: bytes) -> None:
        assert codes(raw) == [code]


class TestText:
    @pytest.mark.parametrize("row", deviation_rows().values(), ids=lambda row: row.code)
    def test_both_languages_say_the_same_things(self, row: object) -> None:
        fields = [
            {name for _, name, _, _ in string.Formatter().parse(getattr(row, lang)) if name} for lang in ("zh", "en")
        ]
        assert fields[0] == fields[1] <= {"found", "expected", "length"}

    @pytest.mark.parametrize("row", deviation_rows().values(), ids=lambda row: row.code)
    def test_row_is_well_formed(self, row: object) -> None:
        code, subject, zh, en = (getattr(row, name) for name in ("code", "subject", "zh", "en"))
        assert set(code) <= set(string.ascii_lowercase + string.digits + "-")
        assert subject in HJ_212_2017.clauses
        assert zh.strip() == zh
        assert en.strip() == en
        assert en.isascii()
        assert not zh.isascii()
        assert not zh.endswith("。")
        assert not en.endswith(".")

    def test_examples(self) -> None:
        deviation = Deviation("length-digits", 2, 3, "139", "0139")
        assert deviation.text("en") == "the length field '139' has 3 digits, not four; 0139 would match"
        assert deviation.text("zh") == "长度字段“139”有 3 位，应为四位数字“0139”"
        assert deviation.clause(HJ_212_2017) == "HJ 212-2017 6.3.1"


#: Words of a vector's note -> the code that must be found.
NOTES: dict[str, str | tuple[str, ...]] = {
    "bad CRC": "crc-",
    "lowercase CRC": "crc-lower-case",
    "CRC is CRC-16/MODBUS": "crc-modbus",
    "no CRC in source": "crc-missing",
    "length field has 3 digits": "length-digits",
    "length declares": "length-mismatch",
    "HJ/T 212-2005 style (no Flag)": ("edition-other", "field-missing"),
    "no QN": "field-missing",
    "QN not 17 digits": "qn-digits",
    "blank inside body": "blank",
    "no PNUM/PNO": "packet-numbers-missing",
    "trailing ; before &&": "separator-trailing",
    "MN has": "mn-",
}


class TestVectors:
    def test_note_is_explained(self, vector: Vector) -> None:
        found = codes(vector.raw)
        for words, code in NOTES.items():
            if words in ("no QN", "no PNUM/PNO") and "edition-other" in found:
                continue  # the edition it follows needs none
            if words in vector.note:
                assert [name for name in found if name.startswith(code)], (words, found)

    def test_wrong_check_value_is_named_with_the_right_one(self, vector: Vector) -> None:
        words = vector.note.partition("bad CRC (expected ")[2][:4]
        if words:
            expected = [d.expected for d in examine(one(vector.raw), HJ_212_2017) if d.code.startswith("crc-")]
            assert words in expected

    def test_check_value_is_blamed_only_where_it_is_wrong(self, vector: Vector) -> None:
        blamed = any(code.startswith("crc-") and code != "crc-lower-case" for code in codes(vector.raw))
        assert blamed == (vector.crc_ok is not True and "length field" not in vector.note)

    def test_examples_of_the_standard_have_blanks_and_two_spellings_at_most(self, vectors: tuple[Vector, ...]) -> None:
        examples = [vector for vector in vectors if "the standard prints" in vector.note]
        assert len(examples) == 59
        assert {code for vector in examples for code in codes(vector.raw)} == {"blank", "key-case"}


# Checksums of published examples: printed value -> what is wrong with it.
PUBLISHED = [
    ("4980", "ST=32;CN=2011;PW=123456;MN=LD130133000015;CP=&&DataTime=20160824003817;B01-Rtd=36.91;011-Rtd=231.0,"
             "011-Flag=N;060-Rtd=1.803,060-Flag=N&&", "crc-mismatch", "3C00"),
    ("1C08", "QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;"
             "CP=&&RtdInterval=30&&", "crc-impossible", "1C80"),
    ("A55A", REPLY, "crc-impossible", "71C0"),
]  # fmt: skip


@pytest.mark.parametrize(("printed", "segment", "code", "right"), PUBLISHED)
def test_published_check_value(printed: str, segment: str, code: str, right: str) -> None:
    deviations = examine(one(crc(printed, segment)), HJ_212_2017)
    assert [(d.found, d.expected) for d in deviations if d.code == code] == [(printed, right)]


class TestEditions:
    def test_2005_frame_is_examined_all_the_same(self) -> None:
        found = codes(of("ST=32;CN=2011;PW=123456;MN=88888880000001;CP=&&DataTime=20040516021000;101-Rtd=2.5&&"))
        assert found == ["edition-other"]

    def test_flag_behind_cp_still_declares_the_edition(self) -> None:
        assert "edition-other" not in codes(of(GOOD.replace("Flag=4;", "") + ";Flag=4"))

    def test_damaged_flag_declares_nothing(self) -> None:
        assert codes(header("Flag=4", "Flag=x")) == ["flag-number"]


class TestCombinations:
    def test_order_is_by_place(self) -> None:
        deviations = examine(one(length("0001", GOOD.replace("QN=", " QN="), "FFFF")), HJ_212_2017)
        assert [d.offset for d in deviations] == sorted(d.offset for d in deviations)
        assert [d.code for d in deviations] == ["length-mismatch", "blank", "crc-impossible"]

    def test_frame_cut_inside_a_field_does_not_blame_the_field(self) -> None:
        for cut in range(12, len(of(GOOD)) - 6):
            assert codes(of(GOOD)[:cut])[-1:] == ["frame-cut"]
            assert set(codes(of(GOOD)[:cut])) <= {"frame-cut", "edition-other"}

    def test_identity_before_password(self) -> None:
        mn, pw = "MN=010000A8900016F000169DC0", "PW=100000"
        (deviation,) = examine(one(header(f"{pw};{mn}", f"{mn};{pw}")), HJ_212_2017)
        assert (deviation.code, deviation.found, deviation.expected) == ("field-order", "PW", "MN")

    def test_frame_without_anything(self) -> None:
        assert codes(build_frame(b"")) == [*["field-missing"] * 6, "cp-missing"]

    def test_lost_separator_does_not_hide_the_fields(self) -> None:
        assert codes(header("2011;PW", "2011PW")) == ["separator-missing"]
        assert codes(header("223;ST", "223 , ST")) == ["separator-wrong"]

    def test_full_width_punctuation_in_text_is_no_separator(self) -> None:
        assert codes(area("i11001-Info=//清洗；管路，w01018-Rtd=1//")) == []
        assert codes(area("i13004-Info=正常，无报警")) == []


SECRET = "s3cr3t"


@st.composite
def damaged_frames(draw: st.DrawFn) -> bytes:
    """Frames with a password, broken anywhere but in the password and its name."""
    before = draw(st.sampled_from(["QN=20160801085857223;ST=32;CN=2011;", "CN=2011", "MN=1;", "ST=32,", "", " "]))
    name = draw(st.sampled_from(["PW=", "PW = ", "pw=", " PW=", "NewPW=", "PW ", "PW:", "PW＝"]))
    if name in ("PW ", "PW:", "PW＝") and not before.endswith((";", ",")):
        before += ";"
    after = draw(st.sampled_from([";MN=1;Flag=4;CP=&&a=1&&", ",MN=2", "&&", "", ";", ";CP=&&NewPW=" + SECRET + "&&"]))
    raw = build_frame((before + name + SECRET + after).encode())
    cut = draw(st.integers(len(raw) - 16, len(raw)))
    field = draw(st.sampled_from([raw[2:6], b"0099", b"12", b"0000", b"9999"]))
    return b"##" + field + raw[6 : max(cut, 8)] + draw(st.sampled_from([b"", b"\r\n", b"\n"]))


class TestAnyBytes:
    @given(st.one_of(st.binary(max_size=300), st.text(max_size=200).map(str.encode)))
    def test_nothing_raises(self, junk: bytes) -> None:
        candidates = [b"##" + junk, b"##0010" + junk, b"##" + junk + b"QN=1;CP=&&" + junk, build_frame(junk)]
        for candidate in candidates:
            framer = Framer()
            for found in framer.feed(candidate) + framer.finish():
                if isinstance(found, Frame):
                    self.check(found)

    @given(st.lists(st.sampled_from([*GOOD.split(";"), ";", ",", "&&", "=", " ", "//", "；", "-", "PW="]), max_size=30))
    def test_pieces_in_any_order(self, pieces: list[str]) -> None:
        self.check(one(of("".join(pieces))))

    def check(self, frame: Frame) -> None:
        for deviation in examine(frame, HJ_212_2017):
            assert 0 <= deviation.offset <= len(frame.raw)
            assert 0 <= deviation.length <= len(frame.raw) - deviation.offset
            assert len(deviation.found) <= MAX_SHOWN_CHARS
            assert all((text := deviation.text(lang)) and text.isprintable() for lang in ("zh", "en"))
            json.dumps([deviation.found, deviation.expected], ensure_ascii=False).encode()
            line, mark = point_out(frame, deviation)
            assert line.isprintable()
            assert set(mark.lstrip(" ")) == {"^"}

    @given(damaged_frames())
    def test_no_password_is_told(self, raw: bytes) -> None:
        framer = Framer()
        for found in framer.feed(raw) + framer.finish():
            if not isinstance(found, Frame):
                continue
            for deviation in examine(found, HJ_212_2017):
                told = [deviation.text("zh"), deviation.text("en"), repr(deviation), *point_out(found, deviation)]
                assert not [text for text in told if SECRET in text or SECRET[:4] in text or SECRET[2:] in text]

    @pytest.mark.parametrize(
        "piece",
        [b" ", b",", b";", b"=", b"ST=", b"PW", b"PW=", b" ,", b"a-", b"-", b"//", b"&", b"\xff", b"\xb8", b"a=;"],
    )
    @pytest.mark.parametrize("start", [b"", b"CP=&&", b"QN=1", b"CP=&&a=", b"CP=&&i11001-Info=//"])
    def test_longest_frame_of_anything_is_examined_at_once(self, piece: bytes, start: bytes) -> None:
        frame = Frame(build_frame(data := (start + piece * 9999)[:9999]), 0, 9999, data, b"0000", b"\r\n")
        began = time.process_time()
        examine(frame, HJ_212_2017)
        assert time.process_time() - began < 2.0  # quadratic work takes a minute


class TestPointOut:
    def test_line_and_mark(self) -> None:
        frame = one(crc("0759", REPLY))
        (deviation,) = examine(frame, HJ_212_2017)
        line, mark = point_out(frame, deviation)
        assert line.endswith(";Flag=4;CP=&&&&0759\\r\\n")
        assert line[len(mark) - 4 : len(mark)] == "0759"
        assert mark == " " * (len(mark) - 4) + "^^^^"

    def test_what_is_missing_has_one_mark_in_its_place(self) -> None:
        frame = one(of(GOOD)[:-2])
        line, mark = point_out(frame, examine(frame, HJ_212_2017)[0])
        assert len(mark) == len(line) + 1

    def test_wide_and_foreign_characters_keep_the_columns(self) -> None:
        frame = one(of(f"{HEADER}CP=&&i11001-Info=//清洗//;x=1&&"))
        (deviation,) = [d for d in examine(frame, HJ_212_2017) if d.code == "key-unknown"]
        line, mark = point_out(frame, deviation)
        assert len(mark) - 1 == line.index(";x=1") + 1 + 2  # two wide characters take two columns more
        frame = one(of(f"{HEADER}CP=&&i11001-Info=//清洗//;x=1&&", "gbk"))
        (deviation,) = [d for d in examine(frame, HJ_212_2017) if d.code == "key-unknown"]
        line, mark = point_out(frame, deviation)
        assert line[len(mark) - 1] == "x"
        assert "\\xc7\\xe5" in line

    def test_line_is_not_wider_than_asked(self) -> None:
        frame = one(LONG)
        for deviation in examine(frame, HJ_212_2017):
            line, mark = point_out(frame, deviation, columns=60)
            assert len(line) <= 60
            assert len(mark) <= 61
