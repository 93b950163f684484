"""Which column of a platform's export holds what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from stationgate.exits import UsageFault
from stationgate.language import _

from .instants import parse_data_time, parse_instant
from .rows import Row, area_of, clean_text, data_time_of, header_of
from .ruined import read_qn

__all__ = ["NAMES", "Mapper", "parse_mapping"]

#: What a column can be named for, in the order in which errors list it.
NAMES: Final = ("mn", "qn", "cn", "content", "received", "pno", "pnum", "st", "data_time")


def parse_mapping(text: str) -> dict[str, str]:
    """Read ``mn=设备编号,qn=请求编码``; a comma inside a column's name is written twice.

    Raises:
        UsageFault: If a part has no ``=``, or names nothing that a column can be named for.
    """
    mapping: dict[str, str] = {}
    for part in text.replace(",,", "\0").split(","):
        name, sign, column = (piece.strip().replace("\0", ",") for piece in part.partition("="))
        if not sign or not column:
            raise UsageFault(
                _("--map: expected name=column, found {text!r}").format(text=part.strip().replace("\0", ",")),
                _("for example --map mn=MN,qn=QN,cn=CN,content=CP,received=RecvTime"),
            )
        if name not in NAMES:
            raise UsageFault(
                _("--map: {name!r} is nothing that a column can be named for").format(name=name) + _near(name, NAMES),
                _("known are: {names}").format(names=", ".join(NAMES)),
            )
        if name in mapping:
            raise UsageFault(_("--map: {name!r} is named twice").format(name=name))
        mapping[name] = column
    return mapping


def _near(name: str, names: Sequence[str]) -> str:
    """Return the nearest names as the end of a sentence, or nothing."""
    lowered = {other.lower(): other for other in names}
    close = [lowered[other] for other in get_close_matches(name.lower(), lowered)]
    return _("; near: {names}").format(names=", ".join(close)) if close else ""


@dataclass(frozen=True, slots=True)
class Mapper:
    """Makes rows from the cells of a table.

    Attributes:
        path: The file, for errors.
        columns: Of :data:`NAMES`, where its cell stands.
        zone: The zone of times that name none.
    """

    path: Path
    columns: Mapping[str, int]
    zone: tzinfo

    @classmethod
    def of(cls, path: Path, mapping: Mapping[str, str], header: Sequence[str], zone: tzinfo) -> Mapper:
        """Find the columns in a header.

        Args:
            mapping: What :func:`parse_mapping` returned; a name that is missing there is looked for as it is.

        Raises:
            UsageFault: If a column is not there, or the columns do not identify a message.
        """
        places = {name.strip(): at for at, name in reversed(list(enumerate(header)))}
        lowered = {name.lower(): at for name, at in places.items()}
        columns: dict[str, int] = {}
        wrong = []
        for name in NAMES:
            column = mapping.get(name, name)
            if column in places:
                columns[name] = places[column]
            elif name in mapping:
                wrong.append(_("{name}={column}").format(name=name, column=column) + _near(column, header))
            elif name in lowered:
                columns[name] = lowered[name]
        shown = _("its columns are: {names}").format(names=", ".join(header))
        if wrong:
            raise UsageFault(_("{file} has no such column: {names}").format(file=path, names=" · ".join(wrong)), shown)
        if "content" not in columns:
            missing = [name for name in ("mn", "qn", "cn") if name not in columns]
            if missing and not (missing == ["qn"] and "data_time" in columns):
                raise UsageFault(
                    _("{file}: no column is named for {names}").format(file=path, names=", ".join(missing)),
                    _("name them with --map, for example --map mn=MN,qn=QN,cn=CN,content=CP") + "; " + shown,
                )
        return cls(path, columns, zone)

    def row(self, number: int, cells: Sequence[str]) -> Row:
        """Make a row of its cells; those behind the last are empty.

        Raises:
            UsageFault: If a cell cannot be read; the text says which.
        """
        columns = self.columns
        here = {name: clean_text(cells[at]) for name, at in columns.items() if at < len(cells) and name != "content"}
        area: bytes | None = None
        header: dict[str, str] = {}
        if "content" in columns:
            at = columns["content"]
            content = cells[at].encode("utf-8", "surrogateescape") if at < len(cells) else b""
            header, area = header_of(content), area_of(content)
        qn = read_qn(here.get("qn", ""))
        if header and (qn.unit or "qn" not in here):
            qn = read_qn(header.get("QN", ""))  # the message itself knows it exactly
        received = self._received(number, here.get("received", ""))
        shown = parse_data_time(here["data_time"]) if here.get("data_time") else ""
        return Row(
            number,
            self._told("MN", here, header) or "",
            qn,
            self._told("CN", here, header) or "",
            self._number(number, "PNO", here, header),
            self._number(number, "PNUM", here, header),
            self._told("ST", here, header),
            data_time_of(area) if area and not shown else shown,
            area,
            received,
            received,
        )

    def _told(self, name: str, here: Mapping[str, str], header: Mapping[str, str]) -> str | None:
        """Return a field from its column, else from the message; ``None`` where neither tells it."""
        cell = here.get(name.lower(), "").strip().lstrip("'")
        return cell or header.get(name, "" if header else None)

    def _number(self, number: int, name: str, here: Mapping[str, str], header: Mapping[str, str]) -> int | None:
        text = self._told(name, here, header)
        if not text:  # a column that is empty says that the message is not split
            return 0 if header or name.lower() in here else None
        try:
            return int(float(text))
        except (ValueError, OverflowError):
            raise self._unreadable(number, name.lower(), f"{text!r}") from None

    def _received(self, number: int, text: str) -> int | None:
        if not text.strip():
            return None
        try:
            return parse_instant(text, self.zone)
        except ValueError as error:
            raise self._unreadable(number, "received", str(error)) from None

    def _unreadable(self, number: int, name: str, why: str) -> UsageFault:
        return UsageFault(
            _("{file} line {line}: the column for {name} cannot be read: {why}").format(
                file=self.path, line=number, name=name, why=why
            ),
            _("is --map right? The guide to simulator audit lists the forms."),
        )
