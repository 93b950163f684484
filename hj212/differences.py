"""What the editions prescribe, side by side: the records of :mod:`hj212.editions` as rows to be read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from .editions import RULES, Edition, EncryptionRules, Resend, Rules
from .tables import read_table

__all__ = ["Difference", "differences"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact in every edition.

    Attributes:
        fact: Its name, an attribute of :class:`hj212.editions.Rules`.
        zh: What it is, in Chinese.
        en: The same in English.
        values: Edition -> what it prescribes: text, number, truth value, or ``None`` where it prescribes nothing.
        clauses: Edition -> where that stands, without the edition's number; editions without a clause are left out.
        unconfirmed: Editions whose value no second source confirmed.
    """

    fact: str
    zh: str
    en: str
    values: Mapping[Edition, str | int | bool | None]
    clauses: Mapping[Edition, str]
    unconfirmed: frozenset[Edition]

    @property
    def differs(self) -> bool:
        """Whether the editions disagree."""
        return len(set(self.values.values())) > 1


def differences(rules: Collection[Rules] = tuple(RULES.values())) -> list[Difference]:
    """Return every fact of ``tables/differences.csv``, in its order, for some editions."""
    return [
        Difference(
            row["fact"],
            row["zh"],
            row["en"],
            {each.edition: _plain(getattr(each, row["fact"])) for each in rules},
            {each.edition: clause for each in rules if (clause := row[f"clause_{each.edition.value}"])},
            frozenset(map(Edition, filter(None, row["unconfirmed_in"].split(";")))),
        )
        for row in read_table("differences.csv")
    ]


def _plain(value: Any) -> str | int | bool | None:
    """Return a fact as text or number."""
    match value:
        case None | "" | ():
            return None
        case bool() | int() | str():
            return value
        case float():
            return f"{value:g}"
        case EncryptionRules():
            return _encryption(value)
        case Mapping():
            return ", ".join(f"{key} {_plain(entry)}" for key, entry in value.items())
        case Resend(seconds, count):
            return f"{seconds:g} x {count}"
        case (int(), int()):
            return f"{value[0]}-{value[1]}"
        case _:
            return " ".join(map(str, sorted(value) if isinstance(value, frozenset) else value)) or None


def _encryption(value: EncryptionRules) -> str:
    up, down = (" ".join(f"{a}-{b}" if a != b else str(a) for a, b in each) for each in (value.upward, value.downward))
    return f"SM4-ECB, {value.form.value}; up {up}; down {down}; key <= {value.key_max_age_days} d"
