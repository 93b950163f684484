"""``python -m conformance``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click

from stationgate.exits import run

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; ``argv`` is the process's own by default."""
    return run(_command, argv, profile_language=_profile_language)


# Imported here, where Ctrl-C is answered already: it takes a while.


def _command() -> click.Command:
    from .cli import build

    return build()


def _profile_language(args: Sequence[str]) -> str | None:
    from .cli import profile_language

    return profile_language(args)


if __name__ == "__main__":
    sys.exit(main())
