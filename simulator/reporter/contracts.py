"""What a station is configured with, who is told what it does, and who says which faults it has when."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from hj212 import Rules

from ..behaviour import Behaviour, Upload

if TYPE_CHECKING:
    from .core import Reporter

__all__ = ["Items", "ReporterSettings", "Timeline", "Witness"]

#: A data area: items of pairs.
Items = list[list[list[str]]]


class ReporterSettings(Protocol):
    """What every station is configured with."""

    @property
    def mn(self) -> str: ...
    @property
    def pw(self) -> str: ...
    @property
    def st(self) -> str: ...
    @property
    def interval_s(self) -> float: ...
    @property
    def rules(self) -> Rules: ...
    @property
    def in_flight(self) -> int:
        """Uploads that wait for their acknowledgement at once."""
        ...


class Witness(Protocol):
    """Who is told beside what a station does, and may not disturb it: a ledger, counters."""

    def composed(self, reporter: Reporter, upload: Upload) -> None: ...
    def sent(self, reporter: Reporter, upload: Upload, now: float, faults: Sequence[str]) -> None:
        """Take note that a message is given to the link; ``faults``: what damaged it on its way there, on purpose."""
        ...

    def faulty(self, reporter: Reporter, upload: Upload | None, what: str, now: float, faults: Sequence[str]) -> None:
        """Take note that faults acted where they damaged nothing on its way to the link.

        Args:
            reporter: Whose.
            upload: The message that is not what it ought to be; ``None`` where there is none.
            what: ``composed``, ``withheld``, ``answered``, ``repeated`` or ``timed``.
            now: When, or the instant it is about.
            faults: Their names, once for each time.
        """
        ...

    def acknowledged_by(self, reporter: Reporter, upload: Upload, now: float) -> None: ...
    def dropped(self, reporter: Reporter, upload: Upload, now: float) -> None: ...


class Timeline(Protocol):
    """Which faults a station has when."""

    @property
    def has_faulty_link(self) -> bool:
        """Whether one of them is a fault of the link."""
        ...

    def behaviour(self, identity: str, due: float) -> Behaviour:
        """Return how the station behaves in what is due at an instant."""
        ...
