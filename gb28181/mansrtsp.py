"""Control of a playback: MANSRTSP in the bodies of INFO (GB/T 28181-2022 annex B, 2016 annex B).

::

    PLAY RTSP/1.0          PAUSE RTSP/1.0          PLAY RTSP/1.0
    CSeq: 5                CSeq: 2                 CSeq: 4
    Range: npt=100-        PauseTime: now          Scale: 2.0

Positions are seconds from the begin of the recording that is played. Answers belong to requests by their SIP
transaction: the numbers in the bodies are the peers' own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

from .errors import LocalProtocolError, RtspError

__all__ = ["MAX_RTSP_BYTES", "NOW", "Answer", "Method", "Playback", "Range", "Request", "parse_answer", "parse_request"]

#: The longest body seen has 200 bytes.
MAX_RTSP_BYTES: Final = 4096
#: Position of a Range that means: from where it is.
NOW: Final = "now"

_REQUEST: Final = re.compile(r"([A-Za-z]+)(?:[ \t]+\S+)?[ \t]+(?:MANS)?RTSP/1\.0\s*\Z", re.IGNORECASE)
_STATUS: Final = re.compile(r"(?:MANS)?RTSP/1\.0[ \t]+([1-5][0-9]{2})(?:[ \t]+(.*))?\Z", re.IGNORECASE)
# One example of the 2016 edition has ntp for npt.
_NPT: Final = re.compile(r"\s*(?:npt|ntp)\s*=\s*(now|[0-9]*\.?[0-9]*)\s*-\s*([0-9]*\.?[0-9]*)\s*\Z", re.IGNORECASE)
_SMPTE: Final = re.compile(
    r"\s*smpte\s*=\s*([0-9]{1,4}):([0-9]{2}):([0-9]{2})(?:[:.][0-9.]*)?\s*-\s*"
    r"(?:([0-9]{1,4}):([0-9]{2}):([0-9]{2})(?:[:.][0-9.]*)?)?\s*\Z",
    re.IGNORECASE,
)


class Method(StrEnum):
    """What is asked of a playback."""

    PLAY = "PLAY"
    PAUSE = "PAUSE"
    TEARDOWN = "TEARDOWN"


@dataclass(frozen=True, slots=True)
class Range:
    """A part of the recording, in seconds from its begin.

    Attributes:
        start: Where from; ``None`` from where it is (``now``).
        end: Where to; ``None`` its end, or backwards its begin.
    """

    start: Decimal | None = None
    end: Decimal | None = None

    @classmethod
    def parse(cls, text: str) -> Range:
        """Read the header, ``npt=`` or ``smpte=``.

        Raises:
            RtspError: If it is neither.
        """
        found = _NPT.match(text)
        if found:
            start, end = found.groups()
            try:
                return cls(None if start.lower() in (NOW, "") else Decimal(start), Decimal(end) if end else None)
            except InvalidOperation as error:
                raise RtspError(f"Range: expected seconds, found {text[:60]!r}", field="Range") from error
        found = _SMPTE.match(text)
        if not found:
            raise RtspError(f"Range: expected npt=start-end, found {text[:60]!r}", field="Range", clause="annex B")
        times = [int(part) if part else 0 for part in found.groups()]
        first, last = (hours * 3600 + minutes * 60 + seconds for hours, minutes, seconds in (times[:3], times[3:]))
        return cls(Decimal(first), Decimal(last) if found[4] else None)

    def __str__(self) -> str:
        start = NOW if self.start is None else f"{self.start:f}"
        return f"npt={start}-{'' if self.end is None else f'{self.end:f}'}"


@dataclass(frozen=True, slots=True)
class Request:
    """A request.

    Attributes:
        method: What is asked.
        cseq: A number of its own.
        scale: Speed: 1 normal, 2 twice, 0.5 half; negative backwards (2022).
        range: From where to where.
        others: Further headers, name and value.
    """

    method: Method
    cseq: int
    scale: Decimal | None = None
    range: Range | None = None
    others: tuple[tuple[str, str], ...] = ()

    def __bytes__(self) -> bytes:
        """Return the body of an INFO; it ends in an empty line."""
        headers = [("CSeq", str(self.cseq))]
        if self.method is Method.PAUSE:
            headers.append(("PauseTime", NOW))
        if self.scale is not None:
            headers.append(("Scale", _with_point(self.scale)))
        if self.range is not None:
            headers.append(("Range", str(self.range)))
        return _written(f"{self.method.value} RTSP/1.0", [*headers, *self.others])


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer that the body of a 200 may carry.

    Attributes:
        status: Of RTSP, 200 where it was done.
        cseq: A number that need not be that of the request.
        scale: Speed that was taken, where it differs.
        range: Position of the first packet after it.
        sequence: Number of that RTP packet.
        rtp_time: Its time stamp.
        others: Further headers, name and value.
    """

    status: int
    cseq: int | None = None
    scale: Decimal | None = None
    range: Range | None = None
    sequence: int | None = None
    rtp_time: int | None = None
    others: tuple[tuple[str, str], ...] = ()

    def __bytes__(self) -> bytes:
        headers = [] if self.cseq is None else [("CSeq", str(self.cseq))]
        if self.scale is not None:
            headers.append(("Scale", _with_point(self.scale)))
        if self.range is not None:
            headers.append(("Range", str(self.range)))
        if self.sequence is not None and self.rtp_time is not None:
            headers.append(("RTP-Info", f"seq={self.sequence};rtptime={self.rtp_time}"))
        words = {200: "OK", 400: "Bad Request", 404: "Not Found", 457: "Invalid Range"}.get(self.status, "Error")
        return _written(f"RTSP/1.0 {self.status} {words}", [*headers, *self.others])


