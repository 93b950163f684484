"""Front-end commands: the worked examples, both ways, and every frame of eight bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gb28181 import LocalProtocolError, PtzError
from gb28181.ptz import (
    LAYOUT,
    Auxiliary,
    Command,
    Cruise,
    CruiseAct,
    Frame,
    Iris,
    Move,
    Preset,
    PresetAct,
    Scan,
    ScanAct,
    Unknown,
    decode,
    encode,
    terms,
)

EXAMPLES = [
    (Move.of(zoom=1), 0x04D, "A50F4D1000001021"),
    (Move.of(pan=0x80), 1, "A50F010180000036"),
    (Move.of(pan=-0x40, tilt=0x40), 1, "A50F010A4040003F"),
    (Move.of(zoom=8), 1, "A50F011000008045"),
    (Move.of(pan=0x7D, tilt=0x20, zoom=-15), 1, "A50F01297D20F06B"),
    (Move.of(), 1, "A50F0100000000B5"),
    (Move.of(), 0, "A50F0000000000B4"),
    (Iris(focus=0x30, iris=0x50, close=True), 1, "A50F01493050007E"),
    (Iris(), 1, "A50F0140000000F5"),
    (Preset(PresetAct.SET, 5), 1, "A50F01810005003B"),
    (Preset(PresetAct.CALL, 5), 1, "A50F01820005003C"),
    (Preset(PresetAct.DELETE, 5), 1, "A50F01830005003D"),
    (Cruise(CruiseAct.ADD, 1, 3), 1, "A50F01840103003D"),
    (Cruise(CruiseAct.SPEED, 1, 0x10A), 1, "A50F0186010A1056"),
    (Cruise(CruiseAct.STAY, 1, 300), 1, "A50F0187012C1079"),
    (Cruise(CruiseAct.START, 1), 1, "A50F01880100003E"),
    (Scan(ScanAct.START, 1), 1, "A50F01890100003F"),
    (Auxiliary(True, 1), 1, "A50F018C01000042"),
    (Auxiliary(False, 1), 1, "A50F018D01000043"),
    (Move.of(pan=0x10), 0x123, "A50F2301100001E9"),
]

frames = st.builds(
    Frame,
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 255),
    st.integers(0, 15),
    st.integers(0, 4095),
    st.integers(0, 15),
)


@pytest.mark.parametrize(("command", "address", "digits"), EXAMPLES)
def test_worked_example_both_ways(command: Command, address: int, digits: str) -> None:
    assert encode(command, address) == digits
    assert decode(digits.lower()) == (command, address)
    assert all(terms(command))


@given(frames)
def test_bytes_and_declared_layout_agree(frame: Frame) -> None:
    parsed = LAYOUT.parse(bytes(frame))
    assert (parsed.command, parsed.data1, parsed.data2) == (frame.command, frame.data1, frame.data2)
    assert (parsed.combination.version, parsed.combination2.data3) == (frame.version, frame.data3)
    assert parsed.combination2.address_high << 8 | parsed.address_low == frame.address
    assert LAYOUT.build(parsed) == bytes(frame)
    assert parsed.sum == sum(bytes(frame)[:7]) % 256


@given(frames)
def test_every_frame_is_read_and_written_unchanged(frame: Frame) -> None:
    digits = bytes(frame).hex().upper()
    try:
        command, address = decode(digits)
    except PtzError:
        pairs = [frame.command & mask for mask in (3, 12, 48)]
        assert frame.version == 0
        assert 3 in pairs or 12 in pairs or 48 in pairs
        return
    assert encode(command, address) == digits
    zh, en = terms(command)
    assert zh
    assert en.isascii()


@pytest.mark.parametrize(
    ("digits", "words"),
    [
        ("A50F01018000003", "16 hexadecimal digits"),
        ("A50F01018000003G", "16 hexadecimal digits"),
        ("", "16 hexadecimal digits"),
        ("A40F010180000035", "byte 1: expected A5, found A4"),
        ("A50E010180000035", "byte 2: expected 0F, found 0E"),
        ("A50F010180000037", "byte 8: expected the sum 36, found 37"),
        ("A50F010300000" + "0B8", "left and right"),
        ("A50F010C000000C1", "up and down"),
        ("A50F0130000000E5", "in and out"),
        ("A50F0143000000F8", "near and far"),
        ("A50F014C00000001", "open and closed"),
    ],
)
def test_what_cannot_be_meant_names_its_byte(digits: str, words: str) -> None:
    with pytest.raises(PtzError, match=words) as caught:
        decode(digits)
    assert caught.value.clause.startswith("A.3")


@pytest.mark.parametrize(
    "command",
    [
        Move.of(pan=256),
        Move.of(zoom=16),
        Iris(focus=300),
        Preset(PresetAct.CALL, 0),
        Preset(PresetAct.SET, 256),
        Cruise(CruiseAct.STAY, 1, 4096),
        Cruise(CruiseAct.ADD, 1, 0),
        Cruise(CruiseAct.START, 256),
        Scan(ScanAct.SPEED, 0, 4096),
        Scan(ScanAct.START, 0, 5),
        Auxiliary(True, -1),
    ],
)
def test_values_out_of_range_are_not_written(command: Command) -> None:
    with pytest.raises(LocalProtocolError, match="expected"):
        encode(command)


def test_an_address_has_twelve_bits() -> None:
    with pytest.raises(LocalProtocolError, match="address"):
        encode(Move.of(), 4096)


def test_names() -> None:
    assert terms(Move.of()) == ("停止", "stop")
    assert terms(Move.of(pan=-3, zoom=2)) == ("左（速度 3），放大（速度 2）", "left (speed 3), zoom in (speed 2)")
    assert terms(Cruise(CruiseAct.DELETE, 4)) == ("删除巡航组 4", "delete cruise 4")
    assert terms(Auxiliary(True, 1)) == ("雨刷开", "wiper on")
    assert terms(Unknown(Frame(0xFE))) == ("未知指令 FE", "unknown command FE")
