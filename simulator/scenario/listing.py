"""Identities from a CSV file, and all of a scenario as one, to be imported into a platform."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

from stationgate.exits import UsageFault, reason
from stationgate.language import _
from stationgate.textfile import encoding_of

from ..personalities.kinds import GB28181, Kind
from .checking import did_you_mean
from .identities import is_gb_id, is_pw
from .places import MASK
from .records import Listed, Member, Scenario, SiteGroup

__all__ = ["COLUMNS", "MAX_LISTING_BYTES", "SECRET_COLUMNS", "columns", "read_listing", "rows"]

#: A row has some hundred bytes, a scenario a million rows at most.
MAX_LISTING_BYTES: Final = 1 << 28
#: The columns, in the order in which they are written.
COLUMNS: Final = ("kind", "group", "mn", "id", "st", "pw", "key", "password", "site", "name")
SECRET_COLUMNS: Final = frozenset({"pw", "key", "password"})
_MN: Final = re.compile(r"[0-9A-Za-z]{1,64}\Z", re.ASCII)
_SM4_KEY: Final = re.compile(r"[0-9A-Fa-f]{32}\Z", re.ASCII)
_ST: Final = re.compile(r"[0-9A-Z]{2}\Z", re.ASCII)
#: What a spreadsheet makes of an identity that it takes for a number.
_RUINED: Final = re.compile(r"[0-9]\.?[0-9]*E\+[0-9]+\Z", re.ASCII)


class _Reader:
    """One file of identities."""

    def __init__(self, path: Path, kind: Kind, group: str, sites: SiteGroup | None) -> None:
        self._path = path
        self._kind = kind
        self._group = group or kind.name
        self._sites = sites
        self._key = "id" if kind.protocol == GB28181 else "mn"
        self._line = 0  #: of the row being read; 0: the error is about the whole file

    def rows(self) -> tuple[Listed, ...]:
        lines = csv.reader(self._text().splitlines(keepends=True), strict=True)
        self._line = 1
        try:
            head = [name.strip().lower() for name in next(lines, [])]
            self._check_head(head)
            seen: dict[str, int] = {}
            found = []
            for cells in lines:
                self._line = lines.line_num
                if not any(map(str.strip, cells)):
                    continue
                if len(cells) != len(head):
                    self._refuse(_("expected {count} columns, found {found}").format(count=len(head), found=len(cells)))
                row = self._row(dict(zip(head, map(str.strip, cells), strict=True)))
                if row is None:
                    continue
                if row.identity in seen:
                    self._refuse(
                        _("{key} {identity} stands in line {line} as well").format(
                            key=self._key, identity=row.identity, line=seen[row.identity]
                        )
                    )
                seen[row.identity] = self._line
                found.append(row)
        except csv.Error as error:
            self._line = lines.line_num
            self._refuse(str(error))
        if not found:
            self._line = 0
            self._refuse(_("no station of kind {kind}").format(kind=self._kind.name))
        return tuple(found)

    def _text(self) -> str:
        try:
            with self._path.open("rb") as file:
                data = file.read(MAX_LISTING_BYTES + 1)
        except OSError as error:
            raise UsageFault(
                _("cannot read the identities {file}: {why}").format(file=self._path, why=reason(error))
            ) from error
        if len(data) > MAX_LISTING_BYTES:
            self._refuse(_("larger than {size} bytes").format(size=MAX_LISTING_BYTES))
        encoding = {"UTF-8": "utf-8-sig", "GBK": "gb18030"}.get(encoding_of(data))
        if encoding is None:
            self._refuse(_("neither UTF-8 nor GB 18030"), _("save it as CSV UTF-8 in the spreadsheet"))
        return data.decode(encoding)

    def _check_head(self, head: list[str]) -> None:
        for name in head:
            if name not in COLUMNS:
                self._refuse(_("no such column: {name}").format(name=name or "''"), did_you_mean(name, list(COLUMNS)))
            if head.count(name) > 1:
                self._refuse(_("the column {name} comes twice").format(name=name))
        if self._key not in head:
            self._refuse(
                _("the column {name} is missing").format(name=self._key), _("the first line names the columns")
            )

    def _row(self, cells: dict[str, str]) -> Listed | None:
        """Return one row, ``None`` where it is for another group or kind of station."""
        if cells.get("kind", "") not in ("", self._kind.name) or cells.get("group", "") not in ("", self._group):
            return None
        for name in SECRET_COLUMNS & cells.keys():
            if set(cells[name]) == {"*"}:
                self._refuse(_("{name} is masked").format(name=name), _("export it with --show-secrets"))
        st = cells.get("st", "")
        if st and not _ST.match(st):
            self._refuse(_("st: expected two digits or capital letters, found {found!r}").format(found=st))
        return Listed(
            identity=self._identity(cells[self._key]),
            pw=self._pw(cells.get("pw", "")),
            password=cells.get("password", ""),
            key=self._sm4_key(cells.get("key", "")),
            st=st,
            site=self._site(cells.get("site", "")),
            name=cells.get("name", ""),
        )

    def _pw(self, text: str) -> str:
        if text and not is_pw(text):
            wanted = _("1 to 64 printable ASCII characters other than ; and &")
            self._refuse(_("{key}: expected {wanted}, found {found!r}").format(key="pw", wanted=wanted, found=MASK))
        return text

    def _sm4_key(self, text: str) -> str:
        if text and not _SM4_KEY.match(text):
            self._refuse(_("key: expected 32 hexadecimal digits, found {found!r}").format(found=MASK))
        return text

    def _identity(self, text: str) -> str:
        if self._kind.protocol == GB28181:
            fits, wanted = is_gb_id(text), _("20 digits")
        else:
            fits, wanted = _MN.match(text) is not None, _("digits and letters, 64 at most")
        if not fits:
            ruined = _("a spreadsheet has made a number of it: format the column as text")
            self._refuse(
                _("{key}: expected {wanted}, found {found!r}").format(key=self._key, wanted=wanted, found=text[:80]),
                ruined if _RUINED.match(text.upper()) else "",
            )
        return text

    def _site(self, text: str) -> int | None:
        if not text:
            return None
        if self._sites is None:
            self._refuse(_("site: the group has no site"), _('add site = "..." to its [[station]]'))
        index = self._sites.index_of(text)
        if index is None:
            names = f"{self._sites.name_of(0)} ... {self._sites.name_of(self._sites.count - 1)}"
            self._refuse(_("site: expected {names}, found {found!r}").format(names=names, found=text[:80]))
        return index

    def _refuse(self, what: str, hint: str = "") -> NoReturn:
        place = _("{file}, line {line}").format(file=self._path, line=self._line) if self._line else str(self._path)
        raise UsageFault(_("{place}: {what}").format(place=place, what=what), hint)


def read_listing(path: Path, kind: Kind, group: str, sites: SiteGroup | None) -> tuple[Listed, ...]:
    """Read the identities of a group from a CSV file in UTF-8 or GB 18030.

    The first line names the columns, in any order: ``mn`` or ``id``; as one likes ``pw``, ``password``, ``key``,
    ``st``, ``site`` and ``name``. With a column ``kind`` or ``group`` one file serves several groups: each leaves the
    rows of the others out.

    Raises:
        UsageFault: If it cannot be read, or a row is not as it should be; the text names file and line.
    """
    return _Reader(path, kind, group, sites).rows()


def columns(*, secrets: bool) -> list[str]:
    """Return the columns of :func:`rows`, in their order."""
    return [name for name in COLUMNS if secrets or name not in SECRET_COLUMNS]


def rows(scenario: Scenario, *, secrets: bool = False) -> Iterator[dict[str, str]]:
    """Yield every station as a row of such a file, one after the other.

    Args:
        scenario: The scenario.
        secrets: Whether passwords are in the rows; the columns are left out otherwise.
    """
    for member in scenario.members():
        yield _row(member, secrets)


def _row(member: Member, secrets: bool) -> dict[str, str]:
    group = member.group
    of_gb = group.protocol == GB28181
    row = {
        "kind": group.kind,
        "group": group.name,
        "mn": "" if of_gb else member.identity,
        "id": member.identity if of_gb else "",
        "st": member.st,
        "pw": "" if of_gb else member.pw,
        "key": "" if of_gb else member.key,
        "password": member.password if of_gb else "",
        "site": member.site_name if member.site_group else "",
        "name": member.name,
    }
    return {name: row[name] for name in columns(secrets=secrets)}
