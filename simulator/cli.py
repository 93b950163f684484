"""The command line of the simulator."""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from stationgate.exits import EnvironmentFault, UsageFault, reason
from stationgate.language import _, pick
from stationgate.options import Group, group, json_option, show_secrets_option
from stationgate.streams import json_line

from .faults import FAULTS
from .fleet import Counts, FleetResult, run_fleet, run_fleet_virtual
from .personalities.kinds import GB28181, HJ212
from .scenario import MAX_STATIONS, Scenario, SipTarget, Target, load, template, template_kinds
from .scenario.listing import columns, rows

__all__ = ["build"]

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*(s|m|min|h|d|)\Z")
_SECONDS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def build() -> click.Command:
    """Build the command group in the active language."""
    cli = group(
        "simulator",
        help=_("Play stations that report to a platform, with faults on demand."),
        examples=[
            ("simulator new > city.toml", _("a commented scenario")),
            ("simulator run city.toml", _("play it on the real clock")),
            ("simulator run city.toml --virtual --duration 24h", _("a day in seconds, in memory")),
            ("simulator faults", _("what can go wrong on purpose")),
            ("simulator identities city.toml", _("every station, to be imported into a platform")),
        ],
    )
    _add_run(cli)
    _add_new(cli)
    _add_identities(cli)
    _add_faults(cli)
    return cli


def _add_run(cli: Group) -> None:
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
    @click.option(
        "--allow-target",
        multiple=True,
        metavar="HOST",
        help=_("Allow this target that is neither loopback nor private; may be given again."),
    )
    @json_option()
    def run(
        scenario: str,
        stations: int | None,
        duration: str | None,
        virtual: bool,
        seed: int | None,
        shard: str | None,
        allow_target: tuple[str, ...],
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
            _check_targets(plan, allow_target)
            result = run_fleet(plan, shard=part, progress=_told)
        _print_result(result, as_json)
        return int(result.exit_code)


def _check_targets(plan: Scenario, allowed: tuple[str, ...]) -> None:
    if HJ212 in plan.protocols or not plan.protocols:
        _check_target("target", plan.target, allowed)
    if GB28181 in plan.protocols:
        _check_target("sip", plan.sip, allowed)


def _check_target(table: str, target: Target | SipTarget, allowed: tuple[str, ...]) -> None:
    if not target.port:
        raise UsageFault(
            _("[{table}] port is not set").format(table=table), _("write the platform's port into the scenario")
        )
    if not target.is_private and target.host not in allowed:
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


def _add_new(cli: Group) -> None:
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


def _add_identities(cli: Group) -> None:
    @cli.command(
        "identities",
        help=_("Print who the stations of a scenario are, as CSV: for a platform, or for another scenario."),
        examples=[
            ("simulator identities city.toml", _("on the terminal")),
            ("simulator identities city.toml --csv stations.csv --show-secrets", _("with passwords, into a file")),
        ],
    )
    @click.argument("scenario")
    @click.option("--csv", "file", type=click.Path(dir_okay=False), help=_("Write this file instead."))
    @show_secrets_option()
    @json_option()
    def identities(scenario: str, file: str | None, show_secrets: bool, as_json: bool) -> None:
        plan = load(scenario)
        if as_json:
            for row in rows(plan, secrets=show_secrets):
                click.echo(json_line(row))
        if file is not None:
            _write(Path(file), _csv_lines(plan, show_secrets))
            click.echo(_("{count} stations written to {file}").format(count=plan.count, file=file), err=True)
        elif not as_json:
            for line in _csv_lines(plan, show_secrets):
                click.echo(line, nl=False)


def _csv_lines(plan: Scenario, secrets: bool) -> Iterator[str]:
    """Yield the lines of a file of identities, the first with the names of the columns."""
    line = io.StringIO()
    writer = csv.DictWriter(line, columns(secrets=secrets), lineterminator="\n")
    writer.writeheader()
    for row in rows(plan, secrets=secrets):
        writer.writerow(row)
        yield line.getvalue()
        line.seek(0)
        line.truncate()
    yield line.getvalue()


def _write(path: Path, lines: Iterator[str]) -> None:
    try:
        # With a mark: spreadsheets take anything else for the encoding of their own country.
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            file.writelines(lines)
    except OSError as error:
        raise EnvironmentFault(_("cannot write {file}: {why}").format(file=path, why=reason(error))) from error


def _add_faults(cli: Group) -> None:
    @cli.command(
        "faults",
        help=_("List the faults a station can have, and what a conformance suite should say of each."),
        examples=[("simulator faults --json", _("one object per line"))],
    )
    @json_option()
    def faults(as_json: bool) -> None:
        for fault in FAULTS.values():
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
                click.echo(f"{fault.name:28} {fault.layer:9} {fault.expected:13} {summary}")
