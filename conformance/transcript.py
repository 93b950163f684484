"""The transcript: everything a run saw and did, in order, as data. Judgements read nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

__all__ = ["MAX_ENTRIES", "MAX_TRANSCRIPT_BYTES", "Entry", "Transcript", "TranscriptFullError"]

#: A door controller writes some 200 KB a day. A run that needs more than this is being flooded.
MAX_TRANSCRIPT_BYTES: Final = 16 << 20
MAX_ENTRIES: Final = 200_000


class TranscriptFullError(Exception):
    """The transcript reached its limit; what was recorded stays valid."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened.

    Attributes:
        seq: Its number, from 0.
        t_mono: Seconds on the suite's monotonic clock.
        t_wall: POSIX seconds on the suite's wall clock.
        clock: Which clock: ``real`` or ``virtual``.
        device: MN it concerns, or empty.
        link: Number of the connection, 0 for none.
        transport: ``tcp`` or ``memory``; empty for what crosses no wire.
        direction: ``in`` (from the device), ``out``, or empty.
        kind: ``listen``, ``connect``, ``bytes``, ``close``, ``refuse``, ``step``, ``act``, ``note``.
        data: The bytes, for ``bytes``.
        attachment: What else is known, JSON values only.
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

    def to_json(self) -> dict[str, Any]:
        """Return the entry as JSON values; bytes as base64."""
        shown = {name: getattr(self, name) for name in self.__slots__ if name not in ("data", "attachment")}
        if self.data:
            shown["bytes"] = base64.b64encode(self.data).decode()
        if self.attachment:
            shown["attachment"] = self.attachment
        return shown


class Transcript:
    """An append-only list of entries with a limit on its size."""

    def __init__(
        self, *, epoch: float, clock: str, max_bytes: int = MAX_TRANSCRIPT_BYTES, max_entries: int = MAX_ENTRIES
    ) -> None:
        self.epoch = epoch  #: POSIX seconds at ``t_mono == 0``
        self.clock = clock
        self.entries: list[Entry] = []
        self.max_bytes = max_bytes
        self.max_entries = max_entries
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
        entry = Entry(
            len(self.entries), now, self.epoch + now, self.clock, device, link, transport, direction, kind, data,
            attachment,
        )  # fmt: skip
        self.entries.append(entry)
        return entry

    @property
    def digest(self) -> str:
        """SHA-256 over every entry, in hexadecimal."""
        digest = hashlib.sha256()
        for entry in self.entries:
            # In ASCII: what a device sent may hold bytes that are no text.
            digest.update(json.dumps(entry.to_json(), sort_keys=True).encode())
        return digest.hexdigest()
