"""What a fault is, and all of them by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final

from gb28181.device import Quirks
from gb28181.errors import LocalProtocolError
from stationgate.language import _

from ..behaviour import Behaviour

__all__ = [
    "ALL",
    "CAMERAS",
    "CAMERA_FAULTS",
    "DOORS",
    "FAULTS",
    "LOGGERS",
    "MEASURING",
    "METERS",
    "Fault",
    "UnknownFaultError",
    "behaviour_with",
    "fault",
    "faults_of",
    "find",
    "quirks_with",
]

#: Families of kinds that faults are made for.
DOORS: Final = ("door",)
LOGGERS: Final = ("logger",)
METERS: Final = ("meter",)
MEASURING: Final = (*LOGGERS, *METERS)
#: Whatever speaks GB/T 28181.
CAMERAS: Final = ("camera", "recorder")
#: Whatever speaks HJ 212.
ALL: Final = (*DOORS, *MEASURING)

Edit = Callable[[Behaviour], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One named defect.

    Attributes:
        name: What scenarios and ``conformance demo --fault`` call it.
        families: Families of kinds of station that can have it: ``door``, ``logger``, ``meter``, ``camera``,
            ``recorder``.
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
        """The family that it is first of all made for."""
        return self.families[0]


class UnknownFaultError(ValueError):
    """No fault has this name; the text offers the nearest ones."""


#: Every fault of HJ 212 by its name, in the order in which they are defined.
FAULTS: Final[dict[str, Fault]] = {}
#: Those of cameras: quirks of :mod:`gb28181.device`, which change no :class:`~simulator.behaviour.Behaviour`.
CAMERA_FAULTS: Final[dict[str, Fault]] = {}


def find(name: str) -> Fault:
    """Return the fault called ``name``; of a camera's with a number behind it, as ``items_per_message=2``.

    Raises:
        UnknownFaultError: If there is none, or the number is none.
    """
    base = name.partition("=")[0]
    if base in CAMERA_FAULTS:
        quirks_with((name,))
        return CAMERA_FAULTS[base]
    if name not in FAULTS:
        near = get_close_matches(name, [*FAULTS, *CAMERA_FAULTS], n=3, cutoff=0.4)
        text = _("no fault is called {name!r}; near: {near}") if near else _("no fault is called {name!r}")
        raise UnknownFaultError(text.format(name=name, near=", ".join(near)))
    return FAULTS[name]


def quirks_with(names: Iterable[str] = ()) -> Quirks:
    """Return what a camera with the named faults does otherwise; a number stands behind ``=``.

    Raises:
        UnknownFaultError: If there is no such fault, or the number is none.
    """
    try:
        return Quirks.named(names)
    except LocalProtocolError as error:
        raise UnknownFaultError(str(error)) from error


def faults_of(family: str) -> dict[str, Fault]:
    """Return every fault that the stations of a family can have, by its name."""
    return {name: fault for name, fault in (FAULTS | CAMERA_FAULTS).items() if fault.fits(family)}


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
