"""The facts of a report, put together once; every format renders the same ones.

A :class:`Report` is plain data in one language, already redacted: a renderer lays it out and adds nothing. Building
it reads no clock and no file, so the same transcript and profile give the same report at any time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from stationgate.exits import ExitCode
from stationgate.language import N_, Language, _, current, gettext, speaking

from ..case import CASES
from ..catalogue import CaseText, cases, requirements
from ..evidence import Evidence
from ..plan import Plan
from ..profile import Limit, Profile, limit_text
from ..transcript import Transcript
from ..verdicts import CaseResult, Ref, Verdict, exit_code
from .document import Document, describe
from .frames import FrameLog, FrameRow
from .shown import Look, Redactor, Span, printable
from .statements import Statements, gather
from .words import EDITIONS, SAMPLE_LABELS, TEST_LABELS, level_word, moment

__all__ = [
    "MAX_PLACES",
    "MAX_QUOTES",
    "CaseFacts",
    "Identity",
    "LimitFacts",
    "NotJudged",
    "Place",
    "QuoteFacts",
    "Report",
    "RequirementFacts",
    "build",
    "level_word",
    "limit_facts",
]

#: Frames quoted for one case; the other places are listed by number.
MAX_QUOTES: Final = 4
#: Places in the transcript listed for one case. Judgements name few; only a flood of records exceeds this.
MAX_PLACES: Final = 500

_UNITS: Final = {"s": N_("s"), "bytes": N_("bytes"), "characters": N_("characters")}
_ORIGINS: Final = {"clause": N_("clause"), "profile": N_("profile"), "suite": N_("suite default")}


@dataclass(frozen=True, slots=True)
class LimitFacts:
    """A number that a verdict compares with."""

    name: str
    value: object
    unit: str
    shown: str  #: value and unit
    origin: str  #: ``clause``, ``profile`` or ``suite``
    origin_word: str
    basis: str
    text: str  #: what it limits


@dataclass(frozen=True, slots=True)
class Place:
    """Bytes that a verdict rests on: where they stand, and what they say, redacted."""

    seq: int
    start: int
    end: int
    text: str

    def __str__(self) -> str:
        if self.end <= self.start:
            return _("transcript {seq}").format(seq=self.seq)
        return _("transcript {seq}; bytes {first}-{last}").format(seq=self.seq, first=self.start, last=self.end - 1)


@dataclass(frozen=True, slots=True)
class QuoteFacts:
    """A frame that a verdict rests on, for display."""

    row: FrameRow
    places: tuple[Place, ...]
    marks: tuple[tuple[int, int], ...]  #: ranges inside the frame; empty when all of it is meant
    when: str


@dataclass(frozen=True, slots=True)
class CaseFacts:
    """One case with its verdict."""

    id: str
    title: str
    requirement: str  #: with the letter of the sub-check
    clause: str
    level: str
    verdict: Verdict
    time_mode: str
    expected: str
    actual: str
    hint: str
    why: str
    limits: tuple[LimitFacts, ...]
    suite_default: tuple[LimitFacts, ...]  #: those that decided a FAIL or WARN and that only the suite chose
    places: tuple[Place, ...]
    place_count: int  #: more than :attr:`places` where those are limited
    quotes: tuple[QuoteFacts, ...]  #: for verdicts other than PASS
    quote_count: int  #: more than :attr:`quotes` where those are limited
    offending: tuple[int, ...]  #: indices of the frames that a FAIL or WARN rests on


@dataclass(frozen=True, slots=True)
class RequirementFacts:
    """A requirement with its cases in this run."""

    id: str
    text: str
    clause: str
    source: str
    cases: tuple[CaseFacts, ...]

    @property
    def passed(self) -> int:
        """How many of its cases are PASS."""
        return sum(case.verdict is Verdict.PASS for case in self.cases)

    @property
    def held(self) -> bool:
        """Whether every one of its cases that applies is PASS."""
        return self.passed > 0 and all(c.verdict in (Verdict.PASS, Verdict.NOT_APPLICABLE) for c in self.cases)


@dataclass(frozen=True, slots=True)
class NotJudged:
    """Cases that were not judged for one reason."""

    verdict: Verdict | None  #: ``None``: not part of this run
    reason: str
    cases: tuple[str, ...]
    titles: tuple[str, ...]  #: of the cases, in the same order


@dataclass(frozen=True, slots=True)
class Identity:
    """The device as it named itself and as it is declared."""

    mn: str
    st: str
    edition: str
    dictionary: str


@dataclass(frozen=True, slots=True)
class Report:
    """Everything a report says, in one language, redacted.

    Attributes:
        lang: The language of every text.
        version: Version of the suite.
        profile: Name of the profile.
        started: POSIX seconds.
        ended: POSIX seconds.
        sample: Label and value of each ``[sample]`` entry; the value is empty where it is missing.
        test: The same of ``[test]``.
        missing: Labels of the entries without which this is a trial run.
        missing_keys: The same as ``section.key``.
        device: Who was tested.
        requirements: The cases, grouped.
        counts: How many cases have each verdict, every verdict listed.
        not_judged: Why cases were not judged.
        total: All cases of the suite, judged or not.
        exit_code: What the run ends with.
        time_modes: The time modes of its verdicts.
        digest: SHA-256 of the transcript.
        entry_count: Entries of the transcript.
        limits: Every limit in force.
        document: The document and the conditions of the test.
        statements: What the record says of the run itself.
        frames: What crossed the wire.
        evidence: The transcript as judgements saw it.
        redactor: Shows bytes of the transcript.
    """

    lang: Language
    version: str
    profile: str
    started: float
    ended: float
    sample: dict[str, tuple[str, str]]
    test: dict[str, tuple[str, str]]
    missing: tuple[str, ...]
    missing_keys: tuple[str, ...]
    device: Identity
    requirements: tuple[RequirementFacts, ...]
    counts: dict[Verdict, int]
    not_judged: tuple[NotJudged, ...]
    total: int
    exit_code: ExitCode
    time_modes: tuple[str, ...]
    digest: str
    entry_count: int
    limits: tuple[LimitFacts, ...]
    document: Document
    statements: Statements
    frames: FrameLog = field(repr=False)
    evidence: Evidence = field(repr=False)
    redactor: Redactor = field(repr=False)

    @property
    def cases(self) -> tuple[CaseFacts, ...]:
        """Every case, grouped by requirement."""
        return tuple(case for requirement in self.requirements for case in requirement.cases)

    @property
    def trial_run(self) -> bool:
        """Whether entries are missing without which this decides nothing."""
        return bool(self.missing)

    @property
    def not_judged_count(self) -> int:
        """How many cases of the suite were not judged."""
        return sum(len(group.cases) for group in self.not_judged)

    def failing(self, limit: LimitFacts) -> tuple[str, ...]:
        """Return the cases with a FAIL that compares with ``limit``."""
        return tuple(
            case.id
            for case in self.cases
            if case.verdict is Verdict.FAIL and any(used.name == limit.name for used in case.limits)
        )

    def in_both(self, pair: tuple[str, str]) -> tuple[str, str]:
        """Return a fixed line in the report's language, and in the other."""
        zh, en = pair
        return (zh, en) if self.lang == "zh" else (en, zh)

    def spans(self, quote: QuoteFacts, look: Look) -> tuple[Span, ...]:
        """Return a quoted frame for display."""
        return self.redactor.spans(quote.row.refs, quote.marks, look)


