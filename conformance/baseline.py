"""The baseline: deviations of a device that are known, each with a reason, an owner and the day it ceases to count.

A baseline changes the exit code and nothing else: every verdict stays what it is. It cannot go stale unseen, because
a listed case that passes, and an entry whose day is over, fail the run::

    [[known]]
    case = "access/framing/crc"
    verdict = "FAIL"
    reason = "fixed in firmware 2.4, not yet released"
    owner = "Li, firmware"
    expires = 2026-03-31            # the last day on which it counts
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

from stationgate.exits import ExitCode, UsageFault, reason, worst
from stationgate.language import _, ngettext
from stationgate.layout import display_width, pad
from stationgate.redaction import redact_pw
from stationgate.textfile import parse_toml, read_text

from . import catalogue
from .verdicts import CaseResult, Verdict, exit_code

__all__ = ["MAX_WORDS", "Baseline", "Comparison", "Known", "Other", "parse", "read"]

#: What can be known of a device. A PASS needs no excuse, and an ERROR is ours.
LISTABLE: Final = (Verdict.FAIL, Verdict.WARN, Verdict.INCONCLUSIVE, Verdict.PENDING)
#: Characters of a reason or an owner: they stand in one line of a report.
MAX_WORDS: Final = 300
_TABLE: Final = "known"


@dataclass(frozen=True, slots=True)
class Known:
    """One deviation that is known.

    Attributes:
        case: Id of the case.
        verdict: The verdict it is expected to get.
        reason: Why that is so.
        owner: Who is to end it.
        expires: The last day on which it counts.
    """

    case: str
    verdict: Verdict
    reason: str
    owner: str
    expires: date

    def to_json(self) -> dict[str, str]:
        """Return the entry as JSON values."""
        return {
            "case": self.case,
            "verdict": self.verdict.value,
            "reason": self.reason,
            "owner": self.owner,
            "expires": self.expires.isoformat(),
        }


@dataclass(frozen=True, slots=True)
class Other:
    """An entry whose case got another verdict than it lists, not a PASS."""

    entry: Known
    found: Verdict


@dataclass(frozen=True, slots=True)
class Baseline:
    """The entries of a file, each case at most once."""

    name: str
    entries: tuple[Known, ...] = ()

    def compare(self, results: Iterable[CaseResult], today: date) -> Comparison:
        """Return how the entries fit the verdicts of a run.

        Args:
            results: What was judged.
            today: The day by which entries expire.
        """
        found = {result.case: result.verdict for result in results}
        expired = tuple(e for e in self.entries if e.case in found and today > e.expires)
        live = tuple(e for e in self.entries if e.case in found and today <= e.expires)
        return Comparison(
            name=self.name,
            known=tuple(e for e in live if found[e.case] is e.verdict),
            unexpected=tuple(e for e in live if found[e.case] is Verdict.PASS),
            expired=expired,
            other=tuple(
                Other(e, found[e.case]) for e in live if found[e.case] not in (e.verdict, Verdict.PASS)
            ),
            absent=tuple(e for e in self.entries if e.case not in found),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Comparison:
    """A baseline held against a run.

    Attributes:
        name: Name of the file.
        known: Entries whose case got the verdict they list; those verdicts do not fail the run.
        unexpected: Entries whose case passes now; they fail the run.
        expired: Entries whose day is over, whatever their case got; they fail the run.
        other: Entries whose case got another verdict, which counts as if it were not listed.
        absent: Entries whose case is not part of this run; stated, no failure.
    """

    name: str
    known: tuple[Known, ...] = ()
    unexpected: tuple[Known, ...] = ()
    expired: tuple[Known, ...] = ()
    other: tuple[Other, ...] = ()
    absent: tuple[Known, ...] = ()

    @property
    def stale(self) -> bool:
        """Whether the baseline itself fails the run."""
        return bool(self.unexpected or self.expired)

    def exit_code(self, results: Iterable[CaseResult], *, strict: bool = False) -> ExitCode:
        """Return the exit code of the run: that of the verdicts not known, and 1 where the baseline is stale."""
        known = {entry.case for entry in self.known}
        rest = exit_code((result for result in results if result.case not in known), strict=strict)
        return worst((rest, ExitCode.FAIL if self.stale else ExitCode.OK))

    def entry(self, case: str) -> Known | None:
        """Return the entry that covers the verdict of a case, or ``None``."""
        return next((entry for entry in self.known if entry.case == case), None)

    def lines(self) -> Iterator[str]:
        """Yield what a person reads of it, in the active language: counts first, then a line for each entry."""
        parts = (
            ngettext("{n} known", "{n} known", len(self.known)).format(n=len(self.known)),
            ngettext("{n} unexpected pass", "{n} unexpected passes", len(self.unexpected)).format(
                n=len(self.unexpected)
            ),
            ngettext("{n} expired", "{n} expired", len(self.expired)).format(n=len(self.expired)),
        )
        yield _("baseline {file}: {counts}").format(file=self.name, counts=_(", ").join(parts))
        rows = list(self._rows())
        widths = [max((display_width(row[at]) for row in rows), default=0) for at in range(2)]
        for word, case, text in rows:
            yield f"  {pad(word, widths[0])}  {pad(case, widths[1])}  {text}"

    def fields(self) -> dict[str, Any]:
        """Return what the last event of JSON lines says of it, under ``baseline``."""
        return {
            "baseline": {
                "file": self.name,
                "known": [entry.to_json() for entry in self.known],
                "unexpected_pass": [entry.to_json() for entry in self.unexpected],
                "expired": [entry.to_json() for entry in self.expired],
                "other_verdict": [{**other.entry.to_json(), "found": other.found.value} for other in self.other],
                "not_in_run": [entry.to_json() for entry in self.absent],
            }
        }

    def case_fields(self, case: str) -> dict[str, Any]:
        """Return what the event of a case says of it, under ``known_deviation``: the entry, or ``None``."""
        entry = self.entry(case)
        return {"known_deviation": entry.to_json() if entry else None}

    def told_in(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return what an event of JSON lines says of it besides: a case its entry, the last one everything."""
        if event["event"] == "case":
            return self.case_fields(event["id"])
        return self.fields() if event["event"] == "run-end" else {}

    def suite_properties(self) -> Iterator[tuple[str, str]]:
        """Yield the properties of the whole run in JUnit: names and values."""
        yield "baseline", self.name
        for entry in self.unexpected:
            yield "baseline.unexpected-pass", entry.case
        for entry in self.expired:
            yield "baseline.expired", f"{entry.case} ({entry.expires.isoformat()})"

    def properties(self, case: str) -> Iterator[tuple[str, str]]:
        """Yield the properties of a case in JUnit: ``known-deviation`` where its verdict is covered."""
        if entry := self.entry(case):
            yield "known-deviation", _why(entry)

    def _rows(self) -> Iterator[tuple[str, str, str]]:
        for entry in self.known:
            yield _("known"), entry.case, f"{entry.verdict.word}  {_why(entry)}"
        for entry in self.unexpected:
            text = _("listed as {verdict}, passes now: take the entry out").format(verdict=entry.verdict.word)
            yield _("unexpected pass"), entry.case, text
        for entry in self.expired:
            yield _("expired"), entry.case, _why(entry)
        for other in self.other:
            text = _("listed as {verdict}, now {found}").format(
                verdict=other.entry.verdict.word, found=other.found.word
            )
            yield _("other verdict"), other.entry.case, text
        for entry in self.absent:
            yield _("not in this run"), entry.case, _why(entry)


