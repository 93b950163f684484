"""The report for a terminal: what is wrong first, with the bytes, then the counts and what was not judged."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import IO, Final

import click

from stationgate.language import _, ngettext, speaking
from stationgate.layout import display_width, pad, wrap

from ..verdicts import Verdict
from .facts import CaseFacts, LimitFacts, NotJudged, QuoteFacts, Report, RequirementFacts
from .shown import Look, Span, SpanKind, window
from .statements import ClockCheck, ClockStatement, Statements
from .words import DISCLAIMER, TITLE, TRIAL_RUN, duration, level_word, moment, time_mode_word

__all__ = ["CHARSET", "colour_wanted", "frame_lines", "last_line", "render"]

#: Whatever a Chinese console of any age can show; other characters are written as ``\\uNNNN``.
CHARSET: Final = "gbk"

#: Frames quoted for a case; the HTML report shows more.
_MAX_QUOTES: Final = 2
#: Places listed by number after the quoted ones.
_MAX_PLACES: Final = 8
#: Bytes of a frame shown, and how many around a mark where it is longer.
_MAX_FRAME_BYTES: Final = 480
_CONTEXT_BYTES: Final = 48
#: Reasons for not judging that the last line names; there are rarely more than two or three.
_MAX_REASONS: Final = 6

_LOOK: Final = Look(charset=CHARSET)
_COLOURS: Final = {
    Verdict.PASS: "green",
    Verdict.WARN: "yellow",
    Verdict.FAIL: "red",
    Verdict.INCONCLUSIVE: "magenta",
    Verdict.NOT_APPLICABLE: "white",
    Verdict.PENDING: "cyan",
    Verdict.ERROR: "red",
}
#: What is shown with a block of its own, the worst first.
_BLOCKS: Final = (Verdict.FAIL, Verdict.ERROR, Verdict.WARN, Verdict.INCONCLUSIVE, Verdict.PENDING)
_INDENT: Final = 6
#: Lines for one kind of event of the run; the HTML report lists more.
_MAX_EVENTS: Final = 5


def colour_wanted(stream: IO[str], environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether to write colours to ``stream``: only to a terminal, and not where ``NO_COLOR`` is set."""
    return not environ.get("NO_COLOR") and environ.get("TERM") != "dumb" and stream.isatty()


def render(report: Report, *, colour: bool = False, width: int = 100, notes: Sequence[str] = ()) -> str:
    """Return the report as text, ending in a line feed.

    Args:
        report: What to show.
        colour: Whether to add ANSI colours; nothing depends on them.
        width: Columns of the terminal.
        notes: Lines to stand among the last ones, as they are: what is said of this run from outside its record.
    """
    with speaking(report.lang):
        lines = list(_Writer(report, colour, max(width, 60), notes).lines())
    text = "\n".join(line.rstrip() for line in lines) + "\n"
    return text.encode(CHARSET, "backslashreplace").decode(CHARSET)


def last_line(report: Report) -> str:
    """Return how many cases were not judged and why, on one line."""
    with speaking(report.lang):
        head = _("Not judged: {count} of {total} cases").format(count=report.not_judged_count, total=report.total)
        if not report.not_judged:
            return f"{head}."
        reasons = [_reason(group) for group in report.not_judged[:_MAX_REASONS]]
        rest = sum(len(group.cases) for group in report.not_judged[_MAX_REASONS:])
        if rest:
            reasons.append(_("{count} for other reasons").format(count=rest))
        return _("{head}: {reasons}.").format(head=head, reasons=_("; ").join(reasons))


def _reason(group: NotJudged) -> str:
    if group.verdict is None:
        return f"{len(group.cases)} {group.reason}"
    return _("{count} {verdict} ({reason})").format(
        count=len(group.cases), verdict=group.verdict.word, reason=group.reason
    )


