"""What is wrong with a frame and what would have matched (HJ 212-2017 6.3, Annex A).

:func:`examine` names every departure it finds as a :class:`hj212.deviations.Deviation`; it judges none. Whether a
lower-case check value or a missing field matters is for the caller to say. Any bytes will do, nothing raises.

The order of questions: where does the segment really start and end, does the length field say so, does the check
value match, is it text, are the header fields there, in order and well-formed, is the data area.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

from .codes import FieldRow, FlagBits, Reply, commands, data_flags, fields
from .crc import POSSIBLE_VALUES, crc16, modbus_crc16, swap_bytes
from .deviations import Deviation
from .editions import RULES, Edition, Rules, declared_edition
from .framing import Frame
from .segment import hide_passwords, parse_segment, password_spans
from .times import parse_qn, parse_time

__all__ = ["MAX_LOG_BYTES", "MAX_SHOWN_CHARS", "examine", "point_out", "readable_segment"]

#: What a deviation quotes of the frame; the place is given by offset and length anyway.
MAX_SHOWN_CHARS: Final = 40
#: A log (操作日志) is shorter than this (HJ 212-2017 table B.10).
MAX_LOG_BYTES: Final = 890

# Text between `##` and the first field: the length field, whatever became of it.
_LENGTH_FIELD = re.compile(rb"##([^=;]{0,8}?)(?=(?:QN|ST|CN|PW|MN|Flag|CP) ?=)")
_COMPLETE = re.compile(rb"(?<!CP=)&&[0-9A-Fa-f]{0,4}\Z")
_HEX = re.compile(rb"[0-9A-Fa-f]+\Z")
# A header field inside the value of another: its separator is lost or wrong.
_LOST_FIELD = re.compile(r"(?<![\s,])(?P<sign>[\s,]*)(?P<name>QN|ST|CN|PW|MN|Flag|PNUM|PNO)\s*=")
_FULL_WIDTH = {"；": ";", "，": ",", "＝": "=", "＆": "&"}
_FULL_WIDTH_SIGN = re.compile("[；，＝＆]")
_FULL_WIDTH_BEFORE_KEY = re.compile("[；，](?=[0-9A-Za-z]+(?:-[0-9A-Za-z]+)?[=＝])")
_ALPHANUMERIC = re.compile(r"[0-9A-Za-z]*\Z")
_SYSTEM = re.compile(r"[0-9A-Z]{2}\Z")
_COMMAND = re.compile(r"[0-9]{4}\Z")
_DIGITS = re.compile(r"[0-9]+\Z")
# Tables B.1 to B.10: water, air, noise, process data of waste water and gas, site information, equipment.
_CODE = re.compile(r"(?:[wa][0-9]{5}|L[0-9A-Za-z]{1,3}|[eg][0-9A-Za-z]{5}|[iI][0-9][0-9A-Za-z]{4}|SB[0-9]{1,3})\Z")
_LOGS = re.compile(r"i[123]1001-Info\Z")
_MN_CHARS_2005 = 14


def examine(frame: Frame, rules: Rules) -> list[Deviation]:
    """Return every deviation of a frame, ordered by place; an empty list for a frame without any.

    Args:
        frame: Any frame, intact or damaged.
        rules: The edition expected. A frame whose Flag declares another is examined by that one's rules where this
            library has them, else by these; either way it is said (``edition-other``).
    """
    examination = _Examination(frame, rules)
    examination.run()
    return sorted(examination.found, key=lambda deviation: deviation.offset)


def readable_segment(frame: Frame) -> bytes:
    """Return the data segment as well as it can be made out.

    It is :attr:`Frame.segment`, except behind a length field of another size than four characters, and in a frame
    cut off, where nothing is a check value.
    """
    _, start, end, _ = _bounds(frame)
    return frame.raw[start:end]


def point_out(frame: Frame, deviation: Deviation, columns: int = 100) -> tuple[str, str]:
    """Return the stretch of a frame that a deviation is about and a line of ``^`` to print below it.

    Passwords show as ``***``, control characters and undecodable bytes as escapes; wide characters take two columns.
    """
    cells = _cells(frame)
    starts = [offset for offset, _ in cells]
    widths = [_width(text) for _, text in cells]
    end = deviation.offset + max(deviation.length, 1)
    first = len(cells) if deviation.offset >= len(frame.raw) else bisect_right(starts, deviation.offset) - 1
    left = right = first
    while left > 0 and sum(widths[left - 1 : first]) <= columns // 3:
        left -= 1
    while right < len(cells) and sum(widths[left : right + 1]) <= columns:
        right += 1
    marked = sum(widths[first : min(bisect_left(starts, end), right)]) if deviation.length else 1
    line = "".join(text for _, text in cells[left:right])
    return line, " " * sum(widths[left:first]) + "^" * max(marked, 1)


@dataclass(frozen=True, slots=True)
class _Part:
    """One ``key=value`` of the segment and where it stands in the frame."""

    text: str
    offset: int

    @property
    def key(self) -> str:
        return self.text.partition("=")[0].strip()

    @property
    def value(self) -> str:
        return self.text.partition("=")[2].strip()

    @property
    def key_offset(self) -> int:
        name = self.text.partition("=")[0]
        return self.offset + _size(name) - _size(name.lstrip())

    @property
    def key_size(self) -> int:
        return _size(self.key)

    @property
    def size(self) -> int:
        return _size(self.text)

    @property
    def value_offset(self) -> int:
        rest = self.text.partition("=")[2]
        return self.offset + self.size - _size(rest.lstrip())

    @property
    def value_size(self) -> int:
        return _size(self.value)


class _Examination:
    """One frame under examination: the frame's parts, found once, and what was noted about them."""

    def __init__(self, frame: Frame, rules: Rules) -> None:
        self.frame = frame
        self.expected_rules = rules
        self.rules = rules
        self.found: list[Deviation] = []
        raw = self.raw = frame.raw
        self.length_field, self.start, self.crc_at, self.cut = _bounds(frame)
        self.tail_at = len(raw) - len(frame.tail)
        self.segment = raw[self.start : self.crc_at]
        self.parsed = parse_segment(self.segment)
        self.header_end = self.start + _size(";".join("=".join(pair) for pair in self.parsed.header))
        self.secret = password_spans(raw)

    def run(self) -> None:
        self._examine_length()
        self._examine_crc()
        self._examine_tail()
        self._examine_text()
        self._examine_header()
        self._examine_sizes()
        self._examine_area()

    # Noting

    def _note(self, code: str, offset: int, length: int, found: str = "", expected: str = "") -> None:
        self.found.append(Deviation(code, offset, length, _shown(found), _shown(expected)))

    def _note_part(self, code: str, part: _Part, found: str = "", expected: str = "") -> None:
        self._note(code, part.offset, part.size, found, expected)

    def _note_key(self, code: str, part: _Part, found: str, expected: str = "") -> None:
        self._note(code, part.key_offset, part.key_size, found, expected)

    def _note_value(self, code: str, part: _Part, found: str = "", expected: str = "") -> None:
        self._note(code, part.value_offset, part.value_size, found, expected)

    def _wire(self, start: int, end: int, encoding: str = "utf-8") -> str:
        """Quote bytes of the frame, unless they belong to a password."""
        if any(start < secret_end and secret_start < end for secret_start, secret_end in self.secret):
            return "***"
        return self.raw[start:end].decode(encoding, "backslashreplace")

    # Frame: length, check value, tail (6.3.1, Annex A)

    def _examine_length(self) -> None:
        digits = self.length_field
        size = len(self.segment)
        if len(digits) != 4 or not digits.isdigit():
            code = "length-digits" if not digits.strip(b"0123456789") else "length-not-digits"
            self._note(code, 2, len(digits), self._wire(2, 2 + len(digits)), f"{size:04d}")
        elif self.cut:
            present = str(self.tail_at - self.start)
            self._note("frame-cut", self.tail_at, len(self.frame.tail), present, str(int(digits)))
        elif int(digits) != size:
            code = self._length_mistake(int(digits))
            shown = digits.decode()
            if code == "length-mismatch":
                shown += f" ({int(digits) - size:+d})"
            self._note(code, 2, 4, shown, f"{size:04d}")

    def _length_mistake(self, declared: int) -> str:
        size = len(self.segment)
        parameters = size - self.segment.find(b"CP=") if b"CP=" in self.segment else size
        area = parameters - len(b"CP=&&&&")
        conventions = {
            len(_decoded(self.segment)): "length-characters",
            size + 4: "length-includes-crc",
            size + 6: "length-includes-crc-and-tail",
            size + 10: "length-whole-frame",
            size + 12: "length-whole-frame",
            parameters: "length-parameters-only",
            parameters - len(b"CP="): "length-parameters-only",
            area: "length-parameters-only",
        }
        if declared not in conventions and int(self.length_field, 16) == size:
            return "length-hexadecimal"
        return conventions.get(declared, "length-mismatch")

    def _examine_crc(self) -> None:
        if self.cut:
            return
        text = self.frame.crc_text
        right = crc16(self.segment)
        at, size = self.crc_at, len(text)
        shown, expected = self._wire(at, at + size), f"{right:04X}"
        if not text:
            self._note("crc-missing", at, 0, "", expected)
            return
        if not _HEX.match(text):
            self._note("crc-not-hexadecimal", at, size, shown, expected)
            return
        if len(text) < 4:
            code = "crc-unpadded" if int(text, 16) == right else "crc-short"
            self._note(code, at, size, shown, expected)
        elif int(text, 16) != right:
            self._note(self._crc_mistake(int(text, 16)), at, size, shown, expected)
        if text != text.upper():
            self._note("crc-lower-case", at, size, shown, shown.upper())

    def _crc_mistake(self, found: int) -> str:
        right = crc16(self.segment)
        modbus = modbus_crc16(self.segment)
        mistakes = {
            swap_bytes(right): "crc-swapped",
            modbus: "crc-modbus",
            swap_bytes(modbus): "crc-modbus-swapped",
            crc16(self.raw[: self.crc_at]): "crc-includes-header",
            crc16(self.raw[2 : self.crc_at]): "crc-includes-header",
        }
        return mistakes.get(found, "crc-mismatch" if found in POSSIBLE_VALUES else "crc-impossible")

    def _examine_tail(self) -> None:
        tail = self.frame.tail
        if tail == b"\r\n" or (self.cut and not tail):
            return
        code = {b"\n": "tail-lf", b"\r": "tail-cr"}.get(tail, "tail-missing")
        self._note(code, self.tail_at, len(tail))

    # Segment (6.3.2)

    def _examine_text(self) -> None:
        try:
            self.segment.decode()
        except UnicodeDecodeError as error:
            start, end = _foreign_run(self.segment, error.start)
        else:
            return
        at, size = self.start + start, end - start
        try:
            self.segment.decode("gbk")
        except UnicodeDecodeError:
            hidden = self._wire(at, at + size) == "***"
            self._note("text-not-utf8", at, size, "***" if hidden else self.raw[at : at + size].hex(" ").upper())
        else:
            self._note("text-gbk", at, size, self._wire(at, at + size, "gbk"))

    def _examine_header(self) -> None:
        header = list(self._header_parts())
        by_name: dict[str, _Part] = {}
        for part in header:
            name = self._field_name(part)
            if name in by_name:
                self._note_part("field-duplicate", part, name)
            elif name:
                by_name[name] = part
        after_cp = self._fields_after_cp()
        self._examine_order(by_name)
        self._examine_edition(by_name.get("Flag") or after_cp.get("Flag"))
        if not self.cut:
            self._examine_presence(by_name, after_cp)
        for name, part in by_name.items():
            self._examine_field(name, part)
        self._examine_packets(by_name)
        self._examine_reply(by_name)

    def _header_parts(self) -> Iterator[_Part]:
        """Yield the header fields, also those whose separator is lost or wrong; not the half of a frame cut off."""
        at = self.start
        opening = self.parsed.opening
        texts = ["=".join(pair) for pair in self.parsed.header]
        if self.cut and not opening:
            texts = texts[:-1]
        for n, text in enumerate(texts):
            if text.strip():
                if not opening and _is_cp(text):
                    return  # what follows is the data area; _examine_area says what is wrong with CP
                yield from self._split_field(_Part(text, at))
            elif n < len(texts) - 1 or not text:
                self._note("separator-extra", max(at - 1, self.start), 1, ";")
            at += _size(text) + 1

    def _split_field(self, part: _Part) -> Iterator[_Part]:
        text, at = part.text, part.offset
        stray = len(text) - len(text.lstrip(", "))
        if "," in text[:stray]:
            self._note("separator-extra", at, stray, text[:stray].strip())
            text, at = text[stray:], at + stray
        while match := _LOST_FIELD.search(text, text.find("=") + 1 or len(text)):
            sign, name_at = match["sign"], at + _size(text[: match.start("name")])
            if sign.strip():
                self._note("separator-wrong", name_at - _size(sign), _size(sign), sign.strip(), ";")
            else:
                self._note("separator-missing", name_at, 0, match["name"], ";")
            yield _Part(text[: match.start()], at)
            text, at = text[match.start("name") :], name_at
        yield _Part(text, at)

    def _field_name(self, part: _Part) -> str:
        """Return the field that a part is meant to be, empty for none of the edition's; note what is odd about it."""
        full_width = self._examine_signs(part)
        name = part.key
        if "=" not in part.text:
            if not full_width:
                self._note_part("field-without-equals", part)
            return ""
        if name in self.rules.header_fields:
            return name
        likely = _same_but_case(name, self.rules.header_fields)
        self._note_key("field-case" if likely else "field-unknown", part, name, likely)
        return likely

    def _fields_after_cp(self) -> dict[str, _Part]:
        """Return the header fields that stand behind the closing ``&&``; note them, and other text there."""
        trailer = self.parsed.trailer
        if not trailer or not self.parsed.closing:
            return {}
        at = self.crc_at - _size(trailer)
        found = {}
        for text in trailer.split(";"):
            part = _Part(text, at)
            at += part.size + 1
            if part.key in self.rules.header_fields:
                found[part.key] = part
                self._note_part("field-after-cp", part, part.key)
        if not found:
            size = _size(trailer)
            self._note("text-after-close", self.crc_at - size, size, trailer)
        return found

    def _examine_order(self, by_name: dict[str, _Part]) -> None:
        order = self.rules.header_fields
        latest = ""
        for name, part in by_name.items():
            if latest and order.index(name) < order.index(latest):
                self._note_part("field-order", part, name, latest)
            else:
                latest = name

    def _examine_edition(self, flag: _Part | None) -> None:
        number = _number(flag.value, 255) if flag else None
        if flag and number is None:
            return  # `flag-number` says it
        edition = declared_edition(number)
        at, size = (flag.value_offset, flag.value_size) if flag else (self.start, 0)
        if edition is None:
            self._note("edition-unknown", at, size, str((number or 0) >> 2))
        elif edition != self.expected_rules.edition:
            self._note("edition-other", at, size, edition, self.expected_rules.edition)
            self.rules = RULES.get(Edition(edition), self.expected_rules)

    def _examine_presence(self, by_name: dict[str, _Part], after_cp: dict[str, _Part]) -> None:
        for name in self.rules.required_fields:
            if name not in by_name and name not in after_cp:
                self._note("field-missing", self.header_end, 0, "", name)

    def _examine_field(self, name: str, part: _Part) -> None:
        value = part.value
        if name == "QN":
            self._examine_qn(part)
        elif name == "ST" and not _SYSTEM.match(value):
            self._note_value("st-shape", part, value)
        elif name == "CN":
            if not _COMMAND.match(value):
                self._note_value("cn-digits", part, value)
            elif (value, True) not in commands() and (value, False) not in commands():
                self._note_value("cn-unknown", part, value)
        elif name == "PW":
            if len(value) > self.rules.max_password_chars:
                self._note_value("pw-too-long", part, str(len(value)), str(self.rules.max_password_chars))
            if not _ALPHANUMERIC.match(value):
                self._note_value("pw-characters", part)
        elif name == "MN" and not re.fullmatch(self.rules.mn_pattern, value):
            self._note_value("mn-2005" if len(value) == _MN_CHARS_2005 else "mn-shape", part, value)
        elif name == "Flag" and _number(value, 255) is None:
            self._note_value("flag-number", part, value)

    def _examine_qn(self, part: _Part) -> None:
        if not re.fullmatch("[0-9]{17}", part.value):
            self._note_value("qn-digits", part, part.value)
            return
        try:
            parse_qn(part.value)
        except ValueError:
            self._note_value("qn-calendar", part, part.value)

    def _examine_packets(self, by_name: dict[str, _Part]) -> None:
        flag = by_name.get("Flag")
        number = _number(flag.value, 255) if flag else None
        packet = {name: by_name[name] for name in ("PNUM", "PNO") if name in by_name}
        missing = [name for name in ("PNUM", "PNO") if name not in by_name]
        if flag and number is not None and number & FlagBits.NUMBERED:
            if missing and not self.cut:
                self._note_value("packet-numbers-missing", flag, f"Flag={number}", ", ".join(missing))
        elif packet and (flag is None or number is not None):
            for name, part in packet.items():
                self._note_part("packet-numbers-unasked", part, name)
        total = _number(packet["PNUM"].value, 9999) if "PNUM" in packet else None
        for name, part in packet.items():
            value = _number(part.value, 9999)
            limit = total if name == "PNO" and total else 9999
            if not value or value > limit:
                self._note_part("packet-number-value", part, f"{name}={part.value}", f"1-{limit}")

    def _examine_reply(self, by_name: dict[str, _Part]) -> None:
        command, system, flag = by_name.get("CN"), by_name.get("ST"), by_name.get("Flag")
        if command is None or command.value not in {str(int(reply)) for reply in Reply}:
            return
        if system and system.value != self.rules.reply_system:
            self._note_value("reply-system", system, system.value, self.rules.reply_system)
        number = _number(flag.value, 255) if flag else None
        if flag and number is not None and number & FlagBits.ANSWER:
            self._note_value("reply-wants-answer", flag, str(number), str(number - FlagBits.ANSWER))

    def _examine_sizes(self) -> None:
        size = len(self.segment)
        if size > self.rules.max_segment_bytes:
            limit = self.rules.max_segment_bytes
            self._note("segment-too-long", self.start + limit, size - limit, str(size), str(limit))
        at = self.segment.find(b"CP=")
        limit = self.rules.max_parameters_bytes
        if at >= 0 and size - at > limit:
            self._note("parameters-too-long", self.start + at + limit, size - at - limit, str(size - at), str(limit))

    # Data area (6.3.3)

    def _examine_area(self) -> None:
        opening = self.parsed.opening
        if not opening:
            if not self.cut:
                self._examine_missing_cp()
            return
        at = self.header_end
        if self.parsed.header and not opening.startswith(";"):
            before = "=".join(self.parsed.header[-1])
            if before.strip():
                self._note("separator-missing", at, 0, "CP", ";")
            else:
                self._note("blank", at - _size(before), _size(before), f"{before}CP=", "CP=")
        at += len(opening)
        if not opening.endswith("&&") and not self.cut:
            self._note("open-missing", at, 0)
        if not self.parsed.closing and not self.cut:
            self._note("close-missing", self.crc_at, 0)
        self._examine_items(at)

    def _examine_missing_cp(self) -> None:
        at = self.start
        for pair in self.parsed.header:
            part = _Part("=".join(pair), at)
            if _is_cp(part.text):
                if part.key != "CP":
                    self._note_key("field-case", part, part.key, "CP")
                elif pair[0] != "CP":
                    self._note("blank", at, _size(pair[0]) + 1, f"{pair[0]}=", "CP=")
                else:
                    self._note("open-missing", at + len("CP="), 0)
                return
            at += part.size + 1
        self._note("cp-missing", self.header_end, 0)

    def _examine_items(self, at: int) -> None:
        codes: set[str] = set()
        first = at
        pairs = [("," if n else ";", pair) for item in self.parsed.items for n, pair in enumerate(item)]
        for n, (separator, pair) in enumerate(pairs):
            part = _Part("=".join(pair), at)
            last = n == len(pairs) - 1
            if last and self.cut:
                return
            if part.text.strip():
                self._examine_pair(part, codes)
            elif part.text:
                self._examine_blanks(part)
            elif last and at > first:
                self._note("separator-trailing", at - 1, 1, separator)
            else:
                self._note("pair-empty", at, 0)
            at += part.size + 1

    def _examine_pair(self, part: _Part, codes: set[str]) -> None:
        full_width = self._examine_signs(part)
        if "=" not in part.text:
            if not full_width:
                self._note_part("pair-without-equals", part, part.text.strip())
            return
        row = self._examine_key(part, codes)
        if not full_width:
            self._examine_value(part, row)

    def _examine_signs(self, part: _Part) -> bool:
        """Note blanks and full-width signs in one part; tell whether there were full-width signs."""
        self._examine_blanks(part)
        key, equals, value = part.text.partition("=")
        if match := _FULL_WIDTH_SIGN.search(key):
            at = part.offset + _size(key[: match.start()])
        # A value is free text, Chinese punctuation included; but what goes on like a key is another pair.
        elif equals and "//" not in value and (match := _FULL_WIDTH_BEFORE_KEY.search(value)):
            at = part.offset + _size(key) + 1 + _size(value[: match.start()])
        else:
            return False
        self._note("separator-full-width", at, _size(match[0]), match[0], _FULL_WIDTH[match[0]])
        return True

    def _examine_blanks(self, part: _Part) -> None:
        key, equals, value = part.text.partition("=")
        at = part.offset
        for text in (key, value):
            leading, trailing = _size(text) - _size(text.lstrip()), _size(text) - _size(text.rstrip())
            if leading or trailing:
                tidy = key.strip() + equals + value.strip()
                place = at if leading else at + _size(text) - trailing
                self._note("blank", place, leading or trailing, part.text, tidy)
                return
            at += _size(text) + 1

    def _examine_key(self, part: _Part, codes: set[str]) -> FieldRow | None:
        """Note what is odd about a parameter's name; return the table row that says what its value must be."""
        code, hyphen, suffix = part.key.partition("-")
        if not hyphen:
            return self._examine_parameter(part)
        if "-" in suffix:
            self._note_key("key-two-hyphens", part, part.key)
            suffix = suffix.rpartition("-")[2]
        if code not in codes:
            codes.add(code)
            if not _CODE.match(code):
                self._note("factor-shape", part.key_offset, _size(code), code)
        suffix = f"-{suffix}"
        if suffix in fields():
            return fields()[suffix]
        likely = _same_but_case(suffix, _names("suffix"))
        at = part.key_offset + part.key_size - _size(suffix)
        self._note("suffix-case" if likely else "suffix-unknown", at, _size(suffix), suffix, likely)
        return fields().get(likely)

    def _examine_parameter(self, part: _Part) -> FieldRow | None:
        if part.key in _names("parameter"):
            return fields()[part.key]
        likely = _same_but_case(part.key, _names("parameter"))
        self._note_key("key-case" if likely else "key-unknown", part, part.key, likely)
        return fields().get(likely)

    def _examine_value(self, part: _Part, row: FieldRow | None) -> None:
        value = part.value
        if row is not None and row.format == "time":
            self._examine_time(part)
        elif row is not None and row.format == "data-flag" and value not in data_flags():
            self._note_value("data-flag-unknown", part, value, " ".join(data_flags()))
        if _LOGS.match(part.key):
            size = part.value_size - len("////")
            if size < 0 or not (value.startswith("//") and value.endswith("//")):
                self._note_value("log-slashes", part, value)
            elif size >= MAX_LOG_BYTES:
                self._note_value("log-too-long", part, str(size), str(MAX_LOG_BYTES))

    def _examine_time(self, part: _Part) -> None:
        value = part.value
        shown = f"{part.key}={value}"
        if re.fullmatch("[0-9]{17}", value):
            self._note_value("time-milliseconds", part, shown, value[:14])
        elif not re.fullmatch("[0-9]{14}", value):
            self._note_value("time-digits", part, shown)
        else:
            try:
                parse_time(value)
            except ValueError:
                self._note_value("time-calendar", part, shown)


