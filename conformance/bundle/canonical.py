"""JSON in one form only: keys sorted, no blanks, ASCII. Whatever is written in another form is refused."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["NotCanonicalError", "dump", "load"]


class NotCanonicalError(ValueError):
    """Bytes that are no JSON, or JSON in another form than :func:`dump` writes."""


def dump(value: Any) -> bytes:
    """Return JSON values as bytes, without a line feed at the end.

    Raises:
        ValueError: If a number is not finite.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode("ascii")


def load(raw: bytes) -> Any:
    """Return what :func:`dump` wrote.

    Raises:
        NotCanonicalError: If it did not write this; also for numbers of thousands of digits and endless brackets.
    """
    try:
        value = json.loads(raw)
        if dump(value) == raw:
            return value
    except (ValueError, RecursionError) as error:
        raise NotCanonicalError(str(error)) from error
    raise NotCanonicalError("another form of the same")
