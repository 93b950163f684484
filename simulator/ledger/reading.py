"""The reading side of a ledger: line by line, and what is wrong with the file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from stationgate.language import _

from .lines import LedgerHeader, parse_header

__all__ = ["MAX_LINE_BYTES", "LedgerError", "LedgerFile", "Line"]

#: A line is a message of at most some kilobytes. Whatever is longer is none of ours.
MAX_LINE_BYTES: Final = 1 << 20

#: How much of a line an error quotes.
_QUOTED_BYTES: Final = 40

#: Kind -> number of fields that a line of it must have at least.
_FIELDS: Final = {"c": 11, "s": 3, "a": 3, "d": 4, "f": 6, "x": 2, "e": 2}
#: Kind -> which of its fields are whole numbers.
_NUMBERS: Final = {"c": (1, 6, 7, 8), "s": (1, 2), "a": (1, 2), "d": (1, 2), "f": (1, 2), "x": (1,), "e": (1,)}

#: A line as it stands there: kind and fields; see :mod:`simulator.ledger.lines`.
Line = list[Any]


class LedgerError(Exception):
    """A file is no ledger, or is damaged where a torn line would not explain it.

    Attributes:
        path: The file.
        line: Number of the line, from 1.
        why: What is wrong there.
    """

    def __init__(self, path: Path, line: int, why: str) -> None:
        super().__init__(f"{path} line {line}: {why}")
        self.path = path
        self.line = line
        self.why = why


@dataclass(slots=True)
class LedgerFile:
    """A ledger; iterate it for its headers and lines, in the order of the file.

    What is known of the file as a whole is known when the iteration has ended.

    Attributes:
        path: The file.
        torn: Lines that a killed writer did not finish, by number: the last of a section.
        lost: Lines that the writer could not write, by its own account.
        line: Number of the line that was read last.
        unclosed: Sections whose writer did not close them: killed, or still at work.
    """

    path: Path
    torn: list[int] = field(default_factory=list)
    lost: int = 0
    unclosed: int = 0
    line: int = 0

    @property
    def complete(self) -> bool:
        """Whether every line that was ever meant for the file is in it."""
        return not self.torn and not self.lost and not self.unclosed

    def __iter__(self) -> Iterator[LedgerHeader | Line]:
        """Yield headers and lines.

        Raises:
            OSError: If the file cannot be read.
            LedgerError: If it is no ledger, or damaged.
        """
        self.torn, self.lost, self.unclosed = [], 0, 0
        is_open = False
        bad = 0  # the line before, where it could not be read
        why = ""
        with self.path.open("rb") as file:
            number = 0
            while raw := file.readline(MAX_LINE_BYTES):
                number += 1
                self.line = number
                try:
                    parsed = _parse(raw)
                except ValueError as error:
                    if bad or number == 1:
                        raise LedgerError(self.path, bad or 1, why or str(error)) from error
                    bad, why = number, str(error)
                    continue
                if bad and not isinstance(parsed, LedgerHeader):
                    raise LedgerError(self.path, bad, why)
                if isinstance(parsed, LedgerHeader):
                    self._torn(bad)
                    bad = 0
                    self.unclosed += is_open
                    is_open = True
                elif not is_open:
                    raise LedgerError(self.path, number, _("expected a header"))
                elif parsed[0] == "x":
                    self.lost += parsed[1]
                elif parsed[0] == "e":
                    is_open = False
                yield parsed
            self._torn(bad)
            self.unclosed += is_open
            if number == 0:
                raise LedgerError(self.path, 1, _("the file is empty"))

    def _torn(self, line: int) -> None:
        if line:
            self.torn.append(line)


def _parse(raw: bytes) -> LedgerHeader | Line:
    """Read one line.

    Raises:
        ValueError: If it is none.
    """
    if raw[-1:] != b"\n":
        raise ValueError(_("it has no end"))
    try:
        parsed = json.loads(raw)
    except ValueError:
        raise ValueError(_("it is no JSON: {text}").format(text=_quoted(raw))) from None
    if isinstance(parsed, list):
        kind = parsed[0] if parsed else None
        if not isinstance(kind, str) or len(parsed) < _FIELDS.get(kind, 99):
            raise ValueError(_("expected a line of a known kind, found {text}").format(text=_quoted(raw)))
        for place in _NUMBERS[kind]:
            if type(parsed[place]) is not int:
                raise ValueError(
                    _("expected a whole number at place {place}, found {text}").format(place=place, text=_quoted(raw))
                )
        return parsed
    if isinstance(parsed, dict):
        return parse_header(parsed)
    raise ValueError(_("expected an object or an array, found {text}").format(text=_quoted(raw)))


def _quoted(raw: bytes) -> str:
    return repr(raw[:_QUOTED_BYTES].decode("utf-8", "backslashreplace").strip())
