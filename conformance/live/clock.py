"""The bench's own clock: how it is kept right, and what happens to it and to the process while a run lasts.

A verdict on absolute time is worth what this clock is worth, and a verdict on silence what the bench's wakefulness is
worth. So both go on record: a check before and after, and every step of the clock, every sleep of the computer and
every stall of the process in between. What they mean to a verdict is decided when judging.
"""

from __future__ import annotations

import asyncio
import ctypes
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from ..transcript import Transcript

__all__ = ["ClockWatch", "Clocks", "Discipline", "discipline", "parse_chrony", "parse_w32tm", "real_clocks"]

#: How often the clocks are compared. A frame's place in time is doubtful for at most this long around a trouble.
LOOK_S: Final = 1.0
#: A step or sleep shorter than this changes no verdict: device times have whole seconds.
STEP_S: Final = 0.5
#: A loop that wakes this late was stopped, or the machine is overloaded; every arrival inside is late by as much.
STALL_S: Final = 1.0
#: A clock command that has not answered by now will not.
COMMAND_S: Final = 3.0

#: adjtimex(2): the kernel does not know its clock to be right.
_STA_UNSYNC: Final = 0x40


@dataclass(frozen=True, slots=True)
class Discipline:
    """How this computer's clock is kept right.

    Attributes:
        synchronised: Whether something keeps it right; ``None`` where that cannot be found out.
        source: Who says so: ``adjtimex``, ``chrony``, ``w32time``, ``declared``, ``virtual`` or ``unknown``.
        uncertainty_s: How far it may be off, seconds, where that is known.
        detail: What the source said.
    """

    synchronised: bool | None
    source: str
    uncertainty_s: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Clocks:
    """What the bench reads time from, beside its loop.

    Attributes:
        wall: POSIX seconds, as the computer shows them.
        boot: Seconds that go on while the computer sleeps; where there is no such clock, the loop's own.
    """

    wall: Callable[[], float]
    boot: Callable[[], float]


def real_clocks() -> Clocks:
    """Return the clocks of this computer."""
    # Linux stops CLOCK_MONOTONIC during sleep and has CLOCK_BOOTTIME; macOS keeps CLOCK_MONOTONIC going and Python's
    # monotonic() stops; Windows counts sleep in monotonic() itself, where it shows as a stall.
    name = {"linux": "CLOCK_BOOTTIME", "darwin": "CLOCK_MONOTONIC"}.get(sys.platform)
    number = getattr(time, name, None) if name else None
    boot = time.monotonic if number is None else (lambda: time.clock_gettime(number))
    return Clocks(time.time, boot)


def discipline() -> Discipline:
    """Find out how this computer's clock is kept right; changes nothing and needs no rights."""
    if sys.platform == "win32":
        return _ask(["w32tm", "/query", "/status"], parse_w32tm)
    found = _kernel() if sys.platform == "linux" else Discipline(None, "unknown")
    if found.synchronised:
        return found
    # chrony without rtcsync leaves the kernel's flag as it is.
    told = _ask(["chronyc", "-c", "tracking"], parse_chrony)
    return told if told.synchronised is not None else found


class _Timex(ctypes.Structure):
    """``struct timex`` of Linux, as far as it is read here; the rest is room for the kernel to write to."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


def _kernel() -> Discipline:
    state = _Timex()
    try:
        answer = ctypes.CDLL(None).adjtimex(ctypes.byref(state))
    except (OSError, AttributeError):
        return Discipline(None, "unknown")
    if answer < 0:
        return Discipline(None, "unknown", detail="adjtimex refused")
    known = not state.status & _STA_UNSYNC
    detail = f"state {answer}, status 0x{state.status:x}, maxerror {state.maxerror} us"
    return Discipline(known, "adjtimex", state.maxerror / 1e6 if known else None, detail)


def _ask(command: list[str], parse: Callable[[str], Discipline]) -> Discipline:
    try:
        done = subprocess.run(command, capture_output=True, timeout=COMMAND_S, stdin=subprocess.DEVNULL, check=False)
    except (OSError, subprocess.SubprocessError):
        return Discipline(None, "unknown")
    return parse(done.stdout.decode("utf-8", "replace")) if done.returncode == 0 else Discipline(None, "unknown")


def parse_chrony(text: str) -> Discipline:
    """Return what ``chronyc -c tracking`` said: one line of comma-separated values, leap status last."""
    fields = text.strip().split(",")
    with suppress(ValueError, IndexError):
        delay, dispersion, leap = float(fields[10]), float(fields[11]), fields[13]
        known = leap in ("Normal", "Insert second", "Delete second")
        detail = f"stratum {fields[2]}, leap status {leap}"
        return Discipline(known, "chrony", delay / 2 + dispersion if known else None, detail)
    return Discipline(None, "unknown")


def parse_w32tm(text: str) -> Discipline:
    """Return what ``w32tm /query /status`` said. Its words follow the language of Windows, its order of lines does not:
    leap indicator, stratum, precision, root delay, root dispersion."""
    lines = [line.partition(":")[2].strip() for line in text.splitlines() if ":" in line]
    with suppress(ValueError, IndexError, AttributeError):
        leap = int(lines[0].partition("(")[0])
        delay, dispersion = (float(_seconds(line)) for line in lines[3:5])
        known = leap != 3  # 3: not synchronised
        return Discipline(known, "w32time", delay / 2 + dispersion if known else None, f"leap indicator {leap}")
    return Discipline(None, "unknown")


def _seconds(text: str) -> str:
    match = re.match(r"[\d.]+", text)
    if match is None:
        raise ValueError(text)
    return match.group()


class ClockWatch:
    """Puts on record what happens to the bench's clock and to its wakefulness.

    Args:
        transcript: Where it is written.
        clocks: What is compared with the loop's clock.
        now: The instant on the transcript's clock.
    """

    def __init__(self, transcript: Transcript, clocks: Clocks, now: Callable[[], float]) -> None:
        self._transcript = transcript
        self._clocks = clocks
        self._now = now
        self._mono = now()
        self._boot = clocks.boot()
        self._ahead = clocks.wall() - self._boot  # grows when the clock is stepped or slewed

    async def run(self) -> None:
        """Look every second until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        """Compare the clocks with what they showed at the last look."""
        mono, boot, wall = self._now(), self._clocks.boot(), self._clocks.wall()
        asleep = (boot - self._boot) - (mono - self._mono)
        late = mono - self._mono - LOOK_S
        stepped = wall - boot - self._ahead
        if asleep > STEP_S:
            self._note("suspend", asleep, mono)
        if late > STALL_S:
            self._note("stall", late, mono)
        if abs(stepped) > STEP_S:
            self._note("step", stepped, mono)
            self._ahead = wall - boot
        self._mono, self._boot = mono, boot

    def _note(self, event: str, seconds: float, mono: float) -> None:
        self._transcript.add("clock", mono, event=event, seconds=round(seconds, 3), since=self._mono)
