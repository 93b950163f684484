"""What HJ 212-2025 adds to the station's side: registration, keys, encrypted data, heartbeat, history by 2011."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from hj212 import HJ_212_2025, compose
from hj212.encryption import Key
from hj212.events import FrameRejected
from hj212.host import Credential, KeyChanged, Logger, LoggerRegistered, MnAssigned, NoticeReceived, UploadReceived
from hj212.host import Policy as HostPolicy
from hj212.station import Identity, LinkUnusable, Policy, Settings, UploadStored
from hj212.times import format_qn

from .back_to_back import MN, PW, T0, Pair, live, minute

IDENTITY = Identity("32", "LOGGER-0001-ABCDEF-00001", "CPU1", ("00:11:22:33:44:55", "00:11:22:33:44:66"))
LOGGER = Logger(IDENTITY.logger_id, IDENTITY.cpu, IDENTITY.macs, "")
DAY = 86400.0
KEY = b"0x3fQmR9vT2bK7wL"
NEW_KEY = b"Z8pYc4Nd1sHj6GaE"


def registering(**options: Any) -> Pair:
    host = {"assign_mn": lambda logger: MN, "credentials": lambda mn: None, **options.pop("host_options", {})}
    return Pair(HJ_212_2025, identity=IDENTITY, settings=Settings(mn="", pw=PW), host_options=host, **options)


class TestRegistration:
    def test_mn_is_asked_for_and_kept(self) -> None:
        pair = registering()
        assert [(m.cn, m.mn, m.st) for m in pair.up[:1]] == [("1001", "", "91")]
        assert pair.of(LoggerRegistered) == [LoggerRegistered(LOGGER, MN)]
        assert pair.of(MnAssigned) == [MnAssigned(LOGGER, MN)]
        assert (pair.station.settings.mn, pair.changes) == (MN, [{"mn"}])
        assert [m.cn for m in pair.up] == ["1001", "9011", "9012"]
        pair.cut()
        pair.connect()
        assert [m.cn for m in pair.up].count("1001") == 1

    def test_data_wait_for_the_mn(self) -> None:
        pair = registering(link=False, restarted=T0)
        pair.report("2011", live())
        pair.connect()
        pair.wait(10)
        assert sorted((m.cn, m.mn) for m in pair.uploads) == [("2011", MN), ("2081", MN)]
        assert len(pair.station.outbox) == 0

    def test_platform_that_assigns_nothing_is_asked_again(self) -> None:
        pair = registering(host_options={"assign_mn": lambda logger: None}, policy=Policy(registration_s=60.0))
        pair.wait(121)
        assert [m.cn for m in pair.up] == ["1001"] * 3
        assert pair.of(LinkUnusable) == []

    def test_platform_that_does_not_answer(self) -> None:
        pair = registering(link=False)
        pair.lose_up = lambda message: True
        pair.connect()
        pair.wait(41)
        assert [event.message.cn for event in pair.of(LinkUnusable)] == ["1001"]
        pair.lose_up = lambda message: False
        pair.wait(60)
        assert pair.station.settings.mn == MN

    def test_mn_of_another_logger(self) -> None:
        pair = registering(host_options={"assign_mn": lambda logger: None})
        pair.host.expect("1" * 24, pair.now, rules=HJ_212_2025)
        pair.host.station("1" * 24).pw = PW
        ticket = pair.host.ask("1" * 24, "1002", pair.now, {"i23005-Info": "ANOTHER"})
        pair.run()
        assert pair.result(ticket).code == 4
        assert pair.station.settings.mn == ""


def keyed(created: float = T0, *, host_keys: tuple[bytes, ...] = (KEY,), **options: Any) -> Pair:
    settings = Settings(mn=MN, pw=PW, key=Key(KEY), key_created=format_qn(round(created * 1000)))
    host = {"credentials": lambda mn: Credential(PW, "32", host_keys), **options.pop("host_options", {})}
    return Pair(HJ_212_2025, settings=options.pop("settings", settings), host_options=host, **options)

    @pytest.mark.parametrize(("mn", "pairs", "accepted"), [(MN, (), True), ("2" * 24, (), False)])
    def test_mn_for_a_logger_that_is_not_named(self, mn: str, pairs: Any, accepted: bool) -> None:
        """Only for one that has none yet, or has it already."""
        pair = Pair(HJ_212_2025, identity=IDENTITY)
        for number, wanted in ((1, accepted), (2, True)):
            message = compose(
                HJ_212_2025, qn=f"2025091510000000{number}", st="91", cn="1002", pw=PW, mn=mn, items=pairs, answer=True
            )
            pair.station.receive_data(message.encode(HJ_212_2025), pair.now)
            pair.run()
            assert (pair.station.settings.mn == mn) is wanted
            pair.station.configure(pair.now, mn="")


class TestKeys:
    def test_data_travel_encrypted(self) -> None:
        pair = keyed()
        pair.report("2011", live())
        (received,) = pair.of(UploadReceived)
        assert received.message.parameter("w01018-Rtd") == "2.20"
        assert b"w01018" not in bytes(pair.up[0])  # what was on the wire
        assert len(pair.station.outbox) == 0

    def test_new_key_is_asked_for_before_the_old_one_ends(self) -> None:
        renewed: list[str] = []

        def new_key(mn: str) -> tuple[bytes, float]:
            renewed.append(mn)
            return NEW_KEY, pair.wall()

        pair = keyed(host_options={"new_key": new_key}, policy=Policy(heartbeat_s=1000 * DAY))
        pair.wait(84.9 * DAY)
        assert renewed == []
        pair.wait(0.2 * DAY)
        assert renewed == [MN]
        (changed,) = pair.of(KeyChanged)
        settings = pair.station.settings
        assert (settings.key, settings.previous_key, settings.key_created) == (
            Key(NEW_KEY),
            Key(KEY),
            changed.created,
        )
        pair.report("2011", live())
        assert len(pair.uploads) == 1
        assert len(pair.station.outbox) == 0

    def test_back_fill_uses_the_new_key(self) -> None:
        """6.4.3: what was made under the former key is sent under the one of now."""
        pair = keyed(link=False, host_keys=(NEW_KEY,))
        pair.report("2011", live())
        pair.station.configure(pair.now, key=Key(NEW_KEY))
        pair.connect()
        pair.wait(1)
        assert [m.back_filled for m in pair.uploads] == [True]
        assert pair.of(FrameRejected) == []

    def test_platform_sets_a_key_unasked(self) -> None:
        pair = keyed(T0 - DAY)
        pair.greet()
        pair.host.send_key(MN, NEW_KEY, pair.wall(), pair.now)
        pair.run()
        assert pair.station.settings.keys == (Key(NEW_KEY), Key(KEY))
        assert pair.changes == [{"key", "previous_key", "key_created"}]
        pair.report("2011", live())
        assert len(pair.uploads) == 1

    def test_key_in_clear_is_refused(self) -> None:
        pair = keyed(
            host_keys=(), host_options={"credentials": lambda mn: None}, host_policy=HostPolicy(clear_key=True)
        )
        pair.greet()
        pair.host.station(MN).pw = PW
        pair.host.send_key(MN, NEW_KEY, pair.wall(), pair.now)
        pair.run()
        assert pair.station.settings.key == Key(KEY)
        assert pair.up[-1].parameter("QnRtn") == "2"

    @pytest.mark.parametrize("allowed", [True, False])
    def test_first_key_in_clear_is_the_policys_matter(self, allowed: bool) -> None:
        pair = keyed(
            host_keys=(),
            settings=Settings(mn=MN, pw=PW),
            policy=Policy(clear_key=allowed),
            host_policy=HostPolicy(clear_key=True),
        )
        pair.greet()
        pair.host.send_key(MN, NEW_KEY, pair.wall(), pair.now)
        pair.run()
        assert pair.station.settings.key == (Key(NEW_KEY) if allowed else None)

    def test_patterned_key_is_refused(self) -> None:
        pair = keyed()
        pair.greet()
        pair.host.send_key(MN, b"aaaaaaaaaaaaaaaa", pair.wall(), pair.now)
        pair.run()
        assert pair.up[-1].parameter("ExeRtn") == "3"
        assert pair.station.settings.key == Key(KEY)

    def test_platform_without_a_new_key_is_asked_again(self) -> None:
        pair = keyed(T0 - 86 * DAY, policy=Policy(renew_key_s=3600.0, heartbeat_s=DAY))
        pair.wait(7201)
        assert [event.message.cn for event in pair.of(NoticeReceived)] == ["1014"] * 3

    def test_lost_result_of_a_key_does_not_cut_the_station_off(self) -> None:
        """The platform still has the former key: after it does not answer, the station tries that one, and asks."""
        pair = keyed(T0 - DAY, policy=Policy(unanswered_limit=9))
        pair.greet()
        pair.lose_up = lambda message: message.cn == "9012"
        pair.host.send_key(MN, NEW_KEY, pair.wall(), pair.now)
        pair.wait(20)
        pair.lose_up = lambda message: False
        assert pair.of(KeyChanged) == []
        for second in range(3):
            pair.report("2011", live(f"2025091510000{second}"))
        assert pair.uploads == []
        pair.wait(300)
        assert len(pair.uploads) == 3
        assert len(pair.station.outbox) == 0
        pair.wait(3600)
        assert [m.cn for m in pair.up].count("1014") == 1
        pair.host.send_key(MN, NEW_KEY, pair.wall(), pair.now)
        pair.run()
        pair.report("2011", live("20250915120000"))
        assert pair.station.settings.keys == (Key(NEW_KEY), Key(KEY))
        assert (len(pair.uploads), len(pair.of(KeyChanged))) == (4, 1)

    def test_keys_are_never_shown(self) -> None:
        assert KEY.decode() not in repr(keyed().station.settings)


class TestHeartbeat:
    def test_silence_is_broken(self) -> None:
        pair = Pair(HJ_212_2025, policy=Policy(heartbeat_s=60.0))
        pair.wait(181)
        assert [m.cn for m in pair.up] == ["9015"] * 3
        assert pair.of(LinkUnusable) == []

    def test_traffic_makes_it_unnecessary(self) -> None:
        pair = Pair(HJ_212_2025, policy=Policy(heartbeat_s=60.0))
        for _ in range(10):
            pair.wait(50)
            pair.report("2011", live())
        assert {m.cn for m in pair.up} == {"2011"}

    def test_silent_platform_is_reported(self) -> None:
        pair = Pair(HJ_212_2025, policy=Policy(heartbeat_s=60.0))
        pair.lose_down = lambda message: True
        pair.wait(101)
        assert [(event.message.cn, event.sent) for event in pair.of(LinkUnusable)] == [("9015", 4)]

    def test_other_limit(self) -> None:
        pair = Pair(HJ_212_2025, policy=Policy(heartbeat_s=60.0, unanswered_limit=3))
        pair.lose_down = lambda message: True
        pair.wait(299)
        assert pair.of(LinkUnusable) == []
        pair.wait(2)
        assert len(pair.of(LinkUnusable)) == 1


def test_history_by_2011() -> None:
    pair = Pair(HJ_212_2025)
    pair.greet()
    times = [f"2025091509{number:02}00" for number in range(5)]
    pair.site.records["2011"] = [live(time) for time in times]
    result = pair.ask("2011", begin=times[1], end=times[3])
    assert [m.parameter("DataTime") for m in result.messages] == times[1:4]
    assert [m.back_filled for m in result.messages] == [False] * 3
    assert pair.changes == []  # it starts nothing


def test_records_that_carry_rf() -> None:
    pair = Pair(HJ_212_2025, policy=Policy(records_as_back_fill=True))
    pair.greet()
    pair.site.records["2052"] = [minute("20250915090000")]
    result = pair.ask("2052", begin="20250915090000", end="20250915090000")
    assert [m.back_filled for m in result.messages] == [True]


def test_rules_with_other_limits() -> None:
    """A peer that takes four digits of PNUM."""
    rules = replace(HJ_212_2025, max_packets=9999)
    pair = Pair(rules)
    values = [[(f"a{number:05}-Rtd", "123.456"), (f"a{number:05}-Flag", "N")] for number in range(400)]
    records = pair.report("2011", [[("DataTime", "20250915100000")], *values])
    assert len(records) > 9
    assert len(pair.station.outbox) == 0
    assert pair.of(UploadStored) == []