def frame_lines(spans: Iterable[Span], width: int) -> list[str]:
    """Return a frame in lines of at most ``width`` columns, each with carets below what is marked in it."""
    lines = []
    for row in _rows(list(_cells(spans)), width):
        lines.append("".join(text for text, _marked in row))
        carets = "".join(("^" if marked else " ") * display_width(text) for text, marked in row)
        if carets.strip():
            lines.append(carets.rstrip())
    return lines


def _rows(cells: list[tuple[str, bool]], width: int) -> Iterator[list[tuple[str, bool]]]:
    """Fill lines, ending each after a separator where one stands in its second half."""
    while cells:
        taken = columns = best = 0
        for text, _marked in cells:
            columns += display_width(text)
            if columns > width and taken:
                break
            taken += 1
            if text in ";,&" and columns > width // 2:
                best = taken
        else:
            best = taken
        yield cells[: best or taken]
        cells = cells[best or taken :]


def _cells(spans: Iterable[Span]) -> Iterator[tuple[str, bool]]:
    """Yield what a line is not broken inside."""
    for span in spans:
        if span.kind is SpanKind.GAP:
            yield _(" [{count} bytes] ").format(count=span.end - span.start), False
        elif span.kind is SpanKind.TEXT:
            yield from ((char, span.marked) for char in span.text)
        else:
            yield span.text, span.marked


