"""What a data area says of one factor (污染因子), or of a piece of equipment or information named the same way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from ..errors import MessageError

__all__ = ["Measurement"]

_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Measurement:
    """The values of one factor, each as printed.

    ``w01018-Rtd=2.20,w01018-Flag=N`` is code ``"w01018"`` and pairs ``(("Rtd", "2.20"), ("Flag", "N"))``. The name is
    all that follows the first hyphen: ``a21026-i22004-Info=1`` has ``("i22004-Info", "1")``.

    Attributes:
        code: Factor code, ``SB1`` of equipment, ``i11001`` of information.
        pairs: ``(name, text)`` in wire order; names may repeat.
    """

    code: str
    pairs: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, code: str, **values: str | int | Decimal) -> Measurement:
        """Make one from names and values; a number is written without exponent, with the digits it has.

        >>> Measurement.of("w01018", Rtd=Decimal("2.20"), Flag="N").pairs
        (('Rtd', '2.20'), ('Flag', 'N'))
        """
        return cls(code, tuple((name, _printed(value)) for name, value in values.items()))

    def text(self, name: str) -> str | None:
        """Return the first value under a name (``"Rtd"``) as printed, ``None`` when absent."""
        return next((text for found, text in self.pairs if found == name), None)

    def decimal(self, name: str) -> Decimal | None:
        """Return the first value under a name with its printed digits, ``None`` when absent or empty.

        Raises:
            MessageError: If the text is no decimal number.
        """
        text = self.text(name)
        if not text:
            return None
        if not _NUMBER.match(text):
            key = f"{self.code}-{name}"
            raise MessageError(f"{key}: expected a number, found {text!r}", field=key)
        return Decimal(text)

    @property
    def flag(self) -> str | None:
        """数据标记, the data flag; ``None`` when absent."""
        return self.text("Flag")

    def keyed(self) -> tuple[tuple[str, str], ...]:
        """Return the pairs with their names as they travel, ``("w01018-Rtd", "2.20")``."""
        return tuple((f"{self.code}-{name}", text) for name, text in self.pairs)


def _printed(value: str | int | Decimal) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)
