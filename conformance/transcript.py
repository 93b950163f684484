"""The transcript: everything a run saw and did, in order, as data. Judgements read nothing else.

Each entry carries the SHA-256 of the one before it and of itself, so what was written cannot be changed, reordered or
shortened in the middle without every later hash telling. A line of the record is the entry in canonical JSON; the
lines are written as things happen, so that an interrupted run is evidence as well.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = [
    "GENESIS",
    "MAX_ENTRIES",
    "MAX_TRANSCRIPT_BYTES",
    "Entry",
    "Transcript",
    "TranscriptError",
    "TranscriptFullError",
]

#: A door controller writes some 200 KB a day. A run that needs more than this is being flooded.
MAX_TRANSCRIPT_BYTES: Final = 16 << 20
MAX_ENTRIES: Final = 200_000
#: What stands before the first entry of a chain.
GENESIS: Final = "0" * 64


class TranscriptFullError(Exception):
    """The transcript reached its limit; what was recorded stays valid."""


class TranscriptError(ValueError):
    """A record that is no transcript, or one that was changed.

    Attributes:
        line: Number of the line, from 1.
        why: ``json``, ``shape``, ``order`` or ``hash``.
    """

    def __init__(self, line: int, why: str) -> None:
        super().__init__(f"line {line}: {why}")
        self.line = line
        self.why = why


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened.

    Attributes:
        seq: Its number, from 0.
        t_mono: Seconds on the suite's monotonic clock; it goes on where an interrupted run left off.
        t_wall: POSIX seconds that the bench's own clock showed.
        clock: Which clock: ``real`` or ``virtual``.
        device: MN it concerns, or empty.
        link: Number of the connection, 0 for none.
        transport: ``tcp`` or ``memory``; empty for what crosses no wire.
        direction: ``in`` (from the device), ``out`` (to it), or empty.
        kind: ``run``, ``listen``, ``connect``, ``bytes``, ``close``, ``refuse``, ``step``, ``act``, ``setting``,
            ``clock``, ``relay``, ``resumed``, ``history``, ``note``.
        data: The bytes, for ``bytes``.
        attachment: What else is known, JSON values only.
        hash: SHA-256 over the hash of the entry before and this one, in hexadecimal.
    """

    seq: int
    t_mono: float
    t_wall: float
    clock: str
    device: str
    link: int
    transport: str
    direction: str
    kind: str
    data: bytes = field(default=b"", repr=False)
    attachment: dict[str, Any] = field(default_factory=dict)
    hash: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the entry as JSON values; bytes as base64."""
        shown = {name: getattr(self, name) for name in self.__slots__ if name not in ("data", "attachment", "hash")}
        if self.data:
            shown["bytes"] = base64.b64encode(self.data).decode()
        if self.attachment:
            shown["attachment"] = self.attachment
        shown["hash"] = self.hash
        return shown

    def to_line(self) -> bytes:
        """Return the entry as a line of the record."""
        return _canonical(self.to_json()) + b"\n"

    @classmethod
    def from_json(cls, shown: dict[str, Any]) -> Entry:
        """Return the entry that :meth:`to_json` wrote.

        Raises:
            ValueError: If it is not of that shape.
        """
        values = dict(shown)
        try:
            data = base64.b64decode(values.pop("bytes", ""), validate=True)
            entry = cls(data=data, **values)
        except (TypeError, binascii.Error) as error:
            raise ValueError(str(error)) from error
        wanted = (int, float, float, str, str, int, str, str, str, bytes, dict, str)
        for name, kind in zip(cls.__slots__, wanted, strict=True):
            if type(getattr(entry, name)) is not kind:
                raise ValueError(f"{name} is no {kind.__name__}")
        return entry


def _canonical(shown: dict[str, Any]) -> bytes:
    # In ASCII: what a device sent may hold bytes that are no text.
    return json.dumps(shown, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def _hash(before: str, shown: dict[str, Any]) -> str:
    body = {key: value for key, value in shown.items() if key != "hash"}
    return hashlib.sha256(before.encode("ascii") + b"\n" + _canonical(body)).hexdigest()


class Transcript:
    """An append-only list of entries with a limit on its size.

    Args:
        epoch: POSIX seconds at ``t_mono == 0``, as the bench's clock said when the run began.
        clock: ``real`` or ``virtual``.
        wall: Reads the bench's clock, POSIX seconds. Default: ``epoch`` and the monotonic clock.
        sink: Is handed each line of the record as it comes to be.
    """

    def __init__(
        self,
        *,
        epoch: float,
        clock: str,
        max_bytes: int = MAX_TRANSCRIPT_BYTES,
        max_entries: int = MAX_ENTRIES,
        wall: Callable[[], float] | None = None,
        sink: Callable[[bytes], None] | None = None,
    ) -> None:
        self.epoch = epoch
        self.clock = clock
        self.entries: list[Entry] = []
        self.max_bytes = max_bytes
        self.max_entries = max_entries
        self.wall = wall
        self.sink = sink
        self._size = 0

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def __getitem__(self, seq: int) -> Entry:
        return self.entries[seq]

    def add(
        self,
        kind: str,
        now: float,
        *,
        data: bytes = b"",
        device: str = "",
        link: int = 0,
        transport: str = "",
        direction: str = "",
        **attachment: Any,
    ) -> Entry:
        """Append an entry.

        Raises:
            TranscriptFullError: If a limit is reached; steps and notes still fit, so that the end is on record.
        """
        self._size += len(data)
        if data and (self._size > self.max_bytes or len(self.entries) >= self.max_entries):
            raise TranscriptFullError(f"the transcript holds {self._size} bytes in {len(self.entries)} entries")
        wall = float(self.wall() if self.wall else self.epoch + now)
        entry = Entry(
            len(self.entries), float(now), wall, self.clock, device, link, transport, direction, kind, data,
            # As it will be read back: tuples become lists, and what is no JSON is found here and not at the end.
            json.loads(json.dumps(attachment)) if attachment else {},
        )  # fmt: skip
        entry = _with_hash(entry, self.digest)
        self.entries.append(entry)
        if self.sink:
            self.sink(entry.to_line())
        return entry

    @property
    def digest(self) -> str:
        """The hash of the last entry, which stands for the whole record."""
        return self.entries[-1].hash if self.entries else GENESIS

    @property
    def run(self) -> dict[str, Any]:
        """What the record says of the run itself: suite, profile, selection; empty where it says nothing."""
        return self.entries[0].attachment if self.entries and self.entries[0].kind == "run" else {}

    def to_lines(self) -> bytes:
        """Return the whole record."""
        return b"".join(entry.to_line() for entry in self.entries)

    @classmethod
    def from_lines(cls, lines: Iterable[bytes]) -> Transcript:
        """Return the transcript of a record, each line with or without its line feed.

        Raises:
            TranscriptError: If a line is no entry, is not the one that follows, or does not fit its hash.
        """
        entries: list[Entry] = []
        before = GENESIS
        for number, line in enumerate(lines, 1):
            entry = _read(number, line)
            if entry.seq != len(entries):
                raise TranscriptError(number, "order")
            if entry.hash != _hash(before, entry.to_json()):
                raise TranscriptError(number, "hash")
            # Byte for byte: there is one way to write an entry.
            if entry.to_line() != line.rstrip(b"\n") + b"\n":
                raise TranscriptError(number, "shape")
            entries.append(entry)
            before = entry.hash
        return cls._of(entries)

    @classmethod
    def _of(cls, entries: list[Entry]) -> Transcript:
        epoch, clock = 0.0, "real"
        if entries:
            first = entries[0]
            clock = first.clock
            epoch = float(first.attachment.get("epoch", first.t_wall - first.t_mono))
        transcript = cls(epoch=epoch, clock=clock)
        transcript.entries = entries
        transcript._size = sum(len(entry.data) for entry in entries)
        return transcript


def _read(number: int, line: bytes) -> Entry:
    try:
        shown = json.loads(line)
    except ValueError as error:
        raise TranscriptError(number, "json") from error
    try:
        if not isinstance(shown, dict):
            raise ValueError("no object")
        return Entry.from_json(shown)
    except ValueError as error:
        raise TranscriptError(number, "shape") from error


def _with_hash(entry: Entry, before: str) -> Entry:
    object.__setattr__(entry, "hash", _hash(before, entry.to_json()))  # its own constructor would need it to exist
    return entry
