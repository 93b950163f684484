"""What the header fields hold: their shapes, packet numbers, and what an answer must say (HJ 212-2017 6.3.2)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from ..codes import FlagBits, Reply
from ..deviations import Deviation
from ..editions import RULES, Rules
from ..tables.commands import editions_of
from ..times import parse_qn
from .header import Header, number
from .note import note_part, note_value
from .outline import Outline
from .part import Part

__all__ = ["examine_fields"]

_ALPHANUMERIC = re.compile(r"[0-9A-Za-z]*\Z")
_SYSTEM = re.compile(r"[0-9A-Z]{2}\Z")
_COMMAND = re.compile(r"[0-9]{4}\Z")
_MN_CHARS_2005 = 14


def examine_fields(outline: Outline, header: Header, rules: Rules) -> Iterator[Deviation]:
    """Yield what is wrong with the values of the header fields, each for itself and beside the others."""
    command = header.fields.get("CN")
    nameless = command is not None and command.value in rules.mn_empty_for
    for name, part in header.fields.items():
        if name in _SHAPES and not (name == "MN" and nameless and not part.value):
            yield from _SHAPES[name](part, rules)
    flag = header.fields.get("Flag")
    bits = number(flag.value, 255) if flag else None
    yield from _examine_packets(header.fields, flag, bits, rules, whole=not outline.cut)
    yield from _examine_reply(header.fields, flag, bits, rules)


def _examine_qn(part: Part, _rules: Rules) -> Iterator[Deviation]:
    if not re.fullmatch("[0-9]{17}", part.value):
        yield note_value("qn-digits", part, part.value)
        return
    try:
        parse_qn(part.value)
    except ValueError:
        yield note_value("qn-calendar", part, part.value)


def _examine_system(part: Part, _rules: Rules) -> Iterator[Deviation]:
    if not _SYSTEM.match(part.value):
        yield note_value("st-shape", part, part.value)


def _examine_command(part: Part, rules: Rules) -> Iterator[Deviation]:
    if not _COMMAND.match(part.value):
        yield note_value("cn-digits", part, part.value)
        return
    editions = editions_of(part.value)
    if not editions:
        yield note_value("cn-unknown", part, part.value)
    elif rules.edition not in editions:
        yield note_value("cn-other-edition", part, part.value, ", ".join(RULES[each].title for each in editions))


def _examine_password(part: Part, rules: Rules) -> Iterator[Deviation]:
    size = len(part.value)
    if size > rules.max_password_chars:
        yield note_value("pw-too-long", part, str(size), str(rules.max_password_chars))
    if not _ALPHANUMERIC.match(part.value):
        yield note_value("pw-characters", part)


def _examine_identity(part: Part, rules: Rules) -> Iterator[Deviation]:
    if not re.fullmatch(rules.mn_pattern, part.value):
        code = "mn-2005" if len(part.value) == _MN_CHARS_2005 else "mn-shape"
        yield note_value(code, part, part.value, "" if code == "mn-2005" else rules.mn_pattern)


def _examine_flag(part: Part, _rules: Rules) -> Iterator[Deviation]:
    if number(part.value, 255) is None:
        yield note_value("flag-number", part, part.value)


def _examine_back_fill(part: Part, rules: Rules) -> Iterator[Deviation]:
    if rules.back_fill_field and part.value != "1":
        yield note_part("back-fill-value", part, f"RF={part.value}", "RF=1")


_SHAPES: dict[str, Callable[[Part, Rules], Iterator[Deviation]]] = {
    "QN": _examine_qn,
    "ST": _examine_system,
    "CN": _examine_command,
    "PW": _examine_password,
    "MN": _examine_identity,
    "Flag": _examine_flag,
    "RF": _examine_back_fill,
}


def _examine_packets(
    fields: Mapping[str, Part], flag: Part | None, bits: int | None, rules: Rules, *, whole: bool
) -> Iterator[Deviation]:
    """Yield whether PNUM and PNO are there exactly when Flag says so, and whether they are possible numbers."""
    packet = {name: fields[name] for name in ("PNUM", "PNO") if name in fields}
    missing = [name for name in ("PNUM", "PNO") if name not in fields]
    if flag and bits is not None and bits & FlagBits.NUMBERED:
        if missing and whole and rules.numbered_needs_packet_numbers:
            yield note_value("packet-numbers-missing", flag, f"Flag={bits}", ", ".join(missing))
    elif bits is not None or (flag is None and "Flag" in rules.required_fields):
        for name, part in packet.items():
            yield note_part("packet-numbers-unasked", part, name)
    digits = len(str(rules.max_packets))
    total = number(packet["PNUM"].value, rules.max_packets) if "PNUM" in packet else None
    for name, part in packet.items():
        value = number(part.value, rules.max_packets)
        limit = total if name == "PNO" and total else rules.max_packets
        if not value or value > limit or len(part.value) > digits:
            yield note_part("packet-number-value", part, f"{name}={part.value}", f"1-{limit}")


def _examine_reply(
    fields: Mapping[str, Part], flag: Part | None, bits: int | None, rules: Rules
) -> Iterator[Deviation]:
    """Yield whether an interaction command comes from the right system and wants no answer itself."""
    command, system = fields.get("CN"), fields.get("ST")
    if command is None or command.value not in {str(int(reply)) for reply in Reply}:
        return
    if system and system.value != rules.reply_system:
        yield note_value("reply-system", system, system.value, rules.reply_system)
    if flag and bits is not None and bits & FlagBits.ANSWER:
        yield note_value("reply-wants-answer", flag, str(bits), str(bits - FlagBits.ANSWER))
