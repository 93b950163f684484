"""The folder where an installation keeps what outlives a run: its signing key, its settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import click

from stationgate.exits import EnvironmentFault, reason
from stationgate.language import _

__all__ = ["HOME_VARIABLE", "home"]

#: This environment variable names another folder.
HOME_VARIABLE: Final = "STATIONGATE_HOME"


def home() -> Path:
    """Return the folder; the first call makes it, for its owner alone.

    Raises:
        EnvironmentFault: If it cannot be made.
    """
    folder = Path(os.environ.get(HOME_VARIABLE) or click.get_app_dir("stationgate"))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise EnvironmentFault(
            _("cannot make the folder {path}: {why}").format(path=folder, why=reason(error)),
            _("set {variable} to a folder that can be written").format(variable=HOME_VARIABLE),
        ) from error
    return folder
