"""``python -m gb28181``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0, 1 bad data, 2 usage, 130 Ctrl-C."""
    from stationgate.exits import ExitCode, run

    from .cli import build_command

    return run(build_command, argv, crash_code=ExitCode.FAIL)


if __name__ == "__main__":
    sys.exit(main())
