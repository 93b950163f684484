"""What may be shown of a transcript: its bytes as text, with passwords masked, people renamed and evidence marked.

Everything a report prints of a device passes through one :class:`Redactor`. It looks at whole connections, because
a field may be cut in two by the network, and it knows three things:

- The value of ``PW`` and ``NewPW`` becomes ``***``, the value of ``i32005`` a pseudonym, whatever its length.
- In the log text ``i31001`` every known person code is replaced where it stands as a whole token, and so is a longer
  token that contains one, or a token that is part of one. Any other token with a digit in it may be the number of
  somebody whom ``i32005`` never named: it becomes ``***``, unless it is a time or too short to tell. Names written in
  words cannot be recognised.
- Anywhere else, sentences of verdicts included, a known password or code is replaced where it stands as a whole
  token of at least :data:`MIN_TOKEN_CHARS` characters. A shorter one identifies nobody outside the field that says
  what it is: replacing every ``1`` because somebody is enrolled as number 1 would garble the evidence instead.

Marks and masks are both computed on the bytes as received, and only then turned into text, so a mask that is longer
or shorter than what it hides cannot shift a mark.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hj212.segment import password_spans
from hj212.times import parse_time
from stationgate.redaction import MASK, Pseudonyms

from ..profile import Profile
from ..transcript import Transcript
from ..verdicts import Ref, Said

__all__ = [
    "MAX_PARAM_CHARS",
    "MIN_TOKEN_CHARS",
    "Look",
    "Redactor",
    "Span",
    "SpanKind",
    "plain",
    "printable",
    "window",
]

#: Shortest password or person code that is searched for outside the fields that hold it.
MIN_TOKEN_CHARS: Final = 4
#: Longest secret that is searched for outside its field; nobody issues a longer one, so this is a damaged frame.
MAX_SECRET_CHARS: Final = 128
#: Longest text of a device that is quoted inside a sentence; the frame itself is shown beside it.
MAX_PARAM_CHARS: Final = 160

# A value reaches to the next separator. One `&` or `,` that separates nothing belongs to it: too much hidden is
# better than half a password shown. The head of the next frame ends it where the separator was lost.
_VALUE = rb"(?:(?!;|&&|\s*##[0-9]|,\s*[0-9A-Za-z]+(?:-[0-9A-Za-z]+)?\s*=)[\s\S])*+"
_PASSWORD = re.compile(rb"PW\s*=\s*(" + _VALUE + rb")", re.IGNORECASE)
_PERSON = re.compile(rb"i32005(-[0-9A-Za-z]*)?\s*=\s*(" + _VALUE + rb")", re.IGNORECASE)
_LOG = re.compile(rb"i31001(?:-[0-9A-Za-z]*)?\s*=\s*(//(?:(?!//|\s*##[0-9])[\s\S])*+|[^;&]*+)", re.IGNORECASE)
_NEXT_FRAME = re.compile(rb"\s*##[0-9]")
_TOKEN = re.compile(rb"[0-9A-Za-z]+")
# The data flag beside a code (i32005-Flag=N) names nobody.
_MAX_FLAG_CHARS = 2
# What stands directly before the value of a header field: nobody is enrolled under a message's QN.
_PUBLIC_FIELD = re.compile(rb"(?:##[0-9]*|(?<![0-9A-Za-z]))(?:QN|ST|CN|MN|Flag|PNUM|PNO)\s*=\s*\Z")
_CRC_END = re.compile(rb"[\r\n#]|\Z")
# A check value, also a damaged one: what stands last in a frame and is no value of a field. And the sentences about it.
_CRC = re.compile(rb"(?<![0-9A-Za-z=])([0-9A-Za-z]{1,8})(?=[\r\n#]|\Z)")
_CRC_REACH: Final = 16
_CRC_SENTENCE: Final = "CRC "
# The same fields inside a sentence, where a blank ends the value.
_SENTENCE_PASSWORD = re.compile(r"(PW\s*=\s*)[^\s;,&]+", re.IGNORECASE)
_SENTENCE_PERSON = re.compile(r"(i32005(?:-(?!flag)[0-9A-Za-z]+)?\s*=\s*)([^\s;,&]+)", re.IGNORECASE)

# What one character is shown as in a text span: itself, or a doubled backslash.
_CHARACTER = re.compile(r"\\\\|[\s\S]")
# Half a character that stands for no byte.
_LONE = re.compile("[\ud800-\udc7f\udd00-\udfff]")

_ESCAPES: Final = {"\r": r"\r", "\n": r"\n", "\t": r"\t"}


class SpanKind(StrEnum):
    """What a span of a shown frame is."""

    TEXT = "text"
    CONTROL = "control"  #: a control or invisible character, written out
    BYTE = "byte"  #: a byte that is no UTF-8, as ``\\xNN``
    MASKED = "masked"  #: ``***`` or a pseudonym
    GAP = "gap"  #: ``...`` for bytes that are left out


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a shown frame: the text to display for the bytes ``start`` to ``end`` of that frame."""

    kind: SpanKind
    text: str
    marked: bool
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Look:
    """How characters are shown: invisible ones as ``\\r``, ``\\x1B`` or ``\\u202E``, a backslash doubled.

    Attributes:
        charset: Characters that this encoding lacks are written as ``\\uNNNN`` too; empty: all can be shown.
    """

    charset: str = ""

    def character(self, char: str) -> tuple[SpanKind, str]:
        """Return how one character is shown."""
        code = ord(char)
        if 0xDC80 <= code <= 0xDCFF:
            return SpanKind.BYTE, f"\\x{code - 0xDC00:02X}"
        if char == "\\":
            return SpanKind.TEXT, r"\\"
        if code < 0x20 or code == 0x7F:
            return SpanKind.CONTROL, _ESCAPES.get(char, f"\\x{code:02X}")
        if not char.isprintable() or (self.charset and not _encodable(char, self.charset)):
            return SpanKind.CONTROL, _escape(char)
        return SpanKind.TEXT, char


