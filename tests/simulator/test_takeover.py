"""A shard that goes on where another left off: what is settled, what the gate holds back, how ledgers are fetched."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hj212.aio import Platform, PlatformEvent
from hj212.events import MessageReceived
from simulator import Scenario
from simulator.engine import Counts, FleetResult, Options, Plan, cluster, fleet, run_fleet, run_fleet_virtual
from simulator.engine import stint as stints
from simulator.engine.collecting import Part, join
from simulator.engine.lease import Lease, Succession
from simulator.engine.roster import Posting, ShardState, Worker
from simulator.engine.stint import Answer, Assignment, Order, Stint
from simulator.ledger.reading import LedgerFile
from simulator.scenario import SipTarget, StationGroup, Target, parse
from stationgate.exits import EnvironmentFault

pytestmark = pytest.mark.usefixtures("nothing_left_open")

EPOCH = 1767196800.0
HOST = "127.0.0.1"
PATIENCE_S = 20.0
Name = tuple[str, str]


def city(duration_s: float, port: int = 1, count: int = 3) -> Scenario:
    group = StationGroup(count=count, interval_s=2.0, openings_per_hour=0)
    return Scenario(seed=3, duration_s=duration_s, target=Target(HOST, port), station=(group,))


def composed(ledger: Path) -> set[Name]:
    return {(line[2], line[3]) for line in LedgerFile(ledger) if isinstance(line, list) and line[0] == "c"}


@contextmanager
def platform() -> Iterator[tuple[int, dict[Name, bytes]]]:
    """A platform of the library in a thread of its own: its port, and what it received by MN and QN."""
    received: dict[Name, bytes] = {}
    ready, done = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    ports: list[int] = []

    def note(peer: str, event: PlatformEvent) -> None:
        if isinstance(event, MessageReceived):
            received[event.message.mn, event.message.qn] = bytes(event.message)

    async def serve() -> None:
        async with Platform(note) as server:
            await server.start(HOST, 0)
            ports.append(server.port)
            ready.set()
            await done.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert ready.wait(PATIENCE_S)
        yield ports[0], received
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(PATIENCE_S)


class TestSettled:
    def test_run_whose_messages_are_all_answered_is_settled_to_its_end(self) -> None:
        assert run_fleet_virtual(city(100.0)).counts.settled_s == pytest.approx(100.0, abs=0.01)

    def test_messages_that_want_no_answer_do_not_hold_it_back(self) -> None:
        group = StationGroup(count=2, interval_s=2.0, faults=("no-answer-wanted",))
        result = run_fleet_virtual(replace(city(100.0), station=(group,)))
        assert result.counts.acknowledged < result.counts.messages
        assert result.counts.settled_s == pytest.approx(100.0, abs=0.01)

    @pytest.mark.loopback
    @pytest.mark.usefixtures("no_grace")
    def test_platform_that_does_not_answer(self) -> None:
        """It takes everything and says nothing: the first message stays open."""
        with silent_platform() as port:
            result = run_fleet(city(1.2, port), Options(epoch=EPOCH))
        assert result.counts.messages
        assert result.counts.settled_s == 0.0

    def test_of_several_shards_the_one_farthest_behind_counts(self) -> None:
        from simulator.engine.result import summed

        assert summed([Counts(settled_s=9.0), Counts(settled_s=4.0)]).settled_s == 4.0
        assert summed([]).settled_s == 0.0


@pytest.mark.parametrize("resume_at", [100.0, 600.0, 601.5, 1234.567])
@pytest.mark.parametrize("kind", ["door", "water", "air", "noise", "power"])
def test_every_kind_goes_on_as_if_nothing_had_been(kind: str, resume_at: float, tmp_path: Path) -> None:
    """What is due later than the watermark is told to the byte, and nothing that was never to be told."""
    sites = "[[site]]\nname = 'works'\ncount = 2\n"
    text = f"duration_s = 2000\n{sites}[[station]]\nkind = '{kind}'\nsite = 'works'\n"
    plan = parse(text)
    for name, since in (("whole", None), ("rest", resume_at)):
        run_fleet_virtual(plan, Options(epoch=EPOCH, ledger=tmp_path / name, resume_at=since))
    whole, rest = told(tmp_path / "whole"), told(tmp_path / "rest")
    later = {message for message, due_ms in whole.items() if due_ms >= (EPOCH + resume_at) * 1000}
    assert later
    assert later <= rest.keys() <= whole.keys()


def told(ledger: Path) -> dict[tuple[str, ...], int]:
    """Every message of a ledger as MN, QN, CN and data area, and when it was due."""
    lines = (line for line in LedgerFile(ledger) if isinstance(line, list) and line[0] == "c")
    return {(line[2], line[3], line[4], line[10]): line[8] for line in lines}


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the end of a run, do not wait for answers of which it is known that nobody gives them."""
    monkeypatch.setattr(fleet, "GRACE_S", 0.2)


