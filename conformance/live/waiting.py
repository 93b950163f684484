"""Waiting for the device: what to type into it, and which of the usual mistakes it is while nothing good arrives.

:class:`Wait` reads the transcript entry by entry and says at any instant what is known in one sentence with what to
do about it. It keeps a bounded amount of each connection, so that asking often costs little.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from hj212.deviations import Deviation
from hj212.editions import HJ_212_2017, RULES, Edition
from hj212.explain import examine
from hj212.explain.note import printable
from stationgate.language import _
from stationgate.layout import display_width, pad
from stationgate.redaction import MASK, redact_pw

from ..evidence import Heard, LinkReader, Stray
from ..profile import Profile
from ..transcript import Entry
from ..verdicts import Bilingual, Said, listed, say
from .foreign import HEAD_BYTES, foreign_protocol, hj212_in_disguise
from .network import Card, addresses_for, is_loopback

if TYPE_CHECKING:
    from .bench import Bench

__all__ = [
    "MAX_FOLLOWED",
    "Diagnosis",
    "Sign",
    "Wait",
    "await_device",
    "diagnose",
    "instructions",
    "render_instructions",
    "shown_field",
]

#: How long nobody connecting is no news.
NAME_S: Final = 10.0
#: How long an open connection may say nothing before that is worth a sentence; devices report on connecting, or soon.
SILENT_S: Final = 10.0
#: What was heard within this time counts together, and the most telling of it is named: a gateway's neighbours report
#: beside the device.
RECENT_S: Final = 30.0
#: How often the transcript is looked at, and how long a sentence stands before another takes its place.
LOOK_S: Final = 0.5
TELL_S: Final = 3.0
#: Where a profile limits the whole wait to less than this, all of these are shorter in the same proportion.
USUAL_WAIT_S: Final = 200.0
#: Connections that are followed at once; the oldest give way.
MAX_FOLLOWED: Final = 64
#: Characters of a device's field that are shown.
MAX_SHOWN_CHARS: Final = 40


class Sign(StrEnum):
    """What it is, the most telling first; those down to ``RIGHT`` come from a device that a run can go on with."""

    REFUSED_OURS = "refused-ours"  #: the expected MN and PW, in frames that a platform refuses
    EDITION = "edition"  #: the expected MN and PW, by another edition
    WRONG_ST = "wrong-st"  #: the expected MN and PW under another system code
    RIGHT = "right"
    WRONG_PW = "wrong-pw"  #: the expected MN with another PW
    REFUSED = "refused"  #: frames that a platform refuses
    OTHER_MN = "other-mn"
    FOREIGN = "foreign"  #: no HJ 212
    HEARTBEAT = "heartbeat"  #: nothing but heartbeats
    SILENT = "silent"
    CONNECTED = "connected"  #: a moment ago
    LEFT = "left"  #: connected and gone without a byte
    NOTHING = "nothing"  #: nobody connected


_RANK: Final = {sign: rank for rank, sign in enumerate(Sign)}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is known of the device that is waited for.

    Attributes:
        sign: Which of the usual situations it is.
        what: The situation in one sentence, without a full stop.
        todo: What to do about it, if anything.
    """

    sign: Sign
    what: Said
    todo: Said | None = None

    @property
    def said(self) -> Said:
        """The sentence and what to do."""
        return say("{what}. {todo}", what=self.what, todo=self.todo) if self.todo else self.what


@dataclass(slots=True)
class _Connection:
    """One connection, as far as it matters here."""

    peer: str
    opened: float
    reader: LinkReader
    head: bytes = b""
    sent: bool = False
    heard: bool = False  # whether any frame or a sentence about its bytes came of it
    open: bool = True


