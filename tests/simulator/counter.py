"""Any station on the table: a platform on the other end of its wire, a clock turned by hand, bytes read anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hj212 import Connection, Framer, Message, Role, Rules, compose
from hj212.encryption import Key, open_frame
from hj212.events import Event
from hj212.framing import Frame
from simulator.reporter import Reporter

from .desk import MN, PW, instant


@dataclass(frozen=True)
class Row:
    """One frame as somebody without our library would read it: by its separators alone."""

    at: float
    raw: bytes
    header: dict[str, str]
    items: list[dict[str, str]]

    @property
    def cn(self) -> str:
        return self.header["CN"]

    @property
    def qn(self) -> str:
        return self.header.get("QN", "")

    def __getitem__(self, key: str) -> str:
        return next(item[key] for item in self.items if key in item)

    def get(self, key: str) -> str | None:
        return next((item[key] for item in self.items if key in item), None)

    @property
    def area(self) -> str:
        return self.raw[self.raw.index(b"CP=&&") + 5 : self.raw.rindex(b"&&")].decode()


def read(at: float, raw: bytes) -> Row:
    """Take a frame apart, length and check value left aside."""
    text = raw[6:-6].decode("utf-8", "replace")
    head, _, rest = text.partition("CP=&&")
    header = dict(field.split("=", 1) for field in head.rstrip(";").split(";"))
    area = rest.rpartition("&&")[0]
    items = [dict(pair.split("=", 1) for pair in item.split(",") if "=" in pair) for item in area.split(";") if item]
    return Row(at, raw, header, items)


class Witness:
    """Keeps what a station composed."""

    def __init__(self) -> None:
        self.composed_at: list[tuple[float, bytes]] = []

    def composed(self, reporter: Reporter, upload: Any) -> None:
        self.composed_at.append((upload.due, bytes(upload.message)))

    def sent(self, *_: object) -> None: ...
    def acknowledged_by(self, *_: object) -> None: ...
    def dropped(self, *_: object) -> None: ...


class Counter:
    """One station, its platform and the link between them.

    Args:
        core: The station, not yet connected.
        now: Run time at which it is switched on.
        key: SM4 key of the platform.
    """

    def __init__(self, core: Reporter, now: float, *, key: Key | None = None, linked: bool = True) -> None:
        self.core = core
        self.rules: Rules = core.settings.rules
        self.key = key
        self.now = now
        self.rows: list[Row] = []
        self.stream = bytearray()
        self.events: list[Event] = []
        self.linked = False
        self.acknowledges = True
        self._number = 0
        if linked:
            self.link_up()

    def link_up(self) -> None:
        self.linked = True
        self.platform = Connection(Role.PLATFORM, self.rules, keys=(lambda _mn: (self.key,)) if self.key else None)
        self._framer = Framer()
        self.core.connected(self.now)
        self._exchange()

    def link_down(self) -> None:
        self.linked = False
        self.core.disconnected(self.now)

    def _exchange(self) -> None:
        while self.linked and (data := self.core.data_to_send()):
            self.stream += data
            for found in self._framer.feed(data):
                if isinstance(found, Frame):
                    opened = open_frame(found, (self.key,)) if self.key else None
                    raw = found.raw[:6] + opened.segment + found.raw[-6:] if opened else found.raw
                    self.rows.append(read(self.now, raw))
            self.platform.automatic = self.acknowledges
            self.platform.receive_data(data, self.now)
            self.events += self.platform.events()
            if answer := self.platform.data_to_send():
                self.core.receive_data(answer, self.now)

    def pass_time(self, seconds: float) -> None:
        end = round(self.now + seconds, 3)
        while (due := self.core.next_timeout()) is not None and due <= end:
            self.now = max(self.now, due)
            self.core.handle_timeout(self.now)
            self._exchange()
        self.now = end

    def until(self, clock: str, *, days: int = 0) -> Counter:
        self.pass_time(instant(clock) + 86400 * days - self.now)
        return self

    def ask(self, cn: str, **parameters: str) -> list[Row]:
        """Send a request or notice and return what the station says to it."""
        self._number += 1
        items = [[pair] for pair in parameters.items()]
        request = compose(
            self.rules, qn=f"20250915160000{self._number:03d}", st=self.core.settings.st, cn=cn, pw=PW, mn=MN,
            items=items, answer=True,
        )  # fmt: skip
        before = len(self.rows)
        self.core.receive_data(request.encode(self.rules), self.now)
        self._exchange()
        return self.rows[before:]

    def of(self, cn: str, since: int = 0) -> list[Row]:
        """Return the frames of a command."""
        return [row for row in self.rows[since:] if row.cn == cn]

    def act(self, what: Callable[[float], None]) -> None:
        what(self.now)
        self._exchange()


def commands(rows: Sequence[Row]) -> list[str]:
    return [row.cn for row in rows]


def message(row: Row) -> Message:
    return Message.from_bytes(row.raw[6:-6])
