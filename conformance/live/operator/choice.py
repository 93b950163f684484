"""Which operator a run has."""

from __future__ import annotations

import sys

from .act import AbsentOperator, Operator
from .console import ConsoleOperator
from .rig import CommandOperator

__all__ = ["make_operator"]


def make_operator(command: str | None = None, *, interactive: bool = True) -> Operator:
    """Return who acts; use it in a ``with`` block, so that a rig ends with the run.

    Args:
        command: Command line of a relay rig, or ``None``.
        interactive: Whether a person may be asked. Nobody is where the standard input is no terminal.

    Raises:
        UsageFault: If the rig cannot be started.
    """
    if command is not None:
        return CommandOperator(command)
    if not interactive or sys.stdin is None or not sys.stdin.isatty():
        return AbsentOperator()
    return ConsoleOperator()