class _Writer:
    def __init__(self, report: Report, colour: bool, width: int, notes: Sequence[str]) -> None:
        self.report = report
        self.colour = colour
        self.width = width
        self.notes = notes

    def lines(self) -> Iterator[str]:
        yield from self._head()
        for verdict in _BLOCKS:
            for case in self.report.cases:
                if case.verdict is verdict:
                    yield ""
                    yield from self._block(case)
        yield ""
        yield from self._passes()
        yield ""
        yield from self._end()

    # The whole

    def _head(self) -> Iterator[str]:
        report = self.report
        title, _other = report.in_both(TITLE)
        yield self._style(title, bold=True)
        if report.trial_run:
            banner, _other = report.in_both(TRIAL_RUN)
            missing = _("missing: {names}").format(names=_(", ").join(report.missing))
            yield self._style(banner, fg="yellow", bold=True)
            yield from (f"  {line}" for line in wrap(missing, self.width - 2))
        device = report.device
        declared = [value for value in (device.edition, f"ST={device.st}" if device.st else "") if value]
        declared_rows = [*report.sample.values(), *(row for key, row in report.test.items() if key != "report_number")]
        rows = [(_("report number"), report.document.number)]
        rows += [(label, value) for label, value in declared_rows if value]
        rows += [
            (_("device"), ", ".join([f"MN={device.mn or '-'}", *declared])),
            (_("network path"), network_line(report)),
            (_("profile"), report.profile),
            (_("time mode"), _(", ").join(map(time_mode_word, report.time_modes)) or "-"),
            (_("period"), _("{begin} to {end} (UTC+8)").format(begin=moment(report.started), end=moment(report.ended))),
        ]
        yield from self._labelled(rows, indent=2)

    def _passes(self) -> Iterator[str]:
        shown = [requirement for requirement in self.report.requirements if requirement.held]
        if not shown:
            return
        column = max(display_width(requirement.id) for requirement in shown)
        word = Verdict.PASS.word
        for requirement in shown:
            count = f"{requirement.passed}/{len(requirement.cases)}"
            head = f"{self._style(word, fg='green')}  {pad(requirement.id, column)}  {count:>5}  "
            room = self.width - display_width(word) - column - 11
            yield head + _first_line(requirement, room)

    def _end(self) -> Iterator[str]:
        report = self.report
        counts = [
            self._style(f"{verdict.word} {count}", fg=_COLOURS[verdict], bold=verdict is not Verdict.PASS)
            for verdict, count in report.counts.items()
            if count
        ]
        total = sum(report.counts.values())
        cases = ngettext("{count} case", "{count} cases", total).format(count=total)
        yield "   ".join([cases, *counts, _("exit code {code}").format(code=int(report.exit_code))])
        yield _("transcript: {count} entries, SHA-256 {digest}").format(count=report.entry_count, digest=report.digest)
        yield from self._labelled(list(_of_the_run(report.statements)), indent=0)
        yield from self.notes
        disclaimer, _other = report.in_both(DISCLAIMER)
        yield disclaimer
        # Last but for the count: somebody has to go and put it right.
        for setting in report.statements.left_changed:
            told = _("NOT AS FOUND: {name} was {found}, is {now}: {state}").format(
                name=setting.name, found=setting.found or "?", now=setting.changed_to or "?", state=setting.state_word
            )
            yield self._style(_("; ").join(filter(None, [told, setting.why])), fg="red", bold=True)
        yield last_line(report)

    # One case

    def _block(self, case: CaseFacts) -> Iterator[str]:
        word = self._style(case.verdict.word, fg=_COLOURS[case.verdict], bold=True)
        yield "   ".join([f"{word}  {self._style(case.id, bold=True)}", level_word(case.level).upper(), case.clause])
        yield f"{'':{_INDENT}}{case.requirement}  {case.title}"
        rows = [(_("expected"), case.expected), (_("actual"), case.actual)]
        yield from self._labelled(rows, labels=self._labels(case))
        yield from self._quotes(case)
        rest = [(_("hint"), case.hint)] if case.hint else []
        if case.suite_default:
            rest.append((_("limits"), _suite_default(case.suite_default)))
        rest.append((_("more"), f"conformance explain {case.id}"))
        yield from self._labelled(rest, labels=self._labels(case))

    def _labels(self, case: CaseFacts) -> int:
        names = [_("expected"), _("actual"), _("frame"), _("also"), _("hint"), _("limits"), _("more")]
        return max(map(display_width, names)) + 2

    def _quotes(self, case: CaseFacts) -> Iterator[str]:
        labels = self._labels(case)
        margin = " " * (_INDENT + labels)
        for quote in case.quotes[:_MAX_QUOTES]:
            spans = window(self.report.spans(quote, _LOOK), _MAX_FRAME_BYTES, _CONTEXT_BYTES)
            first = True
            for line in frame_lines(spans, self.width - len(margin)):
                head = f"{'':{_INDENT}}{pad(_('frame'), labels)}" if first else margin
                yield head + (self._style(line, fg="red") if line and not line.strip("^ ") else line)
                first = False
            yield from (margin + line for line in wrap(self._where(quote), self.width - len(margin)))
        shown = {place for quote in case.quotes[:_MAX_QUOTES] for place in quote.places}
        others = list(dict.fromkeys(place.seq for place in case.places if place not in shown))
        if others:
            text = _("transcript {numbers}").format(numbers=", ".join(map(str, others[:_MAX_PLACES])))
            if len(others) > _MAX_PLACES:
                text += _(" and {count} more").format(count=len(others) - _MAX_PLACES)
            yield from self._labelled([(_("also"), text)], labels=labels)

    def _where(self, quote: QuoteFacts) -> str:
        places = "; ".join(str(place) for place in quote.places[:_MAX_QUOTES])
        return f"({places}) {quote.row.kind.word}, {quote.when}"

    # Layout

    def _labelled(
        self, rows: Iterable[tuple[str, str]], *, indent: int = _INDENT, labels: int | None = None
    ) -> Iterator[str]:
        rows = list(rows)
        column = labels or max(display_width(click.unstyle(label)) for label, _text in rows) + 2
        for label, text in rows:
            lines = wrap(text, max(self.width - indent - column, 30)) or [""]
            gap = " " * (column - display_width(click.unstyle(label)))
            yield f"{'':{indent}}{label}{gap}{lines[0]}"
            for line in lines[1:]:
                yield f"{'':{indent + column}}{line}"

    def _style(self, text: str, *, fg: str | None = None, bold: bool | None = None) -> str:
        return click.style(text, fg=fg, bold=bold) if self.colour else text


