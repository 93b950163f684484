"""What a fault is, and all of them by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from stationgate.language import _

from ..behaviour import Behaviour

__all__ = [
    "ALL",
    "DOORS",
    "FAULTS",
    "LOGGERS",
    "MEASURING",
    "METERS",
    "Fault",
    "UnknownFaultError",
    "behaviour_with",
    "fault",
    "find",
]

#: Families of kinds that faults are made for.
DOORS: Final = ("door",)
LOGGERS: Final = ("logger",)
METERS: Final = ("meter",)
MEASURING: Final = (*LOGGERS, *METERS)
#: Whatever speaks HJ 212.
ALL: Final = (*DOORS, *MEASURING)

Edit = Callable[[Behaviour], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One named defect.

    Attributes:
        name: What scenarios and ``conformance demo --fault`` call it.
        families: Families of kinds of station that can have it: ``door``, ``logger``, ``meter``.
        layer: ``bytes``, ``protocol`` or ``world``.
        expected: What a suite should say of the requirement it breaks: ``FAIL``, ``WARN`` or ``INCONCLUSIVE``.
        en: What it does.
        zh: The same in Chinese.
        apply: Replaces the piece.
    """

    name: str
    families: tuple[str, ...]
    layer: str
    expected: str
    en: str
    zh: str
    apply: Edit

    def fits(self, family: str) -> bool:
        """Tell whether stations of a family can have it."""
        return family in self.families

    @property
    def station(self) -> str:
        """The families as one word."""
        return "+".join(self.families)


class UnknownFaultError(ValueError):
    """No fault has this name; the text offers the nearest ones."""


#: Every fault by its name, in the order in which they are defined.
FAULTS: Final[dict[str, Fault]] = {}


def find(name: str) -> Fault:
    """Return the fault called ``name``.

    Raises:
        UnknownFaultError: If there is none.
    """
    if name not in FAULTS:
        near = get_close_matches(name, FAULTS, n=3, cutoff=0.4)
        text = _("no fault is called {name!r}; near: {near}") if near else _("no fault is called {name!r}")
        raise UnknownFaultError(text.format(name=name, near=", ".join(near)))
    return FAULTS[name]


def behaviour_with(names: Iterable[str] = ()) -> Behaviour:
    """Return the correct behaviour with the named faults built in, in that order."""
    behaviour = Behaviour(names=tuple(names))
    for name in behaviour.names:
        find(name).apply(behaviour)
    return behaviour


def fault(
    name: str, layer: str, expected: str, en: str, zh: str, families: tuple[str, ...] = DOORS
) -> Callable[[Edit], Edit]:
    """Register the function below as the fault ``name`` of the stations of some families."""

    def register(edit: Edit) -> Edit:
        assert name not in FAULTS, name
        FAULTS[name] = Fault(name, families, layer, expected, en, zh, edit)
        return edit

    return register
