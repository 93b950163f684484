"""The platform's side in virtual time against a scripted station, in each edition: what both have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import pytest

from hj212 import (
    HJ_212_2017,
    HJ_212_2025,
    HJ_T_212_2005,
    CommandKind,
    Connection,
    ExeRtn,
    LimitError,
    LocalProtocolError,
    Message,
    QnRtn,
    Role,
    Rules,
    compose,
)
from hj212.events import Event, MessageReceived, UploadAcknowledged
from hj212.framing import Frame, Framer
from hj212.host import (
    Acknowledge,
    Admission,
    Credential,
    EditionChanged,
    Host,
    HostEvent,
    MessageRefused,
    NoticeReceived,
    Outcome,
    PacketsJoined,
    PacketsLost,
    PasswordChanged,
    PasswordWrong,
    Policy,
    Purpose,
    RefusalReason,
    RequestFinished,
    ResultLate,
    SetupFinished,
    SetupPlan,
    StationHeard,
    StationOffline,
    StationOnline,
    Ticket,
    UploadReceived,
)
from hj212.messages import request_answer, request_result
from hj212.times import QnSource

T = TypeVar("T")

MN = "010000A8900016F000169DC0"
OTHER_MN = "010000A8900016F000169DC1"
PW = "s3cret"
T0 = 1757901600.0  # 2025-09-15 10:00:00 UTC+8

EDITIONS = pytest.mark.parametrize("rules", [HJ_T_212_2005, HJ_212_2017, HJ_212_2025], ids=lambda r: r.edition.value)
WITH_SETUP = pytest.mark.parametrize("rules", [HJ_212_2017, HJ_212_2025], ids=lambda r: r.edition.value)


class Peer:
    """A station on a plain connection: answers requests as told, sends what a test asks for."""

    def __init__(
        self, rules: Rules, mn: str = MN, st: str = "32", pw: str = PW, wall: Callable[[], float] = lambda: T0
    ):
        self.rules, self.mn, self.st, self.pw = rules, mn, st, pw
        self.connection = Connection(Role.STATION, rules)
        self.qns = QnSource(wall)
        self.requests: list[Message] = []  #: every request and notice received, in order
        self.codes: dict[str, QnRtn] = {}  #: command -> answer, where it is not READY
        self.results: dict[str, ExeRtn | None] = {}  #: command -> result, ``None`` for no 9012
        self.silent: set[str] = set()  #: commands that get no answer at all
        self.data: dict[str, Callable[[Message], list[Message]]] = {}  #: command -> what answers it
        self.heard: list[Event] = []

    def upload(self, cn: str, *items: list[tuple[str, str]], answer: bool = False, **fields: object) -> Message:
        """Compose a message of the station's own."""
        head: dict[str, object] = {"qn": self.qns(), "st": self.st, "pw": self.pw, "mn": self.mn, **fields}
        return compose(self.rules, cn=cn, items=items, answer=answer, **head)  # type: ignore[arg-type]

    def value(self, request: Message, **values: str) -> Message:
        """Compose the single value that answers a request, with the request's QN."""
        pairs = [[pair] for pair in values.items()]
        if self.rules.reply_qn_in_parameters:
            return self.upload(request.cn, [("QN", request.qn)], *pairs)
        return self.upload(request.cn, *pairs, qn=request.qn)

    def act(self, now: float) -> None:
        for event in self.connection.events():
            self.heard.append(event)
            if isinstance(event, MessageReceived):
                self.requests.append(event.message)
                if event.kind is CommandKind.REQUEST:
                    self.answer(event.message, now)

    def answer(self, request: Message, now: float) -> None:
        cn = request.cn
        if cn in self.silent:
            return
        code = self.codes.get(cn, QnRtn.READY)
        self.connection.answer(request, code)
        if code is not QnRtn.READY:
            return
        for message in self.data.get(cn, lambda _request: [])(request):
            self.connection.send(message, now)
        result = self.results.get(cn, ExeRtn.SUCCESS)
        if result is not None:
            self.connection.complete(request, result)

    @property
    def asked(self) -> list[str]:
        """The commands received, in order."""
        return [request.cn for request in self.requests]


