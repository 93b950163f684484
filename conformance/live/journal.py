"""The record of a run on disk while the run lasts: one line for each entry, written as it happens.

A process that is killed leaves every entry it had written; a power cut may cost the last second. What is read back is
checked against its hash chain, and a last line that was torn is kept as data, so that nothing is lost silently.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

import click
from filelock import FileLock, Timeout

from stationgate.exits import DataFault, EnvironmentFault, UsageFault, reason
from stationgate.language import _

from ..transcript import Transcript, TranscriptError

__all__ = ["JOURNAL_SUFFIX", "Journal", "journal_of"]

#: What the name of a bundle gets while its run lasts.
JOURNAL_SUFFIX: Final = ".journal"
_LOCK_SUFFIX: Final = ".lock"
_PART_SUFFIX: Final = ".part"
#: What a power cut may cost. What changes the device is made safe before it is sent.
SYNC_S: Final = 1.0
_SYNC_AT_ONCE: Final = b'"kind":"setting"'
#: A run that could not listen has seen nothing.
_FIRST_STEP: Final = b'"kind":"step"'


def journal_of(bundle: Path) -> Path:
    """Return where the journal of a bundle stands."""
    return bundle.with_name(bundle.name + JOURNAL_SUFFIX)


class Journal:
    """A journal open for writing; only one process has it.

    Args:
        path: Where it stands.
        transcript: What it holds already.
        torn: A last line that was cut short, empty where there was none.
        sealed: Whether all of it stands in a bundle as well.
    """

    def __init__(
        self,
        path: Path,
        lock: FileLock,
        transcript: Transcript | None = None,
        *,
        torn: bytes = b"",
        sealed: bool = False,
    ) -> None:
        self.path = path
        self.transcript = transcript
        self.torn = torn
        self.sealed = sealed
        self.failure: OSError | None = None  #: why nothing is written any more, ``None`` while all is well
        self._begun = False
        self._lock = lock
        self._synced = time.monotonic()
        # It holds passwords and badge codes: for its owner only.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_BINARY", 0), 0o600)
        self._file = os.fdopen(descriptor, "ab", buffering=0)

    @classmethod
    def create(cls, path: Path) -> Journal:
        """Begin a journal.

        Raises:
            UsageFault: If there is one already: an unfinished run is not thrown away.
            EnvironmentFault: If another process runs it.
        """
        return cls(path, _begun(path))

    @classmethod
    def reopen(cls, path: Path) -> Journal:
        """Open the journal of an interrupted run, to go on with it.

        Raises:
            DataFault: If an entry was changed, or entries are missing.
            EnvironmentFault: If another process runs it.
        """
        lock = _locked(path)
        try:
            transcript, torn = read(path)
            if torn:
                with path.open("r+b") as file:
                    file.truncate(path.stat().st_size - len(torn))
        except BaseException:
            lock.release()
            raise
        return cls(path, lock, transcript, torn=torn)

    @classmethod
    def rewrite(cls, path: Path, lines: bytes) -> Journal:
        """Begin a journal with what a sealed run holds, to go on with it.

        Raises:
            UsageFault: If there is one already.
            EnvironmentFault: If another process runs it, or it cannot be written.
        """
        lock = _begun(path)
        # All of it or nothing: a part would stand for the run, and hide the whole one beside it.
        part = path.with_name(path.name + _PART_SUFFIX)
        try:
            with part.open("wb") as file:
                file.write(lines)
                os.fsync(file.fileno())
            part.replace(path)
        except OSError as error:
            part.unlink(missing_ok=True)
            lock.release()
            raise EnvironmentFault(
                _("cannot write {path}: {why}").format(path=path, why=reason(error)),
                _("a run that goes on needs room beside its bundle"),
            ) from error
        return cls(path, lock, Transcript.from_lines(lines.splitlines(keepends=True)), sealed=True)

    @property
    def bundle(self) -> Path:
        """What it becomes."""
        return self.path.with_name(self.path.name.removesuffix(JOURNAL_SUFFIX))

    @property
    def holds_a_run(self) -> bool:
        """Whether it is worth keeping: a run was begun, of which no bundle has everything."""
        return not self.sealed and (bool(self.transcript) or self._begun)

    def write(self, line: bytes) -> None:
        """Hand a line to the operating system, which keeps it whatever becomes of this process.

        Where that fails, a full disk for one, the run goes on with what is in memory and can still be sealed elsewhere;
        :attr:`failure` says so, and the journal ends with the last whole line.
        """
        self.sealed = False
        self._begun = self._begun or _FIRST_STEP in line
        if self.failure:
            return
        size = os.fstat(self._file.fileno()).st_size
        try:
            view = memoryview(line)
            while view:
                view = view[self._file.write(view) :]
            if _SYNC_AT_ONCE in line or time.monotonic() - self._synced > SYNC_S:
                self.sync()
        except OSError as error:
            self.failure = error
            with suppress(OSError):
                self._file.truncate(size)
            click.echo(
                _("cannot write {path}: {why}; the run goes on, and could not be resumed").format(
                    path=self.path, why=reason(error)
                ),
                err=True,
            )

    def sync(self) -> None:
        """Make what was written survive a power cut."""
        os.fsync(self._file.fileno())
        self._synced = time.monotonic()

    def close(self, *, remove: bool = False) -> None:
        """Let go of the journal; ``remove`` once everything it holds is sealed."""
        with suppress(OSError):
            self._file.close()
        if remove:
            self.path.unlink(missing_ok=True)
        self._lock.release()
        if remove:
            Path(self._lock.lock_file).unlink(missing_ok=True)


def _begun(path: Path) -> FileLock:
    """Return the lock of a journal that is not there yet."""
    lock = _locked(path)
    if path.exists() and path.stat().st_size:
        lock.release()
        bundle = path.with_name(path.name.removesuffix(JOURNAL_SUFFIX))
        raise UsageFault(
            _("{file} holds a run that did not end").format(file=path),
            _("go on with it: conformance resume {bundle}; or give another --bundle").format(bundle=bundle),
        )
    return lock


def _locked(path: Path) -> FileLock:
    lock = FileLock(path.with_name(path.name + _LOCK_SUFFIX), timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise EnvironmentFault(
            _("{file} is being written by another process").format(file=path),
            _("wait for that run to end, or end it, before going on"),
        ) from error
    except OSError as error:
        raise EnvironmentFault(
            _("cannot write {path}: {why}").format(path=path, why=reason(error)), _("give another --bundle")
        ) from error
    return lock


def read(path: Path) -> tuple[Transcript, bytes]:
    """Return what a journal holds, and its last line where that was cut short.

    Raises:
        DataFault: If an entry was changed, or entries are missing.
    """
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except OSError as error:
        raise UsageFault(_("cannot read {file}: {why}").format(file=path, why=reason(error))) from error
    torn = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
    try:
        return Transcript.from_lines(lines), torn
    except TranscriptError as error:
        raise DataFault(
            _("{file}, line {line}: the record was changed or is damaged").format(file=path, line=error.line),
            _("a record is only worth something whole: run again"),
        ) from error
