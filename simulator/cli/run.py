"""``simulator run``: play a scenario."""

from __future__ import annotations

import re
import sys
from dataclasses import replace

import click

from stationgate.exits import UsageFault
from stationgate.language import _
from stationgate.options import Group, json_option
from stationgate.streams import json_line

from ..engine import Counts, FleetResult, run_fleet, run_fleet_virtual
from ..scenario import MAX_STATIONS, Scenario, load

__all__ = ["add"]

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(s|m|min|h|d|)\Z")
_SECONDS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def add(cli: Group) -> None:
    """Add the command."""

    @cli.command(
        "run",
        help=_("Play a scenario. Ends with counts and a digest of every byte the stations emitted."),
        examples=[
            ("simulator run city.toml --stations 200 --duration 10m", _("against the target in the file")),
            ("simulator run city.toml --shard 0/4 --json", _("the first quarter of the stations")),
        ],
    )
    @click.argument("scenario")
    @click.option("--stations", type=click.IntRange(1, MAX_STATIONS), help=_("Number of stations of the first group."))
    @click.option("--duration", help=_("How long, for example 60s, 10m, 24h."))
    @click.option("--virtual", is_flag=True, help=_("Virtual clock, in memory, against a platform that acknowledges."))
    @click.option("--seed", type=int, help=_("Another seed than the scenario's."))
    @click.option("--shard", help=_("I/N: only every N-th station, from the I-th (from 0)."))
    @click.option("--allow-target", help=_("Allow this one target that is neither loopback nor private."))
    @json_option()
    def run(
        scenario: str,
        stations: int | None,
        duration: str | None,
        virtual: bool,
        seed: int | None,
        shard: str | None,
        allow_target: str | None,
        as_json: bool,
    ) -> int:
        plan = load(scenario)
        if stations is not None:
            plan = plan.with_stations(stations)
        if duration is not None:
            plan = replace(plan, duration_s=_seconds(duration))
        if seed is not None:
            plan = replace(plan, seed=seed)
        part = _shard(shard)
        if virtual:
            result = run_fleet_virtual(plan, shard=part, progress=_told)
        else:
            _check_target(plan, allow_target)
            result = run_fleet(plan, shard=part, progress=_told)
        _print_result(result, as_json)
        return int(result.exit_code)


def _check_target(plan: Scenario, allowed: str | None) -> None:
    target = plan.target
    if not target.port:
        raise UsageFault(_("[target] port is not set"), _("write the platform's port into the scenario"))
    if not target.is_private and target.host != allowed:
        raise UsageFault(
            _("{host} is neither loopback nor private").format(host=target.host),
            _("if that platform agreed, add --allow-target {host}").format(host=target.host),
        )


def _seconds(text: str) -> float:
    match = _DURATION.match(text.strip())
    if not match:
        raise UsageFault(_("--duration {text!r}: expected a number with s, m, h or d").format(text=text))
    return float(match[1]) * _SECONDS[match[2]]


def _shard(text: str | None) -> tuple[int, int]:
    if text is None:
        return 0, 1
    index, slash, total = text.partition("/")
    if slash and index.isdecimal() and total.isdecimal() and int(index) < int(total):
        return int(index), int(total)
    raise UsageFault(_("--shard {text!r}: expected I/N with I from 0 to N-1").format(text=text))


def _told(counts: Counts) -> None:
    if sys.stderr.isatty():
        line = _("{connected} of {stations} stations, {messages} messages, {acknowledged} acknowledged")
        shown = line.format(
            connected=counts.connected,
            stations=counts.stations,
            messages=counts.messages,
            acknowledged=counts.acknowledged,
        )
        click.echo(f"\r{shown}", nl=False, err=True)


def _print_result(result: FleetResult, as_json: bool) -> None:
    counts = result.counts
    if sys.stderr.isatty():
        click.echo(err=True)
    line = _("{stations} stations, {messages} messages, {acknowledged} acknowledged").format(
        stations=counts.stations, messages=counts.messages, acknowledged=counts.acknowledged
    )
    click.echo(line, err=as_json)
    if result.degraded:
        click.echo(
            _("degraded: this machine was {lag} s late; use fewer stations or more shards").format(
                lag=f"{counts.lag_s:.1f}"
            ),
            err=True,
        )
    click.echo(_("digest {digest}").format(digest=result.digest), err=as_json)
    if as_json:
        end = {
            "event": "run-end",
            "stations": counts.stations,
            "messages": counts.messages,
            "acknowledged": counts.acknowledged,
            "degraded": result.degraded,
            "digest": result.digest,
            "exit_code": int(result.exit_code),
        }
        click.echo(json_line(end))