@dataclass(frozen=True, slots=True)
class _Mask:
    start: int
    end: int
    text: str


class _Stream:
    """The bytes of one connection in one direction, with the masks of its fields."""

    def __init__(self, pieces: Sequence[tuple[int, bytes]]) -> None:
        self.data = b"".join(data for _, data in pieces)
        self.seqs = [seq for seq, _ in pieces]
        self.offsets: list[int] = []
        at = 0
        for _, data in pieces:
            self.offsets.append(at)
            at += len(data)
        self.fields = _fields(self.data)
        self.starts = [field.start for field in self.fields]

    def seq_at(self, offset: int) -> int:
        """Return the entry that holds the byte at ``offset``."""
        return self.seqs[bisect_right(self.offsets, offset) - 1]


@dataclass(frozen=True, slots=True)
class _Field:
    start: int
    end: int
    kind: str  #: ``password``, ``person``, ``log`` or ``hidden``
    value: str


class Redactor:
    """Knows every password and person of one transcript and shows its bytes without them.

    Args:
        transcript: The transcript, as recorded.
        profile: Its ``[device] pw`` is a password too, whether or not it was sent.
        outward: For a copy that goes out of the house, hide as well what secrets could be found from: log texts,
            which may name people in words, and check values, which leave few of a million passwords.
    """

    def __init__(self, transcript: Transcript, profile: Profile, *, outward: bool = False) -> None:
        self._outward = outward
        self._transcript = transcript
        self._people = Pseudonyms()
        self._passwords: set[str] = set()
        self._streams = _streams(transcript)
        self._place: dict[int, tuple[_Stream, int]] = {
            seq: (stream, offset)
            for stream in self._streams
            for seq, offset in zip(stream.seqs, stream.offsets, strict=True)
        }
        self._collect(profile.device.get("pw", ""))
        self._tokens, self._phrases = self._vocabulary()
        self._log_tokens: dict[str, str | None] = {}

    # What is secret

    def _collect(self, declared_pw: str) -> None:
        if declared_pw:
            self._passwords.add(declared_pw)
        seen: list[tuple[int, str]] = []
        for stream in self._streams:
            for field in stream.fields:
                if field.kind == "password" and len(field.value) <= MAX_SECRET_CHARS:
                    self._passwords.add(field.value)
                elif field.kind == "person":
                    seen.append((stream.seq_at(field.start), field.value))
        seen.sort(key=lambda pair: pair[0])
        self._codes = list(dict.fromkeys(code for _seq, code in seen))
        for code in self._codes:
            self._people.name(code)

    def _vocabulary(self) -> tuple[dict[str, str], re.Pattern[bytes] | None]:
        """Return the secrets that are one token, with what to show, and a pattern for all others."""
        shown = {code: self._people.name(code) for code in self._codes}
        for code in self._codes:
            # A name with the enrolment number in it: the number alone is the same person.
            for run in _TOKEN.findall(_raw(code)):
                if len(run) >= MIN_TOKEN_CHARS and any(48 <= byte < 58 for byte in run):
                    shown.setdefault(run.decode(), shown[code])
        self._names = dict(shown)
        for password in self._passwords:
            shown[password] = MASK
        long = {text: name for text, name in shown.items() if MIN_TOKEN_CHARS <= len(text) <= MAX_SECRET_CHARS}
        tokens = {text: name for text, name in long.items() if _TOKEN.fullmatch(_raw(text))}
        phrases = sorted(long.keys() - tokens.keys(), key=len, reverse=True)
        self._shown = shown
        self._reach = max((len(_raw(text)) for text in long), default=0)
        return tokens, re.compile(b"|".join(_bounded(_raw(text)) for text in phrases)) if phrases else None

    # Bytes

    def spans(
        self, refs: Sequence[Ref], marks: Iterable[tuple[int, int]] = (), look: Look | None = None
    ) -> tuple[Span, ...]:
        """Return consecutive bytes of the transcript for display.

        Args:
            refs: Where they stand, in order.
            marks: Ranges to mark, counted from the first of these bytes.
            look: How invisible characters are written.
        """
        data = bytearray()
        masks: list[_Mask] = []
        for ref in refs:
            entry = self._transcript[ref.seq]
            end = len(entry.data) if ref.end is None else min(ref.end, len(entry.data))
            shift = len(data) - ref.start
            masks += [_Mask(m.start + shift, m.end + shift, m.text) for m in self._masks(ref.seq, ref.start, end)]
            data += entry.data[ref.start : end]
        return _spans(bytes(data), _joined(masks), list(marks), look or Look())

    def _masks(self, seq: int, start: int, end: int) -> list[_Mask]:
        """Return what is hidden of the bytes ``start`` to ``end`` of an entry, cut to them."""
        if seq not in self._place or start >= end:
            return []
        stream, offset = self._place[seq]
        low, high = offset + start, offset + end
        found = self._hidden(stream.data, low, high, _overlapping(stream, low, high))
        return [
            _Mask(max(m.start, low) - offset, min(m.end, high) - offset, m.text)
            for m in found
            if m.start < high and m.end > low
        ]

    def _hidden(self, data: bytes, low: int, high: int, fields: Sequence[_Field]) -> list[_Mask]:
        found: list[_Mask] = []
        for field in fields:
            if field.kind == "log" and not self._outward:
                found += self._in_log(data, field)
            else:
                found.append(_Mask(field.start, field.end, self._field_text(field)))
        if self._outward and b"&&" in data:  # the bytes of a frame, not a word of a sentence
            near = slice(max(0, low - _CRC_REACH), high + _CRC_REACH)
            found += [_Mask(m.start(1) + near.start, m.end(1) + near.start, MASK) for m in _CRC.finditer(data[near])]
        # A token may begin before and end after what is shown.
        found += self._tokens_in(data, max(0, low - self._reach), min(len(data), high + self._reach))
        return _joined(found)

    def _field_text(self, field: _Field) -> str:
        return self._people.name(field.value) if field.kind == "person" else MASK

    def _tokens_in(self, data: bytes, low: int, high: int) -> Iterator[_Mask]:
        if self._tokens:
            for match in _TOKEN.finditer(data, low, high):
                shown = self._tokens.get(match[0].decode("ascii"))
                if shown and not _is_public(data, match.start(), match.end()):
                    yield _Mask(match.start(), match.end(), shown)
        if self._phrases:
            for match in self._phrases.finditer(data, low, high):
                yield _Mask(match.start(), match.end(), self._shown[_text(match[0])])

    def _in_log(self, data: bytes, field: _Field) -> Iterator[_Mask]:
        for match in _TOKEN.finditer(data, field.start, field.end):
            start = match.start()
            shown = self._log_token(match[0].decode("ascii"))
            if shown is None and start and data[start - 1] >= 0x81 and match[0][:1].isalpha():
                # In GBK the second byte of a character may be a letter.
                start += 1
                shown = self._names.get(match[0][1:].decode("ascii"))
            if shown:
                yield _Mask(start, match.end(), shown)
        for code in self._codes:
            raw = _raw(code)
            if not _TOKEN.fullmatch(raw):
                for match in re.finditer(re.escape(raw), data[field.start : field.end]):
                    yield _Mask(field.start + match.start(), field.start + match.end(), self._names[code])

    def _log_token(self, token: str) -> str | None:
        if token not in self._log_tokens:
            self._log_tokens[token] = self._names.get(token) or self._tokens.get(token) or self._related(token)
        return self._log_tokens[token]

    def _related(self, token: str) -> str | None:
        """Return the person whose code is a part of ``token``, or the other way round; ``***`` for who may be one."""
        if len(token) < MIN_TOKEN_CHARS:
            return None
        code = next((c for c in self._codes if token in c or (c in token and _distinctive(c))), None)
        if code is not None:
            return self._people.name(code)
        return MASK if any(char.isdigit() for char in token) and not _is_time(token) else None

    # Text

    def text(self, text: str) -> str:
        """Return text that came from a device, or may have, for display: masked, printable, not too long."""
        data = _raw(_LONE.sub("\ufffd", text))
        masks = self._hidden(data, 0, len(data), [self._known(field) for field in _fields(data)])
        shown = "".join(span.text for span in _spans(data, masks, [], Look()))
        return shown if len(shown) <= MAX_PARAM_CHARS else f"{shown[:MAX_PARAM_CHARS]}..."

    def own(self, text: str) -> str:
        """Return the suite's own explanation; an example in it may happen to be a secret of this run."""
        data = _raw(text)
        masks = _joined(self._tokens_in(data, 0, len(data)))
        parts = []
        at = 0
        for mask in masks:
            parts += [data[at : mask.start].decode(), mask.text]
            at = mask.end
        return "".join([*parts, data[at:].decode()])

    def said(self, said: Said) -> str:
        """Return a sentence in the active language with everything in it that is not the suite's own redacted.

        Numbers are the suite's own; texts may be the device's.
        """
        hidden = self._outward and said.msgid.startswith(_CRC_SENTENCE)
        safe = Said(said.msgid, {key: MASK if hidden else self._param(value) for key, value in said.params.items()})
        sentence = str(safe if said.params else said)  # one without parameters may hold its own translation
        sentence = _SENTENCE_PASSWORD.sub(rf"\g<1>{MASK}", sentence)
        return _SENTENCE_PERSON.sub(lambda match: match[1] + self._sentence_person(match[2]), sentence)

    def _param(self, value: object) -> object:
        if isinstance(value, Said):
            return self.said(value)
        return value if isinstance(value, int | float) else self.text(str(value))

    def _sentence_person(self, shown: str) -> str:
        return shown if shown in self._shown.values() else self._shown.get(shown, MASK)

    def _known(self, field: _Field) -> _Field:
        """Return a field found in a sentence; a code that no frame carried is nobody's pseudonym."""
        if field.kind == "person" and field.value not in self._shown:
            return _Field(field.start, field.end, "hidden", field.value)
        return field


