"""The link in virtual time: the flows of HJ 212-2017 6.6, what breaks them, and what a peer cannot make it do."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterable, Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hj212 import (
    HJ_212_2017,
    CommandKind,
    Connection,
    ExeRtn,
    LimitError,
    LocalProtocolError,
    Message,
    QnRtn,
    Role,
    build_frame,
    compose,
)
from hj212.connection import MAX_OUTSTANDING, MAX_UNSENT_BYTES, REMEMBERED, STALL_S
from hj212.events import (
    AnswerUnexpected,
    Event,
    ExecutionTimedOut,
    FrameRejected,
    MessageReceived,
    NoiseReceived,
    NoticeAnswered,
    RequestAccepted,
    RequestCompleted,
    RequestRefused,
    SendTimedOut,
    UploadAcknowledged,
)
from hj212.framing import MAX_FRAME_BYTES, Frame, Framer
from hj212.messages import acknowledgement, request_answer, request_result

PW = "s3cret"
MN = "010000A8900016F000169DC0"
QN = "20160801085857223"


def message(cn: str, *, qn: str = QN, st: str = "32", answer: bool = True, **parameters: str) -> Message:
    items = [[pair] for pair in parameters.items()]
    return compose(HJ_212_2017, qn=qn, st=st, cn=cn, pw=PW, mn=MN, items=items, answer=answer)


def frame(content: Message) -> bytes:
    return content.encode(HJ_212_2017)


def sent(connection: Connection) -> list[tuple[str, str, int | None]]:
    """Take what waits to be written: command, ST and Flag of each frame."""
    framer = Framer()
    found = framer.feed(connection.data_to_send())
    assert framer.pending == 0
    messages = [Message.from_bytes(item.segment) for item in found if isinstance(item, Frame) and item.intact]
    assert len(messages) == len(found)
    return [(m.cn, m.st, m.flag) for m in messages]


def kinds(connection: Connection) -> list[type[Event]]:
    return [type(event) for event in connection.events()]


@pytest.fixture
def platform() -> Connection:
    return Connection(Role.PLATFORM, HJ_212_2017)


@pytest.fixture
def station() -> Connection:
    return Connection(Role.STATION, HJ_212_2017)


def exchange(*connections: Connection, now: float = 0.0) -> None:
    """Carry bytes between two connections until neither has any left."""
    first, second = connections
    for _ in range(20):
        forth, back = first.data_to_send(), second.data_to_send()
        if not forth and not back:
            return
        second.receive_data(forth, now)
        first.receive_data(back, now)
    raise AssertionError("the two answer each other for ever")


class TestRequest:
    """6.6: request, 9011, data, 9012."""

    def test_accepted_and_completed(self, platform: Connection) -> None:
        request = message("1062", RtdInterval="30")
        platform.send(request, 0.0)
        assert sent(platform) == [("1062", "32", 5)]
        platform.receive_data(frame(request_answer(request, HJ_212_2017)), 0.1)
        assert platform.events() == [RequestAccepted(request)]
        platform.receive_data(frame(request_result(request, HJ_212_2017)), 0.2)
        assert platform.events() == [RequestCompleted(request, ExeRtn.SUCCESS)]
        assert (platform.outstanding, platform.next_timeout(), sent(platform)) == (0, None, [])

    @pytest.mark.parametrize("code", [QnRtn.REFUSED, QnRtn.PW_WRONG, QnRtn.UNKNOWN])
    def test_refused(self, platform: Connection, code: QnRtn) -> None:
        request = message("2011")
        platform.send(request, 0.0)
        platform.receive_data(frame(request_answer(request, HJ_212_2017, code)), 0.1)
        assert platform.events() == [RequestRefused(request, code)]
        assert platform.outstanding == 0

    @pytest.mark.parametrize(("value", "code"), [("77", 77), ("", None), ("x", None), ("99999", None), ("-1", None)])
    def test_refused_with_any_code(self, platform: Connection, value: str, code: int | None) -> None:
        request = message("2011")
        platform.send(request, 0.0)
        platform.receive_data(frame(message("9011", answer=False, QnRtn=value)), 0.1)
        assert platform.events() == [RequestRefused(request, code)]

    def test_result_without_an_answer_is_taken(self, platform: Connection) -> None:
        request = message("1012", SystemTime="20160801085857")
        platform.send(request, 0.0)
        platform.receive_data(frame(request_result(request, HJ_212_2017, ExeRtn.FAILED)), 0.1)
        assert platform.events() == [RequestCompleted(request, ExeRtn.FAILED)]

    def test_station_answers_when_told(self, station: Connection) -> None:
        request = message("1062", RtdInterval="30")
        station.receive_data(frame(request), 0.0)
        (event,) = station.events()
        assert isinstance(event, MessageReceived)
        assert (event.kind, event.repeated, bytes(event.message)) == (CommandKind.REQUEST, False, bytes(request))
        assert sent(station) == []
        station.answer(event.message)
        station.complete(event.message, ExeRtn.NO_DATA)
        assert sent(station) == [("9011", "91", 4), ("9012", "91", 4)]

    def test_answer_carries_the_request_id(self, platform: Connection) -> None:
        """Two requests wait; each answer finds its own by QN."""
        first, second = message("1061", qn="20160801085857001"), message("1063", qn="20160801085857002")
        platform.send(first, 0.0)
        platform.send(second, 0.0)
        platform.receive_data(frame(request_answer(second, HJ_212_2017)), 0.1)
        platform.receive_data(frame(request_answer(first, HJ_212_2017)), 0.1)
        assert platform.events() == [RequestAccepted(second), RequestAccepted(first)]


class TestUpload:
    """6.6: data, 9014 where Flag asks for it."""

    @pytest.mark.parametrize("answer", [True, False])
    def test_platform_acknowledges_what_asks_for_it(self, platform: Connection, answer: bool) -> None:
        platform.receive_data(frame(message("2011", answer=answer, DataTime="20160801085857")), 0.0)
        (event,) = platform.events()
        assert isinstance(event, MessageReceived)
        assert event.kind is CommandKind.UPLOAD
        assert sent(platform) == ([("9014", "91", 4)] if answer else [])

    def test_unknown_command_is_acknowledged_too(self, platform: Connection) -> None:
        platform.receive_data(frame(message("9021")), 0.0)
        (event,) = platform.events()
        assert isinstance(event, MessageReceived)
        assert event.kind is None
        assert sent(platform) == [("9014", "91", 4)]

    def test_acknowledgement_ends_the_wait(self, station: Connection) -> None:
        upload = message("3020", DataTime="20160801085857")
        station.send(upload, 0.0)
        assert station.outstanding == 1
        station.receive_data(frame(acknowledgement(upload, HJ_212_2017)), 0.1)
        assert station.events() == [UploadAcknowledged(upload)]
        assert station.outstanding == 0

    def test_acknowledgement_in_the_style_of_some_platforms_counts(self, station: Connection) -> None:
        """Seen in logs: the upload's ST and Flag=5 in a 9014."""
        upload = message("2011", st="21")
        station.send(upload, 0.0)
        station.receive_data(frame(message("9014", st="21", answer=True)), 0.1)
        assert station.events() == [UploadAcknowledged(upload)]

    def test_upload_that_asks_for_nothing_awaits_nothing(self, station: Connection) -> None:
        station.send(message("2011", answer=False), 0.0)
        assert (station.outstanding, station.next_timeout()) == (0, None)

    def test_data_that_answers_a_request_restarts_the_execution_timeout(self, platform: Connection) -> None:
        request = message("2051", BeginTime="20160801000000", EndTime="20160801010000")
        platform.send(request, 0.0)
        platform.receive_data(frame(request_answer(request, HJ_212_2017)), 1.0)
        platform.receive_data(frame(message("2051", answer=False, DataTime="20160801000000")), 8.0)
        assert platform.next_timeout() == 18.0
        platform.handle_timeout(12.0)
        assert ExecutionTimedOut not in kinds(platform)


