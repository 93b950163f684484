"""Peers that are nothing of ours: they take messages apart by hand, and what they say is written out in the tests."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field

from gb28181.sip import Flow

from .wire import Wire


def hashed(*parts: str) -> str:
    """MD5 of what RFC 2617 joins by colons."""
    return hashlib.md5(":".join(parts).encode(), usedforsecurity=False).hexdigest()


@dataclass
class Heard:
    """A message that came."""

    at: float
    first: str
    lines: list[tuple[str, str]]
    body: bytes = field(repr=False)
    flow: Flow

    @classmethod
    def of(cls, data: bytes, at: float, flow: Flow) -> Heard:
        head, _, body = data.partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        lines = [(name.strip().lower(), value.strip()) for name, _, value in (line.partition(":") for line in rest)]
        return cls(at, first, lines, body, flow)

    def __getitem__(self, name: str) -> str:
        return next((value for known, value in self.lines if known == name.lower()), "")

    @property
    def method(self) -> str:
        """Of a request; empty for a response."""
        return "" if self.status else self.first.split(" ")[0]

    @property
    def status(self) -> int:
        """Of a response; 0 for a request."""
        return int(self.first.split(" ")[1]) if self.first.startswith("SIP/2.0 ") else 0

    @property
    def user(self) -> str:
        """User of the Request-URI."""
        return user_of(self.first.split(" ")[1])

    def xml(self, tag: str) -> str:
        """Text of the first element of a name, in a body that is GB whatever it declares."""
        found = re.search(rf"<{tag}>([^<]*)</{tag}>", self.body.decode("gb18030"))
        return found[1] if found else ""

    def xmls(self, tag: str) -> list[str]:
        return re.findall(rf"<{tag}>([^<]*)</{tag}>", self.body.decode("gb18030"))

    def sdp(self, letter: str) -> list[str]:
        return [line[2:] for line in self.body.decode().split("\r\n") if line.startswith(f"{letter}=")]

    @property
    def proof(self) -> dict[str, str]:
        """Parts of Authorization."""
        scheme, _, rest = self["Authorization"].partition(" ")
        assert scheme in ("Digest", "")
        return {name: quoted or bare for name, quoted, bare in re.findall(r'(\w+)=(?:"([^"]*)"|([^",\s]+))', rest)}


def user_of(address: str) -> str:
    found = re.search(r"sip:([^@>]*)@", address)
    return found[1] if found else ""


class Peer:
    """One end of a wire, played by a script: ``script`` is called with each request that came."""

    def __init__(self, wire: Wire, end: str, script: Callable[[Heard], None] | None = None) -> None:
        self.wire = wire
        self.heard: list[Heard] = []
        self.script = script or self.asked
        self.seen: set[str] = set()  # branch and method of what was answered: repetitions are none
        self._out: list[tuple[Flow, bytes]] = []
        self._flow = wire.back if end == "platform" else wire.there
        self._buffer = b""
        self._tags = 0
        wire.join(end, self)

    # What a wire wants of an end

    def receive_datagram(self, data: bytes, flow: Flow, now: float) -> None:
        self._take(data, flow, now)

    def receive_stream(self, data: bytes, flow: Flow, now: float) -> None:
        self._buffer += data
        while b"\r\n\r\n" in self._buffer:
            head, _, rest = self._buffer.partition(b"\r\n\r\n")
            length = re.search(rb"\r\nContent-Length: *([0-9]+)", head)
            assert length, "over TCP Content-Length is needed"
            size = int(length[1])
            if len(rest) < size:
                return
            self._buffer = rest[size:]
            self._take(head + b"\r\n\r\n" + rest[:size], flow, now)

    def data_to_send(self) -> list[tuple[Flow, bytes]]:
        out, self._out = self._out, []
        return out

    def next_timeout(self) -> float | None:
        return None

    def handle_timeout(self, now: float) -> None: ...

    def _take(self, data: bytes, flow: Flow, now: float) -> None:
        heard = Heard.of(data, now, flow)
        self.heard.append(heard)
        if not heard.method:
            self.answered(heard)
            return
        self.judge(heard)
        key = f"{heard['Via']} {heard.method}"
        if key not in self.seen:
            self.seen.add(key)
            self.script(heard)

    # For scripts

    def asked(self, heard: Heard) -> None:
        """Take a request."""

    def answered(self, heard: Heard) -> None:
        """Take a response."""

    def judge(self, heard: Heard) -> None:
        """What the strictest of the field demand of each request."""

    def say(self, text: str, body: bytes = b"", *, ends: str = "\r\n") -> None:
        """Send a message, its lines written as they are to be; Content-Length is counted unless it is written."""
        head = text.strip("\n")
        if "Content-Length" not in head:
            head += f"\nContent-Length: {len(body)}"
        self._out.append((self._flow, head.replace("\n", ends).encode() + ends.encode() * 2 + body))

    def reply(self, heard: Heard, status: str, *lines: str, body: bytes = b"", tag: str = "") -> None:
        """Answer as everybody does: five headers of the request, then more."""
        self._tags += 1
        to = heard["To"] if ";tag=" in heard["To"] else f"{heard['To']};tag={tag or f't{self._tags}'}"
        head = [f"SIP/2.0 {status}", f"Via: {heard['Via']}", f"From: {heard['From']}", f"To: {to}"]
        self.say("\n".join([*head, f"Call-ID: {heard['Call-ID']}", f"CSeq: {heard['CSeq']}", *lines]), body)

    def requests(self, method: str, cmd_type: str = "") -> list[Heard]:
        """Requests of a method, and of a CmdType, that came."""
        return [one for one in self.heard if one.method == method and (not cmd_type or one.xml("CmdType") == cmd_type)]

    def responses(self, cseq: str) -> list[int]:
        """Statuses of the answers to a request, by CSeq."""
        return [one.status for one in self.heard if one.status and one["CSeq"] == cseq]

    def response(self, cseq: str, status: int) -> Heard:
        """The answer with a status to a request."""
        return next(one for one in self.heard if one.status == status and one["CSeq"] == cseq)
