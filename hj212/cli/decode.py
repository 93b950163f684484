"""``hj212 decode``: what every frame holds and what is wrong with it."""

from __future__ import annotations

import click

from stationgate.language import _
from stationgate.options import Group, json_option, read_input, show_secrets_option

from ..editions import HJ_212_2017, RULES, Edition
from ..saved import Form

__all__ = ["add_decode"]


def add_decode(cli: Group) -> None:
    """Add the command to the command line."""

    @cli.command(
        "decode",
        short_help=_("Show frames and explain the bad ones."),
        help=_("Print the fields of every HJ 212 frame; say what is wrong with the bad ones, and what would match.")
        + "\n\n"
        + _("Exit code: 0 all frames intact, 1 a bad frame or none at all, 2 usage."),
        examples=[
            ("hj212 decode capture.bin", _("read a file")),
            ("hj212 decode assistant.log", _("read what a serial or network assistant saved, text or hex")),
            ("nc station 9000 | hj212 decode", _("read standard input")),
            ("hj212 decode capture.bin --json | jq .deviations", _("one JSON object per frame")),
        ],
    )
    @click.argument("source", metavar="[FILE|-]", default="-")
    @json_option()
    @click.option(
        "--edition",
        type=click.Choice([edition.value for edition in RULES]),
        default=HJ_212_2017.edition.value,
        help=_("Edition of the standard to check by. Default: {default}.").format(default=HJ_212_2017.edition.value),
    )
    @click.option(
        "--form",
        type=click.Choice(["auto", *(form.value for form in Form)]),
        default="auto",
        help=_("How the input writes bytes: as they are, as lines of text, or as hexadecimal digits. Default: auto."),
    )
    @click.option(
        "--key",
        "keys",
        multiple=True,
        metavar="HEX",
        help=_("SM4 key of encrypted data areas: 32 hexadecimal digits or 16 characters; may be repeated."),
    )
    @show_secrets_option()
    def decode(source: str, as_json: bool, edition: str, form: str, keys: tuple[str, ...], show_secrets: bool) -> int:
        from .decoding import Decoding, read_keys

        run = Decoding(RULES[Edition(edition)], show_secrets, as_json, read_keys(keys))
        return run.decode(read_input(source), None if form == "auto" else Form(form))