class TestNotice:
    """6.6: notice, 9013."""

    def test_from_the_platform(self, platform: Connection, station: Connection) -> None:
        notice = message("2012")
        platform.send(notice, 0.0)
        exchange(platform, station)
        assert platform.events() == [NoticeAnswered(notice)]
        assert kinds(station) == [MessageReceived]

    def test_from_the_station(self, platform: Connection, station: Connection) -> None:
        notice = message("1013")
        station.send(notice, 0.0)
        exchange(platform, station)
        assert station.events() == [NoticeAnswered(notice)]

    def test_is_answered_even_without_bit_a(self, station: Connection) -> None:
        station.receive_data(frame(message("2012", answer=False)), 0.0)
        assert sent(station) == [("9013", "91", 4)]


class TestNeverAnswerAnAnswer:
    @pytest.mark.parametrize("role", Role)
    @pytest.mark.parametrize("cn", ["9011", "9012", "9013", "9014"])
    @pytest.mark.parametrize("st", ["91", "21"])
    @pytest.mark.parametrize("answer", [True, False])
    def test_nothing_is_sent(self, role: Role, cn: str, st: str, answer: bool) -> None:
        connection = Connection(role, HJ_212_2017)
        connection.receive_data(frame(message(cn, st=st, answer=answer, QnRtn="1")), 0.0)
        assert kinds(connection) == [AnswerUnexpected]
        assert sent(connection) == []

    def test_two_platforms_that_ask_for_answers_fall_silent(self) -> None:
        first, second = Connection(Role.PLATFORM, HJ_212_2017), Connection(Role.PLATFORM, HJ_212_2017)
        first.send_bytes(frame(message("9014", answer=True)))
        second.send_bytes(frame(message("2011", answer=True)))
        exchange(first, second)

    @pytest.mark.parametrize(
        ("wait", "reply"),
        [("2011", "9014"), ("2012", "9014"), ("2012", "9011"), ("1062", "9013"), ("1062", "9014")],
    )
    def test_answer_of_another_kind_ends_nothing(self, platform: Connection, wait: str, reply: str) -> None:
        platform.send(message(wait), 0.0)
        platform.receive_data(frame(message(reply, answer=False)), 0.1)
        assert kinds(platform) == [AnswerUnexpected]
        assert platform.outstanding == 1

    def test_second_answer_is_unexpected(self, platform: Connection) -> None:
        request = message("1062")
        platform.send(request, 0.0)
        answer = frame(request_answer(request, HJ_212_2017))
        platform.receive_data(answer * 2, 0.1)
        assert kinds(platform) == [RequestAccepted, AnswerUnexpected]
        platform.receive_data(frame(request_result(request, HJ_212_2017)) * 2, 0.2)
        assert kinds(platform) == [RequestCompleted, AnswerUnexpected]

    @pytest.mark.parametrize("field", [{"qn": "20160801085857999"}, {"mn": "1" * 24}])
    def test_answer_to_something_else_is_unexpected(self, platform: Connection, field: dict[str, str]) -> None:
        platform.send(message("2012"), 0.0)
        values = {"qn": QN, "st": "91", "cn": "9013", "pw": PW, "mn": MN} | field
        platform.receive_data(frame(compose(HJ_212_2017, **values)), 0.1)
        assert kinds(platform) == [AnswerUnexpected]


