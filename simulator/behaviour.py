"""What a station does, as replaceable pieces: the correct behaviour here, each named fault replaces one piece."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from hj212 import Message, Segment, build_frame
from hj212.times import format_qn, format_time

from .codes import Codes
from .world import Opening

__all__ = ["Behaviour", "Device", "DoorDevice", "Upload", "copy_message"]


class Device(Protocol):
    """What a piece of behaviour may know of the station it belongs to."""

    reboots: int

    def device_time(self, now: float) -> float: ...


class DoorDevice(Device, Protocol):
    """What it may know of a door besides."""

    codes: Codes


@dataclass(slots=True)
class Upload:
    """Something the station has to tell, composed when it happened and sent when the link lets it."""

    #: ``periodic``, ``restart``; of doors ``change``, ``record``, ``log``; of what measures ``minute``, ``hour``,
    #: ``day``, ``state`` and ``hours`` of treatment units, ``information``
    kind: str
    message: Message
    not_before: float = 0.0  #: earliest instant to send it, on the clock of ``now``
    tries: int = 0  #: how often it was given to a link
    number: int = 0  #: the how-manieth it is of its station
    due: float = 0.0  #: the instant it is about, on the clock of ``now``
    behaviour: Behaviour | None = None  #: what the station did when it composed it, where that changes
    offline: bool = False  #: whether there was no link when it was composed
    back_fill: bool = False  #: and there had been one before
    delayed: bool = False  #: whether it is not meant to go out at once
    entry: int = -1  #: under which number a ledger knows it
    on_link: bool = False  #: whether a fault of the link has acted on it; it does once
    repeats: int = 0  #: how often the link has sent it again, where a fault of the station makes that count


def copy_message(message: Message, **header: str) -> Message:
    """Return a copy whose named header fields have other values."""
    segment = message.segment
    fields = [[pair[0], header.get(pair[0], pair[1])] for pair in segment.header]
    items = [[list(pair) for pair in item] for item in segment.items]
    return Message(Segment(fields, items, segment.opening, segment.closing, segment.trailer))


def _as_it_is(upload: Upload, door: Device, now: float) -> Message:
    return upload.message


def _report_state(signal: str, value: int, kind: str) -> str:
    return str(value)


def _method_code(opening: Opening, door: DoorDevice) -> str:
    return door.codes.methods[opening.method]


def _person_code(opening: Opening, door: DoorDevice) -> str:
    return opening.person


def _opened_at(opening: Opening, door: DoorDevice) -> str:
    return format_time(door.device_time(opening.at))


def _qn(door: Device, device_ms: int) -> str:
    return format_qn(device_ms)


@dataclass(slots=True)
class Behaviour:
    """Every place where a station may go wrong, with the right thing as its default.

    Bytes layer: :attr:`encode`. Protocol layer: how messages look and when they go out. World layer: what the
    station believes of the door, of its clock and of people.
    """

    names: tuple[str, ...] = ()  #: the faults that are built in
    acts: list[str] | None = None  #: names of faults, once for each time that they acted; ``None``: nobody counts
    blame: dict[str, str] = field(default_factory=dict)  #: attribute -> fault that set it, where somebody counts
    link: str = ""  #: the fault of the link that a message meets, see :mod:`simulator.faults.on_link`

    # bytes
    encode: Callable[[bytes], bytes] = build_frame  #: data segment -> frame

    # protocol
    shape: list[Callable[[Message, str], Message]] = field(default_factory=list)  #: edits of every message, in order
    mn: Callable[[str], str] = lambda mn: mn  #: the MN it believes to have
    qn: Callable[[Device, int], str] = _qn  #: device milliseconds -> QN
    transmit: Callable[[Upload, Device, float], Message] = _as_it_is  #: last look before an upload goes out
    recount: int | None = None  #: resends, where not ReCount
    overtime_s: float | None = None  #: spacing of resends, where not OverTime
    new_qn_on_resend: bool = False
    keeps_unacknowledged: bool = True  #: offer an unanswered upload again with the next periodic report
    wants_answer: bool = True  #: bit A of the uploads' Flag
    splits: bool = True  #: sends what is too long for a packet in several
    marks_back_fill: bool = True  #: RF, where the edition has it
    sends_twice: Callable[[str], bool] = lambda kind: False  #: whether such uploads go out twice, byte for byte
    ignored_requests: frozenset[str] = frozenset()
    silent_results: frozenset[str] = frozenset()  #: requests answered by 9011 only
    answers_acknowledgements: bool = False
    upload_delay_s: Callable[[str], float] = lambda kind: 0.0
    periodic_form: str | None = None  #: wire form of periodic reports, where not the station's

    # world
    clock_error_s: float = 0.0
    interval_s: Callable[[float, int], float] = lambda interval, index: interval  #: time to the next report
    skips_report: Callable[[int], bool] = lambda index: False
    report_signals: tuple[str, ...] = ("door", "dismantled", "fault")
    state: Callable[[str, int, str], str] = _report_state  #: (signal, value, upload kind) -> value as sent
    tells_change: Callable[[str, int], bool] = lambda signal, value: True
    change_reports: int = 1  #: how often a change is told
    event_restarts_timer: bool = False
    records: Callable[[Opening], int] = lambda opening: 1  #: how many records an opening yields
    record_in_pieces: bool = False
    method_code: Callable[[Opening, DoorDevice], str] = _method_code
    person_code: Callable[[Opening, DoorDevice], str] = _person_code
    opened_at: Callable[[Opening, DoorDevice], str] = _opened_at
    log_text: Callable[[str], bytes] = lambda text: f"//{text}//".encode()
    omits: Callable[[str, int], bool] = lambda kind, begin_s: False  #: (upload kind, begin of its period): not told
    locks_up_on_fault: bool = False
    keeps_while_offline: Callable[[str], bool] = lambda kind: True
    invents_remote_openings: bool = False

    def acted(self, piece: str, times: int = 1) -> None:
        """Take note that the value of an attribute made a difference; one that is called takes note by itself."""
        if self.acts is not None and piece in self.blame:
            self.acts.extend([self.blame[piece]] * times)
