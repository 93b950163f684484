"""How every command of this distribution ends: one exit code, one clear sentence, no traceback unless asked for."""

from __future__ import annotations

import errno
import os
import re
import select
import sys
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from enum import IntEnum
from typing import Final

import click
from click.shell_completion import shell_complete

from stationgate import language, streams
from stationgate.language import _
from stationgate.redaction import redact_pw

__all__ = [
    "DEBUG_VARIABLE",
    "DataFault",
    "EnvironmentFault",
    "ExitCode",
    "Fault",
    "UsageFault",
    "cannot_listen",
    "reason",
    "run",
    "worst",
]

#: Set to 1, this environment variable is the same as ``--debug``.
DEBUG_VARIABLE: Final = "STATIONGATE_DEBUG"


class ExitCode(IntEnum):
    """The meaning of an exit code; ``conformance`` and ``simulator`` use all of them, the others 0, 1, 2 and 130."""

    OK = 0
    """Everything judged passed, or was not applicable."""
    FAIL = 1
    """At least one FAIL, evidence that does not verify, or bad data."""
    USAGE = 2
    """Usage or configuration error: nothing was judged."""
    INCONCLUSIVE = 3
    """No FAIL, but something stayed open: inconclusive, a manual step pending, a degraded run."""
    ERROR = 4
    """Our own error or environment: a port in use, too few descriptors, an uncaught exception."""
    INTERRUPTED = 130
    """Ctrl-C."""


#: Numbers from WSAHOST_NOT_FOUND to WSANO_DATA; elsewhere those of getaddrinfo() are negative.
_WINDOWS_NAME_ERRORS: Final = range(11001, 11005)

_PRECEDENCE: Final = (
    ExitCode.INTERRUPTED,
    ExitCode.USAGE,
    ExitCode.FAIL,
    ExitCode.ERROR,
    ExitCode.INCONCLUSIVE,
    ExitCode.OK,
)


def worst(codes: Iterable[int]) -> ExitCode:
    """Return the code that a run with all these outcomes ends with: the first of 130, 2, 1, 4, 3, 0 among them.

    No codes at all give 0.

    Raises:
        ValueError: If a code is none of :class:`ExitCode`.
    """
    return min((ExitCode(code) for code in codes), key=_PRECEDENCE.index, default=ExitCode.OK)


class Fault(Exception):
    """An expected failure, told to the user as one sentence and what to do about it, without a traceback.

    Args:
        message: What is wrong, in the active language, one sentence.
        hint: What the user can do about it, if anything.
    """

    exit_code: ExitCode = ExitCode.ERROR

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class UsageFault(Fault):
    """The command line, a profile or another configuration is wrong (exit 2)."""

    exit_code = ExitCode.USAGE


class DataFault(Fault):
    """The data handed in is wrong (exit 1)."""

    exit_code = ExitCode.FAIL


class EnvironmentFault(Fault):
    """The machine does not allow what was asked: a port in use, no descriptors left, a full disk (exit 4)."""

    exit_code = ExitCode.ERROR


def reason(error: OSError) -> str:
    """Return why an operating system call failed, in the active language where the cause is a common one."""
    texts = {
        errno.ENOENT: _("no such file or directory"),
        errno.EACCES: _("permission denied"),
        errno.EISDIR: _("it is a directory"),
        errno.ENOTDIR: _("a part of the path is not a directory"),
        errno.EEXIST: _("it exists already"),
        errno.ENOSPC: _("no space left on the device"),
        errno.EMFILE: _("too many open files"),
        errno.EADDRINUSE: _("the address is already in use"),
        errno.EADDRNOTAVAIL: _("this machine does not have the address"),
        errno.ECONNREFUSED: _("connection refused"),
    }
    return texts.get(error.errno or 0) or error.strerror or str(error)


def cannot_listen(host: str, port: int, error: OSError | OverflowError) -> tuple[str, str]:
    """Return the sentence that says why a port cannot be listened on, and what to do about it.

    Who raises it decides what it is: a wrong argument of a small tool, the environment of a run.
    """
    sentence = _("cannot listen on {host} port {port}: {reason}.")
    why = reason(error) if isinstance(error, OSError) else str(error)
    number = (error.errno or 0) if isinstance(error, OSError) else 0
    if number < 0 or number in _WINDOWS_NAME_ERRORS:  # of getaddrinfo()
        why = _("the name has no address")
        hint = _("Give an address of this computer, or 0.0.0.0 for all of them.")
    elif number == errno.EACCES:
        hint = _("Ports below 1024 need rights; Windows reserves some: netsh interface ipv4 show excludedportrange tcp")
    elif number == errno.EADDRNOTAVAIL:
        hint = _("Give an address of this computer, or 0.0.0.0 for all of them.")
    else:
        hint = _("Choose another port, or end the program that holds it.")
    return sentence.format(host=host, port=port, reason=why), hint


