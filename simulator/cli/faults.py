"""``simulator faults``: list what can go wrong on purpose."""

from __future__ import annotations

import click

from stationgate.language import _, pick
from stationgate.options import Group, json_option
from stationgate.streams import json_line

from ..faults import CAMERA_FAULTS, FAULTS

__all__ = ["add"]


def add(cli: Group) -> None:
    """Add the command."""

    @cli.command(
        "faults",
        help=_("List the faults a station can have, and what a conformance suite should say of each."),
        examples=[("simulator faults --json", _("one object per line"))],
    )
    @json_option()
    def faults(as_json: bool) -> None:
        for fault in (*FAULTS.values(), *CAMERA_FAULTS.values()):
            summary = pick(fault.zh, fault.en)
            if as_json:
                row = {
                    "name": fault.name,
                    "station": fault.station,
                    "layer": fault.layer,
                    "expected": fault.expected,
                    "summary": summary,
                }
                click.echo(json_line(row))
            else:
                click.echo(
                    f"{fault.name:28} {fault.layer:9} {fault.expected:13} {','.join(fault.families):18} {summary}"
                )
