"""``simulator new``: print a scenario to begin with."""

from __future__ import annotations

import click

from stationgate.language import _
from stationgate.options import Group

from ..scenario import template, template_kinds

__all__ = ["add"]


def add(cli: Group) -> None:
    """Add the command."""

    @cli.command(
        "new",
        help=_("Print a commented scenario."),
        examples=[
            ("simulator new --kind door > city.toml", _("door controllers")),
            ("simulator new --kind site > city.toml", _("sites with everything that stands there")),
        ],
    )
    @click.option("--kind", type=click.Choice(template_kinds()), default="door", help=_("Kind of station."))
    def new(kind: str) -> None:
        click.echo(template(kind), nl=False)
