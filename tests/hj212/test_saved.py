"""What assistants save becomes the bytes of the line again; bytes that are frames are left alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hj212 import build_frame
from hj212.saved import Form, read_saved

FRAME = build_frame(b"QN=20160801085857223;ST=91;CN=9014;PW=100000;MN=010000A8900016F000169DC0;Flag=4;CP=&&&&")
LINE = FRAME[:-2]
HEX = FRAME.hex(" ").upper()


@pytest.mark.parametrize(
    ("source", "form"),
    [
        (FRAME, Form.RAW),
        (b"\x00\x01" + FRAME, Form.RAW),
        (b"[2024-01-02 03:04:05.678] RX: " + LINE + b"\n", Form.TEXT),
        ("[17:09:20.123]收←◆".encode() + LINE + b"\n", Form.TEXT),
        ("[17:09:20.123]发→◇".encode("gbk") + LINE + b"\n", Form.TEXT),
        (LINE + rb"\r\n", Form.TEXT),
        (LINE + b"<CR><LF>\n", Form.TEXT),
        (b"\xef\xbb\xbf" + LINE, Form.TEXT),
        (b"\xff\xfe" + LINE.decode().encode("utf-16-le"), Form.TEXT),
        (HEX.encode(), Form.HEX),
        (FRAME.hex().encode(), Form.HEX),
        (", ".join(f"0x{byte:02x}" for byte in FRAME).encode() + b",", Form.HEX),
        (b"[2024-01-02 03:04:05.678] RX: " + HEX.encode() + b"\n", Form.HEX),
        (b"\xff\xfe" + HEX.encode("utf-16-le"), Form.HEX),
    ],
)
def test_form_is_recognised(source: bytes, form: Form) -> None:
    saved = read_saved(source)
    assert saved.form is form
    assert saved.data == (source if form is Form.RAW else FRAME)


def dump(data: bytes, row: str, middle: str = "") -> bytes:
    """A dump of 16 bytes a line, as dumpers print it."""
    lines = []
    for at in range(0, len(data), 16):
        part = data[at : at + 16]
        pairs = [f"{byte:02x}" for byte in part]
        digits = " ".join(pairs[:8]) + middle + " " * bool(pairs[8:]) + " ".join(pairs[8:])
        shown = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in part)
        lines.append(row.format(at=at, digits=digits, shown=shown))
    return "\n".join(lines).encode()


@pytest.mark.parametrize(
    ("row", "middle"),
    [
        ("{at:04x}  {digits:<47}   {shown}", ""),
        ("{at:04X}   {digits:<48}  {shown}", " "),
        ("{at:08x}  {digits:<48}  |{shown}|", " "),
        ("{at:08x}: {digits:<47}  {shown}", ""),
        ("{at:06x} {digits}", ""),
    ],
)
def test_a_dump_is_read_without_its_offsets_and_characters(row: str, middle: str) -> None:
    for size in range(len(FRAME), len(FRAME) + 17):  # every length of a last line
        data = FRAME + b"1A" * 16
        saved = read_saved(dump(data[:size], row, middle))
        assert (saved.form, saved.data) == (Form.HEX, data[:size])
    packets = dump(FRAME, row, middle) + b"\n\n" + dump(FRAME, row, middle) + b"\n%08x\n" % len(FRAME)
    assert read_saved(packets).data == FRAME * 2


def test_pairs_joined_by_four_are_read_in_a_dump() -> None:
    assert FRAME[:4] == b"##00"
    lines = [f"{at:08x}: {FRAME[at : at + 16].hex(' ', 2)}  ......" for at in range(0, len(FRAME), 16)]
    assert read_saved("\n".join(lines).encode()).data == FRAME


def test_frame_without_final_line_end_is_left_alone() -> None:
    assert read_saved(LINE).data == LINE
    assert read_saved(LINE + b"\n").data == LINE + b"\n"


@given(st.lists(st.binary(max_size=60), max_size=3))
def test_intact_frames_among_anything_lose_no_byte(junk: list[bytes]) -> None:
    source = b"".join(FRAME + piece.replace(b"#", b"") for piece in junk) + FRAME
    assert read_saved(source, Form.RAW).data == source


def test_offsets_are_those_of_the_file() -> None:
    line = b"[03:04:05] RX: " + LINE + b"\n"
    saved = read_saved(line * 3)
    assert [saved.offset(n * len(FRAME)) for n in range(3)] == [0, len(line), 2 * len(line)]


def test_offsets_in_utf16_count_its_bytes() -> None:
    line = "[03:04:05] 收 " + LINE.decode() + "\n"
    saved = read_saved(b"\xff\xfe" + (line * 3).encode("utf-16-le"))
    assert [saved.offset(n * len(FRAME)) for n in range(3)] == [2, 2 + 2 * len(line), 2 + 4 * len(line)]


def test_form_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="hex"):
        read_saved(b"no digits", Form.HEX)
    with pytest.raises(ValueError, match="text"):
        read_saved(FRAME, Form.TEXT)