@dataclass(slots=True)
class Wait:
    """Reads a transcript and says what is known of the device.

    Args:
        profile: What is declared of it.
        since: Where waiting began, seconds on the transcript's clock.
        mn: The MN that is taken for the device's. Default: the profile's, else the first that is heard.

    Attributes:
        speakers: The latest frame of each MN that was heard, up to :data:`MAX_FOLLOWED` of them.
    """

    profile: Profile
    since: float
    mn: str = ""
    speakers: dict[str, Heard] = field(default_factory=dict)
    _host: str = ""
    _port: int = 0
    _links: dict[int, _Connection] = field(default_factory=dict)
    _signs: dict[Sign, tuple[float, Diagnosis]] = field(default_factory=dict)  # the latest of each
    _newest: _Connection | None = None

    def __post_init__(self) -> None:
        self.mn = self.mn or self.profile.device.get("mn", "")

    def take(self, entry: Entry) -> None:
        """Take in the next entry of the transcript."""
        if entry.kind == "listen":
            self._host, self._port = str(entry.attachment["host"]), int(entry.attachment["port"])
        elif entry.kind == "connect":
            self._open(entry)
        elif entry.kind == "bytes" and entry.direction == "in":
            self._hear(entry)
        elif entry.kind == "close" and entry.link in self._links:
            link = self._links.pop(entry.link)
            link.open = False
            self._read(link, link.reader.end(entry.t_mono), entry.t_mono)

    def _open(self, entry: Entry) -> None:
        while len(self._links) >= MAX_FOLLOWED:
            del self._links[next(iter(self._links))]
        peer = str(entry.attachment.get("peer", "")).rpartition(":")[0]
        reader = LinkReader(entry.link, self.profile.limits.frame_stall_s)
        self._newest = self._links[entry.link] = _Connection(peer, entry.t_mono, reader)

    def _hear(self, entry: Entry) -> None:
        link = self._links.get(entry.link)
        if link is None:
            return
        link.sent = True
        link.head = (link.head + entry.data)[:HEAD_BYTES]
        self._read(link, link.reader.feed(entry.seq, entry.data, entry.t_mono), entry.t_mono)
        if not link.heard:
            self._judge_head(link, entry.t_mono)

    def _read(self, link: _Connection, items: Iterable[Heard | Stray], t: float) -> None:
        for item in items:
            if isinstance(item, Heard):
                link.heard = True
                self._note(t, self._of_frame(item, link.peer))
            elif not link.heard:
                self._judge_stray(link, item, t)

    def _judge_head(self, link: _Connection, t: float) -> None:
        """Name at once what can be told by its first bytes, long before it is clear that no frame will come of it."""
        found = foreign_protocol(link.head)
        if found:
            link.heard = True
            self._note(t, _foreign(link.peer, found))

    def _judge_stray(self, link: _Connection, stray: Stray, t: float) -> None:
        head = link.head or stray.raw
        damage, found = hj212_in_disguise(head), foreign_protocol(head)
        if damage:
            self._note(t, _refused(Sign.REFUSED, link.peer, damage))
        elif found:
            self._note(t, _foreign(link.peer, found))
        elif _is_short_line(stray.raw):
            self._note(t, _heartbeat(link.peer))
        else:
            # Four bytes tell an engineer what it is, and are too few to give anything away.
            bytes_said = say("bytes that are no frame, beginning with {bytes}", bytes=head[:4].hex(" ").upper())
            self._note(t, _foreign(link.peer, bytes_said))
        link.heard = link.heard or bool(damage or found)

    def _note(self, t: float, diagnosis: Diagnosis | None) -> None:
        if diagnosis:
            self._signs[diagnosis.sign] = (t, diagnosis)

    def _of_frame(self, heard: Heard, peer: str) -> Diagnosis | None:
        """Say what one frame shows."""
        message = heard.message
        damage = _damage(heard)
        declared = self.profile.device.get("pw", "")
        if not heard.understood or heard.truncated:
            if heard.is_heartbeat:
                return _heartbeat(peer)
            what = damage or say("a field is missing that says who speaks: QN, CN or MN")
            return _refused(Sign.REFUSED, shown_field(message.mn) or peer, what)
        self.mn = self.mn or message.mn
        if message.mn in self.speakers or len(self.speakers) < MAX_FOLLOWED:
            self.speakers[message.mn] = heard
        right = message.mn == self.mn and (not declared or message.pw == declared)
        if damage and not heard.frame.usable and not right:  # what it says cannot be relied on
            return _refused(Sign.REFUSED, shown_field(message.mn), damage)
        if message.mn != self.mn:
            return _other_mn(message.mn, self.mn)
        if not right:
            return Diagnosis(
                Sign.WRONG_PW,
                say("MN={mn} reports with another PW than the profile's", mn=shown_field(message.mn)),
                say("Enter the PW that the platform issued in the device, or correct pw under [device]"),
            )
        return self._remark(heard, damage)

    def _remark(self, heard: Heard, damage: Said | None) -> Diagnosis:
        """Say what strikes about a frame that is right in MN and PW."""
        mn, message = shown_field(heard.message.mn), heard.message
        if damage:
            return _refused(Sign.REFUSED_OURS, mn, damage)
        wanted = self.profile.device.get("st", "")
        plain = not heard.is_reply and not heard.is_heartbeat
        if plain and message.edition and message.edition != HJ_212_2017.edition:
            return _edition(mn, message.edition)
        if plain and wanted and message.st != wanted:
            what = say(
                "MN={mn} reports with ST={found}, expected is ST={wanted}",
                mn=mn,
                found=shown_field(message.st),
                wanted=wanted,
            )
            return Diagnosis(Sign.WRONG_ST, what, say("Enter the expected ST (system code) in the device"))
        return Diagnosis(Sign.RIGHT, say("MN={mn} is taken as the device under test", mn=mn))

    def look(self, now: float, cards: Sequence[Card] | None = None) -> Diagnosis:
        """Return what is known now.

        Args:
            now: Seconds on the transcript's clock.
            cards: Where the device may reach this computer. Default: asked from the system when it matters.
        """
        for link in list(self._links.values()):
            due = link.reader.stall_due()
            if due is not None and due <= now:
                self._read(link, link.reader.stalled(now), now)
        pace = _pace(self.profile)
        latest = max((t for t, _diagnosis in self._signs.values()), default=None)
        newest = self._newest
        if newest is None:
            return self._nothing(now, cards)
        # Who connects and says nothing is news only when what was heard before is old.
        if latest is None or (not newest.sent and newest.opened > latest and now - latest > RECENT_S * pace):
            return _of_quiet(newest, now, SILENT_S * pace)
        recent = [found for t, found in self._signs.values() if latest - t <= RECENT_S * pace]
        return min(recent, key=lambda found: _RANK[found.sign])

    def _nothing(self, now: float, cards: Sequence[Card] | None) -> Diagnosis:
        if now - self.since < NAME_S * _pace(self.profile):
            what = say("waiting for the device to connect to port {port} and report", port=self._port)
            return Diagnosis(Sign.NOTHING, what)
        what = say("nothing has connected to port {port} yet", port=self._port)
        if is_loopback(self._host) and not self.profile.listen.get("advertised_host"):
            todo = say(
                "Only programs on this computer reach {host}; for a device: --listen 0.0.0.0:{port}",
                host=self._host, port=self._port,
            )  # fmt: skip
            return Diagnosis(Sign.NOTHING, what, todo)
        places, port = _reached_at(self.profile, self._host, self._port, cards)
        todo = say(
            "The device needs platform IP {addresses} and port {port}, and this computer's firewall must let the port "
            "in: conformance doctor checks that",
            addresses=listed([Bilingual(place, place) for place in places]), port=port,
        )  # fmt: skip
        return Diagnosis(Sign.NOTHING, what, todo)