class TestTimeouts:
    """OverTime and ReCount of CN=1000, defaults 10 s and 3."""

    @pytest.mark.parametrize(("overtime", "recount"), [(10.0, 3), (5.0, 1), (30.0, 0), (99.0, 99)])
    @pytest.mark.parametrize("cn", ["1062", "2012"])
    def test_sent_again_then_given_up(self, platform: Connection, cn: str, overtime: float, recount: int) -> None:
        platform.overtime_s, platform.recount = overtime, recount
        waiting = message(cn)
        platform.send(waiting, 100.0)
        original = platform.data_to_send()
        for resend in range(1, recount + 1):
            due = 100.0 + resend * overtime
            assert platform.next_timeout() == due
            platform.handle_timeout(due - 0.001)
            assert platform.data_to_send() == b""
            platform.handle_timeout(due)
            assert platform.data_to_send() == original
        platform.handle_timeout(100.0 + (recount + 1) * overtime)
        assert platform.events() == [SendTimedOut(waiting, recount + 1)]
        assert (platform.outstanding, platform.next_timeout(), platform.data_to_send()) == (0, None, b"")

    def test_defaults_of_the_edition(self, station: Connection) -> None:
        assert (station.overtime_s, station.recount) == (10.0, 3)

    def test_upload_is_sent_again_byte_for_byte(self, station: Connection) -> None:
        station.send(message("2011"), 0.0, frame=b"##0000broken\r\n")
        station.data_to_send()
        station.handle_timeout(10.0)
        assert station.data_to_send() == b"##0000broken\r\n"

    def test_late_answer_after_giving_up_is_unexpected(self, platform: Connection) -> None:
        request = message("1062")
        platform.recount = 0
        platform.send(request, 0.0)
        platform.handle_timeout(10.0)
        platform.receive_data(frame(request_answer(request, HJ_212_2017)), 11.0)
        assert kinds(platform) == [SendTimedOut, AnswerUnexpected]

    def test_execution_is_not_asked_for_again(self, platform: Connection) -> None:
        request = message("3012", PolId="w01018")
        platform.send(request, 0.0)
        platform.receive_data(frame(request_answer(request, HJ_212_2017)), 4.0)
        platform.data_to_send()
        platform.events()
        assert platform.next_timeout() == 14.0
        platform.handle_timeout(14.0)
        assert platform.events() == [ExecutionTimedOut(request)]
        assert platform.data_to_send() == b""

    def test_several_deadlines(self, platform: Connection) -> None:
        platform.send(message("2012", qn="20160801085857001"), 0.0)
        platform.send(message("2022", qn="20160801085857002"), 4.0)
        assert platform.next_timeout() == 10.0
        platform.data_to_send()
        platform.handle_timeout(10.0)
        assert sent(platform) == [("2012", "32", 5)]
        assert platform.next_timeout() == 14.0

    def test_frame_never_finished_is_given_up(self, platform: Connection) -> None:
        platform.receive_data(b"##0999QN=1", 5.0)
        assert platform.next_timeout() == 5.0 + STALL_S
        platform.handle_timeout(5.0 + STALL_S - 0.001)
        assert platform.events() == []
        platform.handle_timeout(5.0 + STALL_S)
        assert kinds(platform) == [FrameRejected]
        platform.receive_data(frame(message("2011")), 30.0)
        assert kinds(platform) == [MessageReceived]


