"""Options that several commands have, and what their values mean."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stationgate.exits import UsageFault
from stationgate.language import _
from stationgate.options import json_option

from ..plan import Mode, Plan, UnknownSelectionError, make_plan
from ..profile import Profile

if TYPE_CHECKING:
    from ..bundle import Key

__all__ = ["Outputs", "address", "evidence_options", "planned", "report_options", "writable"]


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where a run's verdicts go, and what of them decides the exit code.

    Attributes:
        html: Where to write the report for a browser or a printer.
        junit: Where to write the report for a CI server.
        bundle: Where to seal the evidence.
        sign_key: File of the key that signs it; empty: the one of this installation.
        attach: Files that belong to the evidence.
        baseline: File of known deviations.
        as_json: Print JSON lines; what is for people goes to stderr.
        strict: A warning fails the run too.
    """

    html: str | None = None
    junit: str | None = None
    bundle: str | None = None
    sign_key: str | None = None
    attach: tuple[str, ...] = ()
    baseline: str | None = None
    as_json: bool = False
    strict: bool = False

    def check(self) -> None:
        """Find out before the run what could not be written or read after it."""
        from ..bundle import check_attachments

        for path in (self.html, self.junit, self.bundle):
            writable(path)
        self.key()
        if self.baseline:
            from ..baseline import read

            read(self.baseline)
        check_attachments([Path(path) for path in self.attach])

    def key(self) -> Key | None:
        """Return the key that signs the evidence, ``None`` where none is sealed; made on first use."""
        from ..bundle import installation_key, load_key

        if self.sign_key:
            return load_key(Path(self.sign_key))
        return installation_key() if self.bundle else None


def _outputs(command: Callable[..., int], names: tuple[str, ...]) -> Callable[..., int]:
    """Hand a command its outputs as one value."""

    @functools.wraps(command)
    def with_outputs(**given: Any) -> int:
        chosen = {name: given.pop(name) for name in names}
        return command(outputs=Outputs(**chosen), **given)

    return with_outputs


def report_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add ``--html``, ``--junit``, ``--json``, ``--strict``, ``--baseline``; the command gets an :class:`Outputs`."""
    return _add(_outputs(command, ("html", "junit", "baseline", "as_json", "strict")), _report())


def evidence_options(command: Callable[..., int]) -> Callable[..., int]:
    """Add what :func:`report_options` adds, and ``--bundle``, ``--sign-key`` and ``--attach``."""
    names = ("html", "junit", "bundle", "sign_key", "attach", "baseline", "as_json", "strict")
    evidence = [
        click.option("--bundle", type=click.Path(dir_okay=False), help=_("Seal the evidence into this file.")),
        click.option(
            "--sign-key", type=click.Path(dir_okay=False), help=_("Sign with this key instead of this computer's own.")
        ),
        click.option(
            "--attach",
            multiple=True,
            type=click.Path(dir_okay=False),
            help=_("A file that belongs to the evidence, for example a capture; may be given again."),
        ),
    ]
    return _add(_outputs(command, names), [*_report(), *evidence])


def _report() -> list[Callable[..., Any]]:
    return [
        click.option("--html", type=click.Path(dir_okay=False), help=_("Write a report for a browser or a printer.")),
        click.option("--junit", type=click.Path(dir_okay=False), help=_("Write a JUnit report.")),
        json_option(),
        click.option("--strict", is_flag=True, help=_("A warning fails the run too.")),
        click.option("--baseline", type=click.Path(dir_okay=False), help=_("Known deviations, which fail nothing.")),
    ]


def _add(command: Callable[..., int], options: list[Callable[..., Any]]) -> Callable[..., int]:
    for option in reversed(options):
        command = option(command)
    return command


_EXAMPLES = {"--listen": "0.0.0.0:8212", "--forward": "10.0.0.5:8212"}


def address(text: str, option: str = "--listen") -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``.

    Raises:
        UsageFault: If it is not that.
    """
    host, colon, port = text.rpartition(":")
    if colon and port.isascii() and port.isdigit() and int(port) <= 65535:
        return host.strip("[]") or "0.0.0.0", int(port)  # what an empty host means to whoever writes it
    raise UsageFault(
        _("{option} {text!r}: expected HOST:PORT").format(option=option, text=text),
        _("for example: {option} {address}").format(option=option, address=_EXAMPLES[option]),
    )


def planned(profile: Profile, select: tuple[str, ...], exclude: tuple[str, ...], mode: Mode | None = None) -> Plan:
    """Return the plan for what was selected.

    Raises:
        UsageFault: If a word matches nothing.
    """
    try:
        return make_plan(profile, select, exclude, mode)
    except UnknownSelectionError as error:
        raise UsageFault(
            _("no case matches {word!r}").format(word=str(error)), _("list them with: conformance list")
        ) from error


def writable(path: str | None) -> str | None:
    """Check before the run that a file can be written after it."""
    if path is not None:
        target = Path(path)
        existed = target.exists()
        with target.open("ab"):
            pass
        if not existed:
            target.unlink()
    return path
