"""Every named fault shows in the bytes of a day, alone; names, layers and verdicts are what others rely on."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hj212 import Framer, Message
from hj212.crc import modbus_crc16
from hj212.events import FrameRejected, NoiseReceived
from hj212.framing import Frame
from hj212.times import parse_time
from simulator import FAULTS, Behaviour, Fault, Method, behaviour_with
from simulator.behaviour import Upload
from simulator.clock import EPOCH
from simulator.faults import UnknownFaultError, find, mutants_of
from simulator.faults.on_link import WAYS

from .desk import MN, Desk

#: Defects seen in public bridges from doors to HJ 212 (field requirements, B.4), and the faults that play them.
OF_PUBLIC_BRIDGES = {
    "face is 1, token is 4, everything else 2": "method-collapsed",
    "door state constant 1 in every record": "constant-door",
    "opening time filled with the time of sending": "send-time-as-open-time",
    "only face events handled as records": "only-face-recorded",
    "remote opening inferred, previous person's code reused": "invented-remote-opening",
    "controller locks up and nothing is reported": "lockout-unreported",
}


#: The faults that a door can have.
OF_DOORS = mutants_of("door")


def live_a_day(desk: Desk) -> Desk:
    """Let everything happen that a fault may get wrong."""
    # People come and go.
    for hour, method in enumerate(Method, start=10):
        desk.until(f"{hour}:05:10.250")
        desk.open(method, "1001")
        desk.pass_time(12)
        desk.close()
    # The platform asks, and sets nothing.
    desk.until("15:01:00")
    for cn, parameters in (("1011", {}), ("1061", {}), ("3020", {"InfoId": "i32001"})):
        desk.ask(cn, mn=desk.door.mn, **parameters)
    # The reader is lifted, across a report; the lock is unplugged.
    desk.until("15:10:00")
    desk.dismantle(True)
    desk.pass_time(600)
    desk.dismantle(False)
    desk.pass_time(60)
    desk.break_down(True)
    desk.pass_time(1000)
    desk.break_down(False)
    # The platform is silent for a while.
    desk.until("16:10:00")
    desk.acknowledges = False
    desk.open(Method.IC_CARD, "1002")
    desk.pass_time(50)
    desk.close()
    desk.pass_time(3)
    desk.acknowledges = True
    # It is late by one resend.
    desk.until("16:50:00")
    desk.acknowledges = False
    desk.open(Method.EXIT_BUTTON)
    desk.pass_time(15)
    desk.acknowledges = True
    desk.close()
    # The link is away.
    desk.until("17:10:00")
    desk.link_down()
    desk.open(Method.FINGERPRINT, "1003")
    desk.pass_time(5)
    desk.close()
    desk.pass_time(1800)
    desk.link_up()
    # The power is away.
    desk.until("18:40:00")
    desk.link_down()
    desk.pass_time(20)
    desk.door.reboot(desk.now)
    desk.link_up()
    desk.pass_time(60)
    desk.open(Method.PASSWORD, "1001")
    desk.until("19:00:00")
    return desk


@cache
def day_of(*faults: str) -> Desk:
    return live_a_day(Desk(*faults))


def named(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("name", names)


class TestTable:
    def test_names_are_slugs_and_unique(self) -> None:
        assert all(name == fault.name and name.replace("-", "").isalnum() for name, fault in FAULTS.items())
        assert all(name == name.lower() and name.isascii() for name in FAULTS)

    @pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
    def test_values_are_those_of_the_contract(self, fault: Fault) -> None:
        assert fault.station == fault.families[0]
        assert set(fault.families) <= {"door", "logger", "meter"}
        assert fault.layer in {"bytes", "protocol", "world"}
        assert fault.expected in ({"NOT_APPLICABLE"} if fault.name in WAYS else {"FAIL", "WARN", "INCONCLUSIVE"})
        assert fault.en.isascii()
        assert not fault.en.endswith(".")
        assert not fault.zh.isascii()

    def test_summaries_differ(self) -> None:
        assert (
            len({fault.en for fault in FAULTS.values()}) == len({fault.zh for fault in FAULTS.values()}) == len(FAULTS)
        )

    def test_every_layer_and_every_verdict_occurs(self) -> None:
        assert {fault.layer for fault in FAULTS.values()} == {"bytes", "protocol", "world"}
        assert {fault.expected for fault in FAULTS.values()} == {"FAIL", "WARN", "INCONCLUSIVE", "NOT_APPLICABLE"}
        assert sum(fault.expected == "FAIL" for fault in FAULTS.values()) >= 20

    @pytest.mark.parametrize("name", OF_PUBLIC_BRIDGES.values(), ids=list(OF_PUBLIC_BRIDGES))
    def test_defects_of_public_bridges(self, name: str) -> None:
        assert find(name).layer == "world"

    @pytest.mark.parametrize(
        ("wrong", "near"),
        [("modbus", "modbus-crc"), ("clock-90-fast", "clock-90s-fast"), ("Inverted-Door", "inverted-door")],
    )
    def test_unknown_name_is_answered_with_the_nearest(self, wrong: str, near: str) -> None:
        with pytest.raises(UnknownFaultError, match=f"^no fault is called '{wrong}'; near: .*{near}"):
            find(wrong)

    def test_unknown_name_that_is_near_to_none(self) -> None:
        with pytest.raises(UnknownFaultError, match=r"^no fault is called '§§§'$"):
            behaviour_with(["modbus-crc", "§§§"])

    def test_one_behaviour_is_not_the_other(self) -> None:
        behaviour_with(["mn-before-pw", "modbus-crc"])
        assert behaviour_with().shape == []
        assert behaviour_with().encode is Behaviour().encode


class TestReference:
    def test_day_is_without_fault(self) -> None:
        desk = day_of()
        assert not [event for event in desk.events if isinstance(event, FrameRejected | NoiseReceived)]
        assert len(desk.with_parameter("i32004-Info")) == 4 + 5 + 1 + 1  # one of them four times and once more
        assert not desk.door.queue
        assert live_a_day(Desk()).stream == desk.stream


class TestEachAlone:
    @pytest.mark.parametrize("name", OF_DOORS)
    def test_shows_in_the_bytes_of_a_day(self, name: str) -> None:
        desk = day_of(name)
        assert desk.stream != day_of().stream
        assert live_a_day(Desk(name)).stream == desk.stream

    @pytest.mark.parametrize("name", [name for name, fault in OF_DOORS.items() if fault.layer == "bytes"])
    def test_bytes_faults_leave_the_message_alone(self, name: str) -> None:
        segment = b"ST=81;CN=3020;CP=&&i31001-Info=//\xe4\xba\xba//&&"
        frame = behaviour_with([name]).encode(segment)
        assert name == "not-hj212" or segment in frame

    @pytest.mark.parametrize("name", [name for name, fault in OF_DOORS.items() if fault.layer != "bytes"])
    def test_other_faults_leave_the_frame_alone(self, name: str) -> None:
        found = Framer().feed(bytes(day_of(name).stream))
        assert all(isinstance(item, Frame) and item.intact for item in found)


def items_of(desk: Desk, key: str) -> list[str]:
    return [sent[key] or "" for sent in desk.with_parameter(key)]


class TestWhatTheyDo:
    """The faults whose effect is more than another byte somewhere."""

    def test_modbus_crc(self) -> None:
        (first, *_) = day_of("modbus-crc").stream.split(b"\r\n")
        assert int(first[-4:], 16) == modbus_crc16(bytes(first[6:-4]))

    def test_unpadded_crc_has_less_than_four_digits_now_and_then(self) -> None:
        ends = {len(line.rpartition(b"&&")[2]) for line in day_of("unpadded-crc").stream.split(b"\r\n") if line}
        assert {3, 4} <= ends

    def test_length_in_characters_is_wrong_for_chinese_only(self) -> None:
        rejected = [e.frame.raw for e in day_of("length-in-characters").events if isinstance(e, FrameRejected)]
        assert rejected
        assert not any(raw.isascii() for raw in rejected)

    def test_oversized_segment(self) -> None:
        assert max(len(sent.frame.segment) for sent in day_of("oversized-segment").sent) > 1024

    def test_reused_qn(self) -> None:
        messages = {(m.qn, bytes(m)) for m in day_of("reused-qn").received()}
        assert len({qn for qn, _ in messages}) < len(messages)

    def test_mn_14_chars(self) -> None:
        assert {sent.message.mn for sent in day_of("mn-14-chars").sent} == {MN[:14]}

    def test_no_answer_wanted(self) -> None:
        desk = day_of("no-answer-wanted")
        assert {sent.message.flag for sent in desk.sent} == {4}
        assert desk.door.acknowledged == 0
        assert not desk.door.queue

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("no-resend", [0]),
            ("hasty-resend", [0, 1, 2, 3]),
            ("endless-resend", list(range(0, 500, 10))),
            ("resend-with-new-qn", [0, 10, 20, 30]),
        ],
    )
    def test_resends(self, name: str, expected: list[int]) -> None:
        desk = Desk(name)
        desk.acknowledges = False
        desk.take()
        desk.dismantle(True)
        desk.pass_time(499)
        sent = desk.take()
        assert [one.at for one in sent] == expected
        assert len({one.message.qn for one in sent}) == (4 if name == "resend-with-new-qn" else 1)

    @named("no-resend", "hasty-resend", "endless-resend")
    def test_resends_stay_wrong_whatever_the_platform_sets(self, name: str) -> None:
        desk, told = Desk(name), Desk(name)
        told.ask("1000", OverTime="7", ReCount="2")
        for one in (desk, told):
            one.acknowledges = False
            one.take()
            one.dismantle(True)
            one.pass_time(60)
        assert len(desk.take()) == {"no-resend": 1, "hasty-resend": 4}.get(name, 7)
        spacing = {b.at - a.at for a, b in pairwise(told.take())}
        assert spacing == {"no-resend": set(), "hasty-resend": {1.0}, "endless-resend": {7.0}}[name]

    def test_answers_acknowledgement_and_stops_there(self) -> None:
        desk = day_of("answers-acknowledgement")
        assert len([sent for sent in desk.sent if sent.message.cn == "9011"]) == desk.door.acknowledged + 3

    def test_mixed_forms(self) -> None:
        desk = day_of("mixed-forms")
        assert {"i32002-Rtd", "i32002-Info"} <= {key for s in desk.sent for key, _ in s.message.parameters()}

    def test_method_collapsed(self) -> None:
        assert set(items_of(day_of("method-collapsed"), "i32004-Info")) == {"1", "4", "2"}
        assert items_of(day_of("method-collapsed"), "i32004-Info")[:4] == ["1", "4", "2", "2"]

    def test_constant_door(self) -> None:
        assert set(items_of(day_of("constant-door"), "i32001-Info")) == {"1"}

    def test_send_time_as_open_time(self) -> None:
        assert "20250915171000" in items_of(day_of(), "i32006-Info")
        wrong = items_of(day_of("send-time-as-open-time"), "i32006-Info")
        assert "20250915171000" not in wrong
        assert "20250915174005" in wrong

    def test_only_face_recorded(self) -> None:
        assert items_of(day_of("only-face-recorded"), "i32004-Info") == ["1"]

    def test_invented_remote_opening(self) -> None:
        right, wrong = items_of(day_of(), "i32005-Info"), items_of(day_of("invented-remote-opening"), "i32005-Info")
        assert right[3:5] == ["1001", "1002"]
        assert wrong[3:6] == ["1001", "1001", "1002"]

    def test_lockout_says_nothing_until_the_defect_is_over(self) -> None:
        desk = day_of("lockout-unreported")
        assert set(items_of(desk, "i32003-Info")) == {"0"}
        assert "20250915152930" in items_of(day_of(), "DataTime")
        assert "20250915152930" not in items_of(desk, "DataTime")
        assert "20250915154430" in items_of(desk, "DataTime")

    def test_loses_records_offline(self) -> None:
        desk = day_of("loses-records-offline")
        assert "1003" not in items_of(desk, "i32005-Info")
        assert "1003" in items_of(day_of(), "i32005-Info")

    def test_code_changes_on_reboot(self) -> None:
        codes = items_of(day_of("code-changes-on-reboot"), "i32005-Info")
        assert (codes[0], codes[-1]) == ("1001", "1001R1")

    @pytest.mark.parametrize(
        ("name", "steps"),
        [
            ("half-hour-report", {1800}),
            ("slow-timer", {920}),
            ("drifting-timer", {903}),
            ("skipped-report", {900, 1800}),
        ],
    )
    def test_timers(self, name: str, steps: set[int]) -> None:
        desk = Desk(name)
        desk.pass_time(20_000)
        reports = desk.with_parameter("i32003-Info")
        assert {b.at - a.at for a, b in pairwise(reports)} == steps

    def test_event_restarts_timer(self) -> None:
        desk = Desk("event-restarts-timer")
        desk.pass_time(400)
        desk.dismantle(True)
        desk.take()
        desk.pass_time(900)
        assert [sent.at for sent in desk.take()] == [1300]

    @pytest.mark.parametrize(("name", "delay"), [("late-upload", 400), ("slow-upload", 90)])
    def test_delays(self, name: str, delay: int) -> None:
        desk = Desk(name)
        desk.pass_time(4000)
        for sent in desk.with_parameter("i32003-Info"):
            assert sent.at - (parse_time(sent["DataTime"] or "").timestamp() - EPOCH) == delay

    @pytest.mark.parametrize(("name", "error"), [("clock-90s-fast", 90), ("clock-30s-fast", 30)])
    def test_clocks(self, name: str, error: int) -> None:
        for sent in Desk(name).sent:
            assert parse_time(sent["DataTime"] or "").timestamp() - EPOCH == sent.at + error


class TestTogether:
    def test_two_faults_on_two_layers(self) -> None:
        (line, *_) = day_of("modbus-crc", "mn-before-pw").stream.split(b"\r\n")
        segment = bytes(line[6:-4])
        assert int(line[-4:], 16) == modbus_crc16(segment)
        assert segment.index(b";MN=") < segment.index(b";PW=")

    def test_two_edits_of_every_message(self) -> None:
        desk = day_of("st-32", "lower-case-info")
        uploads = [sent for sent in desk.sent if sent.message.wants_answer]
        assert {sent.message.st for sent in uploads} == {"32"}
        assert b"-info" in uploads[1].frame.raw

    def test_two_on_one_piece_the_later_wins(self) -> None:
        assert day_of("slow-timer", "half-hour-report").stream == day_of("half-hour-report").stream

    @settings(deadline=None)
    @given(names=st.lists(st.sampled_from(list(OF_DOORS)), min_size=2, max_size=4, unique=True))
    def test_any_of_them_run_together(self, names: list[str]) -> None:
        desk = Desk(*names)
        desk.open(Method.FACE, "1001")
        desk.pass_time(1000)
        desk.link_down()
        desk.close()
        desk.link_up()
        desk.pass_time(4000)
        assert desk.stream

    def test_edits_do_not_touch_what_is_kept(self) -> None:
        """An upload is edited anew each time it goes out; what waits stays as it was composed."""
        behaviour = behaviour_with([name for name, fault in OF_DOORS.items() if fault.layer == "protocol"])
        (upload, *_) = Desk(linked=False).door.queue
        before = bytes(upload.message)
        for edit in behaviour.shape:
            for kind in ("periodic", "change", "record", "log", "restart", "reply"):
                assert isinstance(edit(upload.message, kind), Message)
        stamped = Upload("record", upload.message)
        find("send-time-as-open-time").apply(behaviour)
        behaviour.transmit(stamped, Desk().door, 99.0)
        assert bytes(upload.message) == before
