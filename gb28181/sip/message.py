"""SIP messages: requests and responses, read tolerantly and written exactly (RFC 3261 7; GB/T 28181 annex A headers).

A message keeps every header as it came, in order. Typed views of the known ones are made when asked for; one that
cannot be used raises :class:`gb28181.SipError` then, so that a broken Contact does not stop who needs only Call-ID.
Text of headers is UTF-8; other bytes survive as surrogate escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from ..deviations import Deviation
from ..errors import LocalProtocolError, SipError
from .values import Address, CSeq, Uri, Via, split_list

__all__ = [
    "MAX_HEADERS",
    "MAX_HEADER_BYTES",
    "MAX_MESSAGE_BYTES",
    "REASONS",
    "Headers",
    "Message",
    "Request",
    "Response",
    "parse_message",
    "respond",
]

#: A UDP datagram holds no more; a catalogue of thousands of records over TCP has its own limit in the framing.
MAX_MESSAGE_BYTES: Final = 65_535
#: Start line and headers together: the largest seen are 2 KB, and 1 MB of them is an attack.
MAX_HEADER_BYTES: Final = 16 * 1024
#: Headers of one message: a request through 70 proxies has some 150.
MAX_HEADERS: Final = 256

_COMPACT: Final = {
    "v": "Via",
    "f": "From",
    "t": "To",
    "m": "Contact",
    "i": "Call-ID",
    "l": "Content-Length",
    "c": "Content-Type",
    "s": "Subject",
    "k": "Supported",
    "e": "Content-Encoding",
    "o": "Event",
}
_KEYS: Final = {short: name.lower() for short, name in _COMPACT.items()}
#: Usual spellings, looked up before anything is computed: a message has twenty headers, each compared many times.
_SPELLED: Final = {
    name: name.lower()
    for name in (
        *_COMPACT.values(),
        *("CSeq", "Max-Forwards", "Expires", "User-Agent", "Server", "Date", "Allow", "Authorization", "Require"),
        *("WWW-Authenticate", "X-GB-Ver", "Subscription-State", "Proxy-Authenticate", "Route", "Proxy-Authorization"),
    )
}
#: Headers of a request that its answers repeat (RFC 3261 8.2.6.2).
_REPEATED: Final = frozenset(("via", "from", "to", "call-id", "cseq"))
#: Headers whose values may stand in one line, behind commas.
_LISTS: Final = frozenset(
    (
        "via",
        "contact",
        "route",
        "record-route",
        "allow",
        "supported",
        "require",
        "proxy-require",
        "unsupported",
        "accept",
    )
)

REASONS: Final = {
    100: "Trying",
    180: "Ringing",
    200: "OK",
    202: "Accepted",
    302: "Moved Temporarily",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Request Entity Too Large",
    415: "Unsupported Media Type",
    420: "Bad Extension",
    423: "Interval Too Brief",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    482: "Loop Detected",
    483: "Too Many Hops",
    486: "Busy Here",
    487: "Request Terminated",
    488: "Not Acceptable Here",
    489: "Bad Event",
    491: "Request Pending",
    500: "Server Internal Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "Version Not Supported",
}

_REQUEST: Final = re.compile(r"([A-Za-z]+)[ \t]+(\S+)[ \t]+SIP/([0-9]+\.[0-9]+)[ \t]*\Z", re.IGNORECASE)
_RESPONSE: Final = re.compile(r"SIP/([0-9]+\.[0-9]+)[ \t]+([1-6][0-9]{2})(?:[ \t]+(.*))?\Z", re.IGNORECASE | re.DOTALL)
_FOLD: Final = re.compile(r"\n[ \t]+")
_CONTROLS: Final = re.compile(r"[\r\x00]")
_NUMBER: Final = re.compile(r"[0-9]{1,10}\Z")
_END: Final = re.compile(rb"\r?\n\r?\n")
_NAME: Final = re.compile(r"[A-Za-z0-9.!%*_+`'~\-]+\Z")
_LEADING: Final = b"\r\n\x00"


class Headers:
    """Headers in the order of the wire; names are compared without case, short forms count as their long ones."""

    __slots__ = ("_first", "_pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        # (key, name, value): the name as it came, the key to compare by.
        self._pairs: list[tuple[str, str, str]] = [
            (_SPELLED.get(name) or _key(name), name, value) for name, value in pairs
        ]
        # Key -> its first value; made when first asked for, for most of what is composed is never asked.
        self._first: dict[str, str] | None = None

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for _, name, value in self._pairs:
            yield name, value

    def __len__(self) -> int:
        return len(self._pairs)

    def __contains__(self, name: str) -> bool:
        return self.get(name) is not None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # headers change

    def __repr__(self) -> str:
        return f"<Headers {', '.join(name for _, name, _ in self._pairs)}>"

    def get(self, name: str) -> str | None:
        """Return the value of the first header of a name, ``None`` where there is none."""
        first = self._first
        if first is None:
            first = self._first = {key: value for key, _, value in reversed(self._pairs)}
        return first.get(_SPELLED.get(name) or _key(name))

    def all(self, name: str) -> list[str]:
        """Return every value of a name; where the grammar allows several in a line, each of them."""
        key = _key(name)
        values = [value for known, _, value in self._pairs if known == key]
        if key not in _LISTS:
            return values
        return [each for value in values for each in split_list(value)]

    def add(self, name: str, value: str) -> None:
        """Append a header.

        Raises:
            LocalProtocolError: If its name is no token, or its value would end the line.
        """
        key = _checked(name, value)
        self._pairs.append((key, name, value))
        if self._first is not None:
            self._first.setdefault(key, value)

    def set(self, name: str, value: str) -> None:
        """Give a header one value, in the place of the first of its name, or at the end.

        Raises:
            LocalProtocolError: As :meth:`add` does.
        """
        key, at = _checked(name, value), None
        kept = []
        for pair in self._pairs:
            if pair[0] != key:
                kept.append(pair)
            elif at is None:
                at = len(kept)
                kept.append((key, pair[1], value))
        if at is None:
            kept.append((key, name, value))
        self._pairs, self._first = kept, None

    def remove(self, name: str) -> None:
        """Take out every header of a name."""
        key = _key(name)
        self._pairs, self._first = [pair for pair in self._pairs if pair[0] != key], None

    def copy(self) -> Headers:
        """Return headers of their own with the same content."""
        copy = Headers()
        copy._pairs = self._pairs.copy()
        return copy


class Message:
    """What requests and responses have in common: headers, a body, and what was odd about them."""

    __slots__ = ("_cseq", "_from", "_to", "_via", "body", "deviations", "headers")

    def __init__(self, headers: Headers, body: bytes = b"", deviations: Iterable[Deviation] = ()) -> None:
        self.headers = headers
        self.body = body
        self.deviations: list[Deviation] = list(deviations)
        self._via: Via | None = None
        # Each beside the text that it was read from, which somebody may have changed since.
        self._from: tuple[str, Address] | None = None
        self._to: tuple[str, Address] | None = None
        self._cseq: tuple[str, CSeq] | None = None

    def start_line(self) -> str:
        """The first line, without its end."""
        raise NotImplementedError

    def __bytes__(self) -> bytes:
        lines = [self.start_line()]
        lines += [
            f"{name}: {value}" if key else name  # a line without a colon has no key
            for key, name, value in self.headers._pairs
            if key != "content-length"
        ]
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + self.body

    def _needed(self, name: str) -> str:
        value = self.headers.get(name)
        if value is None:
            raise SipError(f"{name} is missing", field=name, clause="RFC 3261 8.1.1")
        return value

    def _number(self, name: str) -> int | None:
        value = self.headers.get(name)
        if value is None:
            return None
        if value.isdigit() and value.isascii() and len(value) <= 10:  # as nearly all write it
            return int(value)
        text = value.split(";", 1)[0].strip()
        if not _NUMBER.match(text):
            raise SipError(f"{name}: expected a number, found {value[:40]!r}", field=name)
        return int(text)

    @property
    def via(self) -> Via:
        """The topmost Via."""
        if self._via is None:
            self._via = Via.parse(next(split_list(self._needed("Via"))))
        return self._via

    @property
    def from_(self) -> Address:
        """From: who asks; in MANSCDP the source of the message."""
        text, known = self._needed("From"), self._from
        if known is None or known[0] is not text:
            known = self._from = (text, Address.parse(text, "From"))
        return known[1]

    @property
    def to(self) -> Address:
        """To: whom it is for; in MANSCDP the destination of the message."""
        text, known = self._needed("To"), self._to
        if known is None or known[0] is not text:
            known = self._to = (text, Address.parse(text, "To"))
        return known[1]

    @property
    def call_id(self) -> str:
        """Call-ID."""
        return self._needed("Call-ID").strip()

    @property
    def cseq(self) -> CSeq:
        """CSeq."""
        text, known = self._needed("CSeq"), self._cseq
        if known is None or known[0] is not text:
            known = self._cseq = (text, CSeq.parse(text))
        return known[1]

    @property
    def contact(self) -> Address | None:
        """The first Contact; ``None`` where it is absent or ``*``."""
        value = self.headers.get("Contact")
        if value is None or value.strip() == "*":
            return None
        return Address.parse(next(split_list(value)), "Contact")

    @property
    def expires(self) -> int | None:
        """Expires in seconds."""
        return self._number("Expires")

    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards."""
        return self._number("Max-Forwards")

    @property
    def content_type(self) -> str:
        """The media type of the body in lower case, without parameters; empty where it is absent."""
        return (self.headers.get("Content-Type") or "").split(";", 1)[0].strip().lower()

    @property
    def event(self) -> str:
        """Event, its ``id`` included; empty where it is absent."""
        return (self.headers.get("Event") or "").strip()

    @property
    def subject(self) -> str:
        """Subject (GB/T 28181-2022 annex K); empty where it is absent."""
        return (self.headers.get("Subject") or "").strip()

    @property
    def gb_version(self) -> str | None:
        """X-GB-Ver, ``"3.0"`` for the 2022 edition (annex I); ``None`` where it is absent."""
        value = self.headers.get("X-GB-Ver")
        return None if value is None else value.strip()

    @property
    def user_agent(self) -> str:
        """User-Agent, or Server; empty where both are absent."""
        return self.headers.get("User-Agent") or self.headers.get("Server") or ""