class Link:
    """A host and its stations, joined by a perfect wire; ``lose`` drops frames on it."""

    def __init__(self, rules: Rules, *peers: Peer, policy: Policy | None = None, **options: object) -> None:
        self.now = 0.0
        self.peers = peers
        credentials = options.pop("credentials", lambda mn: None)
        self.host = Host(rules, credentials=credentials, wall=self.wall, policy=policy, **options)  # type: ignore[arg-type]
        self.found: list[HostEvent] = []
        self.lose: Callable[[Message], bool] = lambda message: False

    def wall(self) -> float:
        return T0 + self.now

    def run(self) -> list[HostEvent]:
        """Carry bytes until nobody has any left; return the host's new events."""
        start = len(self.found)
        for _ in range(200):
            out = self.passed(self.host.data_to_send())
            moved = bool(out)
            for peer in self.peers:
                if out:
                    peer.connection.receive_data(out, self.now)
                peer.act(self.now)
                back = peer.connection.data_to_send()
                if back:
                    moved = True
                    self.host.receive_data(self.passed(back), self.now)
            self.found += self.host.events()
            if not moved:
                return self.found[start:]
        raise AssertionError("they answer each other for ever")

    def passed(self, data: bytes) -> bytes:
        frames = [found for found in Framer().feed(data) if isinstance(found, Frame)]
        return b"".join(f.raw for f in frames if not self.lose(Message.from_bytes(f.segment)))

    def say(self, peer: Peer, *messages: Message) -> list[HostEvent]:
        for message in messages:
            peer.connection.send(message, self.now)
        return self.run()

    def wait(self, seconds: float) -> list[HostEvent]:
        """Let time pass, with every timer on the way."""
        start, end = len(self.found), self.now + seconds
        self.run()
        cores = [self.host, *(peer.connection for peer in self.peers)]
        while True:
            when = min((due for core in cores if (due := core.next_timeout()) is not None), default=None)
            if when is None or when > end:
                self.now = end
                return self.found[start:]
            self.now = max(self.now, when)
            self.host.handle_timeout(self.now)
            for peer in self.peers:
                peer.connection.handle_timeout(self.now)
            self.run()

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.found if isinstance(event, kind)]

    def result(self, ticket: Ticket) -> RequestFinished:
        (found,) = [event for event in self.of(RequestFinished) if event.ticket == ticket]
        return found


def live(peer: Peer, time: str = "20250915100000", *, answer: bool = True, **fields: object) -> Message:
    values = [("w01018-Rtd", "2.20"), ("w01018-Flag", "N")]
    return peer.upload("2011", [("DataTime", time)], values, answer=answer, **fields)


def minute(peer: Peer, time: str, **fields: object) -> Message:
    return peer.upload("2051", [("DataTime", time)], [("w01018-Avg", "2.20")], **fields)


@pytest.fixture
def joined(rules: Rules) -> tuple[Link, Peer]:
    """A host and one station that has spoken once."""
    peer = Peer(rules)
    link = Link(rules, peer)
    link.say(peer, live(peer, answer=False))
    return link, peer