class TestDamage:
    def test_damaged_frame_is_reported_and_the_link_goes_on(self, platform: Connection) -> None:
        good = frame(message("2011"))
        platform.receive_data(good[:-6] + b"0000\r\n" + good, 0.0)
        assert kinds(platform) == [FrameRejected, MessageReceived]
        assert len(sent(platform)) == 1

    def test_lost_tail_is_acted_on(self, platform: Connection) -> None:
        good = frame(message("2011"))
        platform.receive_data(good[:-2] + good, 0.0)
        assert kinds(platform) == [MessageReceived, MessageReceived]

    def test_noise(self, platform: Connection) -> None:
        platform.receive_data(b"HJ 212-2017[1]\r\n", 0.0)
        assert platform.events() == [NoiseReceived(b"HJ 212-2017[1]\r\n")]

    def test_end_of_stream(self, platform: Connection) -> None:
        platform.receive_data(frame(message("2011"))[:50], 0.0)
        platform.receive_eof(1.0)
        platform.receive_eof(1.0)
        assert kinds(platform) == [FrameRejected]


class TestRepeats:
    def test_resend_is_answered_again_and_marked(self, platform: Connection) -> None:
        upload = frame(message("2011"))
        platform.receive_data(upload * 2, 0.0)
        assert [event.repeated for event in platform.events() if isinstance(event, MessageReceived)] == [False, True]
        assert len(sent(platform)) == 2

    def test_same_request_id_with_other_content_is_new(self, platform: Connection) -> None:
        platform.receive_data(frame(message("2011", DataTime="1")) + frame(message("2011", DataTime="2")), 0.0)
        assert [event.repeated for event in platform.events() if isinstance(event, MessageReceived)] == [False, False]

    def test_memory_is_bounded(self, platform: Connection) -> None:
        uploads = [frame(message("2011", qn=f"2016080108585{n:04d}")) for n in range(REMEMBERED + 1)]
        platform.receive_data(b"".join(uploads) + uploads[0], 0.0)
        repeated = [event.repeated for event in platform.events() if isinstance(event, MessageReceived)]
        assert repeated == [False] * (REMEMBERED + 2)


