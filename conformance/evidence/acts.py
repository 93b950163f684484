"""What was done during a run: the steps of the plan, and the acts of the operator with their windows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Final

from ..acts import acts
from ..transcript import Entry
from .wire import Heard

__all__ = ["ACT_STATES", "ActRecord", "Opening", "StepRecord", "last_attempts", "read_attempts", "read_steps"]

#: What an act does to the states: the code and its new value.
ACT_STATES: Final = {text.act: (text.code, text.value) for text in acts().values() if text.code}


@dataclass(slots=True)
class StepRecord:
    """One step of the plan as it went."""

    step: str
    begin: float
    end: float | None = None
    result: str = ""  #: ``done``, ``timeout``, ``pending``, ``declined`` or ``aborted``; empty while it runs
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def done(self) -> bool:
        return self.result == "done"


@dataclass(slots=True)
class ActRecord:
    """One attempt at an act of the operator: it happened between ``begin`` and ``end``."""

    act: str  #: ``open``, ``close``, ``lift``, ``put-back``, ``unplug``, ``plug-in``, ``power-cycle``
    step: str
    begin: float
    end: float
    answer: str  #: ``done``, ``erred``, ``cannot``, ``not-fitted``, ``pending`` or ``paused``
    method: str = ""
    person: str = ""  #: ``A`` or ``B``: who was asked to do it
    seq: int = 0  #: number of the transcript entry that began it
    attempt: int = 1  #: counts from 1; more after an error or a pause

    @property
    def done(self) -> bool:
        return self.answer == "done"

    @property
    def happened(self) -> bool:
        """Whether anything may have been done at the device, right or wrong."""
        return self.answer in ("done", "erred", "paused", "pending")


@dataclass(slots=True)
class Opening:
    """What the device said of one act of opening."""

    act: ActRecord
    records: list[Heard]  #: frames that carry a part of an opening, in order of arrival

    def values(self, code: str) -> list[str]:
        """Return what the records say for ``code``, in order."""
        return [heard.codes[code] for heard in self.records if code in heard.codes]


def read_steps(entries: Iterable[Entry]) -> dict[str, StepRecord]:
    """Return the steps as they went, by id."""
    found: dict[str, StepRecord] = {}
    for entry in entries:
        if entry.kind != "step":
            continue
        detail = dict(entry.attachment)
        step, phase = detail.pop("step"), detail.pop("phase")
        if phase == "begin":
            found[step] = StepRecord(step, entry.t_mono, detail=detail)
        elif step in found:
            record = found[step]
            record.end, record.result = entry.t_mono, detail.pop("result", "done")
            record.detail.update(detail)
    return found


def read_attempts(entries: Iterable[Entry]) -> list[ActRecord]:
    """Return every attempt of the operator at an act, in order."""
    found = []
    begun: Entry | None = None
    for entry in entries:
        if entry.kind != "act":
            continue
        if entry.attachment["phase"] == "begin":
            begun = entry
        elif begun is not None:
            known = begun.attachment
            found.append(
                ActRecord(
                    known["act"], known["step"], begun.t_mono, entry.t_mono, entry.attachment["answer"],
                    known.get("method", ""), known.get("person", ""), begun.seq, known.get("attempt", 1),
                )
            )  # fmt: skip
            begun = None
    return found


def last_attempts(attempts: Sequence[ActRecord], entries: Iterable[Entry]) -> list[ActRecord]:
    """Return the attempts that count: of each act the last, of a step that was taken again those of its last time."""
    begun = {
        entry.attachment["step"]: entry.seq
        for entry in entries
        if entry.kind == "step" and entry.attachment["phase"] == "begin"
    }
    return [
        act
        for act, following in zip_longest(attempts, attempts[1:])
        if act.seq > begun.get(act.step, -1) and not (following and following.attempt > act.attempt)
    ]
