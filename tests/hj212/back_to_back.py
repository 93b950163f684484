"""A platform and a station, both real, joined by a wire in virtual time: what their tests share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from hj212 import Message, Rules
from hj212.framing import Frame, Framer
from hj212.host import Credential, Host, HostEvent, RequestFinished, Ticket, UploadReceived
from hj212.host import Policy as HostPolicy
from hj212.station import Identity, Outbox, Policy, Settings, SettingsChanged, Station, StationEvent

T = TypeVar("T")

MN = "010000A8900016F000169DC0"
PW = "s3cret"
T0 = 1757901600.0  # 2025-09-15 10:00:00 UTC+8

Lose = Callable[[Message], bool]


def nothing(_message: Message) -> bool:
    """Lose nothing."""
    return False


def live(time: str = "20250915100000", value: str = "2.20") -> list[list[tuple[str, str]]]:
    """The data area of a 2011."""
    return [[("DataTime", time)], [("w01018-Rtd", value), ("w01018-Flag", "N")]]


def minute(time: str, value: str = "2.20") -> list[list[tuple[str, str]]]:
    """The data area of a 2051."""
    return [[("DataTime", time)], [("w01018-Avg", value), ("w01018-Flag", "N")]]


class Site:
    """What stands behind the station: records by time, and operations that a test scripts."""

    def __init__(self) -> None:
        self.records: dict[str, list[list[list[tuple[str, str]]]]] = {}
        self.asked: list[Message] = []
        self.outcomes: dict[str, Any] = {}
        self.parameters: list[dict[str, str]] = []

    def history(self, cn: str, begin: str, end: str, parameters: dict[str, str]) -> Any:
        self.parameters.append(parameters)
        return (items for items in self.records.get(cn, []) if begin <= items[0][0][1] <= end)

    def operate(self, request: Message) -> Any:
        self.asked.append(request)
        found = self.outcomes[request.cn]
        return found(request) if callable(found) else found


class Pair:
    """Host and Station with a wire between them; ``lose_up`` and ``lose_down`` drop frames on it."""

    def __init__(
        self,
        rules: Rules,
        *,
        policy: Policy | None = None,
        host_policy: HostPolicy | None = None,
        settings: Settings | None = None,
        outbox: Outbox | None = None,
        host_options: dict[str, Any] | None = None,
        link: bool = True,
        **options: Any,
    ) -> None:
        self.rules, self.now = rules, 0.0
        self.site = Site()
        self.lose_up: Lose = nothing
        self.lose_down: Lose = nothing
        self.found: list[StationEvent] = []
        self.heard: list[HostEvent] = []
        self.up: list[Message] = []  #: everything the station wrote
        self.down: list[Message] = []
        self._host_policy, self._host_options = host_policy, host_options or {}
        options.setdefault("identity", Identity("32"))
        options.setdefault("history", self.site.history)
        options.setdefault("operate", self.site.operate)
        self.station = Station(
            rules=rules,
            settings=settings or Settings(mn=MN, pw=PW),
            wall=self.wall,
            policy=policy,
            outbox=outbox,
            **options,
        )
        self.linked = False
        if link:
            self.connect()

    def wall(self) -> float:
        return T0 + self.now

    # The link

    def connect(self) -> None:
        """Join them by a fresh link: the platform has a new Host for it."""
        credentials = self._host_options.get("credentials", lambda mn: Credential(self.station.settings.pw, "32"))
        options = {**self._host_options, "credentials": credentials}
        self.host = Host(self.rules, wall=self.wall, policy=self._host_policy, **options)
        self.linked = True
        self.station.connected(self.now)
        self.run()

    def cut(self) -> None:
        """End the link; what is on the way is gone."""
        self.linked = False
        self.station.receive_eof(self.now)
        self.host.receive_eof(self.now)
        self.take()

    def run(self) -> None:
        """Carry bytes until nobody has any left."""
        for _ in range(100_000):
            self.take()
            up = self.carried(self.station.data_to_send(), self.up, self.lose_up)
            self.host.receive_data(up, self.now)
            self.take()
            down = self.carried(self.host.data_to_send(), self.down, self.lose_down)
            self.station.receive_data(down, self.now)
            due = self.station.next_timeout()
            if due is not None and due <= self.now:
                self.station.handle_timeout(self.now)
            elif not up and not down:
                self.take()
                return
        raise AssertionError("they answer each other for ever")

    def take(self) -> None:
        self.found += self.station.events()
        self.heard += self.host.events()

    def carried(self, data: bytes, log: list[Message], lose: Lose) -> bytes:
        passed = b""
        for frame in Framer().feed(data):
            assert isinstance(frame, Frame)
            message = Message.from_bytes(frame.segment)
            log.append(message)
            passed += b"" if lose(message) else frame.raw
        return passed

    def wait(self, seconds: float) -> None:
        """Let time pass, with every timer on the way."""
        end = self.now + seconds
        if self.linked:
            self.run()
        while self.linked:
            due = [when for when in (self.station.next_timeout(), self.host.next_timeout()) if when is not None]
            if not due or min(due) > end:
                break
            self.now = max(self.now, min(due))
            self.station.handle_timeout(self.now)
            self.host.handle_timeout(self.now)
            self.run()
        self.now = end

    # What was seen

    def report(self, cn: str, items: Any, **options: Any) -> Any:
        records = self.station.report(cn, items, self.now, **options)
        if self.linked:
            self.run()
        else:
            self.found += self.station.events()
        return records

    def ask(self, cn: str, parameters: Any = (), **options: Any) -> RequestFinished:
        """Ask the station and return how it ended."""
        ticket = self.host.ask(self.station.settings.mn, cn, self.now, parameters, **options)
        self.run()
        return self.result(ticket)

    def result(self, ticket: Ticket) -> RequestFinished:
        (found,) = [event for event in self.of(RequestFinished) if event.ticket == ticket]
        return found

    def greet(self) -> None:
        """Have the platform know the station."""
        self.host.expect(self.station.settings.mn, self.now, rules=self.rules)

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in (*self.heard, *self.found) if isinstance(event, kind)]

    @property
    def uploads(self) -> list[Message]:
        """Every upload the platform took in, in order."""
        return [event.message for event in self.of(UploadReceived)]

    @property
    def changes(self) -> list[frozenset[str]]:
        return [event.changed for event in self.of(SettingsChanged)]
