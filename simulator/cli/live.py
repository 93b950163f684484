"""What a run shows while it runs: a line on the terminal, JSON lines, metrics for Prometheus."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from stationgate.exits import EnvironmentFault, cannot_listen
from stationgate.language import _
from stationgate.streams import json_line

from ..engine import Counts, Plan

__all__ = ["JSON_S", "Live"]

#: How often a JSON line tells where the run stands, seconds.
JSON_S: Final = 5.0


class Live:
    """Shows the course of a run; a context manager.

    Args:
        plan: What is played.
        as_json: Whether lines of JSON go to standard output.
        metrics_port: Port of loopback at which metrics are served; ``None``: none.
    """

    def __init__(self, plan: Plan, *, as_json: bool, metrics_port: int | None) -> None:
        self._plan = plan
        self._as_json = as_json
        self._port = metrics_port
        self._progress: Progress | None = None
        self._task: Any = None
        self._metrics: Any = None
        self._began = self._told_at = time.monotonic()
        self._last = (self._began, 0)

    def __enter__(self) -> Live:
        if self._port is not None:
            self._metrics = self._serve(self._port)
        if sys.stderr.isatty():
            self._progress = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._progress.start()
            self._task = self._progress.add_task("", total=max(self._plan.scenario.duration_s, 0.001))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._progress:
            self._progress.stop()
        if self._metrics:
            self._metrics.close()

    def _serve(self, port: int) -> Any:
        from ..engine.metrics import Exporter

        try:
            exporter = Exporter(port)
        except OSError as error:
            raise EnvironmentFault(*cannot_listen("127.0.0.1", port, error)) from error
        click.echo(_("metrics: {url}").format(url=exporter.url), err=True)
        return exporter

    def show(self, counts: Counts) -> None:
        """Take note of where the run stands."""
        wall = time.monotonic()
        since, messages = self._last
        rate = (counts.messages - messages) / max(wall - since, 1e-9)
        self._last = (wall, counts.messages)
        if self._metrics:
            self._metrics.set(counts)
        if self._progress:
            line = _("{linked} of {stations} stations linked, {messages} messages, {rate} a second, {lag} s late")
            shown = line.format(
                linked=counts.linked,
                stations=counts.stations,
                messages=counts.messages,
                rate=f"{rate:.0f}",
                lag=f"{max(counts.lag_s, counts.late_s):.1f}",
            )
            self._progress.update(self._task, completed=counts.at_s, description=shown)
        if self._as_json and wall - self._told_at >= JSON_S:
            self._told_at = wall
            click.echo(
                json_line(
                    {
                        "event": "progress",
                        "at_s": round(counts.at_s, 1),
                        "stations": counts.stations,
                        "linked": counts.linked,
                        "messages": counts.messages,
                        "acknowledged": counts.acknowledged,
                        "messages_per_s": round(rate, 1),
                        "lag_s": round(counts.lag_s, 3),
                        "late_s": round(counts.late_s, 3),
                        "cpu": round(counts.cpu, 3),
                    }
                )
            )
