"""``hj212 encode``: JSON to frames."""

from __future__ import annotations

from pathlib import Path

import click

from stationgate.exits import ExitCode
from stationgate.language import _
from stationgate.options import Group, read_input
from stationgate.streams import write_bytes

__all__ = ["add_encode"]


def add_encode(cli: Group) -> None:
    """Add the command to the command line."""

    @cli.command(
        "encode",
        short_help=_("Write frames from JSON."),
        help=_("Write frames from JSON as 'hj212 decode --json' prints it: objects, one after the other or in a list.")
        + "\n\n"
        + _(
            "Length and CRC are computed. A 'raw' member, which --show-secrets adds, is written as it is while the "
            "fields beside it still agree with it."
        ),
        examples=[
            ("hj212 encode frames.json > frames.bin", _("read a file")),
            ("hj212 decode a.bin --json --show-secrets | hj212 encode > b.bin", _("copy every frame, byte for byte")),
        ],
    )
    @click.argument("source", metavar="[JSON|-]", default="-")
    @click.option(
        "-o",
        "--output",
        type=click.Path(dir_okay=False),
        help=_("File to write. PowerShell cannot redirect bytes: its > makes text of them."),
    )
    def encode(source: str, output: str | None) -> int:
        from .encoding import encode_all

        frames, notes = encode_all(read_input(source))
        for note in notes:
            click.echo(note, err=True)
        if output is None:
            write_bytes(b"".join(frames))
        else:
            Path(output).write_bytes(b"".join(frames))
        return ExitCode.OK