class Request(Message):
    """A request.

    Args:
        method: In upper case.
        uri: Request-URI.
        headers: All of them; Content-Length is written from the body.
        body: Bytes in their own encoding.
    """

    __slots__ = ("method", "uri")

    def __init__(
        self, method: str, uri: Uri, headers: Headers, body: bytes = b"", deviations: Iterable[Deviation] = ()
    ) -> None:
        super().__init__(headers, body, deviations)
        self.method = method
        self.uri = uri

    def put_via(self, via: Via) -> None:
        """Put our Via above those that are there."""
        self.headers._pairs.insert(0, ("via", "Via", str(via)))
        self.headers._first = None
        self._via = via

    def start_line(self) -> str:
        return f"{self.method} {self.uri} SIP/2.0"

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.uri} {self.headers.get('Call-ID')}>"


class Response(Message):
    """A response.

    Args:
        status: 100 to 699.
        reason: Words beside it.
        headers: All of them; Content-Length is written from the body.
        body: Bytes in their own encoding.
    """

    __slots__ = ("reason", "status")

    def __init__(
        self, status: int, reason: str, headers: Headers, body: bytes = b"", deviations: Iterable[Deviation] = ()
    ) -> None:
        super().__init__(headers, body, deviations)
        self.status = status
        self.reason = reason

    def start_line(self) -> str:
        return f"SIP/2.0 {self.status} {self.reason}"

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.headers.get('CSeq')} {self.headers.get('Call-ID')}>"


