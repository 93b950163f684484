"""The steps a run can take, in order: what each is called and whether a person has to act.

Cases name the steps they rest on; a plan takes each once. What disturbs the timed reports comes after they were
observed. How a step is done stands in :mod:`conformance.live.stimuli`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from .verdicts import Said, say

__all__ = ["SETTLE", "STEPS", "TIDY", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        id: Its name in transcripts and cases.
        title: What it does.
        manual: Whether a person has to act.
        long: Whether it takes minutes to hours of real time.
        steers: Whether the suite sends the device more than acknowledgements in it, or withholds those.
    """

    id: str
    title: Said
    manual: bool = False
    long: bool = False
    steers: bool = False


_ROWS = (
    Step("connect", say("wait for the device to connect and report")),
    Step("clock", say("read the device's clock (1011)"), steers=True),
    Step("query", say("query the door state (3020)"), steers=True),
    Step("openings", say("open the door by each method"), manual=True),
    Step("exit-button", say("open the door from inside"), manual=True),
    Step("dismantle", say("dismantle the reader and put it back"), manual=True, long=True),
    Step("defect", say("cause a fault and remove it"), manual=True),
    Step("observe", say("observe the timed reports"), long=True),
    Step("withhold", say("leave one upload unanswered"), long=True, steers=True),
    Step("outage", say("cut the link, open the door, restore the link"), manual=True, long=True, steers=True),
    Step("reboot", say("switch the device off and on, open the door once more"), manual=True),
)

#: Steps that a run which goes on takes before those of the plan: settings put back, the door brought to rest.
SETTLE: Final = "settings"
TIDY: Final = "tidy"

#: Every step by its id, in the order in which a run takes them.
STEPS: Final[dict[str, Step]] = {step.id: step for step in _ROWS}
