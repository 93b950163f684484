"""``hj212 listen``: a reference platform for stations to report to."""

from __future__ import annotations

from pathlib import Path

import click

from stationgate.language import _
from stationgate.options import Group, json_option, show_secrets_option

__all__ = ["add_listen"]


def add_listen(cli: Group) -> None:
    """Add the command to the command line."""

    @cli.command(
        "listen",
        short_help=_("Receive stations as a reference platform."),
        help=_("Be a reference platform: accept any station, answer as the standard asks, print every message.")
        + "\n\n"
        + _(
            "Ctrl-C or SIGTERM ends it. "
            "Exit code: 0, 1 a bad frame came or --count was not reached, 2 usage or port in use."
        ),
        examples=[
            ("hj212 listen --port 9000", _("on this machine only")),
            ("hj212 listen --port 9000 --host 0.0.0.0", _("for stations in the network")),
            ("hj212 listen --port 9000 --store day.db", _("keep every message, acknowledge what is on the disk")),
            ("hj212 listen --port 9000 --json --count 1", _("one message as JSON, then end")),
        ],
    )
    @click.option("--port", type=click.IntRange(0, 65535), required=True, help=_("TCP port; 0 takes a free one."))
    @click.option(
        "--host", default="127.0.0.1", help=_("Address to listen on. Default: {default}.").format(default="127.0.0.1")
    )
    @click.option(
        "--store",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE",
        help=_("Keep messages in a SQLite file; each is acknowledged after it is on the disk."),
    )
    @click.option(
        "--key",
        "keys",
        multiple=True,
        metavar="HEX",
        help=_("SM4 key of encrypted data areas: 32 hexadecimal digits or 16 characters; may be repeated."),
    )
    @json_option()
    @show_secrets_option()
    @click.option("--quiet", is_flag=True, help=_("Show no messages, only what goes wrong."))
    @click.option("--count", type=click.IntRange(min=1), help=_("End after this many messages."))
    @click.option("--duration", type=click.FloatRange(min=0), metavar="S", help=_("End after this many seconds."))
    @click.option("--max-connections", type=click.IntRange(min=1), help=_("Stations at once."))
    @click.option("--max-per-address", type=click.IntRange(min=1), help=_("Stations at once from one address."))
    @click.option("--max-rate", type=click.FloatRange(min=1), metavar="N", help=_("Frames per second of one station."))
    def listen(
        port: int,
        host: str,
        store: Path | None,
        keys: tuple[str, ...],
        as_json: bool,
        show_secrets: bool,
        quiet: bool,
        count: int | None,
        duration: float | None,
        max_connections: int | None,
        max_per_address: int | None,
        max_rate: float | None,
    ) -> int:
        import asyncio
        from dataclasses import replace

        from stationgate.loops import loop_factory

        from ..aio import PlatformLimits
        from .decoding import read_keys
        from .receiving import Receiving, grant_links

        limits = PlatformLimits()
        limits = replace(limits, connections=grant_links(max_connections, limits.connections))
        limits = replace(limits, per_address=max_per_address or limits.per_address)
        limits = replace(limits, frames_per_s=max_rate or limits.frames_per_s)
        receiving = Receiving(
            as_json=as_json, show_secrets=show_secrets, count=count, quiet=quiet, keys=read_keys(keys)
        )
        with asyncio.Runner(loop_factory=loop_factory()) as runner:
            return runner.run(receiving.run(host, port, duration, limits, store))