def run(
    build_command: Callable[[], click.Command],
    argv: Sequence[str] | None = None,
    *,
    crash_code: int = ExitCode.ERROR,
    profile_language: Callable[[Sequence[str]], str | None] | None = None,
) -> int:
    """Run a command line from argument vector to exit code; the body of every ``main()``.

    The language is activated first, then ``build_command`` is called, so its texts can be translated as they are
    written. A callback returns its exit code, or ``None`` for 0, or raises a :class:`Fault`.

    Args:
        build_command: Makes the root command; its name is the program's name, also under ``python -m``.
        argv: The arguments without the program's name. Default: those of the process.
        crash_code: The exit code of an uncaught exception: 4 where the contract of ``conformance`` and
            ``simulator`` holds, 1 for the tools that know only 0, 1 and 2.
        profile_language: Finds the language of the profile that the arguments name, asked when there is no
            ``--lang``. Where it cannot, it may raise: the command reports the same trouble later.

    Returns:
        The exit code. Only ``sys.exit()`` inside a callback gets past this function.
    """
    streams.make_safe()
    args = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in args or os.environ.get(DEBUG_VARIABLE, "") not in ("", "0")
    try:
        language.activate(language.resolve(language.peek(args), _ask(profile_language, args)))
        code = _invoke(build_command(), args)
        sys.stdout.flush()
        return code
    except (Exception, KeyboardInterrupt, BaseExceptionGroup) as error:
        if _reader_left(error):
            return int(crash_code)
        return _report(_only(error), debug=debug, crash_code=int(crash_code))


def _ask(profile_language: Callable[[Sequence[str]], str | None] | None, args: Sequence[str]) -> str | None:
    with suppress(Fault, click.ClickException, OSError, ValueError):
        return profile_language(args) if profile_language else None
    return None


def _invoke(command: click.Command, args: list[str]) -> int:
    # Not Command.main(): it would answer a closed pipe and the end of a stream by exiting on its own.
    name = command.name or ""
    completion = f"_{name.upper()}_COMPLETE"
    if instruction := os.environ.get(completion):
        return shell_complete(command, {}, name, completion, instruction)
    try:
        with command.make_context(name, args) as context:
            result = command.invoke(context)
    except click.exceptions.Exit as leaving:
        return leaving.exit_code
    return int(result) if isinstance(result, int) else ExitCode.OK


def _only(error: BaseException) -> BaseException:
    """Unpack the group that a task group makes of its only failure."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _report(error: BaseException, *, debug: bool, crash_code: int) -> int:
    if debug:
        for line in "".join(traceback.format_exception(error)).splitlines():
            _tell(line)
    match error:
        case KeyboardInterrupt() | click.Abort():
            _tell(_("Interrupted."))
            return ExitCode.INTERRUPTED
        case Fault():
            _tell_error(error.message, error.hint)
            return error.exit_code
        case click.ClickException():
            return _report_click(error)
        case FileNotFoundError() | PermissionError() | IsADirectoryError() | NotADirectoryError() if error.filename:
            sentence = _("cannot open {file}: {reason}.").format(file=_quoted(error.filename), reason=reason(error))
            _tell_error(sentence, _("Check the path and its permissions."))
            return ExitCode.USAGE
        case _:
            sentence = _("unexpected {exception}.").format(exception=_named(error))
            hint = _("Run it again with --debug (or {variable}=1) to see the traceback.")
            _tell(_("Error: {message}").format(message=sentence), hint.format(variable=DEBUG_VARIABLE))
            return crash_code


def _report_click(error: click.ClickException) -> int:
    hint = ""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        hint = _("Try '{command} --help' for examples.").format(command=error.ctx.command_path)
    _tell_error(error.format_message(), hint)
    return ExitCode.USAGE


def _named(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _quoted(filename: object) -> str:
    return f"'{os.fsdecode(filename)}'" if isinstance(filename, str | bytes | os.PathLike) else repr(filename)


def _tell_error(message: str, hint: str = "") -> None:
    _tell(_("Error: {message}").format(message=message))
    if hint:
        _tell(hint)


def _tell(*parts: str) -> None:
    """Write one line to stderr; each part is redacted by itself, because a password reaches to the end of its text."""
    line = " ".join(redact_pw(part) for part in parts)
    with suppress(OSError):  # nobody is left to be told
        click.echo(re.sub("(?<=[。？]) ", "", line), err=True)  # Chinese sentences follow each other without a blank


def _reader_left(error: BaseException) -> bool:
    """Tell whether ``error`` means that the reader of our output has gone, as ``head`` does.

    The broken pipe of a socket is an error like any other, so standard output itself is asked where it can be.
    """
    # Windows reports a closed pipe as an invalid argument.
    windows = sys.platform == "win32" and isinstance(error, OSError) and error.errno == errno.EINVAL
    if not (isinstance(error, BrokenPipeError) or windows):
        return False
    try:
        descriptor = sys.stdout.fileno()
        if hasattr(select, "poll"):
            poller = select.poll()
            poller.register(descriptor, 0)
            if not poller.poll(0):
                return False
        os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)  # so that flushing at exit does not complain
    except (OSError, ValueError):
        return False
    return True