def network_line(report: Report) -> str:
    """Return how device and bench were connected, in one sentence."""
    network = report.document.network
    parts = [_("listening on {addresses}").format(addresses=_(", ").join(network.listening) or "-")]
    if network.advertised:
        parts.append(_("advertised as {address}").format(address=network.advertised))
    parts.append(_("device from {peers}").format(peers=_(", ").join(map(str, network.peers)) or "-"))
    if network.forward:
        parts.append(_("forwarded to {target}").format(target=network.forward))
    if network.passive:
        parts.append(_("passive: only acknowledgements were sent"))
    return _("; ").join([*parts, network.transport] if network.transport else parts)


def _of_the_run(found: Statements) -> Iterator[tuple[str, str]]:
    """Yield what the record says of the run itself, label and sentence; several sentences have one label."""
    yield _("bench clock"), _clock_line(found.clock)
    for event in found.clock.disturbances[:_MAX_EVENTS]:
        seconds = _("{seconds} s").format(seconds=f"{event.seconds:+.1f}")
        yield "", _("{when} {what}: {how}").format(when=moment(event.at), what=event.word, how=seconds)
    if found.clock.disturbance_count > _MAX_EVENTS:
        yield "", _("and {count} more").format(count=found.clock.disturbance_count - _MAX_EVENTS)
    yield _("device clock"), found.clock.device_shown
    for pause in found.interruptions:
        shown = _("{when} went on after {gap}: {why}")
        yield _("interruption"), shown.format(when=moment(pause.at), gap=duration(pause.gap_s), why=pause.word)
    if found.acts:
        undone = sum(not act.done for act in found.acts)
        shown = ngettext("{count} attempt, {undone} of them not done", "{count} attempts, {undone} of them not done",
                         len(found.acts))  # fmt: skip
        yield _("operator"), shown.format(count=len(found.acts), undone=undone)
    if found.outside_count:
        shown = ngettext("{count}, listed and not judged", "{count}, listed and not judged", found.outside_count)
        yield _("openings outside the windows"), shown.format(count=found.outside_count)
    if found.settings:
        states = (f"{s.name} {s.state_word}" for s in found.settings)
        yield _("settings"), _("; ").join(states)
    if found.forwarding:
        shown = _("{platform} by the official platform, {suite} by the suite")
        told = shown.format(platform=found.forwarding.by_platform, suite=found.forwarding.by_suite)
        yield _("acknowledgements"), told
    yield from _earlier(found)


def _clock_line(clock: ClockStatement) -> str:
    if not clock.checks:
        return _("nothing on record")
    return _("; ").join(_check_line(check) for check in clock.checks)


def _check_line(check: ClockCheck) -> str:
    head = f"{check.when_word} {check.synchronised_word}"
    known = [check.source] if check.source else []
    if check.uncertainty_s is not None:
        known.append(check.uncertainty_shown)
    return _("{what} ({details})").format(what=head, details=_(", ").join(known)) if known else head


def _earlier(found: Statements) -> Iterator[tuple[str, str]]:
    runs = found.earlier or ()
    yield _("earlier runs"), str(len(runs)) if runs else _("none on record")
    for damage in found.ledger_damage[:_MAX_EVENTS]:
        yield "", damage
    for run in runs[-_MAX_EVENTS:]:
        yield "", _("{when} {what}: {how}").format(when=moment(run.started), what=run.state_word, how=run.counts_shown)


def _suite_default(limits: Iterable[LimitFacts]) -> str:
    named = _(", ").join(f"{limit.name} = {limit.shown}" for limit in limits)
    return _("rests on limits that only the suite chose: {limits}").format(limits=named)


def _first_line(requirement: RequirementFacts, room: int) -> str:
    lines = wrap(requirement.text, max(room - 3, 20))
    return lines[0] + ("..." if len(lines) > 1 else "")