@EDITIONS
class TestEveryEdition:
    def test_first_contact_is_reported_once(self, rules: Rules) -> None:
        peer = Peer(rules)
        link = Link(HJ_212_2017, peer)
        events = link.say(peer, live(peer), live(peer, "20250915100030"))
        assert [e for e in events if isinstance(e, StationHeard)] == [StationHeard(MN, rules.edition)]
        assert [type(e) for e in events] == [StationHeard, UploadReceived, UploadReceived]
        station = link.host.station(MN)
        assert (station.rules, station.st, station.online) == (rules, "32", True)

    def test_upload_is_acknowledged_at_once(self, rules: Rules) -> None:
        peer = Peer(rules)
        link = Link(rules, peer)
        upload = live(peer)
        (received,) = [e for e in link.say(peer, upload) if isinstance(e, UploadReceived)]
        assert (received.acknowledged, received.kind, received.request) == (True, CommandKind.UPLOAD, None)
        assert bytes(received.message) == bytes(upload)
        assert [type(e) for e in peer.heard] == [UploadAcknowledged]

    def test_upload_is_acknowledged_when_told(self, rules: Rules) -> None:
        peer = Peer(rules)
        link = Link(rules, peer, policy=Policy(acknowledge=Acknowledge.WHEN_TOLD))
        (received,) = [e for e in link.say(peer, live(peer)) if isinstance(e, UploadReceived)]
        assert (received.acknowledged, peer.heard) == (False, [])
        assert link.host.acknowledge(received.message)
        link.run()
        assert [type(e) for e in peer.heard] == [UploadAcknowledged]

    def test_what_wants_no_answer_gets_none(self, rules: Rules) -> None:
        peer = Peer(rules)
        link = Link(rules, peer)
        (received,) = [e for e in link.say(peer, live(peer, answer=False)) if isinstance(e, UploadReceived)]
        assert (received.acknowledged, peer.heard) == (False, [])
        assert not link.host.acknowledge(received.message)
        assert link.host.data_to_send() == b""

    def test_single_value(self, rules: Rules, joined: tuple[Link, Peer]) -> None:
        link, peer = joined
        peer.data["1061"] = lambda request: [peer.value(request, RtdInterval="30")]
        ticket = link.host.ask(MN, "1061", link.now)
        link.run()
        result = link.result(ticket)
        assert (result.outcome, result.code, result.value("RtdInterval")) == (Outcome.DONE, 1, "30")
        assert link.of(UploadReceived)[-1].request == ticket

    def test_history_without_live_uploads(self, rules: Rules, joined: tuple[Link, Peer]) -> None:
        """Told by CN and time; live data come in between and stay outside."""
        link, peer = joined
        times = ["20250915080000", "20250915081000", "20250915082000"]
        peer.data["2051"] = lambda request: [
            minute(peer, times[0]),
            minute(peer, "20250915095000"),
            minute(peer, times[1]),
            live(peer, "20250915081500"),
            minute(peer, times[2]),
        ]
        ticket = link.host.history(MN, "2051", times[0], times[2], link.now)
        link.run()
        result = link.result(ticket)
        assert (result.outcome, result.truncated) == (Outcome.DONE, False)
        assert [m.parameter("DataTime") for m in result.messages] == times
        assert [e.request for e in link.of(UploadReceived)[1:]] == [ticket, None, ticket, None, ticket]
        (request,) = peer.requests
        begin_end = [["BeginTime", times[0]], ["EndTime", times[2]]]
        assert request.items == ([begin_end] if rules.range_separator == "," else [[pair] for pair in begin_end])

    def test_history_that_takes_longer_than_the_timeout(self, rules: Rules, joined: tuple[Link, Peer]) -> None:
        """Each record starts the execution timeout over, though its QN is its own."""
        link, peer = joined
        peer.results["2051"] = None
        ticket = link.host.history(MN, "2051", "20250915080000", "20250915090000", link.now)
        link.run()
        for number in range(5):
            link.wait(9)
            link.say(peer, minute(peer, f"2025091508{number}000"))
        assert not link.of(RequestFinished)
        link.wait(11)
        result = link.result(ticket)
        assert (result.outcome, len(result.messages)) == (Outcome.NO_RESULT, 5)

    def test_no_data(self, rules: Rules, joined: tuple[Link, Peer]) -> None:
        link, peer = joined
        peer.results["2061"] = ExeRtn.NO_DATA
        ticket = link.host.history(MN, "2061", "20250915080000", "20250915080000", link.now)
        link.run()
        assert link.result(ticket) == RequestFinished(ticket, Outcome.NO_DATA, 100)

    @pytest.mark.parametrize("code", [QnRtn.REFUSED, QnRtn.PW_WRONG, QnRtn.UNKNOWN])
    def test_refused(self, rules: Rules, joined: tuple[Link, Peer], code: QnRtn) -> None:
        link, peer = joined
        peer.codes["1012"] = code
        ticket = link.host.set_time(MN, link.now)
        link.run()
        assert link.result(ticket) == RequestFinished(ticket, Outcome.REFUSED, code)

    def test_failed(self, rules: Rules, joined: tuple[Link, Peer]) -> None:
        link, peer = joined
        peer.results["3011"] = ExeRtn.BUSY
        ticket = link.host.tell(MN, "3011", link.now, {"PolId": "w01018"})
        link.run()
        assert link.result(ticket) == RequestFinished(ticket, Outcome.FAILED, ExeRtn.BUSY)

    def test_lost_answer_is_asked_for_again(self, rules: Rules, joined: tuple[Link, Peer]) -> None:
        link, peer = joined
        lost = iter([True, True])
        link.lose = lambda message: message.cn in ("9011", "9012") and next(lost, False)
        ticket = link.host.set_time(MN, link.now)
        link.run()
        assert not link.of(RequestFinished)
        link.wait(10)
        assert link.result(ticket).outcome is Outcome.DONE
        assert peer.asked == ["1012", "1012"]

    def test_no_answer(self, rules: Rules, joined: tuple[Link, Peer]) -> None:
        link, peer = joined
        peer.silent.add("1012")
        ticket = link.host.set_time(MN, link.now)
        link.wait(41)
        assert link.result(ticket).outcome is Outcome.NO_ANSWER
        assert peer.asked == ["1012"] * 4

    def test_late_result(self, rules: Rules, joined: tuple[Link, Peer]) -> None:
        link, peer = joined
        peer.results["1012"] = None
        ticket = link.host.set_time(MN, link.now)
        link.wait(11)
        assert link.result(ticket).outcome is Outcome.NO_RESULT
        peer.connection.complete(peer.requests[0], ExeRtn.SUCCESS)
        assert link.run() == [ResultLate(ticket, 1)]
        assert peer.asked == ["1012"]

    def test_one_request_at_a_time(self, rules: Rules, joined: tuple[Link, Peer]) -> None:
        link, peer = joined
        peer.silent.add("1012")
        first = link.host.set_time(MN, link.now)
        second = link.host.ask(MN, "1061", link.now)
        link.run()
        assert peer.asked == ["1012"]
        assert not link.host.cancel(first)
        link.wait(41)
        assert [link.result(t).outcome for t in (first, second)] == [Outcome.NO_ANSWER, Outcome.DONE]

    def test_password_changed(self, rules: Rules, joined: tuple[Link, Peer]) -> None:
        """The field is PW in 2005 and NewPW later; what was stored before still carries the old one."""
        link, peer = joined
        link.host.set_password(MN, "abc123", link.now)
        link.run()
        (changed,) = link.of(PasswordChanged)
        assert changed.pw == "abc123"
        assert "abc123" not in repr(link.found)
        assert peer.requests[0].parameter("PW" if rules.reply_qn_in_parameters else "NewPW") == "abc123"
        link.say(peer, live(peer, "20250915100100"))
        link.host.ask(MN, "1061", link.now)
        link.run()
        assert peer.requests[-1].pw == "abc123"
        assert not link.of(PasswordWrong)

    def test_password_kept_where_refused(self, rules: Rules, joined: tuple[Link, Peer]) -> None:
        link, peer = joined
        peer.codes["1072"] = QnRtn.REFUSED
        link.host.set_password(MN, "abc123", link.now)
        link.run()
        assert not link.of(PasswordChanged)
        assert link.host.station(MN).pw == PW

    def test_start_and_stop(self, rules: Rules, joined: tuple[Link, Peer]) -> None:
        link, peer = joined
        start = link.host.start(MN, "2011", link.now)
        link.run()
        stop = link.host.stop(MN, "2011", link.now)
        link.run()
        assert [link.result(t).outcome for t in (start, stop)] == [Outcome.DONE, Outcome.DONE]
        assert peer.asked == ["2011", "2012"]
        assert (peer.requests[0].qn == peer.requests[1].qn) is rules.stop_repeats_qn

    def test_link_closed(self, rules: Rules, joined: tuple[Link, Peer]) -> None:
        link, peer = joined
        peer.data["2051"] = lambda request: [minute(peer, "20250915080000")]
        peer.results["2051"] = None
        first = link.host.history(MN, "2051", "20250915080000", "20250915090000", link.now)
        second = link.host.ask(MN, "1061", link.now)
        link.run()
        link.host.receive_eof(link.now)
        link.run()
        results = [link.result(first), link.result(second)]
        assert [(r.outcome, len(r.messages)) for r in results] == [(Outcome.CLOSED, 1), (Outcome.CLOSED, 0)]

    def test_unknown_command_is_passed_on(self, rules: Rules) -> None:
        peer = Peer(rules)
        link = Link(rules, peer)
        strange = peer.upload("9021", [("x", "1"), ("y",)])  # type: ignore[list-item]
        link.say(peer, strange)
        (received,) = link.of(UploadReceived)
        assert (received.kind, bytes(received.message)) == (None, bytes(strange))

    def test_answer_is_never_answered(self, rules: Rules, joined: tuple[Link, Peer]) -> None:
        link, peer = joined
        for cn in ("9011", "9012", "9013", "9014"):
            frame = peer.upload(cn, [("QnRtn", "1")], st="21", answer=True).encode(rules)
            link.host.receive_data(frame, link.now)
        assert link.host.data_to_send() == b""

    def test_reply_with_a_foreign_system_code(self, rules: Rules, joined: tuple[Link, Peer]) -> None:
        link, peer = joined
        peer.silent.add("1012")
        ticket = link.host.set_time(MN, link.now)
        link.run()
        for reply in (request_answer(peer.requests[0], rules), request_result(peer.requests[0], rules)):
            frame = Message.from_bytes(bytes(reply).replace(b"ST=91", b"ST=32")).encode(rules)
            link.host.receive_data(frame, link.now)
        link.run()
        assert link.result(ticket).outcome is Outcome.DONE

    def test_several_stations_share_a_link(self, rules: Rules) -> None:
        """Each has its queue; what one answers, the other does not."""
        first, second = Peer(rules), Peer(rules, OTHER_MN)
        first.act = second.act = lambda now: None  # type: ignore[method-assign]
        link = Link(rules, first, second)
        link.say(first, live(first, answer=False))
        link.say(second, live(second, answer=False))
        tickets = [link.host.ask(mn, "1061", link.now) for mn in (MN, OTHER_MN)]
        link.run()
        requests = [e.message for e in first.connection.events() if isinstance(e, MessageReceived)]
        assert [request.mn for request in requests] == [MN, OTHER_MN]
        for peer, request, value in ((second, requests[1], "60"), (first, requests[0], "30")):
            peer.connection.answer(request)
            peer.connection.send(peer.value(request, RtdInterval=value), link.now)
            peer.connection.complete(request)
        link.run()
        assert [link.result(ticket).value("RtdInterval") for ticket in tickets] == ["30", "60"]

    def test_reverse_connection(self, rules: Rules) -> None:
        """The platform dialled: it speaks first."""
        peer = Peer(rules)
        link = Link(rules, peer, credentials=lambda mn: Credential(PW, "22"))
        link.host.expect(MN, link.now)
        ticket = link.host.ask(MN, "1061", link.now)
        link.run()
        assert link.result(ticket).outcome is Outcome.DONE
        assert (peer.requests[0].st, peer.requests[0].pw, peer.requests[0].mn) == ("22", PW, MN)


