"""The mistakes met in public code, logs and the editions' own examples: each is named for what it is, in its place."""

from __future__ import annotations

import pytest

from hj212 import HJ_212_2017, Frame, Framer, build_frame, crc16
from hj212.crc import modbus_crc16, swap_bytes
from hj212.editions import HJ_212_2025
from hj212.explain import examine
from hj212.framing import Noise

HEADER = "QN=20160801085857223;ST=32;CN=2011;PW=100000;MN=010000A8900016F000169DC0;Flag=4;"
AREA = "DataTime=20160801085857;w01018-Rtd=2.2,w01018-Flag=N"
GOOD = f"{HEADER}CP=&&{AREA}&&"
REPLY = "QN=20160801085857223;ST=91;CN=9014;PW=100000;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&"
LOG = f"{HEADER}CP=&&DataTime=20160801085857;i11001-Info=//清洗管路//&&"
ZERO = "QN=20240101000000089;ST=32;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&"


def envelope(segment: str = GOOD, *, length: str | None = None, crc: str | None = None, tail: bytes = b"\r\n") -> bytes:
    data = segment.encode()
    return b"##" + (length or f"{len(data):04d}").encode() + data + (crc or f"{crc16(data):04X}").encode() + tail


def changed(old: str, new: str) -> bytes:
    assert old in GOOD
    return build_frame(GOOD.replace(old, new, 1).encode())


def area(text: str) -> bytes:
    return build_frame(f"{HEADER}CP=&&{text}&&".encode())


def long(size: int) -> bytes:
    return area("i11001-Info=//" + "x" * (size - len(HEADER) - len("CP=&&i11001-Info=////&&")) + "//")


def value(number: int) -> str:
    return f"{number:04X}"


def wrong_crc(number: int, code: str) -> tuple[bytes, str, bytes]:
    return envelope(crc=value(number)), code, value(number).encode()


RIGHT = GOOD.encode()

