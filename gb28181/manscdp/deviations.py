"""What a body did otherwise than its edition has it, as data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["MAX_DEVIATIONS", "Deviation", "note"]

#: Deviations kept of one body. A body that is wrong all over is told by fewer; the last one says that there were more.
MAX_DEVIATIONS: Final = 200


@dataclass(frozen=True, slots=True)
class Deviation:
    """One deviation that reading tolerated.

    Attributes:
        code: What kind, e.g. ``"charset-wrong"`` or ``"tag-case"``.
        where: The element's path (``"Response/DeviceList/Item"``) or, for bytes, ``"byte 107"``; empty for the whole.
        message: Expected and found.
    """

    code: str
    where: str
    message: str


def note(deviations: list[Deviation], code: str, where: str, message: str) -> None:
    """Add a deviation unless the limit is reached."""
    if len(deviations) < MAX_DEVIATIONS:
        deviations.append(Deviation(code, where, message))
    elif len(deviations) == MAX_DEVIATIONS:
        deviations.append(Deviation("more", "", f"more than {MAX_DEVIATIONS} deviations; the others are not listed"))
