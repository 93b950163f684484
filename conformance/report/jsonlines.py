"""The report as JSON lines: one object per event, keys and codes in English, texts in the report's language.

``run-start`` says what was tested, each ``case`` is a verdict with what it rests on, ``run-end`` sums up. Byte ranges
count from 0, ``end`` is the byte after the last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from hj212.times import CHINA

from .facts import CaseFacts, LimitFacts, Report

__all__ = ["SCHEMA", "events", "render"]

#: Number of this shape; a key that is added leaves it, a key that changes its meaning raises it.
SCHEMA: Final = 1


def render(report: Report) -> str:
    """Return every event on a line of its own."""
    return "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events(report))


def events(report: Report) -> Iterator[dict[str, Any]]:
    """Yield the events of a run as JSON values."""
    yield _start(report)
    for case in report.cases:
        yield _case(case)
    yield _end(report)


def _event(name: str) -> dict[str, Any]:
    return {"event": name, "schema": SCHEMA}


def _start(report: Report) -> dict[str, Any]:
    device = report.device
    return {
        **_event("run-start"),
        "suite_version": report.version,
        "language": report.lang,
        "profile": report.profile,
        "device": {"mn": device.mn, "st": device.st, "edition": device.edition, "dictionary": device.dictionary},
        "sample": {key: value for key, (_label, value) in report.sample.items() if value},
        "test": {key: value for key, (_label, value) in report.test.items() if value},
        "trial_run": report.trial_run,
        "missing": list(report.missing_keys),
        "time_modes": list(report.time_modes),
        "started": _iso(report.started),
        "cases": len(report.cases),
    }


def _case(case: CaseFacts) -> dict[str, Any]:
    return {
        **_event("case"),
        "id": case.id,
        "verdict": case.verdict.value,
        "requirement": case.requirement,
        "clause": case.clause,
        "level": case.level,
        "time_mode": case.time_mode,
        "title": case.title,
        "expected": case.expected,
        "actual": case.actual,
        "hint": case.hint or None,
        "limits": [_limit(limit) for limit in case.limits],
        "suite_default": [limit.name for limit in case.suite_default],
        "evidence": [{"seq": p.seq, "start": p.start, "end": p.end, "text": p.text} for p in case.places],
        "evidence_count": case.place_count,
    }


def _limit(limit: LimitFacts) -> dict[str, Any]:
    return {"name": limit.name, "value": limit.value, "unit": limit.unit, "origin": limit.origin}


def _end(report: Report) -> dict[str, Any]:
    return {
        **_event("run-end"),
        "counts": {verdict.value: count for verdict, count in report.counts.items()},
        "exit_code": int(report.exit_code),
        "not_judged": [
            {
                "verdict": group.verdict.value if group.verdict else None,
                "reason": group.reason,
                "count": len(group.cases),
                "cases": list(group.cases),
            }
            for group in report.not_judged
        ],
        "ended": _iso(report.ended),
        "transcript_sha256": report.digest,
    }


def _iso(posix: float) -> str:
    return datetime.fromtimestamp(posix, CHINA).isoformat(timespec="seconds")
