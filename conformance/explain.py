"""What a case or a requirement is about: ``conformance explain ID``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from typing import Final

from stationgate.exits import UsageFault
from stationgate.language import N_, _, gettext
from stationgate.layout import display_width, wrap

from . import cases as _registered  # noqa: F401  # importing it registers the cases
from .case import CASES, Case
from .catalogue import CaseText, Requirement, cases, requirements
from .profile import Limit, Profile, limit_table
from .report.facts import level_word, limit_facts
from .report.shown import Look, plain
from .report.text import CHARSET, frame_lines
from .steps import STEPS

__all__ = ["explain"]

#: Nearest ids that are offered when one is unknown.
_MAX_OFFERS: Final = 5

_SOURCES: Final = {
    "seed": N_("the regional plan, a draft for comment; what it leaves open is marked in the explanation"),
    "text": N_("the text of a standard"),
    "guess": N_("an engineering choice of this suite, confirmed by nobody; by default it fails no device"),
}
_MODES: Final = {
    "AUTO": N_("judged from what the device sends, nobody has to act"),
    "AUTO+M": N_("judged from what the device sends while a person acts at it"),
    "DOC": N_("judged from documents"),
}

_LOOK: Final = Look(charset=CHARSET)

Row = tuple[str, Iterable[str]]


def explain(what: str, *, profile: Profile | None = None, width: int = 88) -> str:
    """Return the explanation of a case or a requirement in the active language, ending in a line feed.

    Args:
        what: A case id, or a requirement's number with or without the letter of a sub-check.
        profile: The profile whose limits and declarations are shown. Default: the suite's own limits.
        width: Columns of the terminal.

    Raises:
        UsageFault: If nothing has this id; the hint names what comes near.
    """
    known = cases()
    if what in known and what in CASES:
        lines = _case(CASES[what], known[what], profile, width)
    elif chosen := _of_requirement(what):
        lines = _requirement(requirements()[chosen[0].requirement], chosen, width)
    elif what.upper() in requirements():
        lines = _requirement(requirements()[what.upper()], [], width)
    else:
        raise _unknown(what)
    text = "\n".join(line.rstrip() for line in lines) + "\n"
    return text.encode(CHARSET, "backslashreplace").decode(CHARSET)


def _of_requirement(what: str) -> list[CaseText]:
    wanted = what.lower()
    return [text for text in cases().values() if wanted in (text.requirement.lower(), text.requirement_label.lower())]


def _unknown(what: str) -> UsageFault:
    ids = [*CASES, *requirements()]
    wanted = what.strip().strip("/").lower()
    inside = [id for id in ids if wanted and wanted in id.lower()]
    alike = get_close_matches(wanted, [id.lower() for id in ids], n=_MAX_OFFERS, cutoff=0.5)
    last = get_close_matches(wanted.rpartition("/")[2], {id.rpartition("/")[2]: 0 for id in CASES}, n=2, cutoff=0.7)
    near = [*inside, *(id for id in ids if id.lower() in alike or id.rpartition("/")[2] in last)]
    offers = list(dict.fromkeys(near))[:_MAX_OFFERS]
    hint = (
        _("did you mean {names}?").format(names=", ".join(offers))
        if offers
        else _("conformance list shows every case and requirement")
    )
    return UsageFault(_("no case and no requirement is called {name!r}").format(name=what), hint)


def _case(case: Case, text: CaseText, profile: Profile | None, width: int) -> Iterator[str]:
    requirement = requirements()[text.requirement]
    limits = profile.limits if profile else limit_table()
    yield f"{case.id}   {level_word(text.level).upper()}   {text.clause}"
    yield text.title
    rows: list[Row] = [
        (_("requirement"), [f"{text.requirement_label}: {requirement.text}"]),
        (_("source"), [_source(requirement)]),
        (_("clause"), [text.clause]),
        (_("level"), [_level(text)]),
        (_("what is done"), _steps(case)),
        (_("compares with"), [_limit(limits[name]) for name in case.limits]),
        (_("preconditions"), [f"{need}: {cases()[need].title}" for need in case.needs]),
    ]
    left_out = case.applies(profile) if profile else None
    if left_out:
        rows.append((_("left out"), [_("by this profile: {why}").format(why=left_out)]))
    rows += [
        (_("explanation"), text.why.split("\n") if text.why else []),
        (_("defects that must not pass"), [", ".join(case.killed_by)]),
        (_("try it"), [f"conformance demo --fault {case.killed_by[0]}"] if case.killed_by else []),
    ]
    yield from _sections(rows, width)
    yield from _examples(text, width)


def _source(requirement: Requirement) -> str:
    return gettext(_SOURCES.get(requirement.source, requirement.source))


def _level(text: CaseText) -> str:
    if text.level == "shall":
        return _("shall: breaking it is a FAIL")
    return _("should: breaking it is a WARN, unless the profile says otherwise")


def _steps(case: Case) -> Iterator[str]:
    for number, id in enumerate(case.uses, 1):
        step = STEPS[id]
        person = f" ({_('a person acts')})" if step.manual else ""
        yield f"{number}. {step.title}{person}"


def _limit(limit: Limit) -> str:
    shown = limit_facts(limit)
    return f"{shown.name} = {shown.shown} ({shown.origin_word}, {shown.basis}): {shown.text}"


def _requirement(requirement: Requirement, chosen: list[CaseText], width: int) -> Iterator[str]:
    yield f"{requirement.id}   {requirement.clause}"
    yield from wrap(requirement.text, width)
    served = [f"{text.id} ({level_word(text.level).upper()}): {text.title}" for text in chosen]
    rows: list[Row] = [
        (_("source"), [_source(requirement)]),
        (_("how it is judged"), [gettext(_MODES.get(requirement.mode, requirement.mode))]),
        (_("cases"), served or [_("none: this suite does not judge it")]),
    ]
    if served:
        rows.append((_("more"), [f"conformance explain {chosen[0].id}"]))
    yield from _sections(rows, width)


def _examples(text: CaseText, width: int) -> Iterator[str]:
    """Yield the frames, with what the bad one has instead of the good one marked."""
    good, bad = text.good.encode(), text.bad.encode()
    if not good and not bad:
        return
    yield ""
    yield _("examples (identities are made up)")
    for label, frame, marks in ((_("good"), good, ()), (_("bad"), bad, _difference(good, bad))):
        if frame:
            lines = frame_lines(plain(frame, marks, _LOOK), width - 2 - _LABEL)
            yield from _hanging(label, lines, indent=2, column=_LABEL)


#: Columns for ``good`` and ``bad`` in either language.
_LABEL: Final = 8


def _difference(good: bytes, bad: bytes) -> tuple[tuple[int, int], ...]:
    """Return the words of ``bad`` from the first to the last that differ from ``good``; none where all of it does."""
    if not good or not bad:
        return ()
    start = next((i for i, (a, b) in enumerate(zip(good, bad, strict=False)) if a != b), min(len(good), len(bad)))
    rest = min(len(good), len(bad)) - start
    same = next((i for i in range(rest) if good[-1 - i] != bad[-1 - i]), rest)
    end = max(len(bad) - same, start + 1)
    while start and bad[start - 1 : start].isalnum():
        start -= 1
    while bad[end : end + 1].isalnum():
        end += 1
    return ((start, end),) if start else ()


def _sections(rows: Iterable[Row], width: int) -> Iterator[str]:
    for label, texts in rows:
        paragraphs = [text for text in texts if text]
        if paragraphs:
            yield ""
            yield label
            for paragraph in paragraphs:
                yield from (f"  {line}" for line in wrap(paragraph, width - 2))


def _hanging(label: str, lines: Iterable[str], *, indent: int, column: int) -> Iterator[str]:
    head = label
    for line in lines:
        yield f"{'':{indent}}{head}{'':{max(column - display_width(head), 0)}}{line}"
        head = ""
