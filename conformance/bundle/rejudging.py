"""Judging a bundle again: the same record, the same profile, this version of the suite."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from stationgate import __version__
from stationgate.exits import DataFault, Fault
from stationgate.language import Language, _

from ..judge import judge
from ..plan import Plan, UnknownSelectionError, make_plan
from ..profile import Profile
from ..report import facts
from ..report.facts import Report
from ..verdicts import CaseResult
from .opening import MALFORMED, Bundle
from .sealing import verdicts_json

__all__ = ["Change", "Rejudged", "rejudge", "report_of"]

#: What a verdict rests on and says; other keys may come and go with versions.
_GROUNDS: Final = ("expected", "actual", "hint", "evidence", "evidence_count", "suite_default")


@dataclass(frozen=True, slots=True)
class Change:
    """A case whose verdict is another one now.

    Attributes:
        case: Its id.
        before: Its verdict when it was sealed; empty where there was no such case.
        after: Its verdict now; empty where there is no such case any more.
    """

    case: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Rejudged:
    """The verdicts of this suite.

    Attributes:
        plan: What was judged.
        results: The verdicts.
        changes: Which are not those that were sealed.
        regrounded: Cases with the same verdict, but said or founded in another way.
    """

    plan: Plan
    results: tuple[CaseResult, ...]
    changes: tuple[Change, ...]
    regrounded: tuple[str, ...]


def rejudge(bundle: Bundle) -> Rejudged:
    """Judge a bundle again and compare, in the language it was sealed in.

    Raises:
        DataFault: If its record or its selection means nothing to this suite.
    """
    try:
        plan = make_plan(bundle.profile, bundle.select, bundle.exclude, bundle.mode)
        results = tuple(judge(bundle.transcript, bundle.profile, plan))
        report = _report(bundle, plan, results, lang=bundle.verdicts["language"])
        now = {case["id"]: case for case in verdicts_json(report)["cases"]}
    except UnknownSelectionError as error:
        raise DataFault(
            _("the bundle was made with the selection {word!r}, which matches no case of this suite").format(
                word=str(error)
            ),
            _("judge it with version {version}").format(version=bundle.manifest.suite),
        ) from error
    except Fault:
        raise
    except MALFORMED as error:
        raise DataFault(_("the transcript is signed, but holds what no run writes")) from error
    sealed = {case["id"]: case for case in bundle.verdicts["cases"]}
    changes = tuple(_changes(sealed, now))
    changed = {change.case for change in changes}
    same = [id for id in now if id in sealed and id not in changed]
    return Rejudged(plan, results, changes, tuple(id for id in same if _grounds(now[id]) != _grounds(sealed[id])))


def report_of(
    bundle: Bundle,
    judged: Rejudged,
    *,
    profile: Profile | None = None,
    lang: Language | None = None,
    strict: bool = False,
    outward: bool = False,
) -> Report:
    """Return the report of verdicts, with the times and the signer of the bundle.

    Args:
        profile: What is shown as declared, where that is not the bundle's own profile.
        lang: Its language. Default: the active one.
        strict: Whether WARN counts as FAIL for the exit code.
        outward: For a copy that goes out of the house: hide as well what secrets could be found from.
    """
    return _report(
        bundle, judged.plan, judged.results, profile=profile, lang=lang, strict=strict, outward=outward
    )  # fmt: skip


def _report(
    bundle: Bundle, plan: Plan, results: tuple[CaseResult, ...], *, profile: Profile | None = None, **options: Any
) -> Report:
    return facts.build(
        results,
        bundle.transcript,
        profile or bundle.profile,
        plan,
        version=__version__,
        started=bundle.verdicts["started"],
        ended=bundle.verdicts["ended"],
        signer=bundle.fingerprint,
        **options,
    )


def _changes(sealed: dict[str, Any], now: dict[str, Any]) -> Iterator[Change]:
    for id in dict.fromkeys([*sealed, *now]):
        before = sealed[id]["verdict"] if id in sealed else ""
        after = now[id]["verdict"] if id in now else ""
        if before != after:
            yield Change(id, before, after)


def _grounds(case: dict[str, Any]) -> list[Any]:
    return [case.get(key) for key in _GROUNDS]