@contextmanager
def silent_platform() -> Iterator[int]:
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.loopback
class TestTakeover:
    def test_after_the_end_the_rest_is_told(self, tmp_path: Path) -> None:
        """The scenario is over when the successor begins: it tells what was due from its watermark to the end."""
        run_fleet_virtual(city(9.0), Options(epoch=EPOCH, ledger=tmp_path / "whole"))
        whole = composed(tmp_path / "whole")
        with platform() as (port, received):
            options = Options(epoch=EPOCH, anchor=time.time() - 60.0, resume_at=4.0, drain_s=PATIENCE_S)
            result = run_fleet(city(9.0, port), options)
        first = min(int(qn) for _, qn in whole)
        assert set(received) == {(mn, qn) for mn, qn in whole if int(qn) - first >= 4000}
        assert result.counts.acknowledged == len(received)
        assert not result.degraded, "what was due before it began is made up for, not late"

    def test_what_is_repeated_is_the_same_byte_by_byte(self) -> None:
        with platform() as (port, received):
            run_fleet(city(5.0, port), Options(epoch=EPOCH, anchor=time.time() - 60.0, drain_s=PATIENCE_S))
            before = dict(received)
            options = Options(epoch=EPOCH, anchor=time.time() - 60.0, resume_at=2.0, drain_s=PATIENCE_S)
            run_fleet(city(5.0, port), options)
        assert len(before) == 3 * (1 + 3)
        assert received == before

    @pytest.mark.usefixtures("no_grace")
    def test_shut_gate_lets_nothing_out(self, tmp_path: Path) -> None:
        """Not a byte, not a link, and the ledger does not say otherwise."""
        with platform() as (port, received):
            options = Options(epoch=EPOCH, gate=lambda: False, ledger=tmp_path / "l")
            result = run_fleet(city(1.0, port), options)
        assert not received
        assert (result.counts.messages, result.counts.connected) == (0, 0)
        assert composed(tmp_path / "l") == set()

    @pytest.mark.parametrize("transport", ["udp", "tcp"])
    def test_shut_gate_holds_cameras_back_too(self, transport: str) -> None:
        """They have lines of their own: one that is asked who it is does not answer when the gate is shut by then."""
        assert b"Authorization" in answer_to_challenge(transport, shuts=False)
        assert answer_to_challenge(transport, shuts=True) == b""

    @pytest.mark.usefixtures("no_grace")
    def test_gate_that_shuts(self) -> None:
        """From that instant on nothing is sent, although the run goes on, and links are broken off."""
        end = time.monotonic() + 1.0
        with platform() as (port, received):
            result = run_fleet(
                city(2.5, port), Options(epoch=EPOCH, gate=lambda: time.monotonic() < end, anchor=time.time() - 0.01)
            )
        assert {int(qn[-5:]) for _, qn in received} == {0, 1}, "the start, and nothing of the report after two seconds"
        assert result.counts.settled_s < 2.01, "what was not told is not settled"


def challenge(request: bytes) -> bytes:
    """The answer to a registration that asks for a digest."""
    wanted = (b"Via:", b"From:", b"To:", b"Call-ID:", b"CSeq:")
    lines = [line for line in request.split(b"\r\n") if line.startswith(wanted)]
    asks = b'WWW-Authenticate: Digest realm="3402000000", nonce="n", algorithm=MD5'
    return b"\r\n".join([b"SIP/2.0 401 Unauthorized", *lines, asks, b"Content-Length: 0", b"", b""])


