"""What was done during a run: the steps of the plan, and the acts of the operator with their windows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from ..transcript import Entry
from .wire import Heard

__all__ = ["ACT_STATES", "ActRecord", "Opening", "StepRecord", "read_acts", "read_steps"]

#: What an act does to the states: the code and its new value.
ACT_STATES: Final = {
    "open": ("i32001", "1"),
    "close": ("i32001", "0"),
    "lift": ("i32002", "1"),
    "put-back": ("i32002", "0"),
    "unplug": ("i32003", "1"),
    "plug-in": ("i32003", "0"),
}


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
    """One act of the operator: it happened between ``begin`` and ``end``."""

    act: str  #: ``open``, ``close``, ``lift``, ``put-back``, ``unplug``, ``plug-in``, ``power-cycle``
    step: str
    begin: float
    end: float
    answer: str  #: ``done``, ``not-fitted``, ``cannot`` or ``pending``
    method: str = ""
    person: str = ""  #: ``A`` or ``B``: who was asked to do it
    seq: int = 0  #: number of the transcript entry that began it

    @property
    def done(self) -> bool:
        return self.answer == "done"


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


def read_acts(entries: Iterable[Entry]) -> list[ActRecord]:
    """Return what the operator did, in order; of a step that was begun again only what was done the last time."""
    found: list[ActRecord] = []
    begun: Entry | None = None
    for entry in entries:
        if entry.kind == "step" and entry.attachment["phase"] == "begin":
            found = [act for act in found if act.step != entry.attachment["step"]]
            begun = None
        if entry.kind != "act":
            continue
        if entry.attachment["phase"] == "begin":
            begun = entry
        elif begun is not None:
            known = begun.attachment
            found.append(
                ActRecord(
                    known["act"], known["step"], begun.t_mono, entry.t_mono, entry.attachment["answer"],
                    known.get("method", ""), known.get("person", ""), begun.seq,
                )
            )  # fmt: skip
            begun = None
    return found
