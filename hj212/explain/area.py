"""The data area: does it open and close, what stands between its separators (HJ 212-2017 6.3.3)."""

from __future__ import annotations

from collections.abc import Iterator

from ..deviations import Deviation
from ..editions import Rules
from .names import is_cp
from .note import note, note_key
from .outline import Outline
from .pairs import examine_pair, factor_code
from .part import in_a_row, wire_size
from .signs import examine_blanks

__all__ = ["examine_area"]


def examine_area(outline: Outline, rules: Rules) -> Iterator[Deviation]:
    """Yield what is wrong with the data area."""
    if outline.parsed.opening:
        yield from _examine_enclosure(outline)
        yield from _examine_items(outline, rules)
    elif not outline.cut:
        yield from _examine_missing_cp(outline)


def _examine_enclosure(outline: Outline) -> Iterator[Deviation]:
    """Yield whether ``;CP=&&`` and the closing ``&&`` are whole."""
    segment, at = outline.parsed, outline.header_end
    if segment.header and not segment.opening.startswith(";"):
        before = "=".join(segment.header[-1])
        if before.strip():
            yield note("separator-missing", at, 0, "CP", ";")
        else:
            yield note("blank", at - wire_size(before), wire_size(before), f"{before}CP=", "CP=")
    if not segment.opening.endswith("&&") and not outline.cut:
        yield note("open-missing", at + len(segment.opening), 0)
    if not segment.closing and not outline.cut:
        yield note("close-missing", outline.end, 0)


def _examine_missing_cp(outline: Outline) -> Iterator[Deviation]:
    """Yield what became of the ``CP=&&`` that is not there."""
    for part in filter(is_cp, outline.header_parts()):
        before_equals = part.text.partition("=")[0]
        if part.key != "CP":
            yield note_key("field-case", part, part.key, "CP")
        elif before_equals != "CP":
            yield note("blank", part.offset, wire_size(before_equals) + 1, f"{before_equals}=", "CP=")
        else:
            yield note("open-missing", part.offset + len("CP="), 0)
        return
    yield note("cp-missing", outline.header_end, 0)


def _examine_items(outline: Outline, rules: Rules) -> Iterator[Deviation]:
    items = outline.parsed.items
    start = outline.header_end + len(outline.parsed.opening)
    parts = list(in_a_row((pair for item in items for pair in item), start))
    codes: set[str | None] = set()
    keys: set[str] = set()  # since the latest DataTime: history has several
    for part in parts[:-1] if outline.cut else parts:
        if part.text.strip():
            code = factor_code(part)
            yield from examine_pair(part, rules, new_code=code not in codes)
            codes.add(code)
            if part.key == "DataTime":
                keys.clear()
            elif code is not None and part.key in keys:
                yield note_key("key-duplicate", part, part.key)
            keys.add(part.key)
        elif part.text:
            yield from examine_blanks(part)
        elif part is parts[-1] and part.offset > start:
            yield note("separator-trailing", part.offset - 1, 1, "," if len(items[-1]) > 1 else ";")
        else:
            yield note("pair-empty", part.offset, 0)