def parse_message(data: bytes, *, max_header_bytes: int = MAX_HEADER_BYTES) -> Request | Response:
    """Read a whole message: a datagram, or what the framing cut out of a stream.

    Raises:
        SipError: If it has no start line of SIP, more headers than allowed, or none at all.
    """
    deviations: list[Deviation] = []
    start = 0
    if data[:1] in (b"\r", b"\n", b"\x00"):
        start = len(data) - len(data.lstrip(_LEADING))
    head, body = _cut(data, start, max_header_bytes, deviations)
    text = head.decode("utf-8", "surrogateescape")
    if "\r\n" in text:
        text = text.replace("\r\n", "\n")
    elif "\n" in text:
        deviations.append(Deviation("line-ends"))
    if "\n " in text or "\n\t" in text:
        text = _FOLD.sub(" ", text)
    if "\r" in text or "\x00" in text:  # no value holds these, and some parsers would end a line here
        deviations.append(Deviation("control-characters", found=str(len(_CONTROLS.findall(text)))))
        text = _CONTROLS.sub(" ", text)
    first, _, rest = text.partition("\n")
    headers = _headers(rest, deviations)
    body = _body(headers, body, deviations)
    response = _RESPONSE.match(first) if first[:4].upper() == "SIP/" else None
    if response:
        _version(response[1])
        return Response(int(response[2]), response[3] or "", headers, body, deviations)
    request = _REQUEST.match(first)
    if not request:
        raise SipError(f"expected a request or a status line of SIP, found {first[:60]!r}", clause="RFC 3261 7.1")
    method = request[1].upper()
    if method != request[1]:
        deviations.append(Deviation("method-case", start, found=request[1], expected=method))
    _version(request[3])
    return Request(method, Uri.parse(request[2]), headers, body, deviations)