class TestAdmission:
    @pytest.fixture
    def rules(self) -> Rules:
        return HJ_212_2017

    def test_any_password_is_taken_and_reported(self, rules: Rules) -> None:
        peer = Peer(rules, pw="wrong1")
        link = Link(rules, peer, credentials=lambda mn: Credential(PW))
        link.say(peer, live(peer))
        assert [type(e) for e in link.found] == [PasswordWrong, StationHeard, UploadReceived]
        assert [type(e) for e in peer.heard] == [UploadAcknowledged]
        assert "wrong1" not in repr(link.found)
        assert PW not in repr((link.found, link.host.station(MN), Credential(PW)))

    @pytest.mark.parametrize(
        ("known", "reason"), [({}, RefusalReason.UNKNOWN_MN), ({MN: Credential("other1")}, RefusalReason.WRONG_PW)]
    )
    def test_known_only(self, rules: Rules, known: dict[str, Credential], reason: RefusalReason) -> None:
        peer = Peer(rules)
        link = Link(rules, peer, credentials=known.get, policy=Policy(admission=Admission.KNOWN))
        upload = live(peer)
        link.say(peer, upload)
        (refused,) = link.found
        assert isinstance(refused, MessageRefused)
        assert (refused.reason, bytes(refused.message)) == (reason, bytes(upload))
        assert (peer.heard, link.host.stations) == ([], ())
        known[MN] = Credential(PW)
        link.say(peer, live(peer))
        assert [type(e) for e in link.found[1:]] == [StationHeard, UploadReceived]

    def test_wrong_password_of_a_station_that_is_there(self, rules: Rules) -> None:
        peer = Peer(rules)
        link = Link(rules, peer, credentials=lambda mn: Credential(PW), policy=Policy(admission=Admission.KNOWN))
        link.say(peer, live(peer))
        (refused,) = link.say(peer, live(peer, "20250915100030", pw="wrong1"))
        assert isinstance(refused, MessageRefused)
        assert refused.reason is RefusalReason.WRONG_PW

    def test_previous_password_may_be_refused(self, rules: Rules) -> None:
        peer = Peer(rules)
        policy = Policy(admission=Admission.KNOWN, accept_previous_pw=False)
        link = Link(
            rules, peer, credentials=lambda mn: Credential(PW) if not link.of(PasswordChanged) else None, policy=policy
        )
        link.say(peer, live(peer))
        link.host.set_password(MN, "abc123", link.now)
        link.run()
        (refused,) = link.say(peer, live(peer, "20250915100030"))
        assert isinstance(refused, MessageRefused)

    def test_too_many_stations(self, rules: Rules) -> None:
        first, second = Peer(rules), Peer(rules, OTHER_MN)
        link = Link(rules, first, second, policy=Policy(max_stations=1))
        link.say(first, live(first))
        (refused,) = link.say(second, live(second))
        assert isinstance(refused, MessageRefused)
        assert refused.reason is RefusalReason.TOO_MANY_STATIONS

    def test_stranger_cannot_be_expected(self, rules: Rules) -> None:
        link = Link(rules, policy=Policy(admission=Admission.KNOWN))
        with pytest.raises(LocalProtocolError, match="unknown-mn"):
            link.host.expect(MN, 0.0)

    def test_station_with_another_edition_than_before(self, rules: Rules) -> None:
        old, new = Peer(rules), Peer(HJ_212_2025)
        link = Link(rules, old, new)
        link.say(old, live(old))
        link.say(new, live(new, "20250915100030"))
        assert link.of(EditionChanged) == [EditionChanged(MN, HJ_212_2025.edition, rules.edition)]

    def test_forgotten_station_is_new_again(self, rules: Rules) -> None:
        peer = Peer(rules)
        link = Link(rules, peer)
        link.say(peer, live(peer))
        link.host.forget(MN)
        link.say(peer, live(peer, "20250915100030"))
        assert len(link.of(StationHeard)) == 2


