"""Digest authentication of registrations (GB/T 28181 9.1.1; RFC 2069, RFC 2617, RFC 7616).

::

    HA1 = H(username:realm:password)        HA2 = H(method:uri)
    without qop:  response = H(HA1:nonce:HA2)
    qop=auth:     response = H(HA1:nonce:nc:cnonce:auth:HA2)

H is MD5 unless the challenge says otherwise. The URI is the one inside the header: many devices write another one
into the request line.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Final

from ..errors import LimitError, LocalProtocolError, SipError

__all__ = ["ALGORITHMS", "Challenge", "Credentials", "NonceState", "Nonces", "answer", "verify"]

#: Algorithm as headers name it -> name of the hash. SM3 in registrations is practice of a few vendors (unconfirmed).
ALGORITHMS: Final[Mapping[str, str]] = {"MD5": "md5", "SHA-256": "sha256", "SM3": "sm3"}
#: A nonce is good for one registration; a device behind a slow link answers within seconds.
NONCE_LIFETIME_S: Final = 300.0
#: Nonces that wait for an answer: those of a province whose power returns.
MAX_NONCES: Final = 20_000

_SCHEME: Final = re.compile(r"\s*digest\s+", re.IGNORECASE)
# Bounded, so that a long run of one sign is not tried from each of its places to its end.
_PAIR: Final = re.compile(
    r'([A-Za-z][A-Za-z0-9_-]{0,40})[ \t]{0,8}=[ \t]{0,8}(?:"((?:[^"\\]|\\.){0,1024})"|([^\s,"]{0,1024}))\s{0,8}(?:,|\Z)'
)


def _pairs(text: str, field_name: str) -> dict[str, str]:
    scheme = _SCHEME.match(text)
    if not scheme:
        raise SipError(f"{field_name}: expected Digest, found {text.split(' ', 1)[0][:20]!r}", field=field_name)
    found: dict[str, str] = {}
    for name, quoted, bare in _PAIR.findall(text, scheme.end()):
        found.setdefault(name.lower(), quoted or bare)
    return found


def _quoted(text: str) -> str:
    if '"' in text or "\\" in text or "\r" in text or "\n" in text:
        raise LocalProtocolError("a value of Digest holds no quotation mark, backslash or line end")
    return f'"{text}"'


@dataclass(frozen=True, slots=True)
class Challenge:
    """WWW-Authenticate: what the registrar wants to be proved.

    Attributes:
        realm: As the registrar wrote it; normally the domain, ten digits.
        nonce: Its own.
        algorithm: As written; empty: MD5.
        qop: Among them ``auth``; empty: the form without counter.
        opaque: To be returned unchanged.
        stale: Whether only the nonce was too old.
    """

    realm: str
    nonce: str
    algorithm: str = ""
    qop: tuple[str, ...] = ()
    opaque: str = ""
    stale: bool = False

    @classmethod
    def parse(cls, text: str) -> Challenge:
        """Read the value of the header.

        Raises:
            SipError: If it is not Digest, or has no nonce.
        """
        pairs = _pairs(text, "WWW-Authenticate")
        if not pairs.get("nonce"):
            raise SipError("WWW-Authenticate: nonce is missing", field="WWW-Authenticate")
        return cls(
            pairs.get("realm", ""),
            pairs["nonce"],
            pairs.get("algorithm", ""),
            tuple(part.strip().lower() for part in pairs.get("qop", "").split(",") if part.strip()),
            pairs.get("opaque", ""),
            pairs.get("stale", "").lower() == "true",
        )

    def __str__(self) -> str:
        parts = [f"realm={_quoted(self.realm)}", f"nonce={_quoted(self.nonce)}"]
        if self.algorithm:
            parts.append(f"algorithm={self.algorithm}")
        if self.qop:
            parts.append(f"qop={_quoted(','.join(self.qop))}")
        if self.opaque:
            parts.append(f"opaque={_quoted(self.opaque)}")
        if self.stale:
            parts.append("stale=true")
        return "Digest " + ",".join(parts)


@dataclass(frozen=True, slots=True)
class Credentials:
    """Authorization: the proof, its parts as they were written."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str = field(repr=False)
    algorithm: str = ""
    qop: str = ""
    nc: str = ""
    cnonce: str = ""
    opaque: str = ""

    @classmethod
    def parse(cls, text: str) -> Credentials:
        """Read the value of the header.

        Raises:
            SipError: If it is not Digest, or lacks what every proof has.
        """
        pairs = _pairs(text, "Authorization")
        for name in ("username", "nonce", "uri", "response"):
            if not pairs.get(name):
                raise SipError(f"Authorization: {name} is missing", field="Authorization")
        names = ("username", "realm", "nonce", "uri", "response", "algorithm", "qop", "nc", "cnonce", "opaque")
        return cls(*(pairs.get(name, "") for name in names))

    def __str__(self) -> str:
        parts = [
            f"username={_quoted(self.username)}",
            f"realm={_quoted(self.realm)}",
            f"nonce={_quoted(self.nonce)}",
            f"uri={_quoted(self.uri)}",
            f"response={_quoted(self.response)}",
        ]
        if self.algorithm:
            parts.append(f"algorithm={self.algorithm}")
        if self.qop:
            parts += [f"cnonce={_quoted(self.cnonce)}", f"nc={self.nc}", f"qop={self.qop}"]
        if self.opaque:
            parts.append(f"opaque={_quoted(self.opaque)}")
        return "Digest " + ",".join(parts)


