"""``simulator faults``: list what can go wrong on purpose."""

from __future__ import annotations

import click

from stationgate.language import _, pick
from stationgate.options import Group, json_option
from stationgate.streams import json_line

from ..faults import CAMERA_FAULTS, FAULTS, Fault, mutants_of

__all__ = ["add"]

#: The kind of station that the conformance suite judges.
JUDGED = "door"


def add(cli: Group) -> None:
    """Add the command."""

    @cli.command(
        "faults",
        help=_("List the faults a station can have, and what a conformance suite should say of each."),
        examples=[
            ("simulator faults --json", _("one object per line")),
            ("simulator faults --all", _("also those that scenarios alone can use")),
        ],
    )
    @click.option("--all", "everything", is_flag=True, help=_("Also faults of stations that no suite judges yet."))
    @json_option()
    def faults(everything: bool, as_json: bool) -> None:
        judged = mutants_of(JUDGED)
        whole = (*FAULTS.values(), *CAMERA_FAULTS.values())
        shown = whole if everything else tuple(fault for fault in whole if judged.get(fault.name) is fault)
        for fault in shown:
            click.echo(json_line(_row(fault)) if as_json else _line(fault))
        more = len(whole) - len(shown)
        if more:
            click.echo(_("for scenarios there are more ({count}): simulator faults --all").format(count=more), err=True)


def _row(fault: Fault) -> dict[str, str]:
    return {
        "name": fault.name,
        "station": fault.station,
        "layer": fault.layer,
        "expected": fault.expected,
        "summary": pick(fault.zh, fault.en),
    }


def _line(fault: Fault) -> str:
    families = ",".join(fault.families)
    return f"{fault.name:28} {fault.layer:9} {fault.expected:14} {families:18} {pick(fault.zh, fault.en)}"
