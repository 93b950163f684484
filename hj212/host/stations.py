"""What a platform knows of each station of a link: the MN is the identity, the socket is not."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..editions import Rules
from ..encryption import Key
from ..messages import Message
from .events import EditionChanged, HostEvent, RefusalReason, StationHeard, StationOffline, StationOnline
from .policy import Admission, Credential, Policy

__all__ = ["Station", "Stations"]


class Station:
    """One MN on the link.

    Attributes:
        mn: 设备唯一标识.
        rules: Of the edition it declared last.
        st: 系统编码 it used last; empty before it spoke.
        pw: 访问密码 for our requests: the known one, else the one it sent.
        heard_at: When it was last heard, ``None`` before it spoke.
        online: Whether it was heard lately.
        heartbeats: Whether it sends any.
        keys: SM4 keys to read with; the first is the one to write with.
        key_created: SKCreateTime of the first key, empty where unknown.
        started: QN of the last request that started an upload, by command.
    """

    __slots__ = (
        "credential",
        "heard_at",
        "heartbeats",
        "key_created",
        "key_reported",
        "keys",
        "mn",
        "online",
        "previous_pw",
        "pw",
        "rules",
        "st",
        "started",
    )

    def __init__(self, mn: str, rules: Rules, credential: Credential | None) -> None:
        self.mn = mn
        self.rules = rules
        self.credential = credential
        self.st = credential.st if credential else ""
        self.pw = credential.pw if credential else ""
        self.previous_pw: str | None = None
        self.keys = credential.keys if credential else ()
        self.key_created = ""
        self.key_reported = False
        self.heard_at: float | None = None
        self.online = False
        self.heartbeats = False
        self.started: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<Station {self.mn}, {self.rules.title}, {'online' if self.online else 'silent'}>"

    def replace_password(self, pw: str) -> None:
        """Use a new password from now on."""
        self.previous_pw, self.pw = self.pw, pw
        self.credential = Credential(pw, self.st, self.keys)

    def replace_key(self, key: bytes, created: str) -> None:
        """Write with a new key from now on; the one before it still reads what was on its way."""
        self.keys = (key, *self.keys[:1])
        self.key_created = created
        self.key_reported = False


class Stations:
    """The stations of one link: admission, editions, liveness.

    Args:
        rules: For what declares no edition.
        credentials: What is known of an MN; ``None`` for an MN that is unknown.
    """

    def __init__(
        self,
        rules: Rules,
        policy: Policy,
        credentials: Callable[[str], Credential | None],
        report: Callable[[HostEvent], None],
    ) -> None:
        self._rules = rules
        self._policy = policy
        self._credentials = credentials
        self._report = report
        self._by_mn: dict[str, Station] = {}
        self._check_at: float | None = None

    def __getitem__(self, mn: str) -> Station:
        return self._by_mn[mn]

    def __iter__(self) -> Iterator[Station]:
        return iter(self._by_mn.values())

    def __len__(self) -> int:
        return len(self._by_mn)

    def get(self, mn: str) -> Station | None:
        """Return the station, ``None`` for an MN that neither spoke nor is expected."""
        return self._by_mn.get(mn)

    def keys_of(self, mn: str) -> tuple[Key, ...]:
        """Return the keys to read an MN with; those of its credential before it was heard."""
        station = self._by_mn.get(mn)
        holder = station or self._credentials(mn)
        return tuple(map(Key, holder.keys)) if holder else ()

    def add(self, mn: str, rules: Rules | None = None) -> Station | RefusalReason:
        """Take in an MN, or say why not."""
        credential = self._credentials(mn)
        if credential is None and self._policy.admission is Admission.KNOWN:
            return RefusalReason.UNKNOWN_MN
        if len(self._by_mn) >= self._policy.max_stations:
            return RefusalReason.TOO_MANY_STATIONS
        station = self._by_mn[mn] = Station(mn, rules or self._rules, credential)
        return station

    def forget(self, mn: str) -> None:
        """Drop what is known of an MN, so that its credential is asked for anew."""
        self._by_mn.pop(mn, None)

    def admit(self, message: Message) -> Station | RefusalReason:
        """Return the station that sent a message, or why it is not taken."""
        station = self._by_mn.get(message.mn)
        if station is not None:
            return station if self._password_taken(station, message.pw) else RefusalReason.WRONG_PW
        found = self.add(message.mn)
        if isinstance(found, Station) and not self._password_taken(found, message.pw):
            del self._by_mn[message.mn]  # whoever guesses passwords leaves no trace behind
            return RefusalReason.WRONG_PW
        return found

    def password_right(self, station: Station, pw: str) -> bool:
        """Say whether a password is the known one; every password of an unknown station is."""
        if station.credential is None or pw == station.credential.pw:
            return True
        return self._policy.accept_previous_pw and pw == station.previous_pw

    def _password_taken(self, station: Station, pw: str) -> bool:
        if self.password_right(station, pw) or self._policy.admission is Admission.ANY:
            return True
        station.credential = self._credentials(station.mn) or station.credential  # it may have been corrected
        return self.password_right(station, pw)

    def heard(self, station: Station, message: Message, rules: Rules, now: float) -> bool:
        """Take note of a sign of life; return whether it is the first."""
        before, station.rules = station.rules, rules
        first = station.heard_at is None
        if first:
            self._report(StationHeard(station.mn, rules.edition))
        elif rules is not before:
            self._report(EditionChanged(station.mn, rules.edition, before.edition))
        if not first and not station.online:
            self._report(StationOnline(station.mn))
        station.heard_at = now
        station.online = True
        if message.st and message.st != rules.reply_system and not (station.credential and station.credential.st):
            station.st = message.st
        if station.credential is None and message.pw:
            station.pw = message.pw
        if rules.heartbeat and message.cn == rules.heartbeat:
            station.heartbeats = True
        due = now + self._patience(station)
        self._check_at = due if self._check_at is None else min(self._check_at, due)
        return first

    def _patience(self, station: Station) -> float:
        policy = self._policy
        return policy.heartbeat_s * policy.heartbeats_missed if station.heartbeats else policy.silence_s

    def next_timeout(self) -> float | None:
        """Return when :meth:`handle_timeout` has something to look at."""
        return self._check_at

    def handle_timeout(self, now: float) -> None:
        """Report who has been silent for too long."""
        if self._check_at is None or now < self._check_at:
            return
        self._check_at = None
        for station in self._by_mn.values():
            if not station.online or station.heard_at is None:
                continue
            due = station.heard_at + self._patience(station)
            if now >= due:
                station.online = False
                self._report(StationOffline(station.mn, now - station.heard_at))
            else:
                self._check_at = due if self._check_at is None else min(self._check_at, due)