def _with_point(value: Decimal) -> str:
    text = f"{value:f}"
    return text if "." in text else f"{text}.0"


def _written(first: str, headers: list[tuple[str, str]]) -> bytes:
    if any(sign in text for pair in headers for text in pair for sign in "\r\n"):
        raise LocalProtocolError("MANSRTSP: a value holds no line end")
    return "\r\n".join([first, *(f"{name}: {value}" for name, value in headers), "", ""]).encode()


def _taken_apart(body: bytes) -> tuple[str, list[tuple[str, str]]]:
    if len(body) > MAX_RTSP_BYTES:
        raise RtspError(f"MANSRTSP: at most {MAX_RTSP_BYTES} bytes, found {len(body)} (MAX_RTSP_BYTES)")
    text = body.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n").strip("\n\x00 ")
    first, *rest = text.split("\n")
    headers = []
    for line in rest:
        name, colon, value = line.partition(":")
        if colon:
            headers.append((name.strip(), value.strip()))
    return first.strip(), headers


def _number(text: str, name: str) -> int:
    if not re.fullmatch("[0-9]{1,10}", text, re.ASCII):
        raise RtspError(f"{name}: expected a number, found {text[:40]!r}", field=name)
    return int(text)


def _scale(text: str) -> Decimal:
    if not re.fullmatch(r"[+-]?(?:[0-9]{1,6}(?:\.[0-9]{0,6})?|\.[0-9]{1,6})", text, re.ASCII) or not Decimal(text):
        raise RtspError(f"Scale: expected a number other than 0, found {text[:40]!r}", field="Scale", clause="annex B")
    return Decimal(text)


def parse_request(body: bytes) -> Request:
    """Read the body of an INFO; ``RTSP`` and ``MANSRTSP``, with an address or without.

    Raises:
        RtspError: If it is no request, or a header of it cannot be read.
    """
    first, headers = _taken_apart(body)
    found = _REQUEST.match(first)
    method = next((each for each in Method if found and each.value == found[1].upper()), None)
    if method is None:
        raise RtspError(f"expected PLAY, PAUSE or TEARDOWN RTSP/1.0, found {first[:60]!r}", clause="annex B")
    request = Request(method, 0)
    others = []
    for name, value in headers:
        match name.lower():
            case "cseq":
                request = replace(request, cseq=_number(value.split(" ")[0], "CSeq"))
            case "scale":
                request = replace(request, scale=_scale(value))
            case "range":
                request = replace(request, range=Range.parse(value))
            case "pausetime":
                continue
            case _:
                others.append((name, value))
    return replace(request, others=tuple(others))


