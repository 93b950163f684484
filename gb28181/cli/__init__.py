"""The command line: messages taken apart, PTZ commands written and read, devices received by a reference platform."""

from __future__ import annotations

import click

from stationgate.language import _
from stationgate.options import group

from .decode import add_decode
from .editions import add_editions
from .listen import add_listen
from .ptz import add_ptz

__all__ = ["build_command"]


def build_command() -> click.Command:
    """Return the root command, its texts in the active language."""
    cli = group(
        "gb28181",
        help=_("Read and receive the signalling of GB/T 28181 cameras."),
        examples=[
            ("gb28181 listen --port 5060", _("be the platform: register devices, show what they are")),
            ("gb28181 decode messages.txt", _("explain SIP messages and MANSCDP bodies of a file")),
            ("gb28181 ptz decode A50F010180000036", _("say what a PTZCmd means")),
        ],
    )
    add_decode(cli)
    add_ptz(cli)
    add_listen(cli)
    add_editions(cli)
    return cli