def diagnose(entries: Iterable[Entry], profile: Profile, now: float, cards: Sequence[Card] | None = None) -> Diagnosis:
    """Return what a transcript shows of the device that is waited for; a pure function when ``cards`` are given.

    Args:
        entries: The transcript from where the bench began to listen.
        profile: What is declared of the device.
        now: Seconds on the transcript's clock.
        cards: Where the device may reach this computer. Default: asked from the system when it matters.
    """
    wait: Wait | None = None
    for entry in entries:
        wait = wait or Wait(profile, entry.t_mono)
        wait.take(entry)
    return (wait or Wait(profile, now)).look(now, cards)


async def await_device(bench: Bench, limit_s: float) -> tuple[bool, Heard | None]:
    """Wait until the device reports with the right MN and, where one is declared, the right PW; say what goes on.

    At the limit a device that was heard with another PW will do: the cases judge that.

    Returns:
        Whether there is a device to go on with, and its first frame with everything right.
    """
    declared = bench.profile.device.get("pw", "")
    right = bench.watch(lambda heard: not declared or heard.message.pw == declared)
    ours = bench.watch(lambda heard: True)
    teller = _Teller(bench, bench.now + limit_s)
    try:
        while not right.done() and bench.now < teller.until:
            teller.look()
            await asyncio.wait([right], timeout=min(LOOK_S * _pace(bench.profile), teller.until - bench.now))
        teller.look(last=True)
        first = right.result() if right.done() else None
        return first is not None or (ours.done() and ours.result() is not None), first
    finally:
        bench.unwatch(right)
        bench.unwatch(ours)


