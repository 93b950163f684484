"""What a fault is, and all of them by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from difflib import get_close_matches
from typing import Any, Final

from gb28181.device import Quirks
from gb28181.errors import LocalProtocolError
from hj212 import Message
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
    "NOT_JUDGED",
    "Fault",
    "UnknownFaultError",
    "behaviour_with",
    "fault",
    "faults_of",
    "find",
    "mutants_of",
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

#: What a suite says of how a link carries what a station sends: TCP may cut and join as it likes, links break.
NOT_JUDGED: Final = "NOT_APPLICABLE"

Edit = Callable[[Behaviour], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """One named defect.

    Attributes:
        name: What scenarios and ``conformance demo --fault`` call it.
        families: Families of kinds of station that can have it: ``door``, ``logger``, ``meter``, ``camera``,
            ``recorder``.
        layer: ``bytes``, ``protocol`` or ``world``.
        expected: What a suite should say of the requirement it breaks: ``FAIL``, ``WARN`` or ``INCONCLUSIVE``;
            :data:`NOT_JUDGED` where it breaks none of a station's.
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


def mutants_of(family: str) -> dict[str, Fault]:
    """Return the faults of a family that a suite judges: each makes a station that must not pass."""
    return {name: fault for name, fault in faults_of(family).items() if fault.expected != NOT_JUDGED}


def behaviour_with(names: Iterable[str] = (), acts: list[str] | None = None) -> Behaviour:
    """Return the correct behaviour with the named faults built in, in that order.

    Args:
        names: Names of faults.
        acts: Where the name of a fault is put each time that it acts: that one of its pieces does something else than
            the right piece would have done. Who counts empties it.
    """
    behaviour = Behaviour(names=tuple(names), acts=acts)
    for name in behaviour.names:
        if acts is None:
            find(name).apply(behaviour)
        else:
            _apply_watched(find(name), behaviour, acts)
    return behaviour


_RIGHT: Final = Behaviour()
_NO_PIECES: Final = frozenset({"names", "acts", "blame", "link", "shape"})
_PIECES: Final = tuple(each.name for each in fields(Behaviour) if each.name not in _NO_PIECES)


def _apply_watched(fault: Fault, behaviour: Behaviour, acts: list[str]) -> None:
    """Build a fault in, and let each of its pieces take note of what it does wrong."""
    before = {piece: getattr(behaviour, piece) for piece in _PIECES}
    edits = len(behaviour.shape)
    fault.apply(behaviour)
    for piece, old in before.items():
        new = getattr(behaviour, piece)
        if new is old:
            continue
        behaviour.blame[piece] = fault.name
        if callable(new) and piece != "mn":  # an MN is asked for at many places; whoever writes it takes note
            setattr(behaviour, piece, _watched(new, getattr(_RIGHT, piece), fault.name, acts))
    for at in range(edits, len(behaviour.shape)):
        behaviour.shape[at] = _watched(behaviour.shape[at], lambda message, kind: message, fault.name, acts)


def _watched(piece: Callable[..., Any], right: Callable[..., Any], name: str, acts: list[str]) -> Callable[..., Any]:
    def act(*given: Any) -> Any:
        found, wanted = piece(*given), right(*given)
        if found is not wanted and _plain(found) != _plain(wanted):
            acts.append(name)
        return found

    return act


def _plain(value: object) -> object:
    return bytes(value) if isinstance(value, Message) else value


def fault(
    name: str, layer: str, expected: str, en: str, zh: str, families: tuple[str, ...] = DOORS
) -> Callable[[Edit], Edit]:
    """Register the function below as the fault ``name`` of the stations of some families."""

    def register(edit: Edit) -> Edit:
        assert name not in FAULTS, name
        FAULTS[name] = Fault(name, families, layer, expected, en, zh, edit)
        return edit

    return register
