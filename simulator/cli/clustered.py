"""Options of ``simulator run`` for more than one machine: a cluster, or shards that agree on their start."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import click

from stationgate.exits import UsageFault
from stationgate.language import _

from ..engine import FleetResult, Plan, play
from ..engine.cluster import MAX_SHARDS, Cluster, play_on_cluster
from ..engine.fleet import Progress
from ..engine.lease import LEASE_S, MAX_LEASE_S, MIN_LEASE_S
from ..scenario import Scenario

__all__ = ["options", "play_there", "started"]

_BEIJING: Final = timezone(timedelta(hours=8))
#: POSIX seconds that may be meant: from 2000 to 2100.
_SECONDS: Final = (946_684_800.0, 4_102_444_800.0)


def options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command, which hands them on to :func:`started` and :func:`play_there`."""
    for option in reversed(
        [
            click.option("--start", metavar="INSTANT", help=_("What the scenario's clock shows at its start.")),
            click.option(
                "--anchor",
                metavar="INSTANT",
                help=_("When it starts, by this machine's clock."),
            ),
            click.option(
                "--engine",
                type=click.Choice(["local", "dask"]),
                default="local",
                help=_("This machine, or a Dask cluster."),
            ),
            click.option("--scheduler", metavar="ADDRESS", help=_("The cluster's, tcp://HOST:PORT.")),
            click.option(
                "--shards",
                type=click.IntRange(1, MAX_SHARDS),
                metavar="N",
                help=_("Parts there; else one per thread."),
            ),
            click.option(
                "--lease",
                type=click.FloatRange(MIN_LEASE_S, MAX_LEASE_S),
                default=LEASE_S,
                metavar="SECONDS",
                help=_("Silence until a shard is taken over."),
            ),
        ]
    ):
        command = option(command)
    return command


def started(scenario: Scenario, start: str | None) -> Scenario:
    """Return a scenario with another start."""
    if start is None:
        return scenario
    return replace(scenario, start=datetime.fromtimestamp(_instant("--start", start), _BEIJING))


def play_there(
    plan: Plan,
    show: Progress,
    *,
    anchor: str | None,
    engine: str,
    scheduler: str | None,
    shards: int | None,
    lease: float,
) -> FleetResult:
    """Play a plan where the options say."""
    if anchor is not None:
        if plan.virtual:
            raise UsageFault(_("{option} and {other} exclude each other").format(option="--anchor", other="--virtual"))
        plan = replace(plan, anchor=_instant("--anchor", anchor))
    if engine == "local":
        for option, given in (("--scheduler", scheduler), ("--shards", shards)):
            if given is not None:
                raise UsageFault(_("{option} needs --engine dask").format(option=option))
        return play(plan, show)
    if scheduler is None:
        raise UsageFault(
            _("--engine dask needs --scheduler"), _("for example: --scheduler {address}").format(address=_EXAMPLE)
        )
    excluded = {"--virtual": plan.virtual, "--shard": plan.part != (0, 1), "--processes": plan.processes is not None}
    for option, set_ in excluded.items():
        if set_:
            raise UsageFault(_("{option} and {other} exclude each other").format(option=option, other="--engine dask"))
    return play_on_cluster(plan, Cluster(scheduler=scheduler, shards=shards, lease_s=lease), show)


_EXAMPLE: Final = "tcp://10.0.0.5:8786"


def _instant(option: str, text: str) -> float:
    """Return an instant in POSIX seconds, to the millisecond; without an offset it is Beijing time."""
    try:
        seconds = float(text)
    except ValueError:
        try:
            when = datetime.fromisoformat(text)
        except ValueError:
            seconds = math.nan
        else:
            seconds = (when if when.tzinfo else when.replace(tzinfo=_BEIJING)).timestamp()
    if not _SECONDS[0] <= seconds <= _SECONDS[1]:  # nor is NaN
        raise UsageFault(
            _("{option} {text!r}: expected a date and time, or POSIX seconds").format(option=option, text=text),
            _("for example: {option} 2026-01-01T00:00:00+08:00").format(option=option),
        )
    return round(seconds, 3)
