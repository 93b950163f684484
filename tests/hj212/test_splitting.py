"""Long messages in packets and back (HJ 212-2017 6.3.2 PNUM and PNO, Annex C.47 to C.50)."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import count

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hj212 import HJ_212_2017, HJ_212_2025, HJ_T_212_2005, RULES, LocalProtocolError, Message, Rules, compose
from hj212.splitting import JOIN_S, MAX_JOINING, Incomplete, Joined, Joiner, split
from hj212.times import format_qn

MN = "010000A8900016F000169DC0"
DATA_TIME = ("DataTime", "20240102020000")


def qns() -> object:
    numbers = count(1)
    return lambda: format_qn(1_704_135_845_006 + next(numbers))


def hour(rules: Rules, factors: int, *, answer: bool = True, time: tuple[str, str] = DATA_TIME) -> Message:
    items = [[time]]
    for number in range(factors):
        code = f"w{number:05d}"
        items.append(
            [(f"{code}-Cou", "63.0"), (f"{code}-Min", "16.40"), (f"{code}-Avg", "17.5"), (f"{code}-Flag", "N")]
        )
    qn = "20240102030405006"
    return compose(rules, qn=qn, st="32", cn="2061", pw="123456", mn=MN, items=items, answer=answer)


def in_packets(rules: Rules, factors: int, *, answer: bool = True, time: tuple[str, str] = DATA_TIME) -> list[Message]:
    return split(hour(rules, factors, answer=answer, time=time), rules, qns())  # type: ignore[arg-type]


each_edition = pytest.mark.parametrize("rules", RULES.values(), ids=lambda rules: rules.title)


class TestSplit:
    @each_edition
    def test_what_fits_stays_whole(self, rules: Rules) -> None:
        message = hour(rules, 3)
        assert split(message, rules, pytest.fail) == [message]  # type: ignore[arg-type]

    @each_edition
    def test_every_packet_keeps_the_limits_and_says_the_time_again(self, rules: Rules) -> None:
        packets = in_packets(rules, 60)
        assert len(packets) > 1
        for number, packet in enumerate(packets, start=1):
            packet.encode(rules)  # raises where a limit is broken
            assert (packet.pno, packet.pnum) == (number, len(packets))
            assert (packet.flag or 0) & 3 == 3
            assert packet.items[0] == [list(DATA_TIME)]

    def test_a_qn_for_each_packet_or_one_for_all(self) -> None:
        for rules, shared in ((HJ_T_212_2005, True), (HJ_212_2017, False)):
            found = {packet.qn for packet in in_packets(rules, 60)}
            assert (len(found) == 1) is shared

    def test_order_of_the_fields(self) -> None:
        names = [pair[0] for pair in in_packets(HJ_212_2017, 60)[0].segment.header]
        assert names == ["QN", "ST", "CN", "PW", "MN", "Flag", "PNUM", "PNO"]
        back_filled = compose(
            HJ_212_2025, qn="20240102030405006", st="32", cn="2061", pw="1", mn=MN, back_fill=True,
            items=hour(HJ_212_2025, 30).items,
        )  # fmt: skip
        names = [pair[0] for pair in split(back_filled, HJ_212_2025, qns())[1].segment.header]  # type: ignore[arg-type]
        assert names[-3:] == ["PNUM", "PNO", "RF"]

    def test_a_2005_upload_without_flag_and_qn(self) -> None:
        bare = hour(HJ_T_212_2005, 60)
        bare.segment.header = [pair for pair in bare.segment.header if pair[0] not in ("QN", "Flag")]
        packets = split(bare, HJ_T_212_2005, qns())  # type: ignore[arg-type]
        assert [pair[0] for pair in packets[0].segment.header] == ["ST", "CN", "PW", "MN", "PNUM", "PNO"]

    def test_an_item_is_never_cut(self) -> None:
        log = compose(
            HJ_212_2017, qn="20240102030405006", st="32", cn="3020", pw="1", mn=MN,
            items=[[DATA_TIME], [("i11001-Info", "//" + "清" * 400 + "//")]],
        )  # fmt: skip
        with pytest.raises(LocalProtocolError, match=r"i11001-Info: one item of 1216 bytes, at most \d+ fit"):
            split(log, HJ_212_2017, qns())  # type: ignore[arg-type]

    def test_more_packets_than_pnum_can_say(self) -> None:
        with pytest.raises(LocalProtocolError, match="PNUM of HJ 212-2025 says at most 9"):
            in_packets(HJ_212_2025, 200)
        assert len(in_packets(replace(HJ_212_2025, max_packets=99), 200)) > 9


class TestJoin:
    @each_edition
    def test_any_order_and_any_number_of_times(self, rules: Rules) -> None:
        message = hour(rules, 60)
        packets = in_packets(rules, 60)
        for seed in range(20):
            shuffled = packets * 3
            random.Random(seed).shuffle(shuffled)
            joiner = Joiner()
            found = [each for packet in shuffled for each in joiner.add(packet, 0.0) or []]
            assert [type(each) for each in found] == [Joined]
            assert isinstance(found[0], Joined)
            assert bytes(found[0].message) == bytes(message)
            assert joiner.next_timeout() is None

    @given(
        st.lists(st.tuples(st.integers(0, 99_999), st.integers(1, 120)), min_size=1, max_size=80),
        st.sampled_from(list(RULES.values())),
        st.randoms(),
    )
    def test_split_and_joined_is_the_same(
        self, sizes: list[tuple[int, int]], rules: Rules, order: random.Random
    ) -> None:
        items = [[DATA_TIME]] + [[(f"w{code:05d}-Rtd", "1" * size)] for code, size in sizes]
        message = compose(rules, qn="20240102030405006", st="32", cn="2011", pw="1", mn=MN, items=items, answer=True)
        try:
            packets = split(message, rules, qns())  # type: ignore[arg-type]
        except LocalProtocolError as error:
            assume("packets" not in str(error))
            raise
        order.shuffle(packets)
        joiner = Joiner()
        outcomes = [joiner.add(packet, 0.0) for packet in packets]
        if len(packets) == 1:
            assert outcomes == [None]
        else:
            (whole,) = outcomes[-1] or []
            assert isinstance(whole, Joined)
            assert bytes(whole.message) == bytes(message)

    def test_missing_ones_are_named_when_time_is_up(self) -> None:
        joiner = Joiner()
        packets = in_packets(HJ_212_2017, 60)
        joiner.add(packets[0], 0.0)
        joiner.add(packets[2], 5.0)
        assert joiner.next_timeout() == 5.0 + JOIN_S
        assert joiner.expire(5.0 + JOIN_S - 0.1) == []
        (lost,) = joiner.expire(5.0 + JOIN_S)
        missing = tuple(sorted(set(range(1, len(packets) + 1)) - {1, 3}))
        assert lost == Incomplete(MN, "2061", missing, (packets[0], packets[2]))
        assert joiner.next_timeout() is None

    def test_other_content_of_the_same_time_is_not_taken_for_a_repeat(self) -> None:
        joiner = Joiner()
        for packet in in_packets(HJ_212_2017, 60):
            joiner.add(packet, 0.0)
        again = in_packets(HJ_212_2017, 60, answer=False)
        found = [each for packet in again for each in joiner.add(packet, 1.0) or []]
        assert [type(each) for each in found] == [Joined]

    def test_the_oldest_gives_way(self) -> None:
        joiner = Joiner()
        found: list[Joined | Incomplete] = []
        for number in range(MAX_JOINING + 1):
            packets = in_packets(HJ_212_2017, 30, time=("DataTime", f"202401020{number:05d}"))
            found += joiner.add(packets[0], 0.0) or []
        assert [each.missing for each in found if isinstance(each, Incomplete)] == [(2, 3)]
        assert len(joiner.close()) == MAX_JOINING

    @pytest.mark.parametrize("numbers", [b"PNUM=1;PNO=1", b"PNUM=2;PNO=3", b"PNUM=2;PNO=0", b"PNUM=x;PNO=1", b"PNO=1"])
    def test_numbers_that_make_no_sense_leave_the_message_alone(self, numbers: bytes) -> None:
        message = Message.from_bytes(b"QN=20240102030405006;ST=32;CN=2061;PW=1;MN=2;Flag=7;" + numbers + b";CP=&&&&")
        assert Joiner().add(message, 0.0) is None
