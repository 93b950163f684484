"""Data segment <-> ordered fields, without loss (HJ 212-2017 6.3.2, 6.3.3).

Nothing is interpreted here: order, duplicates, blanks, missing signs and the digits of numbers stay as they were
sent, so that ``format_segment(parse_segment(data)) == data`` for any bytes. Text is UTF-8; bytes that are not
become lone surrogates (``surrogateescape``) and turn back into the same bytes.

::

    QN=..;ST=..;...;CP=&&DataTime=..;w01018-Rtd=2.2,w01018-Flag=N&&
    `------ header ----'    `---------------- items --------------'

Three doors, by how much is needed; they agree on every input:

* :func:`parse_segment` gives items of pairs, as ``;`` and ``,`` nest them;
* :func:`parse_flat` gives the pairs one after the other; where an item ends is not in the pairs;
* :func:`parse_header` gives the header alone and leaves the data area as it is until asked for.

:func:`header_values` has only what the header's names say, for whoever asks nothing else.
"""

from __future__ import annotations

import re

__all__ = [
    "FlatSegment",
    "Pair",
    "Segment",
    "SegmentHeader",
    "format_segment",
    "header_values",
    "hide_passwords",
    "parse_flat",
    "parse_header",
    "parse_segment",
    "password_spans",
]

#: ``[key, value]`` as sent; ``[text]`` alone where the ``=`` is missing.
Pair = list[str]

_OPEN = "CP=&&"
_CLOSE = "&&"
_LOG = "//"

# Also where the `=` or the separator before the name is damaged: too much hidden is better than a password shown.
_PASSWORD = re.compile(r"((?:PW|NewSK)\s*=\s*|(?<![^;,&])\s*(?:PW|NewSK))[^;,&]+", re.IGNORECASE)


class Segment:
    """One data segment taken apart.

    Attributes:
        header: The pairs before ``CP``, in wire order.
        opening: ``"CP=&&"`` as sent; ``"CP="`` where the ``&&`` is missing; empty without a CP field.
        items: The data area: what ``;`` separates, each a list of the pairs that ``,`` separates. Empty area: ``[]``.
        closing: The final ``"&&"``, or empty where it is missing.
        trailer: Whatever follows the closing ``&&``; empty in a legal segment.
    """

    __slots__ = ("closing", "header", "items", "opening", "trailer")

    def __init__(
        self,
        header: list[Pair],
        items: list[list[Pair]],
        opening: str = _OPEN,
        closing: str = _CLOSE,
        trailer: str = "",
    ) -> None:
        self.header = header
        self.items = items
        self.opening = opening
        self.closing = closing
        self.trailer = trailer

    def field(self, name: str) -> str | None:
        """Return the value of the first header field called ``name``, blanks trimmed; ``None`` when absent."""
        return _field(self.header, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Segment) and all(getattr(self, n) == getattr(other, n) for n in self.__slots__)

    __hash__ = None  # type: ignore[assignment]  # a Segment is mutable

    def __repr__(self) -> str:
        return f"<Segment {_shown(self.header)}, {len(self.items)} items>"


class FlatSegment:
    """One data segment with its data area as a single list of pairs.

    The pairs alone no longer say whether ``;`` or ``,`` stood between two of them: which value belongs to which
    sampling time, door or log is told by their names only. :attr:`area` still has it.

    Attributes:
        header: As in :class:`Segment`.
        opening: As in :class:`Segment`.
        pairs: Every pair of the data area in wire order, whatever separated it from the next.
        area: The text of the data area as sent.
        closing: As in :class:`Segment`.
        trailer: As in :class:`Segment`.
    """

    __slots__ = ("area", "closing", "header", "opening", "pairs", "trailer")

    def __init__(
        self, header: list[Pair], pairs: list[Pair], area: str, opening: str, closing: str, trailer: str
    ) -> None:
        self.header = header
        self.pairs = pairs
        self.area = area
        self.opening = opening
        self.closing = closing
        self.trailer = trailer

    def field(self, name: str) -> str | None:
        """Return the value of the first header field called ``name``, blanks trimmed; ``None`` when absent."""
        return _field(self.header, name)

    def items(self) -> list[list[Pair]]:
        """Return the pairs nested, as :attr:`Segment.items`; parsed anew from :attr:`area` at each call."""
        return _split_around_logs(self.area) if self.area else []

    def __repr__(self) -> str:
        return f"<FlatSegment {_shown(self.header)}, {len(self.pairs)} pairs>"


