"""Values inside SIP headers: URIs, addresses, Via, CSeq (RFC 3261 19.1, 20, 25.1).

Reading is tolerant, for stacks of many makes write these by hand; what was read is written in one exact form. Only a
value that cannot be used at all is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from ..errors import SipError

__all__ = ["MAGIC_COOKIE", "Address", "CSeq", "Params", "Uri", "Via", "split_list"]

#: Begins each branch of RFC 3261; without it a transaction is told by other fields (17.2.3).
MAGIC_COOKIE: Final = "z9hG4bK"
#: 2**31: CSeq numbers stay below it (8.1.1.5).
MAX_CSEQ: Final = 1 << 31

#: Longest URI that is remembered with what was read from it.
_KNOWN_CHARACTERS: Final = 128

#: Parameters in the order in which they came; ``None`` where there is no ``=``.
Params = tuple[tuple[str, str | None], ...]

_HOST = r"\[[0-9A-Fa-f:.%]+\]|[^\s;?>:,\[\]@]+"
# Blanks are bounded: where several parts may each take a run of them, trying every division takes time.
_B: Final = r"[ \t]{0,8}"
_PORT: Final = rf"(?:{_B}:{_B}([0-9]{{1,5}}))?"
_URI: Final = re.compile(
    rf"{_B}([A-Za-z][A-Za-z0-9+.\-]{{0,20}}):(?:([^@\s<>]*)@)?({_HOST})?{_PORT}{_B}((?:;[^?>]*)?)(?:\?([^>]*))?{_B}\Z"
)
_VIA: Final = re.compile(
    rf"{_B}SIP{_B}/{_B}2\.0{_B}/{_B}([A-Za-z]{{1,20}})[ \t]{{1,8}}({_HOST})?{_PORT}{_B}((?:;.*)?)\Z",
    re.IGNORECASE | re.DOTALL,
)
_CSEQ: Final = re.compile(r"\s*([0-9]{1,10})\s+([A-Za-z]+)\s*\Z")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"\s*', re.DOTALL)
_PARAM: Final = re.compile(r';\s*([^\s;=]+)\s*(?:=\s*("(?:[^"\\]|\\.)*"|[^;]*))?', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)
_TOKEN: Final = re.compile(r"[A-Za-z0-9.!%*_+`'~\-]+(?: [A-Za-z0-9.!%*_+`'~\-]+)*\Z")


def _params(text: str) -> Params:
    return tuple([(name, value.rstrip() or None) for name, value in _PARAM.findall(text)]) if text else ()


def _written(params: Params) -> str:
    return "".join([f";{name}" if value is None else f";{name}={value}" for name, value in params])


def _param(params: Params, wanted: str) -> str | None:
    """The first value of a parameter: a peer that writes ``;tag=`` twice means the first."""
    for name, value in params:
        if name.lower() == wanted:
            return value or ""
    return None


def _port(text: str | None, field: str) -> int | None:
    if not text:
        return None
    port = int(text)
    if port > 65535:
        raise SipError(f"{field}: expected a port below 65536, found {port}", field=field)
    return port


@dataclass(frozen=True, slots=True)
class Uri:
    """``sip:34020000001320000001@3402000000``; the host is a domain code, a name or an address."""

    user: str
    host: str
    port: int | None = None
    params: Params = ()
    scheme: str = "sip"

    @classmethod
    def parse(cls, text: str, field: str = "Request-URI") -> Uri:
        """Read a URI.

        Raises:
            SipError: If it is none.
        """
        return _known_uri(text, field) if len(text) <= _KNOWN_CHARACTERS else _uri(text, field)

    def __str__(self) -> str:
        user = f"{self.user}@" if self.user else ""
        port = "" if self.port is None else f":{self.port}"
        if not self.params:
            return f"{self.scheme}:{user}{self.host}{port}"
        plain = [pair for pair in self.params if not pair[0].startswith("?")]
        headers = "".join(name for name, _ in self.params if name.startswith("?"))
        return f"{self.scheme}:{user}{self.host}{port}{_written(tuple(plain))}{headers}"

    def param(self, name: str) -> str | None:
        """The value of a parameter, empty where it has none, ``None`` where it is absent."""
        return _param(self.params, name)


def _uri(text: str, field: str) -> Uri:
    found = _URI.match(text)
    if not found or not (found[2] or found[3]):
        raise SipError(f"{field}: expected a URI as sip:user@host, found {text[:80]!r}", field=field)
    scheme, user, host, port, params, headers = found.groups()
    tail = _params(params)
    if headers:
        tail = (*tail, ("?" + headers, None))
    return Uri(user or "", host or "", _port(port, field), tail, scheme.lower())


#: The same few URIs come in every message: that of a platform from each of its devices, for one.
_known_uri = lru_cache(maxsize=1024)(_uri)


@dataclass(frozen=True, slots=True)
class Address:
    """From, To, Contact, Route: a URI with a display name and parameters."""

    uri: Uri
    display: str = ""
    params: Params = ()

    @classmethod
    def parse(cls, text: str, field: str = "From") -> Address:
        """Read an address, with or without angle brackets; without, parameters are the header's (20).

        Raises:
            SipError: If it holds no URI.
        """
        text = text.lstrip()
        quoted = _QUOTED.match(text) if text.startswith('"') else None
        rest = text[quoted.end() :] if quoted else text
        bare, bracket, inside = rest.partition("<")
        if not bracket:
            uri, semicolon, params = rest.partition(";")
            return cls(Uri.parse(uri, field), "", _params(semicolon + params))
        uri, _, params = inside.partition(">")
        display = _ESCAPED.sub(r"\1", quoted[1]) if quoted else bare.strip()
        return cls(Uri.parse(uri, field), display, _params(params))

    def __str__(self) -> str:
        display = self.display
        if display and not _TOKEN.match(display):
            escaped = display.replace("\\", "\\\\").replace('"', '\\"')
            display = f'"{escaped}"'
        space = " " if display else ""
        return f"{display}{space}<{self.uri}>{_written(self.params)}"

    @property
    def tag(self) -> str:
        """The tag, empty where there is none."""
        return _param(self.params, "tag") or ""

    def param(self, name: str) -> str | None:
        """The value of a parameter, empty where it has none, ``None`` where it is absent."""
        return _param(self.params, name)

    def with_tag(self, tag: str) -> Address:
        """Return the same address with another tag; with an empty one, without."""
        others = tuple([pair for pair in self.params if pair[0].lower() != "tag"])
        return Address(self.uri, self.display, (*others, ("tag", tag)) if tag else others)


@dataclass(frozen=True, slots=True)
class Via:
    """One hop: how, from where, and in which transaction (RFC 3261 20.42, RFC 3581)."""

    transport: str  #: upper case: ``"UDP"``, ``"TCP"``
    host: str
    port: int | None = None
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Via:
        """Read one value.

        Raises:
            SipError: If it is none.
        """
        found = _VIA.match(text)
        if not found:
            raise SipError(f"Via: expected SIP/2.0/UDP host:port;branch=..., found {text[:80]!r}", field="Via")
        transport, host, port, params = found.groups()
        return cls(transport.upper(), host or "", _port(port, "Via"), _params(params))

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"SIP/2.0/{self.transport} {self.host}{port}{_written(self.params)}"

    @property
    def branch(self) -> str:
        """The branch, empty where there is none."""
        return _param(self.params, "branch") or ""

    @property
    def rport(self) -> int | None:
        """``None`` where absent, 0 where it is asked for, else the port that the other side saw."""
        text = _param(self.params, "rport")
        return None if text is None else int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0

    @property
    def received(self) -> str:
        """The address that the other side saw, empty where it told none."""
        return _param(self.params, "received") or ""

    def with_source(self, source: tuple[str, int]) -> Via:
        """Return what a server writes of where a request came from: rport where asked for, received beside it."""
        host, port = source
        asked = False
        params: list[tuple[str, str | None]] = []
        for pair in self.params:
            name = pair[0].lower()
            if name == "rport":
                asked = True
                params.append((pair[0], str(port)))
            elif name != "received":
                params.append(pair)
        if not asked and host == self.host:
            return self
        return Via(self.transport, self.host, self.port, (*params, ("received", host)))


@dataclass(frozen=True, slots=True)
class CSeq:
    """Number and method of a request within its dialog."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """Read the header; the method in upper case, which some write otherwise.

        Raises:
            SipError: If it is no number and method, or the number is 2**31 or more.
        """
        found = _CSEQ.match(text)
        if not found:
            raise SipError(f"CSeq: expected a number and a method, found {text[:40]!r}", field="CSeq")
        number = int(found[1])
        if number >= MAX_CSEQ:
            raise SipError(f"CSeq: expected a number below 2147483648, found {number}", field="CSeq")
        return cls(number, found[2].upper())

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


def split_list(text: str) -> Iterator[str]:
    """Yield the values of a header that holds several: at each comma outside quotes and angle brackets (7.3.1)."""
    if "," not in text:
        yield text.strip()
        return
    start, quoted, depth, at = 0, False, 0, 0
    while at < len(text):
        sign = text[at]
        if quoted:
            if sign == "\\":
                at += 1
            elif sign == '"':
                quoted = False
        elif sign == '"':
            quoted = True
        elif sign == "<":
            depth += 1
        elif sign == ">":
            depth = max(0, depth - 1)
        elif sign == "," and not depth:
            yield text[start:at].strip()
            start = at + 1
        at += 1
    yield text[start:].strip()