def _find_start(frame: Frame) -> tuple[bytes, int]:
    """Return the length field as sent and where the segment starts: at its first field, if one can be made out."""
    match = _LENGTH_FIELD.match(frame.raw)
    if match and match.end() <= len(frame.raw) - len(frame.tail) - len(frame.crc_text):
        length = match.group(1)
        if len(length) <= 4 or length[4:].strip():
            return length, match.end()
    start = frame.segment_offset
    return frame.raw[2:start], start


def _bounds(frame: Frame) -> tuple[bytes, int, int, bool]:
    """Return the length field as sent, where the segment starts and ends, and whether the frame is cut off."""
    length, start = _find_start(frame)
    tail_at = len(frame.raw) - len(frame.tail)
    end = tail_at - len(frame.crc_text)
    cut = (
        frame.declared is not None
        and len(length) == 4
        and frame.declared > end - start
        and not frame.crc_ok
        and not _COMPLETE.search(frame.raw, start, tail_at)
    )
    return length, start, tail_at if cut else end, cut


def _foreign_run(data: bytes, at: int) -> tuple[int, int]:
    """Return the stretch of text around a byte that is no UTF-8: between the ASCII signs that cannot be part of it."""
    start = at
    while start and data[start - 1] >= 0x80:
        start -= 1  # the first wrong byte may lie inside a character
    end = at
    while end < len(data) and data[end] not in b";,&=/\r\n":
        end += 1
    return start, max(end, at + 1)


