"""``hj212 crc``: the check value of a segment."""

from __future__ import annotations

import json

import click

from stationgate.exits import ExitCode
from stationgate.language import _
from stationgate.options import Group, json_option, read_input

from ..crc import crc16
from ..framing import Frame, Framer

__all__ = ["add_crc"]


def add_crc(cli: Group) -> None:
    """Add the command to the command line."""

    @cli.command(
        "crc",
        short_help=_("Print the CRC of a data segment."),
        help=_("Print the CRC of a data segment (HJ 212-2017 Annex A), or of that inside a whole frame."),
        examples=[
            ('hj212 crc "QN=20160801085857223;...;CP=&&RtdInterval=30&&"', _("of a text")),
            ("hj212 crc < segment.txt", _("of standard input; a line end at its end does not count")),
        ],
    )
    @click.argument("text", metavar="[TEXT|-]", default="-")
    @json_option()
    def crc(text: str, as_json: bool) -> int:
        data = read_input("-") if text == "-" else text.encode("utf-8", "surrogateescape")
        segment = _segment_of(data.rstrip(b"\r\n"))
        value = f"{crc16(segment):04X}"
        click.echo(json.dumps({"crc": value, "length": len(segment)}) if as_json else value)
        return ExitCode.OK


def _segment_of(data: bytes) -> bytes:
    """Return the segment of a whole frame, or the data as they are."""
    if not data.startswith(b"##"):
        return data
    from ..explain import readable_segment

    framer = Framer()
    found = [*framer.feed(data + b"\r\n"), *framer.finish()]
    if len(found) != 1 or not isinstance(found[0], Frame):
        return data
    segment = readable_segment(found[0])
    text = _("The input is a whole frame; this is the CRC of the {size} bytes of its data segment.")
    click.echo(text.format(size=len(segment)), err=True)
    return segment
