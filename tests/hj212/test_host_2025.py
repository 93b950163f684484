"""What HJ 212-2025 adds to the platform's side: registration, keys, heartbeat, history by 2011."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from hj212 import HJ_212_2017, HJ_212_2025, CommandKind, Connection, LocalProtocolError, Message, QnRtn, Role, compose
from hj212.events import MessageReceived
from hj212.host import (
    Admission,
    Host,
    HostEvent,
    KeyChanged,
    KeyExpired,
    KeyNotSent,
    Logger,
    LoggerRegistered,
    MessageRefused,
    MnAssigned,
    NoticeReceived,
    Outcome,
    Policy,
    Purpose,
    RequestFinished,
    SetupFinished,
    SetupPlan,
    StationHeard,
    StationOffline,
)
from hj212.times import QnSource, format_qn

MN = "010000A8900016F000169DC0"
LOGGER = Logger("LOGGER-0001-ABCDEF-00001", "CPU1", ("00:11:22:33:44:55", "00:11:22:33:44:66"), "")
PW = "s3cret"
T0 = 1757901600.0
DAY = 86400.0
KEY = b"0123456789abcdef"
NEW_KEY = b"fedcba9876543210"


class Logger2025:
    """A data logger on a plain connection; answers every request with success unless told otherwise."""

    def __init__(self, mn: str = "") -> None:
        self.mn = mn
        self.connection = Connection(Role.STATION, HJ_212_2025)
        self.qns = QnSource(lambda: T0)
        self.requests: list[Message] = []
        self.codes: dict[str, QnRtn] = {}
        self.data: Callable[[Message], list[Message]] = lambda request: []

    def message(self, cn: str, *pairs: tuple[str, str], answer: bool = True) -> Message:
        items = [[pair] for pair in pairs]
        return compose(HJ_212_2025, qn=self.qns(), st="91", cn=cn, pw=PW, mn=self.mn, items=items, answer=answer)

    def registration(self) -> Message:
        return self.message(
            "1001",
            ("i23005-Info", LOGGER.id),
            ("i23006-Info", LOGGER.cpu),
            ("i23007-Info", LOGGER.macs[0]),
            ("i23008-Info", LOGGER.macs[1]),
        )

    def act(self, now: float) -> None:
        for event in self.connection.events():
            if not isinstance(event, MessageReceived):
                continue
            self.requests.append(event.message)
            if event.kind is CommandKind.REQUEST:
                code = self.codes.get(event.message.cn, QnRtn.READY)
                self.connection.answer(event.message, code)
                if code is QnRtn.READY:
                    for upload in self.data(event.message):
                        self.connection.send(upload, now)
                    self.connection.complete(event.message)


class Link:
    """A host and a logger on a perfect wire."""

    def __init__(self, logger: Logger2025, **options: object) -> None:
        self.now = 0.0
        self.logger = logger
        options.setdefault("credentials", lambda mn: None)
        self.host = Host(HJ_212_2017, wall=lambda: T0 + self.now, **options)  # type: ignore[arg-type]
        self.found: list[HostEvent] = []

    def run(self) -> list[HostEvent]:
        start = len(self.found)
        for _ in range(100):
            out = self.host.data_to_send()
            self.logger.connection.receive_data(out, self.now)
            self.logger.act(self.now)
            back = self.logger.connection.data_to_send()
            self.host.receive_data(back, self.now)
            self.found += self.host.events()
            if not out and not back:
                return self.found[start:]
        raise AssertionError("they answer each other for ever")

    def say(self, *messages: Message) -> list[HostEvent]:
        for message in messages:
            self.logger.connection.send(message, self.now)
        return self.run()

    def of(self, kind: type[HostEvent]) -> list[HostEvent]:
        return [event for event in self.found if isinstance(event, kind)]


class TestRegistration:
    """6.8: 1001, 9013, 1002, 9011, 9012."""

    def test_mn_is_assigned_and_setup_follows(self) -> None:
        logger = Logger2025()
        link = Link(logger, assign_mn=lambda found: MN, policy=Policy(setup=SetupPlan()))
        link.say(logger.registration())
        assert link.found[0] == LoggerRegistered(LOGGER, MN)
        assert link.of(MnAssigned) == [MnAssigned(LOGGER, MN)]
        assert [request.cn for request in logger.requests] == ["1002", "1012", "2011", "2021"]
        assign = logger.requests[0]
        assert (assign.mn, assign.pw, assign.parameter("i23005-Info"), assign.flag) == (MN, PW, LOGGER.id, 9)
        assert link.host.loggers == {LOGGER.id: MN}
        assert len(link.of(SetupFinished)) == 1
        logger.mn = MN
        link.say(logger.message("2011", ("DataTime", "20250915100000")))
        assert len(link.of(SetupFinished)) == len(link.of(StationHeard)) == 1

    def test_notice_is_answered_with_an_empty_mn(self) -> None:
        logger = Logger2025()
        link = Link(logger, assign_mn=lambda found: None)
        link.host.receive_data(logger.registration().encode(HJ_212_2025), 0.0)
        reply = link.host.data_to_send()
        assert b";CN=9013;" in reply
        assert b";MN=;Flag=8;CP=&&&&" in reply
        assert link.host.events() == [LoggerRegistered(LOGGER, "")]

    def test_refused(self) -> None:
        logger = Logger2025()
        logger.codes["1002"] = QnRtn.REFUSED
        link = Link(logger, assign_mn=lambda found: MN, policy=Policy(setup=SetupPlan()))
        link.say(logger.registration())
        (finished,) = link.of(RequestFinished)
        assert isinstance(finished, RequestFinished)
        assert (finished.ticket.purpose, finished.outcome) == (Purpose.REGISTRATION, Outcome.REFUSED)
        assert (link.of(MnAssigned), link.host.loggers) == ([], {})

    def test_registering_again_gives_the_mn_again(self) -> None:
        logger = Logger2025()
        asked: list[Logger] = []
        link = Link(logger, assign_mn=lambda found: asked.append(found) or MN)
        first = logger.registration()
        link.say(first)
        link.host.receive_data(first.encode(HJ_212_2025), 1.0)  # sent again: its 9013 was lost
        link.run()
        link.say(logger.registration())
        assert asked == [LOGGER, LOGGER]
        assert link.of(MnAssigned) == [MnAssigned(LOGGER, MN)] * 2

    def test_assigned_mn_must_be_admitted(self) -> None:
        logger = Logger2025()
        link = Link(logger, assign_mn=lambda found: MN, policy=Policy(admission=Admission.KNOWN))
        link.say(logger.registration())
        assert [type(event) for event in link.found] == [LoggerRegistered, MessageRefused]

    def test_registration_is_nothing_to_an_edition_without(self) -> None:
        """The same command of a station that declares 2017 is passed on."""
        link = Link(Logger2025(), assign_mn=lambda found: MN)
        message = compose(HJ_212_2017, qn="20250915100000000", st="32", cn="1001", pw=PW, mn=MN)
        link.host.receive_data(message.encode(HJ_212_2017), 0.0)
        assert LoggerRegistered not in map(type, link.host.events())


class TestKeys:
    """6.4.3: 1014 of the station, 9013; 1014 of the platform, 9011, 9012."""

    def wanted(self, logger: Logger2025, age_days: float = 89) -> Message:
        return logger.message("1014", ("SKCreateTime", format_qn(round((T0 - age_days * DAY) * 1000))))

    def test_new_key_in_clear_where_the_policy_allows(self) -> None:
        logger = Logger2025(MN)
        link = Link(logger, new_key=lambda mn: (NEW_KEY, T0), policy=Policy(clear_key=True))
        link.say(self.wanted(logger))
        (changed,) = link.of(KeyChanged)
        assert isinstance(changed, KeyChanged)
        assert (changed.mn, changed.created, changed.key) == (MN, format_qn(round(T0 * 1000)), NEW_KEY)
        (request,) = logger.requests
        assert (request.parameter("NewSK"), request.parameter("SKCreateTime")) == (NEW_KEY.decode(), changed.created)
        assert NEW_KEY.decode() not in repr((link.found, link.host.station(MN)))

    @pytest.mark.parametrize(
        ("key", "clear", "detail"),
        [
            (NEW_KEY, False, "Policy.clear_key"),
            (b"short", True, "expected 16 letters and digits"),
            (None, True, "no new key"),
        ],
    )
    def test_no_new_key(self, key: bytes | None, clear: bool, detail: str) -> None:
        logger = Logger2025(MN)
        link = Link(logger, new_key=lambda mn: key and (key, T0), policy=Policy(clear_key=clear))
        link.say(self.wanted(logger))
        (event,) = link.of(KeyNotSent)
        assert isinstance(event, KeyNotSent)
        assert detail in event.detail
        assert logger.requests == []

    def test_old_key_stays_where_the_new_one_is_refused(self) -> None:
        logger = Logger2025(MN)
        logger.codes["1014"] = QnRtn.REFUSED
        link = Link(logger, new_key=lambda mn: (NEW_KEY, T0), policy=Policy(clear_key=True))
        link.say(self.wanted(logger))
        assert (link.of(KeyChanged), link.host.station(MN).keys) == ([], ())

    @pytest.mark.parametrize(("age_days", "expired"), [(89.0, 0), (91.0, 1)])
    def test_old_key_is_reported_once(self, age_days: float, expired: int) -> None:
        logger = Logger2025(MN)
        link = Link(logger)
        link.say(self.wanted(logger, age_days))
        link.say(logger.message("2011", ("DataTime", "20250915100000")))
        assert len(link.of(KeyExpired)) == expired

    def test_age_comes_from_the_edition(self) -> None:
        assert HJ_212_2025.encryption is not None
        rules = replace(HJ_212_2025, encryption=replace(HJ_212_2025.encryption, key_max_age_days=30))
        logger = Logger2025(MN)
        link = Link(logger, known={rules.edition: rules})
        link.say(self.wanted(logger, 31))
        assert len(link.of(KeyExpired)) == 1


class TestHeartbeat:
    """10: 9015, 9013."""

    def test_answered_and_missed(self) -> None:
        logger = Logger2025(MN)
        link = Link(logger, policy=Policy(heartbeat_s=10, heartbeats_missed=3))
        link.say(logger.message("9015"))
        assert [type(event) for event in link.found] == [StationHeard, NoticeReceived]
        assert logger.connection.outstanding == 0
        link.now = link.host.next_timeout() or 0.0
        assert link.now == 30
        link.host.handle_timeout(link.now)
        assert link.run() == [StationOffline(MN, 30)]

    def test_in_time(self) -> None:
        logger = Logger2025(MN)
        link = Link(logger, policy=Policy(heartbeat_s=10, heartbeats_missed=3))
        for link.now in range(0, 300, 29):
            link.host.handle_timeout(link.now)
            link.say(logger.message("9015"))
        assert link.of(StationOffline) == []


class TestCommands:
    def test_history_of_power_data_by_2011(self) -> None:
        logger = Logger2025(MN)
        link = Link(logger)
        link.say(logger.message("2011", ("DataTime", "20250915100000")))
        times = ["20250915080000", "20250915100000", "20250915080100"]
        logger.data = lambda request: [logger.message("2011", ("DataTime", time)) for time in times]
        ticket = link.host.history(MN, "2011", "20250915080000", "20250915090000", link.now)
        link.run()
        (result,) = link.of(RequestFinished)
        assert isinstance(result, RequestFinished)
        assert (result.ticket, result.outcome) == (ticket, Outcome.DONE)
        assert [m.parameter("DataTime") for m in result.messages] == [times[0], times[2]]
        assert logger.requests[0].parameter("BeginTime") == "20250915080000"

    @pytest.mark.parametrize("cn", ["3014", "3015", "3016", "3017"])
    def test_dropped_commands_are_refused_here(self, cn: str) -> None:
        logger = Logger2025(MN)
        link = Link(logger)
        link.say(logger.message("2011", ("DataTime", "20250915100000")))
        with pytest.raises(LocalProtocolError, match=rf"{cn} to a station is not in HJ 212-2025; .*HJ 212-2017 ha"):
            link.host.ask(MN, cn, link.now, {"PolId": "w01018"})
        ticket = link.host.ask(MN, cn, link.now, {"PolId": "w01018"}, anyway=True)
        link.run()
        assert [event.ticket for event in link.of(RequestFinished) if isinstance(event, RequestFinished)] == [ticket]
