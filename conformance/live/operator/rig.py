r"""A relay rig in place of the person: a program that is told what to do, and answers when it is done, by JSON lines.

It reads ``{"event": "act", "id": 1, "act": "open", "method": "face", "person": "A", "step": "openings", "attempt": 1,
"prompt": "...", "expect": "...", "undo": "...", "deadline_s": 300}`` and writes ``{"id": 1, "answer": "done"}``, where
the answer is ``done``, ``erred``, ``cannot`` or ``not-fitted``; ``"note": "..."`` may stand beside it. Before it says
``erred`` or takes a second attempt it puts things back as they were. The end of its input is the end of the run.
"""

from __future__ import annotations

import asyncio
import json
import os
import queue
import shlex
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import Any, Final

from stationgate.exits import UsageFault, reason
from stationgate.language import _

from ...verdicts import Said, say
from .act import ANSWERS, Act, Operator, OperatorFailedError
from .lines import MAX_LINE_BYTES, read_lines

__all__ = ["MAX_SHOWN_CHARS", "MAX_SHOWN_LINES", "CommandOperator"]

#: What is shown of its standard error: lines, and characters of each.
MAX_SHOWN_LINES: Final = 1000
MAX_SHOWN_CHARS: Final = 500
#: What is quoted of a wrong answer, and kept of a note.
MAX_QUOTED_CHARS: Final = 80
MAX_NOTE_CHARS: Final = 200
#: How long it may take to end by itself at the end of its input, and again after it was told to.
END_S: Final = 2.0
_KILL: Final = getattr(signal, "SIGKILL", signal.SIGTERM)
#: How long its exit code is waited for once its output ended.
EXIT_S: Final = 1.0


class CommandOperator(Operator):
    """Has a program act at the door.

    The first thing it does wrong ends it: that act and all later ones raise what it was.

    Args:
        command: Its command line, in quotes as a shell of the system has them; no shell runs it.

    Raises:
        UsageFault: If it cannot be started.
    """

    patient = False

    def __init__(self, command: str) -> None:
        self._process = _started(command)
        self._lock = threading.Lock()
        self._ending = threading.Lock()
        self._closed = False
        self._ended = False
        self._number = 0
        self._shown = 0
        self._asked: tuple[asyncio.AbstractEventLoop, asyncio.Future[str], int, Act] | None = None
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        stdout, stderr = self._process.stdout, self._process.stderr
        assert stdout is not None
        assert stderr is not None
        threading.Thread(target=self._write, daemon=True, name="rig-in").start()
        self._readers = [
            (stdout, read_lines(stdout.fileno(), self._take, self._silent, name="rig-out")),
            (stderr, read_lines(stderr.fileno(), self._show, lambda: None, name="rig-err")),
        ]

    async def perform(self, act: Act) -> str:
        loop = asyncio.get_running_loop()
        with self._lock:
            if self.failure:
                raise OperatorFailedError(self.failure)
            self.note = ""
            self._number += 1
            asked: asyncio.Future[str] = loop.create_future()
            self._asked = loop, asked, self._number, act
            self._outbox.put(_line(self._number, act))
        try:
            async with asyncio.timeout(act.deadline_s or None):
                return await asked
        except TimeoutError:
            late = say("no answer within {limit} s", limit=f"{act.deadline_s:g}")
            self._fail(late)
            raise OperatorFailedError(self.failure or late) from None
        finally:
            with self._lock:
                self._asked = None

    def close(self) -> None:
        """End the program: at the end of its input by itself, else terminated, else killed."""
        with self._lock:
            self._closed = True
        with self._ending:
            if self._ended:
                return
            self._ended = True
            self._outbox.put(None)
            for end in (None, signal.SIGTERM, _KILL):
                if end:
                    _send(self._process, end)
                with suppress(subprocess.TimeoutExpired):
                    self._process.wait(END_S)
                    break
            _send(self._process, _KILL)  # what it started itself and left behind
            for stream, reader in self._readers:
                reader.join(EXIT_S)  # its last words come before ours
                if not reader.is_alive():
                    stream.close()

    def _fail(self, said: Said) -> None:
        """Take note of the first thing that went wrong, tell whoever waits, and end the program."""
        with self._lock:
            if self.failure or self._closed:
                return
            self.failure = said
            asked, self._asked = self._asked, None
        if asked:
            _settle(asked[0], asked[1], OperatorFailedError(said))
        threading.Thread(target=self.close, daemon=True, name="rig-end").start()

    # In the threads

    def _write(self) -> None:
        stream = self._process.stdin
        assert stream is not None
        with suppress(OSError, ValueError):  # it reads no more: that it ended is noticed where it is read
            while (line := self._outbox.get()) is not None:
                stream.write(line)
                stream.flush()
        with suppress(OSError):
            stream.close()

    def _take(self, line: bytes) -> None:
        if not line.strip() or self.failure:
            return
        try:
            number, answer, note = _read(line)
            with self._lock:
                asked = self._asked
                if asked is None or asked[2] != number:
                    raise _WrongError(say("answer to act {id}, which is not being asked", id=_quoted(number)))
                if answer not in asked[3].text.answers:
                    raise _WrongError(
                        say(
                            "{answer} is no answer to this act, expected one of: {known}",
                            answer=answer,
                            known=", ".join(asked[3].text.answers),
                        )
                    )
                self._asked, self.note = None, note
        except _WrongError as error:
            self._fail(error.said)
        else:
            _settle(asked[0], asked[1], answer)

    def _silent(self) -> None:
        code: int | None = None
        with suppress(subprocess.TimeoutExpired):
            code = self._process.wait(EXIT_S)
        if code is None:
            self._fail(say("it closed its output"))
        else:
            self._fail(say("it ended with exit code {code}", code=code))

    def _show(self, line: bytes) -> None:
        self._shown += 1
        if self._shown > MAX_SHOWN_LINES + 1:
            return
        if self._shown > MAX_SHOWN_LINES:
            text = _("no more of its messages are shown")
        else:
            text = _printable(line.decode("utf-8", "replace"))[:MAX_SHOWN_CHARS]
        print(f"[rig] {text}", file=sys.stderr, flush=True)