class SegmentHeader:
    """The header of one data segment, its data area untouched: what routing and answering need.

    Attributes:
        data: The segment as it was given.
        header: As in :class:`Segment`.
        opening: As in :class:`Segment`.
    """

    __slots__ = ("_fields", "_segment", "data", "header", "opening")

    def __init__(self, data: bytes, header: list[Pair], opening: str) -> None:
        self.data = data
        self.header = header
        self.opening = opening
        self._fields: dict[str, str] | None = None
        self._segment: Segment | None = None

    def field(self, name: str) -> str | None:
        """Return the value of the first header field called ``name``, blanks trimmed; ``None`` when absent."""
        if self._fields is None:
            self._fields = header_values(self.data)
        return self._fields.get(name)

    @property
    def segment(self) -> Segment:
        """The whole segment, taken apart when first asked for."""
        segment = self._segment
        if segment is None:
            segment = self._segment = parse_segment(self.data)
        return segment

    def __repr__(self) -> str:
        return f"<SegmentHeader {_shown(self.header)} of {len(self.data)} bytes>"


def parse_segment(data: bytes) -> Segment:
    """Take one data segment apart; any bytes will do.

    >>> parse_segment(b"ST=32;CN=2011;CP=&&DataTime=20160801084957;w01018-Rtd=2.2,w01018-Flag=N&&").items[1]
    [['w01018-Rtd', '2.2'], ['w01018-Flag', 'N']]
    """
    text = data.decode("utf-8", "surrogateescape")
    head, opening, rest = text.partition(_OPEN)
    if not opening:
        return _parse_without_opening(text)
    area, closing, trailer = rest.rpartition(_CLOSE)
    if not closing:
        area, trailer = rest, ""
    if head:
        # The `;` before CP belongs to the opening: a head that lacks it must come back without it.
        if head[-1] == ";":
            head = head[:-1]
            opening = ";CP=&&"
        header = [field.split("=", 1) for field in head.split(";")]
    else:
        header = []
    if _LOG in area:
        items = _split_around_logs(area)
    elif area:
        items = [[pair.split("=", 1) for pair in item.split(",")] for item in area.split(";")]
    else:
        items = []
    return Segment(header, items, opening, closing, trailer)


def parse_flat(data: bytes) -> FlatSegment:
    """Take one data segment apart without nesting; any bytes will do.

    >>> parse_flat(b"ST=32;CN=2011;CP=&&DataTime=20160801084957;w01018-Rtd=2.2,w01018-Flag=N&&").pairs
    [['DataTime', '20160801084957'], ['w01018-Rtd', '2.2'], ['w01018-Flag', 'N']]
    """
    text = data.decode("utf-8", "surrogateescape")
    head, opening, rest = text.partition(_OPEN)
    if not opening:
        head, opening, rest = _partition_without_opening(text)
        header = [field.split("=", 1) for field in head.split(";")] if head else []
    elif head[-1:] == ";":
        opening = ";CP=&&"
        header = [field.split("=", 1) for field in head[:-1].split(";")]
    else:
        header = [field.split("=", 1) for field in head.split(";")] if head else []
    area, closing, trailer = rest.rpartition(_CLOSE)
    if not closing:
        area, trailer = rest, ""
    if _LOG in area:
        pairs = [pair for item in _split_around_logs(area) for pair in item]
    elif area:
        pairs = [pair.split("=", 1) for pair in area.replace(",", ";").split(";")]
    else:
        pairs = []
    return FlatSegment(header, pairs, area, opening, closing, trailer)


def parse_header(data: bytes) -> SegmentHeader:
    """Take only the header of a data segment apart; any bytes will do.

    >>> parse_header(b"ST=32;CN=2011;CP=&&DataTime=20160801084957&&").field("CN")
    '2011'
    """
    text, opening = _head(data)
    # An empty field before `;CP` is one, nothing before `CP` is none.
    header = [field.split("=", 1) for field in text.split(";")] if text or opening == ";CP=&&" else []
    return SegmentHeader(data, header, opening)


