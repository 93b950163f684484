"""What a platform stored, in whatever form: the file says by its first bytes what it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from pathlib import Path

from stationgate.exits import UsageFault
from stationgate.language import _

from .rows import ReceivedSource
from .stored import SQLITE_MARK, StoreRows
from .tabular import CsvRows, JsonRows

__all__ = ["open_received"]


def open_received(path: Path | str, mapping: Mapping[str, str] | None, zone: tzinfo) -> ReceivedSource:
    """Open what a platform stored: a store of ``hj212 listen``, CSV, or JSON Lines.

    Args:
        path: The file.
        mapping: Which column holds what (:func:`~simulator.ledger.mapping.parse_mapping`); a store needs none.
        zone: The zone of times that name none.

    Raises:
        OSError: If it cannot be read.
        UsageFault: If it is none of these, or a column is not there.
    """
    path = Path(path)
    with path.open("rb") as file:
        beginning = file.read(64)
    if beginning.startswith(SQLITE_MARK):
        if mapping:
            raise UsageFault(
                _("--map is for CSV and JSON lines; '{file}' is a SQLite file").format(file=path),
                _("Leave it out."),
            )
        return StoreRows(path)
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text[:1] in (b"{", b"["):
        return JsonRows(path, mapping or {}, zone)
    return CsvRows(path, mapping or {}, zone)