@lru_cache(maxsize=16)
def _hash(algorithm: str) -> Callable[[str], str]:
    name = ALGORITHMS.get(algorithm.upper() or "MD5")
    if name is None:
        raise SipError(
            f"algorithm: expected one of {', '.join(ALGORITHMS)}, found {algorithm[:20]!r}", field="algorithm"
        )
    try:
        begun = hashlib.new(name, usedforsecurity=False)
    except ValueError as error:
        raise SipError(f"algorithm: {algorithm} is not there on this computer", field="algorithm") from error

    def digest(text: str) -> str:
        one = begun.copy()  # half the time of finding the hash by its name again
        one.update(text.encode("utf-8", "surrogateescape"))
        return one.hexdigest()

    return digest


def _proof(credentials: Credentials, password: str, method: str) -> str:
    digest = _hash(credentials.algorithm)
    ha1 = digest(f"{credentials.username}:{credentials.realm}:{password}")
    ha2 = digest(f"{method}:{credentials.uri}")
    if not credentials.qop:
        return digest(f"{ha1}:{credentials.nonce}:{ha2}")
    # The counter exactly as it was written: some pad it, some write capitals.
    return digest(f"{ha1}:{credentials.nonce}:{credentials.nc}:{credentials.cnonce}:{credentials.qop}:{ha2}")


def answer(
    challenge: Challenge, *, username: str, password: str, method: str, uri: str, nc: int = 1, cnonce: str = ""
) -> Credentials:
    """Prove to know the password.

    Args:
        challenge: What the registrar sent.
        username: Normally the 20-digit code.
        password: Is not kept.
        method: ``"REGISTER"``.
        uri: Request-URI.
        nc: How often this nonce has been used, this time included.
        cnonce: A random value of the device's, needed where the challenge has qop.

    Raises:
        SipError: If the challenge wants what is not known: its algorithm or a qop other than auth.
    """
    qop = ""
    if challenge.qop:
        if "auth" not in challenge.qop:
            raise SipError(f"qop: expected auth, found {','.join(challenge.qop)[:40]!r}", field="qop")
        qop = "auth"
    credentials = Credentials(
        username,
        challenge.realm,
        challenge.nonce,
        uri,
        "",
        challenge.algorithm,
        qop,
        f"{nc:08x}" if qop else "",
        cnonce if qop else "",
        challenge.opaque,
    )
    response = _proof(credentials, password, method)
    return Credentials(
        username, challenge.realm, challenge.nonce, uri, response, credentials.algorithm, qop, credentials.nc,
        credentials.cnonce, challenge.opaque,
    )  # fmt: skip


def verify(credentials: Credentials, *, password: str, method: str) -> bool:
    """Say whether a proof was made with the password, for the URI that it names.

    Raises:
        SipError: If its algorithm is not known.
    """
    if credentials.qop and credentials.qop.lower() != "auth":
        raise SipError(f"qop: expected auth, found {credentials.qop[:20]!r}", field="qop")
    expected = _proof(credentials, password, method)
    return hmac.compare_digest(expected.encode(), credentials.response.lower().encode("utf-8", "surrogateescape"))


class NonceState(Enum):
    """What a registrar knows of a nonce."""

    OK = "ok"
    STALE = "stale"  #: too old: challenge anew, the password was not wrong
    REPLAYED = "replayed"  #: this counter was used, or, without counter, the nonce
    UNKNOWN = "unknown"  #: never issued, or forgotten


@dataclass(slots=True)
class _Issued:
    at: float
    count: int = 0


class Nonces:
    """The nonces that a registrar has issued.

    Args:
        random: Returns a new unguessable text at each call.
        lifetime_s: How long one may be used.
        most: How many are remembered, the oldest forgotten first.
    """

    def __init__(self, random: Callable[[], str], lifetime_s: float = NONCE_LIFETIME_S, most: int = MAX_NONCES) -> None:
        if most < 1:
            raise LimitError("MAX_NONCES: expected at least 1")
        self._random = random
        self._lifetime_s = lifetime_s
        self._most = most
        self._issued: OrderedDict[str, _Issued] = OrderedDict()

    def __len__(self) -> int:
        return len(self._issued)

    def issue(self, now: float) -> str:
        """Return a new nonce."""
        issued = self._issued
        while issued:
            oldest = next(iter(issued.values()))
            if len(issued) < self._most and now - oldest.at <= 2 * self._lifetime_s:
                break
            issued.popitem(last=False)
        nonce = self._random()
        issued[nonce] = _Issued(now)
        return nonce

    def check(self, credentials: Credentials, now: float) -> NonceState:
        """Judge the nonce of a proof that was found right, and count its use."""
        issued = self._issued.get(credentials.nonce)
        if issued is None:
            return NonceState.UNKNOWN
        if now - issued.at > self._lifetime_s:
            return NonceState.STALE
        # Only with qop is the counter part of the proof; without, anybody could write a higher one beside it.
        counted = credentials.qop and re.fullmatch("[0-9A-Fa-f]{1,8}", credentials.nc)
        count = int(credentials.nc, 16) if counted else 1
        if count <= issued.count:
            return NonceState.REPLAYED
        issued.count = count
        return NonceState.OK
