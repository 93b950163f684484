"""What a station answers: codes, settings, site operations, history between live data, and requests that come twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hj212 import HJ_212_2017, HJ_212_2025, HJ_T_212_2005, RULES, ExeRtn, Message, Rules, compose
from hj212.host import Outcome, SetupFinished, SetupPlan
from hj212.host import Policy as HostPolicy
from hj212.station import (
    ClockSet,
    MessageIgnored,
    NoticeReceived,
    Policy,
    RequestAnswered,
    RequestEnded,
    RequestRepeated,
    Settings,
    SiteFailed,
)
from hj212.strategies import damaged_frames, messages

from .back_to_back import MN, PW, T0, Pair, live, minute

EDITIONS = pytest.mark.parametrize("rules", [HJ_T_212_2005, HJ_212_2017, HJ_212_2025], ids=lambda r: r.edition.value)
NEWER = pytest.mark.parametrize("rules", [HJ_212_2017, HJ_212_2025], ids=lambda r: r.edition.value)

QN = "20250915100000123"


def request(rules: Rules, cn: str, *pairs: tuple[str, str], **fields: Any) -> Message:
    head: dict[str, Any] = {"qn": QN, "st": "32", "pw": PW, "mn": MN, "answer": True, **fields}
    return compose(rules, cn=cn, items=[[pair] for pair in pairs], **head)


def say(pair: Pair, message: Message) -> list[Message]:
    """Give the station a message past the platform; return what it writes."""
    start = len(pair.up)
    pair.station.receive_data(message.encode(pair.rules), pair.now)
    pair.run()
    return pair.up[start:]


def codes(answers: list[Message]) -> list[tuple[str, str]]:
    return [(m.cn, m.parameter("QnRtn") or m.parameter("ExeRtn") or "") for m in answers]


@EDITIONS
class TestRefusals:
    @pytest.mark.parametrize(
        ("fields", "code"),
        [
            ({"mn": "1" * 24}, "4"),
            ({"pw": "other"}, "3"),
            ({"st": "21"}, "5"),
            ({"qn": "2025091510"}, "7"),
            ({"packet": (1, 2)}, "6"),
        ],
    )
    def test_what_is_wrong_is_told(self, rules: Rules, fields: dict[str, Any], code: str) -> None:
        pair = Pair(rules)
        answers = say(pair, request(rules, "1062", ("RtdInterval", "60"), **fields))
        assert codes(answers) == [("9011", code)]
        assert pair.station.settings.rtd_interval_s == 30

    def test_flag_that_is_no_number(self, rules: Rules) -> None:
        pair = Pair(rules)
        message = request(rules, "1061")
        message.segment.header = [[k, "x" if k == "Flag" else v] for k, v in message.segment.header]
        assert codes(say(pair, message)) == [("9011", "6")]

    def test_checks_can_be_left_out(self, rules: Rules) -> None:
        pair = Pair(rules, policy=Policy(check_mn=False, check_pw=False, check_st=False))
        message = request(rules, "1061", mn="1" * 24, pw="other", st="21")
        assert codes(say(pair, message))[0] == ("9011", "1")

    def test_answers_are_never_answered(self, rules: Rules) -> None:
        pair = Pair(rules)
        for cn in ("9011", "9012", "9013", "9014"):
            assert say(pair, request(rules, cn)) == []

    def test_request_that_wants_no_answer(self, rules: Rules) -> None:
        message = request(rules, "1062", ("RtdInterval", "60"), answer=False)
        assert codes(say(Pair(rules), message)) == [("9011", "1"), ("9012", "1")]
        pair = Pair(rules, policy=Policy(answer_unasked=False))
        assert codes(say(pair, message)) == [("9012", "1")]
        assert pair.station.settings.rtd_interval_s == 60

    def test_notice_with_a_wrong_password_is_ignored(self, rules: Rules) -> None:
        pair = Pair(rules)
        assert say(pair, request(rules, "2012", pw="other")) == []
        assert [event.reason for event in pair.of(MessageIgnored)] == [3]
        assert pair.station.settings.realtime

    def test_foreign_command_may_go_to_the_site(self, rules: Rules) -> None:
        pair = Pair(rules, policy=Policy(refuse_foreign=False))
        pair.site.outcomes["1999"] = ExeRtn.SUCCESS
        assert codes(say(pair, request(rules, "1999"))) == [("9011", "1"), ("9012", "1")]

    def test_parameter_that_lacks(self, rules: Rules) -> None:
        pair = Pair(rules)
        assert codes(say(pair, request(rules, "1062"))) == [("9011", "1"), ("9012", "3")]
        assert codes(say(pair, request(rules, "3012"))) == [("9011", "1"), ("9012", "3")]
        assert pair.site.asked == []


@EDITIONS
class TestSettings:
    @pytest.mark.parametrize(
        ("cn", "pairs", "changed"),
        [
            ("1000", (("OverTime", "5"), ("ReCount", "2")), {"overtime_s": 5, "recount": 2}),
            ("1062", (("RtdInterval", "60"),), {"rtd_interval_s": 60}),
            ("1012", (("SystemTime", "20250915100130"),), {"clock_offset_s": 90.0}),
        ],
    )
    def test_change(self, rules: Rules, cn: str, pairs: Any, changed: dict[str, Any]) -> None:
        pair = Pair(rules)
        assert codes(say(pair, request(rules, cn, *pairs))) == [("9011", "1"), ("9012", "1")]
        assert pair.changes == [set(changed)]
        assert {name: getattr(pair.station.settings, name) for name in changed} == changed

    @pytest.mark.parametrize(
        ("cn", "pairs"),
        [
            ("1000", (("OverTime", "100000"), ("ReCount", "2"))),
            ("1000", (("OverTime", "5"), ("ReCount", "many"))),
            ("1062", (("RtdInterval", "0"),)),
            ("1012", (("SystemTime", "2025-09-15"),)),
        ],
    )
    def test_value_out_of_range_changes_nothing(self, rules: Rules, cn: str, pairs: Any) -> None:
        pair = Pair(rules)
        assert codes(say(pair, request(rules, cn, *pairs))) == [("9011", "1"), ("9012", "3")]
        assert pair.changes == []

    def test_timers_are_in_force_at_once(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.greet()
        assert pair.ask("1000", {"OverTime": "2", "ReCount": "1"}).outcome is Outcome.DONE
        pair.lose_up = lambda message: message.cn == "2011"
        pair.report("2011", live())
        pair.wait(5)
        assert [m.cn for m in pair.up].count("2011") == 2
        assert len(pair.station.outbox) == 1

    def test_clock_is_the_stations_own(self, rules: Rules) -> None:
        pair = Pair(rules)
        say(pair, request(rules, "1012", ("SystemTime", "20250915110000")))
        assert pair.of(ClockSet) == [ClockSet("20250915110000", 3600.0)]
        assert pair.station.clock() == T0 + 3600
        (record,) = pair.report("2011", live())
        assert record.qn.startswith("202509151100")

    def test_clock_that_the_site_sets(self, rules: Rules) -> None:
        pair = Pair(rules, policy=Policy(own_clock=False))
        pair.site.outcomes["1012"] = ExeRtn.SUCCESS
        say(pair, request(rules, "1012", ("SystemTime", "20250915110000")))
        assert [m.cn for m in pair.site.asked] == ["1012"]
        assert pair.changes == []

    def test_start_and_stop(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.greet()
        assert pair.result(pair_stop(pair)).outcome is Outcome.DONE
        assert pair.report("2011", live()) == []
        assert not pair.station.wants("2011")
        assert pair.station.wants("2021")
        pair.host.start(MN, "2011", pair.now)
        pair.run()
        assert pair.report("2011", live())
        assert pair.changes == [{"realtime"}, {"realtime"}]
        ends = [m.cn for m in pair.up if m.cn in ("9011", "9012")]
        assert ends == (["9011"] if rules.reply_qn_in_parameters else ["9011", "9012"])

    def test_station_that_reports_regardless(self, rules: Rules) -> None:
        pair = Pair(rules, policy=Policy(stops=False))
        say(pair, request(rules, "2012"))
        assert not pair.station.settings.realtime
        assert pair.report("2011", live())

    def test_local_change(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.station.configure(pair.now, pw="local", rtd_interval_s=30)
        pair.run()
        assert pair.changes == [{"pw"}]
        assert "local" not in repr(pair.station.settings)


def pair_stop(pair: Pair) -> Any:
    ticket = pair.host.stop(MN, "2011", pair.now)
    pair.run()
    return ticket


@NEWER
class TestNewer:
    def test_setup_sequence(self, rules: Rules) -> None:
        plan = SetupPlan(overtime_s=7, recount=2, rtd_interval_s=60, min_interval=5, realtime=True, state=False)
        pair = Pair(rules, host_policy=HostPolicy(setup=plan))
        pair.greet()
        pair.wait(1)
        (finished,) = pair.of(SetupFinished)
        assert [result.outcome for result in finished.steps] == [Outcome.DONE] * 6
        settings = pair.station.settings
        assert (settings.overtime_s, settings.recount, settings.rtd_interval_s) == (7, 2, 60)
        assert (settings.min_interval, settings.realtime, settings.state) == (5, True, False)

    def test_minute_interval(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.greet()
        assert pair.ask("1063").value("MinInterval") == "10"
        assert codes(say(pair, request(rules, "1064", ("MinInterval", "7")))) == [("9011", "1"), ("9012", "3")]

    def test_power_on_is_told_once(self, rules: Rules) -> None:
        pair = Pair(rules, restarted=T0 - 60)
        (upload,) = pair.uploads
        assert (upload.cn, upload.parameter("RestartTime")) == ("2081", "20250915095900")
        pair.cut()
        pair.connect()
        assert len(pair.uploads) == 1

    def test_clock_is_asked_for(self, rules: Rules) -> None:
        """1013, 9013, 1012."""
        pair = Pair(rules, policy=Policy(calibrate_s=86400.0), settings=Settings(mn=MN, pw=PW, clock_offset_s=-30.0))
        assert [m.cn for m in pair.up] == ["1013", "9011", "9012"]
        assert pair.station.settings.clock_offset_s == 0
        pair.wait(86400)
        assert [m.cn for m in pair.up].count("1013") == 2

    def test_instrument_clock_goes_to_the_site(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.greet()
        pair.site.outcomes["1011"] = [[("PolId", "w01018")], [("SystemTime", "20250915095955")]]
        assert pair.ask("1011", {"PolId": "w01018"}).value("SystemTime") == "20250915095955"

    def test_site_information_as_value_and_as_log(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.greet()
        pair.site.outcomes["3020"] = [[("DataTime", "20250915100000")], [("i12001-Info", "1")]]
        pair.site.records["3020"] = [[[("DataTime", "20250915090000")], [("i11001-Info", "//started; ok//")]]]
        assert pair.ask("3020", {"InfoId": "i12001", "PolId": "w01018"}).value("i12001-Info") == "1"
        log = pair.ask("3020", {"InfoId": "i11001"}, begin="20250915000000", end="20250915235959")
        assert (log.outcome, log.value("i11001-Info")) == (Outcome.DONE, "//started; ok//")
        assert pair.site.parameters == [{"InfoId": "i11001"}]

    @pytest.mark.parametrize(("cn", "editions"), [("3018", "both"), ("3019", "both"), ("3017", "old"), ("3015", "old")])
    def test_value_repeats_the_qn_of_the_request(self, rules: Rules, cn: str, editions: str) -> None:
        pair = Pair(rules)
        pair.site.outcomes[cn] = [[("PolId", "w01018")], [("Answer", "1")]]
        answers = say(pair, request(rules, cn, ("PolId", "w01018")))
        if editions == "old" and rules is HJ_212_2025:
            assert codes(answers) == [("9011", "8")]  # no longer in the edition
        else:
            assert [m.cn for m in answers] == ["9011", cn, "9012"]
            assert {m.qn for m in answers} == {QN}
            assert not answers[1].wants_answer

    def test_value_too_long_for_a_frame(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.greet()
        values = [[(f"i{number:05}-Info", "123456789")] for number in range(120)]
        pair.site.outcomes["3020"] = [[("DataTime", "20250915100000")], *values]
        result = pair.ask("3020", {"InfoId": "i13000", "PolId": "w01018"})
        assert result.outcome is Outcome.DONE
        (message,) = result.messages
        assert len(message.items) == 121


@EDITIONS
class TestSite:
    def test_control(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.greet()
        pair.site.outcomes["3012"] = ExeRtn.BUSY
        result = pair.ask("3012", {"PolId": "w01018"})
        assert (result.outcome, result.code) == (Outcome.FAILED, 5)
        assert [m.parameter("PolId") for m in pair.site.asked] == ["w01018"]

    def test_control_that_takes_time(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.greet()
        pair.site.outcomes["3012"] = None
        ticket = pair.host.ask(MN, "3012", pair.now, {"PolId": "w01018"})
        pair.wait(5)
        assert pair.station.outstanding == 1
        (asked,) = pair.site.asked
        assert pair.station.finish(asked, ExeRtn.SUCCESS, pair.now)
        pair.run()
        assert pair.result(ticket).outcome is Outcome.DONE
        assert not pair.station.finish(asked, ExeRtn.SUCCESS, pair.now)

    def test_only_one_at_a_time(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.site.outcomes["3012"] = None
        first = request(rules, "3012", ("PolId", "w01018"))
        second = request(rules, "3012", ("PolId", "w01018"), qn="20250915100000124")
        assert codes(say(pair, first)) == [("9011", "1")]
        assert codes(say(pair, second)) == [("9011", "2")]
        assert len(pair.site.asked) == 1

    def test_queue(self, rules: Rules) -> None:
        pair = Pair(rules, policy=Policy(max_queued=1))
        pair.site.outcomes["3012"] = None
        asked = [request(rules, "3012", ("PolId", "w01018"), qn=f"2025091510000012{n}") for n in range(3)]
        assert [codes(say(pair, message)) for message in asked] == [[("9011", "1")], [], [("9011", "2")]]
        assert say(pair, asked[1]) == []
        start = len(pair.up)
        pair.station.finish(pair.site.asked[0], ExeRtn.SUCCESS, pair.now)
        pair.run()
        assert codes(pair.up[start:]) == [("9012", "1"), ("9011", "1")]

    def test_site_that_fails_ends_only_its_request(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.greet()

        def broken(_request: Message) -> None:
            raise OSError("serial line is gone")

        pair.site.outcomes["3012"] = broken
        assert pair.ask("3012", {"PolId": "w01018"}).code == ExeRtn.SYSTEM_FAULT
        assert [str(event.error) for event in pair.of(SiteFailed)] == ["serial line is gone"]
        assert pair.ask("1061").outcome is Outcome.DONE

    def test_station_without_a_site_refuses(self, rules: Rules) -> None:
        pair = Pair(rules, history=None, operate=None)
        pair.greet()
        assert pair.ask("3012", {"PolId": "w01018"}).code == 2
        assert pair.ask("2051", begin="20250915000000", end="20250915100000").code == 2

    def test_link_that_ends_ends_the_request(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.site.outcomes["3012"] = None
        message = request(rules, "3012", ("PolId", "w01018"))
        say(pair, message)
        pair.cut()
        assert [event.code for event in pair.of(RequestEnded)] == [None]
        assert not pair.station.finish(pair.site.asked[0], ExeRtn.SUCCESS, pair.now)
        pair.connect()
        assert codes(say(pair, message)) == [("9011", "1")]
        assert len(pair.site.asked) == 2


@EDITIONS
class TestTwice:
    def test_setting_is_answered_again_and_not_done_again(self, rules: Rules) -> None:
        pair = Pair(rules)
        message = request(rules, "1062", ("RtdInterval", "60"))
        first = [bytes(m) for m in say(pair, message)]
        pair.station.configure(pair.now, rtd_interval_s=45)
        assert [bytes(m) for m in say(pair, message)] == first
        assert pair.station.settings.rtd_interval_s == 45
        assert len(pair.of(RequestRepeated)) == 1

    def test_control(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.site.outcomes["3012"] = None
        message = request(rules, "3012", ("PolId", "w01018"))
        assert codes(say(pair, message)) == [("9011", "1")]
        assert codes(say(pair, message)) == [("9011", "1")]
        pair.station.finish(pair.site.asked[0], ExeRtn.TIMEOUT, pair.now)
        pair.run()
        assert codes(say(pair, message)) == [("9011", "1"), ("9012", "4")]
        assert len(pair.site.asked) == 1

    def test_value(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.site.outcomes["3012"] = [[("Answer", "1")]]
        message = request(rules, "3012", ("PolId", "w01018"))
        first = [bytes(m) for m in say(pair, message)]
        assert [bytes(m) for m in say(pair, message)] == first
        assert len(first) == 3
        assert len(pair.site.asked) == 1

    def test_refusal(self, rules: Rules) -> None:
        pair = Pair(rules)
        message = request(rules, "1061", pw="other")
        assert [codes(say(pair, message)) for _ in range(3)] == [[("9011", "3")]] * 3

    def test_history(self, rules: Rules) -> None:
        """Acknowledged records are not sent again; of others nobody knows whether they arrived."""
        for acknowledged, again in ((True, 0), (False, 1)):
            pair = Pair(rules, policy=Policy(acknowledged=acknowledged))
            pair.site.records["2051"] = [minute("20250915090000")]
            message = request(rules, "2051", ("BeginTime", "20250915090000"), ("EndTime", "20250915090000"))
            assert [m.cn for m in say(pair, message)] == ["9011", "2051", "9012"]
            pair.wait(1)
            assert [m.cn for m in say(pair, message)].count("2051") == again

    def test_after_a_while_it_is_another_request(self, rules: Rules) -> None:
        pair = Pair(rules, policy=Policy(repeat_s=60.0))
        message = request(rules, "1062", ("RtdInterval", "60"))
        say(pair, message)
        pair.station.configure(pair.now, rtd_interval_s=45)
        pair.wait(61)
        say(pair, message)
        assert pair.station.settings.rtd_interval_s == 60

    def test_notice(self, rules: Rules) -> None:
        pair = Pair(rules)
        message = request(rules, "2012")
        assert codes(say(pair, message)) == [("9013", "")]
        pair.station.configure(pair.now, realtime=True)
        assert codes(say(pair, message)) == [("9013", "")]
        assert pair.station.settings.realtime
        assert [event.repeated for event in pair.of(NoticeReceived)] == [False, True]


@EDITIONS
class TestHistory:
    TIMES = tuple(f"202509150900{second:02}" for second in range(60))

    def test_each_record_waits_for_the_one_before(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.greet()
        pair.site.records["2051"] = [minute(time) for time in self.TIMES]
        pair.host.connection.overtime_s = 15.0  # it waits for more than one transmission of a record
        pair.lose_down = lambda message: message.cn == "9014"
        ticket = pair.host.history(MN, "2051", self.TIMES[0], self.TIMES[-1], pair.now)
        pair.wait(5)
        assert [m.cn for m in pair.up].count("2051") == 1
        pair.lose_down = lambda message: False
        pair.wait(60)
        assert [m.parameter("DataTime") for m in pair.result(ticket).messages] == list(self.TIMES)

    def test_qn_of_records(self, rules: Rules) -> None:
        """Their own, or in the 2005 edition the request's; the policy may say otherwise."""
        for repeat in (None, True, False):
            pair = Pair(rules, policy=Policy(records_repeat_qn=repeat))
            pair.site.records["2051"] = [minute(time) for time in self.TIMES[:3]]
            message = request(rules, "2051", ("BeginTime", self.TIMES[0]), ("EndTime", self.TIMES[2]))
            qns = [m.qn for m in say(pair, message) if m.cn == "2051"]
            same = rules.packets_share_qn if repeat is None else repeat
            assert qns == [QN] * 3 if same else len({QN, *qns}) == 4

    def test_live_data_come_in_between(self, rules: Rules) -> None:
        pair = Pair(rules, policy=Policy(acknowledged=False, records_per_s=10.0))
        pair.greet()
        pair.site.records["2051"] = [minute(time) for time in self.TIMES]
        ticket = pair.host.history(MN, "2051", self.TIMES[0], self.TIMES[-1], pair.now)
        pair.wait(2)
        pair.report("2011", live())
        pair.wait(10)
        commands = [m.cn for m in pair.uploads]
        assert 0 < commands.index("2011") < len(commands) - 1
        assert len(pair.result(ticket).messages) == 60

    def test_no_answer_to_a_record_fails_the_request(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.site.records["2051"] = [minute(self.TIMES[0])]
        pair.lose_down = lambda message: message.cn == "9014"
        message = request(rules, "2051", ("BeginTime", self.TIMES[0]), ("EndTime", self.TIMES[0]))
        say(pair, message)
        pair.wait(45)
        assert codes(pair.up)[-1] == ("9012", "4")
        assert pair.station.outstanding == 0

    def test_another_range_waits_or_is_refused(self, rules: Rules) -> None:
        pair = Pair(rules)
        pair.site.records["2051"] = [minute(time) for time in self.TIMES]
        pair.lose_down = lambda message: message.cn == "9014"
        bounds = (("BeginTime", self.TIMES[0]), ("EndTime", self.TIMES[5]))
        say(pair, request(rules, "2051", *bounds))
        assert codes(say(pair, request(rules, "2051", *bounds, qn="20250915100000124"))) == [("9011", "2")]
        assert codes(say(pair, request(rules, "1061", qn="20250915100000125")))[0] == ("9011", "1")

    def test_records_are_fetched_as_they_are_sent(self, rules: Rules) -> None:
        """A year of records is never in memory at a time."""
        fetched: list[str] = []

        def history(_cn: str, _begin: str, _end: str, _parameters: dict[str, str]) -> Iterator[Any]:
            for time in self.TIMES:
                fetched.append(time)
                yield minute(time)

        pair = Pair(rules, history=history)
        pair.lose_down = lambda message: message.cn == "9014"
        say(pair, request(rules, "2051", ("BeginTime", self.TIMES[0]), ("EndTime", self.TIMES[-1])))
        assert len(fetched) == 1

    def test_source_that_fails_half_way(self, rules: Rules) -> None:
        def history(_cn: str, _begin: str, _end: str, _parameters: dict[str, str]) -> Iterator[Any]:
            yield minute(self.TIMES[0])
            raise OSError("disk")

        pair = Pair(rules, history=history)
        pair.greet()
        assert pair.ask("2051", begin=self.TIMES[0], end=self.TIMES[-1]).code == ExeRtn.SYSTEM_FAULT
        ended = pair.of(RequestEnded)
        assert [(event.code, event.records) for event in ended] == [(6, 1)]
        assert [event.code for event in pair.of(RequestAnswered)] == [1]


class TestEditions:
    def test_answers_are_the_stations_own_or_the_requests(self) -> None:
        for known, flags in ((None, [8, 8, 8]), (RULES, [4, 8, 4])):
            pair = Pair(HJ_212_2025, known=known)
            assert [m.flag for m in say(pair, request(HJ_212_2017, "1061"))] == flags


class TestAnyInput:
    @EDITIONS
    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    @given(data=st.data())
    def test_nothing_a_platform_sends_breaks_a_station(self, rules: Rules, data: st.DataObject) -> None:
        """Legal messages with the station's own MN, PW and ST, damaged frames and noise, in any order."""
        pair = Pair(rules, policy=Policy(refuse_foreign=False), host_options={"credentials": lambda mn: None})
        pair.site.outcomes = defaultdict(lambda: data.draw(st.sampled_from([ExeRtn.FAILED, None, [[("A", "1")]]])))
        for _ in range(data.draw(st.integers(1, 8))):
            message = data.draw(messages(rules, upward=False))
            own = {"MN": MN, "PW": PW, "ST": "32"}
            if data.draw(st.booleans()):
                message.segment.header = [[k, own.get(k, v)] for k, v in message.segment.header]
            broken = data.draw(st.one_of(st.none(), damaged_frames(rules), st.binary(max_size=60)))
            raw = message.encode(rules) if broken is None else broken if isinstance(broken, bytes) else broken.raw
            pair.station.receive_data(raw, pair.now)
            pair.station.data_to_send()
            pair.station.handle_timeout(pair.now)
            pair.now += data.draw(st.sampled_from([0.0, 1.0, 30.0]))
        pair.cut()
        assert pair.station.outstanding == 0
