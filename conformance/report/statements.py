"""What the record says of the run itself: clock, interruptions, acts, settings, forwarding, earlier runs.

Each is read from entries of its own kind. A record without them is an older one or a rehearsal, and the report then
says that nothing is on record instead of guessing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from stationgate.language import N_, _, gettext

from ..evidence import OPENING_PARTS, STATES, Evidence, Heard
from ..history import Damage
from ..steps import STEPS
from ..transcript import Entry, Transcript
from ..verdicts import Verdict
from .frames import FrameKind, FrameLog
from .shown import Redactor, printable
from .words import act_words, answer_word

__all__ = [
    "MAX_DISTURBANCES",
    "MAX_OUTSIDE",
    "ActFacts",
    "ClockCheck",
    "ClockStatement",
    "Disturbance",
    "EarlierRun",
    "Forwarding",
    "Interruption",
    "OutsideOpening",
    "SettingFacts",
    "Statements",
    "gather",
]

#: Disturbances of the clock and openings outside windows listed one by one; the rest is counted.
MAX_DISTURBANCES: Final = 50
MAX_OUTSIDE: Final = 100

#: Commands that acknowledge: request, execution, notice, data.
_ACKNOWLEDGEMENTS: Final = frozenset({"9011", "9012", "9013", "9014"})
_WHEN: Final = {"begin": N_("before the run"), "end": N_("after the run")}
_DISTURBANCES: Final = {
    "step": N_("the clock of the bench was set"),
    "suspend": N_("the bench was suspended"),
    "stall": N_("the bench stood still"),
}
_INTERRUPTIONS: Final = {
    "killed": N_("the program of the bench ended abruptly"),
    "interrupted": N_("interrupted by the user"),
    "pending": N_("ended with steps pending"),
}
_SETTINGS: Final = {
    "read": N_("read, not changed"),
    "restored": N_("put back"),
    "lost": N_("NOT put back"),
    "set": N_("NOT put back: nothing is on record after the change"),
}
_RUN_STATES: Final = {"finished": N_("finished"), "aborted": N_("aborted")}


@dataclass(frozen=True, slots=True)
class ClockCheck:
    """How the bench's clock was disciplined at one moment."""

    when: str  #: ``begin`` or ``end``
    when_word: str
    at: float  #: POSIX seconds
    synchronised: bool | None  #: ``None``: not known
    source: str
    uncertainty_s: float | None
    detail: str

    @property
    def synchronised_word(self) -> str:
        """Whether it was, in the active language."""
        if self.synchronised is None:
            return _("not known")
        return _("synchronised") if self.synchronised else _("NOT synchronised")

    @property
    def uncertainty_shown(self) -> str:
        """The uncertainty with its unit, a dash where it is not known."""
        return "—" if self.uncertainty_s is None else _("± {seconds} s").format(seconds=f"{self.uncertainty_s:.3g}")


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Something that happened to the bench's time during the run."""

    event: str  #: ``step``, ``suspend`` or ``stall``
    word: str
    seconds: float  #: how far the clock was set, forward or back, or how long the bench did not run
    since: float  #: POSIX seconds of the last good look before it
    at: float  #: POSIX seconds when it was noticed


@dataclass(frozen=True, slots=True)
class ClockStatement:
    """What is known of the clocks.

    Attributes:
        virtual: Whether time was simulated.
        checks: How the bench's clock was disciplined.
        disturbances: The first of what happened to it.
        disturbance_count: All of them.
        device_offset_s: Device clock minus bench clock, ``None`` where the device did not tell.
        device_uncertainty_s: How far that may be off.
    """

    virtual: bool
    checks: tuple[ClockCheck, ...]
    disturbances: tuple[Disturbance, ...]
    disturbance_count: int
    device_offset_s: float | None
    device_uncertainty_s: float

    @property
    def recorded(self) -> bool:
        """Whether anything about the bench's clock is on record."""
        return bool(self.checks or self.disturbance_count)

    @property
    def device_shown(self) -> str:
        """The offset of the device's clock as a sentence."""
        if self.device_offset_s is None:
            return _("The device did not tell its time.")
        return _("Device clock minus bench clock: {offset} s ± {uncertainty} s.").format(
            offset=f"{self.device_offset_s:+.1f}", uncertainty=f"{self.device_uncertainty_s:.1f}"
        )


