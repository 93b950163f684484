"""Session descriptions with the ``y=`` and ``f=`` lines (GB/T 28181-2022 annex G, 2016 annex F).

A description keeps every line in its order; typed views find what both sides need. It is written in the standard's
order: ``v o s u c t m (c b a) y f``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from .deviations import Deviation
from .editions import Rules
from .errors import LocalProtocolError, SdpError
from .ssrc import parse_ssrc
from .tables.values import value_of, value_table
from .times import LAST_SECOND

__all__ = [
    "MAX_LINES",
    "MAX_SDP_BYTES",
    "PS",
    "AudioFormat",
    "Description",
    "Direction",
    "Format",
    "Media",
    "Session",
    "Setup",
    "Subject",
    "VideoFormat",
    "answer",
    "check_content",
    "offer",
    "parse_sdp",
]

#: The longest offers seen have 700 bytes.
MAX_SDP_BYTES: Final = 8 * 1024
MAX_LINES: Final = 128
#: Payload type of a program stream.
PS: Final = 96

_LINE: Final = re.compile(r"([A-Za-z])\s*=[ \t]*(.*)\Z", re.DOTALL)
_MEDIA: Final = re.compile(r"(\S+)\s+([0-9]{1,5})(?:/[0-9]+)?\s+(\S+)\s*(.*)\Z")
_RTPMAP: Final = re.compile(r"([0-9]{1,3})\s+([^/\s]+)/([0-9]+)(?:/\S*)?\s*\Z")
_ORDER: Final = "vosiuepcbtrzk"


class Session(StrEnum):
    """``s=``: what a call is for."""

    PLAY = "Play"  #: 实时点播
    PLAYBACK = "Playback"  #: 历史回放
    DOWNLOAD = "Download"  #: 文件下载
    TALK = "Talk"  #: 语音对讲, 2016

    @property
    def history(self) -> bool:
        """Whether it shows what was recorded."""
        return self in (Session.PLAYBACK, Session.DOWNLOAD)


class Setup(StrEnum):
    """``a=setup``: who opens the TCP connection, seen from the sender of the description."""

    ACTIVE = "active"
    PASSIVE = "passive"


class Direction(StrEnum):
    """Which way media go, seen from the sender of the description."""

    RECEIVE = "recvonly"
    SEND = "sendonly"
    BOTH = "sendrecv"


#: Payload type -> name and clock (2022 C.2; 2016 C.2).
PAYLOADS: Final = {
    96: "PS/90000",
    97: "MPEG4/90000",
    98: "H264/90000",
    99: "SVAC/90000",
    100: "H265/90000",
    8: "PCMA/8000",
    0: "PCMU/8000",
    20: "SVACA/8000",
    4: "G723/8000",
    18: "G729/8000",
    9: "G722/8000",
}


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """First half of ``f=``; the codes of the table stay text, an empty one is left open.

    Attributes:
        codec: 1 MPEG-4, 2 H.264, 3 SVAC, 4 3GP, 5 H.265 (2022).
        resolution: 1 QCIF, 2 CIF, 3 4CIF, 4 D1, 5 720P, 6 1080P/I; 2022 otherwise ``3840x2160``.
        rate: Frames per second.
        mode: 1 constant, 2 variable bit rate.
        kbps: Bit rate in kbit/s.
    """

    codec: str = ""
    resolution: str = ""
    rate: str = ""
    mode: str = ""
    kbps: str = ""


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """Second half of ``f=``, in its codes.

    Attributes:
        codec: 1 G.711, 2 G.723.1, 3 G.729, 4 G.722.1, 5 SVAC, 6 AAC (2022).
        bits: Code of the bit rate, 8 is 64 kbit/s.
        sampling: Code of the sampling rate, 1 is 8 kHz.
    """

    codec: str = ""
    bits: str = ""
    sampling: str = ""


def _term(table: str, code: str, unit: str = "") -> tuple[str, str] | None:
    if not code:
        return None
    row = value_of(value_table(table), code)
    if row is None:  # 2022 writes other resolutions as they are
        return (code, code) if "x" in code.lower() else (f"?{code}", f"?{code}")
    return f"{row.zh} {unit}".rstrip(), f"{row.en} {unit}".rstrip()


def _measure(value: str, zh: str, en: str = "") -> tuple[str, str] | None:
    return (f"{value} {zh}", f"{value} {en or zh}") if value else None


_F: Final = re.compile(r"\s*v((?:/[^/a]*){0,5})\s*a((?:/[^/]*){0,3})\s*\Z")


@dataclass(frozen=True, slots=True)
class Format:
    """``f=``: a wish in the offer, what is sent in the answer."""

    video: VideoFormat = VideoFormat()
    audio: AudioFormat = AudioFormat()

    @classmethod
    def parse(cls, text: str) -> Format:
        """Read the value of the line.

        Raises:
            SdpError: If it has another shape than ``v/././././.a/././.``.

        >>> Format.parse("v/2/6/25/1/4000a///").video.kbps
        '4000'
        """
        found = _F.match(text)
        if not found:
            raise SdpError(f"f=: expected v/././././.a/././., found {text[:60]!r}", field="f=", status=400)
        video = [part.strip() for part in found[1].split("/")[1:]]
        audio = [part.strip() for part in found[2].split("/")[1:]]
        return cls(VideoFormat(*video), AudioFormat(*audio))

    def terms(self) -> tuple[str, str]:
        """Say it in Chinese and English; what is left open is left out, a code that no edition has is marked by ``?``.

        >>> Format.parse("v/2/6/25/1/4000a///").terms()[1]
        'video H.264, 1080P/I, 25 fps, constant bit rate, 4000 kbit/s'
        """
        video, audio = self.video, self.audio
        parts = (
            ("视频", "video", [
                _term("VideoFormat", video.codec),
                _term("Resolution", video.resolution),
                _measure(video.rate, "帧/秒", "fps"),
                _term("BitRateType", video.mode),
                _measure(video.kbps, "kbit/s"),
            ]),
            ("音频", "audio", [
                _term("AudioFormat", audio.codec),
                _term("AudioBitRate", audio.bits, "kbit/s"),
                _term("AudioSampling", audio.sampling, "kHz"),
            ]),
        )  # fmt: skip
        told = [(zh, en, [term for term in terms if term]) for zh, en, terms in parts]
        return (
            "；".join(f"{zh} {'、'.join(term[0] for term in terms)}" for zh, _, terms in told if terms),
            "; ".join(f"{en} {', '.join(term[1] for term in terms)}" for _, en, terms in told if terms),
        )

    def __str__(self) -> str:
        video, audio = self.video, self.audio
        return (
            f"v/{video.codec}/{video.resolution}/{video.rate}/{video.mode}/{video.kbps}"
            f"a/{audio.codec}/{audio.bits}/{audio.sampling}"
        )


@dataclass(frozen=True, slots=True)
class Media:
    """An ``m=`` line with what follows it."""

    kind: str  #: ``"video"``, also for video with audio, or ``"audio"``
    port: int
    protocol: str  #: ``"RTP/AVP"`` or ``"TCP/RTP/AVP"``
    payloads: tuple[int, ...]
    names: tuple[tuple[int, str], ...] = ()  #: rtpmap: payload type and ``name/clock``

    @property
    def tcp(self) -> bool:
        """Whether RTP goes over TCP (annex D)."""
        return self.protocol.upper().startswith("TCP")

    def name(self, payload: int) -> str:
        """Name and clock of a payload type, as told or as the standard has it; empty where neither knows it."""
        return next((name for known, name in self.names if known == payload), PAYLOADS.get(payload, ""))


@dataclass(frozen=True, slots=True)
class Description:
    """A session description.

    Attributes:
        lines: Letter and value of each line, in order; an empty letter and the whole line where it has none.
        deviations: What was odd.
    """

    lines: tuple[tuple[str, str], ...]
    deviations: tuple[Deviation, ...] = field(default=(), compare=False)

    def __bytes__(self) -> bytes:
        lines = [f"{letter}={value}\r\n" if letter else f"{value}\r\n" for letter, value in self.lines]
        return "".join(lines).encode("utf-8", "surrogateescape")

    def get(self, letter: str) -> str | None:
        """The value of the first line of a letter."""
        return next((value for known, value in self.lines if known == letter), None)

    def attribute(self, name: str) -> str | None:
        """The value of the first ``a=name:value``, empty for ``a=name``; ``None`` where it is absent."""
        for letter, value in self.lines:
            if letter == "a":
                key, _, rest = value.partition(":")
                if key.strip().lower() == name:
                    return rest.strip()
        return None

    @property
    def owner(self) -> str:
        """Code of the sender: user name of ``o=``."""
        return (self.get("o") or "").split(" ", 1)[0]

    @property
    def session(self) -> Session | None:
        """What the call is for; ``None`` for what the standard does not have."""
        text = (self.get("s") or "").strip().lower()
        return next((kind for kind in Session if kind.value.lower() == text), None)

    @property
    def source(self) -> tuple[str, str] | None:
        """``u=``: code of the source and its type, ``None`` where absent; an address of a file has no type."""
        value = self.get("u")
        if value is None:
            return None
        if "/" in value:
            return value.strip(), ""
        code, _, kind = value.strip().partition(":")
        return code, kind

    @property
    def address(self) -> str:
        """Address of ``c=``, where media are received or sent from; empty where there is none."""
        parts = (self.get("c") or "").split()
        return parts[2].split("/")[0] if len(parts) > 2 else ""

    @property
    def period(self) -> tuple[int, int]:
        """``t=``: begin and end in seconds since 1970; (0, 0) live.

        Raises:
            SdpError: If it is no pair of numbers, or of none that a calendar has.
        """
        parts = (self.get("t") or "0 0").split()
        if len(parts) != 2 or not all(part.isascii() and part.isdigit() and len(part) < 20 for part in parts):
            raise SdpError(f"t=: expected two numbers, found {self.get('t')!r}", field="t=", status=400)
        start, end = map(int, parts)
        if max(start, end) > LAST_SECOND:
            raise SdpError(f"t=: expected seconds of the calendar, found {self.get('t')!r}", field="t=", status=400)
        return start, end

    @property
    def media(self) -> Media:
        """The first ``m=`` line.

        Raises:
            SdpError: If there is none that can be read.
        """
        value = self.get("m")
        found = _MEDIA.match(value.strip()) if value else None
        if not found or int(found[2]) > 65535:
            raise SdpError(
                f"m=: expected kind, port, protocol and payload types, found {value!r}", field="m=", status=400
            )
        payloads = tuple(int(each) for each in found[4].split() if each.isascii() and each.isdigit() and len(each) < 4)
        return Media(found[1].lower(), int(found[2]), found[3], payloads, tuple(self._names()))

    def _names(self) -> Iterator[tuple[int, str]]:
        for letter, value in self.lines:
            key, _, rest = value.partition(":") if letter == "a" else ("", "", "")
            found = _RTPMAP.match(rest.strip()) if key.strip().lower() == "rtpmap" else None
            if found:
                yield int(found[1]), f"{found[2]}/{found[3]}"

    @property
    def direction(self) -> Direction | None:
        """Which way media go; ``None`` where it is not said."""
        return next((each for each in Direction if self.attribute(each.value) is not None), None)

    @property
    def setup(self) -> Setup | None:
        """Who opens the TCP connection; ``None`` where it is not said."""
        value = (self.attribute("setup") or "").lower()
        return next((each for each in Setup if each.value == value), None)

    @property
    def ssrc(self) -> int | None:
        """``y=`` as a number; ``None`` where it is absent.

        Raises:
            SdpError: If it is none.
        """
        value = self.get("y")
        return None if value is None else parse_ssrc(value)

    @property
    def format(self) -> Format | None:
        """``f=``; ``None`` where it is absent.

        Raises:
            SdpError: If it cannot be read.
        """
        value = self.get("f")
        return None if value is None else Format.parse(value)

    @property
    def download_speed(self) -> float | None:
        """``a=downloadspeed``: multiple of real time; ``None`` where it is absent or no number."""
        return _positive(self.attribute("downloadspeed"))

    @property
    def file_size(self) -> int | None:
        """``a=filesize`` in bytes; ``None`` where it is unknown, which some devices write as 0 or -1."""
        value = _positive(self.attribute("filesize"))
        return None if value is None else int(value)

    @property
    def stream_number(self) -> int | None:
        """The stream asked for, 0 the main one: ``a=streamnumber`` (2022), or how vendors say it."""
        for name in ("streamnumber", "streamprofile", "stream", "streammode"):
            value = self.attribute(name)
            if value is not None:
                known = {"main": 0, "sub": 1}.get(value.lower())
                return (
                    known if known is not None else int(value) if re.fullmatch("[0-9]{1,4}", value, re.ASCII) else None
                )
        return None


def _positive(text: str | None) -> float | None:
    if text is None or not re.fullmatch(r"[0-9]{1,15}(?:\.[0-9]{1,6})?", text, re.ASCII):
        return None
    return float(text) or None


def check_content(content_type: str, body: bytes) -> None:
    """See that a body is a session description: what begins like one is, whatever its header says.

    Raises:
        SdpError: With 415, if it is something else.
    """
    if content_type not in ("", "application/sdp") and not body.startswith(b"v="):
        raise SdpError(f"expected application/sdp, found {content_type}", status=415)


def parse_sdp(body: bytes) -> Description:
    """Read a description; unknown lines are kept.

    Raises:
        SdpError: If it is too large or has no line of a description.
    """
    if len(body) > MAX_SDP_BYTES:
        raise SdpError(f"SDP: expected at most {MAX_SDP_BYTES} bytes, found {len(body)} (MAX_SDP_BYTES)", status=400)
    lines: list[tuple[str, str]] = []
    deviations: list[Deviation] = []
    text = body.decode("utf-8", "surrogateescape").replace("\r\n", "\n").replace("\r", "\n")
    for line in text.strip("\x00").split("\n"):
        if not line.strip("\x00 \t"):
            continue
        found = _LINE.match(line.strip())
        if not found:
            deviations.append(Deviation("line", found=line[:40]))
        lines.append((found[1], found[2].rstrip()) if found else ("", line.strip()))
        if len(lines) > MAX_LINES:
            raise SdpError(f"SDP: more than {MAX_LINES} lines (MAX_LINES)", status=400)
    if not any(letter for letter, _ in lines):
        raise SdpError("SDP: expected lines as v=0, found none", status=400)
    deviations += _judge(lines)
    return Description(tuple(lines), tuple(deviations))


def _judge(lines: list[tuple[str, str]]) -> Iterator[Deviation]:
    letters = [letter for letter, _ in lines if letter]
    if letters[0] != "v":
        yield Deviation("first-line", found=letters[0])
    at = [index for index, letter in enumerate(letters) if letter in "yf"]
    if at and at[0] != len(letters) - len(at):
        yield Deviation("order")
    ssrc = next((value.strip() for letter, value in lines if letter == "y"), None)
    if ssrc is not None and not re.fullmatch("[0-9]{10}", ssrc, re.ASCII):
        yield Deviation("ssrc-digits", found=ssrc[:20])


def _described(
    owner: str,
    session: Session,
    address: str,
    media: Iterable[str],
    *,
    source: str = "",
    period: tuple[int, int] = (0, 0),
    ssrc: str = "",
    wish: Format | None = None,
) -> Description:
    family = "IP6" if ":" in address else "IP4"
    lines = [("v", "0"), ("o", f"{owner} 0 0 IN {family} {address}"), ("s", session.value)]
    if source:
        lines.append(("u", source))
    lines += [("c", f"IN {family} {address}"), ("t", f"{period[0]} {period[1]}")]
    for number, line in enumerate(media):
        lines.append(("a" if number else "m", line))
    if ssrc:
        lines.append(("y", ssrc))
    if wish is not None:
        lines.append(("f", str(wish)))
    if any("\r" in value or "\n" in value for _, value in lines):
        raise LocalProtocolError("SDP: a value holds no line end")
    return Description(tuple(lines))


def offer(
    rules: Rules,
    session: Session,
    *,
    owner: str,
    address: str,
    port: int,
    ssrc: str,
    source: str = "",
    period: tuple[int, int] = (0, 0),
    setup: Setup | None = None,
    payloads: tuple[int, ...] = (96, 98, 97),
    names: Mapping[int, str] | None = None,
    kind: str = "video",
    stream: int | None = None,
    speed: int | None = None,
    wish: Format | None = None,
) -> Description:
    """Compose the offer of who wants to see (2022 9.2 to 9.9).

    Args:
        rules: The edition of the peer.
        session: What for.
        owner: Code of the sender of the offer.
        address: Where media are received.
        port: The port there.
        ssrc: Ten digits.
        source: Code of the channel, for playback and download; its type 0 is added.
        period: Begin and end in seconds since 1970.
        setup: Over TCP who opens the connection; ``None`` for UDP.
        payloads: Payload types, the preferred first.
        names: Names and clocks other than the standard's: ``{99: "H265/90000"}``, as some platforms have it.
        kind: ``"video"``, or ``"audio"`` for broadcast and talk.
        stream: Number of the stream, where the edition can say it.
        speed: Multiple of real time of a download.
        wish: The ``f=`` line.

    Raises:
        LocalProtocolError: If the edition has no such session, or what it needs is not given.
    """
    if session is Session.TALK and not rules.talk_session:
        raise LocalProtocolError(f"{rules.title} has no session Talk", field="s=")
    if session.history and not (source and period[1] > period[0]):
        raise LocalProtocolError(f"{session.value} needs a source and a period", field="u=")
    protocol = "RTP/AVP" if setup is None else "TCP/RTP/AVP"
    direction = Direction.BOTH if session is Session.TALK else Direction.RECEIVE
    media = [f"{kind} {port} {protocol} {' '.join(map(str, payloads))}", direction.value]
    known = {**PAYLOADS, **(names or {})}
    media += [f"rtpmap:{payload} {known[payload]}" for payload in payloads if payload in known]
    if setup is not None:
        media += [f"setup:{setup.value}", "connection:new"]
    if session is Session.DOWNLOAD:
        media.append(f"downloadspeed:{speed or 1}")
    if stream is not None and rules.stream_number:
        media.append(f"streamnumber:{stream}")
    return _described(
        owner,
        session,
        address,
        media,
        source=f"{source}:0" if session.history and ":" not in source else source,
        period=period,
        ssrc=ssrc,
        wish=wish,
    )


def answer(
    offered: Description,
    *,
    owner: str,
    address: str,
    port: int,
    ssrc: str | None = None,
    can: tuple[int, ...] = (PS,),
    tcp: bool = True,
    format: Format | None = None,
    file_size: int | None = None,
) -> Description:
    """Compose a device's answer: one payload type, sent, over the way that was offered.

    Args:
        offered: What the platform wants.
        owner: Code of the channel.
        address: Where media are sent from.
        port: The port there.
        ssrc: Ten digits; ``None`` to repeat those of the offer.
        can: Payload types that the device can send, the preferred first.
        tcp: Whether it can send over TCP.
        format: What is really sent; ``None`` leaves the line out.
        file_size: Bytes of a download, where known.

    Raises:
        SdpError: If the offer cannot be satisfied (488) or not be read (400).
    """
    session = offered.session
    if session is None:
        raise SdpError(f"s=: expected Play, Playback, Download or Talk, found {offered.get('s')!r}", field="s=")
    media = offered.media
    if media.tcp and not tcp:
        raise SdpError("m=: TCP is not possible here", field="m=")
    payload = next((each for each in can if each in media.payloads), None)
    if payload is None:
        raise SdpError(f"m=: expected one of the payload types {', '.join(map(str, can))}", field="m=")
    lines = [f"{media.kind} {port} {media.protocol} {payload}", _mirrored(offered.direction).value]
    name = media.name(payload)
    if name:
        lines.append(f"rtpmap:{payload} {name}")
    if media.tcp:
        # Who offers no role is taken to listen: the device opens the connection by default (2022 annex D).
        role = Setup.PASSIVE if offered.setup is Setup.ACTIVE else Setup.ACTIVE
        lines += [f"setup:{role.value}", "connection:new"]
    if session is Session.DOWNLOAD and file_size is not None:
        lines.append(f"filesize:{file_size}")
    period = offered.period if session.history else (0, 0)
    return _described(
        owner,
        session,
        address,
        lines,
        period=period,
        ssrc=offered.get("y") or "" if ssrc is None else ssrc,
        wish=format,
    )


def _mirrored(direction: Direction | None) -> Direction:
    return {Direction.SEND: Direction.RECEIVE, Direction.BOTH: Direction.BOTH}.get(
        direction or Direction.RECEIVE, Direction.SEND
    )


_SUBJECT: Final = re.compile(r"\s*([^:,\s]+)\s*(?::\s*([^:,\s]*))?\s*(?:,\s*([^:,\s]+)\s*(?::\s*([^:,\s]*))?)?\s*\Z")
#: Characters of a stream's number in Subject.
MAX_SEQUENCE_CHARS: Final = 20


@dataclass(frozen=True, slots=True)
class Subject:
    """Subject of an INVITE (2022 annex K, 2016 annex L): source and receiver, each with the number of its stream.

    The pair names a stream: an INVITE with the pair of a running one means that the receiver has lost it.
    """

    sender: str
    sender_sequence: str
    receiver: str = ""
    receiver_sequence: str = ""

    @classmethod
    def parse(cls, text: str) -> Subject:
        """Read the header; a missing number or receiver is empty.

        Raises:
            SdpError: If it names no source.

        >>> Subject.parse("34020000001310000001:0200000001, 34020000002000000001:0").receiver_sequence
        '0'
        """
        found = _SUBJECT.match(text[:200])
        if not found:
            raise SdpError(f"Subject: expected id:number,id:number, found {text[:60]!r}", field="Subject", status=400)
        return cls(found[1], found[2] or "", found[3] or "", found[4] or "")

    def __str__(self) -> str:
        return f"{self.sender}:{self.sender_sequence},{self.receiver}:{self.receiver_sequence}"

    def of(self, **changes: str) -> Subject:
        """Return the same with other parts."""
        return replace(self, **changes)