def plain(data: bytes, marks: Iterable[tuple[int, int]] = (), look: Look | None = None) -> tuple[Span, ...]:
    """Return bytes that hide nothing, a made-up example, for display."""
    return _spans(data, [], list(marks), look or Look())


def printable(text: str, look: Look | None = None) -> str:
    """Return text with everything invisible written out; nothing is masked."""
    how = look or Look()
    return "".join(char if char == "\\" else how.character(char)[1] for char in text)


def window(spans: Sequence[Span], max_bytes: int, context: int) -> tuple[Span, ...]:
    """Return spans without what is far from any mark, if they stand for more than ``max_bytes``.

    The first ``context`` bytes stay, and as many around each mark, as long as ``max_bytes`` allow.
    """
    if not spans or spans[-1].end - spans[0].start <= max_bytes:
        return tuple(spans)
    begin = spans[0].start
    wanted = [(begin, begin + context)]
    wanted += [(s.start - context, min(s.end, s.start + max_bytes) + context) for s in spans if s.marked]
    kept: list[Span] = []
    room = max_bytes
    for span in _divided(spans):
        if room > 0 and any(low < span.end and span.start < high for low, high in wanted):
            kept.append(span)
            room -= span.end - span.start
    return tuple(_with_gaps(kept, begin, spans[-1].end))