@dataclass(frozen=True, slots=True)
class Interruption:
    """The run went on in a new process."""

    after: str  #: ``killed``, ``interrupted`` or ``pending``
    word: str
    at: float  #: POSIX seconds when it went on
    gap_s: float


@dataclass(frozen=True, slots=True)
class ActFacts:
    """One attempt of the operator, from the prompt to the answer."""

    seq: int
    step: str
    step_title: str
    act: str
    method: str
    person: str
    words: str
    attempt: int
    begin: float  #: POSIX seconds
    end: float | None  #: ``None``: no answer is on record
    answer: str  #: empty: no answer is on record
    answer_word: str

    @property
    def done(self) -> bool:
        """Whether it took place."""
        return self.answer == "done"


@dataclass(frozen=True, slots=True)
class OutsideOpening:
    """An opening that the device reported and that belongs to no act: an exit button, a key, somebody else."""

    seq: int
    at: float  #: POSIX seconds of its arrival
    content: str  #: code=value, redacted


@dataclass(frozen=True, slots=True)
class SettingFacts:
    """A setting of the device that the bench read or changed."""

    name: str
    found: str  #: as read before anything was changed; empty where it is not on record
    changed_to: str  #: the last value set; empty where it was only read
    state: str  #: ``read``, ``restored``, ``lost`` or ``set``
    state_word: str
    why: str

    @property
    def left_changed(self) -> bool:
        """Whether the device was not left as it was found."""
        return self.state in ("lost", "set")


@dataclass(frozen=True, slots=True)
class Forwarding:
    """Whose acknowledgements the device got while its bytes were relayed."""

    target: str  #: ``host:port``, empty where it is not on record
    by_platform: int
    by_suite: int
    frames: int  #: everything that the platform sent, acknowledgements included


@dataclass(frozen=True, slots=True)
class EarlierRun:
    """Another run of the same sample, so that nobody has to trust that this is the only one."""

    number: str
    started: float
    ended: float | None
    state: str  #: ``finished`` or ``aborted``
    state_word: str
    exit_code: int | None
    digest: str
    counts: dict[str, int]  #: by verdict

    @property
    def counts_shown(self) -> str:
        """The verdicts with their counts, in the active language."""
        return _(", ").join(f"{gettext(verdict)} {count}" for verdict, count in self.counts.items()) or "—"


@dataclass(frozen=True, slots=True)
class Statements:
    """Everything of this module about one run; ``earlier`` is ``None`` where no register was consulted."""

    clock: ClockStatement
    interruptions: tuple[Interruption, ...]
    acts: tuple[ActFacts, ...]
    outside: tuple[OutsideOpening, ...]
    outside_count: int
    settings: tuple[SettingFacts, ...]
    forwarding: Forwarding | None
    earlier: tuple[EarlierRun, ...] | None
    ledger_damage: tuple[str, ...]  #: what is wrong with the list of runs itself, so that it may not be complete

    @property
    def left_changed(self) -> tuple[SettingFacts, ...]:
        """The settings that the device was not left with as they were found."""
        return tuple(setting for setting in self.settings if setting.left_changed)


def gather(evidence: Evidence, frames: FrameLog, redactor: Redactor) -> Statements:
    """Return what the record says of the run, redacted, in the active language."""
    transcript = evidence.transcript
    outside = evidence.outside_openings
    return Statements(
        clock=_clock(evidence),
        interruptions=tuple(_interruptions(transcript)),
        acts=tuple(_acts(evidence)),
        outside=tuple(_outside(heard, evidence, redactor) for heard in outside[:MAX_OUTSIDE]),
        outside_count=len(outside),
        settings=tuple(_settings(transcript, redactor)),
        forwarding=_forwarding(transcript, frames),
        earlier=_earlier(transcript),
        ledger_damage=tuple(_ledger_damage(transcript)),
    )


