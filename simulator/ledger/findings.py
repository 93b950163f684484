"""What an audit can find, and how much of it: plain data, no decisions."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from hj212.segment import parse_segment
from stationgate.exits import ExitCode

__all__ = ["Counts", "Difference", "Expected", "Finding", "Kind", "Received", "differences", "exit_code"]


class Kind(StrEnum):
    """What is wrong with a message; the value is the ``event`` of JSON lines."""

    LOST = "lost"  #: acknowledged, and not stored
    DUPLICATED = "duplicated"  #: stored once more
    ALTERED = "altered"  #: stored, but not as it was sent
    ALIEN = "alien"  #: stored, but never sent
    LATE = "late"  #: stored later after its first sending than the limit
    REORDERED = "reordered"  #: stored after one that was sent after it
    DAMAGED = "damaged-stored"  #: stored, although it was damaged on purpose each time it was sent
    UNDECIDED = "undecided"  #: stored, but its QN is ruined and several messages fit


#: What makes an audit fail, and what does so with ``--strict`` only.
FAILING: Final = (Kind.LOST, Kind.DUPLICATED, Kind.ALTERED, Kind.ALIEN)
TOLD: Final = (Kind.LATE, Kind.REORDERED, Kind.DAMAGED)


@dataclass(slots=True)
class Expected:
    """A message as the ledgers know it; times are those of the generator's clock, POSIX milliseconds.

    Attributes:
        id: Its number in this audit, in the order of the ledgers.
        digest: Of the area; equal where the bytes are equal.
        faults: What damages it in whatever way it is sent.
        sent_ms: When it was sent first, ``None`` if never.
        sent_line: Place of that line among all.
        times: How often it was sent.
        intact: How often without damage.
        acknowledged_ms: When the platform acknowledged it first.
        area: What stands between ``CP=&&`` and ``&&``; only in findings.
    """

    id: int
    mn: str
    qn: str
    cn: str
    pno: int
    pnum: int
    st: str
    data_time: str
    digest: bytes
    due_ms: int = 0
    kind: str = ""
    faults: str = ""
    sent_ms: int | None = None
    sent_line: int = 0
    times: int = 0
    intact: int = 0
    acknowledged_ms: int | None = None
    dropped: str | None = None
    area: bytes = b""

    @property
    def damaged(self) -> bool:
        """Whether a platform must refuse it: nothing of it was ever sent undamaged."""
        return bool(self.faults) or (self.times > 0 and not self.intact)


@dataclass(slots=True)
class Received:
    """A row of what a platform stored. ``None``: the platform does not say.

    Attributes:
        id: Its number in this audit.
        row: Where it stands: ``id`` of a store, line of a file.
        received_ms: When the platform got it, POSIX milliseconds.
        order: Rises with the order of arrival; equal where that is not known.
        qn_value: Where the QN is ruined, the number that is left of it.
        qn_unit: Value of its last digit that is left, 0 where it is intact.
    """

    id: int
    mn: str
    qn: str
    cn: str
    pno: int | None
    pnum: int | None
    st: str | None
    data_time: str
    digest: bytes | None
    row: int
    received_ms: int | None = None
    order: int | None = None
    qn_value: int = 0
    qn_unit: int = 0
    area: bytes | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that is not as it was sent; ``None``: the field is not there.

    ``CP`` stands for the area as a whole, where all fields are the same and their order or grouping is not.
    """

    field: str
    expected: str | None
    came: str | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        kind: What.
        expected: The message, ``None`` where nothing was sent.
        received: The row, ``None`` where nothing is stored.
        after: REORDERED: the message that overtook it. DUPLICATED: ``None``.
        differences: ALTERED: each field.
        late_ms: LATE: how long after its first sending it was stored.
    """

    kind: Kind
    expected: Expected | None = None
    received: Received | None = None
    after: Expected | None = None
    differences: tuple[Difference, ...] = ()
    late_ms: int | None = None


@dataclass(slots=True)
class Counts:
    """What an audit amounts to, each message counted once in the first group, each row once in the second."""

    composed: int = 0  #: messages that the ledgers know
    acknowledged: int = 0  #: of these, acknowledged
    expected: int = 0  #: acknowledged and not damaged: the platform must have them
    unacknowledged_stored: int = 0  #: sent, not acknowledged, stored
    unacknowledged_absent: int = 0  #: sent, not acknowledged, not stored
    unsent: int = 0  #: still waiting when the run ended
    dropped: int = 0  #: given up by the station before they were sent
    damaged: int = 0  #: damaged on purpose each time they were sent

    received: int = 0  #: rows of the platform
    matched: int = 0  #: rows that are the first of a message
    other_stations: int = 0  #: rows of stations that no ledger names
    earlier: int = 0  #: rows that no ledger knows, from before the ledgers begin

    sent_late: int = 0  #: messages that the station itself sent later after they were due than the limit
    early: int = 0  #: rows that bear a time before their message was sent: the clocks differ
    earliest_ms: int = 0  #: by how much at most
    found: Counter[Kind] = field(default_factory=Counter)
    ruined: Counter[str] = field(default_factory=Counter)  #: rows by what happened to their QN

    def as_json(self) -> dict[str, Any]:
        """Return them by name, as the last line of ``--json`` has them."""
        names = ["composed", "acknowledged", "expected", "unacknowledged_stored", "unacknowledged_absent", "unsent"]
        names += ["dropped", "damaged", "received", "matched", "other_stations", "earlier", "sent_late", "early"]
        shape: dict[str, Any] = {name: getattr(self, name) for name in names}
        shape |= {kind.value.replace("-", "_"): self.found[kind] for kind in Kind}
        return shape | {"ruined_qn": dict(sorted(self.ruined.items()))}


def exit_code(counts: Counts, *, complete: bool, strict: bool = False) -> ExitCode:
    """Return what an audit ends with.

    Args:
        complete: Whether the ledgers hold everything that was sent. Otherwise a message that they do not know may have
            been sent all the same, and an alien proves nothing.
        strict: Whether what is told only fails as well.
    """
    failing = [kind for kind in FAILING if complete or kind is not Kind.ALIEN] + list(TOLD if strict else ())
    if any(counts.found[kind] for kind in failing):
        return ExitCode.FAIL
    if not complete or counts.found[Kind.UNDECIDED] or not counts.composed:
        return ExitCode.INCONCLUSIVE
    return ExitCode.OK


def differences(expected: Expected, received: Received) -> tuple[Difference, ...]:
    """Return what of a row is not as it was sent, in the order of the message; what it does not say is left out."""
    found = []
    header: tuple[tuple[str, object, object], ...] = (
        ("ST", expected.st, received.st),
        ("CN", expected.cn, received.cn),
        ("PNUM", expected.pnum, received.pnum),
        ("PNO", expected.pno, received.pno),
    )
    for name, wanted, came in header:
        if came is not None and came != wanted:
            found.append(Difference(name, str(wanted), str(came)))
    if received.area is not None and received.area != expected.area:
        found += _in_area(expected.area, received.area)
    return tuple(found)


def _in_area(wanted: bytes, came: bytes) -> list[Difference]:
    before, after = _values(wanted), _values(came)
    found = []
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name, []), after.get(name, [])
        for at in range(max(len(old), len(new))):
            one = old[at] if at < len(old) else None
            other = new[at] if at < len(new) else None
            if one != other:
                found.append(Difference(name, one, other))
    return found or [Difference("CP", _text(wanted), _text(came))]


def _values(area: bytes) -> dict[str, list[str]]:
    """Return the values of each name, in order; the value of a pair without ``=`` is empty."""
    values: dict[str, list[str]] = {}
    for item in parse_segment(b"CP=&&" + area + b"&&").items:
        for pair in item:
            values.setdefault(pair[0], []).append(pair[1] if len(pair) == 2 else "")
    return values


def _text(area: bytes) -> str:
    return area.decode("utf-8", "backslashreplace")
