"""``simulator run``: play a scenario."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from stationgate.exits import UsageFault
from stationgate.language import _
from stationgate.options import Group, json_option
from stationgate.streams import json_line

from ..engine import FleetResult, Plan
from ..personalities.kinds import GB28181, HJ212
from ..scenario import MAX_STATIONS, Scenario, SipTarget, Target, load
from . import clustered
from .live import Live

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
            ("simulator run city.toml --ledger city.ledger", _("with the truth to compare a platform with")),
            ("simulator run city.toml --shard 0/4 --json", _("the first quarter of the stations")),
        ],
    )
    @click.argument("scenario")
    @click.option(
        "--stations",
        type=click.IntRange(1, MAX_STATIONS),
        metavar="N",
        help=_("Number of stations of the first group."),
    )
    @click.option("--duration", metavar="TIME", help=_("How long, for example 60s, 10m, 24h."))
    @click.option("--virtual", is_flag=True, help=_("Virtual clock, in memory, against a platform that acknowledges."))
    @click.option("--seed", type=int, help=_("Another seed than the scenario's."))
    @click.option("--shard", metavar="I/N", help=_("I/N: only every N-th station, from the I-th (from 0)."))
    @click.option(
        "--processes", type=click.IntRange(1, 256), metavar="N", help=_("Number of processes, by default one per core.")
    )
    @click.option("--ledger", type=click.Path(dir_okay=False), help=_("Write every message down here, for an audit."))
    @click.option(
        "--metrics-port",
        type=click.IntRange(0, 65535),
        metavar="PORT",
        help=_("Serve Prometheus metrics at this port."),
    )
    @click.option("--closed-loop", is_flag=True, help=_("Each station reports again as soon as it is answered."))
    @click.option(
        "--allow-target",
        multiple=True,
        metavar="HOST",
        help=_("Allow this target that is neither loopback nor private; may be given again."),
    )
    @clustered.options
    @json_option()
    def run(
        scenario: str,
        stations: int | None,
        duration: str | None,
        virtual: bool,
        seed: int | None,
        shard: str | None,
        processes: int | None,
        ledger: str | None,
        metrics_port: int | None,
        closed_loop: bool,
        allow_target: tuple[str, ...],
        start: str | None,
        as_json: bool,
        **where: Any,
    ) -> int:
        if virtual and closed_loop:  # an answer takes no time there, so the clock would never go on
            raise UsageFault(
                _("{option} and {other} exclude each other").format(option="--virtual", other="--closed-loop")
            )
        played = clustered.started(_adapted(load(scenario), stations, duration, seed), start)
        if not virtual:
            _check_targets(played, allow_target)
        _check_folder(ledger)
        plan = Plan(
            scenario=played,
            part=_shard(shard),
            virtual=virtual,
            processes=processes,
            ledger=None if ledger is None else Path(ledger),
            closed_loop=closed_loop,
        )
        with Live(plan, as_json=as_json, metrics_port=metrics_port) as live:
            result = clustered.play_there(plan, live.show, **where)
        _print_result(result, as_json)
        return int(result.exit_code)


def _adapted(plan: Scenario, stations: int | None, duration: str | None, seed: int | None) -> Scenario:
    if stations is not None:
        plan = plan.with_stations(stations)
    if duration is not None:
        plan = replace(plan, duration_s=_seconds(duration))
    if seed is not None:
        plan = replace(plan, seed=seed)
    return plan


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


def _check_folder(ledger: str | None) -> None:
    """Refuse a ledger that could never be written, before hours are played without one."""
    if ledger is not None and not Path(ledger).absolute().parent.is_dir():
        raise UsageFault(_("--ledger {file}: there is no such folder").format(file=ledger))


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


def _print_result(result: FleetResult, as_json: bool) -> None:
    counts = result.counts
    line = _("{stations} stations, {messages} messages, {acknowledged} acknowledged").format(
        stations=counts.stations, messages=counts.messages, acknowledged=counts.acknowledged
    )
    click.echo(line, err=as_json)
    times = result.percentiles()
    if times:
        shown = _("answered within {p50} ms half the time, {p99} ms in 99 of 100, {most} ms at most").format(
            p50=times["p50_ms"], p99=times["p99_ms"], most=times["max_ms"]
        )
        click.echo(shown, err=as_json)
    for reason in result.reasons:
        click.echo(_("degraded: {reason}").format(reason=reason), err=True)
    for note in result.notes:
        click.echo(note, err=True)
    click.echo(_("digest {digest}").format(digest=result.digest), err=as_json)
    if as_json:
        more = {"event": "summary", "latency": times, "faults": counts.faults, "dropped": counts.dropped}
        more |= {"late_s": round(counts.late_s, 3), "lag_s": round(counts.lag_s, 3), "reasons": list(result.reasons)}
        click.echo(json_line(more))
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
