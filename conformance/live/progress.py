"""What a run waits for and until when, for a person to see: one live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import click

from hj212.times import format_time
from stationgate.language import _

from ..verdicts import Said
from .bench import Progress

__all__ = ["shown_progress"]


def _clock(posix: float) -> str:
    text = format_time(posix)
    return f"{text[8:10]}:{text[10:12]}:{text[12:]}"


@contextmanager
def shown_progress(*, quiet: bool, virtual: bool) -> Iterator[Progress]:
    """Yield what to hand to a bench as ``on_progress``.

    Args:
        quiet: Show nothing.
        virtual: Time is virtual: no countdown, and no line for each wait where nobody watches.
    """
    if quiet:
        yield lambda what, until: None
    elif sys.stderr.isatty():
        yield from _live(virtual)
    else:
        yield _plain(virtual)


def _plain(virtual: bool) -> Progress:
    def tell(what: Said, until: float | None) -> None:
        if virtual or until is None:
            click.echo(f"  {what}", err=True)
        else:
            due = _("until {time}, {seconds} s").format(time=_clock(until), seconds=f"{until - time.time():.0f}")
            click.echo(f"[{_clock(time.time())}] {what} ({due})", err=True)

    return tell


def _live(virtual: bool) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import Progress as RichProgress
    from rich.progress import ProgressColumn, SpinnerColumn, Task, TextColumn
    from rich.text import Text

    class Remaining(ProgressColumn):
        def render(self, task: Task) -> Text:
            until = task.fields.get("until")
            if until is None or virtual:
                return Text("")
            left = max(0.0, until - time.time())
            return Text(_("until {time}, {seconds} s").format(time=_clock(until), seconds=f"{left:.0f}"))

    # The classic spinner is plain ASCII: every console can show it.
    columns = SpinnerColumn("line"), TextColumn("{task.description}", markup=False), Remaining()
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def tell(what: Said, until: float | None) -> None:
            bar.update(task, description=str(what), until=until)

        yield tell