def _divided(spans: Iterable[Span]) -> Iterator[Span]:
    """Split text into its characters, so that a window can cut it."""
    for span in spans:
        if span.kind is not SpanKind.TEXT:
            yield span
            continue
        at = span.start
        for char in _CHARACTER.findall(span.text):
            end = at + (1 if char[0] == "\\" else len(_raw(char)))
            yield Span(span.kind, char, span.marked, at, end)
            at = end


def _with_gaps(kept: Iterable[Span], begin: int, end: int) -> Iterator[Span]:
    at = begin
    run: Span | None = None
    for span in kept:
        if run and (span.start > at or span.kind is not SpanKind.TEXT or not _alike(run, span)):
            yield run
            run = None
        if span.start > at:
            yield _gap(at, span.start)
        run = Span(run.kind, run.text + span.text, run.marked, run.start, span.end) if run else span
        if span.kind is not SpanKind.TEXT:
            yield run
            run = None
        at = span.end
    if run:
        yield run
    if at < end:
        yield _gap(at, end)


def _gap(start: int, end: int) -> Span:
    return Span(SpanKind.GAP, "...", False, start, end)


def _alike(a: Span, b: Span) -> bool:
    return a.kind is b.kind and a.marked == b.marked


def _streams(transcript: Transcript) -> list[_Stream]:
    pieces: dict[tuple[int, str], list[tuple[int, bytes]]] = defaultdict(list)
    for entry in transcript:
        if entry.data:
            pieces[entry.link, entry.direction].append((entry.seq, entry.data))
    return [_Stream(parts) for parts in pieces.values()]


