"""Leases in virtual time: whatever happens to messages, clocks and processes, two stints never may send at once."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulator.engine.lease import CLOSED_S, DRIFT, MARGIN_S, RENEWALS, Lease, Succession

LENGTH_S = 10.0
BEAT_S = LENGTH_S / RENEWALS
LOOK_S = 0.1


@dataclass(frozen=True)
class Hit:
    """Something that happens to whoever holds the lease then."""

    after_s: float  #: seconds after the hit before
    what: str  #: ``dead``, ``paused``, ``cut``: nothing reaches it and nothing comes from it; ``doubt``: a new stint
    for_s: float  #: how long; for a dead one, until its closed connection is noticed


@dataclass(frozen=True)
class Weather:
    """What a run meets with."""

    seed: int
    lost: float = 0.0  #: share of the messages
    doubled: float = 0.0
    delay_s: float = 0.1  #: the longest
    hits: tuple[Hit, ...] = ()


@dataclass
class Holder:
    """A worker with one stint: its clock began anywhere and runs a little wrong; it may be paused or die."""

    number: int
    offset: float
    rate: float
    lease: Lease = field(default_factory=lambda: Lease(LENGTH_S))
    paused_until: float = 0.0
    cut_until: float = 0.0
    dead: bool = False

    def clock(self, true: float) -> float:
        return self.offset + true * self.rate

    def may_send(self, true: float) -> bool:
        """What the gate says; a paused process does not ask it."""
        return not self.dead and true >= self.paused_until and self.clock(true) < self.lease.until


class City:
    """One shard, its granting side, and a network that loses and delays: a simulation of discrete events."""

    def __init__(self, weather: Weather) -> None:
        self.weather = weather
        self.random = Random(weather.seed)
        self.now = 0.0
        self.queue: list[tuple[float, int, Callable[[], None]]] = []
        self.count = itertools.count()
        self.succession = Succession(LENGTH_S)
        self.holders: dict[int, Holder] = {}
        self.senders: list[tuple[float, list[int]]] = []

    def at(self, when: float, act: Callable[[], None]) -> None:
        heapq.heappush(self.queue, (when, next(self.count), act))

    def carry(self, holder: Holder, act: Callable[[], None], *, inwards: bool) -> None:
        """Bring a message to a holder or from it: late, twice, or never; who is paused reads it when it goes on."""
        fate = self.random.random()
        weather = self.weather
        copies = 0 if fate < weather.lost or self.now < holder.cut_until else 2 if fate > 1 - weather.doubled else 1

        def arrive() -> None:
            if inwards and self.now < holder.paused_until:
                self.at(holder.paused_until + self.random.random(), arrive)
            elif not (inwards and holder.dead):
                act()

        for _ in range(copies):
            self.at(self.now + self.random.random() ** 3 * weather.delay_s, arrive)

    def propose(self) -> None:
        drift = (self.random.random() - 0.5) * DRIFT
        number = self.succession.propose()
        self.holders[number] = Holder(number, (self.random.random() - 0.5) * 1e6, 1 + drift)

    def beat(self) -> None:
        """What the granting side does every beat: the last few stints are beaten, whatever became of them."""
        for number in list(self.holders)[-3:]:
            holder = self.holders[number]
            confirmed = self.succession.confirm(number, self.now)
            self.carry(holder, lambda h=holder, c=confirmed: self.answer(h, c), inwards=True)  # type: ignore[misc]
        if self.succession.lapsed(self.now) and self.succession.latest == self.succession.holder:
            self.propose()
        self.at(self.now + BEAT_S, self.beat)

    def answer(self, holder: Holder, confirmed: float | None) -> None:
        clock = holder.clock(self.now)
        if confirmed is not None and holder.lease.renewed(confirmed, clock):
            self.note()
        stamp = holder.lease.stamp(clock)
        self.carry(holder, lambda: self.succession.heard(holder.number, stamp, self.now), inwards=False)

    def note(self) -> None:
        self.senders.append((self.now, [n for n, holder in self.holders.items() if holder.may_send(self.now)]))

    def look(self) -> None:
        self.note()
        self.at(self.now + LOOK_S, self.look)

    def hit(self, hit: Hit) -> None:
        holder = self.holders.get(self.succession.holder)
        if holder is None:
            return
        if hit.what == "dead":
            holder.dead = True
            self.at(self.now + hit.for_s, lambda: self.succession.closed(holder.number, self.now))
        elif hit.what == "paused":
            holder.paused_until = self.now + hit.for_s
        elif hit.what == "doubt":
            self.propose()
        else:
            holder.cut_until = self.now + hit.for_s

    def run(self, until: float) -> None:
        self.propose()
        for act in (self.beat, self.look):
            self.at(0.0, act)
        when = 0.0
        for hit in self.weather.hits:
            when += hit.after_s
            self.at(when, lambda hit=hit: self.hit(hit))  # type: ignore[misc]
        while self.queue and self.queue[0][0] <= until:
            self.now, _, act = heapq.heappop(self.queue)
            act()


whats = st.sampled_from(["dead", "paused", "cut", "doubt"])
seconds = st.floats(0.0, 3 * LENGTH_S).map(lambda s: round(s, 2))
weathers = st.builds(
    Weather,
    seed=st.integers(0, 2**32),
    lost=st.sampled_from([0.0, 0.05, 0.3]),
    doubled=st.sampled_from([0.0, 0.1]),
    delay_s=st.sampled_from([0.1, BEAT_S, 2 * LENGTH_S]),
    hits=st.lists(st.builds(Hit, seconds, whats, seconds), max_size=8).map(tuple),
)


@settings(max_examples=150, deadline=None)
@given(weathers)
def test_two_stints_never_may_send_at_once(weather: Weather) -> None:
    city = City(weather)
    city.run(180.0)
    latest = 0
    for at, senders in city.senders:
        assert len(senders) <= 1, f"{senders} may send at {at:.2f}"
        for number in senders:
            assert number >= latest, f"stint {number} sends at {at:.2f}, after {latest} did"
            latest = number


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.floats(0.0, BEAT_S * 0.9))
def test_whoever_is_heard_in_time_keeps_its_lease(seed: int, delay_s: float) -> None:
    """Delays below a beat each way, nothing lost, nobody stopped: one stint plays from its first grant to the end."""
    city = City(Weather(seed, delay_s=delay_s))
    city.run(120.0)
    begun = [senders for at, senders in city.senders if at > 2 * BEAT_S + 2 * delay_s]
    assert begun == [[1]] * len(begun)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["dead", "paused", "cut"]), st.floats(15.0, 25.0))
def test_whoever_is_lost_is_succeeded(seed: int, what: str, at: float) -> None:
    """Somebody sends again within the lease, its margin, and a few beats."""
    city = City(Weather(seed, hits=(Hit(at, what, 60.0),)))
    city.run(60.0)
    back = at + LENGTH_S * (1 + DRIFT) + MARGIN_S + 4 * BEAT_S
    assert all(senders == [2] for when, senders in city.senders if when > back)


class TestHolder:
    def test_nothing_may_be_sent_before_the_first_grant(self) -> None:
        lease = Lease(LENGTH_S)
        lease.stamp(5.0)
        assert not lease.until > 5.0
        assert not lease.over(1e9), "what was never held is not lost"

    def test_counts_from_the_stamp_and_not_from_the_answer(self) -> None:
        lease = Lease(LENGTH_S)
        stamp = lease.stamp(5.0)
        assert lease.renewed(stamp, 12.0)
        assert lease.until == 15.0

    def test_grant_that_comes_too_late_is_none(self) -> None:
        lease = Lease(LENGTH_S)
        assert not lease.renewed(lease.stamp(5.0), 15.0)

    def test_expired_is_for_good(self) -> None:
        lease = Lease(LENGTH_S)
        lease.renewed(lease.stamp(0.0), 0.0)
        fresh = lease.stamp(9.9)
        assert lease.over(10.0)
        assert not lease.renewed(fresh, 9.95)
        assert lease.until == 10.0

    def test_older_stamp_does_not_shorten(self) -> None:
        lease = Lease(LENGTH_S)
        old, new = lease.stamp(0.0), lease.stamp(2.0)
        lease.renewed(new, 3.0)
        assert lease.renewed(old, 4.0)
        assert lease.until == 12.0

    def test_stamp_of_somebody_else(self) -> None:
        lease = Lease(LENGTH_S)
        lease.stamp(1.0)
        with pytest.raises(ValueError, match="not given out"):
            lease.renewed(1.5, 2.0)


class TestSuccession:
    def granted(self) -> Succession:
        """A first stint that was heard at 100.0 and got its grant at once."""
        succession = Succession(LENGTH_S)
        first = succession.propose()
        succession.heard(first, 7.0, 100.0)
        assert succession.confirm(first, 100.1) == 7.0
        return succession

    def ready(self, succession: Succession, now: float) -> float | None:
        number = succession.latest if succession.latest > succession.holder else succession.propose()
        succession.heard(number, now, now)
        return succession.confirm(number, now)

    def test_nobody_is_granted_anything_unheard(self) -> None:
        succession = Succession(LENGTH_S)
        assert succession.confirm(succession.propose(), 0.0) is None

    def test_successor_waits_for_the_end_of_the_lease_and_the_margin(self) -> None:
        succession = self.granted()
        end = 100.0 + LENGTH_S * (1 + DRIFT) + MARGIN_S
        assert self.ready(succession, end - 0.01) is None
        assert self.ready(succession, end) == end
        assert (succession.holder, succession.confirm(1, end)) == (2, None)

    def test_a_grant_that_may_have_arrived_counts(self) -> None:
        """It was sent, so it holds, although its holder was never heard again."""
        succession = self.granted()
        succession.heard(1, 9.0, 102.0)
        succession.confirm(1, 102.1)
        assert succession.free_at() == pytest.approx(102.0 + LENGTH_S * (1 + DRIFT) + MARGIN_S)

    def test_closed_connection_shortens_the_wait(self) -> None:
        succession = self.granted()
        succession.closed(1, 101.0)
        assert self.ready(succession, 101.0 + CLOSED_S - 0.01) is None
        assert self.ready(succession, 101.0 + CLOSED_S) is not None

    def test_closed_connection_never_lengthens_it(self) -> None:
        succession = self.granted()
        before = succession.free_at()
        succession.closed(1, before - 0.1)
        assert succession.free_at() == before

    def test_who_said_that_it_ended_is_succeeded_at_once(self) -> None:
        succession = self.granted()
        succession.ended(1)
        assert self.ready(succession, 100.2) is not None

    def test_who_was_passed_over_gets_nothing(self) -> None:
        succession = self.granted()
        passed, last = succession.propose(), succession.propose()
        for number in (passed, last):
            succession.heard(number, 50.0, 199.9)
        assert succession.confirm(passed, 200.0) is None
        assert succession.confirm(last, 200.0) == 50.0

    def test_granting_side_that_slept_grants_nothing_old(self) -> None:
        succession = self.granted()
        succession.heard(1, 8.0, 101.0)
        assert succession.confirm(1, 140.0) is None
        assert succession.lapsed(140.0)