class TestAutomaticOff:
    @pytest.mark.parametrize("cn", ["2011", "1013", "9021"])
    def test_nothing_is_answered(self, cn: str) -> None:
        platform = Connection(Role.PLATFORM, HJ_212_2017, automatic=False)
        platform.receive_data(frame(message(cn)), 0.0)
        assert kinds(platform) == [MessageReceived]
        assert sent(platform) == []


class TestLimits:
    def test_outstanding(self, platform: Connection) -> None:
        for n in range(MAX_OUTSTANDING):
            platform.send(message("2012", qn=f"2016080108585{n:04d}"), 0.0)
        with pytest.raises(LimitError, match="MAX_OUTSTANDING"):
            platform.send(message("2012", qn="20160801085859999"), 0.0)

    def test_unsent(self, station: Connection) -> None:
        for _ in range(MAX_UNSENT_BYTES // 1024):
            station.send_bytes(bytes(1024))
        with pytest.raises(LimitError, match="MAX_UNSENT_BYTES"):
            station.send_bytes(b"1")

    def test_message_too_long_is_refused_before_anything_is_sent(self, station: Connection) -> None:
        with pytest.raises(LocalProtocolError, match="split it into packets"):
            station.send(message("3020", Info="x" * 1000), 0.0)
        assert (station.outstanding, station.data_to_send()) == (0, b"")

    def test_message_whose_answer_would_be_too_long_is_not_answered(self, platform: Connection) -> None:
        """Only a hostile peer has an identity of a thousand characters; its link must survive it."""
        for cn in ("2011", "1013"):
            segment = f"QN={QN};ST=32;CN={cn};PW={PW};MN={'1' * 1000};Flag=5;CP=&&&&".encode()
            platform.receive_data(build_frame(segment), 0.0)
        assert kinds(platform) == [MessageReceived, MessageReceived]
        assert sent(platform) == []

    @given(st.binary(max_size=120), st.sampled_from(["2011", "1013", "9011", "1062", "x"]))
    def test_no_content_raises(self, junk: bytes, cn: str) -> None:
        segment = b"QN=1;ST=32;CN=" + cn.encode() + b";MN=" + junk + b";Flag=5;CP=&&" + junk
        for role in Role:
            connection = Connection(role, HJ_212_2017)
            connection.receive_data(build_frame(segment), 0.0)
            connection.receive_eof(0.0)
            connection.data_to_send()

    def test_idle_connection_is_small(self) -> None:
        Connection(Role.PLATFORM, HJ_212_2017)
        count = 1000
        gc.collect()
        tracemalloc.start()
        try:
            before = tracemalloc.get_traced_memory()[0]
            idle = [Connection(Role.PLATFORM, HJ_212_2017) for _ in range(count)]
            size = (tracemalloc.get_traced_memory()[0] - before) / len(idle)
        finally:
            tracemalloc.stop()
        assert size <= 1024


def pieces(data: bytes, cuts: Iterable[int]) -> Iterator[bytes]:
    for start, end in pairwise([0, *sorted(cuts), len(data)]):
        yield data[start:end]


class TestSplitting:
    STREAM = (
        frame(message("2011", DataTime="20160801085857"))
        + b"heartbeat\r\n"
        + frame(message("1013", qn="20160801085857001"))[:-6]
        + b"0000\r\n"
        + frame(message("9014"))
        + frame(message("2011", DataTime="20160801085857"))
    )

    @given(st.lists(st.integers(0, len(STREAM)), max_size=8))
    def test_events_and_answers_do_not_depend_on_it(self, cuts: list[int]) -> None:
        def run(parts: Iterable[bytes]) -> tuple[list[str], bytes]:
            connection = Connection(Role.PLATFORM, HJ_212_2017)
            for part in parts:
                connection.receive_data(part, 0.0)
            return [repr(event) for event in connection.events()], connection.data_to_send()

        assert run(pieces(self.STREAM, cuts)) == run([self.STREAM])


class TestBackToBack:
    def test_a_whole_request(self, platform: Connection, station: Connection) -> None:
        request = message("3020", InfoId="i32001")
        platform.send(request, 0.0)
        exchange(platform, station)
        (event,) = station.events()
        assert isinstance(event, MessageReceived)
        station.answer(event.message)
        station.send(message("3020", DataTime="20160801085857", answer=False), 0.1)
        station.complete(event.message)
        exchange(platform, station)
        assert kinds(platform) == [RequestAccepted, MessageReceived, RequestCompleted]
        assert (platform.outstanding, station.outstanding) == (0, 0)

    def test_requests_and_uploads_cross(self, platform: Connection, station: Connection) -> None:
        platform.send(message("2012", qn="20160801085857001"), 0.0)
        station.send(message("2011", qn="20160801085857002", DataTime="20160801085857"), 0.0)
        exchange(platform, station)
        assert kinds(platform) == [MessageReceived, NoticeAnswered]
        assert kinds(station) == [MessageReceived, UploadAcknowledged]

    def test_frames_to_send_are_whole_frames(self, station: Connection) -> None:
        first, second = message("2011", qn="20160801085857001"), message("2011", qn="20160801085857002")
        station.send(first, 0.0)
        station.send(second, 0.0)
        assert station.frames_to_send() == [frame(first), frame(second)]
        assert station.frames_to_send() == []

    def test_longest_legal_frame(self, platform: Connection, station: Connection) -> None:
        room = 1024 - len(bytes(message("3020", Info="")))
        station.send(message("3020", Info="x" * room), 0.0)
        exchange(platform, station)
        assert kinds(station) == [UploadAcknowledged]
        assert MAX_FRAME_BYTES > 1036


def test_no_repr_shows_a_password(platform: Connection) -> None:
    damaged = f"ST=32CN=2011PW={PW};MN=1;Flag=4;CP=&&NewPW={PW}&&".encode()
    stream = frame(message("2011")) + b"##0001" + damaged + b"\r\n" + build_frame(damaged) + damaged + b"\r\n"
    platform.send(message("1072", NewPW=PW), 0.0)
    platform.receive_data(stream, 0.0)
    events = platform.events()
    assert len(events) == 4
    shown = [repr(platform), *map(repr, events), *(repr(e.message) for e in events if isinstance(e, MessageReceived))]
    shown += [repr(e.message.segment) for e in events if isinstance(e, MessageReceived)]
    assert not [text for text in shown if PW in text]
