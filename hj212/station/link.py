"""What the parts of a station share: its settings, the connection there is, and who waits for which answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from ..connection import Connection, Role
from ..editions import Edition, Rules
from ..encryption import Key, must_encrypt
from ..errors import LocalProtocolError
from ..messages import Message, compose
from ..splitting import split
from ..times import QnSource
from .events import LinkUnusable, SettingsChanged, StationEvent
from .policy import Policy
from .settings import Identity, Settings

__all__ = ["Link", "Settled"]

#: Characters of an MN that is not assigned yet: room is left for them.
MN_CHARS: Final = 24
#: OverTime of 0 s is legal in one edition; a resend without any wait would only flood the link.
MIN_OVERTIME_S: Final = 1.0

#: Called when an exchange is over: whether it was answered, how often it was sent if not, and the time.
Settled = Callable[[bool, int, float], None]


class Link:
    """The link of a station, whether there is one or not.

    Attributes:
        connection: The one there is, ``None`` without a link.
        settings: The version in force.
    """

    def __init__(
        self,
        identity: Identity,
        rules: Rules,
        settings: Settings,
        policy: Policy,
        *,
        wall: Callable[[], float],
        report: Callable[[StationEvent], None],
        known: Mapping[Edition, Rules] | None = None,
    ) -> None:
        self.identity = identity
        self.rules = rules
        self.settings = settings
        self.policy = policy
        self.report = report
        self.connection: Connection | None = None
        self._wall = wall
        self._known = known
        self._qns = QnSource(self.clock)
        self._awaited: dict[str, tuple[Settled, Key | None]] = {}
        self._unanswered = 0
        self._key_proven = False
        self._key_doubted = False

    def clock(self) -> float:
        """Return the station's time in POSIX seconds."""
        return self._wall() + self.settings.clock_offset_s

    @property
    def wall(self) -> float:
        """Time of the machine, without what 1012 added."""
        return self._wall()

    @property
    def ready(self) -> bool:
        """Whether uploads may be sent: there is a link, and an MN to send them under."""
        return self.connection is not None and (bool(self.settings.mn) or not self.rules.registration)

    # The link comes and goes

    def open(self) -> None:
        """Begin anew on another transport."""
        keys = self._keys_of if self.rules.encryption else None
        self.connection = Connection(Role.STATION, self.rules, automatic=False, keys=keys, editions=self._known)
        self._awaited.clear()
        self._unanswered = 0
        self._set_timers()

    def close(self) -> None:
        """Take note that the transport is gone; whoever awaited something is not told."""
        self.connection = None
        self._awaited.clear()

    def _keys_of(self, _mn: str) -> tuple[Key, ...]:
        return self.keys

    def _set_timers(self) -> None:
        if self.connection is not None:
            overtime, self.connection.recount = self.settings.timers(self.rules)
            self.connection.overtime_s = max(overtime, MIN_OVERTIME_S)

    # Keys

    @property
    def keys(self) -> tuple[Key, ...]:
        """Keys to read with; the first is the one to write with.

        A 9012 that was lost leaves the platform with the key before. So that the station is not cut off by it, what
        stays without an answer under a key that never had one is followed by attempts with the key before.
        """
        keys = self.settings.keys
        return keys[::-1] if self._key_doubted else keys

    @property
    def key_lost(self) -> bool:
        """Whether the platform turned out to read only the key before."""
        return self._key_doubted and self._key_proven

    def _try_key(self, key: Key | None, answered: bool) -> None:
        if key is None or self._key_proven or self.settings.previous_key is None:
            return
        if answered:
            self._key_proven = True
            self._key_doubted = key == self.settings.previous_key
        elif key == self.keys[0]:  # of several under way the first is enough
            self._key_doubted = not self._key_doubted

    # Settings

    def change(self, request: Message | None, **fields: Any) -> None:
        """Put another version of the settings in force and report it."""
        if "key_created" in fields:
            self._key_proven = self._key_doubted = False
        changed = frozenset(name for name, value in fields.items() if getattr(self.settings, name) != value)
        if not changed:
            return
        self.settings = replace(self.settings, **fields)
        self._set_timers()
        self.report(SettingsChanged(self.settings, changed, request))

    # Messages

    def qn(self) -> str:
        """Return a QN that nothing under way has."""
        qn = self._qns()
        while qn in self._awaited:
            qn = self._qns()
        return qn

    def compose(
        self,
        cn: str,
        items: Sequence[Sequence[Sequence[str]]] = (),
        *,
        qn: str = "",
        st: str = "",
        answer: bool = False,
        packet: tuple[int, int] | None = None,
        back_fill: bool = False,
    ) -> Message:
        """Compose a message of this station; an empty QN leaves it out."""
        settings = self.settings
        return compose(
            self.rules,
            qn=qn,
            st=st or self.identity.st,
            cn=cn,
            pw=settings.pw,
            mn=settings.mn,
            items=items,
            answer=answer,
            packet=packet,
            back_fill=back_fill,
        )

    def packets(self, cn: str, items: Sequence[Sequence[Sequence[str]]], *, qn: str, st: str = "") -> list[Message]:
        """Return a message in as many packets as it takes, whatever PW, MN and RF it will be sent with.

        Raises:
            LocalProtocolError: If one item alone is too long, or more packets are needed than PNUM can say.
        """
        largest = compose(
            self.rules,
            qn=qn,
            st=st or self.identity.st,
            cn=cn,
            pw=self.settings.pw.ljust(self.rules.max_password_chars, "0"),
            mn=self.settings.mn or "0" * MN_CHARS,
            items=items,
            answer=True,
            back_fill=True,
        )
        return split(largest, self.rules, self.qn)

    def send(self, message: Message, now: float, settled: Settled | None = None) -> None:
        """Send a message.

        Args:
            settled: Called once when its answer came or did not come; not when the link ends before.

        Raises:
            LimitError: If too many messages wait for their answer.
            LocalProtocolError: If the message breaks the edition's limits, or there is no link.
        """
        if self.connection is None:
            raise LocalProtocolError("there is no link to the platform")
        self.connection.send(message, now)
        if settled is not None:
            encrypted = self.keys and must_encrypt(self.rules, message.cn, True)
            self._awaited[message.qn] = settled, self.keys[0] if encrypted else None

    def awaits(self, qn: str) -> bool:
        """Say whether something of ours with this QN waits for its answer."""
        return qn in self._awaited

    def settle(self, message: Message, now: float, *, answered: bool, sent: int = 0) -> None:
        """Take note that a message of ours was answered, or was not although it was sent again."""
        awaited = self._awaited.pop(message.qn, None)
        if awaited is not None:
            settled, key = awaited
            self._try_key(key, answered)
            settled(answered, sent, now)
        if answered:
            self._unanswered = 0
            return
        self._unanswered += 1
        if self._unanswered == self.policy.unanswered_limit:
            self.report(LinkUnusable(message, sent))
