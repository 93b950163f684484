"""The command line: frames taken apart and explained, put together, checked, and received by a reference platform.

A command has a module of its name for what can be typed, and one in ``-ing`` for what it does. The latter is loaded
when the command runs, so that help and completion need not wait for it.
"""

from __future__ import annotations

import click

from stationgate.language import _
from stationgate.options import group

from .crc import add_crc
from .decode import add_decode
from .editions import add_editions
from .encode import add_encode
from .listen import add_listen

__all__ = ["build_command"]


def build_command() -> click.Command:
    """Return the root command, its texts in the active language."""
    cli = group(
        "hj212",
        help=_("Read, write and receive HJ 212 frames."),
        examples=[
            ("hj212 decode capture.bin", _("show every frame of a capture; say what is wrong with the bad ones")),
            ("hj212 decode - --json", _("the same of standard input, one JSON object per frame")),
            ("hj212 listen --port 9000", _("be the platform: accept stations, answer, print what they send")),
        ],
    )
    add_decode(cli)
    add_encode(cli)
    add_crc(cli)
    add_listen(cli)
    add_editions(cli)
    return cli
