"""The station's side in virtual time against a real platform: uploads, requests, settings, history, in each edition."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hj212 import HJ_212_2017, HJ_212_2025, HJ_T_212_2005, Connection, LocalProtocolError, Role, Rules, compose
from hj212.events import AnswerUnexpected, UploadAcknowledged
from hj212.host import Outcome, UploadReceived
from hj212.messages import acknowledgement
from hj212.station import (
    LinkUnusable,
    MemoryOutbox,
    Policy,
    RecordDropped,
    UploadDelivered,
    UploadStored,
    WhyDropped,
)

from .back_to_back import MN, PW, Pair, live, minute

EDITIONS = pytest.mark.parametrize("rules", [HJ_T_212_2005, HJ_212_2017, HJ_212_2025], ids=lambda r: r.edition.value)


@EDITIONS
class TestUploads:
    def test_new_data_go_at_once_and_are_gone_when_acknowledged(self, rules: Rules) -> None:
        pair = Pair(rules)
        (record,) = pair.report("2011", live())
        assert [bytes(m) for m in pair.uploads] == [bytes(m) for m in pair.up]
        assert pair.of(UploadDelivered) == [UploadDelivered(record, False)]
        assert (len(pair.station.outbox), pair.station.outstanding) == (0, 0)

    def test_data_made_without_a_link_are_back_filled_oldest_first(self, rules: Rules) -> None:
        pair = Pair(rules, link=False)
        times = [f"2025091510{minute:02}00" for minute in range(10)]
        for time in times:
            pair.report("2051", minute(time))
        assert (len(pair.station.outbox), len(pair.of(UploadStored))) == (10, 10)
        pair.connect()
        pair.wait(60)
        assert [m.parameter("DataTime") for m in pair.uploads] == times
        assert {m.back_filled for m in pair.uploads} == {rules.back_fill_field}
        assert all(event.back_filled for event in pair.of(UploadDelivered))
        assert len(pair.station.outbox) == 0

    def test_back_fill_is_paced(self, rules: Rules) -> None:
        pair = Pair(rules, link=False, policy=Policy(back_fill_per_s=2.0))
        for number in range(10):
            pair.report("2051", minute(f"2025091510{number:02}00"))
        pair.connect()
        pair.wait(1.9)
        assert len(pair.uploads) == 4
        pair.wait(10)
        assert len(pair.uploads) == 10

    def test_new_data_pass_stored_data(self, rules: Rules) -> None:
        pair = Pair(rules, link=False, policy=Policy(back_fill_per_s=1.0))
        for number in range(5):
            pair.report("2051", minute(f"2025091510{number:02}00"))
        pair.connect()
        pair.wait(1.5)
        pair.report("2011", live("20250915110000"))
        pair.wait(10)
        assert [m.cn for m in pair.uploads] == ["2051", "2051", "2011", "2051", "2051", "2051"]
        assert [m.back_filled for m in pair.uploads if m.cn == "2011"] == [False]

    def test_resend_repeats_the_frame_and_then_the_data_are_stored(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.lose_down = lambda message: message.cn == "9014"
        (record,) = pair.report("2011", live())
        pair.wait(39)
        assert pair.of(UploadStored) == []
        pair.wait(2)
        assert pair.of(UploadStored) == [UploadStored(record, 4)]
        assert [event.sent for event in pair.of(LinkUnusable)] == [4]
        assert len({bytes(m) for m in pair.up}) == 1
        assert len(pair.up) == 4
        assert (len(pair.station.outbox), pair.station.outstanding) == (1, 0)
        pair.lose_down = lambda message: False
        pair.cut()
        pair.connect()
        assert len(pair.station.outbox) == 0
        assert pair.up[-1].qn == record.qn
        assert pair.up[-1].back_filled == rules.back_fill_field

    def test_acknowledgement_that_comes_too_late_still_counts(self, rules: Rules) -> None:
        pair = Pair(rules, policy=Policy(unanswered_limit=2))
        pair.lose_up = lambda message: True
        (record,) = pair.report("2011", live())
        pair.wait(41)
        assert pair.of(UploadStored) == [UploadStored(record, 4)]
        pair.host.receive_data(bytes(pair.up[0].encode(rules)), pair.now)
        pair.run()
        assert len(pair.station.outbox) == 0
        assert len(pair.of(UploadDelivered)) == 1

    def test_cut_while_under_way(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.lose_up = lambda message: True
        for second in range(8):
            pair.report("2011", live(f"2025091510000{second}"))
        assert len(pair.up) == 4  # Policy.in_flight
        pair.cut()
        assert len(pair.of(UploadStored)) == 8
        pair.lose_up = lambda message: False
        pair.connect()
        pair.wait(60)
        assert sorted(m.parameter("DataTime") or "" for m in pair.uploads) == [
            f"2025091510000{second}" for second in range(8)
        ]
        assert len(pair.station.outbox) == 0

    def test_without_acknowledgement_data_are_gone_when_written(self, rules: Rules) -> None:
        pair = Pair(rules, policy=Policy(acknowledged=False))
        pair.report("2011", live())
        assert [m.wants_answer for m in pair.uploads] == [False]
        assert (len(pair.station.outbox), pair.down) == (0, [])
        pair.cut()
        for second in range(8):
            pair.report("2011", live(f"2025091510000{second}"))
        pair.connect()
        pair.wait(30)
        assert len(pair.uploads) == 9
        assert len(pair.station.outbox) == 0

    def test_without_acknowledgement_what_was_not_written_is_kept(self, rules: Rules) -> None:
        pair = Pair(rules, policy=Policy(acknowledged=False))
        pair.station.report("2011", live(), 0.0)
        pair.cut()
        assert len(pair.station.outbox) == 1

    def test_full_outbox_drops_the_oldest_and_says_so(self, rules: Rules) -> None:
        pair = Pair(rules, link=False, outbox=MemoryOutbox(limit=3))
        records = [pair.report("2051", minute(f"2025091510{number:02}00"))[0] for number in range(5)]
        assert [(e.record, e.why) for e in pair.of(RecordDropped)] == [(r, WhyDropped.FULL) for r in records[:2]]
        pair.connect()
        pair.wait(10)
        assert [m.parameter("DataTime") for m in pair.uploads] == ["20250915100200", "20250915100300", "20250915100400"]

    def test_long_messages_travel_in_packets_one_at_a_time(self, rules: Rules) -> None:
        pair = Pair(rules)
        values = [[(f"w{number:05}-Avg", "123.456"), (f"w{number:05}-Flag", "N")] for number in range(90)]
        items = [[("DataTime", "20250915100000")], *values]
        records = pair.report("2051", items)
        assert len(records) >= 3
        assert [m.pno for m in pair.up] == list(range(1, len(records) + 1))
        (joined,) = [e.message for e in pair.heard if type(e).__name__ == "PacketsJoined"]
        assert [[tuple(p) for p in item] for item in joined.items] == items
        assert len(pair.station.outbox) == 0

    def test_lost_packet_alone_is_sent_again(self, rules: Rules) -> None:
        pair = Pair(rules)
        lost = {2}
        pair.lose_up = lambda message: message.pno in lost
        values = [[(f"w{number:05}-Avg", "123.456"), (f"w{number:05}-Flag", "N")] for number in range(90)]
        pair.report("2051", [[("DataTime", "20250915100000")], *values])
        pair.wait(11)
        lost.clear()
        pair.cut()
        pair.connect()
        pair.wait(30)
        assert len(pair.station.outbox) == 0
        assert {m.pno for m in pair.uploads} == set(range(1, (pair.up[0].pnum or 0) + 1))

    def test_packets_wait_for_the_one_before(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.lose_down = lambda message: message.cn == "9014"
        values = [[(f"w{number:05}-Avg", "123.456"), (f"w{number:05}-Flag", "N")] for number in range(90)]
        pair.report("2051", [[("DataTime", "20250915100000")], *values])
        assert [m.pno for m in pair.up] == [1]
        pair.lose_down = lambda message: False
        pair.wait(10)
        assert [m.pno for m in pair.up] == [1, *range(1, (pair.up[0].pnum or 0) + 1)]

    def test_record_that_is_never_acknowledged_holds_up_no_other(self, rules: Rules) -> None:
        pair = Pair(rules, link=False)
        records = [pair.report("2051", minute(f"2025091510{number:02}00"))[0] for number in range(5)]
        pair.lose_up = lambda message: message.parameter("DataTime") == records[0].data_time
        pair.connect()
        pair.wait(200)
        assert {m.parameter("DataTime") for m in pair.uploads} == {record.data_time for record in records[1:]}
        assert [record.id for record in pair.station.outbox.oldest(9)] == [records[0].id]

    def test_what_the_edition_does_not_have_is_refused(self, rules: Rules) -> None:
        pair = Pair(rules)
        with pytest.raises(LocalProtocolError, match="2999 is not in"):
            pair.report("2999", live())
        pair.report("2999", live(), anyway=True)
        assert [m.cn for m in pair.uploads] == ["2999"]
        assert len(pair.station.outbox) == 0


@EDITIONS
class TestRequests:
    def test_readings(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.greet()
        result = pair.ask("1061")
        assert (result.outcome, result.value("RtdInterval")) == (Outcome.DONE, "30")
        assert pair.ask("1011").value("SystemTime") == "20250915100000"

    def test_history(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.greet()
        times = [f"20250915{hour:02}0000" for hour in range(10)]
        pair.site.records["2061"] = [minute(time) for time in times]
        result = pair.ask("2061", begin=times[2], end=times[6])
        assert result.outcome is Outcome.DONE
        assert [m.parameter("DataTime") for m in result.messages] == times[2:7]
        assert all(event.acknowledged for event in pair.of(UploadReceived))
        assert pair.station.outstanding == 0
        assert pair.ask("2061", begin="20240101000000", end="20240102000000").outcome is Outcome.NO_DATA
        bad = pair.ask("2061", begin=times[6], end=times[2], anyway=True)
        assert (bad.outcome, bad.code) == (Outcome.FAILED, 3)

    def test_foreign_commands_are_refused(self, rules: Rules) -> None:
        """One of another edition; one of none, for whose answer the platform does not wait."""
        foreign = {HJ_T_212_2005: "1063", HJ_212_2017: "3022", HJ_212_2025: "3014"}
        pair = Pair(rules)
        pair.greet()
        result = pair.ask(foreign[rules], anyway=True)
        assert (result.outcome, result.code) == (Outcome.REFUSED, 8)
        pair.ask("1999", anyway=True)
        assert (pair.up[-1].cn, pair.up[-1].parameter("QnRtn")) == ("9011", "8")
        assert pair.site.asked == []

    def test_password(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.greet()
        result = pair.ask("1072", {"PW" if rules.reply_qn_in_parameters else "NewPW": "n3w"})
        assert result.outcome is Outcome.DONE
        assert pair.station.settings.pw == "n3w"
        assert pair.ask("1061").outcome is Outcome.DONE
        pair.report("2011", live())
        assert pair.uploads[-1].pw == "n3w"
        assert pair.changes == [{"pw"}]


def test_settings_of_a_policy_that_cannot_work() -> None:
    with pytest.raises(ValueError, match="together at most"):
        Policy(in_flight=60)
    with pytest.raises(ValueError, match="more than 0"):
        replace(Policy(), back_fill_per_s=0.0)


class TestConnection:
    """What a station needs of the link below it."""

    def test_answer_that_names_another_packet_answers_none(self) -> None:
        """Packets of the 2005 edition share a QN: a 9014 that comes twice is not the next packet's."""
        head = {"qn": "20250915100000123", "st": "32", "cn": "2051", "pw": PW, "mn": MN}
        first, second = (compose(HJ_T_212_2005, **head, answer=True, packet=(n, 2)) for n in (1, 2))
        connection = Connection(Role.STATION, HJ_T_212_2005)
        connection.send(second, 0.0)
        connection.receive_data(acknowledgement(first, HJ_T_212_2005).encode(HJ_T_212_2005), 1.0)
        assert [type(event) for event in connection.events()] == [AnswerUnexpected]
        connection.receive_data(acknowledgement(second, HJ_T_212_2005).encode(HJ_T_212_2005), 1.0)
        assert [type(event) for event in connection.events()] == [UploadAcknowledged]

    def test_unknown_upload_that_wants_an_answer_waits_for_it(self) -> None:
        head = {"qn": "20250915100000123", "st": "32", "cn": "2999", "pw": PW, "mn": MN}
        connection = Connection(Role.STATION, HJ_212_2017)
        connection.send(compose(HJ_212_2017, **head, answer=True), 0.0)
        assert connection.outstanding == 1
