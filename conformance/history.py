"""The ledger of the runs of this installation, so that nobody picks the best of many: one line for each thing told.

A run is entered when it begins, not when it ends; one that is given up stays in the ledger as aborted. Each line
carries the SHA-256 of the line before it, torn pieces included, so a line that is changed, taken out or put in shows.
What was cut off at the end does not show: for that the digest of a later report would have to be known.

Two runs may be under way at once. What one appends depends on the line before, so reading that and appending must be
one act: a lock of the operating system (``filelock``) that ends with its process. Appending in one write without a
lock would not do, as two lines could carry the same hash.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Final

import filelock

from stationgate.exits import EnvironmentFault, reason
from stationgate.language import _

from .verdicts import Said, say

__all__ = ["FILE_NAME", "MAX_LEDGER_BYTES", "Damage", "History", "Ledger", "Run", "Sample", "ledger", "parse"]

FILE_NAME: Final = "runs.jsonl"
#: A run takes less than 2 KB of it, so this is some 30,000 runs.
MAX_LEDGER_BYTES: Final = 64 << 20
#: Seconds to wait for another run to finish its line.
LOCK_S: Final = 10.0
#: What stands in place of the hash before the first line.
GENESIS: Final = "0" * 64
SCHEMA: Final = 1
STATES: Final = ("finished", "aborted")


@dataclass(frozen=True, slots=True)
class Sample:
    """What identifies the device under test: maker, model and serial number where all are given, else its MN."""

    manufacturer: str = ""
    model: str = ""
    serial_number: str = ""
    mn: str = ""

    @classmethod
    def of(cls, declared: Mapping[str, str], mn: str = "") -> Sample:
        """Return the identity that ``[sample]`` of a profile declares, and the MN as far as it is known."""
        return cls(declared.get("manufacturer", ""), declared.get("model", ""), declared.get("serial_number", ""), mn)

    @property
    def numbered(self) -> tuple[str, ...]:
        """Maker, model and serial number as they compare, or nothing where one is missing."""
        parts = tuple(" ".join(text.split()).casefold() for text in (self.manufacturer, self.model, self.serial_number))
        return parts if all(parts) else ()

    def same(self, other: Sample) -> bool:
        """Tell whether both are the same device: by serial number where both have one, else by MN.

        A run without a filled-in ``[sample]`` therefore belongs to every device of its MN: trying first under no name
        hides nothing.
        """
        if self.numbered and other.numbered:
            return self.numbered == other.numbered
        mine, theirs = self.mn.strip().upper(), other.mn.strip().upper()
        return mine != "" and mine == theirs


@dataclass(frozen=True, slots=True)
class Run:
    """One run as the ledger tells it; without an end it counts as aborted."""

    id: str
    started: float
    profile: str
    sample: Sample
    ended: float | None = None
    state: str = "aborted"
    exit_code: int | None = None
    digest: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    number: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the run as it stands in the entry ``history`` of a transcript."""
        return {
            "started": self.started,
            "ended": self.ended,
            "state": self.state,
            "exit_code": self.exit_code,
            "digest": self.digest,
            "counts": dict(self.counts),
            "number": self.number,
        }


@dataclass(frozen=True, slots=True)
class Damage:
    """Something wrong with the ledger itself.

    Attributes:
        line: Number of the line, from 1.
        why: ``torn`` (the writer was killed, the rest of the line is missing), ``changed`` (it is not the line that
            the next one follows) or ``shape`` (it says nothing that can be understood).
    """

    line: int
    why: str

    @property
    def said(self) -> Said:
        """The same as a sentence."""
        return {
            "torn": say("line {line} of the list of runs is torn: a run was killed while it wrote", line=self.line),
            "changed": say("the list of runs was changed at line {line}", line=self.line),
            "shape": say("line {line} of the list of runs cannot be understood", line=self.line),
        }[self.why]

    def to_json(self) -> dict[str, Any]:
        return {"line": self.line, "why": self.why}


@dataclass(frozen=True, slots=True)
class History:
    """What a ledger says: its runs in the order they began, and what is wrong with it."""

    runs: tuple[Run, ...] = ()
    damage: tuple[Damage, ...] = ()

    def earlier(self, sample: Sample, before: str = "") -> list[dict[str, Any]]:
        """Return the runs of a sample that began before one of the ledger, oldest first, as JSON values.

        Args:
            sample: Which device.
            before: Id of a run, left out as are all later ones. Empty or unknown: every run.
        """
        found = []
        for run in self.runs:
            if before and run.id == before:
                break
            if run.sample.same(sample):
                found.append(run.to_json())
        return found


def parse(data: bytes) -> History:
    """Return what the bytes of a ledger say; damage is listed, and what can be read beside it is read."""
    runs: dict[str, Run] = {}
    damage: dict[int, str] = {}
    lines = data.split(b"\n")
    cut = lines[-1] != b""  # a writer was killed: the line feed is missing
    if not cut:
        lines.pop()
    before = GENESIS
    for number, line in enumerate(lines, 1):
        row = _object(line)
        if row is None:
            damage[number] = "torn" if cut or number < len(lines) else "shape"
        else:
            if row.get("before") != before:
                damage[max(number - 1, 1)] = "changed"
            if not _told(row, runs):
                damage.setdefault(number, "shape")
        before = _hash(line)
    return History(tuple(runs.values()), tuple(Damage(*found) for found in sorted(damage.items())))


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _told(row: Mapping[str, Any], runs: dict[str, Run]) -> bool:
    """Take in what one line tells; ``False`` when it cannot be understood."""
    try:
        id = _value(row, "run", str)
        match row["event"]:
            case "begin":
                given = row["sample"]
                sample = Sample(*(_value(given, key.name, str) for key in fields(Sample)))
                run = Run(id, float(_value(row, "started", int, float)), _value(row, "profile", str), sample)
                runs.setdefault(id, run)  # one that goes on in another process begins again, and stays what it was
            case "learn":
                runs[id] = replace(runs[id], sample=replace(runs[id].sample, mn=_value(row, "mn", str)))
            case "end":
                runs[id] = _ended(runs[id], row)
            case _:
                return False
    except (KeyError, TypeError):
        return False
    return True