class TestSetup:
    """HJ 212-2017 6.7."""

    PLAN = SetupPlan(overtime_s=10, recount=3, rtd_interval_s=30, min_interval=10, state=False)

    @WITH_SETUP
    def test_steps_in_order(self, rules: Rules) -> None:
        peer = Peer(rules)
        link = Link(rules, peer, policy=Policy(setup=self.PLAN))
        link.say(peer, live(peer))
        (finished,) = link.of(SetupFinished)
        assert peer.asked == ["1012", "1000", "1062", "1064", "2011", "2022"]
        assert [step.ticket.purpose for step in finished.steps] == [Purpose.SETUP] * 6
        assert (finished.mn, finished.failed) == (MN, ())
        assert peer.requests[0].parameter("SystemTime") == "20250915100000"
        assert peer.requests[1].parameter("ReCount") == "3"
        link.say(peer, live(peer, "20250915100030"))
        assert len(link.of(SetupFinished)) == 1

    @WITH_SETUP
    def test_each_step_waits_for_the_result(self, rules: Rules) -> None:
        peer = Peer(rules)
        peer.results = dict.fromkeys(["1012", "1000"], None)
        link = Link(rules, peer, policy=Policy(setup=self.PLAN))
        link.say(peer, live(peer))
        assert peer.asked == ["1012"]
        peer.connection.complete(peer.requests[0])
        link.run()
        assert peer.asked == ["1012", "1000"]
        assert [step.ticket.cn for step in link.host.setups[MN].results] == ["1012"]

    @WITH_SETUP
    def test_failures_do_not_stop_the_rest(self, rules: Rules) -> None:
        peer = Peer(rules)
        peer.codes["1000"] = QnRtn.REFUSED
        peer.results["1062"] = ExeRtn.FAILED
        peer.silent.add("1064")
        peer.results["2011"] = None
        link = Link(rules, peer, policy=Policy(setup=self.PLAN))
        link.say(peer, live(peer))
        link.wait(100)
        (finished,) = link.of(SetupFinished)
        assert [step.outcome for step in finished.steps] == [
            Outcome.DONE,
            Outcome.REFUSED,
            Outcome.FAILED,
            Outcome.NO_ANSWER,
            Outcome.NO_RESULT,
            Outcome.DONE,
        ]
        assert [step.ticket.cn for step in finished.failed] == ["1000", "1062", "1064", "2011"]

    @pytest.mark.parametrize(
        ("plan", "text"),
        [
            (SetupPlan(rtd_interval_s=5), "RtdInterval: expected 30 to 3600 in HJ 212-2017, found 5"),
            (SetupPlan(min_interval=7), "MinInterval: expected one of 1, 2, 3"),
            (SetupPlan(overtime_s=10), "ReCount: expected 1 to 99 in HJ 212-2017, found None"),
        ],
    )
    def test_illegal_value_is_reported_and_not_sent(self, plan: SetupPlan, text: str) -> None:
        peer = Peer(HJ_212_2017)
        link = Link(HJ_212_2017, peer, policy=Policy(setup=plan))
        link.say(peer, live(peer))
        (failed,) = link.of(SetupFinished)[0].failed
        assert failed.outcome is Outcome.NOT_SENT
        assert text in failed.detail
        assert peer.asked == ["1012", "2011", "2021"]

    def test_edition_without_a_sequence(self) -> None:
        peer = Peer(HJ_T_212_2005)
        link = Link(HJ_T_212_2005, peer, policy=Policy(setup=self.PLAN))
        link.say(peer, live(peer))
        assert (peer.asked, link.host.setups) == ([], {})

    def test_link_closed_meanwhile(self) -> None:
        peer = Peer(HJ_212_2017)
        peer.results["1012"] = None
        link = Link(HJ_212_2017, peer, policy=Policy(setup=self.PLAN))
        link.say(peer, live(peer))
        link.host.receive_eof(link.now)
        link.run()
        (finished,) = link.of(SetupFinished)
        assert [step.outcome for step in finished.steps] == [Outcome.CLOSED]
        assert link.host.setups[MN].finished

    def test_reverse_connection_is_set_up_too(self) -> None:
        peer = Peer(HJ_212_2017)
        link = Link(HJ_212_2017, peer, policy=Policy(setup=SetupPlan()), credentials=lambda mn: Credential(PW))
        link.host.expect(MN, link.now)
        link.run()
        assert peer.asked == ["1012", "2011", "2021"]

    @WITH_SETUP
    @pytest.mark.parametrize("pol_id", ["", "w01018"])
    def test_time_wanted(self, rules: Rules, pol_id: str) -> None:
        """1013, 9013, then 1012 with the clock that was meant."""
        peer = Peer(rules)
        link = Link(rules, peer)
        link.say(peer, peer.upload("1013", *([[("PolId", pol_id)]] if pol_id else []), answer=True))
        assert [type(e) for e in link.found[:2]] == [StationHeard, NoticeReceived]
        (finished,) = link.of(RequestFinished)
        assert (finished.ticket.purpose, finished.outcome) == (Purpose.CLOCK, Outcome.DONE)
        (request,) = peer.requests
        assert (request.cn, request.parameter("PolId") or "") == ("1012", pol_id)


