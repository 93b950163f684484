"""Messages out of a stream, however it is cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gb28181.sip import Broken, StreamFramer

from .examples import ALL, KEEPALIVE, REGISTER

STREAM = b"\r\n\r\n".join(ALL) + b"\x00\x00\x00\x00" + b"".join(ALL) + b"\r\n"


@given(st.lists(st.integers(1, len(STREAM)), max_size=40))
def test_splits_do_not_matter(cuts: list[int]) -> None:
    framer = StreamFramer()
    at, found = 0, []
    for cut in [*sorted(cuts), len(STREAM)]:
        found += framer.feed(STREAM[at:cut])
        at = cut
    assert found == [*ALL, *ALL]
    assert framer.pending == 0
    assert framer.filling == 4 * (len(ALL) - 1) + 4 + 2


def test_byte_by_byte() -> None:
    framer = StreamFramer()
    found = [message for at in range(len(STREAM)) for message in framer.feed(STREAM[at : at + 1])]
    assert found == [*ALL, *ALL]


def test_bare_line_feeds() -> None:
    data = KEEPALIVE[:-185].replace(b"\r\n", b"\n") + KEEPALIVE[-185:]
    assert StreamFramer().feed(data + REGISTER) == [data, REGISTER]


def test_without_length_there_is_no_body() -> None:
    data = REGISTER.replace(b"Content-Length: 0\r\n", b"")
    assert StreamFramer().feed(data + REGISTER) == [data, REGISTER]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x16\x03\x01\x00\x00" * 10, "no SIP message"),
        (b"$\x00\x00\x20" + bytes(40), "no SIP message"),
        (REGISTER.replace(b"Content-Length: 0", b"Content-Length: 99999999"), "a message of"),
        (REGISTER.replace(b"Content-Length: 0", b"Content-Length: -1"), "no number"),
        (b"OPTIONS sip:a@b SIP/2.0\r\nx: " + b"y" * 20_000, "MAX_HEADER_BYTES"),
        (b"OPTIONS sip:a@b SIP/2.0\r\n" + b"x: y\r\n" * 4000, "MAX_HEADER_BYTES"),
    ],
)
def test_what_cannot_be_delimited_ends_the_stream_once(data: bytes, words: str) -> None:
    framer = StreamFramer()
    *whole, last = framer.feed(REGISTER + data)
    assert whole == [REGISTER]
    assert isinstance(last, Broken)
    assert words in last.reason
    assert framer.feed(REGISTER) == []
    assert framer.pending == 0


@given(st.binary(max_size=200), st.integers(0, 200))
def test_anything_is_bounded(data: bytes, cut: int) -> None:
    framer = StreamFramer(max_message_bytes=2000, max_header_bytes=500)
    framer.feed(data[:cut])
    framer.feed(data[cut:])
    assert framer.pending <= 2000
