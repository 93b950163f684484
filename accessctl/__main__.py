"""``python -m accessctl``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from accessctl.cli import build_command
from stationgate.exits import ExitCode, run

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 bad data, 2 usage."""
    return run(build_command, argv, crash_code=ExitCode.FAIL)


if __name__ == "__main__":
    sys.exit(main())