class TestRequests:
    @pytest.fixture
    def rules(self) -> Rules:
        return HJ_212_2017

    def test_command_of_another_edition_is_refused_here(self, rules: Rules, joined: tuple[Link, Peer]) -> None:
        link, peer = joined
        with pytest.raises(LocalProtocolError, match="1021 to a station is not in HJ 212-2017; HJ/T 212-2005 has it"):
            link.host.ask(MN, "1021", link.now, {"PolId": "101"})
        with pytest.raises(LocalProtocolError, match="1070 to a station is not in HJ 212-2017; no edition has it"):
            link.host.ask(MN, "1070", link.now)
        link.run()
        assert peer.asked == []

    def test_command_is_sent_anyway(self, rules: Rules, joined: tuple[Link, Peer]) -> None:
        link, peer = joined
        known = link.host.ask(MN, "1021", link.now, {"PolId": "101"}, anyway=True)
        unknown = link.host.ask(MN, "1070", link.now, anyway=True)
        link.run()
        assert [link.result(t).outcome for t in (known, unknown)] == [Outcome.DONE, Outcome.SENT]
        assert peer.asked == ["1021", "1070"]

    def test_missing_parameter(self, rules: Rules, joined: tuple[Link, Peer]) -> None:
        link, _peer = joined
        with pytest.raises(LocalProtocolError, match="1062 of HJ 212-2017 needs the parameter RtdInterval"):
            link.host.tell(MN, "1062", link.now)

    @pytest.mark.parametrize("times", [("20250915080000", "20250915075959"), ("2025", "20250915080000")])
    def test_times_that_are_none(self, rules: Rules, joined: tuple[Link, Peer], times: tuple[str, str]) -> None:
        link, _peer = joined
        with pytest.raises(LocalProtocolError):
            link.host.history(MN, "2051", *times, link.now)

    @pytest.mark.parametrize("pw", ["", "toolong1", "a;b", "密码"])
    def test_password_that_is_none(self, rules: Rules, joined: tuple[Link, Peer], pw: str) -> None:
        link, _peer = joined
        with pytest.raises(LocalProtocolError):
            link.host.set_password(MN, pw, link.now)

    def test_nobody_there(self, rules: Rules) -> None:
        with pytest.raises(LocalProtocolError, match="no station"):
            Link(rules).host.ask(MN, "1011", 0.0)

    def test_queue_is_bounded(self, rules: Rules, joined: tuple[Link, Peer]) -> None:
        link, peer = joined
        peer.silent.add("1011")
        tickets = [link.host.ask(MN, "1011", link.now) for _ in range(1 + link.host.policy.max_queued)]
        with pytest.raises(LimitError, match="max_queued"):
            link.host.ask(MN, "1011", link.now)
        assert link.host.cancel(tickets[-1])
        assert link.run()[-1] == RequestFinished(tickets[-1], Outcome.CANCELLED)
        link.host.ask(MN, "1011", link.now)

    def test_several_under_way(self, rules: Rules) -> None:
        peer = Peer(rules)
        peer.silent.add("1011")
        link = Link(rules, peer, policy=Policy(in_flight=3))
        link.say(peer, live(peer))
        for _ in range(5):
            link.host.ask(MN, "1011", link.now)
        link.run()
        assert len(peer.asked) == 3

    def test_value_with_another_qn(self, rules: Rules) -> None:
        """A spontaneous upload of the same command is no answer, unless the policy says that QNs are of no use."""
        for by_qn, kept in ((True, 0), (False, 1)):
            peer = Peer(rules)
            peer.data["3020"] = lambda request, peer=peer: [peer.upload("3020", [("DataTime", "20250915100000")])]
            link = Link(rules, peer, policy=Policy(values_by_qn=by_qn))
            link.say(peer, live(peer))
            ticket = link.host.ask(MN, "3020", link.now, {"InfoId": "i12001"})
            link.run()
            assert len(link.result(ticket).messages) == kept

    def test_resent_record_is_kept_once(self, rules: Rules, joined: tuple[Link, Peer]) -> None:
        link, peer = joined
        record = minute(peer, "20250915080000", answer=True)
        peer.data["2051"] = lambda request: [record, record]
        ticket = link.host.history(MN, "2051", "20250915080000", "20250915080000", link.now)
        link.run()
        assert len(link.result(ticket).messages) == 1
        assert [e.repeated for e in link.of(UploadReceived)[1:]] == [False, True]

    def test_records_kept_are_bounded(self, rules: Rules) -> None:
        peer = Peer(rules)
        link = Link(rules, peer, policy=Policy(max_collected=2))
        link.say(peer, live(peer))
        peer.data["2051"] = lambda request: [minute(peer, f"202509150{hour}0000") for hour in range(5)]
        ticket = link.host.history(MN, "2051", "20250915000000", "20250915235959", link.now)
        link.run()
        result = link.result(ticket)
        assert (len(result.messages), result.truncated) == (2, True)
        assert len([e for e in link.of(UploadReceived) if e.request == ticket]) == 5


