"""``python -m simulator``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from stationgate.exits import run

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; ``argv`` is the process's own by default."""
    return run(_command, argv)


def _command() -> click.Command:
    # Here, where Ctrl-C is answered already: it takes half a second.
    from .cli import build

    return build()


if __name__ == "__main__":
    sys.exit(main())
