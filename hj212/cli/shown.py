"""What comes from devices, and what is wrong with it, made fit for a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from stationgate.language import current, ngettext, pick

from ..deviations import Deviation
from ..editions import Rules
from ..explain import point_out
from ..framing import Frame
from ..segment import hide_passwords

__all__ = ["clean", "deviation_lines", "quoted", "remark_lines"]

#: How many deviations of one kind are printed for a frame; JSON has them all.
SHOWN_PER_KIND: Final = 3
#: Remarks that only JSON has: every other value of the field has more decimals than the tables' default.
_LEFT_TO_JSON: Final = frozenset({"value-decimals"})
#: How much of what belongs to no frame is quoted.
QUOTED_BYTES: Final = 60
#: Columns of the quotation under which a deviation is marked.
QUOTED_COLUMNS: Final = 96


def deviation_lines(frame: Frame, deviations: list[Deviation], rules: Rules) -> Iterator[str]:
    """Say what is wrong with a frame, a line each; quote a bad frame below the gravest."""
    kinds: Counter[str] = Counter()
    for deviation in deviations:
        kinds[deviation.code] += 1
        if kinds[deviation.code] <= SHOWN_PER_KIND:
            clause = deviation.clause(rules)
            yield f"  ! {deviation.text(current())}  ({pick(clause.replace('Annex', '附录'), clause)})"
            if not frame.intact and deviation is _gravest(deviations):
                yield from (f"      {line}" for line in point_out(frame, deviation, QUOTED_COLUMNS))
    for code, count in kinds.items():
        if count > SHOWN_PER_KIND:
            yield f"  ! {_more(code, count - SHOWN_PER_KIND)}"


def remark_lines(remarks: list[Deviation]) -> Iterator[str]:
    """Say what the tables do not have, a line for each kind: the first of it and how many more there are."""
    kinds = Counter(remark.code for remark in remarks if remark.code not in _LEFT_TO_JSON)
    for code, count in kinds.items():
        first = next(remark for remark in remarks if remark.code == code)
        yield f"  - {first.text(current())}"
        if count > 1:
            yield f"  - {_more(code, count - 1)}"


def clean(text: str) -> str:
    """Escape what a terminal would obey instead of show, and bytes that are no UTF-8: texts come from devices."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def quoted(raw: bytes) -> str:
    """Return the beginning of bytes that belong to no frame."""
    text = hide_passwords(raw.decode("utf-8", "surrogateescape"))
    return clean(text[:QUOTED_BYTES]) + ("…" if len(text) > QUOTED_BYTES else "")


def _more(code: str, count: int) -> str:
    text = ngettext("{n} more of this kind: {code}", "{n} more of this kind: {code}", count)
    return text.format(n=count, code=code)


def _gravest(deviations: list[Deviation]) -> Deviation:
    """Return the first deviation that makes a frame bad, else the first."""
    grave = (
        d
        for d in deviations
        if d.code.startswith(("length-", "crc-", "tail-", "frame-")) and d.code != "crc-lower-case"
    )
    return next(grave, deviations[0])