def answer_to_challenge(transport: str, *, shuts: bool) -> bytes:
    """What a camera says to it; ``shuts``: the gate of its shard is shut before it hears of it."""
    shut, answers = threading.Event(), [b""]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM) as server:
        server.bind((HOST, 0))
        server.settimeout(PATIENCE_S)
        if transport == "tcp":
            server.listen()

        def ask() -> None:
            link = server.accept()[0] if transport == "tcp" else server
            request, origin = link.recvfrom(4096)
            assert request.startswith(b"REGISTER")
            if shuts:
                shut.set()
            link.settimeout(1.0)
            if transport == "udp":
                link.sendto(challenge(request), origin)
            else:
                link.sendall(challenge(request))
            with suppress(TimeoutError):
                answers[0] = link.recv(4096)
            if transport == "tcp":
                link.close()

        thread = threading.Thread(target=ask)
        thread.start()
        sip = SipTarget(HOST, server.getsockname()[1], transport)
        plan = Scenario(seed=3, duration_s=1.0, sip=sip, station=(StationGroup(kind="dome", count=1),))
        with suppress(EnvironmentFault):  # this platform registers nobody
            run_fleet(plan, Options(epoch=EPOCH, gate=lambda: not shut.is_set()))
        thread.join(PATIENCE_S)
        assert not thread.is_alive()
    return answers[0]


# A stint without a cluster


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def assignment(**values: object) -> Assignment:
    given: dict[str, object] = {
        "run": "r",
        "shard": 0,
        "of": 1,
        "number": 1,
        "anchor": time.time() - 60.0,
        "epoch": EPOCH,
        "lease_s": 10.0,
        "with_ledger": True,
        "closed_loop": False,
        "language": "en",
    }
    return Assignment(**{**given, **values})  # type: ignore[arg-type]


