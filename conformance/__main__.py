"""``python -m conformance``."""

from __future__ import annotations

import sys

from stationgate.exits import run

__all__ = ["main"]


def main() -> int:
    """Run the command line."""
    from .cli import build, profile_language

    return run(build, profile_language=profile_language)


if __name__ == "__main__":
    sys.exit(main())
