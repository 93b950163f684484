"""Two sides on a link that loses, doubles, reorders, stalls and breaks: the end state of a perfect one, or the failure
that the timers demand."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from hj212 import HJ_212_2017, HJ_212_2025, HJ_T_212_2005, Connection, ExeRtn, Message, Role, Rules, compose
from hj212.codes import CommandKind
from hj212.encryption import Key
from hj212.events import (
    AnswerUnexpected,
    Event,
    ExecutionTimedOut,
    MessageReceived,
    NoticeAnswered,
    RequestAccepted,
    RequestCompleted,
    SendTimedOut,
    UploadAcknowledged,
)
from hj212.framing import Frame, Framer
from hj212.host import Credential, Host, Outcome, PacketsJoined, RequestFinished, Ticket, UploadReceived
from hj212.station import (
    Identity,
    LinkUnusable,
    MemoryOutbox,
    Policy,
    RecordDropped,
    Settings,
    SettingsChanged,
    Station,
)
from hj212.times import QnSource, format_time

from .back_to_back import MN, PW, T0, live, minute

EDITIONS = pytest.mark.parametrize("rules", [HJ_T_212_2005, HJ_212_2017, HJ_212_2025], ids=lambda r: r.edition.value)
SEEDS = pytest.mark.parametrize("seed", range(5))


@dataclass(frozen=True)
class Faults:
    """How often a frame meets with what."""

    lost: float = 0.0
    doubled: float = 0.0
    late: float = 0.0  #: held back, so that others pass it
    delay_s: float = 2.0  #: by how much at most
    stalls: float = 0.0  #: everything in this direction waits
    stall_s: float = 30.0
    cut_every_s: float = 0.0  #: mean time between breaks


PERFECT = Faults()
LOSSY = Faults(lost=0.1, doubled=0.1, late=0.15)
ROUGH = Faults(lost=0.2, doubled=0.2, late=0.2, delay_s=8.0, stalls=0.01)
BROKEN = replace(LOSSY, cut_every_s=120.0)


class Wire:
    """One direction."""

    def __init__(self, faults: Faults, rng: random.Random) -> None:
        self.faults, self.rng = faults, rng
        self.framer = Framer()
        self.on_the_way: list[tuple[float, int, bytes]] = []
        self.count = 0
        self.open_at = 0.0

    def put(self, data: bytes, now: float) -> None:
        for found in self.framer.feed(data):
            assert isinstance(found, Frame)
            for _ in range(self.copies()):
                self.count += 1
                self.on_the_way.append((self.arrival(now), self.count, found.raw))

    def copies(self) -> int:
        if self.rng.random() < self.faults.lost:
            return 0
        return 2 if self.rng.random() < self.faults.doubled else 1

    def arrival(self, now: float) -> float:
        if self.rng.random() < self.faults.stalls:
            self.open_at = max(self.open_at, now + self.rng.uniform(0, self.faults.stall_s))
        due = max(now, self.open_at) + 0.01
        return due + self.rng.uniform(0, self.faults.delay_s) if self.rng.random() < self.faults.late else due

    def next(self) -> float | None:
        return min((due for due, _, _ in self.on_the_way), default=None)

    def take(self, now: float) -> list[bytes]:
        arrived = sorted(each for each in self.on_the_way if each[0] <= now)
        self.on_the_way = [each for each in self.on_the_way if each[0] > now]
        return [raw for _, _, raw in arrived]

    def drop(self) -> None:
        self.on_the_way.clear()
        self.framer = Framer()


class TestBareConnections:
    """A platform asks, a station uploads and notifies, both on plain connections that answer by themselves."""

    @EDITIONS
    @SEEDS
    @pytest.mark.parametrize("faults", [PERFECT, LOSSY, ROUGH], ids=["perfect", "lossy", "rough"])
    def test_every_exchange_ends_once(self, rules: Rules, faults: Faults, seed: int) -> None:
        talk = Talk(rules, faults, seed)
        talk.run()
        assert (talk.platform.outstanding, talk.station.outstanding) == (0, 0)
        assert talk.platform.next_timeout() is None
        assert talk.station.next_timeout() is None
        ends = Counter(message.qn for event in talk.events if (message := ended(event)) is not None)
        assert ends == Counter(message.qn for message in talk.sent)
        for event in talk.events:
            if isinstance(event, SendTimedOut):
                assert event.sent == rules.resend_count + 1
        talk.check_what_arrived()
        if faults is PERFECT:
            kinds = {type(event) for event in talk.events}
            assert not kinds & {SendTimedOut, ExecutionTimedOut, AnswerUnexpected}


def ended(event: Event) -> Message | None:
    """Return the message whose exchange an event ends."""
    match event:
        case RequestCompleted(message) | NoticeAnswered(message) | UploadAcknowledged(message):
            return message
        case SendTimedOut(message) | ExecutionTimedOut(message):
            return message
    return None


class Talk:
    """Twenty messages each way, one every five seconds."""

    def __init__(self, rules: Rules, faults: Faults, seed: int) -> None:
        rng = random.Random(seed)
        self.rules, self.now = rules, 0.0
        self.platform = Connection(Role.PLATFORM, rules)
        self.station = Connection(Role.STATION, rules)
        self.up, self.down = Wire(faults, rng), Wire(faults, rng)
        self.qns = QnSource(lambda: T0 + self.now)
        self.sent: list[Message] = []
        self.events: list[Event] = []
        self.arrived: set[str] = set()
        self.completed: set[str] = set()

    def run(self) -> None:
        for number in range(20):
            self.until(number * 5.0)
            self.say(self.station, "2011", [[("DataTime", format_time(T0 + self.now))]])
            self.say(self.platform, "3012" if number % 2 else "2012", [[("PolId", "w01018")]])
        self.until(5000.0)

    def say(self, side: Connection, cn: str, items: list[list[tuple[str, str]]]) -> None:
        message = compose(self.rules, qn=self.qns(), st="32", cn=cn, pw=PW, mn=MN, items=items, answer=True)
        self.sent.append(message)
        side.send(message, self.now)
        self.write()

    def until(self, end: float) -> None:
        while True:
            sources = (self.up.next, self.down.next, self.platform.next_timeout, self.station.next_timeout)
            due = [when for source in sources if (when := source()) is not None]
            if not due or min(due) > end:
                self.now = end
                return
            self.now = max(self.now, min(due))
            for raw in self.up.take(self.now):
                self.platform.receive_data(raw, self.now)
            for raw in self.down.take(self.now):
                self.station.receive_data(raw, self.now)
            self.platform.handle_timeout(self.now)
            self.station.handle_timeout(self.now)
            self.digest()
            self.write()

    def digest(self) -> None:
        for event in self.platform.events():
            self.events.append(event)
            if isinstance(event, MessageReceived):
                self.arrived.add(event.message.qn)
        for event in self.station.events():
            self.events.append(event)
            if isinstance(event, MessageReceived):
                self.arrived.add(event.message.qn)
                if event.kind is CommandKind.REQUEST:
                    self.station.answer(event.message)
                    self.station.complete(event.message)

    def write(self) -> None:
        self.up.put(self.station.data_to_send(), self.now)
        self.down.put(self.platform.data_to_send(), self.now)

    def check_what_arrived(self) -> None:
        """What is reported as answered did arrive; what never arrived is reported as unanswered."""
        for event in self.events:
            if isinstance(event, (RequestAccepted, RequestCompleted, NoticeAnswered, UploadAcknowledged)):
                message = ended(event) or event.request  # type: ignore[union-attr]
                assert message.qn in self.arrived
        failed = {event.message.qn for event in self.events if isinstance(event, SendTimedOut)}
        assert {message.qn for message in self.sent} - self.arrived <= failed


#: What the platform asks in each run: command and parameters.
ASKED: list[tuple[str, dict[str, str]]] = [
    ("1000", {"OverTime": "6", "ReCount": "4"}),
    ("1062", {"RtdInterval": "60"}),
    ("1061", {}),
    ("3012", {"PolId": "w01018"}),
    ("2022", {}),
    ("1072", {}),
]


class Run:
    """Host and Station on such a link: data all the time, requests in between, and quiet at the end."""

    def __init__(self, rules: Rules, faults: Faults, seed: int, **settings: Any) -> None:
        self.rules, self.rng, self.now = rules, random.Random(seed), 0.0
        self.faults = faults
        self.up, self.down = Wire(faults, self.rng), Wire(faults, self.rng)
        self.operated: Counter[str] = Counter()
        self.station = Station(
            Identity("32"),
            rules,
            Settings(mn=MN, pw=PW, **settings),
            wall=self.wall,
            outbox=MemoryOutbox(),
            policy=Policy(back_fill_per_s=2.0, back_fill_pause_s=20.0, records_repeat_qn=False),
            history=self.history,
            operate=self.operate,
        )
        self.pw = PW
        self.stored: Counter[tuple[str, str]] = Counter()
        self.joined: list[int] = []
        self.made: set[tuple[str, str]] = set()
        self.station_events: list[Any] = []
        self.results: dict[Ticket, RequestFinished] = {}
        self.tickets: list[Ticket] = []
        self.cut_at = self.next_cut()
        self.dial()

    def wall(self) -> float:
        return T0 + self.now

    def next_cut(self) -> float:
        mean = self.faults.cut_every_s
        return self.now + self.rng.expovariate(1 / mean) if mean else float("inf")

    # The site

    def history(self, _cn: str, begin: str, end: str, _parameters: dict[str, str]) -> Any:
        times = [f"2025091509{number:02}00" for number in range(20)]
        return [minute(time) for time in times if begin <= time <= end]

    def operate(self, request: Message) -> ExeRtn:
        self.operated[request.qn] += 1
        return ExeRtn.SUCCESS

    # The link

    def dial(self) -> None:
        keys = tuple(key.value for key in self.station.settings.keys)
        self.host = Host(self.rules, credentials=lambda mn: Credential(self.pw, "32", keys), wall=self.wall)
        self.host.expect(MN, self.now, rules=self.rules)
        self.station.connected(self.now)
        self.exchange()

    def cut(self) -> None:
        self.up.drop()
        self.down.drop()
        self.station.receive_eof(self.now)
        self.host.receive_eof(self.now)
        self.take()
        self.pw = self.station.settings.pw  # somebody looked it up
        self.dial()

    def exchange(self) -> None:
        self.up.put(self.station.data_to_send(), self.now)
        self.down.put(self.host.data_to_send(), self.now)
        self.take()

    def take(self) -> None:
        self.station_events += self.station.events()
        for event in self.host.events():
            if isinstance(event, UploadReceived) and event.request is None:
                self.stored[event.message.cn, event.message.parameter("DataTime") or ""] += 1
            elif isinstance(event, RequestFinished):
                self.results[event.ticket] = event
            elif isinstance(event, PacketsJoined):
                self.joined.append(len(event.message.items))

    # Time

    def until(self, end: float) -> None:
        while True:
            sources = (self.up.next, self.down.next, self.station.next_timeout, self.host.next_timeout)
            due = [when for source in sources if (when := source()) is not None]
            when = min([*due, self.cut_at])
            if when > end:
                self.now = end
                return
            self.now = max(self.now, when)
            if self.now >= self.cut_at:
                self.cut_at = self.next_cut()
                self.cut()
            for raw in self.up.take(self.now):
                self.host.receive_data(raw, self.now)
            for raw in self.down.take(self.now):
                self.station.receive_data(raw, self.now)
            self.station.handle_timeout(self.now)
            self.host.handle_timeout(self.now)
            self.exchange()
            if any(isinstance(event, LinkUnusable) for event in self.station_events):
                self.station_events.clear()
                self.cut()

    def report(self, cn: str, items: Any) -> None:
        self.made.add((cn, items[0][0][1]))
        assert self.station.report(cn, items, self.now)
        self.exchange()

    def ask(self, cn: str, parameters: dict[str, str], **options: Any) -> Ticket:
        ticket = self.host.ask(MN, cn, self.now, parameters, **options)
        self.tickets.append(ticket)
        self.exchange()
        return ticket

    def traffic(self, password_field: str) -> None:
        """An hour of it, then quiet and a perfect link."""
        for number in range(120):
            self.until(number * 30.0)
            self.report("2011", live(format_time(self.wall())))
            if number % 20 == 3:
                cn, parameters = ASKED[number // 20]
                self.ask(cn, parameters or ({password_field: "n3w"} if cn == "1072" else {}))
            if number % 40 == 30:
                self.ask("2051", {}, begin="20250915090000", end="20250915091900")
        self.faults = self.up.faults = self.down.faults = PERFECT
        self.cut_at = float("inf")
        self.until(self.now + 100.0)
        self.cut()
        self.until(self.now + 3600.0)


def field_of(rules: Rules) -> str:
    return "PW" if rules.reply_qn_in_parameters else "NewPW"


class TestBothSides:
    @EDITIONS
    @SEEDS
    @pytest.mark.parametrize("faults", [PERFECT, LOSSY, BROKEN], ids=["perfect", "lossy", "broken"])
    def test_same_end_state(self, rules: Rules, faults: Faults, seed: int) -> None:
        run = Run(rules, faults, seed)
        run.traffic(field_of(rules))
        assert not any(isinstance(event, RecordDropped) for event in run.station_events)
        assert set(run.stored) >= run.made
        assert {key for key in run.stored if key[0] == "2011"} == run.made
        assert len(run.station.outbox) == 0
        assert run.station.outstanding == 0
        assert run.host.connection.outstanding == 0
        self.check_requests(run)
        if faults is PERFECT:
            assert set(run.stored.values()) == {1}
            assert {result.outcome for result in run.results.values()} == {Outcome.DONE}

    def check_requests(self, run: Run) -> None:
        """Every request is over; what is reported as done is done, once."""
        assert set(run.results) == set(run.tickets)
        settings = run.station.settings
        in_force: dict[str, Callable[[], bool]] = {
            "1000": lambda: (settings.overtime_s, settings.recount) == (6, 4),
            "1062": lambda: settings.rtd_interval_s == 60,
            "2022": lambda: not settings.state,
            "1072": lambda: settings.pw == "n3w",
            "3012": lambda: bool(run.operated),
        }
        legal = {Outcome.DONE, Outcome.NO_ANSWER, Outcome.NO_RESULT, Outcome.CLOSED, Outcome.FAILED, Outcome.REFUSED}
        for ticket, result in run.results.items():
            assert result.outcome in legal
            if result.outcome is Outcome.DONE:
                assert in_force.get(ticket.cn, lambda: True)()
            if result.outcome is Outcome.DONE and ticket.cn == "2051":
                assert len({m.parameter("DataTime") for m in result.messages}) == 20
        assert set(run.operated.values()) <= {1}

    @SEEDS
    def test_split_and_encrypted(self, seed: int) -> None:
        """Packets of long messages under a key; whatever happens, the wholes are the ones that were made."""
        run = Run(HJ_212_2025, LOSSY, seed, key=Key(b"0x3fQmR9vT2bK7wL"))
        values = [[(f"a{number:05}-Rtd", "123.456"), (f"a{number:05}-Flag", "N")] for number in range(80)]
        for number in range(20):
            run.until(number * 60.0)
            run.report("2011", [[("DataTime", format_time(run.wall()))], *values])
        run.faults = run.up.faults = run.down.faults = PERFECT
        run.until(run.now + 3600.0)
        assert len(run.station.outbox) == 0
        assert set(run.stored) >= run.made
        assert set(run.joined) == {81}

    def test_link_that_carries_nothing(self) -> None:
        """Not one answer: exactly what the timers demand, and every record is kept."""
        run = Run(HJ_212_2017, Faults(lost=1.0), 0)
        ticket = run.ask("1062", {"RtdInterval": "60"})
        run.report("2011", live())
        run.until(39.9)
        assert run.results == {}
        run.until(40.0)
        assert run.results[ticket].outcome is Outcome.NO_ANSWER
        assert len(run.station.outbox) == 1
        assert not any(isinstance(event, SettingsChanged) for event in run.station_events)


@pytest.mark.soak
@EDITIONS
@pytest.mark.parametrize("seed", range(100, 400))
def test_same_end_state_often(rules: Rules, seed: int) -> None:
    TestBothSides().test_same_end_state(rules, ROUGH if seed % 2 else BROKEN, seed)