@contextmanager
def living(stint: Stint) -> Iterator[None]:
    thread = threading.Thread(target=stint.live)
    thread.start()
    try:
        yield
    finally:
        stint.take(Order(stop=True, forget=True))
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def until(found: Callable[[], Answer], holds: Callable[[Answer], bool]) -> Answer:
    deadline = time.monotonic() + PATIENCE_S
    while not holds(answer := found()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return answer


@pytest.mark.loopback
class TestStint:
    def test_plays_with_its_grant_and_hands_out_its_ledger(self, tmp_path: Path) -> None:
        clock = Clock()
        with platform() as (port, received):
            stint = Stint(assignment(), city(5.0, port), tmp_path, clock=clock)
            with living(stint):
                waiting = stint.take(Order())
                assert (waiting.ended, waiting.result) == (False, None)
                stint.take(Order(confirmed=waiting.stamp))
                done = until(lambda: stint.take(Order()), lambda answer: answer.ended)
                assert done.whole
                assert done.result is not None
                assert done.result.counts.acknowledged == len(received) == 12
                (path,) = tmp_path.iterdir()
                assert done.piece == path.read_bytes()
                assert len(done.piece) == done.size
        assert not list(tmp_path.iterdir()), "what was fetched is removed"

    def test_nothing_is_sent_without_a_grant(self, tmp_path: Path) -> None:
        with platform() as (port, received):
            stint = Stint(assignment(), city(0.2, port), tmp_path, clock=Clock())
            with living(stint):
                stint.take(Order(stop=True))
                done = until(lambda: stint.take(Order()), lambda answer: answer.ended)
        assert (done.whole, done.result, received) == (False, None, {})

    def test_grant_that_took_too_long_is_none(self, tmp_path: Path) -> None:
        clock = Clock()
        stint = Stint(assignment(), city(5.0), tmp_path, clock=clock)
        old = stint.take(Order()).stamp
        clock.now += 10.0
        stint.take(Order(confirmed=old))
        assert not stint._granted.is_set()

    def test_ends_when_its_lease_does(self, tmp_path: Path) -> None:
        clock = Clock()
        with platform() as (port, _received):
            stint = Stint(assignment(anchor=time.time()), city(60.0, port), tmp_path, clock=clock)
            with living(stint):
                stint.take(Order(confirmed=stint.take(Order()).stamp))
                until(lambda: stint.take(Order()), lambda answer: answer.result is not None)
                clock.now += 10.0
                done = until(lambda: stint.take(Order()), lambda answer: answer.ended)
                assert not done.whole
                assert done.fault is None
                late = stint.take(Order(confirmed=done.stamp))
                assert late.ended, "no grant revives it"

    def test_ends_when_its_worker_does(self, tmp_path: Path) -> None:
        leaving = threading.Event()
        with platform() as (port, _received):
            stint = Stint(assignment(anchor=time.time()), city(60.0, port), tmp_path, lambda: not leaving.is_set())
            thread = threading.Thread(target=stint.live)
            thread.start()
            stint.take(Order(confirmed=stint.take(Order()).stamp))
            until(lambda: stint.take(Order()), lambda answer: answer.result is not None)
            leaving.set()
            thread.join(PATIENCE_S)
            assert not thread.is_alive()

    def test_nobody_beats(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Whoever wanted it is gone: it does not wait for ever."""
        monkeypatch.setattr(stints, "HEARTBEAT_S", 0.01)
        clock = Clock()
        stint = Stint(assignment(), city(1.0), tmp_path, clock=clock)
        thread = threading.Thread(target=stint.live)
        thread.start()
        clock.now += stints.ALONE_S + 1.0
        thread.join(PATIENCE_S)
        assert not thread.is_alive()

    def test_fault_is_told_in_words(self, tmp_path: Path) -> None:
        """No descriptors, no ports, no platform: the sentence travels, not the exception."""
        many = replace(city(1.0), station=(StationGroup(count=1_000_000),))
        stint = Stint(assignment(), many, tmp_path, clock=Clock())
        with living(stint):
            stint.take(Order(confirmed=stint.take(Order()).stamp))
            done = until(lambda: stint.take(Order()), lambda answer: answer.ended)
        assert done.fault is not None
        sentence, _hint, code = done.fault
        assert "1000000 stations" in sentence
        assert code == 4


# Ledgers, piece by piece


class TestParts:
    @given(st.lists(st.integers(0, 40), max_size=12), st.integers(1, 16))
    def test_pieces_make_the_whole(self, tmp_path_factory: pytest.TempPathFactory, grown: list[int], most: int) -> None:
        """The ledger grows between beats; a piece brings at most so much; settled is only what is here."""
        folder = tmp_path_factory.mktemp("parts")
        part, there = Part(folder / "part"), b""
        settled = 0.0
        marks: list[tuple[int, float]] = []
        for n, more in enumerate(grown, 1):
            there += bytes([n]) * more
            marks.append((len(there), float(n)))
            begin = part.size
            settled = part.take(begin, there[begin : begin + most], len(there), float(n))
            assert settled == max((s for size, s in marks if size <= part.size), default=0.0)
        while part.behind:
            part.take(part.size, there[part.size : part.size + most], len(there), float(len(grown)))
        assert part.complete
        if there:
            assert part.path.read_bytes() == there
        assert part.take(part.size, b"", len(there), float(len(grown))) == float(len(grown))

    def test_piece_that_comes_twice(self, tmp_path: Path) -> None:
        part = Part(tmp_path / "part")
        part.take(0, b"abc", 6, 1.0)
        part.take(0, b"abc", 6, 1.0)
        assert part.path.read_bytes() == b"abc"
        assert part.behind

    def test_full_disk(self, tmp_path: Path) -> None:
        part = Part(tmp_path / "missing" / "part")
        assert part.take(0, b"abc", 3, 1.0) == 0.0
        assert (part.size, part.complete, part.why) == (0, False, "no such file or directory")

    def test_joined_behind_what_is_there(self, tmp_path: Path) -> None:
        whole = tmp_path / "whole"
        whole.write_bytes(b"0\n")
        parts = [Part(tmp_path / name) for name in "abc"]
        parts[0].take(0, b"1\n", 2, 0.0)
        parts[2].take(0, b"2\n", 2, 0.0)
        assert join(parts, whole) == ""
        assert whole.read_bytes() == b"0\n1\n2\n"
        assert [path.name for path in tmp_path.iterdir()] == ["whole"]

    def test_part_that_cannot_be_joined_stays(self, tmp_path: Path) -> None:
        part = Part(tmp_path / "part")
        part.take(0, b"1\n", 2, 0.0)
        assert join([part], tmp_path / "missing" / "whole") == "no such file or directory"
        assert part.path.read_bytes() == b"1\n"


# What the client knows of a shard


class TestShardState:
    def shard(self) -> tuple[ShardState, Posting]:
        shard = ShardState(0, Succession(10.0))
        return shard, self.begun(shard)

    def begun(self, shard: ShardState) -> Posting:
        number = shard.succession.propose()
        posting = Posting(assignment(number=number, with_ledger=False), Worker("tcp://h:1", 2), 0.0, None)
        shard.stints[number] = posting
        return posting

    def result(self, messages: int, settled_s: float) -> FleetResult:
        return FleetResult(Counts(stations=5, messages=messages, settled_s=settled_s), False, "ab")

    def test_stations_are_those_of_the_last_stint_and_messages_of_all(self) -> None:
        from simulator.engine import merged

        shard, first = self.shard()
        shard.hear(first, Answer(stamp=1.0), Order(), 1.0)
        shard.succession.confirm(1, 1.0)
        shard.hear(first, Answer(stamp=2.0, result=self.result(7, 3.0), ended=True), Order(), 2.0)
        second = self.begun(shard)
        shard.hear(second, Answer(stamp=1.0), Order(), 2.1)
        assert shard.succession.confirm(2, 2.1) == 1.0
        shard.hear(second, Answer(stamp=9.0, result=self.result(4, 9.0), ended=True, whole=True), Order(), 9.0)
        assert (shard.done, shard.settled_s) == (True, 9.0)
        whole = merged(shard.results())
        assert (whole.counts.stations, whole.counts.messages, int(whole.digest, 16)) == (5, 11, 0xAB)

    def test_whoever_was_succeeded_cannot_finish_the_shard(self) -> None:
        shard, first = self.shard()
        shard.hear(first, Answer(stamp=1.0), Order(), 1.0)
        shard.succession.confirm(1, 1.0)
        second = self.begun(shard)
        shard.hear(second, Answer(stamp=50.0), Order(), 50.0)
        assert shard.succession.confirm(2, 50.0) == 50.0
        shard.hear(first, Answer(stamp=60.0, result=self.result(1, 60.0), ended=True, whole=True), Order(), 60.0)
        assert not shard.done

    @given(st.lists(st.floats(0.0, 100.0), min_size=1, max_size=9))
    def test_settled_never_goes_back(self, told: list[float]) -> None:
        shard, first = self.shard()
        for n, settled_s in enumerate(told, 1):
            shard.hear(first, Answer(stamp=float(n), result=self.result(n, settled_s)), Order(), float(n))
            assert shard.settled_s == max(told[:n])


@pytest.mark.parametrize(("takeovers", "waited_s"), [(cluster.MAX_TAKEOVERS, 0.0), (0, cluster.WORKERS_S + 1)])
def test_a_shard_is_not_begun_for_ever(takeovers: int, waited_s: float) -> None:
    """One that kills its workers ends the run, and so does one for which there is none."""
    run = cluster._Run(Plan(scenario=city(1.0)), cluster.Cluster(scheduler="tcp://h:1"), lambda counts: None)
    shard = ShardState(0, Succession(10.0), takeovers=takeovers, why="its worker left the cluster")
    run.shards = [shard]
    now = stints.steady()
    run._look_after(shard, now)
    run._look_after(shard, now + waited_s)
    assert run.fault is not None
    sentence = "lost its worker too often: its worker left" if takeovers else "no worker is left for shard 0/1"
    assert sentence in run.fault.message
    assert run.fault.exit_code == 4


def test_clock_of_leases_only_goes_forward() -> None:
    times = [stints.steady() for _ in range(1000)]
    assert times == sorted(times)
    lease = Lease(10.0)
    lease.renewed(lease.stamp(times[0]), times[-1])
    assert stints.steady() < lease.until
