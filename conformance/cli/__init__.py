"""The command line of the conformance suite: one module for each kind of thing a user comes for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import click

from stationgate.language import _
from stationgate.options import group

from ..profile import load
from . import looking, preparing, proving, running, sealed

__all__ = ["build", "profile_language"]

#: Options whose value is the next word, which is then no profile.
_WITH_VALUE = frozenset(
    {"-x", "--exclude", "--listen", "--html", "--junit", "--lang", "--explain", "--bundle", "--sign-key", "--attach"}
    | {"--baseline", "--operator", "--forward", "--shorten"}
)


def profile_language(argv: Sequence[str]) -> str | None:
    """Return the language of the profile that ``run`` or ``plan`` is given; shipped ``nx-`` profiles speak Chinese."""
    if not argv or argv[0] not in ("run", "plan"):
        return None
    for before, word in pairwise(argv):
        if not word.startswith("-") and before not in _WITH_VALUE:
            profile = load(word)
            return profile.test.get("lang") or ("zh" if profile.name.startswith("nx-") else None)
    return None


def build() -> click.Command:
    """Build the command group in the active language."""
    cli = group(
        "conformance",
        help=_("Judge a device requirement by requirement, each verdict tied to a clause and to bytes."),
        examples=[
            ("conformance demo", _("a simulated door against the suite, on this machine")),
            ("conformance demo --fault modbus-crc", _("the same with a defect: see it found")),
            ("conformance run nx-door --listen 0.0.0.0:8212", _("a real door")),
            ("conformance explain REQ-A-08", _("what is asked, why, and how it is judged")),
        ],
    )
    for module in (preparing, running, sealed, looking, proving):
        module.add(cli)
    return cli
