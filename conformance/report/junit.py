"""The report as JUnit XML for CI servers.

FAIL is a failure and ERROR an error. INCONCLUSIVE, PENDING and NOT_APPLICABLE are skipped with their reason, never
passed. WARN passes and says so in a property. Clause, level, time mode and evidence are properties of each case.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

import junitparser

from hj212.times import CHINA
from stationgate.language import _, speaking

from ..baseline import Comparison
from ..verdicts import Verdict
from .facts import CaseFacts, Report
from .shown import Look
from .text import frame_lines, last_line
from .words import DISCLAIMER

__all__ = ["SUITE_NAME", "render"]

#: Name of the test suite and first part of every class name.
SUITE_NAME: Final = "conformance"

#: The library is typed in parts only.
_xml: Final[Any] = junitparser

_RESULTS: Final = {
    Verdict.FAIL: _xml.Failure,
    Verdict.ERROR: _xml.Error,
    Verdict.INCONCLUSIVE: _xml.Skipped,
    Verdict.PENDING: _xml.Skipped,
    Verdict.NOT_APPLICABLE: _xml.Skipped,
}
_FRAME_COLUMNS: Final = 100


def render(report: Report, baseline: Comparison | None = None) -> str:
    """Return the report as an XML document, declaration included.

    Args:
        report: The facts.
        baseline: Known deviations held against them: properties of their cases, which stay the failures they are.
    """
    with speaking(report.lang):
        suite = _xml.TestSuite(SUITE_NAME)
        for name, value in _suite_properties(report):
            suite.add_property(name, value)
        for name, value in baseline.suite_properties() if baseline else ():
            suite.add_property(name, value)
        suite.extend(_case(report, case, baseline) for case in report.cases)
        suite.update_statistics()
        suite.timestamp = datetime.fromtimestamp(report.started, CHINA).isoformat(timespec="seconds")
        document = _xml.JUnitXml(SUITE_NAME)
        document.add_testsuite(suite)
        document.update_statistics()
        # The whole run: cases share their observations, so none has a time of its own.
        suite.time = document.time = round(max(report.ended - report.started, 0.0), 3)
    body: bytes = document.tostring()
    text = body.decode("utf-8")
    return text if text.startswith("<?xml") else f'<?xml version="1.0" encoding="utf-8"?>\n{text}'


def _suite_properties(report: Report) -> Iterator[tuple[str, str]]:
    yield "suite-version", report.version
    yield "report-number", report.document.number
    yield "profile", report.profile
    yield "device.mn", report.device.mn
    yield "edition", report.device.edition
    yield "time-mode", " ".join(report.time_modes)
    yield "trial-run", str(report.trial_run).lower()
    yield "transcript.sha256", report.digest
    yield "exit-code", str(int(report.exit_code))
    yield "not-judged", last_line(report)
    yield "note", report.in_both(DISCLAIMER)[0]


def _case(report: Report, case: CaseFacts, baseline: Comparison | None) -> Any:
    shown = _xml.TestCase(case.id, f"{SUITE_NAME}.{case.id.rpartition('/')[0].replace('/', '.')}", 0.0)
    properties = _xml.Properties()
    for name, value in (*_case_properties(case), *(baseline.properties(case.id) if baseline else ())):
        properties.add_property(_xml.Property(name, value))
    shown.append(properties)
    kind = _RESULTS.get(case.verdict)
    if kind:
        result = kind(f"{case.verdict.word}: {case.actual}", case.verdict.value)
        result.text = "\n".join(_details(report, case))
        shown.append(result)
    return shown


def _case_properties(case: CaseFacts) -> Iterator[tuple[str, str]]:
    yield "verdict", case.verdict.value
    yield "title", case.title
    yield "requirement", case.requirement
    yield "clause", case.clause
    yield "level", case.level
    yield "time-mode", case.time_mode
    if case.verdict is Verdict.WARN:
        yield "warning", case.actual
        if case.hint:
            yield "hint", case.hint
    for limit in case.suite_default:
        yield "suite-default", f"{limit.name} = {limit.shown}"
    for place in case.places:
        yield "evidence", f"{place.seq}:{place.start}-{place.end}"


def _details(report: Report, case: CaseFacts) -> Iterator[str]:
    yield f"{case.title} ({case.clause})"
    yield f"{_('expected')}: {case.expected}"
    yield f"{_('actual')}: {case.actual}"
    if case.hint:
        yield f"{_('hint')}: {case.hint}"
    for quote in case.quotes:
        yield ""
        yield from frame_lines(report.spans(quote, Look()), _FRAME_COLUMNS)
        yield f"({'; '.join(map(str, quote.places))})"
