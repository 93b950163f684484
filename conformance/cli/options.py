"""Options that several commands have, and what their values mean."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from stationgate.exits import UsageFault
from stationgate.language import _
from stationgate.options import json_option

from ..plan import Plan, UnknownSelectionError, make_plan
from ..profile import Profile

__all__ = ["address", "planned", "report_options", "writable"]


def report_options(command: Callable[..., int]) -> Callable[..., int]:
    for option in (
        click.option("--strict", is_flag=True, help=_("A warning fails the run too.")),
        json_option(),
        click.option("--junit", type=click.Path(dir_okay=False), help=_("Write a JUnit report.")),
        click.option("--html", type=click.Path(dir_okay=False), help=_("Write a report for a browser or a printer.")),
    ):
        command = option(command)
    return command


def address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if colon and port.isascii() and port.isdigit() and int(port) <= 65535:
        return host.strip("[]") or "0.0.0.0", int(port)  # what an empty host means to whoever writes it
    raise UsageFault(
        _("--listen {text!r}: expected HOST:PORT").format(text=text), _("for example: --listen 0.0.0.0:8212")
    )


def planned(profile: Profile, select: tuple[str, ...], exclude: tuple[str, ...]) -> Plan:
    try:
        return make_plan(profile, select, exclude)
    except UnknownSelectionError as error:
        raise UsageFault(
            _("no case matches {word!r}").format(word=str(error)), _("list them with: conformance list")
        ) from error


def writable(path: str | None) -> str | None:
    """Check before the run that a report can be written after it."""
    if path is not None:
        target = Path(path)
        existed = target.exists()
        with target.open("ab"):
            pass
        if not existed:
            target.unlink()
    return path