# what -> frame, the code expected, the bytes it points at
MISTAKES: dict[str, tuple[bytes, str, bytes]] = {
    # 2.2 Published examples
    "Modbus, high byte first": wrong_crc(modbus_crc16(RIGHT), "crc-modbus"),
    "Modbus, low byte first": wrong_crc(swap_bytes(modbus_crc16(RIGHT)), "crc-modbus-swapped"),
    "bytes swapped": wrong_crc(swap_bytes(crc16(RIGHT)), "crc-swapped"),
    "lower case": (envelope(REPLY, crc="71c0"), "crc-lower-case", b"71c0"),
    "three digits": (envelope(ZERO, crc="140"), "crc-unpadded", b"140"),
    "magic A55A": (envelope(crc="A55A"), "crc-impossible", b"A55A"),
    "digits swapped in the prose of Annex A": (envelope(crc="1C08"), "crc-impossible", b"1C08"),
    # 11 The frame
    "215 for 271": (envelope(f"{HEADER}CP=&&i11001-Info=//{'x' * 163}//&&", length="0215"), "length-mismatch", b"0215"),
    "length of characters": (envelope(LOG, length=f"{len(LOG):04d}"), "length-characters", b"0131"),
    "length of body and 6": (envelope(length=f"{len(GOOD) + 6:04d}"), "length-includes-crc-and-tail", b"0145"),
    "three length digits": (envelope(length="139"), "length-digits", b"139"),
    "lone LF": (envelope(tail=b"\n"), "tail-lf", b"\n"),
    "no CR LF": (envelope(tail=b""), "tail-missing", b""),
    "GBK text": (build_frame(LOG.encode("gbk")), "text-gbk", "清洗管路".encode("gbk")),
    "segment of 1025": (long(1025), "segment-too-long", b"&"),
    "segment of 1623": (long(1623), "segment-too-long", b"x" * (1623 - 1024 - 4) + b"//&&"),
    # 11 The header
    "no Flag": (changed("Flag=4;", ""), "field-missing", b""),
    "Flag behind CP": (build_frame((GOOD.replace("Flag=4;", "") + ";Flag=0").encode()), "field-after-cp", b"Flag=0"),
    "Flag=8": (changed("Flag=4", "Flag=8"), "edition-other", b"8"),
    "MN before PW": (
        changed("PW=100000;MN=010000A8900016F000169DC0", "MN=010000A8900016F000169DC0;PW=100000"),
        "field-order",
        b"PW=100000",
    ),
    "empty QN": (changed("QN=20160801085857223", "QN="), "qn-digits", b""),
    "ST of three digits": (changed("ST=32", "ST=101"), "st-shape", b"101"),
    "MN with letters beyond F": (
        changed("MN=010000A8900016F000169DC0", "MN=NJGDKYYC202101q0001w0001"),
        "mn-shape",
        b"NJGDKYYC202101q0001w0001",
    ),
    "PW of 24 characters": (changed("PW=100000", "PW=" + "A1" * 12), "pw-too-long", b"A1" * 12),
    "9014 with the ST of the upload": (build_frame(REPLY.replace("ST=91", "ST=32").encode()), "reply-system", b"32"),
    "9014 with Flag=5": (build_frame(REPLY.replace("Flag=4", "Flag=5").encode()), "reply-wants-answer", b"5"),
    "PNO beyond PNUM": (changed("Flag=4", "Flag=6;PNUM=2;PNO=3"), "packet-number-value", b"PNO=3"),
    "PNO before PNUM": (changed("Flag=4", "Flag=6;PNO=1;PNUM=2"), "field-order", b"PNUM=2"),
    "Flag=6 without packet numbers": (changed("Flag=4", "Flag=6"), "packet-numbers-missing", b"6"),
    # 10 Errors inside the standards
    "comma before ST": (changed("223;ST", "223,ST"), "separator-wrong", b","),
    "Flag=5CP=": (changed("Flag=4;CP", "Flag=4CP"), "separator-missing", b""),
    "blank behind &&": (area(" PolId=w01018"), "blank", b" "),
    "blanks around a key": (area(" i13005-Info =40"), "blank", b" "),
    "blank inside a code": (area("LA -Rtd=50.1"), "factor-shape", b"LA "),
    "CTime": (area("CTime=4"), "key-case", b"CTime"),
    "PolID": (area("PolID=w01018"), "key-case", b"PolID"),
    "Overtime": (area("Overtime=5"), "key-case", b"Overtime"),
    "AlarmTarget": (area("AlarmTarget=1"), "key-unknown", b"AlarmTarget"),
    "e01001 twice": (area("e01001-Rtd=1;e01001-Rtd=2"), "key-duplicate", b"e01001-Rtd"),
    "01018 without w": (area("01018-Rtd=1"), "factor-prefix", b"01018"),
    "-- in a key": (area("w01018--Avg=1"), "key-two-hyphens", b"w01018--Avg"),
    # 11 and the peers: the data area
    "17-digit DataTime": (area("DataTime=20160824003817000"), "time-milliseconds", b"20160824003817000"),
    "trailing ;": (area(AREA + ";"), "separator-trailing", b";"),
    "no && behind CP=": (build_frame(GOOD.replace("CP=&&", "CP=").encode()), "open-missing", b""),
    "no closing &&": (build_frame(GOOD[:-2].encode()), "close-missing", b""),
    "key without suffix": (area("FANSTATUS=1"), "key-unknown", b"FANSTATUS"),
    "vendor code": (area("pms_rules-Rtd=7"), "factor-shape", b"pms_rules"),
    "vendor code ele01": (area("ele01-Rtd=7"), "factor-shape", b"ele01"),
    "vendor code a214": (area("a214-Rtd=7"), "factor-shape", b"a214"),
    "two hyphens": (area("a21026-i22004-Info=1"), "key-two-hyphens", b"a21026-i22004-Info"),
    "wrong suffix": (area("LA-td=50.1"), "suffix-unknown", b"-td"),
    "suffix in lower case": (area("w01018-flag=N"), "suffix-case", b"-flag"),
    "z for converted values": (area("a21026z-Rtd=7"), "factor-converted", b"a21026z"),
    "-ValidNum": (area("a01006-ValidNum=10"), "suffix-unknown", b"-ValidNum"),
    "-TotalNum": (area("a01006-TotalNum=10"), "suffix-unknown", b"-TotalNum"),
    "code of 2005 with Flag=4": (area("101-Rtd=2.5"), "factor-other-edition", b"101"),
    **{f"vendor flag {flag}": (area(f"w01018-Flag={flag}"), "data-flag-unknown", flag.encode()) for flag in "PHL[]()n"},
}  # fmt: skip


def items(raw: bytes) -> list[Frame | Noise]:
    framer = Framer()
    return [*framer.feed(raw), *framer.finish()]


@pytest.mark.parametrize(("raw", "code", "concerned"), MISTAKES.values(), ids=MISTAKES)
def test_mistake_is_named_in_its_place(raw: bytes, code: str, concerned: bytes) -> None:
    (frame,) = items(raw)
    assert isinstance(frame, Frame)
    assert frame.raw == raw
    found = [(d.code, raw[d.offset : d.offset + d.length]) for d in examine(frame, HJ_212_2017)]
    assert (code, concerned) in found


def test_system_99_and_many_decimals_are_no_deviation() -> None:
    for raw in (changed("ST=32", "ST=99"), area("w01018-Rtd=1.230000000001")):
        (frame,) = items(raw)
        assert isinstance(frame, Frame)
        assert examine(frame, HJ_212_2017) == []


