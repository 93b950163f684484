"""What may be shown of a transcript, byte by byte."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.profile import Profile
from conformance.report.shown import (
    MAX_PARAM_CHARS,
    MIN_TOKEN_CHARS,
    Look,
    Redactor,
    Span,
    SpanKind,
    plain,
    printable,
    window,
)
from conformance.transcript import Transcript
from conformance.verdicts import Ref, say
from hj212.framing import build_frame
from stationgate.redaction import MASK

HEAD = b"QN=20250915101531002;ST=81;CN=3020;PW=123456;MN=64010000ACCE550000000001;Flag=5;CP=&&"


def recorded(*pieces: bytes, direction: str = "in") -> Transcript:
    transcript = Transcript(epoch=0.0, clock="virtual")
    for index, data in enumerate(pieces):
        transcript.add("bytes", float(index), data=data, link=1, direction=direction)
    return transcript


def redactor(*pieces: bytes, pw: str = "") -> Redactor:
    return Redactor(recorded(*pieces), Profile("p", device={"pw": pw} if pw else {}))


def shown(spans: Sequence[Span]) -> str:
    return "".join(span.text for span in spans)


def show(*pieces: bytes, pw: str = "") -> list[str]:
    """Return every piece as it is shown, each recorded as an entry of its own."""
    known = redactor(*pieces, pw=pw)
    return [shown(known.spans((Ref(seq, 0, len(data)),))) for seq, data in enumerate(pieces)]


def door(area: bytes, head: bytes = HEAD) -> bytes:
    return build_frame(head + area + b"&&")


class TestPasswords:
    @pytest.mark.parametrize(
        ("sent", "seen"),
        [
            (b"CN=1;PW=123456;MN=1", "CN=1;PW=***;MN=1"),
            (b"CN=1;PW=1;MN=1", "CN=1;PW=***;MN=1"),
            (b"CN=1;pw = 123456;MN=1", "CN=1;pw = ***;MN=1"),
            (b"CN=1PW=123456;MN=1", "CN=1PW=***;MN=1"),
            (b"CN=1;PW123456;MN=1", "CN=1;PW***;MN=1"),
            (b"CP=&&NewPW=654321&&", "CP=&&NewPW=***&&"),
            (b"CP=&&PolId=w01018,NewPW=654321;X=1&&", "CP=&&PolId=w01018,NewPW=***;X=1&&"),
            (b"CN=1;PW=12,34&56;MN=1", "CN=1;PW=***;MN=1"),
            (b"CN=1;PW=;MN=1", "CN=1;PW=;MN=1"),
        ],
    )
    def test_value_of_the_field_is_masked(self, sent: bytes, seen: str) -> None:
        assert show(sent) == [seen]

    def test_value_cut_in_two_by_the_network_is_masked_in_both_pieces(self) -> None:
        assert show(b"CN=1;PW=12", b"3456;MN=1") == ["CN=1;PW=***", "***;MN=1"]

    def test_frame_of_two_pieces_shows_one_mask(self) -> None:
        known = redactor(b"CN=1;PW=12", b"3456;MN=1")
        assert shown(known.spans((Ref(0, 0, 10), Ref(1, 0, 9)))) == "CN=1;PW=***;MN=1"

    def test_value_without_end_does_not_swallow_the_next_frame(self) -> None:
        assert show(b"CN=1;PW=123456\r\n##0010QN=1;") == [r"CN=1;PW=***\r\n##0010QN=1;"]

    def test_password_elsewhere_is_masked_as_a_whole_token(self) -> None:
        assert show(b"PW=123456;X=123456;Y=1234567;Z=a123456") == ["PW=***;X=***;Y=1234567;Z=a123456"]

    def test_short_password_is_masked_in_its_field_only(self) -> None:
        assert len("123") < MIN_TOKEN_CHARS
        assert show(b"PW=123;X=123") == ["PW=***;X=123"]

    def test_declared_password_is_masked_though_no_frame_carries_its_field(self) -> None:
        assert show(b"login 735164 ok", pw="735164") == ["login *** ok"]

    def test_what_the_suite_sent_is_masked_too(self) -> None:
        transcript = recorded(b"QN=1;PW=123456;MN=1", direction="out")
        assert shown(Redactor(transcript, Profile("p")).spans((Ref(0, 0, None),))) == "QN=1;PW=***;MN=1"


class TestPeople:
    @pytest.mark.parametrize("code", ["NX000012", "7", "0012", "张三", "A-1_b", "a b", "员工NX000012", "A&B"])
    @pytest.mark.parametrize("suffix", ["-Info", "-Rtd", "-info", ""])
    def test_value_of_the_field_is_renamed_whatever_its_length(self, code: str, suffix: str) -> None:
        assert show(f"i32005{suffix}={code};i32006-Info=1".encode()) == [f"i32005{suffix}=person-1;i32006-Info=1"]

    def test_names_are_stable_and_follow_the_order_of_arrival(self) -> None:
        assert show(b"i32005-Info=B&&", b"i32005-Info=A&&", b"i32005-Info=B&&") == [
            "i32005-Info=person-1&&",
            "i32005-Info=person-2&&",
            "i32005-Info=person-1&&",
        ]

    def test_empty_value_names_nobody(self) -> None:
        assert show(b"i32005-Info=;i32006-Info=1&&") == ["i32005-Info=;i32006-Info=1&&"]

    def test_blanks_around_the_value_stay_to_be_seen(self) -> None:
        assert show(b"i32005-Info= A1 ;x=1") == ["i32005-Info= person-1 ;x=1"]

    def test_data_flag_names_nobody(self) -> None:
        assert show(b"i32005-Rtd=A1,i32005-Flag=N;x=1") == ["i32005-Rtd=person-1,i32005-Flag=N;x=1"]

    @pytest.mark.parametrize("code", ["NX000012", "7", "张三"])
    def test_code_in_the_log_is_renamed(self, code: str) -> None:
        frames = door(f"i32005-Info={code}".encode()), door(f"i31001-Info=//人脸开门{code}，{code}离开//".encode())
        assert "人脸开门person-1，person-1离开" in show(*frames)[1]

    def test_log_before_the_record_is_renamed_as_well(self) -> None:
        log, _record = show(b"i31001-Info=//NX000012//&&", b"i32005-Info=NX000012&&")
        assert log == "i31001-Info=//person-1//&&"

    @pytest.mark.parametrize(
        ("code", "logged"), [("NX000012F", "NX000012"), ("NX000012", "NX000012F"), ("员工AB12", "AB12")]
    )
    def test_log_with_a_part_of_the_code_or_more_than_it_is_renamed(self, code: str, logged: str) -> None:
        frames = f"i32005-Info={code};".encode() + f"i31001-Info=//开门{logged}//".encode()
        assert "开门person-1//" in show(frames)[0]

    @pytest.mark.parametrize(
        ("logged", "seen"),
        [
            ("NX000099", "***"),
            ("A1007", "***"),
            ("12345678", "***"),
            ("20250915", "20250915"),
            ("20250915101530", "20250915101530"),
            ("10:15", "10:15"),
            ("DOOR", "DOOR"),
        ],
    )
    def test_number_in_the_log_that_may_be_somebodys_is_hidden(self, logged: str, seen: str) -> None:
        assert show(f"i32005-Info=X;i31001-Info=//开门{logged}//".encode())[0].endswith(f"开门{seen}//")

    def test_code_behind_a_gbk_character_that_ends_in_a_letter_is_renamed(self) -> None:
        character = bytes([0x81, 0x41])  # its second byte is an A
        frames = b"i32005-Info=12;i31001-Info=//" + character + b"12//&&"
        assert show(frames) == [r"i32005-Info=person-1;i31001-Info=//\x81Aperson-1//&&"]

    def test_code_in_gbk_is_renamed(self) -> None:
        code = "张三".encode("gbk")
        log = "门".encode("gbk")
        seen = show(b"i32005-Info=" + code + b";i31001-Info=//" + log + code + b"//&&")[0]
        assert seen.count("person-1") == 2
        assert r"\xD5\xC5" not in seen

    def test_code_in_another_field_is_renamed_as_a_whole_token(self) -> None:
        assert show(b"i32005-Info=1007;x=1007;y=10070;z=a_1007") == [
            "i32005-Info=person-1;x=person-1;y=10070;z=a_person-1"
        ]

    def test_short_code_in_another_field_is_no_code(self) -> None:
        assert show(b"i32001-Info=1;i32005-Info=1;i32004-Info=1") == [
            "i32001-Info=1;i32005-Info=person-1;i32004-Info=1"
        ]

    def test_header_fields_and_check_value_are_nobody(self) -> None:
        frame = b"##0100QN=A1B2;ST=A1B2;CN=A1B2;MN=A1B2;Flag=A1B2;CP=&&i32005-Info=A1B2&&A1B2\r\n"
        assert show(frame) == [r"##0100QN=A1B2;ST=A1B2;CN=A1B2;MN=A1B2;Flag=A1B2;CP=&&i32005-Info=person-1&&A1B2\r\n"]

    def test_many_people(self) -> None:
        pieces = [f"i32005-Info=NX{n:06};".encode() for n in range(3000)]
        assert show(*pieces)[-1] == "i32005-Info=person-3000;"


class TestLooks:
    @pytest.mark.parametrize(
        ("data", "seen", "kind"),
        [
            (b"\r", r"\r", SpanKind.CONTROL),
            (b"\n", r"\n", SpanKind.CONTROL),
            (b"\t", r"\t", SpanKind.CONTROL),
            (b"\x00", r"\x00", SpanKind.CONTROL),
            (b"\x7f", r"\x7F", SpanKind.CONTROL),
            (b"\xff", r"\xFF", SpanKind.BYTE),
            ("\u202e".encode(), r"\u202E", SpanKind.CONTROL),
            ("\u0085".encode(), r"\u0085", SpanKind.CONTROL),
            ("\U000e0001".encode(), r"\U000E0001", SpanKind.CONTROL),
            (b"\\", r"\\", SpanKind.TEXT),
            ("门".encode(), "门", SpanKind.TEXT),
            ("😀".encode(), "😀", SpanKind.TEXT),
        ],
    )
    def test_everything_is_visible_and_unambiguous(self, data: bytes, seen: str, kind: SpanKind) -> None:
        assert plain(data) == (Span(kind, seen, False, 0, len(data)),)

    def test_characters_that_a_charset_lacks_are_written_out(self) -> None:
        assert shown(plain("门😀é".encode(), look=Look("gbk"))) == r"门\U0001F600é"
        assert shown(plain("门".encode(), look=Look("ascii"))) == r"\u95E8"

    def test_printable_keeps_a_backslash(self) -> None:
        assert printable("a\\b\r\n\u202e") == "a\\b\\r\\n\\u202E"


PIECES = st.sampled_from(
    [
        b"PW=123456",
        b";",
        b",",
        b"&&",
        b"i32005-Info=NX000012",
        b"i31001-Info=//",
        b"//",
        b"NX000012",
        b"\r\n",
        b"##0010",
    ]
)
BYTES = st.lists(st.one_of(PIECES, st.binary(max_size=6), st.text(max_size=4).map(str.encode)), max_size=14)


class TestMarks:
    @given(BYTES, st.data())
    def test_spans_tile_the_bytes_and_are_marked_exactly_where_a_mark_touches_them(
        self, parts: list[bytes], data: st.DataObject
    ) -> None:
        sent = b"".join(parts)
        ranges = st.tuples(st.integers(0, len(sent)), st.integers(0, len(sent))).map(lambda p: (min(p), max(p)))
        marks = data.draw(st.lists(ranges, max_size=3))
        spans = redactor(sent).spans((Ref(0, 0, len(sent)),), marks)
        assert [span.start for span in spans] == [0, *(span.end for span in spans)][: len(spans)]
        assert (spans[-1].end if spans else 0) == len(sent)
        for span in spans:
            assert span.start < span.end
            assert span.marked == any(low < high and low < span.end and span.start < high for low, high in marks)

    @given(st.binary(min_size=1, max_size=8), st.integers(0, 40))
    def test_mark_behind_masks_of_any_length_stays_on_its_bytes(self, tail: bytes, size: int) -> None:
        sent = b"CN=1;PW=" + b"9" * size + b";i32005-Info=" + b"8" * size + b";X=" + tail
        at = len(sent) - len(tail)
        spans = redactor(sent).spans((Ref(0, 0, len(sent)),), [(at, len(sent))])
        assert all(span.start >= at for span in spans if span.marked)
        assert {span.start for span in spans if span.marked} >= {at}

    def test_mark_inside_a_mask_marks_all_of_it(self) -> None:
        spans = redactor(b"PW=123456;").spans((Ref(0, 0, 10),), [(4, 5)])
        assert [(span.text, span.marked) for span in spans] == [("PW=", False), (MASK, True), (";", False)]

    def test_mark_inside_a_character_marks_the_character(self) -> None:
        assert [(s.text, s.marked) for s in plain("a门b".encode(), [(2, 3)])] == [
            ("a", False),
            ("门", True),
            ("b", False),
        ]

    @given(BYTES)
    def test_splitting_into_entries_hides_as_much(self, parts: list[bytes]) -> None:
        whole = b"".join(parts)
        pieces = [part for part in parts if part]
        together = shown(redactor(whole).spans((Ref(0, 0, len(whole)),))) if whole else ""
        known = redactor(*pieces)
        apart = shown(known.spans([Ref(seq, 0, len(piece)) for seq, piece in enumerate(pieces)]))
        assert apart == together


class TestText:
    def test_numbers_are_the_suites_own(self) -> None:
        known = redactor(b"i32005-Info=1024;PW=100000;")
        assert known.said(say("segment of {size} bytes, {count}", size=1024, count=100000)) == (
            "segment of 1024 bytes, 100000"
        )

    def test_texts_may_be_the_devices(self) -> None:
        known = redactor(b"i32005-Info=NX000012;PW=123456;")
        said = say("failed: {error}", error="ValueError: 'NX000012' PW=123456; 123456")
        assert known.said(said) == "failed: ValueError: 'person-1' PW=***; ***"

    def test_sentences_inside_sentences(self) -> None:
        known = redactor(b"i32005-Info=NX000012;")
        inner = say("code {code}", code="NX000012")
        assert known.said(say("{what} ({count} times)", what=inner, count=2)) == "code person-1 (2 times)"

    @pytest.mark.parametrize(
        ("msgid", "value", "seen"),
        [
            ("PW={x}", "42", "PW=***"),
            ("i32005={x}", "7", "i32005=person-1"),
            ("i32005-Info={x}", "8", "i32005-Info=***"),
            ("i32005={x}", "NX000012", "i32005=person-2"),
            ("got {x}", "i32005-Info=unknown9", "got i32005-Info=***"),
            ("got {x}", ["7", "NX000012"], "got ['7', 'person-2']"),
            ("i32001={x}", "7", "i32001=7"),
            ("{x} a", "a\r\n\x1b[31m", r"a\r\n\x1B[31m a"),
            ("{x}", "\ud800\udcff", "\ufffd\\xFF"),
        ],
    )
    def test_parameters(self, msgid: str, value: object, seen: str) -> None:
        known = redactor(b"i32005-Info=7;i32005-Info=NX000012;PW=42;")
        assert known.said(say(msgid, x=value)) == seen

    def test_long_texts_are_cut(self) -> None:
        text = redactor(b"").text("x" * 10_000)
        assert len(text) == MAX_PARAM_CHARS + 3
        assert text.endswith("...")

    @given(st.text())
    def test_any_text_is_shown(self, text: str) -> None:
        assert redactor(b"i32005-Info=NX000012;").text(text).isprintable()


class TestWindow:
    def test_short_frame_stays_whole(self) -> None:
        spans = plain(b"abc", [(1, 2)])
        assert window(spans, 3, 1) == spans

    def test_gaps_and_kept_spans_tile_the_bytes(self) -> None:
        data = bytes(range(32, 127)) * 20
        spans = window(plain(data, [(1000, 1004)]), 200, 20)
        assert [span.start for span in spans] == [0, *(span.end for span in spans[:-1])]
        assert spans[-1].end == len(data)
        assert [span.kind for span in spans].count(SpanKind.GAP) == 2
        assert sum(s.end - s.start for s in spans if s.kind is not SpanKind.GAP) == 20 + 44
        assert [(s.start, s.end) for s in spans if s.marked] == [(1000, 1004)]

    def test_frame_marked_as_a_whole_keeps_its_beginning(self) -> None:
        spans = window(plain(b"x" * 5000, [(0, 5000)]), 300, 40)
        assert [(s.kind, s.start, s.end) for s in spans] == [(SpanKind.TEXT, 0, 300), (SpanKind.GAP, 300, 5000)]

    def test_nothing(self) -> None:
        assert window((), 10, 5) == ()
