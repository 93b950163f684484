"""What any platform exported: CSV or JSON Lines, read as a stream."""

from __future__ import annotations

import codecs
import csv
import json
from collections.abc import Iterator, Mapping
from datetime import tzinfo
from itertools import islice
from pathlib import Path
from typing import Any, Final

from stationgate.exits import UsageFault
from stationgate.language import _
from stationgate.textfile import encoding_of

from .mapping import NAMES, Mapper
from .rows import Row

__all__ = ["MAX_CELL_CHARS", "CsvRows", "JsonRows", "encoding_of_file"]

#: A data segment has at most some kilobytes; a cell beyond this comes from an unclosed quotation mark.
MAX_CELL_CHARS: Final = 1 << 20
_DELIMITERS: Final = ",\t;|"
_PIECE_BYTES: Final = 1 << 20
_SAMPLE_BYTES: Final = 4096
#: Objects whose names are the columns: some names are not in every one.
_LOOKED_AT: Final = 1000


def encoding_of_file(path: Path) -> str:
    """Return what a file is encoded in: ``utf-8-sig`` (which reads UTF-8 too) or ``gb18030``.

    The whole file is read: many exports are ASCII for megabytes before the first Chinese name.

    Raises:
        OSError: If it cannot be read.
        UsageFault: If it is neither.
    """
    with path.open("rb") as file:
        other = encoding_of(file.read(_SAMPLE_BYTES))
    if other.startswith(("UTF-16", "UTF-32")):
        raise UsageFault(
            _("{file} looks like {encoding}, expected UTF-8 or GB 18030").format(file=path, encoding=other),
            _("save it as CSV UTF-8"),
        )
    for encoding in ("utf-8-sig", "gb18030"):
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            with path.open("rb") as file:
                while piece := file.read(_PIECE_BYTES):
                    decoder.decode(piece)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            continue
        return encoding
    raise UsageFault(
        _("{file} is neither UTF-8 nor GB 18030 text").format(file=path), _("save it as CSV UTF-8, or as JSON Lines")
    )


class _Table:
    """A file of rows with named columns."""

    def __init__(self, path: Path, mapping: Mapping[str, str], zone: tzinfo) -> None:
        self.path = path
        self.mapping = mapping
        self.zone = zone
        self.encoding = encoding_of_file(path)

    def _mapper(self, header: list[str]) -> Mapper:
        return Mapper.of(self.path, self.mapping, header, self.zone)

    def _empty(self) -> UsageFault:
        return UsageFault(_("{file} is empty").format(file=self.path))


class CsvRows(_Table):
    """Rows of a CSV file whose first line names the columns."""

    def __init__(self, path: Path, mapping: Mapping[str, str], zone: tzinfo) -> None:
        super().__init__(path, mapping, zone)
        self.delimiter, header = self._begin()
        self._columns = self._mapper(header)
        self.tells_content = "content" in self._columns.columns
        self.tells_time = "received" in self._columns.columns

    def _begin(self) -> tuple[str, list[str]]:
        """Find the delimiter: that by which most of the wanted columns are there, else the most frequent one."""
        with self.path.open(encoding=self.encoding, newline="") as file:
            line = file.readline(MAX_CELL_CHARS)
        if not line.strip():
            raise self._empty()
        wanted = set(self.mapping.values()) | set(NAMES)

        def worth(delimiter: str) -> tuple[int, int]:
            names = next(csv.reader([line], delimiter=delimiter))
            return sum(name.strip() in wanted for name in names), len(names)

        best = max(_DELIMITERS, key=worth)
        return best, [name.strip() for name in next(csv.reader([line], delimiter=best))]

    def __iter__(self) -> Iterator[Row]:
        """Yield its rows.

        Raises:
            UsageFault: If a line is no CSV, or a cell cannot be read.
        """
        csv.field_size_limit(MAX_CELL_CHARS)
        with self.path.open(encoding=self.encoding, newline="") as file:
            reader = csv.reader(file, delimiter=self.delimiter)
            try:
                next(reader)
                for cells in reader:
                    if cells:
                        yield self._columns.row(reader.line_num, cells)
            except csv.Error as error:
                raise UsageFault(
                    _("{file} line {line} is no CSV: {why}").format(file=self.path, line=reader.line_num, why=error)
                ) from error


class JsonRows(_Table):
    """Rows of a file with one JSON object per line; a column may be a path, ``data.qn``."""

    def __init__(self, path: Path, mapping: Mapping[str, str], zone: tzinfo) -> None:
        super().__init__(path, mapping, zone)
        self._names = list(dict.fromkeys(name for _at, cells in islice(self._objects(), _LOOKED_AT) for name in cells))
        if not self._names:
            raise self._empty()
        self._columns = self._mapper(self._names)
        self.tells_content = "content" in self._columns.columns
        self.tells_time = "received" in self._columns.columns

    def __iter__(self) -> Iterator[Row]:
        """Yield its rows.

        Raises:
            UsageFault: If a line is no object, or a value cannot be read.
        """
        names = self._names
        for number, cells in self._objects():
            yield self._columns.row(number, [cells.get(name, "") for name in names])

    def _objects(self) -> Iterator[tuple[int, dict[str, str]]]:
        with self.path.open(encoding=self.encoding) as file:
            number = 0
            while line := file.readline(MAX_CELL_CHARS):
                number += 1
                if not line.strip():
                    continue
                try:
                    shape = json.loads(line, parse_int=str, parse_float=str)
                except ValueError as error:
                    raise self._no_object(number, str(error)) from error
                if not isinstance(shape, dict):
                    raise self._no_object(number, _("it is a {kind}").format(kind=type(shape).__name__))
                yield number, dict(_flat(shape))

    def _no_object(self, number: int, why: str) -> UsageFault:
        return UsageFault(
            _("{file} line {line} is no JSON object: {why}").format(file=self.path, line=number, why=why),
            _("expected is one object per line (JSON Lines), no array around them"),
        )


def _flat(shape: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in shape.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif value is None:
            yield prefix + name, ""
        elif isinstance(value, str):
            yield prefix + name, value
        else:
            yield prefix + name, json.dumps(value, ensure_ascii=False)
