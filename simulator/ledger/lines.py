"""The lines of a ledger: what a run composed, sent, and had acknowledged (JSON Lines, ASCII, append only).

A section begins with an object and goes on with arrays; a file that several runs appended to has several sections::

    {"ledger": 1, "scenario": "9f2c...", "seed": 7, "start": 1764300000000, "zone": "+08:00", "shard": [0, 4],
     "wall": 1764300000000}
    ["c", 0, "64010000ACCE550000000001", "20251128112000000", "2011", "32", 0, 0, 1764300000000, "periodic",
     "DataTime=20251128112000;w01018-Rtd=2.2,w01018-Flag=N"]
    ["s", 0, 1764300000012]
    ["a", 0, 1764300000020]
    ["e", 1764303600000]

======  ==================================  ==================================================================
kind    fields behind it                    meaning
======  ==================================  ==================================================================
``c``   number, MN, QN, CN, ST, PNO, PNUM,  composed. PNO and PNUM are 0 where the message is not split; ``due`` is
        due, kind, area[, faults]           the scheduled instant; the area is the text between ``CP=&&`` and ``&&``
``s``   number, at[, faults]                sent, once for each time
``a``   number, at                          acknowledged by the platform
``d``   number, at, why                     given up by the station: it will not be sent any more
``f``   number, at, what, faults, identity  faults acted that leave the message acceptable, or (number -1) where there
        is none: ``composed`` with them, ``withheld``, ``answered``, ``repeated``,
        ``timed``, or done to it on the ``link``; a name for each time
``x``   count                               so many lines are missing here, they could not be written
``e``   at                                  the writer was closed: nothing is missing behind this line
======  ==================================  ==================================================================

The number counts the messages of a section from 0. Times are POSIX milliseconds of the scenario; ``wall`` is what the
clock of the generator showed at ``start``, ``null`` on a virtual clock. Bytes that are no UTF-8 stand as lone
surrogates (``surrogateescape``).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from stationgate.language import _

__all__ = ["FORMAT", "LedgerHeader", "header_line", "parse_header"]

#: Version of the format, in the first field of each header.
FORMAT: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerHeader:
    """What a section of a ledger is about.

    Attributes:
        scenario: Hash of the scenario, hexadecimal; shards of one run have the same.
        seed: The seed of the run.
        start_ms: The scenario's start, POSIX milliseconds.
        shard: Index from 0, and number of shards.
        zone: The zone that the stations' times are written in.
        wall_ms: What the generator's own clock showed at ``start_ms``; ``None``: virtual clock. A run may play New
            Year's Eve in July: only this tells when a platform should have got its messages.
    """

    scenario: str
    seed: int
    start_ms: int
    shard: tuple[int, int] = (0, 1)
    zone: str = "+08:00"
    wall_ms: int | None = None

    @property
    def offset_ms(self) -> int | None:
        """What to add to a time of the section for that of the generator's clock; ``None`` on a virtual clock."""
        return None if self.wall_ms is None else self.wall_ms - self.start_ms


def header_line(header: LedgerHeader) -> bytes:
    """Write the first line of a section."""
    shape = {
        "ledger": FORMAT,
        "scenario": header.scenario,
        "seed": header.seed,
        "start": header.start_ms,
        "zone": header.zone,
        "shard": list(header.shard),
        "wall": header.wall_ms,
    }
    return json.dumps(shape).encode() + b"\n"


def parse_header(shape: dict[str, Any]) -> LedgerHeader:
    """Read the first line of a section, parsed from JSON.

    Raises:
        ValueError: If it is no header, or of another version.
    """
    version = shape.get("ledger")
    if version is None:
        raise ValueError(_("no ledger: its first line lacks the key 'ledger'"))
    if version != FORMAT:
        raise ValueError(_("version {version} of the format, expected {known}").format(version=version, known=FORMAT))
    try:
        index, total = shape["shard"]
        return LedgerHeader(
            scenario=str(shape["scenario"]),
            seed=int(shape["seed"]),
            start_ms=int(shape["start"]),
            shard=(int(index), int(total)),
            zone=str(shape["zone"]),
            wall_ms=None if shape["wall"] is None else int(shape["wall"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(_("a damaged header: {error}").format(error=repr(error))) from error
