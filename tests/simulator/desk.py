"""A door controller on the table: a platform on the other end of its wire, and a clock turned by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from hj212 import HJ_212_2017, Connection, Framer, Message, Role, compose
from hj212.events import Event, MessageReceived
from hj212.framing import Frame
from hj212.times import parse_qn
from simulator import DoorController, DoorSettings, Method, behaviour_with
from simulator.clock import EPOCH

MN = "64010000ACCE550000000001"
PW = "S3cr3t"


def instant(clock: str) -> float:
    """Return when a clock shows 2025-09-15 ``HH:MM:SS[.mmm]``, on the clock of ``now``."""
    digits = clock.replace(":", "").replace(".", "").ljust(9, "0")
    return round(parse_qn(f"20250915{digits}").timestamp() - EPOCH, 3)


@dataclass(frozen=True)
class Sent:
    """One frame that the station emitted."""

    at: float
    frame: Frame
    message: Message

    def __getitem__(self, key: str) -> str | None:
        """Return the value of a parameter."""
        return self.message.parameter(key)


class Desk:
    """One door controller, the platform it reports to and the link between them.

    Args:
        faults: What is wrong with the controller.
        on: When it is switched on, on the day that :func:`instant` means.
        linked: Whether the link is there from the beginning.
        acknowledges: Whether the platform answers uploads.
        settings: What differs from the defaults of :class:`DoorSettings`.
    """

    def __init__(
        self,
        *faults: str,
        on: str = "09:59:30",
        linked: bool = True,
        acknowledges: bool = True,
        **settings: object,
    ) -> None:
        self.now = instant(on)
        self.settings = DoorSettings(**{"mn": MN, "pw": PW, **settings})  # type: ignore[arg-type]
        self.door = DoorController(self.settings, behaviour_with(faults), self.now, EPOCH)
        self.stream = bytearray()  #: every byte emitted
        self.sent: list[Sent] = []  #: every usable frame emitted
        self.events: list[Event] = []  #: what the platform noticed
        self.linked = False
        self.acknowledges = acknowledges
        self._number = 0
        if linked:
            self.link_up()
        self.pass_time(0)

    # The link

    def link_up(self) -> None:
        self.linked = True
        self.platform = Connection(Role.PLATFORM, HJ_212_2017)
        self._framer = Framer()
        self.door.connected(self.now)
        self._exchange()

    def link_down(self) -> None:
        self.linked = False
        self.door.disconnected(self.now)

    def _exchange(self) -> None:
        """Carry bytes to and fro until nobody has any."""
        while self.linked and (data := self.door.data_to_send()):
            self.stream += data
            for found in self._framer.feed(data):
                if isinstance(found, Frame) and found.usable:
                    self.sent.append(Sent(self.now, found, Message.from_bytes(found.segment)))
            self.platform.automatic = self.acknowledges
            self.platform.receive_data(data, self.now)
            self.events += self.platform.events()
            if answer := self.platform.data_to_send():
                self.door.receive_data(answer, self.now)

    # Time

    def pass_time(self, seconds: float) -> None:
        """Let everything happen that is due within so many seconds."""
        end = round(self.now + seconds, 3)
        while (due := self.door.next_timeout()) is not None and due <= end:
            self.now = max(self.now, due)
            self.door.handle_timeout(self.now)
            self._exchange()
        self.now = end

    def until(self, clock: str) -> None:
        """Let time pass up to an instant of the day."""
        self.pass_time(instant(clock) - self.now)

    # Acts

    def act(self, what: Callable[[float], None]) -> None:
        what(self.now)
        self._exchange()

    def open(self, method: Method, person: str = "") -> None:
        self.act(lambda now: self.door.open(method, person, now))

    def close(self) -> None:
        self.act(self.door.close)

    def dismantle(self, off_base: bool) -> None:
        self.act(lambda now: self.door.dismantle(off_base, now))

    def break_down(self, defect: bool) -> None:
        self.act(lambda now: self.door.break_down(defect, now))

    # The platform

    def ask(
        self, cn: str, *, qn: str = "", mn: str = MN, pw: str = PW, st: str = "81", **parameters: str
    ) -> list[Sent]:
        """Send a request and return what the station says to it."""
        self._number += 1
        items = [[pair] for pair in parameters.items()]
        request = compose(
            HJ_212_2017, qn=qn or f"20250915160000{self._number:03d}", st=st, cn=cn, pw=pw, mn=mn, items=items,
            answer=True,
        )  # fmt: skip
        return self.tell(bytes(request.encode(HJ_212_2017)))

    def tell(self, data: bytes) -> list[Sent]:
        """Send bytes and return the frames that come back at once."""
        before = len(self.sent)
        self.door.receive_data(data, self.now)
        self._exchange()
        return self.sent[before:]

    # What was seen

    def frames(self, cn: str = "", since: float = -1.0) -> list[bytes]:
        """Return the frames as they were on the wire, of one command or of all."""
        return [sent.frame.raw for sent in self.sent if sent.at >= since and cn in ("", sent.message.cn)]

    def with_parameter(self, key: str) -> list[Sent]:
        return [sent for sent in self.sent if sent[key] is not None]

    def take(self) -> list[Sent]:
        """Return what was sent since the last call."""
        taken, self.sent = self.sent, []
        return taken

    def received(self) -> list[Message]:
        """Return the uploads that the platform took in, each once."""
        return [e.message for e in self.events if isinstance(e, MessageReceived) and not e.repeated]


def commands(sent: Iterable[Sent]) -> list[str]:
    return [one.message.cn for one in sent]
