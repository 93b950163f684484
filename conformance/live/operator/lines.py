"""Lines of a file descriptor, read by one thread that nobody waits for.

A thread blocked on a terminal cannot be ended. This one is a daemon and reads the descriptor itself, so that neither
Ctrl-C nor the end of the process waits for it, and no lock of ``sys.stdin`` is held meanwhile.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Final

__all__ = ["MAX_LINE_BYTES", "read_lines"]

#: Longest line handed on; the rest of a longer one is dropped.
MAX_LINE_BYTES: Final = 65_536
_CHUNK_BYTES: Final = 4096


def read_lines(fd: int, on_line: Callable[[bytes], None], on_end: Callable[[], None], *, name: str) -> threading.Thread:
    """Start to read; return the thread.

    Args:
        fd: What to read, until its end or until it breaks.
        on_line: Called in the thread with each line without its line end, at most :data:`MAX_LINE_BYTES` long.
        on_end: Called in the thread when no more can come.
        name: Name of the thread.
    """
    thread = threading.Thread(target=_read, args=(fd, on_line, on_end), daemon=True, name=name)
    thread.start()
    return thread


def _read(fd: int, on_line: Callable[[bytes], None], on_end: Callable[[], None]) -> None:
    rest = b""
    while data := _chunk(fd):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            on_line(line[:MAX_LINE_BYTES].removesuffix(b"\r"))
        rest = rest[: MAX_LINE_BYTES + 1]
    if rest:
        on_line(rest[:MAX_LINE_BYTES])
    on_end()


def _chunk(fd: int) -> bytes:
    try:
        return os.read(fd, _CHUNK_BYTES)
    except OSError:  # the other end of a terminal is gone, or the descriptor was closed
        return b""