def test_glued_frames_and_foreign_bytes_are_told_apart() -> None:
    good = build_frame(GOOD.encode())
    found = items(good + b"\x01\x03\x00\x00\x00\x02\xc4\x0b" + good + good + b"heartbeat\r\n")
    assert [item.raw for item in found if isinstance(item, Frame)] == [good] * 3
    assert b"".join(item.raw for item in found if isinstance(item, Noise)).strip() == (
        b"\x01\x03\x00\x00\x00\x02\xc4\x0bheartbeat"
    )


EXAMPLES_2005 = [
    b"##0124QN=20040516010101001;ST=32;CN=2051;PW=123456;MN=88888880000001;Flag=3;CP=&&"
    b"BeginTime=20040506111000,EndTime=20040506151000&&6B80\r\n",
    b"##0084ST=91;CN=9011;PW=123456;MN=88888880000001;Flag=0;CP=&&QN=20040516010101001;QnRtn=1&&7200\r\n",
    b"##0132ST=32;CN=2051;PW=123456;MN=88888880000001;CP=&&DataTime=20040516021000;B01-Cou=200;"
    b"101-Cou=2.5,101-Min=1.1,101-Avg=1.1,101-Max=1.1&&17C0\r\n",
    b"##0166ST=32;CN=2051;QN=20040516010101001;PW=123456;MN=88888880000001;PNO=1;PNUM=1;CP=&&"
    b"DataTime=20040516021000;B01-Cou=200;101-Cou=2.5,101-Min=1.1,101-Avg=1.1,101-Max=1.1&&B8C1\r\n",
    b"##0078ST=91;CN=9012;PW=123456;MN=88888880000001;CP=&&QN=20040516010101001;ExeRtn=1&&C601\r\n",
    b"##0076ST=91;CN=9013;PW=123456;MN=88888880000001;Flag=0;CP=&&QN=20040516010101001&&30C0\r\n",
]


@pytest.mark.parametrize("raw", EXAMPLES_2005)
def test_examples_of_2005_are_examined_by_its_rules(raw: bytes) -> None:
    (frame,) = items(raw)
    assert isinstance(frame, Frame)
    assert [deviation.code for deviation in examine(frame, HJ_212_2017)] == ["edition-other"]


def test_acknowledgement_of_2005_has_a_trailing_separator_and_nothing_else() -> None:
    (frame,) = items(b"##0063ST=91;CN=9014;CP=&&QN=20040516010101001;CN=2051;PNO=1;PNUM=1;&&2700\r\n")
    assert isinstance(frame, Frame)
    assert [d.code for d in examine(frame, HJ_212_2017)] == ["edition-other", "separator-trailing"]


# The second example of HJ 212-2025 A.2, as it travels: nine blocks of ciphertext, the rest clear.
CIPHERTEXT = bytes.fromhex(
    "E43E159ACFAB242CB53155FB8B9281A1A242577ABFAED881BE88B72D69FC55ED1A80119FAAC8B3CD33D285CC76F57F2C"
    "A7F88B9573C6647E0F07E24609BD6B63EB20C5B9784F28E71D2F4994FF61D9E13B391A1D2A454B65388D5D9435DBF021"
    "528C7BF9755EF16518710C0CAC0ADEF9C5156CD0A5A17674AC0ED2ABC40023E9EF70128554B82438E91ADCE98A0D03A4"
)
HEADER_2025 = "QN=20240520210700000;ST=31;CN=2051;PW=123456;MN=010000A8900016F000169DC0;Flag=9;"


def test_encrypted_data_area_is_recognised_and_not_examined() -> None:
    (frame,) = items(b"##0234" + f"{HEADER_2025}CP=&&".encode() + CIPHERTEXT + b"g=N&&B541\r\n")
    assert isinstance(frame, Frame)
    (deviation,) = examine(frame, HJ_212_2025)
    assert (deviation.code, deviation.found, deviation.length) == ("area-encrypted", "147", 147)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("Flag=9;RF=1;", []),
        ("Flag=9;RF=0;", ["back-fill-value"]),
        ("RF=1;Flag=9;", ["field-order"]),
        ("Flag=10;PNUM=2;PNO=1;RF=1;", []),
        ("Flag=10;PNUM=0002;PNO=1;", ["packet-number-value"]),
        ("Flag=10;PNUM=12;PNO=1;", ["packet-number-value"]),
    ],
)
def test_header_of_2025(header: str, found: list[str]) -> None:
    segment = f"{HEADER_2025}CP=&&DataTime=20240520210600;p99101-Rtd=1&&".replace("Flag=9;", header)
    (frame,) = items(build_frame(segment.encode()))
    assert isinstance(frame, Frame)
    assert [deviation.code for deviation in examine(frame, HJ_212_2025)] == found


def test_empty_identity_of_2025_belongs_to_registration() -> None:
    (frame,) = items(build_frame(b"QN=20240520210700000;ST=91;CN=9013;PW=123456;MN=;Flag=8;CP=&&&&"))
    assert isinstance(frame, Frame)
    assert examine(frame, HJ_212_2025) == []
