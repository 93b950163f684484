"""``python -m conformance``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from stationgate.exits import run

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; ``argv`` is the process's own by default."""
    from .cli import build, profile_language

    return run(build, argv, profile_language=profile_language)


if __name__ == "__main__":
    sys.exit(main())
