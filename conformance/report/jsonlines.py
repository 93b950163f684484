"""The report as JSON lines: one object per event, keys and codes in English, texts in the report's language.

``run-start`` says what was tested and how, each ``case`` is a verdict with what it rests on, ``run-end`` sums up and
says what the record knows of the run itself: clock, interruptions, acts, settings, earlier runs. Byte ranges
count from 0, ``end`` is the byte after the last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from hj212.times import CHINA

from .document import Document, Peer
from .facts import CaseFacts, LimitFacts, Report
from .statements import ActFacts, ClockStatement, EarlierRun, Forwarding, Statements

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
        **_document(report.document),
    }


def _document(document: Document) -> dict[str, Any]:
    network = document.network
    return {
        "report_number": document.number,
        "report_number_given": document.number_given,
        "simulated": document.simulated,
        "profile_sha256": document.profile_digest,
        "selection": {"select": list(document.selected), "exclude": list(document.excluded)},
        "mode": {"passive": network.passive, "forward": network.forward, "shorten_s": document.shortened_s},
        "network": {
            "listening": list(network.listening),
            "advertised": network.advertised,
            "peers": [_peer(peer) for peer in network.peers],
            "other_peers": [_peer(peer) for peer in network.other_peers],
            "refused": network.refused,
        },
        "basis": [
            {"document": d.name, "title": d.title, "clauses": list(d.clauses), "cases": d.cases}
            for d in document.documents
        ],
        "host": document.host,
        "signer": document.signer or None,
    }


def _peer(peer: Peer) -> dict[str, Any]:
    return {"host": peer.host, "connections": peer.connections, "ports": list(peer.ports)}


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
        "transcript_entries": report.entry_count,
        **_statements(report.statements),
    }


def _statements(found: Statements) -> dict[str, Any]:
    return {
        "clock": _clock(found.clock),
        "interruptions": [{"after": i.after, "resumed": _iso(i.at), "gap_s": i.gap_s} for i in found.interruptions],
        "acts": [_act(act) for act in found.acts],
        "openings_outside_windows": [{"seq": o.seq, "at": _iso(o.at), "content": o.content} for o in found.outside],
        "openings_outside_windows_count": found.outside_count,
        "settings": [
            {"name": s.name, "found": s.found, "changed_to": s.changed_to, "state": s.state, "why": s.why or None}
            for s in found.settings
        ],
        "not_restored": [setting.name for setting in found.left_changed],
        "forwarding": _forwarding(found.forwarding) if found.forwarding else None,
        "list_of_runs_damage": list(found.ledger_damage),
        "earlier_runs": None if found.earlier is None else [_earlier(run) for run in found.earlier],
    }


def _clock(clock: ClockStatement) -> dict[str, Any]:
    return {
        "checks": [
            {
                "when": check.when,
                "at": _iso(check.at),
                "synchronised": check.synchronised,
                "source": check.source,
                "uncertainty_s": check.uncertainty_s,
                "detail": check.detail,
            }
            for check in clock.checks
        ],
        "disturbances": [
            {"event": d.event, "seconds": d.seconds, "since": _iso(d.since), "noticed": _iso(d.at)}
            for d in clock.disturbances
        ],
        "disturbance_count": clock.disturbance_count,
        "device_offset_s": clock.device_offset_s,
        "device_uncertainty_s": clock.device_uncertainty_s if clock.device_offset_s is not None else None,
    }


def _act(act: ActFacts) -> dict[str, Any]:
    return {
        "seq": act.seq,
        "step": act.step,
        "act": act.act,
        "method": act.method or None,
        "person": act.person or None,
        "attempt": act.attempt,
        "begin": _iso(act.begin),
        "end": None if act.end is None else _iso(act.end),
        "answer": act.answer or None,
    }


def _forwarding(forwarding: Forwarding) -> dict[str, Any]:
    return {
        "target": forwarding.target,
        "acknowledged_by": {"platform": forwarding.by_platform, "suite": forwarding.by_suite},
        "frames": forwarding.frames,
    }


def _earlier(run: EarlierRun) -> dict[str, Any]:
    return {
        "number": run.number,
        "started": _iso(run.started),
        "ended": None if run.ended is None else _iso(run.ended),
        "state": run.state,
        "exit_code": run.exit_code,
        "transcript_sha256": run.digest,
        "counts": run.counts,
    }


def _iso(posix: float) -> str:
    return datetime.fromtimestamp(posix, CHINA).isoformat(timespec="seconds")
