"""The header fields: are they there, once, in order, and by which edition are they to be read (HJ 212-2017 6.3.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..codes import Reply
from ..deviations import Deviation
from ..editions import RULES, Rules, declared_edition, rules_of
from .names import likely_name
from .note import note, note_key, note_part
from .outline import Outline
from .part import Part, in_a_row, wire_size
from .separators import split_header
from .signs import examine_blanks, full_width_sign, note_full_width

__all__ = ["Header", "declared_rules", "examine_header", "number", "read_header"]

_ACKNOWLEDGEMENT = str(int(Reply.DATA_ANSWER))
#: The header fields of all editions.
_FIELDS = tuple(dict.fromkeys(name for rules in RULES.values() for name in rules.header_fields))
_DIGITS = re.compile(r"[0-9]+\Z")


@dataclass(frozen=True, slots=True)
class Header:
    """The header of one frame.

    Attributes:
        parts: What stands in it, in wire order, lost separators put back.
        between: What is wrong with the separators.
        fields: The parts that are fields of the edition, by the name they are meant to have; of several the first.
        after_cp: Fields of the edition that stand behind the closing ``&&``.
    """

    parts: tuple[Part, ...]
    between: tuple[Deviation, ...]
    fields: Mapping[str, Part]
    after_cp: tuple[Part, ...]

    @property
    def flag(self) -> Part | None:
        """The Flag, wherever it stands."""
        behind = {part.key: part for part in self.after_cp}
        return self.fields.get("Flag") or behind.get("Flag")


def read_header(outline: Outline) -> Header:
    """Find the header fields of any edition, also those that are misspelt or in the wrong place."""
    pieces = list(split_header(outline))
    parts = tuple(piece for piece in pieces if isinstance(piece, Part))
    between = tuple(piece for piece in pieces if isinstance(piece, Deviation))
    fields: dict[str, Part] = {}
    for part in parts:
        if name := _meant_name(part):
            fields.setdefault(name, part)
    after_cp = tuple(part for part in _behind_close(outline) if part.key in _FIELDS)
    return Header(parts, between, fields, after_cp)


def declared_rules(outline: Outline, header: Header, expected: Rules) -> Rules:
    """Return the rules of the edition that Flag declares, those expected where it declares none.

    Without Flag it is those expected, unless the rest has the form of an edition that needs none.
    """
    known = {**RULES, expected.edition: expected}  # whoever expects an edition may have replaced some of its rules
    if header.flag is None:
        return next((rules for rules in known.values() if _has_form(outline, header, rules, expected)), expected)
    return rules_of(number(header.flag.value, 255), expected, known=known)


def examine_header(outline: Outline, header: Header, rules: Rules, expected: Rules) -> Iterator[Deviation]:
    """Yield what is wrong with the header, except with the values of its fields.

    Args:
        outline: The frame.
        header: Its header.
        rules: The rules to examine it by.
        expected: Those that were expected.
    """
    yield from header.between
    yield from _examine_names(header, rules)
    yield from _examine_behind_close(outline, header)
    if rules.header_order_fixed:
        yield from _examine_order(header.fields.items(), rules)
    yield from _examine_edition(outline, header.flag, rules, expected)
    if not outline.cut:
        present = {*header.fields, *(part.key for part in header.after_cp)}
        command = header.fields.get("CN")
        omitted = rules.omitted_in_acknowledgements if command and command.value == _ACKNOWLEDGEMENT else frozenset()
        for name in rules.required_fields:
            if name not in present and name not in omitted:
                yield note("field-missing", outline.header_end, 0, "", name)


def _has_form(outline: Outline, header: Header, rules: Rules, expected: Rules) -> bool:
    """Tell whether a frame without Flag follows an edition that needs none.

    Strongest first: the QN of an answer in the data area, the codes of factors, the form of MN. A frame cut off
    proves nothing.
    """
    if "Flag" in rules.required_fields or outline.cut:
        return False
    pairs = [pair for item in outline.parsed.items for pair in item]
    if pairs and pairs[0][0].strip() == "QN":
        return rules.reply_qn_in_parameters
    codes = [pair[0].strip().partition("-")[0] for pair in pairs if "-" in pair[0]]
    other = sum(re.fullmatch(expected.factor_pattern, code) is not None for code in codes)
    own = sum(re.fullmatch(rules.factor_pattern, code) is not None for code in codes)
    if own != other:
        return own > other
    identity = header.fields.get("MN")
    return identity is not None and re.fullmatch(rules.mn_pattern, identity.value) is not None


def number(text: str, limit: int) -> int | None:
    """Return the number that the digits of a header field make, ``None`` for one too large or none at all."""
    value = int(text) if _DIGITS.match(text) and len(text) <= 4 else None
    return value if value is not None and value <= limit else None


def _meant_name(part: Part) -> str:
    """Return the field that a part is meant to be, empty for none of any edition."""
    return likely_name(part.key, _FIELDS) if "=" in part.text else ""


def _behind_close(outline: Outline) -> Iterator[Part]:
    """Yield what ``;`` separates behind the closing ``&&``."""
    trailer = outline.parsed.trailer
    if trailer and outline.parsed.closing:
        yield from in_a_row(([text] for text in trailer.split(";")), outline.end - wire_size(trailer))


def _examine_names(header: Header, rules: Rules) -> Iterator[Deviation]:
    for part in header.parts:
        yield from examine_blanks(part)
        if sign := full_width_sign(part):
            yield note_full_width(sign)
        name = _meant_name(part)
        if "=" not in part.text:
            if not sign:
                yield note_part("field-without-equals", part)
        elif not name:
            yield note_key("field-unknown", part, part.key)
        elif name not in rules.header_fields:
            yield note_key("field-other-edition", part, name)
        elif name != part.key:
            yield note_key("field-case", part, part.key, name)
        if name and header.fields[name] is not part:
            yield note_part("field-duplicate", part, name)


def _examine_behind_close(outline: Outline, header: Header) -> Iterator[Deviation]:
    for part in header.after_cp:
        yield note_part("field-after-cp", part, part.key)
    trailer = outline.parsed.trailer
    if trailer and outline.parsed.closing and not header.after_cp:
        size = wire_size(trailer)
        yield note("text-after-close", outline.end - size, size, trailer)


def _examine_order(fields: Iterable[tuple[str, Part]], rules: Rules) -> Iterator[Deviation]:
    order = rules.header_fields
    latest = ""
    for name, part in fields:
        if name not in order:
            continue
        if latest and order.index(name) < order.index(latest):
            yield note_part("field-order", part, name, latest)
        else:
            latest = name


def _examine_edition(outline: Outline, flag: Part | None, rules: Rules, expected: Rules) -> Iterator[Deviation]:
    at, size = (flag.value_offset, flag.value_size) if flag else (outline.start, 0)
    declared = number(flag.value, 255) if flag else None
    if declared is not None and declared_edition(declared) is None:
        yield note("edition-unknown", at, size, str(declared >> 2))
    elif rules is not expected:
        yield note("edition-other", at, size, rules.edition, expected.edition)
