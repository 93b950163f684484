"""Faults of cameras: the quirks of :mod:`gb28181.device`, under the names and words that they have there.

A quirk that takes a number is given it behind ``=``: ``items_per_message=2``. Which layer each is on, and what a suite
should say of it, is one row of ``camera.csv``.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from importlib import resources
from types import MappingProxyType
from typing import Final

from gb28181.device import Quirks, quirk_rows
from gb28181.errors import LocalProtocolError

from ..behaviour import Behaviour
from .registry import Fault, UnknownFaultError

__all__ = ["CAMERA", "CAMERA_FAULTS", "quirks_with"]

#: What the column ``station`` says of them.
CAMERA: Final = "camera"


def _no_station_of_ours(behaviour: Behaviour) -> None:
    raise UnknownFaultError("a fault of cameras changes no station of HJ 212")


def _read() -> Mapping[str, Fault]:
    text = resources.files(__package__).joinpath("camera.csv").read_text("utf-8")
    rows = {row["fault"]: row for row in csv.DictReader(text.splitlines())}
    return MappingProxyType(
        {
            each.name: Fault(
                each.name,
                CAMERA,
                rows[each.name]["layer"],
                rows[each.name]["expected"],
                each.en,
                each.zh,
                _no_station_of_ours,
            )
            for each in quirk_rows()
        }
    )


#: Every fault of a camera by its name.
CAMERA_FAULTS: Final = _read()


def quirks_with(names: Iterable[str]) -> Quirks:
    """Return what a camera with some faults does otherwise.

    Raises:
        UnknownFaultError: If there is no such fault, or the number behind it is none.
    """
    try:
        return Quirks.named(names)
    except LocalProtocolError as error:
        raise UnknownFaultError(str(error)) from error