def _fields(data: bytes) -> list[_Field]:
    """Return the fields of ``data`` that hold a password, a person or a log, in order."""
    found = [_Field(match.start(1), match.end(1), "password", _text(match[1])) for match in _PASSWORD.finditer(data)]
    # Also where the `=` was lost: hidden, but no password to look for elsewhere; nor may it swallow the next frame.
    for start, end in password_spans(data):
        cut = _NEXT_FRAME.search(data, start, end)
        if not data[start:end].startswith(b"="):
            found.append(_Field(start, cut.start() if cut else end, "hidden", ""))
    for match in _PERSON.finditer(data):
        raw = match[2].rstrip()
        is_flag = (match[1] or b"").lower() == b"-flag" and len(raw) <= _MAX_FLAG_CHARS
        if raw and not is_flag:
            found.append(_Field(match.start(2), match.start(2) + len(raw), "person", _text(raw)))
    found += [_Field(match.start(1), match.end(1), "log", "") for match in _LOG.finditer(data)]
    return sorted((field for field in found if field.start < field.end), key=lambda field: field.start)


def _overlapping(stream: _Stream, low: int, high: int) -> list[_Field]:
    last = bisect_right(stream.starts, high)
    found = []
    for index in range(last - 1, -1, -1):
        field = stream.fields[index]
        if field.end > low:
            found.append(field)
        elif low - field.start > _FIELD_REACH:
            break
    return found


