"""The reference door controller without I/O: what it tells, when, in which bytes; what it answers and what it keeps."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accessctl import Opening as OpeningRecord
from accessctl import OpeningMethod, load, read
from hj212 import ExeRtn, Message, QnRtn, parse_segment
from hj212.times import parse_qn, parse_time
from simulator import DoorController, DoorSettings, Method, Opening
from simulator.behaviour import Behaviour, Device, Upload, copy_message
from simulator.clock import EPOCH
from simulator.codes import Codes
from simulator.personalities import door as door_module
from simulator.personalities.door import MAX_QUEUED, RECORD_DELAY_S, WINDOW
from simulator.reporter import core as reporter

from .desk import MN, PW, Desk, Sent, commands, instant

#: The example frames of the regional plan: B.8 of the field requirements.
EXAMPLES = {example.id: example.frame for example in load("nx").examples}
#: The password in the examples.
EXAMPLE_PW = "123456"

STATES = ("i32001-Info", "i32002-Info", "i32003-Info")
RECORD = ("DataTime", "i32001-Info", "i32004-Info", "i32005-Info", "i32006-Info")


def parameters(sent: Sent) -> list[tuple[str, str]]:
    return list(sent.message.parameters())


def values(sent: Sent, *keys: str) -> list[str | None]:
    return [sent[key] for key in keys]


def quiet(*faults: str, **options: object) -> Desk:
    """Return a desk whose controller has said what it says when it is switched on."""
    desk = Desk(*faults, **{"writes_log": False, **options})  # type: ignore[arg-type]
    desk.take()
    return desk


class TestBoot:
    def test_start_time_goes_first_then_a_report(self) -> None:
        start, report = Desk(on="10:00:00").sent
        assert commands((start, report)) == ["2081", "3020"]
        assert parameters(start) == [("DataTime", "20250915100000"), ("RestartTime", "20250915100000")]
        assert report["DataTime"] == "20250915100000"

    def test_every_frame_is_whole_and_asks_for_an_answer(self) -> None:
        desk = Desk()
        assert b"".join(desk.frames()) == desk.stream
        for sent in desk.sent:
            assert sent.frame.intact
            assert (sent.message.st, sent.message.mn, sent.message.pw, sent.message.flag) == ("81", MN, PW, 5)
        assert desk.door.acknowledged == len(desk.sent) == 2

    def test_start_after_a_power_cut_is_told_again(self) -> None:
        desk = quiet()
        desk.pass_time(1000)
        desk.take()
        desk.link_down()
        desk.pass_time(20)
        desk.door.reboot(desk.now)
        desk.link_up()
        desk.pass_time(0)
        start, report = desk.take()
        assert start["RestartTime"] == start["DataTime"] == report["DataTime"] == "20250915101630"
        desk.pass_time(900)
        assert [sent.at for sent in desk.take()] == [desk.now]

    def test_record_that_was_being_made_is_lost_with_the_power(self) -> None:
        desk = quiet()
        desk.open(Method.FACE, "1001")
        desk.link_down()
        desk.door.reboot(desk.now)
        desk.link_up()
        desk.pass_time(5)
        assert not desk.with_parameter("i32004-Info")
        assert desk.door.reboots == 1


class TestPeriodicReport:
    def test_example_frame(self) -> None:
        desk = quiet(on="10:00:00.122", pw=EXAMPLE_PW, linked=False)
        desk.link_up()
        assert desk.frames("3020") == [EXAMPLES["periodic"]]

    def test_example_frame_as_real_time_data(self) -> None:
        desk = quiet(on="10:00:00.122", pw=EXAMPLE_PW, form="2011", linked=False)
        desk.link_up()
        assert desk.frames("2011") == [EXAMPLES["periodic-2011"]]

    def test_every_fifteen_minutes_with_all_three_states(self) -> None:
        desk = quiet()
        desk.dismantle(True)
        desk.take()
        desk.pass_time(4 * 900)
        reports = desk.take()
        assert [sent.at for sent in reports] == [900, 1800, 2700, 3600]
        assert [values(sent, *STATES) for sent in reports] == [["0", "1", "0"]] * 4
        assert [sent["DataTime"] for sent in reports][:2] == ["20250915101430", "20250915102930"]

    def test_events_do_not_move_the_timer(self) -> None:
        desk = quiet()
        desk.pass_time(100)
        desk.open(Method.FACE, "1001")
        desk.pass_time(100)
        desk.close()
        desk.break_down(True)
        desk.take()
        desk.pass_time(700)
        (report,) = desk.take()
        assert (report.at, values(report, *STATES)) == (900, ["0", "0", "1"])

    def test_reports_missed_by_a_late_driver_are_made_up_for(self) -> None:
        door = DoorController(DoorSettings(mn=MN, pw=PW), Behaviour(), 0.0, EPOCH)
        for _ in range(5):
            door.handle_timeout(3000.0)
        assert [upload.message.parameter("DataTime") for upload in door.queue if upload.kind == "periodic"] == [
            *("20250915095930", "20250915101430", "20250915102930", "20250915104430")
        ]
        assert door.next_timeout() == 3600.0

    def test_events_stay_on_3020_whatever_the_form_of_reports(self) -> None:
        desk = quiet(form="2011")
        desk.open(Method.IC_CARD, "7")
        desk.pass_time(900)
        assert commands(desk.sent) == ["3020", "3020", "2011"]


class TestChange:
    @pytest.mark.parametrize(
        ("example", "at", "act"),
        [
            ("door-opened", "10:15:30.456", lambda desk: desk.open(Method.EXIT_BUTTON)),
            ("dismantled", "14:00:00.905", lambda desk: desk.dismantle(True)),
            ("dismantled-cleared", "14:10:10.905", lambda desk: desk.dismantle(False)),
            ("fault", "15:00:00.233", lambda desk: desk.break_down(True)),
            ("door-closed", "10:17:12.089", lambda desk: desk.close()),
        ],
    )
    def test_example_frame(self, example: str, at: str, act) -> None:
        desk = quiet(pw=EXAMPLE_PW)
        desk.until(at)
        desk.act(lambda now: act(desk))
        assert desk.frames()[-1] == EXAMPLES[example]

    def test_only_what_changed_is_told_and_at_once(self) -> None:
        desk = quiet()
        desk.pass_time(60)
        desk.break_down(True)
        desk.pass_time(60)
        desk.break_down(False)
        alarm, end = desk.take()
        assert parameters(alarm) == [("DataTime", "20250915100030"), ("i32003-Info", "1")]
        assert parameters(end) == [("DataTime", "20250915100130"), ("i32003-Info", "0")]
        assert (alarm.at, end.at) == (60, 120)


class TestRecord:
    @pytest.mark.parametrize(
        ("example", "method", "person", "opened_at"),
        [
            ("opening-face", Method.FACE, "NX000012", "10:15:30.002"),
            ("opening-ic-card", Method.IC_CARD, "3A7F21C0", "11:20:03.310"),
            ("opening-fingerprint", Method.FINGERPRINT, "1007", "12:01:04.771"),
            ("opening-password", Method.PASSWORD, "1007", "13:02:44.118"),
        ],
    )
    def test_example_frame(
        self, monkeypatch: pytest.MonkeyPatch, example: str, method: Method, person: str, opened_at: str
    ) -> None:
        monkeypatch.setattr(door_module, "RECORD_DELAY_S", 1.0)  # as in the examples
        desk = quiet(pw=EXAMPLE_PW)
        desk.until(opened_at)
        desk.open(method, person)
        desk.pass_time(1)
        assert desk.frames()[-1] == EXAMPLES[example]

    def test_follows_the_change_of_state(self) -> None:
        desk = quiet()
        desk.until("10:15:30.600")
        desk.take()
        desk.open(Method.FACE, "0007")
        desk.pass_time(RECORD_DELAY_S)
        change, record = desk.take()
        assert parameters(change) == [("DataTime", "20250915101530"), ("i32001-Info", "1")]
        assert parameters(record) == list(
            zip(RECORD, ("20250915101531", "1", "1", "0007", "20250915101530"), strict=True)
        )

    def test_opening_without_identification_has_none(self) -> None:
        desk = quiet(writes_log=True)
        desk.open(Method.EXIT_BUTTON)
        desk.pass_time(60)
        assert [parameters(sent)[1:] for sent in desk.take()] == [[("i32001-Info", "1")]]

    def test_door_shut_in_the_meantime_was_open_all_the_same(self) -> None:
        desk = quiet()
        desk.open(Method.FACE, "1")
        desk.close()
        desk.pass_time(1)
        assert [sent["i32001-Info"] for sent in desk.take()] == ["1", "0", "1"]

    def test_a_log_line_in_chinese_follows_the_record(self) -> None:
        desk = quiet(writes_log=True)
        desk.until("10:15:30")
        desk.take()
        desk.open(Method.FACE, "NX000012")
        desk.pass_time(1)
        log = desk.take()[-1]
        assert log["i31001-Info"] == "//人脸开门NX000012//"
        assert int(log.frame.raw[2:6]) == len(log.frame.segment) == len(log.frame.segment.decode()) + 2 * 4

    def test_reads_back_as_what_happened(self) -> None:
        desk = quiet()
        for method in Method:
            if method.identifies:
                desk.open(method, "1007")
                desk.pass_time(30)
        records = [
            record
            for sent in desk.with_parameter("i32004-Info")
            for record in read(parse_segment(sent.frame.segment), load("nx"), strict=True)
            if isinstance(record, OpeningRecord)
        ]
        methods = [OpeningMethod.FACE, OpeningMethod.IC_CARD, OpeningMethod.FINGERPRINT, OpeningMethod.PASSWORD]
        assert [record.method for record in records] == methods
        assert {record.code for record in records} == {"1007"}
        assert [record.opened_at.timestamp() - EPOCH for record in records if record.opened_at] == [0, 30, 60, 90]


class TestQn:
    def test_uploads_of_one_millisecond_get_consecutive_ones(self) -> None:
        door = DoorController(DoorSettings(mn=MN, pw=PW), Behaviour(), 0.0, EPOCH)
        qns = [door.next_qn(1.0) for _ in range(3000)]
        assert qns[:2] == ["20250915095931000", "20250915095931001"]
        assert len(set(qns)) == 3000

    def test_clock_set_back_meets_no_upload_that_still_waits(self) -> None:
        desk = quiet(linked=False, acknowledges=False)
        desk.open(Method.EXIT_BUTTON)
        desk.pass_time(10)
        desk.link_up()
        desk.ask("1012", SystemTime="20250915095930")
        desk.close()
        waiting = [upload.message.qn for upload in (*desk.door.queue, *desk.door.in_flight.values())]
        assert len(waiting) == len(set(waiting)) == 4
        assert waiting[0] == "20250915095930000"
        assert waiting[-1] == "20250915095930003"

    def test_goes_on_from_the_new_time(self) -> None:
        desk = quiet()
        desk.pass_time(100)
        desk.ask("1012", SystemTime="20250915090000")
        desk.close()
        assert desk.sent[-1].message.qn == "20250915090000000"


ACTS = st.one_of(
    st.tuples(st.just("open"), st.sampled_from(Method), st.integers(1, 3)),
    st.tuples(st.sampled_from(["close", "reboot"])),
    st.tuples(st.sampled_from(["dismantle", "break_down", "link", "acknowledge"]), st.booleans()),
    st.tuples(st.just("wait"), st.sampled_from([0, 0.001, 0.5, 9.999, 10, 45, 899, 900, 4000])),
)


def perform(desk: Desk, acts: list[tuple]) -> None:
    for name, *arguments in acts:
        match name:
            case "open":
                desk.open(arguments[0], f"100{arguments[1]}")
            case "close":
                desk.close()
            case "dismantle":
                desk.dismantle(*arguments)
            case "break_down":
                desk.break_down(*arguments)
            case "wait":
                desk.pass_time(*arguments)
            case "acknowledge":
                desk.acknowledges = arguments[0]
            case "reboot":
                desk.link_down()
                desk.door.reboot(desk.now)
            case "link" if arguments[0] != desk.linked:
                desk.link_up() if arguments[0] else desk.link_down()


class TestWhateverHappens:
    @settings(max_examples=60, deadline=None)
    @given(acts=st.lists(ACTS, max_size=25), form=st.sampled_from(["3020", "2011"]))
    def test_every_upload_arrives_once_with_its_own_qn_and_as_it_was_composed(
        self, acts: list[tuple], form: str
    ) -> None:
        desk = Desk(form=form, linked=False)
        composed: dict[int, set[bytes]] = {}

        def look(upload: Upload, door: Device, now: float) -> Message:
            composed.setdefault(upload.number, set()).add(bytes(upload.message))
            return upload.message

        desk.door.behaviour.transmit = look
        desk.link_up()
        perform(desk, acts)
        desk.acknowledges = True
        if not desk.linked:
            desk.link_up()
        desk.pass_time(5000)
        assert all(sent.frame.intact for sent in desk.sent)
        assert b"".join(desk.frames()) == desk.stream
        assert not desk.door.queue
        assert all(len(texts) == 1 for texts in composed.values())
        assert len(composed) == desk.door._composed == desk.door.acknowledged
        assert len({message.qn for message in desk.received()}) == len(composed)
        assert {bytes(message) for message in desk.received()} == set().union(*composed.values())

    @settings(deadline=None)
    @given(acts=st.lists(ACTS, max_size=15))
    def test_same_acts_give_the_same_bytes(self, acts: list[tuple]) -> None:
        first, second = Desk(), Desk()
        perform(first, acts)
        perform(second, acts)
        assert first.stream == second.stream

    @settings(deadline=None)
    @given(acts=st.lists(ACTS, max_size=15))
    def test_times_in_a_frame_agree(self, acts: list[tuple]) -> None:
        desk = Desk()
        perform(desk, acts)
        for sent in desk.sent:
            composed = parse_qn(sent.message.qn)
            assert composed.timestamp() - EPOCH <= sent.at + 0.1
            # DataTime has no milliseconds, and a QN that is taken leaves the next one.
            assert 0 <= (composed - parse_time(sent["DataTime"] or "")).total_seconds() < 1.1
            if opened_at := sent["i32006-Info"]:
                assert 0 <= (composed - parse_time(opened_at)).total_seconds() < 1.6


class TestLinkLoss:
    def test_what_happened_meanwhile_is_sent_oldest_first_as_it_was_composed(self) -> None:
        desk = quiet()
        desk.pass_time(300)
        desk.link_down()
        desk.open(Method.IC_CARD, "1002")
        desk.pass_time(3)
        desk.close()
        desk.dismantle(True)
        desk.pass_time(600)
        assert desk.take() == []
        assert len(desk.door.queue) == 5
        desk.link_up()
        backlog = desk.take()
        assert {sent.at for sent in backlog} == {903}
        qns = [sent.message.qn for sent in backlog]
        assert qns == sorted(qns)
        assert [qn[8:] for qn in qns] == ["100430000", "100430500", "100433000", "100433001", "101430000"]
        assert values(backlog[1], "i32005-Info", "i32006-Info") == ["1002", "20250915100430"]
        assert not desk.door.queue

    def test_what_was_not_acknowledged_is_sent_again_byte_for_byte(self) -> None:
        desk = quiet(acknowledges=False)
        desk.link_down()
        desk.link_up()
        desk.open(Method.FACE, "1001")
        desk.pass_time(1)
        first = desk.frames()
        desk.link_down()
        desk.acknowledges = True
        desk.take()
        desk.link_up()
        assert desk.frames() == first
        assert desk.door.acknowledged == 4

    def test_upload_given_up_goes_ahead_of_later_ones_when_the_link_comes_back(self) -> None:
        desk = quiet(acknowledges=False)
        desk.pass_time(100)
        desk.open(Method.EXIT_BUTTON)
        desk.pass_time(60)
        desk.close()
        desk.link_down()
        desk.acknowledges = True
        desk.take()
        desk.link_up()
        qns = [sent.message.qn for sent in desk.take()]
        assert len(qns) == 4
        assert qns == sorted(qns)

    def test_bytes_without_a_link_change_nothing(self) -> None:
        desk = quiet(linked=False)
        desk.door.receive_data(b"##0000", 0.0)
        desk.door.receive_eof(0.0)
        assert desk.door.data_to_send() == b""

    def test_half_a_frame_at_the_end_of_a_link_is_forgotten(self) -> None:
        desk = quiet()
        desk.tell(b"##0100QN=2025")
        desk.door.receive_eof(desk.now)
        desk.link_down()
        desk.link_up()
        assert commands(desk.ask("1011")) == ["9011", "1011", "9012"]

    def test_queue_keeps_the_newest(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert MAX_QUEUED > 10 * 4 * 24  # ten days of reports
        monkeypatch.setattr(reporter, "MAX_QUEUED", 100)
        desk = Desk(linked=False)
        for _ in range(60):
            desk.open(Method.EXIT_BUTTON)
            desk.close()
            desk.pass_time(0.01)
        assert len(desk.door.queue) == 100
        assert desk.door.queue[0].message.parameter("i32001-Info") == "1"
        desk.link_up()
        assert desk.door.acknowledged == 100


class TestResend:
    def test_three_times_every_ten_seconds_with_the_same_bytes(self) -> None:
        desk = quiet()
        desk.acknowledges = False
        desk.dismantle(True)
        desk.pass_time(300)
        attempts = desk.take()
        assert [sent.at for sent in attempts] == [0, 10, 20, 30]
        assert len({sent.frame.raw for sent in attempts}) == 1

    def test_answer_ends_it(self) -> None:
        desk = quiet()
        desk.acknowledges = False
        desk.dismantle(True)
        desk.pass_time(15)
        desk.acknowledges = True
        desk.pass_time(60)
        assert [sent.at for sent in desk.take()] == [0, 10, 20]
        assert desk.door.acknowledged == 3

    def test_unanswered_uploads_are_offered_again_with_the_next_report_oldest_first(self) -> None:
        desk = quiet()
        desk.acknowledges = False
        desk.open(Method.FACE, "1001")
        desk.pass_time(1)
        desk.close()
        desk.pass_time(800)
        desk.take()
        desk.acknowledges = True
        desk.pass_time(200)
        offered = desk.take()
        assert [sent.at for sent in offered] == [900] * 4
        qns = [sent.message.qn for sent in offered]
        assert qns == sorted(qns)

    def test_not_more_than_a_few_wait_at_once(self) -> None:
        desk = quiet(linked=False, acknowledges=False)
        for _ in range(10):
            desk.open(Method.EXIT_BUTTON)
        desk.link_up()
        assert len(desk.frames()) == WINDOW
        desk.link_down()
        assert len(desk.door.queue) == 12

    @pytest.mark.parametrize(("overtime", "recount"), [(1, 1), (5, 4), (50, 2)])
    def test_platform_sets_spacing_and_number(self, overtime: int, recount: int) -> None:
        desk = quiet()
        told = desk.ask("1000", OverTime=str(overtime), ReCount=str(recount))
        assert commands(told) == ["9011", "9012"]
        assert told[1]["ExeRtn"] == str(ExeRtn.SUCCESS.value)
        for _ in range(2):  # also on the next link
            desk.acknowledges = False
            desk.take()
            begin = desk.now
            desk.break_down(True)
            desk.pass_time(overtime * (recount + 3))
            assert [sent.at - begin for sent in desk.take()] == [overtime * n for n in range(recount + 1)]
            desk.link_down()
            desk.acknowledges = True
            desk.link_up()

    @pytest.mark.parametrize(
        "wrong",
        [
            {"OverTime": "0", "ReCount": "3"},
            {"OverTime": "5", "ReCount": "100"},
            {"OverTime": "x", "ReCount": "3"},
            {"OverTime": "5"},
            {},
        ],
    )
    def test_values_out_of_range_change_nothing(self, wrong: dict[str, str]) -> None:
        desk = quiet()
        told = desk.ask("1000", **wrong)
        assert told[-1]["ExeRtn"] == str(ExeRtn.BAD_CONDITION.value)
        desk.acknowledges = False
        desk.take()
        desk.break_down(True)
        desk.pass_time(200)
        assert [sent.at for sent in desk.take()] == [0, 10, 20, 30]


REQUEST_READ = EXAMPLES["read-request"]
#: The flow of B.8, example 7; its frames as printed.
ACCEPTED = (
    b"##0094QN=20250915160000001;ST=91;CN=9011;PW=123456;MN=64010000ACCE550000000001;Flag=4;CP=&&QnRtn=1&&2F80\r\n"
)
COMPLETED = (
    b"##0095QN=20250915160000001;ST=91;CN=9012;PW=123456;MN=64010000ACCE550000000001;Flag=4;CP=&&ExeRtn=1&&B541\r\n"
)
#: Example 8: the interval and the clock.
SET_INTERVAL = (
    b"##0102QN=20250915090000001;ST=81;CN=1062;PW=123456;MN=64010000ACCE550000000001;Flag=5;"
    b"CP=&&RtdInterval=900&&C5C1\r\n"
)
SET_CLOCK = (
    b"##0112QN=20250915090001001;ST=81;CN=1012;PW=123456;MN=64010000ACCE550000000001;Flag=5;"
    b"CP=&&SystemTime=20250915090001&&CD41\r\n"
)


class TestRequests:
    def test_state_query_as_in_the_example(self) -> None:
        desk = quiet(pw=EXAMPLE_PW)
        desk.until("16:00:00")
        told = desk.tell(REQUEST_READ)
        assert [sent.frame.raw for sent in told] == [ACCEPTED, EXAMPLES["read-answer"], COMPLETED]

    @pytest.mark.parametrize(("code", "value"), [("i32001", "1"), ("i32002", "0"), ("i32003", "1")])
    def test_state_query_tells_the_state_of_now(self, code: str, value: str) -> None:
        desk = quiet()
        desk.open(Method.EXIT_BUTTON)
        desk.break_down(True)
        assert desk.ask("3020", InfoId=code)[1][f"{code}-Info"] == value

    @pytest.mark.parametrize("wrong", [{"InfoId": "i32004"}, {"InfoId": "i11001"}, {}])
    def test_query_for_what_the_door_has_not(self, wrong: dict[str, str]) -> None:
        told = quiet().ask("3020", **wrong)
        assert commands(told) == ["9011", "9012"]
        assert (told[0]["QnRtn"], told[1]["ExeRtn"]) == ("1", str(ExeRtn.BAD_CONDITION.value))

    def test_clock_is_told(self) -> None:
        desk = quiet()
        desk.until("10:00:00.900")
        told = desk.ask("1011")
        assert commands(told) == ["9011", "1011", "9012"]
        assert told[1]["SystemTime"] == "20250915100000"
        assert told[1].message.flag == 4

    def test_clock_is_set_as_in_the_example(self) -> None:
        desk = quiet(pw=EXAMPLE_PW)
        desk.until("10:00:00")
        assert commands(desk.tell(SET_CLOCK)) == ["9011", "9012"]
        desk.pass_time(9)
        assert desk.ask("1011", pw=EXAMPLE_PW)[1]["SystemTime"] == "20250915090010"
        desk.take()
        desk.pass_time(900)
        (report,) = desk.take()
        assert report["DataTime"] == "20250915091431"  # the timer went on as it was

    def test_wrong_clock_is_set_right(self) -> None:
        desk = quiet("clock-90s-fast")
        assert desk.ask("1011")[1]["SystemTime"] == "20250915100100"
        desk.ask("1012", SystemTime="20250915095930")
        assert desk.ask("1011")[1]["SystemTime"] == "20250915095930"

    @pytest.mark.parametrize(
        "wrong",
        [*({"SystemTime": text} for text in ("", "2025", "20250230000000", "99991231235959", "00010101000000")), {}],
    )
    def test_what_is_no_time_changes_nothing(self, wrong: dict[str, str]) -> None:
        desk = quiet()
        assert desk.ask("1012", **wrong)[-1]["ExeRtn"] == str(ExeRtn.BAD_CONDITION.value)
        assert desk.ask("1011")[1]["SystemTime"] == "20250915095930"

    def test_interval_is_told(self) -> None:
        told = quiet(interval_s=600.0).ask("1061")
        assert commands(told) == ["9011", "1061", "9012"]
        assert told[1]["RtdInterval"] == "600"

    def test_interval_is_set_as_in_the_example(self) -> None:
        desk = quiet(pw=EXAMPLE_PW, interval_s=60.0)
        desk.pass_time(30)
        assert commands(desk.tell(SET_INTERVAL)) == ["9011", "9012"]
        desk.take()
        desk.pass_time(2000)
        assert [sent.at for sent in desk.take()] == [930, 1830]

    @pytest.mark.parametrize("interval", ["30", "3600"])
    def test_interval_at_the_ends_of_the_range(self, interval: str) -> None:
        desk = quiet()
        assert desk.ask("1062", RtdInterval=interval)[-1]["ExeRtn"] == "1"
        desk.take()
        desk.pass_time(7300)
        assert {b - a for a, b in pairwise(sent.at for sent in desk.take())} == {float(interval)}

    @pytest.mark.parametrize("interval", ["29", "3601", "0", "-900", "15min", "900.0", "９００"])
    def test_interval_out_of_range_changes_nothing(self, interval: str) -> None:
        desk = quiet()
        told = desk.ask("1062", RtdInterval=interval)
        assert commands(told) == ["9011", "9012"]
        assert (told[0]["QnRtn"], told[1]["ExeRtn"]) == ("1", str(ExeRtn.BAD_CONDITION.value))
        assert desk.ask("1061")[1]["RtdInterval"] == "900"

    @pytest.mark.parametrize(
        ("changed", "cn", "code"),
        [
            ({"pw": "other"}, "1011", QnRtn.PW_WRONG),
            ({"mn": MN[:-1] + "2"}, "1011", QnRtn.MN_WRONG),
            ({"st": "32"}, "1011", QnRtn.ST_WRONG),
            ({}, "2051", QnRtn.CN_WRONG),
            ({}, "4022", QnRtn.CN_WRONG),
        ],
    )
    def test_refusals(self, changed: dict[str, str], cn: str, code: QnRtn) -> None:
        desk = quiet()
        (told,) = desk.ask(cn, **changed)
        assert (told.message.cn, told.message.st, told["QnRtn"]) == ("9011", "91", str(code.value))

    def test_refused_request_is_not_executed(self) -> None:
        desk = quiet()
        desk.ask("1062", pw="other", RtdInterval="60")
        assert desk.ask("1061")[1]["RtdInterval"] == "900"

    def test_repeated_request_is_answered_again_and_executed_once(self) -> None:
        desk = quiet()
        first = desk.ask("1012", qn="20250915160000555", SystemTime="20250915090000")
        desk.pass_time(10)
        again = desk.ask("1012", qn="20250915160000555", SystemTime="20250915090000")
        assert commands(first) == ["9011", "9012"]
        assert [sent.frame.raw for sent in again] == [first[0].frame.raw]
        assert desk.ask("1011")[1]["SystemTime"] == "20250915090010"

    def test_damaged_request_is_not_answered(self) -> None:
        desk = quiet(pw=EXAMPLE_PW)
        assert desk.tell(REQUEST_READ.replace(b"A281", b"A282")) == []
        assert commands(desk.tell(REQUEST_READ)) == ["9011", "3020", "9012"]

    def test_unexpected_answers_are_not_answered(self) -> None:
        desk = quiet(pw=EXAMPLE_PW)
        assert desk.tell(ACCEPTED + COMPLETED) == []

    def test_request_is_answered_while_uploads_wait(self) -> None:
        desk = quiet(linked=False, acknowledges=False)
        for _ in range(10):
            desk.open(Method.EXIT_BUTTON)
        desk.link_up()
        assert commands(desk.ask("3020", InfoId="i32001")) == ["9011", "3020", "9012"]

    @settings(deadline=None)
    @given(cut=st.integers(1, len(REQUEST_READ) - 1))
    def test_request_in_two_pieces(self, cut: int) -> None:
        desk = quiet(pw=EXAMPLE_PW)
        assert desk.tell(REQUEST_READ[:cut]) == []
        assert commands(desk.tell(REQUEST_READ[cut:])) == ["9011", "3020", "9012"]


class TestSecrets:
    def test_no_repr_shows_password_or_person(self) -> None:
        desk = Desk(linked=False)
        desk.open(Method.PASSWORD, "Zq7Wx9Kp")
        desk.pass_time(1)
        opening = Opening(Method.FACE, "Zq7Wx9Kp", 0.0)
        shown = " ".join(map(repr, (desk.settings, desk.door, desk.door.world, opening, *desk.door.queue)))
        assert "DoorWorld(door=1" in shown
        assert "kind='record'" in shown
        assert "Zq7Wx9Kp" not in shown
        assert PW not in shown

    def test_copies_hide_it_too(self) -> None:
        settings = replace(DoorSettings(mn=MN, pw="first"), pw=PW)
        assert PW not in repr(settings)
        (upload, *_) = Desk(linked=False).door.queue
        assert PW not in repr(copy_message(upload.message, PW=PW))


def test_codes_are_those_of_the_region() -> None:
    codes = Codes.of("nx")
    assert [codes.signal(name) for name in ("door", "dismantled", "fault")] == ["i32001", "i32002", "i32003"]
    assert (codes.method, codes.person, codes.opened_at, codes.log) == ("i32004", "i32005", "i32006", "i31001")
    assert codes.methods == {Method.FACE: "1", Method.IC_CARD: "2", Method.FINGERPRINT: "3", Method.PASSWORD: "4"}


def test_a_month_passes_in_seconds() -> None:
    begin = perf_counter()
    desk = Desk()
    for _ in range(30):
        desk.open(Method.FINGERPRINT, "1003")
        desk.pass_time(20)
        desk.close()
        desk.pass_time(86_380)
    assert len(desk.sent) == desk.door.acknowledged == 2 + 30 * (4 + 96)
    assert desk.sent[-1]["DataTime"] == "20251015095930"
    assert perf_counter() - begin < 10
    assert desk.now == instant("09:59:30") + 30 * 86_400