def _of(transcript: Transcript, kind: str) -> Iterator[tuple[Entry, dict[str, Any]]]:
    return ((entry, entry.attachment) for entry in transcript if entry.kind == kind)


def _number(value: object, default: float = 0.0) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else default


def _word(words: dict[str, str], key: str) -> str:
    return gettext(words.get(key, printable(key)))


# Clock and interruptions


def _clock(evidence: Evidence) -> ClockStatement:
    checks = []
    disturbances = []
    for entry, told in _of(evidence.transcript, "clock"):
        event = str(told.get("event", ""))
        if event == "check":
            checks.append(_check(entry, told))
        else:
            since = entry.t_wall - (entry.t_mono - _number(told.get("since"), entry.t_mono))
            disturbances.append(
                Disturbance(event, _word(_DISTURBANCES, event), _number(told.get("seconds")), since, entry.t_wall)
            )
    offset = evidence.clock_offset
    return ClockStatement(
        virtual=evidence.transcript.clock == "virtual",
        checks=tuple(checks),
        disturbances=tuple(disturbances[:MAX_DISTURBANCES]),
        disturbance_count=len(disturbances),
        device_offset_s=offset[0] if offset else None,
        device_uncertainty_s=offset[1] if offset else 0.0,
    )


def _check(entry: Entry, told: dict[str, Any]) -> ClockCheck:
    when, synchronised, uncertainty = str(told.get("when", "")), told.get("synchronised"), told.get("uncertainty_s")
    return ClockCheck(
        when=when,
        when_word=_word(_WHEN, when),
        at=entry.t_wall,
        synchronised=synchronised if isinstance(synchronised, bool) else None,
        source=printable(str(told.get("source") or "")),
        uncertainty_s=None if uncertainty is None else _number(uncertainty),
        detail=printable(str(told.get("detail") or "")),
    )


def _interruptions(transcript: Transcript) -> Iterator[Interruption]:
    for entry, told in _of(transcript, "resumed"):
        after = str(told.get("after", ""))
        yield Interruption(after, _word(_INTERRUPTIONS, after), entry.t_wall, _number(told.get("gap_s")))


# The operator


def _acts(evidence: Evidence) -> Iterator[ActFacts]:
    """Yield every attempt, those without an answer too: a run that was killed leaves one."""
    begun: Entry | None = None
    attempts: Counter[tuple[str, ...]] = Counter()
    for entry, told in _of(evidence.transcript, "act"):
        if told.get("phase") == "begin":
            if begun is not None:
                yield _act(begun, None, evidence, attempts)
            begun = entry
        elif begun is not None:
            yield _act(begun, entry, evidence, attempts)
            begun = None
    if begun is not None:
        yield _act(begun, None, evidence, attempts)


def _act(begun: Entry, ended: Entry | None, evidence: Evidence, attempts: Counter[tuple[str, ...]]) -> ActFacts:
    told = {key: str(begun.attachment.get(key, "")) for key in ("step", "act", "method", "person")}
    answer = str(ended.attachment.get("answer", "")) if ended else ""
    key = tuple(told.values())
    counted = attempts[key] + 1
    # Done is done: what is asked again after that is asked anew, as the doors of an outage are.
    attempts[key] = 0 if answer == "done" else counted
    step = STEPS.get(told["step"])
    return ActFacts(
        seq=begun.seq,
        step=printable(told["step"]),
        step_title=str(step.title) if step else printable(told["step"]),
        act=printable(told["act"]),
        method=printable(told["method"]),
        person=printable(told["person"]),
        words=act_words(told["act"], told["method"], told["person"]),
        attempt=int(_number(begun.attachment.get("attempt"), counted)),
        begin=evidence.wall(begun.t_mono),
        end=evidence.wall(ended.t_mono) if ended else None,
        answer=answer,
        answer_word=answer_word(answer),
    )