def parse_answer(body: bytes) -> Answer:
    """Read the body of the 200 to an INFO.

    Raises:
        RtspError: If it is no answer, or a header of it cannot be read.
    """
    first, headers = _taken_apart(body)
    found = _STATUS.match(first)
    if not found:
        raise RtspError(f"expected RTSP/1.0 and a status, found {first[:60]!r}", clause="annex B")
    answer = Answer(int(found[1]))
    others = []
    for name, value in headers:
        match name.lower():
            case "cseq":
                answer = replace(answer, cseq=_number(value.split(" ")[0], "CSeq"))
            case "scale":
                answer = replace(answer, scale=_scale(value))
            case "range":
                answer = replace(answer, range=Range.parse(value))
            case "rtp-info":
                answer = _with_packet(answer, value)
            case _:
                others.append((name, value))
    return replace(answer, others=tuple(others))


def _with_packet(answer: Answer, text: str) -> Answer:
    values = {}
    for part in text.split(",")[0].split(";"):
        name, _, value = part.partition("=")
        values[name.strip().lower()] = value.strip()
    sequence, time = values.get("seq"), values.get("rtptime")
    return replace(
        answer,
        sequence=_number(sequence, "RTP-Info") if sequence else None,
        rtp_time=_number(time, "RTP-Info") if time else None,
    )


@dataclass(frozen=True, slots=True)
class Playback:
    """Where a playback stands: a pure value, moved on by requests.

    Attributes:
        length_s: Of the recording that is played.
        position_s: At ``at``.
        at: Time of the caller's clock.
        scale: Speed; negative backwards.
        paused: Whether it stands still.
        stop_s: Where it ends if that is not the end, or backwards the begin.
    """

    length_s: float
    position_s: float = 0.0
    at: float = 0.0
    scale: float = 1.0
    paused: bool = False
    stop_s: float | None = None

    def position(self, now: float) -> float:
        """Return the position at a time, 0 to the length."""
        moved = 0.0 if self.paused else (now - self.at) * self.scale
        low, high = 0.0, self.length_s
        if self.stop_s is not None:
            low, high = (self.stop_s, high) if self.scale < 0 else (low, self.stop_s)
        return min(max(self.position_s + moved, low), high)

    def ends_at(self) -> float | None:
        """Return when it arrives where it ends, ``None`` while it is paused."""
        if self.paused:
            return None
        end = self.stop_s if self.stop_s is not None else 0.0 if self.scale < 0 else self.length_s
        return self.at + max(0.0, (end - self.position_s) / self.scale)

    def follow(self, request: Request, now: float) -> Playback:
        """Return where it stands after a request; without Range the position stays, without Scale the speed.

        Raises:
            RtspError: If it is to start behind the end (457).
        """
        position = self.position(now)
        if request.method is not Method.PLAY:
            return replace(self, position_s=position, at=now, paused=True)
        scale = self.scale if request.scale is None else float(request.scale)
        start, stop = position, None
        if request.range is not None:
            start = position if request.range.start is None else float(request.range.start)
            stop = None if request.range.end is None else float(request.range.end)
        if start > self.length_s:
            raise RtspError(
                f"Range: the recording ends at {self.length_s:g} s, found {start:g}", field="Range", status=457
            )
        if stop is not None:
            stop = min(max(stop, 0.0), self.length_s)
            if (stop - start) * scale < 0:  # against the direction: nothing to stop at
                stop = None
        return replace(self, position_s=start, at=now, scale=scale, paused=False, stop_s=stop)
