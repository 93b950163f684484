"""The public strategies: what they call valid is, what they call damaged is seen, and dialogues are dialogues."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, Phase, assume, find, given, settings
from hypothesis import strategies as st

from hj212 import (
    HJ_212_2017,
    HJ_212_2025,
    HJ_T_212_2005,
    RULES,
    Connection,
    Framer,
    Message,
    Role,
    Rules,
    build_frame,
    format_segment,
    parse_segment,
)
from hj212.codes import CommandKind
from hj212.deviations import deviation_rows
from hj212.encryption import Key, open_frame
from hj212.events import (
    AnswerUnexpected,
    ExecutionTimedOut,
    FrameRejected,
    MessageReceived,
    NoiseReceived,
    NoticeAnswered,
    RequestCompleted,
    RequestRefused,
    UploadAcknowledged,
)
from hj212.explain import examine
from hj212.framing import Frame
from hj212.strategies import (
    DAMAGES,
    Damaged,
    Dialogue,
    Encrypted,
    Stream,
    damaged_frames,
    dialogues,
    encrypted_frames,
    factors,
    frames,
    logs,
    messages,
    noise,
    passwords,
    qns,
    segments,
    stations,
    streams,
    times,
)
from hj212.times import parse_qn, parse_time

editions = pytest.mark.parametrize("rules", RULES.values(), ids=lambda rules: rules.edition)
few = settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)

# Any example will do, the smallest or not.
first = settings(few, max_examples=3000, phases=[Phase.generate], database=None)


def only_frame(raw: bytes) -> Frame:
    framer = Framer()
    (frame,) = [*framer.feed(raw), *framer.finish()]
    assert isinstance(frame, Frame)
    return frame


@editions
class TestValid:
    @few
    @given(data=st.data())
    def test_frames_have_no_deviation(self, rules: Rules, data: st.DataObject) -> None:
        frame = only_frame(data.draw(frames(rules)))
        assert frame.intact
        codes = [deviation.code for deviation in examine(frame, rules)]
        if not Message.from_bytes(frame.segment).mn and rules.mn_empty_for:
            codes = [code for code in codes if code != "mn-shape"]
        assert codes == []

    @few
    @given(data=st.data())
    def test_segments_round_trip_and_keep_the_limits(self, rules: Rules, data: st.DataObject) -> None:
        segment = data.draw(segments(rules))
        assert format_segment(parse_segment(segment)) == segment
        assert Message.from_bytes(segment).encode(rules) == build_frame(segment)

    @few
    @given(data=st.data())
    def test_messages_are_of_the_edition(self, rules: Rules, data: st.DataObject) -> None:
        message = data.draw(messages(rules))
        assert message.edition == rules.edition
        assert message.pnum is None or message.pnum <= rules.max_packets

    @few
    @given(data=st.data())
    def test_one_command_in_one_direction(self, rules: Rules, data: st.DataObject) -> None:
        message = data.draw(messages(rules, cn="2051", upward=True))
        assert message.cn == "2051"
        assert parse_time(message.parameter("DataTime") or "").year >= 2020

    def test_a_command_that_no_edition_has(self, rules: Rules) -> None:
        with pytest.raises(ValueError, match="no command 9999"):
            find(messages(rules, cn="9999"), lambda _: True)

    def test_the_smallest_upload_is_small(self, rules: Rules) -> None:
        smallest = find(messages(rules, cn="2011", upward=True), lambda _: True)
        assert smallest.parameter("DataTime") == "20200101000000"
        assert len(smallest.items) == 1


class TestValues:
    @given(times(), qns())
    def test_times_are_of_the_calendar(self, time: str, qn: str) -> None:
        assert parse_time(time).year >= 2020
        assert parse_qn(qn).year >= 2020

    @given(logs())
    def test_logs_are_chinese_text_between_slashes(self, log: str) -> None:
        segment = parse_segment(f"ST=32;CP=&&DataTime=20200101000000;i11001-Info={log};x=1&&".encode())
        assert segment.items[1:] == [[["i11001-Info", log]], [["x", "1"]]]

    @editions
    @given(data=st.data())
    def test_identities_and_passwords(self, rules: Rules, data: st.DataObject) -> None:
        assert data.draw(stations(rules)).isalnum()
        assert len(data.draw(passwords(rules))) == rules.max_password_chars

    @editions
    @given(data=st.data())
    def test_factors_are_of_the_edition(self, rules: Rules, data: st.DataObject) -> None:
        assert re.fullmatch(rules.factor_pattern, data.draw(factors(rules)))


@editions
class TestDamaged:
    @settings(few, max_examples=60)
    @given(data=st.data())
    def test_none_that_is_broken_is_taken_for_whole(self, rules: Rules, data: st.DataObject) -> None:
        damaged: Damaged = data.draw(damaged_frames(rules, usable=False))
        assert damaged.raw != damaged.whole
        framer = Framer()
        found = [*framer.feed(damaged.raw), *framer.finish()]
        assert b"".join(item.raw for item in found) == damaged.raw
        taken = [item for item in found if isinstance(item, Frame) and item.usable]
        assert taken == []

    @settings(few, max_examples=60)
    @given(data=st.data())
    def test_those_that_are_readable_are_read_and_told_by_name(self, rules: Rules, data: st.DataObject) -> None:
        damaged: Damaged = data.draw(damaged_frames(rules, usable=True))
        frame = only_frame(damaged.raw)
        assert frame.usable
        assert damaged.damage in {deviation.code for deviation in examine(frame, rules)}

    @settings(few, max_examples=60)
    @given(data=st.data())
    def test_a_mistake_in_length_or_check_value_is_told(self, rules: Rules, data: st.DataObject) -> None:
        damaged: Damaged = data.draw(damaged_frames(rules, usable=False))
        framer = Framer()
        found = [*framer.feed(damaged.raw), *framer.finish()]
        assume(len(found) == 1 and isinstance(found[0], Frame))
        (frame,) = found
        assert isinstance(frame, Frame)
        assert examine(frame, rules) != []

    @pytest.mark.parametrize("name", DAMAGES)
    def test_every_damage_can_be_drawn(self, rules: Rules, name: str) -> None:
        if name == "field-order" and not rules.header_order_fixed:
            pytest.skip("the edition leaves the order open")
        if name == "length-characters" and not re.fullmatch(rules.factor_pattern, "i11001"):
            pytest.skip("the edition has no logs, hence no Chinese text")
        found = find(damaged_frames(rules, damage=name), lambda _: True, settings=first)
        assert found.damage == name
        assert found.raw != found.whole

    def test_what_a_line_does_has_no_deviation_code(self, rules: Rules) -> None:
        assert DAMAGES.keys() - deviation_rows().keys() == {"byte-changed", "byte-lost", "bytes-swapped"}, rules.title


@editions
class TestStreams:
    @few
    @given(data=st.data())
    def test_the_whole_frames_are_found_however_the_stream_is_cut(self, rules: Rules, data: st.DataObject) -> None:
        stream: Stream = data.draw(streams(rules))
        assert bytes(stream) == b"".join(stream.pieces)
        framer = Framer()
        found = [item for chunk in stream.chunks for item in framer.feed(chunk)] + framer.finish()
        taken = iter([item.raw for item in found if isinstance(item, Frame) and item.intact])
        assert all(raw in taken for raw in stream.frames)  # in order; there may be more


@given(noise())
def test_noise_starts_no_frame(raw: bytes) -> None:
    framer = Framer()
    assert not any(isinstance(item, Frame) for item in [*framer.feed(raw), *framer.finish()])


ENDINGS = (RequestCompleted, RequestRefused, UploadAcknowledged, NoticeAnswered)


@editions
class TestDialogues:
    @few
    @given(data=st.data())
    def test_two_connections_hold_them(self, rules: Rules, data: st.DataObject) -> None:
        dialogue: Dialogue = data.draw(dialogues(rules))
        sides = {up: Connection(Role.STATION if up else Role.PLATFORM, rules, automatic=False) for up in (True, False)}
        heard = []
        for turn in dialogue.turns:
            speaker, listener = sides[turn.upward], sides[not turn.upward]
            speaker.send(turn.message, 0.0)
            listener.receive_data(speaker.data_to_send(), 0.0)
            heard += listener.events()
        assert not any(
            isinstance(e, (AnswerUnexpected, FrameRejected, NoiseReceived, ExecutionTimedOut)) for e in heard
        )
        assert all(side.outstanding == 0 for side in sides.values())
        said = [turn.message for turn in dialogue.turns if turn.kind is not CommandKind.INTERACTION]
        received = [event for event in heard if isinstance(event, MessageReceived)]
        assert [bytes(event.message) for event in received] == [bytes(message) for message in said]
        assert all(event.kind is not None for event in received)
        begun = {message.qn for message in said}
        assert len([event for event in heard if isinstance(event, ENDINGS)]) == len(begun)

    @few
    @given(data=st.data())
    def test_every_station_says_something(self, rules: Rules, data: st.DataObject) -> None:
        dialogue: Dialogue = data.draw(dialogues(rules))
        named = {turn.message.mn for turn in dialogue.turns} - {""}
        assert named == set(dialogue.stations)


def test_without_hypothesis_the_error_names_what_to_install() -> None:
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "try:\n    import hj212.strategies\n"
        "except ImportError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert "pip install 'stationgate[strategies]'" in done.stdout


class TestEncrypted:
    @few
    @given(encrypted_frames(HJ_212_2025))
    def test_opened_by_its_key_alone(self, encrypted: Encrypted) -> None:
        frame = only_frame(encrypted.raw)
        opened = open_frame(frame, [Key(b"another key, 16 "), encrypted.key])
        assert opened is not None
        assert opened.segment == encrypted.segment
        # An area shorter than a block stays in clear.
        assert (opened.key is None) == (frame.segment == encrypted.segment)

    @pytest.mark.parametrize("rules", [HJ_T_212_2005, HJ_212_2017], ids=lambda rules: rules.title)
    def test_editions_that_encrypt_nothing_say_so(self, rules: Rules) -> None:
        with pytest.raises(ValueError, match="encrypts nothing"):
            find(encrypted_frames(rules), lambda _: True)


@pytest.mark.parametrize("wanted", [True, False])
def test_back_filled_or_not(wanted: bool) -> None:
    found = find(
        messages(HJ_212_2025, cn="2051", upward=True), lambda message: message.back_filled is wanted, settings=first
    )
    assert found.cn == "2051"


def test_a_parameter_that_may_be_there() -> None:
    found = find(
        messages(HJ_212_2025, cn="2011", upward=False), lambda m: m.parameter("EndTime") is not None, settings=first
    )
    assert found.parameter("BeginTime") is not None