def _cut(data: bytes, start: int, most: int, deviations: list[Deviation]) -> tuple[bytes, bytes]:
    """Separate headers and body at the first empty line."""
    at = data.find(b"\r\n\r\n", start, start + most + 4)
    if at >= 0:
        return data[start:at], data[at + 4 :]
    found = _END.search(data, start, start + most + 4)
    if found:
        return data[start : found.start()], data[found.end() :]
    if len(data) - start > most:
        raise SipError(f"more than {most} bytes of headers (MAX_HEADER_BYTES)", status=413)
    if not data[start:].strip():
        raise SipError("an empty message")
    deviations.append(Deviation("no-empty-line", len(data)))
    return data[start:].rstrip(b"\r\n"), b""


def _headers(text: str, deviations: list[Deviation]) -> Headers:
    headers = Headers()
    pairs = headers._pairs
    for line in text.split("\n") if text else ():
        name, colon, value = line.partition(":")
        key = _SPELLED.get(name) if colon else None
        if key is not None:
            pairs.append((key, name, value.strip()))
            continue
        if not colon or not name.strip():
            deviations.append(Deviation("header-line", found=line[:60]))
            if line.strip():  # kept under a name of its own, so that nothing is lost
                pairs.append(("", line, ""))
            continue
        name = name.strip()
        pairs.append((_key(name), name, value.strip()))
    if len(pairs) > MAX_HEADERS:
        raise SipError(f"more than {MAX_HEADERS} headers (MAX_HEADERS)", status=413)
    return headers


def _body(headers: Headers, body: bytes, deviations: list[Deviation]) -> bytes:
    """The body of a datagram is what is there; Content-Length is only compared, for some write 0 before a body."""
    stated = headers.get("Content-Length")
    if stated is None:
        return body
    text = stated.strip()
    if not _NUMBER.match(text):
        deviations.append(Deviation("content-length-digits", found=stated[:40]))
        return body
    length = int(text)
    if length == len(body):
        return body
    deviations.append(Deviation("content-length", found=str(length), expected=str(len(body))))
    # Zeros, blanks and line ends behind what was announced are filling.
    if 0 < length < len(body) and not body[length:].strip(b"\x00 \r\n"):
        return body[:length]
    return body


def _version(text: str) -> None:
    if text != "2.0":
        raise SipError(f"expected SIP/2.0, found SIP/{text}", status=505)


def respond(
    request: Request,
    status: int,
    reason: str = "",
    *,
    to_tag: str = "",
    source: tuple[str, int] | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
) -> Response:
    """Compose a response: Via, From, To, Call-ID and CSeq are those of the request (RFC 3261 8.2.6).

    Args:
        request: What is answered.
        status: 100 to 699.
        reason: Words beside it; by default those of the standard.
        to_tag: Tag for To where the request has none; not for 100.
        source: Address and port that the request came from, for received and rport.
        headers: Further headers.
        body: Its bytes.
    """
    answer = Headers()
    pairs = answer._pairs
    first = source is not None
    for key, name, value in request.headers._pairs:
        if key not in _REPEATED:
            continue
        if key == "via":
            if first and source is not None:
                first = False
                seen = str(request.via.with_source(source))
                if "," in value:
                    _top, *others = split_list(value)
                    seen = ", ".join([seen, *others])
                value = seen
            pairs.append((key, "Via", value))
        elif key != "to":
            pairs.append((key, name if len(name) > 1 else _COMPACT[name.lower()], value))
        else:
            if to_tag and ";tag=" not in value.lower().replace(" ", ""):
                value = f"{value};tag={to_tag}"  # without brackets too what follows is the header's (RFC 3261 20.10)
            pairs.append((key, "To", value))
    for name, value in headers:
        answer.add(name, value)
    return Response(status, reason or REASONS.get(status, "Unknown"), answer, body)


def _key(name: str) -> str:
    known = _SPELLED.get(name)
    if known is not None:
        return known
    key = name.lower()
    return _KEYS.get(key, key) if len(key) == 1 else key


def _checked(name: str, value: str) -> str:
    """Return the key of a header that may be written."""
    key = _SPELLED.get(name)
    if key is None:
        if not _NAME.match(name):
            raise LocalProtocolError(f"expected the name of a header, found {name[:40]!r}", field=name[:40])
        key = _key(name)
    if "\r" in value or "\n" in value or "\x00" in value:
        raise LocalProtocolError(f"{name}: a value holds no line end", field=name)
    return key
