"""The profile as a file for people: every key and every limit with what it is, what was not answered as a comment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import tomli_w

from stationgate import __version__
from stationgate.language import _, gettext
from stationgate.layout import wrap

from ..profile import Limit, shipped
from ..report.facts import limit_facts
from .keys import KEYS, SECTIONS

__all__ = ["BASES", "render"]

#: Kind of device -> the shipped profile that says what its file leaves out.
BASES: Final = {"door": "nx-door"}
#: Columns of a comment.
WIDTH: Final = 100

Given = Mapping[str, Mapping[str, Any]]


def render(kind: str, given: Given) -> str:
    """Return the profile as TOML with comments in the active language, ending in a line feed.

    Args:
        kind: What the device is, a key of :data:`BASES`.
        given: What was answered, by section and key. Everything else is a comment that shows its default.
    """
    base = shipped(BASES[kind])
    lines = [
        *_comment(_("Profile of a device under test, written by conformance init (stationgate {version}).").format(
            version=__version__)),
        *_comment(_("Text is UTF-8. What begins with # is not declared; remove the # to declare it.")),
        *_assigned("extends", base.name),
    ]  # fmt: skip
    for section, about in SECTIONS.items():
        lines += ["", *_comment(gettext(about)), f"[{section}]"]
        defaults = getattr(base, section)
        for (of, name), key in KEYS.items():
            if of == section:
                lines += _comment(_("{label}: {about}").format(label=key.question, about=key.explanation))
                if name in given.get(section, {}):
                    lines += _assigned(name, given[section][name])
                else:
                    lines += _commented(name, defaults.get(name, key.example))
    about = _(
        "Every number that a verdict compares with, at its default. A FAIL that rests on a number of yours says so."
    )
    lines += ["", *_comment(about), "[limits]"]
    for limit in base.limits.values():
        lines += _limit(limit)
    return "\n".join(lines) + "\n"


def _comment(text: str) -> Iterator[str]:
    return (f"# {line}" for line in wrap(text, WIDTH - 2))


def _assigned(name: str, value: Any) -> list[str]:
    return tomli_w.dumps({name: value}).rstrip("\n").split("\n")


def _commented(name: str, value: Any) -> list[str]:
    return [f"# {line}" for line in _assigned(name, value)]


def _limit(limit: Limit) -> Iterator[str]:
    shown = limit_facts(limit)
    text = _("{text} ({unit})").format(text=shown.text, unit=gettext(limit.unit)) if limit.unit else shown.text
    yield from _comment(_("{text}; {origin}, {basis}").format(text=text, origin=shown.origin_word, basis=shown.basis))
    yield from _commented(limit.name, limit.value)