class _WrongError(Exception):
    def __init__(self, said: Said) -> None:
        super().__init__(said)
        self.said = said


def _started(command: str) -> subprocess.Popen[bytes]:
    windows = sys.platform == "win32"
    hint = _("--operator takes a command line, with quotes around paths that hold spaces")
    try:
        words: str | list[str] = command if windows else shlex.split(command)
    except ValueError as error:
        raise UsageFault(_("--operator {command}: {why}").format(command=command, why=error), hint) from error
    if not words or not command.strip():
        raise UsageFault(_("--operator names no program"), hint)
    try:
        return subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Ctrl-C is for the run: the rig is ended when the run has tidied up.
            start_new_session=not windows,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
    except (OSError, ValueError) as error:
        why = reason(error) if isinstance(error, OSError) else str(error)
        raise UsageFault(
            _("the relay rig cannot be started: {command}: {why}").format(command=command, why=why), hint
        ) from error


def _send(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to the program and to what it started, where it has a group of its own."""
    with suppress(OSError):
        if sys.platform != "win32":
            os.killpg(process.pid, number)
        elif process.poll() is None:
            process.kill() if number is _KILL else process.terminate()


def _line(number: int, act: Act) -> bytes:
    asked: dict[str, Any] = {"event": "act", "id": number, "act": act.act}
    asked |= {key: value for key, value in (("method", act.method), ("person", act.person)) if value}
    asked |= {"step": act.step, "attempt": act.attempt, "prompt": str(act.prompt), "expect": str(act.expect)}
    if act.undo:
        asked["undo"] = str(act.undo)
    asked["deadline_s"] = act.deadline_s
    # In ASCII, so that it can be read whatever encoding the rig expects.
    return json.dumps(asked).encode("ascii") + b"\n"


def _read(line: bytes) -> tuple[object, str, str]:
    """Return id, answer and note of a line.

    Raises:
        _WrongError: If it is no such line.
    """
    if len(line) >= MAX_LINE_BYTES:
        raise _WrongError(say("a line longer than {limit} bytes", limit=MAX_LINE_BYTES))
    text = line.decode("utf-8", "replace").removeprefix("\ufeff")
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise _WrongError(say("no JSON object: {line}", line=_quoted(text)))
    answer, note = told.get("answer"), told.get("note", "")
    if answer not in ANSWERS:
        raise _WrongError(
            say("answer {answer}, expected one of: {known}", answer=_quoted(answer), known=", ".join(ANSWERS))
        )
    if not isinstance(note, str):
        raise _WrongError(say("a note that is no text: {note}", note=_quoted(note)))
    return told.get("id"), str(answer), _printable(note)[:MAX_NOTE_CHARS]


def _quoted(found: object) -> str:
    text = found if isinstance(found, str) else json.dumps(found)
    return _printable(text)[:MAX_QUOTED_CHARS]


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _settle(loop: asyncio.AbstractEventLoop, asked: asyncio.Future[str], found: str | Exception) -> None:
    def settle() -> None:
        if asked.done():
            return
        if isinstance(found, str):
            asked.set_result(found)
        else:
            asked.set_exception(found)

    with suppress(RuntimeError):  # the run is over
        loop.call_soon_threadsafe(settle)
