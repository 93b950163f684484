"""What a report says of itself and of the conditions of the test: number, network path, basis, profile, selection."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from hj212.times import CHINA
from stationgate.language import N_, _, gettext, pick
from stationgate.redaction import MASK

from ..evidence import Evidence
from ..profile import Profile
from ..transcript import Transcript
from ..verdicts import CaseResult, Verdict
from .shown import printable
from .words import SIGNATURES

__all__ = [
    "MAX_PEERS",
    "MAX_PORTS",
    "CitedDocument",
    "Document",
    "NetworkPath",
    "Peer",
    "Signature",
    "describe",
    "profile_digest",
]

#: Addresses listed; a site has a few, a flood has thousands.
MAX_PEERS: Final = 8
#: Ports named for one address: a device that connects for each report uses a new one each time.
MAX_PORTS: Final = 4
#: Hex digits of the record's digest in a generated report number.
_NUMBER_DIGITS: Final = 8

_TRANSPORTS: Final = {"tcp": N_("TCP"), "memory": N_("in memory (simulated device)")}
#: What a clause is cited from: pattern of the clause, how it is named, its title in Chinese and in English.
_DOCUMENTS: Final = (
    (
        r"HJ/T 212-2005",
        ("HJ/T 212-2005", "HJ/T 212-2005"),
        ("污染源在线自动监控（监测）系统数据传输标准", "Data transmission standard for pollution on-line monitoring"),
    ),
    (
        r"HJ 212-2017",
        ("HJ 212-2017", "HJ 212-2017"),
        (
            "污染物在线监控（监测）系统数据传输标准",
            "Data transmission standard for online monitoring systems of pollutants",
        ),
    ),
    (
        r"HJ 212-2025",
        ("HJ 212-2025", "HJ 212-2025"),
        (
            "污染物自动监测监控系统数据传输技术要求",
            "Technical requirements for data transmission of automatic pollutant monitoring systems",
        ),
    ),
    (
        r"宁夏方案",
        ("宁夏方案", "宁夏方案 (Ningxia plan)"),
        (
            "宁夏回族自治区生态环境非现场执法工作实施方案（征求意见稿），要求编号 REQ-A-nn 为本套件所加",
            "Ningxia plan for off-site environmental enforcement, draft for comment; the suite numbers its demands "
            "REQ-A-nn",
        ),
    ),
    (r"REQ-", ("本套件", "This suite"), ("本套件自定的检查项", "Checks of the suite's own")),
)


@dataclass(frozen=True, slots=True)
class Peer:
    """An address that devices connected from."""

    host: str
    connections: int
    ports: tuple[str, ...]  #: the first few, in order of connection

    def __str__(self) -> str:
        if self.connections == 1 and self.ports:
            return f"{self.host}:{self.ports[0]}"
        shown = _("{host} ({count} connections, ports {ports})")
        ports = ", ".join(self.ports) + (" ..." if self.connections > len(self.ports) else "")
        return shown.format(host=self.host, count=self.connections, ports=ports)


@dataclass(frozen=True, slots=True)
class NetworkPath:
    """How the device and the bench were connected.

    Attributes:
        listening: Our own addresses, ``host:port``.
        advertised: The address that the device was given; empty where none is declared.
        peers: Where the device under test connected from.
        other_peers: Where anything else connected from.
        peer_count: Addresses in all, more than those listed in a flood.
        transport: In words.
        forward: ``host:port`` that every byte was relayed to, or empty.
        passive: Whether nothing but acknowledgements was sent.
        refused: Connections turned away.
    """

    listening: tuple[str, ...]
    advertised: str
    peers: tuple[Peer, ...]
    other_peers: tuple[Peer, ...]
    peer_count: int
    transport: str
    forward: str
    passive: bool
    refused: int

    @property
    def unlisted(self) -> int:
        """Addresses that are only counted."""
        return self.peer_count - len(self.peers) - len(self.other_peers)


@dataclass(frozen=True, slots=True)
class CitedDocument:
    """A document that verdicts cite."""

    name: str
    title: str
    clauses: tuple[str, ...]  #: without the document's name, in report order
    cases: int


@dataclass(frozen=True, slots=True)
class Signature:
    """A place to sign."""

    role: str
    name: str  #: empty where the profile names nobody


@dataclass(frozen=True, slots=True)
class Document:
    """The document and the conditions of the test.

    Attributes:
        number: Report number.
        number_given: Whether the profile gives it; otherwise it is made of date, time and the record's digest.
        simulated: Whether the device was a simulated one.
        network: How device and bench were connected.
        basis: What the profile declares as basis, or empty.
        documents: What the judged cases cite.
        profile_digest: SHA-256 of the profile as TOML, its PW masked.
        selected: Words that chose cases; none: everything.
        excluded: Words that left cases out.
        shortened_s: The report interval set for this run in seconds, 0 where the device's own was left.
        host: System and Python of the bench, empty where it is not on record.
        signatures: Who signs.
        signer: Fingerprint of the key that signs the evidence, or empty.
    """

    number: str
    number_given: bool
    simulated: bool
    network: NetworkPath
    basis: str
    documents: tuple[CitedDocument, ...]
    profile_digest: str
    selected: tuple[str, ...]
    excluded: tuple[str, ...]
    shortened_s: float
    host: str
    signatures: tuple[Signature, ...]
    signer: str


def describe(results: Sequence[CaseResult], evidence: Evidence, signer: str) -> Document:
    """Return the facts of the document, in the active language."""
    transcript, profile = evidence.transcript, evidence.profile
    run = transcript.run
    mode = _table(run.get("mode"))
    given = printable(profile.test.get("report_number", ""))
    shortened = mode.get("shorten_s", 0)
    return Document(
        number=given or _generated_number(transcript),
        number_given=bool(given),
        simulated=bool(run.get("simulated", transcript.clock == "virtual")),
        network=_network(evidence, mode),
        basis=printable(profile.test.get("basis", "")),
        documents=tuple(_cited(results)),
        profile_digest=profile_digest(profile),
        selected=_words(run.get("select")),
        excluded=_words(run.get("exclude")),
        shortened_s=float(shortened) if isinstance(shortened, int | float) else 0.0,
        host=_host(_table(run.get("host"))),
        signatures=tuple(
            Signature(gettext(role), printable(profile.test.get(key, "")) if key else "") for role, key in SIGNATURES
        ),
        signer=printable(signer),
    )


def profile_digest(profile: Profile) -> str:
    """Return the SHA-256 of a profile as TOML.

    PW is masked first: it has few digits, and whoever holds the rest could find it by trying them all.
    """
    device = {**profile.device, "pw": MASK} if profile.device.get("pw") else profile.device
    return hashlib.sha256(replace(profile, device=device).to_toml().encode()).hexdigest()


def _generated_number(transcript: Transcript) -> str:
    """Return a number that the record alone decides, so that a report made again has the same."""
    began = transcript[0].t_wall if len(transcript) else transcript.epoch
    return f"{datetime.fromtimestamp(began, CHINA):%Y%m%d-%H%M%S}-{transcript.digest[:_NUMBER_DIGITS]}"


# The network


def _network(evidence: Evidence, mode: dict[str, Any]) -> NetworkPath:
    listening: dict[str, None] = {}
    connected: list[tuple[int, str]] = []
    transports: dict[str, None] = {}
    refused = 0
    for entry in evidence.transcript:
        if entry.kind == "listen":
            listening[printable(f"{entry.attachment.get('host', '')}:{entry.attachment.get('port', '')}")] = None
        elif entry.kind == "connect":
            connected.append((entry.link, printable(str(entry.attachment.get("peer", "")))))
            transports[entry.transport] = None
        elif entry.kind == "refuse":
            refused += 1
    ours = {heard.link for heard in evidence.frames}
    peers = _peers(peer for link, peer in connected if link in ours)
    others = _peers(peer for link, peer in connected if link not in ours)
    return NetworkPath(
        listening=tuple(listening)[:MAX_PEERS],
        advertised=_advertised(evidence.profile.listen),
        peers=peers[:MAX_PEERS],
        other_peers=others[:MAX_PEERS],
        peer_count=len(peers) + len(others),
        transport=_(", ").join(gettext(_TRANSPORTS.get(name, name)) for name in transports if name),
        forward=printable(str(mode.get("forward", ""))),
        passive=bool(mode.get("passive", False)),
        refused=refused,
    )


def _peers(addresses: Iterable[str]) -> tuple[Peer, ...]:
    ports: dict[str, list[str]] = defaultdict(list)
    for address in addresses:
        host, _colon, port = address.rpartition(":")
        ports[host or address].append(port if host else "")
    return tuple(Peer(host, len(known), tuple(known[:MAX_PORTS])) for host, known in ports.items())


def _advertised(listen: dict[str, Any]) -> str:
    host, port = listen.get("advertised_host", ""), listen.get("advertised_port", "")
    if not host and not port:
        return ""
    return printable(f"{host or listen.get('host', '')}:{port or listen.get('port', '')}")


# The basis


def _cited(results: Sequence[CaseResult]) -> Iterable[CitedDocument]:
    """Yield what the judged cases rest on, in the order of :data:`_DOCUMENTS`, others last under their own name."""
    known: dict[int, list[str]] = defaultdict(list)
    other: list[str] = []
    for result in results:
        if not result.verdict.conclusive or result.verdict is Verdict.NOT_APPLICABLE:
            continue
        index = next((i for i, row in enumerate(_DOCUMENTS) if re.match(row[0], result.clause)), None)
        if index is None:
            other.append(result.clause)
        else:
            known[index].append(result.clause)
    for index, clauses in sorted(known.items()):
        pattern, name, title = _DOCUMENTS[index]
        # Where the pattern is only the head of a number, the number is the clause.
        shown = [c if pattern.endswith("-") else re.sub(pattern, "", c).strip() for c in clauses]
        yield CitedDocument(pick(*name), pick(*title), tuple(dict.fromkeys(filter(None, shown))), len(clauses))
    for clause in dict.fromkeys(other):
        yield CitedDocument(printable(clause), "", (), other.count(clause))


# The record's own words


def _table(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _words(value: object) -> tuple[str, ...]:
    return tuple(printable(str(word)) for word in value) if isinstance(value, list) else ()


def _host(host: dict[str, Any]) -> str:
    system = " ".join(str(host[key]) for key in ("system", "release") if host.get(key))
    python = f"Python {host['python']}" if host.get("python") else ""
    return printable(_(", ").join(filter(None, [system, python])))