def read(path: Path | str) -> Baseline:
    """Return the baseline in a file.

    Raises:
        UsageFault: If it cannot be read, is no TOML, or holds an entry that cannot be; the text says which and why.
    """
    try:
        text = read_text(Path(path))
    except OSError as error:
        raise UsageFault(
            _("cannot read the baseline {file}: {why}").format(file=path, why=reason(error)), _("check the path")
        ) from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Baseline:
    """Return the baseline in TOML text.

    Raises:
        UsageFault: As :func:`read`.
    """
    data = parse_toml(text, name)
    for key in data:
        if key != _TABLE:
            raise _unknown(name, _("key"), key, [f"[[{_TABLE}]]"])
    rows = data.get(_TABLE, [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise UsageFault(_("{file}: expected [[known]] tables").format(file=name))
    entries = tuple(_entry(row, f"{name}, [[{_TABLE}]] {number}") for number, row in enumerate(rows, 1))
    seen: set[str] = set()
    for entry in entries:
        if entry.case in seen:
            raise UsageFault(_("{file}: {case} is listed twice").format(file=name, case=entry.case))
        seen.add(entry.case)
    return Baseline(name, entries)


def _entry(row: dict[str, Any], place: str) -> Known:
    keys = [field.name for field in fields(Known)]
    for key in row:
        if key not in keys:
            raise _unknown(place, _("key"), key, keys)
    for key in keys:
        if key not in row:
            raise UsageFault(_("{place}: {key} is missing").format(place=place, key=key))
    case = _words(row, "case", place)
    if case not in catalogue.cases():
        raise _unknown(place, _("case"), case, list(catalogue.cases()))
    verdict = _words(row, "verdict", place)
    if verdict not in LISTABLE:
        raise _unknown(place, _("verdict"), verdict, list(LISTABLE))
    expires = row["expires"]
    if not isinstance(expires, date) or isinstance(expires, datetime):
        raise UsageFault(
            _("{place}: expires = {found!r}: expected a date").format(place=place, found=str(expires)),
            _("for example: expires = 2026-03-31, without quotes"),
        )
    return Known(case, Verdict(verdict), _words(row, "reason", place), _words(row, "owner", place), expires)


def _words(row: dict[str, Any], key: str, place: str) -> str:
    """Return one line of text; what a password field of HJ 212 would say is masked."""
    value = row[key]
    text = " ".join(value.split()) if isinstance(value, str) else ""
    if not text or not text.isprintable() or len(text) > MAX_WORDS:
        raise UsageFault(
            _("{place}: {key}: expected text in quotes, 1 to {most} characters").format(
                place=place, key=key, most=MAX_WORDS
            )
        )
    return redact_pw(text)


def _why(entry: Known) -> str:
    return _("{reason} ({owner}, until {date})").format(
        reason=entry.reason, owner=entry.owner, date=entry.expires.isoformat()
    )


def _unknown(place: str, what: str, name: str, known: list[str]) -> UsageFault:
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = (
        _("did you mean {name}?").format(name=near[0])
        if near
        else _("list them with: conformance list")
        if len(known) > len(Verdict)
        else _("known are: {names}").format(names=", ".join(known))
    )
    return UsageFault(_("{place}: unknown {what}: {name}").format(place=place, what=what, name=name), hint)