def _ended(run: Run, row: Mapping[str, Any]) -> Run:
    counts = _value(row, "counts", dict)
    if row["state"] not in STATES or not all(type(count) is int for count in counts.values()):
        raise TypeError("state or counts")
    return replace(
        run,
        ended=float(_value(row, "ended", int, float)),
        state=_value(row, "state", str),
        exit_code=_value(row, "exit_code", int, type(None)),
        digest=_value(row, "digest", str),
        counts=counts,
        number=_value(row, "number", str),
    )


def _value(row: Any, key: str, *kinds: type) -> Any:
    """Return one value of a line.

    Raises:
        KeyError: If it is not there.
        TypeError: If it is of another kind.
    """
    value = row[key]
    if type(value) not in kinds:
        raise TypeError(key)
    return value


class Ledger:
    """The file of a ledger; every method is one whole act that another process cannot come between.

    Args:
        path: The file; it and its folder come to be with the first run.

    A file that cannot be read, written or locked raises :class:`stationgate.exits.EnvironmentFault`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def begin(self, run_id: str, *, started: float, profile: str, sample: Sample) -> None:
        """Enter a run, before it does anything; one that goes on in another process may be entered again.

        Args:
            run_id: Its name, never used for another.
            started: POSIX seconds.
            profile: Name of the profile.
            sample: What is declared of the device.
        """
        self._append("begin", run_id, started=started, profile=profile, sample=asdict(sample))

    def learn(self, run_id: str, mn: str) -> None:
        """Enter the MN that a run took as that of its device."""
        self._append("learn", run_id, mn=mn)

    def end(
        self,
        run_id: str,
        *,
        ended: float,
        state: str,
        exit_code: int | None,
        digest: str,
        counts: Mapping[str, int],
        number: str = "",
    ) -> None:
        """Enter how a run ended; where it goes on later and ends again, the last end counts.

        Args:
            run_id: As begun.
            ended: POSIX seconds.
            state: ``finished``, or ``aborted`` where it did not come to its end.
            exit_code: What the command returned, as far as it is known.
            digest: Digest of the transcript.
            counts: How many cases got each verdict.
            number: Number of the report, as declared.
        """
        if state not in STATES:
            raise ValueError(state)
        code = None if exit_code is None else int(exit_code)
        shown = {str(verdict): count for verdict, count in counts.items()}
        self._append(
            "end", run_id, ended=ended, state=state, exit_code=code, digest=digest, counts=shown, number=number
        )

    def read(self) -> History:
        """Return everything the ledger says; nothing where there is none yet."""
        with self._told_of_trouble():
            return parse(self._bytes())

    def history(self, sample: Sample, before: str = "") -> dict[str, Any]:
        """Return the attachment of a transcript's entry ``history``: earlier runs, and damage of the ledger."""
        found = self.read()
        return {"runs": found.earlier(sample, before), "damage": [damage.to_json() for damage in found.damage]}

    def _append(self, event: str, run_id: str, **told: Any) -> None:
        with self._told_of_trouble():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with filelock.FileLock(f"{self.path}.lock", timeout=LOCK_S):
                self._append_locked({"schema": SCHEMA, "event": event, "run": run_id, **told})

    def _append_locked(self, row: dict[str, Any]) -> None:
        data = self._bytes()
        torn = data != b"" and not data.endswith(b"\n")
        last = data.removesuffix(b"\n").rpartition(b"\n")[2]
        row["before"] = _hash(last) if data else GENESIS
        line = json.dumps(row, separators=(",", ":"), allow_nan=False).encode("ascii") + b"\n"
        # A torn piece is kept, as a line of its own that this one's hash covers.
        line = b"\n" + line if torn else line
        if len(data) + len(line) > MAX_LEDGER_BYTES:
            raise EnvironmentFault(
                _("the list of runs {file} is full").format(file=self.path),
                _("keep a copy of it elsewhere, then move it away"),
            )
        with self.path.open("ab", buffering=0) as file:
            if file.write(line) != len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path))
            os.fsync(file.fileno())

    def _bytes(self) -> bytes:
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""

    @contextmanager
    def _told_of_trouble(self) -> Iterator[None]:
        try:
            yield
        except filelock.Timeout as error:
            raise EnvironmentFault(
                _("another run has held the list of runs {file} for {seconds} s").format(
                    file=self.path, seconds=f"{LOCK_S:g}"
                ),
                _("end the program that hangs"),
            ) from error
        except OSError as error:
            raise EnvironmentFault(
                _("cannot keep the list of runs {file}: {why}").format(file=self.path, why=reason(error)),
                _("set STATIONGATE_HOME to a folder that can be written"),
            ) from error


def ledger() -> Ledger:
    """Return the ledger of this installation."""
    from stationgate.home import home

    return Ledger(home() / FILE_NAME)