def build(
    results: Sequence[CaseResult],
    transcript: Transcript,
    profile: Profile,
    plan: Plan,
    *,
    version: str,
    started: float | None = None,
    ended: float | None = None,
    lang: Language | None = None,
    strict: bool = False,
    signer: str = "",
    outward: bool = False,
) -> Report:
    """Put together what every format shows.

    Args:
        results: The verdicts.
        transcript: What they rest on.
        profile: What was declared.
        plan: What was to be judged.
        version: Version of the suite.
        started: When the run began, POSIX seconds. Default: the transcript's first entry.
        ended: When it ended. Default: the transcript's last entry.
        lang: Language of the report. Default: the active one.
        strict: Whether WARN counts as FAIL for the exit code.
        signer: Fingerprint of the key that signs the evidence, where it is signed.
        outward: For a copy that goes out of the house: hide as well what secrets could be found from.
    """
    with speaking(lang or current()):
        builder = _Builder(results, transcript, profile, plan, outward)
        times = [transcript[0].t_wall, transcript[-1].t_wall] if len(transcript) else [transcript.epoch] * 2
        return Report(
            lang=current(),
            version=version,
            profile=printable(profile.name),
            started=times[0] if started is None else started,
            ended=times[1] if ended is None else ended,
            sample=_declared(profile.sample, SAMPLE_LABELS),
            test=_declared(profile.test, TEST_LABELS),
            missing=tuple(_missing_label(key) for key in profile.missing),
            missing_keys=tuple(profile.missing),
            device=builder.identity(),
            requirements=builder.requirements(),
            counts={verdict: sum(r.verdict is verdict for r in results) for verdict in Verdict},
            not_judged=builder.not_judged(),
            total=len({*CASES, *(result.case for result in results)}),
            exit_code=exit_code(results, strict=strict),
            time_modes=tuple(dict.fromkeys(result.time_mode for result in results)),
            digest=transcript.digest,
            entry_count=len(transcript),
            limits=tuple(limit_facts(limit) for limit in profile.limits.values()),
            document=describe(results, builder.evidence, signer),
            statements=gather(builder.evidence, builder.frames, builder.redactor),
            frames=builder.frames,
            evidence=builder.evidence,
            redactor=builder.redactor,
        )


