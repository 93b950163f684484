"""Faults of cameras: the quirks of :mod:`gb28181.device`, under the names and with the words that they have there.

A quirk that takes a number is given it behind ``=``: ``items_per_message=2``. On which layer each is, and what a suite
should say of it, is one row of ``camera.csv``.
"""

from __future__ import annotations

import csv
from importlib import resources

from gb28181.device import quirk_rows

from ..behaviour import Behaviour
from .registry import CAMERA_FAULTS, CAMERAS, Fault, UnknownFaultError

__all__: list[str] = []


def _not_hj212(behaviour: Behaviour) -> None:
    raise UnknownFaultError("a fault of cameras changes no station of HJ 212")


def _register() -> None:
    text = resources.files(__package__).joinpath("camera.csv").read_text("utf-8")
    rows = {row["fault"]: row for row in csv.DictReader(text.splitlines())}
    for quirk in quirk_rows():
        row = rows[quirk.name]
        CAMERA_FAULTS[quirk.name] = Fault(
            quirk.name, CAMERAS, row["layer"], row["expected"], quirk.en, quirk.zh, _not_hj212
        )


_register()
