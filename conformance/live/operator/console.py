"""A person at the terminal of the run."""

from __future__ import annotations

import asyncio
import sys
import threading
from typing import Final
from unicodedata import normalize

from stationgate.language import _

from ...acts import answers
from .act import Act, Operator
from .lines import read_lines

__all__ = ["ConsoleOperator"]

#: Ctrl-Z at the beginning of a line, which ends the input on Windows.
_END_OF_INPUT: Final = b"\x1a"


class ConsoleOperator(Operator):
    """Asks at the terminal, and takes a key with Enter for an answer.

    One thread reads all along: a line that comes while nothing is asked answers nothing, it is dropped with a remark.
    The end of the input leaves this act and all later ones pending.

    Args:
        fd: Where answers are read. Default: the standard input.
    """

    def __init__(self, fd: int | None = None) -> None:
        self._lock = threading.Lock()
        self._asked: tuple[asyncio.AbstractEventLoop, asyncio.Future[bytes | None]] | None = None
        self._remarked = False
        self._ended = False
        self._encoding = getattr(sys.stdin, "encoding", None) or "utf-8"
        read_lines(sys.stdin.fileno() if fd is None else fd, self._take, self._end, name="operator")

    async def perform(self, act: Act) -> str:
        _show(act)
        keys = {answers()[id].key: id for id in act.text.answers}
        while True:
            line = await self._next()
            if line is None:
                return "pending"
            word = normalize("NFKC", line.decode(self._encoding, "replace")).strip().lower()
            if word in keys:
                return keys[word]
            _say("    " + _("not one of the keys: {keys}").format(keys=_keys(act)))

    async def _next(self) -> bytes | None:
        """Return the next line; ``None`` when there will be none."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[bytes | None] = loop.create_future()
        with self._lock:
            if self._ended:
                return None
            self._asked = loop, result
            self._remarked = False
        try:
            return await result
        finally:
            with self._lock:
                self._asked = None

    # In the reading thread

    def _take(self, line: bytes) -> None:
        if line.startswith(_END_OF_INPUT):
            self._end()
            return
        with self._lock:
            asked, self._asked = self._asked, None
            remark = asked is None and not self._remarked and not self._ended
            self._remarked = self._remarked or remark
        if asked:
            _settle(*asked, line)
        elif remark:
            _say("    " + _("ignored: nothing is being asked at the moment"))

    def _end(self) -> None:
        with self._lock:
            self._ended = True
            asked, self._asked = self._asked, None
        if asked:
            _settle(*asked, None)


def _settle(loop: asyncio.AbstractEventLoop, result: asyncio.Future[bytes | None], line: bytes | None) -> None:
    def settle() -> None:
        if not result.done():
            result.set_result(line)

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:
        return  # the run is over


def _show(act: Act) -> None:
    lines = ["", f">>> {act.prompt}"]
    if act.attempt > 1:
        again = _("once more (attempt {attempt})").format(attempt=act.attempt)
        lines.append(f"    {again}: {act.undo}" if act.undo else f"    {again}")
    lines += [f"    {_('expected')}: {act.expect}", f"    {_keys(act)}"]
    _say("\n".join(lines))


def _keys(act: Act) -> str:
    return "   ".join(answers()[id].shown for id in act.text.answers)


def _say(text: str) -> None:
    # Whole lines only: the live line of the progress is drawn below them.
    print(text, file=sys.stderr, flush=True)