def header_values(data: bytes) -> dict[str, str]:
    """Return the values of the header fields of a data segment by name, as ``parse_header(data).field(name)`` has them.

    >>> header_values(b"ST=32;CN=2011;CP=&&DataTime=20160801084957&&")["CN"]
    '2011'
    """
    text = _head(data)[0]
    pairs = [field.split("=", 1) for field in text.split(";")]
    try:
        values: dict[str, str] = dict(pairs)
        if len(values) == len(pairs) and len(text.split(None, 1)[0]) == len(text):
            return values
    except (ValueError, IndexError):  # a field without `=`; nothing but blanks
        pass
    pairs = [pair for pair in reversed(pairs) if len(pair) == 2]  # of several the first stays
    values = {name.strip(): value.strip() for name, value in pairs}
    return values | {name: value.strip() for name, value in pairs}


def hide_passwords(text: str) -> str:
    """Return text of a segment, whole or damaged, with the value of every ``PW``, ``NewPW`` and ``NewSK`` as ``***``.

    >>> hide_passwords("CN=1072PW=123456;MN=1;CP=&&NewPW=654321&&")
    'CN=1072PW=***;MN=1;CP=&&NewPW=***&&'
    """
    return _PASSWORD.sub(r"\1***", text)


def password_spans(data: bytes) -> list[tuple[int, int]]:
    """Return where in the bytes of a frame or segment the values of ``PW`` and ``NewPW`` stand, as ``(start, end)``."""
    return [(match.end(1), match.end()) for match in _PASSWORD.finditer(data.decode("latin-1"))]


def format_segment(segment: Segment) -> bytes:
    """Write a segment; the inverse of :func:`parse_segment`."""
    header = ";".join(["=".join(pair) for pair in segment.header])
    area = ";".join([",".join(["=".join(pair) for pair in item]) for item in segment.items])
    text = f"{header}{segment.opening}{area}{segment.closing}{segment.trailer}"
    return text.encode("utf-8", "surrogateescape")


def _head(data: bytes) -> tuple[str, str]:
    """Return the text before the data area, and what opens that."""
    end = data.find(b"CP=&&")
    if end < 0:
        text, opening, _ = _partition_without_opening(data.decode("utf-8", "surrogateescape"))
        return text, opening
    text = data[:end].decode("utf-8", "surrogateescape")
    return (text[:-1], ";CP=&&") if text.endswith(";") else (text, _OPEN)


def _field(header: list[Pair], name: str) -> str | None:
    for pair in header:
        if pair[0] == name and len(pair) == 2:
            return pair[1].strip()
    for pair in header:
        if pair[0].strip() == name and len(pair) == 2:
            return pair[1].strip()
    return None


def _shown(header: list[Pair]) -> str:
    return repr(hide_passwords(";".join("=".join(pair) for pair in header)))


def _partition_without_opening(text: str) -> tuple[str, str, str]:
    """Split a segment that has no ``CP=&&``: CP missing altogether, or written without its first ``&&``."""
    return text.partition(";CP=")


def _parse_without_opening(text: str) -> Segment:
    head, opening, rest = _partition_without_opening(text)
    area, closing, trailer = rest.rpartition(_CLOSE)
    if not closing:
        area, trailer = rest, ""
    header = [field.split("=", 1) for field in head.split(";")] if head else []
    items = _split_around_logs(area) if area else []
    return Segment(header, items, opening, closing, trailer)


def _split_around_logs(area: str) -> list[list[Pair]]:
    """Split an area whose values may be logs: ``//free text//`` may hold ``;`` ``,`` ``=`` (6.3.3, table B.10)."""
    items: list[list[Pair]] = [[]]
    start = at = 0
    size = len(area)
    while at < size:
        char = area[at]
        if char in ";,":
            items[-1].append(area[start:at].split("=", 1))
            if char == ";":
                items.append([])
            start = at + 1
        elif char == "=" and area.startswith(_LOG, at + 1):
            end = area.find(_LOG, at + 3)
            if end >= 0:
                at = end + 1  # the last slash of the log
        at += 1
    items[-1].append(area[start:].split("=", 1))
    return items
