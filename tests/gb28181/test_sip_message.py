"""SIP messages: what peers send is read, what we write is exact, and damage is one kind of error."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gb28181 import LocalProtocolError, SipError
from gb28181.sip import Headers, Request, Response, Uri, parse_message, respond

from .examples import ALL, DEVICE, DOMAIN, KEEPALIVE, PLATFORM, REGISTER, UNAUTHORIZED

tokens = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.", min_size=1, max_size=20)
values = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=60).map(str.strip)


def codes(message: Request | Response) -> list[str]:
    return [deviation.code for deviation in message.deviations]


@pytest.mark.parametrize("data", ALL)
def test_example_is_written_as_it_was_read(data: bytes) -> None:
    message = parse_message(data)
    assert bytes(message) == data
    assert message.deviations == []


def test_fields_of_a_registration() -> None:
    message = parse_message(REGISTER)
    assert isinstance(message, Request)
    assert (message.method, str(message.uri)) == ("REGISTER", f"sip:{PLATFORM}@{DOMAIN}")
    assert (message.via.transport, message.via.host, message.via.port) == ("UDP", "192.0.2.50", 5060)
    assert (message.via.branch, message.via.rport, message.via.received) == ("z9hG4bKr1", 0, "")
    assert (message.from_.uri.user, message.from_.tag) == (DEVICE, "d1001")
    assert (message.to.uri.user, message.to.tag) == (DEVICE, "")
    assert (message.call_id, message.cseq.number, message.cseq.method) == ("reg-1@192.0.2.50", 1, "REGISTER")
    assert message.contact is not None
    assert (message.contact.uri.host, message.contact.uri.port) == ("192.0.2.50", 5060)
    assert (message.expires, message.max_forwards, message.gb_version) == (3600, 70, "3.0")
    assert (message.content_type, message.event, message.subject) == ("", "", "")


def test_a_response_repeats_what_it_must() -> None:
    request = parse_message(REGISTER)
    assert isinstance(request, Request)
    answer = respond(
        request,
        401,
        to_tag="p2001",
        source=("192.0.2.50", 5060),
        headers=[
            ("X-GB-Ver", "3.0"),
            ("WWW-Authenticate", 'Digest realm="3402000000",nonce="6fe9ba44a76be22a",algorithm=MD5'),
        ],
    )
    expected = parse_message(UNAUTHORIZED)
    assert dict(answer.headers) | {"Via": ""} == {
        name: value for name, value in expected.headers if name != "Content-Length"
    } | {"Via": ""}
    assert (answer.via.rport, answer.via.received, answer.via.branch) == (5060, "192.0.2.50", "z9hG4bKr1")


class TestTolerance:
    def test_short_names_blanks_and_any_case(self) -> None:
        message = parse_message(
            b"message sip:a@b SIP/2.0\r\nv : SIP/2.0/udp 1.2.3.4 ; branch=z9hG4bK1;rport\r\n"
            b'F: "\xe9\x97\xa8 \\"1\\"" <sip:d@b>;tag=1'
            b"\r\nt: sip:a@b;tag=2\r\nI:x\r\ncseq:  1   Message\r\nl: 0\r\nx-gb-VER: 2.0\r\n\r\n"
        )
        assert isinstance(message, Request)
        assert codes(message) == ["method-case"]
        assert (message.method, message.cseq.method, message.call_id) == ("MESSAGE", "MESSAGE", "x")
        assert (message.via.transport, message.via.host, message.via.rport) == ("UDP", "1.2.3.4", 0)
        assert (message.from_.display, message.from_.tag) == ('门 "1"', "1")
        assert (message.to.tag, message.gb_version) == ("2", "2.0")

    def test_bare_line_feeds_and_folded_lines(self) -> None:
        message = parse_message(b"OPTIONS sip:a@b SIP/2.0\nSubject: one,\n  two\nCall-ID: x\n\nbody")
        assert (message.subject, message.call_id, message.body) == ("one, two", "x", b"body")
        assert codes(message) == ["line-ends"]

    @pytest.mark.parametrize(("stated", "body"), [(b"0", KEEPALIVE[-185:]), (b"400", b"<x/>"), (b"x", b"<x/>")])
    def test_a_datagram_is_as_long_as_it_is(self, stated: bytes, body: bytes) -> None:
        data = KEEPALIVE[:-185].replace(b"Content-Length: 185", b"Content-Length: " + stated) + body
        message = parse_message(data)
        assert message.body == body
        assert codes(message) == ["content-length" if stated.isdigit() else "content-length-digits"]
        assert f"Content-Length: {len(body)}\r\n".encode() in bytes(message)

    def test_filling_behind_the_body_is_dropped(self) -> None:
        assert parse_message(KEEPALIVE + b"\x00\x00").body == KEEPALIVE[-185:]

    def test_a_line_without_colon_is_kept(self) -> None:
        message = parse_message(REGISTER.replace(b"Max-Forwards: 70\r\n", b"nonsense here\r\n"))
        assert codes(message) == ["header-line"]
        assert b"\r\nnonsense here\r\n" in bytes(message)

    def test_bytes_that_are_no_utf8_survive(self) -> None:
        data = REGISTER.replace(b"SimCam", b"\xc9\xe3\xcf\xf1")
        assert bytes(parse_message(data)) == data

    def test_two_tags_mean_the_first(self) -> None:
        assert parse_message(REGISTER.replace(b";tag=d1001", b";tag=1;tag=2")).from_.tag == "1"

    def test_several_values_in_one_line(self) -> None:
        headers = Headers([("Via", "SIP/2.0/UDP a;branch=1, SIP/2.0/UDP b"), ("v", "SIP/2.0/UDP c")])
        assert [value.split()[1][0] for value in headers.all("Via")] == ["a", "b", "c"]
        contacts = Headers([("Contact", '"x, y" <sip:a@b;x=1,2>, <sip:c@d>')])
        assert contacts.all("m") == ['"x, y" <sip:a@b;x=1,2>', "<sip:c@d>"]

    def test_ipv6(self) -> None:
        uri = Uri.parse("sip:34020000002000000001@[2001:db8::1]:5060;transport=tcp")
        assert (uri.host, uri.port, uri.param("transport")) == ("[2001:db8::1]", 5060, "tcp")
        assert str(uri) == "sip:34020000002000000001@[2001:db8::1]:5060;transport=tcp"


class TestRefusal:
    @pytest.mark.parametrize(
        ("data", "words", "status"),
        [
            (b"", "empty", 400),
            (b"\r\n\r\n", "empty", 400),
            (b"GET / HTTP/1.1\r\n\r\n", "expected a request", 400),
            (b"REGISTER sip:a@b SIP/3.0\r\n\r\n", "SIP/3.0", 505),
            (b"REGISTER a SIP/2.0\r\n\r\n", "Request-URI", 400),
            (b"SIP/2.0 999 x\r\n\r\n", "status line", 400),
            (b"OPTIONS sip:a@b SIP/2.0\r\n" + b"x: y\r\n" * 300 + b"\r\n", "MAX_HEADERS", 413),
            (b"OPTIONS sip:a@b SIP/2.0\r\nx: " + b"y" * 1_000_000 + b"\r\n\r\n", "MAX_HEADER_BYTES", 413),
        ],
    )
    def test_what_is_no_message(self, data: bytes, words: str, status: int) -> None:
        with pytest.raises(SipError, match=words) as caught:
            parse_message(data)
        assert caught.value.status == status

    @pytest.mark.parametrize(
        ("line", "name", "field"),
        [
            ("CSeq: 4294967296 REGISTER", "cseq", "CSeq"),
            ("CSeq: REGISTER", "cseq", "CSeq"),
            ("Via: UDP 1.2.3.4", "via", "Via"),
            ("Via: SIP/2.0/UDP 1.2.3.4:99999", "via", "Via"),
            ("From: nobody", "from_", "From"),
            ("Expires: soon", "expires", "Expires"),
            ("Contact: <>", "contact", "Contact"),
        ],
    )
    def test_a_broken_header_concerns_only_who_needs_it(self, line: str, name: str, field: str) -> None:
        header = line.split(":", 1)[0]
        lines = [old for old in REGISTER.decode().split("\r\n") if not old.startswith(header + ":")]
        message = parse_message("\r\n".join([lines[0], line, *lines[1:]]).encode())
        assert message.call_id == "reg-1@192.0.2.50"
        with pytest.raises(SipError) as caught:
            getattr(message, name)
        assert caught.value.field == field

    def test_a_missing_header_is_named(self) -> None:
        with pytest.raises(SipError, match="Call-ID is missing"):
            _ = parse_message(b"OPTIONS sip:a@b SIP/2.0\r\n\r\n").call_id

    @pytest.mark.parametrize("value", ["a\r\nEvil: 1", "a\n", "\x00"])
    def test_no_value_ends_its_line(self, value: str) -> None:
        headers = Headers()
        with pytest.raises(LocalProtocolError):
            headers.add("Subject", value)
        with pytest.raises(LocalProtocolError):
            headers.set("Subject", value)
        with pytest.raises(LocalProtocolError):
            headers.add("Sub ject:", "x")

    def test_secrets_stay_out_of_repr(self) -> None:
        data = REGISTER.replace(b"Max-Forwards: 70", b'Authorization: Digest username="u",response="s3cr3t"')
        assert "s3cr3t" not in repr(parse_message(data)) + repr(parse_message(data).headers)


class TestHeaders:
    def test_set_keeps_the_place_and_removes_the_others(self) -> None:
        headers = Headers([("a", "1"), ("B", "2"), ("A", "3")])
        headers.set("A", "4")
        assert list(headers) == [("a", "4"), ("B", "2")]
        headers.set("c", "5")
        headers.remove("b")
        assert list(headers) == [("a", "4"), ("c", "5")]
        assert ("b" in headers, "C" in headers) == (False, True)

    def test_a_copy_is_its_own(self) -> None:
        headers = Headers([("a", "1")])
        copy = headers.copy()
        copy.add("b", "2")
        assert list(headers) == [("a", "1")]


@given(
    method=st.sampled_from(["MESSAGE", "INFO"]), pairs=st.lists(st.tuples(tokens, values)), body=st.binary(max_size=99)
)
def test_built_read_and_built_again_is_the_same(method: str, pairs: list[tuple[str, str]], body: bytes) -> None:
    request = Request(method, Uri(DEVICE, DOMAIN), Headers(pairs), body)
    data = bytes(request)
    again = parse_message(data)
    assert isinstance(again, Request)
    assert (again.method, again.uri, again.body) == (method, request.uri, body)
    others = [(name, value) for name, value in again.headers if name != "Content-Length"]
    assert others == [(name, value) for name, value in pairs if name.lower() not in ("content-length", "l")]
    assert bytes(again) == data


@given(st.sampled_from(ALL), st.integers(0, 2**32), st.integers(1, 12))
def test_damage_raises_the_documented_error_only(data: bytes, seed: int, times: int) -> None:
    chance = random.Random(seed)
    damaged = bytearray(data)
    for _ in range(times):
        at = chance.randrange(len(damaged) + 1)
        match chance.randrange(4):
            case 0:
                damaged[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del damaged[at : at + chance.randrange(20)]
            case 2:
                damaged[at:at] = chance.choice([b"\r\n", b":", b";", b"<", b'"', b",", b"\x00", b"@", b" "])
            case _:
                damaged[at:at] = damaged[at : at + 30]
    try:
        message = parse_message(bytes(damaged))
    except SipError:
        return
    for name in ("via", "from_", "to", "call_id", "cseq", "contact", "expires", "max_forwards", "event", "subject"):
        try:
            getattr(message, name)
        except SipError:
            continue
    assert parse_message(bytes(message)).body == message.body
