"""The person at the door: what they are asked to do, and what they answer."""

from __future__ import annotations

import asyncio
import sys
import threading
from dataclasses import dataclass
from typing import Protocol

from ..verdicts import Said, say

__all__ = ["AbsentOperator", "Act", "ConsoleOperator", "Operator"]


@dataclass(frozen=True, slots=True)
class Act:
    """One act asked of the operator.

    Attributes:
        act: ``open``, ``close``, ``lift``, ``put-back``, ``unplug``, ``plug-in`` or ``power-cycle``.
        method: How to open: ``face``, ``ic-card``, ``fingerprint``, ``password`` or ``exit-button``.
        person: ``A`` or ``B``; the same letter is the same person throughout.
    """

    act: str
    method: str = ""
    person: str = ""

    @property
    def prompt(self) -> Said:
        """What to tell the operator."""
        if self.act == "open":
            return _OPENINGS[self.method](self.person)
        return _PROMPTS[self.act]


_PROMPTS: dict[str, Said] = {
    "close": say("Close the door."),
    "lift": say("Lift the reader off its base (dismantle it) and leave it off."),
    "put-back": say("Put the reader back on its base."),
    "unplug": say("Cause the fault that the maker names (for example unplug the lock)."),
    "plug-in": say("Remove the fault (plug it in again)."),
    "power-cycle": say("Switch the controller off, wait ten seconds, switch it on again."),
}
_OPENINGS = {
    "face": lambda person: say("Person {person}: open the door by FACE.", person=person),
    "ic-card": lambda person: say("Person {person}: open the door by IC CARD.", person=person),
    "fingerprint": lambda person: say("Person {person}: open the door by FINGERPRINT.", person=person),
    "password": lambda person: say("Person {person}: open the door by PASSWORD.", person=person),
    "exit-button": lambda person: say("Open the door from inside by the exit button or a key, without identification."),
}


class Operator(Protocol):
    """Whoever acts: a person at a keyboard, a simulated one, nobody."""

    attended: bool  #: whether anybody is there to act

    async def perform(self, act: Act) -> str:
        """Have ``act`` done; return ``done``, ``not-fitted``, ``cannot`` or ``pending``."""


class AbsentOperator:
    """Nobody is there: every act stays pending."""

    attended = False

    async def perform(self, act: Act) -> str:
        return "pending"


_ANSWERS = {"": "done", "n": "not-fitted", "s": "cannot"}


class ConsoleOperator:
    """Asks at the terminal: Enter when done, ``n`` not fitted, ``s`` cannot be done now."""

    attended = True

    async def perform(self, act: Act) -> str:
        keys = say("[Enter] done   [n] not fitted   [s] cannot now")
        loop = asyncio.get_running_loop()
        while True:
            print(f"\n>>> {act.prompt}\n    {keys} ", end="", file=sys.stderr, flush=True)
            line = await _read_line(loop)
            if line is None:
                return "pending"
            answer = _ANSWERS.get(line.strip().lower())
            if answer:
                return answer


async def _read_line(loop: asyncio.AbstractEventLoop) -> str | None:
    """Read a line without keeping the process alive: a pool's thread would wait for Enter after Ctrl-C."""
    result: asyncio.Future[str | None] = loop.create_future()

    def settle(line: str | None) -> None:
        if not result.done():
            result.set_result(line)

    def read() -> None:
        try:
            line = sys.stdin.readline()
        except (OSError, ValueError):
            line = ""
        try:
            loop.call_soon_threadsafe(settle, line or None)
        except RuntimeError:
            return  # the run is over

    threading.Thread(target=read, daemon=True, name="operator").start()
    return await result
