"""Where something stands in a scenario file, for the sentence that says what is wrong with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from stationgate.exits import UsageFault
from stationgate.language import _

from .keys import LISTS

__all__ = ["MASK", "Place"]

MASK: Final = "***"
_HEADER: Final = re.compile(r"\s*(\[\[?)\s*([A-Za-z0-9_-]+)\s*\]")
_KEY: Final = re.compile(r"""\s*["']?([^\s"'=]+)["']?\s*=""")


@dataclass(frozen=True, slots=True)
class Place:
    """One table of a file.

    Attributes:
        table: Its name; empty for the top of the file.
        number: Which of several it is, from 1.
        text: The whole file.
    """

    table: str = ""
    number: int = 1
    text: str = ""

    @property
    def title(self) -> str:
        """The table as written: ``[target]``, ``[[station]]``, or nothing for the top of the file."""
        return f"[[{self.table}]]" if self.table in LISTS else f"[{self.table}]" if self.table else ""

    def line(self, key: str = "") -> int | None:
        """Return the line of a key, or of the table itself, from 1; ``None`` where it is not plain to see.

        TOML can write a key in many ways, and the parser does not tell where it found one. This finds those that
        stand on a line of their own below the table's header, as nearly all do.
        """
        table, number, counts, quoted = "", 1, dict[str, int](), False
        for count, line in enumerate(self.text.split("\n"), 1):
            inside, quoted = quoted, quoted ^ bool((line.count('"""') + line.count("'''")) % 2)
            if inside:
                continue
            if header := _HEADER.match(line):
                table = header[2]
                number = counts[table] = counts.get(table, 0) + 1 if header[1] == "[[" else 1
                if not key and (table, number) == (self.table, self.number):
                    return count
            elif key and (table, number) == (self.table, self.number):
                found = _KEY.match(line)
                if found and found[1] == key:
                    return count
        return None

    def fault(self, key: str, what: str, hint: str = "") -> UsageFault:
        """Return the error that says what is wrong with a key of this table, or with the table for an empty key."""
        head = " ".join(filter(None, (self.title, key)))
        sentence = _("{place}: {what}").format(place=head, what=what) if head else what
        if line := self.line(key):
            sentence = _("{sentence} (line {line})").format(sentence=sentence, line=line)
        return UsageFault(sentence, hint)

    def unexpected(self, key: str, wanted: str, found: Any, *, secret: bool = False, hint: str = "") -> UsageFault:
        """Return the error for a value that is not what was expected."""
        shown = MASK if secret else _shown(found)
        return self.fault(key, _("expected {wanted}, found {found!r}").format(wanted=wanted, found=shown), hint)


class _Plain(str):
    """A text whose ``repr`` is itself."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _shown(value: Any, limit: int = 80) -> Any:
    """Return what stands for a value in a sentence: shortened, and passwords inside a table masked."""
    if isinstance(value, dict):
        value = {key: MASK if key in ("pw", "password", "key") else inner for key, inner in value.items()}
    text = repr(value)
    return value if len(text) <= limit else _Plain(text[: limit - 3] + "...")