class _Teller:
    """Tells what is known of the device whenever that changes, but not more often than a person can read."""

    def __init__(self, bench: Bench, until: float) -> None:
        self.bench = bench
        self.until = until
        entries = bench.transcript.entries
        self._next = next((i for i in reversed(range(len(entries))) if entries[i].kind == "listen"), len(entries))
        self._wait = Wait(bench.profile, bench.now, bench.mn)
        self._told = ""
        self._stands_s = TELL_S * _pace(bench.profile)
        self._told_at = bench.now - self._stands_s

    def look(self, *, last: bool = False) -> None:
        """Read what is new and tell what has changed; a mere success is not worth a sentence, a choice of MN is."""
        bench = self.bench
        entries = bench.transcript.entries
        for seq in range(self._next, len(entries)):
            self._wait.take(entries[seq])
        self._next = len(entries)
        found = self._wait.look(bench.now)
        if found.sign is Sign.RIGHT and bench.profile.device.get("mn"):
            return
        text = str(found.said)
        if text != self._told and (last or bench.now - self._told_at >= self._stands_s):
            self._told = text
            if found.todo:  # whoever is told what to do needs time to read it
                self._told_at = bench.now
            bench.tell(found.said, max(self.until - bench.now, 0.0))


# What to type into the device


def instructions(profile: Profile, host: str, port: int, cards: Sequence[Card] | None = None) -> list[tuple[str, str]]:
    """Return what is typed into the device, as pairs of a label and a value in the active language.

    Args:
        profile: What is declared.
        host: The address listened on.
        port: The port listened on.
        cards: Where the device may reach this computer. Default: asked from the system.
    """
    places, device_port = _reached_at(profile, host, port, cards)
    device, interval = profile.device, profile.limits.report_interval_s
    rows = [(_("platform IP"), place) for place in places]
    rows += [
        (_("port"), str(device_port)),
        ("MN", device.get("mn") or _("the device's own: the first MN that reports is taken")),
        ("ST", device.get("st") or _("any")),
        ("PW", _("{mask} (the one in the profile)").format(mask=MASK) if device.get("pw") else _("any")),
        (_("protocol"), f"HJ 212-{device.get('edition', '2017')}"),
        (_("reporting interval"), _("{seconds} s ({minutes} min)").format(
            seconds=f"{interval:g}", minutes=f"{interval / 60:g}")),
    ]  # fmt: skip
    return rows


def render_instructions(rows: Sequence[tuple[str, str]], host: str, *, advertised: bool = False) -> str:
    """Return the rows of :func:`instructions` as lines for a terminal, ending in a line feed.

    Args:
        host: The address listened on: where only this computer can reach it, that is said.
        advertised: Whether devices are told another address than the one listened on.
    """
    width = max(display_width(label) for label, _value in rows) + 2
    lines = [_("Enter in the device:")]
    before = ""
    for label, value in rows:
        lines.append(f"  {pad('' if label == before else label, width)}{value}")
        before = label
    if is_loopback(host) and not advertised:
        warning = _("Only programs on this computer can connect to {host}; for a device: --listen 0.0.0.0:PORT")
        lines.append(warning.format(host=host))
    return "\n".join(lines) + "\n"


def _reached_at(profile: Profile, host: str, port: int, cards: Sequence[Card] | None) -> tuple[list[str], int]:
    """Return the addresses and the port that a device connects to."""
    listen: dict[str, Any] = profile.listen
    device_port = int(listen.get("advertised_port") or port)
    if listen.get("advertised_host"):
        return [str(listen["advertised_host"])], device_port
    found = addresses_for(host) if cards is None else cards
    return [_shown_card(card) for card in found] or [host], device_port


def _shown_card(card: Card) -> str:
    if card.link_local:
        return _("{card}: no network gave it an address").format(card=card)
    return str(card) if card.name else card.address


def _pace(profile: Profile) -> float:
    """Return how much of the usual time a sentence waits for."""
    return min(1.0, float(profile.limits.connect_s) / USUAL_WAIT_S)


# Sentences