def _outside(heard: Heard, evidence: Evidence, redactor: Redactor) -> OutsideOpening:
    parts = [(code, heard.codes[code]) for code in (*STATES, *OPENING_PARTS) if code in heard.codes]
    content = redactor.text(";".join(f"{code}={value}" for code, value in parts))
    return OutsideOpening(heard.seq, evidence.wall(heard.t), content)


# The device and the platform


def _settings(transcript: Transcript, redactor: Redactor) -> Iterator[SettingFacts]:
    entries: dict[str, list[dict[str, Any]]] = {}
    for _entry, told in _of(transcript, "setting"):
        entries.setdefault(str(told.get("name", "")), []).append(told)
    for name, history in entries.items():
        found = next((told for told in history if told.get("phase") == "read"), None)
        changed = next((told for told in reversed(history) if told.get("phase") == "set"), None)
        # Reading again, to check, changes nothing: the last of the rest says how the device was left.
        last = next((told for told in reversed(history) if told.get("phase") != "read"), history[-1])
        state = str(last.get("phase", ""))
        yield SettingFacts(
            name=printable(name),
            found=_value(name, found, redactor),
            changed_to=_value(name, changed, redactor),
            state=state,
            state_word=_word(_SETTINGS, state),
            why=redactor.text(str(last.get("why") or "")),
        )


def _value(name: str, told: dict[str, Any] | None, redactor: Redactor) -> str:
    """Return the value of a setting; with its name before it a password is known as one."""
    if told is None or told.get("value") is None:
        return ""
    return redactor.text(f"{name}={told['value']}").removeprefix(f"{name}=")


def _forwarding(transcript: Transcript, frames: FrameLog) -> Forwarding | None:
    mode = transcript.run.get("mode")
    target = printable(str(mode.get("forward") or "")) if isinstance(mode, dict) else ""
    relayed = [row for row in frames if row.kind is FrameKind.PLATFORM]
    if not target and not relayed:
        return None
    own = sum(row.kind is FrameKind.OURS and row.cn in _ACKNOWLEDGEMENTS for row in frames)
    return Forwarding(target, sum(row.cn in _ACKNOWLEDGEMENTS for row in relayed), own, len(relayed))


# Earlier runs


def _earlier(transcript: Transcript) -> tuple[EarlierRun, ...] | None:
    registers = [told.get("runs") for _entry, told in _of(transcript, "history")]
    if not registers:
        return None
    rows = [row for row in registers[-1] if isinstance(row, dict)] if isinstance(registers[-1], list) else []
    return tuple(sorted(map(_earlier_run, rows), key=lambda run: run.started))


def _ledger_damage(transcript: Transcript) -> Iterator[str]:
    for _entry, told in _of(transcript, "history"):
        for row in told.get("damage") or ():
            why = row.get("why")
            yield str(Damage(int(_number(row.get("line"))), why if why in ("torn", "changed") else "shape").said)


def _earlier_run(row: dict[str, Any]) -> EarlierRun:
    ended, code, state = row.get("ended"), row.get("exit_code"), str(row.get("state", ""))
    return EarlierRun(
        number=printable(str(row.get("number") or "")),
        started=_number(row.get("started")),
        ended=None if ended is None else _number(ended),
        state=state,
        state_word=_word(_RUN_STATES, state),
        exit_code=code if isinstance(code, int) else None,
        digest=printable(str(row.get("digest") or "")),
        counts=dict(_counts(row.get("counts"))),
    )


def _counts(counts: object) -> Iterable[tuple[str, int]]:
    given = counts if isinstance(counts, dict) else {}
    return ((verdict.value, int(_number(given[verdict.value]))) for verdict in Verdict if given.get(verdict.value))