def _is_cp(text: str) -> bool:
    return text.partition("=")[0].strip().upper() == "CP"


@cache
def _names(place: str) -> tuple[str, ...]:
    return tuple(row.name for row in fields().values() if row.place == place)


def _decoded(data: bytes) -> str:
    for encoding in ("utf-8", "gbk"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogateescape"))


def _number(text: str, limit: int) -> int | None:
    value = int(text) if _DIGITS.match(text) and len(text) <= 4 else None
    return value if value is not None and value <= limit else None


def _same_but_case(name: str, names: tuple[str, ...]) -> str:
    return next((known for known in names if known.lower() == name.lower()), "")


def _printable(text: str) -> str:
    """Escape what a terminal would not show: control characters, and bytes that are no UTF-8."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _shown(text: str) -> str:
    text = _printable(hide_passwords(text))
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[: MAX_SHOWN_CHARS - 1]}…"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _cells(frame: Frame) -> list[tuple[int, str]]:
    """Return the frame as printable pieces with their offsets; each password is one piece."""
    raw = frame.raw
    hidden = {start: end for start, end in _unshown_spans(frame) if end > start}
    cells = []
    at = 0
    while at < len(raw):
        if at in hidden:
            cells.append((at, "***"))
            at = hidden[at]
            continue
        size = 1 if raw[at] < 0xC2 else 2 if raw[at] < 0xE0 else 3 if raw[at] < 0xF0 else 4
        text = raw[at : at + size].decode("utf-8", "surrogateescape")
        if len(text) != 1:
            size, text = 1, raw[at : at + 1].decode("utf-8", "surrogateescape")
        cells.append((at, _printable(text)))
        at += size
    return cells


def _unshown_spans(frame: Frame) -> list[tuple[int, int]]:
    """Return what must not be shown: passwords, and values of header fields whose names are damaged."""
    spans = password_spans(frame.raw)
    known = {*_names("header"), "CP"}
    _, at, end, _ = _bounds(frame)
    for pair in parse_segment(frame.raw[at:end]).header:
        size = _size("=".join(pair))
        if pair[0].strip() not in known and len(pair) == 2:
            spans.append((at + _size(pair[0]) + 1, at + size))
        at += size + 1
    return sorted(spans)