class _Builder:
    def __init__(
        self, results: Sequence[CaseResult], transcript: Transcript, profile: Profile, plan: Plan, outward: bool
    ) -> None:
        self.results = results
        self.transcript = transcript
        self.profile = profile
        self.plan = plan
        self.evidence = Evidence(transcript, profile)
        self.redactor = Redactor(transcript, profile, outward=outward)
        self.frames = FrameLog(self.evidence)

    def identity(self) -> Identity:
        device = self.profile.device
        edition = device.get("edition", "")
        return Identity(
            mn=self.redactor.text(self.evidence.mn),
            st=printable(device.get("st", "")),
            edition=EDITIONS.get(edition, printable(edition)),
            dictionary=printable(device.get("dictionary", "")),
        )

    def requirements(self) -> tuple[RequirementFacts, ...]:
        groups: dict[str, list[CaseFacts]] = {}
        for result in self.results:
            text = cases().get(result.case)
            id = text.requirement if text else result.requirement
            groups.setdefault(id, []).append(self._case(result, text))
        known = requirements()
        order = {id: index for index, id in enumerate(known)}
        found = []
        for id in sorted(groups, key=lambda id: order.get(id, len(order))):
            row = known.get(id)
            words = (row.text, row.clause, row.source) if row else ("", groups[id][0].clause, "")
            found.append(RequirementFacts(id, *words, tuple(sorted(groups[id], key=lambda case: case.requirement))))
        return tuple(found)

    def _case(self, result: CaseResult, text: CaseText | None) -> CaseFacts:
        outcome = result.outcome
        case = CASES.get(result.case)
        limits = self.profile.limits
        passed = result.verdict is Verdict.PASS
        quotes = [] if passed else self.frames.quotes(outcome.evidence)
        return CaseFacts(
            id=result.case,
            title=text.title if text else result.case,
            requirement=result.requirement,
            clause=result.clause,
            level=result.level,
            verdict=result.verdict,
            time_mode=result.time_mode,
            expected=self.redactor.said(outcome.expected),
            actual=self.redactor.said(outcome.actual),
            hint=self.redactor.said(outcome.hint) if outcome.hint else "",
            why=self.redactor.own(text.why) if text else "",
            limits=tuple(limit_facts(limits[name]) for name in (case.limits if case else ()) if name in limits),
            suite_default=tuple(limit_facts(limits[name]) for name in outcome.suite_default if name in limits),
            places=tuple(self._place(ref) for ref in outcome.evidence[:MAX_PLACES]),
            place_count=len(outcome.evidence),
            quotes=tuple(
                QuoteFacts(q.row, tuple(self._place(r) for r in q.refs), q.marks, moment(self.evidence.wall(q.row.t)))
                for q in quotes[:MAX_QUOTES]
            ),
            quote_count=len(quotes),
            offending=tuple(q.index for q in quotes) if result.verdict in (Verdict.FAIL, Verdict.WARN) else (),
        )

    def _place(self, ref: Ref) -> Place:
        data = self.transcript[ref.seq].data if 0 <= ref.seq < len(self.transcript) else b""
        end = len(data) if ref.end is None else min(ref.end, len(data))
        start = min(ref.start, end)
        shown = "".join(span.text for span in self.redactor.spans((Ref(ref.seq, start, end),))) if start < end else ""
        return Place(ref.seq, start, end, shown)

    def not_judged(self) -> tuple[NotJudged, ...]:
        groups: dict[tuple[Verdict | None, str], list[str]] = {}
        for result in self.results:
            if not result.verdict.conclusive or result.verdict is Verdict.NOT_APPLICABLE:
                groups.setdefault((result.verdict, self.redactor.said(result.outcome.actual)), []).append(result.case)
        judged = {result.case for result in self.results}
        unselected = [id for id in CASES if id not in judged]
        if unselected:
            groups[None, _("not selected for this run")] = unselected
        order: list[Verdict | None] = [*_UNJUDGED, None]
        return tuple(
            NotJudged(verdict, reason, tuple(ids), tuple(cases()[id].title if id in cases() else id for id in ids))
            for (verdict, reason), ids in sorted(groups.items(), key=lambda item: order.index(item[0][0]))
        )


_UNJUDGED: Final = (Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PENDING, Verdict.NOT_APPLICABLE)


def limit_facts(limit: Limit) -> LimitFacts:
    """Return a limit for display, in the active language."""
    origin = gettext(_ORIGINS[limit.origin]) if limit.origin in _ORIGINS else limit.origin
    value = f"{limit.value:g}" if isinstance(limit.value, float) else str(limit.value)
    shown = f"{value} {gettext(_UNITS.get(limit.unit, limit.unit))}".strip()
    return LimitFacts(limit.name, limit.value, limit.unit, shown, limit.origin, origin, limit.basis, limit_text(limit))


def _declared(given: dict[str, str], labels: dict[str, str]) -> dict[str, tuple[str, str]]:
    return {key: (gettext(label), printable(str(given.get(key, "")))) for key, label in labels.items()}


def _missing_label(key: str) -> str:
    name = key.partition(".")[2]
    return gettext({**SAMPLE_LABELS, **TEST_LABELS}.get(name, name))
