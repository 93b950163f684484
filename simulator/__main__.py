"""``python -m simulator``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from stationgate.exits import run

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; ``argv`` is the process's own by default."""
    from .cli import build

    return run(build, argv)


if __name__ == "__main__":
    sys.exit(main())
