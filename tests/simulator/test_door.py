"""The reference door controller without I/O: what it tells, when, in which bytes; what it answers and what it keeps."""

from __future__ import annotations

from collections import deque
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
from simulator import door as door_module
from simulator.behaviour import Behaviour, Upload, copy_message
from simulator.clock import EPOCH
from simulator.codes import Codes
from simulator.door import MAX_QUEUED, RECORD_DELAY_S, WINDOW

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
        assert desk.door.acknowledged == desk.door.messages == 2

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
        if example == "dismantled-cleared":  # made up under the QN of the alarm, ten minutes before
            assert desk.frames()[-1][:20] == EXAMPLES[example][:20]
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
        desk = quiet(linked=False)
        desk.open(Method.EXIT_BUTTON)
        desk.pass_time(10)
        desk.link_up()
        desk.acknowledges = False
        desk.ask("1012", SystemTime="20250915095930")
        desk.close()
        waiting = [upload.message.qn for upload in (*desk.door.queue, *desk.door._sent.values())]
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
    @settings(max_examples=60)
    @given(acts=st.lists(ACTS, max_size=25), form=st.sampled_from(["3020", "2011"]))
    def test_every_upload_arrives_once_with_its_own_qn_and_as_it_was_composed(
        self, acts: list[tuple], form: str
    ) -> None:
        composed: list[Message] = []

        class Notebook(deque):  # type: ignore[type-arg]
            def append(self, upload: Upload) -> None:
                composed.append(upload.message)
                super().append(upload)

        desk = Desk(form=form)
        wrap = desk.door
        composed += [message for message in desk.received()]
        original = wrap._put

        def put(kind: str, now: float, items: list, cn: str = "3020") -> None:
            wrap.queue = Notebook(wrap.queue)
            original(kind, now, items, cn)

        wrap._put = put  # type: ignore[method-assign]
        perform(desk, acts)
        desk.acknowledges = True
        if not desk.linked:
            desk.link_up()
        desk.pass_time(5000)
        assert all(sent.frame.intact for sent in desk.sent)
        assert b"".join(desk.frames()) == desk.stream
        assert not desk.door.queue
        assert not desk.door._sent
        qns = [message.qn for message in composed]
        assert len(set(qns)) == len(qns)
        assert {bytes(m) for m in desk.received()} == {bytes(m) for m in composed}
        assert desk.door.acknowledged == len(composed)

    @given(acts=st.lists(ACTS, max_size=15))
    def test_same_acts_give_the_same_bytes(self, acts: list[tuple]) -> None:
        first, second = Desk(), Desk()
        perform(first, acts)
        perform(second, acts)
        assert first.stream == second.stream

    @given(acts=st.lists(ACTS, max_size=15))
    def test_times_in_a_frame_agree(self, acts: list[tuple]) -> None:
        desk = Desk()
        perform(desk, acts)
        for sent in desk.sent:
            assert sent.message.qn[:14] == sent["DataTime"] or sent["DataTime"] is None
            if sent["i32006-Info"]:
                opened, composed = parse_time(sent["i32006-Info"] or ""), parse_qn(sent.message.qn)
                assert 0 <= (composed - opened).total_seconds() < 2
            assert parse_qn(sent.message.qn).timestamp() - EPOCH <= sent.at + 0.1