def _of_quiet(link: _Connection, now: float, patience_s: float) -> Diagnosis:
    """Say what a connection shows of which no frame and no stray bytes have come."""
    if not link.open:
        return Diagnosis(
            Sign.LEFT,
            say("{peer} connects and leaves without sending anything", peer=link.peer),
            say(
                "Switch reporting on in the device and choose HJ 212-2017 there; a mere test of the port looks the same"
            ),
        )
    if link.sent or now - link.opened < patience_s:
        return Diagnosis(Sign.CONNECTED, say("{peer} has connected, its first frame is awaited", peer=link.peer))
    return Diagnosis(
        Sign.SILENT,
        say("{peer} has connected and sends nothing", peer=link.peer),
        say("Switch reporting on in the device and check its reporting interval and its protocol, HJ 212-2017"),
    )


def _heartbeat(peer: str) -> Diagnosis:
    return Diagnosis(
        Sign.HEARTBEAT,
        say("{peer} sends heartbeats but no reports", peer=peer),
        say("Switch the reporting of data on in the device; heartbeats alone say nothing of the door"),
    )


def _foreign(peer: str, what: Said) -> Diagnosis:
    return Diagnosis(
        Sign.FOREIGN,
        say("{peer} sends no HJ 212 but {what}", peer=peer, what=what),
        say("Choose HJ 212-2017 over plain TCP in the device, or end the other program that uses this port"),
    )


def _refused(sign: Sign, who: str, damage: Said) -> Diagnosis:
    return Diagnosis(
        sign,
        say("a platform refuses the frames of {who}: {damage}", who=who, damage=damage),
        say("The maker of the device must mend that; hj212 decode shows a frame field by field"),
    )


def _other_mn(found: str, wanted: str) -> Diagnosis:
    return Diagnosis(
        Sign.OTHER_MN,
        say(
            "a different MN reports: MN={found}, expected is MN={wanted} ({difference})",
            found=shown_field(found), wanted=shown_field(wanted), difference=_difference(found, wanted),
        ),
        say("Enter the expected MN in the device, or the device's under [device] in the profile"),
    )  # fmt: skip


def _difference(found: str, wanted: str) -> Said:
    if found.upper() == wanted.upper():
        return say("only upper and lower case differ")
    if len(found) != len(wanted):
        return say("{found} characters, expected are {wanted}", found=len(found), wanted=len(wanted))
    at = next(index for index, (a, b) in enumerate(zip(found, wanted, strict=True), 1) if a != b)
    return say("they differ at character {number}", number=at)


def _edition(mn: str, edition: Edition) -> Diagnosis:
    what = say(
        "MN={mn} reports by {title}, as the version number in Flag, or its lack, says",
        mn=mn,
        title=RULES[edition].title,
    )
    return Diagnosis(Sign.EDITION, what, say("Choose HJ 212-2017 in the device"))


#: Where the text of a deviation quotes what may be a person's name or code, and what is said instead.
_WITHOUT_QUOTE: Final = {
    "text-gbk": say("its text is encoded in GBK, it must be UTF-8"),
    "text-not-utf8": say("its text is no UTF-8"),
}
#: What is said as the library words it: lengths, check values and tails quote nothing but themselves.
_STRUCTURAL: Final = ("length-", "crc-", "tail-", "frame-cut")
#: A matter of custom: platforms that compare the text are named by a case.
_HARMLESS: Final = frozenset({"crc-lower-case"})


def _damage(heard: Heard) -> Said | None:
    """Return the first thing in a frame for which a platform refuses it."""
    for deviation in examine(heard.frame, HJ_212_2017):
        if deviation.code in _WITHOUT_QUOTE:
            return _WITHOUT_QUOTE[deviation.code]
        if deviation.code.startswith(_STRUCTURAL) and deviation.code not in _HARMLESS:
            return _worded(deviation)
    return None


def _worded(deviation: Deviation) -> Said:
    return Bilingual(deviation.text("zh"), deviation.text("en"))


def shown_field(text: str) -> str:
    """Return a field of the device fit to be shown on any terminal."""
    shown = printable(redact_pw(text))  # where a separator is lost, one field holds the next
    return shown if len(shown) <= MAX_SHOWN_CHARS else shown[: MAX_SHOWN_CHARS - 3] + "..."


def _is_short_line(raw: bytes) -> bool:
    """Whether bytes are a short word on a line: the heartbeat that many devices have beside HJ 212."""
    word = raw.strip()
    return raw.endswith(b"\n") and 0 < len(word) <= 32 and word.isascii() and b"=" not in word and word.isalnum()
