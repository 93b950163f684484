"""``python -m hj212``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import click

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 bad data, 2 usage, 130 Ctrl-C."""
    from stationgate.exits import ExitCode, run

    return run(_command, argv, crash_code=ExitCode.FAIL)


def _command() -> click.Command:
    # Here, where Ctrl-C is answered already.
    from .cli import build_command

    return build_command()


if __name__ == "__main__":
    sys.exit(main())
