"""The command line of the simulator: one module for each command."""

from __future__ import annotations

import click

from stationgate.language import _
from stationgate.options import group

from . import audit, faults, identities, learn, new, run

__all__ = ["build"]


def build() -> click.Command:
    """Build the command group in the active language."""
    cli = group(
        "simulator",
        help=_("Play stations that report to a platform, with faults on demand."),
        examples=[
            ("simulator new > city.toml", _("a commented scenario")),
            ("simulator run city.toml", _("play it on the real clock")),
            ("simulator run city.toml --virtual --duration 24h", _("a day in seconds, in memory")),
            ("simulator audit city.ledger --received store.db", _("what a platform lost, doubled or changed")),
            ("simulator learn site.pcapng -o site.toml", _("a scenario out of real traffic")),
            ("simulator faults", _("what can go wrong on purpose")),
            ("simulator identities city.toml", _("every station, to be imported into a platform")),
        ],
    )
    for module in (run, new, learn, identities, faults, audit):
        module.add(cli)
    return cli
