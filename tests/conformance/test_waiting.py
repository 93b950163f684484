"""What is said while the device is awaited: each usual mistake is named, in both languages, and never a password."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import ifaddr
import pytest

from conformance import literal
from conformance.demo import MN, PW, SimulatedOperator
from conformance.live import network, waiting
from conformance.live.bench import Bench, StepEnd
from conformance.live.network import Card
from conformance.live.stimuli import STIMULI
from conformance.live.waiting import Diagnosis, Sign, diagnose, instructions, render_instructions
from conformance.profile import Limits, Profile, shipped
from conformance.transcript import Transcript
from conformance.verdicts import Said
from hj212.crc import modbus_crc16
from simulator.behaviour import Behaviour
from simulator.clock import EPOCH, run_virtual
from simulator.faults import behaviour_with
from simulator.personalities.door import DoorController, DoorSettings
from simulator.station import Station
from simulator.transport import MemoryNetwork
from stationgate.language import LANGUAGES, Language, speaking

OTHER_MN = "64010000ACCE550000000002"
CARDS = [Card("eth0", "192.168.1.10", 24), Card("以太网", "169.254.7.7", 16)]
PORT = 8212


def profile(**limits: float) -> Profile:
    base = shipped("nx-door")
    rows = {**base.limits, **{name: replace(base.limits[name], value=value) for name, value in limits.items()}}
    return replace(base, device={**base.device, "mn": MN, "pw": PW}, limits=Limits(rows))


def segment(mn: str = MN, pw: str = PW, st: str = "81", flag: str = "Flag=5;", more: str = "") -> bytes:
    return (
        f"QN=20250915100000123;ST={st};CN=3020;PW={pw};MN={mn};{flag}CP=&&DataTime=20250915100000;i32001-Info=0{more}&&"
    ).encode()


def frame(mn: str = MN, pw: str = PW, st: str = "81", flag: str = "Flag=5;", more: str = "") -> bytes:
    return literal.frame(segment(mn, pw, st, flag, more))


class Story:
    """A transcript written by hand: what a device did, second by second."""

    def __init__(self, host: str = "0.0.0.0") -> None:
        self.transcript = Transcript(epoch=EPOCH, clock="virtual")
        self.transcript.add("listen", 0.0, host=host, port=PORT)

    def connect(self, t: float, link: int = 1, peer: str = "10.0.0.3:50000") -> Story:
        self.transcript.add("connect", t, link=link, transport="tcp", peer=peer)
        return self

    def send(self, t: float, data: bytes, link: int = 1) -> Story:
        self.transcript.add("bytes", t, data=data, link=link, transport="tcp", direction="in")
        return self

    def close(self, t: float, link: int = 1) -> Story:
        self.transcript.add("close", t, link=link, transport="tcp", why="closed by the device")
        return self

    def look(self, now: float, declared: Profile | None = None) -> Diagnosis:
        return diagnose(self.transcript, declared or profile(), now, CARDS)


def heard(data: bytes, declared: Profile | None = None, after: float = 5.0) -> Diagnosis:
    return Story().connect(1.0).send(2.0, data).look(2.0 + after, declared)


@pytest.fixture(params=LANGUAGES)
def lang(request: pytest.FixtureRequest) -> Iterator[Language]:
    with speaking(request.param):
        yield request.param


class TestNobody:
    def test_is_no_news_at_first(self) -> None:
        found = Story().look(3.0)
        assert (found.sign, found.todo) == (Sign.NOTHING, None)
        assert "8212" in str(found.what)

    def test_after_a_while_names_port_cards_and_firewall(self, lang: Language) -> None:
        found = Story().look(waiting.NAME_S)
        assert found.sign is Sign.NOTHING
        for wanted in ("8212", "192.168.1.10 (eth0)", "169.254.7.7", "conformance doctor"):
            assert wanted in str(found.said)

    def test_where_only_this_computer_can_connect_says_how_to_change_that(self) -> None:
        found = Story("127.0.0.1").look(waiting.NAME_S)
        assert "--listen 0.0.0.0:8212" in str(found.said)

    def test_an_advertised_address_stands_for_the_cards(self) -> None:
        declared = replace(profile(), listen={"advertised_host": "203.0.113.9", "advertised_port": 9000})
        said = str(Story("127.0.0.1").look(waiting.NAME_S, declared).said)
        assert "203.0.113.9" in said
        assert "9000" in said
        assert "192.168.1.10" not in said


class TestSilence:
    def test_a_new_connection_is_given_a_moment(self) -> None:
        assert Story().connect(20.0).look(21.0).sign is Sign.CONNECTED

    def test_an_open_connection_without_a_byte(self, lang: Language) -> None:
        found = Story().connect(20.0).look(20.0 + waiting.SILENT_S)
        assert found.sign is Sign.SILENT
        assert "10.0.0.3" in str(found.said)

    def test_connected_and_left(self) -> None:
        assert Story().connect(20.0).close(20.2).look(21.0).sign is Sign.LEFT

    @pytest.mark.parametrize(
        "data",
        [
            b"HEARTBEAT\r\n",
            b"0001\r\n",
            literal.frame(b"ST=81;CN=9021;PW=123456;MN=" + MN.encode() + b";Flag=0;CP=&&&&"),
            literal.frame(b"ST=81;CN=9015;PW=123456;MN=" + MN.encode() + b";Flag=8;CP=&&&&"),
        ],
    )
    def test_heartbeats_alone(self, data: bytes) -> None:
        assert heard(data).sign is Sign.HEARTBEAT

    def test_a_frame_that_is_not_complete_yet_is_no_news(self) -> None:
        found = Story().connect(20.0).send(20.0 + 1.0, frame()[:40]).look(22.0)
        assert found.sign is Sign.CONNECTED

    def test_a_frame_that_never_becomes_complete_is_named(self) -> None:
        found = heard(frame()[:90])
        assert found.sign is Sign.REFUSED
        assert "cut off" in str(found.said)


class TestIdentity:
    def test_a_good_device(self) -> None:
        assert heard(frame()).sign is Sign.RIGHT

    def test_without_a_declared_mn_the_first_is_taken(self) -> None:
        declared = replace(profile(), device={"st": "81"})
        found = Story().connect(1.0).send(2.0, frame(OTHER_MN)).send(3.0, frame()).look(4.0, declared)
        assert OTHER_MN in str(found.said)
        assert heard(frame(OTHER_MN), declared).sign is Sign.RIGHT

    def test_another_mn_is_shown_beside_the_expected_one(self, lang: Language) -> None:
        found = heard(frame(OTHER_MN))
        assert found.sign is Sign.OTHER_MN
        for wanted in (OTHER_MN, MN, "24"):
            assert wanted in str(found.said)

    @pytest.mark.parametrize(
        ("mn", "difference"),
        [(MN.lower(), "upper and lower case"), (MN[:14], "14 characters, expected are 24")],
    )
    def test_the_difference_of_two_mns_is_named(self, mn: str, difference: str) -> None:
        assert difference in str(heard(frame(mn)).said)

    def test_an_mn_that_would_act_on_a_terminal_is_escaped(self) -> None:
        said = str(heard(frame("\x1b[2J" + "A" * 300)).said)
        assert "\x1b" not in said
        assert len(said) < 400

    def test_another_pw_is_named_and_neither_is_shown(self, lang: Language) -> None:
        found = heard(frame(pw="654321"))
        assert found.sign is Sign.WRONG_PW
        assert MN in str(found.said)
        assert "654321" not in str(found.said)
        assert PW not in str(found.said)

    def test_a_pw_behind_a_lost_separator_is_not_shown(self) -> None:
        found = heard(literal.frame(segment().replace(b";Flag=5", b"PW=654321Flag=5")))
        assert found.sign is Sign.OTHER_MN
        assert "654321" not in str(found.said)

    def test_another_st_is_shown_beside_the_expected_one(self) -> None:
        found = heard(frame(st="32"))
        assert found.sign is Sign.WRONG_ST
        assert "ST=32" in str(found.said)
        assert "ST=81" in str(found.said)

    def test_an_answer_has_an_st_of_its_own(self) -> None:
        assert heard(frame(st="91").replace(b"CN=3020", b"CN=9014")).sign is not Sign.WRONG_ST

    @pytest.mark.parametrize(("flag", "edition"), [("", "212-2005"), ("Flag=1;", "212-2005"), ("Flag=9;", "212-2025")])
    def test_another_edition_is_named_by_its_flag(self, flag: str, edition: str) -> None:
        found = heard(frame(flag=flag))
        assert found.sign is Sign.EDITION
        assert edition in str(found.said)


class TestDamage:
    """The first thing for which a platform refuses a frame, in the words of the library."""

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (b"##%04d" % len(segment()) + segment() + b"%04X\r\n" % modbus_crc16(segment()), "CRC-16/MODBUS"),
            (frame()[:-6] + b"\r\n", "the CRC is missing"),
            (b"##%04d" % (len(segment()) + 12) + frame()[6:], "size of the whole frame"),
            (b"##%04X" % len(segment()) + frame()[6:], "the length field '007C' is not a number"),
            (frame()[2:], "the head ## is missing"),
            (frame()[:-2] + b"\n", "LF alone"),
            (literal.frame(segment(more=";info=门").decode().encode("gbk")), "GBK"),
            (frame().decode().encode("utf-16-le"), "UTF-16"),
            (frame().hex().encode() + b"\r\n", "hexadecimal text"),
        ],
    )
    def test_is_named(self, data: bytes, words: str) -> None:
        found = heard(data)
        assert found.sign in (Sign.REFUSED, Sign.REFUSED_OURS)
        assert words in str(found.said)
        assert PW not in str(found.said)

    def test_is_named_in_chinese_too(self) -> None:
        with speaking("zh"):
            said = str(heard(frame()[:-6] + b"0000\r\n").said)
        assert "CRC 0000 与数据段不符" in said

    def test_of_another_station_is_told_before_its_mn(self) -> None:
        assert heard(frame(OTHER_MN)[:-6] + b"0000\r\n").sign is Sign.REFUSED

    def test_a_lower_case_crc_is_no_damage(self) -> None:
        raw = frame()
        assert heard(raw[:-6] + raw[-6:].lower()).sign is Sign.RIGHT

    def test_text_of_a_person_is_not_quoted(self) -> None:
        name = "张三".encode("gbk")
        found = heard(literal.frame(segment().replace(b"i32001-Info=0", b"i32005-Info=" + name)))
        assert found.sign is Sign.REFUSED_OURS
        assert "张三" not in str(found.said)


class TestStrangers:
    @pytest.mark.parametrize(
        ("data", "name"),
        [
            (b"GET / HTTP/1.1\r\nHost: 10.0.0.2\r\n\r\n", "HTTP"),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40), "TLS"),
            (b"\x00\x01\x00\x00\x00\x06\x01\x03\x00\x00\x00\x0a", "Modbus TCP"),
            (b"\x01\x03\x00\x00\x00\x0a\xc5\xcd", "Modbus RTU"),
            (b"\x10\x16\x00\x04MQTT\x04\x02\x00\x3c\x00\x0adoor-00001", "MQTT"),
            (b"REGISTER sip:34020000002000000001@3402000000 SIP/2.0\r\n", "SIP"),
            (b"SSH-2.0-OpenSSH_9.6\r\n", "SSH"),
            (b"PROXY TCP4 10.0.0.3 10.0.0.2 5000 8212\r\n", "PROXY"),
            (b'{"mn": "6401", "door": 1}\n', "JSON"),
            (b"<?xml version='1.0'?><Notify/>", "XML"),
        ],
    )
    def test_are_named(self, data: bytes, name: str) -> None:
        found = heard(data)
        assert found.sign is Sign.FOREIGN
        assert name in str(found.said)

    @pytest.mark.parametrize("size", [1, 7, 100])
    def test_are_named_however_the_line_splits_them(self, size: int) -> None:
        data = b"GET /index.html HTTP/1.1\r\nHost: 10.0.0.2\r\n\r\n"
        story = Story().connect(1.0)
        for at in range(0, len(data), size):
            story.send(2.0, data[at : at + size])
        found = story.look(9.0)
        assert found.sign is Sign.FOREIGN
        assert "HTTP" in str(found.said)

    def test_unknown_bytes_are_shown_by_their_first_four(self) -> None:
        found = heard(bytes([0xAA, 0x55, 0x00, 0x10]) + b"SECRET-7" * 30 + b"\n")
        assert found.sign is Sign.FOREIGN
        assert "AA 55 00 10" in str(found.said)
        assert "SECRET" not in str(found.said)

    def test_bytes_before_a_frame_do_not_hide_it(self) -> None:
        assert heard(b"\x00\xff\x01\n" + frame()).sign is Sign.RIGHT


class TestSeveral:
    def test_the_most_telling_of_a_moment_is_named(self) -> None:
        story = Story().connect(1.0).send(2.0, frame(pw="000000"))
        story.connect(3.0, link=2, peer="10.0.0.4:1").send(4.0, frame(OTHER_MN), link=2)
        assert story.look(5.0).sign is Sign.WRONG_PW

    def test_what_was_put_right_is_forgotten(self) -> None:
        story = Story().connect(1.0).send(2.0, frame(pw="000000")).close(10.0)
        story.connect(60.0, link=2).send(61.0, frame(OTHER_MN), link=2)
        assert story.look(62.0).sign is Sign.OTHER_MN

    def test_a_device_that_falls_silent_after_a_change_is_told_so(self) -> None:
        story = Story().connect(1.0).send(2.0, frame(OTHER_MN)).close(10.0).connect(60.0, link=2)
        assert story.look(60.0 + waiting.SILENT_S).sign is Sign.SILENT

    def test_links_left_half_open_do_not_hide_what_was_heard(self) -> None:
        story = Story().connect(1.0).connect(1.5, link=2).send(2.0, frame(OTHER_MN), link=2)
        assert story.look(600.0).sign is Sign.OTHER_MN

    def test_many_connections_take_bounded_room(self) -> None:
        wait = waiting.Wait(profile(), 0.0)
        story = Story()
        for number in range(1, 500):
            story.connect(1.0 + number, link=number).send(1.0 + number, b"\x00" * 5000, link=number)
        for entry in story.transcript:
            wait.take(entry)
        assert wait.look(600.0, CARDS).sign is Sign.FOREIGN
        assert len(wait._links) <= waiting.MAX_FOLLOWED


# The step itself, on virtual time


class Told(list[tuple[float, Said]]):
    """What a bench told, and when."""

    def signs(self, *texts: str) -> list[bool]:
        said = [str(what) for _t, what in self]
        return [any(text in line for line in said) for text in texts]


async def waited(
    declared: Profile, *, mn: str = MN, pw: str = PW, behaviour: Behaviour | None = None, starts_s: float = 0.0
) -> tuple[StepEnd, Told, float]:
    told = Told()
    loop = asyncio.get_running_loop()
    door = DoorController(DoorSettings(mn=mn, pw=pw), behaviour or Behaviour(), loop.time(), EPOCH)
    station = Station(door, "127.0.0.1", 0)
    bench = Bench(
        declared, Transcript(epoch=EPOCH, clock="virtual"), SimulatedOperator(station), transport="memory",
        on_progress=lambda what, until: told.append((loop.time(), what)),
    )  # fmt: skip
    await bench.listen("127.0.0.1", PORT)
    station.port = PORT

    async def live() -> None:
        await asyncio.sleep(starts_s)
        await station.run()

    life = asyncio.create_task(live())
    end = await STIMULI["connect"](bench)
    life.cancel()
    await asyncio.gather(life, return_exceptions=True)
    bench.stop_listening()
    return end, told, loop.time()


class TestConnectStep:
    def test_ends_with_a_device_that_is_right(self) -> None:
        end, told, took = run_virtual(lambda: waited(profile()), MemoryNetwork())
        assert end.result == "done"
        assert took < 10.0
        assert len(told) == 1

    def test_goes_on_waiting_for_a_device_that_comes_late(self) -> None:
        end, told, took = run_virtual(lambda: waited(profile(), starts_s=300.0), MemoryNetwork())
        assert end.result == "done"
        assert 300.0 <= took < 310.0
        assert told.signs("nothing has connected to port 8212 yet", "--listen 0.0.0.0:8212") == [True, True]

    def test_another_pw_is_judged_at_the_end_of_the_wait(self) -> None:
        end, told, took = run_virtual(lambda: waited(profile(connect_s=100.0), pw="654321"), MemoryNetwork())
        assert end.result == "done"
        assert took == pytest.approx(100.0)
        assert told.signs("another PW") == [True]

    def test_another_mn_alone_is_no_device(self) -> None:
        end, told, _took = run_virtual(lambda: waited(profile(connect_s=100.0), mn=OTHER_MN), MemoryNetwork())
        assert end.result == "timeout"
        assert end.detail["links"] == 1
        assert told.signs("a different MN reports") == [True]

    def test_nobody_ends_the_wait_at_its_limit(self) -> None:
        end, _told, took = run_virtual(lambda: waited(profile(connect_s=50.0), starts_s=90.0), MemoryNetwork())
        assert end.result == "timeout"
        assert took == pytest.approx(50.0)

    def test_a_wrong_check_value_is_told_and_judged(self) -> None:
        behaviour = behaviour_with(["modbus-crc"])
        end, told, took = run_virtual(lambda: waited(profile(), behaviour=behaviour), MemoryNetwork())
        assert end.result == "done"
        assert took < 10.0
        assert told.signs("CRC-16/MODBUS") == [True]

    def test_without_a_declared_mn_says_which_is_taken(self) -> None:
        declared = replace(profile(), device={"st": "81"})
        end, told, _took = run_virtual(lambda: waited(declared, mn=OTHER_MN), MemoryNetwork())
        assert end.result == "done"
        assert told.signs(f"MN={OTHER_MN} is taken") == [True]

    def test_a_sentence_stands_long_enough_and_is_not_repeated(self) -> None:
        _end, told, _took = run_virtual(lambda: waited(profile(connect_s=2_000.0), mn=OTHER_MN), MemoryNetwork())
        texts = [str(what) for _t, what in told]
        assert all(a != b for a, b in pairwise(texts))
        assert len(texts) < 10


class TestInstructions:
    def test_name_every_card_and_no_password(self, lang: Language) -> None:
        rows = instructions(profile(), "0.0.0.0", PORT, CARDS)
        text = render_instructions(rows, "0.0.0.0")
        for wanted in ("192.168.1.10 (eth0)", "169.254.7.7", "8212", MN, "81", "***", "HJ 212-2017", "900"):
            assert wanted in text
        assert PW not in text
        assert "--listen" not in text

    def test_without_identity_the_first_mn_is_taken(self) -> None:
        rows = dict(instructions(replace(profile(), device={"st": "81"}), "0.0.0.0", PORT, CARDS))
        assert "first MN" in rows["MN"]
        assert rows["PW"] == "any"

    def test_an_advertised_address_is_the_one_to_type(self) -> None:
        declared = replace(profile(), listen={"advertised_host": "203.0.113.9", "advertised_port": 9000})
        rows = dict(instructions(declared, "0.0.0.0", PORT, CARDS))
        assert (rows["platform IP"], rows["port"]) == ("203.0.113.9", "9000")

    def test_loopback_comes_with_a_warning(self) -> None:
        rows = instructions(profile(), "127.0.0.1", PORT)
        assert rows[0] == ("platform IP", "127.0.0.1 (lo)") or rows[0][1].startswith("127.0.0.1")
        assert "--listen 0.0.0.0:PORT" in render_instructions(rows, "127.0.0.1")
        assert "--listen" not in render_instructions(rows, "127.0.0.1", advertised=True)


class TestNetwork:
    def test_cards_a_device_may_reach_come_first_and_loopback_last(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def adapter(name: str, *addresses: object) -> ifaddr.Adapter:
            ips = [ifaddr.IP(address, 24, name) for address in addresses]
            return ifaddr.Adapter(name, name, ips)

        adapters = [
            adapter("lo", "127.0.0.1", ("::1", 0, 0)),
            adapter("WLAN", "169.254.7.7"),
            adapter("以太网", "192.168.1.10", "10.0.0.2"),
            adapter("tunnel", ("fe80::1", 0, 3)),
        ]
        monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters)
        found = network.cards()
        assert [card.address for card in found] == ["192.168.1.10", "10.0.0.2", "169.254.7.7", "127.0.0.1"]
        assert found[0].name == "以太网"
        assert [card.link_local for card in found] == [False, False, True, False]
        assert [card.address for card in network.addresses_for("0.0.0.0")] == [card.address for card in found[:3]]
        assert [str(card) for card in network.addresses_for("10.0.0.2")] == ["10.0.0.2 (以太网)"]
        monkeypatch.setattr(ifaddr, "get_adapters", lambda: adapters[:1])
        assert [card.address for card in network.addresses_for("0.0.0.0")] == ["127.0.0.1"]

    @pytest.mark.parametrize(
        ("host", "alone"),
        [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("door", False)],
    )
    def test_loopback_is_for_this_computer_alone(self, host: str, alone: bool) -> None:
        assert network.is_loopback(host) is alone