class TestPackets:
    def packets(self, peer: Peer, *pnos: int, time: str = "20250915080000") -> list[Message]:
        return [
            peer.upload("2051", [("DataTime", time)], [(f"w0100{pno}-Avg", f"{pno}.0")], packet=(pno, 3))
            for pno in pnos
        ]

    @pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2), (1, 1, 2, 3)])
    def test_history_in_packets(self, order: tuple[int, ...]) -> None:
        peer = Peer(HJ_212_2017)
        link = Link(HJ_212_2017, peer)
        link.say(peer, live(peer))
        peer.data["2051"] = lambda request: self.packets(peer, *order)
        ticket = link.host.history(MN, "2051", "20250915080000", "20250915080000", link.now)
        link.run()
        (joined,) = link.of(PacketsJoined)
        assert (joined.mn, joined.request) == (MN, ticket)
        (record,) = link.result(ticket).messages
        assert [item[0] for item in record.items] == [
            ["DataTime", "20250915080000"],
            ["w01001-Avg", "1.0"],
            ["w01002-Avg", "2.0"],
            ["w01003-Avg", "3.0"],
        ]
        assert (record.pnum, record.pno, record.flag) == (None, None, 4)

    def test_lost_packet(self) -> None:
        peer = Peer(HJ_212_2017)
        link = Link(HJ_212_2017, peer)
        link.say(peer, *self.packets(peer, 1, 3))
        assert link.wait(61) == [PacketsLost(MN, "2051", (2,), None)]
        link.wait(61)
        assert len(link.of(PacketsLost)) == 1

    def test_incomplete_messages_are_bounded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The oldest makes room, and is reported."""
        monkeypatch.setattr("hj212.splitting.MAX_HELD", 4)
        peer = Peer(HJ_212_2017)
        link = Link(HJ_212_2017, peer)
        for hour in range(3):
            link.say(peer, *self.packets(peer, 1, 2, time=f"202509150{hour}0000"))
        assert link.of(PacketsLost) == [PacketsLost(MN, "2051", (3,), None)]
        link.say(peer, *(message for hour in (1, 2) for message in self.packets(peer, 3, time=f"202509150{hour}0000")))
        assert len(link.of(PacketsJoined)) == 2

    def test_back_fill_is_marked(self) -> None:
        peer = Peer(HJ_212_2025)
        link = Link(HJ_212_2025, peer)
        stored = live(peer)
        stored.segment.header.append(["RF", "1"])
        link.say(peer, stored, live(peer, "20250915100030"))
        assert [e.back_fill for e in link.of(UploadReceived)] == [True, False]


class TestLiveness:
    def test_silence(self) -> None:
        peer = Peer(HJ_212_2017)
        link = Link(HJ_212_2017, peer, policy=Policy(silence_s=100))
        link.say(peer, live(peer))
        link.wait(60)
        link.say(peer, live(peer, "20250915100100"))
        assert link.wait(99) == []
        assert link.wait(2) == [StationOffline(MN, 100)]
        assert not link.host.station(MN).online
        assert link.wait(1000) == []
        events = link.say(peer, live(peer, "20250915103000"))
        assert [type(e) for e in events] == [StationOnline, UploadReceived]
