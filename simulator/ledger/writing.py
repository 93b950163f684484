"""The writing side of a ledger: cheap for each message, bounded in memory, never the reason that a run ends."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as _quote
from pathlib import Path
from typing import Final

from stationgate.exits import reason

from .lines import LedgerHeader, header_line

__all__ = ["FLUSH_BYTES", "FLUSH_S", "MAX_PENDING_BYTES", "LedgerFailure", "LedgerWriter"]

#: Lines are written out when they have grown to this size ...
FLUSH_BYTES: Final = 64 * 1024
#: ... or when the caller's :meth:`LedgerWriter.flush` comes this long after the last time, seconds.
FLUSH_S: Final = 0.2
#: What is kept while the file takes nothing: minutes of a shard. Lines beyond it are counted and lost.
MAX_PENDING_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class LedgerFailure:
    """Why a ledger is not complete, or may not become so.

    Attributes:
        path: The file.
        reason: What the system says, in the active language.
        lost: Lines that are missing for good.
    """

    path: Path
    reason: str
    lost: int


class LedgerWriter:
    """Writes one section of a ledger; existing files are appended to.

    Nothing here raises, and no message makes a run end: what is wrong with the file stands in :attr:`failure`, which
    the caller reports. While the file takes nothing, lines are kept up to :data:`MAX_PENDING_BYTES` and tried again at
    each :meth:`flush`; what does not fit is counted and leaves a mark in the file, so that an audit knows of it.

    To have in the ledger whatever has left the machine, even if the process is killed, call ``flush()`` before the
    bytes are handed to the sockets, once for each turn of the loop. With ``flush(now)`` a kill costs the lines of the
    last :data:`FLUSH_S`, and the audit says that the ledger was not closed.

    Args:
        path: The file; made where it is not there, readable by its owner only.
        header: What the section is about.
    """

    def __init__(self, path: Path | str, header: LedgerHeader) -> None:
        self.path = Path(path)
        self._number = 0
        self._lines: list[bytes] = []
        self._size = 0
        self._tail = b""  # what the file has not taken yet; may begin in the middle of a line
        self._missing = 0  # lines lost since the last mark
        self._lost = 0
        self._reason = ""
        self._flushed_at = float("-inf")
        self._descriptor = self._open()
        self._put(self._separator() + header_line(header))
        self.flush()

    def __repr__(self) -> str:
        return f"<LedgerWriter {self.path} {self._number} messages{' failed' if self.failure else ''}>"

    @property
    def failure(self) -> LedgerFailure | None:
        """What is wrong with the file: it takes nothing at present, or lines are lost for good."""
        if not self._reason and not self._lost:
            return None
        return LedgerFailure(self.path, self._reason, self._lost)

    @property
    def messages(self) -> int:
        """How many messages were composed."""
        return self._number

    # What a station does

    def composed(
        self,
        identity: str,
        qn: str,
        cn: str,
        st: str,
        pno: int,
        pnum: int,
        due_ms: int,
        kind: str,
        area: bytes,
        faults: Sequence[str] = (),
    ) -> int:
        """Note a message, or one packet of a split one, that the platform must have once it is acknowledged.

        Args:
            identity: The MN as the message carries it.
            qn: As the message carries it; empty where it has none.
            cn: Command.
            st: System code.
            pno: Number of the packet, 0 where the message is not split.
            pnum: Number of packets, 0 where the message is not split.
            due_ms: The scheduled instant, POSIX milliseconds of the scenario.
            kind: What the station calls it: ``periodic``, ``minute``, ``change``.
            area: What stands between ``CP=&&`` and ``&&``, not encrypted, as it is sent.
            faults: What damages it on purpose in whatever way it is sent: a platform must refuse it. Defects that leave
                the message acceptable (a clock that is wrong, a value that does not fit) are none of these.

        Returns:
            The number under which :meth:`sent`, :meth:`acknowledged` and :meth:`dropped` know it.
        """
        number = self._number
        self._number = number + 1
        text = _quote(area.decode("utf-8", "surrogateescape"))
        end = f",[{','.join(map(_quote, faults))}]]\n" if faults else "]\n"
        self._put(
            f'["c",{number},{_quote(identity)},{_quote(qn)},{_quote(cn)},{_quote(st)},{pno},{pnum},{due_ms},'
            f"{_quote(kind)},{text}{end}".encode("ascii")
        )
        return number

    def sent(self, number: int, at_ms: int, faults: Sequence[str] = ()) -> None:
        """Note that a message is given to a link, each time that it is.

        Args:
            faults: What damaged it on purpose this time only, so that a platform must refuse it.
        """
        end = f",[{','.join(map(_quote, faults))}]]\n" if faults else "]\n"
        self._put(f'["s",{number},{at_ms}{end}'.encode("ascii"))

    def acknowledged(self, number: int, at_ms: int) -> None:
        """Note that the platform acknowledged a message: from now on it must have it."""
        self._put(b'["a",%d,%d]\n' % (number, at_ms))

    def faulty(self, number: int, identity: str, at_ms: int, what: str, faults: Sequence[str]) -> None:
        """Note that faults acted without damaging a message on its way to the link.

        Args:
            number: The message; -1 where there is none.
            identity: The station's.
            at_ms: When, or the instant it is about.
            what: ``composed``, ``withheld``, ``answered``, ``repeated``, ``timed`` or ``link``.
            faults: Their names, once for each time.
        """
        names = ",".join(map(_quote, faults))
        self._put(f'["f",{number},{at_ms},{_quote(what)},[{names}],{_quote(identity)}]\n'.encode("ascii"))

    def dropped(self, number: int, at_ms: int, why: str) -> None:
        """Note that the station gives a message up."""
        self._put(f'["d",{number},{at_ms},{_quote(why)}]\n'.encode("ascii"))

    # The file

    def flush(self, now: float | None = None) -> None:
        """Write out what waits.

        Args:
            now: Only where :data:`FLUSH_S` have passed since the last time; any clock, seconds. ``None``: at once.
        """
        if now is not None:
            if now - self._flushed_at < FLUSH_S:
                return
            self._flushed_at = now
        self._write()

    def close(self, at_ms: int | None = None) -> LedgerFailure | None:
        """Write out what waits and close the file; tell what went wrong.

        Args:
            at_ms: The end of the run. ``None``: the file is left without a line that says that it is complete.
        """
        if self._descriptor is not None:
            self._write()
            if at_ms is not None:
                self._put(b'["e",%d]\n' % at_ms)
            self._write()
            self._lost += len(self._lines) + self._tail.count(b"\n")
            self._lines.clear()
            self._tail = b""
            self._size = 0
            try:
                os.close(self._descriptor)
            except OSError as error:  # network disks tell only now that they are full
                self._reason = reason(error)
            self._descriptor = None
        return self.failure

    def _open(self) -> int | None:
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0)
            return os.open(self.path, flags, 0o600)
        except OSError as error:
            self._reason = reason(error)
            return None

    def _separator(self) -> bytes:
        """Return what ends the last line of an earlier run that was killed while it wrote."""
        if self._descriptor is None:
            return b""
        try:
            if os.lseek(self._descriptor, 0, os.SEEK_END) == 0:
                return b""
            os.lseek(self._descriptor, -1, os.SEEK_END)
            return b"" if os.read(self._descriptor, 1) in (b"\n", b"") else b"\n"
        except OSError:  # a pipe, a terminal
            return b""

    def _put(self, line: bytes) -> None:
        size = self._size + len(line)
        if size >= FLUSH_BYTES and (self._descriptor is None or size > MAX_PENDING_BYTES):
            self._missing += 1
            self._lost += 1
            return
        self._lines.append(line)
        self._size = size
        if size >= FLUSH_BYTES and not self._reason:
            self._write()

    def _write(self) -> None:
        """Hand the file what waits; keep what it does not take."""
        if self._descriptor is None:
            return
        if self._tail and not self._hand_over(self._tail):
            return
        if self._missing:
            self._lines.append(b'["x",%d]\n' % self._missing)
            self._missing = 0
        if self._lines:
            data = b"".join(self._lines)
            self._lines.clear()
            self._hand_over(data)

    def _hand_over(self, data: bytes) -> bool:
        """Write bytes; keep those that the file does not take, and say whether it took all."""
        assert self._descriptor is not None
        at = 0
        try:
            while at < len(data):
                at += os.write(self._descriptor, memoryview(data)[at:])
            self._reason = ""
        except OSError as error:
            self._reason = reason(error)
        self._tail = data[at:]
        self._size = max(0, self._size - at)  # a mark was never counted
        return not self._tail
