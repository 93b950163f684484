"""Building blocks for command lines: examples first, ``--lang`` everywhere, one way to read input.

Texts are translated while commands are built, so build them in the function handed to :func:`stationgate.exits.run`::

    def build() -> click.Command:
        cli = group("hj212", help=_("Read and write HJ 212."), examples=[("hj212 crc -", _("check value of stdin"))])

        @cli.command("crc", help=_("Print the check value."), examples=[...])
        @click.argument("source", default="-")
        @json_option()
        def crc(source: str, as_json: bool) -> int: ...

        return cli
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click

from stationgate import __version__
from stationgate.exits import ExitCode, UsageFault, reason
from stationgate.language import LANGUAGES, _, ngettext
from stationgate.layout import Formatter

__all__ = [
    "Command",
    "Example",
    "Group",
    "command",
    "group",
    "json_option",
    "open_input",
    "read_input",
    "show_secrets_option",
    "version_option",
]

#: A command line that can be copied, and what it is for.
Example = tuple[str, str]

_Decorated = TypeVar("_Decorated", bound=Callable[..., Any] | click.Command)


class _Context(click.Context):
    formatter_class = Formatter


class _Common(click.Command):
    """What every command of ours has: examples above its help, ``--lang`` and ``--debug``."""

    context_class = _Context

    def __init__(self, *args: Any, examples: Sequence[Example] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.params = [*self.params, _lang_option(), _debug_option()]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args and self.no_args_is_help and not ctx.resilient_parsing:
            click.echo(ctx.get_help(), err=True, color=ctx.color)
            ctx.exit(ExitCode.USAGE)
        return super().parse_args(ctx, args)

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.examples:
            with formatter.section(_("Examples")):
                formatter.write_dl(self.examples)
            formatter.write_paragraph()
        super().format_help(ctx, formatter)


class Command(_Common):
    """A command; takes ``examples`` besides what :class:`click.Command` takes."""


class Group(_Common, click.Group):
    """A group whose commands are :class:`Command` and whose groups are :class:`Group`."""

    command_class = Command
    group_class = type

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        word = args[0]
        if not word.startswith("-") and self.get_command(ctx, word) is None and not ctx.resilient_parsing:
            # click 8.4 and later do the same by themselves.
            message = _("No such command {name!r}.").format(name=word)
            if likely := difflib.get_close_matches(word, self.list_commands(ctx)):
                names = ", ".join(map(repr, likely))
                question = ngettext(
                    "Did you mean {possibility}?", "(Did you mean one of: {possibilities}?)", len(likely)
                )
                message += " " + question.format(possibility=names, possibilities=names)
            ctx.fail(message)
        return super().resolve_command(ctx, args)


def command(
    name: str, *, help: str, examples: Sequence[Example] = (), **attrs: Any
) -> Callable[[Callable[..., Any]], Command]:
    """Make a function a command of its own, outside any group."""
    return click.command(name, cls=Command, help=help, examples=examples, **attrs)


def group(name: str, *, help: str, examples: Sequence[Example] = (), **attrs: Any) -> Group:
    """Return a program's root group, with ``--version``, to which commands are added."""
    return version_option()(Group(name, help=help, examples=examples, **attrs))


def version_option() -> Callable[[_Decorated], _Decorated]:
    """Add ``--version``, which prints the program's name and the version of this distribution."""
    return click.version_option(__version__, message="%(prog)s %(version)s")


def json_option(help: str | None = None) -> Callable[[_Decorated], _Decorated]:
    """Add ``--json`` as the parameter ``as_json``; what is written for people then belongs on stderr."""
    text = help or _("Print JSON, one object per line; text for people goes to stderr.")
    return click.option("--json", "as_json", is_flag=True, help=text)


def show_secrets_option() -> Callable[[_Decorated], _Decorated]:
    """Add ``--show-secrets`` as the parameter ``show_secrets``."""
    return click.option("--show-secrets", is_flag=True, help=_("Show passwords and keys instead of ***."))


@contextmanager
def open_input(source: str) -> Iterator[BinaryIO]:
    """Open a file, or standard input for ``-``, for what is read piece by piece.

    Raises:
        UsageFault: If the file cannot be opened; the text says why.
    """
    if source == "-":
        yield sys.stdin.buffer
        return
    with ExitStack() as stack:
        try:
            file = stack.enter_context(Path(source).open("rb"))
        except OSError as error:
            raise _unreadable(source, error) from error
        yield file


def read_input(source: str) -> bytes:
    """Return all bytes of a file, or of standard input for ``-``.

    Raises:
        UsageFault: If the file cannot be read; the text says why.
    """
    try:
        return sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise _unreadable(source, error) from error


def _unreadable(source: str, error: OSError) -> UsageFault:
    return UsageFault(
        _("cannot read '{file}': {reason}.").format(file=source, reason=reason(error)),
        _("Give the path of a readable file, or - for standard input."),
    )


def _lang_option() -> click.Option:
    # Consumed by language.peek() before any command exists; declared here to be listed, checked and accepted.
    return click.Option(
        ["--lang"],
        type=click.Choice(LANGUAGES),
        is_eager=True,
        expose_value=False,
        help=_("Language of all text. Default: from the profile, then the locale."),
    )


def _debug_option() -> click.Option:
    return click.Option(["--debug"], is_flag=True, is_eager=True, expose_value=False, hidden=True)
