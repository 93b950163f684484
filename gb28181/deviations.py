"""What a peer wrote otherwise than its edition has it, and what was read all the same: as data.

``tables/deviations.csv`` is the one source of the codes and of their wording in both languages.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from .tables import read_table

__all__ = ["MAX_DEVIATIONS", "Deviation", "DeviationRow", "deviation_rows", "note"]

#: Deviations kept of one body. A body that is wrong all over is told by fewer; the last one says that there were more.
MAX_DEVIATIONS: Final = 200


@dataclass(frozen=True, slots=True)
class DeviationRow:
    """One kind of deviation.

    Attributes:
        code: Its name, stable: JSON refers to it.
        part: What it is about: ``"sip"``, ``"sdp"``, and of bodies ``"bytes"``, ``"xml"`` and ``"body"``.
        zh: Its wording in Chinese, with ``{found}`` and ``{expected}``.
        en: The same in English.
    """

    code: str
    part: str
    zh: str
    en: str


@cache
def deviation_rows() -> dict[str, DeviationRow]:
    """Return every row of ``tables/deviations.csv`` by its code."""
    return {row["code"]: DeviationRow(**row) for row in read_table("deviations.csv")}


@dataclass(frozen=True, slots=True)
class Deviation:
    """One deviation that reading tolerated. It never holds a password.

    Attributes:
        code: What kind, a code of :func:`deviation_rows`.
        offset: Byte of the message or body where it shows; 0 where it concerns the whole.
        where: The element's path, ``"Response/DeviceList/Item"``; empty for what is no element.
        found: What stands there, as text.
        expected: What would have matched, empty where there is nothing to name.
    """

    code: str
    offset: int = 0
    where: str = ""
    found: str = ""
    expected: str = ""

    def text(self, lang: Literal["zh", "en"]) -> str:
        """Say it in one language, without a full stop.

        >>> Deviation("content-length", found="0", expected="142").text("en")
        'Content-Length says 0 bytes, the body has 142'
        """
        row = deviation_rows()[self.code]
        return (row.zh if lang == "zh" else row.en).format(found=self.found, expected=self.expected)

    @property
    def message(self) -> str:
        """What it is, in English."""
        return self.text("en")


def note(deviations: list[Deviation], deviation: Deviation) -> None:
    """Add a deviation unless the limit is reached."""
    if len(deviations) < MAX_DEVIATIONS:
        deviations.append(deviation)
    elif len(deviations) == MAX_DEVIATIONS:
        deviations.append(Deviation("more", expected=str(MAX_DEVIATIONS)))