#: No field is longer: a frame has at most 9999 bytes, garbage is cut off at 64 KB.
_FIELD_REACH: Final = 1 << 17


def _distinctive(code: str) -> bool:
    """Whether a code inside a longer run of characters is no coincidence."""
    return len(code) >= MIN_TOKEN_CHARS and (len(code) >= 6 or not code.isdigit())


def _is_time(token: str) -> bool:
    """Whether a token is a date, or a date and time, as HJ 212 writes them."""
    try:
        parse_time(token.ljust(14, "0") if len(token) == 8 else token[:14])
    except ValueError:
        return False
    return len(token) in (8, 14, 17)


def _is_public(data: bytes, start: int, end: int) -> bool:
    """Whether a token is the value of a public header field, or a check value."""
    if _PUBLIC_FIELD.search(data, max(0, start - 16), start):
        return True
    return end - start == 4 and data[start - 2 : start] == b"&&" and bool(_CRC_END.match(data, end))


def _joined(masks: Iterable[_Mask]) -> list[_Mask]:
    """Return masks in order without overlaps; what one secret left of a longer one is hidden with it."""
    result: list[_Mask] = []
    for mask in sorted(masks, key=lambda m: (m.start, -m.end)):
        if result and (mask.start < result[-1].end or (mask.start == result[-1].end and mask.text == result[-1].text)):
            last = result[-1]
            result[-1] = _Mask(last.start, max(last.end, mask.end), last.text)
        else:
            result.append(mask)
    return result


def _spans(data: bytes, masks: Sequence[_Mask], marks: Sequence[tuple[int, int]], look: Look) -> tuple[Span, ...]:
    def marked(start: int, end: int) -> bool:
        return any(low < high and low < end and start < high for low, high in marks)

    spans: list[Span] = []
    at = 0
    for mask in [*masks, None]:
        stop = mask.start if mask else len(data)
        _append_text(spans, data[at:stop], at, marked, look)
        if mask:
            spans.append(Span(SpanKind.MASKED, mask.text, marked(mask.start, mask.end), mask.start, mask.end))
            at = mask.end
    return tuple(spans)


def _append_text(spans: list[Span], data: bytes, offset: int, marked: Callable[[int, int], bool], look: Look) -> None:
    run: list[str] = []
    run_start, run_marked = offset, False
    at = offset

    def flush() -> None:
        if run:
            spans.append(Span(SpanKind.TEXT, "".join(run), run_marked, run_start, at))
            run.clear()

    for char in _text(data):
        size = 1 if char.isascii() else len(_raw(char))
        kind, shown = look.character(char)
        is_marked = marked(at, at + size)
        if kind is not SpanKind.TEXT or is_marked != run_marked:
            flush()
        if kind is SpanKind.TEXT:
            if not run:
                run_start, run_marked = at, is_marked
            run.append(shown)
        else:
            spans.append(Span(kind, shown, is_marked, at, at + size))
        at += size
    flush()


def _bounded(raw: bytes) -> bytes:
    before = rb"(?<![0-9A-Za-z])" if raw[:1].isalnum() else b""
    after = rb"(?![0-9A-Za-z])" if raw[-1:].isalnum() else b""
    return before + re.escape(raw) + after


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def _encodable(char: str, charset: str) -> bool:
    try:
        char.encode(charset)
    except UnicodeEncodeError:
        return False
    return True
